//! Gathers the messages of one batch from a partition's queue: cut by rows, bytes or age, or at the end of a range that
//! was claimed before.
//!
//! Invariant: a batch holds every message of the log from its position to its end, in order. What it takes of memory it
//! has room for; a batch that finds none is cut, so that none waits for another's.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::member::Member;
use super::messages::Messages;
use crate::config::Batch;
use crate::event::Name;

/// Room is taken in pieces of this many KiB.
const PIECE_KIB: u32 = 256;

/// The longest header that is kept as a tag, in bytes: as long as a tag that an event carries itself.
const TAG_BYTES: usize = 8_192;

/// Memory for messages, shared by all partitions, in KiB.
#[derive(Clone, Debug)]
pub struct Room(Arc<Semaphore>);

impl Room {
    pub fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / 1_024).clamp(1, Semaphore::MAX_PERMITS))))
    }
}

/// A batch with the room that it takes.
#[derive(Debug)]
pub struct Gathered {
    pub messages: Messages,
    /// Whether a message beyond the range was seen, which the queue will not give again.
    pub went_past: bool,
    pub room: Option<OwnedSemaphorePermit>,
}

/// What ends a batch.
pub struct Until<'a> {
    pub limits: &'a Batch,
    /// The end of a range that was claimed before.
    pub next: Option<i64>,
    /// Headers that are kept.
    pub headers: &'a [Name],
}

/// Gathers a batch; `None` when stopped before it was cut.
///
/// # Errors
/// What the queue says is wrong with the partition.
pub async fn gather(
    queue: &StreamPartitionQueue<Member>,
    until: &Until<'_>,
    room: &Room,
    stopping: &CancellationToken,
) -> Result<Option<Gathered>, KafkaError> {
    let mut gathered = Gathered { messages: Messages::default(), went_past: false, room: None };
    // An open range is as long as it is; what it holds is claimed and cannot be cut again.
    let is_open = until.next.is_some();
    let far = Duration::from_secs(86_400);
    let age = tokio::time::sleep(far);
    tokio::pin!(age);
    loop {
        let messages = &gathered.messages;
        if !is_open && (messages.len() >= until.limits.rows || messages.bytes() >= until.limits.bytes) {
            break;
        }
        let received = tokio::select! {
            biased;
            () = stopping.cancelled() => return Ok(None),
            () = &mut age, if !is_open => break,
            received = queue.recv() => received,
        };
        match received {
            Ok(message) => {
                if until.next.is_some_and(|next| message.offset() >= next) {
                    gathered.went_past = true;
                    break;
                }
                if gathered.messages.is_empty() {
                    let age_ms = Duration::from_millis(until.limits.age_ms);
                    age.as_mut().reset(tokio::time::Instant::now() + age_ms);
                }
                let body = message.payload().unwrap_or_default();
                let has_room = make_room(&mut gathered, body.len(), room, is_open, stopping).await;
                gathered.messages.push(message.offset(), body, tags(&message, until.headers));
                if !has_room || until.next.is_some_and(|next| message.offset() + 1 >= next) {
                    break;
                }
            }
            // Everything there is was taken.
            Err(KafkaError::PartitionEOF(_)) if is_open => break,
            Err(KafkaError::PartitionEOF(_)) => {}
            Err(error) => return Err(error),
        }
        tokio::task::coop::consume_budget().await;
    }
    Ok(Some(gathered))
}

/// Takes more room where it is needed; false where there is none and the batch is to be cut.
async fn make_room(
    gathered: &mut Gathered,
    bytes: usize,
    room: &Room,
    is_open: bool,
    stopping: &CancellationToken,
) -> bool {
    let held = gathered.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) * 1_024;
    let needed = gathered.messages.bytes() + bytes;
    if needed <= held {
        return true;
    }
    let kib = u32::try_from((needed - held).div_ceil(1_024)).unwrap_or(u32::MAX).max(PIECE_KIB);
    let taken = match room.0.clone().try_acquire_many_owned(kib) {
        Ok(permit) => Some(permit),
        // The first message has to go somewhere: it waits until others are stored.
        Err(_) if gathered.messages.is_empty() && !is_open => {
            let waiting = room.0.clone().acquire_many_owned(kib.min(PIECE_KIB));
            stopping.run_until_cancelled(waiting).await.and_then(Result::ok)
        }
        Err(_) => None,
    };
    let has_room = taken.is_some();
    match (&mut gathered.room, taken) {
        (Some(held), Some(taken)) => held.merge(taken),
        (none @ None, taken) => *none = taken,
        (Some(_), None) => {}
    }
    // An open range is gathered whole: it was within the bounds when it was claimed.
    has_room || is_open
}

fn tags(message: &BorrowedMessage<'_>, wanted: &[Name]) -> Vec<(Name, String)> {
    let Some(headers) = message.headers().filter(|_| !wanted.is_empty()) else { return Vec::new() };
    let kept = headers.iter().filter_map(|header| {
        let name = wanted.iter().find(|name| name.as_str() == header.key)?;
        let value = header.value.filter(|value| value.len() <= TAG_BYTES)?;
        Some((name.clone(), String::from_utf8_lossy(value).into_owned()))
    });
    kept.collect()
}
