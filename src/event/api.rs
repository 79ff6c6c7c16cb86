//! SQL face of the outbox.

use super::rules::{from_cursor, horizon, to_cursor};
use super::store::{self, Log, Place};
use crate::error::Result;
use crate::form;
use crate::ledger::{self, Ledger};
use crate::report;
use crate::spi::face::{JsonOut, NumericOut, Timestamp};
use crate::spi::{Row, Session};
use pgrx::prelude::*;
use uuid::Uuid;

/// Most rows of one poll.
const POLL_MAX: i32 = 10_000;

fn uuid(id: Uuid) -> pgrx::Uuid {
    pgrx::Uuid::from_bytes(*id.as_bytes())
}

/// Where the consumer stands, and up to where rows are settled.
fn window(session: &Session, after: Option<&str>, max_count: Option<i32>) -> Result<(Place, i64, i64)> {
    let max_count = form::max_count(max_count, POLL_MAX)?;
    let (position, id) = from_cursor(after)?;
    let (system_identifier, offset) = ledger::store::timeline(session, false);
    let is_here = system_identifier == ledger::system_identifier();
    let end = horizon(store::horizon(session), offset, is_here);
    Ok((Place { position, id }, end, max_count))
}

/// Reads events in order, from behind the cursor.
///
/// * `after`: the `cursor` of the last row that was processed; NULL begins at the beginning.
/// * `max_count`: most rows to return, 1 to 10,000.
///
/// Keep the last row's `cursor` in the same transaction that processes it. Rows of transactions that
/// are still running, anywhere in the cluster, hold the cursor back and are never skipped.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn poll_events(
    after: default!(Option<&str>, "NULL"),
    max_count: default!(Option<i32>, 100),
    ledger: default!(Option<&str>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(cursor, String),
        name!(id, pgrx::Uuid),
        name!(ledger, String),
        name!(topic, String),
        name!(subject, String),
        name!(payload, JsonOut),
        name!(created_at, Timestamp),
    ),
> {
    let rows = report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let (after, end, count) = window(&session, after, max_count)?;
        let event = |row: Row| {
            let id = row.need_id(1);
            (
                to_cursor(row.need(0), id),
                uuid(id),
                ledger.name.clone(),
                row.need::<String>(2),
                row.need::<String>(3),
                JsonOut(row.document(4).expect("the column is NOT NULL")),
                Timestamp(row.need_time(5)),
            )
        };
        Ok(store::poll(&session, Log::Events, ledger.id, after, end, count, event))
    });
    TableIterator::new(rows)
}

/// Reads transfers in order, from behind the cursor, with the guarantee of `poll_events`.
///
/// Arguments as for `poll_events`. The transfers of one transaction come together. The order is that of
/// transaction ids: of two transactions that waited for the same account the later one may come first, so
/// put an account's transfers in order by its versions, which count without a gap.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn poll_transfers(
    after: default!(Option<&str>, "NULL"),
    max_count: default!(Option<i32>, 100),
    ledger: default!(Option<&str>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(cursor, String),
        name!(id, pgrx::Uuid),
        name!(transaction_id, pgrx::Uuid),
        name!(ledger, String),
        name!(debit_account, String),
        name!(credit_account, String),
        name!(amount, NumericOut),
        name!(currency, String),
        name!(kind, String),
        name!(reference, Option<String>),
        name!(description, Option<String>),
        name!(metadata, Option<JsonOut>),
        name!(reverses_id, Option<pgrx::Uuid>),
        name!(debit_balance, NumericOut),
        name!(credit_balance, NumericOut),
        name!(debit_version, i64),
        name!(credit_version, i64),
        name!(effective_at, Timestamp),
        name!(created_at, Timestamp),
    ),
> {
    let rows = report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let (after, end, count) = window(&session, after, max_count)?;
        let rows = store::poll(&session, Log::Transfers, ledger.id, after, end, count, |row| {
            transfer(&session, &ledger, row)
        });
        Ok(rows)
    });
    TableIterator::new(rows)
}

type Polled = (
    String,
    pgrx::Uuid,
    pgrx::Uuid,
    String,
    String,
    String,
    NumericOut,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<JsonOut>,
    Option<pgrx::Uuid>,
    NumericOut,
    NumericOut,
    i64,
    i64,
    Timestamp,
    Timestamp,
);

fn transfer(session: &Session, ledger: &Ledger, row: Row) -> Polled {
    let id = row.need_id(1);
    (
        to_cursor(row.need(0), id),
        uuid(id),
        uuid(row.need_id(2)),
        ledger.name.clone(),
        row.need(3),
        row.need(4),
        NumericOut(row.need_decimal(5)),
        row.need(6),
        ledger::kind_name(session, ledger, row.need(7)),
        row.get(8),
        row.get(9),
        row.document(10).map(JsonOut),
        row.id(11).map(uuid),
        NumericOut(row.need_decimal(12)),
        NumericOut(row.need_decimal(13)),
        row.need(14),
        row.need(15),
        Timestamp(row.need_time(16)),
        Timestamp(row.need_time(17)),
    )
}
