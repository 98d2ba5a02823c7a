//! The kernels against reference values of scipy, statsmodels, scikit-learn and a second implementation of our own
//! definitions in numpy. The files say which library, which version and which call made each value.
//!
//! `LEEWAY_GOLDEN_DIR` names a folder with the full set of cases; without it the cases kept here are used.

mod reference;

use analyzer::drift::ks::Ks;
use analyzer::drift::psi::{self, Psi};
use analyzer::drift::wasserstein::Wasserstein;
use analyzer::drift::{jensen_shannon, total_variation};
use analyzer::stats::groups::Groups;
use analyzer::stats::histogram::{Axis, Pair};
use analyzer::stats::proportion::{Share, wilson, z};
use analyzer::stats::ranking::{Classes, auc};
use analyzer::stats::{chi_squared, kolmogorov, normal, sample};
use reference::{assert_close, case, cases, floats, golden, whole};
use serde_json::Value;

/// The pairs that have values on both sides.
fn numeric_pairs() -> Vec<(String, Value, Pair)> {
    let (file, inputs) = (golden("two_sample_numeric.json"), golden("inputs.json"));
    let side = |id: &str, side: &str| floats(&inputs["numeric"][format!("{id}/{side}")]);
    let all = cases(&file).iter().filter_map(|case| {
        let id = case["id"].as_str()?.to_owned();
        let pair = sample::pair(&side(&id, "ref"), &side(&id, "cur"))?;
        Some((id, case["expected"].clone(), pair))
    });
    all.collect()
}

#[test]
fn psi_agrees_with_our_definition_in_numpy() {
    for (id, expected, pair) in numeric_pairs() {
        // Where a value is heavier than a tenth of the reference, what lies below it is a group of its own here, and
        // groups that are empty on both sides are left out; the reference implementation does neither.
        if !id.starts_with("constant") && id != "zero_inflated" {
            let psi = Psi::of(&pair);
            let own = &expected["own10"];
            assert_close(&format!("psi of {id}"), psi.value, &own["psi_half"], 1e-11);
            assert_close(&format!("noise of {id}"), psi.noise(), &own["psi_null_mean"], 1e-12);
            assert_close(&format!("p of {id}"), psi.p(), &own["psi_null_p"], 1e-9);
            assert_close(
                &format!("tv of {id}"),
                total_variation::of_groups(&pair.groups),
                &own["total_variation"],
                1e-11,
            );
            let js = jensen_shannon::of_groups(&pair.groups);
            assert_close(&format!("js of {id}"), js, &own["js_distance_base2"], 1e-9);
        }
        for own in [&expected["own10"], &expected["own20"]] {
            let sides = whole(&own["ref_counts"]).into_iter().zip(whole(&own["cur_counts"]));
            let groups =
                Groups { counts: sides.map(|(below, now)| [below, now]).collect(), of_bin: Vec::new() };
            assert_close(
                &format!("psi on the bins of {id}"),
                psi::of_groups(&groups),
                &own["psi_half"],
                1e-11,
            );
        }
    }
}

#[test]
fn a_constant_reference_differs_from_the_definition_only_in_its_empty_groups() {
    let pairs = numeric_pairs();
    let named =
        |id: &str| pairs.iter().find(|(name, ..)| name == id).map(|(_, _, pair)| pair).expect("the case");
    assert_eq!(Psi::of(named("constant_same")).value, 0.0);
    assert_eq!(named("constant_ref").groups.counts.len(), 3);
    assert!(Psi::of(named("constant_ref")).value > 2.5);
}

#[test]
fn ks_agrees_with_scipy_and_is_exact_on_raw_values() {
    for (id, expected, pair) in numeric_pairs() {
        let ks = Ks::of(&pair).expect("numbers");
        assert_close(&format!("D of {id}"), ks.low, &expected["ks_auto"]["statistic"], 1e-12);
        assert_eq!(ks.low, ks.high, "{id}");
        assert_close(&format!("p of {id}"), ks.p, &expected["ks_stephens_p"], 1e-9);
    }
}

#[test]
fn ks_on_bins_agrees_with_its_bounds_in_numpy() {
    for (id, expected, _) in numeric_pairs() {
        for own in [&expected["own10"], &expected["own20"]] {
            let (baseline, current) = (whole(&own["ref_counts"]), whole(&own["cur_counts"]));
            let bins = baseline.len();
            let places = (0..bins).map(|bin| bin as f64).collect();
            let axis = Axis::Ordered { places, atoms: vec![false; bins] };
            let ks = Pair::new(baseline, current, axis).and_then(|pair| Ks::of(&pair)).expect("numbers");
            assert_close(&format!("low of {id}"), ks.low, &own["ks_on_bins_lower"], 1e-11);
            assert_close(&format!("high of {id}"), ks.high, &own["ks_on_bins_upper"], 1e-11);
        }
    }
}

#[test]
fn wasserstein_agrees_with_scipy_and_its_ratio_with_our_definition() {
    for (id, expected, pair) in numeric_pairs() {
        let moved = Wasserstein::of(&pair).expect("numbers");
        assert_close(&format!("W1 of {id}"), moved.distance, &expected["wasserstein"], 1e-9);
        match expected["own10"]["w1_over_wins_sd"].as_f64() {
            Some(_) => {
                let ratio = moved.over_sd().unwrap_or(f64::NAN);
                assert_close(&format!("W1/sd of {id}"), ratio, &expected["own10"]["w1_over_wins_sd"], 1e-9);
            }
            None => assert_eq!(moved.over_sd(), None, "{id}"),
        }
    }
}

#[test]
fn categories_agree_with_scipy_on_all_levels() {
    for case in cases(&golden("two_sample_categorical.json")) {
        let (id, expected) = (&case["id"], &case["expected"]);
        let (Some(_), Some(_)) = (case["ref_counts"].as_array(), expected["psi_half"].as_f64()) else {
            continue;
        };
        let sides = whole(&case["ref_counts"]).into_iter().zip(whole(&case["cur_counts"]));
        let groups = Groups { counts: sides.map(|(below, now)| [below, now]).collect(), of_bin: Vec::new() };
        let [n, m] = groups.totals().map(|total| total as f64);
        let psi = Psi { value: psi::of_groups(&groups), df: groups.df(), s: 1.0 / n + 1.0 / m };
        assert_close(&format!("psi of {id}"), psi.value, &expected["psi_half"], 1e-10);
        assert_close(&format!("noise of {id}"), psi.noise(), &expected["psi_null_mean"], 1e-10);
        assert_close(&format!("p of {id}"), psi.p(), &expected["psi_null_p"], 1e-9);
        assert_close(
            &format!("js of {id}"),
            jensen_shannon::of_groups(&groups),
            &expected["jensenshannon_2"],
            1e-9,
        );
        assert_close(&format!("tv of {id}"), total_variation::of_groups(&groups), &expected["tvd"], 1e-10);
    }
}

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
