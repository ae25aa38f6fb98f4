//! The upload of a file.
//!
//! By `XMLHttpRequest`, because `fetch` does not say how much of a body has gone out. The file is the request's raw body:
//! the browser streams it from disk, and so does the server.

use crate::{components::*, format};
use domain::{import::ImportView, problem::Problem};
use leptos::{ev, html, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate, location::Url};
use wasm_bindgen::{JsCast, closure::Closure};

const UNREACHABLE: &str = "The upload broke off. Check the connection and try again.";

/// Where the upload of a file stands.
#[derive(Clone, Default)]
enum Stage {
    #[default]
    Waiting,
    Sending {
        name: String,
        done: i64,
        total: i64,
    },
    Failed(String),
}

/// A place to drop a file, which is also a button to choose one.
#[component]
pub fn Upload() -> impl IntoView {
    let stage = RwSignal::new(Stage::default());
    let over = RwSignal::new(false);
    let input = NodeRef::<html::Input>::new();
    let navigate = use_navigate();
    let arrived = move |import: ImportView| navigate(&format!("/import/{}", import.id), NavigateOptions::default());
    let is_sending = move || matches!(*stage.read(), Stage::Sending { .. });
    let take = move |files: Option<web_sys::FileList>| {
        let file = files.and_then(|files| files.get(0));
        if let Some(file) = file.filter(|_| !matches!(*stage.read_untracked(), Stage::Sending { .. })) {
            send(&file, stage, arrived.clone());
        }
    };
    // A file that was chosen before the script ran.
    Effect::new({
        let take = take.clone();
        move || {
            if let Some(input) = input.get() {
                take(input.files());
            }
        }
    });
    let chosen = {
        let take = take.clone();
        move |event: ev::Event| take(event_target::<web_sys::HtmlInputElement>(&event).files())
    };
    let dropped = move |event: ev::DragEvent| {
        event.prevent_default();
        over.set(false);
        take(event.data_transfer().and_then(|transfer| transfer.files()));
    };
    view! {
        <div
            class="drop"
            data-over=move || over.get().to_string()
            on:dragover=move |event| {
                event.prevent_default();
                over.set(true);
            }
            on:dragleave=move |_| over.set(false)
            on:drop=dropped
        >
            <label for="file" class="font-semibold">
                "Drop a CSV or JSON file here, or choose one"
            </label>
            <input
                node_ref=input
                type="file"
                id="file"
                accept=".csv,.tsv,.txt,.json,.jsonl,.ndjson,text/csv,application/json"
                aria-describedby="file-state"
                disabled=is_sending
                on:change=chosen
            />
            <div id="file-state" class="upload-state" role="status">
                {move || state(stage.get())}
            </div>
        </div>
    }
}

fn state(stage: Stage) -> AnyView {
    match stage {
        Stage::Waiting => view! {
            <p class="text-muted">
                "The first line names the columns. Phone numbers are read as people write them; a country can be given for those without a country code."
            </p>
        }
        .into_any(),
        Stage::Sending { name, done, total } => {
            let share = if total == 0 { 0.0 } else { done as f64 / total as f64 };
            let words = format!("{name}: {} of {}", format::bytes(done), format::bytes(total));
            view! {
                <ProgressBar share label="Upload" />
                <p class="text-muted">{words}</p>
            }
            .into_any()
        }
        Stage::Failed(why) => view! { <p class="field-error">{why}</p> }.into_any(),
    }
}

/// Sends the file and tells how far it is. The request lives on in its own callbacks.
fn send(file: &web_sys::File, stage: RwSignal<Stage>, arrived: impl Fn(ImportView) + 'static) {
    let name = file.name();
    let Ok(request) = web_sys::XmlHttpRequest::new() else { return };
    let progress = {
        let name = name.clone();
        move |event: web_sys::ProgressEvent| {
            let (done, total) = (event.loaded() as i64, event.total() as i64);
            stage.try_set(Stage::Sending { name: name.clone(), done, total });
        }
    };
    let ended = {
        let request = request.clone();
        move || match outcome(&request) {
            Ok(import) => arrived(import),
            Err(why) => {
                stage.try_set(Stage::Failed(why));
            }
        }
    };
    let progress = Closure::<dyn Fn(web_sys::ProgressEvent)>::new(progress).into_js_value();
    let ended = Closure::<dyn Fn()>::new(ended).into_js_value();
    if let Ok(upload) = request.upload() {
        upload.set_onprogress(Some(progress.unchecked_ref()));
    }
    request.set_onloadend(Some(ended.unchecked_ref()));
    stage.set(Stage::Sending { name: name.clone(), done: 0, total: file.size() as i64 });
    let url = format!("/ui/imports/upload?name={}", Url::escape(&name));
    let sent = request.open("POST", &url).and_then(|()| request.send_with_opt_blob(Some(file)));
    if sent.is_err() {
        stage.set(Stage::Failed(UNREACHABLE.to_owned()));
    }
}

fn outcome(request: &web_sys::XmlHttpRequest) -> Result<ImportView, String> {
    let status = request.status().unwrap_or(0);
    let text = request.response_text().ok().flatten().unwrap_or_default();
    if (200..300).contains(&status) {
        return serde_json::from_str(&text).map_err(|_| UNREACHABLE.to_owned());
    }
    match serde_json::from_str::<Problem>(&text) {
        Ok(problem) => Err(problem.detail),
        Err(_) => Err(UNREACHABLE.to_owned()),
    }
}
