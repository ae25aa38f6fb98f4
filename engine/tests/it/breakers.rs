//! The circuit breaker, and attempts that the provider gave up.

use domain::{
    breaker::Scope,
    campaign::CampaignStatus,
    ids::{CampaignId, MessageKey},
    message::{Bucket, State},
    phone::Channel,
};
use engine::{
    both, campaigns, db, health, messages,
    receipts::{self, Receipt},
    testing::TestEnv,
    twilio::stored,
    values,
};
use simulator::Chaos;
use std::{collections::BTreeSet, time::Duration};

fn number(n: u32) -> String {
    format!("+1202555{:04}", 2_000 + n)
}

async fn people(env: &TestEnv, count: u32) {
    for n in 0..count {
        env.user(&number(n)).name(&format!("Person {n}")).opted_in(Channel::Sms).create().await;
    }
}

async fn bucket(env: &TestEnv, id: CampaignId, bucket: Bucket) -> i64 {
    let progress = campaigns::progress(&env.engine, &env.admin, id).await.unwrap();
    assert!(progress.balances(), "{progress:?}");
    progress.bucket(bucket)
}

async fn open(env: &TestEnv) -> Vec<Scope> {
    health::get(&env.engine, &env.admin).await.unwrap().breakers.into_iter().map(|one| one.scope).collect()
}

async fn everyone_got_one(env: &TestEnv, people: usize) {
    let counts = env.simulator.truth_counts();
    assert_eq!(counts.len(), people);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

/// What the provider reports of an attempt.
async fn reports(env: &TestEnv, campaign: CampaignId, attempt: i16, status: &str, code: i32) {
    let truth = env.simulator.truth();
    let raw = format!(
        "MessageSid={}&MessageStatus={status}&ErrorCode={code}&AccountSid={}",
        truth[usize::try_from(attempt).unwrap() - 1].sid,
        simulator::ACCOUNT_SID
    );
    let callback = stored::status(&raw).unwrap();
    let key = Some((MessageKey { campaign, seq: 1 }, attempt));
    receipts::apply(&env.engine, &[Receipt { key, callback, raw }]).await.unwrap();
    env.run_jobs().await;
}

async fn state(env: &TestEnv, campaign: CampaignId) -> State {
    messages::get(&env.engine, &env.admin, MessageKey { campaign, seq: 1 }).await.unwrap().row.state
}

both! {
    async fn a_storm_opens_the_breaker_and_a_probe_closes_it(env: TestEnv) {
        people(&env, 40).await;
        env.simulator.set_chaos(Chaos { rate_limited: 1.0, ..env.simulator.chaos() }).unwrap();
        let campaign = env.campaign().form(|form| form.rate_per_second = Some(50)).launch().await;
        env.run_jobs().await;
        assert_eq!(open(&env).await, [Scope::Account]);
        // Nobody is spent on it, however long it lasts.
        for _ in 0..300 {
            env.advance(Duration::from_secs(30));
            env.sweep().await;
        }
        assert_eq!((bucket(&env, campaign.id, Bucket::Pending).await, open(&env).await.len()), (40, 1));
        env.simulator.set_chaos(Chaos { rate_limited: 0.0, ..env.simulator.chaos() }).unwrap();
        env.advance(Duration::from_secs(30));
        env.sweep().await;
        assert_eq!(open(&env).await, []);
        env.advance(Duration::from_secs(60));
        env.sweep().await;
        everyone_got_one(&env, 40).await;
        assert_eq!(bucket(&env, campaign.id, Bucket::Sent).await, 40);
    }

    async fn a_probe_goes_out_every_few_seconds_at_most(env: TestEnv) {
        people(&env, 30).await;
        env.simulator.set_chaos(Chaos { rate_limited: 1.0, ..env.simulator.chaos() }).unwrap();
        let campaign = env.campaign().form(|form| form.rate_per_second = Some(50)).launch().await;
        env.run_jobs().await;
        let asked = async || {
            let sql = "SELECT count(*) AS value FROM attempts WHERE campaign_id = $1";
            db::scalar::<i64, _>(env.engine.db.read(), sql, values![campaign.id.0]).await.unwrap().unwrap()
        };
        let before = asked().await;
        for seconds in 1..=20 {
            env.advance(Duration::from_secs(1));
            env.sweep().await;
            env.sweep().await;
            let probes = asked().await - before;
            assert!(probes <= seconds / 5, "{probes} probes in {seconds} s");
        }
        assert!(asked().await > before, "it does probe");
    }

    async fn a_wrong_sender_holds_its_own_messages_only(env: TestEnv) {
        people(&env, 40).await;
        let wrong = env.campaign().form(|form| form.rate_per_second = Some(20)).create().await;
        let sender = wrong.form.sender.unwrap();
        let move_to = async |sender: domain::ids::SenderId, address: &str| {
            let tx = env.engine.db.begin().await.unwrap();
            db::exec(&tx, "UPDATE senders SET address = $2 WHERE id = $1", values![sender.0, address]).await.unwrap();
            tx.commit().await.unwrap();
        };
        let sql = "SELECT address AS value FROM senders WHERE id = $1";
        let right: String = db::scalar(env.engine.db.read(), sql, values![sender.0]).await.unwrap().unwrap();
        move_to(sender, "+12025559999").await;
        campaigns::launch(&env.engine, &env.admin, wrong.id).await.unwrap();
        env.run_jobs().await;
        assert_eq!(open(&env).await, [Scope::Sender(sender)]);
        let refused = bucket(&env, wrong.id, Bucket::Failed).await;
        assert!((1..=12).contains(&refused), "{refused} were refused before it opened");
        let other = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(bucket(&env, other.id, Bucket::Sent).await, 40);
        // While it is open a refusal spends nobody, however long it takes a person to see to it.
        for _ in 0..50 {
            env.advance(Duration::from_secs(60));
            env.sweep().await;
        }
        assert_eq!(bucket(&env, wrong.id, Bucket::Failed).await, refused);
        move_to(other.form.sender.unwrap(), "+12025559998").await;
        move_to(sender, &right).await;
        for _ in 0..2 {
            env.advance(Duration::from_secs(60));
            env.sweep().await;
        }
        assert_eq!(open(&env).await, []);
        assert_eq!(bucket(&env, wrong.id, Bucket::Sent).await, 40 - refused);
        assert_eq!(campaigns::get(&env.engine, &env.admin, wrong.id).await.unwrap().campaign.status, CampaignStatus::Completed);
    }

    async fn what_the_carrier_gave_up_is_tried_again_by_its_class(env: TestEnv) {
        people(&env, 1).await;
        let campaign = env.campaign().launch().await.id;
        env.run_jobs().await;
        let status = async || campaigns::get(&env.engine, &env.admin, campaign).await.unwrap().campaign.status;
        assert_eq!(status().await, CampaignStatus::Completed);
        reports(&env, campaign, 1, "undelivered", 30003).await;
        assert_eq!((state(&env, campaign).await, status().await), (State::Pending, CampaignStatus::Running));
        // What comes late of the first attempt moves nothing.
        for late in ["sent", "queued", "failed"] {
            reports(&env, campaign, 1, late, 0).await;
            assert_eq!(state(&env, campaign).await, State::Pending, "{late}");
        }
        assert_eq!(env.simulator.truth().len(), 1);
        env.advance(Duration::from_secs(600));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 2);
        reports(&env, campaign, 1, "sent", 1).await;
        reports(&env, campaign, 2, "undelivered", 30008).await;
        env.advance(Duration::from_secs(600));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 3);
        // Once or twice, and no more.
        reports(&env, campaign, 3, "undelivered", 30003).await;
        assert_eq!((state(&env, campaign).await, status().await), (State::Undelivered, CampaignStatus::Completed));
        let detail = messages::get(&env.engine, &env.admin, MessageKey { campaign, seq: 1 }).await.unwrap();
        assert_eq!((detail.row.error_code, detail.row.attempts, detail.duplicate), (Some(30003), 3, false));
        let progress = campaigns::progress(&env.engine, &env.admin, campaign).await.unwrap();
        assert_eq!(progress.states, engine::states::recount(env.engine.db.read(), campaign).await.unwrap());
        assert_eq!(progress.errors.iter().map(|error| error.count).sum::<i64>(), 1);
        let sids: BTreeSet<String> = env.simulator.truth().into_iter().map(|entry| entry.sid).collect();
        assert_eq!(sids.len(), 3);
    }

    async fn a_late_delivery_of_what_was_given_up_ends_the_retry(env: TestEnv) {
        people(&env, 1).await;
        let campaign = env.campaign().launch().await.id;
        env.run_jobs().await;
        reports(&env, campaign, 1, "undelivered", 30008).await;
        assert_eq!(state(&env, campaign).await, State::Pending);
        reports(&env, campaign, 1, "delivered", 0).await;
        env.advance(Duration::from_secs(3_600));
        env.sweep().await;
        assert_eq!((state(&env, campaign).await, env.simulator.truth().len()), (State::Delivered, 1));
        assert!(messages::get(&env.engine, &env.admin, MessageKey { campaign, seq: 1 }).await.unwrap().conflict);
    }

    async fn what_is_final_or_no_longer_wanted_is_not_tried_again(env: TestEnv) {
        people(&env, 1).await;
        let campaign = env.campaign().launch().await.id;
        env.run_jobs().await;
        reports(&env, campaign, 1, "undelivered", 30007).await;
        assert_eq!(state(&env, campaign).await, State::Undelivered);
        let late = env.campaign().launch().await.id;
        env.run_jobs().await;
        env.advance(Duration::from_secs(72 * 3_600));
        let truth = env.simulator.truth();
        let raw = format!("MessageSid={}&MessageStatus=undelivered&ErrorCode=30003&AccountSid={}", truth[1].sid, simulator::ACCOUNT_SID);
        let callback = stored::status(&raw).unwrap();
        let key = Some((MessageKey { campaign: late, seq: 1 }, 1));
        receipts::apply(&env.engine, &[Receipt { key, callback, raw }]).await.unwrap();
        assert_eq!(state(&env, late).await, State::Undelivered);
    }
}
