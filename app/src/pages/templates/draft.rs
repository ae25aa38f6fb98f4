//! What is being written in a template's editor.

use domain::{
    phone::Channel,
    template::{LocaleText, TemplateForm, TemplateView, locale_tag},
};
use leptos::prelude::*;

/// A template that is being written.
#[derive(Clone, Copy)]
pub struct Draft {
    /// The name.
    pub name: RwSignal<String>,
    /// The channel's word.
    pub channel: RwSignal<String>,
    /// What it says by default.
    pub text: TextDraft,
    /// What it says in other languages.
    pub locales: RwSignal<Vec<LocaleDraft>>,
}

/// What it says in one language.
#[derive(Clone, Copy)]
pub struct TextDraft {
    /// The text.
    pub body: RwSignal<String>,
    /// The provider's content id.
    pub content_sid: RwSignal<String>,
    /// The content's variables: key, and template text.
    pub variables: RwSignal<Vec<(String, String)>>,
}

/// A language beside the default.
#[derive(Clone, Copy)]
pub struct LocaleDraft {
    /// Which one in the order of their making: the tag may change under it.
    pub no: usize,
    /// The language tag.
    pub tag: RwSignal<String>,
    /// What it says.
    pub text: TextDraft,
}

impl TextDraft {
    fn of(text: LocaleText) -> Self {
        Self {
            body: RwSignal::new(text.body),
            content_sid: RwSignal::new(text.content_sid),
            variables: RwSignal::new(text.content_variables.into_iter().collect()),
        }
    }

    /// What is sent to the server. What belongs to WhatsApp alone is left out for SMS.
    fn form(self, channel: Channel) -> LocaleText {
        let is_content = channel == Channel::Whatsapp && !self.content_sid.read().trim().is_empty();
        LocaleText {
            body: self.body.get(),
            content_sid: if is_content { self.content_sid.read().trim().to_owned() } else { String::new() },
            content_variables: if is_content { self.variables.get().into_iter().collect() } else { Default::default() },
        }
    }

    /// Adds a variable of the content, with the next number.
    pub fn add_variable(self) {
        self.variables.update(|variables| variables.push(((variables.len() + 1).to_string(), String::new())));
    }
}

impl Draft {
    /// An empty one.
    pub fn empty(channel: Channel) -> Self {
        Self {
            name: RwSignal::default(),
            channel: RwSignal::new(channel.to_string()),
            text: TextDraft::of(LocaleText::default()),
            locales: RwSignal::default(),
        }
    }

    /// One that begins as a stored template.
    pub fn of(template: &TemplateView) -> Self {
        let form = TemplateForm::from(template);
        let locale = |(no, (tag, text)): (usize, (&String, &LocaleText))| LocaleDraft {
            no,
            tag: RwSignal::new(tag.clone()),
            text: TextDraft::of(text.clone()),
        };
        Self {
            name: RwSignal::new(form.name.clone()),
            channel: RwSignal::new(form.channel.to_string()),
            text: TextDraft::of(form.in_locale(None).1),
            locales: RwSignal::new(form.locales.iter().enumerate().map(locale).collect()),
        }
    }

    /// The channel.
    pub fn channel(&self) -> Channel {
        self.channel.read().parse().unwrap_or(Channel::Sms)
    }

    /// What is sent to the server.
    pub fn form(&self) -> TemplateForm {
        let channel = self.channel();
        let LocaleText { body, content_sid, content_variables } = self.text.form(channel);
        let locale = |one: &LocaleDraft| {
            let tag = one.tag.get();
            (locale_tag(&tag).unwrap_or(tag), one.text.form(channel))
        };
        TemplateForm {
            name: self.name.get(),
            channel,
            body,
            content_sid,
            content_variables,
            locales: self.locales.read().iter().map(locale).collect(),
        }
    }

    /// Adds a language, which begins as the default.
    pub fn add_locale(&self) {
        let text = TextDraft::of(untrack(|| self.text.form(self.channel())));
        self.locales.update(|locales| {
            let no = locales.iter().map(|one| one.no + 1).max().unwrap_or(0);
            locales.push(LocaleDraft { no, tag: RwSignal::default(), text });
        });
    }
}
