//! `PUT` and `GET /v1/models/{model}/contract`: what the owner of a model states about it, as JSON or TOML. Every
//! version is kept, stands among the changes, and holds in every process within seconds.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::contract::Contract;
use serde_json::json;
use service::token::Scope;
use sql::changes::Change;
use sql::contracts::StoredContract;

use super::answer::{self, Refusal};
use super::{Http, auth};
use crate::contracts::take_up;

/// The largest contract: some thousand signals.
const MOST_BYTES: usize = 1 << 20;

pub async fn put(
    State(http): State<Arc<Http>>,
    Path(model): Path<String>,
    request: Request<Body>,
) -> Response {
    match stated(&http, &model, request).await {
        Ok(stored) => Json(json!({"model": stored.model, "version": stored.version})).into_response(),
        Err(refusal) => answer::refused(refusal),
    }
}

pub async fn get(State(http): State<Arc<Http>>, Path(model): Path<String>, headers: HeaderMap) -> Response {
    match told(&http, &model, &headers).await {
        Ok((version, contract)) => ([(header::ETAG, version)], Json(contract)).into_response(),
        Err(refusal) => answer::refused(refusal),
    }
}

async fn stated(http: &Http, model: &str, request: Request<Body>) -> Result<StoredContract, Refusal> {
    let allowed = allowed(http, model, request.headers(), Scope::Admin)?;
    if http.contracts.is_configured(model) {
        let error = format!(
            "the configuration describes \"{model}\", and it wins over what is stated here: change [models.{model}] \
             there, or take it away"
        );
        return Err(Refusal::of(StatusCode::CONFLICT, error));
    }
    let is_toml = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.contains("toml"));
    let body = axum::body::to_bytes(request.into_body(), MOST_BYTES).await.map_err(|_| {
        Refusal::of(StatusCode::PAYLOAD_TOO_LARGE, format!("a contract is no longer than {MOST_BYTES} bytes"))
    })?;
    let contract = read(model, &body, is_toml)?;
    let guards = http.intake.guards();
    guards.check(model, &contract).map_err(|problem| Refusal::of(StatusCode::BAD_REQUEST, problem))?;
    let away = |error: sql::Error| Refusal::store(&error);
    let mut stored = StoredContract {
        model: model.to_owned(),
        version: 0,
        contract,
        actor: allowed.name().to_owned(),
        written_at: http.clock.now(),
    };
    loop {
        let before = http.intake.store().contracts(Some(model)).await.map_err(away)?.pop();
        stored.version = before.map_or(1, |before| before.version + 1);
        // Whoever states one at the same time may have taken the version.
        if http.intake.store().write_contract(&stored).await.map_err(away)? {
            break;
        }
    }
    http.intake.store().write_changes(&[change(&stored)]).await.map_err(away)?;
    take_up(http.intake.store(), &http.contracts).await.map_err(away)?;
    tracing::info!(model, version = stored.version, actor = stored.actor, "a contract was stated");
    Ok(stored)
}

fn change(stored: &StoredContract) -> Change {
    let StoredContract { model, version, contract, actor, written_at } = stored;
    Change {
        id: format!("contract-{model}-{version}"),
        at: *written_at,
        model: model.clone(),
        environment: String::new(),
        kind: "configuration".to_owned(),
        title: format!("Contract, version {version}"),
        detail: format!("{} signals, owner \"{}\"", contract.signals.len(), contract.owner),
        actor: actor.clone(),
        link: contract.playbook.clone(),
    }
}

fn read(model: &str, body: &[u8], is_toml: bool) -> Result<Contract, Refusal> {
    let wrong = |error: String| {
        Refusal::of(StatusCode::BAD_REQUEST, format!("the contract of \"{model}\" is not in order: {error}"))
    };
    let text = std::str::from_utf8(body).map_err(|_| wrong("it is not written in UTF-8".to_owned()))?;
    let contract: Contract = if is_toml || !text.trim_start().starts_with('{') {
        toml::from_str(text).map_err(|error| wrong(error.to_string()))?
    } else {
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?
    };
    contract.check(model).map_err(|error| wrong(error.to_string()))?;
    Ok(contract)
}

async fn told(http: &Http, model: &str, headers: &HeaderMap) -> Result<(String, Contract), Refusal> {
    allowed(http, model, headers, Scope::Read)?;
    if let (true, Some(contract)) = (http.contracts.is_configured(model), http.contracts.get(model)) {
        return Ok(("\"configuration\"".to_owned(), contract));
    }
    let stored = http.intake.store().contracts(Some(model)).await.map_err(|error| Refusal::store(&error))?;
    match stored.into_iter().next() {
        Some(stored) => Ok((format!("\"{}\"", stored.version), stored.contract)),
        None => {
            let error = format!("\"{model}\" has no contract: every default holds");
            Err(Refusal::of(StatusCode::NOT_FOUND, error))
        }
    }
}

fn allowed(http: &Http, model: &str, headers: &HeaderMap, scope: Scope) -> Result<auth::Allowed, Refusal> {
    let allowed = auth::check(&http.tokens, headers, scope)?;
    if allowed.is_for(model) {
        return Ok(allowed);
    }
    Err(Refusal::of(StatusCode::FORBIDDEN, format!("the token is not for the model \"{model}\"")))
}
