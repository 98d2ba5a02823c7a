//! The small arithmetic that pictures need: counts of a grid made into a few bars, percentiles, and each bin's and each
//! segment's part of PSI. Verdicts are the analyzer's; nothing here decides anything.

mod parts;

use domain::counts::Counts;
use domain::grid::{Bin, Bins, Edges, Grid};
use serde::Serialize;

pub use parts::{Contribution, SegmentCounts, SegmentPart, contributions, segment_parts};

use parts::psi_by_bin;

/// Two sets of counts on one grid.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    pub baseline: &'a Counts,
    pub now: &'a Counts,
}

impl Pair<'_> {
    fn share(counts: &Counts, bin: Bin) -> f64 {
        counts.get(bin) as f64 / (counts.total().max(1)) as f64
    }
}

/// A bar: the shares of all events of each side that fall between `low` and `high`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    pub label: String,
    pub low: f64,
    pub high: f64,
    pub baseline: f64,
    pub now: f64,
    /// Its part of PSI.
    pub psi: f64,
}

/// Counts made ready for a picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Bars {
    /// Whether `low` and `high` of the bars are values; else they are places 0, 1, 2 …
    pub numeric: bool,
    pub bars: Vec<Bar>,
    /// Missing, invalid and other, where there are any.
    pub aside: Vec<Bar>,
}

/// How many bars a picture has at most.
const MOST_BARS: usize = 34;
/// How many categories are drawn; the rest is one bar.
const MOST_CATEGORIES: usize = 16;

/// Makes a few bars of the many bins of a grid, over where 99 % of both sides lie.
pub fn bars(grid: &Grid, pair: Pair<'_>) -> Bars {
    let parts = &psi_by_bin(grid, pair);
    let aside = [Bin::MISSING, Bin::INVALID, Bin::OTHER]
        .into_iter()
        .map(|bin| bar_of(grid, pair, parts, bin))
        .filter(|bar| bar.baseline > 0.0 || bar.now > 0.0)
        .collect();
    match &grid.bins {
        Bins::Categories(levels) => {
            Bars { numeric: false, bars: category_bars(grid, pair, parts, levels.names().len()), aside }
        }
        Bins::Numbers(edges) => match few_values(edges, pair) {
            Some(positions) => {
                let bars = positions
                    .into_iter()
                    .enumerate()
                    .map(|(place, position)| Bar {
                        low: place as f64,
                        high: place as f64 + 1.0,
                        ..bar_of(grid, pair, parts, bin_at(position))
                    })
                    .collect();
                Bars { numeric: false, bars, aside }
            }
            None => Bars { numeric: true, bars: number_bars(edges, pair, parts), aside },
        },
    }
}

fn bin_at(position: usize) -> Bin {
    Bin(Bin::FIRST_VALUE.0 + u16::try_from(position).unwrap_or(0))
}

/// A bar of one bin; its place is still to be said.
fn bar_of(grid: &Grid, pair: Pair<'_>, parts: &[f64], bin: Bin) -> Bar {
    let psi = match bin.value_index() {
        Some(position) => parts.get(position),
        None if bin == Bin::OTHER => parts.get(grid.value_bins()),
        None => None,
    };
    Bar {
        label: grid.label(bin),
        low: f64::NAN,
        high: f64::NAN,
        baseline: Pair::share(pair.baseline, bin),
        now: Pair::share(pair.now, bin),
        psi: psi.copied().unwrap_or(0.0),
    }
}

/// The bins in use, where a signal takes so few values that each deserves a bar and a name.
fn few_values(edges: &Edges, pair: Pair<'_>) -> Option<Vec<usize>> {
    const FEW: usize = 12;
    let used: Vec<usize> = (0..edges.bins())
        .filter(|position| pair.baseline.get(bin_at(*position)) + pair.now.get(bin_at(*position)) > 0)
        .collect();
    let atoms = used.iter().filter(|position| edges.is_atom(**position)).count();
    (!used.is_empty() && used.len() <= FEW && atoms * 10 >= used.len() * 8).then_some(used)
}

fn category_bars(grid: &Grid, pair: Pair<'_>, parts: &[f64], levels: usize) -> Vec<Bar> {
    let mut bars: Vec<Bar> =
        (0..levels).map(|position| bar_of(grid, pair, parts, bin_at(position))).collect();
    bars.retain(|bar| bar.baseline > 0.0 || bar.now > 0.0);
    bars.sort_by(|a, b| b.baseline.max(b.now).total_cmp(&a.baseline.max(a.now)));
    if bars.len() > MOST_CATEGORIES {
        let rest = bars.split_off(MOST_CATEGORIES - 1);
        let mut more = Bar {
            label: format!("{} more", rest.len()),
            baseline: 0.0,
            now: 0.0,
            psi: 0.0,
            ..rest[0].clone()
        };
        for bar in &rest {
            more.baseline += bar.baseline;
            more.now += bar.now;
            more.psi += bar.psi;
        }
        bars.push(more);
    }
    for (place, bar) in bars.iter_mut().enumerate() {
        (bar.low, bar.high) = (place as f64, place as f64 + 1.0);
    }
    bars
}

fn number_bars(edges: &Edges, pair: Pair<'_>, parts: &[f64]) -> Vec<Bar> {
    let Some(shown) = shown_range(edges, pair) else { return Vec::new() };
    let Cut { low, width, count } = cut(edges, pair, shown);
    let mut bars: Vec<Bar> = (0..count)
        .map(|place| {
            let (from, to) = (low + width * place as f64, low + width * (place + 1) as f64);
            let label = format!("({}, {}]", crate::text::number(from), crate::text::number(to));
            Bar { label, low: from, high: to, baseline: 0.0, now: 0.0, psi: 0.0 }
        })
        .collect();
    for position in 0..edges.bins() {
        let bin = bin_at(position);
        let (baseline, now) = (Pair::share(pair.baseline, bin), Pair::share(pair.now, bin));
        if baseline == 0.0 && now == 0.0 {
            continue;
        }
        let psi = parts.get(position).copied().unwrap_or(0.0);
        for (place, part) in spread(edges.limits(position), edges.is_atom(position), low, width, count) {
            bars[place].baseline += baseline * part;
            bars[place].now += now * part;
            bars[place].psi += psi * part;
        }
    }
    bars
}

/// Bars of equal width.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cut {
    low: f64,
    width: f64,
    count: usize,
}

/// How a range is cut into bars. Values that are multiples of something (whole numbers, knots as miles) are cut at whole
/// multiples, so that each bar holds as many of them as its neighbours.
fn cut(edges: &Edges, pair: Pair<'_>, (low, high): (f64, f64)) -> Cut {
    let used: Vec<usize> = (0..edges.bins())
        .filter(|position| pair.baseline.get(bin_at(*position)) + pair.now.get(bin_at(*position)) > 0)
        .collect();
    let values: Vec<f64> = used
        .iter()
        .filter(|position| edges.is_atom(**position))
        .map(|position| edges.limits(*position).1)
        .filter(|value| (low..=high).contains(value))
        .collect();
    match lattice(&values) {
        Some((first, gap)) if values.len() * 4 >= used.len() * 3 => {
            let places = ((high - first) / gap).round().max(0.0) as usize + 1;
            let each = places.div_ceil(MOST_BARS).max(1);
            Cut { low: first - gap / 2.0, width: gap * each as f64, count: places.div_ceil(each) }
        }
        _ => {
            let count = used.len().clamp(6, MOST_BARS);
            Cut { low, width: (high - low) / count as f64, count }
        }
    }
}

/// The least of the values and the gap of which nearly all distances between them are multiples.
fn lattice(values: &[f64]) -> Option<(f64, f64)> {
    let gaps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let least = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    if gaps.len() < 5 || !least.is_finite() || least <= 0.0 {
        return None;
    }
    let whole = gaps.iter().filter(|gap| ((**gap / least) - (**gap / least).round()).abs() < 0.05).count();
    (whole * 10 >= gaps.len() * 9).then(|| (values[0], least))
}

/// Over which bars a bin's events are spread, and with which parts: evenly over its width; all in one where the bin
/// is one value or open.
fn spread((from, to): (f64, f64), atom: bool, low: f64, width: f64, count: usize) -> Vec<(usize, f64)> {
    let place = |value: f64| (((value - low) / width).floor().max(0.0) as usize).min(count - 1);
    // A value on a limit belongs to the bar below it.
    let upper = |value: f64| (((value - low) / width).ceil().max(1.0) as usize - 1).min(count - 1);
    if from.is_infinite() && to.is_infinite() {
        return vec![(0, 1.0)];
    }
    if atom || from.is_infinite() {
        return vec![(upper(to), 1.0)];
    }
    if to.is_infinite() {
        return vec![(place(from), 1.0)];
    }
    let (first, last) = (place(from), upper(to));
    if first >= last {
        return vec![(last, 1.0)];
    }
    (first..=last)
        .map(|index| {
            let (left, right) = (low + width * index as f64, low + width * (index + 1) as f64);
            let left = if index == 0 { from.min(left) } else { left };
            let right = if index == count - 1 { to.max(right) } else { right };
            (index, ((to.min(right) - from.max(left)) / (to - from)).max(0.0))
        })
        .collect()
}

/// Where all but ½ % at either end of both sides lies.
fn shown_range(edges: &Edges, pair: Pair<'_>) -> Option<(f64, f64)> {
    const TAIL: f64 = 0.005;
    let ends = |counts: &Counts| -> Option<(f64, f64)> {
        Some((percentile(edges, counts, TAIL)?, percentile(edges, counts, 1.0 - TAIL)?))
    };
    let found: Vec<(f64, f64)> = [ends(pair.baseline), ends(pair.now)].into_iter().flatten().collect();
    let low = found.iter().map(|ends| ends.0).fold(f64::INFINITY, f64::min);
    let high = found.iter().map(|ends| ends.1).fold(f64::NEG_INFINITY, f64::max);
    // Values that are all at or above zero look odd on an axis that begins a little above it.
    let low = if low > 0.0 && low < (high - low) * 0.15 { 0.0 } else { low };
    match (low.is_finite() && high.is_finite(), high > low) {
        (true, true) => Some((low, high)),
        (true, false) => Some((low - 0.5, low + 0.5)),
        _ => None,
    }
}

/// The value below which the share `q` of the present numbers lies, evenly spread within its bin; `None` without any.
pub fn percentile(edges: &Edges, counts: &Counts, q: f64) -> Option<f64> {
    let values = counts.values(edges.bins());
    let total: u64 = values.iter().take(edges.bins()).sum();
    if total == 0 {
        return None;
    }
    let wanted = q.clamp(0.0, 1.0) * total as f64;
    let mut below = 0_u64;
    for (position, n) in values.iter().enumerate().take(edges.bins()).filter(|(_, n)| **n > 0) {
        if (below + n) as f64 >= wanted {
            let (low, high) = edges.limits(position);
            if low.is_infinite() || high.is_infinite() || edges.is_atom(position) {
                return Some(if edges.is_atom(position) { high } else { edges.middle(position) });
            }
            return Some(low + (high - low) * ((wanted - below as f64) / *n as f64).clamp(0.0, 1.0));
        }
        below += n;
    }
    None
}

/// The share of present numbers above `limit`; exact where the limit is an edge.
pub fn share_above(edges: &Edges, counts: &Counts, limit: f64) -> Option<f64> {
    let values = counts.values(edges.bins());
    let total: u64 = values.iter().take(edges.bins()).sum();
    let above: u64 = (edges.position(limit) + 1..edges.bins()).map(|position| values[position]).sum();
    (total > 0).then(|| above as f64 / total as f64)
}

/// The share of present values of now that lie outside all of the baseline's; for numbers only.
pub fn share_outside(edges: &Edges, pair: Pair<'_>) -> Option<f64> {
    let (baseline, now) = (pair.baseline.values(edges.bins()), pair.now.values(edges.bins()));
    let first = baseline.iter().take(edges.bins()).position(|n| *n > 0)?;
    let last = baseline.iter().take(edges.bins()).rposition(|n| *n > 0)?;
    let total: u64 = now.iter().take(edges.bins()).sum();
    let inside: u64 = now[first..=last].iter().sum();
    (total > 0).then(|| (total - inside) as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use domain::time::Instant;
    use proptest::prelude::*;

    use super::*;

    fn grid(edges: &[f64]) -> Grid {
        let edges = Edges::try_from(edges.to_vec()).expect("ascending");
        Grid::new("m", "feature.x", Instant::EPOCH, Bins::Numbers(edges))
    }

    fn counts(values: &[u64]) -> Counts {
        Counts::of(values.iter().enumerate().map(|(position, n)| (bin_at(position), *n)))
    }

    fn edges_of(grid: &Grid) -> &Edges {
        match &grid.bins {
            Bins::Numbers(edges) => edges,
            Bins::Categories(_) => panic!("a numeric grid"),
        }
    }

    #[test]
    fn a_percentile_lies_within_its_bin() {
        let grid = grid(&[0.0, 10.0, 20.0]);
        let counts = counts(&[0, 100, 100, 0]);
        assert_eq!(percentile(edges_of(&grid), &counts, 0.5), Some(10.0));
        assert_eq!(percentile(edges_of(&grid), &counts, 0.75), Some(15.0));
        assert_eq!(percentile(edges_of(&grid), &Counts::default(), 0.5), None);
        assert_eq!(share_above(edges_of(&grid), &counts, 10.0), Some(0.5));
    }

    #[test]
    fn what_the_baseline_never_saw_is_outside() {
        let grid = grid(&[0.0, 10.0, 20.0]);
        let pair = Pair { baseline: &counts(&[0, 5, 5, 0]), now: &counts(&[1, 6, 2, 1]) };
        assert_eq!(share_outside(edges_of(&grid), pair), Some(0.2));
    }

    #[test]
    fn equal_counts_contribute_nothing() {
        let grid = grid(&(0..100).map(f64::from).collect::<Vec<_>>());
        let same = counts(&[7; 101]);
        let parts = contributions(&grid, Pair { baseline: &same, now: &same });
        assert_eq!(parts.len(), 10);
        assert!(parts.iter().all(|part| part.psi.abs() < 1e-12), "{parts:?}");
    }

    #[test]
    fn multiples_are_cut_at_whole_multiples() {
        let values: Vec<f64> = (0..38).map(|knots| f64::from(knots) * 1.150_78).collect();
        let sample: Vec<f64> = values.iter().flat_map(|value| [*value; 20]).collect();
        let edges = Edges::of_sample(sample.clone());
        let grid = Grid::new("m", "feature.x", Instant::EPOCH, Bins::Numbers(edges));
        let mut counts = Counts::default();
        sample.iter().for_each(|value| counts.add(grid.bin_of_number(*value), 1));
        let bars = bars(&grid, Pair { baseline: &counts, now: &counts }).bars;
        assert_eq!(bars.len(), 19);
        assert!(bars.iter().all(|bar| (bar.baseline - 2.0 / 38.0).abs() < 1e-9), "{bars:?}");
    }

    proptest! {
        #[test]
        fn the_bars_share_the_whole_of_psi(
            baseline in prop::collection::vec(0_u64..500, 12), now in prop::collection::vec(0_u64..500, 12),
        ) {
            prop_assume!(baseline.iter().sum::<u64>() > 0 && now.iter().sum::<u64>() > 0);
            let edges: Vec<f64> = (0..11).map(f64::from).collect();
            let (grid, baseline, now) = (grid(&edges), counts(&baseline), counts(&now));
            let pair = Pair { baseline: &baseline, now: &now };
            let whole: f64 = contributions(&grid, pair).iter().map(|part| part.psi).sum();
            let by_bars: f64 = bars(&grid, pair).bars.iter().map(|bar| bar.psi).sum();
            prop_assert!((whole - by_bars).abs() < 1e-9 * (1.0 + whole), "{} {}", whole, by_bars);
        }

        #[test]
        fn bars_lose_no_event(
            baseline in prop::collection::vec(0_u64..500, 12),
            now in prop::collection::vec(0_u64..500, 12),
            start in -1e3..1e3_f64,
            width in 1e-3..1e3_f64,
        ) {
            prop_assume!(baseline.iter().sum::<u64>() > 0 && now.iter().sum::<u64>() > 0);
            let edges: Vec<f64> = (0..11).map(|k| start + width * f64::from(k)).collect();
            let (baseline, now) = (counts(&baseline), counts(&now));
            let bars = bars(&grid(&edges), Pair { baseline: &baseline, now: &now });
            let sums = bars.bars.iter().fold((0.0, 0.0), |sum, bar| (sum.0 + bar.baseline, sum.1 + bar.now));
            prop_assert!((sums.0 - 1.0).abs() < 1e-9 && (sums.1 - 1.0).abs() < 1e-9, "{:?}", sums);
        }

        #[test]
        fn segments_share_the_whole_shift(
            counted in prop::collection::vec((prop::collection::vec(0_u64..200, 5), prop::collection::vec(0_u64..200, 5)), 2..6)
        ) {
            let segments: Vec<SegmentCounts> = counted.iter().enumerate().map(|(index, (baseline, now))| SegmentCounts {
                segment: format!("origin={index}"),
                baseline: counts(baseline),
                now: counts(now),
            }).collect();
            let parts = segment_parts(&segments);
            let total: f64 = parts.iter().map(|part| part.shift).sum();
            prop_assert!(parts.is_empty() || total.abs() < 1e-9 || (total - 1.0).abs() < 1e-6, "{}", total);
        }

        #[test]
        fn psi_is_never_negative_and_its_parts_cover_every_value(
            baseline in prop::collection::vec(0_u64..500, 30), now in prop::collection::vec(0_u64..500, 30)
        ) {
            let edges: Vec<f64> = (0..29).map(f64::from).collect();
            let (baseline, now) = (counts(&baseline), counts(&now));
            let parts = contributions(&grid(&edges), Pair { baseline: &baseline, now: &now });
            prop_assert!(parts.iter().all(|part| part.psi >= 0.0 && part.psi.is_finite()));
            let shares: f64 = parts.iter().map(|part| part.now).sum();
            prop_assert!(parts.is_empty() || (shares - 1.0).abs() < 1e-9);
        }
    }
}
