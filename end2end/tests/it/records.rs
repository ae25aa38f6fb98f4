//! People's records: a list that is checked, repaired, applied and undone; a segment that is built from rows; duplicates that
//! become one; someone who is erased.

use crate::{
    Result,
    browser::{Look, Tab},
    people,
    server::Server,
};
use anyhow::ensure;

/// A number in Excel's form with all its digits, one with words around it, columns swapped, and a row that nothing saves.
const LIST: &str = "phone,name,city\n\
    +14045550101,Ada,Bonn\n\
    +14045550107,Joan,Bonn\n\
    1.4045550102E+10,Alan,Kiel\n\
    Mobile: +14045550103 (work),Grace,Bonn\n\
    Nora,+14045550104,Ulm\n\
    12,Short,\n";

#[tokio::test]
async fn a_list_is_checked_repaired_applied_and_undone() -> Result {
    let server = Server::fresh().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    people::upload(&tab, "list.csv", LIST).await?;
    tab.fill("#sms_evidence", "Asked at the counter, list of 3 March").await?;
    tab.press("Check the file").await?;
    tab.reads("6 rows read. Nothing is written yet").await?;
    tab.reads("Apply to 2 people").await?;
    for repair in ["exponent", "junk", "swapped_columns"] {
        tab.find(&format!("#repair-{repair}")).check(None).await?;
    }
    tab.press("Check again with these repairs").await?;
    tab.reads("Apply to 5 people").await?;
    tab.find("button:has-text('Apply')").click(None).await?;
    people::completed(&tab).await?;
    tab.go("Users").await?;
    tab.fill("#filter", "city = \"Ulm\"").await?;
    tab.press("Filter").await?;
    tab.sees(&tab.row("Users", "Nora")).await?;

    tab.go("Import").await?;
    tab.find("a:text-is('list.csv')").click(None).await?;
    tab.press("Undo this import").await?;
    tab.press("Undo it").await?;
    tab.reads("Undone: 5 people went away again").await?;
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    tab.close().await
}

#[tokio::test]
async fn objects_come_in_with_an_attribute_that_is_declared_on_the_way() -> Result {
    let server = Server::fresh().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    people::import(&tab, "before.csv", &people::file("before", 2)).await?;
    let objects = "{\"phone\":\"+14045550141\",\"name\":\"Zoe\",\"visits\":7}\n{\"phone\":\"+14045550142\",\"visits\":\"many\"}\n{\"phone\":\n{\"phone\":\"+14045550143\",\"visits\":9}\n";
    people::upload(&tab, "objects.jsonl", objects).await?;
    tab.holds("#encoding", "UTF-8").await?;
    tab.holds("#attribute-2", "visits").await?;
    tab.choose("#kind-2", "Declare as: a number").await?;
    tab.press("Check the file").await?;
    tab.reads("4 rows read. Nothing is written yet").await?;
    let unended = tab.row("Rejected rows", "does not end");
    tab.mentions(&unended.locator("[data-label=Object]"), "3").await?;
    tab.sees(&tab.row("Rejected rows", "this attribute holds a number")).await?;
    tab.reads("Apply to 2 people").await?;
    tab.find("button:has-text('Apply')").click(None).await?;
    people::completed(&tab).await?;
    tab.go("Import").await?;
    tab.sees(&tab.find("svg[aria-label*='imports: Usable rows from 100 % to 50 %']")).await?;
    tab.go("Attributes").await?;
    tab.sees(&tab.row("Attributes", "visits")).await?;
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    tab.close().await
}

#[tokio::test]
async fn a_segment_is_built_beside_its_text_and_says_who_matches() -> Result {
    let server = Server::fresh().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    people::import(&tab, "some.csv", &people::file("some", 3)).await?;
    tab.go("Segments").await?;
    tab.press("New segment").await?;
    tab.fill("#segment-name", "Opted in").await?;
    tab.choose(".builder > .actions select", "Opted in to SMS").await?;
    tab.holds("#segment-filter", "consent.sms = opted_in").await?;
    tab.fill("#segment-filter", "consent.sms = opted_in and cohort = \"some\"").await?;
    tab.counts(&tab.find(".builder-row"), 2).await?;
    tab.reads("3 people match").await?;
    tab.fill("#match-phone", "+14045550101").await?;
    tab.press("Ask").await?;
    tab.reads("Person 01 matches.").await?;
    tab.press("Save the segment").await?;
    tab.sees(&tab.row("Segments", "Opted in")).await?;
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    tab.close().await
}

#[tokio::test]
async fn duplicates_become_one_and_are_erased() -> Result {
    let server = Server::fresh().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    people::import(&tab, "two.csv", &people::file("two", 2)).await?;
    tab.go("Users").await?;
    tab.fill("#filter", "cohort = \"two\"").await?;
    tab.press("Filter").await?;
    tab.row("Users", "Person 00").locator("a").first().click(None).await?;
    tab.shows_page("Person 00").await?;
    tab.press("Merge a duplicate").await?;
    tab.fill("#duplicate", "+14045550101").await?;
    tab.press("Find").await?;
    tab.reads("Person 01 (+14045550101) becomes one with Person 00.").await?;
    tab.press("Merge them").await?;
    tab.reads("Another row merged into this one").await?;
    tab.press("Delete or erase").await?;
    tab.fill("#erase-word", "erase").await?;
    tab.press("Erase for good").await?;
    tab.is_at("/users$").await?;
    tab.fill("#filter", "cohort = \"two\"").await?;
    tab.press("Filter").await?;
    tab.reads("Nobody matches").await?;
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    tab.close().await
}
