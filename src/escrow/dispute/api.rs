//! SQL face of disputes.

use super::store::Dispute;
use super::{add_note, open, resolve};
use crate::error::{Result, invalid, missing};
use crate::form::needed_label;
use crate::ledger::{self, Ledger};
use crate::posting::request::is_scalar;
use crate::report;
use crate::spi::face::{Composite, JsonIn, NumericIn, composite_result, needed_id};
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use std::ffi::CStr;

/// Longest note, in bytes.
const NOTE_BYTES_MAX: usize = 4_000;
/// Largest evidence, in bytes of its jsonb form: references, not the files.
const EVIDENCE_BYTES_MAX: usize = 64 * 1024;

/// A dispute in words.
pub struct DisputeRow {
    ledger: String,
    dispute: Dispute,
}

composite_result!(DisputeRow, "wallet_ledger.dispute_row");

impl DisputeRow {
    fn new(ledger: &Ledger, dispute: Dispute) -> Self {
        Self { ledger: ledger.name.clone(), dispute }
    }
}

impl Composite for DisputeRow {
    const NAME: &'static CStr = c"dispute_row";

    fn into_values(self) -> Vec<Argument> {
        let dispute = &self.dispute;
        let resolution = dispute.resolution.as_ref();
        vec![
            dispute.id.into(),
            (&self.ledger).into(),
            dispute.escrow_id.into(),
            if resolution.is_some() { "resolved" } else { "open" }.into(),
            (&dispute.opened_by).into(),
            (&dispute.reason).into(),
            dispute.evidence.as_ref().into(),
            dispute.opened_at.into(),
            resolution.map(|resolution| resolution.refunded).into(),
            resolution.map(|resolution| resolution.released).into(),
            resolution.map(|resolution| resolution.by.as_str()).into(),
            resolution.map(|resolution| resolution.reason.as_str()).into(),
            resolution.map(|resolution| resolution.at).into(),
            resolution.and_then(|resolution| resolution.transaction_id).into(),
        ]
    }
}

/// Opens a dispute about an escrow: nothing of it moves until the dispute is decided, and the time to the
/// release by itself stands still.
///
/// * `escrow_id`: from `open_escrow`; some of its money must still be held.
/// * `opened_by`: who complains: a wallet, a user's name; 1 to 255 bytes.
/// * `reason`: what they say, 1 to 1000 bytes.
/// * `evidence`: references to what proves it, as a JSON object or array.
/// * `ledger`: the session's ledger by default.
///
/// Returns the dispute. Writes the event `escrow.disputed`. Errors: missing_argument, invalid_argument,
/// escrow_not_found, escrow_disputed, escrow_closed, try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn open_dispute(
    escrow_id: Option<pgrx::Uuid>,
    opened_by: Option<&str>,
    reason: Option<&str>,
    evidence: default!(Option<JsonIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> DisputeRow {
    report::run(|| {
        let session = Session::connect();
        let escrow_id = needed_id(escrow_id, "escrow_id")?;
        let opened_by = needed_label(opened_by, "opened_by", 255)?;
        let reason = needed_label(reason, "reason", 1000)?;
        check_evidence(evidence.as_ref())?;
        let ledger = ledger::resolve(&session, ledger)?;
        let evidence = evidence.as_ref().map(|evidence| &evidence.0);
        let dispute = open(&session, &ledger, escrow_id, opened_by, reason, evidence)?;
        Ok(DisputeRow::new(&ledger, dispute))
    })
}

/// Adds a note to a dispute: what a party or the mediator has to say.
///
/// * `dispute_id`: from `open_dispute`.
/// * `note`: 1 to 4000 bytes.
/// * `evidence`: references to what proves it, as a JSON object or array.
/// * `ledger`: the session's ledger by default.
///
/// Returns the note's id. Its author is `wallet_ledger.actor`, else the JWT claim `sub`, else who is logged
/// in. Writes the event `escrow.dispute_noted`. Errors: missing_argument, invalid_argument, dispute_not_found.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn add_dispute_note(
    dispute_id: Option<pgrx::Uuid>,
    note: Option<&str>,
    evidence: default!(Option<JsonIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> pgrx::Uuid {
    report::run(|| {
        let session = Session::connect();
        let dispute_id = needed_id(dispute_id, "dispute_id")?;
        let note = needed_label(note, "note", NOTE_BYTES_MAX)?;
        check_evidence(evidence.as_ref())?;
        let ledger = ledger::resolve(&session, ledger)?;
        let evidence = evidence.as_ref().map(|evidence| &evidence.0);
        let note_id = add_note(&session, &ledger, dispute_id, note, evidence)?;
        Ok(pgrx::Uuid::from_bytes(*note_id.as_bytes()))
    })
}

/// Decides a dispute, once, and pays both sides in the same transaction.
///
/// * `dispute_id`: from `open_dispute`.
/// * `refund_amount`: what of the held money goes back to the buyer, over all lines in proportion; zero is
///   nothing, all that is held is a full refund. The rest goes to the beneficiaries, less the fees.
/// * `reason`: why it was decided so, 1 to 1000 bytes.
/// * `ledger`: the session's ledger by default.
///
/// Returns the dispute. Writes the event `escrow.dispute_resolved`. Errors: missing_argument,
/// invalid_argument, invalid_amount, dispute_not_found, already_resolved, refund_exceeds_payment, and those of
/// `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn resolve_dispute(
    dispute_id: Option<pgrx::Uuid>,
    refund_amount: Option<NumericIn>,
    reason: Option<&str>,
    ledger: default!(Option<&str>, "NULL"),
) -> DisputeRow {
    report::run(|| {
        let session = Session::connect();
        let dispute_id = needed_id(dispute_id, "dispute_id")?;
        let refund = refund_amount.ok_or_else(|| missing("refund_amount"))?.0;
        let reason = needed_label(reason, "reason", 1000)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let dispute = resolve(&session, &ledger, dispute_id, refund, reason)?;
        Ok(DisputeRow::new(&ledger, dispute))
    })
}

fn check_evidence(evidence: Option<&JsonIn>) -> Result<()> {
    let Some(bytes) = evidence.map(|evidence| evidence.0.as_bytes()) else { return Ok(()) };
    if bytes.len() > EVIDENCE_BYTES_MAX {
        return Err(invalid("evidence", "have at most 65536 bytes"));
    }
    if is_scalar(bytes) {
        return Err(invalid("evidence", "be a JSON object or array"));
    }
    Ok(())
}
