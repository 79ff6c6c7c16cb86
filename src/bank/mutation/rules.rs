//! What a mutation comes to: the decision, and what people may do to it afterwards.
//!
//! | a credit whose total … | comes to |
//! |---|---|
//! | is that of exactly one live intent, dated in its window | matched: the intent is paid |
//! | was paid before, or is that of a cancelled intent | review |
//! | is that of several live intents | review: a person decides |
//! | repeats another mutation of the same source, under a new id | review |
//! | could not be posted to where it belongs (frozen, over a ceiling) | review |
//! | resembles an intent without being it | review, with scored suggestions |
//! | is nobody's | suspense |
//!
//! A debit is ignored by the matching and stored for the proof.

pub mod same;

use crate::bank::intent::rules::{self as intent, State as IntentState};
use crate::bank::rules::Direction;
use crate::error::{Code, LedgerError, Result};
use rust_decimal::Decimal;
use uuid::Uuid;

/// How far a bank's clock may be behind ours: a transfer dated this much before its intent still counts.
pub const CLOCK_SKEW_MICROS: i64 = 5 * 60 * 1_000_000;

/// Stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Matched = 1,
    Suspense = 2,
    Review = 3,
    Ignored = 4,
    Assigned = 5,
    Returned = 6,
    Duplicate = 7,
}

impl State {
    pub fn from_id(id: i16) -> Self {
        match id {
            1 => State::Matched,
            2 => State::Suspense,
            3 => State::Review,
            4 => State::Ignored,
            5 => State::Assigned,
            6 => State::Returned,
            _ => State::Duplicate,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Matched => "matched",
            State::Suspense => "suspense",
            State::Review => "review",
            State::Ignored => "ignored",
            State::Assigned => "assigned",
            State::Returned => "returned",
            State::Duplicate => "duplicate",
        }
    }
}

/// Where a mutation was reported. Stored: append only; 1 to 4 are the providers of webhooks. Statements begin
/// here, each format with a number of its own: two formats give one line different ids, so their lines are
/// compared as those of two sources.
pub const SOURCE_STATEMENT: i16 = 10;

pub fn is_statement(source_id: i16) -> bool {
    source_id >= SOURCE_STATEMENT
}

/// What the decision needs to know of an intent that the mutation could pay: one with its total in whose
/// window it lies, or one with the number that it names.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub intent_id: Uuid,
    /// As stored: the window, not the clock, decides about an expired one.
    pub state: IntentState,
    /// Known by its number: of a bank account's intents with it, one at most is live.
    pub by_number: bool,
    /// The number is right and the amount is not.
    pub wrong_amount: bool,
    /// The number is right and the window is over.
    pub late: bool,
}

/// What a mutation comes to. Reasons are tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The place of the intent among the candidates.
    Match(usize),
    Suspense,
    Review(Vec<&'static str>),
    Ignored,
}

impl Decision {
    /// The state that a decision is stored as.
    pub fn state(&self) -> State {
        match self {
            Decision::Match(_) => State::Matched,
            Decision::Suspense => State::Suspense,
            Decision::Review(_) => State::Review,
            Decision::Ignored => State::Ignored,
        }
    }
}

/// Decides about one new mutation. `claimed` says which intents an earlier mutation of the same call has
/// paid. `reissue` is whether another mutation of the source looks exactly the same.
pub fn decide(
    direction: Direction,
    candidates: &[Candidate],
    claimed: impl Fn(Uuid) -> bool,
    reissue: bool,
) -> Decision {
    if direction == Direction::Debit {
        return Decision::Ignored;
    }
    if reissue {
        return Decision::Review(vec!["reissued"]);
    }
    let is_paid =
        |candidate: &Candidate| candidate.state == IntentState::Paid || claimed(candidate.intent_id);
    let is_payable = |candidate: &&Candidate| {
        !is_paid(candidate)
            && !candidate.wrong_amount
            && !candidate.late
            && intent::check(candidate.intent_id, candidate.state, intent::Action::Pay).is_ok()
    };
    let payable: Vec<(usize, &Candidate)> =
        candidates.iter().enumerate().filter(|(_, candidate)| is_payable(candidate)).collect();
    match payable.as_slice() {
        [(place, _)] => Decision::Match(*place),
        [_, _, ..] => {
            live_by_number(&payable).map_or(Decision::Review(vec!["several_intents"]), Decision::Match)
        }
        [] if candidates.iter().any(is_paid) => Decision::Review(vec!["already_paid"]),
        [] if candidates.iter().any(|candidate| candidate.wrong_amount) => {
            Decision::Review(vec!["wrong_amount"])
        }
        [] if candidates.iter().any(|candidate| candidate.late) => Decision::Review(vec!["late"]),
        [] if !candidates.is_empty() => Decision::Review(vec!["intent_cancelled"]),
        [] => Decision::Suspense,
    }
}

/// A customer's virtual account number is that of one intent after another: the live one comes before
/// those that have expired.
fn live_by_number(payable: &[(usize, &Candidate)]) -> Option<usize> {
    let mut live = payable
        .iter()
        .filter(|(_, candidate)| candidate.by_number && candidate.state != IntentState::Expired);
    match (live.next(), live.next()) {
        (Some((place, _)), None) => Some(*place),
        _ => None,
    }
}

/// Whether a gateway took back what it had paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    No,
    /// A credit, of which debits have taken something back.
    ByOthers,
    /// A debit that took back something of a credit.
    IsOne,
}

/// What people can do to a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    MatchByHand,
    Assign,
    Return,
    MarkDuplicate,
    Unmatch,
}

/// May this be done to a mutation in this state? Money that waits (in suspense or under review) can go
/// anywhere; money that went somewhere, or out of the books, comes back by unmatching first.
pub fn check(mutation_id: Uuid, direction: Direction, state: State, action: Action) -> Result<()> {
    let waits = matches!(state, State::Suspense | State::Review);
    let allowed = match action {
        Action::MatchByHand | Action::Return => waits,
        Action::Assign | Action::MarkDuplicate => waits || state == State::Ignored,
        Action::Unmatch => {
            matches!(state, State::Matched | State::Assigned | State::Returned | State::Duplicate)
        }
    };
    if allowed {
        return Ok(());
    }
    Err(LedgerError::new(
        Code::MutationNotMatchable,
        format!("mutation {mutation_id} is a {} and {}", direction.name(), state.name()),
    )
    .with("mutation_id", mutation_id)
    .with("direction", direction.name())
    .with("status", state.name()))
}

/// May this be done to a mutation of which a gateway took something back? With what it left, everything may,
/// except to call the whole a repetition; the debit that took it back is nobody's to assign.
pub fn check_taken_back(
    mutation_id: Uuid,
    taken_back: TakenBack,
    left: Decimal,
    action: Action,
) -> Result<()> {
    let allowed = match taken_back {
        TakenBack::No => true,
        TakenBack::ByOthers => left > Decimal::ZERO && action != Action::MarkDuplicate,
        TakenBack::IsOne => false,
    };
    if allowed {
        return Ok(());
    }
    let what = match taken_back {
        TakenBack::IsOne => "takes back what a gateway had paid",
        _ => "was taken back by the gateway",
    };
    Err(LedgerError::new(Code::MutationNotMatchable, format!("mutation {mutation_id} {what}"))
        .with("mutation_id", mutation_id)
        .with("left", left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_is_not_there_to_be_given() {
        use Action::{Assign, MarkDuplicate, MatchByHand, Return, Unmatch};
        for action in [Assign, MarkDuplicate, MatchByHand, Return, Unmatch] {
            for (taken_back, left, expected) in [
                (TakenBack::No, Decimal::ONE, true),
                (TakenBack::ByOthers, Decimal::ONE, action != MarkDuplicate),
                (TakenBack::ByOthers, Decimal::ZERO, false),
                (TakenBack::IsOne, Decimal::ONE, false),
            ] {
                let is = check_taken_back(Uuid::nil(), taken_back, left, action).is_ok();
                assert_eq!(is, expected, "{taken_back:?} {left} {action:?}");
            }
        }
    }

    fn candidate(id: u128, state: IntentState) -> Candidate {
        Candidate {
            intent_id: Uuid::from_u128(id),
            state,
            by_number: false,
            wrong_amount: false,
            late: false,
        }
    }

    fn decided(candidates: &[Candidate]) -> Decision {
        decide(Direction::Credit, candidates, |_| false, false)
    }

    #[test]
    fn exactly_one_live_intent_is_a_match() {
        use IntentState::{Cancelled, Expired, Open, Paid, PendingVerification, Rejected};
        for state in [Open, PendingVerification, Rejected, Expired] {
            assert_eq!(decided(&[candidate(1, state)]), Decision::Match(0));
            let others = [candidate(2, Paid), candidate(1, state), candidate(3, Cancelled)];
            assert_eq!(decided(&others), Decision::Match(1), "{state:?}");
        }
    }

    #[test]
    fn everything_else_is_a_persons_to_decide() {
        use IntentState::{Cancelled, Expired, Open, Paid};
        let review = |reason| Decision::Review(vec![reason]);
        assert_eq!(decided(&[candidate(1, Open), candidate(2, Open)]), review("several_intents"));
        assert_eq!(decided(&[candidate(1, Paid), candidate(2, Cancelled)]), review("already_paid"));
        assert_eq!(decided(&[candidate(2, Cancelled)]), review("intent_cancelled"));
        assert_eq!(decided(&[]), Decision::Suspense);
        let wrong = Candidate { wrong_amount: true, ..candidate(1, Open) };
        let late = Candidate { late: true, ..candidate(2, Open) };
        assert_eq!(decided(&[wrong]), review("wrong_amount"));
        assert_eq!(decided(&[late]), review("late"));
        assert_eq!(decided(&[wrong, late, candidate(3, Open)]), Decision::Match(2));
        let by_number = |id, state| Candidate { by_number: true, ..candidate(id, state) };
        assert_eq!(decided(&[by_number(1, Expired), by_number(2, Open)]), Decision::Match(1));
        assert_eq!(decided(&[by_number(1, Expired), by_number(2, Expired)]), review("several_intents"));
        assert_eq!(decided(&[candidate(1, Expired), candidate(2, Open)]), review("several_intents"));
        let one = [candidate(1, Open)];
        assert_eq!(decide(Direction::Credit, &one, |_| true, false), review("already_paid"));
        assert_eq!(decide(Direction::Credit, &one, |_| false, true), review("reissued"));
        assert_eq!(decide(Direction::Debit, &one, |_| false, true), Decision::Ignored);
    }

    #[test]
    fn every_state_and_action() {
        use Action::{Assign, MarkDuplicate, MatchByHand, Return, Unmatch};
        let states = [1, 2, 3, 4, 5, 6, 7].map(State::from_id);
        for (action, yes) in [
            (MatchByHand, [false, true, true, false, false, false, false]),
            (Return, [false, true, true, false, false, false, false]),
            (Assign, [false, true, true, true, false, false, false]),
            (MarkDuplicate, [false, true, true, true, false, false, false]),
            (Unmatch, [true, false, false, false, true, true, true]),
        ] {
            for (state, expected) in states.into_iter().zip(yes) {
                let is = check(Uuid::nil(), Direction::Credit, state, action).is_ok();
                assert_eq!(is, expected, "{state:?} {action:?}");
            }
        }
    }
}
