//! Imports of people: a file comes in, its columns are mapped, its rows go in batch by batch.
//!
//! The file is kept in the folder of uploads under the import's id until its rows are in; where web processes and workers
//! are on different machines, that folder is shared between them. An import never raises consent above the ledger.

mod batch;
mod check;
mod csv_rows;
mod decode;
mod file;
mod json_rows;
mod lines;
mod people;
mod rejects;
mod rows;
mod run;
mod stored;
mod strict_json;
mod undo;
mod upload;

pub use rejects::{rejects, rejects_csv};
pub use run::run;
pub use undo::undo;
pub use upload::create;

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    consents::EVIDENCE_MAX_CHARS,
    db::{self, Tx},
    values,
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    ids::ImportId,
    import::{ImportOptions, ImportReport, ImportView, MAX_COLUMNS},
    operator::Operation,
    page::{Page, PageRequest},
    phone::{self, PhoneError},
    problem::FieldProblem,
};
use file::FileInfo;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};
use std::path::PathBuf;
use uuid::Uuid;

/// The longest mark that empties a field, in characters.
const CLEAR_MARK_MAX_CHARS: usize = 20;
/// The longest file name that is shown, in characters.
const FILE_NAME_MAX_CHARS: usize = 200;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    file_name: String,
    format: String,
    status: String,
    failure: Option<String>,
    options: Value,
    report: Value,
    file: Value,
    checked: Option<Value>,
    bytes_total: i64,
    bytes_done: i64,
    rows_done: i64,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "id, file_name, format, status, failure, options, report, file, checked, bytes_total, bytes_done, rows_done, \
                       created_at, started_at, finished_at";

/// An import with what its JSON columns hold.
#[derive(Debug, Clone)]
struct ImportRecord {
    id: Uuid,
    file_name: String,
    format: String,
    status: String,
    failure: Option<String>,
    options: ImportOptions,
    report: ImportReport,
    file: FileInfo,
    checked: Option<ImportReport>,
    bytes_total: i64,
    bytes_done: i64,
    rows_done: i64,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for ImportRecord {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            file_name: row.file_name,
            format: row.format,
            status: row.status,
            failure: row.failure,
            options: serde_json::from_value(row.options)?,
            report: serde_json::from_value(row.report)?,
            file: serde_json::from_value(row.file)?,
            checked: row.checked.map(serde_json::from_value).transpose()?,
            bytes_total: row.bytes_total,
            bytes_done: row.bytes_done,
            rows_done: row.rows_done,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

fn view(record: ImportRecord) -> Result<ImportView> {
    Ok(ImportView {
        id: ImportId(record.id),
        file_name: record.file_name,
        format: record.format,
        encoding: record.file.encoding,
        status: record.status.parse()?,
        failure: record.failure,
        options: record.options,
        columns: record.file.columns,
        sample: record.file.sample,
        checked: record.checked,
        report: record.report,
        bytes_total: record.bytes_total,
        bytes_done: record.bytes_done,
        rows_done: record.rows_done,
        created_at: record.created_at,
        started_at: record.started_at,
        finished_at: record.finished_at,
    })
}

/// Where an import's file is: the only name it has there is its id.
fn file_path(engine: &Engine, id: ImportId) -> PathBuf {
    engine.limits.upload_dir.join(id.to_string())
}

async fn load<C: ConnectionTrait>(conn: &C, id: ImportId) -> Result<Option<ImportRecord>> {
    let sql = format!("SELECT {COLUMNS} FROM imports WHERE id = $1");
    db::one::<Row, _>(conn, &sql, values![id.0]).await?.map(ImportRecord::try_from).transpose()
}

/// All imports, newest first.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor, page: &PageRequest) -> Result<Page<ImportView>> {
    authorize(Operation::UserRead, actor)?;
    let before = match &page.after {
        Some(cursor) => cursor.parse::<Uuid>().map_err(|_| Error::invalid("after", "this is not a cursor"))?,
        None => Uuid::max(),
    };
    let sql = format!("SELECT {COLUMNS} FROM imports WHERE id < $1 ORDER BY id DESC LIMIT $2");
    let rows: Vec<Row> = db::all(engine.db.read(), &sql, values![before, i64::from(page.limit()) + 1]).await?;
    let page = Page::cut(rows, page.limit(), |row| row.id.to_string());
    let rows = page.rows.into_iter().map(|row| view(row.try_into()?)).collect::<Result<_>>()?;
    Ok(Page { rows, next: page.next })
}

/// One import.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: ImportId) -> Result<ImportView> {
    authorize(Operation::UserRead, actor)?;
    view(load(engine.db.read(), id).await?.ok_or(Error::NotFound { what: "import" })?)
}

/// Reads the whole file with these options, and writes nothing but a report of what would happen. It may be asked again with
/// other options until the import is applied.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] when it is at work or was applied, [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn check(engine: &Engine, actor: &Actor, id: ImportId, options: &ImportOptions) -> Result<ImportView> {
    authorize(Operation::ImportWrite, actor)?;
    let import = load(engine.db.read(), id).await?.ok_or(Error::NotFound { what: "import" })?;
    let file = upload::in_encoding(engine, &import, options.encoding.as_deref()).await?;
    let options = valid_options(options, &file)?;
    let tx = engine.db.begin().await?;
    let begun = db::exec(
        &tx,
        "UPDATE imports SET status = 'checking', options = $2, report = $3, started_at = $4, finished_at = NULL,
             rows_done = 0, bytes_done = 0, file = $5
         WHERE id = $1 AND status IN ('uploaded', 'checked')",
        values![
            id.0,
            serde_json::to_value(&options)?,
            serde_json::to_value(ImportReport::default())?,
            engine.clock.now(),
            serde_json::to_value(&file)?
        ],
    )
    .await?;
    if begun == 0 {
        return Err(Error::conflict("this import is at work, or was applied already"));
    }
    check::forget(&tx, id.0).await?;
    rejects::forget(&tx, id).await?;
    began(engine, tx, actor, id, "import.check", serde_json::to_value(&options)?).await
}

/// Lets the rows of a checked import go in, as its report says. A list that smells of having been made by counting up needs
/// `confirmed`: someone looked at it a second time.
///
/// # Errors
/// [`Error::Invalid`] on `confirmed`, [`Error::Conflict`] when it was not checked or was applied already,
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn apply(engine: &Engine, actor: &Actor, id: ImportId, confirmed: bool) -> Result<ImportView> {
    authorize(Operation::ImportWrite, actor)?;
    let tx = engine.db.begin().await?;
    let import = load(&tx, id).await?.ok_or(Error::NotFound { what: "import" })?;
    let checked = import.report;
    if checked.sequences.is_suspicious() && !confirmed {
        return Err(Error::invalid(
            "confirmed",
            "many numbers follow one another, as in lists that were bought or made up: confirm that these people gave them to you",
        ));
    }
    let report =
        ImportReport { quality: checked.quality.clone(), sequences: checked.sequences, ..ImportReport::default() };
    let begun = db::exec(
        &tx,
        "UPDATE imports SET status = 'running', checked = $2, report = $3, started_at = $4, finished_at = NULL,
             rows_done = 0, bytes_done = 0
         WHERE id = $1 AND status = 'checked'",
        values![id.0, serde_json::to_value(&checked)?, serde_json::to_value(&report)?, engine.clock.now()],
    )
    .await?;
    if begun == 0 {
        return Err(Error::conflict("this import was not checked, or was applied already"));
    }
    rejects::forget(&tx, id).await?;
    let after = json!({
        "rows": checked.rows, "created": checked.created, "updated": checked.updated, "confirmed": confirmed,
        "longest_sequence": checked.sequences.longest,
    });
    began(engine, tx, actor, id, "import.apply", after).await
}

/// Commits what was asked of an import with its audit entry, and rings for it.
async fn began(
    engine: &Engine,
    tx: Tx,
    actor: &Actor,
    id: ImportId,
    action: &'static str,
    after: Value,
) -> Result<ImportView> {
    let act = Act { action, target: format!("import:{id}"), before: None, after: Some(after) };
    audit::record(engine, &tx, actor, act).await?;
    let import = load(&tx, id).await?.ok_or(Error::NotFound { what: "import" })?;
    tx.commit().await?;
    engine.queue.ring(Doorbell::Import(id)).await;
    engine.live.changed("imports");
    view(import)
}

/// How long an upload waits for someone to apply it.
const UNUSED_DAYS: i64 = 7;

/// Ends uploads that nobody applied, and deletes their files.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn expire(engine: &Engine) -> Result<()> {
    let limit = engine.clock.now() - Duration::days(UNUSED_DAYS);
    let old: Vec<IdRow> = db::all(
        engine.db.read(),
        "SELECT id FROM imports WHERE status IN ('uploaded', 'checked') AND created_at < $1 LIMIT 100",
        values![limit],
    )
    .await?;
    for row in old {
        let tx = engine.db.begin_bulk().await?;
        db::exec(
            &tx,
            "UPDATE imports SET status = 'failed', failure = $2, report = $3, finished_at = $4
             WHERE id = $1 AND status IN ('uploaded', 'checked')",
            values![
                row.id,
                format!("nobody applied it within {UNUSED_DAYS} days, so its file was deleted"),
                serde_json::to_value(ImportReport::default())?,
                engine.clock.now()
            ],
        )
        .await?;
        tx.commit().await?;
        delete_file(engine, ImportId(row.id)).await;
        engine.live.changed("imports");
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

/// People's data is kept in one place: once a file has done its work, it goes.
async fn delete_file(engine: &Engine, id: ImportId) {
    if let Err(error) = tokio::fs::remove_file(file_path(engine, id)).await {
        tracing::warn!(import.id = %id, error = %error, "an upload could not be deleted");
    }
}

/// The options as they are stored, or everything that is wrong with them at once.
fn valid_options(options: &ImportOptions, file: &FileInfo) -> Result<ImportOptions> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| errors.push(FieldProblem { pointer: format!("/{field}"), detail });
    if let Err(error) = options.mapping.check() {
        wrong("mapping", error.to_string());
    } else if options.mapping.columns.len() != file.columns.len() {
        wrong("mapping", format!("the file has {} columns; say of each what it is", file.columns.len()));
    }
    let region = options.default_region.as_deref().map(str::trim).filter(|region| !region.is_empty());
    if region.is_some_and(|region| phone::normalise("0", Some(region)) == Err(PhoneError::UnknownRegion)) {
        wrong("default_region", PhoneError::UnknownRegion.to_string());
    }
    for (field, evidence) in
        [("sms_evidence", &options.sms_evidence), ("whatsapp_evidence", &options.whatsapp_evidence)]
    {
        if evidence.chars().count() > EVIDENCE_MAX_CHARS {
            wrong(field, format!("evidence has at most {EVIDENCE_MAX_CHARS} characters"));
        }
    }
    if options.clear_mark.chars().count() > CLEAR_MARK_MAX_CHARS {
        wrong("clear_mark", format!("the mark has at most {CLEAR_MARK_MAX_CHARS} characters"));
    }
    if options.policies.0.len() > MAX_COLUMNS {
        wrong("policies", format!("there are policies for more than {MAX_COLUMNS} fields"));
    }
    if !errors.is_empty() {
        return Err(Error::Invalid { errors });
    }
    Ok(ImportOptions {
        default_region: region.map(str::to_ascii_uppercase),
        mapping: options.mapping.clone(),
        sms_evidence: options.sms_evidence.trim().to_owned(),
        whatsapp_evidence: options.whatsapp_evidence.trim().to_owned(),
        policies: options.policies.clone(),
        clear_mark: options.clear_mark.trim().to_owned(),
        repairs: options.repairs.clone(),
        encoding: options.encoding.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::import::{Field, Mapping};

    #[test]
    fn options_are_checked_field_by_field() {
        type Breach = fn(&mut ImportOptions);
        let fine = ImportOptions {
            default_region: Some(" de ".into()),
            mapping: Mapping { columns: vec![Some(Field::Phone), None] },
            ..ImportOptions::default()
        };
        let file = FileInfo { columns: vec!["a".into(), "b".into()], ..FileInfo::default() };
        let cases: &[(Breach, &[&str])] = &[
            (|_| {}, &[]),
            (|o| o.default_region = None, &[]),
            (|o| o.mapping.columns = vec![None, None], &["/mapping"]),
            (|o| o.mapping.columns.push(None), &["/mapping"]),
            (|o| o.default_region = Some("Germany".into()), &["/default_region"]),
            (|o| o.sms_evidence = "x".repeat(EVIDENCE_MAX_CHARS + 1), &["/sms_evidence"]),
        ];
        for (breach, expected) in cases {
            let mut options = fine.clone();
            breach(&mut options);
            let found: Vec<String> = match valid_options(&options, &file) {
                Err(Error::Invalid { errors }) => errors.into_iter().map(|error| error.pointer).collect(),
                _ => Vec::new(),
            };
            assert_eq!(found, *expected);
        }
        assert_eq!(valid_options(&fine, &file).unwrap().default_region.as_deref(), Some("DE"));
    }
}
