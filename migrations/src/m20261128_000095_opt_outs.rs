//! Who opted out, by channel: few among many, and asked for wherever they are counted or left out.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &["-- postgres
    CREATE INDEX consents_opted_out ON consents (channel, user_id) WHERE state = 'opted_out'"];

const DOWN: &[&str] = &["-- postgres
    DROP INDEX consents_opted_out"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, DOWN).await
    }
}
