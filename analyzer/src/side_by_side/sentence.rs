//! What is said about a signal: one sentence with its numbers.

use crate::side_by_side::judged::{Found, Verdict};
use crate::side_by_side::measured::Measured;
use crate::side_by_side::{Kind, Standing, Tally};
use crate::stats::histogram::Sides;
use crate::words;

/// The sentence of one signal, without a full stop, as those of a watch.
pub fn of(signal: &Measured, found: &[Found], verdict: Verdict) -> String {
    let name = words::cut(&words::signal(&signal.name));
    match &signal.standing {
        Standing::BaselineOnly => return format!("{name} is gone: only the baseline has it"),
        Standing::CurrentOnly => return format!("{name} is new: the baseline does not have it"),
        Standing::OtherType { baseline, current } => {
            return format!("{name} holds {current}, and {baseline} in the baseline");
        }
        Standing::OtherGrid => {
            return format!("{name} was counted on different bins, which cannot be compared");
        }
        Standing::Both => {}
    }
    let mut parts: Vec<String> = found.iter().filter_map(|found| part(signal, *found)).collect();
    if parts.is_empty() {
        parts.push(unmoved(signal, verdict));
    }
    if let Some((rows, farthest)) = signal.facts.far.filter(|_| !signal.is_identifier) {
        let (values, lie) = if rows == 1 { ("value", "lies") } else { ("values", "lie") };
        parts.push(format!(
            "{} {values} {lie} far outside the baseline's range (the farthest is {})",
            words::count(rows),
            words::number(farthest)
        ));
    }
    format!("{name} {}", parts.join("; "))
}

fn part(signal: &Measured, found: Found) -> Option<String> {
    let share =
        |of: fn(&Tally) -> u64, tally: &Tally| words::percent(of(tally) as f64 / tally.rows().max(1) as f64);
    let (before, now) = (&signal.baseline, &signal.current);
    Some(match found {
        Found::Drift => moved(signal),
        Found::Missing => format!(
            "is null in {} of {} ({} before)",
            share(|tally| tally.missing, now),
            rows(now.rows()),
            share(|tally| tally.missing, before)
        ),
        Found::Invalid => format!(
            "is no usable value in {} of {} ({} before)",
            share(|tally| tally.invalid, now),
            rows(now.rows()),
            share(|tally| tally.invalid, before)
        ),
        Found::Unseen => format!(
            "has a value unknown to the baseline in {} of {}",
            words::percent(signal.statistics.unseen_share.unwrap_or(0.0)),
            rows(now.n)
        ),
        Found::Absent | Found::New | Found::OtherType => return None,
    })
}

fn moved(signal: &Measured) -> String {
    let shift = signal.shift_sd().unwrap_or(0.0);
    let what = what_moved(signal).map_or_else(String::new, |what| format!("{what}, "));
    let ks = signal.statistics.ks.map_or_else(String::new, |ks| format!(", KS {}", ks_words(ks, signal)));
    format!(
        "moved, as far as a shift of {} standard deviations: {what}PSI {}{ks}, {} against {}",
        words::statistic(shift),
        words::statistic(signal.statistics.psi.unwrap_or(0.0)),
        words::count(signal.current.n),
        rows(signal.baseline.n)
    )
}

fn ks_words(ks: f64, signal: &Measured) -> String {
    match signal.facts.ks_high {
        Some(high) => format!("between {} and {}", words::statistic(ks), words::statistic(high)),
        None => words::statistic(ks),
    }
}

fn what_moved(signal: &Measured) -> Option<String> {
    let Sides { baseline, current } = match signal.kind {
        Kind::Number => {
            if let Some((value, others)) = &signal.facts.constant {
                return Some(format!("{} of its values are no longer {value}", words::percent(*others)));
            }
            let means = signal.facts.means?;
            return Some(format!(
                "mean {} ({} before)",
                words::number(means.current),
                words::number(means.baseline)
            ));
        }
        Kind::Category => signal.facts.level.as_ref()?.1,
    };
    let name = signal.facts.level.as_ref().map_or("", |(name, _)| name);
    Some(format!("{} is {} ({} before)", words::cut(name), words::percent(current), words::percent(baseline)))
}

fn unmoved(signal: &Measured, verdict: Verdict) -> String {
    let (before, now) = (signal.baseline, signal.current);
    if before.n == 0 || now.n == 0 {
        let where_to = match (before.n, now.n) {
            (0, 0) => "on either side",
            (0, _) => "in the baseline",
            _ => "in the current data",
        };
        return format!("has no value {where_to}: there is nothing to compare");
    }
    let measured = format!(
        "PSI {}, {} against {}",
        words::statistic(signal.statistics.psi.unwrap_or(0.0)),
        words::count(now.n),
        rows(before.n)
    );
    match verdict {
        Verdict::TooLittleData => format!(
            "has too few values to say that it moved or that it did not: {} against {}",
            words::count(now.n),
            words::count(before.n)
        ),
        Verdict::NotComparable => {
            "has a value of its own in most rows: identifiers have no distribution to compare".to_owned()
        }
        _ => match &signal.facts.constant {
            Some((value, 0.0)) => format!("is {value} as ever: {measured}"),
            _ => format!("is as in the baseline: {measured}"),
        },
    }
}

fn rows(n: u64) -> String {
    if n == 1 { "1 row".to_owned() } else { format!("{} rows", words::count(n)) }
}
