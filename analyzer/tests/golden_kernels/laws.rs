//! special_functions.json: the laws against scipy, over grids.

use analyzer::stats::peaks_over_threshold::Pareto;
use analyzer::stats::{beta, chi_squared, kolmogorov, normal};
use serde_json::Value;
use statrs::function::gamma::ln_gamma;

use crate::agree::{agrees, float};
use crate::reference::{cases, golden};

#[test]
fn the_laws_agree_with_scipy() {
    for case in cases(&golden("special_functions.json")) {
        let id = case["id"].as_str().expect("a name");
        for row in case["expected"].as_array().expect("rows") {
            let row = row.as_array().expect("a row");
            let (expected, at) = row.split_last().expect("a value");
            law(id, &at.iter().map(float).collect::<Vec<f64>>(), expected);
        }
    }
}

fn law(id: &str, at: &[f64], expected: &Value) {
    let what = format!("{id} at {at:?}");
    let same = |got: f64| agrees(&what, got, expected, 1e-10);
    match (id, at) {
        ("normal_sf", [z]) => same(normal::sf(*z)),
        ("normal_ppf", [share]) => same(-normal::upper_quantile(*share)),
        ("chi2_sf", [x, df]) => same(chi_squared::sf(*x, *df)),
        ("chi2_ppf", [share, df]) => same(chi_squared::quantile(*share, *df)),
        ("t_sf", [t, df]) => same(beta::student_sf(*t, *df)),
        ("kolmogorov_sf", [x]) => same(kolmogorov::sf(*x)),
        ("kolmogorov_isf", [level]) => same(kolmogorov::upper_quantile(*level)),
        // The one-sample law, which no two-sample p-value here is taken from: docs/statistics/laws.md.
        ("kstwo_sf", _) => {}
        ("genpareto_sf", [x, shape, scale]) => same(Pareto { shape: *shape, scale: *scale }.sf(*x)),
        ("gammainc_lower_reg", [a, x]) => same(chi_squared::cdf(2.0 * x, 2.0 * a)),
        ("betainc_reg", [a, b, x]) => same(beta::regularised(*a, *b, *x)),
        ("lgamma", [x]) => same(ln_gamma(*x)),
        _ => panic!("nothing is known of {what}"),
    }
}
