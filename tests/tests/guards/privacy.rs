//! Privacy, proven on everything that is left behind: no byte of a redacted value in any file, table, log or page.

use std::path::Path;

use collector::Config;
use domain::contract::Contract;
use serde_json::{Value, json};
use tests::{Folder, Process, eventually, free_port, fresh_store, tables_with, text};

use crate::contracts::contracts;
use crate::running::{Running, events};

/// Every secret of the test begins with this; the control's is not redacted.
const MARKER: &str = "xq7wmarker";
const CONTROL: &str = "xq7wcontrol";
/// A secret that is a number.
const SECRET_NUMBER: u64 = 7_392_618_405_273_946;

fn system(folder: &Folder, ports: [u16; 4]) -> String {
    let [collector, analyzer, alerter, pages] = ports;
    format!(
        r#"
        data_dir = "{data}"
        [collector]
        listen = "127.0.0.1:{collector}"
        [collector.privacy]
        key = "0123456789abcdef0123456789abcdef"
        [collector.grids]
        values = 1
        lead_ms = 2000
        refresh_ms = 200
        settle_ms = 500
        [analyzer]
        listen = "127.0.0.1:{analyzer}"
        [alerter]
        listen = "127.0.0.1:{alerter}"
        [dashboards]
        listen = "127.0.0.1:{pages}"
        [telemetry]
        log = "debug,hyper=info,h2=info"
        [models.secret]
        [models.secret.signals.ssn]
        privacy_class = "personal"
        allowed = ["nobody"]
        [models.secret.privacy]
        patterns = ["email"]
        [models.secret.privacy.classes]
        personal = "mask"
        [models.secret.privacy.fields]
        id = "hash"
        error = "drop"
        trace_id = "hash"
        name = "hash"
        note = "drop"
        street = {{ truncate = 2 }}
        friends = "hash"
        address = "drop"
        "tag.user" = "hash"
        "prediction.text" = "mask"
        "outcome.comment" = "hash"
        "#,
        data = folder.path().join("data").display()
    )
}

fn secret_event(n: usize) -> Value {
    let secret = |what: &str| format!("{MARKER}-{what}-{n}");
    json!({
        "id": secret("id"), "model": "secret", "error": secret("error"), "trace_id": secret("trace"),
        "features": {
            "ssn": secret("ssn"), "name": secret("name"), "note": secret("note"), "street": secret("street"),
            "friends": [secret("friend"), "other"], "address": {"city": secret("city")},
            "mail": format!("write to {MARKER}{n}@example.com"), "amount": n,
        },
        "prediction": {"text": secret("text"), "score": 0.5},
        "tags": {"user": secret("user")},
    })
}

/// Bodies that are refused, as a whole or in part, each with a secret in it.
fn bad_bodies() -> Vec<String> {
    let with = |field: &str, value: Value| {
        let mut event = secret_event(0);
        event[field] = value;
        event.to_string()
    };
    vec![
        with("timestamp", json!(format!("{MARKER}-timestamp"))),
        with("feature_timestamps", json!({"ssn": format!("{MARKER}-age")})),
        with("latency_ms", json!(format!("{MARKER}-latency"))),
        with("features", json!(format!("{MARKER}-features"))),
        format!("{{\"model\": \"secret\", \"features\": {{\"note\": \"{MARKER}-cut"),
        format!("[{{\"model\": \"secret\", \"features\": {{\"note\": \"{MARKER}-array\"}}}}"),
        format!("{MARKER} is no JSON"),
        with("id", json!({"in": format!("{MARKER}-in")})),
        with("tags", json!(format!("{MARKER}-tags"))),
        with("error", json!([format!("{MARKER}-errors")])),
        with("attributions", json!({"ssn": format!("{MARKER}-attribution")})),
        with("model", json!([format!("{MARKER}-model")])),
        json!([format!("{MARKER}-item")]).to_string(),
        json!(format!("{MARKER}-body")).to_string(),
    ]
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// Log records with a secret in each: a prediction, an outcome, and some that are wrong.
fn telemetry() -> Value {
    let named = |key: &str| attribute(key, &format!("{MARKER}-{key}"));
    let prediction = |more: Value| {
        let amount = json!({"key": "leeway.feature.amount", "value": {"doubleValue": 1.5}});
        let attributes = [
            named("leeway.id"),
            named("leeway.feature.ssn"),
            named("leeway.feature.note"),
            named("leeway.prediction.text"),
            named("leeway.tag.user"),
            named("leeway.error"),
            amount,
            more,
        ];
        json!({"attributes": attributes})
    };
    let evaluation = [
        attribute("event.name", "gen_ai.evaluation.result"),
        named("gen_ai.response.id"),
        attribute("gen_ai.evaluation.name", "comment"),
        named("gen_ai.evaluation.score.value"),
    ];
    let records = [
        prediction(named("leeway.feature.street")),
        json!({"attributes": evaluation}),
        prediction(named("leeway.latency_ms")),
        prediction(named("leeway.secret")),
        prediction(named("leeway.feature_timestamp.ssn")),
        // What the reader of JSON itself refuses.
        json!({"attributes": format!("{MARKER}-attributes")}),
        json!({"timeUnixNano": format!("{MARKER}-time")}),
        json!({"attributes": [{"key": "leeway.feature.ssn", "value": {"doubleValue": format!("{MARKER}-number")}}]}),
        json!({"traceId": format!("{MARKER}-trace")}),
    ];
    let resource = json!({"attributes": [attribute("leeway.model", "secret")]});
    json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]})
}

/// Requests of an inference that cannot be read, each with a secret in it.
fn bad_requests() -> Vec<Value> {
    let tensor = |shape: Value, datatype: &str| json!({"inputs": [{"name": "ssn", "shape": shape, "datatype": datatype, "data": [format!("{MARKER}-ssn")]}]});
    let word = || json!(format!("{MARKER}-word"));
    vec![
        json!({"inputs": word()}),
        json!({"inputs": SECRET_NUMBER}),
        json!({"inputs": [SECRET_NUMBER]}),
        tensor(word(), "BYTES"),
        tensor(json!([word()]), "BYTES"),
        tensor(json!([1]), &format!("{MARKER}-datatype")),
        tensor(json!([7]), "BYTES"),
        json!({"instances": word()}),
        json!({"instances": SECRET_NUMBER}),
        json!({"data": word()}),
        json!({"data": {"ndarray": SECRET_NUMBER}}),
        json!({"data": {"names": word(), "ndarray": [[1]]}}),
        json!({"strData": SECRET_NUMBER}),
        json!({"features": word()}),
        word(),
    ]
}

/// What clients tell of an inference, wrongly.
fn bad_feedback() -> [Value; 3] {
    let feedback = |data: Value| {
        json!({
            "specversion": "1.0", "id": format!("{MARKER}-told"), "source": "s", "type": "io.seldon.serving.feedback",
            "inferenceservicename": "secret", "requestid": format!("{MARKER}-asked"), "data": data,
        })
    };
    [
        feedback(json!({"truth": SECRET_NUMBER})),
        feedback(json!({"truth": {"data": {"ndarray": format!("{MARKER}-truth")}}})),
        feedback(json!({"told": format!("{MARKER}-nothing")})),
    ]
}

/// Events of our own in envelopes: one that is right, and some that are wrong, as events or as envelopes.
fn envelopes() -> Vec<String> {
    let envelope = |data: Value| json!({"specversion": "1.0", "id": "1", "source": "s", "type": "io.leeway.prediction", "data": data});
    let mut wrong = secret_event(60);
    wrong["latency_ms"] = json!(format!("{MARKER}-latency"));
    let mut nested = envelope(secret_event(61));
    nested["id"] = json!({"in": format!("{MARKER}-in")});
    let words = json!(format!("{MARKER}-words"));
    let attribute = |name: &str, value: Value| {
        let mut envelope = envelope(secret_event(63));
        envelope[name] = value;
        envelope
    };
    [
        envelope(secret_event(62)),
        envelope(wrong),
        envelope(words.clone()),
        nested,
        attribute("time", words.clone()),
        attribute("specversion", words.clone()),
        attribute("subject", json!([words])),
        attribute("partitionkey", json!(format!("{MARKER}-{}", "x".repeat(2_000)))),
        attribute("data_base64", words.clone()),
        attribute("data", json!(SECRET_NUMBER)),
        words,
    ]
    .map(|body| body.to_string())
    .into()
}

/// The files below a folder that hold a text.
fn files_with(folder: &Path, marker: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, marker));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(marker.len()).any(|window| window == marker.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

struct Client {
    http: reqwest::Client,
    collector: String,
    pages: String,
}

impl Client {
    async fn send(&self, path: &str, body: String) -> (u16, String) {
        self.send_as(path, "application/json", body).await
    }

    async fn send_as(&self, path: &str, kind: &str, body: String) -> (u16, String) {
        let request = self.http.post(format!("{}{path}", self.collector)).header("content-type", kind);
        let answer = request.body(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    /// One side of an inference, as a model server logs it.
    async fn log(&self, id: &str, part: &str, body: Value) {
        let request = self.http.post(format!("{}/v1/kserve", self.collector)).header("ce-specversion", "1.0");
        let request = request.header("ce-id", id).header("ce-source", "s");
        let request = request.header("ce-type", format!("org.kubeflow.serving.inference.{part}"));
        let request = request.header("ce-inferenceservicename", "secret").header("ce-endpoint", "default");
        let answer = request.body(body.to_string()).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    async fn page(&self, path: &str) -> String {
        let page = self.http.get(format!("{}{path}", self.pages)).send().await.expect("a page");
        page.text().await.expect("a text")
    }
}

async fn started(folder: &Folder) -> (Process, Client, sql::Store) {
    let ports: [u16; 4] = std::array::from_fn(|_| free_port());
    let file = folder.path().join("leeway.toml");
    std::fs::write(&file, system(folder, ports)).expect("written");
    let process = Process::start(&["up"], &file, &folder.path().join("log"));
    let client = Client {
        http: service::http::client(tests::PATIENCE),
        collector: format!("http://127.0.0.1:{}", ports[0]),
        pages: format!("http://127.0.0.1:{}", ports[3]),
    };
    for url in [&client.collector, &client.pages] {
        eventually("every role is ready", async || {
            let answer = client.http.get(format!("{url}/readyz")).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }
    let running = engine::running(&folder.path().join("data")).expect("the engine runs");
    let config = sql::Config {
        url: running.url,
        user: running.user,
        password: running.password,
        embedded: true,
        ..sql::Config::default()
    };
    (process, client, sql::Store::connect(&config).expect("a sound configuration"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_a_redacted_value_reaches_a_file_a_table_the_log_an_answer_or_a_page() {
    let folder = Folder::new();
    let (process, client, store) = started(&folder).await;
    let body = json!((0..50).map(secret_event).collect::<Vec<_>>()).to_string();
    let (status, answer) = client.send("/v1/predictions", body).await;
    assert_eq!((status, answer.contains("\"accepted\":50")), (200, true), "{answer}");
    for bad in bad_bodies() {
        let (status, answer) = client.send("/v1/predictions", bad).await;
        assert_eq!((status, answer.contains(MARKER)), (400, false), "{answer}");
    }
    let outcome = json!({
        "id": format!("{MARKER}-id-7"), "model": "secret",
        "outcome": {"comment": format!("{MARKER}-comment"), "late": true},
    });
    assert_eq!(client.send("/v1/outcomes", outcome.to_string()).await.0, 200);
    let items = json!({
        "id": format!("{MARKER}-id-of-nobody"), "model": "secret", "outcome": {"comment": [format!("{MARKER}-item")]},
    });
    assert_eq!(client.send("/v1/outcomes", items.to_string()).await.0, 200);
    let long = format!("{MARKER}-{}", "x".repeat(1_000));
    let long = json!({"id": "1", "model": "secret", "outcome": {"comment": [long]}});
    let (status, answer) = client.send("/v1/outcomes", long.to_string()).await;
    assert_eq!((status, answer.contains(MARKER)), (400, false), "{answer}");
    let id = format!("{MARKER}-logged");
    let tensor = |name: &str| json!({"name": name, "shape": [1], "datatype": "BYTES", "data": [format!("{MARKER}-{name}")]});
    client.log(&id, "request", json!({"inputs": [tensor("ssn"), tensor("note"), tensor("street")]})).await;
    client.log(&id, "response", json!({"outputs": [tensor("text")]})).await;
    for (n, bad) in bad_requests().into_iter().enumerate() {
        let id = format!("{MARKER}-bad-{n}");
        client.log(&id, "request", bad).await;
        client.log(&id, "response", json!({"outputs": [tensor("text")]})).await;
    }
    for feedback in bad_feedback() {
        let kind = "application/cloudevents+json";
        let (status, answer) = client.send_as("/v1/cloudevents", kind, feedback.to_string()).await;
        assert_eq!((status, answer.contains(MARKER)), (200, false), "{answer}");
    }
    let bad = (bad_requests().len() + bad_feedback().len()).to_string();
    eventually("the payloads are stored or refused", async || {
        text(&store, "SELECT count() FROM predictions WHERE source = 'payloads'").await == "1"
            && text(&store, "SELECT count() FROM rejected_events WHERE source = 'payloads'").await == bad
    })
    .await;
    let answer = client.send_as("/v1/logs", "application/json", telemetry().to_string()).await;
    assert_eq!((answer.0, answer.1.contains(MARKER)), (200, false), "{}", answer.1);
    assert!(answer.1.contains("\"rejectedLogRecords\":\"7\""), "{}", answer.1);
    for body in envelopes() {
        let answer = client.send_as("/v1/cloudevents", "application/cloudevents+json", body).await;
        assert!(matches!(answer.0, 200 | 400) && !answer.1.contains(MARKER), "{answer:?}");
    }
    let stored =
        "SELECT uniqExact(id) FROM predictions WHERE model = 'secret' AND source IN ('otlp', 'cloudevents')";
    assert_eq!(text(&store, stored).await, "2", "one of each door is right");
    // The control says that the search would find what is there.
    let control = json!({"id": format!("{CONTROL}-id"), "model": "open", "features": {"name": CONTROL}});
    assert_eq!(client.send("/v1/predictions", control.to_string()).await.0, 200);
    eventually("grids are made of what is left", async || {
        text(
            &store,
            "SELECT count() > 5 FROM grids FINAL WHERE model = 'secret' AND recounted_at IS NOT NULL",
        )
        .await
            == "1"
    })
    .await;

    let joined = "SELECT count() FROM outcomes INNER JOIN predictions USING (model, id)";
    assert_eq!(text(&store, joined).await, "1", "the outcome finds its prediction by the hash");
    for path in [
        "/",
        "/incidents",
        "/changes",
        "/deliveries",
        "/models/secret/production",
        "/models/secret/production?format=json",
        "/models/secret/production/signals/feature.name",
        "/models/secret/production/signals/feature.street?format=json",
    ] {
        let page = client.page(path).await;
        assert!(!page.contains(MARKER), "{path} shows a secret");
    }
    let metrics = client.http.get(format!("{}/metrics", client.collector)).send().await.expect("metrics");
    let metrics = metrics.text().await.expect("a text");
    assert!(!metrics.contains(MARKER) && metrics.contains("leeway_collector_skew_seconds"), "{metrics}");

    let broken =
        "SELECT countIf(has(rules, 'ssn.allowed') AND has(rules, 'unknown_signal')) >= 50 FROM broken_rules";
    assert_eq!(
        text(&store, broken).await,
        "1",
        "the rules that events broke are named, and no value of theirs"
    );
    assert_eq!(tables_with(&store, MARKER).await, [] as [&str; 0]);
    let number = SECRET_NUMBER.to_string();
    assert_eq!(tables_with(&store, &number).await, [] as [&str; 0]);
    assert!(tables_with(&store, CONTROL).await.contains(&"predictions".to_owned()));
    process.terminate().await;
    for secret in [MARKER, &number] {
        assert_eq!(files_with(folder.path(), secret), [] as [&str; 0]);
    }
    assert!(!files_with(folder.path(), CONTROL).is_empty(), "the search finds what was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_model_that_is_counts_only_bins_are_kept_and_no_value() {
    let store = fresh_store().await;
    let grids = collector::config::Grids {
        values: 100,
        lead_ms: 1_500,
        refresh_ms: 100,
        settle_ms: 300,
        ..Config::default().grids
    };
    let counted: std::collections::BTreeMap<String, Contract> = contracts("[privacy]\ncounts_only = true");
    let config = Config { grids, ..Config::default() };
    let collector = Running::start_with(&store, config, counted).await;
    assert_eq!(collector.predictions(&events("fraud", 0..400)).await.status, 200);
    eventually("the grids are made of what was in memory", async || {
        text(&store, "SELECT countIf(signal IN ('feature.amount', 'feature.country')) FROM grids FINAL WHERE recounted_at IS NOT NULL").await == "2"
    })
    .await;
    assert_eq!(collector.predictions(&events("fraud", 400..1_000)).await.status, 200);

    let kept = "SELECT count(), countIf(empty(numbers) AND empty(categories) AND empty(tags) AND id != ''), uniqExact(id) FROM predictions";
    assert_eq!(text(&store, kept).await, "1000\t1000\t1000");
    let amounts = (400..1_000).filter(|n| n % 7 != 0).count();
    let bins = "SELECT sum(n), sumIf(n, bin >= 3) FROM signal_minutes WHERE signal = 'feature.amount' AND segment = ''";
    assert_eq!(text(&store, bins).await, format!("600\t{amounts}"), "what came before the grid is in no bin");
    let moments = "SELECT sum(n) FROM signal_moments WHERE signal = 'feature.amount' AND segment = ''";
    assert_eq!(text(&store, moments).await, (0..1_000).filter(|n| n % 7 != 0).count().to_string());
    collector.stop().await;
}
