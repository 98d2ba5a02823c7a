//! Leeway's commands as processes of their own, stopped as operators stop them.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::executable;

/// Longer than a stopping role may take ([`service::stop::DEADLINE`]).
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// A running command. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts `leeway ARGUMENTS` with a configuration file. What it logs goes to `log`.
    pub fn start(arguments: &[&str], config: &Path, log: &Path) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log file");
        let child = Command::new(executable())
            .arg("--config")
            .arg(config)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the executable starts");
        Self { name: arguments.join(" "), child }
    }

    /// Asks it to stop, and waits until it did.
    ///
    /// # Panics
    /// Where it had ended before, or does not end in time.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        let waited = tokio::time::timeout(STOPS_WITHIN, self.child.wait()).await;
        waited.unwrap_or_else(|_| panic!("`leeway {}` does not stop", self.name)).expect("its end is told")
    }

    /// The number under which the system knows it.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_else(|| panic!("`leeway {}` had ended by itself", self.name))
    }

    /// Ends it without a chance to say goodbye.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Sends it a signal, such as `STOP`.
    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = std::process::Command::new("kill").args([format!("-{signal}"), pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal reaches `leeway {}`", self.name);
    }
}

/// A port on which nobody listens just now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.local_addr().expect("it is bound").port()
}
