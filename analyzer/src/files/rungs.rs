//! The different values of a numeric column with how often each occurs on either side, in bounded memory.
//!
//! Invariant: every value that was pushed is counted in exactly one rung. Up to [`MOST_DIFFERENT`] different values a
//! rung is one value and everything worked out from them is exact. Beyond it neighbours are joined: a rung is then a
//! range, none of which took more than four times its even share when it was made, and the kernels say between which
//! bounds the exact answer lies.

use crate::stats::histogram::{Axis, Pair};

/// Different values of both sides that are kept apart. With two columns at work that is about 200 MB at the most.
pub const MOST_DIFFERENT: usize = 1 << 21;

/// Values that are sorted at once.
const BUFFERED: usize = 1 << 20;

/// Which of the two data sets a value belongs to; the place in every `[baseline, current]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Baseline = 0,
    Current = 1,
}

#[derive(Clone, Debug)]
pub struct Rungs {
    /// The value of each rung, ascending; the mean of its values where it is a range.
    places: Vec<f64>,
    counts: [Vec<u64>; 2],
    /// Where rungs are ranges.
    spans: Option<Spans>,
    /// Values of `side` that are not in the rungs yet, as keys that sort as the values do.
    buffer: Vec<u64>,
    side: Side,
    most: usize,
}

#[derive(Clone, Debug, Default)]
struct Spans {
    lows: Vec<f64>,
    highs: Vec<f64>,
}

impl Default for Rungs {
    fn default() -> Self {
        Self::of_at_most(MOST_DIFFERENT)
    }
}

impl Rungs {
    pub fn of_at_most(most: usize) -> Self {
        Self {
            places: Vec::new(),
            counts: [Vec::new(), Vec::new()],
            spans: None,
            buffer: Vec::new(),
            side: Side::Baseline,
            most: most.max(8),
        }
    }

    /// Counts a finite value.
    pub fn push(&mut self, side: Side, value: f64) {
        if side != self.side || self.buffer.len() == BUFFERED {
            self.absorb();
            self.side = side;
        }
        self.buffer.push(key(value));
    }

    /// Whether every rung is one value.
    pub fn is_exact(&self) -> bool {
        self.spans.is_none()
    }

    /// The two histograms, one bin a rung; `None` where a side has no value.
    pub fn into_pair(mut self) -> Option<Pair> {
        self.absorb();
        let atoms = match &self.spans {
            None => vec![true; self.places.len()],
            Some(Spans { lows, highs }) => lows.iter().zip(highs).map(|(low, high)| low == high).collect(),
        };
        let [baseline, current] = self.counts;
        Pair::new(baseline, current, Axis::Ordered { places: self.places, atoms })
    }

    /// Sorts what is buffered into the rungs.
    fn absorb(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let mut keys = std::mem::take(&mut self.buffer);
        keys.sort_unstable();
        let before = std::mem::replace(self, Self { side: self.side, ..Self::of_at_most(self.most) });
        self.merge(&before, &keys);
        keys.clear();
        self.buffer = keys;
        if self.places.len() > self.most {
            self.join_neighbours();
        }
    }

    /// Both are ascending; so is what comes of them.
    fn merge(&mut self, before: &Self, keys: &[u64]) {
        let is_coarse = before.spans.is_some();
        self.spans = is_coarse.then(Spans::default);
        let room = before.places.len() + keys.len().min(self.most);
        self.places.reserve(room);
        self.counts.iter_mut().for_each(|counts| counts.reserve(room));
        let (lows, highs) = match &before.spans {
            Some(spans) => (&spans.lows, &spans.highs),
            None => (&before.places, &before.places),
        };
        let (own, side) = (self.side as usize, self.side);
        let mut rung = 0;
        let mut at = 0;
        while at < keys.len() {
            let value = value_of(keys[at]);
            while rung < highs.len() && highs[rung] < value {
                self.copy(before, rung);
                rung += 1;
            }
            if rung < highs.len() && lows[rung] <= value {
                // All that lie within this rung.
                let first = at;
                let mut sum = 0.0;
                let high = highs[rung];
                while at < keys.len() && value_of(keys[at]) <= high {
                    sum += value_of(keys[at]);
                    at += 1;
                }
                self.copy(before, rung);
                self.add(side, (at - first) as u64, sum);
                rung += 1;
            } else {
                let first = at;
                while at < keys.len() && keys[at] == keys[first] {
                    at += 1;
                }
                self.places.push(value);
                self.counts[own].push((at - first) as u64);
                self.counts[1 - own].push(0);
                if let Some(spans) = &mut self.spans {
                    spans.lows.push(value);
                    spans.highs.push(value);
                }
            }
        }
        for left in rung..highs.len() {
            self.copy(before, left);
        }
    }

    fn copy(&mut self, before: &Self, rung: usize) {
        self.places.push(before.places[rung]);
        self.counts[0].push(before.counts[0][rung]);
        self.counts[1].push(before.counts[1][rung]);
        if let (Some(spans), Some(known)) = (&mut self.spans, &before.spans) {
            spans.lows.push(known.lows[rung]);
            spans.highs.push(known.highs[rung]);
        }
    }

    /// Adds values to the last rung and moves its place to their common mean.
    fn add(&mut self, side: Side, count: u64, sum: f64) {
        let last = self.places.len() - 1;
        if let Some(spans) = &self.spans {
            let known = (self.counts[0][last] + self.counts[1][last]) as f64;
            let weight = known / (known + count as f64);
            let mean = self.places[last] * weight + sum / count as f64 * (1.0 - weight);
            if mean.is_finite() {
                self.places[last] = mean.clamp(spans.lows[last], spans.highs[last]);
            }
        }
        self.counts[side as usize][last] += count;
    }

    /// Joins neighbours as long as they hold no more together than four even shares, which halves the rungs at least.
    fn join_neighbours(&mut self) {
        let total: u64 = self.counts.iter().flatten().sum();
        let most = total.div_ceil((self.most as u64 / 4).max(1));
        let before = std::mem::replace(self, Self { side: self.side, ..Self::of_at_most(self.most) });
        let (lows, highs) = match &before.spans {
            Some(spans) => (&spans.lows, &spans.highs),
            None => (&before.places, &before.places),
        };
        let mut spans = Spans::default();
        let mut held = u64::MAX;
        for rung in 0..before.places.len() {
            let counts = [before.counts[0][rung], before.counts[1][rung]];
            let count = counts[0] + counts[1];
            if held.saturating_add(count) > most {
                self.places.push(before.places[rung]);
                self.counts[0].push(counts[0]);
                self.counts[1].push(counts[1]);
                spans.lows.push(lows[rung]);
                spans.highs.push(highs[rung]);
                held = count;
                continue;
            }
            let last = self.places.len() - 1;
            let weight = held as f64 / (held + count) as f64;
            let mean = self.places[last] * weight + before.places[rung] * (1.0 - weight);
            self.places[last] = mean.clamp(spans.lows[last], highs[rung]);
            self.counts[0][last] += counts[0];
            self.counts[1][last] += counts[1];
            spans.highs[last] = highs[rung];
            held += count;
        }
        self.spans = Some(spans);
    }
}

/// The bits of a number, turned so that they ascend as the numbers do. −0 and 0 are one value.
fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn value_of(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::drift::ks::Ks;
    use crate::drift::wasserstein::Wasserstein;
    use crate::stats::sample;

    fn filled(most: usize, sides: [&[f64]; 2]) -> Rungs {
        let mut rungs = Rungs::of_at_most(most);
        for (side, values) in [Side::Baseline, Side::Current].into_iter().zip(sides) {
            for part in values.chunks(37) {
                part.iter().for_each(|value| rungs.push(side, *value));
                rungs.absorb();
            }
        }
        rungs
    }

    proptest! {
        #[test]
        fn what_fits_is_counted_as_the_raw_values_are(
            baseline in prop::collection::vec(-40_i32..40, 0..300),
            current in prop::collection::vec(-40_i32..40, 0..300),
        ) {
            let floats = |values: &[i32]| values.iter().map(|value| f64::from(*value) / 4.0).collect::<Vec<_>>();
            let (baseline, current) = (floats(&baseline), floats(&current));
            let rungs = filled(1_000, [&baseline, &current]);
            prop_assert!(rungs.is_exact());
            prop_assert_eq!(rungs.into_pair(), sample::pair(&baseline, &current));
        }

        #[test]
        fn what_does_not_fit_keeps_every_value_and_the_bounds_hold_the_exact_distance(
            baseline in prop::collection::vec(-1e3_f64..1e3, 200..900),
            current in prop::collection::vec(-1e3_f64..1.2e3, 200..900),
        ) {
            let exact = sample::pair(&baseline, &current).expect("values on both sides");
            let rungs = filled(128, [&baseline, &current]);
            prop_assert!(!rungs.is_exact());
            let pair = rungs.into_pair().expect("values on both sides");
            prop_assert_eq!((pair.baseline.n(), pair.current.n()), (exact.baseline.n(), exact.current.n()));
            let Axis::Ordered { places, .. } = &pair.axis else { panic!("numbers are ordered") };
            prop_assert!(places.windows(2).all(|two| two[0] < two[1]));
            let (bounds, truth) = (Ks::of(&pair).expect("numbers"), Ks::of(&exact).expect("numbers").low);
            prop_assert!(bounds.low <= truth + 1e-12 && truth <= bounds.high + 1e-12);
            let [near, far] = [&pair, &exact].map(|pair| Wasserstein::of(pair).expect("numbers").distance);
            prop_assert!((near - far).abs() < 60.0, "{near} and {far}");
        }

        #[test]
        fn keys_sort_as_the_values_do(one in prop::num::f64::NORMAL, other in prop::num::f64::NORMAL) {
            prop_assert_eq!(key(one).cmp(&key(other)), one.total_cmp(&other));
            prop_assert_eq!(value_of(key(one)), one);
        }
    }

    #[test]
    fn values_that_only_rise_are_kept_apart_as_well_as_others() {
        let rising: Vec<f64> = (0..10_000).map(f64::from).collect();
        let pair = filled(256, [&rising, &rising]).into_pair().expect("values on both sides");
        let heaviest = pair.baseline.counts().iter().max().copied().unwrap_or(0);
        assert!(heaviest <= 10_000 / 16, "{heaviest}");
    }
}
