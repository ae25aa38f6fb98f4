//! How many messages a person may get: the workspace's caps. A campaign can only add a stricter one of its own.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    settings,
};
use domain::{
    frequency::{CAPS_MAX, Cap, ChannelCap},
    operator::Operation,
};
use sea_orm::ConnectionTrait;
use serde_json::json;

/// The workspace's caps.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<ChannelCap>> {
    authorize(Operation::CampaignRead, actor)?;
    load(engine.db.read()).await
}

/// Sets the workspace's caps, in place of those before. They hold from the next claim on.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Forbidden`].
pub async fn set(engine: &Engine, actor: &Actor, caps: &[ChannelCap]) -> Result<()> {
    authorize(Operation::SettingWrite, actor)?;
    if caps.len() > CAPS_MAX {
        return Err(Error::invalid("caps", format!("at most {CAPS_MAX} caps")));
    }
    for (place, one) in caps.iter().enumerate() {
        Cap::new(one.cap.messages, one.cap.days)
            .map_err(|bad| Error::invalid(&format!("caps/{place}"), bad.to_string()))?;
    }
    let tx = engine.db.begin().await?;
    let before = load(&tx).await?;
    settings::put(engine, &tx, settings::FREQUENCY_CAPS, &caps).await?;
    let act = Act {
        action: "setting.frequency_caps",
        target: "workspace".to_owned(),
        before: Some(json!(before)),
        after: Some(json!(caps)),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

pub(crate) async fn load<C: ConnectionTrait>(conn: &C) -> Result<Vec<ChannelCap>> {
    Ok(settings::get(conn, settings::FREQUENCY_CAPS).await?.unwrap_or_default())
}
