//! Live flights: drawn from the file's last weeks, sent to the collector over HTTP as any service would, much faster
//! than the real forty an hour, with their outcomes half a minute later.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::RngExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::MODEL;
use super::faults::Fault;
use super::flights::Flight;
use super::scorer::Scorer;
use domain::time::Clock;

/// Events a second. Enough for a verdict on one airport each minute.
pub const PER_SECOND: usize = 20;
/// How long an outcome takes.
const OUTCOME_DELAY: Duration = Duration::from_secs(30);
/// How often a batch is sent.
const TICK: Duration = Duration::from_millis(500);

pub struct Live {
    pub flights: Vec<Flight>,
    pub scorer: Scorer,
    pub faults: bool,
    pub collector: String,
    pub clock: Clock,
}

/// An outcome that waits for its time.
struct Pending {
    due: Instant,
    line: String,
}

impl Live {
    /// Returns when the collector takes events.
    pub async fn until_ready(&self) {
        let client = service::http::client(Duration::from_secs(2));
        let ready = || async {
            let answer = client.get(format!("{}/readyz", self.collector)).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        };
        while !ready().await {
            tokio::time::sleep(TICK).await;
        }
    }

    /// Sends until stopped. A collector that is away for a moment is tried again with the next tick; `tell` hears of
    /// faults that begin and end.
    pub async fn run(self, stopper: CancellationToken, tell: impl Fn(String)) {
        let client = service::http::client(Duration::from_secs(10));
        let began = Instant::now();
        let mut tick = tokio::time::interval(TICK);
        let mut pending: VecDeque<Pending> = VecDeque::new();
        let mut current = None;
        while stopper.run_until_cancelled(tick.tick()).await.is_some() {
            let fault = Fault::at(began.elapsed()).filter(|_| self.faults);
            if fault != current {
                tell(self.change(current, fault));
                current = fault;
            }
            let (events, outcomes) = self.batch(fault);
            pending.extend(outcomes);
            let due = pending.iter().take_while(|outcome| outcome.due <= Instant::now()).count();
            let outcomes: Vec<String> = pending.drain(..due).map(|outcome| outcome.line).collect();
            self.send(&client, "/v1/predictions", events).await;
            if !outcomes.is_empty() {
                self.send(&client, "/v1/outcomes", outcomes.join("\n")).await;
            }
        }
    }

    fn change(&self, before: Option<Fault>, now: Option<Fault>) -> String {
        let at = self.clock.now();
        match (before, now) {
            (_, Some(fault)) => format!("{at} fault begins: {}", fault.sentence()),
            (Some(fault), None) => format!("{at} fault ends: {}", fault.sentence()),
            (None, None) => String::new(),
        }
    }

    /// A batch of predictions as NDJSON, and their outcomes.
    fn batch(&self, fault: Option<Fault>) -> (String, Vec<Pending>) {
        let mut lines = Vec::new();
        let mut outcomes = Vec::new();
        let size = (PER_SECOND as f64 * TICK.as_secs_f64()).ceil() as usize;
        for _ in 0..size {
            let mut random = rand::rng();
            let mut flight = self.flights[random.random_range(0..self.flights.len())].clone();
            if let Some(fault) = fault {
                let before = flight.number("wind_speed");
                fault.apply(&mut flight);
                if flight.number("wind_speed") != before {
                    flight.score = self.scorer.score(&flight, random.random());
                }
            }
            let features = flight.features();
            let id = uuid::Uuid::now_v7().to_string();
            let now = self.clock.now();
            let event = json!({
                "id": id, "model": MODEL, "version": "2013-04", "timestamp": now.to_string(), "features": features,
                "prediction": {"score": flight.score}, "tags": {"stream": "live"},
            });
            lines.push(event.to_string());
            if let Some(late) = flight.late {
                let due = Instant::now() + OUTCOME_DELAY;
                let at = now.saturating_add(OUTCOME_DELAY);
                let outcome = json!({
                    "id": id, "model": MODEL, "timestamp": at.to_string(), "outcome": {"late": f64::from(late)},
                });
                outcomes.push(Pending { due, line: outcome.to_string() });
            }
        }
        (lines.join("\n"), outcomes)
    }

    async fn send(&self, client: &reqwest::Client, path: &str, body: String) {
        let request = client
            .post(format!("{}{path}", self.collector))
            .header("content-type", "application/x-ndjson")
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => {
                tracing::warn!(status = answer.status().as_u16(), path, "the collector did not take a batch")
            }
            Err(error) => tracing::warn!(%error, path, "the collector cannot be reached"),
        }
    }
}
