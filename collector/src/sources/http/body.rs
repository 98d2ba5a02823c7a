//! A request's body: its form, its size, and its unpacking, each within bounds.
//!
//! Invariant: no body takes memory for which it has no room, packed or unpacked.

use std::io::Read;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Refusal;
use crate::config::Limits;
use crate::decode::Framing;

/// The largest window of zstd that is unpacked, as a power of two: 8 MiB, as much as `zstd -19` uses.
const ZSTD_WINDOW: u32 = 23;

/// What is unpacked at once.
const PIECE_BYTES: usize = 64 * 1_024;

/// How a body is written and packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub framing: Framing,
    pub packing: Packing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Form {
    /// What the headers state.
    ///
    /// # Errors
    /// 415, with what would be right.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let header = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?").trim());
        let media = header(header::CONTENT_TYPE).map(|value| value.split(';').next().unwrap_or("").trim());
        let framing = match media.map(str::to_ascii_lowercase).as_deref() {
            // Browsers, curl and simple clients send these where nobody told them better.
            None
            | Some(
                "" | "application/json" | "text/json" | "text/plain" | "application/x-www-form-urlencoded",
            ) => Framing::Json,
            Some(
                "application/x-ndjson"
                | "application/ndjson"
                | "application/jsonl"
                | "application/x-jsonlines",
            ) => Framing::Lines,
            Some(other) => {
                let error = format!(
                    "content type \"{other}\" is not taken (known: application/json, application/x-ndjson)"
                );
                return Err(Refusal::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
            }
        };
        Ok(Self { framing, packing: Packing::of(headers)? })
    }
}

impl Packing {
    /// What the headers state.
    ///
    /// # Errors
    /// 415, with what would be right.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let stated = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim());
        match stated.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "identity") => Ok(Self::Plain),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip),
            Some("zstd") => Ok(Self::Zstd),
            Some(other) => {
                let error = format!("content encoding \"{other}\" is not taken (known: gzip, zstd)");
                Err(Refusal::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, error))
            }
        }
    }
}

/// A body as it came, with the room it takes.
pub struct Packed {
    bytes: Bytes,
    room: OwnedSemaphorePermit,
}

/// A body as it was meant.
pub struct Unpacked {
    pub text: Bytes,
    pub room: OwnedSemaphorePermit,
}

impl Unpacked {
    /// Takes more room, for what the text will unfold to.
    pub fn take_more(&mut self, room: &Arc<Semaphore>, bytes: usize) -> Result<(), Refusal> {
        self.room.merge(take_room(room, bytes)?);
        Ok(())
    }
}

pub fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1_024).max(1)).unwrap_or(u32::MAX)
}

fn take_room(room: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    room.clone().try_acquire_many_owned(kib(bytes)).map_err(|_| Refusal::full())
}

/// Waits for room, for as long as a body may. Only for a body that has taken none yet: two that wait for each other's would
/// both wait in vain.
async fn await_room(
    room: &Arc<Semaphore>,
    bytes: usize,
    limits: &Limits,
) -> Result<OwnedSemaphorePermit, Refusal> {
    let waiting = tokio::time::timeout(limits.room_within(), room.clone().acquire_many_owned(kib(bytes)));
    waiting.await.ok().and_then(Result::ok).ok_or_else(Refusal::full)
}

/// Takes what is lacking of room for `bytes`.
fn grow(taken: &mut OwnedSemaphorePermit, room: &Arc<Semaphore>, bytes: usize) -> Result<(), Refusal> {
    let needed = kib(bytes) as usize;
    if needed > taken.num_permits() {
        taken.merge(take_room(room, (needed - taken.num_permits()) * 1_024)?);
    }
    Ok(())
}

/// Makes the room fit `bytes`, which may be more or less than it was taken for.
pub fn adjust(taken: &mut OwnedSemaphorePermit, room: &Arc<Semaphore>, bytes: usize) -> Result<(), Refusal> {
    grow(taken, room, bytes)?;
    drop(taken.split(taken.num_permits().saturating_sub(kib(bytes) as usize)));
    Ok(())
}

fn too_large(limit: usize) -> Refusal {
    let error = format!("the body is larger than {limit} bytes; send fewer events at once");
    Refusal::of(StatusCode::PAYLOAD_TOO_LARGE, error)
}

/// Reads a body, growing its room as it comes.
pub async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
    room: &Arc<Semaphore>,
) -> Result<Packed, Refusal> {
    let stated =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|length| length > limits.body_bytes) {
        return Err(too_large(limits.body_bytes));
    }
    // As much again for the events: what is told to wait after it was decoded was decoded in vain.
    let wanted = stated.unwrap_or(1).saturating_mul(2).min(limits.waiting_bytes);
    let mut taken = match await_room(room, wanted, limits).await {
        Ok(taken) => taken,
        Err(full) => return Err(unread(headers, body, limits, full).await),
    };
    let reading = async {
        let mut bytes = Vec::with_capacity(stated.unwrap_or(0));
        let mut stream = body.into_data_stream();
        while let Some(part) = stream.next().await {
            let part = part.map_err(|_| Refusal::of(StatusCode::BAD_REQUEST, "the body broke off"))?;
            if bytes.len() + part.len() > limits.body_bytes {
                return Err(too_large(limits.body_bytes));
            }
            grow(&mut taken, room, bytes.len() + part.len())?;
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    };
    match tokio::time::timeout(limits.body_within(), reading).await {
        Ok(bytes) => Ok(Packed { bytes: bytes?.into(), room: taken }),
        Err(_) => {
            let error = format!("the body did not come within {} s", limits.body_within_s);
            Err(Refusal::of(StatusCode::REQUEST_TIMEOUT, error))
        }
    }
}

/// Lets the sender write what it began, forgets it, and gives the refusal: whoever still writes when it is answered, and the
/// connection closed, may never see the answer. Those who ask before they write are told at once.
pub async fn unread(headers: &HeaderMap, body: Body, limits: &Limits, refusal: Refusal) -> Refusal {
    if headers.contains_key(header::EXPECT) {
        return refusal;
    }
    let reading = async {
        let (mut stream, mut left) = (body.into_data_stream(), limits.body_bytes);
        while let Some(Ok(part)) = stream.next().await {
            left = left.saturating_sub(part.len());
            if left == 0 {
                return;
            }
        }
    };
    let _too_slow = tokio::time::timeout(limits.body_within(), reading).await;
    refusal
}

impl Packed {
    /// Unpacks the body. Computes for long where it is large.
    pub fn unpack(
        self,
        packing: Packing,
        limits: &Limits,
        room: &Arc<Semaphore>,
    ) -> Result<Unpacked, Refusal> {
        let Self { bytes, room: mut taken } = self;
        let text = match packing {
            Packing::Plain => return Ok(Unpacked { text: bytes, room: taken }),
            Packing::Gzip => {
                let decoder = flate2::read::MultiGzDecoder::new(bytes.as_ref());
                unpacked(decoder, bytes.len(), limits, room, &mut taken)?
            }
            Packing::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(bytes.as_ref()).map_err(|e| broken(&e))?;
                decoder.window_log_max(ZSTD_WINDOW).map_err(|e| broken(&e))?;
                unpacked(decoder, bytes.len(), limits, room, &mut taken)?
            }
        };
        // Packed it is not needed any more.
        adjust(&mut taken, room, text.len())?;
        Ok(Unpacked { text, room: taken })
    }
}

/// Unpacks piece by piece, taking room before memory: many small bodies may unfold at once.
fn unpacked(
    mut reader: impl Read,
    packed: usize,
    limits: &Limits,
    room: &Arc<Semaphore>,
    taken: &mut OwnedSemaphorePermit,
) -> Result<Bytes, Refusal> {
    let most = limits.unpacked_bytes;
    let mut text = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let n = reader.read(&mut piece).map_err(|error| broken(&error))?;
        if n == 0 {
            return Ok(text.into());
        }
        let needed = text.len() + n;
        if needed > most {
            let error = format!("the body unpacks to more than {most} bytes; send fewer events at once");
            return Err(Refusal::of(StatusCode::PAYLOAD_TOO_LARGE, error));
        }
        if needed > text.capacity() {
            let capacity = (2 * needed).min(most);
            grow(taken, room, packed + capacity)?;
            text.reserve_exact(capacity - text.len());
        }
        text.extend_from_slice(piece.get(..n).unwrap_or_default());
    }
}

fn broken(error: &std::io::Error) -> Refusal {
    Refusal::of(StatusCode::BAD_REQUEST, format!("the body cannot be unpacked: {error}"))
}
