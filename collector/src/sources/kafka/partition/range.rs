//! A batch of messages becomes a range: it is read, what of it came before is told, the range is claimed with that, and
//! its events are stored.
//!
//! Invariant: what is left out of a range stands in its claim, so whoever stores it leaves out the same. Whoever finishes
//! a range does not ask again what came before: that could be the range itself.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use domain::time::{DAY, Instant};
use sql::kafka_ranges::{EventPlace, Life, Place, Range};

use super::super::config::Kind;
use super::super::decode::{self, Origin, Taken};
use super::super::messages::Messages;
use super::super::{SOURCE, blocking};
use super::{Course, Partition, Problem};
use crate::batch::Span;
use crate::decode::{Names, Rules};
use crate::duplicates::{self, Told};
use crate::event::{Name, Outcome, Prediction, Rejection};
use crate::intake::Token;
use crate::predictions::Predictions;

/// A claim that takes longer, for the store was away, is a receipt of its own: events are counted by the grids that hold
/// when they are received, and these may be others by then.
const RECEIPT: Duration = Duration::from_secs(1);

/// A range that is ours to store, with what its messages say.
pub(super) struct Claimed {
    pub range: Range,
    /// How many of its messages are still in the log.
    found: usize,
    said: Said,
    /// Its new events, where it was told here which they are.
    new: Option<duplicates::Claim>,
    /// Since when somebody else may have stored it, where it was claimed before.
    tried_since: Option<Instant>,
}

/// What the messages of a batch say.
enum Said {
    Predictions(Box<Taken<Predictions>>),
    Outcomes(Taken<Vec<Outcome>>),
}

/// What became of the events of a range.
struct Stored {
    accepted: usize,
    rejections: Vec<Rejection>,
}

impl Partition {
    /// A range that was claimed before.
    pub(super) async fn open(&mut self, range: Range, messages: Messages) -> Claimed {
        let found = messages.len();
        let (said, _) = self.read(messages, range.received_at).await;
        Claimed { tried_since: Some(range.received_at), range, found, said, new: None }
    }

    /// Claims the range of a new batch, unless somebody else was first.
    pub(super) async fn claim(&mut self, course: &Course, messages: Messages) -> Result<Claimed, Problem> {
        let (found, received_at) = (messages.len(), self.shared.clock.now());
        let (first, next) = (course.position, messages.next_offset().unwrap_or(course.position));
        let (said, messages) = self.read(messages, received_at).await;
        let (said, repeated, new) = self.told(said).await;
        let count = u32::try_from(found).unwrap_or(u32::MAX);
        let wanted = Range { first, next, messages: count, received_at, repeated };
        let range = self.record(&course.life, &wanted).await?;
        if range == wanted {
            return Ok(Claimed { range, found, said, new, tried_since: None });
        }
        // Received later than it was read; or claimed by somebody else, to whom other events were new.
        let new = new.filter(|_| range.repeated == wanted.repeated);
        let (said, _) = self.read(messages, range.received_at).await;
        Ok(Claimed { tried_since: Some(range.received_at), range, found, said, new })
    }

    /// Which events of a new batch came before; the others are claimed.
    async fn told(&self, said: Said) -> (Said, Vec<EventPlace>, Option<duplicates::Claim>) {
        match said {
            Said::Predictions(taken) => {
                let Taken { events, places, rejections } = *taken;
                let (events, Told { repeated, claim }) = self.shared.intake.claim_new(events).await;
                let repeated = repeated.into_iter().map(|row| places[row]).collect();
                let taken = Taken { events, places, rejections };
                (Said::Predictions(Box::new(taken)), repeated, Some(claim))
            }
            Said::Outcomes(_) => (said, Vec::new(), None),
        }
    }

    /// Records a range in the store; gives the one that holds, whoever wrote it.
    async fn record(&self, life: &Life, wanted: &Range) -> Result<Range, Problem> {
        // Offsets mean what they meant only in the topic that they were fetched from.
        if self.topic_id().await? != life.topic_id {
            return Err(Problem::MadeAgain);
        }
        let (shared, place) = (&self.shared, &self.place);
        let attempt = || async move {
            let now = shared.clock.now();
            let is_late = now.since(wanted.received_at) >= RECEIPT;
            let received_at = if is_late { now } else { wanted.received_at };
            let range = Range { received_at, ..wanted.clone() };
            shared.store.claim_kafka_range(place, life, &range, &shared.name, now).await
        };
        let claims = shared.intake.patiently(attempt).await?;
        let newest = claims.into_iter().filter(|claim| claim.life.topic_id == life.topic_id);
        let held = newest.max_by_key(|claim| claim.life.era).ok_or(Problem::ClaimLost)?;
        let range = held.range;
        match held.life == *life && range.first <= wanted.first {
            true if range.first < wanted.first => Err(Problem::ClaimLost),
            true if range.next == wanted.next && range.messages == wanted.messages => Ok(range),
            _ => Err(Problem::ClaimedByAnother(range.first)),
        }
    }

    /// Understands the messages of a batch, and gives them back.
    async fn read(&mut self, messages: Messages, received_at: Instant) -> (Said, Messages) {
        let origin = Origin { topic: self.place.topic.clone(), partition: self.place.partition };
        let (rules, mut names) = (self.rules(received_at), std::mem::take(&mut self.names));
        let kind = self.kind;
        let (said, messages, names) = blocking(move || {
            let said = said(kind, &messages, &origin, &mut names, &rules);
            (said, messages, names)
        })
        .await;
        self.names = names;
        (said, messages)
    }

    fn rules(&self, received_at: Instant) -> Rules {
        let kept = DAY * self.shared.kept_days;
        Rules {
            received_at,
            source: Name::from(SOURCE),
            // The tables begin with 1970.
            oldest: received_at.saturating_sub(kept).max(Instant::EPOCH),
            newest: received_at.saturating_add(self.shared.future),
            models: Vec::new(),
            guards: self.shared.intake.guards().current(),
        }
    }

    /// Stores a range, and says how many refusals there were. Again with the same messages it changes nothing.
    pub(super) async fn store(&self, life: &Life, claimed: Claimed) -> Result<usize, Problem> {
        let Claimed { range, found, said, new, tried_since } = claimed;
        let token = Token::from(token(&self.place, life, range.first)).tried(tried_since);
        let missing = (range.messages as usize).saturating_sub(found);
        let Stored { accepted, mut rejections } = match said {
            Said::Predictions(taken) => {
                self.store_predictions(&range, *taken, new, missing > 0, token.clone()).await?
            }
            Said::Outcomes(Taken { events, rejections, .. }) => {
                let accepted = events.len();
                self.shared.intake.insert_outcomes(events, token.clone()).await?;
                Stored { accepted, rejections }
            }
        };
        if missing > 0 {
            rejections.push(self.shrunk(&range, found));
            self.shared.metrics.lost(&self.place.topic, missing as u64);
        }
        let rejected = rejections.len();
        self.shared.intake.insert_rejections(rejections, token).await?;
        let kind = crate::event::Kind::from(self.kind);
        self.shared.intake.metrics().events(kind, SOURCE, accepted, rejected);
        Ok(rejected)
    }

    async fn store_predictions(
        &self,
        range: &Range,
        taken: Taken<Predictions>,
        new: Option<duplicates::Claim>,
        is_shrunk: bool,
        token: Token,
    ) -> Result<Stored, Problem> {
        let Taken { events, places, rejections } = taken;
        let left_out = rows_of(&range.repeated, &places);
        let repeated: Vec<Prediction> = left_out.iter().map(|row| events.row(*row)).collect();
        let events = events.without(&left_out);
        let spans = if is_shrunk { spans(&events) } else { Vec::new() };
        let (intake, accepted) = (&self.shared.intake, events.len());
        match new {
            Some(claim) => intake.insert_claimed(events, claim, token.clone()).await?,
            None => intake.insert_whole(events, token.clone()).await?,
        }
        intake.insert_duplicates(repeated, token).await?;
        // Should the whole range be stored in part, its counts may now be those of what was left.
        intake.have_compared(spans).await?;
        Ok(Stored { accepted, rejections })
    }

    /// What is said of a range of which the log no longer holds everything.
    fn shrunk(&self, range: &Range, found: usize) -> Rejection {
        let reason = format!(
            "of {} messages of a batch only {found} are still in the log; the others are stored if the batch was, \
             and lost otherwise",
            range.messages
        );
        tracing::warn!(topic = self.place.topic, partition = self.place.partition, "{reason}");
        self.refusal(range.received_at, range.first, range.next, reason)
    }
}

/// The token of everything that is stored of a range.
pub(super) fn token(place: &Place, life: &Life, first: i64) -> String {
    let Place { group, topic, partition } = place;
    format!("kafka/{group}/{topic}/{partition}/{}/{}/{first}", life.topic_id, life.era)
}

fn said(kind: Kind, messages: &Messages, origin: &Origin, names: &mut Names, rules: &Rules) -> Said {
    match kind {
        Kind::Predictions => Said::Predictions(Box::new(decode::predictions(messages, origin, names, rules))),
        Kind::Outcomes => Said::Outcomes(decode::outcomes(messages, origin, names, rules)),
    }
}

/// The rows of events that stand at one of `wanted`.
fn rows_of(wanted: &[EventPlace], places: &[EventPlace]) -> Vec<usize> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let wanted: HashSet<&EventPlace> = wanted.iter().collect();
    (0..places.len()).filter(|row| wanted.contains(&places[*row])).collect()
}

/// The stretches of time that events cover, by model.
fn spans(events: &Predictions) -> Vec<Span> {
    let mut by_model: BTreeMap<i32, Vec<(Instant, Instant)>> = BTreeMap::new();
    for (row, model) in events.models.iter().enumerate() {
        by_model.entry(*model).or_default().push((events.timestamps[row], events.received_at[row]));
    }
    let model = |number: i32| events.labels.name(number as u32);
    by_model.into_iter().map(|(number, events)| Span::of(model(number), events.into_iter())).collect()
}
