//! The preference page: open to whoever has the link, without a sign-in and without script; only its POST changes anything.

use crate::process::Server;
use domain::{campaign::CampaignForm, consent::ConsentKind, phone::Channel, template::TemplateForm, user::UserForm};
use engine::{Actor, consents, delivery, senders, templates, users};

/// Someone with a link, and the link's path.
async fn invited(server: &Server) -> (domain::ids::UserId, String) {
    let (engine, actor) = (&server.engine, Actor::system());
    let form = UserForm { phone: "+12025550141".into(), name: "Ann".into(), ..UserForm::default() };
    let ann = users::create(engine, &actor, &form).await.unwrap().id;
    consents::record(engine, &actor, ann, Channel::Sms, ConsentKind::OptIn, "asked at the counter").await.unwrap();
    let form = TemplateForm {
        name: "Link".into(),
        channel: Channel::Sms,
        body: "{{ preferences_url }}".into(),
        content_sid: String::new(),
        content_variables: Default::default(),
        locales: Default::default(),
    };
    let template = templates::create(engine, &actor, &form).await.unwrap().id;
    let sender = senders::ensure(engine, &actor, Channel::Sms, simulator::LONG_CODE, "SMS", 10).await.unwrap().id;
    let form = CampaignForm { template: Some(template), sender: Some(sender), ..CampaignForm::default() };
    let text = delivery::rehearse(engine, &form, &[ann]).await.unwrap().remove(0).text.unwrap();
    (ann, text.strip_prefix(&server.url).expect("a link of ours").to_owned())
}

fn token(html: &str) -> String {
    let value = html.split("name=\"token\"").nth(1).and_then(|rest| rest.split("value=\"").nth(1));
    value.and_then(|rest| rest.split('"').next()).expect("a token").to_owned()
}

#[tokio::test]
async fn a_person_stops_all_messages_without_script() {
    let server = Server::start().await;
    let (ann, path) = invited(&server).await;
    let opened = server.get(&path).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    let html = opened.text().await.unwrap();
    assert!(!html.contains("<script") && !html.contains("+12025550141") && html.contains("+1202***0141"), "{html}");
    assert!(html.contains("rel=\"stylesheet\""), "{html}");
    let form = [("token", token(&html)), ("nothing", "1".to_owned())];
    let foreign = server.http.post(format!("{}{path}", server.url)).header("origin", "https://evil.example");
    assert_eq!(foreign.form(&form).send().await.unwrap().status(), 403);
    let saved = server.post(&path).form(&form).send().await.unwrap();
    assert_eq!(saved.status(), 200);
    assert!(saved.text().await.unwrap().contains("Saved."));
    let user = users::get(&server.engine, &Actor::system(), ann).await.unwrap().user;
    assert!(user.consents.iter().all(|view| view.state == domain::consent::ConsentState::OptedOut));
    let again = server.post(&path).form(&form).send().await.unwrap();
    assert_eq!(again.status(), 409);
    assert_eq!(server.get("/p/nothing").send().await.unwrap().status(), 404);
    server.stop().await;
}
