//! Escrow: a buyer's money waits in an account of its own until the order is delivered, taken back or
//! decided about.
//!
//! Everything about one escrow happens under its row lock. Lock order: key, intent, escrow, accounts (as
//! every posting). Whoever comes second finds the state that the first has left, and is told so.
//!
//! An amount is divided over the lines by largest remainder, of equal ones the earlier line first; on a line
//! the fee is what the rate says of all that was released so far. A refund takes what is still held first,
//! then what was paid out, in the split in which it was paid. The last part always closes to the last unit.
//!
//! Statements: open_escrow 11 with a fee, release and refund 8 (escrow, lines, accounts, transfers, balances,
//! sums, event, lines again); each two more with a key.

pub mod api;
pub mod bank_release;
pub mod dispute;
mod due;
pub mod group;
pub mod lines;
mod pay;
pub mod rules;
pub mod store;
pub mod together;

pub use due::{Due, release_due};
pub use pay::{Order, Shortfall, decide, refund, release};

use crate::account::{self, rules::Type};
use crate::error::{Code, LedgerError, Result, invalid};
use crate::label::label;
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::posting::batch::post_all;
use crate::posting::request::{Request, check_labels};
use crate::rate::{self, rules::Rate};
use crate::setting::rules::interval::DAY;
use crate::spi::Session;
use crate::spi::jsonb::Document;
use crate::{address, event};
use rules::line::Line;
use rules::request::{self, Checked, Wanted};
use rules::{Action, units};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use store::record::{self, Record};
use store::{Escrow, NewEscrow, StoredLine};
use uuid::Uuid;

/// The longest time after shipping at which the money goes to the sellers by itself.
const AUTO_RELEASE_MAX: i64 = 365 * DAY;

/// Arguments of `open_escrow`.
pub struct Opening<'a> {
    pub reference: &'a str,
    pub buyer: Option<&'a str>,
    pub lines: &'a [Wanted<'a>],
    pub amount: Option<Number>,
    pub auto_release_micros: i64,
    pub intent_id: Option<Uuid>,
    pub metadata: Option<&'a Document>,
}

/// An escrow and its lines, as an action has left them, and the transaction that the action posted.
pub struct Opened {
    pub escrow: Escrow,
    pub lines: Vec<StoredLine>,
    pub transaction_id: Option<Uuid>,
}

/// An escrow that can be opened: everything is checked, and its account and those of the fees are made.
pub struct Prepared {
    account: String,
    buyer: String,
    lines: Vec<StoredLine>,
    amount: Decimal,
    scale: u32,
}

/// Moves the buyer's money into an account of its own.
pub fn open(session: &Session, ledger: &Ledger, opening: &Opening) -> Result<Opened> {
    let prepared = prepare(session, ledger, opening)?;
    complete(session, ledger, opening, &prepared)
}

/// Everything about an opening but the movement itself.
fn prepare(session: &Session, ledger: &Ledger, opening: &Opening) -> Result<Prepared> {
    let account = request::account(opening.reference)?;
    request::check_count(opening.lines.len())?;
    check_auto_release(opening.auto_release_micros)?;
    check_labels(None, None, opening.metadata.map(Document::as_bytes))?;
    ledger::enter_period(ledger);
    let paid = opening.intent_id.map(|id| paid_intent(session, ledger, id)).transpose()?;
    let payer = paid.as_ref().map(|paid| paid.credit_account.as_str());
    let buyer = match (opening.buyer, payer) {
        (Some(buyer), Some(payer)) if buyer != payer => {
            let must = format!("be {payer}, to which the intent was paid");
            return Err(invalid("buyer", &must).with("buyer", buyer));
        }
        (Some(buyer), _) | (None, Some(buyer)) => address::checked(buyer, "buyer")?,
        (None, None) => return Err(crate::error::missing("buyer")),
    };
    let wallet = account::find(session, ledger, buyer, true)?;
    let scale = ledger::scale(session, &wallet.currency)?;
    let lines = checked_lines(session, ledger, opening.lines, [buyer, &account], &wallet.currency, scale)?;
    let stated = match (opening.amount, &paid) {
        (Some(number), _) => Some(money::positive(number, "amount")?),
        (None, Some(paid)) => Some(paid.amount),
        (None, None) => None,
    };
    let stated =
        stated.map(|amount| money::to_scale(amount, scale, &wallet.currency, "amount")).transpose()?;
    let amounts = lines.iter().map(|line| rules::amount(line.line.amount, scale));
    let amount = request::total(amounts, stated, scale)?;
    // Whoever opens the same escrow at once has made its account: waiting for it makes theirs visible.
    let own = own_account(session, ledger, &account, &wallet.currency, scale);
    if let Some(other) = store::taken_by(session, ledger.id, opening.reference, opening.intent_id) {
        return Err(taken(opening.reference, Some(other)));
    }
    own?;
    Ok(Prepared { account, buyer: buyer.to_owned(), lines, amount, scale })
}

/// Moves the money and writes the escrow down.
fn complete(session: &Session, ledger: &Ledger, opening: &Opening, prepared: &Prepared) -> Result<Opened> {
    let Prepared { account, buyer, lines, amount, scale } = prepared;
    let transaction_id =
        post_all(session, ledger, vec![transfer(buyer, account, *amount, "payment", opening.reference)])?;
    let now = ledger::now();
    let new = NewEscrow {
        id: Uuid::now_v7(),
        account,
        buyer,
        intent_id: opening.intent_id,
        transaction_id,
        opened_at: now,
        auto_release_micros: opening.auto_release_micros,
        amount: *amount,
        reference: opening.reference,
        metadata: opening.metadata,
    };
    if !store::insert(session, ledger.id, &new) {
        return Err(taken(
            opening.reference,
            store::taken_by(session, ledger.id, opening.reference, opening.intent_id),
        ));
    }
    store::insert_lines(session, ledger.id, new.id, *scale, lines);
    let done = Record {
        escrow_id: new.id,
        transaction_id: Some(transaction_id),
        action: "open_escrow",
        ..Record::default()
    };
    record::insert(session, ledger.id, &done, &ledger::settings::actor(), now);
    let opened = read(session, ledger, new.id, Some(transaction_id))?;
    announce(session, ledger, "escrow.opened", &opened, None, json!({}));
    Ok(opened)
}

fn check_auto_release(micros: i64) -> Result<()> {
    match (0..=AUTO_RELEASE_MAX).contains(&micros) {
        true => Ok(()),
        false => Err(invalid("auto_release_after", "be between nothing and 365 days")),
    }
}

fn taken(reference: &str, other: Option<Uuid>) -> LedgerError {
    match other {
        Some(other) => LedgerError::new(
            Code::AlreadyExists,
            format!("an escrow has the reference {reference}, or its payment, already"),
        )
        .with("reference", reference)
        .with("escrow_id", other),
        None => LedgerError::new(Code::TryAgain, "another session was opening the same escrow")
            .with("cause", "concurrent_change"),
    }
}

/// The intent that pays the escrow, kept as it is until the transaction ends.
fn paid_intent(session: &Session, ledger: &Ledger, id: Uuid) -> Result<record::Paid> {
    let paid = record::intent(session, ledger.id, id).ok_or_else(|| {
        LedgerError::new(Code::IntentNotFound, format!("there is no intent {id}")).with("intent_id", id)
    })?;
    if !paid.is_order {
        return Err(invalid("intent_id", "name an intent of the purpose order").with("intent_id", id));
    }
    if !paid.is_paid {
        return Err(
            LedgerError::new(Code::IntentNotPaid, format!("intent {id} is not paid")).with("intent_id", id)
        );
    }
    Ok(paid)
}

/// The lines as they will be stored, with their rates fixed and the accounts that the fees go to. `payers` are
/// the buyer and the escrow's own account.
fn checked_lines(
    session: &Session,
    ledger: &Ledger,
    wanted: &[Wanted],
    payers: [&str; 2],
    currency: &str,
    scale: u32,
) -> Result<Vec<StoredLine>> {
    let checked = wanted
        .iter()
        .enumerate()
        .map(|(index, line)| line.check(payers[0]).map_err(|error| error.at_item(index)))
        .collect::<Result<Vec<Checked>>>()?;
    let known = store::parties(session, ledger.id, checked.iter().map(|line| line.beneficiary));
    let has_fee = checked.iter().any(|line| line.fee.is_some());
    let now = ledger::now();
    let rates = if has_fee { rate::changes(session, ledger, now) } else { Vec::new() };
    let mut fee_accounts: Vec<(String, String)> = Vec::new();
    let mut line = |line: &Checked| {
        check_party(&known, line.beneficiary, currency)?;
        check_apart(line.beneficiary, payers)?;
        let amount = money::to_scale(line.amount, scale, currency, "amount")?;
        let (rate, fee_account) = match line.fee {
            None => (Rate::ZERO, None),
            Some(name) => {
                let counting = rate::rules::find(&rates, name, now)?;
                let made = match fee_accounts.iter().find(|(wanted, _)| *wanted == counting.account) {
                    Some((_, made)) => made.clone(),
                    None => {
                        let made = account::of_platform(
                            session,
                            ledger,
                            &counting.account,
                            Type::Revenue,
                            currency,
                        )?;
                        check_apart(&made, payers)?;
                        fee_accounts.push((counting.account, made.clone()));
                        made
                    }
                };
                (counting.rate, Some(made))
            }
        };
        Ok(StoredLine {
            line: Line::new(units(amount), rate),
            beneficiary: line.beneficiary.to_owned(),
            fee_account,
            fee: line.fee.map(str::to_owned),
            description: line.description.map(str::to_owned),
        })
    };
    checked
        .iter()
        .enumerate()
        .map(|(index, checked)| line(checked).map_err(|error: LedgerError| error.at_item(index)))
        .collect()
}

/// A beneficiary that could never be paid is refused now, not at release.
fn check_party(known: &[(String, String)], beneficiary: &str, currency: &str) -> Result<()> {
    match known.iter().find(|(address, _)| address == beneficiary) {
        None => Err(LedgerError::new(Code::AccountNotFound, format!("there is no account {beneficiary}"))
            .with("account", beneficiary)),
        Some((_, other)) if other != currency => Err(LedgerError::new(
            Code::CurrencyMismatch,
            format!("the buyer pays in {currency}, {beneficiary} is in {other}"),
        )
        .with("debit_currency", currency)
        .with("credit_currency", other)),
        Some(_) => Ok(()),
    }
}

/// Money cannot be released to the account where it waits, nor given back to the buyer by the buyer.
fn check_apart(party: &str, payers: [&str; 2]) -> Result<()> {
    if !payers.contains(&party) {
        return Ok(());
    }
    Err(LedgerError::new(Code::SameAccount, format!("{party} pays, and cannot be paid from the same escrow"))
        .with("account", party))
}

/// The account in which the money waits: nobody else's, and empty.
fn own_account(session: &Session, ledger: &Ledger, account: &str, currency: &str, scale: u32) -> Result<()> {
    let floor = Some(money::zero(scale));
    let stored = account::create_plain(session, ledger, account, Type::Liability, Some(currency), floor)?;
    if stored.version == 0 {
        return Ok(());
    }
    Err(LedgerError::new(Code::AlreadyExists, format!("account {account} is in use already"))
        .with("account", account)
        .with("field", "reference"))
}

/// The escrow, or the error that there is none.
fn find(session: &Session, ledger: &Ledger, id: Uuid, lock: bool) -> Result<Escrow> {
    store::find(session, ledger.id, id, lock).ok_or_else(|| {
        LedgerError::new(Code::EscrowNotFound, format!("there is no escrow {id}")).with("escrow_id", id)
    })
}

/// Locks an escrow and checks that the action may be done to it.
fn find_for(session: &Session, ledger: &Ledger, id: Uuid, action: Action) -> Result<Escrow> {
    ledger::enter_period(ledger);
    let escrow = find(session, ledger, id, true)?;
    rules::check(id, escrow.state, action)?;
    Ok(escrow)
}

/// The escrow as it is now.
pub fn read(session: &Session, ledger: &Ledger, id: Uuid, transaction_id: Option<Uuid>) -> Result<Opened> {
    let escrow = find(session, ledger, id, false)?;
    let lines = store::lines(session, ledger.id, id, escrow.scale);
    Ok(Opened { escrow, lines, transaction_id })
}

/// Marks the goods as sent: the time to the release by itself begins.
pub fn ship(
    session: &Session,
    ledger: &Ledger,
    id: Uuid,
    tracking_reference: Option<&str>,
) -> Result<Opened> {
    let tracking_reference = label(tracking_reference, "tracking_reference", 255)?;
    find_for(session, ledger, id, Action::MarkShipped)?;
    let now = ledger::now();
    store::ship(session, ledger.id, id, now, tracking_reference);
    let done = Record { escrow_id: id, action: Action::MarkShipped.name(), ..Record::default() };
    record::insert(session, ledger.id, &done, &ledger::settings::actor(), now);
    let opened = read(session, ledger, id, None)?;
    let due = opened.escrow.release_due_at.map(crate::time::to_text);
    let more = json!({ "tracking_reference": tracking_reference, "release_due_at": due });
    announce(session, ledger, "escrow.shipped", &opened, None, more);
    Ok(opened)
}

/// Writes an event for buyer, sellers and finance office, with what a notification to each needs.
pub fn announce(
    session: &Session,
    ledger: &Ledger,
    topic: &str,
    opened: &Opened,
    reason: Option<&str>,
    more: Value,
) {
    let escrow = &opened.escrow;
    let mut sellers: Vec<&str> = opened.lines.iter().map(|line| line.beneficiary.as_str()).collect();
    sellers.sort_unstable();
    sellers.dedup();
    let mut payload = json!({
        "escrow_id": escrow.id.to_string(),
        "reference": escrow.reference,
        "status": escrow.state.name(),
        "buyer_account": escrow.buyer,
        "seller_accounts": sellers,
        "for": ["buyer", "seller", "finance"],
        "amount": escrow.amount.to_string(),
        "currency": escrow.currency,
        "transaction_id": opened.transaction_id.map(|id| id.to_string()),
        "actor": ledger::settings::actor(),
        "reason": reason,
    });
    if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
        payload.extend(more);
    }
    event::write(session, ledger, topic, &escrow.id.to_string(), payload);
}

/// A transfer of an escrow's transaction.
fn transfer<'a>(
    debit: &'a str,
    credit: &'a str,
    amount: Decimal,
    kind: &'a str,
    reference: &'a str,
) -> Request<'a> {
    Request {
        debit_account: Some(debit),
        credit_account: Some(credit),
        amount: Some(Number::Finite(amount)),
        kind: Some(kind),
        reference: Some(reference),
        transaction: Some("escrow"),
        ..Request::default()
    }
}
