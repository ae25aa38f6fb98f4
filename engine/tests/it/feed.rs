//! The event stream: in the order of commits, nothing missed and nothing twice, whoever writes at the same time.

use chrono::Duration;
use domain::{
    feed::{EventType, FeedEvent, KEPT_DAYS, Position},
    page::PageRequest,
    phone::Channel,
};
use engine::{
    both, db,
    feed::{self, FeedQuery},
    inbound,
    testing::TestEnv,
    twilio::stored,
    users, values,
};

async fn stream(env: &TestEnv, query: &FeedQuery) -> Vec<FeedEvent> {
    env.settled().await;
    seen(env, query).await
}

/// What the stream shows at once.
async fn seen(env: &TestEnv, query: &FeedQuery) -> Vec<FeedEvent> {
    let mut page = PageRequest { limit: 2, ..PageRequest::default() };
    let mut all = Vec::new();
    loop {
        let read = feed::list(&env.engine, &env.admin, query, &page).await.unwrap();
        all.extend(read.rows);
        match read.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

fn types(events: &[FeedEvent]) -> Vec<&'static str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

async fn writes(env: &TestEnv, sid: u32, body: &str) {
    let raw = format!(
        "MessageSid=SM{sid:032x}&AccountSid={}&From=%2B12025550143&To=%2B12025550100&Body={body}&NumMedia=0",
        simulator::ACCOUNT_SID
    );
    inbound::receive(&env.engine, stored::inbound(&raw).unwrap(), raw).await.unwrap();
}

both! {
    async fn a_campaign_a_reply_and_a_stop_are_told_in_their_order(env: TestEnv) {
        let user = env.user("+12025550143").name("Ada").opted_in(Channel::Sms).create().await;
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        env.advance(std::time::Duration::from_secs(60));
        env.run_jobs().await;
        env.sweep().await;
        writes(&env, 1, "thanks").await;
        writes(&env, 2, "STOP").await;
        let events = stream(&env, &FeedQuery::default()).await;
        let told = types(&events);
        assert!(told.starts_with(&["consent.opted_in", "campaign.running"]), "{told:?}");
        assert!(told.contains(&"message.sent") && told.contains(&"campaign.completed"), "{told:?}");
        assert!(told.ends_with(&["inbound.received", "consent.opted_out", "inbound.received"]), "{told:?}");
        let places: Vec<Position> = events.iter().map(|event| event.id.parse().unwrap()).collect();
        assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");

        let sent = events.iter().find(|event| event.kind == EventType::MessageSent).unwrap();
        assert_eq!(sent.data["message"], format!("{}.1", campaign.id));
        assert_eq!(sent.data["user"], user.id.to_string());
        let reply = events.iter().find(|event| event.kind == EventType::InboundReceived).unwrap();
        assert_eq!((&reply.data["body"], &reply.data["kind"]), (&"thanks".into(), &"message".into()));
        assert_eq!(reply.data["from"], "+12025550143");

        let query = FeedQuery { campaign: Some(campaign.id), ..FeedQuery::default() };
        let of_campaign = stream(&env, &query).await;
        assert!(of_campaign.iter().all(|event| ["message", "campaign"].contains(&event.kind.noun())));
        let query = FeedQuery { types: vec![EventType::ConsentOptedOut], ..FeedQuery::default() };
        assert_eq!(types(&stream(&env, &query).await), ["consent.opted_out"]);

        users::remove(&env.engine, &env.admin, user.id, users::After::Suppress).await.unwrap();
        let query = FeedQuery { types: vec![EventType::InboundReceived], ..FeedQuery::default() };
        let left = stream(&env, &query).await;
        assert!(!format!("{left:?}").contains("thanks"), "what an erased person wrote is told no more: {left:?}");
    }

    async fn a_stage_is_told_once_however_often_it_is_reported(env: TestEnv) {
        env.user("+12025550143").opted_in(Channel::Sms).create().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        for _ in 0..3 {
            env.advance(std::time::Duration::from_secs(30));
            env.run_jobs().await;
        }
        let events = stream(&env, &FeedQuery::default()).await;
        let sent = events.iter().filter(|event| event.kind == EventType::MessageSent).count();
        let delivered = events.iter().filter(|event| event.kind == EventType::MessageDelivered).count();
        assert_eq!(sent, 1, "{events:?}");
        assert!(delivered <= 1, "{events:?}");
    }

    async fn old_events_are_forgotten_but_the_newest(env: TestEnv) {
        env.user("+12025550143").opted_in(Channel::Sms).create().await;
        env.user("+12025550144").opted_in(Channel::Sms).create().await;
        env.sweep().await;
        let all = stream(&env, &FeedQuery::default()).await;
        assert_eq!(all.len(), 2);
        env.engine.clock.set(env.engine.clock.now() + Duration::days(KEPT_DAYS + 1));
        env.sweep().await;
        assert_eq!(stream(&env, &FeedQuery::default()).await, all[1..]);
    }

    async fn what_is_not_an_event_s_id_is_refused(env: TestEnv) {
        let page = PageRequest::after(Some("evt_nonsense".into()));
        assert!(feed::list(&env.engine, &env.admin, &FeedQuery::default(), &page).await.is_err());
    }
}

#[tokio::test]
async fn nothing_is_told_before_what_may_still_come_before_it() {
    let env = TestEnv::new(engine::testing::Backend::Postgres).await;
    // The first transaction takes its number and stays open; the second is done before it.
    let early = env.engine.db.begin().await.unwrap();
    let insert = "INSERT INTO feed (tx, kind, at, error_code) SELECT (SELECT base FROM feed_base)
        + pg_current_xact_id()::text::bigint, 'import.failed', now(), 0";
    db::exec(&early, insert, values![]).await.unwrap();
    env.user("+12025550143").opted_in(Channel::Sms).create().await;
    assert_eq!(seen(&env, &FeedQuery::default()).await, [], "the later one waits for the earlier one");
    early.commit().await.unwrap();
    assert_eq!(types(&stream(&env, &FeedQuery::default()).await), ["import.failed", "consent.opted_in"]);
}

#[tokio::test]
async fn after_a_restore_new_events_come_behind_the_old_ones() {
    let env = TestEnv::new(engine::testing::Backend::Postgres).await;
    let old = "INSERT INTO feed (tx, kind, at, error_code) VALUES (9000000000, 'import.failed', now(), 0)";
    let tx = env.engine.db.begin().await.unwrap();
    db::exec(&tx, old, values![]).await.unwrap();
    tx.commit().await.unwrap();
    feed::rebase(&env.engine).await.unwrap();
    env.user("+12025550143").opted_in(Channel::Sms).create().await;
    assert_eq!(types(&stream(&env, &FeedQuery::default()).await), ["import.failed", "consent.opted_in"]);
    feed::rebase(&env.engine).await.unwrap();
    env.user("+12025550144").opted_in(Channel::Sms).create().await;
    assert_eq!(stream(&env, &FeedQuery::default()).await.len(), 3, "once lifted, the numbers stay");
}
