//! Pure rules and the types shared with the browser: no IO, no clock, no async.
//!
//! Every function takes `now`, randomness and limits as arguments. What is light runs in the browser as the very
//! same code; zone data, number metadata and template rendering sit behind the `server` feature.

pub mod command;
pub mod filter;
pub mod import;
pub mod phone;
pub mod quiet_hours;
pub mod sms;
pub mod template;
pub mod zone;
