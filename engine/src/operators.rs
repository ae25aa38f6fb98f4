//! Operators: the people at the dashboard, how they sign in, and their sessions.
//!
//! A session is a random token in a cookie; the table holds its hash. It ends after [`crate::Limits::session_idle`] without
//! a request, after [`crate::Limits::session_absolute`] in any case, at sign-out, when the operator is disabled, and, but
//! for the one in use, when the password changes.

mod attempts;
mod password;
mod tokens;

pub use tokens::SessionToken;

use crate::{
    Engine, Error, Result,
    actor::{Actor, Client, Identity, authorize},
    audit::{self, Act},
    db, values,
};
use attempts::Attempt;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ids::OperatorId,
    operator::{Operation, Operator, Role, Viewer, may},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::time::Duration;
use tokens::Token;
use uuid::Uuid;

/// The sign-in name of the operator that a fresh installation makes for whoever started it.
const FIRST_EMAIL: &str = "admin@localhost";
/// How often a session's last use is written down.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    email: String,
    name: String,
    role: String,
    password_hash: Option<String>,
    created_at: DateTime<Utc>,
}

impl Row {
    fn id(&self) -> OperatorId {
        OperatorId(self.id)
    }

    fn view(self) -> Result<Operator> {
        Ok(Operator {
            id: self.id(),
            role: self.role.parse()?,
            has_password: self.password_hash.is_some(),
            email: self.email,
            name: self.name,
            created_at: self.created_at,
        })
    }
}

const COLUMNS: &str = "id, email, name, role, password_hash, created_at";

async fn by_id<C: ConnectionTrait>(conn: &C, id: OperatorId) -> Result<Row> {
    let sql = format!("SELECT {COLUMNS} FROM operators WHERE id = $1 AND disabled_at IS NULL");
    db::one(conn, &sql, values![id.0]).await?.ok_or(Error::Unauthenticated)
}

async fn by_email<C: ConnectionTrait>(conn: &C, email: &str) -> Result<Option<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM operators WHERE email = $1 AND disabled_at IS NULL");
    db::one(conn, &sql, values![email]).await
}

/// What the dashboard's frame needs to know of whoever looks at it.
///
/// # Errors
/// [`Error::Unauthenticated`] if the actor is no operator.
pub async fn viewer(engine: &Engine, actor: &Actor) -> Result<Viewer> {
    authorize(Operation::OwnAccount, actor)?;
    let id = actor.operator_id().ok_or(Error::Unauthenticated)?;
    let operator = by_id(engine.db.read(), id).await?.view()?;
    let operations = Operation::ALL.iter().copied().filter(|operation| may(operator.role, *operation)).collect();
    Ok(Viewer { operator, operations, simulated: engine.limits.simulator_url.is_some() })
}

/// All operators, by e-mail address.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<Operator>> {
    authorize(Operation::OperatorWrite, actor)?;
    let sql = format!("SELECT {COLUMNS} FROM operators WHERE disabled_at IS NULL ORDER BY email LIMIT 1000");
    let rows: Vec<Row> = db::all(engine.db.read(), &sql, values![]).await?;
    rows.into_iter().map(Row::view).collect()
}

/// Makes an operator, who has no password yet: [`issue_link`] lets them in.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`], and [`Error::Conflict`] if the address is taken.
pub async fn create(engine: &Engine, actor: &Actor, email: &str, name: &str, role: Role) -> Result<Operator> {
    authorize(Operation::OperatorWrite, actor)?;
    let email = address(email)?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Error::invalid("name", "a name has 1 to 100 characters"));
    }
    let operator = Operator {
        id: engine.clock.new_id(),
        email,
        name: name.to_owned(),
        role,
        has_password: false,
        created_at: engine.clock.now(),
    };
    let tx = engine.db.begin().await?;
    if by_email(&tx, &operator.email).await?.is_some() {
        return Err(Error::conflict("there is an operator with this e-mail address"));
    }
    db::exec(
        &tx,
        "INSERT INTO operators (id, email, name, role, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
        values![
            operator.id.0,
            operator.email.as_str(),
            operator.name.as_str(),
            operator.role.as_str(),
            operator.created_at
        ],
    )
    .await?;
    let act = Act {
        action: "operator.create",
        target: format!("operator:{}", operator.id),
        after: Some(serde_json::json!({ "email": operator.email, "role": operator.role })),
        ..Act::default()
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(operator)
}

/// A token that signs the operator in, once, within [`crate::Limits::link_lifetime`]. Earlier ones die with it.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`].
pub async fn issue_link(engine: &Engine, actor: &Actor, email: &str) -> Result<String> {
    authorize(Operation::OperatorWrite, actor)?;
    let email = address(email)?;
    let now = engine.clock.now();
    let token = Token::random();
    let tx = engine.db.begin().await?;
    let operator = by_email(&tx, &email).await?.ok_or(Error::NotFound { what: "operator" })?;
    db::exec(
        &tx,
        "DELETE FROM sign_in_links WHERE expires_at < $1 OR (operator_id = $2 AND used_at IS NULL)",
        values![now, operator.id],
    )
    .await?;
    db::exec(
        &tx,
        "INSERT INTO sign_in_links (token_hash, operator_id, expires_at) VALUES ($1, $2, $3)",
        values![token.hash(), operator.id, now + span(engine.limits.link_lifetime)],
    )
    .await?;
    let act = Act { action: "operator.link", target: format!("operator:{}", operator.id), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(token.into_text())
}

/// Sets the own password. Whoever has one must know it; the other sessions end.
///
/// # Errors
/// [`Error::Invalid`] for a weak new password or a wrong old one, [`Error::TooMany`] after too many wrong ones.
pub async fn set_password(engine: &Engine, actor: &Actor, old: Option<&str>, new: &str) -> Result<()> {
    authorize(Operation::OwnAccount, actor)?;
    let Identity::Operator { id, session, .. } = &actor.identity else { return Err(Error::Unauthenticated) };
    let operator = by_id(engine.db.read(), *id).await?;
    password::check_strength(new, &[&operator.email, &operator.name])?;
    if let Some(hash) = operator.password_hash.clone() {
        let attempt = Attempt::begin(engine, &operator.email, &actor.client).await?;
        if !password::verify(Some(hash), old.unwrap_or_default().to_owned()).await? {
            return Err(Error::invalid("old", "this is not your password"));
        }
        attempt.succeeded(engine).await?;
    }
    let hash = password::hash(new.to_owned()).await?;
    let tx = engine.db.begin().await?;
    db::exec(
        &tx,
        "UPDATE operators SET password_hash = $1, updated_at = $2 WHERE id = $3",
        values![hash, engine.clock.now(), operator.id],
    )
    .await?;
    db::exec(
        &tx,
        "DELETE FROM sessions WHERE operator_id = $1 AND token_hash <> $2",
        values![operator.id, session.clone()],
    )
    .await?;
    let act = Act { action: "operator.password", target: format!("operator:{id}"), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends the session.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn sign_out(engine: &Engine, actor: &Actor) -> Result<()> {
    authorize(Operation::OwnAccount, actor)?;
    let Identity::Operator { id, session, .. } = &actor.identity else { return Ok(()) };
    let tx = engine.db.begin().await?;
    db::exec(&tx, "DELETE FROM sessions WHERE token_hash = $1", values![session.clone()]).await?;
    let act = Act { action: "session.end", target: format!("operator:{id}"), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// Signs in with a password. An unknown address and a wrong password answer alike, in words and in time.
///
/// # Errors
/// [`Error::Unauthenticated`], and [`Error::TooMany`] after [`crate::Limits::sign_in_failures`] wrong passwords for the
/// account or from the address within 15 minutes.
pub async fn sign_in(engine: &Engine, email: &str, password: &str, client: &Client) -> Result<SessionToken> {
    let email = email.trim().to_lowercase();
    let attempt = Attempt::begin(engine, &email, client).await?;
    let operator = if email.len() <= 254 { by_email(engine.db.read(), &email).await? } else { None };
    let known = operator.as_ref().and_then(|row| row.password_hash.clone());
    let right =
        password.len() <= password::LENGTH_MAX * 4 && password::verify(known.clone(), password.to_owned()).await?;
    let Some(operator) = operator.filter(|_| right) else {
        failed(engine, &email, client).await?;
        return Err(Error::Unauthenticated);
    };
    if known.as_deref().is_some_and(password::is_outdated) {
        let hash = password::hash(password.to_owned()).await?;
        let tx = engine.db.begin().await?;
        db::exec(&tx, "UPDATE operators SET password_hash = $1 WHERE id = $2", values![hash, operator.id]).await?;
        tx.commit().await?;
    }
    attempt.succeeded(engine).await?;
    let tx = engine.db.begin().await?;
    let token = open_session(engine, &tx, operator, client, "password").await?;
    tx.commit().await?;
    Ok(token)
}

/// Signs in with a link's token, which is spent by it.
///
/// # Errors
/// [`Error::Unauthenticated`] for one that is unknown, spent or too old.
pub async fn redeem_link(engine: &Engine, token: &str, client: &Client) -> Result<SessionToken> {
    let hash = Token::hash_text(token);
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    let spent = db::exec(
        &tx,
        "UPDATE sign_in_links SET used_at = $1 WHERE token_hash = $2 AND used_at IS NULL AND expires_at > $1",
        values![now, hash.clone()],
    )
    .await?;
    if spent == 0 {
        tx.rollback().await?;
        failed(engine, "link", client).await?;
        return Err(Error::Unauthenticated);
    }
    let id: Option<Uuid> =
        db::scalar(&tx, "SELECT operator_id AS value FROM sign_in_links WHERE token_hash = $1", values![hash]).await?;
    let operator = by_id(&tx, OperatorId(id.ok_or(Error::Unauthenticated)?)).await?;
    let token = open_session(engine, &tx, operator, client, "link").await?;
    tx.commit().await?;
    Ok(token)
}

async fn open_session<C: ConnectionTrait>(
    engine: &Engine,
    tx: &C,
    operator: Row,
    client: &Client,
    how: &str,
) -> Result<SessionToken> {
    let now = engine.clock.now();
    let token = Token::random();
    db::exec(tx, "DELETE FROM sessions WHERE created_at < $1", values![now - span(engine.limits.session_absolute)])
        .await?;
    let agent: Option<String> = client.user_agent.as_ref().map(|agent| agent.chars().take(300).collect());
    db::exec(
        tx,
        "INSERT INTO sessions (token_hash, operator_id, address, user_agent, created_at, seen_at)
         VALUES ($1, $2, $3, $4, $5, $5)",
        values![token.hash(), operator.id, client.address.clone(), agent, now],
    )
    .await?;
    let target = format!("operator:{}", operator.id);
    let actor = identify(operator, token.hash(), client)?;
    let after = Some(serde_json::json!({ "by": how }));
    audit::record(engine, tx, &actor, Act { action: "session.begin", target, after, ..Act::default() }).await?;
    Ok(SessionToken::new(token))
}

fn identify(operator: Row, session: Vec<u8>, client: &Client) -> Result<Actor> {
    let identity =
        Identity::Operator { id: operator.id(), role: operator.role.parse()?, email: operator.email, session };
    Ok(Actor { identity, client: client.clone() })
}

/// Writes down a failed sign-in: which account, if it is one, and from where.
async fn failed(engine: &Engine, subject: &str, client: &Client) -> Result<()> {
    let actor = Actor { client: client.clone(), ..Actor::system() };
    let subject: String = subject.chars().take(254).collect();
    let tx = engine.db.begin().await?;
    let act = Act { action: "session.refused", target: format!("operator:{subject}"), ..Act::default() };
    audit::record(engine, &tx, &actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes down that someone who is signed in tried what their role does not allow.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn denied(engine: &Engine, actor: &Actor, operation: Operation) -> Result<()> {
    let tx = engine.db.begin().await?;
    let act = Act { action: "operation.denied", target: format!("operation:{operation}"), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether looking at a session counts as using it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A request of the person's.
    Request,
    /// An open page that only listens: it does not keep a session from running out.
    Listening,
}

#[derive(FromQueryResult)]
struct SessionRow {
    id: Uuid,
    email: String,
    name: String,
    role: String,
    created_at: DateTime<Utc>,
    began_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
}

/// Who holds this session.
///
/// # Errors
/// [`Error::Unauthenticated`] if it is unknown or over.
pub async fn authenticate(engine: &Engine, token: &str, client: &Client) -> Result<Actor> {
    look_up(engine, token, client, Use::Request).await
}

/// As [`authenticate`]; `how` says whether the session is used by it.
///
/// # Errors
/// As [`authenticate`].
pub async fn look_up(engine: &Engine, token: &str, client: &Client, how: Use) -> Result<Actor> {
    let hash = Token::hash_text(token);
    let row: Option<SessionRow> = db::one(
        engine.db.read(),
        "SELECT o.id, o.email, o.name, o.role, o.created_at, s.created_at AS began_at, s.seen_at
         FROM sessions s JOIN operators o ON o.id = s.operator_id
         WHERE s.token_hash = $1 AND o.disabled_at IS NULL",
        values![hash.clone()],
    )
    .await?;
    let row = row.ok_or(Error::Unauthenticated)?;
    let now = engine.clock.now();
    let idle_over = now - row.seen_at >= span(engine.limits.session_idle);
    if idle_over || now - row.began_at >= span(engine.limits.session_absolute) {
        let tx = engine.db.begin().await?;
        db::exec(&tx, "DELETE FROM sessions WHERE token_hash = $1", values![hash]).await?;
        tx.commit().await?;
        return Err(Error::Unauthenticated);
    }
    if how == Use::Request && now - row.seen_at >= TOUCH_EVERY {
        let tx = engine.db.begin().await?;
        db::exec(&tx, "UPDATE sessions SET seen_at = $1 WHERE token_hash = $2", values![now, hash.clone()]).await?;
        tx.commit().await?;
    }
    let operator = Row {
        id: row.id,
        email: row.email,
        name: row.name,
        role: row.role,
        password_hash: None,
        created_at: row.created_at,
    };
    identify(operator, hash, client)
}

/// How whoever starts a fresh installation gets in: while no operator has a password, a sign-in token for the first
/// administrator, who is made if there is none. Afterwards `None`: there is no default account and no default password.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn first_sign_in(engine: &Engine) -> Result<Option<String>> {
    let with_password: Option<i64> = db::scalar(
        engine.db.read(),
        "SELECT count(*) AS value FROM operators WHERE password_hash IS NOT NULL AND disabled_at IS NULL",
        values![],
    )
    .await?;
    if with_password.unwrap_or(0) > 0 {
        return Ok(None);
    }
    let system = Actor::system();
    let first: Option<String> = db::scalar(
        engine.db.read(),
        "SELECT email AS value FROM operators WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id LIMIT 1",
        values![],
    )
    .await?;
    let email = match first {
        Some(email) => email,
        None => match create(engine, &system, FIRST_EMAIL, "Administrator", Role::Admin).await {
            // Two processes that start at once: the other one made it.
            Ok(_) | Err(Error::Conflict { .. }) => FIRST_EMAIL.to_owned(),
            Err(error) => return Err(error),
        },
    };
    issue_link(engine, &system, &email).await.map(Some)
}

/// Whether this is a fresh installation: nobody at the dashboard, and nobody to write to.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn is_fresh(engine: &Engine) -> Result<bool> {
    let found: Option<i64> = db::scalar(
        engine.db.read(),
        "SELECT count(*) AS value FROM (
            SELECT 1 AS one FROM (SELECT id FROM operators LIMIT 1) o
            UNION ALL SELECT 1 AS one FROM (SELECT id FROM users LIMIT 1) u) found",
        values![],
    )
    .await?;
    Ok(found.unwrap_or(0) == 0)
}

/// An e-mail address as we keep it: lower case, one `@`, no blanks.
fn address(text: &str) -> Result<String> {
    let text = text.trim().to_lowercase();
    let fits = text.len() <= 254
        && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if fits { Ok(text) } else { Err(Error::invalid("email", "this is not an e-mail address")) }
}

fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_one_form() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(address(text).ok().as_deref(), expected, "{text:?}");
        check(" Ada@Example.ORG ", Some("ada@example.org"));
        check("admin@localhost", Some("admin@localhost"));
        for bad in ["", "ada", "@x", "ada@", "a@b@c", "a da@x", "a\n@x"] {
            check(bad, None);
        }
        check(&format!("{}@x", "a".repeat(254)), None);
    }
}
