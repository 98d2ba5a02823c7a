//! `leeway recount`: counts a stretch of event time again from the raw events and puts the stored counts right, such as
//! after another program wrote into `predictions`; then has its hours be the sums of their minutes.
//!
//! Invariant: a chunk is done when a pass over it finds nothing to correct. Corrections are signed differences between
//! raw events and stored counts; one that was made while events streamed in may be wrong, and the next pass takes it
//! back, because it again compares everything with everything. Minutes that events are arriving in at this moment are
//! left for later instead of being guessed. Of a model that is counts only, traffic and breaches are compared with the raw
//! events, and everything by the hour with its minutes; nothing says what its bins by the minute should be.

mod chunk;
mod pass;
mod report;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use domain::time::{HOUR, Instant, Interval, MINUTE};
use service::Context;
use sql::Store;
use sql::counts::Resolution;
use sql::recount::{CarriedSignal, CountedBy, Day, Kept, Stretch};

use crate::baseline::counted_by;
use crate::config;
use crate::import::report::thousands;
use crate::intake::Intake;
use crate::known::{Grids, ModelGrids};
use crate::maker::Maker;

use self::chunk::{Chunk, chunks, without_hours};
use self::pass::Pass;
pub use self::report::{Change, Report};

/// `leeway recount`.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// The model
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// The first instant of event time
    #[arg(long, value_name = "TIME")]
    pub from: Instant,
    /// The instant at which to end; now where none is given
    #[arg(long, value_name = "TIME")]
    pub to: Option<Instant>,
    /// Say what is wrong and correct nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How often what was corrected while events arrived are looked at again.
const ROUNDS: u32 = 6;
/// How often a wait is told of.
const TICK: Duration = Duration::from_secs(1);

/// How far a recount is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// New grids were announced, and what came before them is counted when they have settled.
    WaitingForGrids {
        until: Instant,
    },
    /// Events are arriving in these minutes; they are looked at again.
    WaitingForEvents,
    Done {
        interval: Interval,
        events: u64,
    },
    DoneByHours {
        interval: Interval,
    },
}

pub type Tell<'a> = &'a (dyn Fn(Told) + Send + Sync);

/// Recounts what the command line says, tells how far it is, and prints what changed.
///
/// # Errors
/// Where the stretch is empty or the store fails; what was corrected until then stays corrected.
pub async fn run(args: Args, context: &Context, store: &Store) -> anyhow::Result<()> {
    let to = args.to.unwrap_or_else(|| context.clock.now());
    if to <= args.from {
        bail!("--to {to} is not after --from {}", args.from);
    }
    service::stop::on_signals(context.stopper.clone())?;
    let interval = Interval::new(args.from, to);
    let bar = indicatif::ProgressBar::new(interval.length().as_secs());
    let tell = |told: Told| {
        let line = match told {
            Told::WaitingForGrids { until } => {
                format!("signals without a grid got one; waiting until it holds everywhere ({until})")
            }
            Told::WaitingForEvents => "events are arriving; looking again in some seconds".to_owned(),
            Told::Done { interval: done, events } => {
                bar.set_position(done.end.since(interval.start).as_secs());
                format!("recounted {done}: {} events", thousands(events))
            }
            Told::DoneByHours { interval: done } => format!("compared hours with their minutes: {done}"),
        };
        if bar.is_hidden() { eprintln!("{line}") } else { bar.set_message(line) }
    };
    let grids = config::Grids::default();
    let plan = Plan { model: args.model, interval, dry_run: args.dry_run };
    let report = recount(&plan, &grids, context, store, &tell).await;
    bar.finish_and_clear();
    print!("{}", report?);
    Ok(())
}

/// What is recounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub model: String,
    /// Event time; widened to whole minutes.
    pub interval: Interval,
    /// Only say what is wrong.
    pub dry_run: bool,
}

/// Recounts what `plan` says. Signals without a grid get one first, and what came before it is counted.
///
/// # Errors
/// The store's; what was corrected until then stays corrected, and the same call goes on.
pub async fn recount(
    plan: &Plan,
    config: &config::Grids,
    context: &Context,
    store: &Store,
    tell: Tell<'_>,
) -> anyhow::Result<Report> {
    let values_kept = !context.contract(&plan.model).privacy.counts_only;
    let interval = plan.interval.widened_to(MINUTE);
    let kept = Kept::at(context.clock.now(), &store.config().retention);
    let work = Work { model: &plan.model, interval, config, context, store, tell, kept };
    if !plan.dry_run && values_kept {
        work.complete_grids().await?;
    }
    let known = work.known().await?;
    let (signals, watched) = counted_by(&known);
    // What came before a new grid is counted by whoever made it; counting it here as well would count it twice.
    let is_complete =
        |by: &CountedBy| known.by_signal.get(&by.signal).is_some_and(|stored| stored.recounted_at.is_some());
    let (signals, pending): (Vec<CountedBy>, Vec<CountedBy>) = signals.into_iter().partition(is_complete);
    store.reload_grid_dictionaries().await.context("the grids cannot be made known to the store")?;
    let days = store.days_of(&plan.model, interval).await?;
    let mut report = Report {
        events: days.iter().map(|day| day.events).sum(),
        without_values: !values_kept,
        unknown_rules: store.minutes_of_unknown_rules(&plan.model, interval).await?,
        pending: pending.into_iter().map(|by| by.signal).collect(),
        dry_run: plan.dry_run,
        ..Report::default()
    };
    if values_kept {
        report.without_grid = work.without_grid(&known).await?;
    }
    let stretch = Stretch {
        model: plan.model.clone(),
        resolution: Resolution::Minutes,
        interval,
        received_before: None,
        signals,
        watched,
        whole: true,
        compared: true,
        values_kept,
        unvalued: Vec::new(),
    };
    work.correct_all(&days, &stretch, &mut report).await?;
    Ok(report)
}

struct Work<'a> {
    model: &'a str,
    interval: Interval,
    config: &'a config::Grids,
    context: &'a Context,
    store: &'a Store,
    tell: Tell<'a>,
    kept: Kept,
}

impl Work<'_> {
    async fn known(&self) -> anyhow::Result<Arc<ModelGrids>> {
        let grids = Grids::new(self.store.clone(), self.context, Duration::ZERO);
        Ok(grids.refresh().await.context("the grids cannot be read")?.model(self.model))
    }

    async fn without_grid(&self, known: &ModelGrids) -> anyhow::Result<Vec<CarriedSignal>> {
        let counted: Vec<String> = known.by_signal.keys().cloned().collect();
        Ok(self.store.signals_beside(self.model, self.interval, &counted).await?)
    }

    /// Gives a grid to every signal of the stretch that has none, and sees to it that what came before is counted.
    async fn complete_grids(&self) -> anyhow::Result<()> {
        let grids = Grids::new(self.store.clone(), self.context, self.config.freshness());
        let intake = Intake::new(self.store.clone(), grids.clone(), self.context);
        let maker = Maker::new(self.store.clone(), grids, self.config, self.context, &intake);
        let carried = self.without_grid(&*self.known().await?).await?;
        if !carried.is_empty() {
            let signals = carried.into_iter().map(|carried| carried.signal).collect();
            maker.make_now(self.model, signals, self.interval).await.context("grids cannot be made")?;
        }
        let known = self.known().await?;
        let pending = known.by_signal.values().filter(|stored| stored.recounted_at.is_none());
        let Some(last) = pending.map(|stored| stored.grid.holds_from).max() else { return Ok(()) };
        let until = last.saturating_add(self.config.settle());
        while self.context.clock.now() < until {
            (self.tell)(Told::WaitingForGrids { until });
            self.wait(until.since(self.context.clock.now()).min(TICK)).await?;
        }
        maker.catch_up().await.context("what came before the grids cannot be counted")
    }

    async fn wait(&self, duration: Duration) -> anyhow::Result<()> {
        let slept = self.context.stopper.run_until_cancelled(tokio::time::sleep(duration)).await;
        slept.context("the recount was stopped; the same command goes on")
    }

    /// Puts the minutes of these days right, and then their hours.
    async fn correct_all(&self, days: &[Day], stretch: &Stretch, report: &mut Report) -> anyhow::Result<()> {
        let gone = self.store.hours_expired(self.model, self.interval, self.kept).await?;
        let (minutes, expired) = without_hours(chunks(days, self.interval), &gone);
        report.expired = expired;
        // Of a model that is counts only by now, nothing is compared with values anyway.
        let unvalued = match stretch.values_kept {
            true => self.store.hours_without_values(self.model, self.interval).await?,
            false => Vec::new(),
        };
        let (minutes, unvalued) = without_hours(minutes, &unvalued);
        self.correct_chunks(minutes, stretch, report).await?;
        let whole = |interval: &Interval| Chunk { interval: *interval, events: 0, touched: false };
        let without_values = Stretch { values_kept: false, ..stretch.clone() };
        self.correct_chunks(unvalued.iter().map(whole).collect(), &without_values, report).await?;
        report.unvalued = unvalued;
        // Only then: what was lacking by the minute has fed the hours as well.
        let (hours, _) = without_hours(chunks(days, self.interval.widened_to(HOUR)), &gone);
        self.correct_chunks(hours, &stretch.by_hours(), report).await
    }

    /// Puts chunk after chunk right. Minutes and hours that events are arriving in are looked at again, some times.
    async fn correct_chunks(
        &self,
        chunks: Vec<Chunk>,
        stretch: &Stretch,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let mut chunks: VecDeque<Chunk> = chunks.into();
        // An hour is written to for longer than it is worth to wait for.
        let by = stretch.resolution;
        let patience = match by {
            Resolution::Minutes => 1,
            Resolution::Hours => 0,
        };
        for round in 0..=ROUNDS {
            let mut moving = Vec::new();
            while let Some(chunk) = chunks.pop_front() {
                self.wait(Duration::ZERO).await?;
                let stretch = Stretch { interval: chunk.interval, ..stretch.clone() };
                let (settle, clock) = (self.config.settle(), &self.context.clock);
                let cut = Pass { store: self.store, stretch, kept: self.kept, settle, clock }
                    .run(&chunk, report)
                    .await?;
                cut.settled.into_iter().rev().for_each(|part| chunks.push_front(part));
                moving.extend(cut.moving);
                let (interval, events) = (chunk.interval, chunk.events);
                (self.tell)(match by {
                    Resolution::Minutes => Told::Done { interval, events },
                    Resolution::Hours => Told::DoneByHours { interval },
                });
            }
            // What nothing was done to yet is left alone sooner than what may have been corrected wrongly.
            let (again, left): (Vec<Chunk>, Vec<Chunk>) =
                moving.into_iter().partition(|part| round < if part.touched { ROUNDS } else { patience });
            let unsettled = match by {
                Resolution::Minutes => &mut report.unsettled,
                Resolution::Hours => &mut report.unsettled_hours,
            };
            unsettled.extend(left.into_iter().map(|part| part.interval));
            if again.is_empty() {
                break;
            }
            (self.tell)(Told::WaitingForEvents);
            self.wait(self.config.settle()).await?;
            chunks.extend(again);
        }
        Ok(())
    }
}
