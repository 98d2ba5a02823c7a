//! `leeway sql`: asks the store anything. The verdicts belong to the user.

use std::io::Write;

use crate::config::Config;
use crate::system;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The statement.
    statement: String,
    /// Any output format of ClickHouse: PrettyCompact, TSV, CSV, JSON, JSONEachRow, Parquet …
    #[arg(long, default_value = "PrettyCompactMonoBlock")]
    format: String,
}

pub async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let opened = system::open(config).await?;
    if opened.is_own_engine() {
        ::sql::migrate::migrate(&opened.store).await?;
    }
    let answer = opened.store.ask(&args.statement, &args.format).await;
    opened.close().await?;
    let mut out = std::io::stdout().lock();
    match out.write_all(&answer?).and_then(|()| out.flush()) {
        // `leeway sql … | head` closes the pipe; that is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
