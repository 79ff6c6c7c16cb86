//! `limit_on_insert`: an application's own order is refused when its buyer may not spend so much.
//!
//! Each row locks the account that spends, as a payment does, and keeps it locked to the end of the transaction: so
//! what was judged here still holds when the payment comes. The merchant's account is locked with it, in the order of
//! postings: the payment will want both, and whoever pays there meanwhile takes that one first. Nothing is counted; the payment counts. Two rows of one
//! transaction are therefore judged alone, each as if it were the only one.
//!
//! Statements of a row: the lock, and what `limit` reads where the account has limits.

use super::field::{Amount, Field, RowMemory, texts};
use super::rules::column::{Column, Problem};
use super::rules::limiting::{Definition, Places, Snapshot, Spending, row_name, spending};
use super::rules::named;
use super::source::{Attribute, Event, Firing, Slot};
use super::{first, invalid_trigger, table_name};
use crate::account::rules::{Account, Side};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::limit::{self, rules::Spend};
use crate::posting::{self, Wanted};
use crate::spi::Session;
use crate::{money, posting::rules::Book};

/// Runs one firing: the one row that is about to be inserted.
pub fn fire(firing: &Firing) -> Result<()> {
    let session = Session::connect();
    let table = table_name(&session, firing);
    let refuse = |problem: Problem| invalid_trigger(&problem, &firing.name(), &table);
    check_form(firing).map_err(refuse)?;
    let definition = Definition::parse(&firing.arguments()).map_err(refuse)?;
    let (columns, attributes) = firing.columns();
    let places = definition.resolve(&columns).map_err(|problems| refuse(first(problems)))?;
    let mut reader = Reader::new(&attributes, &columns, &places, &firing.key_columns());
    let mut outcome = Ok(());
    firing.inserted(|slot| outcome = judge(&session, &definition, reader.read(slot), &table));
    outcome
}

/// BEFORE, for each row, on INSERT only.
fn check_form(firing: &Firing) -> std::result::Result<(), Problem> {
    if !firing.is_before() || !firing.per_row() {
        let hint = "What is refused must not be written first.";
        return Err(Problem::new("it must be a BEFORE trigger FOR EACH ROW", hint));
    }
    if firing.event() != Event::Insert {
        return Err(Problem::new("it must fire only on INSERT", "A row spends when it comes."));
    }
    Ok(())
}

/// Reads what the definition names out of a row.
struct Reader {
    key: Vec<Field>,
    placeholders: Vec<Field>,
    amount: Amount,
    category: Option<Field>,
    method: Option<Field>,
    at: Option<i16>,
    memory: RowMemory,
}

impl Reader {
    fn new(attributes: &[Attribute], columns: &[Column], places: &Places, key: &[i16]) -> Self {
        let trimmed = |place: usize| Field::trimmed(attributes[place], &columns[place]);
        Self {
            key: Field::of_numbers(attributes, key),
            placeholders: places.placeholders.iter().map(|place| trimmed(*place)).collect(),
            amount: Amount::of(attributes[places.amount]),
            category: places.category.map(trimmed),
            method: places.method.map(trimmed),
            at: places.at.map(|place| attributes[place].number),
            memory: RowMemory::new(),
        }
    }

    fn read(&mut self, slot: Slot) -> Snapshot {
        let Self { key, placeholders, amount, category, method, at, memory } = self;
        memory.within(|| Snapshot {
            key: texts(key, slot).into_iter().map(Option::unwrap_or_default).collect(),
            values: texts(placeholders, slot),
            amount: amount.read(slot),
            category: category.as_mut().and_then(|category| category.text(slot)),
            method: method.as_mut().and_then(|method| method.text(slot)),
            // A timestamptz is passed by value: microseconds, as everywhere here.
            at: at.and_then(|number| slot.value(number)).map(|at| at.value() as i64),
        })
    }
}

/// Locks the account that a row wants to spend from, with the merchant's, and asks its limits.
fn judge(session: &Session, definition: &Definition, row: Snapshot, table: &str) -> Result<()> {
    let key = row_name(&row.key);
    let (name, spending) = spending(definition, row, table)?;
    let of_row = |error: LedgerError| named(error, &key, table);
    let ledger = ledger::resolve(session, name.as_deref()).map_err(of_row)?;
    ledger::enter_period(&ledger);
    let mut wanted = Wanted::default();
    wanted.outflow(&spending.account, spending.amount);
    if let Some(merchant) = &spending.merchant {
        wanted.side(merchant, Side::Credit, spending.amount);
    }
    let book = posting::lock(session, &ledger, &wanted)?;
    ask(session, &ledger, &book, spending).map_err(of_row)
}

fn ask(session: &Session, ledger: &Ledger, book: &Book, spending: Spending) -> Result<()> {
    let account = locked(book, &spending.account)?;
    let amount = money::to_scale(spending.amount, account.scale, &account.currency, "amount")?;
    let Spending { merchant, category, method, at, .. } = spending;
    let method = method.map(|method| method.name().to_owned());
    let spend = Spend { amount, merchant, category, method };
    limit::check_locked(session, ledger, account, &spend, at)
}

fn locked<'a>(book: &'a Book, address: &str) -> Result<&'a Account> {
    let row = book.rows_of(address).first().ok_or_else(|| {
        LedgerError::new(Code::AccountNotFound, format!("there is no account {address}"))
            .with("account", address)
    })?;
    Ok(book.row(*row))
}
