//! Two windows of a model, and a named baseline, from what is counted.

use std::fmt::Write as _;
use std::process::{Command, Output};

use serde_json::Value;
use sql::Store;
use tests::{Folder, executable};

use super::files::{assert_obeys_its_schema, noise, said, signal};

/// Four days, an event a minute; from the third day on it is warmer, and half of the departures are somewhere new.
fn events() -> String {
    let mut text = "id,at,origin,gate,temp,score\n".to_owned();
    for row in 0..5_760_u64 {
        let (day, hour, minute) = (1 + row / 1_440, row / 60 % 24, row % 60);
        let is_late = row >= 2_880;
        let origin = if is_late && row % 2 == 0 { "SWF" } else { "JFK" };
        let gate = if row / 2 % 3 == 0 { "A" } else { "B" };
        let temp = noise(row) * 20.0 + if is_late { 8.0 } else { 0.0 };
        writeln!(text, "e{row},2026-01-{day:02} {hour:02}:{minute:02}:00,{origin},{gate},{temp:.2},0.5")
            .expect("text");
    }
    text
}

struct World {
    folder: Folder,
    config: String,
}

impl World {
    fn new(store: &Store) -> Self {
        let folder = Folder::new();
        let config = store.config();
        let text = format!(
            "[clickhouse]\nurl = \"{}\"\nuser = \"{}\"\npassword = \"{}\"\ndatabase = \"{}\"\n[collector.grids]\nlead_ms = 2000\nrefresh_ms = 500\n",
            config.url, config.user, config.password, config.database
        );
        let path = folder.path().join("leeway.toml");
        std::fs::write(&path, text).expect("a configuration");
        Self { config: path.display().to_string(), folder }
    }

    fn leeway(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(executable());
        command.args(arguments).args(["--config", &self.config]).output().expect("the executable starts")
    }

    fn report(&self, arguments: &[&str]) -> Value {
        let output =
            self.leeway(&[&["compare", "--model", "flights", "--format", "json"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_obeys_its_schema(&report);
        report
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_of_a_model_are_compared_from_its_counts() {
    let store = tests::fresh_store().await;
    let world = World::new(&store);
    let file = world.folder.path().join("departures.csv");
    std::fs::write(&file, events()).expect("a file");
    let file = file.display().to_string();
    let import =
        ["import", &file, "--model", "flights", "--id", "id", "--timestamp", "at", "--prediction", "score"];
    let output = world.leeway(&import);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let [healthy, moved] = ["2026-01-01..2026-01-02", "2026-01-03..2026-01-05"];
    let report = world.report(&["--baseline-window", healthy, "--current-window", moved]);
    assert_eq!((&report["baseline"]["rows"], &report["current"]["rows"]), (&1_440.into(), &2_880.into()));
    let (verdict, sentence) = said(&report, "feature.temp");
    assert!(verdict == "off_course" && sentence.contains("before"), "{sentence}");
    // Of uniform values over 20 that moved by 8: D is 0.4, within the width of a bin.
    let temp = signal(&report, "feature.temp");
    assert!((temp["ks"].as_f64().expect("a distance") - 0.4).abs() < 0.04, "{temp:#}");
    assert!((temp["wasserstein"].as_f64().expect("a distance") - 8.0).abs() < 0.5, "{temp:#}");
    let origin = signal(&report, "feature.origin");
    assert_eq!(
        (&origin["verdict"], &origin["unseen_share"]),
        (&"off_course".into(), &0.5.into()),
        "{origin:#}"
    );
    assert_eq!(said(&report, "prediction.score").0, "on_course");

    a_segment_that_nobody_watches_is_compared_from_raw_events(&world, [healthy, moved]);

    let calm = world.report(&["--baseline-window", healthy, "--current-window", "2026-01-02..2026-01-03"]);
    assert!(
        calm["signals"].as_array().expect("a list").iter().all(|signal| signal["verdict"] == "on_course"),
        "{calm:#}"
    );

    // Two empty windows, and one.
    let nothing = world.report(&[
        "--baseline-window",
        "2025-01-01..2025-01-02",
        "--current-window",
        "2025-02-01..2025-02-02",
    ]);
    assert_eq!(nothing["signals"], Value::Array(Vec::new()));
    let ended = world.report(&["--baseline-window", healthy, "--current-window", "2025-02-01..2025-02-02"]);
    assert_eq!(said(&ended, "feature.temp").0, "too_little_data", "{ended:#}");

    let create = ["baseline", "create", "--model", "flights", "--name", "calm", "--window", healthy];
    let output = world.leeway(&create);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let named = world.report(&["--baseline", "calm", "--current-window", moved]);
    assert_eq!(named["signals"], report["signals"]);
    let gate = [
        "compare",
        "--model",
        "flights",
        "--baseline",
        "calm",
        "--current-window",
        moved,
        "--fail-on",
        "drift",
    ];
    assert_eq!(world.leeway(&gate).status.code(), Some(1));
    let unknown =
        world.leeway(&["compare", "--model", "flights", "--baseline", "x", "--current-window", moved]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("known: calm"), "{said}");
}

fn a_segment_that_nobody_watches_is_compared_from_raw_events(world: &World, [healthy, moved]: [&str; 2]) {
    let windows = ["--baseline-window", healthy, "--current-window", moved];
    let of = |segment: &[&str]| world.report(&[windows.as_slice(), segment].concat());
    let jfk = of(&["--segment", "origin=JFK"]);
    assert_eq!((&jfk["baseline"]["rows"], &jfk["current"]["rows"]), (&1_440.into(), &1_440.into()));
    assert_eq!(
        jfk["current"]["source"],
        format!("flights (production) 2026-01-03T00:00:00Z..2026-01-05T00:00:00Z where origin is JFK")
    );
    // Every second flight, of the same law: as far apart as all of them, and from one place only.
    let temp = signal(&jfk, "feature.temp");
    assert_eq!((&temp["n_current"], &temp["missing_current"]), (&1_440.into(), &0.into()), "{temp:#}");
    assert!((temp["ks"].as_f64().expect("a distance") - 0.4).abs() < 0.05, "{temp:#}");
    assert!((temp["wasserstein"].as_f64().expect("a distance") - 8.0).abs() < 0.7, "{temp:#}");
    assert_eq!(said(&jfk, "feature.origin").0, "on_course");
    let both = of(&["--segment", "origin=JFK", "--segment", "gate=A"]);
    assert_eq!((&both["baseline"]["rows"], &both["current"]["rows"]), (&480.into(), &480.into()));
    let new = of(&["--segment", "origin=SWF"]);
    assert_eq!((&new["baseline"]["rows"], &new["current"]["rows"]), (&0.into(), &1_440.into()));
    assert_eq!(said(&new, "feature.temp").0, "too_little_data");
    let whole = ["compare", "--model", "flights"];
    for (segment, expected) in [
        ("temp=3", "flights has no category \"temp\" to make a segment of (known: gate, origin; or a tag"),
        ("origin", "a segment is a category or tag and its value, such as country=BR"),
    ] {
        let output = world.leeway(&[whole.as_slice(), &windows, &["--segment", segment]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(expected), "{said}");
    }
}
