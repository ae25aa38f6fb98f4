//! The gates without the provider: what a campaign would do.

use super::{
    context::Context,
    gates::{self, Hold},
};
use crate::{Engine, Error, Result, campaigns::CampaignRecord};
use chrono::{DateTime, Utc};
use domain::{
    campaign::CampaignStatus,
    compliance::Verdict,
    forecast::Tally,
    ids::UserId,
    phone::{self, Channel, Phone},
};

/// By what and how fast a campaign sends.
pub(crate) struct Rate {
    pub channel: Channel,
    /// The lower of the sender's and the campaign's own.
    pub parts_per_second: u32,
}

/// Adds up what the gates would say of these people at an instant.
pub(crate) async fn forecast(
    engine: &Engine,
    record: &CampaignRecord,
    people: &[UserId],
    at: DateTime<Utc>,
    tally: &mut Tally,
) -> Result<Rate> {
    let context = match Context::of_campaign(engine, record.campaign_id()).await? {
        Some(context) => context,
        None => Context::of_form(engine, &record.form()?).await?,
    };
    let context = Context { id: record.campaign_id(), ..context };
    let conn = engine.db.read();
    let mut judged = gates::judge(engine, conn, &context, CampaignStatus::Running, people, Hold::Free, at).await?;
    for user in people {
        tally.audience += 1;
        let Some(one) = judged.remove(user) else { continue };
        let due = match one.verdict {
            Verdict::Send { .. } => {
                tally.at_once += 1;
                at
            }
            Verdict::Defer { gate, until, .. } => {
                tally.count_gate(gate, "defer");
                until.unwrap_or(at)
            }
            Verdict::Skip { gate, .. } => {
                tally.count_gate(gate, "skip");
                continue;
            }
        };
        let text = one
            .rendered
            .map(|rendered| rendered.text)
            .ok_or_else(|| Error::internal(format!("user {user} passed the gate on content without a text")))?;
        let number = one.to.as_deref().map(|to| to.trim_start_matches("whatsapp:"));
        let country = number.and_then(|number| Phone::parse_e164(number).ok()).and_then(|phone| phone::region(&phone));
        tally.count_message(one.units, country.as_deref(), one.zone.as_deref(), due);
        tally.keep_worst(*user, &text, one.units);
    }
    let own = context.campaign_rate.unwrap_or(u32::MAX);
    Ok(Rate { channel: context.channel, parts_per_second: context.sender_rate.min(own).max(1) })
}
