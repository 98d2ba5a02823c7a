//! `leeway backtest`: what a configuration would have told of a stretch of a model's history, and against another one.
//!
//! Invariant: it stores nothing. Verdicts are made by the analyzer's own code and become incidents by the alerter's.

mod drawn;
mod outcome;
mod report;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use analyzer::{Progress, Replay};
use anyhow::{Context as _, bail, ensure};
use domain::time::{Clock, Instant, Interval};
use indicatif::{ProgressBar, ProgressStyle};
use service::Context;

use crate::config::Config;
use crate::system;
use outcome::Outcome;
use report::Report;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model.
    #[arg(long)]
    model: String,
    /// One environment; all of them where none is named.
    #[arg(long, default_value = "")]
    environment: String,
    /// Where the history begins: a day, or an instant in RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: When,
    /// Where it ends.
    #[arg(long, value_name = "TIME")]
    to: When,
    /// Another configuration to compare with: its sections [analyzer], [alerter] and [models] count.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A day is its beginning.
#[derive(Clone, Copy, Debug)]
struct When(Instant);

impl std::str::FromStr for When {
    type Err = domain::time::ParseInstantError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole =
            if text.len() == "2026-11-20".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
        whole.parse().map(Self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Html,
    Markdown,
}

pub async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let stretch = Interval::new(args.from.0, args.to.0);
    ensure!(!stretch.is_empty(), "--to must lie after --from");
    let other = match &args.against {
        Some(file) => Some(Config::load(Some(file)).context("the configuration to compare with")?),
        None => None,
    };
    let opened = system::open(config).await?;
    if opened.is_own_engine() {
        ::sql::migrate::migrate(&opened.store).await?;
    }
    let replay = Replay { model: args.model, environment: args.environment, stretch };
    let report = reported(config, other.as_ref(), args.against, &opened.store, &replay).await;
    opened.close().await?;
    let report = report?;
    let text = match args.format {
        Format::Text => drawn::text(&report),
        Format::Markdown => drawn::markdown(&report),
        Format::Html => drawn::html(&report),
        Format::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

async fn reported(
    config: &Config,
    other: Option<&Config>,
    file: Option<PathBuf>,
    store: &::sql::Store,
    replay: &Replay,
) -> anyhow::Result<Report> {
    let mut outcomes = vec![replayed("this configuration", config, store, replay).await?];
    if let (Some(other), Some(file)) = (other, file) {
        outcomes.push(replayed(&file.display().to_string(), other, store, replay).await?);
    }
    if outcomes.iter().all(|outcome| outcome.windows == 0) {
        let lacking: Vec<&str> =
            outcomes.iter().flat_map(|outcome| &outcome.without_baseline).map(String::as_str).collect();
        if lacking.is_empty() {
            bail!("model \"{}\" has no events, or no watch that looks at this stretch", replay.model);
        }
        bail!("nothing can be said without a baseline: {}", lacking.join(", "));
    }
    Ok(Report::new(replay, outcomes))
}

async fn replayed(
    name: &str,
    config: &Config,
    store: &::sql::Store,
    replay: &Replay,
) -> anyhow::Result<Outcome> {
    let context = Context::quiet(Clock::System, config.models.clone());
    // What was stated by the API is judged by as well, unless this configuration states otherwise.
    collector::contracts::take_up(store, &context.contracts).await?;
    let bar = Bar::new(name);
    let replayed =
        analyzer::replay(&config.analyzer, &context, store, replay, |progress| bar.tell(&progress)).await?;
    bar.0.finish_and_clear();
    Ok(Outcome::of(name, &config.alerter, replayed))
}

/// Progress on a terminal; what is piped stays clean, because the bar is drawn on stderr.
struct Bar(ProgressBar);

impl Bar {
    fn new(name: &str) -> Self {
        let bar =
            if std::io::stderr().is_terminal() { ProgressBar::new(1_000) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{prefix}: {bar:30} {percent} %, {msg}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_owned());
        Self(bar)
    }

    fn tell(&self, progress: &Progress) {
        self.0.set_position((progress.part * 1_000.0) as u64);
        let Progress { environment, watch, windows, .. } = progress;
        self.0.set_message(format!("watch {watch} in {environment}, {windows} windows"));
    }
}
