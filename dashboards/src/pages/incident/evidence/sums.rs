//! Which sums of counts an incident's page needs, and reading them.

use std::time::Duration;

use domain::baseline::Moments;
use domain::counts::Counts;
use domain::evaluation::Evaluation;
use domain::grid::{Grid, GridId};
use domain::incident::{Finding, Incident};
use domain::signal::segment;
use domain::time::{DAY, HOUR, Interval};
use sql::Store;
use sql::baselines::BySignal;
use sql::counts::{CountSeries, MomentPoint, Question, Resolution, TrafficPoint};
use sql::pages::{Ask, Asked};

use super::{Compared, Mean, Traffic};

/// Beyond this the hours are read instead of the minutes.
const BY_MINUTES: Duration = DAY.saturating_mul(2);

/// Which sums of counts the page needs.
pub struct Sums {
    model: String,
    environment: String,
    baseline: String,
    pub signals: Vec<String>,
    prediction: String,
    now: Question,
    means: Question,
    traffic: Question,
}

pub struct Read {
    counts: Vec<CountSeries>,
    pub baseline: BySignal,
    grids: Vec<Grid>,
    pub means: Vec<Mean>,
    pub traffic: Vec<Traffic>,
}

fn resolution(interval: Interval) -> Resolution {
    if interval.length() <= BY_MINUTES { Resolution::Minutes } else { Resolution::Hours }
}

impl Sums {
    pub fn new(
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

    pub async fn read(&self, store: &Store, asked: &mut Vec<Asked>) -> Result<Read, sql::Error> {
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

    /// The question for the window that is compared with the baseline.
    pub fn now(&self) -> &Question {
        &self.now
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
    pub fn compared(&self, signals: &[String]) -> Vec<Compared> {
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
