//! Payloads on disk from before they are acknowledged until their events are stored, sealed, so that what privacy rules
//! take out of events does not lie readable beside them.
//!
//! A journal is a row of segments, each a file of records: payloads, batches about to be stored (which payloads make up
//! the batch of which token), and batches that are. Only the oldest segment is ever removed, when all its payloads are
//! stored; so a record that says "stored" outlives the payloads that it speaks of.
//!
//! Invariant: a record that was written is found by the next process, or the write has failed. It outlives this process,
//! not the machine's power.

mod record;
mod replay;
mod seal;

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::time::Instant;
use serde::{Deserialize, Serialize};

use self::record::{BatchHead, Record};
pub use self::replay::{Left, Unfinished};
pub use self::seal::Master;
use self::seal::Sealer;
use super::Payload;
use super::pairs::Group;

const ENDING: &str = "payloads";
/// A segment is closed beyond so many bytes: small enough that few stored payloads wait for an old one.
const SEGMENT_BYTES: u64 = 4 << 20;
/// Stored payloads that may lie in a journal of which everything is stored.
const TIDY_BYTES: u64 = 16 << 10;
/// Payloads that lie in the journal at most: each takes some memory while it waits.
const MOST_PAYLOADS: usize = 500_000;

/// Where a payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    segment: u64,
    offset: u64,
    length: u32,
}

impl Place {
    pub fn bytes(&self) -> usize {
        self.length as usize
    }
}

/// A payload that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Full {
    #[error("the journal holds {bytes} bytes of payloads that wait to be stored")]
    Bytes { bytes: u64 },
    #[error("the journal cannot be written")]
    Unwritable(#[source] std::io::Error),
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal of payloads \"{path}\" cannot be used", path = path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("a payload of the journal cannot be read")]
    Unreadable(#[source] std::io::Error),
    #[error("a payload of the journal is damaged, or was sealed with another key")]
    Damaged,
}

pub struct Journal {
    folder: PathBuf,
    master: Master,
    most_bytes: u64,
    inner: Mutex<Inner>,
}

struct Inner {
    /// The last one is written to.
    segments: VecDeque<Segment>,
    bytes: u64,
    payloads: usize,
}

struct Segment {
    number: u64,
    path: PathBuf,
    file: Arc<File>,
    sealer: Arc<Sealer>,
    length: u64,
    /// Payloads in it that are not stored.
    open: usize,
    /// Whether it holds a record that cannot be read, and perhaps more behind it.
    is_damaged: bool,
}

impl Journal {
    /// Opens the journal in `folder`, which belongs to this process alone; also gives what an earlier one left.
    ///
    /// # Errors
    /// Where the folder cannot be used.
    pub fn open(folder: &Path, master: Master, most_bytes: usize) -> Result<(Self, Left), JournalError> {
        let unusable = |source| JournalError::Unusable { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let found = replay::segments(folder, &master).map_err(unusable)?;
        let (mut segments, left) = replay::replay(found);
        let number = segments.back().map_or(0, |segment| segment.number + 1);
        segments.push_back(Segment::create(folder, number, &master).map_err(unusable)?);
        let mut inner = Inner {
            bytes: segments.iter().map(|segment| segment.length).sum(),
            payloads: segments.iter().map(|segment| segment.open).sum(),
            segments,
        };
        inner.remove_stored();
        let journal = Self {
            folder: folder.to_owned(),
            master,
            most_bytes: most_bytes as u64,
            inner: Mutex::new(inner),
        };
        Ok((journal, left))
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Writes payloads down, all or none.
    pub fn keep(&self, payloads: &[(&Payload, &Bytes)]) -> Result<Vec<Place>, Full> {
        let records = payloads.iter().map(|(payload, data)| Record::payload(payload, data));
        let records: Vec<Vec<u8>> = records.collect::<Result<_, _>>().map_err(Full::Unwritable)?;
        let mut inner = self.lock();
        let needed: u64 = records.iter().map(|record| record.len() as u64 + seal::OVERHEAD).sum();
        if inner.bytes + needed > self.most_bytes || inner.payloads + records.len() > MOST_PAYLOADS {
            return Err(Full::Bytes { bytes: inner.bytes });
        }
        let places = self.append(&mut inner, &records).map_err(Full::Unwritable)?;
        if let Some(segment) = inner.segments.back_mut() {
            segment.open += places.len();
        }
        inner.payloads += places.len();
        Ok(places)
    }

    /// Writes down which payloads make up the batch of a token, before any of it is stored.
    pub fn begin(&self, token: &str, received_at: Instant, groups: &[Group<Place>]) -> std::io::Result<()> {
        let head = BatchHead { token: token.to_owned(), received_at, groups: groups.to_vec() };
        let record = Record::batch(&head)?;
        self.append(&mut self.lock(), &[record]).map(|_| ())
    }

    /// Writes down that a batch is stored, and removes what is no longer needed.
    pub fn end(&self, token: &str, places: impl Iterator<Item = Place>) -> std::io::Result<()> {
        let record = Record::stored(token)?;
        let mut inner = self.lock();
        self.append(&mut inner, &[record])?;
        inner.close(places);
        self.tidy(&mut inner)
    }

    /// Gives up payloads that become no event, such as duplicates. Repeated by the next process if this one dies soon.
    pub fn leave_out(&self, places: impl Iterator<Item = Place>) -> std::io::Result<()> {
        let places: Vec<Place> = places.collect();
        let record = Record::left_out(&places)?;
        let mut inner = self.lock();
        self.append(&mut inner, &[record])?;
        inner.close(places.into_iter());
        self.tidy(&mut inner)
    }

    /// Reads a payload back.
    pub fn read(&self, place: Place) -> Result<Payload, JournalError> {
        let (file, sealer) = {
            let inner = self.lock();
            let segment = inner.segment(place.segment).ok_or(JournalError::Damaged)?;
            (segment.file.clone(), segment.sealer.clone())
        };
        let mut sealed = vec![0; place.length as usize];
        file.read_exact_at(&mut sealed, place.offset).map_err(JournalError::Unreadable)?;
        let text = sealer.open(place.offset, &mut sealed).ok_or(JournalError::Damaged)?;
        match Record::read(text) {
            Some(Record::Payload(payload)) => Ok(*payload),
            _ => Err(JournalError::Damaged),
        }
    }

    /// Appends records with one write; a new segment is begun before where the last one is full.
    fn append(&self, inner: &mut Inner, records: &[Vec<u8>]) -> std::io::Result<Vec<Place>> {
        if inner.segments.back().is_none_or(|segment| segment.length >= SEGMENT_BYTES) {
            self.begin_segment(inner)?;
        }
        let Some(segment) = inner.segments.back_mut() else { return Ok(Vec::new()) };
        let mut text = Vec::with_capacity(records.iter().map(|record| record.len() + 64).sum());
        let mut places = Vec::with_capacity(records.len());
        for record in records {
            let offset = segment.length + text.len() as u64 + seal::LENGTH_BYTES;
            let sealed =
                segment.sealer.seal(offset, record).ok_or_else(|| std::io::Error::other("not sealed"))?;
            let length = u32::try_from(sealed.len()).map_err(std::io::Error::other)?;
            text.extend(length.to_le_bytes());
            text.extend(&sealed);
            places.push(Place { segment: segment.number, offset, length });
        }
        let mut file = segment.file.as_ref();
        if let Err(error) = file.write_all(&text) {
            // Half a record would hide those after it. The same place must not be sealed twice: a new segment follows.
            segment.file.set_len(segment.length)?;
            segment.length = segment.length.max(SEGMENT_BYTES);
            return Err(error);
        }
        segment.length += text.len() as u64;
        inner.bytes += text.len() as u64;
        Ok(places)
    }

    fn begin_segment(&self, inner: &mut Inner) -> std::io::Result<()> {
        let number = inner.segments.back().map_or(0, |segment| segment.number + 1);
        let segment = Segment::create(&self.folder, number, &self.master)?;
        inner.bytes += segment.length;
        inner.segments.push_back(segment);
        Ok(())
    }

    /// Removes what is stored; begins anew where everything is, so that payloads lie here no longer than they must.
    fn tidy(&self, inner: &mut Inner) -> std::io::Result<()> {
        let is_done = inner.segments.iter().all(|segment| segment.open == 0);
        if is_done && inner.bytes > TIDY_BYTES {
            self.begin_segment(inner)?;
        }
        inner.remove_stored();
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn segment(&self, number: u64) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.number == number)
    }

    fn close(&mut self, places: impl Iterator<Item = Place>) {
        for place in places {
            if let Some(segment) = self.segments.iter_mut().find(|segment| segment.number == place.segment) {
                segment.open = segment.open.saturating_sub(1);
                self.payloads = self.payloads.saturating_sub(1);
            }
        }
    }

    fn remove_stored(&mut self) {
        while self.segments.len() > 1 && self.segments.front().is_some_and(|segment| segment.open == 0) {
            let Some(segment) = self.segments.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(segment.length);
            let removed = if segment.is_damaged {
                std::fs::rename(&segment.path, segment.path.with_extension("damaged"))
            } else {
                std::fs::remove_file(&segment.path)
            };
            if let Err(error) = removed {
                // Read again by the next process, which finds everything in it stored.
                tracing::warn!(%error, "a segment of the journal cannot be removed");
            }
        }
    }
}

impl Segment {
    fn create(folder: &Path, number: u64, master: &Master) -> std::io::Result<Self> {
        let path = folder.join(format!("{number:020}.{ENDING}"));
        let (sealer, salt) = Sealer::new(master)?;
        let mut file = File::options().read(true).append(true).create_new(true).open(&path)?;
        file.write_all(&salt)?;
        let (file, sealer) = (Arc::new(file), Arc::new(sealer));
        Ok(Self { number, path, file, sealer, length: salt.len() as u64, open: 0, is_damaged: false })
    }
}

#[cfg(test)]
mod tests;
