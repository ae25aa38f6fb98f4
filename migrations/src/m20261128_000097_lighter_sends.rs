//! What is written for every message that is sent takes fewer pages and index entries: an attempt is settled on the page that it
//! lies on (HOT), and only events that can come twice are in the index that tells so.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "-- postgres
    ALTER TABLE attempts SET (fillfactor = 50)",
    "-- postgres
    CREATE UNIQUE INDEX events_dedupe ON events (dedupe_key) WHERE dedupe_key IS NOT NULL",
    "-- postgres
    ALTER TABLE events DROP CONSTRAINT events_dedupe_key_key",
];

const DOWN: &[&str] = &[
    "-- postgres
    ALTER TABLE events ADD CONSTRAINT events_dedupe_key_key UNIQUE (dedupe_key)",
    "-- postgres
    DROP INDEX events_dedupe",
    "-- postgres
    ALTER TABLE attempts RESET (fillfactor)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, DOWN).await
    }
}
