//! `numeric` to and from `Decimal`, without text.
//!
//! PostgreSQL stores a numeric as base-10000 digits behind a two- or four-byte header. That layout is
//! its on-disk format: `pg_upgrade` depends on it, and it has been the same since 9.1. Reading it
//! directly costs a few nanoseconds where `numeric_out` and a parser cost most of a microsecond; a
//! batch of 10,000 transfers converts 40,000 of them. `tests/tests/numeric.rs` compares both ways.

use crate::money::Number;
use pgrx::pg_sys;
use rust_decimal::Decimal;

/// Base of one stored digit: four decimal places.
const BASE: u128 = 10_000;
const PLACES_PER_DIGIT: i32 = 4;
/// Largest mantissa of a `Decimal`: 96 bits.
const MANTISSA_MAX: u128 = (1 << 96) - 1;
/// Most decimals of a `Decimal`.
const SCALE_MAX: i32 = 28;

const HEADER_KIND_MASK: u16 = 0xC000;
const HEADER_SHORT: u16 = 0x8000;
const HEADER_NEGATIVE: u16 = 0x4000;
const HEADER_SPECIAL: u16 = 0xC000;
const HEADER_NAN: u16 = 0xC000;
const SPECIAL_MASK: u16 = 0xF000;
const SHORT_NEGATIVE: u16 = 0x2000;
const SHORT_SCALE_SHIFT: u16 = 7;
const SHORT_SCALE_MASK: u16 = 0x3F;
const SHORT_WEIGHT_SIGN: u16 = 0x40;
const SHORT_WEIGHT_MASK: u16 = 0x3F;
const LONG_SCALE_MASK: u16 = 0x3FFF;

/// A numeric taken apart: sign, decimals to show, power of 10000 of the first digit, digits.
struct Parts {
    negative: bool,
    scale: i32,
    weight: i32,
    digits: Vec<u16>,
}

/// Reads a numeric.
///
/// # Safety
/// `datum` must be a non-NULL numeric.
pub unsafe fn from_datum(datum: pg_sys::Datum) -> Number {
    // SAFETY: the caller vouches for the type; detoasting returns a plain varlena.
    unsafe {
        let packed = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
        let length = pgrx::varlena::varsize_any_exhdr(packed);
        let bytes = std::slice::from_raw_parts(pgrx::varlena::vardata_any(packed).cast::<u8>(), length);
        from_bytes(bytes)
    }
}

fn from_bytes(bytes: &[u8]) -> Number {
    let word = |index: usize| u16::from_ne_bytes([bytes[2 * index], bytes[2 * index + 1]]);
    let header = word(0);
    let kind = header & HEADER_KIND_MASK;
    if kind == HEADER_SPECIAL {
        return if header & SPECIAL_MASK == HEADER_NAN { Number::Nan } else { Number::Infinite };
    }
    let words = bytes.len() / 2;
    if kind == HEADER_SHORT {
        let low = (header & SHORT_WEIGHT_MASK) as i32;
        let weight = if header & SHORT_WEIGHT_SIGN != 0 { low - 64 } else { low };
        let digits = (1..words).map(word).collect();
        return Parts {
            negative: header & SHORT_NEGATIVE != 0,
            scale: i32::from((header >> SHORT_SCALE_SHIFT) & SHORT_SCALE_MASK),
            weight,
            digits,
        }
        .to_number();
    }
    Parts {
        negative: kind == HEADER_NEGATIVE,
        scale: i32::from(header & LONG_SCALE_MASK),
        weight: i32::from(word(1) as i16),
        digits: (2..words).map(word).collect(),
    }
    .to_number()
}

impl Parts {
    fn to_number(&self) -> Number {
        self.to_decimal().map_or(Number::OutOfRange, Number::Finite)
    }

    fn to_decimal(&self) -> Option<Decimal> {
        let mut mantissa: u128 = 0;
        for digit in &self.digits {
            mantissa = mantissa.checked_mul(BASE)?.checked_add(u128::from(*digit))?;
        }
        // The last digit stands at this power of ten.
        let count = i32::try_from(self.digits.len()).ok()?;
        let mut exponent = if mantissa == 0 { 0 } else { PLACES_PER_DIGIT * (self.weight - count + 1) };
        // Trailing zeros beyond the shown decimals are padding of the base-10000 digits.
        while exponent < 0 && -exponent > self.scale.min(SCALE_MAX) && mantissa.is_multiple_of(10) {
            mantissa /= 10;
            exponent += 1;
        }
        if exponent < -SCALE_MAX {
            return None;
        }
        if exponent > 0 {
            mantissa = mantissa.checked_mul(10_u128.checked_pow(exponent as u32)?)?;
            exponent = 0;
        }
        // Show as many decimals as the numeric does, where they fit.
        while -exponent < self.scale.min(SCALE_MAX) && mantissa <= MANTISSA_MAX / 10 {
            mantissa *= 10;
            exponent -= 1;
        }
        if mantissa > MANTISSA_MAX {
            return None;
        }
        let signed = i128::try_from(mantissa).ok()?;
        let signed = if self.negative { -signed } else { signed };
        Decimal::try_from_i128_with_scale(signed, exponent.unsigned_abs()).ok()
    }
}

/// Writes a numeric into the current memory context.
pub fn to_datum(value: Decimal) -> pg_sys::Datum {
    let (header, digits, count) = to_parts(value);
    let size = 4 + 2 + 2 * count;
    // SAFETY: palloc returns `size` writable bytes, all of which are written here.
    unsafe {
        let target = pg_sys::palloc(size).cast::<u8>();
        pgrx::varlena::set_varsize_4b(target.cast(), size as i32);
        target.add(4).cast::<u16>().write_unaligned(header);
        for (index, digit) in digits[..count].iter().enumerate() {
            target.add(6 + 2 * index).cast::<u16>().write_unaligned(*digit);
        }
        pg_sys::Datum::from(target)
    }
}

/// Most base-10000 digits of a `Decimal`: 29 places, not aligned to groups of four.
const DIGITS_MAX: usize = 9;

fn to_parts(value: Decimal) -> (u16, [u16; DIGITS_MAX], usize) {
    let scale = value.scale();
    // The decimal point must fall between two digits, so the last group is padded with zeros.
    let groups_after_point = scale.div_ceil(4);
    let mut mantissa = value.mantissa().unsigned_abs() * 10_u128.pow(groups_after_point * 4 - scale);
    let mut reversed = [0_u16; DIGITS_MAX];
    let mut total = 0;
    while mantissa > 0 {
        // Most amounts fit 64 bits, where division is several times faster.
        if let Ok(small) = u64::try_from(mantissa) {
            reversed[total] = (small % BASE as u64) as u16;
            mantissa = u128::from(small / BASE as u64);
        } else {
            reversed[total] = (mantissa % BASE) as u16;
            mantissa /= BASE;
        }
        total += 1;
    }
    let skipped = reversed[..total].iter().take_while(|digit| **digit == 0).count();
    let count = total - skipped;
    let mut digits = [0_u16; DIGITS_MAX];
    for (index, digit) in reversed[skipped..total].iter().rev().enumerate() {
        digits[index] = *digit;
    }
    let weight = if count == 0 { 0 } else { total as i32 - groups_after_point as i32 - 1 };
    let mut header = HEADER_SHORT | ((scale as u16) << SHORT_SCALE_SHIFT);
    if value.is_sign_negative() && count > 0 {
        header |= SHORT_NEGATIVE;
    }
    header |= (weight as u16) & (SHORT_WEIGHT_SIGN | SHORT_WEIGHT_MASK);
    (header, digits, count)
}
