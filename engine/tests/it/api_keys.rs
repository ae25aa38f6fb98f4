//! Keys of the REST API, requests that are repeated, and single sends.

use domain::{
    api_key::{ApiKeyForm, Scope},
    message::{SingleSendForm, State},
    operator::Role,
    phone::Channel,
    user::UserForm,
};
use engine::{
    Actor, Client, Error, api_keys, both, db,
    idempotency::{self, Answer, Begun},
    messages, operators, single_sends,
    testing::TestEnv,
    users, values,
};
use std::time::Duration;

fn form(name: &str, scopes: &[Scope]) -> ApiKeyForm {
    ApiKeyForm { name: name.into(), scopes: scopes.to_vec(), ..ApiKeyForm::default() }
}

async fn integration(env: &TestEnv, scopes: &[Scope], idempotency_key: &str) -> Actor {
    let made = api_keys::create(&env.engine, &env.admin, &form("Shop", scopes)).await.unwrap();
    let client = Client { idempotency_key: Some(idempotency_key.into()), ..Client::default() };
    api_keys::authenticate(&env.engine, &made.secret, &client).await.unwrap().0
}

both! {
    async fn a_key_does_what_its_scopes_say_until_it_ends(env: TestEnv) {
        let engine = &env.engine;
        let expiring = ApiKeyForm { expires_in_days: Some(1), ..form("Shop", &[Scope::UsersWrite]) };
        let made = api_keys::create(engine, &env.admin, &expiring).await.unwrap();
        let (actor, rate) = api_keys::authenticate(engine, &made.secret, &Client::default()).await.unwrap();
        assert_eq!(rate, 50);
        let person = UserForm { phone: "+12025550143".into(), ..UserForm::default() };
        let user = users::create(engine, &actor, &person).await.unwrap();
        for refused in [
            users::get(engine, &actor, user.id).await.map(drop),
            operators::list(engine, &actor).await.map(drop),
            api_keys::list(engine, &actor).await.map(drop),
        ] {
            assert!(matches!(refused, Err(Error::Forbidden { .. })));
        }
        let listed = api_keys::list(engine, &env.admin).await.unwrap();
        assert!(listed[0].last_used_at.is_some() && made.secret.starts_with(&listed[0].prefix));
        // The secret is nowhere in the database.
        let sql = "SELECT COUNT(*) AS value FROM api_keys WHERE name = $1 OR prefix = $1";
        assert_eq!(db::scalar::<i64, _>(engine.db.read(), sql, values![made.secret.as_str()]).await.unwrap(), Some(0));
        env.advance(Duration::from_secs(86_400));
        let over = api_keys::authenticate(engine, &made.secret, &Client::default()).await;
        assert!(matches!(over, Err(Error::Unauthenticated)));
        let lasting = api_keys::create(engine, &env.admin, &form("Lasting", &[Scope::UsersRead])).await.unwrap();
        api_keys::revoke(engine, &env.admin, lasting.key.id).await.unwrap();
        let gone = api_keys::authenticate(engine, &lasting.secret, &Client::default()).await;
        assert!(matches!(gone, Err(Error::Unauthenticated)));
        assert!(matches!(api_keys::revoke(engine, &env.admin, lasting.key.id).await, Err(Error::Conflict { .. })));
    }

    async fn a_key_that_another_process_took_back_is_refused_within_a_second(env: TestEnv) {
        let engine = &env.engine;
        let made = api_keys::create(engine, &env.admin, &form("Shop", &[Scope::UsersRead])).await.unwrap();
        let authenticate = async |secret: &str| api_keys::authenticate(engine, secret, &Client::default()).await;
        authenticate(&made.secret).await.unwrap();
        let tx = engine.db.begin().await.unwrap();
        let sql = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1";
        db::exec(&tx, sql, values![made.key.id.0, engine.clock.now()]).await.unwrap();
        tx.commit().await.unwrap();
        env.advance(api_keys::REMEMBERED.to_std().unwrap());
        assert!(matches!(authenticate(&made.secret).await, Err(Error::Unauthenticated)));
        assert!(api_keys::REMEMBERED < chrono::Duration::seconds(1));
    }

    async fn a_key_makes_no_key_that_may_do_more(env: TestEnv) {
        let actor = integration(&env, &[Scope::KeysWrite, Scope::UsersRead], "x").await;
        api_keys::create(&env.engine, &actor, &form("Less", &[Scope::UsersRead])).await.unwrap();
        let more = api_keys::create(&env.engine, &actor, &form("More", &[Scope::UsersErase])).await;
        assert!(matches!(more, Err(Error::Invalid { errors }) if errors[0].pointer == "/scopes"));
        let marketer = env.operator(Role::Marketer);
        let refused = api_keys::create(&env.engine, &marketer, &form("Mine", &[Scope::UsersRead])).await;
        assert!(matches!(refused, Err(Error::Forbidden { .. })));
        for bad in [form(" ", &[Scope::UsersRead]), form("None", &[]), ApiKeyForm { expires_in_days: Some(0), ..form("Now", &[Scope::UsersRead]) }] {
            assert!(matches!(api_keys::create(&env.engine, &env.admin, &bad).await, Err(Error::Invalid { .. })));
        }
    }

    async fn a_crash_between_the_work_and_its_answer_is_found_out(env: TestEnv) {
        let engine = &env.engine;
        let actor = integration(&env, &[Scope::UsersWrite], "signup-1").await;
        assert_eq!(idempotency::begin(engine, &actor, b"one").await.unwrap(), Begun::Fresh);
        assert_eq!(idempotency::begin(engine, &actor, b"one").await.unwrap(), Begun::UnderWay);
        assert_eq!(idempotency::begin(engine, &actor, b"two").await.unwrap(), Begun::Mismatch);
        // Dead before it did anything: the next one does it.
        env.advance(Duration::from_secs(61));
        assert_eq!(idempotency::begin(engine, &actor, b"one").await.unwrap(), Begun::Fresh);
        let person = UserForm { phone: "+12025550143".into(), ..UserForm::default() };
        let user = users::create(engine, &actor, &person).await.unwrap();
        // Dead after it did it, before it answered.
        env.advance(Duration::from_secs(61));
        let found = idempotency::begin(engine, &actor, b"one").await.unwrap();
        assert_eq!(found, Begun::Committed(format!("user:{}", user.id)));
        let answer = Answer { status: 201, headers: vec![("etag".into(), "\"x\"".into())], body: "{}".into(), payload_hash: Some(vec![7]) };
        idempotency::finish(engine, &actor, &answer).await.unwrap();
        idempotency::forget(engine, &actor).await.unwrap();
        assert_eq!(idempotency::begin(engine, &actor, b"one").await.unwrap(), Begun::Answered(answer));
        env.advance(Duration::from_secs(24 * 3_600));
        env.sweep().await;
        assert_eq!(idempotency::begin(engine, &actor, b"two").await.unwrap(), Begun::Fresh);
        // What failed before it did anything may be tried at once.
        idempotency::forget(engine, &actor).await.unwrap();
        assert_eq!(idempotency::begin(engine, &actor, b"three").await.unwrap(), Begun::Fresh);
    }

    async fn a_single_send_passes_every_gate_ahead_of_campaigns(env: TestEnv) {
        let engine = &env.engine;
        let actor = integration(&env, &[Scope::MessagesSend], "x").await;
        let ann = env.user("+12025550143").name("Ann").opted_in(Channel::Sms).create().await.id;
        let bob = env.user("+12025550144").name("Bob").create().await.id;
        let (sender, template) = (env.sender(Channel::Sms).await.id, env.template(Channel::Sms, "Hello {{ name }}").await.id);
        let mut keys = Vec::new();
        for user in [ann, bob, ann] {
            let form = SingleSendForm { user, sender, template, topic: None };
            keys.push(single_sends::send(engine, &actor, &form).await.unwrap().key);
        }
        env.run_jobs().await;
        let states = async |n: usize| messages::get(engine, &env.admin, keys[n]).await.unwrap().row;
        assert_eq!((states(0).await.state, states(2).await.state), (State::Queued, State::Queued));
        assert_eq!(states(1).await.state, State::Skipped);
        assert_eq!(env.simulator.truth().len(), 2);
        let nobody = SingleSendForm { user: engine.clock.new_id(), sender, template, topic: None };
        let refused = single_sends::send(engine, &actor, &nobody).await;
        assert!(matches!(refused, Err(Error::Invalid { errors }) if errors[0].pointer == "/user"));
    }

    async fn a_row_fills_in_whom_it_finds(env: TestEnv) {
        let form = |phone: &str, name: &str, city: &str| UserForm {
            phone: phone.into(),
            name: name.into(),
            attributes: Some([("city".to_owned(), city.into())].into_iter().collect()),
            ..UserForm::default()
        };
        let (made, is_new) = users::upsert(&env.engine, &env.admin, &form("+1 202 555 0143", "Ann", "Bonn")).await.unwrap();
        assert!(is_new);
        let (changed, is_new) = users::upsert(&env.engine, &env.admin, &form("+12025550143", "", "Kiel")).await.unwrap();
        assert!(!is_new && changed.id == made.id);
        assert_eq!((changed.name.as_deref(), changed.attributes["city"].as_str()), (Some("Ann"), Some("Kiel")));
        assert!(matches!(users::upsert(&env.engine, &env.admin, &form("x", "", "")).await, Err(Error::Invalid { .. })));
    }
}
