//! Attributes that are declared; imports that are checked before they are applied, and can be undone.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE attributes (
        id {uuid} NOT NULL PRIMARY KEY,
        name text NOT NULL UNIQUE,
        kind text NOT NULL CHECK (kind IN ('text', 'number', 'boolean', 'date', 'list')),
        description text NOT NULL,
        created_at {time} NOT NULL
    )",
    // Neither database changes a CHECK in place on both sides alike, so the tables with new words are made anew.
    "CREATE TABLE imports_next (
        id {uuid} NOT NULL PRIMARY KEY,
        file_name text NOT NULL,
        format text NOT NULL CHECK (format IN ('csv', 'json')),
        status text NOT NULL CHECK (status IN ('uploaded', 'checking', 'checked', 'running', 'completed', 'failed', 'undoing', 'undone')),
        failure text,
        options {json} NOT NULL,
        report {json} NOT NULL,
        bytes_total bigint NOT NULL,
        bytes_done bigint NOT NULL DEFAULT 0,
        rows_done bigint NOT NULL DEFAULT 0,
        created_by {uuid},
        created_at {time} NOT NULL,
        started_at {time},
        finished_at {time},
        file {json} NOT NULL DEFAULT '{}',
        -- What the check found, kept beside what then happened.
        checked {json},
        -- The header, hashed: what was chosen for one file is proposed for the next of its kind.
        columns_hash text NOT NULL DEFAULT '',
        undo_cursor {uuid}
    )",
    "INSERT INTO imports_next (id, file_name, format, status, failure, options, report, bytes_total, bytes_done, rows_done,
         created_by, created_at, started_at, finished_at, file)
     SELECT id, file_name, format, status, failure, options, report, bytes_total, bytes_done, rows_done,
         created_by, created_at, started_at, finished_at, file FROM imports",
    "DROP TABLE imports",
    "ALTER TABLE imports_next RENAME TO imports",
    "CREATE INDEX imports_columns ON imports (columns_hash, id)",
    // How someone was before and after the import: what undoing it puts back. `raised` says on which channels consent was
    // recorded: 1 for SMS, 2 for WhatsApp.
    "ALTER TABLE import_rows ADD COLUMN before {json}",
    "ALTER TABLE import_rows ADD COLUMN after {json}",
    "ALTER TABLE import_rows ADD COLUMN raised smallint NOT NULL DEFAULT 0",
    // Whom a check met already: nobody is made by it, so people are known by their address.
    "CREATE TABLE import_checks (
        import_id {uuid} NOT NULL,
        address text NOT NULL,
        PRIMARY KEY (import_id, address)
    ){clustered}",
    "CREATE TABLE consent_events_next (
        id {uuid} NOT NULL PRIMARY KEY,
        user_id {uuid} NOT NULL,
        channel text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
        topic_id {uuid},
        kind text NOT NULL CHECK (kind IN ('opt_in', 'opt_out', 'withdraw', 'subscribe', 'unsubscribe')),
        source text NOT NULL CHECK (source IN ('keyword', 'import', 'operator', 'api', 'provider', 'preferences')),
        sender text,
        evidence text NOT NULL,
        at {time} NOT NULL
    ){clustered}",
    "INSERT INTO consent_events_next SELECT id, user_id, channel, topic_id, kind, source, sender, evidence, at FROM consent_events",
    "DROP TABLE consent_events",
    "ALTER TABLE consent_events_next RENAME TO consent_events",
    "CREATE INDEX consent_events_user ON consent_events (user_id, id)",
    "-- postgres
    CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "-- sqlite
    CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END",
];

/// Back to the words that were; what only the new ones could say is gone.
const DOWN: &[&str] = &[
    "CREATE TABLE consent_events_last (
        id {uuid} NOT NULL PRIMARY KEY,
        user_id {uuid} NOT NULL,
        channel text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
        topic_id {uuid},
        kind text NOT NULL CHECK (kind IN ('opt_in', 'opt_out', 'subscribe', 'unsubscribe')),
        source text NOT NULL CHECK (source IN ('keyword', 'import', 'operator', 'api', 'provider', 'preferences')),
        sender text,
        evidence text NOT NULL,
        at {time} NOT NULL
    ){clustered}",
    "INSERT INTO consent_events_last SELECT id, user_id, channel, topic_id, kind, source, sender, evidence, at
     FROM consent_events WHERE kind <> 'withdraw'",
    "DROP TABLE consent_events",
    "ALTER TABLE consent_events_last RENAME TO consent_events",
    "CREATE INDEX consent_events_user ON consent_events (user_id, id)",
    "-- postgres
    CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "-- sqlite
    CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END",
    "ALTER TABLE import_rows DROP COLUMN raised",
    "ALTER TABLE import_rows DROP COLUMN after",
    "ALTER TABLE import_rows DROP COLUMN before",
    "CREATE TABLE imports_last (
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
        finished_at {time},
        file {json} NOT NULL DEFAULT '{}'
    )",
    "INSERT INTO imports_last (id, file_name, format, status, failure, options, report, bytes_total, bytes_done, rows_done,
         created_by, created_at, started_at, finished_at, file)
     SELECT id, file_name, format,
         CASE WHEN status IN ('checking', 'checked') THEN 'uploaded' WHEN status IN ('undoing', 'undone') THEN 'failed' ELSE status END,
         failure, options, report, bytes_total, bytes_done, rows_done, created_by, created_at, started_at, finished_at, file
     FROM imports",
    "DROP TABLE imports",
    "ALTER TABLE imports_last RENAME TO imports",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["attributes", "import_checks"]).await?;
        run(manager, DOWN).await
    }
}
