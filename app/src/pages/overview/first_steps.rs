//! What a newcomer does first.

use crate::components::*;
use leptos::prelude::*;

/// The first steps, those done already marked.
#[component]
pub fn FirstSteps(
    /// How many people there are.
    users: i64,
    /// How many of them opted in.
    opted_in: i64,
) -> impl IntoView {
    let step = |done: bool, title: &'static str, text: &'static str, href: &'static str, action: &'static str| {
        view! {
            <li data-done=done.to_string()>
                <div>
                    <h3>{title}</h3>
                    <p class="text-muted">{text}</p>
                </div>
                <LinkButton href>{action}</LinkButton>
            </li>
        }
    };
    view! {
        <Card title="First steps">
            <ol class="steps">
                {step(
                    users > 0,
                    "Bring in people",
                    "Import a CSV or JSON file with phone numbers. Columns are recognised; you check them before anything is read.",
                    "/import",
                    "Import",
                )}
                {step(
                    opted_in > 0,
                    "Say how they agreed",
                    "Campaigns reach only people who opted in on the channel. The import asks for it; later it is on each user's page.",
                    "/users",
                    "Users",
                )}
                {step(
                    false,
                    "Write a template",
                    "The text, with each person's name and attributes where you want them.",
                    "/templates",
                    "Templates",
                )}
                {step(
                    false,
                    "Send a campaign",
                    "Choose whom, what and when. Before it starts you see who gets it, who does not, and why.",
                    "/campaigns/new",
                    "New campaign",
                )}
            </ol>
        </Card>
    }
}
