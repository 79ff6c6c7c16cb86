//! SQL of the verifier. Every statement reads only, and returns findings: finding, subject, expected,
//! actual, detail.
//!
//! The arithmetic is PostgreSQL's own, not the engine's: what one does wrong the other does not repeat.
//! Each statement sorts or hashes within `work_mem` and spills the rest to temporary files. Amounts go
//! out as text, since a damaged one may be NaN.

/// What a transaction has moved, as a scalar subquery; the argument is the SQL of the transaction's id. What moved
/// between two stripes of one account to make that possible is no part of it.
macro_rules! moved {
    ($transaction:expr) => {
        const_format::concatcp!(
            "(SELECT sum(p.amount)
              FROM (SELECT x.amount FROM wallet_data.transfers x
                    WHERE x.ledger_id = $1 AND x.transaction_id = ",
            $transaction,
            " AND x.kind_id <> ",
            crate::ledger::rules::REBALANCE,
            "
                    UNION ALL
                    SELECT x.amount FROM wallet_data.transfers x
                    WHERE x.ledger_id = $1 AND x.transfer_id = ",
            $transaction,
            " AND x.transaction_id IS NULL) p)"
        )
    };
}

mod bank;
mod books;
mod escrow;
mod limits;
mod purchases;
mod records;
mod subscriptions;

use crate::spi::{Argument, Row, Session, Statement};
use serde_json::Value;

const LIMIT: &str = " ORDER BY 1, 2 LIMIT $2";

/// Something that must not be so.
#[derive(Clone, Debug)]
pub struct Finding {
    pub finding: String,
    pub subject: String,
    pub expected: Option<String>,
    pub actual: Option<String>,
    pub detail: Value,
}

/// A group of checks that is one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    Balances,
    Transfers,
    Reversals,
    Holds,
    Keys,
    Mutations,
    Intents,
    Escrows,
    Subscriptions,
    Spending,
    Purchases,
}

impl Check {
    pub const ALL: [Check; 11] = [
        Check::Balances,
        Check::Transfers,
        Check::Reversals,
        Check::Holds,
        Check::Keys,
        Check::Mutations,
        Check::Intents,
        Check::Escrows,
        Check::Subscriptions,
        Check::Spending,
        Check::Purchases,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Check::Balances => "balances",
            Check::Transfers => "transfers",
            Check::Reversals => "reversals",
            Check::Holds => "holds",
            Check::Keys => "idempotency_keys",
            Check::Mutations => "mutations",
            Check::Intents => "intents",
            Check::Escrows => "escrows",
            Check::Subscriptions => "subscriptions",
            Check::Spending => "spending",
            Check::Purchases => "purchases",
        }
    }

    fn statement(self) -> &'static Statement {
        match self {
            Check::Balances => &books::BALANCES,
            Check::Transfers => &records::TRANSFERS,
            Check::Reversals => &records::REVERSALS,
            Check::Holds => &records::HOLDS,
            Check::Keys => &records::KEYS,
            Check::Mutations => &bank::MUTATIONS,
            Check::Intents => &bank::INTENTS,
            Check::Escrows => &escrow::ESCROWS,
            Check::Subscriptions => &subscriptions::SUBSCRIPTIONS,
            Check::Spending => &limits::SPENDING,
            Check::Purchases => &purchases::PURCHASES,
        }
    }
}

/// What a group of checks finds, at most `limit`.
pub fn check(session: &Session, ledger_id: i32, check: Check, limit: i64) -> Vec<Finding> {
    let rows = session.read(check.statement(), &[ledger_id.into(), limit.into()]);
    rows.iter().map(|row| finding(&row)).collect()
}

/// Folds the log per account and compares with the balances. Also returns the accounts whose history
/// is not one unbroken line; `limit` bounds both together.
pub fn fold(session: &Session, ledger_id: i32, limit: i64) -> (Vec<Finding>, Vec<i64>) {
    let (mut findings, mut broken) = (Vec::new(), Vec::new());
    for row in session.read(&books::ACCOUNTS, &[ledger_id.into(), limit.into()]).iter() {
        if row.get::<String>(0).is_some() {
            findings.push(finding(&row));
        } else {
            broken.push(row.need(5));
        }
    }
    (findings, broken)
}

/// Where the histories of those accounts break, at most `limit` places.
pub fn history(session: &Session, ledger_id: i32, accounts: &[i64], limit: i64) -> Vec<Finding> {
    let arguments = [ledger_id.into(), limit.into(), Argument::numbers(accounts.iter().copied())];
    session.read(&books::HISTORY, &arguments).iter().map(|row| finding(&row)).collect()
}

fn finding(row: &Row) -> Finding {
    Finding {
        finding: row.need(0),
        subject: row.need(1),
        expected: row.get(2),
        actual: row.get(3),
        detail: row.json(4).unwrap_or_default(),
    }
}
