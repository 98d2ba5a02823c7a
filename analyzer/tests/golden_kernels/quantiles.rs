//! quantiles_bins.json: numpy's conventions of quantiles, and the bins that peers make.

use analyzer::stats::quantile::{Convention, Rule, equal_width_edges, of};
use serde_json::{Value, json};

use crate::agree::{agrees, all_agree, named};
use crate::reference::{cases, floats, golden};

#[test]
fn quantiles_and_edges_agree_with_numpy() {
    let (file, inputs) = (golden("quantiles_bins.json"), golden("inputs.json"));
    let values = |name: &str| -> Option<Vec<f64>> {
        let values = inputs["numeric"].get(name)?;
        Some(floats(values).into_iter().filter(|value| value.is_finite()).collect())
    };
    let mut looked_at = 0;
    for case in cases(&file) {
        let (id, input) = (case["id"].as_str().expect("a name"), case["input"].as_str().expect("an input"));
        // The inputs kept beside are fewer than the cases.
        let (one, pair) =
            (values(input), values(&format!("{input}/ref")).zip(values(&format!("{input}/cur"))));
        for (name, expected) in named(&case["expected"]) {
            let what = format!("{id} {name}");
            match (&one, &pair) {
                (Some(values), _) => quantiles(&what, name, values, &case["params"]["q"], expected),
                (None, Some((reference, current))) => bins(&what, name, reference, current, expected),
                (None, None) => continue,
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 10, "{looked_at} values were looked at");
}

fn quantiles(what: &str, name: &str, values: &[f64], shares: &Value, expected: &Value) {
    let convention = convention(name).unwrap_or_else(|| panic!("nothing is known of {what}"));
    let got: Vec<f64> = floats(shares).iter().filter_map(|share| of(values, *share, convention)).collect();
    all_agree(what, &got, expected, 1e-12);
}

fn bins(what: &str, name: &str, reference: &[f64], current: &[f64], expected: &Value) {
    let made = match name {
        "sturges_combined" => equal_width_edges(&[reference, current].concat(), Rule::Sturges),
        "doane_ref" => equal_width_edges(reference, Rule::Doane),
        "fd_ref" => equal_width_edges(reference, Rule::FreedmanDiaconis),
        _ => panic!("nothing is known of {what}"),
    };
    edges(what, &made, expected);
}

fn convention(name: &str) -> Option<Convention> {
    Some(match name {
        "linear" => Convention::Linear,
        "inverted_cdf" => Convention::Observed,
        "median_unbiased" => Convention::MedianUnbiased,
        "higher" => Convention::Higher,
        "lower" => Convention::Lower,
        _ => return None,
    })
}

/// A list of edges, or their number (of bins) with the first and the last.
fn edges(what: &str, got: &[f64], expected: &Value) {
    if expected.is_array() {
        return all_agree(what, got, expected, 1e-12);
    }
    let bins = got.len() - 1;
    assert!(expected["n"] == json!(bins) || expected["n"] == json!(bins + 1), "{what}: {bins} bins");
    agrees(what, got[0], &expected["first"], 1e-12);
    agrees(what, got[bins], &expected["last"], 1e-12);
}
