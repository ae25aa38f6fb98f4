//! Clocks that jump, days of 23 and of 25 hours, and several processes that look for what is due.

use chrono::{DateTime, NaiveDateTime, Utc};
use domain::{campaign::CampaignStatus, phone::Channel};
use engine::{
    both, campaigns, sweep,
    testing::{Backend, TestEnv},
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// To whom the provider was given messages so far, in order.
fn sent_to(env: &TestEnv) -> Vec<String> {
    let mut to: Vec<String> = env.simulator.truth().into_iter().map(|entry| entry.to).collect();
    to.sort();
    to
}

both! {
    async fn a_clock_that_jumps_sends_nobody_twice_and_nobody_at_night(env: TestEnv) {
        let (day, night) = ("+12025553001", "+12025553002");
        // It is 17:00 UTC: 18:00 in London, and 01:00 in Singapore.
        env.user(day).zone("Europe/London").opted_in(Channel::Sms).create().await;
        env.user(night).zone("Asia/Singapore").opted_in(Channel::Sms).create().await;
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(sent_to(&env), [day]);
        // Two hours ahead, one back, back before the launch, and to the last second of the night.
        for jump in ["2026-06-02T19:00:00Z", "2026-06-02T18:00:00Z", "2026-06-02T16:00:00Z", "2026-06-02T23:59:59Z"] {
            env.set_time(at(jump));
            env.sweep().await;
            assert_eq!(sent_to(&env), [day], "{jump}");
        }
        env.set_time(at("2026-06-03T00:00:00Z"));
        env.sweep().await;
        assert_eq!(sent_to(&env), [day, night]);
        let done = campaigns::get(&env.engine, &env.admin, campaign.id).await.unwrap().campaign;
        assert_eq!(done.status, CampaignStatus::Completed);
        // Back into the night: who would get the next one waits, and who had this one does not get it again.
        env.set_time(at("2026-06-02T23:00:00Z"));
        env.sweep().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(sent_to(&env), [day, night], "it is night in London too, and in Singapore again");
        env.set_time(at("2026-06-03T08:00:00Z"));
        env.sweep().await;
        assert_eq!(sent_to(&env), [day, day, night, night]);
    }

    async fn a_start_that_a_jump_passes_over_is_one_start(env: TestEnv) {
        let ann = "+12025553001";
        env.user(ann).zone("Europe/London").opted_in(Channel::Sms).create().await;
        let draft = env.campaign().create().await;
        campaigns::schedule(&env.engine, &env.admin, draft.id, at("2026-06-02T17:30:00Z")).await.unwrap();
        env.set_time(at("2026-06-02T17:31:00Z"));
        env.sweep().await;
        assert_eq!(sent_to(&env), [ann]);
        // The clock is set back to before its time, and its time comes again.
        for jump in ["2026-06-02T16:31:00Z", "2026-06-02T17:30:00Z", "2026-06-02T18:30:00Z"] {
            env.set_time(at(jump));
            env.sweep().await;
            assert_eq!(sent_to(&env), [ann], "{jump}");
        }
    }

    async fn a_day_of_23_or_25_hours_has_its_morning_where_the_wall_clock_says(env: TestEnv) {
        let ann = "+12025553001";
        env.set_time(at("2026-03-01T00:00:00Z"));
        env.user(ann).zone("America/New_York").opted_in(Channel::Sms).create().await;
        for (midnight, too_early, morning) in [
            // Summer time begins: 08:00 is an hour earlier than the day before.
            ("2026-03-08T06:00:00Z", "2026-03-08T11:59:59Z", "2026-03-08T12:00:00Z"),
            // It ends: 08:00 is an hour later than the day before.
            ("2026-11-01T05:00:00Z", "2026-11-01T12:59:59Z", "2026-11-01T13:00:00Z"),
        ] {
            let before = sent_to(&env).len();
            env.set_time(at(midnight));
            env.campaign().launch().await;
            env.run_jobs().await;
            env.set_time(at(too_early));
            env.sweep().await;
            assert_eq!(sent_to(&env).len(), before, "{too_early} is night in New York");
            env.set_time(at(morning));
            env.sweep().await;
            assert_eq!(sent_to(&env).len(), before + 1, "{morning} is morning in New York");
        }
    }

    async fn a_time_of_day_that_the_wall_clock_skips_or_shows_twice_comes_once(env: TestEnv) {
        let ann = "+12025553001";
        env.set_time(at("2026-03-01T00:00:00Z"));
        env.user(ann).zone("America/New_York").opted_in(Channel::Sms).create().await;
        for (day_before, local, morning) in [
            ("2026-03-07T15:00:00Z", "2026-03-08T02:30:00", "2026-03-08T12:00:00Z"),
            ("2026-10-31T15:00:00Z", "2026-11-01T01:30:00", "2026-11-01T13:00:00Z"),
        ] {
            let before = sent_to(&env).len();
            env.set_time(at(day_before));
            let draft = env.campaign().create().await;
            let local: NaiveDateTime = local.parse().unwrap();
            campaigns::schedule(&env.engine, &env.admin, draft.id, local).await.unwrap();
            // Every half hour through the night that has it twice, or not at all: quiet hours hold it until the morning.
            let mut now = at(day_before);
            while now < at(morning) {
                env.set_time(now);
                env.sweep().await;
                assert_eq!(sent_to(&env).len(), before, "{now}");
                now += chrono::TimeDelta::minutes(30);
            }
            env.set_time(at(morning));
            env.sweep().await;
            assert_eq!(sent_to(&env).len(), before + 1);
            env.set_time(at(morning) + chrono::TimeDelta::hours(3));
            env.sweep().await;
            assert_eq!(sent_to(&env).len(), before + 1, "once");
        }
    }
}

#[tokio::test]
async fn one_process_at_a_time_looks_for_what_is_due() {
    let env = TestEnv::new(Backend::Postgres).await;
    let ann = "+12025553001";
    env.user(ann).zone("Europe/London").opted_in(Channel::Sms).create().await;
    let draft = env.campaign().create().await;
    campaigns::schedule(&env.engine, &env.admin, draft.id, at("2026-06-02T17:30:00Z")).await.unwrap();
    env.set_time(at("2026-06-02T17:30:00Z"));
    let leads = env.engine.db.lead().await.unwrap().expect("nobody else leads");
    assert!(env.engine.db.lead().await.unwrap().is_none(), "one at a time");
    sweep::run(&env.engine).await.unwrap();
    let status = async || campaigns::get(&env.engine, &env.admin, draft.id).await.unwrap().campaign.status;
    assert_eq!(status().await, CampaignStatus::Scheduled, "it is for the one that leads");
    leads.end().await;
    env.sweep().await;
    // One that dies in the middle leads no more either, once the database has seen it.
    drop(env.engine.db.lead().await.unwrap().expect("nobody else leads"));
    while env.engine.db.lead().await.unwrap().is_none() {}
    assert_eq!(sent_to(&env), [ann]);
}
