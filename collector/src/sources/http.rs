//! `POST /v1/predictions` and `POST /v1/outcomes`: answered with 200 only after the store has the events, or
//! Kafka where the collector is a gateway to it.

pub(super) mod answer;
pub(super) mod auth;
pub(super) mod body;
mod contract;
mod door;
mod retries;
mod understanding;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use axum::routing::{get, post};
use domain::time::{Clock, DAY, Instant};
use service::context::Contracts;
use service::token::Tokens;
use tokio::sync::{Semaphore, watch};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

use self::answer::Refusal;
use self::auth::Allowed;
pub(super) use self::door::{Door, OUTCOMES, PREDICTIONS, Taken};
use self::retries::Retries;
use crate::config::{Config, Limits};
use crate::decode::{Names, Rules};
use crate::event::{Name, Outcome, Rejection};
use crate::intake::{Intake, off_the_runtime};
use crate::payloads::Payloads;
use crate::predictions::Predictions;
use crate::queue::Queue;
use crate::sources::kafka::gateway::Gateway;

/// The name under which events of this source are stored.
pub const SOURCE: &str = "http";

/// Where events go.
#[derive(Clone)]
pub struct Queues {
    pub predictions: Queue<Predictions>,
    pub outcomes: Queue<Vec<Outcome>>,
    pub rejections: Queue<Vec<Rejection>>,
}

/// All that the handlers share.
pub struct Http {
    pub(super) tokens: Tokens,
    pub(super) limits: Limits,
    /// Days that events are kept; older ones are refused.
    kept_days: u32,
    clock: Clock,
    pub(super) queues: Queues,
    pub(super) intake: Intake,
    pub(super) payloads: Payloads,
    /// What holds for payloads.
    pub(super) settings: crate::config::Payloads,
    /// Where events go instead, if Kafka is their log.
    gateway: Option<Gateway>,
    contracts: Contracts,
    /// Whether the contracts of the store were read: before that nobody knows what must not be kept.
    is_told: watch::Receiver<bool>,
    /// Room for bodies and their events, in KiB.
    pub(super) room: Arc<Semaphore>,
    /// One for each processor: more bodies at once are not read sooner, and what one becomes has its room only afterwards.
    readers: Semaphore,
    /// Names learned from earlier requests; a request takes one and gives it back.
    names: Mutex<Vec<Names>>,
    /// Requests with an `Idempotency-Key`, where they are remembered.
    retries: Option<Retries>,
}

impl Http {
    /// # Errors
    /// Where a token's file cannot be read, or the folder of what is remembered cannot be used.
    pub fn new(
        config: &Config,
        context: &service::Context,
        queues: Queues,
        intake: Intake,
        payloads: Payloads,
        is_told: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            tokens: Tokens::read(&config.tokens)?,
            limits: config.limits.clone(),
            kept_days: intake.store().config().retention.events_days,
            clock: context.clock.clone(),
            queues,
            intake,
            payloads,
            settings: config.payloads.clone(),
            gateway: None,
            contracts: context.contracts.clone(),
            is_told,
            room: Arc::new(Semaphore::new(body::kib(config.limits.waiting_bytes) as usize)),
            readers: Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)),
            names: Mutex::default(),
            retries: Retries::open(&config.spool_dir, config.duplicates.window_s, context.clock.now())?,
        })
    }

    /// The same where Kafka is the log of what comes.
    pub fn with_gateway(self, gateway: Option<Gateway>) -> Self {
        Self { gateway, ..self }
    }

    pub fn router(self) -> Router {
        let layers = ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(CatchPanicLayer::new());
        let own = Router::new()
            .route("/v1/predictions", post(predictions))
            .route("/v1/outcomes", post(outcomes))
            .route("/v1/models/{model}/contract", get(contract::get).put(contract::put));
        super::OVER_HTTP
            .iter()
            .fold(own, |router, routes| router.merge(routes()))
            .layer(layers)
            .with_state(Arc::new(self))
    }

    pub(super) fn rules(&self, allowed: &Allowed, source: &str) -> Rules {
        let now = self.clock.now();
        let kept = DAY * self.kept_days;
        Rules {
            received_at: now,
            source: Name::from(source),
            // The tables begin with 1970.
            oldest: now.saturating_sub(kept).max(Instant::EPOCH),
            newest: now.saturating_add(self.limits.future()),
            models: allowed.models(),
            guards: self.intake.guards().current(),
        }
    }

    /// # Errors
    /// Where nobody knows yet what must not be kept.
    pub(super) fn knows_contracts(&self) -> Result<(), Refusal> {
        if *self.is_told.borrow() { Ok(()) } else { Err(Refusal::away(std::time::Duration::ZERO)) }
    }

    /// Takes events out of the sender's quota.
    pub(super) fn spend(&self, allowed: &Allowed, events: usize) -> Result<(), Refusal> {
        allowed.spend(events).inspect_err(|_| self.intake.metrics().over_quota(allowed.name(), events))
    }

    /// Reads a body where it holds up nobody who waits, when its turn has come.
    pub(super) async fn read_over<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _turn = self.readers.acquire().await;
        off_the_runtime(work).await
    }

    pub(super) fn with_names<T>(&self, work: impl FnOnce(&mut Names) -> T) -> T {
        let free = || self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = free().pop().unwrap_or_default();
        names.make_ids_of(None);
        let outcome = work(&mut names);
        free().push(names);
        outcome
    }
}

async fn predictions(State(http): State<Arc<Http>>, request: Request<Body>) -> Response {
    PREDICTIONS.take(&http, request).await
}

async fn outcomes(State(http): State<Arc<Http>>, request: Request<Body>) -> Response {
    OUTCOMES.take(&http, request).await
}
