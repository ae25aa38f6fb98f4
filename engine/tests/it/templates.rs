//! Templates: versions that never change, and variables that somebody has.

use domain::{
    phone::Channel,
    template::{TemplateForm, TemplateView},
};
use engine::{
    Error, both, senders, templates,
    templates::{Person, known_variables, load_version},
    testing::TestEnv,
};

fn form(name: &str, body: &str) -> TemplateForm {
    TemplateForm {
        name: name.into(),
        channel: Channel::Sms,
        body: body.into(),
        content_sid: String::new(),
        content_variables: Default::default(),
    }
}

both! {
    async fn a_change_makes_a_version_and_leaves_the_old_one(env: TestEnv) {
        let made = templates::create(&env.engine, &env.admin, &form("Hello", "Hi {{ name }}")).await.unwrap();
        let update = async |form: &TemplateForm| -> engine::Result<TemplateView> {
            templates::update(&env.engine, &env.admin, made.id, form).await
        };
        assert_eq!(update(&form("Hello", "Dear {{ name }}")).await.unwrap().version, 2);
        assert_eq!(update(&form("Renamed", "Dear {{ name }}")).await.unwrap().version, 2);
        let other = TemplateForm { channel: Channel::Whatsapp, ..form("Hello", "Hi") };
        assert!(matches!(update(&other).await, Err(Error::Invalid { .. })));
        let ann = Person { name: Some("Ann".into()), ..Person::default() };
        for (version, text) in [(1, "Hi Ann"), (2, "Dear Ann")] {
            let compiled = load_version(env.engine.db.read(), made.id, version).await.unwrap();
            assert_eq!(compiled.render(&ann).unwrap().text, text);
        }
        let listed = templates::list(&env.engine, &env.admin).await.unwrap();
        assert_eq!((listed.len(), listed[0].name.as_str(), listed[0].version), (1, "Renamed", 2));
    }

    async fn a_variable_that_nobody_has_is_refused(env: TestEnv) {
        let template = form("Hello", "Hi {{ city | default(\"you\") }} {{ attributes.city | default(\"you\") }}");
        let refused = templates::create(&env.engine, &env.admin, &template).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid { errors } if errors.iter().all(|error| error.pointer == "/body")));
        assert!(refused.to_string().contains("city"));
        env.user("+12025550143").attribute("city", "Bonn").create().await;
        assert!(known_variables(&env.engine).await.unwrap().contains("attributes.city"));
        templates::create(&env.engine, &env.admin, &template).await.unwrap();
        let taken = templates::create(&env.engine, &env.admin, &form("Hello", "Hi")).await;
        assert!(matches!(taken, Err(Error::Conflict { .. })));
    }

    async fn a_sender_is_made_once(env: TestEnv) {
        let ensure = async |name: &str, rate| {
            senders::ensure(&env.engine, &env.admin, Channel::Sms, "+12025550100", name, rate).await
        };
        let first = ensure("Main", 10).await.unwrap();
        assert_eq!(ensure("Main", 10).await.unwrap(), first);
        let faster = ensure("Main", 20).await.unwrap();
        assert_eq!((faster.id, faster.rate_per_second), (first.id, 20));
        assert!(matches!(ensure("Main", 0).await, Err(Error::Invalid { .. })));
        assert_eq!(senders::list(&env.engine, &env.admin).await.unwrap(), [faster]);
    }
}
