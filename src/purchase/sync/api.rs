//! SQL face of syncing tills.

use super::{Answer, lock, merchant, sync};
use crate::access;
use crate::access::rules::{Action, Target};
use crate::error::missing;
use crate::ledger;
use crate::report;
use crate::spi::face::{Composite, JsonItems, composite_result};
use crate::spi::table::Table;
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use std::ffi::CStr;

/// What the till is told about a number.
pub struct SyncRow(Answer);

composite_result!(SyncRow, "wallet_ledger.sync_row");

impl Composite for SyncRow {
    const NAME: &'static CStr = c"sync_row";

    fn into_values(self) -> Vec<Argument> {
        let answer = &self.0;
        let message =
            answer.error.as_ref().map(|(_, message)| message.as_str()).or(answer.message.as_deref());
        vec![
            answer.sequence.into(),
            answer.status.into(),
            answer.purchase_id.into(),
            answer.error.as_ref().map(|(token, _)| token.as_str()).into(),
            message.into(),
            answer.keep.into(),
        ]
    }
}

/// Takes what a till has sold while it was offline: each number once, in order.
///
/// * `device`: the till.
/// * `batch`: up to 10,000 entries of up to 64 KiB, 16 MiB in all, in any order:
///   `[{"sequence": 17, "member": "m1", "at": "2026-11-21T12:00:00+07:00",
///   "items": [{"item": "nasi-goreng", "quantity": 1, "unit_price": "15000"}]}]`. `sequence`: the till's own number,
///   1, 2, 3, …; `at`: when it was sold, by its clock; `unit_price`, `name` and `category` of an item are what
///   counted at the till, by default the catalogue's. Optional: `authentication` (`{"method": "pin"}`) and
///   `reference`.
/// * `ledger`: the session's ledger by default.
///
/// Returns a row for each entry, in order of the numbers: `accepted`; `overdraft` (taken although a limit or the
/// balance would have refused it, by the device's policy: error says what was passed over); `rejected`; `duplicate`
/// (decided before: with what became of it); `waiting` (a number before it is missing); and `gap` for numbers that
/// are missing. `keep` says whether the till must send it again. A rejected entry uses its number up, and an event
/// tells: `purchase.refused`, or `sync.rejected` with the entry where no purchase could be made of it. Other events:
/// `purchase.completed`, `purchase.overdraft`, `purchase.price_differs`, `device.gap`. The same batch twice is
/// answered twice and taken once. Errors of the whole call: missing_argument, invalid_json, too_many_items,
/// device_not_found, party_inactive, try_again. Errors of an entry: sequence_conflict, clock_skew, entry_too_old,
/// overdraft_exceeded, and those of `purchase`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn sync_purchases(
    device: Option<&str>,
    batch: Option<JsonItems>,
    ledger: default!(Option<&str>, "NULL"),
) -> Table<SyncRow> {
    let rows = report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let device = device.ok_or_else(|| missing("device"))?;
        let batch = batch.ok_or_else(|| missing("batch"))?;
        // Asked before the till is locked: a stranger must not hold up a till.
        let merchant = merchant(&session, &ledger, device);
        let target = Target { member: None, merchant: merchant.as_deref() };
        access::demand(&session, &ledger, Action::SyncPurchases, target)?;
        let device = lock(&session, &ledger, device)?;
        let answers = sync(&session, &ledger, &device, &batch.0)?;
        Ok(answers.into_iter().map(SyncRow).collect())
    });
    Table(rows)
}
