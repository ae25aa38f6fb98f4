//! The route table.

use crate::{
    components::{
        frame::{Frame, provide_viewer_role},
        time::provide_clock,
        toast::provide_toasts,
    },
    pages::{
        account::Account, attributes::Attributes, audit::Audit, campaign_composer::CampaignComposer,
        campaign_monitor::CampaignMonitor, campaigns::Campaigns, decisions::Decisions, health::Health, import::Import,
        imports::Imports, inbox::Inbox, integrations::Integrations, message::Message, messages::Messages,
        missing::Missing, overview::Overview, phones::Phones, segments::Segments, settings::Settings, sign_in::SignIn,
        sign_in_link::SignInLink, suppressions::Suppressions, templates::Templates, topics::Topics, user::User,
        users::Users, webhook::Webhook,
    },
};
use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

/// The dashboard.
///
/// Every page waits for its data on the server (`Async`): it can be read without script, answers with the right status,
/// and nothing moves once it is painted.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_clock();
    provide_toasts();
    provide_viewer_role();
    view! {
        <Router>
            <Routes fallback=Missing>
                <Route path=path!("/sign-in") view=SignIn ssr=SsrMode::Async />
                <Route path=path!("/sign-in/link") view=SignInLink ssr=SsrMode::Async />
                <ParentRoute path=path!("") view=Frame ssr=SsrMode::Async>
                    <Route path=path!("/") view=Overview ssr=SsrMode::Async />
                    <Route path=path!("/users") view=Users ssr=SsrMode::Async />
                    <Route path=path!("/users/:id") view=User ssr=SsrMode::Async />
                    <Route path=path!("/import") view=Imports ssr=SsrMode::Async />
                    <Route path=path!("/import/:id") view=Import ssr=SsrMode::Async />
                    <Route path=path!("/campaigns") view=Campaigns ssr=SsrMode::Async />
                    <Route path=path!("/campaigns/new") view=CampaignComposer ssr=SsrMode::Async />
                    <Route path=path!("/campaigns/:id") view=CampaignMonitor ssr=SsrMode::Async />
                    <Route path=path!("/campaigns/:id/edit") view=CampaignComposer ssr=SsrMode::Async />
                    <Route path=path!("/templates") view=Templates ssr=SsrMode::Async />
                    <Route path=path!("/segments") view=Segments ssr=SsrMode::Async />
                    <Route path=path!("/topics") view=Topics ssr=SsrMode::Async />
                    <Route path=path!("/suppressions") view=Suppressions ssr=SsrMode::Async />
                    <Route path=path!("/attributes") view=Attributes ssr=SsrMode::Async />
                    <Route path=path!("/messages") view=Messages ssr=SsrMode::Async />
                    <Route path=path!("/decisions") view=Decisions ssr=SsrMode::Async />
                    <Route path=path!("/messages/:key") view=Message ssr=SsrMode::Async />
                    <Route path=path!("/inbox") view=Inbox ssr=SsrMode::Async />
                    <Route path=path!("/phones") view=Phones ssr=SsrMode::Async />
                    <Route path=path!("/settings") view=Settings ssr=SsrMode::Async />
                    <Route path=path!("/health") view=Health ssr=SsrMode::Async />
                    <Route path=path!("/integrations") view=Integrations ssr=SsrMode::Async />
                    <Route path=path!("/integrations/:id") view=Webhook ssr=SsrMode::Async />
                    <Route path=path!("/audit") view=Audit ssr=SsrMode::Async />
                    <Route path=path!("/account") view=Account ssr=SsrMode::Async />
                </ParentRoute>
            </Routes>
        </Router>
    }
}
