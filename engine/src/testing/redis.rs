//! Redis for tests: one server per test process, started when it is first asked for; a prefix per test.

use super::process::{Server, StartError, find, folder};
use std::sync::LazyLock;
use uuid::Uuid;

static SERVER: LazyLock<Result<Server, StartError>> = LazyLock::new(start);

/// Where the server is. Starts it if need be, which blocks for a moment.
///
/// # Panics
/// When it cannot be started; the message says what to install.
pub fn url() -> String {
    match &*SERVER {
        Ok(server) => format!("redis://127.0.0.1:{}", server.port),
        Err(error) => panic!("{error}"),
    }
}

/// A prefix that no other test has, for all keys of one test.
pub fn prefix() -> String {
    format!("{{test-{}}}", Uuid::now_v7().simple())
}

fn start() -> Result<Server, StartError> {
    let missing = || {
        StartError::new(
            "these tests need Redis, and redis-server was not found on the path: \
             install it (Debian: apt-get install redis-server; macOS: brew install redis)",
        )
    };
    let program = find("redis-server").ok_or_else(missing)?.display().to_string();
    let folder = folder()?;
    let dir = folder.path().display().to_string();
    Server::start(folder, "KILL", |port| {
        let port = port.to_string();
        let options = [
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--dir",
            &dir,
            "--save",
            "",
            "--appendonly",
            "no",
            "--databases",
            "1",
        ];
        [program.as_str()].into_iter().chain(options).map(str::to_owned).collect()
    })
}
