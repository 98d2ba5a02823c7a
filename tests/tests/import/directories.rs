//! Directories: files of all formats in the order of their names, each an import of its own.

use collector::import::directory::{self, Follower, Place};
use collector::import::{Observer, Plan, Report, load_all};
use tests::{Folder, text};

use super::system::{MODEL, config, context, csv_mapping, sums};

/// Who follows an import of a directory, and may end it.
#[derive(Default)]
struct Seen {
    began: Vec<String>,
    stored: Vec<u64>,
    /// Stops the import when this file has ended.
    stop_after: Option<(usize, tokio_util::sync::CancellationToken)>,
}

impl Follower for Seen {
    fn begins(&mut self, place: Place<'_>) -> Observer {
        self.began.push(place.to_string());
        Observer::none()
    }

    fn ended(&mut self, report: &Report) {
        self.stored.push(report.stored);
        if let Some((n, stopper)) = &self.stop_after
            && *n == self.stored.len()
        {
            stopper.cancel();
        }
    }
}

/// Rows of a day as CSV.
fn day(day: u32, rows: u32) -> String {
    let row = |n: u32| {
        let at = format!("2026-01-{day:02} {:02}:{:02}:00", n / 60, n % 60);
        format!("e{day}-{n},{at},JFK,{}.5,0.{},1\n", n % 40, n % 10)
    };
    format!("id,at,origin,temp,score,late\n{}", (0..rows).map(row).collect::<String>())
}

/// The same as NDJSON.
fn lines(day_of: u32, rows: u32) -> String {
    let csv = day(day_of, rows);
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        format!(
            "{{\"id\":\"{}\",\"at\":\"{}\",\"origin\":\"{}\",\"temp\":{},\"score\":{},\"late\":{}}}\n",
            cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]
        )
    };
    csv.lines().skip(1).map(line).collect()
}

/// Three days, in three formats, in folders.
async fn mixed(store: &sql::Store) -> Folder {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(path("2026/01")).expect("made");
    std::fs::write(path("2026/01/01.csv"), day(1, 300)).expect("written");
    std::fs::write(path("2026/01/02.ndjson"), lines(2, 200)).expect("written");
    std::fs::write(path("2026/_SUCCESS"), "").expect("written");
    std::fs::write(path("notes.txt"), "nothing").expect("written");
    let parquet = format!(
        "INSERT INTO FUNCTION file('{}', 'Parquet') SELECT 'e3-' || toString(number) AS id, \
         toDateTime64('2026-01-03 00:00:00', 3, 'UTC') + number * 60 AS at, 'LGA' AS origin, number % 40 + 0.5 AS temp, \
         0.25 AS score, 1 AS late FROM numbers(100)",
        path("2026/01/03.parquet").display()
    );
    tests::client(store).query(&parquet).execute().await.expect("a file");
    folder
}

fn plans(folder: &Folder) -> Vec<Plan> {
    let found = directory::find(folder.path(), None).expect("files");
    found.files.into_iter().map(|source| Plan::new(source, MODEL, csv_mapping())).collect()
}

async fn stored(store: &sql::Store) -> String {
    text(store, "SELECT count(), uniqExact(id) FROM predictions").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_all_formats_are_stored_and_counted_once_however_often_they_are_imported() {
    let store = tests::fresh_store().await;
    let folder = mixed(&store).await;
    let mut seen = Seen::default();
    let totals = load_all(plans(&folder), &config(), &context(), &store, &mut seen).await.expect("imported");
    assert_eq!(
        seen.began,
        [
            "file 1 of 3, \"2026/01/01.csv\"",
            "file 2 of 3, \"2026/01/02.ndjson\"",
            "file 3 of 3, \"2026/01/03.parquet\""
        ]
    );
    assert_eq!((totals.files, totals.already, totals.stored, totals.outcomes), (3, 0, 600, 600));
    for table in ["signal_minutes", "signal_hours"] {
        let sums = sums(&store, table).await;
        assert!(sums.len() == 3 && sums.values().all(|n| *n == 600), "{table}: {sums:?}");
    }
    // More came meanwhile, and a copy of what was there.
    let path = |name: &str| folder.path().join(name);
    std::fs::copy(path("2026/01/01.csv"), path("copy.csv")).expect("copied");
    std::fs::write(path("2026/01/04.csv"), day(4, 50)).expect("written");
    let totals = load_all(plans(&folder), &config(), &context(), &store, &mut Seen::default()).await;
    let totals = totals.expect("imported");
    assert_eq!((totals.files, totals.already, totals.stored), (5, 4, 50), "{totals}");
    assert_eq!(stored(&store).await, "650\t650");
    assert!(
        totals.to_string().starts_with("5 files, 4 of them imported before: 50 of 50 rows stored"),
        "{totals}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_file_that_cannot_be_imported_is_named_and_the_same_command_goes_on_with_it() {
    let store = tests::fresh_store().await;
    let folder = mixed(&store).await;
    let broken = folder.path().join("2026/01/02.ndjson");
    let good = std::fs::read(&broken).expect("a file");
    let late = String::from_utf8_lossy(&good).replace("2026-01-02", "yesterday");
    std::fs::write(&broken, late).expect("written");
    let failed = load_all(plans(&folder), &config(), &context(), &store, &mut Seen::default()).await;
    let error = format!("{:#}", failed.expect_err("no row has a time"));
    assert!(error.starts_with("file 2 of 3, \"2026/01/02.ndjson\": "), "{error}");
    assert!(error.contains("line 1"), "{error}");
    assert_eq!(stored(&store).await, "300\t300", "the file before it is there, those behind it are not");
    std::fs::write(&broken, good).expect("mended");
    let totals = load_all(plans(&folder), &config(), &context(), &store, &mut Seen::default()).await;
    assert_eq!(totals.expect("imported").already, 1);
    assert_eq!(stored(&store).await, "600\t600");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_stopped_between_two_files_goes_on_where_it_stopped() {
    let store = tests::fresh_store().await;
    let folder = mixed(&store).await;
    let context_to_stop = context();
    let mut seen = Seen { stop_after: Some((1, context_to_stop.stopper.clone())), ..Seen::default() };
    let stopped = load_all(plans(&folder), &config(), &context_to_stop, &store, &mut seen).await;
    let error = stopped.expect_err("stopped").to_string();
    assert!(
        error.contains("before file 2 of 3, \"2026/01/02.ndjson\"; the same command goes on there"),
        "{error}"
    );
    assert_eq!(seen.stored, [300]);
    let mut seen = Seen::default();
    load_all(plans(&folder), &config(), &context(), &store, &mut seen).await.expect("imported");
    assert_eq!(seen.stored, [0, 200, 100]);
    assert_eq!(stored(&store).await, "600\t600");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_outcomes_alone_and_an_empty_one_hold_up_nothing() {
    let (store, folder) = (tests::fresh_store().await, Folder::new());
    let outcome = format!(
        "{{\"id\":\"a\",\"model\":\"{MODEL}\",\"timestamp\":\"2026-01-01T01:00:00Z\",\"outcome\":{{\"late\":1}}}}\n"
    );
    std::fs::write(folder.path().join("1.ndjson"), outcome).expect("written");
    std::fs::write(folder.path().join("2.ndjson"), "").expect("written");
    let found = directory::find(folder.path(), None).expect("files");
    let plans = found.files.into_iter().map(|source| Plan::new(source, MODEL, Default::default())).collect();
    let totals =
        load_all(plans, &config(), &context(), &store, &mut Seen::default()).await.expect("imported");
    assert_eq!((totals.files, totals.outcomes, totals.stored), (2, 1, 0));
    assert_eq!(text(&store, "SELECT id FROM outcomes").await, "a");
}
