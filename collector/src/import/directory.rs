//! A directory of files to import: found with all below it, in the order of their names, and imported one after the other.
//!
//! Invariant: each file is an import of its own, known by its content. So a directory that is imported again after more
//! files came brings only those, and one that broke off goes on in the file, and at the batch, where it stopped.

use std::fs::DirEntry;
use std::path::Path;

use anyhow::{Context as _, bail};
use service::Context;
use sql::Store;

use super::load::load;
use super::plan::Plan;
use super::progress::Observer;
use super::report::{Report, Totals};
use super::source::{Format, Source, format_of};
use crate::config::Config;

/// What lies in a directory and below it.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// In the order of their names, which are their paths within the directory.
    pub files: Vec<Source>,
    /// Names of files of which nothing says what they are.
    pub left_out: Vec<String>,
}

/// Looks for files to import. What begins with a dot or an underscore is passed over, as those who write such files mean
/// it (`_SUCCESS`, `_temporary`); links to directories are not followed. `stated` is the format of files whose names do not
/// say theirs.
///
/// # Errors
/// Where something cannot be read, or there is nothing to import.
pub fn find(folder: &Path, stated: Option<Format>) -> anyhow::Result<Found> {
    let mut found = Found::default();
    look(folder, "", stated, &mut found)?;
    if found.files.is_empty() {
        bail!(
            "\"{}\" holds no file to import (known: .parquet, .csv, .ndjson, .jsonl): add --format for other names",
            folder.display()
        );
    }
    found.files.sort_by(|a, b| a.name.cmp(&b.name));
    found.left_out.sort();
    Ok(found)
}

fn look(folder: &Path, prefix: &str, stated: Option<Format>, found: &mut Found) -> anyhow::Result<()> {
    let unreadable = || format!("\"{}\" cannot be read", folder.display());
    let entries: Vec<DirEntry> =
        std::fs::read_dir(folder).and_then(Iterator::collect).with_context(unreadable)?;
    for entry in entries {
        let file_name = entry.file_name();
        let file_name = file_name.to_string_lossy();
        if file_name.starts_with(['.', '_']) {
            continue;
        }
        let name = format!("{prefix}{file_name}");
        if entry.file_type().with_context(unreadable)?.is_dir() {
            look(&entry.path(), &format!("{name}/"), stated, found)?;
        } else if entry.path().is_file() {
            match format_of(&file_name).or(stated) {
                Some(format) => found.files.push(Source::named(&entry.path(), name, format)?),
                None => found.left_out.push(name),
            }
        }
    }
    Ok(())
}

/// Where an import of many files is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// From 1.
    pub number: usize,
    pub of: usize,
    pub name: &'a str,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "file {} of {}, \"{}\"", self.number, self.of, self.name)
    }
}

/// Whoever wants to know how an import of many files goes on.
pub trait Follower {
    /// A file begins; gives who is told how far it is.
    fn begins(&mut self, place: Place<'_>) -> Observer;

    fn ended(&mut self, report: &Report);
}

/// Imports one file after the other.
///
/// # Errors
/// Those of the first file that cannot be imported, which they name; the files before it are there, and the same call
/// goes on with this one.
pub async fn load_all(
    plans: Vec<Plan>,
    config: &Config,
    context: &Context,
    store: &Store,
    follower: &mut impl Follower,
) -> anyhow::Result<Totals> {
    let (of, mut totals) = (plans.len(), Totals::default());
    for (number, plan) in (1..).zip(plans) {
        let name = plan.source.name.clone();
        let place = Place { number, of, name: &name };
        if context.stopper.is_cancelled() {
            bail!("the import was stopped before {place}; the same command goes on there");
        }
        let observer = follower.begins(place);
        let report = load(plan, config, context, store, observer).await.with_context(|| place.to_string())?;
        follower.ended(&report);
        totals.add(&report);
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_below_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = [
            "b.csv",
            "2026/11/02.parquet",
            "2026/11/01.ndjson.gz",
            "a.jsonl",
            "_SUCCESS",
            ".a.csv.crc",
            "_temporary/0.csv",
            "README.md",
            "part-0",
        ];
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, "").expect("written");
        }
        let of = |stated| {
            let Found { files, left_out } = find(folder.path(), stated).expect("files");
            (files.into_iter().map(|file| file.name).collect::<Vec<_>>(), left_out)
        };
        let (files, left_out) = of(None);
        assert_eq!(files, ["2026/11/01.ndjson.gz", "2026/11/02.parquet", "a.jsonl", "b.csv"]);
        assert_eq!(left_out, ["README.md", "part-0"]);
        assert_eq!(of(Some(Format::Csv)).1, Vec::<String>::new());
    }

    #[test]
    fn a_directory_without_anything_to_import_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = find(folder.path(), None).expect_err("nothing").to_string();
        assert!(error.contains("holds no file to import"), "{error}");
    }
}
