//! Phones: what people see, what they answer, and what Twilio does with STOP.

use serde_json::{Value, json};
use simulator::{
    Content, Inbound, LONG_CODE, OFFER_CONTENT, OTHER_LONG_CODE, Origin, SHORT_CODE, TOLL_FREE, WHATSAPP_SENDER,
};

use crate::application::World;

const ADA: &str = "+14155550123";
const BOB: &str = "+14155550124";

/// The code that a create from `sender` to Ada is refused with, or 0.
async fn refusal(world: &World, sender: &str) -> u64 {
    let form = [("To", ADA), ("From", sender), ("Body", "Hi")];
    let (_, body) = world.create(&form).await;
    body["code"].as_u64().unwrap_or(0)
}

async fn says(world: &World, to: &str, body: &str) -> simulator::InboundOutcome {
    let outcome = world.simulator.inbound(Inbound::sms(ADA, to, body)).await;
    outcome.unwrap()
}

#[tokio::test]
async fn stop_blocks_the_pair_until_start() {
    let world = World::new().await;
    let stop = says(&world, OTHER_LONG_CODE, " stop ").await;
    assert!(stop.twilio_reply.unwrap().contains("unsubscribed"));
    let webhook = world.webhook().await;
    assert_eq!((webhook.field("Body"), webhook.field("From")), (" stop ", ADA));
    assert_eq!(webhook.field("SmsStatus"), "received");
    assert!(!webhook.fields.contains_key("OptOutType"));

    assert_eq!(refusal(&world, OTHER_LONG_CODE).await, 21610);
    assert_eq!(refusal(&world, LONG_CODE).await, 0);
    world.answer("<Response><Message>Bye</Message></Response>");
    let again = says(&world, OTHER_LONG_CODE, "STOP").await;
    assert!(again.replies.is_empty());
    assert!(again.problem.unwrap().contains("21610"));

    world.answer("");
    says(&world, OTHER_LONG_CODE, "START").await;
    assert_eq!(refusal(&world, OTHER_LONG_CODE).await, 0);
    // A plain yes that lifts nothing is not Twilio's to answer.
    assert_eq!(says(&world, OTHER_LONG_CODE, "YES").await.twilio_reply, None);
    let thread = world.simulator.thread(ADA, u64::MAX, 50);
    let replies = thread.iter().filter(|entry| entry.origin == Origin::Twilio);
    assert_eq!(replies.count(), 3);
}

#[tokio::test]
async fn the_kind_of_sender_decides() {
    let world = World::new().await;
    assert_eq!(says(&world, SHORT_CODE, "STOP").await.twilio_reply, None);
    assert_eq!(refusal(&world, SHORT_CODE).await, 0);
    says(&world, TOLL_FREE, "QUIT").await;
    assert_eq!(refusal(&world, TOLL_FREE).await, 0);
    says(&world, TOLL_FREE, "STOP").await;
    assert_eq!(refusal(&world, TOLL_FREE).await, 21610);

    let stop = Inbound::whatsapp(ADA, WHATSAPP_SENDER, "STOP");
    let outcome = world.simulator.inbound(stop).await.unwrap();
    assert_eq!(outcome.twilio_reply, None);
    let (to, from) = (format!("whatsapp:{ADA}"), format!("whatsapp:{WHATSAPP_SENDER}"));
    world.created(&[("To", &to), ("From", &from), ("Body", "Hi")]).await;
}

#[tokio::test]
async fn whatsapp_is_free_for_a_day_after_the_person_wrote() {
    let world = World::new().await;
    let (to, from) = (format!("whatsapp:{ADA}"), format!("whatsapp:{WHATSAPP_SENDER}"));
    let free = [("To", to.as_str()), ("From", &from), ("Body", "Hi")];
    world.created(&free).await;
    let hello = Inbound::whatsapp(ADA, WHATSAPP_SENDER, "Hello");
    world.simulator.inbound(hello).await.unwrap();
    world.created(&free).await;
    world.settled().await;
    world.clock.set("2026-03-03T12:00:00Z".parse().unwrap());
    world.created(&free).await;
    let template = [
        ("To", to.as_str()),
        ("From", &from),
        ("ContentSid", OFFER_CONTENT),
        ("ContentVariables", r#"{"1":"Ada","2":"tea"}"#),
    ];
    world.created(&template).await;
    world.created(&template[..3]).await;
    world.settled().await;
    let codes: Vec<_> = world.simulator.truth().iter().map(|e| e.error_code).collect();
    assert_eq!(codes, [Some(63016), None, Some(63016), None, Some(63028)]);
    let offer = &world.simulator.truth()[3];
    assert!(offer.body.starts_with("Hello Ada, this week only: tea."));
    assert_eq!(offer.content_sid.as_deref(), Some(OFFER_CONTENT));
}

#[tokio::test]
async fn the_application_answers_in_twiml() {
    let world = World::new().await;
    world.answer("<Response><Message>Thanks &amp; bye</Message></Response>");
    let outcome = says(&world, LONG_CODE, "Where is my order?").await;
    assert_eq!(outcome.status, Some(200));
    assert_eq!(outcome.replies, ["Thanks & bye"]);
    world.answer("not TwiML");
    let outcome = says(&world, LONG_CODE, "Hello?").await;
    assert!(outcome.problem.is_some() && outcome.replies.is_empty());
    let shown: Vec<_> =
        world.simulator.thread(ADA, u64::MAX, 10).into_iter().map(|entry| (entry.origin, entry.body)).collect();
    assert_eq!(
        shown,
        [
            (Origin::Phone, "Hello?".to_owned()),
            (Origin::Twiml, "Thanks & bye".to_owned()),
            (Origin::Phone, "Where is my order?".to_owned()),
        ]
    );
    // Replies are not creates: the truth log holds none.
    assert!(world.simulator.truth().is_empty());
}

#[tokio::test]
async fn the_control_api_does_it_all() {
    let world = World::new().await;
    let control = |path: &str| format!("{}/simulator/v1/{path}", world.api);
    let get = async |path: &str| -> Value {
        let answer = world.http.get(control(path)).send().await.unwrap();
        answer.json().await.unwrap()
    };
    for to in [ADA, BOB] {
        let form = [("To", to), ("From", OTHER_LONG_CODE), ("Body", "Hi")];
        world.created(&form).await;
    }
    world.settled().await;

    // An answer without a recipient goes to the number that wrote last.
    let write = world.http.post(control(&format!("phones/{ADA}/messages")));
    let outcome: Value = write.json(&json!({ "body": "Hey" })).send().await.unwrap().json().await.unwrap();
    assert_eq!(outcome["message"]["to"], OTHER_LONG_CODE);
    let phones = get("phones?limit=1").await;
    assert_eq!(phones["items"][0]["number"], ADA);
    let before = &phones["next_before"];
    let rest = get(&format!("phones?before={before}")).await;
    assert_eq!(rest["items"][0]["number"], BOB);
    let thread = get(&format!("phones/{ADA}")).await;
    assert_eq!(thread["items"][0]["body"], "Hey");
    assert_eq!(thread["items"][1]["status"], "delivered");

    let bad = world.http.put(control("chaos")).json(&json!({ "hang": 2 }));
    assert_eq!(bad.send().await.unwrap().status(), 422);
    let good = world.http.put(control("chaos")).json(&json!({ "hang": 0.5 }));
    assert_eq!(good.send().await.unwrap().status(), 200);
    assert_eq!(get("chaos").await["hang"], 0.5);

    let content = Content {
        sid: format!("HX{}", "a".repeat(32)),
        friendly_name: "hello".to_owned(),
        language: "en".to_owned(),
        body: "Hello {{1}}".to_owned(),
    };
    let add = world.http.post(control("contents")).json(&content);
    assert_eq!(add.send().await.unwrap().status(), 201);
    assert_eq!(get("contents").await.as_array().unwrap().len(), 3);

    let log = world.http.get(control("log?since=1")).send().await.unwrap();
    let log = log.text().await.unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["to"], BOB);
    let stats = get("stats").await;
    assert_eq!((&stats["accepted"], &stats["inbound"]), (&2.into(), &1.into()));

    let reset = world.http.post(control("reset")).send().await.unwrap();
    assert_eq!(reset.status(), 204);
    assert_eq!(get("stats").await["messages"], 0);
}
