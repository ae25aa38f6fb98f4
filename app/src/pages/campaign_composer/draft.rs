//! What is being written in the composer.

use crate::api::Failure;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use domain::{
    campaign::{Audience, Campaign, CampaignForm, Exclusions, Start, UnknownPolicy},
    frequency::Cap,
    ids::{CampaignId, SegmentId},
    problem::{FieldProblem, Kind, Problem},
};
use leptos::prelude::*;
use std::str::FromStr;
use wasm_bindgen::JsValue;

/// A campaign that is being written: the texts of its fields, as they are typed.
#[derive(Clone, Copy)]
pub struct Draft {
    /// Its id, once it was saved.
    pub id: RwSignal<Option<CampaignId>>,
    /// The name.
    pub name: RwSignal<String>,
    /// The sender's id, or nothing.
    pub sender: RwSignal<String>,
    /// The template's id, or nothing.
    pub template: RwSignal<String>,
    /// The topic's id, or nothing.
    pub topic: RwSignal<String>,
    /// The segment's id, or nothing.
    pub segment: RwSignal<String>,
    /// The filter's text.
    pub filter: RwSignal<String>,
    /// The segments that are left out.
    pub excluded: RwSignal<Vec<SegmentId>>,
    /// Days within which nobody may have been messaged, or nothing.
    pub messaged_within_days: RwSignal<String>,
    /// Segments a second.
    pub rate: RwSignal<String>,
    /// Messages of a cap of its own, or nothing.
    pub cap_messages: RwSignal<String>,
    /// Days of that cap, or nothing.
    pub cap_days: RwSignal<String>,
    /// How many people get it first, or nothing.
    pub canary: RwSignal<String>,
    /// `HH:MM`, or nothing.
    pub not_before: RwSignal<String>,
    /// `HH:MM`, or nothing.
    pub not_after: RwSignal<String>,
    /// Minutes.
    pub deadline: RwSignal<String>,
    /// The policy's word.
    pub unknown_policy: RwSignal<String>,
    /// [`NOW`], [`LATER`] or [`LOCAL`].
    pub start: RwSignal<String>,
    /// `YYYY-MM-DDTHH:MM`, or nothing: in the reader's zone, or on each person's wall.
    pub at: RwSignal<String>,
    /// What `start` and `at` mean; `None` while they mean nothing. Only the browser knows the reader's zone.
    pub meant: RwSignal<Option<Start>>,
}

/// Starts when it is launched.
pub const NOW: &str = "now";
/// Starts at an instant.
pub const LATER: &str = "later";
/// Starts at a time of day where each person lives.
pub const LOCAL: &str = "local";

/// How a date input writes what it holds.
const INPUT: &str = "%Y-%m-%dT%H:%M";

fn text(value: Option<impl ToString>) -> RwSignal<String> {
    RwSignal::new(value.map(|value| value.to_string()).unwrap_or_default())
}

impl Draft {
    /// A new one, or one that begins as a stored campaign.
    pub fn of(campaign: Option<&Campaign>) -> Self {
        let form = campaign.map(|campaign| campaign.form.clone()).unwrap_or_default();
        let given = form.start;
        let draft = Self {
            id: RwSignal::new(campaign.map(|campaign| campaign.id)),
            name: RwSignal::new(form.name),
            sender: text(form.sender),
            template: text(form.template),
            topic: text(form.topic),
            segment: text(form.audience.segment),
            filter: RwSignal::new(form.audience.filter),
            excluded: RwSignal::new(form.audience.exclusions.segments),
            messaged_within_days: text(form.audience.exclusions.messaged_within_days),
            rate: text(form.rate_per_second),
            cap_messages: text(form.frequency_cap.map(|cap| cap.messages)),
            cap_days: text(form.frequency_cap.map(|cap| cap.days)),
            canary: text(form.canary),
            not_before: text(form.not_before),
            not_after: text(form.not_after),
            deadline: RwSignal::new(form.start_deadline_minutes.to_string()),
            unknown_policy: RwSignal::new(form.unknown_policy.to_string()),
            start: RwSignal::new(
                match given {
                    Start::Now => NOW,
                    Start::Instant { .. } => LATER,
                    Start::Local { .. } => LOCAL,
                }
                .to_owned(),
            ),
            at: RwSignal::new(match given {
                Start::Local { at } => at.format(INPUT).to_string(),
                Start::Now | Start::Instant { .. } => String::new(),
            }),
            meant: RwSignal::new(Some(given)),
        };
        Effect::new(move |ran: Option<()>| {
            if let (None, Start::Instant { at }) = (ran, given) {
                draft.at.set(local(at));
            }
            draft.meant.set(draft.means(given));
        });
        draft
    }

    /// What the fields of the start mean. A time that was not touched keeps its seconds. For the browser only.
    fn means(self, given: Start) -> Option<Start> {
        let at = self.at.read();
        match (self.start.read().as_str(), given) {
            (LATER, Start::Instant { at: before }) if *at == local(before) => Some(given),
            (LATER, _) => instant(&at).map(Start::from),
            (LOCAL, _) => NaiveDateTime::parse_from_str(&at, INPUT).ok().map(Start::from),
            _ => Some(Start::Now),
        }
    }

    /// Whether it starts at a time, not now.
    pub fn starts_later(&self) -> bool {
        *self.start.read() != NOW
    }

    /// What is sent to the server.
    ///
    /// # Errors
    /// `Invalid` with each field that holds no number where one belongs.
    pub fn form(&self) -> Result<CampaignForm, Failure> {
        let mut errors = Vec::new();
        let rate_per_second = number(&self.rate.read(), "/rate_per_second", &mut errors);
        let messaged_within_days =
            number(&self.messaged_within_days.read(), "/audience/exclusions/messaged_within_days", &mut errors);
        let messages = number(&self.cap_messages.read(), "/frequency_cap", &mut errors);
        let days = number(&self.cap_days.read(), "/frequency_cap", &mut errors);
        let canary = number(&self.canary.read(), "/canary", &mut errors);
        let deadline = number(&self.deadline.read(), "/start_deadline_minutes", &mut errors);
        if !errors.is_empty() {
            return Err(invalid(errors));
        }
        Ok(CampaignForm {
            name: self.name.get(),
            sender: chosen(&self.sender.read()),
            template: chosen(&self.template.read()),
            topic: chosen(&self.topic.read()),
            audience: Audience {
                segment: chosen(&self.segment.read()),
                filter: self.filter.get(),
                exclusions: Exclusions { segments: self.excluded.get(), messaged_within_days },
            },
            start: self.meant.get().unwrap_or_default(),
            rate_per_second,
            // One without the other is no cap: the server says so.
            frequency_cap: (messages.is_some() || days.is_some())
                .then(|| Cap { messages: messages.unwrap_or(0), days: days.unwrap_or(0) }),
            canary,
            not_before: filled(&self.not_before.read()),
            not_after: filled(&self.not_after.read()),
            start_deadline_minutes: deadline.unwrap_or(CampaignForm::default().start_deadline_minutes),
            unknown_policy: self.unknown_policy.read().parse().unwrap_or(UnknownPolicy::Review),
        })
    }
}

fn chosen<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn filled(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn number(text: &str, pointer: &str, errors: &mut Vec<FieldProblem>) -> Option<u32> {
    let number = filled(text)?.parse().ok();
    if number.is_none() {
        errors.push(FieldProblem { pointer: pointer.to_owned(), detail: "write a whole number".to_owned() });
    }
    number
}

/// A failure that names fields.
pub fn invalid(errors: Vec<FieldProblem>) -> Failure {
    let mut problem = Problem::new(Kind::Invalid, "Something is missing or wrong; see the marked fields.");
    problem.errors = errors;
    Failure(problem)
}

/// An instant as the browser's date input writes it. For the browser only.
fn local(at: DateTime<Utc>) -> String {
    let offset = js_sys::Date::new(&JsValue::from_f64(at.timestamp_millis() as f64)).get_timezone_offset();
    (at.naive_utc() - TimeDelta::minutes(offset as i64)).format(INPUT).to_string()
}

/// The instant that a date input means, in the reader's zone. For the browser only.
pub fn instant(local: &str) -> Option<DateTime<Utc>> {
    // A text that is no date gives NaN, which is no number of milliseconds either.
    let millis = js_sys::Date::parse(local);
    millis.is_finite().then(|| DateTime::from_timestamp_millis(millis as i64))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_hold_no_number_are_named() {
        let cases = [("", None, 0), (" 20 ", Some(20), 0), ("x", None, 1), ("-1", None, 1), ("1.5", None, 1)];
        for (text, expected, faults) in cases {
            let mut errors = Vec::new();
            assert_eq!(number(text, "/rate_per_second", &mut errors), expected, "{text:?}");
            assert_eq!(errors.len(), faults, "{text:?}");
        }
    }
}
