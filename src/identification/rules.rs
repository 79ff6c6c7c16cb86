//! Identification: the methods there are, what an attempt comes to, and what an authentication is good for.

pub mod code;
pub mod pin;

use crate::error::{Code, LedgerError, Result, invalid};
use crate::time;
use std::ops::RangeInclusive;
use uuid::Uuid;

/// Bounds of a fingerprint template, in bytes.
const TEMPLATE_BYTES: RangeInclusive<usize> = 16..=65_536;
/// Whom an event about a member's identification is for.
pub const AUDIENCE: [&str; 2] = ["guardian", "member"];

/// The fingers that can be enrolled. A closed list also bounds what one member can store.
const FINGERS: [&str; 10] = [
    "left_thumb",
    "left_index",
    "left_middle",
    "left_ring",
    "left_little",
    "right_thumb",
    "right_index",
    "right_middle",
    "right_ring",
    "right_little",
];

/// How a member is identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Matched on the device; what is recorded is the device's word.
    Fingerprint = 1,
    Pin = 2,
    /// A code that the member shows: once, and for a short time.
    Qr = 3,
}

impl Method {
    pub const ALL: [Method; 3] = [Method::Fingerprint, Method::Pin, Method::Qr];

    pub fn from_id(id: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|method| *method as i16 == id)
    }

    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Method::name).join(", ");
            invalid("method", &format!("be one of {names}")).with("value", name)
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Method::Fingerprint => "fingerprint",
            Method::Pin => "pin",
            Method::Qr => "qr",
        }
    }
}

/// Why an attempt did not succeed. Stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    WrongPin = 1,
    /// Too many wrong ones before; this one was not even looked at.
    PinLocked = 2,
    CodeUnknown = 3,
    CodeExpired = 4,
    CodeUsed = 5,
    /// The code is another member's than the one that was named.
    CodeOfAnother = 6,
}

impl Failure {
    pub fn name(self) -> &'static str {
        match self {
            Failure::WrongPin => "wrong_pin",
            Failure::PinLocked => "pin_locked",
            Failure::CodeUnknown => "code_unknown",
            Failure::CodeExpired => "code_expired",
            Failure::CodeUsed => "code_used",
            Failure::CodeOfAnother => "code_of_another",
        }
    }
}

/// A finger that can be enrolled.
pub fn check_finger(finger: &str) -> Result<&str> {
    if FINGERS.contains(&finger) {
        return Ok(finger);
    }
    Err(invalid("finger", &format!("be one of {}", FINGERS.join(", "))).with("value", finger))
}

/// A template is opaque; what can be told is whether it can be one.
pub fn check_template(template: &[u8]) -> Result<&[u8]> {
    if TEMPLATE_BYTES.contains(&template.len()) {
        return Ok(template);
    }
    let (least, most) = (TEMPLATE_BYTES.start(), TEMPLATE_BYTES.end());
    Err(invalid("template", &format!("have {least} to {most} bytes"))
        .with_count("bytes", i64::try_from(template.len()).unwrap_or(i64::MAX)))
}

/// An authentication, as far as it decides what may be done with it.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub member: Option<String>,
    pub method: Method,
    pub succeeded: bool,
    pub recorded_at: i64,
    pub used_at: Option<i64>,
    /// Whose till recorded it, if one did.
    pub merchant: Option<String>,
}

/// Whether an authentication serves what this member buys of a merchant at a moment. One of another member's is told
/// of as one that is not there.
pub fn check_serves(
    id: Uuid,
    recorded: Option<&Recorded>,
    member: &str,
    merchant: &str,
    validity: i64,
    at: i64,
) -> Result<Method> {
    let refused = |reason: &str, message: String| {
        LedgerError::new(Code::AuthenticationInvalid, message)
            .with("authentication_id", id)
            .with("reason", reason)
    };
    let Some(recorded) = recorded.filter(|recorded| recorded.member.as_deref() == Some(member)) else {
        return Err(refused("unknown", format!("{member} has no authentication {id}")));
    };
    if !recorded.succeeded {
        return Err(refused("failed", format!("the authentication {id} did not succeed")));
    }
    if recorded.merchant.as_deref().is_some_and(|recorder| recorder != merchant) {
        let message = format!("a till of {merchant} did not record the authentication {id}");
        return Err(refused("elsewhere", message));
    }
    if recorded.used_at.is_some() {
        return Err(refused("used", format!("the authentication {id} was used before")));
    }
    let valid_until = recorded.recorded_at.saturating_add(validity);
    if at >= valid_until {
        let until = time::to_text(valid_until);
        let error = refused("expired", format!("the authentication {id} was good until {until}"));
        return Err(error.with("valid_until", until));
    }
    Ok(recorded.method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_their_names() {
        for method in Method::ALL {
            assert_eq!(Method::from_name(method.name()), Ok(method));
            assert_eq!(Method::from_id(method as i16), Some(method));
        }
        for name in ["", "PIN", "face", "pin ", "💸"] {
            assert_eq!(Method::from_name(name).unwrap_err().code, Code::InvalidArgument, "{name:?}");
        }
        assert_eq!(Method::from_id(4), None);
    }

    #[test]
    fn fingers_are_ten_and_templates_bounded() {
        assert_eq!(FINGERS.iter().filter(|finger| check_finger(finger).is_ok()).count(), 10);
        for finger in ["", "thumb", "LEFT_THUMB", "left thumb", "👍"] {
            assert!(check_finger(finger).is_err(), "{finger:?}");
        }
        for (bytes, fits) in [(0, false), (15, false), (16, true), (65_536, true), (65_537, false)] {
            assert_eq!(check_template(&vec![7; bytes]).is_ok(), fits, "{bytes}");
        }
    }

    #[test]
    fn an_authentication_serves_its_member_once_and_not_for_long() {
        let id = Uuid::from_u128(7);
        let good = Recorded {
            member: Some("ana".to_owned()),
            method: Method::Pin,
            succeeded: true,
            recorded_at: 1_000,
            used_at: None,
            merchant: None,
        };
        let ask = |recorded: Option<&Recorded>, member: &str, at| {
            check_serves(id, recorded, member, "canteen", 100, at)
                .map_err(|error| error.detail()["reason"].as_str().unwrap_or_default().to_owned())
        };
        // One that was recorded after the moment is as good.
        for at in [900, 1_000, 1_099] {
            assert_eq!(ask(Some(&good), "ana", at), Ok(Method::Pin), "{at}");
        }
        let reason = |reason: &str| Err(reason.to_owned());
        assert_eq!(ask(Some(&good), "ana", 1_100), reason("expired"));
        assert_eq!(ask(Some(&good), "ben", 1_000), reason("unknown"));
        assert_eq!(ask(None, "ana", 1_000), reason("unknown"));
        let used = Recorded { used_at: Some(1_001), ..good.clone() };
        assert_eq!(ask(Some(&used), "ana", 1_002), reason("used"));
        let at = |merchant: &str| Recorded { merchant: Some(merchant.to_owned()), ..good.clone() };
        assert_eq!(ask(Some(&at("canteen")), "ana", 1_002), Ok(Method::Pin));
        assert_eq!(ask(Some(&at("shop")), "ana", 1_002), reason("elsewhere"));
        let failed = Recorded { succeeded: false, ..good };
        assert_eq!(ask(Some(&failed), "ana", 1_002), reason("failed"));
        let nobody = Recorded { member: None, ..failed };
        assert_eq!(ask(Some(&nobody), "ana", 1_002), reason("unknown"));
    }
}
