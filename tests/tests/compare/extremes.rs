//! What breaks other monitors: one wild value, hardly any values, one value, no value, no row.

use std::sync::Arc;

use arrow::array::{ArrayRef, NullArray, TimestampSecondArray};
use tests::Folder;

use super::files::{Two, noise, numbers, report, run, said, signal, texts};

fn both(name: &'static str, baseline: ArrayRef, current: ArrayRef) -> serde_json::Value {
    Two::of(&[(name, baseline)], &[(name, current)]).report()
}

fn shifted(rows: u64, by: f64) -> impl Iterator<Item = f64> {
    (0..rows).map(move |row| noise(row + 17 * by as u64 + rows) + by)
}

#[test]
fn one_outlier_neither_hides_a_shift_nor_makes_one() {
    let wild = |values: Vec<f64>| numbers(values.into_iter().chain([1e9]));
    let same = both("x", numbers(shifted(2_000, 0.0)), wild(shifted(1_999, 0.0).collect()));
    let (verdict, sentence) = said(&same, "x");
    assert_eq!(verdict, "on_course", "{sentence}");
    assert!(sentence.contains("1 value lies far outside"), "{sentence}");
    for (baseline, current) in [
        (numbers(shifted(2_000, 0.0)), wild(shifted(1_999, 0.3).collect())),
        (wild(shifted(1_999, 0.0).collect()), numbers(shifted(2_000, 0.3))),
    ] {
        let moved = both("x", baseline, current);
        assert_eq!(said(&moved, "x").0, "off_course");
        assert!(signal(&moved, "x")["psi"].as_f64().expect("a PSI") > 0.5, "{moved:#}");
    }
    let scale = both("x", wild(shifted(1_999, 0.0).collect()), numbers(shifted(2_000, 0.3)));
    let ratio = signal(&scale, "x")["wasserstein_sd"].as_f64().expect("a ratio");
    assert!(ratio > 1.0, "the outlier in the baseline does not make its spread: {ratio}");
}

#[test]
fn a_collapse_into_nulls_is_said_even_where_the_few_values_left_are_the_same() {
    let sparse = (0..2_000).map(|row| (row % 20 == 0).then(|| noise(row)));
    let report = both("x", numbers((0..2_000).map(|row| noise(row + 99))), numbers(sparse));
    let (verdict, sentence) = said(&report, "x");
    assert_eq!(verdict, "off_course");
    assert!(sentence.contains("null in 95 % of 2,000 rows (0 % before)"), "{sentence}");
    assert_eq!(signal(&report, "x")["missing_current"], 1_900);
    // Nulls on both sides alike are no news.
    let sparse = || (0..2_000_u64).map(|row| (row % 20 == 0).then(|| noise(row)));
    assert_eq!(said(&both("x", numbers(sparse()), numbers(sparse())), "x").0, "on_course");
}

#[test]
fn a_constant_has_no_spread_and_is_still_seen_to_change() {
    let same = both("x", numbers([3.0; 200]), numbers([3.0; 100]));
    let (verdict, sentence) = said(&same, "x");
    assert_eq!(verdict, "on_course", "{sentence}");
    assert!(sentence.contains("is 3 as ever"), "{sentence}");
    assert_eq!((&signal(&same, "x")["psi"], &signal(&same, "x")["wasserstein"]), (&0.0.into(), &0.0.into()));
    assert!(signal(&same, "x")["wasserstein_sd"].is_null());
    // Its mean is no float: 0.1 has none.
    let tenth =
        both("x", numbers([0.1; 300]), numbers((0..300).map(|row| if row < 100 { 0.2 } else { 0.1 })));
    let (verdict, sentence) = said(&tenth, "x");
    assert_eq!(verdict, "off_course");
    assert!(sentence.contains("33 % of its values are no longer 0.1"), "{sentence}");
    assert!(signal(&tenth, "x")["wasserstein_sd"].is_null());
}

#[test]
fn a_column_of_ids_is_no_drift() {
    let names = |from: u64| (from..from + 3_000).map(|row| format!("user-{row}")).collect::<Vec<_>>();
    let (before, now) = (names(0), names(1_000_000));
    let report = both("id", texts(before.iter().map(String::as_str)), texts(now.iter().map(String::as_str)));
    let (verdict, sentence) = said(&report, "id");
    assert_eq!(verdict, "not_comparable", "{sentence}");
    assert!(sentence.contains("identifiers"), "{sentence}");
    assert_eq!(signal(&report, "id")["unseen_share"], 1.0);
    let numbered = |from: u64| numbers((from..from + 3_000).map(|row| row as f64));
    assert_eq!(said(&both("row", numbered(0), numbered(3_000)), "row").0, "not_comparable");
    // Values that are all different are not ids for that alone.
    let measured = both("x", numbers(shifted(3_000, 0.0)), numbers(shifted(3_000, 5.0)));
    assert_eq!(said(&measured, "x").0, "off_course");
}

#[test]
fn one_row_and_none_are_too_little_and_no_failure() {
    let one = both("x", numbers([1.0]), numbers([2.0]));
    let (verdict, sentence) = said(&one, "x");
    assert_eq!(verdict, "too_little_data", "{sentence}");
    assert_eq!((&signal(&one, "x")["ks"], &signal(&one, "x")["ks_p"]), (&1.0.into(), &1.0.into()));
    let category = both("c", texts(["a"]), texts(["b"]));
    assert_eq!(said(&category, "c").0, "too_little_data");
    let nothing = || numbers(std::iter::empty::<f64>());
    for (baseline, current, side) in [
        (nothing(), nothing(), "on either side"),
        (numbers([1.0; 50]), nothing(), "in the current data"),
        (nothing(), numbers([1.0; 50]), "in the baseline"),
    ] {
        let report = both("x", baseline, current);
        let (verdict, sentence) = said(&report, "x");
        assert_eq!(verdict, "too_little_data");
        assert!(sentence.contains(side), "{sentence}");
        assert!(signal(&report, "x")["psi"].is_null());
    }
}

#[test]
fn files_without_a_row_or_even_a_header_are_empty_and_nothing_is_gone() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("full.csv"), "x,c\n1,a\n2,b\n").expect("written");
    for (name, text) in [("empty.csv", ""), ("header.csv", "x,c\n"), ("empty.ndjson", "")] {
        std::fs::write(path(name), text).expect("written");
        let report = report(&path("full.csv"), &path(name));
        for column in ["x", "c"] {
            let (verdict, sentence) = said(&report, column);
            assert_eq!(verdict, "too_little_data", "{name}: {sentence}");
        }
        assert_eq!(report["current"]["rows"], 0);
    }
}

#[test]
fn columns_that_are_gone_new_or_of_another_type_are_said_to_be() {
    let rows = || numbers(shifted(200, 0.0));
    let words = || texts((0..200).map(|row| if row % 2 == 0 { "a" } else { "b" }));
    let nothing: ArrayRef = Arc::new(NullArray::new(200));
    let times: ArrayRef = Arc::new(TimestampSecondArray::from_iter_values(0..200));
    let two = Two::of(
        &[("gone", rows()), ("turned", rows()), ("emptied", words()), ("at", times.clone())],
        &[("turned", words()), ("emptied", nothing), ("fresh", words()), ("at", times)],
    );
    let report = two.report();
    let expected = [
        ("gone", "off_course", "gone: only the baseline has it"),
        ("fresh", "off_course", "is new"),
        ("turned", "off_course", "holds categories, and numbers in the baseline"),
        ("emptied", "off_course", "null in 100 % of 200 rows (0 % before)"),
    ];
    for (name, verdict, part) in expected {
        let said = said(&report, name);
        assert!(said.0 == verdict && said.1.contains(part), "{name}: {said:?}");
    }
    assert_eq!(signal(&report, "turned")["invalid_current"], 200);
    assert_eq!(report["signals"].as_array().map(Vec::len), Some(4), "a time is not compared");
    let noted = String::from_utf8(two.run(&[]).stderr).expect("UTF-8");
    assert!(noted.contains("\"at\"") && noted.contains("times: not compared"), "{noted}");
}

#[test]
fn values_that_are_none_are_invalid_and_a_column_that_stands_twice_is_two() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    let mut text = "x,x\n".to_owned();
    (0..100).for_each(|row| text += &format!("{},{}\n", row, row * 2));
    std::fs::write(path("a.csv"), &text).expect("written");
    (0..5).for_each(|_| text += "broken,1\ninf,NaN\n");
    std::fs::write(path("b.csv"), &text).expect("written");
    let report = report(&path("a.csv"), &path("b.csv"));
    assert_eq!(signal(&report, "x")["invalid_current"], 10);
    assert_eq!(signal(&report, "x (2)")["invalid_current"], 5);
    let (verdict, sentence) = said(&report, "x");
    assert!(
        verdict == "off_course" && sentence.contains("no usable value in 9.1 % of 110 rows"),
        "{sentence}"
    );
}

#[test]
fn numbers_at_the_ends_of_what_a_float_can_be_give_no_nan() {
    let wild = numbers((0..400).map(|row| if row % 2 == 0 { f64::MAX } else { f64::MIN }));
    let tiny = numbers((0..400).map(|row| f64::from_bits(row + 1)));
    let mixed = numbers((0..400).map(|row| [0.0, -0.0, f64::NAN, f64::INFINITY][row % 4]));
    for (one, other) in [(&wild, &tiny), (&tiny, &wild), (&mixed, &wild), (&mixed, &mixed), (&tiny, &tiny)] {
        let report = both("x", one.clone(), other.clone());
        assert!(!report.to_string().contains("NaN"), "{report:#}");
    }
}

#[test]
fn a_file_that_is_none_is_named() {
    let folder = Folder::new();
    let path = folder.path().join("a.parquet");
    std::fs::write(&path, "no Parquet").expect("written");
    let output = run(&path, &path, &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.contains("a.parquet is no Parquet file"), "{said}");
}
