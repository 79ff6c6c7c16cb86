//! Ledgers: which one a call means, its kinds and currencies, its closed periods, its timeline.
//!
//! Locks: every posting holds a shared lock on its ledger to the end of the transaction, and
//! close_period() takes the exclusive one: it waits for the postings under way and holds back new
//! ones for the moment, so that nothing can slip into a period while it is being closed. The lock is
//! PostgreSQL's own on a catalogue object, not a row: sharing it writes nothing.

pub mod api;
pub mod cache;
pub mod rules;
pub mod settings;
pub mod store;

use crate::error::{Code, LedgerError, Result, invalid};
use crate::spi::Session;
use crate::spi::calendar::Zone;
use crate::spi::jsonb::Document;
use crate::time;
use pgrx::pg_sys;
use sha2::{Digest, Sha256};

/// The ledger that a call means.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub id: i32,
    pub name: String,
}

/// Finds the ledger: the argument, else the setting, else the JWT claim, else the only one there is.
pub fn resolve(session: &Session, argument: Option<&str>) -> Result<Ledger> {
    let named = match argument {
        Some(name) => Some(name.to_owned()),
        None => settings::ledger().or_else(settings::ledger_claim),
    };
    if let Some(name) = named {
        return find(session, name);
    }
    let mut ledgers = store::first_two(session);
    match (ledgers.pop(), ledgers.pop()) {
        (Some((id, name)), None) => Ok(Ledger { id, name }),
        (None, _) => Err(LedgerError::new(Code::LedgerRequired, "there is no ledger yet")),
        _ => Err(LedgerError::new(Code::LedgerRequired, "there are several ledgers and none was named")),
    }
}

fn find(session: &Session, name: String) -> Result<Ledger> {
    if let Some(id) = cache::ledger(&name) {
        return Ok(Ledger { id, name });
    }
    let Some(id) = store::find_ledger(session, &name) else {
        return Err(
            LedgerError::new(Code::LedgerNotFound, format!("there is no ledger {name}")).with("ledger", name)
        );
    };
    cache::keep_ledger(&name, id);
    Ok(Ledger { id, name })
}

/// The id of a kind that callers may post.
pub fn kind_id(session: &Session, ledger: &Ledger, name: &str) -> Result<i16> {
    if let Some(id) = rules::built_in_kind(name)? {
        return Ok(id);
    }
    if let Some(id) = cache::kind(ledger.id, name) {
        return Ok(id);
    }
    let Some(id) = store::find_kind(session, ledger.id, name) else {
        return Err(LedgerError::new(
            Code::KindNotFound,
            format!("ledger {} has no kind {name}", ledger.name),
        )
        .with("kind", name)
        .with("ledger", &ledger.name));
    };
    cache::keep_kind(ledger.id, name, id);
    Ok(id)
}

/// Adds a kind of the ledger's own, if it is not there. Those who add kinds wait for each other, for each takes the next
/// number.
pub fn add_kind(session: &Session, ledger: &Ledger, name: &str) {
    store::lock(session, ledger.id);
    store::insert_own_kind(session, ledger.id, name, rules::FIRST_OWN_KIND);
}

/// The name of a stored kind.
pub fn kind_name(session: &Session, ledger: &Ledger, id: i16) -> String {
    if let Some(name) = rules::built_in_name(id) {
        return name.to_owned();
    }
    if let Some(name) = cache::kind_name(ledger.id, id) {
        return name;
    }
    match store::kind_name(session, ledger.id, id) {
        Some(name) => {
            cache::keep_kind(ledger.id, &name, id);
            name
        }
        None => id.to_string(),
    }
}

/// The time zone that decides which day a moment belongs to.
pub fn zone(session: &Session, ledger: &Ledger) -> Result<Zone> {
    let name = match cache::timezone(ledger.id) {
        Some(name) => name,
        None => {
            let definition = store::definition(session, ledger.id).ok_or_else(|| {
                LedgerError::new(Code::LedgerNotFound, format!("there is no ledger {}", ledger.name))
                    .with("ledger", &ledger.name)
            })?;
            cache::keep_timezone(ledger.id, &definition.timezone);
            definition.timezone
        }
    };
    Zone::find(&name).ok_or_else(|| {
        LedgerError::new(Code::BooksInconsistent, format!("PostgreSQL does not know the time zone {name}"))
            .with("timezone", name)
    })
}

/// The scale of a currency.
pub fn scale(session: &Session, currency: &str) -> Result<u32> {
    store::find_currency(session, currency).map(|scale| scale.unsigned_abs().into()).ok_or_else(|| {
        LedgerError::new(Code::CurrencyNotFound, format!("there is no currency {currency}"))
            .with("currency", currency)
    })
}

/// Now, by the server's clock and not by the transaction's start.
pub fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// What is locked that is no row. Unlike advisory locks, no SQL function can take these.
#[derive(Clone, Copy)]
enum Lockable {
    Period = 0,
    Actor = 1,
}

/// Joins the postings that close_period() waits for, until the end of the transaction.
pub fn enter_period(ledger: &Ledger) {
    lock(Lockable::Period, ledger.id.unsigned_abs(), pg_sys::RowShareLock);
}

/// Whoever gives this actor to a person waits for whoever else does: one actor is one member and one guardian. Comes
/// before every other lock of a call. No row is locked for it: the ledger's is held by every enrolment of a member. Two
/// actors whose digests begin alike wait for each other too.
pub fn lock_actor(ledger: &Ledger, actor: &str) {
    let digest = Sha256::new().chain_update(ledger.id.to_be_bytes()).chain_update(actor).finalize();
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    lock(Lockable::Actor, number, pg_sys::ExclusiveLock);
}

fn lock(what: Lockable, number: u32, mode: u32) {
    // SAFETY: an ordinary heavyweight lock, released at the end of the transaction.
    unsafe {
        pg_sys::LockDatabaseObject(
            cache::ledgers_table(),
            pg_sys::Oid::from(number),
            what as u16,
            mode as i32,
        );
    }
}

/// Refuses an effective time inside the closed period.
pub fn check_period(effective_at: i64, closed_until: Option<i64>) -> Result<()> {
    match closed_until {
        Some(until) if effective_at < until => Err(LedgerError::new(
            Code::PeriodClosed,
            format!(
                "{} lies before {}, up to when the books are closed",
                time::to_text(effective_at),
                time::to_text(until)
            ),
        )
        .with("effective_at", time::to_text(effective_at))
        .with("closed_until", time::to_text(until))),
        _ => Ok(()),
    }
}

/// Closes the books up to `until`; returns the end of the closed period.
pub fn close_period(session: &Session, ledger: &Ledger, until: i64, closed_by: &str) -> Result<i64> {
    let until = time::finite(until, "until")?;
    lock(Lockable::Period, ledger.id.unsigned_abs(), pg_sys::ExclusiveLock);
    if until > now() {
        return Err(invalid("until", "not lie in the future: postings are effective now by default"));
    }
    let closed = store::definition(session, ledger.id).and_then(|definition| definition.closed_until);
    match closed {
        Some(closed) if closed == until => Ok(closed),
        Some(closed) if closed > until => Err(LedgerError::new(
            Code::PeriodClosed,
            format!(
                "the books are closed up to {}; a closed period does not open again",
                time::to_text(closed)
            ),
        )
        .with("closed_until", time::to_text(closed))),
        _ => {
            store::close_period(session, ledger.id, until, closed_by);
            Ok(until)
        }
    }
}

/// Creates a ledger with the built-in kinds. The same call again returns the ledger that is there.
pub fn create(
    session: &Session,
    name: &str,
    currency: &str,
    timezone: &str,
    metadata: Option<&Document>,
) -> Result<(Ledger, store::Definition)> {
    rules::check_ledger_name(name)?;
    scale(session, currency)?;
    if !store::is_timezone(session, timezone) {
        return Err(invalid("timezone", "be a time zone such as Asia/Jakarta").with("value", timezone));
    }
    if let Some(id) = store::insert_ledger(session, name, currency, timezone, metadata) {
        for (kind_id, kind) in rules::BUILT_IN_KINDS {
            store::insert_kind(session, id, *kind_id, kind);
        }
    }
    let id = store::find_ledger(session, name).ok_or_else(|| {
        LedgerError::new(Code::TryAgain, format!("ledger {name} is being created elsewhere"))
            .with("cause", "creation")
    })?;
    let definition = store::definition(session, id).expect("the ledger was just found");
    for (field, is, wanted) in
        [("currency", &definition.currency, currency), ("timezone", &definition.timezone, timezone)]
    {
        if is != wanted {
            return Err(LedgerError::new(
                Code::AlreadyExists,
                format!("ledger {name} exists with {field} {is}"),
            )
            .with("ledger", name)
            .with("field", field));
        }
    }
    Ok((Ledger { id, name: name.to_owned() }, definition))
}

/// The position of rows that this transaction writes: its id plus the timeline's offset.
///
/// The offset is zero until a dump is restored into a cluster with younger transaction ids. The first
/// write there sees another system identifier and lifts the offset above every restored position.
pub fn position(session: &Session) -> i64 {
    // SAFETY: assigns the transaction's id if it has none; a writing call needs one anyway.
    let transaction = unsafe { pg_sys::GetTopFullTransactionId().value } as i64;
    if let Some(offset) = cache::position_offset() {
        return transaction + offset;
    }
    let here = system_identifier();
    let (mut known, mut offset) = store::timeline(session, false);
    if known != here {
        (known, offset) = store::timeline(session, true);
    }
    if known != here {
        offset = (store::last_position(session) + 1 - transaction).max(0);
        store::set_timeline(session, here, offset);
    }
    cache::keep_position_offset(offset);
    transaction + offset
}

/// This cluster's identifier, as a signed number that fits a bigint.
pub fn system_identifier() -> i64 {
    // SAFETY: reads the control data.
    unsafe { pg_sys::GetSystemIdentifier() as i64 }
}
