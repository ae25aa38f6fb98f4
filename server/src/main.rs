//! `ese`: see `ese --help`.

use clap::Parser as _;
use server::cli::{self, Cli};
use std::process::ExitCode;

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
