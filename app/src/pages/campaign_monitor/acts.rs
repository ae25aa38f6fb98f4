//! What can be done with a campaign, as its status and the viewer's role allow.

use crate::{
    api::{self, Failure},
    components::{Button, ButtonKind, Confirm, FailureNote, LinkButton, Toasts, Tone, frame::viewer_may},
};
use domain::{
    campaign::{
        Approval, Campaign, CampaignForm, CampaignStatus, Event, Preview, Progress, Start, may_archive, transition,
    },
    ids::CampaignId,
    message::Bucket,
    operator::Operation,
    problem::{Kind, Problem},
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

/// Something that can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Launch,
    Schedule,
    Propose,
    Resume,
    Pause,
    Unschedule,
    Copy,
    Archive,
    Unarchive,
    Cancel,
    Delete,
}

impl Act {
    const ALL: [Self; 11] = [
        Self::Launch,
        Self::Schedule,
        Self::Propose,
        Self::Resume,
        Self::Pause,
        Self::Unschedule,
        Self::Copy,
        Self::Archive,
        Self::Unarchive,
        Self::Cancel,
        Self::Delete,
    ];

    fn is_allowed(self, campaign: &Campaign) -> bool {
        let (status, is_draft) = (campaign.status, campaign.status == CampaignStatus::Draft);
        let is_away = campaign.archived_at.is_some();
        let can = |event| transition(status, event).is_ok();
        match self {
            Self::Copy => true,
            Self::Unarchive => is_away,
            _ if is_away => false,
            // What was approved to start at a time does not start now.
            Self::Launch if status == CampaignStatus::Scheduled => campaign.approval == Approval::NotNeeded,
            Self::Launch if is_draft => campaign.approval.permits() && campaign.form.start == Start::Now,
            Self::Launch => can(Event::Launch),
            Self::Schedule => is_draft && campaign.approval.permits() && campaign.form.start != Start::Now,
            Self::Propose => is_draft && matches!(campaign.approval, Approval::Missing | Approval::Void),
            Self::Resume => can(Event::Resume),
            Self::Pause => can(Event::Pause),
            Self::Unschedule => can(Event::Unschedule),
            Self::Cancel => can(Event::Cancel),
            Self::Archive => may_archive(status),
            Self::Delete => is_draft,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Launch => "Launch",
            Self::Schedule => "Schedule",
            Self::Propose => "Ask for approval",
            Self::Archive => "Archive",
            Self::Unarchive => "Take out of the archive",
            Self::Resume => "Resume",
            Self::Pause => "Pause",
            Self::Unschedule => "Back to draft",
            Self::Copy => "Make a copy",
            Self::Cancel => "Cancel the campaign",
            Self::Delete => "Delete",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Launch => "Launched",
            Self::Schedule => "Scheduled",
            Self::Propose => "Asked for approval",
            Self::Archive => "Archived",
            Self::Unarchive => "Taken out of the archive",
            Self::Resume => "Sending again",
            Self::Pause => "Paused",
            Self::Unschedule => "It is a draft again",
            Self::Copy => "Made a copy",
            Self::Cancel => "Canceled",
            Self::Delete => "Deleted",
        }
    }

    /// What will happen, where it asks first.
    fn consequence(self) -> Option<&'static str> {
        match self {
            Self::Launch => Some("They match now. Sending begins at once; what was sent cannot be called back."),
            Self::Schedule => {
                Some("They match now. The audience is read when it starts; until then you can still change it.")
            }
            Self::Resume => Some("They still wait for their message, and get it as soon as the limits allow."),
            Self::Pause => Some(
                "They still wait. What is being sent this moment is still sent; nothing new begins until you resume.",
            ),
            Self::Cancel => {
                Some("They will not get this message. A canceled campaign cannot go on; you can make a copy.")
            }
            Self::Delete => Some("It was never launched, so nobody got anything. It cannot be brought back."),
            Self::Propose | Self::Unschedule | Self::Copy | Self::Archive | Self::Unarchive => None,
        }
    }

    fn kind(self) -> ButtonKind {
        match self {
            Self::Launch | Self::Schedule | Self::Propose | Self::Resume => ButtonKind::Primary,
            Self::Pause | Self::Unarchive => ButtonKind::Secondary,
            Self::Cancel | Self::Delete => ButtonKind::Danger,
            Self::Unschedule | Self::Copy | Self::Archive => ButtonKind::Quiet,
        }
    }

    fn needs(self) -> Operation {
        match self {
            Self::Copy | Self::Propose | Self::Archive | Self::Unarchive | Self::Delete => Operation::CampaignWrite,
            _ => Operation::CampaignLaunch,
        }
    }

    /// Does it, and gives what the campaign is now; `None` once it is gone.
    async fn run(self, id: CampaignId, start: Start) -> Result<Option<Campaign>, Failure> {
        let done = match self {
            Self::Delete => return api::campaigns::delete(id).await.map(|()| None),
            Self::Launch => api::campaigns::launch(id).await,
            Self::Schedule => api::campaigns::schedule(id, start).await,
            Self::Propose => api::campaigns::propose(id).await,
            Self::Archive => api::campaigns::archive(id, true).await,
            Self::Unarchive => api::campaigns::archive(id, false).await,
            Self::Resume => api::campaigns::resume(id).await,
            Self::Pause => api::campaigns::pause(id).await,
            Self::Unschedule => api::campaigns::unschedule(id).await,
            Self::Copy => api::campaigns::clone_as_draft(id).await,
            Self::Cancel => api::campaigns::cancel(id).await,
        };
        done.map(Some).map_err(|Failure(problem)| Failure(in_words(problem)))
    }
}

/// A problem with what its fields say in its detail: here there are no fields to mark.
fn in_words(mut problem: Problem) -> Problem {
    if !problem.errors.is_empty() {
        let details: Vec<_> = problem.errors.iter().map(|error| error.detail.as_str()).collect();
        problem.detail = format!("{} Edit the campaign: {}.", problem.detail, details.join("; "));
    }
    problem
}

/// How many people a rehearsal found; a failure with what stands against a launch.
fn people_of(preview: Preview) -> Result<i64, Failure> {
    if preview.problems.is_empty() {
        return Ok(preview.audience);
    }
    let mut problem = Problem::new(Kind::Invalid, "It cannot be launched yet.");
    problem.errors = preview.problems;
    Err(Failure(in_words(problem)))
}

/// Those whose message was not handed to the provider yet.
fn waiting(progress: &Progress) -> i64 {
    progress.bucket(Bucket::Pending) + progress.bucket(Bucket::Sending)
}

/// The buttons.
#[component]
pub fn Acts(
    /// The campaign; what was done is set here.
    campaign: RwSignal<Campaign>,
    /// Its counters.
    progress: RwSignal<Progress>,
) -> impl IntoView {
    let toasts = Toasts::here();
    let navigate = use_navigate();
    let id = campaign.read_untracked().id;
    let (asked, people, open) = (RwSignal::new(Act::Launch), RwSignal::new(0), RwSignal::new(false));
    let failure = RwSignal::new(None::<Failure>);
    let run = Action::new(move |act: &Act| act.run(id, campaign.read_untracked().form.start));
    let count = Action::new(move |form: &CampaignForm| {
        let form = form.clone();
        async move { api::campaigns::preview(form).await.and_then(people_of) }
    });
    Effect::new(move || match run.value().get() {
        Some(Ok(changed)) => {
            open.set(false);
            toasts.say(Tone::Ok, asked.get_untracked().done());
            match changed {
                Some(changed) if changed.id == id => campaign.set(changed),
                Some(copy) => navigate(&format!("/campaigns/{}/edit", copy.id), NavigateOptions::default()),
                None => navigate("/campaigns", NavigateOptions::default()),
            }
        }
        Some(Err(failed)) => failure.set(Some(failed)),
        None => {}
    });
    Effect::new(move || match count.value().get() {
        Some(Ok(found)) => {
            people.set(found);
            open.set(true);
        }
        Some(Err(failed)) => failure.set(Some(failed)),
        None => {}
    });
    let ask = move |act: Act| {
        failure.set(None);
        asked.set(act);
        if act.consequence().is_none() {
            run.dispatch(act);
        } else if campaign.read_untracked().launched_at.is_none() && matches!(act, Act::Launch | Act::Schedule) {
            count.dispatch(campaign.read_untracked().form.clone());
        } else {
            people.set(waiting(&progress.read_untracked()));
            open.set(true);
        }
    };
    let button = move |act: Act| {
        let may = viewer_may(act.needs());
        let pending = Signal::derive(move || run.pending().get() || count.pending().get());
        view! {
            <Show when=move || act.is_allowed(&campaign.read()) && may.get()>
                <Button kind=act.kind() pending on_click=move |_| ask(act)>
                    {act.words()}
                </Button>
            </Show>
        }
    };
    let title = move || match asked.get() {
        Act::Cancel => "Cancel this campaign for good?".to_owned(),
        act => format!("{} this campaign?", act.words()),
    };
    view! {
        <div class="stack-tight">
            <div class="actions">
                <Edit campaign />
                {Act::ALL.map(button).collect_view()}
            </div>
            <Show when=move || !open.get()>
                <FailureNote failure />
            </Show>
        </div>
        <Confirm
            open
            title=Signal::derive(title)
            people
            verb=Signal::derive(move || asked.get().words().to_owned())
            danger=Signal::derive(move || asked.get().kind() == ButtonKind::Danger)
            pending=run.pending()
            on_confirm=move |()| {
                run.dispatch(asked.get_untracked());
            }
        >
            <p>{move || asked.get().consequence()}</p>
            <FailureNote failure />
        </Confirm>
    }
}

#[component]
fn Edit(campaign: RwSignal<Campaign>) -> impl IntoView {
    let may_write = viewer_may(Operation::CampaignWrite);
    let can = move || matches!(campaign.read().status, CampaignStatus::Draft | CampaignStatus::Scheduled);
    let id = campaign.read_untracked().id;
    view! {
        <Show when=move || can() && may_write.get()>
            <LinkButton href=format!("/campaigns/{id}/edit")>"Edit"</LinkButton>
        </Show>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::campaign::CampaignKind;

    fn campaign(status: CampaignStatus) -> Campaign {
        Campaign {
            id: CampaignId(uuid::Uuid::from_u128(1)),
            kind: CampaignKind::Bulk,
            status,
            status_reason: None,
            form: CampaignForm::default(),
            channel: None,
            sender_name: None,
            template_name: None,
            template_version: None,
            audience_hash: None,
            approval: Approval::NotNeeded,
            scheduled_at: None,
            archived_at: None,
            launched_at: None,
            finished_at: None,
            created_at: chrono::DateTime::UNIX_EPOCH,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn check(campaign: &Campaign, expected: &[Act]) {
        let allowed: Vec<Act> = Act::ALL.into_iter().filter(|act| act.is_allowed(campaign)).collect();
        assert_eq!(allowed, expected, "{campaign:?}");
    }

    #[test]
    fn acts_follow_the_status() {
        check(&campaign(CampaignStatus::Draft), &[Act::Launch, Act::Copy, Act::Archive, Act::Delete]);
        check(&campaign(CampaignStatus::Scheduled), &[Act::Launch, Act::Unschedule, Act::Copy, Act::Cancel]);
        check(&campaign(CampaignStatus::Running), &[Act::Pause, Act::Copy, Act::Cancel]);
        check(&campaign(CampaignStatus::Paused), &[Act::Resume, Act::Copy, Act::Cancel]);
        check(&campaign(CampaignStatus::Held), &[Act::Launch, Act::Unschedule, Act::Copy, Act::Cancel]);
        check(&campaign(CampaignStatus::Completed), &[Act::Copy, Act::Archive]);
        check(&campaign(CampaignStatus::Canceled), &[Act::Copy, Act::Archive]);
        let away = Campaign { archived_at: Some(chrono::DateTime::UNIX_EPOCH), ..campaign(CampaignStatus::Draft) };
        check(&away, &[Act::Copy, Act::Unarchive]);
    }

    #[test]
    fn acts_follow_the_approval_and_the_start() {
        let at = chrono::DateTime::UNIX_EPOCH;
        let with = |approval| Campaign { approval, ..campaign(CampaignStatus::Draft) };
        let approved = || Approval::Approved { proposed_by: "a".to_owned(), by: "b".to_owned(), at };
        check(&with(Approval::Missing), &[Act::Propose, Act::Copy, Act::Archive, Act::Delete]);
        check(&with(Approval::Proposed { by: "a".to_owned(), at }), &[Act::Copy, Act::Archive, Act::Delete]);
        check(&with(Approval::Void), &[Act::Propose, Act::Copy, Act::Archive, Act::Delete]);
        check(&with(approved()), &[Act::Launch, Act::Copy, Act::Archive, Act::Delete]);
        let mut later = with(approved());
        later.form.start = at.into();
        check(&later, &[Act::Schedule, Act::Copy, Act::Archive, Act::Delete]);
        later.status = CampaignStatus::Scheduled;
        check(&later, &[Act::Unschedule, Act::Copy, Act::Cancel]);
    }
}
