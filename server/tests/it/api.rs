//! The REST API over the wire: who is let in, how strictly it reads, and what it promises.

use crate::process::{Server, key};
use domain::{
    api_key::{ApiKeyForm, Scope},
    feed::EventType,
};
use engine::{Actor, api_keys};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// The document that describes the API, as it was last agreed on.
const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/API.md");
const ANY: &str = "01935d2c-7c6f-7000-8000-000000000001";

fn ask(server: &Server, key: &str, method: Method, path: &str) -> RequestBuilder {
    server.http.request(method, format!("{}/api/v1{path}", server.url)).bearer_auth(key)
}

async fn json_of(request: RequestBuilder, status: u16) -> Value {
    let answer = request.send().await.unwrap();
    let (found, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert_eq!(found, status, "{text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Every operation of the description: method and path with identifiers filled in.
fn operations() -> Vec<(Method, String)> {
    let description = serde_json::to_value(server::api::openapi()).unwrap();
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        let mut filled = String::new();
        for part in path.split('/').skip(1) {
            filled += "/";
            filled += if part.starts_with('{') { ANY } else { part };
        }
        for method in item.as_object().unwrap().keys() {
            found.push((method.to_uppercase().parse().unwrap(), filled.clone()));
        }
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}

#[test]
fn the_description_is_the_one_that_was_agreed_on() {
    let now = serde_json::to_string_pretty(&server::api::openapi()).unwrap() + "\n";
    let agreed = fs::read_to_string(SNAPSHOT).unwrap_or_default();
    if now != agreed {
        let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
        fs::write(&beside, &now).unwrap();
        panic!("the API changed; if that is meant: cp {} docs/openapi.json", beside.display());
    }
}

#[test]
fn the_words_of_the_description_are_those_of_the_wire() {
    let description = serde_json::to_value(server::api::openapi()).unwrap();
    let words = |name: &str| description["components"]["schemas"][name]["enum"].clone();
    assert_eq!(words("EventType"), serde_json::to_value(EventType::ALL).unwrap());
    for (name, schema) in description["components"]["schemas"].as_object().unwrap() {
        for word in schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert_eq!(word, word.to_lowercase(), "{name}");
        }
    }
}

#[test]
fn every_operation_says_what_it_does_and_answers() {
    let description = serde_json::to_value(server::api::openapi()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{place}");
            let answers =
                operation["responses"].as_object().unwrap().iter().filter(|(status, _)| status.starts_with('2'));
            for (status, answer) in answers {
                if let Some(json) = answer["content"].get("application/json") {
                    let shown = json["example"].to_string();
                    assert!(shown.len() > 2 && shown != "null", "{place} shows no {status}: {shown}");
                }
            }
            assert_eq!(operation["security"], json!([{ "key": [] }]), "{place}");
            let answers: BTreeSet<&str> =
                operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            for status in ["400", "401", "403", "404", "409", "422", "429", "503"] {
                assert!(answers.contains(status), "{place}: {status}");
            }
            let body = &operation["requestBody"]["content"];
            if let Some(content) = body.as_object() {
                assert!(content.values().all(|kind| kind.get("example").is_some()), "{place} has no example");
            }
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}: its id is another's");
        }
    }
}

#[tokio::test]
async fn strangers_and_those_without_the_scope_get_nothing() {
    let server = Server::start().await;
    let narrow = key(&server, &[Scope::AuditRead]).await;
    let revoked = api_keys::create(
        &server.engine,
        &Actor::system(),
        &ApiKeyForm { name: "gone".into(), scopes: Scope::ALL.to_vec(), ..ApiKeyForm::default() },
    )
    .await
    .unwrap();
    api_keys::revoke(&server.engine, &Actor::system(), revoked.key.id).await.unwrap();
    for (method, path) in operations() {
        let place = format!("{method} {path}");
        let bare = server.http.request(method.clone(), format!("{}/api/v1{path}", server.url)).send().await.unwrap();
        assert_eq!(bare.status(), 401, "{place}");
        assert_eq!(bare.headers()["www-authenticate"], "Bearer", "{place}");
        for wrong in ["", "ese_", "ese_AAAA", revoked.secret.as_str()] {
            let answer = ask(&server, wrong, method.clone(), &path).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{place} with {wrong:?}");
        }
        if path != "/audit" && method == Method::GET {
            let answer = ask(&server, &narrow, method, &path).send().await.unwrap();
            let refused = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&answer.status());
            assert!(refused, "{place}: {}", answer.status());
        }
    }
    assert_eq!(ask(&server, &narrow, Method::GET, "/audit").send().await.unwrap().status(), 200);
    assert_eq!(ask(&server, &narrow, Method::GET, "/users").send().await.unwrap().status(), 403);
    // A dashboard's session is no key.
    let cookie = server.cookie().await;
    assert_eq!(server.get("/api/v1/users").header("cookie", cookie).send().await.unwrap().status(), 401);
    server.stop().await;
}

#[tokio::test]
async fn whatever_is_not_understood_is_refused() {
    let server = Server::start().await;
    let key = key(&server, &Scope::ALL).await;
    let deep = format!(r#"{{"phone":"+12025550143","attributes":{{"x":{}1{}}}}}"#, "[".repeat(500), "]".repeat(500));
    let json = "application/json";
    let bodies = [
        (json, "", 400, "not JSON"),
        (json, "{", 400, "not JSON"),
        (json, "[]", 422, "invalid"),
        (json, r#"{"phone":"+12025550143"} {}"#, 400, "after the JSON"),
        (json, r#"{"phone":"+12025550143","nmae":"Ann"}"#, 422, "/nmae"),
        (json, r#"{"phone":7}"#, 422, "/phone"),
        (json, r#"{"phone":"12"}"#, 422, "/phone"),
        (json, r#"{"phone":"+12025550143","phone":"+12025550144"}"#, 422, "duplicate field"),
        (json, "{\"phone\":\"\u{0}\"}", 400, "not JSON"),
        (json, deep.as_str(), 400, "not JSON"),
        ("text/plain", r#"{"phone":"+12025550143"}"#, 415, "application/json"),
        ("application/xml", "<a/>", 415, "application/json"),
    ];
    for (kind, body, status, words) in bodies {
        let request = ask(&server, &key, Method::POST, "/users").header("content-type", kind).body(body.to_owned());
        let problem = json_of(request, status).await;
        assert!(problem.to_string().contains(words), "{body:.80}: {problem}");
        assert!(problem["request_id"].is_string() && problem["status"] == status, "{problem}");
    }
    let large = json!({ "phone": "+12025550143", "name": "x".repeat(2_000_000) });
    json_of(ask(&server, &key, Method::POST, "/users").json(&large), 413).await;
    let queries = [
        ("/users?limit=0", 422),
        ("/users?limit=201", 422),
        ("/users?limit=x", 400),
        ("/users?limit=2&limit=3", 400),
        ("/users?page=2", 400),
        ("/users?cursor=x", 400),
        ("/users?sort=shoe", 400),
        ("/users?filter=city%20%3D", 422),
        ("/users/nobody", 404),
        ("/users/01935d2c-7c6f-7000-8000-000000000001", 404),
        ("/messages/1", 404),
        ("/nothing", 404),
    ];
    for (path, status) in queries {
        json_of(ask(&server, &key, Method::GET, path), status).await;
    }
    assert_eq!(ask(&server, &key, Method::PUT, "/users").send().await.unwrap().status(), 405);
    server.stop().await;
}

#[tokio::test]
async fn a_user_is_made_read_changed_and_removed() {
    let server = Server::start().await;
    let key = key(&server, &Scope::ALL).await;
    let form = json!({ "phone": "+1 202 555 0143", "name": "Ann", "attributes": { "city": "Bonn", "tags": ["vip"] } });
    let made = ask(&server, &key, Method::POST, "/users").json(&form).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let place = made.headers()["location"].to_str().unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    let read = ask(&server, &key, Method::GET, &place).send().await.unwrap();
    let tag = read.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(read.json::<Value>().await.unwrap()["phone"], "+12025550143");
    json_of(ask(&server, &key, Method::POST, "/users").json(&form), 409).await;
    let change = json!({ "name": "Ann Lee", "attributes": { "age": 40 } });
    let changed = json_of(ask(&server, &key, Method::PATCH, &place).header("if-match", &tag).json(&change), 200).await;
    assert_eq!((&changed["name"], &changed["attributes"]["city"]), (&json!("Ann Lee"), &json!("Bonn")));
    // Somebody who read it before that does not overwrite it.
    json_of(ask(&server, &key, Method::PATCH, &place).header("if-match", &tag).json(&change), 412).await;
    let said = json!({ "channel": "sms", "kind": "opt_out", "evidence": "wrote to us" });
    json_of(ask(&server, &key, Method::POST, &format!("{place}/consents")).json(&said), 200).await;
    // A list writes out what is stored, and says the same as the person's own address.
    let listed = json_of(ask(&server, &key, Method::GET, "/users"), 200).await;
    assert_eq!(listed["data"], json!([json_of(ask(&server, &key, Method::GET, &place), 200).await]));
    let narrow = json_of(ask(&server, &key, Method::GET, "/users?fields=attributes,consents"), 200).await;
    let whole = &listed["data"][0];
    let expected = json!([{ "attributes": whole["attributes"], "consents": whole["consents"] }]);
    assert_eq!(narrow["data"], expected);
    let back = json!({ "channel": "sms", "kind": "opt_in", "evidence": "a form" });
    let refused = json_of(ask(&server, &key, Method::POST, &format!("{place}/consents")).json(&back), 409).await;
    assert!(refused["detail"].as_str().unwrap().contains("opted out"), "{refused}");
    let rows = json!({ "users": [{ "phone": "+12025550143", "zone": "Europe/Berlin" }, { "phone": "+12025550144" }, { "phone": "x" }] });
    let results = json_of(ask(&server, &key, Method::POST, "/users/batch").json(&rows), 200).await;
    let statuses: Vec<&Value> = results["data"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, [200, 201, 422]);
    assert_eq!(results["data"][0]["user"]["name"], "Ann Lee");
    assert_eq!(
        ask(&server, &key, Method::DELETE, &format!("{place}?suppress=true")).send().await.unwrap().status(),
        204
    );
    json_of(ask(&server, &key, Method::GET, &place), 404).await;
    let known = json_of(
        ask(&server, &key, Method::POST, "/suppressions/look-up").json(&json!({ "number": "+12025550143" })),
        200,
    )
    .await;
    assert_eq!(known["data"].as_array().unwrap().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn of_changes_at_once_none_is_lost() {
    let server = Server::start().await;
    let key = key(&server, &Scope::ALL).await;
    let form = json!({ "phone": "+12025550143", "name": "Ann" });
    let id = json_of(ask(&server, &key, Method::POST, "/users").json(&form), 201).await["id"].clone();
    let place = format!("/users/{}", id.as_str().unwrap());
    for round in 0..10 {
        let read = ask(&server, &key, Method::GET, &place).send().await.unwrap();
        let tag = read.headers()["etag"].to_str().unwrap().to_owned();
        // Whoever read the same changes it once.
        let change = |name: &str| {
            let change = json!({ "name": format!("{name} {round}") });
            ask(&server, &key, Method::PATCH, &place).header("if-match", &tag).json(&change).send()
        };
        let (one, two) = tokio::join!(change("Bo"), change("Cy"));
        let statuses = BTreeSet::from([one.unwrap().status().as_u16(), two.unwrap().status().as_u16()]);
        assert_eq!(statuses, BTreeSet::from([200, 412]));
        // Whoever changes another field takes nothing back.
        let patch = |change: Value| ask(&server, &key, Method::PATCH, &place).json(&change).send();
        let (zone, age) = if round % 2 == 0 { ("Europe/Berlin", 40) } else { ("Asia/Colombo", 41) };
        let (one, two) = tokio::join!(patch(json!({ "zone": zone })), patch(json!({ "attributes": { "age": age } })));
        assert!(one.unwrap().status() == 200 && two.unwrap().status() == 200);
        let now = json_of(ask(&server, &key, Method::GET, &place), 200).await;
        assert_eq!((&now["zone"], &now["attributes"]["age"]), (&json!(zone), &json!(age)));
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_lead_on_and_back() {
    let server = Server::start().await;
    let key = key(&server, &Scope::ALL).await;
    for n in 0..5 {
        let form = json!({ "phone": format!("+120255501{n:02}"), "name": format!("User {n}") });
        json_of(ask(&server, &key, Method::POST, "/users").json(&form), 201).await;
    }
    let page = async |cursor: Option<&str>| {
        let mut path = "/users?limit=2&fields=name".to_owned();
        if let Some(cursor) = cursor {
            path += &format!("&cursor={cursor}");
        }
        json_of(ask(&server, &key, Method::GET, &path), 200).await
    };
    let names = |page: &Value| -> Vec<String> {
        let rows = page["data"].as_array().unwrap().iter();
        rows.inspect(|row| assert_eq!(row.as_object().unwrap().len(), 1))
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = page(None).await;
    let second = page(first["next"].as_str()).await;
    // A newcomer moves nothing: cursors name a place, not a number.
    json_of(ask(&server, &key, Method::POST, "/users").json(&json!({ "phone": "+12025550199" })), 201).await;
    let third = page(second["next"].as_str()).await;
    assert_eq!(
        (names(&first), names(&second)),
        (vec!["User 4".into(), "User 3".into()], vec!["User 2".into(), "User 1".into()])
    );
    assert_eq!((names(&third), &third["next"]), (vec!["User 0".into()], &Value::Null));
    assert_eq!(names(&page(third["prev"].as_str()).await), names(&second));
    assert_eq!(first["prev"], Value::Null);
    let mut forged = first["next"].as_str().unwrap().to_owned();
    forged.replace_range(0..1, if forged.starts_with('A') { "B" } else { "A" });
    json_of(ask(&server, &key, Method::GET, &format!("/users?cursor={forged}")), 400).await;
    json_of(ask(&server, &key, Method::GET, "/users?fields=shoe"), 422).await;
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_request_is_done_once() {
    let server = Server::start().await;
    let key = key(&server, &Scope::ALL).await;
    let send = |name: &str, body: Value| {
        ask(&server, &key, Method::POST, "/users").header("idempotency-key", name).json(&body).send()
    };
    let form = json!({ "phone": "+12025550143", "name": "Ann" });
    let (one, two) = tokio::join!(send("a", form.clone()), send("a", form.clone()));
    let statuses = BTreeSet::from([one.unwrap().status().as_u16(), two.unwrap().status().as_u16()]);
    assert!(statuses.contains(&201) && statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let again = send("a", form.clone()).await.unwrap();
    assert_eq!((again.status().as_u16(), again.headers()["idempotency-replayed"].to_str().unwrap()), (201, "true"));
    assert!(again.headers().contains_key("location"));
    assert_eq!(send("a", json!({ "phone": "+12025550144" })).await.unwrap().status(), 422);
    // A refusal is an answer too.
    assert_eq!(send("b", json!({ "phone": "x" })).await.unwrap().status(), 422);
    assert_eq!(send("b", json!({ "phone": "x" })).await.unwrap().headers()["idempotency-replayed"], "true");
    assert_eq!(send("", form).await.unwrap().status(), 400);
    let users = json_of(ask(&server, &key, Method::GET, "/users"), 200).await;
    assert_eq!(users["data"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let server = Server::start().await;
    let form = ApiKeyForm {
        name: "slow".into(),
        scopes: vec![Scope::UsersRead],
        rate_per_second: Some(1),
        ..ApiKeyForm::default()
    };
    let slow = api_keys::create(&server.engine, &Actor::system(), &form).await.unwrap().secret;
    let mut refused = 0;
    for _ in 0..10 {
        let answer = ask(&server, &slow, Method::GET, "/users?limit=1").send().await.unwrap();
        if answer.status() == 429 {
            refused += 1;
            assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
        }
        assert_eq!(answer.headers()["ratelimit-policy"], "\"key\";q=1;w=1");
    }
    assert!(refused > 0);
    server.stop().await;
}

/// The walk-through of the guide is run as it stands there.
#[tokio::test]
async fn the_walk_through_works_as_it_is_written() {
    let server = Server::start().await;
    let key = key(&server, &Scope::ALL).await;
    let guide = fs::read_to_string(GUIDE).unwrap();
    let script: String = guide.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(script.matches("curl").count() >= 8, "{script}");
    let (url, dir) = (server.url.clone(), tempfile::tempdir().unwrap());
    let place = dir.path().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .env("ESE", format!("{url}/api/v1"))
            .env("KEY", key)
            .current_dir(place)
            .output()
    });
    let output = output.await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("\"audience\":1"), "{said}");
    server.stop().await;
}

#[tokio::test]
async fn events_are_told_by_pages_and_as_a_stream_until_the_key_is_taken_back() {
    let server = Server::start().await;
    let key = key(&server, &[Scope::EventsRead, Scope::UsersWrite, Scope::ConsentWrite, Scope::UsersRead]).await;
    let mut stream =
        ask(&server, &key, Method::GET, "/events").header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let person = json!({ "phone": "+12025550143", "name": "Ann" });
    let user = json_of(ask(&server, &key, Method::POST, "/users").json(&person), 201).await;
    let id = user["id"].as_str().unwrap();
    let consent = json!({ "channel": "sms", "kind": "opt_in", "evidence": "web form 12" });
    json_of(ask(&server, &key, Method::POST, &format!("/users/{id}/consents")).json(&consent), 200).await;
    let mut text = String::new();
    while !text.contains("\n\n") {
        text += std::str::from_utf8(&stream.chunk().await.unwrap().expect("the stream goes on")).unwrap();
    }
    assert!(text.contains("event: consent.opted_in") && text.contains("id: evt_") && text.contains(id), "{text}");

    let page = json_of(ask(&server, &key, Method::GET, "/events?types=consent.opted_in&limit=1"), 200).await;
    assert_eq!(page["data"][0]["data"]["user"], id);
    let last = page["data"][0]["id"].as_str().unwrap();
    let rest = json_of(ask(&server, &key, Method::GET, &format!("/events?after={last}")), 200).await;
    assert_eq!(rest["data"], json!([]));
    json_of(ask(&server, &key, Method::GET, "/events?types=nonsense"), 422).await;
    json_of(ask(&server, &key, Method::GET, "/events?after=nonsense"), 422).await;
    let again = ask(&server, &key, Method::GET, "/events").header("accept", "text/event-stream");
    let mut again = again.header("last-event-id", "evt_0_0").send().await.unwrap();
    let first = String::from_utf8(again.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(first.contains(last), "what was missed is told first: {first}");

    for one in api_keys::list(&server.engine, &Actor::system()).await.unwrap() {
        api_keys::revoke(&server.engine, &Actor::system(), one.id).await.unwrap();
    }
    while stream.chunk().await.unwrap().is_some() {}
}

#[tokio::test]
async fn a_secret_is_shown_once_even_to_a_repeated_request() {
    let server = Server::start().await;
    let key = key(&server, &[Scope::WebhooksWrite, Scope::KeysWrite, Scope::EventsRead]).await;
    let hook = json!({ "url": "https://example.com/hook", "types": ["message.failed"] });
    let form = json!({ "name": "narrow", "scopes": ["events:read"] });
    for (path, form) in [("/webhooks", &hook), ("/keys", &form)] {
        let ask = || ask(&server, &key, Method::POST, path).header("idempotency-key", path).json(form);
        let first = json_of(ask(), 201).await;
        assert!(first["secret"].as_str().is_some_and(|secret| secret.len() > 20), "{path}");
        let again = json_of(ask(), 201).await;
        assert_eq!(again["secret"], Value::Null, "{path}");
        let noun = if path == "/keys" { "key" } else { "webhook" };
        assert_eq!(again[noun]["id"], first[noun]["id"], "made once");
    }
    let hooks = json_of(ask(&server, &key, Method::GET, "/webhooks"), 200).await;
    assert_eq!(hooks["data"].as_array().unwrap().len(), 1);
    let id = hooks["data"][0]["id"].as_str().unwrap();
    let stale = ask(&server, &key, Method::PUT, &format!("/webhooks/{id}")).header("if-match", "\"other\"").json(&hook);
    json_of(stale, 412).await;
    let inside = json!({ "url": "https://169.254.169.254/latest/meta-data" });
    let refused = json_of(ask(&server, &key, Method::POST, "/webhooks").json(&inside), 422).await;
    assert_eq!(refused["errors"][0]["pointer"], "/url");
}

#[tokio::test]
async fn what_is_made_can_be_read_where_it_is_and_is_not_overwritten() {
    let server = Server::start().await;
    let key = key(&server, &Scope::ALL).await;
    let cases = [
        ("/attributes", json!({ "name": "age", "kind": "number", "description": "In years" }), "description"),
        ("/segments", json!({ "name": "Bonn", "filter": "city = \"Bonn\"" }), "name"),
        ("/topics", json!({ "key": "offers", "name": "Offers", "kind": "opt_in" }), "name"),
    ];
    for (path, form, field) in cases {
        let made = ask(&server, &key, Method::POST, path).json(&form).send().await.unwrap();
        assert_eq!(made.status(), 201, "{path}");
        let place = made.headers()["location"].to_str().unwrap().strip_prefix("/api/v1").unwrap().to_owned();
        let read = ask(&server, &key, Method::GET, &place).send().await.unwrap();
        let tag = read.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(read.json::<Value>().await.unwrap()[field], form[field], "{place}");
        let mut change = form.clone();
        change[field] = json!("Another");
        let put = || ask(&server, &key, Method::PUT, &place).header("if-match", &tag).json(&change);
        assert_eq!(json_of(put(), 200).await[field], "Another", "{place}");
        json_of(put(), 412).await;
    }
    let estimate =
        json_of(ask(&server, &key, Method::POST, "/segments/estimate").json(&json!({ "filter": "" })), 200).await;
    assert_eq!((&estimate["about"], &estimate["exact"]), (&json!(0), &json!(true)));
    json_of(ask(&server, &key, Method::POST, "/users").json(&json!({ "phone": "+12025550143", "name": "Ann" })), 201)
        .await;
    for (format, kind, words) in
        [("csv", "text/csv; charset=utf-8", ",Ann,"), ("jsonl", "application/x-ndjson", "\"Ann\"")]
    {
        let file = ask(&server, &key, Method::GET, &format!("/users/export?format={format}")).send().await.unwrap();
        assert_eq!((file.status().as_u16(), &file.headers()["content-type"]), (200, &kind.parse().unwrap()));
        assert!(file.text().await.unwrap().contains(words));
    }
    json_of(ask(&server, &key, Method::GET, &format!("/campaigns/{ANY}/export")), 404).await;
    server.stop().await;
}
