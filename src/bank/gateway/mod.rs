//! Payments at gateways and to virtual accounts: their notices come in any order and more than once.
//!
//! A gateway's payment is a set of facts (`rules`). A notice adds to it, and what the facts are worth then is
//! compared with what stands in the books: what lacks is posted, a credit once and each reversal for what
//! it adds. So the books end alike whatever came first, and a notice that adds nothing moves nothing.
//!
//! | a notice that … | comes to |
//! |---|---|
//! | settles the payment | the credit's outcome: matched by the number, review, suspense |
//! | takes something back | ignored: a debit that is stored; `reasons` are the causes |
//! | does both, since the reversal was notified first | the credit's outcome; `reasons` end with the causes |
//! | repeats what is known of a credited payment | duplicate, with the credit's ids |
//! | moves nothing (pending, challenged, expired, …) | ignored; `reasons` name the payment's state |
//! | contradicts the first amount or number | rejected, and nothing of it is kept |
//!
//! Lock order: bank account, payment, mutations, intents, accounts. Nothing raises that a provider can
//! cause.
//!
//! Statements: 5 to find the place, 1 to lock the payment, 1 to write it; a credit those of `mutation`, a
//! reversal 14 or so.

mod credit;
mod events;
mod place;
mod reverse;
pub mod rules;
mod store;
mod virtual_account;

use crate::bank::account::rules::BankAccount;
use crate::bank::mutation::store as mutations;
use crate::bank::mutation::{Outcome, Taken};
use crate::bank::rules::{Direction, Fact, Notice};
use crate::bank::webhook::rules::Provider;
use crate::bank::webhook::rules::snap::SnapCase;
use crate::error::Result;
use crate::ledger::{self, Ledger};
use crate::money;
use crate::posting::{self, Wanted};
use crate::spi::Session;
use credit::Payment;
use place::Placed;
use rules::choice;
use rules::{Position, State, Step};
use rust_decimal::Decimal;
use store::Stored;

/// Notices are in rupiah; a bank account that is not is another one.
const CURRENCY: &str = "IDR";
/// Longest id of a payment, in bytes: the ids of its reversals are made of it.
const PAYMENT_ID_BYTES_MAX: usize = 100;

/// What a notification came to.
pub struct Applied {
    pub taken: Taken,
    pub case: SnapCase,
    pub bank_account: Option<String>,
    pub direction: Option<&'static str>,
    pub amount: Option<Decimal>,
}

impl Applied {
    /// Not accepted, and nothing stored; the reason is a token.
    fn refused(case: SnapCase, reason: &str) -> Self {
        Self { taken: Taken::rejected(reason), case, bank_account: None, direction: None, amount: None }
    }

    fn at(self, bank: &BankAccount, amount: Option<Decimal>) -> Self {
        Self { bank_account: Some(bank.account.clone()), amount, ..self }
    }

    fn done(taken: Taken, bank: &BankAccount, direction: Direction, amount: Decimal) -> Self {
        Self {
            taken,
            case: SnapCase::Success,
            bank_account: Some(bank.account.clone()),
            direction: Some(direction.name()),
            amount: Some(amount),
        }
    }
}

/// Applies one notification of a payment. `confirmed`: the caller has asked the gateway's own status API.
pub fn apply(
    session: &Session,
    ledger: &Ledger,
    provider: Provider,
    notice: &Notice,
    confirmed: bool,
) -> Result<Applied> {
    ledger::enter_period(ledger);
    // As intents keep it.
    let number = notice.number.trim();
    if notice.payment_id.len() > PAYMENT_ID_BYTES_MAX {
        return Ok(Applied::refused(SnapCase::BadRequest, "too_long"));
    }
    let placed = match place::find(session, ledger, provider, &notice.payment_id, number, notice.when)? {
        Ok(placed) => placed,
        Err("unknown_bank_account") if provider == Provider::SnapBri => {
            return Ok(Applied::refused(SnapCase::BillNotFound, "bill_not_found"));
        }
        Err(reason) => return Ok(Applied::refused(SnapCase::BadRequest, reason)),
    };
    if placed.bank.currency != CURRENCY {
        let refused = Applied::refused(SnapCase::BadRequest, "currency_mismatch");
        return Ok(refused.at(&placed.bank, notice.amount));
    }
    let payment = Payment { provider, bank: &placed.bank, notice, number };
    if provider == Provider::SnapBri {
        return virtual_account::apply(session, ledger, &placed, &payment, confirmed);
    }
    let stored = store::lock(session, ledger.id, placed.bank.id, &notice.payment_id)?;
    let wanted = match merged(&placed, &payment, stored.as_ref(), confirmed) {
        Ok(wanted) => wanted,
        Err(reason) => {
            let refused = Applied::refused(SnapCase::BadRequest, &reason);
            return Ok(refused.at(&placed.bank, notice.amount));
        }
    };
    catch_up(session, ledger, &payment, stored, wanted)
}

/// The payment with the notice's facts; the sums are still what stands in the books. The error is a token.
fn merged(
    placed: &Placed,
    payment: &Payment,
    stored: Option<&Stored>,
    confirmed: bool,
) -> std::result::Result<Stored, String> {
    let (bank, notice) = (&placed.bank, payment.notice);
    let token = |error: crate::error::LedgerError| error.token().to_owned();
    let mut merged = match stored {
        Some(stored) if stored.number != payment.number => return Err("conflicting_duplicate".to_owned()),
        Some(stored) => stored.clone(),
        // The opening balance contains it.
        None if bank.opened_on.is_some_and(|day| notice.when.day < day) => {
            return Err("before_opening".to_owned());
        }
        None => Stored::new(payment.number, bank.scale),
    };
    let bill = || choice::bill(&placed.bills, ledger::now(), notice.when).map(|bill| bill.total);
    match money_of(bank, notice.amount).map_err(token)? {
        Some(amount) => merged.payment.merge_gross(amount),
        None if merged.payment.gross().is_none() => bill().into_iter().for_each(|total| {
            merged.payment.merge_gross(total);
        }),
        None => {}
    }
    if merged.payment.amount_conflict() {
        return Err("amount_conflict".to_owned());
    }
    for fact in &notice.facts {
        if let Fact::Reversed { amount, .. } = fact {
            money_of(bank, *amount).map_err(token)?;
        }
    }
    merged.payment.merge_all(&notice.facts);
    if notice.facts.contains(&Fact::Settled) && merged.payment.gross().is_none() {
        return Err("amount_unknown".to_owned());
    }
    merged.confirmed |= confirmed && notice.facts.iter().any(moves_money);
    Ok(merged)
}

fn moves_money(fact: &Fact) -> bool {
    !matches!(fact, Fact::Pending | Fact::Challenged)
}

/// An amount in the bank account's currency.
fn money_of(bank: &BankAccount, amount: Option<Decimal>) -> Result<Option<Decimal>> {
    amount.map(|amount| money::to_scale(amount, bank.scale, &bank.currency, "amount")).transpose()
}

/// What a call has posted.
#[derive(Default)]
struct Posted {
    credit: Option<Taken>,
    /// The last reversal, and what all of them took back.
    reversal: Option<reverse::Reversed>,
    reversed: Decimal,
    causes: Vec<&'static str>,
    /// The refusal that stopped it, a token.
    refusal: Option<String>,
}

/// Posts what the books still lack, and writes the payment.
fn catch_up(
    session: &Session,
    ledger: &Ledger,
    payment: &Payment,
    stored: Option<Stored>,
    mut merged: Stored,
) -> Result<Applied> {
    let known = stored.as_ref().map_or(Position::none(), |stored| stored.payment.position());
    let books = Position { credited: merged.credited, reversed: merged.reversed, ..known };
    let wanted = merged.payment.position();
    let mut posted = Posted::default();
    let steps = rules::steps(&books, &wanted);
    lock_for(session, ledger, payment, &steps)?;
    for step in steps {
        post(session, ledger, payment, step, &mut merged, &mut posted)?;
        if posted.refusal.is_some() {
            break;
        }
    }
    if let Some(reason) = posted.refusal.take_if(|_| posted.credit.is_none() && posted.reversal.is_none()) {
        // Not kept either: the same notice is to be tried again when the refusal's cause is gone.
        let refused = Applied::refused(SnapCase::BadRequest, &reason);
        return Ok(refused.at(payment.bank, payment.notice.amount));
    }
    let is_new = stored.is_none_or(|stored| {
        stored.payment != merged.payment
            || stored.confirmed != merged.confirmed
            || stored.credited != merged.credited
            || stored.reversed != merged.reversed
    });
    if is_new {
        let (id, now) = (&payment.notice.payment_id, ledger::now());
        store::put(session, ledger.id, payment.bank.id, id, &merged, wanted.state, now);
    }
    Ok(told(session, ledger, payment, &merged, wanted.state, posted))
}

/// Locks the accounts of a credit and of what it is followed by before the first of them is posted: locked one after the
/// other they would not be in the one order. One step locks its own, and reversals alone all need the same.
fn lock_for(session: &Session, ledger: &Ledger, payment: &Payment, steps: &[Step]) -> Result<()> {
    let [Step::Credit(amount), _, ..] = steps else { return Ok(()) };
    let (bank, notice) = (payment.bank, payment.notice);
    let intents = credit::lock_intents(session, ledger, bank.id, Some(payment.number), notice.when);
    let payers = reverse::payers(session, ledger, bank)?;
    let mut wanted = Wanted::default();
    wanted.transfer(&bank.suspense_account, &bank.account, *amount);
    for account in &payers {
        wanted.transfer(account, &bank.account, *amount);
    }
    for intent in &intents {
        for account in [Some(&intent.credit_account), intent.code_account.as_ref()].into_iter().flatten() {
            wanted.transfer(account, &bank.account, *amount);
        }
    }
    posting::lock(session, ledger, &wanted).map(drop)
}

/// Posts one step and counts it.
fn post(
    session: &Session,
    ledger: &Ledger,
    payment: &Payment,
    step: Step,
    merged: &mut Stored,
    posted: &mut Posted,
) -> Result<()> {
    let bank = payment.bank;
    let scaled = |amount| money::to_scale(amount, bank.scale, &bank.currency, "amount");
    match step {
        Step::Credit(amount) => {
            let amount = scaled(amount)?;
            let taken = credit::post(session, ledger, payment, amount)?;
            if taken.outcome == Outcome::Rejected {
                posted.refusal = Some(taken.reasons.last().cloned().unwrap_or_default());
                return Ok(());
            }
            merged.credited = amount;
            merged.mutation_id = taken.mutation_id;
            posted.credit = Some(taken);
        }
        Step::Reverse(amount, cause) => {
            let amount = scaled(amount)?;
            let Some(credit_id) = merged.mutation_id else { return Ok(()) };
            match reverse::post(session, ledger, payment, credit_id, amount, cause)? {
                Ok(reversed) => {
                    merged.reversed = scaled(merged.reversed + amount)?;
                    posted.reversed += amount;
                    posted.reversal = Some(reversed);
                    posted.causes.push(cause);
                }
                Err(error) => posted.refusal = Some(error.token().to_owned()),
            }
        }
    }
    Ok(())
}

/// What the caller is told.
fn told(
    session: &Session,
    ledger: &Ledger,
    payment: &Payment,
    merged: &Stored,
    state: State,
    posted: Posted,
) -> Applied {
    let bank = payment.bank;
    let causes = posted.causes.iter().map(|cause| (*cause).to_owned());
    let refusal = posted.refusal.into_iter().flat_map(|token| ["posting_refused".to_owned(), token]);
    let reasons = causes.chain(refusal);
    if let Some(mut credit) = posted.credit {
        credit.reasons.extend(reasons);
        return Applied::done(credit, bank, Direction::Credit, merged.credited);
    }
    if let Some(reversal) = posted.reversal {
        let taken = Taken {
            outcome: Outcome::Ignored,
            mutation_id: Some(reversal.mutation_id),
            intent_id: reversal.intent_id,
            transaction_id: Some(reversal.transaction_id),
            reasons: reasons.collect(),
        };
        return Applied::done(taken, bank, Direction::Debit, posted.reversed);
    }
    let is_repeated = merged.mutation_id.is_some() && payment.notice.facts.iter().any(moves_money);
    let taken = if is_repeated {
        let mut taken = repeated(session, ledger, merged);
        taken.reasons.push(state.name().to_owned());
        taken
    } else {
        Taken { outcome: Outcome::Ignored, ..Taken::rejected(state.name()) }
    };
    Applied {
        taken,
        case: SnapCase::Success,
        bank_account: Some(bank.account.clone()),
        direction: None,
        amount: payment.notice.amount,
    }
}

/// The credit again, for a notice that repeats it; `reasons` begin with its status.
fn repeated(session: &Session, ledger: &Ledger, stored: &Stored) -> Taken {
    let credit = stored.mutation_id.and_then(|id| mutations::find(session, ledger.id, id));
    Taken {
        outcome: Outcome::Duplicate,
        mutation_id: stored.mutation_id,
        intent_id: credit.as_ref().and_then(|credit| credit.intent_id),
        transaction_id: credit.as_ref().and_then(mutations::Mutation::transaction_id),
        reasons: credit.iter().map(|credit| credit.state.name().to_owned()).collect(),
    }
}
