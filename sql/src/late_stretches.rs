//! `late_stretches`: where counts may not agree with the raw events, because events were stored after grids had counted back
//! what came before them (`docs/decisions/0003-grids-without-loss.md`).

use clickhouse::Row;
use domain::time::{Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store::Store;

/// A stretch that is to be compared with the raw events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateStretch {
    pub model: String,
    /// Event time.
    pub interval: Interval,
    /// When its events were stored, or it was last corrected.
    pub noted_at: Instant,
}

#[derive(Row, Deserialize)]
struct OpenRow {
    model: String,
    start_ms: i64,
    end_ms: i64,
    noted_at_ms: i64,
}

#[derive(Row, Serialize)]
struct NoteRow<'a> {
    model: &'a str,
    start: i64,
    end: i64,
    noted_at: i64,
    settled_at: i64,
}

impl Store {
    /// Notes that stretches have to be compared.
    pub async fn note_late_stretches(&self, stretches: &[LateStretch]) -> Result<(), Error> {
        self.write_late_stretches(stretches, Instant::EPOCH).await
    }

    /// Says of noted stretches that they agree with the raw events.
    pub async fn settle_late_stretches(&self, stretches: &[LateStretch], at: Instant) -> Result<(), Error> {
        self.write_late_stretches(stretches, at).await
    }

    async fn write_late_stretches(
        &self,
        stretches: &[LateStretch],
        settled_at: Instant,
    ) -> Result<(), Error> {
        if stretches.is_empty() {
            return Ok(());
        }
        let mut insert = self.client().insert::<NoteRow>("late_stretches").await?;
        for LateStretch { model, interval, noted_at } in stretches {
            let (start, end) = (interval.start.millis(), interval.end.millis());
            let (noted_at, settled_at) = (noted_at.millis(), settled_at.millis());
            insert.write(&NoteRow { model, start, end, noted_at, settled_at }).await?;
        }
        Ok(insert.end().await?)
    }

    /// The stretches that are not settled, by model and start.
    pub async fn late_stretches(&self) -> Result<Vec<LateStretch>, Error> {
        let rows: Vec<OpenRow> =
            self.query(include_str!("../queries/late_stretches.sql")).fetch_all().await?;
        let stretch = |row: OpenRow| LateStretch {
            model: row.model,
            interval: Interval::new(Instant::from_millis(row.start_ms), Instant::from_millis(row.end_ms)),
            noted_at: Instant::from_millis(row.noted_at_ms),
        };
        Ok(rows.into_iter().map(stretch).collect())
    }

    /// Whether somebody may have corrected counts of this stretch since an instant.
    pub async fn may_be_corrected(
        &self,
        model: &str,
        interval: Interval,
        since: Instant,
    ) -> Result<bool, Error> {
        let query = self
            .query(include_str!("../queries/late_stretches_touched.sql"))
            .param("model", model)
            .param("from_ms", interval.start.millis())
            .param("to_ms", interval.end.millis())
            .param("since_ms", since.millis());
        Ok(query.fetch_one::<u64>().await? > 0)
    }
}
