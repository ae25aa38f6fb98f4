//! A campaign's counters, read from the rollups.

use super::{CampaignRecord, stalls};
use crate::{Engine, Result, db, values};
use chrono::{DateTime, Utc};
use domain::{
    campaign::{CampaignStatus, ErrorCount, GateCount, Progress},
    message::State,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct StateCount {
    state: i16,
    count: i64,
}

#[derive(FromQueryResult)]
struct GateRow {
    gate: String,
    verdict: String,
    count: i64,
}

#[derive(FromQueryResult)]
struct ErrorRow {
    code: i32,
    count: i64,
}

/// How long the figure "messages a second" looks back, in seconds.
const RATE_WINDOW_S: i64 = 5;

/// A campaign's counters, and why it does not move, if it does not.
pub(crate) async fn shown_progress(engine: &Engine, record: &CampaignRecord) -> Result<Progress> {
    let progress = read_progress(engine, record).await?;
    let stall = stalls::of(engine, record, &progress).await?;
    Ok(Progress { stall, ..progress })
}

/// Reads a campaign's counters from the rollups.
pub(crate) async fn read_progress(engine: &Engine, record: &CampaignRecord) -> Result<Progress> {
    let conn = engine.db.read();
    let states: Vec<StateCount> = db::all(
        conn,
        "SELECT state, CAST(SUM(count) AS bigint) AS count FROM campaign_stats WHERE campaign_id = $1
         GROUP BY state HAVING SUM(count) <> 0 ORDER BY state",
        values![record.id],
    )
    .await?;
    let states: Vec<(State, i64)> =
        states.iter().filter_map(|row| Some((State::from_rank(row.state)?, row.count))).collect();
    let gates: Vec<GateRow> = db::all(
        conn,
        "SELECT gate, verdict, count FROM decision_stats WHERE campaign_id = $1 ORDER BY count DESC, gate",
        values![record.id],
    )
    .await?;
    let errors: Vec<ErrorRow> = db::all(
        conn,
        "SELECT code, count FROM error_stats WHERE campaign_id = $1 ORDER BY count DESC, code LIMIT 20",
        values![record.id],
    )
    .await?;
    let status = record.status()?;
    let mut progress = Progress {
        status: Some(status),
        expanding: status == CampaignStatus::Running && !record.expanded,
        audience: states.iter().map(|(_, count)| count).sum(),
        states,
        gates: gates
            .into_iter()
            .map(|row| Ok(GateCount { gate: row.gate.parse()?, verdict: row.verdict, count: row.count }))
            .collect::<Result<_>>()?,
        errors: errors
            .into_iter()
            .map(|row| ErrorCount {
                code: row.code,
                count: row.count,
                text: crate::twilio::codes::text(row.code).to_owned(),
                advice: crate::twilio::codes::advice(row.code).to_owned(),
            })
            .collect(),
        ..Progress::default()
    };
    if record.launched_at.is_some() {
        (progress.replied, progress.opted_out) = reactions(engine, record).await?;
        progress.next_due_at = db::scalar(
            conn,
            "SELECT due_at AS value FROM waits WHERE campaign_id = $1 AND why IN ('retry', 'deferral')
             ORDER BY due_at LIMIT 1",
            values![record.id],
        )
        .await?;
    }
    if status == CampaignStatus::Running {
        progress.rate_now = rate_now(engine, record.id).await?;
    }
    Ok(progress)
}

/// Messages that the provider took in the last few seconds, per second. The running second is left out: it is not over.
async fn rate_now(engine: &Engine, id: Uuid) -> Result<f64> {
    let second = engine.clock.now().timestamp();
    let taken: i64 = db::scalar(
        engine.db.read(),
        "SELECT CAST(COALESCE(SUM(count), 0) AS bigint) AS value FROM throughput
         WHERE campaign_id = $1 AND second >= $2 AND second < $3",
        values![id, second - RATE_WINDOW_S, second],
    )
    .await?
    .unwrap_or(0);
    Ok(taken as f64 / RATE_WINDOW_S as f64)
}

#[derive(FromQueryResult)]
struct Reactions {
    replied: i64,
    opted_out: i64,
}

/// The lowest id that can have been made at this instant or after it: ids begin with their milliseconds (UUIDv7), so that
/// the primary key finds what is younger.
fn first_id_of(at: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(u128::try_from(at.timestamp_millis()).unwrap_or(0) << 80)
}

/// How many people of the audience wrote back after the launch, and how many of them opted out.
async fn reactions(engine: &Engine, record: &CampaignRecord) -> Result<(i64, i64)> {
    let found: Option<Reactions> = db::one(
        engine.db.read(),
        "SELECT COUNT(DISTINCT i.user_id) AS replied,
                COUNT(DISTINCT CASE WHEN i.kind = 'stop' THEN i.user_id END) AS opted_out
         FROM inbound_messages i JOIN messages m ON m.user_id = i.user_id AND m.campaign_id = $1
         WHERE i.id > $3 AND i.received_at > $2 AND m.state >= 100",
        values![record.id, record.launched_at, record.launched_at.map(first_id_of)],
    )
    .await?;
    Ok(found.map_or((0, 0), |row| (row.replied, row.opted_out)))
}
