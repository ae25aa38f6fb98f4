//! How the list is looked at: filter, order and columns, all of which stand in the address.

use crate::{
    api::{self, Failure},
    components::{frame::viewer_may, *},
    live,
};
use domain::{
    attribute::Attribute,
    operator::Operation,
    user::{UserColumn, UserColumns, UserSort, UserView, UserViewForm},
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, components::A, hooks::use_navigate, location::Url, params::ParamsMap};

/// What the list shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// Who.
    pub filter: String,
    /// In which order.
    pub sort: UserSort,
    /// Which columns.
    pub columns: UserColumns,
}

impl Look {
    /// As an address has it.
    pub fn of(query: &ParamsMap) -> Self {
        Self {
            filter: query.get("filter").unwrap_or_default(),
            sort: query.get("sort").and_then(|sort| sort.parse().ok()).unwrap_or_default(),
            columns: UserColumns::of(&query.get("columns").unwrap_or_default()),
        }
    }

    /// The look of a saved view.
    pub fn of_view(view: &UserView) -> Self {
        Self { filter: view.filter.clone(), sort: view.sort, columns: view.columns.clone() }
    }

    /// The address of its first page; what is usual is left out.
    pub fn address(&self) -> String {
        let mut query = Vec::new();
        if !self.filter.trim().is_empty() {
            query.push(format!("filter={}", Url::escape(&self.filter)));
        }
        if self.sort != UserSort::default() {
            query.push(format!("sort={}", self.sort));
        }
        if let Some(columns) = self.columns_in_address() {
            query.push(format!("columns={}", Url::escape(&columns)));
        }
        if query.is_empty() { "/users".to_owned() } else { format!("/users?{}", query.join("&")) }
    }

    /// The columns, if they are not the usual ones.
    pub fn columns_in_address(&self) -> Option<String> {
        (self.columns != UserColumns::default()).then(|| self.columns.to_string())
    }
}

/// The columns to choose from.
#[component]
pub fn ColumnsMenu(
    /// What the list shows.
    look: Memo<Look>,
    /// The declared attributes.
    attributes: Resource<Result<Vec<Attribute>, Failure>>,
) -> impl IntoView {
    let item = move |column: UserColumn| {
        let label = column.label().to_owned();
        let shown = {
            let column = column.clone();
            Memo::new(move |_| look.read().columns.has(&column))
        };
        let href = move || {
            let look = look.get();
            Look { columns: look.columns.toggled(&column), ..look }.address()
        };
        let words = {
            let label = label.clone();
            move || format!("{} the column {label}", if shown.get() { "Hide" } else { "Show" })
        };
        view! {
            <li>
                <A href attr:aria-label=words>
                    <span aria-hidden="true">{move || if shown.get() { "✓ " } else { "\u{2003}" }}</span>
                    {label}
                </A>
            </li>
        }
    };
    let items = move || {
        Suspend::new(async move {
            let declared = attributes.await.unwrap_or_default();
            let named = declared.into_iter().map(|attribute| UserColumn::Attribute(attribute.name));
            UserColumn::FIXED.into_iter().chain(named).map(item).collect_view()
        })
    };
    view! {
        <details class="columns-menu">
            <summary class="btn btn-quiet">"Columns"</summary>
            <ul class="columns-list">
                <Transition>{items}</Transition>
            </ul>
        </details>
    }
}

/// The saved views as tabs, and what can be done with them.
#[component]
pub fn Views(
    /// What the list shows.
    look: Memo<Look>,
) -> impl IntoView {
    let views = Resource::new(|| (), |()| api::user_views::list());
    live::on_changed("user_views", move || views.refetch());
    let saving = RwSignal::new(false);
    let may_save = viewer_may(Operation::ContentWrite);
    let shown = move || {
        Suspend::new(async move {
            let all = views.await.unwrap_or_default();
            let everyone = ("Everyone".to_owned(), Look::default(), None);
            let named = all.into_iter().map(|view| (view.name.clone(), Look::of_view(&view), Some(view)));
            std::iter::once(everyone)
                .chain(named)
                .map(|(name, its, view)| tab(look, name, its, view, may_save, views))
                .collect_view()
        })
    };
    view! {
        <nav class="tabs" aria-label="Views">
            <Transition>{shown}</Transition>
            <Show when=move || may_save.get()>
                <button type="button" class="tab" on:click=move |_| saving.set(true)>
                    "Save this view…"
                </button>
            </Show>
        </nav>
        <Dialog open=saving title="Save this view">
            <SaveView
                look
                on_done=move || {
                    saving.set(false);
                    views.refetch();
                }
            />
        </Dialog>
    }
}

fn tab(
    look: Memo<Look>,
    name: String,
    its: Look,
    view: Option<UserView>,
    may_save: Signal<bool>,
    views: Resource<Result<Vec<UserView>, Failure>>,
) -> impl IntoView {
    let href = its.address();
    let is_open = Memo::new(move |_| look.get() == its);
    let delete = view.map(|view| {
        view! {
            <Show when=move || may_save.get() && is_open.get()>
                <DeleteView view=view.clone() views />
            </Show>
        }
    });
    view! {
        <a class="tab" href=href aria-current=move || is_open.get().then_some("page")>
            {name}
        </a>
        {delete}
    }
}

#[component]
fn DeleteView(view: UserView, views: Resource<Result<Vec<UserView>, Failure>>) -> impl IntoView {
    let toasts = Toasts::here();
    let id = view.id;
    let name = view.name;
    let label = format!("Delete the view {name}");
    let delete = Action::new(move |(): &()| api::user_views::delete(id));
    Effect::new(move || match delete.value().get() {
        Some(Ok(())) => {
            toasts.say(Tone::Ok, format!("Deleted the view {name}"));
            views.refetch();
        }
        Some(Err(failure)) => toasts.say(Tone::Fail, failure.detail().to_owned()),
        None => {}
    });
    view! {
        <button
            type="button"
            class="btn btn-quiet"
            aria-label=label
            on:click=move |_| {
                delete.dispatch(());
            }
        >
            "×"
        </button>
    }
}

#[component]
fn SaveView(look: Memo<Look>, on_done: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let toasts = Toasts::here();
    let navigate = use_navigate();
    let name = RwSignal::new(String::new());
    let save = Action::new(move |name: &String| {
        let Look { filter, sort, columns } = look.get_untracked();
        api::user_views::save(UserViewForm { name: name.clone(), filter, sort, columns })
    });
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(view)) = save.value().get() {
            toasts.say(Tone::Ok, format!("Saved the view {}", view.name));
            on_done();
            // The filter was brought to its canonical text: the address follows, so that the view is the open one.
            navigate(&Look::of_view(&view).address(), NavigateOptions::default());
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch(name.get_untracked());
    };
    view! {
        <form class="stack" on:submit=submit>
            <p class="text-muted">"Filter, order and columns, for everyone of this workspace. A name that is there already is saved over."</p>
            <TextInput label="Name" name="view-name" value=name required=true error=field_error(failure, "name") />
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                    "Save the view"
                </Button>
            </div>
        </form>
    }
}
