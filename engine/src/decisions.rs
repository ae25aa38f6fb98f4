//! The ledger of decisions: for each message that a gate deferred or skipped, the gate, the fact it used, and when the
//! message is eligible next. It is only added to.

use crate::{
    Engine, Result, cells,
    db::{self, Kind, Rows, Tx},
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    compliance::Gate,
    ids::{MessageKey, UserId},
};
use std::collections::BTreeMap;
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
