//! One turn after the other: evaluations into events, events into the store, then word of them to whoever is to hear.
//!
//! Invariant: an event is written before anybody is told of it. A process that stops in between is followed by one that
//! comes to the same event from the same evaluations.

mod wishes;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Attempt, State};
use domain::evaluation::{Evaluation, Severity};
use domain::incident::{EventKind, IncidentEvent};
use domain::time::Instant;
use service::Context;
use service::backoff::Backoff;
use sql::Store;

use crate::courier::Parcel;
use crate::heartbeat::Heartbeat;
use crate::incidents::case::Mark;
use crate::incidents::{Incidents, in_order_of_opening};
use crate::metrics::Metrics;
use crate::notify::{Planner, Told};
use crate::outbox::Outbox;
use crate::retraining;
use crate::source::Source;

pub use wishes::Wishes;

/// The name of the readiness check.
pub const CHECK: &str = "alerter";

pub struct Duty {
    pub context: Context,
    pub store: Store,
    pub metrics: Metrics,
    pub incidents: Incidents,
    pub planner: Planner,
    pub outbox: Outbox,
    /// Where evaluations come from, once it is known from where on.
    pub source: Option<Source>,
    pub heartbeat: Heartbeat,
    /// What the retraining channels say, by channel.
    pub retrainings: BTreeMap<String, retraining::Policy>,
    pub notify_within: Duration,
    pub give_up_after: Duration,
    pub wishes: Wishes,
}

/// How the deliveries of an earlier process stand.
struct Left {
    planned: HashSet<(String, u32)>,
    by_delivery: HashMap<String, Attempt>,
}

impl Left {
    fn new(attempts: Vec<Attempt>) -> Self {
        Self {
            planned: attempts.iter().map(|attempt| (attempt.incident.clone(), attempt.sequence)).collect(),
            by_delivery: attempts.into_iter().map(|attempt| (attempt.delivery.clone(), attempt)).collect(),
        }
    }
}

impl Duty {
    /// Takes up what an earlier process left: the state of incidents, and what was not yet delivered.
    pub async fn resume(&mut self, events: Vec<IncidentEvent>, attempts: Vec<Attempt>) {
        let now = self.context.clock.now();
        let mut left = Left::new(attempts);
        for event in in_order_of_opening(&events) {
            self.incidents.apply(&event);
            let told = self.planner.plan(&event);
            if !told.is_empty() && now.since(event.recorded_at) <= self.give_up_after {
                self.resume_delivery(&event, told, &mut left).await;
            }
        }
        self.outbox.give_up(left.by_delivery.into_values()).await;
        self.metrics.open(self.incidents.open().count());
    }

    /// From which evaluations on to read: those that led to what was said last.
    async fn read_again_from(&self) -> Result<Option<Instant>, sql::Error> {
        let mut from: Option<Instant> = None;
        for mark in self.incidents.marks() {
            let Mark { model, environment, watch, window_end, recorded_at } = mark;
            let found = self.store.window_evaluated_at(model, environment, watch, *window_end).await?;
            // What was made here, or has expired meanwhile, is not found.
            let evaluated_at = found.map_or(*recorded_at, |evaluated_at| evaluated_at.min(*recorded_at));
            from = Some(from.map_or(evaluated_at, |from| from.min(evaluated_at)));
        }
        Ok(from)
    }

    async fn resume_delivery(&self, event: &IncidentEvent, told: Vec<Told>, left: &mut Left) {
        let now = self.context.clock.now();
        if !left.planned.contains(&(event.incident.clone(), event.sequence)) {
            // Written, and then the process ended before anybody was told.
            if now.since(event.recorded_at) <= self.notify_within {
                self.outbox.tell(event, told, || self.planner.notice(event)).await;
            }
            return;
        }
        let notice = Arc::new(self.planner.notice(event));
        for told in told {
            let Some(last) = left.by_delivery.remove(&notice.delivery(&told.channel)) else { continue };
            if last.state != State::Retrying {
                continue;
            }
            let parcel = Parcel {
                delivery: last.delivery,
                notice: notice.clone(),
                attempts: last.attempt,
                due: last.next_attempt_at.unwrap_or(now),
                asked_at: event.recorded_at,
            };
            self.outbox.hand_over(&told.channel, parcel).await;
        }
    }

    /// One look at everything that may be new.
    pub async fn turn(&mut self) -> Result<(), sql::Error> {
        if self.source.is_none() {
            let from = self.read_again_from().await?;
            self.source = Some(Source::reading_from(self.store.clone(), from));
        }
        self.take_evaluations().await?;
        if self.context.stopper.is_cancelled() {
            // What was not read yet says nothing about the analyzer.
            return Ok(());
        }
        self.watch_the_analyzer().await;
        self.carry_out_wishes().await?;
        let ended = self.incidents.end_silences(self.context.clock.now());
        self.publish(ended).await;
        Ok(())
    }

    async fn take_evaluations(&mut self) -> Result<(), sql::Error> {
        loop {
            let open = self.incidents.open();
            let models: BTreeSet<String> = open.map(|case| case.incident.model.clone()).collect();
            let models: Vec<&str> = models.iter().map(String::as_str).collect();
            let Some(source) = &mut self.source else { return Ok(()) };
            let news = source.next(&models).await?;
            news.latest.into_iter().for_each(|latest| self.heartbeat.hear(latest));
            self.metrics.evaluated(news.evaluations.len());
            self.take(news.evaluations).await;
            if !news.more || self.context.stopper.is_cancelled() {
                return Ok(());
            }
        }
    }

    async fn watch_the_analyzer(&mut self) {
        let now = self.context.clock.now();
        if let Some(evaluation) = self.heartbeat.judge(&self.incidents, now) {
            self.take(vec![evaluation]).await;
        }
    }

    async fn take(&mut self, evaluations: Vec<Evaluation>) {
        let now = self.context.clock.now();
        let mut events = self.incidents.take(evaluations, now);
        let grew = |kind| matches!(kind, EventKind::Opened | EventKind::Escalated | EventKind::Updated);
        let grown: BTreeSet<String> =
            events.iter().filter(|event| grew(event.kind)).map(|event| event.incident.clone()).collect();
        for incident in grown {
            if let Some(policy) = self.retraining_policy(&incident) {
                events.extend(retraining::consider(&mut self.incidents, &incident, &policy, now));
            }
        }
        self.publish(events).await;
    }

    /// What the retraining channels that hear of an incident say; `None` where there is none, or it is history.
    fn retraining_policy(&self, incident: &str) -> Option<retraining::Policy> {
        let case = self.incidents.case(incident)?;
        if !case.was_current || self.incidents.is_history(case) {
            return None;
        }
        self.retraining_of(&case.incident.model, case.incident.severity)
    }

    pub fn retraining_of(&self, model: &str, severity: Severity) -> Option<retraining::Policy> {
        let heard = self.planner.routed(model, severity);
        let policies = heard.into_iter().filter_map(|channel| self.retrainings.get(channel));
        policies.cloned().reduce(|one, other| retraining::Policy {
            causes: [one.causes, other.causes].concat(),
            cooldown: one.cooldown.max(other.cooldown),
        })
    }

    /// Writes events, then tells of them.
    pub async fn publish(&mut self, events: Vec<IncidentEvent>) {
        if events.is_empty() || !self.write(&events).await {
            return;
        }
        for event in &events {
            self.metrics.happened(event);
            let (incident, model) = (&event.incident, &event.model);
            tracing::info!(incident, model, event = event.kind.name(), "{}", event.title);
            let told = self.planner.plan(event);
            self.outbox.tell(event, told, || self.planner.notice(event)).await;
        }
        self.metrics.open(self.incidents.open().count());
    }

    /// Again and again until the store has them; false if asked to stop before.
    async fn write(&self, events: &[IncidentEvent]) -> bool {
        let backoff = Backoff::default();
        for tries in 0.. {
            match self.store.write_incident_events(events).await {
                Ok(()) => return true,
                Err(error) => {
                    tracing::warn!(%error, "events of incidents cannot be written");
                    self.context.health.not_ready(CHECK, error.to_string());
                }
            }
            let pause = tokio::time::sleep(backoff.random_wait(tries));
            if self.context.stopper.run_until_cancelled(pause).await.is_none() {
                return false;
            }
        }
        false
    }
}
