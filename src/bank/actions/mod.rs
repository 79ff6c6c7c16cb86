//! The record of what people did to mutations and intents: who, when and why.

pub mod store;

use crate::ledger::{self, Ledger};
use crate::spi::Session;
use uuid::Uuid;

/// Something that a person did.
#[derive(Default)]
pub struct Action<'a> {
    pub action: &'a str,
    pub mutation_id: Option<Uuid>,
    pub intent_id: Option<Uuid>,
    pub transaction_id: Option<Uuid>,
    /// The posting that was taken back.
    pub undone_transaction_id: Option<Uuid>,
    pub reason: Option<&'a str>,
}

/// Writes it down, with the acting person.
pub fn record(session: &Session, ledger: &Ledger, action: &Action) {
    store::insert(session, ledger.id, action, &ledger::settings::actor(), ledger::now());
}
