//! Dry runs, prices and frequency caps.

use chrono::{DateTime, NaiveDateTime, Utc};
use domain::{
    campaign::CampaignForm,
    compliance::Gate,
    consent::ConsentKind,
    forecast::{ANY_COUNTRY, Cost, Price},
    frequency::{Cap, ChannelCap},
    ids::{CampaignId, MessageKey},
    message::{Bucket, MessageQuery},
    operator::Role,
    page::PageRequest,
    phone::Channel,
    quiet_hours::Rule,
};
use engine::{
    Error, both, campaigns, consents, forecasts, frequency_caps, messages, prices, quiet_rules, testing::TestEnv,
};
use std::time::Duration;

fn number(n: u32) -> String {
    format!("+1202555{:04}", 5_000 + n)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn price(country: &str, currency: &str, micros: i64) -> Price {
    Price { country: country.to_owned(), channel: Channel::Sms, currency: currency.to_owned(), micros }
}

async fn cap(env: &TestEnv, messages: u32, days: u32) {
    let caps = [ChannelCap { channel: Channel::Sms, cap: Cap { messages, days } }];
    frequency_caps::set(&env.engine, &env.admin, &caps).await.unwrap();
}

async fn sent(env: &TestEnv, id: CampaignId) -> (i64, i64) {
    let progress = campaigns::progress(&env.engine, &env.admin, id).await.unwrap();
    assert!(progress.balances(), "{progress:?}");
    (progress.bucket(Bucket::Sent), progress.bucket(Bucket::Skipped))
}

both! {
    async fn a_dry_run_is_the_real_run_without_the_provider(env: TestEnv) {
        for n in 0..20 {
            env.user(&number(n)).name(&format!("Person {n}")).zone("America/New_York").opted_in(Channel::Sms).create().await;
        }
        env.user("+4915112345678").name("Ölaf ✓ who has a long name").zone("Europe/Berlin").opted_in(Channel::Sms).create().await;
        env.user("+4915112345679").opted_in(Channel::Sms).create().await;
        env.user(&number(30)).name("Silent").create().await;
        env.user("+6591234567").name("Late").zone("Asia/Singapore").opted_in(Channel::Sms).create().await;
        prices::set(&env.engine, &env.admin, &price("us", "usd", 8_000)).await.unwrap();
        prices::set(&env.engine, &env.admin, &price("DE", "EUR", 70_000)).await.unwrap();
        let draft = env.campaign().body(&format!("Hi {{{{ name }}}} {}", "x".repeat(60))).form(|form| form.rate_per_second = Some(2)).create().await;
        assert_eq!(forecasts::get(&env.engine, &env.admin, draft.id).await.unwrap(), None);
        forecasts::ask(&env.engine, &env.admin, draft.id).await.unwrap();
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 0);
        let forecast = forecasts::get(&env.engine, &env.admin, draft.id).await.unwrap().unwrap();
        assert!(forecast.is_complete && forecast.is_current);
        let tally = &forecast.tally;
        assert_eq!((tally.audience, tally.at_once, tally.messages()), (24, 21, 22));
        let gates: Vec<(Gate, &str, i64)> = tally.gates.iter().map(|one| (one.gate, one.verdict.as_str(), one.count)).collect();
        assert_eq!(gates.len(), 3, "{gates:?}");
        for expected in [(Gate::Content, "skip", 1), (Gate::Consent, "skip", 1), (Gate::QuietHours, "defer", 1)] {
            assert!(gates.contains(&expected), "{gates:?}");
        }
        // Ölaf's name makes his text UCS-2: 90 characters are two parts.
        assert_eq!(tally.parts.iter().map(|(parts, n)| (*parts, *n)).collect::<Vec<_>>(), [(1, 21), (2, 1)]);
        assert!(tally.worst[0].text.contains("Ölaf"));
        let cost = |currency: &str, micros| Cost { currency: currency.to_owned(), micros };
        assert_eq!(forecast.costs, [cost("EUR", 140_000), cost("USD", 160_000)]);
        assert_eq!(forecast.unpriced, [("SG".to_owned(), 1)]);
        // 22 parts at once, at two a second; in Singapore it is night until 00:00 UTC.
        let told: Vec<(&str, i64, DateTime<Utc>)> =
            forecast.zones.iter().map(|one| (one.zone.as_str(), one.messages, one.first_at)).collect();
        assert_eq!(told, [
            ("America/New_York", 20, at("2026-06-02T17:00:00Z")),
            ("Europe/Berlin", 1, at("2026-06-02T17:00:00Z")),
            ("Asia/Singapore", 1, at("2026-06-03T00:00:00Z")),
        ]);
        assert_eq!(forecast.finishes_at, Some(at("2026-06-03T00:00:00.500Z")));
        // A change makes it old, and what was launched is compared with it.
        let other = CampaignForm { rate_per_second: Some(900), ..draft.form.clone() };
        campaigns::update(&env.engine, &env.admin, draft.id, &other).await.unwrap();
        assert!(!forecasts::get(&env.engine, &env.admin, draft.id).await.unwrap().unwrap().is_current);
        forecasts::ask(&env.engine, &env.admin, draft.id).await.unwrap();
        env.run_jobs().await;
        campaigns::launch(&env.engine, &env.admin, draft.id).await.unwrap();
        env.run_jobs().await;
        env.advance(Duration::from_secs(7 * 3600));
        env.sweep().await;
        let forecast = forecasts::get(&env.engine, &env.admin, draft.id).await.unwrap().unwrap();
        assert!(forecast.is_complete && forecast.is_current);
        assert_eq!(sent(&env, draft.id).await, (forecast.tally.messages(), 2));
        let refused = forecasts::ask(&env.engine, &env.admin, draft.id).await.unwrap_err();
        assert!(matches!(refused, Error::Conflict { .. }), "{refused:?}");
    }

    async fn a_dry_run_is_of_the_campaigns_own_time(env: TestEnv) {
        env.user(&number(0)).zone("America/New_York").opted_in(Channel::Sms).create().await;
        env.user(&number(1)).zone("Asia/Singapore").opted_in(Channel::Sms).create().await;
        let local: NaiveDateTime = "2026-06-04T10:00:00".parse().unwrap();
        let draft = env.campaign().form(|form| form.start = local.into()).create().await;
        forecasts::ask(&env.engine, &env.admin, draft.id).await.unwrap();
        env.run_jobs().await;
        let forecast = forecasts::get(&env.engine, &env.admin, draft.id).await.unwrap().unwrap();
        assert_eq!(forecast.starts_at, at("2026-06-03T20:00:00Z"));
        let waves: Vec<(&str, DateTime<Utc>)> = forecast.zones.iter().map(|one| (one.zone.as_str(), one.first_at)).collect();
        assert_eq!(waves, [("Asia/Singapore", at("2026-06-04T02:00:00Z")), ("America/New_York", at("2026-06-04T14:00:00Z"))]);
    }

    async fn prices_are_entered_and_taken_away(env: TestEnv) {
        let field = |answer: engine::Result<()>| match answer.unwrap_err() {
            Error::Invalid { errors } => errors[0].pointer.clone(),
            other => panic!("{other:?}"),
        };
        let set = async |price: &Price| prices::set(&env.engine, &env.admin, price).await;
        assert_eq!(field(set(&price("USA", "USD", 1)).await), "/country");
        assert_eq!(field(set(&price("US", "dollar", 1)).await), "/currency");
        assert_eq!(field(set(&price("US", "USD", -1)).await), "/micros");
        set(&price("us", "usd", 1)).await.unwrap();
        set(&price("US", "USD", 2)).await.unwrap();
        set(&price(ANY_COUNTRY, "USD", 9)).await.unwrap();
        assert_eq!(prices::list(&env.engine, &env.admin).await.unwrap(), [price("*", "USD", 9), price("US", "USD", 2)]);
        prices::remove(&env.engine, &env.admin, "US", Channel::Sms).await.unwrap();
        let gone = prices::remove(&env.engine, &env.admin, "US", Channel::Sms).await;
        assert!(matches!(gone, Err(Error::NotFound { .. })));
        let marketer = env.operator(Role::Marketer);
        assert!(matches!(prices::set(&env.engine, &marketer, &price("DE", "EUR", 1)).await, Err(Error::Forbidden { .. })));
    }

    async fn nobody_gets_more_than_the_cap(env: TestEnv) {
        cap(&env, 1, 7).await;
        let user = env.user(&number(0)).opted_in(Channel::Sms).create().await;
        let first = env.campaign().launch().await;
        env.run_jobs().await;
        let second = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!((sent(&env, first.id).await, sent(&env, second.id).await), ((1, 0), (0, 1)));
        let decisions = messages::get(&env.engine, &env.admin, MessageKey { campaign: second.id, seq: 1 }).await.unwrap().decisions;
        assert_eq!(decisions[0].gate, Gate::Frequency);
        assert_eq!(decisions[0].fact, "has 1 message in 7 days already; there is room again 2026-06-09 17:00 UTC");
        // In bulk: everyone whom the cap stopped.
        let query = MessageQuery { gate: Some(Gate::Frequency), ..MessageQuery::default() };
        let found = messages::list(&env.engine, &env.admin, &query, &PageRequest::default()).await.unwrap();
        assert_eq!(found.rows.iter().map(|row| row.key.campaign).collect::<Vec<_>>(), [second.id]);
        env.advance(Duration::from_secs(7 * 24 * 3600));
        let third = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(sent(&env, third.id).await, (1, 0));
        // Another channel counts for itself.
        consents::record(&env.engine, &env.admin, user.id, Channel::Whatsapp, ConsentKind::OptIn, "said so").await.unwrap();
        let whatsapp = env.campaign().channel(Channel::Whatsapp).launch().await;
        env.run_jobs().await;
        let why = messages::get(&env.engine, &env.admin, MessageKey { campaign: whatsapp.id, seq: 1 }).await.unwrap().decisions;
        assert_eq!(why[0].gate, Gate::Window);
    }

    async fn what_an_earlier_campaign_plans_counts(env: TestEnv) {
        cap(&env, 1, 7).await;
        env.user(&number(0)).zone("Asia/Singapore").opted_in(Channel::Sms).create().await;
        // It is night there: the first campaign waits for the morning, the second sees that it will send.
        let first = env.campaign().launch().await;
        env.run_jobs().await;
        let second = env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(sent(&env, second.id).await, (0, 1));
        env.advance(Duration::from_secs(7 * 3600));
        env.sweep().await;
        assert_eq!(sent(&env, first.id).await, (1, 0));
        assert_eq!(env.simulator.truth().len(), 1);
    }

    async fn a_campaign_may_be_stricter_and_never_laxer(env: TestEnv) {
        cap(&env, 2, 7).await;
        env.user(&number(0)).opted_in(Channel::Sms).create().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        let own = |messages, days| move |form: &mut CampaignForm| form.frequency_cap = Some(Cap { messages, days });
        let stricter = env.campaign().form(own(1, 1)).launch().await;
        env.run_jobs().await;
        assert_eq!(sent(&env, stricter.id).await, (0, 1));
        let lax = env.campaign().form(own(100, 1)).launch().await;
        env.run_jobs().await;
        assert_eq!(sent(&env, lax.id).await, (1, 0));
        let lax = env.campaign().form(own(100, 1)).launch().await;
        env.run_jobs().await;
        assert_eq!(sent(&env, lax.id).await, (0, 1));
        let refused = campaigns::update(&env.engine, &env.admin, lax.id, &CampaignForm { frequency_cap: Some(Cap { messages: 0, days: 1 }), ..lax.form.clone() }).await;
        assert!(matches!(refused, Err(Error::Invalid { errors }) if errors[0].pointer == "/frequency_cap"));
        let bad = [ChannelCap { channel: Channel::Sms, cap: Cap { messages: 1, days: 0 } }];
        let refused = frequency_caps::set(&env.engine, &env.admin, &bad).await;
        assert!(matches!(refused, Err(Error::Invalid { errors }) if errors[0].pointer == "/caps/0"));
    }

    async fn a_rule_of_ones_own_shortens_the_day(env: TestEnv) {
        let rule = |jurisdiction: &str, window: &str, source: &str| Rule {
            source: source.to_owned(),
            ..Rule::daily(jurisdiction, window.parse().unwrap())
        };
        let set = async |rules: &[Rule]| quiet_rules::set(&env.engine, &env.admin, rules).await;
        let bad = [rule("DE", "09:00-20:00", "our lawyer"), rule("Germany", "09:00-20:00", " ")];
        match set(&bad).await.unwrap_err() {
            Error::Invalid { errors } => {
                let fields: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
                assert_eq!(fields, ["/own/1/jurisdiction", "/own/1/source"]);
            }
            other => panic!("{other:?}"),
        }
        // In Berlin it is 19:00: allowed by what ships, and no longer by the workspace's own rule. A longer day changes nothing.
        let own = [rule("de", "09:00-18:00", "our lawyer"), rule("default", "00:00-24:00", "nobody")];
        set(&own).await.unwrap();
        let listed = quiet_rules::list(&env.engine, &env.admin).await.unwrap();
        assert_eq!((listed.own.len(), listed.own[0].jurisdiction.as_str()), (2, "DE"));
        assert!(listed.shipped.iter().any(|rule| rule.source == "47 CFR 64.1200(c)(1)"));
        env.user("+4915112345678").zone("Europe/Berlin").opted_in(Channel::Sms).create().await;
        env.user(&number(0)).zone("Asia/Singapore").opted_in(Channel::Sms).create().await;
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        let why = async |seq| messages::get(&env.engine, &env.admin, MessageKey { campaign: campaign.id, seq }).await.unwrap().decisions;
        let decision = &why(1).await[0];
        assert_eq!(decision.fact, "DE allows 09:00-18:00 (our lawyer), in Europe/Berlin");
        assert_eq!(decision.next_at, Some(at("2026-06-03T07:00:00Z")));
        assert_eq!(why(2).await[0].gate, Gate::QuietHours);
        let marketer = env.operator(Role::Marketer);
        assert!(matches!(quiet_rules::set(&env.engine, &marketer, &[]).await, Err(Error::Forbidden { .. })));
    }
}
