//! Which end of a statement is the oldest: some banks print the newest line first.

use crate::bank::rules::{Direction, Item, Line, Movement};

/// Whether the lines go back in time: by their days, and within one day by the balances that follow.
pub fn is_newest_first(lines: &[Line]) -> bool {
    let movements: Vec<&Movement> = lines.iter().filter_map(movement).collect();
    let (Some(first), Some(last)) = (movements.first(), movements.last()) else { return false };
    if first.when.day != last.when.day {
        return first.when.day > last.when.day;
    }
    let pairs = || movements.windows(2).map(|pair| (pair[0], pair[1]));
    let forward = pairs().filter(|(above, below)| follows(above, below)).count();
    let backward = pairs().filter(|(above, below)| follows(below, above)).count();
    backward > forward
}

fn movement(line: &Line) -> Option<&Movement> {
    match line {
        Ok(Item::Movement(movement)) => Some(movement),
        _ => None,
    }
}

/// Whether the balance of one leads to that of the other.
fn follows(earlier: &Movement, later: &Movement) -> bool {
    let effect = if later.direction == Direction::Credit { later.amount } else { -later.amount };
    let sum = earlier.balance.and_then(|balance| balance.checked_add(effect));
    sum.is_some() && sum == later.balance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::rules::BadLine;
    use crate::bank::rules::when::When;
    use rust_decimal::Decimal;

    fn line(day: &str, amount: i64, balance: Option<i64>) -> Line {
        let direction = if amount < 0 { Direction::Debit } else { Direction::Credit };
        Ok(Item::Movement(Movement {
            bank_id: None,
            account_number: None,
            id: "x".to_owned(),
            direction,
            amount: Decimal::from(amount.abs()),
            balance: balance.map(Decimal::from),
            when: When::parse(day).unwrap(),
            description: String::new(),
        }))
    }

    #[test]
    fn days_tell_and_balances_where_they_do_not() {
        let both = |mut lines: Vec<Line>| {
            let forward = is_newest_first(&lines);
            lines.reverse();
            (forward, is_newest_first(&lines))
        };
        let (a, b) = ("2026-09-01", "2026-09-02");
        assert_eq!(both(vec![line(a, 5, None), line(a, 1, None), line(b, 5, None)]), (false, true));
        assert_eq!(both(vec![line(a, 5, Some(105)), line(a, -1, Some(104))]), (false, true));
        // Nothing tells: as it stands.
        assert_eq!(both(vec![line(a, 5, None), line(a, -1, None)]), (false, false));
        assert_eq!(both(vec![line(a, 5, Some(0)), line(a, -1, Some(0))]), (false, false));
        assert_eq!(both(vec![Err(BadLine::new("invalid_date", "x")), line(a, 5, None)]), (false, false));
        assert!(!is_newest_first(&[]));
        let huge = Decimal::MAX;
        let mut top = line(a, 5, None);
        if let Ok(Item::Movement(movement)) = &mut top {
            movement.balance = Some(huge);
        }
        assert_eq!(both(vec![top.clone(), top]), (false, false));
    }
}
