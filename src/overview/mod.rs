//! One look at a member: what a guardian, or the member, wants to see at once. Reads only, in four statements.

pub mod api;
pub mod store;

use crate::access::{self, rules::Action, rules::Target};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::spi::Session;
use serde_json::{Value, json};

/// How many days back spending and refusals go, today included.
const DAYS: i32 = 30;
/// Most refusals that are told.
const REFUSALS_MAX: i32 = 50;

/// Balance, limits, spending by day and category, and refusals of a member.
pub fn of_member(session: &Session, ledger: &Ledger, member: &str) -> Result<Value> {
    access::demand(session, ledger, Action::ViewMember, Target { member: Some(member), merchant: None })?;
    let Some(mut overview) = store::member(session, ledger.id, member) else {
        let message = format!("ledger {} has no member {member}", ledger.name);
        return Err(LedgerError::new(Code::MemberNotFound, message).with("member", member));
    };
    let now = ledger::now();
    let or_none = |found: Option<Value>| found.unwrap_or_else(|| json!([]));
    overview["limits"] = or_none(store::limits(session, ledger.id, member, now));
    overview["spending"] = or_none(store::days(session, ledger.id, member, now, DAYS));
    overview["refusals"] = or_none(store::refusals(session, ledger.id, member, now, DAYS, REFUSALS_MAX));
    Ok(overview)
}
