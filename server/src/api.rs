//! The REST API, version 1: thin handlers over the engine's use cases, and their description in OpenAPI 3.1.
#![expect(unused_qualifications, reason = "the description of a query repeats its type")]

mod answer;
mod attributes;
mod audit;
mod campaigns;
mod cursor;
mod decisions;
mod description;
mod events;
mod examples;
mod extract;
mod guard;
mod health;
mod imports;
mod inbound;
mod keys;
mod messages;
mod once;
mod segments;
mod senders;
mod suppressions;
mod templates;
mod topics;
mod users;
mod webhooks;

pub use cursor::Cursors;

use crate::{problem, web::Web};
use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    middleware,
    response::IntoResponse,
    routing::get,
};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

/// The path whose body is a file.
pub const UPLOAD: &str = "/api/v1/imports";
/// What the page of the documentation may load: its own scripts and styles, which are part of this program.
pub const DOCS_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Event Stream Engine",
        version = "1",
        description = "Users, consent, campaigns and messages. Conventions (pages, filters, idempotency, errors) stand in docs/API.md.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    servers((url = "/api/v1")),
    modifiers(&Bearer)
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("ese_…").build();
        openapi.components.get_or_insert_default().add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

fn described() -> OpenApiRouter<Web> {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(users::router())
        .merge(attributes::router())
        .merge(topics::router())
        .merge(segments::router())
        .merge(templates::router())
        .merge(senders::router())
        .merge(campaigns::router())
        .merge(messages::router())
        .merge(decisions::router())
        .merge(inbound::router())
        .merge(imports::router())
        .merge(suppressions::router())
        .merge(events::router())
        .merge(audit::router())
        .merge(health::router())
        .merge(webhooks::router())
        .merge(keys::router())
}

/// The description of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut openapi = described().split_for_parts().1;
    description::complete(&mut openapi);
    openapi
}

/// The operations alone, for whoever was let in.
fn operations(web: &Web) -> Router {
    described().split_for_parts().0.with_state(web.clone())
}

/// Everything below `/api/v1`.
pub fn router(web: &Web) -> Router<Web> {
    let operations = described().split_for_parts().0;
    let description = openapi();
    let text = serde_json::to_string(&description).unwrap_or_default();
    let known = description::Operations::of(&description);
    let open = get(async move || ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text));
    operations
        .fallback(async || answer::Failure::from(engine::Error::NotFound { what: "address" }))
        .method_not_allowed_fallback(async || {
            problem::protocol(StatusCode::METHOD_NOT_ALLOWED, "This address does not take this method.").into_response()
        })
        .layer(middleware::from_fn_with_state((web.clone(), known), guard::guard))
        .route("/openapi.json", open)
}

/// The interactive documentation.
pub fn docs() -> Router<Web> {
    let ui = SwaggerUi::new("/api/docs").config(utoipa_swagger_ui::Config::from("/api/v1/openapi.json"));
    Router::from(ui).with_state(())
}
