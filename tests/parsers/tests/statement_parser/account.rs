//! Random movements on a bank account.

use crate::Told;
use crate::bank::rules::Direction;
use crate::bank::rules::when::When;
use jiff::civil::Date;
use jiff::{Span, ToSpan};
use rand::Rng;
use rand::seq::IndexedRandom;
use rust_decimal::Decimal;

/// One movement. Amounts are in hundredths of a rupiah, and whole rupiah in most accounts.
#[derive(Clone)]
pub struct Written {
    pub date: Date,
    pub time: (u8, u8, u8),
    pub credit: bool,
    pub cents: i64,
    pub text: String,
    pub balance: i64,
}

impl Written {
    pub fn told(&self) -> Told {
        let direction = if self.credit { Direction::Credit } else { Direction::Debit };
        let day = When::on(self.date).map_or(0, |when| when.day);
        (day, direction, Decimal::new(self.cents, 2).normalize())
    }
}

pub struct Account {
    pub opening: Decimal,
    pub lines: Vec<Written>,
    pub opening_cents: i64,
    /// Whether all amounts are whole rupiah.
    pub whole: bool,
}

const WORDS: [&str; 24] = [
    "TRSF",
    "E-BANKING",
    "CR",
    "DB",
    "1209/FTSCY/WS95051",
    "150123.00",
    "BUDI",
    "Ani,",
    "\"Toko\"",
    "INV;7",
    "💸",
    "Siti's",
    "1.234",
    "BIAYA",
    "KR",
    "OTOMATIS",
    "&",
    "R&D",
    "a:b",
    "=",
    "PEND",
    "Saldo",
    "Awal",
    "x\"y",
];

impl Account {
    pub fn random(rng: &mut impl Rng, lines_max: usize) -> Self {
        let whole = rng.random_ratio(2, 3);
        let cents = |rng: &mut dyn rand::RngCore| {
            let digits = rng.random_range(1..=9);
            let cents = rng.random_range(1..10_i64.pow(digits));
            if whole { cents * 100 } else { cents }
        };
        let opening_cents = if rng.random_ratio(1, 8) { 0 } else { cents(rng) * 10 };
        let mut balance = opening_cents;
        let mut date =
            Date::constant(rng.random_range(2020..2030), rng.random_range(1..=12), rng.random_range(1..=28));
        let mut lines: Vec<Written> = Vec::new();
        for _ in 0..rng.random_range(1..=lines_max) {
            if rng.random_ratio(1, 3) {
                date = date.saturating_add(days(rng.random_range(1..10)));
            }
            let mut line = Written {
                date,
                time: (rng.random_range(0..24), rng.random_range(0..60), rng.random_range(1..60)),
                credit: rng.random(),
                cents: cents(rng),
                text: words(rng),
                balance: 0,
            };
            // Some look just like the one before.
            if let Some(last) = lines.last().filter(|_| rng.random_ratio(1, 8)) {
                line = Written { date, ..last.clone() };
            }
            balance += if line.credit { line.cents } else { -line.cents };
            line.balance = balance;
            lines.push(line);
        }
        Self { opening: Decimal::new(opening_cents, 2), lines, opening_cents, whole }
    }

    pub fn closing(&self) -> Decimal {
        Decimal::new(self.closing_cents(), 2)
    }

    pub fn closing_cents(&self) -> i64 {
        self.lines.last().map_or(self.opening_cents, |line| line.balance)
    }

    /// Two days of the account, the earlier first.
    pub fn some_days(&self, rng: &mut impl Rng) -> (i32, i32) {
        let mut day = || self.lines.choose(rng).map_or(0, |line| line.told().0);
        let (one, other) = (day(), day());
        (one.min(other), one.max(other))
    }

    /// What an export of these days only has.
    pub fn between(&self, first: i32, last: i32) -> Self {
        let before = self.lines.iter().take_while(|line| line.told().0 < first).last();
        let opening_cents = before.map_or(self.opening_cents, |line| line.balance);
        let within = |line: &&Written| (first..=last).contains(&line.told().0);
        let lines = self.lines.iter().filter(within).cloned().collect();
        Self { opening: Decimal::new(opening_cents, 2), lines, opening_cents, whole: self.whole }
    }
}

fn words(rng: &mut impl Rng) -> String {
    let words: Vec<&str> = (0..rng.random_range(1..6)).filter_map(|_| WORDS.choose(rng).copied()).collect();
    words.join(" ")
}

fn days(count: i64) -> Span {
    count.days()
}
