//! Use cases on real databases: every test runs on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod api_keys;
mod attributes;
mod brakes;
mod breakers;
mod bulk;
mod campaigns;
mod clocks;
mod consents;
mod database;
mod days;
mod dead_letters;
mod delivery;
mod environment;
mod feed;
mod forecasts;
mod health;
mod imports;
mod inbound;
mod inbox;
mod interleavings;
mod messages;
mod migrations;
mod overview;
mod people;
mod phones;
mod rebuild;
mod segments;
mod spool;
mod suppressions;
mod templates;
mod test_sends;
mod user_lists;
mod users;
mod webhooks;
