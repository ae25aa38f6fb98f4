//! What the script adds to the pages: it takes over without a complaint, and the keys work.

use crate::{
    Result,
    browser::{DEADLINE, Look, Tab},
    routes,
    server::Server,
};
use anyhow::ensure;
use playwright_rs::{AriaRole, SelectOption, expect};

/// Longer than any timer of a page waits, in milliseconds.
const TIMERS_MS: u64 = 30_000;

#[tokio::test]
async fn no_page_complains() -> Result {
    let server = Server::with_demo_data().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    let mut complaints = tab.complaints();
    let addresses = routes::addresses(&tab).await?;
    let clock = tab.page.clock()?;
    clock.install(None).await?;
    for address in addresses {
        tab.page.clear_console_messages();
        tab.page.clear_page_errors();
        tab.visit(&address).await?;
        // What pages do by themselves every few seconds, they do now.
        clock.fast_forward(TIMERS_MS).await?;
        tab.sees(&tab.find("h1")).await?;
        complaints.extend(tab.complaints().into_iter().map(|text| format!("{address}: {text}")));
    }
    ensure!(complaints.is_empty(), "{complaints:#?}");
    tab.close().await
}

#[tokio::test]
async fn the_theme_is_remembered() -> Result {
    let server = Server::with_demo_data().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    tab.hydrated().await?;
    let switch = tab.find("select[aria-label=Theme]");
    let dark = tab.find("html[data-theme=dark]");
    tab.counts(&dark, 0).await?;
    let ground = "body => getComputedStyle(body).backgroundColor";
    let light_ground: String = tab.find("body").evaluate(ground, None::<()>).await?;
    switch.select_option(SelectOption::Label("Dark".to_owned()), None).await?;
    tab.counts(&dark, 1).await?;
    tab.visit("/users").await?;
    tab.counts(&dark, 1).await?;
    tab.holds("select[aria-label=Theme]", "Dark").await?;
    let dark_ground: String = tab.find("body").evaluate(ground, None::<()>).await?;
    ensure!(light_ground != dark_ground, "both are {dark_ground}");
    switch.select_option(SelectOption::Label("System".to_owned()), None).await?;
    tab.counts(&dark, 0).await?;
    tab.close().await
}

#[tokio::test]
async fn keys_search_go_and_open_the_palette() -> Result {
    let server = Server::with_demo_data().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    tab.hydrated().await?;
    let keys = tab.page.keyboard();
    keys.press("g", None).await?;
    keys.press("u", None).await?;
    tab.shows_page("Users").await?;
    keys.press("/", None).await?;
    expect(tab.find("#filter")).with_timeout(DEADLINE).to_be_focused().await?;
    // In a field, letters are text.
    keys.type_text("g u", None).await?;
    tab.holds("#filter", "g u").await?;
    tab.shows_page("Users").await?;

    let palette = tab.find("dialog[open][aria-label='Go to']");
    keys.press("Control+k", None).await?;
    tab.sees(&palette).await?;
    keys.press("Escape", None).await?;
    tab.counts(&palette, 0).await?;
    expect(tab.find("#filter")).with_timeout(DEADLINE).to_be_focused().await?;
    keys.press("Control+k", None).await?;
    tab.sees(&palette).await?;
    keys.type_text("audit", None).await?;
    tab.counts(&palette.get_by_role(AriaRole::Option, None), 1).await?;
    keys.press("Enter", None).await?;
    tab.shows_page("Audit").await?;
    tab.counts(&palette, 0).await?;

    tab.go("Users").await?;
    tab.sees(&tab.find("a[data-row]").first()).await?;
    keys.press("j", None).await?;
    keys.press("j", None).await?;
    expect(tab.find("tbody tr:nth-child(2) a[data-row]")).with_timeout(DEADLINE).to_be_focused().await?;
    keys.press("Enter", None).await?;
    tab.is_at("/users/[0-9a-f-]{36}$").await?;
    tab.close().await
}
