//! The newcomer's whole loop, and what must hold around it, in a real browser against the real program.
//!
//! Each test starts `ese serve` as `make run` does (SQLite, simulator in process) with a folder and ports of its own.
//! Nothing sleeps: a locator waits for what it is told to see, until a deadline.
//!
//! The environment, set by `scripts/test`: `ESE_BIN` (the built program), `LEPTOS_SITE_ROOT` (the built dashboard),
//! `PLAYWRIGHT_NODE_EXE` and `PLAYWRIGHT_CLI_JS` (playwright-core), `CHROMIUM` (the browser).

mod browser;
mod compose;
mod documentation;
mod hydration;
mod integrations;
mod monitor;
mod narrow;
mod newcomer;
mod people;
mod records;
mod routes;
mod server;
mod taken_along;
mod users_list;
mod whatsapp;
mod without_script;

/// What a test comes to.
type Result<T = ()> = anyhow::Result<T>;
