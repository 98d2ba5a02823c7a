//! Which dimension explains a moved total, and which of its elements: Adtributor (Bhagwan and others, NSDI 2014).
//!
//! One dimension at a time: combinations are for a search on top of it. Where the total has not moved nothing is
//! explained.

use std::cmp::Ordering;

/// When an element is taken, and when enough is explained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// An element explains more than this share of the change, else it is passed over (the paper's T_EEP).
    pub element: f64,
    /// Elements are taken until they explain more than this share together (the paper's T_EP).
    pub candidate: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { element: 0.1, candidate: 0.67 }
    }
}

/// A count or a sum of one element, forecast and actual.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amount {
    pub forecast: f64,
    pub actual: f64,
}

/// A ratio of two sums, such as errors over requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub numerator: Amount,
    pub denominator: Amount,
}

/// A dimension with its elements, as given.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension<T> {
    pub name: String,
    pub elements: Vec<(String, T)>,
}

/// What one element has to do with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    pub name: String,
    /// Its share of the change: `EP = (Aₑ − Fₑ)/(A − F)`. May be negative or more than one; all add up to one.
    pub explanatory_power: f64,
    /// How much its part of the total changed, in nats: `½(p·ln(2p/(p+q)) + q·ln(2q/(p+q)))`, p = Fₑ/F, q = Aₑ/A.
    pub surprise: f64,
}

/// A dimension's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    pub dimension: String,
    /// The most surprising first.
    pub elements: Vec<Element>,
    /// Places in `elements` of those that are named as the cause.
    pub candidate: Vec<usize>,
    /// What the candidate explains, as a share of the change.
    pub explains: f64,
    pub surprise: f64,
    /// Whether the candidate explains enough.
    pub is_accepted: bool,
}

/// Ranks dimensions of counts or sums: the accepted first, the more surprising first among them.
///
/// `EP = (Aₑ − Fₑ)/(A − F)` (the paper's eq. 3) and S the Jensen–Shannon part of the element (eq. 5). Empty where a
/// dimension's total did not change, is not positive on a side, or is not finite.
///
/// ```
/// use analyzer::stats::adtributor::{Amount, Dimension, Thresholds, of_amounts};
/// let element = |name: &str, forecast, actual| (name.to_owned(), Amount { forecast, actual });
/// let device = Dimension {
///     name: "device".to_owned(),
///     elements: vec![element("PC", 50.0, 49.0), element("Mobile", 25.0, 1.0), element("Tablet", 25.0, 0.0)],
/// };
/// let found = &of_amounts(&[device], Thresholds::default())[0];
/// let named: Vec<&str> = found.candidate.iter().map(|place| found.elements[*place].name.as_str()).collect();
/// assert_eq!(named, ["Tablet", "Mobile"]);
/// assert!((found.explains - 0.98).abs() < 1e-12);
/// ```
pub fn of_amounts(dimensions: &[Dimension<Amount>], thresholds: Thresholds) -> Vec<Explained> {
    let all = dimensions.iter().filter_map(|dimension| {
        let total = sum(dimension.elements.iter().map(|(_, amount)| *amount))?;
        let change = total.actual - total.forecast;
        if change == 0.0 {
            return None;
        }
        let elements = dimension.elements.iter().map(|(name, amount)| Element {
            name: name.clone(),
            explanatory_power: (amount.actual - amount.forecast) / change,
            surprise: surprise(*amount, total),
        });
        Some(explained(&dimension.name, elements.collect(), thresholds))
    });
    ranked(all.collect())
}

/// Ranks dimensions of a ratio `N/D`: `EPₑ = (ΔNₑ·D − ΔDₑ·N)/(D·(D + ΔDₑ))`, made to add up to one (the paper's eq. 8,
/// the partial derivatives in finite differences); the surprise is that of numerator and denominator together.
///
/// Empty where the parts add up to nothing, or a total is not positive or not finite.
pub fn of_ratios(dimensions: &[Dimension<Ratio>], thresholds: Thresholds) -> Vec<Explained> {
    let all = dimensions.iter().filter_map(|dimension| {
        let numerator = sum(dimension.elements.iter().map(|(_, ratio)| ratio.numerator))?;
        let denominator = sum(dimension.elements.iter().map(|(_, ratio)| ratio.denominator))?;
        let (n, d) = (numerator.forecast, denominator.forecast);
        let parts: Vec<f64> = dimension
            .elements
            .iter()
            .map(|(_, ratio)| {
                let dn = ratio.numerator.actual - ratio.numerator.forecast;
                let dd = ratio.denominator.actual - ratio.denominator.forecast;
                (dn * d - dd * n) / (d * (d + dd))
            })
            .collect();
        let whole: f64 = parts.iter().sum();
        if whole == 0.0 || !whole.is_finite() {
            return None;
        }
        let elements = dimension.elements.iter().zip(parts).map(|((name, ratio), part)| Element {
            name: name.clone(),
            explanatory_power: part / whole,
            surprise: surprise(ratio.numerator, numerator) + surprise(ratio.denominator, denominator),
        });
        Some(explained(&dimension.name, elements.collect(), thresholds))
    });
    ranked(all.collect())
}

/// `None` unless both sides are positive and finite.
fn sum(amounts: impl Iterator<Item = Amount>) -> Option<Amount> {
    let total = amounts.fold(Amount::default(), |sum, one| Amount {
        forecast: sum.forecast + one.forecast,
        actual: sum.actual + one.actual,
    });
    let is_positive = |side: f64| side > 0.0 && side.is_finite();
    (is_positive(total.forecast) && is_positive(total.actual)).then_some(total)
}

fn surprise(amount: Amount, total: Amount) -> f64 {
    let (p, q) = (amount.forecast / total.forecast, amount.actual / total.actual);
    let part = |one: f64| if one > 0.0 { one * (2.0 * one / (p + q)).ln() } else { 0.0 };
    0.5 * (part(p) + part(q))
}

fn explained(dimension: &str, mut elements: Vec<Element>, thresholds: Thresholds) -> Explained {
    elements.sort_by(|one, other| other.surprise.total_cmp(&one.surprise));
    let (mut candidate, mut explains, mut surprise) = (Vec::new(), 0.0, 0.0);
    for (place, element) in elements.iter().enumerate() {
        if element.explanatory_power <= thresholds.element {
            continue;
        }
        candidate.push(place);
        explains += element.explanatory_power;
        surprise += element.surprise;
        if explains > thresholds.candidate {
            break;
        }
    }
    let is_accepted = explains > thresholds.candidate;
    Explained { dimension: dimension.to_owned(), elements, candidate, explains, surprise, is_accepted }
}

fn ranked(mut dimensions: Vec<Explained>) -> Vec<Explained> {
    let order = |one: &Explained, other: &Explained| match other.is_accepted.cmp(&one.is_accepted) {
        Ordering::Equal => other.surprise.total_cmp(&one.surprise),
        unlike => unlike,
    };
    dimensions.sort_by(order);
    dimensions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dimension<T>(name: &str, elements: Vec<(&str, T)>) -> Dimension<T> {
        let elements = elements.into_iter().map(|(name, amount)| (name.to_owned(), amount)).collect();
        Dimension { name: name.to_owned(), elements }
    }

    #[test]
    fn a_total_that_did_not_move_explains_nothing() {
        let amount = |forecast, actual| Amount { forecast, actual };
        let still = dimension("region", vec![("eu", amount(5.0, 6.0)), ("us", amount(6.0, 5.0))]);
        assert_eq!(of_amounts(&[still], Thresholds::default()), Vec::new());
        let empty = dimension("region", vec![("eu", amount(0.0, 6.0))]);
        assert_eq!(of_amounts(&[empty], Thresholds::default()), Vec::new());
    }

    #[test]
    fn the_element_whose_ratio_rose_explains_a_ratio() {
        let ratio = |errors: [f64; 2], requests: [f64; 2]| Ratio {
            numerator: Amount { forecast: errors[0], actual: errors[1] },
            denominator: Amount { forecast: requests[0], actual: requests[1] },
        };
        let region = dimension(
            "region",
            vec![
                ("eu", ratio([10.0, 10.0], [1_000.0, 1_000.0])),
                ("us", ratio([10.0, 60.0], [1_000.0, 1_000.0])),
            ],
        );
        let found = of_ratios(&[region], Thresholds::default());
        assert_eq!(found[0].elements[found[0].candidate[0]].name, "us");
        assert!((found[0].explains - 1.0).abs() < 1e-12 && found[0].is_accepted);
    }
}
