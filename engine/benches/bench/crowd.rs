//! Millions of people and messages, made by the database itself: what lists and counts are measured on.
//!
//! The same each time. Ids follow the order in which people became known, as real ones do; numbers, names and values are
//! scattered over them by a multiplication, so that no other order follows it. What the tables hold and how they are indexed
//! is what production has; only the write-ahead log is left out while they are filled, which no reader can tell.

use crate::embedded::Embedded;
use anyhow::{Context as _, Result, ensure};
use domain::{attribute::AttributeForm, filter::AttributeKind, ids::CampaignId, message::State};
use engine::{
    attributes, db,
    testing::{START, TestEnv},
    values,
};
use sea_orm::{ConnectionTrait as _, FromQueryResult};
use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

/// How many people there can be.
pub const ROWS: RangeInclusive<u32> = 10_000..=20_000_000;
/// How many campaigns the messages are of.
pub const CAMPAIGNS: u32 = 10;
/// One person became known every two seconds, the last one when the clock of the bench starts.
pub const APART_MS: i64 = 2_000;
/// What building indexes may hold in memory, per index: more than PostgreSQL ships with, as nobody measures it here.
const BUILD_MEMORY: &str = "SET LOCAL maintenance_work_mem = '512MB'";
/// The tables that are filled.
const TABLES: [&str; 3] = ["users", "consents", "messages"];

/// First names.
pub const NAMES: [&str; 16] = [
    "Ada", "Alan", "Barbara", "Claude", "Donald", "Edsger", "Frances", "Grace", "Hedy", "Ida", "Joan", "Karl", "Linus",
    "Mary", "Niklaus", "Zoe",
];
/// Cities, from the one that most people live in to the one that fewest do.
pub const CITIES: [&str; 16] = [
    "Berlin", "Hamburg", "Köln", "Bonn", "Bremen", "Dresden", "Essen", "Halle", "Kassel", "Kiel", "Mainz", "München",
    "Rostock", "Dortmund", "Aachen", "Ulm",
];

/// A scattered number below 2^32 for each `n`.
const SCATTERED: &str = "(n * 2654435761 % 4294967296)";

/// The crowd.
pub struct Crowd {
    /// Where it is.
    pub env: TestEnv,
    /// How many people there are, and how many messages.
    pub rows: u32,
    /// Whose messages there are, oldest first.
    pub campaigns: Vec<CampaignId>,
    /// How long it took to make.
    pub took: Duration,
    /// The same kind of people on SQLite.
    pub embedded: Embedded,
}

#[derive(FromQueryResult)]
struct Definition {
    drop: String,
    make: String,
    tune: Option<String>,
}

impl Crowd {
    /// So many people with consent on both channels and declared attributes, and as many messages to them.
    pub async fn gather(rows: u32) -> Result<Self> {
        let began = Instant::now();
        let env = TestEnv::durable().await;
        declare(&env).await?;
        let mut campaigns = Vec::new();
        for _ in 0..CAMPAIGNS {
            env.engine.clock.advance(Duration::from_secs(1));
            campaigns.push(env.campaign().create().await.id);
        }
        env.leave_jobs();
        let embedded = Embedded::gather(rows).await?;
        let mut crowd = Self { env, rows, campaigns, took: Duration::ZERO, embedded };
        crowd.fill().await?;
        crowd.took = began.elapsed();
        eprintln!("bench: {rows} people and messages took {:.0} s", crowd.took.as_secs_f64());
        Ok(crowd)
    }

    async fn fill(&self) -> Result<()> {
        let conn = self.env.engine.db.for_migrations();
        let indexes: Vec<Definition> = db::all(conn, INDEXES, values![]).await?;
        ensure!(indexes.len() >= 5, "the indexes of the tables are not found: {}", indexes.len());
        for table in TABLES {
            conn.execute_unprepared(&format!("ALTER TABLE {table} SET UNLOGGED")).await?;
        }
        for index in &indexes {
            conn.execute_unprepared(&index.drop).await?;
        }
        let people = async {
            conn.execute_unprepared(&self.users()).await.context("users")?;
            conn.execute_unprepared(&self.consents()).await.context("consents")?;
            anyhow::Ok(())
        };
        let messages = async {
            for (place, campaign) in self.campaigns.iter().enumerate() {
                conn.execute_unprepared(&self.messages(place as u32, *campaign)).await.context("messages")?;
                conn.execute_unprepared(&rollup(*campaign)).await.context("campaign_stats")?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(people, messages)?;
        // Two at a time, as there are two cores.
        let (odd, even): (Vec<_>, Vec<_>) = indexes.iter().enumerate().partition(|(n, _)| n % 2 == 1);
        tokio::try_join!(self.build(odd), self.build(even))?;
        for table in TABLES {
            conn.execute_unprepared(&format!("VACUUM (ANALYZE) {table}")).await?;
        }
        for table in ["users", "messages"] {
            let count: Option<i64> =
                db::scalar(conn, &format!("SELECT count(*) AS value FROM {table}"), values![]).await?;
            let wanted = if table == "users" { self.rows } else { self.rows / CAMPAIGNS * CAMPAIGNS };
            ensure!(count == Some(i64::from(wanted)), "{table} has {count:?} rows, not {wanted}");
        }
        Ok(())
    }

    async fn build(&self, indexes: Vec<(usize, &Definition)>) -> Result<()> {
        for (_, index) in indexes {
            let tx = self.env.engine.db.begin_bulk().await?;
            tx.execute_unprepared(BUILD_MEMORY).await?;
            tx.execute_unprepared(&index.make).await.with_context(|| index.make.clone())?;
            if let Some(tune) = &index.tune {
                tx.execute_unprepared(tune).await.with_context(|| tune.clone())?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// The id of person `n`, from 1, as SQL.
    fn id_of(&self, n: &str) -> String {
        let base = start_ms() - i64::from(self.rows) * APART_MS;
        format!(
            "(lpad(to_hex({base} + ({n})::bigint * {APART_MS}), 12, '0') || '70008000' || \
             lpad(to_hex(({n})::bigint), 12, '0'))::uuid"
        )
    }

    /// Cities from 40 % down to 2 %, four plans, ages from 18 to 77, a code of one's own, tags with a quarter each.
    fn users(&self) -> String {
        let (id, rows, names, cities) = (self.id_of("n"), self.rows, array(&NAMES), array(&CITIES));
        format!(
            "INSERT INTO users (id, phone, name, locale, zone, attributes, created_at, updated_at)
             SELECT {id}, '+49151' || lpad((n * 7654321 % 100000000)::text, 8, '0'),
                ({names})[1 + h % 16] || ' ' || to_hex(h),
                (ARRAY['de-DE','en-GB','si-LK','es-MX'])[1 + h / 16 % 4],
                (ARRAY['Europe/Berlin','Europe/London','Asia/Colombo','America/Mexico_City'])[1 + h / 16 % 4],
                jsonb_build_object(
                    'city', ({cities})[1 + floor(16 * power(h / 4294967296.0::float8, 3))::int],
                    'plan', (ARRAY['free','plus','pro','team'])[1 + h / 64 % 4], 'age', 18 + h / 256 % 60,
                    'ltv', (h % 100000) / 100.0, 'code', 'C' || n,
                    'tags', array_remove(ARRAY[CASE WHEN h / 7 % 4 = 0 THEN 'vip' END, CASE WHEN h / 11 % 4 = 0 THEN 'beta' END,
                        CASE WHEN h / 13 % 4 = 0 THEN 'news' END, CASE WHEN h / 17 % 4 = 0 THEN 'web' END,
                        CASE WHEN h / 19 % 4 = 0 THEN 'shop' END], NULL)),
                '{START}'::timestamptz - ({rows} - n) * interval '{APART_MS} milliseconds',
                '{START}'::timestamptz - h % {rows} * interval '1 second'
             FROM (SELECT n, {SCATTERED} AS h FROM generate_series(1, {rows}::bigint) AS n) AS made"
        )
    }

    /// By SMS 5 % said no and 5 % nothing; by WhatsApp 40 % said yes.
    fn consents(&self) -> String {
        let (id, rows) = (self.id_of("n"), self.rows);
        format!(
            "INSERT INTO consents (user_id, channel, state, stops, updated_at)
             SELECT {id}, channel,
                CASE WHEN channel = 'sms' THEN CASE WHEN h % 100 < 5 THEN 'opted_out' WHEN h % 100 < 10 THEN 'none' ELSE 'opted_in' END
                    WHEN h / 100 % 10 < 4 THEN 'opted_in' ELSE 'none' END, '[]', '{START}'
             FROM (SELECT n, {SCATTERED} AS h FROM generate_series(1, {rows}::bigint) AS n) AS made
             CROSS JOIN (VALUES ('sms'), ('whatsapp')) AS channels (channel)"
        )
    }

    /// A campaign's messages: 1 % failed, a fifth was read, the others were delivered.
    fn messages(&self, place: u32, campaign: CampaignId) -> String {
        let (each, id) =
            (self.rows / CAMPAIGNS, self.id_of(&format!("n + {place}::bigint * {}", self.rows / CAMPAIGNS)));
        let [failed, read, delivered] = [State::Failed, State::Read, State::Delivered].map(State::rank);
        format!(
            "INSERT INTO messages (campaign_id, seq, user_id, state, attempt, sid, updated_at)
             SELECT '{campaign}', n, {id}, CASE WHEN h % 100 = 0 THEN {failed} WHEN h % 5 = 0 THEN {read} ELSE {delivered} END, 1, {id},
                '{START}'
             FROM (SELECT n, {SCATTERED} AS h FROM generate_series(1, {each}::bigint) AS n) AS made"
        )
    }
}

/// The balance of a campaign that ended, as its messages say; and that it ended.
fn rollup(campaign: CampaignId) -> String {
    format!(
        "WITH counted AS (INSERT INTO campaign_stats (campaign_id, state, shard, count)
            SELECT campaign_id, state, 0, count(*) FROM messages WHERE campaign_id = '{campaign}' GROUP BY campaign_id, state)
         UPDATE campaigns SET status = 'completed', expanded = true, launched_at = created_at, finished_at = created_at,
            frozen_filter = '' WHERE id = '{campaign}'"
    )
}

/// Every index but the primary keys, whose order is that in which rows are made: how to drop it, how to
/// make it again, and for how much of it statistics are kept.
const INDEXES: &str = "SELECT
        CASE WHEN c.conname IS NULL THEN 'DROP INDEX ' || i.indexrelid::regclass
            ELSE 'ALTER TABLE ' || i.indrelid::regclass || ' DROP CONSTRAINT ' || c.conname END AS drop,
        CASE WHEN c.conname IS NULL THEN pg_get_indexdef(i.indexrelid)
            ELSE 'ALTER TABLE ' || i.indrelid::regclass || ' ADD CONSTRAINT ' || c.conname || ' ' || pg_get_constraintdef(c.oid) END AS make,
        (SELECT string_agg(format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', i.indexrelid::regclass, a.attnum, a.attstattarget), ';')
            FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget > 0) AS tune
    FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
    WHERE i.indrelid IN ('users'::regclass, 'consents'::regclass, 'messages'::regclass) AND NOT i.indisprimary
    ORDER BY i.indrelid, i.indexrelid";

/// What the clock of the bench shows, in milliseconds.
pub fn start_ms() -> i64 {
    START.parse::<chrono::DateTime<chrono::Utc>>().map_or(0, |start| start.timestamp_millis())
}

/// Declares the attributes that people have.
pub async fn declare(env: &TestEnv) -> Result<()> {
    for (name, kind) in [
        ("city", AttributeKind::Text),
        ("plan", AttributeKind::Text),
        ("code", AttributeKind::Text),
        ("age", AttributeKind::Number),
        ("ltv", AttributeKind::Number),
        ("tags", AttributeKind::List),
    ] {
        let form = AttributeForm { name: name.into(), kind, description: String::new() };
        attributes::create(&env.engine, &env.admin, &form).await?;
    }
    Ok(())
}

/// Words as an array of PostgreSQL.
fn array(words: &[&str]) -> String {
    format!("ARRAY['{}']", words.join("','"))
}
