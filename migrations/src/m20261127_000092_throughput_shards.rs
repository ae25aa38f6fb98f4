//! The count of what the provider took in a second gets a row for each worker: of one row they waited for each other, until
//! each was on disk.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "ALTER TABLE throughput RENAME TO throughput_of_all",
    "CREATE TABLE throughput (
        campaign_id {uuid} NOT NULL,
        second bigint NOT NULL,
        shard smallint NOT NULL,
        count bigint NOT NULL,
        PRIMARY KEY (campaign_id, second, shard)
    ){clustered}",
    "INSERT INTO throughput (campaign_id, second, shard, count) SELECT campaign_id, second, 0, count FROM throughput_of_all",
    "DROP TABLE throughput_of_all",
];

const DOWN: &[&str] = &[
    "ALTER TABLE throughput RENAME TO throughput_by_shard",
    "CREATE TABLE throughput (
        campaign_id {uuid} NOT NULL,
        second bigint NOT NULL,
        count bigint NOT NULL,
        PRIMARY KEY (campaign_id, second)
    ){clustered}",
    "INSERT INTO throughput (campaign_id, second, count)
     SELECT campaign_id, second, sum(count) FROM throughput_by_shard GROUP BY campaign_id, second",
    "DROP TABLE throughput_by_shard",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, DOWN).await
    }
}
