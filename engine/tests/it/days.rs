//! Whole days beside the provider's list: lost reports, prices, and what was not sent from here.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    message::{Bucket, State},
    page::PageRequest,
    phone::Channel,
    reconciliation::Charged,
};
use engine::{Doorbell, Error, both, campaigns, rebuild, reconcile::days, testing::TestEnv};
use simulator::Chaos;
use std::time::Duration;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The day that tests begin on.
fn first_day() -> NaiveDate {
    "2026-06-02".parse().unwrap()
}

async fn compare(env: &TestEnv) {
    env.engine.queue.ring(Doorbell::Compare).await;
    env.run_jobs().await;
}

both! {
    async fn lost_reports_are_made_up_for_and_prices_filled_in_at_night(env: TestEnv) {
        env.simulator.set_chaos(Chaos { callback_dropped: 1.0, ..env.simulator.chaos() }).unwrap();
        for n in 0..5 {
            env.user(&format!("+1202555{:04}", 3_000 + n)).opted_in(Channel::Sms).create().await;
        }
        let campaign = env.campaign().launch().await;
        env.run_jobs().await;
        // The provider delivers them and says so to nobody.
        env.advance(Duration::from_secs(60));
        env.simulator.settled().await;
        let delivered = async || {
            let progress = campaigns::progress(&env.engine, &env.admin, campaign.id).await.unwrap();
            assert!(progress.balances(), "{progress:?}");
            (progress.bucket(Bucket::Sent), progress.reached(State::Delivered))
        };
        assert_eq!(delivered().await, (5, 0));
        // Before three o'clock the day before is not looked at.
        env.set_time(at("2026-06-03T02:59:00Z"));
        compare(&env).await;
        assert_eq!(days::list(&env.engine, &env.admin, &PageRequest::default()).await.unwrap().rows, []);
        env.set_time(at("2026-06-03T03:00:00Z"));
        compare(&env).await;
        let listed = days::list(&env.engine, &env.admin, &PageRequest::default()).await.unwrap().rows;
        let day = listed.iter().find(|one| one.day == first_day()).unwrap();
        assert_eq!((day.listed, day.healed, day.priced, day.strange), (5, 5, 5, 0));
        assert!(day.finished_at.is_some());
        assert_eq!(delivered().await, (5, 5));
        let charged = [Charged { currency: "USD".into(), micros: 5 * 8_000, messages: 5 }];
        assert_eq!(days::charged(&env.engine, &env.admin, campaign.id).await.unwrap(), charged);
        // The same night again changes nothing; two nights later it is looked at once more, and nothing is new.
        compare(&env).await;
        env.set_time(at("2026-06-05T03:00:00Z"));
        compare(&env).await;
        let listed = days::list(&env.engine, &env.admin, &PageRequest::default()).await.unwrap().rows;
        let day = listed.iter().find(|one| one.day == first_day()).unwrap();
        assert_eq!((day.listed, day.healed, day.priced, day.started_at), (5, 0, 0, at("2026-06-05T03:00:00Z")));
        assert_eq!(days::charged(&env.engine, &env.admin, campaign.id).await.unwrap(), charged);
        // What was made up for is in the raw log like a report that came.
        let rebuilt = rebuild::verify(&env.engine).await.unwrap();
        assert_eq!((rebuilt.messages, rebuilt.differences), (5, vec![]));
    }

    async fn a_list_that_fails_is_read_again(env: TestEnv) {
        env.user("+12025553000").opted_in(Channel::Sms).create().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        env.simulator.set_chaos(Chaos { list_error: 1.0, ..env.simulator.chaos() }).unwrap();
        let begun = days::ask(&env.engine, &env.admin, first_day()).await.unwrap();
        assert_eq!((begun.listed, begun.finished_at), (0, None));
        env.run_jobs().await;
        let again = days::ask(&env.engine, &env.admin, first_day()).await;
        assert!(matches!(again, Err(Error::Conflict { .. })), "it is under way");
        env.simulator.set_chaos(Chaos { list_error: 0.0, ..env.simulator.chaos() }).unwrap();
        compare(&env).await;
        let day = days::list(&env.engine, &env.admin, &PageRequest::default()).await.unwrap().rows.into_iter().find(|one| one.day == first_day()).unwrap();
        assert_eq!((day.listed, day.finished_at.is_some()), (1, true));
        for wrong in ["2026-06-03", "2026-01-01"] {
            let refused = days::ask(&env.engine, &env.admin, wrong.parse().unwrap()).await;
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{wrong}");
        }
    }
}
