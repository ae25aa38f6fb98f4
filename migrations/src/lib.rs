//! The history of the tables. It depends on nothing of ours, so that history stays frozen.
//!
//! Tables are written as SQL, once for both databases: a few type names in braces are filled in by [`dialect`].

use sea_orm_migration::prelude::{ConnectionTrait, DbErr, MigrationTrait, async_trait};
pub use sea_orm_migration::prelude::{MigratorTrait, SchemaManager};

mod dialect;
mod m20261123_000001_people;
mod m20261123_000002_content;
mod m20261123_000003_campaigns;
mod m20261123_000004_events;
mod m20261123_000005_operators;
mod m20261123_000006_imports;
mod m20261123_000007_import_rows;
mod m20261126_000010_change_sets;
mod m20261126_000011_tombstones;
mod m20261126_000012_exclusions;
mod m20261126_000020_user_lists;
mod m20261126_000045_starts_and_approvals;
mod m20261126_000046_schedule_gate;
mod m20261126_000047_test_people;
mod m20261126_000048_locales;
mod m20261126_000049_frequency_caps;
mod m20261126_000050_forecasts;
mod m20261127_000021_suppression_order;
mod m20261127_000022_filter_indexes;
mod m20261127_000060_breakers;
mod m20261127_000061_brakes;
mod m20261127_000070_spools;
mod m20261127_000080_api_keys;
mod m20261127_000090_feed;
mod m20261127_000091_webhooks;
mod m20261127_000092_throughput_shards;
mod m20261128_000093_folded_statistics;
mod m20261128_000094_reconciliations;
mod m20261128_000095_opt_outs;
mod m20261128_000096_capitals_in_lists;
mod m20261128_000097_lighter_sends;
mod m20261128_000098_payloads_of_requests;

pub use m20261128_000096_capitals_in_lists::COLUMN as LISTS_HAVE_CAPITALS;

/// Applies and reverts the migrations.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_people::Migration),
            Box::new(m20261123_000002_content::Migration),
            Box::new(m20261123_000003_campaigns::Migration),
            Box::new(m20261123_000004_events::Migration),
            Box::new(m20261123_000005_operators::Migration),
            Box::new(m20261123_000006_imports::Migration),
            Box::new(m20261123_000007_import_rows::Migration),
            Box::new(m20261126_000010_change_sets::Migration),
            Box::new(m20261126_000011_tombstones::Migration),
            Box::new(m20261126_000012_exclusions::Migration),
            Box::new(m20261126_000020_user_lists::Migration),
            Box::new(m20261126_000045_starts_and_approvals::Migration),
            Box::new(m20261126_000046_schedule_gate::Migration),
            Box::new(m20261126_000047_test_people::Migration),
            Box::new(m20261126_000048_locales::Migration),
            Box::new(m20261126_000049_frequency_caps::Migration),
            Box::new(m20261126_000050_forecasts::Migration),
            Box::new(m20261127_000021_suppression_order::Migration),
            Box::new(m20261127_000022_filter_indexes::Migration),
            Box::new(m20261127_000060_breakers::Migration),
            Box::new(m20261127_000061_brakes::Migration),
            Box::new(m20261127_000070_spools::Migration),
            Box::new(m20261127_000080_api_keys::Migration),
            Box::new(m20261127_000090_feed::Migration),
            Box::new(m20261127_000091_webhooks::Migration),
            Box::new(m20261127_000092_throughput_shards::Migration),
            Box::new(m20261128_000093_folded_statistics::Migration),
            Box::new(m20261128_000094_reconciliations::Migration),
            Box::new(m20261128_000095_opt_outs::Migration),
            Box::new(m20261128_000096_capitals_in_lists::Migration),
            Box::new(m20261128_000097_lighter_sends::Migration),
            Box::new(m20261128_000098_payloads_of_requests::Migration),
        ]
    }
}

/// Runs statements one after another, in this database's dialect.
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        if let Some(sql) = dialect::sql(statement, manager.get_database_backend()) {
            manager.get_connection().execute_unprepared(&sql).await?;
        }
    }
    Ok(())
}

/// Drops tables, last made first.
async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    for table in tables.iter().rev() {
        manager.get_connection().execute_unprepared(&format!("DROP TABLE IF EXISTS {table}")).await?;
    }
    Ok(())
}
