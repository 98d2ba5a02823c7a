//! What the analyzer found in one window: a value, its limit, the sample sizes and a verdict, said in a sentence.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::signal::{Role, role};
use crate::time::{Instant, Interval};

/// What is looked at. A monitor decides with its subject what an alarm means (see [`Severity::of`], [`Cause::of`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// The distribution of a signal's values against the baseline.
    Drift,
    /// The share of events without the value.
    Missing,
    /// The share of values that are NaN, infinite or of the wrong type.
    Invalid,
    /// The share of categories the baseline does not know.
    Unseen,
    /// How long ago the model's last event was.
    Silence,
    /// The number of events against the same windows before.
    Traffic,
    /// The age of a feature at prediction time against its limit.
    Staleness,
    /// The share of predictions that failed, against the objective.
    Errors,
    /// The share of predictions slower than the objective.
    Latency,
    /// Realised performance against the baseline's.
    Performance,
    /// How far a group is from all others in what is told right of it, against what the contract allows.
    Fairness,
    /// How far a group is from all others in how often it is selected, whatever comes of it.
    Selection,
    /// What moves slowly, by the day: a mean, a missing share, performance, the distance from the baseline.
    Trend,
    /// Leeway's own analyzer: how far it is behind.
    Analyzer,
    /// How fast the error budget of a feature's freshness burns.
    Freshness,
    /// An error budget that burns slowly, and will be spent before its period is over.
    SlowBurn,
    /// The share of values beyond all of those that are usual.
    Range,
    /// What kinds of values a signal has: whole numbers, fractions, numbers in texts …
    Types,
    /// How many different values a signal has.
    Cardinality,
    /// The share of a signal's most frequent value.
    Stuck,
    /// The share of events that came again.
    Duplicates,
    /// Whether a signal is still there, and still of its type.
    Schema,
    /// The share of events that break a rule of the contract.
    Contract,
    /// How fast the error budget of a signal's quality burns: of values that keep the contract.
    Quality,
    /// The share of events that lack what nearly all events carry.
    Completeness,
    /// The share of predictions without an outcome after the usual delay.
    LabelLag,
}

impl Monitor {
    pub const ALL: [Self; 26] = [
        Self::Drift,
        Self::Missing,
        Self::Invalid,
        Self::Unseen,
        Self::Silence,
        Self::Traffic,
        Self::Staleness,
        Self::Errors,
        Self::Latency,
        Self::Performance,
        Self::Fairness,
        Self::Selection,
        Self::Trend,
        Self::Analyzer,
        Self::Freshness,
        Self::SlowBurn,
        Self::Range,
        Self::Types,
        Self::Cardinality,
        Self::Stuck,
        Self::Duplicates,
        Self::Schema,
        Self::Contract,
        Self::Quality,
        Self::Completeness,
        Self::LabelLag,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Unseen => "unseen",
            Self::Silence => "silence",
            Self::Traffic => "traffic",
            Self::Staleness => "staleness",
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::Performance => "performance",
            Self::Fairness => "fairness",
            Self::Selection => "selection",
            Self::Trend => "trend",
            Self::Analyzer => "analyzer",
            Self::Freshness => "freshness",
            Self::SlowBurn => "slow_burn",
            Self::Range => "range",
            Self::Types => "types",
            Self::Cardinality => "cardinality",
            Self::Stuck => "stuck",
            Self::Duplicates => "duplicates",
            Self::Schema => "schema",
            Self::Contract => "contract",
            Self::Quality => "quality",
            Self::Completeness => "completeness",
            Self::LabelLag => "label_lag",
        }
    }
}

/// The verdict on one window, after the windows before it were taken into account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Too few events to say anything: neither good nor bad, and it changes nothing.
    TooLittleData,
    /// Within its limits.
    OnCourse,
    /// Beyond the limit, for the first time: not yet enough to say so.
    Suspect,
    /// Beyond the limit in enough windows: an alarm.
    OffCourse,
    /// Was off course, is below the recovery level, not yet for long enough: the alarm still stands.
    Recovering,
}

impl Verdict {
    pub const ALL: [Self; 5] =
        [Self::TooLittleData, Self::OnCourse, Self::Suspect, Self::OffCourse, Self::Recovering];

    pub fn name(self) -> &'static str {
        match self {
            Self::TooLittleData => "too_little_data",
            Self::OnCourse => "on_course",
            Self::Suspect => "suspect",
            Self::OffCourse => "off_course",
            Self::Recovering => "recovering",
        }
    }

    /// Whether an alarm stands: it was raised and has not ended.
    pub fn is_alarm(self) -> bool {
        matches!(self, Self::OffCourse | Self::Recovering)
    }
}

/// What a limit rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What somebody stated: an objective, or a size from which it matters.
    #[default]
    Stated,
    /// A law for what nobody has seen long enough: wide on purpose.
    Assumed,
    /// The subject's own healthy windows, over enough days.
    Learned,
}

/// How much it matters: a page wakes somebody, a ticket waits for the morning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Ticket,
    Page,
}

impl Severity {
    pub const ALL: [Self; 2] = [Self::Ticket, Self::Page];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Page => "page",
        }
    }

    /// Movement alone is a ticket; what hurts is a page (DESIGN, "trust in a page"): data that stopped, a null
    /// collapse (`value`, the rise of the missing share, above one half), a broken objective, lost performance, and a
    /// moved prediction where `basis` says that it is known how much healthy windows vary.
    pub fn of(monitor: Monitor, signal: &str, value: f64, basis: Basis) -> Self {
        let page = match monitor {
            Monitor::Silence
            | Monitor::Errors
            | Monitor::Latency
            | Monitor::Performance
            | Monitor::Freshness
            | Monitor::Quality
            | Monitor::Analyzer => true,
            Monitor::Drift => role(signal) == Role::Prediction && basis != Basis::Assumed,
            Monitor::Missing | Monitor::Invalid => value > 0.5 && role(signal) != Role::Attribution,
            Monitor::Unseen
            | Monitor::Traffic
            | Monitor::Staleness
            | Monitor::SlowBurn
            | Monitor::Fairness
            | Monitor::Selection
            | Monitor::Trend
            | Monitor::Range
            | Monitor::Types
            | Monitor::Cardinality
            | Monitor::Stuck
            | Monitor::Duplicates
            | Monitor::Schema
            | Monitor::Contract
            | Monitor::Completeness
            | Monitor::LabelLag => false,
        };
        if page { Self::Page } else { Self::Ticket }
    }
}

/// What an incident is about. Findings of one model and cause that move together are one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Values moved, went missing or became invalid, or are not what they should be.
    Data,
    /// Events stopped, or are far fewer or more than usual.
    Traffic,
    /// Features are older than they may be, or outcomes come later than usual.
    Staleness,
    /// The service that makes the predictions breaks its objective: errors, latency.
    Service,
    /// The predictions are worse than they were.
    Performance,
    /// Something moves slowly: for the weekly look, not for the night.
    Trend,
    /// Leeway itself.
    Leeway,
}

impl Cause {
    pub const ALL: [Self; 7] = [
        Self::Data,
        Self::Traffic,
        Self::Staleness,
        Self::Service,
        Self::Performance,
        Self::Trend,
        Self::Leeway,
    ];

    pub fn of(monitor: Monitor) -> Self {
        match monitor {
            Monitor::Drift
            | Monitor::Missing
            | Monitor::Invalid
            | Monitor::Unseen
            | Monitor::Range
            | Monitor::Types
            | Monitor::Cardinality
            | Monitor::Stuck
            | Monitor::Duplicates
            | Monitor::Schema
            | Monitor::Contract
            | Monitor::Quality
            | Monitor::Completeness => Self::Data,
            Monitor::Silence | Monitor::Traffic => Self::Traffic,
            Monitor::Staleness | Monitor::Freshness | Monitor::LabelLag => Self::Staleness,
            Monitor::Errors | Monitor::Latency | Monitor::SlowBurn => Self::Service,
            Monitor::Performance | Monitor::Fairness | Monitor::Selection => Self::Performance,
            Monitor::Trend => Self::Trend,
            Monitor::Analyzer => Self::Leeway,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Traffic => "traffic",
            Self::Staleness => "staleness",
            Self::Service => "service",
            Self::Performance => "performance",
            Self::Trend => "trend",
            Self::Leeway => "leeway",
        }
    }
}

/// A word that is none of the known ones, with those that are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} \"{value}\" does not exist (known: {known})")]
pub struct UnknownWord {
    pub what: &'static str,
    pub value: String,
    pub known: String,
}

pub(crate) fn parse_word<T: Copy>(
    what: &'static str,
    known: &[T],
    name: impl Fn(T) -> &'static str,
    value: &str,
) -> Result<T, UnknownWord> {
    known.iter().copied().find(|word| name(*word) == value).ok_or_else(|| UnknownWord {
        what,
        value: value.to_owned(),
        known: known.iter().map(|word| name(*word)).collect::<Vec<_>>().join(", "),
    })
}

impl FromStr for Monitor {
    type Err = UnknownWord;
    fn from_str(value: &str) -> Result<Self, UnknownWord> {
        parse_word("monitor", &Self::ALL, Self::name, value)
    }
}

impl FromStr for Verdict {
    type Err = UnknownWord;
    fn from_str(value: &str) -> Result<Self, UnknownWord> {
        parse_word("verdict", &Self::ALL, Self::name, value)
    }
}

impl FromStr for Severity {
    type Err = UnknownWord;
    fn from_str(value: &str) -> Result<Self, UnknownWord> {
        parse_word("severity", &Self::ALL, Self::name, value)
    }
}

impl FromStr for Cause {
    type Err = UnknownWord;
    fn from_str(value: &str) -> Result<Self, UnknownWord> {
        parse_word("cause", &Self::ALL, Self::name, value)
    }
}

impl fmt::Display for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is being judged: one monitor on one signal of one segment, by one watch of a model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    pub model: String,
    pub environment: String,
    /// The name of the schedule and baseline that look at the model (`contract::Watch`).
    pub watch: String,
    pub monitor: Monitor,
    /// Empty for monitors that are about the whole model.
    pub signal: String,
    /// Empty for all events.
    pub segment: String,
}

/// One finding. A later evaluation of the same subject and window replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    pub subject: Subject,
    pub window: Interval,
    /// The baseline's name; empty where nothing is compared.
    pub baseline: String,
    /// Which number `value` is: `psi`, `missing_share`, `seconds_since_last_event` …
    pub statistic: String,
    pub value: f64,
    /// Beyond this a window is off course.
    pub threshold: f64,
    /// Below this it recovers.
    pub recovery: f64,
    /// The part of `value` that the two sample sizes alone explain.
    pub noise: f64,
    pub n_baseline: u64,
    pub n_current: u64,
    pub verdict: Verdict,
    pub severity: Severity,
    /// The start of the first window of the run of windows beyond the limit; the window's own start when on course.
    pub since: Instant,
    /// How many windows in a row led to this verdict: what the next one goes on from.
    pub streak: u32,
    /// Further numbers by name: `ks_low`, `ks_high`, `wasserstein_sd`, `mean_baseline`, `mean_current` …
    pub numbers: BTreeMap<String, f64>,
    /// What a person would say: what was found, then after semicolons the evidence, with value, limit and counts.
    pub sentence: String,
    pub evaluated_at: Instant,
}

impl Evaluation {
    pub fn cause(&self) -> Cause {
        Cause::of(self.subject.monitor)
    }
}

/// What a sentence says was found, without the evidence: short enough for a line of a list.
pub fn headline(sentence: &str) -> &str {
    sentence.split("; ").next().unwrap_or(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_is_what_was_found() {
        let sentence =
            "temp is missing in 31 % of events, usually 0.2 %; 1,200 events; floor 1 %, noise 0.1 %";
        assert_eq!(headline(sentence), "temp is missing in 31 % of events, usually 0.2 %");
        assert_eq!(headline("no event for 20 min"), "no event for 20 min");
    }

    #[test]
    fn every_word_reads_back_what_it_writes() {
        for monitor in Monitor::ALL {
            assert_eq!(monitor.name().parse(), Ok(monitor));
        }
        for verdict in Verdict::ALL {
            assert_eq!(verdict.name().parse(), Ok(verdict));
        }
        for cause in Cause::ALL {
            assert_eq!(cause.name().parse(), Ok(cause));
        }
        for severity in Severity::ALL {
            assert_eq!(severity.name().parse(), Ok(severity));
        }
    }

    #[test]
    fn an_unknown_word_is_quoted_beside_the_known_ones() {
        let error = "psy".parse::<Severity>().expect_err("no severity");
        assert_eq!(error.to_string(), "severity \"psy\" does not exist (known: ticket, page)");
    }

    #[test]
    fn movement_is_a_ticket_and_consequence_is_a_page() {
        let severity = |monitor, signal, value| Severity::of(monitor, signal, value, Basis::Learned);
        assert_eq!(severity(Monitor::Drift, "feature.temp", 9.9), Severity::Ticket);
        assert_eq!(severity(Monitor::Drift, "prediction.score", 0.3), Severity::Page);
        assert_eq!(severity(Monitor::Missing, "feature.temp", 0.2), Severity::Ticket);
        assert_eq!(severity(Monitor::Missing, "feature.temp", 0.98), Severity::Page);
        assert_eq!(severity(Monitor::Silence, "", 900.0), Severity::Page);
    }

    #[test]
    fn nobody_is_paged_for_movement_before_it_is_known_what_is_usual() {
        let severity = |monitor, signal, value| Severity::of(monitor, signal, value, Basis::Assumed);
        assert_eq!(severity(Monitor::Drift, "prediction.score", 0.3), Severity::Ticket);
        assert_eq!(
            severity(Monitor::Missing, "feature.temp", 0.98),
            Severity::Page,
            "no chance explains that"
        );
    }
}
