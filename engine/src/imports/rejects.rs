//! Rows that an import refused: as a list, and as a file to repair and upload again.

use super::{ImportRecord, csv_rows::split, file::Format, json_rows, load};
use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    csv_text::record,
    db, values,
};
use bytes::Bytes;
use domain::{
    ids::ImportId,
    import::ImportReject,
    operator::Operation,
    page::{Page, PageRequest},
};
use futures::{Stream, stream};
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many rows of the table one step of an export reads.
const EXPORT_ROWS: i64 = 1_000;

#[derive(Debug, FromQueryResult)]
struct Row {
    line: i64,
    part: i32,
    reason: String,
    message: String,
    field: Option<String>,
    raw: String,
}

/// What was wrong with the rows of an import, by line. A row with several faults stands once for each.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn rejects(engine: &Engine, actor: &Actor, id: ImportId, page: &PageRequest) -> Result<Page<ImportReject>> {
    authorize(Operation::ImportWrite, actor)?;
    load(engine.db.read(), id).await?.ok_or(Error::NotFound { what: "import" })?;
    let (line, part) = match &page.after {
        None => (0, -1),
        Some(cursor) => cursor
            .split_once('.')
            .and_then(|(line, part)| Some((line.parse::<i64>().ok()?, part.parse::<i32>().ok()?)))
            .ok_or_else(|| Error::invalid("after", "this is not a cursor"))?,
    };
    let rows = read(engine, id.0, line, part, i64::from(page.limit()) + 1).await?;
    Ok(Page::cut(rows, page.limit(), |row| format!("{}.{}", row.line, row.part)).map(|row| ImportReject {
        line: row.line,
        field: row.field,
        reason: row.reason,
        message: row.message,
        raw: row.raw,
    }))
}

async fn read(engine: &Engine, id: Uuid, line: i64, part: i32, limit: i64) -> Result<Vec<Row>> {
    db::all(
        engine.db.read(),
        "SELECT line, part, reason, message, field, raw FROM import_rejects
         WHERE import_id = $1 AND (line, part) > ($2, $3) ORDER BY line, part LIMIT $4",
        values![id, line, part, limit],
    )
    .await
}

/// Forgets what a check, or an earlier one, refused.
pub(super) async fn forget<C: ConnectionTrait>(conn: &C, id: ImportId) -> Result<()> {
    db::exec(conn, "DELETE FROM import_rejects WHERE import_id = $1", values![id.0]).await?;
    Ok(())
}

/// The refused rows as CSV, streamed: the file's own columns, then the line and the reasons, so that it can be repaired
/// and uploaded again. Cells that a spreadsheet would take for a formula get an apostrophe in front.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; within the stream [`Error::Unavailable`].
pub async fn rejects_csv(
    engine: &Engine,
    actor: &Actor,
    id: ImportId,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
    authorize(Operation::ImportWrite, actor)?;
    let import = load(engine.db.read(), id).await?.ok_or(Error::NotFound { what: "import" })?;
    let tx = engine.db.begin().await?;
    let act = Act { action: "import.export_rejects", target: format!("import:{id}"), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    let mut header: Vec<String> = import.file.columns.clone();
    header.extend(["import_line", "import_reason"].map(str::to_owned));
    let header = Bytes::from(record(header)?);
    let engine = engine.clone();
    let rest = stream::try_unfold(Some(0_i64), move |after| {
        let (engine, import) = (engine.clone(), import.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let rows = read(&engine, import.id, after, i32::MAX, EXPORT_ROWS).await?;
            let (lines, next) = whole_lines(rows);
            if lines.is_empty() {
                return Ok(None);
            }
            let mut out = Vec::new();
            for (line, (raw, reasons)) in lines {
                let mut cells = cells(&import, &raw);
                cells.extend([line.to_string(), reasons.join("; ")]);
                out.extend(record(cells)?);
            }
            Ok(Some((Bytes::from(out), next)))
        }
    });
    Ok(stream::StreamExt::chain(stream::once(async { Ok(header) }), rest))
}

type Lines = BTreeMap<i64, (String, Vec<String>)>;

/// The rows by line, without a last one that may go on in the next step; and after which line that begins.
fn whole_lines(rows: Vec<Row>) -> (Lines, Option<i64>) {
    let full = rows.len() as i64 == EXPORT_ROWS;
    let mut lines = Lines::new();
    for row in rows {
        let reason = match row.field {
            Some(field) => format!("{field}: {}", row.message),
            None => row.message,
        };
        lines.entry(row.line).or_insert_with(|| (row.raw, Vec::new())).1.push(reason);
    }
    if full && lines.len() > 1 {
        lines.pop_last();
    }
    let next = lines.last_key_value().map(|(line, _)| *line).filter(|_| full);
    (lines, next)
}

/// The row's cells in the order of the columns; the row as a whole in the first one where it cannot be split.
fn cells(import: &ImportRecord, raw: &str) -> Vec<String> {
    let columns = &import.file.columns;
    let found = match import.file.format {
        Format::Csv => split(raw, import.file.delimiter).filter(|cells| cells.len() <= columns.len()),
        Format::Json => serde_json::from_str(raw)
            .ok()
            .and_then(|object| json_rows::row(0, String::new(), Ok(object), columns).cells.ok()),
    };
    let mut cells = found.unwrap_or_else(|| vec![raw.to_owned()]);
    cells.resize(columns.len().max(1), String::new());
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_never_split_between_steps() {
        let row =
            |line, part| Row { line, part, reason: "r".into(), message: "m".into(), field: None, raw: "x".into() };
        let (lines, next) = whole_lines(vec![row(2, 0), row(2, 1), row(5, 0)]);
        assert_eq!((lines.len(), next, lines[&2].1.len()), (2, None, 2));
        let rows = (0..EXPORT_ROWS).map(|i| row(i / 2 + 1, (i % 2) as i32)).collect();
        let (lines, next) = whole_lines(rows);
        assert_eq!((lines.len() as i64, next), (EXPORT_ROWS / 2 - 1, Some(EXPORT_ROWS / 2 - 1)));
    }
}
