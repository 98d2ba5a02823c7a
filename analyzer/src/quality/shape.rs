//! What only rows tell, from a sample of the window against one of the baseline: kinds of values, how many different ones
//! there are, events that came twice, and events that lack a part of what they usually carry.

use domain::evaluation::Monitor;
use sql::shapes::{KINDS, Shape, Shapes};

use super::{finding, unlearned};
use crate::finding::Finding;
use crate::stats::proportion::Share;
use crate::threshold::Limits;
use crate::words;

/// Fewer values than this say nothing.
const LEAST: u64 = 100;
/// The kinds of values are others where the total variation between both samples is beyond this.
const MOST_TV: f64 = 0.1;
/// Where there are fewer different values than this, drift and unseen values say more than their number.
const LEAST_DISTINCT: u64 = 20;
/// So many times more or fewer different values than there should be are another vocabulary.
const FOLD: f64 = 2.0;

/// Everything that two samples tell.
pub fn findings(before: &Shapes, now: &Shapes, limits: &Limits) -> Vec<Finding> {
    let signals = now.signals.iter().filter_map(|(signal, shape)| {
        let known = before.signals.get(signal)?;
        let of_signal = [types(signal, known, shape, limits), cardinality(signal, known, shape, limits)];
        Some(of_signal.into_iter().flatten())
    });
    let of_events = [duplicates(before, now, limits), incomplete(before, now, limits)];
    signals.flatten().chain(of_events.into_iter().flatten()).collect()
}

/// The share of values of a kind that the baseline has none of, or the total variation between the kinds where that is
/// larger than a tenth.
fn types(signal: &str, before: &Shape, now: &Shape, limits: &Limits) -> Option<Finding> {
    let (n, m) = (before.kinds.iter().sum::<u64>(), now.kinds.iter().sum::<u64>());
    if n.min(m) < LEAST {
        return None;
    }
    let share = |count: u64, of: u64| count as f64 / of as f64;
    let both = || before.kinds.iter().zip(&now.kinds);
    let tv = both().map(|(was, is)| (share(*was, n) - share(*is, m)).abs()).sum::<f64>() / 2.0;
    let new: u64 = both().filter(|(was, _)| **was == 0).map(|(_, is)| is).sum();
    let limit = unlearned(limits.share(Share::of(0, n)?, Share::of(new, m)?, None));
    let is_other = tv > MOST_TV.max(limit.threshold);
    let value = if is_other { tv.max(share(new, m)) } else { share(new, m) };
    let grown = both().enumerate().max_by(|(_, one), (_, other)| {
        let growth = |(was, is): &(&u64, &u64)| share(**is, m) - share(**was, n);
        growth(one).total_cmp(&growth(other))
    });
    let (kind, (was, is)) = grown?;
    let facts = format!(
        "{} is of the kind \"{}\" in {} of events, usually {}; {} looked at",
        words::signal(signal),
        KINDS.get(kind).copied().unwrap_or_default(),
        words::percent(share(*is, m)),
        words::percent(share(*was, n)),
        words::events(m),
    );
    let known = [("total_variation", tv), ("new_kinds", share(new, m))];
    Some(finding((Monitor::Types, signal, "other_kinds_share"), value, limit, [n, m], known, facts))
}

/// How many times more or fewer different values there are than in as many values of the baseline.
fn cardinality(signal: &str, before: &Shape, now: &Shape, limits: &Limits) -> Option<Finding> {
    let (n, m) = (before.kinds.iter().sum::<u64>(), now.kinds.iter().sum::<u64>());
    if n.min(m) < LEAST || before.distinct.max(now.distinct) < LEAST_DISTINCT {
        return None;
    }
    // Of unequal samples the number of different values lies between the same and in proportion.
    let (was, is) = (before.distinct as f64, now.distinct as f64);
    let in_proportion = was * m as f64 / n as f64;
    let (least, most) = (was.min(in_proportion).max(1.0), was.max(in_proportion).max(1.0));
    let fold = if is > most { is / most } else { (least / is.max(1.0)).max(1.0) };
    let facts = format!(
        "{} has {} times {} different values than usual; {} in {} looked at, {} in {} of the baseline",
        words::signal(signal),
        words::number(fold),
        if is > most { "more" } else { "fewer" },
        words::count(now.distinct),
        words::events(m),
        words::count(before.distinct),
        words::events(n),
    );
    let known = [("distinct_baseline", was), ("distinct", is), ("distinct_share", is / m as f64)];
    let limit = limits.above(1.0, FOLD, 0.0);
    Some(finding((Monitor::Cardinality, signal, "distinct_fold"), fold, limit, [n, m], known, facts))
}

/// The share of events whose id another one has as well.
fn duplicates(before: &Shapes, now: &Shapes, limits: &Limits) -> Option<Finding> {
    let again = |shapes: &Shapes| Share::of(shapes.events - shapes.ids.min(shapes.events), shapes.events);
    let (was, is) = (again(before)?, again(now)?);
    if was.n().min(is.n()) < LEAST {
        return None;
    }
    let limit = unlearned(limits.share(was, is, None));
    let facts = format!(
        "{} of events came again under the same id, usually {}; {} looked at",
        words::percent(is.value()),
        words::percent(was.value()),
        words::events(is.n()),
    );
    let known = [("share_baseline", was.value()), ("share_current", is.value())];
    let n = [was.n(), is.n()];
    Some(finding((Monitor::Duplicates, "", "duplicate_share"), is.value(), limit, n, known, facts))
}

/// The share of events that lack one of the features that nearly all events of the baseline carry.
fn incomplete(before: &Shapes, now: &Shapes, limits: &Limits) -> Option<Finding> {
    let lacking =
        |shapes: &Shapes| Share::of(shapes.events - shapes.complete.min(shapes.events), shapes.events);
    let (was, is) = (lacking(before)?, lacking(now)?);
    if was.n().min(is.n()) < LEAST {
        return None;
    }
    let limit = unlearned(limits.share(was, is, None));
    let facts = format!(
        "{} of events lack a feature that is nearly always there, usually {}; {} looked at",
        words::percent(is.value()),
        words::percent(was.value()),
        words::events(is.n()),
    );
    let known = [("share_baseline", was.value()), ("share_current", is.value())];
    let n = [was.n(), is.n()];
    Some(finding((Monitor::Completeness, "", "incomplete_share"), is.value(), limit, n, known, facts))
}

#[cfg(test)]
mod tests {
    use super::super::tests::limits;
    use super::*;

    fn sample(kinds: [u64; 7], distinct: u64) -> Shapes {
        let events = kinds.iter().sum();
        let signals = [("feature.x".to_owned(), Shape { kinds, distinct })].into();
        Shapes { events, ids: events, complete: events, signals }
    }

    fn beyond(before: &Shapes, now: &Shapes) -> Vec<(Monitor, String)> {
        let found = findings(before, now, &limits()).into_iter().filter(Finding::is_beyond);
        found.map(|finding| (finding.monitor, finding.facts)).collect()
    }

    #[test]
    fn numbers_that_become_texts_are_values_of_another_kind() {
        let before = sample([1_000, 0, 0, 0, 0, 0, 0], 10);
        let mixed = sample([900, 0, 0, 100, 0, 0, 0], 10);
        let expected =
            "x is of the kind \"number in a text\" in 10 % of events, usually 0 %; 1,000 events looked at";
        assert_eq!(beyond(&before, &mixed), [(Monitor::Types, expected.to_owned())]);
        assert!(beyond(&before, &before).is_empty());
        let one = sample([999, 0, 0, 1, 0, 0, 0], 10);
        assert!(beyond(&before, &one).is_empty(), "a single value is chance");
    }

    #[test]
    fn a_column_of_ids_has_as_many_values_as_rows_and_a_vocabulary_does_not_grow_with_them() {
        let ids = |n: u64| sample([0, 0, 0, 0, 0, 0, n], n);
        assert!(beyond(&ids(5_000), &ids(700)).is_empty());
        let words = |n: u64, distinct: u64| sample([0, 0, 0, 0, 0, 0, n], distinct);
        assert!(beyond(&words(5_000, 200), &words(1_000, 150)).is_empty());
        let exploded = beyond(&words(5_000, 200), &words(1_000, 900));
        assert_eq!(exploded[0].0, Monitor::Cardinality);
        assert!(
            exploded[0].1.starts_with(
                "x has 4.5 times more different values than usual; 900 in 1,000 events looked at"
            ),
            "{exploded:?}"
        );
        assert_eq!(beyond(&words(1_000, 900), &words(1_000, 30))[0].0, Monitor::Cardinality);
    }

    #[test]
    fn events_that_came_twice_and_events_that_lack_features_are_told() {
        let whole = sample([1_000, 0, 0, 0, 0, 0, 0], 10);
        let twice = Shapes { ids: 900, ..whole.clone() };
        assert_eq!(beyond(&whole, &twice)[0].0, Monitor::Duplicates);
        let lacking = Shapes { complete: 700, ..whole.clone() };
        let told = beyond(&whole, &lacking);
        assert_eq!(
            told[0].1,
            "30 % of events lack a feature that is nearly always there, usually 0 %; 1,000 events looked at"
        );
        assert!(findings(&Shapes::default(), &Shapes::default(), &limits()).is_empty());
    }
}
