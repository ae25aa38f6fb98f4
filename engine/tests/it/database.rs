//! Statements outside transactions: connections that are kept between them stay fit, and nobody waits for one in vain.

use engine::{Error, both, db, testing::TestEnv, values};
use futures::future::join_all;

both! {
    async fn reads_are_answered_after_failures_and_by_many_at_once(env: TestEnv) {
        let read = env.engine.db.read();
        // More than there are connections: each of them has failed, and answers all the same.
        for _ in 0..50 {
            let failed = db::scalar::<i32, _>(read, "SELECT nothing AS value", values![]).await;
            assert!(matches!(failed, Err(Error::Internal { .. })), "{failed:?}");
        }
        let one = async |n: i32| db::scalar::<i32, _>(read, "SELECT $1 + 0 AS value", values![n]).await.unwrap();
        let answers = join_all((0..200).map(one)).await;
        assert_eq!(answers, (0..200).map(Some).collect::<Vec<_>>());
        let asked = env.engine.db.asked();
        let many = (0..20).map(|n: i32| db::scalar::<i32, _>(asked, "SELECT $1 + 0 AS value", values![n]));
        for (n, answer) in join_all(many).await.into_iter().enumerate() {
            assert_eq!(answer.unwrap(), i32::try_from(n).ok());
        }
    }

    async fn a_closed_database_refuses_at_once(env: TestEnv) {
        let db = env.engine.db.clone();
        db::scalar::<i32, _>(db.read(), "SELECT 1 AS value", values![]).await.unwrap();
        env.engine.db.clone().close().await;
        let refused = db::scalar::<i32, _>(db.read(), "SELECT 1 AS value", values![]).await;
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    }
}
