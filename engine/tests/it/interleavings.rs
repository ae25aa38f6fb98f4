//! Two things that happen to the same people at once, on PostgreSQL, each pair in the order that would lose a word or make two
//! transactions wait for each other. On SQLite one writes at a time.

use domain::{
    consent::ConsentState,
    ids::{ImportId, UserId},
    import::{Field, ImportOptions, ImportStatus, Mapping},
    page::PageRequest,
    phone::Channel,
    user::User,
};
use engine::{
    consents, db, expansion, imports, inbound,
    testing::{Backend, TestEnv},
    twilio::{signature::Params, webhook},
    users, values,
};
use sea_orm::ConnectionTrait;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

const ANN: &str = "+12025550141";
const BO: &str = "+12025550142";

/// Where the first of two stops until the second is there.
enum Gate {
    /// Where it writes to this table.
    Table(&'static str),
    /// Where it makes a person with this number.
    Number(&'static str),
}

impl Gate {
    async fn shut(&self, env: &TestEnv) -> db::Tx {
        let tx = env.engine.db.begin().await.unwrap();
        match self {
            Self::Table(table) => {
                tx.execute_unprepared(&format!("LOCK TABLE {table} IN EXCLUSIVE MODE")).await.unwrap();
            }
            Self::Number(number) => {
                let at = env.engine.clock.now();
                let sql =
                    "INSERT INTO users (id, phone, attributes, created_at, updated_at) VALUES ($1, $2, '{}', $3, $3)";
                db::exec(&tx, sql, values![env.engine.clock.new_id::<uuid::Uuid>(), *number, at]).await.unwrap();
            }
        }
        tx
    }
}

/// Lets the first run up to the gate, the second until it waits or is through, and then both to their ends.
async fn interleave<A, B>(
    env: &TestEnv,
    gate: Gate,
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    let shut = gate.shut(env).await;
    let through = AtomicBool::new(false);
    let waiting = async |how_many: i64| {
        let sql = "SELECT count(*) AS value FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while !through.load(Ordering::SeqCst) {
            if db::scalar::<i64, _>(env.engine.db.read(), sql, values![]).await.unwrap() >= Some(how_many) {
                return;
            }
        }
    };
    let second = async {
        waiting(1).await;
        let answer = second.await;
        through.store(true, Ordering::SeqCst);
        answer
    };
    let open = async {
        waiting(2).await;
        shut.rollback().await.unwrap();
    };
    let all = async { tokio::join!(first, second, open) };
    let (first, second, ()) = tokio::time::timeout(Duration::from_secs(30), all).await.expect("nobody waits for ever");
    (first, second)
}

async fn env() -> TestEnv {
    TestEnv::new(Backend::Postgres).await
}

async fn stop(env: &TestEnv, from: &str) -> engine::Result<Option<String>> {
    let sid = format!("SM{:032x}", 1);
    let fields = [
        ("MessageSid", sid.as_str()),
        ("AccountSid", simulator::ACCOUNT_SID),
        ("From", from),
        ("To", simulator::LONG_CODE),
        ("Body", "STOP"),
        ("NumMedia", "0"),
    ];
    let params: Params = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let webhook = webhook::inbound(params, simulator::ACCOUNT_SID).unwrap();
    inbound::receive(&env.engine, webhook, format!("MessageSid={sid}&Body=STOP")).await
}

/// An import that was checked and waits to be taken in.
async fn checked(env: &TestEnv, file: &str) -> ImportId {
    let stream = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(file.as_bytes()))]);
    let uploaded = imports::create(&env.engine, &env.admin, "people.csv", stream).await.unwrap();
    let columns = uploaded.columns.iter().map(|name| match name.as_str() {
        "phone" => Some(Field::Phone),
        "name" => Some(Field::Name),
        "sms" => Some(Field::ConsentSms),
        other => panic!("no test has a column {other}"),
    });
    let options = ImportOptions { mapping: Mapping { columns: columns.collect() }, ..uploaded.options };
    imports::check(&env.engine, &env.admin, uploaded.id, &options).await.unwrap();
    env.run_jobs().await;
    imports::apply(&env.engine, &env.admin, uploaded.id, true).await.unwrap();
    uploaded.id
}

async fn all(env: &TestEnv) -> Vec<User> {
    users::list(&env.engine, &env.admin, "", &PageRequest::default()).await.unwrap().rows
}

async fn state(env: &TestEnv, id: UserId) -> ConsentState {
    let user = users::get(&env.engine, &env.admin, id).await.unwrap().user;
    user.consents.iter().find(|view| view.channel == Channel::Sms).unwrap().state
}

/// Ann, who is to become Bo.
async fn two(env: &TestEnv) -> (UserId, UserId) {
    let ann = env.user(ANN).name("Ann").opted_in(Channel::Sms).create().await;
    let bo = env.user(BO).name("Bo").opted_in(Channel::Sms).create().await;
    (ann.id, bo.id)
}

#[tokio::test]
async fn a_stop_during_a_merge_reaches_whoever_stays() {
    let env = env().await;
    let (ann, bo) = two(&env).await;
    let merge = users::merge(&env.engine, &env.admin, ann, bo);
    let (merged, stopped) = interleave(&env, Gate::Table("audit"), merge, stop(&env, ANN)).await;
    assert!(merged.is_ok() && stopped.is_ok(), "{merged:?} {stopped:?}");
    assert_eq!(state(&env, bo).await, ConsentState::OptedOut);
    assert_eq!(consents::refold(&env.engine).await.unwrap(), []);
}

#[tokio::test]
async fn an_imports_no_during_a_merge_reaches_whoever_stays() {
    let env = env().await;
    let (ann, bo) = two(&env).await;
    let import = checked(&env, "phone,sms\n+12025550141,no\n").await;
    let merge = users::merge(&env.engine, &env.admin, ann, bo);
    let (merged, ()) = interleave(&env, Gate::Table("audit"), merge, env.run_jobs()).await;
    merged.unwrap();
    let done = imports::get(&env.engine, &env.admin, import).await.unwrap();
    assert_eq!((done.status, done.report.rows), (ImportStatus::Completed, 1));
    assert_eq!(state(&env, bo).await, ConsentState::OptedOut);
}

#[tokio::test]
async fn a_merge_waits_for_an_import_of_both() {
    let env = env().await;
    let (ann, bo) = two(&env).await;
    checked(&env, "phone,name,sms\n+12025550141,Ann Lee,no\n+12025550142,Bo Lee,\n+12025550143,New,\n").await;
    let merge = users::merge(&env.engine, &env.admin, ann, bo);
    let ((), merged) = interleave(&env, Gate::Number("+12025550143"), env.run_jobs(), merge).await;
    assert_eq!(merged.unwrap().name.as_deref(), Some("Bo Lee"));
    assert_eq!(state(&env, bo).await, ConsentState::OptedOut);
}

/// Two batches go in at once, the second of which waits for the first within the process, where the database cannot see it: somebody
/// for whom the first waits, and who waits for the second, must not be waited for for ever.
#[tokio::test]
async fn an_import_is_not_stuck_between_its_own_batches() {
    let env = env().await;
    let (_, bo) = two(&env).await;
    let new = "+12025550143";
    let mut file = format!("phone,name\n{new},New\n");
    file.extend((0..4_000).map(|n| format!("+1303555{n:04},User {n}\n")));
    file += &format!("{BO},Bo Lee\n");
    let import = checked(&env, &file).await;
    let other = Gate::Number(new).shut(&env).await;
    let between = async {
        let sql = "SELECT count(*) AS value FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while db::scalar::<i64, _>(env.engine.db.read(), sql, values![]).await.unwrap() == Some(0) {}
        // Until the second batch has Bo.
        let free = "SELECT 1 AS value FROM consents WHERE user_id = $1 FOR UPDATE SKIP LOCKED";
        while db::scalar::<i32, _>(env.engine.db.read(), free, values![bo.0]).await.unwrap().is_some() {}
        let wanted = "SELECT 1 AS value FROM consents WHERE user_id = $1 FOR UPDATE";
        db::scalar::<i32, _>(&other, wanted, values![bo.0]).await.unwrap();
        other.commit().await.unwrap();
    };
    tokio::join!(env.run_jobs(), between);
    let done = imports::get(&env.engine, &env.admin, import).await.unwrap();
    assert_eq!(done.status, ImportStatus::Completed, "{:?}", done.failure);
    assert_eq!((done.report.created, done.report.updated, done.report.rows), (4_000, 2, 4_002));
}

#[tokio::test]
async fn an_undoing_waits_for_an_erasure() {
    let env = env().await;
    let import = checked(&env, "phone,name\n+12025550141,Ann\n+12025550142,Bo\n").await;
    env.run_jobs().await;
    let ann = all(&env).await.into_iter().find(|user| user.name.as_deref() == Some("Ann")).unwrap();
    imports::undo(&env.engine, &env.admin, import).await.unwrap();
    let erase = users::remove(&env.engine, &env.admin, ann.id, users::After::Suppress);
    let (erased, ()) = interleave(&env, Gate::Table("suppressions"), erase, env.run_jobs()).await;
    erased.unwrap();
    let undone = imports::get(&env.engine, &env.admin, import).await.unwrap();
    assert_eq!(undone.status, ImportStatus::Undone);
    assert_eq!(all(&env).await, []);
}

#[tokio::test]
async fn a_stop_outlives_the_undoing_of_its_import() {
    let env = env().await;
    let import = checked(&env, "phone,name\n+12025550141,Ann\n").await;
    env.run_jobs().await;
    imports::undo(&env.engine, &env.admin, import).await.unwrap();
    let ((), stopped) = interleave(&env, Gate::Table("subscriptions"), env.run_jobs(), stop(&env, ANN)).await;
    stopped.unwrap();
    let people = all(&env).await;
    assert_eq!(people.len(), 1);
    assert_eq!(state(&env, people[0].id).await, ConsentState::OptedOut);
}

#[tokio::test]
async fn an_audience_is_read_while_a_claim_holds_its_campaign() {
    let env = env().await;
    env.user(ANN).opted_in(Channel::Sms).create().await;
    let campaign = env.campaign().launch().await;
    let claim = env.engine.db.begin().await.unwrap();
    db::lock_row_as(&claim, "campaigns", campaign.id.0, db::lock_in_use(&claim)).await.unwrap();
    let expansion = expansion::run(&env.engine, campaign.id);
    tokio::time::timeout(Duration::from_secs(60), expansion).await.expect("it waits for the claim").unwrap();
    claim.rollback().await.unwrap();
    env.run_jobs().await;
    assert_eq!(env.simulator.truth().len(), 1);
}
