//! A baseline of a file: its events are counted by the grids in force and by new ones made of it, and not stored.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::baseline::{Baseline, Moments};
use domain::grid::Bin;
use domain::signal::segment;
use domain::time::{Instant, Interval};
use service::Context;
use sql::Store;
use sql::baselines::BySignal;

use crate::config::Config;
use crate::count::{Segments, SignalNumbers, count};
use crate::event::{Name, Prediction};
use crate::guard::GuardBook;
use crate::import::bind::{Reading, Stamp, end_of_time};
use crate::import::events::Events;
use crate::import::grids::Announcer;
use crate::import::load::{off_thread, surveyed};
use crate::import::{Observer, Plan};
use crate::known::{Dimension, Grids, ModelGrids};
use crate::predictions::Predictions;
use crate::streams::streams;

/// Events counted at a time.
const AT_ONCE: usize = 10_000;

/// The counts of a file as a baseline. It is not written yet; grids that were missing are announced.
///
/// # Errors
/// Names the file, the column and what to change.
pub async fn of_file(
    plan: Plan,
    environment: &str,
    name: &str,
    config: &Config,
    context: &Context,
    store: &Store,
) -> anyhow::Result<(Baseline, BySignal)> {
    let sha256 = off_thread({
        let source = plan.source.clone();
        move || source.sha256()
    })
    .await?;
    let guards = GuardBook::new(context.contracts.clone(), config.privacy.settings()?).current();
    let plan = Plan { guards, ..plan };
    let (plan, survey) = surveyed(plan, &sha256, context, &Observer::none()).await?;
    let Some((first, last)) = survey.times else { bail!("{} holds no predictions", plan.source.name) };
    let source = format!("file {}", plan.source.name);
    let grids = Grids::new(store.clone(), context, config.grids.freshness());
    let announcer =
        Announcer { model: &plan.model, made_from: &source, config, context, store, grids: &grids };
    let announced = announcer.announce(&survey).await?;
    let known = grids.refresh().await.context("the grids cannot be read")?.model(&plan.model);
    let prediction =
        context.contract(&plan.model).prediction_signal(known.by_signal.keys().map(String::as_str));
    let stamp = Stamp { received_at: announced.hold_from, shift_ms: 0, latest: end_of_time() };
    let (model, readings) = (plan.model.clone(), survey.readings);
    let tally = off_thread(move || counted(&plan, &sha256, &readings, &stamp, &known, prediction)).await?;
    let baseline = Baseline {
        model,
        environment: environment.to_owned(),
        name: name.to_owned(),
        window: Interval::new(first, last.saturating_add(Duration::from_millis(1))),
        source,
        events: tally.events,
        created_at: context.clock.now(),
    };
    Ok((baseline, tally.finish()))
}

fn counted(
    plan: &Plan,
    sha256: &str,
    readings: &BTreeMap<String, Reading>,
    stamp: &Stamp,
    known: &ModelGrids,
    prediction: Option<String>,
) -> anyhow::Result<FileTally> {
    let mut events = Events::open(plan, sha256, readings)?;
    let mut tally = FileTally { prediction, ..FileTally::default() };
    let mut some: Vec<Prediction> = Vec::with_capacity(AT_ONCE);
    while let Some(taken) = events.next(stamp)? {
        some.extend(taken.prediction);
        if some.len() == AT_ONCE {
            tally.add(&some, known, stamp.received_at);
            some.clear();
        }
    }
    tally.add(&some, known, stamp.received_at);
    Ok(tally)
}

/// Sums over what a mean is made of.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    values: f64,
    finite: u64,
    predictions: f64,
    predicted: u64,
}

#[derive(Debug, Default)]
struct FileTally {
    prediction: Option<String>,
    events: u64,
    counts: BySignal,
    sums: HashMap<(String, Name), HashMap<Bin, Sums>>,
    /// The predictions of all events of a segment: what is not carried by a bin is the missing one's.
    all: HashMap<String, Sums>,
}

impl FileTally {
    fn add(&mut self, events: &[Prediction], known: &ModelGrids, at: Instant) {
        self.events += events.len() as u64;
        self.add_counts(events, known);
        for event in events {
            self.add_sums(event, known, at);
        }
    }

    fn add_counts(&mut self, events: &[Prediction], known: &ModelGrids) {
        let mut columns: Predictions = events.iter().collect();
        let numbers = SignalNumbers::of(known, &mut columns.signals);
        let mut segments = Segments::default();
        for stream in streams(&columns) {
            let tally = count(&columns, &stream, known, &numbers, &mut segments);
            let key = |segment: u32, signal: u32| {
                (segments.texts()[segment as usize].clone(), columns.signals.text(signal).to_owned())
            };
            for row in &tally.counts {
                let counted = self.counts.entry(key(row.segment, row.signal)).or_default();
                counted.grid = row.grid;
                counted.counts.add(row.bin, u64::try_from(row.n).unwrap_or(0));
            }
            for row in &tally.moments {
                let signal = columns.signals.text(row.signal);
                if known.by_signal.contains_key(signal) {
                    let counted = self.counts.entry(key(row.segment, row.signal)).or_default();
                    counted.moments.merge(&row.moments);
                }
            }
        }
    }

    fn add_sums(&mut self, event: &Prediction, known: &ModelGrids, at: Instant) {
        let prediction = self.prediction.as_deref().and_then(|signal| {
            let found = event.numbers.iter().find(|(name, _)| name.as_str() == signal);
            found.map(|(_, value)| *value).filter(|value| value.is_finite())
        });
        let mut all = vec![segment::ALL.to_owned()];
        let dimensions = known.dimensions.iter().filter(|dimension| dimension.holds_from <= at);
        all.extend(dimensions.map(|dimension| segment_of(dimension, event)));
        for segment in all {
            self.all.entry(segment.clone()).or_default().add(None, prediction);
            for (name, value) in &event.numbers {
                if let Some(stored) = known.by_signal.get(name.as_str()) {
                    let finite = Some(*value).filter(|value| value.is_finite());
                    self.bin(&segment, name, stored.grid.bin_of_number(*value)).add(finite, prediction);
                }
            }
            for (name, value) in &event.categories {
                if let Some(stored) = known.by_signal.get(name.as_str()) {
                    self.bin(&segment, name, stored.grid.bin_of_category(value)).add(None, prediction);
                }
            }
        }
    }

    fn bin(&mut self, segment: &str, signal: &Name, bin: Bin) -> &mut Sums {
        self.sums.entry((segment.to_owned(), signal.clone())).or_default().entry(bin).or_default()
    }

    /// The counts with the means of their bins.
    fn finish(mut self) -> BySignal {
        for ((segment, signal), counted) in &mut self.counts {
            let bins = self.sums.remove(&(segment.clone(), Name::from(signal.as_str()))).unwrap_or_default();
            let mut missing = self.all.get(segment).copied().unwrap_or_default();
            for (bin, sums) in bins {
                missing.predictions -= sums.predictions;
                missing.predicted -= sums.predicted;
                if bin.value_index().is_some() && sums.finite > 0 {
                    counted.means.insert(bin, sums.values / sums.finite as f64);
                }
                if sums.predicted > 0 {
                    counted.mean_predictions.insert(bin, sums.predictions / sums.predicted as f64);
                }
            }
            if missing.predicted > 0 {
                let mean = missing.predictions / missing.predicted as f64;
                counted.mean_predictions.insert(Bin::MISSING, mean);
            }
            if counted.moments.n == 0 {
                counted.moments = Moments::default();
            }
        }
        self.counts
    }
}

impl Sums {
    fn add(&mut self, value: Option<f64>, prediction: Option<f64>) {
        if let Some(value) = value {
            self.values += value;
            self.finite += 1;
        }
        if let Some(prediction) = prediction {
            self.predictions += prediction;
            self.predicted += 1;
        }
    }
}

/// The segment of an event in a watched dimension, as counting has it.
fn segment_of(dimension: &Dimension, event: &Prediction) -> String {
    let value = match dimension.signal.strip_prefix(domain::signal::TAG) {
        Some(tag) => {
            event.tags.iter().find(|(name, _)| name.as_str() == tag).map(|(_, value)| value.as_str())
        }
        None => {
            let category = event.categories.iter().find(|(name, _)| name.as_str() == dimension.signal);
            let number = event.numbers.iter().any(|(name, _)| name.as_str() == dimension.signal);
            category.map(|(_, value)| value.as_str()).or(number.then_some(segment::OTHER))
        }
    };
    let named = match value {
        None => segment::MISSING,
        Some(value) if dimension.levels.iter().any(|level| level == value) => value,
        Some(_) => segment::OTHER,
    };
    segment::name(&dimension.name, named)
}
