//! The command line as people meet it: help with examples, configuration that is checked, a system that stops.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use leeway::config::Config;
use tests::{Folder, Process, eventually, executable, free_port};

fn leeway(arguments: &[&str]) -> Output {
    Command::new(executable()).args(arguments).output().expect("the executable starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/leeway.toml")
}

/// The names that `leeway --help` lists.
fn commands() -> Vec<String> {
    let help = said(&leeway(&["--help"]));
    let list = help
        .split("Commands:")
        .nth(1)
        .expect("a list of commands")
        .split("Options:")
        .next()
        .expect("its end");
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let commands = commands();
    assert!(commands.len() >= 13, "{commands:?}");
    for command in commands {
        let help = match command.as_str() {
            "baseline" => said(&leeway(&["baseline", "create", "--help"])),
            command => said(&leeway(&[command, "--help"])),
        };
        assert!(help.contains("Example"), "`leeway {command} --help` has no example:\n{help}");
        assert!(help.contains(&format!("leeway {command}")), "{help}");
    }
}

#[test]
fn the_sample_shows_every_default_as_it_is() {
    let sample = Config::load(Some(&samples())).expect("the sample is in order");
    let stated = Config { models: Default::default(), ..sample.clone() };
    assert_eq!(format!("{stated:#?}"), format!("{:#?}", Config::default()));
    let watches = sample.models["fraud"].watches();
    assert_eq!(
        watches,
        domain::contract::Contract::default().watches(),
        "the sample's watch is the default one"
    );
}

#[test]
fn what_is_wrong_with_a_configuration_is_named() {
    let folder = Folder::new();
    let cases = [
        ("[collector]\nlisen = \"x\"", "lisen"),
        ("[collector]\nlisten = \"0.0.0.0:80\"", "collector.tokens"),
        ("[dashboards]\nlisten = \"0.0.0.0:80\"", "dashboards.users"),
        (
            "[[dashboards.tokens]]\nname = \"ci\"\nscopes = [\"read\"]",
            "dashboards.tokens: \"ci\" has neither hash",
        ),
        ("[models.fraud.objectives]\navailability = 99.9", "models.fraud.objectives.availability"),
        ("[[alerter.routes]]\nchannels = [\"pager\"]", "channel \"pager\" does not exist"),
        ("[analyzer]\nphi = 0.5", "phi"),
        ("[collector", "line 1"),
    ];
    for (text, expected) in cases {
        let file = folder.path().join("wrong.toml");
        std::fs::write(&file, text).expect("written");
        let output = leeway(&["check", "--config", &file.display().to_string()]);
        let said = said(&output);
        assert!(!output.status.success(), "{text} passed");
        assert!(said.contains(expected) && said.contains("wrong.toml"), "{text} is answered with:\n{said}");
    }
    let sample = leeway(&["check", "--config", &samples().display().to_string()]);
    assert!(sample.status.success(), "{}", said(&sample));
}

#[test]
fn a_role_without_a_store_says_what_to_do() {
    let folder = Folder::new();
    let output = leeway(&["analyzer", "--data", &folder.path().display().to_string()]);
    assert!(!output.status.success());
    assert!(said(&output).contains("clickhouse.url"), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_answers_sql_while_it_runs_and_after_it_stopped() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let [collector, analyzer, alerter, pages] = std::array::from_fn(|_| free_port());
    let text = format!(
        "data_dir = \"{}\"\n[collector]\nlisten = \"127.0.0.1:{collector}\"\n[analyzer]\nlisten = \"127.0.0.1:{analyzer}\"\n\
         [alerter]\nlisten = \"127.0.0.1:{alerter}\"\n[dashboards]\nlisten = \"127.0.0.1:{pages}\"\n",
        data.display()
    );
    let config = folder.path().join("leeway.toml");
    std::fs::write(&config, text).expect("written");
    let name = config.display().to_string();
    let system = Process::start(&["up"], &config, &folder.path().join("log"));
    let client = service::http::client(tests::PATIENCE);
    for port in [collector, analyzer, alerter, pages] {
        eventually("every role is ready", async || {
            let answer = client.get(format!("http://127.0.0.1:{port}/readyz")).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    let tables = ["sql", "SHOW TABLES LIKE 'signal_minutes'", "--format", "TSV", "--config", &name];
    assert_eq!(said(&leeway(&tables)), "signal_minutes\n");
    let second = leeway(&["up", "--config", &name]);
    assert!(!second.status.success());
    assert!(said(&second).contains("process"), "a second start says who holds the folder: {}", said(&second));

    let status = system.terminate().await;
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    assert!(status.success(), "{status}\n{log}");
    assert_eq!(said(&leeway(&tables)), "signal_minutes\n");
}
