//! Declared attributes: every value is of its kind, whichever way it comes.

use domain::{attribute::AttributeForm, filter::AttributeKind, page::PageRequest, user::UserForm};
use engine::{Error, attributes, both, segments, testing::TestEnv, users};
use serde_json::{Value, json};

fn form(name: &str, kind: AttributeKind) -> AttributeForm {
    AttributeForm { name: name.into(), kind, description: "Told at the counter".into() }
}

fn person(phone: &str, given: Value) -> UserForm {
    UserForm { phone: phone.into(), attributes: given.as_object().cloned(), ..UserForm::default() }
}

both! {
    async fn a_declaration_brings_values_in_line_or_changes_nothing(env: TestEnv) {
        let ann = users::create(&env.engine, &env.admin, &person("+12025550141", json!({ "age": "30", "city": "Bonn" }))).await.unwrap();
        let bo = users::create(&env.engine, &env.admin, &person("+12025550142", json!({ "age": "old" }))).await.unwrap();
        let refused = attributes::create(&env.engine, &env.admin, &form("age", AttributeKind::Number)).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
        assert!(attributes::list(&env.engine, &env.admin).await.unwrap().is_empty());
        users::update(&env.engine, &env.admin, bo.id, &person("+12025550142", json!({ "age": "41" }))).await.unwrap();
        let age = attributes::create(&env.engine, &env.admin, &form("age", AttributeKind::Number)).await.unwrap();
        let ann = users::get(&env.engine, &env.admin, ann.id).await.unwrap().user;
        assert_eq!(Value::Object(ann.attributes), json!({ "age": 30, "city": "Bonn" }));
        let again = attributes::create(&env.engine, &env.admin, &form("age", AttributeKind::Text)).await;
        assert!(matches!(again, Err(Error::Conflict { .. })));
        let over = segments::count(&env.engine, &env.admin, "age > 35").await.unwrap();
        assert_eq!(over.total, 1);
        let mismatch = segments::count(&env.engine, &env.admin, "age ~ \"3\"").await;
        assert!(matches!(mismatch, Err(Error::Invalid { .. })));
        let wrong = attributes::update(&env.engine, &env.admin, age.id, &form("years", AttributeKind::Number)).await;
        assert!(matches!(wrong, Err(Error::Invalid { .. })), "the name stays");
        let misfit = attributes::update(&env.engine, &env.admin, age.id, &form("age", AttributeKind::Date)).await;
        assert!(matches!(misfit, Err(Error::Invalid { .. })));
        let text = AttributeForm { description: "As told".into(), ..form("age", AttributeKind::Text) };
        let text = attributes::update(&env.engine, &env.admin, age.id, &text).await.unwrap();
        assert_eq!(attributes::get(&env.engine, &env.admin, age.id).await.unwrap(), text);
        assert_eq!(segments::count(&env.engine, &env.admin, "age ~ \"3\"").await.unwrap().total, 1);
        attributes::delete(&env.engine, &env.admin, age.id).await.unwrap();
        assert!(segments::count(&env.engine, &env.admin, "age ~ \"3\"").await.is_ok());
    }

    async fn a_form_is_held_to_what_is_declared(env: TestEnv) {
        attributes::create(&env.engine, &env.admin, &form("born", AttributeKind::Date)).await.unwrap();
        attributes::create(&env.engine, &env.admin, &form("tags", AttributeKind::List)).await.unwrap();
        let refused = users::create(&env.engine, &env.admin, &person("+12025550141", json!({ "born": "1.4.1990" }))).await;
        let Err(Error::Invalid { errors }) = refused else { panic!("a wrong value was taken: {refused:?}") };
        assert_eq!(errors[0].pointer, "/attributes/born");
        let fine = person("+12025550141", json!({ "born": "1990-04-01", "tags": "vip, new", "free": 1 }));
        let made = users::create(&env.engine, &env.admin, &fine).await.unwrap();
        assert_eq!(Value::Object(made.attributes), json!({ "born": "1990-04-01", "tags": ["vip", "new"], "free": 1 }));
        let emptied = users::update(&env.engine, &env.admin, made.id, &person("+12025550141", json!({ "born": "" }))).await;
        assert!(emptied.unwrap().attributes.is_empty());
        let rest = UserForm { phone: "+12025550141".into(), name: "Ann".into(), ..UserForm::default() };
        let kept = users::update(&env.engine, &env.admin, made.id, &rest).await.unwrap();
        assert_eq!(kept.name.as_deref(), Some("Ann"));
        assert_eq!(users::list(&env.engine, &env.admin, "", &PageRequest::default()).await.unwrap().rows.len(), 1);
    }

    async fn only_those_who_may_declare(env: TestEnv) {
        let viewer = env.operator(domain::operator::Role::Viewer);
        let refused = attributes::create(&env.engine, &viewer, &form("age", AttributeKind::Number)).await;
        assert!(matches!(refused, Err(Error::Forbidden { .. })));
    }
}
