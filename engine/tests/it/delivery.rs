//! The send path, against the simulator on the wire.

use chrono::{DateTime, Utc};
use domain::{
    campaign::{CampaignStatus, UnknownPolicy},
    compliance::Gate,
    consent::{ConsentKind, ConsentState},
    ids::{CampaignId, MessageKey},
    message::{Bucket, MessageQuery, State},
    page::PageRequest,
    phone::Channel,
};
use engine::{
    Result, both, campaigns, consents, messages,
    receipts::{self, Receipt},
    testing::TestEnv,
    topics,
    twilio::{signature::Params, webhook},
    users,
};
use simulator::Chaos;
use std::time::Duration;

/// Numbers that anyone may use in examples, and that are valid: none belongs to a subscriber.
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

async fn status(env: &TestEnv, id: CampaignId) -> CampaignStatus {
    campaigns::get(&env.engine, &env.admin, id).await.unwrap().campaign.status
}

/// The one reason for which a person was skipped or deferred.
async fn only_reason(env: &TestEnv, id: CampaignId) -> (String, Gate, String, Option<DateTime<Utc>>) {
    let decisions =
        messages::get(&env.engine, &env.admin, MessageKey { campaign: id, seq: 1 }).await.unwrap().decisions;
    let last = decisions.into_iter().next_back().expect("a decision");
    (last.verdict, last.gate, last.fact, last.next_at)
}

/// A report of the provider for a message of the simulator's log, as Twilio would send it.
fn report(entry: &simulator::LogEntry, status: &str) -> Receipt {
    let fields = [
        ("MessageSid", entry.sid.as_str()),
        ("MessageStatus", status),
        ("AccountSid", simulator::ACCOUNT_SID),
        ("To", entry.to.as_str()),
    ];
    let params: Params = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let query = entry.status_callback.as_deref().and_then(|url| url.split_once('?')).map_or("", |(_, query)| query);
    let callback = webhook::status_callback(params, simulator::ACCOUNT_SID).unwrap();
    Receipt { key: receipts::key_of(query), callback, raw: format!("MessageSid={}&MessageStatus={status}", entry.sid) }
}

both! {
    async fn everyone_gets_one(env: TestEnv) {
        people(&env, 23).await;
        let campaign = env.campaign().body("Hello {{ first_name }}").launch().await;
        env.run_jobs().await;
        let counts = env.simulator.truth_counts();
        assert_eq!(counts.len(), 23);
        assert!(counts.values().all(|count| *count == 1));
        assert_eq!(bucket(&env, campaign.id, Bucket::Sent).await, 23);
        assert_eq!(status(&env, campaign.id).await, CampaignStatus::Completed);
        // A second run finds nothing to do.
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 23);
    }

    async fn each_person_has_a_reason(env: TestEnv) {
        env.user(&number(0)).name("Ann").create().await;
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        let (verdict, gate, fact, _) = only_reason(&env, campaign.id).await;
        assert_eq!((verdict.as_str(), gate, fact.as_str()), ("skip", Gate::Consent, "never agreed to sms"));
        assert_eq!(env.simulator.truth().len(), 0);
        assert_eq!(bucket(&env, campaign.id, Bucket::Skipped).await, 1);
        assert_eq!(status(&env, campaign.id).await, CampaignStatus::Completed);
    }

    async fn an_opt_out_between_two_campaigns_holds(env: TestEnv) {
        let user = env.user(&number(0)).opted_in(Channel::Sms).create().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 1);
        consents::record(&env.engine, &env.admin, user.id, Channel::Sms, ConsentKind::OptOut, "said stop on the phone")
            .await
            .unwrap();
        let second = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 1);
        assert_eq!(only_reason(&env, second.id).await.2, "opted out of sms");
    }

    async fn quiet_hours_defer_to_the_persons_morning(env: TestEnv) {
        // 17:00 UTC is 01:00 in Singapore.
        env.user(&number(0)).zone("Asia/Singapore").opted_in(Channel::Sms).create().await;
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        let (verdict, gate, _, next) = only_reason(&env, campaign.id).await;
        assert_eq!((verdict.as_str(), gate), ("defer", Gate::QuietHours));
        assert_eq!(next, Some("2026-06-03T00:00:00Z".parse().unwrap()));
        assert_eq!(status(&env, campaign.id).await, CampaignStatus::Running);
        env.advance(Duration::from_secs(7 * 3600 - 1));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 0);
        env.advance(Duration::from_secs(1));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 1);
        assert_eq!(status(&env, campaign.id).await, CampaignStatus::Completed);
    }

    async fn a_missing_variable_skips_and_never_sends_a_gap(env: TestEnv) {
        env.user(&number(0)).attribute("city", "Colombo").opted_in(Channel::Sms).create().await;
        env.user(&number(1)).name("Ann").opted_in(Channel::Sms).create().await;
        let campaign = env.campaign().body("Hi {{ name }}").launch().await;
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 1);
        assert_eq!(only_reason(&env, campaign.id).await.1, Gate::Content);
    }

    async fn a_topic_reaches_only_its_followers(env: TestEnv) {
        let form = domain::topic::TopicForm {
            key: "offers".to_owned(),
            name: "Offers".to_owned(),
            kind: domain::topic::TopicKind::OptIn,
        };
        let topic = topics::create(&env.engine, &env.admin, &form).await.unwrap();
        people(&env, 2).await;
        let list = users::list(&env.engine, &env.admin, "", &PageRequest::default()).await.unwrap();
        let follower = list.rows.iter().find(|user| user.phone.as_ref().is_some_and(|p| p.as_str() == number(1))).unwrap();
        let subscribed = domain::topic::SubscriptionState::Subscribed;
        engine::subscriptions::set(&env.engine, &env.admin, follower.id, topic.id, subscribed, "asked for it").await.unwrap();
        let campaign = env.campaign().form(|form| form.topic = Some(topic.id)).launch().await;
        env.run_jobs().await;
        let to: Vec<String> = env.simulator.truth().into_iter().map(|entry| entry.to).collect();
        assert_eq!(to, [number(1)]);
        assert_eq!(only_reason(&env, campaign.id).await.1, Gate::Topic);
    }

    async fn whatsapp_text_needs_an_open_window(env: TestEnv) {
        env.user(&number(0)).opted_in(Channel::Whatsapp).create().await;
        let campaign = env.campaign().channel(Channel::Whatsapp).launch().await;
        env.run_jobs().await;
        assert_eq!(only_reason(&env, campaign.id).await.1, Gate::Window);
        assert_eq!(env.simulator.truth().len(), 0);
    }

    async fn pause_stops_and_resume_repeats_nobody(env: TestEnv) {
        people(&env, 12).await;
        let campaign = env.campaign().launch().await;
        campaigns::pause(&env.engine, &env.admin, campaign.id).await.unwrap();
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 0);
        campaigns::resume(&env.engine, &env.admin, campaign.id).await.unwrap();
        env.run_jobs().await;
        assert_eq!(env.simulator.truth_counts().len(), 12);
        assert_eq!(env.simulator.truth().len(), 12);
    }

    async fn cancel_settles_whoever_still_waits(env: TestEnv) {
        for n in 0..7 {
            env.user(&number(n)).zone("Asia/Singapore").opted_in(Channel::Sms).create().await;
        }
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(bucket(&env, campaign.id, Bucket::Pending).await, 7);
        campaigns::cancel(&env.engine, &env.admin, campaign.id).await.unwrap();
        env.run_jobs().await;
        assert_eq!(bucket(&env, campaign.id, Bucket::Canceled).await, 7);
        env.advance(Duration::from_secs(24 * 3600));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 0);
    }

    async fn a_pause_takes_effect_within_one_claim(env: TestEnv) {
        people(&env, 40).await;
        let campaign = env.campaign().form(|form| form.rate_per_second = Some(40)).launch().await;
        let pause = async {
            while env.simulator.truth().len() < 4 {
                tokio::task::yield_now().await;
            }
            campaigns::pause(&env.engine, &env.admin, campaign.id).await.unwrap();
            // What a claim holds is still sent; nothing is claimed any more.
            let claimed = bucket(&env, campaign.id, Bucket::Sending).await;
            (env.simulator.truth().len(), claimed)
        };
        let ((), (sent, claimed)) = tokio::join!(env.run_jobs(), pause);
        assert!(claimed <= 8, "{claimed}");
        let after = env.simulator.truth().len();
        assert!((sent..=sent + 8).contains(&after), "{sent}, then {after}");
        assert_eq!(bucket(&env, campaign.id, Bucket::Pending).await, 40 - after as i64);
        campaigns::resume(&env.engine, &env.admin, campaign.id).await.unwrap();
        env.run_jobs().await;
        let counts = env.simulator.truth_counts();
        assert_eq!((counts.len(), env.simulator.truth().len()), (40, 40));
    }

    async fn a_scheduled_campaign_starts_at_its_time(env: TestEnv) {
        people(&env, 1).await;
        let draft = env.campaign().create().await;
        let at = env.engine.clock.now() + chrono::Duration::minutes(30);
        campaigns::schedule(&env.engine, &env.admin, draft.id, at).await.unwrap();
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 0);
        env.advance(Duration::from_secs(30 * 60));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 1);
    }

    async fn a_missed_start_is_held_and_asks(env: TestEnv) {
        people(&env, 1).await;
        let draft = env.campaign().form(|form| form.start_deadline_minutes = 60).create().await;
        let at = env.engine.clock.now() + chrono::Duration::minutes(30);
        campaigns::schedule(&env.engine, &env.admin, draft.id, at).await.unwrap();
        env.advance(Duration::from_secs(92 * 60));
        env.sweep().await;
        assert_eq!(status(&env, draft.id).await, CampaignStatus::Held);
        assert_eq!(env.simulator.truth().len(), 0);
        campaigns::launch(&env.engine, &env.admin, draft.id).await.unwrap();
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 1);
    }

    async fn what_was_not_processed_is_sent_again(env: TestEnv) {
        people(&env, 3).await;
        env.simulator.set_chaos(Chaos { rate_limited: 1.0, ..env.simulator.chaos() }).unwrap();
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(bucket(&env, campaign.id, Bucket::Pending).await, 3);
        assert_eq!(only_reason(&env, campaign.id).await.1, Gate::Provider);
        env.simulator.set_chaos(Chaos { rate_limited: 0.0, ..env.simulator.chaos() }).unwrap();
        env.advance(Duration::from_secs(3600));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 3);
        assert_eq!(status(&env, campaign.id).await, CampaignStatus::Completed);
    }

    async fn an_unknown_outcome_is_found_on_the_list(env: TestEnv) {
        people(&env, 4).await;
        env.simulator.set_chaos(Chaos { server_error_after_accept: 1.0, ..env.simulator.chaos() }).unwrap();
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(bucket(&env, campaign.id, Bucket::Unknown).await, 4);
        assert_eq!(env.simulator.truth().len(), 4);
        env.simulator.set_chaos(Chaos { server_error_after_accept: 0.0, ..env.simulator.chaos() }).unwrap();
        env.advance(Duration::from_secs(32));
        env.sweep().await;
        assert_eq!(bucket(&env, campaign.id, Bucket::Sent).await, 4);
        assert_eq!(env.simulator.truth().len(), 4);
        env.sweep().await;
        assert_eq!(status(&env, campaign.id).await, CampaignStatus::Completed);
    }

    async fn an_unknown_outcome_without_trace_goes_to_review_after_two_looks(env: TestEnv) {
        people(&env, 1).await;
        env.simulator.set_chaos(Chaos { server_error: 1.0, ..env.simulator.chaos() }).unwrap();
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        env.simulator.set_chaos(Chaos { server_error: 0.0, ..env.simulator.chaos() }).unwrap();
        env.advance(Duration::from_secs(32));
        env.sweep().await;
        assert_eq!(bucket(&env, campaign.id, Bucket::Unknown).await, 1);
        env.advance(Duration::from_secs(2));
        env.sweep().await;
        assert_eq!(bucket(&env, campaign.id, Bucket::NeedsReview).await, 1);
        assert_eq!(env.simulator.truth().len(), 0);
        // A person decides: it goes out once.
        let key = MessageKey { campaign: campaign.id, seq: 1 };
        messages::resolve(&env.engine, &env.admin, key, true).await.unwrap();
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 1);
        assert_eq!(bucket(&env, campaign.id, Bucket::Sent).await, 1);
    }

    async fn an_unknown_outcome_is_resent_where_the_campaign_says_so(env: TestEnv) {
        people(&env, 1).await;
        env.simulator.set_chaos(Chaos { server_error: 1.0, ..env.simulator.chaos() }).unwrap();
        let campaign = env.campaign().form(|form| form.unknown_policy = UnknownPolicy::Resend).launch().await;
        env.run_jobs().await;
        env.simulator.set_chaos(Chaos { server_error: 0.0, ..env.simulator.chaos() }).unwrap();
        env.advance(Duration::from_secs(32));
        env.sweep().await;
        env.advance(Duration::from_secs(2));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 1);
        assert_eq!(bucket(&env, campaign.id, Bucket::Sent).await, 1);
    }

    async fn a_list_that_fails_is_never_answered_by_a_send(env: TestEnv) {
        people(&env, 1).await;
        env.simulator.set_chaos(Chaos { server_error: 1.0, list_error: 1.0, ..env.simulator.chaos() }).unwrap();
        let campaign = env.campaign().form(|form| form.unknown_policy = UnknownPolicy::Resend).launch().await;
        env.run_jobs().await;
        for _ in 0..5 {
            env.advance(Duration::from_secs(40));
            env.sweep().await;
        }
        assert_eq!(bucket(&env, campaign.id, Bucket::Unknown).await, 1);
        assert_eq!(env.simulator.truth().len(), 0);
    }

    async fn a_callback_tells_of_an_unknown_outcome(env: TestEnv) {
        people(&env, 1).await;
        env.simulator.set_chaos(Chaos { server_error_after_accept: 1.0, ..env.simulator.chaos() }).unwrap();
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(bucket(&env, campaign.id, Bucket::Unknown).await, 1);
        let truth = env.simulator.truth();
        receipts::apply(&env.engine, &[report(&truth[0], "delivered")]).await.unwrap();
        let detail = messages::get(&env.engine, &env.admin, MessageKey { campaign: campaign.id, seq: 1 }).await.unwrap();
        assert_eq!(detail.row.state, State::Delivered);
        assert_eq!(detail.provider_sid.as_deref(), Some(truth[0].sid.as_str()));
        env.sweep().await;
        assert_eq!(status(&env, campaign.id).await, CampaignStatus::Completed);
    }

    async fn reports_in_any_order_and_number_end_alike(env: TestEnv) {
        people(&env, 6).await;
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        let orders: [[&str; 3]; 6] = [
            ["sending", "sent", "delivered"],
            ["sending", "delivered", "sent"],
            ["sent", "sending", "delivered"],
            ["sent", "delivered", "sending"],
            ["delivered", "sending", "sent"],
            ["delivered", "sent", "sending"],
        ];
        for (entry, order) in env.simulator.truth().iter().zip(orders) {
            for word in order {
                receipts::apply(&env.engine, &[report(entry, word), report(entry, word)]).await.unwrap();
            }
        }
        let query = MessageQuery { campaign: Some(campaign.id), ..MessageQuery::default() };
        let page = messages::list(&env.engine, &env.admin, &query, &PageRequest::default()).await.unwrap();
        assert_eq!(page.rows.len(), 6);
        assert!(page.rows.iter().all(|row| row.state == State::Delivered));
        assert_eq!(bucket(&env, campaign.id, Bucket::Sent).await, 6);
        let detail = messages::get(&env.engine, &env.admin, page.rows[0].key).await.unwrap();
        let reports = detail.exchanges.iter().filter(|exchange| exchange.kind == "status").count();
        assert_eq!(reports, 3, "each report is stored once");
    }

    async fn an_early_report_is_not_undone_by_the_answer(env: TestEnv) {
        people(&env, 1).await;
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        let truth = env.simulator.truth();
        receipts::apply(&env.engine, &[report(&truth[0], "read")]).await.unwrap();
        receipts::apply(&env.engine, &[report(&truth[0], "undelivered")]).await.unwrap();
        let detail = messages::get(&env.engine, &env.admin, MessageKey { campaign: campaign.id, seq: 1 }).await.unwrap();
        assert_eq!(detail.row.state, State::Read);
        assert!(detail.conflict);
    }

    async fn the_providers_opt_out_is_kept(env: TestEnv) {
        // Twilio's magic number of someone who opted out: 21610.
        let user = env.user("+15005550004").zone("America/New_York").opted_in(Channel::Sms).create().await;
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(bucket(&env, campaign.id, Bucket::Failed).await, 1);
        let detail = users::get(&env.engine, &env.admin, user.id).await.unwrap();
        let sms = detail.user.consents.iter().find(|consent| consent.channel == Channel::Sms).unwrap();
        assert_eq!(sms.state, ConsentState::OptedOut);
        let second = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(only_reason(&env, second.id).await.1, Gate::Consent);
    }

    async fn the_balance_is_what_the_rows_say(env: TestEnv) {
        people(&env, 9).await;
        env.user(&number(20)).create().await;
        env.simulator.set_chaos(Chaos { server_error: 0.4, ..env.simulator.chaos() }).unwrap();
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        let progress = campaigns::progress(&env.engine, &env.admin, campaign.id).await.unwrap();
        assert!(progress.balances());
        assert_eq!(progress.audience, 10);
        let recount = engine::states::recount(env.engine.db.read(), campaign.id).await.unwrap();
        assert_eq!(progress.states, recount);
        env.leave_jobs();
    }
}

/// A launch that cannot work says why, by field.
mod refused {
    use super::*;

    both! {
        async fn an_unknown_variable_cannot_be_launched(env: TestEnv) -> Result<()> {
            people(&env, 1).await;
            let template = env.template(Channel::Sms, "Hello {{ name }}").await;
            let draft = env.campaign().form(|form| form.template = Some(template.id)).create().await;
            // The template was fine when it was stored; a version with a variable that nobody has is forced in.
            let tx = env.engine.db.begin().await?;
            engine::db::exec(
                &tx,
                "UPDATE template_versions SET body = $2 WHERE template_id = $1",
                engine::values![template.id.0, "Hello {{ shoe_size }}"],
            ).await?;
            tx.commit().await?;
            let error = campaigns::launch(&env.engine, &env.admin, draft.id).await.unwrap_err();
            let problem = error.problem(None);
            assert_eq!(problem.errors[0].pointer, "/template");
            assert!(problem.errors[0].detail.contains("shoe_size"), "{problem:?}");
            assert_eq!(status(&env, draft.id).await, CampaignStatus::Draft);
            Ok(())
        }

        async fn an_empty_audience_cannot_be_launched(env: TestEnv) -> Result<()> {
            people(&env, 1).await;
            let draft = env.campaign().filter("name = \"Nobody\"").create().await;
            let error = campaigns::launch(&env.engine, &env.admin, draft.id).await.unwrap_err();
            assert_eq!(error.problem(None).errors[0].pointer, "/audience/filter");
            Ok(())
        }
    }
}
