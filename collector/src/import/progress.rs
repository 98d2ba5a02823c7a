//! How far an import is: told to whoever wants to know, and drawn on a terminal.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The first pass: grids are made of the whole file.
    Surveying,
    /// Until the grids hold in every collector.
    Waiting,
    /// The second pass: events are stored and counted.
    Loading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    /// Rows of the file; tenths of a second while waiting.
    pub done: u64,
    /// Of how many, once that is known.
    pub of: Option<u64>,
}

/// Whoever is told. Clones tell the same.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(Progress) + Send + Sync>);

impl Observer {
    pub fn new(tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// For whoever does not want to know.
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    pub fn tell(&self, stage: Stage, done: u64, of: Option<u64>) {
        (self.0)(Progress { stage, done, of });
    }
}

/// Draws progress: a bar with rows per second on a terminal, a line every few seconds where there is none.
pub struct Drawn {
    state: Mutex<State>,
    is_terminal: bool,
}

struct State {
    /// Which of several files it is.
    place: String,
    stage: Option<Stage>,
    bar: ProgressBar,
    began: Instant,
    last_line: Instant,
}

const LINE_EVERY: Duration = Duration::from_secs(5);

impl Default for Drawn {
    fn default() -> Self {
        let now = Instant::now();
        let state = State {
            place: String::new(),
            stage: None,
            bar: ProgressBar::hidden(),
            began: now,
            last_line: now,
        };
        Self { state: Mutex::new(state), is_terminal: std::io::stderr().is_terminal() }
    }
}

impl Drawn {
    pub fn show(&self, progress: Progress) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.stage != Some(progress.stage) {
            state.bar.finish_and_clear();
            state.stage = Some(progress.stage);
            state.began = Instant::now();
            state.last_line = state.began;
            state.bar = if self.is_terminal { bar(progress, &state.place) } else { ProgressBar::hidden() };
        }
        if let Some(of) = progress.of {
            state.bar.set_length(of);
        }
        state.bar.set_position(progress.done);
        if !self.is_terminal && state.last_line.elapsed() >= LINE_EVERY {
            state.last_line = Instant::now();
            eprintln!("{}{}", state.place, line(progress, state.began.elapsed()));
        }
    }

    /// The next of several files begins; its place stands before everything that is drawn.
    pub fn begin(&self, place: &str) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.bar.finish_and_clear();
        state.place = format!("{place}: ");
        state.stage = None;
        if !self.is_terminal {
            eprintln!("{place}");
        }
    }

    pub fn end(&self) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).bar.finish_and_clear();
    }
}

fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Surveying => "reading",
        Stage::Waiting => "waiting for the new grids to hold",
        Stage::Loading => "storing and counting",
    }
}

fn bar(progress: Progress, place: &str) -> ProgressBar {
    let template = match progress.stage {
        Stage::Waiting => "{msg} [{bar:30}]",
        _ => "{msg} [{bar:30}] {human_pos}/{human_len} rows, {per_sec}, {eta} left",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(progress.of.unwrap_or(0)).with_style(style.progress_chars("━╸ "));
    bar.set_message(format!("{place}{}", word(progress.stage)));
    bar
}

fn line(progress: Progress, took: Duration) -> String {
    let of = progress.of.map_or_else(String::new, |of| format!(" of {of}"));
    match progress.stage {
        Stage::Waiting => word(progress.stage).to_owned(),
        stage => {
            let rate = progress.done as f64 / took.as_secs_f64().max(0.001);
            format!("{}: {}{of} rows, {rate:.0} a second", word(stage), progress.done)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_a_line_says_how_far_it_is() {
        let progress = Progress { stage: Stage::Loading, done: 5_000, of: Some(20_000) };
        let text = line(progress, Duration::from_secs(2));
        assert_eq!(text, "storing and counting: 5000 of 20000 rows, 2500 a second");
    }
}
