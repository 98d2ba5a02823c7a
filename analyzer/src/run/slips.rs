//! Whether what looks like another unit came at once: a season that has reached the same factor over months is none.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::contract::Against;
use domain::time::{DAY, HOUR, Instant, Interval, MINUTE};
use sql::counts::{Question, Resolution};
use tokio::sync::Mutex;

use super::Work;
use super::watch::WatchRun;
use crate::finding::Finding;
use crate::standings::Key;
use crate::units::{self, Slip, Steps};

/// No more findings of one window than this are looked at: a changed unit is one signal in some segments.
const MOST: usize = 40;

/// Signal, segment, and what would explain it.
type Subject = (String, String, &'static str);

/// What was found of runs of windows that are over their first steps, with the start of the run.
#[derive(Debug, Default)]
pub(super) struct Slips {
    known: Mutex<BTreeMap<Subject, (Instant, bool)>>,
}

impl WatchRun {
    /// Says of each finding that a known factor explains whether it is another unit, or leaves it as mere movement.
    pub(super) async fn confirm_slips(
        &self,
        work: &Work,
        window: Interval,
        findings: &mut [Finding],
    ) -> anyhow::Result<()> {
        let candidates =
            findings.iter_mut().filter_map(|finding| Some((units::candidate(finding)?, finding)));
        for (place, (slip, finding)) in candidates.enumerate() {
            let is_slip = place < MOST && self.is_slip(work, window, finding, slip).await?;
            units::settle(finding, slip, is_slip);
        }
        Ok(())
    }

    async fn is_slip(
        &self,
        work: &Work,
        window: Interval,
        finding: &Finding,
        slip: Slip,
    ) -> anyhow::Result<bool> {
        if matches!(self.watch.against(), Against::Version { .. } | Against::Environment { .. }) {
            // Of the same minutes no season makes two.
            return Ok(true);
        }
        let since = self.run_since(&finding.key()).unwrap_or(window.start);
        let subject: Subject = (finding.signal.clone(), finding.segment.clone(), slip.words);
        let mut known = self.slips.known.lock().await;
        if let Some((_, is_slip)) = known.get(&subject).filter(|(of, _)| *of == since) {
            return Ok(*is_slip);
        }
        let step = self.schedule.step.clamp(MINUTE, HOUR);
        let onset = Interval::new(since.saturating_sub(step), since.saturating_add(self.schedule.length));
        let lasting = units::lasting(onset);
        let settled = onset.end.saturating_add(lasting + 3 * step);
        let reach = lasting.max(DAY);
        let span = Interval::new(onset.start.saturating_sub(reach + 3 * step), window.end.min(settled));
        let steps = self.signal_by(work, finding, span, step).await?;
        let is_slip = units::is_sudden(slip, &steps, onset, step);
        if window.end >= settled {
            known.insert(subject, (since, is_slip));
        }
        Ok(is_slip)
    }

    /// When the run of windows beyond the limit began that a subject is in.
    fn run_since(&self, key: &Key) -> Option<Instant> {
        let standing = self.standings.get(key)?;
        (standing.verdict != domain::evaluation::Verdict::OnCourse).then_some(standing.since)
    }

    async fn signal_by(
        &self,
        work: &Work,
        finding: &Finding,
        span: Interval,
        step: Duration,
    ) -> anyhow::Result<Steps> {
        let question = Question {
            signals: vec![finding.signal.clone()],
            segments: vec![finding.segment.clone()],
            resolution: if step < HOUR { Resolution::Minutes } else { Resolution::Hours },
            step_s: u32::try_from(step.as_secs())?,
            ..self.question(Interval::new(span.start.floor(step), span.end))
        };
        let points = work.store.moments_of(&question, &self.own_versions()).await?;
        Ok(points.into_iter().map(|point| (point.at, point.moments)).collect())
    }
}
