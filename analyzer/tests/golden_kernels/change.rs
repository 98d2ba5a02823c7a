//! change_detection.json: ruptures, and our own control charts in plain numpy.

use analyzer::stats::change_point::{binary_segmentation, one_change, optimal_partition, penalty};
use analyzer::stats::control::{Cusum, Ewma, Standard, Way};
use serde_json::{Value, json};

use crate::agree::{agrees, float, named};
use crate::reference::{cases, floats, golden};

/// Detectors of single events, which Leeway does not look at one by one: docs/statistics/change-points.md.
const NOT_BUILT: &[&str] = &[
    "ph_default",
    "ph_t20_up",
    "ph_t20_both",
    "adwin_default",
    "adwin_1e-4",
    "adwin_clock1",
    "ddm",
    "hddm_a",
];

#[test]
fn changes_agree_with_ruptures_and_our_charts_in_numpy() {
    for case in cases(&golden("change_detection.json")) {
        let id = case["id"].as_str().expect("a name");
        let values = floats(&case["x"]);
        for (test, expected) in named(&case["expected"]) {
            if NOT_BUILT.contains(&test) || expected.get("error").is_some() {
                continue;
            }
            match test {
                "pelt_l2" => breakpoints(id, &values, expected, optimal_partition),
                "binseg_l2" => breakpoints(id, &values, expected, binary_segmentation),
                "binseg_l2_n1" => {
                    let found = one_change(&values, 10).map(|change| change.at);
                    let places: Vec<usize> = found.into_iter().chain([values.len()]).collect();
                    assert_eq!(&json!(places), expected, "{id}");
                }
                "cusum_k05_h5" => cusum(id, &values, expected),
                "ewma_02_3" => ewma(id, &values, expected),
                unknown => panic!("{id}: nothing is known of {unknown}"),
            }
        }
    }
}

fn breakpoints(id: &str, values: &[f64], expected: &Value, find: impl Fn(&[f64], f64, usize) -> Vec<usize>) {
    let at = float(&expected["penalty"]);
    // Where the steps' median is 0 (a stream of noughts and ones), the reference takes the spread itself.
    if penalty(values, 0.0) > 0.0 {
        agrees(&format!("{id} penalty"), penalty(values, 0.0), &expected["penalty"], 1e-10);
    }
    let mut places = find(values, at, 10);
    places.push(values.len());
    assert_eq!(json!(places), expected["breakpoints"], "{id}");
}

fn standard(values: &[f64]) -> Standard {
    Standard::of(&values[..values.len().min(200)]).expect("values that differ")
}

fn cusum(id: &str, values: &[f64], expected: &Value) {
    let standard = standard(values);
    agrees(&format!("{id} mean"), standard.mean, &expected["mu"], 1e-10);
    agrees(&format!("{id} sd"), standard.sd, &expected["sd"], 1e-10);
    let mut chart = Cusum::new(0.5, 5.0);
    let alarms: Vec<Value> = values
        .iter()
        .enumerate()
        .filter_map(|(at, value)| {
            let way = chart.next(standard.z(*value))?;
            Some(json!([at, if way == Way::Up { "up" } else { "down" }]))
        })
        .collect();
    assert_eq!(json!(alarms), expected["alarms"], "{id}");
}

fn ewma(id: &str, values: &[f64], expected: &Value) {
    let standard = standard(values);
    let mut chart = Ewma::new(0.2, 3.0);
    let beyond: Vec<usize> = (0..values.len()).filter(|at| chart.next(standard.z(values[*at]))).collect();
    assert_eq!(json!(beyond.len()), expected["count_beyond"], "{id}");
    assert_eq!(json!(beyond[..beyond.len().min(20)]), expected["first_20_beyond"], "{id}");
}
