//! Quiet hours: the rules that ship, and the workspace's own. Every rule that applies must allow, so that a rule of one's
//! own can only make the day shorter.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    settings,
};
use domain::{
    operator::Operation,
    problem::FieldProblem,
    quiet_hours::{DEFAULT, Policy, QuietRules, Rule},
};
use sea_orm::ConnectionTrait;
use serde_json::json;

/// How many rules of its own a workspace may have.
const RULES_MAX: usize = 200;
/// The longest source or note, in characters.
const TEXT_MAX_CHARS: usize = 300;

/// All rules.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<QuietRules> {
    authorize(Operation::ContentRead, actor)?;
    Ok(QuietRules { shipped: Policy::shipped().rules().to_vec(), own: own(engine.db.read()).await? })
}

/// Sets the workspace's own rules, in place of those before. They hold from the next run of a campaign on, seconds later.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Forbidden`].
pub async fn set(engine: &Engine, actor: &Actor, rules: &[Rule]) -> Result<()> {
    authorize(Operation::SettingWrite, actor)?;
    let rules = check(rules)?;
    let tx = engine.db.begin().await?;
    let before = own(&tx).await?;
    settings::put(engine, &tx, settings::QUIET_RULES, &rules).await?;
    let act = Act {
        action: "setting.quiet_rules",
        target: "workspace".to_owned(),
        before: Some(json!(before)),
        after: Some(json!(rules)),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// The policy of the workspace: the shipped rules, and its own.
pub(crate) async fn policy<C: ConnectionTrait>(conn: &C) -> Result<Policy> {
    let mut rules = Policy::shipped().rules().to_vec();
    rules.extend(own(conn).await?);
    Ok(Policy::new(rules))
}

async fn own<C: ConnectionTrait>(conn: &C) -> Result<Vec<Rule>> {
    Ok(settings::get(conn, settings::QUIET_RULES).await?.unwrap_or_default())
}

/// The rules as they are stored, or everything that is wrong with them.
fn check(rules: &[Rule]) -> Result<Vec<Rule>> {
    if rules.len() > RULES_MAX {
        return Err(Error::invalid("own", format!("at most {RULES_MAX} rules of your own")));
    }
    let mut errors = Vec::new();
    let mut stored = Vec::with_capacity(rules.len());
    for (place, rule) in rules.iter().enumerate() {
        let mut wrong = |field: &str, detail: &str| {
            errors.push(FieldProblem { pointer: format!("/own/{place}/{field}"), detail: detail.to_owned() });
        };
        let rule = Rule {
            jurisdiction: jurisdiction(&rule.jurisdiction).unwrap_or_else(|| {
                wrong("jurisdiction", "write a country as DE, a state as US-WA, or default");
                String::new()
            }),
            source: rule.source.trim().to_owned(),
            note: rule.note.trim().to_owned(),
            ..rule.clone()
        };
        if rule.windows.iter().all(Option::is_none) {
            wrong("windows", "allow at least one day: who must get nothing is left out of the audience");
        }
        if rule.source.is_empty() || rule.source.chars().count() > TEXT_MAX_CHARS {
            wrong("source", "say where the rule comes from, in at most 300 characters");
        }
        if rule.note.chars().count() > TEXT_MAX_CHARS {
            wrong("note", "at most 300 characters");
        }
        stored.push(rule);
    }
    if errors.is_empty() { Ok(stored) } else { Err(Error::Invalid { errors }) }
}

fn jurisdiction(text: &str) -> Option<String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case(DEFAULT) {
        return Some(DEFAULT.to_owned());
    }
    let code = text.to_uppercase();
    let letters = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_uppercase());
    code.split('-').all(letters).then_some(code).filter(|code| code.len() == 2 || code.len() == 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        for (text, expected) in [
            ("de", Some("DE")),
            (" us-wa ", Some("US-WA")),
            ("Default", Some("default")),
            ("campaign", None),
            ("US-WA-X", None),
            ("US-", None),
            ("", None),
            ("U1", None),
        ] {
            assert_eq!(jurisdiction(text).as_deref(), expected, "{text:?}");
        }
    }
}
