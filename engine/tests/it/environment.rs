//! The test environment itself.

use engine::{
    Doorbell,
    testing::{Backend, TestEnv, redis},
};

#[tokio::test]
#[should_panic(expected = "the test left doorbells unanswered")]
async fn doorbells_left_behind_fail_a_test() {
    let env = TestEnv::new(Backend::Sqlite).await;
    env.engine.queue.ring(Doorbell::Sweep).await;
}

#[tokio::test]
async fn doorbells_may_be_left_on_purpose() {
    let env = TestEnv::new(Backend::Sqlite).await;
    env.engine.queue.ring(Doorbell::Sweep).await;
    env.leave_jobs();
}

#[tokio::test]
async fn every_test_has_a_database_of_its_own() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let (one, other) = (TestEnv::new(backend).await, TestEnv::new(backend).await);
        let user = one.user("+12025550143").create().await;
        assert!(engine::users::get(&one.engine, &one.admin, user.id).await.is_ok(), "{backend:?}");
        assert!(engine::users::get(&other.engine, &other.admin, user.id).await.is_err(), "{backend:?}");
    }
}

#[tokio::test]
async fn redis_answers_and_no_two_tests_share_keys() {
    let redis = engine::queue::redis::Redis::connect(&redis::url(), &redis::prefix()).await.unwrap();
    redis.ping().await.unwrap();
    assert_ne!(redis::prefix(), redis::prefix());
}
