//! The schema: numbered files, one statement each, applied by one process, recorded, repeatable.
//!
//! Invariant: a statement can be run twice without harm (`IF NOT EXISTS`), so a migration that died half-way is simply
//! run again. A service never runs on a schema that it does not know: it waits for an older one to be migrated and
//! refuses a newer one.

mod render;

use std::time::Duration;

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Retention};
use crate::error::Error;
use crate::store::Store;
use render::statements;

/// One file of `migrations/`.
struct Migration {
    version: u32,
    name: &'static str,
    text: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),* $(,)?) => {
        [$(Migration { version: $version, name: $name, text: include_str!(concat!("../migrations/", $name, ".sql")) }),*]
    };
}

#[rustfmt::skip]
const MIGRATIONS: [Migration; 53] = migrations![
    1 "0001_create_predictions",
    2 "0002_create_outcomes",
    3 "0003_create_rejected_events",
    4 "0004_create_grids",
    5 "0005_create_signal_minutes",
    6 "0006_create_signal_hours",
    7 "0007_create_signal_moments",
    8 "0008_create_signal_moment_hours",
    9 "0009_create_traffic_minutes",
    10 "0010_create_traffic_hours",
    11 "0011_create_intake",
    12 "0012_view_intake_to_predictions",
    13 "0013_view_intake_to_signal_minutes",
    14 "0014_view_signal_minutes_to_hours",
    15 "0015_view_intake_to_signal_moments",
    16 "0016_view_signal_moments_to_hours",
    17 "0017_view_intake_to_traffic_minutes",
    18 "0018_view_traffic_minutes_to_hours",
    19 "0019_create_baselines",
    20 "0020_create_baseline_bins",
    21 "0021_create_baseline_moments",
    22 "0022_create_performance_hours",
    23 "0023_create_evaluations",
    24 "0024_create_incident_events",
    25 "0025_create_deliveries",
    26 "0026_create_actions",
    27 "0027_create_changes",
    28 "0028_create_imports",
    29 "0029_create_grid_ranges",
    30 "0030_create_grid_levels",
    31 "0031_create_verdict_hours",
    32 "0032_view_evaluations_to_verdict_hours",
    33 "0033_create_kafka_ranges",
    34 "0034_create_breach_minutes",
    35 "0035_create_breach_hours",
    36 "0036_view_breach_minutes_to_hours",
    37 "0037_add_breaches_to_intake",
    38 "0038_view_intake_to_breach_minutes",
    39 "0039_add_rules_to_rejected_events",
    40 "0040_view_rejected_events_to_breach_minutes",
    41 "0041_keep_new_predictions_compact",
    42 "0042_create_causes",
    43 "0043_create_contracts",
    44 "0044_create_analyzer_beats",
    45 "0045_create_late_stretches",
    46 "0046_add_repeated_to_kafka_ranges",
    47 "0047_add_batch_to_predictions",
    48 "0048_add_batch_to_outcomes",
    49 "0049_add_batch_to_rejected_events",
    50 "0050_add_rules_to_intake",
    51 "0051_create_broken_rules",
    52 "0052_view_intake_to_broken_rules",
    53 "0053_create_counts_only_hours",
];

/// The version of the schema that this build knows.
pub const VERSION: u32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Which of the settings holds for a table.
type Days = fn(&Retention) -> u32;

/// Tables whose rows expire, the column their age is counted from, and the setting that says after how many days.
#[rustfmt::skip]
const EXPIRING: [(&str, &str, Days); 17] = [
    ("predictions", "toDateTime(received_at)", |r| r.events_days),
    ("broken_rules", "toDateTime(received_at)", |r| r.events_days),
    ("counts_only_hours", "hour", |r| r.events_days),
    ("outcomes", "toDateTime(received_at)", |r| r.events_days),
    ("rejected_events", "toDateTime(received_at)", |r| r.rejected_days),
    ("signal_minutes", "written_on", |r| r.minutes_days),
    ("signal_moments", "written_on", |r| r.minutes_days),
    ("traffic_minutes", "toDateTime(last_received_at)", |r| r.minutes_days),
    ("signal_hours", "written_on", |r| r.hours_days),
    ("signal_moment_hours", "written_on", |r| r.hours_days),
    ("traffic_hours", "toDateTime(last_received_at)", |r| r.hours_days),
    ("breach_minutes", "written_on", |r| r.minutes_days),
    ("breach_hours", "written_on", |r| r.hours_days),
    ("performance_hours", "toDateTime(computed_at)", |r| r.hours_days),
    ("evaluations", "toDateTime(evaluated_at)", |r| r.hours_days),
    ("verdict_hours", "toDateTime(judged_at)", |r| r.hours_days),
    ("deliveries", "toDateTime(at)", |r| r.hours_days),
];

#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
pub struct Applied {
    pub version: u32,
    pub name: String,
}

/// What a run of [`migrate`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The names of the migrations applied now, in order.
    pub applied: Vec<String>,
    /// The tables whose retention was changed to what the configuration says.
    pub retained: Vec<&'static str>,
    pub version: u32,
}

/// Brings the schema to [`VERSION`] and the retention to what the configuration says.
///
/// # Errors
/// [`Error::NewerSchema`] where a newer Leeway was here before; [`Error::Migration`] naming the file that failed.
pub async fn migrate(store: &Store) -> Result<Outcome, Error> {
    let config = store.config();
    for statement in render::bookkeeping(config) {
        let without_database = store.client().clone().with_database("default");
        without_database.query(&statement).execute().await?;
    }
    let applied = applied(store).await?;
    refuse_newer(&applied)?;
    let mut outcome = Outcome { version: VERSION, ..Outcome::default() };
    let missing = |migration: &&Migration| !applied.iter().any(|done| done.version == migration.version);
    for migration in MIGRATIONS.iter().filter(missing) {
        apply(store, migration).await.map_err(|source| Error::Migration {
            name: migration.name.to_owned(),
            source: Box::new(source),
        })?;
        tracing::debug!(name = migration.name, "migration applied");
        outcome.applied.push(migration.name.to_owned());
    }
    outcome.retained = adjust_retention(store).await?;
    Ok(outcome)
}

async fn apply(store: &Store, migration: &Migration) -> Result<(), Error> {
    for statement in statements(migration.text, store.config())? {
        store.execute(&statement).await?;
    }
    let mut insert = store.client().insert::<Applied>("schema_migrations").await?;
    insert.write(&Applied { version: migration.version, name: migration.name.to_owned() }).await?;
    Ok(insert.end().await?)
}

/// The migrations that the store has seen, in order; none where there is no schema yet.
pub async fn applied(store: &Store) -> Result<Vec<Applied>, Error> {
    let query = store.query(include_str!("../queries/schema_migrations_applied.sql"));
    match query.fetch_all::<Applied>().await.map_err(Error::from) {
        // No such database (81) or table (60): nothing was ever applied.
        Err(Error::Refused { code: 60 | 81, .. }) => Ok(Vec::new()),
        other => other,
    }
}

fn refuse_newer(applied: &[Applied]) -> Result<(), Error> {
    match applied.iter().map(|done| done.version).max() {
        Some(found) if found > VERSION => Err(Error::NewerSchema { found, known: VERSION }),
        _ => Ok(()),
    }
}

/// Waits until the store answers and its schema is the one this build knows; what every role does first.
///
/// # Errors
/// [`Error::NewerSchema`] at once; [`Error::OlderSchema`] or the store's own error when `patience` has passed.
pub async fn wait_for_schema(store: &Store, patience: Duration) -> Result<(), Error> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let problem = match applied(store).await {
            Ok(applied) => {
                refuse_newer(&applied)?;
                let found = applied.iter().map(|done| done.version).max().unwrap_or(0);
                if applied.len() >= MIGRATIONS.len() && found == VERSION {
                    return Ok(());
                }
                Error::OlderSchema { found, known: VERSION }
            }
            Err(error) => error,
        };
        if tokio::time::Instant::now() >= deadline {
            return Err(problem);
        }
        tracing::info!("waiting for the store: {problem}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[derive(Row, Deserialize)]
struct TableDefinition {
    name: String,
    definition: String,
}

/// Changes the retention of tables that were made under another configuration.
async fn adjust_retention(store: &Store) -> Result<Vec<&'static str>, Error> {
    let query = store.query(include_str!("../queries/table_definitions.sql"));
    let definitions: Vec<TableDefinition> = query.fetch_all().await?;
    let mut changed = Vec::new();
    for (table, column, days) in EXPIRING {
        let wanted = format!("toIntervalDay({})", days(&store.config().retention));
        let local = render::local_name(table, store.config());
        let differs =
            definitions.iter().any(|found| found.name == local && !found.definition.contains(&wanted));
        if differs {
            let statement = render::alter_retention(table, column, &wanted, store.config());
            store.execute(&statement).await?;
            changed.push(table);
        }
    }
    Ok(changed)
}

/// Every statement of every migration as it would be sent under `config`: for tests and for those who like to read.
pub fn rendered(config: &Config) -> Result<Vec<String>, Error> {
    let mut all = render::bookkeeping(config);
    for migration in &MIGRATIONS {
        all.extend(statements(migration.text, config)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps_and_hold_one_statement_each() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, index + 1);
            assert!(migration.name.starts_with(&format!("{:04}_", migration.version)), "{}", migration.name);
            let mut code = migration.text.lines().filter(|line| !line.starts_with("--"));
            assert!(!code.any(|line| line.contains(';')), "{} holds more than one statement", migration.name);
            let can_be_repeated =
                ["IF NOT EXISTS", "MODIFY SETTING"].iter().any(|it| migration.text.contains(it));
            assert!(can_be_repeated, "{} cannot be repeated", migration.name);
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let files = std::fs::read_dir(folder).expect("the folder of migrations").count();
        assert_eq!(files, MIGRATIONS.len());
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let applied = [Applied { version: VERSION + 1, name: "from_the_future".to_owned() }];
        assert!(matches!(refuse_newer(&applied), Err(Error::NewerSchema { .. })));
    }
}
