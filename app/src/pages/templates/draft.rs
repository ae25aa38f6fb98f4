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

    /// The text as people get it, as a template of our own.
    pub fn source(&self) -> String {
        let form = self.form();
        source(&form.body, form.content_variables.iter())
    }

    /// Adds a variable of the content, with the next number.
    pub fn add_variable(&self) {
        self.variables.update(|variables| variables.push(((variables.len() + 1).to_string(), String::new())));
    }
}

/// The text of a stored template as people get it, as a template of our own.
pub fn source_of(template: &TemplateView) -> String {
    source(&template.body, template.content_variables.iter())
}

/// A content's text with the texts of its variables in place of `{{1}}`, so that it can be previewed.
fn source<'v>(body: &str, variables: impl Iterator<Item = (&'v String, &'v String)>) -> String {
    variables.fold(body.to_owned(), |text, (key, value)| {
        text.replace(&format!("{{{{{key}}}}}"), value).replace(&format!("{{{{ {key} }}}}"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_a_content_are_filled_in() {
        let variables = [("1".to_owned(), "{{ name }}".to_owned()), ("2".to_owned(), "Monday".to_owned())];
        let text = source("Hi {{1}}, see you {{ 2 }}. {{3}}", variables.iter().map(|(key, value)| (key, value)));
        assert_eq!(text, "Hi {{ name }}, see you Monday. {{3}}");
    }
}
