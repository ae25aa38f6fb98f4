//! One message goes out: once, after its intent was committed, and only while the claim is young.

use super::{
    claim::Outgoing,
    context::Context,
    pace::Pace,
    settle::{Settled, Settler},
};
use crate::{
    Engine,
    provider::{Accepted, SendError},
};
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;

/// How handing one message over ended.
pub(super) enum Ending {
    /// The provider answered, or did not.
    Answered(Result<Accepted, SendError>),
    /// The claim had grown too old to write, a breaker opened, or the kill switch is on: given back unsent.
    Stale,
}

/// Hands one message to the provider in its turn, and passes on how it ended. `place` is what it takes of the room for messages that are
/// claimed ahead, until its request has room.
pub(super) async fn send(
    engine: &Engine,
    context: &Context,
    outgoing: Outgoing,
    turn: Instant,
    place: Option<OwnedSemaphorePermit>,
    pace: &Pace,
    settler: &Settler,
) {
    Pace::wait(turn).await;
    // The semaphore is never closed; were it, the message would be given back like any that waited too long.
    let permit = engine.slots.in_flight.acquire().await.ok();
    drop(place);
    pace.line_up(turn, outgoing.units).await;
    let held = !outgoing.is_probe && engine.breakers.holds(&context.scopes());
    let may_leave = !held && engine.slots.kill_switch.lets_go(engine, outgoing.claim.committed).await;
    // A process that was frozen, or that waited too long for its turn, must not write: the lease may have run out, and
    // somebody else may hold the message.
    let too_old = permit.is_none() || outgoing.claim.committed.elapsed() >= engine.limits.send_timeout;
    let ending = match may_leave && !too_old {
        true => Ending::Answered(engine.provider.create(&outgoing.outbound).await),
        false => Ending::Stale,
    };
    drop(permit);
    if let Ending::Answered(Err(error)) = &ending {
        tracing::debug!(campaign.id = %context.id, message.seq = outgoing.key.seq, error = %error, "not accepted");
    }
    settler.settle(Settled { outgoing, ending }).await;
}
