//! One way measured: the engine's CPU while it inserts with merges held up, and while it then merges all of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sql::Store;
use tests::{client, eventually, text};

use crate::batches::ROWS;
use crate::ways::Way;

/// What inserts fill.
const TABLES: [&str; 7] = [
    "predictions",
    "signal_minutes",
    "signal_hours",
    "signal_moments",
    "signal_moment_hours",
    "traffic_minutes",
    "traffic_hours",
];

/// For each event.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub insert_us: f64,
    pub merge_us: f64,
    /// Events per second, without merges.
    pub rate: f64,
}

impl Default for Figures {
    fn default() -> Self {
        Self { insert_us: f64::INFINITY, merge_us: f64::INFINITY, rate: 0.0 }
    }
}

impl Figures {
    /// The better of both in each respect: what else goes on only makes things slower.
    pub fn better(&self, other: &Self) -> Self {
        Self {
            insert_us: self.insert_us.min(other.insert_us),
            merge_us: self.merge_us.min(other.merge_us),
            rate: self.rate.max(other.rate),
        }
    }
}

pub struct Engine<'a> {
    pub pid: u32,
    pub store: &'a Store,
}

impl Engine<'_> {
    pub async fn measure(&self, way: &Way, batches: usize) -> anyhow::Result<Figures> {
        let store = self.store;
        let tables: Vec<&str> = TABLES
            .into_iter()
            .chain([way.table].into_iter().filter(|table| !TABLES.contains(table)))
            .collect();
        for table in &tables {
            text(store, &format!("TRUNCATE TABLE {table}")).await;
        }
        let kept = "min_bytes_for_wide_part = 268435456";
        let set = if way.parts_as.is_empty() { kept } else { way.parts_as };
        text(store, &format!("ALTER TABLE {} MODIFY SETTING {set}", way.table)).await;
        let quiet = async || text(store, "SELECT count() FROM system.merges").await == "0";
        eventually("merges have ended", quiet).await;
        for table in &tables {
            text(store, &format!("SYSTEM STOP MERGES {table}")).await;
        }
        let (began, cpu) = (Instant::now(), self.cpu_seconds());
        self.insert(way, batches).await?;
        let (took, inserted) = (began.elapsed(), self.cpu_seconds());
        for table in &tables {
            text(store, &format!("SYSTEM START MERGES {table}")).await;
            text(store, &format!("OPTIMIZE TABLE {table} FINAL")).await;
        }
        let merged = self.cpu_seconds();
        let events = (batches * ROWS) as f64;
        let stored = text(store, &format!("SELECT count() FROM {}", way.table)).await;
        anyhow::ensure!(stored == events.to_string(), "{}: {stored} of {events} events are stored", way.name);
        Ok(Figures {
            insert_us: (inserted - cpu) / events * 1e6,
            merge_us: (merged - inserted) / events * 1e6,
            rate: events / took.as_secs_f64(),
        })
    }

    async fn insert(&self, way: &Way, batches: usize) -> anyhow::Result<()> {
        let next = AtomicUsize::new(0);
        let senders = (0..way.at_once).map(|_| async {
            while next.fetch_add(1, Ordering::Relaxed) < batches {
                self.insert_once(way).await?;
            }
            anyhow::Ok(())
        });
        futures_util::future::try_join_all(senders).await?;
        Ok(())
    }

    async fn insert_once(&self, way: &Way) -> anyhow::Result<()> {
        let token = uuid::Uuid::now_v7().simple().to_string();
        for (statement, data) in &way.parts {
            let mut insert = client(self.store).insert_formatted_with(statement.clone());
            let usual = [
                ("insert_deduplication_token", token.as_str()),
                ("insert_deduplicate", "1"),
                ("deduplicate_blocks_in_dependent_materialized_views", "1"),
                ("async_insert", "0"),
                ("max_insert_block_size", "10000000"),
                ("min_insert_block_size_rows", "10000000"),
                ("min_insert_block_size_bytes", "10000000000"),
            ];
            for (name, value) in usual.into_iter().chain(way.settings.iter().copied()) {
                insert = insert.with_setting(name, value);
            }
            insert.send(data.clone()).await?;
            insert.end().await?;
        }
        Ok(())
    }

    fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("a process");
        let after = stat.rsplit_once(") ").expect("its name in brackets").1;
        let fields: Vec<f64> = after.split(' ').filter_map(|field| field.parse().ok()).collect();
        // utime and stime are the fields 14 and 15 of the whole line, in hundredths; the state is no number.
        (fields[10] + fields[11]) / 100.0
    }
}
