//! The hand on a running campaign: pause, resume, cancel; and what cannot be launched at all.

use crate::{
    Result,
    browser::{DEADLINE, Look, Tab},
    compose, people,
    server::Server,
};
use anyhow::{Context as _, ensure};
use playwright_rs::{Locator, expect};

/// Enough that it lasts for minutes at one message a second.
const PEOPLE: usize = 90;

#[tokio::test]
async fn a_campaign_pauses_goes_on_and_is_called_off() -> Result {
    let server = Server::with_demo_data().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    people::import(&tab, "many.csv", &people::file("many", PEOPLE)).await?;
    compose::begin(&tab, "Slow", "cohort = \"many\"", "SMS").await?;
    tab.fill("#rate", "1").await?;
    compose::write_template(&tab, "Slow", "Hi {{ name }}, reply STOP to opt out.").await?;
    compose::use_template(&tab, "Slow").await?;
    compose::launch(&tab, "Slow", "90 people").await?;

    let status = tab.find("#content .card .badge").first();
    tab.says(&tab.figure("Funnel", "Audience"), "90").await?;
    tab.mentions(&status, "Running").await?;
    moved(&tab, "0").await?;

    tab.press("Pause").await?;
    tab.reads("What is being sent this moment is still sent").await?;
    tab.confirm("Pause").await?;
    tab.mentions(&status, "Paused").await?;
    tab.says(&tab.figure("Balance", "Sending"), "0").await?;
    let at_pause = number(&tab.figure("Balance", "Sent")).await?;
    ensure!(at_pause < PEOPLE && server.accepted().await?.len() == at_pause, "paused at {at_pause}");

    tab.press("Resume").await?;
    tab.confirm("Resume").await?;
    tab.mentions(&status, "Running").await?;
    moved(&tab, &at_pause.to_string()).await?;

    tab.press("Cancel the campaign").await?;
    tab.confirm("Cancel the campaign").await?;
    tab.mentions(&status, "Canceled").await?;
    for bucket in ["Pending", "Sending"] {
        tab.says(&tab.figure("Balance", bucket), "0").await?;
    }
    tab.reads("✓ equals the audience").await?;
    let sent = number(&tab.figure("Balance", "Sent")).await?;
    let canceled = number(&tab.figure("Balance", "Canceled")).await?;
    ensure!(sent > at_pause && sent + canceled == PEOPLE, "{sent} sent and {canceled} canceled of {PEOPLE}");
    ensure!(server.accepted().await?.len() == sent, "the provider holds another number than {sent}");
    tab.close().await
}

#[tokio::test]
async fn a_template_with_an_unknown_variable_is_refused_at_the_field() -> Result {
    let server = Server::with_demo_data().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    compose::begin(&tab, "Typo", "plan = \"pro\"", "SMS").await?;
    compose::write_template(&tab, "Typo", "Hi {{ frist_name }}, reply STOP to opt out.").await?;
    tab.press("Save the template and use it").await?;
    tab.mentions(&tab.find("#template-body-error"), "frist_name").await?;
    tab.holds("#template", "").await?;

    // Nor does it start without a template.
    tab.press("Never mind").await?;
    tab.press("Launch…").await?;
    tab.mentions(&tab.find("#template-error"), "choose a template").await?;
    tab.counts(&tab.find("dialog[open]"), 0).await?;
    ensure!(server.accepted().await?.is_empty(), "nothing may be sent");
    tab.close().await
}

#[tokio::test]
async fn whom_a_gate_skipped_is_in_the_ledger_and_a_draft_can_be_deleted() -> Result {
    let server = Server::with_demo_data().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    tab.visit("/decisions").await?;
    tab.reads("No decisions yet").await?;
    people::import(&tab, "few.csv", &people::file("few", 3)).await?;
    compose::begin(&tab, "Unasked", "cohort = \"few\"", "SMS").await?;
    // Nobody of the file subscribed to it.
    tab.choose("#topic", "Events near you").await?;
    compose::write_template(&tab, "Unasked", "Hi {{ name }}, reply STOP to opt out.").await?;
    compose::use_template(&tab, "Unasked").await?;
    compose::launch(&tab, "Unasked", "3 people").await?;
    tab.says(&tab.figure("Balance", "Skipped"), "3").await?;
    tab.find("a:text-is('All decisions')").click(None).await?;
    tab.shows_page("Decisions").await?;
    let rows = tab.find("table[aria-label=Decisions] tbody tr");
    tab.counts(&rows, 3).await?;
    tab.mentions(&rows.first(), "Unasked").await?;
    tab.mentions(&rows.first(), "Skipped").await?;
    tab.choose("#gate", "Quiet hours").await?;
    tab.press("Show").await?;
    tab.reads("Nothing matches this filter.").await?;
    ensure!(server.accepted().await?.is_empty(), "nothing may be sent");

    tab.go("Campaigns").await?;
    tab.find("a:text-is('Autumn sale by SMS')").click(None).await?;
    tab.press("Delete").await?;
    tab.reads("It was never launched, so nobody got anything.").await?;
    tab.confirm("Delete").await?;
    tab.shows_page("Campaigns").await?;
    tab.sees(&tab.find("a:text-is('Unasked')").first()).await?;
    tab.counts(&tab.find("a:text-is('Autumn sale by SMS')"), 0).await?;
    tab.close().await
}

#[tokio::test]
async fn what_was_sent_is_compared_with_the_provider_and_keeps_its_template() -> Result {
    let server = Server::with_demo_data().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    people::import(&tab, "few.csv", &people::file("few", 3)).await?;
    compose::begin(&tab, "Few", "cohort = \"few\"", "SMS").await?;
    compose::write_template(&tab, "Few", "Hi {{ name }}, reply STOP to opt out.").await?;
    compose::use_template(&tab, "Few").await?;
    compose::launch(&tab, "Few", "3 people").await?;
    tab.says(&tab.figure("Funnel", "Delivered"), "3").await?;

    tab.go("Health").await?;
    tab.press("Compare it now").await?;
    tab.mentions(&tab.find("#compared-day-error"), "choose a day").await?;
    tab.fill("#compared-day", "2001-01-01").await?;
    tab.press("Compare it now").await?;
    tab.mentions(&tab.find("#compared-day-error"), "90 days").await?;
    tab.fill("#compared-day", &chrono::Utc::now().format("%F").to_string()).await?;
    tab.find("#compared-day").press("Enter", None).await?;
    let newest = tab.find("table[aria-label='Compared with the provider'] tbody tr").first();
    for column in ["Listed", "New prices"] {
        tab.says(&newest.locator(format!("td[data-label='{column}']")), "3").await?;
    }

    tab.go("Templates").await?;
    tab.row("Templates", "Few").locator("a").first().click(None).await?;
    tab.press("Delete").await?;
    tab.confirm("Delete it").await?;
    tab.reads("the campaign \"Few\" uses this template").await?;
    tab.confirm("Go back").await?;
    tab.go("Templates").await?;
    tab.find("#content a:text-is('New template')").first().click(None).await?;
    tab.fill("#template-name", "Spare").await?;
    tab.fill("#template-body", "Hi, reply STOP to opt out.").await?;
    tab.press("Save the template").await?;
    let spare = tab.row("Templates", "Spare");
    spare.locator("a").first().click(None).await?;
    tab.press("Delete").await?;
    tab.confirm("Delete it").await?;
    tab.sees(&tab.row("Templates", "Few")).await?;
    tab.counts(&spare, 0).await?;
    // The day that is too long ago, and the template that a campaign names, were refused.
    let complaints = tab.complaints();
    ensure!(complaints.iter().all(|one| one.contains("422") || one.contains("409")), "{complaints:#?}");
    tab.close().await
}

/// Waits until more than `before` are sent.
async fn moved(tab: &Tab, before: &str) -> Result {
    let sent = tab.figure("Balance", "Sent");
    expect(sent).with_timeout(DEADLINE).not().to_have_text(before).await?;
    Ok(())
}

async fn number(figure: &Locator) -> Result<usize> {
    let text = figure.inner_text().await?;
    text.trim().parse().with_context(|| format!("{text:?} is no number"))
}
