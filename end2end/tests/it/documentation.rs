//! The interactive documentation of the API.

use crate::{
    Result,
    browser::{Look, Tab},
    server::Server,
};
use anyhow::ensure;
use std::sync::{Arc, Mutex, PoisonError};

#[tokio::test]
async fn the_api_is_documented_from_this_program_alone() -> Result {
    let server = Server::with_demo_data().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let note = asked.clone();
    tab.page
        .on_request(move |request| {
            note.lock().unwrap_or_else(PoisonError::into_inner).push(request.url().to_owned());
            async { Ok(()) }
        })
        .await?;
    tab.load("/api/docs/").await?;
    tab.sees(&tab.find("#operations-Users-users_list")).await?;
    tab.sees(&tab.find("#operations-Webhooks-webhooks_create")).await?;
    // One operation opens, with its parameters.
    tab.find("#operations-Users-users_list button").first().click(None).await?;
    tab.sees(&tab.find("#operations-Users-users_list [data-param-name=filter]")).await?;
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let elsewhere: Vec<&String> =
        asked.iter().filter(|url| !url.starts_with(&server.url) && !url.starts_with("data:")).collect();
    ensure!(asked.len() > 3 && elsewhere.is_empty(), "{elsewhere:?} of {asked:?}");
    let complaints = tab.complaints();
    ensure!(complaints.is_empty(), "{complaints:#?}");
    tab.close().await
}
