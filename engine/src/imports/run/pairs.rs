//! Two batches at once, where the database works on both at the same time.
//!
//! Each has its own transaction, and they commit in the order of the file, so that a crash leaves an import as far as its count
//! says. They must have nothing to do with each other: no address in both, and nobody who is found by different addresses in
//! both. The second locks its people only once the first has locked all of its own, so that whoever waits for both lets the first
//! come to its end. Whatever goes otherwise ends both, and they are taken one after the other.

use super::{Batch, Done, count};
use crate::{
    Error, Result,
    db::{self, Tx},
    imports::batch::{Context, share_addresses},
};
use domain::import::ImportReport;
use tokio::sync::oneshot;

/// How long one waits for a lock. The first may wait for somebody who waits for the second, which the database cannot see, as the
/// second waits for the first in this process.
const LOCK_WAIT_MS: u32 = 2_000;

/// Writes both, and answers how far the import has come, and how many of them are in. Those that are not are to be taken one after the
/// other.
pub(super) async fn take(context: &Context<'_>, first: &Batch, second: &Batch, done: Done) -> Result<(Done, usize)> {
    if share_addresses(&first.rows, &second.rows) {
        return Ok((done, 0));
    }
    let mut taken = (done, 0);
    match together(context, first, second, &mut taken).await {
        Ok(()) | Err(Error::Conflict { .. } | Error::Unavailable { .. }) => Ok(taken),
        Err(error) => Err(error),
    }
}

async fn together(context: &Context<'_>, first: &Batch, second: &Batch, taken: &mut (Done, usize)) -> Result<()> {
    let (one, other) = tokio::try_join!(begin(context), begin(context))?;
    let (ours, theirs) = tokio::try_join!(context.prepare(&one, &first.rows), context.prepare(&other, &second.rows))?;
    if ours.shares_people_with(&theirs) {
        return Ok(());
    }
    let before = taken.0.clone();
    let (holds, is_held) = oneshot::channel();
    let (counted, is_counted) = oneshot::channel();
    let write_first = async {
        let held = context.hold(&one, &ours).await?;
        // The second may have failed meanwhile.
        let _ = holds.send(());
        let report = context.write(&one, ours, held).await?;
        let after = before.and(first, report)?;
        if !count(context, one, first, &before, &after).await? {
            return Err(Error::conflict("another worker took this batch"));
        }
        let _ = counted.send(after.clone());
        Ok(after)
    };
    let write_second = async {
        let gone = || Error::conflict("the batch before this one failed");
        is_held.await.map_err(|_| gone())?;
        let held = context.hold(&other, &theirs).await?;
        let report: ImportReport = context.write(&other, theirs, held).await?;
        let before: Done = is_counted.await.map_err(|_| gone())?;
        let after = before.and(second, report)?;
        if !count(context, other, second, &before, &after).await? {
            return Err(Error::conflict("another worker took this batch"));
        }
        Ok(after)
    };
    // Both come to their end: the first stands even where the second fails.
    let (first, second) = tokio::join!(write_first, write_second);
    *taken = (first?, 1);
    *taken = (second?, 2);
    Ok(())
}

async fn begin(context: &Context<'_>) -> Result<Tx> {
    let tx = context.engine.db.begin_bulk().await?;
    db::exec(&tx, &format!("SET LOCAL lock_timeout = {LOCK_WAIT_MS}"), Vec::new()).await?;
    Ok(tx)
}
