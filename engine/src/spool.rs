//! Webhooks on disk while the database is away: a person's STOP comes once, and must not be lost (DELIVERY.md, While the database is
//! away).
//!
//! A webhook whose signature was right is appended to a file and synced before it is answered. Once the database is back, what people
//! wrote is taken in first, in its order; until every process has done so, no message is claimed. Taking in is safe to repeat,
//! so a file is removed only after all of it was.

use crate::{
    Engine, Error, Result, db, dead_letters, inbound,
    receipts::{self, Receipt},
    twilio::stored,
    values,
};
use chrono::{DateTime, Duration, Utc};
use rand::RngCore;
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// How often a process is to call [`Spool::keep`].
pub const KEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(2);
/// How long a process may be silent before nothing is claimed: it may hold a STOP.
const SILENT_AFTER: Duration = Duration::seconds(10);
/// How long before it is taken for gone, and a person is told.
const GONE_AFTER: Duration = Duration::seconds(20);
/// How long after a failure the database is not asked again by a webhook.
const AWAY_FOR: std::time::Duration = std::time::Duration::from_secs(1);
/// How many reports are taken in at once.
const BATCH: usize = 200;
/// How many processes may share one folder.
const PLACES_MAX: usize = 64;

/// A webhook whose signature was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Webhook {
    /// A report on a message of ours.
    Status {
        /// The query of its URL, which names the message.
        query: String,
        /// The body, verbatim.
        raw: String,
    },
    /// A person wrote.
    Inbound {
        /// The body, verbatim.
        raw: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: DateTime<Utc>,
    #[serde(flatten)]
    webhook: Webhook,
}

/// The webhooks of this process on its disk. Cheap to clone.
#[derive(Clone)]
pub struct Spool(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    id: String,
    bytes_max: u64,
    state: Mutex<State>,
    /// One replay at a time.
    replaying: tokio::sync::Mutex<()>,
    /// Held for as long as the process lives.
    _lock: File,
}

struct State {
    current: File,
    number: u64,
    bytes: u64,
    /// What people wrote, and everything, that was not taken in yet.
    inbound: u64,
    all: u64,
    failed_at: Option<Instant>,
}

impl Spool {
    /// Opens a place of its own in the folder, with what an earlier process left there.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn open(folder: &Path, bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for place in 0..PLACES_MAX {
            let folder = folder.join(place.to_string());
            fs::create_dir_all(&folder)?;
            let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"))?;
            if lock.try_lock().is_ok() {
                return Self::of(folder, lock, bytes_max);
            }
        }
        Err(io::Error::other(format!("{PLACES_MAX} processes use this folder already")))
    }

    fn of(folder: PathBuf, lock: File, bytes_max: u64) -> io::Result<Self> {
        // The id outlives the process: who is started again on the same disk goes on with its spool.
        let named = folder.join("id");
        let id = match fs::read_to_string(&named) {
            Ok(id) if !id.trim().is_empty() => id.trim().to_owned(),
            _ => {
                let id = hex::encode(fresh());
                fs::write(&named, &id)?;
                id
            }
        };
        let (mut inbound, mut all, mut bytes, mut number) = (0, 0, 0, 0);
        for (no, path) in files(&folder)? {
            let lines = read(&path)?;
            inbound += lines.iter().filter(|line| matches!(line.webhook, Webhook::Inbound { .. })).count() as u64;
            all += lines.len() as u64;
            bytes += fs::metadata(&path)?.len();
            number = no;
        }
        number += 1;
        let current = create(&folder, number)?;
        let state = State { current, number, bytes, inbound, all, failed_at: None };
        let inner =
            Inner { folder, id, bytes_max, state: Mutex::new(state), replaying: Default::default(), _lock: lock };
        Ok(Self(Arc::new(inner)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many webhooks were not taken in yet.
    pub fn depth(&self) -> u64 {
        self.state().all
    }

    /// Whether a report should be kept here at once: the database was away a moment ago.
    pub fn is_away(&self) -> bool {
        self.state().failed_at.is_some_and(|at| at.elapsed() < AWAY_FOR)
    }

    /// Whether what a person writes should be kept here at once: something that was written before is, or the database was away
    /// a moment ago.
    pub fn holds_inbound(&self) -> bool {
        self.state().inbound > 0 || self.is_away()
    }

    /// Keeps a webhook; once this returns it is on the disk.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the spool is full, or the disk says no: the provider must come again.
    pub async fn keep_for_later(&self, engine: &Engine, webhook: Webhook) -> Result<()> {
        let spool = self.clone();
        let line = Line { at: engine.clock.now(), webhook };
        let kept = tokio::task::spawn_blocking(move || spool.append(&line)).await.map_err(Error::internal)?;
        kept.map_err(|error| Error::Unavailable { what: "the spool of webhooks", source: Box::new(error) })
    }

    fn append(&self, line: &Line) -> io::Result<()> {
        let text = serde_json::to_string(line)?;
        let sum = hex::encode(&crate::digest(text.as_bytes())[..4]);
        let bytes = format!("{sum} {text}\n").into_bytes();
        let mut state = self.state();
        state.failed_at = Some(Instant::now());
        if state.bytes + bytes.len() as u64 > self.0.bytes_max {
            return Err(io::Error::other("it is full"));
        }
        state.current.write_all(&bytes)?;
        state.current.sync_data()?;
        state.bytes += bytes.len() as u64;
        state.all += 1;
        state.inbound += u64::from(matches!(line.webhook, Webhook::Inbound { .. }));
        Ok(())
    }

    /// Says how much this process holds, and takes it in. To be called every [`KEEP_EVERY`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] while the database is away.
    pub async fn keep(&self, engine: &Engine) -> Result<()> {
        let _one = self.0.replaying.lock().await;
        // First it is said, then done: nobody claims in between.
        self.say(engine).await?;
        if self.depth() > 0 {
            self.replay(engine).await?;
            self.say(engine).await?;
        }
        Ok(())
    }

    async fn say(&self, engine: &Engine) -> Result<()> {
        let depth = i64::try_from(self.state().inbound).unwrap_or(i64::MAX);
        let tx = engine.db.begin_bulk().await?;
        db::exec(
            &tx,
            "INSERT INTO spools (id, depth, seen_at) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET depth = excluded.depth, seen_at = excluded.seen_at",
            values![self.0.id.as_str(), depth, engine.clock.now()],
        )
        .await?;
        tx.commit().await
    }

    /// Takes in everything that was closed before, then what came meanwhile.
    async fn replay(&self, engine: &Engine) -> Result<()> {
        loop {
            self.turn_over().map_err(Error::internal)?;
            let current = self.state().number;
            let closed: Vec<_> =
                files(&self.0.folder).map_err(Error::internal)?.into_iter().filter(|(no, _)| *no < current).collect();
            if closed.is_empty() {
                return Ok(());
            }
            for (_, path) in closed {
                self.take_in(engine, &path).await?;
            }
        }
    }

    /// Closes the current file, if there is anything in it.
    fn turn_over(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.current.metadata()?.len() > 0 {
            state.number += 1;
            state.current = create(&self.0.folder, state.number)?;
        }
        Ok(())
    }

    async fn take_in(&self, engine: &Engine, path: &Path) -> Result<()> {
        let lines = read(path).map_err(Error::internal)?;
        // What people wrote goes first: it decides whether a message may leave.
        for line in &lines {
            if let Webhook::Inbound { raw } = &line.webhook {
                match stored::inbound(raw) {
                    Some(message) => drop(inbound::receive_at(engine, message, raw.clone(), line.at).await?),
                    None => set_aside(engine, raw).await?,
                }
            }
        }
        let mut reports = Vec::new();
        for line in &lines {
            if let Webhook::Status { query, raw } = &line.webhook {
                match stored::status(raw) {
                    Some(callback) => {
                        reports.push(Receipt { key: receipts::key_of(query), callback, raw: raw.clone() });
                    }
                    None => set_aside(engine, raw).await?,
                }
            }
        }
        for batch in reports.chunks(BATCH) {
            receipts::apply(engine, batch).await?;
        }
        let bytes = fs::metadata(path).map_err(Error::internal)?.len();
        fs::remove_file(path).map_err(Error::internal)?;
        let inbound = lines.iter().filter(|line| matches!(line.webhook, Webhook::Inbound { .. })).count() as u64;
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
        state.all = state.all.saturating_sub(lines.len() as u64);
        state.inbound = state.inbound.saturating_sub(inbound);
        tracing::info!(webhooks = lines.len(), "webhooks that came while the database was away were taken in");
        Ok(())
    }

    /// Takes this process' row away, if it holds nothing: it ends.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while the database is away.
    pub async fn leave(&self, engine: &Engine) -> Result<()> {
        if self.depth() > 0 {
            return Ok(());
        }
        let tx = engine.db.begin_bulk().await?;
        db::exec(&tx, "DELETE FROM spools WHERE id = $1", values![self.0.id.as_str()]).await?;
        tx.commit().await
    }
}

/// What cannot be read is kept for a person, and the rest goes on.
async fn set_aside(engine: &Engine, raw: &str) -> Result<()> {
    let tx = engine.db.begin().await?;
    let reason = "a signed webhook of the spool could not be read";
    dead_letters::put(engine, &tx, "spool", "webhook", reason, json!({ "raw": raw })).await?;
    tx.commit().await
}

/// 16 random bytes.
fn fresh() -> [u8; 16] {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn create(folder: &Path, number: u64) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(folder.join(format!("{number:012}.jsonl")))?;
    // A file whose name is not on the disk is lost with all that is synced in it.
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// The files of a place, oldest first.
fn files(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (Some(number), true) = (stem, path.extension().is_some_and(|extension| extension == "jsonl")) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The lines of a file. One that was cut off by a crash was never answered, so it is passed over.
fn read(path: &Path) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        let line = line?;
        let read = std::str::from_utf8(&line).ok().and_then(|line| line.split_once(' ')).and_then(|(sum, text)| {
            let same = hex::encode(&crate::digest(text.as_bytes())[..4]) == sum;
            if same { serde_json::from_str(text).ok() } else { None }
        });
        match read {
            Some(line) => lines.push(line),
            None => tracing::warn!("a line of the spool was cut off"),
        }
    }
    Ok(lines)
}

/// Whether a process may hold something that a person wrote and that was not taken in: then nothing is claimed.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn holds_claims<C: ConnectionTrait>(engine: &Engine, conn: &C) -> Result<bool> {
    let silent = engine.clock.now() - SILENT_AFTER;
    let held: Option<i32> =
        db::scalar(conn, "SELECT 1 AS value FROM spools WHERE depth > 0 OR seen_at < $1 LIMIT 1", values![silent])
            .await?;
    Ok(held.is_some())
}

/// How many messages of people wait on disks, as far as their processes said.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn total<C: ConnectionTrait>(conn: &C) -> Result<i64> {
    let sql = "SELECT CAST(COALESCE(SUM(depth), 0) AS bigint) AS value FROM spools";
    Ok(db::scalar(conn, sql, values![]).await?.unwrap_or(0))
}

#[derive(sea_orm::FromQueryResult)]
struct Gone {
    id: String,
    depth: i64,
}

/// Forgets processes that were silent for long, and tells a person of what they held. The sweep calls it.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn expire(engine: &Engine) -> Result<()> {
    let before = engine.clock.now() - GONE_AFTER;
    let sql = "SELECT id, depth FROM spools WHERE seen_at < $1";
    let gone: Vec<Gone> = db::all(engine.db.read(), sql, values![before]).await?;
    for one in gone {
        let tx = engine.db.begin().await?;
        let sql = "DELETE FROM spools WHERE id = $1 AND seen_at < $2";
        if db::exec(&tx, sql, values![one.id.as_str(), before]).await? > 0 {
            tracing::error!(spool.id = one.id, messages = one.depth, "a web process vanished");
            if one.depth > 0 {
                let reason = format!(
                    "a web process vanished with {} messages of people on its disk: start it again on the same disk",
                    one.depth
                );
                let subject = format!("spool:{}", one.id);
                dead_letters::put(engine, &tx, "spool", &subject, &reason, json!({ "depth": one.depth })).await?;
            }
        }
        tx.commit().await?;
    }
    Ok(())
}
