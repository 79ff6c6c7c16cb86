//! Idempotency keys: claim first, decide later.
//!
//! A call inserts its keys before it looks at anything else. The primary key makes simultaneous calls
//! with one key wait for each other: the first does the work, the others find its row and answer from
//! it. Keys are claimed in sorted order, before any account is locked (lock order: keys, accounts,
//! holds, reversal totals), so two batches with the same keys cannot deadlock.
//!
//! Costs one statement for a new key, two for a replay.

pub mod api;
pub mod rules;
pub mod store;

use crate::error::{Code, LedgerError, Result};
use crate::spi::Session;
use rules::Fingerprint;
use serde_json::Value;
use store::{Claim, Stored};

/// What a claim came to.
pub enum Claimed {
    /// The key was free; the caller does the work.
    New,
    /// The same request was made before; this is what it came to.
    Before(Stored),
}

/// Claims one key, or finds what it stands for. With `preview` nothing is written.
pub fn claim(session: &Session, ledger_id: i32, claim: &Claim, now: i64, preview: bool) -> Result<Claimed> {
    rules::check_key(claim.key)?;
    if !preview && store::claim_one(session, ledger_id, claim, now) {
        return Ok(Claimed::New);
    }
    match store::find(session, ledger_id, &[claim.key], preview).remove(claim.key) {
        Some(stored) => {
            claim.fingerprint.check_same(claim.key, stored.operation_id, &stored.request)?;
            Ok(Claimed::Before(stored))
        }
        None if preview => Ok(Claimed::New),
        None => Err(forgotten_meanwhile(claim.key)),
    }
}

/// A key that was there when it was claimed and gone when it was read: retention took it in between.
pub fn forgotten_meanwhile(key: &str) -> LedgerError {
    LedgerError::new(Code::TryAgain, format!("idempotency key {key} was being forgotten"))
        .with("cause", "retention")
}

/// Runs `work` once per key and answers later calls with its stored result. `work` returns the result
/// to keep. Without a key it simply runs. The flag says whether the result is a replay.
pub fn once(
    session: &Session,
    ledger_id: i32,
    key: Option<&str>,
    fingerprint: &Fingerprint,
    now: i64,
    work: impl FnOnce() -> Result<Value>,
) -> Result<(Value, bool)> {
    let Some(key) = key else {
        return Ok((work()?, false));
    };
    let wanted = Claim { key, fingerprint, transfer_ids: Vec::new() };
    match claim(session, ledger_id, &wanted, now, false)? {
        Claimed::Before(stored) => {
            let result = stored.result.ok_or_else(|| {
                LedgerError::new(
                    Code::BooksInconsistent,
                    format!("idempotency key {key} has no stored result"),
                )
            })?;
            Ok((result, true))
        }
        Claimed::New => {
            let result = work()?;
            store::set_result(session, ledger_id, key, &result);
            Ok((result, false))
        }
    }
}
