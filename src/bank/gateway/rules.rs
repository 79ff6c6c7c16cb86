//! What a gateway payment is worth: a function of the set of facts that were ever reported about it.
//!
//! Notices come late, twice and in any order. So nothing here depends on which fact came first: facts are
//! collected, the position is computed from all of them, and what the books still lack is posted. Only the
//! gross amount is told once: the first that is known stays, another one is flagged for a person.

pub mod choice;
mod stored;

use crate::bank::rules::{Cause, Ending, Fact};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Where a payment stands. Ids are stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Pending = 1,
    Challenged = 2,
    Settled = 3,
    PartlyReversed = 4,
    Reversed = 5,
    Denied = 6,
    Cancelled = 7,
    Expired = 8,
    Failed = 9,
}

/// Why money went back, as a step says it.
const REFUND: &str = "refund";
const CHARGEBACK: &str = "chargeback";

/// The facts that are known of one payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payment {
    gross: Option<Decimal>,
    amount_conflict: bool,
    pending: bool,
    challenged: bool,
    settled: bool,
    ending: Option<Ending>,
    refunds: Reversals,
    chargebacks: Reversals,
}

/// Money that went back for one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reversals {
    /// The largest amount that came with each id.
    by_id: BTreeMap<String, Decimal>,
    /// The largest amount that came without one: it is a sum so far.
    running: Decimal,
    /// It was reported without any amount, which means the whole payment.
    is_whole: bool,
}

/// What a payment is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub state: State,
    /// Zero or the gross amount.
    pub credited: Decimal,
    /// At most `credited`.
    pub reversed: Decimal,
    /// What went back for each cause, if it were alone, and how the payment ended: they name the causes
    /// of steps and move nothing themselves.
    pub refunded: Decimal,
    pub charged_back: Decimal,
    pub ending: Option<Ending>,
}

/// Something that has to be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Credit(Decimal),
    /// The amount and its cause: `refund`, `chargeback`, or the state in which the payment ended.
    Reverse(Decimal, &'static str),
}

impl State {
    #[cfg(test)]
    pub const ALL: [State; 9] = [
        State::Pending,
        State::Challenged,
        State::Settled,
        State::PartlyReversed,
        State::Reversed,
        State::Denied,
        State::Cancelled,
        State::Expired,
        State::Failed,
    ];

    #[cfg(test)]
    pub fn from_id(id: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as i16 == id)
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Challenged => "challenged",
            State::Settled => "settled",
            State::PartlyReversed => "partly_reversed",
            State::Reversed => "reversed",
            State::Denied => "denied",
            State::Cancelled => "cancelled",
            State::Expired => "expired",
            State::Failed => "failed",
        }
    }
}

impl From<Ending> for State {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Expired => State::Expired,
            Ending::Cancelled => State::Cancelled,
            Ending::Failed => State::Failed,
            Ending::Denied => State::Denied,
        }
    }
}

impl Payment {
    /// A payment of which nothing was reported yet; its worth, where the bill or the notice says it.
    pub fn new(gross: Option<Decimal>) -> Self {
        Self { gross: gross.map(|gross| gross.normalize()), ..Self::default() }
    }

    /// What another notice says that the payment is worth. The first that is known stays.
    pub fn merge_gross(&mut self, gross: Decimal) {
        match self.gross {
            None => self.gross = Some(gross.normalize()),
            Some(known) => self.amount_conflict |= known != gross,
        }
    }

    pub fn gross(&self) -> Option<Decimal> {
        self.gross
    }

    /// Whether notices disagree about the gross amount.
    pub fn amount_conflict(&self) -> bool {
        self.amount_conflict
    }

    /// Adds one fact. Its amount must have no more decimals than the currency.
    pub fn merge(&mut self, fact: &Fact) {
        match fact {
            Fact::Pending => self.pending = true,
            Fact::Challenged => self.challenged = true,
            Fact::Settled => self.settled = true,
            // `Ending` is in order of strength.
            Fact::Ended(ending) => self.ending = self.ending.max(Some(*ending)),
            Fact::Reversed { cause, id, amount } => match cause {
                Cause::Refund => self.refunds.merge(id.as_deref(), *amount),
                Cause::Chargeback => self.chargebacks.merge(id.as_deref(), *amount),
            },
        }
    }

    pub fn merge_all<'a>(&mut self, facts: impl IntoIterator<Item = &'a Fact>) {
        facts.into_iter().for_each(|fact| self.merge(fact));
    }

    /// What the payment is worth by all that is known. Without a gross amount nothing can be credited.
    pub fn position(&self) -> Position {
        let gross = self.gross.unwrap_or_default();
        let nothing = Position { state: self.state_without_money(), ending: self.ending, ..Position::none() };
        if !self.settled || gross <= Decimal::ZERO {
            return nothing;
        }
        let (refunded, charged_back) = (self.refunds.total(gross), self.chargebacks.total(gross));
        let reversed = if self.ending.is_some() { gross } else { self.reversed(gross) };
        let state = if reversed.is_zero() {
            State::Settled
        } else if reversed < gross {
            State::PartlyReversed
        } else {
            State::Reversed
        };
        Position { state, credited: gross, reversed, refunded, charged_back, ..nothing }
    }

    /// What went back for both causes together. A gateway gives refunds and chargebacks ids of one series,
    /// and a chargeback's notice may list what was refunded before: the same id is the same money. What
    /// came without an id adds to what the other cause has. Every part only grows with what is known.
    fn reversed(&self, gross: Decimal) -> Decimal {
        let (refunds, chargebacks) = (&self.refunds, &self.chargebacks);
        if refunds.is_whole || chargebacks.is_whole {
            return gross;
        }
        let mut ids = refunds.by_id.clone();
        for (id, amount) in &chargebacks.by_id {
            let known = ids.entry(id.clone()).or_default();
            *known = (*known).max(*amount);
        }
        [
            capped_sum(ids.into_values(), gross),
            capped_sum([refunds.running, chargebacks.running], gross),
            capped_sum([refunds.running, chargebacks.with_ids(gross)], gross),
            capped_sum([refunds.with_ids(gross), chargebacks.running], gross),
        ]
        .into_iter()
        .fold(Decimal::ZERO, Decimal::max)
    }

    fn state_without_money(&self) -> State {
        match self.ending {
            Some(ending) => ending.into(),
            None if self.settled => State::Settled,
            None if self.challenged => State::Challenged,
            None => State::Pending,
        }
    }
}

impl Reversals {
    fn merge(&mut self, id: Option<&str>, amount: Option<Decimal>) {
        let Some(amount) = amount else {
            self.is_whole = true;
            return;
        };
        if amount <= Decimal::ZERO {
            return;
        }
        let known = match id {
            Some(id) => self.by_id.entry(id.to_owned()).or_default(),
            None => &mut self.running,
        };
        *known = amount.normalize().max(*known);
    }

    /// What went back, at most the gross amount.
    fn total(&self, gross: Decimal) -> Decimal {
        if self.is_whole {
            return gross;
        }
        self.with_ids(gross).max(self.running.min(gross))
    }

    fn with_ids(&self, gross: Decimal) -> Decimal {
        capped_sum(self.by_id.values().copied(), gross)
    }
}

/// The sum, at most the cap: the cap is also what does not fit a `Decimal`.
fn capped_sum(amounts: impl IntoIterator<Item = Decimal>, cap: Decimal) -> Decimal {
    amounts.into_iter().fold(Decimal::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(cap).min(cap))
}

impl Position {
    /// Nothing is known and nothing is posted.
    pub fn none() -> Self {
        Self {
            state: State::Pending,
            credited: Decimal::ZERO,
            reversed: Decimal::ZERO,
            refunded: Decimal::ZERO,
            charged_back: Decimal::ZERO,
            ending: None,
        }
    }
}

/// What still has to be posted to get from what is posted to what the facts say. `posted` is the position
/// before the new facts. A credit is always the whole gross amount and comes before its reversal, so that
/// the books have the same sums in the end, whatever came first.
pub fn steps(posted: &Position, wanted: &Position) -> Vec<Step> {
    let mut steps = Vec::new();
    if wanted.credited > posted.credited {
        steps.push(Step::Credit(wanted.credited - posted.credited));
    }
    let mut rest = (wanted.reversed - posted.reversed).max(Decimal::ZERO);
    let ended = wanted.ending.map_or(REFUND, |ending| State::from(ending).name());
    for (amount, cause) in [
        (wanted.refunded - posted.refunded, REFUND),
        (wanted.charged_back - posted.charged_back, CHARGEBACK),
        (rest, ended),
    ] {
        let amount = amount.min(rest);
        if amount > Decimal::ZERO {
            steps.push(Step::Reverse(amount, cause));
            rest -= amount;
        }
    }
    steps
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod orders;
