//! The connection to ClickHouse, over its HTTP interface, the same for the embedded engine, a server and a cluster.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use clickhouse::Client;
use clickhouse::query::Query;

use crate::config::{Config, ConfigError};
use crate::error::Error;

/// A query that has not ended by then is given up; the store stops it as well. Pages and passes take well below a
/// second; only a recount or a baseline over a year takes longer.
const QUERY_TIMEOUT: Duration = Duration::from_secs(120);

/// A handle to the store. Clones share the connections.
#[derive(Clone)]
pub struct Store {
    client: Client,
    config: Config,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Store {
    /// A store at `config.url`. Nothing is sent yet; [`crate::migrate::wait_for_schema`] says whether it is usable.
    pub fn connect(config: &Config) -> Result<Self, ConfigError> {
        config.check()?;
        let client = Client::default()
            .with_url(&config.url)
            .with_user(&config.user)
            .with_password(config.password()?)
            .with_database(&config.database)
            .with_setting("max_execution_time", QUERY_TIMEOUT.as_secs().to_string())
            .with_setting("date_time_input_format", "best_effort")
            .with_setting("distributed_foreground_insert", "1");
        Ok(Self { client, config: config.clone() })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The client itself, for the modules of this crate.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// A query from a file of `queries/`; parameters are bound with [`Query::param`].
    pub(crate) fn query(&self, sql: &str) -> Query {
        // The client reads `?` as a place for a value; ours have names.
        self.client.query(&sql.replace('?', "??"))
    }

    /// Runs a statement that returns nothing.
    pub(crate) async fn execute(&self, sql: &str) -> Result<(), Error> {
        Ok(self.query(sql).execute().await?)
    }

    /// Answers any statement in any of ClickHouse's formats, as `leeway sql` does.
    pub async fn ask(&self, sql: &str, format: &str) -> Result<bytes::Bytes, Error> {
        Ok(self.query(sql).fetch_bytes(format)?.collect().await?)
    }

    /// Whether the store answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.execute("SELECT 1").await
    }

    /// The result of a query as Arrow record batches: how everything large is read.
    pub(crate) async fn fetch_arrow(
        &self,
        name: &'static str,
        query: Query,
    ) -> Result<Vec<RecordBatch>, Error> {
        let query = query
            .with_setting("output_format_arrow_compression_method", "none")
            .with_setting("output_format_arrow_string_as_string", "1");
        let bytes = query.fetch_bytes("ArrowStream")?.collect().await?;
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let unexpected =
            |error: arrow::error::ArrowError| Error::Unexpected { query: name, problem: error.to_string() };
        let reader = StreamReader::try_new(bytes.as_ref(), None).map_err(unexpected)?;
        reader.collect::<Result<Vec<_>, _>>().map_err(unexpected)
    }

    /// Inserts one record batch, serialised by [`arrow_stream`], as one block: how everything large is written.
    ///
    /// `token` makes the insert repeatable: the same bytes under the same token change nothing, in the table and in
    /// everything that its views feed.
    pub(crate) async fn insert_arrow_stream(
        &self,
        table: &str,
        schema: &Schema,
        stream: Bytes,
        token: &str,
    ) -> Result<(), Error> {
        let columns: Vec<String> =
            schema.fields().iter().map(|field| format!("`{}`", field.name())).collect();
        let statement = format!("INSERT INTO {table} ({}) FORMAT ArrowStream", columns.join(", "));
        let mut insert = self
            .client
            .insert_formatted_with(statement)
            .with_setting("insert_deduplication_token", token)
            .with_setting("insert_deduplicate", "1")
            .with_setting("deduplicate_blocks_in_dependent_materialized_views", "1")
            .with_setting("async_insert", "0")
            // One batch is one block, so that one token covers it.
            .with_setting("max_insert_block_size", "10000000")
            .with_setting("min_insert_block_size_rows", "10000000")
            .with_setting("min_insert_block_size_bytes", "10000000000");
        insert.send(stream).await?;
        Ok(insert.end().await?)
    }
}

/// A record batch as the bytes that travel; keys of dictionaries are as narrow as they can be.
///
/// # Errors
/// Where the batch cannot be written, which its schema rules out.
pub fn arrow_stream(batch: &RecordBatch) -> Result<Bytes, Error> {
    let problem = |error: arrow::error::ArrowError| Error::Refused { code: 0, message: error.to_string() };
    let batch = crate::narrow::narrowed(batch).map_err(problem)?;
    let mut buffer = Vec::with_capacity(batch.get_array_memory_size() + 4_096);
    let mut writer = StreamWriter::try_new(&mut buffer, &batch.schema()).map_err(problem)?;
    writer.write(&batch).and_then(|()| writer.finish()).map_err(problem)?;
    drop(writer);
    Ok(buffer.into())
}
