//! What tests begin with: people, senders, templates and campaigns, made through the use cases, so that they are as real as
//! anybody's.

use super::TestEnv;
use crate::{campaigns, consents, db, senders, templates, users, values};
use domain::{
    campaign::{Campaign, CampaignForm},
    consent::ConsentKind,
    phone::Channel,
    sender::Sender,
    template::{TemplateForm, TemplateView},
    user::{User, UserForm},
};
use serde_json::{Map, Value};

/// What a template says unless the test says otherwise.
const GREETING: &str = "Hello {{ name | default(\"friend\") }}";
/// A rate that no test waits for, in segments a second.
const RATE: u32 = 1_000;

impl TestEnv {
    /// Someone with this number, who has consented to nothing yet.
    pub fn user(&self, phone: &str) -> UserBuilder<'_> {
        let form = UserForm { phone: phone.to_owned(), ..UserForm::default() };
        UserBuilder { env: self, form, attributes: Map::new(), consents: Vec::new() }
    }

    /// The simulator's sender on a channel; the same one each time.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn sender(&self, channel: Channel) -> Sender {
        let (address, name) = match channel {
            Channel::Sms => (simulator::LONG_CODE, "SMS"),
            Channel::Whatsapp => (simulator::WHATSAPP_SENDER, "WhatsApp"),
        };
        senders::ensure(&self.engine, &self.admin, channel, address, name, RATE).await.expect("a sender")
    }

    /// A new template with this text.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn template(&self, channel: Channel, body: &str) -> TemplateView {
        let form = TemplateForm {
            name: self.fresh_name("Template"),
            channel,
            body: body.to_owned(),
            content_sid: String::new(),
            content_variables: Default::default(),
            locales: Default::default(),
        };
        templates::create(&self.engine, &self.admin, &form).await.expect("a template")
    }

    /// A campaign by SMS to everyone, with a greeting, unless the test says otherwise.
    pub fn campaign(&self) -> CampaignBuilder<'_> {
        let form = CampaignForm { name: self.fresh_name("Campaign"), ..CampaignForm::default() };
        CampaignBuilder { env: self, form, channel: Channel::Sms, body: GREETING.to_owned() }
    }
}

/// Someone to be.
#[must_use = "nobody is there before `create`"]
pub struct UserBuilder<'e> {
    env: &'e TestEnv,
    form: UserForm,
    attributes: Map<String, Value>,
    consents: Vec<(Channel, ConsentKind)>,
}

impl UserBuilder<'_> {
    /// The name.
    pub fn name(mut self, name: &str) -> Self {
        self.form.name = name.to_owned();
        self
    }

    /// The language.
    pub fn locale(mut self, locale: &str) -> Self {
        self.form.locale = locale.to_owned();
        self
    }

    /// The IANA zone.
    pub fn zone(mut self, zone: &str) -> Self {
        self.form.zone = zone.to_owned();
        self
    }

    /// A custom attribute.
    pub fn attribute(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(key.to_owned(), value.into());
        self
    }

    /// Agreed to a channel.
    pub fn opted_in(mut self, channel: Channel) -> Self {
        self.consents.push((channel, ConsentKind::OptIn));
        self
    }

    /// Refused a channel.
    pub fn opted_out(mut self, channel: Channel) -> Self {
        self.consents.push((channel, ConsentKind::OptOut));
        self
    }

    /// Makes the person.
    ///
    /// # Panics
    /// When that fails.
    pub async fn create(self) -> User {
        let TestEnv { engine, admin, .. } = self.env;
        let mut user = users::create(engine, admin, &self.form).await.expect("a user");
        if !self.attributes.is_empty() {
            // Attributes come with imports only; a test need not read a file for them.
            let tx = engine.db.begin().await.expect("a transaction");
            let attributes = Value::Object(self.attributes.clone());
            db::exec(&tx, "UPDATE users SET attributes = $2 WHERE id = $1", values![user.id.0, attributes])
                .await
                .expect("attributes");
            tx.commit().await.expect("a commit");
            user.attributes = self.attributes;
        }
        for (channel, kind) in self.consents {
            let consents = consents::record(engine, admin, user.id, channel, kind, "said so in a test")
                .await
                .expect("a consent")
                .consents;
            user.consents = consents;
        }
        user
    }
}

/// A campaign to be.
#[must_use = "there is no campaign before `create` or `launch`"]
pub struct CampaignBuilder<'e> {
    env: &'e TestEnv,
    form: CampaignForm,
    channel: Channel,
    body: String,
}

impl CampaignBuilder<'_> {
    /// By which channel.
    pub fn channel(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    /// The text.
    pub fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// To whom.
    pub fn filter(mut self, filter: &str) -> Self {
        filter.clone_into(&mut self.form.audience.filter);
        self
    }

    /// Anything else that an operator enters.
    pub fn form(mut self, change: impl FnOnce(&mut CampaignForm)) -> Self {
        change(&mut self.form);
        self
    }

    /// Makes the draft, with a sender and a template unless the form names them.
    ///
    /// # Panics
    /// When that fails.
    pub async fn create(mut self) -> Campaign {
        if self.form.sender.is_none() {
            self.form.sender = Some(self.env.sender(self.channel).await.id);
        }
        if self.form.template.is_none() {
            self.form.template = Some(self.env.template(self.channel, &self.body).await.id);
        }
        campaigns::create(&self.env.engine, &self.env.admin, &self.form).await.expect("a campaign")
    }

    /// Makes and launches it; the audience is read by [`TestEnv::run_jobs`].
    ///
    /// # Panics
    /// When that fails.
    pub async fn launch(self) -> Campaign {
        let env = self.env;
        let draft = self.create().await;
        campaigns::launch(&env.engine, &env.admin, draft.id).await.expect("a launch")
    }
}
