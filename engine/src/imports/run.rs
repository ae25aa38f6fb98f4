//! The reading of an import's rows: a thread reads and cleans, a task writes batch after batch.

mod pairs;

use super::{
    ImportRecord,
    batch::{Context, Findings, Mode, Row, without_consent},
    check, delete_file, file_path, load,
    people::keep_types,
    rows::{self, Failure, RawRow, Rows},
    undo,
};
use crate::{
    Actor, Engine, Error, Result, attributes,
    audit::{self, Act},
    db::{self, Tx},
    feed::{self, News},
    templates, values,
};
use domain::{
    feed::EventType,
    ids::{ImportId, TopicId},
    import::{Field, ImportReport, ImportStatus, clean_row, offer},
    phone::{NumberKind, number_kind},
};
use sea_orm::FromQueryResult;
use serde_json::json;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How many rows one transaction takes: so many that the disk's part in a row is small.
const BATCH_ROWS: usize = 2_500;
/// How much of the file's text one transaction takes, in bytes; rows may be long.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How many batches wait for the writer.
const BATCHES_AHEAD: usize = 1;
/// How often a batch is done again when others made the same people meanwhile.
const TRIES: u32 = 5;
/// The least time between two hints to open pages.
const HINT_GAP: Duration = Duration::from_millis(250);

/// Rows that were read together, and how much of the file that took.
struct Batch {
    rows: Vec<Row>,
    bytes_done: u64,
}

/// Does what an import waits for: its check, its rows, or its undoing, from the last committed batch on. Safe to run twice,
/// also at the same time: each batch is counted in the transaction that writes it, and only from where the count stands.
///
/// A file that cannot be read on ends the import as failed, with the reason; what went in before stays, with its record.
///
/// # Errors
/// [`Error::Unavailable`]; the import goes on with the next bell.
pub async fn run(engine: &Engine, id: ImportId) -> Result<()> {
    let Some(import) = load(engine.db.read(), id).await? else { return Ok(()) };
    let mode = match import.status.parse()? {
        ImportStatus::Checking => Mode::Check,
        ImportStatus::Running => Mode::Apply,
        ImportStatus::Undoing => return undo::run(engine, &import).await,
        _ => return Ok(()),
    };
    match read_through(engine, id, import, mode).await {
        // It would be the same next time, and the time after that: the import ends, with its record of what went in.
        Err(Error::Internal { source }) => {
            tracing::error!(import.id = %id, error = source, "an import could not go on");
            let Some(import) = load(engine.db.read(), id).await? else { return Ok(()) };
            let report = import.report.clone();
            let why = "a fault of this system's own: its log says which; what the report counts is in".to_owned();
            finish(engine, &import, mode, report, Some(Failure(why))).await
        }
        done => done,
    }
}

async fn read_through(engine: &Engine, id: ImportId, import: ImportRecord, mode: Mode) -> Result<()> {
    let conn = engine.db.read();
    let (topics, attributes) = (topics(engine).await?, attributes::declared(conn).await?);
    let context = Context { engine, import: &import, mode, topics, attributes };
    let (send, mut receive) = mpsc::channel(BATCHES_AHEAD);
    let (path, reader) = (file_path(engine, id), import.clone());
    let reading = tokio::task::spawn_blocking(move || {
        // The writer may be gone: then nobody wants to know how it ended.
        if let Err(failure) = read(path, &reader, mode, &send) {
            let _ = send.blocking_send(Err(failure));
        }
    });
    let mut done = Done { report: import.report.clone(), rows: import.rows_done };
    let two_at_once = mode == Mode::Apply && engine.db.writes_side_by_side();
    let mut hinted = Instant::now();
    while let Some(batch) = receive.recv().await {
        let first = match batch {
            Ok(batch) => batch,
            Err(failure) => return finish(engine, &import, mode, done.report, Some(failure)).await,
        };
        let second = match two_at_once {
            true => receive.recv().await.transpose(),
            false => Ok(None),
        };
        // A failure behind the first batch counts once that is in.
        let (second, failure) = match second {
            Ok(second) => (second, None),
            Err(failure) => (None, Some(failure)),
        };
        let mut taken = 0;
        if let Some(second) = &second {
            (done, taken) = pairs::take(&context, &first, second, done).await?;
        }
        for batch in [Some(first), second].iter().flatten().skip(taken) {
            match take(&context, batch, &done).await? {
                Some(after) => done = after,
                // Another worker took this batch: it goes on from there, and this one stops.
                None => return Ok(()),
            }
        }
        if let Some(failure) = failure {
            return finish(engine, &import, mode, done.report, Some(failure)).await;
        }
        if hinted.elapsed() >= HINT_GAP {
            engine.live.changed("imports");
            hinted = Instant::now();
        }
    }
    reading.await.map_err(Error::internal)?;
    finish(engine, &import, mode, done.report, None).await
}

/// How far an import has come.
#[derive(Debug, Clone)]
struct Done {
    /// What its rows came to.
    report: ImportReport,
    /// How many there were.
    rows: i64,
}

impl Done {
    /// With a batch that was written.
    fn and(&self, batch: &Batch, counted: ImportReport) -> Result<Self> {
        let mut report = self.report.clone();
        report.add(counted, check::SHOWN);
        Ok(Self { report, rows: self.rows + i64::try_from(batch.rows.len()).map_err(Error::internal)? })
    }
}

/// Writes a batch, and answers how far the import has come with it; `None` if another worker did.
async fn take(context: &Context<'_>, batch: &Batch, done: &Done) -> Result<Option<Done>> {
    let mut tries = 0;
    let (tx, counted) = loop {
        tries += 1;
        let tx = context.engine.db.begin_bulk().await?;
        let written = async {
            let prepared = context.prepare(&tx, &batch.rows).await?;
            let held = context.hold(&tx, &prepared).await?;
            context.write(&tx, prepared, held).await
        };
        match written.await {
            Ok(counted) => break (tx, counted),
            // Someone made one of these people since they were looked up: the next look finds them.
            Err(Error::Conflict { .. }) if tries < TRIES => tx.rollback().await?,
            Err(error) => return Err(error),
        }
    };
    let after = done.and(batch, counted)?;
    Ok(count(context, tx, batch, done, &after).await?.then_some(after))
}

/// Counts a batch in the transaction that wrote it, and commits it; `false` if another worker has counted it.
async fn count(context: &Context<'_>, tx: Tx, batch: &Batch, before: &Done, after: &Done) -> Result<bool> {
    let bytes = i64::try_from(batch.bytes_done).map_err(Error::internal)?;
    let report = serde_json::to_value(&after.report)?;
    let updated = db::exec(
        &tx,
        "UPDATE imports SET report = $3, bytes_done = $4, rows_done = $5
         WHERE id = $1 AND status = $6 AND rows_done = $2",
        values![context.import.id, before.rows, report, bytes, after.rows, context.mode.status().as_str()],
    )
    .await?;
    if updated == 0 {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

/// Reads, cleans and sends batches, from the row after the last that was committed.
fn read(
    path: PathBuf,
    import: &ImportRecord,
    mode: Mode,
    send: &mpsc::Sender<Result<Batch, Failure>>,
) -> Result<(), Failure> {
    let bytes = Arc::new(AtomicU64::new(0));
    let mut rows = Rows::new(rows::open(&path, &import.file, bytes.clone())?, &import.file)?;
    for _ in 0..import.rows_done {
        if rows.next_row()?.is_none() {
            return Err(Failure("the file is shorter than it was".to_owned()));
        }
    }
    loop {
        let (mut batch, mut text) = (Vec::with_capacity(BATCH_ROWS), 0);
        let ended = loop {
            match rows.next_row() {
                Ok(Some(row)) => {
                    text += row.raw.len();
                    batch.push(clean(row, import, mode));
                }
                Ok(None) => break Ok(true),
                Err(failure) => break Err(failure),
            }
            if batch.len() == BATCH_ROWS || text >= BATCH_BYTES {
                break Ok(false);
            }
        };
        let full = Batch { rows: batch, bytes_done: bytes.load(Ordering::Relaxed) };
        // The rows before a failure go in; a closed channel means that nobody writes any more.
        if (!full.rows.is_empty() && send.blocking_send(Ok(full)).is_err()) || ended? {
            return Ok(());
        }
    }
}

fn clean(row: RawRow, import: &ImportRecord, mode: Mode) -> Row {
    let options = &import.options;
    let clean = match &row.cells {
        Err(broken) => Err(vec![broken.error()]),
        Ok(cells) => clean_row(options, cells).map(|mut clean| {
            keep_types(&mut clean, &options.mapping, row.typed);
            clean
        }),
    };
    let findings = (mode == Mode::Check).then(|| {
        let cells: Vec<&str> = row.cells.iter().flatten().map(String::as_str).collect();
        let is_missing = |column: &usize| cells.get(*column).is_none_or(|cell| cell.trim().is_empty());
        // A row that could not be split says nothing about its columns.
        let columns = if row.cells.is_ok() { options.mapping.columns.len() } else { 0 };
        let missing = (0..columns).filter(is_missing).collect();
        let phone = clean.as_ref().ok().and_then(|clean| clean.phone.as_ref());
        let mobile = phone.map(|phone| {
            matches!(number_kind(phone), NumberKind::Mobile | NumberKind::FixedOrMobile | NumberKind::Unknown)
        });
        let damaged = clean.is_ok() && row.raw.contains(['\0', char::REPLACEMENT_CHARACTER]);
        Findings { missing, mobile, offer: clean.is_err().then(|| offer(options, &cells)).flatten(), damaged }
    });
    Row { line: row.line, raw: row.raw, clean, findings }
}

/// Ends a check or an import.
async fn finish(
    engine: &Engine,
    import: &ImportRecord,
    mode: Mode,
    report: ImportReport,
    failure: Option<Failure>,
) -> Result<()> {
    match (mode, failure) {
        (Mode::Check, None) => end_check(engine, import, report).await,
        (mode, failure) => end(engine, import, mode, report, failure).await,
    }
}

/// The report waits for a person's word, and the file with it.
async fn end_check(engine: &Engine, import: &ImportRecord, mut report: ImportReport) -> Result<()> {
    let tx = engine.db.begin().await?;
    report.sequences = check::sequences(&tx, ImportId(import.id)).await?;
    report.offers.sort_by_key(|offer| std::cmp::Reverse(offer.rows));
    let updated = db::exec(
        &tx,
        "UPDATE imports SET status = 'checked', report = $2, finished_at = $3, bytes_done = bytes_total
         WHERE id = $1 AND status = 'checking'",
        values![import.id, serde_json::to_value(&report)?, engine.clock.now()],
    )
    .await?;
    if updated > 0 {
        check::forget(&tx, import.id).await?;
        tx.commit().await?;
        engine.live.changed("imports");
    }
    Ok(())
}

async fn end(
    engine: &Engine,
    import: &ImportRecord,
    mode: Mode,
    mut report: ImportReport,
    failure: Option<Failure>,
) -> Result<()> {
    let status = if failure.is_some() { "failed" } else { "completed" };
    let failure = failure.map(|failure| failure.0);
    let tx = engine.db.begin().await?;
    if mode == Mode::Apply {
        report.without_consent = without_consent(&tx, ImportId(import.id)).await?;
    }
    let now = engine.clock.now();
    let updated = db::exec(
        &tx,
        "UPDATE imports SET status = $2, failure = $3, report = $4, finished_at = $5,
             bytes_done = CASE WHEN $2 = 'completed' THEN bytes_total ELSE bytes_done END
         WHERE id = $1 AND status = $6",
        values![import.id, status, failure.clone(), serde_json::to_value(&report)?, now, mode.status().as_str()],
    )
    .await?;
    if updated == 0 {
        return Ok(());
    }
    let attributes = import.options.mapping.columns.iter().flatten().filter_map(|field| match field {
        Field::Attribute(name) => Some(name.clone()),
        _ => None,
    });
    templates::remember(&tx, attributes, now).await?;
    check::forget(&tx, import.id).await?;
    let act = Act {
        action: "import.finish",
        target: format!("import:{}", import.id),
        before: None,
        after: Some(json!({ "status": status, "failure": failure.clone(), "report": without_people(&report) })),
    };
    audit::record(engine, &tx, &Actor::system(), act).await?;
    let kind = if failure.is_some() { EventType::ImportFailed } else { EventType::ImportCompleted };
    let data = json!({
        "file": import.file_name, "failure": failure, "created": report.created, "updated": report.updated,
        "unchanged": report.unchanged, "rejected": report.rejected,
    });
    feed::tell(engine, &tx, vec![News::import(kind, import.id, data)]).await?;
    tx.commit().await?;
    delete_file(engine, ImportId(import.id)).await;
    for noun in ["imports", "users"] {
        engine.live.changed(noun);
    }
    Ok(())
}

/// The report as the audit log keeps it for ever: without anyone's data.
fn without_people(report: &ImportReport) -> ImportReport {
    let offers = report.offers.iter().map(|offer| domain::import::Offer {
        before: String::new(),
        after: String::new(),
        ..offer.clone()
    });
    ImportReport { changes: Vec::new(), offers: offers.collect(), ..report.clone() }
}

#[derive(FromQueryResult)]
struct TopicKey {
    id: Uuid,
    key: String,
}

async fn topics(engine: &Engine) -> Result<std::collections::HashMap<String, TopicId>> {
    let rows: Vec<TopicKey> = db::all(engine.db.read(), "SELECT id, key FROM topics", Vec::new()).await?;
    Ok(rows.into_iter().map(|row| (row.key, TopicId(row.id))).collect())
}
