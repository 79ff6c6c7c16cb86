//! Which limits count when: the changes of an account's limits and of the organisation's, laid side by side.

use super::{Limit, counting};
use std::collections::BTreeMap;

/// The changes of the limits of one account, or of the organisation, in the order in which they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline(Vec<(i64, Limit)>);

impl Timeline {
    /// Of changes with the moment from which each counts.
    pub fn new(mut changes: Vec<(i64, Limit)>) -> Self {
        changes.sort_by_key(|(from, limit)| (*from, limit.revision));
        Self(changes)
    }

    /// Of each name the change that counts at a moment.
    fn at(&self, at: i64) -> impl Iterator<Item = Limit> {
        let begun = self.0.iter().take_while(|(from, _)| *from <= at);
        let last: BTreeMap<&str, &Limit> = begun.map(|(_, limit)| (limit.name.as_str(), limit)).collect();
        last.into_values().cloned().collect::<Vec<_>>().into_iter()
    }
}

/// The limits that count for a wallet in a currency at some moments, by the moment from which they do. Between two
/// changes they are the same, however many moments lie there.
pub fn at_moments(
    own: &Timeline,
    default: &Timeline,
    currency: &str,
    moments: impl IntoIterator<Item = i64>,
) -> BTreeMap<i64, Vec<Limit>> {
    let mut begins: Vec<i64> = own.0.iter().chain(&default.0).map(|(from, _)| *from).collect();
    begins.sort_unstable();
    begins.dedup();
    let mut sets = BTreeMap::new();
    for at in moments {
        let begun = begins.partition_point(|from| *from <= at);
        let from = if begun == 0 { i64::MIN } else { begins[begun - 1] };
        sets.entry(from)
            .or_insert_with(|| counting(own.at(from).chain(default.at(from)).collect(), currency));
    }
    sets
}
