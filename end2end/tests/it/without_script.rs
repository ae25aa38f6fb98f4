//! Without script: what is there can be read, and plain forms work.

use crate::{
    Result,
    browser::{Look, Tab},
    routes,
    server::Server,
};

#[tokio::test]
async fn pages_can_be_read_and_forms_sent() -> Result {
    let server = Server::with_demo_data().await?;
    let scripted = Tab::signed_in(&server, Look::default()).await?;
    let addresses = routes::addresses(&scripted).await?;
    scripted.close().await?;
    let server = server.restarted().await?;

    let tab = Tab::open(&server, Look { script: false, ..Look::default() }).await?;
    tab.load("/users").await?;
    tab.is_at("/sign-in").await?;
    tab.fill("#email", "nobody@example.com").await?;
    tab.fill("#password", "not the password").await?;
    tab.press("Sign in").await?;
    tab.reads("The e-mail address or the password is wrong.").await?;
    tab.close().await?;

    let tab = Tab::signed_in(&server, Look { script: false, ..Look::default() }).await?;
    tab.go("Users").await?;
    tab.sees(&tab.row("Users", "Person 00")).await?;
    tab.fill("#filter", "cohort = \"visitors\"").await?;
    tab.press("Filter").await?;
    tab.counts(&tab.find("table[aria-label=Users] tbody tr"), 2).await?;

    let is_monitor = |address: &&String| address.starts_with("/campaigns/") && !address.contains("new");
    for address in addresses.iter().filter(is_monitor).take(1) {
        tab.load(address).await?;
        tab.shows_page("Visit").await?;
        tab.says(&tab.figure("Funnel", "Delivered"), "2").await?;
        tab.reads("✓ equals the audience").await?;
        tab.sees(&tab.row("Messages", "Person 01")).await?;
    }
    tab.press("Sign out").await?;
    tab.shows_page("Sign in").await?;
    tab.close().await
}
