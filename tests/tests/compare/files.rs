//! Files of every kind, the command's output in every form, and what the other tests stand on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::Value;
use tests::{Folder, executable};

/// Columns of one length.
pub type Columns = Vec<(&'static str, ArrayRef)>;

pub fn numbers(values: impl IntoIterator<Item = impl Into<Option<f64>>>) -> ArrayRef {
    Arc::new(values.into_iter().map(Into::into).collect::<Float64Array>())
}

pub fn texts<'a>(values: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> ArrayRef {
    Arc::new(values.into_iter().map(Into::into).collect::<StringArray>())
}

pub fn write(path: &Path, columns: &[(impl AsRef<str>, ArrayRef)]) {
    let named = columns.iter().map(|(name, values)| (name.as_ref(), values.clone(), true));
    let batch = RecordBatch::try_from_iter_with_nullable(named).expect("columns of one length");
    let file = std::fs::File::create(path).expect("a new file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

/// Two Parquet files in a folder of their own.
pub struct Two {
    _folder: Folder,
    pub baseline: PathBuf,
    pub current: PathBuf,
}

impl Two {
    pub fn of(baseline: &[(impl AsRef<str>, ArrayRef)], current: &[(impl AsRef<str>, ArrayRef)]) -> Self {
        let folder = Folder::new();
        let [one, other] =
            ["baseline", "current"].map(|name| folder.path().join(name).with_extension("parquet"));
        write(&one, baseline);
        write(&other, current);
        Self { _folder: folder, baseline: one, current: other }
    }

    pub fn run(&self, further: &[&str]) -> Output {
        run(&self.baseline, &self.current, further)
    }

    pub fn report(&self) -> Value {
        report(&self.baseline, &self.current)
    }
}

pub fn run(baseline: &Path, current: &Path, further: &[&str]) -> Output {
    let command = Command::new(executable()).arg("compare").args([baseline, current]).args(further).output();
    command.expect("the executable starts")
}

/// The JSON of a comparison, which obeys its schema and has neither NaN nor infinities.
pub fn report(baseline: &Path, current: &Path) -> Value {
    let output = run(baseline, current, &["--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    assert_obeys_its_schema(&report);
    report
}

pub fn assert_obeys_its_schema(report: &Value) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compare.schema.json");
    let schema = std::fs::read_to_string(schema).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> =
        validator.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}\n{report:#}");
}

pub fn signal<'a>(report: &'a Value, name: &str) -> &'a Value {
    let signals = report["signals"].as_array().expect("a list");
    signals
        .iter()
        .find(|signal| signal["signal"] == name)
        .unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

/// A signal's verdict and sentence.
pub fn said<'a>(report: &'a Value, name: &str) -> (&'a str, &'a str) {
    let signal = signal(report, name);
    (signal["verdict"].as_str().expect("a verdict"), signal["sentence"].as_str().expect("a sentence"))
}

/// A number that looks random and is the same each time.
pub fn noise(row: u64) -> f64 {
    let mut hash = (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ hash >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

const AIRPORTS: [&str; 3] = ["JFK", "LGA", "EWR"];

fn flights(rows: u64, warmer: f64) -> Columns {
    let airport = |row: u64| AIRPORTS[(noise(row + 7) * 3.0) as usize];
    vec![
        ("temp", numbers((0..rows).map(|row| noise(row) * 30.0 + warmer))),
        ("humid", numbers((0..rows).map(|row| if row % 9 == 0 { None } else { Some(noise(row + 5_000)) }))),
        ("seats", Arc::new((0..rows).map(|row| Some((noise(row + 9) * 5.0) as i64)).collect::<Int64Array>())),
        ("origin", texts((0..rows).map(airport))),
        ("late", Arc::new((0..rows).map(|row| Some(noise(row + 3) < 0.2)).collect::<BooleanArray>())),
    ]
}

#[test]
fn the_json_has_the_promised_fields_in_their_order() {
    let report = Two::of(&flights(1_000, 0.0), &flights(800, 6.0)).report();
    let fields: Vec<&str> = report.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(fields, ["baseline", "current", "signals"]);
    let fields: Vec<&str> =
        report["signals"][0].as_object().expect("an object").keys().map(String::as_str).collect();
    let promised = [
        "signal",
        "kind",
        "n_baseline",
        "n_current",
        "missing_baseline",
        "missing_current",
        "invalid_baseline",
        "invalid_current",
        "psi",
        "jensen_shannon_distance",
        "hellinger",
        "total_variation",
        "ks",
        "ks_p",
        "wasserstein",
        "wasserstein_sd",
        "cramer_von_mises",
        "chi2",
        "chi2_p",
        "cramers_v",
        "unseen_share",
        "verdict",
        "sentence",
    ];
    assert_eq!(fields, promised);
    // The column that moved stands first; what does not apply is null.
    let moved = &report["signals"][0];
    assert_eq!((&moved["signal"], &moved["verdict"]), (&"temp".into(), &"off_course".into()), "{report:#}");
    assert!(moved["chi2"].is_null() && moved["ks"].is_number());
    let origin = signal(&report, "origin");
    assert!(origin["ks"].is_null() && origin["wasserstein"].is_null() && origin["chi2"].is_number());
    assert_eq!((&report["baseline"]["rows"], &report["current"]["rows"]), (&1_000.into(), &800.into()));
    let humid = signal(&report, "humid");
    assert_eq!((&humid["n_current"], &humid["missing_current"]), (&711.into(), &89.into()));
    assert_eq!(
        (&signal(&report, "late")["kind"], &signal(&report, "seats")["kind"]),
        (&"category".into(), &"number".into())
    );
}

/// The same rows as CSV or NDJSON.
fn written(path: &Path, columns: &[(&'static str, ArrayRef)]) {
    let is_csv = path.extension().is_some_and(|ending| ending == "csv");
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut text = if is_csv { names.join(",") + "\n" } else { String::new() };
    let shown: Vec<_> = columns
        .iter()
        .map(|(_, values)| {
            let options = arrow::util::display::FormatOptions::new();
            arrow::util::display::ArrayFormatter::try_new(values.as_ref(), &options).expect("showable");
            values.clone()
        })
        .collect();
    for row in 0..shown[0].len() {
        let cells = shown.iter().zip(&names).filter_map(|(values, name)| {
            let text = arrow::util::display::array_value_to_string(values, row).expect("a value");
            let is_text = values.data_type() == &arrow::datatypes::DataType::Utf8;
            match (is_csv, values.is_null(row)) {
                (true, true) => Some(String::new()),
                (true, false) => Some(text),
                (false, true) => None,
                (false, false) if is_text => Some(format!("\"{name}\":\"{text}\"")),
                (false, false) => Some(format!("\"{name}\":{text}")),
            }
        });
        let cells: Vec<String> = cells.collect();
        text += &if is_csv { cells.join(",") + "\n" } else { format!("{{{}}}\n", cells.join(",")) };
    }
    std::fs::write(path, text).expect("written");
}

#[test]
fn the_same_rows_get_the_same_answer_however_they_are_written() {
    let folder = Folder::new();
    let (baseline, current) = (flights(900, 0.0), flights(700, 6.0));
    let path = |name: &str| folder.path().join(name);
    write(&path("a.parquet"), &baseline);
    write(&path("b.parquet"), &current);
    let expected = report(&path("a.parquet"), &path("b.parquet"));
    for ending in ["csv", "ndjson"] {
        let [one, other] = ["a", "b"].map(|name| path(name).with_extension(ending));
        written(&one, &baseline);
        written(&other, &current);
        assert_eq!(report(&one, &other)["signals"], expected["signals"], "{ending}");
        // And one of each.
        assert_eq!(report(&one, &path("b.parquet"))["signals"], expected["signals"], "{ending} and Parquet");
    }
}

#[test]
fn people_get_a_table_a_page_and_markdown() {
    let two = Two::of(&flights(1_000, 0.0), &flights(800, 6.0));
    let table = two.run(&[]);
    let text = String::from_utf8(table.stdout).expect("UTF-8");
    assert!(table.status.success());
    assert!(text.starts_with("1 of 5 signals is off course"), "{text}");
    assert!(text.contains("temp moved, as far as a shift of 1."), "{text}");
    assert!(!text.contains('\x1b'), "no colours where nobody looks: {text}");
    let markdown = String::from_utf8(two.run(&["--format", "markdown"]).stdout).expect("UTF-8");
    assert!(markdown.contains("| temp | off course |"), "{markdown}");
    let html = String::from_utf8(two.run(&["--format", "html"]).stdout).expect("UTF-8");
    assert!(html.starts_with("<!doctype html>") && html.contains("<tr class=\"off_course\">"), "{html}");
}

#[test]
fn a_report_goes_into_a_file_and_columns_are_chosen() {
    let two = Two::of(&flights(300, 0.0), &flights(300, 6.0));
    let path = two.baseline.with_file_name("report.json");
    let name = path.display().to_string();
    let output =
        two.run(&["--format", "json", "--output", &name, "--columns", "temp,origin", "--ignore", "temp"]);
    assert!(output.status.success() && output.stdout.is_empty());
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the report")).expect("JSON");
    let names: Vec<&str> = report["signals"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|signal| signal["signal"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["origin"]);
    assert_obeys_its_schema(&report);
}
