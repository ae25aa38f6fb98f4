//! The list of users: a filter that is typed with what is offered, an order, a saved view, a change of everyone in it, and its
//! pages; by the keyboard wherever there is one.

use crate::{
    Result,
    browser::{Look, Tab},
    people,
    server::Server,
};
use anyhow::ensure;

/// Enough for two pages of fifty.
const PEOPLE: usize = 70;

#[tokio::test]
async fn a_filter_is_typed_with_what_is_offered_by_the_keyboard_alone() -> Result {
    let server = Server::fresh().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    people::import(&tab, "north.csv", &people::file("north", 3)).await?;
    people::import(&tab, "south.csv", &people::file("south", 2).replace("+14045550", "+14155550")).await?;
    tab.go("Users").await?;

    let keys = tab.page.keyboard();
    keys.press("/", None).await?;
    tab.sees(&tab.find("#filter:focus")).await?;
    keys.type_text("coh", None).await?;
    tab.sees(&tab.find("#filter-offers [role=option]:has-text('cohort')")).await?;
    keys.press("ArrowDown", None).await?;
    tab.sees(&tab.find("#filter-offers [aria-selected=true]")).await?;
    keys.press("Enter", None).await?;
    tab.holds("#filter", "cohort ").await?;
    keys.type_text("= \"nor", None).await?;
    tab.sees(&tab.find("#filter-offers [role=option]:has-text('north')")).await?;
    keys.press("ArrowDown", None).await?;
    keys.press("Tab", None).await?;
    tab.holds("#filter", "cohort = \"north\" ").await?;
    keys.press("Escape", None).await?;
    keys.press("Enter", None).await?;
    tab.is_at("/users[?].*filter=cohort").await?;
    tab.counts(&tab.find("table[aria-label=Users] tbody tr"), 3).await?;

    // What is wrong is told at its place, before anybody asks the server.
    tab.fill("#filter", "cohort = ").await?;
    tab.sees(&tab.find("#filter[aria-invalid=true]")).await?;
    // Into the list, and to a person.
    tab.fill("#filter", "cohort = \"south\"").await?;
    tab.find("#filter").press("Enter", None).await?;
    tab.counts(&tab.find("table[aria-label=Users] tbody tr"), 2).await?;
    tab.find("h1").click(None).await?;
    keys.press("j", None).await?;
    tab.sees(&tab.find("a[data-row]:focus")).await?;
    keys.press("Enter", None).await?;
    tab.is_at("/users/[0-9a-f-]{36}$").await?;
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    tab.close().await
}

#[tokio::test]
async fn an_order_is_saved_as_a_view_and_everyone_in_it_is_changed() -> Result {
    let server = Server::fresh().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    people::import(&tab, "north.csv", &people::file("north", 4)).await?;
    tab.go("Users").await?;
    tab.fill("#filter", "cohort = \"north\"").await?;
    tab.press("Filter").await?;
    tab.choose("#sort", "Name, Z to A").await?;
    tab.is_at("sort=name_down").await?;
    let names = tab.find("a[data-row]");
    tab.says(&names.first(), "Person 03").await?;
    tab.says(&names.last(), "Person 00").await?;

    tab.press("Save this view…").await?;
    tab.fill("#view-name", "North").await?;
    tab.confirm("Save the view").await?;
    let open = tab.find("nav[aria-label=Views] a[aria-current=page]");
    tab.says(&open, "North").await?;
    tab.find("nav[aria-label=Views] a:text-is('Everyone')").click(None).await?;
    tab.says(&open, "Everyone").await?;
    tab.find("nav[aria-label=Views] a:text-is('North')").click(None).await?;
    tab.holds("#filter", "cohort = \"north\"").await?;
    tab.says(&names.first(), "Person 03").await?;

    tab.press("Change all…").await?;
    tab.fill("#bulk-tag", "vip").await?;
    tab.confirm("See how many").await?;
    tab.reads("4 people").await?;
    tab.confirm("Change them").await?;
    tab.fill("#filter", "tag = \"vip\"").await?;
    until_four_are_tagged(&tab).await?;
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    tab.close().await
}

/// The change runs beside the page, which follows it by itself.
async fn until_four_are_tagged(tab: &Tab) -> Result {
    tab.press("Filter").await?;
    tab.counts(&tab.find("table[aria-label=Users] tbody tr"), 4).await
}

#[tokio::test]
async fn pages_go_forth_and_back_and_survive_a_reload() -> Result {
    let server = Server::fresh().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    people::import(&tab, "many.csv", &people::file("many", PEOPLE)).await?;
    tab.go("Users").await?;
    tab.fill("#filter", "cohort = \"many\"").await?;
    tab.press("Filter").await?;
    tab.is_at("filter=cohort").await?;
    tab.choose("#sort", "Name, A to Z").await?;
    let (rows, first) = (tab.find("table[aria-label=Users] tbody tr"), tab.find("a[data-row]").first());
    tab.counts(&rows, 50).await?;
    tab.says(&first, "Person 00").await?;
    tab.counts(&tab.find("a[rel=prev]"), 0).await?;

    let next = tab.find("a[rel=next]");
    next.focus().await?;
    next.press("Enter", None).await?;
    tab.counts(&rows, PEOPLE - 50).await?;
    tab.says(&first, "Person 50").await?;
    tab.counts(&tab.find("a[rel=next]"), 0).await?;
    tab.page.reload(None).await?;
    tab.hydrated().await?;
    tab.says(&first, "Person 50").await?;

    let before = tab.find("a[rel=prev]");
    before.focus().await?;
    before.press("Enter", None).await?;
    tab.counts(&rows, 50).await?;
    tab.says(&first, "Person 00").await?;
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    tab.close().await
}
