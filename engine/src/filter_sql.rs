//! A filter as one SQL predicate over `users u`. It agrees with [`domain::filter::evaluate`] on every row: both halves
//! of the rule are described in that module, and a property test holds them together.
//!
//! Whatever a person wrote travels as a parameter: values, names of attributes (as the operand of the JSON operator),
//! topics and campaigns. The text holds only our own words, states of consent among them, and the numbers of message states.
//!
//! Every condition is true or false, never null, so that `NOT` of it is its opposite. An attribute is first looked at as
//! the one value it mostly is; a list is unfolded only where there is one.
//!
//! Someone who was merged into another keeps their rows, so what happened to them counts for the one they became. That
//! part is not correlated with `u`, and is computed once per statement; a partial index on `users (merged_into)` keeps it
//! cheap where merges are rare.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use domain::{
    consent::ConsentState,
    filter::{
        AttributeKind, AttributeName, Behaviour, Comparison, Condition, Expr, Field, Filter, Literal, MAX_NUMBER_CHARS,
        Scope, Test, Window,
    },
    phone::Channel,
};
use sea_orm::{DbBackend, Value};
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// The predicate over the alias `u` of `users`, and its parameters, the first of which is `$first_param`. It does not
/// leave out merged users: the caller's own `WHERE` does.
pub fn compile(filter: &Filter, backend: DbBackend, now: DateTime<Utc>, first_param: usize) -> (String, Vec<Value>) {
    compile_declared(filter, &BTreeMap::new(), Reach::Everyone, backend, now, first_param)
}

/// How many people a statement means to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All there are: a count.
    Everyone,
    /// Those of a page or a sample, wherever in the order it begins.
    Few,
}

/// The same, where every value of these attributes is of the declared kind: then PostgreSQL need not look what it is. A statement
/// that means to look at everyone may fail where one is not (`Error::is_of_another_kind`).
pub fn compile_declared(
    filter: &Filter,
    declared: &BTreeMap<String, AttributeKind>,
    reach: Reach,
    backend: DbBackend,
    now: DateTime<Utc>,
    first_param: usize,
) -> (String, Vec<Value>) {
    let Some(expr) = filter.expr() else { return ("TRUE".to_owned(), Vec::new()) };
    let postgres = backend == DbBackend::Postgres;
    let mut compiler = Compiler { postgres, reach, declared, now, first_param, values: Vec::new() };
    let sql = compiler.expr(expr);
    (sql, compiler.values)
}

/// How many people match a filter that asks of one channel's consent and of nothing else, as a statement over `consents` alone,
/// with its parameters from `$1`: people themselves need not be read. `None` for any other filter, also for one that people
/// without a row match.
pub fn count_of_consent(filter: &Filter) -> Option<(String, Vec<Value>)> {
    let Some(Expr::Test(Condition { test, .. })) = filter.expr() else { return None };
    let (Test::Compare { field: Field::Consent(channel), .. } | Test::OneOf { field: Field::Consent(channel), .. }) =
        test
    else {
        return None;
    };
    let wanted = |state: &ConsentState| consent_test(test, state);
    if wanted(&ConsentState::None) {
        return None;
    }
    let states: Vec<String> =
        ConsentState::ALL.iter().filter(|state| wanted(state)).map(|state| format!("'{}'", state.as_str())).collect();
    let sql = format!(
        "SELECT count(*) AS value FROM consents c WHERE c.channel = $1 AND c.state IN ({}) \
         AND NOT EXISTS (SELECT 1 FROM users m WHERE m.id = c.user_id AND m.merged_into IS NOT NULL)",
        states.join(", ")
    );
    (!states.is_empty()).then_some((sql, vec![channel.as_str().into()]))
}

/// Whether a test of consent wants this state.
fn consent_test(test: &Test, state: &ConsentState) -> bool {
    match test {
        Test::Compare { comparison, value: Literal::Consent(one), .. } => {
            (state == one) == (*comparison == Comparison::Equal)
        }
        Test::OneOf { values, .. } => values.contains(&Literal::Consent(*state)),
        _ => false,
    }
}

/// One JSON value as SQL: the expression of its type, that of its text (PostgreSQL) or value (SQLite), and that of itself.
struct Json {
    kind: String,
    value: String,
    whole: String,
}

/// A number that an attribute's value is no less than, or less than.
#[derive(Clone, Copy)]
struct Bound<'e> {
    name: &'e AttributeName,
    is_lower: bool,
    at: f64,
}

impl<'e> Bound<'e> {
    /// With the other bound of the same attribute: its name, the least value, and the one that values are below.
    fn with(self, other: Self) -> Option<(&'e AttributeName, f64, f64)> {
        let (least, below) = if self.is_lower { (self.at, other.at) } else { (other.at, self.at) };
        let is_range = self.is_lower != other.is_lower && self.name == other.name && least <= below;
        is_range.then_some((self.name, least, below))
    }
}

struct Compiler<'d> {
    postgres: bool,
    reach: Reach,
    /// Attributes whose values are all of one kind.
    declared: &'d BTreeMap<String, AttributeKind>,
    now: DateTime<Utc>,
    first_param: usize,
    values: Vec<Value>,
}

impl Compiler<'_> {
    /// Adds a parameter and returns its placeholder, which may be used more than once.
    fn param(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.first_param + self.values.len() - 1)
    }

    fn expr(&mut self, expr: &Expr) -> String {
        match expr {
            Expr::All(parts) => {
                let parts = self.all(parts);
                format!("({})", parts.join(" AND "))
            }
            Expr::Any(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.expr(part)).collect();
                format!("({})", parts.join(" OR "))
            }
            Expr::Not(inner) => format!("NOT ({})", self.expr(inner)),
            Expr::Test(condition) => self.condition(condition),
        }
    }

    /// Conditions that must all hold. In a count, two bounds of one declared number become one condition that reads the number once,
    /// which is what most of the time goes into, and as text, which is the quickest way out of JSON. It fails on what is no number.
    fn all(&mut self, parts: &[Expr]) -> Vec<String> {
        let bounds: Vec<Option<Bound>> = parts.iter().map(|part| self.bound(part)).collect();
        let mut taken = vec![false; parts.len()];
        let mut compiled = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            if taken[place] {
                continue;
            }
            let range = bounds[place].and_then(|bound| {
                let behind = bounds.iter().enumerate().skip(place + 1).filter(|(other, _)| !taken[*other]);
                let mut ranges = behind.filter_map(|(other, second)| Some((other, bound.with((*second)?)?)));
                ranges.next()
            });
            compiled.push(match range {
                Some((other, (name, least, below))) => {
                    taken[other] = true;
                    let (key, least, below) = (self.param(name.as_str()), self.param(least), self.param(below));
                    format!(
                        "coalesce(width_bucket((u.attributes ->> {key}::text)::double precision, \
                         ARRAY[{least}, {below}]::double precision[]) = 1, FALSE)"
                    )
                }
                None => self.expr(part),
            });
        }
        compiled
    }

    /// The bound that a condition sets to a number, where every value of the attribute is one.
    fn bound<'e>(&self, part: &'e Expr) -> Option<Bound<'e>> {
        let Expr::Test(Condition { test: Test::Compare { field: Field::Attribute(name), comparison, value }, .. }) =
            part
        else {
            return None;
        };
        let (Literal::Number(number), true, Reach::Everyone) = (value, self.postgres, self.reach) else { return None };
        let is_number = self.declared.get(name.as_str()) == Some(&AttributeKind::Number);
        // Values are as exact as the bound is: whatever is above it is no less than the next number.
        let (is_lower, at) = match comparison {
            Comparison::AtLeast => (true, *number),
            Comparison::Greater => (true, number.next_up()),
            Comparison::Less => (false, *number),
            Comparison::AtMost => (false, number.next_up()),
            _ => return None,
        };
        (is_number && at.is_finite()).then_some(Bound { name, is_lower, at })
    }

    fn condition(&mut self, condition: &Condition) -> String {
        match &condition.test {
            test @ (Test::Compare { field: Field::Consent(channel), .. }
            | Test::OneOf { field: Field::Consent(channel), .. }) => {
                self.consent(*channel, |state| consent_test(test, state))
            }
            Test::Compare { field, comparison, value } => match (field, value) {
                (Field::Created, Literal::Date(day)) => self.created(*comparison, *day),
                (Field::Attribute(name), _) => self.attribute(name, *comparison, std::slice::from_ref(value)),
                _ => self.column(field, *comparison, std::slice::from_ref(value)),
            },
            Test::OneOf { field, values } => match field {
                Field::Attribute(name) => self.attribute(name, Comparison::Equal, values),
                _ => self.column(field, Comparison::Equal, values),
            },
            Test::Presence { field, set } => {
                let present = self.presence(field);
                if *set { present } else { format!("NOT ({present})") }
            }
            Test::Subscribed { topic } => {
                let key = self.param(topic.as_str());
                format!(
                    "EXISTS (SELECT 1 FROM subscriptions s JOIN topics t ON t.id = s.topic_id \
                     WHERE s.user_id = u.id AND t.key = {key} AND s.state = 'subscribed')"
                )
            }
            Test::Happened { behaviour, window, scope } => {
                let happened = match behaviour {
                    Behaviour::Joined => self.since("u.created_at", *window),
                    Behaviour::Replied => {
                        let recent = self.since("h.received_at", *window);
                        self.history("inbound_messages", &recent)
                    }
                    Behaviour::Imported => {
                        let recent = self.since("i.started_at", *window);
                        let wanted = format!(
                            "h.effect <> 'unchanged' AND EXISTS (SELECT 1 FROM imports i WHERE i.id = h.import_id \
                             AND i.status <> 'undone' AND {recent})"
                        );
                        self.history("import_rows", &wanted)
                    }
                    Behaviour::Messaged | Behaviour::Delivered | Behaviour::Read | Behaviour::Failed => {
                        self.messages(*behaviour, *window, scope.as_ref())
                    }
                };
                if window.is_none_or(|window| window.within) { happened } else { format!("NOT ({happened})") }
            }
        }
    }

    /// A text column of `users`. Numbers are exact, and compared as they are so that their index serves.
    fn column(&mut self, field: &Field, comparison: Comparison, values: &[Literal]) -> String {
        let column = column_of(field);
        let exact = matches!(field, Field::Phone);
        let operand = match (exact, comparison == Comparison::Equal) {
            (false, _) => self.folded(column),
            (true, false) if self.postgres => format!("{column} COLLATE \"C\""),
            (true, _) => column.to_owned(),
        };
        let params: Vec<String> = values
            .iter()
            .map(|value| match value {
                Literal::Text(text) if exact => self.param(text.as_str()),
                other => self.literal(other),
            })
            .collect();
        format!("({column} IS NOT NULL AND {})", self.comparison(&operand, comparison, &params))
    }

    fn created(&mut self, comparison: Comparison, day: NaiveDate) -> String {
        let start = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let this = start(day);
        // A filter's dates end in 9998, so that there is always a next day.
        let next = start(day.checked_add_days(Days::new(1)).unwrap_or(day));
        match comparison {
            Comparison::Less => format!("u.created_at < {}", self.param(this)),
            Comparison::AtLeast => format!("u.created_at >= {}", self.param(this)),
            Comparison::AtMost => format!("u.created_at < {}", self.param(next)),
            Comparison::Greater => format!("u.created_at >= {}", self.param(next)),
            Comparison::NotEqual => {
                format!("(u.created_at < {} OR u.created_at >= {})", self.param(this), self.param(next))
            }
            Comparison::Equal | Comparison::Contains | Comparison::StartsWith => {
                format!("(u.created_at >= {} AND u.created_at < {})", self.param(this), self.param(next))
            }
        }
    }

    /// Whether the state on the channel is a wanted one. A person without a row is in state `none`.
    fn consent(&mut self, channel: Channel, wanted: impl Fn(&ConsentState) -> bool) -> String {
        let missing_counts = wanted(&ConsentState::None);
        let listed: Vec<_> = ConsentState::ALL.iter().filter(|state| wanted(state) != missing_counts).collect();
        if listed.is_empty() {
            return (if missing_counts { "TRUE" } else { "FALSE" }).to_owned();
        }
        let channel = self.param(channel.as_str());
        // Words of ours, in the text: so PostgreSQL sees which index holds no others.
        let states: Vec<String> = listed.into_iter().map(|state| format!("'{}'", state.as_str())).collect();
        // For a page it is looked up for each person whom the other conditions leave, rather than joined: PostgreSQL cannot know how
        // few those are, and would go through all consents up to where the page begins. A count of everyone joins, as several
        // processes cannot share a look-up.
        if self.postgres && self.reach == Reach::Few {
            return format!(
                "{}coalesce((SELECT TRUE FROM consents c WHERE c.user_id = u.id AND c.channel = {channel} AND c.state IN ({})), FALSE)",
                if missing_counts { "NOT " } else { "" },
                states.join(", ")
            );
        }
        format!(
            "{}EXISTS (SELECT 1 FROM consents c WHERE c.user_id = u.id AND c.channel = {channel} AND c.state IN ({}))",
            if missing_counts { "NOT " } else { "" },
            states.join(", ")
        )
    }

    /// Whether the instant lies in the window, seen from now.
    fn since(&mut self, instant: &str, window: Option<Window>) -> String {
        match window.and_then(|window| self.now.checked_sub_signed(window.length())) {
            Some(since) => format!("{instant} >= {}", self.param(since)),
            None => "TRUE".to_owned(),
        }
    }

    fn messages(&mut self, behaviour: Behaviour, window: Option<Window>, scope: Option<&Scope>) -> String {
        let states = behaviour.message_states().unwrap_or_default();
        let ranks: Vec<String> = states.iter().map(|state| state.rank().to_string()).collect();
        let mut wanted = format!("h.state IN ({}) AND {}", ranks.join(", "), self.since("h.updated_at", window));
        match scope {
            Some(Scope::Campaign(name)) => {
                let name = self.param(name.to_ascii_lowercase());
                let folded = self.folded("g.name");
                wanted += &format!(" AND h.campaign_id IN (SELECT g.id FROM campaigns g WHERE {folded} = {name})");
            }
            Some(Scope::Topic(key)) => {
                let key = self.param(key.as_str());
                wanted += &format!(
                    " AND h.campaign_id IN (SELECT g.id FROM campaigns g JOIN topics t ON t.id = g.topic_id \
                     WHERE t.key = {key})"
                );
            }
            None => {}
        }
        self.history("messages", &wanted)
    }

    /// Whether the table has a wanted row `h` of the person, or of one who was merged into them.
    fn history(&self, table: &str, wanted: &str) -> String {
        format!(
            "(EXISTS (SELECT 1 FROM {table} h WHERE h.user_id = u.id AND {wanted}) \
             OR u.id IN (SELECT o.merged_into FROM users o JOIN {table} h ON h.user_id = o.id \
             WHERE o.merged_into IS NOT NULL AND {wanted}))"
        )
    }

    fn presence(&mut self, field: &Field) -> String {
        let Field::Attribute(name) = field else {
            return match field {
                Field::Created | Field::Consent(_) => "TRUE".to_owned(),
                _ => format!("{} IS NOT NULL", column_of(field)),
            };
        };
        let (whole, elements, element) = self.json(name);
        format!(
            "CASE WHEN {} = 'array' THEN EXISTS (SELECT 1 FROM {elements} WHERE {} <> 'null') \
             ELSE coalesce({} <> 'null', FALSE) END",
            whole.kind, element.kind, whole.kind
        )
    }

    fn attribute(&mut self, name: &AttributeName, comparison: Comparison, values: &[Literal]) -> String {
        if let Some(sql) = self.declared(name, comparison, values) {
            return sql;
        }
        let (whole, elements, element) = self.json(name);
        let params: Vec<String> = values.iter().map(|value| self.literal(value)).collect();
        let numbers = self.numbers(values);
        let cases = |json: &Json| {
            let mut cases = String::new();
            for (kind, operand) in self.typed(json, &values[0]) {
                let params = if kind == "number" { &numbers } else { &params };
                cases += &format!(" WHEN '{kind}' THEN {}", self.comparison(&operand, comparison, params));
            }
            cases
        };
        let of_element = format!("CASE {}{} END", element.kind, cases(&element));
        let of_whole = cases(&whole);
        let of_list = if comparison == Comparison::NotEqual {
            // Aggregates pass over null, which is the verdict on what cannot be compared.
            let all = if self.postgres { "bool_and" } else { "min" };
            format!("coalesce((SELECT {all}({of_element}) FROM {elements}), FALSE)")
        } else {
            let exists = format!("EXISTS (SELECT 1 FROM {elements} WHERE {of_element})");
            match (comparison, values) {
                (Comparison::Equal, [Literal::Text(text)]) if self.postgres => {
                    // Whether the text is anywhere in the list is told without unfolding it.
                    let quoted = self.param(serde_json::Value::from(text.to_ascii_lowercase()).to_string());
                    format!("strpos({}, {quoted}) > 0 AND {exists}", self.folded(&whole.value))
                }
                _ => exists,
            }
        };
        format!("coalesce(CASE {} WHEN 'array' THEN {of_list}{of_whole} END, FALSE)", whole.kind)
    }

    /// The same of an attribute that holds nothing but its declared kind, on PostgreSQL. `None` where there is no shorter way.
    fn declared(&mut self, name: &AttributeName, comparison: Comparison, values: &[Literal]) -> Option<String> {
        let kind = *self.declared.get(name.as_str()).filter(|_| self.postgres)?;
        let text = |compiler: &mut Self| {
            let key = compiler.param(name.as_str());
            format!("(u.attributes ->> {key}::text)")
        };
        let (operand, params) = match (kind, values.first()?) {
            (AttributeKind::Text, Literal::Text(_)) => (text(self), None),
            (AttributeKind::Number, Literal::Number(_)) => {
                let key = self.param(name.as_str());
                (format!("(u.attributes -> {key}::text)"), Some(self.numbers(values)))
            }
            (AttributeKind::Boolean, Literal::Boolean(_)) => (format!("({} = 'true')", text(self)), None),
            (AttributeKind::Date, Literal::Date(_)) => (format!("left({}, 10) COLLATE \"C\"", text(self)), None),
            (AttributeKind::List, Literal::Text(wanted)) if comparison == Comparison::Equal && values.len() == 1 => {
                let key = self.param(name.as_str());
                let folded = self.folded(&format!("(u.attributes ->> {key}::text)"));
                let wanted = wanted.to_ascii_lowercase();
                let quoted = self.param(serde_json::Value::from(wanted.as_str()).to_string());
                let wanted = self.param(wanted);
                // Most texts are in lower case, and found at once. Whether one in other case may be there is told without reading
                // the list again, or at least without taking it apart.
                return Some(format!(
                    "coalesce(jsonb_exists(u.attributes -> {key}::text, {wanted}) OR (u.lists_have_capitals \
                     AND strpos({folded}, {quoted}) > 0 AND jsonb_exists({folded}::jsonb, {wanted})), FALSE)"
                ));
            }
            _ => return None,
        };
        let operand = if kind == AttributeKind::Text { self.folded(&operand) } else { operand };
        let params = params.unwrap_or_else(|| values.iter().map(|value| self.literal(value)).collect());
        Some(format!("coalesce({}, FALSE)", self.comparison(&operand, comparison, &params)))
    }

    /// Numbers as JSON, which PostgreSQL compares with a JSON number as it is, without reading it as text first.
    fn numbers(&mut self, values: &[Literal]) -> Vec<String> {
        let numbers = values.iter().filter_map(|value| match value {
            Literal::Number(number) if self.postgres => Some(serde_json::Value::from(*number)),
            _ => None,
        });
        numbers.collect::<Vec<_>>().into_iter().map(|number| self.param(number)).collect()
    }

    /// The attribute as a whole, the table of its elements, and one element of that.
    fn json(&mut self, name: &AttributeName) -> (Json, String, Json) {
        if self.postgres {
            let key = self.param(name.as_str());
            let whole = Json {
                kind: format!("jsonb_typeof(u.attributes -> {key}::text)"),
                value: format!("(u.attributes ->> {key}::text)"),
                whole: format!("(u.attributes -> {key}::text)"),
            };
            let element = Json {
                kind: "jsonb_typeof(e.v)".to_owned(),
                value: "(e.v #>> '{}')".to_owned(),
                whole: "e.v".to_owned(),
            };
            (whole, format!("jsonb_array_elements(u.attributes -> {key}::text) AS e(v)"), element)
        } else {
            // A name holds no quote and no backslash, so that it needs no escape in the path.
            let path = self.param(format!("$.\"{}\"", name.as_str()));
            let whole = Json {
                kind: format!("json_type(u.attributes, {path})"),
                value: format!("json_extract(u.attributes, {path})"),
                whole: format!("json_extract(u.attributes, {path})"),
            };
            let element = Json { kind: "e.type".to_owned(), value: "e.value".to_owned(), whole: "e.value".to_owned() };
            (whole, format!("json_each(u.attributes, {path}) AS e"), element)
        }
    }

    /// For each kind of JSON that can be compared with the literal, what is compared with it; null where a value of that
    /// kind cannot be.
    fn typed(&self, json: &Json, literal: &Literal) -> Vec<(&'static str, String)> {
        let Json { value, whole, .. } = json;
        let string = if self.postgres { "string" } else { "text" };
        let folded = self.folded(value);
        match literal {
            Literal::Number(_) if self.postgres => vec![
                ("number", whole.clone()),
                (string, format!("CASE WHEN {} THEN {value}::double precision END", self.is_plain_decimal(value))),
            ],
            Literal::Number(_) => vec![
                ("integer", format!("CAST({value} AS REAL)")),
                ("real", format!("CAST({value} AS REAL)")),
                (string, format!("CASE WHEN {} THEN CAST({value} AS REAL) END", self.is_plain_decimal(value))),
            ],
            Literal::Boolean(_) => {
                let words = format!("CASE {folded} WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END");
                if self.postgres {
                    vec![("boolean", format!("({value} = 'true')")), (string, words)]
                } else {
                    vec![("true", "TRUE".to_owned()), ("false", "FALSE".to_owned()), (string, words)]
                }
            }
            Literal::Date(_) => {
                let (formed, day) = if self.postgres {
                    (
                        format!("{value} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}($|[T ])'"),
                        format!("left({value}, 10) COLLATE \"C\""),
                    )
                } else {
                    let form = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]";
                    let formed = format!("({value} GLOB '{form}' OR {value} GLOB '{form}[T ]*')");
                    (formed, format!("substr({value}, 1, 10)"))
                };
                vec![(string, format!("CASE WHEN {formed} THEN {day} END"))]
            }
            // No attribute is compared with a state of consent: `Filter` refuses it.
            Literal::Text(_) | Literal::Consent(_) => vec![(string, folded)],
        }
    }

    /// [`domain::filter::is_plain_decimal`] of a text expression.
    fn is_plain_decimal(&self, value: &str) -> String {
        if self.postgres {
            return format!("length({value}) <= {MAX_NUMBER_CHARS} AND {value} ~ '^-?[0-9]+([.][0-9]+)?$'");
        }
        let unsigned = format!("substr({value}, 1 + ({value} GLOB '-*'))");
        format!(
            "length({value}) <= {MAX_NUMBER_CHARS} AND {unsigned} GLOB '[0-9]*' AND {unsigned} GLOB '*[0-9]' \
             AND {unsigned} NOT GLOB '*[^0-9.]*' AND {unsigned} NOT GLOB '*.*.*'"
        )
    }

    fn literal(&mut self, literal: &Literal) -> String {
        match literal {
            Literal::Text(text) => self.param(text.to_ascii_lowercase()),
            Literal::Number(number) => self.param(*number),
            Literal::Boolean(value) => self.param(*value),
            Literal::Date(day) => self.param(day.to_string()),
            Literal::Consent(state) => self.param(state.as_str()),
        }
    }

    /// Text without its ASCII case. SQLite's `lower` knows no other; PostgreSQL's, under the collation `C`, neither.
    fn folded(&self, text: &str) -> String {
        if self.postgres { format!("lower({text} COLLATE \"C\")") } else { format!("lower({text})") }
    }

    fn comparison(&self, operand: &str, comparison: Comparison, params: &[String]) -> String {
        if let [_, _, ..] = params {
            return format!("{operand} IN ({})", params.join(", "));
        }
        let param = params.concat();
        match comparison {
            Comparison::Contains if self.postgres => format!("strpos({operand}, {param}) > 0"),
            Comparison::Contains => format!("instr({operand}, {param}) > 0"),
            Comparison::StartsWith if self.postgres => format!("starts_with({operand}, {param})"),
            Comparison::StartsWith => format!("instr({operand}, {param}) = 1"),
            Comparison::NotEqual => format!("{operand} <> {param}"),
            Comparison::Equal | Comparison::Less | Comparison::AtMost | Comparison::Greater | Comparison::AtLeast => {
                format!("{operand} {} {param}", comparison.as_str())
            }
        }
    }
}

/// The text column that the field is.
const fn column_of(field: &Field) -> &'static str {
    match field {
        Field::Phone => "u.phone",
        Field::Name => "u.name",
        Field::Locale => "u.locale",
        Field::Zone => "u.zone",
        Field::Created => "u.created_at",
        Field::Consent(_) | Field::Attribute(_) => "NULL",
    }
}
