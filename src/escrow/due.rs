//! Releases by the clock: what was shipped long enough ago and not disputed.
//!
//! Every account that one of them touches is locked first, in the global order: two sessions that release
//! different escrows of the same sellers wait for each other once, and never in a circle. Then they are
//! released together: see [`super::many`].

use super::many::release_many;
use super::store::due;
use crate::error::Result;
use crate::ledger::{self, Ledger};
use crate::posting::{self, Wanted};
use crate::report::Failure;
use crate::setting::rules::interval::HOUR;
use crate::spi::Session;
use crate::{event, time};
use rust_decimal::Decimal;
use serde_json::json;
use uuid::Uuid;

/// How long after a failure the same escrow is tried again, so that it keeps no other waiting.
const RETRY_AFTER: i64 = HOUR;

/// What the record says.
const REASON: &str = "the time to complain is over";

/// What became of an escrow that was due.
pub struct Due {
    pub escrow_id: Uuid,
    pub reference: String,
    pub outcome: std::result::Result<Decimal, Failure>,
}

/// Releases what is due, at most so many. One that cannot be released is reported and tried again later.
pub fn release_due(session: &Session, ledger: &Ledger, max_count: i64) -> Result<Vec<Due>> {
    ledger::enter_period(ledger);
    let now = ledger::now();
    let taken = due::take(session, ledger.id, now, max_count);
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = taken.iter().map(|(id, _)| *id).collect();
    lock_accounts(session, ledger, &ids, false)?;
    let released = release_many(ledger, &ids, REASON)?;
    let mut outcomes = Vec::with_capacity(taken.len());
    for ((escrow_id, reference), outcome) in taken.into_iter().zip(released) {
        if let Err(failure) = &outcome {
            let again_at = now.saturating_add(RETRY_AFTER);
            due::put_off(session, ledger.id, escrow_id, again_at);
            let payload = json!({
                "escrow_id": escrow_id.to_string(),
                "reference": reference,
                "error": failure.token,
                "message": failure.message,
                "again_at": time::to_text(again_at),
                "for": ["finance"],
            });
            event::write(session, ledger, "escrow.release_failed", &escrow_id.to_string(), payload);
        }
        outcomes.push(Due { escrow_id, reference, outcome });
    }
    Ok(outcomes)
}

/// Locks every account that these escrows can touch, in the global order. Their own rows are locked before.
pub(super) fn lock_accounts(
    session: &Session,
    ledger: &Ledger,
    ids: &[Uuid],
    with_buyers: bool,
) -> Result<()> {
    let flows = due::flows(session, ledger.id, ids, with_buyers);
    let mut wanted = Wanted::default();
    for (from, to, amount) in &flows {
        wanted.transfer(from, to, *amount);
    }
    posting::lock(session, ledger, &wanted).map(|_| ())
}
