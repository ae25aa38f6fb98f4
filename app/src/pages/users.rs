//! Users: the list, filtered by the filter language.

use crate::{
    api,
    components::{filter_input, frame::viewer_may, person::Consents, *},
    live,
};
use domain::{
    attribute::shown,
    operator::Operation,
    page::{Page as Rows, PageRequest},
    user::{User, UserForm},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::{A, Form},
    hooks::{use_navigate, use_query_map},
    location::Url,
};
use serde_json::Value;

/// How many attributes the list names; the rest are counted.
const ATTRIBUTES_SHOWN: usize = 3;

/// The address of the list of those who match a filter.
pub fn users_matching(filter: &str) -> String {
    format!("/users?filter={}", Url::escape(filter))
}

/// The list of users.
#[component]
pub fn Users() -> impl IntoView {
    let query = use_query_map();
    let wanted = Memo::new(move |_| {
        let query = query.read();
        (query.get("filter").unwrap_or_default(), query.get("after"))
    });
    let text = RwSignal::new(wanted.get_untracked().0);
    // Back and forward change the address under the input.
    Effect::new(move || text.set(wanted.get().0));
    let users = Resource::new(
        move || wanted.get(),
        |(filter, after)| async move {
            // A text that does not parse is shown as such under the input; there is nothing to ask the server.
            if filter_input::problem(&filter).is_some() {
                return Ok(None);
            }
            api::users::list(filter, PageRequest::after(after)).await.map(Some)
        },
    );
    live::on_changed("users", move || users.refetch());
    let adding = RwSignal::new(false);
    Effect::new(move || {
        if query.read().get("new").is_some() {
            adding.set(true);
        }
    });
    let (may_add, may_export) = (viewer_may(Operation::UserWrite), viewer_may(Operation::UserExport));
    let export = move |format: &str| format!("/ui/users/export.{format}?filter={}", Url::escape(&wanted.read().0));
    let actions = move || {
        view! {
            <LinkButton href="/import">"Import"</LinkButton>
            <Show when=move || may_add.get()>
                <Button kind=ButtonKind::Primary on_click=move |_| adding.set(true)>
                    "New user"
                </Button>
            </Show>
        }
    };
    let is_filtered = move || !wanted.read().0.trim().is_empty();
    view! {
        <Page title="Users" lead="The people who can receive messages." action=actions>
            <Form method="get" action="/users">
                <div class="toolbar">
                    <div class="field-wide">
                        <FilterInput label="Filter" name="filter" value=text search=true />
                    </div>
                    <div class="actions">
                        <Button submit=true>"Filter"</Button>
                        <Show when=move || may_export.get()>
                            <a class="btn btn-quiet" href=move || export("csv") download rel="external">
                                "Export CSV"
                            </a>
                            <a class="btn btn-quiet" href=move || export("jsonl") download rel="external">
                                "JSON lines"
                            </a>
                        </Show>
                        <Show when=is_filtered>
                            <LinkButton kind=ButtonKind::Quiet href="/users">
                                "Clear"
                            </LinkButton>
                        </Show>
                    </div>
                </div>
            </Form>
            <Load
                resource=users
                skeleton=|| view! { <TableSkeleton columns=5 /> }
                view=move |users| list(users, wanted.get_untracked().0)
            />
        </Page>
        <Dialog open=adding title="New user">
            <NewUser />
        </Dialog>
    }
}

fn list(users: Option<Rows<User>>, filter: String) -> AnyView {
    let Some(users) = users else {
        return view! {
            <Empty title="The filter cannot be read">"What is wrong with it stands under the filter."</Empty>
        }
        .into_any();
    };
    if users.rows.is_empty() {
        return nobody(&filter);
    }
    view! {
        <Table label="Users" head=vec!["Name", "Phone", "Consent", "Attributes", "Added"]>
            {users.rows.into_iter().map(row).collect_view()}
        </Table>
        <NextPage next=users.next />
    }
    .into_any()
}

fn nobody(filter: &str) -> AnyView {
    if filter.trim().is_empty() {
        view! {
            <Empty title="Nobody here yet" action=|| view! { <LinkButton href="/import" kind=ButtonKind::Primary>"Import a file"</LinkButton> }>
                "Users are the people you write to. Import a CSV or JSON file with their numbers and how they agreed to hear from you, or add them one by one."
            </Empty>
        }
        .into_any()
    } else {
        view! {
            <Empty title="Nobody matches" action=|| view! { <LinkButton href="/users">"Show everyone"</LinkButton> }>
                "No user matches this filter now."
            </Empty>
        }
        .into_any()
    }
}

fn row(user: User) -> impl IntoView {
    let (href, label) = (format!("/users/{}", user.id), user.label());
    let (number, attributes) = (number_or_id(&user), summary(&user));
    view! {
        <tr>
            <td data-label="Name">
                <A href attr:data-row="">
                    {label}
                </A>
            </td>
            <td data-label="Phone" class="nowrap">
                {number}
            </td>
            <td data-label="Consent">
                <Consents consents=user.consents />
            </td>
            <td data-label="Attributes" class="text-muted">
                {attributes}
            </td>
            <td data-label="Added">
                <When at=user.created_at />
            </td>
        </tr>
    }
}

/// The number in full, for operators who may see users; else the WhatsApp id.
pub fn number_or_id(user: &User) -> String {
    let number = user.phone.as_ref().map(ToString::to_string);
    number.or_else(|| user.whatsapp_id.clone()).unwrap_or_else(|| "–".to_owned())
}

/// A value of an attribute as people read it.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}

fn summary(user: &User) -> String {
    let shown = user.attributes.iter().take(ATTRIBUTES_SHOWN);
    let mut parts: Vec<String> = shown.map(|(name, value)| format!("{name}: {}", plain(value))).collect();
    if user.attributes.len() > ATTRIBUTES_SHOWN {
        parts.push(format!("{} more", user.attributes.len() - ATTRIBUTES_SHOWN));
    }
    parts.join(" · ")
}

/// The fields of a user's identity, and what was refused of them.
#[derive(Clone, Copy)]
pub struct Identity {
    phone: RwSignal<String>,
    name: RwSignal<String>,
    locale: RwSignal<String>,
    zone: RwSignal<String>,
    attributes: StoredValue<Vec<(String, RwSignal<String>)>>,
}

impl Identity {
    /// Fields that hold what is known.
    pub fn new(form: UserForm) -> Self {
        Self {
            phone: RwSignal::new(form.phone),
            name: RwSignal::new(form.name),
            locale: RwSignal::new(form.locale),
            zone: RwSignal::new(form.zone),
            attributes: StoredValue::new(
                form.attributes
                    .unwrap_or_default()
                    .iter()
                    .map(|(name, value)| (name.clone(), RwSignal::new(shown(value))))
                    .collect(),
            ),
        }
    }

    /// What they hold.
    pub fn form(self) -> UserForm {
        UserForm {
            phone: self.phone.get_untracked(),
            name: self.name.get_untracked(),
            locale: self.locale.get_untracked(),
            zone: self.zone.get_untracked(),
            attributes: Some(
                self.attributes
                    .get_value()
                    .into_iter()
                    .map(|(name, value)| (name, Value::String(value.get_untracked())))
                    .collect(),
            ),
        }
    }

    /// The controls.
    pub fn controls(self, failure: Signal<Option<api::Failure>>) -> impl IntoView {
        let attributes = self.attributes.get_value().into_iter().map(move |(name, value)| {
            let path = format!("attributes/{name}");
            let error = Signal::derive(move || failure.get().and_then(|failure| failure.field(&path)));
            view! { <TextInput label=name.clone() name=format!("attribute-{name}") value error=error /> }
        });
        let attributes = attributes.collect_view();
        view! {
            <TextInput
                label="Phone number"
                name="phone"
                kind="tel"
                value=self.phone
                placeholder="+94 77 123 4567"
                hint="With + and the country code."
                error=field_error(failure, "phone")
            />
            <TextInput label="Name" name="name" value=self.name error=field_error(failure, "name") />
            <TextInput
                label="Language"
                name="locale"
                value=self.locale
                placeholder="si-LK"
                hint="As a language tag; empty if not known."
                error=field_error(failure, "locale")
            />
            <TextInput
                label="Time zone"
                name="zone"
                value=self.zone
                placeholder="Asia/Colombo"
                hint="Quiet hours follow it. If empty, they follow every zone that the number allows."
                error=field_error(failure, "zone")
            />
            {attributes}
        }
    }
}

#[component]
fn NewUser() -> impl IntoView {
    let navigate = use_navigate();
    let identity = Identity::new(UserForm::default());
    let save = Action::new(|form: &UserForm| api::users::create(form.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(user)) = save.value().get() {
            navigate(&format!("/users/{}", user.id), NavigateOptions::default());
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch(identity.form());
    };
    view! {
        <form class="stack" on:submit=submit>
            {identity.controls(failure)}
            <p class="text-muted">"A new user has no consent yet; record it on the user's page, with evidence."</p>
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                    "Add the user"
                </Button>
            </div>
        </form>
    }
}
