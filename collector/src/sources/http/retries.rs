//! Requests with an `Idempotency-Key`: one that comes again changes nothing, and is answered as the first one was.
//!
//! Who sent what under which key, and how it was answered, is remembered in memory and in two files, so that a restart
//! forgets nothing; of keys and bodies only hashes. A request whose answer nobody knows (the store was away, the process
//! died) is taken again: its key gives events that state no id the same one at each repetition, so that those that are
//! stored are told from new ones ([`crate::duplicates`]).
//!
//! Invariant: a key stands for one body from before its first event is stored until it is forgotten; memory and files are
//! bounded.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::http::{HeaderMap, StatusCode};
use domain::time::Instant;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Http;
use super::answer::{Accepted, Refusal};
use crate::event::Kind;
use crate::intake::off_the_runtime;

const HEADER: &str = "idempotency-key";
/// The longest key, in bytes.
const LONGEST: usize = 256;
/// Keys of each of two generations, and what their records take as text: a key alone takes some 170 bytes.
const MOST_KEYS: usize = 50_000;
const MOST_BYTES: usize = 16 << 20;
/// Answers with more rejections than this are not remembered: the request is then understood again.
const MOST_REJECTED: usize = 100;
/// The folder in the spool's.
const FOLDER: &str = "keys";

/// 128 bits in hexadecimal digits.
type Hash = String;

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A request's key, made one's own: other senders and other kinds of events have other ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    stated: Vec<u8>,
    hash: Hash,
}

impl Key {
    /// The key that a request states.
    ///
    /// # Errors
    /// Where it is none.
    pub fn of(headers: &HeaderMap, sender: &str, kind: Kind) -> Result<Option<Self>, Refusal> {
        let Some(value) = headers.get(HEADER) else { return Ok(None) };
        let stated = value.as_bytes();
        if stated.is_empty() || stated.len() > LONGEST {
            let error = format!("an Idempotency-Key has 1 to {LONGEST} bytes");
            return Err(Refusal::of(StatusCode::BAD_REQUEST, error));
        }
        let hash = hash(&[kind.name().as_bytes(), sender.as_bytes(), stated]);
        Ok(Some(Self { stated: stated.to_owned(), hash }))
    }

    /// What ids are made of for events that state none.
    pub fn place(&self) -> &str {
        &self.hash
    }

    /// The request that this key stands for, by its unpacked body.
    pub fn request(self, body: &[u8]) -> Request {
        // The key is part of it, so that nobody can find out a body by trying.
        let body = hash(&[&self.stated, body]);
        Request { key: self.hash, body }
    }
}

/// A key with the body that it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    key: Hash,
    body: Hash,
}

/// What is remembered of a request: one line of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    key: Hash,
    body: Hash,
    at: Instant,
    /// `None` where it was begun and nobody knows what came of it.
    answer: Option<Accepted>,
}

/// All requests with a key that came lately. Shared by all connections.
#[derive(Debug)]
pub struct Retries {
    window: Duration,
    folder: PathBuf,
    state: Mutex<State>,
}

/// Two generations: the older one is forgotten when the newer one is full or old enough.
#[derive(Debug)]
struct State {
    newer: Generation,
    older: HashMap<Hash, Record>,
    file: File,
}

#[derive(Debug, Default)]
struct Generation {
    records: HashMap<Hash, Record>,
    bytes: usize,
    since: Option<Instant>,
}

impl Retries {
    /// Takes up what an earlier process remembered below `spool_dir`. `None` where nothing is to be remembered.
    ///
    /// # Errors
    /// Where the folder cannot be used.
    pub fn open(spool_dir: &Path, window_s: u64, now: Instant) -> anyhow::Result<Option<Self>> {
        if window_s == 0 {
            return Ok(None);
        }
        let folder = spool_dir.join(FOLDER);
        let state = open(&folder, now, Duration::from_secs(window_s))
            .with_context(|| format!("the keys of requests in \"{}\" cannot be used", folder.display()))?;
        Ok(Some(Self { window: Duration::from_secs(window_s), folder, state: Mutex::new(state) }))
    }

    /// The answer that the same request had; `None` where it is to be taken.
    ///
    /// # Errors
    /// 422 where the key came with another body.
    pub fn answer_to(&self, request: &Request, now: Instant) -> Result<Option<Accepted>, Refusal> {
        self.lock().known(request, now, self.window)
    }

    /// Remembers a request before anything of it is stored; gives its answer, if it has one meanwhile.
    ///
    /// # Errors
    /// 422 where the key came with another body; 503 where it cannot be written down.
    pub fn begin(&self, request: &Request, now: Instant) -> Result<Option<Accepted>, Refusal> {
        let mut state = self.lock();
        if let Some(answer) = state.known(request, now, self.window)? {
            return Ok(Some(answer));
        }
        let Request { key, body } = request.clone();
        self.keep(&mut state, Record { key, body, at: now, answer: None }, now).map_err(|error| {
            tracing::error!(%error, "the key of a request cannot be written down");
            let error = "the Idempotency-Key cannot be written down; send it again later";
            Refusal { retry_after_s: Some(5), ..Refusal::of(StatusCode::SERVICE_UNAVAILABLE, error) }
        })?;
        Ok(None)
    }

    /// Remembers how a request was answered.
    pub fn answered(&self, request: &Request, answer: &Accepted, now: Instant) {
        if answer.rejections() > MOST_REJECTED {
            return;
        }
        let Request { key, body } = request.clone();
        let record = Record { key, body, at: now, answer: Some(answer.clone()) };
        if let Err(error) = self.keep(&mut self.lock(), record, now) {
            // Sent again it is taken again, and its events are told from new ones.
            tracing::warn!(%error, "the answer to a request with a key cannot be written down");
        }
    }

    fn keep(&self, state: &mut State, record: Record, now: Instant) -> std::io::Result<()> {
        if state.newer.is_full(now, self.window) {
            std::fs::rename(newer(&self.folder), older(&self.folder))?;
            state.file = File::create(newer(&self.folder))?;
            state.older = std::mem::take(&mut state.newer).records;
        }
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        state.file.write_all(&line)?;
        state.newer.add(record, line.len());
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn known(&self, request: &Request, now: Instant, window: Duration) -> Result<Option<Accepted>, Refusal> {
        let known = self.newer.records.get(&request.key).or_else(|| self.older.get(&request.key));
        match known.filter(|record| record.is_recent(now, window)) {
            Some(record) if record.body != request.body => {
                let error =
                    "the Idempotency-Key came with another body before; take a new key for new events";
                Err(Refusal::of(StatusCode::UNPROCESSABLE_ENTITY, error))
            }
            Some(record) => Ok(record.answer.clone()),
            None => Ok(None),
        }
    }
}

impl Record {
    /// A little longer than the window, as its ids are remembered: in two generations.
    fn is_recent(&self, now: Instant, window: Duration) -> bool {
        now.since(self.at) < window * 2
    }
}

impl Generation {
    fn is_full(&self, now: Instant, window: Duration) -> bool {
        self.records.len() >= MOST_KEYS
            || self.bytes >= MOST_BYTES
            || self.since.is_some_and(|since| now.since(since) >= window)
    }

    fn add(&mut self, record: Record, bytes: usize) {
        self.since.get_or_insert(record.at);
        self.bytes += bytes;
        self.records.insert(record.key.clone(), record);
    }
}

fn newer(folder: &Path) -> PathBuf {
    folder.join("newer")
}

fn older(folder: &Path) -> PathBuf {
    folder.join("older")
}

fn open(folder: &Path, now: Instant, window: Duration) -> std::io::Result<State> {
    std::fs::create_dir_all(folder)?;
    let older = read(&older(folder), now, window)?.records;
    let path = newer(folder);
    let newer = read(&path, now, window)?;
    // What is left of a line that a crash cut off must not run into the next one.
    let mut file = File::options().create(true).append(true).open(&path)?;
    file.write_all(b"\n")?;
    Ok(State { newer, older, file })
}

/// The requests of a file that are not forgotten yet. Lines that a crash cut off are skipped.
fn read(path: &Path, now: Instant, window: Duration) -> std::io::Result<Generation> {
    let mut generation = Generation::default();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(generation),
        Err(error) => return Err(error),
    };
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        match serde_json::from_slice::<Record>(&line) {
            Ok(record) if record.is_recent(now, window) => generation.add(record, line.len()),
            _ => generation.bytes += line.len(),
        }
    }
    Ok(generation)
}

impl Http {
    /// The answer that the same request had.
    pub(super) fn answer_to(&self, request: Option<&Request>) -> Result<Option<Accepted>, Refusal> {
        let (Some(retries), Some(request)) = (&self.retries, request) else { return Ok(None) };
        self.told(retries.answer_to(request, self.clock.now()))
    }

    /// Remembers a request before anything of it is stored; gives its answer, if it has one meanwhile.
    pub(super) async fn begin(
        self: &Arc<Self>,
        request: Option<&Request>,
    ) -> Result<Option<Accepted>, Refusal> {
        let Some(request) = request.cloned() else { return Ok(None) };
        let http = self.clone();
        off_the_runtime(move || match &http.retries {
            Some(retries) => http.told(retries.begin(&request, http.clock.now())),
            None => Ok(None),
        })
        .await
    }

    /// Remembers how a request was answered.
    pub(super) async fn answered(self: &Arc<Self>, request: Option<Request>, answer: &Accepted) {
        let Some(request) = request else { return };
        let (http, answer) = (self.clone(), answer.clone());
        off_the_runtime(move || {
            if let Some(retries) = &http.retries {
                retries.answered(&request, &answer, http.clock.now());
            }
        })
        .await;
    }

    fn told(&self, found: Result<Option<Accepted>, Refusal>) -> Result<Option<Accepted>, Refusal> {
        match &found {
            Ok(Some(_)) => self.intake.metrics().repeated("answered"),
            Err(refusal) if refusal.status == StatusCode::UNPROCESSABLE_ENTITY => {
                self.intake.metrics().repeated("refused");
            }
            _ => {}
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str, sender: &str) -> Key {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, text.parse().expect("a header"));
        Key::of(&headers, sender, Kind::Prediction).expect("a key").expect("one is stated")
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_seconds(1_000_000 + seconds)
    }

    fn opened(folder: &Path, seconds: i64) -> Retries {
        Retries::open(folder, 60, at(seconds)).expect("a folder").expect("a window")
    }

    fn three() -> Accepted {
        Accepted::of(3, Vec::new()).expect("an answer")
    }

    #[test]
    fn a_request_is_known_by_its_key_and_body_and_so_is_its_answer_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let retries = opened(folder.path(), 0);
        let first = key("k", "a").request(b"x");
        assert_eq!(retries.begin(&first, at(0)), Ok(None));
        assert_eq!(retries.answer_to(&first, at(1)), Ok(None), "nobody knows what came of it");
        let other = key("k", "a").request(b"y");
        assert_eq!(retries.answer_to(&other, at(1)).expect_err("another body").status, 422);
        retries.answered(&first, &three(), at(2));
        drop(retries);
        // As a crash cuts off a line.
        let mut file = File::options().append(true).open(newer(&folder.path().join(FOLDER))).expect("a file");
        file.write_all(b"{\"key\":\"half").expect("written");

        let retries = opened(folder.path(), 3);
        assert_eq!(retries.answer_to(&first, at(3)), Ok(Some(three())));
        assert_eq!(retries.begin(&other, at(3)).expect_err("another body").status, 422);
        let another_sender = key("k", "b").request(b"y");
        assert_eq!(retries.begin(&another_sender, at(3)), Ok(None));
        drop(retries);
        let retries = opened(folder.path(), 4);
        let third = another_sender.clone();
        retries.answered(&third, &three(), at(4));
        assert_eq!(retries.answer_to(&another_sender, at(5)), Ok(Some(three())));
        assert_eq!(retries.answer_to(&first, at(500)), Ok(None), "forgotten");
        assert_eq!(opened(folder.path(), 500).lock().newer.records.len(), 0);
    }

    #[test]
    fn time_and_number_bound_memory_and_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let retries = opened(folder.path(), 0);
        for n in 0..3 * MOST_KEYS {
            let request = key(&n.to_string(), "a").request(b"x");
            retries.begin(&request, at(n as i64 / 10_000)).expect("begun");
        }
        let kept = |retries: &Retries| {
            let state = retries.lock();
            state.newer.records.len() + state.older.len()
        };
        assert!(kept(&retries) <= 2 * MOST_KEYS);
        let files = std::fs::read_dir(folder.path().join(FOLDER)).expect("files").flatten();
        let bytes: u64 = files.map(|file| file.metadata().expect("a file").len()).sum();
        assert!(bytes <= 2 * MOST_BYTES as u64 + 1_024, "{bytes}");
        retries.begin(&key("later", "a").request(b"x"), at(100)).expect("begun");
        retries.begin(&key("latest", "a").request(b"x"), at(200)).expect("begun");
        assert_eq!(kept(&retries), 2);
    }

    #[test]
    fn a_key_is_not_empty_and_not_endless() {
        for bad in [String::new(), "k".repeat(LONGEST + 1)] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, bad.parse().expect("a header"));
            assert!(Key::of(&headers, "", Kind::Prediction).is_err());
        }
        assert_eq!(Key::of(&HeaderMap::new(), "", Kind::Prediction).expect("none"), None);
    }
}
