//! Segments: saved filters, and what they match.

use domain::phone::Channel;
use engine::{Error, both, campaigns, segments, testing::TestEnv};

both! {
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
