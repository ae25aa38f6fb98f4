//! Segments: saved filters, and what they match.

use domain::{attribute::AttributeForm, filter::AttributeKind, phone::Channel};
use engine::{
    Error, attributes, both, campaigns, db, segments,
    testing::{Backend, TestEnv},
};
use serde_json::json;

/// So many people that statistics say something, and a sample is worth its name: `tier` is "Gold" for half of them, "only" is
/// the code of one, and in the list of one more; one in 60 has both a `shade` and a mark.
const MANY: &str = "INSERT INTO users (id, phone, attributes, created_at, updated_at)
    SELECT gen_random_uuid(), '+1202' || lpad(n::text, 7, '0'),
        jsonb_build_object('tier', CASE WHEN n % 2 = 0 THEN 'Gold' ELSE 'Silver' END, 'code',
            CASE n WHEN 7 THEN '\"Only\"' WHEN 8 THEN '[\"x\", \"ONLY\"]' ELSE to_jsonb('c' || n)::text END::jsonb,
            'Code', 'only upper', 'shade', 'S' || n % 20, 'marks', jsonb_build_array('M' || n % 3, 'all')),
        now(), now()
    FROM generate_series(1, 60000) AS n";

#[tokio::test]
async fn a_rare_value_is_found_by_its_index_whatever_its_case_and_the_rest_is_estimated() {
    let env = TestEnv::new(Backend::Postgres).await;
    let (engine, admin) = (&env.engine, &env.admin);
    for sql in [MANY, "VACUUM ANALYZE users"] {
        db::exec(engine.db.read(), sql, Vec::new()).await.unwrap();
    }
    for (filter, found) in [
        ("code = \"ONLY\"", 2),
        ("code = \"only\" and tier = \"gold\"", 1),
        ("code = \"nobody\"", 0),
        ("attributes.\"Code\" = \"ONLY UPPER\" and code = \"c9\"", 1),
    ] {
        let estimate = segments::estimate(engine, admin, filter).await.unwrap();
        assert_eq!((estimate.about, estimate.exact), (found, true), "{filter}");
        assert_eq!(segments::count(engine, admin, filter).await.unwrap().total, found, "{filter}");
    }
    for (filter, found) in [("tier = \"gold\"", 30_000), ("", 60_000), ("not code = \"only\"", 59_998)] {
        let estimate = segments::estimate(engine, admin, filter).await.unwrap();
        assert!(
            !estimate.exact && estimate.least <= estimate.about && estimate.about <= estimate.most,
            "{filter}: {estimate:?}"
        );
        // Far beyond what chance could do to a sample.
        let error = (estimate.about - found).abs();
        assert!(error < 3_000, "{filter}: {estimate:?} is not {found}");
        assert_eq!(segments::count(engine, admin, filter).await.unwrap().total, found, "{filter}");
    }
    // None of these values is rare, and few have both: whoever counts everyone asks the index for both at once.
    for (name, kind) in [("shade", AttributeKind::Text), ("marks", AttributeKind::List)] {
        let form = AttributeForm { name: name.into(), kind, description: String::new() };
        attributes::create(engine, admin, &form).await.unwrap();
    }
    let both = "shade = \"s1\" and marks = \"m2\" and not tier = \"gold\" and consent.sms = none";
    assert_eq!(segments::count(engine, admin, both).await.unwrap().total, 1_000);
    let asked = json!([{ "marks": ["m2"], "shade": "s1" }]).to_string();
    let expected = engine.remembered.hints.get(&asked, engine.clock.now()).expect("both were asked for together");
    assert!((1.0..2_000.0).contains(&expected), "{expected}");
}

both! {
    async fn declared_attributes_are_counted_as_each_person_is_judged(env: TestEnv) {
        let mut people = vec![env.user("+12025550100").create().await];
        for n in 0..8_i64 {
            let user = env.user(&format!("+120255501{:02}", n + 1)).attribute("city", ["Bonn", "KIEL"][n as usize % 2]);
            let tags = [vec!["VIP", "x \"vip\""], vec!["vipx"], vec![], vec!["new", "vip"]][n as usize % 4].clone();
            let user = user.attribute("age", n * 10).attribute("gold", n > 3).attribute("since", format!("2026-01-0{}", n + 1));
            people.push(user.attribute("tags", tags).create().await);
        }
        for (name, kind) in [
            ("city", AttributeKind::Text),
            ("age", AttributeKind::Number),
            ("gold", AttributeKind::Boolean),
            ("since", AttributeKind::Date),
            ("tags", AttributeKind::List),
        ] {
            let form = AttributeForm { name: name.into(), kind, description: String::new() };
            attributes::create(&env.engine, &env.admin, &form).await.unwrap();
        }
        for filter in [
            "city = \"bonn\"", "city != \"bonn\"", "city ~ \"I\"", "city starts with \"b\"", "city in (\"x\", \"Kiel\")",
            "not city = \"kiel\"", "city is set", "age = 30", "age != 30", "age < 30", "age >= 20 and age <= 50", "age in (10, 70)",
            "gold = true", "gold != true", "since >= 2026-01-03", "since = 2026-01-02", "since in (2026-01-01, 2026-01-09)",
            "tag = \"vip\"", "not tag = \"vip\"", "tag = \"x \\\"vip\\\"\"", "tag ~ \"ip\"", "tag = \"vip\" and city = \"kiel\"",
        ] {
            let mut matching = 0;
            for person in &people {
                let found = segments::explain(&env.engine, &env.admin, filter, person.id).await.unwrap();
                matching += i64::from(found.matches);
            }
            let count = segments::count(&env.engine, &env.admin, filter).await.unwrap();
            assert_eq!(count.total, matching, "{filter}");
            assert!((1..9).contains(&matching) , "{filter}: {matching} of {}", people.len());
        }
    }

    async fn a_count_outlives_a_change_of_what_is_declared(env: TestEnv) {
        let form = AttributeForm { name: "age".into(), kind: AttributeKind::Number, description: String::new() };
        attributes::create(&env.engine, &env.admin, &form).await.unwrap();
        let mut people = Vec::new();
        for n in 0..3 {
            people.push(env.user(&format!("+1202555014{n}")).attribute("age", 35).create().await.id);
        }
        // As if both had been written after the filter was read: one that no number is, and one that no float holds.
        for (user, age) in people.iter().zip(["\"old\"", "1e999"]) {
            let sql = format!("UPDATE users SET attributes = '{{\"age\": {age}}}' WHERE id = $1");
            db::exec(env.engine.db.for_migrations(), &sql, vec![user.0.into()]).await.unwrap();
        }
        let count = segments::count(&env.engine, &env.admin, "age >= 30 and age < 40").await.unwrap();
        assert_eq!((count.total, count.sample.len()), (1, 1));
    }

    async fn an_estimate_of_few_people_is_their_count(env: TestEnv) {
        for n in 0..3 {
            env.user(&format!("+120255501{n:02}")).attribute("city", "Bonn").create().await;
        }
        let estimate = segments::estimate(&env.engine, &env.admin, "city = \"BONN\"").await.unwrap();
        assert_eq!((estimate.about, estimate.least, estimate.most, estimate.exact), (3, 3, 3, true));
        let faulty = segments::estimate(&env.engine, &env.admin, "city =").await;
        assert!(matches!(faulty, Err(Error::Invalid { .. })));
    }

    async fn a_count_is_exact_and_shows_ten(env: TestEnv) {
        for n in 0..13 {
            let user = env.user(&format!("+120255501{n:02}")).name(&format!("User {n}"));
            if n < 12 { user.opted_in(Channel::Sms).create().await } else { user.create().await };
        }
        let count = segments::count(&env.engine, &env.admin, "(consent.sms   = opted_in)").await.unwrap();
        assert_eq!((count.total, count.sample.len()), (12, 10));
        assert_eq!(count.canonical, "consent.sms = opted_in");
        assert_eq!(count.sample[0].name.as_deref(), Some("User 11"));
        assert_eq!(segments::count(&env.engine, &env.admin, "").await.unwrap().total, 13);
    }

    async fn a_segment_keeps_its_canonical_text(env: TestEnv) {
        let made = segments::create(&env.engine, &env.admin, " Old ", "((age>=60))").await.unwrap();
        assert_eq!((made.name.as_str(), made.filter.as_str()), ("Old", "age >= 60"));
        let again = segments::create(&env.engine, &env.admin, "Old", "age >= 70").await;
        assert!(matches!(again, Err(Error::Conflict { .. })));
        let faulty = segments::create(&env.engine, &env.admin, "Faulty", "age >= >=").await;
        assert!(matches!(faulty, Err(Error::Invalid { .. })));
        assert_eq!(segments::list(&env.engine, &env.admin).await.unwrap(), [made]);
    }

    async fn a_segment_changes_and_goes_unless_a_draft_needs_it(env: TestEnv) {
        let old = segments::create(&env.engine, &env.admin, "Old", "age >= 60").await.unwrap();
        let young = segments::create(&env.engine, &env.admin, "Young", "age < 30").await.unwrap();
        let taken = segments::update(&env.engine, &env.admin, young.id, "Old", "age < 20").await;
        assert!(matches!(taken, Err(Error::Conflict { .. })));
        let changed = segments::update(&env.engine, &env.admin, young.id, "Youngest", "((age<20))").await.unwrap();
        assert_eq!((changed.name.as_str(), changed.filter.as_str()), ("Youngest", "age < 20"));
        env.campaign().form(|form| form.audience.exclusions.segments = vec![old.id]).create().await;
        let used = segments::delete(&env.engine, &env.admin, old.id).await;
        assert!(matches!(used, Err(Error::Conflict { .. })));
        segments::delete(&env.engine, &env.admin, young.id).await.unwrap();
        assert_eq!(segments::list(&env.engine, &env.admin).await.unwrap().len(), 1);
    }

    async fn a_match_is_explained_as_the_count_has_it(env: TestEnv) {
        let ann = env.user("+12025550141").attribute("city", "Bonn").opted_in(Channel::Sms).create().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        for (filter, expected, holds) in [
            ("city = \"Bonn\" and consent.sms = opted_in", true, vec![true, true]),
            ("city = \"Kiel\" or messaged within 1 days", true, vec![false, true]),
            ("city = \"Bonn\" and not messaged", false, vec![true, true]),
            ("imported", false, vec![false]),
        ] {
            let found = segments::explain(&env.engine, &env.admin, filter, ann.id).await.unwrap();
            let each: Vec<bool> = found.conditions.iter().map(|one| one.holds).collect();
            assert_eq!((found.matches, each), (expected, holds), "{filter}");
            let count = segments::count(&env.engine, &env.admin, filter).await.unwrap();
            assert_eq!(count.total == 1, expected, "{filter}");
        }
    }

    async fn a_campaign_leaves_out_whom_it_says(env: TestEnv) {
        for (n, city) in ["Bonn", "Kiel", "Ulm"].into_iter().enumerate() {
            env.user(&format!("+1202555014{n}")).attribute("city", city).opted_in(Channel::Sms).create().await;
        }
        let bonn = segments::create(&env.engine, &env.admin, "Bonn", "city = \"Bonn\"").await.unwrap();
        let sent = async |change: fn(&mut domain::campaign::Exclusions, domain::ids::SegmentId)| {
            let campaign = env.campaign().form(|form| change(&mut form.audience.exclusions, bonn.id)).launch().await;
            env.run_jobs().await;
            campaigns::progress(&env.engine, &env.admin, campaign.id).await.unwrap().audience
        };
        assert_eq!(sent(|exclusions, bonn| exclusions.segments = vec![bonn]).await, 2);
        // Two of them were messaged just now.
        assert_eq!(sent(|exclusions, _| exclusions.messaged_within_days = Some(7)).await, 1);
    }
}
