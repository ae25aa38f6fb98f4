//! `ese import`, `ese campaign` and `ese events` against a running server, as processes of their own.

use crate::process::{Server, key};
use domain::api_key::Scope;
use serde_json::{Value, json};
use std::{fs, process::Output};
use tokio::process::Command;

/// Runs the program against the server. What it says on standard output, line by line, is JSON.
async fn ese(server: &Server, key: &str, line: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ese"));
    command.args(line).arg("--json").env_clear().env("ESE_URL", &server.url).env("ESE_KEY", key).env("LOG", "off");
    command.kill_on_drop(true).output().await.unwrap()
}

fn said(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", complaint(output));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn complaint(output: &Output) -> String {
    assert!(output.stdout.is_empty() || output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn post(server: &Server, key: &str, path: &str, body: Value) -> Value {
    let request = server.http.post(format!("{}/api/v1{path}", server.url)).bearer_auth(key).json(&body);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_file_is_checked_applied_and_taken_back() {
    let server = Server::start().await;
    let key = key(&server, &Scope::ALL).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    fs::write(&path, "Handy,Who,Town\n+12025550143,Ann,Bonn\n+12025550144,Bo,Ulm\nnobody,Cy,Ulm\n").unwrap();
    let file = path.to_str().unwrap();
    let users = async || -> usize {
        let found = server.http.get(format!("{}/api/v1/users", server.url)).bearer_auth(&key).send().await.unwrap();
        found.json::<Value>().await.unwrap()["data"].as_array().unwrap().len()
    };

    let checked =
        said(&ese(&server, &key, &["import", file, "--map", "Who=name", "--map", "Town=attributes.city"]).await);
    assert_eq!((&checked[0]["status"], &checked[0]["report"]["created"]), (&json!("checked"), &json!(2)));
    assert_eq!(users().await, 0, "nothing goes in without --apply");
    let wrong = ese(&server, &key, &["import", file, "--map", "Shoe=name"]).await;
    assert!(!wrong.status.success() && complaint(&wrong).contains("there is no column \"Shoe\""));
    let line =
        ["import", file, "--map", "Who=name", "--map", "Town=attributes.city", "--sms-evidence", "a form", "--apply"];
    let applied = said(&ese(&server, &key, &line).await);
    let report = &applied[0]["report"];
    assert_eq!((&report["created"], &report["rejected"], &report["sms_opted_in"]), (&json!(2), &json!(1), &json!(2)));
    assert_eq!(users().await, 2);
    let undone = said(&ese(&server, &key, &["import", "--undo", applied[0]["id"].as_str().unwrap()]).await);
    assert_eq!(undone[0]["status"], "undone");
    assert_eq!(users().await, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_campaign_is_launched_and_watched_and_its_events_are_told() {
    let server = Server::start().await;
    let key = key(&server, &Scope::ALL).await;
    let user = post(&server, &key, "/users", json!({ "phone": "+12025550143", "name": "Ann" })).await;
    let agreed = json!({ "channel": "sms", "kind": "opt_in", "evidence": "a form" });
    post(&server, &key, &format!("/users/{}/consents", user["id"].as_str().unwrap()), agreed).await;
    let template = json!({ "name": "Hello", "channel": "sms", "body": "Hi! Reply STOP to opt out.", "content_sid": "", "content_variables": {}, "locales": {} });
    let template = post(&server, &key, "/templates", template).await;
    let senders = server.http.get(format!("{}/api/v1/senders", server.url)).bearer_auth(&key).send().await.unwrap();
    let senders: Value = senders.json().await.unwrap();
    let sender = senders["data"].as_array().unwrap().iter().find(|one| one["channel"] == "sms").unwrap();
    let form = json!({ "name": "First", "sender": sender["id"], "template": template["id"], "audience": { "filter": "name = \"Ann\"" } });
    let campaign = post(&server, &key, "/campaigns", form).await;
    let id = campaign["id"].as_str().unwrap();

    let launched = said(&ese(&server, &key, &["campaign", "launch", id]).await);
    assert_eq!(launched[0]["status"], "running");
    let paused = said(&ese(&server, &key, &["campaign", "pause", id]).await);
    assert_eq!(paused[0]["status"], "paused");
    let again = ese(&server, &key, &["campaign", "pause", id]).await;
    assert!(!again.status.success() && complaint(&again).contains("request"), "{}", complaint(&again));
    said(&ese(&server, &key, &["campaign", "cancel", id]).await);
    // What had moved is told, and then that it ended otherwise than completed.
    let watched = ese(&server, &key, &["campaign", "watch", id]).await;
    let (last, words) = (String::from_utf8_lossy(&watched.stdout), String::from_utf8_lossy(&watched.stderr));
    assert_eq!(watched.status.code(), Some(1), "{last}");
    assert!(last.contains("canceled") && words.contains("it was canceled"), "{last} {words}");

    let types = "campaign.running,campaign.paused,campaign.canceled";
    let line = ["events", "tail", "--after", "evt_0_0", "--types", types, "--campaign", id, "--count", "3"];
    let events = said(&ese(&server, &key, &line).await);
    let kinds: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["campaign.running", "campaign.paused", "campaign.canceled"]);
    // Whoever begins behind the first of them misses none and hears none twice.
    let line = ["events", "tail", "--after", events[0]["id"].as_str().unwrap(), "--types", types, "--count", "2"];
    assert_eq!(said(&ese(&server, &key, &line).await), events[1..]);
    server.stop().await;
}

#[tokio::test]
async fn refusals_are_told_in_words_and_by_the_exit_code() {
    let server = Server::start().await;
    let narrow = key(&server, &[Scope::AuditRead]).await;
    let id = "01935d2c-7c6f-7000-8000-000000000001";
    for (key, line, words) in [
        ("ese_none", ["campaign", "watch", id].as_slice(), "sign in"),
        (narrow.as_str(), &["campaign", "launch", id], "the scope campaigns:launch"),
        (narrow.as_str(), &["events", "tail", "--count", "1"], "the scope events:read"),
        (narrow.as_str(), &["import", "/nowhere/people.csv"], "cannot be read"),
    ] {
        let output = ese(&server, key, line).await;
        assert_eq!(output.status.code(), Some(1), "{line:?}");
        let complaint = complaint(&output);
        assert!(complaint.contains(words), "{line:?}: {complaint}");
        assert!(!complaint.contains(&narrow), "the key is told to nobody");
    }
    server.stop().await;
}
