//! `incident_events`: what happened to incidents. Append-only: the only state of the alerter, and the audit trail.

use clickhouse::Row;
use domain::evaluation::UnknownWord;
use domain::incident::{Finding, IncidentEvent};
use domain::time::{Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::again;
use crate::error::Error;
use crate::store::Store;

#[derive(Row, Serialize, Deserialize)]
pub(crate) struct EventRow {
    incident: String,
    sequence: u32,
    kind: String,
    model: String,
    environment: String,
    cause: String,
    severity: String,
    at: i64,
    recorded_at: i64,
    since: i64,
    actor: String,
    reason: String,
    title: String,
    findings: String,
    until: Option<i64>,
    action: String,
}

#[derive(Row, Deserialize)]
struct StretchRow {
    since: i64,
    until: i64,
}

impl From<&IncidentEvent> for EventRow {
    fn from(event: &IncidentEvent) -> Self {
        Self {
            incident: event.incident.clone(),
            sequence: event.sequence,
            kind: event.kind.name().to_owned(),
            model: event.model.clone(),
            environment: event.environment.clone(),
            cause: event.cause.name().to_owned(),
            severity: event.severity.name().to_owned(),
            at: event.at.millis(),
            recorded_at: event.recorded_at.millis(),
            since: event.since.millis(),
            actor: event.actor.clone(),
            reason: event.reason.clone(),
            title: event.title.clone(),
            findings: findings_text(&event.findings),
            until: event.until.map(Instant::millis),
            action: event.action.clone(),
        }
    }
}

/// Numbers that JSON cannot write (an infinite value) become null and read back as nothing was found: a finding's
/// value is always finite, see [`finite`].
fn findings_text(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let findings: Vec<Finding> = findings.iter().map(finite).collect();
    serde_json::to_string(&findings).expect("findings are plain data")
}

fn finite(finding: &Finding) -> Finding {
    let clamp = |value: f64| if value.is_nan() { 0.0 } else { value.clamp(f64::MIN, f64::MAX) };
    Finding { value: clamp(finding.value), threshold: clamp(finding.threshold), ..finding.clone() }
}

impl TryFrom<EventRow> for IncidentEvent {
    type Error = Error;

    fn try_from(row: EventRow) -> Result<Self, Error> {
        let unexpected = |problem: String| Error::Unexpected {
            query: "incident_events",
            problem: format!("event {} of incident {}: {problem}", row.sequence, row.incident),
        };
        let word = |error: UnknownWord| unexpected(error.to_string());
        let findings = match row.findings.as_str() {
            "" => Vec::new(),
            text => serde_json::from_str(text).map_err(|error| unexpected(error.to_string()))?,
        };
        Ok(Self {
            sequence: row.sequence,
            kind: row.kind.parse().map_err(word)?,
            cause: row.cause.parse().map_err(word)?,
            severity: row.severity.parse().map_err(word)?,
            at: Instant::from_millis(row.at),
            recorded_at: Instant::from_millis(row.recorded_at),
            since: Instant::from_millis(row.since),
            until: row.until.map(Instant::from_millis),
            findings,
            incident: row.incident,
            model: row.model,
            environment: row.environment,
            actor: row.actor,
            reason: row.reason,
            title: row.title,
            action: row.action,
        })
    }
}

impl Store {
    /// Every event of every incident, or of `incident` alone: each incident's together, in the order of their sequence.
    pub async fn incident_events(&self, incident: Option<&str>) -> Result<Vec<IncidentEvent>, Error> {
        let query = self
            .query(include_str!("../queries/incident_events.sql"))
            .param("incident", incident.unwrap_or_default());
        let rows: Vec<EventRow> = query.fetch_all().await?;
        rows.into_iter().map(IncidentEvent::try_from).collect()
    }

    /// The stretches of a model's acknowledged incidents, from their onset to their end; those that are open end never.
    pub async fn acknowledged_stretches(
        &self,
        model: &str,
        environment: &str,
    ) -> Result<Vec<Interval>, Error> {
        let query = self
            .query(include_str!("../queries/acknowledged_stretches.sql"))
            .param("model", model)
            .param("environment", environment);
        let rows: Vec<StretchRow> = query.fetch_all().await?;
        let stretch = |row: &StretchRow| {
            let end = if row.until > 0 { row.until } else { i64::MAX };
            Interval::new(Instant::from_millis(row.since), Instant::from_millis(end))
        };
        Ok(rows.iter().map(stretch).collect())
    }

    /// Appends events, all or none. The same events again change nothing.
    pub async fn write_incident_events(&self, events: &[IncidentEvent]) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let insert = self.client().insert::<EventRow>("incident_events").await?;
        // The same event replaces itself; a token that comes again could be remembered where the rows are not.
        let mut insert = insert.with_setting("insert_deduplication_token", again::token_of_its_own());
        for event in events {
            insert.write(&EventRow::from(event)).await?;
        }
        Ok(insert.end().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::evaluation::{Cause, Monitor, Severity, Subject};
    use domain::incident::EventKind;

    fn event(value: f64) -> IncidentEvent {
        let subject = Subject {
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            watch: "hourly".to_owned(),
            monitor: Monitor::Missing,
            signal: "feature.temp".to_owned(),
            segment: "origin=JFK".to_owned(),
        };
        let finding = Finding {
            subject,
            severity: Severity::Ticket,
            since: Instant::from_seconds(1),
            window_end: Instant::from_seconds(2),
            statistic: "missing_share".to_owned(),
            value,
            threshold: 0.05,
            n_current: 400,
            sentence: "temp is missing".to_owned(),
            standing: true,
        };
        IncidentEvent {
            incident: "k7f3".to_owned(),
            sequence: 1,
            kind: EventKind::Opened,
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            cause: Cause::Data,
            severity: Severity::Ticket,
            at: Instant::from_seconds(2),
            recorded_at: Instant::from_seconds(3),
            since: Instant::from_seconds(1),
            actor: "leeway".to_owned(),
            reason: String::new(),
            title: "temp is missing".to_owned(),
            findings: vec![finding],
            until: Some(Instant::from_seconds(9)),
            action: "a1".to_owned(),
        }
    }

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        let original = event(0.98);
        assert_eq!(IncidentEvent::try_from(EventRow::from(&original)).expect("an event"), original);
    }

    #[test]
    fn an_infinite_value_is_kept_as_the_greatest_number() {
        let read = IncidentEvent::try_from(EventRow::from(&event(f64::INFINITY))).expect("an event");
        assert_eq!(read.findings[0].value, f64::MAX);
    }
}
