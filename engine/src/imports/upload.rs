//! The arrival of a file: streamed to disk, looked at, and entered in the list.

use super::{
    FILE_NAME_MAX_CHARS, ImportRecord,
    file::{self, FileInfo, Inspected, SNIFF_BYTES},
    file_path, view,
};
use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db, values,
};
use bytes::Bytes;
use domain::{
    ids::ImportId,
    import::{ImportOptions, ImportReport, ImportView, guess_mapping},
    operator::Operation,
};
use encoding_rs::Encoding;
use futures::{Stream, StreamExt};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{io, path::Path, pin::pin};
use tokio::{fs::File, io::AsyncWriteExt};
use uuid::Uuid;

/// Takes a file in, guesses its columns, and waits for [`super::check`]. The name is shown and never used as a path; the
/// type is told by the content.
///
/// # Errors
/// [`Error::Invalid`] on `file` for a file that is no list of people or over the limit, [`Error::Forbidden`],
/// [`Error::Unavailable`] when the disk does not take it.
pub async fn create(
    engine: &Engine,
    actor: &Actor,
    file_name: &str,
    body: impl Stream<Item = io::Result<Bytes>>,
) -> Result<ImportView> {
    authorize(Operation::ImportWrite, actor)?;
    let id: ImportId = engine.clock.new_id::<Uuid>().into();
    let path = file_path(engine, id);
    let created = receive(engine, &path, body).await;
    let created = match created {
        Ok(bytes) => enter(engine, actor, id, &display_name(file_name), bytes).await,
        Err(error) => Err(error),
    };
    if created.is_err()
        && let Err(error) = tokio::fs::remove_file(&path).await
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(import.id = %id, error = %error, "a refused upload could not be deleted");
    }
    created
}

/// Writes the body to disk, and answers its size in bytes.
async fn receive(engine: &Engine, path: &Path, body: impl Stream<Item = io::Result<Bytes>>) -> Result<u64> {
    let disk = |error: io::Error| Error::Unavailable { what: "the folder of uploads", source: Box::new(error) };
    tokio::fs::create_dir_all(&engine.limits.upload_dir).await.map_err(disk)?;
    let mut file = File::create_new(path).await.map_err(disk)?;
    let mut body = pin!(body);
    let mut head = Vec::new();
    let mut sniffed = false;
    let mut bytes = 0_u64;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Error::invalid("file", format!("the upload was cut off: {error}")))?;
        bytes += chunk.len() as u64;
        if bytes > engine.limits.upload_bytes {
            return Err(Error::invalid(
                "file",
                format!("a file may have {} bytes at most", engine.limits.upload_bytes),
            ));
        }
        if !sniffed {
            let room = SNIFF_BYTES.saturating_sub(head.len()).min(chunk.len());
            head.extend_from_slice(&chunk[..room]);
            sniffed = head.len() == SNIFF_BYTES;
            if sniffed {
                file::refuse_foreign(&head).map_err(|why| Error::invalid("file", why))?;
            }
        }
        file.write_all(&chunk).await.map_err(disk)?;
    }
    if !sniffed {
        file::refuse_foreign(&head).map_err(|why| Error::invalid("file", why))?;
    }
    file.sync_all().await.map_err(disk)?;
    Ok(bytes)
}

async fn enter(engine: &Engine, actor: &Actor, id: ImportId, file_name: &str, bytes: u64) -> Result<ImportView> {
    let Inspected { info, look } = inspect(engine, id, None, "file").await?;
    // What other systems nest under `attributes` is named by what is inside.
    let headers: Vec<&str> =
        info.columns.iter().map(|column| column.strip_prefix("attributes.").unwrap_or(column)).collect();
    let columns_hash = hex::encode(Sha256::digest(serde_json::to_vec(&info.columns)?));
    let options = match chosen_before(engine.db.read(), &columns_hash).await? {
        Some(options) => options,
        None => ImportOptions { mapping: guess_mapping(&headers, &look), ..ImportOptions::default() },
    };
    let record = ImportRecord {
        id: id.0,
        file_name: file_name.to_owned(),
        format: info.format.as_str().to_owned(),
        status: "uploaded".to_owned(),
        failure: None,
        options,
        report: ImportReport::default(),
        file: info,
        checked: None,
        bytes_total: i64::try_from(bytes).map_err(Error::internal)?,
        bytes_done: 0,
        rows_done: 0,
        created_at: engine.clock.now(),
        started_at: None,
        finished_at: None,
    };
    let tx = engine.db.begin().await?;
    db::exec(
        &tx,
        "INSERT INTO imports (id, file_name, format, status, options, report, file, bytes_total, created_by, created_at, columns_hash)
         VALUES ($1, $2, $3, 'uploaded', $4, $5, $6, $7, $8, $9, $10)",
        values![
            record.id,
            record.file_name.as_str(),
            record.format.as_str(),
            serde_json::to_value(&record.options)?,
            serde_json::to_value(&record.report)?,
            serde_json::to_value(&record.file)?,
            record.bytes_total,
            actor.operator_id().map(Uuid::from),
            record.created_at,
            columns_hash
        ],
    )
    .await?;
    let after = json!({ "file_name": record.file_name, "bytes": record.bytes_total, "encoding": record.file.encoding });
    let act = Act { action: "import.upload", target: format!("import:{id}"), after: Some(after), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.live.changed("imports");
    view(record)
}

async fn inspect(
    engine: &Engine,
    id: ImportId,
    encoding: Option<&'static Encoding>,
    field: &'static str,
) -> Result<Inspected> {
    let path = file_path(engine, id);
    let inspected =
        tokio::task::spawn_blocking(move || file::inspect(&path, encoding)).await.map_err(Error::internal)?;
    inspected.map_err(|failure| Error::invalid(field, failure.0))
}

/// An import's file as it is in this encoding; as it was, if none is named, or the same.
///
/// # Errors
/// [`Error::Invalid`] on `encoding` for one that nobody knows, or in which the file has other columns.
pub(super) async fn in_encoding(engine: &Engine, import: &ImportRecord, name: Option<&str>) -> Result<FileInfo> {
    let Some(name) = name else { return Ok(import.file.clone()) };
    let encoding = Encoding::for_label(name.as_bytes());
    let encoding = encoding.ok_or_else(|| Error::invalid("encoding", "there is no such encoding"))?;
    if encoding.name() == import.file.encoding {
        return Ok(import.file.clone());
    }
    let Inspected { info, .. } = inspect(engine, ImportId(import.id), Some(encoding), "encoding").await?;
    if info.columns.len() != import.file.columns.len() || info.format != import.file.format {
        return Err(Error::invalid("encoding", "in this encoding the file has other columns"));
    }
    Ok(info)
}

/// What was chosen for the latest file with these columns, for people to go on from. How its people agreed is said of each
/// file anew.
async fn chosen_before<C: ConnectionTrait>(conn: &C, columns_hash: &str) -> Result<Option<ImportOptions>> {
    let options: Option<Value> = db::scalar(
        conn,
        "SELECT options AS value FROM imports WHERE columns_hash = $1 AND status NOT IN ('uploaded', 'failed')
         ORDER BY id DESC LIMIT 1",
        values![columns_hash],
    )
    .await?;
    let options: Option<ImportOptions> = options.map(serde_json::from_value).transpose()?;
    Ok(options.map(|options| ImportOptions {
        sms_evidence: String::new(),
        whatsapp_evidence: String::new(),
        encoding: None,
        ..options
    }))
}

/// The last part of a client's file name, for people to read.
fn display_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let shown: String = last.chars().filter(|c| !c.is_control()).take(FILE_NAME_MAX_CHARS).collect();
    let shown = shown.trim();
    if shown.is_empty() { "upload".to_owned() } else { shown.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_for_reading_only() {
        for (name, shown) in [
            ("people.csv", "people.csv"),
            ("../../etc/passwd", "passwd"),
            (r"C:\lists\a.csv", "a.csv"),
            ("a\r\n\u{1b}[31mb.csv", "a[31mb.csv"),
            ("", "upload"),
            ("..//", "upload"),
        ] {
            assert_eq!(display_name(name), shown);
        }
        assert_eq!(display_name(&"x".repeat(999)).len(), FILE_NAME_MAX_CHARS);
    }
}
