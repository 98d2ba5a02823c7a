//! What people ask for on a page: each form becomes one row of `actions`, which the alerter carries out.
//!
//! Invariant: what cannot be carried out is refused here, with what would be right; a form sent twice asks once.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Redirect;
use axum::routing::post;
use domain::action::{Action, ActionKind};
use domain::incident::{Incident, fold};
use domain::time::{DAY, Instant};
use sql::pages::deliveries::DeliveriesAsked;

use crate::auth::posted::Posted;
use crate::error::PageError;
use crate::run::App;
use crate::visit::incident_path;

/// Who acts where nobody logs in.
const LOCAL: &str = "local";
/// A reason is a sentence or two, not a log.
const LONGEST_REASON: usize = 2_000;
/// Whoever wants quiet for longer wants another limit.
const LONGEST_SILENCE: Duration = Duration::from_secs(30 * 86_400);
/// For how long an incident can be silenced, as a form offers it.
pub const SILENCES: [(&str, &str); 5] =
    [("1", "1 hour"), ("4", "4 hours"), ("12", "12 hours"), ("24", "1 day"), ("168", "7 days")];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/incidents/{incident}/actions", post(about_incident))
        .route("/deliveries/{delivery}/again", post(send_again))
}

/// `POST /incidents/{incident}/actions`
async fn about_incident(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Redirect, PageError> {
    let events = app.store.incident_events(Some(&id)).await?;
    let incident = fold(&events).pop().ok_or_else(|| no_incident(&id))?;
    let action = asked(&incident, &posted, app.context.clock.now())?;
    record(&app, &action).await?;
    Ok(Redirect::to(&posted.back(&incident_path(&id))))
}

/// `POST /deliveries/{delivery}/again`
async fn send_again(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Redirect, PageError> {
    let now = app.context.clock.now();
    let asked = DeliveriesAsked::of_incident(posted.get("incident"), now);
    let attempts = app.store.deliveries_page(&asked).await?;
    let attempt = attempts.iter().rfind(|attempt| attempt.delivery == id).ok_or_else(|| {
        PageError::not_found("There is no such delivery: it may be older than what is kept.")
    })?;
    let action = Action {
        payload: serde_json::json!({ "delivery": attempt.delivery }).to_string(),
        ..blank(ActionKind::SendAgain, &attempt.incident, &posted, now)
    };
    record(&app, &action).await?;
    Ok(Redirect::to(&posted.back("/deliveries")))
}

async fn record(app: &App, action: &Action) -> Result<(), PageError> {
    app.store.write_action(action).await?;
    tracing::info!(
        kind = action.kind.name(),
        incident = action.incident,
        actor = action.actor,
        "a person asked for something"
    );
    Ok(())
}

pub fn no_incident(id: &str) -> PageError {
    PageError::not_found(format!("No incident is called \"{}\".", crate::text::cut(id, 60)))
}

fn blank(kind: ActionKind, incident: &str, posted: &Posted, now: Instant) -> Action {
    Action {
        id: identity(posted),
        incident: incident.to_owned(),
        kind,
        actor: actor(posted),
        reason: String::new(),
        until: None,
        payload: String::new(),
        asked_at: now,
    }
}

/// The form's own identity, so that sending it twice asks once; a new one where it has none.
fn identity(posted: &Posted) -> String {
    let stated = posted.get("id").parse::<uuid::Uuid>();
    stated.unwrap_or_else(|_| uuid::Uuid::new_v4()).to_string()
}

fn actor(posted: &Posted) -> String {
    let person = &posted.session.person;
    if person.is_empty() { LOCAL.to_owned() } else { person.clone() }
}

/// The action that a form about `incident` asks for.
///
/// # Errors
/// Says what the form lacks, or why this cannot be done to this incident now.
fn asked(incident: &Incident, posted: &Posted, now: Instant) -> Result<Action, PageError> {
    let kind: ActionKind = posted
        .get("kind")
        .parse()
        .map_err(|error: domain::evaluation::UnknownWord| PageError::wrong(error.to_string()))?;
    check_state(incident, kind)?;
    let reason = posted.get("reason");
    if reason.is_empty() && wants_reason(kind) {
        return Err(PageError::wrong(format!(
            "A reason is needed to {}: the next person will ask for it. Nothing was done.",
            phrase(kind)
        )));
    }
    if reason.len() > LONGEST_REASON {
        return Err(PageError::wrong(format!(
            "The reason is longer than {LONGEST_REASON} bytes. Nothing was done."
        )));
    }
    let until = if kind == ActionKind::Silence { Some(silence_end(posted, now)?) } else { None };
    Ok(Action { reason: reason.to_owned(), until, ..blank(kind, &incident.id, posted, now) })
}

/// Kinds whose reason somebody will want later.
pub fn wants_reason(kind: ActionKind) -> bool {
    matches!(kind, ActionKind::Silence | ActionKind::Resolve | ActionKind::MarkFalse)
}

/// What is done, after "to".
pub fn phrase(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Acknowledge => "acknowledge this",
        ActionKind::Silence => "silence this",
        ActionKind::Unsilence => "end the silence",
        ActionKind::Resolve => "resolve this",
        ActionKind::MarkFalse => "mark this as false",
        ActionKind::Retrain => "request a retraining",
        ActionKind::RetrainingReport => "report on a retraining",
        ActionKind::SendAgain => "send this again",
    }
}

fn check_state(incident: &Incident, kind: ActionKind) -> Result<(), PageError> {
    let open = incident.is_open();
    let problem = match kind {
        ActionKind::Acknowledge | ActionKind::Silence | ActionKind::Unsilence | ActionKind::Resolve
            if !open =>
        {
            "This incident is resolved already."
        }
        ActionKind::Acknowledge if incident.acknowledged.is_some() => {
            "This incident is acknowledged already."
        }
        ActionKind::MarkFalse if incident.marked_false.is_some() => {
            "This incident is marked as false already."
        }
        ActionKind::RetrainingReport | ActionKind::SendAgain => "No form of an incident asks for this.",
        _ => return Ok(()),
    };
    Err(PageError::wrong(format!("{problem} Nothing was done.")))
}

fn silence_end(posted: &Posted, now: Instant) -> Result<Instant, PageError> {
    let stated = posted.get("until");
    let until = if stated.is_empty() {
        let hours: u64 = posted.get("hours").parse().map_err(|_| {
            PageError::wrong("A silence needs an end: hours such as 4, or a time such as 2026-11-20T18:00Z.")
        })?;
        now.saturating_add(Duration::from_secs(hours.saturating_mul(3_600)))
    } else {
        stated
            .parse()
            .map_err(|error: domain::time::ParseInstantError| PageError::wrong(error.to_string()))?
    };
    if until <= now || until > now.saturating_add(LONGEST_SILENCE) {
        let days = LONGEST_SILENCE.as_secs() / DAY.as_secs();
        return Err(PageError::wrong(format!(
            "A silence ends in the future, and within {days} days. Nothing was done."
        )));
    }
    Ok(until)
}

#[cfg(test)]
mod tests {
    use domain::evaluation::{Cause, Severity};
    use domain::incident::By;

    use super::*;

    fn incident() -> Incident {
        Incident {
            id: "7f3c".to_owned(),
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            cause: Cause::Data,
            severity: Severity::Page,
            title: "temp is missing".to_owned(),
            since: Instant::EPOCH,
            opened_at: Instant::EPOCH,
            updated_at: Instant::EPOCH,
            acknowledged: None,
            silenced_until: None,
            resolved: None,
            marked_false: None,
            retraining_requested_at: None,
            findings: Vec::new(),
            events: 1,
        }
    }

    fn ask(fields: &[(&str, &str)]) -> Result<Action, PageError> {
        asked(&incident(), &Posted::of(fields, "ada"), Instant::from_seconds(100))
    }

    #[test]
    fn a_form_becomes_an_action_of_whoever_sent_it() {
        let id = "7f1a2f3e-0000-4000-8000-000000000001";
        let action = ask(&[("kind", "acknowledge"), ("id", id), ("reason", " on it ")]).expect("an action");
        assert_eq!((action.id.as_str(), action.actor.as_str(), action.reason.as_str()), (id, "ada", "on it"));
        let local = asked(&incident(), &Posted::of(&[("kind", "acknowledge")], ""), Instant::EPOCH);
        assert_eq!(local.expect("an action").actor, "local");
    }

    #[test]
    fn what_will_be_asked_about_later_needs_a_reason() {
        for kind in ["silence", "resolve", "mark_false"] {
            let refused = ask(&[("kind", kind), ("hours", "4"), ("reason", "  ")]).expect_err("no reason");
            assert!(refused.to_string().contains("reason"), "{refused}");
            assert!(ask(&[("kind", kind), ("hours", "4"), ("reason", "known")]).is_ok());
        }
        assert!(ask(&[("kind", "acknowledge")]).is_ok());
        assert!(ask(&[("kind", "retrain")]).is_ok());
    }

    #[test]
    fn a_silence_ends_in_the_future_and_not_too_far() {
        let until = |fields: &[(&str, &str)]| {
            ask(&[&[("kind", "silence"), ("reason", "x")], fields].concat()).map(|action| action.until)
        };
        assert_eq!(until(&[("hours", "4")]).expect("an end"), Some(Instant::from_seconds(100 + 4 * 3_600)));
        assert_eq!(
            until(&[("until", "1970-01-02T00:00:00Z")]).expect("an end"),
            Some(Instant::from_seconds(86_400))
        );
        for wrong in
            [("hours", ""), ("hours", "-1"), ("hours", "100000"), ("until", "1970-01-01"), ("until", "soon")]
        {
            assert!(until(&[wrong]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_cannot_be_done_any_more_is_said() {
        let by = || Some(By { at: Instant::EPOCH, actor: "ada".to_owned(), reason: String::new() });
        let resolved = Incident { resolved: by(), ..incident() };
        let post = |incident: &Incident, kind| {
            asked(incident, &Posted::of(&[("kind", kind), ("reason", "x")], ""), Instant::EPOCH)
        };
        assert!(
            post(&resolved, "acknowledge").expect_err("resolved").to_string().contains("resolved already")
        );
        assert!(post(&resolved, "mark_false").is_ok());
        let acknowledged = Incident { acknowledged: by(), ..incident() };
        assert!(post(&acknowledged, "acknowledge").is_err());
        assert!(post(&acknowledged, "send_again").is_err());
        assert!(post(&acknowledged, "burn").expect_err("unknown").to_string().contains("known: acknowledge"));
    }
}
