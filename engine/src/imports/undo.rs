//! Taking an import back: whoever it brought goes, values that it changed come back, and consent that it recorded is
//! withdrawn, each only where nothing happened to the person since. The ledger is only ever added to.

use super::{
    ImportRecord,
    batch::{RAISED_SMS, RAISED_WHATSAPP},
    began, load,
    people::Snapshot,
    stored::{self, Written},
};
use crate::{
    Actor, Engine, Error, Result,
    actor::authorize,
    attributes,
    audit::{self, Act},
    consents::{self, Entry},
    db::{self, Rows, Tx},
    feed::{self, News},
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    attribute,
    consent::{ConsentKind, ConsentSource},
    feed::EventType,
    filter::AttributeKind,
    ids::{ImportId, UserId},
    import::{ImportReport, ImportStatus, ImportView},
    operator::Operation,
    phone::{Channel, Phone},
};
use sea_orm::FromQueryResult;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// How many people one transaction takes.
const BATCH_ROWS: i64 = 1_000;

/// Takes an applied import back. Subscriptions to topics stay: they are people's to end.
///
/// # Errors
/// [`Error::Conflict`] for an import that was not applied, or is taken back already, [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn undo(engine: &Engine, actor: &Actor, id: ImportId) -> Result<ImportView> {
    authorize(Operation::ImportWrite, actor)?;
    let tx = engine.db.begin().await?;
    let import = load(&tx, id).await?.ok_or(Error::NotFound { what: "import" })?;
    // One that failed in its check has written nothing.
    let applied = import.status == ImportStatus::Completed.as_str()
        || import.status == ImportStatus::Failed.as_str() && import.checked.is_some();
    if !applied {
        return Err(Error::conflict("only an import that was applied can be undone"));
    }
    db::exec(
        &tx,
        "UPDATE imports SET status = 'undoing', undo_cursor = NULL, rows_done = 0 WHERE id = $1 AND status = $2",
        values![id.0, import.status],
    )
    .await?;
    began(engine, tx, actor, id, "import.undo", json!({ "people": import.report.created + import.report.updated }))
        .await
}

#[derive(FromQueryResult)]
struct Mark {
    user_id: Uuid,
    effect: String,
    before: Option<Value>,
    after: Option<Value>,
    raised: i16,
}

#[derive(FromQueryResult)]
struct Progress {
    undo_cursor: Option<Uuid>,
    rows_done: i64,
    report: Value,
}

/// Goes on with an undoing, from the last committed batch.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) async fn run(engine: &Engine, import: &ImportRecord) -> Result<()> {
    loop {
        let tx = engine.db.begin_bulk().await?;
        let sql = "SELECT undo_cursor, rows_done, report FROM imports WHERE id = $1 AND status = 'undoing'";
        let progress: Option<Progress> = db::one(&tx, sql, values![import.id]).await?;
        let Some(progress) = progress else { return Ok(()) };
        let mut report: ImportReport = serde_json::from_value(progress.report)?;
        let marks: Vec<Mark> = db::all(
            &tx,
            "SELECT user_id, effect, before, after, raised FROM import_rows WHERE import_id = $1 AND user_id > $2
             ORDER BY user_id LIMIT $3",
            values![import.id, progress.undo_cursor.unwrap_or(Uuid::nil()), BATCH_ROWS],
        )
        .await?;
        let Some(last) = marks.last().map(|mark| mark.user_id) else {
            return end(engine, tx, import, report).await;
        };
        take_back(engine, &tx, import, &marks, &mut report).await?;
        let done = progress.rows_done + i64::try_from(marks.len()).map_err(Error::internal)?;
        let updated = db::exec(
            &tx,
            "UPDATE imports SET undo_cursor = $2, rows_done = $3, report = $4
             WHERE id = $1 AND status = 'undoing' AND rows_done = $5",
            values![import.id, last, done, serde_json::to_value(&report)?, progress.rows_done],
        )
        .await?;
        // Another worker that took these people has counted them.
        if updated > 0 {
            tx.commit().await?;
            engine.live.changed("imports");
        }
    }
}

async fn end(engine: &Engine, tx: Tx, import: &ImportRecord, report: ImportReport) -> Result<()> {
    db::exec(&tx, "UPDATE imports SET status = 'undone' WHERE id = $1 AND status = 'undoing'", values![import.id])
        .await?;
    let after = json!({ "removed": report.undone.0, "restored": report.undone.1, "kept": report.kept });
    let act = Act {
        action: "import.undone",
        target: format!("import:{}", import.id),
        after: Some(after.clone()),
        ..Act::default()
    };
    audit::record(engine, &tx, &Actor::system(), act).await?;
    feed::tell(engine, &tx, vec![News::import(EventType::ImportUndone, import.id, after)]).await?;
    tx.commit().await?;
    for noun in ["imports", "users"] {
        engine.live.changed(noun);
    }
    Ok(())
}

async fn take_back(
    engine: &Engine,
    tx: &Tx,
    import: &ImportRecord,
    marks: &[Mark],
    report: &mut ImportReport,
) -> Result<()> {
    // Whoever claims messages or hears a STOP holds the same rows, in the same order.
    consents::lock_people(tx, marks.iter().map(|mark| UserId(mark.user_id))).await?;
    let created = || marks.iter().filter(|mark| mark.effect == "created");
    let ended_at = import.finished_at.unwrap_or_else(|| engine.clock.now());
    withdraw(engine, tx, import, marks).await?;
    let removed = remove(tx, created().map(|mark| mark.user_id), ended_at).await?;
    let restored = restore(engine, tx, marks).await?;
    let touched = marks.iter().filter(|mark| mark.effect != "unchanged").count();
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    report.undone.0 += count(removed.len());
    report.undone.1 += count(restored);
    report.kept += count(touched - removed.len() - restored);
    Ok(())
}

#[derive(FromQueryResult)]
struct Person {
    id: Uuid,
}

/// Removes those to whom nothing happened since the import. Their entries in the ledger stay.
async fn remove(tx: &Tx, created: impl Iterator<Item = Uuid>, ended_at: DateTime<Utc>) -> Result<HashSet<Uuid>> {
    let created: Vec<Uuid> = created.collect();
    let gone: Vec<Person> = db::of_rows(tx, Rows::ids(created), values![ended_at], |table| {
        format!(
            "SELECT u.id FROM users u
             WHERE u.id IN (SELECT r.id FROM {table}) AND u.updated_at <= $1 AND u.merged_into IS NULL
               AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.user_id = u.id)
               AND NOT EXISTS (SELECT 1 FROM inbound_messages i WHERE i.user_id = u.id)
               AND NOT EXISTS (SELECT 1 FROM users o WHERE o.merged_into = u.id)
               AND NOT EXISTS (SELECT 1 FROM consent_events e WHERE e.user_id = u.id AND e.source <> 'import')
               AND NOT EXISTS (SELECT 1 FROM consent_events e WHERE e.user_id = u.id AND e.at > $1
                               AND e.kind <> 'withdraw')"
        )
    })
    .await?;
    let gone: HashSet<Uuid> = gone.into_iter().map(|person| person.id).collect();
    let ids = Rows::ids(gone.iter().copied());
    for (name, column) in [("subscriptions", "user_id"), ("consents", "user_id"), ("users", "id")] {
        let sql = |table: &str| format!("DELETE FROM {name} WHERE {column} IN (SELECT r.id FROM {table})");
        db::bulk(tx, ids.clone(), values![], sql).await?;
    }
    Ok(gone)
}

/// Puts back each value that is still the one of the import; answers for how many people it did.
async fn restore(engine: &Engine, tx: &Tx, marks: &[Mark]) -> Result<usize> {
    let mut changes: HashMap<Uuid, (Snapshot, Snapshot)> = HashMap::new();
    for mark in marks {
        if let (Some(before), Some(after)) = (&mark.before, &mark.after) {
            let pair = (serde_json::from_value(before.clone())?, serde_json::from_value(after.clone())?);
            changes.insert(mark.user_id, pair);
        }
    }
    let declared = attributes::declared(tx).await?;
    let mut put = Vec::new();
    for row in stored::by_id(tx, changes.keys().copied().collect(), db::lock(tx)).await? {
        let id = row.id;
        let Some((before, after)) = changes.get(&id) else { continue };
        let is = stored::snapshot(row)?;
        let mut back = put_back(&is, before, after);
        back.profile.attributes = fitting(&declared, back.profile.attributes);
        put.push((id, is, back));
    }
    keep_taken(tx, &mut put).await?;
    // Without an address nobody is left to speak of.
    put.retain(|(_, is, back)| back != is && (back.phone.is_some() || back.profile.whatsapp_id.is_some()));
    let written =
        put.iter().map(|(id, _, back)| Written { id: *id, phone: back.phone.as_ref(), profile: &back.profile });
    stored::update(tx, written.collect(), engine.clock.now()).await?;
    Ok(put.len())
}

/// Leaves people the address that they have where their earlier one is somebody else's now.
async fn keep_taken(tx: &Tx, put: &mut [(Uuid, Snapshot, Snapshot)]) -> Result<()> {
    let phones = put.iter().filter(|(_, is, back)| is.phone != back.phone);
    let phones = phones.filter_map(|(_, _, back)| back.phone.as_ref().map(Phone::as_str)).collect();
    let ids = put.iter().filter(|(_, is, back)| is.profile.whatsapp_id != back.profile.whatsapp_id);
    let ids = ids.filter_map(|(_, _, back)| back.profile.whatsapp_id.as_deref()).collect();
    let taken: HashSet<String> = {
        let by_phone = stored::at_addresses(tx, "phone", phones).await?.into_iter().filter_map(|row| row.phone);
        let by_id = stored::at_addresses(tx, "whatsapp_id", ids).await?.into_iter().filter_map(|row| row.whatsapp_id);
        by_phone.chain(by_id).collect()
    };
    for (_, is, back) in put {
        if is.phone != back.phone && back.phone.as_ref().is_some_and(|phone| taken.contains(phone.as_str())) {
            back.phone.clone_from(&is.phone);
        }
        let (held, wanted) = (&is.profile.whatsapp_id, &mut back.profile.whatsapp_id);
        if held != wanted && wanted.as_ref().is_some_and(|id| taken.contains(id)) {
            wanted.clone_from(held);
        }
    }
    Ok(())
}

/// Values as they may be now: what was declared since the import holds one kind, and an older value that cannot be brought to
/// it is left out.
fn fitting(declared: &BTreeMap<String, AttributeKind>, values: Map<String, Value>) -> Map<String, Value> {
    let fitting = |(name, value): (String, Value)| {
        let value = match declared.get(&name) {
            Some(kind) => attribute::fit(*kind, &value).ok()?,
            None => value,
        };
        Some((name, value))
    };
    values.into_iter().filter_map(fitting).collect()
}

/// How someone is with each value put back that the import changed and nobody has changed since.
fn put_back(is: &Snapshot, before: &Snapshot, after: &Snapshot) -> Snapshot {
    fn back<T: PartialEq + Clone>(is: &Option<T>, before: &Option<T>, after: &Option<T>) -> Option<T> {
        if is == after { before.clone() } else { is.clone() }
    }
    let (p, b, a) = (&is.profile, &before.profile, &after.profile);
    let mut attributes = p.attributes.clone();
    for name in b.attributes.keys().chain(a.attributes.keys()) {
        if a.attributes.get(name) == b.attributes.get(name) || p.attributes.get(name) != a.attributes.get(name) {
            continue;
        }
        match b.attributes.get(name) {
            Some(value) => attributes.insert(name.clone(), value.clone()),
            None => attributes.remove(name),
        };
    }
    Snapshot {
        phone: back(&is.phone, &before.phone, &after.phone),
        profile: domain::import::Profile {
            whatsapp_id: back(&p.whatsapp_id, &b.whatsapp_id, &a.whatsapp_id),
            name: back(&p.name, &b.name, &a.name),
            locale: back(&p.locale, &b.locale, &a.locale),
            zone: back(&p.zone, &b.zone, &a.zone),
            attributes,
        },
    }
}

#[derive(FromQueryResult)]
struct Raised {
    user_id: Uuid,
    channel: String,
}

/// Withdraws consent that the import recorded, where nothing was said since.
async fn withdraw(engine: &Engine, tx: &Tx, import: &ImportRecord, marks: &[Mark]) -> Result<()> {
    let raised: HashMap<Uuid, i16> =
        marks.iter().filter(|mark| mark.raised != 0).map(|mark| (mark.user_id, mark.raised)).collect();
    if raised.is_empty() {
        return Ok(());
    }
    let standing: Vec<Raised> = db::of_rows(tx, Rows::ids(raised.keys().copied()), values![], |table| {
        format!(
            "SELECT c.user_id, c.channel FROM consents c JOIN consent_events e ON e.id = c.event_id
             WHERE c.user_id IN (SELECT r.id FROM {table}) AND c.state = 'opted_in' AND e.source = 'import'"
        )
    })
    .await?;
    let evidence = format!("the import of \"{}\" was undone", import.file_name);
    let mut entries = Vec::new();
    for row in standing {
        let channel: Channel = row.channel.parse()?;
        let bit = match channel {
            Channel::Sms => RAISED_SMS,
            Channel::Whatsapp => RAISED_WHATSAPP,
        };
        if raised.get(&row.user_id).is_some_and(|bits| bits & bit != 0) {
            entries.push(Entry {
                user: UserId(row.user_id),
                channel,
                topic: None,
                kind: ConsentKind::Withdraw,
                source: ConsentSource::Import,
                sender: None,
                evidence: &evidence,
            });
        }
    }
    let held = consents::hold_many(tx, &entries, [], &[]).await?;
    consents::append_many(engine, tx, held, &entries, &[]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::import::Profile;

    fn person(name: &str, attributes: Value) -> Snapshot {
        let attributes = serde_json::from_value(attributes).unwrap();
        Snapshot { phone: None, profile: Profile { name: Some(name.into()), attributes, ..Profile::default() } }
    }

    #[test]
    fn only_what_nobody_changed_since_comes_back() {
        let before = person("Ann", json!({ "city": "Bonn", "age": 3 }));
        let after = person("Anna", json!({ "city": "Kiel", "age": 3, "plan": "gold" }));
        assert_eq!(put_back(&after, &before, &after), before);
        let since = person("Annie", json!({ "city": "Kiel", "age": 4, "plan": "gold" }));
        assert_eq!(put_back(&since, &before, &after), person("Annie", json!({ "city": "Bonn", "age": 4 })));
    }
}
