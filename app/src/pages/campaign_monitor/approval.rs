//! The word of a second operator: what was asked, and the answer.

use crate::{
    api::{self, Failure},
    components::{Button, ButtonKind, Card, Dialog, FailureNote, TextArea, When, failure::at_field, frame::viewer_may},
};
use domain::{
    campaign::{Approval, Campaign, CampaignStatus},
    operator::Operation,
};
use leptos::prelude::*;

/// Where the approval stands, and what an approver can answer.
#[component]
pub fn ApprovalCard(
    /// The campaign; what was answered is set here.
    campaign: RwSignal<Campaign>,
) -> impl IntoView {
    let may_approve = viewer_may(Operation::CampaignApprove);
    let failure = RwSignal::new(None::<Failure>);
    let (declining, reason) = (RwSignal::new(false), RwSignal::new(String::new()));
    let id = campaign.read_untracked().id;
    let approve = Action::new(move |()| api::campaigns::approve(id));
    let decline = Action::new(move |why: &String| api::campaigns::decline(id, why.clone()));
    let answered = move |answer: Option<Result<Campaign, Failure>>| match answer {
        Some(Ok(changed)) => {
            declining.set(false);
            failure.set(None);
            campaign.set(changed);
        }
        Some(Err(failed)) => failure.set(Some(failed)),
        None => {}
    };
    Effect::new(move || answered(approve.value().get()));
    Effect::new(move || answered(decline.value().get()));
    let waits = Memo::new(move |_| matches!(campaign.read().approval, Approval::Proposed { .. }));
    let is_shown = Memo::new(move |_| {
        let campaign = campaign.read();
        campaign.approval != Approval::NotNeeded && campaign.status != CampaignStatus::Canceled
    });
    let standing = move || {
        match campaign.read().approval.clone() {
        Approval::NotNeeded => ().into_any(),
        Approval::Proposed { by, at } => view! { <p>{by} " asked for it " <When at=at exact=true /></p> }.into_any(),
        Approval::Approved { proposed_by, by, at } => {
            view! { <p class="note note-ok">"✓ " {by} " approved what " {proposed_by} " proposed, " <When at=at exact=true /></p> }
                .into_any()
        }
        approval => view! { <p class="note note-warn">{sentence(&approval)}</p> }.into_any(),
    }
    };
    view! {
        <Show when=move || is_shown.get()>
            <Card title="Approval">
                <div class="stack-tight" aria-live="polite">
                    {standing} <Show when=move || waits.get()>
                        <p class="text-muted">
                            "It holds for exactly this audience, content, schedule and these limits. Whoever proposed it cannot approve it."
                        </p>
                        <Show when=move || may_approve.get()>
                            <div class="actions">
                                <Button
                                    kind=ButtonKind::Primary
                                    pending=approve.pending()
                                    on_click=move |_| {
                                        approve.dispatch(());
                                    }
                                >
                                    "Approve"
                                </Button>
                                <Button on_click=move |_| declining.set(true)>"Decline…"</Button>
                            </div>
                        </Show>
                    </Show>
                    <Show when=move || !declining.get()>
                        <FailureNote failure />
                    </Show>
                </div>
            </Card>
        </Show>
        <Dialog open=declining title="Decline this campaign?">
            <div class="stack">
                <TextArea
                    label="Why"
                    name="decline-reason"
                    value=reason
                    rows=3
                    hint="It is shown on the campaign, for whoever proposed it."
                    error=at_field(failure, "reason")
                />
                <FailureNote failure />
                <div class="actions">
                    <Button on_click=move |_| declining.set(false)>"Go back"</Button>
                    <Button
                        kind=ButtonKind::Danger
                        pending=decline.pending()
                        on_click=move |_| {
                            decline.dispatch(reason.get_untracked());
                        }
                    >
                        "Decline"
                    </Button>
                </div>
            </div>
        </Dialog>
    }
}

/// What the approval says of itself, as a sentence.
fn sentence(approval: &Approval) -> String {
    let words = approval.describe();
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speaks_in_sentences() {
        assert_eq!(sentence(&Approval::Missing), "It needs the approval of a second operator.");
        assert_eq!(sentence(&Approval::NotNeeded), "");
    }
}
