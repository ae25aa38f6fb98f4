//! Rows that are handed to a statement as a table.
//!
//! One statement takes a whole batch. On PostgreSQL each column is an array, unfolded by `unnest`: a fifth of what a JSON
//! array costs there. On SQLite all of it is one JSON array, read by `json_each`.

use super::instant;
use crate::error::{Error, Result};
use domain::ids::MessageKey;
use sea_orm::{ConnectionTrait, DbBackend, Value};
use serde_json::{Value as Json, json};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A UUID.
    Id,
    /// A whole number.
    Int,
    /// A small whole number.
    Small,
    /// Text.
    Text,
    /// An instant.
    Time,
    /// Bytes.
    Bytes,
    /// True or false.
    Bool,
    /// JSON.
    Json,
}

/// Rows for a statement: columns with names and kinds, and as many cells in each.
#[derive(Debug, Clone)]
pub struct Rows {
    columns: Vec<(&'static str, Kind, Vec<Value>)>,
}

/// The cells of one row of [`Rows`].
#[macro_export]
macro_rules! cells {
    ($($value:expr),* $(,)?) => { [$(::sea_orm::Value::from($value)),*] };
}

impl Rows {
    /// A row for each item, with the cells in the order of the columns.
    pub fn of<T, const N: usize>(
        columns: [(&'static str, Kind); N],
        items: impl IntoIterator<Item = T>,
        row: impl Fn(T) -> [Value; N],
    ) -> Self {
        let mut rows = Self { columns: columns.map(|(name, kind)| (name, kind, Vec::new())).into() };
        for item in items {
            rows.push(row(item));
        }
        rows
    }

    /// Rows with the one column `id`.
    pub fn ids(ids: impl IntoIterator<Item = uuid::Uuid>) -> Self {
        Self::of([("id", Kind::Id)], ids, |id| cells![id])
    }

    /// Rows with the columns `campaign_id` and `seq`.
    pub fn keys(keys: &[MessageKey]) -> Self {
        let columns = [("campaign_id", Kind::Id), ("seq", Kind::Int)];
        Self::of(columns, keys, |key| cells![key.campaign.0, key.seq])
    }

    fn push<const N: usize>(&mut self, row: [Value; N]) {
        for ((_, _, cells), cell) in self.columns.iter_mut().zip(row) {
            cells.push(cell);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(|(_, _, cells)| cells.is_empty())
    }

    /// The text of a table `r` with these rows, to select or insert from. What it reads is added to the statement's values, of
    /// which it takes the numbers that follow those that are there.
    ///
    /// # Errors
    /// [`Error::Internal`] if a cell is not of its column's kind.
    pub fn table<C: ConnectionTrait>(self, conn: &C, values: &mut Vec<Value>) -> Result<String> {
        match conn.get_database_backend() {
            DbBackend::Postgres => self.unnest(values),
            _ => self.json_each(values),
        }
    }

    fn unnest(self, values: &mut Vec<Value>) -> Result<String> {
        let (mut selected, mut arrays, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (place, (name, kind, cells)) in self.columns.into_iter().enumerate() {
            let word = word(kind);
            let rows = cells.len();
            let nulls: Vec<bool> = cells.iter().map(is_null).collect();
            let missing = nulls.iter().filter(|null| **null).count();
            // An array cannot have holes on its way to the database: they are filled, and named in an array beside it.
            if missing > 0 && missing == rows {
                selected.push(format!("NULL::{word} AS {name}"));
                continue;
            }
            let cells = cells.into_iter().map(|cell| cell_of(name, kind, cell)).collect::<Result<Vec<_>>>()?;
            values.push(Value::Array(array_of(kind), Some(Box::new(cells))));
            arrays.push(format!("${}::{word}[]", values.len()));
            names.push(format!("c{place}"));
            if missing == 0 {
                selected.push(format!("c{place} AS {name}"));
                continue;
            }
            let nulls = nulls.into_iter().map(Value::from).collect();
            values.push(Value::Array(array_of(Kind::Bool), Some(Box::new(nulls))));
            arrays.push(format!("${}::boolean[]", values.len()));
            names.push(format!("n{place}"));
            selected.push(format!("CASE WHEN n{place} THEN NULL ELSE c{place} END AS {name}"));
        }
        Ok(format!(
            "(SELECT {} FROM unnest({}) AS raw({})) AS r",
            selected.join(", "),
            arrays.join(", "),
            names.join(", ")
        ))
    }

    fn json_each(self, values: &mut Vec<Value>) -> Result<String> {
        let rows = self.columns.first().map_or(0, |(_, _, cells)| cells.len());
        let mut table: Vec<Vec<Json>> = (0..rows).map(|_| Vec::with_capacity(self.columns.len())).collect();
        let mut selected = Vec::new();
        for (place, (name, kind, cells)) in self.columns.into_iter().enumerate() {
            let value = format!("json_extract(value, '$[{place}]')");
            selected.push(match kind {
                Kind::Id | Kind::Bytes => format!("unhex({value}) AS {name}"),
                _ => format!("{value} AS {name}"),
            });
            for (row, cell) in table.iter_mut().zip(cells) {
                row.push(if is_null(&cell) { Json::Null } else { json_of(name, cell_of(name, kind, cell)?)? });
            }
        }
        values.push(Value::from(serde_json::to_string(&table)?));
        Ok(format!("(SELECT {} FROM json_each(${})) AS r", selected.join(", "), values.len()))
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "uuid",
        Kind::Int => "bigint",
        Kind::Small => "smallint",
        Kind::Text => "text",
        Kind::Time => "timestamptz",
        Kind::Bytes => "bytea",
        Kind::Bool => "boolean",
        Kind::Json => "jsonb",
    }
}

/// The kind of an array of such cells, as [`cell_of`] makes them.
fn array_of(kind: Kind) -> sea_orm::sea_query::ArrayType {
    use sea_orm::sea_query::ArrayType;
    match kind {
        Kind::Id => ArrayType::Uuid,
        Kind::Int => ArrayType::BigInt,
        Kind::Small => ArrayType::SmallInt,
        Kind::Text => ArrayType::String,
        Kind::Time => ArrayType::ChronoDateTimeUtc,
        Kind::Bytes => ArrayType::Bytes,
        Kind::Bool => ArrayType::Bool,
        Kind::Json => ArrayType::Json,
    }
}

fn is_null(cell: &Value) -> bool {
    matches!(
        cell,
        Value::Uuid(None)
            | Value::BigInt(None)
            | Value::Int(None)
            | Value::SmallInt(None)
            | Value::String(None)
            | Value::ChronoDateTimeUtc(None)
            | Value::Bytes(None)
            | Value::Bool(None)
            | Value::Json(None)
    )
}

/// A cell as its column's kind has it; one that is missing, as anything of that kind.
fn cell_of(name: &str, kind: Kind, cell: Value) -> Result<Value> {
    if is_null(&cell) {
        return Ok(match kind {
            Kind::Id => Value::from(uuid::Uuid::nil()),
            Kind::Int => Value::from(0i64),
            Kind::Small => Value::from(0i16),
            Kind::Text => Value::from(String::new()),
            Kind::Time => Value::from(chrono::DateTime::UNIX_EPOCH),
            Kind::Bytes => Value::from(Vec::<u8>::new()),
            Kind::Bool => Value::from(false),
            Kind::Json => Value::from(Json::Null),
        });
    }
    match (kind, cell) {
        (Kind::Int, Value::Int(Some(number))) => Ok(Value::from(i64::from(number))),
        (Kind::Int, Value::SmallInt(Some(number))) => Ok(Value::from(i64::from(number))),
        (Kind::Id, cell @ Value::Uuid(_))
        | (Kind::Int, cell @ Value::BigInt(_))
        | (Kind::Small, cell @ Value::SmallInt(_))
        | (Kind::Text, cell @ Value::String(_))
        | (Kind::Time, cell @ Value::ChronoDateTimeUtc(_))
        | (Kind::Bytes, cell @ Value::Bytes(_))
        | (Kind::Bool, cell @ Value::Bool(_))
        | (Kind::Json, cell @ Value::Json(_)) => Ok(cell),
        (kind, cell) => Err(wrong(name, kind, &cell)),
    }
}

fn json_of(name: &str, cell: Value) -> Result<Json> {
    Ok(match cell {
        Value::Uuid(Some(id)) => json!(id.simple().to_string()),
        Value::BigInt(Some(number)) => json!(number),
        Value::SmallInt(Some(number)) => json!(number),
        Value::String(Some(text)) => Json::String(text),
        Value::ChronoDateTimeUtc(Some(at)) => json!(instant(at)),
        Value::Bytes(Some(bytes)) => json!(hex::encode(bytes)),
        Value::Bool(Some(yes)) => json!(yes),
        Value::Json(Some(value)) => *value,
        other => return Err(wrong(name, Kind::Json, &other)),
    })
}

fn wrong(name: &str, kind: Kind, cell: &Value) -> Error {
    // The cell itself may be personal.
    let given = std::mem::discriminant(cell);
    Error::internal(format!("the column {name} holds {kind:?}, and was given {given:?}"))
}
