//! Attributes that are declared, and what each holds.

use crate::{
    api,
    components::{frame::viewer_may, *},
    pages::users::users_matching,
};
use domain::{
    attribute::{Attribute, AttributeForm},
    filter::AttributeKind,
    operator::Operation,
};
use leptos::prelude::*;
use leptos_router::components::A;

/// The list of attributes.
#[component]
pub fn Attributes() -> impl IntoView {
    let attributes = Resource::new(|| (), |()| api::attributes::list());
    let adding = RwSignal::new(false);
    let may_change = viewer_may(Operation::ContentWrite);
    let refetch = Callback::new(move |()| attributes.refetch());
    let add = move || {
        view! {
            <Show when=move || may_change.get()>
                <Button kind=ButtonKind::Primary on_click=move |_| adding.set(true)>
                    "Declare an attribute"
                </Button>
            </Show>
        }
    };
    view! {
        <Page
            title="Attributes"
            lead="What is known of people beside name and number. A declared attribute holds one kind of value, whichever way it comes."
            action=add
        >
            <Load
                resource=attributes
                skeleton=|| view! { <TableSkeleton columns=4 /> }
                view=move |attributes| list(attributes, may_change, refetch)
            />
        </Page>
        <Dialog open=adding title="Declare an attribute">
            <NewAttribute
                on_done=move || {
                    adding.set(false);
                    attributes.refetch();
                }
            />
        </Dialog>
    }
}

fn list(attributes: Vec<Attribute>, may_change: Signal<bool>, refetch: Callback<()>) -> AnyView {
    if attributes.is_empty() {
        return view! {
            <Empty title="Nothing is declared yet">
                "Attributes that are not declared take any value. Declare the ones you filter by, such as a city, an age or the date of a last order: then a wrong value is found out when it comes in."
            </Empty>
        }
        .into_any();
    }
    let row = move |attribute: Attribute| {
        let people = users_matching(&format!("{} is set", attribute.name));
        let (name, means) = (attribute.name.clone(), attribute.description.clone());
        let (holds, declared_at) = (attribute.kind.label(), attribute.created_at);
        view! {
            <tr>
                <td data-label="Name">
                    <A href=people attr:data-row="">
                        <code>{name}</code>
                    </A>
                </td>
                <td data-label="Holds">{holds}</td>
                <td data-label="Means">{means}</td>
                <td data-label="Declared">
                    <When at=declared_at />
                </td>
                <td>
                    <Show when=move || may_change.get()>
                        <TakeBack attribute=attribute.clone() refetch />
                    </Show>
                </td>
            </tr>
        }
    };
    view! {
        <Table label="Attributes" head=vec!["Name", "Holds", "Means", "Declared", ""]>
            {attributes.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}

#[component]
fn TakeBack(attribute: Attribute, refetch: Callback<()>) -> impl IntoView {
    let toasts = Toasts::here();
    let id = attribute.id;
    let name = attribute.name.clone();
    let delete = Action::new(move |(): &()| api::attributes::delete(id));
    Effect::new(move || match delete.value().get() {
        Some(Ok(())) => {
            toasts.say(Tone::Ok, format!("{name} is no longer declared; people keep their values"));
            refetch.run(());
        }
        Some(Err(error)) => toasts.say(Tone::Fail, error.detail().to_owned()),
        None => {}
    });
    view! {
        <Button
            kind=ButtonKind::Quiet
            pending=delete.pending()
            on_click=move |_| {
                delete.dispatch(());
            }
        >
            "Take back"
        </Button>
    }
}

#[component]
fn NewAttribute(on_done: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let toasts = Toasts::here();
    let (name, description) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let kind = RwSignal::new(AttributeKind::Text.to_string());
    let save = Action::new(|form: &AttributeForm| api::attributes::create(form.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(attribute)) = save.value().get() {
            toasts.say(Tone::Ok, format!("Declared {}", attribute.name));
            on_done();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch(AttributeForm {
            name: name.get_untracked(),
            kind: kind.get_untracked().parse().unwrap_or(AttributeKind::Text),
            description: description.get_untracked(),
        });
    };
    let kinds: Vec<Choice> =
        AttributeKind::ALL.iter().map(|kind| (kind.to_string(), kind.label().to_owned())).collect();
    view! {
        <form class="stack" on:submit=submit>
            <TextInput
                label="Name"
                name="attribute-name"
                value=name
                required=true
                placeholder="city"
                hint="What filters, templates and files call it: lower-case letters, digits and _."
                error=field_error(failure, "name")
            />
            <Select
                label="What it holds"
                name="attribute-kind"
                value=kind
                choices=kinds
                hint="Values that people have already are brought to this kind; if one cannot be, nothing changes."
                error=field_error(failure, "kind")
            />
            <TextInput
                label="What it means"
                name="attribute-description"
                value=description
                hint="For colleagues; may stay empty."
                error=field_error(failure, "description")
            />
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                    "Declare it"
                </Button>
            </div>
        </form>
    }
}
