//! Opening: everything is checked, the rates are fixed, and the buyer's money moves into an account of its own.

use super::rules::line::Line;
use super::rules::request::{self, Checked, Wanted};
use super::rules::{self, units};
use super::store::record::{self, Record};
use super::store::{self, NewEscrow, StoredLine};
use super::{Opened, announce, read, transfer};
use crate::account::{self, rules::Type};
use crate::address;
use crate::error::{Code, LedgerError, Result, invalid};
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::posting::batch::post_all;
use crate::posting::request::check_labels;
use crate::rate::{self, rules::Rate};
use crate::setting::rules::interval::DAY;
use crate::spi::Session;
use crate::spi::jsonb::{Document, Items};
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
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

/// The lines as they came. A malformed one fails the call.
pub fn wanted_lines(lines: &Items) -> Result<Vec<Wanted<'_>>> {
    let count = lines.count("lines")?;
    request::check_count(count)?;
    let mut wanted = vec![Wanted::default(); count];
    lines.walk(
        "lines",
        |index, key, field| wanted[index].set(key, field).map_err(|error| error.at_item(index)),
        |_| Ok(()),
    )?;
    Ok(wanted)
}

/// An escrow that can be opened, as far as that can be said before its account and those of the fees are there.
pub struct Prepared {
    pub(super) account: String,
    pub(super) buyer: String,
    /// Until the accounts are made, a fee's is the one that its rate names.
    lines: Vec<StoredLine>,
    pub(super) amount: Decimal,
    currency: String,
    scale: u32,
}

/// Where the fees go: by the account that a rate names, and the currency.
pub(super) type FeeAccounts = BTreeMap<(String, String), String>;

/// Moves the buyer's money into an account of its own.
pub fn open(session: &Session, ledger: &Ledger, opening: &Opening) -> Result<Opened> {
    let mut prepared = prepare(session, ledger, opening)?;
    let fee_accounts = make_fee_accounts(session, ledger, iter::once(&prepared))?;
    make_accounts(session, ledger, opening, &mut prepared, &fee_accounts)?;
    complete(session, ledger, opening, &prepared)
}

/// Checks an opening, and makes nothing.
pub(super) fn prepare(session: &Session, ledger: &Ledger, opening: &Opening) -> Result<Prepared> {
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
    let currency = wallet.currency;
    let lines = checked_lines(session, ledger, opening.lines, [buyer, &account], &currency, scale)?;
    let stated = match (opening.amount, &paid) {
        (Some(number), _) => Some(money::positive(number, "amount")?),
        (None, Some(paid)) => Some(paid.amount),
        (None, None) => None,
    };
    let stated = stated.map(|amount| money::to_scale(amount, scale, &currency, "amount")).transpose()?;
    let amounts = lines.iter().map(|line| rules::amount(line.line.amount, scale));
    let amount = request::total(amounts, stated, scale)?;
    Ok(Prepared { account, buyer: buyer.to_owned(), lines, amount, currency, scale })
}

/// Makes the accounts of all fees of these openings where they are missing, in one order: two calls that made the same
/// ones in the order of their lines would wait for each other in a circle.
pub(super) fn make_fee_accounts<'a>(
    session: &Session,
    ledger: &Ledger,
    openings: impl Iterator<Item = &'a Prepared>,
) -> Result<FeeAccounts> {
    let named: BTreeSet<(&str, &str)> = openings
        .flat_map(|prepared| {
            let accounts = prepared.lines.iter().filter_map(|line| line.fee_account.as_deref());
            accounts.map(|account| (account, prepared.currency.as_str()))
        })
        .collect();
    let mut made = FeeAccounts::new();
    for (account, currency) in named {
        let address = account::of_platform(session, ledger, account, Type::Revenue, currency)?;
        made.insert((account.to_owned(), currency.to_owned()), address);
    }
    Ok(made)
}

/// Makes an escrow's own account, once those of the fees are there.
pub(super) fn make_accounts(
    session: &Session,
    ledger: &Ledger,
    opening: &Opening,
    prepared: &mut Prepared,
    fee_accounts: &FeeAccounts,
) -> Result<()> {
    let Prepared { account, buyer, lines, currency, scale, .. } = prepared;
    for (index, line) in lines.iter_mut().enumerate() {
        let Some(named) = line.fee_account.take() else { continue };
        let made = fee_accounts.get(&(named, currency.clone()));
        let made = made.expect("the accounts of all fees were made");
        check_apart(made, [buyer, account]).map_err(|error| error.at_item(index))?;
        line.fee_account = Some(made.clone());
    }
    // Whoever opens the same escrow at once has made its account: waiting for it makes theirs visible.
    let own = own_account(session, ledger, account, currency, *scale);
    if let Some(other) = store::taken_by(session, ledger.id, opening.reference, opening.intent_id) {
        return Err(taken(opening.reference, Some(other)));
    }
    own
}

/// Moves the money and writes the escrow down.
pub(super) fn complete(
    session: &Session,
    ledger: &Ledger,
    opening: &Opening,
    prepared: &Prepared,
) -> Result<Opened> {
    let Prepared { account, buyer, lines, amount, scale, .. } = prepared;
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

pub(super) fn check_auto_release(micros: i64) -> Result<()> {
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

/// The lines as they will be stored, with their rates fixed and the accounts that these name for the fees. `payers`
/// are the buyer and the escrow's own account.
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
    let line = |line: &Checked| {
        check_party(&known, line.beneficiary, currency)?;
        check_apart(line.beneficiary, payers)?;
        let amount = money::to_scale(line.amount, scale, currency, "amount")?;
        let (rate, fee_account) = match line.fee {
            None => (Rate::ZERO, None),
            Some(name) => {
                let counting = rate::rules::find(&rates, name, now)?;
                (counting.rate, Some(counting.account))
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
