//! What the `clickhouse` crate sends, and what it makes of the answers.

mod support;

use clickhouse::{Client, Row};
use serde::{Deserialize, Serialize};
use support::{client, number};

#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
struct Flight {
    id: u32,
    origin: String,
    delay: Option<f64>,
    tags: Vec<String>,
}

fn flight(id: u32) -> Flight {
    let delay = (!id.is_multiple_of(3)).then_some(f64::from(id) / 4.0);
    Flight {
        id,
        origin: format!("JFK 'n' \\ {id}\n\t"),
        delay,
        tags: vec!["a".to_owned(); (id % 4) as usize],
    }
}

async fn with_flights() -> Client {
    let client = client().await;
    let table = "CREATE TABLE flights (id UInt32, origin String, delay Nullable(Float64), tags Array(String)) \
                 ENGINE = MergeTree ORDER BY id";
    client.query(table).execute().await.expect("created");
    client
}

async fn insert(client: &Client, ids: std::ops::Range<u32>) -> clickhouse::error::Result<()> {
    let mut insert = client.insert::<Flight>("flights").await?;
    for id in ids {
        insert.write(&flight(id)).await?;
    }
    insert.end().await
}

#[tokio::test]
async fn rows_come_back_as_they_were_written() {
    let client = with_flights().await;
    insert(&client, 0..1000).await.expect("inserted");
    let rows: Vec<Flight> =
        client.query("SELECT ?fields FROM flights ORDER BY id").fetch_all().await.expect("rows");
    assert_eq!(rows, (0..1000).map(flight).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_result_larger_than_any_buffer_is_streamed_whole() {
    let client = client().await;
    let mut cursor = client.query("SELECT number FROM numbers(3000000)").fetch::<u64>().expect("a query");
    let (mut rows, mut sum) = (0_u64, 0_u64);
    while let Some(number) = cursor.next().await.expect("a row") {
        rows += 1;
        sum += number;
    }
    assert_eq!((rows, sum), (3_000_000, 3_000_000 * 2_999_999 / 2));
}

#[tokio::test]
async fn a_result_without_rows_is_empty() {
    let client = with_flights().await;
    let rows: Vec<Flight> = client.query("SELECT ?fields FROM flights").fetch_all().await.expect("no rows");
    assert_eq!(rows, []);
    assert_eq!(client.query("SELECT 1 WHERE 0").fetch_optional::<u8>().await.expect("none"), None);
}

#[tokio::test]
async fn parameters_are_values_and_never_text_of_the_statement() {
    let client = client().await;
    let nasty = "it's \\ a `quoted`\n\t{name:String} ; DROP TABLE x -- ü ☃";
    let query = client
        .query("SELECT concat({text:String}, '|', toString({n:Int64}), '|', toString({list:Array(String)}), '|', ?)")
        .param("text", nasty)
        .param("n", -7)
        .param("list", vec!["a'b", "c\\d"])
        .bind(nasty);
    let answer: String = query.fetch_one().await.expect("an answer");
    assert_eq!(answer, format!("{nasty}|-7|['a\\'b','c\\\\d']|{nasty}"));
}

#[tokio::test]
async fn parameters_reach_statements_that_write() {
    let client = with_flights().await;
    let query = "INSERT INTO flights (id, origin) SELECT number, {origin:String} FROM numbers({n:UInt64})";
    client.query(query).param("origin", "O'Hare").param("n", 5).execute().await.expect("inserted");
    assert_eq!(number(&client, "SELECT countIf(origin = 'O\\'Hare') FROM flights").await, 5);
}

#[tokio::test]
async fn an_error_before_the_result_comes_in_clickhouse_s_words() {
    let client = client().await;
    let error =
        client.query("SELECT * FROM missing").fetch_all::<u8>().await.expect_err("no table").to_string();
    assert!(error.contains("Code: 60.") && error.contains("UNKNOWN_TABLE"), "{error}");
    let error = client.query("SELEC 1").execute().await.expect_err("no statement").to_string();
    assert!(error.contains("Code: 62."), "{error}");
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_result_is_seen_and_not_taken_for_its_end() {
    let client = client().await;
    let query =
        "SELECT throwIf(number = 2500000, 'the middle') FROM numbers(3000000) SETTINGS max_threads = 1";
    let mut cursor = client.query(query).fetch::<u8>().expect("a query");
    let mut rows = 0;
    let error = loop {
        match cursor.next().await {
            Ok(Some(_)) => rows += 1,
            Ok(None) => panic!("it ended well after {rows} rows"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(rows > 0, "it failed before the first row");
    assert!(error.contains("the middle") && error.contains("Code: 395"), "{error}");
    // The connection is of use again.
    assert_eq!(number(&client, "SELECT toUInt64(1)").await, 1);
}

#[tokio::test]
async fn a_formatted_insert_is_taken_in_pieces() {
    let client = with_flights().await;
    let mut insert = client.insert_formatted_with("INSERT INTO flights (id, origin) FORMAT CSV");
    let data: String = (0..50_000).map(|id| format!("{id},\"a, \"\"b\"\"\n{id}\"\n")).collect();
    for piece in data.into_bytes().chunks(70_001) {
        insert.send(piece.to_vec().into()).await.expect("sent");
    }
    insert.end().await.expect("inserted");
    let statement = "SELECT countIf(origin = concat('a, \"b\"\n', toString(id))) FROM flights";
    assert_eq!(number(&client, statement).await, 50_000);
}

#[tokio::test]
async fn arrow_streams_go_out_and_in() {
    let client = client().await;
    let source = "SELECT number AS id, toLowCardinality(toString(number % 7)) AS text, \
                  map('a', toFloat64(number)) AS numbers FROM numbers(200000)";
    let mut parts = client.query(source).fetch_bytes("ArrowStream").expect("a query");
    let table = "CREATE TABLE t (id UInt64, text LowCardinality(String), numbers Map(LowCardinality(String), Float64)) \
                 ENGINE = MergeTree ORDER BY id";
    client.query(table).execute().await.expect("created");
    let mut insert = client.insert_formatted_with("INSERT INTO t FORMAT ArrowStream");
    while let Some(part) = parts.next().await.expect("a part") {
        insert.send(part).await.expect("sent");
    }
    insert.end().await.expect("inserted");
    let statement = "SELECT countIf(text = toString(id % 7) AND numbers['a'] = id) FROM t";
    assert_eq!(number(&client, statement).await, 200_000);
}

#[tokio::test]
async fn an_insert_that_cannot_be_read_writes_nothing_and_says_why() {
    let client = with_flights().await;
    let mut insert = client.insert_formatted_with("INSERT INTO flights (id, origin) FORMAT JSONEachRow");
    insert.send("{\"id\": 1, \"origin\": \"a\"}\n{\"id\": \"x\"}\n".into()).await.expect("sent");
    let error = insert.end().await.expect_err("no number").to_string();
    assert!(error.contains("Code: ") && error.contains("id"), "{error}");
    assert_eq!(number(&client, "SELECT count() FROM flights").await, 0);
    let error = insert_into_missing(&client).await.to_string();
    assert!(error.contains("UNKNOWN_TABLE"), "{error}");
}

async fn insert_into_missing(client: &Client) -> clickhouse::error::Error {
    let mut insert = client.insert_formatted_with("INSERT INTO missing FORMAT CSV");
    match insert.send("1\n".into()).await {
        Ok(()) => insert.end().await.expect_err("no table"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_insert_given_up_half_way_writes_nothing() {
    let client = with_flights().await;
    let mut insert = client.insert::<Flight>("flights").await.expect("begun");
    for id in 0..1000 {
        insert.write(&flight(id)).await.expect("written");
    }
    drop(insert);
    // Whatever it would have written is there once the engine is through with it.
    support::eventually("the insert is over", async || {
        number(&client, "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO%flights%'").await
            == 0
    })
    .await;
    assert_eq!(number(&client, "SELECT count() FROM flights").await, 0);
}

#[tokio::test]
async fn a_hundred_statements_at_once_are_all_answered() {
    let client = client().await;
    let asked: Vec<_> = (0..100_u64)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                let query = "SELECT sum(number) + {n:UInt64} FROM numbers(200000)";
                client.query(query).param("n", n).fetch_one::<u64>().await
            })
        })
        .collect();
    for (n, answer) in asked.into_iter().enumerate() {
        let sum = answer.await.expect("no panic").expect("an answer");
        assert_eq!(sum, 19_999_900_000 + n as u64);
    }
}

#[tokio::test]
async fn settings_of_one_statement_are_not_there_in_another() {
    let client = client().await;
    let setting = "SELECT toUInt64(value) FROM system.settings WHERE name = 'max_block_size'";
    let usual = number(&client, setting).await;
    for _ in 0..20 {
        let changed: u64 =
            client.query(setting).with_setting("max_block_size", "777").fetch_one().await.expect("a number");
        assert_eq!(changed, 777);
        assert_eq!(number(&client, setting).await, usual);
    }
    let error = client.query("SELECT 1").with_setting("no_such_setting", "1").execute().await;
    assert!(error.expect_err("no such setting").to_string().contains("UNKNOWN_SETTING"));
}

#[tokio::test]
async fn settings_and_temporary_tables_stay_in_their_session() {
    let client = client().await;
    let session = |id: &str| {
        client.clone().with_setting("session_id", id.to_owned()).with_setting("session_timeout", "60")
    };
    let (one, other) =
        (session(&format!("{:?}-1", client.database())), session(&format!("{:?}-2", client.database())));
    one.query("SET max_block_size = 777").execute().await.expect("set");
    one.query("CREATE TEMPORARY TABLE mine (a UInt8)").execute().await.expect("created");
    one.query("INSERT INTO mine VALUES (1), (2)").execute().await.expect("inserted");
    assert_eq!(number(&one, "SELECT count() FROM mine").await, 2);
    let setting = "SELECT toUInt64(value) FROM system.settings WHERE name = 'max_block_size'";
    assert_eq!(number(&one, setting).await, 777);
    for stranger in [&other, &client] {
        assert_ne!(number(stranger, setting).await, 777);
        let error =
            stranger.query("SELECT count() FROM mine").fetch_one::<u64>().await.expect_err("not there");
        assert!(error.to_string().contains("UNKNOWN_TABLE"), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let client = client().await.with_password("guess");
    let error = client.query("SELECT 1").execute().await.expect_err("refused").to_string();
    assert!(error.contains("AUTHENTICATION_FAILED"), "{error}");
}

#[tokio::test]
async fn a_statement_is_stopped_when_its_client_goes_away() {
    let client = client().await;
    let running =
        "SELECT count() FROM system.processes WHERE query LIKE '%forsaken%' AND query NOT LIKE '%processes%'";
    let query =
        client.query("SELECT 'forsaken', count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1");
    let asked = tokio::spawn(async move { query.fetch_one::<(String, u64)>().await });
    support::eventually("it runs", async || number(&client, running).await == 1).await;
    asked.abort();
    support::eventually("it is stopped", async || number(&client, running).await == 0).await;
}

#[tokio::test]
async fn a_result_that_nobody_reads_to_its_end_is_stopped() {
    let client = client().await;
    let running = "SELECT count() FROM system.processes WHERE query LIKE '%half-read%' AND query NOT LIKE '%processes%'";
    let mut cursor = client
        .query("SELECT 'half-read', number FROM system.numbers")
        .fetch::<(String, u64)>()
        .expect("a query");
    cursor.next().await.expect("a row");
    assert_eq!(number(&client, running).await, 1);
    drop(cursor);
    support::eventually("it is stopped", async || number(&client, running).await == 0).await;
}

const CHAIN: [&str; 6] = [
    "CREATE TABLE intake (id UInt64, minute UInt32) ENGINE = Null",
    "CREATE TABLE raw (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 1000",
    "CREATE TABLE minutes (minute UInt32, n UInt64) ENGINE = SummingMergeTree ORDER BY minute \
     SETTINGS non_replicated_deduplication_window = 1000",
    "CREATE TABLE hours (hour UInt32, n UInt64) ENGINE = SummingMergeTree ORDER BY hour \
     SETTINGS non_replicated_deduplication_window = 1000",
    "CREATE MATERIALIZED VIEW to_raw TO raw AS SELECT id FROM intake",
    "CREATE MATERIALIZED VIEW to_minutes TO minutes AS SELECT minute, count() AS n FROM intake GROUP BY minute",
];

#[tokio::test]
async fn a_batch_repeated_under_its_token_changes_nothing_in_any_table_of_the_chain() {
    let client = client().await;
    let to_hours = "CREATE MATERIALIZED VIEW to_hours TO hours AS \
                    SELECT intDiv(minute, 60) AS hour, sum(n) AS n FROM minutes GROUP BY hour";
    for statement in CHAIN.into_iter().chain([to_hours]) {
        client.query(statement).execute().await.expect("created");
    }
    for token in ["one", "one", "two", "one", "two"] {
        let mut insert = client
            .insert_formatted_with("INSERT INTO intake FORMAT TSV")
            .with_setting("insert_deduplication_token", token)
            .with_setting("deduplicate_blocks_in_dependent_materialized_views", "1");
        let rows: String = (0..1000).map(|id| format!("{id}\t{}\n", id % 120)).collect();
        insert.send(rows.into()).await.expect("sent");
        insert.end().await.expect("inserted");
    }
    let sums = "SELECT count(), (SELECT sum(n) FROM minutes), (SELECT sum(n) FROM hours) FROM raw";
    let sums: (u64, Option<u64>, Option<u64>) = client.query(sums).fetch_one().await.expect("sums");
    assert_eq!(sums, (2000, Some(2000), Some(2000)));
}
