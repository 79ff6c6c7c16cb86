//! Whether a statement adds up: each balance that it prints against the movements before it.
//!
//! A statement that does not add up has lost or changed something on its way here, and nobody can say what:
//! it is refused as a whole. Where an amount was not understood the sum is not known, and the proof begins
//! again at the next balance that is printed.

use super::BadStatement;
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// One line as far as the proof is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub line: usize,
    /// What it does to the balance; `None` where it was not understood.
    pub effect: Option<Decimal>,
    /// Its day, which tells whether the lines go on or back in time.
    pub day: Option<i32>,
    /// The balance after it, where the line has one.
    pub balance: Option<Decimal>,
    /// Announced, not booked yet. Some balances and sums include these lines, some do not.
    pub pending: bool,
}

/// What the file says besides its lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stated {
    pub opening: Option<Decimal>,
    pub closing: Option<Decimal>,
    pub credits: Option<Decimal>,
    pub debits: Option<Decimal>,
}

/// The balances before and after all booked lines, stated or derived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    pub opening: Option<Decimal>,
    pub closing: Option<Decimal>,
}

/// Follows the balances through the lines, oldest first or newest first (where the days do not tell, both are
/// tried), with the pending lines or without: one reading under which everything follows is enough.
pub fn prove(steps: &[Step], stated: Stated) -> Result<Proven, BadStatement> {
    let has_pending = steps.iter().any(|step| step.pending);
    let mut first_fault = None;
    for with_pending in [false, true] {
        if with_pending && !has_pending {
            continue;
        }
        let used = |step: &&Step| with_pending || !step.pending;
        let oldest_first = || follow(steps.iter().filter(used), stated);
        let newest_first = || follow(steps.iter().rev().filter(used), stated);
        let result = match order(steps) {
            Some(Ordering::Less) => oldest_first(),
            Some(_) => newest_first(),
            None => oldest_first().or_else(|fault| newest_first().map_err(|_| fault)),
        };
        match result.and_then(|proven| sums(steps.iter().filter(used), stated).map(|()| proven)) {
            Ok(proven) if with_pending => return Ok(booked_only(proven, steps)),
            Ok(proven) => return Ok(proven),
            Err(fault) => _ = first_fault.get_or_insert(fault),
        }
    }
    Err(first_fault.unwrap_or_else(|| unbalanced("the statement does not add up".to_owned())))
}

pub fn unbalanced(message: String) -> BadStatement {
    BadStatement { reason: "unbalanced", message }
}

/// `Less` where the days only go up, `Greater` where they only go down.
fn order(steps: &[Step]) -> Option<Ordering> {
    let days: Vec<i32> = steps.iter().filter(|step| !step.pending).filter_map(|step| step.day).collect();
    let mut turns = days.windows(2).map(|pair| pair[0].cmp(&pair[1])).filter(|turn| turn.is_ne());
    let first = turns.next()?;
    turns.all(|turn| turn == first).then_some(first)
}

fn follow<'a>(steps: impl Iterator<Item = &'a Step>, stated: Stated) -> Result<Proven, BadStatement> {
    let mut running = stated.opening;
    let mut opening = stated.opening;
    // What moved since the beginning, for as long as all of it is known.
    let mut moved = Some(Decimal::ZERO);
    for step in steps {
        let add = |sum: Option<Decimal>| sum?.checked_add(step.effect?);
        running = add(running);
        moved = add(moved);
        let Some(balance) = step.balance else { continue };
        if let Some(expected) = running.filter(|expected| *expected != balance) {
            return Err(unbalanced(format!(
                "line {}: the balance is {balance}, but the balance before it and the amount make {expected}",
                step.line
            )));
        }
        opening = opening.or_else(|| balance.checked_sub(moved?));
        moved = None;
        running = Some(balance);
    }
    match (running, stated.closing) {
        (Some(sum), Some(closing)) if sum != closing => {
            Err(unbalanced(format!("the closing balance is {closing}, but the lines lead to {sum}")))
        }
        (running, closing) => {
            let closing = closing.or(running);
            let opening = opening.or_else(|| closing?.checked_sub(moved?));
            Ok(Proven { opening, closing })
        }
    }
}

/// The sums of all credits and of all debits, where the file states them and every line was understood.
fn sums<'a>(steps: impl Iterator<Item = &'a Step>, stated: Stated) -> Result<(), BadStatement> {
    let (mut credits, mut debits) = (Decimal::ZERO, Decimal::ZERO);
    for step in steps {
        let Some(effect) = step.effect else { return Ok(()) };
        let sum = if effect.is_sign_negative() { &mut debits } else { &mut credits };
        match sum.checked_add(effect.abs()) {
            Some(more) => *sum = more,
            None => return Ok(()),
        }
    }
    for (name, sum, stated) in [("credits", credits, stated.credits), ("debits", debits, stated.debits)] {
        if let Some(stated) = stated.filter(|stated| *stated != sum) {
            return Err(unbalanced(format!("the file states {stated} of {name}, but its lines have {sum}")));
        }
    }
    Ok(())
}

/// Takes what is only announced off the closing balance again.
fn booked_only(proven: Proven, steps: &[Step]) -> Proven {
    let pending = steps
        .iter()
        .filter(|step| step.pending)
        .try_fold(Decimal::ZERO, |sum, step| sum.checked_add(step.effect?));
    let closing = proven.closing.zip(pending).and_then(|(closing, pending)| closing.checked_sub(pending));
    Proven { closing, ..proven }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(lines: &[(Option<i64>, Option<i64>, bool)]) -> Vec<Step> {
        let step = |(index, (effect, balance, pending)): (usize, &(Option<i64>, Option<i64>, bool))| Step {
            line: index + 1,
            effect: effect.map(Decimal::from),
            day: None,
            balance: balance.map(Decimal::from),
            pending: *pending,
        };
        lines.iter().enumerate().map(step).collect()
    }

    fn stated(opening: Option<i64>, closing: Option<i64>) -> Stated {
        Stated {
            opening: opening.map(Decimal::from),
            closing: closing.map(Decimal::from),
            ..Stated::default()
        }
    }

    fn proven(
        lines: &[(Option<i64>, Option<i64>, bool)],
        stated: Stated,
    ) -> Option<(Option<i64>, Option<i64>)> {
        let whole = |amount: Option<Decimal>| amount.map(|amount| i64::try_from(amount).unwrap());
        prove(&steps(lines), stated).ok().map(|proven| (whole(proven.opening), whole(proven.closing)))
    }

    #[test]
    fn balances_follow_in_either_order() {
        let up = [(Some(50), Some(150), false), (Some(-30), Some(120), false)];
        let down = [up[1], up[0]];
        assert_eq!(proven(&up, stated(None, None)), Some((Some(100), Some(120))));
        assert_eq!(proven(&down, stated(None, None)), Some((Some(100), Some(120))));
        assert_eq!(proven(&up, stated(Some(100), Some(120))), Some((Some(100), Some(120))));
        assert_eq!(proven(&up, stated(Some(99), None)), None);
        assert_eq!(proven(&up, stated(None, Some(121))), None);
    }

    #[test]
    fn days_that_tell_the_order_are_believed() {
        let mut lines = steps(&[(Some(50), Some(150), false), (Some(-30), Some(120), false)]);
        (lines[0].day, lines[1].day) = (Some(1), Some(2));
        assert!(prove(&lines, stated(None, None)).is_ok());
        (lines[0].day, lines[1].day) = (Some(2), Some(1));
        assert!(prove(&lines, stated(None, None)).is_err());
        lines.reverse();
        (lines[0].day, lines[1].day) = (Some(2), Some(1));
        assert!(prove(&lines, stated(None, None)).is_ok());
    }

    #[test]
    fn the_first_line_that_does_not_follow_is_named() {
        let wrong = steps(&[
            (Some(50), Some(150), false),
            (Some(-30), Some(121), false),
            (Some(1), Some(122), false),
            (Some(1), Some(124), false),
        ]);
        let fault = prove(&wrong, stated(None, None)).unwrap_err();
        assert_eq!(fault.reason, "unbalanced");
        assert!(fault.message.starts_with("line 2:"), "{}", fault.message);
    }

    #[test]
    fn footers_alone_are_a_proof_too() {
        let lines = [(Some(50), None, false), (Some(-30), None, false)];
        assert_eq!(proven(&lines, stated(Some(100), Some(120))), Some((Some(100), Some(120))));
        assert_eq!(proven(&lines, stated(Some(100), Some(121))), None);
        assert_eq!(proven(&lines, stated(None, Some(120))), Some((Some(100), Some(120))));
        assert_eq!(proven(&[], stated(Some(100), Some(100))), Some((Some(100), Some(100))));
        assert_eq!(proven(&[], stated(Some(100), Some(101))), None);
    }

    #[test]
    fn what_is_announced_may_be_in_the_balances_or_not() {
        let lines = [(Some(50), Some(150), false), (Some(-10), Some(140), true)];
        assert_eq!(proven(&lines, stated(Some(100), Some(140))), Some((Some(100), Some(150))));
        assert_eq!(proven(&lines, stated(Some(100), Some(150))), Some((Some(100), Some(150))));
        assert_eq!(proven(&lines, stated(Some(100), Some(160))), None);
    }

    #[test]
    fn the_proof_goes_on_behind_a_line_that_is_not_understood() {
        let lines = [(Some(50), Some(150), false), (None, None, false), (Some(5), Some(1_005), false)];
        assert_eq!(proven(&lines, stated(None, Some(1_005))), Some((Some(100), Some(1_005))));
        assert_eq!(proven(&lines, stated(None, Some(1_006))), None);
        assert_eq!(proven(&[(None, None, false)], stated(Some(1), Some(9))), Some((Some(1), Some(9))));
    }

    #[test]
    fn stated_sums_are_compared() {
        let lines = steps(&[(Some(50), None, false), (Some(-30), None, false)]);
        let with = |credits: i64, debits: i64| Stated {
            credits: Some(credits.into()),
            debits: Some(debits.into()),
            ..Stated::default()
        };
        assert!(prove(&lines, with(50, 30)).is_ok());
        assert!(prove(&lines, with(51, 30)).is_err());
        assert!(prove(&lines, with(50, 31)).is_err());
    }
}
