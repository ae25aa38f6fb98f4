//! One batch of rows into the tables, in one transaction.

use super::{
    ImportRecord,
    people::{Joined, Known, People, Person},
};
use crate::{
    Engine, Error, Result, consents,
    consents::Entry,
    db::{self, Kind},
    entity::user,
    subscriptions, values,
};
use domain::{
    consent::{ConsentKind, ConsentSource, ConsentState, Unmoved},
    ids::{ImportId, TopicId, UserId},
    import::{CleanRow, ImportReport, Profile, RowError},
    phone::{Channel, Phone},
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// The most of a refused row that is kept, in bytes.
const RAW_MAX_BYTES: usize = 2_048;

/// A row, cleaned or refused.
#[derive(Debug)]
pub struct Row {
    pub line: u64,
    pub raw: String,
    pub clean: Result<CleanRow, Vec<RowError>>,
}

/// What one import's batches have in common.
pub struct Context<'a> {
    pub engine: &'a Engine,
    pub import: &'a ImportRecord,
    /// Topics by keyword.
    pub topics: HashMap<String, TopicId>,
}

impl Context<'_> {
    /// Takes a batch in, and counts it in the report.
    pub async fn apply<C: ConnectionTrait>(&self, conn: &C, rows: &[Row], report: &mut ImportReport) -> Result<()> {
        let mut rejects = Vec::new();
        let mut clean = Vec::with_capacity(rows.len());
        report.rows += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        for row in rows {
            match row.clean.clone().and_then(|clean| self.check_topics(clean)) {
                Ok(parsed) => clean.push((row, parsed)),
                Err(errors) => rejects.push((row, errors)),
            }
        }
        let mut people = People::new(self.known(conn, &clean).await?);
        for (row, parsed) in clean {
            match people.join(row.line, parsed, || self.engine.clock.new_id()) {
                Joined::First => {}
                Joined::Duplicate => report.duplicates += 1,
                Joined::Refused(error) => rejects.push((row, vec![error])),
            }
        }
        let people = people.into_touched();
        self.write_people(conn, &people, report).await?;
        self.write_consents(conn, &people, report).await?;
        self.write_topics(conn, &people).await?;
        self.write_rejects(conn, rejects, report).await
    }

    fn check_topics(&self, row: CleanRow) -> Result<CleanRow, Vec<RowError>> {
        match row.topics.iter().find(|key| !self.topics.contains_key(*key)) {
            None => Ok(row),
            Some(key) => Err(vec![RowError {
                column: None,
                kind: "unknown_topic".to_owned(),
                message: format!("there is no topic with the keyword \"{key}\""),
            }]),
        }
    }

    /// Who is known at the addresses of the batch, locked in the order of their ids.
    async fn known<C: ConnectionTrait>(&self, conn: &C, rows: &[(&Row, CleanRow)]) -> Result<Vec<Known>> {
        let list = |texts: BTreeSet<&str>| {
            db::json(conn, Value::Array(texts.into_iter().map(|text| json!({ "text": text })).collect()))
        };
        let phones = rows.iter().filter_map(|(_, row)| row.phone.as_ref().map(Phone::as_str)).collect();
        let ids = rows.iter().filter_map(|(_, row)| row.profile.whatsapp_id.as_deref()).collect();
        let column = [("text", Kind::Text)];
        // Two look-ups by their own index each; someone merged into another is found as that other.
        let sql = format!(
            "SELECT u.* FROM users u WHERE u.merged_into IS NULL AND u.id IN (
                 SELECT coalesce(a.merged_into, a.id) FROM users a WHERE a.phone IN (SELECT p.text FROM {})
                 UNION SELECT coalesce(b.merged_into, b.id) FROM users b WHERE b.whatsapp_id IN (SELECT w.text FROM {})
             ) ORDER BY u.id{}",
            db::rows(conn, 1, "p", &column),
            db::rows(conn, 2, "w", &column),
            db::lock(conn)
        );
        let found: Vec<user::Model> = db::all(conn, &sql, vec![list(phones), list(ids)]).await?;
        let touched = self.touched(conn, &found).await?;
        found
            .into_iter()
            .map(|row| {
                Ok(Known {
                    id: row.id,
                    phone: row.phone.as_deref().map(Phone::parse_e164).transpose().map_err(Error::internal)?,
                    profile: Profile {
                        whatsapp_id: row.whatsapp_id,
                        name: row.name,
                        locale: row.locale,
                        zone: row.zone,
                        attributes: serde_json::from_value(row.attributes)?,
                    },
                    touched: touched.contains(&row.id),
                })
            })
            .collect()
    }

    /// Whom earlier batches of this import had rows of.
    async fn touched<C: ConnectionTrait>(&self, conn: &C, found: &[user::Model]) -> Result<HashSet<Uuid>> {
        let ids = found.iter().map(|row| json!({ "id": row.id.simple().to_string() })).collect();
        let sql = format!(
            "SELECT user_id FROM import_rows WHERE import_id = $1 AND user_id IN (SELECT r.id FROM {})",
            db::rows(conn, 2, "r", &[("id", Kind::Id)])
        );
        let rows: Vec<Touched> =
            db::all(conn, &sql, vec![self.import.id.into(), db::json(conn, Value::Array(ids))]).await?;
        Ok(rows.into_iter().map(|row| row.user_id).collect())
    }

    async fn write_people<C: ConnectionTrait>(
        &self,
        conn: &C,
        people: &[Person],
        report: &mut ImportReport,
    ) -> Result<()> {
        let (mut new, mut changed, mut marks) = (Vec::new(), Vec::new(), Vec::new());
        for person in people {
            let effect = match (person.known, person.changed) {
                (false, _) => "created",
                (true, true) => "updated",
                (true, false) => "unchanged",
            };
            match effect {
                "created" => new.push(self.user_json(person)),
                "updated" => changed.push(self.user_json(person)),
                _ => {}
            }
            if !person.touched {
                let count = match effect {
                    "created" => &mut report.created,
                    "updated" => &mut report.updated,
                    _ => &mut report.unchanged,
                };
                *count += 1;
                marks.push(json!({ "user_id": person.id.simple().to_string(), "line": person.line, "effect": effect }));
            }
        }
        let columns = [
            ("id", Kind::Id),
            ("phone", Kind::Text),
            ("whatsapp_id", Kind::Text),
            ("name", Kind::Text),
            ("locale", Kind::Text),
            ("zone", Kind::Text),
            ("attributes", Kind::Json),
            ("at", Kind::Time),
        ];
        let users = db::rows(conn, 1, "r", &columns);
        // No ON CONFLICT: whoever appeared since the look-up makes this fail, and the batch is done again with them known.
        let insert = format!(
            "INSERT INTO users (id, phone, whatsapp_id, name, locale, zone, attributes, created_at, updated_at)
             SELECT r.id, r.phone, r.whatsapp_id, r.name, r.locale, r.zone, r.attributes, r.at, r.at FROM {users}"
        );
        let begin = format!(
            "INSERT INTO consents (user_id, channel, state, stops, updated_at)
             SELECT r.id, c.channel, 'none', '[]', r.at FROM {users}
             CROSS JOIN (SELECT 'sms' AS channel UNION ALL SELECT 'whatsapp') AS c"
        );
        let update = format!(
            "UPDATE users AS u SET phone = r.phone, whatsapp_id = r.whatsapp_id, name = r.name, locale = r.locale,
                 zone = r.zone, attributes = r.attributes, updated_at = r.at FROM {users} WHERE u.id = r.id"
        );
        let mark = format!(
            "INSERT INTO import_rows (import_id, user_id, line, effect)
             SELECT $2, r.user_id, r.line, r.effect FROM {}",
            db::rows(conn, 1, "r", &[("user_id", Kind::Id), ("line", Kind::Int), ("effect", Kind::Text)])
        );
        bulk(conn, &insert, &new, &[]).await?;
        bulk(conn, &begin, &new, &[]).await?;
        bulk(conn, &update, &changed, &[]).await?;
        bulk(conn, &mark, &marks, &[self.import.id]).await
    }

    fn user_json(&self, person: &Person) -> Value {
        json!({
            "id": person.id.simple().to_string(), "phone": person.phone, "whatsapp_id": person.profile.whatsapp_id,
            "name": person.profile.name, "locale": person.profile.locale, "zone": person.profile.zone,
            "attributes": person.profile.attributes, "at": db::instant(self.engine.clock.now()),
        })
    }

    async fn write_consents<C: ConnectionTrait>(
        &self,
        conn: &C,
        people: &[Person],
        report: &mut ImportReport,
    ) -> Result<()> {
        let mut said: Vec<(usize, Channel, ConsentKind, String)> = Vec::new();
        for (at, person) in people.iter().enumerate() {
            for (channel, column, statement) in [
                (Channel::Sms, person.consent_sms, &self.import.options.sms_evidence),
                (Channel::Whatsapp, person.consent_whatsapp, &self.import.options.whatsapp_evidence),
            ] {
                let (kind, why) = match column {
                    Some(true) => (ConsentKind::OptIn, "the consent column says yes"),
                    Some(false) => (ConsentKind::OptOut, "the consent column says no"),
                    None if statement.is_empty() => continue,
                    None => (ConsentKind::OptIn, statement.as_str()),
                };
                said.push((at, channel, kind, self.evidence(person.line, why)));
            }
        }
        let entries: Vec<Entry<'_>> = said
            .iter()
            .map(|(at, channel, kind, evidence)| Entry {
                user: UserId(people[*at].id),
                channel: *channel,
                topic: None,
                kind: *kind,
                source: ConsentSource::Import,
                sender: None,
                evidence,
            })
            .collect();
        let outcomes = consents::append_many(self.engine, conn, &entries).await?;
        let mut kept = BTreeSet::new();
        for (entry, outcome) in entries.iter().zip(outcomes) {
            match (outcome, entry.channel) {
                (Ok(folded), Channel::Sms) if folded.state == ConsentState::OptedIn => report.sms_opted_in += 1,
                (Ok(folded), Channel::Whatsapp) if folded.state == ConsentState::OptedIn => {
                    report.whatsapp_opted_in += 1
                }
                (Err(Unmoved::OptedOut), _) => {
                    kept.insert(entry.user);
                }
                _ => {}
            }
        }
        report.kept_opted_out += i64::try_from(kept.len()).unwrap_or(i64::MAX);
        Ok(())
    }

    async fn write_topics<C: ConnectionTrait>(&self, conn: &C, people: &[Person]) -> Result<()> {
        let evidence: Vec<String> =
            people.iter().map(|person| self.evidence(person.line, "the topics column names it")).collect();
        let mut entries = Vec::new();
        for (person, evidence) in people.iter().zip(&evidence) {
            for topic in person.topics.iter().filter_map(|key| self.topics.get(key)) {
                entries.push(Entry {
                    user: UserId(person.id),
                    channel: if person.phone.is_some() { Channel::Sms } else { Channel::Whatsapp },
                    topic: Some(*topic),
                    kind: ConsentKind::Subscribe,
                    source: ConsentSource::Import,
                    sender: None,
                    evidence,
                });
            }
        }
        subscriptions::subscribe_many(self.engine, conn, &entries).await
    }

    fn evidence(&self, line: u64, why: &str) -> String {
        format!("import of \"{}\", line {line}: {why}", self.import.file_name)
    }

    async fn write_rejects<C: ConnectionTrait>(
        &self,
        conn: &C,
        rejects: Vec<(&Row, Vec<RowError>)>,
        report: &mut ImportReport,
    ) -> Result<()> {
        let mut reasons: BTreeMap<String, i64> = report.reasons.drain(..).collect();
        let mut rows = Vec::new();
        for (row, errors) in rejects {
            report.rejected += 1;
            let distinct: BTreeSet<&String> = errors.iter().map(|error| &error.kind).collect();
            for kind in distinct {
                *reasons.entry(kind.clone()).or_default() += 1;
            }
            let raw = kept(&row.raw);
            for (part, error) in errors.into_iter().enumerate() {
                let field = error.column.map(|column| self.column(column));
                rows.push(json!({
                    "line": row.line, "part": part, "reason": error.kind, "message": error.message, "field": field, "raw": raw,
                }));
            }
        }
        report.reasons = reasons.into_iter().collect();
        let columns = [
            ("line", Kind::Int),
            ("part", Kind::Int),
            ("reason", Kind::Text),
            ("message", Kind::Text),
            ("field", Kind::Text),
            ("raw", Kind::Text),
        ];
        let sql = format!(
            "INSERT INTO import_rejects (import_id, line, part, reason, message, field, raw)
             SELECT $2, r.line, r.part, r.reason, r.message, r.field, r.raw FROM {}",
            db::rows(conn, 1, "r", &columns)
        );
        bulk(conn, &sql, &rows, &[self.import.id]).await
    }

    /// What the file calls a column, or its number where the header has no name for it.
    fn column(&self, column: usize) -> String {
        match self.import.file.columns.get(column).filter(|name| !name.is_empty()) {
            Some(name) => name.clone(),
            None => format!("column {}", column + 1),
        }
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Touched {
    user_id: Uuid,
}

async fn bulk<C: ConnectionTrait>(conn: &C, sql: &str, rows: &[Value], more: &[Uuid]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut values = vec![db::json(conn, Value::Array(rows.to_vec()))];
    values.extend(more.iter().map(|id| sea_orm::Value::from(*id)));
    db::exec(conn, sql, values).await?;
    Ok(())
}

/// The part of a refused row that is kept: its beginning, without NUL, which PostgreSQL's text cannot hold.
fn kept(raw: &str) -> String {
    let mut end = raw.len().min(RAW_MAX_BYTES);
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    raw[..end].replace('\0', "\u{2400}")
}

/// How many people of an import have no consent on any channel.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn without_consent<C: ConnectionTrait>(conn: &C, import: ImportId) -> Result<i64> {
    let count = db::scalar(
        conn,
        "SELECT count(*) AS value FROM import_rows r WHERE r.import_id = $1 AND NOT EXISTS (
             SELECT 1 FROM consents c WHERE c.user_id = r.user_id AND c.state = 'opted_in')",
        values![import.0],
    )
    .await?;
    Ok(count.unwrap_or(0))
}
