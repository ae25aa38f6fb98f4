//! A browser with one page, and the verbs that tests are written in.

use crate::{Result, server::Server};
use anyhow::{Context as _, ensure};
use playwright_rs::{
    AriaRole, Browser, BrowserContextOptions, FilterOptions, GetByRoleOptions, LaunchOptions, Locator, Page,
    Playwright, SelectOption, Viewport, expect, expect_page,
};
use std::{
    env, fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long anything may take to be seen.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// What keeps Chromium to itself, in a container too.
const FLAGS: [&str; 5] = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// One page of a browser of its own, at the dashboard of one server.
pub struct Tab {
    /// The page.
    pub page: Page,
    base: String,
    /// Requests that failed, and answers that are errors.
    failed: Arc<Mutex<Vec<String>>>,
    browser: Browser,
    _playwright: Playwright,
}

/// How the page is shown.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The width in CSS pixels.
    pub width: u32,
    /// `light` or `dark`: what the system is said to prefer.
    pub scheme: &'static str,
    /// Whether scripts run.
    pub script: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: 1280, scheme: "light", script: true }
    }
}

impl Tab {
    /// Opens a browser; nobody is signed in.
    pub async fn open(server: &Server, look: Look) -> Result<Self> {
        let chromium = env::var("CHROMIUM").context("CHROMIUM is not set; scripts/test sets it")?;
        let playwright = Playwright::launch().await?;
        let options = LaunchOptions::new()
            .headless(true)
            .executable_path(chromium)
            .args(FLAGS.iter().map(|flag| (*flag).to_owned()).collect());
        let browser = playwright.chromium().launch_with_options(options).await?;
        let options = BrowserContextOptions::builder()
            .viewport(Viewport { width: look.width, height: 900 })
            .color_scheme(look.scheme.to_owned())
            .javascript_enabled(look.script)
            .timezone_id("UTC".to_owned())
            .build();
        let context = browser.new_context_with_options(options).await?;
        let page = context.new_page().await?;
        page.set_default_timeout(DEADLINE.as_secs_f64() * 1_000.0).await;
        page.set_default_navigation_timeout(DEADLINE.as_secs_f64() * 1_000.0).await;
        let failed = Arc::new(Mutex::new(Vec::new()));
        watch(&page, &failed).await?;
        Ok(Self { page, base: server.url.clone(), failed, browser, _playwright: playwright })
    }

    /// Opens a browser and signs in by the printed link, as a newcomer does.
    pub async fn signed_in(server: &Server, look: Look) -> Result<Self> {
        let tab = Self::open(server, look).await?;
        tab.page.goto(&server.link, None).await?;
        if look.script {
            tab.hydrated().await?;
        }
        tab.press("Sign in").await?;
        tab.shows_page("Overview").await?;
        Ok(tab)
    }

    /// Goes to a path of the dashboard, and waits until the script has taken over.
    pub async fn visit(&self, path: &str) -> Result {
        self.load(path).await?;
        self.hydrated().await
    }

    /// Goes to a path of the dashboard.
    pub async fn load(&self, path: &str) -> Result {
        self.page.goto(&format!("{}{path}", self.base), None).await.with_context(|| path.to_owned())?;
        Ok(())
    }

    /// Waits until the script has taken over what the server rendered.
    pub async fn hydrated(&self) -> Result {
        self.counts(&self.find("html[data-hydrated]"), 1).await
    }

    /// Follows a link of the navigation.
    pub async fn go(&self, place: &str) -> Result {
        self.find("nav[aria-label=Main]").get_by_role(AriaRole::Link, named(place)).click(None).await?;
        self.shows_page(place).await
    }

    /// Waits until the page's title is this.
    pub async fn shows_page(&self, title: &str) -> Result {
        expect(self.find("h1")).with_timeout(DEADLINE).to_have_text(title).await?;
        Ok(())
    }

    /// Waits until the address matches.
    pub async fn is_at(&self, pattern: &str) -> Result {
        expect_page(&self.page).with_timeout(DEADLINE).to_have_url_regex(pattern).await?;
        Ok(())
    }

    /// What a CSS selector finds.
    pub fn find(&self, selector: &str) -> Locator {
        self.page.locator(selector)
    }

    /// The row of a table, by the table's label and a text in the row.
    pub fn row(&self, table: &str, text: &str) -> Locator {
        let rows = self.find(&format!("table[aria-label='{table}'] tbody tr"));
        rows.filter(FilterOptions::default().has_text(text))
    }

    /// The count in a row of the funnel or the balance.
    pub fn figure(&self, table: &str, row: &str) -> Locator {
        self.find(&format!("table[aria-label='{table}'] tr:has(th:text-is('{row}')) td.font-semibold"))
    }

    /// Presses a button.
    pub async fn press(&self, name: &str) -> Result {
        let button = self.page.get_by_role(AriaRole::Button, named(name));
        button.click(None).await.with_context(|| format!("the button \"{name}\""))
    }

    /// Presses a button of the open dialog.
    pub async fn confirm(&self, name: &str) -> Result {
        let button = self.find("dialog[open]").get_by_role(AriaRole::Button, named(name));
        button.click(None).await.with_context(|| format!("the dialog's button \"{name}\""))
    }

    /// Follows a link by the keyboard, and reads the file that it brings: its name and its text.
    pub async fn downloads(&self, link: &str) -> Result<(String, String)> {
        let waiting = self.page.expect_download(Some(DEADLINE.as_secs_f64() * 1_000.0)).await?;
        let link = self.page.get_by_role(AriaRole::Link, named(link));
        link.focus().await?;
        link.press("Enter", None).await?;
        let download = waiting.wait().await?;
        let path = download.path().await?.context("the download was not kept")?;
        Ok((download.suggested_filename().to_owned(), fs::read_to_string(path)?))
    }

    /// Writes into a field.
    pub async fn fill(&self, selector: &str, text: &str) -> Result {
        self.find(selector).fill(text, None).await.with_context(|| selector.to_owned())
    }

    /// Chooses the option of a select whose words contain a text.
    pub async fn choose(&self, selector: &str, words: &str) -> Result {
        let options = self.find(&format!("{selector} option"));
        let option = options.filter(FilterOptions::default().has_text(words));
        let value = option.get_attribute("value").await?.context("an option has a value")?;
        let chosen = self.find(selector).select_option(SelectOption::Value(value), None).await?;
        ensure!(chosen.len() == 1, "{selector} has no \"{words}\"");
        Ok(())
    }

    /// Waits until an element can be seen.
    pub async fn sees(&self, what: &Locator) -> Result {
        expect(what.clone()).with_timeout(DEADLINE).to_be_visible().await?;
        Ok(())
    }

    /// Waits until a text is on the page.
    pub async fn reads(&self, text: &str) -> Result {
        self.sees(&self.page.get_by_text(text, false).first()).await
    }

    /// Waits until an element's text is this.
    pub async fn says(&self, what: &Locator, text: &str) -> Result {
        expect(what.clone()).with_timeout(DEADLINE).to_have_text(text).await?;
        Ok(())
    }

    /// Waits until an element's text contains this.
    pub async fn mentions(&self, what: &Locator, text: &str) -> Result {
        expect(what.clone()).with_timeout(DEADLINE).to_contain_text(text).await?;
        Ok(())
    }

    /// Waits until a field holds this.
    pub async fn holds(&self, selector: &str, value: &str) -> Result {
        expect(self.find(selector)).with_timeout(DEADLINE).to_have_value(value).await?;
        Ok(())
    }

    /// Waits until there are so many.
    pub async fn counts(&self, what: &Locator, count: usize) -> Result {
        expect(what.clone()).with_timeout(DEADLINE).to_have_count(count).await?;
        Ok(())
    }

    /// Everything that went wrong so far, in words: script errors, warnings and errors on the console (violations of the
    /// content security policy and of hydration are among them), failed requests.
    pub fn complaints(&self) -> Vec<String> {
        let is_bad = |kind: &str| matches!(kind, "error" | "warning" | "assert");
        let console = self.page.console_messages().into_iter().filter(|message| is_bad(message.type_()));
        let mut all: Vec<String> = console.map(|message| format!("console: {}", message.text())).collect();
        all.extend(self.page.page_errors().into_iter().map(|error| format!("script: {error}")));
        all.extend(self.failed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        all
    }

    /// Closes the browser.
    pub async fn close(self) -> Result {
        self.browser.close().await?;
        Ok(())
    }
}

/// By role and exact name.
pub fn named(name: &str) -> Option<GetByRoleOptions> {
    Some(GetByRoleOptions::default().name(name).exact(true))
}

async fn watch(page: &Page, failed: &Arc<Mutex<Vec<String>>>) -> Result {
    let note = {
        let failed = failed.clone();
        move |text: String| failed.lock().unwrap_or_else(PoisonError::into_inner).push(text)
    };
    let broken = note.clone();
    page.on_request_failed(move |request| {
        let why = request.failure().unwrap_or_default();
        // Leaving a page ends its streams and whatever it was still asking for.
        if !why.contains("ERR_ABORTED") {
            broken(format!("request: {} {why}", request.url()));
        }
        async { Ok(()) }
    })
    .await?;
    page.on_response(move |response| {
        if response.status() >= 400 {
            note(format!("answer: {} {}", response.status(), response.url()));
        }
        async { Ok(()) }
    })
    .await?;
    Ok(())
}
