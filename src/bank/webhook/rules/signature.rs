//! Is a webhook genuine?
//!
//! Nothing here compares signatures as text. HMACs are compared by `Mac::verify_slice` of the crate
//! `hmac`, digests by `ConstantTimeEq::ct_eq` of the crate `subtle`: both take the same time wherever the
//! first difference is. All live secrets are tried, whichever of them fits. Signed is what was received:
//! the body is never written anew.

use super::headers::Headers;
use super::json::{Json, minified};
use super::{Provider, source};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

/// Whether a webhook comes from who has the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Valid,
    /// With the reason, a token: `no_secret`, `signature_missing`, `signature_malformed`,
    /// `signature_mismatch`, `body_malformed`, `path_missing`, `token_missing`, `timestamp_missing`.
    Invalid(&'static str),
}

/// What a check finds: whether a secret fits, or why that cannot be said.
type Check = Result<Choice, &'static str>;

/// Checks a webhook against the live secrets, of which any may fit. An empty secret fits nothing.
pub fn verify(provider: Provider, secrets: &[&[u8]], headers: &Headers, body: &str) -> Verdict {
    let secrets = Secrets(secrets);
    if secrets.0.iter().all(|secret| secret.is_empty()) {
        return Verdict::Invalid("no_secret");
    }
    let check = match provider {
        Provider::Moota => moota(&secrets, headers, body),
        Provider::Midtrans => midtrans(&secrets, headers, body),
        Provider::Xendit => xendit(&secrets, headers),
        Provider::SnapBri => snap(&secrets, headers, body),
    };
    match check {
        Ok(fits) if bool::from(fits) => Verdict::Valid,
        Ok(_) => Verdict::Invalid("signature_mismatch"),
        Err(reason) => Verdict::Invalid(reason),
    }
}

struct Secrets<'a>(&'a [&'a [u8]]);

impl Secrets<'_> {
    /// Tries every secret, also after one that fits: the time does not tell which it was.
    fn any(&self, fits: impl Fn(&[u8]) -> Choice) -> Choice {
        let live = self.0.iter().filter(|secret| !secret.is_empty());
        live.fold(Choice::from(0), |found, secret| found | fits(secret))
    }
}

/// `Signature`: the hex HMAC-SHA256 of the body.
fn moota(secrets: &Secrets, headers: &Headers, body: &str) -> Check {
    let signature: [u8; 32] = unhex(header(headers, "signature")?)?;
    Ok(secrets.any(|secret| hmac_fits::<Hmac<Sha256>>(secret, &[body.as_bytes()], &signature)))
}

/// Payments carry `signature_key` in the body, payouts (Iris) have the header `Iris-Signature`; both are a
/// plain SHA-512 with the key at the end.
fn midtrans(secrets: &Secrets, headers: &Headers, body: &str) -> Check {
    if let Some(text) = headers.get("iris-signature") {
        let signature: [u8; 64] = unhex(text)?;
        return Ok(secrets.any(|secret| digest_fits(&[body.as_bytes(), secret], &signature)));
    }
    let source = source(body).map_err(|_| "body_malformed")?;
    let root = source.parse().map_err(|_| "body_malformed")?;
    let signature = match root.get("signature_key") {
        Some(Json::Text(text)) => unhex::<64>(text)?,
        Some(_) => return Err("signature_malformed"),
        None if root.is_object() => return Err("signature_missing"),
        None => return Err("body_malformed"),
    };
    let literal = |name| root.get(name).and_then(Json::literal).ok_or("body_malformed");
    let (order, status, amount) = (literal("order_id")?, literal("status_code")?, literal("gross_amount")?);
    // Nothing separates the three where they are signed: without these rules digits could be passed from
    // one to the next, and the signature of one order would be that of another.
    let is_code = matches!(status.as_bytes(), [b'2'..=b'5', rest @ ..] if rest.len() == 2 && is_digits(rest));
    let is_padded = amount.starts_with('0') && amount.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if order.is_empty() || !is_code || is_padded {
        return Err("body_malformed");
    }
    let signed = [order.as_bytes(), status.as_bytes(), amount.as_bytes()];
    Ok(secrets.any(|secret| digest_fits(&[signed[0], signed[1], signed[2], secret], &signature)))
}

/// `x-callback-token`: the secret itself. Compared are the digests, so that its length does not show.
fn xendit(secrets: &Secrets, headers: &Headers) -> Check {
    let token = Sha256::digest(header(headers, "x-callback-token")?);
    Ok(secrets.any(|secret| Sha256::digest(secret).as_slice().ct_eq(token.as_slice())))
}

/// `X-SIGNATURE`: the base64 HMAC-SHA512 of `METHOD:PATH:TOKEN:hex(sha256(minified body)):TIMESTAMP`. A query
/// string is part of the path as it was sent.
fn snap(secrets: &Secrets, headers: &Headers, body: &str) -> Check {
    let text = header(headers, "x-signature")?;
    let signature: [u8; 64] =
        BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or("signature_malformed")?;
    let present = |name, reason| headers.get(name).filter(|value| !value.is_empty()).ok_or(reason);
    let path = present(":path", "path_missing")?;
    let timestamp = present("x-timestamp", "timestamp_missing")?;
    let token = headers.get("authorization").and_then(bearer).ok_or("token_missing")?;
    let method = headers.get(":method").unwrap_or("POST").to_ascii_uppercase();
    let digest = hex(&Sha256::digest(minified(body)));
    let signed = [method.as_str(), path, token, &digest, timestamp].join(":");
    Ok(secrets.any(|secret| hmac_fits::<Hmac<Sha512>>(secret, &[signed.as_bytes()], &signature)))
}

fn header<'h>(headers: &'h Headers, name: &str) -> Result<&'h str, &'static str> {
    headers.get(name).filter(|value| !value.is_empty()).ok_or("signature_missing")
}

/// The token of `Bearer …`, a word that HTTP does not write in one case only.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn is_digits(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_digit)
}

fn hmac_fits<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]], signature: &[u8]) -> Choice {
    let Ok(mut mac) = <M as Mac>::new_from_slice(secret) else { return Choice::from(0) };
    for part in parts {
        mac.update(part);
    }
    Choice::from(u8::from(mac.verify_slice(signature).is_ok()))
}

fn digest_fits(parts: &[&[u8]], signature: &[u8; 64]) -> Choice {
    let digest = parts.iter().fold(Sha512::new(), |digest, part| digest.chain_update(part));
    digest.finalize().as_slice().ct_eq(signature)
}

/// The bytes of a hex text of exactly `N` bytes, in either case.
fn unhex<const N: usize>(text: &str) -> Result<[u8; N], &'static str> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return Err("signature_malformed");
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
            return Err("signature_malformed");
        };
        *byte = high << 4 | low;
    }
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

/// Bodies and signatures that the providers publish, or whose inputs they do.
#[cfg(test)]
pub mod vectors;

#[cfg(test)]
mod tests;
