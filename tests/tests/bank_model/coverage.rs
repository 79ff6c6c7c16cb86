//! What was called how often, and what it came to: a test that never got to a case has not proved it.

use std::collections::BTreeMap;

use super::ops::{Answer, Op};

#[derive(Default)]
pub struct Coverage(BTreeMap<String, usize>);

/// What every run has to come to.
const EVERYTHING: &[&str] = &[
    "create_intent: done",
    "create_intent: account_not_found",
    "create_intent: already_exists",
    "create_intent: amount_not_allowed",
    "create_intent again: done",
    "expire_intents: done",
    "cancel_intent: done",
    "cancel_intent: already_resolved",
    "cancel_intent: intent_expired",
    "submit_payment_proof: done",
    "submit_payment_proof: already_resolved",
    "submit_payment_proof: intent_expired",
    "reject_payment: done",
    "reject_payment: intent_not_pending",
    "verify_payment: done",
    "verify_payment: intent_not_pending",
    "verify_payment: already_resolved",
    "match_mutation_by_hand: done",
    "match_mutation_by_hand: already_resolved",
    "match_mutation_by_hand: mutation_not_matchable",
    "assign_mutation: done",
    "assign_mutation: invalid_argument",
    "assign_mutation: account_not_found",
    "assign_mutation: mutation_not_matchable",
    "return_mutation: done",
    "return_mutation: mutation_not_matchable",
    "mark_mutation_duplicate: done",
    "mark_mutation_duplicate: invalid_argument",
    "mark_mutation_duplicate: mutation_not_matchable",
    "unmatch_mutation: done",
    "unmatch_mutation: it was a duplicate",
    "unmatch_mutation: insufficient_funds",
    "unmatch_mutation: mutation_not_matchable",
    "unmatch_mutation: its order has another intent",
    "receive_webhook again: done",
    "reprocess_webhook: done",
    "match_mutation: done",
    "match_mutation: idempotency_conflict",
    "match_mutation: invalid_amount",
    "match_mutation: bank_account_not_found",
    "post_transfer: done",
    "post_transfer: insufficient_funds",
    "freeze_account: done",
    "set_setting: done",
    "line: matched",
    "line: suspense",
    "line: ignored",
    "line: duplicate matched",
    "line: duplicate suspense",
    "line: duplicate ignored",
    "line: duplicate assigned",
    "line: review resembles_intent",
    "line: review already_paid",
    "line: review intent_cancelled",
    "line: review reissued",
    "line: review posting_refused",
    "line: rejected missing_field",
    "line: rejected invalid_amount",
    "line: rejected before_opening",
    "line: rejected unknown_bank_account",
    "line: rejected conflicting_duplicate",
];

impl Coverage {
    pub fn count(&mut self, op: &Op, answer: &Answer) {
        let came_to = match answer {
            Ok(_) => "done",
            Err(error) => error.token(),
        };
        self.add(format!("{}: {came_to}", op.name()));
        if let (Op::Deliver(_), Ok(line)) = (op, answer) {
            for line in line.json("lines").as_array().into_iter().flatten() {
                let reason = line["reasons"][0].as_str().unwrap_or_default();
                let outcome = line["outcome"].as_str().unwrap_or_default();
                self.add(format!("line: {outcome} {reason}").trim_end().to_owned());
            }
        }
    }

    pub fn add(&mut self, what: String) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn missing(&self) -> Vec<&'static str> {
        EVERYTHING.iter().filter(|name| !self.0.contains_key(**name)).copied().collect()
    }

    /// The same without the refusals: of sessions that race only what they have done is sure.
    pub fn never_done(&self) -> Vec<&'static str> {
        self.missing().into_iter().filter(|name| name.ends_with(": done")).collect()
    }

    pub fn print(&self) {
        for (what, count) in &self.0 {
            println!("{count:6}  {what}");
        }
    }
}
