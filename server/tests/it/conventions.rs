//! What holds for every operation of the API alike, asked of every operation that its description names.

use crate::process::{Api, key};
use domain::api_key::Scope;
use reqwest::{Method, Response};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// An id that nothing has.
const NOBODY: &str = "01935d2c-7c6f-7000-8000-000000000001";

struct Operation {
    method: Method,
    /// The path with ids filled in.
    path: String,
    described: Value,
}

impl Operation {
    /// The names of its parameters in the query, or in the headers.
    fn parameters(&self, place: &str) -> Vec<&str> {
        let all = self.described["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|one| one["in"] == place).filter_map(|one| one["name"].as_str()).collect()
    }

    /// An example of its body, if it takes JSON.
    fn example(&self) -> Option<&Value> {
        self.described["requestBody"]["content"]["application/json"].get("example")
    }

    fn place(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// What it must be given in its query.
    fn needed(&self) -> Vec<String> {
        let all = self.described["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let needed = all.iter().filter(|one| one["in"] == "query" && one["required"] == true);
        needed
            .map(|one| format!("{}={}", one["name"].as_str().unwrap(), one["example"].as_str().unwrap_or("a")))
            .collect()
    }
}

impl Api {
    fn ask(&self, operation: &Operation, query: &str) -> reqwest::RequestBuilder {
        let mut parts = operation.needed();
        parts.retain(|part| !query.starts_with(part.split_once('=').map_or("", |(name, _)| name)));
        parts.extend(Some(query.to_owned()).filter(|query| !query.is_empty()));
        let url = format!("{}/api/v1{}?{}", self.server.url, operation.path, parts.join("&"));
        let request = self.server.http.request(operation.method.clone(), url).bearer_auth(&self.key);
        match operation.example() {
            Some(example) => request.json(example),
            None => request,
        }
    }

    /// Refused so, as the conventions say of every refusal.
    async fn refused(&self, place: &str, request: reqwest::RequestBuilder, statuses: &[u16]) -> Value {
        problem(place, request.send().await.unwrap(), statuses).await
    }
}

async fn problem(place: &str, answer: Response, statuses: &[u16]) -> Value {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    assert!(statuses.contains(&status), "{place}: {status} instead of {statuses:?}: {text}");
    assert_eq!(headers["content-type"], "application/problem+json", "{place}: {text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    for field in ["type", "title", "detail", "request_id"] {
        assert!(problem[field].is_string(), "{place}: {field} in {problem}");
    }
    assert_eq!(problem["status"], status, "{place}");
    assert_eq!(problem["request_id"], headers["x-request-id"].to_str().unwrap(), "{place}");
    problem
}

fn operations() -> Vec<Operation> {
    let description = serde_json::to_value(server::api::openapi()).unwrap();
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        let filled = |part: &str| match part {
            "{key}" if path.starts_with("/messages/") => format!("/{NOBODY}.1"),
            part if part.starts_with('{') => format!("/{NOBODY}"),
            part => format!("/{part}"),
        };
        let filled: String = path.split('/').skip(1).map(filled).collect();
        for (method, described) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            found.push(Operation { method, path: filled.clone(), described: described.clone() });
        }
    }
    assert!(found.len() > 80, "{}", found.len());
    found
}

#[tokio::test]
async fn parameters_are_those_that_are_described_once_each_and_in_their_range() {
    let api = Api::start().await;
    for operation in operations() {
        let place = operation.place();
        api.refused(&place, api.ask(&operation, "nonsense=1"), &[400]).await;
        let names = operation.parameters("query");
        for name in &names {
            api.refused(&place, api.ask(&operation, &format!("{name}=1&{name}=1")), &[400]).await;
        }
        // Whoever is not there has no pages.
        let is_list = !operation.path.contains(NOBODY);
        if names.contains(&"limit") {
            for limit in ["0", "201", "-1", "x", "1.5", ""] {
                api.refused(&place, api.ask(&operation, &format!("limit={limit}")), &[400, 404, 422]).await;
            }
            for limit in [1, 200] {
                let answer = api.ask(&operation, &format!("limit={limit}")).send().await.unwrap();
                assert_eq!(answer.status().as_u16(), if is_list { 200 } else { 404 }, "{place}");
            }
        }
        for name in ["cursor", "after", "sort", "fields", "filter"].iter().filter(|name| names.contains(name)) {
            let query = format!("{name}=%00nonsense%20%3D");
            api.refused(&format!("{place}?{query}"), api.ask(&operation, &query), &[400, 404, 422]).await;
        }
    }
    api.server.stop().await;
}

#[tokio::test]
async fn every_list_is_read_to_its_end_and_back_page_by_page() {
    let api = Api::start().await;
    // Three of everything that one request makes, from its own example.
    let all = operations();
    for operation in all.iter().filter(|one| one.method == Method::POST && !one.path.contains(NOBODY)) {
        let Some(Value::Object(example)) = operation.example().cloned() else { continue };
        for n in 0..3 {
            let mut body = example.clone();
            for field in ["name", "key", "phone", "number", "url"] {
                let Some(Value::String(text)) = body.get(field) else { continue };
                body.insert(field.into(), format!("{}{n}", text.trim_end_matches(char::is_numeric)).into());
                if ["phone", "number"].contains(&field) {
                    body.insert(field.into(), format!("+1202555014{n}").into());
                }
            }
            let url = format!("{}/api/v1{}", api.server.url, operation.path);
            let sent = api.server.http.post(url).bearer_auth(&api.key).json(&body).send().await.unwrap();
            assert!(sent.status().as_u16() < 500, "{}: {}", operation.place(), sent.status());
        }
    }
    let users = read(&api, "/users", "limit=200").await;
    let user = users["data"][0]["id"].as_str().unwrap().to_owned();
    let mut several = BTreeSet::new();
    for operation in all.iter().filter(|one| one.method == Method::GET && one.parameters("query").contains(&"cursor")) {
        let is_of_user = operation.path.starts_with("/users/");
        if operation.path.contains(NOBODY) && !is_of_user {
            continue;
        }
        let path = operation.path.replace(NOBODY, &user);
        let whole = read(&api, &path, "limit=200").await;
        let rows = whole["data"].as_array().unwrap();
        assert_eq!((&whole["next"], &whole["prev"]), (&Value::Null, &Value::Null), "{path}");
        let (mut found, mut page) = (Vec::new(), read(&api, &path, "limit=1").await);
        while let Some(next) = page["next"].as_str() {
            found.push(page["data"][0].clone());
            let behind = read(&api, &path, &format!("limit=1&cursor={next}")).await;
            let back = behind["prev"].as_str().unwrap_or_else(|| panic!("{path}: no way back"));
            assert_eq!(read(&api, &path, &format!("limit=1&cursor={back}")).await, page, "{path}");
            page = behind;
            // The way back is remembered for twenty pages.
            if found.len() > 15 {
                break;
            }
        }
        found.extend(page["data"].as_array().unwrap().first().cloned());
        assert_eq!(found, rows[..found.len()], "{path}");
        assert!(found.len() == rows.len() || found.len() > 15, "{path}: {} of {}", found.len(), rows.len());
        if found.len() > 2 {
            several.insert(path.replace(&user, "ID"));
        }
    }
    for list in [
        "/attributes",
        "/audit",
        "/keys",
        "/segments",
        "/templates",
        "/topics",
        "/users",
        "/users/ID/subscriptions",
        "/webhooks",
    ] {
        assert!(several.contains(list), "{list} had no pages: {several:?}");
    }
    api.server.stop().await;
}

async fn read(api: &Api, path: &str, query: &str) -> Value {
    let url = format!("{}/api/v1{path}?{query}", api.server.url);
    let answer = api.server.http.get(url).bearer_auth(&api.key).send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{path}?{query}: {text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn every_answer_names_the_rate_and_every_unknown_id_is_not_found() {
    let api = Api::start().await;
    for operation in operations() {
        let place = operation.place();
        if operation.path.contains(NOBODY) {
            let answer = api.ask(&operation, "").send().await.unwrap();
            assert_eq!(answer.headers()["ratelimit-policy"], "\"key\";q=1000;w=1", "{place}");
            // Removing what is gone already is no fault; an example may name another thing that is not there, by its field.
            problem(&place, answer, &[404, 409, 422]).await;
        } else if operation.method == Method::GET {
            let answer = api.ask(&operation, "").send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{place}");
            assert_eq!(answer.headers()["ratelimit-policy"], "\"key\";q=1000;w=1", "{place}");
        }
        let foreign = ["TRACE", "OPTIONS", "PROPFIND"].map(|method| Method::from_bytes(method.as_bytes()).unwrap());
        for method in foreign {
            let wrong = Operation { method, path: operation.path.clone(), described: json!({}) };
            let answer = api.ask(&wrong, "").send().await.unwrap();
            assert!([404, 405].contains(&answer.status().as_u16()), "{}: {}", wrong.place(), answer.status());
        }
    }
    api.server.stop().await;
}

#[tokio::test]
async fn bodies_are_objects_of_known_fields() {
    let api = Api::start().await;
    for operation in operations() {
        let (place, Some(example)) = (operation.place(), operation.example()) else { continue };
        let send = |kind: &'static str, body: Vec<u8>| {
            let url = format!("{}/api/v1{}", api.server.url, operation.path);
            let request = api.server.http.request(operation.method.clone(), url).bearer_auth(&api.key);
            request.header("content-type", kind).body(body)
        };
        let json = "application/json";
        let mut stranger = example.as_object().cloned().unwrap_or_default();
        stranger.insert("nonsense".into(), Value::Null);
        let stranger = Value::Object(stranger).to_string();
        let text = example.to_string();
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
        let wrong_types: Map<String, Value> =
            example.as_object().into_iter().flatten().map(|(name, _)| (name.clone(), json!({ "x": [1] }))).collect();
        let bodies: [(&'static str, Vec<u8>, &[u16]); 12] = [
            ("text/plain", text.clone().into_bytes(), &[415]),
            ("application/x-www-form-urlencoded", b"a=1".to_vec(), &[415]),
            (json, Vec::new(), &[400]),
            (json, b"{".to_vec(), &[400]),
            (json, format!("{text} {{}}").into_bytes(), &[400]),
            (json, b"\xff\xfe{\0}\0".to_vec(), &[400]),
            (json, b"{\"a\":\"\xff\"}".to_vec(), &[400, 422]),
            (json, b"[]".to_vec(), &[422]),
            (json, b"7".to_vec(), &[422]),
            (json, deep.into_bytes(), &[400, 422]),
            (json, stranger.into_bytes(), &[422]),
            (json, Value::Object(wrong_types).to_string().into_bytes(), &[422]),
        ];
        for (kind, body, statuses) in bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let problem = api.refused(&format!("{place} with {shown}"), send(kind, body), statuses).await;
            if problem["status"] == 422 {
                let pointers = problem["errors"].as_array().unwrap();
                assert!(
                    !pointers.is_empty() && pointers.iter().all(|one| one["pointer"].is_string()),
                    "{place}: {problem}"
                );
            }
        }
    }
    api.server.stop().await;
}

#[tokio::test]
async fn changes_take_a_tag_and_an_idempotency_key() {
    let api = Api::start().await;
    let mut untagged = Vec::new();
    for operation in operations().into_iter().filter(|operation| !operation.method.is_safe()) {
        let place = operation.place();
        for wrong in ["", " ", "a b", &"x".repeat(1_000)] {
            let request = api.ask(&operation, "").header("idempotency-key", wrong);
            api.refused(&place, request, &[400]).await;
        }
        // An answer is given again, whatever it was, and to nothing else.
        let send = |path: &str| {
            let again = Operation {
                path: path.to_owned(),
                described: operation.described.clone(),
                method: operation.method.clone(),
            };
            api.ask(&again, "").header("idempotency-key", place.replace(' ', "-"))
        };
        if operation.path.contains(NOBODY) {
            let first = send(&operation.path).send().await.unwrap();
            let second = send(&operation.path).send().await.unwrap();
            assert_eq!(first.status(), second.status(), "{place}");
            assert_eq!(second.headers()["idempotency-replayed"], "true", "{place}");
            let other = send(&operation.path.replace(NOBODY, &NOBODY.replace("001", "002")));
            let refused = api.refused(&place, other, &[422]).await;
            assert_eq!(refused["errors"][0]["pointer"], "/idempotency-key", "{place}");
        }
        // A person's choice on a topic has no representation of its own: saying it again changes nothing.
        let is_choice = operation.path.contains("/subscriptions/");
        if [Method::PUT, Method::PATCH].contains(&operation.method)
            && !is_choice
            && !operation.parameters("header").contains(&"If-Match")
        {
            untagged.push(place);
        }
    }
    assert_eq!(untagged, Vec::<String>::new(), "they take no If-Match");
    api.server.stop().await;
}

#[tokio::test]
async fn a_key_is_told_which_scope_it_lacks() {
    let api = Api::start().await;
    let audit = key(&api.server, &[Scope::AuditRead]).await;
    let health = key(&api.server, &[Scope::DeliveryStop]).await;
    let mut api = api;
    let mut lacking = BTreeSet::new();
    for operation in operations() {
        let place = operation.place();
        api.key = if operation.path == "/audit" { health.clone() } else { audit.clone() };
        let is_upload = operation.path == "/imports" && operation.method == Method::POST;
        let request = api.ask(&operation, "");
        let request = if is_upload { request.body("phone\n") } else { request };
        // Whoever may see nothing is told of nothing: the scope is asked for first.
        let answer = api.refused(&place, request, &[403]).await;
        let detail = answer["detail"].as_str().unwrap();
        let scope = detail.strip_prefix("this key lacks the scope ").unwrap_or_else(|| panic!("{place}: {detail}"));
        lacking.insert(scope.parse::<Scope>().unwrap().as_str());
    }
    assert!(lacking.len() > 15, "{lacking:?}");
    api.server.stop().await;
}
