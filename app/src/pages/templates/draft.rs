//! What is being written in a template's editor.

use domain::{
    phone::Channel,
    template::{TemplateForm, TemplateView},
};
use leptos::prelude::*;

/// A template that is being written.
#[derive(Clone, Copy)]
pub struct Draft {
    /// The name.
    pub name: RwSignal<String>,
    /// The channel's word.
    pub channel: RwSignal<String>,
    /// The text.
    pub body: RwSignal<String>,
    /// The provider's content id.
    pub content_sid: RwSignal<String>,
    /// The content's variables: key, and template text.
    pub variables: RwSignal<Vec<(String, String)>>,
}

impl Draft {
    /// An empty one.
    pub fn empty(channel: Channel) -> Self {
        Self {
            name: RwSignal::default(),
            channel: RwSignal::new(channel.to_string()),
            body: RwSignal::default(),
            content_sid: RwSignal::default(),
            variables: RwSignal::default(),
        }
    }

    /// One that begins as a stored template.
    pub fn of(template: &TemplateView) -> Self {
        let draft = Self::empty(template.channel);
        draft.name.set(template.name.clone());
        draft.body.set(template.body.clone());
        draft.content_sid.set(template.content_sid.clone().unwrap_or_default());
        draft.variables.set(template.content_variables.clone().into_iter().collect());
        draft
    }

    /// The channel.
    pub fn channel(&self) -> Channel {
        self.channel.read().parse().unwrap_or(Channel::Sms)
    }

    /// What is sent to the server. What belongs to WhatsApp alone is left out for SMS.
    pub fn form(&self) -> TemplateForm {
        let channel = self.channel();
        let is_content = channel == Channel::Whatsapp && !self.content_sid.read().trim().is_empty();
        TemplateForm {
            name: self.name.get(),
            channel,
            body: self.body.get(),
            content_sid: if is_content { self.content_sid.read().trim().to_owned() } else { String::new() },
            content_variables: if is_content { self.variables.get().into_iter().collect() } else { Default::default() },
        }
    }

    /// Adds a variable of the content, with the next number.
    pub fn add_variable(&self) {
        self.variables.update(|variables| variables.push(((variables.len() + 1).to_string(), String::new())));
    }
}
