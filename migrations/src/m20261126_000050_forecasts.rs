//! What campaigns would do, and what messages cost.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // One for each campaign, the newest. `cursor` is the last person asked; `hash` is what was asked about.
    "CREATE TABLE forecasts (
        campaign_id {uuid} NOT NULL PRIMARY KEY,
        hash text NOT NULL,
        cursor {uuid},
        complete boolean NOT NULL DEFAULT false,
        tally {json} NOT NULL,
        -- Zones and costs by the rate and the prices of its end.
        outcome {json},
        starts_at {time} NOT NULL,
        asked_at {time} NOT NULL
    )",
    // What one part costs, in millionths of the currency; `*` holds where no other country does.
    "CREATE TABLE prices (
        country text NOT NULL,
        channel text NOT NULL CHECK (channel IN ('sms', 'whatsapp')),
        currency text NOT NULL,
        micros bigint NOT NULL CHECK (micros >= 0),
        updated_at {time} NOT NULL,
        PRIMARY KEY (country, channel)
    )",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["forecasts", "prices"]).await
    }
}
