//! An incident: what, since when, how sure, why, who was told, and what to do. The page that somebody opens at night.
//!
//! Invariant: what the incident's own events say is always shown; evidence that cannot be read is said to be missing.

mod causes;
mod evidence;
mod forms;
mod picture;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod timeline;
mod view;
pub(crate) mod words;

use axum::extract::{Path, State};
use axum::response::Response;
use domain::action::{Action, ActionKind};
use domain::contract::Contract;
use domain::delivery::Attempt;
use domain::incident::{Incident, IncidentEvent, fold};
use domain::time::{DAY, HOUR, Instant, Interval, MINUTE};
use serde::Serialize;
use sql::changes::{Change, ChangesAsked};
use sql::pages::Asked;
use sql::pages::deliveries::{self, DeliveriesAsked};
use sql::pages::incident as questions;

pub use evidence::Evidence;
pub use view::IncidentPage;

use crate::actions::no_incident;
use crate::error::PageError;
use crate::layout::Section;
use crate::pages::answer;
use crate::run::App;
use crate::visit::Visit;

/// What the page knows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    pub now: Instant,
    pub range: Interval,
    pub incident: Incident,
    pub events: Vec<IncidentEvent>,
    pub deliveries: Vec<Attempt>,
    /// What people asked for and nobody has taken up yet.
    pub waiting: Vec<Action>,
    pub changes: Vec<Change>,
    pub evidence: Evidence,
}

/// Actions that were asked for longer ago were forgotten, not overlooked.
const WAITS_AT_MOST: std::time::Duration = DAY.saturating_mul(30);
const MOST_CHANGES: u32 = 30;

/// `GET /incidents/{incident}`
pub async fn page(
    State(app): State<App>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let events = app.store.incident_events(Some(&id)).await?;
    let incident = fold(&events).pop().ok_or_else(|| no_incident(&id))?;
    let contract = app.context.contract(&incident.model);
    let visit = chosen(visit, &incident, &contract);
    let title = words::headline(&incident);
    let (loaded, layout) = tokio::join!(
        load(&app, &visit, incident, events, &contract),
        visit.layout(&app, Section::Incidents, &title),
    );
    let (data, asked) = loaded?;
    answer(&visit, &data, &asked, || IncidentPage::new(layout, &visit, &data, &contract))
}

/// Where the address names no range, the page chooses one around the incident.
fn chosen(mut visit: Visit, incident: &Incident, contract: &Contract) -> Visit {
    if visit.range.is_by_page() {
        let window = window_of(incident, contract);
        visit.range = visit.range.chosen_by_page(around(incident, window, visit.range.now()));
    }
    visit
}

/// The length of the windows that the incident was seen in.
fn window_of(incident: &Incident, contract: &Contract) -> std::time::Duration {
    let watch = incident.findings.first().map(|finding| finding.subject.watch.as_str());
    let watches = contract.watches();
    let named = watches.iter().find(|known| Some(known.name.as_str()) == watch).or(watches.first());
    named.map_or(HOUR, |watch| watch.schedule().length)
}

/// From well before it began to its end (or now), so that a picture shows what was usual.
fn around(incident: &Incident, window: std::time::Duration, now: Instant) -> Interval {
    let end = incident.resolved.as_ref().map_or(now, |resolved| resolved.at).max(incident.since);
    let length = end.since(incident.since);
    let before = (length / 2).max(window.saturating_mul(5));
    let after = if incident.is_open() { std::time::Duration::ZERO } else { (length / 5).max(window * 2) };
    let longest = DAY.saturating_mul(399);
    let start = incident.since.saturating_sub(before).max(end.saturating_sub(longest));
    Interval::new(start, end.saturating_add(after).min(now.max(end)).max(start.saturating_add(MINUTE)))
}

async fn load(
    app: &App,
    visit: &Visit,
    incident: Incident,
    events: Vec<IncidentEvent>,
    contract: &Contract,
) -> Result<(Data, Vec<Asked>), PageError> {
    let (now, range) = (visit.range.now(), visit.range.interval());
    let told = DeliveriesAsked::of_incident(&incident.id, now);
    let waits_since = now.saturating_sub(WAITS_AT_MOST);
    let changed = ChangesAsked {
        model: incident.model.clone(),
        kind: String::new(),
        interval: range,
        most: MOST_CHANGES,
    };
    let (attempts, waiting, changes, (evidence, mut asked)) = tokio::join!(
        app.store.deliveries_page(&told),
        app.store.actions_waiting(&incident.id, waits_since),
        app.store.changes(&changed),
        evidence::load(&app.store, &incident, contract, range),
    );
    asked.splice(
        0..0,
        [
            questions::events(&incident.id).asked(),
            deliveries::deliveries(&told).asked(),
            questions::waiting(&incident.id, waits_since).asked(),
            sql::changes::changes(&changed).asked(),
        ],
    );
    let attempts = attempts?;
    let waiting = still_waiting(waiting?, &attempts, &incident);
    let data =
        Data { now, range, incident, events, deliveries: attempts, waiting, changes: changes?, evidence };
    Ok((data, asked))
}

/// Of what stands on no event, what still waits: a delivery that was tried again since is done, and what can no longer
/// be done to a resolved incident is past.
fn still_waiting(waiting: Vec<Action>, attempts: &[Attempt], incident: &Incident) -> Vec<Action> {
    let resolved_at = incident.resolved.as_ref().map(|resolved| resolved.at);
    let is_waiting = |action: &Action| match action.kind {
        ActionKind::SendAgain => {
            let again = |attempt: &&Attempt| action.payload.contains(&attempt.delivery);
            !attempts.iter().filter(again).any(|attempt| attempt.at > action.asked_at)
        }
        ActionKind::MarkFalse | ActionKind::Retrain | ActionKind::RetrainingReport => true,
        _ => resolved_at.is_none(),
    };
    waiting.into_iter().filter(is_waiting).collect()
}
