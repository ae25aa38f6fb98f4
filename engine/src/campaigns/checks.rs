//! What stands against a campaign, before it is stored and before it is launched.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    db, delivery, quiet_rules, segments, templates, values,
};
use domain::{
    brake::CANARY_MAX,
    campaign::{CampaignForm, Preview, Start},
    frequency::Cap,
    operator::Operation,
    problem::FieldProblem,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// How many people a preview shows.
const SAMPLES: u32 = 5;
/// The longest name, in characters.
pub(super) const NAME_MAX_CHARS: usize = 200;

fn problem(field: &str, detail: impl Into<String>) -> FieldProblem {
    FieldProblem { pointer: format!("/{field}"), detail: detail.into() }
}

/// Whether a campaign can be scheduled for this.
pub(super) fn start(engine: &Engine, start: Start) -> Result<()> {
    match start.passed_at() {
        None => Err(Error::invalid("scheduled_at", "choose a time")),
        Some(at) if at <= engine.clock.now() => Err(Error::invalid("scheduled_at", "this time has passed")),
        Some(_) => Ok(()),
    }
}

/// What a form must hold to be stored at all: a draft may be unfinished, but not wrong.
pub(super) async fn form(engine: &Engine, form: &CampaignForm) -> Result<()> {
    let mut problems = Vec::new();
    let name = form.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        problems.push(problem("name", format!("a name has 1 to {NAME_MAX_CHARS} characters")));
    }
    if form.rate_per_second == Some(0) {
        problems.push(problem("rate_per_second", "at least one message a second"));
    }
    if form.canary.is_some_and(|canary| canary == 0 || canary > CANARY_MAX) {
        problems.push(problem("canary", format!("1 to {CANARY_MAX} people")));
    }
    if let Some(cap) = form.frequency_cap
        && let Err(bad) = Cap::new(cap.messages, cap.days)
    {
        problems.push(problem("frequency_cap", bad.to_string()));
    }
    let conn = engine.db.read();
    let policy = quiet_rules::policy(conn).await?;
    if let Err(why) = delivery::quiet_override(&policy, form.not_before.as_deref(), form.not_after.as_deref()) {
        problems.push(problem("not_before", why));
    }
    match segments::checked(conn, &form.audience.filter, "audience/filter").await {
        Ok(_) => {}
        Err(Error::Invalid { errors }) => problems.extend(errors),
        Err(other) => return Err(other),
    }
    let known = [
        ("sender", "sender", form.sender.map(Uuid::from), "SELECT 1 AS value FROM senders WHERE id = $1"),
        ("template", "template", form.template.map(Uuid::from), "SELECT 1 AS value FROM templates WHERE id = $1"),
        ("topic", "topic", form.topic.map(Uuid::from), "SELECT 1 AS value FROM topics WHERE id = $1"),
        (
            "audience/segment",
            "segment",
            form.audience.segment.map(Uuid::from),
            "SELECT 1 AS value FROM segments WHERE id = $1",
        ),
    ];
    for (field, noun, id, sql) in known {
        if let Some(id) = id
            && db::scalar::<i32, _>(conn, sql, values![id]).await?.is_none()
        {
            problems.push(problem(field, format!("this {noun} is gone")));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid { errors: problems }) }
}

#[derive(FromQueryResult)]
struct SenderRow {
    channel: String,
    enabled: bool,
}

#[derive(FromQueryResult)]
struct TemplateRow {
    channel: String,
    version: i32,
}

/// Everything that stands against a launch, by field.
pub(super) async fn problems(engine: &Engine, campaign: &CampaignForm) -> Result<Vec<FieldProblem>> {
    let mut problems = match form(engine, campaign).await {
        Ok(()) => Vec::new(),
        Err(Error::Invalid { errors }) => return Ok(errors),
        Err(other) => return Err(other),
    };
    let conn = engine.db.read();
    let sender: Option<SenderRow> = match campaign.sender {
        None => None,
        Some(id) => db::one(conn, "SELECT channel, enabled FROM senders WHERE id = $1", values![id.0]).await?,
    };
    match &sender {
        None => problems.push(problem("sender", "choose a sender")),
        Some(sender) if !sender.enabled => problems.push(problem("sender", "this sender is switched off")),
        Some(_) => {}
    }
    let template: Option<TemplateRow> = match campaign.template {
        None => None,
        Some(id) => db::one(conn, "SELECT channel, version FROM templates WHERE id = $1", values![id.0]).await?,
    };
    let (Some(id), Some(template)) = (campaign.template, template) else {
        problems.push(problem("template", "choose a template"));
        return Ok(problems);
    };
    if let Some(sender) = sender
        && sender.channel != template.channel
    {
        problems.push(problem(
            "template",
            format!("this template is for {}, and the sender for {}", template.channel, sender.channel),
        ));
    }
    let compiled = templates::load_version(conn, id, template.version).await?;
    let known = templates::known_variables(engine).await?;
    for variable in compiled.variables() {
        if !known.contains(&variable) {
            problems.push(problem("template", format!("the template uses \"{variable}\", which nobody has")));
        }
    }
    let filter = super::audience_filter(conn, &campaign.audience).await;
    match filter {
        Ok(filter) => {
            if segments::count_matching(engine, &filter).await? == 0 {
                problems.push(problem("audience/filter", "this matches nobody"));
            }
        }
        Err(Error::Invalid { errors }) => problems.extend(errors),
        Err(other) => return Err(other),
    }
    Ok(problems)
}

/// A campaign before its launch: how many people, what some of them would get, and what stands against it. The texts and
/// verdicts come from the very code that sends.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn preview(engine: &Engine, actor: &Actor, campaign: &CampaignForm) -> Result<Preview> {
    authorize(Operation::CampaignRead, actor)?;
    let problems = problems(engine, campaign).await?;
    let mut preview = Preview { audience: 0, samples: Vec::new(), problems, warnings: Vec::new() };
    let Ok(filter) = super::audience_filter(engine.db.read(), &campaign.audience).await else {
        return Ok(preview);
    };
    preview.audience = segments::count_matching(engine, &filter).await?;
    let (Some(_), Some(_)) = (campaign.sender, campaign.template) else { return Ok(preview) };
    let people = segments::sample_ids(engine, &filter, SAMPLES).await?;
    preview.samples = delivery::rehearse(engine, campaign, &people).await?;
    if let Some(largest) = preview.samples.iter().map(|sample| sample.segments).max()
        && largest > 1
    {
        preview.warnings.push(format!("some texts take {largest} message segments, and each segment counts"));
    }
    let stopped = preview.samples.iter().filter(|sample| sample.text.is_none()).count();
    if stopped > 0 {
        preview.warnings.push(format!("{stopped} of these {} would not get a message", preview.samples.len()));
    }
    if delivery::needs_window(engine, campaign).await? {
        preview.warnings.push(
            "a WhatsApp text without an approved template reaches only those who wrote in the last 24 hours".to_owned(),
        );
    }
    Ok(preview)
}
