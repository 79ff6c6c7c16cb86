//! Many escrows released in one go: one call of the posting engine for all of them, so that a seller whom a
//! thousand of them pay is locked and written once. An escrow that the ledger refuses leaves the others as they
//! are. Where somebody else's code refuses (a trigger, say), nobody can tell which escrow it meant: then each is
//! released in a subtransaction of its own.

use super::pay::{Doing, bare, open_lines, requests, write_down};
use super::rules::line::Split;
use super::rules::{self, Action, amount};
use super::store::{Escrow, StoredLine};
use super::{Order, Shortfall, release};
use crate::error::{Code, LedgerError, Result};
use crate::idempotency::rules::Operation;
use crate::ledger::Ledger;
use crate::posting::Access;
use crate::posting::batch::{self, Call, Limits, OnError, Outcome};
use crate::posting::request::Request;
use crate::report::{Failure, attempt};
use crate::spi::Session;
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

/// How many escrows one call of the engine is for.
const TOGETHER: usize = 500;

/// What was released, or why not.
type Released = std::result::Result<Decimal, Failure>;

/// An escrow about to be released.
struct Planned {
    escrow: Escrow,
    lines: Vec<StoredLine>,
    splits: Vec<Split>,
}

impl Planned {
    fn released(&self) -> Decimal {
        amount(self.splits.iter().map(|split| split.released).sum(), self.escrow.scale)
    }
}

/// Releases everything that these escrows hold. Their rows and all accounts are locked by the caller.
pub(super) fn release_many(ledger: &Ledger, ids: &[Uuid], reason: &str) -> Result<Vec<Released>> {
    let mut outcomes = Vec::with_capacity(ids.len());
    for ids in ids.chunks(TOGETHER) {
        match attempt(|| together(&Session::connect(), ledger, ids, reason))? {
            Ok(released) => outcomes.extend(released),
            Err(_) => {
                for id in ids {
                    outcomes.push(attempt(|| alone(&Session::connect(), ledger, *id, reason))?);
                }
            }
        }
    }
    Ok(outcomes)
}

fn alone(session: &Session, ledger: &Ledger, id: Uuid, reason: &str) -> Result<Decimal> {
    let before = open_lines(session, ledger, id, Action::Release)?.1;
    let order = Order { amount: None, line: None, reason: Some(reason), shortfall: Shortfall::Refuse };
    let opened = release(session, ledger, id, Action::Release, &order)?;
    let released = |lines: &[StoredLine]| lines.iter().map(|stored| stored.line.released).sum::<u128>();
    Ok(amount(released(&opened.lines) - released(&before), opened.escrow.scale))
}

fn together(session: &Session, ledger: &Ledger, ids: &[Uuid], reason: &str) -> Result<Vec<Released>> {
    let planned: Vec<Result<Planned>> = ids.iter().map(|id| plan(session, ledger, *id)).collect();
    let labels: Vec<String> = (0..ids.len()).map(|place| place.to_string()).collect();
    let (mut all, mut owners): (Vec<Request>, Vec<usize>) = (Vec::new(), Vec::new());
    for (place, planned) in planned.iter().enumerate() {
        let Ok(Planned { escrow, lines, splits }) = planned else { continue };
        for request in requests(escrow, lines, &[], splits) {
            all.push(Request { transaction: Some(&labels[place]), ..request });
            owners.push(place);
        }
    }
    let posted = post(session, ledger, all, &owners)?;
    let doing = Doing { action: Action::Release, dispute_id: None, reason: Some(reason) };
    let mut outcomes = Vec::with_capacity(ids.len());
    for (place, planned) in planned.iter().enumerate() {
        let transaction = match (planned, posted.get(&place)) {
            (Err(error), _) | (Ok(_), Some(Err(error))) => Err(error.clone()),
            (Ok(planned), Some(Ok(id))) => Ok((planned, *id)),
            (Ok(_), None) => Err(LedgerError::new(Code::BooksInconsistent, "a posting has no outcome")),
        };
        outcomes.push(match transaction {
            Ok((planned, transaction_id)) => {
                let Planned { escrow, lines, splits } = planned;
                write_down(session, ledger, escrow, lines, splits, transaction_id, &doing)?;
                Ok(planned.released())
            }
            Err(error) if error.code == Code::TryAgain => return Err(error),
            Err(error) => Err(Failure { token: error.token().to_owned(), message: error.message }),
        });
    }
    Ok(outcomes)
}

fn plan(session: &Session, ledger: &Ledger, id: Uuid) -> Result<Planned> {
    let (escrow, lines) = open_lines(session, ledger, id, Action::Release)?;
    let bare = bare(&lines);
    let splits = rules::release(&bare, &rules::chosen(&bare, None)?, None).map_err(|_| {
        LedgerError::new(Code::EscrowClosed, format!("escrow {id} holds nothing any more"))
            .with("escrow_id", id)
    })?;
    Ok(Planned { escrow, lines, splits })
}

/// Posts what the escrows pay; each has a transaction, or the error of the transfer that was refused first.
fn post(
    session: &Session,
    ledger: &Ledger,
    requests: Vec<Request>,
    owners: &[usize],
) -> Result<HashMap<usize, Result<Uuid>>> {
    let mut posted: HashMap<usize, Result<Uuid>> = HashMap::new();
    if requests.is_empty() {
        return Ok(posted);
    }
    let (operation, on_error, access) = (Operation::PostTransfer, OnError::Report, Access::Lock);
    let outcomes = batch::post(
        session,
        ledger,
        Call { requests, operation, on_error, access, limits: Limits::Enforce },
    )?;
    for (place, outcome) in owners.iter().zip(outcomes) {
        match outcome {
            Outcome::Posted(receipt) | Outcome::Replayed(receipt) => {
                if let Some(id) = receipt.transaction_id {
                    posted.insert(*place, Ok(id));
                }
            }
            // The culprit's own error says more than that of the transfers linked to it.
            Outcome::Rejected { error, .. } if error.code == Code::LinkedItemFailed => {
                posted.entry(*place).or_insert(Err(error));
            }
            Outcome::Rejected { error, .. } => {
                posted.insert(*place, Err(error));
            }
        }
    }
    Ok(posted)
}
