//! From a migration's text to the statements for one server or a cluster.
//!
//! Placeholders: `{table:x}`, `{view:x}` and `{dictionary:x}` are names (a table's local part on a cluster),
//! `{engine:MergeTree(args)}` is the plain or the replicated engine, `{deduplication}` the setting that keeps insert
//! tokens, `{retention:minutes_days}` a number of the configuration, `{database}` and `{source}` serve dictionaries.

use crate::config::Config;
use crate::error::Error;

/// Insert tokens kept a table: a batch may be repeated after this many others. A replay after a crash comes within
/// seconds; tokens are small.
const TOKENS_KEPT: u32 = 10_000;

/// The statements of one migration: the one in the file, and on a cluster the distributed table over a local one, or the
/// same change to it.
pub(super) fn statements(text: &str, config: &Config) -> Result<Vec<String>, Error> {
    let body: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let body = body.join("\n");
    let mut all = vec![fill(&body, config)?];
    if let (Some(table), false) = (created_table(&body), config.cluster.is_empty()) {
        all.push(distributed(table, config));
    }
    if let (Some(table), false) = (altered_table(&body), config.cluster.is_empty()) {
        let Config { database, .. } = config;
        let local = format!("{database}.{}", local_name(table, config));
        let over = all[0].replacen(&local, &format!("{database}.{table}"), 1);
        all.push(over);
    }
    Ok(all)
}

/// Where migrations are recorded: the database and a table beside the others.
pub(super) fn bookkeeping(config: &Config) -> Vec<String> {
    let Config { database, .. } = config;
    let cluster = on_cluster(config);
    let engine = engine("ReplacingMergeTree", "applied_at", config);
    vec![
        format!("CREATE DATABASE IF NOT EXISTS {database}{cluster}"),
        format!(
            "CREATE TABLE IF NOT EXISTS {database}.schema_migrations{cluster} (version UInt32, name String, \
             applied_at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = {engine} ORDER BY version"
        ),
    ]
}

pub(super) fn local_name(table: &str, config: &Config) -> String {
    if config.cluster.is_empty() { table.to_owned() } else { format!("{table}_local") }
}

pub(super) fn alter_retention(table: &str, column: &str, interval: &str, config: &Config) -> String {
    let (database, table, cluster) = (&config.database, local_name(table, config), on_cluster(config));
    format!("ALTER TABLE {database}.{table}{cluster} MODIFY TTL {column} + {interval}")
}

fn on_cluster(config: &Config) -> String {
    if config.cluster.is_empty() { String::new() } else { format!(" ON CLUSTER {}", config.cluster) }
}

fn engine(name: &str, arguments: &str, config: &Config) -> String {
    if config.cluster.is_empty() {
        return format!("{name}({arguments})");
    }
    let separator = if arguments.is_empty() { "" } else { ", " };
    format!(
        "Replicated{name}('/clickhouse/tables/{{shard}}/{{database}}/{{table}}', '{{replica}}'{separator}{arguments})"
    )
}

/// The table that a statement creates.
fn created_table(body: &str) -> Option<&str> {
    body.trim_start()
        .strip_prefix("CREATE TABLE IF NOT EXISTS {table:")?
        .split_once('}')
        .map(|(name, _)| name)
}

/// The table that a statement changes, if the table over it has to change as well. It has no parts, so their settings are
/// none of its own.
fn altered_table(body: &str) -> Option<&str> {
    if body.contains("MODIFY SETTING") {
        return None;
    }
    body.trim_start().strip_prefix("ALTER TABLE {table:")?.split_once('}').map(|(name, _)| name)
}

/// The table that everybody reads and writes on a cluster. Rows go to a shard by what they are, so a repeated insert
/// meets the shard that had it first.
fn distributed(table: &str, config: &Config) -> String {
    let Config { database, cluster, .. } = config;
    let key = match table {
        "intake" | "predictions" | "broken_rules" | "outcomes" => "cityHash64(id)",
        "incident_events" => "cityHash64(incident)",
        "deliveries" => "cityHash64(delivery)",
        "actions" => "cityHash64(id)",
        "kafka_ranges" => "cityHash64(consumer_group, topic, partition)",
        _ => "cityHash64(model)",
    };
    format!(
        "CREATE TABLE IF NOT EXISTS {database}.{table} ON CLUSTER {cluster} AS {database}.{table}_local \
         ENGINE = Distributed({cluster}, {database}, {table}_local, {key})"
    )
}

fn fill(body: &str, config: &Config) -> Result<String, Error> {
    let mut filled = String::with_capacity(body.len() + 256);
    let mut rest = body;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (placeholder, after) = after.split_once('}').ok_or_else(|| unknown(after))?;
        let before = filled.trim_end();
        let creates = before.ends_with("IF NOT EXISTS") || before.ends_with("ALTER TABLE");
        filled.push_str(&value_of(placeholder, creates, config)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn unknown(placeholder: &str) -> Error {
    Error::Refused {
        code: 0,
        message: format!("placeholder \"{{{placeholder}}}\" of a migration is not known"),
    }
}

fn value_of(placeholder: &str, creates: bool, config: &Config) -> Result<String, Error> {
    let Config { database, .. } = config;
    let cluster = if creates { on_cluster(config) } else { String::new() };
    let retention = &config.retention;
    let (kind, name) = placeholder.split_once(':').unwrap_or((placeholder, ""));
    Ok(match (kind, name) {
        ("table", name) => format!("{database}.{}{cluster}", local_name(name, config)),
        ("view" | "dictionary", name) => format!("{database}.{name}{cluster}"),
        ("engine", engine_text) => {
            let (name, arguments) = engine_text.split_once('(').unwrap_or((engine_text, ")"));
            engine(name, arguments.strip_suffix(')').unwrap_or(arguments), config)
        }
        ("retention", "events_days") => retention.events_days.to_string(),
        ("retention", "rejected_days") => retention.rejected_days.to_string(),
        ("retention", "minutes_days") => retention.minutes_days.to_string(),
        ("retention", "hours_days") => retention.hours_days.to_string(),
        ("deduplication", "") if config.cluster.is_empty() => {
            format!("non_replicated_deduplication_window = {TOKENS_KEPT}")
        }
        ("deduplication", "") => format!("replicated_deduplication_window = {TOKENS_KEPT}"),
        ("database", "") => database.clone(),
        ("source", "") => credentials(config)?,
        _ => return Err(unknown(placeholder)),
    })
}

/// How a dictionary of a real server reads its own tables; the embedded engine reads them as itself.
fn credentials(config: &Config) -> Result<String, Error> {
    if config.is_embedded() || config.user == "default" && config.password()?.is_empty() {
        return Ok(String::new());
    }
    let quote = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    Ok(format!("USER '{}' PASSWORD '{}'", quote(&config.user), quote(&config.password()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::rendered;

    fn cluster() -> Config {
        Config { url: "http://clickhouse:8123".to_owned(), cluster: "main".to_owned(), ..Config::default() }
    }

    #[test]
    fn one_server_gets_plain_engines_and_no_placeholder_is_left() {
        for statement in rendered(&Config::default()).expect("rendered") {
            assert!(!statement.contains('{'), "{statement}");
            assert!(!statement.contains("CLUSTER"), "{statement}");
            assert!(!statement.contains("Replicated"), "{statement}");
        }
    }

    #[test]
    fn a_cluster_gets_replicated_local_tables_and_distributed_ones_over_them() {
        let all = rendered(&cluster()).expect("rendered").join("\n;\n");
        assert!(all.contains("CREATE TABLE IF NOT EXISTS leeway.signal_minutes_local ON CLUSTER main"));
        assert!(all.contains(
            "ReplicatedSummingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', n)"
        ));
        assert!(all.contains("ENGINE = Distributed(main, leeway, signal_minutes_local, cityHash64(model))"));
        // With the event that it is about, so that the view of a shard fills the table of that shard.
        assert!(all.contains("ENGINE = Distributed(main, leeway, broken_rules_local, cityHash64(id))"));
        assert!(all.contains("leeway.intake_to_predictions ON CLUSTER main TO leeway.predictions_local AS"));
        assert!(all.contains("replicated_deduplication_window = 10000"));
        assert!(!all.contains("TO leeway.predictions_local ON CLUSTER"));
    }

    #[test]
    fn a_change_on_a_cluster_reaches_the_local_table_and_the_one_over_it() {
        let text = "ALTER TABLE {table:intake} ADD COLUMN IF NOT EXISTS a String";
        let change = "ON CLUSTER main ADD COLUMN IF NOT EXISTS a String";
        assert_eq!(
            statements(text, &cluster()).expect("rendered"),
            [
                format!("ALTER TABLE leeway.intake_local {change}"),
                format!("ALTER TABLE leeway.intake {change}")
            ]
        );
        let one = statements(text, &Config::default()).expect("rendered");
        assert_eq!(one, ["ALTER TABLE leeway.intake ADD COLUMN IF NOT EXISTS a String"]);
    }

    #[test]
    fn a_setting_of_parts_is_for_the_tables_that_have_some() {
        let text = "ALTER TABLE {table:predictions} MODIFY SETTING min_bytes_for_wide_part = 1";
        let change = "ON CLUSTER main MODIFY SETTING min_bytes_for_wide_part = 1";
        let local = format!("ALTER TABLE leeway.predictions_local {change}");
        assert_eq!(statements(text, &cluster()).expect("rendered"), [local]);
    }

    #[test]
    fn retention_comes_from_the_configuration() {
        let mut config = Config::default();
        config.retention.events_days = 7;
        let all = rendered(&config).expect("rendered").join("\n");
        assert!(all.contains("TTL toDateTime(received_at) + toIntervalDay(7)"));
    }

    #[test]
    fn an_unknown_placeholder_is_an_error() {
        let error = statements("CREATE TABLE {tabel:x}", &Config::default()).expect_err("a typo");
        assert!(error.to_string().contains("{tabel:x}"), "{error}");
    }
}
