//! The recipients of a campaign as a file, streamed.

use super::list;
use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    campaigns, csv_text,
    exports::Format,
};
use bytes::Bytes;
use domain::{
    ids::CampaignId,
    message::{MessageQuery, MessageRow},
    operator::Operation,
    page::{LIMIT_MAX, PageRequest},
};
use futures::{Stream, StreamExt, stream};
use serde_json::json;

const HEADER: [&str; 11] =
    ["message", "user", "name", "phone", "channel", "state", "error_code", "error", "reason", "attempts", "changed_at"];

/// Everyone whom a campaign was for, with what became of their message and why, read in steps while the client takes them.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; within the stream [`Error::Unavailable`].
pub async fn export(
    engine: &Engine,
    actor: &Actor,
    campaign: CampaignId,
    format: Format,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
    authorize(Operation::UserExport, actor)?;
    campaigns::get(engine, actor, campaign).await?;
    let tx = engine.db.begin().await?;
    let act = Act {
        action: "campaign.export",
        target: format!("campaign:{campaign}"),
        after: Some(json!({ "format": format })),
        ..Act::default()
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    let head = match format {
        Format::Csv => csv_text::record(HEADER)?,
        Format::JsonLines => Vec::new(),
    };
    let query = MessageQuery { campaign: Some(campaign), ..MessageQuery::default() };
    let first = Some(PageRequest { after: None, limit: LIMIT_MAX });
    let (engine, actor) = (engine.clone(), actor.clone());
    let rest = stream::try_unfold(first, move |page| {
        let (engine, actor, query) = (engine.clone(), actor.clone(), query.clone());
        async move {
            let Some(page) = page else { return Ok(None) };
            let found = list(&engine, &actor, &query, &page).await?;
            let mut out = Vec::new();
            for row in &found.rows {
                match format {
                    Format::Csv => out.extend(csv_text::record(cells(row))?),
                    Format::JsonLines => {
                        serde_json::to_writer(&mut out, row).map_err(Error::internal)?;
                        out.push(b'\n');
                    }
                }
            }
            let next = found.next.map(|after| PageRequest { after: Some(after), limit: LIMIT_MAX });
            Ok(Some((Bytes::from(out), next)))
        }
    });
    Ok(stream::once(async { Ok(Bytes::from(head)) }).chain(rest))
}

fn cells(row: &MessageRow) -> [String; HEADER.len()] {
    [
        row.key.to_string(),
        row.user_id.to_string(),
        row.user_name.clone().unwrap_or_default(),
        row.phone.as_ref().map(ToString::to_string).unwrap_or_default(),
        row.channel.to_string(),
        row.state.to_string(),
        row.error_code.map(|code| code.to_string()).unwrap_or_default(),
        row.error_text.clone().unwrap_or_default(),
        row.reason.clone().unwrap_or_default(),
        row.attempts.to_string(),
        row.updated_at.to_rfc3339(),
    ]
}
