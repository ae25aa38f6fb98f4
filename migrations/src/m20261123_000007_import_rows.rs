//! Which people an import touched, and what was found out about its file.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // One row per person and import, whatever the number of the person's rows: what tells duplicates across a file, and
    // which people an import brought or changed.
    "CREATE TABLE import_rows (
        import_id {uuid} NOT NULL,
        user_id {uuid} NOT NULL,
        line bigint NOT NULL,
        effect text NOT NULL CHECK (effect IN ('created', 'updated', 'unchanged')),
        PRIMARY KEY (import_id, user_id)
    ){clustered}",
    "CREATE INDEX import_rows_user ON import_rows (user_id, import_id)",
    "ALTER TABLE imports ADD COLUMN file {json} NOT NULL DEFAULT '{}'",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["import_rows"]).await?;
        run(manager, &["ALTER TABLE imports DROP COLUMN file"]).await
    }
}
