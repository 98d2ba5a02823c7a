//! Serves the pages until the process is asked to stop.

use std::sync::Arc;

use axum::Router;
use service::Context;
use sql::Store;

use crate::config::Config;
use crate::pages;

/// What every page is given.
#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    pub context: Context,
    pub store: Store,
}

/// Listens and serves; returns when the context's stopper fires and the requests that ran are answered.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn run(config: Config, context: Context, store: Store, operations: Router) -> anyhow::Result<()> {
    let listener = service::http::listen(&config.listen).await?;
    tracing::info!(url = config.public_url(), "the pages are served");
    let stopper = context.stopper.clone();
    let router = router(config, context, store).merge(operations);
    service::http::serve(listener, router, stopper).await
}

/// All pages, ready to be served.
pub fn router(config: Config, context: Context, store: Store) -> Router {
    pages::router(App { config: Arc::new(config), context, store })
}
