//! Runs one request's statement on a connection, in a thread that may block, and hands the answer over as it comes.
//!
//! A SELECT whose format allows it is streamed; an INSERT with data is fed as the data comes; all else runs whole.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::exception::Exception;
use crate::ffi::{Call, Connection, Output, Statistics};
use crate::framing::Framing;
use crate::request::{Wishes, quoted_name, set_statement};
use crate::statement::{self, Kind};

/// How much of a body is read before it is looked at: an INSERT's head must be in it. Far above any head in use.
const HEAD_BYTES: usize = 1024 * 1024;

/// The longest statement. ClickHouse's own limit (`max_query_size`, 256 KiB) holds below it; lists of VALUES are what is longer.
const STATEMENT_BYTES: usize = 64 * 1024 * 1024;

/// Pieces in which an INSERT's data goes to the engine.
const DATA_PIECE_BYTES: usize = 256 * 1024;

/// A reader that takes nothing for so long holds a statement's place no longer; ClickHouse's own bound (`send_timeout`).
const READER_STALLS: Duration = Duration::from_secs(300);

/// Parts of a result between the engine and the socket; the engine waits for a slow reader.
pub const PARTS: usize = 4;

/// ClickHouse's default over HTTP.
const DEFAULT_FORMAT: &str = "TabSeparated";

/// What the rest of the server knows of a statement under way.
#[derive(Debug, Default)]
pub struct Progress {
    /// The client went away.
    pub abandoned: AtomicBool,
    /// The statement reads only: it may be killed when nobody waits for it.
    pub reads: AtomicBool,
    /// The thread is through with it.
    pub done: AtomicBool,
}

/// The beginning of an answer; where there is a `rest`, more of it comes.
pub struct Answer {
    pub first: Bytes,
    pub rest: Option<mpsc::Receiver<Result<Bytes, Exception>>>,
    pub statistics: Statistics,
    pub format: String,
}

/// Where the answer goes, once.
pub type Reply = oneshot::Sender<Result<Answer, Exception>>;

/// A statement and its data.
pub struct Job<'a> {
    pub wishes: &'a Wishes,
    pub body: Box<dyn Read + Send>,
    /// The URL's statement is all there is.
    pub body_is_empty: bool,
    pub mark: &'a str,
    pub progress: &'a Progress,
}

/// Prepares the connection, runs the statement and answers. Nobody waiting for the answer is no error.
pub fn execute(connection: &mut Connection, job: Job<'_>, reply: Reply) {
    let prepared = prepare(connection, job.wishes, job.mark).and_then(|()| read_statement(job));
    match prepared {
        Err(exception) => drop(reply.send(Err(exception))),
        Ok(statement) => statement.run(connection, reply),
    }
}

/// Sets the request's database and settings on its connection. The mark is how `KILL QUERY` finds the statement: the engine
/// gives every statement an id of its own choice.
fn prepare(connection: &mut Connection, wishes: &Wishes, mark: &str) -> Result<(), Exception> {
    if let Some(database) = wishes.database.as_deref().filter(|name| !name.is_empty()) {
        connection.query(Call::plain(&format!("USE {}", quoted_name(database))))?;
    }
    let comment =
        wishes.settings.iter().find(|(name, _)| name == "log_comment").map_or("", |(_, value)| value);
    let marked = format!("{comment}{mark}");
    let settings = wishes.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let others = settings.filter(|(name, _)| *name != "log_comment");
    match set_statement(others.chain([("log_comment", marked.as_str())])) {
        Some(set) => connection.query(Call::plain(&set)).map(drop),
        None => Ok(()),
    }
}

struct Statement<'a> {
    job: Job<'a>,
    text: Vec<u8>,
    kind: Kind,
    /// Whether `text` is all of it (then an INSERT of values needs no stream).
    complete: bool,
}

/// Reads the statement from the URL and, where it is not complete there, from the body.
fn read_statement(mut job: Job<'_>) -> Result<Statement<'_>, Exception> {
    let mut text = job.wishes.query.clone().into_bytes();
    if !text.is_empty() {
        let kind = statement::read(&text)?;
        if job.body_is_empty || matches!(kind, Kind::Insert { .. }) {
            let complete = job.body_is_empty;
            return Ok(Statement { job, text, kind, complete });
        }
        text.push(b'\n');
    }
    let limit = text.len() + HEAD_BYTES;
    let ended = read_up_to(&mut job.body, &mut text, limit)?;
    if !ended {
        if let Ok(kind @ Kind::Insert { format: Some(_), .. }) = statement::read(&text) {
            return Ok(Statement { job, text, kind, complete: false });
        }
        if !read_up_to(&mut job.body, &mut text, STATEMENT_BYTES)? {
            let message = format!(
                "the statement is longer than {STATEMENT_BYTES} bytes; send data behind a FORMAT clause"
            );
            return Err(Exception::new(223, "QUERY_IS_TOO_LARGE", message));
        }
    }
    let kind = statement::read(&text)?;
    Ok(Statement { job, text, kind, complete: true })
}

/// Reads until the text has `limit` bytes; true where the body ended before.
fn read_up_to(body: &mut dyn Read, text: &mut Vec<u8>, limit: usize) -> Result<bool, Exception> {
    let room = u64::try_from(limit.saturating_sub(text.len())).unwrap_or(u64::MAX);
    body.take(room).read_to_end(text).map_err(body_error)?;
    Ok(text.len() < limit)
}

fn body_error(error: std::io::Error) -> Exception {
    match error.kind() {
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
            Exception::new(354, "ZLIB_INFLATE_FAILED", format!("the body is not gzip: {error}"))
        }
        _ => Exception::new(210, "NETWORK_ERROR", format!("the body ended early: {error}")),
    }
}

impl Statement<'_> {
    fn run(self, connection: &mut Connection, reply: Reply) {
        let wished = self.job.wishes.default_format.clone();
        let default_format = wished.clone().unwrap_or_else(|| DEFAULT_FORMAT.to_owned());
        match &self.kind {
            Kind::Select { format, whole } => {
                let format = format.clone().unwrap_or(default_format);
                self.job.progress.reads.store(true, Ordering::SeqCst);
                let framing = (!whole && !self.must_be_whole()).then(|| Framing::of(&format)).flatten();
                match framing {
                    Some(framing) => self.stream(connection, &format, framing, reply),
                    None => self.run_whole(connection, format, reply),
                }
            }
            Kind::Insert { format, .. } if self.complete && format.as_deref() == Some("Values") => {
                self.run_whole(connection, default_format, reply);
            }
            Kind::Insert { head_end, format, data_start } => {
                let (head_end, data_start) = (*head_end, *data_start);
                let format = format.clone().or(wished).unwrap_or_else(|| "Values".to_owned());
                let answer = self.feed(connection, head_end, data_start, &format);
                drop(reply.send(answer.map(|output| whole_answer(output, default_format))));
            }
            Kind::Other { format } => {
                let format = format.clone().unwrap_or(default_format);
                self.run_whole(connection, format, reply);
            }
        }
    }

    /// The client wants to know the end before the beginning, or settings add something behind the rows.
    fn must_be_whole(&self) -> bool {
        let wishes = self.job.wishes;
        let closing = |name: &str| name == "extremes" || name == "output_format_json_array_of_rows";
        wishes.wait_end || wishes.settings.iter().any(|(name, value)| closing(name) && value != "0")
    }

    fn call<'a>(&'a self, format: &'a str) -> Call<'a> {
        Call { text: &self.text, format, params: &self.job.wishes.params }
    }

    fn run_whole(&self, connection: &mut Connection, format: String, reply: Reply) {
        if self.job.progress.abandoned.load(Ordering::SeqCst) {
            return;
        }
        let answer = connection.query(self.call(&format));
        drop(reply.send(answer.map(|output| whole_answer(output, format))));
    }

    fn feed(
        mut self,
        connection: &mut Connection,
        head_end: usize,
        data_start: usize,
        format: &str,
    ) -> Result<Output, Exception> {
        let head = self.text.get(..head_end).unwrap_or_default();
        let params = &self.job.wishes.params;
        let mut stream = connection.insert(Call { text: head, format, params })?;
        let inline = self.text.get(data_start..).unwrap_or_default();
        if !inline.is_empty() {
            stream.append(inline)?;
        }
        let mut piece = vec![0; DATA_PIECE_BYTES];
        loop {
            // An error here, as when the client went away in the middle, drops the stream and so cancels the INSERT.
            let count = self.job.body.read(&mut piece).map_err(body_error)?;
            match piece.get(..count) {
                Some(data) if count > 0 => stream.append(data)?,
                _ => return stream.finish(),
            }
        }
    }

    fn stream(&self, connection: &mut Connection, format: &str, mut framing: Framing, reply: Reply) {
        if self.job.progress.abandoned.load(Ordering::SeqCst) {
            return;
        }
        let begun = begin(connection, self.call(format), &mut framing);
        let (mut stream, mut output, next) = match begun {
            Ok(begun) => begun,
            Err(exception) => return drop(reply.send(Err(exception))),
        };
        let Some(mut next) = next else {
            output.data = joined(&output.data, &framing.end());
            return drop(reply.send(Ok(whole_answer(output, format.to_owned()))));
        };
        output.statistics.add(&next.statistics);
        let (sender, receiver) = mpsc::channel(PARTS);
        let Output { data, statistics } = output;
        let answer = Answer { first: data, rest: Some(receiver), statistics, format: format.to_owned() };
        if reply.send(Ok(answer)).is_err() {
            return;
        }
        loop {
            let part = framing.join(std::mem::take(&mut next.data));
            let failed = part.is_err();
            // The reader went away, or it has been told what went wrong: dropping the stream cancels the statement.
            if !hand_over(&sender, part) || failed {
                return;
            }
            match stream.next() {
                Ok(Some(output)) => next = output,
                Ok(None) => break,
                Err(exception) => {
                    hand_over(&sender, Err(exception));
                    return;
                }
            }
        }
        let end = framing.end();
        if !end.is_empty() {
            hand_over(&sender, Ok(end));
        }
    }
}

/// Hands a part to the socket's side; false where nobody takes it.
fn hand_over(sender: &mpsc::Sender<Result<Bytes, Exception>>, part: Result<Bytes, Exception>) -> bool {
    let sent = tokio::time::timeout(READER_STALLS, sender.send(part));
    tokio::runtime::Handle::current().block_on(sent).is_ok_and(|sent| sent.is_ok())
}

/// Starts a SELECT and fetches two parts: most answers have one, and it is then known to be all.
fn begin<'a>(
    connection: &'a mut Connection,
    call: Call<'_>,
    framing: &mut Framing,
) -> Result<(crate::ffi::Stream<'a>, Output, Option<Output>), Exception> {
    let mut stream = connection.stream(call)?;
    let Some(mut first) = stream.next()? else { return Ok((stream, Output::default(), None)) };
    first.data = framing.join(first.data)?;
    let second = stream.next()?;
    Ok((stream, first, second))
}

fn joined(data: &Bytes, end: &Bytes) -> Bytes {
    if end.is_empty() {
        return data.clone();
    }
    [data.as_ref(), end.as_ref()].concat().into()
}

fn whole_answer(output: Output, format: String) -> Answer {
    Answer { first: output.data, rest: None, statistics: output.statistics, format }
}
