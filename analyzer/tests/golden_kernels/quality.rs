//! model_quality.json: scikit-learn, fairlearn, and plain numpy where the file says so.

use std::collections::BTreeMap;

use analyzer::stats::classes::{Classified, EachClass, Pair, auc_one_against_one, auc_one_against_rest};
use analyzer::stats::confusion::Confusion;
use analyzer::stats::fairness::Gaps;
use analyzer::stats::ranking::Estimate;
use analyzer::stats::residuals::{Residuals, pinball};
use analyzer::stats::scores::Scores;
use analyzer::stats::{lists, series};
use serde_json::Value;

use crate::agree::{agrees, all_agree, named};
use crate::reference::{cases, floats, golden, whole};

#[test]
fn model_quality_agrees_with_scikit_learn_and_fairlearn() {
    for case in cases(&golden("model_quality.json")) {
        let id = case["id"].as_str().expect("a name");
        for (name, expected) in named(&case["expected"]) {
            let what = format!("{id} {name}");
            match () {
                () if id.starts_with("binary") => binary(&what, name, case, expected),
                () if id.starts_with("multiclass") => multiclass(&what, name, case, expected),
                () if id.starts_with("regression") => regression(&what, name, case, expected),
                () if id.starts_with("ranking") => ranking(&what, name, case, expected),
                () => panic!("nothing is known of {id}"),
            }
        }
    }
}

fn scores(case: &Value) -> Scores {
    let rows = floats(&case["score"]).into_iter().zip(whole(&case["y"]));
    Scores::of_rows(rows.map(|(score, y)| (score, y == 1))).expect("rows")
}

/// Other tools say 0 where a metric divides by nothing.
fn or_zero(estimate: Option<Estimate>) -> f64 {
    estimate.map_or(0.0, |estimate| estimate.value)
}

fn binary(what: &str, name: &str, case: &Value, expected: &Value) {
    let scores = scores(case);
    let counts = scores.confusion(0.5);
    let value = match name {
        "roc_auc" => or_zero(scores.auc()),
        "average_precision" => or_zero(scores.average_precision()),
        "brier" => scores.brier().value,
        "log_loss" => scores.log_loss().value,
        "accuracy" => or_zero(counts.accuracy()),
        "precision" => or_zero(counts.precision()),
        "recall" => or_zero(counts.recall()),
        "f1" => or_zero(counts.f1()),
        "mcc" => or_zero(counts.mcc()),
        "balanced_accuracy" => or_zero(counts.balanced_accuracy()),
        "kappa" => counts.kappa().unwrap_or(0.0),
        "ks_of_scores" => scores.separation().unwrap_or(0.0),
        "ece_equal_width_10" => scores.calibration(10).expected,
        "mce_equal_width_10" => scores.calibration(10).largest,
        "ece_equal_width_15" => scores.calibration(15).expected,
        "mce_equal_width_15" => scores.calibration(15).largest,
        "ece_equal_count_10_nannyml" => scores.calibration_by_count(10).expected,
        "fair" => return fair(what, case, expected),
        _ => panic!("nothing is known of {what}"),
    };
    agrees(what, value, expected, 1e-10);
}

fn fair(what: &str, case: &Value, expected: &Value) {
    let mut groups: BTreeMap<&str, Vec<(f64, bool)>> = BTreeMap::new();
    let names = case["group"].as_array().expect("groups");
    for ((name, score), y) in names.iter().zip(floats(&case["score"])).zip(whole(&case["y"])) {
        groups.entry(name.as_str().expect("a name")).or_default().push((score, y == 1));
    }
    let counts: BTreeMap<&str, Confusion> = groups
        .into_iter()
        .map(|(name, rows)| (name, Scores::of_rows(rows).expect("rows").confusion(0.5)))
        .collect();
    let gaps = Gaps::of(&counts.values().copied().collect::<Vec<_>>()).expect("groups");
    for (name, expected) in named(expected) {
        match name {
            "selection_rate" => {
                for (group, expected) in named(expected) {
                    agrees(what, or_zero(counts[group].selection_rate()), expected, 1e-10);
                }
            }
            "demographic_parity_difference" => agrees(what, gaps.selection, expected, 1e-10),
            "demographic_parity_ratio" => agrees(what, gaps.selection_ratio, expected, 1e-10),
            "equal_opportunity_difference" => agrees(what, gaps.opportunity, expected, 1e-10),
            "equalized_odds_difference" => agrees(what, gaps.odds, expected, 1e-10),
            _ => panic!("nothing is known of {what} {name}"),
        }
    }
}

fn multiclass(what: &str, name: &str, case: &Value, expected: &Value) {
    let truth = whole(&case["y"]);
    let chances: Vec<Vec<f64>> = case["proba"].as_array().expect("rows").iter().map(floats).collect();
    let classes = chances[0].len();
    let mut counts = vec![vec![0.0; classes]; classes];
    for (class, chances) in truth.iter().zip(&chances) {
        // The first of equals, as numpy's argmax.
        let predicted = (0..classes).rev().max_by(|one, other| chances[*one].total_cmp(&chances[*other]));
        counts[*class as usize][predicted.expect("a class")] += 1.0;
    }
    let table = Classified::new(counts.clone()).expect("rows");
    let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    let pairs = counts.iter().enumerate().flat_map(|(came, row)| {
        let names = &names;
        let pair =
            move |(told, rows): (usize, &f64)| Pair { told: &names[told], came: &names[came], rows: *rows };
        row.iter().enumerate().filter(|(_, rows)| **rows > 0.0).map(pair)
    });
    let each = EachClass::of(pairs).expect("rows");
    let value = match name {
        "accuracy" => table.accuracy().value,
        "f1_macro" => {
            agrees(what, or_zero(each.f1_macro()), expected, 1e-10);
            table.f1_macro()
        }
        "f1_weighted" => {
            agrees(what, or_zero(each.f1_weighted()), expected, 1e-10);
            table.f1_weighted()
        }
        "auc_ovr_macro" => {
            let against_rest = |class: usize| {
                let rows = chances.iter().zip(&truth);
                Scores::of_rows(rows.map(|(row, truth)| (row[class], *truth as usize == class)))
            };
            let each: Vec<Scores> = (0..classes).filter_map(against_rest).collect();
            auc_one_against_rest(&each).expect("every class").value
        }
        "auc_ovo_macro" => {
            let rows: Vec<(usize, Vec<f64>)> =
                truth.iter().map(|class| *class as usize).zip(chances).collect();
            auc_one_against_one(&rows).expect("every class")
        }
        "log_loss" => {
            let of = |(class, chances): (&u64, &Vec<f64>)| {
                let whole: f64 = chances.iter().sum();
                -(chances[*class as usize] / whole).clamp(f64::EPSILON, 1.0).ln()
            };
            lists::mean(truth.iter().zip(&chances).map(of)).expect("rows").value
        }
        "confusion" => {
            for (row, expected) in counts.iter().zip(expected.as_array().expect("rows")) {
                all_agree(what, row, expected, 0.0);
            }
            return;
        }
        _ => panic!("nothing is known of {what}"),
    };
    agrees(what, value, expected, 1e-10);
}

fn regression(what: &str, name: &str, case: &Value, expected: &Value) {
    let pairs: Vec<[f64; 2]> =
        floats(&case["pred"]).into_iter().zip(floats(&case["y"])).map(|(pred, y)| [pred, y]).collect();
    let sums = Residuals::of(pairs.iter().copied());
    let value = match name {
        "mae" => or_zero(sums.mae()),
        "rmse" => or_zero(sums.rmse()),
        "mape" => or_zero(sums.mape()),
        "r2" => sums.r2().expect("outcomes that vary").value,
        "me_pred_minus_true" => or_zero(sums.bias()),
        "medae" => series::median(pairs.iter().map(|[pred, y]| (pred - y).abs()).collect()).expect("rows"),
        "pinball_.9" => pinball(&pairs, 0.9).expect("rows"),
        _ => panic!("nothing is known of {what}"),
    };
    agrees(what, value, expected, 1e-10);
}

fn ranking(what: &str, name: &str, case: &Value, expected: &Value) {
    let rows = |name: &str| -> Vec<Vec<f64>> {
        case[name].as_array().expect("queries").iter().map(floats).collect()
    };
    let shown: Vec<Vec<f64>> = rows("relevance")
        .into_iter()
        .zip(rows("score"))
        .map(|(relevance, score)| {
            let mut order: Vec<(f64, f64)> = score.into_iter().zip(relevance).collect();
            order.sort_by(|one, other| other.0.total_cmp(&one.0));
            order.into_iter().map(|(_, relevance)| relevance).collect()
        })
        .collect();
    if let Some(k) = name.strip_prefix("ndcg@").and_then(|rest| rest.strip_suffix("_per_query")) {
        let each: Vec<f64> = shown.iter().map(|list| lists::ndcg(list, k.parse().expect("a k"))).collect();
        return all_agree(what, &each, expected, 1e-10);
    }
    let (metric, k) = name.split_once('@').unwrap_or((name, "0"));
    let k: usize = k.parse().expect("a k");
    let each = shown.iter().map(|list| match metric {
        "ndcg" => lists::ndcg(list, k),
        "map" => lists::average_precision(list, k),
        "mrr" => lists::reciprocal_rank(list),
        "hit" => lists::hit(list, k),
        "precision" => lists::precision(list, k),
        _ => panic!("nothing is known of {what}"),
    });
    agrees(what, or_zero(lists::mean(each)), expected, 1e-10);
}
