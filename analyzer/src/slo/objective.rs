//! Which objectives a contract states, each as good and bad events.

use std::time::Duration;

use domain::contract::Contract;
use domain::evaluation::Monitor;
use domain::signal::{AGE, LATENCY};

use crate::quality::rules;

/// Where the good and bad events of an objective are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// Events, and those that carry an error.
    Traffic,
    /// Values of a duration, bad beyond `limit`; without a value bad where `missing_is_bad`.
    Duration { limit: f64, missing_is_bad: bool },
    /// Events, and those that broke a rule of the signal.
    Rules,
}

/// A share of events that must be good over a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// What says that its budget burns fast.
    pub monitor: Monitor,
    /// Empty for what is about all events.
    pub signal: String,
    pub source: Source,
    /// The share of good events, between 0 and 1, neither included.
    pub target: f64,
    pub period: Duration,
    /// What a bad event does: `failed`.
    pub bad: String,
}

impl Objective {
    /// The share of bad events that spends the budget in exactly its period.
    pub fn allowed(&self) -> f64 {
        1.0 - self.target
    }
}

/// Every objective of a contract, in an order that depends on nothing else.
pub fn stated(contract: &Contract) -> Vec<Objective> {
    let objectives = &contract.objectives;
    let of = |monitor, signal: String, source, target, bad: String| Objective {
        monitor,
        signal,
        source,
        target,
        period: objectives.period(),
        bad,
    };
    let availability = objectives
        .availability
        .map(|target| of(Monitor::Errors, String::new(), Source::Traffic, target, "failed".to_owned()));
    let latency = objectives.latency.map(|latency| {
        let source = Source::Duration { limit: latency.limit_ms, missing_is_bad: false };
        let bad = format!("took longer than {} ms", crate::words::number(latency.limit_ms));
        of(Monitor::Latency, LATENCY.to_owned(), source, latency.target, bad)
    });
    let freshness = contract.freshness_limits().into_iter().filter_map(|(feature, limit_s)| {
        let source = Source::Duration { limit: limit_s, missing_is_bad: true };
        let bad = format!("{feature} is older than {}", crate::words::seconds(limit_s));
        Some(of(Monitor::Freshness, format!("{AGE}{feature}"), source, objectives.freshness?, bad))
    });
    let quality = contract.signals.keys().filter_map(|named| {
        let bad = format!("{named} breaks the contract");
        Some(of(Monitor::Quality, rules::subject(named), Source::Rules, objectives.quality?, bad))
    });
    availability.into_iter().chain(latency).chain(freshness).chain(quality).collect()
}
