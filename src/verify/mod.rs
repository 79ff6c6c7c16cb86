//! Verifying: recomputes every projection from the transfers alone and tells what differs.
//!
//! It shares no code with the engine that writes: all of it is SQL over the tables, in one snapshot, so
//! it can run while postings go on, and on a standby. Nothing is written and no row is locked.
//!
//! Statements: 10, and 1 more where an account's history is broken. The first folds both sides of every
//! transfer in one sort by account and version; that sort is nearly all of the cost (about 100 bytes of
//! temporary files a transfer). Memory is bounded by `work_mem` per sort or hash, and by 1,000 findings per group
//! of checks: where there are more, a finding `more_findings` names the group.
//!
//! What can be found is the closed list in [`rules::ALL`].

pub mod api;
pub mod rules;
pub mod store;

use crate::ledger::Ledger;
use crate::spi::Session;
use rules::SHOWN_MAX;
use serde_json::json;
use store::{Check, Finding};

/// One more than is shown, to know whether there are more.
const LIMIT: i64 = SHOWN_MAX as i64 + 1;

/// Everything that is wrong with a ledger.
pub fn verify(session: &Session, ledger: &Ledger) -> Vec<Finding> {
    let mut all = Vec::new();
    let (mut accounts, broken) = store::fold(session, ledger.id, LIMIT);
    let incomplete = accounts.len() + broken.len() > SHOWN_MAX;
    accounts.truncate(SHOWN_MAX);
    all.append(&mut accounts);
    if incomplete {
        all.push(more("accounts"));
    }
    if !broken.is_empty() {
        add(&mut all, store::history(session, ledger.id, &broken, LIMIT), "histories");
    }
    for check in Check::ALL {
        add(&mut all, store::check(session, ledger.id, check, LIMIT), check.name());
    }
    all
}

fn add(all: &mut Vec<Finding>, mut found: Vec<Finding>, group: &str) {
    let incomplete = found.len() > SHOWN_MAX;
    found.truncate(SHOWN_MAX);
    all.append(&mut found);
    if incomplete {
        all.push(more(group));
    }
}

fn more(group: &str) -> Finding {
    Finding {
        finding: "more_findings".to_owned(),
        subject: group.to_owned(),
        expected: None,
        actual: None,
        detail: json!({ "shown": SHOWN_MAX }),
    }
}
