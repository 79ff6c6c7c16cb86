//! Money that leaves an escrow, or comes back from those whom it paid: release, refund and the decision of
//! a dispute are one flow with different splits.

use super::rules::line::{Line, Split};
use super::rules::split::Units;
use super::rules::{self, Action, amount, units};
use super::store::{self, Escrow, Payment, StoredLine};
use super::{Opened, announce, find_for, read, transfer};
use crate::account::rules::Type;
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::posting::batch::post_all;
use crate::posting::request::Request;
use crate::posting::{self, Wanted};
use crate::spi::Session;
use crate::{account, address};
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Where the platform books what it has paid in a beneficiary's place: this and the beneficiary.
const RECEIVABLE_PREFIX: &str = "receivables:";

/// What happens where a beneficiary cannot give back their part of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// Nothing is refunded.
    Refuse,
    /// The platform pays what is missing, and the beneficiary owes it.
    Advance,
}

/// What is to move, and why.
pub struct Order<'a> {
    /// NULL is all there is.
    pub amount: Option<Number>,
    /// One line only, counted from 1; NULL is all of them.
    pub line: Option<i32>,
    pub reason: Option<&'a str>,
    pub shortfall: Shortfall,
}

/// Pays the beneficiaries what is held, or a part of it.
pub fn release(
    session: &Session,
    ledger: &Ledger,
    id: Uuid,
    action: Action,
    order: &Order,
) -> Result<Opened> {
    let (escrow, lines) = open_lines(session, ledger, id, action)?;
    let bare = bare(&lines);
    let total = wanted(&escrow, order)?;
    let splits = rules::release(&bare, &rules::chosen(&bare, order.line)?, total)
        .map_err(|held| exceeds(&escrow, Code::ReleaseExceedsEscrow, total, held))?;
    let doing = Doing { action, dispute_id: None, reason: order.reason };
    apply(session, ledger, &escrow, &lines, splits, order.shortfall, &doing)
}

/// Gives the buyer money back: what is held first, then what was paid out, as it was paid out.
pub fn refund(session: &Session, ledger: &Ledger, id: Uuid, order: &Order) -> Result<Opened> {
    let (escrow, lines) = open_lines(session, ledger, id, Action::Refund)?;
    let bare = bare(&lines);
    let total = wanted(&escrow, order)?;
    let splits = rules::refund(&bare, &rules::chosen(&bare, order.line)?, total)
        .map_err(|left| exceeds(&escrow, Code::RefundExceedsPayment, total, left))?;
    let doing = Doing { action: Action::Refund, dispute_id: None, reason: order.reason };
    apply(session, ledger, &escrow, &lines, splits, order.shortfall, &doing)
}

/// Pays both sides of a dispute: so much to the buyer, the rest to the beneficiaries. Returns the escrow and
/// what the beneficiaries got, fees included.
pub fn decide(
    session: &Session,
    ledger: &Ledger,
    escrow: &Escrow,
    dispute_id: Uuid,
    refunded: Decimal,
    reason: &str,
) -> Result<(Opened, Decimal)> {
    let lines = store::lines(session, ledger.id, escrow.id, escrow.scale);
    let splits = rules::decide(&bare(&lines), units(refunded))
        .map_err(|held| exceeds(escrow, Code::RefundExceedsPayment, Some(units(refunded)), held))?;
    let released: Units = splits.iter().map(|split| split.released).sum();
    let doing = Doing { action: Action::ResolveDispute, dispute_id: Some(dispute_id), reason: Some(reason) };
    let opened = apply(session, ledger, escrow, &lines, splits, Shortfall::Refuse, &doing)?;
    Ok((opened, amount(released, escrow.scale)))
}

pub(super) fn open_lines(
    session: &Session,
    ledger: &Ledger,
    id: Uuid,
    action: Action,
) -> Result<(Escrow, Vec<StoredLine>)> {
    let escrow = find_for(session, ledger, id, action)?;
    let lines = store::lines(session, ledger.id, id, escrow.scale);
    Ok((escrow, lines))
}

pub(super) fn bare(lines: &[StoredLine]) -> Vec<Line> {
    lines.iter().map(|stored| stored.line).collect()
}

fn wanted(escrow: &Escrow, order: &Order) -> Result<Option<Units>> {
    let exact = |number| {
        let value = money::positive(number, "amount")?;
        money::to_scale(value, escrow.scale, &escrow.currency, "amount").map(units)
    };
    order.amount.map(exact).transpose()
}

fn exceeds(escrow: &Escrow, code: Code, wanted: Option<Units>, left: Units) -> LedgerError {
    let left = amount(left, escrow.scale);
    let message = match wanted {
        Some(wanted) => {
            let wanted = amount(wanted, escrow.scale);
            format!("{wanted} is more than the {left} that is left on escrow {}", escrow.id)
        }
        None => format!("nothing is left on this line of escrow {}", escrow.id),
    };
    let error = LedgerError::new(code, message).with("escrow_id", escrow.id).with("left", left);
    match wanted {
        Some(wanted) => error.with("amount", amount(wanted, escrow.scale)),
        None => error,
    }
}

/// Who moves the money, for the record.
pub(super) struct Doing<'a> {
    pub action: Action,
    pub dispute_id: Option<Uuid>,
    pub reason: Option<&'a str>,
}

/// Posts what was decided and writes it down.
fn apply(
    session: &Session,
    ledger: &Ledger,
    escrow: &Escrow,
    lines: &[StoredLine],
    mut splits: Vec<Split>,
    shortfall: Shortfall,
    doing: &Doing,
) -> Result<Opened> {
    let gives_back = splits.iter().any(|split| split.returned_net() > 0);
    if shortfall == Shortfall::Advance && gives_back {
        advance(session, ledger, escrow, lines, &mut splits)?;
    }
    let receivables: Vec<String> =
        lines.iter().map(|line| format!("{RECEIVABLE_PREFIX}{}", line.beneficiary)).collect();
    let transaction_id = post_all(session, ledger, requests(escrow, lines, &receivables, &splits))?;
    write_down(session, ledger, escrow, lines, &splits, transaction_id, doing)
}

/// Writes down what was posted, and tells those whom it concerns.
pub(super) fn write_down(
    session: &Session,
    ledger: &Ledger,
    escrow: &Escrow,
    lines: &[StoredLine],
    splits: &[Split],
    transaction_id: Uuid,
    doing: &Doing,
) -> Result<Opened> {
    let after: Vec<Line> = lines.iter().zip(splits).map(|(stored, split)| stored.line.after(split)).collect();
    let state = rules::state_after(escrow.state, &after);
    let actor = ledger::settings::actor();
    let payment = Payment {
        escrow_id: escrow.id,
        action_id: Uuid::now_v7(),
        dispute_id: doing.dispute_id,
        transaction_id,
        at: ledger::now(),
        state,
        action: doing.action.name(),
        actor: &actor,
        reason: doing.reason,
    };
    if !store::pay(session, ledger.id, &payment, splits, escrow.scale) {
        return Err(LedgerError::new(
            Code::BooksInconsistent,
            "an escrow changed although its row was locked",
        )
        .with("escrow_id", escrow.id));
    }
    let opened = read(session, ledger, escrow.id, Some(transaction_id))?;
    tell(session, ledger, &opened, splits, doing);
    Ok(opened)
}

/// The transfers: per line the beneficiary's part and the platform's; to the buyer what the escrow still
/// held in one, then per line what comes back from each.
pub(super) fn requests<'a>(
    escrow: &'a Escrow,
    lines: &'a [StoredLine],
    receivables: &'a [String],
    splits: &[Split],
) -> Vec<Request<'a>> {
    let mut requests: Vec<Request> = Vec::with_capacity(lines.len() * 2 + 1);
    let mut push =
        |debit: &'a str, credit: &'a str, sum: Units, kind: &'a str, line: Option<&'a StoredLine>| {
            if sum > 0 {
                let mut request = transfer(debit, credit, amount(sum, escrow.scale), kind, &escrow.reference);
                request.description = line.and_then(|line| line.description.as_deref());
                requests.push(request);
            }
        };
    for (line, split) in lines.iter().zip(splits) {
        push(&escrow.account, &line.beneficiary, split.net(), "earning", Some(line));
        let fee_account = line.fee_account.as_deref().unwrap_or(&line.beneficiary);
        push(&escrow.account, fee_account, split.fee, "commission", Some(line));
    }
    let refunded: Units = splits.iter().map(|split| split.refunded).sum();
    push(&escrow.account, &escrow.buyer, refunded, "refund", None);
    for ((line, split), receivable) in lines.iter().zip(splits).zip(receivables) {
        let own = split.returned_net() - split.advanced;
        push(&line.beneficiary, &escrow.buyer, own, "refund", Some(line));
        push(receivable, &escrow.buyer, split.advanced, "refund", Some(line));
        let fee_account = line.fee_account.as_deref().unwrap_or(&line.beneficiary);
        push(fee_account, &escrow.buyer, split.returned_fee, "refund", Some(line));
    }
    requests
}

/// Decides, under the locks of all that will move, how much of each beneficiary's part the platform pays.
fn advance(
    session: &Session,
    ledger: &Ledger,
    escrow: &Escrow,
    lines: &[StoredLine],
    splits: &mut [Split],
) -> Result<()> {
    let receivables: Vec<String> =
        lines.iter().map(|line| format!("{RECEIVABLE_PREFIX}{}", line.beneficiary)).collect();
    // In address order: who makes the same ones for another escrow waits here, and must not in a circle.
    let returning = receivables.iter().zip(splits.iter()).filter(|(_, split)| split.returned_net() > 0);
    for receivable in returning.map(|(receivable, _)| receivable).collect::<BTreeSet<_>>() {
        address::checked(receivable, "account")?;
        account::create_plain(session, ledger, receivable, Type::Asset, Some(&escrow.currency), None)?;
    }
    let mut everything = requests(escrow, lines, &receivables, splits);
    everything.extend(lines.iter().zip(&receivables).filter_map(|(line, receivable)| {
        let split = transfer(receivable, &escrow.buyer, Decimal::ONE, "refund", &escrow.reference);
        (line.line.returnable() > 0).then_some(split)
    }));
    let mut touched = Wanted::default();
    for request in &everything {
        if let (Some(debit), Some(credit), Some(Number::Finite(amount))) =
            (request.debit_account, request.credit_account, request.amount)
        {
            touched.transfer(debit, credit, amount);
        }
    }
    let book = posting::lock(session, ledger, &touched)?;
    let beneficiaries: Vec<&str> = lines.iter().map(|line| line.beneficiary.as_str()).collect();
    rules::advance(splits, &beneficiaries, |beneficiary| {
        let rows = book.rows_of(beneficiary).iter().map(|index| book.row(*index));
        rows.map(spendable).fold(0, Units::saturating_add)
    });
    Ok(())
}

/// What can be taken from a row of balance: nothing where it is frozen or closed, anything where it has no floor.
fn spendable(row: &account::rules::Account) -> Units {
    match (row.check_open(), row.spendable()) {
        (Err(_), _) => 0,
        (Ok(()), None) => Units::MAX,
        (Ok(()), Some(spendable)) => units(spendable.max(Decimal::ZERO)),
    }
}

fn tell(session: &Session, ledger: &Ledger, opened: &Opened, splits: &[Split], doing: &Doing) {
    let scale = opened.escrow.scale;
    let text = |sum: Units| amount(sum, scale).to_string();
    let sum = |of: fn(&Split) -> Units| splits.iter().map(of).sum::<Units>();
    let parts: Vec<serde_json::Value> = opened
        .lines
        .iter()
        .zip(splits)
        .enumerate()
        .filter(|(_, (_, split))| !split.is_nothing())
        .map(|(index, (line, split))| {
            json!({
                "line": index + 1,
                "beneficiary_account": line.beneficiary,
                "earned": text(split.net()),
                "fee": text(split.fee),
                "given_back": text(split.returned_net() - split.advanced),
                "owed": text(split.advanced),
            })
        })
        .collect();
    let more = json!({
        "released": text(sum(|split| split.released)),
        "fee": text(sum(|split| split.fee)),
        "refunded": text(sum(|split| split.refunded + split.returned)),
        "lines": parts,
    });
    let topic = match doing.action {
        Action::Refund => "escrow.refunded",
        Action::ConfirmReceipt => "escrow.confirmed",
        Action::ResolveDispute => "escrow.dispute_resolved",
        _ => "escrow.released",
    };
    announce(session, ledger, topic, opened, doing.reason, more);
}
