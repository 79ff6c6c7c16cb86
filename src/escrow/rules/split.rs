//! Exact splits, in the currency's smallest unit: the parts always add up to the whole.

use crate::rate::rules::Rate;

/// A count of smallest units: the mantissa of an amount, so at most 96 bits.
pub type Units = u128;

/// `a * b / c` and what remains. `a`, `b` and `c` have at most 96 bits and `b <= c`.
fn multiply_divide(a: Units, b: Units, c: Units) -> (Units, Units) {
    if let Some(product) = a.checked_mul(b) {
        return (product / c, product % c);
    }
    let (mut quotient, mut rest) = (0, 0);
    for place in (0..128 - a.leading_zeros()).rev() {
        quotient *= 2;
        rest = 2 * rest + if a >> place & 1 == 1 { b } else { 0 };
        quotient += rest / c;
        rest %= c;
    }
    (quotient, rest)
}

/// Splits `total` over parts in proportion to their weights. Each gets its share rounded down; what is left
/// goes, a unit each, to the largest remainders, of equal ones to the earlier part. `total` is at most the
/// sum of the weights, and so no part gets more than its weight.
pub fn proportional(total: Units, weights: &[Units]) -> Vec<Units> {
    let sum: Units = weights.iter().sum();
    if total == 0 || sum == 0 {
        return vec![0; weights.len()];
    }
    let shares: Vec<(Units, Units)> =
        weights.iter().map(|weight| multiply_divide(total, *weight, sum)).collect();
    let mut parts: Vec<Units> = shares.iter().map(|(share, _)| *share).collect();
    let left = total - parts.iter().sum::<Units>();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|part| std::cmp::Reverse(shares[*part].1));
    // Sorting is stable, and there are never more units left than parts with a remainder.
    for part in order.into_iter().take(left as usize) {
        parts[part] += 1;
    }
    parts
}

/// The platform's part of a gross amount: the rate's share, rounded to the nearest unit. Half a unit is the
/// beneficiary's, who comes first.
pub fn fee(gross: Units, rate: Rate) -> Units {
    let one = Units::from(Rate::ONE);
    let product = gross * Units::from(rate.millionths());
    product / one + Units::from(product % one * 2 > one)
}

/// `part` of `whole` in proportion, rounded down: what of a fee belongs to what was returned.
pub fn share(whole: Units, part: Units, of: Units) -> Units {
    if of == 0 { 0 } else { multiply_divide(whole, part, of).0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(millionths: u32) -> Rate {
        Rate::from_millionths(millionths).unwrap()
    }

    #[test]
    fn the_parts_add_up_and_ties_go_to_the_earlier() {
        assert_eq!(proportional(100, &[1, 1, 1].map(|weight| weight * 100)), [34, 33, 33]);
        assert_eq!(proportional(2, &[1, 1, 1]), [1, 1, 0]);
        assert_eq!(proportional(5, &[10, 0, 30]), [1, 0, 4]);
        assert_eq!(proportional(0, &[3, 4]), [0, 0]);
        assert_eq!(proportional(7, &[3, 4]), [3, 4]);
        assert_eq!(proportional(0, &[0, 0]), [0, 0]);
    }

    #[test]
    fn products_beyond_128_bits_are_exact() {
        let most = (1 << 96) - 1;
        assert_eq!(multiply_divide(most, most, most), (most, 0));
        assert_eq!(multiply_divide(most - 1, most - 2, most), (most - 3, 2));
        assert_eq!(proportional(most - 1, &[most / 2, most - most / 2]).iter().sum::<Units>(), most - 1);
        assert_eq!(fee(most, rate(Rate::ONE)), most);
    }

    #[test]
    fn a_fee_is_rounded_to_the_nearest_and_half_is_the_beneficiarys() {
        assert_eq!(fee(8_500_000, rate(150_000)), 1_275_000);
        for (gross, millionths, expected) in [
            (1, 500_000, 0),
            (1, 500_001, 1),
            (3, 500_000, 1),
            (1, 1_000_000, 1),
            (99, 0, 0),
            (33, 333_333, 11),
        ] {
            assert_eq!(fee(gross, rate(millionths)), expected, "{gross} at {millionths}");
        }
    }

    #[test]
    fn no_part_passes_its_weight() {
        for total in 0..=60 {
            for a in 0..=20 {
                for b in 0..=20 {
                    let weights = [a, b, 20];
                    if total > weights.iter().sum() {
                        continue;
                    }
                    let parts = proportional(total, &weights);
                    assert_eq!(parts.iter().sum::<Units>(), total);
                    assert!(parts.iter().zip(weights).all(|(part, weight)| *part <= weight), "{parts:?}");
                }
            }
        }
    }
}
