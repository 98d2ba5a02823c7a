//! ClickHouse's HTTP interface over libchdb, on loopback.
//!
//! Each request gets a connection of its own, made for it in a tenth of a millisecond and closed after it, so no setting,
//! current database or temporary table of one request is there in another; only a session keeps its connection. At most
//! `max_connections` statements run at once, further ones wait a while.

use std::num::NonZeroU32;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::body::BodyReader;
use crate::exception::Exception;
use crate::execute::{Answer, Job, Progress, execute};
use crate::ffi::{Call, Connection, Library};
use crate::multipart;
use crate::request::{Credentials, SessionWish, Wishes, quoted, quoted_name, set_statement};
use crate::response::{self, Companion};
use crate::session::Sessions;

/// How long a statement waits for its turn. Longer than any page's query; clients' own time limits are longer still.
const TURN_WAIT: Duration = Duration::from_secs(30);

/// The largest form: a statement and its parameters.
const FORM_BYTES: usize = 64 * 1024 * 1024;

/// Between two attempts at killing a statement that nobody waits for: it may not have reached the engine yet.
const KILL_EVERY: Duration = Duration::from_millis(100);

/// Attempts before it is left to end by itself.
const KILL_ATTEMPTS: u32 = 100;

/// Between two looks for sessions whose time is over.
const SESSION_SWEEP: Duration = Duration::from_secs(1);

/// The engine as the HTTP interface sees it.
pub struct Server {
    library: Library,
    arguments: Vec<String>,
    allowed: Credentials,
    turns: Arc<Semaphore>,
    max_connections: NonZeroU32,
    sessions: Sessions,
}

impl Server {
    /// A server over the booted engine; its connections are opened with `arguments`.
    pub fn new(
        library: Library,
        arguments: Vec<String>,
        allowed: Credentials,
        max_connections: NonZeroU32,
    ) -> Arc<Self> {
        Arc::new(Self {
            library,
            arguments,
            allowed,
            turns: Arc::new(Semaphore::new(max_connections.get() as usize)),
            max_connections,
            sessions: Sessions::default(),
        })
    }

    fn connect(&self) -> Result<Connection, Exception> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.library.connect(&arguments)
    }

    /// Answers requests until `stop`, then until those under way are answered.
    pub async fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let sweeper = tokio::spawn(sweep(self.clone()));
        let router = Router::new()
            .route("/ping", get(|| async { "Ok.\n" }))
            .route("/", get(statement).post(statement))
            .fallback(|| async {
                (StatusCode::NOT_FOUND, "There is no such handler here: / takes statements, /ping pings.\n")
            })
            .with_state(self.clone());
        let served = axum::serve(listener, router).with_graceful_shutdown(stop).await;
        sweeper.abort();
        served
    }

    /// Waits until no statement holds a connection, killing what still runs once `grace` is over; true when all are closed.
    pub async fn close(self: &Arc<Self>, grace: Duration) -> bool {
        self.sessions.close_all();
        let all = self.max_connections.get();
        if tokio::time::timeout(grace, self.turns.acquire_many(all)).await.is_ok() {
            self.sessions.close_all();
            return true;
        }
        let server = self.clone();
        let _ = tokio::task::spawn_blocking(move || server.kill("1")).await;
        let closed = tokio::time::timeout(Duration::from_secs(3), self.turns.acquire_many(all)).await.is_ok();
        self.sessions.close_all();
        closed
    }

    /// Kills the statements for which the condition on `system.processes` holds.
    fn kill(&self, condition: &str) {
        let text = format!("KILL QUERY WHERE {condition} AND query_kind != 'KillQuery' ASYNC");
        let killed = self.connect().and_then(|mut connection| connection.query(Call::plain(&text)));
        if let Err(exception) = killed {
            tracing::warn!(%exception, "could not kill a statement");
        }
    }
}

async fn sweep(server: Arc<Server>) {
    loop {
        tokio::time::sleep(SESSION_SWEEP).await;
        let server = server.clone();
        let _ = tokio::task::spawn_blocking(move || server.sessions.close_expired()).await;
    }
}

async fn statement(
    State(server): State<Arc<Server>>,
    method: Method,
    RawQuery(url_query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let random_id = uuid::Uuid::new_v4().to_string();
    let read = read_request(&server, &method, url_query.as_deref(), &headers, body).await;
    let (wishes, body) = match read {
        Ok(request) => request,
        Err(exception) => return response::refusal(&exception, &random_id),
    };
    if method == Method::GET && wishes.query.is_empty() {
        return Response::new(Body::from("Ok.\n"));
    }
    let query_id = wishes.query_id.clone().unwrap_or_else(|| random_id.clone());
    match run(server, wishes, body, random_id).await {
        Ok((answer, watch)) => response::answer(answer, &query_id, watch),
        Err(exception) => response::refusal(&exception, &query_id),
    }
}

/// A body as the thread of its statement will read it.
struct Input {
    reader: BodyReader,
    packed: bool,
    empty: bool,
}

impl Input {
    fn nothing() -> Self {
        Self { reader: BodyReader::whole(bytes::Bytes::new()), packed: false, empty: true }
    }

    /// For the thread that may block: looking for the packing's head already reads.
    fn open(self) -> Box<dyn std::io::Read + Send> {
        if self.packed { self.reader.gunzipped() } else { Box::new(self.reader) }
    }
}

async fn read_request(
    server: &Server,
    method: &Method,
    url_query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Wishes, Input), Exception> {
    let mut wishes = Wishes::read(url_query.unwrap_or_default(), headers)?;
    wishes.check(&server.allowed)?;
    // As in ClickHouse: what comes by GET may be fetched again by anybody, so it must not change anything.
    if method == Method::GET && wishes.session().is_none() {
        wishes.settings.retain(|(name, value)| name != "readonly" || value == "1");
        if !wishes.settings.iter().any(|(name, _)| name == "readonly") {
            wishes.settings.push(("readonly".to_owned(), "2".to_owned()));
        }
    }
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Some(boundary) = multipart::boundary(content_type) {
        let bytes = axum::body::to_bytes(body, FORM_BYTES).await.map_err(|error| {
            Exception::new(210, "NETWORK_ERROR", format!("cannot read the form: {error}"))
        })?;
        for (name, value) in multipart::fields(&bytes, boundary)? {
            wishes.take(&name, value)?;
        }
        return Ok((wishes, Input::nothing()));
    }
    if body.is_end_stream() {
        return Ok((wishes, Input::nothing()));
    }
    let encoding =
        headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase());
    let packed = match encoding.as_deref() {
        None | Some("" | "identity") => false,
        Some("gzip") => true,
        Some(other) => {
            let message = format!("Content-Encoding {other} is not supported (known: gzip, identity)");
            return Err(Exception::new(48, "NOT_IMPLEMENTED", message));
        }
    };
    Ok((wishes, Input { reader: BodyReader::pumped(body), packed, empty: false }))
}

/// Waits for a turn and runs the statement in a thread of its own until its answer begins.
async fn run(
    server: Arc<Server>,
    wishes: Wishes,
    input: Input,
    id: String,
) -> Result<(Answer, Watch), Exception> {
    let turn = tokio::time::timeout(TURN_WAIT, server.turns.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        let message = format!("Too many simultaneous queries. Maximum: {}", server.max_connections);
        return Err(Exception::new(202, "TOO_MANY_SIMULTANEOUS_QUERIES", message));
    };
    let watch = Watch { server: server.clone(), mark: format!(" leeway:{id}"), progress: Arc::default() };
    let (reply, answer) = oneshot::channel();
    let (mark, progress) = (watch.mark.clone(), watch.progress.clone());
    tokio::task::spawn_blocking(move || work(&server, &wishes, input, &mark, &progress, reply, turn));
    match answer.await {
        Ok(Ok(answer)) => Ok((answer, watch)),
        Ok(Err(exception)) => Err(exception),
        Err(_) => {
            Err(Exception::new(1002, "UNKNOWN_EXCEPTION", "the statement's thread ended without an answer"))
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "it is the body of one closure; a struct would name nothing new"
)]
fn work(
    server: &Server,
    wishes: &Wishes,
    input: Input,
    mark: &str,
    progress: &Progress,
    reply: crate::execute::Reply,
    turn: OwnedSemaphorePermit,
) {
    let job = Job { wishes, body_is_empty: input.empty, body: input.open(), mark, progress };
    match wishes.session() {
        None => match server.connect() {
            Ok(mut connection) => execute(&mut connection, job, reply),
            Err(exception) => drop(reply.send(Err(exception))),
        },
        Some(session) => in_session(server, session, job, reply),
    }
    progress.done.store(true, Ordering::SeqCst);
    drop(turn);
}

/// Runs a statement on its session's connection. What the URL sets holds for this statement only, so it is undone after it.
fn in_session(server: &Server, session: &SessionWish, job: Job<'_>, reply: crate::execute::Reply) {
    let mut connection = match server.sessions.take(session, || server.connect()) {
        Ok(connection) => connection,
        Err(exception) => return drop(reply.send(Err(exception))),
    };
    match Undo::remember(&mut connection, job.wishes) {
        Err(exception) => drop(reply.send(Err(exception))),
        Ok(undo) => {
            execute(&mut connection, job, reply);
            undo.undo(&mut connection);
        }
    }
    server.sessions.put_back(session, connection);
}

/// What a session's connection was set to before a request set it otherwise.
struct Undo(Vec<String>);

impl Undo {
    fn remember(connection: &mut Connection, wishes: &Wishes) -> Result<Self, Exception> {
        let mut statements = Vec::new();
        if wishes.database.is_some() {
            let current =
                connection.query(Call { format: "TSVRaw", ..Call::plain("SELECT currentDatabase()") })?;
            let name = String::from_utf8_lossy(&current.data);
            statements.push(format!("USE {}", quoted_name(name.trim_end_matches('\n'))));
        }
        let names = wishes.settings.iter().map(|(name, _)| name.as_str()).chain(["log_comment"]);
        let list: Vec<String> = names.map(quoted).collect();
        let text =
            format!("SELECT name, value, changed FROM system.settings WHERE name IN ({})", list.join(", "));
        let output = connection.query(Call { format: "JSONCompactEachRow", ..Call::plain(&text) })?;
        for line in output.data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let (name, value, changed): (String, String, u8) =
                serde_json::from_slice(line).map_err(|error| {
                    Exception::new(1002, "UNKNOWN_EXCEPTION", format!("cannot read a setting: {error}"))
                })?;
            statements.push(match changed {
                0 => format!("SET {name} = DEFAULT"),
                _ => set_statement([(name.as_str(), value.as_str())].into_iter()).unwrap_or_default(),
            });
        }
        Ok(Self(statements))
    }

    fn undo(self, connection: &mut Connection) {
        for statement in self.0 {
            if let Err(exception) = connection.query(Call::plain(&statement)) {
                tracing::warn!(%exception, "a session keeps a setting of one of its requests");
            }
        }
    }
}

/// Watches a statement for as long as its request lives: dropped before the end, it stops the statement.
struct Watch {
    server: Arc<Server>,
    mark: String,
    progress: Arc<Progress>,
}

impl Companion for Watch {
    fn completed(&mut self) {
        self.progress.done.store(true, Ordering::SeqCst);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.progress.done.load(Ordering::SeqCst) {
            return;
        }
        self.progress.abandoned.store(true, Ordering::SeqCst);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(kill_abandoned(self.server.clone(), self.mark.clone(), self.progress.clone()));
    }
}

/// Kills a statement that nobody waits for, if it only reads. One that writes is left to end: cut in the middle it would
/// leave a part of its rows, and its client can ask again with the same deduplication token.
async fn kill_abandoned(server: Arc<Server>, mark: String, progress: Arc<Progress>) {
    for _ in 0..KILL_ATTEMPTS {
        if progress.done.load(Ordering::SeqCst) {
            return;
        }
        if progress.reads.load(Ordering::SeqCst) {
            let (server, mark) = (server.clone(), mark.clone());
            let condition = format!("endsWith(Settings['log_comment'], {})", quoted(&mark));
            let _ = tokio::task::spawn_blocking(move || server.kill(&condition)).await;
        }
        tokio::time::sleep(KILL_EVERY).await;
    }
}
