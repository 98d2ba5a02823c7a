//! Why an incident came about, as JSON: `GET /v1/incidents/{incident}/causes`.

use axum::Json;
use axum::extract::{Path, State};
use domain::why::Why;

use crate::actions::no_incident;
use crate::error::PageError;
use crate::run::App;
use crate::visit::Session;

/// What the analyzer worked out. Not found until it has: some seconds after the incident opened.
pub async fn causes(
    State(app): State<App>,
    Path(id): Path<String>,
    session: Session,
) -> Result<Json<Why>, PageError> {
    let why = app.store.causes_of(&id).await?.ok_or_else(|| no_incident(&id))?;
    session.check_model(&why.model)?;
    Ok(Json(why))
}
