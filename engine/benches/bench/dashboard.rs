//! An operator at the dashboard: signs in by the printed link, and asks what the pages ask.

use anyhow::{Context as _, Result, bail, ensure};
use domain::{
    campaign::{CampaignForm, CampaignRow, Progress},
    ids::{CampaignId, ImportId, SenderId, TemplateId},
    import::{ImportOptions, ImportStatus, ImportView},
    phone::Channel,
    sender::Sender,
    template::{TemplateForm, TemplateView},
};
use reqwest::{Client, RequestBuilder, header, redirect::Policy};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How often a running import is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long an import may take.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(120);

/// The dashboard of one server, signed in.
pub struct Dashboard {
    http: Client,
    origin: String,
    cookie: String,
}

impl Dashboard {
    /// Signs in with a link as `ese` prints it.
    pub async fn enter(origin: String, link: &str) -> Result<Self> {
        let token = link.split_once("token=").context("the link has no token")?.1.to_owned();
        let http = Client::builder().no_proxy().redirect(Policy::none()).timeout(Duration::from_secs(60)).build()?;
        let answer = http
            .post(format!("{origin}/sign-in/link"))
            .header(header::ORIGIN, &origin)
            .form(&[("token", token)])
            .send()
            .await?;
        let cookie = answer.headers().get(header::SET_COOKIE).context("the link was refused")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { http, origin, cookie })
    }

    fn post(&self, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.origin);
        self.http.post(url).header(header::ORIGIN, &self.origin).header(header::COOKIE, &self.cookie)
    }

    /// Calls a server function.
    async fn call<T: DeserializeOwned>(&self, name: &str, arguments: Value) -> Result<T> {
        answer(self.post(&format!("/ui/fn/{name}")).json(&arguments)).await.with_context(|| name.to_owned())
    }

    /// Imports a file as the import page does: upload, take the columns as they were guessed, check, apply, look until it is
    /// done.
    pub async fn import(&self, file: String) -> Result<ImportView> {
        let upload = self.post("/ui/imports/upload?name=people.csv").body(file);
        let uploaded: ImportView = answer(upload).await.context("the upload")?;
        let id = uploaded.id;
        let options = ImportOptions { default_region: Some("US".to_owned()), ..uploaded.options };
        let _: ImportView = self.call("imports/check", json!({ "id": id, "options": options })).await?;
        self.import_until(id, ImportStatus::Checked).await?;
        // The people are made by counting up, and meant to be.
        let _: ImportView = self.call("imports/apply", json!({ "id": id, "confirmed": true })).await?;
        self.import_until(id, ImportStatus::Completed).await
    }

    async fn import_until(&self, id: ImportId, status: ImportStatus) -> Result<ImportView> {
        let until = Instant::now() + IMPORT_TIMEOUT;
        loop {
            let import: ImportView = self.call("imports/get", json!({ "id": id })).await?;
            if import.status == status {
                return Ok(import);
            }
            ensure!(import.status != ImportStatus::Failed, "the import failed: {:?}", import.failure);
            ensure!(Instant::now() < until, "the import does not end: {:?}", import.report);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Makes a campaign by SMS to everyone, ready to launch; its template has its name.
    pub async fn campaign(&self, name: &str, sender: &str, body: &str) -> Result<CampaignId> {
        let senders: Vec<Sender> = self.call("senders/list", json!({})).await?;
        let sender: SenderId = senders.iter().find(|one| one.address == sender).context("the sender is not there")?.id;
        let form = TemplateForm {
            name: name.to_owned(),
            channel: Channel::Sms,
            body: body.to_owned(),
            content_sid: String::new(),
            content_variables: BTreeMap::new(),
            locales: Default::default(),
        };
        let template: TemplateView = self.call("templates/create", json!({ "form": form })).await?;
        let template: TemplateId = template.id;
        let form = CampaignForm {
            name: name.to_owned(),
            sender: Some(sender),
            template: Some(template),
            ..CampaignForm::default()
        };
        let campaign: domain::campaign::Campaign = self.call("campaigns/create", json!({ "form": form })).await?;
        Ok(campaign.id)
    }

    /// Launches it.
    pub async fn launch(&self, id: CampaignId) -> Result<()> {
        let _: Value = self.call("campaigns/launch", json!({ "id": id })).await?;
        Ok(())
    }

    /// A campaign and its counters. They must balance, at whatever moment they are read.
    pub async fn look(&self, id: CampaignId) -> Result<CampaignRow> {
        let row: CampaignRow = self.call("campaigns/get", json!({ "id": id })).await?;
        let Progress { audience, states, .. } = &row.progress;
        ensure!(row.progress.balances(), "an audience of {audience} is not the sum of {states:?}");
        Ok(row)
    }
}

/// Reads an answer, or says what the server said instead.
async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    let response = request.send().await?;
    let (status, text) = (response.status(), response.text().await?);
    if !status.is_success() {
        bail!("{status}: {text}");
    }
    serde_json::from_str(&text).with_context(|| format!("unreadable: {text:.200}"))
}
