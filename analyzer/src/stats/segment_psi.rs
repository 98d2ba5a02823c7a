//! Which segments carry a moved distribution: PSI, split exactly over segments.
//!
//! Invariant: the parts of all segments add up to the PSI of the whole, to rounding; those of all bins do too.

/// Counts by segment and bin on both sides. Made by [`SegmentCounts::new`], which checks the shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentCounts {
    baseline: Vec<Vec<u64>>,
    current: Vec<Vec<u64>>,
}

/// PSI and its parts, without unit (nats).
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentPsi {
    pub psi: f64,
    /// `(qᵢ − pᵢ)·ln(qᵢ/pᵢ)`, never negative.
    pub by_bin: Vec<f64>,
    /// Negative where a segment counteracts.
    pub by_segment: Vec<f64>,
}

impl SegmentCounts {
    /// `None` unless both sides have the same segments (one at least), every segment the same bins (one at least), and
    /// each side a row.
    pub fn new(baseline: Vec<Vec<u64>>, current: Vec<Vec<u64>>) -> Option<Self> {
        let bins = baseline.first()?.len();
        let is_shaped = |side: &[Vec<u64>]| side.iter().all(|segment| segment.len() == bins);
        let has_rows = |side: &[Vec<u64>]| side.iter().flatten().any(|count| *count > 0);
        let is_fit = bins > 0
            && baseline.len() == current.len()
            && [&baseline, &current].iter().all(|side| is_shaped(side) && has_rows(side));
        is_fit.then_some(Self { baseline, current })
    }

    /// `by_segmentₛ = Σᵢ (q_is − p_is)·ln(qᵢ/pᵢ)` with `pᵢ = (cᵢ + ½)/(n + B/2)`; of S segments each has an S-th of the
    /// half count of a bin (METHODS 1.2 and 10).
    ///
    /// ```
    /// use analyzer::stats::segment_psi::SegmentCounts;
    /// // Only the second segment moved its rows to the second bin.
    /// let counts = SegmentCounts::new(vec![vec![50, 50], vec![50, 50]], vec![vec![50, 50], vec![10, 90]]).unwrap();
    /// let split = counts.psi();
    /// assert!(split.by_segment[0].abs() < 1e-12 && split.by_segment[1] > 0.1);
    /// assert!((split.by_segment.iter().sum::<f64>() - split.psi).abs() < 1e-12);
    /// ```
    pub fn psi(&self) -> SegmentPsi {
        let (baseline, current) = (shares(&self.baseline), shares(&self.current));
        let bins = self.baseline[0].len();
        let total = |side: &[Vec<f64>], bin: usize| side.iter().map(|segment| segment[bin]).sum::<f64>();
        let sides: Vec<(f64, f64)> =
            (0..bins).map(|bin| (total(&baseline, bin), total(&current, bin))).collect();
        let by_bin: Vec<f64> = sides.iter().map(|(p, q)| (q - p) * (q / p).ln()).collect();
        let part = |(before, now): (&Vec<f64>, &Vec<f64>)| {
            let moved = before.iter().zip(now).map(|(before, now)| now - before);
            moved.zip(&sides).map(|(moved, (p, q))| moved * (q / p).ln()).sum()
        };
        let by_segment = baseline.iter().zip(&current).map(part).collect();
        SegmentPsi { psi: by_bin.iter().sum(), by_bin, by_segment }
    }
}

fn shares(side: &[Vec<u64>]) -> Vec<Vec<f64>> {
    let rows: u64 = side.iter().flatten().sum();
    let bins = side[0].len() as f64;
    let (half, all) = (0.5 / side.len() as f64, rows as f64 + bins / 2.0);
    side.iter().map(|segment| segment.iter().map(|count| (*count as f64 + half) / all).collect()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_shape_that_does_not_fit_is_refused() {
        assert_eq!(SegmentCounts::new(vec![vec![1, 2]], vec![vec![1]]), None);
        assert_eq!(SegmentCounts::new(vec![vec![0, 0]], vec![vec![1, 2]]), None);
        assert_eq!(SegmentCounts::new(Vec::new(), Vec::new()), None);
    }

    proptest! {
        #[test]
        fn the_parts_add_up(rows in prop::collection::vec((prop::array::uniform4(0..1_000_u64), prop::array::uniform4(0..1_000_u64)), 1..8)) {
            let (mut before, now): (Vec<Vec<u64>>, Vec<Vec<u64>>) =
                rows.into_iter().map(|(before, now)| (before.to_vec(), now.to_vec())).unzip();
            before[0][0] += 1;
            let mut after = now;
            after[0][0] += 1;
            let split = SegmentCounts::new(before, after).expect("rows on both sides").psi();
            prop_assert!((split.by_segment.iter().sum::<f64>() - split.psi).abs() < 1e-12);
            prop_assert!(split.by_bin.iter().all(|part| *part >= 0.0));
        }
    }
}
