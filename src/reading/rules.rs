//! Which time a question means, and where in an account's history it falls.

use crate::error::{Result, invalid};

/// Most lines of one page of a statement.
pub const PAGE_MAX: i32 = 10_000;

/// By which of a transfer's two times a past balance is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBasis {
    /// When it was posted: what the ledger said at that moment.
    Posted,
    /// When it counts: what should have been there, as is known now.
    Effective,
}

impl TimeBasis {
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "posted" => Ok(TimeBasis::Posted),
            "effective" => Ok(TimeBasis::Effective),
            _ => Err(invalid("time_basis", "be posted or effective").with("value", name)),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            TimeBasis::Posted => "posted",
            TimeBasis::Effective => "effective",
        }
    }
}

/// The largest version in 0..=`newest` that lies within, where every version up to some point does and
/// none after it; version 0 always does. Asks about 2·log2(newest) versions at most, and few where the
/// answer is near the newest: recent moments are asked for most.
pub fn last_within(newest: i64, mut is_within: impl FnMut(i64) -> Result<bool>) -> Result<i64> {
    let (mut low, mut high, mut step) = (0, newest, 1);
    while low < high {
        let probe = (high - step + 1).max(low + 1);
        if is_within(probe)? {
            low = probe;
            break;
        }
        high = probe - 1;
        step *= 2;
    }
    while low < high {
        let probe = low + (high - low + 1) / 2;
        if is_within(probe)? {
            low = probe;
        } else {
            high = probe - 1;
        }
    }
    Ok(low)
}

/// A page's size.
pub fn check_page_size(size: i32) -> Result<i64> {
    if (1..=PAGE_MAX).contains(&size) {
        Ok(i64::from(size))
    } else {
        Err(invalid("page_size", "be between 1 and 10000").with_count("value", i64::from(size)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_boundary_is_found_with_few_probes() {
        for newest in (0..70).chain([1_000, 1_000_000]) {
            let boundaries: Vec<i64> = if newest <= 1_000 {
                (0..=newest).collect()
            } else {
                vec![0, 1, 2, 499_999, 500_000, 999_990, 999_999, 1_000_000]
            };
            for boundary in boundaries {
                let mut probes = 0;
                let found = last_within(newest, |version| {
                    assert!((1..=newest).contains(&version));
                    probes += 1;
                    Ok(version <= boundary)
                });
                assert_eq!(found, Ok(boundary), "of {newest}");
                assert!(probes <= 2 * (64 - newest.leading_zeros()), "{probes} probes of {newest}");
            }
        }
    }

    #[test]
    fn an_error_of_a_probe_ends_the_search() {
        assert!(last_within(10, |_| Err(invalid("x", "y"))).is_err());
    }

    #[test]
    fn arguments_are_checked() {
        assert_eq!(TimeBasis::from_name("effective"), Ok(TimeBasis::Effective));
        assert!(TimeBasis::from_name("Posted").is_err());
        assert!(check_page_size(0).is_err() && check_page_size(10_001).is_err());
        assert_eq!(check_page_size(10_000), Ok(10_000));
    }
}
