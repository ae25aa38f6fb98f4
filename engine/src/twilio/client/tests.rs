//! What each way of failing on the wire says of the message, against a listener that answers byte for byte.

use super::*;
use chrono::DateTime;
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const SID: &str = "SM0123456789abcdef0123456789abcdef";
const TOKEN: &str = "not-a-real-token";

/// What the listener does with a request once it has read it.
#[derive(Clone)]
enum Act {
    /// Answers these bytes, and keeps the connection.
    Answer(String),
    /// Answers these bytes, and closes.
    AnswerAndClose(String),
    /// Closes without a byte.
    Close,
    /// Resets the connection.
    Reset,
    /// Never answers.
    Hang,
    /// Answers without reading first: for a TLS handshake.
    AnswerUnread(&'static [u8]),
}

/// A listener that does the acts in turn, one per request, and the last one from then on.
struct Wire {
    url: Url,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Vec<Act>> = Arc::new(acts.into_iter().collect());
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), seen.clone()));
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Vec<Act>>, seen: Arc<Mutex<Vec<String>>>) {
    loop {
        if let Some(Act::AnswerUnread(bytes)) = script.first() {
            stream.write_all(bytes).await.unwrap();
            return;
        }
        let Some(request) = read_request(&mut stream).await else { return };
        let act = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            script[(seen.len() - 1).min(script.len() - 1)].clone()
        };
        match act {
            Act::Answer(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
            Act::AnswerAndClose(bytes) => return stream.write_all(bytes.as_bytes()).await.unwrap(),
            Act::Close | Act::AnswerUnread(_) => return,
            Act::Reset => return stream.set_zero_linger().unwrap(),
            // Until the client gives up.
            Act::Hang => return drop(stream.read(&mut [0]).await),
        }
    }
}

/// One request, or what came before the client went.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn created() -> String {
    answer("201 Created", "", &format!(r#"{{"sid": "{SID}", "status": "queued", "new_in_2027": {{}}}}"#))
}

fn refused(status: &str, code: i32) -> String {
    answer(status, "", &format!(r#"{{"code": {code}, "message": "no: +14155552671", "status": 400}}"#))
}

fn config(base_url: Url, connect_ms: u64, total_ms: u64) -> TwilioConfig {
    TwilioConfig {
        base_url,
        account_sid: ACCOUNT.to_owned(),
        auth: Auth::Token(Secret::new(TOKEN)),
        connect_timeout: Duration::from_millis(connect_ms),
        total_timeout: Duration::from_millis(total_ms),
    }
}

fn client(base_url: Url) -> TwilioClient {
    TwilioClient::build(config(base_url, 5_000, 10_000), Clock::system(), false).unwrap()
}

fn outbound() -> Outbound {
    Outbound {
        to: "+14155552671".to_owned(),
        from: SenderAddress::Service("MG1".to_owned()),
        content: OutboundContent::Text("Grüße & more".to_owned()),
        status_callback: Url::parse("https://example.org/status?c=1&s=2").unwrap(),
        validity_period_s: Some(600),
    }
}

/// What became of a message, in one word and the code.
fn outcome(result: &Result<Accepted, SendError>) -> (&'static str, Option<i32>) {
    match result {
        Ok(_) => ("accepted", None),
        Err(error @ SendError::NotSent { .. }) => ("not sent", error.code()),
        Err(error @ SendError::Rejected { .. }) => ("rejected", error.code()),
        Err(error @ SendError::Unknown { .. }) => ("unknown", error.code()),
    }
}

/// Sends one message to a listener that does this. Whatever happens, it is asked once.
async fn create(act: Act) -> Result<Accepted, SendError> {
    let wire = Wire::start([act]).await;
    let mut config = config(wire.url.clone(), 5_000, 10_000);
    config.auth = Auth::ApiKey { sid: "SK1".to_owned(), secret: Secret::new(TOKEN) };
    let result = TwilioClient::build(config, Clock::system(), false).unwrap().create(&outbound()).await;
    assert_eq!(wire.requests().len(), 1);
    result
}

#[track_caller]
fn check(result: &Result<Accepted, SendError>, expected: &str, code: Option<i32>) {
    assert_eq!(outcome(result), (expected, code), "{result:?}");
}

#[tokio::test]
async fn accepted() {
    let wire = Wire::start([Act::Answer(created())]).await;
    let accepted = client(wire.url.clone()).create(&outbound()).await.unwrap();
    assert_eq!((accepted.sid.to_string().as_str(), accepted.state), (SID, State::Queued));
    let sent = wire.requests().remove(0);
    let form = "To=%2B14155552671&MessagingServiceSid=MG1&Body=Gr%C3%BC%C3%9Fe+%26+more&StatusCallback=\
                https%3A%2F%2Fexample.org%2Fstatus%3Fc%3D1%26s%3D2&ValidityPeriod=600";
    assert!(sent.starts_with(&format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1\r\n")), "{sent}");
    assert!(sent.ends_with(&format!("\r\n\r\n{form}")), "{sent}");
    assert!(sent.to_ascii_lowercase().contains("\r\nauthorization: basic "), "{sent}");
    let RawExchange { request, response, http_status, .. } = accepted.exchange;
    assert_eq!(request, format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json\n\n{form}"));
    assert!(created().ends_with(&response.unwrap()));
    assert_eq!(http_status, Some(201));
}

#[tokio::test]
async fn templates_carry_their_variables_as_json() {
    let wire = Wire::start([Act::Answer(created())]).await;
    let variables = [("1", "Zoë \"Z\""), ("2", "x")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let message = Outbound {
        from: SenderAddress::Number("whatsapp:+15005550006".to_owned()),
        content: OutboundContent::Template { content_sid: "HX1".to_owned(), variables: variables.into() },
        validity_period_s: None,
        ..outbound()
    };
    client(wire.url.clone()).create(&message).await.unwrap();
    let sent = wire.requests().remove(0);
    let form: Vec<_> = form_urlencoded::parse(sent.split_once("\r\n\r\n").unwrap().1.as_bytes()).into_owned().collect();
    let names: Vec<_> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["To", "From", "ContentSid", "ContentVariables", "StatusCallback"]);
    assert_eq!(form[3].1, r#"{"1":"Zoë \"Z\"","2":"x"}"#);
}

#[tokio::test]
async fn what_twilio_did_not_process_may_be_sent_again() {
    check(&create(Act::Answer(refused("429 Too Many Requests", 20429))).await, "not sent", Some(20429));
    check(&create(Act::Answer(answer("429 Too Many Requests", "", "<html>"))).await, "not sent", Some(20429));
    check(&create(Act::Answer(refused("400 Bad Request", 20429))).await, "not sent", Some(20429));
    for (header, expected) in [("Retry-After: 7\r\n", Some(7)), ("Retry-After: soon\r\n", None), ("", None)] {
        let result = create(Act::Answer(answer("429 Too Many Requests", header, "{}"))).await;
        assert!(
            matches!(result, Err(SendError::NotSent { retry_after_s, .. }) if retry_after_s == expected),
            "{header}"
        );
    }
}

#[tokio::test]
async fn refusals_carry_their_code() {
    check(&create(Act::Answer(refused("400 Bad Request", 21211))).await, "rejected", Some(21211));
    check(&create(Act::Answer(refused("401 Unauthorized", 20003))).await, "rejected", Some(20003));
    let Err(SendError::Rejected { http, message, exchange, .. }) =
        create(Act::Answer(refused("403 Forbidden", 21408))).await
    else {
        panic!("a refusal");
    };
    assert_eq!((http, message.as_str(), exchange.http_status), (403, "no: +14155552671", Some(403)));
}

#[tokio::test]
async fn whatever_was_written_and_not_answered_is_unknown() {
    let whole = created();
    let half = whole[..whole.len() - 10].to_owned();
    for act in [
        Act::Close,
        Act::Reset,
        Act::AnswerAndClose("HTTP/1.1 201 Cre".to_owned()),
        Act::AnswerAndClose(half),
        Act::AnswerAndClose("garbage\r\n\r\n".to_owned()),
        Act::Answer(refused("500 Internal Server Error", 20500)),
        // A retryable code does not make a 5xx safe.
        Act::Answer(refused("503 Service Unavailable", 20429)),
        Act::Answer(answer("502 Bad Gateway", "Retry-After: 1\r\n", "")),
        Act::Answer(answer("201 Created", "", "{}")),
        Act::Answer(answer("201 Created", "", "not json")),
        Act::Answer(answer("201 Created", "", r#"{"sid": "XX1"}"#)),
        Act::Answer(answer("200 OK", "", "")),
        Act::Answer(answer("307 Temporary Redirect", "Location: /elsewhere\r\n", "")),
        Act::Answer(answer("408 Request Timeout", "", r#"{"code": 1}"#)),
        Act::Answer(answer("403 Forbidden", "", "<html>a proxy</html>")),
        Act::Answer(answer("201 Created", "", &" ".repeat(ANSWER_MAX_BYTES + 1))),
    ] {
        check(&create(act).await, "unknown", None);
    }
}

#[tokio::test]
async fn half_an_answer_is_kept() {
    let whole = created();
    let result = create(Act::AnswerAndClose(whole[..whole.len() - 10].to_owned())).await;
    let exchange = result.unwrap_err().exchange().clone();
    assert_eq!(exchange.http_status, Some(201));
    assert!(exchange.response.unwrap().starts_with(&format!(r#"{{"sid": "{SID}""#)));
}

#[tokio::test]
async fn a_time_out_after_the_request_is_unknown() {
    let give_up = async |act| {
        let wire = Wire::start([act]).await;
        // Long enough to connect on a busy machine: a time-out while connecting is the other case.
        let client = TwilioClient::build(config(wire.url.clone(), 1_500, 2_000), Clock::system(), false).unwrap();
        check(&client.create(&outbound()).await, "unknown", None);
        assert_eq!(wire.requests().len(), 1);
    };
    tokio::join!(give_up(Act::Hang), give_up(Act::Answer(created()[..60].to_owned())));
}

#[tokio::test]
async fn a_connection_that_never_was_is_nothing_written() {
    // Refused: nobody listens any more.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    check(&client(url).create(&outbound()).await, "not sent", None);
    // No such name: `.invalid` never resolves (RFC 6761).
    check(&client(Url::parse("http://twilio.invalid").unwrap()).create(&outbound()).await, "not sent", None);
    // A TLS handshake that is never answered, and one that is answered with something else.
    for (act, connect_ms) in [(Act::Hang, 200), (Act::AnswerUnread(b"HTTP/1.1 400 Bad Request\r\n\r\n"), 5_000)] {
        let mut url = Wire::start([act]).await.url;
        url.set_scheme("https").unwrap();
        let client = TwilioClient::build(config(url, connect_ms, 10_000), Clock::system(), false).unwrap();
        check(&client.create(&outbound()).await, "not sent", None);
    }
}

#[tokio::test]
async fn a_kept_connection_that_dies_is_unknown_and_not_repeated() {
    let wire = Wire::start([Act::Answer(created()), Act::Close]).await;
    let client = client(wire.url.clone());
    check(&client.create(&outbound()).await, "accepted", None);
    check(&client.create(&outbound()).await, "unknown", None);
    assert_eq!(wire.requests().len(), 2);
}

#[tokio::test]
async fn an_unknown_status_is_accepted_all_the_same() {
    for word in ["teleported", "received", ""] {
        let body = format!(r#"{{"sid": "{SID}", "status": "{word}"}}"#);
        let accepted = create(Act::Answer(answer("201 Created", "", &body))).await.unwrap();
        assert_eq!(accepted.state, State::Accepted, "{word}");
    }
}

fn listed(sid_end: u8, created: &str, sent: Option<&str>) -> String {
    let sid = format!("{}{sid_end:02}", &SID[..32]);
    let sent = sent.map_or("null".to_owned(), |sent| format!(r#""{sent}""#));
    format!(
        r#"{{"sid": "{sid}", "status": "delivered", "error_code": null, "direction": "outbound-api", "to": "+1", "from": "",
        "messaging_service_sid": "MG1", "body": "hi", "date_created": "{created}", "date_sent": {sent},
        "num_segments": "1", "num_media": "0", "price": null, "price_unit": "USD"}}"#
    )
}

fn page(messages: &[String], next: Option<&str>) -> Act {
    let next = next.map_or("null".to_owned(), |next| format!(r#""{next}""#));
    let body = format!(r#"{{"messages": [{}], "next_page_uri": {next}}}"#, messages.join(","));
    Act::Answer(answer("200 OK", "", &body))
}

fn query() -> ListQuery {
    let since = DateTime::parse_from_rfc3339("2026-11-01T12:00:00Z").unwrap().to_utc();
    ListQuery { to: "whatsapp:+14155552671".to_owned(), from: None, since }
}

const BEFORE: &str = "Sun, 01 Nov 2026 11:59:59 +0000";
const AT: &str = "Sun, 01 Nov 2026 12:00:00 +0000";
const AFTER: &str = "Sun, 01 Nov 2026 12:00:01 +0000";

#[tokio::test]
async fn a_list_is_read_to_where_it_gets_old() {
    let wire = Wire::start([
        page(&[listed(1, AFTER, None), listed(2, BEFORE, Some(AFTER))], Some("/next?Page=1")),
        page(&[listed(3, AT, Some(AT)), listed(4, BEFORE, Some(BEFORE))], Some("/next?Page=2")),
        page(&[listed(5, AFTER, Some(AFTER))], None),
    ])
    .await;
    let found = client(wire.url.clone()).list(&query()).await.unwrap();
    let ends: Vec<_> = found.iter().map(|message| message.sid.to_string()[32..].to_owned()).collect();
    assert_eq!(ends, ["01", "03"]);
    assert_eq!((found[0].state, found[0].from.as_deref(), found[0].segments), (Some(State::Delivered), None, Some(1)));
    let requests = wire.requests();
    assert_eq!(requests.len(), 2);
    let first = format!("GET /2010-04-01/Accounts/{ACCOUNT}/Messages.json?To=whatsapp%3A%2B14155552671&PageSize=200 ");
    assert!(requests[0].starts_with(&first), "{}", requests[0]);
    assert!(requests[1].starts_with("GET /next?Page=1 "), "{}", requests[1]);
}

#[tokio::test]
async fn a_list_that_breaks_is_never_a_short_list() {
    let fine = || page(&[listed(1, AFTER, None)], Some("/next"));
    let broken = [
        (Act::Close, "Unavailable"),
        (Act::Answer(refused("503 Service Unavailable", 20503)), "Unavailable"),
        (Act::Answer(refused("429 Too Many Requests", 20429)), "Unavailable"),
        (Act::Answer(refused("401 Unauthorized", 20003)), "Refused"),
        (Act::Answer(answer("200 OK", "", r#"{"messages": ["#)), "Unreadable"),
        (page(&[listed(2, "yesterday", None)], None), "Unreadable"),
        (page(&[listed(1, AFTER, None)], Some("https://elsewhere.example/next")), "Unreadable"),
        (page(&[listed(1, AFTER, None)], Some("/next")), "TooMany"),
    ];
    for (act, expected) in broken {
        let wire = Wire::start([fine(), act]).await;
        let error = client(wire.url.clone()).list(&query()).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
    }
}

#[tokio::test]
async fn fetch_and_cancel() {
    let sid = Sid::parse(SID).unwrap();
    let one = Act::Answer(answer("200 OK", "", &listed(1, AT, None)));
    let wire = Wire::start([one.clone(), one, Act::Answer(refused("404 Not Found", 20404))]).await;
    let client = client(wire.url.clone());
    assert_eq!(client.fetch(sid).await.unwrap().body, "hi");
    assert_eq!(client.cancel(sid).await.unwrap().error_code, None);
    assert_eq!(client.fetch(sid).await, Err(ProviderError::NotFound));
    let requests = wire.requests();
    assert!(requests[0].starts_with(&format!("GET /2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}.json ")));
    assert!(requests[1].starts_with("POST ") && requests[1].ends_with("\r\n\r\nStatus=canceled"));
}

#[tokio::test]
async fn credentials_are_checked_without_sending() {
    let active = Act::Answer(answer("200 OK", "", r#"{"sid": "AC1", "status": "active"}"#));
    let wire = Wire::start([active, Act::Answer(refused("401 Unauthorized", 20003))]).await;
    let client = client(wire.url.clone());
    assert_eq!(client.check_credentials().await, Ok(Some("active".to_owned())));
    assert_eq!(client.check_credentials().await, Err(ProviderError::Refused { code: 20003, http: 401 }));
    assert!(wire.requests()[0].starts_with(&format!("GET /2010-04-01/Accounts/{ACCOUNT}.json ")));
}

#[test]
fn what_cannot_work_is_refused_at_once() {
    let https = Url::parse("https://api.twilio.com").unwrap();
    let made = |config| TwilioClient::build(config, Clock::system(), false).map(drop);
    assert!(made(config(https.clone(), 1, 2)).is_ok());
    assert!(matches!(made(config(https.clone(), 2, 2)), Err(ClientError::Timeouts)));
    let no_account = TwilioConfig { account_sid: "AC1".to_owned(), ..config(https, 1, 2) };
    assert!(matches!(made(no_account), Err(ClientError::AccountSid)));
    for url in ["ftp://api.twilio.com", "https://api.twilio.com/2010-04-01", "data:text/plain,x"] {
        let config = config(Url::parse(url).unwrap(), 1, 2);
        assert!(matches!(made(config), Err(ClientError::BaseUrl)), "{url}");
    }
}

#[tokio::test]
async fn neither_logs_nor_stored_exchanges_hold_credentials() {
    let result = create(Act::Answer(refused("401 Unauthorized", 20003))).await;
    let stored = serde_json::to_string(result.as_ref().unwrap_err().exchange()).unwrap();
    let debug = format!("{result:?} {:?}", client(Url::parse("http://127.0.0.1:9").unwrap()));
    for secret in [TOKEN, "Basic", "uthorization"] {
        assert!(!stored.contains(secret) && !debug.contains(secret), "{secret}: {stored} {debug}");
    }
}
