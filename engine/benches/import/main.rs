//! How fast files go in, beside the database's own fastest way: `COPY` of the same people into a table of the same shape.
//!
//! ```text
//! cargo bench -p engine --bench import -- --rows 100000 postgres
//! ```
//!
//! What is counted: people, consent, ledger and the record for undoing are all there afterwards, and as many as the file has.

mod file;
#[path = "../load/machine.rs"]
#[expect(dead_code, reason = "the other bench uses all of it")]
mod machine;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};
use domain::{
    attribute::AttributeForm,
    filter::AttributeKind,
    import::{ImportStatus, ImportView},
};
use engine::{
    Doorbell, attributes, db, imports, jobs,
    testing::{Backend, TestEnv},
};
use machine::{Snapshot, memory};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often a job is run before it must be done; each run works through to the end.
const RUNS_MAX: usize = 100;
/// How many rows the peer sends at once.
const COPY_ROWS: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

/// Imports, measured.
#[derive(Debug, Parser)]
struct Options {
    /// On which database; both if none is named.
    databases: Vec<Database>,
    /// How many rows the file has.
    #[arg(long, default_value_t = 100_000)]
    rows: u32,
    /// Given by `cargo bench`; it means nothing here.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!((1_000..=10_000_000).contains(&options.rows), "--rows: 1000 to 10000000");
    // It is installed already if another part of the process did so first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let databases = if options.databases.is_empty() { Database::value_variants() } else { &options.databases };
    println!(
        "| database | file | step | rows/s | CPU µs a row: ours, PostgreSQL | ÷ COPY |\n|---|---|---|---:|---:|---:|"
    );
    for database in databases {
        runtime.block_on(measure(*database, options.rows))?;
    }
    let (most, now) = memory(std::process::id())?;
    println!("\nmemory of this process: at most {} MB, now {} MB", most >> 20, now >> 20);
    Ok(())
}

/// One step's cost.
struct Step {
    name: &'static str,
    took: Duration,
    ours: Duration,
    postgres: Duration,
}

async fn measure(database: Database, rows: u32) -> Result<()> {
    let env = match database {
        Database::Sqlite => TestEnv::new(Backend::Sqlite).await,
        Database::Postgres => TestEnv::durable().await,
    };
    for (name, kind) in [("age", AttributeKind::Number), ("city", AttributeKind::Text), ("plan", AttributeKind::Text)] {
        let form = AttributeForm { name: name.into(), kind, description: String::new() };
        attributes::create(&env.engine, &env.admin, &form).await?;
    }
    let copied = match database {
        Database::Postgres => Some(copy(&env, rows).await?),
        Database::Sqlite => None,
    };
    for (name, older, bad, expected) in [
        ("all new", 0, 0, [rows, 0, 0]),
        ("all known", 0, 0, [0, 0, rows]),
        ("all changed, 3 % refused", 1, 33, [0, rows - rows / 33, 0]),
    ] {
        let (import, steps) = import(&env, rows, older, bad).await?;
        let report = &import.report;
        let found = [report.created, report.updated, report.unchanged];
        ensure!(found == expected.map(i64::from), "{name}: created, updated, unchanged {found:?}, not {expected:?}");
        for step in &steps {
            print(database, name, rows, step, copied);
        }
    }
    env.leave_jobs();
    Ok(())
}

fn print(database: Database, file: &str, rows: u32, step: &Step, copied: Option<f64>) {
    let rate = |took: Duration| f64::from(rows) / took.as_secs_f64();
    let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / f64::from(rows);
    let ratio = copied.map_or(String::new(), |copied| format!("{:.2}", rate(step.took) / copied));
    println!(
        "| {database:?} | {file} | {} | {:.0} | {:.0}, {:.0} | {ratio} |",
        step.name,
        rate(step.took),
        micros(step.ours),
        micros(step.postgres)
    );
}

/// An upload, its check and its application.
async fn import(env: &TestEnv, rows: u32, older: u32, bad: u32) -> Result<(ImportView, Vec<Step>)> {
    let (engine, admin) = (&env.engine, &env.admin);
    let mut steps = Vec::new();
    let uploaded = timed(&mut steps, "upload", async {
        Ok(imports::create(engine, admin, "bench.csv", file::upload(rows, older, bad)).await?)
    })
    .await?;
    let options = uploaded.options.clone();
    timed(&mut steps, "check", async {
        imports::check(engine, admin, uploaded.id, &options).await?;
        until(env, &uploaded, ImportStatus::Checked).await
    })
    .await?;
    let applied = timed(&mut steps, "apply", async {
        imports::apply(engine, admin, uploaded.id, true).await?;
        until(env, &uploaded, ImportStatus::Completed).await
    })
    .await?;
    Ok((applied, steps))
}

async fn until(env: &TestEnv, import: &ImportView, status: ImportStatus) -> Result<ImportView> {
    for _ in 0..RUNS_MAX {
        jobs::run(&env.engine, Doorbell::Import(import.id)).await?;
        let found = imports::get(&env.engine, &env.admin, import.id).await?;
        ensure!(found.status != ImportStatus::Failed, "the import failed: {:?}", found.failure);
        if found.status == status {
            return Ok(found);
        }
    }
    anyhow::bail!("the import does not come to {status:?}")
}

async fn timed<T>(steps: &mut Vec<Step>, name: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let (before, began) = (Snapshot::take()?, Instant::now());
    let done = work.await.context(name)?;
    let (after, took) = (Snapshot::take()?, began.elapsed());
    let ours = after.cpu_since(&before, std::process::id());
    steps.push(Step { name, took, ours, postgres: after.cpu_of_our(&before, "postgres") });
    Ok(done)
}

/// The peer: the same people by `COPY` into a table with the keys of `users`, in rows a second.
async fn copy(env: &TestEnv, rows: u32) -> Result<f64> {
    let db = env.engine.db.read();
    db::exec(db, "CREATE TABLE copied (LIKE users INCLUDING INDEXES INCLUDING CONSTRAINTS)", Vec::new()).await?;
    let mut connection = db.get_postgres_connection_pool().acquire().await?;
    let columns = "id, phone, name, locale, attributes, created_at, updated_at";
    let began = Instant::now();
    let mut sink = connection.copy_in_raw(&format!("COPY copied ({columns}) FROM STDIN WITH (FORMAT csv)")).await?;
    for from in (0..rows).step_by(COPY_ROWS) {
        let to = rows.min(from + COPY_ROWS as u32);
        let text: String = (from..to).map(|n| copied(env, n)).collect();
        sink.send(text.as_bytes()).await?;
    }
    let copied = sink.finish().await?;
    let took = began.elapsed();
    ensure!(copied == u64::from(rows), "{copied} rows were copied");
    db::exec(db, "DROP TABLE copied", Vec::new()).await?;
    println!("| Postgres | all new | COPY | {:.0} | | 1 |", f64::from(rows) / took.as_secs_f64());
    Ok(f64::from(rows) / took.as_secs_f64())
}

fn copied(env: &TestEnv, n: u32) -> String {
    let (phone, age) = (file::phone(n), 18 + n / 64 % 60);
    let attributes = format!(r#"{{""age"": {age}, ""city"": ""Berlin"", ""plan"": ""free""}}"#);
    let (id, at): (Uuid, _) = (env.engine.clock.new_id(), env.engine.clock.now().to_rfc3339());
    format!("{id},{phone},Person {n},de-DE,\"{attributes}\",{at},{at}\n")
}
