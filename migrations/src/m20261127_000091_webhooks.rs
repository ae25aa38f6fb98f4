//! Outgoing webhooks: who is told of the event stream, and what became of each delivery.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE webhooks (
        id {uuid} NOT NULL PRIMARY KEY,
        url text NOT NULL,
        description text NOT NULL,
        types {json} NOT NULL,
        campaign_id {uuid},
        enabled boolean NOT NULL,
        disabled_because text,
        failing_since {time},
        delivered_at {time},
        secret_version integer NOT NULL,
        rotated_at {time},
        told_tx bigint NOT NULL,
        told_id bigint NOT NULL,
        created_by text NOT NULL,
        created_at {time} NOT NULL
    )",
    "CREATE TABLE webhook_deliveries (
        webhook_id {uuid} NOT NULL,
        event_tx bigint NOT NULL,
        event_id bigint NOT NULL,
        state text NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
        tries integer NOT NULL,
        due_at {time},
        at {time} NOT NULL,
        PRIMARY KEY (webhook_id, event_tx, event_id)
    ){clustered}",
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_at) WHERE state = 'pending'",
    "CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (webhook_id, at) WHERE state = 'failed'",
    "CREATE TABLE webhook_attempts (
        webhook_id {uuid} NOT NULL,
        event_tx bigint NOT NULL,
        event_id bigint NOT NULL,
        id {uuid} NOT NULL,
        at {time} NOT NULL,
        status integer,
        error text,
        took_ms integer NOT NULL,
        response text NOT NULL,
        PRIMARY KEY (webhook_id, event_tx, event_id, id)
    ){clustered}",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["webhooks", "webhook_deliveries", "webhook_attempts"]).await
    }
}
