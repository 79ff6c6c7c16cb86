//! Exact amounts: what may enter the ledger, and sums that never round.
//!
//! Every stored amount and balance is a `Decimal` rescaled to its currency's scale. `Decimal` has 96
//! bits of mantissa; where a sum does not fit, `Decimal` would drop decimals to make room, so
//! [`add`] and [`subtract`] check that the scale survived and report an overflow instead.

use crate::error::{Code, LedgerError, Result};
use rust_decimal::Decimal;

/// A number as it came over the boundary, before anything is decided about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Finite(Decimal),
    Nan,
    Infinite,
    /// More digits than `Decimal` holds.
    OutOfRange,
}

impl Number {
    /// The finite value of the argument called `name`.
    pub fn finite(self, name: &str) -> Result<Decimal> {
        let reason = match self {
            Number::Finite(value) => return Ok(value),
            Number::Nan => "NaN",
            Number::Infinite => "infinite",
            Number::OutOfRange => {
                return Err(LedgerError::new(Code::AmountOutOfRange, format!("{name} has too many digits"))
                    .with("argument", name));
            }
        };
        Err(LedgerError::new(Code::InvalidAmount, format!("{name} must be a finite number, not {reason}"))
            .with("argument", name)
            .with("reason", reason))
    }
}

/// A movable amount: finite and above zero. `name` is the argument it came from.
pub fn positive(number: Number, name: &str) -> Result<Decimal> {
    let value = number.finite(name)?;
    if value > Decimal::ZERO {
        return Ok(value);
    }
    let reason = if value.is_zero() { "zero" } else { "negative" };
    Err(LedgerError::new(Code::InvalidAmount, format!("{name} must be above zero, not {value}"))
        .with("argument", name)
        .with("amount", value)
        .with("reason", reason))
}

/// The same value with exactly `scale` decimals, or the error that it does not have that form.
pub fn to_scale(value: Decimal, scale: u32, currency: &str, name: &str) -> Result<Decimal> {
    let trimmed = value.normalize();
    if trimmed.scale() > scale {
        return Err(LedgerError::new(
            Code::InvalidAmount,
            format!("{name} {value} has more than the {scale} decimals of {currency}"),
        )
        .with("argument", name)
        .with("amount", value)
        .with("currency", currency)
        .with_count("scale", i64::from(scale))
        .with("reason", "too_many_decimals"));
    }
    let mut scaled = trimmed;
    scaled.rescale(scale);
    if scaled.scale() == scale { Ok(scaled) } else { Err(out_of_range(name)) }
}

/// `a + b`, exact, or `None` where 96 bits do not hold it. Both have the same scale.
pub fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    debug_assert_eq!(a.scale(), b.scale());
    // Mantissas of one scale add as integers; i128 holds the sum of two 96-bit ones.
    Decimal::try_from_i128_with_scale(a.mantissa() + b.mantissa(), a.scale()).ok()
}

/// `a - b`, exact, or `None` where 96 bits do not hold it. Both have the same scale.
pub fn subtract(a: Decimal, b: Decimal) -> Option<Decimal> {
    add(a, -b)
}

/// The error for a value that cannot be kept exactly.
pub fn out_of_range(name: &str) -> LedgerError {
    LedgerError::new(Code::AmountOutOfRange, format!("{name} is too large to be kept exactly"))
        .with("argument", name)
}

/// Zero rupiah is `0.00`: zero with the scale of its currency.
pub fn zero(scale: u32) -> Decimal {
    Decimal::new(0, scale)
}

/// The same amount with a currency's decimals: what is stored may have fewer, a column's default say.
pub fn scaled(mut value: Decimal, scale: u32) -> Decimal {
    value.rescale(scale);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str(text).expect("a literal of the test")
    }

    #[test]
    fn only_finite_positive_numbers_move() {
        assert_eq!(positive(Number::Finite(decimal("0.01")), "amount"), Ok(decimal("0.01")));
        for (number, code) in [
            (Number::Nan, Code::InvalidAmount),
            (Number::Infinite, Code::InvalidAmount),
            (Number::Finite(decimal("0")), Code::InvalidAmount),
            (Number::Finite(decimal("-0.01")), Code::InvalidAmount),
            (Number::OutOfRange, Code::AmountOutOfRange),
        ] {
            assert_eq!(positive(number, "amount").unwrap_err().code, code, "{number:?}");
        }
    }

    #[test]
    fn decimals_are_judged_by_value_not_by_writing() {
        assert_eq!(to_scale(decimal("100.000"), 2, "IDR", "amount").unwrap().to_string(), "100.00");
        assert_eq!(to_scale(decimal("100"), 2, "IDR", "amount").unwrap().to_string(), "100.00");
        assert_eq!(to_scale(decimal("100.001"), 2, "IDR", "amount").unwrap_err().code, Code::InvalidAmount);
        assert_eq!(to_scale(decimal("0.5"), 0, "JPY", "amount").unwrap_err().code, Code::InvalidAmount);
    }

    #[test]
    fn what_does_not_fit_its_scale_is_refused_not_rounded() {
        let largest = Decimal::MAX;
        assert_eq!(to_scale(largest, 2, "IDR", "amount").unwrap_err().code, Code::AmountOutOfRange);
        let near = Decimal::try_from_i128_with_scale(Decimal::MAX.mantissa(), 2).unwrap();
        assert_eq!(add(near, decimal("0.01")), None);
        assert_eq!(subtract(-near, decimal("0.01")), None);
        assert_eq!(add(near, decimal("0.00")), Some(near));
    }

    #[test]
    fn sums_keep_the_scale() {
        let sum = add(decimal("0.10"), decimal("0.20")).unwrap();
        assert_eq!((sum.to_string().as_str(), sum.scale()), ("0.30", 2));
        assert_eq!(subtract(decimal("1.00"), decimal("1.00")).unwrap().to_string(), "0.00");
    }
}
