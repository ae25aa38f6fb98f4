//! The first page: figures from the rollups, and what needs a person.

use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    campaigns, db, values,
};
use chrono::{Days, NaiveDate};
use domain::{
    campaign::{CampaignRow, CampaignStatus, Listed},
    ids::{CampaignId, MessageKey},
    inbound::InboundKind,
    message::State,
    operator::Operation,
    overview::{Attention, DayFigures, Overview},
    page::PageRequest,
};
use sea_orm::FromQueryResult;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many days the chart shows, today among them.
const DAYS: u64 = 30;
/// How many campaigns of a kind are named.
const CAMPAIGNS_MAX: u32 = 20;

/// What the first page shows.
///
/// Messages are never counted here: their figures are rollups by day (UTC). People are: a count of their index, which takes
/// some tenths of a second with a million of them.
///
/// # Errors
/// [`crate::Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor) -> Result<Overview> {
    authorize(Operation::CampaignRead, actor)?;
    let days = days(engine).await?;
    let mut scheduled = of_status(engine, actor, CampaignStatus::Scheduled).await?;
    scheduled.sort_by_key(|row| row.campaign.scheduled_at);
    Ok(Overview {
        users: count(engine, "SELECT COUNT(*) AS value FROM users WHERE merged_into IS NULL", Vec::new()).await?,
        opted_in: count(
            engine,
            "SELECT COUNT(*) AS value FROM users u WHERE u.merged_into IS NULL AND EXISTS
                (SELECT 1 FROM consents c WHERE c.user_id = u.id AND c.state = 'opted_in')",
            Vec::new(),
        )
        .await?,
        running: of_status(engine, actor, CampaignStatus::Running).await?,
        scheduled,
        today: days.last().cloned().unwrap_or_default(),
        days,
        attention: attention(engine, actor).await?,
    })
}

async fn count(engine: &Engine, sql: &str, values: Vec<sea_orm::Value>) -> Result<i64> {
    Ok(db::scalar(engine.db.read(), sql, values).await?.unwrap_or(0))
}

async fn of_status(engine: &Engine, actor: &Actor, status: CampaignStatus) -> Result<Vec<CampaignRow>> {
    let page = PageRequest { after: None, limit: CAMPAIGNS_MAX };
    Ok(campaigns::list(engine, actor, Listed::Status(status), &page).await?.rows)
}

#[derive(FromQueryResult)]
struct FigureRow {
    day: String,
    figure: String,
    count: i64,
}

/// The last days, oldest first, those without any figure included.
async fn days(engine: &Engine) -> Result<Vec<DayFigures>> {
    let today = engine.clock.now().date_naive();
    let first = today.checked_sub_days(Days::new(DAYS - 1)).unwrap_or(today);
    let mut days: BTreeMap<NaiveDate, DayFigures> = first
        .iter_days()
        .take_while(|day| *day <= today)
        .map(|day| (day, DayFigures { day, ..DayFigures::default() }))
        .collect();
    // Days are stored as `YYYY-MM-DD`, which sorts as text.
    let rows: Vec<FigureRow> = db::all(
        engine.db.read(),
        "SELECT day, figure, CAST(SUM(count) AS bigint) AS count FROM day_stats WHERE day >= $1 AND day <= $2
         GROUP BY day, figure",
        values![first.to_string(), today.to_string()],
    )
    .await?;
    for row in rows {
        let day = row.day.parse::<NaiveDate>().map_err(crate::Error::internal)?;
        let Some(figures) = days.get_mut(&day) else { continue };
        match row.figure.as_str() {
            "sent" => figures.sent = row.count,
            "delivered" => figures.delivered = row.count,
            "read" => figures.read = row.count,
            "failed" => figures.failed = row.count,
            "replies" => figures.replies = row.count,
            "opt_outs" => figures.opt_outs = row.count,
            other => return Err(crate::Error::internal(format!("\"{other}\" is not a figure"))),
        }
    }
    Ok(days.into_values().collect())
}

async fn attention(engine: &Engine, actor: &Actor) -> Result<Vec<Attention>> {
    let held = of_status(engine, actor, CampaignStatus::Held).await?;
    let mut attention: Vec<Attention> = held
        .into_iter()
        .map(|row| Attention::HeldCampaign {
            id: row.campaign.id,
            name: row.campaign.form.name,
            scheduled_at: row.campaign.scheduled_at,
        })
        .collect();
    attention.extend(needs_review(engine).await?);
    let letters =
        count(engine, "SELECT COUNT(*) AS value FROM dead_letters WHERE resolved_at IS NULL", Vec::new()).await?;
    if letters > 0 {
        attention.push(Attention::DeadLetters { count: letters });
    }
    let since = engine.clock.now() - Days::new(DAYS);
    let probable = count(
        engine,
        "SELECT COUNT(*) AS value FROM inbound_messages WHERE kind = $1 AND received_at >= $2",
        values![InboundKind::ProbableOptOut.as_str(), since],
    )
    .await?;
    if probable > 0 {
        attention.push(Attention::ProbableOptOuts { count: probable });
    }
    Ok(attention)
}

#[derive(FromQueryResult)]
struct ReviewRow {
    id: Uuid,
    name: String,
    count: i64,
}

/// Campaigns with messages that a person must decide on, newest first.
async fn needs_review(engine: &Engine) -> Result<Vec<Attention>> {
    let conn = engine.db.read();
    let rows: Vec<ReviewRow> = db::all(
        conn,
        "SELECT c.id, c.name, CAST(SUM(s.count) AS bigint) AS count
         FROM campaign_stats s JOIN campaigns c ON c.id = s.campaign_id
         WHERE s.state = $1 GROUP BY c.id, c.name HAVING SUM(s.count) > 0 ORDER BY c.id DESC LIMIT $2",
        values![State::NeedsReview.rank(), i64::from(CAMPAIGNS_MAX)],
    )
    .await?;
    let mut attention = Vec::with_capacity(rows.len());
    for row in rows {
        // By the primary key up to the first one, which the rollup says is there.
        let first: Option<i64> = db::scalar(
            conn,
            "SELECT seq AS value FROM messages WHERE campaign_id = $1 AND state = $2 ORDER BY seq LIMIT 1",
            values![row.id, State::NeedsReview.rank()],
        )
        .await?;
        let id = CampaignId(row.id);
        // Decided on between the two queries.
        let Some(seq) = first else { continue };
        attention.push(Attention::NeedsReview {
            id,
            name: row.name,
            count: row.count,
            first: MessageKey { campaign: id, seq },
        });
    }
    Ok(attention)
}
