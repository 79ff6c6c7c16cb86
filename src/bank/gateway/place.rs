//! Which bank account a payment belongs to, and the lock on it.

use super::rules::choice::{self, Bill, Place};
use super::store;
use crate::bank::account::rules::BankAccount;
use crate::bank::account::store as accounts;
use crate::bank::mutation::lock;
use crate::bank::rules::when::When;
use crate::bank::webhook::rules::Provider;
use crate::error::Result;
use crate::ledger::{self, Ledger};
use crate::spi::Session;

/// Where a payment belongs, locked, and the intents that have its number there.
pub struct Placed {
    pub bank: BankAccount,
    pub bills: Vec<Bill>,
}

/// Finds and locks the bank account: the one at which the payment is known, else the one whose intent has
/// the best claim, else the only one that the provider has. The inner error is a token.
///
/// Every bank account that could be meant is locked before the choice is made: of two notices of one
/// payment the second then finds what the first has written, whatever happened to the intents meanwhile.
pub fn find(
    session: &Session,
    ledger: &Ledger,
    provider: Provider,
    payment_id: &str,
    number: &str,
    paid_at: When,
) -> Result<std::result::Result<Placed, &'static str>> {
    let provider_id = provider as i16;
    let mut locked: Vec<i32> = Vec::new();
    let (known, bills) = loop {
        let known = store::accounts_of(session, ledger.id, provider_id, payment_id);
        let bills = store::bills(session, ledger.id, provider_id, number);
        let mut meant: Vec<i32> = known.clone();
        meant.extend(bills.iter().map(|bill| bill.bank_account_id));
        if meant.is_empty() {
            meant.extend(only_one(session, ledger, provider_id));
        }
        meant.retain(|id| !locked.contains(id));
        if meant.is_empty() {
            break (known, bills);
        }
        lock(session, ledger, meant.iter().copied());
        locked.extend(meant);
    };
    let chosen = match choice::place(&bills, ledger::now(), paid_at) {
        _ if !known.is_empty() => known.first().copied(),
        Place::BankAccount(id) => Some(id),
        Place::Several => return Ok(Err("several_intents")),
        Place::Unknown => only_one(session, ledger, provider_id),
    };
    let Some(bank) = chosen.and_then(|id| accounts::by_id(session, ledger.id, id)) else {
        return Ok(Err("unknown_bank_account"));
    };
    let bills = bills.into_iter().filter(|bill| bill.bank_account_id == bank.id).collect();
    Ok(Ok(Placed { bank, bills }))
}

/// The bank account of a provider that has exactly one.
fn only_one(session: &Session, ledger: &Ledger, provider_id: i16) -> Option<i32> {
    match accounts::of_provider(session, ledger.id, provider_id).as_slice() {
        [only] => Some(only.id),
        _ => None,
    }
}
