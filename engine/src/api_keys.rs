//! Keys of the REST API. A key is shown once; what is kept is its hash.

use crate::{
    Engine, Error, Result,
    actor::{Actor, Client, Identity, authorize},
    audit::{self, Act},
    db,
    recent::Recent,
    signing::LinkKey,
    values,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use domain::{
    api_key::{ApiKey, ApiKeyForm, KEYS_MAX, LIFE_MAX_DAYS, NewApiKey, PREFIX, RATE_MAX_PER_SECOND, RATE_PER_SECOND},
    ids::ApiKeyId,
    operator::Operation,
    problem::FieldProblem,
};
use rand::RngCore;
use sea_orm::FromQueryResult;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The longest name, in characters.
const NAME_MAX_CHARS: usize = 100;
/// How much of a key is shown after [`PREFIX`], in characters.
const SHOWN_CHARS: usize = 6;
/// For how long a key that was read holds without a look at the database: a key that is taken back must be refused within a
/// second, whichever process is asked.
pub const REMEMBERED: Duration = Duration::milliseconds(500);
/// How old the time of the last use may get before it is written again.
const USE_NOTED_EVERY: Duration = Duration::minutes(1);

/// Keys that this process read a moment ago, by their hash: an integration asks many times a second.
pub type RecentKeys = Recent<Vec<u8>, ApiKey>;

/// No keys yet.
pub(crate) fn no_keys_yet() -> RecentKeys {
    Recent::new(REMEMBERED, KEYS_MAX)
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    name: String,
    prefix: String,
    scopes: serde_json::Value,
    rate_per_second: i32,
    created_by: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

const SELECT: &str = "SELECT id, name, prefix, scopes, rate_per_second, created_by, created_at, expires_at, revoked_at,
    last_used_at FROM api_keys";

impl Row {
    fn view(self) -> Result<ApiKey> {
        // A scope that a later version knew and this one does not allows nothing.
        let scopes: Vec<String> = serde_json::from_value(self.scopes)?;
        Ok(ApiKey {
            id: ApiKeyId(self.id),
            name: self.name,
            prefix: self.prefix,
            scopes: scopes.iter().filter_map(|scope| scope.parse().ok()).collect(),
            rate_per_second: u32::try_from(self.rate_per_second).unwrap_or(1),
            created_by: self.created_by,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            last_used_at: self.last_used_at,
        })
    }
}

/// All keys, newest first, with those that were taken back.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<ApiKey>> {
    authorize(Operation::ApiKeyWrite, actor)?;
    let rows: Vec<Row> = db::all(engine.db.read(), &format!("{SELECT} ORDER BY id DESC LIMIT 1000"), values![]).await?;
    rows.into_iter().map(Row::view).collect()
}

/// One key.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: ApiKeyId) -> Result<ApiKey> {
    authorize(Operation::ApiKeyWrite, actor)?;
    let row: Option<Row> = db::one(engine.db.read(), &format!("{SELECT} WHERE id = $1"), values![id.0]).await?;
    row.ok_or(Error::NotFound { what: "key" })?.view()
}

/// Makes a key. An integration may make keys only that may do no more than its own.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] beyond [`KEYS_MAX`], [`Error::Forbidden`].
pub async fn create(engine: &Engine, actor: &Actor, form: &ApiKeyForm) -> Result<NewApiKey> {
    authorize(Operation::ApiKeyWrite, actor)?;
    check(actor, form)?;
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    let secret = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let now = engine.clock.now();
    let mut scopes = form.scopes.clone();
    scopes.sort();
    scopes.dedup();
    let key = ApiKey {
        id: engine.clock.new_id(),
        name: form.name.trim().to_owned(),
        prefix: secret.chars().take(PREFIX.len() + SHOWN_CHARS).collect(),
        scopes,
        rate_per_second: form.rate_per_second.unwrap_or(RATE_PER_SECOND),
        created_by: actor.label().to_owned(),
        created_at: now,
        expires_at: form.expires_in_days.map(|days| now + Duration::days(days.into())),
        revoked_at: None,
        last_used_at: None,
    };
    let tx = engine.db.begin().await?;
    let count: Option<i64> =
        db::scalar(&tx, "SELECT COUNT(*) AS value FROM api_keys WHERE revoked_at IS NULL", values![]).await?;
    if count.is_some_and(|count| count.unsigned_abs() >= KEYS_MAX as u64) {
        return Err(Error::conflict(format!("there are {KEYS_MAX} keys already, which is the limit")));
    }
    db::exec(
        &tx,
        "INSERT INTO api_keys (id, name, prefix, hash, scopes, rate_per_second, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        values![
            key.id.0,
            key.name.as_str(),
            key.prefix.as_str(),
            hash(&secret),
            json!(key.scopes),
            i32::try_from(key.rate_per_second).unwrap_or(i32::MAX),
            key.created_by.as_str(),
            key.created_at,
            key.expires_at
        ],
    )
    .await?;
    let after = json!({ "name": key.name, "prefix": key.prefix, "scopes": key.scopes, "expires_at": key.expires_at });
    let act = Act { action: "key.create", target: format!("key:{}", key.id), before: None, after: Some(after) };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(NewApiKey { key, secret })
}

fn check(actor: &Actor, form: &ApiKeyForm) -> Result<()> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| errors.push(FieldProblem { pointer: format!("/{field}"), detail });
    let name = form.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        wrong("name", format!("a name has 1 to {NAME_MAX_CHARS} characters"));
    }
    if form.scopes.is_empty() {
        wrong("scopes", "a key without a scope may do nothing".to_owned());
    }
    if let Identity::Key { scopes, .. } = &actor.identity
        && let Some(scope) = form.scopes.iter().find(|scope| !scopes.contains(scope))
    {
        wrong("scopes", format!("your own key does not have {scope}"));
    }
    if form.expires_in_days.is_some_and(|days| days == 0 || days > LIFE_MAX_DAYS) {
        wrong("expires_in_days", format!("1 to {LIFE_MAX_DAYS} days"));
    }
    if form.rate_per_second.is_some_and(|rate| rate == 0 || rate > RATE_MAX_PER_SECOND) {
        wrong("rate_per_second", format!("1 to {RATE_MAX_PER_SECOND} requests a second"));
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid { errors }) }
}

/// Takes a key back: the next request with it is refused, by another process at the latest after [`REMEMBERED`].
///
/// # Errors
/// [`Error::NotFound`], [`Error::Conflict`] if it was before, [`Error::Forbidden`].
pub async fn revoke(engine: &Engine, actor: &Actor, id: ApiKeyId) -> Result<ApiKey> {
    authorize(Operation::ApiKeyWrite, actor)?;
    let tx = engine.db.begin().await?;
    let row: Option<Row> = db::one(&tx, &format!("{SELECT} WHERE id = $1"), values![id.0]).await?;
    let key = row.ok_or(Error::NotFound { what: "key" })?.view()?;
    let now = engine.clock.now();
    let sql = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    if db::exec(&tx, sql, values![id.0, now]).await? == 0 {
        return Err(Error::conflict("this key was taken back before"));
    }
    let act = Act {
        action: "key.revoke",
        target: format!("key:{id}"),
        before: Some(json!({ "name": key.name, "prefix": key.prefix })),
        after: None,
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.remembered.keys.forget();
    Ok(ApiKey { revoked_at: Some(now), ..key })
}

/// Who presents this secret, and how many requests a second they may make.
///
/// # Errors
/// [`Error::Unauthenticated`] for a secret that is none, was taken back, or is over.
pub async fn authenticate(engine: &Engine, secret: &str, client: &Client) -> Result<(Actor, u32)> {
    if !secret.starts_with(PREFIX) {
        return Err(Error::Unauthenticated);
    }
    let hash = hash(secret);
    let now = engine.clock.now();
    let recent = engine.remembered.keys.get(&hash, now);
    let is_recent = recent.is_some();
    let mut key = match recent {
        Some(key) => key,
        None => {
            let sql = format!("{SELECT} WHERE hash = $1");
            let row: Option<Row> = db::one(engine.db.read(), &sql, values![hash.clone()]).await?;
            row.ok_or(Error::Unauthenticated)?.view()?
        }
    };
    if key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::Unauthenticated);
    }
    if key.last_used_at.is_none_or(|at| now - at >= USE_NOTED_EVERY) {
        let tx = engine.db.begin_bulk().await?;
        db::exec(&tx, "UPDATE api_keys SET last_used_at = $2 WHERE id = $1", values![key.id.0, now]).await?;
        tx.commit().await?;
        key.last_used_at = Some(now);
    }
    if !is_recent {
        engine.remembered.keys.put(hash, key.clone(), now);
    }
    let label = format!("key {} ({}…)", key.name, key.prefix);
    let identity = Identity::Key { id: key.id, label, scopes: key.scopes };
    Ok((Actor { identity, client: client.clone() }, key.rate_per_second))
}

/// Whether the actor's key holds still: for whoever was let in a while ago. Others than keys hold.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn holds(engine: &Engine, actor: &Actor) -> Result<bool> {
    let Identity::Key { id, .. } = &actor.identity else { return Ok(true) };
    let found: Option<i32> = db::scalar(
        engine.db.read(),
        "SELECT 1 AS value FROM api_keys WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
        values![id.0, engine.clock.now()],
    )
    .await?;
    Ok(found.is_some())
}

/// The tag of a page's cursor, so that nobody makes up one: HMAC-SHA256 under the installation's key, cut to 16 bytes.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn cursor_key(engine: &Engine) -> Result<CursorKey> {
    Ok(CursorKey(LinkKey::load(engine, engine.db.read()).await?))
}

/// Signs cursors.
#[derive(Clone)]
pub struct CursorKey(LinkKey);

impl CursorKey {
    /// The tag of a cursor's content.
    pub fn tag(&self, content: &[u8]) -> [u8; 16] {
        self.0.tag("api cursor", content)
    }

    /// Whether the tag is the content's.
    pub fn verifies(&self, content: &[u8], tag: &[u8]) -> bool {
        self.0.verifies("api cursor", content, tag)
    }
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}
