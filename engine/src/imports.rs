//! Imports of people: a file comes in, its columns are mapped, its rows go in batch by batch.
//!
//! The file is kept in the folder of uploads under the import's id until its rows are in; where web processes and workers
//! are on different machines, that folder is shared between them. An import never raises consent above the ledger.

mod batch;
mod csv_rows;
mod decode;
mod file;
mod json_rows;
mod lines;
mod people;
mod rejects;
mod rows;
mod run;
mod upload;

pub use rejects::{rejects, rejects_csv};
pub use run::run;
pub use upload::create;

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    consents::EVIDENCE_MAX_CHARS,
    db, values,
};
use chrono::{DateTime, Utc};
use domain::{
    ids::ImportId,
    import::{ImportOptions, ImportReport, ImportView},
    operator::Operation,
    page::{Page, PageRequest},
    phone::{self, PhoneError},
    problem::FieldProblem,
};
use file::FileInfo;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value;
use std::path::PathBuf;
use uuid::Uuid;

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
    bytes_total: i64,
    bytes_done: i64,
    rows_done: i64,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "id, file_name, format, status, failure, options, report, file, bytes_total, bytes_done, rows_done, \
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
        status: record.status.parse()?,
        failure: record.failure,
        options: record.options,
        columns: record.file.columns,
        sample: record.file.sample,
        report: record.report,
        bytes_total: record.bytes_total,
        bytes_done: record.bytes_done,
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

/// Starts an uploaded import with these options.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] when it was started before, [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn start(engine: &Engine, actor: &Actor, id: ImportId, options: &ImportOptions) -> Result<ImportView> {
    authorize(Operation::ImportWrite, actor)?;
    let tx = engine.db.begin().await?;
    let import = load(&tx, id).await?.ok_or(Error::NotFound { what: "import" })?;
    let options = check(options, &import.file)?;
    let started = db::exec(
        &tx,
        "UPDATE imports SET status = 'running', options = $2, started_at = $3 WHERE id = $1 AND status = 'uploaded'",
        values![id.0, serde_json::to_value(&options)?, engine.clock.now()],
    )
    .await?;
    if started == 0 {
        return Err(Error::conflict("this import was started already"));
    }
    let act = Act {
        action: "import.start",
        target: format!("import:{id}"),
        before: None,
        after: Some(serde_json::to_value(&options)?),
    };
    audit::record(engine, &tx, actor, act).await?;
    let import = load(&tx, id).await?.ok_or(Error::NotFound { what: "import" })?;
    tx.commit().await?;
    engine.queue.ring(Doorbell::Import(id)).await;
    engine.live.changed("imports");
    view(import)
}

/// The options as they are stored, or everything that is wrong with them at once.
fn check(options: &ImportOptions, file: &FileInfo) -> Result<ImportOptions> {
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
    if !errors.is_empty() {
        return Err(Error::Invalid { errors });
    }
    Ok(ImportOptions {
        default_region: region.map(str::to_ascii_uppercase),
        mapping: options.mapping.clone(),
        sms_evidence: options.sms_evidence.trim().to_owned(),
        whatsapp_evidence: options.whatsapp_evidence.trim().to_owned(),
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
            let found: Vec<String> = match check(&options, &file) {
                Err(Error::Invalid { errors }) => errors.into_iter().map(|error| error.pointer).collect(),
                _ => Vec::new(),
            };
            assert_eq!(found, *expected);
        }
        assert_eq!(check(&fine, &file).unwrap().default_region.as_deref(), Some("DE"));
    }
}
