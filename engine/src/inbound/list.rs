//! The inbox.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    db, values,
};
use chrono::{DateTime, Utc};
use domain::{
    ids::{InboundId, UserId},
    inbound::{InboundKind, InboundMessage},
    operator::Operation,
    page::{Page, PageRequest},
    phone::Phone,
};
use sea_orm::FromQueryResult;
use serde_json::Value;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    provider_sid: String,
    user_id: Uuid,
    user_name: Option<String>,
    phone: Option<String>,
    channel: String,
    to_address: String,
    body: String,
    media: Value,
    kind: String,
    effect: Option<String>,
    reply: Option<String>,
    received_at: DateTime<Utc>,
}

impl Row {
    fn into_message(self) -> Result<InboundMessage> {
        Ok(InboundMessage {
            id: InboundId(self.id),
            provider_sid: self.provider_sid,
            user_id: UserId(self.user_id),
            user_name: self.user_name,
            phone: self.phone.as_deref().map(Phone::parse_e164).transpose().map_err(Error::internal)?,
            channel: self.channel.parse().map_err(Error::internal)?,
            to: self.to_address,
            body: self.body,
            media_count: self.media.as_array().map_or(0, |media| i32::try_from(media.len()).unwrap_or(i32::MAX)),
            kind: self.kind.parse()?,
            effect: self.effect,
            reply: self.reply,
            received_at: self.received_at,
        })
    }
}

/// What people wrote, newest first: of one kind, from one person, or all.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn list(
    engine: &Engine,
    actor: &Actor,
    kind: Option<InboundKind>,
    user: Option<UserId>,
    page: &PageRequest,
) -> Result<Page<InboundMessage>> {
    authorize(Operation::InboundRead, actor)?;
    let before = match &page.after {
        Some(cursor) => cursor.parse::<Uuid>().map_err(|_| Error::invalid("after", "this is not a cursor"))?,
        None => Uuid::max(),
    };
    let mut sql =
        "SELECT i.id, i.provider_sid, i.user_id, u.name AS user_name, u.phone, i.channel, i.to_address, i.body,
            i.media, i.kind, i.effect, i.reply, i.received_at
        FROM inbound_messages i LEFT JOIN users u ON u.id = i.user_id WHERE i.id < $1"
            .to_owned();
    let mut values = values![before];
    // Each combination has an index that ends in the id, so that a page reads what it shows and little more.
    if let Some(kind) = kind {
        values.push(kind.as_str().into());
        sql += &format!(" AND i.kind = ${}", values.len());
    }
    if let Some(user) = user {
        values.push(user.0.into());
        sql += &format!(" AND i.user_id = ${}", values.len());
    }
    values.push((i64::from(page.limit()) + 1).into());
    sql += &format!(" ORDER BY i.id DESC LIMIT ${}", values.len());
    let rows: Vec<Row> = db::all(engine.db.read(), &sql, values).await?;
    let page = Page::cut(rows, page.limit(), |row| row.id.to_string());
    Ok(Page { rows: page.rows.into_iter().map(Row::into_message).collect::<Result<_>>()?, next: page.next })
}
