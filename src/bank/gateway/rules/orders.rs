//! Every order of every choice of facts, duplicates included, ends alike.

use super::{Payment, Position, Step, steps};
use crate::bank::rules::{Cause, Ending, Fact};
use rust_decimal::Decimal;
use std::collections::HashMap;

const GROSS: i64 = 100;
/// Facts in one history.
const LENGTH_MAX: usize = 5;

fn alphabet() -> Vec<Fact> {
    let reversed = |cause: Cause, id: Option<&str>, amount: Option<i64>| Fact::Reversed {
        cause,
        id: id.map(str::to_owned),
        amount: amount.map(Decimal::from),
    };
    vec![
        Fact::Pending,
        Fact::Challenged,
        Fact::Settled,
        Fact::Ended(Ending::Expired),
        Fact::Ended(Ending::Cancelled),
        Fact::Ended(Ending::Failed),
        Fact::Ended(Ending::Denied),
        reversed(Cause::Refund, Some("a"), Some(30)),
        reversed(Cause::Refund, Some("a"), Some(45)),
        reversed(Cause::Refund, Some("b"), Some(20)),
        reversed(Cause::Refund, None, Some(25)),
        reversed(Cause::Refund, None, Some(60)),
        reversed(Cause::Refund, None, None),
        reversed(Cause::Chargeback, Some("a"), Some(70)),
        reversed(Cause::Chargeback, None, None),
    ]
}

/// What the rules say of a set of facts, said once more and in another way.
fn oracle(facts: &[&Fact]) -> (i64, i64) {
    let has = |wanted: &Fact| facts.contains(&wanted);
    if !has(&Fact::Settled) {
        return (0, 0);
    }
    let ended = facts.iter().any(|fact| matches!(fact, Fact::Ended(_)));
    let whole = facts.iter().any(|fact| matches!(fact, Fact::Reversed { amount: None, .. }));
    if ended || whole {
        return (GROSS, GROSS);
    }
    let largest = |wanted: Cause, of: Option<&str>| {
        let amounts = facts.iter().filter_map(|fact| match fact {
            Fact::Reversed { cause, id, amount } if *cause == wanted && id.as_deref() == of => *amount,
            _ => None,
        });
        amounts.max().map_or(0, |amount| i64::try_from(amount).unwrap())
    };
    // An id that both causes name is one movement; what has no id adds to the other cause.
    let (refund, chargeback) = (Cause::Refund, Cause::Chargeback);
    let with_ids = |cause| largest(cause, Some("a")) + largest(cause, Some("b"));
    let either = |id| largest(refund, Some(id)).max(largest(chargeback, Some(id)));
    let reversed = (either("a") + either("b"))
        .max(largest(refund, None) + with_ids(chargeback).max(largest(chargeback, None)))
        .max(with_ids(refund) + largest(chargeback, None));
    (GROSS, reversed.min(GROSS))
}

/// The books of one payment: what was posted, in sums and in entries.
#[derive(Clone)]
struct Books {
    payment: Payment,
    posted: Position,
    credited: Decimal,
    credits: usize,
    reversed: Decimal,
}

impl Books {
    fn new() -> Self {
        Self {
            payment: Payment::new(Some(Decimal::from(GROSS))),
            posted: Position::none(),
            credited: Decimal::ZERO,
            credits: 0,
            reversed: Decimal::ZERO,
        }
    }

    /// One notice: add the fact, post what lacks.
    fn take(&mut self, fact: &Fact) {
        self.payment.merge(fact);
        let wanted = self.payment.position();
        for step in steps(&self.posted, &wanted) {
            match step {
                Step::Credit(amount) => {
                    self.credited += amount;
                    self.credits += 1;
                }
                Step::Reverse(amount, cause) => {
                    assert!(amount > Decimal::ZERO && !cause.is_empty());
                    self.reversed += amount;
                }
            }
            // At no moment more than was paid, and never less than nothing.
            assert!(self.credited <= Decimal::from(GROSS) && self.reversed <= self.credited, "{fact:?}");
        }
        assert!(self.credits <= 1);
        assert_eq!((self.credited, self.reversed), (wanted.credited, wanted.reversed), "{fact:?}");
        assert!(steps(&wanted, &wanted).is_empty());
        self.posted = wanted;
    }
}

/// What each set of facts ended in when it came together first.
type Ends = HashMap<u32, (Payment, Position)>;

/// A set of facts that was not seen before: worth what the oracle says, and stored as it is.
fn check_set(alphabet: &[Fact], books: &Books, set: u32) {
    let is_in = |(index, _): &(usize, &Fact)| set & 1 << index != 0;
    let facts: Vec<&Fact> = alphabet.iter().enumerate().filter(is_in).map(|(_, fact)| fact).collect();
    let (credited, reversed) = oracle(&facts);
    let expected = (Decimal::from(credited), Decimal::from(reversed));
    assert_eq!((books.posted.credited, books.posted.reversed), expected, "{facts:?}");
    let stored = books.payment.to_json();
    let read = Payment::from_json(&stored).unwrap();
    assert_eq!((&read, &read.to_json()), (&books.payment, &stored), "{facts:?}");
}

fn go_on(alphabet: &[Fact], books: &Books, set: u32, length: usize, ends: &mut Ends) -> u64 {
    if let Some((payment, position)) = ends.get(&set) {
        assert_eq!((payment, position), (&books.payment, &books.posted), "the same facts in another order");
    } else {
        check_set(alphabet, books, set);
        ends.insert(set, (books.payment.clone(), books.posted));
    }
    if length == LENGTH_MAX {
        return 1;
    }
    let next = |(index, fact): (usize, &Fact)| {
        let mut books = books.clone();
        books.take(fact);
        go_on(alphabet, &books, set | 1 << index, length + 1, ends)
    };
    1 + alphabet.iter().enumerate().map(next).sum::<u64>()
}

/// All sequences up to the length are all orders of all choices, each fact as often as one likes.
#[test]
fn facts_in_any_order_and_any_number_end_alike() {
    let alphabet = alphabet();
    let mut ends = HashMap::new();
    let histories = go_on(&alphabet, &Books::new(), 0, 0, &mut ends);
    let choices = alphabet.len() as u64;
    assert_eq!(histories, (0..=LENGTH_MAX as u32).map(|length| choices.pow(length)).sum::<u64>());
    // 1 + 15 + 105 + 455 + 1365 + 3003 sets of at most five facts.
    assert_eq!(ends.len(), 4_944);
}

/// The gross amount may be known before, between or after the facts.
#[test]
fn the_gross_amount_may_come_at_any_time() {
    let alphabet = alphabet();
    for first in &alphabet {
        for second in &alphabet {
            let positions: Vec<Position> = (0..3)
                .map(|moment| {
                    let mut payment = Payment::new((moment == 0).then(|| Decimal::from(GROSS)));
                    payment.merge(first);
                    (moment == 1).then(|| payment.merge_gross(Decimal::from(GROSS)));
                    payment.merge(second);
                    (moment == 2).then(|| payment.merge_gross(Decimal::from(GROSS)));
                    payment.position()
                })
                .collect();
            assert!(positions.iter().all(|position| *position == positions[0]), "{first:?} {second:?}");
        }
    }
}
