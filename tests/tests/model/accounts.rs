//! The accounts that the model test plays with.

use wallet_ledger_tests::Decimal;

use crate::books::{Account, Books, CURRENCIES, SCALES, State};
use crate::item::literal;

/// The accounts to play with: (name, type, floor, ceiling, stripes, currency).
pub type Plan = (&'static str, usize, &'static str, Option<i64>, Option<i64>, u32, usize);
pub const PLAN: &[Plan] = &[
    ("bank", 2, "asset", None, None, 1, 0),
    ("till", 2, "asset", Some(0), Some(3000), 1, 0),
    ("cash", 1, "asset", Some(-100), None, 3, 0),
    ("wallet", 10, "liability", Some(0), None, 1, 0),
    ("capped", 4, "liability", Some(0), Some(900), 1, 0),
    ("credit", 3, "liability", Some(-500), None, 1, 0),
    ("clearing", 2, "liability", None, None, 1, 0),
    ("fees", 1, "revenue", None, None, 3, 0),
    ("pool", 2, "liability", Some(0), None, 4, 0),
    ("cost", 1, "expense", None, Some(5000), 1, 0),
    ("capital", 1, "equity", None, None, 1, 0),
    ("yenbank", 1, "asset", None, None, 1, 1),
    ("yen", 4, "liability", Some(0), None, 1, 1),
    ("yenpool", 1, "liability", Some(0), None, 2, 1),
];

/// The accounts of the plan, as the model has them, and the calls that create them.
pub fn open(books: &mut Books) -> Vec<String> {
    let mut calls = Vec::new();
    for (name, count, account_type, floor, ceiling, stripes, currency) in PLAN {
        let scale = SCALES[*currency];
        let bound = |value: &Option<i64>| {
            value.map(|value| {
                let mut bound = Decimal::from(value);
                bound.rescale(scale);
                bound
            })
        };
        for number in 0..*count {
            let account = Account {
                currency: *currency,
                debit_normal: matches!(*account_type, "asset" | "expense"),
                floor: bound(floor),
                ceiling: bound(ceiling),
                stripes: *stripes,
                state: State::Open,
                posted: Decimal::new(0, scale),
                held: Decimal::new(0, scale),
                version: 0,
            };
            let address = format!("{name}:{number}");
            calls.push(format!(
                "create_account('{address}', '{account_type}', '{}', {}, {}, stripes => {stripes})",
                CURRENCIES[*currency],
                literal(account.floor),
                literal(account.ceiling)
            ));
            books.accounts.insert(address, account);
        }
    }
    calls
}
