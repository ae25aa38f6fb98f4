//! The brake, the canary, and why a campaign does not move.

use domain::{
    brake::Bounds,
    campaign::{Campaign, CampaignStatus},
    ids::{CampaignId, MessageKey},
    message::Bucket,
    operator::Role,
    phone::Channel,
    stall::Cause,
};
use engine::{
    Error, both, brakes, campaigns, kill_switch,
    receipts::{self, Receipt},
    testing::TestEnv,
    twilio::stored,
    workers,
};
use simulator::Chaos;
use std::time::Duration;

async fn people(env: &TestEnv, count: u32) {
    for n in 0..count {
        env.user(&format!("+1202555{:04}", 2_000 + n)).opted_in(Channel::Sms).create().await;
    }
}

async fn look(env: &TestEnv, id: CampaignId) -> Campaign {
    campaigns::get(&env.engine, &env.admin, id).await.unwrap().campaign
}

async fn stall(env: &TestEnv, id: CampaignId) -> Option<Cause> {
    campaigns::progress(&env.engine, &env.admin, id).await.unwrap().stall.map(|stall| stall.cause)
}

/// Reports the same of the messages from one seq to another, which were sent in that order.
async fn report(env: &TestEnv, campaign: CampaignId, seqs: std::ops::RangeInclusive<i64>, status: &str, code: i32) {
    let truth = env.simulator.truth();
    for seq in seqs {
        let key = MessageKey { campaign, seq };
        let mark = format!("m={key}&");
        let entry = truth.iter().find(|entry| entry.status_callback.as_deref().is_some_and(|url| url.contains(&mark)));
        let raw = format!(
            "MessageSid={}&MessageStatus={status}&ErrorCode={code}&AccountSid={}",
            entry.expect("it was sent").sid,
            simulator::ACCOUNT_SID
        );
        let callback = stored::status(&raw).unwrap();
        receipts::apply(&env.engine, &[Receipt { key: Some((key, 1)), callback, raw }]).await.unwrap();
    }
}

both! {
    async fn a_canary_goes_first_and_the_rest_once_it_came_through(env: TestEnv) {
        people(&env, 30).await;
        workers::beat(&env.engine, workers::Kind::Serve).await.unwrap();
        let id = env.campaign().form(|form| form.canary = Some(10)).launch().await.id;
        env.run_jobs().await;
        env.sweep().await;
        assert_eq!((env.simulator.truth().len(), stall(&env, id).await), (10, Some(Cause::Canary)));
        report(&env, id, 1..=8, "delivered", 0).await;
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 10, "eight of ten are not enough");
        report(&env, id, 9..=9, "delivered", 0).await;
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 30);
        assert_eq!(look(&env, id).await.status, CampaignStatus::Completed);
        assert!(env.simulator.truth_counts().values().all(|count| *count == 1));
    }

    async fn a_canary_that_fails_pauses_the_campaign_until_a_person_resumes_it(env: TestEnv) {
        people(&env, 30).await;
        let id = env.campaign().form(|form| form.canary = Some(10)).launch().await.id;
        env.run_jobs().await;
        report(&env, id, 1..=10, "undelivered", 30007).await;
        env.sweep().await;
        let paused = look(&env, id).await;
        assert_eq!(paused.status, CampaignStatus::Paused);
        assert!(paused.status_reason.as_deref().unwrap().contains("filtered by carriers"), "{:?}", paused.status_reason);
        assert_eq!(env.simulator.truth().len(), 10);
        campaigns::resume(&env.engine, &env.admin, id).await.unwrap();
        env.run_jobs().await;
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 30);
        assert_eq!(look(&env, id).await.status, CampaignStatus::Completed);
    }

    async fn a_silent_canary_is_not_waited_for_without_end(env: TestEnv) {
        people(&env, 12).await;
        env.campaign().form(|form| form.canary = Some(6)).launch().await;
        env.run_jobs().await;
        env.advance(Duration::from_secs(9 * 60));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 6);
        env.advance(Duration::from_secs(2 * 60));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 12);
    }

    async fn the_brake_pauses_what_goes_wrong_and_counts_anew_after_a_resume(env: TestEnv) {
        people(&env, 40).await;
        let bounds = Bounds { least_messages: 10, failed_percent: 50.0, ..Bounds::default() };
        brakes::set_bounds(&env.engine, &env.admin, &bounds).await.unwrap();
        assert_eq!(brakes::bounds(&env.engine, &env.admin).await.unwrap(), bounds);
        // Half of the audience waits for its morning, so that the campaign still runs when the others' reports come.
        for n in 40..60 {
            env.user(&format!("+1202555{:04}", 2_000 + n)).zone("Asia/Tokyo").opted_in(Channel::Sms).create().await;
        }
        let id = env.campaign().launch().await.id;
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 40);
        report(&env, id, 1..=20, "failed", 30007).await;
        env.sweep().await;
        let reason = look(&env, id).await.status_reason.unwrap_or_default();
        assert!(reason.contains("20 of 40 messages filtered by carriers"), "{reason}");
        campaigns::resume(&env.engine, &env.admin, id).await.unwrap();
        env.sweep().await;
        assert_eq!(look(&env, id).await.status, CampaignStatus::Running);
        assert!(env.simulator.truth().len() == 40);
        env.leave_jobs();
    }

    async fn bounds_are_checked_and_an_administrators_word(env: TestEnv) {
        let bad = Bounds { failed_percent: 0.0, ..Bounds::default() };
        let refused = brakes::set_bounds(&env.engine, &env.admin, &bad).await;
        assert!(matches!(refused, Err(Error::Invalid { errors }) if errors[0].pointer == "/failed_percent"));
        let marketer = env.operator(Role::Marketer);
        let refused = brakes::set_bounds(&env.engine, &marketer, &Bounds::default()).await;
        assert!(matches!(refused, Err(Error::Forbidden { .. })));
    }

    async fn a_standstill_has_a_name(env: TestEnv) {
        people(&env, 20).await;
        env.simulator.set_chaos(Chaos { rate_limited: 1.0, ..env.simulator.chaos() }).unwrap();
        let id = env.campaign().launch().await.id;
        env.run_jobs().await;
        assert_eq!(stall(&env, id).await, Some(Cause::NoWorker));
        workers::beat(&env.engine, workers::Kind::Worker).await.unwrap();
        assert_eq!(stall(&env, id).await, Some(Cause::Breaker));
        kill_switch::stop(&env.engine, &env.admin, "a mistake").await.unwrap();
        assert_eq!(stall(&env, id).await, Some(Cause::KillSwitch));
        kill_switch::release(&env.engine, &env.admin).await.unwrap();
        env.simulator.set_chaos(Chaos { rate_limited: 0.0, ..env.simulator.chaos() }).unwrap();
        env.advance(Duration::from_secs(60));
        env.sweep().await;
        env.advance(Duration::from_secs(60));
        env.sweep().await;
        assert_eq!(stall(&env, id).await, None);
        let progress = campaigns::progress(&env.engine, &env.admin, id).await.unwrap();
        assert_eq!(progress.bucket(Bucket::Sent), 20);
        env.user("+12025559001").zone("Asia/Tokyo").opted_in(Channel::Sms).create().await;
        let night = env.campaign().filter("phone = \"+12025559001\"").launch().await.id;
        env.run_jobs().await;
        workers::beat(&env.engine, workers::Kind::Worker).await.unwrap();
        assert_eq!(stall(&env, night).await, Some(Cause::NotDue));
        env.leave_jobs();
    }
}
