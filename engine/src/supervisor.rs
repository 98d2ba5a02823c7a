//! The parent's side: starts the engine as a child process, starts it again when it dies, stops it.
//!
//! Port, user and password stay the same over restarts, so a client made once stays good.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::config::{EngineConfig, ServeOptions};
use crate::error::EngineError;
use crate::library;
use crate::lock;
use crate::log_file;
use crate::process::{CLOSING, Report};
use crate::running::{self, Running};

/// The only user of the embedded engine.
const USER: &str = "leeway";

/// Waiting before a restart: doubled each time the engine dies early, from the first to the last.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LAST_DELAY: Duration = Duration::from_secs(10);

/// An engine that ran this long was well; its next restart waits the first delay again.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// How long a look by another process may hold the lock.
const LOOK: Duration = Duration::from_millis(500);

/// Lines of the log that an error quotes.
const QUOTED_LINES: usize = 3;

/// How the engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Running {
        pid: u32,
    },
    /// It died and is being started again.
    Restarting {
        attempt: u32,
        reason: String,
    },
    Stopped,
}

/// A running embedded engine. Dropping it stops it too, without waiting for the end.
#[derive(Debug)]
pub struct Engine {
    access: Running,
    health: watch::Receiver<Health>,
    /// Held for as long as this value lives, also while the engine is being restarted.
    _lock: File,
    stop: Option<oneshot::Sender<()>>,
    supervision: Option<JoinHandle<Result<(), EngineError>>>,
}

impl Engine {
    /// Finds (or fetches) the library, starts the engine and waits until it answers.
    pub async fn start(config: EngineConfig) -> Result<Self, EngineError> {
        // What a model predicted of whom is nobody else's business.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&config.data_dir)
            .map_err(|source| EngineError::io("create", &config.data_dir, source))?;
        let (data_dir, configured) = (config.data_dir.clone(), config.library.clone());
        // Before anything that takes long: who comes second learns it at once.
        let lock = blocking(move || lock::take(&data_dir, lock::OWNER, LOOK)).await?;
        let library = blocking(move || library::find_or_fetch(configured.as_deref())).await?;
        let executable = match &config.executable {
            Some(path) => path.clone(),
            None => std::env::current_exe()
                .map_err(|source| EngineError::io("find", "the running program", source))?,
        };
        let options = ServeOptions {
            data_dir: config.data_dir.clone(),
            library,
            port: config.port,
            memory_limit_bytes: config.memory_limit_bytes,
            max_connections: config.max_connections,
            settings: config.settings.clone(),
            stop_timeout_s: config.stop_timeout_s,
            user: USER.to_owned(),
            password: random_password(),
        };
        let mut launcher = Launcher { config, executable, options };
        let child = launcher.launch().await?;
        // From now on this port is the engine's, also after a restart.
        launcher.options.port = child.port;
        let access = launcher.access(child.pid);
        let (health_sender, health) = watch::channel(Health::Running { pid: child.pid });
        let (stop, stopped) = oneshot::channel();
        let supervision = tokio::spawn(supervise(launcher, child, health_sender, stopped));
        Ok(Self { access, health, _lock: lock, stop: Some(stop), supervision: Some(supervision) })
    }

    /// Where it answers: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.access.url
    }

    pub fn user(&self) -> &str {
        &self.access.user
    }

    pub fn password(&self) -> &str {
        &self.access.password
    }

    /// The child's process id; `None` between a crash and the next start.
    pub fn pid(&self) -> Option<u32> {
        match &*self.health.borrow() {
            Health::Running { pid } => Some(*pid),
            _ => None,
        }
    }

    /// How it is, to look at or to wait for changes of.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Stops it: running statements end (or are killed at the deadline), every table is closed.
    ///
    /// # Errors
    /// [`EngineError::Disorder`] where it did not end by itself; what it had answered for is on disk all the same.
    pub async fn stop(mut self) -> Result<(), EngineError> {
        self.stop.take();
        match self.supervision.take() {
            Some(supervision) => supervision.await.expect("supervising does not panic"),
            None => Ok(()),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work).await.expect("this work does not panic")
}

/// 32 random bytes, in hexadecimal.
fn random_password() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Launched {
    process: Child,
    /// Closed, it tells the child to stop.
    input: ChildStdin,
    pid: u32,
    port: u16,
    since: Instant,
}

struct Launcher {
    config: EngineConfig,
    executable: PathBuf,
    options: ServeOptions,
}

impl Launcher {
    fn access(&self, pid: u32) -> Running {
        let ServeOptions { port, user, password, .. } = &self.options;
        Running {
            url: format!("http://127.0.0.1:{port}"),
            user: user.clone(),
            password: password.clone(),
            pid,
        }
    }

    fn log_path(&self) -> PathBuf {
        self.config.data_dir.join(log_file::FILE_NAME)
    }

    async fn launch(&self) -> Result<Launched, EngineError> {
        let log_path = self.log_path();
        let log = log_file::open(&log_path).map_err(|source| EngineError::io("open", &log_path, source))?;
        let log_start = log.metadata().map_or(0, |metadata| metadata.len());
        let mut process = Command::new(&self.executable)
            .args(&self.config.arguments)
            // Wherever the machine is: what a statement says of time is then the same as on a server in a container.
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // A group of its own: Ctrl-C in the terminal is for the parent, which stops the engine last.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| EngineError::Spawn { path: self.executable.clone(), source })?;
        let not_started = |reason| EngineError::NotStarted { reason, log: log_path.clone() };
        let (Some(mut input), Some(output), Some(pid)) =
            (process.stdin.take(), process.stdout.take(), process.id())
        else {
            return Err(not_started("it ended at once".to_owned()));
        };
        let mut line = serde_json::to_vec(&self.options).expect("the options are plain data");
        line.push(b'\n');
        // A child that ended already says why on its output.
        let _ = input.write_all(&line).await;
        let read = tokio::time::timeout(self.config.start_timeout(), read_report(output)).await;
        let port = match read {
            Ok(Some(Report::Port(port))) => port,
            Ok(Some(Report::Failed(reason))) => return Err(not_started(reason)),
            Ok(None) => {
                let status =
                    process.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
                return Err(not_started(format!("it ended with {status}{}", quote(&log_path, log_start))));
            }
            Err(_) => {
                return Err(not_started(format!(
                    "it was not ready within {} s",
                    self.config.start_timeout_s
                )));
            }
        };
        let launched = Launched { process, input, pid, port, since: Instant::now() };
        let access = Running { url: format!("http://127.0.0.1:{port}"), ..self.access(pid) };
        running::announce(&self.config.data_dir, &access)
            .map_err(|source| EngineError::io("announce the engine in", &self.config.data_dir, source))?;
        Ok(launched)
    }
}

/// Reads the child's output up to its report, and goes on reading so that the child never waits for a reader.
async fn read_report(output: ChildStdout) -> Option<Report> {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(report) = serde_json::from_str(&line) {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some(report);
        }
    }
    None
}

/// The last lines that a child wrote into the log.
fn quote(log: &Path, start: u64) -> String {
    let Ok(text) = std::fs::read(log) else { return String::new() };
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let text = String::from_utf8_lossy(text.get(start..).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(QUOTED_LINES)..];
    if last.is_empty() { String::new() } else { format!(": {}", last.join(" / ")) }
}

async fn supervise(
    launcher: Launcher,
    mut child: Launched,
    health: watch::Sender<Health>,
    mut stopped: oneshot::Receiver<()>,
) -> Result<(), EngineError> {
    let mut attempt = 0;
    let outcome = loop {
        let ended = tokio::select! {
            ended = child.process.wait() => ended,
            _ = &mut stopped => break stop(child, launcher.config.stop_timeout() + CLOSING).await,
        };
        let reason = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
        if child.since.elapsed() >= WELL_AFTER {
            attempt = 0;
        }
        tracing::error!(pid = child.pid, %reason, log = %launcher.log_path().display(), "the embedded engine died; it is started again");
        match restart(&launcher, &mut attempt, reason, &health, &mut stopped).await {
            Some(again) => child = again,
            None => break Ok(()),
        }
        let _ = health.send(Health::Running { pid: child.pid });
        tracing::info!(pid = child.pid, "the embedded engine runs again");
    };
    running::withdraw(&launcher.config.data_dir);
    let _ = health.send(Health::Stopped);
    outcome
}

/// Starts the engine again, waiting longer after each attempt; `None` when it was told to stop meanwhile.
async fn restart(
    launcher: &Launcher,
    attempt: &mut u32,
    mut reason: String,
    health: &watch::Sender<Health>,
    stopped: &mut oneshot::Receiver<()>,
) -> Option<Launched> {
    loop {
        let delay = FIRST_DELAY.saturating_mul(1 << (*attempt).min(16)).min(LAST_DELAY);
        *attempt += 1;
        let _ = health.send(Health::Restarting { attempt: *attempt, reason });
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            _ = &mut *stopped => return None,
        }
        let launched = tokio::select! {
            launched = launcher.launch() => launched,
            _ = &mut *stopped => return None,
        };
        match launched {
            Ok(child) => return Some(child),
            Err(error) => {
                tracing::error!(attempt = *attempt, %error, "the embedded engine did not start again");
                reason = error.to_string();
            }
        }
    }
}

async fn stop(mut child: Launched, deadline: Duration) -> Result<(), EngineError> {
    drop(child.input);
    match tokio::time::timeout(deadline, child.process.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(EngineError::Disorder { how: format!("it ended with {status}") }),
        Ok(Err(error)) => Err(EngineError::Disorder { how: error.to_string() }),
        Err(_) => {
            let _ = child.process.kill().await;
            Err(EngineError::Disorder { how: format!("it was killed after {} s", deadline.as_secs()) })
        }
    }
}
