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

    /// The memory that it holds.
    pub fn memory(&self) -> Memory {
        Memory::of(self.pid())
    }

    /// Has [`Memory::peak`] begin anew.
    pub fn forget_peak(&self) {
        let path = format!("/proc/{}/clear_refs", self.pid());
        std::fs::write(path, "5").expect("the peak of a process of our own can be forgotten");
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

/// What a process holds of the machine's memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub resident: u64,
    /// The most that was ever resident.
    pub peak: u64,
}

impl Memory {
    /// # Panics
    /// Where there is no such process.
    pub fn of(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
        let bytes = |field: &str| {
            let line =
                status.lines().find_map(|line| line.strip_prefix(field)).expect("a field of a process");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
        };
        Self { resident: bytes("VmRSS:"), peak: bytes("VmHWM:") }
    }
}

/// A port on which nobody listens just now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.local_addr().expect("it is bound").port()
}
