//! The first page.

use domain::{ids::MessageKey, message::State};
use domain::{overview::Attention, phone::Channel};
use engine::{
    both, campaigns, dead_letters, expansion, overview,
    states::{self, Move},
    testing::TestEnv,
};
use serde_json::json;
use std::time::Duration;

both! {
    async fn an_empty_installation_shows_zeros_for_thirty_days(env: TestEnv) {
        let overview = overview::get(&env.engine, &env.admin).await.unwrap();
        assert_eq!((overview.users, overview.opted_in), (0, 0));
        assert!(overview.running.is_empty() && overview.scheduled.is_empty() && overview.attention.is_empty());
        assert_eq!(overview.days.len(), 30);
        assert!(overview.days.windows(2).all(|pair| pair[0].day < pair[1].day));
        assert_eq!(overview.today.day, env.engine.clock.now().date_naive());
        assert_eq!(Some(&overview.today), overview.days.last());
    }

    async fn figures_are_those_of_the_day_they_happened(env: TestEnv) {
        env.user("+12025550143").opted_in(Channel::Sms).opted_in(Channel::Whatsapp).create().await;
        env.user("+12025550144").opted_in(Channel::Sms).create().await;
        env.user("+12025550145").opted_out(Channel::Sms).create().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        let overview = overview::get(&env.engine, &env.admin).await.unwrap();
        assert_eq!((overview.users, overview.opted_in), (3, 2));
        assert_eq!((overview.today.sent, overview.today.failed), (2, 0));
        env.advance(Duration::from_secs(24 * 3600));
        let overview = overview::get(&env.engine, &env.admin).await.unwrap();
        assert_eq!(overview.today.sent, 0);
        assert_eq!(overview.days[28].sent, 2);
    }

    async fn campaigns_stand_where_they_are(env: TestEnv) {
        env.user("+12025550143").opted_in(Channel::Sms).create().await;
        let (late, soon) = (env.campaign().create().await, env.campaign().create().await);
        let now = env.engine.clock.now();
        campaigns::schedule(&env.engine, &env.admin, late.id, now + chrono::Duration::hours(2)).await.unwrap();
        campaigns::schedule(&env.engine, &env.admin, soon.id, now + chrono::Duration::hours(1)).await.unwrap();
        let running = env.campaign().launch().await;
        let overview = overview::get(&env.engine, &env.admin).await.unwrap();
        let ids = |rows: &[domain::campaign::CampaignRow]| rows.iter().map(|row| row.campaign.id).collect::<Vec<_>>();
        assert_eq!(ids(&overview.running), [running.id]);
        assert_eq!(ids(&overview.scheduled), [soon.id, late.id]);
        env.leave_jobs();
    }

    async fn what_needs_a_person_is_named(env: TestEnv) {
        for n in 0..3 {
            env.user(&format!("+1202555014{n}")).opted_in(Channel::Sms).create().await;
        }
        let missed = env.campaign().create().await;
        let start = env.engine.clock.now() + chrono::Duration::hours(1);
        campaigns::schedule(&env.engine, &env.admin, missed.id, start).await.unwrap();
        env.advance(Duration::from_secs(5 * 3600));
        env.sweep().await;

        let lost = env.campaign().launch().await;
        env.take_jobs();
        expansion::run(&env.engine, lost.id).await.unwrap();
        env.take_jobs();
        let key = |seq| MessageKey { campaign: lost.id, seq };
        let tx = env.engine.db.begin().await.unwrap();
        let current = states::lock(&tx, &[key(2), key(3)]).await.unwrap();
        let moves: Vec<Move> = current.values().map(|current| Move::plain(current, State::NeedsReview)).collect();
        states::apply(&env.engine, &tx, &moves).await.unwrap();
        dead_letters::put(&env.engine, &tx, "import", "import:x", "it broke three times", json!({})).await.unwrap();
        tx.commit().await.unwrap();

        let overview = overview::get(&env.engine, &env.admin).await.unwrap();
        assert_eq!(
            overview.attention,
            [
                Attention::HeldCampaign { id: missed.id, name: missed.form.name, scheduled_at: Some(start) },
                Attention::NeedsReview { id: lost.id, name: lost.form.name, count: 2, first: key(2) },
                Attention::DeadLetters { count: 1 },
            ]
        );
    }
}
