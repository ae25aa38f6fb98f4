//! What the description says of all operations alike, and what it knows of each: parameters, headers, and what success looks like.

use super::{answer::Failure, examples};
use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, Method, StatusCode, header},
};
use engine::idempotency::KEY_MAX_CHARS;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use utoipa::openapi::{
    HeaderBuilder, ObjectBuilder, OpenApi, RefOr, Response, Schema, Type,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn},
    schema::{AnyOfBuilder, ArrayItems},
};

/// Which answers tell what a key may do a second: all that are given to a key.
const RATE_POLICY: &str = "RateLimit-Policy";

/// Adds what holds for all operations.
pub fn complete(openapi: &mut OpenApi) {
    rows_may_be_parts(openapi);
    let whole = serde_json::to_value(&*openapi).unwrap_or_default();
    for item in openapi.paths.paths.values_mut() {
        let operations = [
            (true, &mut item.get),
            (false, &mut item.post),
            (false, &mut item.put),
            (false, &mut item.patch),
            (false, &mut item.delete),
        ];
        for (is_safe, operation) in operations {
            let Some(operation) = operation else { continue };
            if !is_safe {
                operation.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
            }
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response {
                    describe_headers(status, is_safe, response);
                    if status.starts_with('2') {
                        give_example(&whole, response);
                    }
                }
            }
        }
    }
}

/// Shows what an answer looks like, where nobody gave an example.
fn give_example(document: &serde_json::Value, response: &mut Response) {
    let Some(RefOr::T(content)) = response.content.get_mut("application/json") else { return };
    if content.example.is_none()
        && content.examples.is_empty()
        && let Some(schema) = content.schema.as_ref().and_then(|schema| serde_json::to_value(schema).ok())
    {
        content.example = Some(examples::example(document, &schema));
    }
}

/// Says of pages that their rows may be parts of a whole: with `fields` they hold what was asked for.
fn rows_may_be_parts(openapi: &mut OpenApi) {
    let Some(components) = &mut openapi.components else { return };
    let pages = components.schemas.iter_mut().filter(|(name, _)| name.starts_with("Listed_"));
    for (_, page) in pages {
        if let RefOr::T(Schema::Object(page)) = page
            && let Some(RefOr::T(Schema::Array(rows))) = page.properties.get_mut("data")
            && let ArrayItems::RefOrSchema(row) = &mut rows.items
        {
            let whole = (**row).clone();
            let part = ObjectBuilder::new().description(Some("Only the fields that were asked for."));
            **row = AnyOfBuilder::new().item(whole).item(part).into();
        }
    }
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(KEY_MAX_CHARS));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("Repeated under the same key within 24 hours, the request is done once and answered alike."))
        .schema(Some(text.pattern(Some("^[!-~]+$"))))
        .build()
}

/// The headers of an answer of this status.
fn describe_headers(status: &str, is_safe: bool, response: &mut Response) {
    let mut add = |name: &str, of: Type, what: &str| {
        let header = HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(of))).description(Some(what));
        response.headers.insert(name.to_owned(), RefOr::T(header.build()));
    };
    if status != "401" {
        add(RATE_POLICY, Type::String, "What the key may do: `\"key\";q=10;w=1` is 10 requests in 1 second.");
    }
    if ["429", "503"].contains(&status) {
        add("Retry-After", Type::Integer, "When to come back, in seconds.");
    }
    if ["200", "201"].contains(&status) {
        add("ETag", Type::String, "The tag of this representation, for `If-Match`.");
    }
    if status == "201" {
        add("Location", Type::String, "Where what was made is.");
    }
    if !is_safe {
        add(
            "Idempotency-Replayed",
            Type::String,
            "`true` on an answer that was given before under the same `Idempotency-Key`.",
        );
    }
}

/// What an operation takes, and what it answers.
pub struct Known {
    parameters: BTreeSet<String>,
    takes_if_match: bool,
    /// The status of success.
    pub success: StatusCode,
    /// What success answers, by the name of its description.
    pub answers: Option<String>,
}

/// The operations, by method and path.
#[derive(Clone)]
pub struct Operations(Arc<HashMap<(Method, String), Known>>);

impl Operations {
    /// Those of a description.
    pub fn of(description: &OpenApi) -> Self {
        let mut found = HashMap::new();
        for (path, item) in &description.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    found.insert((method, path.clone()), known(operation));
                }
            }
        }
        Self(Arc::new(found))
    }

    /// What is known of the operation that a request asks for. `HEAD` asks for what `GET` does.
    pub fn asked(&self, method: &Method, matched: Option<&MatchedPath>) -> Option<&Known> {
        let path = matched.map(MatchedPath::as_str).unwrap_or_default();
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
        self.0.get(&(method, path.to_owned()))
    }

    /// How one of a collection is read.
    pub fn one_of(&self, collection: &str) -> Option<&Known> {
        let reads_one = |path: &str| {
            let id = path.strip_prefix('/').and_then(|path| path.strip_prefix(collection)).unwrap_or_default();
            id.starts_with("/{") && id.rfind('/') == Some(0)
        };
        self.0.iter().find(|((method, path), _)| *method == Method::GET && reads_one(path)).map(|(_, known)| known)
    }

    /// Whether there is such an operation.
    pub fn takes(&self, request: &Request) -> bool {
        self.asked(request.method(), request.extensions().get::<MatchedPath>()).is_some()
    }

    /// Refuses a parameter that the operation does not take, that is there twice or that cannot be read, and an `If-Match` that it would not
    /// look at.
    pub fn check(&self, request: &Request) -> Result<(), Failure> {
        let matched = request.extensions().get::<MatchedPath>();
        let Some(known) = self.asked(request.method(), matched) else { return Ok(()) };
        known.check(request.uri().query().unwrap_or_default(), request.method(), request.headers())
    }
}

impl Known {
    fn check(&self, query: &str, method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
        if percent_encoding::percent_decode_str(query).decode_utf8().is_err() {
            return Err(Failure::unreadable("The query is not UTF-8."));
        }
        let mut seen = BTreeSet::new();
        for (name, _) in url::form_urlencoded::parse(query.as_bytes()) {
            if !self.parameters.contains(&*name) {
                return Err(Failure::unreadable(&format!("There is no parameter \"{name}\" here.")));
            }
            if !seen.insert(name.to_string()) {
                return Err(Failure::unreadable(&format!("The parameter \"{name}\" is there twice.")));
            }
        }
        if !method.is_safe() && !self.takes_if_match && headers.contains_key(header::IF_MATCH) {
            return Err(Failure::unreadable("This operation does not look at If-Match."));
        }
        Ok(())
    }
}

fn known(operation: &Operation) -> Known {
    let parameters = || {
        operation.parameters.iter().flatten().filter_map(|one| match one {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
    };
    let of_query = parameters().filter(|one| matches!(one.parameter_in, ParameterIn::Query));
    let success = operation.responses.responses.iter().find(|(status, _)| status.starts_with('2'));
    let answers = success.and_then(|(_, response)| match response {
        RefOr::T(response) => response.content.get("application/json"),
        RefOr::Ref(_) => None,
    });
    let answers = answers.and_then(|content| match content {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    });
    Known {
        parameters: of_query.map(|one| one.name.clone()).collect(),
        takes_if_match: parameters()
            .any(|one| matches!(one.parameter_in, ParameterIn::Header) && one.name.eq_ignore_ascii_case("If-Match")),
        success: success.and_then(|(status, _)| status.parse().ok()).unwrap_or(StatusCode::OK),
        answers: answers.and_then(|schema| match schema {
            RefOr::Ref(named) => Some(named.ref_location.clone()),
            RefOr::T(_) => None,
        }),
    }
}
