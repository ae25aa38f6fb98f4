//! Messages as pages show them: their rows with the names around them, and the gate that decided last.

use crate::{
    Error, Result,
    db::{self, Rows},
    preferences::Links,
    templates::Person,
    twilio::codes,
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    compliance::Gate,
    ids::{CampaignId, MessageKey, UserId},
    message::{Decision, MessageRow, State},
    phone::{Channel, Phone},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// A message's row as lists show it, with the names of what it points to.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Record {
    pub campaign_id: Uuid,
    pub seq: i64,
    pub user_id: Uuid,
    pub state: i16,
    pub attempt: i16,
    pub error_code: i32,
    pub updated_at: DateTime<Utc>,
    pub campaign_name: String,
    pub channel: Option<String>,
    pub user_name: Option<String>,
    pub phone: Option<String>,
}

/// The columns of [`Record`], and where they come from besides `messages m`.
const COLUMNS: &str = "m.campaign_id, m.seq, m.user_id, m.state, m.attempt, m.error_code, m.updated_at,
        c.name AS campaign_name, COALESCE(s.channel, t.channel) AS channel, u.name AS user_name, u.phone";

/// The same with what only its own page needs.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Whole {
    #[sea_orm(nested)]
    pub record: Record,
    pub flags: i16,
    pub sid: Uuid,
    pub template_id: Option<Uuid>,
    pub template_version: Option<i32>,
    pub locale: Option<String>,
    pub attributes: Option<Value>,
}

const COLUMNS_OF_WHOLE: &str = "m.flags, m.sid, c.template_id, COALESCE(c.template_version, t.version) AS template_version, u.locale, u.attributes";
const JOINS: &str = "JOIN campaigns c ON c.id = m.campaign_id LEFT JOIN senders s ON s.id = c.sender_id
    LEFT JOIN templates t ON t.id = c.template_id LEFT JOIN users u ON u.id = m.user_id";

impl Record {
    pub fn key(&self) -> MessageKey {
        MessageKey { campaign: CampaignId(self.campaign_id), seq: self.seq }
    }

    fn state(&self) -> Result<State> {
        State::from_rank(self.state)
            .ok_or_else(|| Error::internal(format!("message {} has the unknown state {}", self.key(), self.state)))
    }

    /// Whether a gate can be why it stands where it does: one that held a message back explains nothing once it was sent.
    fn is_explained(&self) -> bool {
        matches!(State::from_rank(self.state), Some(State::Pending | State::Skipped | State::Expired))
    }

    fn view(self, decided: Option<&Decided>) -> Result<MessageRow> {
        let state = self.state()?;
        Ok(MessageRow {
            key: self.key(),
            campaign_name: self.campaign_name,
            user_id: UserId(self.user_id),
            user_name: self.user_name,
            phone: self.phone.as_deref().map(Phone::parse_e164).transpose().map_err(Error::internal)?,
            // A campaign that sends has a sender, and its channel is the sender's.
            channel: self.channel.as_deref().map_or(Ok(Channel::Sms), str::parse).map_err(Error::internal)?,
            state,
            error_code: (self.error_code != 0).then_some(self.error_code),
            error_text: (self.error_code != 0).then(|| codes::text(self.error_code).to_owned()),
            reason: decided.map(Decided::words).transpose()?,
            attempts: self.attempt,
            updated_at: self.updated_at,
        })
    }
}

impl Whole {
    /// What a template can say of the recipient; `links` makes the link to their preference page.
    pub fn person(&self, links: &Links) -> Result<Person> {
        Ok(Person {
            name: self.record.user_name.clone(),
            phone: self.record.phone.clone(),
            locale: self.locale.clone(),
            attributes: self.attributes.clone().map(serde_json::from_value).transpose()?.unwrap_or_default(),
            preferences_url: Some(links.of(UserId(self.record.user_id))),
        })
    }
}

/// Reads one message.
pub async fn load<C: ConnectionTrait>(conn: &C, key: MessageKey) -> Result<Option<Whole>> {
    let sql =
        format!("SELECT {COLUMNS}, {COLUMNS_OF_WHOLE} FROM messages m {JOINS} WHERE m.campaign_id = $1 AND m.seq = $2");
    db::one(conn, &sql, values![key.campaign.0, key.seq]).await
}

/// Reads these messages, in this order; one that is gone is left out.
pub async fn load_all<C: ConnectionTrait>(conn: &C, keys: &[MessageKey]) -> Result<Vec<Record>> {
    let found: Vec<Record> = db::of_rows(conn, Rows::keys(keys), values![], |table| {
        format!(
            "SELECT {COLUMNS} FROM {table} JOIN messages m ON m.campaign_id = r.campaign_id AND m.seq = r.seq {JOINS}"
        )
    })
    .await?;
    let mut by_key: HashMap<MessageKey, Record> = found.into_iter().map(|record| (record.key(), record)).collect();
    Ok(keys.iter().filter_map(|key| by_key.remove(key)).collect())
}

/// The rows as the list shows them.
pub async fn views<C: ConnectionTrait>(conn: &C, records: Vec<Record>) -> Result<Vec<MessageRow>> {
    let keys: Vec<MessageKey> = records.iter().filter(|record| record.is_explained()).map(Record::key).collect();
    let decided = last_decisions(conn, &keys).await?;
    records
        .into_iter()
        .map(|record| {
            let decided = decided.get(&record.key());
            record.view(decided)
        })
        .collect()
}

#[derive(Debug, FromQueryResult)]
struct Decided {
    campaign_id: Uuid,
    seq: i64,
    gate: String,
    fact: String,
}

impl Decided {
    /// The gate and its fact: "Quiet hours: …".
    fn words(&self) -> Result<String> {
        let gate: Gate = self.gate.parse()?;
        Ok(if self.fact.is_empty() { gate.label().to_owned() } else { format!("{}: {}", gate.label(), self.fact) })
    }
}

/// The newest decision on each of these messages; each is one step down the primary key of `decisions`.
async fn last_decisions<C: ConnectionTrait>(conn: &C, keys: &[MessageKey]) -> Result<HashMap<MessageKey, Decided>> {
    let found: Vec<Decided> = db::of_rows(conn, Rows::keys(keys), values![], |table| {
        format!(
            "SELECT d.campaign_id, d.seq, d.gate, d.fact FROM {table}
             JOIN decisions d ON d.campaign_id = r.campaign_id AND d.seq = r.seq AND d.id =
                (SELECT l.id FROM decisions l WHERE l.campaign_id = r.campaign_id AND l.seq = r.seq
                 ORDER BY l.id DESC LIMIT 1)"
        )
    })
    .await?;
    let key = |row: &Decided| MessageKey { campaign: CampaignId(row.campaign_id), seq: row.seq };
    Ok(found.into_iter().map(|row| (key(&row), row)).collect())
}

#[derive(FromQueryResult)]
struct DecisionRow {
    at: DateTime<Utc>,
    verdict: String,
    gate: String,
    fact: String,
    next_at: Option<DateTime<Utc>>,
}

/// How many decisions of one message are shown: one that waits for months has more.
const DECISIONS_MAX: i64 = 500;

/// The newest decisions on a message, oldest first.
pub async fn decisions<C: ConnectionTrait>(conn: &C, key: MessageKey) -> Result<Vec<Decision>> {
    let rows: Vec<DecisionRow> = db::all(
        conn,
        "SELECT at, verdict, gate, fact, next_at FROM decisions WHERE campaign_id = $1 AND seq = $2
         ORDER BY id DESC LIMIT $3",
        values![key.campaign.0, key.seq, DECISIONS_MAX],
    )
    .await?;
    rows.into_iter()
        .rev()
        .map(|row| {
            let gate = row.gate.parse()?;
            Ok(Decision { at: row.at, verdict: row.verdict, gate, fact: row.fact, next_at: row.next_at })
        })
        .collect()
}
