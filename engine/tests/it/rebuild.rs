//! The tables folded again from what they were made of.

use domain::{message::State, phone::Channel};
use engine::{both, campaigns, db, rebuild, testing::TestEnv, users, values};
use simulator::Chaos;

async fn people(env: &TestEnv, count: u32) {
    for n in 0..count {
        env.user(&format!("+120255501{n:02}")).opted_in(Channel::Sms).create().await;
    }
}

both! {
    async fn what_was_sent_under_faults_is_what_the_log_says(env: TestEnv) {
        people(&env, 24).await;
        env.user("+12025550190").create().await;
        let chaos = Chaos { server_error: 0.2, rate_limited: 0.2, reset_after_accept: 0.2, ..env.simulator.chaos() };
        env.simulator.set_chaos(chaos).unwrap();
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        env.simulator.set_chaos(Chaos::default()).unwrap();
        for _ in 0..4 {
            env.advance(std::time::Duration::from_secs(120));
            env.sweep().await;
        }
        let settled = campaigns::progress(&env.engine, &env.admin, campaign.id).await.unwrap();
        assert_eq!(settled.audience, 25);
        let found = rebuild::verify(&env.engine).await.unwrap();
        assert_eq!((found.messages, found.erased, found.differences), (25, 0, Vec::new()));
        // Who is erased takes their part of the log along.
        let one = users::list(&env.engine, &env.admin, "phone = \"+12025550101\"", &Default::default()).await.unwrap();
        users::remove(&env.engine, &env.admin, one.rows[0].id, users::After::Suppress).await.unwrap();
        let found = rebuild::verify(&env.engine).await.unwrap();
        assert_eq!((found.messages, found.erased, found.differences), (25, 1, Vec::new()));
        env.leave_jobs();
    }

    async fn whatever_was_changed_behind_the_logs_back_is_named(env: TestEnv) {
        people(&env, 3).await;
        env.user("+12025550190").create().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        let conn = env.engine.db.for_migrations();
        let count = async || rebuild::verify(&env.engine).await.unwrap().differences.len();
        assert_eq!(count().await, 0);
        // A state that nobody reported, and its counter with it.
        let forged = State::Undelivered.rank();
        db::exec(conn, "UPDATE messages SET state = $1 WHERE seq = 1", values![forged]).await.unwrap();
        let found = rebuild::verify(&env.engine).await.unwrap().differences;
        let words: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), 3, "{words:?}");
        assert!(words[0].contains(".1: the table says undelivered, and it was made of"), "{words:?}");
        // The counters can be put right, what was reported cannot.
        assert_eq!(rebuild::counters_anew(&env.engine).await.unwrap(), 1);
        assert_eq!(count().await, 1);
        assert_eq!(rebuild::counters_anew(&env.engine).await.unwrap(), 0);
        db::exec(conn, "UPDATE consents SET state = 'opted_in' WHERE state = 'none' AND channel = 'whatsapp'", values![]).await.unwrap();
        assert_eq!(count().await, 5);
        db::exec(conn, "DELETE FROM decisions", values![]).await.unwrap();
        assert!(count().await > 5);
    }
}
