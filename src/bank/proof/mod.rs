//! The proof of a bank account: opening balance + stored mutations = the books = what the bank reports.
//!
//! It reads the bank account's whole history, in the caller's snapshot, and writes nothing: it works in a
//! read-only transaction and on a standby. Every day of the history is proved, whatever part of it is asked
//! for, because a difference goes on from the day that it came up.
//!
//! Statements: 7, each a range of an index.

pub mod api;
pub mod rules;
pub mod store;

use crate::bank::account::{self, OPENING_ACCOUNT};
use crate::error::{Code, LedgerError, Result, invalid};
use crate::ledger::{self, Ledger};
use crate::spi::Session;
use rules::{Day, Known, Problem, Side};
use serde_json::{Value, json};
use store::Opening;

/// What is asked for: the days from and to, both included, counted from 2000-01-01.
pub struct Question<'a> {
    pub bank_account: &'a str,
    pub from: Option<i32>,
    pub to: Option<i32>,
}

/// Every day of the window on which there is anything, in order.
pub fn prove(session: &Session, ledger: &Ledger, question: &Question) -> Result<Vec<Day>> {
    if let (Some(from), Some(to)) = (question.from, question.to)
        && from > to
    {
        return Err(invalid("to", "not lie before from"));
    }
    let bank = account::look(session, ledger, question.bank_account)?;
    let kind_id = ledger::rules::BUILT_IN_KINDS
        .iter()
        .find(|(_, name)| *name == account::OPENING_KIND)
        .map(|(id, _)| *id)
        .ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "the kind of openings is missing"))?;
    let in_currency = format!("{OPENING_ACCOUNT}:{}", bank.currency.to_ascii_lowercase());
    let opening = Opening { accounts: &[OPENING_ACCOUNT, &in_currency], kind_id };
    let known = Known {
        opening_balance: bank.opening_balance,
        mutations: store::mutations(session, ledger.id, &bank),
        postings: store::postings(session, ledger.id, &bank, &opening),
        by_hand: store::by_hand(session, ledger.id),
        closings: store::closings(session, ledger.id, &bank),
    };
    let mut days = rules::prove(&known)?;
    days.retain(|day| question.from.is_none_or(|from| day.day >= from));
    days.retain(|day| question.to.is_none_or(|to| day.day <= to));
    Ok(days)
}

/// A problem as it is told. Amounts are strings: JavaScript would round numbers.
pub fn told(session: &Session, ledger: &Ledger, problem: &Problem) -> Value {
    match problem {
        Problem::UnexplainedTransfer { transfer_id, kind_id, amount } => json!({
            "problem": "unexplained_transfer",
            "transfer_id": transfer_id.to_string(),
            "kind": ledger::kind_name(session, ledger, *kind_id),
            "amount": amount.to_string(),
        }),
        Problem::Misposted { mutation_id, amount, posted } => json!({
            "problem": "misposted_mutation",
            "mutation_id": mutation_id.to_string(),
            "amount": amount.to_string(),
            "posted": posted.to_string(),
        }),
        Problem::Reissued { mutation_id, original_id, amount } => json!({
            "problem": "reissued_mutation",
            "mutation_id": mutation_id.to_string(),
            "original_id": original_id.to_string(),
            "amount": amount.to_string(),
        }),
        Problem::DoesNotFollow { mutation_id, amount, balance, expected } => json!({
            "problem": "balance_does_not_follow",
            "mutation_id": mutation_id.to_string(),
            "amount": amount.to_string(),
            "balance": balance.to_string(),
            "expected_balance": expected.to_string(),
        }),
        Problem::OpeningDiffers { opening_balance, ledger_balance } => json!({
            "problem": "opening_differs",
            "opening_balance": opening_balance.to_string(),
            "ledger_balance": ledger_balance.to_string(),
        }),
        Problem::CarriedOver { side, day, difference } => json!({
            "problem": "carried_over",
            "side": match side { Side::Ledger => "ledger", Side::Reported => "reported" },
            "day": rules::date(*day),
            "difference": difference.to_string(),
        }),
        Problem::More { count } => json!({ "problem": "more", "count": count }),
    }
}
