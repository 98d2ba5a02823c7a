//! Every file of SQL, run on a migrated and filled database with values of every parameter's type.

use std::path::{Path, PathBuf};

use sql::Store;
use tests::{client, fresh_store};

use crate::batches::{Batch, START_S};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The parameters `{name:Type}` of a text, each once.
fn parameters(text: &str) -> Vec<(String, String)> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
    let mut found: Vec<(String, String)> = code
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}')?.0.split_once(':'))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// A value that the query can be asked with: what the filled database holds, where it matters.
fn sample(name: &str, kind: &str) -> String {
    match (name, kind) {
        ("table" | "target", "Identifier") => "signal_minutes".to_owned(),
        ("time", "Identifier") => "minute".to_owned(),
        ("model", _) => "m".to_owned(),
        ("environment", _) => "production".to_owned(),
        ("start" | "from" | "since", "Int64") => START_S.to_string(),
        ("end" | "until", "Int64") => (START_S + 3_600).to_string(),
        ("start_ms" | "from_ms", _) => (START_S * 1_000).to_string(),
        ("end_ms" | "to_ms", _) => ((START_S + 3_600) * 1_000).to_string(),
        ("signals", _) => "['feature.x','feature.c']".to_owned(),
        ("grids", _) => "[1,2]".to_owned(),
        ("numeric", _) => "['feature.x']".to_owned(),
        (_, kind) if kind.starts_with("Array") => "[]".to_owned(),
        (_, "String") => "x".to_owned(),
        _ => "1".to_owned(),
    }
}

/// `overview_traffic` reads traffic, all others that take a table read counts; only events know their batch.
fn sample_for(file: &Path, name: &str, kind: &str) -> String {
    if file.ends_with("rows_of_batch.sql") {
        match name {
            "table" => return "predictions".to_owned(),
            "time" => return "timestamp".to_owned(),
            _ => {}
        }
    }
    let reads_traffic = file.file_stem().is_some_and(|stem| stem.to_string_lossy().contains("traffic"));
    if reads_traffic && name == "table" { "traffic_minutes".to_owned() } else { sample(name, kind) }
}

async fn run(store: &Store, file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).expect("a query");
    let mut query = client(store).query_raw(&text);
    for (name, kind) in parameters(&text) {
        query = query.with_setting(format!("param_{name}"), sample_for(file, &name, &kind));
    }
    let writes = text.lines().any(|line| line.starts_with("INSERT INTO"));
    let outcome = match writes {
        true => query.execute().await,
        false => match query.fetch_bytes("JSONEachRow") {
            Ok(mut cursor) => cursor.collect().await.map(drop),
            Err(error) => Err(error),
        },
    };
    outcome.map_err(|error| format!("{}: {error}", file.display()))
}

#[tokio::test]
async fn every_query_file_is_answered() {
    let store = fresh_store().await;
    Batch::of_an_hour("m").insert(&store, "fill").await;
    let mut problems = Vec::new();
    let files = files(&folder().join("queries"), "sql");
    for file in &files {
        problems.extend(run(&store, file).await.err());
    }
    assert!(files.len() > 40, "only {} files found", files.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_query_file_is_asked_by_a_function() {
    let code: String = files(&folder().join("src"), "rs")
        .iter()
        .map(|file| std::fs::read_to_string(file).expect("a source file"))
        .collect();
    for file in files(&folder().join("queries"), "sql") {
        let name = file.strip_prefix(folder()).expect("below the folder").to_string_lossy().into_owned();
        assert!(code.contains(&format!("{name}\"")), "no function asks {name}");
    }
}
