//! A gate for the time of day where a person lives.

use super::run;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Every gate from here on.
const GATES: &str = "'campaign', 'suppression', 'consent', 'topic', 'address', 'window', 'content', 'frequency', 'schedule', 'quiet_hours', 'sender', 'rate', 'provider'";
/// Every gate before.
const GATES_BEFORE: &str = "'campaign', 'suppression', 'consent', 'topic', 'address', 'window', 'content', 'frequency', 'quiet_hours', 'sender', 'rate', 'provider'";

/// SQLite changes no CHECK in place, so its table is made anew.
async fn allow(manager: &SchemaManager<'_>, gates: &str) -> Result<(), DbErr> {
    let next = format!(
        "-- sqlite
        CREATE TABLE decisions_next (
            campaign_id {{uuid}} NOT NULL,
            seq bigint NOT NULL,
            id {{uuid}} NOT NULL,
            user_id {{uuid}} NOT NULL,
            verdict text NOT NULL CHECK (verdict IN ('defer', 'skip')),
            gate text NOT NULL CHECK (gate IN ({gates})),
            fact text NOT NULL,
            next_at {{time}},
            at {{time}} NOT NULL,
            PRIMARY KEY (campaign_id, seq, id)
        ){{clustered}}"
    );
    let check =
        format!("-- postgres\nALTER TABLE decisions ADD CONSTRAINT decisions_gate_check CHECK (gate IN ({gates}))");
    run(
        manager,
        &[
            "-- postgres\nALTER TABLE decisions DROP CONSTRAINT decisions_gate_check",
            &check,
            &next,
            "-- sqlite
            INSERT INTO decisions_next (campaign_id, seq, id, user_id, verdict, gate, fact, next_at, at)
            SELECT campaign_id, seq, id, user_id, verdict, gate, fact, next_at, at FROM decisions",
            "-- sqlite\nDROP TABLE decisions",
            "-- sqlite\nALTER TABLE decisions_next RENAME TO decisions",
            "-- sqlite\nCREATE INDEX decisions_gate ON decisions (campaign_id, gate, seq)",
            "-- sqlite\nCREATE INDEX decisions_user ON decisions (user_id, id)",
        ],
    )
    .await
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        allow(manager, GATES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What the old words cannot say is told by the nearest of them.
        run(manager, &["UPDATE decisions SET gate = 'quiet_hours' WHERE gate = 'schedule'"]).await?;
        allow(manager, GATES_BEFORE).await
    }
}
