//! What reported lines come to, by the table in docs/money-in.md.

use serde_json::{Value, json};

use super::model::{DAY, HOUR, Intent, Life, MINUTE, Model, Mutation, State};
use super::report::{Report, When};

/// What banks charge for a transfer, in sen.
const FEES: [i64; 7] = [2500_00, 2900_00, 3500_00, 4000_00, 5000_00, 6500_00, 7500_00];
/// An intent is near for so long after its window, and so long before it was made.
const NEAR_AFTER: i64 = 31 * DAY;
const NEAR_BEFORE: i64 = HOUR;
const CLOCK_SKEW: i64 = 5 * MINUTE;

#[derive(Clone, Debug)]
pub struct Outcome {
    pub outcome: &'static str,
    pub reasons: Vec<String>,
    pub mutation: Option<usize>,
    pub intent: Option<usize>,
    /// The error, where the line came alone.
    pub error: Option<&'static str>,
}

impl Outcome {
    fn rejected(reason: &str, error: &'static str) -> Outcome {
        let reasons = vec![reason.to_owned()];
        Outcome { outcome: "rejected", reasons, mutation: None, intent: None, error: Some(error) }
    }
}

impl Model {
    /// Takes lines in, one after the other. What a line resembles is told by the intents as the call finds
    /// them; an intent that an earlier line was to pay is taken, also where its account refused the money.
    pub fn take(&mut self, reports: &[Report], now: i64) -> Vec<Outcome> {
        let before: Vec<Life> = self.intents.iter().map(|intent| intent.life(now)).collect();
        let mut claimed: Vec<usize> = Vec::new();
        reports.iter().map(|report| self.take_one(report, &before, &mut claimed, now)).collect()
    }

    fn take_one(&mut self, report: &Report, before: &[Life], claimed: &mut Vec<usize>, now: i64) -> Outcome {
        if let Some(fault) = report.fault {
            let (reason, error) = fault.tokens();
            return Outcome::rejected(reason, error);
        }
        let when = When::of(&report.date);
        if self.banks[report.bank].opened_on.is_some_and(|day| when.day < day) {
            return Outcome::rejected("before_opening", "before_opening");
        }
        if let Some(place) = self.known.get(&(report.bank, report.id.clone())) {
            return self.again(*place, report);
        }
        let original = self.looks_like(report, when);
        let (state, reasons, intent) = if !report.is_credit {
            (State::Ignored, vec![], None)
        } else if original.is_some() {
            (State::Review, vec!["reissued"], None)
        } else {
            self.decide(report, when, before, claimed)
        };
        let reasons: Vec<String> = reasons.into_iter().map(str::to_owned).collect();
        let bank = self.banks[report.bank].account;
        let (suspense, outgoing) = (self.banks[report.bank].suspense(), self.banks[report.bank].outgoing());
        let place = self.add_mutation(Mutation {
            id: String::new(),
            report: report.clone(),
            when,
            state,
            reasons: reasons.clone(),
            intent,
            account: None,
            original,
        });
        match (report.is_credit, intent) {
            (false, _) => {
                self.add(bank, -report.amount);
                self.add(&outgoing, -report.amount);
            }
            (true, None) => {
                self.add(bank, report.amount);
                self.add(&suspense, report.amount);
            }
            (true, Some(intent)) => {
                self.add(bank, report.amount);
                let parts = self.intents[intent].parts(report.amount);
                self.apply(&parts);
                self.pay(intent, place, now);
            }
        }
        Outcome { outcome: state.name(), reasons, mutation: Some(place), intent, error: None }
    }

    /// The same id again: nothing happens, unless it says something else.
    fn again(&self, place: usize, report: &Report) -> Outcome {
        let stored = &self.mutations[place];
        if (stored.report.amount, stored.report.is_credit) != (report.amount, report.is_credit) {
            return Outcome::rejected("conflicting_duplicate", "idempotency_conflict");
        }
        let mut reasons = vec![stored.state.name().to_owned()];
        reasons.extend(stored.reasons.iter().cloned());
        let (mutation, intent) = (Some(place), stored.intent);
        Outcome { outcome: "duplicate", reasons, mutation, intent, error: None }
    }

    /// The first that says exactly the same under another id.
    fn looks_like(&self, report: &Report, when: When) -> Option<usize> {
        self.mutations.iter().position(|other| {
            other.state != State::Duplicate
                && other.report.bank == report.bank
                && other.report.is_credit == report.is_credit
                && other.report.amount == report.amount
                && other.report.words == report.words
                && other.when == when
        })
    }

    fn decide(
        &self,
        report: &Report,
        when: When,
        before: &[Life],
        claimed: &mut Vec<usize>,
    ) -> (State, Vec<&'static str>, Option<usize>) {
        let review = |reasons| (State::Review, reasons, None);
        let in_window = |intent: &Intent| {
            intent.bank == report.bank
                && intent.total == report.amount
                && intent.created - CLOCK_SKEW <= when.until
                && when.from <= intent.accepts
        };
        let found: Vec<usize> =
            (0..self.intents.len()).filter(|place| in_window(&self.intents[*place])).collect();
        let is_paid = |place: &usize| self.intents[*place].written == Life::Paid || claimed.contains(place);
        let payable: Vec<usize> = found
            .iter()
            .copied()
            .filter(|place| !is_paid(place) && self.intents[*place].written.is_payable())
            .collect();
        match payable.as_slice() {
            [place] => {
                claimed.push(*place);
                match self.refused(&self.intents[*place].parts(report.amount)) {
                    Some(error) => review(vec!["posting_refused", error]),
                    None => (State::Matched, vec![], Some(*place)),
                }
            }
            [_, _, ..] => review(vec!["several_intents"]),
            [] if found.iter().any(is_paid) => review(vec!["already_paid"]),
            [] if !found.is_empty() => review(vec!["intent_cancelled"]),
            [] if self.resembles(report, when, before) => review(vec!["resembles_intent"]),
            [] => (State::Suspense, vec![], None),
        }
    }

    /// Whether any intent is near: every reason of the table but the payer's name, which needs another.
    fn resembles(&self, report: &Report, when: When, before: &[Life]) -> bool {
        let words: Vec<&str> = report.words.split_whitespace().collect();
        before.iter().zip(&self.intents).any(|(life, intent)| {
            if intent.bank != report.bank || intent.accepts < when.from - NEAR_AFTER {
                return false;
            }
            let names = |reference: &String| {
                words.iter().any(|word| word == reference || word.to_lowercase() == *reference)
            };
            if life.is_payable() && intent.reference.as_ref().is_some_and(names) {
                return true;
            }
            let code = intent.total - intent.amount;
            if life.is_live() && report.amount == code {
                return true;
            }
            let fee_or_code = || {
                intent.amount == report.amount || FEES.iter().any(|fee| intent.total == report.amount + fee)
            };
            intent.created <= when.until + NEAR_BEFORE
                && (intent.total == report.amount || (life.is_payable() && fee_or_code()))
        })
    }

    pub fn pay(&mut self, intent: usize, mutation: usize, now: i64) {
        let paid = self.mutations[mutation].report.amount;
        let intent = &mut self.intents[intent];
        intent.written = Life::Paid;
        intent.paid_by = Some(mutation);
        intent.paid = paid;
        intent.closed = Some(now);
    }

    /// Compares a line of the answer with what it must be, and learns the id of a new mutation.
    pub fn compare_line(&mut self, expected: &Outcome, line: &Value) -> Result<(), String> {
        let is_new = expected.outcome != "duplicate";
        if let Some(place) = expected.mutation.filter(|_| is_new) {
            let id = line["mutation_id"].as_str().unwrap_or_default().to_owned();
            let is_known = id.is_empty() || self.mutations.iter().any(|other| other.id == id);
            if is_known && self.mutations[place].id != id {
                return Err(format!("a new mutation has the id {id:?}"));
            }
            self.mutations[place].id = id;
        }
        let must = json!({
            "outcome": expected.outcome,
            "reasons": expected.reasons,
            "mutation_id": expected.mutation.map(|place| &self.mutations[place].id),
            "intent_id": expected.intent.map(|place| &self.intents[place].id),
        });
        for (name, value) in must.as_object().expect("an object") {
            if line[name] != *value {
                return Err(format!("{name} is {}, not {value}", line[name]));
            }
        }
        Ok(())
    }
}
