//! The dry run: every gate is asked about everyone in the audience, by the code that sends and without the provider. It
//! goes through the audience in slices, each stored with the cursor that it moves, so that it survives a restart.

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    campaigns::{self, CampaignRecord},
    db, delivery, filter_sql, prices, segments, values,
};
use chrono::{DateTime, Utc};
use domain::{
    campaign::CampaignStatus,
    filter::Filter,
    forecast::{Cost, Forecast, Tally, ZoneForecast},
    ids::{CampaignId, UserId},
    operator::Operation,
};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Instant;
use uuid::Uuid;

/// How many people one slice asks about.
const SLICE_ROWS: i64 = 1_000;

#[derive(FromQueryResult)]
struct Row {
    hash: String,
    cursor: Option<Uuid>,
    complete: bool,
    tally: serde_json::Value,
    outcome: Option<serde_json::Value>,
    starts_at: DateTime<Utc>,
    asked_at: DateTime<Utc>,
}

/// What is worked out once all are asked.
#[derive(Default, Serialize, Deserialize)]
struct Outcome {
    zones: Vec<ZoneForecast>,
    costs: Vec<Cost>,
    unpriced: Vec<(String, i64)>,
}

/// The newest forecast of a campaign, if there is one.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Option<Forecast>> {
    authorize(Operation::CampaignRead, actor)?;
    let conn = engine.db.read();
    let record = campaigns::load(conn, id).await?;
    let Some(row) = find(conn, id).await? else { return Ok(None) };
    let is_current = hash_of(conn, &record).await?.is_some_and(|hash| hash == row.hash);
    let outcome: Outcome = row.outcome.map(serde_json::from_value).transpose()?.unwrap_or_default();
    Ok(Some(Forecast {
        is_complete: row.complete,
        is_current,
        asked_at: row.asked_at,
        starts_at: row.starts_at,
        finishes_at: outcome.zones.iter().map(|zone| zone.last_at).max(),
        zones: outcome.zones,
        costs: outcome.costs,
        unpriced: outcome.unpriced,
        tally: serde_json::from_value(row.tally)?,
    }))
}

/// Begins a dry run of a campaign that was not launched yet, in place of the one before. One that is under way at the launch
/// goes on with what the launch froze, so that afterwards forecast and outcome can be compared.
///
/// # Errors
/// [`Error::Invalid`] with each field that stands against a launch, [`Error::Conflict`] once it was launched,
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn ask(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<()> {
    authorize(Operation::CampaignWrite, actor)?;
    campaigns::launchable(engine, id).await?;
    let tx = engine.db.begin().await?;
    let record = campaigns::load_for_update(&tx, id).await?;
    if record.launched_at.is_some() {
        return Err(Error::conflict("this campaign was launched: what it does is on its page"));
    }
    let hash = campaigns::pinned(&tx, &record, record.start()?).await?.hash;
    begin(engine, &tx, &record, &hash).await?;
    tx.commit().await?;
    engine.queue.ring(Doorbell::Forecast(id)).await;
    Ok(())
}

async fn begin<C: ConnectionTrait>(engine: &Engine, conn: &C, record: &CampaignRecord, hash: &str) -> Result<()> {
    let now = engine.clock.now();
    let starts_at = record.start()?.begins_at().map_or(now, |at| at.max(now));
    db::exec(conn, "DELETE FROM forecasts WHERE campaign_id = $1", values![record.id]).await?;
    db::exec(
        conn,
        "INSERT INTO forecasts (campaign_id, hash, tally, starts_at, asked_at) VALUES ($1, $2, $3, $4, $5)",
        values![record.id, hash, json!(Tally::default()), starts_at, now],
    )
    .await?;
    Ok(())
}

/// Goes on with a dry run until it is done or the slice of time is over.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away: the sweep rings again.
pub async fn run(engine: &Engine, id: CampaignId) -> Result<()> {
    let started = Instant::now();
    while !step(engine, id).await? {
        if started.elapsed() >= engine.limits.slice {
            engine.queue.ring(Doorbell::Forecast(id)).await;
            break;
        }
    }
    engine.live.campaign(id);
    engine.live.changed("forecasts");
    Ok(())
}

/// Asks about one slice; `true` once there is nobody left.
async fn step(engine: &Engine, id: CampaignId) -> Result<bool> {
    let conn = engine.db.read();
    let Some(row) = find(conn, id).await?.filter(|row| !row.complete) else { return Ok(true) };
    let record = campaigns::load(conn, id).await?;
    let filter = match (&record.frozen_filter, record.status()?) {
        (Some(frozen), _) => segments::parse(frozen, "audience/filter")?,
        (None, CampaignStatus::Canceled | CampaignStatus::Completed) => return Ok(true),
        (None, _) => campaigns::audience_filter(conn, &record.form()?.audience).await?,
    };
    let people = slice(conn, &filter, &row).await?;
    let mut tally: Tally = serde_json::from_value(row.tally)?;
    let rate = delivery::forecast(engine, &record, &people, row.starts_at, &mut tally).await?;
    let complete = (people.len() as i64) < SLICE_ROWS;
    let outcome = match complete {
        false => None,
        true => {
            let (costs, unpriced) = tally.costs(rate.channel, &prices::load(conn).await?);
            Some(json!(Outcome { zones: tally.zones(rate.parts_per_second), costs, unpriced }))
        }
    };
    let tx = engine.db.begin_bulk().await?;
    db::exec(
        &tx,
        "UPDATE forecasts SET tally = $2, cursor = COALESCE($3, cursor), complete = $4, outcome = $5
         WHERE campaign_id = $1 AND asked_at = $6 AND NOT complete",
        values![id.0, json!(tally), people.last().map(|user| user.0), complete, outcome, row.asked_at],
    )
    .await?;
    tx.commit().await?;
    Ok(complete)
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

/// The next people of the audience, in the order of an expansion.
async fn slice<C: ConnectionTrait>(conn: &C, filter: &Filter, row: &Row) -> Result<Vec<UserId>> {
    let mut values: Vec<Value> = values![row.cursor.unwrap_or(Uuid::nil()), row.asked_at, SLICE_ROWS];
    let (predicate, more) = filter_sql::compile(filter, conn.get_database_backend(), row.starts_at, values.len() + 1);
    values.extend(more);
    let sql = format!(
        "SELECT u.id FROM users u
         WHERE u.id > $1 AND u.created_at <= $2 AND u.merged_into IS NULL AND ({predicate}) ORDER BY u.id LIMIT $3"
    );
    let rows: Vec<Id> = db::all(conn, &sql, values).await?;
    Ok(rows.into_iter().map(|row| UserId(row.id)).collect())
}

async fn find<C: ConnectionTrait>(conn: &C, id: CampaignId) -> Result<Option<Row>> {
    db::one(
        conn,
        "SELECT hash, cursor, complete, tally, outcome, starts_at, asked_at FROM forecasts WHERE campaign_id = $1",
        values![id.0],
    )
    .await
}

/// The hash of the campaign as it is now, or as it was launched; `None` if it could not be launched.
async fn hash_of<C: ConnectionTrait>(conn: &C, record: &CampaignRecord) -> Result<Option<String>> {
    if record.audience_hash.is_some() {
        return Ok(record.audience_hash.clone());
    }
    match campaigns::pinned(conn, record, record.start()?).await {
        Ok(pinned) => Ok(Some(pinned.hash)),
        Err(Error::Invalid { .. } | Error::NotFound { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Dry runs that stand still.
pub(crate) async fn ring(engine: &Engine) -> Result<()> {
    let sql = "SELECT campaign_id AS id FROM forecasts WHERE NOT complete";
    let waiting: Vec<Id> = db::all(engine.db.read(), sql, values![]).await?;
    for row in waiting {
        engine.queue.ring(Doorbell::Forecast(CampaignId(row.id))).await;
    }
    Ok(())
}
