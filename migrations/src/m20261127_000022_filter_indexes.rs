//! What filters on PostgreSQL find people by: rare values of attributes, and consent without its rows.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    // Filters compare text without its ASCII case, which the index of the values as they are could not serve.
    "-- postgres
    DROP INDEX users_attributes",
    "-- postgres
    CREATE INDEX users_attributes ON users USING gin ((lower(attributes::text COLLATE \"C\")::jsonb) jsonb_path_ops)",
    // A value that one person in a thousand has must be told from one that nobody has.
    "-- postgres
    ALTER INDEX users_attributes ALTER COLUMN 1 SET STATISTICS 1000",
    // The state of consent is read from the key's own index.
    "-- postgres
    ALTER TABLE consents DROP CONSTRAINT consents_pkey",
    "-- postgres
    ALTER TABLE consents ADD CONSTRAINT consents_pkey PRIMARY KEY (user_id, channel) INCLUDE (state)",
];

const DOWN: &[&str] = &[
    "-- postgres
    ALTER TABLE consents DROP CONSTRAINT consents_pkey",
    "-- postgres
    ALTER TABLE consents ADD CONSTRAINT consents_pkey PRIMARY KEY (user_id, channel)",
    "-- postgres
    DROP INDEX users_attributes",
    "-- postgres
    CREATE INDEX users_attributes ON users USING gin (attributes jsonb_path_ops)",
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
