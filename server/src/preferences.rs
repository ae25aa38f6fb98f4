//! `/p/TOKEN`: the page that a message's preference link leads to. Opening it changes nothing.

use crate::{extract::Visitor, problem, web::Web};
use app::Answer;
use axum::{
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use domain::preferences::PreferenceForm;
use engine::{Error, preferences};

/// `GET /p/{token}`.
pub async fn open(State(web): State<Web>, visitor: Visitor, Path(token): Path<String>) -> Response {
    match preferences::open(&web.engine, &token).await {
        Ok(view) => page(&web, StatusCode::OK, Answer::Form(view)),
        Err(error) => refused(&web, &error, &visitor),
    }
}

/// `POST /p/{token}`: records what the person chose.
pub async fn save(State(web): State<Web>, visitor: Visitor, Path(token): Path<String>, body: Bytes) -> Response {
    let form = read(&body);
    let saved = match preferences::save(&web.engine, &token, &form, &visitor.client).await {
        Ok(()) => preferences::open(&web.engine, &token).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(view) => page(&web, StatusCode::OK, Answer::Saved(view)),
        Err(error) => refused(&web, &error, &visitor),
    }
}

/// The form's fields; boxes of one name come once for each that is ticked.
fn read(body: &[u8]) -> PreferenceForm {
    let mut form = PreferenceForm::default();
    for (name, value) in url::form_urlencoded::parse(body) {
        match name.as_ref() {
            "token" => form.token = value.into_owned(),
            "channel" => form.channels.extend(value.parse::<domain::phone::Channel>()),
            "topic" => form.topics.extend(value.parse::<domain::ids::TopicId>()),
            "nothing" => form.nothing = true,
            _ => {}
        }
    }
    form
}

fn refused(web: &Web, error: &Error, visitor: &Visitor) -> Response {
    let words = match error {
        Error::NotFound { .. } => "This link is not complete, or leads to nobody any more.".to_owned(),
        Error::Conflict { why } => format!("Nothing was changed: {why}."),
        other => return problem::answer(other, &visitor.client),
    };
    page(web, problem::status(error), Answer::Refused(words))
}

fn page(web: &Web, status: StatusCode, answer: Answer) -> Response {
    (status, Html(app::preferences(web.leptos.clone(), answer))).into_response()
}
