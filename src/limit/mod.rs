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
//! | and where its counter has to be made anew from the transfers | 1 |
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
use crate::spi::Session;
use crate::{account, address, event, money, setting, time};
use pgrx::pg_sys;
use read::outgoing;
pub use read::{From, Limited, open};
use rules::change::{EVERYONE, Request};
use rules::verdict::{Refusal, Verdict};
use rules::{Spend, list};
use serde_json::json;
use store::Payer;
use store::change::{Change, Terms};
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

/// Whether a locked account may spend this at a moment; nothing is counted. For whoever holds the account's lock
/// and will pay, or promise, in the same transaction.
pub fn check_locked(
    session: &Session,
    ledger: &Ledger,
    account: &Account,
    spend: &Spend,
    at: i64,
) -> Result<()> {
    let Some(limited) = Limited::of(0, account) else { return Ok(()) };
    let mut moments = vec![ledger::now().max(account.last_posted_at)];
    if at != moments[0] {
        moments.push(at);
    }
    let gauge = open(session, ledger, &[limited], &moments, From::Rows, false)?;
    gauge.check(0, spend, at).map_err(|refusal| refused(session, ledger, &refusal))
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
    let moments = if at == now { vec![now] } else { vec![now, at] };
    let limited = payer.spending.as_deref().map(|spending| Limited {
        row: 0,
        account_id: payer.id,
        address: &payer.address,
        side: outgoing(payer.account_type.normal_side()),
        currency: &payer.currency,
        scale: payer.scale,
        spending,
        has_holds: payer.has_holds,
    });
    // The limits themselves: what stands in the row is thereby checked against them by whoever compares.
    let gauge = open(session, ledger, limited.as_slice(), &moments, From::Limits, true)?;
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

/// Makes every limited account read its limits anew: what they count has changed. The caller holds the lock of the
/// ledger's settings.
pub fn forget(session: &Session, ledger: &Ledger) {
    store::forget(session, ledger.id);
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
        setting::store::lock(session, ledger.id);
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

/// Sets a limit, or lifts it where nothing is limited. The same again returns what is there. `may_take_over` says
/// whether a limit may be changed that somebody else has set.
pub fn set(
    session: &Session,
    ledger: &Ledger,
    account: &str,
    request: &Request,
    effective_from: Option<i64>,
    reason: Option<&str>,
    may_take_over: impl FnOnce() -> Result<()>,
) -> Result<(String, Change)> {
    let subject = lock_subject(session, ledger, account)?;
    let money = list::In { currency: &subject.currency, scale: Some(subject.scale) };
    let limit = rules::change::limit(request, money)?;
    // SAFETY: reads when the transaction began.
    let transaction_start = unsafe { pg_sys::GetCurrentTransactionStartTimestamp() };
    let now = ledger::now();
    let from = rules::change::effective_from(effective_from, now, transaction_start)?;
    let last = store::change::last(session, ledger.id, subject.account_id, &limit.name);
    let terms = Terms::of(&limit);
    let actor = ledger::settings::actor();
    if let Some(last) = &last {
        let counts_then = effective_from.is_none() && last.effective_from <= now
            || effective_from.is_some_and(|from| from == last.effective_from);
        if counts_then && last.terms == terms {
            return Ok((subject.account, last.clone()));
        }
        if last.set_by != actor {
            may_take_over()?;
        }
    }
    let change = Change {
        revision: last.as_ref().map_or(1, |last| last.revision + 1),
        id: Uuid::now_v7(),
        effective_from: from,
        created_at: now,
        set_by: actor,
        reason: reason.map(str::to_owned),
        terms,
    };
    if !store::change::insert(session, ledger.id, subject.account_id, &limit.name, &change) {
        return Err(LedgerError::new(Code::TryAgain, "another session changed the limit first")
            .with("cause", "concurrent_change"));
    }
    match subject.account_id {
        Some(account_id) => store::mark(session, ledger.id, account_id),
        None => forget(session, ledger),
    }
    announce(session, ledger, &subject.account, &limit.name, &change, last.as_ref());
    Ok((subject.account, change))
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
