//! The page on which a person decides for themselves: a signed link that a message carries leads there, without a sign-in.
//!
//! The link shows; it changes nothing. The form on the page carries a token of its own, good for 15 minutes and for one
//! change: it names the person's latest entry in the ledger, which the change moves on.

use crate::{
    Client, Engine, Error, Result,
    consents::{self, Entry},
    db,
    signing::{LinkKey, TAG_BYTES},
    subscriptions, users, values,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Duration;
use domain::{
    consent::{ConsentKind, ConsentSource, ConsentState},
    ids::UserId,
    phone::Channel,
    preferences::{PreferenceForm, PreferenceView},
    user::User,
};
use sea_orm::ConnectionTrait;
use url::Url;
use uuid::Uuid;

/// How long a form is good for, in minutes.
const FORM_MINUTES: i64 = 15;
const LINK: &str = "preferences";
const FORM: &str = "preferences form";

/// Makes links for the people of a batch.
#[derive(Clone)]
pub(crate) struct Links {
    key: LinkKey,
    base: Url,
}

impl Links {
    /// What links are made from.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn load<C: ConnectionTrait>(engine: &Engine, conn: &C) -> Result<Self> {
        Ok(Self { key: LinkKey::load(engine, conn).await?, base: engine.limits.public_url.clone() })
    }

    /// The link of a person.
    pub fn of(&self, user: UserId) -> String {
        let mut bytes = user.0.as_bytes().to_vec();
        bytes.extend(self.key.tag(LINK, user.0.as_bytes()));
        let mut url = self.base.clone();
        url.set_path(&format!("/p/{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)));
        url.into()
    }
}

/// For a link that is none of ours, or of someone who is gone.
const GONE: Error = Error::NotFound { what: "page" };

/// Whose link it is.
fn named(key: &LinkKey, token: &str) -> Result<UserId> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| GONE)?;
    let (id, tag) = bytes.split_at_checked(16).ok_or(GONE)?;
    if !key.verifies(LINK, id, tag) {
        return Err(GONE);
    }
    Uuid::from_slice(id).map(UserId).map_err(|_| GONE)
}

fn channels(user: &User) -> Vec<(Channel, ConsentState)> {
    let reachable = |channel: &Channel| users::address_of(user, *channel).is_some();
    let state = |channel: Channel| {
        let found = user.consents.iter().find(|view| view.channel == channel);
        found.map_or(ConsentState::None, |view| view.state)
    };
    Channel::ALL.iter().copied().filter(reachable).map(|channel| (channel, state(channel))).collect()
}

/// The latest entry of the person's ledger, which every change moves on.
async fn latest_entry<C: ConnectionTrait>(conn: &C, user: UserId) -> Result<Uuid> {
    let sql = "SELECT id AS value FROM consent_events WHERE user_id = $1 ORDER BY id DESC LIMIT 1";
    Ok(db::scalar(conn, sql, values![user.0]).await?.unwrap_or(Uuid::nil()))
}

/// What the page shows.
///
/// # Errors
/// [`Error::NotFound`] for a link that is none of ours, or of someone who is gone.
pub async fn open(engine: &Engine, link: &str) -> Result<PreferenceView> {
    let conn = engine.db.read();
    let key = LinkKey::load(engine, conn).await?;
    let now = "SELECT coalesce(merged_into, id) AS value FROM users WHERE id = $1";
    let id: Uuid = db::scalar(conn, now, values![named(&key, link)?.0]).await?.ok_or(GONE)?;
    let user = users::load(conn, UserId(id)).await?;
    let mut form = engine.clock.now().timestamp_millis().to_be_bytes().to_vec();
    form.extend(latest_entry(conn, user.id).await?.as_bytes());
    let tag = key.tag(FORM, &[user.id.0.as_bytes().as_slice(), &form].concat());
    form.extend(tag);
    let address = match (&user.phone, &user.whatsapp_id) {
        (Some(phone), _) => phone.masked(),
        (None, _) => "your WhatsApp account".to_owned(),
    };
    Ok(PreferenceView {
        address,
        channels: channels(&user),
        topics: subscriptions::of_user(conn, user.id).await?,
        token: BASE64_URL_SAFE_NO_PAD.encode(form),
    })
}

/// Records what the person chose: only what differs from how they stand.
///
/// # Errors
/// [`Error::NotFound`] as [`open`], [`Error::Conflict`] for a form that was sent before or is older than 15 minutes.
pub async fn save(engine: &Engine, link: &str, form: &PreferenceForm, client: &Client) -> Result<()> {
    let tx = engine.db.begin_urgent().await?;
    let key = LinkKey::load(engine, &tx).await?;
    let held = consents::hold(&tx, named(&key, link)?).await.map_err(|error| match error {
        Error::NotFound { .. } => GONE,
        error => error,
    })?;
    let user = users::load(&tx, held).await?;
    check_form(engine, &tx, &key, user.id, &form.token).await?;
    let from = client.address.as_deref().unwrap_or("an unknown address");
    let said = |words: String| format!("chose on the preference page, from {from}: {words}");
    let entry = |channel, topic, kind| Entry {
        user: user.id,
        channel,
        topic,
        kind,
        source: ConsentSource::Preferences,
        sender: None,
        evidence: "",
    };
    for (channel, state) in channels(&user) {
        let wants = form.channels.contains(&channel) && !form.nothing;
        let kind = match (wants, state) {
            (true, ConsentState::None | ConsentState::OptedOut) => ConsentKind::OptIn,
            (false, ConsentState::OptedIn) => ConsentKind::OptOut,
            // Whoever wants to hear nothing has said so, also where they had not agreed yet.
            (false, ConsentState::None) if form.nothing => ConsentKind::OptOut,
            _ => continue,
        };
        let words = said(format!("{} messages: {}", channel.label(), if wants { "yes" } else { "no" }));
        consents::append(engine, &tx, Entry { evidence: &words, ..entry(channel, None, kind) }).await?;
    }
    let channel = if user.phone.is_some() { Channel::Sms } else { Channel::Whatsapp };
    for topic in subscriptions::of_user(&tx, user.id).await? {
        let wants = form.topics.contains(&topic.topic_id) && !form.nothing;
        if wants == topic.reached {
            continue;
        }
        let kind = if wants { ConsentKind::Subscribe } else { ConsentKind::Unsubscribe };
        let words = said(format!("{}: {}", topic.name, if wants { "yes" } else { "no" }));
        let entry = Entry { evidence: &words, ..entry(channel, Some(topic.topic_id), kind) };
        subscriptions::append(engine, &tx, entry).await?;
    }
    tx.commit().await?;
    engine.live.changed("users");
    Ok(())
}

async fn check_form<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    key: &LinkKey,
    user: UserId,
    token: &str,
) -> Result<()> {
    const STALE: &str = "this page was used already, or is older than 15 minutes: open the link again";
    let stale = || Error::conflict(STALE);
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| stale())?;
    let (form, tag) = bytes.split_at_checked(bytes.len().saturating_sub(TAG_BYTES)).ok_or_else(stale)?;
    if form.len() != 24 || !key.verifies(FORM, &[user.0.as_bytes().as_slice(), form].concat(), tag) {
        return Err(stale());
    }
    let issued_ms = i64::from_be_bytes(form[..8].try_into().map_err(Error::internal)?);
    let age = Duration::milliseconds(engine.clock.now().timestamp_millis().saturating_sub(issued_ms));
    let latest = latest_entry(conn, user).await?;
    if age > Duration::minutes(FORM_MINUTES) || form[8..] != latest.as_bytes()[..] {
        return Err(stale());
    }
    Ok(())
}
