//! A model: how it is, and what moves.

mod causes;
mod facts;
mod groups;
mod movers;
mod pictures;
mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use domain::baseline::Baseline;
use domain::contract::{Contract, Watch};
use domain::counts::Counts;
use domain::evaluation::Evaluation;
use domain::grid::{Bins, Edges, Grid};
use domain::incident::Incident;
use domain::signal::{LATENCY, segment};
use domain::time::{DAY, HOUR, Instant, Interval};
use serde::Serialize;
use sql::Store;
use sql::changes::{Change, ChangesAsked};
use sql::counts::{CountSeries, Question, TrafficPoint};
use sql::pages::model::{
    self as questions, GroupMetric, Heat, Known, ModelAsked, PerformancePoint, Ranked, Version,
};
use sql::pages::overview::Steps;
use sql::pages::{Ask, Asked, OpenIncidents};

pub use movers::Mover;
pub use view::Model;

use crate::charts::axis::bucket;
use crate::charts::strip::Mark;
use crate::error::PageError;
use crate::figures;
use crate::layout::{Layout, Section};
use crate::pages::answer;
use crate::pages::grids::{grid_of, sum};
use crate::pages::steps::{Seen, cells_of, marks, resolution, steps};
use crate::run::App;
use crate::visit::Visit;

/// What the page knows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    pub model: String,
    pub environment: String,
    pub environments: Vec<Known>,
    pub contract: Contract,
    /// The watch that the page is narrowed to; empty for all.
    pub watch: String,
    pub range: Interval,
    pub now: Instant,
    pub open: OpenIncidents,
    pub incidents: Vec<Incident>,
    /// What the last windows in the range say; segments only where they are not on course.
    pub latest: Vec<Evaluation>,
    /// Signals and monitors, worst first, and how many there are before they are cut to a page.
    pub rows: Vec<SignalRow>,
    pub found: usize,
    pub movers: Vec<Mover>,
    pub step_s: u64,
    pub traffic: Vec<Traffic>,
    pub latency: Vec<Latency>,
    pub performance: Vec<PerformancePoint>,
    pub performance_step_s: u64,
    /// How the groups that the contract names were treated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupMetric>,
    pub versions: Vec<Version>,
    pub changes: Vec<Change>,
    pub baselines: Vec<Baseline>,
}

/// One line of the heat map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SignalRow {
    pub name: String,
    pub is_monitor: bool,
    /// The greatest part of a limit that was reached in the range.
    pub peak: f64,
    pub marks: Vec<Option<Mark>>,
}

/// The traffic of one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Traffic {
    pub at: Instant,
    pub events: u64,
    pub errors: u64,
}

/// The latency over one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    pub at: Instant,
    pub p50: f64,
    pub p95: f64,
    /// The share that took longer than the objective's limit.
    pub slow: Option<f64>,
}

/// How many signals a page shows as lines.
pub const SIGNALS_A_PAGE: usize = 40;
const POINTS: u64 = 72;
const CELLS: u64 = 72;
/// The last window of a watch is looked for this far back, or over two of its steps where those are longer: what was
/// judged last week says little about now, and reading it for every signal is slow.
pub(crate) const LOOKED_BACK: Duration = Duration::from_secs(2 * 86_400);
/// How many changes are shown.
const CHANGES: u32 = 20;
/// Outcomes come late: performance is looked at over this at least.
const PERFORMANCE_OVER: Duration = Duration::from_secs(14 * 86_400);

/// What the page asks, and over which stretches.
struct Plan {
    asked: ModelAsked,
    watch: String,
    heat: Steps,
    traffic: Steps,
    /// Windows end up to here that still speak of the range.
    until: Instant,
    performance: ModelAsked,
    performance_step: Duration,
    changes: ChangesAsked,
}

impl Plan {
    fn of(model: &str, environment: &str, contract: &Contract, visit: &Visit) -> Self {
        let (range, now) = (visit.range.interval(), visit.range.now());
        let longest = contract.watches().iter().map(|watch| watch.schedule().step).max().unwrap_or(HOUR);
        let over =
            |interval| ModelAsked { model: model.to_owned(), environment: environment.to_owned(), interval };
        let performance = Interval::ending_at(range.end, range.length().max(PERFORMANCE_OVER));
        let least = if performance.length() > DAY * 4 { DAY } else { HOUR };
        let performance_step = bucket(performance, least, POINTS);
        Self {
            asked: over(range),
            watch: visit.get("watch").unwrap_or_default().to_owned(),
            heat: steps(range, CELLS),
            traffic: steps(range, POINTS),
            until: range.end.saturating_add(longest).min(now.max(range.end)),
            performance: over(performance.widened_to(performance_step)),
            performance_step,
            changes: ChangesAsked {
                model: model.to_owned(),
                kind: String::new(),
                interval: range,
                most: CHANGES,
            },
        }
    }

    fn traffic_question(&self) -> Question {
        self.question(self.traffic, Vec::new())
    }

    fn latency_question(&self) -> Question {
        self.question(self.traffic, vec![LATENCY.to_owned()])
    }

    fn question(&self, steps: Steps, signals: Vec<String>) -> Question {
        Question {
            model: self.asked.model.clone(),
            environment: self.asked.environment.clone(),
            interval: steps.interval,
            resolution: steps.resolution,
            segments: vec![segment::ALL.to_owned()],
            signals,
            step_s: u32::try_from(steps.step.as_secs()).unwrap_or(u32::MAX),
        }
    }

    /// The verdicts are read from a little before the range where a watch has no window in it.
    fn latest(&self, contract: &Contract) -> ModelAsked {
        let longest = contract.watches().iter().map(|watch| watch.schedule().step).max().unwrap_or(HOUR);
        let back = self.asked.interval.length().min(LOOKED_BACK).max(longest * 2);
        ModelAsked { interval: Interval::ending_at(self.asked.interval.end, back), ..self.asked.clone() }
    }
}

/// `GET /models/{model}/{environment}`
pub async fn page(
    State(app): State<App>,
    visit: Visit,
    Path((model, environment)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let contract = app.context.contract(&model);
    let plan = Plan::of(&model, &environment, &contract, &visit);
    let (data, more) = load(&app, &visit, &plan, contract).await?;
    let layout = Layout::new(&visit, Section::Models, &model, data.open);
    answer(&visit, &data, &asked(&plan, &data, more), || Model::new(layout, &visit, &data))
}

async fn load(
    app: &App,
    visit: &Visit,
    plan: &Plan,
    contract: Contract,
) -> Result<(Data, Vec<Asked>), PageError> {
    let (store, asked) = (&app.store, &plan.asked);
    let (recent, traffic_question, latency_question) =
        (plan.latest(&contract), plan.traffic_question(), plan.latency_question());
    let (known, latest, ranked, traffic, latency) = tokio::try_join!(
        store.model_known(&asked.model),
        store.latest_evaluations(&recent, "", segment::ALL),
        store.model_ranked(asked, &plan.watch, plan.heat.resolution),
        store.traffic(&traffic_question),
        store.counts(&latency_question),
    )?;
    check_known(&known, asked)?;
    let latest: Vec<Evaluation> = latest.into_iter().filter(|it| of_watch(it, &contract, plan)).collect();
    let (rows, found) = listed(ranked, &latest, visit);
    let names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    let (heat, (performance, groups), versions, changes, baselines, incidents, open, (movers, more)) = tokio::try_join!(
        store.model_heat(asked, &plan.watch, &names, (plan.heat, plan.until)),
        performance_and_groups(store, plan),
        store.model_versions(asked),
        store.changes(&plan.changes),
        store.baselines(Some(&asked.model)),
        store.open_incidents(&asked.model),
        store.open_incidents_count(visit.range.now()),
        movers::load(store, &contract, &latest),
    )?;
    let data = Data {
        model: asked.model.clone(),
        environment: asked.environment.clone(),
        environments: known,
        watch: plan.watch.clone(),
        range: asked.interval,
        now: visit.range.now(),
        open,
        incidents: incidents.into_iter().filter(|it| it.environment == asked.environment).collect(),
        rows: rows.into_iter().map(|row| heat_row(row, &heat, &contract, plan.heat)).collect(),
        found,
        movers,
        latest,
        step_s: plan.traffic.step.as_secs(),
        traffic: traffic_steps(&traffic, plan.traffic),
        latency: latency_steps(&latency, &contract, plan),
        performance,
        performance_step_s: plan.performance_step.as_secs(),
        groups,
        versions,
        changes,
        baselines: baselines.into_iter().filter(|it| it.environment == asked.environment).collect(),
        contract,
    };
    Ok((data, more))
}

async fn performance_and_groups(
    store: &Store,
    plan: &Plan,
) -> Result<(Vec<PerformancePoint>, Vec<GroupMetric>), sql::Error> {
    tokio::try_join!(
        store.model_performance(&plan.performance, plan.performance_step),
        store.model_groups(&plan.performance)
    )
}

fn check_known(known: &[Known], asked: &ModelAsked) -> Result<(), PageError> {
    let (model, environment) = (crate::text::cut(&asked.model, 80), crate::text::cut(&asked.environment, 80));
    if known.is_empty() {
        let message =
            format!("No model called \"{model}\" has sent events. The models are listed on the first page.");
        return Err(PageError::not_found(message));
    }
    if known.iter().any(|known| known.environment == asked.environment) {
        return Ok(());
    }
    let environments: Vec<String> =
        known.iter().map(|known| crate::text::cut(&known.environment, 40)).collect();
    Err(PageError::not_found(format!(
        "\"{model}\" has sent no events in the environment \"{environment}\" (known: {})",
        environments.join(", ")
    )))
}

/// Evaluations of the watch that was chosen. Where none was: of those that still look at the model when the range ends.
fn of_watch(evaluation: &Evaluation, contract: &Contract, plan: &Plan) -> bool {
    if !plan.watch.is_empty() {
        return evaluation.subject.watch == plan.watch;
    }
    let ended = |watch: &Watch| watch.until.is_some_and(|until| until.0 <= plan.asked.interval.end);
    let watches = contract.watches();
    let others_look = watches
        .iter()
        .any(|watch| !ended(watch) && watch.from.is_none_or(|from| from.0 < plan.asked.interval.end));
    let mine = watches.iter().find(|watch| watch.name == evaluation.subject.watch);
    !(others_look && mine.is_some_and(ended))
}

/// The signals of this page of the list: those that stand worst now first, then those that went furthest in the range.
fn listed(ranked: Vec<Ranked>, latest: &[Evaluation], visit: &Visit) -> (Vec<Ranked>, usize) {
    let mut now: BTreeMap<&str, (Mark, f64)> = BTreeMap::new();
    for evaluation in latest {
        let subject = &evaluation.subject;
        let name = if subject.signal.is_empty() { subject.monitor.name() } else { &subject.signal };
        let mark = Mark::of(evaluation.verdict, evaluation.severity);
        let found = (mark, movers::times_limit(evaluation));
        let worst = now.entry(name).or_insert(found);
        if found > *worst {
            *worst = found;
        }
    }
    let search = visit.get("q").unwrap_or_default().to_lowercase();
    let mut rows: Vec<Ranked> = ranked
        .into_iter()
        .filter(|row| search.is_empty() || row.name.to_lowercase().contains(&search))
        .collect();
    let standing = |row: &Ranked| now.get(row.name.as_str()).filter(|(mark, _)| mark.is_bad()).copied();
    // Stable: within equals the store's order holds, worst and furthest first.
    rows.sort_by(|a, b| standing(b).partial_cmp(&standing(a)).unwrap_or(std::cmp::Ordering::Equal));
    let found = rows.len();
    let first = (visit.page_number() - 1).min(found.saturating_sub(1) / SIGNALS_A_PAGE) * SIGNALS_A_PAGE;
    (rows.into_iter().skip(first).take(SIGNALS_A_PAGE).collect(), found)
}

fn heat_row(row: Ranked, heat: &[Heat], contract: &Contract, steps: Steps) -> SignalRow {
    let seen = heat.iter().filter(|heat| heat.name == row.name).map(|heat| Seen {
        watch: &heat.watch,
        bucket: heat.bucket,
        rank: heat.rank,
    });
    SignalRow {
        marks: marks(contract, steps, seen),
        name: row.name,
        is_monitor: row.is_monitor,
        peak: row.peak,
    }
}

/// Every step of the range, also those without events.
fn traffic_steps(points: &[TrafficPoint], steps: Steps) -> Vec<Traffic> {
    let found: BTreeMap<Instant, &TrafficPoint> = points.iter().map(|point| (point.at, point)).collect();
    instants(steps)
        .map(|at| match found.get(&at) {
            Some(point) => Traffic { at, events: point.events, errors: point.errors },
            None => Traffic { at, events: 0, errors: 0 },
        })
        .collect()
}

/// When the steps begin.
pub fn instants(steps: Steps) -> impl Iterator<Item = Instant> {
    (0..cells_of(steps)).map(move |index| steps.interval.start.saturating_add(steps.step * index as u32))
}

fn latency_steps(series: &[CountSeries], contract: &Contract, plan: &Plan) -> Vec<Latency> {
    let limit = contract.objectives.latency.map(|objective| objective.limit_ms);
    let mut points = Vec::new();
    for series in series {
        let grid = grid_of(&[], &plan.asked.model, LATENCY, contract, series.grid);
        let Some(Grid { bins: Bins::Numbers(edges), .. }) = grid else { continue };
        for points_of_step in series.points.chunk_by(|a, b| a.at == b.at) {
            let counts = Counts::of(points_of_step.iter().map(|point| (point.bin, point.n)));
            points.extend(latency_of(&edges, &counts, points_of_step[0].at, limit));
        }
    }
    points.sort_by_key(|point: &Latency| point.at);
    points
}

fn latency_of(edges: &Edges, counts: &Counts, at: Instant, limit: Option<f64>) -> Option<Latency> {
    Some(Latency {
        at,
        p50: figures::percentile(edges, counts, 0.5)?,
        p95: figures::percentile(edges, counts, 0.95)?,
        slow: limit.and_then(|limit| figures::share_above(edges, counts, limit)),
    })
}

fn asked(plan: &Plan, data: &Data, more: Vec<Asked>) -> Vec<Asked> {
    let names: Vec<String> = data.rows.iter().map(|row| row.name.clone()).collect();
    let mut all = vec![
        questions::known(&data.model).asked(),
        sql::pages::overview::open_incidents(&data.model).asked(),
        questions::latest(&plan.latest(&data.contract), "", segment::ALL).asked(),
        questions::ranked(&plan.asked, &plan.watch, plan.heat.resolution).asked(),
        questions::heat(&plan.asked, &plan.watch, &names, plan.heat, plan.until).asked(),
        Ask::traffic(&plan.traffic_question()),
        Ask::counts(&plan.latency_question()),
        questions::performance(&plan.performance, plan.performance_step).asked(),
        questions::groups(&plan.performance).asked(),
        questions::versions(&plan.asked).asked(),
        sql::changes::changes(&plan.changes).asked(),
    ];
    all.extend(more);
    all
}

/// Counts of one signal and segment over a window, with the grid that they belong to.
pub(crate) fn counted<'a>(
    series: &'a [CountSeries],
    signal: &str,
    segment: &str,
) -> Option<(&'a CountSeries, Counts)> {
    // Where a signal was counted by two grids, the one with more values is the one that holds.
    series
        .iter()
        .filter(|series| series.signal == signal && series.segment == segment)
        .map(|series| (series, sum(series)))
        .max_by_key(|(_, counts)| counts.total())
}

/// A window's counts are read by hours where it is long and made of whole hours.
pub(crate) fn window_question(
    evaluation: &Evaluation,
    signals: Vec<String>,
    segments: Vec<String>,
) -> Question {
    Question {
        model: evaluation.subject.model.clone(),
        environment: evaluation.subject.environment.clone(),
        interval: evaluation.window,
        resolution: resolution(evaluation.window),
        segments,
        signals,
        step_s: 0,
    }
}
