//! Whether a person's lists hold texts with capitals: who has a tag, whatever its case, is then told by one look at the list
//! wherever they do not. On a table that is already large this writes every row again.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The column's definition, on PostgreSQL.
pub const COLUMN: &str = "lists_have_capitals boolean NOT NULL GENERATED ALWAYS AS (coalesce(jsonb_path_exists(attributes,
    'strict $.* ? (@.type() == \"array\")[*] ? (@.type() == \"string\" && @ like_regex \"[A-Z]\")', '{}', true), true)) STORED";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &[&format!("-- postgres\n    ALTER TABLE users ADD COLUMN {COLUMN}")]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &["-- postgres\n    ALTER TABLE users DROP COLUMN lists_have_capitals"]).await
    }
}
