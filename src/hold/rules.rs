//! The life of a hold: open, then captured, released or expired, once.

use crate::error::{Code, LedgerError, Result};
use crate::{money, time};
use rust_decimal::Decimal;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open = 1,
    Captured = 2,
    Released = 3,
    Expired = 4,
}

impl State {
    pub fn from_id(id: i16) -> Self {
        match id {
            1 => State::Open,
            2 => State::Captured,
            3 => State::Released,
            _ => State::Expired,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Captured => "captured",
            State::Released => "released",
            State::Expired => "expired",
        }
    }
}

/// What can be done to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Capture,
    Release,
}

/// What the decision needs to know of a hold.
#[derive(Clone, Debug)]
pub struct Hold {
    pub id: Uuid,
    pub state: State,
    pub amount: Decimal,
    pub expires_at: i64,
    pub destination: Option<String>,
}

/// May this be done now? A hold past its expiry cannot be captured, whether or not a job has marked
/// it; releasing it is refused as well, because it is released already.
pub fn check(hold: &Hold, action: Action, now: i64) -> Result<()> {
    let expired = hold.state == State::Expired || (hold.state == State::Open && hold.expires_at <= now);
    match hold.state {
        _ if expired && action == Action::Capture => Err(LedgerError::new(
            Code::HoldExpired,
            format!("hold {} expired at {}", hold.id, time::to_text(hold.expires_at)),
        )
        .with("hold_id", hold.id)
        .with("expires_at", time::to_text(hold.expires_at))),
        State::Open if !expired => Ok(()),
        state => {
            let state = if expired { State::Expired } else { state };
            Err(LedgerError::new(Code::AlreadyResolved, format!("hold {} is {}", hold.id, state.name()))
                .with("hold_id", hold.id)
                .with("status", state.name()))
        }
    }
}

/// The amount that a capture takes: all of the hold by default, never more.
pub fn captured_amount(hold: &Hold, amount: Option<Decimal>, scale: u32, currency: &str) -> Result<Decimal> {
    let amount = match amount {
        Some(amount) => money::to_scale(amount, scale, currency, "amount")?,
        None => hold.amount,
    };
    if amount > hold.amount {
        return Err(LedgerError::new(
            Code::CaptureExceedsHold,
            format!("{amount} is more than the {} that hold {} reserves", hold.amount, hold.id),
        )
        .with("hold_id", hold.id)
        .with("amount", amount)
        .with("held", hold.amount));
    }
    Ok(amount)
}

/// Where the money goes: the hold's destination, or the capture's where the hold named none.
pub fn destination<'a>(hold: &'a Hold, given: Option<&'a str>) -> Result<&'a str> {
    match (hold.destination.as_deref(), given) {
        (Some(fixed), Some(given)) if fixed != given => Err(LedgerError::new(
            Code::DestinationRequired,
            format!("hold {} goes to {fixed}, not to {given}", hold.id),
        )
        .with("hold_id", hold.id)
        .with("destination", fixed)),
        (Some(fixed), _) => Ok(fixed),
        (None, Some(given)) => Ok(given),
        (None, None) => Err(LedgerError::new(
            Code::DestinationRequired,
            format!("hold {} names no destination and the capture neither", hold.id),
        )
        .with("hold_id", hold.id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000;

    fn hold(state: State, expires_at: i64) -> Hold {
        Hold { id: Uuid::nil(), state, amount: Decimal::new(10_000, 2), expires_at, destination: None }
    }

    #[test]
    fn every_state_and_action() {
        use Action::{Capture, Release};
        let cases = [
            (State::Open, NOW + 1, Capture, Ok(())),
            (State::Open, NOW + 1, Release, Ok(())),
            (State::Open, NOW, Capture, Err(Code::HoldExpired)),
            (State::Open, NOW, Release, Err(Code::AlreadyResolved)),
            (State::Expired, NOW, Capture, Err(Code::HoldExpired)),
            (State::Expired, NOW, Release, Err(Code::AlreadyResolved)),
            (State::Captured, NOW + 1, Capture, Err(Code::AlreadyResolved)),
            (State::Captured, NOW + 1, Release, Err(Code::AlreadyResolved)),
            (State::Released, NOW + 1, Capture, Err(Code::AlreadyResolved)),
            (State::Released, NOW + 1, Release, Err(Code::AlreadyResolved)),
        ];
        for (state, expires_at, action, expected) in cases {
            let is = check(&hold(state, expires_at), action, NOW).map_err(|error| error.code);
            assert_eq!(is, expected, "{state:?} {action:?}");
        }
    }

    #[test]
    fn a_capture_takes_at_most_the_hold() {
        let open = hold(State::Open, NOW + 1);
        assert_eq!(captured_amount(&open, None, 2, "IDR").unwrap(), open.amount);
        assert_eq!(captured_amount(&open, Some(Decimal::ONE), 2, "IDR").unwrap().to_string(), "1.00");
        let more = captured_amount(&open, Some(Decimal::new(10_001, 2)), 2, "IDR");
        assert_eq!(more.unwrap_err().code, Code::CaptureExceedsHold);
    }

    #[test]
    fn a_destination_is_named_once() {
        let mut open = hold(State::Open, NOW + 1);
        assert_eq!(destination(&open, Some("b")).unwrap(), "b");
        assert!(destination(&open, None).is_err());
        open.destination = Some("c".to_owned());
        assert_eq!(destination(&open, None).unwrap(), "c");
        assert!(destination(&open, Some("b")).is_err());
    }
}
