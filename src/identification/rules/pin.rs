//! PINs: which are allowed, how they are hashed, and how often one may be guessed.

use crate::error::{Code, LedgerError, Result, invalid};
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::ops::RangeInclusive;

/// How many digits a PIN has.
const DIGITS: RangeInclusive<usize> = 4..=12;

// OWASP's Password Storage Cheat Sheet recommends argon2id with at least 19 MiB, two passes and one lane. Twice
// the passes cost 50 to 100 ms on a small server, which a till does not notice and who tries them all does.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 4;
const LANES: u32 = 1;
/// Bytes of a salt, as RFC 9106 recommends.
pub const SALT_BYTES: usize = 16;

/// Digits, as many as a PIN has. Nothing else can be a member's PIN, so nothing else is worth hashing. The error
/// never repeats what was given.
pub fn check_form(pin: &str) -> Result<&str> {
    if DIGITS.contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(pin);
    }
    Err(invalid("pin", &format!("have {} to {} digits and nothing else", DIGITS.start(), DIGITS.end())))
}

/// The same for a PIN that is to be set: not one that everybody tries first.
pub fn check_new(pin: &str) -> Result<&str> {
    let digits = check_form(pin)?.as_bytes();
    let step = |pair: &[u8]| (10 + pair[1] - pair[0]) % 10;
    // Each digit the one before, or one more, or one less: 0000, 1234, 7890, 4321.
    let steps: Vec<u8> = digits.windows(2).map(step).collect();
    if [0, 1, 9].iter().any(|trivial| steps.iter().all(|step| step == trivial)) {
        let message = "a PIN must not be one digit repeated or digits in a row";
        return Err(LedgerError::new(Code::WeakPin, message).with("argument", "pin"));
    }
    Ok(pin)
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("parameters within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The PIN as a PHC string: method, parameters, salt and hash. Takes its time.
pub fn hash(pin: &str, salt: [u8; SALT_BYTES]) -> String {
    let salt = SaltString::encode_b64(&salt).expect("a salt of the recommended length");
    let hash = argon2().hash_password(pin.as_bytes(), &salt).expect("a PIN and a salt of bounded length");
    hash.to_string()
}

/// Whether this is the PIN of a PHC string, in the time that a hash takes. A string that cannot be read is an
/// error, never a wrong PIN.
pub fn matches(pin: &str, stored: &str) -> Result<bool> {
    let unreadable = || LedgerError::new(Code::BooksInconsistent, "the stored hash of a PIN cannot be read");
    let hash = PasswordHash::new(stored).map_err(|_| unreadable())?;
    match argon2().verify_password(pin.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(_) => Err(unreadable()),
    }
}

/// The wrong guesses so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    pub failed: i16,
    pub locked_until: Option<i64>,
}

/// Whether a guess may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// After so many wrong ones.
    Open {
        failed: i16,
    },
    Locked {
        until: i64,
    },
}

impl Attempts {
    /// When a lock-out is over, guesses are counted anew.
    pub fn gate(self, now: i64) -> Gate {
        match self.locked_until {
            None => Gate::Open { failed: self.failed },
            Some(until) if now < until => Gate::Locked { until },
            Some(_) => Gate::Open { failed: 0 },
        }
    }

    /// What one more wrong guess after `failed` others makes of it.
    pub fn after_wrong(failed: i16, most: i16, lockout: i64, now: i64) -> Self {
        let failed = failed.saturating_add(1);
        let locked_until = (failed >= most).then(|| now.saturating_add(lockout));
        Self { failed, locked_until }
    }

    /// How many guesses are left before the lock-out.
    pub fn left(self, most: i16) -> i16 {
        if self.locked_until.is_some() { 0 } else { most.saturating_sub(self.failed).max(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_digits_and_is_never_repeated_in_an_error() {
        for pin in ["0042", "9041", "123457", "121212", "908172635441"] {
            assert_eq!(check_new(pin), Ok(pin));
        }
        let long = "4".repeat(10_000);
        let malformed = [
            "",
            "7",
            "907",
            "9071726354412",
            "90a1",
            "abcd",
            "-9041",
            "90 41",
            " 9041",
            "９０４１",
            "٣١٤١",
            "💸💸💸💸",
            "9041\0",
            &long,
        ];
        for pin in malformed {
            let error = check_new(pin).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument, "{pin:?}");
            assert_eq!(error, check_form(pin).unwrap_err());
            let said = format!("{}{}", error.message, error.detail());
            assert!(pin.len() < 2 || !said.contains(pin), "{said}");
        }
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for pin in [
            "0000",
            "9999",
            "111111",
            "1234",
            "4321",
            "0123",
            "7890",
            "8901",
            "0987",
            "2109",
            "345678",
            "123456789012",
        ] {
            let error = check_new(pin).unwrap_err();
            assert_eq!(error.code, Code::WeakPin, "{pin}");
            assert!(!format!("{}{}", error.message, error.detail()).contains(pin));
            // It cannot be anybody's, but whoever tries it makes a guess.
            assert_eq!(check_form(pin), Ok(pin));
        }
    }

    #[test]
    fn a_hash_is_salted_slow_and_says_how_it_was_made() {
        let (one, other) = (hash("9041", [1; SALT_BYTES]), hash("9041", [2; SALT_BYTES]));
        assert_ne!(one, other);
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=4,p=1$"), "{one}");
        for stored in [&one, &other] {
            assert_eq!(matches("9041", stored), Ok(true));
            for wrong in ["9042", "90411", "904", ""] {
                assert_eq!(matches(wrong, stored), Ok(false), "{wrong:?}");
            }
        }
        for stored in [
            "",
            "9041",
            "$argon2id$",
            "$2b$12$abcdefghijklmnopqrstuv",
            "$argon2id$v=19$m=1,t=0,p=0$AAAA$AAAA",
        ] {
            assert_eq!(matches("9041", stored).unwrap_err().code, Code::BooksInconsistent, "{stored:?}");
        }
    }

    #[test]
    fn five_wrong_ones_lock_and_the_lock_ends() {
        let (most, lockout) = (5, 900);
        let mut attempts = Attempts::default();
        for guess in 1..=5 {
            let Gate::Open { failed } = attempts.gate(100) else { panic!("locked before guess {guess}") };
            attempts = Attempts::after_wrong(failed, most, lockout, 100);
            assert_eq!(attempts.left(most), 5 - guess);
        }
        assert_eq!(attempts, Attempts { failed: 5, locked_until: Some(1_000) });
        assert_eq!(attempts.gate(999), Gate::Locked { until: 1_000 });
        assert_eq!(attempts.gate(1_000), Gate::Open { failed: 0 });
        // Fewer are allowed than were made meanwhile: the next wrong one locks.
        assert_eq!(Attempts::after_wrong(3, 2, lockout, 100).locked_until, Some(1_000));
        assert_eq!(Attempts { failed: 3, locked_until: None }.left(2), 0);
        assert_eq!(Attempts::after_wrong(i16::MAX, most, i64::MAX, 100).locked_until, Some(i64::MAX));
    }
}
