//! When a group buy is reached, missed, or neither yet.

use crate::error::{Code, LedgerError, Result, invalid};
use crate::time;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open = 1,
    Reached = 2,
    Missed = 3,
}

impl State {
    pub fn from_id(id: i16) -> Self {
        match id {
            1 => State::Open,
            2 => State::Reached,
            _ => State::Missed,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Reached => "reached",
            State::Missed => "missed",
        }
    }
}

/// What a group buy has to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Participants(i32),
    Quantity(i64),
}

impl Target {
    /// Exactly one of the two.
    pub fn new(participants: Option<i32>, quantity: Option<i64>) -> Result<Self> {
        match (participants, quantity) {
            (Some(participants), None) => Ok(Target::Participants(participants)),
            (None, Some(quantity)) => Ok(Target::Quantity(quantity)),
            _ => Err(invalid("target_participants", "be given, or target_quantity, and not both")),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Reached,
    Missed,
    TooEarly,
}

/// What a group buy comes to at a moment. A target that is reached need not wait for the deadline.
pub fn outcome(target: Target, participants: i64, quantity: i64, deadline: i64, now: i64) -> Outcome {
    let is_reached = match target {
        Target::Participants(wanted) => participants >= i64::from(wanted),
        Target::Quantity(wanted) => quantity >= wanted,
    };
    match is_reached {
        true => Outcome::Reached,
        false if now >= deadline => Outcome::Missed,
        false => Outcome::TooEarly,
    }
}

pub fn check_target(target: Target) -> Result<()> {
    let (name, is_positive) = match target {
        Target::Participants(wanted) => ("target_participants", wanted > 0),
        Target::Quantity(wanted) => ("target_quantity", wanted > 0),
    };
    if is_positive { Ok(()) } else { Err(invalid(name, "be above zero")) }
}

/// The reference begins those of the members' escrows: `SAMBATAN-7.1`, `SAMBATAN-7.2`, ….
pub fn check_reference(reference: &str) -> Result<()> {
    let well_formed = (1..=100).contains(&reference.len())
        && reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if well_formed {
        return Ok(());
    }
    Err(invalid("reference", "be 1 to 100 characters of A-Z a-z 0-9 _ . -").with("value", reference))
}

pub fn check_deadline(deadline: i64, now: i64) -> Result<()> {
    if time::finite(deadline, "deadline")? > now {
        return Ok(());
    }
    Err(invalid("deadline", "lie in the future").with("deadline", time::to_text(deadline)))
}

pub fn check_quantity(quantity: i64) -> Result<()> {
    if quantity > 0 { Ok(()) } else { Err(invalid("quantity", "be above zero").with("value", quantity)) }
}

/// May somebody join now?
pub fn check_open(id: Uuid, state: State, deadline: i64, now: i64) -> Result<()> {
    let said = match state {
        State::Open if now < deadline => return Ok(()),
        State::Open => "has passed its deadline",
        State::Reached => "has reached its target and was decided",
        State::Missed => "was missed",
    };
    Err(LedgerError::new(Code::GroupBuyClosed, format!("group buy {id} {said}: nobody can join any more"))
        .with("group_buy_id", id)
        .with("status", state.name())
        .with("deadline", time::to_text(deadline)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reached_before_the_deadline_missed_from_it_on() {
        let ten = Target::Participants(10);
        assert_eq!(outcome(ten, 9, 900, 100, 99), Outcome::TooEarly);
        assert_eq!(outcome(ten, 9, 900, 100, 100), Outcome::Missed);
        assert_eq!(outcome(ten, 10, 10, 100, 1), Outcome::Reached);
        assert_eq!(outcome(ten, 11, 11, 100, 500), Outcome::Reached);
        let hundred = Target::Quantity(100);
        assert_eq!(outcome(hundred, 50, 99, 100, 100), Outcome::Missed);
        assert_eq!(outcome(hundred, 2, 100, 100, 1), Outcome::Reached);
    }

    #[test]
    fn there_is_one_target() {
        assert!(Target::new(None, None).is_err() && Target::new(Some(1), Some(1)).is_err());
        assert!(
            check_target(Target::Participants(0)).is_err() && check_target(Target::Quantity(-1)).is_err()
        );
        assert!(check_target(Target::new(Some(2), None).unwrap()).is_ok());
    }

    #[test]
    fn joining_ends_with_the_deadline_and_with_the_decision() {
        let id = Uuid::nil();
        assert!(check_open(id, State::Open, 100, 99).is_ok());
        for (state, now) in [(State::Open, 100), (State::Reached, 1), (State::Missed, 1)] {
            assert_eq!(check_open(id, state, 100, now).unwrap_err().code, Code::GroupBuyClosed);
        }
        assert!(check_deadline(100, 100).is_err() && check_deadline(101, 100).is_ok());
        assert!(check_quantity(0).is_err() && check_quantity(1).is_ok());
        for reference in ["", "a b", "a:b", "💸", &"r".repeat(101)] {
            assert!(check_reference(reference).is_err());
        }
    }
}
