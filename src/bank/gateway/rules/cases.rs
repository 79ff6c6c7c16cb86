//! What single sets of facts are worth, case by case.

use super::{Payment, State, Step, steps};
use crate::bank::rules::{Cause, Ending, Fact};
use rust_decimal::Decimal;

fn refund(id: Option<&str>, amount: Option<i64>) -> Fact {
    Fact::Reversed { cause: Cause::Refund, id: id.map(str::to_owned), amount: amount.map(Decimal::from) }
}

fn chargeback(id: Option<&str>, amount: Option<i64>) -> Fact {
    Fact::Reversed { cause: Cause::Chargeback, id: id.map(str::to_owned), amount: amount.map(Decimal::from) }
}

#[test]
fn what_each_set_of_facts_is_worth() {
    use Fact::{Challenged, Ended, Pending, Settled};
    for (facts, state, credited, reversed) in [
        (vec![], State::Pending, 0, 0),
        (vec![Pending], State::Pending, 0, 0),
        (vec![Challenged, Pending], State::Challenged, 0, 0),
        (vec![Settled, Pending, Challenged], State::Settled, 100, 0),
        (vec![Ended(Ending::Expired), Challenged], State::Expired, 0, 0),
        (vec![Ended(Ending::Denied), Ended(Ending::Expired)], State::Denied, 0, 0),
        (vec![Ended(Ending::Cancelled), Ended(Ending::Failed)], State::Failed, 0, 0),
        (vec![Settled, Ended(Ending::Denied)], State::Reversed, 100, 100),
        (vec![refund(Some("a"), Some(30))], State::Pending, 0, 0),
        (vec![Settled, refund(Some("a"), Some(30))], State::PartlyReversed, 100, 30),
        (
            vec![Settled, refund(Some("a"), Some(30)), refund(Some("a"), Some(40))],
            State::PartlyReversed,
            100,
            40,
        ),
        (
            vec![Settled, refund(Some("a"), Some(30)), refund(Some("b"), Some(20))],
            State::PartlyReversed,
            100,
            50,
        ),
        (vec![Settled, refund(None, Some(25)), refund(None, Some(60))], State::PartlyReversed, 100, 60),
        (vec![Settled, refund(Some("a"), Some(30)), refund(None, Some(25))], State::PartlyReversed, 100, 30),
        (
            vec![Settled, refund(Some("a"), Some(30)), chargeback(None, Some(25))],
            State::PartlyReversed,
            100,
            55,
        ),
        (
            // One id, one movement, whatever it is called.
            vec![Settled, refund(Some("a"), Some(30)), chargeback(Some("a"), Some(80))],
            State::PartlyReversed,
            100,
            80,
        ),
        (vec![Settled, refund(None, None)], State::Reversed, 100, 100),
        (vec![Settled, chargeback(Some("c"), None)], State::Reversed, 100, 100),
        (vec![Settled, refund(Some("a"), Some(1_000))], State::Reversed, 100, 100),
        (vec![Settled, refund(Some("a"), Some(0)), refund(None, Some(-5))], State::Settled, 100, 0),
    ] {
        let mut payment = Payment::new(Some(Decimal::from(100)));
        payment.merge_all(&facts);
        let is = payment.position();
        let expected = (state, Decimal::from(credited), Decimal::from(reversed));
        assert_eq!((is.state, is.credited, is.reversed), expected, "{facts:?}");
    }
}

#[test]
fn what_takes_nothing_back_is_not_kept() {
    let mut payment = Payment::new(None);
    payment.merge_all(&[refund(Some("a"), Some(0)), refund(Some("b"), Some(-1)), chargeback(None, Some(-1))]);
    assert_eq!(payment, Payment::new(None));
}

#[test]
fn every_step_names_its_cause() {
    let mut payment = Payment::new(Some(Decimal::from(100)));
    for (fact, expected) in [
        (chargeback(None, Some(25)), vec![]),
        (
            Fact::Settled,
            vec![Step::Credit(Decimal::from(100)), Step::Reverse(Decimal::from(25), "chargeback")],
        ),
        (Fact::Settled, vec![]),
        (refund(Some("a"), Some(30)), vec![Step::Reverse(Decimal::from(30), "refund")]),
        (chargeback(None, Some(35)), vec![Step::Reverse(Decimal::from(10), "chargeback")]),
        (Fact::Ended(Ending::Denied), vec![Step::Reverse(Decimal::from(35), "denied")]),
        (refund(None, None), vec![]),
    ] {
        let before = payment.position();
        payment.merge(&fact);
        assert_eq!(steps(&before, &payment.position()), expected, "{fact:?}");
    }
}

#[test]
fn the_first_gross_amount_stays_and_a_difference_is_flagged() {
    let mut payment = Payment::new(None);
    payment.merge(&Fact::Settled);
    assert_eq!((payment.position().state, payment.position().credited), (State::Settled, Decimal::ZERO));
    payment.merge_gross(Decimal::new(10_000, 2));
    payment.merge_gross(Decimal::from(100));
    assert!(!payment.amount_conflict(), "100.00 is 100");
    assert_eq!(payment.position().credited, Decimal::from(100));
    payment.merge_gross(Decimal::from(101));
    assert!(payment.amount_conflict());
    assert_eq!(payment.gross(), Some(Decimal::from(100)));
}

#[test]
fn sums_beyond_what_can_be_counted_are_the_whole() {
    let mut payment = Payment::new(Some(Decimal::MAX));
    payment.merge(&Fact::Settled);
    for id in ["a", "b"] {
        let half = Some(Decimal::MAX - Decimal::ONE);
        payment.merge(&Fact::Reversed { cause: Cause::Refund, id: Some(id.to_owned()), amount: half });
    }
    assert_eq!(payment.position().reversed, Decimal::MAX);
    assert_eq!(payment.position().state, State::Reversed);
}

#[test]
fn ids_and_names_of_states_are_distinct_and_stay() {
    let names = ["pending", "challenged", "settled", "partly_reversed", "reversed", "denied", "cancelled"];
    let names = names.into_iter().chain(["expired", "failed"]);
    for (id, name) in (1..).zip(names) {
        assert_eq!(State::from_id(id).map(State::name), Some(name));
    }
    assert_eq!((State::from_id(0), State::from_id(10)), (None, None));
}
