//! Lists of people: orders, saved views, changes of everyone in one, and the time that a filter may take.

use domain::{
    attribute::AttributeForm,
    filter::{AttributeKind, MAX_CONDITIONS},
    ids::UserId,
    operator::Role,
    page::PageRequest,
    phone::Channel,
    topic::{SubscriptionState, TopicForm, TopicKind},
    user::{BulkAct, BulkForm, BulkStatus, UserColumns, UserForm, UserSort, UserViewForm},
};
use engine::{
    Error, attributes, both,
    db::{self, Pools},
    segments, subscriptions,
    testing::{Backend, TestEnv},
    topics, user_views, users,
};
use std::time::Duration;
use uuid::Uuid;

/// All names in an order, read by pages of two.
async fn names(env: &TestEnv, sort: UserSort) -> Vec<String> {
    let mut page = PageRequest { after: None, limit: 2 };
    let mut found = Vec::new();
    loop {
        let next = users::list_sorted(&env.engine, &env.admin, "", sort, &page).await.unwrap();
        assert!(next.rows.len() <= 2);
        found.extend(next.rows.into_iter().map(|user| user.name.unwrap_or_default()));
        page.after = next.next;
        if page.after.is_none() {
            return found;
        }
    }
}

fn detail(error: &Error) -> (String, String) {
    let Error::Invalid { errors } = error else { panic!("{error:?}") };
    (errors[0].pointer.clone(), errors[0].detail.clone())
}

fn on(filter: &str, act: BulkAct) -> BulkForm {
    BulkForm { filter: filter.to_owned(), act }
}

async fn offers(env: &TestEnv) -> domain::ids::TopicId {
    let form = TopicForm { key: "offers".into(), name: "Offers".into(), kind: TopicKind::OptIn };
    topics::create(&env.engine, &env.admin, &form).await.unwrap().id
}

both! {
    async fn a_list_goes_by_what_is_declared_now(env: TestEnv) {
        env.user("+12025550141").attribute("age", 41).create().await;
        let ask = async |filter| users::list(&env.engine, &env.admin, filter, &PageRequest::default()).await.map(|page| page.rows.len());
        assert_eq!(ask("age = \"old\"").await.unwrap(), 0);
        let form = AttributeForm { name: "age".into(), kind: AttributeKind::Number, description: String::new() };
        let declared = attributes::create(&env.engine, &env.admin, &form).await.unwrap();
        assert_eq!(detail(&ask("age = \"old\"").await.unwrap_err()).0, "/filter");
        assert_eq!(ask("age > 40").await.unwrap(), 1);
        attributes::delete(&env.engine, &env.admin, declared.id).await.unwrap();
        assert_eq!(ask("age = \"old\"").await.unwrap(), 0);
    }

    async fn a_filtered_list_of_very_many_is_not_put_in_the_order_of_names(env: TestEnv) {
        let backend = if matches!(env.location(), db::Location::Sqlite(_)) { Backend::Sqlite } else { Backend::Postgres };
        let env = TestEnv::with(backend, |limits| limits.ordered_by_name = 2).await;
        for n in 1..=3 {
            env.user(&format!("+1202555014{n}")).name("Ann").create().await;
        }
        if backend == Backend::Postgres {
            db::exec(env.engine.db.for_migrations(), "ANALYZE users", Vec::new()).await.unwrap();
        }
        let ask = |filter: &'static str, sort| {
            let env = &env;
            async move { users::list_sorted(&env.engine, &env.admin, filter, sort, &PageRequest::default()).await }
        };
        let refused = ask("name = \"Ann\"", UserSort::Name).await.unwrap_err();
        assert_eq!(detail(&refused).0, "/sort");
        assert_eq!(ask("", UserSort::NameDown).await.unwrap().rows.len(), 3);
        assert_eq!(ask("name = \"Ann\"", UserSort::Changed).await.unwrap().rows.len(), 3);
    }

    async fn every_order_pages_through_everyone_once(env: TestEnv) {
        let mut ids = Vec::new();
        // Names that differ by case only, and people without one, have their place too.
        for (n, name) in ["bo", "Ann", "", "BO", "Éa", "", "ann"].into_iter().enumerate() {
            ids.push(env.user(&format!("+1202555014{n}")).name(name).create().await.id);
            env.advance(Duration::from_secs(1));
        }
        let form = UserForm { phone: "+12025550141".into(), name: "Ann".into(), zone: "Europe/Berlin".into(), ..UserForm::default() };
        users::update(&env.engine, &env.admin, ids[1], &form).await.unwrap();
        assert_eq!(names(&env, UserSort::Newest).await, ["ann", "", "Éa", "BO", "", "Ann", "bo"]);
        assert_eq!(names(&env, UserSort::Oldest).await, ["bo", "Ann", "", "BO", "Éa", "", "ann"]);
        assert_eq!(names(&env, UserSort::Name).await, ["", "", "Ann", "ann", "bo", "BO", "Éa"]);
        assert_eq!(names(&env, UserSort::NameDown).await, ["Éa", "BO", "bo", "ann", "Ann", "", ""]);
        assert_eq!(names(&env, UserSort::Changed).await, ["Ann", "ann", "", "Éa", "BO", "", "bo"]);
        assert_eq!(names(&env, UserSort::Unchanged).await, ["bo", "", "BO", "Éa", "", "ann", "Ann"]);
        for sort in UserSort::ALL {
            for after in ["", "x", "1.x", "9.9"] {
                let page = PageRequest::after(Some(after.to_owned()));
                let error = users::list_sorted(&env.engine, &env.admin, "", *sort, &page).await.unwrap_err();
                assert_eq!(detail(&error).0, "/after", "{sort} {after}");
            }
        }
    }

    async fn a_page_by_name_is_behind_somebody_who_is_there(env: TestEnv) {
        let (ann, bo) = (env.user("+12025550141").name("Ann").create().await, env.user("+12025550142").name("Bo").create().await);
        let behind = |id: UserId| {
            let (env, page) = (&env, PageRequest::after(Some(id.to_string())));
            async move { users::list_sorted(&env.engine, &env.admin, "", UserSort::Name, &page).await }
        };
        assert_eq!(behind(ann.id).await.unwrap().rows.len(), 1);
        assert!(behind(bo.id).await.unwrap().rows.is_empty());
        let (field, why) = detail(&behind(UserId(Uuid::nil())).await.unwrap_err());
        assert!(field == "/after" && why.contains("is gone"), "{field}: {why}");
    }

    async fn a_page_names_nobody_in_its_cursor(env: TestEnv) {
        for n in 0..3 {
            env.user(&format!("+1202555014{n}")).name("Secret").create().await;
        }
        for sort in UserSort::ALL {
            let page = PageRequest { after: None, limit: 1 };
            let next = users::list_sorted(&env.engine, &env.admin, "", *sort, &page).await.unwrap().next.unwrap();
            assert!(!next.to_lowercase().contains("secret"), "{next}");
        }
    }

    async fn a_filter_that_takes_too_long_is_ended(env: TestEnv) {
        env.user("+12025550143").create().await;
        let pools = Pools { connections: 2, acquire_seconds: 30, asked_ms: 50 };
        let db = engine::Db::connect(&env.location(), pools).await.unwrap();
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)
                       SELECT count(*) AS value FROM n";
        for _ in 0..2 {
            let error = db::scalar::<i64, _>(db.asked(), endless, Vec::new()).await.unwrap_err();
            let (field, why) = detail(&error);
            assert!(field == "/filter" && why.contains("takes too long"), "{field}: {why}");
        }
        // The connection is as good as before, and its next statement has its own time.
        let sql = "SELECT count(*) AS value FROM users";
        assert_eq!(db::scalar::<i64, _>(db.asked(), sql, Vec::new()).await.unwrap(), Some(1));
        db.close().await;
    }

    async fn as_many_conditions_as_allowed_are_answered(env: TestEnv) {
        env.user("+12025550143").attribute("age", 30).create().await;
        let filter = |count: usize| (0..count).map(|n| format!("age = {n}")).collect::<Vec<_>>().join(" or ");
        let count = segments::count(&env.engine, &env.admin, &filter(MAX_CONDITIONS)).await.unwrap();
        assert_eq!(count.total, 1);
        let error = segments::count(&env.engine, &env.admin, &filter(MAX_CONDITIONS + 1)).await.unwrap_err();
        assert!(detail(&error).1.contains("at most 250 conditions"), "{error}");
    }

    async fn a_view_is_saved_over_and_deleted(env: TestEnv) {
        let mut form = UserViewForm {
            name: " Bonn ".into(),
            filter: "((city=\"Bonn\"))".into(),
            sort: UserSort::Name,
            columns: UserColumns::of("zone,attributes.city"),
        };
        let made = user_views::save(&env.engine, &env.admin, &form).await.unwrap();
        assert_eq!((made.name.as_str(), made.filter.as_str()), ("Bonn", "city = \"Bonn\""));
        form.sort = UserSort::Changed;
        let again = user_views::save(&env.engine, &env.admin, &form).await.unwrap();
        assert_eq!((again.id, again.sort), (made.id, UserSort::Changed));
        assert_eq!(user_views::list(&env.engine, &env.admin).await.unwrap(), std::slice::from_ref(&again));
        for (name, filter, field) in [("", "", "/name"), ("x", "city =", "/filter")] {
            let form = UserViewForm { name: name.into(), filter: filter.into(), ..UserViewForm::default() };
            assert_eq!(detail(&user_views::save(&env.engine, &env.admin, &form).await.unwrap_err()).0, field);
        }
        user_views::delete(&env.engine, &env.admin, made.id).await.unwrap();
        assert!(matches!(user_views::delete(&env.engine, &env.admin, made.id).await, Err(Error::NotFound { .. })));
        let log = engine::audit::list(&env.engine, &env.admin, &PageRequest::default()).await.unwrap().rows;
        let acts: Vec<&str> = log.iter().rev().map(|entry| entry.action.as_str()).collect();
        assert_eq!(acts, ["user_view.save", "user_view.save", "user_view.delete"]);
        let viewer = env.operator(Role::Viewer);
        assert!(matches!(user_views::save(&env.engine, &viewer, &form).await, Err(Error::Forbidden { .. })));
    }

    async fn a_change_of_many_goes_through_all_whom_it_stated(env: TestEnv) {
        for n in 0..4 {
            let user = env.user(&format!("+1202555014{n}")).attribute("city", if n < 3 { "Bonn" } else { "Ulm" });
            user.create().await;
        }
        let add = on("city = \"Bonn\" and not tag = \"vip\"", BulkAct::AddTag { tag: " vip ".into() });
        let preview = users::bulk::preview(&env.engine, &env.admin, &add).await.unwrap();
        assert_eq!((preview.people, preview.words.as_str()), (3, "Add the tag \"vip\""));
        let other = users::bulk::start(&env.engine, &env.admin, &add, 2).await;
        assert!(matches!(other, Err(Error::Conflict { .. })), "another number than the one that is true");
        users::bulk::start(&env.engine, &env.admin, &add, 3).await.unwrap();
        let second = users::bulk::start(&env.engine, &env.admin, &add, 3).await;
        assert!(matches!(second, Err(Error::Conflict { .. })), "one at a time");
        // Who comes after the start is not among those whom it stated.
        env.user("+12025550149").attribute("city", "Bonn").create().await;
        env.run_jobs().await;
        let done = users::bulk::list(&env.engine, &env.admin).await.unwrap().remove(0);
        assert_eq!((done.status, done.done, done.changed), (BulkStatus::Completed, 3, 3));
        assert_eq!(segments::count(&env.engine, &env.admin, "tag = \"vip\"").await.unwrap().total, 3);
        let remove = on("tag = \"vip\"", BulkAct::RemoveTag { tag: "vip".into() });
        users::bulk::start(&env.engine, &env.admin, &remove, 3).await.unwrap();
        env.run_jobs().await;
        assert_eq!(segments::count(&env.engine, &env.admin, "tag is set").await.unwrap().total, 0);
        let agent = env.operator(Role::Agent);
        assert!(matches!(users::bulk::preview(&env.engine, &agent, &add).await, Err(Error::Forbidden { .. })));
    }

    async fn a_value_set_for_many_is_of_its_kind(env: TestEnv) {
        env.user("+12025550143").create().await;
        let form = AttributeForm { name: "age".into(), kind: AttributeKind::Number, description: String::new() };
        attributes::create(&env.engine, &env.admin, &form).await.unwrap();
        let set = |value: &str| on("", BulkAct::SetAttribute { name: "age".into(), value: value.into() });
        let error = users::bulk::preview(&env.engine, &env.admin, &set("old")).await.unwrap_err();
        assert_eq!(detail(&error).0, "/act/value");
        users::bulk::start(&env.engine, &env.admin, &set("30"), 1).await.unwrap();
        env.run_jobs().await;
        assert_eq!(segments::count(&env.engine, &env.admin, "age = 30").await.unwrap().total, 1);
        users::bulk::start(&env.engine, &env.admin, &set(""), 1).await.unwrap();
        env.run_jobs().await;
        assert_eq!(segments::count(&env.engine, &env.admin, "age is set").await.unwrap().total, 0);
    }

    async fn nobody_who_left_a_topic_is_brought_back_by_a_change_of_many(env: TestEnv) {
        let topic = offers(&env).await;
        let left = env.user("+12025550143").opted_in(Channel::Sms).create().await;
        env.user("+12025550144").opted_in(Channel::Sms).create().await;
        subscriptions::set(&env.engine, &env.admin, left.id, topic, SubscriptionState::Unsubscribed, "said so").await.unwrap();
        let without = on("", BulkAct::Subscribe { topic, evidence: " ".into() });
        assert!(users::bulk::preview(&env.engine, &env.admin, &without).await.is_err(), "evidence is needed");
        let subscribe = on("", BulkAct::Subscribe { topic, evidence: "form at the counter".into() });
        users::bulk::start(&env.engine, &env.admin, &subscribe, 2).await.unwrap();
        env.run_jobs().await;
        let done = users::bulk::list(&env.engine, &env.admin).await.unwrap().remove(0);
        assert_eq!((done.done, done.changed), (2, 1));
        let topic_now = topics::list(&env.engine, &env.admin).await.unwrap().remove(0);
        assert_eq!((topic_now.subscribed, topic_now.unsubscribed), (1, 1));
        let leave = on("subscribed to \"offers\"", BulkAct::Unsubscribe { topic, evidence: "the list was wrong".into() });
        users::bulk::start(&env.engine, &env.admin, &leave, 1).await.unwrap();
        env.run_jobs().await;
        assert_eq!(topics::list(&env.engine, &env.admin).await.unwrap()[0].unsubscribed, 2);
    }

    async fn a_launch_reads_a_filter_as_it_is_declared_now(env: TestEnv) {
        env.user("+12025550143").attribute("age", 30).opted_in(Channel::Sms).create().await;
        // Saved while nothing was declared: compared as text, nobody's number is equal to it.
        let segment = segments::create(&env.engine, &env.admin, "Thirty", "age = \"30\"").await.unwrap();
        assert_eq!(segments::count(&env.engine, &env.admin, &segment.filter).await.unwrap().total, 0);
        let form = AttributeForm { name: "age".into(), kind: AttributeKind::Number, description: String::new() };
        attributes::create(&env.engine, &env.admin, &form).await.unwrap();
        assert_eq!(segments::count(&env.engine, &env.admin, &segment.filter).await.unwrap().total, 1);
        let campaign = env.campaign().form(|form| form.audience.segment = Some(segment.id)).launch().await;
        env.run_jobs().await;
        let progress = engine::campaigns::progress(&env.engine, &env.admin, campaign.id).await.unwrap();
        assert_eq!(progress.audience, 1);
    }
}
