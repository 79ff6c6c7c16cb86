//! What of an escrow is for one beneficiary, and what has moved of it so far.

use super::split::{self, Units};
use crate::rate::rules::Rate;

/// The sums of one line. Gross amounts unless they say otherwise; all in smallest units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub amount: Units,
    pub rate: Rate,
    /// Paid out, the fee included.
    pub released: Units,
    pub fee: Units,
    /// Given to the buyer before it was paid out.
    pub refunded: Units,
    /// Given to the buyer after it was paid out, the returned fee included.
    pub returned: Units,
    pub returned_fee: Units,
    /// Of the beneficiary's part of `returned`, what the platform paid in their place.
    pub advanced: Units,
}

/// What an action moves on one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub released: Units,
    pub fee: Units,
    pub refunded: Units,
    pub returned: Units,
    pub returned_fee: Units,
    pub advanced: Units,
}

impl Split {
    /// What the beneficiary gets.
    pub fn net(&self) -> Units {
        self.released - self.fee
    }

    /// What the beneficiary has to give back.
    pub fn returned_net(&self) -> Units {
        self.returned - self.returned_fee
    }

    pub fn is_nothing(&self) -> bool {
        self.released == 0 && self.refunded == 0 && self.returned == 0
    }
}

impl Line {
    pub fn new(amount: Units, rate: Rate) -> Self {
        Self { amount, rate, released: 0, fee: 0, refunded: 0, returned: 0, returned_fee: 0, advanced: 0 }
    }

    /// What is still in the escrow.
    pub fn held(&self) -> Units {
        self.amount - self.released - self.refunded
    }

    /// What was paid out and not given back.
    pub fn returnable(&self) -> Units {
        self.released - self.returned
    }

    /// What the beneficiary has got and not given back.
    pub fn earned(&self) -> Units {
        (self.released - self.fee) - (self.returned - self.returned_fee)
    }

    /// How a release of this much is split: the fee is always what the rate says of all that was released
    /// so far, so that many small releases come to the same as one.
    pub fn release(&self, gross: Units) -> Split {
        let fee = split::fee(self.released + gross, self.rate).saturating_sub(self.fee).min(gross);
        Split { released: gross, fee, ..Split::default() }
    }

    /// How a return of this much is split: as what was paid out was. All that was returned so far carries
    /// its part of the fee, and the last return all that is left of it; neither party gives back more than
    /// it got.
    pub fn give_back(&self, gross: Units) -> Split {
        let due = split::share(self.fee, self.returned + gross, self.released);
        let fee_left = self.fee - self.returned_fee;
        let returned_fee = due
            .saturating_sub(self.returned_fee)
            .max(gross.saturating_sub(self.earned()))
            .min(fee_left)
            .min(gross);
        Split { returned: gross, returned_fee, ..Split::default() }
    }

    /// The line after an action.
    pub fn after(&self, split: &Split) -> Line {
        Line {
            released: self.released + split.released,
            fee: self.fee + split.fee,
            refunded: self.refunded + split.refunded,
            returned: self.returned + split.returned,
            returned_fee: self.returned_fee + split.returned_fee,
            advanced: self.advanced + split.advanced,
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn line(amount: Units, millionths: u32) -> Line {
        Line::new(amount, Rate::from_millionths(millionths).unwrap())
    }

    fn refund(gross: Units) -> Split {
        Split { refunded: gross, ..Split::default() }
    }

    #[test]
    fn the_food_of_the_example() {
        let food = line(8_500_000, 150_000);
        let split = food.release(8_500_000);
        assert_eq!((split.net(), split.fee), (7_225_000, 1_275_000));
        let food = food.after(&split);
        let back = food.give_back(8_500_000);
        assert_eq!((back.returned_net(), back.returned_fee), (7_225_000, 1_275_000));
    }

    #[test]
    fn a_hundred_sen_in_hundred_releases_pay_the_fee_of_one() {
        let mut slow = line(100, 150_000);
        for _ in 0..100 {
            slow = slow.after(&slow.release(1));
        }
        assert_eq!((slow.released, slow.fee), (100, 15));
        let mut fees = 0;
        for _ in 0..100 {
            let split = slow.give_back(1);
            fees += split.returned_fee;
            slow = slow.after(&split);
        }
        assert_eq!((slow.returnable(), slow.returned_fee, fees), (0, 15, 15));
    }

    /// Whatever the order of partial releases, refunds and returns, nobody gives or gets a unit too much.
    #[test]
    fn random_lives_of_a_line_add_up() {
        let seed = std::env::var("WL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121);
        println!("WL_SEED={seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..20_000 {
            let rate = Rate::from_millionths(rng.random_range(0..=Rate::ONE)).unwrap();
            let mut line = Line::new(rng.random_range(1..=10_000), rate);
            for _ in 0..30 {
                let split = match rng.random_range(0..3) {
                    0 if line.held() > 0 => line.release(rng.random_range(1..=line.held())),
                    1 if line.held() > 0 => refund(rng.random_range(1..=line.held())),
                    _ if line.returnable() > 0 => line.give_back(rng.random_range(1..=line.returnable())),
                    _ => continue,
                };
                assert!(split.fee <= split.released && split.returned_fee <= split.returned, "{split:?}");
                line = line.after(&split);
                assert!(line.released + line.refunded <= line.amount);
                assert_eq!(line.fee, split::fee(line.released, rate), "{line:?}");
                assert!(line.returned_fee <= line.fee, "{line:?}");
                assert!(line.returned - line.returned_fee <= line.released - line.fee, "{line:?}");
            }
            line = line.after(&refund(line.held()));
            line = line.after(&line.give_back(line.returnable()));
            assert_eq!((line.returned, line.returned_fee), (line.released, line.fee), "{line:?}");
            assert_eq!(line.refunded + line.returned, line.amount);
        }
    }
}
