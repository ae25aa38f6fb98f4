//! The suppression list as a page, topics that change and go, and the question why.

use domain::{
    campaign::Place,
    compliance::{Answer, Gate},
    operator::Role,
    page::PageRequest,
    phone::Channel,
    topic::{SubscriptionState, TopicForm, TopicKind},
    user::UserForm,
};
use engine::{Error, both, campaigns, segments, subscriptions, suppressions, testing::TestEnv, topics, users};
use std::time::Duration;

const ANN: &str = "+12025550143";

fn form(key: &str, name: &str, kind: TopicKind) -> TopicForm {
    TopicForm { key: key.into(), name: name.into(), kind }
}

both! {
    async fn a_suppressed_number_gets_nothing_until_it_is_taken_off(env: TestEnv) {
        let engine = &env.engine;
        let ann = env.user(ANN).opted_in(Channel::Sms).create().await.id;
        assert_eq!(suppressions::look_up(engine, &env.admin, ANN).await.unwrap(), []);
        let none = suppressions::suppress(engine, &env.admin, ANN, " ").await;
        assert!(matches!(none, Err(Error::Invalid { .. })));
        let entries = suppressions::suppress(engine, &env.admin, ANN, "asked by letter").await.unwrap();
        assert_eq!(entries.len(), Channel::ALL.len());
        let suppressed = async || users::get(engine, &env.admin, ann).await.unwrap().suppressed;
        assert_eq!(suppressed().await, entries);
        env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 0);
        let marketer = env.operator(Role::Marketer);
        for entry in &entries {
            let refused = suppressions::lift(engine, &marketer, &entry.hash, "mistake").await;
            assert!(matches!(refused, Err(Error::Forbidden { .. })));
            suppressions::lift(engine, &env.admin, &entry.hash, "mistake").await.unwrap();
        }
        assert_eq!(suppressed().await, []);
        let again = suppressions::lift(engine, &env.admin, &entries[0].hash, "mistake").await;
        assert!(matches!(again, Err(Error::NotFound { .. })));
        env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 1);
    }

    async fn the_list_pages_from_the_newest_on(env: TestEnv) {
        for n in 0..5 {
            let number = format!("+120255501{n:02}");
            suppressions::suppress(&env.engine, &env.admin, &number, &format!("letter {n}")).await.unwrap();
            env.advance(Duration::from_secs(60));
        }
        let mut seen = Vec::new();
        let mut page = PageRequest { after: None, limit: 3 };
        loop {
            let found = suppressions::list(&env.engine, &env.admin, &page).await.unwrap();
            seen.extend(found.rows.into_iter().map(|entry| entry.reason));
            match found.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        let expected: Vec<String> = (0..5).rev().flat_map(|n| [format!("letter {n}"), format!("letter {n}")]).collect();
        assert_eq!(seen, expected);
        let none = PageRequest { after: Some("x".into()), limit: 3 };
        assert!(matches!(suppressions::list(&env.engine, &env.admin, &none).await, Err(Error::Invalid { .. })));
    }

    async fn a_topic_changes_its_name_and_kind_and_goes_unless_it_is_needed(env: TestEnv) {
        let engine = &env.engine;
        let make = async |key| topics::create(engine, &env.admin, &form(key, key, TopicKind::OptIn)).await.unwrap();
        let (offers, news, rain) = (make("offers").await, make("news").await, make("rain").await);
        let changed = topics::update(engine, &env.admin, offers.id, &form("offers", "Deals", TopicKind::OptOut)).await;
        let changed = changed.unwrap();
        assert_eq!((changed.name.as_str(), changed.kind), ("Deals", TopicKind::OptOut));
        let renamed = topics::update(engine, &env.admin, offers.id, &form("deals", "Deals", TopicKind::OptOut)).await;
        assert!(matches!(renamed, Err(Error::Invalid { .. })));
        let ann = env.user(ANN).opted_in(Channel::Sms).create().await.id;
        subscriptions::set(engine, &env.admin, ann, offers.id, SubscriptionState::Unsubscribed, "told us").await.unwrap();
        segments::create(engine, &env.admin, "Readers", "subscribed to \"news\"").await.unwrap();
        for needed in [offers.id, news.id] {
            assert!(matches!(topics::delete(engine, &env.admin, needed).await, Err(Error::Conflict { .. })));
        }
        topics::delete(engine, &env.admin, rain.id).await.unwrap();
        assert!(matches!(topics::delete(engine, &env.admin, rain.id).await, Err(Error::NotFound { .. })));
        assert_eq!(topics::list(engine, &env.admin).await.unwrap().len(), 2);
    }

    async fn why_or_why_not_is_told_by_the_code_that_sends(env: TestEnv) {
        let engine = &env.engine;
        let ann = env.user(ANN).attribute("city", "Bonn").opted_in(Channel::Sms).create().await.id;
        let bob = env.user("+12025550144").attribute("city", "Bonn").create().await.id;
        let cy = env.user("+12025550145").attribute("city", "Kiel").opted_in(Channel::Sms).create().await.id;
        let draft = env.campaign().form(|form| form.audience.filter = "city = \"Bonn\"".into()).create().await;
        let why = async |user| campaigns::why(engine, &env.admin, draft.id, user).await.unwrap();
        let would = why(ann).await;
        assert_eq!((&would.place, would.summary().as_str()), (&Place::WouldBe, "Would get it, if it started now."));
        let refused: Vec<Gate> =
            why(bob).await.steps.iter().filter(|step| step.answer == Answer::Stops).map(|step| step.gate).collect();
        assert_eq!(refused, [Gate::Consent]);
        let other = why(cy).await;
        assert_eq!(other.place, Place::DoesNotMatch);
        assert!(!other.audience.matches && other.audience.conditions[0].decides);
        campaigns::launch(engine, &env.admin, draft.id).await.unwrap();
        env.run_jobs().await;
        let (sent, skipped) = (why(ann).await, why(bob).await);
        assert!(matches!(&sent.place, Place::In(message) if message.reason.is_none()), "{}", sent.summary());
        assert!(matches!(&skipped.place, Place::In(message) if message.reason.is_some()), "{}", skipped.summary());
        env.advance(Duration::from_secs(60));
        let dora = env.user("+12025550146").attribute("city", "Bonn").opted_in(Channel::Sms).create().await.id;
        assert_eq!(why(dora).await.place, Place::CameLater);
        let city = [("city".to_owned(), "Bonn".into())].into_iter().collect();
        let form = UserForm { phone: "+12025550145".into(), attributes: Some(city), ..UserForm::default() };
        users::update(engine, &env.admin, cy, &form).await.unwrap();
        assert_eq!(why(cy).await.place, Place::MatchesOnlyNow);
    }
}
