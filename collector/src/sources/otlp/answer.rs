//! Answers as OTLP wants them: in the encoding of the request, with what was not taken.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message as _;
use serde_json::json;

use super::Encoding;
use crate::sources::http::answer::{Refusal, with_headers};

/// What became of a request's log records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub rejected: usize,
    /// What is wrong with the first of them.
    pub first: String,
}

impl Encoding {
    fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

pub fn response(encoding: Encoding, outcome: Result<Taken, Refusal>) -> Response {
    match outcome {
        Ok(taken) => {
            let Taken { rejected, first } = taken;
            let partial_success = (rejected > 0).then(|| ExportLogsPartialSuccess {
                rejected_log_records: i64::try_from(rejected).unwrap_or(i64::MAX),
                error_message: first,
            });
            let body = ExportLogsServiceResponse { partial_success };
            written(
                encoding,
                StatusCode::OK,
                match encoding {
                    Encoding::Protobuf => body.encode_to_vec(),
                    // The specification leaves out what is not there, and writes 64-bit numbers as strings.
                    Encoding::Json => match body.partial_success {
                        Some(partial) => json!({"partialSuccess": {
                            "rejectedLogRecords": partial.rejected_log_records.to_string(),
                            "errorMessage": partial.error_message,
                        }})
                        .to_string()
                        .into_bytes(),
                        None => b"{}".to_vec(),
                    },
                },
            )
        }
        Err(refusal) => {
            let body = match encoding {
                Encoding::Protobuf => status(&refusal.error),
                Encoding::Json => json!({"message": refusal.error}).to_string().into_bytes(),
            };
            let response = written(encoding, refusal.status, body);
            with_headers(response, refusal.status, refusal.retry_after_s)
        }
    }
}

fn written(encoding: Encoding, status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, encoding.content_type())], body).into_response()
}

/// A `google.rpc.Status` with a message, which is its second field.
fn status(message: &str) -> Vec<u8> {
    let mut body = Vec::new();
    prost::encoding::string::encode(2, &message.to_owned(), &mut body);
    body
}
