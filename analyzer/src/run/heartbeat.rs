//! The analyzer's evaluation of itself: how far it is behind. Where it is missing, the analyzer has stalled.

use std::time::Duration;

use domain::contract::DEFAULT_ENVIRONMENT;
use domain::evaluation::Monitor;
use domain::time::{Instant, Interval, MINUTE};

use super::Work;
use crate::config::Config;
use crate::finding::{Context, Finding, numbers};
use crate::standings::Standings;
use crate::threshold::{Limits, Rules};
use crate::words;

/// The model as which Leeway watches itself, and the watch.
pub const MODEL: &str = "leeway";
pub const WATCH: &str = "analyzer";
/// Verdicts later than this are late.
const LATE: Duration = Duration::from_secs(300);

/// One evaluation a minute.
pub(crate) struct Heartbeat {
    standings: Standings,
    limits: Limits,
    last: Option<Instant>,
}

impl Heartbeat {
    pub(crate) fn new(config: &Config) -> Self {
        let limits = Limits::shared_over(config, 1, MINUTE);
        Self { standings: Standings::new(Rules::from(config)), limits, last: None }
    }

    pub(crate) async fn beat(
        &mut self,
        work: &mut Work,
        behind: Duration,
        watches: usize,
    ) -> anyhow::Result<()> {
        let end = work.now().floor(MINUTE);
        if self.last.is_some_and(|last| end <= last) {
            return Ok(());
        }
        let seconds = behind.as_secs_f64();
        let finding = Finding {
            monitor: Monitor::Analyzer,
            signal: String::new(),
            segment: match work.config.shard.is_all() {
                true => String::new(),
                false => format!("shard={}", work.config.shard),
            },
            statistic: "seconds_behind",
            value: seconds,
            limit: self.limits.above(0.0, LATE.as_secs_f64(), 0.0),
            n_baseline: 0,
            n_current: watches as u64,
            is_enough: true,
            is_quiet: false,
            numbers: numbers([
                ("watches", watches as f64),
                ("silent_shards", work.shards.living().dead().len() as f64),
            ]),
            facts: format!("the analyzer is {} behind{}", words::seconds(seconds), in_place_of(work)),
        };
        let context = Context {
            model: MODEL,
            environment: DEFAULT_ENVIRONMENT,
            watch: WATCH,
            baseline: "",
            window: Interval::ending_at(end, MINUTE),
            evaluated_at: work.stamp(),
        };
        let evaluations = self.standings.judge(vec![finding], &context, &[]);
        let token = format!("{MODEL}/{WATCH}/{}/{}", end.millis(), context.evaluated_at.millis());
        work.write(&evaluations, &token).await?;
        self.standings.take(&evaluations);
        self.last = Some(end);
        Ok(())
    }
}

/// `, in place of shard 2/2, which is silent`; nothing where all live.
fn in_place_of(work: &Work) -> String {
    let dead: Vec<String> = work.shards.living().dead().iter().map(ToString::to_string).collect();
    match dead.len() {
        0 => String::new(),
        1 => format!(", in place of shard {}, which is silent", dead[0]),
        _ => format!(", in place of shards {}, which are silent", dead.join(", ")),
    }
}
