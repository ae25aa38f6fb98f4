//! The edges: who is let in, what is refused, what every answer carries, and the rules of the tree.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod configuration;
mod connections;
mod conventions;
mod doors;
mod kill;
mod once;
mod operations;
mod preferences;
mod process;
mod remote;
mod sign_in;
mod tidy;
mod webhooks;
