use proptest::prelude::*;

use super::*;
use crate::payloads::Part;
use crate::sources::cloudevents::CloudEvent;

fn payload(n: usize, bytes: usize) -> Payload {
    let event = CloudEvent {
        id: n.to_string(),
        source: "s".to_owned(),
        kind: "k".to_owned(),
        time: None,
        content_type: String::new(),
        extensions: [("a".to_owned(), "b".to_owned())].into(),
        data: Bytes::from(vec![b'x'; bytes]),
    };
    Payload { part: Part::Request, event, received_at: Instant::EPOCH, models: vec!["m".to_owned()] }
}

fn open(folder: &Path) -> (Journal, Left) {
    Journal::open(folder, Master::of(b"key"), 1 << 20).expect("a journal")
}

fn keep(journal: &Journal, payloads: &[Payload]) -> Result<Vec<Place>, Full> {
    let heads: Vec<_> = payloads.iter().map(|payload| (payload, &payload.event.data)).collect();
    journal.keep(&heads)
}

fn alone(place: Place) -> Group<Place> {
    Group::of(Part::Request, place)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    files
}

#[test]
fn what_was_kept_is_read_back_also_by_the_next_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, left) = open(folder.path());
    assert!(left.waiting.is_empty() && left.unfinished.is_empty());
    let places = keep(&journal, &[payload(1, 10), payload(2, 0)]).expect("kept");
    assert_eq!(journal.read(places[0]).expect("read"), payload(1, 10));
    drop(journal);
    let (journal, left) = open(folder.path());
    assert_eq!(left.waiting.iter().map(|kept| kept.place).collect::<Vec<_>>(), places);
    assert_eq!(journal.read(places[1]).expect("read"), payload(2, 0));
}

#[test]
fn a_batch_that_was_begun_is_found_and_one_that_was_ended_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = open(folder.path());
    let places = keep(&journal, &[payload(1, 1), payload(2, 1), payload(3, 1), payload(4, 1)]).expect("kept");
    let at = Instant::from_seconds(7);
    journal.begin("one", at, &[alone(places[0])]).expect("begun");
    journal.begin("two", at, &[alone(places[1])]).expect("begun");
    journal.end("one", [places[0]].into_iter()).expect("ended");
    journal.leave_out([places[3]].into_iter()).expect("left out");
    drop(journal);
    let (_, left) = open(folder.path());
    let two = Unfinished { token: "two".to_owned(), received_at: at, groups: vec![alone(places[1])] };
    assert_eq!(left.unfinished, [two]);
    assert_eq!(left.waiting.iter().map(|kept| kept.place).collect::<Vec<_>>(), [places[2]]);
}

#[test]
fn segments_are_removed_in_order_when_everything_in_them_is_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = Journal::open(folder.path(), Master::of(b"key"), 1 << 30).expect("a journal");
    let places: Vec<Place> =
        (0..5).flat_map(|n| keep(&journal, &[payload(n, SEGMENT_BYTES as usize)]).expect("kept")).collect();
    assert_eq!(files(folder.path()).len(), 5);
    journal.leave_out(places[1..].iter().copied()).expect("left out");
    assert!(files(folder.path()).len() >= 5, "the first one is open");
    journal.leave_out(places[..1].iter().copied()).expect("left out");
    assert_eq!(files(folder.path()).len(), 1);
    assert!(journal.bytes() < 1_000);
    drop(journal);
    assert!(open(folder.path()).1.waiting.is_empty());
}

#[test]
fn beyond_its_bound_nothing_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = open(folder.path());
    assert!(matches!(keep(&journal, &[payload(1, 2 << 20)]), Err(Full::Bytes { .. })));
    let places = keep(&journal, &[payload(1, 900_000)]).expect("kept");
    assert!(matches!(keep(&journal, &[payload(2, 1), payload(3, 900_000)]), Err(Full::Bytes { .. })));
    journal.leave_out(places.into_iter()).expect("left out");
    keep(&journal, &[payload(2, 1), payload(3, 900_000)]).expect("there is room again");
}

#[test]
fn nothing_in_it_can_be_read_without_the_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = open(folder.path());
    keep(&journal, &[payload(1, 100)]).expect("kept");
    let text = std::fs::read(&files(folder.path())[0]).expect("a segment");
    assert!(!text.windows(4).any(|window| window == b"xxxx" || window == b"\"id\""));
    drop(journal);
    let (_, left) = Journal::open(folder.path(), Master::of(b"other"), 1 << 20).expect("a journal");
    assert_eq!((left.waiting.len(), left.damaged), (0, 1));
    assert!(files(folder.path())[0].with_extension("damaged").exists(), "somebody may have the key");
}

#[test]
fn the_key_is_made_once_for_the_eyes_of_its_user() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    let sealed = |master: &Master| Sealer::with_salt(master, &[0; 32]).expect("a sealer").seal(0, b"text");
    let made = Master::in_file(&path).expect("a key");
    assert_eq!(sealed(&made), sealed(&Master::in_file(&path).expect("the same")));
    assert_ne!(sealed(&made), sealed(&Master::of(b"other")));
    assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
}

proptest! {
    /// Whatever a dying process or machine leaves of the last segment, what is before the damage is found, and nothing
    /// that was never written.
    #[test]
    fn a_cut_or_changed_segment_loses_only_what_is_behind(cut in 0.0_f64..1.0, flip in prop::option::of(0.0_f64..1.0)) {
        let folder = tempfile::tempdir().expect("a folder");
        let (journal, _) = open(folder.path());
        let payloads: Vec<Payload> = (0..20).map(|n| payload(n, n * 10)).collect();
        let places = keep(&journal, &payloads).expect("kept");
        drop(journal);
        let path = &files(folder.path())[0];
        let mut text = std::fs::read(path).expect("a segment");
        let mut intact = text.len();
        if let Some(flip) = flip {
            intact = (flip * text.len() as f64) as usize;
            text[intact] ^= 1;
        }
        let cut = (cut * text.len() as f64) as usize;
        intact = intact.min(cut);
        std::fs::write(path, &text[..cut]).expect("written");
        let (journal, left) = open(folder.path());
        let whole: Vec<Place> =
            places.iter().copied().filter(|place| place.offset as usize + place.bytes() <= intact).collect();
        let found: Vec<Place> = left.waiting.iter().map(|kept| kept.place).collect();
        prop_assert_eq!(&found, &whole);
        for (place, payload) in found.iter().zip(&payloads) {
            prop_assert_eq!(&journal.read(*place).expect("read"), payload);
        }
    }
}
