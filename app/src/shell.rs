//! The document around every page.

use crate::{routes::App, theme};
use leptos::{hydration::HydrationScripts, nonce::use_nonce, prelude::*};
use leptos_meta::{HashedStylesheet, MetaTags};

/// The HTML document. The content security policy allows no inline style and no script without this answer's nonce.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                // Before the style sheet, so that the page is never painted in the other theme first.
                <script nonce=use_nonce() inner_html=theme::BEFORE_PAINT></script>
                <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
                <HashedStylesheet id="style" options=options.clone() />
                <HydrationScripts options />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
