//! A campaign's canary, and from where on its brake counts.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "ALTER TABLE campaigns ADD COLUMN canary integer CHECK (canary > 0)",
    "ALTER TABLE campaigns ADD COLUMN canary_passed_at {time}",
    // What the brake had counted when an operator let the campaign go on.
    "ALTER TABLE campaigns ADD COLUMN brake_base {json}",
];

const DOWN: &[&str] = &[
    "ALTER TABLE campaigns DROP COLUMN brake_base",
    "ALTER TABLE campaigns DROP COLUMN canary_passed_at",
    "ALTER TABLE campaigns DROP COLUMN canary",
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
