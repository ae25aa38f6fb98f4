//! What may be written next, offered under a filter's text while it is typed.

use crate::api;
use domain::filter::{Completion, Vocabulary, complete};
use leptos::{ev::KeyboardEvent, html, prelude::*};

/// The offers of one input.
#[derive(Clone, Copy)]
pub struct Offers {
    name: StoredValue<String>,
    value: RwSignal<String>,
    area: NodeRef<html::Textarea>,
    vocabulary: Action<(), Result<Vocabulary, api::Failure>>,
    shown: RwSignal<Vec<Completion>>,
    chosen: RwSignal<Option<usize>>,
    /// Whether somebody typed before names and values were there.
    awaits_names: StoredValue<bool>,
}

impl Offers {
    /// For the text area of that name, which holds `value`.
    pub fn new(name: &str, value: RwSignal<String>, area: NodeRef<html::Textarea>) -> Self {
        let offers = Self {
            name: StoredValue::new(name.to_owned()),
            value,
            area,
            vocabulary: Action::new(|(): &()| api::segments::filter_vocabulary()),
            shown: RwSignal::new(Vec::new()),
            chosen: RwSignal::new(None),
            awaits_names: StoredValue::new(false),
        };
        Effect::new(move || {
            if offers.vocabulary.value().with(Option::is_some) && offers.awaits_names.get_value() {
                offers.awaits_names.set_value(false);
                offers.refresh();
            }
        });
        offers
    }

    /// The id of the list.
    pub fn id(self) -> String {
        self.name.with_value(|name| format!("{name}-offers"))
    }

    /// The id of the chosen offer.
    pub fn chosen_id(self) -> Option<String> {
        self.chosen.get().map(|index| self.option_id(index))
    }

    fn option_id(self, index: usize) -> String {
        self.name.with_value(|name| format!("{name}-offer-{index}"))
    }

    /// Asks for names and values once somebody is about to type.
    pub fn prepare(self) {
        if self.vocabulary.value().with_untracked(Option::is_none) && !self.vocabulary.pending().get_untracked() {
            self.vocabulary.dispatch(());
        }
    }

    /// Shows what may be written at the cursor.
    pub fn refresh(self) {
        let Some(area) = self.area.get_untracked() else { return };
        let text = area.value();
        let at = area.selection_start().ok().flatten().map_or(text.len(), |units| byte_at(&text, units as usize));
        let offers = self.vocabulary.value().with_untracked(|known| match known {
            Some(Ok(vocabulary)) => complete(&text, at, vocabulary),
            // Until names are there, the words of the language are.
            _ => complete(&text, at, &Vocabulary::default()),
        });
        self.awaits_names.set_value(self.vocabulary.value().with_untracked(Option::is_none));
        self.chosen.set(None);
        self.shown.set(offers);
    }

    /// Takes the list away.
    pub fn close(self) {
        self.awaits_names.set_value(false);
        self.chosen.set(None);
        self.shown.set(Vec::new());
    }

    /// Answers a key; `true` if it was meant for the list.
    pub fn key(self, event: &KeyboardEvent) -> bool {
        let count = self.shown.with_untracked(Vec::len);
        let chosen = self.chosen.get_untracked();
        match event.key().as_str() {
            " " if event.ctrl_key() => self.refresh(),
            "ArrowDown" if count == 0 && event.alt_key() => self.refresh(),
            "ArrowDown" if count > 0 => self.choose(Some(chosen.map_or(0, |index| (index + 1) % count))),
            "ArrowUp" if count > 0 => self.choose(Some(chosen.map_or(count - 1, |index| (index + count - 1) % count))),
            "Enter" | "Tab" if chosen.is_some() => self.accept(chosen.unwrap_or_default()),
            "Escape" if count > 0 => self.close(),
            _ => return false,
        }
        true
    }

    fn choose(self, index: Option<usize>) {
        self.chosen.set(index);
    }

    /// Writes an offer into the text, and shows what may come after it.
    fn accept(self, index: usize) {
        let (Some(area), Some(offer)) =
            (self.area.get_untracked(), self.shown.with_untracked(|all| all.get(index).cloned()))
        else {
            return;
        };
        let mut text = area.value();
        if text.get(offer.span.start..offer.span.end).is_none() {
            return;
        }
        // What follows brings its own space.
        let after = &text[offer.span.end..];
        let put = if after.starts_with(' ') { offer.text.trim_end() } else { offer.text.as_str() };
        let before = text[..offer.span.start].encode_utf16().count() + put.encode_utf16().count();
        text.replace_range(offer.span.start..offer.span.end, put);
        area.set_value(&text);
        let caret = u32::try_from(before).unwrap_or(u32::MAX);
        // Fails only for kinds of input that hold no text.
        let _ = area.set_selection_range(caret, caret);
        self.value.set(text);
        self.refresh();
    }

    /// The list.
    pub fn view(self) -> impl IntoView {
        let option = move |(index, offer): (usize, Completion)| {
            view! {
                <li
                    role="option"
                    id=self.option_id(index)
                    class="offer"
                    aria-selected=move || (self.chosen.get() == Some(index)).to_string()
                    // The focus stays in the text.
                    on:mousedown=move |event| {
                        event.prevent_default();
                        self.accept(index);
                    }
                >
                    <code>{offer.text}</code>
                    <span class="text-muted">{offer.hint}</span>
                </li>
            }
        };
        view! {
            <ul
                role="listbox"
                id=self.id()
                class="offers"
                aria-label="What may be written here"
                hidden=move || self.shown.read().is_empty()
            >
                {move || self.shown.get().into_iter().enumerate().map(option).collect_view()}
            </ul>
        }
    }
}

/// The byte at which the browser's count of UTF-16 units ends.
fn byte_at(text: &str, units: usize) -> usize {
    let mut counted = 0;
    for (byte, c) in text.char_indices() {
        if counted >= units {
            return byte;
        }
        counted += c.len_utf16();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_count_becomes_bytes() {
        for (units, byte) in [(0, 0), (1, 2), (2, 3), (3, 7), (4, 7), (9, 7)] {
            assert_eq!(byte_at("éa😀", units), byte, "{units}");
        }
    }
}
