//! One change of everyone who matches a filter.

use crate::{
    consent::words,
    filter::AttributeName,
    ids::{BulkId, TopicId},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

words! {
    /// How far a bulk change is.
    BulkStatus {
        /// Under way.
        Running = "running", "Under way";
        /// Everyone was gone through.
        Completed = "completed", "Completed";
    }
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum BulkAct {
    /// Adds a tag.
    AddTag {
        /// The tag.
        tag: String,
    },
    /// Takes a tag away.
    RemoveTag {
        /// The tag.
        tag: String,
    },
    /// Sets an attribute, or clears it with an empty value.
    SetAttribute {
        /// Its name.
        name: String,
        /// The value, as typed.
        value: String,
    },
    /// Subscribes those to a topic who never chose; a choice of their own, either way, stays.
    Subscribe {
        /// The topic.
        topic: TopicId,
        /// How they agreed.
        evidence: String,
    },
    /// Takes people off a topic.
    Unsubscribe {
        /// The topic.
        topic: TopicId,
        /// Why.
        evidence: String,
    },
}

impl BulkAct {
    /// Someone's attributes as the act leaves them; `None` if it changes nothing. Acts on topics change none.
    pub fn applied(&self, attributes: &Map<String, Value>) -> Option<Map<String, Value>> {
        let tags = || match attributes.get(AttributeName::TAGS) {
            Some(Value::Array(tags)) => tags.clone(),
            None | Some(Value::Null) => Vec::new(),
            Some(one) => vec![one.clone()],
        };
        let mut after = attributes.clone();
        match self {
            Self::AddTag { tag } => {
                let mut tags = tags();
                if !tags.iter().any(|one| one.as_str() == Some(tag)) {
                    tags.push(Value::from(tag.as_str()));
                }
                after.insert(AttributeName::TAGS.to_owned(), Value::Array(tags));
            }
            Self::RemoveTag { tag } => {
                let mut tags = tags();
                tags.retain(|one| one.as_str() != Some(tag));
                if tags.is_empty() {
                    after.remove(AttributeName::TAGS);
                } else {
                    after.insert(AttributeName::TAGS.to_owned(), Value::Array(tags));
                }
            }
            Self::SetAttribute { name, value } if value.is_empty() => {
                after.remove(name);
            }
            Self::SetAttribute { name, value } => {
                after.insert(name.clone(), Value::from(value.as_str()));
            }
            Self::Subscribe { .. } | Self::Unsubscribe { .. } => {}
        }
        (after != *attributes).then_some(after)
    }
}

/// A bulk change, as an operator asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BulkForm {
    /// Whom it changes.
    pub filter: String,
    /// What it does.
    pub act: BulkAct,
}

/// What a bulk change would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BulkPreview {
    /// How many people match now.
    pub people: i64,
    /// What would be done, in a sentence.
    pub words: String,
}

/// A bulk change under way, or done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bulk {
    /// Its id.
    pub id: BulkId,
    /// How far it is.
    pub status: BulkStatus,
    /// What it does, in a sentence.
    pub words: String,
    /// How many people it was started for.
    pub people: i64,
    /// How many it went through.
    pub done: i64,
    /// How many of them it changed.
    pub changed: i64,
    /// When it was started.
    pub created_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_act_changes_only_what_it_says() {
        let check = |act: &BulkAct, before: Value, after: Option<Value>| {
            let before = before.as_object().expect("an object").clone();
            assert_eq!(act.applied(&before).map(Value::Object), after, "{act:?} on {before:?}");
        };
        let add = BulkAct::AddTag { tag: "vip".into() };
        check(&add, json!({"a": 1}), Some(json!({"a": 1, "tags": ["vip"]})));
        check(&add, json!({"tags": ["vip"]}), None);
        check(&add, json!({"tags": "old"}), Some(json!({"tags": ["old", "vip"]})));
        let remove = BulkAct::RemoveTag { tag: "vip".into() };
        check(&remove, json!({"tags": ["vip"]}), Some(json!({})));
        check(&remove, json!({"tags": ["a", "vip"]}), Some(json!({"tags": ["a"]})));
        check(&remove, json!({}), None);
        let set = |value: &str| BulkAct::SetAttribute { name: "city".into(), value: value.into() };
        check(&set("Bonn"), json!({}), Some(json!({"city": "Bonn"})));
        check(&set("Bonn"), json!({"city": "Bonn"}), None);
        check(&set(""), json!({"city": "Bonn"}), Some(json!({})));
    }
}
