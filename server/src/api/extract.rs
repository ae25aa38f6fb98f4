//! What the API's handlers take from a request, read strictly: whatever is not understood is refused, not passed over.

use super::answer::Failure;
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use domain::problem::FieldProblem;
use engine::{Actor, Error};
use serde::de::DeserializeOwned;

/// The integration that asks.
#[derive(Debug, Clone)]
pub struct Key(pub Actor);

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::Unauthenticated.into())
    }
}

/// A body of JSON, of at most the router's limit. Unknown fields, wrong types and trailing text are refused, each at its place.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        if !is_json(request.headers()) {
            return Err(Failure::media_type("Send JSON, with Content-Type: application/json."));
        }
        let body = Bytes::from_request(request, state).await.map_err(|error| Failure::status(error.status()))?;
        read(&body).map(Self)
    }
}

/// Reads a whole text as JSON.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        match error.is_data() {
            true => Failure::from(Error::Invalid { errors: vec![FieldProblem { pointer, detail: words(&error) }] }),
            false => Failure::unreadable(&format!("This is not JSON: {}.", words(&error))),
        }
    })?;
    match reader.end() {
        // Serde also takes the fields of a struct as a list, by their order; nobody means that.
        Ok(()) if !body.trim_ascii_start().starts_with(b"{") => Err(Error::Invalid {
            errors: vec![FieldProblem { pointer: String::new(), detail: "an object belongs here".into() }],
        }
        .into()),
        Ok(()) => Ok(value),
        Err(error) => Err(Failure::unreadable(&format!("There is text after the JSON: {}.", words(&error)))),
    }
}

/// A fault of the reader in words; the place in the text says nothing that the pointer does not.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(segment).collect()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// A query. What is unknown or there twice never comes here: [`super::guard`] refuses it.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let text = parts.uri.query().unwrap_or_default();
        let value = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(
            text.as_bytes(),
        )));
        value
            .map(Self)
            .map_err(|error| Failure::unreadable(&format!("The query cannot be read: {}.", error.into_inner())))
    }
}

/// A part of the path that names something: what cannot be read names nothing.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Error::NotFound { what: "resource" }.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::topic::TopicForm;

    #[test]
    fn bodies_are_read_strictly() {
        let check = |body: &str, expected: Result<(), &str>| match (read::<TopicForm>(body.as_bytes()), expected) {
            (Ok(_), Ok(())) => {}
            (Err(failure), Err(words)) => assert!(format!("{failure:?}").contains(words), "{body}: {failure:?}"),
            (found, expected) => panic!("{body}: {expected:?}, not {}", found.is_ok()),
        };
        check(r#"{"key":"a","name":"A","kind":"opt_in"}"#, Ok(()));
        check(r#"{"key":"a","name":"A","kind":"opt_in"} x"#, Err("after the JSON"));
        check(r#"{"key":"a","name":"A","kind":"maybe"}"#, Err("/kind"));
        check(r#"{"key":"a","name":7,"kind":"opt_in"}"#, Err("/name"));
        check(r#"{"key":"a","name":"A","kind":"opt_in","x":1}"#, Err("unknown field"));
        check(r#"{"key":"a","name":"A"}"#, Err("missing field"));
        check(r#"["a","A","opt_in"]"#, Err("an object belongs here"));
        check(r#"{"key":"a","#, Err("not JSON"));
        check(&"[".repeat(5_000), Err("invalid type"));
        check(&format!("{{\"key\":{}", "[".repeat(5_000)), Err("/key"));
        check("\u{feff}{}", Err("not JSON"));
    }
}
