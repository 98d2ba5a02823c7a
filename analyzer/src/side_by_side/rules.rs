//! What a release may be refused for: `psi>0.2`, `drift`, `missing_share>0.05`.
//!
//! A rule is a word for what was found (`drift`, `missing` …), or a number of a signal, a comparison and a limit. It
//! holds against every signal; one that it catches is enough. A number that does not apply to a signal catches nothing.

use std::fmt;
use std::str::FromStr;

use crate::side_by_side::judged::{Found, Judged, Verdict};

/// A number of a signal that a rule can name.
struct Known {
    name: &'static str,
    of: fn(&Judged) -> Option<f64>,
}

const fn known(name: &'static str, of: fn(&Judged) -> Option<f64>) -> Known {
    Known { name, of }
}

fn share(part: u64, rows: u64) -> Option<f64> {
    (rows > 0).then(|| part as f64 / rows as f64)
}

const NUMBERS: &[Known] = &[
    known("psi", |judged| judged.measured.statistics.psi),
    known("jensen_shannon_distance", |judged| judged.measured.statistics.jensen_shannon_distance),
    known("hellinger", |judged| judged.measured.statistics.hellinger),
    known("total_variation", |judged| judged.measured.statistics.total_variation),
    known("ks", |judged| judged.measured.statistics.ks),
    known("ks_p", |judged| judged.measured.statistics.ks_p),
    known("wasserstein", |judged| judged.measured.statistics.wasserstein),
    known("wasserstein_sd", |judged| judged.measured.statistics.wasserstein_sd),
    known("cramer_von_mises", |judged| judged.measured.statistics.cramer_von_mises),
    known("chi2", |judged| judged.measured.statistics.chi2),
    known("chi2_p", |judged| judged.measured.statistics.chi2_p),
    known("cramers_v", |judged| judged.measured.statistics.cramers_v),
    known("unseen_share", |judged| judged.measured.statistics.unseen_share),
    known("shift_sd", |judged| judged.measured.shift_sd()),
    known("missing_share", |judged| share(judged.measured.current.missing, judged.measured.current.rows())),
    known("invalid_share", |judged| share(judged.measured.current.invalid, judged.measured.current.rows())),
    known("n_baseline", |judged| Some(judged.measured.baseline.n as f64)),
    known("n_current", |judged| Some(judged.measured.current.n as f64)),
];

/// Any verdict against a signal.
const OFF_COURSE: &str = "off_course";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// Longer signs first, so that `>=` is not taken for `>`.
const COMPARISONS: [(&str, Comparison); 4] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

#[derive(Clone, Copy)]
enum Condition {
    Found(Found),
    OffCourse,
    Number { of: fn(&Judged) -> Option<f64>, comparison: Comparison, limit: f64 },
}

#[derive(Clone)]
pub struct Rule {
    text: String,
    condition: Condition,
}

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Rule({})", self.text)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("\"{name}\" in the rule \"{rule}\" does not exist (known statistics: {numbers}; known words: {words})",
        numbers = numbers(), words = words())]
    Unknown { rule: String, name: String },
    #[error("the limit \"{limit}\" in the rule \"{rule}\" is no number")]
    Limit { rule: String, limit: String },
    #[error("the rule \"{rule}\" needs a limit, such as {rule}>0.2")]
    NoLimit { rule: String },
}

fn numbers() -> String {
    NUMBERS.iter().map(|known| known.name).collect::<Vec<_>>().join(", ")
}

fn words() -> String {
    let found = Found::ALL.iter().map(|found| found.name());
    found.chain([OFF_COURSE]).collect::<Vec<_>>().join(", ")
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let text = text.trim();
        let rule = || text.to_owned();
        let number = |name: &str| NUMBERS.iter().find(|known| known.name == name).map(|known| known.of);
        let parts = COMPARISONS.iter().find_map(|(sign, comparison)| {
            text.split_once(sign).map(|(name, limit)| (name.trim(), *comparison, limit.trim()))
        });
        let condition = match parts {
            Some((name, comparison, limit)) => {
                let of =
                    number(name).ok_or_else(|| RuleError::Unknown { rule: rule(), name: name.to_owned() })?;
                let value = limit.parse::<f64>().ok().filter(|limit| limit.is_finite());
                let limit =
                    value.ok_or_else(|| RuleError::Limit { rule: rule(), limit: limit.to_owned() })?;
                Condition::Number { of, comparison, limit }
            }
            None if text == OFF_COURSE => Condition::OffCourse,
            None if number(text).is_some() => return Err(RuleError::NoLimit { rule: rule() }),
            None => match Found::ALL.iter().find(|found| found.name() == text) {
                Some(found) => Condition::Found(*found),
                None => return Err(RuleError::Unknown { rule: rule(), name: rule() }),
            },
        };
        Ok(Self { text: rule(), condition })
    }
}

impl Rule {
    /// Whether it catches this signal.
    pub fn catches(&self, judged: &Judged) -> bool {
        match self.condition {
            Condition::Found(found) => judged.found.contains(&found),
            Condition::OffCourse => judged.verdict == Verdict::OffCourse,
            Condition::Number { of, comparison, limit } => of(judged).is_some_and(|value| match comparison {
                Comparison::Above => value > limit,
                Comparison::AtLeast => value >= limit,
                Comparison::Below => value < limit,
                Comparison::AtMost => value <= limit,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side_by_side::judged::judge;
    use crate::side_by_side::measured::Measured;
    use crate::side_by_side::{Kind, Signal, Tally};
    use crate::stats::multiple::Adjustment;
    use crate::stats::sample;

    fn judged() -> Judged {
        let baseline: Vec<f64> = (0..500).map(|n| f64::from(n % 50)).collect();
        let current: Vec<f64> = baseline.iter().map(|value| value + 20.0).collect();
        let before = Tally { n: 500, ..Tally::default() };
        let now = Tally { n: 500, missing: 100, invalid: 0 };
        let signal =
            Signal { pair: sample::pair(&baseline, &current), ..Signal::new("x", Kind::Number, before, now) };
        judge(vec![Measured::of(signal)], Adjustment::default(), 0.05).remove(0)
    }

    #[test]
    fn rules_catch_what_they_name() {
        let judged = judged();
        let caught = |rule: &str| rule.parse::<Rule>().expect("a rule").catches(&judged);
        for rule in ["drift", "missing", "off_course", "psi > 0.2", "missing_share>=0.16", "n_current<=500"] {
            assert!(caught(rule), "{rule}");
        }
        for rule in ["invalid", "absent", "psi>1e9", "chi2>0", "ks_p > 0.01", "missing_share>0.2"] {
            assert!(!caught(rule), "{rule}");
        }
    }

    #[test]
    fn a_rule_that_is_wrong_is_named_with_what_is_known() {
        let error = |rule: &str| rule.parse::<Rule>().expect_err("wrong").to_string();
        let unknown = error("psy>0.2");
        assert!(unknown.contains("\"psy\"") && unknown.contains("psi, jensen_shannon_distance"), "{unknown}");
        assert!(error("drifting").contains("known words: absent"), "{}", error("drifting"));
        assert!(error("psi>much").contains("\"much\""), "{}", error("psi>much"));
        assert!(error("psi").contains("psi>0.2"), "{}", error("psi"));
    }
}
