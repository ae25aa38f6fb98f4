//! The page on which a person decides for themselves. It is rendered on the server alone and carries no script: whoever has
//! the link in a message can use it on any phone.

use domain::{consent::ConsentState, phone::Channel, preferences::PreferenceView, topic::SubscriptionView};
use leptos::prelude::*;
use leptos_meta::HashedStylesheet;

/// What the page has to say.
pub enum Answer {
    /// Where the person stands, to change.
    Form(PreferenceView),
    /// The change is recorded; here is where the person stands now.
    Saved(PreferenceView),
    /// It could not be done, and why.
    Refused(String),
}

/// The page as HTML.
pub fn preferences(options: LeptosOptions, answer: Answer) -> String {
    let owner = Owner::new();
    owner.with(|| {
        provide_context(leptos_meta::ServerMetaContext::new().0);
        document(options, answer).to_html()
    })
}

fn document(options: LeptosOptions, answer: Answer) -> impl IntoView {
    let body = match answer {
        Answer::Form(view) => form(view, false).into_any(),
        Answer::Saved(view) => form(view, true).into_any(),
        Answer::Refused(why) => view! {
            <p class="note note-fail" role="alert">
                {why}
            </p>
        }
        .into_any(),
    };
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="robots" content="noindex" />
                <title>"Your preferences"</title>
                <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
                <HashedStylesheet id="style" options />
            </head>
            <body>
                <main class="door">
                    <div class="card stack">
                        <h1>"What do you want to hear from us?"</h1>
                        {body}
                    </div>
                </main>
            </body>
        </html>
    }
}

fn form(view: PreferenceView, saved: bool) -> impl IntoView {
    let channel = |(channel, state): (Channel, ConsentState)| {
        let id = format!("channel-{channel}");
        view! {
            <label class="check">
                <input
                    type="checkbox"
                    id=id
                    name="channel"
                    value=channel.as_str()
                    checked=state == ConsentState::OptedIn
                />
                {format!("{} messages", channel.label())}
            </label>
        }
    };
    let topic = |topic: SubscriptionView| {
        let id = format!("topic-{}", topic.topic_id);
        view! {
            <label class="check">
                <input type="checkbox" id=id name="topic" value=topic.topic_id.to_string() checked=topic.reached />
                {topic.name}
            </label>
        }
    };
    let topics: Vec<_> = view.topics.into_iter().map(topic).collect();
    let has_topics = !topics.is_empty();
    view! {
        {saved
            .then(|| {
                view! {
                    <p class="note note-ok" role="status">
                        "Saved. It holds from now on."
                    </p>
                }
            })}
        <p class="text-muted">"For " {view.address}</p>
        <form class="stack" method="post">
            <input type="hidden" name="token" value=view.token />
            <fieldset class="stack-tight">
                <legend>"By"</legend>
                {view.channels.into_iter().map(channel).collect::<Vec<_>>()}
            </fieldset>
            {has_topics
                .then(|| {
                    view! {
                        <fieldset class="stack-tight">
                            <legend>"About"</legend>
                            {topics}
                        </fieldset>
                    }
                })}
            <div class="actions">
                <button class="btn btn-primary">"Save"</button>
                <button class="btn" name="nothing" value="1">
                    "Stop all messages"
                </button>
            </div>
        </form>
    }
}
