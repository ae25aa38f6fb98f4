//! What web processes keep on their disks while the database is away.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = "CREATE TABLE spools (
            id text NOT NULL PRIMARY KEY,
            depth bigint NOT NULL,
            seen_at {time} NOT NULL
        )";
        run(manager, &[table]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["spools"]).await
    }
}
