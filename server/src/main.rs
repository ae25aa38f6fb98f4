//! `ese`: see `ese --help`.

use clap::Parser as _;
use server::cli::{self, Cli};
use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

/// A quarter of the time of a sending worker went into the C library's; this one is set up in .cargo/config.toml.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ese: {error:#}");
            ExitCode::FAILURE
        }
    }
}
