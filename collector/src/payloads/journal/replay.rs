//! What an earlier process left in the journal: payloads that wait, and batches of which it is not known whether they
//! are stored.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::record::{BatchHead, Record};
use super::seal::{LENGTH_BYTES, Master, SALT_BYTES, Sealer};
use super::{ENDING, Place, Segment};
use crate::payloads::Kept;
use crate::payloads::pairs::Group;

/// A batch that was begun and not ended: it is repeated whole under its token.
pub type Unfinished = BatchHead;

/// What is left to do, in the order in which it was begun.
#[derive(Debug, Default)]
pub struct Left {
    pub unfinished: Vec<Unfinished>,
    pub waiting: Vec<Kept>,
    /// Segments that hold a record which cannot be read; they are kept under another name.
    pub damaged: usize,
}

/// A segment with its records.
pub(super) struct Found {
    segment: Segment,
    /// A payload is kept as what is needed of it; its data stay on disk.
    records: Vec<(Place, Remembered)>,
}

enum Remembered {
    Payload(Kept),
    Batch(BatchHead),
    Stored(String),
    LeftOut(Vec<Place>),
}

/// Reads the segments of a folder, the oldest first.
pub(super) fn segments(folder: &Path, master: &Master) -> std::io::Result<Vec<Found>> {
    let mut paths = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let (Some(number), true) = (number, path.extension().is_some_and(|ending| ending == ENDING)) {
            paths.push((number, path));
        }
    }
    paths.sort();
    paths.into_iter().map(|(number, path)| found(number, &path, master)).collect()
}

fn found(number: u64, path: &Path, master: &Master) -> std::io::Result<Found> {
    let file = File::options().read(true).append(true).open(path)?;
    let mut text = Vec::new();
    (&file).read_to_end(&mut text)?;
    let mut salt = [0; SALT_BYTES];
    let begun = text.split_first_chunk::<SALT_BYTES>();
    if let Some((given, _)) = begun {
        salt = *given;
    }
    let sealer = Sealer::with_salt(master, &salt)?;
    let (records, is_damaged) = records(number, &mut text, &sealer);
    let segment = Segment {
        number,
        path: path.to_owned(),
        file: Arc::new(file),
        sealer: Arc::new(sealer),
        length: text.len() as u64,
        open: 0,
        is_damaged,
    };
    Ok(Found { segment, records })
}

/// The records up to the end, or to the first that cannot be read, and whether that one is damaged. One that is cut off
/// was being written when the process died, and was not acknowledged.
fn records(number: u64, text: &mut [u8], sealer: &Sealer) -> (Vec<(Place, Remembered)>, bool) {
    let mut records = Vec::new();
    let mut at = SALT_BYTES;
    let prefix = LENGTH_BYTES as usize;
    loop {
        let Some(length) = text.get(at..at + prefix).and_then(|bytes| bytes.first_chunk::<4>()) else {
            return (records, false);
        };
        let (length, offset) = (u32::from_le_bytes(*length), at + prefix);
        let end = offset + length as usize;
        let place = Place { segment: number, offset: offset as u64, length };
        let Some(sealed) = text.get_mut(offset..end) else { return (records, false) };
        let record = sealer.open(offset as u64, sealed).and_then(Record::read);
        let Some(record) = record else { return (records, true) };
        records.push((place, remembered(record, place)));
        at = end;
    }
}

fn remembered(record: Record, place: Place) -> Remembered {
    match record {
        Record::Payload(payload) => {
            Remembered::Payload(Kept { place, part: payload.part, key: payload.key() })
        }
        Record::Batch(head) => Remembered::Batch(head),
        Record::Stored(token) => Remembered::Stored(token),
        Record::LeftOut(places) => Remembered::LeftOut(places),
    }
}

/// Works out what is left of the segments' records.
pub(super) fn replay(found: Vec<Found>) -> (VecDeque<Segment>, Left) {
    let mut segments = VecDeque::new();
    let mut left = Left::default();
    let mut waiting: BTreeMap<Place, Kept> = BTreeMap::new();
    let mut begun: BTreeMap<String, BatchHead> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for Found { segment, records } in found {
        left.damaged += usize::from(segment.is_damaged);
        segments.push_back(segment);
        for (place, record) in records {
            match record {
                Remembered::Payload(kept) => {
                    waiting.insert(place, kept);
                }
                Remembered::Batch(head) => {
                    order.push(head.token.clone());
                    begun.insert(head.token.clone(), head);
                }
                Remembered::Stored(token) => {
                    let groups = begun.remove(&token).map(|head| head.groups).unwrap_or_default();
                    let stored: Vec<Place> = groups.iter().flat_map(Group::parts).collect();
                    forget(&mut waiting, &stored);
                }
                Remembered::LeftOut(places) => forget(&mut waiting, &places),
            }
        }
    }
    for segment in &mut segments {
        segment.open = waiting.keys().filter(|place| place.segment == segment.number).count();
    }
    left.unfinished = order.iter().filter_map(|token| begun.remove(token)).collect();
    let batched: BTreeSet<Place> =
        left.unfinished.iter().flat_map(|head| head.groups.iter().flat_map(Group::parts)).collect();
    left.waiting = waiting.into_values().filter(|kept| !batched.contains(&kept.place)).collect();
    (segments, left)
}

fn forget(waiting: &mut BTreeMap<Place, Kept>, places: &[Place]) {
    for place in places {
        waiting.remove(place);
    }
}
