//! One's own account.

use crate::{
    api,
    components::{frame, *},
};
use domain::operator::Viewer;
use leptos::prelude::*;

/// The fewest characters of a password (ASVS 5.0, 6.2.1); the server holds it too.
const MIN_PASSWORD_CHARS: usize = 8;

/// The account page.
#[component]
pub fn Account() -> impl IntoView {
    let viewer = frame::viewer();
    let refetch = Callback::new(move |()| viewer.refetch());
    view! {
        <Page title="Account">
            <Load
                resource=viewer
                skeleton=|| view! { <LinesSkeleton lines=6 /> }
                view=move |viewer: Viewer| {
                    let has_password = viewer.operator.has_password;
                    let email = viewer.operator.email.clone();
                    view! {
                        <div class="grid-2">
                            <Whoami viewer />
                            <PasswordCard email has_password refetch />
                        </div>
                    }
                }
            />
        </Page>
    }
}

#[component]
fn Whoami(viewer: Viewer) -> impl IntoView {
    let may = viewer.operations.iter().map(|operation| view! { <li>{operation.label()}</li> }).collect_view();
    view! {
        <Card title="You">
            <Facts>
                <Fact name="Name">{viewer.operator.name}</Fact>
                <Fact name="E-mail address">{viewer.operator.email}</Fact>
                <Fact name="Role">{viewer.operator.role.label()}</Fact>
                <Fact name="Since">
                    <When at=viewer.operator.created_at exact=true />
                </Fact>
                <Fact name="You may">
                    <ul>{may}</ul>
                </Fact>
            </Facts>
        </Card>
    }
}

#[component]
fn PasswordCard(email: String, has_password: bool, refetch: Callback<()>) -> impl IntoView {
    let toasts = Toasts::here();
    let (old, new, again) = (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(String::new()));
    let save =
        Action::new(|(old, new): &(Option<String>, String)| api::operators::set_password(old.clone(), new.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = save.value().get() {
            toasts.say(Tone::Ok, "The password is set");
            for field in [old, new, again] {
                field.set(String::new());
            }
            refetch.run(());
        }
    });
    let differs = Signal::derive(move || {
        let differs = !again.read().is_empty() && *again.read() != *new.read();
        differs.then(|| "The two are not the same.".to_owned())
    });
    let incomplete =
        Signal::derive(move || new.read().chars().count() < MIN_PASSWORD_CHARS || *again.read() != *new.read());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if !incomplete.get_untracked() {
            save.dispatch((has_password.then(|| old.get_untracked()), new.get_untracked()));
        }
    };
    view! {
        <Card title=if has_password { "Change the password" } else { "Set a password" }>
            <form class="stack" on:submit=submit>
                // For password managers, so that they know whose password it is.
                <input type="email" name="email" value=email autocomplete="username" readonly hidden />
                {has_password
                    .then(|| {
                        view! {
                            <TextInput
                                label="Present password"
                                name="old"
                                kind="password"
                                value=old
                                required=true
                                autocomplete="current-password"
                                error=field_error(failure, "old")
                            />
                        }
                    })}
                <TextInput
                    label="New password"
                    name="new"
                    kind="password"
                    value=new
                    required=true
                    autocomplete="new-password"
                    hint="At least 8 characters. A few words are easier to remember than a few signs."
                    error=field_error(failure, "new")
                />
                <TextInput
                    label="New password again"
                    name="again"
                    kind="password"
                    value=again
                    required=true
                    autocomplete="new-password"
                    error=differs
                />
                <FailureNote failure />
                <div class="actions">
                    <Button kind=ButtonKind::Primary submit=true pending=save.pending() disabled=incomplete>
                        {if has_password { "Change the password" } else { "Set the password" }}
                    </Button>
                </div>
            </form>
        </Card>
    }
}
