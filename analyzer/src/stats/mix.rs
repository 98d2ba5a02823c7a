//! What moved a total that is a mean over segments: the segments' own values (*within*) or their weights (*mix*).
//!
//! Invariant: within and mix of all segments add up to the change of the total, to rounding.

use crate::stats::histogram::Sides;

/// One segment on both sides: how much of everything it is (rows, or any weight that is not negative), and its value.
///
/// The value of a side without weight is not read, so it may be anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    pub weight: Sides,
    pub value: Sides,
}

/// What one segment did to the total, in the unit of the value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contribution {
    /// Because its own value changed.
    pub within: f64,
    /// Because there is more or less of it.
    pub mix: f64,
}

impl Contribution {
    pub fn total(self) -> f64 {
        self.within + self.mix
    }
}

/// A change of a total, split over segments; `segments` lie as those that were given.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    pub total: Sides,
    pub segments: Vec<Contribution>,
}

impl Split {
    /// Splits `M₁ − M₀`, `M = Σ wₛ·mₛ` with shares w that add up to one, symmetrically:
    ///
    /// `withinₛ = ½(w₀ₛ + w₁ₛ)·(m₁ₛ − m₀ₛ)` and `mixₛ = (w₁ₛ − w₀ₛ)·(½(m₀ₛ + m₁ₛ) − ½(M₀ + M₁))`.
    ///
    /// The second mean makes the mere growth of an average segment zero (METHODS 10; the midpoint form of Kitagawa 1955,
    /// eq. 2). A segment that is new or gone has the value of its other side, so all it did is mix.
    ///
    /// `None` where a side has no weight, or a weight or a value that is read is not finite, or a weight is negative.
    ///
    /// ```
    /// use analyzer::stats::histogram::Sides;
    /// use analyzer::stats::mix::{Segment, Split};
    /// // Simpson: both segments fell by 0.05, the total rose by 0.27, because the better one grew.
    /// let segment = |weight: [f64; 2], value: [f64; 2]| Segment {
    ///     weight: Sides { baseline: weight[0], current: weight[1] },
    ///     value: Sides { baseline: value[0], current: value[1] },
    /// };
    /// let split = Split::of(&[segment([100.0, 900.0], [0.9, 0.85]), segment([900.0, 100.0], [0.5, 0.45])]).unwrap();
    /// assert!((split.within() + 0.05).abs() < 1e-12);
    /// assert!((split.mix() - 0.32).abs() < 1e-12);
    /// ```
    pub fn of(segments: &[Segment]) -> Option<Self> {
        let all = segments.iter().fold(Sides::default(), |sum, segment| Sides {
            baseline: sum.baseline + segment.weight.baseline,
            current: sum.current + segment.weight.current,
        });
        if !(all.baseline > 0.0 && all.current > 0.0) {
            return None;
        }
        let shares: Vec<Shared> =
            segments.iter().map(|segment| Shared::of(segment, all)).collect::<Option<_>>()?;
        let total = shares.iter().fold(Sides::default(), |sum, segment| Sides {
            baseline: sum.baseline + segment.share.baseline * segment.value.baseline,
            current: sum.current + segment.share.current * segment.value.current,
        });
        let middle = (total.baseline + total.current) / 2.0;
        let segments = shares
            .iter()
            .map(|Shared { share, value }| Contribution {
                within: (share.baseline + share.current) / 2.0 * (value.current - value.baseline),
                mix: (share.current - share.baseline) * ((value.baseline + value.current) / 2.0 - middle),
            })
            .collect();
        Some(Self { total, segments })
    }

    /// What all segments' own changes did.
    pub fn within(&self) -> f64 {
        self.segments.iter().map(|segment| segment.within).sum()
    }

    /// What the changed weights of all segments did.
    pub fn mix(&self) -> f64 {
        self.segments.iter().map(|segment| segment.mix).sum()
    }
}

/// A segment with shares for weights, and a value on both sides.
struct Shared {
    share: Sides,
    value: Sides,
}

impl Shared {
    fn of(segment: &Segment, all: Sides) -> Option<Self> {
        let Segment { weight, mut value } = *segment;
        if weight.baseline == 0.0 {
            value.baseline = value.current;
        }
        if weight.current == 0.0 {
            value.current = value.baseline;
        }
        if weight.baseline == 0.0 && weight.current == 0.0 {
            value = Sides::default();
        }
        let share = Sides { baseline: weight.baseline / all.baseline, current: weight.current / all.current };
        let is_known = [share.baseline, share.current].iter().all(|share| *share >= 0.0 && share.is_finite())
            && value.baseline.is_finite()
            && value.current.is_finite();
        is_known.then_some(Self { share, value })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segment([w0, w1]: [f64; 2], [m0, m1]: [f64; 2]) -> Segment {
        Segment { weight: Sides { baseline: w0, current: w1 }, value: Sides { baseline: m0, current: m1 } }
    }

    #[test]
    fn a_new_segment_is_mix_only() {
        let split = Split::of(&[segment([10.0, 10.0], [1.0, 1.0]), segment([0.0, 10.0], [f64::NAN, 3.0])])
            .expect("weights on both sides");
        assert_eq!(split.within(), 0.0);
        assert_eq!(split.mix(), 1.0);
    }

    #[test]
    fn a_side_of_nothing_cannot_be_split() {
        assert_eq!(Split::of(&[segment([0.0, 10.0], [1.0, 1.0])]), None);
        assert_eq!(Split::of(&[]), None);
        assert_eq!(Split::of(&[segment([1.0, 1.0], [1.0, f64::NAN])]), None);
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_the_change(parts in prop::collection::vec(
            ((0.0..1e6_f64, 0.0..1e6_f64), (-1e3..1e3_f64, -1e3..1e3_f64)), 1..20))
        {
            let segments: Vec<Segment> =
                parts.iter().map(|((w0, w1), (m0, m1))| segment([*w0 + 1e-3, *w1 + 1e-3], [*m0, *m1])).collect();
            let split = Split::of(&segments).expect("weights on both sides");
            let change = split.total.current - split.total.baseline;
            prop_assert!((split.within() + split.mix() - change).abs() < 1e-9);
        }
    }
}
