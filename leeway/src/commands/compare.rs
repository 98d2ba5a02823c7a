//! `leeway compare`: two files, or two windows of a model, side by side; and a gate by exit code.

mod html;
mod markdown;
mod progress;
mod table;
pub(super) mod windows;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analyzer::files::{Choice, Tables};
use analyzer::side_by_side::judged::{Judged, LEVEL, judge};
use analyzer::side_by_side::report::{Report, Source};
use analyzer::side_by_side::rules::Rule;
use analyzer::stats::multiple::Adjustment;
use anyhow::{Context as _, bail};
use clap::ValueEnum;
use domain::time::Interval;
use sql::segments::Condition;

use crate::cli;
use crate::config::Config;

pub const EXAMPLES: &str = "Examples:
  leeway compare training.parquet today.parquet
  leeway compare champion.csv candidate.csv --ignore id --fail-on drift --fail-on 'missing_share>0.05'
  leeway compare a.ndjson b.ndjson --format json --output report.json
  leeway compare --model fraud --baseline-window 2026-11-01..2026-11-08 --current-window 2026-11-08..2026-11-09
  leeway compare --model fraud --baseline initial --current-window 2026-11-08..2026-11-09
  leeway compare --model fraud --baseline-window 2026-11-01..2026-11-08 --current-window 2026-11-08..2026-11-09 --segment country=BR

Exit code: 0 where no rule of --fail-on catches anything, 1 where one does or a side is empty, 2 where the comparison cannot be made.";

/// The gate let nothing pass that a rule catches.
const CAUGHT: u8 = 1;
const FAILED: u8 = 2;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to compare with: Parquet, CSV or NDJSON, by its ending
    #[arg(value_name = "BASELINE", required_unless_present = "model", requires = "current")]
    baseline_file: Option<PathBuf>,
    /// The file that is looked at
    #[arg(value_name = "CURRENT", id = "current")]
    current_file: Option<PathBuf>,
    /// Two windows of this model, from what is counted, instead of two files
    #[arg(long, value_name = "MODEL", conflicts_with = "baseline_file", requires = "current_window")]
    model: Option<String>,
    /// The environment of the model
    #[arg(long, value_name = "NAME", default_value = domain::contract::DEFAULT_ENVIRONMENT, requires = "model")]
    environment: String,
    /// The stretch of event time to compare with, such as 2026-11-01..2026-11-08
    #[arg(long, value_name = "FROM..TO", value_parser = windows::interval, requires = "model", conflicts_with = "baseline_file")]
    baseline_window: Option<Interval>,
    /// A named baseline to compare with, instead of a window
    #[arg(long, value_name = "NAME", conflicts_with_all = ["baseline_window", "baseline_file"], requires = "model")]
    baseline: Option<String>,
    /// The stretch of event time that is looked at
    #[arg(long, value_name = "FROM..TO", value_parser = windows::interval, requires = "model", conflicts_with = "baseline_file")]
    current_window: Option<Interval>,
    /// Only events with this value of a category or tag, such as country=BR or tag.region=us; where repeated, all must hold
    #[arg(long, value_name = "NAME=VALUE", value_parser = windows::condition, requires = "model", conflicts_with = "baseline")]
    segment: Vec<Condition>,
    /// Only these columns or signals, with commas between them
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,
    /// Not these
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    ignore: Vec<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write to this file instead of to the terminal
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Fail where this catches a signal: drift, missing, psi>0.2, missing_share>0.05 …; several with commas, or repeated
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    fail_on: Vec<Rule>,
    /// How tests of many signals are corrected for being many
    #[arg(long, value_enum, default_value_t = Correction::Bh)]
    correction: Correction,
    /// The part of the signals called off course that may be so by chance
    #[arg(long, value_name = "SHARE", default_value_t = LEVEL, value_parser = level)]
    level: f64,
    /// How many columns are compared at once; as many as there are cores where none is named
    #[arg(long, value_name = "N")]
    threads: Option<std::num::NonZeroUsize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Html,
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Correction {
    /// Benjamini-Hochberg
    Bh,
    /// Benjamini-Yekutieli: for any dependence between signals, and stricter
    By,
    /// Holm
    Holm,
    /// Bonferroni
    Bonferroni,
}

impl From<Correction> for Adjustment {
    fn from(correction: Correction) -> Self {
        match correction {
            Correction::Bh => Self::BenjaminiHochberg,
            Correction::By => Self::BenjaminiYekutieli,
            Correction::Holm => Self::Holm,
            Correction::Bonferroni => Self::Bonferroni,
        }
    }
}

fn level(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(level) if level > 0.0 && level < 1.0 => Ok(level),
        _ => Err("a level lies between 0 and 1, such as 0.05".to_owned()),
    }
}

/// Runs the command; the configuration is read only where the store is needed.
pub fn main(args: Args, config: impl FnOnce() -> anyhow::Result<Config>) -> ExitCode {
    match run(&args, config) {
        Ok(caught) if caught.is_empty() => ExitCode::SUCCESS,
        Ok(caught) => {
            caught.iter().for_each(|caught| eprintln!("leeway: {caught}"));
            ExitCode::from(CAUGHT)
        }
        Err(error) => {
            cli::complain(&error);
            ExitCode::from(FAILED)
        }
    }
}

/// What each rule caught, in a line each.
fn run(args: &Args, config: impl FnOnce() -> anyhow::Result<Config>) -> anyhow::Result<Vec<String>> {
    let report = match (&args.baseline_file, &args.current_file, &args.model) {
        (Some(baseline), Some(current), _) => of_files(args, baseline, current)?,
        (_, _, Some(model)) => cli::block_on(windows::compare(args, model, config()?))?,
        _ => bail!("there is nothing to compare: give two files, or --model and two windows"),
    };
    report.notes.iter().for_each(|note| eprintln!("leeway: {note}"));
    write(args, &report)?;
    let mut all: Vec<String> = args.fail_on.iter().filter_map(|rule| caught(rule, &report.signals)).collect();
    if !args.fail_on.is_empty() {
        all.extend([&report.baseline, &report.current].into_iter().filter_map(empty));
    }
    Ok(all)
}

fn of_files(args: &Args, baseline: &Path, current: &Path) -> anyhow::Result<Report> {
    let progress = progress::Progress::default();
    let tables = Tables::open(baseline, current)?;
    let choice = Choice { columns: args.columns.clone(), ignored: args.ignore.clone() };
    let names = tables.chosen(&choice)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let threads = args.threads.map_or(cores, std::num::NonZeroUsize::get);
    progress.begin(tables.values(&names));
    let measured = tables.measured(&names, threads, &|values| progress.add(values))?;
    progress.end();
    let left_out = [(baseline, &tables.baseline), (current, &tables.current)];
    let notes = left_out.into_iter().flat_map(|(path, table)| {
        let described = move |left: &analyzer::files::table::LeftOut| {
            format!("column \"{}\" of {} holds {}: not compared", left.name, path.display(), left.what)
        };
        table.left_out.iter().map(described)
    });
    let source = |path: &Path, rows: u64| Source { source: path.display().to_string(), rows };
    Ok(Report {
        baseline: source(baseline, tables.baseline.rows),
        current: source(current, tables.current.rows),
        notes: notes.collect(),
        signals: judge(measured, args.correction.into(), args.level),
    })
}

fn write(args: &Args, report: &Report) -> anyhow::Result<()> {
    let is_terminal = args.output.is_none() && std::io::stdout().is_terminal();
    let is_coloured = is_terminal && std::env::var_os("NO_COLOR").is_none();
    let text = match args.format {
        Format::Table => table::drawn(report, is_coloured),
        Format::Json => report.json().context("the report cannot be written as JSON")? + "\n",
        Format::Html => html::page(report),
        Format::Markdown => markdown::page(report),
    };
    let Some(path) = &args.output else {
        let mut out = std::io::stdout().lock();
        return match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // `leeway compare … | head` closes the pipe; that is no failure.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        };
    };
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// No rule can catch anything where there is nothing, and a gate must not open for that.
fn empty(source: &Source) -> Option<String> {
    (source.rows == 0).then(|| format!("{} has no rows, so that no rule can be asked", source.source))
}

/// `psi>0.2 caught 3 signals: temp, humid, score`.
fn caught(rule: &Rule, signals: &[Judged]) -> Option<String> {
    const NAMED: usize = 10;
    let caught: Vec<&str> = signals
        .iter()
        .filter(|judged| rule.catches(judged))
        .map(|judged| judged.measured.name.as_str())
        .collect();
    let more = caught.len().saturating_sub(NAMED);
    let further = if more > 0 { format!(" and {more} more") } else { String::new() };
    let signals = if caught.len() == 1 { "signal" } else { "signals" };
    let named = caught.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    (!caught.is_empty()).then(|| format!("{rule} caught {} {signals}: {named}{further}", caught.len()))
}

/// What heads every form of the report.
fn summary(report: &Report) -> String {
    let off = report.off_course();
    let of = match report.signals.len() {
        0 => "There is no signal to compare".to_owned(),
        1 if off == 1 => "The only signal is off course".to_owned(),
        1 => "The only signal is not off course".to_owned(),
        all => format!("{off} of {all} signals {} off course", if off == 1 { "is" } else { "are" }),
    };
    let rows = |source: &Source| format!("{} ({} rows)", source.source, analyzer::words::count(source.rows));
    format!("{of}: {} against {}", rows(&report.current), rows(&report.baseline))
}

/// What the people's forms show of a signal beside its sentence.
fn cells(judged: &Judged) -> [String; 6] {
    use analyzer::words::{percent, statistic};
    let measured = &judged.measured;
    let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), statistic);
    let share = |part: u64, rows: u64| percent(part as f64 / rows.max(1) as f64);
    let (before, now) = (measured.baseline, measured.current);
    let nulls = (share(before.missing, before.rows()), share(now.missing, now.rows()));
    [
        measured.name.clone(),
        judged.verdict.name().replace('_', " "),
        shown(measured.shift_sd()),
        shown(measured.statistics.psi),
        shown(measured.statistics.ks),
        if nulls.0 == nulls.1 { nulls.0 } else { format!("{} → {}", nulls.0, nulls.1) },
    ]
}

/// What stands above them.
const HEADS: [&str; 6] = ["signal", "verdict", "shift (sd)", "PSI", "KS", "null"];
