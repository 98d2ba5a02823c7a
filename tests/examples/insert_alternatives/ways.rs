//! The ways that are compared, by group.

use bytes::Bytes;
use sql::Store;
use tests::text;

use crate::batches::{Counted, Part, insert};

/// One way to store the batch: each of `parts` is a statement and its data.
pub struct Way {
    pub name: &'static str,
    pub parts: Vec<Part>,
    pub settings: Vec<(&'static str, &'static str)>,
    pub at_once: usize,
    /// Where the events come to lie.
    pub table: &'static str,
    /// A setting of that table.
    pub parts_as: &'static str,
}

impl Way {
    fn new(name: &'static str, parts: &[&Part]) -> Self {
        Self {
            name,
            parts: parts.iter().map(|part| (*part).clone()).collect(),
            settings: Vec::new(),
            at_once: 1,
            table: "predictions",
            parts_as: "",
        }
    }

    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|(_, data)| data.len()).sum()
    }
}

pub async fn of(group: &str, store: &Store, counted: &Counted) -> anyhow::Result<Vec<Way>> {
    match group {
        "shape" => Ok(shapes(store, counted).await),
        "ids" => Ok(ids(store, counted).await),
        "settings" => Ok(settings(counted)),
        "streams" => Ok(streams(counted)),
        "formats" => formats(store, counted).await,
        "kept" => Ok(kept(store, counted).await),
        other => anyhow::bail!(
            "group \"{other}\" does not exist (known: shape, ids, settings, streams, formats, kept)"
        ),
    }
}

/// How counts travel with the events.
async fn shapes(store: &Store, counted: &Counted) -> Vec<Way> {
    tuples_door(store).await;
    let kept = insert("intake", &counted.0);
    let separate =
        [insert("signal_minutes", &counted.counts()), insert("signal_moments", &counted.moments())];
    let alone = insert("predictions", &counted.events());
    vec![
        Way::new("arrays on the first row (kept)", &[&kept]),
        Way::new("arrays, names as dictionaries", &[&insert("intake", &counted.in_dictionaries())]),
        Way::new("arrays of tuples", &[&insert("intake_tuples", &counted.in_tuples())]),
        Way::new("arrays, nothing nullable", &[&insert("intake", &counted.without_nulls())]),
        Way::new(
            "arrays, columns that are empty left out",
            &[&insert("intake", &counted.without_empty_columns())],
        ),
        Way::new("events, then counts by inserts of their own", &[&alone, &separate[0], &separate[1]]),
        Way::new("empty arrays", &[&insert("intake", &counted.without_counts())]),
        Way::new("events alone", &[&alone]),
    ]
}

/// A door like `intake` that takes counts as arrays of tuples, with views like those of `intake`.
async fn tuples_door(store: &Store) {
    let columns = "SELECT arrayStringConcat(groupArray(concat(name, ' ', type)), ', ') FROM (SELECT name, type FROM system.columns \
                   WHERE database = currentDatabase() AND table = 'predictions' ORDER BY position)";
    let columns = text(store, columns).await;
    let of_counts = "counts Array(Tuple(segment String, signal String, grid UInt32, minute UInt32, bin UInt16, n Int64)), \
        moments Array(Tuple(segment String, signal String, minute UInt32, n Int64, sum Float64, sum_of_squares Float64, \
        least Float64, greatest Float64)), \
        traffic Array(Tuple(segment String, minute UInt32, events Int64, errors Int64, first_event Int64, last_event Int64, \
        largest_lag_ms Int64)), breaches Array(Tuple(rule String, minute UInt32, n Int64))";
    let stream = "model, version, environment";
    let at = "toDateTime(row.minute, 'UTC') AS minute";
    let view = |name: &str, to: &str, what: String| {
        format!("CREATE MATERIALIZED VIEW {name} TO {to} AS SELECT {what}")
    };
    let statements = [
        format!("CREATE TABLE intake_tuples ({columns}, {of_counts}) ENGINE = Null"),
        view(
            "tuples_to_predictions",
            "predictions",
            "id, model, version, environment, timestamp, received_at, numbers, categories, vectors, lists, tags, error, \
             trace_id, source FROM intake_tuples"
                .to_owned(),
        ),
        view(
            "tuples_to_counts",
            "signal_minutes",
            format!(
                "{stream}, row.grid AS grid, row.segment AS segment, row.signal AS signal, {at}, row.bin AS bin, row.n AS n \
                 FROM intake_tuples ARRAY JOIN counts AS row"
            ),
        ),
        view(
            "tuples_to_moments",
            "signal_moments",
            format!(
                "{stream}, row.segment AS segment, row.signal AS signal, {at}, row.n AS n, row.sum AS sum, \
                 row.sum_of_squares AS sum_of_squares, row.least AS least, row.greatest AS greatest \
                 FROM intake_tuples ARRAY JOIN moments AS row"
            ),
        ),
        view(
            "tuples_to_traffic",
            "traffic_minutes",
            format!(
                "{stream}, row.segment AS segment, {at}, row.events AS events, row.errors AS errors, \
                 fromUnixTimestamp64Milli(row.first_event, 'UTC') AS first_event, \
                 fromUnixTimestamp64Milli(row.last_event, 'UTC') AS last_event, row.largest_lag_ms AS largest_lag_ms, \
                 received_at AS last_received_at FROM intake_tuples ARRAY JOIN traffic AS row"
            ),
        ),
        view(
            "tuples_to_breaches",
            "breach_minutes",
            format!(
                "{stream}, row.rule AS rule, {at}, row.n AS n FROM intake_tuples ARRAY JOIN breaches AS row"
            ),
        ),
    ];
    for statement in statements {
        text(store, &statement).await;
    }
}

/// How ids are kept: events alone, into tables that differ in the type of the id.
async fn ids(store: &Store, counted: &Counted) -> Vec<Way> {
    const KINDS: [(&str, &str, &str); 4] = [
        ("text of 32 characters", "predictions_text", "String CODEC(ZSTD(1))"),
        ("the same, LZ4", "predictions_text_lz4", "String"),
        ("sixteen bytes", "predictions_fixed", "FixedString(16)"),
        ("UUID", "predictions_uuid", "UUID"),
    ];
    let (texts, bytes) = (counted.filled(), counted.with_bytes_for_ids());
    let mut ways = Vec::new();
    for (name, table, kind) in KINDS {
        text(store, &format!("CREATE TABLE {table} AS predictions")).await;
        text(store, &format!("ALTER TABLE {table} MODIFY COLUMN id {kind}")).await;
        let batch = if kind.starts_with("String") { &texts } else { &bytes };
        ways.push(Way { table, ..Way::new(name, &[&insert(table, batch)]) });
    }
    ways
}

/// What the engine is told about the insert.
fn settings(counted: &Counted) -> Vec<Way> {
    let kept = insert("intake", &counted.0);
    let with = |name, settings: &[(&'static str, &'static str)]| Way {
        settings: settings.to_vec(),
        at_once: 2,
        ..Way::new(name, &[&kept])
    };
    vec![
        with("as it is, two at once (kept)", &[]),
        with(
            "blocks as large as the server's own",
            &[
                ("max_insert_block_size", "1048449"),
                ("min_insert_block_size_rows", "1048449"),
                ("min_insert_block_size_bytes", "268402944"),
            ],
        ),
        with(
            "blocks not gathered (min_insert_block_size 0)",
            &[("min_insert_block_size_rows", "0"), ("min_insert_block_size_bytes", "0")],
        ),
        with("max_insert_threads = 2", &[("max_insert_threads", "2")]),
        with("max_threads = 1", &[("max_threads", "1")]),
        with("input_format_parallel_parsing = 0", &[("input_format_parallel_parsing", "0")]),
        with("optimize_on_insert = 0", &[("optimize_on_insert", "0")]),
        with("parallel_view_processing = 1", &[("parallel_view_processing", "1")]),
        with(
            "input_format_null_as_default, _defaults_for_omitted_fields = 0",
            &[("input_format_null_as_default", "0"), ("input_format_defaults_for_omitted_fields", "0")],
        ),
        with("no deduplication (not to be had)", &[("insert_deduplicate", "0")]),
    ]
}

/// How many inserts at once, and how their parts lie on disk.
fn streams(counted: &Counted) -> Vec<Way> {
    let kept = insert("intake", &counted.0);
    let at_once = |name, at_once| Way { at_once, ..Way::new(name, &[&kept]) };
    let wide = "min_bytes_for_wide_part = 10485760";
    vec![
        at_once("one at a time", 1),
        at_once("two at once (kept)", 2),
        at_once("three at once", 3),
        at_once("four at once", 4),
        Way { parts_as: wide, ..at_once("two at once, a file a column", 2) },
    ]
}

/// How the events alone travel.
async fn formats(store: &Store, counted: &Counted) -> anyhow::Result<Vec<Way>> {
    let arrow = insert("predictions", &counted.filled());
    let mut first = tests::client(store).insert_formatted_with(arrow.0.clone());
    first.send(arrow.1.clone()).await?;
    first.end().await?;
    let sorted = raw(store, "model, environment, timestamp", "ArrowStream", "none").await?;
    let shuffled = raw(store, "cityHash64(id)", "ArrowStream", "none").await?;
    let packed = raw(store, "cityHash64(id)", "ArrowStream", "lz4_frame").await?;
    let native = raw(store, "cityHash64(id)", "Native", "none").await?;
    let json = raw(store, "cityHash64(id)", "JSONEachRow", "none").await?;
    let single = vec![("input_format_parallel_parsing", "0")];
    Ok(vec![
        Way::new("Arrow as the collector makes it (kept)", &[&arrow]),
        Way::new("Arrow of the engine, in the table's order", &[&sorted]),
        Way::new("Arrow of the engine, in no order", &[&shuffled]),
        Way::new("the same packed by LZ4", &[&packed]),
        Way::new("Native", &[&native]),
        Way::new("JSONEachRow", &[&json]),
        Way { settings: single, ..Way::new("JSONEachRow, input_format_parallel_parsing = 0", &[&json]) },
    ])
}

/// What is kept so that a batch can be told by its insert, and counted again with its breaches.
async fn kept(store: &Store, counted: &Counted) -> Vec<Way> {
    text(store, "CREATE TABLE predictions_untold AS predictions").await;
    text(store, "ALTER TABLE predictions_untold DROP COLUMN batch").await;
    unruled_door(store).await;
    vec![
        Way::new("events alone (kept)", &[&insert("predictions", &counted.events())]),
        Way {
            table: "predictions_untold",
            ..Way::new("the same without `batch`", &[&insert("predictions_untold", &counted.events())])
        },
        Way::new("events and counts (kept)", &[&insert("intake", &counted.0)]),
        Way::new("the same without the view to `broken_rules`", &[&insert("intake_unruled", &counted.0)]),
    ]
}

/// A door with all views of `intake` but that one.
async fn unruled_door(store: &Store) {
    text(store, "CREATE TABLE intake_unruled AS intake").await;
    let views = "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() \
                 AND name LIKE 'intake_to_%' AND name != 'intake_to_broken_rules'";
    for view in text(store, views).await.lines() {
        let door = format!("{}.intake", store.config().database);
        let view = view.replace(&format!("{door}_to_"), &format!("{door}_unruled_to_"));
        text(store, &view.replace(&format!("FROM {door}"), &format!("FROM {door}_unruled"))).await;
    }
}

/// The stored events in an order and a format of the engine's own.
async fn raw(store: &Store, order: &str, format: &str, packing: &str) -> anyhow::Result<Part> {
    let columns = "id, model, version, environment, timestamp, received_at, numbers, categories, source";
    let question = format!(
        "SELECT {columns} FROM predictions ORDER BY {order} \
         SETTINGS output_format_arrow_compression_method = '{packing}', \
         output_format_arrow_low_cardinality_as_dictionary = 1, output_format_arrow_string_as_string = 1, \
         max_block_size = 10000000, preferred_block_size_bytes = 0"
    );
    let data: Bytes = store.ask(&question, format).await?;
    Ok((format!("INSERT INTO predictions ({columns}) FORMAT {format}"), data))
}
