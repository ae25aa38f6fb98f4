//! Pages, one file each. A page reads resources, shows them through [`crate::components::load::Load`], and keeps its filters
//! in the URL.

pub mod account;
pub mod attributes;
pub mod audit;
pub mod campaign_composer;
pub mod campaign_monitor;
pub mod campaigns;
pub mod decisions;
pub mod health;
pub mod import;
pub mod imports;
pub mod inbox;
pub mod integrations;
pub mod message;
pub mod messages;
pub mod missing;
pub mod overview;
pub mod phones;
pub mod segments;
pub mod settings;
pub mod sign_in;
pub mod sign_in_link;
pub mod suppressions;
pub mod templates;
pub mod topics;
pub mod user;
pub mod users;
pub mod webhook;
