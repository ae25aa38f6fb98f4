//! Requests under an idempotency key that a crash, another file or a long list comes between.

use crate::process::{Server, key};
use domain::{api_key::Scope, user::UserForm};
use engine::{Actor, Client, Clock, Engine, api_keys, digest, idempotency, suppressions, users};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

const KEY: &str = "idempotency-key";

fn ask(server: &Server, secret: &str, method: Method, path: &str, name: &str) -> RequestBuilder {
    server.http.request(method, format!("{}/api/v1{path}", server.url)).bearer_auth(secret).header(KEY, name)
}

/// Begins a request two minutes ago, as a process did that died since.
async fn begun_before(server: &Server, secret: &str, request: &str, name: &str) -> (Engine, Actor) {
    let then = server.engine.clock.now() - Duration::from_secs(120);
    let engine = Engine { clock: Clock::manual(then), ..server.engine.clone() };
    let client = Client { idempotency_key: Some(name.to_owned()), ..Client::default() };
    let (actor, _) = api_keys::authenticate(&server.engine, secret, &client).await.unwrap();
    assert_eq!(
        idempotency::begin(&engine, &actor, &digest(request.as_bytes())).await.unwrap(),
        idempotency::Begun::Fresh
    );
    (engine, actor)
}

#[tokio::test]
async fn what_was_done_before_a_crash_is_answered_as_it_is_described() {
    let server = Server::start().await;
    // A key that may write and not read is told what it made all the same.
    let secret = key(&server, &[Scope::UsersWrite]).await;
    let body = json!({ "phone": "+12025550143", "name": "Ann" }).to_string();
    let (engine, actor) = begun_before(&server, &secret, &format!("POST /users\n{body}"), "made").await;
    let form: UserForm = serde_json::from_str(&body).unwrap();
    let made = users::create(&engine, &actor, &form).await.unwrap();
    let send = || ask(&server, &secret, Method::POST, "/users", "made").header("content-type", "application/json");
    let answer = send().body(body.clone()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["idempotency-replayed"], "true");
    assert_eq!(answer.headers()["location"], format!("/api/v1/users/{}", made.id));
    assert_eq!(answer.json::<Value>().await.unwrap()["id"], made.id.to_string());

    // What cannot be told again as it was described is not told as something else.
    let secret = key(&server, &Scope::ALL).await;
    let body = json!({ "number": "+12025550144", "reason": "asked" }).to_string();
    let (engine, actor) = begun_before(&server, &secret, &format!("POST /suppressions\n{body}"), "kept").await;
    suppressions::suppress(&engine, &actor, "+12025550144", "asked").await.unwrap();
    let send = ask(&server, &secret, Method::POST, "/suppressions", "kept").header("content-type", "application/json");
    let answer = send.body(body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert!(answer.json::<Value>().await.unwrap()["detail"].as_str().unwrap().contains("was done"));
    server.stop().await;
}

#[tokio::test]
async fn a_batch_that_a_crash_cut_short_is_done_to_its_end() {
    let server = Server::start().await;
    let secret = key(&server, &Scope::ALL).await;
    let rows =
        json!({ "users": [{ "phone": "+12025550143" }, { "phone": "+12025550144" }, { "phone": "x" }] }).to_string();
    let (engine, actor) = begun_before(&server, &secret, &format!("POST /users/batch\n{rows}"), "all").await;
    // As far as the process came that died.
    let of_row = Actor { client: Client::default(), ..actor };
    let first = UserForm { phone: "+12025550143".into(), ..UserForm::default() };
    users::upsert(&engine, &of_row, &first).await.unwrap();
    let send = || {
        ask(&server, &secret, Method::POST, "/users/batch", "all")
            .header("content-type", "application/json")
            .body(rows.clone())
    };
    let answer: Value = send().send().await.unwrap().json().await.unwrap();
    let statuses: Vec<u64> =
        answer["data"].as_array().unwrap().iter().map(|row| row["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 201, 422]);
    let again = send().send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), answer);
    server.stop().await;
}

#[tokio::test]
async fn another_file_under_the_same_key_is_another_request() {
    let server = Server::start().await;
    let secret = key(&server, &Scope::ALL).await;
    let send = |name: &str, file: &'static str| {
        ask(&server, &secret, Method::POST, "/imports?name=people.csv", name)
            .header("content-type", "text/csv")
            .body(file)
    };
    let first = send("a", "phone,name\n+12025550143,Ann\n").send().await.unwrap();
    assert_eq!(first.status(), StatusCode::CREATED);
    let made: Value = first.json().await.unwrap();
    let again = send("a", "phone,name\n+12025550143,Ann\n").send().await.unwrap();
    assert_eq!(
        (again.status(), &again.headers()["idempotency-replayed"]),
        (StatusCode::CREATED, &"true".parse().unwrap())
    );
    assert_eq!(again.json::<Value>().await.unwrap(), made);
    let other = send("a", "phone,name\n+12025550143,Bob\n").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
    // What is refused before its end does nothing, and may be sent again.
    for _ in 0..2 {
        let refused = send("b", "PK\u{3}\u{4} this is no list").send().await.unwrap();
        assert!(refused.status().is_client_error(), "{}", refused.status());
    }
    server.stop().await;
}

#[tokio::test]
async fn what_an_operation_would_not_look_at_is_refused() {
    let server = Server::start().await;
    let secret = key(&server, &Scope::ALL).await;
    let plain = |method: Method, path: &str| {
        server.http.request(method, format!("{}/api/v1{path}", server.url)).bearer_auth(&secret)
    };
    let topic = json!({ "key": "news", "name": "News", "kind": "opt_in" });
    let made: Value = plain(Method::POST, "/topics").json(&topic).send().await.unwrap().json().await.unwrap();
    let place = format!("/topics/{}", made["id"].as_str().unwrap());
    let stale = plain(Method::DELETE, &place).header("if-match", "\"old\"").send().await.unwrap();
    assert_eq!(stale.status(), StatusCode::BAD_REQUEST);
    assert_eq!(plain(Method::GET, "/users?filter=name%20%3D%20%22%FF%22").send().await.unwrap().status(), 400);
    assert_eq!(plain(Method::HEAD, "/users?colour=red").send().await.unwrap().status(), 400);
    let capped = json!({ "name": "x", "frequency_cap": { "messages": 1, "days": 7, "colour": "red" } });
    let refused = plain(Method::POST, "/campaigns").json(&capped).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().await.unwrap().contains("/frequency_cap"));

    // Nor does an integration bring back somebody who left a topic.
    let ann: Value = plain(Method::POST, "/users")
        .json(&json!({ "phone": "+12025550143" }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let choice = format!("/users/{}/subscriptions/{}", ann["id"].as_str().unwrap(), made["id"].as_str().unwrap());
    for (state, status) in [("subscribed", 204), ("unsubscribed", 204), ("subscribed", 409)] {
        let body = json!({ "state": state, "evidence": "web form 12" });
        assert_eq!(plain(Method::PUT, &choice).json(&body).send().await.unwrap().status(), status, "{state}");
    }
    server.stop().await;
}
