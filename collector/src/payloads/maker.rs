//! Makes events of groups of payloads.
//!
//! Invariant: a batch that is repeated is made again of the same groups and is the same.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use domain::time::Instant;
use service::Context;

use super::event::{self, Lines};
use super::journal::{Journal, Place};
use super::pairs::Group;
use super::rows::Wrong;
use super::{LeftOut, Payload, Reason, SOURCE};
use crate::config::Payloads as Settings;
use crate::decode::{self, Framing, Names, Rules};
use crate::event::{Kind, Name, Outcome, Prediction, Rejection};
use crate::guard::GuardBook;

/// What a batch of groups becomes.
#[derive(Default)]
pub(super) struct Made {
    pub(super) predictions: Vec<Prediction>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) rejections: Vec<Rejection>,
    /// How many predictions there are up to the end of each of the groups that are in it.
    pub(super) ends: Vec<usize>,
}

/// Makes events of groups; a batch that is repeated is made again and is the same.
pub(super) struct Maker {
    pub(super) journal: Arc<Journal>,
    pub(super) settings: Settings,
    pub(super) context: Context,
    pub(super) kept: Duration,
    pub(super) future: Duration,
    pub(super) left_out: Arc<LeftOut>,
    pub(super) guards: GuardBook,
}

impl Made {
    /// Which of the predictions belong to each group.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start..*end)
    }

    /// Which groups are not all repetition; a group without predictions is none.
    pub(super) fn has_new(&self, came_before: &[bool]) -> Vec<bool> {
        self.ranges()
            .map(|range| range.is_empty() || !came_before[range].iter().all(|known| *known))
            .collect()
    }
}

impl Maker {
    pub(super) fn make(
        &self,
        groups: &[Group<Place>],
        received_at: Instant,
        rows: usize,
        names: &mut Names,
    ) -> Made {
        let mut made = Made::default();
        for group in groups {
            if !made.ends.is_empty() && made.predictions.len() + made.outcomes.len() >= rows {
                break;
            }
            self.add(group, received_at, names, &mut made);
            made.ends.push(made.predictions.len());
        }
        made
    }

    fn add(&self, group: &Group<Place>, received_at: Instant, names: &mut Names, made: &mut Made) {
        let read = |place: Option<Place>| {
            let place = place?;
            let payload = self.journal.read(place);
            if let Err(error) = &payload {
                tracing::error!(%error, "an acknowledged payload is lost");
                self.left_out.count(Reason::Unreadable, "", 1, received_at);
            }
            payload.ok()
        };
        let (request, response) = (read(group.request), read(group.response));
        let feedback = read(group.feedback);
        let read =
            Group { request: request.as_ref(), response: response.as_ref(), feedback: feedback.as_ref() };
        let Some(first) = read.parts().next() else { return };
        let rules = self.rules(received_at, first);
        let contract = |model: &str| self.context.contract(model);
        match event::lines(&read, &self.settings, contract) {
            Ok(lines) => self.decode(&lines, first, names, &rules, made),
            Err(wrong) => made.rejections.push(self.rejection(&read, first, &rules, &wrong)),
        }
    }

    fn rules(&self, received_at: Instant, first: &Payload) -> Rules {
        Rules {
            received_at,
            source: Name::from(SOURCE),
            oldest: received_at.saturating_sub(self.kept).max(Instant::EPOCH),
            newest: received_at.saturating_add(self.future),
            models: first.models.clone(),
            guards: self.guards.current(),
        }
    }

    fn decode(&self, lines: &Lines, first: &Payload, names: &mut Names, rules: &Rules, made: &mut Made) {
        let body = lines.text.as_bytes();
        let kind = if lines.are_outcomes { Kind::Outcome } else { Kind::Prediction };
        let refused = if lines.are_outcomes {
            decode::outcomes(body, Framing::Lines, names, rules).map(|decoded| {
                made.outcomes.extend(decoded.events);
                decoded.refused
            })
        } else {
            decode::predictions(body, Framing::Lines, names, rules).map(|decoded| {
                made.predictions.extend(decoded.events);
                decoded.refused
            })
        };
        match refused {
            Ok(refused) => made.rejections.extend(refused.iter().map(|refused| Rejection {
                position: format!(
                    "{} row {}",
                    rules.guards.told_id(&refused.model, &first.event.id),
                    refused.index
                ),
                ..refused.rejection(kind, rules)
            })),
            Err(unreadable) => {
                let group = Group { request: Some(first), response: None, feedback: None };
                let wrong = Wrong::of("", unreadable.to_string());
                made.rejections.push(self.rejection(&group, first, rules, &wrong));
            }
        }
    }

    /// The row for a payload of which no events could be made, with what may be kept of it.
    fn rejection(&self, group: &Group<&Payload>, first: &Payload, rules: &Rules, wrong: &Wrong) -> Rejection {
        let model = event::model(&first.event, &self.settings).unwrap_or_default();
        let data = group.parts().last().map(|payload| payload.event.data.clone()).unwrap_or_default();
        Rejection {
            received_at: rules.received_at,
            kind: if group.feedback.is_some() { Kind::Outcome } else { Kind::Prediction },
            source: SOURCE.to_owned(),
            position: rules.guards.told_id(&model, &first.event.id).to_owned(),
            field: wrong.field.clone(),
            reason: rules.guards.told(&model, wrong.problem.clone()),
            payload: rules.guards.kept_payload(&model, &data),
            model,
            kept_out: None,
        }
    }
}
