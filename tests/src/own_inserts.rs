//! ClickHouse's own inserts into the table of events: what benchmarks hold the collector to, in the same run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sql::Store;

use crate::{client, eventually, text};

/// One block of rows into `predictions`, as large as it is.
pub async fn insert(store: &Store, columns: &str, format: &str, data: Bytes) -> anyhow::Result<()> {
    let statement = format!("INSERT INTO predictions ({columns}) FORMAT {format}");
    let settings = [
        ("async_insert", "0"),
        ("max_insert_block_size", "10000000"),
        ("min_insert_block_size_rows", "10000000"),
        ("min_insert_block_size_bytes", "10000000000"),
    ];
    let mut insert = client(store).insert_formatted_with(statement);
    for (name, value) in settings {
        insert = insert.with_setting(name, value);
    }
    insert.send(data).await?;
    Ok(insert.end().await?)
}

/// Events a second of so many workers, each doing `work`, which stores so many events, again and again.
pub async fn rate<F: Future<Output = usize>>(seconds: u64, workers: usize, work: impl Fn(usize) -> F) -> f64 {
    let stored = AtomicU64::new(0);
    let began = Instant::now();
    let workers = (0..workers).map(|worker| {
        let (work, stored) = (&work, &stored);
        async move {
            let mut n = worker;
            while began.elapsed() < Duration::from_secs(seconds) {
                stored.fetch_add(work(n).await as u64, Ordering::Relaxed);
                n += 1;
            }
        }
    });
    futures_util::future::join_all(workers).await;
    stored.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

/// Empties the events' table and waits until nothing is left to merge.
pub async fn clear(store: &Store) {
    text(store, "TRUNCATE TABLE predictions").await;
    eventually("merges have ended", async || text(store, "SELECT count() FROM system.merges").await == "0")
        .await;
}
