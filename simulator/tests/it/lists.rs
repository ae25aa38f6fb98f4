//! The Messages list: filters, paging, lag.

use chrono::{DateTime, Duration, Utc};
use simulator::{ACCOUNT_SID, AUTH_TOKEN, Config, Inbound, LONG_CODE, OTHER_LONG_CODE, WHATSAPP_SENDER};

use crate::application::{World, quick};

const ADA: &str = "+14155550123";
const BOB: &str = "+14155550124";

async fn bodies(world: &World, query: &str) -> Vec<String> {
    let (status, page) = world.get(&format!("Messages.json?{query}")).await;
    assert_eq!(status, 200, "{page}");
    let messages = page["messages"].as_array().unwrap();
    let body = |m: &serde_json::Value| m["body"].as_str().unwrap().to_owned();
    messages.iter().map(body).collect()
}

#[tokio::test]
async fn pages_follow_each_other_newest_first() {
    let world = World::new().await;
    for index in 0..25 {
        let body = index.to_string();
        let to = if index % 5 == 0 { BOB } else { ADA };
        world.created(&[("To", to), ("From", LONG_CODE), ("Body", &body)]).await;
    }
    let mut seen = Vec::new();
    let to = form_urlencoded::byte_serialize(ADA.as_bytes()).collect::<String>();
    let mut next = Some(format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json?To={to}&PageSize=6"));
    let mut sizes = Vec::new();
    while let Some(uri) = next {
        let request = world.http.get(format!("{}{uri}", world.api));
        let answer = request.basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN));
        let page: serde_json::Value = answer.send().await.unwrap().json().await.unwrap();
        let messages = page["messages"].as_array().unwrap();
        sizes.push(messages.len());
        seen.extend(messages.iter().map(|m| m["body"].as_str().unwrap().to_owned()));
        next = page["next_page_uri"].as_str().map(str::to_owned);
        assert!(sizes.len() < 10, "the pages end");
    }
    assert_eq!(sizes, [6, 6, 6, 2]);
    let expected = (0..25).rev().filter(|index| index % 5 != 0);
    assert_eq!(seen, expected.map(|i| i.to_string()).collect::<Vec<_>>());
    for bad in ["PageSize=0", "PageToken=PASM1", "DateSent=yesterday"] {
        let (status, _) = world.get(&format!("Messages.json?{bad}")).await;
        assert_eq!(status, 400, "{bad}");
    }
}

#[tokio::test]
async fn filters() {
    let world = World::new().await;
    let start: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().unwrap();
    for (day, from) in [(0, LONG_CODE), (1, OTHER_LONG_CODE), (2, LONG_CODE)] {
        world.clock.set(start + Duration::days(day));
        let body = format!("day {day}");
        world.created(&[("To", ADA), ("From", from), ("Body", &body)]).await;
        world.settled().await;
    }
    world.simulator.inbound(Inbound::sms(ADA, LONG_CODE, "from Ada")).await.unwrap();

    assert_eq!(bodies(&world, "").await, ["from Ada", "day 2", "day 1", "day 0"]);
    assert_eq!(bodies(&world, "To=%2B14155550123").await.len(), 3);
    assert_eq!(bodies(&world, "To=%2B12025550100").await, ["from Ada"]);
    assert_eq!(bodies(&world, "From=%2B14155550123").await, ["from Ada"]);
    assert_eq!(bodies(&world, "From=%2B12025550101").await, ["day 1"]);
    assert_eq!(bodies(&world, "To=whatsapp%3A%2B14155550123").await, [""; 0]);
    assert_eq!(bodies(&world, "DateSent=2026-03-03").await, ["day 1"]);
    // The wire form of DateSent<=2026-03-03: on or before that day.
    assert_eq!(bodies(&world, "DateSent%3C=2026-03-03").await, ["day 1", "day 0"]);
    assert_eq!(bodies(&world, "DateSent%3E=2026-03-03&To=%2B14155550123").await, ["day 2", "day 1"]);
    let (_, page) = world.get("Messages.json?To=%2B12025550100").await;
    assert_eq!(page["messages"][0]["direction"], "inbound");
    assert_eq!(page["messages"][0]["status"], "received");
}

#[tokio::test]
async fn a_list_may_lag_and_fail() {
    let mut chaos = quick();
    chaos.list_lag_ms = 5_000;
    let world = World::chaotic(chaos.clone()).await;
    world.created(&[("To", ADA), ("From", LONG_CODE), ("Body", "new")]).await;
    assert!(bodies(&world, "To=%2B14155550123").await.is_empty());
    world.clock.set("2026-03-02T12:00:05Z".parse().unwrap());
    assert_eq!(bodies(&world, "To=%2B14155550123").await, ["new"]);

    chaos.list_error = 1.0;
    world.simulator.set_chaos(chaos).unwrap();
    assert_eq!(world.get("Messages.json").await.0, 500);
}

#[tokio::test]
async fn the_log_forgets_what_finished_first() {
    let world = World::with(Config { log_limit: 3, ..Config::default() }).await;
    for body in ["1", "2", "3", "4", "5"] {
        world.created(&[("To", ADA), ("From", LONG_CODE), ("Body", body)]).await;
        world.settled().await;
    }
    assert_eq!(bodies(&world, "To=%2B14155550123").await, ["5", "4", "3"]);
    assert_eq!(world.simulator.stats().evicted, 2);
    let to = format!("whatsapp:{ADA}");
    let from = format!("whatsapp:{WHATSAPP_SENDER}");
    world.created(&[("To", &to), ("From", &from), ("Body", "x")]).await;
    assert_eq!(world.simulator.thread(ADA, u64::MAX, 10).len(), 3);
}
