//! Files that are imported: CSV, and NDJSON by a mapping and in Leeway's own format.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::mutation::like;
use super::{config, rules};
use crate::import::bind::{Stamp, end_of_time};
use crate::import::events::Events;
use crate::import::{Format, Mapping, Plan, Source};

fn plan(name: &str, format: Format, content: Vec<u8>, mapping: Mapping) -> Plan {
    Plan::new(Source::bytes(name, format, Bytes::from(content)), "flights", mapping)
}

fn mapping() -> Mapping {
    Mapping {
        id: Some("id".to_owned()),
        timestamp: Some("at".to_owned()),
        predictions: BTreeMap::from([("score".to_owned(), "score".to_owned())]),
        ..Mapping::default()
    }
}

/// That every row of a file comes out once, in order, as an event or with a reason; gives how many came. None where the file
/// as a whole is refused.
fn rows_of(plan: &Plan) -> Result<Option<usize>, TestCaseError> {
    let Ok(mut events) = Events::open(plan, &"0".repeat(64), &BTreeMap::new()) else { return Ok(None) };
    let stamp = Stamp { received_at: rules().received_at, shift_ms: 0, latest: end_of_time() };
    let (mut rows, mut last) = (0, 0);
    while let Some(taken) = events.next(&stamp).expect("what lies in memory can be read to its end") {
        rows += 1;
        prop_assert!(taken.number > last, "{} after {last}", taken.number);
        last = taken.number;
        let came = taken.prediction.is_some() || taken.outcome.is_some();
        prop_assert!(came || taken.refused.is_some(), "row {last} is gone");
        prop_assert!(taken.refused.is_none_or(|refused| !refused.problem.is_empty()));
    }
    Ok(Some(rows))
}

/// Records of a CSV file after its header, as they are whatever is in them.
fn records(content: &[u8]) -> usize {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(content);
    reader.byte_records().count()
}

/// Lines with something in them, as an editor shows them.
fn lines(content: &[u8]) -> usize {
    let text = |line: &[u8]| String::from_utf8_lossy(line).trim_start_matches('\u{feff}').trim().to_owned();
    content.split(|byte| *byte == b'\n').filter(|line| !text(line).is_empty()).count()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_row_of_a_broken_csv_comes_out_once(content in like("csv")) {
        let rows = rows_of(&plan("a.csv", Format::Csv, content.clone(), mapping()))?;
        prop_assert!(rows.is_none_or(|rows| rows == records(&content)), "{rows:?} of {}", records(&content));
    }

    #[test]
    fn every_line_of_broken_ndjson_comes_out_once(content in like("ndjson"), is_native in any::<bool>()) {
        let mapping = if is_native { Mapping::default() } else { mapping() };
        let rows = rows_of(&plan("a.ndjson", Format::Ndjson, content.clone(), mapping))?;
        prop_assert_eq!(rows, Some(lines(&content)));
    }
}
