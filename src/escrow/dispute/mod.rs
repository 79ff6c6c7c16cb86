//! Disputes: opened about an escrow whose money is still held, which freezes it at once; decided once, in the
//! transaction that pays both sides.

pub mod api;
pub mod store;

use super::rules::{Action, State};
use super::store::record::{self, Record};
use super::{announce, decide, find_for, read};
use crate::error::{Code, LedgerError, Result, invalid};
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::spi::Session;
use crate::spi::jsonb::Document;
use serde_json::json;
use store::{Dispute, Resolution};
use uuid::Uuid;

/// Freezes an escrow and stops its clock.
pub fn open(
    session: &Session,
    ledger: &Ledger,
    escrow_id: Uuid,
    opened_by: &str,
    reason: &str,
    evidence: Option<&Document>,
) -> Result<Dispute> {
    find_for(session, ledger, escrow_id, Action::OpenDispute)?;
    let dispute = Dispute {
        id: Uuid::now_v7(),
        escrow_id,
        opened_at: ledger::now(),
        opened_by: opened_by.to_owned(),
        reason: reason.to_owned(),
        evidence: evidence.cloned(),
        resolution: None,
    };
    super::store::set_state(session, ledger.id, escrow_id, State::Disputed);
    store::insert(session, ledger.id, &dispute);
    let done = Record {
        escrow_id,
        dispute_id: Some(dispute.id),
        action: Action::OpenDispute.name(),
        reason: Some(reason),
        ..Record::default()
    };
    record::insert(session, ledger.id, &done, &ledger::settings::actor(), dispute.opened_at);
    let opened = read(session, ledger, escrow_id, None)?;
    let more = json!({ "dispute_id": dispute.id.to_string(), "opened_by": opened_by });
    announce(session, ledger, "escrow.disputed", &opened, Some(reason), more);
    Ok(dispute)
}

/// The dispute, or the error that there is none.
pub fn find(session: &Session, ledger: &Ledger, id: Uuid) -> Result<Dispute> {
    store::find(session, ledger.id, id).ok_or_else(|| {
        LedgerError::new(Code::DisputeNotFound, format!("there is no dispute {id}")).with("dispute_id", id)
    })
}

/// Adds what somebody has to say. Also after the decision: nothing that was said is lost.
pub fn add_note(
    session: &Session,
    ledger: &Ledger,
    dispute_id: Uuid,
    note: &str,
    evidence: Option<&Document>,
) -> Result<Uuid> {
    let dispute = find(session, ledger, dispute_id)?;
    let actor = ledger::settings::actor();
    let id = store::insert_note(session, ledger.id, dispute_id, ledger::now(), &actor, note, evidence);
    let opened = read(session, ledger, dispute.escrow_id, None)?;
    let more = json!({ "dispute_id": dispute_id.to_string(), "note_id": id.to_string() });
    announce(session, ledger, "escrow.dispute_noted", &opened, None, more);
    Ok(id)
}

/// Decides a dispute, once: so much goes back to the buyer, the rest of what is held to the beneficiaries.
pub fn resolve(
    session: &Session,
    ledger: &Ledger,
    id: Uuid,
    refund: Number,
    reason: &str,
) -> Result<Dispute> {
    ledger::enter_period(ledger);
    let dispute = find(session, ledger, id)?;
    let escrow = super::find(session, ledger, dispute.escrow_id, true)?;
    // Under the escrow's lock: who else has decided meanwhile is seen now.
    let mut dispute = find(session, ledger, id)?;
    if let Some(resolution) = &dispute.resolution {
        return Err(LedgerError::new(Code::AlreadyResolved, format!("dispute {id} was decided before"))
            .with("dispute_id", id)
            .with("resolved_at", crate::time::to_text(resolution.at)));
    }
    super::rules::check(escrow.id, escrow.state, Action::ResolveDispute)?;
    let refund = refund.finite("refund_amount")?;
    if refund.is_sign_negative() && !refund.is_zero() {
        return Err(invalid("refund_amount", "not be negative").with("value", refund));
    }
    let refund = money::to_scale(refund, escrow.scale, &escrow.currency, "refund_amount")?;
    let (opened, released) = decide(session, ledger, &escrow, id, refund, reason)?;
    let resolution = Resolution {
        at: ledger::now(),
        refunded: refund,
        released,
        by: ledger::settings::actor(),
        reason: reason.to_owned(),
        transaction_id: opened.transaction_id,
    };
    if !store::resolve(session, ledger.id, id, &resolution) {
        return Err(LedgerError::new(
            Code::BooksInconsistent,
            "a dispute was decided although its escrow was locked",
        )
        .with("dispute_id", id));
    }
    dispute.resolution = Some(resolution);
    Ok(dispute)
}
