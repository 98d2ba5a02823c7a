//! What an insert of counted events costs the engine, and what other ways would: CPU of the engine's process for each event, its
//! merges included, and events per second.
//!
//! ```text
//! cargo build --release -p tests --bin leeway-under-test --example insert_alternatives --no-default-features --features collector
//! target/release/examples/insert_alternatives [batches] [features]
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use bytes::Bytes;
use collector::decode::{self, Framing, Names, Rules};
use collector::event::Name;
use collector::known::Known;
use collector::predictions::Predictions;
use domain::contract::Contract;
use domain::grid::{Bins, Edges, Grid};
use domain::time::Clock;
use sql::Store;
use sql::grids::StoredGrid;
use tests::{OwnEngine, client, eventually, text};

const ROWS: usize = 50_000;

/// One way to store the batch: each of `parts` is a statement and its data.
struct Way {
    name: &'static str,
    parts: Vec<(String, Bytes)>,
    settings: Vec<(&'static str, &'static str)>,
    at_once: usize,
    /// Settings of `predictions`.
    table: &'static str,
}

fn value(event: usize, feature: usize) -> f64 {
    ((event * 2_654_435_761 + feature * 40_503) % 1_000_003) as f64 / 997.0
}

fn events(features: usize) -> Predictions {
    let mut lines = String::new();
    for event in 0..ROWS {
        let values: Vec<String> =
            (0..features).map(|n| format!("\"feature_{n}\":{:.4}", value(event, n))).collect();
        lines.push_str(&format!(
            "{{\"id\":\"{:032x}\",\"model\":\"m\",\"features\":{{{},\"country\":\"{}\"}},\"prediction\":0.5}}\n",
            (event as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
            values.join(","),
            ["BR", "DE", "FR"][event % 3]
        ));
    }
    let now = Clock::System.now();
    let rules = Rules {
        received_at: now,
        source: Name::from("http"),
        oldest: domain::time::Instant::EPOCH,
        newest: now,
        models: Vec::new(),
        guards: Default::default(),
    };
    let mut events = Predictions::default();
    let refused = decode::predictions_into(
        lines.as_bytes(),
        Framing::Lines,
        &mut Names::default(),
        &rules,
        &mut events,
    );
    assert!(refused.is_ok_and(|refused| refused.is_empty()));
    events
}

fn known(features: usize) -> Known {
    let grids = (0..features).map(|n| StoredGrid {
        grid: Grid::new(
            "m",
            &format!("feature.feature_{n}"),
            domain::time::Instant::EPOCH,
            Bins::Numbers(Edges::of_sample((0..5_000).map(|event| value(event, n)).collect())),
        ),
        made_from: String::new(),
        made_of: 0,
        announced_at: domain::time::Instant::EPOCH,
        recounted_at: None,
    });
    let contract = Contract { segments: vec!["country".to_owned()], ..Contract::default() };
    Known::of(
        domain::time::Instant::EPOCH,
        grids.collect(),
        BTreeMap::from([("m".to_owned(), contract)]).into(),
    )
}

fn insert(table: &str, batch: &RecordBatch) -> (String, Bytes) {
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let statement = format!("INSERT INTO {table} ({}) FORMAT ArrowStream", names.join(", "));
    (statement, sql::store::arrow_stream(batch).expect("bytes"))
}

/// The counts as rows of their own, as `signal_minutes` has them.
fn count_rows(counted: &RecordBatch) -> RecordBatch {
    let list = |name: &str| -> ArrayRef {
        let column: &ListArray = counted.column_by_name(name).expect("a column").as_list();
        column.values().clone()
    };
    let rows = list("count_n").len();
    let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..rows).map(|_| text))) };
    let columns = [
        ("model", same("m")),
        ("version", same("")),
        ("environment", same("production")),
        ("segment", list("count_segment")),
        ("signal", list("count_signal")),
        ("grid", list("count_grid")),
        ("minute", list("count_minute")),
        ("bin", list("count_bin")),
        ("n", list("count_n")),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// The events of a batch with empty counts: what the events alone cost by the same door.
fn without_counts(counted: &RecordBatch) -> RecordBatch {
    let columns = counted.columns().iter().map(|column| match column.as_list_opt::<i32>() {
        None => column.clone(),
        Some(list) => {
            let DataType::List(item) = list.data_type() else { unreachable!("a list is a list") };
            let nothing = new_empty_array(item.data_type());
            let offsets = OffsetBuffer::new_zeroed(list.len());
            Arc::new(ListArray::new(item.clone(), offsets, nothing, None)) as ArrayRef
        }
    });
    RecordBatch::try_new(counted.schema(), columns.collect()).expect("the same schema")
}

async fn stored_as(store: &Store, order: &str, format: &str) -> Bytes {
    let question = format!(
        "SELECT id, model, version, environment, timestamp, received_at, numbers, categories, source FROM predictions \
         ORDER BY {order} SETTINGS output_format_arrow_compression_method = '{}', \
         output_format_arrow_low_cardinality_as_dictionary = 1, output_format_arrow_string_as_string = 1, \
         max_block_size = 10000000, preferred_block_size_bytes = 0",
        if format == "lz4" { "lz4_frame" } else { "none" }
    );
    let format = if format == "Native" || format == "JSONEachRow" { format } else { "ArrowStream" };
    store.ask(&question, format).await.expect("rows")
}

fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let after = stat.rsplit_once(") ").expect("its name in brackets").1;
    let fields: Vec<f64> = after.split(' ').filter_map(|field| field.parse().ok()).collect();
    // utime and stime are the fields 14 and 15 of the whole line, in hundredths; the state is no number.
    (fields[10] + fields[11]) / 100.0
}

async fn measure(store: &Store, pid: u32, way: &Way, batches: usize) {
    let tables = ["predictions", "signal_minutes", "signal_hours", "signal_moments", "signal_moment_hours"];
    for table in tables {
        text(store, &format!("TRUNCATE TABLE {table}")).await;
    }
    let wide = if way.table.is_empty() { "min_bytes_for_wide_part = 10485760" } else { way.table };
    text(store, &format!("ALTER TABLE predictions MODIFY SETTING {wide}")).await;
    let quiet = async || text(store, "SELECT count() FROM system.merges").await == "0";
    eventually("merges have ended", quiet).await;
    let (began, cpu) = (Instant::now(), cpu_seconds(pid));
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let senders = (0..way.at_once).map(|_| async {
        while next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < batches {
            let token = uuid::Uuid::now_v7().simple().to_string();
            for (statement, data) in &way.parts {
                let mut insert = client(store).insert_formatted_with(statement.clone());
                let fixed = [
                    ("insert_deduplication_token", token.as_str()),
                    ("insert_deduplicate", "1"),
                    ("deduplicate_blocks_in_dependent_materialized_views", "1"),
                    ("async_insert", "0"),
                    ("max_insert_block_size", "10000000"),
                    ("min_insert_block_size_rows", "10000000"),
                    ("min_insert_block_size_bytes", "10000000000"),
                ];
                for (name, value) in fixed.into_iter().chain(way.settings.iter().copied()) {
                    insert = insert.with_setting(name, value);
                }
                insert.send(data.clone()).await.expect("sent");
                insert.end().await.expect("stored");
            }
        }
    });
    futures_util::future::join_all(senders).await;
    let took = began.elapsed();
    tokio::time::sleep(Duration::from_millis(200)).await;
    eventually("merges have ended", quiet).await;
    let cpu = cpu_seconds(pid) - cpu;
    let events = (batches * ROWS) as f64;
    let bytes: usize = way.parts.iter().map(|(_, data)| data.len()).sum();
    let rows = text(store, "SELECT count() FROM predictions").await;
    let parts = text(store, "SELECT count() FROM system.parts WHERE active AND table = 'predictions'").await;
    println!(
        "{:<52} {:>8.0} events/s {:>6.2} µs of CPU an event  {:>4} B an event  {rows} rows in {parts} parts",
        way.name,
        events / took.as_secs_f64(),
        cpu / events * 1e6,
        bytes / ROWS
    );
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let batches: usize = arguments.next().map_or(Ok(8), |text| text.parse())?;
    let features: usize = arguments.next().map_or(Ok(50), |text| text.parse())?;
    service::http::install_tls();
    let own = OwnEngine::start().await;
    let pid = own.engine.pid().expect("the engine runs");
    let store = own.fresh_store().await;
    let counted = collector::batch::predictions(events(features), &known(features))?.batch;
    let counts = count_rows(&counted);
    println!("{ROWS} events a batch, {} rows of counts", counts.num_rows());
    let intake = insert("intake", &counted);
    let bare = insert("intake", &without_counts(&counted));
    let alone = insert("predictions", &counted.project(&(0..14).collect::<Vec<_>>())?);
    let mut first = client(&store).insert_formatted_with(alone.0.clone());
    first.send(alone.1.clone()).await?;
    first.end().await?;
    let columns = "id, model, version, environment, timestamp, received_at, numbers, categories, source";
    let raw = async |order: &str, format: &str| {
        let named = if format == "lz4" { "ArrowStream" } else { format };
        let statement = format!("INSERT INTO predictions ({columns}) FORMAT {named}");
        (statement, stored_as(&store, order, format).await)
    };
    let by_key = "model, environment, timestamp, id";
    let (sorted, shuffled) = (raw(by_key, "ArrowStream").await, raw("cityHash64(id)", "ArrowStream").await);
    let (native, lz4) = (raw("cityHash64(id)", "Native").await, raw("cityHash64(id)", "lz4").await);
    let json = raw("cityHash64(id)", "JSONEachRow").await;

    let way = |name, parts: &[&(String, Bytes)]| Way {
        name,
        parts: parts.iter().map(|part| (*part).clone()).collect(),
        settings: Vec::new(),
        at_once: 1,
        table: "",
    };
    let separate = insert("signal_minutes", &counts);
    let set = |name, settings| Way { settings, at_once: 2, ..way(name, &[&intake]) };
    let ways = [
        way("intake", &[&intake]),
        Way { at_once: 2, ..way("intake, 2 at once", &[&intake]) },
        Way { at_once: 3, ..way("intake, 3 at once", &[&intake]) },
        set("intake, 2 at once, parallel_view_processing", vec![("parallel_view_processing", "1")]),
        set("intake, 2 at once, max_threads = 1", vec![("max_threads", "1")]),
        set("intake, 2 at once, optimize_on_insert = 0", vec![("optimize_on_insert", "0")]),
        Way {
            at_once: 2,
            table: "min_bytes_for_wide_part = 1073741824",
            ..way("intake, 2 at once, compact parts", &[&intake])
        },
        way("intake without counts", &[&bare]),
        way("events alone, then their counts", &[&alone, &separate]),
        way("events alone", &[&alone]),
        way("nine columns, Arrow, in the table's order", &[&sorted]),
        way("nine columns, Arrow, in no order", &[&shuffled]),
        way("nine columns, Native", &[&native]),
        way("nine columns, Arrow packed by LZ4", &[&lz4]),
        way("nine columns, JSONEachRow", &[&json]),
    ];
    for _ in 0..2 {
        for way in &ways {
            measure(&store, pid, way, batches).await;
        }
        println!();
    }
    Ok(())
}
