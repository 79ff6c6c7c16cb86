//! Every vector verifies; with anything changed, none does.

use super::vectors::{ALL, D1, M1, S1_SECRET, S1_SIGNATURE, S1_SIGNED, S4, S4_BODY_SHA256, Vector, X1};
use super::*;
use serde_json::{Value, json};

/// How the bytes of a signature are written.
type Write = fn(&[u8]) -> String;

const MISMATCH: Verdict = Verdict::Invalid("signature_mismatch");
const MALFORMED: Verdict = Verdict::Invalid("signature_malformed");
const BODY_MALFORMED: Verdict = Verdict::Invalid("body_malformed");

/// The vector's webhook with another signature, wherever it has it.
fn with_signature(vector: &Vector, signature: &str) -> Verdict {
    let body = match vector.header {
        Some(_) => vector.body.to_owned(),
        None => vector.body.replace(vector.signature, signature),
    };
    verify(vector.provider, &[vector.secret], &vector.headers_with(signature), &body)
}

fn with_body(vector: &Vector, body: &str) -> Verdict {
    verify(vector.provider, &[vector.secret], &vector.headers(), body)
}

fn with_secrets(vector: &Vector, secrets: &[&[u8]]) -> Verdict {
    verify(vector.provider, secrets, &vector.headers(), vector.body)
}

fn snap(changes: &Value) -> Verdict {
    let mut headers = json!({
        "authorization": "Bearer testtoken", "x-timestamp": "2026-01-01T10:00:05+07:00", "x-signature": S4.signature,
        ":path": "/snap/v1.0/transfer-va/notify-payment-intrabank",
    });
    for (name, value) in changes.as_object().unwrap() {
        headers[name] = value.clone();
    }
    verify(S4.provider, &[S4.secret], &Headers::parse(&headers).unwrap(), S4.body)
}

#[test]
fn the_vectors_verify() {
    for vector in ALL {
        assert_eq!(with_signature(vector, vector.signature), Verdict::Valid, "{}", vector.signature);
    }
    let signature = BASE64.decode(S1_SIGNATURE).unwrap();
    let fits = |secret, signed: &str| {
        bool::from(hmac_fits::<Hmac<Sha512>>(secret, &[signed.as_bytes()], &signature))
    };
    assert!(fits(S1_SECRET, S1_SIGNED));
    assert!(!fits(&S1_SECRET[1..], S1_SIGNED) && !fits(S1_SECRET, &S1_SIGNED[1..]));
    assert_eq!(hex(&Sha256::digest(minified(S4.body))), S4_BODY_SHA256);
}

/// A signature is a hex or base64 text, or (Xendit) any text: the bits of what it stands for are flipped.
#[test]
fn every_bit_of_the_signature_counts() {
    let flipped = |bytes: &[u8], bit: usize| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    for vector in ALL {
        let (bytes, write): (Vec<u8>, Write) = match (vector.provider, vector.signature.len()) {
            (Provider::SnapBri, _) => {
                (BASE64.decode(vector.signature).unwrap(), |bytes| BASE64.encode(bytes))
            }
            (Provider::Xendit, _) => {
                (vector.signature.into(), |bytes| String::from_utf8_lossy(bytes).into_owned())
            }
            (_, 64) => (unhex::<32>(vector.signature).unwrap().to_vec(), hex),
            _ => (unhex::<64>(vector.signature).unwrap().to_vec(), hex),
        };
        assert_eq!(write(&bytes), vector.signature);
        for bit in 0..bytes.len() * 8 {
            assert_eq!(with_signature(vector, &write(&flipped(&bytes, bit))), MISMATCH, "bit {bit}");
        }
        // The same on the text: what is still well-formed is another signature, except hex in capitals.
        for bit in 0..vector.signature.len() * 8 {
            let Ok(text) = String::from_utf8(flipped(vector.signature.as_bytes(), bit)) else { continue };
            let same = vector.header.is_none() || vector.provider == Provider::Moota;
            if !(same && text.eq_ignore_ascii_case(vector.signature)) {
                assert_ne!(with_signature(vector, &text), Verdict::Valid, "bit {bit}");
            }
        }
    }
}

#[test]
fn signatures_of_another_length_do_not_verify() {
    for vector in ALL {
        let signature = vector.signature;
        for end in 0..signature.len() {
            assert_ne!(with_signature(vector, &signature[..end]), Verdict::Valid, "{end}");
        }
        for text in
            [signature.repeat(2), format!("{signature}0"), format!("0{signature}"), signature[1..].to_owned()]
        {
            assert_ne!(with_signature(vector, &text), Verdict::Valid);
        }
    }
    for text in ["", "  "] {
        assert_eq!(with_signature(&M1, text), Verdict::Invalid("signature_missing"));
        assert_eq!(with_signature(&X1, text), Verdict::Invalid("signature_missing"));
        assert_eq!(with_signature(&S4, text), Verdict::Invalid("signature_missing"));
    }
    let wide = "é".repeat(32);
    for text in ["xyz", &M1.signature[..62], &format!("{}g", &M1.signature[..63]), &wide] {
        assert_eq!(with_signature(&M1, text), MALFORMED);
        assert_eq!(with_signature(&D1, text), MALFORMED);
        assert_eq!(with_signature(&S4, text), MALFORMED);
    }
    assert_eq!(with_signature(&M1, &M1.signature.to_uppercase()), Verdict::Valid);
    assert_eq!(with_signature(&D1, &D1.signature.to_uppercase()), Verdict::Valid);
}

/// Each byte of the body is cut out, and each bit of it flipped. What Midtrans does not sign, and the blanks
/// that SNAP does not, are left aside.
#[test]
fn every_byte_of_a_signed_body_counts() {
    for vector in [&M1, &vectors::M3, &S4] {
        let body = vector.body.as_bytes();
        for at in 0..body.len() {
            let cut = [&body[..at], &body[at + 1..]].concat();
            assert_eq!(with_body(vector, std::str::from_utf8(&cut).unwrap()), MISMATCH, "byte {at}");
            for bit in 0..7 {
                let mut bytes = body.to_vec();
                bytes[at] ^= 1 << bit;
                assert_eq!(
                    with_body(vector, std::str::from_utf8(&bytes).unwrap()),
                    MISMATCH,
                    "byte {at} bit {bit}"
                );
            }
        }
        for end in 0..body.len() {
            assert_eq!(with_body(vector, &vector.body[..end]), MISMATCH);
        }
    }
    assert_eq!(with_body(&M1, &format!("{} ", M1.body)), MISMATCH);
    assert_eq!(with_body(&S4, &S4.body.replace(",", " ,\n\t")), Verdict::Valid);
    assert_eq!(with_body(&S4, &S4.body.replace("   77777\"", "  77777\"")), MISMATCH);
}

#[test]
fn other_secrets_do_not_verify_and_any_live_one_may() {
    for vector in ALL {
        let secret = vector.secret;
        let longer = [secret, b"\0"].concat();
        let mut changed = secret.to_vec();
        changed[0] ^= 1;
        for other in [b"other".as_slice(), &secret[1..], &secret[..secret.len() - 1], b"x", &changed] {
            assert_eq!(with_secrets(vector, &[other]), MISMATCH);
        }
        // HMAC pads short keys with zeros: a zero at the end is the same key to it.
        if matches!(vector.provider, Provider::Midtrans | Provider::Xendit) {
            assert_eq!(with_secrets(vector, &[&longer]), MISMATCH);
        }
        for secrets in [[secret, b"new"], [b"old", secret], [b"", secret], [secret, secret]] {
            assert_eq!(with_secrets(vector, &secrets), Verdict::Valid);
        }
        for secrets in [&[] as &[&[u8]], &[b""], &[b"", b""]] {
            assert_eq!(with_secrets(vector, secrets), Verdict::Invalid("no_secret"));
        }
        assert_eq!(with_secrets(vector, &[b"", b"other"]), MISMATCH);
    }
}

/// What somebody without the key could sign with an empty one.
#[test]
fn an_empty_secret_never_verifies() {
    let headers = |name: &str, value: &str| Headers::parse(&json!({ name: value })).unwrap();
    let forged = hex(&Sha512::digest("11112001.00"));
    let body = format!(
        r#"{{"signature_key":"{forged}","order_id":"1111","status_code":"200","gross_amount":"1.00"}}"#
    );
    assert_eq!(verify(Provider::Midtrans, &[b"", b"real"], &Headers::default(), &body), MISMATCH);
    let iris = headers("iris-signature", &hex(&Sha512::digest("{}")));
    assert_eq!(verify(Provider::Midtrans, &[b"", b"real"], &iris, "{}"), MISMATCH);
    let empty =
        <Hmac<Sha256> as Mac>::new_from_slice(b"").unwrap().chain_update("[]").finalize().into_bytes();
    let moota = headers("signature", &hex(&empty));
    assert_eq!(verify(Provider::Moota, &[b"", b"real"], &moota, "[]"), MISMATCH);
    for token in ["", " "] {
        let xendit = headers("x-callback-token", token);
        assert_eq!(
            verify(Provider::Xendit, &[b"", b"real"], &xendit, ""),
            Verdict::Invalid("signature_missing")
        );
    }
}

#[test]
fn midtrans_signs_the_amount_as_it_was_written() {
    let signed = |amount: &str, literal: &str| {
        let signature = hex(&Sha512::digest(format!("o-1200{amount}key")));
        let body = format!(
            r#"{{"order_id":"o-1","status_code":"200","gross_amount":{literal},"signature_key":"{signature}"}}"#
        );
        verify(Provider::Midtrans, &[b"key"], &Headers::default(), &body)
    };
    for (amount, literal) in [
        ("10000.00", "\"10000.00\""),
        ("10000.00", "10000.00"),
        ("10000", "10000"),
        ("1e4", "1e4"),
        ("0.50", "0.50"),
        ("3799460.890", "3799460.890"),
        ("123456789012345678901234567890.10", "123456789012345678901234567890.10"),
    ] {
        assert_eq!(signed(amount, literal), Verdict::Valid, "{literal}");
    }
    assert_eq!(signed("10000.00", "10000.0"), MISMATCH);
    assert_eq!(signed("0010.00", "\"0010.00\""), BODY_MALFORMED);
}

/// Order `1111` with code `200` must not pass for order `111` with code `120`, nor for any other way to divide
/// the same digits.
#[test]
fn midtrans_digits_cannot_move_between_fields() {
    let all = "1111200100000.00";
    for first in 0..=all.len() {
        for second in first..=all.len() {
            let (order, rest) = all.split_at(first);
            let (status, amount) = rest.split_at(second - first);
            let mut body: Value = serde_json::from_str(D1.body).unwrap();
            for (name, value) in [("order_id", order), ("status_code", status), ("gross_amount", amount)] {
                body[name] = value.into();
            }
            let expected = if (order, status) == ("1111", "200") { Verdict::Valid } else { BODY_MALFORMED };
            assert_eq!(with_body(&D1, &body.to_string()), expected, "{order} {status} {amount}");
        }
    }
}

#[test]
fn midtrans_bodies_without_what_is_signed() {
    let verdict = |body: &str| verify(Provider::Midtrans, &[b"key"], &Headers::default(), body);
    for body in ["", "[", "[]", "5", "null", &"[".repeat(100_000)] {
        assert_eq!(verdict(body), BODY_MALFORMED);
    }
    assert_eq!(verdict("{}"), Verdict::Invalid("signature_missing"));
    assert_eq!(verdict(r#"{"signature_key":5}"#), MALFORMED);
    let key = "0".repeat(128);
    for rest in [
        r#""order_id":"a""#,
        r#""order_id":"a","status_code":"200""#,
        r#""order_id":[],"status_code":"200","gross_amount":"1""#,
        r#""order_id":"a","status_code":"20","gross_amount":"1""#,
        r#""order_id":"a","status_code":"2é","gross_amount":"1""#,
    ] {
        assert_eq!(verdict(&format!(r#"{{"signature_key":"{key}",{rest}}}"#)), BODY_MALFORMED, "{rest}");
    }
}

#[test]
fn payouts_of_midtrans_sign_the_whole_body() {
    let body = r#"{"reference_no":"r-1","status":"completed"}"#;
    let signature = hex(&Sha512::digest(format!("{body}merchant")));
    let verdict = |signature: &str, body: &str| {
        let headers = Headers::parse(&json!({ "Iris-Signature": signature })).unwrap();
        verify(Provider::Midtrans, &[b"merchant"], &headers, body)
    };
    assert_eq!(verdict(&signature, body), Verdict::Valid);
    assert_eq!(verdict(&signature, &body.replace("completed", "failed")), MISMATCH);
    assert_eq!(verdict(&signature[1..], body), MALFORMED);
}

#[test]
fn snap_signs_method_path_token_and_time() {
    assert_eq!(snap(&json!({})), Verdict::Valid);
    assert_eq!(snap(&json!({":method": "post", "authorization": "bearer testtoken"})), Verdict::Valid);
    for changes in [
        json!({":method": "PUT"}),
        json!({":path": "/snap/v1.0/transfer-va/notify-payment-intrabank?a=b"}),
        json!({":path": "/"}),
        json!({"authorization": "Bearer other"}),
        json!({"x-timestamp": "2026-01-01T10:00:06+07:00"}),
    ] {
        assert_eq!(snap(&changes), MISMATCH, "{changes}");
    }
    for (changes, reason) in [
        (json!({":path": null}), "path_missing"),
        (json!({":path": ""}), "path_missing"),
        (json!({"x-timestamp": null}), "timestamp_missing"),
        (json!({"authorization": null}), "token_missing"),
        (json!({"authorization": "Bearer "}), "token_missing"),
        (json!({"authorization": "Basic testtoken"}), "token_missing"),
        (json!({"x-signature": null}), "signature_missing"),
        (json!({"x-signature": "%%%"}), "signature_malformed"),
    ] {
        assert_eq!(snap(&changes), Verdict::Invalid(reason), "{changes}");
    }
}
