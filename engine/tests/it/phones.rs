//! The simulator's phones.

use domain::{
    operator::Role,
    phone::{Channel, Phone},
};
use engine::{
    Error, both, phones,
    testing::{Backend, TestEnv},
};

both! {
    async fn a_phone_shows_what_it_got_and_writes_back(env: TestEnv) {
        let phone: Phone = "+12025550143".parse().unwrap();
        env.user(phone.as_str()).name("Ada").opted_in(Channel::Sms).create().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        let listed = phones::list(&env.engine, &env.admin).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((&listed[0].phone, listed[0].last_text.as_str(), listed[0].count), (&phone, "Hello Ada", 1));

        phones::write(&env.engine, &env.admin, &phone, simulator::LONG_CODE, Channel::Sms, "Who is this?").await.unwrap();
        let thread = phones::thread(&env.engine, &env.admin, &phone).await.unwrap();
        let texts: Vec<(bool, &str)> = thread.iter().map(|message| (message.from_person, message.text.as_str())).collect();
        assert_eq!(texts, [(false, "Hello Ada"), (true, "Who is this?")]);
        assert!(thread.iter().all(|message| message.sender == simulator::LONG_CODE && message.channel == Channel::Sms));
        assert_eq!(phones::list(&env.engine, &env.admin).await.unwrap()[0].count, 2);
    }

    async fn nonsense_is_refused(env: TestEnv) {
        let phone: Phone = "+12025550143".parse().unwrap();
        for (sender, text) in [(simulator::LONG_CODE, " "), (simulator::LONG_CODE, &*"x".repeat(4_097)), ("+19995550100", "Hi")] {
            let refused = phones::write(&env.engine, &env.admin, &phone, sender, Channel::Sms, text).await;
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{sender} {}", text.len());
        }
        let refused = phones::list(&env.engine, &env.operator(Role::Viewer)).await;
        assert!(matches!(refused, Err(Error::Forbidden { .. })));
    }
}

#[tokio::test]
async fn without_a_simulator_there_are_no_phones() {
    let env = TestEnv::with(Backend::Sqlite, |limits| limits.simulator_url = None).await;
    let refused = phones::list(&env.engine, &env.admin).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
}
