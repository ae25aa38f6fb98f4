//! When campaigns start, by whose word, and which are put away.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "ALTER TABLE campaigns ADD COLUMN start_kind text NOT NULL DEFAULT 'now' CHECK (start_kind IN ('now', 'instant', 'local'))",
    // What the clock on each person's wall shows: a date and a time without a zone, in ISO 8601.
    "ALTER TABLE campaigns ADD COLUMN local_at text",
    "ALTER TABLE campaigns ADD COLUMN archived_at {time}",
    "UPDATE campaigns SET start_kind = 'instant' WHERE scheduled_at IS NOT NULL",
    // What was proposed, and by whom it was approved; gone once it is void. The audit log keeps the history.
    "CREATE TABLE approvals (
        campaign_id {uuid} NOT NULL PRIMARY KEY,
        hash text NOT NULL,
        proposed_by {uuid},
        proposed_label text NOT NULL,
        proposed_at {time} NOT NULL,
        approved_by {uuid},
        approved_label text,
        approved_at {time}
    )",
];

const DOWN: &[&str] = &[
    "ALTER TABLE campaigns DROP COLUMN archived_at",
    "ALTER TABLE campaigns DROP COLUMN local_at",
    "ALTER TABLE campaigns DROP COLUMN start_kind",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["approvals"]).await?;
        run(manager, DOWN).await
    }
}
