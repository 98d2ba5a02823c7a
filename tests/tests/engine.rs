//! The embedded engine as a user of Leeway meets it: through the executable.
#![cfg(feature = "leeway")]

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tests::{Folder, OwnEngine, executable};
use tokio::process::Command;

/// Runs Leeway on a data directory, with nothing of the environment's own configuration.
async fn leeway(arguments: &[&str], data_dir: &Path, change: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(executable());
    command
        .args(arguments)
        .arg("--data")
        .arg(data_dir)
        .stdin(Stdio::null())
        .current_dir(std::env::temp_dir());
    change(&mut command);
    command.output().await.expect("it runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn the_store_can_be_asked_whether_a_system_runs_or_not() {
    let own = OwnEngine::start().await;
    let data_dir: PathBuf = own.data_dir().to_owned();
    let migrated = leeway(&["migrate"], &data_dir, |_| {}).await;
    assert!(migrated.status.success(), "{}", said(&migrated));
    let ask = ["sql", "SELECT count() FROM predictions", "--format", "TSV"];
    let running = leeway(&ask, &data_dir, |_| {}).await;
    assert_eq!(String::from_utf8_lossy(&running.stdout), "0\n", "{}", said(&running));
    assert!(own.engine.pid().is_some(), "asking does not stop what runs");
    own.engine.stop().await.expect("a clean stop");
    let stopped = leeway(&ask, &data_dir, |_| {}).await;
    assert_eq!(String::from_utf8_lossy(&stopped.stdout), "0\n", "{}", said(&stopped));
    assert!(engine::running(&data_dir).is_none(), "whoever only asks leaves nothing running");
}

#[tokio::test]
async fn a_second_system_on_a_data_directory_says_who_holds_it() {
    let own = OwnEngine::start().await;
    let second = leeway(&["up"], own.data_dir(), |_| {}).await;
    assert!(!second.status.success());
    let holder = format!("in use by process {} since 2", std::process::id());
    assert!(said(&second).contains(&holder), "{}", said(&second));
    own.engine.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn without_library_and_npm_the_ways_out_are_named_once() {
    let folder = Folder::new();
    let bare = leeway(&["sql", "SELECT 1"], folder.path(), |command| {
        command.env_clear().env("PATH", folder.path()).env("LEEWAY_CACHE_DIR", folder.path().join("cache"));
    })
    .await;
    assert!(!bare.status.success());
    let message = said(&bare);
    for way in ["install libchdb", "install npm", "set `clickhouse.url`"] {
        assert_eq!(message.matches(way).count(), 1, "{way}: {message}");
    }
}

#[tokio::test]
async fn the_hidden_command_says_that_it_is_not_for_people() {
    let folder = Folder::new();
    let alone = leeway(&["engine"], folder.path(), |_| {}).await;
    assert!(!alone.status.success());
    assert!(said(&alone).contains("started by Leeway itself"), "{}", said(&alone));
}
