//! `ese`: see `ese --help`.

use clap::Parser as _;
use mimalloc::MiMalloc;
use server::cli::{self, Cli};
use std::process::ExitCode;

/// Every message is a few dozen small allocations on several threads, which the C library's allocator takes a fifth of a worker's
/// time for.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

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
