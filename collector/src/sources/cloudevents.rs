//! CloudEvents as they come over HTTP: one in headers and body (binary mode), one as JSON (structured), or an array of
//! them (batch).
//!
//! Invariant: an event has an id, a source and a type, each within bounds; its data is what the sender wrote, unpacked.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod door;

use std::collections::BTreeMap;
use std::io::Read;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use bytes::Bytes;
use domain::time::Instant;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(super) use self::door::routes;
use super::object::{Object, unquoted};

/// The longest id, source, type or other attribute but `metadata`, in bytes.
const ATTRIBUTE_BYTES: usize = 1_024;
/// The longest `metadata` or `annotations`: a JSON object in an attribute.
const METADATA_BYTES: usize = 65_536;
/// Attributes of one event beyond those of the specification.
const MOST_EXTENSIONS: usize = 64;
/// How gzip begins. Sidecars pack bodies without saying so; JSON never begins like this.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// An event, whatever mode it came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    pub id: String,
    pub source: String,
    /// `type`, which is a word of Rust.
    pub kind: String,
    pub time: Option<Instant>,
    pub content_type: String,
    /// Everything else, by its name in lower case.
    pub extensions: BTreeMap<String, String>,
    #[serde(skip)]
    pub data: Bytes,
}

/// What is wrong with an event, by its attribute. It quotes no value: that an event is refused comes before anybody knows
/// whether its model keeps values to itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct BadEvent {
    pub field: String,
    pub problem: String,
}

impl BadEvent {
    pub fn of(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// How events stand in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Binary,
    Structured,
    Batch,
}

impl Mode {
    pub fn of(headers: &HeaderMap) -> Self {
        let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let media = media.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match media.as_str() {
            "application/cloudevents+json" => Self::Structured,
            "application/cloudevents-batch+json" => Self::Batch,
            _ => Self::Binary,
        }
    }
}

/// The events of a request, each understood or refused by itself, in order.
///
/// # Errors
/// Where the body as a whole holds no events.
pub fn read(
    mode: Mode,
    headers: &HeaderMap,
    body: Bytes,
    most: usize,
) -> Result<Vec<Result<CloudEvent, BadEvent>>, BadEvent> {
    match mode {
        Mode::Binary => Ok(vec![binary(headers, body).and_then(|event| event.unpacked(most))]),
        Mode::Structured => Ok(vec![structured(&body).and_then(|event| event.bounded(most))]),
        Mode::Batch => {
            let texts: Vec<&RawValue> = serde_json::from_slice(&body).map_err(|error| {
                BadEvent::of("", format!("is no JSON array of events: {}", unquoted(&error)))
            })?;
            let event = |text: &&RawValue| structured(text.get().as_bytes())?.bounded(most);
            Ok(texts.iter().map(event).collect())
        }
    }
}

/// An event whose attributes are headers (`ce-id` …) and whose data is the body.
pub fn binary(headers: &HeaderMap, data: Bytes) -> Result<CloudEvent, BadEvent> {
    let mut draft = Draft::default();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else { continue };
        let value = percent_encoding::percent_decode(value.as_bytes()).decode_utf8();
        let value = value.map_err(|_| BadEvent::of(name, "is not written in UTF-8"))?;
        draft.attribute(name, value.into_owned())?;
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    draft.content_type = content_type.unwrap_or_default().to_owned();
    draft.data = data;
    draft.finish()
}

/// An event that is a JSON object.
pub fn structured(text: &[u8]) -> Result<CloudEvent, BadEvent> {
    let object: Object<'_> = serde_json::from_slice(text)
        .map_err(|error| BadEvent::of("", format!("is no JSON object of an event: {}", unquoted(&error))))?;
    let mut draft = Draft::default();
    let mut data = None;
    let mut packed = None;
    for (name, value) in object.fields() {
        match name {
            "data" => data = Some(value),
            "data_base64" => packed = Some(value),
            _ => {
                if let Some(value) = scalar(name, value)? {
                    draft.attribute(name, value)?;
                }
            }
        }
    }
    draft.data = match (data, packed) {
        (Some(_), Some(_)) => {
            return Err(BadEvent::of("data_base64", "stands beside data; send one of them"));
        }
        (Some(data), None) => data_of(data, &draft.content_type),
        (None, Some(packed)) => {
            let text: String = serde_json::from_str(packed.get())
                .map_err(|_| BadEvent::of("data_base64", "is no string"))?;
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            bytes.map_err(|_| BadEvent::of("data_base64", "is not written in base64"))?.into()
        }
        (None, None) => Bytes::new(),
    };
    draft.finish()
}

/// The text of an attribute; `None` where it is null.
fn scalar(name: &str, value: &RawValue) -> Result<Option<String>, BadEvent> {
    match serde_json::from_str(value.get()) {
        Ok(serde_json::Value::Null) => Ok(None),
        Ok(serde_json::Value::String(text)) => Ok(Some(text)),
        Ok(serde_json::Value::Bool(flag)) => Ok(Some(flag.to_string())),
        Ok(serde_json::Value::Number(number)) => Ok(Some(number.to_string())),
        _ => Err(BadEvent::of(shortened(name), "is no text, number or boolean, as attributes are")),
    }
}

/// JSON as it stands, or the text of a string where the data is something else than JSON.
fn data_of(data: &RawValue, content_type: &str) -> Bytes {
    let is_json = content_type.is_empty() || content_type.contains("json");
    let text = if is_json { None } else { serde_json::from_str::<String>(data.get()).ok() };
    text.map_or_else(|| Bytes::copy_from_slice(data.get().as_bytes()), Bytes::from)
}

/// An event while its attributes come.
#[derive(Default)]
struct Draft {
    id: Option<String>,
    source: Option<String>,
    kind: Option<String>,
    specversion: Option<String>,
    time: Option<Instant>,
    content_type: String,
    extensions: BTreeMap<String, String>,
    data: Bytes,
}

impl Draft {
    fn attribute(&mut self, name: &str, value: String) -> Result<(), BadEvent> {
        let most = if matches!(name, "metadata" | "annotations") { METADATA_BYTES } else { ATTRIBUTE_BYTES };
        if value.len() > most {
            return Err(BadEvent::of(shortened(name), format!("is longer than {most} bytes")));
        }
        match name {
            "id" => self.id = Some(value),
            "source" => self.source = Some(value),
            "type" => self.kind = Some(value),
            "specversion" => self.specversion = Some(value),
            "datacontenttype" => self.content_type = value,
            "time" => {
                let problem = "is not RFC 3339; send text such as 2026-11-20T18:00:00Z";
                self.time = Some(value.parse().map_err(|_| BadEvent::of("time", problem))?);
            }
            _ => self.extension(name, value)?,
        }
        Ok(())
    }

    fn extension(&mut self, name: &str, value: String) -> Result<(), BadEvent> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_name) {
            let problem = "is no name of an attribute: lower-case letters and digits, at most 64";
            return Err(BadEvent::of(shortened(name), problem));
        }
        if self.extensions.len() >= MOST_EXTENSIONS {
            return Err(BadEvent::of(name, format!("is one attribute beyond {MOST_EXTENSIONS}")));
        }
        self.extensions.insert(name.to_owned(), value);
        Ok(())
    }

    fn finish(self) -> Result<CloudEvent, BadEvent> {
        // MLServer still writes 0.3, whose attributes mean the same.
        match self.specversion.as_deref() {
            Some("1.0" | "0.3") => {}
            Some(_) => return Err(BadEvent::of("specversion", "is not known (known: 1.0, 0.3)")),
            None => {
                let problem = "is missing: this is no CloudEvent (ce-id, ce-source, ce-type, ce-specversion)";
                return Err(BadEvent::of("specversion", problem));
            }
        }
        let given = |field: &str, value: Option<String>| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| BadEvent::of(field, "is missing"))
        };
        Ok(CloudEvent {
            id: given("id", self.id)?,
            source: given("source", self.source)?,
            kind: given("type", self.kind)?,
            time: self.time,
            content_type: self.content_type,
            extensions: self.extensions,
            data: self.data,
        })
    }
}

impl CloudEvent {
    /// An attribute, where it is there and not empty.
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The same with its data unpacked where that begins as gzip does.
    fn unpacked(self, most: usize) -> Result<Self, BadEvent> {
        if !is_packed(&self.data) {
            return self.bounded(most);
        }
        let mut text = Vec::new();
        let packed = flate2::read::MultiGzDecoder::new(self.data.as_ref());
        let read = packed.take(most as u64 + 1).read_to_end(&mut text);
        read.map_err(|error| BadEvent::of("data", format!("cannot be unpacked: {error}")))?;
        Self { data: text.into(), ..self }.bounded(most)
    }

    fn bounded(self, most: usize) -> Result<Self, BadEvent> {
        if self.data.len() > most {
            return Err(BadEvent::of("data", format!("is larger than {most} bytes, unpacked")));
        }
        Ok(self)
    }
}

/// Whether a body is packed although nothing says so.
fn is_packed(data: &[u8]) -> bool {
    data.starts_with(&GZIP)
}

/// The name of an attribute as it is told. What it holds is not: nobody knows yet whose it is.
fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            let name: header::HeaderName = name.parse().expect("a name");
            (name, value.parse().expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    const KSERVE: [(&str, &str); 4] = [
        ("ce-id", "7"),
        ("ce-source", "http://localhost:9081/"),
        ("ce-type", "t"),
        ("ce-specversion", "1.0"),
    ];

    #[test]
    fn headers_and_body_are_an_event() {
        let mut all = KSERVE.to_vec();
        all.extend([
            ("ce-time", "2026-11-20T18:00:00.123456789Z"),
            ("ce-namespace", "S%C3%A3o%20Paulo"),
            ("content-type", "application/json"),
            ("host", "x"),
        ]);
        let event = binary(&headers(&all), Bytes::from_static(b"{}")).expect("an event");
        assert_eq!((event.id.as_str(), event.kind.as_str()), ("7", "t"));
        assert_eq!(
            event.time.map(Instant::millis),
            "2026-11-20T18:00:00.123Z".parse().ok().map(Instant::millis)
        );
        assert_eq!(event.extension("namespace"), Some("São Paulo"));
        assert_eq!((event.extensions.len(), event.data.as_ref()), (1, b"{}".as_slice()));
    }

    #[test]
    fn an_object_is_an_event_and_its_data_stays_as_it_was_written() {
        let text = br#"{"specversion":"1.0","id":"7","source":"s","type":"t","sampledrate":3,"subject":null,
            "datacontenttype":"application/json","data":{"a": 1e400, "a": 12345678901234567890}}"#;
        let event = structured(text).expect("an event");
        assert_eq!(event.data.as_ref(), br#"{"a": 1e400, "a": 12345678901234567890}"#);
        assert_eq!(event.extension("sampledrate"), Some("3"));
        let text = br#"{"specversion":"1.0","id":"7","source":"s","type":"t","data_base64":"e30="}"#;
        assert_eq!(structured(text).expect("an event").data.as_ref(), b"{}");
    }

    #[test]
    fn what_is_no_event_is_refused_by_its_attribute() {
        let without = |name: &str| {
            let pairs: Vec<_> = KSERVE.into_iter().filter(|(known, _)| *known != name).collect();
            binary(&headers(&pairs), Bytes::new()).expect_err("refused").field
        };
        assert_eq!(without("ce-id"), "id");
        assert_eq!(without("ce-specversion"), "specversion");
        let field = |text: &str| structured(text.as_bytes()).expect_err("refused").field;
        let whole = r#""specversion":"1.0","id":"7","source":"s","type":"t""#;
        assert_eq!(field(&format!(r#"{{{whole},"time":"soon"}}"#)), "time");
        let of_time = structured(format!(r#"{{{whole},"time":"soon"}}"#).as_bytes()).expect_err("refused");
        assert!(!of_time.to_string().contains("soon"), "{of_time}");
        let version = br#"{"specversion":"my own","id":"7","source":"s","type":"t"}"#;
        let of_version = structured(version).expect_err("refused").to_string();
        assert_eq!(of_version, "specversion is not known (known: 1.0, 0.3)");
        assert_eq!(field(&format!(r#"{{{whole},"data":1,"data_base64":"MQ=="}}"#)), "data_base64");
        assert_eq!(field(&format!(r#"{{{whole},"data_base64":"!"}}"#)), "data_base64");
        assert_eq!(field(&format!(r#"{{{whole},"Un Name":"x"}}"#)), "Un Name");
        assert_eq!(field(&format!(r#"{{{whole},"list":[]}}"#)), "list");
        assert_eq!(field(&format!(r#"{{{whole},"long":"{}"}}"#, "x".repeat(2_000))), "long");
        assert_eq!(field("[]"), "");
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let text = br#"{"specversion":"1.0","id":"7","id":"8","source":"s","type":"t"}"#;
        assert!(structured(text).expect_err("refused").problem.contains("\"id\" comes twice"));
    }

    #[test]
    fn one_bad_event_of_a_batch_is_refused_by_itself() {
        let good = r#"{"specversion":"1.0","id":"7","source":"s","type":"t"}"#;
        let batch = format!(r#"[{good}, {{"id": 1}}, {good}]"#);
        let events = read(Mode::Batch, &HeaderMap::new(), batch.into(), 100).expect("a batch");
        assert_eq!(events.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert!(read(Mode::Batch, &HeaderMap::new(), good.into(), 100).is_err());
    }

    #[test]
    fn gzip_is_known_by_its_first_bytes_and_unpacked_within_bounds() {
        let packed = |text: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(text).expect("packed");
            Bytes::from(encoder.finish().expect("packed"))
        };
        let one = |data: Bytes| read(Mode::Binary, &headers(&KSERVE), data, 1_000).expect("one").remove(0);
        assert_eq!(one(packed(b"{}")).expect("an event").data.as_ref(), b"{}");
        assert!(one(packed(&[b' '; 1_001])).expect_err("too large").problem.contains("larger than 1000"));
        assert!(one(Bytes::from_static(&[0x1f, 0x8b, 0])).expect_err("broken").problem.contains("unpacked"));
    }
}
