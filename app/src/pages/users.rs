//! Users: the list, filtered by the filter language.

mod bulk;
mod look;

use crate::{
    api,
    components::{filter_input, frame::viewer_may, person::Consents, *},
    live,
};
use bulk::{BulkDialog, BulkProgress};
use domain::{
    attribute::shown,
    operator::Operation,
    page::{Page as Rows, PageRequest},
    user::{User, UserColumn, UserColumns, UserForm, UserSort},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::{A, Form},
    hooks::{use_navigate, use_query_map},
    location::Url,
};
use look::{ColumnsMenu, Look, Views};
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
    let look = Memo::new(move |_| Look::of(&query.read()));
    let after = Memo::new(move |_| query.read().get("after"));
    let text = RwSignal::new(look.get_untracked().filter);
    // Back and forward change the address under the input.
    Effect::new(move || text.set(look.get().filter));
    let users = Resource::new(
        move || (look.read().filter.clone(), look.read().sort, after.get()),
        |(filter, sort, after)| async move {
            // A text that does not parse is shown as such under the input; there is nothing to ask the server.
            if filter_input::problem(&filter).is_some() {
                return Ok(None);
            }
            api::users::list(filter, sort, PageRequest::after(after)).await.map(Some)
        },
    );
    live::on_changed("users", move || users.refetch());
    let (adding, changing) = (RwSignal::new(false), RwSignal::new(false));
    Effect::new(move || {
        if query.read().get("new").is_some() {
            adding.set(true);
        }
    });
    let may_add = viewer_may(Operation::UserWrite);
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
    view! {
        <Page title="Users" lead="The people who can receive messages." action=actions>
            <Views look />
            <Controls look text changing />
            <BulkProgress />
            <Load
                resource=users
                skeleton=|| view! { <TableSkeleton columns=5 /> }
                view=move |users| list(users, look)
            />
        </Page>
        <Dialog open=adding title="New user">
            <NewUser />
        </Dialog>
        <BulkDialog open=changing look />
    }
}

/// What the list is asked for, and what can be done with everyone in it.
#[component]
fn Controls(look: Memo<Look>, text: RwSignal<String>, changing: RwSignal<bool>) -> impl IntoView {
    let attributes = Resource::new(|| (), |()| api::attributes::list());
    let (may_export, may_change) = (viewer_may(Operation::UserExport), viewer_may(Operation::UserBulk));
    let export = move |format: &str| format!("/ui/users/export.{format}?filter={}", Url::escape(&look.read().filter));
    let is_filtered = move || !look.read().filter.trim().is_empty();
    let navigate = use_navigate();
    let sort = move |word: String| {
        let sort = word.parse().unwrap_or_default();
        navigate(&Look { sort, ..look.get_untracked() }.address(), NavigateOptions::default());
    };
    let order = move |one: &UserSort| {
        let one = *one;
        view! {
            <option value=one.as_str() selected=move || look.read().sort == one>
                {one.label()}
            </option>
        }
    };
    view! {
        <Form method="get" action="/users">
            <div class="toolbar">
                <div class="field-wide">
                    <FilterInput label="Filter" name="filter" value=text search=true />
                </div>
                <div class="field">
                    <label for="sort">"Order"</label>
                    <select class="input" id="sort" name="sort" on:change:target=move |event| sort(event.target().value())>
                        {UserSort::ALL.iter().map(order).collect_view()}
                    </select>
                </div>
                {move || {
                    let columns = look.read().columns_in_address();
                    columns.map(|columns| view! { <input type="hidden" name="columns" value=columns /> })
                }}
                <div class="actions">
                    <Button submit=true>"Filter"</Button>
                    <ColumnsMenu look attributes />
                    <Show when=move || may_change.get()>
                        <Button kind=ButtonKind::Quiet on_click=move |_| changing.set(true)>
                            "Change all…"
                        </Button>
                    </Show>
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
    }
}

fn list(users: Option<Rows<User>>, look: Memo<Look>) -> AnyView {
    let Some(users) = users else {
        return view! {
            <Empty title="The filter cannot be read">"What is wrong with it stands under the filter."</Empty>
        }
        .into_any();
    };
    if users.rows.is_empty() {
        return nobody(&look.get_untracked().filter);
    }
    let rows = StoredValue::new(users.rows);
    // The columns are chosen without asking for people again.
    let table = move || {
        let columns = look.read().columns.clone();
        let head: Vec<String> =
            std::iter::once("Name".to_owned()).chain(columns.iter().map(|column| column.label().to_owned())).collect();
        view! {
            <Table label="Users" head>
                {rows.get_value().into_iter().map(|user| row(user, &columns)).collect_view()}
            </Table>
        }
    };
    view! {
        {table}
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

fn row(user: User, columns: &UserColumns) -> impl IntoView + use<> {
    let (href, label) = (format!("/users/{}", user.id), user.label());
    let cells = columns.iter().map(|column| cell(&user, column)).collect_view();
    view! {
        <tr>
            <td data-label="Name">
                <A href attr:data-row="">
                    {label}
                </A>
            </td>
            {cells}
        </tr>
    }
}

fn cell(user: &User, column: &UserColumn) -> AnyView {
    let label = column.label().to_owned();
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    match column {
        UserColumn::Consent => view! {
            <td data-label=label>
                <Consents consents=user.consents.clone() />
            </td>
        }
        .into_any(),
        UserColumn::Created | UserColumn::Updated => {
            let at = if *column == UserColumn::Created { user.created_at } else { user.updated_at };
            view! {
                <td data-label=label>
                    <When at />
                </td>
            }
            .into_any()
        }
        UserColumn::Phone => view! { <td data-label=label class="nowrap">{number_or_id(user)}</td> }.into_any(),
        UserColumn::Locale => view! { <td data-label=label>{or_dash(&user.locale)}</td> }.into_any(),
        UserColumn::Zone => view! { <td data-label=label>{or_dash(&user.zone)}</td> }.into_any(),
        UserColumn::Attributes => view! { <td data-label=label class="text-muted">{summary(user)}</td> }.into_any(),
        UserColumn::Attribute(name) => {
            let value = user.attributes.get(name).map_or_else(|| "–".to_owned(), plain);
            view! { <td data-label=label>{value}</td> }.into_any()
        }
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
