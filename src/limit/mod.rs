//! Spending limits: gross, inside the posting, under the same lock as the money.
//!
//! What an account has spent, and the limits that count for it, stand beside its balance, in the row that a posting
//! locks anyway: two tills cannot spend the same allowance, and counting writes nothing more. `posting` opens a
//! [`Gauge`] when a limited account pays, asks it about every transfer, and stores its counters with the balances.
//!
//! | what is read | statements |
//! |---|---|
//! | an account without limits, or one that only receives | 0 |
//! | a limited account that pays | 0 |
//! | the same with open holds, dated into another day, or for the first time after a change of what limits it | 1 |
//! | and where its counter has to be made anew from the transfers | 1 an account |
//!
//! Changes of one account's limits wait for each other, and for its payments, on the account's row; those of the
//! organisation's on the ledger's row, as its settings do. Each makes the accounts that it concerns read their
//! limits anew. Lock order: ledger, then accounts.

pub mod api;
mod read;
pub mod rules;
pub mod store;

use crate::account::rules::Account;
use crate::error::{Code, LedgerError, Result, invalid};
use crate::ledger::{self, Ledger};
use crate::money::Number;
use crate::spi::{Session, has_one_snapshot};
use crate::{account, address, event, money, time};
use pgrx::pg_sys;
use read::outgoing;
pub use read::{Limited, Source, open};
use rules::change::{EVERYONE, Request};
use rules::meter::Asked;
use rules::verdict::{Refusal, Verdict};
use rules::{Spend, list};
use serde_json::json;
use store::Payer;
use store::change::{Change, History, Terms};
use uuid::Uuid;

/// The documented error of a spending that was refused.
pub fn refused(session: &Session, ledger: &Ledger, refusal: &Refusal) -> LedgerError {
    refusal.to_error(opens_at(session, ledger, &refusal.verdict, refusal.at))
}

/// When the window opens that refuses.
fn opens_at(session: &Session, ledger: &Ledger, verdict: &Verdict, at: i64) -> Option<i64> {
    let (days, clock) = verdict.opening?;
    let zone = ledger::zone(session, ledger).ok()?;
    zone.moment(zone.local(at)?.day.plus(days), clock)
}

/// Whether a locked account may spend this at a moment, now by default; nothing is counted. For whoever holds the
/// account's lock and will pay, or promise, in the same transaction.
pub fn check_locked(
    session: &Session,
    ledger: &Ledger,
    account: &Account,
    spend: &Spend,
    at: Option<i64>,
) -> Result<()> {
    let now = ledger::now().max(account.last_posted_at);
    let Some(limited) = Limited::of(0, account, at.into_iter().collect()) else { return Ok(()) };
    let gauge = open(session, ledger, &[limited], now, Source::Rows, false)?;
    gauge.check(0, spend, at.unwrap_or(now), Asked::All).map_err(|refusal| refused(session, ledger, &refusal))
}

/// What `check_spending_limit` answers.
pub struct Answer {
    pub account: String,
    pub currency: String,
    pub verdict: Verdict,
    pub resets_at: Option<i64>,
}

/// What posting would say about a spending at a moment. Reads only.
pub fn check(
    session: &Session,
    ledger: &Ledger,
    address: &str,
    amount: Number,
    spend: Spend,
    at: Option<i64>,
) -> Result<Answer> {
    let payer = find(session, ledger, address, true)?;
    let amount = money::positive(amount, "amount")?;
    let amount = money::to_scale(amount, payer.scale, &payer.currency, "amount")?;
    let spend = Spend { amount, ..spend };
    let now = ledger::now().max(payer.last_posted_at);
    let at = at.map(|at| time::finite(at, "at")).transpose()?.unwrap_or(now);
    let limited = payer.spending.as_deref().map(|spending| Limited {
        row: 0,
        account_id: payer.id,
        address: &payer.address,
        side: outgoing(payer.account_type.normal_side()),
        currency: &payer.currency,
        scale: payer.scale,
        spending,
        has_holds: payer.has_holds,
        moments: vec![at],
    });
    // The limits themselves: what stands in the row is thereby checked against them by whoever compares.
    let gauge = open(session, ledger, limited.as_slice(), now, Source::Limits, true)?;
    let verdict = gauge.judge(0, &spend, at);
    let resets_at = opens_at(session, ledger, &verdict, at)
        .or_else(|| verdict.bound.as_ref().and_then(|bound| bound.resets_at));
    Ok(Answer { account: payer.address, currency: payer.currency, verdict, resets_at })
}

fn find(session: &Session, ledger: &Ledger, address: &str, look: bool) -> Result<Payer> {
    let address = address::checked(address, "account")?;
    store::payer(session, ledger.id, address, look).ok_or_else(|| {
        LedgerError::new(Code::AccountNotFound, format!("there is no account {address}"))
            .with("account", address)
    })
}

/// Makes limits look at an account from its next spending on. The caller has made the account just now.
pub fn mark(session: &Session, ledger: &Ledger, account_id: i64) {
    store::join_limited(session, ledger.id);
    store::mark(session, ledger.id, account_id);
}

/// Whom a change concerns that is not of one account.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Concerned {
    /// Every limited account.
    All,
    Members,
}

/// Makes limited accounts read their limits anew. The caller holds the lock of the ledger's settings.
///
/// An account is limited under a share of that lock. At READ COMMITTED the lock is enough; a snapshot that is older
/// than what the lock waited for misses accounts here, or the change there: both fail and are tried again.
pub fn forget(session: &Session, ledger: &Ledger, concerned: Concerned) -> Result<()> {
    store::outdate(session, ledger.id);
    let members_only = concerned == Concerned::Members;
    let forgotten = store::forget(session, ledger.id, members_only);
    // Accounts begin to be limited and never cease to be: as many are the same ones.
    if has_one_snapshot() && store::count_limited(session, ledger.id, members_only) != forgotten {
        return Err(overtaken("an account has been limited since this transaction began"));
    }
    Ok(())
}

/// What a limit is set on.
struct Subject {
    /// `None`: the organisation's default.
    account_id: Option<i64>,
    account: String,
    currency: String,
    scale: u32,
}

/// Locks what a limit is set on, and looks at it.
fn lock_subject(session: &Session, ledger: &Ledger, account: &str) -> Result<Subject> {
    if account == EVERYONE {
        ledger::store::lock(session, ledger.id);
        let currency = account::default_currency(session, ledger)?;
        let scale = ledger::scale(session, &currency)?;
        return Ok(Subject { account_id: None, account: account.to_owned(), currency, scale });
    }
    let address = address::checked(account, "account")?;
    store::join_limited(session, ledger.id);
    account::store::lock(session, ledger.id, address);
    let payer = find(session, ledger, address, false)?;
    if payer.is_striped {
        return Err(invalid("account", "not be striped: an allowance needs one row to watch")
            .with("account", &payer.address));
    }
    let Payer { id, address, currency, scale, .. } = payer;
    Ok(Subject { account_id: Some(id), account: address, currency, scale })
}

/// Sets a limit, or lifts it where nothing is limited. The same from the same moment again returns what is there,
/// and so does what counts now. `may_take_over` says whether a limit may be changed that somebody else has set, or sets
/// until this counts.
pub fn set(
    session: &Session,
    ledger: &Ledger,
    account: &str,
    request: &Request,
    effective_from: Option<i64>,
    reason: Option<&str>,
    may_take_over: impl Fn() -> Result<()>,
) -> Result<(String, Change)> {
    let subject = lock_subject(session, ledger, account)?;
    let money = list::In { currency: &subject.currency, scale: Some(subject.scale) };
    let limit = rules::change::limit(request, money)?;
    let terms = Terms::of(&limit);
    let at = |at| store::change::history(session, ledger.id, subject.account_id, &limit.name, at);
    let now = ledger::now();
    let from = match effective_from {
        None => now,
        Some(given) => {
            let given = time::finite(given, "effective_from")?;
            // Asked for again after its moment, it is not of the past: it was made before.
            let made = at(given).counting.filter(|made| made.effective_from == given && made.terms == terms);
            if let Some(made) = made {
                return Ok((subject.account, made));
            }
            // SAFETY: reads when the transaction began.
            let transaction_start = unsafe { pg_sys::GetCurrentTransactionStartTimestamp() };
            rules::change::effective_from(given, now, transaction_start)?
        }
    };
    if from > now {
        // It begins at its moment whatever somebody else sets meanwhile, and so takes that over.
        may_take_over()?;
    }
    // Compared is what counts then, which need not be what was set last.
    let History { revision, counting } = at(from);
    let actor = ledger::settings::actor();
    if let Some(before) = &counting {
        if from <= now && before.terms == terms {
            return Ok((subject.account, before.clone()));
        }
        if before.set_by != actor {
            may_take_over()?;
        }
    }
    if revision == 0 {
        rules::change::check_count(store::change::count(session, ledger.id, subject.account_id))?;
    }
    let change = Change {
        revision: revision + 1,
        id: Uuid::now_v7(),
        effective_from: from,
        created_at: now,
        set_by: actor,
        reason: reason.map(str::to_owned),
        terms,
    };
    write(session, ledger, &subject, &limit.name, &change)?;
    announce(session, ledger, &subject.account, &limit.name, &change, counting.as_ref());
    Ok((subject.account, change))
}

/// Writes a change, and makes whom it concerns read the limits anew.
fn write(session: &Session, ledger: &Ledger, subject: &Subject, name: &str, change: &Change) -> Result<()> {
    if !store::change::insert(session, ledger.id, subject.account_id, name, change) {
        return Err(overtaken("another session changed the limit first"));
    }
    match subject.account_id {
        Some(account_id) => store::mark(session, ledger.id, account_id),
        None => forget(session, ledger, Concerned::Members)?,
    }
    Ok(())
}

fn overtaken(message: &str) -> LedgerError {
    LedgerError::new(Code::TryAgain, message).with("cause", "concurrent_change")
}

fn announce(
    session: &Session,
    ledger: &Ledger,
    account: &str,
    name: &str,
    change: &Change,
    before: Option<&Change>,
) {
    let said = |terms: &Terms| {
        let [per_transaction, daily, weekly, monthly] = terms.caps.map(|cap| cap.map(|cap| cap.to_string()));
        let [windows, merchants, categories] = &terms.lists;
        json!({
            "per_transaction": per_transaction, "daily": daily, "weekly": weekly, "monthly": monthly,
            "windows": windows, "merchants": merchants, "categories": categories,
            "method": terms.method, "replaces_default": terms.replaces_default,
        })
    };
    let payload = json!({
        "account": account,
        "name": name,
        "limit": said(&change.terms),
        "limit_before": before.map(|before| said(&before.terms)),
        "effective_from": time::to_text(change.effective_from),
        "set_by": change.set_by,
        "reason": change.reason,
        "for": ["member", "guardian"],
    });
    event::write(session, ledger, "limit.changed", account, payload);
}
