//! What stands around every page: navigation, who is signed in, and the theme.

use super::{icon, icon::Icon, palette::Palette, stop_banner::StopBanner, toast::ToastRegion};
use crate::{api, keyboard, live, theme::Theme};
use domain::operator::{Operation, Role, Viewer, may};
use leptos::prelude::*;
use leptos_router::{
    components::{A, Outlet},
    hooks::use_location,
};

/// A page that the navigation leads to.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its address.
    pub href: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The letter that goes there after `g`.
    pub key: char,
    icon: &'static str,
    /// What one must be allowed to do to see it; `None` for all.
    needs: Option<Operation>,
}

const fn place(
    href: &'static str,
    name: &'static str,
    key: char,
    icon: &'static str,
    needs: Option<Operation>,
) -> Place {
    Place { href, name, key, icon, needs }
}

/// The navigation, in its order.
pub const PLACES: [Place; 17] = [
    place("/", "Overview", 'o', icon::OVERVIEW, None),
    place("/campaigns", "Campaigns", 'c', icon::CAMPAIGNS, None),
    place("/templates", "Templates", 't', icon::TEMPLATES, None),
    place("/messages", "Messages", 'm', icon::MESSAGES, None),
    place("/inbox", "Inbox", 'i', icon::INBOX, None),
    place("/users", "Users", 'u', icon::USERS, None),
    place("/segments", "Segments", 's', icon::SEGMENTS, None),
    place("/topics", "Topics", 'b', icon::TOPICS, None),
    place("/suppressions", "Suppressions", 'x', icon::SUPPRESSIONS, None),
    place("/attributes", "Attributes", 'd', icon::ATTRIBUTES, None),
    place("/import", "Import", 'p', icon::IMPORT, Some(Operation::ImportWrite)),
    place("/phones", "Phones", 'h', icon::PHONES, Some(Operation::SimulatorUse)),
    place("/health", "Health", 'l', icon::HEALTH, None),
    place("/integrations", "Integrations", 'r', icon::INTEGRATIONS, Some(Operation::WebhookWrite)),
    place("/settings", "Settings", 'e', icon::SETTINGS, None),
    place("/audit", "Audit", 'a', icon::AUDIT, Some(Operation::AuditRead)),
    place("/account", "Account", 'y', icon::ACCOUNT, None),
];

impl Place {
    /// Whether the viewer has a use for it. The phones are the simulator's.
    pub fn is_for(&self, viewer: &Viewer) -> bool {
        self.needs.is_none_or(|operation| viewer.may(operation)) && (self.href != "/phones" || viewer.simulated)
    }

    fn is_open(&self, path: &str) -> bool {
        path == self.href
            || (self.href != "/" && path.strip_prefix(self.href).is_some_and(|rest| rest.starts_with('/')))
    }
}

/// The role of whoever looks at the page; `None` where nobody is signed in.
#[derive(Clone, Copy)]
struct ViewerRole(Option<Role>);

/// Sets up what [`viewer_may`] answers. To be called once, by the outermost component.
///
/// The server hands the role to the browser with the page rather than through a resource: so what a page offers is the
/// same in both from the first moment on. The engine asks again at every call.
pub fn provide_viewer_role() {
    provide_context(ViewerRole(SharedValue::new(role_of_request).into_inner()));
}

#[cfg(feature = "ssr")]
fn role_of_request() -> Option<Role> {
    use engine::actor::Identity;
    match use_context::<Option<engine::Actor>>().flatten()?.identity {
        Identity::Operator { role, .. } => Some(role),
        Identity::System => Some(Role::Admin),
        // Integrations have no use for pages.
        Identity::Key { .. } => None,
    }
}

#[cfg(not(feature = "ssr"))]
fn role_of_request() -> Option<Role> {
    None
}

/// Whether whoever looks at the page may do this.
pub fn viewer_may(operation: Operation) -> Signal<bool> {
    let ViewerRole(role) = expect_context();
    Signal::stored(role.is_some_and(|role| may(role, operation)))
}

#[derive(Clone, Copy)]
struct ViewerResource(Resource<Result<Viewer, api::Failure>>);

/// Whoever looks at the page, once known. To be read under a `Load` or `Transition`.
pub fn viewer() -> Resource<Result<Viewer, api::Failure>> {
    expect_context::<ViewerResource>().0
}

/// The frame around a page.
#[component]
pub fn Frame() -> impl IntoView {
    // Blocking: what the page offers depends on who looks at it.
    let viewer = Resource::new_blocking(|| (), |()| api::operators::whoami());
    provide_context(ViewerResource(viewer));
    live::provide_live();
    let drawer_open = RwSignal::new(false);
    let palette_open = RwSignal::new(false);
    let path = use_location().pathname;
    Effect::new(move || {
        path.track();
        drawer_open.set(false);
    });
    keyboard::listen(palette_open, drawer_open);
    view! {
        <a class="skip" href="#content">"Skip to the content"</a>
        <div class="frame" class:drawer-open=move || drawer_open.get()>
            <header class="topbar">
                // A link, so that the menu opens by its address before the script runs.
                <a
                    href="#navigation"
                    role="button"
                    class="btn btn-quiet"
                    aria-label="Menu"
                    aria-expanded=move || drawer_open.get().to_string()
                    aria-controls="navigation"
                    on:click=move |event| {
                        event.prevent_default();
                        drawer_open.update(|open| *open = !*open);
                    }
                >
                    <Icon path="M2 4h12M2 8h12M2 12h12" />
                </a>
                <Brand />
            </header>
            <aside class="sidebar" id="navigation">
                <Brand />
                <Navigation viewer />
                <button type="button" class="btn btn-quiet palette-hint" on:click=move |_| palette_open.set(true)>
                    "Go to…" <kbd>"Ctrl K"</kbd>
                </button>
                <LiveState />
                <Whoami viewer />
            </aside>
            <div class="scrim" aria-hidden="true" on:click=move |_| drawer_open.set(false)></div>
            <main id="content" class="content" tabindex="-1">
                <StopBanner />
                <Outlet />
            </main>
        </div>
        <ToastRegion />
        <Palette open=palette_open viewer />
    }
}

#[component]
fn Brand() -> impl IntoView {
    view! {
        <A href="/" attr:class="brand">
            <img src="/favicon.svg" width="20" height="20" alt="" />
            "Event Stream Engine"
        </A>
    }
}

#[component]
fn Navigation(viewer: Resource<Result<Viewer, api::Failure>>) -> impl IntoView {
    let path = use_location().pathname;
    let item = move |place: Place| {
        view! {
            <li>
                <A
                    href=place.href
                    attr:class="nav-item"
                    attr:data-open=move || place.is_open(&path.get()).to_string()
                    attr:title=format!("g {}", place.key)
                >
                    <Icon path=place.icon />
                    {place.name}
                </A>
            </li>
        }
    };
    let items = move || {
        Suspend::new(async move {
            let viewer = viewer.await.ok();
            let is_shown = |place: &Place| viewer.as_ref().is_some_and(|viewer| place.is_for(viewer));
            PLACES.into_iter().filter(is_shown).map(item).collect_view()
        })
    };
    view! {
        <nav aria-label="Main">
            <ul class="nav">
                <Transition>{items}</Transition>
            </ul>
        </nav>
    }
}

/// Says so when changes no longer arrive by themselves.
#[component]
fn LiveState() -> impl IntoView {
    let live = expect_context::<live::Live>();
    view! {
        <p class="live-state" role="status">
            {move || (!live.connected.get()).then_some("Live updates are off; connecting again…")}
        </p>
    }
}

#[component]
fn Whoami(viewer: Resource<Result<Viewer, api::Failure>>) -> impl IntoView {
    let who = move || {
        Suspend::new(async move {
            viewer.await.ok().map(|viewer| {
                let operator = viewer.operator;
                view! {
                    <p class="whoami">
                        <A href="/account" attr:title=operator.email.clone()>
                            {operator.name}
                        </A>
                        <span class="text-muted">{operator.role.label()}</span>
                    </p>
                    {viewer
                        .simulated
                        .then(|| view! { <p class="note note-plain">"Simulator: no message leaves this machine."</p> })}
                }
            })
        })
    };
    view! {
        <footer class="sidebar-foot">
            <Transition>{who}</Transition>
            <div class="sidebar-tools">
                <ThemeSwitch />
                // A plain form: it signs out whether or not the script runs.
                <form method="post" action="/sign-out">
                    <button class="btn btn-quiet">"Sign out"</button>
                </form>
            </div>
        </footer>
    }
}

#[component]
fn ThemeSwitch() -> impl IntoView {
    let theme = RwSignal::new(Theme::System);
    // The server cannot know what this browser remembers.
    Effect::new(move || theme.set(Theme::remembered()));
    let option = move |one: Theme| {
        view! {
            <option value=one.label() selected=move || theme.get() == one>
                {one.label()}
            </option>
        }
    };
    let choose = move |label: String| {
        if let Some(chosen) = Theme::ALL.into_iter().find(|one| one.label() == label) {
            chosen.apply();
            theme.set(chosen);
        }
    };
    view! {
        <select class="input input-small" aria-label="Theme" on:change:target=move |event| choose(event.target().value())>
            {Theme::ALL.map(option).collect_view()}
        </select>
    }
}
