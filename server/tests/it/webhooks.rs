//! Webhooks: nothing is believed without its signature.

use crate::process::Server;
use engine::twilio::{Secret, signature::sign};
use reqwest::StatusCode;

const STATUS: &str = "/webhooks/twilio/status?m=01935d2c-7c6f-7000-8000-000000000001.1&a=1";
const INBOUND: &str = "/webhooks/twilio/inbound";

fn inbound(body: &'static str) -> Vec<(&'static str, &'static str)> {
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
    let form = inbound("Hello");
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

#[tokio::test]
async fn a_webhook_has_a_size() {
    let server = Server::start().await;
    let large = server.http.post(format!("{}{INBOUND}", server.url)).body("x".repeat(65 * 1024));
    assert_eq!(large.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    server.stop().await;
}
