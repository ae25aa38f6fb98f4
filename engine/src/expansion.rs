//! From a launched campaign to its message rows: the audience is read in slices, each in one transaction with the cursor
//! that it moves.

use crate::{
    Doorbell, Engine, Result, campaigns,
    db::{self, Tx},
    filter_sql, segments,
    states::{Balance, Writer},
    values,
};
use campaigns::CampaignRecord;
use domain::{campaign::CampaignStatus, ids::CampaignId, message::State};
use sea_orm::{ConnectionTrait, Value};
use std::time::Instant;
use uuid::Uuid;

/// Reads a campaign's audience until it is all there, the campaign stops, or the slice of time is over.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away: the sweep rings again.
pub async fn run(engine: &Engine, id: CampaignId) -> Result<()> {
    let started = Instant::now();
    loop {
        let step = step(engine, id).await?;
        engine.live.campaign(id);
        match step {
            Step::More if started.elapsed() < engine.limits.slice => {
                engine.queue.ring(Doorbell::Deliver(id)).await;
            }
            Step::More => {
                engine.queue.ring(Doorbell::Deliver(id)).await;
                engine.queue.ring(Doorbell::Expand(id)).await;
                return Ok(());
            }
            Step::Done => {
                engine.queue.ring(Doorbell::Deliver(id)).await;
                return Ok(());
            }
            Step::NotRunning => return Ok(()),
        }
    }
}

enum Step {
    More,
    Done,
    NotRunning,
}

/// Takes one slice of the audience.
async fn step(engine: &Engine, id: CampaignId) -> Result<Step> {
    let tx = engine.db.begin_bulk().await?;
    let campaign = campaigns::load_beside_claims(&tx, id).await?;
    if campaign.status()? != CampaignStatus::Running {
        return Ok(Step::NotRunning);
    }
    if campaign.expanded {
        return Ok(Step::Done);
    }
    let limit = i64::from(engine.limits.expansion_rows);
    let inserted = insert_slice(engine, &tx, &campaign, limit).await?;
    if inserted > 0 {
        insert_chunks(engine, &tx, &campaign, inserted).await?;
        let mut balance = Balance::default();
        balance.add(id, State::Pending, inserted);
        balance.store(engine, &tx, Writer::Others).await?;
    }
    let last: Option<Uuid> = db::scalar(
        &tx,
        "SELECT user_id AS value FROM messages WHERE campaign_id = $1 AND seq = $2",
        values![id.0, campaign.expansion_seq + inserted],
    )
    .await?;
    let expanded = inserted < limit;
    db::exec(
        &tx,
        "UPDATE campaigns SET expansion_cursor = COALESCE($2, expansion_cursor), expansion_seq = expansion_seq + $3,
            expanded = $4
         WHERE id = $1",
        values![id.0, last, inserted, expanded],
    )
    .await?;
    tx.commit().await?;
    Ok(if expanded { Step::Done } else { Step::More })
}

/// Inserts the next slice of people who were known before the launch and match. They are read in the order of their ids,
/// which is the order in which they became known; the place in the audience follows it.
async fn insert_slice(engine: &Engine, tx: &Tx, campaign: &CampaignRecord, limit: i64) -> Result<i64> {
    let filter = segments::parse(campaign.frozen_filter.as_deref().unwrap_or_default(), "audience/filter")?;
    let mut values: Vec<Value> = values![
        campaign.id,
        campaign.expansion_seq,
        engine.clock.now(),
        campaign.expansion_cursor.unwrap_or(Uuid::nil()),
        campaign.launched_at,
        limit
    ];
    let launched_at = campaign.launched_at.unwrap_or_else(|| engine.clock.now());
    let (predicate, more) = filter_sql::compile(&filter, tx.get_database_backend(), launched_at, values.len() + 1);
    values.extend(more);
    let inserted = db::exec(
        tx,
        &format!(
            "INSERT INTO messages (campaign_id, seq, user_id, updated_at)
             SELECT $1, $2 + row_number() OVER (ORDER BY taken.id), taken.id, $3 FROM (
                 SELECT u.id FROM users u
                 WHERE u.id > $4 AND u.created_at <= $5 AND u.merged_into IS NULL AND ({predicate})
                 ORDER BY u.id LIMIT $6
             ) AS taken"
        ),
        values,
    )
    .await?;
    Ok(i64::try_from(inserted).unwrap_or(i64::MAX))
}

/// Cuts the slice into chunks, numbered after those that are there.
async fn insert_chunks(engine: &Engine, tx: &Tx, campaign: &CampaignRecord, inserted: i64) -> Result<()> {
    let next_no: i32 = db::scalar(
        tx,
        "SELECT COALESCE(MAX(no), 0) + 1 AS value FROM campaign_chunks WHERE campaign_id = $1",
        values![campaign.id],
    )
    .await?
    .unwrap_or(1);
    let (first, last) = (campaign.expansion_seq + 1, campaign.expansion_seq + inserted);
    let mut lo = first;
    let mut no = next_no;
    while lo <= last {
        let hi = (lo + engine.limits.chunk_rows - 1).min(last);
        db::exec(
            tx,
            "INSERT INTO campaign_chunks (campaign_id, no, lo, hi, next) VALUES ($1, $2, $3, $4, $3)",
            values![campaign.id, no, lo, hi],
        )
        .await?;
        lo = hi + 1;
        no += 1;
    }
    Ok(())
}
