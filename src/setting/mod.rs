//! Settings: rates, limits and windows that each ledger may change, with the moment from which a change
//! counts. What was done under an old value is never done again under the new one.
//!
//! Changes of one ledger's settings wait for each other on the ledger's row; readers and postings do not
//! wait. A session whose snapshot is older than the last change cannot add one: its revision is taken.
//!
//! Statements: reading 1, setting 4 (lock, history, change, event), one more for an account or
//! kinds.

pub mod api;
pub mod rules;
pub mod store;

use crate::account;
use crate::error::{Code, LedgerError, Result};
use crate::event;
use crate::ledger::{self, Ledger};
use crate::spi::Session;
use crate::time;
use pgrx::pg_sys;
use rules::timeline::{Change, Clock, Decision, Settings, Wanted, counting, decide};
use rules::{ALL, Form, Setting};
use serde_json::json;

/// The values of all settings of a ledger at a moment, in one statement, for what is decided now: the call may have
/// waited since it began.
pub fn read(session: &Session, ledger: &Ledger, at: i64) -> Result<Settings> {
    Settings::at(&store::counting(session, ledger.id, at, true), at)
}

/// Every setting with the change that counts at a moment, if any does.
pub fn list(session: &Session, ledger: &Ledger, at: i64) -> Vec<(Setting, Option<Change>)> {
    let changes = store::counting(session, ledger.id, at, false);
    let found = |setting| (setting, counting(&changes, setting, at).cloned());
    ALL.iter().map(|definition| found(definition.setting)).collect()
}

/// Changes a setting. The same change again returns the one that is there.
pub fn set(session: &Session, ledger: &Ledger, wanted: Wanted) -> Result<Change> {
    let setting = wanted.setting;
    if setting.definition().form == Form::Kinds {
        // A misspelt kind would let money out that a limit was meant to stop.
        for kind in wanted.value.to_text().split(", ") {
            ledger::kind_id(session, ledger, kind)?;
        }
    }
    if setting.definition().form == Form::Account {
        // Mutations alone move these: anything else would stay in suspense, or settle what the bank never moved.
        let account = wanted.value.to_text();
        if account::store::is_a_banks(session, ledger.id, &account) {
            return Err(account::rules::bank_accounts_own("value", &account).with("setting", setting.name()));
        }
    }
    ledger::store::lock(session, ledger.id);
    let changes = store::history(session, ledger.id);
    let change = match decide(&changes, wanted, clock())? {
        Decision::Made(change) => return Ok(change.clone()),
        Decision::Make(change) => change,
    };
    if !store::insert(session, ledger.id, &change) {
        return Err(LedgerError::new(Code::TryAgain, "another session changed the settings first")
            .with("cause", "concurrent_change"));
    }
    let before = counting(&changes, setting, change.effective_from);
    let payload = json!({
        "setting": change.name,
        "value": change.value,
        "value_before": before.map_or(setting.definition().default, |before| &before.value),
        "effective_from": time::to_text(change.effective_from),
        "set_by": change.set_by,
        "reason": change.reason,
    });
    event::write(session, ledger, "setting.changed", &change.name, payload);
    Ok(change)
}

fn clock() -> Clock {
    // SAFETY: reads when the transaction began.
    Clock { now: ledger::now(), transaction_start: unsafe { pg_sys::GetCurrentTransactionStartTimestamp() } }
}
