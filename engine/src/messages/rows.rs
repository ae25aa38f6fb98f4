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
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult};
use serde_json::Value;
use std::{collections::HashMap, sync::LazyLock};
use uuid::Uuid;

/// A message's row as lists show it, with the names of what it points to.
#[derive(Debug, Clone)]
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
    /// The newest decision of the gates, as `gate fact`, where it can be why the message stands where it does: one that held a
    /// message back explains nothing once it was sent.
    pub decision: Option<String>,
}

/// The columns of [`Record`], in the order of its [`FromQueryResult`]. The newest decision is one step down the primary key of `decisions`.
static COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let explained = [State::Pending, State::Skipped, State::Expired].map(|state| state.rank().to_string()).join(", ");
    format!(
        "m.campaign_id, m.seq, m.user_id, m.state, m.attempt, m.error_code, m.updated_at,
         c.name AS campaign_name, COALESCE(s.channel, t.channel) AS channel, u.name AS user_name, u.phone,
         CASE WHEN m.state IN ({explained}) THEN
            (SELECT d.gate || ' ' || d.fact FROM decisions d WHERE d.campaign_id = m.campaign_id AND d.seq = m.seq
             ORDER BY d.id DESC LIMIT 1) END AS decision"
    )
});

/// By their place, as a name is looked for in each row anew. So they are the first columns of every statement that reads them.
impl FromQueryResult for Record {
    fn from_query_result(row: &QueryResult, _: &str) -> std::result::Result<Self, DbErr> {
        Ok(Self {
            campaign_id: db::at(row, 0)?,
            seq: db::at(row, 1)?,
            user_id: db::at(row, 2)?,
            state: db::at(row, 3)?,
            attempt: db::at(row, 4)?,
            error_code: db::at(row, 5)?,
            updated_at: db::at(row, 6)?,
            campaign_name: db::at(row, 7)?,
            channel: db::at(row, 8)?,
            user_name: db::at(row, 9)?,
            phone: db::at(row, 10)?,
            decision: db::at(row, 11)?,
        })
    }
}

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

const COLUMNS_OF_WHOLE: &str = ", m.flags, m.sid, c.template_id, COALESCE(c.template_version, t.version) AS template_version, u.locale, u.attributes";
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

    /// The row as the list shows it.
    pub fn view(self) -> Result<MessageRow> {
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
            reason: self.decision.as_deref().map(in_words).transpose()?,
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

/// A decision in words, "Quiet hours: …", from `gate fact`.
fn in_words(decision: &str) -> Result<String> {
    let (gate, fact) = decision.split_once(' ').unwrap_or((decision, ""));
    let label = gate.parse::<Gate>()?.label();
    Ok(if fact.is_empty() { label.to_owned() } else { format!("{label}: {fact}") })
}

/// What reads [`Record`]s of `messages m`, with more columns (each with a comma before it); what follows says which.
pub fn select(more: &str) -> String {
    format!("SELECT {}{more} FROM messages m {JOINS}", *COLUMNS)
}

/// Reads one message.
pub async fn load<C: ConnectionTrait>(conn: &C, key: MessageKey) -> Result<Option<Whole>> {
    let sql = format!("{} WHERE m.campaign_id = $1 AND m.seq = $2", select(COLUMNS_OF_WHOLE));
    db::one(conn, &sql, values![key.campaign.0, key.seq]).await
}

/// Reads these messages, in this order; one that is gone is left out.
pub async fn load_all<C: ConnectionTrait>(conn: &C, keys: &[MessageKey]) -> Result<Vec<Record>> {
    let found: Vec<Record> = db::of_rows(conn, Rows::keys(keys), values![], |table| {
        format!(
            "SELECT {} FROM {table} JOIN messages m ON m.campaign_id = r.campaign_id AND m.seq = r.seq {JOINS}",
            *COLUMNS
        )
    })
    .await?;
    let mut by_key: HashMap<MessageKey, Record> = found.into_iter().map(|record| (record.key(), record)).collect();
    Ok(keys.iter().filter_map(|key| by_key.remove(key)).collect())
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
