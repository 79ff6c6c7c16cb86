//! QR codes: the token that a member shows, and what is kept of it.

use super::Failure;
use crate::error::{Result, invalid};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;

/// Random bytes of a token: nobody guesses one.
pub const TOKEN_BYTES: usize = 32;
const SECOND: i64 = 1_000_000;
/// For how long a code may be shown, in microseconds.
const LIFE: RangeInclusive<i64> = 5 * SECOND..=15 * 60 * SECOND;

/// How long a code counts.
pub fn check_life(micros: i64) -> Result<i64> {
    if LIFE.contains(&micros) {
        return Ok(micros);
    }
    Err(invalid("expires_in", "be between 5 seconds and 15 minutes"))
}

/// The token as text that a QR code and a URL carry as it is.
pub fn token(random: [u8; TOKEN_BYTES]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

/// What is kept of a token. `None` for what no token of ours can be, whatever its length.
pub fn digest(token: &str) -> Option<[u8; 32]> {
    // Base64 writes three bytes as four characters.
    const CHARACTERS: usize = (TOKEN_BYTES * 4).div_ceil(3);
    if token.len() != CHARACTERS || URL_SAFE_NO_PAD.decode(token).is_err() {
        return None;
    }
    Some(Sha256::digest(token).into())
}

/// A code as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub member: String,
    pub expires_at: i64,
    pub used_at: Option<i64>,
}

/// Why a code does not identify the member who was named, if it does not.
pub fn failure(stored: Option<&Stored>, named: Option<&str>, now: i64) -> Option<Failure> {
    match stored {
        None => Some(Failure::CodeUnknown),
        Some(stored) if named.is_some_and(|named| named != stored.member) => Some(Failure::CodeOfAnother),
        Some(Stored { used_at: Some(_), .. }) => Some(Failure::CodeUsed),
        Some(stored) if stored.expires_at <= now => Some(Failure::CodeExpired),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_text_and_only_its_digest_is_found() {
        let shown = token([0xFB; TOKEN_BYTES]);
        assert_eq!(shown.len(), 43);
        assert!(shown.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(digest(&shown), Some(Sha256::digest(&shown).into()));
        assert_ne!(digest(&shown), digest(&token([0xFC; TOKEN_BYTES])));
        let long = "A".repeat(10_000);
        let spaced = format!("{} ", &shown[..42]);
        for other in ["", "x", &shown[1..], &spaced, &long, "💸"] {
            assert_eq!(digest(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_code_counts_once_for_its_member_until_it_expires() {
        let fresh = Stored { member: "ana".to_owned(), expires_at: 100, used_at: None };
        assert_eq!(failure(Some(&fresh), None, 99), None);
        assert_eq!(failure(Some(&fresh), Some("ana"), 99), None);
        assert_eq!(failure(Some(&fresh), None, 100), Some(Failure::CodeExpired));
        assert_eq!(failure(Some(&fresh), Some("ben"), 99), Some(Failure::CodeOfAnother));
        assert_eq!(failure(None, Some("ana"), 99), Some(Failure::CodeUnknown));
        let used = Stored { used_at: Some(50), ..fresh };
        assert_eq!(failure(Some(&used), None, 60), Some(Failure::CodeUsed));
        assert_eq!(failure(Some(&used), None, 160), Some(Failure::CodeUsed));
    }

    #[test]
    fn a_code_is_shown_for_seconds_or_minutes() {
        for micros in [5 * SECOND, 120 * SECOND, 900 * SECOND] {
            assert_eq!(check_life(micros), Ok(micros));
        }
        for micros in [i64::MIN, -1, 0, 5 * SECOND - 1, 900 * SECOND + 1, i64::MAX] {
            assert!(check_life(micros).is_err(), "{micros}");
        }
    }
}
