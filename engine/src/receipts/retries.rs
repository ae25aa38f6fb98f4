//! Messages that the provider took and then gave up for a passing reason are tried again, by the class of the error
//! (TWILIO.md 8). Every gate is asked anew, and an attempt of unknown fate is never among them.

use crate::{
    Engine, Result,
    db::{self, Rows, Tx},
    decisions::{self, Decided},
    states::{self, Current, Move, Wait},
    twilio::codes,
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    campaign::CampaignStatus,
    compliance::Gate,
    ids::{CampaignId, MessageKey},
    message::{Event, Outcome, State, transition},
    retry,
};
use rand::Rng;
use sea_orm::FromQueryResult;
use std::collections::HashMap;
use uuid::Uuid;

/// A message that is tried again.
pub(super) struct Again {
    key: MessageKey,
    due_at: DateTime<Utc>,
    tries: i32,
    fact: String,
}

#[derive(FromQueryResult)]
struct Standing {
    campaign_id: Uuid,
    seq: i64,
    status: String,
    launched_at: Option<DateTime<Utc>>,
    given_up: i64,
}

/// Turns moves into a failure that passes by itself into moves back to the queue. The campaign must still want them: it was
/// launched at most [`retry::WANTED_FOR`] ago and was not canceled.
pub(super) async fn plan(engine: &Engine, tx: &Tx, moves: &mut [Move]) -> Result<Vec<Again>> {
    let fails = |m: &Move| matches!(m.to, State::Failed | State::Undelivered) && m.from != m.to;
    let schedule = |m: &Move| codes::class(m.error_code).schedule().filter(|_| fails(m));
    let keys: Vec<MessageKey> = moves.iter().filter(|m| schedule(m).is_some()).map(|m| m.key).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Standing> = db::of_rows(tx, Rows::keys(&keys), values![Outcome::GivenUp.code()], |table| {
        format!(
            "SELECT r.campaign_id, r.seq, c.status, c.launched_at,
                (SELECT COUNT(*) FROM attempts a WHERE a.campaign_id = r.campaign_id AND a.seq = r.seq AND a.outcome = $1)
                    AS given_up
             FROM {table} JOIN campaigns c ON c.id = r.campaign_id"
        )
    })
    .await?;
    let key = |row: &Standing| MessageKey { campaign: CampaignId(row.campaign_id), seq: row.seq };
    let standing: HashMap<MessageKey, &Standing> = rows.iter().map(|row| (key(row), row)).collect();
    let now = engine.clock.now();
    let mut again = Vec::new();
    for m in moves.iter_mut() {
        let (Some(schedule), Some(row)) = (schedule(m), standing.get(&m.key)) else { continue };
        let wanted = match row.status.parse()? {
            CampaignStatus::Running | CampaignStatus::Paused | CampaignStatus::Completed => {
                row.launched_at.is_none_or(|at| now - at < retry::WANTED_FOR)
            }
            _ => false,
        };
        let tries = u32::try_from(row.given_up).unwrap_or(u32::MAX).saturating_add(1);
        let Some(wait) = retry::next(schedule, tries, rand::rng().random(), None).filter(|_| wanted) else { continue };
        again.push(Again {
            key: m.key,
            due_at: now + wait,
            tries: i32::try_from(tries).unwrap_or(i32::MAX),
            fact: format!("{}: {}", m.error_code, codes::text(m.error_code)),
        });
        m.to = transition(m.to, Event::Retry)?;
        m.error_code = 0;
        m.sid = None;
    }
    Ok(again)
}

/// Writes what goes with those moves, once they are applied. A campaign that was complete is opened again by the sweep: whoever
/// locks both a campaign and messages takes the campaign first.
pub(super) async fn store(
    engine: &Engine,
    tx: &Tx,
    current: &HashMap<MessageKey, Current>,
    again: Vec<Again>,
) -> Result<()> {
    if again.is_empty() {
        return Ok(());
    }
    let keys: Vec<MessageKey> = again.iter().map(|one| one.key).collect();
    states::give_up(tx, &keys).await?;
    let wait = |one: &Again| Wait { key: one.key, why: "retry", due_at: one.due_at, tries: one.tries };
    states::wait(tx, &again.iter().map(wait).collect::<Vec<_>>()).await?;
    let decided = |one: &Again| {
        Some(Decided {
            key: one.key,
            user: current.get(&one.key)?.user,
            verdict: "defer",
            gate: Gate::Provider,
            fact: one.fact.clone(),
            next_at: Some(one.due_at),
        })
    };
    decisions::record(engine, tx, &again.iter().filter_map(decided).collect::<Vec<_>>()).await?;
    Ok(())
}
