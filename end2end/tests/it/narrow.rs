//! A phone's width: nothing is cut off, light or dark.

use crate::{
    Result,
    browser::{Look, Tab},
    routes,
    server::Server,
};
use anyhow::ensure;
use playwright_rs::{ColorScheme, EmulateMediaOptions, Viewport};

/// The narrowest screen that the dashboard is made for, in CSS pixels.
const WIDTH: u32 = 360;
/// What stands out to the right, up to five, with where it ends.
const OUTSIDE: &str = "root => root.scrollWidth <= innerWidth ? [] : [...document.body.querySelectorAll('*')]
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1).slice(0, 5)
    .map(one => `${one.tagName}.${one.className} ends at ${one.getBoundingClientRect().right}`)
    .concat(`the page is ${root.scrollWidth} wide`)";

#[tokio::test]
async fn no_page_scrolls_sideways_at_360_pixels() -> Result {
    let server = Server::with_demo_data().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    let addresses = routes::addresses(&tab).await?;
    tab.page.set_viewport_size(Viewport { width: WIDTH, height: 780 }).await?;
    let mut wide = Vec::new();
    for scheme in [ColorScheme::Light, ColorScheme::Dark] {
        tab.page.emulate_media(Some(EmulateMediaOptions::builder().color_scheme(scheme).build())).await?;
        for address in &addresses {
            tab.visit(address).await?;
            tab.sees(&tab.find("h1")).await?;
            let outside: Vec<String> = tab.find("html").evaluate(OUTSIDE, None::<()>).await?;
            if !outside.is_empty() {
                wide.push(format!("{address} ({scheme:?}): {outside:?}"));
            }
        }
    }
    ensure!(wide.is_empty(), "{wide:#?}");
    tab.close().await
}
