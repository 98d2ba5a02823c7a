//! Leeway's own metrics and traces reach an OTLP receiver, and none are lost when a role is stopped.

use tests::{Folder, Process, Received, Receiver, eventually, free_port, fresh_store};

fn holds(received: &[Received], path: &str, text: &str) -> bool {
    let has = |body: &[u8]| body.windows(text.len()).any(|window| window == text.as_bytes());
    received.iter().any(|request| request.path == path && has(&request.body))
}

#[tokio::test]
async fn metrics_and_spans_of_a_role_are_sent_to_an_otlp_receiver() {
    let (store, receiver, folder) = (fresh_store().await, Receiver::open().await, Folder::new());
    let (config, listen) = (store.config(), format!("127.0.0.1:{}", free_port()));
    let file = folder.path().join("leeway.toml");
    let text = format!(
        "[clickhouse]\nurl = \"{}\"\nuser = \"{}\"\npassword = \"{}\"\ndatabase = \"{}\"\n\
         [collector]\nlisten = \"{listen}\"\nspool_dir = \"{}\"\n\
         [telemetry]\notlp_endpoint = \"{}\"\notlp_interval_s = 3600\n",
        config.url,
        config.user,
        config.password,
        config.database,
        folder.path().join("spool").display(),
        receiver.url,
    );
    std::fs::write(&file, text).expect("written");
    let collector = Process::start(&["collector"], &file, &folder.path().join("log"));
    let client = service::http::client(std::time::Duration::from_secs(30));
    eventually("an event is stored", async || {
        let event = r#"{"model":"flights","features":{"wind":3.5}}"#;
        let sent = client.post(format!("http://{listen}/v1/predictions")).body(event).send().await;
        sent.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    // The interval is an hour: what comes, comes because the role was stopped.
    assert!(collector.terminate().await.success());
    let received = receiver.received();
    for text in ["leeway_collector_", "leeway.role", "collector"] {
        assert!(holds(&received, "/v1/metrics", text), "{text} is no part of the metrics");
    }
    assert!(holds(&received, "/v1/traces", "insert"), "no span of an insert");
    let types: Vec<&str> = received.iter().map(|request| request.header("content-type")).collect();
    assert!(types.iter().all(|kind| *kind == "application/x-protobuf"), "{types:?}");
}
