//! From the messages of a batch to events and refusals: pure, so that a batch that is stored again is the same.
//!
//! Invariant: a message that cannot be read is refused by itself, with its topic, partition and offset.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::collections::HashSet;

use domain::time::Instant;
use sql::kafka_ranges::EventPlace;

use super::messages::{Message, Messages};
use crate::decode::{self, Framing, Names, Refused, Rules, Unreadable};
use crate::event::{Kind, Name, Outcome, Prediction, Rejection};
use crate::guard::Guards;
use crate::predictions::Predictions;

/// What a batch of messages holds: its events and what had to be refused.
#[derive(Debug)]
pub struct Taken<E> {
    pub events: E,
    /// Of each event.
    pub places: Vec<EventPlace>,
    pub rejections: Vec<Rejection>,
}

impl Taken<()> {
    fn with<E>(self, events: E) -> Taken<E> {
        let Self { places, rejections, .. } = self;
        Taken { events, places, rejections }
    }
}

/// Where the messages come from, for people who look at what was refused.
#[derive(Clone, Debug)]
pub struct Origin {
    pub topic: String,
    pub partition: i32,
}

impl Origin {
    pub fn position(&self, offset: i64) -> String {
        format!("{}-{}-{offset}", self.topic, self.partition)
    }
}

pub fn predictions(
    messages: &Messages,
    origin: &Origin,
    names: &mut Names,
    rules: &Rules,
) -> Taken<Predictions> {
    let mut events = Predictions::default();
    let received_at = rules.received_at.to_string();
    let taken = each(messages, origin, Kind::Prediction, rules, |message| {
        let before = events.len();
        // Rows that are stored again have the ids that they had.
        let place = format!("{}@{received_at}", origin.position(message.offset));
        names.make_ids_of(Some(place));
        let add_tags = |event: &mut Prediction| add_tags(event, message.tags, &rules.guards);
        let refused =
            decode::completed_into(message.body, Framing::Json, names, rules, &mut events, add_tags)?;
        Ok(Read { accepted: events.len() - before, refused })
    });
    taken.with(events)
}

pub fn outcomes(
    messages: &Messages,
    origin: &Origin,
    names: &mut Names,
    rules: &Rules,
) -> Taken<Vec<Outcome>> {
    let mut events = Vec::with_capacity(messages.len());
    let taken = each(messages, origin, Kind::Outcome, rules, |message| {
        let decoded = decode::outcomes(message.body, Framing::Json, names, rules)?;
        let accepted = decoded.events.len();
        events.extend(decoded.events);
        Ok(Read { accepted, refused: decoded.refused })
    });
    taken.with(events)
}

/// What became of one message.
struct Read {
    accepted: usize,
    refused: Vec<Refused>,
}

/// Has every message read; gives where events stand, and what had to be refused.
fn each(
    messages: &Messages,
    origin: &Origin,
    kind: Kind,
    rules: &Rules,
    mut read: impl FnMut(Message<'_>) -> Result<Read, Unreadable>,
) -> Taken<()> {
    let (mut places, mut rejections) = (Vec::with_capacity(messages.len()), Vec::new());
    for message in messages.iter() {
        let whole = |reason: String| {
            let payload = rules.guards.kept_payload("", message.body);
            rejection(kind, rules.received_at, origin.position(message.offset), reason, payload)
        };
        if message.body.trim_ascii().is_empty() {
            rejections.push(whole(EMPTY.to_owned()));
            continue;
        }
        match read(message) {
            Ok(Read { accepted, refused }) => {
                let alone = accepted + refused.len() == 1;
                places.extend(places_of(accepted, &refused, message.offset));
                rejections.extend(refused.iter().map(|refused| Rejection {
                    position: position_of(refused, origin, message.offset, alone),
                    ..refused.rejection(kind, rules)
                }));
            }
            Err(unreadable) => rejections.push(whole(unreadable.to_string())),
        }
    }
    Taken { events: (), places, rejections }
}

/// The places of the accepted events of a message, between those of the refused ones.
fn places_of(accepted: usize, refused: &[Refused], offset: i64) -> impl Iterator<Item = EventPlace> + use<> {
    let refused: HashSet<usize> = refused.iter().map(|refused| refused.index).collect();
    let places = (0_u32..).filter(move |index| !refused.contains(&(*index as usize)));
    places.take(accepted).map(move |index| EventPlace { offset, index })
}

/// What is said of a tombstone, or of a message of nothing but spaces.
const EMPTY: &str = "the message has no body; send a JSON object, an array of objects, or one object a line";

fn position_of(refused: &Refused, origin: &Origin, offset: i64, alone: bool) -> String {
    let position = origin.position(offset);
    if alone { position } else { format!("{position}[{}]", refused.index) }
}

/// A refusal of a whole message, or of what is missing.
pub fn rejection(
    kind: Kind,
    received_at: Instant,
    position: String,
    reason: String,
    payload: String,
) -> Rejection {
    Rejection {
        received_at,
        model: String::new(),
        kind,
        source: super::SOURCE.to_owned(),
        position,
        field: String::new(),
        reason,
        payload,
        kept_out: None,
    }
}

/// What the event says of itself wins.
fn add_tags(event: &mut Prediction, tags: &[(Name, String)], guards: &Guards) {
    for (name, value) in tags {
        if !event.tags.iter().any(|(known, _)| known == name) {
            let left = guards.tag(&event.model, name, value);
            event.tags.extend(left.map(|value| (name.clone(), value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use domain::contract::Contract;

    use super::*;
    use crate::guard::Settings;

    fn rules() -> Rules {
        let now = Instant::from_seconds(1_000);
        Rules {
            received_at: now,
            source: Name::from("kafka"),
            oldest: Instant::EPOCH,
            newest: Instant::from_seconds(2_000),
            models: Vec::new(),
            guards: Default::default(),
        }
    }

    fn taken(bodies: &[&str]) -> Taken<Predictions> {
        taken_by(&rules(), bodies)
    }

    fn taken_by(rules: &Rules, bodies: &[&str]) -> Taken<Predictions> {
        let mut messages = Messages::default();
        for (offset, body) in bodies.iter().enumerate() {
            let tags = vec![(Name::from("region"), "eu".to_owned())];
            messages.push(100 + offset as i64, body.as_bytes(), tags);
        }
        let origin = Origin { topic: "p".to_owned(), partition: 3 };
        predictions(&messages, &origin, &mut Names::default(), rules)
    }

    const GOOD: &str = r#"{"id":"1","model":"m","features":{"x":1}}"#;

    #[test]
    fn a_message_is_an_event_an_array_or_lines() {
        let (array, lines) = (format!("[{GOOD},{GOOD}]"), format!("{GOOD}\n{GOOD}\n{GOOD}"));
        let taken = taken(&[GOOD, &array, &lines, "[]"]);
        assert_eq!((taken.events.len(), taken.rejections.len()), (6, 0));
    }

    #[test]
    fn a_poisoned_message_is_refused_by_its_offset_and_the_rest_goes_on() {
        let array = format!("[{GOOD},{{\"model\":7}},{GOOD}]");
        let taken = taken(&["not JSON", GOOD, "", "{\"model\":\"m\"}", &array, "[{", "\u{0}\u{1}"]);
        assert_eq!(taken.events.len(), 3);
        let places: Vec<(i64, u32)> = taken.places.iter().map(|place| (place.offset, place.index)).collect();
        assert_eq!(places, [(101, 0), (104, 0), (104, 2)]);
        let found: Vec<&str> = taken.rejections.iter().map(|rejection| rejection.position.as_str()).collect();
        assert_eq!(found, ["p-3-100", "p-3-102", "p-3-103", "p-3-104[1]", "p-3-105", "p-3-106"]);
        assert!(taken.rejections[1].reason.contains("no body"), "{:?}", taken.rejections[1]);
        assert!(taken.rejections.iter().all(|rejection| rejection.source == "kafka"));
    }

    #[test]
    fn a_message_that_is_unreadable_in_its_midst_leaves_nothing_of_its_beginning() {
        let (cut, more) = (format!("[{GOOD},{GOOD},"), format!("[{GOOD}] {GOOD}"));
        let other = GOOD.replace("\"1\"", "\"2\"");
        let taken = taken(&[GOOD, &cut, &other, &more, &other]);
        let ids: Vec<String> = taken.events.rows().map(|event| event.id).collect();
        assert_eq!(ids, ["1", "2", "2"]);
        let found: Vec<&str> = taken.rejections.iter().map(|rejection| rejection.position.as_str()).collect();
        assert_eq!(found, ["p-3-101", "p-3-103"]);
    }

    #[test]
    fn events_that_state_no_id_get_the_same_one_again() {
        let body = r#"[{"model":"m","features":{"x":1}},{"model":"m","features":{"x":1}}]"#;
        let ids = || -> Vec<String> { taken(&[body, body]).events.rows().map(|event| event.id).collect() };
        assert_eq!(ids(), ids());
        let different: std::collections::BTreeSet<String> = ids().into_iter().collect();
        assert_eq!(different.len(), 4);
    }

    #[test]
    fn events_whose_id_is_left_out_get_the_same_one_again() {
        let contract: Contract = toml::from_str("[privacy.fields]\nid = \"drop\"").expect("a contract");
        let contracts = BTreeMap::from([("m".to_owned(), contract)]);
        let guards = Arc::new(Guards::of(&contracts, &Settings::default()));
        let rules = Rules { guards, ..rules() };
        let ids = || -> Vec<String> {
            taken_by(&rules, &[GOOD, GOOD]).events.rows().map(|event| event.id).collect()
        };
        let [one, other] = ids().try_into().expect("two");
        assert!(one != "1" && !one.is_empty() && one != other);
        assert_eq!(ids(), [one, other]);
    }

    #[test]
    fn what_is_said_of_a_refused_message_of_a_redacted_model_holds_nothing_of_it() {
        let contract: Contract = toml::from_str("[privacy.fields]\nname = \"drop\"").expect("a contract");
        let contracts = BTreeMap::from([("m".to_owned(), contract)]);
        let rules = Rules { guards: Arc::new(Guards::of(&contracts, &Settings::default())), ..rules() };
        let bodies = [
            r#"{"model":"m","features":{"x":1},"timestamp":"secret"}"#,
            r#"{"model":"m","features":{"x":1},"feature_timestamps":{"x":"secret"}}"#,
            r#"{"model":"m","features":"secret"}"#,
            r#"{"model":["secret"],"features":{"x":1}}"#,
            r#"[{"model":"m","features":{"name":"secret"#,
            "secret",
        ];
        let refused = taken_by(&rules, &bodies).rejections;
        assert_eq!(refused.len(), bodies.len());
        for rejection in refused {
            assert!(!format!("{rejection:?}").contains("secret"), "{rejection:?}");
        }
    }

    #[test]
    fn headers_become_tags_unless_the_event_has_one_of_that_name() {
        let own = r#"{"model":"m","features":{"x":1},"tags":{"region":"us"}}"#;
        let tags: Vec<String> =
            taken(&[GOOD, own]).events.rows().map(|event| event.tags[0].1.clone()).collect();
        assert_eq!(tags, ["eu", "us"]);
    }
}
