//! Pure rules and the types shared with the browser: no IO, no clock, no async.
//!
//! Every function takes `now`, randomness and limits as arguments. What is light runs in the browser as the very
//! same code; zone data, number metadata and template rendering sit behind the `server` feature.

pub mod api_key;
pub mod attribute;
pub mod audit;
pub mod brake;
pub mod breaker;
pub mod campaign;
pub mod command;
pub mod compliance;
pub mod consent;
pub mod dead_letter;
pub mod feed;
pub mod filter;
pub mod forecast;
pub mod frequency;
pub mod handset;
pub mod health;
pub mod ids;
pub mod import;
pub mod inbound;
pub mod live;
pub mod message;
pub mod operator;
pub mod overview;
pub mod page;
pub mod phone;
pub mod preferences;
pub mod problem;
pub mod quiet_hours;
pub mod rate;
pub mod reconciliation;
pub mod retry;
pub mod segment;
pub mod sender;
pub mod sms;
pub mod stall;
pub mod suppression;
pub mod template;
pub mod test_send;
pub mod topic;
pub mod user;
pub mod webhook;
pub mod zone;
