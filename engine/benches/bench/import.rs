//! B6: how fast files go in, beside the database's own fastest way: `COPY` of the same people into a table of the same
//! shape.
//!
//! What is counted: people, consent, ledger and the record for undoing are all there afterwards, and as many as the file has.

mod file;

use crate::{
    machine::{Machine, Snapshot, memory},
    report::{Figure, Outcome, Target},
    rounds::Spread,
};
use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use domain::{
    attribute::AttributeForm,
    filter::AttributeKind,
    import::{ImportStatus, ImportView},
};
use engine::{
    Doorbell, attributes, db, imports, jobs,
    testing::{Backend, TestEnv},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// An import with all that it does, by the raw `COPY` of the same run.
const GATE: f64 = 0.35;
/// The most memory of this process, which imports within it and makes the file as well, in MB.
const MEMORY_GATE_MB: f64 = 128.0;
/// How often a job is run before it must be done; each run works through to the end.
const RUNS_MAX: usize = 100;
/// How many rows the peer sends at once.
const COPY_ROWS: usize = 1_000;

/// One step's cost.
struct Step {
    name: &'static str,
    took: Duration,
    ours: Duration,
    postgres: Duration,
}

/// What the rounds came to, by file and step: rows a second, CPU µs a row of this process, and of PostgreSQL.
type Costs = BTreeMap<String, [Vec<f64>; 3]>;

/// Runs it.
pub async fn run(machine: &Machine, rows: u32, rounds: usize) -> Result<Outcome> {
    let before = Snapshot::take()?;
    let (mut copied, mut costs) = (Vec::new(), Costs::new());
    for _ in 0..rounds {
        let env = TestEnv::durable().await;
        copied.push(copy(&env, rows).await?);
        files(&env, rows, "", &mut costs).await?;
    }
    files(&TestEnv::new(Backend::Sqlite).await, rows, "SQLite: ", &mut costs).await?;
    let applied = &costs["all new, apply"][0];
    let mut figures = vec![
        Figure::of("all new, applied ÷ COPY", Spread::of_ratios(applied, &copied), "×").with(Target::AtLeast(GATE)),
        Figure::new("memory of this process, most ever", memory(std::process::id())?.0 as f64 / 1e6, "MB")
            .with(Target::AtMost(MEMORY_GATE_MB)),
        Figure::of("COPY", Spread::of(copied), "rows/s"),
    ];
    for (step, [rates, ours, postgres]) in costs {
        figures.push(Figure::of(step.clone(), Spread::of(rates), "rows/s"));
        figures.push(Figure::of(format!("{step}: CPU of ours"), Spread::of(ours), "µs/row"));
        figures.push(Figure::of(format!("{step}: CPU of PostgreSQL"), Spread::of(postgres), "µs/row"));
    }
    let after = Snapshot::take()?;
    Ok(Outcome {
        scenario: "b6",
        settings: format!(
            "Files of {rows} rows, {rounds} rounds of COPY and imports on PostgreSQL; SQLite once, beside"
        ),
        quick: false,
        at: Utc::now(),
        machine: machine.clone(),
        others: after.others_since(&before, machine.cores),
        figures,
        complaints: Vec::new(),
    })
}

/// The three files one after the other: everyone is new, known, and changed.
async fn files(env: &TestEnv, rows: u32, prefix: &str, costs: &mut Costs) -> Result<()> {
    for (name, kind) in [("age", AttributeKind::Number), ("city", AttributeKind::Text), ("plan", AttributeKind::Text)] {
        let form = AttributeForm { name: name.into(), kind, description: String::new() };
        attributes::create(&env.engine, &env.admin, &form).await?;
    }
    for (name, older, bad, expected) in [
        ("all new", 0, 0, [rows, 0, 0]),
        ("all known", 0, 0, [0, 0, rows]),
        ("all changed, 3 % refused", 1, 33, [0, rows - rows / 33, 0]),
    ] {
        let (import, steps) = import(env, rows, older, bad).await?;
        let report = &import.report;
        let found = [report.created, report.updated, report.unchanged];
        ensure!(found == expected.map(i64::from), "{name}: created, updated, unchanged {found:?}, not {expected:?}");
        for step in steps {
            let kept = costs.entry(format!("{prefix}{name}, {}", step.name)).or_default();
            let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / f64::from(rows);
            kept[0].push(f64::from(rows) / step.took.as_secs_f64());
            kept[1].push(micros(step.ours));
            kept[2].push(micros(step.postgres));
        }
    }
    env.leave_jobs();
    Ok(())
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
    let db = env.engine.db.for_migrations();
    db::exec(
        db,
        "CREATE TABLE copied (LIKE users INCLUDING INDEXES INCLUDING CONSTRAINTS INCLUDING GENERATED)",
        Vec::new(),
    )
    .await?;
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
    Ok(f64::from(rows) / took.as_secs_f64())
}

fn copied(env: &TestEnv, n: u32) -> String {
    let (phone, age) = (file::phone(n), 18 + n / 64 % 60);
    let attributes = format!(r#"{{""age"": {age}, ""city"": ""Berlin"", ""plan"": ""free""}}"#);
    let (id, at): (Uuid, _) = (env.engine.clock.new_id(), env.engine.clock.now().to_rfc3339());
    format!("{id},{phone},Person {n},de-DE,\"{attributes}\",{at},{at}\n")
}
