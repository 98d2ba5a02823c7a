//! trend.json: pymannkendall, scipy, and a second implementation of our AR(1) correction.

use analyzer::stats::least_squares::Fit;
use analyzer::stats::mann_kendall::{Ar1, Kendall, pre_whitened, seasonal_slope, seasons};
use analyzer::stats::series::{Series, median};
use analyzer::stats::theil_sen::Line;
use serde_json::Value;

use crate::agree::{agrees, named};
use crate::reference::{cases, floats, golden};

/// See docs/statistics/trend.md for the reasons.
const NOT_BUILT: &[&str] =
    &["hamed_rao", "hamed_rao_lag3", "yue_wang", "tfpw", "siegelslopes", "correlated_seasonal"];

#[test]
fn trends_agree_with_pymannkendall_scipy_and_our_definition_in_numpy() {
    let (file, inputs) = (golden("trend.json"), golden("inputs.json"));
    for case in cases(&file) {
        let id = case["id"].as_str().expect("a name");
        let values = floats(&inputs["series"][case["series"].as_str().expect("a series")]);
        let period = case["period"].as_u64().map_or(1, |period| period as usize);
        for (test, expected) in named(&case["expected"]) {
            if !NOT_BUILT.contains(&test) && expected.get("error").is_none() {
                check(id, test, expected, &Series::of_values(&values), period);
            }
        }
    }
}

fn check(id: &str, test: &str, expected: &Value, series: &Series, period: usize) {
    let line = Line::of(series, 0.95);
    let slope = line.map(|line| line.slope);
    match test {
        "original" => {
            kendall(id, &Kendall::of(series), expected);
            agrees(&format!("{id} slope"), slope, &expected["slope"], 1e-10);
            agrees(
                &format!("{id} intercept"),
                line.map(|line| line.intercept),
                &expected["intercept"],
                1e-10,
            );
        }
        "pre_whitening" => {
            // The peer's series is all NaN where nothing varies, whose ties it does not count.
            if series.neighbour_correlation().is_some() {
                // Its order is that of the values that are there; the peer drops what is missing first.
                let dense = Series::of_values(&series.values().collect::<Vec<f64>>());
                kendall(id, &Kendall::of(&pre_whitened(&dense)), expected);
            }
        }
        "seasonal" => {
            kendall(id, &Kendall::of_seasons(&seasons(series, period)), expected);
            seasonal(id, series, period, expected);
        }
        "seasonal_sens_slope" => seasonal(id, series, period, expected),
        "sens_slope" | "theilslopes_95" => {
            let line = line.expect("two points");
            agrees(&format!("{id} slope"), line.slope, &expected["slope"], 1e-10);
            agrees(&format!("{id} intercept"), line.intercept, &expected["intercept"], 1e-10);
            if test == "theilslopes_95" {
                agrees(&format!("{id} low"), line.interval.low, &expected["low"], 1e-10);
                agrees(&format!("{id} high"), line.interval.high, &expected["high"], 1e-10);
            }
        }
        "kendall_tau_b" => {
            let (s, n) = (Kendall::of(series), series.len() as f64);
            let mut values: Vec<f64> = series.values().collect();
            values.sort_by(f64::total_cmp);
            let ties: f64 = values
                .chunk_by(|one, other| one == other)
                .map(|ties| (ties.len() * (ties.len() - 1)) as f64 / 2.0)
                .sum();
            // τ-b is S over the root of both sides' pairs without ties; times never tie. Its p-values are of another
            // continuity convention than Mann and Kendall's and are not built.
            let pairs = n * (n - 1.0) / 2.0;
            let tau = (pairs > ties).then(|| s.s / (pairs * (pairs - ties)).sqrt());
            agrees(&format!("{id} tau-b"), tau, &expected["tau"], 1e-10);
        }
        "linregress" => {
            let fit = Fit::of(series).expect("two points");
            let what = |name: &str| format!("{id} least squares {name}");
            // A perfect or a constant line leaves only rounding, whose size the peer tells and whose p it makes 0.
            agrees(&what("slope"), fit.slope, &expected["slope"], 1e-10);
            agrees(&what("intercept"), fit.intercept, &expected["intercept"], 1e-10);
            if fit.error.is_some() && !id.starts_with("perfect") {
                agrees(&what("p"), fit.p(), &expected["p"], 1e-9);
                agrees(&what("error"), fit.error, &expected["stderr"], 1e-10);
            }
        }
        "own_ar1" => {
            let (plain, ar1) = (Kendall::of(series), Ar1::of(series));
            let corrected = ar1.corrected(plain);
            let both =
                |name: &str, got: f64| agrees(&format!("{id} own {name}"), got, &expected[name], 1e-10);
            assert_eq!(Some(plain.s), expected["S"].as_f64(), "{id}");
            both("var0", plain.variance);
            both("phi", ar1.phi);
            both("eta", ar1.factor);
            both("z", corrected.z());
            both("p", corrected.p());
            agrees(&format!("{id} own slope"), slope, &expected["slope"], 1e-10);
        }
        unknown => panic!("{id}: nothing is known of {unknown}"),
    }
}

fn kendall(id: &str, got: &Kendall, expected: &Value) {
    assert_eq!(Some(got.s), expected["s"].as_f64(), "{id}: S");
    agrees(&format!("{id} variance"), got.variance, &expected["var_s"], 0.0);
    agrees(&format!("{id} z"), got.z(), &expected["z"], 1e-10);
    // The peer takes p from one minus the other tail, which leaves nothing below 1e-16.
    let p = expected["p"].as_f64().expect("a p-value");
    assert!((got.p() - p).abs() <= 1e-10 * p + 1e-15, "{id}: p {} against {p}", got.p());
    agrees(&format!("{id} tau"), got.tau(), &expected["Tau"], 1e-10);
    let is_trend = got.p() < 0.05;
    let trend = if !is_trend {
        "no trend"
    } else if got.s > 0.0 {
        "increasing"
    } else {
        "decreasing"
    };
    assert_eq!((Some(trend), Some(is_trend)), (expected["trend"].as_str(), expected["h"].as_bool()), "{id}");
}

fn seasonal(id: &str, series: &Series, period: usize, expected: &Value) {
    let slope = seasonal_slope(series, period);
    agrees(&format!("{id} seasonal slope"), slope, &expected["slope"], 1e-10);
    let at = median(series.points().iter().map(|point| point.at).collect());
    let intercept = median(series.values().collect())
        .zip(at)
        .map(|(value, at)| value - at / period as f64 * slope.unwrap_or(f64::NAN));
    agrees(&format!("{id} seasonal intercept"), intercept, &expected["intercept"], 1e-10);
}
