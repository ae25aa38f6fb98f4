//! What operations do, over the wire: people, segments, campaigns, single messages and webhooks, each through its life.

use crate::process::Api;
use engine::{Actor, test_sends};
use reqwest::Method;
use serde_json::{Value, json};

impl Api {
    /// Asks, and holds that the answer has this status; its JSON, or null.
    async fn answered(&self, method: Method, path: &str, body: Option<Value>, status: u16) -> Value {
        let request = self.server.http.request(method.clone(), format!("{}/api/v1{path}", self.server.url));
        let request = request.bearer_auth(&self.key);
        let answer = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = answer.send().await.unwrap();
        let (found, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(found.as_u16(), status, "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    async fn get(&self, path: &str) -> Value {
        self.answered(Method::GET, path, None, 200).await
    }

    async fn post(&self, path: &str, body: Value, status: u16) -> Value {
        self.answered(Method::POST, path, Some(body), status).await
    }

    /// Makes something, and answers its id.
    async fn make(&self, path: &str, body: Value) -> String {
        self.post(path, body, 201).await["id"].as_str().unwrap().to_owned()
    }

    async fn user(&self, phone: &str) -> String {
        let id = self.make("/users", json!({ "phone": phone, "name": "Ann", "zone": "Europe/London" })).await;
        let agreed = json!({ "channel": "sms", "kind": "opt_in", "evidence": "web form 12" });
        self.post(&format!("/users/{id}/consents"), agreed, 200).await;
        id
    }

    async fn sender(&self) -> String {
        let senders = self.get("/senders").await;
        let sms = senders["data"].as_array().unwrap().iter().find(|sender| sender["channel"] == "sms").unwrap();
        sms["id"].as_str().unwrap().to_owned()
    }

    async fn template(&self) -> String {
        let body = "Hi {{ name | default(\"there\") }}! Reply STOP to opt out.";
        let form = json!({ "name": "Hello", "channel": "sms", "body": body, "content_sid": "", "content_variables": {}, "locales": {} });
        self.make("/templates", form).await
    }
}

#[tokio::test]
async fn people_are_merged_shown_whole_and_erased() {
    let api = Api::start().await;
    let (kept, gone) = (api.user("+447400123456").await, api.user("+447400123457").await);
    let merged = api.post(&format!("/users/{kept}/merge"), json!({ "from": gone }), 200).await;
    assert_eq!(merged["id"], json!(kept));
    assert_eq!(api.get(&format!("/users/{gone}")).await["merged_into"], json!(kept));
    let told = api.get(&format!("/users/{kept}/timeline")).await;
    let titles: Vec<&str> =
        told["data"].as_array().unwrap().iter().filter_map(|entry| entry["title"].as_str()).collect();
    assert!(titles.iter().any(|title| title.contains("merged")), "{titles:?}");
    let ledger = api.get(&format!("/users/{kept}/consents")).await;
    assert!(ledger["data"].as_array().unwrap().len() >= 2, "{ledger}");
    let receipt = api.get(&format!("/users/{kept}/consent-receipt")).await;
    assert!(receipt["payload"].as_str().unwrap().contains("+447400123456"));
    let held = api.get(&format!("/users/{kept}/export")).await;
    assert_eq!(held["user"]["phone"], "+447400123456");
    assert_eq!(held["merged_rows"][0]["phone"], "+447400123457");
    api.answered(Method::DELETE, &format!("/users/{kept}?suppress=false"), None, 204).await;
    api.answered(Method::GET, &format!("/users/{kept}"), None, 404).await;
    // Nothing keeps the number from coming in again: it was not to be suppressed.
    assert!(!api.user("+447400123456").await.is_empty());
    api.server.stop().await;
}

#[tokio::test]
async fn segments_count_and_say_why() {
    let api = Api::start().await;
    let ann = api.user("+447400123456").await;
    api.make("/users", json!({ "phone": "+447400123457" })).await;
    let filter = json!({ "filter": "consent.sms = opted_in" });
    assert_eq!(api.post("/segments/count", filter.clone(), 200).await["total"], 1);
    assert_eq!(api.post("/segments/estimate", filter, 200).await["about"], 1);
    let asked = json!({ "filter": "consent.sms = opted_in and name = \"Bob\"", "user": ann });
    let said = api.post("/segments/match", asked, 200).await;
    assert_eq!(said["matches"], false);
    let conditions: Vec<bool> = said["conditions"].as_array().unwrap().iter().map(|one| one["holds"] == true).collect();
    assert_eq!(conditions, [true, false], "{said}");
    api.server.stop().await;
}

#[tokio::test]
async fn a_campaign_is_planned_copied_foreseen_and_put_away() {
    let api = Api::start().await;
    api.user("+447400123456").await;
    let form = json!({
        "name": "Spring", "sender": api.sender().await, "template": api.template().await,
        "audience": { "filter": "consent.sms = opted_in" },
    });
    let id = api.make("/campaigns", form.clone()).await;
    let place = format!("/campaigns/{id}");
    let at = |path: &str| format!("{place}/{path}");
    let preview = api.post("/campaigns/preview", form, 200).await;
    assert_eq!(preview["audience"], 1, "{preview}");
    api.answered(Method::POST, &at("forecast"), None, 204).await;
    let planned = json!({ "kind": "instant", "at": "2099-01-15T10:00:00Z" });
    assert_eq!(api.post(&at("schedule"), planned.clone(), 200).await["status"], "scheduled");
    api.answered(Method::DELETE, &place, None, 409).await;
    assert_eq!(api.answered(Method::POST, &at("unschedule"), None, 200).await["status"], "draft");
    let copy = api.answered(Method::POST, &at("clone"), None, 201).await;
    assert_ne!(copy["id"], json!(id));
    assert_eq!(copy["form"]["audience"]["filter"], "consent.sms = opted_in");
    assert!(api.get(&at("costs")).await["data"].is_array());
    for (wrong, status) in [("pause", 409), ("resume", 409)] {
        api.answered(Method::POST, &at(wrong), None, status).await;
    }
    assert_eq!(api.post(&at("schedule"), planned, 200).await["status"], "scheduled");
    assert_eq!(api.answered(Method::POST, &at("cancel"), None, 200).await["status"], "canceled");
    assert!(!api.answered(Method::POST, &at("archive"), None, 200).await["archived_at"].is_null());
    assert!(api.get("/campaigns?archived=true").await["data"].to_string().contains(&id));
    assert!(api.answered(Method::POST, &at("unarchive"), None, 200).await["archived_at"].is_null());
    assert!(!api.get(&at("balance")).await.is_null());
    api.server.stop().await;
}

#[tokio::test]
async fn single_and_test_messages_are_found_by_whatever_is_asked() {
    let api = Api::start().await;
    let (ann, sender, template) = (api.user("+447400123456").await, api.sender().await, api.template().await);
    let sent = api.post("/messages", json!({ "sender": sender, "template": template, "user": ann }), 201).await;
    let name = format!("{}.{}", sent["key"]["campaign"].as_str().unwrap(), sent["key"]["seq"]);
    let one = api.get(&format!("/messages/{name}")).await;
    assert!(one.to_string().contains(&ann), "{one}");
    let found = api.get(&format!("/messages?user={ann}&since=2020-01-01T00:00:00Z")).await;
    assert_eq!(found["data"][0]["key"], sent["key"]);
    assert_eq!(api.get("/messages?until=2020-01-01T00:00:00Z").await["data"], json!([]));
    let body = json!({ "people": [ann], "sender": sender, "template": template, "topic": null });
    api.post("/templates/test", body.clone(), 422).await;
    test_sends::mark(&api.server.engine, &Actor::system(), ann.parse().unwrap(), true).await.unwrap();
    let tests = api.post("/templates/test", body, 200).await;
    assert_eq!(tests["data"][0]["user"], json!(ann), "{tests}");
    assert_eq!(api.get(&format!("/messages?user={ann}")).await["data"].as_array().unwrap().len(), 2);
    assert!(api.get(&format!("/decisions?user={ann}")).await["data"].is_array());
    api.server.stop().await;
}

#[tokio::test]
async fn a_webhook_changes_its_secret_and_catches_up() {
    let api = Api::start().await;
    let form = json!({ "description": "Shop", "types": ["message.failed"], "url": "https://example.com/hooks/ese" });
    let made = api.post("/webhooks", form, 201).await;
    let id = made["webhook"]["id"].as_str().unwrap().to_owned();
    let place = format!("/webhooks/{id}");
    let rotated = api.answered(Method::POST, &format!("{place}/rotate"), None, 200).await;
    assert_ne!(rotated["secret"], made["secret"]);
    api.post(&format!("{place}/recover"), json!({ "since": "2026-06-02T17:00:00Z" }), 200).await;
    assert_eq!(api.get(&format!("{place}/deliveries")).await["data"], json!([]));
    api.answered(Method::DELETE, &place, None, 204).await;
    api.answered(Method::GET, &place, None, 404).await;
    let key = api.post("/keys", json!({ "name": "Shop", "scopes": ["users:read"], "expires_in_days": 90 }), 201).await;
    let place = format!("/keys/{}", key["key"]["id"].as_str().unwrap());
    let ended = api.answered(Method::DELETE, &place, None, 200).await;
    assert!(!ended["revoked_at"].is_null(), "{ended}");
    api.server.stop().await;
}
