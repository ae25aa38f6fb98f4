//! Campaigns and their messages: the queue, and what became of it.
//!
//! `messages` is addressed by (campaign, seq) and has no index on state or SID, so that its updates stay in place; look-ups
//! by SID go to `provider_messages`, whatever waits has a row in `waits`, and totals live in `campaign_stats`.

use super::{drop_tables, run};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &[
    "campaigns",
    "messages",
    "campaign_chunks",
    "campaign_stats",
    "claims",
    "attempts",
    "provider_messages",
    "waits",
    "decisions",
    "decision_stats",
    "error_stats",
    "throughput",
    "day_stats",
    "dead_letters",
];

const UP: &[&str] = &[
    "CREATE TABLE campaigns (
        id {uuid} NOT NULL PRIMARY KEY,
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('bulk', 'test', 'reply', 'single')),
        status text NOT NULL CHECK (status IN ('draft', 'scheduled', 'running', 'paused', 'held', 'completed', 'canceled')),
        status_reason text,
        sender_id {uuid},
        template_id {uuid},
        template_version integer,
        topic_id {uuid},
        segment_id {uuid},
        filter text NOT NULL,
        frozen_filter text,
        audience_hash text,
        rate_per_second integer CHECK (rate_per_second > 0),
        not_before text,
        not_after text,
        unknown_policy text NOT NULL CHECK (unknown_policy IN ('review', 'resend')),
        start_deadline_minutes integer NOT NULL CHECK (start_deadline_minutes >= 0),
        scheduled_at {time},
        launched_at {time},
        finished_at {time},
        -- How far the audience was read: the last user taken, the last seq given, and whether all were.
        expansion_cursor {uuid},
        expansion_seq bigint NOT NULL DEFAULT 0,
        expanded boolean NOT NULL DEFAULT false,
        created_at {time} NOT NULL,
        updated_at {time} NOT NULL
    )",
    "CREATE INDEX campaigns_status ON campaigns (status, scheduled_at)",
    "CREATE TABLE messages (
        campaign_id {uuid} NOT NULL,
        seq bigint NOT NULL,
        user_id {uuid} NOT NULL,
        nth bigint NOT NULL DEFAULT 0,
        state smallint NOT NULL DEFAULT 0,
        attempt smallint NOT NULL DEFAULT 0,
        flags smallint NOT NULL DEFAULT 0,
        error_code integer NOT NULL DEFAULT 0,
        sid {uuid} NOT NULL DEFAULT {nil},
        updated_at {time} NOT NULL,
        PRIMARY KEY (campaign_id, seq)
    ){hot}",
    "CREATE UNIQUE INDEX messages_person ON messages (user_id, campaign_id, nth)",
    // The unit of claiming: `next` is the first seq that was not yet claimed from it.
    "CREATE TABLE campaign_chunks (
        campaign_id {uuid} NOT NULL,
        no integer NOT NULL,
        lo bigint NOT NULL,
        hi bigint NOT NULL,
        next bigint NOT NULL,
        done boolean NOT NULL DEFAULT false,
        PRIMARY KEY (campaign_id, no)
    ){clustered}",
    // The balance, kept in the same transaction as every change; sharded, so that writers do not queue on one row.
    "CREATE TABLE campaign_stats (
        campaign_id {uuid} NOT NULL,
        state smallint NOT NULL,
        shard smallint NOT NULL,
        count bigint NOT NULL,
        PRIMARY KEY (campaign_id, state, shard)
    ){hot}",
    // One row per claim that is under way: its lease. Deleted when all its attempts are settled.
    "CREATE TABLE claims (
        id {uuid} NOT NULL PRIMARY KEY,
        campaign_id {uuid} NOT NULL,
        worker text NOT NULL,
        lease_until {time} NOT NULL
    )",
    "CREATE INDEX claims_lease ON claims (lease_until)",
    "CREATE TABLE attempts (
        campaign_id {uuid} NOT NULL,
        seq bigint NOT NULL,
        attempt smallint NOT NULL,
        claim_id {uuid} NOT NULL,
        sender_id {uuid} NOT NULL,
        started_at {time} NOT NULL,
        lease_until {time} NOT NULL,
        worker text NOT NULL,
        body_hash {bytes} NOT NULL,
        -- What the gates used: the ledger position from which a send's passed gates are recomputed.
        consent_event_id {uuid},
        outcome smallint NOT NULL DEFAULT 0,
        error_code integer NOT NULL DEFAULT 0,
        settled_at {time},
        PRIMARY KEY (campaign_id, seq, attempt)
    ){clustered}",
    "CREATE INDEX attempts_claim ON attempts (claim_id)",
    "CREATE TABLE provider_messages (
        sid {uuid} NOT NULL PRIMARY KEY,
        campaign_id {uuid} NOT NULL,
        seq bigint NOT NULL,
        attempt smallint NOT NULL,
        at {time} NOT NULL
    ){clustered}",
    "CREATE TABLE waits (
        campaign_id {uuid} NOT NULL,
        seq bigint NOT NULL,
        due_at {time} NOT NULL,
        why text NOT NULL CHECK (why IN ('retry', 'deferral', 'unknown')),
        tries integer NOT NULL DEFAULT 0,
        PRIMARY KEY (campaign_id, seq)
    ){clustered}",
    "CREATE INDEX waits_due ON waits (why, due_at)",
    "CREATE INDEX waits_campaign_due ON waits (campaign_id, why, due_at)",
    "CREATE TABLE decisions (
        campaign_id {uuid} NOT NULL,
        seq bigint NOT NULL,
        id {uuid} NOT NULL,
        user_id {uuid} NOT NULL,
        verdict text NOT NULL CHECK (verdict IN ('defer', 'skip')),
        gate text NOT NULL CHECK (gate IN ('campaign', 'suppression', 'consent', 'topic', 'address', 'window', 'content', 'frequency', 'quiet_hours', 'sender', 'rate', 'provider')),
        fact text NOT NULL,
        next_at {time},
        at {time} NOT NULL,
        PRIMARY KEY (campaign_id, seq, id)
    ){clustered}",
    "CREATE INDEX decisions_gate ON decisions (campaign_id, gate, seq)",
    "CREATE INDEX decisions_user ON decisions (user_id, id)",
    "CREATE TABLE decision_stats (
        campaign_id {uuid} NOT NULL,
        gate text NOT NULL,
        verdict text NOT NULL,
        count bigint NOT NULL,
        PRIMARY KEY (campaign_id, gate, verdict)
    ){clustered}",
    "CREATE TABLE error_stats (
        campaign_id {uuid} NOT NULL,
        code integer NOT NULL,
        count bigint NOT NULL,
        PRIMARY KEY (campaign_id, code)
    ){clustered}",
    // How many messages the provider took in each second: the rate now, and the chart of a campaign.
    "CREATE TABLE throughput (
        campaign_id {uuid} NOT NULL,
        second bigint NOT NULL,
        count bigint NOT NULL,
        PRIMARY KEY (campaign_id, second)
    ){clustered}",
    // Figures by day (UTC), for the overview; sharded like the balance.
    "CREATE TABLE day_stats (
        day text NOT NULL,
        figure text NOT NULL CHECK (figure IN ('sent', 'delivered', 'read', 'failed', 'replies', 'opt_outs')),
        shard smallint NOT NULL,
        count bigint NOT NULL,
        PRIMARY KEY (day, figure, shard)
    ){clustered}",
    "CREATE TABLE dead_letters (
        id {uuid} NOT NULL PRIMARY KEY,
        kind text NOT NULL,
        subject text NOT NULL,
        reason text NOT NULL,
        payload {json} NOT NULL,
        at {time} NOT NULL,
        resolved_at {time},
        resolution text CHECK (resolution IN ('redriven', 'discarded'))
    )",
    "CREATE INDEX dead_letters_open ON dead_letters (resolved_at, id)",
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
