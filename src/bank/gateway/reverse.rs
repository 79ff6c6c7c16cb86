//! A payment that a gateway takes back, in whole or in part: a debit mutation of the bank account, and the
//! postings that bring the money to it.
//!
//! The money comes from where the credit went, the way that it went: what waits in suspense from there;
//! what was matched or assigned from the account that has it, as far as its available balance reaches (a
//! frozen or closed account covers nothing). What that does not cover is debited to the account of the
//! setting `shortfall_account`, or, where that refuses too, to the bank account's outgoing account. All of
//! it is one transaction, and what it takes from the bank's account is exactly the debit.
//!
//! The credit stays what it was, and an intent that it paid stays paid: the application was told so, and
//! may have delivered. It is told of the reversal by the event `gateway.reversed`, and of what could not be
//! taken back by `gateway.shortfall`. A credit that still waited and of which nothing is left is `returned`.

use super::credit::Payment;
use super::store;
use crate::account;
use crate::account::rules::{Side, State as AccountState, Type};
use crate::bank::account::rules::BankAccount;
use crate::bank::mutation::rules::State;
use crate::bank::mutation::store::arrivals::{self, Arrival, New};
use crate::bank::mutation::store::{self as mutations, Mutation};
use crate::bank::rules::Direction;
use crate::bank::rules::when::When;
use crate::bank::{gateway::events, intent};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::rules::{REBALANCE, REVERSAL};
use crate::ledger::{self, Ledger};
use crate::money;
use crate::posting::batch::rebalancing;
use crate::posting::rules::{Book, Movement};
use crate::posting::store::Draft;
use crate::posting::{self, Access, Wanted};
use crate::reversal::store as reversals;
use crate::reversal::store::Found;
use crate::setting;
use crate::setting::rules::Setting;
use crate::spi::Session;
use rust_decimal::Decimal;
use uuid::Uuid;

/// The kind of what the shortfall account pays.
const SHORTFALL_KIND: &str = "chargeback";
/// How many times a credit that is called a repetition of another is followed to the other.
const ORIGINALS_MAX: usize = 8;

/// What a reversal came to.
pub struct Reversed {
    pub mutation_id: Uuid,
    pub transaction_id: Uuid,
    pub intent_id: Option<Uuid>,
}

/// A transfer to be posted: what it takes back, or nothing where it is the shortfall.
struct Part {
    reverses: Option<Found>,
    amount: Decimal,
    movements: Vec<Movement>,
}

/// Takes an amount back. The inner error is the bank account's own refusal: then nothing is written.
pub fn post(
    session: &Session,
    ledger: &Ledger,
    payment: &Payment,
    credit_id: Uuid,
    amount: Decimal,
    cause: &'static str,
) -> Result<std::result::Result<Reversed, LedgerError>> {
    let bank = payment.bank;
    let credit = find(session, ledger, credit_id)?;
    let mut chain = Chain::find(session, ledger, &credit);
    let payers = payers(session, ledger, bank)?;
    let mut wanted = Wanted::default();
    chain.want(&mut wanted, amount);
    for account in &payers {
        wanted.transfer(account, &bank.account, amount);
    }
    let mut book = posting::open_book(session, ledger, &wanted, Access::Lock)?;
    chain.lock(session, ledger);
    let mut parts = chain.cover(&mut book, amount);
    let covered = parts
        .iter()
        .filter(|part| chain.ends_with(part))
        .fold(money::zero(bank.scale), |sum, part| sum + part.amount);
    let mut shortfall = None;
    if covered < amount {
        let missing = amount - covered;
        match pay_shortfall(bank, &payers, &mut book, missing) {
            Ok((account, movements)) => {
                parts.push(Part { reverses: None, amount: missing, movements });
                shortfall = Some((account, missing));
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    let transaction_id = write(session, ledger, &book, &parts, chain.reference(), cause)?;
    let reversed = Reversed { mutation_id: Uuid::now_v7(), transaction_id, intent_id: credit.intent_id };
    store_debit(session, ledger, payment, &credit, &reversed, amount, cause);
    settle_credit(session, ledger, &credit, chain.left() == covered, transaction_id)?;
    let paid = match credit.intent_id {
        Some(id) => Some(intent::find(session, ledger, id, false)?),
        None => None,
    };
    let told = events::Told { payment, intent: paid.as_ref(), credit_id, reversed: &reversed, cause };
    events::reversed(session, ledger, &told, amount, covered);
    if let Some((account, missing)) = shortfall {
        events::shortfall(session, ledger, &told, amount, missing, &account);
    }
    Ok(Ok(reversed))
}

/// The mutation that has the money: the credit, or the one that it was found to repeat.
fn find(session: &Session, ledger: &Ledger, id: Uuid) -> Result<Mutation> {
    let find = |id: Uuid| {
        mutations::find(session, ledger.id, id).ok_or_else(|| {
            LedgerError::new(Code::BooksInconsistent, "a gateway's payment has lost its mutation")
                .with("mutation_id", id)
        })
    };
    let mut mutation = find(id)?;
    for _ in 0..ORIGINALS_MAX {
        match mutation.original_id {
            Some(original) if mutation.state == State::Duplicate => mutation = find(original)?,
            _ => break,
        }
    }
    Ok(mutation)
}

/// The postings that a credit has made, the last step first: out of suspense by hand, if it was, and what
/// received it from the bank.
struct Chain {
    steps: Vec<Vec<Found>>,
}

impl Chain {
    fn find(session: &Session, ledger: &Ledger, credit: &Mutation) -> Self {
        let steps = [credit.applied_transaction_id, credit.received_transaction_id];
        let steps = steps.into_iter().flatten().map(|id| {
            let mut transfers = reversals::transaction(session, ledger.id, id);
            transfers.retain(|found| !matches!(found.original.kind_id, REVERSAL | REBALANCE));
            // The amount first, the unique code after it.
            transfers.reverse();
            transfers
        });
        Self { steps: steps.collect() }
    }

    fn want<'a>(&'a self, wanted: &mut Wanted<'a>, amount: Decimal) {
        for found in self.steps.iter().flatten() {
            wanted.transfer(&found.credit_account, &found.debit_account, amount.min(found.original.amount));
        }
    }

    /// Locks what was reversed of each posting; after the accounts.
    fn lock(&mut self, session: &Session, ledger: &Ledger) {
        let mut originals: Vec<_> =
            self.steps.iter_mut().flatten().map(|found| &mut found.original).collect();
        if !originals.is_empty() {
            reversals::lock_totals(session, ledger.id, &mut originals);
        }
    }

    /// What of the credit stands where it went.
    fn left(&self) -> Decimal {
        let left = |step: &Vec<Found>| step.iter().map(remaining).sum();
        self.steps.iter().map(left).min().unwrap_or_default()
    }

    /// Whether a part takes money from the bank's account, and not only on its way there.
    fn ends_with(&self, part: &Part) -> bool {
        let received = self.steps.last().map_or(&[][..], Vec::as_slice);
        let id = |found: &Found| found.original.id;
        part.reverses.as_ref().is_some_and(|found| received.iter().any(|other| id(other) == id(found)))
    }

    fn reference(&self) -> Option<&str> {
        self.steps.iter().flatten().find_map(|found| found.reference.as_deref())
    }

    /// Decides the reversals of as much of the amount as the credited accounts have.
    fn cover(&self, book: &mut Book, amount: Decimal) -> Vec<Part> {
        book.begin();
        let mut parts = Vec::new();
        let mut wanted = amount.min(self.left());
        for (index, step) in self.steps.iter().enumerate() {
            let mut rest = wanted;
            for found in step {
                let mut share = rest.min(remaining(found));
                // What the first step brings is what the next ones pass on.
                if index == 0 {
                    share = share.min(available(book, &found.credit_account).unwrap_or(share));
                }
                if share <= Decimal::ZERO {
                    continue;
                }
                match book.post(&found.credit_account, &found.debit_account, share, None) {
                    Ok(movements) => {
                        parts.push(Part { reverses: Some(found.clone()), amount: share, movements });
                    }
                    Err(_) => {
                        book.roll_back();
                        return Vec::new();
                    }
                }
                rest -= share;
            }
            wanted -= rest;
        }
        parts
    }
}

fn remaining(found: &Found) -> Decimal {
    (found.original.amount - found.original.reversed).max(Decimal::ZERO)
}

/// What may leave an account; `None` is whatever is asked for.
fn available(book: &Book, account: &str) -> Option<Decimal> {
    let rows: Vec<_> = book.rows_of(account).iter().map(|index| book.row(*index)).collect();
    if rows.iter().any(|row| row.state != AccountState::Open) {
        return Some(Decimal::ZERO);
    }
    if rows.iter().any(|row| !row.decreases(Side::Debit)) {
        return None;
    }
    rows.iter().try_fold(Decimal::ZERO, |sum, row| Some(sum.saturating_add(row.spendable()?)))
}

/// Who pays what is missing, the first choice first: the account of the setting, made where there is none yet, and the
/// bank account's outgoing account. It is made before the accounts are locked, for what somebody else makes after that
/// could only be locked out of order.
pub fn payers(session: &Session, ledger: &Ledger, bank: &BankAccount) -> Result<Vec<String>> {
    let settings = setting::read(session, ledger, ledger::now())?;
    let account = settings.text(Setting::ShortfallAccount);
    let account = account::of_platform(session, ledger, account, Type::Asset, &bank.currency).ok();
    // What mutations alone move is no place for a debt, whatever the setting says.
    let account = account.filter(|account| !account::store::is_a_banks(session, ledger.id, account));
    Ok(account.into_iter().chain([bank.outgoing_account.clone()]).collect())
}

/// Decides who pays what is missing: the first of the payers, all of them locked, that does not refuse.
fn pay_shortfall(
    bank: &BankAccount,
    payers: &[String],
    book: &mut Book,
    amount: Decimal,
) -> std::result::Result<(String, Vec<Movement>), LedgerError> {
    let unknown = || LedgerError::new(Code::BooksInconsistent, "nobody pays what a gateway took back");
    let mut refused = None;
    for account in payers {
        match book.post(account, &bank.account, amount, None) {
            Ok(movements) => return Ok((account.clone(), movements)),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(unknown))
}

/// Writes the transfers as one transaction and returns its id.
fn write(
    session: &Session,
    ledger: &Ledger,
    book: &Book,
    parts: &[Part],
    reference: Option<&str>,
    cause: &str,
) -> Result<Uuid> {
    let transaction_id = (parts.len() > 1).then(Uuid::now_v7);
    let shortfall_kind = ledger::kind_id(session, ledger, SHORTFALL_KIND)?;
    let mut drafts: Vec<Draft> = Vec::with_capacity(parts.len());
    let mut last = transaction_id;
    for part in parts {
        let id = Uuid::now_v7();
        last = last.or(Some(id));
        let reverses_id = part.reverses.as_ref().map(|found| found.original.id);
        for movement in &part.movements {
            let draft = Draft {
                id,
                transaction_id,
                reverses_id,
                kind_id: if reverses_id.is_some() { REVERSAL } else { shortfall_kind },
                reference,
                description: Some(cause),
                metadata: None,
                effective_at: None,
                movement: movement.clone(),
            };
            drafts.push(if movement.is_rebalance { rebalancing(draft) } else { draft });
        }
    }
    posting::write(session, ledger, book, &drafts)?;
    let totals: Vec<(Uuid, Decimal)> =
        parts.iter().filter_map(|part| Some((part.reverses.as_ref()?.original.id, part.amount))).collect();
    if !totals.is_empty() {
        reversals::add_to_totals(session, ledger.id, totals.into_iter());
    }
    last.ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "a reversal posted nothing"))
}

/// The debit of the bank account. It names the credit that it takes back as its original.
fn store_debit(
    session: &Session,
    ledger: &Ledger,
    payment: &Payment,
    credit: &Mutation,
    reversed: &Reversed,
    amount: Decimal,
    cause: &'static str,
) {
    let prefix = format!("{}:reversal", payment.notice.payment_id);
    let source_id = payment.provider as i16;
    let before = store::count_reversals(session, ledger.id, payment.bank.id, source_id, &prefix);
    let now = ledger::now();
    let arrival = Arrival {
        line: 0,
        bank_account_id: payment.bank.id,
        source_id,
        provider_mutation_id: &format!("{prefix}:{}", before + 1),
        direction: Direction::Debit,
        amount,
        balance: None,
        // Notices have the time of the payment: a reversal counts from when it is known, as its posting does.
        when: When::at(now),
        description: &payment.notice.description,
        number: None,
    };
    let new = New {
        id: reversed.mutation_id,
        arrival: &arrival,
        state: State::Ignored,
        transaction_id: reversed.transaction_id,
        intent_id: None,
        original_id: Some(credit.id),
        reasons: vec![cause],
    };
    arrivals::insert(session, ledger.id, &[new], now);
}

/// A credit that still waits is less now; where nothing is left of it, it waits no more.
fn settle_credit(
    session: &Session,
    ledger: &Ledger,
    credit: &Mutation,
    is_gone: bool,
    transaction_id: Uuid,
) -> Result<()> {
    if !matches!(credit.state, State::Suspense | State::Review) {
        return Ok(());
    }
    let mut changed = credit.clone();
    let reason = if is_gone { "reversed" } else { "partly_reversed" };
    changed.reasons.retain(|known| known != "partly_reversed");
    changed.reasons.push(reason.to_owned());
    if is_gone {
        changed.state = State::Returned;
        changed.applied_transaction_id = Some(transaction_id);
    }
    if mutations::change(session, ledger.id, &changed, credit.state) {
        return Ok(());
    }
    Err(LedgerError::new(Code::BooksInconsistent, "a mutation changed although its bank account was locked")
        .with("mutation_id", credit.id))
}
