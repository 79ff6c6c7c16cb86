//! Opening an intent again whose payment is undone. Lock order: the intent and those in its way, by id, and only then
//! what undoing the payment locks.

use super::rules::{Purpose, State};
use super::store::{self, Intent};
use super::{change, clear_the_way, free_later};
use crate::error::Result;
use crate::ledger::{self, Ledger};
use crate::spi::Session;
use uuid::Uuid;

/// Locks an intent that is to be opened again, and those whose time may be written down then since they are in its
/// way: intents come before accounts, and the payment is not undone yet.
pub fn lock(session: &Session, ledger: &Ledger, id: Uuid) -> Result<Intent> {
    let intent = super::find(session, ledger, id, false)?;
    let (number, order) = (intent.number.as_deref(), order_of(&intent));
    if number.is_some() || order.is_some() {
        store::expiry::lock_with_those_in_the_way(
            session,
            ledger.id,
            id,
            intent.bank_account_id,
            number,
            order,
        );
    }
    super::find(session, ledger, id, true)
}

/// The order that an intent is for: only one live intent can be.
fn order_of(intent: &Intent) -> Option<&str> {
    intent.reference.as_deref().filter(|_| intent.purpose == Purpose::Order)
}

/// Opens a paid intent again after its payment was undone. It is expired where its time is over, or where
/// another live one has its number, its order or its total by now.
pub fn reopen(session: &Session, ledger: &Ledger, intent: &Intent, reason: &str) {
    let now = ledger::now();
    let is_over = State::Open.at(intent.expires_at, now) == State::Expired;
    if is_over || !can_live_again(session, ledger, intent, now) {
        let closed_at = intent.expires_at.min(now);
        change(session, ledger, intent, State::Expired, Some(closed_at), None, Some(reason));
        free_later(session, ledger, intent, if is_over { intent.accepts_until.max(now) } else { now });
    } else {
        change(session, ledger, intent, State::Open, None, None, Some(reason));
    }
}

/// Whether nothing live is in the way of opening an intent again; its number, its order and its total are kept
/// for it then. What another session has not committed yet is waited for.
fn can_live_again(session: &Session, ledger: &Ledger, intent: &Intent, now: i64) -> bool {
    let (at, order) = (intent.bank_account_id, order_of(intent));
    if clear_the_way(session, ledger, at, intent.number.as_deref(), order, now).is_err() {
        return false;
    }
    if !store::live_again(session, ledger.id, intent.id) {
        return false;
    }
    let free_at = intent.accepts_until.max(now).saturating_add(intent.cooldown_micros);
    intent.unique_code.is_none()
        || store::codes::free(session, ledger.id, intent, free_at)
        || store::codes::take(session, ledger.id, at, intent.total, intent.id, free_at, now)
}
