//! Keys of the REST API, and the requests that may be repeated.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // Of the secret only its SHA-256 is kept: it has 256 random bits, which nobody guesses from the hash.
    "CREATE TABLE api_keys (
        id {uuid} NOT NULL PRIMARY KEY,
        name text NOT NULL,
        prefix text NOT NULL,
        hash {bytes} NOT NULL,
        scopes {json} NOT NULL,
        rate_per_second integer NOT NULL CHECK (rate_per_second > 0),
        created_by text NOT NULL,
        created_at {time} NOT NULL,
        expires_at {time},
        revoked_at {time},
        last_used_at {time}
    )",
    "CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash)",
    // A request under an idempotency key: `open` until what it does is committed, `done` once its answer is kept too.
    "CREATE TABLE api_requests (
        key_id {uuid} NOT NULL,
        idempotency_key text NOT NULL,
        request_hash {bytes} NOT NULL,
        state text NOT NULL CHECK (state IN ('open', 'committed', 'done')),
        target text,
        status integer,
        headers {json},
        body text,
        created_at {time} NOT NULL,
        locked_until {time} NOT NULL,
        PRIMARY KEY (key_id, idempotency_key)
    ){clustered}",
    "CREATE INDEX api_requests_age ON api_requests (created_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["api_keys", "api_requests"]).await
    }
}
