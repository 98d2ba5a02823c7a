//! A signal: how did this value change?

mod counting;
mod pictures;
mod view;

use axum::extract::{Path, State};
use axum::response::Response;
use domain::baseline::Baseline;
use domain::contract::{Contract, Watch};
use domain::evaluation::{Evaluation, Monitor, Verdict};
use domain::time::{Instant, Interval};
use serde::Serialize;
use sql::counts::Question;
use sql::pages::incident::{EvidenceAsked, HistoryPoint, history};
use sql::pages::model::{ModelAsked, latest};
use sql::pages::overview::Steps;
use sql::pages::signal::{SegmentSeen, SignalAsked, WatchSeen, segments as segments_asked, watches};
use sql::pages::{Ask, Asked, OpenIncidents};

pub use view::Signal;

use counting::{Rows, fill};

use crate::error::PageError;
use crate::figures::{Bars, Contribution, SegmentPart};
use crate::layout::{Layout, Section};
use crate::pages::answer;
use crate::pages::model::LOOKED_BACK;
use crate::pages::steps::{resolution, steps};
use crate::run::App;
use crate::text::cut;
use crate::visit::Visit;

/// What the page knows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    pub model: String,
    pub environment: String,
    pub signal: String,
    pub segment: String,
    pub segments: Vec<SegmentSeen>,
    /// The watch whose windows are shown, and the baseline that it compares with (or that was chosen instead).
    pub watch: Watch,
    pub watches: Vec<WatchSeen>,
    pub baseline: String,
    pub baselines: Vec<Baseline>,
    pub range: Interval,
    pub now: Instant,
    pub open: OpenIncidents,
    /// The window that "now" means.
    pub window: Interval,
    /// What was found in that window; empty where it was not judged, or another baseline was chosen.
    pub judged: Vec<Evaluation>,
    pub numeric: bool,
    pub made_from: String,
    pub compared: Option<Compared>,
    pub history: Vec<Judged>,
    pub step_s: u64,
    pub over_time: Vec<Step>,
    /// The categories that are drawn over time.
    pub levels: Vec<String>,
    pub parts: Vec<Dimension>,
    /// When it began, where it stands beyond its limit.
    pub since: Option<Instant>,
}

/// The window beside the baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    pub events_now: u64,
    pub events_baseline: u64,
    pub bars: Bars,
    pub contributions: Vec<Contribution>,
    pub psi: f64,
    pub mean: Sides,
    pub missing: Sides,
    pub invalid: Sides,
    pub other: Sides,
    /// The share of values outside all of the baseline's; for numbers only.
    pub outside: Option<f64>,
}

/// The same number on both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sides {
    pub baseline: Option<f64>,
    pub now: Option<f64>,
}

/// One window of the statistic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Judged {
    pub monitor: Monitor,
    pub window_end: Instant,
    pub value: f64,
    pub threshold: f64,
    pub verdict: Verdict,
    pub events: u64,
}

/// One step of the range.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    pub at: Instant,
    pub events: u64,
    /// 5, 25, 50, 75 and 95 %; for numbers only.
    pub quantiles: Option<[f64; 5]>,
    pub missing: f64,
    pub invalid: f64,
    pub other: f64,
    /// The shares of `levels`, in their order.
    pub levels: Vec<f64>,
}

/// Which segments of one dimension carry the shift.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dimension {
    pub dimension: String,
    pub parts: Vec<SegmentPart>,
}

const POINTS: u64 = 72;
/// How many windows the statistic's line has at most.
const WINDOWS: u64 = 300;

/// What the page asks.
struct Plan {
    asked: SignalAsked,
    segment: String,
    steps: Steps,
}

impl Plan {
    fn model(&self) -> ModelAsked {
        ModelAsked {
            model: self.asked.model.clone(),
            environment: self.asked.environment.clone(),
            interval: self.asked.interval,
        }
    }

    fn question(&self, interval: Interval, segments: Vec<String>) -> Question {
        Question {
            model: self.asked.model.clone(),
            environment: self.asked.environment.clone(),
            interval,
            resolution: resolution(interval),
            segments,
            signals: vec![self.asked.signal.clone()],
            step_s: 0,
        }
    }

    fn over_time(&self) -> Question {
        Question {
            resolution: self.steps.resolution,
            step_s: u32::try_from(self.steps.step.as_secs()).unwrap_or(u32::MAX),
            ..self.question(self.steps.interval, vec![self.segment.clone()])
        }
    }

    fn evidence(&self, watch: &str) -> EvidenceAsked {
        EvidenceAsked {
            model: self.asked.model.clone(),
            environment: self.asked.environment.clone(),
            watch: watch.to_owned(),
            monitors: vec![
                Monitor::Drift,
                Monitor::Missing,
                Monitor::Invalid,
                Monitor::Unseen,
                Monitor::Staleness,
                Monitor::Range,
                Monitor::Types,
                Monitor::Cardinality,
                Monitor::Stuck,
                Monitor::Schema,
                Monitor::Contract,
            ],
            signals: vec![self.asked.signal.clone()],
            segments: vec![self.segment.clone()],
            interval: self.asked.interval,
        }
    }

    fn asked(&self) -> Vec<Asked> {
        vec![
            segments_asked(&self.asked, self.steps.resolution).asked(),
            watches(&self.asked, &self.segment).asked(),
        ]
    }

    /// One window of the statistic's line.
    fn window_step(&self, watch: &Watch) -> std::time::Duration {
        let least = self.asked.interval.length() / WINDOWS as u32;
        watch.schedule().step.max(least)
    }
}

/// `GET /models/{model}/{environment}/signals/{signal}`
pub async fn page(
    State(app): State<App>,
    visit: Visit,
    Path((model, environment, signal)): Path<(String, String, String)>,
) -> Result<Response, PageError> {
    let range = visit.range.interval();
    let plan = Plan {
        asked: SignalAsked { model, environment, signal, interval: range },
        segment: visit.get("segment").unwrap_or_default().to_owned(),
        steps: steps(range, POINTS),
    };
    let (data, asked) = load(&app, &visit, &plan).await?;
    let title = format!("{} of {}", cut(&data.signal, 80), cut(&data.model, 60));
    let layout = Layout::new(&visit, Section::Models, &title, data.open);
    answer(&visit, &data, &asked, || Signal::new(layout, &visit, &data))
}

async fn load(app: &App, visit: &Visit, plan: &Plan) -> Result<(Data, Vec<Asked>), PageError> {
    let (store, asked) = (&app.store, &plan.asked);
    let contract = app.context.contract(&asked.model);
    let over_time_question = plan.over_time();
    let (seen, judging, baselines, grids, over_time, open) = tokio::try_join!(
        store.signal_segments(asked, plan.steps.resolution),
        store.signal_watches(asked, &plan.segment),
        store.baselines(Some(&asked.model)),
        store.grids_of(&asked.model, std::slice::from_ref(&asked.signal)),
        store.counts(&over_time_question),
        store.open_incidents_count(visit.range.now()),
    )?;
    if seen.is_empty() && judging.is_empty() && grids.is_empty() {
        known(store, asked).await?;
    }
    let watch = watch_of(&contract, &judging, visit, asked.interval);
    let Verdicts { judged, history, asked: verdicts_asked } = verdicts(store, plan, &watch).await?;
    let baseline = visit.get("baseline").map_or_else(|| baseline_of(&judged, &watch), str::to_owned);
    let window = window_of(&judged, asked.interval, &watch);
    let now_question = plan.question(window, Vec::new());
    let moments_question = plan.question(window, vec![plan.segment.clone()]);
    let of = (asked.model.as_str(), asked.environment.as_str(), baseline.as_str());
    let (now, before, moments) = tokio::try_join!(
        store.counts(&now_question),
        store.baseline_counts_of(of, std::slice::from_ref(&asked.signal), &[]),
        store.moments(&moments_question),
    )?;
    let rows = Rows { contract: &contract, grids: &grids, now, before, moments, over_time };
    let mut data = Data {
        segments: seen,
        baselines: baselines.into_iter().filter(|it| it.environment == asked.environment).collect(),
        watches: judging,
        open,
        window,
        since: since(&judged),
        judged: judged.into_iter().filter(|it| it.baseline.is_empty() || it.baseline == baseline).collect(),
        baseline,
        history,
        ..Data::about(plan, visit, watch)
    };
    fill(&mut data, plan, rows);
    let counts_asked =
        [Ask::counts(&now_question), Ask::moments(&moments_question), Ask::counts(&over_time_question)];
    Ok((data, [plan.asked(), verdicts_asked, counts_asked.to_vec()].concat()))
}

/// What was found of the signal, in the last window and before.
struct Verdicts {
    judged: Vec<Evaluation>,
    history: Vec<Judged>,
    asked: Vec<Asked>,
}

async fn verdicts(store: &sql::Store, plan: &Plan, watch: &Watch) -> Result<Verdicts, PageError> {
    let recent = ModelAsked { interval: recent(plan.asked.interval, watch), ..plan.model() };
    let (evidence, step) = (plan.evidence(&watch.name), plan.window_step(watch));
    let (judged, points) = tokio::try_join!(
        store.latest_evaluations(&recent, &plan.asked.signal, &plan.segment),
        store.incident_history(&evidence, step),
    )?;
    let mine = |it: &Evaluation| it.subject.watch == watch.name && it.subject.segment == plan.segment;
    Ok(Verdicts {
        judged: judged.into_iter().filter(mine).collect(),
        history: points.iter().map(judged_point).collect(),
        asked: vec![
            latest(&recent, &plan.asked.signal, &plan.segment).asked(),
            history(&evidence, step).asked(),
        ],
    })
}

impl Data {
    /// What is known before anything is read.
    fn about(plan: &Plan, visit: &Visit, watch: Watch) -> Self {
        let asked = &plan.asked;
        Self {
            model: asked.model.clone(),
            environment: asked.environment.clone(),
            signal: asked.signal.clone(),
            segment: plan.segment.clone(),
            segments: Vec::new(),
            watch,
            watches: Vec::new(),
            baseline: String::new(),
            baselines: Vec::new(),
            range: asked.interval,
            now: visit.range.now(),
            open: OpenIncidents::default(),
            window: asked.interval,
            judged: Vec::new(),
            numeric: false,
            made_from: String::new(),
            compared: None,
            history: Vec::new(),
            step_s: plan.steps.step.as_secs(),
            over_time: Vec::new(),
            levels: Vec::new(),
            parts: Vec::new(),
            since: None,
        }
    }
}

/// The watch that was chosen; else, of those that judged the signal, the one whose steps suit the range.
fn watch_of(contract: &Contract, judging: &[WatchSeen], visit: &Visit, range: Interval) -> Watch {
    let known = contract.watches();
    let stated = |name: &str| {
        known
            .iter()
            .find(|watch| watch.name == name)
            .cloned()
            .unwrap_or_else(|| Watch { name: name.to_owned(), ..Watch::default() })
    };
    if let Some(chosen) = visit.get("watch") {
        return stated(chosen);
    }
    let distance = |watch: &Watch| {
        let steps = range.length().as_secs_f64() / watch.step_s.max(1) as f64;
        (steps.max(1e-9) / 72.0).ln().abs()
    };
    // A watch that compares distributions says more than one that counts gaps.
    let comparing: Vec<&WatchSeen> = judging.iter().filter(|it| it.compared > 0).collect();
    let seen = if comparing.is_empty() { judging.iter().collect() } else { comparing };
    let candidates: Vec<Watch> =
        if seen.is_empty() { known.clone() } else { seen.into_iter().map(|it| stated(&it.watch)).collect() };
    candidates.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or_default()
}

/// Where the last window of a watch with long steps may end a little before the range.
fn recent(range: Interval, watch: &Watch) -> Interval {
    let back = range.length().min(LOOKED_BACK).max(watch.schedule().step * 2);
    Interval::ending_at(range.end, back)
}

fn baseline_of(judged: &[Evaluation], watch: &Watch) -> String {
    let named = judged.iter().map(|it| it.baseline.as_str()).find(|name| !name.is_empty());
    named.map_or_else(|| watch.baseline.clone(), str::to_owned)
}

/// The last window that was judged; where none was, the range as far as one window is long.
fn window_of(judged: &[Evaluation], range: Interval, watch: &Watch) -> Interval {
    let last = judged.iter().map(|it| it.window).max_by_key(|window| window.end);
    last.unwrap_or_else(|| {
        Interval::ending_at(range.end, range.length().min(watch.schedule().length))
            .widened_to(domain::time::MINUTE)
    })
}

fn since(judged: &[Evaluation]) -> Option<Instant> {
    judged.iter().filter(|it| it.verdict.is_alarm()).map(|it| it.since).min()
}

fn judged_point(point: &HistoryPoint) -> Judged {
    Judged {
        monitor: point.monitor,
        window_end: point.window_end,
        value: point.value,
        threshold: point.threshold,
        verdict: point.verdict,
        events: point.n_current,
    }
}

/// # Errors
/// Where nobody ever heard of the model.
async fn known(store: &sql::Store, asked: &SignalAsked) -> Result<(), PageError> {
    let known = store.model_known(&asked.model).await?;
    let (model, signal) = (cut(&asked.model, 80), cut(&asked.signal, 80));
    Err(PageError::not_found(match known.is_empty() {
        true => {
            format!("No model called \"{model}\" has sent events. The models are listed on the first page.")
        }
        false => format!(
            "\"{model}\" has no signal \"{signal}\" yet: its events carry none, or its bins are still to be made."
        ),
    }))
}
