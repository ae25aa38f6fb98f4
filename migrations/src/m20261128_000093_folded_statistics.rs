//! What PostgreSQL knows of texts as filters compare them, without their case: how many people a language or a zone leaves.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "-- postgres
    CREATE STATISTICS users_locale_folded ON (lower(locale COLLATE \"C\")) FROM users",
    "-- postgres
    CREATE STATISTICS users_zone_folded ON (lower(zone COLLATE \"C\")) FROM users",
];

const DOWN: &[&str] = &[
    "-- postgres
    DROP STATISTICS users_zone_folded",
    "-- postgres
    DROP STATISTICS users_locale_folded",
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
