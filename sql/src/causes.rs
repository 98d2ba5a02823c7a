//! `causes`: why incidents came about, and the sums over raw events by which segments are held against each other.

use clickhouse::Row;
use domain::time::{Instant, Interval};
use domain::why::Why;
use serde::{Deserialize, Serialize};

use crate::counts::Versions;
use crate::error::Error;
use crate::store::Store;

/// What is measured of each event.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// A finite number.
    Number(String),
    /// One where the signal has no value.
    Missing(String),
    /// One where it is no finite number.
    Invalid(String),
    /// One where it is beyond a limit.
    Beyond(String, f64),
    /// One where it is this category.
    Category(String, String),
    /// One where the prediction failed.
    Error,
}

impl Measured {
    fn parts(&self) -> (&'static str, &str, String) {
        match self {
            Self::Number(signal) => ("number", signal, "0".to_owned()),
            Self::Missing(signal) => ("missing", signal, "0".to_owned()),
            Self::Invalid(signal) => ("invalid", signal, "0".to_owned()),
            Self::Beyond(signal, limit) => ("beyond", signal, limit.to_string()),
            Self::Category(signal, level) => ("category", signal, level.clone()),
            Self::Error => ("error", "", "0".to_owned()),
        }
    }
}

/// Which events are split, by what.
#[derive(Clone, Debug, PartialEq)]
pub struct CellsAsked {
    pub model: String,
    pub environment: String,
    /// Of the events before; the two sides may be two versions, or environments, in the same minutes.
    pub environment_before: String,
    /// Before and now.
    pub versions: [Versions; 2],
    pub before: Interval,
    pub now: Interval,
    /// One event in so many, before and now.
    pub every: [u64; 2],
    pub measured: Measured,
    /// `feature.origin`, `tag.region` or `version`.
    pub dimensions: Vec<String>,
}

/// When a version was first heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionFirst {
    pub version: String,
    pub at: Instant,
}

/// One value of a dimension, or two of two, on one side.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub is_now: bool,
    /// Places in the dimensions asked for, with the values.
    pub values: Vec<(usize, String)>,
    pub n: u64,
    pub total: f64,
    pub squares: f64,
}

#[derive(Row, Serialize)]
struct CauseRow {
    incident: String,
    model: String,
    environment: String,
    computed_at: i64,
    report: String,
}

#[derive(Row, Deserialize)]
struct ReportRow {
    report: String,
}

#[derive(Row, Deserialize)]
struct WantedRow {
    incident: String,
    #[expect(dead_code, reason = "rows are read by position")]
    grown_at: i64,
    #[expect(dead_code, reason = "rows are read by position")]
    known_at: i64,
}

#[derive(Row, Deserialize)]
struct CellRow {
    is_now: u8,
    first: u8,
    first_value: String,
    second: u8,
    second_value: String,
    n: u64,
    total: f64,
    squares: f64,
}

#[derive(Row, Deserialize)]
struct VersionRow {
    version: String,
    first_event: i64,
}

impl Store {
    /// The versions of a model in the order in which they appeared, as far as hours are kept.
    pub async fn versions_first(&self, model: &str, environment: &str) -> Result<Vec<VersionFirst>, Error> {
        let query = self
            .query(include_str!("../queries/versions_first.sql"))
            .param("model", model)
            .param("environment", environment);
        let rows: Vec<VersionRow> = query.fetch_all().await?;
        let first = |row: VersionRow| VersionFirst {
            version: row.version,
            at: Instant::from_millis(row.first_event),
        };
        Ok(rows.into_iter().map(first).collect())
    }

    /// Open incidents whose causes are not known, or were worked out before `stale` and before they grew.
    pub async fn causes_wanted(&self, stale: Instant, most: u32) -> Result<Vec<String>, Error> {
        let query = self
            .query(include_str!("../queries/causes_wanted.sql"))
            .param("stale_ms", stale.millis())
            .param("most", most);
        let rows: Vec<WantedRow> = query.fetch_all().await?;
        Ok(rows.into_iter().map(|row| row.incident).collect())
    }

    /// Why an incident came about; `None` where nobody has worked that out.
    pub async fn causes_of(&self, incident: &str) -> Result<Option<Why>, Error> {
        let query = self.query(include_str!("../queries/causes_of.sql")).param("incident", incident);
        let rows: Vec<ReportRow> = query.fetch_all().await?;
        let unexpected = |error: serde_json::Error| Error::Unexpected {
            query: "causes_of",
            problem: format!("report of incident {incident}: {error}"),
        };
        rows.first().map(|row| serde_json::from_str(&row.report).map_err(unexpected)).transpose()
    }

    /// Stores why an incident came about; a later report replaces it.
    pub async fn write_causes(&self, why: &Why) -> Result<(), Error> {
        let mut insert = self.client().insert::<CauseRow>("causes").await?;
        insert
            .write(&CauseRow {
                incident: why.incident.clone(),
                model: why.model.clone(),
                environment: why.environment.clone(),
                computed_at: why.computed_at.millis(),
                report: serde_json::to_string(why).expect("a report is plain data"),
            })
            .await?;
        Ok(insert.end().await?)
    }

    /// The measure in each value and pair of values of the dimensions, and over all (a cell without values).
    pub async fn cause_cells(&self, asked: &CellsAsked) -> Result<Vec<Cell>, Error> {
        let (kind, signal, limit) = asked.measured.parts();
        let (firsts, seconds): (Vec<u8>, Vec<u8>) = places(asked.dimensions.len()).into_iter().unzip();
        let [[only_before, but_before], [only_now, but_now]] =
            [asked.versions[0].lists(), asked.versions[1].lists()];
        let query = self
            .query(include_str!("../queries/cause_cells.sql"))
            .param("model", &asked.model)
            .param("environment", &asked.environment)
            .param("environment_before", &asked.environment_before)
            .param("only_before", only_before)
            .param("but_before", but_before)
            .param("only_now", only_now)
            .param("but_now", but_now)
            .param("start_ms", asked.now.start.millis())
            .param("end_ms", asked.now.end.millis())
            .param("from_ms", asked.before.start.millis())
            .param("to_ms", asked.before.end.millis())
            .param("every_before", asked.every[0].max(1))
            .param("every_now", asked.every[1].max(1))
            .param("kind", kind)
            .param("signal", signal)
            .param("limit", limit)
            .param("dimensions", &asked.dimensions)
            .param("firsts", firsts)
            .param("seconds", seconds);
        let rows: Vec<CellRow> = query.fetch_all().await?;
        let value = |place: u8, value: String| Some((usize::from(place.checked_sub(1)?), value));
        let cell = |row: CellRow| Cell {
            is_now: row.is_now == 1,
            values: [value(row.first, row.first_value), value(row.second, row.second_value)]
                .into_iter()
                .flatten()
                .collect(),
            n: row.n,
            total: row.total,
            squares: row.squares,
        };
        Ok(rows.into_iter().map(cell).collect())
    }
}

/// Nothing, each dimension, and each pair of them, by place from one.
fn places(dimensions: usize) -> Vec<(u8, u8)> {
    let last = u8::try_from(dimensions).unwrap_or(u8::MAX);
    let pairs = (1..=last).flat_map(|first| (first + 1..=last).map(move |second| (first, second)));
    [(0, 0)].into_iter().chain((1..=last).map(|first| (first, 0))).chain(pairs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_dimensions_have_three_pairs() {
        assert_eq!(places(3), [(0, 0), (1, 0), (2, 0), (3, 0), (1, 2), (1, 3), (2, 3)]);
        assert_eq!(places(0), [(0, 0)]);
    }
}
