//! A dry run: what a campaign would do, and afterwards what it did.

use super::{
    Badge, Button, ButtonKind, Card, Fact, Facts, FailureNote, LinesSkeleton, Load, Table, Tone, When,
    frame::viewer_may,
};
use crate::{
    api::{self, Failure},
    format, live, timing,
};
use domain::{
    campaign::{Campaign, Progress},
    forecast::{Cost, Forecast, ZoneForecast},
    ids::CampaignId,
    message::Bucket,
    operator::Operation,
    reconciliation::Charged,
};
use leptos::prelude::*;
use leptos_router::components::A;
use std::time::Duration;

/// How often a dry run that is under way is read.
const READ_EVERY: Duration = Duration::from_secs(2);
/// How many zones are listed; the others are summed up in words.
const ZONES_SHOWN: usize = 20;

/// What has become of a campaign, for the comparison with its forecast.
pub type Actual = Signal<Option<(Campaign, Progress)>>;

/// The newest dry run of a campaign that was saved, and the way to a new one.
#[component]
pub fn DryRun(
    /// The campaign, once it was saved.
    #[prop(into)]
    id: Signal<Option<CampaignId>>,
    /// What it did so far, where it was launched.
    #[prop(optional, into)]
    actual: Option<Actual>,
    /// Whether it can be asked for anew.
    #[prop(into)]
    may_ask: Signal<bool>,
) -> impl IntoView {
    let found = Resource::new(
        move || id.get(),
        |id| async move {
            let Some(id) = id else { return Ok(None) };
            match api::forecasts::get(id).await? {
                Some(forecast) => Ok(Some((forecast, api::campaigns::costs(id).await?))),
                None => Ok(None),
            }
        },
    );
    let is_running = StoredValue::new(false);
    timing::every(READ_EVERY, move || {
        if is_running.get_value() {
            found.refetch();
        }
    });
    // A day that is compared with the provider brings what messages cost.
    for noun in ["forecasts", "campaigns", "health"] {
        live::on_changed(noun, move || found.refetch());
    }
    let may_write = viewer_may(Operation::CampaignWrite);
    let ask = Action::new(|id: &CampaignId| api::forecasts::ask(*id));
    let failure: Signal<Option<Failure>> = Signal::derive(move || ask.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = ask.value().get() {
            found.refetch();
        }
    });
    let show = move |found: Option<(Forecast, Vec<Charged>)>| {
        is_running.set_value(found.as_ref().is_some_and(|(forecast, _)| !forecast.is_complete));
        match found {
            None => view! {
                <p class="text-muted">
                    "Nobody asked for one yet. A dry run asks every gate about everyone in the audience, without sending anything."
                </p>
            }
            .into_any(),
            Some((forecast, charged)) => shown(forecast, charged, actual).into_any(),
        }
    };
    view! {
        <Card title="Forecast">
            <div class="stack">
                <Load resource=found skeleton=|| view! { <LinesSkeleton lines=4 /> } view=show />
                <FailureNote failure />
                <Show when=move || may_ask.get() && may_write.get()>
                    <div>
                        <Show
                            when=move || id.get().is_some()
                            fallback=|| view! { <p class="text-muted">"Save the draft to make a dry run of it."</p> }
                        >
                            <Button
                                kind=ButtonKind::Secondary
                                pending=ask.pending()
                                on_click=move |_| {
                                    if let Some(id) = id.get_untracked() {
                                        ask.dispatch(id);
                                    }
                                }
                            >
                                "Make a dry run of what is saved"
                            </Button>
                        </Show>
                    </div>
                </Show>
            </div>
        </Card>
    }
}

fn shown(forecast: Forecast, charged: Vec<Charged>, actual: Option<Actual>) -> impl IntoView {
    let tally = forecast.tally.clone();
    let standing = match (forecast.is_complete, forecast.is_current) {
        (false, _) => view! { <Badge tone=Tone::Wait word="Under way" /> }.into_any(),
        (true, true) => view! { <Badge tone=Tone::Ok word="Of this campaign as it is" /> }.into_any(),
        (true, false) => view! { <Badge tone=Tone::Warn word="The campaign has changed since" /> }.into_any(),
    };
    let parts: Vec<String> = tally
        .parts
        .iter()
        .map(|(parts, n)| {
            let messages = format::counted(*n, "message", "messages");
            format!("{messages} of {}", format::counted(i64::from(*parts), "part", "parts"))
        })
        .collect();
    let costs: Vec<String> = forecast.costs.iter().map(|cost| format::money(cost.micros, &cost.currency)).collect();
    let unpriced: Vec<String> = forecast
        .unpriced
        .iter()
        .map(|(country, parts)| {
            let country = if country.is_empty() { "an unknown country" } else { country.as_str() };
            format!("{} to {country}", format::counted(*parts, "part", "parts"))
        })
        .collect();
    let cost = match (forecast.is_complete, costs.is_empty()) {
        (false, _) => "Not yet known".to_owned(),
        (true, true) => "No price is entered for where it goes".to_owned(),
        (true, false) => costs.join(" + "),
    };
    let unpriced = (!unpriced.is_empty()).then(|| {
        view! {
            <span class="block text-xs text-muted">
                {format!("Without a price: {}. ", unpriced.join(", "))} <A href="/settings">"Enter prices"</A>
            </span>
        }
    });
    let messages = tally.messages();
    view! {
        <div class="flex flex-wrap items-center gap-x-4">
            {standing} <span class="text-sm text-muted">"Asked for " <When at=forecast.asked_at /></span>
        </div>
        <Facts>
            <Fact name="Audience">{format::counted(tally.audience, "person", "people")}</Fact>
            <Fact name="Would get it">
                {format!("{}, {} of them at once", format::number(messages), format::number(tally.at_once))}
            </Fact>
            <Fact name="Parts">
                {format::number(tally.part_count())}
                <span class="block text-xs text-muted">{parts.join(", ")}</span>
            </Fact>
            <Fact name="Cost">{cost} {unpriced}</Fact>
            <Fact name="Begins">
                <When at=forecast.starts_at exact=true />
            </Fact>
            <Fact name="Last message leaves">
                {forecast.finishes_at.map(|at| view! { <When at exact=true /> })}
            </Fact>
        </Facts>
        {actual.map(|actual| view! { <Compared forecast=forecast.clone() charged=charged.clone() actual /> })}
        {gates(&forecast)}
        {zones(forecast.zones)}
        {worst(&forecast.tally)}
    }
}

fn gates(forecast: &Forecast) -> Option<impl IntoView + use<>> {
    let mut rows = forecast.tally.gates.clone();
    rows.sort_by_key(|one| std::cmp::Reverse(one.count));
    (!rows.is_empty()).then(|| {
        let row = |one: domain::campaign::GateCount| {
            let verdict = if one.verdict == "skip" { "Get nothing" } else { "Wait first" };
            view! {
                <tr>
                    <td data-label="Gate">{one.gate.label()}</td>
                    <td data-label="They">{verdict}</td>
                    <td data-label="People" class="num">
                        {format::number(one.count)}
                    </td>
                </tr>
            }
        };
        view! {
            <Table label="Stopped by gates" head=vec!["Gate", "They", "People"]>
                {rows.into_iter().map(row).collect_view()}
            </Table>
        }
    })
}

fn zones(zones: Vec<ZoneForecast>) -> Option<impl IntoView> {
    (!zones.is_empty()).then(|| {
        let more = zones.len().saturating_sub(ZONES_SHOWN);
        let row = |one: ZoneForecast| {
            let zone = if one.zone.is_empty() { "Not known: by the number".to_owned() } else { one.zone };
            view! {
                <tr>
                    <td data-label="Zone">{zone}</td>
                    <td data-label="Messages" class="num">
                        {format::number(one.messages)}
                    </td>
                    <td data-label="From">
                        <When at=one.first_at exact=true />
                    </td>
                    <td data-label="To">
                        <When at=one.last_at exact=true />
                    </td>
                </tr>
            }
        };
        view! {
            <Table label="By zone" head=vec!["Zone", "Messages", "From", "To"]>
                {zones.into_iter().take(ZONES_SHOWN).map(row).collect_view()}
            </Table>
            {(more > 0)
                .then(|| {
                    view! {
                        <p class="text-xs text-muted">
                            {format!("And {}.", format::counted(more as i64, "further zone", "further zones"))}
                        </p>
                    }
                })}
        }
    })
}

fn worst(tally: &domain::forecast::Tally) -> Option<impl IntoView + use<>> {
    let worst = tally.worst.clone();
    worst.first().is_some_and(|one| one.parts > 1).then(|| {
        let row = |one: domain::forecast::Worst| {
            view! {
                <tr>
                    <td data-label="Text">
                        <A href=format!("/users/{}", one.user)>
                            <span class="line-clamp-2 whitespace-pre-wrap">{one.text}</span>
                        </A>
                    </td>
                    <td data-label="Parts" class="num">
                        {one.parts}
                    </td>
                </tr>
            }
        };
        view! {
            <Table label="Largest messages" head=vec!["Largest messages", "Parts"]>
                {worst.into_iter().map(row).collect_view()}
            </Table>
        }
    })
}

/// Forecast against actual.
#[component]
fn Compared(forecast: Forecast, charged: Vec<Charged>, actual: Actual) -> impl IntoView {
    let (foreseen, charged) = (StoredValue::new(forecast), StoredValue::new(charged));
    move || {
        let (campaign, progress) = actual.get()?;
        let foreseen = foreseen.get_value();
        let charged = charged.get_value();
        let skipped = |gates: &[domain::campaign::GateCount]| -> i64 {
            gates.iter().filter(|one| one.verdict == "skip").map(|one| one.count).sum()
        };
        let figures = [
            ("Audience", foreseen.tally.audience, progress.audience),
            ("Sent", foreseen.tally.messages(), progress.bucket(Bucket::Sent) + progress.bucket(Bucket::Failed)),
            ("Skipped", skipped(&foreseen.tally.gates), progress.bucket(Bucket::Skipped)),
        ];
        let row = |(name, expected, found): (&'static str, i64, i64)| {
            view! {
                <tr>
                    <td data-label="Figure">{name}</td>
                    <td data-label="Forecast" class="num">
                        {format::number(expected)}
                    </td>
                    <td data-label="Actual" class="num">
                        {format::number(found)}
                    </td>
                    <td data-label="Difference" class="num">
                        {difference(found - expected)}
                    </td>
                </tr>
            }
        };
        let ended = match (foreseen.finishes_at, campaign.finished_at) {
            (Some(expected), Some(found)) => Some(view! {
                <tr>
                    <td data-label="Figure">"Ended"</td>
                    <td data-label="Forecast">
                        <When at=expected exact=true />
                    </td>
                    <td data-label="Actual">
                        <When at=found exact=true />
                    </td>
                    <td data-label="Difference">{format::duration((found - expected).num_seconds().abs())}</td>
                </tr>
            }),
            _ => None,
        };
        Some(view! {
            <Table label="Forecast and actual" head=vec!["Figure", "Forecast", "Actual", "Difference"]>
                {figures.into_iter().map(row).collect_view()}
                {costs(&foreseen.costs, &charged, progress.bucket(Bucket::Sent))}
                {ended}
            </Table>
        })
    }
}

/// What it was to cost, and what the provider charged for so many messages, which comes a night later.
fn costs(expected: &[Cost], charged: &[Charged], messages: i64) -> impl IntoView + use<> {
    let priced: i64 = charged.iter().map(|sum| sum.messages).sum();
    let note = (priced > 0 && priced < messages)
        .then(|| format!("for {} of {}", format::number(priced), format::number(messages)));
    // Sums of different currencies cannot be compared, and those of part of the messages need not be.
    let difference = match (expected, charged) {
        ([one], [sum]) if one.currency == sum.currency && note.is_none() => {
            format::money_difference(sum.micros - one.micros, &sum.currency)
        }
        _ => String::new(),
    };
    let expected: Vec<_> = expected.iter().map(|cost| format::money(cost.micros, &cost.currency)).collect();
    let found: Vec<_> = charged.iter().map(|sum| format::money(sum.micros, &sum.currency)).collect();
    let found = if found.is_empty() { "Not charged yet".to_owned() } else { found.join(" + ") };
    view! {
        <tr>
            <td data-label="Figure">"Cost"</td>
            <td data-label="Forecast" class="num">
                {expected.join(" + ")}
            </td>
            <td data-label="Actual" class="num">
                {found}
                {note.map(|note| view! { <span class="block text-xs text-muted">{note}</span> })}
            </td>
            <td data-label="Difference" class="num">
                {difference}
            </td>
        </tr>
    }
}

fn difference(n: i64) -> String {
    match n {
        0 => "0".to_owned(),
        n if n > 0 => format!("+{}", format::number(n)),
        n => format!("−{}", format::number(-n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_a_sign() {
        assert_eq!([difference(0), difference(2), difference(-3)], ["0", "+2", "−3"]);
    }
}
