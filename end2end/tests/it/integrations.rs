//! Keys and webhooks, as an administrator makes and watches them.

use crate::{
    Result,
    browser::{Look, Tab},
    people,
    server::Server,
};
use anyhow::{Context as _, ensure};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Adds a webhook that is told of imports, copies nothing, and answers the address of its page.
pub async fn add_webhook(tab: &Tab, url: &str) -> Result<String> {
    tab.go("Integrations").await?;
    tab.press("Add a webhook").await?;
    tab.fill("#webhook-url", url).await?;
    for kind in ["import.completed", "import.undone"] {
        tab.find(&format!("dialog[open] input[value='{kind}']")).check(None).await?;
    }
    tab.confirm("Add it").await?;
    let secret = tab.find("#webhook-secret").input_value(None).await?;
    ensure!(secret.starts_with("whsec_"), "{secret}");
    tab.confirm("I have copied it").await?;
    tab.is_at("/integrations/[0-9a-f-]{36}$").await?;
    let url = tab.page.url();
    let path = url.split_once("/integrations/").context("its page has an address")?.1;
    Ok(format!("/integrations/{path}"))
}

#[tokio::test]
async fn a_key_is_shown_once_used_and_taken_back() -> Result {
    let server = Server::with_demo_data().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    tab.go("Integrations").await?;
    tab.press("Create a key").await?;
    tab.fill("#key-name", "Shop").await?;
    // Nothing chosen: the form says so at its place.
    tab.confirm("Create it").await?;
    tab.mentions(&tab.find("dialog[open] fieldset .field-error"), "may do nothing").await?;
    tab.find("dialog[open] input[value='users:read']").check(None).await?;
    tab.fill("#key-days", "soon").await?;
    tab.confirm("Create it").await?;
    tab.says(&tab.find("#key-days-error"), "a whole number").await?;
    tab.fill("#key-days", "30").await?;
    tab.confirm("Create it").await?;
    let secret = tab.find("#key-secret").input_value(None).await?;
    ensure!(secret.starts_with("ese_"), "{secret}");
    tab.confirm("I have copied it").await?;

    let key = tab.row("API keys", "Shop");
    tab.mentions(&key, "users:read").await?;
    tab.mentions(&key, "Holds").await?;
    let ask = || reqwest::Client::new().get(format!("{}/api/v1/users?limit=1", server.url)).bearer_auth(&secret).send();
    ensure!(ask().await?.status().is_success());
    ensure!(!tab.page.content().await?.contains(&secret), "the secret is gone from the page");

    key.get_by_text("Take back", false).click(None).await?;
    tab.confirm("Take it back").await?;
    tab.mentions(&tab.row("API keys", "Shop"), "Taken back").await?;
    ensure!(ask().await?.status().as_u16() == 401);
    let complaints = tab.complaints();
    // The form that was refused is the only thing that went wrong.
    ensure!(complaints.iter().all(|text| text.contains("422")), "{complaints:#?}");
    tab.close().await
}

#[tokio::test]
async fn a_webhook_shows_what_was_delivered_and_sends_again() -> Result {
    let server = Server::with_demo_data().await?;
    let mut receiver = Receiver::start().await?;
    let tab = Tab::signed_in(&server, Look::default()).await?;
    // An address within the own network is refused at its field, and this one is named in WEBHOOK_HOSTS.
    tab.go("Integrations").await?;
    tab.press("Add a webhook").await?;
    tab.fill("#webhook-url", "https://169.254.169.254/latest").await?;
    tab.confirm("Add it").await?;
    tab.mentions(&tab.find("#webhook-url-error"), "not on the public internet").await?;
    tab.find("dialog[open] button[aria-label=Close]").click(None).await?;
    let page = add_webhook(&tab, &receiver.url).await?;

    people::import(&tab, "told.csv", &people::file("told", 2)).await?;
    let first = receiver.next().await?;
    ensure!(first.contains("import.completed"), "{first}");
    tab.visit(&page).await?;
    let delivery = tab.row("Deliveries", "import.completed");
    tab.mentions(&delivery, "500").await?;
    tab.mentions(&delivery, "Waits").await?;
    receiver.takes.store(true, Ordering::SeqCst);
    delivery.get_by_text("Send again", false).click(None).await?;
    let again = receiver.next().await?;
    ensure!(first == again, "{first} is not {again}");
    // The page hears of it by itself.
    tab.mentions(&tab.row("Deliveries", "import.completed"), "Delivered").await?;

    tab.press("Change it").await?;
    tab.find("dialog[open] input[name=webhook-enabled]").uncheck(None).await?;
    tab.confirm("Save").await?;
    tab.mentions(&tab.find("#content .facts"), "Disabled").await?;
    tab.press("New secret").await?;
    tab.confirm("Make a new one").await?;
    ensure!(tab.find("#webhook-secret").input_value(None).await?.starts_with("whsec_"));
    tab.confirm("I have copied it").await?;
    tab.press("Remove").await?;
    tab.confirm("Remove it").await?;
    tab.shows_page("Integrations").await?;
    tab.reads("No webhooks yet").await?;
    tab.close().await
}

/// A program of somebody's that is told of events. It answers 500 until it takes them.
struct Receiver {
    url: String,
    takes: Arc<AtomicBool>,
    heard: mpsc::UnboundedReceiver<String>,
}

impl Receiver {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/hooks", listener.local_addr()?);
        let takes = Arc::new(AtomicBool::new(false));
        let (tell, heard) = mpsc::unbounded_channel();
        let willing = takes.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (willing, tell) = (willing.clone(), tell.clone());
                tokio::spawn(async move {
                    // A connection that breaks off told nothing, and the test that waits for it says so.
                    let _ = answer(stream, &willing, &tell).await;
                });
            }
        });
        Ok(Self { url, takes, heard })
    }

    /// The next event's body.
    async fn next(&mut self) -> Result<String> {
        let heard = tokio::time::timeout(crate::browser::DEADLINE, self.heard.recv()).await;
        heard.context("no event came")?.context("the receiver is gone")
    }
}

async fn answer(stream: TcpStream, willing: &AtomicBool, tell: &mpsc::UnboundedSender<String>) -> Result {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let status = if willing.load(Ordering::SeqCst) { "204 No Content" } else { "500 Internal Server Error" };
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await?;
    tell.send(String::from_utf8(body)?)?;
    Ok(())
}
