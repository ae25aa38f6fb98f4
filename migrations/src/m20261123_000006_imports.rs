//! Imports of users, and what was wrong with their rows.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &["imports", "import_rejects"];

const UP: &[&str] = &[
    "CREATE TABLE imports (
        id {uuid} NOT NULL PRIMARY KEY,
        file_name text NOT NULL,
        format text NOT NULL CHECK (format IN ('csv', 'json')),
        status text NOT NULL CHECK (status IN ('uploaded', 'running', 'completed', 'failed')),
        failure text,
        options {json} NOT NULL,
        report {json} NOT NULL,
        bytes_total bigint NOT NULL,
        bytes_done bigint NOT NULL DEFAULT 0,
        rows_done bigint NOT NULL DEFAULT 0,
        created_by {uuid},
        created_at {time} NOT NULL,
        started_at {time},
        finished_at {time}
    )",
    "CREATE TABLE import_rejects (
        import_id {uuid} NOT NULL,
        line bigint NOT NULL,
        part integer NOT NULL,
        reason text NOT NULL,
        message text NOT NULL,
        field text,
        raw text NOT NULL,
        PRIMARY KEY (import_id, line, part)
    ){clustered}",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, TABLES).await
    }
}
