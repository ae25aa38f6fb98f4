//! The list of what people wrote.

use domain::{ids::InboundId, inbound::InboundKind, page::PageRequest};
use engine::{
    Error, both, inbound,
    testing::TestEnv,
    twilio::{signature::Params, webhook},
};

/// Somebody writes, as the `n`th message.
async fn write(env: &TestEnv, n: u32, from: &str, body: &str) {
    let fields = [
        ("MessageSid", format!("SM{n:032x}")),
        ("AccountSid", simulator::ACCOUNT_SID.to_owned()),
        ("From", from.to_owned()),
        ("To", simulator::LONG_CODE.to_owned()),
        ("Body", body.to_owned()),
        ("NumMedia", "0".to_owned()),
    ];
    let params: Params = fields.into_iter().collect();
    let webhook = webhook::inbound(params, simulator::ACCOUNT_SID).unwrap();
    inbound::receive(&env.engine, webhook, format!("message {n}")).await.unwrap();
}

both! {
    async fn it_is_paged_newest_first_and_narrowed_by_kind_and_person(env: TestEnv) {
        let ada = env.user("+12025550143").name("Ada").create().await;
        for n in 0..4 {
            write(&env, n, "+12025550143", &format!("Hello {n}")).await;
        }
        write(&env, 4, "+12025550144", "Hi").await;
        write(&env, 5, "+12025550143", "STOP").await;
        let all = async |kind, user| {
            let mut found = Vec::new();
            let mut page = PageRequest { after: None, limit: 2 };
            loop {
                let next = inbound::list(&env.engine, &env.admin, kind, user, &page).await.unwrap();
                found.extend(next.rows);
                match next.next {
                    Some(after) => page.after = Some(after),
                    None => return found,
                }
            }
        };
        let everything = all(None, None).await;
        let bodies: Vec<&str> = everything.iter().map(|message| message.body.as_str()).collect();
        assert_eq!(bodies, ["STOP", "Hi", "Hello 3", "Hello 2", "Hello 1", "Hello 0"]);
        assert_eq!((everything[0].kind, everything[0].user_id), (InboundKind::Stop, ada.id));
        assert_eq!(everything[0].user_name.as_deref(), Some("Ada"));
        assert_eq!(everything[0].to, simulator::LONG_CODE);
        assert_eq!(all(Some(InboundKind::Stop), None).await.len(), 1);
        assert_eq!(all(Some(InboundKind::Message), None).await.len(), 5);
        assert_eq!(all(None, Some(ada.id)).await.len(), 5);
        assert_eq!(all(Some(InboundKind::Message), Some(ada.id)).await.len(), 4);
        assert_eq!(all(Some(InboundKind::Help), None).await, []);
        let nonsense = PageRequest::after(Some("nonsense".to_owned()));
        let refused = inbound::list(&env.engine, &env.admin, None, None, &nonsense).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })));
        let ids: Vec<InboundId> = everything.iter().map(|message| message.id).collect();
        assert!(ids.windows(2).all(|pair| pair[0] > pair[1]));
        env.leave_jobs();
    }
}
