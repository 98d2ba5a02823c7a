//! alerts_attribution.json: peaks over a threshold by scipy, and our own definitions in plain numpy.

use std::collections::BTreeMap;

use analyzer::stats::adtributor::{self, Amount, Dimension, Explained, Thresholds};
use analyzer::stats::burn_rate::{self, Rule};
use analyzer::stats::histogram::Sides;
use analyzer::stats::mix::{Segment, Split};
use analyzer::stats::peaks_over_threshold::{Pareto, Peaks};
use analyzer::stats::ranking::{Classes, auc};
use analyzer::stats::segment_psi::SegmentCounts;
use analyzer::stats::unseen::Unseen;
use serde_json::{Value, json};

use crate::agree::{agrees, all_agree, float, named};
use crate::reference::{cases, floats, golden, whole};

#[test]
fn thresholds_and_attribution_agree_with_scipy_and_our_definitions_in_numpy() {
    for case in cases(&golden("alerts_attribution.json")) {
        let id = case["id"].as_str().expect("a name");
        let kind = |start: &str| id.starts_with(start);
        match () {
            () if kind("pot_") => peaks(id, case),
            () if kind("burn_") => burn(id, case),
            () if kind("mix_") => mix(id, case),
            () if kind("psi_segments_") => segments(id, case),
            () if kind("auc_binned_") => binned(id, case),
            () if kind("unseen_levels_") => unseen(id, case),
            () if kind("adtributor") => dimensions(id, case),
            () => panic!("nothing is known of {id}"),
        }
    }
}

fn peaks(id: &str, case: &Value) {
    let (params, expected) = (&case["params"], &case["expected"]);
    let peaks = Peaks::over(&floats(&case["x"]), float(&params["initial_quantile"])).expect("values");
    let moments = Pareto::of_moments(&peaks.beyond).expect("peaks that differ");
    let what = |name: &str| format!("{id} {name}");
    agrees(&what("start"), peaks.start, &expected["u"], 1e-9);
    assert_eq!(json!(peaks.beyond.len()), expected["n_exceed"], "{id}");
    agrees(&what("shape by moments"), moments.shape, &expected["mom_shape"], 1e-9);
    agrees(&what("scale by moments"), moments.scale, &expected["mom_scale"], 1e-9);
    let peer = Pareto { shape: float(&expected["mle_shape"]), scale: float(&expected["mle_scale"]) };
    agrees(&what("likelihood"), peer.log_likelihood(&peaks.beyond), &expected["loglik"], 1e-9);
    let levels: Vec<f64> = floats(&params["q"]).iter().map(|q| peaks.level(peer, *q)).collect();
    all_agree(&what("levels"), &levels, &expected["z_q"], 1e-9);
    let found = Pareto::of_likelihood(&peaks.beyond);
    if peer.shape < -1.0 {
        // The likelihood has no maximum there, and the peer stops somewhere on its way up.
        return assert_eq!(found, None, "{id}");
    }
    let found = found.expect("a greatest likelihood");
    let apart = (found.shape - peer.shape).abs();
    assert!(apart <= 1e-3 * peer.shape.abs().max(0.1), "{id}: shape {} against {}", found.shape, peer.shape);
    agrees(&what("scale"), found.scale, &expected["mle_scale"], 1e-3);
    assert!(found.log_likelihood(&peaks.beyond) >= float(&expected["loglik"]) - 1e-6, "{id}: {found:?}");
    let levels: Vec<f64> = floats(&params["q"]).iter().map(|q| peaks.level(found, *q)).collect();
    all_agree(&what("levels of ours"), &levels, &expected["z_q"], 1e-3);
}

fn burn(id: &str, case: &Value) {
    let (objective, days) = (float(&case["params"]["slo"]), float(&case["params"]["days"]));
    let rules = burn_rate::rules(days);
    let expected = case["expected"].as_array().expect("rules");
    assert_eq!(rules.len(), expected.len(), "{id}");
    for (rule, expected) in rules.iter().zip(expected) {
        let Rule { is_page, factor, long_min, short_min, .. } = *rule;
        assert_eq!(if is_page { "page" } else { "ticket" }, expected["severity"], "{id}");
        let same = |name: &str, got: f64| agrees(&format!("{id} {name}"), got, &expected[name], 1e-9);
        same("burn_rate", factor);
        same("long_min", long_min);
        same("short_min", short_min);
        same("error_ratio_threshold", rule.bad_share(objective));
        same("budget_spent_at_threshold", rule.spent(days));
        if expected.get("minutes_to_fire_at_total_outage").is_some() {
            same("minutes_to_fire_at_total_outage", rule.fires_after_min(objective, 1.0));
        }
    }
}

fn mix(id: &str, case: &Value) {
    let (params, expected) = (&case["params"], &case["expected"]);
    let [n0, m0, n1, m1] = ["n0", "m0", "n1", "m1"].map(|name| floats(&params[name]));
    let segments: Vec<Segment> = (0..n0.len())
        .map(|at| Segment {
            weight: Sides { baseline: n0[at], current: n1[at] },
            value: Sides { baseline: m0[at], current: m1[at] },
        })
        .collect();
    let split = Split::of(&segments).expect("weights on both sides");
    let what = |name: &str| format!("{id} {name}");
    agrees(&what("M0"), split.total.baseline, &expected["M0"], 1e-9);
    agrees(&what("M1"), split.total.current, &expected["M1"], 1e-9);
    let part = |of: fn(&analyzer::stats::mix::Contribution) -> f64| split.segments.iter().map(of).collect();
    let (within, mix): (Vec<f64>, Vec<f64>) = (part(|one| one.within), part(|one| one.mix));
    all_agree(&what("within"), &within, &expected["within"], 1e-9);
    all_agree(&what("mix"), &mix, &expected["mix"], 1e-9);
    agrees(&what("within in all"), split.within(), &expected["within_total"], 1e-9);
    agrees(&what("mix in all"), split.mix(), &expected["mix_total"], 1e-9);
    let change = split.total.current - split.total.baseline;
    assert!((split.within() + split.mix() - change).abs() < 1e-12, "{id}");
}

fn segments(id: &str, case: &Value) {
    let side = |name: &str| -> Vec<Vec<u64>> {
        case["params"][name].as_array().expect("segments").iter().map(whole).collect()
    };
    let counts = SegmentCounts::new(side("ref_counts_segment_by_bin"), side("cur_counts_segment_by_bin"));
    let (found, expected) = (counts.expect("a shape that fits").psi(), &case["expected"]);
    agrees(&format!("{id} psi"), found.psi, &expected["psi"], 1e-9);
    all_agree(&format!("{id} by bin"), &found.by_bin, &expected["by_bin"], 1e-9);
    all_agree(&format!("{id} by segment"), &found.by_segment, &expected["by_segment"], 1e-9);
}

fn binned(id: &str, case: &Value) {
    let (score, y, expected) = (floats(&case["score"]), whole(&case["y"]), &case["expected"]);
    let bins = case["params"]["bins"].as_u64().expect("bins") as usize;
    let area = |place: &dyn Fn(f64) -> u64| {
        let mut classes: BTreeMap<u64, Classes> = BTreeMap::new();
        for (score, y) in score.iter().zip(&y) {
            let at = classes.entry(place(*score)).or_default();
            if *y == 1 { at.positives += 1 } else { at.negatives += 1 }
        }
        classes
    };
    let exact = auc(area(&|score| score.to_bits()).into_values()).expect("both classes");
    agrees(&format!("{id} exact"), exact.value, &expected["auc_exact"], 1e-9);
    let binned = area(&|score| ((score * bins as f64) as u64).min(bins as u64 - 1));
    let found = auc(binned.values().copied()).expect("both classes");
    agrees(&format!("{id} binned"), found.value, &expected["auc_from_bins"], 1e-9);
    let all = binned
        .values()
        .fold([0.0, 0.0], |[neg, pos], at| [neg + at.negatives as f64, pos + at.positives as f64]);
    let bound: f64 =
        binned.values().map(|at| at.negatives as f64 / all[0] * at.positives as f64 / all[1] / 2.0).sum();
    agrees(&format!("{id} bound"), bound, &expected["half_width_bound"], 1e-9);
    assert!((found.value - exact.value).abs() <= bound, "{id}");
    let brier: f64 =
        score.iter().zip(&y).map(|(score, y)| (score - *y as f64).powi(2)).sum::<f64>() / y.len() as f64;
    agrees(&format!("{id} brier"), brier, &expected["brier"], 1e-9);
}

fn unseen(id: &str, case: &Value) {
    let (params, expected) = (&case["params"], &case["expected"]);
    let count = |name: &str| params[name].as_u64().expect("a count");
    let usual = Unseen::of(whole(&params["ref_level_counts"])).expect("rows");
    let rows = count("current_rows");
    agrees(&format!("{id} rate"), usual.rate(), &expected["good_turing_rate"], 1e-9);
    let awaited = usual.rate() * rows as f64;
    agrees(&format!("{id} awaited"), awaited, &expected["expected_unseen_rows"], 1e-9);
    let p = usual.p(count("unseen_rows"), rows);
    agrees(&format!("{id} p"), p, &expected["p_binomial_upper"], 1e-9);
}

fn dimensions(id: &str, case: &Value) {
    let params = &case["params"];
    let dimensions: Vec<Dimension<Amount>> = named(&params["forecast_actual"])
        .map(|(name, elements)| Dimension {
            name: name.to_owned(),
            elements: named(elements)
                .map(|(element, sides)| {
                    let [forecast, actual] = [&sides[0], &sides[1]].map(float);
                    (element.to_owned(), Amount { forecast, actual })
                })
                .collect(),
        })
        .collect();
    let thresholds = Thresholds { element: float(&params["T_EEP"]), candidate: float(&params["T_EP"]) };
    let found = adtributor::of_amounts(&dimensions, thresholds);
    let ranked: Vec<&str> = found.iter().map(|one| one.dimension.as_str()).collect();
    assert_eq!(json!(ranked), case["expected"]["ranked"], "{id}");
    for (name, expected) in named(&case["expected"]["dimensions"]) {
        let one = found.iter().find(|one| one.dimension == name).expect("the dimension");
        dimension(&format!("{id} {name}"), one, expected);
    }
}

fn dimension(what: &str, found: &Explained, expected: &Value) {
    let names: Vec<&str> = found.elements.iter().map(|element| element.name.as_str()).collect();
    let elements = expected["elements"].as_array().expect("elements");
    for (element, expected) in found.elements.iter().zip(elements) {
        assert_eq!(json!(element.name), expected["element"], "{what}");
        agrees(what, element.explanatory_power, &expected["explanatory_power"], 1e-9);
        agrees(what, element.surprise, &expected["surprise"], 1e-9);
    }
    let candidate: Vec<&str> = found.candidate.iter().map(|place| names[*place]).collect();
    assert_eq!(json!(candidate), expected["candidate"], "{what}");
    agrees(what, found.explains, &expected["explains"], 1e-9);
    agrees(what, found.surprise, &expected["surprise"], 1e-9);
    assert_eq!(json!(found.is_accepted), expected["accepted"], "{what}");
}
