//! About how many people a filter matches, in the time of a keystroke.

use super::{Matching, checked, where_matching};
use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    db,
    filter_sql::Reach,
    values,
};
use domain::{operator::Operation, segment::SegmentEstimate};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Value};

/// How many people a sample looks at. What [`COMMON_ONE_IN`] of them have is then known to a tenth.
const SAMPLE_ROWS: f64 = 12_000.0;
/// One in how many must match for the sample to be enough.
const COMMON_ONE_IN: i64 = 25;
/// How many more are looked at where fewer do.
const SAMPLE_MORE_ROWS: f64 = 36_000.0;
/// Up to so many people all are counted.
const COUNTED_MAX: f64 = 50_000.0;
/// How many standard deviations the interval reaches to both sides: 95 of 100 times the truth lies within.
const DEVIATIONS: f64 = 1.96;

#[derive(Default, FromQueryResult)]
struct Sampled {
    seen: i64,
    matching: i64,
}

impl Sampled {
    /// Looks at about so many of these people, on pages of the table that chance chooses.
    async fn of<C: ConnectionTrait>(
        conn: &C,
        people: f64,
        rows: f64,
        predicate: &str,
        params: Vec<Value>,
    ) -> Result<Self> {
        let percent = (100.0 * rows / people).min(100.0);
        let sql = format!(
            "SELECT count(*) AS seen, count(*) FILTER (WHERE {predicate}) AS matching FROM users u TABLESAMPLE SYSTEM ({percent})"
        );
        Ok(db::one(conn, &sql, params).await?.unwrap_or_default())
    }
}

/// About how many people match a filter now. Where there are few people, or few have what the filter asks for, they are
/// counted; else a sample of the table's pages is, chosen anew each time.
///
/// # Errors
/// [`crate::Error::Invalid`] for a filter that cannot be read, [`crate::Error::Forbidden`].
pub async fn estimate(engine: &Engine, actor: &Actor, text: &str) -> Result<SegmentEstimate> {
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.asked();
    let checked = checked(conn, text, "filter").await?;
    let people = people(conn).await?;
    let is_counted = people.is_none_or(|people| people <= COUNTED_MAX);
    let Matching { sql: predicate, params, by_index } = where_matching(engine, conn, &checked, Reach::Few, 1).await?;
    if is_counted || by_index {
        let sql = format!("SELECT count(*) AS value FROM users u WHERE {predicate}");
        let total = db::scalar(conn, &sql, params).await?.unwrap_or(0);
        return Ok(SegmentEstimate { about: total, least: total, most: total, exact: true });
    }
    let people = people.unwrap_or_default();
    let mut sampled = Sampled::of(conn, people, SAMPLE_ROWS, &predicate, params.clone()).await?;
    if sampled.matching * COMMON_ONE_IN < sampled.seen {
        let more = Sampled::of(conn, people, SAMPLE_MORE_ROWS, &predicate, params).await?;
        sampled = Sampled { seen: sampled.seen + more.seen, matching: sampled.matching + more.matching };
    }
    Ok(between(people, sampled.seen as f64, sampled.matching as f64))
}

/// How many people there are by the database's own statistics; `None` where it has none.
pub(crate) async fn people<C: ConnectionTrait>(conn: &C) -> Result<Option<f64>> {
    if conn.get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let sql = "SELECT reltuples AS value FROM pg_class WHERE oid = 'users'::regclass";
    let people: Option<f32> = db::scalar(conn, sql, values![]).await?;
    Ok(people.map(f64::from))
}

/// Of `people`, `seen` were looked at and `matching` match: Wilson's interval, which holds for small shares too.
fn between(people: f64, seen: f64, matching: f64) -> SegmentEstimate {
    if seen < 1.0 {
        return SegmentEstimate { about: 0, least: 0, most: people as i64, exact: false };
    }
    let (share, square) = (matching / seen, DEVIATIONS * DEVIATIONS);
    let middle = (share + square / (2.0 * seen)) / (1.0 + square / seen);
    let reach =
        DEVIATIONS / (1.0 + square / seen) * (share * (1.0 - share) / seen + square / (4.0 * seen * seen)).sqrt();
    let of = |share: f64| (share.clamp(0.0, 1.0) * people).round() as i64;
    SegmentEstimate { about: of(share), least: of(middle - reach), most: of(middle + reach), exact: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_likeliest_number_and_never_claims_too_much() {
        let half = between(1_000_000.0, 10_000.0, 5_000.0);
        assert_eq!(half.about, 500_000);
        assert!((489_000..491_500).contains(&half.least) && (508_500..511_000).contains(&half.most), "{half:?}");
        let none = between(1_000_000.0, 10_000.0, 0.0);
        assert_eq!((none.about, none.least), (0, 0));
        assert!((300..500).contains(&none.most), "{none:?}");
        let all = between(1_000_000.0, 10_000.0, 10_000.0);
        assert_eq!((all.about, all.most), (1_000_000, 1_000_000));
        assert_eq!(between(70.0, 0.0, 0.0).most, 70, "nothing was seen, so nothing is known");
    }
}
