//! The program under load, as processes of its own that end with this one.

use anyhow::{Context as _, Result, bail};
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// How long a process may take to say what is waited for.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs a program (`$@`) until the pipe at its input closes, and then kills it: whichever way the bench ends, SIGKILL
/// included, the pipe closes and nothing is left behind.
const WATCH: &str = r#"
"$@" &
program=$!
echo "pid: $program"
exec >/dev/null 2>&1
trap '' INT TERM HUP
read -r _
kill -s KILL "$program"
wait "$program"
"#;

/// A running process of the program. It ends when this is dropped.
pub struct Process {
    /// What it does.
    pub role: &'static str,
    /// Its number, not that of the shell that watches over it.
    pub pid: u32,
    watch: Child,
    lines: mpsc::Receiver<String>,
}

/// The program: what `scripts/build --release` made, by `ESE_BIN`.
pub fn program() -> Result<String> {
    std::env::var("ESE_BIN").context("ESE_BIN: the path of the built program; `make bench` gives it")
}

impl Process {
    /// Starts the program in this role. What it logs goes to a file of the role's name in `folder`.
    pub fn start(role: &'static str, environment: &[(&str, String)], folder: &Path) -> Result<Self> {
        Self::run(role, &[&program()?, role], environment, folder)
    }

    /// Starts any program, by its path and arguments.
    pub fn run(role: &'static str, line: &[&str], environment: &[(&str, String)], folder: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(folder.join(format!("{role}.log")))?;
        let mut watch = Command::new("sh")
            .args(["-c", WATCH, "watch"])
            .args(line)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("no shell could be started")?;
        let output = watch.stdout.take().context("the output was asked for")?;
        let (said, lines) = mpsc::channel();
        // Reads to the end, so that the program never waits for somebody to read what it prints.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let mut process = Self { role, pid: 0, watch, lines };
        process.pid = process.line("pid: ")?.parse()?;
        Ok(process)
    }

    /// What follows `prefix` in the first line that begins so.
    pub fn line(&self, prefix: &str) -> Result<String> {
        loop {
            match self.lines.recv_timeout(START_TIMEOUT) {
                Ok(line) => {
                    if let Some(rest) = line.trim_start().strip_prefix(prefix) {
                        return Ok(rest.trim().to_owned());
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => bail!("`{}` did not say {prefix:?}", self.role),
                Err(mpsc::RecvTimeoutError::Disconnected) => bail!("`{}` ended; see its log", self.role),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        // The shell ends once the program has; there is nobody to tell if it cannot be waited for.
        let _ = self.watch.wait();
    }
}

/// Runs a command of the program to its end.
pub fn command(arguments: &[&str], environment: &[(&str, String)], folder: &Path) -> Result<()> {
    let output = Command::new(program()?)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        bail!("`ese {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// An address of this machine that is free now.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}
