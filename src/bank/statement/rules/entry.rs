//! The lines of a statement between the reading of them and the ledger's own words, and their ids.
//!
//! **Ids.** Most statements give a line no id, and what some call one repeats. So the id is made from what the
//! line says: the first 32 hexadecimal digits of the SHA-256 over its day, direction, amount (`150000.00` is
//! `150000`), balance (where the statement has one), reference, description (blanks run together, upper case)
//! and its number among the lines of the file that agree in all of these. The same line of another export,
//! overlapping or not, has the same id; two real payments that look alike have two.
//!
//! It holds while an export has whole days, or their beginning: one that begins in the middle of a day and has
//! no balances counts lines that look alike from there. Two formats of one bank (CSV and MT940, say) make
//! different ids: finding these is the work of the comparison by amount and day, not of the id.

use super::balance::Step;
use crate::bank::rules::when::When;
use crate::bank::rules::{BadLine, Direction, Item, Line, Movement, prose};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// A booked line before it has its id.
pub struct Draft {
    pub direction: Direction,
    pub amount: Decimal,
    pub when: When,
    pub balance: Option<Decimal>,
    pub reference: String,
    pub description: String,
}

pub enum Outcome {
    Booked(Draft),
    /// Announced by the bank, not booked yet.
    Pending,
    Bad(BadLine),
}

/// A line with what the proof of the balances needs of it.
pub struct Entry {
    pub step: Step,
    pub outcome: Outcome,
}

/// The lines in the order of the file. `account_number` is that of the statement.
pub fn lines(entries: Vec<Entry>, account_number: Option<&String>) -> Vec<Line> {
    let mut seen: HashMap<[u8; 32], u64> = HashMap::new();
    let line = |entry: Entry| match entry.outcome {
        Outcome::Bad(bad) => Err(bad),
        Outcome::Pending => Ok(Item::Other { id: None, reason: "pending" }),
        Outcome::Booked(draft) => {
            let id = id(&draft, &mut seen);
            Ok(Item::Movement(Movement {
                bank_id: None,
                account_number: account_number.cloned(),
                id,
                direction: draft.direction,
                amount: draft.amount,
                balance: draft.balance,
                when: draft.when,
                description: prose(&draft.description),
            }))
        }
    };
    entries.into_iter().map(line).collect()
}

/// The first and the last day that has a booked line.
pub fn days(entries: &[Entry]) -> Option<(i32, i32)> {
    let days = entries.iter().filter_map(|entry| match &entry.outcome {
        Outcome::Booked(draft) => Some(draft.when.day),
        _ => None,
    });
    days.fold(None, |found, day| match found {
        None => Some((day, day)),
        Some((first, last)) => Some((day.min(first), day.max(last))),
    })
}

/// Runs of blanks and line ends become one blank.
pub fn collapsed(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

fn id(draft: &Draft, seen: &mut HashMap<[u8; 32], u64>) -> String {
    // No part has a line end: the description and the reference are collapsed, the rest are numbers.
    let what = format!(
        "{}\n{}\n{}\n{}\n{}\n{}",
        draft.when.day,
        draft.direction.name(),
        draft.amount.normalize(),
        draft.balance.map(|balance| balance.normalize().to_string()).unwrap_or_default(),
        collapsed(&draft.reference).to_uppercase(),
        collapsed(&draft.description).to_uppercase(),
    );
    let same = seen.entry(Sha256::digest(&what).into()).or_insert(0);
    *same += 1;
    let digest = Sha256::digest(format!("{same}\n{what}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            direction: Direction::Credit,
            amount: Decimal::new(15_000_000, 2),
            when: When::parse("2026-11-21").unwrap(),
            balance: Some(Decimal::from(1_000_000)),
            reference: "FT26".to_owned(),
            description: "Transfer  dari Budi".to_owned(),
        }
    }

    fn first_id(change: impl Fn(&mut Draft)) -> String {
        let mut draft = draft();
        change(&mut draft);
        id(&draft, &mut HashMap::new())
    }

    #[test]
    fn an_id_depends_on_what_the_line_says_and_not_on_how() {
        let plain = first_id(|_| {});
        // As another program computes it: what is stored under an id must find it for ever.
        assert_eq!(plain, "662a97725a0a708a4f81a085e3a9c65d");
        assert_eq!(first_id(|line| line.amount = Decimal::from(150_000)), plain);
        assert_eq!(first_id(|line| line.balance = Some(Decimal::new(100_000_000, 2))), plain);
        assert_eq!(first_id(|line| line.description = " TRANSFER DARI\n BUDI ".to_owned()), plain);
        assert_eq!(first_id(|line| line.when = When::parse("2026-11-21 10:00:00").unwrap()), plain);
        let changes: [fn(&mut Draft); 7] = [
            |line| line.amount = Decimal::from(1_500_000),
            |line| line.direction = Direction::Debit,
            |line| line.when = When::parse("2026-11-22").unwrap(),
            |line| line.balance = None,
            |line| line.balance = Some(Decimal::ONE),
            |line| line.reference = "FT27".to_owned(),
            |line| line.description = "Transfer dari Budi 2".to_owned(),
        ];
        let ids: std::collections::HashSet<String> = changes.iter().map(first_id).collect();
        assert!(ids.len() == changes.len() && !ids.contains(&plain));
    }

    #[test]
    fn lines_that_look_alike_are_counted() {
        let mut seen = HashMap::new();
        let ids: Vec<String> = (0..3).map(|_| id(&draft(), &mut seen)).collect();
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        let mut again = HashMap::new();
        assert_eq!(ids, (0..3).map(|_| id(&draft(), &mut again)).collect::<Vec<_>>());
    }
}
