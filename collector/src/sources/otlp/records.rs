//! The log records of a request, one after the other: what a few bytes can unfold to is never held at once.
//!
//! Invariant: every log record of a readable request is given out once, understood or not.

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use serde_json::value::RawValue;

use super::Encoding;
use crate::sources::object::{Object, unquoted};

/// The largest record or resource, in bytes. Decoded it takes a multiple of that.
const RECORD_BYTES: usize = 1 << 20;

/// A body that is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is no ExportLogsServiceRequest in protobuf: {0}")]
    Protobuf(String),
    #[error("the body is no ExportLogsServiceRequest in JSON: {0}")]
    Json(String),
}

/// A record, or why it cannot be read.
pub type Record = Result<LogRecord, String>;

/// Gives every log record out with the resource that it is from.
///
/// # Errors
/// Where the body is no request, or ends before its end.
pub fn read(
    body: &[u8],
    encoding: Encoding,
    mut each: impl FnMut(&Resource, Record),
) -> Result<(), Unreadable> {
    match encoding {
        Encoding::Protobuf => protobuf(body, &mut each).map_err(Unreadable::Protobuf),
        Encoding::Json => json(body, &mut each).map_err(|error| Unreadable::Json(unquoted(&error))),
    }
}

const RESOURCE_LOGS: u32 = 1;
const RESOURCE: u32 = 1;
const SCOPE_LOGS: u32 = 2;
const LOG_RECORDS: u32 = 2;

fn protobuf(body: &[u8], each: &mut impl FnMut(&Resource, Record)) -> Result<(), String> {
    fields(body, |tag, resource_logs| {
        if tag != RESOURCE_LOGS {
            return Ok(());
        }
        // The resource may stand behind the records that are from it.
        let mut resource = Resource::default();
        fields(resource_logs, |tag, message| match tag {
            RESOURCE => {
                resource = bounded(message)?;
                Ok(())
            }
            _ => Ok(()),
        })?;
        fields(resource_logs, |tag, scope_logs| {
            if tag != SCOPE_LOGS {
                return Ok(());
            }
            fields(scope_logs, |tag, record| {
                if tag == LOG_RECORDS {
                    each(&resource, bounded(record));
                }
                Ok(())
            })
        })
    })
}

fn bounded<M: prost::Message + Default>(message: &[u8]) -> Result<M, String> {
    if message.len() > RECORD_BYTES {
        return Err(format!("has more than {RECORD_BYTES} bytes"));
    }
    M::decode(message).map_err(|error| format!("cannot be read: {error}"))
}

/// Gives out the messages among a message's fields.
fn fields(mut message: &[u8], mut each: impl FnMut(u32, &[u8]) -> Result<(), String>) -> Result<(), String> {
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message).map_err(|error| error.to_string())?;
        if wire_type != WireType::LengthDelimited {
            skip_field(wire_type, tag, &mut message, DecodeContext::default())
                .map_err(|error| error.to_string())?;
            continue;
        }
        let length = decode_varint(&mut message).map_err(|error| error.to_string())?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some((inner, rest)) = message.split_at_checked(length) else {
            return Err("it ends within a field".to_owned());
        };
        each(tag, inner)?;
        message = rest;
    }
    Ok(())
}

fn json(body: &[u8], each: &mut impl FnMut(&Resource, Record)) -> Result<(), serde_json::Error> {
    let request: Object<'_> = serde_json::from_slice(body)?;
    for resource_logs in list(&request, "resourceLogs")? {
        let resource_logs: Object<'_> = serde_json::from_str(resource_logs.get())?;
        let resource: Resource = match resource_logs.get("resource") {
            Some(resource) => serde_json::from_str(resource.get())?,
            None => Resource::default(),
        };
        for scope_logs in list(&resource_logs, "scopeLogs")? {
            let scope_logs: Object<'_> = serde_json::from_str(scope_logs.get())?;
            for record in list(&scope_logs, "logRecords")? {
                each(&resource, json_record(record));
            }
        }
    }
    Ok(())
}

fn json_record(record: &RawValue) -> Record {
    if record.get().len() > RECORD_BYTES {
        return Err(format!("has more than {RECORD_BYTES} bytes"));
    }
    serde_json::from_str(record.get()).map_err(|error| format!("cannot be read: {}", unquoted(&error)))
}

fn list<'a>(object: &Object<'a>, name: &str) -> Result<Vec<&'a RawValue>, serde_json::Error> {
    match object.get(name) {
        Some(list) => Ok(serde_json::from_str::<Option<Vec<&RawValue>>>(list.get())?.unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}
