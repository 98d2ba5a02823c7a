//! Predictions that are no single number, joined with their outcomes: classes with their chances, and ranked lists.
//!
//! Lists are counted by what became of them, which adds up over time. Chances of several classes do not add up, so of each
//! step a bounded number of predictions is read, picked by a hash of their ids: the same ones whenever it is asked.

use clickhouse::Row;
use domain::time::Instant;
use serde::Deserialize;

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
