//! The ledger of decisions: for each message that a gate deferred or skipped, the gate, the fact it used, and when the
//! message is eligible next. It is only added to.

use crate::{
    Engine, Result,
    db::{self, Kind, Tx},
};
use chrono::{DateTime, Utc};
use domain::{
    compliance::Gate,
    ids::{MessageKey, UserId},
};
use serde_json::json;
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
    let items = decisions.iter().map(|decided| {
        json!({
            "id": engine.clock.new_id::<Uuid>().simple().to_string(),
            "campaign_id": decided.key.campaign.0.simple().to_string(),
            "seq": decided.key.seq,
            "user_id": decided.user.0.simple().to_string(),
            "verdict": decided.verdict,
            "gate": decided.gate.as_str(),
            "fact": decided.fact,
            "next_at": decided.next_at.map(db::instant),
        })
    });
    let table = db::rows(
        tx,
        1,
        "r",
        &[
            ("id", Kind::Id),
            ("campaign_id", Kind::Id),
            ("seq", Kind::Int),
            ("user_id", Kind::Id),
            ("verdict", Kind::Text),
            ("gate", Kind::Text),
            ("fact", Kind::Text),
            ("next_at", Kind::Time),
        ],
    );
    db::exec(
        tx,
        &format!(
            "INSERT INTO decisions (id, campaign_id, seq, user_id, verdict, gate, fact, next_at, at)
             SELECT id, campaign_id, seq, user_id, verdict, gate, fact, next_at, $2 FROM {table}"
        ),
        vec![db::json(tx, items.collect()), now.into()],
    )
    .await?;
    let mut counts: BTreeMap<(Uuid, &str, &str), i64> = BTreeMap::new();
    for decided in decisions {
        *counts.entry((decided.key.campaign.0, decided.gate.as_str(), decided.verdict)).or_default() += 1;
    }
    let items = counts.iter().map(|((campaign, gate, verdict), count)| {
        json!({ "campaign_id": campaign.simple().to_string(), "gate": gate, "verdict": verdict, "count": count })
    });
    let table = db::rows(
        tx,
        1,
        "r",
        &[("campaign_id", Kind::Id), ("gate", Kind::Text), ("verdict", Kind::Text), ("count", Kind::Int)],
    );
    db::exec(
        tx,
        &format!(
            "INSERT INTO decision_stats (campaign_id, gate, verdict, count)
             SELECT campaign_id, gate, verdict, count FROM {table} WHERE true ORDER BY campaign_id, gate, verdict
             ON CONFLICT (campaign_id, gate, verdict) DO UPDATE SET count = decision_stats.count + excluded.count"
        ),
        vec![db::json(tx, items.collect())],
    )
    .await?;
    Ok(())
}
