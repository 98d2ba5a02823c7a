//! How far a comparison is: a bar on a terminal, a line every few seconds where there is none.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(5);

pub struct Progress {
    bar: ProgressBar,
    done: AtomicU64,
    of: AtomicU64,
    last_line: Mutex<Instant>,
}

impl Default for Progress {
    fn default() -> Self {
        let bar =
            if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.set_message("looking at the columns");
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, done: AtomicU64::new(0), of: AtomicU64::new(0), last_line: Mutex::new(Instant::now()) }
    }
}

impl Progress {
    /// Once it is known how many values there are.
    pub fn begin(&self, of: u64) {
        self.of.store(of, Ordering::Relaxed);
        let style =
            ProgressStyle::with_template("comparing [{bar:30}] {human_pos}/{human_len} values, {eta} left");
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ "));
        self.bar.set_length(of);
    }

    pub fn add(&self, values: u64) {
        let done = self.done.fetch_add(values, Ordering::Relaxed) + values;
        self.bar.set_position(done);
        // Whoever finds it taken leaves the line to the other.
        let Ok(mut last_line) = self.last_line.try_lock() else { return };
        if self.bar.is_hidden() && last_line.elapsed() >= LINE_EVERY {
            *last_line = Instant::now();
            let of = self.of.load(Ordering::Relaxed);
            eprintln!("comparing: {} of {} values", analyzer::words::count(done), analyzer::words::count(of));
        }
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
