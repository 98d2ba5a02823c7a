//! Answers in ClickHouse's HTTP dress: its headers, its error bodies, and its mark of an error in the middle of a result.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_util::stream;
use rand::RngExt as _;
use tokio::sync::mpsc;

use crate::exception::Exception;
use crate::execute::Answer;
use crate::ffi::Statistics;

const CODE: HeaderName = HeaderName::from_static("x-clickhouse-exception-code");
const TAG: HeaderName = HeaderName::from_static("x-clickhouse-exception-tag");
const SUMMARY: HeaderName = HeaderName::from_static("x-clickhouse-summary");
const QUERY_ID: HeaderName = HeaderName::from_static("x-clickhouse-query-id");
const FORMAT: HeaderName = HeaderName::from_static("x-clickhouse-format");
const SERVER: HeaderName = HeaderName::from_static("x-clickhouse-server-display-name");

/// The name this server gives itself.
const DISPLAY_NAME: HeaderValue = HeaderValue::from_static("leeway-engine");

/// Letters in the tag of a response; as many as ClickHouse uses.
const TAG_LETTERS: usize = 16;

/// Between an error in mid-stream and the connection's end: the error must be on its way first.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What must live as long as the response is sent; dropping it early means that the client went away.
pub trait Companion: Send + Unpin + 'static {
    /// The response went out to its end.
    fn completed(&mut self);
}

/// The answer of a statement that at least began well.
pub fn answer<C: Companion>(answer: Answer, query_id: &str, mut companion: C) -> Response<Body> {
    let mut response = match answer.rest {
        None => {
            companion.completed();
            Response::new(Body::from(answer.first))
        }
        Some(rest) => streamed(answer.first, rest, companion),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&answer.format)));
    headers.insert(SUMMARY, text(&summary(&answer.statistics)));
    headers.insert(FORMAT, text(&answer.format));
    name(&mut response, query_id);
    response
}

/// The answer of a statement that failed before anything of a result was sent.
pub fn refusal(exception: &Exception, query_id: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{}\n", exception.message())));
    *response.status_mut() =
        StatusCode::from_u16(exception.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    headers.insert(CODE, HeaderValue::from(exception.code()));
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"ClickHouse\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    name(&mut response, query_id);
    response
}

fn name(response: &mut Response<Body>, query_id: &str) {
    response.headers_mut().insert(QUERY_ID, text(query_id));
    response.headers_mut().insert(SERVER, DISPLAY_NAME);
}

/// A header value of any text: what no header can hold is left out.
fn text(value: &str) -> HeaderValue {
    let clean: String = value.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').collect();
    HeaderValue::from_str(&clean).unwrap_or(HeaderValue::from_static(""))
}

/// The counts as ClickHouse writes them: JSON with every number as a text.
fn summary(statistics: &Statistics) -> String {
    // A statement takes less than 584 years, so its nanoseconds fit.
    let elapsed_ns = Duration::try_from_secs_f64(statistics.elapsed_s).unwrap_or_default().as_nanos();
    format!(
        r#"{{"read_rows":"{}","read_bytes":"{}","written_rows":"{}","written_bytes":"{}","result_rows":"{}","elapsed_ns":"{elapsed_ns}"}}"#,
        statistics.read_rows,
        statistics.read_bytes,
        statistics.written_rows,
        statistics.written_bytes,
        statistics.result_rows,
    )
}

fn content_type(format: &str) -> &'static str {
    let format = format.to_ascii_lowercase();
    match format.as_str() {
        _ if format.starts_with("tabseparated") || format.starts_with("tsv") => {
            "text/tab-separated-values; charset=UTF-8"
        }
        _ if format.starts_with("csv") => "text/csv; charset=UTF-8; header=absent",
        "jsoneachrow" | "jsonlines" | "ndjson" => "application/x-ndjson; charset=UTF-8",
        _ if format.starts_with("json") => "application/json; charset=UTF-8",
        _ if format.starts_with("rowbinary") => "application/octet-stream",
        "native" | "arrow" | "arrowstream" | "parquet" => "application/octet-stream",
        _ => "text/plain; charset=UTF-8",
    }
}

fn streamed<C: Companion>(
    first: Bytes,
    rest: mpsc::Receiver<Result<Bytes, Exception>>,
    companion: C,
) -> Response<Body> {
    let tag: String = {
        let mut random = rand::rng();
        (0..TAG_LETTERS).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
    };
    let parts = Parts { first: Some(first), rest, tag: tag.clone(), failed: false, companion };
    let body = Body::from_stream(stream::unfold(parts, |mut parts| async move {
        let part = parts.next().await?;
        Some((part, parts))
    }));
    let mut response = Response::new(body);
    response.headers_mut().insert(TAG, text(&tag));
    response
}

struct Parts<C> {
    first: Option<Bytes>,
    rest: mpsc::Receiver<Result<Bytes, Exception>>,
    tag: String,
    failed: bool,
    companion: C,
}

impl<C: Companion> Parts<C> {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.failed {
            // The client has its error; the broken transfer tells also those who do not look for it.
            tokio::time::sleep(LAST_WORDS).await;
            return Some(Err(io::Error::other("the statement failed in the middle of its result")));
        }
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        match self.rest.recv().await {
            Some(Ok(part)) => Some(Ok(part)),
            Some(Err(exception)) => {
                self.failed = true;
                self.companion.completed();
                Some(Ok(exception_block(exception.message(), &self.tag)))
            }
            None => {
                self.companion.completed();
                None
            }
        }
    }
}

/// An error in the middle of a result, in the form that clients of ClickHouse look for at the end of a chunk.
fn exception_block(message: &str, tag: &str) -> Bytes {
    let length = message.len() + 1;
    format!("\r\n__exception__\r\n{tag}\r\n{message}\n{length} {tag}\r\n__exception__\r\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_mid_stream_has_its_length_and_tag_at_the_end() {
        let block = exception_block("Code: 1. x", "abc");
        assert_eq!(block, "\r\n__exception__\r\nabc\r\nCode: 1. x\n11 abc\r\n__exception__\r\n");
    }

    #[test]
    fn the_summary_is_json_whose_numbers_are_texts() {
        let statistics =
            Statistics { read_rows: 3, written_rows: 4, elapsed_s: 0.5, ..Statistics::default() };
        let json: serde_json::Value = serde_json::from_str(&summary(&statistics)).expect("JSON");
        assert_eq!(json["read_rows"], "3");
        assert_eq!(json["written_rows"], "4");
        assert_eq!(json["elapsed_ns"], "500000000");
    }
}
