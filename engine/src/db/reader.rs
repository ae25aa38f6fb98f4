//! One connection for several statements in a row.
//!
//! A pool asks each connection whether it is well when it is given back, which costs as much as a short statement. Whoever
//! reads with several short statements therefore holds one connection for all of them.

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
    sea_query::Values,
    sqlx::{
        self, AssertSqlSafe, Database, Postgres, Sqlite,
        pool::{Pool, PoolConnection},
    },
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

/// A connection that is held for reading until it is dropped.
pub struct Reader {
    held: Held,
}

enum Held {
    Postgres(Mutex<PoolConnection<Postgres>>),
    Sqlite(Mutex<PoolConnection<Sqlite>>),
}

impl Reader {
    /// Takes a connection of this pool.
    pub(super) async fn of(pool: &DatabaseConnection) -> Result<Self, DbErr> {
        let held = match pool.get_database_backend() {
            DbBackend::Postgres => Held::Postgres(take(pool.get_postgres_connection_pool()).await?),
            _ => Held::Sqlite(take(pool.get_sqlite_connection_pool()).await?),
        };
        Ok(Self { held })
    }
}

async fn take<D: Database>(pool: &Pool<D>) -> Result<Mutex<PoolConnection<D>>, DbErr> {
    pool.acquire().await.map(Mutex::new).map_err(|error| match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        other => DbErr::Conn(RuntimeErr::SqlxError(other.into())),
    })
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// The same on either database: what `$query` is made of, run on `$connection` as `$run` says.
macro_rules! on {
    ($held:expr, $statement:expr, $run:ident) => {{
        let Statement { sql, values, .. } = $statement;
        let values = SqlxValues(values.unwrap_or(Values(Vec::new())));
        let query = AssertSqlSafe(sql);
        match $held {
            Held::Postgres(connection) => {
                $run!(sqlx::query_with::<Postgres, _>(query, values), &mut **connection.lock().await)
            }
            Held::Sqlite(connection) => {
                $run!(sqlx::query_with::<Sqlite, _>(query, values), &mut **connection.lock().await)
            }
        }
    }};
}

macro_rules! run {
    ($query:expr, $connection:expr) => {
        $query.execute($connection).await.map(ExecResult::from).map_err(failed)
    };
}

macro_rules! one {
    ($query:expr, $connection:expr) => {
        $query.fetch_optional($connection).await.map(|row| row.map(QueryResult::from)).map_err(failed)
    };
}

macro_rules! all {
    ($query:expr, $connection:expr) => {
        $query
            .fetch_all($connection)
            .await
            .map(|rows| rows.into_iter().map(QueryResult::from).collect())
            .map_err(failed)
    };
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        match self.held {
            Held::Postgres(_) => DbBackend::Postgres,
            Held::Sqlite(_) => DbBackend::Sqlite,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        on!(&self.held, statement, run)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &self.held {
            Held::Postgres(connection) => run!(sql, &mut **connection.lock().await),
            Held::Sqlite(connection) => run!(sql, &mut **connection.lock().await),
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        on!(&self.held, statement, one)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        on!(&self.held, statement, all)
    }
}
