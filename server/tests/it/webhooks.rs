//! Webhooks: nothing is believed without its signature.

use crate::process::Server;
use domain::{consent::ConsentState, page::PageRequest};
use engine::{
    Actor, inbound,
    twilio::{Secret, signature::sign},
    users,
};
use reqwest::StatusCode;
use std::time::Duration;

const STATUS: &str = "/webhooks/twilio/status?m=01935d2c-7c6f-7000-8000-000000000001.1&a=1";
const INBOUND: &str = "/webhooks/twilio/inbound";

fn wrote(body: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("AccountSid", simulator::ACCOUNT_SID),
        ("MessageSid", "SM00000000000000000000000000000001"),
        ("From", "+12025550177"),
        ("To", simulator::LONG_CODE),
        ("Body", body),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
    ]
}

async fn send(server: &Server, path: &str, token: &str, form: &[(&str, &str)]) -> reqwest::Response {
    let url = format!("{}{path}", server.url);
    let signature = sign(&Secret::new(token), &url, form.iter().copied());
    // Twilio sends no Origin: webhooks are exempt from that check.
    server.http.post(url).header("X-Twilio-Signature", signature).form(form).send().await.unwrap()
}

#[tokio::test]
async fn a_wrong_signature_is_refused_and_a_right_one_taken() {
    let server = Server::start().await;
    let form = wrote("Hello");
    for path in [STATUS, INBOUND] {
        assert_eq!(send(&server, path, "another token", &form).await.status(), StatusCode::FORBIDDEN, "{path}");
        let unsigned = server.http.post(format!("{}{path}", server.url)).form(&form).send().await.unwrap();
        assert_eq!(unsigned.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let taken = send(&server, INBOUND, simulator::AUTH_TOKEN, &form).await;
    assert_eq!(taken.status(), StatusCode::OK);
    assert_eq!(taken.headers()["content-type"], "text/xml; charset=utf-8");
    let report = [
        ("AccountSid", simulator::ACCOUNT_SID),
        ("MessageSid", "SM00000000000000000000000000000002"),
        ("MessageStatus", "delivered"),
    ];
    assert_eq!(send(&server, STATUS, simulator::AUTH_TOKEN, &report).await.status(), StatusCode::NO_CONTENT);
    server.stop().await;
}

/// A STOP that comes while the database is away is answered at once, kept, and obeyed once it is back.
#[tokio::test]
async fn what_comes_while_the_database_is_away_is_kept() {
    let server = Server::start().await;
    assert_eq!(send(&server, INBOUND, simulator::AUTH_TOKEN, &wrote("START")).await.status(), StatusCode::OK);
    server.engine.db.clone().close().await;
    assert_eq!(server.get("/readyz").send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    let mut stop = wrote("STOP");
    stop[1].1 = "SM00000000000000000000000000000003";
    for _ in 0..2 {
        let kept = send(&server, INBOUND, simulator::AUTH_TOKEN, &stop).await;
        assert_eq!(
            (kept.status(), kept.headers()["content-type"].to_str().unwrap()),
            (StatusCode::OK, "text/xml; charset=utf-8")
        );
    }
    let report = [
        ("AccountSid", simulator::ACCOUNT_SID),
        ("MessageSid", "SM00000000000000000000000000000002"),
        ("MessageStatus", "delivered"),
    ];
    assert_eq!(send(&server, STATUS, simulator::AUTH_TOKEN, &report).await.status(), StatusCode::NO_CONTENT);
    // Still nothing is taken from strangers.
    assert_eq!(send(&server, INBOUND, "another token", &stop).await.status(), StatusCode::FORBIDDEN);

    let server = Server::start_on(server.crashed().await).await;
    let (system, page) = (Actor::system(), PageRequest::default());
    let state = async || {
        let people = users::list(&server.engine, &system, "", &page).await.unwrap();
        people.rows[0].consents[0].state
    };
    let taken_in = async {
        while state().await != ConsentState::OptedOut {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), taken_in).await.unwrap();
    let wrote = inbound::list(&server.engine, &system, None, None, &page).await.unwrap();
    assert_eq!(wrote.rows.len(), 2, "a repeated webhook is one message");
    server.stop().await;
}

#[tokio::test]
async fn a_webhook_has_a_size() {
    let server = Server::start().await;
    let large = server.http.post(format!("{}{INBOUND}", server.url)).body("x".repeat(65 * 1024));
    assert_eq!(large.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    server.stop().await;
}
