//! From a log record's attributes to an event of our own, written as everybody writes them.

use domain::time::Instant;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value};

use super::records::Record;
use crate::payloads::rows;

/// The event in which telemetry of generative models tells how good an answer was.
const EVALUATION: &str = "gen_ai.evaluation.result";
/// Attributes of ours that are a field of the event each.
const FIELDS: [&str; 6] = ["id", "model", "version", "environment", "latency_ms", "error"];
/// Attributes of ours that begin so are values of a section: `leeway.feature.amount`.
const SECTIONS: [(&str, &str); 6] = [
    ("feature", "features"),
    ("prediction", "prediction"),
    ("attribution", "attributions"),
    ("feature_timestamp", "feature_timestamps"),
    ("tag", "tags"),
    ("outcome", "outcome"),
];

/// What became of a request's records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lines {
    pub predictions: String,
    pub outcomes: String,
    /// Records that are something else: no attribute of ours, no evaluation.
    pub others: Passed,
    /// Records that cannot be read, or contradict themselves.
    pub refused: Vec<(String, String)>,
    /// All records.
    pub records: usize,
}

/// Records that were passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed(pub usize);

/// Refused records that are told one by one; those beyond are counted as others.
const MOST_REFUSED: usize = 1_000;

/// The event of one record, or what is wrong with it: the field and the problem.
type Event = Result<Option<(bool, Map<String, Value>)>, (String, String)>;

impl Lines {
    pub fn add(&mut self, resource: &Resource, record: Record, received_at: Instant) {
        self.records += 1;
        let event = match record {
            Ok(record) if is_evaluation(&record) => evaluation(resource, &record, received_at),
            Ok(record) => event(resource, record, received_at),
            Err(problem) => Err((String::new(), problem)),
        };
        match event {
            Ok(Some((is_outcome, event))) => {
                let text = if is_outcome { &mut self.outcomes } else { &mut self.predictions };
                text.push_str(&Value::Object(event).to_string());
                text.push('\n');
            }
            Ok(None) => self.others.0 += 1,
            Err(refused) if self.refused.len() < MOST_REFUSED => self.refused.push(refused),
            Err(_) => self.others.0 += 1,
        }
    }
}

fn event(resource: &Resource, record: LogRecord, received_at: Instant) -> Event {
    let is_ours = |attribute: &KeyValue| attribute.key.starts_with("leeway.");
    if !record.attributes.iter().any(is_ours) {
        return Ok(None);
    }
    let mut draft = Draft::of(resource);
    let (timestamp, trace_id) = (timestamp(&record, received_at), trace_id(&record));
    let mut flag = (None, None);
    for KeyValue { key, value, .. } in record.attributes {
        match (key.as_str(), key.strip_prefix("leeway.")) {
            (_, Some(name)) => draft.attribute(&key, name, json(value, &key)?)?,
            ("feature_flag.key", None) => flag.0 = text(value),
            ("feature_flag.result.variant", None) => flag.1 = text(value),
            _ => {}
        }
    }
    if let (Some(flag), Some(variant)) = flag {
        draft.value("tags", &format!("feature_flag.{flag}"), Value::from(variant))?;
    }
    draft.finish(timestamp, trace_id)
}

/// An evaluation is an outcome of the response that it is about.
fn evaluation(resource: &Resource, record: &LogRecord, received_at: Instant) -> Event {
    let attribute = |name: &str| {
        let found = record.attributes.iter().find(|attribute| attribute.key == name)?;
        found.value.clone()
    };
    let word = |names: &[&str]| names.iter().find_map(|name| text(attribute(name)));
    let mut draft = Draft::of(resource);
    let name = word(&["gen_ai.evaluation.name"]).unwrap_or_else(|| "evaluation".to_owned());
    if let Some(model) = word(&["leeway.model", "gen_ai.response.model", "gen_ai.request.model"]) {
        draft.fields.insert("model".to_owned(), Value::from(model));
    }
    if let Some(id) = word(&["leeway.id", "gen_ai.response.id"]) {
        draft.fields.insert("id".to_owned(), Value::from(id));
    }
    if let Some(score) = attribute("gen_ai.evaluation.score.value") {
        draft.value("outcome", &name, json(Some(score), "gen_ai.evaluation.score.value")?)?;
    }
    if let Some(label) = word(&["gen_ai.evaluation.score.label"]) {
        draft.value("outcome", &format!("{name}.label"), Value::from(label))?;
    }
    draft.is_outcome = true;
    draft.finish(timestamp(record, received_at), None)
}

fn is_evaluation(record: &LogRecord) -> bool {
    let older = |attribute: &KeyValue| {
        attribute.key == "event.name" && text(attribute.value.clone()).as_deref() == Some(EVALUATION)
    };
    record.event_name == EVALUATION || record.attributes.iter().any(older)
}

/// An event while its attributes come.
#[derive(Default)]
struct Draft {
    fields: Map<String, Value>,
    /// What the resource says; the record's own attributes win.
    defaults: Map<String, Value>,
    is_outcome: bool,
    is_prediction: bool,
}

impl Draft {
    fn of(resource: &Resource) -> Self {
        let mut draft = Self::default();
        for KeyValue { key, value, .. } in &resource.attributes {
            let field = match key.as_str() {
                "leeway.model" => "model",
                "leeway.version" => "version",
                "leeway.environment" => "environment",
                "deployment.environment.name" | "deployment.environment"
                    if !draft.defaults.contains_key("environment") =>
                {
                    "environment"
                }
                _ => continue,
            };
            if let Some(text) = text(value.clone()) {
                draft.defaults.insert(field.to_owned(), Value::from(text));
            }
        }
        draft
    }

    fn attribute(&mut self, key: &str, name: &str, value: Value) -> Result<(), (String, String)> {
        if FIELDS.contains(&name) {
            return match self.fields.insert(name.to_owned(), value) {
                None => Ok(()),
                Some(_) => Err((shortened(key), "comes twice".to_owned())),
            };
        }
        let (section, rest) = name.split_once('.').unwrap_or((name, "value"));
        let Some((_, field)) = SECTIONS.iter().find(|(known, _)| *known == section) else {
            let known: Vec<String> = FIELDS
                .iter()
                .map(|field| format!("leeway.{field}"))
                .chain(SECTIONS.iter().map(|(section, _)| format!("leeway.{section}.<name>")))
                .collect();
            return Err((shortened(key), format!("is no attribute of ours (known: {})", known.join(", "))));
        };
        self.value(field, rest, value)
    }

    fn value(&mut self, section: &str, name: &str, value: Value) -> Result<(), (String, String)> {
        self.is_outcome |= section == "outcome";
        self.is_prediction |= matches!(section, "features" | "prediction");
        let values = self.fields.entry(section.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        match values.as_object_mut().map(|values| values.insert(name.to_owned(), value)) {
            Some(None) => Ok(()),
            _ => Err((format!("{section}.{}", shortened(name)), "comes twice".to_owned())),
        }
    }

    fn finish(mut self, timestamp: Option<Instant>, trace_id: Option<String>) -> Event {
        if self.is_outcome && self.is_prediction {
            let problem = "stands beside features or a prediction; send the outcome as a record of its own";
            return Err(("outcome".to_owned(), problem.to_owned()));
        }
        for (field, value) in self.defaults {
            let is_of_outcomes = field == "model";
            if is_of_outcomes || !self.is_outcome {
                self.fields.entry(field).or_insert(value);
            }
        }
        if let Some(timestamp) = timestamp {
            self.fields.insert("timestamp".to_owned(), Value::from(timestamp.to_string()));
        }
        if let (Some(trace_id), false) = (trace_id, self.is_outcome) {
            self.fields.insert("trace_id".to_owned(), Value::from(trace_id));
        }
        Ok(Some((self.is_outcome, self.fields)))
    }
}

/// When it happened, or was seen; nothing where the record says neither.
fn timestamp(record: &LogRecord, received_at: Instant) -> Option<Instant> {
    let nanos = [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|nanos| *nanos > 0);
    let millis = nanos.map(|nanos| i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX));
    Some(millis.map_or(received_at, Instant::from_millis))
}

fn trace_id(record: &LogRecord) -> Option<String> {
    let is_id = record.trace_id.len() == 16 && record.trace_id.iter().any(|byte| *byte != 0);
    is_id.then(|| record.trace_id.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn text(value: Option<AnyValue>) -> Option<String> {
    match value?.value? {
        Any::StringValue(text) => Some(text).filter(|text| !text.is_empty()),
        Any::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

fn json(value: Option<AnyValue>, key: &str) -> Result<Value, (String, String)> {
    let bad = |problem: &str| Err((shortened(key), problem.to_owned()));
    match value.and_then(|value| value.value) {
        None => Ok(Value::Null),
        Some(Any::StringValue(text)) => Ok(Value::String(text)),
        Some(Any::BoolValue(flag)) => Ok(Value::Bool(flag)),
        Some(Any::IntValue(number)) => Ok(Value::from(number)),
        Some(Any::DoubleValue(number)) => Ok(rows::number(number)),
        Some(Any::ArrayValue(array)) => {
            array.values.into_iter().map(|value| json(Some(value), key)).collect::<Result<_, _>>()
        }
        Some(Any::KvlistValue(list)) => {
            let mut fields = Map::new();
            for KeyValue { key: name, value, .. } in list.values {
                if fields.insert(name, json(value, key)?).is_some() {
                    return bad("names a value twice");
                }
            }
            Ok(Value::Object(fields))
        }
        Some(Any::BytesValue(_)) => bad("holds bytes; send a text, a number, a boolean or an array"),
        Some(Any::StringValueStrindex(_)) => bad("refers to a table of strings, which logs do not have"),
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(64).collect()
}
