//! SQL face of group buys.

use super::rules::Target;
use super::{Part, Request, Settled, join, open, settle};
use crate::error::{invalid, missing};
use crate::escrow::api::once;
use crate::escrow::api::rows::EscrowRow;
use crate::escrow::wanted_lines;
use crate::form;
use crate::idempotency::rules::{Fingerprint, Operation};
use crate::ledger::{self, Ledger};
use crate::report;
use crate::spi::face::{
    Composite, JsonIn, JsonItems, NumericIn, Timestamp, composite_result, micros, needed_id, uuid,
};
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use serde_json::json;
use std::ffi::CStr;

/// A group buy in words.
pub struct GroupBuyRow {
    ledger: String,
    settled: Settled,
}

composite_result!(GroupBuyRow, "wallet_ledger.group_buy_row");

impl GroupBuyRow {
    fn new(ledger: &Ledger, settled: Settled) -> Self {
        Self { ledger: ledger.name.clone(), settled }
    }
}

impl Composite for GroupBuyRow {
    const NAME: &'static CStr = c"group_buy_row";

    fn into_values(self) -> Vec<Argument> {
        let group = &self.settled.group;
        let failures: serde_json::Value = self
            .settled
            .failures
            .iter()
            .map(|(id, failure)| {
                json!({ "escrow_id": id.to_string(), "error": failure.token, "message": failure.message })
            })
            .collect();
        vec![
            group.id.into(),
            (&self.ledger).into(),
            (&group.reference).into(),
            group.state.name().into(),
            group.target_participants.into(),
            group.target_quantity.into(),
            group.joined_count.into(),
            group.deadline.into(),
            group.opened_at.into(),
            group.decided_at.into(),
            group.settled_at.into(),
            self.settled.done.into(),
            Argument::json_value(&failures),
        ]
    }
}

/// Opens a group buy: many buyers pay into escrows of their own towards one target.
///
/// * `reference`: the application's own name for it, once in a ledger, 1 to 100 characters of A-Z a-z 0-9 _ . -;
///   the members' escrows are called by it and a number: `SAMBATAN-7.1`.
/// * `target_participants`: so many buyers; or
/// * `target_quantity`: so much between them. Exactly one of the two.
/// * `deadline`: until when, in the future.
/// * `on_reached`: `carry_on` (each escrow goes on by itself: shipped, confirmed) or `release` (the sellers are
///   paid when it is settled).
/// * `auto_release_after`, `metadata`, `ledger`: as for `open_escrow`.
///
/// Returns the group buy. Writes the event `group_buy.opened`. Errors: missing_argument, invalid_argument,
/// already_exists.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn open_group_buy(
    reference: Option<&str>,
    target_participants: default!(Option<i32>, "NULL"),
    target_quantity: default!(Option<i64>, "NULL"),
    deadline: default!(Option<Timestamp>, "NULL"),
    on_reached: default!(Option<&str>, "'carry_on'"),
    auto_release_after: default!(Option<Interval>, "'7 days'"),
    metadata: default!(Option<JsonIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> GroupBuyRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let micros = auto_release_after.map(micros);
        let request = Request {
            reference: reference.ok_or_else(|| missing("reference"))?,
            target: Target::new(target_participants, target_quantity)?,
            deadline: deadline.ok_or_else(|| missing("deadline"))?.0,
            releases: match on_reached {
                Some("carry_on") => false,
                Some("release") => true,
                _ => return Err(invalid("on_reached", "be carry_on or release")),
            },
            auto_release_micros: micros.ok_or_else(|| missing("auto_release_after"))?,
            metadata: metadata.as_ref().map(|metadata| &metadata.0),
        };
        let group = open(&session, &ledger, &request)?;
        Ok(GroupBuyRow::new(&ledger, Settled { group, done: 0, failures: Vec::new() }))
    })
}

/// Takes a buyer into a group buy: opens an escrow for their part.
///
/// * `group_buy_id`: from `open_group_buy`; it must be open and its deadline to come.
/// * `buyer`, `lines`, `amount`, `intent_id`, `idempotency_key`, `metadata`, `ledger`: as for `open_escrow`.
/// * `quantity`: what the part counts towards a target of quantity.
///
/// Returns the escrow. A buyer takes part once. Writes the events `escrow.opened` and `group_buy.joined`. Errors:
/// group_buy_not_found, group_buy_closed, already_exists, and those of `open_escrow`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn join_group_buy(
    group_buy_id: Option<pgrx::Uuid>,
    buyer: Option<&str>,
    lines: Option<JsonItems>,
    quantity: default!(Option<i64>, 1),
    idempotency_key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    amount: default!(Option<NumericIn>, "NULL"),
    intent_id: default!(Option<pgrx::Uuid>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> EscrowRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let document = metadata.as_ref().map(|metadata| &metadata.0);
        let lines_document = lines.as_ref().map(|lines| lines.0.to_document());
        let fingerprint = Fingerprint::new(Operation::JoinGroupBuy)
            .raw("group_buy_id", group_buy_id.as_ref().map(|id| &id.as_bytes()[..]))
            .text("buyer", buyer)
            .raw("lines", lines_document.as_ref().map(|lines| lines.as_bytes()))
            .integer("quantity", quantity)
            .raw("metadata", document.map(|document| document.as_bytes()))
            .amount("amount", amount.map(|amount| amount.0))
            .raw("intent_id", intent_id.as_ref().map(|id| &id.as_bytes()[..]));
        once(&session, &ledger, idempotency_key, &fingerprint, || {
            let wanted = wanted_lines(&lines.as_ref().ok_or_else(|| missing("lines"))?.0)?;
            let part = Part {
                buyer,
                lines: &wanted,
                quantity: quantity.ok_or_else(|| missing("quantity"))?,
                amount: amount.map(|amount| amount.0),
                intent_id: intent_id.map(uuid),
                metadata: document,
            };
            join(&session, &ledger, needed_id(group_buy_id, "group_buy_id")?, &part)
        })
    })
}

/// Settles a group buy that has reached its target or passed its deadline: reached, its escrows go on or are
/// released, as it was opened; missed, every buyer has the money back.
///
/// * `group_buy_id`: from `open_group_buy`.
/// * `max_count`: at most so many escrows in this call, 1 to 10000; call again until `settled_at` is set.
/// * `ledger`: the session's ledger by default.
///
/// Returns the group buy, how many escrows this call is done with, and in `failures` those that could not be
/// released or refunded, because they are disputed, say: they are tried again by the next call. Writes the events
/// `group_buy.reached` or `group_buy.missed`, then `group_buy.settled`. Errors: missing_argument,
/// invalid_argument, group_buy_not_found, group_buy_not_due, group_buy_closed, try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn settle_group_buy(
    group_buy_id: Option<pgrx::Uuid>,
    max_count: default!(Option<i32>, 1000),
    ledger: default!(Option<&str>, "NULL"),
) -> GroupBuyRow {
    report::run(|| {
        let session = Session::connect();
        let max_count = form::max_count(max_count, 10_000)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let settled = settle(&session, &ledger, needed_id(group_buy_id, "group_buy_id")?, max_count)?;
        Ok(GroupBuyRow::new(&ledger, settled))
    })
}
