//! The fields of an event: which there are, and which of them hold what.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::draft::{Draft, instant, no_instant};
use super::nonfinite;
use super::scalar::{Scalar, Skipped};
use super::section::Section;
use super::values::Value;
use crate::event::Kind;

const PREDICTION: [&str; 13] = [
    "id",
    "model",
    "version",
    "environment",
    "timestamp",
    "features",
    "prediction",
    "latency_ms",
    "error",
    "tags",
    "feature_timestamps",
    "attributions",
    "trace_id",
];

const OUTCOME: [&str; 4] = ["id", "model", "timestamp", "outcome"];

/// Reads one event into `draft`, quickly; false where the text is no JSON, and then the draft is of no use.
pub fn read_quickly(text: &str, draft: &mut Draft<'_>) -> bool {
    let mut deserializer = sonic_rs::Deserializer::from_str(text);
    deserializer.deserialize_any(Event { draft }).and_then(|()| deserializer.end()).is_ok()
}

/// Reads one event into `draft`, and says where it is no JSON.
///
/// # Errors
/// Where the text is no JSON; whatever else is wrong is noted in the draft.
pub fn read(text: &str, draft: &mut Draft<'_>) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_any(Event { draft })?;
    deserializer.end()
}

struct Event<'d, 'n> {
    draft: &'d mut Draft<'n>,
}

impl Event<'_, '_> {
    fn no_object(self, kind: &str) {
        self.draft.problem("", format!("is {kind}; an event is an object"));
    }
}

impl<'de> Visitor<'de> for Event<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.no_object("null");
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.no_object("a boolean");
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.no_object("a number");
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.no_object("a number");
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.no_object("a number");
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.no_object("a string");
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<Skipped>()?.is_some() {}
        self.no_object("an array");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let draft = self.draft;
        while let Some(Scalar::Text(field)) = fields.next_key::<Scalar<'de>>()? {
            let known: &[&str] = if draft.kind == Kind::Prediction { &PREDICTION } else { &OUTCOME };
            if draft.has_problem() && field != "model" {
                fields.next_value::<Skipped>()?;
            } else if !known.contains(&field.as_ref()) {
                let field: String = field.chars().take(64).collect();
                draft.problem(&field, format!("is no field of an event (known: {})", known.join(", ")));
                fields.next_value::<Skipped>()?;
            } else if let Some(section) = section(&field) {
                draft.sections.push(section);
                draft.path().clear();
                draft.path().push_str(section.prefix());
                fields.next_value_seed(Value { draft: &mut *draft, section, is_top: true, depth: 0 })?;
            } else {
                let value = fields.next_value::<Scalar<'de>>()?;
                scalar_field(draft, &field, value);
            }
        }
        Ok(())
    }
}

fn section(field: &str) -> Option<Section> {
    [
        Section::Features,
        Section::Prediction,
        Section::Attributions,
        Section::FeatureTimestamps,
        Section::Tags,
        Section::Outcome,
    ]
    .into_iter()
    .find(|section| section.field() == field)
}

fn scalar_field(draft: &mut Draft<'_>, field: &str, value: Scalar<'_>) {
    match (field, value) {
        (_, Scalar::Null) => {}
        ("id", Scalar::Text(text)) => draft.id = Some(draft.label(field, &text)).filter(|id| !id.is_empty()),
        // Beyond 2^53 a number has lost digits already; such ids must be strings.
        ("id", Scalar::Number(n)) if n == n.trunc() && n.abs() < 9e15 => draft.id = Some(format!("{n}")),
        ("model", Scalar::Text(text)) => draft.model = draft.name(field, &text).filter(|n| !n.is_empty()),
        ("version", Scalar::Text(text)) => draft.version = draft.name(field, &text),
        ("version", Scalar::Number(n)) => draft.version = draft.name(field, &n.to_string()),
        ("environment", Scalar::Text(text)) => {
            draft.environment = draft.name(field, &text).filter(|name| !name.is_empty());
        }
        ("timestamp", Scalar::Text(text)) => match instant(&text) {
            Some(at) => draft.timestamp = Some(at),
            None => draft.problem(field, no_instant(&text)),
        },
        ("timestamp", other) => {
            let error = format!("is {}; send RFC 3339 text such as 2026-11-20T18:00:00Z", other.kind());
            draft.problem(field, error);
        }
        ("latency_ms", Scalar::Number(value)) => draft.latency(value),
        ("latency_ms", Scalar::Text(text)) if nonfinite::number(&text).is_some() => {
            draft.latency(nonfinite::number(&text).unwrap_or(f64::NAN));
        }
        ("latency_ms", other) => draft.problem(field, format!("is {}; send a number", other.kind())),
        ("error", Scalar::Text(text)) => draft.error = draft.label(field, &text),
        ("trace_id", Scalar::Text(text)) => draft.trace_id = draft.label(field, &text),
        (field, other) => draft.problem(field, format!("is {}; send a string", other.kind())),
    }
}
