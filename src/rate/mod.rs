//! Rates: the shares that the platform keeps of what others earn, with their history. What was opened
//! under a rate keeps it.
//!
//! Changes of one ledger's rates wait for each other on the ledger's row, as those of its settings do;
//! whoever reads a rate does not wait.

pub mod api;
pub mod rules;
pub mod store;

use crate::error::{Code, LedgerError, Result};
use crate::event;
use crate::ledger::{self, Ledger};
use crate::spi::Session;
use crate::time;
use pgrx::pg_sys;
use rules::{Change, DEFAULTS, Decision, Wanted, counting, decide, default_account};
use serde_json::json;

/// Every rate that was set, at a moment, for what is decided now: the call may have waited since it began.
pub fn changes(session: &Session, ledger: &Ledger, at: i64) -> Vec<Change> {
    store::counting(session, ledger.id, at, true)
}

/// Every rate that counts at a moment, those included that nobody has set: these have no history.
pub fn list(session: &Session, ledger: &Ledger, at: i64) -> Vec<Change> {
    let mut all = store::counting(session, ledger.id, at, false);
    for (name, rate) in DEFAULTS {
        if counting(&all, name, at).is_none() {
            all.push(Change {
                revision: 0,
                name: (*name).to_owned(),
                rate: *rate,
                account: default_account(name),
                effective_from: time::MINUS_INFINITY,
                set_by: String::new(),
                reason: None,
                created_at: time::MINUS_INFINITY,
            });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Sets a rate. The same again returns what is there.
pub fn set(session: &Session, ledger: &Ledger, wanted: Wanted) -> Result<Change> {
    ledger::store::lock(session, ledger.id);
    let changes = store::history(session, ledger.id);
    // SAFETY: reads when the transaction began.
    let transaction_start = unsafe { pg_sys::GetCurrentTransactionStartTimestamp() };
    let change = match decide(&changes, wanted, ledger::now(), transaction_start)? {
        Decision::Made(change) => return Ok(change.clone()),
        Decision::Make(change) => change,
    };
    if !store::insert(session, ledger.id, &change) {
        return Err(LedgerError::new(Code::TryAgain, "another session changed the rates first")
            .with("cause", "concurrent_change"));
    }
    let before = rules::find(&changes, &change.name, change.effective_from).ok();
    let payload = json!({
        "rate": change.name,
        "value": change.rate.to_decimal().to_string(),
        "value_before": before.map(|before| before.rate.to_decimal().to_string()),
        "account": change.account,
        "effective_from": time::to_text(change.effective_from),
        "set_by": change.set_by,
        "reason": change.reason,
    });
    event::write(session, ledger, "rate.changed", &change.name, payload);
    Ok(change)
}
