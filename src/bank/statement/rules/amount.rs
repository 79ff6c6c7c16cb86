//! Amounts as statements print them: `1,234,567.89`, `1.234.567,89`, `1234567.89`, with or without `Rp`
//! before and `CR` or `DB` behind.
//!
//! Which sign is the decimal one is never guessed. A cell that can be read in one way only is read so
//! (`1,234.50`, `1.234.567`, `12,5`), and says how the file writes its amounts. A cell that can be read in
//! two ways (`1.234` and `1,234`: one to three digits, a sign, three digits) is read as the rest of the file is
//! written; where the rest says nothing, or two different things, it is refused as `ambiguous_amount`.
//! Because no amount has more than two decimals, a thousand is never taken for a one, nor the reverse.

use crate::bank::rules::Direction;
use rust_decimal::Decimal;

/// Banks of this country print two decimals or none.
pub const DECIMALS_MAX: u32 = 2;
/// So that the sum of all lines of a statement is still exact.
pub const WHOLE_DIGITS_MAX: usize = 18;

/// Which sign stands before the decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Point,
    Comma,
}

/// Why a cell is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Invalid,
    Ambiguous,
}

impl Fault {
    pub fn reason(self) -> &'static str {
        match self {
            Fault::Invalid => "invalid_amount",
            Fault::Ambiguous => "ambiguous_amount",
        }
    }
}

/// A cell with everything around its number taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    number: &'a str,
    negative: bool,
    /// The `CR` or `DB` behind the number.
    pub direction: Option<Direction>,
}

/// `CR`, `DB` and their kin, as the bank means them: a credit is money into the account.
pub fn direction(word: &str) -> Option<Direction> {
    let is = |known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is(&["CR", "C", "K", "KR", "CREDIT", "KREDIT"]) {
        Some(Direction::Credit)
    } else if is(&["DB", "D", "DR", "DEBIT", "DEBET"]) {
        Some(Direction::Debit)
    } else {
        None
    }
}

/// Takes a cell apart. `Ok(None)` is an empty cell, or a lone dash, which stands for one.
pub fn cell(text: &str) -> Result<Option<Cell<'_>>, Fault> {
    let mut number = text.trim().trim_start_matches('\'').trim();
    for prefix in ["Rp.", "Rp", "IDR"] {
        if let Some(start) = number.get(..prefix.len())
            && start.eq_ignore_ascii_case(prefix)
        {
            number = number[prefix.len()..].trim_start();
            break;
        }
    }
    if number.is_empty() || number == "-" {
        return Ok(None);
    }
    let rest = number.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let word = &number[rest.len()..];
    // Two letters at least: the `K` of `150 K` may be a thousand.
    let direction = match word.len() {
        0 => None,
        1 => return Err(Fault::Invalid),
        _ => Some(direction(word).ok_or(Fault::Invalid)?),
    };
    number = rest.trim_end();
    let (front, back) = (number.strip_prefix('-'), number.strip_suffix('-'));
    let negative = front.is_some() || back.is_some();
    Ok(Some(Cell { number: front.or(back).unwrap_or(number), negative, direction }))
}

impl Cell<'_> {
    /// How the file writes its amounts, if this cell alone proves it.
    pub fn style(&self) -> Option<Style> {
        let proves = |value: Decimal| value.scale() <= DECIMALS_MAX;
        match (under(Style::Point, self.number), under(Style::Comma, self.number)) {
            (Some(value), None) if proves(value) => Some(Style::Point),
            (None, Some(value)) if proves(value) => Some(Style::Comma),
            _ => None,
        }
    }

    /// The amount without its sign.
    pub fn magnitude(&self, style: Option<Style>) -> Result<Decimal, Fault> {
        let value = match (under(Style::Point, self.number), under(Style::Comma, self.number)) {
            (Some(point), Some(comma)) if point == comma => point,
            (Some(point), Some(comma)) => match style {
                Some(Style::Point) => point,
                Some(Style::Comma) => comma,
                None => return Err(Fault::Ambiguous),
            },
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => return Err(Fault::Invalid),
        };
        if value.scale() > DECIMALS_MAX { Err(Fault::Invalid) } else { Ok(value) }
    }

    /// What moved: zero or more.
    pub fn amount(&self, style: Option<Style>) -> Result<Decimal, Fault> {
        if self.negative { Err(Fault::Invalid) } else { self.magnitude(style) }
    }

    /// A balance: below zero with a minus, or marked as a debit.
    pub fn balance(&self, style: Option<Style>) -> Result<Decimal, Fault> {
        let below = self.negative || self.direction == Some(Direction::Debit);
        self.magnitude(style).map(|value| if below { -value } else { value })
    }
}

/// The one style that all of `cells` agree on.
pub fn style_of<'a>(cells: impl Iterator<Item = &'a str>) -> Option<Style> {
    let mut found = None;
    for style in cells.filter_map(|text| cell(text).ok().flatten()?.style()) {
        match found {
            None => found = Some(style),
            Some(other) if other != style => return None,
            Some(_) => {}
        }
    }
    found
}

/// The number that `text` is in this style: whole digits, in one piece or in well-formed groups of three,
/// and perhaps decimals.
fn under(style: Style, text: &str) -> Option<Decimal> {
    let (group, point) = match style {
        Style::Point => (',', '.'),
        Style::Comma => ('.', ','),
    };
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match text.split_once(point) {
        Some((whole, fraction)) if !fraction.is_empty() && plain(fraction) => (whole, fraction),
        Some(_) => return None,
        None if text.is_empty() => return None,
        None => (text, ""),
    };
    let mut groups = whole.split(group);
    let first = groups.next().unwrap_or_default();
    let mut digits = first.to_owned();
    for part in groups {
        if part.len() != 3 || first.is_empty() || first.len() > 3 || first.starts_with('0') {
            return None;
        }
        digits.push_str(part);
    }
    if !plain(&digits) || digits.len() > WHOLE_DIGITS_MAX || fraction.len() > WHOLE_DIGITS_MAX {
        return None;
    }
    let text = match (digits.as_str(), fraction) {
        (whole, "") => whole.to_owned(),
        ("", fraction) => format!("0.{fraction}"),
        (whole, fraction) => format!("{whole}.{fraction}"),
    };
    Decimal::from_str_exact(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, style: Option<Style>) -> Result<String, Fault> {
        cell(text)?.ok_or(Fault::Invalid)?.amount(style).map(|value| value.to_string())
    }

    #[test]
    fn what_reads_in_one_way_only_needs_no_style() {
        for (text, value) in [
            ("1,234,567.89", "1234567.89"),
            ("1.234.567,89", "1234567.89"),
            ("1234567.89", "1234567.89"),
            ("1234567,8", "1234567.8"),
            ("1,234,567", "1234567"),
            ("1.234.567", "1234567"),
            ("150000", "150000"),
            (" Rp 150.000,00 ", "150000.00"),
            ("Rp.1.500.000", "1500000"),
            ("IDR 12", "12"),
            ("'12.50", "12.50"),
            ("1,000.00 CR", "1000.00"),
            ("1.000,00DB", "1000.00"),
            (".00", "0.00"),
            ("0,5", "0.5"),
        ] {
            for style in [None, Some(Style::Point), Some(Style::Comma)] {
                assert_eq!(read(text, style).as_deref(), Ok(value), "{text:?} {style:?}");
            }
        }
    }

    #[test]
    fn a_thousand_is_never_taken_for_a_one() {
        for (text, thousand) in [("1.234", Style::Comma), ("1,234", Style::Point), ("150.000", Style::Comma)]
        {
            let value = text.replace(['.', ','], "");
            assert_eq!(read(text, None), Err(Fault::Ambiguous), "{text}");
            assert_eq!(read(text, Some(thousand)), Ok(value), "{text}");
            let other = if thousand == Style::Point { Style::Comma } else { Style::Point };
            assert_eq!(read(text, Some(other)), Err(Fault::Invalid), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount() {
        for text in [
            "abc",
            "1e400",
            "1E5",
            "1,23,456",
            "12,34.5",
            "1.2.3",
            "1,2,3",
            "1,234.567",
            "0.001",
            "1.2345",
            "--5",
            "-5",
            "5-",
            "+5",
            "1 000",
            "１２３",
            "12.",
            ",",
            ".",
            "1..2",
            "5 XX",
            "NaN",
            "💸",
            "0,500.00",
            "(5)",
            "1'000",
            "5 CR CR",
            "5K",
            "150 K",
            "2 D",
            "9999999999999999999",
            "1234567.890",
        ] {
            assert_eq!(read(text, None), Err(Fault::Invalid), "{text:?}");
        }
        assert_eq!(read(&"9".repeat(5_000), None), Err(Fault::Invalid));
        for text in ["", "  ", "-", "Rp", "Rp -", "'"] {
            assert_eq!(cell(text), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn balances_may_be_below_zero() {
        let balance = |text: &str| cell(text).unwrap().unwrap().balance(None).unwrap().to_string();
        assert_eq!(balance("-1,000.50"), "-1000.50");
        assert_eq!(balance("1,000.50-"), "-1000.50");
        assert_eq!(balance("1.000,50 DB"), "-1000.50");
        assert_eq!(balance("1.000,50 CR"), "1000.50");
    }

    #[test]
    fn a_file_has_the_style_that_all_its_cells_agree_on() {
        let style = |cells: &[&str]| style_of(cells.iter().copied());
        assert_eq!(style(&["1.234", "1,234", "50000", "", "x"]), None);
        assert_eq!(style(&["1.234", "1.234.567"]), Some(Style::Comma));
        assert_eq!(style(&["1,234", "10.50"]), Some(Style::Point));
        assert_eq!(style(&["1,234.00", "1.234,00", "1,234.00"]), None);
        assert_eq!(style(&["1234.567", "0.001"]), None, "three decimals prove nothing");
    }
}
