//! What is sent, and from where.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &["segments", "templates", "template_versions", "senders", "settings"];

const UP: &[&str] = &[
    "CREATE TABLE segments (
        id {uuid} NOT NULL PRIMARY KEY,
        name text NOT NULL UNIQUE,
        filter text NOT NULL,
        created_at {time} NOT NULL,
        updated_at {time} NOT NULL
    )",
    "CREATE TABLE templates (
        id {uuid} NOT NULL PRIMARY KEY,
        name text NOT NULL UNIQUE,
        channel text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
        version integer NOT NULL,
        created_at {time} NOT NULL,
        updated_at {time} NOT NULL
    )",
    // A version is never changed: a campaign pins one at its launch.
    "CREATE TABLE template_versions (
        template_id {uuid} NOT NULL,
        version integer NOT NULL,
        body text NOT NULL,
        content_sid text,
        content_variables {json} NOT NULL,
        created_at {time} NOT NULL,
        PRIMARY KEY (template_id, version)
    )",
    "CREATE TABLE senders (
        id {uuid} NOT NULL PRIMARY KEY,
        channel text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
        address text NOT NULL,
        name text NOT NULL,
        rate_per_second integer NOT NULL CHECK (rate_per_second > 0),
        enabled boolean NOT NULL,
        created_at {time} NOT NULL,
        UNIQUE (channel, address)
    )",
    "CREATE TABLE settings (
        key text NOT NULL PRIMARY KEY,
        value {json} NOT NULL,
        updated_at {time} NOT NULL
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
