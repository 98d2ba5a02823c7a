//! One signal of one segment in one window against the baseline: drift, missing, invalid and unseen values.

use std::collections::BTreeMap;

use domain::baseline::{Moments, SignalBaseline};
use domain::counts::Counts;
use domain::evaluation::Monitor;
use domain::grid::{Bin, Bins, Grid};
use domain::signal::is_duration;

use crate::counted::Counted;
use crate::drift::METRICS;
use crate::drift::ks::Ks;
use crate::drift::psi::Psi;
use crate::explain;
use crate::finding::{Finding, numbers};
use crate::reference::Healthy;
use crate::stats::histogram::{Pair, Sides};
use crate::stats::proportion::Share;
use crate::threshold::{Limit, Limits};
use crate::units::{self, Slip};
use crate::words;

/// A share of fewer events than this is not judged.
const LEAST_EVENTS_OF_A_SHARE: u64 = 30;

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    pub signal: &'a str,
    pub segment: &'a str,
    pub grid: &'a Grid,
    pub baseline: &'a SignalBaseline,
    pub current: &'a Counted,
    pub healthy: Healthy,
    /// Fewer values than this are too little to compare.
    pub least_events: u64,
}

impl Comparison<'_> {
    /// Everything that is found about the signal in this segment.
    pub fn findings(&self, limits: &Limits) -> Vec<Finding> {
        let shares = [
            (Monitor::Missing, Bin::MISSING, self.healthy.missing),
            (Monitor::Invalid, Bin::INVALID, self.healthy.invalid),
            (Monitor::Unseen, Bin::OTHER, self.healthy.unseen),
        ];
        let drift = (!is_duration(self.signal)).then(|| self.drift(limits));
        let shares = shares.into_iter().filter_map(|(monitor, bin, healthy)| {
            let sides = [&self.baseline.counts, &self.current.counts]
                .map(|counts| Share::of(counts.get(bin), self.base_of(monitor, counts)));
            let [Some(baseline), Some(current)] = sides else { return None };
            let limit = limits.share(baseline, current, healthy.as_ref());
            Some(self.share(monitor, baseline, current, limit))
        });
        drift.into_iter().chain(shares).collect()
    }

    /// What a share is a share of: all events, or for unseen categories those that have one.
    fn base_of(&self, monitor: Monitor, counts: &Counts) -> u64 {
        match monitor {
            Monitor::Unseen if self.grid.is_numeric() => 0,
            Monitor::Unseen => counts.present(),
            _ => counts.total(),
        }
    }

    fn share(&self, monitor: Monitor, baseline: Share, current: Share, limit: Limit) -> Finding {
        let what = match monitor {
            Monitor::Missing => "is missing in",
            Monitor::Invalid => "is invalid in",
            _ => "has unknown values in",
        };
        let facts = format!(
            "{} {what} {} of events{}, usually {}; {}",
            words::signal(self.signal),
            words::percent(current.value()),
            words::at(self.segment),
            words::percent(baseline.value()),
            words::events(current.n())
        );
        Finding {
            monitor,
            signal: self.signal.to_owned(),
            segment: self.segment.to_owned(),
            statistic: match monitor {
                Monitor::Missing => "missing_share",
                Monitor::Invalid => "invalid_share",
                _ => "unseen_share",
            },
            value: current.value(),
            limit,
            n_baseline: baseline.n(),
            n_current: current.n(),
            is_enough: current.n() >= LEAST_EVENTS_OF_A_SHARE && baseline.n() >= self.least_events,
            is_quiet: baseline.hits() == 0 && current.hits() == 0,
            numbers: numbers([
                ("share_baseline", baseline.value()),
                ("share_current", current.value()),
                ("events_with", current.hits() as f64),
            ]),
            facts,
        }
    }

    fn drift(&self, limits: &Limits) -> Finding {
        let (baseline, current) = (&self.baseline.counts, &self.current.counts);
        let pair = Pair::on(self.grid, baseline, current, &self.baseline.means);
        let psi = pair.as_ref().map(Psi::of);
        let is_enough = pair.is_some() && baseline.present().min(current.present()) >= self.least_events;
        let limit = psi.map_or(limits.drift(self.signal, &NOTHING, None), |psi| {
            limits.drift(self.signal, &psi, self.healthy.drift.as_ref())
        });
        let value = psi.map_or(0.0, |psi| psi.value);
        let slip =
            pair.as_ref().filter(|_| is_enough && value > limit.threshold).and_then(|pair| self.slip(pair));
        let facts = match &pair {
            Some(pair) if is_enough => self.drift_facts(pair, value, limit),
            _ => self.too_few_facts(),
        };
        Finding {
            monitor: Monitor::Drift,
            signal: self.signal.to_owned(),
            segment: self.segment.to_owned(),
            statistic: "psi",
            value,
            limit,
            n_baseline: baseline.present(),
            n_current: current.present(),
            is_enough,
            is_quiet: false,
            numbers: self.drift_numbers(pair.as_ref(), slip),
            facts,
        }
    }

    fn slip(&self, pair: &Pair) -> Option<Slip> {
        let (before, now) = (&self.baseline.moments, &self.current.moments);
        let means = Sides { baseline: before.mean()?, current: now.mean()? };
        let sds = Sides { baseline: before.sd()?, current: now.sd()? };
        units::find(pair, means, sds)
    }

    fn too_few_facts(&self) -> String {
        let (baseline, current) = (self.baseline.counts.present(), self.current.counts.present());
        let name = format!("{}{}", words::signal(self.signal), words::at(self.segment));
        let (side, n) =
            if current < self.least_events { ("", current) } else { (" in the baseline", baseline) };
        format!(
            "{name} has too few values{side} to compare; {} of at least {}",
            words::count(n),
            words::count(self.least_events)
        )
    }

    fn drift_facts(&self, pair: &Pair, value: f64, limit: Limit) -> String {
        let name = format!("{}{}", words::signal(self.signal), words::at(self.segment));
        let measured = format!(
            "PSI {} (limit {}), {}",
            words::statistic(value),
            words::statistic(limit.threshold),
            words::events(pair.current.n())
        );
        let what = if self.grid.is_numeric() { self.means() } else { self.category(pair) };
        if value <= limit.recovery {
            return format!("{name} is as usual; {measured}");
        }
        if value <= limit.threshold {
            return format!("{name} is close to its limit; {measured}");
        }
        if what.is_empty() {
            return format!("{name} moved; {measured}");
        }
        format!("{name} moved: {what}; {measured}")
    }

    /// `mean 16.4, usually 10.2`.
    fn means(&self) -> String {
        match (self.baseline.moments.mean(), self.current.moments.mean()) {
            (Some(before), Some(now)) => {
                format!("mean {}, usually {}", words::number(now), words::number(before))
            }
            _ => String::new(),
        }
    }

    /// The category whose share changed most: `UA is 34 %, usually 17 %`.
    fn category(&self, pair: &Pair) -> String {
        let Bins::Categories(levels) = &self.grid.bins else { return String::new() };
        let (n, m) = (pair.baseline.n() as f64, pair.current.n() as f64);
        let shares = pair.baseline.counts().iter().zip(pair.current.counts());
        let shares = shares.map(|(before, now)| (*before as f64 / n, *now as f64 / m)).enumerate();
        let most = shares.max_by(|one, other| {
            let change = |(_, (before, now)): &(usize, (f64, f64))| (now - before).abs();
            change(one).total_cmp(&change(other))
        });
        let Some((place, (before, now))) = most else { return String::new() };
        let level = levels.names().get(place).map_or("all other values", String::as_str);
        format!("{} is {}, usually {}", words::cut(level), words::percent(now), words::percent(before))
    }

    fn drift_numbers(&self, pair: Option<&Pair>, slip: Option<Slip>) -> BTreeMap<String, f64> {
        let (before, now) = (&self.baseline.counts, &self.current.counts);
        let share = |counts: &Counts, bin: Bin| counts.get(bin) as f64 / counts.total().max(1) as f64;
        let mut all = numbers([
            ("missing_baseline", share(before, Bin::MISSING)),
            ("missing_current", share(now, Bin::MISSING)),
            ("invalid_baseline", share(before, Bin::INVALID)),
            ("invalid_current", share(now, Bin::INVALID)),
        ]);
        if !self.grid.is_numeric() {
            all.extend(numbers([
                ("other_baseline", share(before, Bin::OTHER)),
                ("other_current", share(now, Bin::OTHER)),
            ]));
        }
        all.extend(moment_numbers(&self.baseline.moments, &self.current.moments));
        if let Some(pair) = pair {
            let metrics = METRICS.iter().filter_map(|metric| Some((metric.name, (metric.measure)(pair)?)));
            all.extend(numbers(metrics));
            let psi = Psi::of(pair);
            all.extend(numbers([("psi_p", psi.p()), ("shift_sd", psi.shift_sd())]));
            if let Some(ks) = Ks::of(pair) {
                all.extend(numbers([("ks_high", ks.high), ("ks_p", ks.p)]));
                all.extend(numbers([("outside", outside(pair))]));
            }
        }
        let moved = explain::prediction_move(self.baseline, now);
        all.extend(numbers(moved.map(|moved| ("prediction_move", moved))));
        if let Some(slip) = slip {
            all.extend(units::numbers_of(slip));
        }
        all
    }
}

/// What stands for a comparison that cannot be made.
const NOTHING: Psi = Psi { value: 0.0, df: 0, s: 0.0 };

fn moment_numbers(before: &Moments, now: &Moments) -> BTreeMap<String, f64> {
    let pairs = [
        ("mean_baseline", before.mean()),
        ("mean_current", now.mean()),
        ("sd_baseline", before.sd()),
        ("sd_current", now.sd()),
    ];
    numbers(pairs.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

/// The share of the window's values in bins below or above all of the baseline's.
fn outside(pair: &Pair) -> f64 {
    let occupied = |count: &u64| *count > 0;
    let counts = pair.baseline.counts();
    let first = counts.iter().position(occupied).unwrap_or(0);
    let last = counts.iter().rposition(occupied).unwrap_or(0);
    let inside: u64 = pair.current.counts()[first..=last].iter().sum();
    1.0 - inside as f64 / pair.current.n() as f64
}

#[cfg(test)]
mod tests {
    use domain::grid::Edges;
    use domain::time::{HOUR, Instant};

    use super::*;
    use crate::config::Config;

    /// What is said of a window whose last bin holds so many more values.
    fn said(more: u64) -> Finding {
        let edges = Edges::try_from(vec![1.0, 2.0, 3.0]).expect("ascending");
        let grid = Grid::new("m", "feature.x", Instant::EPOCH, Bins::Numbers(edges));
        let counts = |last: u64| {
            Counts::of([(Bin(3), 50_000), (Bin(4), 50_000), (Bin(5), 50_000), (Bin(6), 50_000 + last)])
        };
        let baseline = SignalBaseline { counts: counts(0), ..SignalBaseline::default() };
        let comparison = Comparison {
            signal: "feature.x",
            segment: "",
            grid: &grid,
            baseline: &baseline,
            current: &Counted { counts: counts(more), ..Counted::default() },
            healthy: Healthy::default(),
            least_events: 200,
        };
        let findings = comparison.findings(&Limits::shared_over(&Config::default(), 10, HOUR));
        findings.into_iter().find(|finding| finding.monitor == Monitor::Drift).expect("drift")
    }

    #[test]
    fn what_lies_between_recovery_and_limit_is_not_as_in_the_baseline() {
        let (same, close, moved) = (said(0), said(42_000), said(60_000));
        assert!(same.facts.starts_with("x is as usual; PSI 0.00"), "{}", same.facts);
        assert!(close.value > close.limit.recovery && close.value < close.limit.threshold, "{close:?}");
        assert!(close.facts.starts_with("x is close to its limit; PSI 0.0"), "{}", close.facts);
        assert!(moved.facts.starts_with("x moved"), "{}", moved.facts);
    }
}
