//! The ledger of decisions: for each message that a gate deferred or skipped, the gate, the fact it used, and when the
//! message is eligible next. It is only added to.

use crate::{
    Actor, Engine, Error, Result,
    actor::authorize,
    cells,
    db::{self, Kind, Rows, Tx},
    users::THEIRS,
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    compliance::Gate,
    ids::{CampaignId, MessageKey, UserId},
    message::{Decision, DecisionEntry, DecisionQuery},
    operator::Operation,
    page::{Page, PageRequest},
    phone::Phone,
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::{collections::BTreeMap, fmt, str::FromStr};
use uuid::Uuid;

/// A verdict for the ledger.
pub(crate) struct Decided {
    pub key: MessageKey,
    pub user: UserId,
    pub verdict: &'static str,
    pub gate: Gate,
    pub fact: String,
    pub next_at: Option<DateTime<Utc>>,
}

/// Writes verdicts to the ledger, and counts them by gate.
pub(crate) async fn record(engine: &Engine, tx: &Tx, decisions: &[Decided]) -> Result<()> {
    if decisions.is_empty() {
        return Ok(());
    }
    let now = engine.clock.now();
    let columns = [
        ("id", Kind::Id),
        ("campaign_id", Kind::Id),
        ("seq", Kind::Int),
        ("user_id", Kind::Id),
        ("verdict", Kind::Text),
        ("gate", Kind::Text),
        ("fact", Kind::Text),
        ("next_at", Kind::Time),
    ];
    let rows = Rows::of(columns, decisions, |one| {
        let id: Uuid = engine.clock.new_id();
        let (gate, fact) = (one.gate.as_str(), one.fact.as_str());
        cells![id, one.key.campaign.0, one.key.seq, one.user.0, one.verdict, gate, fact, one.next_at]
    });
    db::bulk(tx, rows, values![now], |table| {
        format!(
            "INSERT INTO decisions (id, campaign_id, seq, user_id, verdict, gate, fact, next_at, at)
             SELECT id, campaign_id, seq, user_id, verdict, gate, fact, next_at, $1 FROM {table}"
        )
    })
    .await?;
    let mut counts: BTreeMap<(Uuid, &str, &str), i64> = BTreeMap::new();
    for decided in decisions {
        *counts.entry((decided.key.campaign.0, decided.gate.as_str(), decided.verdict)).or_default() += 1;
    }
    let columns = [("campaign_id", Kind::Id), ("gate", Kind::Text), ("verdict", Kind::Text), ("count", Kind::Int)];
    let counts = Rows::of(columns, counts, |((campaign, gate, verdict), count)| cells![campaign, gate, verdict, count]);
    db::bulk(tx, counts, values![], |table| {
        format!(
            "INSERT INTO decision_stats (campaign_id, gate, verdict, count)
             SELECT campaign_id, gate, verdict, count FROM {table} WHERE true ORDER BY campaign_id, gate, verdict
             ON CONFLICT (campaign_id, gate, verdict) DO UPDATE SET count = decision_stats.count + excluded.count"
        )
    })
    .await?;
    Ok(())
}

/// One page of the ledger. One person's decisions come newest first; else those of the newest campaign come first, and of one
/// campaign those on its last message.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn list(
    engine: &Engine,
    actor: &Actor,
    query: &DecisionQuery,
    page: &PageRequest,
) -> Result<Page<DecisionEntry>> {
    authorize(Operation::CampaignRead, actor)?;
    let place = page.after.as_deref().map_or(Ok(Place::FIRST), str::parse)?;
    let conn = engine.db.read();
    let wanted = i64::from(page.limit()) + 1;
    let rows = match query.user {
        Some(user) => of_user(conn, user, query, place, wanted).await?,
        None => of_campaigns(conn, query, place, wanted).await?,
    };
    let page = Page::cut(rows, page.limit(), |row| row.place().to_string());
    let rows = page.rows.into_iter().map(Row::entry).collect::<Result<_>>()?;
    Ok(Page { rows, next: page.next })
}

/// A place in the ledger: what lies before it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    campaign: Uuid,
    seq: i64,
    id: Uuid,
}

impl Place {
    const FIRST: Self = Self { campaign: Uuid::max(), seq: i64::MAX, id: Uuid::max() };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.campaign, self.seq, self.id)
    }
}

impl FromStr for Place {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let mut parts = text.split('.');
            let place = Self {
                campaign: parts.next()?.parse().ok()?,
                seq: parts.next()?.parse().ok()?,
                id: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(place)
        };
        read().ok_or_else(|| Error::invalid("after", "this is not a cursor"))
    }
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    campaign_id: Uuid,
    seq: i64,
    user_id: Uuid,
    verdict: String,
    gate: String,
    fact: String,
    next_at: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
    campaign_name: String,
    user_name: Option<String>,
    phone: Option<String>,
}

impl Row {
    fn place(&self) -> Place {
        Place { campaign: self.campaign_id, seq: self.seq, id: self.id }
    }

    fn entry(self) -> Result<DecisionEntry> {
        Ok(DecisionEntry {
            key: MessageKey { campaign: CampaignId(self.campaign_id), seq: self.seq },
            campaign_name: self.campaign_name,
            user_id: UserId(self.user_id),
            user_name: self.user_name,
            phone: self.phone.as_deref().map(Phone::parse_e164).transpose().map_err(Error::internal)?,
            decision: Decision {
                at: self.at,
                verdict: self.verdict,
                gate: self.gate.parse()?,
                fact: self.fact,
                next_at: self.next_at,
            },
        })
    }
}

const SELECT: &str = "SELECT d.id, d.campaign_id, d.seq, d.user_id, d.verdict, d.gate, d.fact, d.next_at, d.at,
        g.name AS campaign_name, u.name AS user_name, u.phone
    FROM decisions d JOIN campaigns g ON g.id = d.campaign_id LEFT JOIN users u ON u.id = d.user_id";

/// By the index of the person, and of whoever was merged into them.
async fn of_user<C: ConnectionTrait>(
    conn: &C,
    user: UserId,
    query: &DecisionQuery,
    place: Place,
    wanted: i64,
) -> Result<Vec<Row>> {
    let mut sql = format!("{SELECT} WHERE d.user_id {THEIRS} AND d.id < $2");
    let mut values = values![user.0, place.id, wanted];
    if let Some(campaign) = query.campaign {
        values.push(campaign.0.into());
        sql += &format!(" AND d.campaign_id = ${}", values.len());
    }
    if let Some(gate) = query.gate {
        values.push(gate.as_str().into());
        sql += &format!(" AND d.gate = ${}", values.len());
    }
    db::all(conn, &format!("{sql} ORDER BY d.id DESC LIMIT $3"), values).await
}

#[derive(FromQueryResult)]
struct Decides {
    campaign_id: Uuid,
}

/// Campaign by campaign: the counters say which have a decision, so that each that is looked at gives one.
async fn of_campaigns<C: ConnectionTrait>(
    conn: &C,
    query: &DecisionQuery,
    place: Place,
    wanted: i64,
) -> Result<Vec<Row>> {
    let mut sql = "SELECT DISTINCT campaign_id FROM decision_stats WHERE campaign_id <= $1".to_owned();
    // The campaign that the last page ended in may have nothing left.
    let mut values = values![place.campaign, wanted + 1];
    if let Some(campaign) = query.campaign {
        values.push(campaign.0.into());
        sql += &format!(" AND campaign_id = ${}", values.len());
    }
    if let Some(gate) = query.gate {
        values.push(gate.as_str().into());
        sql += &format!(" AND gate = ${}", values.len());
    }
    let campaigns: Vec<Decides> = db::all(conn, &format!("{sql} ORDER BY campaign_id DESC LIMIT $2"), values).await?;
    let mut found: Vec<Row> = Vec::new();
    for Decides { campaign_id } in campaigns {
        let left = wanted - found.len() as i64;
        if left == 0 {
            break;
        }
        let before = if campaign_id == place.campaign { place } else { Place::FIRST };
        let mut sql = format!("{SELECT} WHERE d.campaign_id = $1 AND (d.seq, d.id) < ($2, $3)");
        let mut values = values![campaign_id, before.seq, before.id, left];
        if let Some(gate) = query.gate {
            values.push(gate.as_str().into());
            sql += " AND d.gate = $5";
        }
        let rows: Vec<Row> = db::all(conn, &format!("{sql} ORDER BY d.seq DESC, d.id DESC LIMIT $4"), values).await?;
        found.extend(rows);
    }
    Ok(found)
}
