use std::collections::BTreeMap;
use std::time::Duration;

use domain::contract::Contract;
use domain::grid::{Bins, Edges, Grid, Levels};
use domain::signal::segment;
use proptest::prelude::*;

use super::*;
use crate::event::{Name, Prediction};
use crate::known::Known;
use crate::streams::streams;

const HOLDS: i64 = 1_000;

fn stored(signal: &str, holds_from: i64, bins: Bins) -> StoredGrid {
    StoredGrid {
        grid: Grid::new("m", signal, Instant::from_seconds(holds_from), bins),
        made_from: String::new(),
        made_of: 0,
        announced_at: Instant::EPOCH,
        recounted_at: None,
    }
}

fn known() -> Known {
    let edges = Edges::try_from(vec![-1.0, 0.0, 10.0]).expect("ascending");
    let levels = |names: &[&str]| Bins::Categories(Levels::of(names.iter().map(|name| (*name).to_owned())));
    let grids = vec![
        stored("feature.x", HOLDS, Bins::Numbers(edges)),
        stored("feature.c", HOLDS + 5, levels(&["a", "b"])),
        stored("tag.t", HOLDS, levels(&["u"])),
    ];
    let contract = Contract { segments: vec!["c".to_owned(), "tag.t".to_owned()], ..Contract::default() };
    let contracts = BTreeMap::from([("m".to_owned(), contract)]);
    Known::of(Instant::EPOCH, grids, contracts.into())
}

fn event(received_s: i64, minute: i64) -> Prediction {
    let received_at = Instant::from_seconds(received_s);
    let timestamp = Instant::from_seconds(minute * 60 + 7);
    Prediction { timestamp, ..Prediction::empty(Name::from("m"), received_at) }
}

/// Counts by (segment, signal, minute of event time, bin).
type Cells = BTreeMap<(String, String, i64, u16), i64>;

fn counted(events: &[Prediction]) -> (Cells, Tally) {
    let known = known();
    let model = known.model("m");
    let mut columns: Predictions = events.iter().collect();
    let numbers = SignalNumbers::of(&model, &mut columns.signals);
    let mut segments = Segments::default();
    let (mut cells, mut all) = (Cells::new(), Tally::default());
    for stream in streams(&columns) {
        let tally = count(&columns, &stream, &model, &numbers, &mut segments);
        for row in &tally.counts {
            let segment = segments.texts()[row.segment as usize].clone();
            let key =
                (segment, columns.signals.text(row.signal).to_owned(), i64::from(row.minute) / 60, row.bin.0);
            *cells.entry(key).or_insert(0) += row.n;
        }
        all.moments.extend(tally.moments);
        all.traffic.extend(tally.traffic);
        all.ungridded.extend(tally.ungridded);
    }
    (cells, all)
}

fn cell(segment: &str, signal: &str, minute: i64, bin: u16) -> (String, String, i64, u16) {
    (segment.to_owned(), signal.to_owned(), minute, bin)
}

#[test]
fn each_value_has_its_bin_and_what_is_absent_is_missing() {
    let x = Name::from("feature.x");
    let with = |value: f64| Prediction { numbers: vec![(x.clone(), value)], ..event(HOLDS, 3) };
    let text = Prediction { categories: vec![(x.clone(), Name::from("12"))], ..event(HOLDS, 3) };
    let events = [with(-5.0), with(0.0), with(10.5), with(f64::NAN), text, event(HOLDS, 3), event(HOLDS, 4)];
    let (cells, _) = counted(&events);
    let of_x: Vec<(i64, u16, i64)> = cells
        .iter()
        .filter(|((segment, signal, ..), _)| segment.is_empty() && signal == "feature.x")
        .map(|((_, _, minute, bin), n)| (*minute, *bin, *n))
        .collect();
    assert_eq!(of_x, [(3, 0, 1), (3, 1, 2), (3, 3, 1), (3, 4, 1), (3, 6, 1), (4, 0, 1)]);
}

#[test]
fn an_event_counts_by_the_grids_that_held_when_it_was_received() {
    let events = [event(HOLDS - 1, 3), event(HOLDS, 3), event(HOLDS + 5, 3)];
    let (cells, tally) = counted(&events);
    assert_eq!(cells.get(&cell("", "feature.x", 3, 0)), Some(&2));
    assert_eq!(cells.get(&cell("", "feature.c", 3, 0)), Some(&1));
    // The dimension is known only to the last event, so its segment counts only that one, for every signal.
    assert_eq!(cells.get(&cell("c=missing", "feature.x", 3, 0)), Some(&1));
    assert_eq!(cells.get(&cell("tag.t=missing", "feature.x", 3, 0)), Some(&2));
    let all: i64 = tally.traffic.iter().filter(|row| row.segment == 0).map(|row| row.events).sum();
    assert_eq!(all, 3, "traffic needs no grid");
}

#[test]
fn a_value_of_a_dimension_is_a_segment_its_rarer_ones_are_other() {
    let in_c = |value: &str| Prediction {
        categories: vec![(Name::from("feature.c"), Name::from(value))],
        tags: vec![(Name::from("t"), value.to_owned())],
        ..event(HOLDS + 5, 3)
    };
    let number = Prediction { numbers: vec![(Name::from("feature.c"), 1.0)], ..event(HOLDS + 5, 3) };
    let events = [in_c("a"), in_c("a"), in_c("z"), in_c("u"), number];
    let (cells, _) = counted(&events);
    let x_missing = |segment: &str| cells.get(&cell(segment, "feature.x", 3, 0)).copied();
    assert_eq!(x_missing("c=a"), Some(2));
    assert_eq!(x_missing("c=other"), Some(3));
    assert_eq!((x_missing("tag.t=u"), x_missing("tag.t=other")), (Some(1), Some(3)));
    assert_eq!(x_missing("tag.t=missing"), Some(1));
    assert_eq!(cells.get(&cell("", "tag.t", 3, 3)), Some(&1));
    assert_eq!(cells.get(&cell("", "tag.t", 3, 2)), Some(&3));
}

#[test]
fn signals_without_a_grid_are_reported_and_their_moments_kept() {
    let y = Name::from("feature.y");
    let with = |value: f64| Prediction { numbers: vec![(y.clone(), value)], ..event(HOLDS - 1, 3) };
    let (cells, tally) = counted(&[with(1.0), with(3.0), with(f64::INFINITY)]);
    assert!(cells.keys().all(|(_, signal, ..)| signal != "feature.y"));
    assert_eq!(tally.ungridded.len(), 1);
    assert_eq!(tally.ungridded[0].1, 3);
    let moments = tally.moments[0].moments;
    assert_eq!((moments.n, moments.sum, moments.least, moments.greatest), (2, 4.0, 1.0, 3.0));
}

fn any_event() -> impl Strategy<Value = Prediction> {
    let number = prop::option::of(prop_oneof![any::<f64>(), -5.0..20.0_f64]);
    let category = prop::option::of(prop::sample::select(vec!["a", "b", "z"]));
    let tag = prop::option::of(prop::sample::select(vec!["u", "v"]));
    (number, category, tag, 0..10_i64, 0..400_i64, any::<bool>()).prop_map(
        |(number, category, tag, received, minute, failed)| Prediction {
            numbers: number.into_iter().map(|value| (Name::from("feature.x"), value)).collect(),
            categories: category.into_iter().map(|c| (Name::from("feature.c"), Name::from(c))).collect(),
            tags: tag.into_iter().map(|tag| (Name::from("t"), tag.to_owned())).collect(),
            error: if failed { "e".to_owned() } else { String::new() },
            ..event(HOLDS + received, minute)
        },
    )
}

proptest! {
    #[test]
    fn over_all_bins_the_counts_add_up_to_the_events(
        events in prop::collection::vec(any_event(), 1..300), spread in 1_i64..400
    ) {
        // Few minutes count densely, many sparsely.
        let events: Vec<Prediction> = events.into_iter().map(|event| Prediction {
            timestamp: Instant::from_seconds(event.timestamp.seconds() / 60 % spread * 60),
            ..event
        }).collect();
        let (cells, _) = counted(&events);
        for (signal, holds) in [("feature.x", HOLDS), ("feature.c", HOLDS + 5), ("tag.t", HOLDS)] {
            for (dimension, known_from) in [("", HOLDS), ("c=", HOLDS + 5), ("tag.t=", HOLDS)] {
                let from = Instant::from_seconds(holds.max(known_from));
                let n: i64 = cells.iter()
                    .filter(|((segment, name, ..), _)| {
                        name == signal && if dimension.is_empty() { segment.is_empty() } else { segment.starts_with(dimension) }
                    })
                    .map(|(_, n)| *n).sum();
                let expected = events.iter().filter(|event| event.received_at >= from).count() as i64;
                prop_assert_eq!(n, expected, "{} in {:?}", signal, dimension);
            }
        }
    }

    #[test]
    fn splitting_a_batch_changes_nothing(events in prop::collection::vec(any_event(), 2..100), at in 1_usize..99) {
        let (first, second) = events.split_at(at.min(events.len() - 1));
        let (whole, _) = counted(&events);
        let mut sum = counted(first).0;
        for (key, n) in counted(second).0 {
            *sum.entry(key).or_insert(0) += n;
        }
        prop_assert_eq!(whole, sum);
    }
}

#[test]
fn a_file_of_years_counts_as_well_as_a_minute() {
    let x = Name::from("feature.x");
    let day = |n: i64| Prediction {
        numbers: vec![(x.clone(), n as f64)],
        timestamp: Instant::from_seconds(0).saturating_add(Duration::from_secs(86_400) * n as u32),
        ..event(HOLDS + 5, 0)
    };
    let events: Vec<Prediction> = (0..3_000).map(day).collect();
    let (cells, _) = counted(&events);
    let n: i64 = cells
        .iter()
        .filter(|((s, signal, ..), _)| s == segment::ALL && signal == "feature.x")
        .map(|(_, n)| *n)
        .sum();
    assert_eq!(n, 3_000);
}
