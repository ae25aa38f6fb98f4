//! The same kind of people on SQLite, the embedded default, and what pages and counts take there: measured beside, and held to no gate.
//! There are as many as it is meant for.

use crate::{crowd, open_loop::Latencies, report::Figure, rounds::Spread};
use anyhow::{Context as _, Result, ensure};
use domain::{page::PageRequest, user::UserSort};
use engine::{
    db, segments,
    testing::{Backend, START, TestEnv},
    users, values,
};
use sea_orm::{ConnectionTrait as _, FromQueryResult};
use std::time::Instant;
use uuid::Uuid;

/// The most people.
const ROWS_MAX: u32 = 1_000_000;
/// The numbers of people, and their scattered numbers.
const MADE: &str = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows}),
    made AS (SELECT n, n * 2654435761 % 4294967296 AS h FROM numbers)";

/// People on SQLite.
pub struct Embedded {
    env: TestEnv,
    rows: u32,
}

#[derive(FromQueryResult)]
struct Last {
    id: Uuid,
    updated_at: String,
}

impl Embedded {
    /// As many as `rows`, or as SQLite is meant for.
    pub async fn gather(rows: u32) -> Result<Self> {
        let made = Self { env: TestEnv::new(Backend::Sqlite).await, rows: rows.min(ROWS_MAX) };
        crowd::declare(&made.env).await?;
        let conn = made.env.engine.db.for_migrations();
        for sql in [made.users(), made.consents()] {
            conn.execute_unprepared(&sql).await.with_context(|| sql.clone())?;
        }
        let count: Option<i64> = db::scalar(conn, "SELECT count(*) AS value FROM users", values![]).await?;
        ensure!(count == Some(i64::from(made.rows)), "there are {count:?} people on SQLite, not {}", made.rows);
        Ok(made)
    }

    /// The id of person `n`, in the order in which people became known.
    fn id(&self) -> String {
        let apart = crowd::APART_MS;
        let base = crowd::start_ms() - i64::from(self.rows) * apart;
        format!("unhex(printf('%012x', {base} + n * {apart}) || '70008000' || printf('%012x', n))")
    }

    /// As [`crowd::Crowd`] has them.
    fn users(&self) -> String {
        let (id, rows, made) = (self.id(), self.rows, MADE.replace("{rows}", &self.rows.to_string()));
        let pick = |words: &str, place: &str| format!("json_extract('[{words}]', '$[' || ({place}) || ']')");
        let tag = |name: &str, by: u8| format!("CASE WHEN h / {by} % 4 = 0 THEN '\"{name}\",' ELSE '' END");
        let tags = [("vip", 7), ("beta", 11), ("news", 13), ("web", 17), ("shop", 19)].map(|(name, by)| tag(name, by));
        format!(
            "{made} INSERT INTO users (id, phone, name, locale, zone, attributes, created_at, updated_at)
             SELECT {id}, '+49151' || printf('%08d', n * 7654321 % 100000000),
                {} || ' ' || printf('%x', h), {}, {},
                json_object('city', {}, 'plan', {}, 'age', 18 + h / 256 % 60, 'ltv', (h % 100000) / 100.0, 'code', 'C' || n,
                    'tags', json('[' || rtrim({}, ',') || ']')),
                strftime('%Y-%m-%dT%H:%M:%S+00:00', '{START}', '-' || (({rows} - n) * 2) || ' seconds'),
                strftime('%Y-%m-%dT%H:%M:%S+00:00', '{START}', '-' || (h % {rows}) || ' seconds')
             FROM made",
            pick(&quoted(&crowd::NAMES), "h % 16"),
            pick(&quoted(&["de-DE", "en-GB", "si-LK", "es-MX"]), "h / 16 % 4"),
            pick(&quoted(&["Europe/Berlin", "Europe/London", "Asia/Colombo", "America/Mexico_City"]), "h / 16 % 4"),
            pick(&quoted(&crowd::CITIES), "CAST(16 * (h / 4294967296.0) * (h / 4294967296.0) * (h / 4294967296.0) AS INTEGER)"),
            pick(&quoted(&["free", "plus", "pro", "team"]), "h / 64 % 4"),
            tags.join(" || "),
        )
    }

    fn consents(&self) -> String {
        let (id, made) = (self.id(), MADE.replace("{rows}", &self.rows.to_string()));
        format!(
            "{made} INSERT INTO consents (user_id, channel, state, stops, updated_at)
             SELECT {id}, channel,
                CASE WHEN channel = 'sms' THEN CASE WHEN h % 100 < 5 THEN 'opted_out' WHEN h % 100 < 10 THEN 'none' ELSE 'opted_in' END
                    WHEN h / 100 % 10 < 4 THEN 'opted_in' ELSE 'none' END, '[]', '{START}'
             FROM made CROSS JOIN (SELECT 'sms' AS channel UNION ALL SELECT 'whatsapp')"
        )
    }

    /// So many first pages of each list, and as many behind nine of ten people.
    pub async fn pages(&self, lists: &[(&str, UserSort)], pages: usize, rows: u32) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        for (filter, sort) in lists {
            let name = format!("SQLite, {} people, {}, {filter}", self.rows, sort.as_str());
            let places = [None, Some(self.deep(*sort).await?)];
            let [mut first, mut deep] = [Vec::new(), Vec::new()];
            for _ in 0..pages {
                for (place, took) in places.iter().zip([&mut first, &mut deep]) {
                    let began = Instant::now();
                    let page = PageRequest { after: place.clone(), limit: rows };
                    let found = users::list_sorted(&self.env.engine, &self.env.admin, filter, *sort, &page).await?;
                    took.push(began.elapsed());
                    ensure!(!found.rows.is_empty() || place.is_some(), "{name}: nobody is there");
                }
            }
            let all = Latencies::new(first.iter().chain(&deep).copied().collect());
            let [first, deep] = [first, deep].map(|took| Latencies::new(took).quantile_ms(0.5));
            figures.push(Figure::new(format!("{name}: p99"), all.quantile_ms(0.99), "ms"));
            figures.push(Figure::new(format!("{name}: deep ÷ first"), deep / first, "×"));
        }
        Ok(figures)
    }

    /// A cursor behind nine of ten people.
    async fn deep(&self, sort: UserSort) -> Result<String> {
        let by = match sort {
            UserSort::Newest => "id DESC",
            UserSort::Oldest => "id",
            UserSort::Name => "lower(coalesce(name, '')), id",
            UserSort::NameDown => "lower(coalesce(name, '')) DESC, id DESC",
            UserSort::Changed => "updated_at DESC, id DESC",
            UserSort::Unchanged => "updated_at, id",
        };
        let sql = format!("SELECT id, updated_at FROM users ORDER BY {by} LIMIT 1 OFFSET $1");
        let last: Option<Last> =
            db::one(self.env.engine.db.read(), &sql, values![i64::from(self.rows) * 9 / 10]).await?;
        let last = last.context("there is nobody far down")?;
        Ok(match sort {
            UserSort::Changed | UserSort::Unchanged => {
                let at: chrono::DateTime<chrono::Utc> = last.updated_at.parse()?;
                format!("{}.{}", at.timestamp_nanos_opt().unwrap_or_default(), last.id)
            }
            _ => last.id.to_string(),
        })
    }

    /// Counts of these segments, and the estimates before them.
    pub async fn counts(&self, segments: &[&str], rounds: usize) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        let TestEnv { engine, admin, .. } = &self.env;
        for segment in segments {
            let (mut estimates, mut counts, mut total) = (Vec::new(), Vec::new(), 0);
            for round in 0..=rounds {
                let began = Instant::now();
                segments::estimate(engine, admin, segment).await?;
                let estimated = began.elapsed();
                let began = Instant::now();
                total = segments::count(engine, admin, segment).await?.total;
                if round > 0 {
                    estimates.push(estimated.as_secs_f64() * 1_000.0);
                    counts.push(began.elapsed().as_secs_f64() * 1_000.0);
                }
            }
            let name =
                format!("SQLite, {} people, {}", self.rows, if segment.is_empty() { "everyone" } else { segment });
            figures.push(Figure::of(format!("{name}: exact ({total})"), Spread::of(counts), "ms"));
            figures.push(Figure::of(format!("{name}: estimate"), Spread::of(estimates), "ms"));
        }
        Ok(figures)
    }
}

/// Words as the members of a JSON array.
fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(",")
}
