//! What escrows must come to, reckoned apart from the extension: whole smallest units, and the words of the
//! documentation put into arithmetic once more.

use std::collections::BTreeMap;

/// Smallest units.
pub type Units = i128;

const MILLION: Units = 1_000_000;

#[derive(Clone, Debug)]
pub struct Line {
    pub beneficiary: String,
    pub fee_account: Option<String>,
    /// Millionths.
    pub rate: Units,
    pub amount: Units,
    pub released: Units,
    pub fee: Units,
    pub refunded: Units,
    pub returned: Units,
    pub returned_fee: Units,
    pub advanced: Units,
    /// Whether anything was released after the first return: then the parts' proportions have shifted.
    pub mixed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Held,
    Shipped,
    Disputed,
    Released,
    Refunded,
}

impl State {
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

#[derive(Clone, Debug)]
pub enum Action {
    Ship,
    Confirm,
    Release { amount: Option<Units>, line: Option<usize> },
    Refund { amount: Option<Units>, line: Option<usize>, advance: bool },
    Dispute,
    Resolve { refund: Units },
}

#[derive(Clone, Debug)]
pub struct Escrow {
    pub account: String,
    pub buyer: String,
    pub state: State,
    pub lines: Vec<Line>,
}

/// Every account's balance on its normal side.
pub type Books = BTreeMap<String, Units>;

pub fn of(books: &Books, account: &str) -> Units {
    books.get(account).copied().unwrap_or(0)
}

pub fn add(books: &mut Books, account: &str, sum: Units) {
    *books.entry(account.to_owned()).or_default() += sum;
}

impl Line {
    pub fn held(&self) -> Units {
        self.amount - self.released - self.refunded
    }

    pub fn returnable(&self) -> Units {
        self.released - self.returned
    }
}

/// Parts of `total` in proportion to `weights`: each rounded down, the units that are left over to the largest
/// fractions, to the earlier of equal ones.
fn largest_remainder(total: Units, weights: &[Units]) -> Vec<Units> {
    let sum: Units = weights.iter().sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let mut parts: Vec<Units> = weights.iter().map(|weight| total * weight / sum).collect();
    let mut left = total - parts.iter().sum::<Units>();
    let mut open: Vec<bool> = vec![true; parts.len()];
    while left > 0 {
        let mut best: Option<usize> = None;
        for place in (0..parts.len()).filter(|place| open[*place]) {
            let fraction = |place: usize| total * weights[place] % sum;
            if best.is_none_or(|best| fraction(place) > fraction(best)) {
                best = Some(place);
            }
        }
        let best = best.expect("fewer units are left than there are parts");
        parts[best] += 1;
        open[best] = false;
        left -= 1;
    }
    parts
}

/// The rate's share of what was released, to the nearest unit, half a unit to the beneficiary: the smallest
/// whole number that is not more than half a unit below it.
fn fee(released: Units, rate: Units) -> Units {
    (2 * released * rate - MILLION + 2 * MILLION - 1).div_euclid(2 * MILLION)
}

impl Escrow {
    fn sum(&self, of: fn(&Line) -> Units) -> Units {
        self.lines.iter().map(of).sum()
    }

    /// The error that a state alone gives.
    fn refusal(&self, action: &Action) -> Option<&'static str> {
        match (self.state, action) {
            (State::Disputed, Action::Resolve { .. }) => None,
            (_, Action::Resolve { .. }) => Some("already_resolved"),
            (State::Disputed, _) => Some("escrow_disputed"),
            (State::Released, Action::Refund { .. }) => None,
            (State::Released | State::Refunded, _) => Some("escrow_closed"),
            (State::Shipped, Action::Ship) => Some("already_shipped"),
            _ => None,
        }
    }

    /// What the action makes of the escrow and the books, or the error; then nothing has changed.
    pub fn act(&mut self, books: &mut Books, action: &Action) -> Result<(), &'static str> {
        if let Some(error) = self.refusal(action) {
            return Err(error);
        }
        let (mut escrow, mut after) = (self.clone(), books.clone());
        match *action {
            Action::Ship => escrow.state = State::Shipped,
            Action::Dispute => escrow.state = State::Disputed,
            Action::Confirm => escrow.release(&mut after, None, None)?,
            Action::Release { amount, line } => escrow.release(&mut after, amount, line)?,
            Action::Refund { amount, line, advance } => escrow.refund(&mut after, amount, line, advance)?,
            Action::Resolve { refund } => escrow.resolve(&mut after, refund)?,
        }
        if escrow.sum(Line::held) == 0 {
            let kept = escrow.sum(Line::returnable);
            escrow.state = if kept == 0 { State::Refunded } else { State::Released };
        }
        (*self, *books) = (escrow, after);
        Ok(())
    }

    /// What each line has to do with it: all of it, or only the line that was named.
    fn weights(&self, line: Option<usize>, room: fn(&Line) -> Units) -> Vec<Units> {
        let weight =
            |(place, it): (usize, &Line)| if line.is_none_or(|line| line == place) { room(it) } else { 0 };
        self.lines.iter().enumerate().map(weight).collect()
    }

    fn release(
        &mut self,
        books: &mut Books,
        amount: Option<Units>,
        line: Option<usize>,
    ) -> Result<(), &'static str> {
        let weights = self.weights(line, Line::held);
        let held = weights.iter().sum();
        let amount = amount.unwrap_or(held);
        if amount == 0 || amount > held {
            return Err("release_exceeds_escrow");
        }
        for (place, part) in largest_remainder(amount, &weights).into_iter().enumerate() {
            self.pay(books, place, part);
        }
        Ok(())
    }

    fn pay(&mut self, books: &mut Books, place: usize, part: Units) {
        let line = &mut self.lines[place];
        line.mixed |= part > 0 && line.returned > 0;
        line.released += part;
        let cost = fee(line.released, line.rate) - line.fee;
        line.fee += cost;
        add(books, &self.account, -part);
        add(books, &line.beneficiary, part - cost);
        if let Some(account) = &line.fee_account {
            add(books, account, cost);
        }
    }

    fn give(&mut self, books: &mut Books, place: usize, part: Units) {
        self.lines[place].refunded += part;
        add(books, &self.account, -part);
        add(books, &self.buyer, part);
    }

    fn refund(
        &mut self,
        books: &mut Books,
        amount: Option<Units>,
        line: Option<usize>,
        advance: bool,
    ) -> Result<(), &'static str> {
        let (held, paid) = (self.weights(line, Line::held), self.weights(line, Line::returnable));
        let (held_sum, paid_sum) = (held.iter().sum::<Units>(), paid.iter().sum::<Units>());
        let amount = amount.unwrap_or(held_sum + paid_sum);
        if amount == 0 || amount > held_sum + paid_sum {
            return Err("refund_exceeds_payment");
        }
        let first = amount.min(held_sum);
        for (place, part) in largest_remainder(first, &held).into_iter().enumerate() {
            self.give(books, place, part);
        }
        for (place, part) in largest_remainder(amount - first, &paid).into_iter().enumerate() {
            self.take_back(books, place, part, advance)?;
        }
        Ok(())
    }

    /// All that was returned so far carries its part of the fee, rounded down; nobody gives more than they got.
    fn take_back(
        &mut self,
        books: &mut Books,
        place: usize,
        part: Units,
        advance: bool,
    ) -> Result<(), &'static str> {
        let line = &mut self.lines[place];
        if part == 0 {
            return Ok(());
        }
        let returned = line.returned + part;
        let least = line.returned_fee.max(returned - (line.released - line.fee));
        let most = line.fee.min(line.returned_fee + part);
        let returned_fee = (line.fee * returned / line.released).clamp(least, most);
        let fee = returned_fee - line.returned_fee;
        let net = part - fee;
        let missing = (net - of(books, &line.beneficiary)).max(0);
        if missing > 0 && !advance {
            return Err("insufficient_funds");
        }
        (line.returned, line.returned_fee) = (returned, returned_fee);
        line.advanced += missing;
        add(books, &line.beneficiary, missing - net);
        add(books, &format!("receivables:{}", line.beneficiary), missing);
        if let Some(account) = &line.fee_account {
            add(books, account, -fee);
        }
        add(books, &self.buyer, part);
        Ok(())
    }

    fn resolve(&mut self, books: &mut Books, refund: Units) -> Result<(), &'static str> {
        let held = self.weights(None, Line::held);
        if refund > held.iter().sum() {
            return Err("refund_exceeds_payment");
        }
        for (place, part) in largest_remainder(refund, &held).into_iter().enumerate() {
            self.give(books, place, part);
            self.pay(books, place, held[place] - part);
        }
        Ok(())
    }

    /// What must hold whatever has happened.
    pub fn check(&self, books: &Books) {
        assert_eq!(of(books, &self.account), self.sum(Line::held), "{self:?}");
        for line in &self.lines {
            assert!(line.held() >= 0 && line.returnable() >= 0, "{line:?}");
            assert!((0..=line.released).contains(&line.fee), "{line:?}");
            // The fee is the rate's share of what was released, within half a unit.
            assert!((2 * (line.fee * MILLION - line.rate * line.released)).abs() <= MILLION, "{line:?}");
            assert!((0..=line.fee).contains(&line.returned_fee), "{line:?}");
            let (got, gave) = (line.released - line.fee, line.returned - line.returned_fee);
            assert!(gave <= got, "{line:?}");
            // What goes back is split as what was paid, within a unit.
            let apart = (line.returned_fee * line.released - line.fee * line.returned).abs();
            assert!(line.mixed || apart <= line.released, "{line:?}");
            if line.returnable() == 0 {
                assert_eq!(line.returned_fee, line.fee, "{line:?}");
            }
        }
    }
}
