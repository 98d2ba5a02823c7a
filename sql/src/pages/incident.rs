//! What the pages of incidents ask: which there are, what waits for the alerter, and the evidence behind one of them.

use std::collections::BTreeMap;

use clickhouse::Row;
use domain::action::Action;
use domain::evaluation::{Evaluation, Monitor, Severity, UnknownWord, Verdict};
use domain::incident::IncidentEvent;
use domain::time::{Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::actions::ActionRow;
use crate::arrivals::ArrivedRow;
use crate::error::Error;
use crate::incident_events::EventRow;
use crate::store::Store;

/// Which incidents a list shows. An empty text means any.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentsAsked {
    pub model: String,
    pub severity: Option<Severity>,
    /// Only open or only resolved ones.
    pub open: Option<bool>,
    /// Those that were open at some time of this stretch.
    pub interval: Interval,
    pub most: u32,
}

/// Which evaluations an incident's page looks at: every combination of these words, which holds all of the incident's
/// subjects and perhaps a few others.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceAsked {
    pub model: String,
    pub environment: String,
    pub watch: String,
    pub monitors: Vec<Monitor>,
    pub signals: Vec<String>,
    pub segments: Vec<String>,
    /// Windows that end after its start, up to its end.
    pub interval: Interval,
}

/// One window of one subject, as far as a line needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPoint {
    pub monitor: Monitor,
    pub signal: String,
    pub segment: String,
    pub window_end: Instant,
    pub value: f64,
    pub threshold: f64,
    pub verdict: Verdict,
    pub n_current: u64,
}

/// What an example is to show.
#[derive(Clone, Debug, PartialEq)]
pub enum Shows {
    /// Any event.
    Anything,
    Missing,
    Invalid,
    /// A number in `(low, high]`.
    Number {
        low: f64,
        high: f64,
    },
    /// One of these categories.
    Category(Vec<String>),
    /// None of these categories.
    Unseen(Vec<String>),
    /// A prediction that failed.
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ExamplesAsked {
    pub model: String,
    pub environment: String,
    pub interval: Interval,
    pub signal: String,
    /// `""` for all events.
    pub segment: String,
    pub shows: Shows,
    pub most: u32,
}

/// A stored event, as far as a page shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Example {
    pub id: String,
    pub at: Instant,
    pub version: String,
    pub numbers: BTreeMap<String, f64>,
    pub categories: BTreeMap<String, String>,
}

#[derive(Row, Deserialize)]
struct HistoryRow {
    monitor: String,
    signal: String,
    segment: String,
    window_end: i64,
    value: f64,
    threshold: f64,
    verdict: String,
    n_current: u64,
}

#[derive(Row, Deserialize)]
struct ExampleRow {
    id: String,
    timestamp: i64,
    version: String,
    numbers: Vec<(String, f64)>,
    categories: Vec<(String, String)>,
}

#[derive(Row, Deserialize)]
struct SignalRow {
    signal: String,
}

impl TryFrom<HistoryRow> for HistoryPoint {
    type Error = Error;

    fn try_from(row: HistoryRow) -> Result<Self, Error> {
        let word = |error: UnknownWord| Error::Unexpected {
            query: "incident_history",
            problem: format!("{}: {error}", row.signal),
        };
        Ok(Self {
            monitor: row.monitor.parse().map_err(word)?,
            verdict: row.verdict.parse().map_err(word)?,
            signal: row.signal,
            segment: row.segment,
            window_end: Instant::from_millis(row.window_end),
            value: row.value,
            threshold: row.threshold,
            n_current: row.n_current,
        })
    }
}

impl EvidenceAsked {
    fn bind(&self, store: &Store, text: &'static str) -> clickhouse::query::Query {
        let monitors: Vec<&str> = self.monitors.iter().map(|monitor| monitor.name()).collect();
        store
            .query(text)
            .param("model", &self.model)
            .param("environment", &self.environment)
            .param("watch", &self.watch)
            .param("start", self.interval.start.millis())
            .param("end", self.interval.end.millis())
            .param("signals", &self.signals)
            .param("segments", &self.segments)
            .param("monitors", monitors)
    }
}

impl Shows {
    fn name(&self) -> &'static str {
        match self {
            Self::Anything => "",
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Number { .. } => "number",
            Self::Category(_) => "category",
            Self::Unseen(_) => "unseen",
            Self::Error => "error",
        }
    }

    fn levels(&self) -> &[String] {
        match self {
            Self::Category(levels) | Self::Unseen(levels) => levels,
            _ => &[],
        }
    }

    fn limits(&self) -> (f64, f64) {
        match self {
            Self::Number { low, high } => (low.max(f64::MIN), high.min(f64::MAX)),
            _ => (0.0, 0.0),
        }
    }
}

/// A segment as a condition: the feature or tag that it is about, and its value.
fn condition(segment: &str) -> (String, String, String) {
    use domain::signal::{FEATURE, segment as segments};
    match segments::parts(segment) {
        // Its events have in common only what they are not.
        None | Some((_, segments::OTHER)) => Default::default(),
        Some((dimension, value)) => {
            let value = if value == segments::MISSING { "" } else { value };
            match dimension.strip_prefix("tag.") {
                Some(tag) => (String::new(), tag.to_owned(), value.to_owned()),
                None => (format!("{FEATURE}{dimension}"), String::new(), value.to_owned()),
            }
        }
    }
}

impl Store {
    /// The events of the incidents asked for, without their findings: each incident's together, in their order.
    pub async fn incident_heads(&self, asked: &IncidentsAsked) -> Result<Vec<IncidentEvent>, Error> {
        let state = asked.open.map_or("", |open| if open { "open" } else { "resolved" });
        let query = self
            .query(include_str!("../../queries/incident_heads.sql"))
            .param("model", &asked.model)
            .param("severity", asked.severity.map_or("", Severity::name))
            .param("state", state)
            .param("start", asked.interval.start.millis())
            .param("end", asked.interval.end.millis())
            .param("most", asked.most);
        let rows: Vec<EventRow> = query.fetch_all().await?;
        rows.into_iter().map(IncidentEvent::try_from).collect()
    }

    /// What was asked for after `after`, about `incident` or about any, and stands on no event yet.
    pub async fn actions_waiting(
        &self,
        incident: Option<&str>,
        after: Instant,
    ) -> Result<Vec<Action>, Error> {
        let query = self
            .query(include_str!("../../queries/actions_waiting.sql"))
            .param("incident", incident.unwrap_or_default())
            .param("after", after.millis());
        let rows: Vec<ActionRow> = query.fetch_all().await?;
        rows.into_iter().map(Action::try_from).collect()
    }

    /// Of each subject the last window in which it was off course.
    pub async fn incident_latest(&self, asked: &EvidenceAsked) -> Result<Vec<Evaluation>, Error> {
        let query = asked.bind(self, include_str!("../../queries/incident_latest.sql"));
        let rows: Vec<ArrivedRow> = query.fetch_all().await?;
        rows.into_iter().map(Evaluation::try_from).collect()
    }

    /// How the statistics went, one window a step, earliest first.
    pub async fn incident_history(
        &self,
        asked: &EvidenceAsked,
        step: std::time::Duration,
    ) -> Result<Vec<HistoryPoint>, Error> {
        let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
        let query =
            asked.bind(self, include_str!("../../queries/incident_history.sql")).param("step_ms", step_ms);
        let rows: Vec<HistoryRow> = query.fetch_all().await?;
        let mut points = rows.into_iter().map(HistoryPoint::try_from).collect::<Result<Vec<_>, Error>>()?;
        points.sort_by_key(|point| point.window_end);
        Ok(points)
    }

    /// The latest stored events that show what is asked for.
    pub async fn incident_examples(&self, asked: &ExamplesAsked) -> Result<Vec<Example>, Error> {
        let (feature, tag, value) = condition(&asked.segment);
        let (low, high) = asked.shows.limits();
        let query = self
            .query(include_str!("../../queries/incident_examples.sql"))
            .param("model", &asked.model)
            .param("environment", &asked.environment)
            .param("start", asked.interval.start.millis())
            .param("end", asked.interval.end.millis())
            .param("signal", &asked.signal)
            .param("feature", feature)
            .param("tag", tag)
            .param("value", value)
            .param("shows", asked.shows.name())
            .param("low", low)
            .param("high", high)
            .param("levels", asked.shows.levels())
            .param("most", asked.most);
        let rows: Vec<ExampleRow> = query.fetch_all().await?;
        Ok(rows
            .into_iter()
            .map(|row| Example {
                id: row.id,
                at: Instant::from_millis(row.timestamp),
                version: row.version,
                numbers: row.numbers.into_iter().collect(),
                categories: row.categories.into_iter().collect(),
            })
            .collect())
    }

    /// The outputs of `model` that were ever counted.
    pub async fn prediction_signals(&self, model: &str) -> Result<Vec<String>, Error> {
        let query = self.query(include_str!("../../queries/prediction_signals.sql")).param("model", model);
        let rows: Vec<SignalRow> = query.fetch_all().await?;
        Ok(rows.into_iter().map(|row| row.signal).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_a_condition_on_a_feature_or_a_tag() {
        let text = |parts: (&str, &str, &str)| (parts.0.to_owned(), parts.1.to_owned(), parts.2.to_owned());
        assert_eq!(condition("origin=JFK"), text(("feature.origin", "", "JFK")));
        assert_eq!(condition("tag.region=us=east"), text(("", "region", "us=east")));
        assert_eq!(condition("origin=missing"), text(("feature.origin", "", "")));
        assert_eq!(condition("origin=other"), text(("", "", "")));
        assert_eq!(condition(""), text(("", "", "")));
    }

    #[test]
    fn open_limits_become_numbers_that_every_store_reads() {
        let shows = Shows::Number { low: f64::NEG_INFINITY, high: f64::INFINITY };
        assert_eq!(shows.limits(), (f64::MIN, f64::MAX));
    }
}
