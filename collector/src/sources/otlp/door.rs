//! The endpoint: reads a request, decodes its events, waits until they are stored.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use service::token::Scope;

use super::answer::{self, Taken};
use super::{Encoding, Lines, Passed, lines};
use crate::decode::{self, Decoded, Framing, Names, Refused, Rules, Unreadable};
use crate::event::{Kind, Outcome, Prediction};
use crate::payloads::Reason;
use crate::sources::http::answer::Refusal;
use crate::sources::http::auth;
use crate::sources::http::body::{self, Packed, Packing};
use crate::sources::http::{Http, OUTCOMES, PREDICTIONS};

/// The name under which events of this source are stored.
const SOURCE: &str = "otlp";

pub fn routes() -> Router<Arc<Http>> {
    Router::new().route("/v1/logs", post(take))
}

#[tracing::instrument(skip_all)]
async fn take(State(http): State<Arc<Http>>, request: Request<Body>) -> Response {
    let encoding = encoding(request.headers());
    let outcome = match &encoding {
        Ok(encoding) => accept(&http, *encoding, request).await,
        Err(other) => {
            let error = format!(
                "content type \"{other}\" is not taken (known: application/x-protobuf, application/json)"
            );
            Err(Refusal::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, error))
        }
    };
    let response = answer::response(encoding.unwrap_or(Encoding::Json), outcome);
    http.intake.metrics().answered(response.status().as_u16());
    response
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, String> {
    let stated = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-protobuf" => Ok(Encoding::Protobuf),
        "application/json" => Ok(Encoding::Json),
        other => Err(other.chars().take(64).collect()),
    }
}

async fn accept(http: &Arc<Http>, encoding: Encoding, request: Request<Body>) -> Result<Taken, Refusal> {
    let (parts, body) = request.into_parts();
    let allowed = auth::check(&http.tokens, &parts.headers, Scope::Predictions)?;
    let rules = http.rules(&allowed, SOURCE);
    let may_send_outcomes = auth::check(&http.tokens, &parts.headers, Scope::Outcomes).is_ok();
    // What cannot be stored soon is not even read: the sender keeps it.
    if let Some(away) = http.intake.store_health().away_for() {
        return Err(Refusal::away(away));
    }
    http.knows_contracts()?;
    let packing = Packing::of(&parts.headers)?;
    let packed = body::read(&parts.headers, body, &http.limits, &http.room).await?;
    let understanding = {
        let (http, rules) = (http.clone(), rules.clone());
        tokio::task::spawn_blocking(move || {
            understand(&http, packed, packing, encoding, &rules, may_send_outcomes)
        })
    };
    let Understood { predictions, outcomes, mut taken, bytes } = match understanding.await {
        Ok(understood) => understood?,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    http.spend(&allowed, predictions.events.len() + outcomes.events.len())?;
    let (one, two) = futures_util::future::try_join(
        PREDICTIONS.store(http, &rules, predictions, bytes, None),
        OUTCOMES.store(http, &rules, outcomes, 0, None),
    )
    .await?;
    for refused in one.refused.into_iter().chain(two.refused) {
        taken.reject(&refused.field, &refused.error);
    }
    Ok(taken)
}

impl Taken {
    fn reject(&mut self, field: &str, problem: &str) {
        self.rejected += 1;
        if self.first.is_empty() {
            self.first = format!("{field} {problem}").trim().to_owned();
        }
    }
}

/// How lines become events.
type Decode<E> = fn(&[u8], Framing, &mut Names, &Rules) -> Result<Decoded<E>, Unreadable>;

struct Understood {
    predictions: Decoded<Prediction>,
    outcomes: Decoded<Outcome>,
    taken: Taken,
    bytes: usize,
}

fn understand(
    http: &Http,
    packed: Packed,
    packing: Packing,
    encoding: Encoding,
    rules: &Rules,
    may_send_outcomes: bool,
) -> Result<Understood, Refusal> {
    let unpacked = packed.unpack(packing, &http.limits, &http.room)?;
    let bad = |error: String| Refusal::of(StatusCode::BAD_REQUEST, error);
    let Lines { predictions, outcomes, others: Passed(others), refused, records: _ } =
        lines(&unpacked.text, encoding, rules.received_at).map_err(|error| bad(error.to_string()))?;
    let mut taken = Taken::default();
    for (index, (field, problem)) in refused.into_iter().enumerate() {
        taken.reject(&field, &problem);
        let refused = Refused {
            index,
            field,
            error: problem,
            model: String::new(),
            payload: String::new(),
            forbidden: false,
            kept_out: None,
        };
        http.payloads.refused(refused.rejection(Kind::Prediction, rules));
    }
    if others > 0 {
        http.payloads.leave_out(Reason::NoEvent, others, rules.received_at);
        taken.rejected += others;
        if taken.first.is_empty() {
            taken.first = format!("{others} log records carry no attributes of ours (leeway.model …)");
        }
    }
    let bytes = predictions.len() + outcomes.len();
    let predictions = http.with_names(|names| decoded(&predictions, names, rules, decode::predictions));
    let outcomes = if may_send_outcomes {
        http.with_names(|names| decoded(&outcomes, names, rules, decode::outcomes))
    } else {
        for _ in outcomes.lines() {
            taken.reject("outcome", "must not be sent with this token: its scopes do not allow outcomes");
        }
        Ok(Decoded { events: Vec::new(), refused: Vec::new() })
    };
    let predictions = predictions.map_err(|unreadable| bad(unreadable.to_string()))?;
    let outcomes = outcomes.map_err(|unreadable| bad(unreadable.to_string()))?;
    Ok(Understood { predictions, outcomes, taken, bytes })
}

fn decoded<E>(
    lines: &str,
    names: &mut Names,
    rules: &Rules,
    decode: Decode<E>,
) -> Result<Decoded<E>, Unreadable> {
    if lines.is_empty() {
        return Ok(Decoded { events: Vec::new(), refused: Vec::new() });
    }
    decode(lines.as_bytes(), Framing::Lines, names, rules)
}
