//! Users: who they are, what they agreed to, and what happened to them.

use super::{
    answer::{Answer, Asked, FileForm, Listed, Paging, Refusals, done, made, one},
    extract::{Json, Key, Path, Query},
};
use crate::{download, web::Web};
use axum::{extract::State, http::StatusCode};
use domain::{
    campaign::Why,
    consent::{ConsentEvent, ConsentKind},
    ids::{CampaignId, TopicId, UserId},
    page::Page,
    phone::Channel,
    preferences::SignedReceipt,
    problem::Problem,
    topic::{SubscriptionState, SubscriptionView},
    user::{TimelineEntry, User, UserForm, UserSort},
};
use engine::{
    Error, campaigns, consents, subscriptions,
    users::{self, After, StoredUser},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(batch))
        .routes(routes!(export_list))
        .routes(routes!(get, update, remove))
        .routes(routes!(merge))
        .routes(routes!(export))
        .routes(routes!(timeline))
        .routes(routes!(consents, consent))
        .routes(routes!(receipt))
        .routes(routes!(subscriptions))
        .routes(routes!(subscribe))
        .routes(routes!(why))
}

/// How many users one batch may have.
const BATCH_MAX: usize = 500;

/// A user on its way out.
#[derive(Serialize)]
#[serde(transparent)]
struct Row(StoredUser);

impl PartialSchema for Row {
    fn schema() -> RefOr<Schema> {
        User::schema()
    }
}

/// Which users.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListUsers {
    /// Whom: a filter in the filter language (docs/FILTERS.md).
    #[param(example = "city = \"Boston\"")]
    filter: Option<String>,
    /// In which order.
    #[param(inline)]
    sort: Option<UserSort>,
}

/// Which users, and in which form.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportUsers {
    /// Whom: a filter in the filter language (docs/FILTERS.md).
    #[param(example = "city = \"Boston\"")]
    filter: Option<String>,
    /// `csv`, if left out.
    #[param(inline)]
    format: Option<FileForm>,
}

/// Users to create or update.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Batch {
    /// 1 to 500 users, each with a number.
    users: Vec<UserForm>,
}

/// What became of each row.
#[derive(Debug, Serialize, ToSchema)]
struct BatchResults {
    /// In the order of the rows.
    data: Vec<BatchResult>,
}

/// What became of one row.
#[derive(Debug, Serialize, ToSchema)]
struct BatchResult {
    /// 201 for created, 200 for updated, else why not.
    status: u16,
    /// The user.
    user: Option<User>,
    /// Why it was refused.
    problem: Option<Problem>,
}

/// What changes; whatever is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// The number.
    #[serde(default)]
    phone: Option<String>,
    /// The name.
    #[serde(default)]
    name: Option<String>,
    /// The language, as a BCP 47 tag.
    #[serde(default)]
    locale: Option<String>,
    /// The IANA zone.
    #[serde(default)]
    zone: Option<String>,
    /// Attributes by name.
    #[serde(default)]
    attributes: Option<Map<String, Value>>,
}

/// How a user is removed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Remove {
    /// Whether nobody may message the addresses again.
    suppress: Option<bool>,
}

/// Who is the same person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Duplicate {
    /// The row that becomes history.
    from: UserId,
}

/// What a person said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Said {
    /// On which channel.
    channel: Channel,
    /// What: `opt_in` or `opt_out`.
    kind: ConsentKind,
    /// How it is known.
    evidence: String,
}

/// A choice on a topic.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Choice {
    /// What the person chose.
    state: SubscriptionState,
    /// How it is known.
    evidence: String,
}

/// List users
///
/// Those who were merged into others are left out.
#[utoipa::path(
    get,
    path = "/users",
    operation_id = "users_list",
    tag = "Users",
    params(Paging, ListUsers),
    responses((status = 200, description = "List users", body = Listed<User>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked, Query(query): Query<ListUsers>) -> Answer {
    let filter = query.filter.as_deref().unwrap_or_default();
    let sort = query.sort.unwrap_or_default();
    let page = users::list_stored(&web.engine, &actor, filter, sort, &asked.request()).await?;
    asked.answer(Page { rows: page.rows.into_iter().map(Row).collect(), next: page.next })
}

/// Create a user
///
/// With no consent on any channel: record that by itself, with its evidence.
#[utoipa::path(
    post,
    path = "/users",
    operation_id = "users_create",
    tag = "Users",
    request_body(content = UserForm, example = json!({"phone": "+12025550143", "name": "Ann", "zone": "America/New_York", "attributes": {"city": "Boston"}})),
    responses((status = 201, description = "Create a user", body = User), Refusals),
    security(("key" = []))
)]
async fn create(State(web): State<Web>, Key(actor): Key, Json(form): Json<UserForm>) -> Answer {
    let user = users::create(&web.engine, &actor, &form).await?;
    made(&user, &format!("/users/{}", user.id))
}

/// Create or update many users
///
/// Each row is looked up by its number, and created or updated on its own; a row that is refused leaves the others as they are.
/// The answer has one result for each row, in their order.
#[utoipa::path(
    post,
    path = "/users/batch",
    operation_id = "users_batch",
    tag = "Users",
    request_body(content = Batch, example = json!({"users": [{"phone": "+12025550143", "name": "Ann"}, {"phone": "+12025550144"}]})),
    responses((status = 200, description = "Create or update many users", body = BatchResults), Refusals),
    security(("key" = []))
)]
async fn batch(State(web): State<Web>, Key(actor): Key, Json(rows): Json<Batch>) -> Answer {
    if rows.users.is_empty() || rows.users.len() > BATCH_MAX {
        return Err(Error::invalid("users", format!("1 to {BATCH_MAX} users")).into());
    }
    // Each row is an act of its own, and the request is done when all are: the first row's must not tell that under the idempotency
    // key of the whole. A repetition finds by its number whom a row made before.
    let mut of_row = actor.clone();
    of_row.client.idempotency_key = None;
    let mut results = Vec::with_capacity(rows.users.len());
    for form in &rows.users {
        results.push(match users::upsert(&web.engine, &of_row, form).await {
            Ok((user, true)) => BatchResult { status: 201, user: Some(user), problem: None },
            Ok((user, false)) => BatchResult { status: 200, user: Some(user), problem: None },
            Err(error @ (Error::Unavailable { .. } | Error::Internal { .. } | Error::Forbidden { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                let problem = error.problem(actor.client.request_id.as_deref());
                BatchResult { status: problem.status, user: None, problem: Some(problem) }
            }
        });
    }
    one(StatusCode::OK, &BatchResults { data: results })
}

/// Get a user
#[utoipa::path(
    get,
    path = "/users/{id}",
    operation_id = "users_get",
    tag = "Users",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Get a user", body = User), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(id): Path<UserId>) -> Answer {
    one(StatusCode::OK, &users::get(&web.engine, &actor, id).await?.user)
}

/// Update a user
///
/// Fields that are left out stay as they are; an attribute that is given as an empty text is taken away.
#[utoipa::path(
    patch,
    path = "/users/{id}",
    operation_id = "users_update",
    tag = "Users",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), ("If-Match" = Option<String>, Header, description = "The ETag that the user was read with")),
    request_body(content = UserChange, example = json!({"name": "Ann Lee"})),
    responses((status = 200, description = "Update a user", body = User), Refusals),
    security(("key" = []))
)]
async fn update(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<UserId>,
    Json(change): Json<UserChange>,
) -> Answer {
    let text = |given: Option<String>, now: Option<String>| given.or(now).unwrap_or_default();
    let form = |now: User| UserForm {
        phone: text(change.phone, now.phone.map(|phone| phone.to_string())),
        name: text(change.name, now.name),
        locale: text(change.locale, now.locale),
        zone: text(change.zone, now.zone),
        attributes: change.attributes.map(|given| now.attributes.into_iter().chain(given).collect()),
    };
    one(StatusCode::OK, &users::change(&web.engine, &actor, id, form).await?)
}

/// Delete or erase a user
///
/// Everything held on the person goes. With `suppress=true` a keyed hash of the addresses stays, so that nobody can message them again.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    operation_id = "users_remove",
    tag = "Users",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), Remove),
    responses((status = 204, description = "Delete or erase a user"), Refusals),
    security(("key" = []))
)]
async fn remove(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<UserId>,
    Query(query): Query<Remove>,
) -> Answer {
    let after = if query.suppress.unwrap_or(false) { After::Suppress } else { After::Nothing };
    users::remove(&web.engine, &actor, id, after).await?;
    done()
}

/// Merge a duplicate into a user
///
/// Both histories stay; the stricter consent of the two holds.
#[utoipa::path(
    post,
    path = "/users/{id}/merge",
    operation_id = "users_merge",
    tag = "Users",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    request_body(content = Duplicate, example = json!({"from": "01a21b02-efa0-720a-991b-f0bccf771898"})),
    responses((status = 200, description = "Merge a duplicate into a user", body = User), Refusals),
    security(("key" = []))
)]
async fn merge(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<UserId>,
    Json(duplicate): Json<Duplicate>,
) -> Answer {
    one(StatusCode::OK, &users::merge(&web.engine, &actor, duplicate.from, id).await?)
}

/// Export users
///
/// Everyone who matches, newest first, as a file that is written while you read it.
#[utoipa::path(
    get,
    path = "/users/export",
    operation_id = "users_export_list",
    tag = "Users",
    params(ExportUsers),
    responses((status = 200, description = "Export users", content((String = "text/csv"), (String = "application/x-ndjson"))), Refusals),
    security(("key" = []))
)]
async fn export_list(State(web): State<Web>, Key(actor): Key, Query(query): Query<ExportUsers>) -> Answer {
    let format = query.format.unwrap_or_default().into();
    let rows = users::export_list(&web.engine, &actor, query.filter.as_deref().unwrap_or_default(), format).await?;
    Ok(download::rows("users", format, rows))
}

/// Everything held on a user
#[utoipa::path(
    get,
    path = "/users/{id}/export",
    operation_id = "users_export",
    tag = "Users",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Everything held on a user", body = serde_json::Value, example = json!({"exported_at": "2026-06-02T17:00:00Z", "user": {"id": "01a21b02-efa0-720a-991b-f0bccf771898", "phone": "+12025550143"}, "consent_ledger": [], "messages": [], "provider_exchanges": []})), Refusals),
    security(("key" = []))
)]
async fn export(State(web): State<Web>, Key(actor): Key, Path(id): Path<UserId>) -> Answer {
    one(StatusCode::OK, &users::export(&web.engine, &actor, id).await?)
}

/// What happened to a user
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/users/{id}/timeline",
    operation_id = "users_timeline",
    tag = "Users",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), Paging),
    responses((status = 200, description = "What happened to a user", body = Listed<TimelineEntry>), Refusals),
    security(("key" = []))
)]
async fn timeline(State(web): State<Web>, Key(actor): Key, Path(id): Path<UserId>, asked: Asked) -> Answer {
    asked.answer(users::timeline(&web.engine, &actor, id, &asked.request()).await?)
}

/// The consent ledger of a user
///
/// Newest first; the state on each channel is their fold.
#[utoipa::path(
    get,
    path = "/users/{id}/consents",
    operation_id = "consent_consents",
    tag = "Consent",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), Paging),
    responses((status = 200, description = "The consent ledger of a user", body = Listed<ConsentEvent>), Refusals),
    security(("key" = []))
)]
async fn consents(State(web): State<Web>, Key(actor): Key, Path(id): Path<UserId>, asked: Asked) -> Answer {
    asked.answer(users::ledger(&web.engine, &actor, id, &asked.request()).await?)
}

/// Record consent
///
/// With evidence: how you know what the person said. An integration acts for the operator who gave it its key, and does not raise consent above the person's own opt-out.
#[utoipa::path(
    post,
    path = "/users/{id}/consents",
    operation_id = "consent_consent",
    tag = "Consent",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    request_body(content = Said, example = json!({"channel": "sms", "kind": "opt_in", "evidence": "web form 12, 2026-05-12 10:04 UTC"})),
    responses((status = 200, description = "Record consent", body = User), Refusals),
    security(("key" = []))
)]
async fn consent(State(web): State<Web>, Key(actor): Key, Path(id): Path<UserId>, Json(said): Json<Said>) -> Answer {
    one(StatusCode::OK, &consents::record(&web.engine, &actor, id, said.channel, said.kind, &said.evidence).await?)
}

/// A signed receipt of a user's consent
///
/// `ese verify-receipt FILE` verifies it.
#[utoipa::path(
    get,
    path = "/users/{id}/consent-receipt",
    operation_id = "consent_receipt",
    tag = "Consent",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "A signed receipt of a user's consent", body = SignedReceipt), Refusals),
    security(("key" = []))
)]
async fn receipt(State(web): State<Web>, Key(actor): Key, Path(id): Path<UserId>) -> Answer {
    one(StatusCode::OK, &consents::receipt(&web.engine, &actor, id).await?)
}

/// The topics a user follows
///
/// Every topic, with the person's choice.
#[utoipa::path(
    get,
    path = "/users/{id}/subscriptions",
    operation_id = "consent_subscriptions",
    tag = "Consent",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), Paging),
    responses((status = 200, description = "The topics a user follows", body = Listed<SubscriptionView>), Refusals),
    security(("key" = []))
)]
async fn subscriptions(State(web): State<Web>, Key(actor): Key, Path(id): Path<UserId>, asked: Asked) -> Answer {
    let views = users::get(&web.engine, &actor, id).await?.subscriptions;
    asked.answer_of_all(views, |view| format!("{}\0{}", view.name, view.topic_id))
}

/// Record a choice on a topic
#[utoipa::path(
    put,
    path = "/users/{id}/subscriptions/{topic}",
    operation_id = "consent_subscribe",
    tag = "Consent",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), ("topic" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    request_body(content = Choice, example = json!({"state": "subscribed", "evidence": "web form 12"})),
    responses((status = 204, description = "Record a choice on a topic"), Refusals),
    security(("key" = []))
)]
async fn subscribe(
    State(web): State<Web>,
    Key(actor): Key,
    Path((id, topic)): Path<(UserId, TopicId)>,
    Json(choice): Json<Choice>,
) -> Answer {
    subscriptions::set(&web.engine, &actor, id, topic, choice.state, &choice.evidence).await?;
    done()
}

/// Why a user gets a campaign, or why not
///
/// What each condition of the audience and each gate says of the person now.
#[utoipa::path(
    get,
    path = "/users/{id}/why/{campaign}",
    operation_id = "users_why",
    tag = "Users",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), ("campaign" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Why a user gets a campaign, or why not", body = Why), Refusals),
    security(("key" = []))
)]
async fn why(State(web): State<Web>, Key(actor): Key, Path((id, campaign)): Path<(UserId, CampaignId)>) -> Answer {
    one(StatusCode::OK, &campaigns::why(&web.engine, &actor, campaign, id).await?)
}
