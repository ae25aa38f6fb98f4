//! Imports: what goes in, what is refused, and what an import may never do.

use bytes::Bytes;
use domain::{
    attribute::AttributeForm,
    consent::{ConsentKind, ConsentState},
    filter::AttributeKind,
    ids::ImportId,
    import::{ImportOptions, ImportReport, ImportStatus, ImportView, Mapping, Policies, Policy, Repair},
    page::PageRequest,
    phone::Channel,
    topic::{TopicForm, TopicKind},
    user::{User, UserForm},
};
use engine::{Doorbell, Error, attributes, both, consents, db, imports, testing::TestEnv, topics, users, values};
use futures::{StreamExt, TryStreamExt, stream};
use std::io;

async fn upload(env: &TestEnv, file: &[u8]) -> engine::Result<ImportView> {
    // In small chunks, as a network brings them.
    let chunks: Vec<io::Result<Bytes>> = file.chunks(700).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    imports::create(&env.engine, &env.admin, "people.csv", stream::iter(chunks)).await
}

async fn import(env: &TestEnv, file: &str, change: impl FnOnce(&mut ImportOptions)) -> ImportView {
    let uploaded = upload(env, file.as_bytes()).await.unwrap();
    let mut options = ImportOptions { default_region: Some("US".into()), ..uploaded.options };
    change(&mut options);
    let checked = judge(env, uploaded.id, &options).await;
    if checked.status == ImportStatus::Failed {
        return checked;
    }
    imports::apply(&env.engine, &env.admin, uploaded.id, true).await.unwrap();
    env.run_jobs().await;
    let done = imports::get(&env.engine, &env.admin, uploaded.id).await.unwrap();
    // The check foresees exactly what then happens.
    let foreseen = done.checked.clone().unwrap();
    assert_eq!(counts(&foreseen), counts(&done.report));
    let consents = |report: &ImportReport| {
        (report.sms_opted_in, report.whatsapp_opted_in, report.kept_opted_out, report.without_consent)
    };
    assert_eq!(consents(&foreseen), consents(&done.report));
    assert_eq!(foreseen.reasons, done.report.reasons);
    done
}

async fn judge(env: &TestEnv, id: ImportId, options: &ImportOptions) -> ImportView {
    let before = everyone(env).await;
    imports::check(&env.engine, &env.admin, id, options).await.unwrap();
    env.run_jobs().await;
    assert_eq!(everyone(env).await, before, "a check writes nothing");
    imports::get(&env.engine, &env.admin, id).await.unwrap()
}

async fn applied(env: &TestEnv, id: ImportId) -> ImportView {
    imports::apply(&env.engine, &env.admin, id, true).await.unwrap();
    env.run_jobs().await;
    imports::get(&env.engine, &env.admin, id).await.unwrap()
}

async fn everyone(env: &TestEnv) -> Vec<User> {
    let mut people = users::list(&env.engine, &env.admin, "", &PageRequest::default()).await.unwrap().rows;
    people.sort_by(|a, b| a.phone.cmp(&b.phone));
    people
}

fn counts(report: &ImportReport) -> [i64; 6] {
    [report.rows, report.created, report.updated, report.unchanged, report.duplicates, report.rejected]
}

async fn repaired(env: &TestEnv, id: ImportId) -> String {
    let stream = imports::rejects_csv(&env.engine, &env.admin, id).await.unwrap();
    let parts: Vec<Bytes> = stream.boxed().try_collect().await.unwrap();
    String::from_utf8(parts.concat()).unwrap()
}

both! {
    async fn every_row_is_counted_once(env: TestEnv) {
        env.user("+12025550140").name("Old").create().await;
        env.user("+12025550141").name("Same").create().await;
        let file = "phone,name,city\n\
            202-555-0140,New,Bonn\n\
            +12025550141,Same,\n\
            (202) 555-0142,Ann,Bonn\n\
            +1 202 555 0142,,Kiel\n\
            12,Short,\n\
            ,,\n\
            +12025550143,\"Open,\n\
            +12025550144,Bo,\n";
        let done = import(&env, file, |_| {}).await;
        assert_eq!(done.status, ImportStatus::Completed, "{:?}", done.failure);
        assert_eq!(counts(&done.report), [7, 2, 1, 1, 1, 2]);
        assert_eq!(done.bytes_done, file.len() as i64);
        assert_eq!(done.report.without_consent, 4);
        let people = everyone(&env).await;
        assert_eq!(people.len(), 4);
        assert_eq!((people[0].name.as_deref(), people[0].attributes["city"].as_str()), (Some("New"), Some("Bonn")));
        assert_eq!((people[2].name.as_deref(), people[2].attributes["city"].as_str()), (Some("Ann"), Some("Kiel")));
        let rejects = imports::rejects(&env.engine, &env.admin, done.id, &PageRequest::default()).await.unwrap().rows;
        let found: Vec<_> = rejects.iter().map(|reject| (reject.line, reject.reason.as_str())).collect();
        assert_eq!(found[1], (8, "open_quote"));
        assert_eq!((found[0].0, rejects[0].field.as_deref()), (6, Some("phone")));
        assert_eq!(done.report.reasons.iter().map(|(_, count)| count).sum::<i64>(), 2);
        let csv = repaired(&env, done.id).await;
        assert!(csv.starts_with("phone,name,city,import_line,import_reason\n12,Short,,6,"), "{csv}");
    }

    async fn the_same_file_again_changes_nothing(env: TestEnv) {
        let file = "phone,name,tags\n+12025550142,Ann,a\n+12025550143,Bo,b\n";
        assert_eq!(counts(&import(&env, file, |_| {}).await.report), [2, 2, 0, 0, 0, 0]);
        let before = everyone(&env).await;
        env.advance(std::time::Duration::from_secs(60));
        assert_eq!(counts(&import(&env, file, |_| {}).await.report), [2, 0, 0, 2, 0, 0]);
        assert_eq!(everyone(&env).await, before);
    }

    async fn consent_comes_with_evidence_and_never_lifts_a_stop(env: TestEnv) {
        env.user("+12025550140").opted_out(Channel::Sms).create().await;
        let file = "phone,sms_consent\n+12025550140,yes\n+12025550141,yes\n+12025550142,no\n+12025550143,\n+12025550144,maybe\n";
        let done = import(&env, file, |options| options.whatsapp_evidence = "Shop form, May 2026".into()).await;
        assert_eq!(counts(&done.report), [5, 3, 0, 1, 0, 1]);
        assert_eq!((done.report.sms_opted_in, done.report.whatsapp_opted_in, done.report.kept_opted_out), (1, 4, 1));
        let states: Vec<_> = everyone(&env).await.iter().map(|user| user.consents[0].state).collect();
        use ConsentState::{None, OptedIn, OptedOut};
        assert_eq!(states, [OptedOut, OptedIn, OptedOut, None]);
        let ann = everyone(&env).await.remove(1).id;
        let ledger = users::get(&env.engine, &env.admin, ann).await.unwrap().ledger;
        assert_eq!(ledger.len(), 2);
        assert!(ledger.iter().any(|event| event.evidence == "import of \"people.csv\", line 3: Shop form, May 2026"));
        assert_eq!(consents::refold(&env.engine).await.unwrap(), []);
    }

    async fn without_a_word_about_consent_people_come_in_without(env: TestEnv) {
        let done = import(&env, "phone\n+12025550141\n+12025550142\n", |_| {}).await;
        assert_eq!((done.report.created, done.report.without_consent), (2, 2));
        assert!(everyone(&env).await.iter().all(|user| user.consents.iter().all(|view| view.state == ConsentState::None)));
    }

    async fn topics_are_subscribed_where_nobody_chose(env: TestEnv) {
        let form = TopicForm { key: "offers".into(), name: "Offers".into(), kind: TopicKind::OptIn };
        let topic = topics::create(&env.engine, &env.admin, &form).await.unwrap();
        let ann = env.user("+12025550141").create().await.id;
        let left = domain::topic::SubscriptionState::Unsubscribed;
        engine::subscriptions::set(&env.engine, &env.admin, ann, topic.id, left, "told us").await.unwrap();
        let file = "phone,topics\n+12025550141,offers\n+12025550142,Offers\n+12025550143,news\n";
        let done = import(&env, file, |_| {}).await;
        assert_eq!(counts(&done.report), [3, 1, 0, 1, 0, 1]);
        assert_eq!(done.report.reasons, [("unknown_topic".to_owned(), 1)]);
        let topic = topics::list(&env.engine, &env.admin).await.unwrap().remove(0);
        assert_eq!((topic.subscribed, topic.unsubscribed), (1, 1));
        assert_eq!(consents::refold(&env.engine).await.unwrap(), []);
    }

    async fn objects_keep_their_types(env: TestEnv) {
        let file = "[{\"phone\":\"+12025550141\",\"attributes\":{\"tags\":[\"a\",\"b\"],\"vip\":true,\"age\":30}},\n\
            {\"phone\":\"+12025550142\",\"x\":},{\"phone\":\"+12025550143\"}]";
        let done = import(&env, file, |_| {}).await;
        assert_eq!(counts(&done.report), [3, 2, 0, 0, 0, 1]);
        let ann = everyone(&env).await.remove(0);
        assert_eq!(serde_json::Value::Object(ann.attributes), serde_json::json!({ "tags": ["a", "b"], "vip": true, "age": 30 }));
    }

    async fn a_file_that_breaks_off_is_found_out_before_anything_goes_in(env: TestEnv) {
        let done = import(&env, "[{\"phone\":\"+12025550141\"},\n{\"phone\":", |_| {}).await;
        assert_eq!(done.status, ImportStatus::Failed);
        assert!(done.failure.is_some_and(|why| why.contains("line 2")));
        assert_eq!((done.report.created, everyone(&env).await.len()), (1, 0));
        let undo = imports::undo(&env.engine, &env.admin, done.id).await;
        assert!(matches!(undo, Err(Error::Conflict { .. })));
    }

    async fn a_crash_resumes_after_the_last_batch(env: TestEnv) {
        let mut file = "phone,name\n".to_owned();
        for n in 0..9_000 {
            // Everyone stands in the file twice, 4,500 rows apart: in another batch.
            file += &format!("+1202555{:04},User {}\n", n % 4_500, n % 4_500);
        }
        let uploaded = upload(&env, file.as_bytes()).await.unwrap();
        judge(&env, uploaded.id, &uploaded.options).await;
        imports::apply(&env.engine, &env.admin, uploaded.id, true).await.unwrap();
        let bells = env.take_jobs();
        assert_eq!(bells, [Doorbell::Import(uploaded.id)]);
        let running = imports::run(&env.engine, uploaded.id);
        let watched = async {
            loop {
                let view = imports::get(&env.engine, &env.admin, uploaded.id).await.unwrap();
                if view.report.rows >= 4_000 { return }
                tokio::task::yield_now().await;
            }
        };
        // The run is dropped in the middle, as a killed process drops it; or it is through before anyone looks.
        tokio::select! { biased; () = watched => {}, ended = running => ended.unwrap() }
        imports::run(&env.engine, uploaded.id).await.unwrap();
        let done = imports::get(&env.engine, &env.admin, uploaded.id).await.unwrap();
        assert_eq!(done.status, ImportStatus::Completed, "{:?}", done.failure);
        let report = done.report;
        assert_eq!(report.rows, 9_000);
        assert_eq!(report.created + report.duplicates + report.rejected, 9_000);
        assert_eq!(report.created, report.duplicates);
        let tx = env.engine.db.begin().await.unwrap();
        let marked: Option<i64> = db::scalar(&tx, "SELECT count(*) AS value FROM import_rows", values![]).await.unwrap();
        let people: Option<i64> = db::scalar(&tx, "SELECT count(*) AS value FROM users", values![]).await.unwrap();
        assert_eq!((marked, people), (Some(report.created), Some(report.created)));
    }

    async fn batches_that_go_in_at_once_are_as_one_after_the_other(env: TestEnv) {
        import(&env, "phone,whatsapp_id,name\n+12025550140,DE.1111111111111111,Ann\n", |_| {}).await;
        // The first of these rows is in the first batch, the last in the second.
        let file = |area: u32, early: &str, late: &str| {
            let filler = |n: u32| format!("+1{area}555{n:04},,User {n},yes\n");
            let mut text = "phone,whatsapp_id,name,sms consent\n".to_owned();
            text.extend((0..4_100).map(|n| match n {
                10 if !early.is_empty() => format!("{early}\n"),
                4_090 if !late.is_empty() => format!("{late}\n"),
                n => filler(n),
            }));
            text
        };
        for (area, early, late, expected, name) in [
            // Nothing that both are about.
            (303, "", "", [4_100, 4_100, 0, 0, 0, 0], "Ann"),
            // The same number in both.
            (312, "+12025550140,,Anna,", "+12025550140,,Anne,", [4_100, 4_098, 1, 0, 1, 0], "Anne"),
            // The same person by two addresses.
            (415, "+12025550140,,Anna,", ",DE.1111111111111111,Ann B,", [4_100, 4_098, 1, 0, 1, 0], "Ann B"),
            // Somebody new who stands in both.
            (720, "+12065550140,,Bo,no", "+12065550140,,Bob,", [4_100, 4_099, 0, 0, 1, 0], "Ann B"),
        ] {
            let done = import(&env, &file(area, early, late), |_| {}).await;
            assert_eq!(done.status, ImportStatus::Completed, "{area}: {:?}", done.failure);
            assert_eq!(counts(&done.report), expected, "{area}");
            let ann = users::list(&env.engine, &env.admin, "phone = \"+12025550140\"", &PageRequest::default()).await.unwrap();
            assert_eq!(ann.rows[0].name.as_deref(), Some(name), "{area}");
        }
        let bo = users::list(&env.engine, &env.admin, "phone = \"+12065550140\"", &PageRequest::default()).await.unwrap();
        assert_eq!((bo.rows[0].name.as_deref(), bo.rows[0].consents[0].state), (Some("Bob"), ConsentState::OptedOut));
        assert_eq!(consents::refold(&env.engine).await.unwrap(), []);
    }

    async fn what_is_no_list_is_refused_and_leaves_nothing(env: TestEnv) {
        for file in [&b"PK\x03\x04zip"[..], b"\x1f\x8b\x08gzip", b"a\0\x01\x02\x03\x04\0\0\x01\0", b"", b"[]"] {
            let refused = upload(&env, file).await;
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{file:?}: {refused:?}");
        }
        assert_eq!(std::fs::read_dir(&env.engine.limits.upload_dir).unwrap().count(), 0);
        assert!(imports::list(&env.engine, &env.admin, &PageRequest::default()).await.unwrap().rows.is_empty());
    }

    async fn an_import_is_applied_once_and_only_after_its_check(env: TestEnv) {
        let uploaded = upload(&env, b"phone\n+12025550141\n").await.unwrap();
        let early = imports::apply(&env.engine, &env.admin, uploaded.id, true).await;
        assert!(matches!(early, Err(Error::Conflict { .. })));
        let mut options = uploaded.options.clone();
        options.mapping.columns = vec![None];
        let unmapped = imports::check(&env.engine, &env.admin, uploaded.id, &options).await;
        assert!(matches!(unmapped, Err(Error::Invalid { .. })));
        judge(&env, uploaded.id, &uploaded.options).await;
        // Other choices, another look.
        judge(&env, uploaded.id, &ImportOptions { sms_evidence: "Shop form".into(), ..uploaded.options }).await;
        assert_eq!(applied(&env, uploaded.id).await.report.sms_opted_in, 1);
        let again = imports::apply(&env.engine, &env.admin, uploaded.id, true).await;
        assert!(matches!(again, Err(Error::Conflict { .. })));
        assert_eq!(std::fs::read_dir(&env.engine.limits.upload_dir).unwrap().count(), 0);
    }

    async fn repairs_are_offered_counted_and_made_when_chosen(env: TestEnv) {
        let file = "phone,name\n12025550141,Ann\n9.4771234567E+10,Bo\n9.477E+10,Cy\nDee,+12025550142\nMobile: +12025550143 (work),Eve\n";
        let uploaded = upload(&env, file.as_bytes()).await.unwrap();
        let options = ImportOptions { default_region: Some("DE".into()), ..uploaded.options };
        let options = ImportOptions { mapping: Mapping { columns: vec!["phone".parse().ok(), "name".parse().ok()] }, ..options };
        let report = judge(&env, uploaded.id, &options).await.report;
        let offers: Vec<_> = report.offers.iter().map(|offer| (offer.repair, offer.rows)).collect();
        assert!(offers.contains(&(Repair::Exponent, 1)) && offers.contains(&(Repair::Swapped, 1)), "{offers:?}");
        let repairs = Repair::ALL.iter().copied().collect();
        let report = judge(&env, uploaded.id, &ImportOptions { repairs, ..options }).await.report;
        assert_eq!((report.rejected, report.offers.len()), (1, 0), "{:?}", report.reasons);
        assert_eq!(report.reasons, [("scientific_notation".to_owned(), 1)]);
        applied(&env, uploaded.id).await;
        let people = everyone(&env).await;
        assert_eq!(people.len(), 4);
        assert!(people.iter().any(|user| user.name.as_deref() == Some("Dee")));
    }

    async fn policies_say_what_the_file_may_change(env: TestEnv) {
        env.user("+12025550141").name("Ann").create().await;
        let file = "phone,name,city\n+12025550141,Anna,<clear>\n+12025550142,Bo,Bonn\n";
        let policy = |options: &mut ImportOptions, policy| {
            options.policies.0.insert("name".into(), policy);
            options.clear_mark = "<clear>".into();
        };
        let done = import(&env, file, |options| policy(options, Policy::Keep)).await;
        assert_eq!(counts(&done.report), [2, 1, 0, 1, 0, 0]);
        assert_eq!(everyone(&env).await[0].name.as_deref(), Some("Ann"));
        let done = import(&env, "phone,name,city\n+12025550142,<clear>,<clear>\n", |options| {
            // The policies of the last file with these columns are proposed again.
            assert_eq!(options.policies.of(&"name".parse().unwrap()), Policy::Keep);
            options.policies = Policies::default();
        })
        .await;
        assert_eq!(done.report.updated, 1);
        let bo = everyone(&env).await.remove(1);
        assert_eq!((bo.name, bo.attributes.len()), (None, 0));
    }

    async fn what_was_chosen_is_proposed_again(env: TestEnv) {
        import(&env, "phone,Ort\n+12025550141,Bonn\n", |options| {
            options.mapping.columns[1] = Some("attributes.city".parse().unwrap());
            options.sms_evidence = "Shop form".into();
        })
        .await;
        let again = upload(&env, b"phone,Ort\n+12025550142,Kiel\n").await.unwrap();
        assert_eq!(again.options.mapping.columns[1].as_ref().unwrap().to_string(), "attributes.city");
        assert_eq!((again.options.default_region.as_deref(), again.options.sms_evidence.as_str()), (Some("US"), ""));
    }

    async fn declared_attributes_hold_what_they_say(env: TestEnv) {
        let form = AttributeForm { name: "age".into(), kind: AttributeKind::Number, description: String::new() };
        attributes::create(&env.engine, &env.admin, &form).await.unwrap();
        let done = import(&env, "phone,age\n+12025550141,30\n+12025550142,old\n", |_| {}).await;
        assert_eq!(counts(&done.report), [2, 1, 0, 0, 0, 1]);
        assert_eq!(done.report.reasons, [("bad_attribute".to_owned(), 1)]);
        assert_eq!(everyone(&env).await[0].attributes["age"], 30);
    }

    async fn numbers_counted_up_need_a_second_look(env: TestEnv) {
        let rows: String = (0..80).rev().map(|n| format!("+1202555{:04}\n", 1_000 + n)).collect();
        let uploaded = upload(&env, format!("phone\n{rows}").as_bytes()).await.unwrap();
        let checked = judge(&env, uploaded.id, &uploaded.options).await;
        assert_eq!((checked.report.sequences.longest, checked.report.sequences.in_runs), (80, 80));
        let refused = imports::apply(&env.engine, &env.admin, uploaded.id, false).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })));
        assert_eq!(applied(&env, uploaded.id).await.report.created, 80);
    }

    async fn undoing_takes_back_what_nobody_touched_since(env: TestEnv) {
        env.user("+12025550140").name("Old").create().await;
        env.user("+12025550141").name("Kept").create().await;
        let file = "phone,name,city\n+12025550140,New,Bonn\n+12025550141,Changed,Kiel\n+12025550142,Ann,\n+12025550143,Bo,\n";
        let done = import(&env, file, |options| options.sms_evidence = "Shop form".into()).await;
        assert_eq!(counts(&done.report), [4, 2, 2, 0, 0, 0]);
        env.advance(std::time::Duration::from_secs(60));
        let people = everyone(&env).await;
        let form = UserForm { phone: "+12025550141".into(), name: "By hand".into(), ..UserForm::default() };
        users::update(&env.engine, &env.admin, people[1].id, &form).await.unwrap();
        let own = consents::record(&env.engine, &env.admin, people[3].id, Channel::Sms, ConsentKind::OptOut, "told us").await;
        own.unwrap();
        imports::undo(&env.engine, &env.admin, done.id).await.unwrap();
        env.run_jobs().await;
        let undone = imports::get(&env.engine, &env.admin, done.id).await.unwrap();
        assert_eq!((undone.status, undone.report.undone, undone.report.kept), (ImportStatus::Undone, (1, 2), 1));
        let people = everyone(&env).await;
        let names: Vec<_> = people.iter().map(|user| user.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["Old", "By hand", "Bo"]);
        assert!(people.iter().all(|user| user.attributes.is_empty()));
        let states: Vec<_> = people.iter().map(|user| user.consents[0].state).collect();
        assert_eq!(states, [ConsentState::None, ConsentState::None, ConsentState::OptedOut]);
        assert_eq!(consents::refold(&env.engine).await.unwrap(), []);
        let again = imports::undo(&env.engine, &env.admin, done.id).await;
        assert!(matches!(again, Err(Error::Conflict { .. })));
    }

    async fn undoing_leaves_an_address_to_whoever_has_it_now(env: TestEnv) {
        import(&env, "phone,whatsapp_id,name\n+12025550140,DE.1111111111111111,Ann\n", |_| {}).await;
        let moved = "phone,whatsapp_id,name\n+12025550140,DE.2222222222222222,Anna\n";
        let done = import(&env, moved, |_| {}).await;
        assert_eq!(done.report.updated, 1);
        import(&env, "whatsapp_id,name\nDE.1111111111111111,Bo\n", |_| {}).await;
        imports::undo(&env.engine, &env.admin, done.id).await.unwrap();
        env.run_jobs().await;
        let undone = imports::get(&env.engine, &env.admin, done.id).await.unwrap();
        assert_eq!((undone.status, undone.report.undone), (ImportStatus::Undone, (0, 1)));
        let people = everyone(&env).await;
        let known: Vec<_> = people.iter().map(|user| (user.name.as_deref(), user.whatsapp_id.as_deref())).collect();
        assert_eq!(known, [(Some("Bo"), Some("DE.1111111111111111")), (Some("Ann"), Some("DE.2222222222222222"))]);
    }

    async fn who_was_merged_is_whoever_they_became(env: TestEnv) {
        let ann = env.user("+12025550140").opted_in(Channel::Sms).create().await;
        let bo = env.user("+12025550141").opted_in(Channel::Sms).create().await;
        users::merge(&env.engine, &env.admin, ann.id, bo.id).await.unwrap();
        let file = "phone,name,sms consent\n+12025550140,Bo Lee,no\n+12025550141,Bo Lee,\n";
        let done = import(&env, file, |_| {}).await;
        assert_eq!(counts(&done.report), [2, 0, 1, 0, 1, 0]);
        let people = everyone(&env).await;
        assert_eq!((people.len(), people[0].name.as_deref()), (1, Some("Bo Lee")));
        assert_eq!(people[0].consents[0].state, ConsentState::OptedOut);
    }

    async fn a_wrong_guess_of_the_encoding_is_put_right(env: TestEnv) {
        // In Cyrillic of one byte a letter; read as if it were Western.
        let file = b"phone,name\n+12025550140,\xc0\xed\xed\xe0\n";
        let uploaded = upload(&env, file).await.unwrap();
        let options = |encoding: &str| ImportOptions { encoding: Some(encoding.into()), ..uploaded.options.clone() };
        for wrong in ["nonsense", "UTF-16LE"] {
            let refused = imports::check(&env.engine, &env.admin, uploaded.id, &options(wrong)).await;
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{wrong}: {refused:?}");
        }
        let western = judge(&env, uploaded.id, &options("windows-1252")).await;
        assert_eq!((western.encoding.as_str(), western.sample[0][1].as_str()), ("windows-1252", "Àííà"));
        let cyrillic = judge(&env, uploaded.id, &options("windows-1251")).await;
        assert_eq!((cyrillic.encoding.as_str(), cyrillic.sample[0][1].as_str()), ("windows-1251", "Анна"));
        // Without a word it stays so.
        assert_eq!(judge(&env, uploaded.id, &uploaded.options).await.encoding, "windows-1251");
        applied(&env, uploaded.id).await;
        assert_eq!(everyone(&env).await[0].name.as_deref(), Some("Анна"));
    }

    async fn whoever_is_erased_leaves_what_imports_show(env: TestEnv) {
        let file = "phone,name\n+12025550140,Ann Secret\n+12025550141,Bo\n(202) 555-0140,Ann Secret,more\n12025550140,\"Ann \nSecret\"\n";
        let uploaded = upload(&env, file.as_bytes()).await.unwrap();
        let checked = judge(&env, uploaded.id, &uploaded.options).await;
        assert_eq!((checked.report.rejected, checked.report.offers.len()), (2, 1));
        // One that is only checked, too.
        judge(&env, upload(&env, file.as_bytes()).await.unwrap().id, &uploaded.options).await;
        applied(&env, uploaded.id).await;
        let ann = everyone(&env).await.remove(0);
        users::remove(&env.engine, &env.admin, ann.id, users::After::Suppress).await.unwrap();
        let shown: Vec<(String, String)> = {
            let mut shown = Vec::new();
            for one in imports::list(&env.engine, &env.admin, &PageRequest::default()).await.unwrap().rows {
                shown.push((format!("{one:?}"), repaired(&env, one.id).await));
            }
            shown
        };
        for (view, rejects) in shown {
            assert!(!view.contains("Secret") && !view.contains("0140"), "{view}");
            assert!(!rejects.contains("Secret") && rejects.contains("(erased)"), "{rejects}");
            assert!(view.contains("5550141"), "others stay: {view}");
        }
    }

    async fn what_no_database_holds_is_reported_where_it_stands(env: TestEnv) {
        let first: String = (0..1_000).map(|n| format!("{{\"phone\":\"+1202555{n:04}\"}}\n")).collect();
        let file = format!("{first}{{\"phone\":\"+12025559999\",\"a\\u0000b\":1}}\n");
        let uploaded = upload(&env, file.as_bytes()).await.unwrap();
        let checked = judge(&env, uploaded.id, &uploaded.options).await;
        assert_eq!((checked.status, checked.report.rejected), (ImportStatus::Checked, 1));
        let umlauts = "\u{f6}".repeat(20);
        let rows = ["phone,name,note\n+12025550140,Ann,a\0b", &umlauts, "\n+12025550141,Bo,"].concat();
        let file = [rows.as_bytes(), b"\xff\n+12025550142,C\0,\n\0+12025550143,D,\n"].concat();
        let uploaded = upload(&env, &file).await.unwrap();
        let mut options = uploaded.options.clone();
        options.mapping.columns[2] = None;
        let checked = judge(&env, uploaded.id, &options).await;
        let report = &checked.report;
        assert_eq!((report.rows, report.rejected, report.damaged, report.damaged_rows.as_slice()), (4, 2, 2, &[2, 3][..]));
    }

    async fn an_upload_that_nobody_applies_goes_away(env: TestEnv) {
        let uploaded = upload(&env, b"phone\n+12025550141\n").await.unwrap();
        env.advance(std::time::Duration::from_secs(8 * 24 * 3_600));
        imports::expire(&env.engine).await.unwrap();
        let gone = imports::get(&env.engine, &env.admin, uploaded.id).await.unwrap();
        assert_eq!(gone.status, ImportStatus::Failed);
        assert_eq!(std::fs::read_dir(&env.engine.limits.upload_dir).unwrap().count(), 0);
    }
}
