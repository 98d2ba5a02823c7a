//! The child process: takes the data directory, boots the engine on it, serves until it is told to stop or its parent is gone.
//!
//! It takes its options, the password among them, as the first line of its standard input, and the input's end as the end of
//! its parent. On standard output it says one line of JSON: the port, or why it did not start.

use std::fs::File;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::config::ServeOptions;
use crate::error::EngineError;
use crate::exception::Exception;
use crate::ffi::{Call, Connection, Library, exit_at_once};
use crate::lock;
use crate::log_file::{self, LogFile};
use crate::request::{Credentials, quoted};
use crate::server::Server;
use crate::tokens;

/// ClickHouse's own log: what failed, and where.
const TABLES_LOG: &str = "clickhouse.log";

/// The engine's own folder in the data directory.
const TABLES_FOLDER: &str = "clickhouse";

/// What an engine needs beyond its statements' deadline to close its tables.
pub const CLOSING: Duration = Duration::from_secs(10);

/// Threads that serve sockets; the engine's work is done in its own.
const SOCKET_THREADS: usize = 2;

/// ClickHouse expects the stack of a main thread where it parses and plans.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Threads beyond the statements' own, for killing and closing.
const SPARE_THREADS: usize = 16;

/// Where port 0 looks first for a free one: below the ports that systems give to outgoing connections. While the engine is
/// down for a restart, its clients' own attempts to reach it could otherwise be given its port.
const QUIET_PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Attempts at finding one there, before the system is asked for any.
const PORT_ATTEMPTS: u32 = 50;

/// What the child says on its standard output.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    Port(u16),
    Failed(String),
}

/// The child's whole program: options from standard input, then `serve`.
pub fn serve_child() -> anyhow::Result<()> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read the engine's options from standard input")?;
    let options: ServeOptions = serde_json::from_str(&line).map_err(|_| {
        anyhow::anyhow!("this program is started by Leeway itself, with its options on standard input")
    })?;
    serve(options)
}

/// Serves the engine until the end of standard input. It does not return once the engine ran: the process ends,
/// because libchdb's exit handlers are not to be trusted with what is left open.
fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let stop_timeout = Duration::from_secs(options.stop_timeout_s);
    let started = start(options);
    let (engine, listener, runtime) = match started {
        Ok(started) => started,
        Err(error) => {
            report(&Report::Failed(format!("{error:#}")));
            return Err(error);
        }
    };
    let Booted { root, server, lock } = engine;
    let outcome = runtime.block_on(async {
        report(&Report::Port(listener.local_addr().context("the listener has no address")?.port()));
        let (stopping, stopped) = oneshot::channel();
        let served = server.serve(listener, async {
            wait_for_stop().await;
            let _ = stopping.send(());
        });
        tokio::select! {
            served = served => served.context("the engine's listener failed")?,
            () = async { drop(stopped.await); tokio::time::sleep(stop_timeout).await } => {
                tracing::warn!("statements still run at the stop's deadline; they are killed");
            }
        }
        anyhow::Ok(server.close(Duration::from_millis(500)).await)
    });
    let all_closed = matches!(outcome, Ok(true));
    if all_closed {
        drop(root);
        tracing::info!("the engine stopped");
    } else {
        tracing::error!(?outcome, "the engine stops with statements still open");
    }
    drop(lock);
    exit_at_once(i32::from(!all_closed))
}

struct Booted {
    /// The first connection: the engine runs as long as one is open.
    root: Connection,
    server: std::sync::Arc<Server>,
    lock: File,
}

fn start(options: ServeOptions) -> anyhow::Result<(Booted, TcpListener, tokio::runtime::Runtime)> {
    let data_dir = &options.data_dir;
    start_log(data_dir)?;
    // An engine whose parent was killed may still be closing these tables.
    let patience = Duration::from_secs(options.stop_timeout_s) + CLOSING;
    let lock = lock::take(data_dir, lock::TABLES, patience)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SOCKET_THREADS)
        .max_blocking_threads(usize::from(options.max_connections.get()) + SPARE_THREADS)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .context("cannot start the engine's threads")?;
    leave_signals_to_the_parent(&runtime);
    // The port first: it is quick to refuse, loading tables may take long.
    let listener = runtime
        .block_on(listen(options.port))
        .map_err(|source| EngineError::Port { port: options.port, source })?;
    let library = Library::load(&options.library)
        .map_err(|source| EngineError::Load { path: options.library.clone(), source })?;
    let tables = data_dir.join(TABLES_FOLDER);
    tokens::forget_lost(&tables)
        .with_context(|| format!("the deduplication logs in \"{}\" cannot be mended", tables.display()))?;
    let mut root = boot(library, &options)
        .with_context(|| format!("the engine did not boot on \"{}\"", tables.display()))?;
    let arguments = connection_arguments(library, &mut root, &options)?;
    let allowed = Credentials { user: options.user, password: options.password };
    let server = Server::new(library, arguments, allowed, options.max_connections.into());
    Ok((Booted { root, server, lock }, listener, runtime))
}

async fn listen(port: u16) -> std::io::Result<TcpListener> {
    if port == 0 {
        for _ in 0..PORT_ATTEMPTS {
            let quiet = rand::rng().random_range(QUIET_PORTS);
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", quiet)).await {
                return Ok(listener);
            }
        }
    }
    TcpListener::bind(("127.0.0.1", port)).await
}

fn boot(library: Library, options: &ServeOptions) -> Result<Connection, Exception> {
    let ServeOptions { data_dir, memory_limit_bytes, .. } = options;
    let path = path_argument(data_dir);
    let memory = format!("--max_server_memory_usage={memory_limit_bytes}");
    let log = format!("--logger.log={}", data_dir.join(TABLES_LOG).display());
    let log_size = format!("--logger.size={}", log_file::LARGEST_BYTES);
    // libchdb's streamed INSERT trips over a check of its own bookkeeping at each end; it is harmless, and called fatal.
    let quiet = "--logger.levels.ThreadStatus=none";
    let arguments = [&path, &memory, &log, &log_size, "--logger.count=2", "--log-level=error", quiet];
    let mut root = library.connect(&arguments)?;
    let version = root.query(Call::plain("SELECT version()"))?;
    tracing::info!(version = %String::from_utf8_lossy(&version.data).trim(), memory_limit_bytes, "the engine booted");
    Ok(root)
}

fn path_argument(data_dir: &Path) -> String {
    format!("--path={}", data_dir.join(TABLES_FOLDER).display())
}

/// What every connection is opened with. libchdb passes over settings that it does not know, so they are looked up first.
fn connection_arguments(
    library: Library,
    root: &mut Connection,
    options: &ServeOptions,
) -> anyhow::Result<Vec<String>> {
    // libchdb reads a lone word as `SELECT word`; a server does not.
    let mut arguments = vec![path_argument(&options.data_dir), "--implicit_select=0".to_owned()];
    for (name, value) in &options.settings {
        let known = format!("SELECT count() FROM system.settings WHERE name = {}", quoted(name));
        if root.query(Call::plain(&known))?.data.as_ref() != b"1\n" {
            return Err(EngineError::Setting { name: name.clone() }.into());
        }
        arguments.push(format!("--{name}={value}"));
    }
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    library.connect(&texts).context("a value in `engine.settings` is not one of its setting's")?;
    Ok(arguments)
}

/// Sends the log to its file, unless the program has set up another.
fn start_log(data_dir: &Path) -> Result<(), EngineError> {
    let path = data_dir.join(log_file::FILE_NAME);
    let log = LogFile::open(&path).map_err(|source| EngineError::io("open", &path, source))?;
    let writer = move || log.clone();
    let _ = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).try_init();
    Ok(())
}

fn report(report: &Report) {
    let line = serde_json::to_string(report).expect("a report is plain data");
    let mut output = std::io::stdout().lock();
    // With nobody to read it there is nobody to tell; the end of standard input will say so.
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// SIGTERM and SIGINT are for the parent: sent to a whole unit or terminal they come here too, while the parent's parts still
/// have to write what they hold. A signal that was listened to once never has its usual effect again.
fn leave_signals_to_the_parent(runtime: &tokio::runtime::Runtime) {
    let _context = runtime.enter();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        if let Err(error) = signal(kind) {
            tracing::warn!(%error, "a signal that is meant for the parent ends the engine");
        }
    }
}

/// Until the parent closes its end of standard input, or is gone.
async fn wait_for_stop() {
    let (gone, parent_gone) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = gone.send(());
    });
    let _ = parent_gone.await;
    tracing::info!("the engine stops: its parent closed it or is gone");
}
