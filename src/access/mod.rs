//! Access: whether the acting person may do what is asked.
//!
//! Trusted backends act for anyone: sessions whose role has the privileges of `wallet_app`. The person that they
//! name is for the audit. Everybody else is who `wallet_ledger.actor` or the JWT's `sub` says, and may do what
//! the table in `rules` gives that person's roles; who says neither is nobody. Statements: none for a trusted
//! session, one for any other.

pub mod api;
pub mod rules;
pub mod store;

use crate::error::Result;
use crate::ledger::{Ledger, settings};
use crate::spi::{Session, identity};
use rules::{Action, Target};

/// Refuses what the acting person may not do. Trusted backends act for anyone.
pub fn demand(session: &Session, ledger: &Ledger, action: Action, target: Target) -> Result<()> {
    if identity::is_trusted() {
        return Ok(());
    }
    let actor = named(action)?;
    let grants = store::grants(session, ledger.id, &actor, target.member);
    decide(&actor, rules::allows(&grants, action, target), action)
}

/// Refuses what only a trusted backend may ask.
pub fn demand_backend(function: &str) -> Result<()> {
    if identity::is_trusted() { Ok(()) } else { Err(rules::backend_only(&settings::actor(), function)) }
}

/// The same as [`demand`] for an account: a member's wallet is the member's, any other the organisation's.
pub fn demand_on_account(session: &Session, ledger: &Ledger, action: Action, address: &str) -> Result<()> {
    demand_on_account_at(session, ledger, action, address, None)
}

/// The same at a merchant, by its name or the address of its account: its people may then do it too.
pub fn demand_on_account_at(
    session: &Session,
    ledger: &Ledger,
    action: Action,
    address: &str,
    merchant: Option<&str>,
) -> Result<()> {
    if identity::is_trusted() {
        return Ok(());
    }
    let actor = named(action)?;
    let (grants, member) = store::grants_on_account(session, ledger.id, &actor, address);
    // At a merchant a member pays: an account that is nobody's is the organisation's there too.
    let merchant = merchant.filter(|_| member.is_some());
    let merchant = merchant.map(|merchant| merchant.strip_prefix("merchants:").unwrap_or(merchant));
    let target = Target { member: member.as_deref(), merchant };
    decide(&actor, rules::allows(&grants, action, target), action)
}

/// Who is asked for a role. Nobody has one by the name of the login, which everybody behind PostgREST shares, nor by
/// the beginning of a name that is too long.
fn named(action: Action) -> Result<String> {
    settings::named_actor().ok_or_else(|| rules::refusal(&settings::actor(), action))
}

fn decide(actor: &str, is_allowed: bool, action: Action) -> Result<()> {
    if is_allowed { Ok(()) } else { Err(rules::refusal(actor, action)) }
}
