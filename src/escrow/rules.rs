//! The life of an escrow, and how money is divided over its lines.
//!
//! [`MOVES`] is the whole state machine: every state, every action, and what becomes of it. The diagram in
//! `docs/escrow.md` is printed from it.

pub mod line;
pub mod request;
pub mod split;

use crate::error::{Code, LedgerError, Result};
use line::{Line, Split};
use rust_decimal::Decimal;
use split::Units;
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The money is there.
    Held = 1,
    /// The goods are on their way; the clock runs.
    Shipped = 2,
    /// The parties disagree; nothing moves until it is decided.
    Disputed = 3,
    /// Nothing is held any more; some of it was paid out.
    Released = 4,
    /// Nothing is held any more; the buyer has all of it back.
    Refunded = 5,
}

impl State {
    pub const ALL: [State; 5] =
        [State::Held, State::Shipped, State::Disputed, State::Released, State::Refunded];

    pub fn from_id(id: i16) -> Self {
        *Self::ALL.get((id - 1) as usize).unwrap_or(&State::Refunded)
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Held => "held",
            State::Shipped => "shipped",
            State::Disputed => "disputed",
            State::Released => "released",
            State::Refunded => "refunded",
        }
    }
}

/// What can be done to an escrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    MarkShipped,
    ConfirmReceipt,
    Release,
    Refund,
    OpenDispute,
    ResolveDispute,
}

impl Action {
    #[cfg(test)]
    pub const ALL: [Action; 6] = [
        Action::MarkShipped,
        Action::ConfirmReceipt,
        Action::Release,
        Action::Refund,
        Action::OpenDispute,
        Action::ResolveDispute,
    ];

    /// The function that does it.
    pub fn name(self) -> &'static str {
        match self {
            Action::MarkShipped => "mark_shipped",
            Action::ConfirmReceipt => "confirm_receipt",
            Action::Release => "release_escrow",
            Action::Refund => "refund_escrow",
            Action::OpenDispute => "open_dispute",
            Action::ResolveDispute => "resolve_dispute",
        }
    }
}

/// What an action comes to in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The escrow is in this state afterwards.
    To(State),
    /// Money moves. The state stays where some is still held; where none is, it is released, or refunded
    /// if the buyer has got all of it.
    Pay,
    Refused(Code),
}

/// One column per action, in the order of [`Action::ALL`].
#[rustfmt::skip]
pub const MOVES: [(State, [Move; 6]); 5] = {
    use Move::{Pay, Refused, To};
    const CLOSED: Move = Refused(Code::EscrowClosed);
    const DISPUTED: Move = Refused(Code::EscrowDisputed);
    const NO_DISPUTE: Move = Refused(Code::AlreadyResolved);
    [
        (State::Held,     [To(State::Shipped),            Pay,      Pay,      Pay,      To(State::Disputed), NO_DISPUTE]),
        (State::Shipped,  [Refused(Code::AlreadyShipped), Pay,      Pay,      Pay,      To(State::Disputed), NO_DISPUTE]),
        (State::Disputed, [DISPUTED,                      DISPUTED, DISPUTED, DISPUTED, DISPUTED,            Pay]),
        (State::Released, [CLOSED,                        CLOSED,   CLOSED,   Pay,      CLOSED,              NO_DISPUTE]),
        (State::Refunded, [CLOSED,                        CLOSED,   CLOSED,   CLOSED,   CLOSED,              NO_DISPUTE]),
    ]
};

/// What an action comes to in a state.
pub fn step(state: State, action: Action) -> Move {
    MOVES[state as usize - 1].1[action as usize]
}

/// May this be done to an escrow in this state?
pub fn check(escrow_id: Uuid, state: State, action: Action) -> Result<Move> {
    let Move::Refused(code) = step(state, action) else { return Ok(step(state, action)) };
    let message = match code {
        Code::EscrowDisputed => format!("escrow {escrow_id} is disputed: nothing moves until it is decided"),
        Code::AlreadyShipped => format!("escrow {escrow_id} was marked as shipped before"),
        Code::AlreadyResolved => format!("escrow {escrow_id} has no open dispute"),
        _ => format!("escrow {escrow_id} is {}: nothing is held any more", state.name()),
    };
    Err(LedgerError::new(code, message)
        .with("escrow_id", escrow_id)
        .with("status", state.name())
        .with("action", action.name()))
}

/// The state after money has moved.
pub fn state_after(state: State, lines: &[Line]) -> State {
    let sum = |of: fn(&Line) -> Units| lines.iter().map(of).sum::<Units>();
    match state {
        _ if sum(Line::held) == 0 && sum(Line::returnable) == 0 => State::Refunded,
        _ if sum(Line::held) == 0 => State::Released,
        state => state,
    }
}

/// An amount in the smallest units of its currency. Amounts are above zero and have the currency's scale.
pub fn units(amount: Decimal) -> Units {
    amount.mantissa().unsigned_abs()
}

/// The inverse of [`units`]. Sums of parts of one amount always fit.
pub fn amount(units: Units, scale: u32) -> Decimal {
    Decimal::from_i128_with_scale(units as i128, scale)
}

/// Which lines an action is about: all of them, or the one with this number.
pub fn chosen(lines: &[Line], number: Option<i32>) -> Result<Vec<usize>> {
    let Some(number) = number else { return Ok((0..lines.len()).collect()) };
    match usize::try_from(number) {
        Ok(number @ 1..) if number <= lines.len() => Ok(vec![number - 1]),
        _ => {
            Err(crate::error::invalid("line", &format!("be between 1 and {}", lines.len()))
                .with("value", number))
        }
    }
}

/// Divides a total over the chosen lines in proportion to what `room` says each has. The other lines get
/// nothing.
fn divide(lines: &[Line], chosen: &[usize], total: Units, room: fn(&Line) -> Units) -> Vec<Units> {
    let weights: Vec<Units> = chosen.iter().map(|index| room(&lines[*index])).collect();
    let mut parts = vec![0; lines.len()];
    for (index, part) in chosen.iter().zip(split::proportional(total, &weights)) {
        parts[*index] = part;
    }
    parts
}

/// How a release is split over the lines: all that is held on them, or a part of it.
pub fn release(
    lines: &[Line],
    chosen: &[usize],
    amount: Option<Units>,
) -> std::result::Result<Vec<Split>, Units> {
    let held: Units = chosen.iter().map(|index| lines[*index].held()).sum();
    let total = amount.unwrap_or(held);
    if total > held || total == 0 {
        return Err(held);
    }
    let parts = divide(lines, chosen, total, Line::held);
    Ok(lines.iter().zip(parts).map(|(line, part)| line.release(part)).collect())
}

/// How a refund is split over the lines: first from what is held, then from what was paid out.
pub fn refund(
    lines: &[Line],
    chosen: &[usize],
    amount: Option<Units>,
) -> std::result::Result<Vec<Split>, Units> {
    let sum = |room: fn(&Line) -> Units| chosen.iter().map(|index| room(&lines[*index])).sum::<Units>();
    let (held, returnable) = (sum(Line::held), sum(Line::returnable));
    let total = amount.unwrap_or(held + returnable);
    if total > held + returnable || total == 0 {
        return Err(held + returnable);
    }
    let from_held = divide(lines, chosen, total.min(held), Line::held);
    let from_paid = divide(lines, chosen, total - total.min(held), Line::returnable);
    let parts = lines.iter().zip(from_held.into_iter().zip(from_paid));
    Ok(parts.map(|(line, (held, paid))| Split { refunded: held, ..line.give_back(paid) }).collect())
}

/// How a dispute's decision is split over the lines: this much to the buyer, the rest to the sellers.
pub fn decide(lines: &[Line], refund: Units) -> std::result::Result<Vec<Split>, Units> {
    let all: Vec<usize> = (0..lines.len()).collect();
    let held: Units = lines.iter().map(Line::held).sum();
    if refund > held {
        return Err(held);
    }
    let parts = divide(lines, &all, refund, Line::held);
    Ok(lines
        .iter()
        .zip(parts)
        .map(|(line, part)| Split { refunded: part, ..line.release(line.held() - part) })
        .collect())
}

/// How much of what each beneficiary has to give back the platform pays: what they have goes to their lines in
/// order, and what is missing is advanced. `has` says what an account can spend.
pub fn advance<'a>(splits: &mut [Split], beneficiaries: &[&'a str], mut has: impl FnMut(&'a str) -> Units) {
    let mut left: HashMap<&str, Units> = HashMap::new();
    for (split, beneficiary) in splits.iter_mut().zip(beneficiaries) {
        let left = left.entry(beneficiary).or_insert_with(|| has(beneficiary));
        let own = split.returned_net().min(*left);
        *left -= own;
        split.advanced = split.returned_net() - own;
    }
}

/// What may be sent to a beneficiary's bank: at most what the line has earned and was neither given back nor
/// sent before; NULL is all of it. Otherwise the error is what is left.
pub fn to_send(line: &Line, sent: Units, wanted: Option<Units>) -> std::result::Result<Units, Units> {
    let left = line.earned().saturating_sub(sent);
    match wanted.unwrap_or(left) {
        0 => Err(left),
        wanted if wanted > left => Err(left),
        wanted => Ok(wanted),
    }
}

#[cfg(test)]
mod diagram;
#[cfg(test)]
#[path = "rules/tests.rs"]
mod tests;
