//! A campaign's own frequency cap.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "ALTER TABLE campaigns ADD COLUMN cap_messages integer CHECK (cap_messages > 0)",
    "ALTER TABLE campaigns ADD COLUMN cap_days integer CHECK (cap_days > 0)",
];

const DOWN: &[&str] = &["ALTER TABLE campaigns DROP COLUMN cap_days", "ALTER TABLE campaigns DROP COLUMN cap_messages"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, DOWN).await
    }
}
