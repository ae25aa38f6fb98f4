//! The consent ledger: who may move it, and that its fold is what stands in the tables.

use domain::{
    consent::{ConsentKind, ConsentSource, ConsentState},
    phone::Channel,
    topic::{SubscriptionState, TopicForm, TopicKind},
};
use engine::{Error, both, consents, consents::Entry, db, subscriptions, testing::TestEnv, topics, users, values};
use uuid::Uuid;

fn entry(user: domain::ids::UserId, kind: ConsentKind, source: ConsentSource, sender: Option<&str>) -> Entry<'_> {
    Entry { user, channel: Channel::Sms, topic: None, kind, source, sender, evidence: "a test" }
}

both! {
    async fn the_ledger_is_folded_and_agrees_with_the_tables(env: TestEnv) {
        use ConsentKind::{OptIn, OptOut};
        use ConsentSource::{Import, Keyword, Operator};
        let ann = env.user("+12025550143").create().await.id;
        // What is said, the state after it, and how many entries the ledger then has.
        let steps = [
            (OptIn, Import, None, ConsentState::OptedIn, 1),
            (OptIn, Import, None, ConsentState::OptedIn, 1),
            (OptOut, Keyword, Some("+1"), ConsentState::OptedOut, 2),
            (OptOut, Keyword, Some("+1"), ConsentState::OptedOut, 3),
            (OptIn, Import, None, ConsentState::OptedOut, 3),
            (OptIn, Keyword, Some("+2"), ConsentState::OptedOut, 4),
            (OptOut, Keyword, Some("+2"), ConsentState::OptedOut, 5),
            (OptIn, Operator, None, ConsentState::OptedIn, 6),
        ];
        for (at, (kind, source, sender, state, entries)) in steps.into_iter().enumerate() {
            let tx = env.engine.db.begin().await.unwrap();
            consents::append(&env.engine, &tx, entry(ann, kind, source, sender)).await.unwrap();
            tx.commit().await.unwrap();
            let detail = users::get(&env.engine, &env.admin, ann).await.unwrap();
            assert_eq!((detail.user.consents[0].state, detail.ledger.len()), (state, entries), "step {at}");
            assert_eq!(detail.user.consents[1].state, ConsentState::None);
            assert_eq!(consents::refold(&env.engine).await.unwrap(), [], "step {at}");
        }
    }

    async fn a_table_that_was_tampered_with_is_found(env: TestEnv) {
        let ann = env.user("+12025550143").opted_in(Channel::Sms).create().await.id;
        env.user("+12025550144").create().await;
        let tx = env.engine.db.begin().await.unwrap();
        let sql = "UPDATE consents SET state = 'opted_in' WHERE user_id = $1 AND channel = 'whatsapp'";
        db::exec(&tx, sql, values![ann.0]).await.unwrap();
        tx.commit().await.unwrap();
        let differences = consents::refold(&env.engine).await.unwrap();
        assert_eq!(differences.len(), 1);
        assert_eq!((differences[0].user, differences[0].folded.as_deref()), (ann, Some("none")));
    }

    async fn an_entry_made_by_a_slow_clock_still_comes_after(env: TestEnv) {
        let ann = env.user("+12025550143").create().await.id;
        let tx = env.engine.db.begin().await.unwrap();
        consents::append(&env.engine, &tx, entry(ann, ConsentKind::OptIn, ConsentSource::Operator, None)).await.unwrap();
        // Another process, an age ahead of this one, wrote the latest entry.
        let ahead = Uuid::from_u128(u128::MAX / 2);
        db::exec(&tx, "UPDATE consents SET event_id = $2 WHERE user_id = $1", values![ann.0, ahead]).await.unwrap();
        consents::append(&env.engine, &tx, entry(ann, ConsentKind::OptOut, ConsentSource::Keyword, Some("+1"))).await.unwrap();
        tx.commit().await.unwrap();
        let ledger = users::get(&env.engine, &env.admin, ann).await.unwrap().ledger;
        assert!(ledger[0].kind == ConsentKind::OptOut && ledger[0].id.0 > ahead);
    }

    async fn an_operator_needs_evidence(env: TestEnv) {
        let ann = env.user("+12025550143").create().await.id;
        let record = async |kind, evidence: &str| {
            consents::record(&env.engine, &env.admin, ann, Channel::Sms, kind, evidence).await
        };
        assert!(matches!(record(ConsentKind::OptIn, " ").await, Err(Error::Invalid { .. })));
        assert!(matches!(record(ConsentKind::Subscribe, "x").await, Err(Error::Invalid { .. })));
        assert_eq!(record(ConsentKind::OptIn, "by phone").await.unwrap().consents[0].state, ConsentState::OptedIn);
        assert!(matches!(record(ConsentKind::OptIn, "by phone").await, Err(Error::Conflict { .. })));
    }

    async fn a_choice_on_a_topic_moves_no_channel(env: TestEnv) {
        let ann = env.user("+12025550143").create().await.id;
        let form = TopicForm { key: "offers".into(), name: "Offers".into(), kind: TopicKind::OptOut };
        let topic = topics::create(&env.engine, &env.admin, &form).await.unwrap();
        for (state, reached) in [
            (SubscriptionState::Unsubscribed, false),
            (SubscriptionState::Unsubscribed, false),
            (SubscriptionState::Subscribed, true),
        ] {
            subscriptions::set(&env.engine, &env.admin, ann, topic.id, state, "told us").await.unwrap();
            let detail = users::get(&env.engine, &env.admin, ann).await.unwrap();
            assert_eq!((detail.subscriptions[0].state, detail.subscriptions[0].reached), (Some(state), reached));
            assert_eq!(detail.user.consents[0].state, ConsentState::None);
        }
        assert_eq!(users::get(&env.engine, &env.admin, ann).await.unwrap().ledger.len(), 2);
        assert_eq!(consents::refold(&env.engine).await.unwrap(), []);
        let nowhere = env.engine.clock.new_id();
        let missing = subscriptions::set(&env.engine, &env.admin, ann, nowhere, SubscriptionState::Subscribed, "x").await;
        assert!(matches!(missing, Err(Error::NotFound { what: "topic" })));
    }

    async fn the_ledger_refuses_changes(env: TestEnv) {
        env.user("+12025550143").opted_in(Channel::Sms).create().await;
        let tx = env.engine.db.begin().await.unwrap();
        assert!(db::exec(&tx, "UPDATE consent_events SET kind = 'opt_out'", Vec::new()).await.is_err());
    }
}
