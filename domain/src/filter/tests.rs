use super::*;
use crate::{consent::ConsentState, phone::Channel};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

fn now() -> DateTime<Utc> {
    "2026-06-15T12:00:00Z".parse().expect("an instant")
}

fn ago_hours(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

fn person() -> Facts {
    let Value::Object(attributes) = json!({
        "city": "Colombo", "age": 34, "score": "12.5", "member": true, "vip": "TRUE", "born": "1992-02-29",
        "seen": "2026-01-05T10:00:00Z", "tags": ["VIP-gold", "press", 7], "gone": null, "empty": [], "first name": "Ada",
        "name": "attribute", "blob": {"a": 1},
    }) else {
        unreachable!("an object")
    };
    let message = |behaviour, hours| Occurrence {
        behaviour,
        at: ago_hours(hours),
        campaign: Some("Spring".into()),
        topic: Some("offers".into()),
    };
    Facts {
        phone: Some("+94771234567".into()),
        name: Some("Ada Lovelace".into()),
        locale: Some("en-GB".into()),
        zone: None,
        created_at: "2026-03-01T23:59:59Z".parse().expect("an instant"),
        attributes,
        consents: [(Channel::Whatsapp, ConsentState::OptedIn)].into(),
        subscriptions: ["offers".to_owned()].into(),
        occurrences: vec![message(Behaviour::Messaged, 71), message(Behaviour::Read, 70)],
    }
}

/// The text parses, prints as `canonical`, survives the round trip, and holds for [`person`] or not.
#[track_caller]
fn check_text(text: &str, canonical: &str, matches: bool) {
    let filter = parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    assert_eq!(filter.to_string(), canonical, "{text}");
    assert_eq!(parse(canonical), Ok(filter.clone()), "{text}");
    assert_eq!(evaluate(&filter, &person(), now()), matches, "{text}");
    assert_eq!(parse(text).map(|filter| filter.conditions().len()), Ok(explain(&filter, &person(), now()).len()));
}

#[test]
fn filters_read_print_and_hold() {
    let same = [
        ("", true),
        (r#"city = "colombo""#, true),
        (r#"city != "Galle""#, true),
        (r#"missing != "Galle""#, false),
        (r#"not missing = "Galle""#, true),
        (r#"city < "cz" and city >= "COLOMBO""#, true),
        (r#"city ~ "LOMB""#, true),
        (r#"city starts with "col""#, true),
        (r#"city starts with "lom""#, false),
        (r#"city in ("Galle", "Colombo")"#, true),
        ("age >= 30 and age < 34.5", true),
        ("age in (1, 34)", true),
        (r#"age = "34""#, false),
        ("score > 12", true),
        ("score = -12.5", false),
        ("member = true and vip = true", true),
        ("member != false", true),
        ("city = true", false),
        ("city != true", false),
        ("born = 1992-02-29", true),
        ("seen >= 2026-01-05 and seen < 2026-01-06", true),
        ("created = 2026-03-01", true),
        ("created > 2026-03-01", false),
        (r#"phone starts with "+94""#, true),
        (r#"name = "ada lovelace""#, true),
        (r#"attributes.name = "attribute""#, true),
        (r#"attributes."first name" = "Ada""#, true),
        ("zone is set", false),
        ("zone is not set and not zone is set", true),
        ("gone is not set and empty is not set and blob is set", true),
        (r#"blob != "x""#, false),
        (r#"tag = "press""#, true),
        (r#"tag ~ "vip" and tag != "x""#, true),
        (r#"tag != "press""#, false),
        ("tag = 7", true),
        ("consent.whatsapp = opted_in", true),
        ("consent.sms = none and consent.sms != opted_out", true),
        ("consent.sms in (opted_in, opted_out)", false),
        (r#"subscribed to "offers""#, true),
        (r#"subscribed to "news""#, false),
        ("messaged within 3 days", true),
        ("messaged within 70 hours", false),
        ("messaged not within 70 hours", true),
        ("read", true),
        ("failed not within 1 day", true),
        (r#"read within 7 days by campaign "spring""#, true),
        (r#"read by campaign "autumn""#, false),
        (r#"read not within 7 days about topic "offers""#, false),
        ("replied", false),
        ("joined not within 30 days", true),
        ("imported", false),
    ];
    for (text, matches) in same {
        check_text(text, text, matches);
    }
}

#[test]
fn every_writing_has_one_canonical_form() {
    let cases = [
        ("CITY = 'Colombo' AND NOT (Age > 3)", r#"CITY = "Colombo" and not Age > 3"#, false),
        ("((age = 34))", "age = 34", true),
        ("age = 1 or (age = 34 or age = 3)", "age = 1 or age = 34 or age = 3", true),
        ("age = 34 and member = true or age = 1", "(age = 34 and member = true) or age = 1", true),
        ("not not age = 34", "age = 34", true),
        ("not (not (age = 1 or age = 34))", "age = 1 or age = 34", true),
        ("Tags ~ 'vip'", r#"tag ~ "vip""#, true),
        ("attributes.city = 'x'", r#"city = "x""#, false),
        (r#"attributes."city" = "x""#, r#"city = "x""#, false),
        ("attributes.in = 3", "attributes.in = 3", false),
        ("age = 34.0 and score != -0", "age = 34 and score != 0", true),
        (r#"Subscribed To "Offers""#, r#"subscribed to "offers""#, true),
        ("read about topic 'offers' within 1 days", r#"read within 1 day about topic "offers""#, false),
        (r"city = 'O\'Hara\\'", r#"city = "O'Hara\\""#, false),
        ("attributes.Phone='x'", r#"attributes.Phone = "x""#, false),
    ];
    for (text, canonical, matches) in cases {
        check_text(text, canonical, matches);
    }
}

/// The text is refused, at the marked place, with this suggestion.
#[track_caller]
fn check_error(text: &str, at: &str, suggestion: Option<&str>) {
    let error = parse(text).expect_err(text);
    assert_eq!(&text[error.span.start..error.span.end], at, "{text}: {error:?}");
    assert_eq!(error.suggestion.as_deref(), suggestion, "{text}: {error:?}");
    assert!(!error.message.is_empty());
}

#[test]
fn errors_point_and_suggest() {
    let cases = [
        ("city = Colombo", "Colombo", Some("\"Colombo\"")),
        ("city == 'x'", "==", Some("=")),
        ("age <> 3", "<>", Some("!=")),
        ("a = 1 && b = 2", "&&", Some("and")),
        ("city = “x”", "“", Some("\"")),
        ("phone = +94 77 123", "+94 77 123", Some("\"+94 77 123\"")),
        ("zip = 01234", "01234", Some("\"01234\"")),
        ("born > 2026-13-01", "2026-13-01", Some("\"2026-13-01\"")),
        ("age = 1e999", "e999", None),
        ("age = 12345678901234567", "12345678901234567", Some("\"12345678901234567\"")),
        ("city = 'x", "'x", None),
        (r"city = 'a\n'", r"\", Some("\\\\")),
        ("consent.whatsapp = opted_inn", "opted_inn", Some("opted_in")),
        ("consent.whatsap = opted_in", "whatsap", Some("whatsapp")),
        ("consent = opted_in", "consent", None),
        ("consnt.sms = opted_in", "consnt", Some("consent")),
        ("consent.sms is set", "consent.sms is set", Some("consent.sms != none")),
        ("consent.sms > none", "none", None),
        ("mesaged within 7 days", "mesaged", Some("messaged")),
        ("subscribd to 'x'", "subscribd", Some("subscribed")),
        ("subscribed to offers", "offers", Some("\"offers\"")),
        ("messaged within 7 dayz", "dayz", Some("days")),
        ("messaged within 2 weeks", "weeks", None),
        ("messaged within 1.5 days", "1.5", None),
        ("messaged within 9999 days", "messaged within 9999 days", None),
        ("messaged withn 7 days", "withn", None),
        ("replied by campaign 'x'", "by campaign 'x'", None),
        ("city not in ('x')", "city not", Some("not city")),
        ("age = 1 and", "", None),
        ("(age = 1", "", None),
        ("age = 1)", ")", None),
        ("age in ()", ")", None),
        ("age in (1, 'x')", "in (1, 'x')", None),
        ("name = 3", "3", Some("\"3\"")),
        ("created > '2026-01-31'", "'2026-01-31'", Some("2026-01-31")),
        ("created = 5", "5", None),
        ("age ~ 3", "3", None),
        ("city ~ ''", "''", None),
        ("member > true", "true", None),
        ("city = opted_in", "opted_in", Some("\"opted_in\"")),
        ("born = 0001-01-01", "0001-01-01", None),
        ("and = 3", "and", None),
        ("\"city\" = 3", "\"city\"", None),
        ("a = 1 # b", "#", None),
        ("city stats with 'x'", "stats", None),
        ("city = \"\u{1}\"", "\u{1}", None),
    ];
    for (text, at, suggestion) in cases {
        check_error(text, at, suggestion);
    }
}

#[test]
fn limits_hold() {
    let many = |count| vec!["a = 1"; count].join(" and ");
    assert!(parse(&many(MAX_CONDITIONS)).is_ok());
    assert!(parse(&many(MAX_CONDITIONS + 1)).is_err());
    let deep = |depth| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&deep(MAX_DEPTH)).is_ok());
    assert!(parse(&deep(MAX_DEPTH + 1)).is_err());
    assert!(parse(&deep(8_000)).is_err());
    assert!(parse(&format!("{} a = 1", "not ".repeat(4_000))).is_err());
    let list = |count: usize| format!("a in ({})", vec!["1"; count].join(","));
    assert!(parse(&list(MAX_LIST_ITEMS)).is_ok());
    assert!(parse(&list(MAX_LIST_ITEMS + 1)).is_err());
    let long = |length: usize| format!("a = '{}'", "x".repeat(length - 6));
    assert!(parse(&long(MAX_TEXT_BYTES)).is_ok());
    assert!(parse(&long(MAX_TEXT_BYTES + 1)).is_err());
}

#[test]
fn expressions_built_by_hand_are_checked_too() {
    let name = |text| Field::Attribute(AttributeName::new(text).expect("a name"));
    let number =
        |value| Test::Compare { field: name("a"), comparison: Comparison::Equal, value: Literal::Number(value) };
    assert!(Filter::new(number(1.5).into()).is_ok());
    for wrong in [f64::NAN, f64::INFINITY, 1e300, 1e-300] {
        assert!(Filter::new(number(wrong).into()).is_err(), "{wrong}");
    }
    assert!(Filter::new(Test::OneOf { field: name("a"), values: vec![] }.into()).is_err());
    assert_eq!(Filter::new(Expr::All(vec![])), Ok(Filter::EVERYONE));
    assert!(Filter::new(Expr::Any(vec![])).is_err());
    assert!(Filter::new(Expr::Not(Box::new(Expr::All(vec![])))).is_err());
    for wrong in ["", "a\"b", "a\\b", "a\nb", &"x".repeat(MAX_NAME_BYTES + 1)] {
        assert_eq!(AttributeName::new(wrong), None, "{wrong}");
    }
}

#[test]
fn filters_travel_as_text() {
    let filter = parse("age = 1 or not member = true").expect("a filter");
    let wire = serde_json::to_string(&filter).expect("JSON");
    assert_eq!(wire, r#""age = 1 or not member = true""#);
    assert_eq!(serde_json::from_str::<Filter>(&wire).expect("a filter"), filter);
    assert!(serde_json::from_str::<Filter>(r#""age =""#).is_err());
}

#[test]
fn declared_attributes_are_checked() {
    let schema = Schema {
        attributes: [
            ("city", AttributeKind::Text),
            ("age", AttributeKind::Number),
            ("member", AttributeKind::Boolean),
            ("born", AttributeKind::Date),
            ("likes", AttributeKind::List),
        ]
        .map(|(name, kind)| (name.to_owned(), kind))
        .into(),
        topics: Some([("offers".to_owned(), "Special offers".to_owned())].into()),
        open: false,
    };
    let good = [
        ("age = '30'", "age = 30"),
        ("member = 'True'", "member = true"),
        ("born >= '2001-01-31'", "born >= 2001-01-31"),
        ("city = 2001-01-31", r#"city = "2001-01-31""#),
        ("likes ~ 'x' and tag = 'y'", r#"likes ~ "x" and tag = "y""#),
        ("age in ('1', '2') or age is set", "age in (1, 2) or age is set"),
        ("subscribed to 'special Offers'", r#"subscribed to "offers""#),
        ("read about topic 'OFFERS'", r#"read about topic "offers""#),
        ("", ""),
    ];
    for (text, canonical) in good {
        let checked = check(&parse(text).expect(text), &schema).map(|filter| filter.to_string());
        assert_eq!(checked.as_deref(), Ok(canonical), "{text}");
    }
    let bad = [
        ("member = true and cty = 'x'", "cty", Some("city")),
        ("nmae = 'x'", "nmae", Some("name")),
        ("elephant is set", "elephant", None),
        ("city = 3", "3", Some("\"3\"")),
        ("age = 'old'", "'old'", None),
        ("age ~ '3'", "'3'", None),
        ("member > 'x'", "'x'", None),
        ("likes < 'x'", "'x'", None),
        ("born = '2001-02-30'", "'2001-02-30'", None),
        ("subscribed to 'ofers'", "'ofers'", Some("\"offers\"")),
    ];
    for (text, at, suggestion) in bad {
        let filter = parse(text).expect(text);
        let error = check(&filter, &schema).expect_err(text);
        assert_eq!(&text[error.span.start..error.span.end], at, "{text}");
        assert_eq!(error.suggestion.as_deref(), suggestion, "{text}");
        assert!(check(&filter, &Schema::open()).is_ok(), "{text}");
    }
}

#[test]
fn explanations_name_what_decides() {
    let text = r#"city = "Colombo" and (age > 50 or member = true)"#;
    let said: Vec<_> = explain(&parse(text).expect(text), &person(), now())
        .into_iter()
        .map(|one| (one.text, text[one.span.start..one.span.end].to_owned(), one.holds, one.decides))
        .collect();
    let line = |text: &str, holds, decides| (text.to_owned(), text.to_owned(), holds, decides);
    let expected =
        [line(r#"city = "Colombo""#, true, true), line("age > 50", false, false), line("member = true", true, true)];
    assert_eq!(said, expected);
}

#[test]
fn plain_decimals_and_days_by_form() {
    for (text, plain) in [("0", true), ("-1.50", true), ("007", true), ("1.", false), (".5", false), ("--1", false)] {
        assert_eq!(is_plain_decimal(text), plain, "{text}");
    }
    for text in ["", "-", "1e3", "1.2.3", " 1", "١", "123456789012345678901"] {
        assert!(!is_plain_decimal(text), "{text}");
    }
    assert_eq!(iso_day("2026-01-31 10:00"), Some("2026-01-31"));
    for text in ["2026-01-3", "2026-01-311", "2026/01/31", "é026-01-31", "２026-01-31"] {
        assert_eq!(iso_day(text), None, "{text}");
    }
}

fn any_name() -> impl Strategy<Value = AttributeName> {
    let words = prop_oneof![
        "[a-z_][a-z0-9_]{0,6}",
        "\\PC{1,12}",
        select(&["tags", "in", "Phone", "consent", "සිංහල", "a.b", "within", "none"][..]).prop_map(str::to_owned),
    ];
    words.prop_filter_map("a name", AttributeName::new)
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z \"'\\\\]{1,8}", "\\PC{1,8}", "[\t\n]"]
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-1000i32..1000).prop_map(f64::from),
        (-1e6f64..1e6).prop_map(|number| (number * 1e4).round() / 1e4),
        Just(-0.0),
        Just(MAX_NUMBER - 1.0),
    ]
}

fn any_day() -> impl Strategy<Value = NaiveDate> {
    (1000..=9998, 1..=366u32).prop_filter_map("a day", |(year, day)| NaiveDate::from_yo_opt(year, day))
}

fn any_test() -> impl Strategy<Value = Test> {
    let words = || select(&[Field::Phone, Field::Name, Field::Locale, Field::Zone][..]);
    let consent = || select(&[Field::Consent(Channel::Sms), Field::Consent(Channel::Whatsapp)][..]);
    let attribute = || any_name().prop_map(Field::Attribute);
    let text = || any_text().prop_map(Literal::Text);
    let state = || select(ConsentState::ALL).prop_map(Literal::Consent);
    let of = |field: BoxedStrategy<Field>, comparisons: &'static [Comparison], value: BoxedStrategy<Literal>| {
        let compare = (field.clone(), select(comparisons), value.clone())
            .prop_map(|(field, comparison, value)| Test::Compare { field, comparison, value });
        let one_of = (field, vec(value, 1..4)).prop_map(|(field, values)| Test::OneOf { field, values });
        (compare, one_of)
    };
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    const SIMPLE: &[Comparison] = &[Equal, NotEqual];
    const ORDER: &[Comparison] = &[Equal, NotEqual, Less, AtMost, Greater, AtLeast];
    const ANY: &[Comparison] = &Comparison::ALL;
    let texts = of(prop_oneof![words(), attribute()].boxed(), ANY, text().boxed());
    let numbers = of(attribute().boxed(), ORDER, any_number().prop_map(Literal::Number).boxed());
    let days = of(attribute().boxed(), ORDER, any_day().prop_map(Literal::Date).boxed());
    let truths = of(attribute().boxed(), SIMPLE, any::<bool>().prop_map(Literal::Boolean).boxed());
    let consents = of(consent().boxed(), SIMPLE, state().boxed());
    let created = of(Just(Field::Created).boxed(), ORDER, any_day().prop_map(Literal::Date).boxed()).0;
    let presence = (prop_oneof![words(), attribute(), Just(Field::Created)], any::<bool>())
        .prop_map(|(field, set)| Test::Presence { field, set });
    let window = (any::<bool>(), 1..100u32, select(&[Unit::Days, Unit::Hours][..]))
        .prop_map(|(within, amount, unit)| Window { within, amount, unit });
    let scope = prop_oneof![any_text().prop_map(Scope::Campaign), any_text().prop_map(Scope::Topic)];
    let happened =
        (select(&Behaviour::ALL[..]), option::of(window), option::of(scope)).prop_map(|(behaviour, window, scope)| {
            let scope = scope.filter(|_| behaviour.message_states().is_some());
            Test::Happened { behaviour, window, scope }
        });
    prop_oneof![
        texts.0,
        texts.1,
        numbers.0,
        numbers.1,
        days.0,
        days.1,
        truths.0,
        truths.1,
        consents.0,
        consents.1,
        created,
        presence,
        any_text().prop_map(|topic| Test::Subscribed { topic }),
        happened,
    ]
}

fn any_expr() -> impl Strategy<Value = Expr> {
    any_test().prop_map(Expr::from).prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Expr::All),
            vec(inner.clone(), 1..4).prop_map(Expr::Any),
            inner.prop_map(|expr| Expr::Not(Box::new(expr))),
        ]
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any_number().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    prop_oneof![scalar.clone(), vec(scalar, 0..3).prop_map(Value::from)]
}

proptest! {
    #[test]
    fn the_printed_text_reads_back_as_the_same(expr in any_expr()) {
        let filter = Filter::new(expr).expect("within every limit");
        let text = filter.to_string();
        let read = parse(&text);
        prop_assert_eq!(read.as_ref(), Ok(&filter), "{}", text);
        prop_assert_eq!(read.map(|read| read.to_string()), Ok(text));
        prop_assert_eq!(Filter::new(filter.clone().into_expr().expect("not everyone")), Ok(filter));
    }

    #[test]
    fn any_text_is_a_filter_or_an_error_within_it(text in "\\PC{0,40}|[a-z0-9 ()=<>!~\"',._-]{0,60}") {
        match parse(&text) {
            Ok(filter) => prop_assert_eq!(parse(&filter.to_string()), Ok(filter)),
            Err(error) => prop_assert!(text.get(error.span.start..error.span.end).is_some(), "{:?}", error),
        }
    }

    #[test]
    fn not_is_the_opposite_and_explanations_agree(
        expr in any_expr(),
        attributes in vec((any_name(), any_json()), 0..4),
    ) {
        let filter = Filter::new(expr.clone()).expect("within every limit");
        let opposite = Filter::new(Expr::Not(Box::new(expr))).expect("within every limit");
        let attributes: Map<_, _> =
            attributes.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect();
        let facts = Facts { attributes, ..person() };
        let verdict = evaluate(&filter, &facts, now());
        prop_assert_eq!(verdict, !evaluate(&opposite, &facts, now()));
        let explained = explain(&filter, &facts, now());
        prop_assert_eq!(explained.len(), filter.conditions().len());
        if let [only] = &explained[..] {
            prop_assert!(only.decides);
        }
        prop_assert!(check(&filter, &Schema::open()).is_ok());
    }
}

/// Whatever docs/FILTERS.md shows as a filter is one, and stays what it is when it is printed.
#[test]
fn the_examples_of_the_documentation_are_read() {
    let text = include_str!("../../../docs/FILTERS.md");
    let blocks = text.split("```filter\n").skip(1).filter_map(|rest| rest.split("```").next()).flat_map(str::lines);
    let rows =
        text.lines().skip_while(|line| !line.starts_with("| of")).skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let examples: Vec<&str> = blocks.chain(cells).collect();
    assert!(examples.len() > 25, "{examples:?}");
    for example in examples {
        let filter = parse(example).unwrap_or_else(|error| panic!("{example}: {error:?}"));
        assert_eq!(parse(&filter.to_string()), Ok(filter), "{example}");
    }
}
