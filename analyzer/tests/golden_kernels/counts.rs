//! proportions_counts.json: statsmodels and scipy.

use analyzer::stats::counts::{Clumped, Rate, RateTest};
use analyzer::stats::normal;
use analyzer::stats::proportion::{Between, Share, clopper_pearson, fisher_p, newcombe, score_z, wilson, z};
use serde_json::Value;

use crate::agree::{agrees, all_agree, float, named};
use crate::reference::{cases, golden};

const Z95: f64 = 1.959_963_984_540_054;

#[test]
fn shares_rates_and_counts_agree_with_statsmodels_and_scipy() {
    for case in cases(&golden("proportions_counts.json")) {
        let id = case["id"].as_str().expect("a name");
        let params = &case["params"];
        for (test, expected) in named(&case["expected"]) {
            if expected.get("error").is_some() {
                continue;
            }
            let what = format!("{id} {test}");
            if params.get("x1").is_some() {
                shares(&what, test, params, expected);
            } else if params.get("c1").is_some() {
                rates(&what, test, params, expected);
            } else {
                count(&what, test, params, expected);
            }
        }
    }
}

fn shares(what: &str, test: &str, params: &Value, expected: &Value) {
    let whole = |name: &str| params[name].as_u64().expect("a count");
    let share = |hits: &str, n: &str| Share::of(whole(hits), whole(n)).expect("events");
    let (one, other) = (share("x1", "n1"), share("x2", "n2"));
    let interval = |between: Between| all_agree(what, &[between.low, between.high], expected, 1e-9);
    let tested = |z: Option<f64>| {
        agrees(what, z, &expected["z"], 1e-9);
        agrees(what, z.map(|z| (2.0 * normal::sf(z.abs())).min(1.0)), &expected["p"], 1e-9);
    };
    match test {
        "z_pooled" => tested(z(one, other)),
        "score_test" => tested(score_z(one, other)),
        "wilson95_1" => interval(wilson(one, Z95)),
        "wilson95_2" => interval(wilson(other, Z95)),
        "clopper95_1" => interval(clopper_pearson(one, 0.95)),
        "clopper95_2" => interval(clopper_pearson(other, 0.95)),
        "newcombe_diff95" => interval(newcombe(one, other, Z95)),
        "fisher_p" => agrees(what, fisher_p(one, other), expected, 1e-9),
        _ => panic!("nothing is known of {what}"),
    }
}

fn rates(what: &str, test: &str, params: &Value, expected: &Value) {
    let rate = |events: &str, exposure: &str| Rate {
        events: params[events].as_u64().expect("a count"),
        exposure: float(&params[exposure]),
    };
    let found = RateTest::of(rate("c1", "t1"), rate("c2", "t2"));
    match test {
        "score" => {
            agrees(what, found.z, &expected["statistic"], 1e-9);
            agrees(what, found.p, &expected["pvalue"], 1e-9);
        }
        "exact-cond" => agrees(what, found.exact_p, &expected["pvalue"], 1e-9),
        "cond-midp" => agrees(what, found.mid_p, &expected["pvalue"], 1e-9),
        _ => panic!("nothing is known of {what}"),
    }
}

fn count(what: &str, test: &str, params: &Value, expected: &Value) {
    let (mean, size) = (float(&params["mu"]), float(&params["k_size"]));
    let law = Clumped::new(mean, size).expect("a mean");
    agrees(what, law.variance(), &params["variance"], 1e-9);
    let quantiles = |law: Clumped| [0.001, 0.01, 0.5, 0.99, 0.999].map(|share| law.quantile(share) as f64);
    match test {
        "quantiles_.001_.01_.5_.99_.999" => all_agree(what, &quantiles(law), expected, 0.0),
        "poisson_quantiles" => {
            all_agree(what, &quantiles(Clumped::even(mean).expect("a mean")), expected, 0.0);
        }
        "cdf_at_half_mu" => agrees(what, law.cdf((mean / 2.0) as u64), expected, 1e-9),
        // As many as twice the mean, or more.
        "sf_at_twice_mu" => {
            let below = (2.0 * mean - 1.0).floor();
            agrees(what, if below < 0.0 { 1.0 } else { law.sf(below as u64) }, expected, 1e-9);
        }
        _ => panic!("nothing is known of {what}"),
    }
}
