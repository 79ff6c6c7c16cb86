//! Group buys: many buyers' escrows towards one target by a deadline.
//!
//! Joining and settling happen under the group's row lock, so that whoever comes second finds what the first
//! has decided. Lock order: key, group, intent, escrow, accounts. A settlement is decided once and then worked
//! off in bounded calls; each escrow in a subtransaction of its own, under the locks of all accounts taken in
//! the global order first.

pub mod api;
pub mod rules;
pub mod store;

use super::due::lock_accounts;
use super::many::release_many;
use super::rules::request::Wanted;
use super::{Opened, Opening, Order, Shortfall, open as open_escrow, refund};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::money::Number;
use crate::posting::request::check_labels;
use crate::report::{Failure, attempt};
use crate::spi::Session;
use crate::spi::jsonb::Document;
use crate::{event, time};
use rules::{Outcome, State, Target};
use serde_json::{Value, json};
use store::{GroupBuy, Member, NewGroupBuy};
use uuid::Uuid;

/// Arguments of `open_group_buy`.
pub struct Request<'a> {
    pub reference: &'a str,
    pub target: Target,
    pub deadline: i64,
    pub releases: bool,
    pub auto_release_micros: i64,
    pub metadata: Option<&'a Document>,
}

/// Opens a group buy; nobody has joined yet.
pub fn open(session: &Session, ledger: &Ledger, request: &Request) -> Result<GroupBuy> {
    rules::check_reference(request.reference)?;
    rules::check_target(request.target)?;
    let now = ledger::now();
    rules::check_deadline(request.deadline, now)?;
    super::open::check_auto_release(request.auto_release_micros)?;
    check_labels(None, None, request.metadata.map(Document::as_bytes))?;
    let new = NewGroupBuy {
        id: Uuid::now_v7(),
        reference: request.reference,
        target: request.target,
        deadline: request.deadline,
        releases: request.releases,
        auto_release_micros: request.auto_release_micros,
        opened_at: now,
        metadata: request.metadata,
    };
    if !store::insert(session, ledger.id, &new) {
        return Err(LedgerError::new(
            Code::AlreadyExists,
            format!("a group buy has the reference {} already", request.reference),
        )
        .with("reference", request.reference));
    }
    let group = find(session, ledger, new.id, false)?;
    announce(session, ledger, "group_buy.opened", &group, json!({}));
    Ok(group)
}

/// A buyer's part in a group buy.
pub struct Part<'a> {
    pub buyer: Option<&'a str>,
    pub lines: &'a [Wanted<'a>],
    pub quantity: i64,
    pub amount: Option<Number>,
    pub intent_id: Option<Uuid>,
    pub metadata: Option<&'a Document>,
}

/// Takes a buyer in, with an escrow of their own.
pub fn join(session: &Session, ledger: &Ledger, id: Uuid, part: &Part) -> Result<Opened> {
    rules::check_quantity(part.quantity)?;
    ledger::enter_period(ledger);
    let group = find(session, ledger, id, true)?;
    let now = ledger::now();
    rules::check_open(id, group.state, group.deadline, now)?;
    let member = group.joined_count + 1;
    let reference = format!("{}.{member}", group.reference);
    let opening = Opening {
        reference: &reference,
        buyer: part.buyer,
        lines: part.lines,
        amount: part.amount,
        auto_release_micros: group.auto_release_micros,
        intent_id: part.intent_id,
        metadata: part.metadata,
    };
    let opened = open_escrow(session, ledger, &opening)?;
    let new = Member { member, escrow_id: opened.escrow.id, quantity: part.quantity };
    if !store::join(session, ledger.id, id, &new, now) {
        return Err(LedgerError::new(
            Code::AlreadyExists,
            format!("{} takes part in group buy {id} already", opened.escrow.buyer),
        )
        .with("group_buy_id", id)
        .with("account", &opened.escrow.buyer));
    }
    let group = find(session, ledger, id, false)?;
    let more = json!({ "buyer_account": opened.escrow.buyer, "escrow_id": opened.escrow.id.to_string() });
    announce(session, ledger, "group_buy.joined", &group, more);
    Ok(opened)
}

/// The group buy, or the error that there is none.
pub fn find(session: &Session, ledger: &Ledger, id: Uuid, lock: bool) -> Result<GroupBuy> {
    store::find(session, ledger.id, id, lock).ok_or_else(|| {
        LedgerError::new(Code::GroupBuyNotFound, format!("there is no group buy {id}"))
            .with("group_buy_id", id)
    })
}

/// What a settling call came to.
pub struct Settled {
    pub group: GroupBuy,
    /// How many escrows this call is done with.
    pub done: i64,
    pub failures: Vec<(Uuid, Failure)>,
}

/// Decides a group buy and works its escrows off, at most so many in this call.
pub fn settle(session: &Session, ledger: &Ledger, id: Uuid, max_count: i64) -> Result<Settled> {
    ledger::enter_period(ledger);
    let group = find(session, ledger, id, true)?;
    if group.settled_at.is_some() {
        return Err(LedgerError::new(Code::GroupBuyClosed, format!("group buy {id} was settled before"))
            .with("group_buy_id", id)
            .with("status", group.state.name()));
    }
    let now = ledger::now();
    let group = match group.state {
        State::Open => decide(session, ledger, &group, now)?,
        _ => group,
    };
    let mut settled = Settled { group, done: 0, failures: Vec::new() };
    if settled.group.state == State::Reached && !settled.group.releases {
        settled.done = store::carry_on(session, ledger.id, id, now);
    } else {
        work_off(session, ledger, &mut settled, max_count, now)?;
    }
    if store::is_done(session, ledger.id, id) {
        store::close(session, ledger.id, id, now);
        settled.group = find(session, ledger, id, false)?;
        announce(session, ledger, "group_buy.settled", &settled.group, json!({}));
    }
    Ok(settled)
}

/// Reached or missed: those count whose money is still there.
fn decide(session: &Session, ledger: &Ledger, group: &GroupBuy, now: i64) -> Result<GroupBuy> {
    let (members, quantity) = store::taking_part(session, ledger.id, group.id);
    let state = match rules::outcome(group.target, members, quantity, group.deadline, now) {
        Outcome::Reached => State::Reached,
        Outcome::Missed => State::Missed,
        Outcome::TooEarly => {
            return Err(LedgerError::new(
                Code::GroupBuyNotDue,
                format!("group buy {} has neither reached its target nor passed its deadline", group.id),
            )
            .with("group_buy_id", group.id)
            .with("deadline", time::to_text(group.deadline))
            .with_count("participants", members)
            .with_count("quantity", quantity));
        }
    };
    store::decide(session, ledger.id, group.id, state, now);
    let group = find(session, ledger, group.id, false)?;
    let topic = if state == State::Reached { "group_buy.reached" } else { "group_buy.missed" };
    announce(session, ledger, topic, &group, json!({ "participants": members, "quantity": quantity }));
    Ok(group)
}

/// Releases or refunds the next escrows. One that cannot be, because it is disputed, say, is tried again after
/// the others.
fn work_off(
    session: &Session,
    ledger: &Ledger,
    settled: &mut Settled,
    max_count: i64,
    now: i64,
) -> Result<()> {
    let id = settled.group.id;
    let escrows = store::next(session, ledger.id, id, max_count);
    if escrows.is_empty() {
        return Ok(());
    }
    let is_reached = settled.group.state == State::Reached;
    lock_accounts(session, ledger, &escrows, !is_reached)?;
    let outcomes = match is_reached {
        true => release_many(ledger, &escrows, "the group buy has reached its target")?
            .into_iter()
            .map(|outcome| outcome.map(|_| ()))
            .collect(),
        false => refund_each(ledger, &escrows, "the group buy was missed")?,
    };
    for (escrow_id, outcome) in escrows.into_iter().zip(outcomes) {
        // What was released or refunded by other means needs nothing more.
        let outcome = match outcome {
            Err(failure) if failure.token == Code::EscrowClosed.definition().token => Ok(()),
            outcome => outcome,
        };
        store::worked_off(
            session,
            ledger.id,
            escrow_id,
            now,
            outcome.as_ref().err().map(|failure| &*failure.token),
        );
        match outcome {
            Ok(()) => settled.done += 1,
            Err(failure) => settled.failures.push((escrow_id, failure)),
        }
    }
    Ok(())
}

/// Refunds every escrow in a subtransaction of its own.
fn refund_each(
    ledger: &Ledger,
    escrows: &[Uuid],
    reason: &str,
) -> Result<Vec<std::result::Result<(), Failure>>> {
    let refunded = |escrow_id: &Uuid| {
        attempt(|| {
            let order =
                Order { amount: None, line: None, reason: Some(reason), shortfall: Shortfall::Refuse };
            refund(&Session::connect(), ledger, *escrow_id, &order).map(|_| ())
        })
    };
    escrows.iter().map(refunded).collect()
}

fn announce(session: &Session, ledger: &Ledger, topic: &str, group: &GroupBuy, more: Value) {
    let payload = json!({
        "group_buy_id": group.id.to_string(),
        "reference": group.reference,
        "status": group.state.name(),
        "deadline": time::to_text(group.deadline),
        "joined": group.joined_count,
        "for": ["buyer", "seller", "finance"],
        "actor": ledger::settings::actor(),
    });
    event::write(session, ledger, topic, &group.id.to_string(), event::with(payload, more));
}
