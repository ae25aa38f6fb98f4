//! What people write, and what it does before the answer leaves.

use domain::{
    compliance::Gate,
    consent::ConsentState,
    ids::{MessageKey, UserId},
    inbound::InboundKind,
    page::PageRequest,
    phone::Channel,
    topic::{SubscriptionState, TopicForm, TopicKind},
};
use engine::{
    backfill, both, inbound, messages,
    testing::TestEnv,
    topics,
    twilio::{signature::Params, webhook},
    users,
};

use std::time::Duration;

const ANN: &str = "+12025550101";

fn sid(n: u32) -> String {
    format!("SM{n:032x}")
}

/// One inbound webhook, as Twilio would send it; answers the reply.
async fn write(env: &TestEnv, n: u32, from: &str, to: &str, body: &str) -> Option<String> {
    let sid = sid(n);
    let fields = [
        ("MessageSid", sid.as_str()),
        ("AccountSid", simulator::ACCOUNT_SID),
        ("From", from),
        ("To", to),
        ("Body", body),
        ("NumMedia", "0"),
    ];
    let params: Params = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let webhook = webhook::inbound(params, simulator::ACCOUNT_SID).unwrap();
    inbound::receive(&env.engine, webhook, format!("MessageSid={sid}&Body={body}")).await.unwrap()
}

async fn sms(env: &TestEnv, n: u32, body: &str) -> Option<String> {
    write(env, n, ANN, simulator::LONG_CODE, body).await
}

async fn whatsapp(env: &TestEnv, n: u32, body: &str) -> Option<String> {
    write(env, n, &format!("whatsapp:{ANN}"), &format!("whatsapp:{}", simulator::WHATSAPP_SENDER), body).await
}

async fn ann(env: &TestEnv) -> domain::user::UserDetail {
    let page =
        users::list(&env.engine, &env.admin, &format!("phone = \"{ANN}\""), &PageRequest::default()).await.unwrap();
    users::get(&env.engine, &env.admin, page.rows[0].id).await.unwrap()
}

async fn consent(env: &TestEnv, channel: Channel) -> ConsentState {
    ann(env).await.user.consents.iter().find(|consent| consent.channel == channel).unwrap().state
}

async fn offers(env: &TestEnv) {
    let form = TopicForm { key: "offers".to_owned(), name: "Offers".to_owned(), kind: TopicKind::OptIn };
    topics::create(&env.engine, &env.admin, &form).await.unwrap();
}

both! {
    async fn stop_by_sms_is_recorded_and_answered_by_twilio(env: TestEnv) {
        env.user(ANN).opted_in(Channel::Sms).opted_in(Channel::Whatsapp).create().await;
        assert_eq!(sms(&env, 1, "Stop").await, None);
        assert_eq!(consent(&env, Channel::Sms).await, ConsentState::OptedOut);
        // A channel's opt-out says nothing of another.
        assert_eq!(consent(&env, Channel::Whatsapp).await, ConsentState::OptedIn);
        let newest = &ann(&env).await.ledger[0];
        assert!(newest.evidence.contains(&sid(1)) && newest.evidence.contains("Stop"), "{newest:?}");
        assert_eq!(newest.sender.as_deref(), Some(simulator::LONG_CODE));
    }

    async fn stop_by_whatsapp_is_answered_by_us(env: TestEnv) {
        env.user(ANN).opted_in(Channel::Whatsapp).create().await;
        let reply = whatsapp(&env, 1, "STOP").await.expect("Twilio does not answer on WhatsApp");
        assert!(reply.contains("START"), "{reply}");
        assert_eq!(consent(&env, Channel::Whatsapp).await, ConsentState::OptedOut);
        whatsapp(&env, 2, "start").await.expect("an answer");
        assert_eq!(consent(&env, Channel::Whatsapp).await, ConsentState::OptedIn);
    }

    async fn a_stop_holds_before_the_next_send(env: TestEnv) {
        env.user(ANN).opted_in(Channel::Sms).create().await;
        let campaign = env.campaign().launch().await;
        sms(&env, 1, "STOP").await;
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 0);
        let detail = messages::get(&env.engine, &env.admin, MessageKey { campaign: campaign.id, seq: 1 }).await.unwrap();
        assert_eq!(detail.decisions[0].gate, Gate::Consent);
    }

    async fn a_repeated_webhook_acts_once_and_is_answered_alike(env: TestEnv) {
        env.user(ANN).opted_in(Channel::Whatsapp).create().await;
        let first = whatsapp(&env, 1, "STOP").await;
        let ledger = ann(&env).await.ledger.len();
        whatsapp(&env, 2, "START").await;
        let again = whatsapp(&env, 1, "STOP").await;
        assert_eq!(first, again);
        assert_eq!(ann(&env).await.ledger.len(), ledger + 1);
        assert_eq!(consent(&env, Channel::Whatsapp).await, ConsentState::OptedIn);
    }

    async fn a_stranger_who_writes_becomes_known(env: TestEnv) {
        assert_eq!(sms(&env, 1, "Hello, do you open on Sunday?").await, None);
        let ann = ann(&env).await;
        assert!(ann.user.consents.iter().all(|consent| consent.state == ConsentState::None));
        let page = inbound::list(&env.engine, &env.admin, None, None, &PageRequest::default()).await.unwrap();
        assert_eq!((page.rows[0].kind, page.rows[0].body.as_str()), (InboundKind::Message, "Hello, do you open on Sunday?"));
        assert_eq!(page.rows[0].user_id, ann.user.id);
    }

    async fn a_topic_is_followed_and_left_by_keyword(env: TestEnv) {
        offers(&env).await;
        let reply = sms(&env, 1, "subscribe OFFERS").await.unwrap();
        assert!(reply.contains("Offers"), "{reply}");
        assert_eq!(ann(&env).await.subscriptions[0].state, Some(SubscriptionState::Subscribed));
        // Whoever asks for a topic agrees to the channel it was asked on.
        assert_eq!(consent(&env, Channel::Sms).await, ConsentState::OptedIn);
        sms(&env, 2, "UNSUBSCRIBE offers").await.unwrap();
        assert_eq!(ann(&env).await.subscriptions[0].state, Some(SubscriptionState::Unsubscribed));
        assert_eq!(consent(&env, Channel::Sms).await, ConsentState::OptedIn);
    }

    async fn a_topic_does_not_lift_a_stop(env: TestEnv) {
        offers(&env).await;
        sms(&env, 1, "STOP").await;
        let reply = sms(&env, 2, "SUBSCRIBE offers").await.unwrap();
        assert!(reply.contains("START"), "{reply}");
        assert_eq!(consent(&env, Channel::Sms).await, ConsentState::OptedOut);
    }

    async fn an_unknown_topic_is_answered_with_those_there_are(env: TestEnv) {
        offers(&env).await;
        let reply = sms(&env, 1, "SUBSCRIBE shoes").await.unwrap();
        assert!(reply.contains("shoes") && reply.contains("offers"), "{reply}");
    }

    async fn start_lifts_only_the_stop_of_its_own_number(env: TestEnv) {
        sms(&env, 1, "STOP").await;
        write(&env, 2, ANN, simulator::OTHER_LONG_CODE, "STOP").await;
        sms(&env, 3, "START").await;
        assert_eq!(consent(&env, Channel::Sms).await, ConsentState::OptedOut);
        write(&env, 4, ANN, simulator::OTHER_LONG_CODE, "START").await;
        assert_eq!(consent(&env, Channel::Sms).await, ConsentState::OptedIn);
    }

    async fn what_reads_like_an_opt_out_is_shown_to_a_person(env: TestEnv) {
        env.user(ANN).opted_in(Channel::Sms).create().await;
        sms(&env, 1, "please stop texting me").await;
        assert_eq!(consent(&env, Channel::Sms).await, ConsentState::OptedIn);
        let kind = Some(InboundKind::ProbableOptOut);
        let page = inbound::list(&env.engine, &env.admin, kind, None, &PageRequest::default()).await.unwrap();
        assert_eq!(page.rows.len(), 1);
    }

    async fn writing_opens_the_whatsapp_window(env: TestEnv) {
        env.user(ANN).opted_in(Channel::Whatsapp).create().await;
        whatsapp(&env, 1, "hello").await;
        env.campaign().channel(Channel::Whatsapp).launch().await;
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 1);
    }

    async fn someone_without_a_number_is_known_by_whatsapps_id(env: TestEnv) {
        let to = format!("whatsapp:{}", simulator::WHATSAPP_SENDER);
        write(&env, 1, "whatsapp:ID.4566546130240823", &to, "hello").await;
        let page = users::list(&env.engine, &env.admin, "", &PageRequest::default()).await.unwrap();
        assert_eq!(page.rows[0].whatsapp_id.as_deref(), Some("ID.4566546130240823"));
        let _: UserId = page.rows[0].id;
    }

    async fn the_ledger_folds_to_the_state(env: TestEnv) {
        offers(&env).await;
        for (n, body) in ["STOP", "START", "SUBSCRIBE offers", "stop", "HELP", "UNSUBSCRIBE offers"].into_iter().enumerate() {
            sms(&env, u32::try_from(n).unwrap(), body).await;
        }
        assert_eq!(engine::consents::refold(&env.engine).await.unwrap(), vec![]);
    }

    async fn what_never_came_is_found_on_the_list_and_obeyed(env: TestEnv) {
        // One that the simulator has a phone for.
        const BEA: &str = "+12025552101";
        let bea = env.user(BEA).opted_in(Channel::Sms).create().await.id;
        let detail = async || users::get(&env.engine, &env.admin, bea).await.unwrap();
        let state = async || detail().await.user.consents.into_iter().find(|one| one.channel == Channel::Sms).unwrap().state;
        env.sender(Channel::Sms).await;
        let wrote = async |body: &str| {
            let inbound = simulator::Inbound::sms(BEA, simulator::LONG_CODE, body);
            env.simulator.inbound(inbound).await.unwrap();
            env.advance(Duration::from_secs(1));
        };
        wrote("Hello").await;
        wrote("STOP").await;
        // The webhook may still be on its way.
        assert_eq!(backfill::run(&env.engine).await.unwrap(), 0);
        env.advance(Duration::from_secs(61));
        assert_eq!(backfill::run(&env.engine).await.unwrap(), 2);
        assert_eq!(state().await, ConsentState::OptedOut);
        assert_eq!(backfill::run(&env.engine).await.unwrap(), 0, "once is enough");
        env.campaign().launch().await;
        env.run_jobs().await;
        assert!(env.simulator.truth().iter().all(|entry| entry.to != BEA), "she stopped");
        // A list that cannot be read is asked again from where the last whole look ended.
        env.simulator.set_chaos(simulator::Chaos { list_error: 1.0, ..env.simulator.chaos() }).unwrap();
        wrote("START").await;
        env.advance(Duration::from_secs(3_600));
        assert_eq!(backfill::run(&env.engine).await.unwrap(), 0);
        env.simulator.set_chaos(simulator::Chaos { list_error: 0.0, ..env.simulator.chaos() }).unwrap();
        assert_eq!(backfill::run(&env.engine).await.unwrap(), 1);
        assert_eq!(state().await, ConsentState::OptedIn);
        assert_eq!(detail().await.timeline.iter().filter(|entry| entry.title.starts_with("Wrote")).count(), 3);
    }
}
