//! The people at the dashboard, their sessions, and who did what.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &["operators", "sessions", "sign_in_links", "sign_in_failures", "audit", "workers"];

const UP: &[&str] = &[
    "CREATE TABLE operators (
        id {uuid} NOT NULL PRIMARY KEY,
        email text NOT NULL UNIQUE,
        name text NOT NULL,
        role text NOT NULL CHECK (role IN ('viewer', 'agent', 'marketer', 'approver', 'admin')),
        password_hash text,
        disabled_at {time},
        created_at {time} NOT NULL,
        updated_at {time} NOT NULL
    )",
    // Only hashes of tokens are kept: the table is of no use to a thief.
    "CREATE TABLE sessions (
        token_hash {bytes} NOT NULL PRIMARY KEY,
        operator_id {uuid} NOT NULL,
        address text,
        user_agent text,
        created_at {time} NOT NULL,
        seen_at {time} NOT NULL
    )",
    "CREATE INDEX sessions_operator ON sessions (operator_id)",
    "CREATE TABLE sign_in_links (
        token_hash {bytes} NOT NULL PRIMARY KEY,
        operator_id {uuid} NOT NULL,
        expires_at {time} NOT NULL,
        used_at {time}
    )",
    "CREATE TABLE sign_in_failures (
        subject text NOT NULL,
        at {time} NOT NULL,
        id {uuid} NOT NULL PRIMARY KEY
    )",
    "CREATE INDEX sign_in_failures_subject ON sign_in_failures (subject, at)",
    "CREATE TABLE audit (
        id {uuid} NOT NULL PRIMARY KEY,
        at {time} NOT NULL,
        actor text NOT NULL,
        operator_id {uuid},
        action text NOT NULL,
        target text NOT NULL,
        before {json},
        after {json},
        address text,
        request_id text
    )",
    "CREATE INDEX audit_target ON audit (target, id)",
    "-- postgres
    CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "-- sqlite
    CREATE TRIGGER audit_append_only_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END",
    "-- sqlite
    CREATE TRIGGER audit_append_only_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END",
    // Processes that are alive, for the health page and for leases.
    "CREATE TABLE workers (
        name text NOT NULL PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('serve', 'worker')),
        started_at {time} NOT NULL,
        seen_at {time} NOT NULL
    )",
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
