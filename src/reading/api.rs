//! SQL face of reading.

use super::rules::{TimeBasis, check_page_size};
use super::store::Line;
use super::{Balance, Question, balance as read_balance, statement as read_statement};
use crate::account::rules::Side;
use crate::error::missing;
use crate::spi::face::{Composite, Timestamp, composite_result};
use crate::spi::table::Table;
use crate::spi::{Argument, Session};
use crate::{ledger, money, report};
use pgrx::prelude::*;
use rust_decimal::Decimal;
use std::ffi::CStr;
use std::rc::Rc;

/// A balance in words.
pub struct BalanceResult {
    ledger: String,
    account: String,
    basis: TimeBasis,
    balance: Balance,
}

composite_result!(BalanceResult, "wallet_ledger.balance_row");

impl Composite for BalanceResult {
    const NAME: &'static CStr = c"balance_row";

    fn into_values(self) -> Vec<Argument> {
        let balance = &self.balance;
        let available = money::subtract(balance.posted, balance.held).unwrap_or(balance.posted);
        vec![
            (&self.ledger).into(),
            (&self.account).into(),
            (&balance.currency).into(),
            balance.posted.into(),
            balance.held.into(),
            available.into(),
            balance.version.into(),
            balance.at.into(),
            self.basis.name().into(),
        ]
    }
}

/// An account's balance, now or at a moment.
///
/// * `account`: its address.
/// * `at`: the moment; NULL is now.
/// * `time_basis`: `posted` tells what the ledger said at that moment, by the transfers' `created_at`;
///   `effective` tells what counts for that moment as is known now, by their `effective_at`: transfers
///   back-dated since are in, transfers dated ahead are out.
/// * `ledger`: the session's ledger by default.
///
/// Returns one row: posted, held, available = posted - held (on the account's normal side), the version,
/// and the moment. Holds count from their creation to their release, capture or expiry, under either
/// basis. `version` is that of the last posting, for a striped account the sum over its stripes, and
/// NULL with `effective`, where it has no meaning. A moment to come tells what is known today: by
/// posting time the balance of now, with the holds gone that will have expired; by effective time also
/// with the transfers dated up to then. A past balance is final once the transactions that were open at
/// that moment have ended. Errors: missing_argument, invalid_argument, invalid_address,
/// account_not_found.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
fn balance(
    account: Option<&str>,
    at: default!(Option<Timestamp>, "NULL"),
    time_basis: default!(Option<&str>, "'posted'"),
    ledger: default!(Option<&str>, "NULL"),
) -> BalanceResult {
    report::run(|| {
        let session = Session::connect();
        let address = account.ok_or_else(|| missing("account"))?;
        let basis = TimeBasis::from_name(time_basis.ok_or_else(|| missing("time_basis"))?)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let balance = read_balance(&session, &ledger, address, at.map(|at| at.0), basis)?;
        Ok(BalanceResult { ledger: ledger.name, account: address.to_owned(), basis, balance })
    })
}

/// What every line of one page says alike.
struct Head {
    ledger: String,
    account: String,
    stripe: i32,
    currency: String,
    normal_side: Side,
    opening: Decimal,
    closing: Decimal,
    total: i64,
}

/// A line of a statement in words.
pub struct StatementLine {
    head: Rc<Head>,
    kind: String,
    line: Line,
}

composite_result!(StatementLine, "wallet_ledger.statement_line");

impl Composite for StatementLine {
    const NAME: &'static CStr = c"statement_line";

    fn into_values(self) -> Vec<Argument> {
        let (head, line) = (&self.head, &self.line);
        let amount = if line.side == head.normal_side { line.amount } else { -line.amount };
        let before = money::subtract(line.balance, amount);
        vec![
            (&head.ledger).into(),
            (&head.account).into(),
            head.stripe.into(),
            line.version.into(),
            match line.side {
                Side::Debit => "debit".into(),
                Side::Credit => "credit".into(),
            },
            amount.into(),
            before.into(),
            line.balance.into(),
            (&head.currency).into(),
            (&self.kind).into(),
            line.transfer_id.into(),
            line.transaction_id.into(),
            (&line.debit_account).into(),
            (&line.credit_account).into(),
            line.reference.as_deref().into(),
            line.description.as_deref().into(),
            line.metadata.as_ref().into(),
            line.reverses_id.into(),
            line.effective_at.into(),
            line.created_at.into(),
            head.opening.into(),
            head.closing.into(),
            head.total.into(),
        ]
    }
}

/// A page of an account's history, by posting time, the oldest line first.
///
/// * `account`: its address.
/// * `from`, `to`: the window: postings at or after `from` and before `to`; NULL is open. Both are SQL
///   keywords: write `"from" => …, "to" => …`.
/// * `after_version`: the `version` of the last line of the page before; NULL is the first page.
/// * `page_size`: most lines, 1 to 10,000.
/// * `kind`: only lines of this kind.
/// * `stripe`: which stripe of a striped account, 1 to its number of stripes; needed there and only there.
///   Each stripe has versions and a balance of its own; the view `entries` shows all stripes together.
/// * `ledger`: the session's ledger by default.
///
/// Each line has the amount signed on the account's normal side and the balance before and after it, and
/// repeats the window's opening_balance, closing_balance and total_count (lines of the window, of that
/// kind if one is given). An empty page has no line: then `balance(account, at)` tells the balance.
/// Lines are never skipped nor repeated while postings go on, because versions are given out under the
/// account's lock and have no gaps; set `to` where closing_balance and total_count shall stand still.
/// A page costs the same however long the history is. With `kind` there is no index to help: the whole
/// window is read to count its lines, so keep it narrow. Errors: missing_argument, invalid_argument,
/// invalid_address, account_not_found, kind_not_found.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn statement(
    account: Option<&str>,
    from: default!(Option<Timestamp>, "NULL"),
    to: default!(Option<Timestamp>, "NULL"),
    after_version: default!(Option<i64>, "NULL"),
    page_size: default!(Option<i32>, 50),
    kind: default!(Option<&str>, "NULL"),
    stripe: default!(Option<i32>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> Table<StatementLine> {
    let lines = report::run(|| {
        let session = Session::connect();
        let question = Question {
            account: account.ok_or_else(|| missing("account"))?,
            from: from.map(|from| from.0),
            to: to.map(|to| to.0),
            after_version,
            page_size: check_page_size(page_size.ok_or_else(|| missing("page_size"))?)?,
            kind,
            stripe,
        };
        let ledger = ledger::resolve(&session, ledger)?;
        let page = read_statement(&session, &ledger, &question)?;
        let head = Rc::new(Head {
            ledger: ledger.name.clone(),
            account: question.account.to_owned(),
            stripe: page.row.stripe.into(),
            currency: page.row.currency,
            normal_side: page.row.account_type.normal_side(),
            opening: page.opening,
            closing: page.closing,
            total: page.total,
        });
        let lines: Vec<StatementLine> = page
            .lines
            .into_iter()
            .map(|line| StatementLine {
                head: head.clone(),
                kind: ledger::kind_name(&session, &ledger, line.kind_id),
                line,
            })
            .collect();
        Ok(lines)
    });
    Table(lines)
}
