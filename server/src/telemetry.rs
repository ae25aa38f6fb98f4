//! The log: to stderr, so that what a command prints stays its own.

use crate::config::LogFormat;
use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;

/// Begins to log.
///
/// # Errors
/// If `filter` is none.
pub fn start(filter: &str, format: LogFormat) -> Result<()> {
    let filter = EnvFilter::try_new(filter).context("LOG: this filter cannot be read")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    begun.map_err(anyhow::Error::from_boxed).context("the log is already running")
}
