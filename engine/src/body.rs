//! A request's body for a thread that blocks: filled by the socket, bounded, unpacked on the way.

use std::io::{self, BufReader, Read};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

/// Pieces between the socket and the engine. The socket waits when they are used up, so a fast sender fills no memory.
const PIECES: usize = 8;

/// A sender that sends nothing for so long has gone; ClickHouse's own bound (`receive_timeout`).
const SENDER_STALLS: Duration = Duration::from_secs(300);

/// What is still read of a body nobody wants any more: the client must have sent it before it reads why.
const DRAIN_BYTES: usize = 64 * 1024 * 1024;

/// The reading end of a body.
pub struct BodyReader {
    pieces: Option<mpsc::Receiver<io::Result<Bytes>>>,
    current: Bytes,
}

impl BodyReader {
    /// A body that is all here.
    pub fn whole(bytes: Bytes) -> Self {
        Self { pieces: None, current: bytes }
    }

    /// A body that comes from a socket; it is pumped by a task that ends with the body.
    pub fn pumped(body: Body) -> Self {
        let (sender, receiver) = mpsc::channel(PIECES);
        tokio::spawn(pump(body, sender));
        Self { pieces: Some(receiver), current: Bytes::new() }
    }

    /// The same body, unpacked.
    pub fn gunzipped(self) -> Box<dyn Read + Send> {
        Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(self)))
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.as_mut().and_then(mpsc::Receiver::blocking_recv) {
                Some(piece) => self.current = piece?,
                None => return Ok(0),
            }
        }
        let count = self.current.len().min(buffer.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

async fn pump(mut body: Body, sender: mpsc::Sender<io::Result<Bytes>>) {
    let mut unwanted = 0;
    loop {
        let piece = match tokio::time::timeout(SENDER_STALLS, body.frame()).await {
            Ok(None) => return,
            Ok(Some(Ok(frame))) => Ok(frame.into_data().unwrap_or_default()),
            Ok(Some(Err(error))) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "its sender sends nothing any more")),
        };
        let (ended, length) = (piece.is_err(), piece.as_ref().map_or(0, Bytes::len));
        if sender.send(piece).await.is_err() {
            unwanted += length;
        }
        if ended || unwanted > DRAIN_BYTES {
            return;
        }
    }
}
