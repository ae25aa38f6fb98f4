//! The database: connections, transactions, and the few pieces of SQL that differ between the two.
//!
//! Nothing outside this file and its two siblings asks which database it is. Statements use `$1` placeholders, which both
//! drivers take; bulk statements take [`Rows`].

mod postgres;
mod reads;
mod rows;
mod sqlite;
mod turns;

use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, FromQueryResult,
    QueryResult, RuntimeErr, Statement, TransactionTrait, Value,
    sqlx::{Decode, Postgres, Row as _, Sqlite},
};
use std::path::PathBuf;

pub use reads::Reads;
pub use rows::{Kind, Rows};

/// A transaction. Unless it is committed, it is as if it had never been.
pub struct Tx {
    inner: DatabaseTransaction,
    /// The turn to write, on a database with one writer; given back when the transaction is over.
    _turn: Option<turns::Turn>,
}

impl Tx {
    /// Makes what was done in it last.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is away: then it is not known whether it lasts.
    pub async fn commit(self) -> Result<()> {
        Ok(self.inner.commit().await?)
    }

    /// Undoes what was done in it, now rather than when it is dropped.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is away: then it is undone as well.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.inner.query_all_raw(statement).await
    }
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL.
    Postgres(String),
}

/// How many connections may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pools {
    /// For reading; on PostgreSQL for transactions too, of which there is room for two in three. 2 to 200.
    pub connections: u32,
    /// How long to wait for one, in seconds.
    pub acquire_seconds: u64,
    /// How long one statement may take whose cost a person decides, such as a filter's, in milliseconds.
    pub asked_ms: u32,
}

/// How many statements whose cost a person decides may run at once in one process; the others wait for their turn. What
/// the engine itself needs never waits for them.
const ASKED_CONNECTIONS: u32 = 4;

impl Default for Pools {
    fn default() -> Self {
        Self { connections: 16, acquire_seconds: 5, asked_ms: 15_000 }
    }
}

/// The key of the leader's lock, among PostgreSQL's advisory ones: ASCII for "ese sweep", its first eight letters.
const LEADER: i64 = i64::from_be_bytes(*b"esesweep");

/// How long one leads at most: the database ends a leader that was frozen, or is slow. What it leads in is safe for two.
const LEADS_SECONDS: u32 = 15;

/// The leader's lock. A database with one writer has one process, which needs none.
pub struct Lead(Option<Tx>);

impl Lead {
    /// Leads no more, from now on; where it is only dropped, from when its connection is used again.
    pub async fn end(self) {
        if let Some(tx) = self.0
            && let Err(error) = tx.rollback().await
        {
            // The lock is gone with the connection.
            tracing::debug!(error = %error, "the database ended this leader");
        }
    }
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    read: Reads,
    asked: Reads,
    write: DatabaseConnection,
    bulk: DatabaseConnection,
    /// Who may write next, on a database with one writer.
    turns: Option<turns::Turns>,
}

impl Db {
    /// Opens the database.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be reached.
    pub async fn connect(location: &Location, pools: Pools) -> Result<Self> {
        match location {
            Location::Sqlite(path) => sqlite::connect(path, pools).await,
            Location::Postgres(url) => postgres::connect(url, pools).await,
        }
    }

    /// For reading outside a transaction.
    pub fn read(&self) -> &Reads {
        &self.read
    }

    /// For reading what a person asks for with a filter: few statements at once, and each of them ends in time, with
    /// [`Error::Invalid`] on `filter` if it has to.
    pub fn asked(&self) -> &Reads {
        &self.asked
    }

    /// Begins a transaction whose commit is durable. On SQLite it takes the write lock at once, so that what it reads
    /// cannot change before it writes.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is away.
    pub async fn begin(&self) -> Result<Tx> {
        let turn = self.turn().await;
        begin(&self.write, turn).await
    }

    /// The same for what somebody waits for at the other end of the line, such as a person's STOP: on SQLite it goes
    /// before all that waits to write.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is away.
    pub async fn begin_urgent(&self) -> Result<Tx> {
        let turn = match &self.turns {
            Some(turns) => Some(turns.urgent().await),
            None => None,
        };
        begin(&self.write, turn).await
    }

    /// Begins a transaction for imports, expansion and rollups: work that is done again after a crash.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is away.
    pub async fn begin_bulk(&self) -> Result<Tx> {
        let turn = self.turn().await;
        begin(&self.bulk, turn).await
    }

    async fn turn(&self) -> Option<turns::Turn> {
        match &self.turns {
            Some(turns) => Some(turns.ordinary().await),
            None => None,
        }
    }

    /// Whether two transactions can write at the same time.
    pub const fn writes_side_by_side(&self) -> bool {
        self.turns.is_none()
    }

    /// Leads, of all processes on the database one at a time, until [`Lead::end`]. `None` while another does. Whoever dies leads no more,
    /// as the database sees its connection end.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is away.
    pub async fn lead(&self) -> Result<Option<Lead>> {
        if !self.writes_side_by_side() {
            return Ok(Some(Lead(None)));
        }
        // It writes nothing, so that it holds back nobody who reads in the order of commits.
        let tx = begin(&self.write, None).await?;
        exec(&tx, &format!("SET LOCAL idle_in_transaction_session_timeout = '{LEADS_SECONDS}s'"), Vec::new()).await?;
        let locked: Option<bool> =
            scalar(&tx, "SELECT pg_try_advisory_xact_lock($1) AS value", vec![LEADER.into()]).await?;
        Ok((locked == Some(true)).then_some(Lead(Some(tx))))
    }

    /// The pool of transactions itself, for migrations.
    pub fn for_migrations(&self) -> &DatabaseConnection {
        &self.write
    }

    /// The name of the product.
    pub fn name(&self) -> &'static str {
        match self.read.get_database_backend() {
            DbBackend::Sqlite => "SQLite",
            _ => "PostgreSQL",
        }
    }

    /// Asks for an answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ping(&self) -> Result<()> {
        self.read.ping().await.map_err(|error| Error::Unavailable { what: "the database", source: Box::new(error) })
    }

    /// Closes all connections.
    pub async fn close(self) {
        // What is gone already needs no closing.
        for pool in [self.read, self.asked] {
            let _ = pool.close().await;
        }
        for pool in [self.write, self.bulk] {
            let _ = pool.close().await;
        }
    }
}

async fn begin(connection: &DatabaseConnection, turn: Option<turns::Turn>) -> Result<Tx> {
    let inner = match connection.get_database_backend() {
        DbBackend::Sqlite => connection.begin_with_options(sqlite::immediate()).await?,
        _ => connection.begin().await?,
    };
    Ok(Tx { inner, _turn: turn })
}

/// Builds the list of a statement's values.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(::sea_orm::Value::from($value)),*] };
}

/// Runs a statement and says how many rows it changed.
pub async fn exec<C: ConnectionTrait>(conn: &C, sql: &str, values: Vec<Value>) -> Result<u64> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    Ok(conn.execute_raw(statement).await?.rows_affected())
}

/// Reads all rows of a query, as they came. See [`at`].
pub(crate) async fn rows<C: ConnectionTrait>(conn: &C, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    Ok(conn.query_all_raw(statement).await?)
}

/// What stands in a row at this place, which must be of the asked type: it is neither looked for by name nor compared with the column's
/// type, which is most of what it costs to read a list.
///
/// # Errors
/// [`DbErr`] if it cannot be read so.
pub(crate) fn at<'r, T>(row: &'r QueryResult, place: usize) -> Result<T, DbErr>
where
    T: Decode<'r, Postgres> + Decode<'r, Sqlite>,
{
    let read = match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
        (Some(row), _) => row.try_get_unchecked(place),
        (_, Some(row)) => row.try_get_unchecked(place),
        _ => return Err(DbErr::Type("a row of neither database".to_owned())),
    };
    read.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
}

/// Reads all rows of a query.
pub async fn all<T: FromQueryResult, C: ConnectionTrait>(conn: &C, sql: &str, values: Vec<Value>) -> Result<Vec<T>> {
    rows(conn, sql, values).await?.iter().map(|row| T::from_query_result(row, "").map_err(Error::from)).collect()
}

/// Reads the first row of a query.
pub async fn one<T: FromQueryResult, C: ConnectionTrait>(conn: &C, sql: &str, values: Vec<Value>) -> Result<Option<T>> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    let row = conn.query_one_raw(statement).await?;
    row.map(|row| T::from_query_result(&row, "").map_err(Error::from)).transpose()
}

/// Reads one value: the query's column must be named `value`.
pub async fn scalar<T: sea_orm::TryGetable, C: ConnectionTrait>(
    conn: &C,
    sql: &str,
    values: Vec<Value>,
) -> Result<Option<T>> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    let row = conn.query_one_raw(statement).await?;
    row.map(|row| row.try_get::<T>("", "value").map_err(Error::from)).transpose()
}

/// The same of a statement that goes through everyone.
pub async fn scalar_of_whole<T: sea_orm::TryGetable>(conn: &Reads, sql: &str, values: Vec<Value>) -> Result<Option<T>> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    let row = conn.query_whole(statement).await?;
    row.map(|row| row.try_get::<T>("", "value").map_err(Error::from)).transpose()
}

/// Runs a statement over rows; without any, nothing happens. `sql` makes its text from that of the table `r`, whose numbers
/// follow those of `values`.
///
/// # Errors
/// As [`exec`].
pub async fn bulk<C: ConnectionTrait>(
    conn: &C,
    rows: Rows,
    mut values: Vec<Value>,
    sql: impl FnOnce(&str) -> String,
) -> Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    let table = rows.table(conn, &mut values)?;
    exec(conn, &sql(&table), values).await
}

/// Reads what a query finds for rows; without any, nothing. `sql` and `values` are as in [`bulk`].
///
/// # Errors
/// As [`all`].
pub async fn of_rows<T: FromQueryResult, C: ConnectionTrait>(
    conn: &C,
    rows: Rows,
    mut values: Vec<Value>,
    sql: impl FnOnce(&str) -> String,
) -> Result<Vec<T>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let table = rows.table(conn, &mut values)?;
    all(conn, &sql(&table), values).await
}

/// Whether the object in a JSON column has a key, which is parameter `parameter` as [`key_of`] gives it.
pub fn holds_key<C: ConnectionTrait>(conn: &C, column: &str, parameter: usize) -> String {
    match conn.get_database_backend() {
        DbBackend::Postgres => format!("jsonb_exists({column}, ${parameter})"),
        _ => format!("json_type({column}, ${parameter}) IS NOT NULL"),
    }
}

/// A key as the parameter of [`holds_key`]. It holds no quote and no backslash.
pub fn key_of<C: ConnectionTrait>(conn: &C, key: &str) -> Value {
    match conn.get_database_backend() {
        DbBackend::Postgres => Value::from(key),
        _ => Value::from(format!("$.\"{key}\"")),
    }
}

/// Text without its ASCII case, ordered by its bytes. SQLite's `lower` knows no other case; PostgreSQL's, under the
/// collation `C`, neither.
pub fn folded<C: ConnectionTrait>(conn: &C, text: &str) -> String {
    match conn.get_database_backend() {
        DbBackend::Postgres => format!("lower({text} COLLATE \"C\")"),
        _ => format!("lower({text})"),
    }
}

/// How many people `u` there are, as a count of everyone asks it. On PostgreSQL of a column that is never null and in no index: people
/// are read in the order in which they lie, where it would choose a smaller index and look up for each entry whether everyone sees it.
/// For SQLite the smallest index is the quickest.
pub fn count_in_order<C: ConnectionTrait>(conn: &C) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => "count(u.created_at)",
        _ => "count(*)",
    }
}

/// Whether a text holds another one, which is parameter `parameter`.
pub fn contains<C: ConnectionTrait>(conn: &C, text: &str, parameter: usize) -> String {
    match conn.get_database_backend() {
        DbBackend::Postgres => format!("strpos({text}, ${parameter}) > 0"),
        _ => format!("instr({text}, ${parameter}) > 0"),
    }
}

/// A text in which the digits of each number stand together, whatever a file writes between them.
pub fn digits<C: ConnectionTrait>(conn: &C, text: &str) -> String {
    match conn.get_database_backend() {
        DbBackend::Postgres => postgres::digits(text),
        _ => sqlite::digits(text),
    }
}

/// A row as a JSON object of these columns; ids as text, JSON columns as what they hold.
pub fn json_object<C: ConnectionTrait>(conn: &C, alias: &str, columns: &[&str]) -> String {
    match conn.get_database_backend() {
        DbBackend::Postgres => postgres::json_object(alias, columns),
        _ => sqlite::json_object(alias, columns),
    }
}

/// An instant as the text in which it is stored on SQLite.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
}

/// Locks the row of a table with this id until the transaction ends, if there is one.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn lock_row<C: ConnectionTrait>(conn: &C, table: &str, id: uuid::Uuid) -> Result<()> {
    lock_row_as(conn, table, id, lock(conn)).await
}

/// The same by one of the locks below.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn lock_row_as<C: ConnectionTrait>(conn: &C, table: &str, id: uuid::Uuid, lock: &str) -> Result<()> {
    let sql = format!("SELECT 1 AS value FROM {table} WHERE id = $1{lock}");
    scalar::<i32, _>(conn, &sql, vec![id.into()]).await.map(drop)
}

/// Marks a place in the caller's transaction, to go back to with [`back_to_mark`] or to forget with [`forget_mark`].
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn mark<C: ConnectionTrait>(conn: &C) -> Result<()> {
    on_mark(conn, "SAVEPOINT mark").await
}

/// Undoes what was done since the mark, and gives up the locks that were taken since.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn back_to_mark<C: ConnectionTrait>(conn: &C) -> Result<()> {
    on_mark(conn, "ROLLBACK TO SAVEPOINT mark").await?;
    on_mark(conn, "RELEASE SAVEPOINT mark").await
}

/// Forgets the mark; what was done since stays.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn forget_mark<C: ConnectionTrait>(conn: &C) -> Result<()> {
    on_mark(conn, "RELEASE SAVEPOINT mark").await
}

/// Only where rows are locked one by one is there anything to give up.
async fn on_mark<C: ConnectionTrait>(conn: &C, sql: &str) -> Result<()> {
    if conn.get_database_backend() == DbBackend::Postgres {
        conn.execute_unprepared(sql).await?;
    }
    Ok(())
}

/// Locks the rows that a SELECT reads against change, not against other readers.
pub fn lock_shared<C: ConnectionTrait>(conn: &C) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => postgres::LOCK_SHARED,
        _ => sqlite::LOCK,
    }
}

/// Locks the rows that a SELECT reads against [`lock`], not against [`lock_beside_users`].
pub fn lock_in_use<C: ConnectionTrait>(conn: &C) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => postgres::LOCK_IN_USE,
        _ => sqlite::LOCK,
    }
}

/// Locks the rows that a SELECT reads, and waits for them, but not for those who hold [`lock_in_use`].
pub fn lock_beside_users<C: ConnectionTrait>(conn: &C) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => postgres::LOCK_BESIDE_USERS,
        _ => sqlite::LOCK,
    }
}

/// Locks the rows that a SELECT reads, and waits for them.
pub fn lock<C: ConnectionTrait>(conn: &C) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => postgres::LOCK,
        _ => sqlite::LOCK,
    }
}

/// Locks the rows that a SELECT reads, and passes over those that another holds.
pub fn lock_free<C: ConnectionTrait>(conn: &C) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => postgres::LOCK_FREE,
        _ => sqlite::LOCK,
    }
}

/// Locks the messages `m` of a SELECT that joins them to something else, and waits for them.
pub fn lock_messages<C: ConnectionTrait>(conn: &C) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => postgres::LOCK_MESSAGES,
        _ => sqlite::LOCK,
    }
}

/// Locks the suppressions `s` of a SELECT that joins them to something else, against change.
pub fn lock_suppressions<C: ConnectionTrait>(conn: &C) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => postgres::LOCK_SUPPRESSIONS,
        _ => sqlite::LOCK,
    }
}

/// The number of the caller's transaction, as SQL: what commits later than all that are done has a higher one.
pub fn this_transaction<C: ConnectionTrait>(conn: &C) -> &'static str {
    match conn.get_database_backend() {
        DbBackend::Postgres => postgres::THIS_TRANSACTION,
        _ => sqlite::THIS_TRANSACTION,
    }
}

/// The condition that a number of [`this_transaction`] belongs to one before which nothing more can commit.
pub fn settled_transactions<C: ConnectionTrait>(conn: &C, column: &str) -> String {
    match conn.get_database_backend() {
        DbBackend::Postgres => format!("{column} < {}", postgres::OLDEST_TRANSACTION),
        _ => "true".to_owned(),
    }
}

/// Lifts the numbers of [`this_transaction`] above those of the event stream, where the server counts from lower ones.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn rebase_feed(db: &Db) -> Result<()> {
    if db.read.get_database_backend() == DbBackend::Postgres {
        exec(&db.write, postgres::REBASE_FEED, Vec::new()).await?;
    }
    Ok(())
}

/// Pins the plan of the batch statements that follow in this transaction: a batch of a thousand keys is looked up by key,
/// whatever the statistics say.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away.
pub async fn pin_plans<C: ConnectionTrait>(conn: &C) -> Result<()> {
    if conn.get_database_backend() == DbBackend::Postgres {
        conn.execute_unprepared(postgres::PIN_PLANS).await?;
    }
    Ok(())
}
