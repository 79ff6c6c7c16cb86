//! SQL face of the proof.

use super::rules::Day;
use super::{Question, prove, told};
use crate::error::missing;
use crate::ledger;
use crate::report;
use crate::spi::face::{Composite, composite_result};
use crate::spi::table::Table;
use crate::spi::{Argument, Session};
use pgrx::datum::Date;
use pgrx::prelude::*;
use serde_json::Value;
use std::ffi::CStr;

/// A day of the proof in words.
struct ProofDay {
    day: Day,
    lines: Value,
}

composite_result!(ProofDay, "wallet_ledger.bank_proof_day");

impl Composite for ProofDay {
    const NAME: &'static CStr = c"bank_proof_day";

    fn into_values(self) -> Vec<Argument> {
        let day = &self.day;
        vec![
            day.day.into(),
            day.opening.into(),
            day.credits.into(),
            day.debits.into(),
            i32::try_from(day.count).unwrap_or(i32::MAX).into(),
            day.closing.into(),
            day.ledger.into(),
            day.reported.into(),
            day.ledger_difference.into(),
            day.reported_difference.into(),
            day.is_proved().into(),
            Argument::json_value(&self.lines),
        ]
    }
}

/// Proves a bank account day by day: opening balance + stored mutations = the books' balance = the balance
/// that the bank reports.
///
/// * `bank_account`: a registered one.
/// * `from`, `to`: the days of the bank, both included; NULL is open. Both are SQL keywords: write
///   `"from" => …, "to" => …`.
///
/// One row per day on which there is anything, in order. `closing_balance` is opening balance and mutations,
/// without those marked as duplicates. `ledger_balance` is the asset account's: transfers that belong to a
/// mutation count on its day, all others on the day (WIB) that they are effective. `reported_balance` is the
/// closing balance of an imported statement that ends on that day, else the last balance that came with the
/// day's mutations, if it is one of a chain that follows; else NULL. The differences are to `closing_balance`.
/// `is_proved` means that there is none. `lines` names what explains them: each has a `problem`:
/// unexplained_transfer, misposted_mutation, reissued_mutation, balance_does_not_follow, opening_differs, or
/// carried_over with the day that the difference came up; at most 100 a day, and then more. A day can have
/// lines and be proved: two that cancel each other out. Works in a read-only transaction and on a standby.
/// Errors: missing_argument, invalid_argument, invalid_address, bank_account_not_found.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
fn bank_proof(
    bank_account: Option<&str>,
    from: default!(Option<Date>, "NULL"),
    to: default!(Option<Date>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> Table<ProofDay> {
    let days = report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let question = Question {
            bank_account: bank_account.ok_or_else(|| missing("bank_account"))?,
            from: from.map(|day| day.to_pg_epoch_days()),
            to: to.map(|day| day.to_pg_epoch_days()),
        };
        let days = prove(&session, &ledger, &question)?;
        let told = |day: Day| {
            let lines = day.problems.iter().map(|problem| told(&session, &ledger, problem)).collect();
            ProofDay { day, lines }
        };
        Ok(days.into_iter().map(told).collect())
    });
    Table(days)
}
