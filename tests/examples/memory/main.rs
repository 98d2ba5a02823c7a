//! What Leeway's processes hold in memory: a collector under what fills it most, or each role of a system at work.
//!
//! ```text
//! cargo build --release --workspace --bins --examples
//! target/release/examples/memory collector [idle|full|stalled|crumbs|names …]
//! target/release/examples/memory roles [seconds]
//! ```

mod collector;
mod roles;

use std::path::{Path, PathBuf};

use anyhow::bail;
use sql::Store;
use tests::{Folder, free_port};

/// A store and where the processes that use it keep their files.
struct Place {
    folder: Folder,
    config: PathBuf,
    /// Of collector, analyzer, alerter and dashboards.
    listens: [String; 4],
}

impl Place {
    /// The usual configuration on a store; none is named where the process brings its own.
    fn new(store: Option<&Store>) -> Self {
        let folder = Folder::new();
        let listens = [(); 4].map(|()| format!("127.0.0.1:{}", free_port()));
        let mut lines = vec![format!("data_dir = \"{}\"", folder.path().display())];
        if let Some(sql::Config { url, user, password, database, retention, .. }) = store.map(Store::config) {
            lines.extend([
                format!("[clickhouse]\nurl = \"{url}\"\nuser = \"{user}\""),
                format!("password = \"{password}\"\ndatabase = \"{database}\"\n[clickhouse.retention]"),
                format!(
                    "events_days = {}\nrejected_days = {}",
                    retention.events_days, retention.rejected_days
                ),
                format!("minutes_days = {}\nhours_days = {}", retention.minutes_days, retention.hours_days),
            ]);
        }
        let roles = ["collector", "analyzer", "alerter", "dashboards"].into_iter().zip(&listens);
        lines.extend(roles.map(|(role, listen)| format!("[{role}]\nlisten = \"{listen}\"")));
        let config = folder.path().join("leeway.toml");
        std::fs::write(&config, lines.join("\n")).expect("a configuration");
        Self { folder, config, listens }
    }

    fn log(&self) -> PathBuf {
        Path::new(self.folder.path()).join("log")
    }
}

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    service::http::install_tls();
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("collector") => collector::measure(&arguments.collect::<Vec<_>>()).await,
        Some("roles") => roles::measure(arguments.next().map_or(Ok(60), |text| text.parse())?).await,
        other => bail!("{other:?} is not measured (known: collector, roles)"),
    }
}
