//! A collector as a process of its own, whose memory can be looked at.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use sql::Store;
use tests::{Folder, Process, eventually, text};

pub const MIB: u64 = 1 << 20;

/// Every endpoint that takes a body.
pub const ENDPOINTS: [&str; 7] =
    ["/v1/predictions", "/v1/outcomes", "/v1/logs", "/v1/kserve", "/v1/seldon", "/v1/cloudevents", "/"];

/// How long the victim waits for headers.
pub const HEADERS_WITHIN: Duration = Duration::from_secs(8);

pub struct Victim {
    pub address: String,
    pub client: reqwest::Client,
    pub store: Store,
    process: Process,
    _folder: Folder,
}

/// What a request came to.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Victim {
    /// A collector with little room, so that a bound that does not hold is seen at once.
    pub async fn start() -> Self {
        let (store, folder) = (tests::fresh_store().await, Folder::new());
        let config = store.config();
        let address = format!("127.0.0.1:{}", tests::free_port());
        let text = format!(
            "data_dir = \"{}\"\n[clickhouse]\nurl = \"{}\"\nuser = \"{}\"\npassword = \"{}\"\ndatabase = \"{}\"\n\
             [collector]\nlisten = \"{address}\"\n[collector.limits]\nbody_bytes = 4_194_304\n\
             unpacked_bytes = 16_777_216\nwaiting_bytes = 33_554_432\nbody_within_s = 2\n\
             headers_within_s = {}\n\
             [collector.payloads]\npair_within_s = 1\n",
            folder.path().display(),
            config.url,
            config.user,
            config.password,
            config.database,
            HEADERS_WITHIN.as_secs(),
        );
        let path: PathBuf = folder.path().join("leeway.toml");
        std::fs::write(&path, text).expect("a configuration");
        let process = Process::start(&["collector"], &path, &folder.path().join("log"));
        service::http::install_tls();
        let client = reqwest::Client::new();
        let url = format!("http://{address}/healthz");
        eventually("the collector listens", async || client.get(&url).send().await.is_ok()).await;
        let victim = Self { address, client, store, process, _folder: folder };
        // What it takes to serve the first request is no leak.
        victim.still_serves().await;
        victim
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("http://{}{path}", self.address))
    }

    /// The same with the headers that an endpoint wants beside its body.
    pub fn post_as_usual(&self, path: &str) -> reqwest::RequestBuilder {
        let request = self.post(path);
        match path {
            "/v1/predictions" | "/v1/outcomes" | "/v1/logs" => {
                request.header("content-type", "application/json")
            }
            _ => request
                .header("ce-specversion", "1.0")
                .header("ce-id", uuid::Uuid::new_v4().to_string())
                .header("ce-source", "s")
                .header("ce-type", "org.kubeflow.serving.inference.request")
                .header("ce-inferenceservicename", "m"),
        }
    }

    /// The most memory that the process has held since the last look, in bytes.
    pub fn peak(&self) -> u64 {
        self.process.memory().peak
    }

    pub fn forget_peak(&self) {
        self.process.forget_peak();
    }

    pub fn resident(&self) -> u64 {
        self.process.memory().resident
    }

    /// Asserts that an honest sender is served.
    pub async fn still_serves(&self) {
        let before = self.stored().await;
        let event = serde_json::json!({"model": "honest", "features": {"a": 1}});
        let answer = send(self.post("/v1/predictions").json(&event)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(self.stored().await, before + 1);
    }

    async fn stored(&self) -> u64 {
        let n = text(&self.store, "SELECT count() FROM predictions WHERE model = 'honest'").await;
        n.parse().expect("a number")
    }

    pub async fn stop(self) {
        assert!(self.process.terminate().await.success());
    }
}

pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    Answer { status, text: answer.text().await.unwrap_or_default() }
}

/// The reason in an answer, wherever it stands.
pub fn reason(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
    let all = [
        &body["error"],
        &body["message"],
        &body["rejected"][0]["error"],
        &body["partialSuccess"]["errorMessage"],
    ];
    // Protobuf is answered in protobuf, where the reason is one text among a few bytes.
    all.iter()
        .find_map(|text| text.as_str())
        .unwrap_or(if body.is_null() { &answer.text } else { "" })
        .to_owned()
}
