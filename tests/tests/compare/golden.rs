//! Every reference case, as a column of two files, through the command.
//!
//! `LEEWAY_GOLDEN_DIR` names a folder with further cases in the same form.

use std::path::{Path, PathBuf};

use arrow::array::ArrayRef;
use serde_json::Value;

use super::files::{Two, numbers, signal, texts};

fn golden(file: &str) -> Value {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../analyzer/tests/golden");
    let folder = std::env::var_os("LEEWAY_GOLDEN_DIR").map_or_else(beside, PathBuf::from);
    let text = std::fs::read_to_string(folder.join(file)).expect("the reference cases");
    serde_json::from_str(&text).expect("JSON")
}

/// The values of a case on one side, and nulls up to `rows`.
fn column(inputs: &Value, kind: &str, id: &str, side: &str, rows: usize) -> ArrayRef {
    let values = inputs[kind][format!("{id}/{side}")].as_array().expect("values");
    let padded = (0..rows).map(|row| values.get(row).unwrap_or(&Value::Null));
    match kind {
        "numeric" => numbers(padded.map(|value| match value {
            Value::String(word) => word.parse::<f64>().ok(),
            value => value.as_f64(),
        })),
        _ => texts(padded.map(Value::as_str)),
    }
}

fn two(file: &Value, kind: &str) -> Two {
    let inputs = golden("inputs.json");
    let ids: Vec<&str> = file["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .map(|case| case["id"].as_str().expect("an id"))
        .collect();
    let longest = |side: &str| {
        let lengths =
            ids.iter().map(|id| inputs[kind][format!("{id}/{side}")].as_array().map_or(0, Vec::len));
        lengths.max().unwrap_or(0)
    };
    let [baseline, current] = ["ref", "cur"].map(|side| {
        let rows = longest(side);
        ids.iter().map(|id| (*id, column(&inputs, kind, id, side, rows))).collect::<Vec<_>>()
    });
    Two::of(&baseline, &current)
}

#[track_caller]
fn assert_close(what: &str, found: &Value, expected: &Value, relative: f64) {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => {
            let apart = (found - expected).abs();
            assert!(apart <= relative * expected.abs() + 1e-14, "{what}: got {found}, expected {expected}");
        }
        // "nan" and "inf" are null.
        (found, expected) => {
            assert!(found.is_none() && expected.is_none(), "{what}: {found:?}, {expected:?}")
        }
    }
}

#[test]
fn numbers_come_out_as_the_references_have_them() {
    let file = golden("two_sample_numeric.json");
    let report = two(&file, "numeric").report();
    for case in file["cases"].as_array().expect("cases") {
        let (id, expected) = (case["id"].as_str().expect("an id"), &case["expected"]);
        let found = signal(&report, id);
        assert_eq!((&found["n_baseline"], &found["n_current"]), (&case["n"], &case["m"]), "{id}");
        if expected["all"]["error"].is_string() {
            assert!(
                found["ks"].is_null() && found["psi"].is_null() && found["wasserstein"].is_null(),
                "{id}"
            );
            continue;
        }
        let own = &expected["own10"];
        assert_close(&format!("D of {id}"), &found["ks"], &expected["ks_auto"]["statistic"], 1e-12);
        let p = &found["ks_p"];
        let is_known = |p: &Value, known: &Value| {
            let (Some(p), Some(known)) = (p.as_f64(), known.as_f64()) else { return false };
            (p - known).abs() <= 1e-9 * known + 1e-14
        };
        // The reference's own choice is exact up to 10,000 rows, and told by itself only up to 5,000.
        let known =
            [&expected["ks_exact"]["pvalue"], &expected["ks_auto"]["pvalue"], &expected["ks_stephens_p"]];
        assert!(known.into_iter().any(|known| is_known(p, known)), "p of {id}: {p}");
        assert_close(&format!("W1 of {id}"), &found["wasserstein"], &expected["wasserstein"], 1e-12);
        assert_close(&format!("W1/sd of {id}"), &found["wasserstein_sd"], &own["w1_over_wins_sd"], 1e-12);
        assert_close(
            &format!("T of {id}"),
            &found["cramer_von_mises"],
            &expected["cvm_asymp"]["statistic"],
            1e-12,
        );
        if has_groups_of_our_own(own) {
            continue;
        }
        let on_groups = [
            ("psi", "psi_half"),
            ("jensen_shannon_distance", "js_distance_base2"),
            ("hellinger", "hellinger"),
            ("total_variation", "total_variation"),
        ];
        for (ours, theirs) in on_groups {
            assert_close(&format!("{ours} of {id}"), &found[ours], &own[theirs], 1e-12);
        }
    }
}

/// A group that is empty on both sides is none here, and a value heavier than a tenth has one of its own, which may
/// divide one of the reference's: `docs/statistics/two-sample.md`.
fn has_groups_of_our_own(own: &Value) -> bool {
    let counts = |side: &str| -> Vec<u64> {
        own[side].as_array().expect("counts").iter().map(|count| count.as_u64().expect("a count")).collect()
    };
    let (baseline, current) = (counts("ref_counts"), counts("cur_counts"));
    let n: u64 = baseline.iter().sum();
    let is_empty = baseline.iter().zip(&current).any(|pair| pair == (&0, &0));
    is_empty || (n > 10 && baseline.iter().any(|count| count * 2 > n))
}

#[test]
fn categories_come_out_as_the_references_have_them() {
    let file = golden("two_sample_categorical.json");
    let report = two(&file, "categorical").report();
    for case in file["cases"].as_array().expect("cases") {
        let (id, expected) = (case["id"].as_str().expect("an id"), &case["expected"]);
        let found = signal(&report, id);
        assert_eq!((&found["n_baseline"], &found["n_current"]), (&case["n"], &case["m"]), "{id}");
        let exact = [
            ("psi", "psi_half"),
            ("jensen_shannon_distance", "jensenshannon_2"),
            ("hellinger", "hellinger"),
            ("total_variation", "tvd"),
        ];
        for (ours, theirs) in exact {
            assert_close(&format!("{ours} of {id}"), &found[ours], &expected[theirs], 1e-10);
        }
        if case["n"] == 0 || case["m"] == 0 {
            assert!(found["chi2_p"].is_null() && found["psi"].is_null(), "{id}");
            continue;
        }
        // Rare levels are pooled for χ² only; where there are none, it is scipy's.
        if rare_levels(case) > 1 || !expected["chi2_contingency"]["statistic"].is_number() {
            assert!(found["chi2_p"].is_number(), "{id}");
            continue;
        }
        let chi2 = &expected["chi2_contingency"];
        assert_close(&format!("chi2 of {id}"), &found["chi2"], &chi2["statistic"], 1e-10);
        assert_close(&format!("p of {id}"), &found["chi2_p"], &chi2["pvalue"], 1e-10);
        assert_close(&format!("V of {id}"), &found["cramers_v"], &expected["cramers_v"], 1e-10);
    }
}

/// Levels expected fewer than five times on the smaller side; all of them where the case does not list its counts, or
/// where the only rare one is expected less than once.
fn rare_levels(case: &Value) -> usize {
    let counts =
        |side: &str| -> Option<Vec<u64>> { case[side].as_array()?.iter().map(Value::as_u64).collect() };
    let (Some(baseline), Some(current)) = (counts("ref_counts"), counts("cur_counts")) else {
        return usize::MAX;
    };
    let (n, m): (u64, u64) = (baseline.iter().sum(), current.iter().sum());
    let expected = |(below, now): (&u64, &u64)| (below + now) as f64 * n.min(m) as f64 / (n + m) as f64;
    let rare: Vec<f64> =
        baseline.iter().zip(&current).map(expected).filter(|expected| *expected < 5.0).collect();
    if rare.iter().sum::<f64>() < 1.0 && !rare.is_empty() { usize::MAX } else { rare.len() }
}
