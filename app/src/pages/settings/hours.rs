//! When people may be written to: the rules that ship, and the workspace's own.

use crate::{
    api,
    components::{
        Button, ButtonKind, Card, FailureNote, Table, TextInput, Toasts, Tone, failure::at_field, frame::viewer_may,
    },
};
use domain::{
    operator::Operation,
    quiet_hours::{QuietRules, Rule, Window},
};
use leptos::prelude::*;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The rule table.
#[component]
pub fn HoursSetting(
    /// As they hold now.
    rules: QuietRules,
    /// Called after a change.
    changed: Callback<()>,
) -> impl IntoView {
    let toasts = Toasts::here();
    let may_write = viewer_may(Operation::SettingWrite);
    let own = StoredValue::new(rules.own.clone());
    let save = Action::new(|own: &Vec<Rule>| api::settings::set_quiet_rules(own.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = save.value().get() {
            toasts.say(Tone::Ok, "Saved; the rules hold from the next message on");
            changed.run(());
        }
    });
    let remove = move |place: usize| {
        let mut left = own.get_value();
        left.remove(place);
        save.dispatch(left);
    };
    let row = move |(place, rule): (Option<usize>, Rule)| {
        let button = place.map(|place| {
            view! {
                <Show when=move || may_write.get()>
                    <Button kind=ButtonKind::Quiet pending=save.pending() on_click=move |_| remove(place)>
                        "Remove"
                    </Button>
                </Show>
            }
        });
        let source = if rule.source.is_empty() { "Our own default".to_owned() } else { rule.source.clone() };
        view! {
            <tr>
                <td data-label="Where">{place_of(&rule.jurisdiction)}</td>
                <td data-label="Allowed">{hours_of(&rule)}</td>
                <td data-label="From">{rule.valid_from.map(|day| day.to_string())}</td>
                <td data-label="Source">
                    {source}
                    <span class="block text-xs text-muted">{rule.note.clone()}</span>
                </td>
                <td data-label="">{button}</td>
            </tr>
        }
    };
    let shipped = rules.shipped.into_iter().map(|rule| (None, rule));
    let rows: Vec<_> =
        rules.own.into_iter().enumerate().map(|(place, rule)| (Some(place), rule)).chain(shipped).collect();
    view! {
        <Card title="Quiet hours">
            <div class="stack">
                <p class="text-muted">
                    "By the clock of each person. Every rule that applies must allow, so that a rule of your own can only make the day shorter. Where several zones are possible, all of them must allow. This is no legal advice."
                </p>
                <Table label="Rules" head=vec!["Where", "Allowed", "From", "Source", ""]>
                    {rows.into_iter().map(row).collect_view()}
                </Table>
                <FailureNote failure />
                <Show when=move || may_write.get()>
                    <Add own save />
                </Show>
            </div>
        </Card>
    }
}

fn place_of(jurisdiction: &str) -> String {
    if jurisdiction == "default" { "Everywhere".to_owned() } else { jurisdiction.to_owned() }
}

/// The days of a rule with their windows, equal neighbours together: `Mon–Sat 08:00-21:00; Sun never`.
fn hours_of(rule: &Rule) -> String {
    let words = |window: Option<Window>| window.map_or("never".to_owned(), |window| window.to_string());
    let mut parts: Vec<(usize, usize, String)> = Vec::new();
    for (day, window) in rule.windows.iter().enumerate() {
        let window = words(*window);
        match parts.last_mut() {
            Some((_, last, known)) if *known == window => *last = day,
            _ => parts.push((day, day, window)),
        }
    }
    let told = parts.into_iter().map(|(first, last, window)| match (first, last) {
        (0, 6) => format!("Every day {window}"),
        (first, last) if first == last => format!("{} {window}", DAYS[first]),
        (first, last) => format!("{}–{} {window}", DAYS[first], DAYS[last]),
    });
    told.collect::<Vec<_>>().join("; ")
}

#[component]
fn Add(own: StoredValue<Vec<Rule>>, save: Action<Vec<Rule>, Result<(), api::Failure>>) -> impl IntoView {
    let (place, source, note) =
        (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (from, to) = (RwSignal::new("09:00".to_owned()), RwSignal::new("20:00".to_owned()));
    let since = RwSignal::new(String::new());
    let days = RwSignal::new([true; 7]);
    let unreadable = RwSignal::new(None::<String>);
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    // The rule that is added stands last.
    let field = move |name: &'static str| {
        Signal::derive(move || failure.get()?.field(&format!("own/{}/{name}", own.with_value(Vec::len))))
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let window = format!("{}-{}", from.read_untracked(), to.read_untracked()).parse::<Window>();
        let window = match window {
            Ok(window) => window,
            Err(error) => {
                unreadable.set(Some(error.to_string()));
                return;
            }
        };
        unreadable.set(None);
        let on = days.get_untracked();
        let mut rules = own.get_value();
        rules.push(Rule {
            jurisdiction: place.get_untracked().trim().to_owned(),
            windows: std::array::from_fn(|day| on[day].then_some(window)),
            valid_from: since.read_untracked().parse().ok(),
            source: source.get_untracked(),
            note: note.get_untracked(),
        });
        save.dispatch(rules);
    };
    let day = move |day: usize| {
        view! {
            <label class="check">
                <input
                    type="checkbox"
                    checked=true
                    prop:checked=move || days.read()[day]
                    on:change:target=move |event| days.update(|days| days[day] = event.target().checked())
                />
                <span>{DAYS[day]}</span>
            </label>
        }
    };
    view! {
        <form class="stack" on:submit=submit>
            <h3 class="font-medium">"A rule of your own"</h3>
            <div class="grid-3">
                <TextInput
                    label="Where"
                    name="rule-place"
                    value=place
                    placeholder="US-WA"
                    autocomplete="off"
                    hint="A country as DE, a state as US-WA, or default for everywhere."
                    error=field("jurisdiction")
                />
                <TextInput
                    label="Not before"
                    name="rule-from"
                    kind="time"
                    value=from
                    error=Signal::derive(move || unreadable.get())
                />
                <TextInput label="Not after" name="rule-to" kind="time" value=to />
                <TextInput label="Holds from" name="rule-since" kind="date" value=since hint="Empty: always." />
                <TextInput
                    label="Source"
                    name="rule-source"
                    value=source
                    autocomplete="off"
                    hint="The statute, or whose word it is."
                    error=field("source")
                />
                <TextInput label="Note" name="rule-note" value=note autocomplete="off" error=field("note") />
            </div>
            <fieldset class="flex flex-wrap gap-x-4">
                <legend class="text-sm font-medium">"Days on which it allows anything"</legend>
                {(0..7).map(day).collect_view()}
                <p class="field-error" role="status">
                    {move || at_field(failure, "own").get().or_else(|| field("windows").get())}
                </p>
            </fieldset>
            <div class="actions">
                <Button submit=true pending=save.pending()>
                    "Add the rule"
                </Button>
            </div>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_in_words() {
        let window: Window = "08:00-21:00".parse().expect("a window");
        let mut rule = Rule::daily("US", window);
        assert_eq!(hours_of(&rule), "Every day 08:00-21:00");
        rule.windows[6] = None;
        assert_eq!(hours_of(&rule), "Mon–Sat 08:00-21:00; Sun never");
        rule.windows[5] = "10:00-12:00".parse().ok();
        assert_eq!(hours_of(&rule), "Mon–Fri 08:00-21:00; Sat 10:00-12:00; Sun never");
    }
}
