//! How far the campaign is, how fast, and what limits it.

use crate::{
    components::{Card, ProgressBar, When, badge},
    format,
};
use domain::{
    campaign::{Campaign, CampaignStatus, Progress},
    message::Bucket,
    phone::Channel,
    sender::Sender,
    stall::Stall,
};
use leptos::prelude::*;

/// What sets the limit, and how many segments a second it is.
fn limit(campaign: &Campaign, sender: Option<&Sender>) -> Option<(u32, String)> {
    let own = campaign.form.rate_per_second.map(|rate| (rate, "this campaign's own limit".to_owned()));
    let senders = sender.map(|sender| (sender.rate_per_second, format!("the limit of {}", sender.name)));
    own.into_iter().chain(senders).min_by_key(|(rate, _)| *rate)
}

/// What limits the rate now, in a sentence.
fn limited_by(campaign: &Campaign, sender: Option<&Sender>, progress: &Progress) -> String {
    let waits = progress.bucket(Bucket::Pending) + progress.bucket(Bucket::Sending);
    match campaign.status {
        CampaignStatus::Running => {}
        CampaignStatus::Paused => return "Nothing is sent while it is paused.".to_owned(),
        _ => return String::new(),
    }
    if waits == 0 {
        let reading = "The audience is being read.";
        return if progress.expanding { reading.to_owned() } else { "Nobody waits any more.".to_owned() };
    }
    if progress.rate_now == 0.0 && progress.stall.is_some() {
        return String::new();
    }
    match limit(campaign, sender) {
        Some((rate, whose)) => {
            // Only SMS come in segments.
            let unit = if campaign.channel == Some(Channel::Whatsapp) { "messages" } else { "segments" };
            format!("At most {} {unit} a second: {whose}.", format::number(rate.into()))
        }
        None => String::new(),
    }
}

/// Where it stands, with the bar and the rate.
#[component]
pub fn Pace(
    /// The campaign.
    campaign: RwSignal<Campaign>,
    /// Its counters.
    progress: RwSignal<Progress>,
    /// Its sender.
    sender: Option<Sender>,
) -> impl IntoView {
    let share = Signal::derive(move || progress.read().settled_share());
    let settled = move || {
        let progress = progress.read();
        let open = [Bucket::Pending, Bucket::Sending, Bucket::Unknown].map(|bucket| progress.bucket(bucket));
        let settled = format::number(progress.audience - open.iter().sum::<i64>());
        let of = format::counted(progress.audience, "person", "people");
        let reading = if progress.expanding { "; the audience is still being read" } else { "" };
        format!("{settled} of {of} settled{reading}")
    };
    let rate = move || format!("{} a second", format::rate(progress.read().rate_now));
    let limits = move || limited_by(&campaign.read(), sender.as_ref(), &progress.read());
    let is_running = move || campaign.read().status == CampaignStatus::Running;
    view! {
        <Card>
            <div class="stack-tight">
                <Standing campaign />
                <Show when=move || campaign.read().launched_at.is_some()>
                    <ProgressBar share label="Settled messages" />
                    <p class="text-muted tabular-nums">{settled}</p>
                </Show>
                <Show when=is_running>{move || progress.read().stall.clone().map(held_up)}</Show>
                <div class="flex min-h-5 flex-wrap items-baseline gap-x-4">
                    <Show when=is_running>
                        <strong class="tabular-nums">{rate}</strong>
                    </Show>
                    <span class="text-muted">{limits}</span>
                    <Show when=move || is_running() && progress.read().next_due_at.is_some()>
                        <span class="text-muted">
                            "Next due: "
                            {move || progress.read().next_due_at.map(|at| view! { <When at exact=true /> })}
                        </span>
                    </Show>
                </div>
            </div>
        </Card>
    }
}

/// Why nothing moves, and whether that needs somebody.
fn held_up(stall: Stall) -> impl IntoView {
    let class = if stall.needs_person { "note note-warn" } else { "note note-plain" };
    view! {
        <p class=class role="status" data-stall=stall.cause.as_str()>
            {format!("{}: {}.", stall.cause.label(), stall.detail)}
        </p>
    }
}

/// The status with its reason, and the time that belongs to it.
#[component]
fn Standing(campaign: RwSignal<Campaign>) -> impl IntoView {
    let status = Memo::new(move |_| campaign.read().status);
    let reason = move || campaign.read().status_reason.clone();
    let times = Memo::new(move |_| {
        let campaign = campaign.read();
        let starts = campaign.scheduled_at.filter(|_| campaign.launched_at.is_none()).map(|at| ("Starts", at));
        let started = campaign.launched_at.map(|at| ("Started", at));
        let ended = campaign.finished_at.map(|at| ("Ended", at));
        [starts, started, ended].into_iter().flatten().collect::<Vec<_>>()
    });
    let time = |(word, at): (&'static str, chrono::DateTime<chrono::Utc>)| {
        view! {
            <span class="text-muted">
                {word} " " <When at exact=true />
            </span>
        }
    };
    view! {
        <div class="flex flex-wrap items-center gap-x-4 gap-y-1" aria-live="polite">
            {move || badge::status(&status.get())} <Show when=move || campaign.read().archived_at.is_some()>
                <span class="text-muted">"In the archive"</span>
            </Show> <span>{reason}</span>
            {move || times.get().into_iter().map(time).collect_view()}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        campaign::{CampaignForm, CampaignKind},
        ids::{CampaignId, SenderId},
        message::State,
        stall::Cause,
    };

    fn campaign(rate_per_second: Option<u32>) -> Campaign {
        Campaign {
            id: CampaignId(uuid::Uuid::from_u128(1)),
            kind: CampaignKind::Bulk,
            status: CampaignStatus::Running,
            status_reason: None,
            form: CampaignForm { rate_per_second, ..CampaignForm::default() },
            channel: Some(Channel::Sms),
            sender_name: None,
            template_name: None,
            template_version: None,
            audience_hash: None,
            approval: Default::default(),
            archived_at: None,
            scheduled_at: None,
            launched_at: None,
            finished_at: None,
            created_at: chrono::DateTime::UNIX_EPOCH,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_lowest_limit_is_named() {
        let sender = Sender {
            id: SenderId(uuid::Uuid::from_u128(2)),
            channel: Channel::Sms,
            address: "+14155550100".to_owned(),
            name: "Main".to_owned(),
            rate_per_second: 80,
            enabled: true,
            created_at: chrono::DateTime::UNIX_EPOCH,
        };
        let waits = Progress { audience: 1, states: vec![(State::Pending, 1)], rate_now: 5.0, ..Progress::default() };
        let stall = Stall { cause: Cause::NotDue, detail: String::new(), needs_person: false };
        let held = Progress { rate_now: 0.0, stall: Some(stall), ..waits.clone() };
        let cases = [
            (Some(20), &sender, &waits, "At most 20 segments a second: this campaign's own limit."),
            (Some(200), &sender, &waits, "At most 80 segments a second: the limit of Main."),
            (None, &sender, &waits, "At most 80 segments a second: the limit of Main."),
            (None, &sender, &held, ""),
            (None, &sender, &Progress::default(), "Nobody waits any more."),
        ];
        for (own, sender, progress, expected) in cases {
            assert_eq!(limited_by(&campaign(own), Some(sender), progress), expected);
        }
    }
}
