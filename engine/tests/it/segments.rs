//! Segments: saved filters, and what they match.

use domain::phone::Channel;
use engine::{Error, both, segments, testing::TestEnv};

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
}
