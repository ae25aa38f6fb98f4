//! minijinja as the authority on the syntax that templates are written in.

use minijinja::{Environment, UndefinedBehavior, Value};
use std::{collections::BTreeMap, sync::LazyLock};

/// Steps that a template may take; the longest that our parser takes needs far fewer.
const FUEL: u64 = 10_000;

/// Strict, without functions and tests, and with one filter.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("default", minijinja::filters::default);
    environment
});

/// Whether minijinja accepts the text.
///
/// # Errors
/// Its own words.
pub fn check(text: &str) -> Result<(), String> {
    ENVIRONMENT.template_from_str(text).map(|_| ()).map_err(|error| error.to_string())
}

/// What minijinja makes of the text. `vars` are full names (`attributes.city`); empty ones count as undefined, as they
/// do for [`super::Template::render`].
///
/// # Errors
/// Its own words.
pub fn render(text: &str, vars: &BTreeMap<String, String>) -> Result<String, String> {
    let mut roots: BTreeMap<&str, Value> = BTreeMap::new();
    let mut nested: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (name, value) in vars {
        let value = Some(value.as_str()).filter(|value| !value.trim().is_empty());
        match name.split_once('.') {
            Some((root, leaf)) => {
                // The root is there even if the leaf is not: a person without a city still has attributes.
                let leaves = nested.entry(root).or_default();
                leaves.extend(value.map(|value| (leaf, value)));
            }
            None => roots.extend(value.map(|value| (name.as_str(), Value::from(value)))),
        }
    }
    roots.extend(nested.into_iter().map(|(root, leaves)| (root, Value::from_serialize(leaves))));
    ENVIRONMENT.render_str(text, roots).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{super::Template, *};
    use proptest::prelude::*;
    use std::borrow::Cow;

    /// Pieces of templates, well-formed or not.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zäß🎉 {}%#|'\"\\\\\r\n.]{0,12}",
            "\\{\\{ ?(name|city|attributes\\.plan|in|range|a\\.b\\.c|1x) ?\\}\\}",
            "\\{\\{ ?(name|city|attributes\\.plan) ?\\| ?default\\( ?(\"[a-z{}' ]{0,6}\"|'[a-z{}\" ]{0,6}'|'\\\\\\\\[n\\\\\\\\\"x]?') ?\\) ?\\}\\}",
            "\\{\\{- ?name ?\\}\\}",
        ]
    }

    fn vars() -> impl Strategy<Value = BTreeMap<String, String>> {
        let value = prop_oneof![Just(String::new()), Just(" ".into()), "[a-z{}<&% \n]{1,8}", Just("{{ name }}".into())];
        (value.clone(), value.clone(), value).prop_map(|(name, city, plan)| {
            [("name", name), ("city", city), ("attributes.plan", plan)].map(|(k, v)| (k.to_owned(), v)).into()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever our parser takes, minijinja takes, and both render the same or both miss a variable.
        #[test]
        fn both_render_the_same(pieces in prop::collection::vec(piece(), 0..5), vars in vars()) {
            let text = pieces.concat();
            let Ok(segments) = super::super::parse::parse(&text) else { return Ok(()) };
            prop_assert_eq!(check(&text), Ok(()));
            let template = Template { source: text.clone(), segments };
            let ours = template.render(|name| vars.get(name).map(|value| Cow::Borrowed(value.as_str())));
            prop_assert_eq!(ours.ok(), render(&text, &vars).ok());
        }
    }

    #[test]
    fn it_is_strict_and_knows_no_functions() {
        let none = BTreeMap::new();
        for text in ["{{ name }}", "{{ range(10) }}", "{{ debug() }}", "{{ name | upper }}"] {
            assert!(render(text, &none).is_err(), "{text}");
        }
        assert_eq!(render("{{ name | default('x') }}\n", &none), Ok("x\n".into()));
        assert!(render("{% for a in 'x' * 100000 %}{{ a }}{% endfor %}", &none).is_err());
    }
}
