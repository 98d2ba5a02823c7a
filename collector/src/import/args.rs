//! The command line of an import, and of everything else that reads a file by a mapping.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use domain::time::Instant;

use super::directory::{self, Found};
use super::mapping::{EXAMPLE, Mapping};
use super::plan::Plan;
use super::source::{Format, Source};

/// `leeway import`.
#[derive(Clone, Debug, ClapArgs)]
#[command(disable_version_flag = true)]
pub struct Args {
    /// The file: .parquet, .csv or .ndjson (.jsonl); the text formats also packed as .gz or .zst. Or a directory: all such
    /// files in it and below it, in the order of their names
    #[arg(value_name = "FILE|DIRECTORY")]
    pub file: PathBuf,
    /// The model that made the predictions
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// Shift every time in the file so that the last prediction lies here: an instant such as 2026-11-20T18:00:00Z, or now
    #[arg(long, value_name = "TIME")]
    pub end_at: Option<String>,
    /// Import although the same content was imported with another mapping: its events are then there twice
    #[arg(long)]
    pub again: bool,
    #[command(flatten)]
    pub mapping: MappingArgs,
}

/// What the columns mean, by flags or by a file; flags win.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "What the columns mean (a column that nothing names is a feature)")]
pub struct MappingArgs {
    /// A TOML file that says what the columns mean
    #[arg(long, value_name = "FILE", long_help = mapping_help())]
    pub mapping: Option<PathBuf>,
    /// What the file is, where its name does not say it
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// The column with the prediction's id
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// The column with the time of the prediction: RFC 3339, a date and time in UTC, or a number since 1970
    #[arg(long, value_name = "COLUMN")]
    pub timestamp: Option<String>,
    /// The model's version, for all rows
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// The column with the model's version
    #[arg(long, value_name = "COLUMN")]
    pub version_column: Option<String>,
    /// The environment, for all rows (production where nothing is said)
    #[arg(long, value_name = "ENVIRONMENT")]
    pub environment: Option<String>,
    /// The column with the environment
    #[arg(long, value_name = "COLUMN")]
    pub environment_column: Option<String>,
    /// A feature; where any is named, only those named are features
    #[arg(long = "feature", value_name = "COLUMN")]
    pub features: Vec<String>,
    /// An output of the model: COLUMN becomes prediction.NAME
    #[arg(long = "prediction", value_name = "[NAME=]COLUMN")]
    pub predictions: Vec<String>,
    /// What came of it: COLUMN becomes outcome.NAME, by the prediction's id
    #[arg(long = "outcome", value_name = "[NAME=]COLUMN")]
    pub outcomes: Vec<String>,
    /// The column with the time at which the outcome was known
    #[arg(long, value_name = "COLUMN")]
    pub outcome_timestamp: Option<String>,
    /// A tag of the event
    #[arg(long = "tag", value_name = "[NAME=]COLUMN")]
    pub tags: Vec<String>,
    /// How much a feature contributed to the prediction
    #[arg(long = "attribution", value_name = "[FEATURE=]COLUMN")]
    pub attributions: Vec<String>,
    /// When a feature was computed: its age becomes a signal
    #[arg(long = "feature-timestamp", value_name = "[FEATURE=]COLUMN")]
    pub feature_timestamps: Vec<String>,
    /// The column with the latency in milliseconds
    #[arg(long, value_name = "COLUMN")]
    pub latency_ms: Option<String>,
    /// The column with the error of a prediction that failed
    #[arg(long, value_name = "COLUMN")]
    pub error: Option<String>,
    /// The column with the trace id
    #[arg(long, value_name = "COLUMN")]
    pub trace_id: Option<String>,
    /// A column to leave out
    #[arg(long, value_name = "COLUMN")]
    pub ignore: Vec<String>,
    /// A column whose values are numbers; a row with another value in it is refused
    #[arg(long = "number", value_name = "COLUMN")]
    pub numbers: Vec<String>,
    /// A column whose values are categories, also where they look like numbers
    #[arg(long = "category", value_name = "COLUMN")]
    pub categories: Vec<String>,
    /// A text of a CSV file that means that there is no value (else: nothing, NA, null, NULL)
    #[arg(long, value_name = "TEXT")]
    pub null: Vec<String>,
}

fn mapping_help() -> String {
    let example: String = EXAMPLE.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "A TOML file that says what the columns mean, such as\n\n{example}\nEvery flag below has its key there."
    )
}

impl MappingArgs {
    /// The mapping of the file, if one is named, with what the flags say.
    pub fn resolve(self) -> anyhow::Result<(Mapping, Option<Format>)> {
        let file = match &self.mapping {
            Some(path) => Mapping::read(path)?,
            None => Mapping::default(),
        };
        let format = self.format;
        let mapping = file.with(self.flags());
        mapping.check()?;
        Ok((mapping, format))
    }

    fn flags(self) -> Mapping {
        let set = |columns: Vec<String>| columns.into_iter().collect::<BTreeSet<String>>();
        Mapping {
            id: self.id,
            timestamp: self.timestamp,
            version: self.version,
            version_column: self.version_column,
            environment: self.environment,
            environment_column: self.environment_column,
            features: set(self.features),
            predictions: renamed(self.predictions),
            outcomes: renamed(self.outcomes),
            outcome_timestamp: self.outcome_timestamp,
            tags: renamed(self.tags),
            attributions: renamed(self.attributions),
            feature_timestamps: renamed(self.feature_timestamps),
            latency_ms: self.latency_ms,
            error: self.error,
            trace_id: self.trace_id,
            ignore: set(self.ignore),
            numbers: set(self.numbers),
            categories: set(self.categories),
            null: Some(self.null).filter(|words| !words.is_empty()),
        }
    }
}

/// `NAME=COLUMN`, or a column that keeps its name.
fn renamed(texts: Vec<String>) -> BTreeMap<String, String> {
    texts
        .into_iter()
        .map(|text| match text.split_once('=') {
            Some((name, column)) => (name.to_owned(), column.to_owned()),
            None => (text.clone(), text),
        })
        .collect()
}

impl Args {
    /// The plans that the flags make: one a file.
    ///
    /// # Errors
    /// Names the flag or the key of the mapping file that is wrong.
    pub fn plans(self, now: Instant) -> anyhow::Result<Plans> {
        let (mapping, format) = self.mapping.resolve()?;
        let end_at = self.end_at.as_deref().map(|text| end_at(text, now)).transpose()?;
        let is_directory = self.file.is_dir();
        if is_directory && end_at.is_some() {
            bail!(
                "--end-at moves one file, and would move each of a directory's files by itself: leave it out"
            );
        }
        let Found { files, left_out } = match is_directory {
            true => directory::find(&self.file, format)?,
            false => Found { files: vec![Source::file(&self.file, format)?], left_out: Vec::new() },
        };
        let plan =
            |source| Plan { end_at, again: self.again, ..Plan::new(source, &self.model, mapping.clone()) };
        Ok(Plans {
            model: self.model.clone(),
            is_directory,
            plans: files.into_iter().map(plan).collect(),
            left_out,
        })
    }
}

/// What is imported, file by file.
#[derive(Clone, Debug)]
pub struct Plans {
    pub model: String,
    pub is_directory: bool,
    pub plans: Vec<Plan>,
    /// Files of a directory of which nothing says what they are.
    pub left_out: Vec<String>,
}

fn end_at(text: &str, now: Instant) -> anyhow::Result<Instant> {
    if text == "now" { Ok(now) } else { text.parse().context("--end-at is neither an instant nor now") }
}

#[cfg(test)]
mod tests {
    use clap::{Parser, Subcommand};

    use super::*;

    /// As the executable wraps it: with a `--version` of its own.
    #[derive(Debug, Parser)]
    #[command(version = "0", propagate_version = true)]
    struct Cli {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, Subcommand)]
    enum Command {
        Import(Args),
    }

    fn parse(line: &str) -> Args {
        let Command::Import(args) = Cli::try_parse_from(line.split(' ')).expect("a command line").command;
        args
    }

    #[test]
    fn flags_become_a_mapping() {
        let args = parse(
            "leeway import a.parquet --model flights --id id --timestamp ts --version 2013-04 \
             --prediction score=model_score --outcome late --ignore tailnum --ignore year --category weekday",
        );
        let (mapping, format) = args.mapping.resolve().expect("in order");
        assert_eq!(format, None);
        assert_eq!(mapping.version.as_deref(), Some("2013-04"));
        assert_eq!(mapping.predictions["score"], "model_score");
        assert_eq!(mapping.outcomes["late"], "late");
        assert_eq!(mapping.ignore.len(), 2);
    }

    #[test]
    fn the_end_is_an_instant_or_now() {
        let now = Instant::from_seconds(7);
        assert_eq!(end_at("now", now).ok(), Some(now));
        assert_eq!(end_at("1970-01-02", now).ok(), Some(Instant::from_seconds(86_400)));
        assert!(end_at("tomorrow", now).expect_err("no time").to_string().contains("--end-at"));
    }
}
