//! What messages cost, as the operator enters it.

use crate::{
    api,
    components::{
        Button, ButtonKind, Card, Choice, Empty, FailureNote, Select, Table, TextInput, Toasts, Tone,
        failure::at_field, frame::viewer_may,
    },
    format,
};
use domain::{
    forecast::{ANY_COUNTRY, Price},
    operator::Operation,
    phone::Channel,
};
use leptos::prelude::*;

/// The table of prices.
#[component]
pub fn PricesSetting(
    /// As they are stored.
    prices: Vec<Price>,
    /// Called after a change.
    changed: Callback<()>,
) -> impl IntoView {
    let toasts = Toasts::here();
    let may_write = viewer_may(Operation::SettingWrite);
    let remove =
        Action::new(|(country, channel): &(String, Channel)| api::settings::remove_price(country.clone(), *channel));
    let failure = Signal::derive(move || remove.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = remove.value().get() {
            toasts.say(Tone::Ok, "Removed the price");
            changed.run(());
        }
    });
    let row = move |price: Price| {
        let key = (price.country.clone(), price.channel);
        let country = if price.country == ANY_COUNTRY { "All others".to_owned() } else { price.country };
        view! {
            <tr>
                <td data-label="Country">{country}</td>
                <td data-label="Channel">{price.channel.label()}</td>
                <td data-label="A part" class="num">
                    {format::money(price.micros, &price.currency)}
                </td>
                <td data-label="">
                    <Show when=move || may_write.get()>
                        <Button
                            kind=ButtonKind::Quiet
                            on_click={
                                let key = key.clone();
                                move |_| {
                                    remove.dispatch(key.clone());
                                }
                            }
                        >
                            "Remove"
                        </Button>
                    </Show>
                </td>
            </tr>
        }
    };
    let table = if prices.is_empty() {
        view! {
            <Empty title="No prices yet">
                "A dry run shows what a campaign costs by the prices that you enter here. None are shipped, because providers change them."
            </Empty>
        }
        .into_any()
    } else {
        view! {
            <Table label="Prices" head=vec!["Country", "Channel", "A part", ""]>
                {prices.into_iter().map(row).collect_view()}
            </Table>
        }
        .into_any()
    };
    view! {
        <Card title="Prices">
            <div class="stack">
                <p class="text-muted">"Of one SMS segment, or one WhatsApp message, by the country of the number."</p>
                {table} <FailureNote failure /> <Show when=move || may_write.get()>
                    <Add changed />
                </Show>
            </div>
        </Card>
    }
}

#[component]
fn Add(changed: Callback<()>) -> impl IntoView {
    let toasts = Toasts::here();
    let (country, currency) = (RwSignal::new(String::new()), RwSignal::new("USD".to_owned()));
    let (channel, amount) = (RwSignal::new(Channel::Sms.to_string()), RwSignal::new(String::new()));
    let save = Action::new(|price: &Price| api::settings::set_price(price.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    let unreadable = RwSignal::new(None::<String>);
    Effect::new(move || {
        if let Some(Ok(())) = save.value().get() {
            toasts.say(Tone::Ok, "Saved the price");
            changed.run(());
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(micros) = format::micros(&amount.read_untracked()) else {
            unreadable.set(Some("write a number as in 0.0083".to_owned()));
            return;
        };
        unreadable.set(None);
        save.dispatch(Price {
            country: country.get_untracked(),
            channel: channel.read_untracked().parse().unwrap_or(Channel::Sms),
            currency: currency.get_untracked(),
            micros,
        });
    };
    let channels: Vec<Choice> =
        Channel::ALL.iter().map(|channel| (channel.to_string(), channel.label().to_owned())).collect();
    let wrong = at_field(failure, "micros");
    view! {
        <form class="stack" on:submit=submit>
            <div class="grid-3">
                <TextInput
                    label="Country"
                    name="price-country"
                    value=country
                    placeholder="DE"
                    autocomplete="off"
                    hint="Two letters, or * for all others."
                    error=at_field(failure, "country")
                />
                <Select label="Channel" name="price-channel" value=channel choices=channels />
                <TextInput
                    label="Currency"
                    name="price-currency"
                    value=currency
                    autocomplete="off"
                    error=at_field(failure, "currency")
                />
                <TextInput
                    label="Price of a part"
                    name="price-amount"
                    value=amount
                    input_mode="decimal"
                    autocomplete="off"
                    placeholder="0.0083"
                    error=Signal::derive(move || unreadable.get().or_else(|| wrong.get()))
                />
            </div>
            <FailureNote failure />
            <div class="actions">
                <Button submit=true pending=save.pending()>
                    "Save the price"
                </Button>
            </div>
        </form>
    }
}
