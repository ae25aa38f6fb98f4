//! The kill switch, and what the page on the engine's health shows.

use domain::{health::Bells, message::Bucket, operator::Role, page::PageRequest, phone::Channel};
use engine::{Db, Engine, Error, audit, both, campaigns, db::Pools, health, kill_switch, testing::TestEnv, workers};
use simulator::{Chaos, Span};
use std::time::Duration;

async fn people(env: &TestEnv, count: u32) {
    for n in 0..count {
        env.user(&format!("+1202555{:04}", 2_000 + n)).opted_in(Channel::Sms).create().await;
    }
}

both! {
    async fn the_kill_switch_stops_everything_until_it_is_released(env: TestEnv) {
        people(&env, 12).await;
        let (engine, admin) = (&env.engine, &env.admin);
        assert!(matches!(kill_switch::stop(engine, admin, "  ").await, Err(Error::Invalid { .. })));
        let agent = env.operator(Role::Agent);
        assert!(matches!(kill_switch::stop(engine, &agent, "no").await, Err(Error::Forbidden { .. })));
        let marketer = env.operator(Role::Marketer);
        let stop = kill_switch::stop(engine, &marketer, " wrong price ").await.unwrap();
        assert_eq!((stop.reason.as_str(), stop.by.as_str()), ("wrong price", "marketer@example.org"));
        assert!(matches!(kill_switch::stop(engine, admin, "again").await, Err(Error::Conflict { .. })));

        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        env.advance(Duration::from_secs(60));
        env.sweep().await;
        assert_eq!(env.simulator.truth().len(), 0);
        let seen = health::get(engine, &env.operator(Role::Viewer)).await.unwrap();
        assert_eq!((seen.stop, seen.pending), (Some(stop.clone()), 12));

        // A process that starts now sees it too: it is a row in the database.
        let pools = Pools { connections: 4, ..Pools::default() };
        let other = Engine { db: Db::connect(&env.location(), pools).await.unwrap(), ..engine.clone() };
        assert_eq!(kill_switch::get(&other, admin).await.unwrap(), Some(stop));
        other.db.close().await;

        kill_switch::release(engine, admin).await.unwrap();
        env.run_jobs().await;
        assert_eq!(env.simulator.truth_counts().len(), 12);
        let progress = campaigns::progress(engine, admin, campaign.id).await.unwrap();
        assert_eq!(progress.bucket(Bucket::Sent), 12, "{progress:?}");
        assert!(matches!(kill_switch::release(engine, admin).await, Err(Error::Conflict { .. })));
        let log = audit::list(engine, admin, &PageRequest::default()).await.unwrap();
        let acts: Vec<_> = log.rows.iter().map(|entry| entry.action.as_str()).collect();
        assert!(acts.contains(&"delivery.stop") && acts.contains(&"delivery.release"), "{acts:?}");
    }

    async fn what_was_claimed_and_has_not_left_goes_back(env: TestEnv) {
        // One request at a time, each answered late: what is claimed meanwhile has to queue for its turn.
        people(&env, 8).await;
        let latency = Span::fixed(700);
        env.simulator.set_chaos(Chaos { create_latency_ms: latency, ..env.simulator.chaos() }).unwrap();
        let mut slow = env.engine.clone();
        slow.slots = engine::delivery::Slots::new(1);
        let campaign = env.campaign().launch().await;
        env.leave_jobs();
        let expand = engine::Doorbell::Expand(campaign.id);
        engine::jobs::run(&slow, expand).await.unwrap();
        let running = tokio::spawn({
            let slow = slow.clone();
            async move { engine::jobs::run(&slow, engine::Doorbell::Deliver(campaign.id)).await }
        });
        // The first one is at the provider.
        while env.simulator.truth().is_empty() {
            tokio::task::yield_now().await;
        }
        kill_switch::stop(&slow, &env.admin, "enough").await.unwrap();
        running.await.unwrap().unwrap();
        let sent = env.simulator.truth().len();
        assert!(sent <= 2, "{sent} left after the switch");
        let progress = campaigns::progress(&slow, &env.admin, campaign.id).await.unwrap();
        assert_eq!(progress.bucket(Bucket::Pending), 8 - i64::try_from(sent).unwrap(), "{progress:?}");
    }

    async fn health_tells_who_works_and_what_is_overdue(env: TestEnv) {
        people(&env, 3).await;
        let seen = health::get(&env.engine, &env.admin).await.unwrap();
        assert_eq!((seen.workers.len(), seen.bells, seen.overdue_since, seen.dead_letters), (0, Bells::Local, None, 0));
        workers::beat(&env.engine, workers::Kind::Serve).await.unwrap();
        env.simulator.set_chaos(Chaos { rate_limited: 1.0, ..env.simulator.chaos() }).unwrap();
        env.campaign().launch().await;
        env.run_jobs().await;
        env.advance(Duration::from_secs(40));
        let seen = health::get(&env.engine, &env.admin).await.unwrap();
        let alive: Vec<_> = seen.workers.iter().map(|worker| (worker.serves, worker.is_alive)).collect();
        assert_eq!((alive, seen.pending), (vec![(true, false)], 3));
        assert!(seen.overdue_since.is_some_and(|at| at < env.engine.clock.now()), "{seen:?}");
    }
}
