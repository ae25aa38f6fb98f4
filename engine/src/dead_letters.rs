//! Work that was given up: kept with its reason and payload until a person has it tried again or discards it.

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db, values,
};
use chrono::{DateTime, Utc};
use domain::{
    dead_letter::{DeadLetter, Resolution},
    ids::{CampaignId, DeadLetterId, ImportId, MessageKey},
    operator::Operation,
    page::{Page, PageRequest},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};
use uuid::Uuid;

/// Keeps a piece of work that is given up, in the transaction that gives it up. `kind` is the name of its queue, `subject`
/// what it is about, as `noun:id`.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away.
pub async fn put<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    kind: &str,
    subject: &str,
    reason: &str,
    payload: Value,
) -> Result<DeadLetterId> {
    let id: DeadLetterId = engine.clock.new_id();
    db::exec(
        conn,
        "INSERT INTO dead_letters (id, kind, subject, reason, payload, at) VALUES ($1, $2, $3, $4, $5, $6)",
        values![id.0, kind, subject, reason, payload, engine.clock.now()],
    )
    .await?;
    Ok(id)
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    kind: String,
    subject: String,
    reason: String,
    payload: Value,
    at: DateTime<Utc>,
    resolved_at: Option<DateTime<Utc>>,
    resolution: Option<String>,
}

impl Row {
    fn into_letter(self) -> Result<DeadLetter> {
        Ok(DeadLetter {
            id: DeadLetterId(self.id),
            kind: self.kind,
            subject: self.subject,
            reason: self.reason,
            payload: self.payload,
            at: self.at,
            resolved_at: self.resolved_at,
            resolution: self.resolution.as_deref().map(str::parse).transpose()?,
        })
    }
}

const COLUMNS: &str = "id, kind, subject, reason, payload, at, resolved_at, resolution";

/// What waits for a decision, newest first; of one kind, if one is named.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor, kind: Option<&str>, page: &PageRequest) -> Result<Page<DeadLetter>> {
    authorize(Operation::CampaignRead, actor)?;
    let before = match &page.after {
        Some(cursor) => cursor.parse::<Uuid>().map_err(|_| Error::invalid("after", "this is not a cursor"))?,
        None => Uuid::max(),
    };
    let rows: Vec<Row> = db::all(
        engine.db.read(),
        &format!(
            "SELECT {COLUMNS} FROM dead_letters WHERE resolved_at IS NULL AND id < $1 AND ($3 = '' OR kind = $3)
             ORDER BY id DESC LIMIT $2"
        ),
        values![before, i64::from(page.limit()) + 1, kind.unwrap_or("")],
    )
    .await?;
    let page = Page::cut(rows, page.limit(), |row| row.id.to_string());
    Ok(Page { rows: page.rows.into_iter().map(Row::into_letter).collect::<Result<_>>()?, next: page.next })
}

/// Decides on one: it is tried again, or thrown away. Its work itself is in the database, so trying again is a doorbell.
///
/// # Errors
/// [`Error::Conflict`] if somebody decided before, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn resolve(engine: &Engine, actor: &Actor, id: DeadLetterId, resolution: Resolution) -> Result<DeadLetter> {
    authorize(Operation::MessageReview, actor)?;
    let tx = engine.db.begin().await?;
    let now = engine.clock.now();
    let changed = db::exec(
        &tx,
        "UPDATE dead_letters SET resolved_at = $2, resolution = $3 WHERE id = $1 AND resolved_at IS NULL",
        values![id.0, now, resolution.as_str()],
    )
    .await?;
    let row: Option<Row> =
        db::one(&tx, &format!("SELECT {COLUMNS} FROM dead_letters WHERE id = $1"), values![id.0]).await?;
    let letter = row.ok_or(Error::NotFound { what: "dead letter" })?.into_letter()?;
    if changed == 0 {
        return Err(Error::conflict("somebody decided on this before"));
    }
    let act = Act {
        action: match resolution {
            Resolution::Redriven => "dead_letter.redrive",
            Resolution::Discarded => "dead_letter.discard",
        },
        target: format!("dead_letter:{id}"),
        before: None,
        after: Some(json!({ "kind": letter.kind, "subject": letter.subject, "resolution": resolution })),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.live.changed("health");
    if resolution == Resolution::Redriven {
        for bell in bells(&letter.subject) {
            engine.queue.ring(bell).await;
        }
    }
    Ok(letter)
}

/// Who works on a subject. The sweep rings for whatever else is due.
fn bells(subject: &str) -> Vec<Doorbell> {
    let (noun, id) = subject.split_once(':').unwrap_or((subject, ""));
    let campaign = match noun {
        "campaign" => id.parse::<CampaignId>().ok(),
        "message" => id.parse::<MessageKey>().ok().map(|key| key.campaign),
        _ => None,
    };
    match (campaign, id.parse::<ImportId>()) {
        (Some(campaign), _) => vec![Doorbell::Expand(campaign), Doorbell::Deliver(campaign)],
        (None, Ok(import)) if noun == "import" => vec![Doorbell::Import(import)],
        _ => vec![Doorbell::Sweep],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_rings_for_its_workers() {
        let id = Uuid::from_u128(7);
        let campaign = CampaignId(id);
        let both = vec![Doorbell::Expand(campaign), Doorbell::Deliver(campaign)];
        let cases = [
            (format!("campaign:{id}"), both.clone()),
            (format!("message:{id}.3"), both),
            (format!("import:{id}"), vec![Doorbell::Import(ImportId(id))]),
            (format!("user:{id}"), vec![Doorbell::Sweep]),
            ("campaign:x".to_owned(), vec![Doorbell::Sweep]),
            (String::new(), vec![Doorbell::Sweep]),
        ];
        for (subject, expected) in cases {
            assert_eq!(bells(&subject), expected, "{subject}");
        }
    }
}
