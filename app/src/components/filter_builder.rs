//! A filter put together from rows, beside its text: either edits the other. What the rows cannot say stays a row of text, so
//! that nothing of a filter is lost by looking at it here.

use super::{Button, ButtonKind};
use domain::filter::{self, Condition, Expr, Filter, Test};
use leptos::prelude::*;

/// Beginnings of a condition to choose from, as the language writes them.
const BEGINNINGS: [(&str, &str); 14] = [
    ("consent.sms = opted_in", "Opted in to SMS"),
    ("consent.whatsapp = opted_in", "Opted in to WhatsApp"),
    ("subscribed to \"\"", "Follows the topic…"),
    ("tag = \"\"", "Has the tag…"),
    ("name ~ \"\"", "Name contains…"),
    ("locale = \"\"", "Language is…"),
    ("zone = \"\"", "Time zone is…"),
    ("created >= 2026-01-01", "Known since…"),
    ("messaged within 7 days", "Messaged within…"),
    ("delivered within 30 days", "Got a message within…"),
    ("read within 30 days", "Read within…"),
    ("replied within 30 days", "Replied within…"),
    ("failed within 30 days", "A message failed within…"),
    ("imported within 30 days", "Imported within…"),
];

/// One row: a condition's text, and whether it must not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    not: bool,
    text: String,
}

/// Rows that must all hold, or any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    all: bool,
    rows: Vec<Row>,
}

/// A filter as groups: within a group one word, between groups the other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Built {
    /// Whether all groups must match; within each, any row then.
    all: bool,
    groups: Vec<Group>,
}

impl Built {
    fn of(filter: &Filter) -> Self {
        let Some(expr) = filter.expr() else { return Self { all: true, groups: Vec::new() } };
        let (all, parts) = match expr {
            Expr::Any(parts) => (false, parts.as_slice()),
            Expr::All(parts) => (true, parts.as_slice()),
            one => (true, std::slice::from_ref(one)),
        };
        let group = |part: &Expr| match part {
            Expr::All(rows) => Group { all: true, rows: rows.iter().map(row).collect() },
            Expr::Any(rows) => Group { all: false, rows: rows.iter().map(row).collect() },
            one => Group { all: !all, rows: vec![row(one)] },
        };
        Self { all, groups: parts.iter().map(group).collect() }
    }

    /// The text that the rows make; unfinished ones are written as they stand.
    fn text(&self) -> String {
        let word = |all: bool| if all { " and " } else { " or " };
        let groups: Vec<String> = self
            .groups
            .iter()
            .filter(|group| !group.rows.is_empty())
            .map(|group| {
                let rows: Vec<String> = group.rows.iter().map(Row::text).collect();
                let text = rows.join(word(group.all));
                if rows.len() > 1 { format!("({text})") } else { text }
            })
            .collect();
        groups.join(word(self.all))
    }
}

impl Row {
    fn text(&self) -> String {
        if self.not { format!("not ({})", self.text) } else { self.text.clone() }
    }
}

fn row(expr: &Expr) -> Row {
    match expr {
        Expr::Not(inner) => Row { not: true, text: written(inner) },
        other => Row { not: false, text: written(other) },
    }
}

/// An expression in the language's own words.
fn written(expr: &Expr) -> String {
    Filter::new(expr.clone()).map(|filter| filter.to_string()).unwrap_or_default()
}

/// What a row asks, in a few words, so that rows can be read at a glance.
fn kind(text: &str) -> &'static str {
    let parsed = filter::parse(text);
    let first = parsed.as_ref().ok().and_then(|filter| filter.conditions().into_iter().next().cloned());
    match first {
        None => "Unfinished",
        Some(Condition { test: Test::Happened { .. }, .. }) => "Behaviour",
        Some(Condition { test: Test::Subscribed { .. }, .. }) => "Topic",
        Some(Condition { test: Test::Presence { .. }, .. }) => "Known or not",
        Some(Condition { test: Test::Compare { field: filter::Field::Consent(_), .. }, .. }) => "Consent",
        Some(_) => "Value",
    }
}

/// The builder over a filter's text.
#[component]
pub fn FilterBuilder(
    /// The filter's text.
    value: RwSignal<String>,
) -> impl IntoView {
    let built = RwSignal::new(Built { all: true, groups: Vec::new() });
    // What the builder itself wrote last: an echo of that is no change from outside.
    let wrote = StoredValue::new(None::<String>);
    Effect::new(move || {
        let text = value.get();
        if wrote.get_value().as_ref() == Some(&text) {
            return;
        }
        if let Ok(filter) = filter::parse(&text) {
            built.set(Built::of(&filter));
        }
    });
    let change = move |act: &dyn Fn(&mut Built)| {
        built.update(|built| act(built));
        let text = built.with_untracked(Built::text);
        wrote.set_value(Some(text.clone()));
        value.set(text);
    };
    let change = StoredValue::new_local(std::rc::Rc::new(change) as std::rc::Rc<dyn Fn(&dyn Fn(&mut Built))>);
    let edit = move |act: &dyn Fn(&mut Built)| change.with_value(|change| change(act));
    let shape =
        Memo::new(move |_| built.with(|built| built.groups.iter().map(|group| group.rows.len()).collect::<Vec<_>>()));
    let groups = move || {
        let shape = shape.get();
        let count = shape.len();
        (0..count)
            .map(|at| {
                let between = (at > 0).then(|| {
                    view! { <p class="text-muted">{move || if built.read().all { "and" } else { "or" }}</p> }
                });
                view! {
                    {between}
                    <GroupRows built at rows=shape[at] edit=Callback::new(move |act: Act| edit(&*act.0)) />
                }
            })
            .collect_view()
    };
    view! {
        <div class="builder stack-tight" role="group" aria-label="Conditions">
            <Show when=move || 1 < shape.read().len()>
                <label class="check">
                    <select
                        class="input"
                        aria-label="Between groups"
                        on:change:target=move |event| {
                            let all = event.target().value() == "all";
                            edit(&move |built| {
                                built.all = all;
                                built.groups.iter_mut().for_each(|group| group.all = !all);
                            });
                        }
                    >
                        <option value="all" selected=move || built.read().all>
                            "All groups must match"
                        </option>
                        <option value="any" selected=move || !built.read().all>
                            "Any group may match"
                        </option>
                    </select>
                </label>
            </Show>
            {groups}
            <div class="actions">
                <AddRow
                    label="Add a condition"
                    chosen=Callback::new(move |text: String| {
                        edit(&move |built| {
                            let all = !built.all;
                            built.groups.push(Group { all, rows: vec![Row { not: false, text: text.clone() }] });
                        });
                    })
                />
            </div>
        </div>
    }
}

/// A change of what is built, on its way up.
#[derive(Clone)]
struct Act(std::sync::Arc<dyn Fn(&mut Built) + Send + Sync>);

impl Act {
    fn new(act: impl Fn(&mut Built) + Send + Sync + 'static) -> Self {
        Self(std::sync::Arc::new(act))
    }
}

#[component]
fn GroupRows(built: RwSignal<Built>, at: usize, rows: usize, edit: Callback<Act>) -> impl IntoView {
    let of = move |row: usize| built.with(|built| built.groups.get(at).and_then(|group| group.rows.get(row)).cloned());
    let one = move |row: usize| {
        let text = Memo::new(move |_| of(row).map(|row| row.text).unwrap_or_default());
        let not = Memo::new(move |_| of(row).is_some_and(|row| row.not));
        let wrong = Memo::new(move |_| filter::parse(&text.read()).err().map(|error| error.message));
        let set = move |act: fn(&mut Row, String), value: String| {
            edit.run(Act::new(move |built| {
                if let Some(row) = built.groups.get_mut(at).and_then(|group| group.rows.get_mut(row)) {
                    act(row, value.clone());
                }
            }));
        };
        let joint = move || if built.read().groups.get(at).is_some_and(|group| group.all) { "and" } else { "or" };
        view! {
            <li class="builder-row">
                <span class="text-muted text-xs">{move || if row == 0 { "" } else { joint() }}</span>
                <select
                    class="input"
                    aria-label="Holds or not"
                    on:change:target=move |event| {
                        set(|row, value| row.not = value == "not", event.target().value());
                    }
                >
                    <option value="" selected=move || !not.get()>
                        "is so"
                    </option>
                    <option value="not" selected=move || not.get()>
                        "is not so"
                    </option>
                </select>
                <input
                    class="input input-code"
                    aria-label=move || format!("Condition: {}", kind(&text.read()))
                    aria-invalid=move || wrong.read().is_some().then_some("true")
                    title=move || wrong.get().unwrap_or_default()
                    prop:value=move || text.get()
                    on:change:target=move |event| set(|row, value| row.text = value, event.target().value())
                />
                <Button
                    kind=ButtonKind::Quiet
                    on_click=move |_| {
                        edit.run(
                            Act::new(move |built| {
                                if let Some(group) = built.groups.get_mut(at) {
                                    group.rows.remove(row);
                                    if group.rows.is_empty() {
                                        built.groups.remove(at);
                                    }
                                }
                            }),
                        );
                    }
                >
                    "Remove"
                </Button>
            </li>
        }
    };
    let add = Callback::new(move |text: String| {
        edit.run(Act::new(move |built| {
            if let Some(group) = built.groups.get_mut(at) {
                group.rows.push(Row { not: false, text: text.clone() });
            }
        }));
    });
    view! {
        <div class="builder-group">
            <ul class="stack-tight">{(0..rows).map(one).collect_view()}</ul>
            <AddRow
                label=Signal::derive(move || {
                    let all = built.read().groups.get(at).is_some_and(|group| group.all);
                    if all { "and also…" } else { "or…" }.to_owned()
                })
                chosen=add
            />
        </div>
    }
}

#[component]
fn AddRow(#[prop(into)] label: Signal<String>, chosen: Callback<String>) -> impl IntoView {
    let options = BEGINNINGS.iter().map(|(text, words)| view! { <option value=*text>{*words}</option> }).collect_view();
    view! {
        <select
            class="input builder-add"
            aria-label=move || label.get()
            on:change:target=move |event| {
                let select = event.target();
                let text = select.value();
                select.set_value("");
                if !text.is_empty() {
                    chosen.run(text);
                }
            }
        >
            <option value="">{move || label.get()}</option>
            {options}
            <option value="city = \"\"">"Another attribute…"</option>
        </select>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_make_the_filter_that_they_came_from() {
        for text in [
            "",
            "age >= 30",
            "not messaged within 7 days",
            "age >= 30 and city = \"Bonn\"",
            "a = 1 or b = 2",
            "consent.sms = opted_in and (tag = \"vip\" or not city = \"Bonn\")",
            "(a = 1 and b = 2) or (c = 3 and not d = 4)",
            "a = 1 and not (b = 2 or c = 3)",
            "a = 1 and (b = 2 or (c = 3 and d = 4))",
        ] {
            let filter = filter::parse(text).expect(text);
            let again = filter::parse(&Built::of(&filter).text()).expect(text);
            assert_eq!(again, filter, "{text}");
        }
    }

    #[test]
    fn every_beginning_is_nearly_a_condition() {
        for (text, words) in BEGINNINGS {
            let filled = text.replace("\"\"", "\"x\"");
            assert!(filter::parse(&filled).is_ok(), "{words}: {filled}");
        }
    }
}
