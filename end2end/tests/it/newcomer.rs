//! The newcomer's whole loop: sign in, import, compose, launch, watch, hear STOP, launch again.

use crate::{
    Result,
    browser::{Look, Tab},
    compose, people,
    server::Server,
};
use anyhow::ensure;
use playwright_rs::FilterOptions;
use std::collections::BTreeMap;

const ADA: &str = "+14045550101";
const ALAN: &str = "+14045550102";
const NORA: &str = "+14045550104";
const GRACE: &str = "+14045550107";

/// As a spreadsheet writes it, with a byte order mark: numbers as people write them, a row that cannot be read (line 4),
/// someone who did not agree to SMS (Nora), and someone twice (Ada).
fn file() -> String {
    let zone = people::zone_at_noon();
    format!(
        "\u{feff}Name,Mobile,Time zone,SMS opt in,Cohort\n\
         Ada Lovelace,(404) 555-0101,{zone},yes,newcomers\n\
         Alan Turing,+1 404 555 0102,{zone},yes,newcomers\n\
         Broken Row,12,{zone},yes,newcomers\n\
         Nora Noether,404-555-0104,{zone},,newcomers\n\
         Ada Lovelace,+14045550101,{zone},yes,newcomers\n\
         Grace Hopper,4045550107,{zone},yes,newcomers\n"
    )
}

#[tokio::test]
async fn a_newcomer_gets_from_the_link_to_an_opt_out_that_holds() -> Result {
    let server = Server::fresh().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    // A page that is loaded anew forgets this; everything below happens without.
    tab.find("html").evaluate::<(), ()>("root => { root.dataset.sameDocument = 'yes' }", None).await?;

    import(&tab).await?;
    compose(&tab).await?;
    watch(&tab).await?;
    answer_stop(&tab).await?;
    launch_again(&tab).await?;

    tab.counts(&tab.find("html[data-same-document]"), 1).await?;
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    let mut got: BTreeMap<String, usize> = BTreeMap::new();
    for message in server.accepted().await? {
        ensure!(message.body.starts_with("Hi "), "{message:?}");
        *got.entry(message.to).or_default() += 1;
    }
    let expected = [(ADA, 1), (ALAN, 2), (GRACE, 2)].map(|(to, count)| (to.to_owned(), count));
    ensure!(got == BTreeMap::from(expected), "by the provider's own log: {got:?}, and {NORA} must not be in it");
    tab.close().await
}

async fn import(tab: &Tab) -> Result {
    people::upload(tab, "newcomers.csv", &file()).await?;
    for (column, guess) in [(0, "name"), (1, "phone"), (2, "zone"), (3, "consent_sms"), (4, "attribute")] {
        tab.holds(&format!("#column-{column}"), guess).await?;
    }
    tab.holds("#attribute-4", "cohort").await?;
    tab.fill("#region", "US").await?;
    tab.fill("#whatsapp_evidence", "Asked at the counter, list of 3 March").await?;
    people::go_in(tab).await?;
    for (label, count) in [("New people", "4"), ("Twice in the file", "1"), ("Rejected", "1")] {
        let figure = tab.find(&format!(".stat:has(dt:text-is('{label}')) dd:not(.stat-note)"));
        tab.says(&figure, count).await?;
    }
    tab.reads("3 people opted in to SMS by this file.").await?;
    tab.reads("4 people opted in to WhatsApp by this file.").await?;
    let rejected = tab.row("Rejected rows", "Broken Row");
    tab.says(&rejected.locator("td[data-label=Line]"), "4").await?;
    tab.mentions(&rejected.locator("td[data-label=Why]"), "too short").await
}

async fn compose(tab: &Tab) -> Result {
    compose::begin(tab, "Spring greetings", "cohort = \"newcomers\"", "SMS").await?;
    tab.reads("4 people match").await?;
    compose::write_template(tab, "Greeting", "Hi {{ first_name }}, spring is here. Reply STOP to opt out.").await?;
    tab.fill("#try-first_name", "Ada").await?;
    tab.reads("Hi Ada, spring is here. Reply STOP to opt out.").await?;
    tab.reads("1 segment · 46 units in GSM-7 · 114 left in the last").await?;
    compose::use_template(tab, "Greeting").await?;
    tab.reads("4 people in the audience").await?;
    tab.reads("Nothing stands against a launch.").await?;
    tab.mentions(&tab.row("Examples", "Hi Alan,"), "spring is here").await?;
    compose::launch(tab, "Spring greetings", "4 people").await
}

/// The page moves by itself.
async fn watch(tab: &Tab) -> Result {
    for (stage, count) in [("Audience", "4"), ("Sent", "3"), ("Delivered", "3"), ("Read", "0")] {
        tab.says(&tab.figure("Funnel", stage), count).await?;
    }
    for (bucket, count) in [("Pending", "0"), ("Sent", "3"), ("Skipped", "1")] {
        tab.says(&tab.figure("Balance", bucket), count).await?;
    }
    tab.reads("✓ equals the audience").await?;
    tab.mentions(&tab.row("Gates", "No consent"), "Skipped").await?;
    let nora = tab.row("Messages", "Nora Noether");
    tab.mentions(&nora.locator("td[data-label=State]"), "Skipped").await?;
    tab.mentions(&nora.locator("td[data-label=Why]"), "never agreed to sms").await
}

async fn answer_stop(tab: &Tab) -> Result {
    tab.go("Phones").await?;
    tab.find(&format!("ul[aria-label=Phones] a:has-text('{ADA}')")).click(None).await?;
    let thread = tab.find(&format!("section[aria-label='Messages of {ADA}']"));
    tab.mentions(&thread.locator(".bubble").first(), "Hi Ada, spring is here.").await?;
    tab.press("STOP").await?;
    tab.mentions(&thread.locator(".bubble-ours"), "STOP").await?;

    tab.go("Inbox").await?;
    let heard = tab.find("ul[aria-label=Messages] > li").filter(FilterOptions::default().has_text("Ada Lovelace"));
    tab.mentions(&heard, "Opt-out").await?;
    tab.mentions(&heard, "Effect: opted out of SMS").await?;

    heard.locator("a").first().click(None).await?;
    tab.shows_page("Ada Lovelace").await?;
    tab.find("nav.tabs a:text-is('Consent ledger')").click(None).await?;
    let entry = tab.row("Consent ledger", "Keyword");
    tab.says(&entry.locator("td[data-label=What]"), "Opt-out").await?;
    tab.says(&entry.locator("td[data-label=Channel]"), "SMS").await
}

async fn launch_again(tab: &Tab) -> Result {
    tab.go("Campaigns").await?;
    tab.find("table[aria-label=Campaigns] a:text-is('Spring greetings')").click(None).await?;
    tab.says(&tab.figure("Funnel", "Opted out"), "1").await?;
    tab.press("Make a copy").await?;
    tab.is_at("/campaigns/[0-9a-f-]{36}/edit$").await?;
    tab.fill("#name", "Spring greetings, again").await?;
    tab.reads("4 people in the audience").await?;
    compose::launch(tab, "Spring greetings, again", "4 people").await?;
    for (bucket, count) in [("Pending", "0"), ("Sent", "2"), ("Skipped", "2")] {
        tab.says(&tab.figure("Balance", bucket), count).await?;
    }
    tab.says(&tab.figure("Funnel", "Delivered"), "2").await?;
    let ada = tab.row("Messages", "Ada Lovelace");
    tab.mentions(&ada.locator("td[data-label=State]"), "Skipped").await?;
    tab.mentions(&ada.locator("td[data-label=Why]"), "opted out of sms").await
}
