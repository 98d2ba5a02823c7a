//! `kafka_ranges`: which offsets of a partition are one batch. Claimed before the batch is stored, and read when a
//! partition is taken up (`docs/decisions/0007-kafka-exactly-once.md`).

use clickhouse::Row;
use domain::time::Instant;
use serde::{Deserialize, Serialize};

use crate::again;
use crate::error::Error;
use crate::store::Store;

/// A partition as a consumer group sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub group: String,
    pub topic: String,
    pub partition: i32,
}

/// One life of a partition: within it an offset means one message for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// Given by Kafka when the topic was made; empty from brokers that know none.
    pub topic_id: String,
    /// How often the offsets went back within it.
    pub era: u32,
}

/// Where an event of a topic's partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventPlace {
    /// Of its message.
    pub offset: i64,
    /// Within its message, whatever is refused beside it.
    pub index: u32,
}

/// The offsets of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub first: i64,
    /// The first offset after the batch.
    pub next: i64,
    /// How many messages lay between them when it was claimed.
    pub messages: u32,
    /// Of every event of the batch.
    pub received_at: Instant,
    /// Events that came before: they are left out, by whoever stores the batch.
    pub repeated: Vec<EventPlace>,
}

/// The last range that was claimed in a life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub life: Life,
    pub range: Range,
}

#[derive(Row, Deserialize)]
struct ClaimRow {
    topic_id: String,
    era: u32,
    first_offset: i64,
    next_offset: i64,
    messages: u32,
    received_at_ms: i64,
    repeated: Vec<(i64, u32)>,
}

#[derive(Row, Serialize)]
struct NewClaim<'a> {
    consumer_group: &'a str,
    topic: &'a str,
    partition: i32,
    topic_id: &'a str,
    era: u32,
    first_offset: i64,
    next_offset: i64,
    messages: u32,
    received_at: i64,
    repeated: Vec<(i64, u32)>,
    claimed_by: &'a str,
    claimed_at: i64,
}

impl From<ClaimRow> for Claim {
    fn from(row: ClaimRow) -> Self {
        let received_at = Instant::from_millis(row.received_at_ms);
        let (first, next, messages) = (row.first_offset, row.next_offset, row.messages);
        let repeated = row.repeated.into_iter().map(|(offset, index)| EventPlace { offset, index }).collect();
        Self {
            life: Life { topic_id: row.topic_id, era: row.era },
            range: Range { first, next, messages, received_at, repeated },
        }
    }
}

impl Store {
    /// The last claim of each life of a partition.
    pub async fn kafka_ranges(&self, place: &Place) -> Result<Vec<Claim>, Error> {
        let query = self
            .query(include_str!("../queries/kafka_ranges.sql"))
            .param("group", &place.group)
            .param("topic", &place.topic)
            .param("partition", place.partition);
        let rows: Vec<ClaimRow> = query.fetch_all().await?;
        Ok(rows.into_iter().map(Claim::from).collect())
    }

    /// Claims `range`; nothing happens where its first offset is claimed already. Says what holds: the last claim of each
    /// life, of which that of `life` is this one, or another's.
    pub async fn claim_kafka_range(
        &self,
        place: &Place,
        life: &Life,
        range: &Range,
        claimed_by: &str,
        claimed_at: Instant,
    ) -> Result<Vec<Claim>, Error> {
        let Place { group, topic, partition } = place;
        let token = format!("{group}/{topic}/{partition}/{}/{}/{}", life.topic_id, life.era, range.first);
        let holding = || async {
            let claims = self.kafka_ranges(place).await?;
            let is_claimed =
                claims.iter().any(|claim| claim.life == *life && claim.range.first >= range.first);
            Ok::<_, Error>(is_claimed.then_some(claims))
        };
        for token in again::tokens(self, &token) {
            self.insert_claim(&token, place, life, range, (claimed_by, claimed_at)).await?;
            if let Some(claims) = again::found(self, holding).await? {
                return Ok(claims);
            }
            tracing::warn!(
                token,
                "the store knows this token, and has no such claim: claimed under a further one"
            );
        }
        self.kafka_ranges(place).await
    }

    async fn insert_claim(
        &self,
        token: &str,
        place: &Place,
        life: &Life,
        range: &Range,
        (claimed_by, claimed_at): (&str, Instant),
    ) -> Result<(), Error> {
        let Place { group, topic, partition } = place;
        let insert = self.client().insert::<NewClaim>("kafka_ranges").await?;
        let mut insert = insert
            .with_setting("insert_deduplication_token", token)
            .with_setting("insert_deduplicate", "1")
            .with_setting("async_insert", "0");
        insert
            .write(&NewClaim {
                consumer_group: group,
                topic,
                partition: *partition,
                topic_id: &life.topic_id,
                era: life.era,
                first_offset: range.first,
                next_offset: range.next,
                messages: range.messages,
                received_at: range.received_at.millis(),
                repeated: range.repeated.iter().map(|place| (place.offset, place.index)).collect(),
                claimed_by,
                claimed_at: claimed_at.millis(),
            })
            .await?;
        Ok(insert.end().await?)
    }
}
