//! The kernels against reference values of scipy, statsmodels, scikit-learn and a second implementation of our own
//! definitions in numpy. The files say which library, which version and which call made each value.
//!
//! `LEEWAY_GOLDEN_DIR` names a folder with the full set of cases; without it the cases kept here are used.

mod reference;

use analyzer::stats::proportion::{Share, wilson, z};
use analyzer::stats::ranking::{Classes, auc};
use analyzer::stats::{chi_squared, kolmogorov, normal};
use reference::{assert_close, case, cases, floats, golden};

#[test]
fn the_laws_agree_with_scipy() {
    let file = golden("special_functions.json");
    let rows = |id: &str| -> Vec<Vec<f64>> {
        case(&file, id)["expected"].as_array().expect("rows").iter().map(floats).collect()
    };
    for row in rows("normal_sf") {
        assert_close(&format!("P(Z > {})", row[0]), normal::sf(row[0]), &row[1].into(), 1e-9);
    }
    for row in rows("normal_ppf").iter().filter(|row| row[0] <= 0.5) {
        assert_close(&format!("z at {}", row[0]), -normal::upper_quantile(row[0]), &row[1].into(), 1e-9);
    }
    for row in rows("chi2_sf") {
        assert_close(
            &format!("P(X > {}), df {}", row[0], row[1]),
            chi_squared::sf(row[0], row[1] as u32),
            &row[2].into(),
            1e-9,
        );
    }
    for row in rows("chi2_ppf") {
        let quantile = chi_squared::upper_quantile(1.0 - row[0], row[1] as u32);
        // The tail near one is coarse in floating point: there the quantile's own digits are fewer.
        assert_close(&format!("quantile {}, df {}", row[0], row[1]), quantile, &row[2].into(), 1e-7);
    }
    for row in rows("kolmogorov_sf") {
        assert_close(&format!("P(K > {})", row[0]), kolmogorov::sf(row[0]), &row[1].into(), 1e-9);
    }
}

#[test]
fn shares_agree_with_statsmodels() {
    let file = golden("proportions_counts.json");
    for case in cases(&file).iter().filter(|case| case["params"]["x1"].is_u64()) {
        let share = |hits: &str, n: &str| {
            let whole = |name: &str| case["params"][name].as_u64().expect("a count");
            Share::of(whole(hits), whole(n)).expect("events")
        };
        let (one, other) = (share("x1", "n1"), share("x2", "n2"));
        match case["expected"]["z_pooled"]["z"].as_f64() {
            Some(_) => {
                let got = z(one, other).expect("a z");
                assert_close(&format!("z of {}", case["id"]), got, &case["expected"]["z_pooled"]["z"], 1e-9);
            }
            None => assert_eq!(z(one, other), None, "{}", case["id"]),
        }
        let interval = wilson(other, 1.959_963_984_540_054);
        assert_close("low", interval.low, &case["expected"]["wilson95_2"][0], 1e-9);
        assert_close("high", interval.high, &case["expected"]["wilson95_2"][1], 1e-9);
    }
}

#[test]
fn auc_agrees_with_scikit_learn() {
    let file = golden("model_quality.json");
    for case in
        cases(&file).iter().filter(|case| case["id"].as_str().is_some_and(|id| id.starts_with("binary")))
    {
        let mut scored: Vec<(f64, f64)> =
            floats(&case["score"]).into_iter().zip(floats(&case["y"])).collect();
        scored.sort_by(|one, other| one.0.total_cmp(&other.0));
        let classes = scored.chunk_by(|one, other| one.0 == other.0).map(|ties| {
            let positives = ties.iter().filter(|(_, label)| *label > 0.5).count() as u64;
            Classes { positives, negatives: ties.len() as u64 - positives }
        });
        let area = auc(classes).expect("both classes");
        assert_close(&format!("auc of {}", case["id"]), area.value, &case["expected"]["roc_auc"], 1e-10);
    }
}
