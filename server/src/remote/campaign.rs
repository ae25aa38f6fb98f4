//! `ese campaign`: its transitions, and how it goes.

use super::client::Client;
use anyhow::{Context as _, Result, bail};
use domain::{
    campaign::{Campaign, CampaignStatus, Progress},
    ids::CampaignId,
    message::Bucket,
};
use std::time::Duration;

/// How often a campaign is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One transition.
pub async fn act(client: &Client, id: CampaignId, verb: &str) -> Result<()> {
    let campaign: Campaign = client.post(&format!("campaigns/{id}/{verb}"), None::<&()>).await?;
    client.tell(&campaign, || format!("{}: {}", campaign.form.name, campaign.status.label()))
}

/// Tells whenever something moved, until the campaign ends.
pub async fn watch(client: &Client, id: CampaignId) -> Result<()> {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut told = None;
    loop {
        looks.tick().await;
        let progress: Progress = client.get(&format!("campaigns/{id}/balance")).await?;
        let status = progress.status.context("this server does not say how the campaign stands")?;
        if told.as_ref() != Some(&progress) {
            client.tell(&progress, || format!("{}: {}", status.label(), counts(&progress)))?;
            told = Some(progress);
        }
        match status {
            CampaignStatus::Completed => return Ok(()),
            CampaignStatus::Canceled => bail!("it was canceled"),
            _ => {}
        }
    }
}

/// The balance, without what is zero.
fn counts(progress: &Progress) -> String {
    let mut parts = vec![format!("{} people", progress.audience)];
    let filled = Bucket::ALL.iter().map(|bucket| (bucket, progress.bucket(*bucket))).filter(|(_, count)| *count != 0);
    parts.extend(filled.map(|(bucket, count)| format!("{} {count}", bucket.label().to_lowercase())));
    parts.join(", ")
}
