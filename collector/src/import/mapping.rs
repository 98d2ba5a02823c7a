//! What the columns of a file mean: written in a small TOML file, by flags, or by both (flags win).
//!
//! Invariant: a column that nothing names is a feature; nothing of a file is left out without being named in `ignore`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// The roles of columns. Maps go from the name in Leeway to the column's name in the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// The column with the prediction's id; without one, ids are made of the file's hash and the row.
    pub id: Option<String>,
    pub timestamp: Option<String>,
    /// One version for all rows, or the column that holds it.
    pub version: Option<String>,
    pub version_column: Option<String>,
    /// One environment for all rows, or the column that holds it.
    pub environment: Option<String>,
    pub environment_column: Option<String>,
    /// Names of feature columns; empty for all columns that nothing else names.
    pub features: BTreeSet<String>,
    pub predictions: BTreeMap<String, String>,
    /// What came of the prediction; goes to `outcomes` by the prediction's id.
    pub outcomes: BTreeMap<String, String>,
    /// When the outcome was known; without it, at the time of the prediction.
    pub outcome_timestamp: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub attributions: BTreeMap<String, String>,
    /// When a feature was computed; its age becomes the signal `age_s.NAME`.
    pub feature_timestamps: BTreeMap<String, String>,
    pub latency_ms: Option<String>,
    pub error: Option<String>,
    pub trace_id: Option<String>,
    pub ignore: BTreeSet<String>,
    /// Columns whose values are numbers, whatever they look like. A value that is none refuses its row.
    pub numbers: BTreeSet<String>,
    /// Columns whose values are categories, also where they are written as numbers.
    pub categories: BTreeSet<String>,
    /// Texts of a CSV file that mean that there is no value.
    pub null: Option<Vec<String>>,
}

/// An example, as `--help` shows it; a test reads it.
pub const EXAMPLE: &str = r#"id = "prediction_id"
timestamp = "ts"
version = "2013-04"             # for all rows; or version_column = "v"
outcome_timestamp = "label_ts"  # when the outcome was known
latency_ms = "took_ms"
ignore = ["tailnum"]
categories = ["weekday"]        # written as a number, meant as a category
[predictions]
score = "model_score"           # this column becomes prediction.score
[outcomes]
late = "late"
[tags]
region = "region"
"#;

/// Texts that mean "no value" in CSV where nothing else is said.
const NULL_WORDS: [&str; 4] = ["", "NA", "null", "NULL"];

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// Names the file, the line and the known keys.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the mapping \"{}\" cannot be read", path.display()))?;
        toml::from_str(&text).with_context(|| format!("the mapping \"{}\" is not in order", path.display()))
    }

    /// This mapping with what `flags` say in place of or beside it.
    pub fn with(mut self, flags: Self) -> Self {
        fn replace<T>(place: &mut Option<T>, by: Option<T>) {
            if by.is_some() {
                *place = by;
            }
        }
        replace(&mut self.id, flags.id);
        replace(&mut self.timestamp, flags.timestamp);
        replace(&mut self.version, flags.version);
        replace(&mut self.version_column, flags.version_column);
        replace(&mut self.environment, flags.environment);
        replace(&mut self.environment_column, flags.environment_column);
        replace(&mut self.outcome_timestamp, flags.outcome_timestamp);
        replace(&mut self.latency_ms, flags.latency_ms);
        replace(&mut self.error, flags.error);
        replace(&mut self.trace_id, flags.trace_id);
        replace(&mut self.null, flags.null);
        self.features.extend(flags.features);
        self.predictions.extend(flags.predictions);
        self.outcomes.extend(flags.outcomes);
        self.tags.extend(flags.tags);
        self.attributions.extend(flags.attributions);
        self.feature_timestamps.extend(flags.feature_timestamps);
        self.ignore.extend(flags.ignore);
        self.numbers.extend(flags.numbers);
        self.categories.extend(flags.categories);
        self
    }

    pub fn null_words(&self) -> Vec<String> {
        self.null.clone().unwrap_or_else(|| NULL_WORDS.map(str::to_owned).to_vec())
    }

    /// Whether anything is said of columns; if not, NDJSON is taken to be in Leeway's own event format.
    pub fn names_columns(&self) -> bool {
        let Self { version, environment, .. } = self;
        *self != Self { version: version.clone(), environment: environment.clone(), ..Self::default() }
    }

    /// The text that stands for this mapping in the identity of an import.
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| unreachable!("texts in maps are JSON"))
    }

    /// Every column that is named for something, with the flag that names it.
    pub fn named(&self) -> Vec<(&str, &'static str)> {
        let single = [
            (&self.id, "--id"),
            (&self.timestamp, "--timestamp"),
            (&self.version_column, "--version-column"),
            (&self.environment_column, "--environment-column"),
            (&self.outcome_timestamp, "--outcome-timestamp"),
            (&self.latency_ms, "--latency-ms"),
            (&self.error, "--error"),
            (&self.trace_id, "--trace-id"),
        ];
        let maps = [
            (&self.predictions, "--prediction"),
            (&self.outcomes, "--outcome"),
            (&self.tags, "--tag"),
            (&self.attributions, "--attribution"),
            (&self.feature_timestamps, "--feature-timestamp"),
        ];
        let sets = [
            (&self.features, "--feature"),
            (&self.ignore, "--ignore"),
            (&self.numbers, "--number"),
            (&self.categories, "--category"),
        ];
        let single = single.into_iter().filter_map(|(column, flag)| Some((column.as_deref()?, flag)));
        let maps =
            maps.into_iter().flat_map(|(map, flag)| map.values().map(move |column| (column.as_str(), flag)));
        let sets =
            sets.into_iter().flat_map(|(set, flag)| set.iter().map(move |column| (column.as_str(), flag)));
        single.chain(maps).chain(sets).collect()
    }

    /// Says what is missing or contradicts itself, before the file is opened.
    pub fn check(&self) -> anyhow::Result<()> {
        if let Some(column) = self.numbers.intersection(&self.categories).next() {
            bail!("column \"{column}\" cannot be both numbers and categories: name it once");
        }
        if self.version.is_some() && self.version_column.is_some() {
            bail!("--version says one version for all rows, --version-column one a row: give one of them");
        }
        if self.environment.is_some() && self.environment_column.is_some() {
            bail!(
                "--environment says one environment for all rows, --environment-column one a row: give one of them"
            );
        }
        if !self.outcomes.is_empty() && self.id.is_none() {
            bail!("outcomes are joined to predictions by their id: say with --id which column holds it");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_help_is_a_mapping() {
        let mapping: Mapping = toml::from_str(EXAMPLE).expect("in order");
        assert_eq!(mapping.predictions["score"], "model_score");
        mapping.check().expect("in order");
    }

    #[test]
    fn flags_win_over_the_file_and_add_to_its_lists() {
        let file: Mapping = toml::from_str("timestamp = \"a\"\nignore = [\"x\"]").expect("in order");
        let flags = Mapping {
            timestamp: Some("b".to_owned()),
            ignore: BTreeSet::from(["y".to_owned()]),
            ..Mapping::default()
        };
        let both = file.with(flags);
        assert_eq!(both.timestamp.as_deref(), Some("b"));
        assert_eq!(both.ignore.len(), 2);
        assert!(both.named().contains(&("b", "--timestamp")));
    }

    #[test]
    fn an_unknown_key_is_refused_beside_the_known_ones() {
        let error = toml::from_str::<Mapping>("timestmp = \"a\"").expect_err("a typo").to_string();
        assert!(error.contains("timestmp") && error.contains("timestamp"), "{error}");
    }

    #[test]
    fn outcomes_without_an_id_are_refused_with_the_remedy() {
        let mapping: Mapping = toml::from_str("[outcomes]\nlate = \"late\"").expect("in order");
        assert!(mapping.check().expect_err("no id").to_string().contains("--id"));
    }

    #[test]
    fn a_version_for_all_rows_names_no_column() {
        let mapping = Mapping { version: Some("1".to_owned()), ..Mapping::default() };
        assert!(!mapping.names_columns());
        assert!(Mapping { id: Some("id".to_owned()), ..mapping }.names_columns());
    }
}
