//! What runs in the background: for each doorbell, one use case. Each is safe to run twice.

use crate::{
    Doorbell, Engine, Result, backfill, delivery, expansion, forecasts, imports, reconcile, sweep, users, webhooks,
};

/// Answers a doorbell.
///
/// # Errors
/// As the use case; the worker logs it, and the sweep rings again.
pub async fn run(engine: &Engine, bell: Doorbell) -> Result<()> {
    match bell {
        Doorbell::Expand(campaign) => expansion::run(engine, campaign).await,
        Doorbell::Deliver(campaign) | Doorbell::Overtake(campaign) => delivery::run(engine, campaign).await,
        Doorbell::Forecast(campaign) => forecasts::run(engine, campaign).await,
        Doorbell::Import(import) => imports::run(engine, import).await,
        Doorbell::Bulk(change) => users::bulk::run(engine, change).await,
        Doorbell::Reconcile => reconcile::run(engine).await,
        Doorbell::Compare => reconcile::days::run(engine).await,
        Doorbell::Backfill => backfill::run(engine).await.map(drop),
        Doorbell::Webhooks => webhooks::run(engine).await,
        Doorbell::Sweep => sweep::run(engine).await,
    }
}
