//! A million damaged webhooks through everything that reads them: nothing panics, what they take is bounded
//! by their size, no planted secret is stored, and `serde_json` agrees about what is JSON.
//!
//! The pure modules are mounted as in `rules.rs`, their unit tests with them. It needs no server.
#![allow(dead_code, unused_imports, clippy::all)]

#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/time.rs"]
mod time;
#[path = "../../../src/bank"]
mod bank {
    pub mod rules;
    pub mod webhook {
        pub mod rules;
    }
}
mod memory;
mod webhook_parser {
    pub mod mutate;
    pub mod oracle;
}

use bank::rules::{ID_BYTES_MAX, Item, Line};
use bank::webhook::rules::json::minified;
use bank::webhook::rules::signature::vectors::{self, Vector};
use bank::webhook::rules::{BadBody, Headers, LINES_MAX, Provider, Verdict, parse, read, verify};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use wallet_ledger_tests::{Seed, long};
use webhook_parser::mutate::{self, Body};
use webhook_parser::oracle;

const CASES: u64 = 1_000_000;
const THREADS: u64 = 2;

#[test]
fn a_million_damaged_webhooks() {
    let seed = Seed::from_env_or_random("webhook_parser");
    let cases = if long() { 10 * CASES } else { CASES } / THREADS;
    let started = std::time::Instant::now();
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let threads = (0..THREADS).map(|thread| scope.spawn(move || run(seed.rng(thread), cases)));
        threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let total = |count: fn(&Seen) -> u64| seen.iter().map(count).sum::<u64>();
    println!(
        "{} cases in {:.1} s: {} not JSON, {} movements, {} payments, {} bad lines, {} genuine",
        cases * THREADS,
        started.elapsed().as_secs_f32(),
        total(|seen| seen.not_json),
        total(|seen| seen.movements),
        total(|seen| seen.payments),
        total(|seen| seen.bad_lines),
        total(|seen| seen.genuine),
    );
    // A run that damages everything beyond recognition, or nothing, would prove little.
    let enough = cases * THREADS / 100;
    for count in [
        total(|seen| seen.not_json),
        total(|seen| seen.movements),
        total(|seen| seen.payments),
        total(|seen| seen.bad_lines),
        total(|seen| seen.genuine),
        total(|seen| seen.redacted),
    ] {
        assert!(count > enough, "{count} of {}", cases * THREADS);
    }
}

/// What the cases came to.
#[derive(Default)]
struct Seen {
    not_json: u64,
    movements: u64,
    payments: u64,
    bad_lines: u64,
    genuine: u64,
    redacted: u64,
}

fn run(mut rng: ChaCha8Rng, cases: u64) -> Seen {
    let bodies = mutate::bodies();
    let vectors =
        [&vectors::M3, &vectors::D1, &vectors::X1, &vectors::S4].map(|vector| (vector, vector.headers()));
    let mut seen = Seen::default();
    for _ in 0..cases {
        let (provider, body) = mutate::case(&mut rng, &bodies);
        let (vector, headers) = vectors.iter().find(|(vector, _)| vector.provider == provider).unwrap();
        check(vector, headers, &body, &mut seen);
    }
    seen
}

fn check(vector: &Vector, headers: &Headers, body: &str, seen: &mut Seen) {
    let provider = vector.provider;
    let json: serde_json::Result<Value> = serde_json::from_str(&oracle::whole(body));

    let (lines, peak) = memory::peak_of(|| parse(provider, headers, body));
    assert_bounded(peak, body);
    check_lines(&lines, &json, body, seen);

    let (read, peak) = memory::peak_of(|| read(provider, headers, body));
    assert_bounded(peak, body);
    assert_eq!(read.lines, lines, "{body}");
    check_stored(provider, &read.redacted, &json, body, seen);

    let (verdict, peak) = memory::peak_of(|| verify(provider, &[vector.secret], headers, body));
    assert_bounded(peak, body);
    if verdict == Verdict::Valid {
        seen.genuine += 1;
        assert!(oracle::is_signed(vector, body), "{body}");
    }

    let compact = minified(body);
    assert!(compact.len() <= body.len());
    if compact != body
        && let Ok(json) = &json
    {
        assert_eq!(
            serde_json::from_str::<Value>(&oracle::whole(&compact)).ok().as_ref(),
            Some(json),
            "{body}"
        );
        assert_eq!(minified(&compact), compact, "{body}");
    }
}

fn check_lines(
    lines: &Result<Vec<Line>, BadBody>,
    json: &serde_json::Result<Value>,
    body: &str,
    seen: &mut Seen,
) {
    let not_json = matches!(lines, Err(refusal) if refusal.reason == "not_json");
    match json {
        Ok(_) => assert!(!not_json, "{body}"),
        // The one difference: to serde_json a number that no f64 holds is an error of the document.
        Err(error) if error.to_string().starts_with("number out of range") => {}
        Err(_) => assert!(not_json || body.trim().is_empty(), "{body}"),
    }
    seen.not_json += u64::from(not_json);
    let Ok(lines) = lines else { return };
    assert!(lines.len() <= LINES_MAX && lines.len() <= body.len());
    for line in lines {
        match line {
            Ok(Item::Movement(movement)) => {
                seen.movements += 1;
                assert!(movement.amount > rust_decimal::Decimal::ZERO, "{body}");
                oracle::assert_id(&movement.id, body);
            }
            Ok(Item::Payment(notice)) => {
                seen.payments += 1;
                assert!(!notice.facts.is_empty());
                assert!(notice.amount.is_none_or(|amount| amount > rust_decimal::Decimal::ZERO), "{body}");
                oracle::assert_id(&notice.number, body);
                oracle::assert_id(&notice.payment_id, body);
            }
            Ok(Item::Other { id, .. }) => id.iter().for_each(|id| oracle::assert_id(id, body)),
            Err(refusal) => {
                seen.bad_lines += 1;
                assert!(refusal.message.len() < 200 && !refusal.message.contains(char::is_control));
                refusal.id.iter().for_each(|id| oracle::assert_id(id, body));
            }
        }
    }
}

fn check_stored(
    provider: Provider,
    stored: &Value,
    json: &serde_json::Result<Value>,
    body: &str,
    seen: &mut Seen,
) {
    let text = oracle::text_of(stored);
    assert!(text.len() <= 8 * body.len() + 64, "{} bytes of {}", text.len(), body.len());
    assert!(oracle::is_storable(stored), "{body}");
    seen.redacted += u64::from(text.contains("[redacted]"));
    let left = text.matches(oracle::SECRET).count();
    if left == 0 {
        return;
    }
    let exposed = match json {
        Ok(json) => oracle::exposed_in_json(provider, json),
        Err(_) => oracle::exposed_in_text(body),
    };
    assert!(left <= exposed, "{left} of {exposed}: {body}\n{text}");
}

/// One megabyte of what takes the most memory.
#[test]
fn the_worst_bodies_take_a_bounded_multiple_of_their_size() {
    let repeated = |open: &str, unit: &str, close: &str| {
        let count = (1_048_576 - open.len() - close.len()) / unit.len();
        format!("{open}{}{close}", unit.repeat(count))
    };
    let keys: String = (0..100_000).map(|n| format!("\"{n}\":0,")).collect();
    for body in [
        repeated("[", "0,", "0]"),
        repeated("[", "[],", "0]"),
        repeated("[", "{},", "0]"),
        repeated("[", "[0],", "0]"),
        repeated("[", "{\"\":0},", "0]"),
        repeated("[", "\"\",", "0]"),
        repeated("{\"mutations\":[", "\"\\u0000\",", "0]}"),
        repeated("{", "\"\":0,", "\"\":0}"),
        repeated("{", "\"token\":1,", "\"\":0}"),
        repeated("", "[", ""),
        repeated("", "{\"token\":", ""),
        repeated("", "\"token\":\"", ""),
        repeated("", "\"token\":[],", ""),
        repeated("[", "1e400,", "0]"),
        repeated("[", "\"\\ud83d\",", "0]"),
        repeated("\"", "\\ud83d", "\""),
        format!("{{{keys}\"\":0}}"),
    ] {
        assert!(body.len() <= 1_048_576);
        for provider in Provider::ALL {
            let vector = vectors::ALL.iter().find(|vector| vector.provider == provider).unwrap();
            let headers = vector.headers();
            let started = std::time::Instant::now();
            let peaks = [
                memory::peak_of(|| drop(parse(provider, &headers, &body))).1,
                memory::peak_of(|| drop(read(provider, &headers, &body))).1,
                memory::peak_of(|| verify(provider, &[vector.secret], &headers, &body)).1,
            ];
            println!("{:.20}… {}: {peaks:?} bytes, {:?}", body, provider.name(), started.elapsed());
            peaks.into_iter().for_each(|peak| assert_bounded(peak, &body));
        }
    }
}

/// The shortest value, of two bytes, takes a number of 16 bytes, a value of 32 and one of 72 where it is stored.
fn assert_bounded(peak: usize, body: &str) {
    assert!(peak <= 128 * body.len() + 16_384, "{peak} bytes for a body of {}: {:.2000}", body.len(), body);
}
