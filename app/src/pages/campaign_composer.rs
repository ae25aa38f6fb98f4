//! The composer: audience, content, schedule, review. The review is a rehearsal by the code that sends.

mod audience;
mod content;
mod draft;
mod review;
mod schedule;

use crate::{
    api::{self, Failure},
    components::{
        Button, ButtonKind, Card, Confirm, DryRun, FailureNote, LinesSkeleton, LinkButton, Load, Page, TextInput,
        Toasts, Tone, failure::at_field, frame::viewer_may, time,
    },
    format, timing,
};
use audience::AudienceStep;
use content::ContentStep;
use domain::{
    campaign::{Campaign, CampaignForm, CampaignStatus, Preview, Start},
    ids::CampaignId,
    operator::Operation,
    problem::{FieldProblem, Kind, Problem},
    segment::Segment,
    sender::Sender,
    template::TemplateView,
    topic::Topic,
};
use draft::{Draft, invalid};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};
use review::ReviewStep;
use schedule::ScheduleStep;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long typing rests before the campaign is rehearsed.
const REHEARSE_AFTER: Duration = Duration::from_millis(700);

/// What the composer offers to choose from.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Offer {
    campaign: Option<Campaign>,
    senders: Vec<Sender>,
    templates: Vec<TemplateView>,
    segments: Vec<Segment>,
    topics: Vec<Topic>,
    /// Whether a second operator must agree.
    approval_required: bool,
}

async fn offer(id: Option<String>) -> Result<Offer, Failure> {
    let campaign = match id {
        None => None,
        Some(id) => {
            let unknown = |_| Failure(Problem::new(Kind::NotFound, "This is not the address of a campaign."));
            Some(api::campaigns::get(id.parse().map_err(unknown)?).await?.campaign)
        }
    };
    Ok(Offer {
        campaign,
        senders: api::senders::list().await?,
        templates: api::templates::list().await?,
        segments: api::segments::list().await?,
        topics: api::topics::list().await?,
        approval_required: api::settings::approval_required().await?,
    })
}

/// The page of a campaign that is being written.
#[component]
pub fn CampaignComposer() -> impl IntoView {
    let params = use_params_map();
    let offered = Resource::new(move || params.read().get("id"), offer);
    view! {
        <Load
            resource=offered
            skeleton=|| {
                view! {
                    <Page title="Campaign">
                        <LinesSkeleton lines=10 />
                    </Page>
                }
            }
            view=|offer| {
                let status = offer.campaign.as_ref().map_or(CampaignStatus::Draft, |campaign| campaign.status);
                match (status, offer.campaign.as_ref().map(|campaign| campaign.id)) {
                    (CampaignStatus::Draft | CampaignStatus::Scheduled, _) | (_, None) => {
                        view! { <Composer offer /> }.into_any()
                    }
                    (_, Some(id)) => closed(id).into_any(),
                }
            }
        />
    }
}

/// A campaign that was launched is what it is.
fn closed(id: CampaignId) -> impl IntoView {
    view! {
        <Page
            title="Campaign"
            action=move || view! { <LinkButton href=format!("/campaigns/{id}")>"Open the campaign"</LinkButton> }
        >
            <p class="note note-warn">
                "This campaign was launched and cannot be changed any more. Make a copy of it, and change that."
            </p>
        </Page>
    }
}

/// Makes the campaign, or changes it if it was saved before.
async fn store(id: Option<CampaignId>, form: CampaignForm) -> Result<Campaign, Failure> {
    match id {
        Some(id) => api::campaigns::update(id, form).await,
        None => api::campaigns::create(form).await,
    }
}

#[component]
fn Composer(offer: Offer) -> impl IntoView {
    let draft = Draft::of(offer.campaign.as_ref());
    let failure = RwSignal::new(None::<Failure>);
    let title = offer.campaign.as_ref().map_or("New campaign".to_owned(), |one| format!("Edit {}", one.form.name));
    let senders = StoredValue::new(offer.senders);
    let templates = RwSignal::new(offer.templates);
    // A field that holds no number shows its error on saving; until then the last form that could be read is rehearsed.
    let form = Memo::new(move |before: Option<&CampaignForm>| {
        draft.form().unwrap_or_else(|_| before.cloned().unwrap_or_default())
    });
    let settled = timing::settled(form, REHEARSE_AFTER);
    let preview = Resource::new(move || settled.get(), api::campaigns::preview);
    let step = |href: &'static str, words: &'static str| view! { <a class="tab" href=href>{words}</a> };
    let failed = failure.into();
    view! {
        <Page
            title=title
            action=|| view! { <LinkButton href="/campaigns">"All campaigns"</LinkButton> }
        >
            <nav class="tabs" aria-label="Steps">
                {step("#audience", "1 Audience")} {step("#content", "2 Content")} {step("#schedule", "3 Schedule")}
                {step("#review", "4 Review")}
            </nav>
            // The server judges the fields; the browser's own rules would also hold for the template written in place.
            <Send
                draft
                failure
                is_scheduled=offer.campaign.is_some_and(|one| one.status == CampaignStatus::Scheduled)
                proposes=offer.approval_required
            >
                <TextInput
                    label="Name"
                    name="name"
                    value=draft.name
                    required=true
                    autocomplete="off"
                    hint="For you and your colleagues; people do not see it."
                    error=at_field(failed, "name")
                />
                <div id="audience">
                    <Card title="1 Audience">
                        <AudienceStep draft segments=offer.segments topics=offer.topics failure=failed />
                    </Card>
                </div>
                <div id="content">
                    <Card title="2 Content">
                        <ContentStep draft senders templates failure=failed />
                    </Card>
                </div>
                <div id="schedule">
                    <Card title="3 Schedule">
                        <ScheduleStep draft senders failure=failed />
                    </Card>
                </div>
                <div id="review">
                    <Card title="4 Review">
                        <ReviewStep preview />
                    </Card>
                    <DryRun id=draft.id may_ask=true />
                </div>
            </Send>
        </Page>
    }
}

/// The form around the steps, and what can be done with it: save, launch, schedule.
#[component]
fn Send(
    draft: Draft,
    failure: RwSignal<Option<Failure>>,
    is_scheduled: bool,
    /// Whether it asks for an approval, not for a start.
    proposes: bool,
    children: Children,
) -> impl IntoView {
    let toasts = Toasts::here();
    let navigate = use_navigate();
    let (may_write, may_launch) = (viewer_may(Operation::CampaignWrite), viewer_may(Operation::CampaignLaunch));
    let launching = Launching::new(draft, failure, proposes);
    let save = Action::new(|(id, form): &Unsaved| store(*id, form.clone()));
    Effect::new(move || match save.value().get() {
        Some(Ok(campaign)) => {
            let is_new = draft.id.get_untracked().is_none();
            draft.id.set(Some(campaign.id));
            toasts.say(Tone::Ok, format!("Saved {}", campaign.form.name));
            if is_new {
                let here = NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() };
                navigate(&format!("/campaigns/{}/edit", campaign.id), here);
            }
        }
        Some(Err(failed)) => failure.set(Some(failed)),
        None => {}
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        failure.set(None);
        match untrack(|| draft.form()) {
            Ok(form) => {
                save.dispatch((draft.id.get_untracked(), form));
            }
            Err(failed) => failure.set(Some(failed)),
        }
    };
    let verb = move || match (proposes, draft.starts_later()) {
        (true, _) => "Ask for approval…",
        (false, true) => "Schedule…",
        (false, false) => "Launch…",
    };
    // What was scheduled with an approval is a draft again once it is changed: then it is proposed again.
    let offers_start = move || may_write.get() && (proposes || may_launch.get()) && !(proposes && is_scheduled);
    view! {
        <form class="stack" novalidate on:submit=submit>
            {children()} <FailureNote failure />
            <div class="actions sticky bottom-0 border-t border-line bg-canvas py-3">
                <Show when=move || may_write.get()>
                    <Button submit=true pending=save.pending()>
                        {if is_scheduled { "Save" } else { "Save draft" }}
                    </Button>
                </Show>
                <Show when=offers_start>
                    <Button
                        kind=ButtonKind::Primary
                        pending=launching.ready.pending()
                        on_click=move |_| launching.ask()
                    >
                        {verb}
                    </Button>
                </Show>
            </div>
        </form>
        <ConfirmStart launching />
    }
}

/// What a launch needs to be told of the draft: its id, if it was saved, and the form.
type Unsaved = (Option<CampaignId>, CampaignForm);

/// What the last button of the composer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Launch,
    Schedule(Start),
    Propose,
}

impl Step {
    fn verb(self) -> &'static str {
        match self {
            Self::Launch => "Launch",
            Self::Schedule(_) => "Schedule",
            Self::Propose => "Ask for approval",
        }
    }

    fn question(self) -> &'static str {
        match self {
            Self::Launch => "Launch this campaign?",
            Self::Schedule(_) => "Schedule this campaign?",
            Self::Propose => "Ask for the approval of this campaign?",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Launch => "Launched",
            Self::Schedule(_) => "Scheduled",
            Self::Propose => "Asked for the approval of",
        }
    }

    /// What will happen, with times by a clock so many minutes off.
    fn consequence(self, offset: i32) -> String {
        match self {
            Self::Launch => "Sending begins at once. You can pause it, but what was sent cannot be called back.".to_owned(),
            Self::Schedule(start @ Start::Local { at }) => {
                let first = start.begins_at().map(|at| format::to_the_minute(at, offset)).unwrap_or_default();
                format!(
                    "Everyone gets it when their own clock shows {}; by yours the first of them on {first}. The audience is read then; until it starts you can still change it.",
                    at.format("%F %R")
                )
            }
            Self::Schedule(start) => {
                let when = start.begins_at().map(|at| format::to_the_minute(at, offset)).unwrap_or_default();
                format!("It starts by itself on {when}. The audience is read then; until it starts you can still change it.")
            }
            Self::Propose => {
                "A second operator must agree to exactly this audience, content, schedule and these limits; any change needs a new approval. Nothing is sent by asking.".to_owned()
            }
        }
    }

    async fn run(self, id: CampaignId) -> Result<Campaign, Failure> {
        match self {
            Self::Launch => api::campaigns::launch(id).await,
            Self::Schedule(start) => api::campaigns::schedule(id, start).await,
            Self::Propose => api::campaigns::propose(id).await,
        }
    }
}

/// The way to a launch: save, rehearse once more, ask, start.
#[derive(Clone, Copy)]
struct Launching {
    draft: Draft,
    failure: RwSignal<Option<Failure>>,
    proposes: bool,
    /// Saves and rehearses.
    ready: Action<Unsaved, Result<(Campaign, Preview), Failure>>,
    /// What is asked.
    step: RwSignal<Step>,
    people: RwSignal<i64>,
    open: RwSignal<bool>,
}

impl Launching {
    fn new(draft: Draft, failure: RwSignal<Option<Failure>>, proposes: bool) -> Self {
        let ready = Action::new(|(id, form): &Unsaved| {
            let (id, form) = (*id, form.clone());
            async move {
                let campaign = store(id, form.clone()).await?;
                let preview = api::campaigns::preview(form).await?;
                if preview.problems.is_empty() {
                    // Worked out while the question stands, and kept for the comparison afterwards.
                    api::forecasts::ask(campaign.id).await?;
                }
                Ok((campaign, preview))
            }
        });
        let (step, people, open) = (RwSignal::new(Step::Launch), RwSignal::new(0), RwSignal::new(false));
        Effect::new(move || match ready.value().get() {
            Some(Ok((campaign, preview))) => {
                draft.id.set(Some(campaign.id));
                if preview.problems.is_empty() {
                    people.set(preview.audience);
                    open.set(true);
                } else {
                    failure.set(Some(invalid(preview.problems)));
                }
            }
            Some(Err(failed)) => failure.set(Some(failed)),
            None => {}
        });
        Self { draft, failure, proposes, ready, step, people, open }
    }

    /// Asks, once nothing stands against it.
    fn ask(self) {
        self.failure.set(None);
        let form = match (self.draft.meant.get_untracked(), untrack(|| self.draft.form())) {
            (None, _) => {
                let missing = FieldProblem { pointer: "/scheduled_at".to_owned(), detail: "choose a time".to_owned() };
                Err(invalid(vec![missing]))
            }
            (_, form) => form,
        };
        match form {
            Ok(form) => {
                self.step.set(match form.start {
                    _ if self.proposes => Step::Propose,
                    Start::Now => Step::Launch,
                    start => Step::Schedule(start),
                });
                self.ready.dispatch((self.draft.id.get_untracked(), form));
            }
            Err(failed) => self.failure.set(Some(failed)),
        }
    }
}

#[component]
fn ConfirmStart(launching: Launching) -> impl IntoView {
    let toasts = Toasts::here();
    let navigate = use_navigate();
    let offset = time::offset_minutes();
    let Launching { draft, step, people, open, .. } = launching;
    let start = Action::new(|(id, step): &(CampaignId, Step)| step.run(*id));
    let failure = Signal::derive(move || start.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(campaign)) = start.value().get() {
            open.set(false);
            toasts.say(Tone::Ok, format!("{} {}", step.get_untracked().done(), campaign.form.name));
            navigate(&format!("/campaigns/{}", campaign.id), NavigateOptions::default());
        }
    });
    view! {
        <Confirm
            open
            title=Signal::derive(move || step.get().question().to_owned())
            people
            verb=Signal::derive(move || step.get().verb().to_owned())
            pending=start.pending()
            on_confirm=move |()| {
                if let Some(id) = draft.id.get_untracked() {
                    start.dispatch((id, step.get_untracked()));
                }
            }
        >
            <p>{move || step.get().consequence(offset.get())}</p>
            <p class="text-muted">
                "This is how many people match now. Who did not agree to the channel, or lacks something the message needs, is skipped."
            </p>
            <FailureNote failure />
        </Confirm>
    }
}
