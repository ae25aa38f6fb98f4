//! What is held of people leaves as files that can be trusted; an address that is suppressed stays so until someone takes it
//! off.

use crate::{
    Result,
    browser::{Look, Tab},
    people,
    server::Server,
};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

#[tokio::test]
async fn lists_and_people_are_taken_along_and_a_receipt_is_verified() -> Result {
    let server = Server::fresh().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    let file = people::file("kept", 2).replace("Person 00", "=HYPERLINK(1)");
    people::import(&tab, "kept.csv", &file).await?;
    tab.go("Users").await?;
    tab.fill("#filter", "cohort = \"kept\"").await?;
    tab.press("Filter").await?;
    tab.sees(&tab.row("Users", "Person 01")).await?;

    let (name, table) = tab.downloads("Export CSV").await?;
    ensure!(name.ends_with(".csv"), "{name}");
    let lines: Vec<&str> = table.lines().collect();
    ensure!(lines.len() == 3 && lines[0].starts_with("id,phone,"), "{table}");
    ensure!(table.contains(",'=HYPERLINK(1),"), "the formula is not defused: {table}");
    let (name, objects) = tab.downloads("JSON lines").await?;
    ensure!(name.ends_with(".jsonl"), "{name}");
    let objects: Vec<Value> = objects.lines().map(|line| Ok(serde_json::from_str(line)?)).collect::<Result<_>>()?;
    ensure!(objects.len() == 2, "{objects:#?}");
    ensure!(objects.iter().any(|person| person["name"] == "=HYPERLINK(1)"), "JSON needs no defusing: {objects:#?}");

    tab.row("Users", "Person 01").locator("a").first().click(None).await?;
    tab.shows_page("Person 01").await?;
    let (_, held) = tab.downloads("Everything held, as JSON").await?;
    ensure!(held.contains("+14045550101") && held.contains("Asked at the counter"), "{held}");
    let (_, receipt) = tab.downloads("Signed consent receipt").await?;
    let folder = TempDir::new()?;
    let path = folder.path().join("receipt.json");
    let path_text = path.to_str().context("the path is text")?;
    fs::write(&path, &receipt)?;
    ensure!(server.does(&["verify-receipt", path_text]).await?, "the receipt is refused: {receipt}");
    let forged = receipt.replace("opted_in", "opted_out");
    ensure!(forged != receipt, "the receipt says nothing of consent: {receipt}");
    fs::write(&path, forged)?;
    ensure!(!server.does(&["verify-receipt", path_text]).await?, "a forged receipt passes");
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    tab.close().await
}

#[tokio::test]
async fn a_number_is_suppressed_found_and_taken_off() -> Result {
    let server = Server::fresh().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    tab.go("Suppressions").await?;
    tab.reads("Nobody is suppressed").await?;
    tab.press("Suppress a number").await?;
    tab.fill("#suppress-number", "555").await?;
    tab.fill("#suppress-reason", "asked by letter on 12 May").await?;
    tab.confirm("Suppress it").await?;
    tab.sees(&tab.find("dialog[open] [aria-invalid=true]")).await?;
    tab.fill("#suppress-number", "+14045550133").await?;
    tab.find("#suppress-reason").press("Enter", None).await?;
    tab.sees(&tab.row("Suppressed addresses", "asked by letter on 12 May").first()).await?;

    tab.fill("#suppressed-number", "+14045550134").await?;
    tab.press("Look it up").await?;
    tab.reads("This number is not on the list.").await?;
    people::upload(&tab, "again.csv", "phone,name\n+14045550133,Back Again\n").await?;
    tab.fill("#sms_evidence", "Asked at the counter, list of 3 March").await?;
    people::go_in(&tab).await?;
    tab.go("Users").await?;
    tab.row("Users", "Back Again").locator("a").first().click(None).await?;
    tab.shows_page("Back Again").await?;
    tab.reads("the address was suppressed").await?;
    tab.reads("asked by letter on 12 May").await?;

    tab.go("Suppressions").await?;
    let listed = tab.row("Suppressed addresses", "asked by letter");
    for left in [1, 0] {
        listed.locator("button").first().click(None).await?;
        tab.fill("#lift-reason", "wrote again and agreed").await?;
        tab.confirm("Take it off").await?;
        tab.counts(&listed, left).await?;
    }
    tab.reads("Nobody is suppressed").await?;
    // The number that was none was refused.
    let complaints = tab.complaints();
    ensure!(complaints.iter().all(|one| one.contains("422")), "{complaints:#?}");
    tab.close().await
}
