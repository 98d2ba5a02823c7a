//! The whole configuration: one section a crate, one a model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::contract::Contract;
use serde::Deserialize;
use service::config::ConfigError;

/// The file that is read where none is named and it exists.
pub const USUAL_FILE: &str = "leeway.toml";

/// Everything that can be said in `leeway.toml` and by the environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the embedded engine and the spool keep their files. Not used where `clickhouse.url` names a server.
    pub data_dir: PathBuf,
    pub clickhouse: sql::Config,
    pub engine: engine::EngineConfig,
    pub collector: collector::Config,
    pub analyzer: analyzer::Config,
    pub alerter: alerter::Config,
    pub dashboards: dashboards::Config,
    pub telemetry: service::telemetry::Config,
    /// What the owners of models state about them, by model.
    pub models: BTreeMap<String, Contract>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("leeway-data"),
            clickhouse: sql::Config::default(),
            engine: engine::EngineConfig::default(),
            collector: collector::Config::default(),
            analyzer: analyzer::Config::default(),
            alerter: alerter::Config::default(),
            dashboards: dashboards::Config::default(),
            telemetry: service::telemetry::Config::default(),
            models: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Reads the file named, or `leeway.toml` where there is one, and the environment; then checks all of it.
    ///
    /// # Errors
    /// Names the file or variable, the key and what would be right.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let usual = Path::new(USUAL_FILE);
        let file = named.or_else(|| usual.exists().then_some(usual));
        let config: Self = service::config::load(file)?;
        config.check().map_err(|problem| {
            let place = file.map_or_else(String::new, |file| format!("{}: ", file.display()));
            ConfigError::Wrong(format!("{place}{problem}"))
        })?;
        Ok(config)
    }

    /// Says what is wrong across sections; what one section alone can know was checked when it was read.
    pub fn check(&self) -> Result<(), String> {
        self.clickhouse.check().map_err(|error| error.to_string())?;
        dashboards::auth::check(&self.dashboards).map_err(|error| error.to_string())?;
        let privacy = self.collector.privacy.settings().map_err(|error| format!("{error:#}"))?;
        for (model, contract) in &self.models {
            contract.check(model).map_err(|error| error.to_string())?;
            privacy.check(model, contract)?;
        }
        Ok(())
    }
}
