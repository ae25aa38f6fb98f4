//! Days that were compared with the provider's list, and what messages cost by it.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &["reconciliations", "message_costs", "campaign_costs"];

const UP: &[&str] = &[
    // `looks` counts how often a day was begun; `next` is where the list goes on, and null at its beginning.
    "CREATE TABLE reconciliations (
        day text NOT NULL PRIMARY KEY,
        looks integer NOT NULL,
        started_at {time} NOT NULL,
        finished_at {time},
        next text,
        pages bigint NOT NULL,
        listed bigint NOT NULL,
        healed bigint NOT NULL,
        priced bigint NOT NULL,
        strange bigint NOT NULL
    )",
    "CREATE TABLE message_costs (
        campaign_id {uuid} NOT NULL,
        sid {uuid} NOT NULL,
        seq bigint NOT NULL,
        currency text NOT NULL,
        micros bigint NOT NULL,
        PRIMARY KEY (campaign_id, sid)
    ){clustered}",
    "CREATE TABLE campaign_costs (
        campaign_id {uuid} NOT NULL,
        currency text NOT NULL,
        messages bigint NOT NULL,
        micros bigint NOT NULL,
        PRIMARY KEY (campaign_id, currency)
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
