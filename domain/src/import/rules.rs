//! How a file's cells meet what is known already: a policy for each field.

use super::{Field, Profile};
use crate::consent::words;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

words! {
    /// What a cell does to a value that is there.
    #[derive(Default)]
    Policy {
        /// The file is right.
        #[default]
        Overwrite = "overwrite", "The file's value";
        /// The file fills gaps.
        FillEmpty = "fill_empty", "The file's value only where there is none";
        /// What is there is right; the file speaks for new people only.
        Keep = "keep", "What is there, for people who are known";
    }
}

words! {
    /// A repair of a number.
    Repair {
        /// `94771234567`.
        PlusMissing = "plus_missing", "Put the missing \"+\" in front";
        /// `0094771234567`.
        DoubleZero = "double_zero", "Read 00 in front as \"+\"";
        /// `9.4771234567E+10`, where no digit is lost.
        Exponent = "exponent", "Write out numbers such as 9.4771234567E+10";
        /// `Mobile: +94 77 123 4567 (work)`.
        Junk = "junk", "Leave out the words around a number";
        /// The name stands in the number's column, and the other way round.
        Swapped = "swapped_columns", "Swap name and number where each stands in the other's column";
    }
}

/// The policies of an import, by the fields' words. What is not named is overwritten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Policies(pub BTreeMap<String, Policy>);

impl Policies {
    /// The policy of a field.
    pub fn of(&self, field: &Field) -> Policy {
        self.0.get(&field.to_string()).copied().unwrap_or_default()
    }
}

/// What a row says of a person: values, and fields to empty.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Values; empty ones say nothing.
    pub profile: &'a Profile,
    /// Fields whose cell held the mark that empties them.
    pub clears: &'a [Field],
}

/// Joins what a row says to what is known of a person. `known` is false for someone whom the file itself brought: then
/// later rows complete and correct earlier ones, whatever the policies. Returns whether anything changed.
pub fn merge(existing: &mut Profile, incoming: Incoming<'_>, policies: &Policies, known: bool) -> bool {
    let policy = |field: &Field| if known { policies.of(field) } else { Policy::Overwrite };
    let mut changed = false;
    let row = incoming.profile;
    let plain = [
        (Field::WhatsappId, &mut existing.whatsapp_id, &row.whatsapp_id),
        (Field::Name, &mut existing.name, &row.name),
        (Field::Locale, &mut existing.locale, &row.locale),
        (Field::Zone, &mut existing.zone, &row.zone),
    ];
    for (field, there, comes) in plain {
        if let Some(value) = comes
            && allows(policy(&field), there.is_some())
            && there.as_ref() != Some(value)
        {
            *there = Some(value.clone());
            changed = true;
        }
    }
    for (name, value) in &row.attributes {
        let there = existing.attributes.get(name).filter(|there| !is_empty(there));
        let field = Field::Attribute(name.clone());
        if !is_empty(value) && allows(policy(&field), there.is_some()) && there != Some(value) {
            existing.attributes.insert(name.clone(), value.clone());
            changed = true;
        }
    }
    for field in incoming.clears.iter().filter(|field| policy(field) == Policy::Overwrite) {
        changed |= match field {
            Field::Name => existing.name.take().is_some(),
            Field::Locale => existing.locale.take().is_some(),
            Field::Zone => existing.zone.take().is_some(),
            Field::Attribute(name) => existing.attributes.remove(name).is_some(),
            // An address is no detail, and consent has its own ledger.
            _ => false,
        };
    }
    changed
}

fn allows(policy: Policy, is_there: bool) -> bool {
    match policy {
        Policy::Overwrite => true,
        Policy::FillEmpty => !is_there,
        Policy::Keep => false,
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn profile(name: Option<&str>, attributes: Value) -> Profile {
        Profile {
            name: name.map(str::to_owned),
            attributes: attributes.as_object().expect("a well-formed example").clone(),
            ..Profile::default()
        }
    }

    fn all(policy: Policy) -> Policies {
        let fields = ["name", "locale", "attributes.city", "attributes.age", "attributes.new"];
        Policies(fields.into_iter().map(|field| (field.to_owned(), policy)).collect())
    }

    #[test]
    fn each_policy_does_what_it_says() {
        let row = profile(Some("Anna"), json!({"city": "Kiel", "age": null, "new": "x"}));
        let clears = [Field::Attribute("age".into())];
        let check = |policy, known, name: &str, attributes: Value| {
            let mut person = profile(Some("Ann"), json!({"city": "Bonn", "age": 3}));
            let before = person.clone();
            let changed = merge(&mut person, Incoming { profile: &row, clears: &clears }, &all(policy), known);
            assert_eq!(person, profile(Some(name), attributes), "{policy}");
            assert_eq!(changed, person != before, "{policy}");
        };
        check(Policy::Overwrite, true, "Anna", json!({"city": "Kiel", "new": "x"}));
        check(Policy::FillEmpty, true, "Ann", json!({"city": "Bonn", "age": 3, "new": "x"}));
        check(Policy::Keep, true, "Ann", json!({"city": "Bonn", "age": 3}));
        check(Policy::Keep, false, "Anna", json!({"city": "Kiel", "new": "x"}));
    }

    fn profiles() -> impl Strategy<Value = Profile> {
        let text = || prop::option::of("[a-c]");
        (text(), text(), prop::collection::btree_map("[a-c]", "[a-c]?", 0..3)).prop_map(|(name, zone, attributes)| {
            Profile {
                name,
                zone,
                attributes: attributes.into_iter().map(|(k, v)| (k, Value::String(v))).collect(),
                ..Profile::default()
            }
        })
    }

    fn policies() -> impl Strategy<Value = Policies> {
        let fields = prop::sample::select(&["name", "zone", "attributes.a", "attributes.b"][..]);
        prop::collection::btree_map(fields.prop_map(str::to_owned), prop::sample::select(Policy::ALL), 0..4)
            .prop_map(Policies)
    }

    proptest! {
        /// Merging twice is merging once, and `changed` says exactly whether something changed.
        #[test]
        fn merging_is_idempotent(
            existing in profiles(), incoming in profiles(), policies in policies(), known in any::<bool>()
        ) {
            let incoming = Incoming { profile: &incoming, clears: &[] };
            let mut once = existing.clone();
            let changed = merge(&mut once, incoming, &policies, known);
            prop_assert_eq!(changed, once != existing);
            let mut twice = once.clone();
            prop_assert!(!merge(&mut twice, incoming, &policies, known));
            prop_assert_eq!(twice, once);
        }
    }
}
