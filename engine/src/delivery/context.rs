//! What is the same for every message of a campaign.

use crate::{
    Engine, Error, Result,
    campaigns::{self, CampaignRecord},
    db, frequency_caps,
    preferences::Links,
    provider::SenderAddress,
    quiet_rules,
    rate_limit::Key,
    templates::{self, Compiled},
    values,
};
use chrono::{DateTime, NaiveDateTime, Utc};
use domain::{
    breaker::Scope,
    campaign::{CampaignForm, CampaignKind, Start},
    compliance::Content,
    frequency::Cap,
    ids::{CampaignId, SenderId},
    phone::Channel,
    quiet_hours::{Policy, Window},
    rate::Limit,
    topic::TopicKind,
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

/// What is the same for every message of a campaign: read once per run; what may change under it is read again in each
/// claim.
pub(crate) struct Context {
    pub id: CampaignId,
    pub channel: Channel,
    pub sender_id: SenderId,
    /// The sender's address as people see it: a number or a service's SID.
    pub sender: String,
    pub sender_rate: u32,
    pub sender_enabled: bool,
    /// Why a breaker holds its messages, for those who only look: a claim asks the breaker itself.
    pub held_by: Option<String>,
    pub campaign_rate: Option<u32>,
    pub topic: Option<Topic>,
    pub template: Compiled,
    pub content: Content,
    pub quiet: Policy,
    /// How many messages a person may get, of the workspace and of the campaign; none for what is no campaign.
    pub caps: Vec<Cap>,
    /// Whether it is a campaign, which lets single messages and tests go first.
    pub is_bulk: bool,
    /// When it was launched.
    pub launched_at: Option<DateTime<Utc>>,
    /// What the clock on each person's wall must show first.
    pub local_at: Option<NaiveDateTime>,
    /// How many people get it before it is known what became of them.
    pub canary: Option<i64>,
    /// Makes the links to people's preference pages, if the template carries one.
    pub links: Option<Links>,
}

/// The campaign's topic.
pub(crate) struct Topic {
    pub id: Uuid,
    pub name: String,
    pub kind: TopicKind,
}

#[derive(FromQueryResult)]
struct SenderRow {
    id: Uuid,
    channel: String,
    address: String,
    rate_per_second: i32,
    enabled: bool,
}

#[derive(FromQueryResult)]
struct TopicRow {
    id: Uuid,
    name: String,
    kind: String,
}

impl Context {
    /// The context of a launched campaign; `None` if it was never launched.
    pub async fn of_campaign(engine: &Engine, id: CampaignId) -> Result<Option<Self>> {
        let record: CampaignRecord = campaigns::load(engine.db.read(), id).await?;
        let Some(version) = record.template_version else { return Ok(None) };
        let mut context = Self::build(engine, engine.db.read(), id, &record.form()?, Some(version)).await?;
        context.launched_at = record.launched_at;
        context.canary = record.awaited_canary();
        context.is_bulk = record.kind == CampaignKind::Bulk.as_str();
        if !context.is_bulk {
            context.caps.clear();
        }
        Ok(Some(context))
    }

    /// The context of a campaign that is being written, with the newest version of its template.
    pub async fn of_form(engine: &Engine, form: &CampaignForm) -> Result<Self> {
        Self::build(engine, engine.db.read(), CampaignId(Uuid::nil()), form, None).await
    }

    async fn build<C: ConnectionTrait>(
        engine: &Engine,
        conn: &C,
        id: CampaignId,
        form: &CampaignForm,
        version: Option<i32>,
    ) -> Result<Self> {
        let sender_id = form.sender.ok_or_else(|| Error::invalid("sender", "choose a sender"))?;
        let template_id = form.template.ok_or_else(|| Error::invalid("template", "choose a template"))?;
        let sender: SenderRow = db::one(
            conn,
            "SELECT id, channel, address, rate_per_second, enabled FROM senders WHERE id = $1",
            values![sender_id.0],
        )
        .await?
        .ok_or(Error::NotFound { what: "sender" })?;
        let version = match version {
            Some(version) => version,
            None => db::scalar(conn, "SELECT version AS value FROM templates WHERE id = $1", values![template_id.0])
                .await?
                .ok_or(Error::NotFound { what: "template" })?,
        };
        let template = templates::load_version(conn, template_id, version).await?;
        let links = match template.variables().iter().any(|name| name == templates::PREFERENCES_URL) {
            true => Some(Links::load(engine, conn).await?),
            false => None,
        };
        let topic = match form.topic {
            None => None,
            Some(topic) => {
                db::one::<TopicRow, _>(conn, "SELECT id, name, kind FROM topics WHERE id = $1", values![topic.0])
                    .await?
            }
        };
        let channel: Channel = sender.channel.parse().map_err(Error::internal)?;
        let policy = quiet_rules::policy(conn).await?;
        let workspace = frequency_caps::load(conn).await?.into_iter().filter(|one| one.channel == channel);
        Ok(Self {
            id,
            caps: workspace.map(|one| one.cap).chain(form.frequency_cap).collect(),
            is_bulk: true,
            launched_at: None,
            canary: None,
            channel,
            sender_id: SenderId(sender.id),
            sender: sender.address,
            sender_rate: u32::try_from(sender.rate_per_second).unwrap_or(1),
            sender_enabled: sender.enabled,
            held_by: None,
            campaign_rate: form.rate_per_second,
            topic: topic
                .map(|row| Ok::<_, Error>(Topic { id: row.id, name: row.name, kind: row.kind.parse()? }))
                .transpose()?,
            content: if template.content_sid().is_some() { Content::ProviderTemplate } else { Content::FreeForm },
            template,
            links,
            local_at: match form.start {
                Start::Local { at } => Some(at),
                Start::Now | Start::Instant { .. } => None,
            },
            quiet: quiet_override(&policy, form.not_before.as_deref(), form.not_after.as_deref())
                .map_err(|why| Error::invalid("not_before", why))?,
        })
    }

    /// The limits that every message of the campaign keeps.
    pub fn rate_keys(&self) -> Vec<Key> {
        let mut keys =
            vec![Key { name: format!("sender:{}", self.sender_id), limit: Limit::per_second(self.sender_rate) }];
        if let Some(rate) = self.campaign_rate {
            keys.push(Key { name: format!("campaign:{}", self.id), limit: Limit::per_second(rate) });
        }
        keys
    }

    /// Whose breakers hold its messages.
    pub fn scopes(&self) -> [Scope; 2] {
        [Scope::Account, Scope::Sender(self.sender_id)]
    }

    /// The sender as the provider addresses it.
    pub fn from(&self) -> SenderAddress {
        if self.sender.starts_with("MG") {
            return SenderAddress::Service(self.sender.clone());
        }
        SenderAddress::Number(match self.channel {
            Channel::Sms => self.sender.clone(),
            Channel::Whatsapp => format!("whatsapp:{}", self.sender),
        })
    }
}

/// Whether a campaign's messages reach only people whose WhatsApp window is open.
///
/// # Errors
/// [`Error::Invalid`] for a campaign without sender or template.
pub async fn needs_window(engine: &Engine, form: &CampaignForm) -> Result<bool> {
    let context = Context::of_form(engine, form).await?;
    Ok(context.channel == Channel::Whatsapp && context.content == Content::FreeForm)
}

/// The rules of quiet hours, made stricter by a campaign's own window.
///
/// # Errors
/// In words, when the window cannot be read, is empty, or is not stricter.
pub fn quiet_override(policy: &Policy, not_before: Option<&str>, not_after: Option<&str>) -> Result<Policy, String> {
    let set = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let default = policy
        .rules()
        .iter()
        .find(|rule| rule.jurisdiction == domain::quiet_hours::DEFAULT)
        .and_then(|rule| rule.windows.iter().flatten().next().copied());
    let (from, to) = match (set(not_before), set(not_after), default) {
        (None, None, _) => return Ok(policy.clone()),
        (from, to, Some(default)) => {
            let default = default.to_string();
            let (default_from, default_to) = default.split_once('-').unwrap_or(("00:00", "24:00"));
            (from.unwrap_or_else(|| default_from.to_owned()), to.unwrap_or_else(|| default_to.to_owned()))
        }
        (from, to, None) => (from.unwrap_or_else(|| "00:00".to_owned()), to.unwrap_or_else(|| "24:00".to_owned())),
    };
    let window: Window = format!("{from}-{to}").parse().map_err(|error| format!("{from} to {to}: {error}"))?;
    policy.with_campaign_window(window).map_err(|error| error.to_string())
}
