//! A body of predictions or outcomes on its way from a request to the store, or to Kafka, and the answer to it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use bytes::Bytes;
use service::token::Scope;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{self, Accepted, Refusal};
use super::retries::Key;
use super::understanding::{Found, Understood, Wanted, understand};
use super::{Http, SOURCE, auth, body};
use crate::decode::{self, Decoded, Names, Refused, Rules, Unreadable};
use crate::event::{Kind, Outcome, Prediction, Rejection};
use crate::intake::off_the_runtime;
use crate::predictions::Predictions;
use crate::queue::{Gather, NotStored, Queue};
use crate::sources::kafka::gateway::{self, Gateway, Identity, NotLogged};

/// How one kind of event is taken.
pub struct Door<B> {
    kind: Kind,
    scope: Scope,
    queue: fn(&Http) -> Queue<B>,
    pub decode: Decode<B>,
    /// Asked where the events go to Kafka.
    identities: fn(&B) -> Vec<Identity>,
}

/// What was understood of a body, gathered as it is stored.
#[derive(Default)]
pub struct Taken<B> {
    events: B,
    refused: Vec<Refused>,
}

impl<B: Gather> Taken<B> {
    /// All events, good and bad.
    pub fn len(&self) -> usize {
        self.events.rows() + self.refused.len()
    }

    /// The memory that it takes, roughly.
    pub fn bytes(&self) -> usize {
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
pub struct Stored {
    pub accepted: usize,
    pub refused: Vec<Refused>,
}

pub type Decode<B> = fn(&[u8], decode::Framing, &mut Names, &Rules) -> Result<Taken<B>, Unreadable>;

impl<B: Gather> Door<B> {
    #[tracing::instrument(skip_all, fields(kind = self.kind.name(), request_id = auth::request_id(&request)))]
    pub async fn take(&self, http: &Arc<Http>, request: Request<Body>) -> Response {
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
    pub async fn store(
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

/// How predictions are taken.
pub const PREDICTIONS: Door<Predictions> = Door {
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
pub const OUTCOMES: Door<Vec<Outcome>> = Door {
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
