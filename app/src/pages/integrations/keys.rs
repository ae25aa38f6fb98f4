//! Keys of the REST API.

use crate::{
    api,
    components::{secret::Secret, time, *},
    format,
};
use chrono::{DateTime, Utc};
use domain::api_key::{ApiKey, ApiKeyForm, LIFE_MAX_DAYS, NewApiKey, RATE_MAX_PER_SECOND, RATE_PER_SECOND, Scope};
use leptos::prelude::*;
use std::collections::BTreeSet;

/// The keys that hold, and those that no longer do.
#[component]
pub fn Keys(keys: Vec<ApiKey>, changed: Callback<()>) -> impl IntoView {
    let creating = RwSignal::new(false);
    let made = RwSignal::new(None::<NewApiKey>);
    let showing = RwSignal::new(false);
    // The list is read again once the secret was taken away: what is open over the page must not go with it.
    Effect::new(move |before: Option<bool>| {
        let open = showing.get();
        if before == Some(true) && !open {
            made.set(None);
            changed.run(());
        }
        open
    });
    let create = move || view! { <Button on_click=move |_| creating.set(true)>"Create a key"</Button> }.into_any();
    let on_made = move |key: NewApiKey| {
        creating.set(false);
        made.set(Some(key));
        showing.set(true);
    };
    view! {
        <Card title="API keys" aside=create flush=true>
            {list(keys, changed)}
        </Card>
        <Dialog open=creating title="Create a key">
            <NewKey on_made=on_made />
        </Dialog>
        <Dialog open=showing title="The key">
            {move || {
                made.get()
                    .map(|made| {
                        view! {
                            <div class="stack">
                                <p>
                                    {format!("{} may now do what you chose. Send it with every request, as ", made.key.name)}
                                    <code>"Authorization: Bearer …"</code> "."
                                </p>
                                <Secret label="Key" name="key-secret" secret=made.secret />
                                <div class="actions">
                                    <Button kind=ButtonKind::Primary on_click=move |_| showing.set(false)>
                                        "I have copied it"
                                    </Button>
                                </div>
                            </div>
                        }
                    })
            }}
        </Dialog>
    }
}

fn list(keys: Vec<ApiKey>, changed: Callback<()>) -> AnyView {
    if keys.is_empty() {
        return view! {
            <Empty title="No keys yet">
                "A shop, a form or a script gets a key of its own, with just the scopes that it needs. What it does stands in the audit log under its name."
            </Empty>
        }
        .into_any();
    }
    view! {
        <Table label="API keys" head=vec!["Name", "Begins with", "May", "State", "Last used", ""]>
            {keys.into_iter().map(|key| view! { <KeyRow key_=key changed /> }).collect_view()}
        </Table>
    }
    .into_any()
}

#[component]
fn KeyRow(key_: ApiKey, changed: Callback<()>) -> impl IntoView {
    let key = key_;
    let now = time::now();
    let (revoked, expires) = (key.revoked_at, key.expires_at);
    let state = move || match standing(revoked, expires, now.get()) {
        Standing::Holds => view! { <Badge tone=Tone::Ok word="Holds" /> },
        Standing::Over => view! { <Badge tone=Tone::Plain word="Over" /> },
        Standing::Revoked => view! { <Badge tone=Tone::Fail word="Taken back" /> },
    };
    let until = expires.map(|at| {
        view! {
            <span class="text-muted">
                " until " <When at exact=true />
            </span>
        }
    });
    let used = match key.last_used_at {
        Some(at) => view! { <When at /> }.into_any(),
        None => "Never".into_any(),
    };
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let rate =
        format!("at most {}", format::counted(key.rate_per_second.into(), "request a second", "requests a second"));
    let made = format!("Made by {}", key.created_by);
    let (name, prefix) = (key.name.clone(), format!("{}…", key.prefix));
    view! {
        <tr>
            <td data-label="Name" title=made>
                {name}
            </td>
            <td data-label="Begins with">
                <code>{prefix}</code>
            </td>
            <td data-label="May">
                <span>
                    {may(&scopes)} <span class="text-muted">{format!(", {rate}")}</span>
                </span>
            </td>
            <td data-label="State">{state} {until}</td>
            <td data-label="Last used">{used}</td>
            <td>{revoked.is_none().then(|| view! { <Revoke key_=key changed /> })}</td>
        </tr>
    }
}

/// What a key is by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Holds,
    Over,
    Revoked,
}

fn standing(revoked_at: Option<DateTime<Utc>>, expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Standing {
    match (revoked_at, expires_at) {
        (Some(_), _) => Standing::Revoked,
        (None, Some(at)) if at <= now => Standing::Over,
        _ => Standing::Holds,
    }
}

fn may(scopes: &[&str]) -> String {
    match scopes.len() {
        all if all == Scope::ALL.len() => "everything that keys may do".to_owned(),
        _ => scopes.join(", "),
    }
}

#[component]
fn Revoke(key_: ApiKey, changed: Callback<()>) -> impl IntoView {
    let key = key_;
    let toasts = Toasts::here();
    let (id, name) = (key.id, StoredValue::new(key.name));
    let asking = RwSignal::new(false);
    let revoke = Action::new(move |(): &()| api::api_keys::revoke(id));
    let failure = Signal::derive(move || revoke.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(key)) = revoke.value().get() {
            toasts.say(Tone::Ok, format!("{} may do nothing any more", key.name));
            asking.set(false);
            changed.run(());
        }
    });
    view! {
        <Button kind=ButtonKind::Quiet on_click=move |_| asking.set(true)>
            "Take back"
        </Button>
        <Dialog open=asking title="Take the key back?">
            <div class="stack">
                <p>
                    {format!("The next request with {} is refused. A key that was taken back cannot be given again.", name.get_value())}
                </p>
                <FailureNote failure />
                <div class="actions">
                    <Button on_click=move |_| asking.set(false)>"Go back"</Button>
                    <Button
                        kind=ButtonKind::Danger
                        pending=revoke.pending()
                        on_click=move |_| {
                            revoke.dispatch(());
                        }
                    >
                        "Take it back"
                    </Button>
                </div>
            </div>
        </Dialog>
    }
}

#[component]
fn NewKey(on_made: impl Fn(NewApiKey) + Clone + Send + Sync + 'static) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let days = RwSignal::new(String::new());
    let rate = RwSignal::new(RATE_PER_SECOND.to_string());
    let chosen = RwSignal::new(BTreeSet::<Scope>::new());
    let unreadable = RwSignal::new((None::<String>, None::<String>));
    let save = Action::new(|form: &ApiKeyForm| api::api_keys::create(form.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(made)) = save.value().get() {
            on_made(made);
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (life, pace) = (whole(&days.read_untracked()), whole(&rate.read_untracked()));
        unreadable.set((life.clone().err(), pace.clone().err()));
        if let (Ok(expires_in_days), Ok(rate_per_second)) = (life, pace) {
            let scopes = chosen.read_untracked().iter().copied().collect();
            save.dispatch(ApiKeyForm { name: name.get_untracked(), scopes, expires_in_days, rate_per_second });
        }
    };
    let wrong_days = move || unreadable.read().0.clone().or_else(|| failure.get()?.field("expires_in_days"));
    let wrong_rate = move || unreadable.read().1.clone().or_else(|| failure.get()?.field("rate_per_second"));
    view! {
        <form class="stack" on:submit=submit>
            <TextInput
                label="Name"
                name="key-name"
                value=name
                required=true
                placeholder="Shop"
                hint="Which program it is for: the audit log says it."
                error=field_error(failure, "name")
            />
            <Scopes chosen wrong=field_error(failure, "scopes") />
            <TextInput
                label="Holds for, in days"
                name="key-days"
                value=days
                input_mode="numeric"
                hint=format!("1 to {LIFE_MAX_DAYS}; empty for no end.")
                error=Signal::derive(wrong_days)
            />
            <TextInput
                label="Requests a second"
                name="key-rate"
                value=rate
                input_mode="numeric"
                hint=format!("1 to {RATE_MAX_PER_SECOND}.")
                error=Signal::derive(wrong_rate)
            />
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                    "Create it"
                </Button>
            </div>
        </form>
    }
}

/// A whole number, or nothing.
fn whole(text: &str) -> Result<Option<u32>, String> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| "a whole number".to_owned()),
    }
}

#[component]
fn Scopes(chosen: RwSignal<BTreeSet<Scope>>, wrong: Signal<Option<String>>) -> impl IntoView {
    let scope = move |scope: Scope| {
        let set = move |on: bool| {
            chosen.update(|chosen| {
                if on {
                    chosen.insert(scope);
                } else {
                    chosen.remove(&scope);
                }
            });
        };
        view! {
            <label class="check">
                <input
                    type="checkbox"
                    name="scope"
                    value=scope.as_str()
                    prop:checked=move || chosen.read().contains(&scope)
                    on:change:target=move |event| set(event.target().checked())
                />
                <span>
                    <code>{scope.as_str()}</code>
                    " "
                    <span class="text-muted">{scope.label()}</span>
                </span>
            </label>
        }
    };
    let all = move || chosen.read().len() == Scope::ALL.len();
    let toggle = move |_| {
        let none = all();
        chosen.set(if none { BTreeSet::new() } else { Scope::ALL.into_iter().collect() });
    };
    view! {
        <fieldset class="field">
            <legend>"May"</legend>
            <div class="choices">{Scope::ALL.map(scope).collect_view()}</div>
            <Button kind=ButtonKind::Quiet on_click=toggle>
                {move || if all() { "Choose none" } else { "Choose all" }}
            </Button>
            <p class="field-error" role="status">
                {move || wrong.get()}
            </p>
        </fieldset>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_holds_until_it_is_over_or_taken_back() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let now = at(100).unwrap();
        assert_eq!(standing(None, None, now), Standing::Holds);
        assert_eq!(standing(None, at(101), now), Standing::Holds);
        assert_eq!(standing(None, at(100), now), Standing::Over);
        assert_eq!(standing(at(1), at(50), now), Standing::Revoked);
    }

    #[test]
    fn numbers_may_be_left_out_but_not_be_words() {
        assert_eq!(whole(" "), Ok(None));
        assert_eq!(whole(" 30 "), Ok(Some(30)));
        assert!(whole("-1").is_err() && whole("soon").is_err());
    }
}
