//! Creates: what is answered, and what is refused with which code.

use chrono::{DateTime, Duration, Utc};
use simulator::{ACCOUNT_SID, Config, LONG_CODE, MESSAGING_SERVICE, OFFER_CONTENT, Pace, WHATSAPP_SENDER};

use crate::application::World;

const ADA: &str = "+14155550123";

#[tokio::test]
async fn a_message_is_answered_as_twilio_does() {
    let world = World::new().await;
    let (status, body) = world.create(&[("To", ADA), ("From", LONG_CODE), ("Body", "Hello")]).await;
    assert_eq!(status, 201);
    let sid = body["sid"].as_str().unwrap();
    assert!(sid.starts_with("SM") && sid.len() == 34, "{sid}");
    assert_eq!(body["account_sid"], ACCOUNT_SID);
    assert_eq!(body["status"], "queued");
    assert_eq!(body["from"], LONG_CODE);
    assert_eq!(body["to"], ADA);
    assert_eq!(body["direction"], "outbound-api");
    assert_eq!(body["num_segments"], "1");
    assert_eq!(body["num_media"], "0");
    assert_eq!(body["date_created"], "Mon, 02 Mar 2026 12:00:00 +0000");
    for null in ["date_sent", "price", "error_code", "messaging_service_sid"] {
        assert!(body[null].is_null(), "{null}");
    }

    world.settled().await;
    let (status, body) = world.get(&format!("Messages/{sid}.json")).await;
    assert_eq!((status, body["status"].as_str()), (200, Some("delivered")), "{body}");
    assert_eq!(body["price"], "-0.00800");
    let (status, body) = world.get("Messages/SM00.json").await;
    assert_eq!((status, body["code"].as_u64()), (404, Some(20404)));
}

#[tokio::test]
async fn strangers_are_refused() {
    let world =
        World::with(Config { api_key: Some(("SK1".to_owned(), "secret".to_owned())), ..Config::default() }).await;
    let get = |path: &str| world.http.get(world.url(path));
    let key = get("Messages.json").basic_auth("SK1", Some("secret"));
    assert_eq!(key.send().await.unwrap().status(), 200);
    for path in ["Messages.json", "Messages/SM1.json", "IncomingPhoneNumbers.json"] {
        for request in
            [get(path), get(path).basic_auth(ACCOUNT_SID, Some("wrong")), get(path).basic_auth("SK1", Some("wrong"))]
        {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{path}");
            let body: serde_json::Value = answer.json().await.unwrap();
            assert_eq!(body["code"], 20003);
        }
    }
    let account = format!("{}/2010-04-01/Accounts/{ACCOUNT_SID}.json", world.api);
    assert_eq!(world.http.get(&account).send().await.unwrap().status(), 401);
    let known = world.http.get(&account).basic_auth("SK1", Some("secret"));
    assert_eq!(known.send().await.unwrap().status(), 200);
    let (_, numbers) = world.get("IncomingPhoneNumbers.json").await;
    assert_eq!(numbers["incoming_phone_numbers"][0]["phone_number"], LONG_CODE);
}

/// Checks that a create with these fields is refused with 400 and `code`.
async fn check(world: &World, form: &[(&str, &str)], code: u64) {
    let (status, body) = world.create(form).await;
    assert_eq!(body["code"], code, "{form:?}: {body}");
    let expected = if code == 21611 { 429 } else { 400 };
    assert_eq!((u64::from(status), &body["status"]), (expected, &status.into()));
}

#[tokio::test]
async fn refusals() {
    let world = World::new().await;
    let long = "x".repeat(1_601);
    let whatsapp_ada = format!("whatsapp:{ADA}");
    let whatsapp_sender = format!("whatsapp:{WHATSAPP_SENDER}");
    let ok = [("To", ADA), ("From", LONG_CODE), ("Body", "Hi")];
    check(&world, &[("From", LONG_CODE), ("Body", "Hi")], 21604).await;
    check(&world, &[("To", "12"), ("From", LONG_CODE), ("Body", "Hi")], 21211).await;
    check(&world, &[("To", ADA), ("Body", "Hi")], 21603).await;
    check(&world, &[("To", ADA), ("From", "x"), ("Body", "Hi")], 21212).await;
    check(&world, &[("To", ADA), ("From", "+12025559999"), ("Body", "Hi")], 21606).await;
    check(&world, &[("To", LONG_CODE), ("From", LONG_CODE), ("Body", "Hi")], 21266).await;
    check(&world, &[("To", &whatsapp_ada), ("From", LONG_CODE), ("Body", "Hi")], 21910).await;
    let stranger = [("To", whatsapp_ada.as_str()), ("From", "whatsapp:+12025559999"), ("Body", "Hi")];
    check(&world, &stranger, 63007).await;
    check(&world, &[("To", ADA), ("From", LONG_CODE)], 21619).await;
    check(&world, &[("To", ADA), ("From", LONG_CODE), ("Body", "")], 21602).await;
    check(&world, &[("To", ADA), ("From", LONG_CODE), ("Body", &long)], 21617).await;
    check(&world, &[("To", ADA), ("MessagingServiceSid", "MG1"), ("Body", "Hi")], 21701).await;
    for (name, value, code) in [
        ("MediaUrl", "nowhere", 21620),
        ("StatusCallback", "/status", 21609),
        ("StatusCallback", "http://my_host/status", 21609),
        ("ValidityPeriod", "0", 21624),
        ("ValidityPeriod", "36001", 21624),
        ("SendAt", "2026-03-02T13:00:00Z", 35118),
    ] {
        check(&world, &[&ok[..], &[(name, value)]].concat(), code).await;
    }
    let content = [("To", whatsapp_ada.as_str()), ("From", &whatsapp_sender)];
    for (sid, variables, code) in [
        ("HX00", r#"{"1":"Ada"}"#, 21655),
        (OFFER_CONTENT, "{", 21656),
        (OFFER_CONTENT, r#"{"1":null}"#, 21656),
        (OFFER_CONTENT, r#"{"1":""}"#, 21656),
    ] {
        let fields = [("ContentSid", sid), ("ContentVariables", variables)];
        check(&world, &[&content[..], &fields[..]].concat(), code).await;
    }
    assert!(world.simulator.truth().is_empty());
    assert_eq!(world.simulator.stats().refused[&21656], 3);
}

#[tokio::test]
async fn magic_numbers() {
    let world = World::new().await;
    for (from, code) in [("+15005550001", 21212), ("+15005550007", 21606), ("+15005550008", 21611)] {
        check(&world, &[("To", ADA), ("From", from), ("Body", "Hi")], code).await;
    }
    for (to, code) in [
        ("+15005550001", 21211),
        ("+15005550002", 21612),
        ("+15005550003", 21408),
        ("+15005550004", 21610),
        ("+15005550009", 21614),
    ] {
        check(&world, &[("To", to), ("From", "+15005550006"), ("Body", "Hi")], code).await;
    }
    let callback = world.callback("magic");
    world.created(&[("To", ADA), ("From", "+15005550006"), ("Body", "Hi"), ("StatusCallback", &callback)]).await;
    assert!(world.settled().await.is_empty());
    assert_eq!(world.simulator.truth().len(), 1);
}

#[tokio::test]
async fn a_service_chooses_its_sender_later() {
    let world = World::new().await;
    let callback = world.callback("1-1");
    let (status, body) = world
        .create(&[
            ("To", ADA),
            ("MessagingServiceSid", MESSAGING_SERVICE),
            ("Body", "Hi"),
            ("StatusCallback", &callback),
        ])
        .await;
    assert_eq!(status, 201);
    assert_eq!(body["status"], "accepted");
    assert_eq!(body["num_segments"], "0");
    assert!(body["from"].is_null());
    let first = world.webhook().await;
    assert_eq!(first.field("From"), LONG_CODE);
    assert_eq!(first.field("MessagingServiceSid"), MESSAGING_SERVICE);
}

#[tokio::test]
async fn a_scheduled_message_waits_and_can_be_called_off() {
    let world = World::new().await;
    let now: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().unwrap();
    let callback = world.callback("later");
    let schedule = |at: DateTime<Utc>| at.to_rfc3339();
    let form = |at: &str| {
        [
            ("To", ADA),
            ("MessagingServiceSid", MESSAGING_SERVICE),
            ("Body", "Later"),
            ("ScheduleType", "fixed"),
            ("StatusCallback", callback.as_str()),
            ("SendAt", at),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let create = async |at: &str| {
        let form = form(at);
        let form: Vec<_> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        world.create(&form).await
    };
    assert_eq!(create("tomorrow").await.1["code"], 35114);
    let early = schedule(now + Duration::seconds(299));
    assert_eq!(create(&early).await.1["code"], 35115);
    assert_eq!(create(&schedule(now + Duration::days(36))).await.1["code"], 35115);

    let at = schedule(now + Duration::hours(1));
    let (_, kept) = create(&at).await;
    let (_, dropped) = create(&at).await;
    assert_eq!(kept["status"], "scheduled");
    let path = format!("Messages/{}.json", dropped["sid"].as_str().unwrap());
    let cancel = world.post(&path, &[("Status", "canceled")]).send().await.unwrap();
    assert_eq!(cancel.status(), 200);
    assert_eq!(world.webhook().await.status(), "canceled");

    world.clock.set(now + Duration::hours(1));
    let mut statuses = world.statuses(4).await;
    statuses.sort();
    assert_eq!(statuses, ["delivered", "queued", "sending", "sent"]);
    let path = format!("Messages/{}.json", kept["sid"].as_str().unwrap());
    let late = world.post(&path, &[("Status", "canceled")]).send().await.unwrap();
    assert_eq!(late.status(), 400);
    let body: serde_json::Value = late.json().await.unwrap();
    assert_eq!(body["code"], 30409);

    let redact = world.post(&path, &[("Body", "")]).send().await.unwrap();
    let body: serde_json::Value = redact.json().await.unwrap();
    assert_eq!(body["body"], "");
}

#[tokio::test]
async fn a_sender_is_held_to_its_rate() {
    let world = World::with(Config { pace: Pace::Refuse { per_second: 2 }, ..Config::default() }).await;
    let two_segments = "x".repeat(200);
    let form = [("To", ADA), ("From", LONG_CODE), ("Body", &two_segments)];
    world.created(&form).await;
    let answer = world.post("Messages.json", &form).send().await.unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "1");
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["code"], 20429);
    let sender = &world.simulator.stats().senders[0];
    assert_eq!((sender.accepted, sender.refused, sender.peak_per_second), (1, 1, 2));
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_long_one_expires_messages() {
    let world = World::with(Config { pace: Pace::Queue { per_second: 1, queue_s: 3_600 }, ..Config::default() }).await;
    // 1,531 characters are 11 segments: 11 s of air each.
    let long = "x".repeat(1_531);
    let callback = world.callback("queue");
    let form = [
        ("To", ADA),
        ("From", LONG_CODE),
        ("Body", long.as_str()),
        ("StatusCallback", &callback),
        ("ValidityPeriod", "1"),
    ];
    world.created(&form).await;
    world.created(&form).await;
    loop {
        let webhook = world.webhook().await;
        if webhook.status() == "failed" {
            assert_eq!(webhook.field("ErrorCode"), "30036");
            break;
        }
    }
    let mut accepted = 2;
    let refused = loop {
        let (status, body) = world.create(&form).await;
        if status != 201 {
            break body;
        }
        accepted += 1;
    };
    assert_eq!(refused["code"], 21611);
    assert!((320..=330).contains(&accepted), "{accepted}");
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let world = World::new().await;
    let huge = "x".repeat(64 * 1024);
    let (status, _) = world.create(&[("To", ADA), ("From", LONG_CODE), ("Body", &huge)]).await;
    assert_eq!(status, 413);
}
