//! The numbers behind an incident, read again from counts and evaluations: never kept, so never stale.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::baseline::Moments;
use domain::contract::Contract;
use domain::counts::Counts;
use domain::evaluation::{Evaluation, Monitor, Subject};
use domain::grid::{Bin, Bins, Grid, GridId};
use domain::incident::{Finding, Incident};
use domain::signal::{Role, role, segment};
use domain::time::{DAY, HOUR, Instant, Interval, MINUTE};
use serde::Serialize;
use sql::Store;
use sql::baselines::BySignal;
use sql::counts::{CountSeries, MomentPoint, Question, Resolution, TrafficPoint};
use sql::pages::incident::{self as questions, EvidenceAsked, Example, ExamplesAsked, HistoryPoint, Shows};
use sql::pages::{Ask, Asked};

use crate::charts::axis::bucket;
use crate::figures::{self, Pair, SegmentCounts, SegmentPart};

/// So many signals are looked into; the others are listed with what was said of them.
pub const MOST_SIGNALS: usize = 4;
/// How many points a line has.
const POINTS: u64 = 96;
const EXAMPLES: u32 = 4;
/// Longer texts do not fit into an address of a question; examples are then any of the segment.
const LONGEST_LEVELS: usize = 3_000;
/// Beyond this the hours are read instead of the minutes.
const BY_MINUTES: Duration = DAY.saturating_mul(2);

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// Of each subject looked into, the last window that was off course.
    pub latest: Vec<Evaluation>,
    pub history: Vec<HistoryPoint>,
    pub examples: Vec<Example>,
    /// Which is *the* prediction; empty where there is none with numbers.
    pub prediction: String,
    /// The prediction's mean over the range, and events and errors.
    pub means: Vec<Mean>,
    pub traffic: Vec<Traffic>,
    pub segments: Vec<Part>,
    /// By signal: its part of the move of the prediction's mean away from the baseline's.
    pub parts_of_move: BTreeMap<String, f64>,
    #[serde(skip)]
    pub compared: Vec<Compared>,
    #[serde(skip)]
    pub step: Duration,
    /// Why some of this is missing; empty where all was read.
    pub problem: String,
}

/// The prediction's mean over one stretch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    pub at: Instant,
    pub n: u64,
    pub mean: f64,
    pub sd: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Traffic {
    pub at: Instant,
    pub events: u64,
    pub errors: u64,
}

/// A segment's part of the shift of the leading signal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    pub segment: String,
    pub shift: f64,
    pub traffic: f64,
}

/// Baseline and now of one signal in one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub signal: String,
    pub segment: String,
    pub grid: Grid,
    pub baseline: Counts,
    pub now: Counts,
}

/// The subjects that are looked into: of each signal the first (worst) finding, with the first of them leading.
pub fn leading(findings: &[Finding]) -> Vec<&Finding> {
    let mut leading: Vec<&Finding> = Vec::new();
    for finding in findings {
        let is_new = leading.iter().all(|known| !is_beside(&known.subject, &finding.subject));
        if is_new && leading.len() < MOST_SIGNALS {
            leading.push(finding);
        }
    }
    leading
}

/// Whether two subjects are told of together: the same signal, or without a signal the same monitor.
pub fn is_beside(one: &Subject, other: &Subject) -> bool {
    one.signal == other.signal && (!one.signal.is_empty() || one.monitor == other.monitor)
}

impl Evidence {
    /// The last off-course window of a subject.
    pub fn latest_of(&self, subject: &Subject) -> Option<&Evaluation> {
        self.latest.iter().find(|evaluation| evaluation.subject == *subject)
    }

    pub fn compared_of(&self, signal: &str, segment: &str) -> Option<&Compared> {
        self.compared.iter().find(|compared| compared.signal == signal && compared.segment == segment)
    }

    pub fn history_of(&self, subject: &Subject) -> Vec<&HistoryPoint> {
        self.history
            .iter()
            .filter(|point| {
                point.monitor == subject.monitor
                    && point.signal == subject.signal
                    && point.segment == subject.segment
            })
            .collect()
    }
}

fn evidence_asked(incident: &Incident, leading: &[&Finding], interval: Interval) -> EvidenceAsked {
    let mut monitors: Vec<Monitor> = leading.iter().map(|finding| finding.subject.monitor).collect();
    let mut signals: Vec<String> = leading.iter().map(|finding| finding.subject.signal.clone()).collect();
    let mut segments: Vec<String> = leading.iter().map(|finding| finding.subject.segment.clone()).collect();
    monitors.sort();
    monitors.dedup();
    for names in [&mut signals, &mut segments] {
        names.sort();
        names.dedup();
    }
    EvidenceAsked {
        model: incident.model.clone(),
        environment: incident.environment.clone(),
        watch: leading.first().map_or(String::new(), |finding| finding.subject.watch.clone()),
        monitors,
        signals,
        segments,
        interval,
    }
}

/// Reads what can be read; what cannot is named in `problem`, so that the rest is still shown.
pub async fn load(
    store: &Store,
    incident: &Incident,
    contract: &Contract,
    range: Interval,
) -> (Evidence, Vec<Asked>) {
    let mut asked = Vec::new();
    match read(store, incident, contract, range, &mut asked).await {
        Ok(evidence) => (evidence, asked),
        Err(error) => {
            tracing::warn!(
                incident = incident.id,
                error = &error as &dyn std::error::Error,
                "the evidence of an incident could not be read"
            );
            (Evidence { problem: error.to_string(), ..Evidence::default() }, asked)
        }
    }
}

async fn read(
    store: &Store,
    incident: &Incident,
    contract: &Contract,
    range: Interval,
    asked: &mut Vec<Asked>,
) -> Result<Evidence, sql::Error> {
    let leads = leading(&incident.findings);
    let Some(lead) = leads.first() else { return Ok(Evidence::default()) };
    let step = bucket(range, MINUTE, POINTS);
    // The last alarm may lie outside the range that somebody chose.
    let whole = Interval::new(incident.since.min(range.start), incident.updated_at.max(range.end));
    let latest_asked = evidence_asked(incident, &leads, whole);
    let history_asked = EvidenceAsked { interval: range, ..latest_asked.clone() };
    asked
        .extend([questions::latest(&latest_asked).asked(), questions::history(&history_asked, step).asked()]);
    let (latest, history, outputs) = tokio::try_join!(
        store.incident_latest(&latest_asked),
        store.incident_history(&history_asked, step),
        store.prediction_signals(&incident.model),
    )?;
    let prediction = contract.prediction_signal(outputs.iter().map(String::as_str)).unwrap_or_default();
    let of_lead = latest.iter().find(|evaluation| evaluation.subject == lead.subject);
    let sums = Sums::new(incident, &leads, of_lead, &prediction, range, step);
    let read = sums.read(store, asked).await?;
    let examples_asked = sums.examples(&read, lead);
    asked.push(questions::examples(&examples_asked).asked());
    let examples = store.incident_examples(&examples_asked).await?;
    let compared = read.compared(&sums.signals);
    let mut evidence = Evidence {
        segments: segments_of(&compared, &lead.subject.signal),
        parts_of_move: parts_of_move(&compared, &read.baseline, &prediction),
        prediction,
        means: read.means,
        traffic: read.traffic,
        latest,
        history,
        examples,
        compared,
        step,
        problem: String::new(),
    };
    // Pictures need the leading segments and the whole; the rest has been summed up.
    evidence.compared.retain(|compared| {
        compared.segment == segment::ALL
            || leads.iter().any(|lead| {
                lead.subject.signal == compared.signal && lead.subject.segment == compared.segment
            })
    });
    Ok(evidence)
}

/// Which sums of counts the page needs.
struct Sums {
    model: String,
    environment: String,
    baseline: String,
    signals: Vec<String>,
    prediction: String,
    now: Question,
    means: Question,
    traffic: Question,
}

struct Read {
    counts: Vec<CountSeries>,
    baseline: BySignal,
    grids: Vec<Grid>,
    means: Vec<Mean>,
    traffic: Vec<Traffic>,
}

fn resolution(interval: Interval) -> Resolution {
    if interval.length() <= BY_MINUTES { Resolution::Minutes } else { Resolution::Hours }
}

impl Sums {
    fn new(
        incident: &Incident,
        leads: &[&Finding],
        of_lead: Option<&Evaluation>,
        prediction: &str,
        range: Interval,
        step: Duration,
    ) -> Self {
        let lead_end = leads.first().map_or(incident.updated_at, |lead| lead.window_end);
        let window = of_lead.map_or(Interval::ending_at(lead_end, HOUR), |latest| latest.window);
        let mut signals: Vec<String> = leads
            .iter()
            .map(|lead| lead.subject.signal.clone())
            .filter(|signal| !signal.is_empty())
            .collect();
        if !prediction.is_empty() && !signals.iter().any(|signal| signal == prediction) {
            signals.push(prediction.to_owned());
        }
        let question = |interval: Interval| Question {
            model: incident.model.clone(),
            environment: incident.environment.clone(),
            interval,
            resolution: resolution(interval),
            segments: Vec::new(),
            signals: signals.clone(),
            step_s: 0,
        };
        let step_s = u32::try_from(step.as_secs()).unwrap_or(u32::MAX);
        let over_time = Question {
            segments: vec![segment::ALL.to_owned()],
            signals: vec![prediction.to_owned()],
            step_s,
            ..question(Interval::new(range.start.floor(step), range.end))
        };
        Self {
            model: incident.model.clone(),
            environment: incident.environment.clone(),
            baseline: of_lead.map_or(String::new(), |latest| latest.baseline.clone()),
            prediction: prediction.to_owned(),
            now: question(window),
            means: over_time.clone(),
            traffic: Question { signals: Vec::new(), ..over_time },
            signals,
        }
    }

    async fn read(&self, store: &Store, asked: &mut Vec<Asked>) -> Result<Read, sql::Error> {
        asked.extend([Ask::counts(&self.now), Ask::traffic(&self.traffic)]);
        if !self.prediction.is_empty() {
            asked.push(Ask::moments(&self.means));
        }
        let moments = async {
            if self.prediction.is_empty() { Ok(Vec::new()) } else { store.moments(&self.means).await }
        };
        let baseline = async {
            if self.signals.is_empty() || self.baseline.is_empty() {
                return Ok(BySignal::new());
            }
            let of = (self.model.as_str(), self.environment.as_str(), self.baseline.as_str());
            store.baseline_counts_of(of, &self.signals, &[]).await
        };
        let counts =
            async { if self.signals.is_empty() { Ok(Vec::new()) } else { store.counts(&self.now).await } };
        let (counts, baseline, grids, moments, traffic) = tokio::try_join!(
            counts,
            baseline,
            store.grids_of(&self.model, &self.signals),
            moments,
            store.traffic(&self.traffic),
        )?;
        Ok(Read {
            counts,
            baseline,
            grids: grids.into_iter().map(|stored| stored.grid).collect(),
            means: moments.iter().filter_map(mean_of).collect(),
            traffic: traffic.iter().map(traffic_of).collect(),
        })
    }

    /// Events of the leading subject: those without its value, or with one that has become more frequent.
    fn examples(&self, read: &Read, lead: &Finding) -> ExamplesAsked {
        let compared = read
            .compared(&self.signals)
            .into_iter()
            .find(|one| one.signal == lead.subject.signal && one.segment == lead.subject.segment);
        ExamplesAsked {
            model: self.model.clone(),
            environment: self.environment.clone(),
            interval: self.now.interval,
            signal: lead.subject.signal.clone(),
            segment: lead.subject.segment.clone(),
            shows: shows(lead.subject.monitor, compared.as_ref()),
            most: EXAMPLES,
        }
    }
}

fn mean_of(point: &MomentPoint) -> Option<Mean> {
    let Moments { n, .. } = point.moments;
    Some(Mean { at: point.at, n, mean: point.moments.mean()?, sd: point.moments.sd()? })
}

fn traffic_of(point: &TrafficPoint) -> Traffic {
    Traffic { at: point.at, events: point.events, errors: point.errors }
}

impl Read {
    /// Baseline and now of every signal and segment that both know on one grid.
    fn compared(&self, signals: &[String]) -> Vec<Compared> {
        self.counts
            .iter()
            .filter(|series| signals.contains(&series.signal))
            .filter_map(|series| {
                let grid = self.grid(&series.signal, series.grid)?;
                let key = (series.segment.clone(), series.signal.clone());
                let baseline = self.baseline.get(&key).filter(|known| known.grid == series.grid);
                Some(Compared {
                    signal: series.signal.clone(),
                    segment: series.segment.clone(),
                    grid: grid.clone(),
                    baseline: baseline.map(|known| known.counts.clone()).unwrap_or_default(),
                    now: Counts::of(series.points.iter().map(|point| (point.bin, point.n))),
                })
            })
            .collect()
    }

    fn grid(&self, signal: &str, id: GridId) -> Option<&Grid> {
        self.grids.iter().find(|grid| grid.signal == signal && grid.id == id)
    }
}

/// What would show a finding: the values that became more frequent, or none at all.
fn shows(monitor: Monitor, compared: Option<&Compared>) -> Shows {
    match monitor {
        Monitor::Missing => Shows::Missing,
        Monitor::Invalid => Shows::Invalid,
        Monitor::Errors => Shows::Error,
        Monitor::Unseen => known_levels(compared).map_or(Shows::Anything, Shows::Unseen),
        Monitor::Drift | Monitor::Latency | Monitor::Staleness => {
            compared.and_then(more_frequent).unwrap_or(Shows::Anything)
        }
        Monitor::Silence | Monitor::Traffic | Monitor::Performance | Monitor::Analyzer => Shows::Anything,
    }
}

fn known_levels(compared: Option<&Compared>) -> Option<Vec<String>> {
    match &compared?.grid.bins {
        Bins::Categories(levels) => short_enough(levels.names().to_vec()),
        Bins::Numbers(_) => None,
    }
}

fn short_enough(levels: Vec<String>) -> Option<Vec<String>> {
    (levels.iter().map(String::len).sum::<usize>() <= LONGEST_LEVELS).then_some(levels)
}

/// The part of PSI whose share grew the most in proportion to what it says.
fn more_frequent(compared: &Compared) -> Option<Shows> {
    let pair = Pair { baseline: &compared.baseline, now: &compared.now };
    let grown = figures::contributions(&compared.grid, pair)
        .into_iter()
        .filter(|part| part.now > part.baseline)
        .max_by(|one, other| one.psi.total_cmp(&other.psi))?;
    match compared.grid.bins {
        Bins::Numbers(_) => Some(Shows::Number { low: grown.low, high: grown.high }),
        Bins::Categories(_) => short_enough(vec![grown.label]).map(Shows::Category),
    }
}

/// How many segments are shown.
const MOST_SEGMENTS: usize = 5;

/// The segments that carry the shift of a signal, dimension by dimension, the largest parts first.
fn segments_of(compared: &[Compared], signal: &str) -> Vec<Part> {
    let mut dimensions: BTreeMap<&str, Vec<SegmentCounts>> = BTreeMap::new();
    let mut grids: BTreeMap<&str, GridId> = BTreeMap::new();
    for one in compared.iter().filter(|one| one.signal == signal) {
        let Some((dimension, _)) = segment::parts(&one.segment) else { continue };
        // Counts of two grids do not add.
        if *grids.entry(dimension).or_insert(one.grid.id) != one.grid.id {
            continue;
        }
        dimensions.entry(dimension).or_default().push(SegmentCounts {
            segment: one.segment.clone(),
            baseline: one.baseline.clone(),
            now: one.now.clone(),
        });
    }
    let mut parts: Vec<SegmentPart> = dimensions
        .values()
        .filter(|parts| parts.len() > 1)
        .flat_map(|parts| figures::segment_parts(parts))
        .collect();
    parts.sort_by(|one, other| {
        other.shift.total_cmp(&one.shift).then_with(|| one.segment.cmp(&other.segment))
    });
    parts.truncate(MOST_SEGMENTS);
    parts
        .into_iter()
        .map(|SegmentPart { segment, shift, traffic }| Part { segment, shift, traffic })
        .collect()
}

/// The prediction's mean must have moved by so many of its standard errors for parts of the move to mean anything …
const MOVED_ERRORS: f64 = 4.0;
/// … and by this part of its spread.
const MOVED_SPREAD: f64 = 0.02;

/// Each signal's part of the prediction's move from the baseline, by mix: Σ_b (q_b − p_b)·m_b over its bins b, with m_b
/// the baseline's mean prediction in b (METHODS 10), as a share of the whole move. Empty where nothing moved, or the
/// baseline does not know the means.
fn parts_of_move(compared: &[Compared], baseline: &BySignal, prediction: &str) -> BTreeMap<String, f64> {
    let of_all =
        |signal: &str| compared.iter().find(|one| one.signal == signal && one.segment == segment::ALL);
    let Some(moved) = of_all(prediction).and_then(|one| move_of(one, baseline)) else {
        return BTreeMap::new();
    };
    compared
        .iter()
        .filter(|one| one.segment == segment::ALL && role(&one.signal) == Role::Feature)
        .filter_map(|one| Some((one.signal.clone(), mix(one, baseline)? / moved)))
        .filter(|(_, part)| part.is_finite())
        .collect()
}

/// How far the prediction's mean moved from the baseline's; `None` where it did not.
fn move_of(prediction: &Compared, baseline: &BySignal) -> Option<f64> {
    let means = &baseline.get(&(segment::ALL.to_owned(), prediction.signal.clone()))?.means;
    let moments = |counts: &Counts| -> Option<(f64, f64, f64)> {
        let mut sums = (0.0, 0.0, 0.0);
        for (bin, n) in counts.iter().filter(|(bin, _)| bin.value_index().is_some()) {
            let (n, mean) = (n as f64, place(&prediction.grid, bin, means)?);
            sums = (sums.0 + n, sums.1 + n * mean, sums.2 + n * mean * mean);
        }
        let mean = sums.1 / sums.0;
        (sums.0 > 0.0).then(|| (mean, (sums.2 / sums.0 - mean * mean).max(0.0).sqrt(), sums.0))
    };
    let (before, sd, n_before) = moments(&prediction.baseline)?;
    let (now, sd_now, n_now) = moments(&prediction.now)?;
    let error = (sd * sd / n_before + sd_now * sd_now / n_now).sqrt();
    let moved = now - before;
    (moved.abs() > MOVED_ERRORS * error && moved.abs() > MOVED_SPREAD * sd).then_some(moved)
}

/// The mean value of a bin: the baseline's, or the middle where the baseline has no value in it.
fn place(grid: &Grid, bin: Bin, means: &BTreeMap<Bin, f64>) -> Option<f64> {
    means.get(&bin).copied().or_else(|| match &grid.bins {
        Bins::Numbers(edges) => Some(edges.middle(bin.value_index()?)),
        Bins::Categories(_) => None,
    })
}

/// Σ_b (q_b − p_b)·m_b. A bin whose mean prediction nobody knows counts with the overall mean, that is not at all.
fn mix(one: &Compared, baseline: &BySignal) -> Option<f64> {
    let known = baseline.get(&(segment::ALL.to_owned(), one.signal.clone()))?;
    if known.mean_predictions.is_empty() {
        return None;
    }
    let (p, q) = (one.baseline.total() as f64, one.now.total() as f64);
    if p == 0.0 || q == 0.0 {
        return None;
    }
    let weight: f64 = known.mean_predictions.keys().map(|bin| one.baseline.get(*bin) as f64).sum();
    let centre =
        known.mean_predictions.iter().map(|(bin, mean)| one.baseline.get(*bin) as f64 * mean).sum::<f64>()
            / weight.max(1.0);
    Some(
        known
            .mean_predictions
            .iter()
            .map(|(bin, mean)| {
                let share = one.now.get(*bin) as f64 / q - one.baseline.get(*bin) as f64 / p;
                share * (mean - centre)
            })
            .sum(),
    )
}
