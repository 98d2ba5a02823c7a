//! The gate: rules that catch, exit codes, and what is said about a rule that is wrong.

use super::files::{Two, noise, numbers, texts};

fn two() -> Two {
    let values = |by: f64| numbers((0..1_000).map(move |row| noise(row + by as u64) + by));
    let words = || texts((0..1_000).map(|row| if row % 3 == 0 { "a" } else { "b" }));
    Two::of(&[("x", values(0.0)), ("c", words())], &[("x", values(1.0)), ("c", words())])
}

#[test]
fn a_rule_that_catches_a_signal_is_exit_code_1_and_names_it() {
    let two = two();
    for rule in ["drift", "psi>0.2", "off_course", "wasserstein_sd >= 1", "missing_share>0.05,drift"] {
        let output = two.run(&["--fail-on", rule]);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{rule}: {said}");
        assert!(said.contains("caught 1 signal: x"), "{said}");
        assert!(!output.stdout.is_empty(), "the report is written whatever the rules say");
    }
    for rule in ["missing", "psi>1000", "unseen", "unseen_share>0", "absent"] {
        let output = two.run(&["--fail-on", rule, "--fail-on", "other_type"]);
        assert_eq!(output.status.code(), Some(0), "{rule}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // Without a rule, what is off course is an answer and no failure.
    assert_eq!(two.run(&[]).status.code(), Some(0));
    assert_eq!(two.run(&["--fail-on", "drift", "--columns", "c"]).status.code(), Some(0));
}

#[test]
fn a_gate_does_not_open_for_an_empty_side() {
    let none = || numbers(std::iter::empty::<f64>());
    let some = || numbers((0..100).map(noise));
    for two in [Two::of(&[("x", some())], &[("x", none())]), Two::of(&[("x", none())], &[("x", some())])] {
        let output = two.run(&["--fail-on", "missing"]);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("has no rows"), "{said}");
        assert_eq!(two.run(&[]).status.code(), Some(0), "without a rule there is no gate");
    }
}

#[test]
fn what_cannot_be_done_is_exit_code_2_and_says_what_would_be_right() {
    let two = two();
    let wrong = [
        (vec!["--fail-on", "psy>0.2"], "known statistics: psi, jensen_shannon_distance"),
        (vec!["--fail-on", "psi>much"], "\"much\""),
        (vec!["--columns", "y"], "known: x, c"),
        (vec!["--output", "/nowhere/at/all"], "cannot be written"),
        (vec!["--level", "5"], "between 0 and 1"),
        (vec!["--current-window", "2026-01-01..2026-01-02"], "cannot be used with"),
    ];
    for (arguments, expected) in wrong {
        let output = two.run(&arguments);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn the_correction_for_many_signals_decides_what_is_believed() {
    // 200 columns of noise: at a level of 5 % each, about ten would be called off course.
    let columns = |from: u64| -> Vec<(String, _)> {
        let column = |place: u64| (0..300).map(move |row| noise(from + place * 10_000 + row));
        (0..200).map(|place| (format!("x{place}"), numbers(column(place)))).collect()
    };
    let two = Two::of(&columns(0), &columns(77_000_000));
    for correction in ["bh", "by", "holm", "bonferroni"] {
        let output = two.run(&["--fail-on", "off_course", "--correction", correction]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let output = two.run(&["--fail-on", "off_course", "--level", "0.99"]);
    assert_eq!(output.status.code(), Some(1), "a level that believes nearly anything believes some of it");
}
