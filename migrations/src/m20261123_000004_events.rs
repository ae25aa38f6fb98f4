//! What came over the wire, verbatim, and what people wrote.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &["events", "event_payloads", "inbound_messages", "whatsapp_windows"];

const UP: &[&str] = &[
    // The envelope is never changed; the payload beside it can be erased.
    "CREATE TABLE events (
        id {uuid} NOT NULL PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('create', 'list', 'status', 'inbound')),
        dedupe_key text UNIQUE,
        sid {uuid},
        campaign_id {uuid},
        seq bigint,
        attempt smallint,
        sha256 {bytes} NOT NULL,
        at {time} NOT NULL
    ){clustered}",
    "CREATE INDEX events_message ON events (campaign_id, seq, id)",
    "CREATE TABLE event_payloads (
        event_id {uuid} NOT NULL PRIMARY KEY,
        payload text NOT NULL
    ){clustered}",
    // Reports whose message is not known yet wait here, for 24 hours at least.
    "CREATE TABLE unbound_receipts (
        event_id {uuid} NOT NULL PRIMARY KEY,
        sid {uuid} NOT NULL,
        status smallint NOT NULL,
        error_code integer NOT NULL,
        mm boolean NOT NULL,
        channel text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
        at {time} NOT NULL
    )",
    "CREATE INDEX unbound_receipts_sid ON unbound_receipts (sid)",
    "CREATE TABLE inbound_messages (
        id {uuid} NOT NULL PRIMARY KEY,
        event_id {uuid} NOT NULL,
        provider_sid text NOT NULL UNIQUE,
        user_id {uuid} NOT NULL,
        channel text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
        from_address text NOT NULL,
        to_address text NOT NULL,
        body text NOT NULL,
        media {json} NOT NULL,
        kind text NOT NULL CHECK (kind IN ('stop', 'start', 'help', 'subscribe', 'unsubscribe', 'probable_opt_out', 'message')),
        effect text,
        reply text,
        received_at {time} NOT NULL
    )",
    "CREATE INDEX inbound_messages_user ON inbound_messages (user_id, id)",
    "CREATE INDEX inbound_messages_kind ON inbound_messages (kind, id)",
    // When a person last wrote to a WhatsApp sender: what opens the 24-hour window.
    "CREATE TABLE whatsapp_windows (
        user_id {uuid} NOT NULL,
        sender text NOT NULL,
        last_inbound_at {time} NOT NULL,
        PRIMARY KEY (user_id, sender)
    ){clustered}",
    "-- postgres
    CREATE TRIGGER events_append_only BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "-- sqlite
    CREATE TRIGGER events_append_only BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, TABLES).await?;
        drop_tables(manager, &["unbound_receipts"]).await
    }
}
