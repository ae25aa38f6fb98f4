//! Circuit breakers that are open, and which attempts the provider gave up.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // A row is a breaker that is open; none is the rule.
    "CREATE TABLE breakers (
        scope text NOT NULL PRIMARY KEY,
        since {time} NOT NULL,
        why text NOT NULL,
        probe_at {time} NOT NULL
    )",
    // The last attempt that the provider took and gave up for a passing reason: what is reported of it, or of those before,
    // says nothing of the attempt that follows.
    "ALTER TABLE messages ADD COLUMN given_up smallint NOT NULL DEFAULT 0",
];

const DOWN: &[&str] = &["ALTER TABLE messages DROP COLUMN given_up", "DROP TABLE breakers"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, DOWN).await
    }
}
