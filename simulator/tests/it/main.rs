//! The simulator over real HTTP, on port 0, with an application that records its webhooks.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod application;
mod callbacks;
mod chaos;
mod creates;
mod lists;
mod phones;
