//! Outgoing webhooks against a real receiver: told of everything at least once, signed, tried again, and given up in time.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::post,
};
use domain::{
    feed::{EventType, FeedEvent},
    operator::Role,
    page::PageRequest,
    phone::Channel,
    webhook::{DeliveryState, FAILING_DAYS, SignedWebhook, WebhookDelivery, WebhookForm},
};
use engine::{Error, both, health, testing::TestEnv, webhooks};
use standardwebhooks::Webhook as Signer;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;

/// What the receiver got: headers and body.
type Got = (HeaderMap, Bytes);

/// What the receiver's answers depend on, and what it got.
type Shared = (Arc<AtomicU16>, Arc<Mutex<Vec<Got>>>);

/// A receiver on a real port, which answers with a status that the test chooses.
struct Receiver {
    url: String,
    status: Arc<AtomicU16>,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    async fn start() -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let got = Arc::new(Mutex::new(Vec::new()));
        let take = |State((status, got)): State<Shared>, headers: HeaderMap, body: Bytes| async move {
            got.lock().unwrap().push((headers, body));
            let status = StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap();
            (status, [("location", "https://example.com/elsewhere")], "noted").into_response()
        };
        let router = Router::new().route("/hook", post(take)).with_state((status.clone(), got.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, status, got }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn events(&self) -> Vec<FeedEvent> {
        self.got.lock().unwrap().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }

    fn types(&self) -> Vec<EventType> {
        self.events().iter().map(|event| event.kind).collect()
    }

    fn form(&self, types: &[EventType]) -> WebhookForm {
        WebhookForm {
            url: self.url.clone(),
            description: "a test".into(),
            types: types.to_vec(),
            campaign: None,
            enabled: true,
        }
    }
}

async fn hook(env: &TestEnv, receiver: &Receiver, types: &[EventType]) -> SignedWebhook {
    webhooks::create(&env.engine, &env.admin, &receiver.form(types)).await.unwrap()
}

/// What is committed is told: the sweep finds it.
async fn tell(env: &TestEnv) {
    env.settled().await;
    env.sweep().await;
}

async fn deliveries(env: &TestEnv, hook: &SignedWebhook) -> Vec<WebhookDelivery> {
    let page = PageRequest::default();
    webhooks::deliveries(&env.engine, &env.admin, hook.webhook.id, None, &page).await.unwrap().rows
}

async fn opt_in(env: &TestEnv, number: &str) {
    env.user(number).opted_in(Channel::Sms).create().await;
}

both! {
    async fn an_endpoint_is_told_once_what_it_asked_for_and_signed(env: TestEnv) {
        let receiver = Receiver::start().await;
        opt_in(&env, "+12025550140").await;
        env.settled().await;
        let all = hook(&env, &receiver, &[]).await;
        let campaigns = Receiver::start().await;
        hook(&env, &campaigns, &[EventType::CampaignRunning]).await;
        opt_in(&env, "+12025550143").await;
        env.campaign().launch().await;
        tell(&env).await;
        tell(&env).await;
        let types = receiver.types();
        assert_eq!(types.iter().filter(|kind| **kind == EventType::ConsentOptedIn).count(), 1, "not of what was before: {types:?}");
        assert!(types.contains(&EventType::CampaignRunning), "{types:?}");
        assert_eq!(campaigns.types(), [EventType::CampaignRunning]);

        let (headers, body) = receiver.got.lock().unwrap()[0].clone();
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        let at: i64 = text("webhook-timestamp").parse().unwrap();
        let expected = Signer::new(&all.secret).unwrap().sign(&text("webhook-id"), at, &body).unwrap();
        assert_eq!(text("webhook-signature"), expected);
        let event: FeedEvent = serde_json::from_slice(&body).unwrap();
        assert_eq!(event.id, text("webhook-id"));
        let told = deliveries(&env, &all).await;
        assert!(told.iter().all(|one| one.state == DeliveryState::Delivered && one.attempts.len() == 1), "{told:?}");
        assert_eq!(told[0].attempts[0].response, "noted");
    }

    async fn a_receiver_that_fails_is_tried_by_the_schedule_and_recovered(env: TestEnv) {
        let receiver = Receiver::start().await;
        let hook = hook(&env, &receiver, &[EventType::ConsentOptedIn]).await;
        receiver.answers(503);
        opt_in(&env, "+12025550143").await;
        tell(&env).await;
        assert_eq!(receiver.events().len(), 1);
        tell(&env).await;
        assert_eq!(receiver.events().len(), 1, "not before its time");
        assert_eq!(health::get(&env.engine, &env.admin).await.unwrap().troubled_webhooks.len(), 1);
        // A tenth later than the schedule: never later than its jitter.
        for (attempts, wait_s) in [(2, 6), (3, 331), (4, 1_981), (5, 7_921), (6, 19_801), (7, 39_601), (8, 39_601)] {
            env.advance(Duration::from_secs(wait_s));
            tell(&env).await;
            assert_eq!(receiver.events().len(), attempts);
        }
        env.advance(Duration::from_secs(100_000));
        tell(&env).await;
        assert_eq!(receiver.events().len(), 8, "eight attempts are all");
        let told = deliveries(&env, &hook).await;
        assert_eq!((told[0].state, told[0].attempts.len()), (DeliveryState::Failed, 8));
        assert!(told[0].attempts[0].error.as_deref().unwrap().contains("503"));
        let ids: std::collections::BTreeSet<String> = receiver.events().into_iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), 1, "always under the same id");

        receiver.answers(200);
        let since = told[0].event.timestamp;
        assert_eq!(webhooks::recover(&env.engine, &env.admin, hook.webhook.id, since + chrono::Duration::seconds(1)).await.unwrap(), 0);
        assert_eq!(webhooks::recover(&env.engine, &env.admin, hook.webhook.id, since).await.unwrap(), 1);
        env.run_jobs().await;
        assert_eq!(deliveries(&env, &hook).await[0].state, DeliveryState::Delivered);
        assert_eq!(health::get(&env.engine, &env.admin).await.unwrap().troubled_webhooks, []);

        let event = told[0].event.id.clone();
        webhooks::resend(&env.engine, &env.admin, hook.webhook.id, &event).await.unwrap();
        env.run_jobs().await;
        assert_eq!(receiver.events().len(), 10);
    }

    async fn an_endpoint_that_fails_for_five_days_is_disabled_and_catches_up(env: TestEnv) {
        let receiver = Receiver::start().await;
        let hook = hook(&env, &receiver, &[EventType::ConsentOptedIn]).await;
        receiver.answers(302);
        opt_in(&env, "+12025550143").await;
        tell(&env).await;
        let told = deliveries(&env, &hook).await;
        assert!(told[0].attempts[0].error.as_deref().unwrap().contains("redirects are not followed"));
        env.engine.clock.set(env.engine.clock.now() + chrono::Duration::days(FAILING_DAYS));
        tell(&env).await;
        let now = webhooks::get(&env.engine, &env.admin, hook.webhook.id).await.unwrap();
        assert!(!now.enabled && now.disabled_because.as_deref().unwrap().contains("5 days"), "{now:?}");
        opt_in(&env, "+12025550144").await;
        receiver.answers(200);
        tell(&env).await;
        let before = receiver.events().len();
        webhooks::update(&env.engine, &env.admin, hook.webhook.id, &receiver.form(&[EventType::ConsentOptedIn])).await.unwrap();
        env.advance(Duration::from_secs(3_600));
        tell(&env).await;
        assert_eq!(receiver.events().len() - before, 2, "what waited, and what happened meanwhile");
    }

    async fn one_that_is_gone_is_asked_no_more(env: TestEnv) {
        let receiver = Receiver::start().await;
        let hook = hook(&env, &receiver, &[]).await;
        receiver.answers(410);
        opt_in(&env, "+12025550143").await;
        tell(&env).await;
        let now = webhooks::get(&env.engine, &env.admin, hook.webhook.id).await.unwrap();
        assert!(!now.enabled && now.disabled_because.as_deref().unwrap().contains("410"), "{now:?}");
    }

    async fn while_a_secret_changes_both_sign(env: TestEnv) {
        let receiver = Receiver::start().await;
        let old = hook(&env, &receiver, &[]).await;
        let new = webhooks::rotate(&env.engine, &env.admin, old.webhook.id).await.unwrap();
        assert_ne!(old.secret, new.secret);
        assert!(matches!(webhooks::rotate(&env.engine, &env.admin, old.webhook.id).await, Err(Error::Conflict { .. })));
        opt_in(&env, "+12025550143").await;
        tell(&env).await;
        env.engine.clock.set(env.engine.clock.now() + chrono::Duration::hours(25));
        opt_in(&env, "+12025550144").await;
        tell(&env).await;
        let got = receiver.got.lock().unwrap().clone();
        let signed = |secret: &str, (headers, body): &Got| {
            let at = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
            let expected = Signer::new(secret).unwrap().sign(headers["webhook-id"].to_str().unwrap(), at, body).unwrap();
            headers["webhook-signature"].to_str().unwrap().split(' ').any(|one| one == expected)
        };
        assert!(signed(&old.secret, &got[0]) && signed(&new.secret, &got[0]));
        assert!(!signed(&old.secret, &got[1]) && signed(&new.secret, &got[1]));
    }

    async fn what_cannot_be_an_endpoint_is_refused_at_its_field(env: TestEnv) {
        let receiver = Receiver::start().await;
        for url in ["http://example.com/x", "https://10.0.0.1/", "https://metadata.internal.local/", "nonsense"] {
            let form = WebhookForm { url: url.into(), ..receiver.form(&[]) };
            let Err(Error::Invalid { errors }) = webhooks::create(&env.engine, &env.admin, &form).await else {
                panic!("{url} was taken");
            };
            assert_eq!(errors[0].pointer, "/url");
        }
        let marketer = env.operator(Role::Marketer);
        assert!(matches!(webhooks::list(&env.engine, &marketer).await, Err(Error::Forbidden { .. })));
    }
}
