//! What the tests of the alerter stand on: one that runs, evaluations for it, and all that it sends to.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::action::{Action, ActionKind};
use domain::contract::{Contract, Watch};
use domain::delivery::{Attempt, State};
use domain::evaluation::{Basis, Evaluation, Monitor, Severity, Subject, Verdict};
use domain::incident::{EventKind, IncidentEvent};
use domain::time::{Clock, HOUR, Instant, Interval, MINUTE};
use service::Context;
use sql::Store;
use tests::{Mail, MailServer, Received, Receiver, Speech, eventually_some, fresh_store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Everything that the alerter of a test talks to.
pub struct Harbour {
    pub store: Store,
    pub hook: Receiver,
    pub pagerduty: Receiver,
    pub training: Receiver,
    pub mail: MailServer,
    /// The end of the latest window; the earlier ones end a minute apart before it.
    pub now: Instant,
}

impl Harbour {
    pub async fn open() -> Self {
        Self::on(fresh_store().await).await
    }

    pub async fn on(store: Store) -> Self {
        Self {
            store,
            hook: Receiver::open().await,
            pagerduty: Receiver::open().await,
            training: Receiver::open().await,
            mail: MailServer::open(Speech::Clear).await,
            now: Clock::System.now(),
        }
    }

    /// A configuration with all channels, quick enough for a test.
    pub fn config(&self) -> String {
        format!(
            r#"
            listen = ""
            poll_ms = 50
            base_url = "https://leeway.example.com"
            retries = {{ first_ms = 100 }}

            [channels.hook]
            kind = "webhook"
            url = "{hook}/hook"
            secret = "{SECRET}"

            [channels.oncall]
            kind = "pagerduty"
            routing_key = "0123456789abcdef0123456789abcdef"
            endpoint = "{pagerduty}"

            [channels.mail]
            kind = "email"
            from = "Leeway <leeway@example.com>"
            to = ["ml@example.com", "ops@example.com"]
            host = "127.0.0.1"
            port = {mail}
            tls = "none"

            [channels.train]
            kind = "retraining"
            url = "{training}/jobs"
            secret = "{SECRET}"

            [[routes]]
            models = ["fl*"]
            channels = ["hook", "oncall", "mail", "train"]
            "#,
            hook = self.hook.url,
            pagerduty = self.pagerduty.url,
            training = self.training.url,
            mail = self.mail.port,
        )
    }

    pub fn start(&self) -> Running {
        self.start_with(&self.config())
    }

    pub fn start_with(&self, config: &str) -> Running {
        let config: alerter::Config = toml::from_str(config).expect("a sound configuration");
        let history = Watch { name: "days".to_owned(), history: true, ..Watch::default() };
        let contract = Contract { watches: vec![history], owner: "ops".to_owned(), ..Contract::default() };
        let contracts = BTreeMap::from([("flights".to_owned(), contract)]);
        let context = Context::quiet(Clock::System, contracts);
        let stopper = context.stopper.clone();
        let health = context.health.clone();
        let operations = axum::Router::new().route("/healthz", axum::routing::get("ok"));
        let role = alerter::run(config, context, self.store.clone(), operations);
        Running { stopper, health, role: tokio::spawn(role) }
    }

    /// Stores what a window says of a subject, `minutes` before the latest one; off course since an hour.
    pub async fn evaluate(&self, subject: Subject, verdict: Verdict, minutes: u32) {
        let evaluation = self.evaluation(subject, verdict, minutes);
        self.store.write_evaluations(&[evaluation], &uuid::Uuid::new_v4().to_string()).await.expect("stored");
    }

    pub fn evaluation(&self, subject: Subject, verdict: Verdict, minutes: u32) -> Evaluation {
        let end = self.now.saturating_sub(MINUTE * minutes);
        let window = Interval::ending_at(end, HOUR);
        let off = verdict.is_alarm();
        let value = if off { 1.0 } else { 0.002 };
        Evaluation {
            severity: Severity::of(subject.monitor, &subject.signal, value, Basis::Learned),
            window,
            baseline: "initial".to_owned(),
            statistic: "missing_share".to_owned(),
            value,
            threshold: 0.05,
            recovery: 0.03,
            noise: 0.01,
            n_baseline: 80_000,
            n_current: 412,
            verdict,
            since: if off { self.now.saturating_sub(2 * HOUR) } else { window.start },
            streak: 2,
            numbers: BTreeMap::new(),
            sentence: "temp is missing in 100 % of 412 events, 0.2 % before".to_owned(),
            evaluated_at: Clock::System.now(),
            subject,
        }
    }

    pub async fn events(&self) -> Vec<IncidentEvent> {
        self.store.incident_events(None).await.expect("the events can be read")
    }

    pub async fn kinds(&self) -> Vec<EventKind> {
        self.events().await.iter().map(|event| event.kind).collect()
    }

    /// Waits for an event of this kind.
    pub async fn event(&self, kind: EventKind) -> IncidentEvent {
        eventually_some(kind.name(), async || {
            self.events().await.into_iter().find(|event| event.kind == kind)
        })
        .await
    }

    pub async fn attempts(&self) -> Vec<Attempt> {
        self.store.latest_attempts(Instant::EPOCH).await.expect("the deliveries can be read")
    }

    /// Waits until the delivery of an event by a channel stands so.
    pub async fn delivery(&self, channel: &str, event: EventKind, state: State) -> Attempt {
        eventually_some(&format!("{} by {channel} is {state}", event.name()), async || {
            let is_it = |attempt: &Attempt| {
                attempt.channel == channel && attempt.event == event.name() && attempt.state == state
            };
            self.attempts().await.into_iter().find(is_it)
        })
        .await
    }

    pub async fn ask(&self, incident: &str, kind: ActionKind) -> Action {
        self.ask_with(incident, kind, String::new()).await
    }

    pub async fn ask_with(&self, incident: &str, kind: ActionKind, payload: String) -> Action {
        let asked_at = Clock::System.now();
        let action = Action {
            id: uuid::Uuid::new_v4().to_string(),
            incident: incident.to_owned(),
            kind,
            actor: "ann".to_owned(),
            reason: "I look at it".to_owned(),
            until: Some(asked_at.saturating_add(HOUR)),
            payload,
            asked_at,
        };
        self.store.write_action(&action).await.expect("stored");
        action
    }

    /// The mails that came, once there are so many.
    pub async fn mails(&self, least: usize) -> Vec<Mail> {
        eventually_some("the mails", async || Some(self.mail.mails()).filter(|mails| mails.len() >= least))
            .await
    }
}

/// What came, once there are so many.
pub async fn received(receiver: &Receiver, least: usize) -> Vec<Received> {
    eventually_some("what was posted", async || {
        Some(receiver.received()).filter(|received| received.len() >= least)
    })
    .await
}

/// Whether a message is signed as the public library of the Standard Webhooks asks for.
pub fn is_signed(message: &Received) -> bool {
    let webhook = standardwebhooks::Webhook::new(SECRET).expect("a secret");
    webhook.verify(&message.body, &message.headers).is_ok()
}

pub fn temp() -> Subject {
    subject(Monitor::Missing, "feature.temp", "origin=JFK")
}

pub fn subject(monitor: Monitor, signal: &str, segment: &str) -> Subject {
    Subject {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        monitor,
        signal: signal.to_owned(),
        segment: segment.to_owned(),
    }
}

/// An alerter at work.
pub struct Running {
    stopper: CancellationToken,
    pub health: service::Health,
    role: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Asks it to stop, and waits until it did.
    pub async fn stop(self) {
        self.stopper.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(20), self.role).await;
        ended.expect("it stops in time").expect("it does not panic").expect("it ends well");
    }

    /// Ends it as a crash does: nothing is flushed.
    pub async fn kill(self) {
        self.role.abort();
        // Its couriers are tasks of its own and end with it.
        let _ = self.role.await;
    }
}
