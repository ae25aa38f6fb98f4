//! Orders of the list of users, saved views of it, and changes of everyone in it.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // People who were merged into others are in no list, so they are in none of its indexes.
    "-- postgres
    CREATE INDEX users_by_name ON users (lower(coalesce(name, '') COLLATE \"C\"), id) WHERE merged_into IS NULL",
    "-- sqlite
    CREATE INDEX users_by_name ON users (lower(coalesce(name, '')), id) WHERE merged_into IS NULL",
    "CREATE INDEX users_by_change ON users (updated_at, id) WHERE merged_into IS NULL",
    "CREATE TABLE user_views (
        id {uuid} NOT NULL PRIMARY KEY,
        name text NOT NULL UNIQUE,
        filter text NOT NULL,
        sort text NOT NULL CHECK (sort IN ('newest', 'oldest', 'name', 'name_down', 'changed', 'unchanged')),
        columns text NOT NULL,
        created_at {time} NOT NULL,
        updated_at {time} NOT NULL
    )",
    // It goes through people by id, downwards from the newest of its start: the cursor is the last one it took.
    "CREATE TABLE bulk_changes (
        id {uuid} NOT NULL PRIMARY KEY,
        status text NOT NULL CHECK (status IN ('running', 'completed')),
        filter text NOT NULL,
        act {json} NOT NULL,
        words text NOT NULL,
        people bigint NOT NULL,
        done bigint NOT NULL,
        changed bigint NOT NULL,
        cursor {uuid} NOT NULL,
        actor text NOT NULL,
        asked_at {time} NOT NULL,
        created_at {time} NOT NULL,
        updated_at {time} NOT NULL
    )",
    "CREATE INDEX bulk_changes_running ON bulk_changes (id) WHERE status = 'running'",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &["DROP INDEX users_by_name", "DROP INDEX users_by_change"]).await?;
        drop_tables(manager, &["user_views", "bulk_changes"]).await
    }
}
