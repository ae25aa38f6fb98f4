//! Each way in which a provider lies.

use std::{collections::BTreeMap, time::Duration};

use simulator::{Chaos, Config, LONG_CODE, Span, Status};

use crate::application::{World, quick};

const ADA: &str = "+14155550123";
const HI: [(&str, &str); 3] = [("To", ADA), ("From", LONG_CODE), ("Body", "Hi")];

/// Makes one create under `chaos`, and says whether it was answered (and how), and how many
/// messages were accepted.
async fn check(chaos: Chaos, answer: Result<u16, ()>, accepted: usize) {
    let world = World::chaotic(chaos.clone()).await;
    let sent = world.post("Messages.json", &HI).timeout(Duration::from_secs(10)).send().await;
    let status = sent.map(|answer| answer.status().as_u16()).map_err(|error| {
        assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
    });
    assert_eq!(status, answer, "{chaos:?}");
    assert_eq!(world.simulator.truth().len(), accepted, "{chaos:?}");
}

#[tokio::test]
async fn faults_of_a_create() {
    let hang_ms = 5;
    check(Chaos { rate_limited: 1.0, ..quick() }, Ok(429), 0).await;
    check(Chaos { server_error: 1.0, ..quick() }, Ok(500), 0).await;
    check(Chaos { hang: 1.0, hang_ms, ..quick() }, Err(()), 0).await;
    check(Chaos { reset: 1.0, ..quick() }, Err(()), 0).await;
    check(Chaos { server_error_after_accept: 1.0, ..quick() }, Ok(500), 1).await;
    check(Chaos { hang_after_accept: 1.0, hang_ms, ..quick() }, Err(()), 1).await;
    check(Chaos { reset_after_accept: 1.0, ..quick() }, Err(()), 1).await;
    check(Chaos { create_latency_ms: Span::fixed(3), ..quick() }, Ok(201), 1).await;
}

#[tokio::test]
async fn a_hanging_create_times_out_at_the_client() {
    let world = World::chaotic(Chaos { hang_after_accept: 1.0, ..quick() }).await;
    let sent = world.post("Messages.json", &HI).timeout(Duration::from_millis(200)).send().await;
    assert!(sent.unwrap_err().is_timeout());
    assert_eq!(world.simulator.truth().len(), 1);
}

/// Sends `count` messages under `chaos` and returns the statuses of each one's callbacks, in the
/// order of their arrival.
async fn statuses(chaos: Chaos, count: usize) -> BTreeMap<String, Vec<String>> {
    let world = World::chaotic(chaos).await;
    for key in 0..count {
        let callback = world.callback(&key.to_string());
        let form = [&HI[..], &[("StatusCallback", callback.as_str())]].concat();
        world.created(&form).await;
    }
    let mut messages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for webhook in world.settled().await {
        let status = webhook.status().to_owned();
        messages.entry(webhook.path).or_default().push(status);
    }
    messages
}

#[tokio::test]
async fn callbacks_are_lost() {
    let all = Chaos { callback_dropped: 1.0, ..quick() };
    assert!(statuses(all, 3).await.is_empty());
    let half = Chaos { callback_dropped: 0.5, ..quick() };
    let arrived: usize = statuses(half, 40).await.values().map(Vec::len).sum();
    assert!((30..90).contains(&arrived), "{arrived} of 120");
}

#[tokio::test]
async fn callbacks_come_twice() {
    let chaos = Chaos { callback_duplicated: 1.0, ..quick() };
    for mut seen in statuses(chaos, 3).await.into_values() {
        seen.sort();
        let expected = ["delivered", "delivered", "sending", "sending", "sent", "sent"];
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn callbacks_overtake_each_other() {
    let chaos = Chaos { callback_reordered: 1.0, step_ms: Span::fixed(2), ..Chaos::default() };
    let messages = statuses(chaos, 5).await;
    assert_eq!(messages.len(), 5);
    for seen in messages.into_values() {
        let place = |status| seen.iter().position(|s| s == status).unwrap();
        assert_eq!(seen.len(), 3);
        // `sending` is held back, and comes after one that followed it.
        assert!(place("sending") > place("sent").min(place("delivered")), "{seen:?}");
    }
}

#[tokio::test]
async fn callbacks_are_late() {
    let chaos = Chaos { callback_delay_ms: Span::between(1, 20), ..quick() };
    let messages = statuses(chaos, 5).await;
    assert!(messages.values().all(|seen| seen.len() == 3));
}

#[tokio::test]
async fn a_callback_comes_before_the_answer() {
    let world = World::chaotic(Chaos {
        early_callback: 1.0,
        // The rest of its life is far away: what arrives came early.
        step_ms: Span::fixed(500_000),
        ..Chaos::default()
    })
    .await;
    let callback = world.callback("early");
    let form = [&HI[..], &[("StatusCallback", callback.as_str())]].concat();
    let (status, body) = world.create(&form).await;
    assert_eq!((status, &body["status"]), (201, &"queued".into()));
    assert_eq!(world.simulator.stats().callbacks_made, 1);
    assert_eq!(world.webhook().await.status(), "sending");
}

#[tokio::test]
async fn some_carriers_end_at_sent() {
    let chaos = Chaos { ends_at_sent: 1.0, ..quick() };
    let world = World::chaotic(chaos).await;
    world.created(&HI).await;
    world.settled().await;
    assert_eq!(world.simulator.truth()[0].status, Status::Sent);
}

/// Which of 60 creates fail, and how, under one seed.
async fn story(seed: u64) -> Vec<u16> {
    let chaos = Chaos { rate_limited: 0.2, server_error: 0.2, server_error_after_accept: 0.2, ..quick() };
    let world = World::with(Config { chaos, seed, ..Config::default() }).await;
    let mut story = Vec::new();
    for _ in 0..60 {
        let answer = world.post("Messages.json", &HI).send().await.unwrap();
        story.push(answer.status().as_u16());
    }
    story
}

#[tokio::test]
async fn the_seed_tells_the_story() {
    let once = story(1).await;
    assert_eq!(once, story(1).await);
    assert_ne!(once, story(2).await);
    assert!([201, 429, 500].iter().all(|status| once.contains(status)));
}

#[tokio::test]
async fn the_truth_counts_double_sends() {
    let world = World::new().await;
    for _ in 0..2 {
        world.created(&HI).await;
    }
    let counts = world.simulator.truth_counts();
    assert_eq!(counts[&(ADA.to_owned(), "Hi".to_owned())], 2);
}
