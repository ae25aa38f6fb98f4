//! The list of messages: found through keys, page by page, never by a scan of everything.
//!
//! `messages` has no index on time or state, which is what keeps its updates cheap (PERFORMANCE.md 4). So the list goes
//! campaign by campaign, the newest first, and within one from its last message to its first, by the primary key; a filter
//! by gate goes by that gate's decisions, and one person's messages by the person's index. The rollups say which campaigns
//! can hold what is asked for. One page looks at no more than [`LOOKED_AT_MAX`] rows: a page may hold fewer rows than asked
//! for, even none, and still name a next one.

use super::rows::{self, Record};
use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    db, values,
};
use domain::{
    ids::{CampaignId, MessageKey, UserId},
    message::{MessageQuery, MessageRow},
    operator::Operation,
    page::{Page, PageRequest},
};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// How many rows one statement looks at for a filter that no index serves.
const WINDOW_ROWS: i64 = 20_000;
/// How many rows one page looks at.
const LOOKED_AT_MAX: i64 = 200_000;
/// How many campaigns are found at a time.
const CAMPAIGNS_STEP: i64 = 10;

/// Messages that match, newest campaign first and newest message first within it. See the module for what a page may miss.
///
/// A filter by gate finds the messages that this gate ever held back or skipped, whatever became of them since.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn list(
    engine: &Engine,
    actor: &Actor,
    query: &MessageQuery,
    page: &PageRequest,
) -> Result<Page<MessageRow>> {
    authorize(Operation::CampaignRead, actor)?;
    let place = page.after.as_deref().map_or(Ok(Place::FIRST), str::parse)?;
    let limit = page.limit() as usize;
    let conn = engine.db.read();
    let found = match query.user {
        Some(user) => of_user(conn, query, user, place, limit).await?,
        None => Search { conn, query, limit, found: Vec::new(), left: LOOKED_AT_MAX }.run(place).await?,
    };
    let rows = found.records.into_iter().map(Record::view).collect::<Result<_>>()?;
    Ok(Page { rows, next: found.next.map(|place| place.to_string()) })
}

/// A place in the list: what lies before it was seen. `at` is a seq, or of one person's messages the nth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    campaign: Uuid,
    at: i64,
}

impl Place {
    const FIRST: Self = Self { campaign: Uuid::max(), at: i64::MAX };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.campaign, self.at)
    }
}

impl FromStr for Place {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (campaign, at) = text.split_once('.')?;
            Some(Self { campaign: campaign.parse().ok()?, at: at.parse().ok()? })
        };
        read().ok_or_else(|| Error::invalid("after", "this is not a cursor"))
    }
}

/// What a page holds, and where the next begins.
struct Found {
    records: Vec<Record>,
    next: Option<Place>,
}

#[derive(FromQueryResult)]
struct PersonRow {
    #[sea_orm(nested)]
    record: Record,
    nth: i64,
}

/// One person's messages, by the index `messages_person`: a person has few.
async fn of_user<C: ConnectionTrait>(
    conn: &C,
    query: &MessageQuery,
    user: UserId,
    place: Place,
    limit: usize,
) -> Result<Found> {
    let mut sql = format!("{} WHERE m.user_id = $1 AND (m.campaign_id, m.nth) < ($2, $3)", rows::select(", m.nth"));
    let mut values = values![user.0, place.campaign, place.at];
    if let Some(campaign) = query.campaign {
        values.push(campaign.0.into());
        sql += &format!(" AND m.campaign_id = ${}", values.len());
    }
    narrow(query, &mut sql, &mut values);
    if let Some(gate) = query.gate {
        values.push(gate.as_str().into());
        sql += &format!(
            " AND EXISTS (SELECT 1 FROM decisions d
                WHERE d.campaign_id = m.campaign_id AND d.seq = m.seq AND d.gate = ${})",
            values.len()
        );
    }
    values.push((limit as i64 + 1).into());
    sql += &format!(" ORDER BY m.campaign_id DESC, m.nth DESC LIMIT ${}", values.len());
    let mut rows: Vec<PersonRow> = db::all(conn, &sql, values).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| Place { campaign: row.record.campaign_id, at: row.nth });
    Ok(Found { records: rows.into_iter().map(|row| row.record).collect(), next })
}

/// Adds what is asked of the message `m` itself.
fn narrow(query: &MessageQuery, sql: &mut String, values: &mut Vec<Value>) {
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        *sql += &format!(" AND m.{condition} ${}", values.len());
    };
    if let Some(state) = query.state {
        add("state =", state.rank().into());
    }
    if let Some(code) = query.error {
        add("error_code =", code.into());
    }
    if let Some(since) = query.since {
        add("updated_at >=", since.into());
    }
    if let Some(until) = query.until {
        add("updated_at <", until.into());
    }
}

/// A campaign that may hold what is asked for.
#[derive(FromQueryResult)]
struct Candidate {
    id: Uuid,
    /// The highest seq that is looked at.
    top: i64,
}

#[derive(FromQueryResult)]
struct SeqRow {
    seq: i64,
}

/// What one statement looks at: seqs from `least` on.
#[derive(Clone, Copy, FromQueryResult)]
struct Window {
    least: Option<i64>,
    count: i64,
}

/// A page that is being filled.
struct Search<'s, C> {
    conn: &'s C,
    query: &'s MessageQuery,
    limit: usize,
    found: Vec<Record>,
    /// How many rows may still be looked at.
    left: i64,
}

impl<C: ConnectionTrait> Search<'_, C> {
    async fn run(mut self, mut place: Place) -> Result<Found> {
        let mut first = self.known(place);
        loop {
            let (campaigns, is_last) = match first.take() {
                Some(first) => (vec![first], self.query.campaign.is_some()),
                None => {
                    let found = self.campaigns(place).await?;
                    let is_last = (found.len() as i64) < CAMPAIGNS_STEP;
                    (found, is_last)
                }
            };
            for Candidate { id: campaign, top } in campaigns {
                let below = if campaign == place.campaign { place.at.min(top + 1) } else { top + 1 };
                if let Some(at) = self.campaign(campaign, below).await? {
                    return Ok(Found { records: self.found, next: Some(Place { campaign, at }) });
                }
                // Through with this one: the next begins below it.
                place = Place { campaign, at: i64::MIN };
            }
            if is_last {
                return Ok(Found { records: self.found, next: None });
            }
        }
    }

    /// The campaign that a page begins in, where that needs no search: the cursor names one within which it stands, or all messages
    /// of one are asked for.
    fn known(&self, place: Place) -> Option<Candidate> {
        let is_asked = |campaign| self.query.campaign.is_none_or(|only| only.0 == campaign);
        if (1..i64::MAX).contains(&place.at) && is_asked(place.campaign) {
            return Some(Candidate { id: place.campaign, top: place.at - 1 });
        }
        let only = self.query.campaign.filter(|_| place == Place::FIRST && self.all_match())?;
        Some(Candidate { id: only.0, top: i64::MAX - 1 })
    }

    /// Campaigns from this place on that can hold what is asked for, newest first.
    async fn campaigns(&self, place: Place) -> Result<Vec<Candidate>> {
        let mut sql = "SELECT c.id, COALESCE((SELECT m.seq FROM messages m WHERE m.campaign_id = c.id ORDER BY m.seq DESC LIMIT 1), 0) AS top
            FROM campaigns c WHERE "
            .to_owned();
        // A place at the end of a campaign is the beginning of the one before it.
        sql += if place.at == i64::MIN { "c.id < $1" } else { "c.id <= $1" };
        let mut values = values![place.campaign];
        if let Some(campaign) = self.query.campaign {
            values.push(campaign.0.into());
            sql += &format!(" AND c.id = ${}", values.len());
        }
        sql += " AND EXISTS (SELECT 1 FROM campaign_stats s WHERE s.campaign_id = c.id AND s.count <> 0";
        if let Some(state) = self.query.state {
            values.push(state.rank().into());
            sql += &format!(" AND s.state = ${}", values.len());
        }
        sql += ")";
        if let Some(code) = self.query.error {
            values.push(code.into());
            sql += &format!(
                " AND EXISTS (SELECT 1 FROM error_stats e WHERE e.campaign_id = c.id AND e.code = ${})",
                values.len()
            );
        }
        if let Some(until) = self.query.until {
            // No message is older than its campaign.
            values.push(until.into());
            sql += &format!(" AND c.created_at < ${}", values.len());
        }
        if let Some(gate) = self.query.gate {
            values.push(gate.as_str().into());
            sql += &format!(
                " AND EXISTS (SELECT 1 FROM decision_stats d WHERE d.campaign_id = c.id AND d.gate = ${})",
                values.len()
            );
        }
        values.push(CAMPAIGNS_STEP.into());
        sql += &format!(" ORDER BY c.id DESC LIMIT ${}", values.len());
        db::all(self.conn, &sql, values).await
    }

    /// Fills the page from one campaign, below this seq. Answers where the next page begins if this one is over, and `None`
    /// when the campaign is through.
    async fn campaign(&mut self, campaign: Uuid, mut below: i64) -> Result<Option<i64>> {
        loop {
            let wanted = (self.limit - self.found.len()) as i64;
            // Where every row matches, none is looked at in vain: what is found is the window.
            let window = match self.all_match() {
                true => None,
                false => Some(self.window(campaign, below).await?),
            };
            let least = match window {
                Some(Window { least: None, .. }) => return Ok(None),
                Some(Window { least: Some(least), .. }) => least,
                None => i64::MIN,
            };
            let mut records = self.matching(campaign, below, least, wanted + 1).await?;
            self.left -= window.map_or(records.len() as i64, |window| window.count);
            let more = records.len() as i64 > wanted;
            records.truncate(wanted as usize);
            let last = records.last().map(|record| record.seq);
            self.found.extend(records);
            if more {
                // With no room at all, the page ended before this campaign.
                return Ok(Some(last.unwrap_or(below)));
            }
            if window.is_none() {
                return Ok(None);
            }
            below = least;
            if self.left <= 0 {
                return Ok(Some(below));
            }
        }
    }

    /// Whether every message of a campaign is asked for.
    fn all_match(&self) -> bool {
        let MessageQuery { state, gate, error, since, until, .. } = self.query;
        state.is_none() && gate.is_none() && error.is_none() && since.is_none() && until.is_none()
    }

    /// The rows that the next statement looks at: how many, and the lowest seq among them.
    async fn window(&self, campaign: Uuid, below: i64) -> Result<Window> {
        let Some(gate) = self.query.gate else {
            // Seqs are dense: they count an audience from 1. So a window needs no look at its rows.
            let count = WINDOW_ROWS.min(below - 1).max(0);
            return Ok(Window { least: (count > 0).then(|| below - count), count });
        };
        let sql = "SELECT MIN(seq) AS least, COUNT(*) AS count FROM (SELECT seq FROM decisions
                WHERE campaign_id = $1 AND seq < $2 AND gate = $4 ORDER BY seq DESC LIMIT $3) AS looked_at";
        let values = values![campaign, below, WINDOW_ROWS, gate.as_str()];
        Ok(db::one(self.conn, sql, values).await?.unwrap_or(Window { least: None, count: 0 }))
    }

    /// The messages between these two seqs that match, highest first.
    async fn matching(&self, campaign: Uuid, below: i64, least: i64, limit: i64) -> Result<Vec<Record>> {
        let mut values = values![campaign, below, least, limit];
        let between = "m.campaign_id = $1 AND m.seq < $2 AND m.seq >= $3";
        let Some(gate) = self.query.gate else {
            let mut sql = format!("{} WHERE {between}", rows::select(""));
            narrow(self.query, &mut sql, &mut values);
            return db::all(self.conn, &format!("{sql} ORDER BY m.seq DESC LIMIT $4"), values).await;
        };
        values.push(gate.as_str().into());
        // By the gate's decisions, of which a message may have had many.
        let mut sql = format!(
            "SELECT DISTINCT m.seq FROM decisions d JOIN messages m ON m.campaign_id = d.campaign_id AND m.seq = d.seq
             WHERE {between} AND d.campaign_id = $1 AND d.seq < $2 AND d.seq >= $3 AND d.gate = $5"
        );
        narrow(self.query, &mut sql, &mut values);
        let found: Vec<SeqRow> = db::all(self.conn, &format!("{sql} ORDER BY m.seq DESC LIMIT $4"), values).await?;
        let keys: Vec<_> =
            found.iter().map(|row| MessageKey { campaign: CampaignId(campaign), seq: row.seq }).collect();
        rows::load_all(self.conn, &keys).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_round_trip_and_refuse_nonsense() {
        for place in [Place::FIRST, Place { campaign: Uuid::nil(), at: 0 }] {
            assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
        }
        for bad in
            ["", ".", "1", "x.1", "00000000-0000-0000-0000-000000000007", "00000000-0000-0000-0000-000000000007.x"]
        {
            assert!(matches!(bad.parse::<Place>(), Err(Error::Invalid { .. })), "{bad}");
        }
    }
}
