//! What is left of an erased payload: that there was one.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // The event's envelope stays, with the hash of what it held; this says when and why the rest went.
    "CREATE TABLE event_tombstones (
        event_id {uuid} NOT NULL PRIMARY KEY,
        why text NOT NULL CHECK (why IN ('erased', 'expired')),
        at {time} NOT NULL
    ){clustered}",
    // People who were merged into others are looked for by whom they became.
    "CREATE INDEX users_merged_into ON users (merged_into) WHERE merged_into IS NOT NULL",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &["DROP INDEX users_merged_into"]).await?;
        drop_tables(manager, &["event_tombstones"]).await
    }
}
