//! WhatsApp, by content that the provider approved.

use crate::{
    Result,
    browser::{Look, Tab},
    compose, people,
    server::Server,
};
use anyhow::ensure;

#[tokio::test]
async fn the_demo_campaign_on_whatsapp_is_delivered_and_read() -> Result {
    let server = Server::with_demo_data().await?;
    for n in 0..3 {
        server.lets_read(&format!("+1404555{:04}", 100 + n)).await?;
    }
    let tab = Tab::signed_in(&server, Look::default()).await?;
    people::import(&tab, "readers.csv", &people::file("readers", 3)).await?;

    tab.go("Campaigns").await?;
    tab.find("table[aria-label=Campaigns] a:text-is('Autumn sale on WhatsApp')").click(None).await?;
    tab.shows_page("Autumn sale on WhatsApp").await?;
    tab.find("#content a:text-is('Edit')").click(None).await?;
    tab.is_at("/edit$").await?;
    // The demo people live in zones where it may be night now.
    tab.fill("#filter", "consent.whatsapp = opted_in and cohort = \"readers\"").await?;
    tab.reads("3 people in the audience").await?;
    compose::launch(&tab, "Autumn sale on WhatsApp", "3 people").await?;
    for (stage, count) in [("Audience", "3"), ("Sent", "3"), ("Delivered", "3"), ("Read", "3")] {
        tab.says(&tab.figure("Funnel", stage), count).await?;
    }

    let accepted = server.accepted().await?;
    ensure!(accepted.len() == 3, "{accepted:?}");
    for message in &accepted {
        ensure!(message.to.starts_with("whatsapp:+1404555") && message.content_sid.is_some(), "{message:?}");
        ensure!(message.body.starts_with("Hello Person ") && message.body.contains("20% off"), "{message:?}");
        ensure!(message.status == "read", "{message:?}");
    }
    tab.close().await
}
