//! SQL face of mutations: the matching of one, and the work by hand.

use super::hand::{self, Matching};
use super::store::Mutation;
use crate::bank::account::rules::source_name;
use crate::error::{Result, missing};
use crate::form::label;
use crate::ledger::{self, Ledger};
use crate::report;
use crate::spi::face::{Composite, composite_result, needed_id};
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use std::ffi::CStr;

/// A mutation in words.
pub struct MutationRow {
    ledger: String,
    mutation: Mutation,
}

composite_result!(MutationRow, "wallet_ledger.mutation_row");

impl Composite for MutationRow {
    const NAME: &'static CStr = c"mutation_row";

    fn into_values(self) -> Vec<Argument> {
        let mutation = &self.mutation;
        vec![
            mutation.id.into(),
            (&self.ledger).into(),
            (&mutation.bank_account).into(),
            mutation.direction.name().into(),
            mutation.state.name().into(),
            mutation.amount.into(),
            mutation.balance.into(),
            mutation.when.from.into(),
            mutation.when.day.into(),
            source_name(mutation.source_id).into(),
            (&mutation.provider_mutation_id).into(),
            (&mutation.description).into(),
            mutation.intent_id.into(),
            mutation.assigned_account.as_deref().into(),
            mutation.transaction_id().into(),
            mutation.original_id.into(),
            Argument::texts(mutation.reasons.iter().map(String::as_str)),
            mutation.created_at.into(),
        ]
    }
}

/// Runs one piece of work by hand.
fn work(
    ledger: Option<&str>,
    reason: Option<&str>,
    flow: impl FnOnce(&Session, &Ledger, &str) -> Result<Mutation>,
) -> MutationRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let reason = label(reason, "reason", 1000)?.ok_or_else(|| missing("reason"))?;
        let mutation = flow(&session, &ledger, reason)?;
        Ok(MutationRow { ledger: ledger.name.clone(), mutation })
    })
}

/// Pays an intent with a mutation that waits in suspense or under review, because a person says so.
///
/// * `mutation_id`: from the view `mutations_to_review`.
/// * `intent_id`: any intent that is neither paid nor cancelled; an expired one too. All of the mutation's
///   money goes to its account, also where it is more or less than the total: `paid_amount` says how much.
/// * `reason`: kept with who did it.
///
/// Returns the mutation. Errors: missing_argument, invalid_argument, mutation_not_found, intent_not_found,
/// mutation_not_matchable, already_resolved (the intent), and those of `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn match_mutation_by_hand(
    mutation_id: Option<pgrx::Uuid>,
    intent_id: Option<pgrx::Uuid>,
    reason: Option<&str>,
    ledger: default!(Option<&str>, "NULL"),
) -> MutationRow {
    work(ledger, reason, |session, ledger, reason| {
        let (mutation, intent) = (needed_id(mutation_id, "mutation_id")?, needed_id(intent_id, "intent_id")?);
        hand::match_by_hand(session, ledger, mutation, intent, Matching::ByHand, Some(reason))
    })
}

/// Confirms a payment whose payer has sent a proof, against the mutation that brought the money.
///
/// * `intent_id`: an intent in pending_verification.
/// * `mutation_id`: the mutation that paid it, in suspense or under review.
/// * `reason`: kept with who did it; optional.
///
/// Returns the mutation. Errors: as for `match_mutation_by_hand`, and intent_not_pending.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn verify_payment(
    intent_id: Option<pgrx::Uuid>,
    mutation_id: Option<pgrx::Uuid>,
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> MutationRow {
    work(ledger, reason.or(Some("proof verified")), |session, ledger, reason| {
        let (mutation, intent) = (needed_id(mutation_id, "mutation_id")?, needed_id(intent_id, "intent_id")?);
        hand::match_by_hand(session, ledger, mutation, intent, Matching::Verification, Some(reason))
    })
}

/// Gives the money of a mutation to an account, without an intent; or says what a debit was for.
///
/// * `mutation_id`: a credit in suspense or under review, or an ignored debit.
/// * `account`: who gets the money; for a debit, the expense or whatever it paid. Not one of a bank account's own,
///   but for another one's outgoing account.
/// * `reason`: kept with who did it.
/// * `kind`: that of the transfer; deposit for a credit and fee for a debit by default.
///
/// Returns the mutation. Errors: missing_argument, invalid_argument, invalid_address, mutation_not_found,
/// mutation_not_matchable, and those of `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn assign_mutation(
    mutation_id: Option<pgrx::Uuid>,
    account: Option<&str>,
    reason: Option<&str>,
    kind: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> MutationRow {
    work(ledger, reason, |session, ledger, reason| {
        let account = account.ok_or_else(|| missing("account"))?;
        hand::assign(session, ledger, needed_id(mutation_id, "mutation_id")?, account, kind, Some(reason))
    })
}

/// Takes back what was done with a mutation, with reversing entries: its money waits in suspense again,
/// and the intent that it paid is open again, or expired. What was marked as a duplicate is in the books again.
///
/// * `mutation_id`: a mutation that is matched, assigned, returned or a duplicate.
/// * `reason`: kept with who did it, and the description of the reversing entries.
///
/// Returns the mutation. Errors: missing_argument, invalid_argument, mutation_not_found,
/// mutation_not_matchable, insufficient_funds (the money was spent), account_frozen, account_closed.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn unmatch_mutation(
    mutation_id: Option<pgrx::Uuid>,
    reason: Option<&str>,
    ledger: default!(Option<&str>, "NULL"),
) -> MutationRow {
    work(ledger, reason, |session, ledger, reason| {
        hand::unmatch(session, ledger, needed_id(mutation_id, "mutation_id")?, reason)
    })
}

/// Marks the money of a mutation as going back to its sender: it moves from suspense to the outgoing
/// account, where the bank's debit will meet it. The transfer itself is made at the bank.
///
/// * `mutation_id`: a credit in suspense or under review.
/// * `reason`: kept with who did it.
///
/// Returns the mutation. Errors: missing_argument, invalid_argument, mutation_not_found,
/// mutation_not_matchable.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn return_mutation(
    mutation_id: Option<pgrx::Uuid>,
    reason: Option<&str>,
    ledger: default!(Option<&str>, "NULL"),
) -> MutationRow {
    work(ledger, reason, |session, ledger, reason| {
        hand::give_back(session, ledger, needed_id(mutation_id, "mutation_id")?, Some(reason))
    })
}

/// Takes a mutation out of the books because it is another one that was reported twice.
///
/// * `mutation_id`: a credit in suspense or under review, or an ignored debit.
/// * `original_id`: the mutation that it repeats: same bank account, direction and amount.
/// * `reason`: kept with who did it, and the description of the reversing entry.
///
/// Returns the mutation. Errors: missing_argument, invalid_argument, mutation_not_found,
/// mutation_not_matchable.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn mark_mutation_duplicate(
    mutation_id: Option<pgrx::Uuid>,
    original_id: Option<pgrx::Uuid>,
    reason: Option<&str>,
    ledger: default!(Option<&str>, "NULL"),
) -> MutationRow {
    work(ledger, reason, |session, ledger, reason| {
        let (mutation, original) =
            (needed_id(mutation_id, "mutation_id")?, needed_id(original_id, "original_id")?);
        hand::mark_duplicate(session, ledger, mutation, original, Some(reason))
    })
}
