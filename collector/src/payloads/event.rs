//! From a request and its response to events of our own, one an instance, written as everybody writes them: so they go
//! through the same decoder, and everything that holds for events holds for them.

use std::collections::BTreeMap;

use domain::contract::Contract;
use domain::time::Instant;
use serde_json::{Map, Value, json};

use super::Payload;
use super::pairs::Group;
use super::rows::{Rows, Side, Wrong};
use crate::config::{EnvironmentFrom, Payloads as Settings};
use crate::sources::cloudevents::CloudEvent;
use crate::sources::{kserve, seldon};

/// The component whose payloads are the model's own predictions.
const PREDICTOR: &str = "predictor";
/// The most that the events of one payload may take, written out.
const MOST_BYTES: usize = 64 << 20;
/// Values of a `metadata` header that are kept, in bytes.
const METADATA_BYTES: usize = 256;

/// The model that a payload is about, as far as its attributes say: `fraud`, `payments.fraud`, `fraud-transformer`.
pub fn model(event: &CloudEvent, settings: &Settings) -> Option<String> {
    let service = event.extension("inferenceservicename");
    let mut name = match (service, event.extension("modelid")) {
        (Some(service), Some(node)) if node != service => format!("{service}.{node}"),
        (Some(name), _) | (None, Some(name)) => name.to_owned(),
        (None, None) => return None,
    };
    if let Some(component) = event.extension("component").filter(|component| *component != PREDICTOR) {
        name = format!("{name}-{component}");
    }
    match event.extension("namespace").filter(|_| settings.namespace_in_model) {
        Some(namespace) => Some(format!("{namespace}.{name}")),
        None => Some(name),
    }
}

fn environment(event: &CloudEvent, settings: &Settings) -> Option<String> {
    let attribute = match settings.environment_from {
        EnvironmentFrom::Endpoint => "endpoint",
        EnvironmentFrom::Namespace => "namespace",
    };
    let found = event.extension(attribute)?;
    Some(settings.environments.get(found).cloned().unwrap_or_else(|| found.to_owned()))
}

/// The events of one group, in the form of `POST /v1/predictions` or `POST /v1/outcomes`, one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    pub are_outcomes: bool,
    pub text: String,
}

/// Makes events of a group.
///
/// # Errors
/// Where a body cannot be read, or both sides do not fit together; names the field.
pub fn lines(
    group: &Group<&Payload>,
    settings: &Settings,
    contract: impl Fn(&str) -> Contract,
) -> Result<Lines, Wrong> {
    match (group.feedback, group.request.or(group.response)) {
        (Some(feedback), _) => outcomes(feedback, settings, contract),
        (None, Some(first)) => predictions(group, first, settings, contract),
        (None, None) => Ok(Lines { are_outcomes: false, text: String::new() }),
    }
}

fn predictions(
    group: &Group<&Payload>,
    first: &Payload,
    settings: &Settings,
    contract: impl Fn(&str) -> Contract,
) -> Result<Lines, Wrong> {
    let named = model(&first.event, settings);
    let known = named.as_deref().map(&contract).unwrap_or_default();
    let rows = |payload: &Payload, side, known: &[String]| kserve::rows(&payload.event.data, side, known);
    let response = match group.response {
        Some(response) => Some(rows(response, Side::Outputs, &known.outputs)?),
        None => None,
    };
    let request = match group.request {
        Some(request) => Some(rows(request, Side::Inputs, &known.inputs)?),
        None => None,
    };
    let n = request.as_ref().or(response.as_ref()).map_or(0, |rows| rows.rows.len());
    if let (Some(_), Some(answers)) = (&request, &response)
        && answers.rows.len() != n
    {
        let problem = format!("the response has {} instances, the request {n}", answers.rows.len());
        return Err(Wrong::of("outputs", problem));
    }
    let common = common(group, first, named, response.as_ref(), settings);
    let mut out = Writer::default();
    for row in 0..n {
        let of = |rows: &Option<Rows>| rows.as_ref().and_then(|rows| rows.rows.get(row).cloned());
        let id = if n == 1 { first.id().to_owned() } else { format!("{}-{row}", first.id()) };
        out.line(&common, &id, [("features", of(&request)), ("prediction", of(&response))])?;
    }
    Ok(Lines { are_outcomes: false, text: out.text })
}

/// The fields that all instances of a group share.
fn common(
    group: &Group<&Payload>,
    first: &Payload,
    named: Option<String>,
    response: Option<&Rows>,
    settings: &Settings,
) -> Map<String, Value> {
    let event = &first.event;
    let mut fields = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    let model = named.or_else(|| response.and_then(|rows| rows.model.clone()));
    set("model", model.map(Value::from));
    set("version", response.and_then(|rows| rows.version.clone()).map(Value::from));
    set("environment", environment(event, settings).map(Value::from));
    let timestamp = event.time.unwrap_or(first.received_at);
    set("timestamp", Some(Value::from(timestamp.to_string())));
    set("latency_ms", latency_ms(group).map(Value::from));
    let trace = group.parts().find_map(|payload| trace_id(&payload.event));
    set("trace_id", trace.map(Value::from));
    let tags = tags(group, settings);
    set("tags", (!tags.is_empty()).then(|| json!(tags)));
    fields
}

/// The response's time minus the request's, where both say one and they are in order.
fn latency_ms(group: &Group<&Payload>) -> Option<f64> {
    let asked = group.request?.event.time?;
    let answered = group.response?.event.time?;
    (answered >= asked).then(|| answered.since(asked).as_secs_f64() * 1_000.0)
}

/// The trace id of a `traceparent`: `00-<32 hex digits>-<16>-<flags>`.
fn trace_id(event: &CloudEvent) -> Option<String> {
    let id = event.extension("traceparent")?.split('-').nth(1)?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_ascii_lowercase())
}

fn tags(group: &Group<&Payload>, settings: &Settings) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for payload in group.parts() {
        let event = &payload.event;
        for name in ["namespace", "component", "endpoint", "sampledrate"] {
            if let Some(value) = event.extension(name) {
                tags.insert(name.to_owned(), value.to_owned());
            }
        }
        for (name, value) in metadata(event, &settings.metadata_tags) {
            tags.insert(name, value);
        }
    }
    tags
}

/// The wanted headers of a request, which KServe's logger sends as `metadata`: a JSON object of lists.
fn metadata(event: &CloudEvent, wanted: &[String]) -> Vec<(String, String)> {
    let Some(text) = event.extension("metadata").filter(|_| !wanted.is_empty()) else { return Vec::new() };
    let Ok(headers) = serde_json::from_str::<BTreeMap<String, Value>>(text) else { return Vec::new() };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(all) => all.first().and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let tag = |wanted: &String| {
        let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        let value: String = text(value)?.chars().take(METADATA_BYTES).collect();
        Some((wanted.to_ascii_lowercase(), value))
    };
    wanted.iter().filter_map(tag).collect()
}

fn outcomes(
    feedback: &Payload,
    settings: &Settings,
    contract: impl Fn(&str) -> Contract,
) -> Result<Lines, Wrong> {
    let named = model(&feedback.event, settings);
    let known = named.as_deref().map(contract).unwrap_or_default();
    let told = seldon::feedback(&feedback.event.data, &known.outputs)?;
    // The attribute names the feedback itself where it is not a request's id.
    let id = feedback.event.extension("requestid").map(str::to_owned).or(told.id);
    let id = id.ok_or_else(|| Wrong::of("requestid", "is missing; whose outcome is this?"))?;
    let mut common = Map::new();
    if let Some(model) = named {
        common.insert("model".to_owned(), Value::from(model));
    }
    let timestamp = feedback.event.time.unwrap_or(feedback.received_at);
    common.insert("timestamp".to_owned(), Value::from(timestamp.to_string()));
    let mut out = Writer::default();
    let n = told.truth.rows.len();
    for (row, truth) in told.truth.rows.into_iter().enumerate() {
        let id = if n == 1 { id.clone() } else { format!("{id}-{row}") };
        out.line(&common, &id, [("outcome", Some(truth))])?;
    }
    Ok(Lines { are_outcomes: true, text: out.text })
}

/// Writes events, one a line.
#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    /// `sections` are JSON already.
    fn line<const N: usize>(
        &mut self,
        common: &Map<String, Value>,
        id: &str,
        sections: [(&str, Option<String>); N],
    ) -> Result<(), Wrong> {
        let mut fields = common.clone();
        fields.insert("id".to_owned(), Value::from(id));
        let mut text = Value::Object(fields).to_string();
        text.pop();
        for (name, section) in sections {
            if let Some(section) = section {
                text.extend([",\"", name, "\":", section.as_str()]);
            }
        }
        text.push_str("}\n");
        if self.text.len() + text.len() > MOST_BYTES {
            return Err(Wrong::of(
                "",
                format!("its instances take more than {MOST_BYTES} bytes written out"),
            ));
        }
        self.text.push_str(&text);
        Ok(())
    }
}

/// When a group was received: when its last part was.
pub fn received_at(group: &Group<&Payload>) -> Option<Instant> {
    group.parts().map(|payload| payload.received_at).max()
}

#[cfg(test)]
mod tests;
