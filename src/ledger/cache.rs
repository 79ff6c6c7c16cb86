//! What a backend remembers between calls: ids of ledgers and kinds, which accounts are striped, and the
//! position offset.
//!
//! Only facts that never change once committed are kept: ids are not reused, names are not changed,
//! rows are not deleted. Two things could still make an entry false, and both empty the cache: the
//! transaction that read an uncommitted row aborts (callback), or the tables are another
//! installation's (the entry's table oid differs).

use crate::account::rules::Type;
use pgrx::pg_sys;
use std::cell::RefCell;
use std::collections::HashMap;

/// A striped account: its type, whether it has a floor, and over how many stripes it is spread.
pub type Striped = (Type, bool, i16);

#[derive(Default)]
struct Cache {
    table: u32,
    ledgers: HashMap<String, i32>,
    kinds: HashMap<(i32, String), i16>,
    kind_names: HashMap<(i32, i16), String>,
    position_offset: Option<i64>,
    striped: HashMap<(i32, String), Striped>,
    timezones: HashMap<i32, String>,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// The oid of `wallet_data.ledgers`: it identifies the installation, and is the class of the lock
/// that ties postings to closed periods. Zero where nothing is installed.
pub fn ledgers_table() -> pg_sys::Oid {
    // SAFETY: catalogue look-ups with static names.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"wallet_data".as_ptr(), true);
        if schema == pg_sys::InvalidOid {
            return schema;
        }
        pg_sys::get_relname_relid(c"ledgers".as_ptr(), schema)
    }
}

fn with<T>(look: impl FnOnce(&mut Cache) -> T) -> T {
    let table = ledgers_table().to_u32();
    CACHE.with_borrow_mut(|cache| {
        if cache.table != table {
            *cache = Cache { table, ..Cache::default() };
        }
        look(cache)
    })
}

pub fn ledger(name: &str) -> Option<i32> {
    with(|cache| cache.ledgers.get(name).copied())
}

pub fn keep_ledger(name: &str, id: i32) {
    with(|cache| cache.ledgers.insert(name.to_owned(), id));
}

pub fn kind(ledger_id: i32, name: &str) -> Option<i16> {
    with(|cache| cache.kinds.get(&(ledger_id, name.to_owned())).copied())
}

pub fn kind_name(ledger_id: i32, kind_id: i16) -> Option<String> {
    with(|cache| cache.kind_names.get(&(ledger_id, kind_id)).cloned())
}

pub fn keep_kind(ledger_id: i32, name: &str, kind_id: i16) {
    with(|cache| {
        cache.kinds.insert((ledger_id, name.to_owned()), kind_id);
        cache.kind_names.insert((ledger_id, kind_id), name.to_owned());
    });
}

/// What never changes of a striped account; `None` where this backend does not know it.
pub fn striped(ledger_id: i32, address: &str) -> Option<Striped> {
    with(|cache| match cache.striped.is_empty() {
        true => None,
        false => cache.striped.get(&(ledger_id, address.to_owned())).copied(),
    })
}

pub fn keep_striped(ledger_id: i32, address: &str, striped: Striped) {
    with(|cache| cache.striped.insert((ledger_id, address.to_owned()), striped));
}

/// The name of a ledger's time zone.
pub fn timezone(ledger_id: i32) -> Option<String> {
    with(|cache| cache.timezones.get(&ledger_id).cloned())
}

pub fn keep_timezone(ledger_id: i32, name: &str) {
    with(|cache| cache.timezones.insert(ledger_id, name.to_owned()));
}

pub fn position_offset() -> Option<i64> {
    with(|cache| cache.position_offset)
}

pub fn keep_position_offset(offset: i64) {
    with(|cache| cache.position_offset = Some(offset));
}

/// Registers the callbacks that empty the cache when a transaction or subtransaction aborts, or is prepared.
pub fn register() {
    // SAFETY: called once, from _PG_init.
    unsafe {
        pg_sys::RegisterXactCallback(Some(at_transaction_end), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(at_subtransaction_end), std::ptr::null_mut());
    }
}

fn clear() {
    CACHE.with(|cache| {
        if let Ok(mut cache) = cache.try_borrow_mut() {
            *cache = Cache::default();
        }
    });
}

unsafe extern "C-unwind" fn at_transaction_end(event: pg_sys::XactEvent::Type, _: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_PREPARE};
    // What is prepared is not there yet, and may never be.
    if matches!(event, XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        clear();
    }
}

unsafe extern "C-unwind" fn at_subtransaction_end(
    event: pg_sys::SubXactEvent::Type,
    _: pg_sys::SubTransactionId,
    _: pg_sys::SubTransactionId,
    _: *mut std::ffi::c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        clear();
    }
}
