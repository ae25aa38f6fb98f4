//! The few words that differ between the two databases.

use sea_orm_migration::sea_orm::DbBackend;

/// The statement in this database's words; `None` if it is for the other one (`-- postgres` or `-- sqlite` at its head).
///
/// SQLite keeps ids as 16-byte blobs and instants as RFC 3339 text, which is how sqlx binds them.
pub fn sql(statement: &str, backend: DbBackend) -> Option<String> {
    let statement = statement.trim();
    let postgres = backend == DbBackend::Postgres;
    if statement.starts_with("-- postgres") && !postgres || statement.starts_with("-- sqlite") && postgres {
        return None;
    }
    let words: [(&str, &str, &str); 7] = [
        ("{uuid}", "uuid", "blob"),
        ("{time}", "timestamptz", "text"),
        ("{json}", "jsonb", "text"),
        ("{bytes}", "bytea", "blob"),
        ("{nil}", "'00000000-0000-0000-0000-000000000000'::uuid", "x'00000000000000000000000000000000'"),
        // Rows of a hot table are updated a few times in their life: room on the page keeps those updates in place (HOT).
        (
            "{hot}",
            " WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)",
            " WITHOUT ROWID",
        ),
        ("{clustered}", "", " WITHOUT ROWID"),
    ];
    let mut sql = statement.to_owned();
    for (word, on_postgres, on_sqlite) in words {
        sql = sql.replace(word, if postgres { on_postgres } else { on_sqlite });
    }
    Some(sql)
}
