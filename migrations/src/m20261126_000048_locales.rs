//! A version of a template says what it says in several languages.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // By language tag: text, content id and content variables. The version's own columns are the default.
        run(manager, &["ALTER TABLE template_versions ADD COLUMN locales {json} NOT NULL DEFAULT '{}'"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &["ALTER TABLE template_versions DROP COLUMN locales"]).await
    }
}
