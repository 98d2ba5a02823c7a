//! Predictions that are no single number, joined with their outcomes: classes with their chances, and ranked lists; and what
//! scores decide before any outcome has come.
//!
//! Lists are counted by what became of them, which adds up over time. Chances of several classes do not add up, so of each
//! step a bounded number of predictions is read, picked by a hash of their ids: the same ones whenever it is asked.

use clickhouse::Row;
use domain::time::{Instant, Interval};
use serde::Deserialize;

use crate::counts::Versions;
use crate::error::Error;
use crate::performance::Labels;
use crate::store::Store;

/// So many predictions tell what they carry.
const SAMPLE: u32 = 1_000;

/// What predictions of a class carry beside it.
#[derive(Row, Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ClassNames {
    /// Full names of numbers: `prediction.chance.fraud`.
    pub numbers: Vec<String>,
    /// The classes that were predicted.
    pub classes: Vec<String>,
}

/// One prediction of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassRow {
    pub at: Instant,
    pub version: String,
    pub predicted: String,
    /// In the order in which they were asked for.
    pub chances: Vec<f64>,
    /// The class that came; empty where none has.
    pub truth: String,
    /// How many predictions the step and version have, of which this is one that was picked.
    pub predictions: u64,
}

/// Predictions of one step that told the same class, and of which the same came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassPair {
    pub at: Instant,
    pub version: String,
    /// Class and outcome by name; `None` for all pairs together that are not among the most frequent ones.
    pub names: Option<ClassNamed>,
    pub is_known: bool,
    pub is_right: bool,
    pub predictions: u64,
}

/// What was told, and what came: nothing of a prediction whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassNamed {
    pub told: String,
    pub came: String,
}

/// Which predictions of a score are looked at, and by what they are told apart.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedAsked<'a> {
    pub model: &'a str,
    pub environment: &'a str,
    pub interval: Interval,
    pub versions: &'a Versions,
    pub prediction: &'a str,
    /// From this score on a prediction is a yes.
    pub threshold: f64,
    /// A feature's name (`origin`) or a tag's (`tag.region`).
    pub dimension: &'a str,
}

/// How many predictions of one value of a dimension are a yes.
#[derive(Row, Clone, Debug, PartialEq, Deserialize)]
pub struct Selected {
    /// Empty where the event has none.
    pub part: String,
    pub predictions: u64,
    pub selected: u64,
    /// Between these the scores lie.
    pub least: f64,
    pub greatest: f64,
}

/// Lists of one step that became the same.
#[derive(Clone, Debug, PartialEq)]
pub struct ListCell {
    pub at: Instant,
    pub version: String,
    /// Of the first places, then of what was wanted and not shown there; empty where it is not known.
    pub relevances: Vec<f64>,
    pub is_labelled: bool,
    pub lists: u64,
}

/// How many items were shown so many times in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub at: Instant,
    pub version: String,
    pub times: u64,
    pub items: u64,
}

#[derive(Row, Deserialize)]
struct NamesRow {
    names: Vec<String>,
}

#[derive(Row, Deserialize)]
struct ClassesRow {
    at: i64,
    version: String,
    predicted: String,
    chances: Vec<f64>,
    truth: String,
    predictions: u64,
}

#[derive(Row, Deserialize)]
struct PairRow {
    at: i64,
    version: String,
    told: String,
    came: String,
    is_rest: u8,
    is_known: u8,
    is_right: u8,
    predictions: u64,
}

#[derive(Row, Deserialize)]
struct ListRow {
    at: i64,
    version: String,
    relevances: Vec<f64>,
    is_labelled: u8,
    lists: u64,
}

#[derive(Row, Deserialize)]
struct ShownRow {
    at: i64,
    version: String,
    times: u64,
    items: u64,
}

impl Store {
    /// What the latest predictions of a class carry.
    pub async fn class_names(
        &self,
        model: &str,
        environment: &str,
        prediction: &str,
    ) -> Result<ClassNames, Error> {
        let query = self
            .query(include_str!("../queries/class_names.sql"))
            .param("model", model)
            .param("environment", environment)
            .param("prediction", prediction)
            .param("rows", SAMPLE);
        Ok(query.fetch_one().await?)
    }

    /// The lists that the latest predictions carry, by full name.
    pub async fn list_names(&self, model: &str, environment: &str) -> Result<Vec<String>, Error> {
        let query = self
            .query(include_str!("../queries/list_names.sql"))
            .param("model", model)
            .param("environment", environment)
            .param("rows", SAMPLE);
        let row: NamesRow = query.fetch_one().await?;
        Ok(row.names)
    }

    /// At most `most` predictions of each step, with the numbers called `chances`, in the order of time.
    pub async fn labelled_classes(
        &self,
        labels: &Labels,
        chances: &[String],
        most: u32,
    ) -> Result<Vec<ClassRow>, Error> {
        let query = self.labels(include_str!("../queries/labelled_classes.sql"), labels);
        let rows: Vec<ClassesRow> = query.param("chances", chances).param("most", most).fetch_all().await?;
        let row = |row: ClassesRow| ClassRow {
            at: Instant::from_seconds(row.at),
            version: row.version,
            predicted: row.predicted,
            chances: row.chances,
            truth: row.truth,
            predictions: row.predictions,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// How many predictions told which class and what came, in the order of time and version; of each step no more than the
    /// `most` frequent pairs by name.
    pub async fn labelled_pairs(&self, labels: &Labels, most: u32) -> Result<Vec<ClassPair>, Error> {
        let query = self.labels(include_str!("../queries/labelled_pairs.sql"), labels);
        let rows: Vec<PairRow> = query.param("most", most).fetch_all().await?;
        let pair = |row: PairRow| ClassPair {
            at: Instant::from_seconds(row.at),
            version: row.version,
            names: (row.is_rest == 0).then_some(ClassNamed { told: row.told, came: row.came }),
            is_known: row.is_known == 1,
            is_right: row.is_right == 1,
            predictions: row.predictions,
        };
        Ok(rows.into_iter().map(pair).collect())
    }

    /// How many predictions are a yes by the values of a dimension, the most frequent value first.
    pub async fn selected(&self, asked: &SelectedAsked<'_>) -> Result<Vec<Selected>, Error> {
        let [versions, other_versions] = asked.versions.lists();
        let query = self
            .query(include_str!("../queries/selected.sql"))
            .param("model", asked.model)
            .param("environment", asked.environment)
            .param("start_ms", asked.interval.start.millis())
            .param("end_ms", asked.interval.end.millis())
            .param("prediction", asked.prediction)
            .param("threshold", asked.threshold)
            .param("dimension", asked.dimension)
            .param("versions", versions)
            .param("other_versions", other_versions);
        Ok(query.fetch_all().await?)
    }

    /// What became of the first `places` of ranked lists, in the order of time and version.
    pub async fn labelled_lists(&self, labels: &Labels, places: u32) -> Result<Vec<ListCell>, Error> {
        let query = self.labels(include_str!("../queries/labelled_lists.sql"), labels);
        let rows: Vec<ListRow> = query.param("places", places).fetch_all().await?;
        let cell = |row: ListRow| ListCell {
            at: Instant::from_seconds(row.at),
            version: row.version,
            relevances: row.relevances,
            is_labelled: row.is_labelled == 1,
            lists: row.lists,
        };
        Ok(rows.into_iter().map(cell).collect())
    }

    /// How often items were at the first `places` of lists, in the order of time, version and times.
    pub async fn shown_items(&self, labels: &Labels, places: u32) -> Result<Vec<Shown>, Error> {
        let query = self.labels(include_str!("../queries/shown_items.sql"), labels);
        let rows: Vec<ShownRow> = query.param("places", places).fetch_all().await?;
        let shown = |row: ShownRow| Shown {
            at: Instant::from_seconds(row.at),
            version: row.version,
            times: row.times,
            items: row.items,
        };
        Ok(rows.into_iter().map(shown).collect())
    }
}
