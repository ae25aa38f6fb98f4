//! Circuit breakers: what is open stands in the database, so that every worker sees it and a restart changes nothing; the
//! outcomes that open one are counted in each process for itself.

use crate::{
    Actor, Doorbell, Engine, Result,
    audit::{self, Act},
    cells,
    db::{self, Kind, Rows, Tx},
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    breaker::{OpenBreaker, Outcomes, PROBE_EVERY, Scope, Sign},
    ids::SenderId,
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// What this process knows of the breakers. Cheap to clone.
#[derive(Clone, Default)]
pub struct Breakers(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    outcomes: HashMap<Scope, Outcomes>,
    open: HashSet<Scope>,
}

impl Breakers {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message of these scopes must not leave, as far as this process knows.
    pub(crate) fn holds(&self, scopes: &[Scope]) -> bool {
        let known = self.known();
        scopes.iter().any(|scope| known.open.contains(scope))
    }

    /// Counts an outcome; says why the breaker should open, if it should and is not open already.
    pub(crate) fn observe(&self, scope: Scope, sign: Sign, now: DateTime<Utc>) -> Option<String> {
        let mut known = self.known();
        let trip = known.outcomes.entry(scope).or_default().add(sign, now)?;
        let is_new = known.open.insert(scope);
        is_new.then(|| trip.describe())
    }

    fn saw(&self, scopes: &[Scope], open: &HashSet<Scope>) {
        let mut known = self.known();
        for scope in scopes {
            if open.contains(scope) {
                known.open.insert(*scope);
            } else if known.open.remove(scope)
                && let Some(outcomes) = known.outcomes.get_mut(scope)
            {
                outcomes.clear();
            }
        }
    }
}

/// What may be claimed now.
pub(crate) enum Admission {
    /// Everything.
    Free,
    /// One message, to find out whether it works again.
    Probe,
    /// Nothing: a breaker is open, and it is not the time for a probe.
    Hold,
}

#[derive(FromQueryResult)]
struct Row {
    scope: String,
    since: DateTime<Utc>,
    why: String,
    probe_at: DateTime<Utc>,
}

async fn rows<C: ConnectionTrait>(conn: &C) -> Result<Vec<Row>> {
    db::all(conn, "SELECT scope, since, why, probe_at FROM breakers ORDER BY scope", values![]).await
}

/// Asks the breakers of these scopes. While one is open, at most one worker of all gets a probe every few seconds; for the
/// provider's own it asks the provider something harmless first, so that an outage does not cost a message each time.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub(crate) async fn admit(engine: &Engine, scopes: &[Scope]) -> Result<Admission> {
    let open: Vec<(Scope, Row)> =
        rows(engine.db.read()).await?.into_iter().filter_map(|row| Some((row.scope.parse().ok()?, row))).collect();
    engine.breakers.saw(scopes, &open.iter().map(|(scope, _)| *scope).collect());
    let ours: Vec<&(Scope, Row)> = open.iter().filter(|(scope, _)| scopes.contains(scope)).collect();
    if ours.is_empty() {
        return Ok(Admission::Free);
    }
    let now = engine.clock.now();
    if ours.iter().any(|(_, row)| row.probe_at > now) {
        return Ok(Admission::Hold);
    }
    let tx = engine.db.begin().await?;
    for (_, row) in &ours {
        let mine = db::exec(
            &tx,
            "UPDATE breakers SET probe_at = $2 WHERE scope = $1 AND probe_at <= $3",
            values![row.scope.as_str(), now + PROBE_EVERY, now],
        );
        if mine.await? == 0 {
            return Ok(Admission::Hold);
        }
    }
    tx.commit().await?;
    let needs_provider = ours.iter().any(|(scope, _)| *scope == Scope::Account);
    if needs_provider && let Err(error) = engine.provider.ping().await {
        tracing::info!(error = %error, "the provider still does not answer as it should");
        return Ok(Admission::Hold);
    }
    Ok(Admission::Probe)
}

/// Opens a breaker, in the transaction that records what opened it.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub(crate) async fn open(engine: &Engine, tx: &Tx, scope: Scope, why: &str) -> Result<()> {
    let now = engine.clock.now();
    let opened = db::exec(
        tx,
        "INSERT INTO breakers (scope, since, why, probe_at) VALUES ($1, $2, $3, $4) ON CONFLICT (scope) DO NOTHING",
        values![scope.to_string(), now, why, now + PROBE_EVERY],
    )
    .await?;
    if opened > 0 {
        tracing::error!(breaker.scope = %scope, breaker.why = why, "a circuit breaker opened: messages wait");
        let act = Act {
            action: "breaker.open",
            target: format!("breaker:{scope}"),
            after: Some(json!({ "why": why })),
            ..Act::default()
        };
        audit::record(engine, tx, &Actor::system(), act).await?;
    }
    Ok(())
}

/// Closes breakers after a probe that succeeded, in the transaction that records it.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub(crate) async fn close(engine: &Engine, tx: &Tx, scopes: &[Scope]) -> Result<()> {
    for scope in scopes {
        let closed = db::exec(tx, "DELETE FROM breakers WHERE scope = $1", values![scope.to_string()]).await?;
        if closed > 0 {
            tracing::warn!(breaker.scope = %scope, "a circuit breaker closed");
            let act = Act { action: "breaker.close", target: format!("breaker:{scope}"), ..Act::default() };
            audit::record(engine, tx, &Actor::system(), act).await?;
        }
    }
    Ok(())
}

/// What this process tells once [`open`] or [`close`] is committed.
pub(crate) async fn changed(engine: &Engine, closed: &[Scope]) {
    engine.live.changed("health");
    if !closed.is_empty() {
        engine.breakers.saw(closed, &HashSet::new());
        // The sweep rings for every campaign that has work.
        engine.queue.ring(Doorbell::Sweep).await;
    }
}

#[derive(FromQueryResult)]
struct Named {
    id: Uuid,
    name: String,
}

/// The breakers that are open, within a use case.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub(crate) async fn list<C: ConnectionTrait>(conn: &C) -> Result<Vec<OpenBreaker>> {
    let open: Vec<(Scope, Row)> =
        rows(conn).await?.into_iter().filter_map(|row| Some((row.scope.parse().ok()?, row))).collect();
    let senders = open.iter().filter_map(|(scope, _)| match scope {
        Scope::Sender(id) => Some(*id),
        Scope::Account => None,
    });
    let ids = Rows::of([("id", Kind::Id)], senders, |SenderId(id)| cells![id]);
    let names: Vec<Named> = db::of_rows(conn, ids, values![], |table| {
        format!("SELECT s.id, s.name FROM {table} JOIN senders s ON s.id = r.id")
    })
    .await?;
    let name = |scope: &Scope| match scope {
        Scope::Sender(sender) => names.iter().find(|row| row.id == sender.0).map(|row| row.name.clone()),
        Scope::Account => None,
    };
    let shown = |(scope, row): (Scope, Row)| OpenBreaker {
        sender_name: name(&scope),
        scope,
        since: row.since,
        why: row.why,
        probe_at: row.probe_at,
    };
    Ok(open.into_iter().map(shown).collect())
}

/// Why messages of these scopes wait, in words; `None` if no breaker is open.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub(crate) async fn why<C: ConnectionTrait>(conn: &C, scopes: &[Scope]) -> Result<Option<String>> {
    let open = list(conn).await?.into_iter().find(|one| scopes.contains(&one.scope));
    Ok(open.map(|one| format!("the circuit breaker is open since {}: {}", one.since.format("%R UTC"), one.why)))
}
