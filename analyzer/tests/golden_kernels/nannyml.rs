//! nannyml_performance.json: the formulas of estimated performance, and scikit-learn's isotonic regression.

use analyzer::stats::estimated_classes::{EstimatedClasses, Told};
use analyzer::stats::isotonic::{Rising, Weighted};
use analyzer::stats::ranking::Estimate;
use analyzer::stats::scores::{Scored, Scores};
use serde_json::Value;

use crate::agree::{agrees, all_agree, named};
use crate::reference::{cases, floats, golden, whole};

/// Runs over data that are not in the files: docs/statistics/performance.md.
const WITHOUT_DATA: &[&str] = &["car_loan_", "multiclass_cbpe_", "car_price_", "cards_"];

#[test]
fn estimates_agree_with_nannyml_and_curves_with_scikit_learn() {
    for case in cases(&golden("nannyml_performance.json")) {
        let id = case["id"].as_str().expect("a name");
        match () {
            () if case.get("calibrated").is_some() => estimate(id, case),
            () if case.get("query").is_some() => curve(id, case),
            () if WITHOUT_DATA.iter().any(|start| id.starts_with(start)) => {}
            () => panic!("nothing is known of {id}"),
        }
    }
}

fn estimate(id: &str, case: &Value) {
    let (score, chance) = (floats(&case["score"]), floats(&case["calibrated"]));
    let predicted = whole(&case["y_pred"]);
    let expected_rows = |place: &[f64]| {
        let rows = place.iter().zip(&chance);
        Scores::of(rows.map(|(score, chance)| Scored {
            score: *score,
            negatives: 1.0 - chance,
            positives: *chance,
        }))
        .expect("rows")
    };
    // Here the predicted class need not follow from the score.
    let decided: Vec<f64> = predicted.iter().map(|class| *class as f64).collect();
    let counts = expected_rows(&decided).confusion(0.5);
    let value = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.value);
    for (name, expected) in named(&case["expected"]) {
        let what = format!("{id} {name}");
        match name {
            // The peer rounds its cumulative sums to five places.
            "roc_auc" => agrees(&what, value(expected_rows(&score).auc()), expected, 1e-7),
            "f1" => agrees(&what, value(counts.f1()), expected, 1e-10),
            "precision" => agrees(&what, value(counts.precision()), expected, 1e-10),
            "recall" => agrees(&what, value(counts.recall()), expected, 1e-10),
            "specificity" => agrees(&what, value(counts.specificity()), expected, 1e-10),
            "accuracy" => agrees(&what, value(counts.accuracy()), expected, 1e-10),
            _ => panic!("nothing is known of {what}"),
        }
    }
}

fn curve(id: &str, case: &Value) {
    let points = floats(&case["x"]).into_iter().zip(floats(&case["y"]));
    let curve = Rising::of(points.map(|(at, value)| Weighted { at, value, weight: 1.0 })).expect("points");
    let predicted: Vec<f64> = floats(&case["query"]).iter().map(|at| curve.at(*at)).collect();
    let [places, values] =
        [0, 1].map(|of| curve.points().iter().map(|point| point[of]).collect::<Vec<f64>>());
    all_agree(&format!("{id} predict"), &predicted, &case["expected"]["predict"], 1e-10);
    all_agree(&format!("{id} places"), &places, &case["expected"]["x_thresholds"], 1e-10);
    all_agree(&format!("{id} values"), &values, &case["expected"]["y_thresholds"], 1e-10);
}

/// Of 200 rows of the peer's own data, with the chances that its calibration made of them.
#[test]
fn estimates_of_several_classes_agree_with_nannyml() {
    let case: Value = serde_json::from_str(include_str!("multiclass.json")).expect("a case");
    let rows =
        |key: &str| -> Vec<Vec<f64>> { case[key].as_array().expect("rows").iter().map(floats).collect() };
    let told: Vec<Told> = rows("told")
        .into_iter()
        .zip(whole(&case["predicted"]))
        .map(|(chances, predicted)| Told { predicted: predicted as usize, chances })
        .collect();
    let expected = told.iter().zip(rows("calibrated"));
    let estimated = EstimatedClasses::of_chances(expected, 3, f64::INFINITY).expect("rows");
    let value = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.value);
    agrees("accuracy", estimated.accuracy().value, &case["expected"]["accuracy"], 1e-10);
    agrees("f1", value(estimated.f1_macro()), &case["expected"]["f1"], 1e-10);
    // The peer rounds its cumulative sums to five places, once for each class.
    agrees("roc_auc", value(estimated.auc()), &case["expected"]["roc_auc"], 1e-5);
}
