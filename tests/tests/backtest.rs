//! `leeway backtest` as a program, over weeks of counts on the real engine: it tells what would have been told, and stores
//! nothing.

#[path = "calibration/recorded.rs"]
#[expect(dead_code, reason = "the other tests of recorded weeks use the rest")]
mod recorded;

use std::process::Stdio;

use analyzer::Replay;
use domain::contract::Contract;
use domain::evaluation::Verdict;
use domain::time::Interval;
use recorded::{AMOUNT, MODEL, Recorded, SCORE, at, day, hourly};

/// Five weeks, of which in the last three hours the values moved.
async fn five_weeks() -> Recorded {
    let watch = hourly(day(28));
    let mut recorded = Recorded::new(Contract { watches: vec![watch], ..Contract::default() }).await;
    recorded.write(0, day(35) - 10, |_| 0.0).await;
    recorded.write(day(35) - 10, day(35) - 6, |_| 0.5).await;
    recorded.write(day(35) - 6, day(35), |_| 0.0).await;
    recorded
}

#[tokio::test]
async fn a_replay_says_what_the_analyzer_says_and_stores_nothing() {
    let recorded = five_weeks().await;
    let replay = Replay {
        model: MODEL.to_owned(),
        environment: String::new(),
        stretch: Interval::new(at(day(28)), at(day(35))),
    };
    let config = analyzer::Config::default();
    let mut told = Vec::new();
    let replayed = analyzer::replay(&config, &recorded.context, &recorded.store, &replay, |progress| {
        told.push(progress.part);
    })
    .await
    .expect("a replay");
    assert_eq!(replayed.windows, 7 * 24);
    assert!(told.is_sorted() && told.last() == Some(&1.0), "progress goes up to the end: {told:?}");
    let stored = tests::text(&recorded.store, "SELECT count() FROM evaluations").await;
    assert_eq!(stored.trim(), "0", "a replay stores nothing");
    let again = five_weeks().await;
    again.pass(&mut again.analyzer(), day(35)).await;
    for signal in [AMOUNT, SCORE] {
        let said = again.said("verdict, sentence", signal, day(28)).await;
        let said: Vec<&String> = said.iter().filter(|line| line.starts_with("off_course")).collect();
        let replayed: Vec<String> = replayed
            .evaluations
            .iter()
            .filter(|one| one.subject.signal == signal && one.verdict == Verdict::OffCourse)
            .map(|one| format!("off_course\t{}", one.sentence))
            .collect();
        assert!(!replayed.is_empty());
        assert_eq!(said, replayed.iter().collect::<Vec<_>>(), "{signal}");
    }
}

/// The program with the store of the tests, and what it printed.
async fn backtest(recorded: &Recorded, folder: &tests::Folder, arguments: &[&str]) -> std::process::Output {
    backtest_by(&recorded.configuration(""), folder, arguments).await
}

async fn backtest_by(
    configuration: &str,
    folder: &tests::Folder,
    arguments: &[&str],
) -> std::process::Output {
    let config = folder.path().join("leeway.toml");
    std::fs::write(&config, configuration).expect("a file");
    tokio::process::Command::new(tests::executable())
        .args(["backtest", "--model", MODEL, "--from", "2026-03-30", "--to", "2026-04-06", "--config"])
        .arg(&config)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the program runs")
}

#[tokio::test]
async fn the_command_counts_pages_and_tickets_and_compares_two_configurations() {
    let recorded = five_weeks().await;
    let folder = tests::Folder::new();
    let deaf = folder.path().join("deaf.toml");
    let floors = "[analyzer.floors]\nfeature_psi = 9.0\nprediction_psi = 9.0\nstart_psi = 9.0\n";
    std::fs::write(&deaf, recorded.configuration(floors)).expect("a file");
    let deaf = deaf.display().to_string();
    let json = backtest(&recorded, &folder, &["--against", &deaf, "--format", "json"]).await;
    assert!(json.status.success(), "{}", String::from_utf8_lossy(&json.stderr));
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let (this, other) = (&report["configurations"][0], &report["configurations"][1]);
    assert_eq!((&this["pages"], &other["pages"]), (&1.into(), &0.into()), "{report:#}");
    assert_eq!(report["differences"]["only_this"].as_array().map(Vec::len), Some(1));
    let incident = &this["incidents"][0];
    assert_eq!(incident["since"], "2026-04-05T14:00:00Z");
    assert!(incident["why"].as_str().is_some_and(|why| why.contains("PSI")), "{incident}");
    assert_eq!(this["strip"].as_array().map(Vec::len), Some(7));
    assert_eq!(this["strip"][6]["pages"], 1);
    for (format, expected) in
        [("text", "  2026-03-30  ······P\n"), ("markdown", "| told at |"), ("html", "<h2>")]
    {
        let told = backtest(&recorded, &folder, &["--format", format]).await;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.contains(expected), "{format}: {told}");
    }
    let stored = tests::text(&recorded.store, "SELECT count() FROM evaluations").await;
    assert_eq!(stored.trim(), "0", "a backtest stores nothing");
}

#[tokio::test]
async fn a_contract_that_was_stated_by_the_api_is_replayed_like_one_of_the_configuration() {
    let recorded = five_weeks().await;
    let folder = tests::Folder::new();
    let watch = domain::contract::Watch { name: "live".to_owned(), step_s: 3_600, ..Default::default() };
    let stated = sql::contracts::StoredContract {
        model: MODEL.to_owned(),
        version: 1,
        contract: Contract { watches: vec![watch], ..Contract::default() },
        actor: "a test".to_owned(),
        written_at: at(0),
    };
    assert!(recorded.store.write_contract(&stated).await.expect("written"));
    let configured = backtest(&recorded, &folder, &["--format", "json"]).await;
    let by_api = backtest_by(&recorded.connection(), &folder, &["--format", "json"]).await;
    assert!(configured.status.success() && by_api.status.success());
    let read = |output: &std::process::Output| -> serde_json::Value {
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    assert_eq!(read(&by_api), read(&configured));
    assert_eq!(read(&by_api)["configurations"][0]["pages"], 1);
}

#[tokio::test]
async fn what_cannot_be_replayed_is_refused_with_the_reason() {
    let recorded = five_weeks().await;
    let folder = tests::Folder::new();
    let unknown = backtest(&recorded, &folder, &["--environment", "nowhere"]).await;
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(!unknown.status.success() && said.contains("model \"payments\" has no events"), "{said}");
}
