//! The composer, step by step.

use crate::{Result, browser::Tab};

/// Opens a new campaign with a name, an audience and a sender.
pub async fn begin(tab: &Tab, name: &str, filter: &str, sender: &str) -> Result {
    tab.go("Campaigns").await?;
    tab.find("#content a:text-is('New campaign')").first().click(None).await?;
    tab.shows_page("New campaign").await?;
    tab.fill("#name", name).await?;
    tab.fill("#filter", filter).await?;
    tab.choose("#sender", sender).await
}

/// Writes a template in place, short of saving it.
pub async fn write_template(tab: &Tab, name: &str, text: &str) -> Result {
    tab.press("Write a new template here").await?;
    tab.fill("#template-name", name).await?;
    tab.fill("#template-body", text).await
}

/// Saves the template that was written in place; the campaign then uses it.
pub async fn use_template(tab: &Tab, name: &str) -> Result {
    tab.press("Save the template and use it").await?;
    tab.mentions(&tab.find("#template option:checked"), name).await
}

/// Launches what is composed, and confirms that so many people are in its audience.
pub async fn launch(tab: &Tab, name: &str, people: &str) -> Result {
    tab.press("Launch…").await?;
    tab.says(&tab.find("dialog[open] p.text-lg"), people).await?;
    tab.confirm("Launch").await?;
    tab.shows_page(name).await?;
    tab.is_at("/campaigns/[0-9a-f-]{36}$").await
}
