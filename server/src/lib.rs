//! The one binary, `ese`: web, workers, migrations, simulator. Edges only; every behaviour is the engine's.
#![recursion_limit = "512"]

pub mod api;
pub mod application;
pub mod cli;
pub mod config;
pub mod connections;
pub mod download;
mod extract;
pub mod health;
pub mod imports;
pub mod live;
pub mod preferences;
pub mod problem;
mod remote;
pub mod seed;
pub mod session;
pub mod simulator;
pub mod telemetry;
pub mod users;
pub mod web;
pub mod webhooks;
pub mod worker;

pub use application::{Application, Role};
pub use config::{Config, Settings};
