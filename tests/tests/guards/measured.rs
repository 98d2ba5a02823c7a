//! What a collector says of itself on `/metrics`: the real process, sent something of everything that is measured.

use domain::time::{Clock, HOUR};
use serde_json::{Value, json};
use service::Secret;
use tests::{Process, eventually, fresh_store};

use crate::process::{Settings, readiness};
use crate::running::{Answer, event, events, send};

/// A collector that keeps little, with a sender who may send everything and one who may send three events.
struct Measured {
    settings: Settings,
    http: reqwest::Client,
    writer: Secret,
    bounded: Secret,
}

impl Measured {
    fn on(store: &sql::Store) -> Self {
        let ((writer, writers), (bounded, boundeds)) = (service::token::fresh(), service::token::fresh());
        let more = format!(
            "[[collector.tokens]]\nname = \"writer\"\nhash = \"{writers}\"\nscopes = [\"ingest\"]\n\
             [[collector.tokens]]\nname = \"bounded\"\nhash = \"{boundeds}\"\nscopes = [\"ingest\"]\n\
             quota = {{ events_per_s = 0.001, burst = 3.0 }}\n\
             [collector.payloads]\njournal_bytes = 65536\npayload_bytes = 32768\npair_within_s = 600\n\
             [models.m.signals.amount]\ngreatest = 50.0\n"
        );
        let settings = Settings::without_kafka(store.config()).with_more(more);
        Self { settings, http: reqwest::Client::new(), writer, bounded }
    }

    async fn post(&self, who: &Secret, body: &[Value]) -> Answer {
        let url = format!("http://127.0.0.1:{}/v1/predictions", self.settings.port);
        send(self.http.post(url).bearer_auth(who.expose()).json(&body)).await
    }

    /// One side of an inference, of 20 KiB.
    async fn log(&self, id: usize) -> u16 {
        let url = format!("http://127.0.0.1:{}/v1/kserve", self.settings.port);
        let request = self.http.post(url).bearer_auth(self.writer.expose()).header("ce-specversion", "1.0");
        let request = request.header("ce-id", id.to_string()).header("ce-source", "s");
        let request = request.header("ce-type", "org.kubeflow.serving.inference.request");
        let request = request.header("ce-inferenceservicename", "iris").header("ce-endpoint", "default");
        send(request.body(json!({"instances": ["x".repeat(20 << 10)]}).to_string())).await.status
    }

    /// The value of a metric with these labels.
    async fn value(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let url = format!("http://127.0.0.1:{}/metrics", self.settings.port);
        let text = reqwest::get(url).await.ok()?.text().await.ok()?;
        let begins = format!("leeway_collector_{name}{{");
        let is_it =
            |line: &&str| line.starts_with(&begins) && labels.iter().all(|label| line.contains(label));
        text.lines().find(is_it)?.rsplit_once(' ')?.1.parse().ok()
    }
}

fn is_broken(event: &Value) -> bool {
    event["features"]["amount"].as_f64().is_some_and(|amount| amount > 50.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_refused_repeated_broken_and_late_is_measured() {
    let store = fresh_store().await;
    let measured = Measured::on(&store);
    let process = Process::start(&["collector"], measured.settings.file(), &measured.settings.log());
    eventually("it is ready", async || readiness(&measured.settings).await == "ready\n").await;

    let now = Clock::System.now();
    let mut body = events("m", 0..40);
    for event in &mut body {
        event["timestamp"] = json!(now.saturating_sub(std::time::Duration::from_secs(90)).to_string());
    }
    assert_eq!(measured.post(&measured.writer, &body).await.status, 200);
    for of in ["least", "mean", "greatest"] {
        let skew = measured.value("skew_seconds", &["model=\"m\"", &format!("of=\"{of}\"")]).await;
        assert!(skew.is_some_and(|skew| (90.0..110.0).contains(&skew)), "{of}: {skew:?}");
    }
    assert_eq!(measured.post(&measured.writer, &body).await.status, 200);
    let mut late = event("m", 700);
    late["timestamp"] = json!(now.saturating_add(HOUR).to_string());
    assert_eq!(measured.post(&measured.writer, &[late, event("m", 701)]).await.body["accepted"], 1);
    let few = events("m", 100..103);
    assert_eq!(measured.post(&measured.bounded, &few).await.status, 200);
    assert_eq!(measured.post(&measured.bounded, &events("m", 103..108)).await.status, 429);
    let mut statuses = Vec::new();
    for id in 0..5 {
        statuses.push(measured.log(id).await);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);

    let broken = body.iter().chain(&few).chain(&[event("m", 701)]).filter(|event| is_broken(event)).count();
    let expected: [(&str, &[&str], f64); 7] = [
        ("events_total", &["kind=\"prediction\"", "source=\"http\""], 84.0),
        ("rejected_events_total", &["kind=\"prediction\"", "source=\"http\""], 1.0),
        ("duplicate_events_total", &["model=\"m\""], 40.0),
        ("breaches_total", &["model=\"m\"", "rule=\"amount.range\""], broken as f64),
        ("over_quota_events_total", &["token=\"bounded\""], 5.0),
        ("payloads_total", &["outcome=\"full\""], 2.0),
        ("pairs_waiting", &[], 3.0),
    ];
    for (name, labels, n) in expected {
        eventually(&format!("{name} {labels:?} is {n}"), async || {
            measured.value(name, labels).await == Some(n)
        })
        .await;
    }
    let journal = measured.value("journal_bytes", &[]).await.expect("a size");
    assert!((3.0 * 20_480.0..65_536.0).contains(&journal), "{journal}");
    let rows = ["table=\"intake\"", "ok=\"true\""];
    assert_eq!(measured.value("batch_rows_sum", &rows).await, Some(44.0), "what is stored of it");
    eventually("grids are told", async || {
        measured.value("grids_total", &[]).await.is_some_and(|grids| grids >= 5.0)
    })
    .await;
    assert!(process.terminate().await.success());
}
