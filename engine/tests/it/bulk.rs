//! Rows that are handed to a statement as a table.

use chrono::{DateTime, Utc};
use engine::{
    both, cells,
    db::{self, Kind, Rows},
    testing::TestEnv,
    values,
};
use sea_orm::FromQueryResult;
use serde_json::{Value, json};
use uuid::Uuid;

/// One cell of each kind.
#[derive(Debug, Clone, PartialEq, FromQueryResult)]
struct Row {
    id: Option<Uuid>,
    int: Option<i64>,
    small: Option<i16>,
    word: Option<String>,
    at: Option<DateTime<Utc>>,
    bytes: Option<Vec<u8>>,
    yes: Option<bool>,
    fact: Option<Value>,
}

const NOTHING: Row = Row { id: None, int: None, small: None, word: None, at: None, bytes: None, yes: None, fact: None };

fn rows(all: &[Row]) -> Rows {
    let columns = [
        ("place", Kind::Int),
        ("id", Kind::Id),
        ("int", Kind::Int),
        ("small", Kind::Small),
        ("word", Kind::Text),
        ("at", Kind::Time),
        ("bytes", Kind::Bytes),
        ("yes", Kind::Bool),
        ("fact", Kind::Json),
    ];
    Rows::of(columns, (0i64..).zip(all), |(place, row)| {
        let row = row.clone();
        cells![place, row.id, row.int, row.small, row.word, row.at, row.bytes, row.yes, row.fact]
    })
}

both! {
    async fn what_is_handed_over_comes_back(env: TestEnv) {
        let full = Row {
            id: Some(env.engine.clock.new_id()),
            int: Some(i64::MIN),
            small: Some(i16::MAX),
            word: Some("a \"quote\", a \\ and ☃".into()),
            at: Some(env.engine.clock.now()),
            bytes: Some(vec![0, 255, 10]),
            yes: Some(true),
            fact: Some(json!({ "list": [1, null, "x"] })),
        };
        let empty = Row { word: Some(String::new()), bytes: Some(Vec::new()), fact: Some(json!([])), ..full.clone() };
        // Columns without a hole, with some, and with nothing else: each is a text of its own.
        for all in [vec![full.clone(), empty.clone()], vec![full, NOTHING, empty], vec![NOTHING, NOTHING]] {
            let read: Vec<Row> = db::of_rows(env.engine.db.read(), rows(&all), values!["after"], |table| {
                format!(
                    "SELECT r.id, r.int, r.small, r.word, r.at, r.bytes, r.yes, r.fact FROM {table}
                     WHERE $1 = 'after' ORDER BY r.place"
                )
            })
            .await
            .unwrap();
            assert_eq!(read, all);
        }
        let none: Vec<Row> = db::of_rows(env.engine.db.read(), rows(&[]), values![], |_| unreachable!()).await.unwrap();
        assert_eq!(none, []);
    }

    async fn a_cell_of_another_kind_is_refused(env: TestEnv) {
        let rows = Rows::of([("id", Kind::Id)], ["text"], |text| cells![text]);
        let refused = rows.table(env.engine.db.read(), &mut values![]).unwrap_err();
        assert!(matches!(refused, engine::Error::Internal { .. }), "{refused:?}");
    }
}
