//! A campaign's life before and around its messages.

use chrono::{DateTime, NaiveDateTime, Utc};
use domain::{
    campaign::{Approval, CampaignForm, CampaignStatus, Listed, Start},
    compliance::Gate,
    ids::{CampaignId, MessageKey},
    operator::Role,
    page::PageRequest,
    phone::Channel,
};
use engine::{Actor, Error, audit, both, campaigns, dead_letters, forecasts, messages, templates, testing::TestEnv};
use std::time::Duration;

fn number(n: u32) -> String {
    format!("+1202555{:04}", 3_000 + n)
}

async fn names(env: &TestEnv, listed: Listed) -> Vec<CampaignId> {
    let page = campaigns::list(&env.engine, &env.admin, listed, &PageRequest::default()).await.unwrap();
    page.rows.into_iter().map(|row| row.campaign.id).collect()
}

async fn status(env: &TestEnv, id: CampaignId) -> CampaignStatus {
    campaigns::get(&env.engine, &env.admin, id).await.unwrap().campaign.status
}

async fn approval(env: &TestEnv, id: CampaignId) -> Approval {
    campaigns::get(&env.engine, &env.admin, id).await.unwrap().campaign.approval
}

/// The field that stands against it.
fn field<T: std::fmt::Debug>(answer: engine::Result<T>) -> String {
    match answer.unwrap_err() {
        Error::Invalid { errors } => errors[0].pointer.clone(),
        other => panic!("{other:?}"),
    }
}

async fn sent_to(env: &TestEnv) -> Vec<String> {
    let mut to: Vec<String> = env.simulator.truth().into_iter().map(|entry| entry.to).collect();
    to.sort();
    to
}

async fn asked(env: &TestEnv, marketer: &Actor) -> CampaignId {
    env.user(&number(0)).name("Ann").opted_in(Channel::Sms).create().await;
    campaigns::require_approval(&env.engine, &env.admin, true).await.unwrap();
    let draft = env.campaign().create().await;
    campaigns::propose(&env.engine, marketer, draft.id).await.unwrap();
    draft.id
}

both! {
    async fn a_draft_can_be_deleted_and_what_was_launched_cannot(env: TestEnv) {
        env.user(&number(0)).name("Ann").opted_in(Channel::Sms).create().await;
        let draft = env.campaign().create().await;
        forecasts::ask(&env.engine, &env.admin, draft.id).await.unwrap();
        campaigns::require_approval(&env.engine, &env.admin, true).await.unwrap();
        campaigns::propose(&env.engine, &env.admin, draft.id).await.unwrap();
        campaigns::require_approval(&env.engine, &env.admin, false).await.unwrap();
        campaigns::delete(&env.engine, &env.admin, draft.id).await.unwrap();
        // The dry run that was asked for finds nothing to do.
        env.run_jobs().await;
        assert!(dead_letters::list(&env.engine, &env.admin, None, &PageRequest::default()).await.unwrap().rows.is_empty());
        assert_eq!(names(&env, Listed::All).await, []);
        let gone = campaigns::get(&env.engine, &env.admin, draft.id).await.unwrap_err();
        assert!(matches!(gone, Error::NotFound { .. }), "{gone:?}");
        let again = campaigns::delete(&env.engine, &env.admin, draft.id).await.unwrap_err();
        assert!(matches!(again, Error::NotFound { .. }), "{again:?}");
        let entries = audit::list(&env.engine, &env.admin, &PageRequest::default()).await.unwrap().rows;
        assert_eq!((entries[0].action.as_str(), entries[0].target.clone()), ("campaign.delete", format!("campaign:{}", draft.id)));
        templates::delete(&env.engine, &env.admin, draft.form.template.unwrap()).await.unwrap();

        let launched = env.campaign().create().await;
        let at = env.engine.clock.now() + chrono::TimeDelta::days(1);
        campaigns::schedule(&env.engine, &env.admin, launched.id, at).await.unwrap();
        let scheduled = campaigns::delete(&env.engine, &env.admin, launched.id).await.unwrap_err();
        assert!(matches!(scheduled, Error::Conflict { .. }), "{scheduled:?}");
        campaigns::launch(&env.engine, &env.admin, launched.id).await.unwrap();
        env.run_jobs().await;
        let done = campaigns::delete(&env.engine, &env.admin, launched.id).await.unwrap_err();
        assert!(matches!(done, Error::Conflict { .. }), "{done:?}");
        assert_eq!(sent_to(&env).await, [number(0)]);
    }

    async fn everyone_gets_it_at_the_hour_of_their_own_clock(env: TestEnv) {
        // It is 17:00 UTC. The person without a zone has a number of Washington state and Idaho.
        let people = [("+12025553001", "Asia/Singapore"), ("+12025553002", "Europe/Berlin"), ("+12025553003", "America/Los_Angeles")];
        for (phone, zone) in people {
            env.user(phone).zone(zone).opted_in(Channel::Sms).create().await;
        }
        env.user("+12082005550").opted_in(Channel::Sms).create().await;
        let draft = env.campaign().create().await;
        let at: NaiveDateTime = "2026-06-03T10:00:00".parse().unwrap();
        let campaign = campaigns::schedule(&env.engine, &env.admin, draft.id, at).await.unwrap();
        assert_eq!(campaign.scheduled_at, Some("2026-06-02T20:00:00Z".parse().unwrap()));
        assert_eq!(campaign.form.start, Start::Local { at });
        let mut sent = Vec::new();
        for hour in 0..28 {
            env.sweep().await;
            let log = env.simulator.truth();
            for entry in &log[sent.len()..] {
                let utc: DateTime<Utc> = env.engine.clock.now();
                sent.push(format!("{} {}", &entry.to, utc.format("%dT%H")));
            }
            if hour == 4 {
                let decisions = messages::get(&env.engine, &env.admin, MessageKey { campaign: draft.id, seq: 2 }).await.unwrap().decisions;
                assert_eq!(decisions[0].gate, Gate::Schedule);
                assert_eq!(decisions[0].fact, "the campaign's time of day comes later in Europe/Berlin");
                assert_eq!(decisions[0].next_at, Some("2026-06-03T08:00:00Z".parse().unwrap()));
            }
            env.advance(Duration::from_secs(3600));
        }
        sent.sort();
        assert_eq!(sent, ["+12025553001 03T02", "+12025553002 03T08", "+12025553003 03T17", "+12082005550 03T17"]);
        assert_eq!(status(&env, draft.id).await, CampaignStatus::Completed);
    }

    async fn a_local_time_is_refused_once_it_has_passed_everywhere(env: TestEnv) {
        env.user(&number(0)).zone("America/Los_Angeles").opted_in(Channel::Sms).create().await;
        let draft = env.campaign().create().await;
        let local = |text: &str| text.parse::<NaiveDateTime>().unwrap();
        let refused = campaigns::schedule(&env.engine, &env.admin, draft.id, local("2026-06-02T05:00:00")).await;
        assert_eq!(field(refused), "/scheduled_at");
        // 09:30 has passed in most places, and comes in Los Angeles never again: who is past it gets it at once.
        campaigns::schedule(&env.engine, &env.admin, draft.id, local("2026-06-02T09:30:00")).await.unwrap();
        env.sweep().await;
        assert_eq!(sent_to(&env).await, [number(0)]);
    }

    async fn a_launch_now_forgets_the_time(env: TestEnv) {
        env.user(&number(0)).zone("America/Los_Angeles").opted_in(Channel::Sms).create().await;
        let at: NaiveDateTime = "2026-06-05T10:00:00".parse().unwrap();
        let draft = env.campaign().form(|form| form.start = at.into()).create().await;
        assert_eq!(draft.form.start, Start::Local { at });
        let launched = campaigns::launch(&env.engine, &env.admin, draft.id).await.unwrap();
        assert_eq!(launched.form.start, Start::Now);
        env.run_jobs().await;
        assert_eq!(sent_to(&env).await, [number(0)]);
    }

    async fn a_campaign_that_rests_can_be_put_away(env: TestEnv) {
        env.user(&number(0)).opted_in(Channel::Sms).create().await;
        let draft = env.campaign().create().await;
        let away = campaigns::archive(&env.engine, &env.admin, draft.id, true).await.unwrap();
        assert!(away.archived_at.is_some());
        assert_eq!(names(&env, Listed::All).await, []);
        assert_eq!(names(&env, Listed::Status(CampaignStatus::Draft)).await, []);
        assert_eq!(names(&env, Listed::Archived).await, [draft.id]);
        let refused = campaigns::launch(&env.engine, &env.admin, draft.id).await.unwrap_err();
        assert!(matches!(refused, Error::Conflict { .. }), "{refused:?}");
        campaigns::archive(&env.engine, &env.admin, draft.id, false).await.unwrap();
        assert_eq!(names(&env, Listed::All).await, [draft.id]);
        campaigns::launch(&env.engine, &env.admin, draft.id).await.unwrap();
        let refused = campaigns::archive(&env.engine, &env.admin, draft.id, true).await.unwrap_err();
        assert_eq!(refused.to_string(), "a campaign that is running cannot be put away");
        env.run_jobs().await;
        campaigns::archive(&env.engine, &env.admin, draft.id, true).await.unwrap();
    }

    async fn a_copy_starts_anew(env: TestEnv) {
        let at = env.engine.clock.now() + chrono::Duration::hours(1);
        let draft = env.campaign().form(|form| {
            form.name = "x".repeat(200);
            form.start = at.into();
        }).create().await;
        let copy = campaigns::clone_as_draft(&env.engine, &env.admin, draft.id).await.unwrap();
        assert_eq!(copy.form.name.chars().count(), 200);
        assert_eq!(copy.form, CampaignForm { name: copy.form.name.clone(), start: Start::Now, ..draft.form });
    }

    async fn a_second_operator_must_agree(env: TestEnv) {
        let (marketer, approver) = (env.operator(Role::Marketer), env.operator(Role::Approver));
        let id = asked(&env, &marketer).await;
        assert_eq!(names(&env, Listed::ToApprove).await, [id]);
        assert!(matches!(approval(&env, id).await, Approval::Proposed { by, .. } if by == marketer.label()));
        assert_eq!(field(campaigns::launch(&env.engine, &marketer, id).await), "/approval");
        let own = campaigns::approve(&env.engine, &marketer, id).await.unwrap_err();
        assert!(matches!(own, Error::Forbidden { .. }), "{own:?}");
        campaigns::approve(&env.engine, &approver, id).await.unwrap();
        assert_eq!(names(&env, Listed::ToApprove).await, []);
        campaigns::launch(&env.engine, &marketer, id).await.unwrap();
        env.run_jobs().await;
        assert_eq!(sent_to(&env).await, [number(0)]);
        assert!(matches!(approval(&env, id).await, Approval::Approved { by, .. } if by == approver.label()));
    }

    async fn nobody_approves_their_own(env: TestEnv) {
        let id = asked(&env, &env.admin).await;
        let own = campaigns::approve(&env.engine, &env.admin, id).await.unwrap_err();
        assert_eq!(own.to_string(), "whoever proposed a campaign cannot approve it: a second operator must");
        assert_eq!(field(campaigns::launch(&env.engine, &env.admin, id).await), "/approval");
    }

    async fn every_change_voids_an_approval(env: TestEnv) {
        let (marketer, approver) = (env.operator(Role::Marketer), env.operator(Role::Approver));
        let id = asked(&env, &marketer).await;
        let form = campaigns::get(&env.engine, &env.admin, id).await.unwrap().campaign.form;
        type Change = fn(&mut CampaignForm);
        let changes: [(bool, Change); 7] = [
            (true, |form| form.canary = Some(20)),
            (false, |form| form.name = "Another name".to_owned()),
            (true, |form| form.audience.filter = "name = \"Ann\"".to_owned()),
            (true, |form| form.rate_per_second = Some(7)),
            (true, |form| form.not_before = Some("10:00".to_owned())),
            (true, |form| form.start = "2026-06-09T10:00:00".parse::<NaiveDateTime>().unwrap().into()),
            (true, |form| form.start_deadline_minutes = 5),
        ];
        for (voids, change) in changes {
            campaigns::update(&env.engine, &marketer, id, &form).await.unwrap();
            campaigns::propose(&env.engine, &marketer, id).await.unwrap();
            campaigns::approve(&env.engine, &approver, id).await.unwrap();
            let mut other = form.clone();
            change(&mut other);
            campaigns::update(&env.engine, &marketer, id, &other).await.unwrap();
            assert_eq!(approval(&env, id).await.permits(), !voids, "{other:?}");
        }
        // The text is not the campaign's own, and counts all the same.
        campaigns::update(&env.engine, &marketer, id, &form).await.unwrap();
        campaigns::propose(&env.engine, &marketer, id).await.unwrap();
        campaigns::approve(&env.engine, &approver, id).await.unwrap();
        let template = templates::get(&env.engine, &env.admin, form.template.unwrap()).await.unwrap();
        let text = domain::template::TemplateForm {
            name: template.name,
            channel: template.channel,
            body: "Something else".to_owned(),
            content_sid: String::new(),
            content_variables: Default::default(),
            locales: Default::default(),
        };
        templates::update(&env.engine, &marketer, template.id, &text).await.unwrap();
        assert_eq!(approval(&env, id).await, Approval::Void);
        assert_eq!(field(campaigns::launch(&env.engine, &marketer, id).await), "/approval");
    }

    async fn an_approved_time_is_kept(env: TestEnv) {
        let (marketer, approver) = (env.operator(Role::Marketer), env.operator(Role::Approver));
        let id = asked(&env, &marketer).await;
        let mut form = campaigns::get(&env.engine, &env.admin, id).await.unwrap().campaign.form;
        let at = env.engine.clock.now() + chrono::Duration::hours(1);
        form.start = at.into();
        campaigns::update(&env.engine, &marketer, id, &form).await.unwrap();
        campaigns::propose(&env.engine, &marketer, id).await.unwrap();
        campaigns::approve(&env.engine, &approver, id).await.unwrap();
        // Not now, and not at another time.
        assert_eq!(field(campaigns::launch(&env.engine, &marketer, id).await), "/approval");
        let later = at + chrono::Duration::hours(1);
        assert_eq!(field(campaigns::schedule(&env.engine, &marketer, id, later).await), "/approval");
        campaigns::schedule(&env.engine, &marketer, id, at).await.unwrap();
        // A change makes it a draft again, before its time can come.
        campaigns::update(&env.engine, &marketer, id, &CampaignForm { rate_per_second: Some(3), ..form.clone() }).await.unwrap();
        assert_eq!(status(&env, id).await, CampaignStatus::Draft);
        campaigns::propose(&env.engine, &marketer, id).await.unwrap();
        campaigns::approve(&env.engine, &approver, id).await.unwrap();
        campaigns::schedule(&env.engine, &marketer, id, at).await.unwrap();
        // A start that was missed may be late: the campaign is what was approved.
        env.advance(Duration::from_secs(3 * 3600));
        env.sweep().await;
        assert_eq!(status(&env, id).await, CampaignStatus::Held);
        campaigns::launch(&env.engine, &marketer, id).await.unwrap();
        env.run_jobs().await;
        assert_eq!(sent_to(&env).await, [number(0)]);
    }

    async fn an_approver_says_why_not(env: TestEnv) {
        let (marketer, approver) = (env.operator(Role::Marketer), env.operator(Role::Approver));
        let id = asked(&env, &marketer).await;
        assert_eq!(field(campaigns::decline(&env.engine, &approver, id, " ").await), "/reason");
        let declined = campaigns::decline(&env.engine, &approver, id, "too long").await.unwrap();
        assert_eq!(declined.status_reason, Some(format!("declined by {}: too long", approver.label())));
        assert_eq!(declined.approval, Approval::Missing);
        assert_eq!(names(&env, Listed::ToApprove).await, []);
    }
}
