//! The words that the database allows are those of the enums.

use domain::{
    campaign::{CampaignKind, CampaignStatus, UnknownPolicy},
    compliance::Gate,
    consent::{ConsentKind, ConsentSource, ConsentState},
    import::ImportStatus,
    inbound::InboundKind,
    operator::Role,
    phone::Channel,
    topic::{SubscriptionState, TopicKind},
};
use std::{collections::BTreeSet, fs, path::Path};

/// The words of each CHECK on a column of a table, from the text of the migrations.
fn checked(table: &str, column: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/src");
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let text: String = files.collect();
    let body = text.split(&format!("CREATE TABLE {table} (")).nth(1).unwrap_or_else(|| panic!("no table {table}"));
    let body = body.split("\n    )").next().unwrap();
    let check = format!("CHECK ({column} IN (");
    let words = body.split(&check).nth(1).unwrap_or_else(|| panic!("{table}.{column} has no CHECK"));
    words.split("))").next().unwrap().split(',').map(|word| word.trim().trim_matches('\'').to_owned()).collect()
}

#[test]
fn checks_and_enums_have_the_same_words() {
    fn check(table: &str, column: &str, words: impl IntoIterator<Item = String>) {
        assert_eq!(checked(table, column), words.into_iter().collect(), "{table}.{column}");
    }
    macro_rules! words {
        ($name:ident) => {
            $name::ALL.iter().map(ToString::to_string)
        };
    }
    for table in ["consents", "consent_events", "suppressions", "senders", "templates", "inbound_messages"] {
        check(table, "channel", words!(Channel));
    }
    check("consents", "state", words!(ConsentState));
    check("consent_events", "kind", words!(ConsentKind));
    check("consent_events", "source", words!(ConsentSource));
    check("subscriptions", "state", words!(SubscriptionState));
    check("topics", "kind", words!(TopicKind));
    check("campaigns", "kind", words!(CampaignKind));
    check("campaigns", "status", words!(CampaignStatus));
    check("campaigns", "unknown_policy", words!(UnknownPolicy));
    check("decisions", "gate", words!(Gate));
    check("inbound_messages", "kind", words!(InboundKind));
    check("imports", "status", words!(ImportStatus));
    check("operators", "role", words!(Role));
    let kinds = [engine::workers::Kind::Serve, engine::workers::Kind::Worker];
    check("workers", "kind", kinds.map(|kind| kind.as_str().to_owned()));
}
