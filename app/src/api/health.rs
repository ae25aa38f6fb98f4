//! How the engine is, and its kill switch.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use chrono::NaiveDate;
use domain::{
    dead_letter::{DeadLetter, Resolution},
    health::{Health, Stop},
    ids::DeadLetterId,
    page::{Page, PageRequest},
    reconciliation::Reconciliation,
};
use leptos::{prelude::*, server_fn::codec::Json};

/// How the engine is.
#[server(prefix = "/ui/fn", endpoint = "health/get", input = Json)]
pub async fn get() -> Result<Health, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::health::get(&engine, &actor).await?)
}

/// The stop, if the kill switch is on.
#[server(prefix = "/ui/fn", endpoint = "health/stopped", input = Json)]
pub async fn stopped() -> Result<Option<Stop>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::kill_switch::get(&engine, &actor).await?)
}

/// Stops all sending.
#[server(prefix = "/ui/fn", endpoint = "health/stop", input = Json)]
pub async fn stop_all(reason: String) -> Result<Stop, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::kill_switch::stop(&engine, &actor, &reason).await?)
}

/// Lets sending go on.
#[server(prefix = "/ui/fn", endpoint = "health/release", input = Json)]
pub async fn release() -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::kill_switch::release(&engine, &actor).await?)
}

/// One page of the work that was given up and that nobody decided on, newest first; of one kind, if one is named.
#[server(prefix = "/ui/fn", endpoint = "health/dead_letters", input = Json)]
pub async fn dead_letters(kind: Option<String>, page: PageRequest) -> Result<Page<DeadLetter>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::dead_letters::list(&engine, &actor, kind.as_deref(), &page).await?)
}

/// How many days the page shows.
#[cfg(feature = "ssr")]
const SHOWN_DAYS: u32 = 31;

/// The days that were lately compared with the provider's list, newest first.
#[server(prefix = "/ui/fn", endpoint = "health/reconciliations", input = Json)]
pub async fn reconciliations() -> Result<Vec<Reconciliation>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::reconcile::days::list(&engine, &actor, &PageRequest { after: None, limit: SHOWN_DAYS }).await?.rows)
}

/// Has a day compared with the provider's list.
#[server(prefix = "/ui/fn", endpoint = "health/compare", input = Json)]
pub async fn compare(day: NaiveDate) -> Result<Reconciliation, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::reconcile::days::ask(&engine, &actor, day).await?)
}

/// Has work that was given up tried again, or throws it away.
#[server(prefix = "/ui/fn", endpoint = "health/resolve", input = Json)]
pub async fn resolve(id: DeadLetterId, resolution: Resolution) -> Result<DeadLetter, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::dead_letters::resolve(&engine, &actor, id, resolution).await?)
}
