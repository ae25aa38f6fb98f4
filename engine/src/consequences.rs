//! What a provider's error says about the person: an opt-out is recorded, an unusable address is suppressed.

use crate::{
    Engine, Error, Result,
    consents::{self, Entry},
    suppressions,
    twilio::codes::{self, Class},
};
use domain::{
    consent::{ConsentKind, ConsentSource},
    ids::UserId,
    phone::Channel,
};
use sea_orm::ConnectionTrait;

/// Applies the class of an error code to a person, in the transaction that records the failure.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn apply<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    channel: Channel,
    user: UserId,
    address: Option<&str>,
    code: i32,
) -> Result<()> {
    match (codes::class(code), address) {
        (Class::OptedOut, _) => {
            let evidence = format!("the provider answered {code}: {}", codes::text(code));
            let entry = Entry {
                user,
                channel,
                topic: None,
                kind: ConsentKind::OptOut,
                source: ConsentSource::Provider,
                sender: None,
                evidence: &evidence,
            };
            match consents::append(engine, conn, entry).await {
                // Whoever was erased is on the suppression list already.
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        (Class::AddressUnusable, Some(address)) => {
            suppressions::add(engine, conn, channel, address, &format!("{code}: {}", codes::text(code))).await?;
        }
        _ => {}
    }
    Ok(())
}
