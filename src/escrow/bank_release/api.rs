//! SQL face of transfers to sellers' banks.

use super::store::BankRelease;
use super::{Request, record};
use crate::error::missing;
use crate::form::needed_label;
use crate::ledger;
use crate::report;
use crate::spi::face::{Composite, NumericIn, Timestamp, composite_result, needed_id};
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use std::ffi::CStr;

/// A transfer in words.
pub struct BankReleaseRow {
    ledger: String,
    release: BankRelease,
}

composite_result!(BankReleaseRow, "wallet_ledger.bank_release_row");

impl Composite for BankReleaseRow {
    const NAME: &'static CStr = c"bank_release_row";

    fn into_values(self) -> Vec<Argument> {
        let release = &self.release;
        vec![
            release.id.into(),
            (&self.ledger).into(),
            release.escrow_id.into(),
            i32::from(release.line).into(),
            (&release.account).into(),
            (&release.bank_account).into(),
            release.amount.into(),
            (&release.transfer_reference).into(),
            release.sent_at.into(),
            release.transaction_id.into(),
            (&release.recorded_by).into(),
            release.recorded_at.into(),
        ]
    }
}

/// Records a transfer to a seller's bank that somebody has made by hand, and takes the money out of the
/// seller's wallet.
///
/// * `escrow_id`: from `open_escrow`; it must have paid the seller.
/// * `bank_account`: the registered bank account that it was sent from; its outgoing account is credited, and
///   the bank's own debit meets it there.
/// * `transfer_reference`: the bank's reference, 1 to 255 bytes, once per bank account.
/// * `sent_at`: when it was sent, not in the future; NULL is now.
/// * `line`: whose earning it is, counted from 1.
/// * `amount`: at most what the line has earned and not been sent; NULL is all of it.
/// * `ledger`: the session's ledger by default.
///
/// Returns the record. Writes the event `escrow.bank_release`. Errors: missing_argument, invalid_argument,
/// invalid_amount, escrow_not_found, bank_account_not_found, release_exceeds_escrow, already_exists (recorded
/// before), insufficient_funds, and the others of `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn record_bank_release(
    escrow_id: Option<pgrx::Uuid>,
    bank_account: Option<&str>,
    transfer_reference: Option<&str>,
    sent_at: default!(Option<Timestamp>, "NULL"),
    line: default!(Option<i32>, 1),
    amount: default!(Option<NumericIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> BankReleaseRow {
    report::run(|| {
        let session = Session::connect();
        let request = Request {
            escrow_id: needed_id(escrow_id, "escrow_id")?,
            line: line.ok_or_else(|| missing("line"))?,
            amount: amount.map(|amount| amount.0),
            bank_account: bank_account.ok_or_else(|| missing("bank_account"))?,
            transfer_reference: needed_label(transfer_reference, "transfer_reference", 255)?,
            sent_at: sent_at.map(|at| at.0),
        };
        let ledger = ledger::resolve(&session, ledger)?;
        let release = record(&session, &ledger, &request)?;
        Ok(BankReleaseRow { ledger: ledger.name.clone(), release })
    })
}
