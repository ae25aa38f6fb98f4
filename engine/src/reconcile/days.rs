//! Whole days as the provider's list has them, beside ours: a state whose report was lost is put right as if the report had come, and
//! prices are filled in (DELIVERY.md, Callbacks). Each night for the day before, once more two nights later, as receipts and prices
//! come late, and whenever somebody asks.
//!
//! The list is read page by page, and each page is counted in the transaction that keeps its prices: whoever dies in between
//! begins again at the page that was not counted.

use crate::{
    Actor, Doorbell, Engine, Error, Result,
    actor::authorize,
    audit::{self, Act},
    cells,
    clock::FAR,
    db::{self, Kind, Rows, Tx},
    provider::ProviderMessage,
    receipts::{self, Receipt},
    states,
    twilio::stored,
    values,
};
use chrono::{DateTime, Days, NaiveDate, Timelike, Utc};
use domain::{
    ids::{CampaignId, MessageKey},
    message::{Event, State, transition},
    operator::Operation,
    page::{Page, PageRequest},
    reconciliation::{Charged, DAYS_MAX, Reconciliation, micros},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};
use uuid::Uuid;

/// The hour, in UTC, from which on the day before is compared: most of what happened in it has been reported by then.
const FIRST_HOUR: u32 = 3;
/// How often a day is to have been begun by how many days later.
const LOOKS: [(u64, i32); 2] = [(1, 1), (3, 2)];
/// How many reports one transaction takes.
const REPORTS: usize = 200;

#[derive(FromQueryResult)]
struct Row {
    day: String,
    looks: i32,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    next: Option<String>,
    pages: i64,
    listed: i64,
    healed: i64,
    priced: i64,
    strange: i64,
}

impl Row {
    fn day(&self) -> Result<NaiveDate> {
        self.day.parse().map_err(Error::internal)
    }

    fn shown(&self) -> Result<Reconciliation> {
        Ok(Reconciliation {
            day: self.day()?,
            started_at: self.started_at,
            finished_at: self.finished_at,
            listed: self.listed,
            healed: self.healed,
            priced: self.priced,
            strange: self.strange,
        })
    }
}

const COLUMNS: &str = "day, looks, started_at, finished_at, next, pages, listed, healed, priced, strange";

/// One page of the days that were compared, newest first.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor, page: &PageRequest) -> Result<Page<Reconciliation>> {
    authorize(Operation::CampaignRead, actor)?;
    let before = page.after.as_deref().map(str::parse::<NaiveDate>).transpose();
    let before = before.map_err(|_| Error::invalid("after", "this is not a cursor"))?;
    let before = before.unwrap_or_else(|| FAR.date_naive()).to_string();
    let sql = format!("SELECT {COLUMNS} FROM reconciliations WHERE day < $1 ORDER BY day DESC LIMIT $2");
    let rows: Vec<Row> = db::all(engine.db.read(), &sql, values![before, i64::from(page.limit()) + 1]).await?;
    let rows = rows.iter().map(Row::shown).collect::<Result<Vec<_>>>()?;
    Ok(Page::cut(rows, page.limit(), |one| one.day.to_string()))
}

/// Has a day compared anew.
///
/// # Errors
/// [`Error::Invalid`] on `day` for one to come, or long gone; [`Error::Conflict`] while it is being compared;
/// [`Error::Forbidden`].
pub async fn ask(engine: &Engine, actor: &Actor, day: NaiveDate) -> Result<Reconciliation> {
    authorize(Operation::MessageReview, actor)?;
    let ago = (engine.clock.now().date_naive() - day).num_days();
    if !(0..=DAYS_MAX).contains(&ago) {
        return Err(Error::invalid("day", format!("choose today or one of the last {DAYS_MAX} days")));
    }
    let tx = engine.db.begin().await?;
    if !begin(engine, &tx, day).await? {
        return Err(Error::conflict("this day is being compared"));
    }
    let act = Act {
        action: "reconciliation.ask",
        target: format!("day:{day}"),
        before: None,
        after: Some(json!({ "day": day })),
    };
    audit::record(engine, &tx, actor, act).await?;
    let begun = find(&tx, day).await?.ok_or_else(|| Error::internal("a day that was begun has a row"))?.shown()?;
    tx.commit().await?;
    engine.queue.ring(Doorbell::Compare).await;
    engine.live.changed("health");
    Ok(begun)
}

/// What the provider charged for a campaign's messages so far, by currency.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn charged(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Vec<Charged>> {
    authorize(Operation::CampaignRead, actor)?;
    #[derive(FromQueryResult)]
    struct Sum {
        currency: String,
        micros: i64,
        messages: i64,
    }
    let sql = "SELECT currency, micros, messages FROM campaign_costs WHERE campaign_id = $1 ORDER BY currency";
    let sums: Vec<Sum> = db::all(engine.db.read(), sql, values![id.0]).await?;
    let each = sums.into_iter().map(|Sum { currency, micros, messages }| Charged { currency, micros, messages });
    Ok(each.collect())
}

async fn find<C: ConnectionTrait>(conn: &C, day: NaiveDate) -> Result<Option<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM reconciliations WHERE day = $1");
    db::one(conn, &sql, values![day.to_string()]).await
}

/// Begins a day, or begins it anew; `false` while it is under way.
async fn begin(engine: &Engine, tx: &Tx, day: NaiveDate) -> Result<bool> {
    let begun = db::exec(
        tx,
        "INSERT INTO reconciliations (day, looks, started_at, finished_at, next, pages, listed, healed, priced, strange)
         VALUES ($1, 1, $2, NULL, NULL, 0, 0, 0, 0, 0)
         ON CONFLICT (day) DO UPDATE SET looks = reconciliations.looks + 1, started_at = excluded.started_at,
             finished_at = NULL, next = NULL, pages = 0, listed = 0, healed = 0, priced = 0, strange = 0
         WHERE reconciliations.finished_at IS NOT NULL",
        values![day.to_string(), engine.clock.now()],
    )
    .await?;
    Ok(begun > 0)
}

/// Begins what is due, and goes on with what was begun.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away. A list that cannot be read is asked again at the next bell.
pub async fn run(engine: &Engine) -> Result<()> {
    begin_due(engine).await?;
    let began = Instant::now();
    let open = format!("SELECT {COLUMNS} FROM reconciliations WHERE finished_at IS NULL ORDER BY day LIMIT 1");
    while let Some(row) = db::one::<Row, _>(engine.db.read(), &open, values![]).await? {
        let page = match engine.provider.sent_on(row.day()?, row.next.as_deref()).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(day = row.day, error = %error, "the provider's list cannot be read now");
                return Ok(());
            }
        };
        take(engine, &row, page.messages, page.next).await?;
        engine.live.changed("health");
        if began.elapsed() >= engine.limits.slice {
            engine.queue.ring(Doorbell::Compare).await;
            return Ok(());
        }
    }
    Ok(())
}

async fn begin_due(engine: &Engine) -> Result<()> {
    let now = engine.clock.now();
    if now.hour() < FIRST_HOUR {
        return Ok(());
    }
    for (days, looks) in LOOKS {
        let Some(day) = now.date_naive().checked_sub_days(Days::new(days)) else { continue };
        let is_done = find(engine.db.read(), day).await?.is_some_and(|row| row.looks >= looks);
        if !is_done {
            let tx = engine.db.begin().await?;
            begin(engine, &tx, day).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Takes one page of a day's list in.
async fn take(engine: &Engine, row: &Row, messages: Vec<ProviderMessage>, next: Option<String>) -> Result<()> {
    let ours: Vec<ProviderMessage> = messages.into_iter().filter(|message| !message.inbound).collect();
    let sids: Vec<Uuid> = ours.iter().map(|message| message.sid.uuid()).collect();
    let bound = states::bound(engine.db.read(), &sids).await?;
    let healed = heal(engine, &ours, &bound).await?;
    let tx = engine.db.begin().await?;
    let priced = keep_prices(&tx, &ours, &bound).await?;
    let counted = db::exec(
        &tx,
        "UPDATE reconciliations SET next = $4, pages = pages + 1, listed = listed + $5, healed = healed + $6,
             priced = priced + $7, strange = strange + $8, finished_at = $9
         WHERE day = $1 AND looks = $2 AND pages = $3 AND finished_at IS NULL",
        values![
            row.day.as_str(),
            row.looks,
            row.pages,
            next.clone(),
            whole(ours.len())?,
            whole(healed)?,
            priced,
            whole(ours.len() - bound.len())?,
            next.is_none().then(|| engine.clock.now())
        ],
    )
    .await?;
    // Another process was faster: what this one would count is counted already.
    if counted > 0 {
        tx.commit().await?;
    }
    Ok(())
}

fn whole(count: usize) -> Result<i64> {
    i64::try_from(count).map_err(Error::internal)
}

/// Applies what is listed and was never reported, and answers of how many messages.
async fn heal(engine: &Engine, listed: &[ProviderMessage], bound: &HashMap<Uuid, (MessageKey, i16)>) -> Result<usize> {
    #[derive(FromQueryResult)]
    struct Stands {
        state: i16,
        sid: Uuid,
    }
    let keys: Vec<MessageKey> = bound.values().map(|(key, _)| *key).collect();
    let rows: Vec<Stands> = db::of_rows(engine.db.read(), Rows::keys(&keys), values![], |table| {
        format!(
            "SELECT m.state, m.sid FROM {table}
             JOIN messages m ON m.campaign_id = r.campaign_id AND m.seq = r.seq"
        )
    })
    .await?;
    // Of a message that was tried again only the attempt that counts: an earlier one is history.
    let standing: HashMap<Uuid, State> =
        rows.iter().filter_map(|row| Some((row.sid, State::from_rank(row.state)?))).collect();
    let lost: Vec<Receipt> = listed
        .iter()
        .filter_map(|message| {
            let (listed, stands) = (message.state?, *standing.get(&message.sid.uuid())?);
            let after = transition(stands, Event::Report(listed)).ok()?;
            let raw = as_report(message);
            let callback = stored::status(&raw)?;
            (after != stands).then(|| Receipt { key: bound.get(&message.sid.uuid()).copied(), callback, raw })
        })
        .collect();
    for receipts in lost.chunks(REPORTS) {
        receipts::apply(engine, receipts).await?;
    }
    Ok(lost.len())
}

/// The form that its report would have had, as far as the list tells. It says where it is from.
fn as_report(message: &ProviderMessage) -> String {
    let (sid, code) = (message.sid.to_string(), message.error_code.map(|code| code.to_string()));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([
        ("MessageSid", sid.as_str()),
        ("MessageStatus", message.status.as_str()),
        ("AccountSid", "listed"),
        ("To", message.to.as_str()),
    ]);
    if let Some(code) = &code {
        form.append_pair("ErrorCode", code);
    }
    form.finish()
}

/// Keeps prices that were not known, and answers how many.
async fn keep_prices(tx: &Tx, listed: &[ProviderMessage], bound: &HashMap<Uuid, (MessageKey, i16)>) -> Result<i64> {
    #[derive(FromQueryResult)]
    struct New {
        campaign_id: Uuid,
        currency: String,
        micros: i64,
    }
    let prices = listed.iter().filter_map(|message| {
        let (key, _) = bound.get(&message.sid.uuid())?;
        Some((*key, message.sid.uuid(), message.price_unit.clone()?, micros(message.price.as_deref()?)?))
    });
    let columns = [
        ("campaign_id", Kind::Id),
        ("sid", Kind::Id),
        ("seq", Kind::Int),
        ("currency", Kind::Text),
        ("micros", Kind::Int),
    ];
    let rows = Rows::of(columns, prices, |(key, sid, currency, micros)| {
        cells![key.campaign.0, sid, key.seq, currency, micros]
    });
    let new: Vec<New> = db::of_rows(tx, rows, values![], |table| {
        format!(
            "INSERT INTO message_costs (campaign_id, sid, seq, currency, micros)
             SELECT r.campaign_id, r.sid, r.seq, r.currency, r.micros FROM {table} WHERE TRUE
             ON CONFLICT (campaign_id, sid) DO NOTHING RETURNING campaign_id, currency, micros"
        )
    })
    .await?;
    let mut sums: BTreeMap<(Uuid, &str), (i64, i64)> = BTreeMap::new();
    for one in &new {
        let sum = sums.entry((one.campaign_id, one.currency.as_str())).or_default();
        *sum = (sum.0 + 1, sum.1.saturating_add(one.micros));
    }
    let columns = [("campaign_id", Kind::Id), ("currency", Kind::Text), ("messages", Kind::Int), ("micros", Kind::Int)];
    let sums = Rows::of(columns, sums, |((campaign, currency), (messages, micros))| {
        cells![campaign, currency, messages, micros]
    });
    db::bulk(tx, sums, values![], |table| {
        format!(
            "INSERT INTO campaign_costs (campaign_id, currency, messages, micros)
             SELECT r.campaign_id, r.currency, r.messages, r.micros FROM {table} WHERE TRUE
             ON CONFLICT (campaign_id, currency) DO UPDATE SET messages = campaign_costs.messages + excluded.messages,
                 micros = campaign_costs.micros + excluded.micros"
        )
    })
    .await?;
    whole(new.len())
}
