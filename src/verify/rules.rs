//! The closed list of what the verifier can find.

/// A kind of finding and what it means.
pub struct Definition {
    pub finding: &'static str,
    pub meaning: &'static str,
}

const fn define(finding: &'static str, meaning: &'static str) -> Definition {
    Definition { finding, meaning }
}

/// Most findings that one group of checks reports; more are announced by `more_findings`.
pub const SHOWN_MAX: usize = 1_000;

/// Every finding there is.
#[rustfmt::skip]
pub static ALL: &[Definition] = &[
    define("balance_mismatch", "An account's stored balance is not the sum of its transfers."),
    define("version_mismatch", "An account's stored version is not the number of its postings."),
    define("last_posted_at_mismatch", "An account's time of the last posting is not that of its last transfer."),
    define("version_gap", "A version is missing in an account's history."),
    define("version_repeated", "Two postings of an account have the same version."),
    define("balance_chain_broken", "A transfer's balance does not follow from the one before."),
    define("posting_time_disorder", "A posting is older than the one before it on the same account."),
    define("debits_credits_differ", "The debits of a currency do not equal its credits."),
    define("held_mismatch", "An account's held amount is not the sum of its open holds."),
    define("floor_broken", "An account's available balance is below its floor."),
    define("stripe_root_not_empty", "The root of a striped account has a balance, a hold or a posting of its own."),
    define("stripes_incomplete", "A striped account does not have exactly its stripes."),
    define("stripe_differs", "A stripe has another type, currency or state than its root."),
    define("account_missing", "A transfer's or a hold's account does not exist."),
    define("foreign_account", "A transfer's account belongs to another ledger."),
    define("currency_mismatch", "A transfer's two accounts have different currencies."),
    define("same_account", "A transfer moves money within one account and is no rebalancing of stripes."),
    define("kind_unknown", "A transfer's kind does not exist in its ledger."),
    define("amount_invalid", "A transfer's amount is not positive and finite, or has too many decimals."),
    define("reversal_without_original", "A transfer of kind reversal names nothing that it reverses."),
    define("reversed_transfer_missing", "What a transfer reverses does not exist."),
    define("reversal_misdirected", "A reversal does not move money back the way it came."),
    define("reversal_exceeds_original", "More of a transfer was reversed than it moved."),
    define("reversal_total_mismatch", "A reversal total is not the sum of the reversals, or names another amount."),
    define("hold_transfer_missing", "A captured hold's transfer does not exist."),
    define("hold_transfer_differs", "A captured hold's transfer has another amount, or other accounts, than the hold."),
    define("key_transfer_missing", "An idempotency key's transfer does not exist."),
    define("key_hold_missing", "An idempotency key's hold does not exist."),
    define("key_outcome_invalid", "An idempotency key has no outcome, or more than one."),
    define("suspense_mismatch", "A bank account's suspense account does not have the sum of the mutations that wait there."),
    define("mutation_posting_missing", "A mutation's posting does not exist, does not move its amount, or was reversed by other means."),
    define("intent_payment_differs", "A paid intent and the mutation that paid it do not name each other, or another amount."),
    define("intent_total_shared", "Two live intents of a bank account have the same total."),
    define("live_intent_differs", "A live intent's row in live_intents is missing, is another intent's, or holds something else."),
    define("gateway_payment_mismatch", "What stands in the books of a gateway's payment is not the sum of its mutations."),
    define("escrow_balance_mismatch", "An escrow's account does not have what is held on its lines."),
    define("escrow_sum_mismatch", "An escrow's sums are not those of its lines, or a line's not those of what was done to it."),
    define("escrow_posting_missing", "What was done to an escrow has no posting, or one that moved another amount."),
    define("escrow_dispute_mismatch", "An escrow is disputed without an open dispute, or has one and is not."),
    define("bank_release_mismatch", "What was recorded as sent to a seller's bank has no posting or one of another amount, or is more than its escrow line has paid out."),
    define("subscription_periods_mismatch", "A subscription's paid periods are not one unbroken run up to its present one."),
    define("subscription_posting_missing", "A paid period of a subscription, or what was given back of one, has no posting or one of another amount."),
    define("spending_differs", "What an account is said to have spent in a period is not the sum of its transfers."),
    define("limits_differ", "The limits that stand beside an account's counter are not those that count for it."),
    define("purchase_sum_mismatch", "A purchase's amount or refunds are not those of its lines, or its refunds not what was given back."),
    define("purchase_posting_mismatch", "A purchase, its overdraft or its refund has no posting, or one of another amount; or a refused purchase has one. Also where its transfers were reversed by other means than refund_purchase."),
    define("purchase_party_missing", "A purchase names a member, a merchant or a device that does not exist, or has lines and does not exist itself."),
    define("device_entry_mismatch", "A till's number was decided otherwise than its purchase says, or is beyond its last."),
    define("more_findings", "A group of checks found more than the 1,000 that it shows."),
];

/// The definition of a finding; every name that the SQL yields has one.
pub fn definition(finding: &str) -> Option<&'static Definition> {
    ALL.iter().find(|definition| definition.finding == finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_and_meanings_complete() {
        let names: HashSet<&str> = ALL.iter().map(|definition| definition.finding).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|definition| definition.meaning.ends_with('.')));
    }
}
