//! Whether the process lives, and whether it can do its work.

use crate::web::Web;
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use engine::{Engine, queue::redis::Redis, workers};
use migrations::{Migrator, MigratorTrait as _};
use serde::Serialize;
use std::time::Duration;

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What readiness depends on.
pub struct Health {
    /// Redis, where there is one.
    pub redis: Option<Redis>,
}

/// How each part is.
#[derive(Serialize)]
struct Report {
    database: &'static str,
    migrations: &'static str,
    redis: &'static str,
    /// Workers that were heard of lately. None makes messages late, and this process none the worse.
    workers: i64,
}

/// `GET /healthz`: the process answers.
pub async fn alive() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// `GET /readyz`: the process can do its work; if not, 503 and which part is away.
pub async fn ready(State(web): State<Web>) -> Response {
    let database = within(web.engine.db.ping()).await;
    let migrated = database && within(is_migrated(&web.engine)).await;
    let redis = match &web.health.redis {
        Some(redis) => Some(within(redis.ping()).await),
        None => None,
    };
    let workers = if migrated { workers::alive(&web.engine).await.unwrap_or(0) } else { 0 };
    let word = |good: bool| if good { "ok" } else { "away" };
    let report = Report {
        database: word(database),
        migrations: if migrated { "ok" } else { "pending" },
        redis: redis.map_or("unused", word),
        workers,
    };
    let good = database && migrated && redis.unwrap_or(true);
    (if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(report)).into_response()
}

async fn is_migrated(engine: &Engine) -> engine::Result<()> {
    match Migrator::get_pending_migrations(engine.db.for_migrations()).await {
        Ok(pending) if pending.is_empty() => Ok(()),
        Ok(_) => Err(engine::Error::conflict("migrations are pending")),
        Err(error) => Err(error.into()),
    }
}

async fn within<T>(look: impl Future<Output = engine::Result<T>>) -> bool {
    matches!(tokio::time::timeout(PATIENCE, look).await, Ok(Ok(_)))
}
