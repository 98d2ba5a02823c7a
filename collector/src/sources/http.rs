//! `POST /v1/predictions` and `POST /v1/outcomes`: answered with 200 only after the store has the events, or
//! Kafka where the collector is a gateway to it.

pub(super) mod answer;
pub(super) mod auth;
pub(super) mod body;
mod contract;
mod retries;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use domain::time::{Clock, DAY, Instant};
use service::context::Contracts;
use service::token::{Scope, Tokens};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

use self::answer::{Accepted, Refusal};
use self::auth::Allowed;
use self::retries::{Key, Retries};
use crate::config::{Config, Limits};
use crate::decode::{self, Decoded, Names, Refused, Rules, Unreadable};
use crate::event::{Kind, Name, Outcome, Prediction, Rejection, cut_payload};
use crate::intake::{Intake, off_the_runtime};
use crate::payloads::Payloads;
use crate::predictions::Predictions;
use crate::queue::{Gather, NotStored, Queue};
use crate::sources::kafka::gateway::{self, Gateway, Identity, NotLogged};

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

/// How predictions are taken.
pub(super) const PREDICTIONS: Door<Predictions> = Door {
    kind: Kind::Prediction,
    scope: Scope::Predictions,
    queue: |http| http.queues.predictions.clone(),
    decode: |body, framing, names, rules| {
        let mut events = Predictions::default();
        let refused = decode::predictions_into(body, framing, names, rules, &mut events)?;
        Ok(Taken { events, refused })
    },
    identities: |events| {
        let identity = |event: Prediction| Identity {
            model: event.model.to_string(),
            id: event.id,
            timestamp: event.timestamp,
        };
        events.rows().map(identity).collect()
    },
};

/// How outcomes are taken.
pub(super) const OUTCOMES: Door<Vec<Outcome>> = Door {
    kind: Kind::Outcome,
    scope: Scope::Outcomes,
    queue: |http| http.queues.outcomes.clone(),
    decode: |body, framing, names, rules| decode::outcomes(body, framing, names, rules).map(Taken::from),
    identities: |events| {
        let identity = |event: &Outcome| Identity {
            model: event.model.to_string(),
            id: event.id.clone(),
            timestamp: event.timestamp,
        };
        events.iter().map(identity).collect()
    },
};

async fn predictions(State(http): State<Arc<Http>>, request: Request<Body>) -> Response {
    PREDICTIONS.take(&http, request).await
}

async fn outcomes(State(http): State<Arc<Http>>, request: Request<Body>) -> Response {
    OUTCOMES.take(&http, request).await
}

/// How one kind of event is taken.
pub(super) struct Door<B> {
    kind: Kind,
    scope: Scope,
    queue: fn(&Http) -> Queue<B>,
    pub(super) decode: Decode<B>,
    /// Asked where the events go to Kafka.
    identities: fn(&B) -> Vec<Identity>,
}

/// What was understood of a body, gathered as it is stored.
#[derive(Default)]
pub(super) struct Taken<B> {
    events: B,
    refused: Vec<Refused>,
}

impl<B: Gather> Taken<B> {
    /// All events, good and bad.
    pub(super) fn len(&self) -> usize {
        self.events.rows() + self.refused.len()
    }

    /// The memory that it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        let of = |refused: &Refused| size_of::<Refused>() + refused.payload.len() + refused.error.len();
        self.events.bytes() + self.refused.iter().map(of).sum::<usize>()
    }
}

impl From<Decoded<Outcome>> for Taken<Vec<Outcome>> {
    fn from(Decoded { events, refused }: Decoded<Outcome>) -> Self {
        Self { events, refused }
    }
}

impl From<Decoded<Prediction>> for Taken<Predictions> {
    fn from(Decoded { events, refused }: Decoded<Prediction>) -> Self {
        Self { events: events.into(), refused }
    }
}

/// What became of the events of a body.
pub(super) struct Stored {
    pub accepted: usize,
    pub refused: Vec<Refused>,
}

type Decode<B> = fn(&[u8], decode::Framing, &mut Names, &Rules) -> Result<Taken<B>, Unreadable>;

impl<B: Gather> Door<B> {
    #[tracing::instrument(skip_all, fields(kind = self.kind.name(), request_id = auth::request_id(&request)))]
    async fn take(&self, http: &Arc<Http>, request: Request<Body>) -> Response {
        let outcome = self.accept(http, request).await;
        let response = answer::response(outcome);
        http.intake.metrics().answered(response.status().as_u16());
        response
    }

    async fn accept(&self, http: &Arc<Http>, request: Request<Body>) -> Result<Accepted, Refusal> {
        let allowed = auth::check(&http.tokens, request.headers(), self.scope)?;
        // What cannot be stored soon is not even looked at: the sender keeps it.
        let log = http.gateway.as_ref().and_then(|gateway| Some((gateway, gateway.topic(self.kind)?)));
        let (parts, body) = request.into_parts();
        let away = match (&log, http.intake.store_health().away_for()) {
            (Some((gateway, _)), _) if gateway.is_away() => Err(Refusal::not_logged(&NotLogged::Away)),
            (None, Some(away)) => Err(Refusal::away(away)),
            _ => http.knows_contracts(),
        };
        if let Err(away) = away {
            return Err(body::unread(&parts.headers, body, &http.limits, away).await);
        }
        let form = body::Form::of(&parts.headers)?;
        let key = match &http.retries {
            Some(_) => Key::of(&parts.headers, allowed.name(), self.kind)?,
            None => None,
        };
        let packed = body::read(&parts.headers, body, &http.limits, &http.room).await?;
        let rules = http.rules(&allowed, SOURCE);
        let work = {
            let (http, rules, decode) = (http.clone(), rules.clone(), self.decode);
            let wanted = Wanted { form, key, keep_text: log.is_some() };
            move || understand(&http, packed, wanted, &rules, decode)
        };
        let Understood { bytes, text, room, request, decoded } = match http.read_over(work).await? {
            Found::Again(answer) => return Ok(answer),
            Found::New(understood) => understood,
        };
        match decoded {
            Ok(taken) => {
                http.spend(&allowed, taken.len())?;
                // A key stands for what was taken: where nothing is, the sender mends its body.
                let request = request.filter(|_| taken.events.rows() > 0);
                if let Some(answer) = http.begin(request.as_ref()).await? {
                    return Ok(answer);
                }
                let Stored { accepted, refused } = match log {
                    None => self.store(http, &rules, taken, bytes, Some(room)).await?,
                    Some(log) => {
                        let stored = self.log(http, &rules, taken, (text, form.framing), log).await;
                        drop(room);
                        stored?
                    }
                };
                let answer = Accepted::of(accepted, refused)?;
                http.answered(request, &answer).await;
                Ok(answer)
            }
            Err((unreadable, payload)) => {
                let whole = unreadable_rejection(self.kind, &rules, &unreadable, payload);
                self.wait(http, http.queues.rejections.submit(vec![whole], bytes, Some(room))).await?;
                http.intake.metrics().events(self.kind, SOURCE, 0, 1);
                Err(Refusal::unreadable(&unreadable))
            }
        }
    }

    /// Stores what was understood, and gives how it came out.
    pub(super) async fn store(
        &self,
        http: &Http,
        rules: &Rules,
        taken: impl Into<Taken<B>>,
        bytes: usize,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<Stored, Refusal> {
        let Taken { events, refused } = taken.into();
        let accepted = events.rows();
        let rejections: Vec<Rejection> =
            refused.iter().map(|refused| refused.rejection(self.kind, rules)).collect();
        // Both at once; the room is given back when the events are stored, or with the answer where there are none.
        let (room, held) = if accepted > 0 { (room, None) } else { (None, room) };
        let queue = (self.queue)(http);
        let stored = futures_util::future::try_join(
            queue.submit(events, bytes, room),
            http.queues.rejections.submit(rejections, 0, held),
        );
        self.wait(http, stored).await?;
        http.intake.metrics().events(self.kind, &rules.source, accepted, refused.len());
        Ok(Stored { accepted, refused })
    }

    /// Hands the accepted events to Kafka, once the others are kept as ever.
    async fn log(
        &self,
        http: &Http,
        rules: &Rules,
        taken: Taken<B>,
        (text, framing): (Bytes, decode::Framing),
        (gateway, topic): (&Gateway, &str),
    ) -> Result<Stored, Refusal> {
        let Taken { events, refused } = taken;
        let accepted = events.rows();
        let rejections: Vec<Rejection> =
            refused.iter().map(|refused| refused.rejection(self.kind, rules)).collect();
        self.wait(http, http.queues.rejections.submit(rejections, 0, None)).await?;
        let indices: Vec<usize> = refused.iter().map(|refused| refused.index).collect();
        let identities = self.identities;
        let records = off_the_runtime(move || {
            gateway::records(&text, framing, &indices, identities(&events).into_iter())
        });
        let produced = gateway.produce(topic, records.await);
        match tokio::time::timeout(http.limits.answer_within(), produced).await {
            Ok(outcome) => outcome.map_err(|error| Refusal::not_logged(&error))?,
            Err(_) => return Err(Refusal::not_logged(&NotLogged::Away)),
        }
        http.intake.metrics().events(self.kind, &rules.source, accepted, refused.len());
        Ok(Stored { accepted, refused })
    }

    /// Waits for the store, as long as a sender may be kept waiting.
    async fn wait<T>(
        &self,
        http: &Http,
        stored: impl Future<Output = Result<T, NotStored>>,
    ) -> Result<T, Refusal> {
        match tokio::time::timeout(http.limits.answer_within(), stored).await {
            Ok(outcome) => outcome.map_err(|error| Refusal::not_stored(&error)),
            Err(_) => Err(Refusal::away(http.limits.answer_within())),
        }
    }
}

/// What is wanted of a body.
struct Wanted {
    form: body::Form,
    /// Under which it came.
    key: Option<Key>,
    keep_text: bool,
}

/// What was found in a body.
enum Found<B> {
    /// It came before under its key, and was answered so.
    Again(Accepted),
    New(Understood<B>),
}

/// What a body came to.
struct Understood<B> {
    /// How many bytes are to wait; `room` is there for them.
    bytes: usize,
    /// The body unpacked, where somebody wants it still.
    text: Bytes,
    room: OwnedSemaphorePermit,
    request: Option<retries::Request>,
    /// Its events, or why there are none, with its beginning.
    decoded: Result<Taken<B>, (Unreadable, String)>,
}

/// Unpacks and decodes a body.
fn understand<B: Gather>(
    http: &Http,
    packed: body::Packed,
    Wanted { form, key, keep_text }: Wanted,
    rules: &Rules,
    decode: Decode<B>,
) -> Result<Found<B>, Refusal> {
    let body::Unpacked { text, mut room } = packed.unpack(form.packing, &http.limits, &http.room)?;
    http.intake.metrics().waiting(http.limits.waiting_bytes - http.room.available_permits() * 1_024);
    let place = key.as_ref().map(|key| key.place().to_owned());
    let request = key.map(|key| key.request(&text));
    if let Some(answer) = http.answer_to(request.as_ref())? {
        return Ok(Found::Again(answer));
    }
    let decoded = http.with_names(|names| {
        names.make_ids_of(place);
        decode(&text, form.framing, names, rules)
    });
    let taken = match decoded {
        Ok(taken) => taken,
        Err(unreadable) => {
            let (bytes, decoded) = (text.len(), Err((unreadable, cut_payload(&text))));
            return Ok(Found::New(Understood { bytes, text: Bytes::new(), room, request: None, decoded }));
        }
    };
    let text = if keep_text { text } else { Bytes::new() };
    // From here on it is the events that take room: many small ones take more than their text. One body that is more than
    // there is room at all may have all of it.
    let bytes = taken.bytes() + text.len();
    body::adjust(&mut room, &http.room, bytes.min(http.limits.waiting_bytes))?;
    Ok(Found::New(Understood { bytes, text, room, request, decoded: Ok(taken) }))
}

/// What stands in `rejected_events` for a body in which no events could be told apart.
fn unreadable_rejection(kind: Kind, rules: &Rules, unreadable: &Unreadable, payload: String) -> Rejection {
    Rejection {
        received_at: rules.received_at,
        model: String::new(),
        kind,
        source: SOURCE.to_owned(),
        position: String::new(),
        field: String::new(),
        reason: unreadable.to_string(),
        payload: if rules.guards.keeps_payload("") { payload } else { String::new() },
        kept_out: None,
    }
}

/// Whether nothing but missing rights kept events out.
fn all_forbidden(refused: &[Refused]) -> bool {
    !refused.is_empty() && refused.iter().all(|refused| refused.forbidden)
}

/// The status of a body of which nothing was taken.
fn nothing_taken(refused: &[Refused]) -> StatusCode {
    if all_forbidden(refused) { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST }
}
