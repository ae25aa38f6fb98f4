//! What the machine is, and what processes take from it: read from `/proc`, as Linux has it.

use anyhow::{Context as _, Result};
use serde::Serialize;
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// What the kernel counts CPU time of processes in, whatever its own tick: 100 a second (proc(5), `sysconf(_SC_CLK_TCK)`).
const TICK: Duration = Duration::from_millis(10);
/// How many times the disk is asked.
const SYNCS: u32 = 100;
/// What one write to the disk holds before it is synced, in bytes: a page of either database.
const PAGE_BYTES: usize = 8 * 1024;

/// The facts that figures are to be read beside.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory, in GiB.
    pub memory_gib: u64,
    /// The load average of the last minute, before anything was started.
    pub load_before: f64,
    /// How many writes of one page the disk makes durable in a second, one after the other.
    pub fdatasync_per_second: f64,
}

impl Machine {
    /// Looks, and asks the disk that holds `folder`.
    pub fn survey(folder: &Path) -> Result<Self> {
        let load = fs::read_to_string("/proc/loadavg").context("/proc/loadavg: this needs Linux")?;
        let memory = fs::read_to_string("/proc/meminfo")?;
        let memory_kib: u64 = field(&memory, "MemTotal:").context("/proc/meminfo has no total")?;
        let mut disk = Disk::open(folder)?;
        let mut syncs = Vec::new();
        for _ in 0..SYNCS {
            syncs.push(disk.sync()?);
        }
        let total: Duration = syncs.iter().sum();
        Ok(Self {
            cores: thread::available_parallelism()?.get(),
            memory_gib: (memory_kib + (1 << 19)) >> 20,
            load_before: load.split(' ').next().unwrap_or_default().parse()?,
            fdatasync_per_second: f64::from(SYNCS) / total.as_secs_f64(),
        })
    }
}

/// A file to ask the disk with.
pub struct Disk(File);

impl Disk {
    /// A new file in this folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().create(true).append(true).open(folder.join("fdatasync"))?))
    }

    /// How long one page takes to become durable.
    pub fn sync(&mut self) -> io::Result<Duration> {
        self.0.write_all(&[0x5a; PAGE_BYTES])?;
        let began = Instant::now();
        self.0.sync_data()?;
        Ok(began.elapsed())
    }
}

/// What one process has taken so far.
#[derive(Debug, Clone)]
pub struct Usage {
    /// The program's name.
    pub name: String,
    parent: u32,
    /// CPU time, its own and the kernel's for it.
    pub cpu: Duration,
    /// What processes that it started and that have ended took: PostgreSQL's parallel workers live for one statement each.
    ended: Duration,
}

/// The most memory that a process has held at one moment, and what it holds now, in bytes.
pub fn memory(pid: u32) -> Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process has ended")?;
    let bytes = |name| field(&status, name).map(|kib| kib * 1024).context("the process has no memory");
    Ok((bytes("VmHWM:")?, bytes("VmRSS:")?))
}

/// The number after this word at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// CPU time at one moment: of each process, and of the whole machine.
pub struct Snapshot {
    processes: HashMap<u32, Usage>,
    busy: Duration,
    at: Instant,
}

impl Snapshot {
    /// Now.
    pub fn take() -> Result<Self> {
        let mut processes = HashMap::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // One may end between the list and the look.
            if let Ok(stat) = fs::read_to_string(entry.path().join("stat"))
                && let Some(usage) = usage(&stat)
            {
                processes.insert(pid, usage);
            }
        }
        let stat = fs::read_to_string("/proc/stat")?;
        let cpu: Vec<u64> = stat
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        // user, nice, system, idle, iowait, irq, softirq, steal; the guests' time is in user's already.
        let busy: u64 = [0, 1, 2, 5, 6].iter().filter_map(|place| cpu.get(*place)).sum();
        Ok(Self { processes, busy: ticks(busy), at: Instant::now() })
    }

    /// What a process took since `before`.
    pub fn cpu_since(&self, before: &Self, pid: u32) -> Duration {
        let at = |snapshot: &Self| snapshot.processes.get(&pid).map_or(Duration::ZERO, |usage| usage.cpu);
        at(self).saturating_sub(at(before))
    }

    /// What all processes of this name that we started took since `before`.
    pub fn cpu_of_our(&self, before: &Self, name: &str) -> Duration {
        self.ours().filter(|(_, usage)| usage.name == name).map(|(pid, _)| self.cpu_since(before, pid)).sum()
    }

    /// The share of the machine, 0 to 1, that went to processes that are none of ours since `before`.
    pub fn others_since(&self, before: &Self, cores: usize) -> f64 {
        let ended =
            |snapshot: &Self, pid: u32| snapshot.processes.get(&pid).map_or(Duration::ZERO, |usage| usage.ended);
        let ours: Duration = self
            .ours()
            .map(|(pid, _)| self.cpu_since(before, pid) + ended(self, pid).saturating_sub(ended(before, pid)))
            .sum();
        let busy = self.busy.saturating_sub(before.busy);
        let all = self.at.duration_since(before.at).as_secs_f64() * cores as f64;
        busy.saturating_sub(ours).as_secs_f64() / all
    }

    /// One of the PostgreSQL processes below us that serve connections: those are named by what they do, and the first
    /// process of all is not among them.
    pub fn postgres_backend(&self) -> Option<u32> {
        self.ours().filter(|(_, usage)| usage.name == "postgres").map(|(pid, _)| pid).find(|pid| {
            let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&title).contains("127.0.0.1(")
        })
    }

    /// This process and everything below it.
    fn ours(&self) -> impl Iterator<Item = (u32, &Usage)> {
        let root = std::process::id();
        self.processes.iter().map(|(pid, usage)| (*pid, usage)).filter(move |(pid, usage)| {
            let mut above = (*pid, usage.parent);
            while above.0 != root && above.1 != 0 {
                above = (above.1, self.processes.get(&above.1).map_or(0, |usage| usage.parent));
            }
            above.0 == root
        })
    }
}

/// A line of `/proc/PID/stat`. The name stands in brackets and may hold anything, so the rest is read from behind it.
fn usage(stat: &str) -> Option<Usage> {
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    // From the state on: the parent is the second, user and system time the twelfth and thirteenth, those of ended children the next.
    let (cpu, ended) = (ticks(number(11)? + number(12)?), ticks(number(13)? + number(14)?));
    Some(Usage { name, parent: fields.get(1)?.parse().ok()?, cpu, ended })
}

fn ticks(count: u64) -> Duration {
    TICK * u32::try_from(count).unwrap_or(u32::MAX)
}
