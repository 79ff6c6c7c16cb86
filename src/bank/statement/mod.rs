//! Statements: read whole or refused whole, then the same engine as for webhooks.
//!
//! A file is known by the digest of its content: it is imported once for a bank account, and whoever brings
//! it again, at the same time or later, gets the first answer. Its lines are known by ids of their own, so
//! files may overlap; and the engine pairs them with what webhooks have reported, one to one.
//!
//! Statements: 2 besides the engine's (file, answer); 2 for a repeat.

pub mod api;
pub mod rules;
pub mod store;

use crate::bank::account::rules::BankAccount;
use crate::bank::mutation::rules::SOURCE_STATEMENT;
use crate::bank::rules::{Item, Line};
use crate::bank::webhook::answer::{self, Counts};
use crate::bank::webhook::intake::{self, From, LineOutcome};
use crate::error::{Code, LedgerError, Result};
use crate::event;
use crate::ledger::{self, Ledger};
use crate::money;
use crate::spi::Session;
use crate::spi::jsonb::Document;
use rules::order::is_newest_first;
use rules::{Balance, Format, Statement};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{Finished, NewStatement};
use uuid::Uuid;

/// What an import came to.
pub struct Import {
    pub id: Uuid,
    pub counts: Counts,
    pub opening_balance: Option<Decimal>,
    pub closing_balance: Option<Decimal>,
    /// Days since 2000-01-01.
    pub from_day: Option<i32>,
    /// The day of the closing balance, where there is one.
    pub until_day: Option<i32>,
    /// One outcome per line, in JSON.
    pub lines: Document,
    pub replayed: bool,
}

/// Imports a file, once.
pub fn import(
    session: &Session,
    ledger: &Ledger,
    bank: &BankAccount,
    format: Format,
    content: &str,
) -> Result<Import> {
    let digest = Sha256::digest(content.as_bytes());
    let id = Uuid::now_v7();
    let new = NewStatement { id, bank_account_id: bank.id, format: format.name(), digest: &digest };
    let actor = ledger::settings::actor();
    if !store::insert(session, ledger.id, &new, &actor, ledger::now()) {
        return repeat(session, ledger, bank, &digest);
    }
    let statement = rules::parse(format, content).map_err(|bad| refused(bank, bad.reason, bad.message))?;
    check(bank, &statement)?;
    let opening_balance = balance(bank, statement.opening, "opening")?;
    let closing_balance = balance(bank, statement.closing, "closing")?;
    let outcomes = process(session, ledger, bank, format, statement.lines)?;
    let import = Import {
        id,
        counts: Counts::of(&outcomes),
        opening_balance,
        closing_balance,
        from_day: statement.from_day.or(statement.opening.map(|balance| balance.day)),
        until_day: statement.closing.map(|balance| balance.day).or(statement.until_day),
        lines: answer::told(&outcomes),
        replayed: false,
    };
    finish(session, ledger, bank, &import);
    Ok(import)
}

/// The same content again.
fn repeat(session: &Session, ledger: &Ledger, bank: &BankAccount, digest: &[u8]) -> Result<Import> {
    let stored = store::by_digest(session, ledger.id, bank.id, digest);
    let Some((id, Some(finished))) = stored else {
        return Err(LedgerError::new(Code::TryAgain, "the same statement is being imported")
            .with("cause", "statement"));
    };
    let told: Value = serde_json::from_str(&finished.lines.to_text()).map_err(|_| {
        LedgerError::new(Code::BooksInconsistent, "the stored answer of a statement is unreadable")
    })?;
    Ok(Import {
        id,
        counts: Counts::of_stored(&told),
        opening_balance: finished.opening_balance,
        closing_balance: finished.closing_balance,
        from_day: finished.from_day,
        until_day: finished.until_day,
        lines: finished.lines,
        replayed: true,
    })
}

fn refused(bank: &BankAccount, reason: &str, message: impl Into<String>) -> LedgerError {
    LedgerError::new(Code::InvalidStatement, message)
        .with("reason", reason)
        .with("bank_account", &bank.account)
}

/// A statement of another account, or in another currency, is nothing for these books.
fn check(bank: &BankAccount, statement: &Statement) -> Result<()> {
    // Spreadsheets take leading zeros away.
    let bare = |number: &String| number.trim_start_matches('0').to_owned();
    let (stated, known) = (statement.account_number.as_ref(), bank.account_number.as_ref());
    if let (Some(stated), Some(known)) = (stated, known)
        && bare(stated) != bare(known)
    {
        let message = format!("the statement is of account {stated}, and {} is {known}", bank.account);
        return Err(refused(bank, "account_mismatch", message)
            .with("account_number", known)
            .with("stated", stated));
    }
    match &statement.currency {
        Some(stated) if *stated != bank.currency => {
            let message = format!("the statement is in {stated}, and {} in {}", bank.account, bank.currency);
            Err(refused(bank, "currency_mismatch", message)
                .with("currency", &bank.currency)
                .with("stated", stated))
        }
        _ => Ok(()),
    }
}

fn balance(bank: &BankAccount, stated: Option<Balance>, which: &str) -> Result<Option<Decimal>> {
    let Some(stated) = stated else { return Ok(None) };
    money::to_scale(stated.amount, bank.scale, &bank.currency, "balance").map(Some).map_err(|_| {
        let message = format!("the {which} balance {} is none in {}", stated.amount, bank.currency);
        refused(bank, "invalid_balance", message)
    })
}

/// Takes the lines in, the oldest first, so that of two payments the earlier one counts first. The outcomes
/// are in the order of the file.
fn process(
    session: &Session,
    ledger: &Ledger,
    bank: &BankAccount,
    format: Format,
    mut lines: Vec<Line>,
) -> Result<Vec<LineOutcome>> {
    // What a balance cannot be in this currency is none; the amounts are the engine's to judge.
    for line in &mut lines {
        if let Ok(Item::Movement(movement)) = line {
            movement.balance = movement
                .balance
                .and_then(|value| money::to_scale(value, bank.scale, &bank.currency, "balance").ok());
        }
    }
    let turned = is_newest_first(&lines);
    if turned {
        lines.reverse();
    }
    let from = From::Statement(bank, source_id(format));
    let mut outcomes = intake::process(session, ledger, &from, &lines, true)?;
    if let Some(error) = outcomes.iter().find_map(|outcome| not_posted(bank, outcome)) {
        return Err(error);
    }
    if turned {
        outcomes.reverse();
        for (place, outcome) in outcomes.iter_mut().enumerate() {
            outcome.line = place + 1;
        }
    }
    Ok(outcomes)
}

/// Where the bank's own accounts take no posting, nothing is imported: the first answer stays the answer, and a
/// line must not be lost to it that can be posted tomorrow.
fn not_posted(bank: &BankAccount, outcome: &LineOutcome) -> Option<LedgerError> {
    let reason = outcome.reasons.first().filter(|_| outcome.is_rejected() && outcome.direction.is_some())?;
    let code = Code::from_token(reason)?;
    let is_final = matches!(code, Code::BeforeOpening | Code::InvalidAmount | Code::AmountOutOfRange);
    (!is_final).then(|| {
        LedgerError::new(code, format!("nothing was imported: a line could not be posted, {reason}"))
            .with("bank_account", &bank.account)
    })
}

/// The source that a format's lines are stored under. Stored: append only.
fn source_id(format: Format) -> i16 {
    SOURCE_STATEMENT
        + match format {
            Format::Bca => 0,
            Format::Mandiri => 1,
            Format::Bri => 2,
            Format::Bni => 3,
            Format::Csv => 4,
            Format::Mt940 => 5,
        }
}

/// Stores the answer and tells of the import. The moment of the import is this one: everything that it has
/// stored is older, and what comes after it is not.
fn finish(session: &Session, ledger: &Ledger, bank: &BankAccount, import: &Import) {
    let finished = Finished {
        opening_balance: import.opening_balance,
        closing_balance: import.closing_balance,
        from_day: import.from_day,
        until_day: import.until_day,
        lines: import.lines.clone(),
    };
    store::finish(session, ledger.id, import.id, &finished, ledger::now());
    let counts = import.counts;
    let payload = json!({
        "statement_id": import.id.to_string(),
        "bank_account": bank.account,
        "line_count": counts.lines,
        "matched_count": counts.matched,
        "suspense_count": counts.suspense,
        "review_count": counts.review,
        "duplicate_count": counts.duplicate,
        "ignored_count": counts.ignored,
        "rejected_count": counts.rejected,
        "closing_balance": import.closing_balance.map(|balance| balance.to_string()),
        "actor": ledger::settings::actor(),
    });
    event::write(session, ledger, "statement.imported", &import.id.to_string(), payload);
}
