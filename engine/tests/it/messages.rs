//! Messages: found, shown, and decided on.

use domain::{
    campaign::{Campaign, CampaignStatus},
    compliance::Gate,
    ids::{CampaignId, MessageKey},
    message::{DecisionEntry, DecisionQuery, MessageQuery, MessageRow, State},
    operator::Role,
    page::PageRequest,
    phone::Channel,
    user::User,
};
use engine::{
    Error, both, campaigns, db, decisions, expansion,
    exports::Format,
    messages,
    receipts::{self, Receipt},
    states::{self, Move},
    testing::TestEnv,
    twilio::stored,
    users, values,
};
use futures::{StreamExt, TryStreamExt};

/// So many people who get SMS.
async fn people(env: &TestEnv, count: usize) -> Vec<User> {
    let mut people = Vec::new();
    for n in 0..count {
        people.push(env.user(&format!("+1202555{:04}", 110 + n)).opted_in(Channel::Sms).create().await);
    }
    people
}

/// So many people who never said anything.
async fn people_without_consent(env: &TestEnv, count: usize) -> Vec<User> {
    let mut people = Vec::new();
    for n in 0..count {
        people.push(env.user(&format!("+1202555{:04}", 110 + n)).create().await);
    }
    people
}

/// Everything that matches, read in pages of this size; no page may be longer.
async fn all(env: &TestEnv, query: &MessageQuery, limit: u32) -> Vec<MessageRow> {
    let mut rows = Vec::new();
    let mut page = PageRequest { after: None, limit };
    loop {
        let found = messages::list(&env.engine, &env.admin, query, &page).await.unwrap();
        assert!(found.rows.len() <= limit as usize);
        rows.extend(found.rows);
        match found.next {
            Some(next) => page.after = Some(next),
            None => return rows,
        }
    }
}

/// A running campaign whose audience was read, with nothing sent.
async fn expanded(env: &TestEnv) -> Campaign {
    let campaign = env.campaign().launch().await;
    env.take_jobs();
    expansion::run(&env.engine, campaign.id).await.unwrap();
    env.take_jobs();
    campaign
}

/// Puts a pending message into another state, as a run of bad luck would.
async fn put(env: &TestEnv, key: MessageKey, to: State) {
    let tx = env.engine.db.begin().await.unwrap();
    let current = states::lock(&tx, &[key]).await.unwrap()[&key];
    let moved = states::apply(&env.engine, &tx, &[Move::plain(&current, to)]).await.unwrap();
    assert!(moved.contains(&key));
    tx.commit().await.unwrap();
}

fn key(campaign: CampaignId, seq: i64) -> MessageKey {
    MessageKey { campaign, seq }
}

/// The ledger of decisions, read in pages of this size.
async fn decided(env: &TestEnv, query: &DecisionQuery, limit: u32) -> Vec<DecisionEntry> {
    let mut rows = Vec::new();
    let mut page = PageRequest { after: None, limit };
    loop {
        let found = decisions::list(&env.engine, &env.admin, query, &page).await.unwrap();
        assert!(found.rows.len() <= limit as usize);
        rows.extend(found.rows);
        match found.next {
            Some(next) => page.after = Some(next),
            None => return rows,
        }
    }
}

both! {
    async fn every_decision_is_found_by_campaign_gate_and_person(env: TestEnv) {
        let silent = people_without_consent(&env, 3).await;
        let one = env.user("+12025550190").opted_in(Channel::Sms).create().await;
        let first = env.campaign().filter("").launch().await;
        env.run_jobs().await;
        let second = env.campaign().filter("").launch().await;
        env.run_jobs().await;
        // A third has nobody to decide on.
        env.campaign().filter("phone = \"+12025550190\"").launch().await;
        env.run_jobs().await;
        let whole = decided(&env, &DecisionQuery::default(), 200).await;
        let campaigns: Vec<_> = whole.iter().map(|entry| entry.key.campaign).collect();
        assert_eq!(campaigns, [[second.id; 3], [first.id; 3]].concat());
        for limit in [1, 2, 3] {
            assert_eq!(decided(&env, &DecisionQuery::default(), limit).await, whole, "by {limit}");
        }
        let of = |campaign, gate, user| DecisionQuery { campaign, gate, user };
        assert_eq!(decided(&env, &of(Some(first.id), None, None), 2).await, whole[3..]);
        assert_eq!(decided(&env, &of(None, Some(Gate::Consent), None), 2).await, whole);
        assert_eq!(decided(&env, &of(Some(first.id), Some(Gate::QuietHours), None), 2).await, []);
        let of_one: Vec<_> = whole.iter().filter(|entry| entry.user_id == silent[0].id).cloned().collect();
        assert_eq!((of_one.len(), of_one[0].decision.verdict.as_str(), of_one[0].decision.gate), (2, "skip", Gate::Consent));
        assert_eq!(of_one[0].phone, silent[0].phone);
        assert_eq!(decided(&env, &of(None, None, Some(silent[0].id)), 1).await, of_one);
        assert_eq!(decided(&env, &of(Some(second.id), Some(Gate::Consent), Some(silent[0].id)), 1).await, of_one[..1]);
        assert_eq!(decided(&env, &of(None, None, Some(one.id)), 5).await, []);
        // Whoever was merged keeps what was decided on them; whoever is erased is named no more.
        users::merge(&env.engine, &env.admin, silent[0].id, one.id).await.unwrap();
        assert_eq!(decided(&env, &of(None, None, Some(one.id)), 5).await.len(), 2);
        users::remove(&env.engine, &env.admin, silent[1].id, users::After::Suppress).await.unwrap();
        let left = decided(&env, &DecisionQuery::default(), 200).await;
        assert!(left.iter().all(|entry| entry.phone != silent[1].phone), "{left:?}");
        for nonsense in ["", "1", "a.1.b", "1.2.3.4"] {
            let page = PageRequest { after: Some(nonsense.into()), limit: 5 };
            let refused = decisions::list(&env.engine, &env.admin, &DecisionQuery::default(), &page).await.unwrap_err();
            assert!(matches!(refused, Error::Invalid { .. }), "{nonsense}: {refused:?}");
        }
    }

    async fn pages_show_every_message_once_newest_first(env: TestEnv) {
        people(&env, 7).await;
        let (first, second) = (env.campaign().launch().await, env.campaign().launch().await);
        env.campaign().create().await;
        env.run_jobs().await;
        let expected: Vec<MessageKey> = [second.id, first.id]
            .into_iter()
            .flat_map(|campaign| (1..=7).rev().map(move |seq| key(campaign, seq)))
            .collect();
        for limit in [1, 3, 7, 14, 50] {
            let rows = all(&env, &MessageQuery::default(), limit).await;
            assert_eq!(rows.iter().map(|row| row.key).collect::<Vec<_>>(), expected, "pages of {limit}");
        }
        let query = MessageQuery { campaign: Some(first.id), ..MessageQuery::default() };
        for limit in [2, 7, 50] {
            let rows = all(&env, &query, limit).await;
            assert_eq!(rows.iter().map(|row| row.key).collect::<Vec<_>>(), expected[7..], "pages of {limit}");
        }
    }

    async fn filters_narrow_the_list(env: TestEnv) {
        let people = people(&env, 3).await;
        let silent = env.user("+12025550150").name("Bo").create().await;
        let campaign = env.campaign().launch().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        let check = async |query: MessageQuery, expected: usize| {
            for limit in [1, 50] {
                let rows = all(&env, &query, limit).await;
                assert_eq!(rows.len(), expected, "{query:?} in pages of {limit}");
            }
        };
        let any = MessageQuery::default();
        check(any.clone(), 8).await;
        check(MessageQuery { state: Some(State::Skipped), ..any.clone() }, 2).await;
        check(MessageQuery { state: Some(State::Expired), ..any.clone() }, 0).await;
        check(MessageQuery { state: Some(State::Skipped), campaign: Some(campaign.id), ..any.clone() }, 1).await;
        check(MessageQuery { user: Some(people[0].id), ..any.clone() }, 2).await;
        check(MessageQuery { user: Some(silent.id), state: Some(State::Skipped), ..any.clone() }, 2).await;
        check(MessageQuery { user: Some(people[0].id), state: Some(State::Skipped), ..any.clone() }, 0).await;
        check(MessageQuery { user: Some(people[0].id), campaign: Some(campaign.id), ..any.clone() }, 1).await;
        check(MessageQuery { gate: Some(Gate::Consent), ..any.clone() }, 2).await;
        check(MessageQuery { gate: Some(Gate::Consent), state: Some(State::Delivered), ..any.clone() }, 0).await;
        check(MessageQuery { gate: Some(Gate::Consent), user: Some(silent.id), ..any.clone() }, 2).await;
        check(MessageQuery { gate: Some(Gate::QuietHours), ..any.clone() }, 0).await;
        check(MessageQuery { error: Some(30003), ..any.clone() }, 0).await;
        let key = all(&env, &MessageQuery { state: Some(State::Skipped), ..any.clone() }, 50).await[0].key;
        for sql in [
            "UPDATE messages SET error_code = 30003 WHERE campaign_id = $1 AND seq = $2",
            "INSERT INTO error_stats (campaign_id, code, count) SELECT campaign_id, 30003, 1 FROM messages WHERE campaign_id = $1 AND seq = $2",
        ] {
            let tx = env.engine.db.begin().await.unwrap();
            db::exec(&tx, sql, values![key.campaign.0, key.seq]).await.unwrap();
            tx.commit().await.unwrap();
        }
        check(MessageQuery { error: Some(30003), ..any.clone() }, 1).await;
        check(MessageQuery { error: Some(30003), user: Some(silent.id), ..any.clone() }, 1).await;
        check(MessageQuery { error: Some(30003), user: Some(people[0].id), ..any.clone() }, 0).await;
        let later = env.engine.clock.now() + chrono::Duration::seconds(1);
        check(MessageQuery { since: Some(later), ..any.clone() }, 0).await;
        check(MessageQuery { until: Some(later), ..any.clone() }, 8).await;
        check(MessageQuery { until: Some(later), user: Some(people[0].id), ..any.clone() }, 2).await;
        check(MessageQuery { since: Some(later), user: Some(people[0].id), ..any.clone() }, 0).await;
        let parts: Vec<bytes::Bytes> = messages::export(&env.engine, &env.admin, campaign.id, Format::Csv)
            .await
            .unwrap()
            .boxed()
            .try_collect()
            .await
            .unwrap();
        let file = String::from_utf8(parts.concat()).unwrap();
        let expected = all(&env, &MessageQuery { campaign: Some(campaign.id), ..any.clone() }, 50).await.len();
        assert_eq!(file.lines().count(), 1 + expected, "{file}");
        assert!(file.contains(",skipped,"), "{file}");
        let row = &all(&env, &MessageQuery { gate: Some(Gate::Consent), ..any.clone() }, 50).await[0];
        assert_eq!((row.user_id, row.user_name.as_deref(), row.state), (silent.id, Some("Bo"), State::Skipped));
        let reason = row.reason.as_deref().unwrap_or_default();
        assert!(reason.starts_with(Gate::Consent.label()), "{reason}");
        let nonsense = PageRequest::after(Some("nonsense".to_owned()));
        let refused = messages::list(&env.engine, &env.admin, &any, &nonsense).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })));
    }

    async fn a_sent_message_shows_its_life_and_its_very_text(env: TestEnv) {
        let user = env.user("+12025550143").name("Ada").opted_in(Channel::Sms).create().await;
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        let truth = env.simulator.truth();
        assert_eq!(truth.len(), 1);
        let key = key(campaign.id, 1);
        let report = format!(
            "MessageSid={}&MessageStatus=undelivered&ErrorCode=30007&AccountSid={}",
            truth[0].sid,
            simulator::ACCOUNT_SID
        );
        let callback = stored::status(&report).unwrap();
        receipts::apply(&env.engine, &[Receipt { key: Some((key, 1)), callback, raw: report }]).await.unwrap();
        let detail = messages::get(&env.engine, &env.admin, key).await.unwrap();
        assert_eq!(detail.text.as_deref(), Some("Hello Ada"));
        assert_eq!(detail.provider_sid.as_deref(), Some(truth[0].sid.as_str()));
        assert_eq!((detail.row.user_id, detail.row.state), (user.id, State::Undelivered));
        assert_eq!(detail.row.error_code, Some(30007));
        assert!(detail.row.error_text.is_some());
        assert!(!detail.conflict && !detail.duplicate);
        let titles: Vec<&str> = detail.history.iter().map(|entry| entry.title.as_str()).collect();
        assert_eq!(titles, ["Attempt 1", "Attempt 1: accepted", "Reported: Undelivered"]);
        let kinds: Vec<&str> = detail.exchanges.iter().map(|exchange| exchange.kind.as_str()).collect();
        assert_eq!(kinds, ["create", "status"]);
    }

    async fn an_unsent_message_shows_the_text_that_it_would_have(env: TestEnv) {
        env.user("+12025550143").name("Ada").opted_in(Channel::Sms).create().await;
        let campaign = expanded(&env).await;
        let detail = messages::get(&env.engine, &env.admin, key(campaign.id, 1)).await.unwrap();
        assert_eq!((detail.text.as_deref(), detail.row.state), (Some("Hello Ada"), State::Pending));
        assert_eq!((detail.provider_sid, detail.history), (None, Vec::new()));
        let missing = messages::get(&env.engine, &env.admin, key(campaign.id, 2)).await;
        assert!(matches!(missing, Err(Error::NotFound { .. })));
    }

    async fn a_message_sent_again_opens_its_campaign_again(env: TestEnv) {
        people(&env, 1).await;
        let campaign = expanded(&env).await;
        let key = key(campaign.id, 1);
        put(&env, key, State::NeedsReview).await;
        env.sweep().await;
        let status = async || campaigns::get(&env.engine, &env.admin, campaign.id).await.unwrap().campaign.status;
        assert_eq!(status().await, CampaignStatus::Completed);
        assert_eq!(env.simulator.truth().len(), 0);

        let detail = messages::resolve(&env.engine, &env.admin, key, true).await.unwrap();
        assert_eq!(detail.row.state, State::Pending);
        assert_eq!(detail.history.last().map(|entry| entry.title.as_str()), Some("Sent again"));
        assert_eq!(status().await, CampaignStatus::Running);
        let twice = messages::resolve(&env.engine, &env.admin, key, true).await;
        assert!(matches!(twice, Err(Error::Conflict { .. })));
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 1);
        assert_eq!(status().await, CampaignStatus::Completed);
        let progress = campaigns::progress(&env.engine, &env.admin, campaign.id).await.unwrap();
        assert!(progress.balances());
    }

    async fn a_message_closed_is_not_sent(env: TestEnv) {
        people(&env, 1).await;
        let campaign = expanded(&env).await;
        let key = key(campaign.id, 1);
        put(&env, key, State::NeedsReview).await;
        let detail = messages::resolve(&env.engine, &env.admin, key, false).await.unwrap();
        assert_eq!(detail.row.state, State::Expired);
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 0);
        let again = messages::resolve(&env.engine, &env.admin, key, true).await;
        assert!(matches!(again, Err(Error::Conflict { .. })));
    }

    async fn a_message_whose_outcome_is_unknown_may_be_sent_again_but_not_closed(env: TestEnv) {
        people(&env, 1).await;
        let campaign = expanded(&env).await;
        let key = key(campaign.id, 1);
        put(&env, key, State::Unknown).await;
        let closed = messages::resolve(&env.engine, &env.admin, key, false).await;
        assert!(matches!(closed, Err(Error::Conflict { .. })));
        messages::resolve(&env.engine, &env.admin, key, true).await.unwrap();
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 1);
    }

    async fn a_canceled_campaign_sends_nothing_again(env: TestEnv) {
        people(&env, 1).await;
        let campaign = expanded(&env).await;
        let key = key(campaign.id, 1);
        put(&env, key, State::NeedsReview).await;
        campaigns::cancel(&env.engine, &env.admin, campaign.id).await.unwrap();
        env.run_jobs().await;
        let refused = messages::resolve(&env.engine, &env.admin, key, true).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })));
        let detail = messages::get(&env.engine, &env.admin, key).await.unwrap();
        assert_eq!(detail.row.state, State::NeedsReview);
    }

    async fn only_those_who_may_decide_on_a_message(env: TestEnv) {
        people(&env, 1).await;
        let campaign = expanded(&env).await;
        let key = key(campaign.id, 1);
        put(&env, key, State::NeedsReview).await;
        for role in [Role::Viewer, Role::Agent] {
            let refused = messages::resolve(&env.engine, &env.operator(role), key, true).await;
            assert!(matches!(refused, Err(Error::Forbidden { .. })), "{role}");
            assert!(messages::get(&env.engine, &env.operator(role), key).await.is_ok(), "{role}");
        }
    }
}
