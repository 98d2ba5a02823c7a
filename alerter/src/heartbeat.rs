//! Whether the analyzer still works: one that says nothing is an incident of Leeway itself.
//!
//! Every evaluation is a sign of life. Where none comes for too long, an evaluation is made here in the analyzer's place,
//! and another one when it is back; the state machine does the rest.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::contract::DEFAULT_ENVIRONMENT;
use domain::evaluation::{Evaluation, Monitor, Severity, Subject, Verdict};
use domain::time::{Instant, Interval};

use crate::incidents::Incidents;

/// The model that Leeway is to itself.
const MODEL: &str = "leeway";
const WATCH: &str = "analyzer";
/// A subject of its own beside the analyzer's own word about its delay.
pub const SIGNAL: &str = "heartbeat";
/// Tells the stall, which is judged here, from a delay, which the analyzer judges itself.
const STATISTIC: &str = "seconds_without_heartbeat";

pub struct Heartbeat {
    patience: Duration,
    last: Instant,
}

impl Heartbeat {
    /// The time before this process listened counts for nothing.
    pub fn listening_from(now: Instant, patience: Duration) -> Self {
        Self { patience, last: now }
    }

    /// Something was evaluated at `at`.
    pub fn hear(&mut self, at: Instant) {
        self.last = self.last.max(at);
    }

    /// The evaluation that the analyzer's silence, or its end, makes necessary at `now`.
    pub fn judge(&self, incidents: &Incidents, now: Instant) -> Option<Evaluation> {
        let silent = now.since(self.last);
        let stalled = silent >= self.patience;
        let standing = incidents
            .open()
            .flat_map(|case| case.standing())
            .any(|finding| finding.subject == subject() && finding.statistic == STATISTIC);
        (stalled != standing).then(|| self.evaluation(stalled, now))
    }

    fn evaluation(&self, stalled: bool, now: Instant) -> Evaluation {
        let silent = now.since(self.last);
        let sentence = match stalled {
            true => format!(
                "the analyzer has said nothing for {} (allowed are {}); meanwhile nothing is watched",
                words(silent),
                words(self.patience)
            ),
            false => "the analyzer is back".to_owned(),
        };
        Evaluation {
            subject: subject(),
            window: Interval::ending_at(now, self.patience),
            baseline: String::new(),
            statistic: STATISTIC.to_owned(),
            value: silent.as_secs_f64(),
            threshold: self.patience.as_secs_f64(),
            recovery: self.patience.as_secs_f64(),
            noise: 0.0,
            n_baseline: 0,
            n_current: 0,
            verdict: if stalled { Verdict::OffCourse } else { Verdict::OnCourse },
            severity: Severity::of(Monitor::Analyzer, "", silent.as_secs_f64()),
            since: if stalled { self.last } else { now },
            streak: 1,
            numbers: BTreeMap::new(),
            sentence,
            evaluated_at: now,
        }
    }
}

fn subject() -> Subject {
    Subject {
        model: MODEL.to_owned(),
        environment: DEFAULT_ENVIRONMENT.to_owned(),
        watch: WATCH.to_owned(),
        monitor: Monitor::Analyzer,
        signal: SIGNAL.to_owned(),
        segment: String::new(),
    }
}

fn words(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::samples;
    use domain::incident::EventKind;

    #[test]
    fn a_silent_analyzer_is_one_incident_until_it_is_back() {
        let minutes = |n: i64| Instant::from_seconds(n * 60);
        let mut incidents = Incidents::new(samples::rules());
        let mut heartbeat = Heartbeat::listening_from(minutes(0), Duration::from_secs(300));
        assert_eq!(heartbeat.judge(&incidents, minutes(4)), None);

        let stalled = heartbeat.judge(&incidents, minutes(5)).expect("stalled");
        let events = incidents.take(vec![stalled], minutes(5));
        assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::Opened]);
        assert_eq!(events[0].severity, Severity::Page);
        assert!(events[0].title.starts_with("Leeway's analyzer has stalled since"), "{}", events[0].title);
        assert_eq!(heartbeat.judge(&incidents, minutes(9)), None, "it is known already");

        heartbeat.hear(minutes(10));
        let back = heartbeat.judge(&incidents, minutes(10)).expect("back");
        let events = incidents.take(vec![back], minutes(10));
        assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::Resolved]);
        assert_eq!(heartbeat.judge(&incidents, minutes(11)), None);
    }
}
