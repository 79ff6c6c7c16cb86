//! Several escrows in one call: what a statement over many rows of an application asks for.
//!
//! Locks, so that two such calls, and any other of an escrow, wait for each other but never in a circle: first
//! the escrows that are there, by reference; then the accounts that new ones need are made, first those of all
//! fees, by address, then their own, in the order of their references; then every account that money will move
//! on is locked, in one statement. Only then each escrow is acted on. A call about one escrow has that order
//! without any of this.

use super::open::{Opening, Prepared, complete, make_accounts, make_fee_accounts, prepare};
use super::rules::Action;
use super::store::{due, together as store};
use super::{Order, Shortfall, refund, release, ship};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::posting::{self, Wanted};
use crate::spi::Session;
use std::collections::HashMap;
use uuid::Uuid;

/// What is to be done to an escrow.
pub enum Act<'a> {
    Open(Opening<'a>),
    /// With the carrier's number.
    Ship(Option<&'a str>),
    /// Everything that is held, with the reason.
    Release(&'a str),
    /// Everything that is left, with the reason; nothing where no escrow was opened.
    Refund(&'a str),
}

/// One escrow, named by its reference, and what is to be done to it.
pub struct Asked<'a> {
    pub reference: &'a str,
    pub act: Act<'a>,
}

/// What is to be done, once it is known to what.
enum Plan<'a> {
    Open(&'a Opening<'a>, Prepared),
    Ship(Uuid, Option<&'a str>),
    Release(Uuid, &'a str),
    Refund(Uuid, &'a str),
}

/// Does all of it, in the order of the references, or nothing. An error says which of them it is about.
pub fn run(
    session: &Session,
    ledger: &Ledger,
    asked: &[Asked],
) -> std::result::Result<(), (usize, LedgerError)> {
    ledger::enter_period(ledger);
    let mut order: Vec<usize> = (0..asked.len()).collect();
    order.sort_by_key(|index| asked[*index].reference);
    let there = asked.iter().filter(|asked| !matches!(asked.act, Act::Open(_))).map(|asked| asked.reference);
    let ids = store::lock(session, ledger.id, there);
    let mut plans = Vec::with_capacity(asked.len());
    for index in order {
        let planned = plan(session, ledger, &asked[index], &ids).map_err(|error| (index, error))?;
        plans.extend(planned.map(|plan| (index, plan)));
    }
    make_all_accounts(session, ledger, &mut plans)?;
    if let [(first, _), _, ..] = plans.as_slice() {
        lock_accounts(session, ledger, &plans).map_err(|error| (*first, error))?;
    }
    for (index, plan) in &plans {
        carry_out(session, ledger, plan).map_err(|error| (*index, error))?;
    }
    Ok(())
}

/// Finds the escrow, or prepares the new one. `None` where there is nothing to do.
fn plan<'a>(
    session: &Session,
    ledger: &Ledger,
    asked: &'a Asked<'a>,
    ids: &HashMap<String, Uuid>,
) -> Result<Option<Plan<'a>>> {
    let found = || {
        ids.get(asked.reference).copied().ok_or_else(|| {
            let message = format!("there is no escrow with the reference {}", asked.reference);
            LedgerError::new(Code::EscrowNotFound, message).with("reference", asked.reference)
        })
    };
    Ok(Some(match &asked.act {
        Act::Open(opening) => Plan::Open(opening, prepare(session, ledger, opening)?),
        Act::Ship(tracking_reference) => Plan::Ship(found()?, *tracking_reference),
        Act::Release(reason) => Plan::Release(found()?, reason),
        Act::Refund(_) if !ids.contains_key(asked.reference) => return Ok(None),
        Act::Refund(reason) => Plan::Refund(found()?, reason),
    }))
}

/// Makes what the new escrows need, in the one order.
fn make_all_accounts(
    session: &Session,
    ledger: &Ledger,
    plans: &mut [(usize, Plan)],
) -> std::result::Result<(), (usize, LedgerError)> {
    let opening = |(index, plan): &(usize, Plan)| matches!(plan, Plan::Open(..)).then_some(*index);
    let Some(first) = plans.iter().find_map(opening) else { return Ok(()) };
    let prepared = plans.iter().filter_map(|(_, plan)| match plan {
        Plan::Open(_, prepared) => Some(prepared),
        _ => None,
    });
    let fee_accounts = make_fee_accounts(session, ledger, prepared).map_err(|error| (first, error))?;
    for (index, plan) in plans {
        if let Plan::Open(opening, prepared) = plan {
            make_accounts(session, ledger, opening, prepared, &fee_accounts)
                .map_err(|error| (*index, error))?;
        }
    }
    Ok(())
}

/// Locks every account that any of the plans will touch, in the global order.
fn lock_accounts(session: &Session, ledger: &Ledger, plans: &[(usize, Plan)]) -> Result<()> {
    let (mut releases, mut refunds) = (Vec::new(), Vec::new());
    for (_, plan) in plans {
        match plan {
            Plan::Release(id, _) => releases.push(*id),
            Plan::Refund(id, _) => refunds.push(*id),
            Plan::Open(..) | Plan::Ship(..) => {}
        }
    }
    let leaving = due::flows(session, ledger.id, &releases, false);
    let returning = store::refunds(session, ledger.id, &refunds);
    let mut wanted = Wanted::default();
    for (debit, credit, amount) in leaving.iter().chain(&returning) {
        wanted.transfer(debit, credit, *amount);
    }
    for (_, plan) in plans {
        if let Plan::Open(_, prepared) = plan {
            wanted.transfer(&prepared.buyer, &prepared.account, prepared.amount);
        }
    }
    posting::lock(session, ledger, &wanted).map(|_| ())
}

fn carry_out(session: &Session, ledger: &Ledger, plan: &Plan) -> Result<()> {
    match plan {
        Plan::Open(opening, prepared) => complete(session, ledger, opening, prepared),
        Plan::Ship(id, tracking_reference) => ship(session, ledger, *id, *tracking_reference),
        Plan::Release(id, reason) => release(session, ledger, *id, Action::Release, &all(reason)),
        Plan::Refund(id, reason) => refund(session, ledger, *id, &all(reason)),
    }?;
    Ok(())
}

fn all(reason: &str) -> Order<'_> {
    Order { amount: None, line: None, reason: Some(reason), shortfall: Shortfall::Refuse }
}
