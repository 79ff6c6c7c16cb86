use super::*;
use crate::account::rules::{State, Type};

fn row(
    id: i64,
    address: &str,
    stripe: i16,
    account_type: Type,
    posted: i64,
    minimum: Option<i64>,
) -> Account {
    Account {
        id,
        address: address.to_owned(),
        stripe_count: if stripe == 0 { 1 } else { 4 },
        account_type,
        state: State::Open,
        currency: "IDR".to_owned(),
        scale: 2,
        posted: Decimal::new(posted, 2),
        held: Decimal::new(0, 2),
        minimum: minimum.map(|value| Decimal::new(value, 2)),
        maximum: None,
        version: 7,
        last_posted_at: 0,
        spending: None,
    }
}

fn book(rows: Vec<Account>) -> Book {
    let mut book = Book::default();
    rows.into_iter().for_each(|row| book.insert(row));
    book
}

#[test]
fn a_posting_moves_both_balances_and_versions() {
    let mut book =
        book(vec![row(1, "bank", 0, Type::Asset, 0, None), row(2, "wallet", 0, Type::Liability, 0, Some(0))]);
    let movements = book.post("bank", "wallet", Decimal::from(5), None).unwrap();
    assert_eq!(movements.len(), 1);
    assert_eq!((movements[0].debit_version, movements[0].credit_version), (8, 8));
    assert_eq!(movements[0].credit_balance.to_string(), "5.00");
    assert_eq!(book.changes().count(), 2);
}

#[test]
fn a_refused_posting_changes_nothing() {
    let mut book = book(vec![
        row(1, "a", 0, Type::Liability, 100, Some(0)),
        row(2, "b", 0, Type::Liability, 0, Some(0)),
    ]);
    assert_eq!(book.post("a", "b", Decimal::from(2), None).unwrap_err().code, Code::InsufficientFunds);
    assert_eq!(book.post("a", "c", Decimal::ONE, None).unwrap_err().code, Code::AccountNotFound);
    assert_eq!(book.post("a", "b", Decimal::new(1, 3), None).unwrap_err().code, Code::InvalidAmount);
    assert_eq!(book.post("a", "b", Decimal::ONE, Some(6)).unwrap_err().code, Code::VersionConflict);
    assert_eq!(book.changes().count(), 0);
}

#[test]
fn a_group_can_be_taken_back_as_a_whole() {
    let mut book = book(vec![
        row(1, "a", 0, Type::Liability, 100, Some(0)),
        row(2, "b", 0, Type::Liability, 0, Some(0)),
    ]);
    book.post("a", "b", Decimal::new(10, 2), None).unwrap();
    book.begin();
    book.post("a", "b", Decimal::new(30, 2), None).unwrap();
    book.post("b", "a", Decimal::new(5, 2), None).unwrap();
    book.roll_back();
    assert_eq!(book.row(0).posted, Decimal::new(90, 2));
    assert_eq!((book.row(0).version, book.row(1).version), (8, 8));
}

#[test]
fn stripes_bring_their_money_together_when_one_is_not_enough() {
    let stripes = |posted: [i64; 3]| {
        let mut rows = vec![row(9, "shop", 0, Type::Liability, 0, Some(0))];
        for (index, amount) in posted.iter().enumerate() {
            rows.push(row(index as i64 + 1, "float", index as i16 + 1, Type::Liability, *amount, Some(0)));
        }
        book(rows)
    };
    let mut enough = stripes([100, 500, 300]);
    assert_eq!(enough.post("float", "shop", Decimal::new(300, 2), None).unwrap().len(), 1);

    let mut scattered = stripes([100, 500, 300]);
    let movements = scattered.post("float", "shop", Decimal::new(850, 2), None).unwrap();
    assert_eq!(movements.iter().filter(|movement| movement.is_rebalance).count(), 2);
    let left: Decimal = scattered.rows_of("float").iter().map(|index| scattered.row(*index).posted).sum();
    assert_eq!(left, Decimal::new(50, 2));
    assert!(scattered.rows().iter().all(|account| account.posted >= Decimal::ZERO));

    let mut short = stripes([100, 500, 300]);
    let error = short.post("float", "shop", Decimal::new(901, 2), None).unwrap_err();
    assert_eq!(error.detail()["available"], "9.00");
    assert_eq!(short.changes().count(), 0);
}

#[test]
fn a_closed_or_frozen_account_takes_part_in_nothing() {
    for (state, code) in [(State::Frozen, Code::AccountFrozen), (State::Closed, Code::AccountClosed)] {
        let mut frozen = row(2, "b", 0, Type::Liability, 0, Some(0));
        frozen.state = state;
        let mut book = book(vec![row(1, "a", 0, Type::Liability, 100, Some(0)), frozen]);
        assert_eq!(book.post("a", "b", Decimal::ONE, None).unwrap_err().code, code);
    }
}
