//! The tables: they go up, down and up again, and their CHECKs say what the enums of `domain` say.

use ::migrations::{Migrator, MigratorTrait};
use domain::{
    campaign::{CampaignKind, CampaignStatus, Start, UnknownPolicy},
    compliance::Gate,
    consent::{ConsentKind, ConsentSource, ConsentState},
    dead_letter::Resolution,
    filter::AttributeKind,
    import::ImportStatus,
    inbound::InboundKind,
    operator::Role,
    phone::Channel,
    topic::{SubscriptionState, TopicKind},
    user::{BulkStatus, UserSort},
    webhook::DeliveryState,
};
use engine::{
    Db,
    db::{self, Location, Pools},
    events::EventKind,
    testing::{postgres, sqlite},
};
use sea_orm::FromQueryResult;
use std::collections::{BTreeMap, BTreeSet};

/// The allowed words of a column.
type Checks = BTreeMap<(String, String), BTreeSet<String>>;

async fn open(location: Location) -> Db {
    Db::connect(&location, Pools { connections: 2, acquire_seconds: 30, ..Pools::default() }).await.unwrap()
}

/// One text for each thing in the database that a migration made.
async fn things(db: &Db, sql: &str) -> BTreeSet<String> {
    let found: Vec<Thing> = db::all(db.read(), sql, Vec::new()).await.unwrap();
    found.into_iter().map(|thing| thing.value).filter(|value| !value.contains("seaql_migrations")).collect()
}

#[derive(FromQueryResult)]
struct Thing {
    value: String,
}

const THINGS_ON_SQLITE: &str = "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') AS value FROM sqlite_master";

const THINGS_ON_POSTGRES: &str = "
    SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || COALESCE(column_default, '')
        AS value FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace";

async fn up_down_up(db: &Db, sql: &str) {
    let conn = db.for_migrations();
    Migrator::up(conn, None).await.unwrap();
    let first = things(db, sql).await;
    assert!(first.len() > 50, "{first:?}");
    Migrator::down(conn, None).await.unwrap();
    assert_eq!(things(db, sql).await, BTreeSet::new());
    Migrator::up(conn, None).await.unwrap();
    assert_eq!(things(db, sql).await, first);
}

#[tokio::test]
async fn sqlite_goes_up_down_and_up_again() {
    let database = sqlite::Database::empty();
    up_down_up(&open(Location::Sqlite(database.path())).await, THINGS_ON_SQLITE).await;
}

#[tokio::test]
async fn postgres_goes_up_down_and_up_again() {
    let database = postgres::Database::empty().await;
    up_down_up(&open(Location::Postgres(database.url())).await, THINGS_ON_POSTGRES).await;
}

/// What the CHECKs must say.
fn expected() -> Checks {
    fn words<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str) -> BTreeSet<String> {
        all.iter().map(|one| word(*one).to_owned()).collect()
    }
    fn literal(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }
    let channel = words(Channel::ALL, Channel::as_str);
    let events = [EventKind::Create, EventKind::List, EventKind::Status, EventKind::Inbound];
    let columns = [
        ("topics", "kind", words(TopicKind::ALL, TopicKind::as_str)),
        ("consent_events", "channel", channel.clone()),
        ("consent_events", "kind", words(ConsentKind::ALL, ConsentKind::as_str)),
        ("consent_events", "source", words(ConsentSource::ALL, ConsentSource::as_str)),
        ("consents", "channel", channel.clone()),
        ("consents", "state", words(ConsentState::ALL, ConsentState::as_str)),
        ("subscriptions", "state", words(SubscriptionState::ALL, SubscriptionState::as_str)),
        ("suppressions", "channel", channel.clone()),
        ("templates", "channel", channel.clone()),
        ("senders", "channel", channel.clone()),
        ("campaigns", "kind", words(CampaignKind::ALL, CampaignKind::as_str)),
        ("campaigns", "status", words(CampaignStatus::ALL, CampaignStatus::as_str)),
        ("campaigns", "unknown_policy", words(UnknownPolicy::ALL, UnknownPolicy::as_str)),
        ("prices", "channel", channel.clone()),
        ("campaigns", "start_kind", literal(&Start::KINDS)),
        ("waits", "why", literal(&["retry", "deferral", "unknown"])),
        ("decisions", "verdict", literal(&["defer", "skip"])),
        ("decisions", "gate", words(Gate::ALL, Gate::as_str)),
        ("day_stats", "figure", literal(&["sent", "delivered", "read", "failed", "replies", "opt_outs"])),
        ("dead_letters", "resolution", words(Resolution::ALL, Resolution::as_str)),
        ("events", "kind", words(&events, EventKind::as_str)),
        ("inbound_messages", "channel", channel.clone()),
        ("unbound_receipts", "channel", channel),
        ("inbound_messages", "kind", words(InboundKind::ALL, InboundKind::as_str)),
        ("operators", "role", words(Role::ALL, Role::as_str)),
        ("workers", "kind", literal(&["serve", "worker"])),
        ("api_requests", "state", literal(&["open", "committed", "done"])),
        ("imports", "format", literal(&["csv", "json"])),
        ("attributes", "kind", words(AttributeKind::ALL, AttributeKind::as_str)),
        ("event_tombstones", "why", literal(&["erased", "expired"])),
        ("webhook_deliveries", "state", words(DeliveryState::ALL, DeliveryState::as_str)),
        ("import_rows", "effect", literal(&["created", "unchanged", "updated"])),
        ("user_views", "sort", words(UserSort::ALL, UserSort::as_str)),
        ("bulk_changes", "status", words(BulkStatus::ALL, BulkStatus::as_str)),
        ("imports", "status", words(ImportStatus::ALL, ImportStatus::as_str)),
    ];
    columns.into_iter().map(|(table, column, words)| ((table.to_owned(), column.to_owned()), words)).collect()
}

/// The words between single quotes.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

#[derive(FromQueryResult)]
struct Definition {
    table_name: String,
    column_name: Option<String>,
    definition: String,
}

#[tokio::test]
async fn the_checks_of_sqlite_are_the_enums_of_the_domain() {
    let database = sqlite::Database::migrated().await;
    let db = open(Location::Sqlite(database.path())).await;
    let tables: Vec<Definition> = db::all(
        db.read(),
        "SELECT name AS table_name, NULL AS column_name, sql AS definition FROM sqlite_master WHERE type = 'table'",
        Vec::new(),
    )
    .await
    .unwrap();
    let mut found = Checks::new();
    for table in tables {
        for check in table.definition.split("CHECK (").skip(1) {
            // `column IN ('a', 'b')`; a check of another form is no list.
            if let Some((column, rest)) = check.split_once(" IN (")
                && column.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                && let Some((list, _)) = rest.split_once(')')
            {
                found.insert((table.table_name.clone(), column.to_owned()), quoted(list));
            }
        }
    }
    assert_eq!(found, expected());
}

#[tokio::test]
async fn the_checks_of_postgres_are_the_enums_of_the_domain() {
    let database = postgres::Database::migrated().await;
    let db = open(Location::Postgres(database.url())).await;
    let checks: Vec<Definition> = db::all(
        db.read(),
        "SELECT c.conrelid::regclass::text AS table_name, a.attname::text AS column_name,
            pg_get_constraintdef(c.oid) AS definition
         FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
         WHERE c.contype = 'c' AND cardinality(c.conkey) = 1",
        Vec::new(),
    )
    .await
    .unwrap();
    let found: Checks = checks
        .into_iter()
        .map(|check| ((check.table_name, check.column_name.unwrap_or_default()), quoted(&check.definition)))
        .filter(|(_, words)| !words.is_empty())
        .collect();
    assert_eq!(found, expected());
}
