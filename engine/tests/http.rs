//! ClickHouse's HTTP interface as `curl` and other clients use it.

mod support;

use std::io::{Read as _, Write as _};

use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder, Response};
use support::{child, eventually, shared};

fn http() -> Client {
    // Only its presence is asked for; nothing here is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

fn url(parameters: &[(&str, &str)]) -> url::Url {
    url::Url::parse_with_params(shared().url(), parameters).expect("an address")
}

fn post(parameters: &[(&str, &str)]) -> RequestBuilder {
    let engine = shared();
    http().post(url(parameters)).basic_auth(engine.user(), Some(engine.password()))
}

async fn ask(request: RequestBuilder) -> (u16, HeaderMap, String) {
    let response: Response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.text().await.expect("a text"))
}

async fn answer(request: RequestBuilder) -> String {
    let (status, _, text) = ask(request).await;
    assert_eq!(status, 200, "{text}");
    text
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("plain text"))
}

#[tokio::test]
async fn ping_asks_for_no_password() {
    let (status, _, text) = ask(http().get(format!("{}/ping", shared().url()))).await;
    assert_eq!((status, text.as_str()), (200, "Ok.\n"));
    let (status, ..) = ask(http().get(format!("{}/elsewhere", shared().url()))).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_statement_comes_in_the_url_the_body_or_both() {
    assert_eq!(answer(post(&[("query", "SELECT 1")])).await, "1\n");
    assert_eq!(answer(post(&[]).body("SELECT 1")).await, "1\n");
    assert_eq!(answer(post(&[("query", "SELECT 1 +")]).body("2")).await, "3\n");
}

#[tokio::test]
async fn the_format_is_the_statement_s_or_the_request_s_or_tabs() {
    let json = answer(post(&[("default_format", "JSONEachRow")]).body("SELECT 1 AS a, 'x' AS b")).await;
    assert_eq!(json, "{\"a\":1,\"b\":\"x\"}\n");
    let csv = answer(post(&[("default_format", "JSONEachRow")]).body("SELECT 1, 'x' FORMAT CSV")).await;
    assert_eq!(csv, "1,\"x\"\n");
    let header_wins = post(&[]).header("X-ClickHouse-Format", "Values").body("SELECT 1, 'x'");
    assert_eq!(answer(header_wins).await, "(1,'x')");
}

#[tokio::test]
async fn every_format_that_is_cut_into_parts_is_joined_again() {
    let statement = "SELECT number AS n, toString(number) AS s FROM numbers(200000)";
    for format in
        ["TSV", "TSVWithNamesAndTypes", "CSVWithNames", "JSONEachRow", "JSONCompactEachRow", "RowBinary"]
    {
        let streamed = post(&[("default_format", format)]).body(statement).send().await.expect("an answer");
        let streamed = streamed.bytes().await.expect("bytes");
        let whole = post(&[("default_format", format), ("wait_end_of_query", "1")]).body(statement);
        let whole = whole.send().await.expect("an answer").bytes().await.expect("bytes");
        assert!(streamed.len() > 500_000, "{format}: {} bytes", streamed.len());
        assert!(streamed == whole, "{format}: {} bytes are not {} bytes", streamed.len(), whole.len());
    }
    let json = answer(post(&[("default_format", "JSON")]).body(statement)).await;
    let json: serde_json::Value = serde_json::from_str(&json).expect("one document");
    assert_eq!(json["rows"], 200_000);
}

#[tokio::test]
async fn parameters_and_settings_come_in_the_url() {
    let parameters = [("param_n", "7"), ("param_s", "a\\tb'c"), ("max_block_size", "9")];
    let statement = "SELECT {n:UInt8}, {s:String}, getSetting('max_block_size') FORMAT JSONCompactEachRow";
    assert_eq!(answer(post(&parameters).body(statement)).await, "[7, \"a\\tb'c\", 9]\n");
    let (status, headers, text) = ask(post(&[("no_such_setting", "1")]).body("SELECT 1")).await;
    assert_eq!((status, header(&headers, "x-clickhouse-exception-code")), (404, "115"), "{text}");
}

#[tokio::test]
async fn the_database_is_the_request_s() {
    answer(post(&[]).body("CREATE DATABASE IF NOT EXISTS other_one")).await;
    assert_eq!(
        answer(post(&[("database", "other_one")]).body("SELECT currentDatabase()")).await,
        "other_one\n"
    );
    assert_eq!(answer(post(&[]).body("SELECT currentDatabase()")).await, "default\n");
    let (status, headers, _) = ask(post(&[("database", "missing")]).body("SELECT 1")).await;
    assert_eq!((status, header(&headers, "x-clickhouse-exception-code")), (404, "81"));
}

#[tokio::test]
async fn data_comes_behind_the_statement_or_in_the_body_alone() {
    answer(post(&[]).body("CREATE TABLE data (a UInt32, b String) ENGINE = MergeTree ORDER BY a")).await;
    answer(post(&[]).body("INSERT INTO data FORMAT CSV\n1,one\n2,\"two\"\n")).await;
    answer(post(&[]).body("INSERT INTO data VALUES (3, 'three'), (4, 'fo''ur')")).await;
    let (_, headers, _) =
        ask(post(&[("query", "INSERT INTO data FORMAT TSV")]).body("5\tfive\n6\tsix\n")).await;
    let summary: serde_json::Value =
        serde_json::from_str(header(&headers, "x-clickhouse-summary")).expect("JSON");
    assert_eq!(summary["written_rows"], "2");
    assert_eq!(
        answer(post(&[]).body("SELECT groupArray(b) FROM (SELECT b FROM data ORDER BY a)")).await,
        "['one','two','three','fo\\'ur','five','six']\n"
    );
}

#[tokio::test]
async fn a_large_body_is_taken_as_it_comes_packed_or_not() {
    answer(post(&[]).body("CREATE TABLE large (a UInt64, b String) ENGINE = MergeTree ORDER BY a")).await;
    let rows: String = (0..400_000).map(|n| format!("{n}\t{}\n", "x".repeat(n % 50))).collect();
    let insert = [("query", "INSERT INTO large FORMAT TSV")];
    answer(post(&insert).body(rows.clone())).await;
    answer(post(&[]).body(format!("INSERT INTO large FORMAT TSV\n{rows}"))).await;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(rows.as_bytes()).expect("packed");
    let packed = packer.finish().expect("packed");
    answer(post(&insert).header("Content-Encoding", "gzip").body(packed.clone())).await;
    assert_eq!(answer(post(&[]).body("SELECT count(), uniqExact(a) FROM large")).await, "1200000\t400000\n");
    let torn = post(&insert).header("Content-Encoding", "gzip").body(packed[..packed.len() / 2].to_vec());
    assert_eq!(ask(torn).await.0, 500);
    let (status, _, text) = ask(post(&insert).header("Content-Encoding", "br").body("x")).await;
    assert_eq!(status, 501, "{text}");
}

#[tokio::test]
async fn what_comes_by_get_changes_nothing() {
    let engine = shared();
    let get = |statement: &str| {
        http().get(url(&[("query", statement), ("user", engine.user()), ("password", engine.password())]))
    };
    assert_eq!(answer(get("SELECT 1")).await, "1\n");
    let (status, headers, text) = ask(get("CREATE TABLE by_get (a UInt8) ENGINE = Null")).await;
    assert_eq!((status, header(&headers, "x-clickhouse-exception-code")), (500, "164"), "{text}");
    let anyway = url(&[("query", "CREATE TABLE by_get (a UInt8) ENGINE = Null"), ("readonly", "0")]);
    let (status, ..) = ask(http().get(anyway).basic_auth(engine.user(), Some(engine.password()))).await;
    assert_eq!(status, 500);
}

#[tokio::test]
async fn whoever_has_no_password_is_turned_away() {
    let engine = shared();
    let bare = || http().post(engine.url()).body("SELECT 1");
    let by_url = |user: &str, password: &str| {
        http().post(url(&[("user", user), ("password", password)])).body("SELECT 1")
    };
    let (status, headers, _) = ask(bare()).await;
    assert_eq!((status, header(&headers, "x-clickhouse-exception-code")), (401, "194"));
    assert!(header(&headers, "www-authenticate").starts_with("Basic"));
    let refused = [
        bare().basic_auth("leeway", Some("wrong")),
        bare().basic_auth("default", Some(engine.password())),
        bare().header("X-ClickHouse-User", "leeway"),
        by_url("leeway", ""),
    ];
    for request in refused {
        let (status, headers, text) = ask(request).await;
        assert_eq!((status, header(&headers, "x-clickhouse-exception-code")), (403, "516"), "{text}");
    }
    let admitted = [
        bare().header("X-ClickHouse-User", engine.user()).header("X-ClickHouse-Key", engine.password()),
        by_url(engine.user(), engine.password()),
    ];
    for request in admitted {
        assert_eq!(answer(request).await, "1\n");
    }
}

#[tokio::test]
async fn an_answer_says_what_it_is() {
    let (_, headers, _) = ask(post(&[("query_id", "my-own")]).body("SELECT number FROM numbers(10)")).await;
    assert_eq!(header(&headers, "x-clickhouse-query-id"), "my-own");
    assert_eq!(header(&headers, "x-clickhouse-format"), "TabSeparated");
    let summary: serde_json::Value =
        serde_json::from_str(header(&headers, "x-clickhouse-summary")).expect("JSON");
    assert_eq!((&summary["read_rows"], &summary["result_rows"]), (&"10".into(), &"10".into()));
    let (status, headers, text) = ask(post(&[]).body("SELECT * FROM missing")).await;
    assert_eq!((status, header(&headers, "x-clickhouse-exception-code")), (404, "60"));
    assert!(text.starts_with("Code: 60. DB::Exception: "), "{text}");
    assert!(!header(&headers, "x-clickhouse-query-id").is_empty());
}

#[tokio::test]
async fn an_error_in_the_middle_breaks_the_transfer_off_behind_its_text() {
    let statement =
        "SELECT throwIf(number = 2500000, 'the middle') FROM numbers(3000000) SETTINGS max_threads = 1";
    let mut response = post(&[]).body(statement).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let tag = header(response.headers(), "x-clickhouse-exception-tag").to_owned();
    let mut text = Vec::new();
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    let end = String::from_utf8_lossy(&text[text.len() - 400..]).into_owned();
    assert!(
        broken && end.contains(&format!("__exception__\r\n{tag}\r\n")) && end.contains("the middle"),
        "{end}"
    );
}

#[tokio::test]
async fn a_session_is_for_one_request_at_a_time_and_ends() {
    let session = [("session_id", "s1"), ("session_timeout", "60")];
    answer(post(&session).body("CREATE TEMPORARY TABLE t (a UInt8)")).await;
    // What the URL sets holds for its request only.
    let set = [("session_id", "s1"), ("max_block_size", "9"), ("database", "system")];
    assert_eq!(
        answer(post(&set).body("SELECT getSetting('max_block_size'), currentDatabase()")).await,
        "9\tsystem\n"
    );
    let left = "SELECT getSetting('max_block_size') = 9, currentDatabase(), count() FROM t";
    assert_eq!(answer(post(&session).body(left)).await, "0\tdefault\t0\n");

    let slow = tokio::spawn(ask(post(&session).body("SELECT sleep(2)")));
    eventually("the slow one holds the session", async || {
        let (status, headers, _) = ask(post(&session).body("SELECT 1")).await;
        status == 423 && header(&headers, "x-clickhouse-exception-code") == "373"
    })
    .await;
    slow.abort();

    answer(post(&[("session_id", "s2"), ("session_timeout", "1")]).body("SELECT 1")).await;
    eventually("the session ends", async || {
        let check = [("session_id", "s2"), ("session_check", "1"), ("session_timeout", "1")];
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        ask(post(&check).body("SELECT 1")).await.0 == 404
    })
    .await;
}

#[tokio::test]
async fn statements_of_the_client_s_files_and_several_at_once_are_refused() {
    for (statement, code) in [
        ("SELECT 1; SELECT 2", "62"),
        ("SELECT 1 INTO OUTFILE 'x'", "48"),
        ("INSERT INTO t FROM INFILE 'x' FORMAT CSV", "48"),
        ("   ", "62"),
    ] {
        let (_, headers, text) = ask(post(&[]).body(statement)).await;
        assert_eq!(header(&headers, "x-clickhouse-exception-code"), code, "{statement}: {text}");
    }
}

#[tokio::test]
async fn totals_stay_with_their_result() {
    let statement = "SELECT number % 2 AS k, count() FROM numbers(5) GROUP BY k WITH TOTALS ORDER BY k";
    assert_eq!(answer(post(&[]).body(statement)).await, "0\t3\n1\t2\n\n0\t5\n");
}

#[tokio::test]
async fn curl_is_answered() {
    let engine = shared();
    let mut curl = std::process::Command::new("curl");
    curl.args([
        "--silent",
        "--fail-with-body",
        "--user",
        &format!("{}:{}", engine.user(), engine.password()),
    ]);
    curl.args([engine.url(), "--data-binary", "SELECT 'from curl'"]);
    let output = tokio::task::spawn_blocking(move || curl.output())
        .await
        .expect("no panic")
        .expect("curl is installed");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from curl\n");
}

#[tokio::test]
async fn the_password_stands_in_no_process_list_and_the_port_is_loopback_only() {
    let engine = shared();
    let pid = engine.pid().expect("it runs");
    let mut shown = Vec::new();
    for file in ["cmdline", "environ"] {
        let path = format!("/proc/{pid}/{file}");
        if let Ok(mut file) = std::fs::File::open(path) {
            file.read_to_end(&mut shown).expect("readable");
        }
    }
    assert!(!String::from_utf8_lossy(&shown).contains(engine.password()));
    assert!(engine.url().starts_with("http://127.0.0.1:"));
    assert!(child().exists());
}
