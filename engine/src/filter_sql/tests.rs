use super::*;
use chrono::TimeDelta;
use domain::{
    filter::{Facts, Occurrence, evaluate, parse},
    message::State,
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, Statement};
use serde_json::{Map, json};
use uuid::Uuid;

const TABLES: [&str; 9] = [
    "users",
    "consents",
    "topics",
    "subscriptions",
    "campaigns",
    "messages",
    "inbound_messages",
    "import_rows",
    "imports",
];
const TOPICS: [&str; 2] = ["offers", "news"];
/// Name, and index of the topic.
const CAMPAIGNS: [(&str, Option<usize>); 3] = [("Spring", Some(0)), ("AUTUMN É", Some(1)), ("Plain", None)];

fn now() -> DateTime<Utc> {
    "2026-06-15T12:00:00.5Z".parse().expect("an instant")
}

/// What happened to one row of `users`: campaign, state and hours ago of messages; hours ago of replies; hours ago of
/// imports, and whether each counts (it changed the row, and was not undone).
#[derive(Debug, Clone)]
struct History {
    messages: Vec<(usize, State, i64)>,
    replies: Vec<i64>,
    imports: Vec<(i64, bool, bool)>,
}

#[derive(Debug, Clone)]
struct Person {
    texts: [Option<String>; 4],
    attributes: Map<String, serde_json::Value>,
    created_at: DateTime<Utc>,
    consents: Vec<(Channel, ConsentState)>,
    subscriptions: Vec<(usize, bool)>,
    history: History,
    /// That of someone who was merged into this person.
    merged: Option<History>,
}

fn attribute_names() -> Vec<&'static str> {
    vec!["city", "age", "tags", "first name", "සිංහල", "a.b", "in", "x$[0]"]
}

fn any_scalar() -> impl Strategy<Value = serde_json::Value> {
    select(vec![
        json!(null),
        json!("Colombo"),
        json!("COLOMBO x"),
        json!("Éa"),
        json!("éA"),
        json!(""),
        json!("30"),
        json!("-1.5"),
        json!("007"),
        json!("1e3"),
        json!("1."),
        json!("--1"),
        json!("1.2.3"),
        json!("\u{661}"),
        json!("99999999999999999999"),
        json!("999999999999999999999"),
        json!("true"),
        json!("False"),
        json!("2026-01-31"),
        json!("2026-01-31T10:00"),
        json!("2026-01-31x"),
        json!("2026-02-01 é"),
        json!(30),
        json!(30.0),
        json!(-1.5),
        json!(0),
        json!(0.1),
        json!(1e300),
        json!(9_007_199_254_740_993_u64),
        json!(u64::MAX),
        json!(true),
        json!(false),
        json!({"a": 30}),
        json!("it's \"q\" \\ %_"),
        json!("a\nb"),
    ])
}

fn any_value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![3 => any_scalar(), 1 => vec(any_scalar(), 0..4).prop_map(serde_json::Value::from)]
}

fn any_history() -> impl Strategy<Value = History> {
    let message = (0..CAMPAIGNS.len(), select(State::ALL), 0..100i64);
    let import = (0..100i64, any::<bool>(), any::<bool>());
    (vec(message, 0..3), vec(0..100i64, 0..2), vec(import, 0..2)).prop_map(|(messages, replies, imports)| History {
        messages,
        replies,
        imports,
    })
}

fn any_person() -> impl Strategy<Value = Person> {
    let text = |choices: &[&str]| option::of(select(choices.iter().map(ToString::to_string).collect::<Vec<_>>()));
    let texts = (
        text(&["+94771234567", "+14152671000"]),
        text(&["Ada", "ada É", "Zoë", ""]),
        text(&["en", "EN-gb", "si"]),
        text(&["Asia/Colombo", "Europe/Berlin"]),
    );
    let consent = select(&[Channel::Sms, Channel::Whatsapp][..]);
    (
        texts,
        btree_map(select(attribute_names()).prop_map(str::to_owned), any_value(), 0..6),
        -72..72i64,
        btree_map(consent, select(ConsentState::ALL), 0..3),
        btree_map(0..TOPICS.len(), any::<bool>(), 0..3),
        any_history(),
        option::weighted(0.2, any_history()),
    )
        .prop_map(|(texts, attributes, hours, consents, subscriptions, history, merged)| Person {
            texts: [texts.0, texts.1, texts.2, texts.3],
            attributes: attributes.into_iter().collect(),
            created_at: "2026-01-31T00:00:00Z".parse::<DateTime<Utc>>().expect("an instant") + TimeDelta::hours(hours),
            consents: consents.into_iter().collect(),
            subscriptions: subscriptions.into_iter().collect(),
            history,
            merged,
        })
}

/// One condition, as text: so that what is compared is what a person can write.
fn any_condition() -> impl Strategy<Value = String> {
    const EQUALITY: [&str; 2] = ["=", "!="];
    const ORDER: [&str; 6] = ["=", "!=", "<", "<=", ">", ">="];
    const TEXTUAL: [&str; 8] = ["=", "!=", "<", "<=", ">", ">=", "~", "starts with"];
    let texts = || {
        select(vec![
            r#""colombo""#,
            r#""COLOMBO""#,
            r#""éa""#,
            r#""É""#,
            r#""30""#,
            r#""o""#,
            r#""+94""#,
            r#""ada""#,
            r#""en""#,
            r#""asia/colombo""#,
            r#""+94771234567""#,
            r#""%""#,
            r#""it's \"q\" \\ %_""#,
            r#""true""#,
            "\"a\nb\"",
        ])
    };
    let numbers = || select(vec!["30", "-1.5", "7", "0", "0.1", "1000", "999999999999999"]);
    let days = || select(vec!["2026-01-31", "2026-01-30", "2026-02-01", "9998-12-31"]);
    let truths = || select(vec!["true", "false"]);
    let states = || select(vec!["opted_in", "opted_out", "none"]);
    let names = select(attribute_names()).prop_map(|name| format!("attributes.\"{name}\"")).boxed();
    let words = select(vec!["phone", "name", "locale", "zone"]).prop_map(str::to_owned).boxed();
    let consents = select(vec!["consent.sms", "consent.whatsapp"]).prop_map(str::to_owned).boxed();
    let created = Just("created".to_owned()).boxed();
    let of =
        |field: &BoxedStrategy<String>, comparisons: &'static [&'static str], value: BoxedStrategy<&'static str>| {
            let one = (field.clone(), select(comparisons), value).prop_map(|(f, c, v)| format!("{f} {c} {v}"));
            one.boxed()
        };
    let within = |field: &BoxedStrategy<String>, value: BoxedStrategy<&'static str>| {
        (field.clone(), vec(value, 1..4)).prop_map(|(f, v)| format!("{f} in ({})", v.join(", "))).boxed()
    };
    let ranges = (select(attribute_names()), vec((select(vec!["<", "<=", ">", ">="]), numbers()), 2..4)).prop_map(
        |(name, bounds)| {
            let bounds: Vec<String> = bounds.iter().map(|(c, v)| format!("attributes.\"{name}\" {c} {v}")).collect();
            format!("({})", bounds.join(" and "))
        },
    );
    let presence = prop_oneof![names.clone(), words.clone(), created.clone()];
    let behaviours = select(vec![
        "messaged",
        "delivered",
        "read",
        "failed",
        "replied",
        "joined",
        "imported",
        "messaged by campaign \"spring\"",
        "read by campaign \"autumn É\"",
        "failed by campaign \"autumn é\"",
        "delivered about topic \"offers\"",
        "messaged about topic \"news\"",
    ]);
    let windows = select(vec!["", " within 1 day", " within 50 hours", " not within 2 days", " within 3660 days"]);
    prop_oneof![
        3 => of(&names, &TEXTUAL, texts().boxed()),
        3 => of(&names, &ORDER, numbers().boxed()),
        2 => ranges,
        2 => of(&names, &ORDER, days().boxed()),
        2 => of(&names, &EQUALITY, truths().boxed()),
        2 => prop_oneof![
            within(&names, texts().boxed()), within(&names, numbers().boxed()), within(&names, days().boxed()),
            within(&names, truths().boxed()),
        ],
        3 => of(&words, &TEXTUAL, texts().boxed()),
        1 => within(&words, texts().boxed()),
        2 => of(&created, &ORDER, days().boxed()),
        2 => of(&consents, &EQUALITY, states().boxed()),
        1 => within(&consents, states().boxed()),
        2 => (presence, any::<bool>()).prop_map(|(f, set)| format!("{f} is {}set", if set { "" } else { "not " })),
        1 => select(vec!["offers", "news", "unknown"]).prop_map(|topic| format!("subscribed to \"{topic}\"")),
        3 => (behaviours, windows).prop_map(|(behaviour, window)| format!("{behaviour}{window}")),
    ]
}

fn any_filter() -> impl Strategy<Value = String> {
    let filter = any_condition().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not {part}")),
        ]
    });
    prop_oneof![30 => filter, 1 => Just(String::new())]
}

fn occurrences(history: &History) -> Vec<Occurrence> {
    let mut found = Vec::new();
    for (campaign, state, hours) in &history.messages {
        let (name, topic) = CAMPAIGNS[*campaign];
        for behaviour in Behaviour::ALL {
            if behaviour.message_states().is_some_and(|states| states.contains(state)) {
                found.push(Occurrence {
                    behaviour,
                    at: now() - TimeDelta::hours(*hours),
                    campaign: Some(name.to_owned()),
                    topic: topic.map(|topic| TOPICS[topic].to_owned()),
                });
            }
        }
    }
    let counts = |(_, changed, undone): &&(i64, bool, bool)| *changed && !*undone;
    found.extend(history.imports.iter().filter(counts).map(|(hours, ..)| Occurrence {
        behaviour: Behaviour::Imported,
        at: now() - TimeDelta::hours(*hours),
        campaign: None,
        topic: None,
    }));
    found.extend(history.replies.iter().map(|hours| Occurrence {
        behaviour: Behaviour::Replied,
        at: now() - TimeDelta::hours(*hours),
        campaign: None,
        topic: None,
    }));
    found
}

fn facts(person: &Person) -> Facts {
    let [phone, name, locale, zone] = person.texts.clone();
    let topic = |(topic, follows): &(usize, bool)| follows.then(|| TOPICS[*topic].to_owned());
    let histories = [Some(&person.history), person.merged.as_ref()];
    Facts {
        phone,
        name,
        locale,
        zone,
        created_at: person.created_at,
        attributes: person.attributes.clone(),
        consents: person.consents.iter().copied().collect(),
        subscriptions: person.subscriptions.iter().filter_map(topic).collect(),
        occurrences: histories.into_iter().flatten().flat_map(occurrences).collect(),
    }
}

async fn insert(db: &DatabaseConnection, table: &str, values: Vec<Value>) -> Result<(), DbErr> {
    let places: Vec<String> = (1..=values.len()).map(|n| format!("${n}")).collect();
    let sql = format!("INSERT INTO {table} VALUES ({})", places.join(", "));
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await.map(|_| ())
}

/// Makes the tables, with the columns that filters look at.
async fn create_tables(db: &DatabaseConnection) -> Result<(), DbErr> {
    let columns = [
        "id {uuid}, phone text, name text, locale text, zone text, attributes {json}, created_at {time}, \
         merged_into {uuid}",
        "user_id {uuid}, channel text, state text",
        "id {uuid}, key text",
        "user_id {uuid}, topic_id {uuid}, state text",
        "id {uuid}, name text, topic_id {uuid}",
        "campaign_id {uuid}, user_id {uuid}, state smallint, updated_at {time}",
        "user_id {uuid}, received_at {time}",
        "import_id {uuid}, user_id {uuid}, effect text",
        "id {uuid}, status text, started_at {time}",
    ];
    let postgres = db.get_database_backend() == DbBackend::Postgres;
    let types = if postgres { ["uuid", "jsonb", "timestamptz"] } else { ["blob", "text", "text"] };
    for (table, columns) in TABLES.iter().zip(columns) {
        let columns = columns.replace("{uuid}", types[0]).replace("{json}", types[1]).replace("{time}", types[2]);
        let generated = if postgres && *table == "users" {
            format!(", {}", migrations::LISTS_HAVE_CAPITALS)
        } else {
            String::new()
        };
        db.execute_unprepared(&format!("CREATE TEMPORARY TABLE {table} ({columns}{generated})")).await?;
    }
    for (index, key) in TOPICS.iter().enumerate() {
        insert(db, "topics", vec![topic_id(index).into(), (*key).into()]).await?;
    }
    for (index, (name, topic)) in CAMPAIGNS.iter().enumerate() {
        let values = vec![campaign_id(index).into(), (*name).into(), topic.map(topic_id).into()];
        insert(db, "campaigns", values).await?;
    }
    Ok(())
}

const fn topic_id(index: usize) -> Uuid {
    Uuid::from_u128(1_000 + index as u128)
}

const fn campaign_id(index: usize) -> Uuid {
    Uuid::from_u128(2_000 + index as u128)
}

const fn user_id(index: usize) -> Uuid {
    Uuid::from_u128(3_000 + index as u128)
}

async fn insert_history(db: &DatabaseConnection, user: Uuid, history: &History) -> Result<(), DbErr> {
    for (campaign, state, hours) in &history.messages {
        let at = now() - TimeDelta::hours(*hours);
        let values = vec![campaign_id(*campaign).into(), user.into(), state.rank().into(), at.into()];
        insert(db, "messages", values).await?;
    }
    for (n, (hours, changed, undone)) in history.imports.iter().enumerate() {
        let import = Uuid::from_u128(user.as_u128() * 100 + n as u128);
        let effect = if *changed { "updated" } else { "unchanged" };
        insert(db, "import_rows", vec![import.into(), user.into(), effect.into()]).await?;
        let status = if *undone { "undone" } else { "completed" };
        insert(db, "imports", vec![import.into(), status.into(), (now() - TimeDelta::hours(*hours)).into()]).await?;
    }
    for hours in &history.replies {
        insert(db, "inbound_messages", vec![user.into(), (now() - TimeDelta::hours(*hours)).into()]).await?;
    }
    Ok(())
}

async fn insert_person(db: &DatabaseConnection, index: usize, person: &Person) -> Result<(), DbErr> {
    let id = user_id(index);
    let [phone, name, locale, zone] = person.texts.clone();
    let attributes = serde_json::Value::Object(person.attributes.clone());
    let row = |id: Uuid, into: Option<Uuid>, attributes: Value| {
        vec![
            id.into(),
            phone.clone().into(),
            name.clone().into(),
            locale.clone().into(),
            zone.clone().into(),
            attributes,
            person.created_at.into(),
            into.into(),
        ]
    };
    insert(db, "users", row(id, None, attributes.into())).await?;
    for (channel, state) in &person.consents {
        insert(db, "consents", vec![id.into(), channel.as_str().into(), state.as_str().into()]).await?;
    }
    for (topic, follows) in &person.subscriptions {
        let state = if *follows { "subscribed" } else { "unsubscribed" };
        insert(db, "subscriptions", vec![id.into(), topic_id(*topic).into(), state.into()]).await?;
    }
    insert_history(db, id, &person.history).await?;
    if let Some(history) = &person.merged {
        let other = user_id(500 + index);
        insert(db, "users", row(other, Some(id), json!({}).into())).await?;
        // What they said themselves stays with their row, and counts for nobody.
        for channel in Channel::ALL {
            insert(db, "consents", vec![other.into(), channel.as_str().into(), "opted_in".into()]).await?;
        }
        insert_history(db, other, history).await?;
    }
    Ok(())
}

/// The indices of the people whom the compiled filter finds.
async fn found(
    db: &DatabaseConnection,
    filter: &Filter,
    declared: &BTreeMap<String, AttributeKind>,
    reach: Reach,
) -> Result<Vec<usize>, DbErr> {
    let backend = db.get_database_backend();
    let (predicate, values) = compile_declared(filter, declared, reach, backend, now(), 2);
    let sql =
        format!("SELECT u.id FROM users u WHERE u.id >= $1 AND u.merged_into IS NULL AND {predicate} ORDER BY u.id");
    let values = std::iter::once(Value::from(user_id(0))).chain(values);
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index::<Uuid>(0)?.as_u128() - 3_000) as usize)).collect()
}

/// What could be declared of these people: attributes whose values are all of one kind.
fn kinds(people: &[Person]) -> BTreeMap<String, AttributeKind> {
    let kind = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) if text.parse::<NaiveDate>().is_ok() && text.len() == 10 => {
            Some(AttributeKind::Date)
        }
        serde_json::Value::String(_) => Some(AttributeKind::Text),
        serde_json::Value::Number(_) => Some(AttributeKind::Number),
        serde_json::Value::Bool(_) => Some(AttributeKind::Boolean),
        serde_json::Value::Array(list) if list.iter().all(serde_json::Value::is_string) => Some(AttributeKind::List),
        _ => None,
    };
    let mut found: BTreeMap<String, Option<AttributeKind>> = BTreeMap::new();
    for (name, value) in people.iter().flat_map(|person| &person.attributes) {
        let kind = kind(value);
        found
            .entry(name.clone())
            .and_modify(|known| *known = known.filter(|known| Some(*known) == kind))
            .or_insert(kind);
    }
    found.into_iter().filter_map(|(name, kind)| Some((name, kind?))).collect()
}

/// Holds that the compiled filters find exactly those people for whom they evaluate to true.
async fn agree(db: &DatabaseConnection, people: &[Person], filters: &[String]) -> Result<(), TestCaseError> {
    let fail = |error: DbErr| TestCaseError::fail(error.to_string());
    for table in TABLES.iter().filter(|table| !matches!(**table, "topics" | "campaigns")) {
        db.execute_unprepared(&format!("DELETE FROM {table}")).await.map_err(fail)?;
    }
    for (index, person) in people.iter().enumerate() {
        insert_person(db, index, person).await.map_err(fail)?;
    }
    let declared = kinds(people);
    for text in filters {
        let filter = parse(text).map_err(|error| TestCaseError::fail(format!("{text}: {error:?}")))?;
        let expected: Vec<usize> =
            (0..people.len()).filter(|index| evaluate(&filter, &facts(&people[*index]), now())).collect();
        for reach in [Reach::Everyone, Reach::Few] {
            for declared in [&BTreeMap::new(), &declared] {
                let found = found(db, &filter, declared, reach).await;
                let found = found.map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
                prop_assert_eq!(&found, &expected, "{:?}, {:?}: {}", reach, declared, text);
            }
        }
        if let Some((sql, values)) = count_of_consent(&filter) {
            let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
            let row = db.query_one_raw(statement).await.map_err(fail)?.expect("a count has a row");
            let count: i64 = row.try_get_by_index(0).map_err(fail)?;
            prop_assert_eq!(count, expected.len() as i64, "{}", text);
        }
    }
    Ok(())
}

/// The property, on whatever database the address names.
fn agrees_on(url: &str, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Temporary tables belong to a connection, so there must be one only.
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let db = runtime.block_on(async {
        let db = Database::connect(options).await.expect("a database");
        create_tables(&db).await.expect("tables");
        db
    });
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(vec(any_person(), 1..6), vec(any_filter(), 1..10)), |(people, filters)| {
        runtime.block_on(agree(&db, &people, &filters))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn sqlite_agrees_with_evaluate() {
    agrees_on("sqlite::memory:", 256);
}

#[test]
fn postgres_agrees_with_evaluate() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let database = runtime.block_on(crate::testing::postgres::Database::empty());
    agrees_on(&database.url(), 128);
}

#[test]
fn nothing_a_person_wrote_is_in_the_text() {
    let text = "attributes.\"x' OR 1=1 --\" = \"'; DROP TABLE users\" and read by campaign \"$1'\" and \
                subscribed to \"o'\" and name ~ \"'\" and phone in (\"a'\", \"b'\")";
    let filter = parse(text).expect(text);
    for backend in [DbBackend::Postgres, DbBackend::Sqlite] {
        let (sql, values) = compile(&filter, backend, now(), 4);
        assert!(!sql.contains("DROP") && !sql.contains("1=1") && !sql.contains("o'") && !sql.contains("a'"), "{sql}");
        let places: std::collections::BTreeSet<usize> = sql
            .split('$')
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
            .collect();
        assert_eq!(places, (4..4 + values.len()).collect(), "{sql}");
    }
}

#[test]
fn the_largest_filters_run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let list = vec!["1"; 1_000].join(",");
    let texts = [
        vec!["age = 1"; 250].join(" and "),
        format!("{}age = 1{}", "not (age = 2 or ".repeat(24), ")".repeat(24)),
        vec![format!("age in ({list})"); 5].join(" or "),
    ];
    runtime.block_on(async {
        let mut options = ConnectOptions::new("sqlite::memory:");
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await.expect("a database");
        create_tables(&db).await.expect("tables");
        for text in texts {
            let filter = parse(&text).expect("within every limit");
            assert_eq!(found(&db, &filter, &BTreeMap::new(), Reach::Everyone).await, Ok(vec![]));
        }
    });
}
