//! `evaluations` as the analyzer writes them and goes on from them, and the questions by which it finds its work.

use std::collections::BTreeMap;

use clickhouse::Row;
use clickhouse::query::Query;
use domain::evaluation::{Evaluation, Monitor, Subject, UnknownWord, Verdict};
use domain::signal::OUTCOME;
use domain::time::{Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::again;
use crate::error::Error;
use crate::store::Store;

/// One watch of one model, and which of its two progresses is meant: performance follows the outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub model: String,
    pub environment: String,
    pub watch: String,
    pub performance: bool,
}

/// A model that has sent events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSeen {
    pub model: String,
    pub environment: String,
    pub first_event: Instant,
    pub last_event: Instant,
}

/// The verdict on one subject of a watch after one of its windows, without the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub monitor: Monitor,
    pub signal: String,
    pub segment: String,
    pub window_end: Instant,
    pub verdict: Verdict,
    pub streak: u32,
    pub since: Instant,
}

#[derive(Row, Serialize)]
struct EvaluationRow<'a> {
    model: &'a str,
    environment: &'a str,
    watch: &'a str,
    monitor: &'a str,
    signal: &'a str,
    segment: &'a str,
    window_start: i64,
    window_end: i64,
    baseline: &'a str,
    statistic: &'a str,
    value: f64,
    threshold: f64,
    recovery: f64,
    noise: f64,
    n_baseline: u64,
    n_current: u64,
    verdict: &'a str,
    severity: &'a str,
    since: i64,
    streak: u32,
    numbers: Vec<(&'a str, f64)>,
    sentence: &'a str,
    evaluated_at: i64,
}

impl<'a> From<&'a Evaluation> for EvaluationRow<'a> {
    fn from(evaluation: &'a Evaluation) -> Self {
        let subject = &evaluation.subject;
        Self {
            model: &subject.model,
            environment: &subject.environment,
            watch: &subject.watch,
            monitor: subject.monitor.name(),
            signal: &subject.signal,
            segment: &subject.segment,
            window_start: evaluation.window.start.millis(),
            window_end: evaluation.window.end.millis(),
            baseline: &evaluation.baseline,
            statistic: &evaluation.statistic,
            value: evaluation.value,
            threshold: evaluation.threshold,
            recovery: evaluation.recovery,
            noise: evaluation.noise,
            n_baseline: evaluation.n_baseline,
            n_current: evaluation.n_current,
            verdict: evaluation.verdict.name(),
            severity: evaluation.severity.name(),
            since: evaluation.since.millis(),
            streak: evaluation.streak,
            numbers: evaluation.numbers.iter().map(|(name, value)| (name.as_str(), *value)).collect(),
            sentence: &evaluation.sentence,
            evaluated_at: evaluation.evaluated_at.millis(),
        }
    }
}

#[derive(Row, Deserialize)]
struct ModelRow {
    model: String,
    environment: String,
    first_event: i64,
    last_event: i64,
}

#[derive(Row, Deserialize)]
struct ProgressRow {
    rows: u64,
    until: i64,
}

#[derive(Row, Deserialize)]
struct StandingRow {
    monitor: String,
    signal: String,
    segment: String,
    verdict: String,
    streak: u32,
    since: i64,
}

#[derive(Row, Deserialize)]
struct JudgedRow {
    monitor: String,
    signal: String,
    segment: String,
    window_end: i64,
    verdict: String,
    streak: u32,
    since: i64,
}

#[derive(Row, Deserialize)]
struct JudgedAtRow {
    window_end: i64,
    judged_at: i64,
}

#[derive(Row, Deserialize)]
struct MinuteRow {
    minute: u32,
    received_at: i64,
}

impl JudgedRow {
    fn judged(self) -> Result<Judged, Error> {
        let word = |error: UnknownWord| Error::Unexpected {
            query: "evaluations_judged",
            problem: format!("{}: {error}", self.signal),
        };
        Ok(Judged {
            monitor: self.monitor.parse().map_err(word)?,
            verdict: self.verdict.parse().map_err(word)?,
            signal: self.signal,
            segment: self.segment,
            window_end: Instant::from_millis(self.window_end),
            streak: self.streak,
            since: Instant::from_millis(self.since),
        })
    }
}

/// Whether what is judged follows the outcomes, which come later: as the queries of this table tell it.
fn is_of_outcomes(subject: &Subject) -> bool {
    matches!(subject.monitor, Monitor::Performance | Monitor::Fairness) || subject.signal.starts_with(OUTCOME)
}

impl Store {
    /// Stores what was found in one window, or in several of one watch, all of it or nothing. Whatever is stored under the
    /// same `token` again changes nothing.
    ///
    /// # Errors
    /// Also where the store takes the rows again and again and has none of them.
    pub async fn write_evaluations(&self, evaluations: &[Evaluation], token: &str) -> Result<(), Error> {
        let Some(first) = evaluations.first() else { return Ok(()) };
        for token in again::tokens(self, token) {
            self.insert_evaluations(evaluations, &token).await?;
            if !self.may_forget_rows() {
                return Ok(());
            }
            // Whoever judged the window first may have said it of other subjects.
            let kept = || async { Ok::<_, Error>(self.has_evaluations_like(first).await?.then_some(())) };
            if again::found(self, kept).await?.is_some() {
                return Ok(());
            }
            tracing::warn!(
                token,
                "the store knows this token, and has no verdict on the window: stored under a further one"
            );
        }
        let problem = "no verdict on a window that was inserted again and again".to_owned();
        Err(Error::Unexpected { query: "evaluations_like", problem })
    }

    async fn insert_evaluations(&self, evaluations: &[Evaluation], token: &str) -> Result<(), Error> {
        let mut insert = self
            .client()
            .insert::<EvaluationRow<'_>>("evaluations")
            .await?
            .with_setting("insert_deduplication_token", token)
            .with_setting("async_insert", "0");
        for evaluation in evaluations {
            insert.write(&EvaluationRow::from(evaluation)).await?;
        }
        Ok(insert.end().await?)
    }

    /// Whether anything is said of this window by this watch; of outcomes, where the evaluation is about them.
    async fn has_evaluations_like(&self, evaluation: &Evaluation) -> Result<bool, Error> {
        let subject = &evaluation.subject;
        let watched = Watched {
            model: subject.model.clone(),
            environment: subject.environment.clone(),
            watch: subject.watch.clone(),
            performance: is_of_outcomes(subject),
        };
        let query = self
            .of_watch(include_str!("../queries/evaluations_like.sql"), &watched)
            .param("window_end", evaluation.window.end.millis());
        Ok(query.fetch_one::<u64>().await? > 0)
    }

    /// Every model that has sent events, in every environment.
    pub async fn models_seen(&self) -> Result<Vec<ModelSeen>, Error> {
        let rows: Vec<ModelRow> = self.query(include_str!("../queries/models_seen.sql")).fetch_all().await?;
        let seen = |row: ModelRow| ModelSeen {
            model: row.model,
            environment: row.environment,
            first_event: Instant::from_millis(row.first_event),
            last_event: Instant::from_millis(row.last_event),
        };
        Ok(rows.into_iter().map(seen).collect())
    }

    /// When the newest evaluation was made; the epoch where there is none.
    pub async fn evaluations_latest(&self) -> Result<Instant, Error> {
        let latest: i64 = self.query(include_str!("../queries/evaluations_latest.sql")).fetch_one().await?;
        Ok(Instant::from_millis(latest))
    }

    fn of_watch(&self, text: &str, watched: &Watched) -> Query {
        self.query(text)
            .param("model", &watched.model)
            .param("environment", &watched.environment)
            .param("watch", &watched.watch)
            .param("performance", u8::from(watched.performance))
    }

    /// The end of the latest window that was judged; `None` where none was.
    pub async fn evaluations_progress(&self, watched: &Watched) -> Result<Option<Instant>, Error> {
        let query = self.of_watch(include_str!("../queries/evaluations_progress.sql"), watched);
        let row: ProgressRow = query.fetch_one().await?;
        Ok((row.rows > 0).then(|| Instant::from_millis(row.until)))
    }

    /// The last verdict of each subject that says something, over windows that end after `windows.start` and not after
    /// `windows.end`.
    pub async fn evaluations_standing(
        &self,
        watched: &Watched,
        windows: Interval,
    ) -> Result<Vec<Judged>, Error> {
        let query = self
            .of_watch(include_str!("../queries/evaluations_standing.sql"), watched)
            .param("after", windows.start.millis())
            .param("until", windows.end.millis());
        let rows: Vec<StandingRow> = query.fetch_all().await?;
        let judged = |row: StandingRow| JudgedRow {
            monitor: row.monitor,
            signal: row.signal,
            segment: row.segment,
            window_end: windows.end.millis(),
            verdict: row.verdict,
            streak: row.streak,
            since: row.since,
        };
        rows.into_iter().map(|row| judged(row).judged()).collect()
    }

    /// What was said of the windows that end after `windows.start` and not after `windows.end`, in their order.
    pub async fn evaluations_judged(
        &self,
        watched: &Watched,
        windows: Interval,
    ) -> Result<Vec<Judged>, Error> {
        let query = self
            .of_watch(include_str!("../queries/evaluations_judged.sql"), watched)
            .param("after", windows.start.millis())
            .param("until", windows.end.millis());
        let rows: Vec<JudgedRow> = query.fetch_all().await?;
        rows.into_iter().map(JudgedRow::judged).collect()
    }

    /// When each window that ends after `after` was last judged, by its end.
    pub async fn evaluations_judged_at(
        &self,
        watched: &Watched,
        after: Instant,
    ) -> Result<BTreeMap<Instant, Instant>, Error> {
        let query = self
            .of_watch(include_str!("../queries/evaluations_judged_at.sql"), watched)
            .param("after", after.millis());
        let rows: Vec<JudgedAtRow> = query.fetch_all().await?;
        let pair =
            |row: &JudgedAtRow| (Instant::from_millis(row.window_end), Instant::from_millis(row.judged_at));
        Ok(rows.iter().map(pair).collect())
    }

    /// The minutes of event time within `events` for which events were received after `received_after`, each with the
    /// instant of the last one.
    pub async fn minutes_received(
        &self,
        model: &str,
        environment: &str,
        events: Interval,
        received_after: Instant,
    ) -> Result<Vec<(Instant, Instant)>, Error> {
        let query = self
            .query(include_str!("../queries/minutes_received.sql"))
            .param("model", model)
            .param("environment", environment)
            .param("start", events.start.seconds())
            .param("end", events.end.seconds())
            .param("received_after", received_after.millis());
        let rows: Vec<MinuteRow> = query.fetch_all().await?;
        let pair = |row: &MinuteRow| {
            (Instant::from_seconds(i64::from(row.minute)), Instant::from_millis(row.received_at))
        };
        Ok(rows.iter().map(pair).collect())
    }
}
