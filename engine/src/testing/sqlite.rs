//! SQLite for tests: a file per test, written from one that was migrated once.

use super::process::folder;
use crate::db::{Db, Location, Pools};
use migrations::{Migrator, MigratorTrait};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// A database file in a folder of its own, which is removed with it.
#[derive(Debug)]
pub struct Database {
    folder: TempDir,
}

impl Database {
    /// None yet: the file is made by whoever opens it.
    ///
    /// # Panics
    /// When there is no room for a folder.
    pub fn empty() -> Self {
        Self { folder: folder().unwrap_or_else(|error| panic!("{error}")) }
    }

    /// One with all tables, and nothing in them.
    ///
    /// # Panics
    /// When there is no room for it.
    pub async fn migrated() -> Self {
        static MIGRATED: OnceCell<Vec<u8>> = OnceCell::const_new();
        let bytes = MIGRATED.get_or_init(migrate).await;
        let database = Self::empty();
        std::fs::write(database.path(), bytes).expect("the temporary folder takes a small file");
        database
    }

    /// Where the file is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("engine.sqlite")
    }

    /// The folder around it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The bytes of a migrated file.
async fn migrate() -> Vec<u8> {
    let database = Database::empty();
    let db = Db::connect(&Location::Sqlite(database.path()), Pools::default()).await.expect("SQLite opens a new file");
    Migrator::up(db.for_migrations(), None).await.expect("the migrations apply to an empty database");
    // The last connection to close writes the log back into the file.
    db.close().await;
    std::fs::read(database.path()).expect("the file was just written")
}
