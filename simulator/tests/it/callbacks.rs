//! Status callbacks: which, in which form, and to where.

use simulator::{ACCOUNT_SID, Channel, ChaosOutcome, Inbound, LONG_CODE, Status, WHATSAPP_SENDER};

use crate::application::{World, quick};

const ADA: &str = "+14155550123";

#[tokio::test]
async fn an_sms_lives_from_queued_to_delivered() {
    let world = World::new().await;
    let callback = world.callback("7-1");
    let sid = world.created(&[("To", ADA), ("From", LONG_CODE), ("Body", "Hi"), ("StatusCallback", &callback)]).await;
    let mut webhooks = world.settled().await;
    webhooks.sort_by_key(|webhook| webhook.status().to_owned());
    let statuses: Vec<_> = webhooks.iter().map(|webhook| webhook.status()).collect();
    // None for `queued`, the initial status.
    assert_eq!(statuses, ["delivered", "sending", "sent"]);
    for webhook in &webhooks {
        assert_eq!(webhook.path, "/status?key=7-1&attempt=1");
        assert_eq!(webhook.field("MessageSid"), sid);
        assert_eq!(webhook.field("SmsSid"), sid);
        assert_eq!(webhook.field("SmsStatus"), webhook.status());
        assert_eq!(webhook.field("AccountSid"), ACCOUNT_SID);
        assert_eq!(webhook.field("From"), LONG_CODE);
        assert_eq!(webhook.field("To"), ADA);
        assert_eq!(webhook.field("ApiVersion"), "2010-04-01");
        assert!(!webhook.fields.contains_key("ErrorCode"));
    }
    assert_eq!(webhooks[0].field("RawDlrDoneDate"), "2603021200");
}

#[tokio::test]
async fn bad_ends_carry_their_code() {
    let mut chaos = quick();
    chaos.outcomes = vec![ChaosOutcome { share: 1.0, status: Status::Undelivered, code: 30003 }];
    let world = World::chaotic(chaos.clone()).await;
    let callback = world.callback("1");
    let form = [("To", ADA), ("From", LONG_CODE), ("Body", "Hi"), ("StatusCallback", callback.as_str())];
    world.created(&form).await;
    let webhooks = world.settled().await;
    let last = webhooks.iter().find(|w| w.status() == "undelivered");
    assert_eq!(last.unwrap().field("ErrorCode"), "30003");
    assert_eq!(webhooks.len(), 3);

    chaos.outcomes[0] = ChaosOutcome { share: 1.0, status: Status::Failed, code: 30008 };
    world.simulator.set_chaos(chaos).unwrap();
    world.created(&form).await;
    let webhooks = world.settled().await;
    assert_eq!(webhooks.len(), 1);
    assert_eq!(webhooks[0].field("ErrorMessage"), "Unknown error");
    assert_eq!(world.simulator.truth()[1].error_code, Some(30008));
}

#[tokio::test]
async fn whatsapp_reads_only_with_receipts() {
    let world = World::new().await;
    let (to, from) = (format!("whatsapp:{ADA}"), format!("whatsapp:{WHATSAPP_SENDER}"));
    world.simulator.inbound(Inbound::whatsapp(ADA, WHATSAPP_SENDER, "Hello")).await.unwrap();
    assert_eq!(world.webhook().await.field("MessageType"), "text");
    let callback = world.callback("1");
    let form = [("To", to.as_str()), ("From", &from), ("Body", "Hi"), ("StatusCallback", &callback)];
    world.created(&form).await;
    let webhooks = world.settled().await;
    let read = webhooks.iter().find(|w| w.status() == "read").unwrap();
    assert_eq!(read.field("EventType"), "READ");
    assert_eq!(read.field("ChannelPrefix"), "whatsapp");
    assert_eq!(read.field("ChannelToAddress"), "+1415555XXXX");

    world.simulator.set_read_receipts(ADA, false);
    world.created(&form).await;
    let webhooks = world.settled().await;
    assert_eq!(webhooks.len(), 3);
    assert!(webhooks.iter().all(|w| w.status() != "read"));
    assert_eq!(world.simulator.truth()[1].channel, Channel::Whatsapp);
}

#[tokio::test]
async fn a_callback_that_cannot_connect_does_not_stay() {
    let world = World::new().await;
    // Nobody listens on a port that was just given back.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}/status", listener.local_addr().unwrap());
    drop(listener);
    world.created(&[("To", ADA), ("From", LONG_CODE), ("Body", "Hi"), ("StatusCallback", &gone)]).await;
    world.settled().await;
    assert_eq!(world.simulator.stats().callbacks_failed, 3);
    assert_eq!(world.simulator.truth()[0].status, Status::Delivered);
}
