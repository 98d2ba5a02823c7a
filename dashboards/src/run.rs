//! Serves the pages until the process is asked to stop.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use domain::contract::Contract;
use service::Context;
use sql::Store;

use crate::auth::{AccessError, Gate};
use crate::config::Config;
use crate::pages;
use crate::time_range::{USUAL, usual_for};
use crate::visit::Now;

/// What every page is given.
#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    pub context: Context,
    pub store: Store,
    /// How far back a page looks whose address does not say.
    usual: Duration,
}

impl App {
    pub fn new(config: Config, context: Context, store: Store) -> Self {
        let usual = usual_range(context.contracts.current().values());
        Self { config: Arc::new(config), context, store, usual }
    }

    pub fn now(&self) -> Now {
        Now { at: self.context.clock.now(), usual: self.usual }
    }
}

/// The range that suits the finest watch of each model; the longest of them, so that no model is left out.
fn usual_range<'a>(contracts: impl Iterator<Item = &'a Contract>) -> Duration {
    contracts
        .filter_map(|contract| contract.watches().iter().map(|watch| watch.schedule().step).min())
        .map(usual_for)
        .max()
        .unwrap_or(USUAL)
}

/// Listens and serves; returns when the context's stopper fires and the requests that ran are answered.
///
/// # Errors
/// Where the address cannot be listened on, or others could reach the pages and nobody could log in.
pub async fn run(config: Config, context: Context, store: Store, operations: Router) -> anyhow::Result<()> {
    let (listen, url) = (config.listen.clone(), config.public_url());
    let stopper = context.stopper.clone();
    let router = router(config, context, store)?.merge(operations);
    let listener = service::http::listen(&listen).await?;
    tracing::info!(url, "the pages are served");
    service::http::serve(listener, router, stopper).await
}

/// All pages, ready to be served, with who may see them.
///
/// # Errors
/// Where others could reach the pages and nobody could log in.
pub fn router(config: Config, context: Context, store: Store) -> Result<Router, AccessError> {
    let gate = Arc::new(Gate::new(&config, context.clock.clone())?);
    Ok(pages::router(App::new(config, context, store), gate))
}
