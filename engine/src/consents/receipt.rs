//! A person's consent as a signed document: what was agreed, when, how, and on which words.

use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    signing, subscriptions, users,
};
use domain::{
    ids::UserId,
    operator::Operation,
    page::{LIMIT_MAX, PageRequest},
    preferences::SignedReceipt,
};
use serde_json::json;

/// A receipt of where a person stands on each channel and topic, with the ledger that says why.
///
/// # Errors
/// [`crate::Error::NotFound`], [`crate::Error::Forbidden`].
pub async fn receipt(engine: &Engine, actor: &Actor, user: UserId) -> Result<SignedReceipt> {
    authorize(Operation::UserExport, actor)?;
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.read();
    let (person, topics) = (users::load(conn, user).await?, subscriptions::of_user(conn, user).await?);
    // All of it, so that whoever has the receipt can reckon the states for themselves.
    let (mut ledger, mut page) = (Vec::new(), PageRequest { after: None, limit: LIMIT_MAX });
    loop {
        let found = users::ledger(engine, actor, user, &page).await?;
        ledger.extend(found.rows);
        page.after = found.next;
        if page.after.is_none() {
            break;
        }
    }
    let payload = json!({
        "kind": "consent receipt",
        "issuer": engine.limits.public_url.as_str(),
        "issued_at": engine.clock.now(),
        "user_id": user,
        "phone": person.phone,
        "whatsapp_id": person.whatsapp_id,
        "channels": person.consents,
        "topics": topics,
        "ledger": ledger,
    })
    .to_string();
    let tx = engine.db.begin().await?;
    let (signature, public_key) = signing::sign(engine, &tx, payload.as_bytes()).await?;
    let act = Act { action: "consent.receipt", target: format!("user:{user}"), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(SignedReceipt { payload, signature, public_key })
}

/// Whether this installation issued the receipt, and nobody changed it since.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub async fn verify_receipt(engine: &Engine, receipt: &SignedReceipt) -> Result<bool> {
    signing::is_ours(engine, engine.db.read(), receipt.payload.as_bytes(), &receipt.signature).await
}
