//! The tables folded again from what they were made of: the raw log of what went over the wire, the attempts, the ledgers and the
//! rows themselves. Where a table says something else, it is named; counters can be put right, since they are nothing but sums.
//!
//! To be run while nothing is sent and nothing comes in: what moves meanwhile would be taken for a difference.

use crate::{
    Engine, Error, Result, cells,
    consents::{self, Subject},
    db::{self, Kind, Rows},
    events::EventKind,
    states,
    twilio::stored,
    values,
};
use domain::{
    ids::{CampaignId, MessageKey},
    message::{Outcome, State, merge},
};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};
use uuid::Uuid;

/// How many messages are folded at a time.
const SLICE: i64 = 2_000;

/// What was looked at, and what differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many messages were folded.
    pub messages: u64,
    /// How many of them cannot be, since what went over the wire was erased.
    pub erased: u64,
    /// Every difference, in words.
    pub differences: Vec<Difference>,
}

/// A table that says something else than what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What about.
    pub of: String,
    /// What the table says.
    pub stored: String,
    /// What the fold says.
    pub folded: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the table says {}, and it was made of {}", self.of, self.stored, self.folded)
    }
}

/// Folds everything and compares. Nothing is changed.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn verify(engine: &Engine) -> Result<Verified> {
    let mut verified = Verified::default();
    let bound_late = bound_late(engine).await?;
    for campaign in campaigns(engine).await? {
        messages(engine, campaign, &bound_late, &mut verified).await?;
        for (what, stored, folded) in counters(engine, campaign).await? {
            if stored != folded {
                let of = format!("campaign {campaign}, {what}");
                verified.differences.push(Difference { of, stored: stored.to_string(), folded: folded.to_string() });
            }
        }
    }
    for one in consents::refold(engine).await? {
        let on = match one.on {
            Subject::Channel(channel) => channel.to_string(),
            Subject::Topic(topic) => format!("topic {topic}"),
        };
        let words = |standing: Option<String>| standing.unwrap_or_else(|| "nothing".to_owned());
        verified.differences.push(Difference {
            of: format!("user {}, {on}", one.user),
            stored: words(one.stored),
            folded: words(one.folded),
        });
    }
    Ok(verified)
}

/// Puts the counters right: each campaign's in one transaction. Answers how many campaigns' were wrong.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn counters_anew(engine: &Engine) -> Result<u64> {
    let mut mended = 0;
    for campaign in campaigns(engine).await? {
        if counters(engine, campaign).await?.iter().all(|(_, stored, folded)| stored == folded) {
            continue;
        }
        let tx = engine.db.begin().await?;
        db::lock_row(&tx, "campaigns", campaign.0).await?;
        db::exec(&tx, "DELETE FROM campaign_stats WHERE campaign_id = $1", values![campaign.0]).await?;
        let counted = states::recount(&tx, campaign).await?;
        let columns = [("state", Kind::Small), ("count", Kind::Int)];
        let rows = Rows::of(columns, counted, |(state, count)| cells![state.rank(), count]);
        db::bulk(&tx, rows, values![campaign.0], |table| {
            format!("INSERT INTO campaign_stats (campaign_id, state, shard, count) SELECT $1, r.state, 0, r.count FROM {table}")
        })
        .await?;
        db::exec(&tx, "DELETE FROM decision_stats WHERE campaign_id = $1", values![campaign.0]).await?;
        db::exec(
            &tx,
            "INSERT INTO decision_stats (campaign_id, gate, verdict, count)
             SELECT campaign_id, gate, verdict, count(*) FROM decisions WHERE campaign_id = $1
             GROUP BY campaign_id, gate, verdict",
            values![campaign.0],
        )
        .await?;
        tx.commit().await?;
        mended += 1;
    }
    Ok(mended)
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

async fn campaigns(engine: &Engine) -> Result<Vec<CampaignId>> {
    let rows: Vec<IdRow> = db::all(engine.db.read(), "SELECT id FROM campaigns ORDER BY id", values![]).await?;
    Ok(rows.into_iter().map(|row| CampaignId(row.id)).collect())
}

#[derive(FromQueryResult)]
struct Counted {
    what: String,
    count: i64,
}

/// Each counter of a campaign: its name, what it says, and what the rows add up to.
async fn counters(engine: &Engine, campaign: CampaignId) -> Result<Vec<(String, i64, i64)>> {
    let conn = engine.db.read();
    let mut all: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (is_folded, sql) in [
        (
            false,
            "SELECT 'messages in state ' || state AS what, CAST(sum(count) AS bigint) AS count FROM campaign_stats
             WHERE campaign_id = $1 GROUP BY state
             UNION ALL SELECT 'decisions ' || gate || ' ' || verdict, count FROM decision_stats WHERE campaign_id = $1",
        ),
        (
            true,
            "SELECT 'messages in state ' || state AS what, count(*) AS count FROM messages WHERE campaign_id = $1 GROUP BY state
             UNION ALL SELECT 'decisions ' || gate || ' ' || verdict, count(*) FROM decisions WHERE campaign_id = $1
             GROUP BY gate, verdict",
        ),
    ] {
        let rows: Vec<Counted> = db::all(conn, sql, values![campaign.0]).await?;
        for row in rows {
            let pair = all.entry(row.what).or_default();
            *if is_folded { &mut pair.1 } else { &mut pair.0 } = row.count;
        }
    }
    Ok(all.into_iter().map(|(what, (stored, folded))| (what, stored, folded)).collect())
}

#[derive(FromQueryResult)]
struct MessageRow {
    seq: i64,
    state: i16,
    given_up: i16,
    outcome: Option<i16>,
    skipped: bool,
}

#[derive(FromQueryResult)]
struct EventRow {
    campaign_id: Uuid,
    seq: i64,
    attempt: i16,
    kind: String,
    payload: Option<String>,
}

/// Reports that came before their message was known, by the message that they were bound to later.
async fn bound_late(engine: &Engine) -> Result<HashMap<MessageKey, Vec<EventRow>>> {
    let rows: Vec<EventRow> = db::all(
        engine.db.read(),
        "SELECT b.campaign_id, b.seq, b.attempt, e.kind, p.payload FROM events e
         JOIN provider_messages b ON b.sid = e.sid LEFT JOIN event_payloads p ON p.event_id = e.id
         WHERE e.kind = 'status' AND e.campaign_id IS NULL",
        values![],
    )
    .await?;
    let mut found: HashMap<MessageKey, Vec<EventRow>> = HashMap::new();
    for row in rows {
        let key = MessageKey { campaign: CampaignId(row.campaign_id), seq: row.seq };
        found.entry(key).or_default().push(row);
    }
    Ok(found)
}

async fn messages(
    engine: &Engine,
    campaign: CampaignId,
    bound_late: &HashMap<MessageKey, Vec<EventRow>>,
    verified: &mut Verified,
) -> Result<()> {
    let conn = engine.db.read();
    let mut after = 0;
    loop {
        let rows: Vec<MessageRow> = db::all(
            conn,
            "SELECT m.seq, m.state, m.given_up,
                (SELECT a.outcome FROM attempts a WHERE a.campaign_id = m.campaign_id AND a.seq = m.seq AND a.attempt = m.attempt)
                    AS outcome,
                EXISTS (SELECT 1 FROM decisions d WHERE d.campaign_id = m.campaign_id AND d.seq = m.seq AND d.verdict = 'skip')
                    AS skipped
             FROM messages m WHERE m.campaign_id = $1 AND m.seq > $2 ORDER BY m.seq LIMIT $3",
            values![campaign.0, after, SLICE],
        )
        .await?;
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(()) };
        let events: Vec<EventRow> = db::all(
            conn,
            "SELECT e.campaign_id, e.seq, e.attempt, e.kind, p.payload FROM events e
             LEFT JOIN event_payloads p ON p.event_id = e.id
             WHERE e.campaign_id = $1 AND e.seq > $2 AND e.seq <= $3",
            values![campaign.0, after, last],
        )
        .await?;
        let mut by_seq: HashMap<i64, Vec<&EventRow>> = HashMap::new();
        for event in &events {
            by_seq.entry(event.seq).or_default().push(event);
        }
        for row in rows {
            let key = MessageKey { campaign, seq: row.seq };
            let mut said = by_seq.remove(&row.seq).unwrap_or_default();
            said.extend(bound_late.get(&key).into_iter().flatten());
            verified.messages += 1;
            if said.iter().any(|event| event.payload.is_none()) {
                verified.erased += 1;
                continue;
            }
            if let Some((stored, folded)) = differs(&row, &said)? {
                verified.differences.push(Difference { of: format!("message {key}"), stored, folded });
            }
        }
        after = last;
    }
}

/// What a row says and what it was made of, where these are not the same.
fn differs(row: &MessageRow, said: &[&EventRow]) -> Result<Option<(String, String)>> {
    let state = State::from_rank(row.state).ok_or_else(|| Error::internal(format!("{} is no state", row.state)))?;
    let reported = said.iter().filter_map(|event| reported(event, row.given_up)).reduce(merge);
    let outcome = row.outcome.and_then(Outcome::from_code);
    let agrees = match state {
        state if state.is_providers() => reported == Some(state),
        _ if reported.is_some() => false,
        State::Skipped => row.skipped,
        State::Rejected => outcome == Some(Outcome::Rejected),
        State::Sending => outcome == Some(Outcome::Open),
        _ => true,
    };
    let folded = match (reported, outcome) {
        (Some(state), _) => state.to_string(),
        (None, Some(outcome)) => format!("an attempt: {}", outcome.label()),
        (None, None) => "no attempt and no report".to_owned(),
    };
    Ok((!agrees).then(|| (state.to_string(), folded)))
}

/// A look at the provider's list, as it is kept.
#[derive(Deserialize)]
struct Look {
    found: Vec<Seen>,
}

#[derive(Deserialize)]
struct Seen {
    state: Option<State>,
}

/// The provider's state that an event tells of; of an attempt that was given up only that it reached the person after all.
fn reported(event: &EventRow, given_up: i16) -> Option<State> {
    let payload = event.payload.as_deref()?;
    let state = match event.kind.as_str() {
        kind if kind == EventKind::Create.as_str() => stored::accepted(payload)?,
        kind if kind == EventKind::List.as_str() => {
            match serde_json::from_str::<Look>(payload).ok()?.found.as_slice() {
                // Where several could be meant, none was taken.
                [one] => one.state?,
                _ => return None,
            }
        }
        kind if kind == EventKind::Status.as_str() => stored::status(payload)?.state?,
        _ => return None,
    };
    (event.attempt > given_up || matches!(state, State::Delivered | State::Read)).then_some(state)
}
