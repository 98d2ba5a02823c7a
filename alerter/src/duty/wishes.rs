//! Carrying out what people and programs asked for: each action once, in the order in which they were asked.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use domain::action::{Action, ActionKind};
use domain::delivery::State;
use domain::incident::IncidentEvent;
use domain::time::{DAY, Instant};
use serde::Deserialize;

use super::Duty;
use crate::courier::Parcel;
use crate::retraining;

/// Actions are read again over so long a stretch: they become visible late, and a page's clock may be behind.
const LATENESS: Duration = Duration::from_secs(600);
/// After a start, actions of so long ago are still carried out.
const REACH: Duration = Duration::from_secs(7 * DAY.as_secs());

/// Which actions were read.
pub struct Wishes {
    after: Instant,
    /// Seen in the stretch that is read again; what was carried out stands on the events besides.
    seen: HashSet<String>,
}

impl Wishes {
    pub fn from(now: Instant) -> Self {
        Self { after: now.saturating_sub(REACH), seen: HashSet::new() }
    }

    /// Of all that was read, what was not carried out before.
    fn unseen(&self, read: &[Action]) -> Vec<Action> {
        read.iter().filter(|action| !self.seen.contains(&action.id)).cloned().collect()
    }

    /// All of what was read is carried out.
    fn done(&mut self, read: Vec<Action>) {
        let last = read.iter().map(|action| action.asked_at).max().unwrap_or(Instant::EPOCH);
        self.after = self.after.max(last.saturating_sub(LATENESS));
        self.seen = read.into_iter().map(|action| action.id).collect();
    }
}

/// Which delivery is to be sent again.
#[derive(Deserialize)]
struct Again {
    delivery: String,
}

impl Duty {
    pub async fn carry_out_wishes(&mut self) -> Result<(), sql::Error> {
        let read = self.store.actions_after(self.wishes.after).await?;
        for action in self.wishes.unseen(&read) {
            self.recall(&action.incident).await?;
            let now = self.context.clock.now();
            let events = match action.kind {
                ActionKind::SendAgain => {
                    self.send_again(&action).await?;
                    Vec::new()
                }
                ActionKind::Retrain => self.retrain(&action, now),
                _ => self.incidents.act(&action, now),
            };
            if action.kind != ActionKind::SendAgain && self.incidents.case(&action.incident).is_none() {
                let (action, incident) = (&action.id, &action.incident);
                tracing::warn!(action, incident, "asked for something about an incident that nobody knows");
            }
            if !events.is_empty() {
                self.metrics.acted(action.kind);
                self.publish(events).await;
            }
            self.wishes.seen.insert(action.id);
        }
        self.wishes.done(read);
        Ok(())
    }

    /// Incidents that were let go of come back when somebody asks for them.
    async fn recall(&mut self, incident: &str) -> Result<(), sql::Error> {
        if incident.is_empty() || self.incidents.case(incident).is_some() {
            return Ok(());
        }
        let events = self.store.incident_events(Some(incident)).await?;
        events.iter().for_each(|event| self.incidents.apply(event));
        Ok(())
    }

    fn retrain(&mut self, action: &Action, now: Instant) -> Vec<IncidentEvent> {
        let Some(case) = self.incidents.case(&action.incident) else { return Vec::new() };
        let policy = self.retraining_of(&case.incident.model, case.incident.severity);
        retraining::ask(&mut self.incidents, action, policy.as_ref(), now).into_iter().collect()
    }

    /// Sends one delivery again: now if it waits, anew if it is over. Once an action: an attempt that is later than the
    /// wish has fulfilled it.
    async fn send_again(&mut self, action: &Action) -> Result<(), sql::Error> {
        let Ok(Again { delivery }) = serde_json::from_str(&action.payload) else { return Ok(()) };
        let Some(last) = self.store.latest_attempt(&delivery).await? else { return Ok(()) };
        if last.at >= action.asked_at || !self.outbox.knows(&last.channel) {
            return Ok(());
        }
        self.metrics.acted(action.kind);
        if last.state == State::Retrying {
            self.outbox.hurry(&last.channel, last.delivery).await;
            return Ok(());
        }
        let mut events = self.store.incident_events(Some(&last.incident)).await?;
        events.retain(|event| event.sequence <= last.sequence);
        let Some(notice) = self.planner.notice_of_last(&events) else { return Ok(()) };
        let now = self.context.clock.now();
        let parcel = Parcel {
            delivery: last.delivery,
            notice: Arc::new(notice),
            attempts: last.attempt,
            due: now,
            asked_at: now,
        };
        self.outbox.hand_over(&last.channel, parcel).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_is_read_again_is_not_a_new_one() {
        let action = |id: &str, asked_at| Action {
            id: id.to_owned(),
            incident: "k7f3".to_owned(),
            kind: ActionKind::Acknowledge,
            actor: "ann".to_owned(),
            reason: String::new(),
            until: None,
            payload: String::new(),
            asked_at: Instant::from_seconds(asked_at),
        };
        let mut wishes = Wishes::from(Instant::from_seconds(2_000_000));
        let first = vec![action("a", 1_999_000)];
        assert_eq!(wishes.unseen(&first).len(), 1);
        wishes.done(first);
        let late = vec![action("b", 1_998_900), action("a", 1_999_000)];
        let unseen = wishes.unseen(&late);
        assert_eq!(unseen.iter().map(|action| action.id.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(wishes.after, Instant::from_seconds(1_999_000 - 600));
    }
}
