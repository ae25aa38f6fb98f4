//! Servers that tests start for themselves: on a free port, with a folder of their own, and gone when the tests are.
//!
//! A small shell stands between a test process and its server. It waits on a pipe that only the test process holds open,
//! so it learns of that process' end however it comes about, SIGKILL included; then it stops the server and removes the
//! folder. Should the shell be killed as well, the folder is removed at the next start.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, Once, PoisonError, mpsc},
    time::Duration,
};
use tempfile::TempDir;

/// What every folder of ours in the system's temporary folder begins with; the process' id follows.
const FOLDER_PREFIX: &str = "ese-test-";
/// How long a server may take to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How many ports are tried: between choosing a free one and using it, another process may take it.
const PORTS_TRIED: usize = 5;
/// What PostgreSQL and Redis log, in upper or lower case, once they take connections.
const READY: &str = "ready to accept connections";
/// How many lines of a server's log are kept for the message of a failed start.
const LOG_LINES: usize = 40;

/// Runs a server (`$3` and on) until the pipe at its input closes; then stops it by signal `$2` and removes folder `$1`.
const WATCH: &str = r#"
folder=$1; signal=$2; shift 2
"$@" 2>&1 &
server=$!
exec >/dev/null 2>&1
trap '' INT TERM HUP
read -r _
kill -s "$signal" "$server"
wait "$server"
rm -rf "$folder"
"#;

/// Finds a program on the path, or where systems keep PostgreSQL's, newest version first.
const FIND: &str = r#"
for folder in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin 2>/dev/null | sort -Vr)
do PATH="$PATH:$folder"; done
command -v "$1"
"#;

/// Why a server could not be started, in words that say what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    /// In these words.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    /// Its input is the pipe that the shell waits on.
    _watch: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

impl Server {
    /// Starts what `command` makes for a port, and waits until it takes connections. The folder becomes the server's: it is
    /// removed once the server has stopped, which is asked of it by `signal`.
    ///
    /// # Errors
    /// [`StartError`] with the end of the server's log.
    pub fn start(folder: TempDir, signal: &str, command: impl Fn(u16) -> Vec<String>) -> Result<Self, StartError> {
        let path = folder.path().to_owned();
        let mut failure = StartError::new("no port was tried");
        for _ in 0..PORTS_TRIED {
            let port = free_port()?;
            match start(&path, signal, port, &command(port)) {
                Ok(server) => {
                    // From here on the shell removes it.
                    let _ = folder.keep();
                    return Ok(server);
                }
                // Without its folder it was given up.
                Err(error) if !path.exists() => return Err(error),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

fn start(folder: &Path, signal: &str, port: u16, command: &[String]) -> Result<Server, StartError> {
    let mut child = Command::new("sh")
        .args(["-c", WATCH, "watch"])
        .arg(folder)
        .arg(signal)
        .args(command)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| StartError::new(format!("no shell could be started: {error}")))?;
    let log = Arc::new(Mutex::new(VecDeque::with_capacity(LOG_LINES)));
    let (ready, readiness) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        let log = log.clone();
        // Reads to the end, so that the server never waits for somebody to read its log.
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if line.to_lowercase().contains(READY) {
                    let _ = ready.send(());
                }
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                if log.len() == LOG_LINES {
                    log.pop_front();
                }
                log.push_back(line);
            }
        });
    }
    match readiness.recv_timeout(START_TIMEOUT) {
        Ok(()) => Ok(Server { _watch: child, port }),
        Err(end) => {
            match end {
                // It ended, perhaps because the port was taken. The folder serves the next try: the shell must not remove it.
                mpsc::RecvTimeoutError::Disconnected => drop(child.kill()),
                // It hangs: the shell stops it, and removes the folder.
                mpsc::RecvTimeoutError::Timeout => drop(child.stdin.take()),
            }
            let _ = child.wait();
            let lines = log.lock().unwrap_or_else(PoisonError::into_inner);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let program = command.first().map_or("the server", String::as_str);
            Err(StartError::new(format!("{program} did not start; its log ends with:\n{}", lines.join("\n"))))
        }
    }
}

fn free_port() -> Result<u16, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| StartError::new(format!("no port is free: {error}")))
}

/// Where a program is.
pub fn find(program: &str) -> Option<PathBuf> {
    let found = Command::new("sh").args(["-c", FIND, "find", program]).output().ok()?;
    let path = String::from_utf8(found.stdout).ok()?;
    found.status.success().then(|| PathBuf::from(path.trim()))
}

/// A new folder in the system's temporary folder. The first call of a process removes what dead ones left there.
///
/// # Errors
/// [`StartError`] when there is no room for one.
pub fn folder() -> Result<TempDir, StartError> {
    static SWEPT: Once = Once::new();
    let folder = tempfile::Builder::new()
        .prefix(&format!("{FOLDER_PREFIX}{}-", std::process::id()))
        .tempdir()
        .map_err(|error| StartError::new(format!("no temporary folder could be made: {error}")))?;
    if let Some(parent) = folder.path().parent() {
        SWEPT.call_once(|| sweep(parent));
    }
    Ok(folder)
}

/// Removes the folders of processes that are gone, as far as they are ours to remove.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX)?.split_once('-'));
        if let Some((pid, _)) = owner
            && pid.bytes().all(|byte| byte.is_ascii_digit())
            && !is_alive(pid)
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a process lives; one of another user counts as alive where the system does not tell.
fn is_alive(pid: &str) -> bool {
    if Path::new("/proc/self").exists() {
        return Path::new("/proc").join(pid).exists();
    }
    Command::new("ps").args(["-p", pid]).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Whom a server runs as that refuses to be root's.
#[derive(Debug)]
pub enum RunAs {
    /// Whoever runs the tests.
    Oneself,
    /// Another one, because the tests are run by root.
    Other {
        /// The user's number.
        uid: u32,
        /// The group's number.
        gid: u32,
        /// Where `setpriv` is.
        setpriv: PathBuf,
    },
}

impl RunAs {
    /// Oneself, unless that is root: then `postgres`, or else `nobody`.
    ///
    /// # Errors
    /// [`StartError`] when root has nobody else to be.
    pub fn not_root(folder: &Path) -> Result<Self, StartError> {
        let owner = std::fs::metadata(folder).map_err(|error| StartError::new(error.to_string()))?.uid();
        if owner != 0 {
            return Ok(Self::Oneself);
        }
        let setpriv = find("setpriv").ok_or_else(|| {
            StartError::new(
                "PostgreSQL does not run as root, and setpriv is missing: install util-linux, or test as another user",
            )
        })?;
        let number = |flag: &str, user: &str| -> Option<u32> {
            let output = Command::new("id").args([flag, user]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        let other =
            ["postgres", "nobody"].into_iter().find_map(|user| Some((number("-u", user)?, number("-g", user)?)));
        let (uid, gid) = other.ok_or_else(|| {
            StartError::new(
                "PostgreSQL does not run as root, and there is no user \"postgres\" or \"nobody\" to run it as",
            )
        })?;
        Ok(Self::Other { uid, gid, setpriv })
    }

    /// Gives it a folder.
    ///
    /// # Errors
    /// [`StartError`] when that is not allowed.
    pub fn own(&self, folder: &Path) -> Result<(), StartError> {
        match self {
            Self::Oneself => Ok(()),
            Self::Other { uid, gid, .. } => {
                chown(folder, Some(*uid), Some(*gid)).map_err(|error| StartError::new(error.to_string()))
            }
        }
    }

    /// The command, run as this user.
    pub fn command(&self, command: Vec<String>) -> Vec<String> {
        match self {
            Self::Oneself => command,
            Self::Other { uid, gid, setpriv } => {
                let setpriv = setpriv.display().to_string();
                let who = [format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".into(), "--".into()];
                [setpriv].into_iter().chain(who).chain(command).collect()
            }
        }
    }
}
