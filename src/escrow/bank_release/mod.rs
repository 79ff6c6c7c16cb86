//! Transfers to a seller's bank for what an escrow has paid them: made by hand, recorded here.
//!
//! The money leaves the seller's wallet for the outgoing account of the bank account that it was sent from, where
//! the bank's own debit meets it.

pub mod api;
pub mod store;

use super::rules::split::Units;
use super::rules::{self, amount, chosen, units};
use super::store::{Escrow, StoredLine};
use super::{find, transfer};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::posting::batch::post_all;
use crate::spi::Session;
use crate::{address, event, time};
use serde_json::json;
use store::BankRelease;
use uuid::Uuid;

/// Arguments of `record_bank_release`.
pub struct Request<'a> {
    pub escrow_id: Uuid,
    pub line: i32,
    pub amount: Option<Number>,
    pub bank_account: &'a str,
    pub transfer_reference: &'a str,
    pub sent_at: Option<i64>,
}

/// Records a transfer, and posts it out of the seller's wallet.
pub fn record(session: &Session, ledger: &Ledger, request: &Request) -> Result<BankRelease> {
    let bank_account = address::checked(request.bank_account, "bank_account")?;
    ledger::enter_period(ledger);
    let escrow = find(session, ledger, request.escrow_id, true)?;
    let lines = super::store::lines(session, ledger.id, escrow.id, escrow.scale);
    let bare: Vec<_> = lines.iter().map(|stored| stored.line).collect();
    let stored: &StoredLine = &lines[chosen(&bare, Some(request.line))?[0]];
    let outgoing = store::outgoing_account(session, ledger.id, bank_account).ok_or_else(|| {
        LedgerError::new(Code::BankAccountNotFound, format!("{bank_account} is no registered bank account"))
            .with("account", bank_account)
    })?;
    let exact = |number| {
        let value = money::positive(number, "amount")?;
        money::to_scale(value, escrow.scale, &escrow.currency, "amount").map(units)
    };
    let asked = request.amount.map(exact).transpose()?;
    let mut sent = store::sent(session, ledger.id, escrow.id, request.line as i16);
    sent.rescale(escrow.scale);
    let wanted = rules::to_send(&stored.line, units(sent), asked)
        .map_err(|left| exceeds(&escrow, &stored.beneficiary, asked.unwrap_or(left), left))?;
    let wanted = amount(wanted, escrow.scale);
    let now = ledger::now();
    let sent_at = time::finite(request.sent_at.unwrap_or(now), "sent_at")?;
    if sent_at > now {
        return Err(
            crate::error::invalid("sent_at", "not lie in the future").with("value", time::to_text(sent_at))
        );
    }
    let requests = vec![transfer(&stored.beneficiary, &outgoing, wanted, "payout", &escrow.reference)];
    let transaction_id = post_all(session, ledger, requests)?;
    let release = BankRelease {
        id: Uuid::now_v7(),
        escrow_id: escrow.id,
        line: request.line as i16,
        account: stored.beneficiary.clone(),
        bank_account: bank_account.to_owned(),
        amount: wanted,
        transfer_reference: request.transfer_reference.to_owned(),
        sent_at,
        transaction_id,
        recorded_at: now,
        recorded_by: ledger::settings::actor(),
    };
    if !store::insert(session, ledger.id, &release) {
        return Err(LedgerError::new(
            Code::AlreadyExists,
            format!("the transfer {} from {bank_account} was recorded before", request.transfer_reference),
        )
        .with("transfer_reference", request.transfer_reference)
        .with("account", bank_account));
    }
    let payload = json!({
        "bank_release_id": release.id.to_string(),
        "escrow_id": escrow.id.to_string(),
        "reference": escrow.reference,
        "account": release.account,
        "bank_account": release.bank_account,
        "amount": release.amount.to_string(),
        "transfer_reference": release.transfer_reference,
        "sent_at": time::to_text(sent_at),
        "for": ["seller", "finance"],
        "actor": release.recorded_by,
    });
    event::write(session, ledger, "escrow.bank_release", &escrow.id.to_string(), payload);
    Ok(release)
}

fn exceeds(escrow: &Escrow, beneficiary: &str, wanted: Units, left: Units) -> LedgerError {
    let (wanted, left) = (amount(wanted, escrow.scale), amount(left, escrow.scale));
    let message = match left.is_zero() {
        true => format!("{beneficiary} has earned nothing on this line that was not sent or given back"),
        false => format!("{wanted} is more than the {left} that {beneficiary} has earned and not been sent"),
    };
    LedgerError::new(Code::ReleaseExceedsEscrow, message)
        .with("escrow_id", escrow.id)
        .with("amount", wanted)
        .with("left", left)
}
