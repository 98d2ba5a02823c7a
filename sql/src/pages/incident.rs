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
use crate::pages::Ask;
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
#[derive(Clone, Debug, PartialEq, Serialize)]
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

/// So many of the latest events that broke a rule are looked at for those of a segment.
const SEARCHED: u32 = 500;

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
    /// An event that broke a rule of the contract about the signal.
    Broken,
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
    fn bind(&self, ask: Ask) -> Ask {
        let monitors: Vec<String> = self.monitors.iter().map(|monitor| monitor.name().to_owned()).collect();
        ask.text("model", &self.model)
            .text("environment", &self.environment)
            .text("watch", &self.watch)
            .integer("start", self.interval.start.millis())
            .integer("end", self.interval.end.millis())
            .texts("signals", &self.signals)
            .texts("segments", &self.segments)
            .texts("monitors", &monitors)
    }
}

impl ExamplesAsked {
    fn bind(&self, ask: Ask) -> Ask {
        let (feature, tag, value) = condition(&self.segment);
        ask.text("model", &self.model)
            .text("environment", &self.environment)
            .integer("start", self.interval.start.millis())
            .integer("end", self.interval.end.millis())
            .text("signal", &self.signal)
            .text("feature", feature)
            .text("tag", tag)
            .text("value", value)
            .integer("most", self.most)
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
            // A question of its own.
            Self::Broken => "broken",
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

pub fn heads(asked: &IncidentsAsked) -> Ask {
    let state = asked.open.map_or("", |open| if open { "open" } else { "resolved" });
    Ask::new("Incidents, by their events", include_str!("../../queries/pages/incident_heads.sql"))
        .text("model", &asked.model)
        .text("severity", asked.severity.map_or("", Severity::name))
        .text("state", state)
        .integer("start", asked.interval.start.millis())
        .integer("end", asked.interval.end.millis())
        .integer("most", asked.most)
}

/// All events of one incident, with their findings.
pub fn events(incident: &str) -> Ask {
    Ask::new("What happened to the incident", include_str!("../../queries/incident_events.sql"))
        .text("incident", incident)
}

/// What was asked for after `after`, about `incident` or (where it is empty) about any, and stands on no event yet.
pub fn waiting(incident: &str, after: Instant) -> Ask {
    Ask::new(
        "What people asked for and nobody has taken up yet",
        include_str!("../../queries/pages/actions_waiting.sql"),
    )
    .text("incident", incident)
    .integer("after", after.millis())
}

pub fn latest(asked: &EvidenceAsked) -> Ask {
    asked.bind(Ask::new(
        "The last windows that were off course",
        include_str!("../../queries/pages/incident_latest.sql"),
    ))
}

pub fn peak(asked: &EvidenceAsked) -> Ask {
    asked.bind(Ask::new(
        "The windows that were farthest beyond their limits",
        include_str!("../../queries/pages/incident_peak.sql"),
    ))
}

/// One window a `step`.
pub fn history(asked: &EvidenceAsked, step: std::time::Duration) -> Ask {
    let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
    asked
        .bind(Ask::new("The statistics over time", include_str!("../../queries/pages/incident_history.sql")))
        .integer("step_ms", step_ms)
}

/// The latest events that show what is asked for.
pub fn examples(asked: &ExamplesAsked) -> Ask {
    if asked.shows == Shows::Broken {
        return broken(asked);
    }
    let (low, high) = asked.shows.limits();
    let text = include_str!("../../queries/pages/incident_examples.sql");
    asked
        .bind(Ask::new("The latest events that show it", text))
        .text("shows", asked.shows.name())
        .text("low", low.to_string())
        .text("high", high.to_string())
        .texts("levels", asked.shows.levels())
}

fn broken(asked: &ExamplesAsked) -> Ask {
    let candidates = if asked.segment.is_empty() { asked.most } else { SEARCHED };
    let text = include_str!("../../queries/pages/incident_broken.sql");
    asked
        .bind(Ask::new("The latest events that broke a rule about it", text))
        .integer("candidates", candidates)
}

impl Store {
    /// The events of the incidents asked for, without their findings: each incident's together, in their order.
    pub async fn incident_heads(&self, asked: &IncidentsAsked) -> Result<Vec<IncidentEvent>, Error> {
        let rows: Vec<EventRow> = heads(asked).rows(self).await?;
        rows.into_iter().map(IncidentEvent::try_from).collect()
    }

    /// See [`waiting`].
    pub async fn actions_waiting(&self, incident: &str, after: Instant) -> Result<Vec<Action>, Error> {
        let rows: Vec<ActionRow> = waiting(incident, after).rows(self).await?;
        rows.into_iter().map(Action::try_from).collect()
    }

    /// Of each subject the last window in which it was off course.
    pub async fn incident_latest(&self, asked: &EvidenceAsked) -> Result<Vec<Evaluation>, Error> {
        let rows: Vec<ArrivedRow> = latest(asked).rows(self).await?;
        rows.into_iter().map(Evaluation::try_from).collect()
    }

    /// Of each subject the window in which it was farthest beyond its limit.
    pub async fn incident_peak(&self, asked: &EvidenceAsked) -> Result<Vec<Evaluation>, Error> {
        let rows: Vec<ArrivedRow> = peak(asked).rows(self).await?;
        rows.into_iter().map(Evaluation::try_from).collect()
    }

    /// How the statistics went, one window a step, earliest first.
    pub async fn incident_history(
        &self,
        asked: &EvidenceAsked,
        step: std::time::Duration,
    ) -> Result<Vec<HistoryPoint>, Error> {
        let rows: Vec<HistoryRow> = history(asked, step).rows(self).await?;
        let mut points = rows.into_iter().map(HistoryPoint::try_from).collect::<Result<Vec<_>, Error>>()?;
        points.sort_by_key(|point| point.window_end);
        Ok(points)
    }

    /// The latest stored events that show what is asked for.
    pub async fn incident_examples(&self, asked: &ExamplesAsked) -> Result<Vec<Example>, Error> {
        let rows: Vec<ExampleRow> = examples(asked).rows(self).await?;
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
        let query =
            self.query(include_str!("../../queries/pages/prediction_signals.sql")).param("model", model);
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
