//! The forms of an incident: what can still be done to it, and what each will do, said before it is done.

use domain::action::{Action, ActionKind};
use domain::incident::Incident;

use crate::actions::{SILENCES, wants_reason};
use crate::text::cut;
use crate::time_range::TimeRange;

/// One thing that can be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub kind: &'static str,
    pub label: &'static str,
    /// What its buttons ask for, and what stands on them; the first is the usual one.
    pub buttons: Vec<(&'static str, &'static str)>,
    /// What it will do; a form without it is a single button.
    pub says: String,
    pub wants_reason: bool,
    /// Hours and their words, for a silence.
    pub lengths: Vec<(&'static str, &'static str)>,
    pub primary: bool,
    /// The form's identity: sent twice, it asks once.
    pub id: String,
    /// Whether the address asks for this form to stand open.
    pub open: bool,
}

/// What can be done to an incident now, as the address `?do=…` opens it.
pub fn forms(incident: &Incident, waiting: &[Action], range: &TimeRange, opened: Option<&str>) -> Vec<Form> {
    let open = incident.is_open();
    let is_silenced = incident.is_silenced_at(range.now());
    let kinds = [
        (ActionKind::Acknowledge, open && incident.acknowledged.is_none()),
        (ActionKind::Silence, open && !is_silenced),
        (ActionKind::Unsilence, open && is_silenced),
        (ActionKind::Retrain, true),
        (ActionKind::Resolve, open),
        // While it is open, the form that resolves it offers this too.
        (ActionKind::MarkFalse, !open && incident.marked_false.is_none()),
    ];
    kinds
        .into_iter()
        .filter(|(kind, possible)| *possible && !waiting.iter().any(|action| action.kind == *kind))
        .map(|(kind, _)| form(kind, incident, opened))
        .collect()
}

fn form(kind: ActionKind, incident: &Incident, opened: Option<&str>) -> Form {
    Form {
        kind: kind.name(),
        label: label(kind),
        buttons: buttons(kind),
        says: says(kind, incident),
        wants_reason: wants_reason(kind),
        lengths: if kind == ActionKind::Silence { SILENCES.to_vec() } else { Vec::new() },
        primary: kind == ActionKind::Acknowledge,
        id: uuid::Uuid::new_v4().to_string(),
        open: buttons(kind).iter().any(|(kind, _)| opened == Some(kind)),
    }
}

fn label(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Acknowledge => "Acknowledge",
        ActionKind::Silence => "Silence…",
        ActionKind::Unsilence => "End the silence",
        ActionKind::Resolve => "Resolve…",
        ActionKind::MarkFalse => "False alarm…",
        ActionKind::Retrain => "Request retraining…",
        ActionKind::RetrainingReport | ActionKind::SendAgain => "",
    }
}

fn buttons(kind: ActionKind) -> Vec<(&'static str, &'static str)> {
    let usual = (kind.name(), label(kind).trim_end_matches('…'));
    match kind {
        ActionKind::Resolve => vec![usual, (ActionKind::MarkFalse.name(), "It was a false alarm")],
        _ => vec![usual],
    }
}

fn says(kind: ActionKind, incident: &Incident) -> String {
    let model = cut(&incident.model, 60);
    match kind {
        ActionKind::Silence => format!(
            "Nobody is told of this incident until then; it goes on being watched. Other incidents of {model} still come."
        ),
        ActionKind::Resolve => {
            format!(
                "Ends the incident for all channels; if values are still beyond their limits, a new one opens. A false alarm counts against the \
                 budget of {model}."
            )
        }
        ActionKind::MarkFalse => format!("Counts it as a false alarm of {model}, against its budget."),
        ActionKind::Retrain => format!(
            "Asks the retraining job of {model} to run, with this incident as its reason; a cool-down may hold it back. Do not, if the data are \
             at fault: a new model would learn the fault."
        ),
        _ => String::new(),
    }
}

/// What was asked for and is not done yet, in words.
pub fn asked_for(action: &Action) -> &'static str {
    match action.kind {
        ActionKind::Acknowledge => "acknowledgement",
        ActionKind::Silence => "silence",
        ActionKind::Unsilence => "end of the silence",
        ActionKind::Resolve => "resolution",
        ActionKind::MarkFalse => "marking as false",
        ActionKind::Retrain => "retraining",
        ActionKind::RetrainingReport => "report of a retraining",
        ActionKind::SendAgain => "another delivery",
    }
}
