//! What people ask for on a page, and programs by the API: each wish becomes one row of `actions`, which the alerter
//! carries out.
//!
//! Invariant: what cannot be carried out is refused here, with what would be right; a wish sent twice asks once.

use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Json, Router};
use domain::action::{Action, ActionKind};
use domain::incident::{Incident, fold};
use domain::time::{DAY, Instant};
use serde::Deserialize;
use sql::pages::deliveries::DeliveriesAsked;

use crate::auth::posted::Posted;
use crate::error::PageError;
use crate::run::App;
use crate::visit::{Session, incident_path};

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
        .route("/v1/incidents/{incident}/actions", post(by_program))
}

/// What somebody wants to be done about an incident, before it is known to be possible. As JSON it is the body of
/// `POST /v1/incidents/{incident}/actions`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wish {
    kind: String,
    /// Made by whoever asks; the same id again is the same wish.
    id: String,
    reason: String,
    /// For a silence: for how many hours, or until when.
    hours: Option<u64>,
    until: String,
    /// For the report of a retraining.
    status: String,
    detail: String,
}

impl Wish {
    fn of_form(posted: &Posted) -> Self {
        let text = |name| posted.get(name).to_owned();
        Self {
            kind: text("kind"),
            id: text("id"),
            reason: text("reason"),
            hours: posted.get("hours").parse().ok(),
            until: text("until"),
            ..Self::default()
        }
    }
}

/// `POST /incidents/{incident}/actions`
async fn about_incident(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Redirect, PageError> {
    let events = app.store.incident_events(Some(&id)).await?;
    let incident = fold(&events).pop().ok_or_else(|| no_incident(&id))?;
    let wish = Wish::of_form(&posted);
    if wish.kind == ActionKind::RetrainingReport.name() {
        return Err(PageError::wrong("Retraining jobs report by the API, not by a form."));
    }
    let action = asked(&incident, &wish, &actor(&posted.session), app.context.clock.now())?;
    record(&app, &action).await?;
    Ok(Redirect::to(&posted.back(&incident_path(&id))))
}

/// No wish is longer.
const LONGEST_WISH: usize = 16 * 1024;

/// `POST /v1/incidents/{incident}/actions`: the same for programs, as JSON. Retraining jobs report here.
async fn by_program(State(app): State<App>, Path(id): Path<String>, request: Request) -> Response {
    match take(&app, &id, request).await {
        Ok(action) => (StatusCode::ACCEPTED, Json(serde_json::json!({ "action": action }))).into_response(),
        Err(error) => {
            let body = serde_json::json!({ "error": error.to_string() });
            (error.status(), Json(body)).into_response()
        }
    }
}

/// The id of the action that was recorded. Only JSON is read: a page of another site cannot send that unasked.
async fn take(app: &App, id: &str, request: Request) -> Result<String, PageError> {
    let session = request.extensions().get::<Session>().cloned().unwrap_or_default();
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(PageError::wrong("an action is sent as application/json"));
    }
    let body = axum::body::to_bytes(request.into_body(), LONGEST_WISH)
        .await
        .map_err(|_| PageError::wrong("the action is longer than 16 kB"))?;
    let wish: Wish = serde_json::from_slice(&body)
        .map_err(|error| PageError::wrong(format!("the action is not understood: {error}")))?;
    let events = app.store.incident_events(Some(id)).await?;
    let incident = fold(&events).pop().ok_or_else(|| no_incident(id))?;
    session.check_model(&incident.model)?;
    let action = asked(&incident, &wish, &actor(&session), app.context.clock.now())?;
    record(app, &action).await?;
    Ok(action.id)
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
        ..blank(ActionKind::SendAgain, &attempt.incident, posted.get("id"), &actor(&posted.session), now)
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

fn blank(kind: ActionKind, incident: &str, id: &str, actor: &str, now: Instant) -> Action {
    Action {
        id: identity(id),
        incident: incident.to_owned(),
        kind,
        actor: actor.to_owned(),
        reason: String::new(),
        until: None,
        payload: String::new(),
        asked_at: now,
    }
}

/// The wish's own identity, so that sending it twice asks once; a new one where it has none of use.
fn identity(stated: &str) -> String {
    let is_usable = (1..=100).contains(&stated.len()) && stated.bytes().all(|byte| byte.is_ascii_graphic());
    if is_usable { stated.to_owned() } else { uuid::Uuid::new_v4().to_string() }
}

fn actor(session: &Session) -> String {
    if session.person.is_empty() { LOCAL.to_owned() } else { session.person.clone() }
}

/// The action that a wish about `incident` comes to.
///
/// # Errors
/// Says what the wish lacks, or why this cannot be done to this incident now.
fn asked(incident: &Incident, wish: &Wish, actor: &str, now: Instant) -> Result<Action, PageError> {
    let kind: ActionKind = wish
        .kind
        .parse()
        .map_err(|error: domain::evaluation::UnknownWord| PageError::wrong(error.to_string()))?;
    check_state(incident, kind)?;
    let reason = wish.reason.trim();
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
    Ok(Action {
        reason: reason.to_owned(),
        until: if kind == ActionKind::Silence { Some(silence_end(wish, now)?) } else { None },
        payload: if kind == ActionKind::RetrainingReport { report(wish)? } else { String::new() },
        ..blank(kind, &incident.id, &wish.id, actor, now)
    })
}

/// What a retraining job may say of itself.
const STATUSES: [&str; 4] = ["accepted", "running", "succeeded", "failed"];

fn report(wish: &Wish) -> Result<String, PageError> {
    if !STATUSES.contains(&wish.status.as_str()) {
        let status = crate::text::cut(&wish.status, 40);
        let known = STATUSES.join(", ");
        return Err(PageError::wrong(format!("status \"{status}\" does not exist (known: {known})")));
    }
    let detail = crate::text::cut(&wish.detail, LONGEST_REASON);
    Ok(serde_json::json!({ "status": wish.status, "detail": detail }).to_string())
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
        ActionKind::RetrainingReport if incident.retraining_requested_at.is_none() => {
            "No retraining was requested for this incident."
        }
        ActionKind::SendAgain => "A delivery is sent again on the page of deliveries.",
        _ => return Ok(()),
    };
    Err(PageError::wrong(format!("{problem} Nothing was done.")))
}

fn silence_end(wish: &Wish, now: Instant) -> Result<Instant, PageError> {
    let until = match (wish.until.as_str(), wish.hours) {
        ("", Some(hours)) => now.saturating_add(Duration::from_secs(hours.saturating_mul(3_600))),
        ("", None) => {
            return Err(PageError::wrong(
                "A silence needs an end: hours such as 4, or a time such as 2026-11-20T18:00Z. Nothing was done.",
            ));
        }
        (stated, _) => stated
            .parse()
            .map_err(|error: domain::time::ParseInstantError| PageError::wrong(error.to_string()))?,
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
        post(&incident(), fields, "ada")
    }

    fn post(incident: &Incident, fields: &[(&str, &str)], person: &str) -> Result<Action, PageError> {
        let posted = Posted::of(fields, person);
        asked(incident, &Wish::of_form(&posted), &actor(&posted.session), Instant::from_seconds(100))
    }

    #[test]
    fn a_form_becomes_an_action_of_whoever_sent_it() {
        let id = "7f1a2f3e-0000-4000-8000-000000000001";
        let action = ask(&[("kind", "acknowledge"), ("id", id), ("reason", " on it ")]).expect("an action");
        assert_eq!((action.id.as_str(), action.actor.as_str(), action.reason.as_str()), (id, "ada", "on it"));
        let local = post(&incident(), &[("kind", "acknowledge")], "").expect("an action");
        assert_eq!(local.actor, "local");
        assert!(local.id.parse::<uuid::Uuid>().is_ok());
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
        let post = |incident: &Incident, kind| post(incident, &[("kind", kind), ("reason", "x")], "");
        assert!(
            post(&resolved, "acknowledge").expect_err("resolved").to_string().contains("resolved already")
        );
        assert!(post(&resolved, "mark_false").is_ok());
        let acknowledged = Incident { acknowledged: by(), ..incident() };
        assert!(post(&acknowledged, "acknowledge").is_err());
        assert!(post(&acknowledged, "send_again").is_err());
        assert!(post(&acknowledged, "burn").expect_err("unknown").to_string().contains("known: acknowledge"));
    }

    #[test]
    fn a_retraining_job_reports_on_what_was_requested() {
        let wish = |text: &str| serde_json::from_str::<Wish>(text);
        let running =
            wish(r#"{"kind":"retraining_report","status":"running","detail":"epoch 3"}"#).expect("a wish");
        let refused = asked(&incident(), &running, "airflow", Instant::EPOCH).expect_err("nothing requested");
        assert!(refused.to_string().contains("No retraining was requested"), "{refused}");
        let requested = Incident { retraining_requested_at: Some(Instant::EPOCH), ..incident() };
        let action = asked(&requested, &running, "airflow", Instant::EPOCH).expect("an action");
        assert_eq!(action.payload, r#"{"status":"running","detail":"epoch 3"}"#);
        let odd = wish(r#"{"kind":"retraining_report","status":"bored"}"#).expect("a wish");
        let refused = asked(&requested, &odd, "airflow", Instant::EPOCH).expect_err("no status");
        assert!(refused.to_string().contains("known: accepted"), "{refused}");
        assert!(wish(r#"{"kind":"silence","ours":4}"#).is_err());
    }
}
