//! Templates: the texts that campaigns send.

pub mod draft;
pub mod editor;
pub mod judgement;
pub mod previews;

use crate::{
    api,
    components::{
        Badge, Button, ButtonKind, Card, Dialog, Empty, FailureNote, LinesSkeleton, LinkButton, Load, Page, Select,
        Table, TableSkeleton, TestSend, Toasts, Tone, When, frame::viewer_may,
    },
};
use domain::{
    ids::TemplateId,
    operator::Operation,
    phone::Channel,
    template::{Template, TemplateForm, TemplateView},
};
use draft::Draft;
use editor::Editor;
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::A,
    hooks::{use_navigate, use_query_map},
};
use previews::Previews;

/// What the URL asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// `/templates`
    List,
    /// `?new=1`
    New,
    /// `?id=…`
    One(TemplateId),
}

/// The templates page.
#[component]
pub fn Templates() -> impl IntoView {
    let query = use_query_map();
    let shown = Memo::new(move |_| {
        let query = query.read();
        match query.get_str("id").and_then(|id| id.parse().ok()) {
            Some(id) => Shown::One(id),
            None if query.get_str("new").is_some() => Shown::New,
            None => Shown::List,
        }
    });
    move || match shown.get() {
        Shown::List => view! { <List /> }.into_any(),
        Shown::New => view! { <Write template=None /> }.into_any(),
        Shown::One(id) => view! { <Change id /> }.into_any(),
    }
}

fn new_template() -> impl IntoView {
    view! {
        <LinkButton href="/templates?new=1" kind=ButtonKind::Primary>
            "New template"
        </LinkButton>
    }
}

#[component]
fn List() -> impl IntoView {
    let templates = Resource::new(|| (), |()| api::templates::list());
    let may_write = viewer_may(Operation::ContentWrite);
    view! {
        <Page
            title="Templates"
            lead="The texts that campaigns send. A launched campaign keeps the version it was launched with."
            action=move || view! { <Show when=move || may_write.get()>{new_template()}</Show> }
        >
            <Load resource=templates skeleton=|| view! { <TableSkeleton columns=4 /> } view=table />
        </Page>
    }
}

fn table(templates: Vec<TemplateView>) -> impl IntoView {
    if templates.is_empty() {
        return view! {
            <Empty title="No templates yet" action=|| new_template().into_any()>
                "A template is a text with variables, such as the person's name, that are filled in for everyone. WhatsApp templates point to a text that WhatsApp approved."
            </Empty>
        }
        .into_any();
    }
    view! {
        <Table label="Templates" head=vec!["Name", "Channel", "Text", "Version", "Changed"]>
            {templates.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}

fn row(template: TemplateView) -> impl IntoView {
    let tags: Vec<_> = template.locales.keys().map(String::as_str).collect();
    let languages = (!tags.is_empty())
        .then(|| view! { <span class="block text-xs text-muted">{format!("Also in {}", tags.join(", "))}</span> });
    let fault = Template::parse(&template.body).is_err().then(|| view! { <Badge tone=Tone::Fail word="Wrong" /> });
    view! {
        <tr>
            <td data-label="Name">
                <A href=format!("/templates?id={}", template.id) attr:data-row="">
                    {template.name}
                </A>
            </td>
            <td data-label="Channel">{template.channel.label()}</td>
            <td data-label="Text">
                <span class="line-clamp-2">{template.body}</span>
                {languages}
                {fault}
            </td>
            <td data-label="Version" class="num">
                {template.version}
            </td>
            <td data-label="Changed">
                <When at=template.updated_at />
            </td>
        </tr>
    }
}

#[component]
fn Change(id: TemplateId) -> impl IntoView {
    let template = Resource::new(move || id, api::templates::get);
    view! {
        <Load
            resource=template
            skeleton=|| {
                view! {
                    <Page title="Template">
                        <LinesSkeleton lines=8 />
                    </Page>
                }
            }
            view=|template| view! { <Write template=Some(template) /> }
        />
    }
}

#[component]
fn Write(template: Option<TemplateView>) -> impl IntoView {
    let toasts = Toasts::here();
    let navigate = use_navigate();
    let may_write = viewer_may(Operation::ContentWrite);
    let draft = template.as_ref().map_or_else(|| Draft::empty(Channel::Sms), Draft::of);
    let (id, version) = (template.as_ref().map(|one| one.id), template.as_ref().map(|one| one.version));
    let save = Action::new(move |form: &TemplateForm| {
        let form = form.clone();
        async move {
            match id {
                Some(id) => api::templates::update(id, form).await,
                None => api::templates::create(form).await,
            }
        }
    });
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(saved)) = save.value().get() {
            toasts.say(Tone::Ok, format!("Saved {} as version {}", saved.name, saved.version));
            navigate("/templates", NavigateOptions::default());
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch(untrack(|| draft.form()));
    };
    let title = template.map_or_else(|| "New template".to_owned(), |template| template.name);
    let lead = version.map(|version| {
        format!("Version {version}. Saving makes a new version; campaigns that were launched keep theirs.")
    });
    view! {
        <Page
            title=title
            lead=lead.unwrap_or_default()
            action=|| view! { <LinkButton href="/templates">"All templates"</LinkButton> }
        >
            <Card>
                <form class="stack" on:submit=submit>
                    <Editor draft channel_is_fixed=id.is_some() failure />
                    <FailureNote failure />
                    <Show when=move || may_write.get()>
                        <div class="actions">
                            <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                                "Save the template"
                            </Button>
                            {id.map(|id| view! { <Delete id /> })}
                        </div>
                    </Show>
                </form>
            </Card>
            <Previews form=Signal::derive(move || draft.form()) />
            {id.map(|id| view! { <TestCard template=id channel=untrack(|| draft.channel()) /> })}
        </Page>
    }
}

/// The end of a template.
#[component]
fn Delete(id: TemplateId) -> impl IntoView {
    let toasts = Toasts::here();
    let asking = RwSignal::new(false);
    let delete = Action::new(move |(): &()| api::templates::delete(id));
    let failure = Signal::derive(move || delete.value().get().and_then(Result::err));
    let navigate = use_navigate();
    Effect::new(move || {
        if let Some(Ok(())) = delete.value().get() {
            toasts.say(Tone::Ok, "Deleted the template");
            navigate("/templates", NavigateOptions::default());
        }
    });
    view! {
        <Button kind=ButtonKind::Quiet on_click=move |_| asking.set(true)>
            "Delete"
        </Button>
        <Dialog open=asking title="Delete this template?">
            <div class="stack">
                <p>"All its versions go with it. A template that a campaign names stays, so that what was sent can be explained."</p>
                <FailureNote failure />
                <div class="actions">
                    <Button on_click=move |_| asking.set(false)>"Go back"</Button>
                    <Button
                        kind=ButtonKind::Danger
                        pending=delete.pending()
                        on_click=move |_| {
                            delete.dispatch(());
                        }
                    >
                        "Delete it"
                    </Button>
                </div>
            </div>
        </Dialog>
    }
}

/// A test of what was saved, from a sender of the template's channel.
#[component]
fn TestCard(template: TemplateId, channel: Channel) -> impl IntoView {
    let senders = Resource::new(|| (), |()| api::senders::list());
    let may_send = viewer_may(Operation::TestSend);
    let chosen = RwSignal::new(String::new());
    let tested = Signal::derive(move || Some((chosen.read().parse().ok()?, template, None)));
    view! {
        <Show when=move || may_send.get()>
            <Card title="Test">
                <Load
                    resource=senders
                    skeleton=|| view! { <LinesSkeleton lines=2 /> }
                    view=move |senders| {
                        let fits = senders.into_iter().filter(|one| one.channel == channel && one.enabled);
                        let choices: Vec<_> = fits.map(|one| (one.id.to_string(), one.name)).collect();
                        if choices.is_empty() {
                            return view! { <p class="text-muted">"No sender of this channel is switched on."</p> }.into_any();
                        }
                        let first = (String::new(), "Choose a sender".to_owned());
                        let choices: Vec<_> = std::iter::once(first).chain(choices).collect();
                        view! {
                            <div class="stack">
                                <Select
                                    label="From"
                                    name="test-sender"
                                    value=chosen
                                    choices=choices
                                    hint="The version that is saved goes out, to marked test people only."
                                />
                                <TestSend tested />
                            </div>
                        }
                            .into_any()
                    }
                />
            </Card>
        </Show>
    }
}
