//! `contracts`: what owners of models stated by the API, every version of it.

use clickhouse::Row;
use domain::contract::Contract;
use domain::time::Instant;
use serde::{Deserialize, Serialize};

use crate::again;
use crate::error::Error;
use crate::store::Store;

/// A version of a model's contract.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredContract {
    pub model: String,
    /// Counted from 1.
    pub version: u32,
    pub contract: Contract,
    /// Who stated it.
    pub actor: String,
    pub written_at: Instant,
}

#[derive(Row, PartialEq, Serialize, Deserialize)]
struct ContractRow {
    model: String,
    version: u32,
    contract: String,
    actor: String,
    written_at: i64,
}

impl TryFrom<ContractRow> for StoredContract {
    type Error = Error;

    fn try_from(row: ContractRow) -> Result<Self, Error> {
        let contract = serde_json::from_str(&row.contract).map_err(|error| Error::Unexpected {
            query: "contracts",
            problem: format!("version {} of the contract of {}: {error}", row.version, row.model),
        })?;
        Ok(Self {
            model: row.model,
            version: row.version,
            contract,
            actor: row.actor,
            written_at: Instant::from_millis(row.written_at),
        })
    }
}

impl Store {
    /// The latest contract of `model`, or of every model that has one.
    pub async fn contracts(&self, model: Option<&str>) -> Result<Vec<StoredContract>, Error> {
        let query = self.query(include_str!("../queries/contracts.sql")).param("model", model.unwrap_or(""));
        let rows: Vec<ContractRow> = query.fetch_all().await?;
        rows.into_iter().map(StoredContract::try_from).collect()
    }

    /// A number that changes whenever a contract is written: cheap enough to ask every second.
    pub async fn contracts_version(&self) -> Result<u64, Error> {
        Ok(self.query(include_str!("../queries/contracts_version.sql")).fetch_one().await?)
    }

    /// Writes a version of a contract down, and says whether it is this one: of two that are stated at once as the same
    /// version the store keeps the first. Earlier versions stay.
    ///
    /// # Errors
    /// Also where the store takes the version again and again and has none.
    pub async fn write_contract(&self, stored: &StoredContract) -> Result<bool, Error> {
        let contract = serde_json::to_string(&stored.contract).map_err(|error| Error::Unexpected {
            query: "contracts",
            problem: format!("the contract of {} cannot be written as JSON: {error}", stored.model),
        })?;
        let row = ContractRow {
            model: stored.model.clone(),
            version: stored.version,
            contract,
            actor: stored.actor.clone(),
            written_at: stored.written_at.millis(),
        };
        for token in again::tokens(self, &format!("{}/{}", row.model, row.version)) {
            self.insert_contract(&row, &token).await?;
            let kept = || async {
                let kept = self.contracts_of_version(&row).await?;
                Ok::<_, Error>((!kept.is_empty()).then_some(kept))
            };
            if let Some(kept) = again::found(self, kept).await? {
                return Ok(kept.contains(&row));
            }
            tracing::warn!(
                token,
                "the store knows this token, and has no such contract: stored under a further one"
            );
        }
        let problem =
            format!("no version {} of the contract of {}, which was inserted", row.version, row.model);
        Err(Error::Unexpected { query: "contracts_of_version", problem })
    }

    async fn insert_contract(&self, row: &ContractRow, token: &str) -> Result<(), Error> {
        let mut insert = self
            .client()
            .insert::<ContractRow>("contracts")
            .await?
            .with_setting("insert_deduplication_token", token)
            .with_setting("insert_deduplicate", "1")
            .with_setting("async_insert", "0");
        insert.write(row).await?;
        Ok(insert.end().await?)
    }

    /// What was stated as this version of this model's contract.
    async fn contracts_of_version(&self, row: &ContractRow) -> Result<Vec<ContractRow>, Error> {
        let query = self.query(include_str!("../queries/contracts_of_version.sql"));
        Ok(query.param("model", &row.model).param("version", row.version).fetch_all().await?)
    }
}
