//! The sentence that a person would say on the phone: what is wrong, where, since when.
//!
//! The title speaks of the finding that explains most: what pages before what does not, missing and invalid values
//! before drift, the whole model before a segment unless the segment carries it.

use std::cmp::Ordering;
use std::time::Duration;

use domain::evaluation::Monitor;
use domain::incident::Finding;
use domain::signal::{Role, role, segment, short_name};
use domain::time::{DAY, Instant};

use super::case::{UnitSlip, UnitSlips, is_explained};

/// A segment carries a finding when its value is this many times that of all events.
const CARRIES: f64 = 2.0;

/// Above this share missing is "is missing", below "is missing in n %".
const ALL_BUT_GONE: f64 = 0.9;

/// Names longer than this are cut: a category may have 4,000 characters.
const LONGEST_NAME: usize = 60;

/// Sorts findings worst first, in the order in which a title chooses.
pub fn worst_first(findings: &mut [Finding]) {
    let unsorted = findings.to_vec();
    findings.sort_by(|one, other| compare(one, other, &unsorted));
}

fn compare(one: &Finding, other: &Finding, all: &[Finding]) -> Ordering {
    let key = |finding: &Finding| {
        (
            !finding.standing,
            is_explained(finding, all),
            std::cmp::Reverse(finding.severity),
            rank(finding.subject.monitor),
            is_subordinate(finding, all),
        )
    };
    let excess = |finding: &Finding| finding.value / finding.threshold.abs().max(f64::MIN_POSITIVE);
    key(one)
        .cmp(&key(other))
        .then_with(|| excess(other).total_cmp(&excess(one)))
        .then_with(|| one.since.cmp(&other.since))
        .then_with(|| one.subject.cmp(&other.subject))
}

/// What explains comes before what follows from it.
fn rank(monitor: Monitor) -> u8 {
    match monitor {
        Monitor::Analyzer | Monitor::Silence | Monitor::Performance => 0,
        Monitor::Missing | Monitor::Errors | Monitor::Schema => 1,
        Monitor::Invalid
        | Monitor::Latency
        | Monitor::Freshness
        | Monitor::Types
        | Monitor::Contract
        | Monitor::Quality => 2,
        Monitor::Unseen | Monitor::Traffic | Monitor::Staleness | Monitor::Stuck | Monitor::Duplicates => 3,
        Monitor::Drift | Monitor::LabelLag => 4,
        // Consequences, and what is known only roughly.
        Monitor::SlowBurn
        | Monitor::Trend
        | Monitor::Fairness
        | Monitor::Selection
        | Monitor::Range
        | Monitor::Cardinality
        | Monitor::Completeness => 5,
    }
}

/// Whether the finding is about a segment, and that of all events stands and says nearly as much.
fn is_subordinate(finding: &Finding, all: &[Finding]) -> bool {
    if finding.subject.segment == segment::ALL {
        // The whole yields to the one segment that carries it.
        return carrier(finding, all).is_some();
    }
    let whole = all.iter().find(|other| is_whole_of(other, finding));
    whole.is_some_and(|whole| {
        carrier(whole, all).is_none_or(|carrier| carrier.subject.segment != finding.subject.segment)
    })
}

fn is_whole_of(other: &Finding, part: &Finding) -> bool {
    other.standing
        && other.subject.segment == segment::ALL
        && other.subject.monitor == part.subject.monitor
        && other.subject.signal == part.subject.signal
}

/// The one segment whose value is much larger than that of all events; none where several are.
fn carrier<'a>(whole: &Finding, all: &'a [Finding]) -> Option<&'a Finding> {
    let mut carriers = all.iter().filter(|part| {
        part.standing
            && part.subject.segment != segment::ALL
            && is_whole_of(whole, part)
            && part.value >= CARRIES * whole.value
    });
    let first = carriers.next()?;
    carriers.next().is_none().then_some(first)
}

/// The title of an incident with these findings, seen in windows of `window`.
pub fn title(findings: &[Finding], slips: &UnitSlips, window: Duration) -> String {
    let mut sorted: Vec<Finding> = findings.to_vec();
    worst_first(&mut sorted);
    let Some(lead) = sorted.first() else { return "nothing stands".to_owned() };
    // Another unit explains what else moved, the prediction too.
    let slipped = |finding: &&Finding| finding.standing && slips.contains_key(&finding.subject);
    let lead = match lead.subject.monitor {
        Monitor::Drift => sorted.iter().find(slipped).unwrap_or(lead),
        _ => lead,
    };
    let others = other_signals(lead, &sorted);
    let place = match segment::parts(&lead.subject.segment) {
        Some((dimension, value)) => {
            format!(" at {} = {}", cut(dimension.strip_prefix("tag.").unwrap_or(dimension)), cut(value))
        }
        None => String::new(),
    };
    let more = match others {
        0 => String::new(),
        1 => " (and 1 more signal)".to_owned(),
        n => format!(" (and {n} more signals)"),
    };
    let what = phrase(lead, slips.get(&lead.subject).copied());
    format!("{what}{place}{more} since {}", moment(lead.since, window))
}

/// How many further signals stand, each counted once, the explained ones not at all.
fn other_signals(lead: &Finding, findings: &[Finding]) -> usize {
    let mut signals: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.standing && !is_explained(finding, findings))
        .map(|finding| finding.subject.signal.as_str())
        .filter(|signal| !signal.is_empty() && *signal != lead.subject.signal)
        .collect();
    signals.sort_unstable();
    signals.dedup();
    signals.len()
}

fn phrase(finding: &Finding, slip: Option<UnitSlip>) -> String {
    let signal = cut(short_name(&finding.subject.signal));
    match finding.subject.monitor {
        Monitor::Missing if finding.value > ALL_BUT_GONE => format!("{signal} is missing"),
        Monitor::Missing => format!("{signal} is missing in {} of events", percent(finding.value)),
        Monitor::Invalid if finding.value > ALL_BUT_GONE => format!("{signal} is invalid"),
        Monitor::Invalid => format!("{signal} is invalid in {} of events", percent(finding.value)),
        Monitor::Unseen => format!("{signal} has values never seen before"),
        Monitor::Drift if slip.is_some() => format!("{signal} {}", slip.map(reads).unwrap_or_default()),
        Monitor::Drift => match role(&finding.subject.signal) {
            Role::Prediction => format!("the prediction {signal} moved"),
            Role::Outcome => format!("the outcome {signal} moved"),
            _ => format!("{signal} moved"),
        },
        Monitor::Silence => "no events come".to_owned(),
        Monitor::Traffic => "traffic is not as usual".to_owned(),
        Monitor::Staleness | Monitor::Freshness => format!("{signal} is stale"),
        Monitor::SlowBurn => "an error budget burns slowly".to_owned(),
        Monitor::Errors => "too many predictions fail".to_owned(),
        Monitor::Latency => "predictions are too slow".to_owned(),
        Monitor::Performance => format!("the predictions got worse ({})", worse(&finding.statistic)),
        Monitor::Fairness => format!("{} is not treated like the rest", cut(&finding.subject.segment)),
        Monitor::Selection => format!("{} is not selected like the rest", cut(&finding.subject.segment)),
        Monitor::Trend => slow(&signal, &finding.subject.signal, &finding.statistic),
        Monitor::Range => format!("{signal} has values beyond all usual ones"),
        Monitor::Types => format!("{signal} has values of another kind"),
        Monitor::Cardinality => format!("{signal} has more or fewer different values than usual"),
        Monitor::Stuck => format!("{signal} stands still"),
        Monitor::Duplicates => format!("{} of events come again", percent(finding.value)),
        Monitor::Schema => format!("{signal} is gone or of another type"),
        Monitor::Quality => format!("{signal} breaks the contract too often"),
        Monitor::Contract if signal.is_empty() => {
            format!("{} of events break the contract", percent(finding.value))
        }
        Monitor::Contract => {
            format!("{signal} breaks the contract in {} of events", percent(finding.value))
        }
        Monitor::Completeness => format!("{} of events are incomplete", percent(finding.value)),
        Monitor::LabelLag => "outcomes come later than usual".to_owned(),
        // What is said here in the analyzer's place; its own word is about its delay.
        Monitor::Analyzer if signal == super::HEARTBEAT => "Leeway's analyzer has stalled".to_owned(),
        Monitor::Analyzer => "Leeway's analyzer is behind".to_owned(),
    }
}

/// What moves slowly, in words.
fn slow(signal: &str, subject: &str, statistic: &str) -> String {
    match statistic {
        "missing_trend" => format!("{signal} is missing more or less often by the day"),
        "psi_trend" => format!("{signal} leaves its baseline slowly"),
        _ if subject.is_empty() => format!("{} moves slowly", cut(statistic.trim_end_matches("_trend"))),
        _ => format!("the mean of {signal} moves slowly"),
    }
}

/// What a statistic of performance says, in words.
fn worse(statistic: &str) -> String {
    match statistic {
        "auc_fall" => "AUC fell".to_owned(),
        "accuracy_fall" => "accuracy fell".to_owned(),
        "brier_rise" => "Brier score rose".to_owned(),
        "mae_rise" => "mean error rose".to_owned(),
        other => cut(other).to_string(),
    }
}

/// `reads 1.6 times too high`.
fn reads(slip: UnitSlip) -> String {
    match slip {
        UnitSlip { factor, offset: 0.0 } if factor > 1.0 => format!("reads {factor:.1} times too high"),
        UnitSlip { factor, offset: 0.0 } if factor > 0.0 => {
            format!("reads {} of what it should", percent(factor).replace(".0 %", " %"))
        }
        _ => "reads in another unit".to_owned(),
    }
}

/// `96 %`, `1.2 %`, `0.03 %`.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent.abs() {
        10.0.. => format!("{percent:.0} %"),
        0.1.. => format!("{percent:.1} %"),
        _ => format!("{percent:.2} %"),
    }
}

/// `name`, cut in the middle of nothing: whole characters, with an ellipsis.
fn cut(name: &str) -> String {
    if name.chars().count() <= LONGEST_NAME {
        return name.to_owned();
    }
    name.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

/// `13:38 UTC on 3 April`, or for windows of a day or more the day alone.
fn moment(at: Instant, window: Duration) -> String {
    let Ok(timestamp) = jiff::Timestamp::from_millisecond(at.millis()) else { return at.to_string() };
    let format = if window >= DAY { "%-d %B %Y" } else { "%H:%M UTC, %-d %B" };
    timestamp.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string()
}
