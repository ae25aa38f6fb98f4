//! `ese import`: a file goes up, is checked, and goes in.

use super::{ImportCommand, client::Client};
use anyhow::{Context as _, Result, bail, ensure};
use domain::{
    ids::ImportId,
    import::{Field, ImportOptions, ImportReport, ImportStatus, ImportView, Mapping, Repair},
};
use http_body_util::StreamBody;
use reqwest::Body;
use serde_json::json;
use std::{path::Path, time::Duration};
use tokio::{fs::File, io::AsyncReadExt as _};
use url::form_urlencoded;

/// How often a running import is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How much of the file is read at a time, in bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// A column and what it holds, as `--map` has it.
pub fn column(text: &str) -> Result<(String, String), String> {
    let (name, field) = text.rsplit_once('=').ok_or("COLUMN=FIELD")?;
    if !field.is_empty() {
        field.parse::<Field>().map_err(|error| error.to_string())?;
    }
    Ok((name.to_owned(), field.to_owned()))
}

/// A repair by its word.
pub fn repair(text: &str) -> Result<Repair, String> {
    serde_json::from_value(json!(text)).map_err(|_| format!("\"{text}\" is no repair; the check names those it offers"))
}

/// Does what the command says.
pub async fn run(client: &Client, command: &ImportCommand) -> Result<()> {
    if let Some(id) = command.undo {
        client.post::<ImportView>(&format!("imports/{id}/undo"), None::<&()>).await?;
        let undone = until_idle(client, id).await?;
        return client.tell(&undone, || {
            let (gone, restored) = undone.report.undone;
            format!("Undone: {gone} people gone again, {restored} as before, {} left as they are", undone.report.kept)
        });
    }
    let file = command.file.as_deref().context("which file?")?;
    let uploaded = upload(client, file).await?;
    let id = uploaded.id;
    let options = options(command, &uploaded)?;
    eprintln!("Import {id}: {}", mapped(&uploaded.columns, &options.mapping));
    client.post::<ImportView>(&format!("imports/{id}/check"), Some(&options)).await?;
    let checked = until_idle(client, id).await?;
    ensure!(checked.status == ImportStatus::Checked, "the check failed: {}", why(&checked));
    if !command.apply {
        return client
            .tell(&checked, || format!("Checked, nothing is in yet.\n{}", told(&checked.report, "would be ")));
    }
    let word = json!({ "confirmed": command.confirmed });
    client.post::<ImportView>(&format!("imports/{id}/apply"), Some(&word)).await?;
    let done = until_idle(client, id).await?;
    client.tell(&done, || told(&done.report, ""))?;
    ensure!(done.status == ImportStatus::Completed, "it ended early: {}", why(&done));
    Ok(())
}

async fn upload(client: &Client, path: &Path) -> Result<ImportView> {
    let file = File::open(path).await.with_context(|| format!("{}: cannot be read", path.display()))?;
    let length = file.metadata().await?.len();
    let pieces = futures::stream::try_unfold(file, |mut file| async move {
        let mut piece = bytes::BytesMut::with_capacity(PIECE_BYTES);
        let read = file.read_buf(&mut piece).await?;
        std::io::Result::Ok((read > 0).then(|| (hyper::body::Frame::data(piece.freeze()), file)))
    });
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("name", &name).finish();
    client.upload(&format!("imports?{query}"), length, Body::wrap(StreamBody::new(pieces))).await
}

/// The proposed mapping with what the command says of it.
fn options(command: &ImportCommand, uploaded: &ImportView) -> Result<ImportOptions> {
    let mut options = uploaded.options.clone();
    for (name, field) in &command.map {
        let Some(place) = uploaded.columns.iter().position(|column| column == name) else {
            bail!("--map: there is no column \"{name}\"; there are {}", uploaded.columns.join(", "));
        };
        let field: Option<Field> = if field.is_empty() { None } else { Some(field.parse()?) };
        // What was guessed for another column gives way to what was said.
        options
            .mapping
            .columns
            .iter_mut()
            .filter(|other| field.is_some() && **other == field)
            .for_each(|other| *other = None);
        if let Some(column) = options.mapping.columns.get_mut(place) {
            *column = field;
        }
    }
    options.default_region = command.region.clone().or(options.default_region);
    options.sms_evidence = command.sms_evidence.clone().unwrap_or(options.sms_evidence);
    options.whatsapp_evidence = command.whatsapp_evidence.clone().unwrap_or(options.whatsapp_evidence);
    options.repairs.extend(command.repair.iter().copied());
    Ok(options)
}

/// Looks on until no worker is at it.
async fn until_idle(client: &Client, id: ImportId) -> Result<ImportView> {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        let import: ImportView = client.get(&format!("imports/{id}")).await?;
        if !import.status.is_at_work() {
            return Ok(import);
        }
        let share = import.bytes_done * 100 / import.bytes_total.max(1);
        eprintln!("{}: {} rows, {share} %", import.status.label(), import.rows_done);
    }
}

fn why(import: &ImportView) -> &str {
    import.failure.as_deref().unwrap_or("no reason was given")
}

fn mapped(columns: &[String], mapping: &Mapping) -> String {
    let field = |field: &Option<Field>| field.as_ref().map_or("left out".to_owned(), ToString::to_string);
    let pairs = columns.iter().zip(&mapping.columns).map(|(column, one)| format!("{column} → {}", field(one)));
    pairs.collect::<Vec<_>>().join(", ")
}

/// A report in words.
fn told(report: &ImportReport, would: &str) -> String {
    let mut lines = vec![format!(
        "{} rows: {} {would}created, {} {would}updated, {} the same, {} twice in the file, {} {would}rejected",
        report.rows, report.created, report.updated, report.unchanged, report.duplicates, report.rejected
    )];
    lines.extend(report.reasons.iter().map(|(reason, count)| format!("  rejected, {reason}: {count}")));
    for offer in &report.offers {
        let word = serde_json::to_value(offer.repair).ok();
        let word = word.as_ref().and_then(|word| word.as_str()).unwrap_or_default();
        lines.push(format!("  --repair {word} would save {}: \"{}\" → \"{}\"", offer.rows, offer.before, offer.after));
    }
    if report.without_consent > 0 {
        lines.push(format!("  {} people agreed to no channel: campaigns skip them", report.without_consent));
    }
    if report.sequences.is_suspicious() {
        lines.push(format!(
            "  {} numbers follow one another, as in lists that were bought: applying it needs --confirmed",
            report.sequences.longest
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_mapped_by_the_last_equals_sign_to_fields_that_there_are() {
        assert_eq!(column("Handy=phone"), Ok(("Handy".to_owned(), "phone".to_owned())));
        assert_eq!(column("a=b=attributes.city"), Ok(("a=b".to_owned(), "attributes.city".to_owned())));
        assert_eq!(column("Notes="), Ok(("Notes".to_owned(), String::new())));
        assert!(column("phone").is_err() && column("x=shoe").is_err());
    }
}
