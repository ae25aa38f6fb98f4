//! People, what they allowed, and what they follow.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &["users", "consents", "consent_events", "topics", "subscriptions", "suppressions"];

const UP: &[&str] = &[
    "CREATE TABLE users (
        id {uuid} NOT NULL PRIMARY KEY,
        phone text UNIQUE,
        whatsapp_id text UNIQUE,
        name text,
        locale text,
        zone text,
        attributes {json} NOT NULL,
        merged_into {uuid},
        created_at {time} NOT NULL,
        updated_at {time} NOT NULL,
        CHECK (phone IS NOT NULL OR whatsapp_id IS NOT NULL OR merged_into IS NOT NULL)
    )",
    "-- postgres: equality on attributes
    CREATE INDEX users_attributes ON users USING gin (attributes jsonb_path_ops)",
    "CREATE TABLE topics (
        id {uuid} NOT NULL PRIMARY KEY,
        key text NOT NULL UNIQUE,
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('opt_in', 'opt_out')),
        created_at {time} NOT NULL
    )",
    "CREATE TABLE consent_events (
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
    "CREATE INDEX consent_events_user ON consent_events (user_id, id)",
    // A row exists for every person and channel from the start, so that a first opt-out has a row to lock.
    "CREATE TABLE consents (
        user_id {uuid} NOT NULL,
        channel text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
        state text NOT NULL CHECK (state IN ('none', 'opted_in', 'opted_out')),
        stops {json} NOT NULL,
        event_id {uuid},
        updated_at {time} NOT NULL,
        PRIMARY KEY (user_id, channel)
    ){clustered}",
    "CREATE TABLE subscriptions (
        user_id {uuid} NOT NULL,
        topic_id {uuid} NOT NULL,
        state text NOT NULL CHECK (state IN ('subscribed', 'unsubscribed')),
        event_id {uuid},
        updated_at {time} NOT NULL,
        PRIMARY KEY (user_id, topic_id)
    ){clustered}",
    "CREATE INDEX subscriptions_topic ON subscriptions (topic_id, state)",
    // Hashes of addresses that must never be messaged again; they outlive the person's row.
    "CREATE TABLE suppressions (
        hash text NOT NULL PRIMARY KEY,
        channel text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
        reason text NOT NULL,
        at {time} NOT NULL
    )",
    "-- postgres: the ledger is append-only
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'this table is append-only'; END $$",
    "-- postgres
    CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "-- sqlite: the ledger is append-only
    CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, TABLES).await?;
        run(manager, &["-- postgres\n DROP FUNCTION refuse_change()"]).await
    }
}
