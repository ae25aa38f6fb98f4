//! Test sends: to marked people only, through the gates, ahead of bulk.

use domain::{
    campaign::CampaignKind,
    ids::{SenderId, TemplateId, UserId},
    message::{MessageQuery, State},
    operator::Role,
    page::PageRequest,
    phone::Channel,
    test_send::{TEST_SEND_MAX, TestSendForm},
};
use engine::{Doorbell, Error, both, campaigns, db, jobs, messages, test_sends, testing::TestEnv, values};

fn number(n: u32) -> String {
    format!("+1202555{:04}", 4_000 + n)
}

async fn form(env: &TestEnv, people: &[UserId]) -> TestSendForm {
    TestSendForm {
        sender: env.sender(Channel::Sms).await.id,
        template: env.template(Channel::Sms, "Hi {{ name }}").await.id,
        topic: None,
        people: people.to_vec(),
    }
}

async fn marked(env: &TestEnv, n: u32) -> UserId {
    let user = env.user(&number(n)).name(&format!("Tester {n}")).opted_in(Channel::Sms).create().await.id;
    test_sends::mark(&env.engine, &env.admin, user, true).await.unwrap();
    user
}

fn fields<T: std::fmt::Debug>(answer: engine::Result<T>) -> Vec<String> {
    match answer.unwrap_err() {
        Error::Invalid { errors } => errors.into_iter().map(|error| error.pointer).collect(),
        other => panic!("{other:?}"),
    }
}

both! {
    async fn under_a_tight_rate_a_campaign_makes_way(env: TestEnv) {
        let tester = marked(&env, 0).await;
        let sender = env.sender(Channel::Sms).await;
        let slow = "UPDATE senders SET rate_per_second = 2 WHERE id = $1";
        db::exec(env.engine.db.for_migrations(), slow, values![sender.id.0]).await.unwrap();
        for n in 1..=4 {
            env.user(&number(n)).name("Anyone").opted_in(Channel::Sms).create().await;
        }
        env.campaign().filter("name = \"Anyone\"").launch().await;
        // The audience is there, and has not been sent to.
        let expand = env.take_jobs();
        for bell in expand {
            jobs::run(&env.engine, bell).await.unwrap();
        }
        let bulk = env.take_jobs();
        test_sends::send(&env.engine, &env.admin, &form(&env, &[tester]).await).await.unwrap();
        let test = env.take_jobs();
        let run = async |bells: Vec<Doorbell>| {
            for bell in bells {
                jobs::run(&env.engine, bell).await.unwrap();
            }
        };
        // Bulk is rung for first, and runs all the while.
        tokio::join!(run(bulk), run(test));
        env.run_jobs().await;
        let log = env.simulator.truth();
        assert_eq!(log.len(), 5);
        assert_eq!(log[0].to, number(0), "{:?}", log.iter().map(|entry| &entry.to).collect::<Vec<_>>());
    }

    async fn only_marked_people_get_it(env: TestEnv) {
        let (tester, stranger) = (marked(&env, 0).await, env.user(&number(1)).opted_in(Channel::Sms).create().await.id);
        let people = test_sends::people(&env.engine, &env.admin).await.unwrap();
        assert_eq!(people.iter().map(|one| (one.id, one.name.as_str())).collect::<Vec<_>>(), [(tester, "Tester 0")]);
        let refused = test_sends::send(&env.engine, &env.admin, &form(&env, &[tester, stranger]).await).await;
        assert_eq!(fields(refused), ["/people"]);
        assert_eq!(fields(test_sends::send(&env.engine, &env.admin, &form(&env, &[]).await).await), ["/people"]);
        let many = vec![tester; TEST_SEND_MAX + 1];
        assert_eq!(fields(test_sends::send(&env.engine, &env.admin, &form(&env, &many).await).await), ["/people"]);
        let sent = form(&env, &[tester]).await;
        test_sends::send(&env.engine, &env.admin, &sent).await.unwrap();
        env.run_jobs().await;
        let log = env.simulator.truth();
        assert_eq!(log.len(), 1);
        assert_eq!((log[0].to.as_str(), log[0].body.as_str()), (number(0).as_str(), "Hi Tester 0"));
        // Again, and in the same standing campaign, which is in no list of campaigns.
        let again = test_sends::send(&env.engine, &env.admin, &sent).await.unwrap();
        env.run_jobs().await;
        assert_eq!(again[0].key.seq, 2);
        assert_eq!(env.simulator.truth().len(), 2);
        let campaign = campaigns::get(&env.engine, &env.admin, again[0].key.campaign).await.unwrap();
        assert_eq!(campaign.campaign.kind, CampaignKind::Test);
        assert!(campaign.progress.balances());
        let listed = campaigns::list(&env.engine, &env.admin, Default::default(), &PageRequest::default()).await.unwrap();
        assert_eq!(listed.rows.len(), 0);
        // The mark is taken away.
        test_sends::mark(&env.engine, &env.admin, tester, false).await.unwrap();
        assert_eq!(fields(test_sends::send(&env.engine, &env.admin, &sent).await), ["/people"]);
    }

    async fn the_gates_hold_for_tests_too(env: TestEnv) {
        let user = env.user(&number(0)).name("Ann").create().await.id;
        test_sends::mark(&env.engine, &env.admin, user, true).await.unwrap();
        let sent = test_sends::send(&env.engine, &env.admin, &form(&env, &[user]).await).await.unwrap();
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 0);
        let message = messages::get(&env.engine, &env.admin, sent[0].key).await.unwrap();
        assert_eq!(message.decisions[0].fact, "never agreed to sms");
    }

    async fn a_test_overtakes_bulk(env: TestEnv) {
        let tester = marked(&env, 0).await;
        for n in 1..30 {
            env.user(&number(n)).opted_in(Channel::Sms).create().await;
        }
        env.campaign().filter("name is not set").launch().await;
        engine::expansion::run(&env.engine, campaigns::list(&env.engine, &env.admin, Default::default(), &PageRequest::default()).await.unwrap().rows[0].campaign.id).await.unwrap();
        test_sends::send(&env.engine, &env.admin, &form(&env, &[tester]).await).await.unwrap();
        env.run_jobs().await;
        let log = env.simulator.truth();
        assert_eq!(log.len(), 30);
        assert_eq!(log[0].to, number(0));
    }

    async fn what_is_refused_names_the_field(env: TestEnv) {
        let tester = marked(&env, 0).await;
        let good = form(&env, &[tester]).await;
        let whatsapp = env.template(Channel::Whatsapp, "Hi").await.id;
        let id = env.engine.clock.new_id::<uuid::Uuid>();
        let cases = [
            (TestSendForm { sender: SenderId(id), ..good.clone() }, "/sender"),
            (TestSendForm { template: TemplateId(id), ..good.clone() }, "/template"),
            (TestSendForm { template: whatsapp, ..good.clone() }, "/template"),
            (TestSendForm { topic: Some(id.into()), ..good.clone() }, "/topic"),
        ];
        for (form, field) in cases {
            assert_eq!(fields(test_sends::send(&env.engine, &env.admin, &form).await), [field], "{form:?}");
        }
        let agent = env.operator(Role::Agent);
        assert!(matches!(test_sends::send(&env.engine, &agent, &good).await, Err(Error::Forbidden { .. })));
        assert!(matches!(test_sends::mark(&env.engine, &agent, tester, false).await, Err(Error::Forbidden { .. })));
        let all = messages::list(&env.engine, &env.admin, &MessageQuery { state: Some(State::Pending), ..MessageQuery::default() }, &PageRequest::default()).await.unwrap();
        assert_eq!(all.rows.len(), 0);
    }
}
