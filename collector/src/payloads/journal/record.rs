//! The records of a journal: a kind, a head in JSON, and for payloads the data as it came.

use std::io::Error;

use bytes::Bytes;
use domain::time::Instant;
use serde::{Deserialize, Serialize};

use super::Place;
use crate::payloads::Payload;
use crate::payloads::pairs::Group;

const PAYLOAD: u8 = b'p';
const BATCH: u8 = b'b';
const STORED: u8 = b's';
const LEFT_OUT: u8 = b'l';

#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Payload(Box<Payload>),
    /// A batch that is about to be stored.
    Batch(BatchHead),
    /// The batch of this token is.
    Stored(String),
    /// These payloads become no events.
    LeftOut(Vec<Place>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchHead {
    pub token: String,
    pub received_at: Instant,
    pub groups: Vec<Group<Place>>,
}

impl Record {
    pub fn payload(payload: &Payload, data: &Bytes) -> std::io::Result<Vec<u8>> {
        written(PAYLOAD, payload, data)
    }

    pub fn batch(head: &BatchHead) -> std::io::Result<Vec<u8>> {
        written(BATCH, head, &[])
    }

    pub fn stored(token: &str) -> std::io::Result<Vec<u8>> {
        written(STORED, token, &[])
    }

    pub fn left_out(places: &[Place]) -> std::io::Result<Vec<u8>> {
        written(LEFT_OUT, places, &[])
    }

    /// Reads a record; `None` where it is none.
    pub fn read(text: &[u8]) -> Option<Self> {
        let (kind, rest) = text.split_first()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (head, data) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        match *kind {
            PAYLOAD => {
                let mut payload: Payload = serde_json::from_slice(head).ok()?;
                payload.event.data = Bytes::copy_from_slice(data);
                Some(Self::Payload(Box::new(payload)))
            }
            BATCH => serde_json::from_slice(head).ok().map(Self::Batch),
            STORED => serde_json::from_slice(head).ok().map(Self::Stored),
            LEFT_OUT => serde_json::from_slice(head).ok().map(Self::LeftOut),
            _ => None,
        }
    }
}

fn written<T: Serialize + ?Sized>(kind: u8, head: &T, data: &[u8]) -> std::io::Result<Vec<u8>> {
    let head = serde_json::to_vec(head)?;
    let length = u32::try_from(head.len()).map_err(Error::other)?;
    let mut text = Vec::with_capacity(5 + head.len() + data.len());
    text.push(kind);
    text.extend(length.to_le_bytes());
    text.extend(head);
    text.extend(data);
    Ok(text)
}
