//! Forgets the deduplication tokens of rows that a killed engine did not come to keep.
//!
//! ClickHouse writes a token into a table's deduplication log first, and gives the rows their place second. Killed in
//! between, it knows a token whose rows are gone, and would take the repetition of that insert for a second one: lost for
//! good. So before the engine opens its tables, every logged part that no folder holds is struck out of the log, in
//! ClickHouse's own way: by a record that says that it was dropped. The insert can then be repeated.
//!
//! Invariant: a part that is there, itself or within a merged one, keeps its token.
//!
//! The log's records are lines of operation (1 added, 2 dropped), part and token, separated by tabs
//! (`MergeTreeDeduplicationLog.cpp`); a table's newest log has the greatest number.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A table's folder for its logs.
const LOGS: &str = "deduplication_logs";

const ADDED: &str = "1";
const DROPPED: &str = "2";

/// Strikes out of the logs of all tables below `tables` what is not there, and says how many tokens were.
///
/// # Errors
/// Where a log or a table's folder cannot be read or written.
pub fn forget_lost(tables: &Path) -> io::Result<usize> {
    let mut forgotten = 0;
    // `store/<first three of the table's uuid>/<uuid>`
    for group in folders(&tables.join("store"))? {
        for table in folders(&group)? {
            forgotten += forget_lost_of(&table)?;
        }
    }
    Ok(forgotten)
}

fn forget_lost_of(table: &Path) -> io::Result<usize> {
    let logs = logs(&table.join(LOGS))?;
    let Some(newest) = logs.last() else { return Ok(0) };
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    for log in &logs {
        for record in std::fs::read_to_string(log)?.lines() {
            let mut fields = record.split('\t');
            match (fields.next(), fields.next(), fields.next()) {
                (Some(ADDED), Some(part), Some(token)) => {
                    kept.insert(token.to_owned(), part.to_owned());
                }
                (Some(DROPPED), Some(_), Some(token)) => {
                    kept.remove(token);
                }
                _ => {
                    tracing::warn!(log = %log.display(), record, "a deduplication log is not understood; it is left as it is");
                    return Ok(0);
                }
            }
        }
    }
    let parts = parts(table)?;
    let is_lost = |part: &str| Part::named(part).is_some_and(|part| !parts.iter().any(|p| p.holds(&part)));
    kept.retain(|_, part| is_lost(part));
    if kept.is_empty() {
        return Ok(0);
    }
    let mut log = OpenOptions::new().append(true).open(newest)?;
    for (token, part) in &kept {
        writeln!(log, "{DROPPED}\t{part}\t{token}")?;
        tracing::warn!(table = %table.display(), part, "rows were not kept when the engine was killed; their insert can be repeated");
    }
    log.sync_data()?;
    Ok(kept.len())
}

/// The logs in the order in which they were written.
fn logs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs: Vec<(u64, PathBuf)> = Vec::new();
    for path in entries(folder)? {
        let name = path.file_name().and_then(|name| name.to_str());
        let number =
            name.and_then(|name| name.strip_prefix("deduplication_log_")?.strip_suffix(".txt")?.parse().ok());
        logs.extend(number.map(|number| (number, path)));
    }
    logs.sort();
    Ok(logs.into_iter().map(|(_, path)| path).collect())
}

/// The parts that are in their places; what is still being written has another name.
fn parts(table: &Path) -> io::Result<Vec<Part>> {
    let names = folders(table)?;
    Ok(names.iter().filter_map(|path| Part::named(path.file_name()?.to_str()?)).collect())
}

fn folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(entries(path)?.into_iter().filter(|path| path.is_dir()).collect())
}

/// What is in a folder; nothing where it is not there.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A part's name: `<partition>_<first block>_<last block>_<level>`, and `_<mutation>` where it was changed.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    partition: String,
    first: u64,
    last: u64,
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        let mut fields = name.split('_');
        let partition = fields.next()?.to_owned();
        let (first, last) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let _level: u64 = fields.next()?.parse().ok()?;
        Some(Self { partition, first, last })
    }

    fn holds(&self, other: &Self) -> bool {
        self.partition == other.partition && self.first <= other.first && other.last <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with these parts whose one log holds these records.
    fn table(parts: &[&str], records: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let tables = tempfile::tempdir().expect("a folder");
        let table = tables.path().join("store/abc/abc-uuid");
        for part in parts {
            std::fs::create_dir_all(table.join(part)).expect("a part");
        }
        std::fs::create_dir_all(table.join(LOGS)).expect("a folder for logs");
        let log = table.join(LOGS).join("deduplication_log_2.txt");
        std::fs::write(&log, records.iter().map(|record| format!("{record}\n")).collect::<String>())
            .expect("a log");
        (tables, log)
    }

    fn after(parts: &[&str], records: &[&str]) -> (usize, String) {
        let (tables, log) = table(parts, records);
        let forgotten = forget_lost(tables.path()).expect("readable");
        assert_eq!(
            forget_lost(tables.path()).expect("readable"),
            0,
            "a second time there is nothing left to do"
        );
        let written = std::fs::read_to_string(log).expect("a log");
        (forgotten, written.lines().skip(records.len()).map(|line| format!("{line}\n")).collect())
    }

    #[test]
    fn what_has_no_part_is_struck_out() {
        let records = ["1\t202611_1_1_0\ta", "1\t202611_2_2_1\tb"];
        assert_eq!(after(&["202611_1_1_0"], &records), (1, "2\t202611_2_2_1\tb\n".to_owned()));
        // Half-written parts and those of another month are not it.
        let others = ["202611_1_1_0", "tmp_insert_202611_2_2_1", "202612_2_2_1", "detached"];
        assert_eq!(after(&others, &records).0, 1);
    }

    #[test]
    fn what_is_there_itself_or_merged_or_changed_keeps_its_token() {
        let records = ["1\t202611_1_1_0\ta", "1\t202611_2_2_1\tb", "1\tall_7_7_0\tc"];
        assert_eq!(after(&["202611_1_2_1", "all_7_7_0_9"], &records).0, 0);
    }

    #[test]
    fn what_was_dropped_is_no_longer_asked_for() {
        assert_eq!(after(&[], &["1\t202611_1_1_0\ta", "2\t202611_1_1_0\ta"]), (0, String::new()));
    }

    #[test]
    fn a_log_that_is_not_understood_is_left_alone() {
        assert_eq!(
            after(&[], &["1\t202611_1_1_0\ta", "a later version writes something else"]),
            (0, String::new())
        );
    }

    #[test]
    fn logs_are_read_in_the_order_of_their_numbers_and_the_newest_is_written_to() {
        let (tables, second) = table(&[], &["2\tall_1_1_0\ta"]);
        let other = |number| second.with_file_name(format!("deduplication_log_{number}.txt"));
        std::fs::write(other(1), "1\tall_1_1_0\ta\n").expect("a log");
        std::fs::write(other(10), "1\tall_3_3_0\tc\n").expect("a log");
        assert_eq!(forget_lost(tables.path()).expect("readable"), 1);
        assert_eq!(std::fs::read_to_string(other(10)).expect("a log"), "1\tall_3_3_0\tc\n2\tall_3_3_0\tc\n");
    }

    #[test]
    fn an_engine_without_tables_has_nothing_to_forget() {
        let empty = tempfile::tempdir().expect("a folder");
        assert_eq!(forget_lost(empty.path()).expect("nothing to read"), 0);
    }
}
