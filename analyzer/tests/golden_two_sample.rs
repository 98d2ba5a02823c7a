//! The two-sample kernels against scipy, statsmodels, NannyML and a second implementation of our own definitions in
//! numpy, over *every* case of the reference files; each says under `calls` which call made each value.
//!
//! `LEEWAY_GOLDEN_DIR` names a folder with further cases in the same form. So nothing here goes by the name of a case:
//! where we differ on purpose, the rule that makes the difference is asked of the data, and must explain it. What
//! differs and why stands in `docs/statistics/two-sample.md`.

mod reference;

use analyzer::drift::cramer_von_mises::CramerVonMises;
use analyzer::drift::ks::Ks;
use analyzer::drift::psi::{self, Psi};
use analyzer::drift::wasserstein::Wasserstein;
use analyzer::drift::{hellinger, jensen_shannon, l_infinity, total_variation};
use analyzer::stats::contingency::Contingency;
use analyzer::stats::groups::Groups;
use analyzer::stats::histogram::{Axis, Pair};
use analyzer::stats::multiple::{Adjustment, adjusted, believed};
use analyzer::stats::proportion::{Share, fisher_p};
use analyzer::stats::quantile::{self, Convention};
use analyzer::stats::{kolmogorov, sample};
use domain::baseline::Moments;
use reference::{assert_close, cases, floats, golden, whole};
use serde_json::Value;

/// The inputs of a numeric case.
fn sides(inputs: &Value, id: &str) -> [Vec<f64>; 2] {
    ["ref", "cur"].map(|side| floats(&inputs["numeric"][format!("{id}/{side}")]))
}

/// Every numeric case with its values; a side without one has no pair, and the reference raises there.
fn numeric_pairs() -> Vec<(String, Value, Pair)> {
    let (file, inputs) = (golden("two_sample_numeric.json"), golden("inputs.json"));
    let all = cases(&file).iter().filter_map(|case| {
        let id = case["id"].as_str().expect("an id").to_owned();
        let [baseline, current] = sides(&inputs, &id);
        let pair = sample::pair(&baseline, &current);
        assert_eq!(pair.is_none(), case["expected"]["all"]["error"].is_string(), "{id}");
        Some((id, case["expected"].clone(), pair?))
    });
    all.collect()
}

/// Groups as a reference file states them, those that are empty on both sides among them.
fn stated(own: &Value) -> Groups {
    let counts = whole(&own["ref_counts"]).into_iter().zip(whole(&own["cur_counts"]));
    Groups { counts: counts.map(|(below, now)| [below, now]).collect(), of_bin: Vec::new() }
}

fn psi_of(groups: &Groups) -> Psi {
    let [n, m] = groups.totals().map(|total| total as f64);
    Psi { value: psi::of_groups(groups), df: groups.df(), s: 1.0 / n + 1.0 / m }
}

fn assert_on_groups(what: &str, groups: &Groups, own: &Value) {
    let psi = psi_of(groups);
    assert_close(&format!("psi of {what}"), psi.value, &own["psi_half"], 1e-12);
    assert_close(&format!("noise of {what}"), psi.noise(), &own["psi_null_mean"], 1e-12);
    assert_close(&format!("p of {what}"), psi.p(), &own["psi_null_p"], 1e-9);
    let js = jensen_shannon::of_groups(groups);
    assert_close(&format!("js of {what}"), js, &own["js_distance_base2"], 1e-12);
    assert_close(&format!("hellinger of {what}"), hellinger::of_groups(groups), &own["hellinger"], 1e-12);
    let tv = total_variation::of_groups(groups);
    assert_close(&format!("tv of {what}"), tv, &own["total_variation"], 1e-12);
    let table = Contingency::of(groups);
    assert_close(&format!("chi2 of {what}"), table.statistic, &own["chi2"], 1e-12);
    assert_eq!(u64::from(table.df), own["chi2_df"].as_u64().expect("degrees of freedom"), "{what}");
}

/// What each of these tests looks at, or why nobody does: `docs/statistics/two-sample.md`.
const NUMERIC: &[&str] = &[
    "summary",
    "ks_auto",
    "ks_exact",
    "ks_limit_p",
    "ks_stephens_p",
    "wasserstein",
    "cvm_asymp",
    "own10",
    "own20",
    "all",
];
const NUMERIC_NOT_OFFERED: &[&str] = &[
    "ks_asymp",
    "energy",
    "cvm_exact",
    "anderson_midrank",
    "anderson_right",
    "epps",
    "mannwhitney",
    "welch",
];
const CATEGORICAL: &[&str] = &[
    "chi2_contingency",
    "cramers_v",
    "jensenshannon_2",
    "jensenshannon_e",
    "tvd",
    "linf",
    "hellinger",
    "psi_half",
    "psi_null_mean",
    "psi_null_p",
    "fisher",
    "all",
];
const CATEGORICAL_NOT_OFFERED: &[&str] = &["g_contingency", "chisquare_scaled", "chi2_yates"];

#[test]
fn no_value_of_a_case_is_passed_over_unknown() {
    let files = [
        ("two_sample_numeric.json", NUMERIC, NUMERIC_NOT_OFFERED),
        ("two_sample_categorical.json", CATEGORICAL, CATEGORICAL_NOT_OFFERED),
        ("multiple_testing.json", &["fdr_bh", "fdr_by", "holm", "bonferroni"], &["fdr_tsbh"]),
    ];
    for (file, looked_at, not_offered) in files {
        for case in cases(&golden(file)) {
            let named = case["expected"].as_object().expect("values by name").keys().map(String::as_str);
            let is_known = |name: &&str| {
                looked_at.contains(name) || not_offered.contains(name) || name.starts_with("evidently_")
            };
            let unknown: Vec<&str> = named.filter(|name| !is_known(name)).collect();
            assert!(unknown.is_empty(), "{file}, {}: nothing is known of {unknown:?}", case["id"]);
        }
    }
}

#[test]
fn the_summary_of_a_sample_agrees_with_numpy() {
    for (id, expected, pair) in numeric_pairs() {
        let inputs = golden("inputs.json");
        for (side, values) in ["ref", "cur"].into_iter().zip(sides(&inputs, &id)) {
            let stated = &expected["summary"][side];
            if !stated.is_object() {
                continue;
            }
            let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
            let mut moments = Moments::default();
            values.iter().for_each(|value| moments.add(*value));
            let close = |what: &str, got: f64, relative: f64| {
                assert_close(&format!("{what} of {id}/{side}"), got, &stated[what], relative);
            };
            assert_eq!(Some(moments.n), stated["n"].as_u64(), "{id}");
            close("min", moments.least, 0.0);
            close("max", moments.greatest, 0.0);
            close("mean", moments.mean().expect("values"), 1e-10);
            let quantiles = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];
            for (share, stated) in quantiles.into_iter().zip(stated["q"].as_array().expect("quantiles")) {
                let got = quantile::of(&values, share, Convention::Linear).expect("values");
                assert_close(&format!("quantile {share} of {id}/{side}"), got, stated, 1e-12);
            }
        }
        assert!(pair.baseline.n() > 0);
    }
}

#[test]
fn measures_on_deciles_agree_with_our_definition_in_numpy() {
    let mut of_our_own = Vec::new();
    for (id, expected, pair) in numeric_pairs() {
        for own in ["own10", "own20"] {
            assert_on_groups(
                &format!("{id} on the groups of {own}"),
                &stated(&expected[own]),
                &expected[own],
            );
        }
        let theirs = stated(&expected["own10"]);
        if pair.groups.counts == theirs.counts {
            continue;
        }
        // Two rules of ours that the second implementation does not have: what is empty on both sides is no group, and
        // a value heavier than a tenth has one of its own (METHODS 1.1).
        let occupied: Vec<[u64; 2]> =
            theirs.counts.iter().copied().filter(|counts| *counts != [0, 0]).collect();
        let heaviest = pair.baseline.counts().iter().max().expect("a value");
        let is_heavy = heaviest * 10 > pair.baseline.n();
        assert!(
            pair.groups.counts == occupied || (is_heavy && pair.groups.counts.len() > occupied.len()),
            "{id}: {:?} and {theirs:?}",
            pair.groups
        );
        assert_eq!(pair.groups.totals(), theirs.totals(), "{id}");
        of_our_own.push(id);
    }
    println!("groups of our own: {of_our_own:?}");
}

#[test]
fn ks_agrees_with_scipy_and_is_exact_on_raw_values() {
    for (id, expected, pair) in numeric_pairs() {
        let ks = Ks::of(&pair).expect("numbers");
        let (n, m) = (pair.baseline.n(), pair.current.n());
        assert_close(&format!("D of {id}"), ks.low, &expected["ks_auto"]["statistic"], 1e-12);
        assert_eq!(ks.low, ks.high, "{id}");
        let stephens = kolmogorov::stephens_p(ks.low, n, m);
        assert_close(&format!("Stephens of {id}"), stephens, &expected["ks_stephens_p"], 1e-9);
        let root = (n as f64 * m as f64 / (n + m) as f64).sqrt();
        let limit = kolmogorov::sf(root * ks.low);
        assert_close(&format!("limit of {id}"), limit, &expected["ks_limit_p"], 1e-9);
        if !expected["ks_exact"]["pvalue"].is_number() {
            continue;
        }
        let reach = (ks.low * n as f64 * m as f64).round() as u64;
        let exact = kolmogorov::exact_p(reach, n, m);
        assert_close(&format!("exact p of {id}"), exact, &expected["ks_exact"]["pvalue"], 1e-9);
        // Published is the exact one where it is affordable and holds, Stephens' where values are tied.
        let is_tied = pair.baseline.counts().iter().zip(pair.current.counts()).any(|(a, b)| a + b > 1);
        let published = if is_tied || n * m > 4_000_000 { stephens } else { exact };
        assert_eq!(ks.p, published, "{id}");
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
            assert_close(&format!("low of {id}"), ks.low, &own["ks_on_bins_lower"], 1e-12);
            assert_close(&format!("high of {id}"), ks.high, &own["ks_on_bins_upper"], 1e-12);
        }
    }
}

#[test]
fn wasserstein_agrees_with_scipy_and_its_ratio_with_our_definition() {
    for (id, expected, pair) in numeric_pairs() {
        let moved = Wasserstein::of(&pair).expect("numbers");
        assert_close(&format!("W1 of {id}"), moved.distance, &expected["wasserstein"], 1e-12);
        let ratio = &expected["own10"]["w1_over_wins_sd"];
        match (moved.over_sd(), ratio.is_number()) {
            (Some(over_sd), true) => assert_close(&format!("W1/sd of {id}"), over_sd, ratio, 1e-12),
            (over_sd, false) => assert_eq!(over_sd, None, "{id}"),
            (None, true) => panic!("{id} has no ratio, expected {ratio}"),
        }
    }
}

#[test]
fn cramer_von_mises_agrees_with_scipy() {
    for (id, expected, pair) in numeric_pairs() {
        let statistic = &expected["cvm_asymp"]["statistic"];
        match (CramerVonMises::of(&pair).expect("numbers").t, statistic.is_number()) {
            (Some(t), true) => assert_close(&format!("T of {id}"), t, statistic, 1e-12),
            (t, false) => assert_eq!(t, None, "{id}"),
            (None, true) => panic!("{id} has no T, expected {statistic}"),
        }
    }
}

/// The levels of a categorical case with their counts, from the raw values.
fn levels(inputs: &Value, id: &str) -> Groups {
    let mut counts = std::collections::BTreeMap::<String, [u64; 2]>::new();
    for (place, side) in ["ref", "cur"].into_iter().enumerate() {
        let values = inputs["categorical"][format!("{id}/{side}")].as_array().expect("a list of categories");
        for level in values.iter().filter_map(Value::as_str) {
            counts.entry(level.to_owned()).or_default()[place] += 1;
        }
    }
    Groups::of_counts(counts.into_values().collect())
}

#[test]
fn categories_agree_with_scipy_on_all_levels() {
    let (file, inputs) = (golden("two_sample_categorical.json"), golden("inputs.json"));
    for case in cases(&file) {
        let (id, expected) = (case["id"].as_str().expect("an id"), &case["expected"]);
        let groups = levels(&inputs, id);
        if groups.totals().contains(&0) {
            assert!(!expected["psi_half"].is_number(), "{id} has no values on a side and yet a PSI");
            continue;
        }
        let psi = psi_of(&groups);
        assert_close(&format!("psi of {id}"), psi.value, &expected["psi_half"], 1e-10);
        assert_close(&format!("noise of {id}"), psi.noise(), &expected["psi_null_mean"], 1e-10);
        assert_close(&format!("p of {id}"), psi.p(), &expected["psi_null_p"], 1e-9);
        let js = jensen_shannon::of_groups(&groups);
        assert_close(&format!("js of {id}"), js, &expected["jensenshannon_2"], 1e-10);
        let nats = (jensen_shannon::divergence(&groups) * std::f64::consts::LN_2).sqrt();
        assert_close(&format!("js in nats of {id}"), nats, &expected["jensenshannon_e"], 1e-10);
        assert_close(&format!("tv of {id}"), total_variation::of_groups(&groups), &expected["tvd"], 1e-10);
        assert_close(&format!("linf of {id}"), l_infinity::of_groups(&groups), &expected["linf"], 1e-10);
        let hellinger = hellinger::of_groups(&groups);
        assert_close(&format!("hellinger of {id}"), hellinger, &expected["hellinger"], 1e-10);
        if let (Some(fisher), [[a, c], [b, d]]) = (expected.get("fisher"), groups.counts.as_slice()) {
            let share = |hits: u64, rest: u64| Share::of(hits, hits + rest).expect("rows");
            let p = if fisher.is_object() { &fisher["pvalue"] } else { fisher };
            assert_close(&format!("Fisher's p of {id}"), fisher_p(share(*a, *b), share(*c, *d)), p, 1e-9);
        }
        let table = Contingency::of(&groups);
        match expected["chi2_contingency"]["statistic"].as_f64() {
            Some(_) => {
                let chi2 = &expected["chi2_contingency"];
                assert_close(&format!("chi2 of {id}"), table.statistic, &chi2["statistic"], 1e-10);
                assert_close(&format!("chi2 p of {id}"), table.p, &chi2["pvalue"], 1e-10);
                assert_eq!(u64::from(table.df), chi2["df"].as_u64().expect("degrees of freedom"), "{id}");
                assert_close(&format!("V of {id}"), table.cramers_v, &expected["cramers_v"], 1e-10);
            }
            // Of one level scipy makes no table.
            None => assert_eq!((table.statistic, table.p), (0.0, 1.0), "{id}"),
        }
    }
}

#[test]
fn nannyml_agrees_where_its_definition_is_ours() {
    let (file, inputs) = (golden("nannyml_univariate.json"), golden("inputs.json"));
    for case in cases(&file) {
        let (id, expected) = (case["id"].as_str().expect("an id"), &case["expected"]);
        if case["kind"] == "numeric" {
            let [baseline, current] = sides(&inputs, id);
            let Some(pair) = sample::pair(&baseline, &current) else { continue };
            let is_estimate = pair.baseline.n() >= 10_000;
            // Above 10,000 rows it estimates D and W1 from equal-width bins; JS and Hellinger always use Doane's bins.
            if !is_estimate {
                let ks = Ks::of(&pair).expect("numbers").low;
                assert_close(&format!("D of {id}"), ks, &expected["kolmogorov_smirnov"], 1e-10);
                let moved = Wasserstein::of(&pair).expect("numbers").distance;
                assert_close(&format!("W1 of {id}"), moved, &expected["wasserstein"], 1e-10);
            }
            continue;
        }
        let groups = levels(&inputs, id);
        if groups.totals().contains(&0) {
            continue;
        }
        let js = jensen_shannon::of_groups(&groups);
        assert_close(&format!("js of {id}"), js, &expected["jensen_shannon"], 1e-10);
        assert_close(
            &format!("hellinger of {id}"),
            hellinger::of_groups(&groups),
            &expected["hellinger"],
            1e-10,
        );
        assert_close(
            &format!("linf of {id}"),
            l_infinity::of_groups(&groups),
            &expected["l_infinity"],
            1e-10,
        );
        let table = Contingency::of(&groups);
        // Yates' correction, which it has for two levels, makes χ² smaller.
        match groups.counts.len() {
            2 => assert!(table.statistic >= expected["chi2"]["statistic"].as_f64().unwrap_or(0.0), "{id}"),
            _ => {
                let chi2 = &expected["chi2"];
                assert_close(&format!("chi2 of {id}"), table.statistic, &chi2["statistic"], 1e-10);
            }
        }
    }
}

#[test]
fn quantiles_are_observed_values_as_numpy_has_them() {
    let (file, inputs) = (golden("quantiles_bins.json"), golden("inputs.json"));
    let mut checked = 0;
    for case in cases(&file) {
        // Peers' equal-width edges are not ours: one wild value blinds them.
        let Some(expected) = case["expected"]["inverted_cdf"].as_array() else { continue };
        // Some cases name an input that is kept with other cases than these.
        let Some(values) = inputs["numeric"].get(case["input"].as_str().expect("an input")) else { continue };
        let values = floats(values);
        checked += 1;
        let Some(pair) = sample::pair(&values, &values) else { continue };
        let Axis::Ordered { places, .. } = &pair.axis else { panic!("numbers are ordered") };
        for (q, value) in floats(&case["params"]["q"]).into_iter().zip(expected) {
            let found = places[pair.baseline.quantile_bin((q * 1e6).round() as u64, 1_000_000)];
            assert_close(&format!("quantile {q} of {}", case["id"]), found, value, 1e-12);
        }
    }
    assert!(checked > 0, "no case has its input beside it");
}

#[test]
fn adjusted_p_values_agree_with_statsmodels() {
    let file = golden("multiple_testing.json");
    for case in cases(&file) {
        let p_values = floats(&case["pvalues"]);
        let level = case["params"]["alpha"].as_f64().expect("a level");
        let methods = [
            ("fdr_bh", Adjustment::BenjaminiHochberg),
            ("fdr_by", Adjustment::BenjaminiYekutieli),
            ("holm", Adjustment::Holm),
            ("bonferroni", Adjustment::Bonferroni),
        ];
        for (name, adjustment) in methods {
            let expected = &case["expected"][name];
            let what = format!("{name} of {}", case["id"]);
            let stated = expected["adjusted"].as_array().expect("a list");
            let found = adjusted(&p_values, adjustment);
            assert_eq!(found.len(), stated.len(), "{what}");
            for (found, stated) in found.iter().zip(stated) {
                assert_close(&what, *found, stated, 1e-12);
            }
            let believed = believed(&p_values, adjustment, level);
            let stated: Vec<bool> = expected["reject"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|reject| reject.as_bool().expect("yes or no"))
                .collect();
            assert_eq!(believed, stated, "{what}");
        }
    }
}
