//! People as documents to download: one with everything that is held on them, all who match a filter, or all whom a campaign
//! was for.

use crate::{download, extract::Caller, problem, web::Web};
use axum::{
    extract::{Path, Query, State},
    http::Uri,
    response::Response,
};
use domain::ids::{CampaignId, UserId};
use engine::{Error, Result, consents, exports::Format, messages, users};
use serde::Deserialize;

/// `GET /ui/users/{id}/export.json`: everything that is held on a person.
pub async fn export(State(web): State<Web>, Caller(actor): Caller, Path(id): Path<String>) -> Response {
    let document = async { users::export(&web.engine, &actor, user(&id)?).await };
    download::document("person.json", document.await, &actor.client)
}

/// `GET /ui/users/{id}/consent-receipt.json`: what the person agreed to, signed.
pub async fn receipt(State(web): State<Web>, Caller(actor): Caller, Path(id): Path<String>) -> Response {
    let document = async { consents::receipt(&web.engine, &actor, user(&id)?).await };
    download::document("consent-receipt.json", document.await, &actor.client)
}

/// What an export is asked for by.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    filter: String,
}

/// `GET /ui/users/export.csv?filter=…` and `export.jsonl`: everyone who matches, read as the client takes them.
pub async fn export_list(
    State(web): State<Web>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
    uri: Uri,
) -> Response {
    let format = format_of(&uri);
    match users::export_list(&web.engine, &actor, &wanted.filter, format).await {
        Ok(rows) => download::rows("users", format, rows),
        Err(error) => problem::answer(&error, &actor.client),
    }
}

/// `GET /ui/campaigns/{id}/recipients.csv` and `recipients.jsonl`: everyone whom a campaign was for, and what became of it.
pub async fn recipients(State(web): State<Web>, Caller(actor): Caller, Path(id): Path<String>, uri: Uri) -> Response {
    let format = format_of(&uri);
    let rows = async {
        let campaign: CampaignId = id.parse().map_err(|_| Error::NotFound { what: "campaign" })?;
        messages::export(&web.engine, &actor, campaign, format).await
    };
    match rows.await {
        Ok(rows) => download::rows("recipients", format, rows),
        Err(error) => problem::answer(&error, &actor.client),
    }
}

fn format_of(uri: &Uri) -> Format {
    if uri.path().ends_with(".csv") { Format::Csv } else { Format::JsonLines }
}

fn user(id: &str) -> Result<UserId> {
    id.parse().map_err(|_| Error::NotFound { what: "user" })
}
