//! A batch of messages before the gates: what each gate asks is read in a few statements for all of them, in the claim's
//! own transaction, and then decided by `domain::compliance`.

use super::{context::Context, frequency};
use crate::{
    Engine, Result,
    db::{self, Rows},
    suppressions,
    templates::{Person, Rendered},
    values,
};
use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use domain::{
    campaign::{CampaignForm, CampaignStatus, PreviewSample},
    compliance::{Facts, Gate, Quiet, Step, Verdict, decide, steps},
    consent::ConsentState,
    ids::UserId,
    phone::{Channel, Phone},
    quiet_hours::next_allowed,
    sms,
    topic::SubscriptionState,
    zone::{Zone, jurisdiction, last_reading, zones_of},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// Whether the facts are locked against change until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// A claim: STOP waits for it, or it for STOP.
    Locked,
    /// A rehearsal.
    Free,
}

/// One message and what the gates say of it.
pub(super) struct Judged {
    /// The address as the provider takes it, if there is one.
    pub to: Option<String>,
    /// The text and content, if they render.
    pub rendered: Option<Rendered>,
    /// How many units of the rate it costs.
    pub units: u32,
    /// The ledger entry that the consent gate used.
    pub consent_event: Option<Uuid>,
    /// The zone on record.
    pub zone: Option<String>,
    pub verdict: Verdict,
}

#[derive(FromQueryResult)]
struct UserRow {
    id: Uuid,
    phone: Option<String>,
    whatsapp_id: Option<String>,
    name: Option<String>,
    locale: Option<String>,
    zone: Option<String>,
    attributes: Value,
    merged_into: Option<Uuid>,
    subscription: Option<String>,
    last_inbound_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct ConsentRow {
    user_id: Uuid,
    state: String,
    event_id: Option<Uuid>,
}

/// Judges these people for a campaign that stands so, as of an instant. People who are gone are not in the answer.
pub(super) async fn judge<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    context: &Context,
    status: CampaignStatus,
    users: &[UserId],
    hold: Hold,
    now: DateTime<Utc>,
) -> Result<HashMap<UserId, Judged>> {
    judge_and_tell(engine, conn, context, status, users, hold, now, None).await
}

/// As [`judge`]; `told` takes what each gate says of each person.
#[expect(clippy::too_many_arguments, reason = "the facts of a judgement, each of which its callers have in hand")]
async fn judge_and_tell<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    context: &Context,
    status: CampaignStatus,
    users: &[UserId],
    hold: Hold,
    now: DateTime<Utc>,
    mut told: Option<&mut Vec<Step>>,
) -> Result<HashMap<UserId, Judged>> {
    let consents = read_consents(conn, context.channel, users, hold).await?;
    let rows = read_users(conn, context, users).await?;
    let addresses: Vec<String> = rows.iter().filter_map(|row| address(row, context.channel)).collect();
    let suppressed = suppressions::find(engine, conn, context.channel, &addresses).await?;
    let over_cap = frequency::over(conn, context, users, now).await?;
    let mut quiet = QuietCache::default();
    let mut judged = HashMap::with_capacity(rows.len());
    for row in rows {
        let consent = consents.get(&row.id);
        let to = address(&row, context.channel);
        let merged = row.merged_into.is_some().then_some("merged into another person");
        let suppressed = merged.or(to.as_ref().and_then(|to| suppressed.get(to)).map(String::as_str));
        let person = person(&row, context)?;
        let rendered = context.template.render(&person);
        let choice = row.subscription.as_deref().map(str::parse::<SubscriptionState>).transpose()?;
        let time_of_day = context.local_at.map(|shown| time_of_day(shown, &row));
        let facts = Facts {
            campaign: status,
            suppressed,
            channel: context.channel,
            consent: consent.map_or(Ok(ConsentState::None), |row| row.state.parse())?,
            topic: context.topic.as_ref().map(|topic| (topic.name.as_str(), topic.kind, choice)),
            has_address: to.is_some(),
            content: context.content,
            last_inbound_at: row.last_inbound_at,
            missing_variable: rendered.as_ref().err().map(|missing| missing.name.as_str()),
            over_cap: over_cap.get(&row.id).map(String::as_str),
            time_of_day: time_of_day.as_ref().map(|(at, zone)| (*at, zone.as_str())),
            quiet: quiet.ask(context, &row, now),
            sender_stopped: match context.sender_enabled {
                true => context.held_by.as_deref(),
                false => Some("the sender is switched off"),
            },
        };
        let verdict = hold_near_the_end(engine, decide(&facts, now), context, &row, now);
        if let Some(told) = told.as_deref_mut() {
            let last_word = Step::of(&verdict);
            // The end of the allowed window is looked at after the gates; what it says takes the place of the gate's word.
            told.extend(steps(&facts, now).into_iter().map(|step| match &last_word {
                Some(word) if word.gate == step.gate => word.clone(),
                _ => step,
            }));
        }
        let rendered = rendered.ok();
        let units = rendered.as_ref().map_or(1, |rendered| units(context.channel, rendered));
        let user = UserId(row.id);
        let consent_event = consent.and_then(|row| row.event_id);
        judged.insert(user, Judged { to, rendered, units, consent_event, zone: row.zone, verdict });
    }
    Ok(judged)
}

/// Reads consent, locked in the order of the users' ids: STOP locks in the same order, so that neither waits in a ring.
async fn read_consents<C: ConnectionTrait>(
    conn: &C,
    channel: Channel,
    users: &[UserId],
    hold: Hold,
) -> Result<HashMap<Uuid, ConsentRow>> {
    let lock = if hold == Hold::Locked { db::lock_shared(conn) } else { "" };
    let rows: Vec<ConsentRow> = db::of_rows(conn, ids(users), values![channel.as_str()], |table| {
        format!(
            "SELECT user_id, state, event_id FROM consents
             WHERE channel = $1 AND user_id IN (SELECT id FROM {table}) ORDER BY user_id{lock}"
        )
    })
    .await?;
    Ok(rows.into_iter().map(|row| (row.user_id, row)).collect())
}

async fn read_users<C: ConnectionTrait>(conn: &C, context: &Context, users: &[UserId]) -> Result<Vec<UserRow>> {
    let values = values![context.topic.as_ref().map(|topic| topic.id), context.sender.clone()];
    db::of_rows(conn, ids(users), values, |table| {
        format!(
            "SELECT u.id, u.phone, u.whatsapp_id, u.name, u.locale, u.zone, u.attributes, u.merged_into,
                    s.state AS subscription, w.last_inbound_at
             FROM {table} JOIN users u ON u.id = r.id
             LEFT JOIN subscriptions s ON s.user_id = u.id AND s.topic_id = $1
             LEFT JOIN whatsapp_windows w ON w.user_id = u.id AND w.sender = $2"
        )
    })
    .await
}

fn ids(users: &[UserId]) -> Rows {
    Rows::ids(users.iter().map(|user| user.0))
}

fn address(row: &UserRow, channel: Channel) -> Option<String> {
    match (channel, &row.phone, &row.whatsapp_id) {
        (Channel::Sms, Some(phone), _) => Some(phone.clone()),
        (Channel::Whatsapp, Some(phone), _) => Some(format!("whatsapp:{phone}")),
        (Channel::Whatsapp, None, Some(id)) => Some(format!("whatsapp:{id}")),
        (_, None, _) => None,
    }
}

fn person(row: &UserRow, context: &Context) -> Result<Person> {
    let attributes = match &row.attributes {
        Value::Object(attributes) => attributes.clone(),
        other => {
            return Err(crate::Error::internal(format!(
                "the attributes of user {} are not an object: {other}",
                row.id
            )));
        }
    };
    Ok(Person {
        name: row.name.clone(),
        phone: row.phone.clone(),
        locale: row.locale.clone(),
        attributes,
        preferences_url: context.links.as_ref().map(|links| links.of(UserId(row.id))),
    })
}

/// A text costs as many units as it has segments; a WhatsApp message costs one (DELIVERY.md, Rate).
fn units(channel: Channel, rendered: &Rendered) -> u32 {
    match channel {
        Channel::Sms => u32::try_from(sms::size(&rendered.text).segments).unwrap_or(u32::MAX).max(1),
        Channel::Whatsapp => 1,
    }
}

/// Quiet hours, worked out once for all who share zones and jurisdiction.
#[derive(Default)]
struct QuietCache(HashMap<String, Quiet>);

impl QuietCache {
    fn ask(&mut self, context: &Context, row: &UserRow, now: DateTime<Utc>) -> Quiet {
        let key = format!("{}|{}", row.zone.as_deref().unwrap_or(""), prefix(row.phone.as_deref()));
        self.0.entry(key).or_insert_with(|| quiet(context, row, now)).clone()
    }
}

/// As much of a number as decides its zones and jurisdiction: the longest prefix of the zone data has 9 digits.
fn prefix(phone: Option<&str>) -> &str {
    phone.map_or("", |phone| phone.get(..10).unwrap_or(phone))
}

fn phone(row: &UserRow) -> Option<Phone> {
    row.phone.as_deref().and_then(|phone| Phone::parse_e164(phone).ok())
}

/// All zones that the person may live in: the one on record, or those of the number.
fn zones(row: &UserRow) -> Vec<Zone> {
    match (row.zone.as_deref().and_then(|zone| Zone::parse(zone).ok()), phone(row)) {
        (Some(zone), _) => vec![zone],
        (None, Some(phone)) => zones_of(&phone).to_vec(),
        (None, None) => Vec::new(),
    }
}

/// When the clocks of all zones that the person may live in have shown this, and the zone that shows it last.
fn time_of_day(shown: NaiveDateTime, row: &UserRow) -> (DateTime<Utc>, String) {
    let zones = zones(row);
    let (at, zone) = last_reading(shown, &zones);
    (at, zone.to_owned())
}

fn quiet(context: &Context, row: &UserRow, now: DateTime<Utc>) -> Quiet {
    let jurisdiction = phone(row).as_ref().map(jurisdiction).unwrap_or_default();
    next_allowed(&context.quiet, &zones(row), &jurisdiction, now).into_fact(now)
}

/// A message that would be handed over so late that the provider's queue could carry it into quiet hours waits for the
/// next window instead (DELIVERY.md, protocol 3).
fn hold_near_the_end(
    engine: &Engine,
    verdict: Verdict,
    context: &Context,
    row: &UserRow,
    now: DateTime<Utc>,
) -> Verdict {
    let Verdict::Send { until } = verdict else { return verdict };
    let margin = Duration::seconds(i64::from(engine.limits.window_margin_seconds) * 2);
    if until - now > margin {
        return verdict;
    }
    match quiet(context, row, until) {
        Quiet::Closed { next, rule } => Verdict::Defer {
            gate: Gate::QuietHours,
            fact: format!("too little time left before quiet hours ({rule})"),
            until: Some(next),
        },
        // Another window begins where this one ends: there is no quiet time to run into.
        Quiet::Open { .. } => Verdict::Send { until },
    }
}

/// What every gate says of one person now, in the order in which a claim asks them.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub(super) async fn steps_of(
    engine: &Engine,
    context: &Context,
    status: CampaignStatus,
    user: UserId,
) -> Result<Vec<Step>> {
    let (conn, now) = (engine.db.read(), engine.clock.now());
    let mut told = Vec::new();
    judge_and_tell(engine, conn, context, status, &[user], Hold::Free, now, Some(&mut told)).await?;
    Ok(told)
}

/// What the gates and the template would make of these people now: the real code without the provider.
///
/// # Errors
/// [`crate::Error::Invalid`] for a campaign without sender or template.
pub async fn rehearse(engine: &Engine, form: &CampaignForm, users: &[UserId]) -> Result<Vec<PreviewSample>> {
    let context = Context::of_form(engine, form).await?;
    let conn = engine.db.read();
    let mut judged =
        judge(engine, conn, &context, CampaignStatus::Running, users, Hold::Free, engine.clock.now()).await?;
    let mut samples = Vec::with_capacity(users.len());
    for user in users {
        let Some(one) = judged.remove(user) else { continue };
        let name: Option<String> = db::scalar(
            conn,
            "SELECT COALESCE(name, phone, whatsapp_id) AS value FROM users WHERE id = $1",
            values![user.0],
        )
        .await?;
        let verdict = match &one.verdict {
            Verdict::Send { .. } => "would be sent now".to_owned(),
            Verdict::Defer { gate, fact, until } => {
                let when = until.map(|at| format!(" until {}", at.format("%F %R UTC"))).unwrap_or_default();
                format!("would wait{when}: {}, {fact}", gate.label().to_lowercase())
            }
            Verdict::Skip { gate, fact } => format!("would be skipped: {}, {fact}", gate.label().to_lowercase()),
        };
        let skipped = matches!(one.verdict, Verdict::Skip { .. });
        let text = one.rendered.map(|rendered| rendered.text).filter(|_| !skipped);
        let segments = if text.is_some() { one.units } else { 0 };
        samples.push(PreviewSample { user: name.unwrap_or_else(|| user.to_string()), text, verdict, segments });
    }
    Ok(samples)
}
