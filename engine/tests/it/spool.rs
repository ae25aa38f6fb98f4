//! Webhooks on disk: what was answered is not lost, and a STOP among it holds before anything is sent.

use domain::{consent::ConsentState, health::Health, page::PageRequest, phone::Channel};
use engine::{
    Error, both, dead_letters, health,
    spool::{Spool, Webhook},
    testing::TestEnv,
    users,
};
use std::{fs, io::Write, time::Duration};

const ANN: &str = "+12025550143";

fn wrote(text: &str, no: u32) -> Webhook {
    let raw = format!(
        "MessageSid=SM{no:032}&From=%2B12025550143&To={}&Body={text}&NumMedia=0&NumSegments=1&AccountSid={}",
        simulator::LONG_CODE.replace('+', "%2B"),
        simulator::ACCOUNT_SID
    );
    Webhook::Inbound { raw }
}

async fn state(env: &TestEnv) -> ConsentState {
    let page = users::list(&env.engine, &env.admin, "", &PageRequest::default()).await.unwrap();
    page.rows[0].consents.iter().find(|one| one.channel == Channel::Sms).unwrap().state
}

async fn look(env: &TestEnv) -> Health {
    health::get(&env.engine, &env.admin).await.unwrap()
}

both! {
    async fn a_stop_on_the_disk_holds_before_anything_is_sent(env: TestEnv) {
        let engine = &env.engine;
        env.user(ANN).opted_in(Channel::Sms).create().await;
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1 << 20).unwrap();
        spool.keep(engine).await.unwrap();
        spool.keep_for_later(engine, wrote("STOP", 1)).await.unwrap();
        assert!(spool.holds_inbound() && spool.is_away());
        // Another process holds one too, and cannot be reached any more.
        let dead = tempfile::tempdir().unwrap();
        let other = Spool::open(dead.path(), 1 << 20).unwrap();
        other.keep(engine).await.unwrap();
        env.advance(Duration::from_secs(12));
        spool.keep(engine).await.unwrap();
        assert_eq!((state(&env).await, spool.depth()), (ConsentState::OptedOut, 0));
        env.user("+12025550144").opted_in(Channel::Sms).create().await;
        env.campaign().launch().await;
        env.run_jobs().await;
        assert_eq!(env.simulator.truth().len(), 0, "the silent one may hold a STOP");
        env.advance(Duration::from_secs(9));
        spool.keep(engine).await.unwrap();
        env.sweep().await;
        let sent: Vec<String> = env.simulator.truth().into_iter().map(|entry| entry.to).collect();
        assert_eq!(sent, ["+12025550144"]);
        spool.leave(engine).await.unwrap();
    }

    async fn a_crash_loses_nothing_that_was_answered(env: TestEnv) {
        let engine = &env.engine;
        env.user(ANN).opted_in(Channel::Sms).create().await;
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1 << 20).unwrap();
        for (no, word) in ["STOP", "START", "STOP", "Hello"].into_iter().enumerate() {
            spool.keep_for_later(engine, wrote(word, u32::try_from(no).unwrap())).await.unwrap();
        }
        let report = format!("MessageSid=SM{:032}&MessageStatus=sent&AccountSid={}", 9, simulator::ACCOUNT_SID);
        spool.keep_for_later(engine, Webhook::Status { query: String::new(), raw: report }).await.unwrap();
        spool.keep_for_later(engine, Webhook::Inbound { raw: "nonsense".into() }).await.unwrap();
        drop(spool);
        // The last line was cut off in mid-write: it was never answered.
        let file = fs::read_dir(folder.path().join("0")).unwrap().map(|entry| entry.unwrap().path());
        let file = file.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "jsonl")).unwrap();
        fs::OpenOptions::new().append(true).open(file).unwrap().write_all(b"0123abcd {\"at\":").unwrap();
        let again = Spool::open(folder.path(), 1 << 20).unwrap();
        assert_eq!(again.depth(), 6);
        again.keep(engine).await.unwrap();
        assert_eq!((state(&env).await, again.depth()), (ConsentState::OptedOut, 0));
        let letters = dead_letters::list(engine, &env.admin, Some("spool"), &PageRequest::default()).await.unwrap();
        assert_eq!(letters.rows.len(), 1);
        let wrote = engine::inbound::list(engine, &env.admin, None, None, &PageRequest::default()).await.unwrap();
        assert_eq!(wrote.rows.len(), 4);
        assert_eq!(look(&env).await.spooled, 0);
        env.leave_jobs();
    }

    async fn a_full_spool_takes_nothing_more_and_two_processes_share_a_folder(env: TestEnv) {
        let engine = &env.engine;
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 600).unwrap();
        let mut kept = 0;
        while spool.keep_for_later(engine, wrote("Hello", kept)).await.is_ok() {
            kept += 1;
        }
        assert_eq!(spool.depth(), u64::from(kept));
        let full = spool.keep_for_later(engine, wrote("Hello", 99)).await;
        assert!(kept > 0 && matches!(full, Err(Error::Unavailable { .. })));
        let neighbour = Spool::open(folder.path(), 600).unwrap();
        assert_eq!(neighbour.depth(), 0, "it has a place of its own");
        spool.keep(engine).await.unwrap();
        spool.keep_for_later(engine, wrote("Hello", 99)).await.unwrap();
        env.leave_jobs();
    }

    async fn a_process_that_vanished_with_messages_is_told_of(env: TestEnv) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1 << 20).unwrap();
        spool.keep_for_later(&env.engine, wrote("STOP", 1)).await.unwrap();
        let tx = env.engine.db.begin().await.unwrap();
        let sql = "INSERT INTO spools (id, depth, seen_at) VALUES ('gone', 1, $1)";
        engine::db::exec(&tx, sql, engine::values![env.engine.clock.now()]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(look(&env).await.spooled, 1);
        env.advance(Duration::from_secs(21));
        env.sweep().await;
        assert_eq!(look(&env).await.spooled, 0);
        let letters = dead_letters::list(&env.engine, &env.admin, Some("spool"), &PageRequest::default()).await.unwrap();
        assert!(letters.rows[0].reason.contains("vanished with 1 messages"), "{:?}", letters.rows);
    }
}
