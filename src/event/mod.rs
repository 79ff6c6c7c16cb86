//! Events: state changes, written in the transaction that makes them, for notifications and sync.
//!
//! Plain transfers write none: they are a log already, and `poll_transfers` reads it. The cursor of
//! both is a position, the id of the writing transaction, and stops below the oldest transaction that
//! is still running: a slow transaction holds the cursor back instead of being skipped.

pub mod api;
pub mod rules;
pub mod store;

use crate::ledger::{self, Ledger, settings};
use crate::spi::{Argument, Session};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// Writes one event.
pub fn write(session: &Session, ledger: &Ledger, topic: &str, subject: &str, payload: impl Serialize) {
    let event = store::Event { id: Uuid::now_v7(), topic, subject, payload: Argument::json(&payload) };
    store::insert(session, ledger.id, event, ledger::position(session), ledger::now());
    notify(session, ledger);
}

/// An event that a store writes beside something else, in one statement; its parameters. [`notify`] comes after it.
pub fn beside(
    session: &Session,
    ledger: &Ledger,
    topic: &str,
    subject: &str,
    payload: &Value,
    now: i64,
) -> [Argument; 7] {
    let event = store::Event { id: Uuid::now_v7(), topic, subject, payload: Argument::json_value(payload) };
    store::arguments(ledger.id, event, ledger::position(session), now)
}

/// Writes many events at once: topic, subject, payload.
pub fn write_many(session: &Session, ledger: &Ledger, events: Vec<(&str, String, impl Serialize)>) {
    if events.is_empty() {
        return;
    }
    let events: Vec<store::Event> = events
        .iter()
        .map(|(topic, subject, payload)| store::Event {
            id: Uuid::now_v7(),
            topic,
            subject,
            payload: Argument::json(payload),
        })
        .collect();
    store::insert_many(session, ledger.id, events, ledger::position(session), ledger::now());
    notify(session, ledger);
}

/// A payload with what one kind of event says beside what all of its noun say.
pub fn with(mut payload: Value, more: Value) -> Value {
    if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
        payload.extend(more);
    }
    payload
}

/// Wakes who listens, if anybody is meant to.
pub fn notify(session: &Session, ledger: &Ledger) {
    if let Some(channel) = settings::notify_channel() {
        ledger::store::notify(session, &channel, &ledger.name);
    }
}

/// An account's state changed.
pub fn account_changed(session: &Session, ledger: &Ledger, topic: &str, address: &str, reason: Option<&str>) {
    write(session, ledger, topic, address, json!({ "account": address, "reason": reason }));
}

/// What every event about a hold says.
pub fn hold_payload(hold_id: Uuid, address: &str, amount: Decimal) -> Value {
    json!({ "hold_id": hold_id.to_string(), "account": address, "amount": amount.to_string() })
}
