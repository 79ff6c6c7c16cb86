//! Numbers as JSON writes them, and their exact values.

use rust_decimal::Decimal;

/// The exact value of a JSON number, with or without an exponent; `None` where no `Decimal` has it.
pub fn decimal(literal: &str) -> Option<Decimal> {
    let Some((mantissa, exponent)) = literal.split_once(['e', 'E']) else {
        return Decimal::from_str_exact(literal).ok();
    };
    let (negative, unsigned) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let joined = [whole, fraction].concat();
    let digits = joined.trim_end_matches('0');
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some(Decimal::ZERO);
    }
    // The value is `significant` times ten to the power of `power`.
    let cut = i64::try_from(joined.len() - digits.len()).ok()?;
    let power =
        exponent.parse::<i64>().ok()?.checked_add(cut)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let value: i128 = if significant.len() > 30 { return None } else { significant.parse().ok()? };
    let value = if negative { -value } else { value };
    match u32::try_from(power) {
        Ok(zeros) => {
            Decimal::try_from_i128_with_scale(value.checked_mul(10_i128.checked_pow(zeros)?)?, 0).ok()
        }
        Err(_) => Decimal::try_from_i128_with_scale(value, u32::try_from(power.checked_neg()?).ok()?).ok(),
    }
}

/// The grammar of numbers in RFC 8259.
pub fn is_number(bytes: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let [b'.', fraction @ ..] = rest {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let unsigned = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let count = digits(unsigned);
        return count > 0 && count == unsigned.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<String> {
        decimal(text).map(|value| value.to_string())
    }

    #[test]
    fn numbers_become_exact_decimals() {
        for (text, value) in [
            ("100123", "100123"),
            ("3799460.89", "3799460.89"),
            ("12111.00", "12111.00"),
            ("1e3", "1000"),
            ("1.5E+3", "1500"),
            ("-1e0", "-1"),
            ("1500e-2", "15"),
            ("1e-28", "0.0000000000000000000000000001"),
            ("0e999999999999999999999", "0"),
            ("0.1e1", "1"),
            ("0.0001e4", "1"),
            ("100e-1", "10"),
            ("-0", "0"),
            ("79228162514264337593543950335", "79228162514264337593543950335"),
            ("7e28", "70000000000000000000000000000"),
            ("100000000000000000000000000000000000000000e-40", "10"),
        ] {
            assert_eq!(number(text).as_deref(), Some(value), "{text}");
        }
        for text in [
            "1e400",
            "1e29",
            "8e28",
            "-1e99999999999999999999",
            "1e-29",
            "79228162514264337593543950336",
            "1e9223372036854775807",
            "0.00000000000000000000000000001",
            "1e-9223372036854775808",
            "1.1e-9223372036854775808",
            "1234567890123456789012345678901e-10",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(number(&("1".to_owned() + &"0".repeat(1_000_000) + "e-1000000")), Some("1".to_owned()));
    }
}
