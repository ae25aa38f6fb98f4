//! Two rows that are one person. Neither's history is rewritten: the one that is left points to the other, and whoever looks
//! at the person sees both.

use super::load;
use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    consents::{self, Entry},
    db::{self, Tx},
    entity::user,
    subscriptions, values,
};
use domain::{
    consent::{ConsentKind, ConsentSource, ConsentState, Folded},
    ids::{TopicId, UserId},
    import::{Incoming, Policies, Policy, Profile, merge as fill},
    operator::Operation,
    phone::Channel,
    topic::SubscriptionState,
    user::User,
};
use sea_orm::FromQueryResult;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Makes `from` and `into` one person, who goes on as `into`: gaps in what is known are filled, an address that `into`
/// lacks moves over, and the stricter consent of the two holds. Consent that was given for an address comes along only if
/// the address does.
///
/// # Errors
/// [`Error::Conflict`] for someone who is merged already, or with oneself, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn merge(engine: &Engine, actor: &Actor, from: UserId, into: UserId) -> Result<User> {
    authorize(Operation::UserWrite, actor)?;
    if from == into {
        return Err(Error::conflict("nobody is merged with themselves"));
    }
    let tx = engine.db.begin().await?;
    consents::lock_people(&tx, [from, into]).await?;
    let mut both = BTreeMap::new();
    for id in BTreeSet::from([from, into]) {
        both.insert(id, unmerged(&tx, id).await?);
    }
    let (Some(left), Some(kept)) = (both.get(&from), both.get(&into)) else {
        return Err(Error::internal("both rows were read"));
    };
    let moved = join(engine, &tx, left, kept).await?;
    let states = consents::standing_of(&tx, [from, into]).await?;
    join_consents(engine, &tx, from, into, &states, moved).await?;
    join_choices(engine, &tx, from, into).await?;
    if moved.phone || moved.whatsapp_id {
        // Whoever wrote to us within 24 hours did so from the address that moved.
        db::exec(
            &tx,
            "INSERT INTO whatsapp_windows (user_id, sender, last_inbound_at)
             SELECT $2, sender, last_inbound_at FROM whatsapp_windows WHERE user_id = $1
             ON CONFLICT (user_id, sender) DO UPDATE SET last_inbound_at = CASE
                 WHEN excluded.last_inbound_at > whatsapp_windows.last_inbound_at THEN excluded.last_inbound_at
                 ELSE whatsapp_windows.last_inbound_at END",
            values![from.0, into.0],
        )
        .await?;
    }
    let act = Act {
        action: "user.merge",
        target: format!("user:{into}"),
        before: None,
        after: Some(json!({ "from": from, "phone_moved": moved.phone, "whatsapp_id_moved": moved.whatsapp_id })),
    };
    audit::record(engine, &tx, actor, act).await?;
    let merged = load(&tx, into).await?;
    tx.commit().await?;
    engine.live.changed("users");
    Ok(merged)
}

async fn unmerged(tx: &Tx, id: UserId) -> Result<user::Model> {
    let sql = format!("SELECT * FROM users WHERE id = $1{}", db::lock(tx));
    let row: user::Model = db::one(tx, &sql, values![id.0]).await?.ok_or(Error::NotFound { what: "user" })?;
    if row.merged_into.is_some() { Err(Error::conflict("this person was merged into another")) } else { Ok(row) }
}

/// Which addresses came along.
#[derive(Clone, Copy)]
struct Moved {
    phone: bool,
    whatsapp_id: bool,
}

async fn join(engine: &Engine, tx: &Tx, left: &user::Model, kept: &user::Model) -> Result<Moved> {
    let moved = Moved {
        phone: kept.phone.is_none() && left.phone.is_some(),
        whatsapp_id: kept.whatsapp_id.is_none() && left.whatsapp_id.is_some(),
    };
    let now = engine.clock.now();
    // An address that both have stays with the row that is left: whoever writes from it is found as the one they became.
    db::exec(
        tx,
        "UPDATE users SET merged_into = $2, updated_at = $3,
             phone = CASE WHEN $4 THEN NULL ELSE phone END,
             whatsapp_id = CASE WHEN $5 THEN NULL ELSE whatsapp_id END
         WHERE id = $1",
        values![left.id, kept.id, now, moved.phone, moved.whatsapp_id],
    )
    .await?;
    db::exec(tx, "UPDATE users SET merged_into = $2 WHERE merged_into = $1", values![left.id, kept.id]).await?;
    let mut profile = profile(kept)?;
    let policies: BTreeMap<String, Policy> = {
        let named = ["name", "locale", "zone"].map(str::to_owned).into_iter();
        let attributes = profile.attributes.keys().map(|name| format!("attributes.{name}"));
        named.chain(attributes).map(|field| (field, Policy::FillEmpty)).collect()
    };
    let mut other = self::profile(left)?;
    other.whatsapp_id = None;
    fill(&mut profile, Incoming { profile: &other, clears: &[] }, &Policies(policies), true);
    db::exec(
        tx,
        "UPDATE users SET phone = coalesce(phone, $2), whatsapp_id = coalesce(whatsapp_id, $3), name = $4, locale = $5,
             zone = $6, attributes = $7, updated_at = $8
         WHERE id = $1",
        values![
            kept.id,
            left.phone.clone().filter(|_| moved.phone),
            left.whatsapp_id.clone().filter(|_| moved.whatsapp_id),
            profile.name,
            profile.locale,
            profile.zone,
            serde_json::Value::Object(profile.attributes),
            now
        ],
    )
    .await?;
    Ok(moved)
}

fn profile(row: &user::Model) -> Result<Profile> {
    Ok(Profile {
        whatsapp_id: row.whatsapp_id.clone(),
        name: row.name.clone(),
        locale: row.locale.clone(),
        zone: row.zone.clone(),
        attributes: serde_json::from_value(row.attributes.clone())?,
    })
}

async fn join_consents(
    engine: &Engine,
    tx: &Tx,
    from: UserId,
    into: UserId,
    states: &BTreeMap<(UserId, Channel), Folded>,
    moved: Moved,
) -> Result<()> {
    for channel in Channel::ALL.iter().copied() {
        let of = |user| states.get(&(user, channel)).cloned().unwrap_or_default();
        let (left, kept) = (of(from), of(into));
        let came_along = moved.phone || channel == Channel::Whatsapp && moved.whatsapp_id;
        let kind = match (left.state, kept.state) {
            (ConsentState::OptedOut, _) => ConsentKind::OptOut,
            (ConsentState::OptedIn, ConsentState::None) if came_along => ConsentKind::OptIn,
            _ => continue,
        };
        let evidence = format!("merged with the person {from}, whose ledger says so");
        let entry = |sender| Entry {
            user: into,
            channel,
            topic: None,
            kind,
            source: ConsentSource::Operator,
            sender,
            evidence: &evidence,
        };
        // Each sender that holds a STOP goes on to hold it.
        if kind == ConsentKind::OptOut && !left.stops.is_empty() {
            for sender in &left.stops {
                consents::append(engine, tx, entry(Some(sender))).await?;
            }
        } else {
            consents::append(engine, tx, entry(None)).await?;
        }
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct Choice {
    topic_id: Uuid,
    state: String,
    other: Option<String>,
}

/// Whoever left a topic under either row has left it; a subscription comes along where the other row says nothing.
async fn join_choices(engine: &Engine, tx: &Tx, from: UserId, into: UserId) -> Result<()> {
    let choices: Vec<Choice> = db::all(
        tx,
        "SELECT s.topic_id, s.state, o.state AS other FROM subscriptions s
         LEFT JOIN subscriptions o ON o.topic_id = s.topic_id AND o.user_id = $2 WHERE s.user_id = $1",
        values![from.0, into.0],
    )
    .await?;
    let evidence = format!("merged with the person {from}, whose ledger says so");
    for choice in choices {
        let kind = match (choice.state.parse()?, choice.other) {
            (SubscriptionState::Unsubscribed, _) => ConsentKind::Unsubscribe,
            (SubscriptionState::Subscribed, None) => ConsentKind::Subscribe,
            (SubscriptionState::Subscribed, Some(_)) => continue,
        };
        let entry = Entry {
            user: into,
            channel: Channel::Sms,
            topic: Some(TopicId(choice.topic_id)),
            kind,
            source: ConsentSource::Operator,
            sender: None,
            evidence: &evidence,
        };
        subscriptions::append(engine, tx, entry).await?;
    }
    Ok(())
}
