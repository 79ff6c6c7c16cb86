//! Webhooks of payment providers: are they genuine, what do they say, what of them may be stored.

mod field;
pub mod headers;
pub mod json;
mod midtrans;
mod moota;
mod number;
mod redact;
pub mod signature;
pub mod snap;
mod xendit;

pub use headers::Headers;
pub use signature::{Verdict, verify};

use crate::bank::rules::Line;
use crate::error::{LedgerError, Result, invalid};
use json::{Json, Source};
use serde_json::Value;

/// What is larger is refused unread.
pub const BODY_BYTES_MAX: usize = 1_048_576;
/// What one body may report.
pub const LINES_MAX: usize = 10_000;

/// Who sends the webhook. The numbers are stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    Moota = 1,
    Midtrans = 2,
    Xendit = 3,
    /// SNAP BI, the standard of Bank Indonesia, in the form of BRI's virtual accounts.
    SnapBri = 4,
}

impl Provider {
    pub const ALL: [Provider; 4] = [Provider::Moota, Provider::Midtrans, Provider::Xendit, Provider::SnapBri];

    /// The provider that an argument called `provider` names; `bri` is another name of `snap`.
    pub fn from_name(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|provider| provider.name() == name);
        match known {
            Some(provider) => Ok(provider),
            None if name == "bri" => Ok(Provider::SnapBri),
            None => Err(unknown(name)),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Provider::Moota => "moota",
            Provider::Midtrans => "midtrans",
            Provider::Xendit => "xendit",
            Provider::SnapBri => "snap",
        }
    }

    pub fn from_id(id: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| *provider as i16 == id)
    }
}

fn unknown(name: &str) -> LedgerError {
    let names = Provider::ALL.map(Provider::name).join(", ");
    invalid("provider", &format!("be one of {names}")).with("value", name).with("known", names)
}

/// Why a body as a whole was not understood. It is stored as it came, with the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct BadBody {
    /// `empty_body`, `body_too_large`, `not_json`, `unexpected_shape` or `too_many_lines`.
    pub reason: &'static str,
    pub message: String,
}

impl BadBody {
    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// JSON, but not of the shape that `sender` sends.
    fn shape(sender: &str, expected: &str) -> Self {
        Self::new("unexpected_shape", format!("{sender} sends {expected}"))
    }
}

/// A body that was read.
pub struct Read {
    pub lines: std::result::Result<Vec<Line>, BadBody>,
    /// What of it may be stored.
    pub redacted: Value,
}

/// Reads a body once: what it reports, and what of it may be stored.
pub fn read(provider: Provider, headers: &Headers, body: &str) -> Read {
    let refused = |bad| Read { lines: Err(bad), redacted: redact::scrubbed_text(provider, body) };
    let source = match source(body) {
        Ok(source) => source,
        Err(bad) => return refused(bad),
    };
    match source.parse() {
        Ok(root) => {
            Read { lines: lines(provider, headers, &root), redacted: redact::redacted(provider, &root) }
        }
        Err(error) => refused(not_json(&error)),
    }
}

/// What a body reports, line by line. A line that is not understood stands in its place as a bad one.
pub fn parse(provider: Provider, headers: &Headers, body: &str) -> std::result::Result<Vec<Line>, BadBody> {
    let source = source(body)?;
    let root = source.parse().map_err(|error| not_json(&error))?;
    lines(provider, headers, &root)
}

fn lines(provider: Provider, headers: &Headers, root: &Json) -> std::result::Result<Vec<Line>, BadBody> {
    match provider {
        Provider::Moota => moota::lines(root),
        Provider::Midtrans => midtrans::line(root, headers).map(|line| vec![line]),
        Provider::Xendit => xendit::line(root).map(|line| vec![line]),
        Provider::SnapBri => snap::line(root, headers).map(|line| vec![line]),
    }
}

fn not_json(error: &serde_json::Error) -> BadBody {
    BadBody::new("not_json", format!("the body is not JSON: {error}"))
}

/// A body that is neither too large to be read nor empty.
fn source(body: &str) -> std::result::Result<Source<'_>, BadBody> {
    if body.len() > BODY_BYTES_MAX {
        let message = format!("the body has {} bytes, at most {BODY_BYTES_MAX} are read", body.len());
        return Err(BadBody::new("body_too_large", message));
    }
    if body.trim().is_empty() {
        return Err(BadBody::new("empty_body", "the body is empty"));
    }
    Ok(Source::new(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn reason(provider: Provider, body: &str) -> &'static str {
        parse(provider, &Headers::default(), body).unwrap_err().reason
    }

    #[test]
    fn providers_have_names_and_ids() {
        for provider in Provider::ALL {
            assert_eq!(Provider::from_name(provider.name()), Ok(provider));
            assert_eq!(Provider::from_id(provider as i16), Some(provider));
        }
        assert_eq!(Provider::from_name("bri"), Ok(Provider::SnapBri));
        assert_eq!(Provider::ALL.map(|provider| provider as i16), [1, 2, 3, 4]);
        assert_eq!((Provider::from_id(0), Provider::from_id(5)), (None, None));
        for name in ["", "Moota", "stripe", " moota"] {
            let error = Provider::from_name(name).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert_eq!(error.detail()["argument"], "provider");
            assert_eq!(error.detail()["known"], "moota, midtrans, xendit, snap");
        }
    }

    #[test]
    fn bodies_that_are_no_webhook_have_their_reasons() {
        let large = format!("[{}]", " ".repeat(BODY_BYTES_MAX));
        let brackets = "[".repeat(100_000);
        let closed = "[".repeat(100_000) + &"]".repeat(100_000);
        let objects = "{\"a\":".repeat(100_000);
        for provider in Provider::ALL {
            assert_eq!(reason(provider, ""), "empty_body");
            assert_eq!(reason(provider, " \r\n\t"), "empty_body");
            assert_eq!(reason(provider, &large), "body_too_large");
            assert_eq!(reason(provider, &"5".repeat(5_000_000)), "body_too_large");
            for body in ["{", "hello", "{} {}", "{'a':1}", "[01]", "\"\u{1}\"", "\"\\ud80\"", "\u{feff}[]"] {
                assert_eq!(reason(provider, body), "not_json", "{body}");
            }
            for body in [&brackets, &closed, &objects] {
                assert_eq!(reason(provider, body), "not_json");
            }
            for body in ["1", "null", "true", "\"text\"", "\"\\ud800\""] {
                assert_eq!(reason(provider, body), "unexpected_shape", "{body}");
            }
        }
        assert!(parse(Provider::Moota, &Headers::default(), &large[2..]).is_err());
        assert_eq!(
            parse(Provider::Moota, &Headers::default(), &large[..1_000].replacen(' ', "]", 1)),
            Ok(vec![])
        );
    }

    #[test]
    fn a_body_of_the_largest_size_is_read() {
        let exact = format!("[{}]", " ".repeat(BODY_BYTES_MAX - 2));
        assert_eq!(parse(Provider::Moota, &Headers::default(), &exact), Ok(vec![]));
    }
}
