//! Judges a stretch of a model's history by any configuration and stores nothing: what would have been said.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use domain::contract::Rfc3339;
use domain::evaluation::{Evaluation, Verdict};
use domain::time::{Clock, DAY, Interval, ManualClock};
use service::Context;
use sql::Store;

use super::Work;
use super::watch::WatchRun;
use crate::config::Config;
use crate::standings::Key;

/// What is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    pub model: String,
    /// Empty for all of the model's environments.
    pub environment: String,
    /// Windows that end within this are judged.
    pub stretch: Interval,
}

/// How far a replay is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub environment: String,
    pub watch: String,
    /// Of the whole stretch, from 0 to 1.
    pub part: f64,
    pub windows: usize,
}

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replayed {
    pub windows: usize,
    /// In the order of their windows, watch by watch: every verdict that is not on course, and each that ends such a run.
    pub evaluations: Vec<Evaluation>,
    /// Watches of which nothing could be said, by environment and name: they have no baseline.
    pub without_baseline: Vec<(String, String)>,
}

type Kept = Arc<Mutex<Vec<Evaluation>>>;

/// Replays every watch that the context's contract has for the model.
///
/// # Errors
/// The store's; that the model never sent an event is told by no windows at all.
pub async fn replay(
    config: &Config,
    context: &Context,
    store: &Store,
    request: &Replay,
    mut tell: impl FnMut(Progress),
) -> anyhow::Result<Replayed> {
    // As late as outcomes are waited for: everything within the stretch is closed and as complete as it gets.
    let patience = DAY.saturating_mul(config.label_patience_days.saturating_add(1));
    let clock = ManualClock::starting_at(request.stretch.end.saturating_add(patience));
    let context = Context { clock: Clock::Manual(clock), ..context.clone() };
    let kept = Kept::default();
    let mut work =
        Work { sink: Some(keep(kept.clone())), ..Work::new(config.clone(), context, store.clone()) };
    let baselines = store.baselines(Some(&request.model)).await?;
    let mut replayed = Replayed::default();
    for seen in store.models_seen().await? {
        let is_wanted = seen.model == request.model
            && (request.environment.is_empty() || seen.environment == request.environment);
        if !is_wanted {
            continue;
        }
        let contract = work.context.contract(&seen.model);
        for mut watch in contract.watches() {
            let from = watch.from.map_or(request.stretch.start, |from| from.0.max(request.stretch.start));
            let until = watch.until.map_or(request.stretch.end, |until| until.0.min(request.stretch.end));
            (watch.from, watch.until) = (Some(Rfc3339(from)), Some(Rfc3339(until)));
            let mut run = WatchRun::new(config, &seen, contract.clone(), watch);
            run.begin_at(from, &work);
            let mut windows = 0;
            loop {
                let advance = run.advance(&mut work, &baselines).await?;
                windows += advance.windows;
                let done = run.judged_until.map_or(0.0, |at| at.since(from).as_secs_f64());
                let part = (done / until.since(from).as_secs_f64().max(1.0)).min(1.0);
                let (environment, watch) = (seen.environment.clone(), run.identity.watch.clone());
                tell(Progress { environment, watch, part, windows: replayed.windows + windows });
                if !advance.is_more && run.labels.was_asked_last() {
                    break;
                }
                run.labels.ask_again(!advance.is_more);
            }
            replayed.windows += windows;
            if windows == 0 && until > from {
                replayed.without_baseline.push((seen.environment.clone(), run.identity.watch.clone()));
            }
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            // Outcomes are judged after the windows that they belong to.
            kept.sort_by_key(|evaluation| evaluation.window.end);
            replayed.evaluations.append(&mut kept);
        }
    }
    Ok(replayed)
}

/// Keeps what an incident can begin or end with; a month of what is on course would not fit into memory.
fn keep(kept: Kept) -> super::Sink {
    let mut open: BTreeSet<(String, String, Key)> = BTreeSet::new();
    Box::new(move |evaluations| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        for evaluation in evaluations.iter().filter(|one| one.verdict != Verdict::TooLittleData) {
            let subject = &evaluation.subject;
            let key = (subject.environment.clone(), subject.watch.clone(), Key::of(evaluation));
            let was_open = match evaluation.verdict {
                Verdict::OnCourse => open.remove(&key),
                _ => !open.insert(key),
            };
            if was_open || evaluation.verdict != Verdict::OnCourse {
                kept.push(evaluation.clone());
            }
        }
    })
}
