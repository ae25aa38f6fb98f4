//! A message's life as a line of steps: what we tried, what the gates said, what the provider reported, what people
//! decided.

use crate::{
    Result, db,
    events::EventKind,
    twilio::{codes, stored},
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    ids::MessageKey,
    message::{Decision, Exchange, HistoryEntry, Outcome, State},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

/// The audit log's word for a message that a person had sent again.
pub const RESEND: &str = "message.resend";
/// The audit log's word for a message that a person closed unsent.
pub const CLOSE: &str = "message.close";

/// How many attempts of one message are shown.
const ATTEMPTS_MAX: i64 = 100;
/// How many acts of people on one message are shown.
const ACTS_MAX: i64 = 100;

/// How the audit log names a message.
pub fn target(key: MessageKey) -> String {
    format!("message:{key}")
}

/// The line, oldest step first.
pub async fn read<C: ConnectionTrait>(
    conn: &C,
    key: MessageKey,
    decisions: &[Decision],
    exchanges: &[Exchange],
) -> Result<Vec<HistoryEntry>> {
    let mut history = attempts(conn, key).await?;
    history.extend(decisions.iter().map(decided));
    history.extend(exchanges.iter().filter_map(reported));
    history.extend(acts(conn, key).await?);
    // Stable: steps of one instant stay in the order of the lists above.
    history.sort_by_key(|entry| entry.at);
    Ok(history)
}

#[derive(FromQueryResult)]
struct Attempt {
    attempt: i16,
    worker: String,
    started_at: DateTime<Utc>,
    outcome: i16,
    error_code: i32,
    settled_at: Option<DateTime<Utc>>,
    sender: Option<String>,
}

async fn attempts<C: ConnectionTrait>(conn: &C, key: MessageKey) -> Result<Vec<HistoryEntry>> {
    let rows: Vec<Attempt> = db::all(
        conn,
        "SELECT a.attempt, a.worker, a.started_at, a.outcome, a.error_code, a.settled_at, s.name AS sender
         FROM attempts a LEFT JOIN senders s ON s.id = a.sender_id
         WHERE a.campaign_id = $1 AND a.seq = $2 ORDER BY a.attempt DESC LIMIT $3",
        values![key.campaign.0, key.seq, ATTEMPTS_MAX],
    )
    .await?;
    Ok(rows.iter().rev().flat_map(|row| [Some(row.begun()), row.ended()]).flatten().collect())
}

impl Attempt {
    fn begun(&self) -> HistoryEntry {
        let sender = self.sender.as_deref().unwrap_or("a sender that is gone");
        HistoryEntry {
            at: self.started_at,
            title: format!("Attempt {}", self.attempt),
            detail: Some(format!("From {sender}, by the worker {}", self.worker)),
            state: Some(State::Sending),
        }
    }

    fn ended(&self) -> Option<HistoryEntry> {
        let outcome = Outcome::from_code(self.outcome)?;
        let state = match outcome {
            Outcome::Open => return None,
            Outcome::Accepted | Outcome::GivenUp => State::Accepted,
            Outcome::NotSent | Outcome::Stale => State::Pending,
            Outcome::Rejected => State::Rejected,
            Outcome::Unknown | Outcome::LeaseExpired => State::Unknown,
        };
        Some(HistoryEntry {
            at: self.settled_at?,
            title: format!("Attempt {}: {}", self.attempt, outcome.label()),
            detail: error(self.error_code),
            state: Some(state),
        })
    }
}

/// A provider's code in words; 0 is none.
fn error(code: i32) -> Option<String> {
    (code != 0).then(|| format!("{} ({code})", codes::text(code)))
}

fn decided(decision: &Decision) -> HistoryEntry {
    let (verb, state) = match decision.verdict.as_str() {
        "skip" => ("Skipped", State::Skipped),
        _ => ("Held back", State::Pending),
    };
    HistoryEntry {
        at: decision.at,
        title: format!("{verb}: {}", decision.gate.label()),
        detail: Some(decision.fact.clone()).filter(|fact| !fact.is_empty()),
        state: Some(state),
    }
}

/// What the provider reported, or what we asked it; the creates are told by the attempts.
fn reported(exchange: &Exchange) -> Option<HistoryEntry> {
    let step = |title: &str, detail, state| HistoryEntry { at: exchange.at, title: title.to_owned(), detail, state };
    if exchange.kind == EventKind::List.as_str() {
        return Some(step("Looked for at the provider", None, None));
    }
    if exchange.kind != EventKind::Status.as_str() {
        return None;
    }
    let Some(payload) = &exchange.payload else {
        return Some(step("The provider reported a status", Some("The report was erased.".to_owned()), None));
    };
    let Some(report) = stored::status(payload) else {
        return Some(step("The provider reported a status", Some("The report cannot be read.".to_owned()), None));
    };
    let title = report
        .state
        .map_or_else(|| format!("Reported: {}", report.status), |state| format!("Reported: {}", state.label()));
    Some(step(&title, report.error_code.and_then(error), report.state))
}

#[derive(FromQueryResult)]
struct ActRow {
    id: Uuid,
    at: DateTime<Utc>,
    actor: String,
    action: String,
}

async fn acts<C: ConnectionTrait>(conn: &C, key: MessageKey) -> Result<Vec<HistoryEntry>> {
    let rows: Vec<ActRow> = db::all(
        conn,
        "SELECT id, at, actor, action FROM audit WHERE target = $1 ORDER BY id DESC LIMIT $2",
        values![target(key), ACTS_MAX],
    )
    .await?;
    Ok(rows.into_iter().rev().filter_map(ActRow::entry).collect())
}

impl ActRow {
    fn entry(self) -> Option<HistoryEntry> {
        let (title, state) = match self.action.as_str() {
            RESEND => ("Sent again", State::Pending),
            CLOSE => ("Closed unsent", State::Expired),
            other => {
                tracing::warn!(audit.id = %self.id, audit.action = other, "an act on a message that no history tells");
                return None;
            }
        };
        Some(HistoryEntry {
            at: self.at,
            title: title.to_owned(),
            detail: Some(format!("By {}", self.actor)),
            state: Some(state),
        })
    }
}
