//! Every page that there is.

use crate::{Result, browser::Tab, compose, integrations, people};
use anyhow::{Context as _, ensure};
use std::collections::BTreeSet;

/// The dashboard's own table of routes.
const TABLE: &str = include_str!("../../../app/src/routes.rs");

/// An address for each route of the table, in its order; the parameters are those of things that are there. Launches a
/// small campaign, so that there is a message.
pub async fn addresses(tab: &Tab) -> Result<Vec<String>> {
    people::import(tab, "visitors.csv", &people::file("visitors", 2)).await?;
    let import = path(tab);
    compose::begin(tab, "Visit", "cohort = \"visitors\"", "SMS").await?;
    compose::write_template(
        tab,
        "Visit",
        "Hi {{ name }}, this week only: 20% off everything in the store. Reply STOP to opt out.",
    )
    .await?;
    compose::use_template(tab, "Visit").await?;
    compose::launch(tab, "Visit", "2 people").await?;
    tab.says(&tab.figure("Funnel", "Delivered"), "2").await?;
    let campaign = path(tab);
    let first = |selector: &'static str| async move {
        let link = tab.find(selector).first().get_attribute("href").await?;
        link.with_context(|| format!("{selector} leads somewhere"))
    };
    let message = first("table[aria-label=Messages] a[data-row]").await?;
    tab.go("Users").await?;
    let user = first("table[aria-label=Users] a[data-row]").await?;
    let webhook = integrations::add_webhook(tab, "https://example.com/hooks/visit").await?;
    tab.go("Campaigns").await?;
    let draft = first("table[aria-label=Campaigns] a:text-is('Autumn sale by SMS')").await?;

    let mut addresses = Vec::new();
    for route in table() {
        addresses.push(match route.as_str() {
            "/users/:id" => user.clone(),
            "/import/:id" => import.clone(),
            "/campaigns/:id" => campaign.clone(),
            "/campaigns/:id/edit" => format!("{draft}/edit"),
            "/messages/:key" => message.clone(),
            "/integrations/:id" => webhook.clone(),
            plain => {
                ensure!(!plain.contains(':'), "{plain} is new: say here what it is visited with");
                plain.to_owned()
            }
        });
    }
    // The same pages in their other shapes.
    addresses.extend([
        "/templates?new=1".to_owned(),
        first("table[aria-label=Campaigns] a:text-is('Autumn sale on WhatsApp')").await?,
        format!("{user}?tab=consent"),
        format!("/phones?phone={}", "%2B14045550100"),
        "/users?filter=plan%20%3D%20%22pro%22".to_owned(),
    ]);
    Ok(addresses)
}

/// The routes that the table names, without the empty one that frames them.
fn table() -> Vec<String> {
    let quoted = TABLE.split("path!(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let routes: BTreeSet<&str> = quoted.filter(|route| !route.is_empty()).collect();
    routes.into_iter().map(str::to_owned).collect()
}

/// Where the page is.
fn path(tab: &Tab) -> String {
    let url = tab.page.url();
    let place = url.find("//").and_then(|scheme| url[scheme + 2..].find('/').map(|slash| scheme + 2 + slash));
    place.map_or_else(|| "/".to_owned(), |slash| url[slash..].to_owned())
}
