//! Who may import whom. The rule is in `docs/decisions/0001-where-things-live.md`.

use std::collections::BTreeSet;
use std::path::Path;

const OURS: [&str; 9] =
    ["domain", "service", "engine", "sql", "collector", "analyzer", "alerter", "dashboards", "leeway"];

/// Each crate with those of ours that it may import.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("service", &["domain"]),
    ("engine", &["service"]),
    ("sql", &["domain"]),
    ("collector", &["domain", "service", "sql"]),
    ("analyzer", &["domain", "service", "sql"]),
    ("alerter", &["domain", "service", "sql"]),
    ("dashboards", &["domain", "service", "sql"]),
    ("leeway", &["domain", "service", "engine", "sql", "collector", "analyzer", "alerter", "dashboards"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace holds this crate")
}

/// Those of ours that a crate's manifest names outside of its development dependencies.
fn imports(name: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = text.parse().expect("a manifest in TOML");
    let dependencies = manifest["dependencies"].as_table().expect("a table of dependencies");
    dependencies.keys().filter(|key| OURS.contains(&key.as_str())).cloned().collect()
}

#[test]
fn every_crate_imports_only_what_it_may() {
    for (name, allowed) in ALLOWED {
        let allowed: BTreeSet<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let forbidden: Vec<_> = imports(name).difference(&allowed).cloned().collect();
        assert!(forbidden.is_empty(), "{name} imports {forbidden:?}, which it may not");
    }
}

#[test]
fn the_rule_names_every_crate_of_the_workspace() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).expect("the workspace's manifest");
    let manifest: toml::Table = text.parse().expect("TOML");
    let members = manifest["workspace"]["members"].as_array().expect("members");
    let members: BTreeSet<&str> = members.iter().filter_map(|member| member.as_str()).collect();
    let ruled: BTreeSet<&str> = OURS.into_iter().chain(["tests"]).collect();
    assert_eq!(members, ruled);
}

#[test]
fn sql_text_stands_only_in_the_sql_crate() {
    let statements = ["INSERT INTO ", "SELECT ", "ALTER TABLE ", "CREATE TABLE "];
    for name in ["domain", "service", "collector", "analyzer", "alerter", "dashboards"] {
        for file in rust_files(&root().join(name).join("src")) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let found: Vec<_> = code.filter(|line| statements.iter().any(|sql| line.contains(sql))).collect();
            assert!(found.is_empty(), "{} holds SQL: {found:?}", file.display());
        }
    }
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
