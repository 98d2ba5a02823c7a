//! Whether the analyzer still works: one that says nothing is an incident of Leeway itself.
//!
//! Every evaluation is a sign of life. Where none comes for too long, an evaluation is made here in the analyzer's place,
//! and another one when it is back; the state machine does the rest.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::contract::DEFAULT_ENVIRONMENT;
use domain::evaluation::{Basis, Evaluation, Monitor, Severity, Subject, Verdict};
use domain::time::{Instant, Interval};

use crate::incidents::{HEARTBEAT, Incidents};

/// The model that Leeway is to itself.
const MODEL: &str = "leeway";
const WATCH: &str = "analyzer";
/// Tells the stall, which is judged here, from a delay, which the analyzer judges itself.
const STATISTIC: &str = "seconds_without_heartbeat";

pub struct Heartbeat {
    patience: Duration,
    /// Since when it is listened: the time before counts for nothing.
    listening_from: Instant,
    heard_at: Option<Instant>,
    judged_at: Instant,
}

impl Heartbeat {
    pub fn listening_from(now: Instant, patience: Duration) -> Self {
        Self { patience, listening_from: now, heard_at: None, judged_at: now }
    }

    /// Something was evaluated at `at`.
    pub fn hear(&mut self, at: Instant) {
        self.heard_at = self.heard_at.max(Some(at));
    }

    /// The evaluation that the analyzer's silence, or its end, makes necessary at `now`. Must be called often: where it
    /// was not, because the store was away or the machine slept, nobody listened.
    pub fn judge(&mut self, incidents: &Incidents, now: Instant) -> Option<Evaluation> {
        if now.since(self.judged_at) >= self.patience / 2 {
            self.listening_from = now;
        }
        self.judged_at = now;
        let last = self.heard_at.max(Some(self.listening_from)).unwrap_or(now);
        let stalled = now.since(last) >= self.patience;
        let standing = incidents
            .open()
            .flat_map(|case| case.standing())
            .find(|finding| finding.subject == subject() && finding.statistic == STATISTIC);
        match standing {
            None => stalled.then(|| self.evaluation(Verdict::OffCourse, last, now)),
            // A process that was just started has heard nothing yet, which is no sign of life.
            Some(finding) => self
                .heard_at
                .filter(|heard_at| *heard_at > finding.since && !stalled)
                .map(|heard_at| self.evaluation(Verdict::OnCourse, heard_at, now)),
        }
    }

    fn evaluation(&self, verdict: Verdict, last: Instant, now: Instant) -> Evaluation {
        let silent = now.since(last);
        let stalled = verdict == Verdict::OffCourse;
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
            verdict,
            severity: Severity::of(Monitor::Analyzer, "", silent.as_secs_f64(), Basis::Stated),
            since: if stalled { last } else { now },
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
        signal: HEARTBEAT.to_owned(),
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

    const PATIENCE: Duration = Duration::from_secs(300);

    fn at(minute: i64) -> Instant {
        Instant::from_seconds(minute * 60)
    }

    /// What becomes of it when it is judged each minute.
    fn watch(
        heartbeat: &mut Heartbeat,
        incidents: &mut Incidents,
        minutes: std::ops::RangeInclusive<i64>,
    ) -> Vec<(i64, EventKind)> {
        let mut events = Vec::new();
        for minute in minutes {
            let judged = heartbeat.judge(incidents, at(minute));
            let happened = incidents.take(judged.into_iter().collect(), at(minute));
            events.extend(happened.iter().map(|event| (minute, event.kind)));
        }
        events
    }

    #[test]
    fn a_silent_analyzer_is_one_incident_until_it_is_back() {
        let mut incidents = Incidents::new(samples::rules());
        let mut heartbeat = Heartbeat::listening_from(at(0), PATIENCE);
        assert_eq!(watch(&mut heartbeat, &mut incidents, 1..=9), [(5, EventKind::Opened)]);
        let case = incidents.open().next().expect("an incident");
        assert_eq!(case.incident.severity, Severity::Page);
        assert!(case.incident.title.starts_with("Leeway's analyzer has stalled since"));
        heartbeat.hear(at(10));
        assert_eq!(watch(&mut heartbeat, &mut incidents, 10..=14), [(10, EventKind::Resolved)]);
    }

    #[test]
    fn a_restart_is_no_sign_of_life() {
        let mut incidents = Incidents::new(samples::rules());
        let mut heartbeat = Heartbeat::listening_from(at(0), PATIENCE);
        heartbeat.hear(at(1));
        assert_eq!(watch(&mut heartbeat, &mut incidents, 1..=7), [(6, EventKind::Opened)]);
        let mut heartbeat = Heartbeat::listening_from(at(8), PATIENCE);
        heartbeat.hear(at(1));
        assert_eq!(watch(&mut heartbeat, &mut incidents, 8..=20), [], "it has still stalled");
        heartbeat.hear(at(21));
        assert_eq!(watch(&mut heartbeat, &mut incidents, 21..=22), [(21, EventKind::Resolved)]);
    }

    #[test]
    fn while_nobody_listened_nothing_was_said() {
        let mut incidents = Incidents::new(samples::rules());
        let mut heartbeat = Heartbeat::listening_from(at(0), PATIENCE);
        heartbeat.hear(at(1));
        assert_eq!(watch(&mut heartbeat, &mut incidents, 1..=2), []);
        // The machine slept for eight hours.
        assert_eq!(watch(&mut heartbeat, &mut incidents, 482..=484), []);
        assert_eq!(watch(&mut heartbeat, &mut incidents, 485..=487), [(487, EventKind::Opened)]);
    }
}
