//! People: made, changed, listed, found by what they write from.

use domain::{
    consent::ConsentState,
    operator::Role,
    page::PageRequest,
    phone::{Channel, parse_address},
    topic::{TopicForm, TopicKind},
    user::{TimelineKind, User, UserForm},
};
use engine::{Error, both, consents, subscriptions, testing::TestEnv, topics, users};
use std::collections::BTreeSet;

fn names(rows: &[User]) -> Vec<&str> {
    rows.iter().filter_map(|user| user.name.as_deref()).collect()
}

both! {
    async fn everyone_begins_without_consent_on_both_channels(env: TestEnv) {
        let ann = env.user("+12025550143").name("Ann").create().await;
        let states: Vec<_> = ann.consents.iter().map(|view| (view.channel, view.state, view.updated_at)).collect();
        assert_eq!(states, [
            (Channel::Sms, ConsentState::None, None),
            (Channel::Whatsapp, ConsentState::None, None)
        ]);
        let same = UserForm { phone: "+1 202 555 0143".into(), ..UserForm::default() };
        assert!(matches!(users::create(&env.engine, &env.admin, &same).await, Err(Error::Conflict { .. })));
        assert_eq!(users::list(&env.engine, &env.admin, "", &PageRequest::default()).await.unwrap().rows.len(), 1);
    }

    async fn lists_are_filtered_and_paged_newest_first(env: TestEnv) {
        for (n, name) in ["Ann", "Bo", "Cy", "Di", "Ed"].into_iter().enumerate() {
            let user = env.user(&format!("+1202555014{n}")).name(name).attribute("age", 20 + n);
            if n % 2 == 0 { user.opted_in(Channel::Sms).create().await } else { user.create().await };
        }
        let mut page = PageRequest { after: None, limit: 2 };
        let mut found = Vec::new();
        loop {
            let next = users::list(&env.engine, &env.admin, "", &page).await.unwrap();
            found.extend(next.rows);
            page.after = next.next;
            if page.after.is_none() { break }
        }
        assert_eq!(names(&found), ["Ed", "Di", "Cy", "Bo", "Ann"]);
        assert!(found.iter().all(|user| user.consents.len() == 2));
        let cases: &[(&str, &[&str])] = &[
            ("consent.sms = opted_in", &["Ed", "Cy", "Ann"]),
            ("age >= 22 and not consent.sms = opted_in", &["Di"]),
            ("name ~ \"b\"", &["Bo"]),
        ];
        for (filter, expected) in cases {
            let page = users::list(&env.engine, &env.admin, filter, &PageRequest::default()).await.unwrap();
            assert_eq!(names(&page.rows), *expected, "{filter}");
        }
        for (filter, part) in [("age >=", "At the end"), ("subscribed to \"nothing\"", "nothing")] {
            let error = users::list(&env.engine, &env.admin, filter, &PageRequest::default()).await.unwrap_err();
            assert!(matches!(&error, Error::Invalid { errors } if errors[0].pointer == "/filter"), "{error:?}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    async fn whoever_writes_is_found_or_made(env: TestEnv) {
        let ann = env.user("+12025550143").name("Ann").create().await;
        let tx = env.engine.db.begin().await.unwrap();
        let find = async |address: &str, name| {
            let address = parse_address(address).unwrap();
            users::find_or_create_by_address(&env.engine, &tx, &address, name).await.unwrap()
        };
        assert_eq!(find("+12025550143", Some("Someone")).await, ann.id);
        assert_eq!(find("whatsapp:+12025550143", None).await, ann.id);
        let bo = find("whatsapp:+12025550144", Some(" Bo ")).await;
        assert_eq!(find("+12025550144", None).await, bo);
        let hidden = find("whatsapp:DE.4566546130240823", None).await;
        assert_eq!(find("whatsapp:DE.4566546130240823", None).await, hidden);
        assert_eq!(BTreeSet::from([ann.id, bo, hidden]).len(), 3);
        tx.commit().await.unwrap();
        let bo = users::get(&env.engine, &env.admin, bo).await.unwrap().user;
        assert_eq!((bo.name.as_deref(), bo.consents.len()), (Some("Bo"), 2));
        assert_eq!(users::get(&env.engine, &env.admin, ann.id).await.unwrap().user.name.as_deref(), Some("Ann"));
    }

    async fn a_change_is_audited_without_name_and_number(env: TestEnv) {
        let ann = env.user("+12025550143").name("Ann").create().await;
        env.user("+12025550144").create().await;
        let form = |phone: &str| UserForm { phone: phone.into(), name: "Anna Secret".into(), zone: "Europe/Berlin".into(), ..UserForm::default() };
        let changed = users::update(&env.engine, &env.admin, ann.id, &form("+12025550143")).await.unwrap();
        assert_eq!((changed.name.as_deref(), changed.zone.as_deref()), (Some("Anna Secret"), Some("Europe/Berlin")));
        let taken = users::update(&env.engine, &env.admin, ann.id, &form("+12025550144")).await;
        assert!(matches!(taken, Err(Error::Conflict { .. })));
        let without = users::update(&env.engine, &env.admin, ann.id, &form("")).await;
        assert!(matches!(without, Err(Error::Invalid { .. })));
        let log = engine::audit::list(&env.engine, &env.admin, &PageRequest::default()).await.unwrap().rows;
        let log = serde_json::to_string(&log).unwrap();
        assert!(log.contains("user.update") && !log.contains("Secret") && !log.contains("5550143"), "{log}");
    }

    async fn a_persons_page_tells_everything(env: TestEnv) {
        let ann = env.user("+12025550143").name("Ann").opted_in(Channel::Sms).create().await;
        let form = TopicForm { key: "Offers".into(), name: "Offers".into(), kind: TopicKind::OptIn };
        let topic = topics::create(&env.engine, &env.admin, &form).await.unwrap();
        let choice = domain::topic::SubscriptionState::Subscribed;
        subscriptions::set(&env.engine, &env.admin, ann.id, topic.id, choice, "asked for it").await.unwrap();
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        let detail = users::get(&env.engine, &env.admin, ann.id).await.unwrap();
        assert_eq!(detail.ledger.len(), 2);
        assert!(detail.subscriptions[0].reached && detail.subscriptions[0].state == Some(choice));
        assert_eq!(detail.messages.len(), 1);
        assert_eq!(detail.messages[0].key.campaign, campaign.id);
        assert!(detail.possible_zones.contains(&"America/New_York".to_owned()), "{:?}", detail.possible_zones);
        let kinds: Vec<TimelineKind> = detail.timeline.iter().map(|entry| entry.kind).collect();
        for kind in [TimelineKind::Joined, TimelineKind::Consent, TimelineKind::Outbound, TimelineKind::Edited] {
            assert!(kinds.contains(&kind), "{kind:?} in {kinds:?}");
        }
        assert_eq!(topics::list(&env.engine, &env.admin).await.unwrap()[0].subscribed, 1);
    }

    async fn roles_hold(env: TestEnv) {
        let viewer = env.operator(Role::Viewer);
        let form = UserForm { phone: "+12025550143".into(), ..UserForm::default() };
        assert!(matches!(users::create(&env.engine, &viewer, &form).await, Err(Error::Forbidden { .. })));
        let ann = env.user("+12025550143").create().await;
        assert!(matches!(users::update(&env.engine, &viewer, ann.id, &form).await, Err(Error::Forbidden { .. })));
        let kind = domain::consent::ConsentKind::OptIn;
        let consent = consents::record(&env.engine, &viewer, ann.id, Channel::Sms, kind, "said so").await;
        assert!(matches!(consent, Err(Error::Forbidden { .. })));
        assert!(users::get(&env.engine, &viewer, ann.id).await.is_ok());
    }
}
