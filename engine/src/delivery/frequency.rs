//! How many messages people got lately, or are about to get.

use super::context::Context;
use crate::{
    Result,
    db::{self, Rows},
    values,
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    campaign::CampaignKind,
    frequency::fullest,
    ids::UserId,
    message::{Bucket, State},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::collections::HashMap;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Got {
    user_id: Uuid,
    at: Option<DateTime<Utc>>,
}

/// Who is at the frequency cap, and the fact. Messages of campaigns and single sends on the channel count, those that the
/// provider took, those whose fate is open, and those that campaigns launched before this one still plan: so of two
/// campaigns that run at once the later sees the earlier, and both together keep the cap.
pub(super) async fn over<C: ConnectionTrait>(
    conn: &C,
    context: &Context,
    users: &[UserId],
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, String>> {
    let Some(days) = context.caps.iter().map(|cap| cap.days).max() else { return Ok(HashMap::new()) };
    let ids = Rows::ids(users.iter().map(|user| user.0));
    let since = now - Duration::days(days.into());
    let launched_at = context.launched_at.unwrap_or(now);
    let values = values![context.channel.as_str(), context.id.0, since, launched_at];
    let (taken, open) = (ranks(|bucket| bucket == Bucket::Sent), ranks(is_open));
    let (bulk, single) = (CampaignKind::Bulk.as_str(), CampaignKind::Single.as_str());
    let rows: Vec<Got> = db::of_rows(conn, ids, values, |table| {
        format!(
            "SELECT m.user_id, a.started_at AS at
             FROM {table} JOIN messages m ON m.user_id = r.id
             JOIN campaigns c ON c.id = m.campaign_id
             JOIN senders s ON s.id = c.sender_id
             LEFT JOIN attempts a ON a.campaign_id = m.campaign_id AND a.seq = m.seq AND a.attempt = m.attempt
             WHERE s.channel = $1 AND m.campaign_id <> $2 AND c.kind IN ('{bulk}', '{single}') AND (
                 m.state IN ({taken}) AND a.started_at > $3
                 OR m.state IN ({open})
                 OR m.state = {pending} AND c.status IN ('running', 'paused')
                     AND (c.launched_at < $4 OR c.launched_at = $4 AND c.id < $2))",
            pending = State::Pending.rank(),
        )
    })
    .await?;
    let mut got: HashMap<Uuid, Vec<DateTime<Utc>>> = HashMap::new();
    for row in rows {
        // What is planned counts as if it went out now.
        got.entry(row.user_id).or_default().push(row.at.filter(|at| *at <= now).unwrap_or(now));
    }
    let over = got.into_iter().filter_map(|(user, got)| {
        let (cap, until) = fullest(&context.caps, &got, now)?;
        let fact = format!("has {} already; there is room again {}", cap.describe(), until.format("%F %R UTC"));
        Some((user, fact))
    });
    Ok(over.collect())
}

/// Whether the provider may have it, or get it by a person's word.
fn is_open(bucket: Bucket) -> bool {
    matches!(bucket, Bucket::Sending | Bucket::Unknown | Bucket::NeedsReview)
}

fn ranks(of: impl Fn(Bucket) -> bool) -> String {
    let ranks = State::ALL.iter().filter(|state| of(state.bucket())).map(|state| state.rank().to_string());
    ranks.collect::<Vec<_>>().join(", ")
}
