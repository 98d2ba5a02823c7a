//! The command line: which commands there are, and what each prints when it fails.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service::telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::commands;
use crate::config::Config;
use crate::demo;
use crate::system::{self, Role};

/// Watches machine-learning models in production: sees one go off course, says why, and pages.
#[derive(Debug, Parser)]
#[command(name = "leeway", version, propagate_version = true)]
pub struct Cli {
    /// The configuration file; `leeway.toml` where there is one and none is named.
    #[arg(long, global = true, env = "LEEWAY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the embedded engine keeps its tables (instead of `data_dir`).
    #[arg(long = "data", global = true, env = "LEEWAY_DATA_DIR", value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows everything on a year of real flights: sets up, loads, breaks something, and tells where to look.
    #[command(after_help = "Example:\n  leeway demo --port 4840 --fresh")]
    Demo(demo::Args),
    /// Runs the whole system: the store (unless clickhouse.url names one), all roles, and the pages.
    #[command(after_help = "Example:\n  leeway up --config leeway.toml --data /var/lib/leeway")]
    Up,
    /// Runs the collector alone against clickhouse.url.
    #[command(after_help = "Example:\n  LEEWAY_CLICKHOUSE__URL=http://clickhouse:8123 leeway collector")]
    Collector,
    /// Runs the analyzer alone against clickhouse.url.
    #[command(after_help = "Example:\n  LEEWAY_CLICKHOUSE__URL=http://clickhouse:8123 leeway analyzer")]
    Analyzer,
    /// Runs the alerter alone against clickhouse.url.
    #[command(after_help = "Example:\n  LEEWAY_CLICKHOUSE__URL=http://clickhouse:8123 leeway alerter")]
    Alerter,
    /// Runs the pages alone against clickhouse.url.
    #[command(after_help = "Example:\n  LEEWAY_CLICKHOUSE__URL=http://clickhouse:8123 leeway dashboards")]
    Dashboards,
    /// Loads recorded predictions and outcomes: Parquet, CSV or NDJSON.
    #[command(
        after_help = "Example:\n  leeway import flights.parquet --model flights --id prediction_id --timestamp ts --prediction score --outcome late"
    )]
    Import(Box<collector::import::Args>),
    /// Makes a named baseline: of a stretch of time, a file, or a version.
    #[command(subcommand)]
    Baseline(collector::baseline::Command),
    /// Counts again, from the raw events, what was written past the collector.
    #[command(after_help = "Example:\n  leeway recount --model flights --from 2026-11-01 --to 2026-11-08")]
    Recount(collector::recount::Args),
    /// Compares two files, or two windows of a model: what moved, and may this be released?
    #[command(after_help = commands::compare::EXAMPLES)]
    Compare(Box<commands::compare::Args>),
    /// Compares two samples of a model's events as wholes: correlations, a classifier, embeddings, attributions, parity.
    #[command(after_help = commands::drift::EXAMPLES)]
    Drift(Box<commands::drift::Args>),
    /// Replays history: how often, when and why a configuration would have told somebody. Stores nothing.
    #[command(
        after_help = "Example:\n  leeway backtest --model flights --from 2026-10-01 --to 2026-11-01 --against other.toml"
    )]
    Backtest(commands::backtest::Args),
    /// Brings the store's schema and retention to what this build and the configuration say.
    #[command(after_help = "Example:\n  LEEWAY_CLICKHOUSE__URL=http://clickhouse:8123 leeway migrate")]
    Migrate,
    /// Reads the configuration and says what is wrong with it, or what holds.
    #[command(after_help = "Example:\n  leeway check --config leeway.toml")]
    Check,
    /// Asks the store anything in SQL, whether a system runs or not.
    #[command(
        after_help = "Example:\n  leeway sql \"SELECT model, count() FROM predictions GROUP BY model\" --format PrettyCompact"
    )]
    Sql(commands::sql::Args),
    /// Says why an incident came about: what moved, where, since when, and what else changed.
    #[command(after_help = "Example:\n  leeway why 7f3c21a0")]
    Why(commands::why::Args),
    /// Prints the hash of a password, for dashboards.users.
    #[command(after_help = "Example:\n  leeway hash-password < password.txt")]
    HashPassword,
    /// Makes a token for a program: prints it once, and the hash that stands for it in the configuration.
    #[command(after_help = "Example:\n  leeway token --name ci --scope ingest --model fraud")]
    Token(commands::token::Args),
    /// The embedded engine itself; started and supervised by the other commands.
    #[command(hide = true)]
    Engine,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::Engine) {
        return end(engine::serve_child());
    }
    if let Command::Compare(args) = cli.command {
        return commands::compare::main(*args, || configured(cli.config.as_deref(), cli.data));
    }
    end(dispatch(cli))
}

/// Prints the whole chain of causes, once, and says by the exit code whether it went well.
fn end(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<()> {
    service::http::install_tls();
    if let Command::Demo(args) = cli.command {
        return demo::start(args, cli.data);
    }
    if let Command::Token(args) = cli.command {
        return commands::token::run(&args);
    }
    let config = configured(cli.config.as_deref(), cli.data)?;
    match cli.command {
        Command::Up => serve(&config, "up", &Role::ALL),
        Command::Collector => serve(&config, "collector", &[Role::Collector]),
        Command::Analyzer => serve(&config, "analyzer", &[Role::Analyzer]),
        Command::Alerter => serve(&config, "alerter", &[Role::Alerter]),
        Command::Dashboards => serve(&config, "dashboards", &[Role::Dashboards]),
        Command::Check => commands::check(&config),
        Command::Migrate => block_on(commands::migrate(&config)),
        Command::Sql(args) => block_on(commands::sql::run(&config, args)),
        Command::Import(args) => block_on(commands::import(&config, *args)),
        Command::Baseline(command) => block_on(commands::baseline(&config, command)),
        Command::Recount(args) => block_on(commands::recount(&config, args)),
        Command::Drift(args) => block_on(commands::drift::run(&config, *args)),
        Command::Backtest(args) => block_on(commands::backtest::run(&config, args)),
        Command::Why(args) => block_on(commands::why::run(&config, args)),
        Command::HashPassword => commands::hash_password::run(),
        Command::Compare(_) | Command::Demo(_) | Command::Token(_) | Command::Engine => {
            unreachable!("handled before the configuration is read")
        }
    }
}

fn configured(file: Option<&Path>, data: Option<PathBuf>) -> anyhow::Result<Config> {
    let mut config = Config::load(file)?;
    if let Some(data) = data {
        config.data_dir = data;
    }
    Ok(config)
}

/// The whole chain of causes, once.
pub(crate) fn complain(error: &anyhow::Error) {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    eprintln!("leeway: {}", causes.join("\n  because: "));
}

pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Runs roles until a signal. `up` brings its own store where none is named; a single role needs one.
fn serve(config: &Config, role: &str, roles: &[Role]) -> anyhow::Result<()> {
    service::memory::keep_little();
    let telemetry = Telemetry::start(&config.telemetry, role)?;
    let outcome = block_on(async {
        let stopper = CancellationToken::new();
        service::stop::on_signals(stopper.clone())?;
        let opened =
            if role == "up" { system::open_and_migrate(config).await? } else { system::attach(config)? };
        let context = system::context(config, &telemetry, stopper);
        let outcome = system::run_roles(roles, config, &context, &opened.store, &telemetry).await;
        opened.close().await?;
        outcome
    });
    telemetry.finish();
    outcome
}
