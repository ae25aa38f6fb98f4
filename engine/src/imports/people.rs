//! The people of one batch: rows of the same person joined, with each other and with who is known already.

use domain::{
    import::{CleanRow, Incoming, Policies, Profile, RowError, merge},
    phone::Phone,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// Someone who is known already.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub id: Uuid,
    pub phone: Option<Phone>,
    pub profile: Profile,
    /// Addresses of people who were merged into this one, which the person is found by and does not have.
    pub earlier: Vec<String>,
    /// Whether the database has the person; someone whom a check met before is only known to it.
    pub exists: bool,
    /// Whether an earlier batch of this import had a row of theirs.
    pub touched: bool,
}

/// How someone was, or is, as far as an import can change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub phone: Option<Phone>,
    pub profile: Profile,
}

/// What an import does to someone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Created,
    Updated,
    Unchanged,
}

impl Effect {
    /// The word, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Someone of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub id: Uuid,
    pub phone: Option<Phone>,
    pub profile: Profile,
    /// Whether the database has the person.
    pub known: bool,
    /// Whether an earlier batch of this import had a row of theirs.
    pub touched: bool,
    /// Whether the row in the database must change.
    pub changed: bool,
    /// How the person was before, if known.
    pub before: Option<Snapshot>,
    /// The line of the person's first row in this batch; 0 while there is none.
    pub line: u64,
    pub consent_sms: Option<bool>,
    pub consent_whatsapp: Option<bool>,
    pub topics: Vec<String>,
}

impl Person {
    /// What the batch does to the person.
    pub fn effect(&self) -> Effect {
        match (self.known, self.changed) {
            (false, _) => Effect::Created,
            (true, true) => Effect::Updated,
            (true, false) => Effect::Unchanged,
        }
    }
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Joined {
    /// The person's first row in the file.
    First,
    /// A further one.
    Duplicate,
    /// It names two different people.
    Refused(RowError),
}

/// The people of a batch, found by number and by WhatsApp id.
#[derive(Debug)]
pub struct People<'a> {
    policies: &'a Policies,
    people: Vec<Person>,
    by_phone: HashMap<String, usize>,
    by_whatsapp: HashMap<String, usize>,
    by_earlier: HashMap<String, usize>,
}

impl<'a> People<'a> {
    /// Begins with those of the database who have an address of the batch.
    pub fn new(known: Vec<Known>, policies: &'a Policies) -> Self {
        let mut people = Self {
            policies,
            people: Vec::new(),
            by_phone: HashMap::new(),
            by_whatsapp: HashMap::new(),
            by_earlier: HashMap::new(),
        };
        for person in known {
            let at = people.add(Person {
                id: person.id,
                before: person
                    .exists
                    .then(|| Snapshot { phone: person.phone.clone(), profile: person.profile.clone() }),
                phone: person.phone,
                profile: person.profile,
                known: person.exists,
                touched: person.touched,
                changed: false,
                line: 0,
                consent_sms: None,
                consent_whatsapp: None,
                topics: Vec::new(),
            });
            people.by_earlier.extend(person.earlier.into_iter().map(|address| (address, at)));
        }
        people
    }

    fn at(&self, own: &HashMap<String, usize>, address: &str) -> Option<usize> {
        own.get(address).or_else(|| self.by_earlier.get(address)).copied()
    }

    /// Joins a row. Later cells overwrite earlier ones and empty ones leave them; of contradicting consents "no" stays.
    pub fn join(&mut self, line: u64, row: CleanRow, new_id: impl FnOnce() -> Uuid) -> Joined {
        let by_phone = row.phone.as_ref().and_then(|phone| self.at(&self.by_phone, phone.as_str()));
        let by_whatsapp = row.profile.whatsapp_id.as_ref().and_then(|id| self.at(&self.by_whatsapp, id));
        let found = match (by_phone, by_whatsapp) {
            (Some(phone), Some(whatsapp)) if phone != whatsapp => {
                return refuse("the number and the WhatsApp id belong to two different people");
            }
            (Some(at), _) => Some(at),
            (None, Some(at)) if row.phone.is_some() && self.people[at].phone.is_some() => {
                return refuse("the person with this WhatsApp id has another number");
            }
            (None, at) => at,
        };
        let at = match found {
            Some(at) => at,
            None => self.add(Person {
                id: new_id(),
                phone: None,
                profile: Profile::default(),
                known: false,
                touched: false,
                changed: false,
                before: None,
                line: 0,
                consent_sms: None,
                consent_whatsapp: None,
                topics: Vec::new(),
            }),
        };
        let first = self.people[at].line == 0 && !self.people[at].touched;
        self.update(at, line, row);
        if first { Joined::First } else { Joined::Duplicate }
    }

    fn update(&mut self, at: usize, line: u64, mut row: CleanRow) {
        let person = &mut self.people[at];
        if person.line == 0 {
            person.line = line;
        }
        // An earlier address stays with the row that was merged: it names the person, and is not theirs to take.
        row.phone = row.phone.filter(|phone| !self.by_earlier.contains_key(phone.as_str()));
        row.profile.whatsapp_id = row.profile.whatsapp_id.filter(|id| !self.by_earlier.contains_key(id));
        if let (None, Some(phone)) = (&person.phone, row.phone) {
            self.by_phone.insert(phone.to_string(), at);
            person.phone = Some(phone);
            person.changed = true;
        }
        let incoming = Incoming { profile: &row.profile, clears: &row.clears };
        person.changed |= merge(&mut person.profile, incoming, self.policies, person.known);
        if let Some(id) = &person.profile.whatsapp_id {
            self.by_whatsapp.insert(id.clone(), at);
        }
        person.consent_sms = lower(person.consent_sms, row.consent_sms);
        person.consent_whatsapp = lower(person.consent_whatsapp, row.consent_whatsapp);
        for topic in row.topics {
            if !person.topics.contains(&topic) {
                person.topics.push(topic);
            }
        }
    }

    fn add(&mut self, person: Person) -> usize {
        let at = self.people.len();
        if let Some(phone) = &person.phone {
            self.by_phone.insert(phone.to_string(), at);
        }
        if let Some(id) = &person.profile.whatsapp_id {
            self.by_whatsapp.insert(id.clone(), at);
        }
        self.people.push(person);
        at
    }

    /// Those whom the batch has rows of, in the order of their numbers: an index is filled fastest in its own order.
    pub fn into_touched(self) -> Vec<Person> {
        let mut people: Vec<Person> = self.people.into_iter().filter(|person| person.line > 0).collect();
        people.sort_by(|a, b| (&a.phone, a.line).cmp(&(&b.phone, b.line)));
        people
    }
}

/// Of two answers the more careful one.
fn lower(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(a), Some(b)) => Some(a && b),
        (a, b) => a.or(b),
    }
}

fn refuse(message: &str) -> Joined {
    Joined::Refused(RowError { column: None, kind: "two_people".to_owned(), message: message.to_owned() })
}

/// Puts values of JSON into the attributes that a cell of text would have flattened.
pub fn keep_types(row: &mut CleanRow, mapping: &domain::import::Mapping, typed: Vec<Option<Value>>) {
    for (value, field) in typed.into_iter().zip(&mapping.columns) {
        if let (Some(value), Some(domain::import::Field::Attribute(name))) = (value, field)
            && let Some(kept) = row.profile.attributes.get_mut(name)
        {
            *kept = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(digit: u8) -> Phone {
        Phone::parse_e164(&format!("+4915112345{digit:03}")).unwrap()
    }

    fn row(number: Option<u8>, whatsapp: Option<&str>, name: &str) -> CleanRow {
        CleanRow {
            phone: number.map(phone),
            profile: Profile {
                whatsapp_id: whatsapp.map(str::to_owned),
                name: Some(name.to_owned()).filter(|name| !name.is_empty()),
                ..Profile::default()
            },
            ..CleanRow::default()
        }
    }

    fn ann(touched: bool) -> Known {
        let profile = Profile { name: Some("Ann".into()), whatsapp_id: Some("DE.1".into()), ..Profile::default() };
        Known { id: Uuid::from_u128(1), phone: Some(phone(1)), profile, earlier: Vec::new(), exists: true, touched }
    }

    fn run(known: Vec<Known>, rows: Vec<CleanRow>) -> (String, Vec<Person>) {
        let policies = Policies::default();
        let mut people = People::new(known, &policies);
        let mut words = String::new();
        for (line, row) in (2..).zip(rows) {
            words.push(match people.join(line, row, || Uuid::from_u128(100 + u128::from(line))) {
                Joined::First => 'f',
                Joined::Duplicate => 'd',
                Joined::Refused(_) => 'r',
            });
        }
        (words, people.into_touched())
    }

    #[test]
    fn rows_of_one_person_are_joined() {
        let (words, people) =
            run(vec![], vec![row(Some(2), None, "Bo"), row(Some(1), None, "A"), row(Some(2), None, "")]);
        assert_eq!(words, "ffd");
        assert_eq!(
            people.iter().map(|p| (p.line, p.profile.name.as_deref())).collect::<Vec<_>>(),
            [(3, Some("A")), (2, Some("Bo"))]
        );
        assert!(people.iter().all(|person| !person.known && person.changed));
    }

    #[test]
    fn who_is_known_changes_only_by_what_is_new() {
        for (number, whatsapp, name, changed) in [
            (Some(1), None, "Ann", false),
            (Some(1), None, "", false),
            (Some(1), None, "Anna", true),
            (None, Some("DE.1"), "Ann", false),
            (Some(1), Some("DE.2"), "Ann", true),
        ] {
            let (words, people) = run(vec![ann(false)], vec![row(number, whatsapp, name)]);
            assert_eq!((words.as_str(), people.len()), ("f", 1));
            assert_eq!((people[0].known, people[0].changed), (true, changed), "{number:?} {whatsapp:?} {name}");
        }
        assert_eq!(run(vec![ann(true)], vec![row(Some(1), None, "Ann")]).0, "d");
    }

    #[test]
    fn who_was_merged_is_found_by_what_they_had_and_keeps_what_they_have() {
        let known = || Known { earlier: vec![phone(7).to_string(), "DE.7".into()], ..ann(false) };
        for (number, whatsapp, words) in [
            (Some(7), None, "f"),
            (None, Some("DE.7"), "f"),
            (Some(7), Some("DE.7"), "f"),
            (Some(1), Some("DE.7"), "f"),
            (Some(7), Some("DE.1"), "f"),
            (Some(8), Some("DE.7"), "r"),
        ] {
            let (found, people) = run(vec![known()], vec![row(number, whatsapp, "Ann")]);
            assert_eq!(found, words, "{number:?} {whatsapp:?}");
            let unchanged = people.iter().all(|person| !person.changed && person.phone == Some(phone(1)));
            assert!(unchanged, "{number:?} {whatsapp:?}: {people:?}");
        }
    }

    #[test]
    fn a_row_that_names_two_people_is_refused() {
        let rows = vec![row(Some(2), Some("DE.1"), ""), row(Some(3), None, ""), row(Some(3), Some("DE.1"), "")];
        assert_eq!(run(vec![ann(false)], rows).0, "rfr");
    }

    #[test]
    fn no_outweighs_yes() {
        let with = |sms| CleanRow { consent_sms: sms, ..row(Some(1), None, "") };
        for (first, second, expected) in [
            (Some(true), Some(false), Some(false)),
            (Some(false), Some(true), Some(false)),
            (None, Some(true), Some(true)),
            (Some(true), None, Some(true)),
        ] {
            let (_, people) = run(vec![], vec![with(first), with(second)]);
            assert_eq!(people[0].consent_sms, expected);
        }
    }
}
