//! Templates: versions that never change, and variables that somebody has.

use domain::{
    phone::Channel,
    template::{LocaleText, TemplateForm, TemplateView},
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
        locales: Default::default(),
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

    async fn a_template_goes_unless_a_campaign_names_it(env: TestEnv) {
        let made = templates::create(&env.engine, &env.admin, &form("Hello", "Hi")).await.unwrap();
        templates::update(&env.engine, &env.admin, made.id, &form("Hello", "Hi there")).await.unwrap();
        let campaign = env.campaign().form(|form| form.template = Some(made.id)).create().await;
        let refused = templates::delete(&env.engine, &env.admin, made.id).await.unwrap_err();
        assert!(refused.to_string().contains(&campaign.form.name), "{refused}");
        let spare = templates::create(&env.engine, &env.admin, &form("Spare", "Hi")).await.unwrap();
        templates::delete(&env.engine, &env.admin, spare.id).await.unwrap();
        for gone in [
            templates::get(&env.engine, &env.admin, spare.id).await.map(drop),
            templates::delete(&env.engine, &env.admin, spare.id).await,
        ] {
            assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
        }
        // The name is free again, and nothing of the old text is left behind it.
        let again = templates::create(&env.engine, &env.admin, &form("Spare", "Other")).await.unwrap();
        assert_eq!((again.version, again.body.as_str()), (1, "Other"));
    }

    async fn everyone_gets_their_own_language(env: TestEnv) {
        let text = |body: &str| LocaleText { body: body.to_owned(), ..LocaleText::default() };
        let mut hello = form("Hello", "Hi {{ name | default(\"you\") }}");
        hello.locales = [("de".to_owned(), text("Hallo {{ name }}")), ("pt-BR".to_owned(), text("Oi"))].into();
        let made = templates::create(&env.engine, &env.admin, &hello).await.unwrap();
        assert_eq!(made.locales.keys().collect::<Vec<_>>(), ["de", "pt-br"]);
        let people = [("+12025553101", "de-AT", "Ann"), ("+12025553102", "pt-BR", "Bia"), ("+12025553103", "fr", "Cleo")];
        for (phone, locale, name) in people {
            env.user(phone).name(name).locale(locale).opted_in(Channel::Sms).create().await;
        }
        // Someone who reads German and has no name: no fallback stands there, so nothing is sent.
        env.user("+12025553104").locale("de").opted_in(Channel::Sms).create().await;
        env.campaign().form(|form| form.template = Some(made.id)).launch().await;
        env.run_jobs().await;
        let mut said: Vec<String> = env.simulator.truth().into_iter().map(|entry| entry.body).collect();
        said.sort();
        assert_eq!(said, ["Hallo Ann", "Hi Cleo", "Oi"]);
        // Another language alone makes a version.
        hello.locales.remove("de");
        assert_eq!(templates::update(&env.engine, &env.admin, made.id, &hello).await.unwrap().version, 2);
        hello.locales.insert("fr".to_owned(), text("Salut {{ nobody }}"));
        let refused = templates::update(&env.engine, &env.admin, made.id, &hello).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid { errors } if errors[0].pointer == "/locales/fr/body"), "{refused:?}");
    }

    async fn a_text_is_tried_as_a_person_and_as_the_worst_case(env: TestEnv) {
        let long = "x".repeat(150);
        let ann = env.user("+12025553101").name("Ann").create().await;
        env.user("+12025553102").name(&long).create().await;
        env.user("+12025553103").name(&"Я".repeat(80)).create().await;
        let hello = form("Hello", "Hi {{ name }}");
        let one = templates::preview_as(&env.engine, &env.admin, &hello, ann.id).await.unwrap();
        assert_eq!((one.text.as_deref(), one.segments, one.is_ucs2), (Some("Hi Ann"), 1, false));
        assert_eq!(one.values, [("name".to_owned(), "Ann".to_owned())]);
        // The longest name fits into one part; a shorter one in another script does not.
        let worst = templates::worst_case(&env.engine, &env.admin, &hello, None).await.unwrap();
        assert_eq!((worst.segments, worst.is_ucs2), (2, true));
        let lacking = form("Hello", "Hi {{ attributes.city }}");
        let one = templates::preview_as(&env.engine, &env.admin, &lacking, ann.id).await.unwrap();
        assert_eq!((one.text, one.missing.as_deref()), (None, Some("attributes.city")));
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
