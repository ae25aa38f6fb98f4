//! Connections for statements outside a transaction.
//!
//! sqlx' pool asks a connection how it is each time it takes one back. To PostgreSQL that is a round trip, as dear as the short
//! statement before it, and most statements are short reads. A connection whose last answer was read to its end is well, so it is
//! kept aside here instead; any other goes back to the pool, which looks after it.

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
    sea_query::Values,
    sqlx::{self, AssertSqlSafe, Connection as _, PgPool, Postgres, pool::PoolConnection, query::Query},
};
use sea_query_sqlx::SqlxValues;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// After so long without a statement a connection is asked how it is before it is used: the database may have been restarted.
const TRUSTED: Duration = Duration::from_secs(1);
/// After so long it goes back to the pool, which may end it.
const KEPT: Duration = Duration::from_secs(600);

/// A pool that statements outside a transaction run on, each by itself. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reads {
    pool: DatabaseConnection,
    /// What is kept aside of a pool of PostgreSQL; SQLite is in this process, and its pool begins the time of each statement.
    kept: Option<Arc<Kept>>,
}

impl Reads {
    /// A pool that nobody else takes from, of `most` connections, for one of which a statement waits at most so long.
    pub(super) fn of(pool: DatabaseConnection, most: u32, patience: Duration) -> Self {
        let kept = match pool.get_database_backend() {
            DbBackend::Postgres => Some(Arc::new(Kept {
                pool: pool.get_postgres_connection_pool().clone(),
                turns: Semaphore::new(most.max(1) as usize),
                idle: Mutex::default(),
                patience,
            })),
            _ => None,
        };
        Self { pool, kept }
    }

    /// Asks for an answer.
    pub(super) async fn ping(&self) -> Result<(), DbErr> {
        self.pool.ping().await
    }

    /// Closes all connections.
    pub(super) async fn close(self) -> Result<(), DbErr> {
        if let Some(kept) = &self.kept {
            kept.turns.close();
            kept.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        self.pool.close().await
    }
}

/// Where everyone is looked at, what belongs to them is read as a whole and hashed: how many people a condition on their attributes
/// leaves is nothing that PostgreSQL can know, and what it takes for few is looked up one by one.
const WHOLE: &str = "SET LOCAL enable_nestloop = off";

impl Reads {
    /// One row, of a statement that goes through everyone.
    ///
    /// # Errors
    /// As [`ConnectionTrait::query_one_raw`].
    pub(crate) async fn query_whole(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let Some(kept) = &self.kept else { return self.pool.query_one_raw(statement).await };
        let mut taken = kept.take().await?;
        let answer = async {
            let mut tx = taken.connection.begin().await?;
            sqlx::raw_sql(WHOLE).execute(&mut *tx).await?;
            let row = query(statement).fetch_optional(&mut *tx).await?;
            tx.commit().await?;
            Ok(row)
        }
        .await;
        Ok(kept.done(taken, answer)?.map(QueryResult::from))
    }
}

#[derive(Debug)]
struct Kept {
    pool: PgPool,
    /// As many as the pool has connections, so that nobody waits for the pool while one lies aside.
    turns: Semaphore,
    idle: Mutex<Vec<Aside>>,
    patience: Duration,
}

/// A connection that is kept aside.
#[derive(Debug)]
struct Aside {
    connection: PoolConnection<Postgres>,
    /// Since when it is not in the pool.
    out_since: Instant,
    used_at: Instant,
}

/// A connection in use. Where its statement is given up halfway it is dropped, and the pool looks after it.
struct Taken<'k> {
    connection: PoolConnection<Postgres>,
    out_since: Instant,
    _turn: SemaphorePermit<'k>,
}

impl Kept {
    async fn take(&self) -> Result<Taken<'_>, DbErr> {
        let turn = tokio::time::timeout(self.patience, self.turns.acquire()).await;
        let turn = turn.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        let turn = turn.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
        loop {
            let aside = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(Aside { mut connection, out_since, used_at }) = aside else { break };
            if out_since.elapsed() < KEPT && (used_at.elapsed() < TRUSTED || connection.ping().await.is_ok()) {
                return Ok(Taken { connection, out_since, _turn: turn });
            }
        }
        let connection = self.pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            other => DbErr::Conn(RuntimeErr::SqlxError(other.into())),
        })?;
        Ok(Taken { connection, out_since: Instant::now(), _turn: turn })
    }

    /// Keeps the connection aside if its statement went well.
    fn done<T>(&self, taken: Taken<'_>, answer: Result<T, sqlx::Error>) -> Result<T, DbErr> {
        let Taken { connection, out_since, _turn: turn } = taken;
        if answer.is_ok() {
            let aside = Aside { connection, out_since, used_at: Instant::now() };
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(aside);
        }
        drop(turn);
        answer.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }
}

fn query(statement: Statement) -> Query<'static, Postgres, SqlxValues> {
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(statement.values.unwrap_or(Values(Vec::new()))))
}

#[async_trait::async_trait]
impl ConnectionTrait for Reads {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let Some(kept) = &self.kept else { return self.pool.execute_raw(statement).await };
        let mut taken = kept.take().await?;
        let answer = query(statement).execute(&mut *taken.connection).await;
        kept.done(taken, answer).map(ExecResult::from)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.pool.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let Some(kept) = &self.kept else { return self.pool.query_one_raw(statement).await };
        let mut taken = kept.take().await?;
        let answer = query(statement).fetch_optional(&mut *taken.connection).await;
        Ok(kept.done(taken, answer)?.map(QueryResult::from))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let Some(kept) = &self.kept else { return self.pool.query_all_raw(statement).await };
        let mut taken = kept.take().await?;
        let answer = query(statement).fetch_all(&mut *taken.connection).await;
        Ok(kept.done(taken, answer)?.into_iter().map(QueryResult::from).collect())
    }
}
