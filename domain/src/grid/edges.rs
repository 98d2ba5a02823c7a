//! The limits between the numeric bins of a grid, and how they are chosen from a sample (METHODS 1.1 and 2).

/// Strictly ascending, finite limits. Bin `i` is `(edge[i-1], edge[i]]`; the first and the last bin are open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edges(Vec<f64>);

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EdgesError {
    #[error("edge {position} is {value}, which is not a finite number")]
    NotFinite { position: usize, value: f64 },
    #[error("edge {position} ({value}) is not greater than the one before it")]
    NotAscending { position: usize, value: f64 },
    #[error("{count} edges are more than the {most} that a grid may have", most = Edges::MOST)]
    TooMany { count: usize },
}

impl TryFrom<Vec<f64>> for Edges {
    type Error = EdgesError;

    fn try_from(edges: Vec<f64>) -> Result<Self, EdgesError> {
        if edges.len() > Self::MOST {
            return Err(EdgesError::TooMany { count: edges.len() });
        }
        if let Some(position) = edges.iter().position(|edge| !edge.is_finite()) {
            return Err(EdgesError::NotFinite { position, value: edges[position] });
        }
        if let Some(before) = edges.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(EdgesError::NotAscending { position: before + 1, value: edges[before + 1] });
        }
        Ok(Self(edges))
    }
}

impl Edges {
    /// The most edges a grid may have: bins are numbered by `u16`, and a grid is searched for each value.
    pub const MOST: usize = 1_024;
    /// Equal-mass bins of a sample: the error of KS and W1 stays below 0.004 (METHODS 2, e7).
    pub const EQUAL_MASS: usize = 128;
    /// With no more different values than this, each value has a bin of its own.
    pub const FEW_VALUES: usize = 64;

    /// Chooses the edges for a sample; what is not finite is left out. No finite value at all gives no edge, one bin.
    ///
    /// Few different values: a bin for each. Else `EQUAL_MASS` observed quantiles (inverted cdf, as numpy's
    /// `inverted_cdf`), duplicates removed; a bin of its own for each value heavier than its share; the least and the
    /// greatest value as edges, so that *outside the range* is exact; tail edges at `max + IQR·2^k` and
    /// `min − IQR·2^k`, k = −3 … 6.
    pub fn of_sample(mut sample: Vec<f64>) -> Self {
        sample.retain(|value| value.is_finite());
        sample.sort_unstable_by(f64::total_cmp);
        let runs = runs_of(&sample);
        let mut edges: Vec<f64> = Vec::with_capacity(2 * Self::EQUAL_MASS);
        if runs.len() <= Self::FEW_VALUES {
            runs.iter().for_each(|(value, _)| push_atom(&mut edges, *value));
        } else {
            edges.extend((1..Self::EQUAL_MASS).map(|k| quantile(&sample, k, Self::EQUAL_MASS)));
            let share = sample.len() / Self::EQUAL_MASS;
            runs.iter().filter(|(_, n)| *n > share).for_each(|(value, _)| push_atom(&mut edges, *value));
            edges.push(sample[0].next_down());
            edges.push(sample[sample.len() - 1]);
        }
        edges.extend(tails(&sample));
        Self::sorted(edges)
    }

    /// Bins 5 % wide from 0.05 to beyond a year of seconds (a day of milliseconds lies inside), zero by itself, and
    /// each of `limits` as an edge, so that good and bad events of an objective are counted exactly.
    pub fn of_duration(limits: &[f64]) -> Self {
        const LEAST: f64 = 0.05;
        const GREATEST: f64 = 86_400_000.0;
        const RATIO: f64 = 1.05;
        let steps = ((GREATEST / LEAST).ln() / RATIO.ln()).ceil() as i32;
        let mut edges: Vec<f64> = (0..=steps).map(|k| LEAST * RATIO.powi(k)).collect();
        edges.push(0.0_f64.next_down());
        edges.push(0.0);
        edges.extend(limits.iter().filter(|limit| limit.is_finite()));
        Self::sorted(edges)
    }

    fn sorted(mut edges: Vec<f64>) -> Self {
        edges.retain(|edge| edge.is_finite());
        edges.iter_mut().for_each(|edge| *edge += 0.0); // −0 and 0 are one edge
        edges.sort_unstable_by(f64::total_cmp);
        edges.dedup();
        Self(edges)
    }

    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    pub fn bins(&self) -> usize {
        self.0.len() + 1
    }

    /// The position of the bin that holds a finite `value`, from 0.
    pub fn position(&self, value: f64) -> usize {
        self.0.partition_point(|edge| *edge < value)
    }

    /// The limits `(low, high]` of a bin; infinite at the open ends.
    pub fn limits(&self, position: usize) -> (f64, f64) {
        let low = position.checked_sub(1).and_then(|before| self.0.get(before));
        (low.copied().unwrap_or(f64::NEG_INFINITY), self.0.get(position).copied().unwrap_or(f64::INFINITY))
    }

    /// Whether the bin holds exactly one value, its upper edge.
    pub fn is_atom(&self, position: usize) -> bool {
        let (low, high) = self.limits(position);
        low.next_up() == high
    }

    /// The value that stands for a bin when nothing better (its mean) is known: the middle, or the finite edge.
    pub fn middle(&self, position: usize) -> f64 {
        match self.limits(position) {
            (low, high) if low.is_infinite() && high.is_infinite() => 0.0,
            (low, high) if low.is_infinite() => high,
            (low, high) if high.is_infinite() => low,
            (low, high) => low + (high - low) / 2.0,
        }
    }

    pub fn label(&self, position: usize) -> String {
        let (low, high) = self.limits(position);
        if self.is_atom(position) {
            return short(high);
        }
        match (low.is_infinite(), high.is_infinite()) {
            (true, true) => "any value".to_owned(),
            (true, false) => format!("≤ {}", short(high)),
            (false, true) => format!("> {}", short(low)),
            (false, false) => format!("({}, {}]", short(low), short(high)),
        }
    }
}

/// The shortest text with four significant digits.
fn short(value: f64) -> String {
    if value == 0.0 || value.abs() >= 1e6 || value.abs() < 1e-3 {
        return if value == value.trunc() && value.abs() < 1e9 {
            format!("{value}")
        } else {
            format!("{value:.3e}")
        };
    }
    let decimals = usize::try_from(3 - value.abs().log10().floor() as i32).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Different values of a sorted sample with how often each occurs.
fn runs_of(sorted: &[f64]) -> Vec<(f64, usize)> {
    sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect()
}

fn push_atom(edges: &mut Vec<f64>, value: f64) {
    edges.push(value.next_down());
    edges.push(value);
}

/// The observed quantile `k/of` of a sorted sample: the least value whose cdf reaches it.
fn quantile(sorted: &[f64], k: usize, of: usize) -> f64 {
    let rank = (sorted.len() * k).div_ceil(of);
    sorted[rank.clamp(1, sorted.len()) - 1]
}

fn tails(sorted: &[f64]) -> Vec<f64> {
    let (Some(least), Some(greatest)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    let quartiles = quantile(sorted, 3, 4) - quantile(sorted, 1, 4);
    // A spiky signal has no interquartile range; its whole range then sets the scale.
    let scale = if quartiles > 0.0 { quartiles } else { greatest - least };
    if scale <= 0.0 || !scale.is_finite() {
        return Vec::new();
    }
    (-3..=6).flat_map(|k| [greatest + scale * 2.0_f64.powi(k), least - scale * 2.0_f64.powi(k)]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_values_have_a_bin_each_and_the_gaps_stay_visible() {
        let edges = Edges::of_sample(vec![1.0, 1.0, 0.0, 3.0]);
        for value in [0.0, 1.0, 3.0] {
            assert!(edges.is_atom(edges.position(value)), "{value}");
        }
        assert_ne!(edges.position(2.0), edges.position(1.0));
        assert_ne!(edges.position(2.0), edges.position(3.0));
        assert!(edges.position(1e9) > edges.position(3.0));
    }

    #[test]
    fn many_values_have_bins_of_equal_mass() {
        let sample: Vec<f64> = (0..12_800).map(f64::from).collect();
        let edges = Edges::of_sample(sample.clone());
        let mut counts = vec![0_usize; edges.bins()];
        sample.iter().for_each(|value| counts[edges.position(*value)] += 1);
        let occupied: Vec<usize> = counts.into_iter().filter(|n| *n > 0).collect();
        assert_eq!(occupied, vec![100; 128]);
    }

    #[test]
    fn a_value_heavier_than_its_share_has_a_bin_of_its_own() {
        let sample: Vec<f64> =
            (0..1_000).map(|n| if n % 3 == 0 { 0.0 } else { f64::from(n) + 0.5 }).collect();
        let edges = Edges::of_sample(sample);
        assert!(edges.is_atom(edges.position(0.0)));
        assert!(!edges.is_atom(edges.position(500.5)));
    }

    #[test]
    fn values_outside_the_range_have_bins_of_their_own() {
        let edges = Edges::of_sample((0..1_000).map(f64::from).collect());
        assert_ne!(edges.position(999.0), edges.position(999.5));
        assert_ne!(edges.position(2_000.0), edges.position(10_000.0));
        assert_ne!(edges.position(-0.5), edges.position(0.0));
    }

    #[test]
    fn a_constant_or_an_empty_sample_still_makes_a_grid() {
        let constant = Edges::of_sample(vec![7.0; 50]);
        assert!(constant.is_atom(constant.position(7.0)));
        assert_eq!(constant.bins(), 3);
        assert_eq!(Edges::of_sample(vec![f64::NAN]).bins(), 1);
    }

    #[test]
    fn limits_of_objectives_are_edges_of_a_duration() {
        let edges = Edges::of_duration(&[250.0]);
        assert_ne!(edges.position(250.0), edges.position(250.0_f64.next_up()));
        assert!(edges.is_atom(edges.position(0.0)));
        assert!(edges.bins() < Edges::MOST);
    }

    #[test]
    fn edges_that_are_not_ascending_are_refused_with_their_place() {
        let refused = Edges::try_from(vec![1.0, 1.0]);
        assert_eq!(refused, Err(EdgesError::NotAscending { position: 1, value: 1.0 }));
        assert!(matches!(Edges::try_from(vec![f64::NAN]), Err(EdgesError::NotFinite { position: 0, .. })));
    }

    #[test]
    fn labels_are_short_and_say_where_a_bin_ends() {
        let edges = Edges::try_from(vec![0.0, 16.1234567, 1234.5]).expect("ascending");
        assert_eq!(edges.label(0), "≤ 0");
        assert_eq!(edges.label(1), "(0, 16.12]");
        assert_eq!(edges.label(3), "> 1234");
    }

    proptest! {
        #[test]
        fn a_sample_makes_ascending_edges_and_every_value_lies_within_its_bin(
            sample in prop::collection::vec(prop::num::f64::ANY, 0..400)
        ) {
            let edges = Edges::of_sample(sample.clone());
            prop_assert!(Edges::try_from(edges.as_slice().to_vec()).is_ok());
            for value in sample.into_iter().filter(|value| value.is_finite()) {
                let (low, high) = edges.limits(edges.position(value));
                prop_assert!(low < value && value <= high, "{value} in ({low}, {high}]");
            }
        }
    }
}
