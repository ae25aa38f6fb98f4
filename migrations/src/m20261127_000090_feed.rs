//! The event stream.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // Numbers are given out before their transactions commit, so the order of the stream is (tx, id): on PostgreSQL `tx` is the
    // transaction's own id, and what is below the oldest one that still runs never changes again. SQLite commits one after another.
    "-- postgres
    CREATE TABLE feed (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tx bigint NOT NULL,
        kind text NOT NULL,
        at timestamptz NOT NULL,
        user_id uuid,
        campaign_id uuid,
        seq bigint,
        subject_id uuid,
        error_code integer NOT NULL,
        data jsonb
    )",
    "-- sqlite
    CREATE TABLE feed (
        id integer PRIMARY KEY,
        tx integer NOT NULL,
        kind text NOT NULL,
        at text NOT NULL,
        user_id blob,
        campaign_id blob,
        seq integer,
        subject_id blob,
        error_code integer NOT NULL,
        data text
    )",
    "CREATE UNIQUE INDEX feed_order ON feed (tx, id)",
    // What is added to transaction ids: a database that was restored into another server counts from lower ones.
    "-- postgres
    CREATE TABLE feed_base (one boolean PRIMARY KEY DEFAULT true CHECK (one), base bigint NOT NULL)",
    "-- postgres
    INSERT INTO feed_base (base) VALUES (0)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["feed", "feed_base"]).await
    }
}
