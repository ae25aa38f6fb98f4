//! One person's record as a whole: merged, exported, erased, decided on by the person themselves.

use domain::{
    campaign::CampaignForm,
    consent::{ConsentKind, ConsentSource, ConsentState},
    ids::UserId,
    message::State,
    page::PageRequest,
    phone::{Channel, parse_address},
    preferences::PreferenceForm,
    topic::{SubscriptionState, TopicForm, TopicKind},
    user::{TimelineKind, User, UserForm},
};
use engine::{
    Client, Error, both, consents, db, exports::Format, preferences, subscriptions, testing::TestEnv, topics, users,
    values,
};
use futures::{StreamExt, TryStreamExt};
use std::time::Duration;

async fn detail(env: &TestEnv, id: UserId) -> domain::user::UserDetail {
    users::get(&env.engine, &env.admin, id).await.unwrap()
}

fn state(user: &User, channel: Channel) -> ConsentState {
    user.consents.iter().find(|view| view.channel == channel).unwrap().state
}

async fn topic(env: &TestEnv, key: &str, kind: TopicKind) -> domain::topic::Topic {
    let form = TopicForm { key: key.into(), name: key.to_uppercase(), kind };
    topics::create(&env.engine, &env.admin, &form).await.unwrap()
}

async fn count(env: &TestEnv, sql: &str) -> i64 {
    db::scalar(env.engine.db.read(), sql, values![]).await.unwrap().unwrap()
}

both! {
    async fn a_history_is_read_to_its_end_page_by_page(env: TestEnv) {
        let person = env.user("+12025550147").name("Ann").opted_in(Channel::Sms).create().await;
        // Several things of one instant, then some of another.
        for round in 0..3 {
            for n in 0..4 {
                let kind = if n % 2 == 0 { ConsentKind::OptOut } else { ConsentKind::OptIn };
                consents::record(&env.engine, &env.admin, person.id, Channel::Sms, kind, &format!("said so {round}.{n}")).await.unwrap();
                let name = format!("Ann {round}.{n}");
                users::upsert(&env.engine, &env.admin, &UserForm { phone: "+12025550147".into(), name, ..UserForm::default() }).await.unwrap();
            }
            env.engine.clock.advance(Duration::from_secs(1));
        }
        let whole = detail(&env, person.id).await;
        assert!(whole.timeline.len() > 20, "{:?}", whole.timeline);
        assert!(whole.timeline.is_sorted_by(|a, b| a.at >= b.at), "{:?}", whole.timeline);
        for limit in [1, 2, 3, 7, 200] {
            let (mut page, mut entries, mut pages) = (PageRequest { after: None, limit }, Vec::new(), 0);
            loop {
                let found = users::timeline(&env.engine, &env.admin, person.id, &page).await.unwrap();
                assert!(!found.rows.is_empty(), "a page that nobody needs");
                entries.extend(found.rows);
                pages += 1;
                let Some(next) = found.next else { break };
                page.after = Some(next);
            }
            assert_eq!(entries, whole.timeline, "by {limit}");
            assert_eq!(pages, whole.timeline.len().div_ceil(limit as usize));
            let (mut page, mut ledger) = (PageRequest { after: None, limit }, Vec::new());
            loop {
                let found = users::ledger(&env.engine, &env.admin, person.id, &page).await.unwrap();
                ledger.extend(found.rows);
                let Some(next) = found.next else { break };
                page.after = Some(next);
            }
            assert_eq!(ledger, whole.ledger, "by {limit}");
        }
        for nonsense in ["", "x", "1", "1.x", "x.1", "1.-1", "1.99999999"] {
            let page = PageRequest { after: Some(nonsense.into()), limit: 5 };
            let refused = users::timeline(&env.engine, &env.admin, person.id, &page).await.unwrap_err();
            assert!(matches!(refused, Error::Invalid { .. }), "{nonsense}: {refused:?}");
        }
    }

    async fn merging_keeps_both_histories_and_the_stricter_consent(env: TestEnv) {
        let news = topic(&env, "news", TopicKind::OptOut).await;
        let old = env.user("+12025550141").name("Ann Lee").attribute("city", "Bonn").opted_out(Channel::Sms).create().await;
        let new = env.user("+12025550142").name("Ann").attribute("plan", "gold").opted_in(Channel::Sms).create().await;
        let left = SubscriptionState::Unsubscribed;
        subscriptions::set(&env.engine, &env.admin, old.id, news.id, left, "told us").await.unwrap();
        let form = UserForm { phone: "+12025550141".into(), name: "Ann Lea".into(), ..UserForm::default() };
        users::update(&env.engine, &env.admin, old.id, &form).await.unwrap();
        let merged = users::merge(&env.engine, &env.admin, old.id, new.id).await.unwrap();
        assert_eq!((merged.name.as_deref(), merged.attributes.len()), (Some("Ann"), 2));
        assert_eq!(state(&merged, Channel::Sms), ConsentState::OptedOut);
        let seen = detail(&env, new.id).await;
        assert_eq!(seen.subscriptions[0].state, Some(left));
        // What the log of acts says of the one who is gone is told of the one who is left.
        let told: Vec<_> = seen.timeline.iter().filter(|entry| entry.kind == TimelineKind::Edited).collect();
        assert!(told.iter().any(|entry| entry.title.starts_with("Changed by")), "{told:?}");
        // Both ledgers are there, and the entry that the merge made.
        let sources: Vec<_> = seen.ledger.iter().map(|event| event.user_id).collect();
        assert!(sources.len() >= 4, "{:?}", seen.ledger);
        assert_eq!(consents::refold(&env.engine).await.unwrap(), []);
        // Whoever writes from the old number is found as the one they became.
        let address = parse_address("+12025550141").unwrap();
        let tx = env.engine.db.begin().await.unwrap();
        let found = users::find_or_create_by_address(&env.engine, &tx, &address, None).await.unwrap();
        assert_eq!(found, new.id);
        tx.commit().await.unwrap();
        let again = users::merge(&env.engine, &env.admin, old.id, new.id).await;
        assert!(matches!(again, Err(Error::Conflict { .. })));
        let self_merge = users::merge(&env.engine, &env.admin, new.id, new.id).await;
        assert!(matches!(self_merge, Err(Error::Conflict { .. })));
    }

    async fn consent_comes_along_only_with_its_address(env: TestEnv) {
        let by_phone = env.user("+12025550141").opted_in(Channel::Sms).create().await;
        let other = env.user("+12025550142").create().await;
        let merged = users::merge(&env.engine, &env.admin, by_phone.id, other.id).await.unwrap();
        assert_eq!(state(&merged, Channel::Sms), ConsentState::None);
        let tx = env.engine.db.begin().await.unwrap();
        let address = parse_address("whatsapp:DE.4566546130240823").unwrap();
        let by_id = users::find_or_create_by_address(&env.engine, &tx, &address, None).await.unwrap();
        tx.commit().await.unwrap();
        let with_phone = env.user("+12025550143").opted_in(Channel::Whatsapp).create().await;
        let merged = users::merge(&env.engine, &env.admin, with_phone.id, by_id).await.unwrap();
        assert_eq!(merged.phone.as_ref().map(|phone| phone.as_str()), Some("+12025550143"));
        assert_eq!(state(&merged, Channel::Whatsapp), ConsentState::OptedIn);
    }

    async fn erasing_leaves_a_hash_and_nothing_else(env: TestEnv) {
        let ann = env.user("+12025550141").name("Ann Secret").opted_in(Channel::Sms).create().await;
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        assert!(count(&env, "SELECT count(*) AS value FROM event_payloads").await > 0);
        users::remove(&env.engine, &env.admin, ann.id, users::After::Suppress).await.unwrap();
        assert!(matches!(users::get(&env.engine, &env.admin, ann.id).await, Err(Error::NotFound { .. })));
        for table in ["users", "consents", "consent_events", "event_payloads"] {
            assert_eq!(count(&env, &format!("SELECT count(*) AS value FROM {table}")).await, 0, "{table}");
        }
        assert_eq!(count(&env, "SELECT count(*) AS value FROM suppressions").await, 2);
        assert!(count(&env, "SELECT count(*) AS value FROM event_tombstones").await > 0);
        // The message keeps its place in the balance.
        let messages = count(&env, "SELECT count(*) AS value FROM messages").await;
        let rollup = count(&env, "SELECT CAST(coalesce(sum(count), 0) AS bigint) AS value FROM campaign_stats").await;
        assert_eq!((messages, rollup), (1, 1));
        // Nothing that names the person is left in the log of acts, either.
        let named = "SELECT count(*) AS value FROM audit WHERE CAST(after AS text) LIKE '%Secret%' OR CAST(after AS text) LIKE '%2025550141%'";
        assert_eq!(count(&env, named).await, 0);
        // Brought back by someone who does not know, the person is still not messaged.
        env.user("+12025550141").opted_in(Channel::Sms).create().await;
        let second = env.campaign().launch().await;
        env.run_jobs().await;
        assert_ne!(second.id, campaign.id);
        let skipped = format!("SELECT count(*) AS value FROM messages WHERE state = {} AND seq > 0", State::Skipped.rank());
        assert_eq!(count(&env, &skipped).await, 1);
    }

    async fn deleting_leaves_nothing_behind(env: TestEnv) {
        let ann = env.user("+12025550141").create().await;
        users::remove(&env.engine, &env.admin, ann.id, users::After::Nothing).await.unwrap();
        assert_eq!(count(&env, "SELECT count(*) AS value FROM suppressions").await, 0);
        let agent = env.operator(domain::operator::Role::Agent);
        let bo = env.user("+12025550142").create().await;
        let refused = users::remove(&env.engine, &agent, bo.id, users::After::Nothing).await;
        assert!(matches!(refused, Err(Error::Forbidden { .. })));
    }

    async fn everything_that_is_held_is_in_the_export(env: TestEnv) {
        let ann = env.user("+12025550141").name("Ann").opted_in(Channel::Sms).create().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        let document = users::export(&env.engine, &env.admin, ann.id).await.unwrap();
        assert_eq!(document["user"]["phone"], "+12025550141");
        assert_eq!(document["consent_ledger"][0]["kind"], "opt_in");
        assert_eq!(document["messages"].as_array().unwrap().len(), 1);
        // Also the words that were sent.
        let sent = document["provider_exchanges"][0]["payload"].as_str().unwrap();
        assert!(sent.contains("Body=") && sent.contains("12025550141"), "{sent}");
        let campaign = document["messages"][0]["campaign_id"].as_str().unwrap();
        assert!(campaign.parse::<domain::ids::CampaignId>().is_ok(), "{campaign}");
        let viewer = env.operator(domain::operator::Role::Viewer);
        assert!(matches!(users::export(&env.engine, &viewer, ann.id).await, Err(Error::Forbidden { .. })));
    }

    async fn lists_are_exported_whole_and_defused(env: TestEnv) {
        env.user("+12025550141").name("=1+1").attribute("city", "Bonn").create().await;
        env.user("+12025550142").name("Bo").create().await;
        let read = async |filter: &str, format| {
            let stream = users::export_list(&env.engine, &env.admin, filter, format).await.unwrap();
            let parts: Vec<bytes::Bytes> = stream.boxed().try_collect().await.unwrap();
            String::from_utf8(parts.concat()).unwrap()
        };
        let csv = read("", Format::Csv).await;
        assert_eq!(csv.lines().count(), 3, "{csv}");
        assert!(csv.contains(",'=1+1,") && csv.contains(",'+12025550141,"), "{csv}");
        let lines = read("name = \"Bo\"", Format::JsonLines).await;
        let people: Vec<User> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(people.iter().map(|user| user.name.as_deref()).collect::<Vec<_>>(), [Some("Bo")]);
        let bad = users::export_list(&env.engine, &env.admin, "name =", Format::Csv).await;
        assert!(matches!(bad.err(), Some(Error::Invalid { .. })));
    }

    async fn a_receipt_is_signed_and_shows_what_was_agreed(env: TestEnv) {
        let ann = env.user("+12025550141").opted_in(Channel::Sms).create().await;
        let receipt = consents::receipt(&env.engine, &env.admin, ann.id).await.unwrap();
        assert!(receipt.payload.contains("+12025550141") && receipt.payload.contains("opt_in"));
        assert!(consents::verify_receipt(&env.engine, &receipt).await.unwrap());
        let mut forged = receipt.clone();
        forged.payload = forged.payload.replace("opt_in", "opt_ou");
        assert!(!consents::verify_receipt(&env.engine, &forged).await.unwrap());
        forged.payload = receipt.payload;
        forged.signature = "AAAA".into();
        assert!(!consents::verify_receipt(&env.engine, &forged).await.unwrap());
    }

    async fn people_decide_on_their_own_page(env: TestEnv) {
        let (news, offers) = (topic(&env, "news", TopicKind::OptOut).await, topic(&env, "offers", TopicKind::OptIn).await);
        let ann = env.user("+12025550141").name("Ann").opted_in(Channel::Sms).create().await;
        let template = env.template(Channel::Sms, "Hi {{ name }}: {{ preferences_url }}").await;
        let sender = env.sender(Channel::Sms).await.id;
        let form = CampaignForm { template: Some(template.id), sender: Some(sender), ..CampaignForm::default() };
        let sample = engine::delivery::rehearse(&env.engine, &form, &[ann.id]).await.unwrap().remove(0);
        let text = sample.text.unwrap();
        let link = text.rsplit("/p/").next().unwrap().to_owned();
        let view = preferences::open(&env.engine, &link).await.unwrap();
        assert_eq!(view.channels, [(Channel::Sms, ConsentState::OptedIn), (Channel::Whatsapp, ConsentState::None)]);
        assert_eq!(view.topics.iter().map(|topic| topic.reached).collect::<Vec<_>>(), [true, false]);
        let client = Client { address: Some("192.0.2.7".into()), ..Client::default() };
        let wish = PreferenceForm { token: view.token, channels: vec![Channel::Whatsapp], topics: vec![offers.id], nothing: false };
        preferences::save(&env.engine, &link, &wish, &client).await.unwrap();
        let seen = detail(&env, ann.id).await;
        assert_eq!(state(&seen.user, Channel::Sms), ConsentState::OptedOut);
        assert_eq!(state(&seen.user, Channel::Whatsapp), ConsentState::OptedIn);
        assert!(seen.ledger.iter().any(|event| event.source == ConsentSource::Preferences && event.topic_id == Some(news.id)));
        // A form is good once, and for a quarter of an hour.
        let again = preferences::save(&env.engine, &link, &wish, &client).await;
        assert!(matches!(again, Err(Error::Conflict { .. })));
        let view = preferences::open(&env.engine, &link).await.unwrap();
        env.advance(Duration::from_secs(16 * 60));
        let late = PreferenceForm { token: view.token, nothing: true, ..PreferenceForm::default() };
        assert!(matches!(preferences::save(&env.engine, &link, &late, &client).await, Err(Error::Conflict { .. })));
        let view = preferences::open(&env.engine, &link).await.unwrap();
        let stop = PreferenceForm { token: view.token, nothing: true, ..PreferenceForm::default() };
        preferences::save(&env.engine, &link, &stop, &client).await.unwrap();
        let seen = detail(&env, ann.id).await.user;
        assert!(seen.consents.iter().all(|view| view.state == ConsentState::OptedOut));
        assert_eq!(consents::refold(&env.engine).await.unwrap(), []);
        for forged in ["", "x", &link[..link.len() - 2], &format!("B{}", &link[1..])] {
            assert!(matches!(preferences::open(&env.engine, forged).await, Err(Error::NotFound { .. })), "{forged}");
        }
    }

    async fn withdrawn_evidence_lowers_and_never_raises(env: TestEnv) {
        let ann = env.user("+12025550141").opted_in(Channel::Sms).create().await;
        let withdrawn = consents::record(&env.engine, &env.admin, ann.id, Channel::Sms, ConsentKind::Withdraw, "the form was forged").await;
        assert_eq!(state(&withdrawn.unwrap(), Channel::Sms), ConsentState::None);
        let again = consents::record(&env.engine, &env.admin, ann.id, Channel::Sms, ConsentKind::Withdraw, "the form was forged").await;
        assert!(matches!(again, Err(Error::Conflict { .. })));
    }
}
