//! What a template must be to be stored.

use crate::{Error, Result};
use domain::{
    phone::Channel,
    problem::FieldProblem,
    template::{ContentTemplate, LOCALES_MAX, LintOptions, LocaleText, Severity, Template, TemplateForm, locale_tag},
};
use std::collections::{BTreeMap, BTreeSet};

/// The longest name of a template, in characters.
const NAME_MAX_CHARS: usize = 100;
/// The longest content id, in bytes.
const CONTENT_SID_MAX_BYTES: usize = 64;

/// The form as it is stored, or everything that is wrong with it at once.
pub(super) fn check(form: &TemplateForm, known: &BTreeSet<String>) -> Result<TemplateForm> {
    let mut errors = Vec::new();
    let name = form.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        let detail = format!("a name has 1 to {NAME_MAX_CHARS} characters");
        errors.push(FieldProblem { pointer: "/name".to_owned(), detail });
    }
    let (_, default) = form.in_locale(None);
    let default = text(&default, form.channel, known, "", &mut errors);
    let mut locales = BTreeMap::new();
    if form.locales.len() > LOCALES_MAX {
        let detail = format!("at most {LOCALES_MAX} languages beside the default");
        errors.push(FieldProblem { pointer: "/locales".to_owned(), detail });
    }
    for (tag, of_locale) in &form.locales {
        let Some(tag) = locale_tag(tag) else {
            let detail = format!("\"{tag}\" is not a language: write de, or pt-BR");
            errors.push(FieldProblem { pointer: format!("/locales/{tag}"), detail });
            continue;
        };
        let place = format!("/locales/{tag}");
        let stored = text(of_locale, form.channel, known, &place, &mut errors);
        if stored.content_sid.is_empty() && !default.content_sid.is_empty() {
            let detail = "the default is an approved template, so each language needs one".to_owned();
            errors.push(FieldProblem { pointer: format!("{place}/content_sid"), detail });
        } else if !stored.content_sid.is_empty() && default.content_sid.is_empty() && form.channel == Channel::Whatsapp
        {
            let detail = "the default is free text, so each language is".to_owned();
            errors.push(FieldProblem { pointer: format!("{place}/content_sid"), detail });
        }
        if locales.insert(tag.clone(), stored).is_some() {
            errors.push(FieldProblem { pointer: place, detail: format!("\"{tag}\" is there twice") });
        }
    }
    if !errors.is_empty() {
        return Err(Error::Invalid { errors });
    }
    Ok(TemplateForm {
        name: name.to_owned(),
        channel: form.channel,
        body: default.body,
        content_sid: default.content_sid,
        content_variables: default.content_variables,
        locales,
    })
}

/// One language's text as it is stored; what is wrong with it goes to `errors`, under its place.
fn text(
    of: &LocaleText,
    channel: Channel,
    known: &BTreeSet<String>,
    place: &str,
    errors: &mut Vec<FieldProblem>,
) -> LocaleText {
    let mut wrong =
        |field: &str, detail: String| errors.push(FieldProblem { pointer: format!("{place}/{field}"), detail });
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    match Template::parse(&of.body) {
        Err(error) => wrong("body", error.to_string()),
        Ok(template) => {
            let options = LintOptions { marketing: false, sms: channel == Channel::Sms };
            let findings = template.lint(&names, options);
            for finding in findings.into_iter().filter(|finding| finding.severity == Severity::Error) {
                wrong("body", finding.message);
            }
        }
    }
    let sid = of.content_sid.trim();
    if sid.len() > CONTENT_SID_MAX_BYTES || !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
        wrong("content_sid", "this is not the id of a provider's content".to_owned());
    } else if channel == Channel::Sms && !sid.is_empty() {
        wrong("content_sid", "only WhatsApp templates have content at the provider".to_owned());
    }
    if sid.is_empty() && !of.content_variables.is_empty() {
        wrong("content_variables", "variables belong to a provider's content, and there is none".to_owned());
    }
    match ContentTemplate::parse(&of.content_variables) {
        Err(error) => wrong("content_variables", error.to_string()),
        Ok(content) => {
            for unknown in content.variables().into_iter().filter(|name| !known.contains(*name)) {
                wrong("content_variables", format!("nobody has a \"{unknown}\""));
            }
        }
    }
    LocaleText { body: of.body.clone(), content_sid: sid.to_owned(), content_variables: of.content_variables.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> TemplateForm {
        TemplateForm {
            name: " Welcome ".into(),
            channel: Channel::Whatsapp,
            body: "Hi {{ name }}".into(),
            content_sid: "HX00000000000000000000000000000001".into(),
            content_variables: [("1".to_owned(), "{{ name }}".to_owned())].into(),
            locales: [("de".to_owned(), german())].into(),
        }
    }

    fn german() -> LocaleText {
        LocaleText {
            body: "Hallo {{ name }}".into(),
            content_sid: "HX00000000000000000000000000000002".into(),
            content_variables: [("1".to_owned(), "{{ name }}".to_owned())].into(),
        }
    }

    fn faults(form: &TemplateForm) -> Vec<String> {
        match check(form, &["name".to_owned()].into()) {
            Err(Error::Invalid { errors }) => errors.into_iter().map(|error| error.pointer).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_form_is_checked_field_by_field() {
        type Breach = fn(&mut TemplateForm);
        let cases: &[(Breach, &[&str])] = &[
            (|_| {}, &[]),
            (|f| f.name = " ".into(), &["/name"]),
            (|f| f.body = String::new(), &["/body"]),
            (|f| f.body = "{{ name".into(), &["/body"]),
            (|f| f.body = "{{ city }}".into(), &["/body"]),
            (|f| f.content_sid = "HX 1".into(), &["/content_sid"]),
            (|f| f.content_sid = String::new(), &["/content_variables", "/locales/de/content_sid"]),
            (|f| f.channel = Channel::Sms, &["/content_sid", "/locales/de/content_sid"]),
            (|f| drop(f.locales.insert("?".into(), german())), &["/locales/?"]),
            (|f| drop(f.locales.insert("DE".into(), german())), &["/locales/de"]),
            (|f| f.locales.values_mut().for_each(|t| t.body.clear()), &["/locales/de/body"]),
            (|f| f.locales.values_mut().for_each(|t| t.body = "{{ city }}".into()), &["/locales/de/body"]),
            (|f| f.locales.values_mut().for_each(|t| t.content_variables.clear()), &[]),
            (
                |f| {
                    f.locales.values_mut().for_each(|t| {
                        t.content_sid.clear();
                        t.content_variables.clear();
                    });
                },
                &["/locales/de/content_sid"],
            ),
            (|f| f.content_variables = [("1".into(), "{{ city }}".into())].into(), &["/content_variables"]),
            (|f| f.content_variables = [("2".into(), "x".into())].into(), &["/content_variables"]),
        ];
        for (breach, expected) in cases {
            let mut broken = form();
            breach(&mut broken);
            assert_eq!(faults(&broken), *expected, "{broken:?}");
        }
        assert_eq!(check(&form(), &["name".to_owned()].into()).unwrap().name, "Welcome");
    }
}
