//! The overview: is anything wrong? Open incidents first, then every model on a line, worst first.

mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use domain::contract::Contract;
use domain::counts::Counts;
use domain::grid::Bins;
use domain::incident::Incident;
use domain::signal::LATENCY;
use domain::time::{DAY, HOUR, Instant, Interval};
use serde::Serialize;
use sql::pages::OpenIncidents;
use sql::pages::overview::{self as questions, Latest, Model, Of, Performance, Steps, Worst};

pub use view::Overview;

use crate::charts::strip::Mark;
use crate::error::PageError;
use crate::figures;
use crate::layout::{Layout, Section};
use crate::pages::answer;
use crate::pages::grids::duration_grid;
use crate::pages::steps::{Seen, cells_of, longest_step, marks, steps};
use crate::run::App;
use crate::visit::Visit;

/// What the overview knows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    pub range: Interval,
    pub now: Instant,
    pub open: OpenIncidents,
    pub incidents: Vec<Incident>,
    pub models: Vec<ModelLine>,
}

/// One model in one environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelLine {
    pub model: String,
    pub environment: String,
    pub description: String,
    pub owner: String,
    pub last_event: Instant,
    /// All events of the time that is kept.
    pub events_ever: u64,
    /// Events of each stretch of the range; `None` where there were none.
    pub traffic: Vec<Option<f64>>,
    pub events: u64,
    pub errors: u64,
    pub events_an_hour: f64,
    pub p95_ms: Option<f64>,
    /// The worst verdict of each stretch of the range.
    pub verdicts: Vec<Option<Mark>>,
    /// What the latest window of each watch says that still looks at the model.
    pub latest: Vec<Latest>,
    pub performance: Option<Performance>,
}

/// How many stretches a line of events has, and how many a line of verdicts.
const POINTS: u64 = 72;
const CELLS: u64 = 48;
/// Outcomes come late: performance is looked for this far back at least.
const LABELS_OVER: Duration = Duration::from_secs(30 * 86_400);

/// The stretches of time that the overview asks about.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plan {
    traffic: Steps,
    verdicts: Steps,
    /// Windows end up to here, since they speak of what was before.
    until: Instant,
    recent: Interval,
    labels: Interval,
}

impl Plan {
    fn of(range: Interval, now: Instant, contracts: &BTreeMap<String, Contract>) -> Self {
        let longest = longest_step(contracts.values());
        Self {
            traffic: steps(range, POINTS),
            verdicts: steps(range, CELLS),
            until: range.end.saturating_add(longest).min(now.max(range.end)),
            recent: Interval::ending_at(range.end, (longest * 2 + HOUR).min(DAY * 8)),
            labels: Interval::ending_at(range.end, range.length().max(LABELS_OVER)).widened_to(HOUR),
        }
    }
}

/// `GET /`
pub async fn page(State(app): State<App>, visit: Visit) -> Result<Response, PageError> {
    let plan = Plan::of(visit.range.interval(), visit.range.now(), &app.context.contracts.current());
    let data = load(&app, &visit, plan).await?;
    let asked = questions::asked(plan.traffic, plan.verdicts, plan.until, plan.recent, plan.labels);
    let layout = Layout::new(&visit, Section::Models, "Models", data.open);
    answer(&visit, &data, &asked, || Overview::new(layout, &visit, &data, &app.config.collector_url))
}

async fn load(app: &App, visit: &Visit, plan: Plan) -> Result<Data, PageError> {
    let (store, now) = (&app.store, visit.range.now());
    let (models, traffic, latency, verdicts, latest, performance, incidents, open) = tokio::try_join!(
        store.overview_models(now),
        store.overview_traffic(plan.traffic),
        store.overview_latency(plan.traffic),
        store.overview_verdicts(plan.verdicts, plan.until),
        store.overview_latest(plan.recent),
        store.overview_performance(plan.labels),
        store.open_incidents(""),
        store.open_incidents_count(now),
    )?;
    let (traffic, latency) = (by_model(traffic), by_model(latency));
    let (verdicts, latest, performance) = (by_model(verdicts), by_model(latest), by_model(performance));
    let lines = models.into_iter().map(|model| {
        let contract = app.context.contract(&model.name);
        let key = (model.name.clone(), model.environment.clone());
        let parts = Parts {
            traffic: traffic.get(&key).map_or(&[], Vec::as_slice),
            latency: latency.get(&key).map_or(&[], Vec::as_slice),
            verdicts: verdicts.get(&key).map_or(&[], Vec::as_slice),
            latest: latest.get(&key).map_or(&[], Vec::as_slice),
            performance: performance.get(&key).map_or(&[], Vec::as_slice),
        };
        line(model, &contract, plan, parts)
    });
    Ok(Data { range: visit.range.interval(), now, open, incidents, models: lines.collect() })
}

fn by_model<T>(rows: Vec<Of<T>>) -> BTreeMap<(String, String), Vec<T>> {
    let mut grouped: BTreeMap<(String, String), Vec<T>> = BTreeMap::new();
    for row in rows {
        grouped.entry((row.model, row.environment)).or_default().push(row.it);
    }
    grouped
}

/// The rows about one model.
struct Parts<'a> {
    traffic: &'a [questions::Bucket],
    latency: &'a [questions::BinCount],
    verdicts: &'a [Worst],
    latest: &'a [Latest],
    performance: &'a [Performance],
}

fn line(model: Model, contract: &Contract, plan: Plan, parts: Parts<'_>) -> ModelLine {
    let cells = cells_of(plan.traffic);
    let mut traffic = vec![None; cells];
    for bucket in parts.traffic {
        if let Some(cell) = traffic.get_mut(bucket.bucket as usize) {
            *cell = Some(bucket.events as f64);
        }
    }
    let events = parts.traffic.iter().map(|bucket| bucket.events).sum();
    let since_first = traffic.iter().position(Option::is_some).map_or(0, |first| cells - first);
    let hours = plan.traffic.step.as_secs_f64() * since_first as f64 / 3_600.0;
    ModelLine {
        description: contract.description.clone(),
        owner: contract.owner.clone(),
        last_event: model.last_event,
        events_ever: model.events,
        events,
        errors: parts.traffic.iter().map(|bucket| bucket.errors).sum(),
        events_an_hour: if hours > 0.0 { events as f64 / hours } else { 0.0 },
        traffic,
        p95_ms: p95(&model.name, contract, parts.latency),
        verdicts: marks(
            contract,
            plan.verdicts,
            parts.verdicts.iter().map(|found| Seen {
                watch: &found.watch,
                bucket: found.bucket,
                rank: found.rank,
            }),
        ),
        latest: parts.latest.iter().filter(|latest| still_looks(contract, latest, plan)).cloned().collect(),
        performance: best_known(parts.performance),
        model: model.name,
        environment: model.environment,
    }
}

/// Watches over recorded history say nothing about how a model stands now.
fn still_looks(contract: &Contract, latest: &Latest, plan: Plan) -> bool {
    let watch = contract.watches().into_iter().find(|watch| watch.name == latest.watch);
    watch.is_none_or(|watch| watch.until.is_none_or(|until| until.0 > plan.recent.end))
}

fn p95(model: &str, contract: &Contract, bins: &[questions::BinCount]) -> Option<f64> {
    let id = bins.first()?.grid;
    let grid = duration_grid(model, LATENCY, contract, id)?;
    let counts = Counts::of(bins.iter().filter(|bin| bin.grid == id).map(|bin| (bin.bin, bin.n)));
    match &grid.bins {
        Bins::Numbers(edges) => figures::percentile(edges, &counts, 0.95),
        Bins::Categories(_) => None,
    }
}

/// The metric that people ask for first.
fn best_known(found: &[Performance]) -> Option<Performance> {
    const FIRST: [&str; 6] = ["auc", "ndcg", "accuracy", "rmse", "mae", "brier"];
    FIRST
        .iter()
        .find_map(|metric| found.iter().find(|one| one.metric == *metric))
        .or_else(|| found.first())
        .cloned()
}
