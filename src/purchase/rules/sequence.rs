//! The numbers of a till: what is done with each one that it sends.

use crate::error::{LedgerError, invalid};
use crate::people::rules::GapPolicy;
use std::collections::HashMap;

/// SHA-256 of what a till has sent under a number.
pub type Digest = [u8; 32];

/// What is done, in this order. `place` is where the entry stands in what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is decided now.
    Take { place: usize },
    /// It was decided before. Something else under its number is a conflict.
    Duplicate { place: usize, conflict: bool },
    /// It waits for a number before it.
    Wait { place: usize },
    /// These numbers have not come.
    Gap { from: i64, to: i64 },
}

/// How far a number may lie beyond the last one. A till that counts each sale does not get there; a number near the
/// end of the range would leave no room for any after it.
const JUMP_MAX: i64 = 1_000_000;

/// Whether a number cannot be the till's next one, nor one of the next after it.
pub fn is_too_far(last: i64, sequence: i64) -> bool {
    sequence > last.saturating_add(JUMP_MAX)
}

/// The error about such a number.
pub fn too_far(last: i64) -> LedgerError {
    invalid("sequence", &format!("be at most {}", last.saturating_add(JUMP_MAX)))
        .with_count("last_sequence", last)
}

/// Puts what was sent in order and decides what to do with it. `decided` has the digests of those numbers among
/// them that were decided before. Returns the last number as well that is decided after it.
///
/// Numbers at or below the last that were never decided had been missing, and are taken now.
pub fn plan(
    last: i64,
    policy: GapPolicy,
    decided: &HashMap<i64, Digest>,
    sent: &[(i64, Digest)],
) -> (Vec<Step>, i64) {
    let mut order: Vec<usize> = (0..sent.len()).collect();
    order.sort_by_key(|place| sent[*place].0);
    let mut steps = Vec::with_capacity(sent.len());
    let (mut last, mut is_waiting) = (last, false);
    let mut taken: HashMap<i64, Digest> = HashMap::new();
    for place in order {
        let (sequence, digest) = sent[place];
        if let Some(before) = decided.get(&sequence).or_else(|| taken.get(&sequence)) {
            steps.push(Step::Duplicate { place, conflict: *before != digest });
            continue;
        }
        if sequence > last.saturating_add(1) && !is_waiting {
            steps.push(Step::Gap { from: last + 1, to: sequence - 1 });
            is_waiting = policy == GapPolicy::Wait;
        }
        if is_waiting {
            steps.push(Step::Wait { place });
            continue;
        }
        steps.push(Step::Take { place });
        taken.insert(sequence, digest);
        last = last.max(sequence);
    }
    (steps, last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use GapPolicy::{Take, Wait};

    fn sent(numbers: &[(i64, u8)]) -> Vec<(i64, Digest)> {
        numbers.iter().map(|(sequence, content)| (*sequence, [*content; 32])).collect()
    }

    fn run(last: i64, policy: GapPolicy, decided: &[(i64, u8)], numbers: &[(i64, u8)]) -> (Vec<Step>, i64) {
        plan(last, policy, &sent(decided).into_iter().collect(), &sent(numbers))
    }

    #[test]
    fn in_order_whatever_the_order_of_sending() {
        let (steps, last) = run(4, Wait, &[], &[(7, 1), (5, 1), (6, 1)]);
        assert_eq!(steps, [Step::Take { place: 1 }, Step::Take { place: 2 }, Step::Take { place: 0 }]);
        assert_eq!(last, 7);
        assert_eq!(run(4, Wait, &[], &[]), (vec![], 4));
    }

    #[test]
    fn what_was_decided_is_not_decided_again() {
        let (steps, last) = run(5, Wait, &[(4, 1), (5, 1)], &[(4, 1), (5, 2), (6, 1), (6, 1), (6, 9)]);
        assert_eq!(
            steps,
            [
                Step::Duplicate { place: 0, conflict: false },
                Step::Duplicate { place: 1, conflict: true },
                Step::Take { place: 2 },
                Step::Duplicate { place: 3, conflict: false },
                Step::Duplicate { place: 4, conflict: true },
            ]
        );
        assert_eq!(last, 6);
    }

    #[test]
    fn behind_a_gap_it_waits() {
        let (steps, last) = run(0, Wait, &[], &[(1, 1), (4, 1), (9, 1)]);
        assert_eq!(
            steps,
            [
                Step::Take { place: 0 },
                Step::Gap { from: 2, to: 3 },
                Step::Wait { place: 1 },
                Step::Wait { place: 2 }
            ]
        );
        assert_eq!(last, 1);
    }

    #[test]
    fn or_is_taken_and_the_missing_ones_later() {
        let (steps, last) = run(0, Take, &[], &[(2, 1), (5, 1)]);
        assert_eq!(
            steps,
            [
                Step::Gap { from: 1, to: 1 },
                Step::Take { place: 0 },
                Step::Gap { from: 3, to: 4 },
                Step::Take { place: 1 }
            ]
        );
        assert_eq!(last, 5);
        // The policy at that time does not matter: they were missing and are here now.
        for policy in [Wait, Take] {
            let (steps, last) = run(5, policy, &[(2, 1), (5, 1)], &[(4, 1), (1, 1), (2, 1)]);
            assert_eq!(
                steps,
                [
                    Step::Take { place: 1 },
                    Step::Duplicate { place: 2, conflict: false },
                    Step::Take { place: 0 }
                ]
            );
            assert_eq!(last, 5);
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let (steps, last) = run(i64::MAX, Wait, &[(i64::MAX, 1)], &[(i64::MAX, 1)]);
        assert_eq!(steps, [Step::Duplicate { place: 0, conflict: false }]);
        assert_eq!(last, i64::MAX);
        let (steps, last) = run(i64::MAX - 1, Take, &[], &[(i64::MAX, 1)]);
        assert_eq!((steps, last), (vec![Step::Take { place: 0 }], i64::MAX));
    }
}
