//! Bodies as the providers send them, and the damage that is done to them.

use super::oracle::SECRET;
use crate::bank::webhook::rules::Provider;
use crate::bank::webhook::rules::signature::vectors::{D1, M1, M3, S4};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// A provider and a body of its own.
pub type Body = (Provider, String);

/// What replaces or joins parts of a body.
const TOKENS: &[&str] = &[
    "null",
    "true",
    "{}",
    "[]",
    "0",
    "-0",
    "-1",
    "1e3",
    "1e400",
    "1E-400",
    "0.1",
    "12111.00",
    "3799460.89",
    "01",
    "1.",
    "-",
    "1e999999999999999999999",
    "79228162514264337593543950336",
    "0.00000000000000000000000000000000001",
    "NaN",
    "Infinity",
    "\"\"",
    "\" \"",
    "\"0\"",
    "\"-1\"",
    "\"1e3\"",
    "\"1,000.00\"",
    "\"10000.00\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud83d\\udcb8\"",
    "\"💸\"",
    "\"CR\"",
    "\"DB\"",
    "\"PAID\"",
    "\"refund\"",
    "\"capture\"",
    "\"challenge\"",
    "\"2026-02-30\"",
    "\"2026-11-21\"",
    "\"0000-00-00 00:00:00\"",
    "\"2026-11-21T10:00:00+07:00\"",
    "\"",
    "\\",
    "\\\"",
    "[",
    "{",
    "]",
    "}",
    ",",
    ":",
    " ",
    "\n",
    "\t",
    "\u{0}",
    "\u{feff}",
    "\u{2028}",
    "\u{10ffff}",
    "\"token\":\"hunter2\"",
    "\"pin\":\"hunter2\",",
    "{\"token\":\"hunter2\"}",
    "{\"api_key\":\"hunter2\"},",
    "\"client_secret\":{\"a\":\"hunter2\"},",
    "\"Authorization\":[\"hunter2\"],",
    "\"refunds\":[{}],",
    "\"mutations\":",
    "\"amount\":5,",
    "\"id\":",
    "hunter2",
];

/// At least one body of every kind that is read.
pub fn bodies() -> Vec<Body> {
    let moota = M1.body.replace("\"token\":\"aolk4PekJxM\"", &format!("\"token\":\"{SECRET}\""));
    let meta = format!("\"meta\":{{\"session\":\"{SECRET}\"}}");
    let older = r#"{"id":"a1","bank_id":"V","account_number":"123-456","date":"2026-11-21 10:25:16","amount":"100123","description":"T 💸","type":"CR","balance":-5.5}"#;
    let planted = |body: &str| body.replacen('{', &format!("{{\"pin\":\"{SECRET}\","), 1);
    let refund = r#""partial_refund","refund_amount":"7.00","refunds":[{"refund_chargeback_id":1,"refund_amount":"5.00"},{"refund_key":"k","refund_amount":"2.00"}]"#;
    let unsigned = D1.body.replace(D1.signature, SECRET);
    let midtrans = [
        D1.body.to_owned(),
        unsigned.clone(),
        unsigned.replace("\"settlement\"", refund),
        r#"{"reference_no":"r-1","amount":"20000.00","status":"completed","signature_key":"hunter2"}"#
            .to_owned(),
    ];
    let xendit = [
        r#"{"event":"payout.succeeded","created":"2026-11-21T03:00:00Z","data":{"id":"disb-1","amount":10000,"status":"SUCCEEDED","channel_properties":{"account_number":"000000000099"}},"token":"hunter2"}"#,
        r#"{"id":"i","external_id":"o","status":"PAID","amount":50000,"paid_amount":50123,"paid_at":"2026-11-21T03:00:00.000Z","currency":"IDR","description":"Invoice"}"#,
        r#"{"id":"v","payment_id":"p","external_id":"o","account_number":"8808","bank_code":"BNI","amount":99000,"transaction_timestamp":"2026-11-21T03:00:00.000Z","api_key":"hunter2"}"#,
    ];
    let snap = [
        S4.body.to_owned(),
        S4.body.replace("\"passApp\":\"TEST\"", "\"passApp\":\"hunter2\"").replace("\"50123.00\"", r#"{"value":"50123.00","currency":"IDR"}"#),
        r#"{"virtualAccountNo":"  123","paymentRequestId":"r","paidAmount":{"value":"1.00","currency":"IDR"},"trxDateTime":"2026-11-21T10:00:00+07:00"}"#.to_owned(),
    ];
    let mut bodies = vec![
        (Provider::Moota, moota.replace("\"meta\":null", &meta)),
        (Provider::Moota, M3.body.to_owned()),
        (Provider::Moota, planted(M3.body)),
        (Provider::Moota, older.to_owned()),
        (Provider::Moota, format!("[{older},{older}]")),
        (Provider::Moota, format!("{{\"mutations\":[{older}, {older}]}}")),
    ];
    bodies.extend(midtrans.map(|body| (Provider::Midtrans, body)));
    bodies.extend(xendit.map(|body| (Provider::Xendit, body.to_owned())));
    bodies.extend(snap.map(|body| (Provider::SnapBri, body)));
    bodies
}

/// A damaged body, most times for the provider that sends such ones.
pub fn case(rng: &mut ChaCha8Rng, bodies: &[Body]) -> Body {
    let (own, body) = bodies.choose(rng).unwrap();
    let provider = if rng.random_ratio(7, 8) { *own } else { *Provider::ALL.choose(rng).unwrap() };
    let mut bytes = body.as_bytes().to_vec();
    for _ in 0..rng.random_range(0..4) {
        damage(rng, &mut bytes, bodies);
    }
    let body = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    (provider, body)
}

fn damage(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>, bodies: &[Body]) {
    let at = rng.random_range(0..=bytes.len());
    let until = rng.random_range(at..=bytes.len().min(at + 40));
    match rng.random_range(0..12) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = rng.random(),
        2 => drop(bytes.drain(at..until)),
        3 => bytes.truncate(at),
        4 => insert(bytes, at, &bytes[at..until].to_vec()),
        5 => {
            let other = bodies.choose(rng).unwrap().1.as_bytes();
            let from = rng.random_range(0..other.len());
            let to = rng.random_range(from..=other.len().min(from + 60));
            insert(bytes, at, &other[from..to]);
        }
        6 => insert(bytes, at, TOKENS.choose(rng).unwrap().as_bytes()),
        7 | 8 => replace_value(rng, bytes),
        9 => {
            // Another key of the same name, before or after what was there.
            let entry = format!("\"{}\":{},", NAMES.choose(rng).unwrap(), TOKENS.choose(rng).unwrap());
            let at = after(rng, bytes, |byte| matches!(byte, b'{' | b','));
            insert(bytes, at, entry.as_bytes());
        }
        10 => {
            let text: String = (0..rng.random_range(1..8)).map(|_| rng.random::<char>()).collect();
            insert(bytes, at, text.as_bytes());
        }
        _ => nested(rng, bytes, at),
    }
}

const NAMES: &[&str] = &[
    "amount",
    "type",
    "date",
    "id",
    "mutation_id",
    "token",
    "order_id",
    "gross_amount",
    "transaction_status",
    "status_code",
    "virtualAccountNo",
    "customerNo",
    "additionalInfo",
    "paymentRequestId",
    "status",
    "external_id",
    "paid_amount",
    "bank",
    "meta",
];

/// Puts something else where a value is.
fn replace_value(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>) {
    let start = after(rng, bytes, |byte| byte == b':');
    let length = bytes[start..].iter().position(|byte| matches!(byte, b',' | b'}')).unwrap_or(0);
    let token = TOKENS.choose(rng).unwrap();
    bytes.splice(start..start + length, token.bytes());
}

/// Brackets that open, and sometimes as many that close; now and then more than any parser should follow.
fn nested(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>, at: usize) {
    let depth = match rng.random_range(0..1_000) {
        0 => 5_000,
        1..=200 => rng.random_range(100..140),
        _ => rng.random_range(1..8),
    };
    let (open, close) = *[("[", "]"), ("{\"a\":", "}"), ("[{\"token\":", "}]")].choose(rng).unwrap();
    let at = if rng.random() { after(rng, bytes, |byte| byte == b':') } else { at };
    if rng.random() {
        insert(bytes, at, (open.repeat(depth) + "\"hunter2\"" + &close.repeat(depth)).as_bytes());
    } else {
        insert(bytes, at, open.repeat(depth).as_bytes());
    }
}

/// The position after a random byte of a sort; the beginning where there is none.
fn after(rng: &mut ChaCha8Rng, bytes: &[u8], sort: impl Fn(u8) -> bool) -> usize {
    let from = rng.random_range(0..=bytes.len());
    bytes[from..].iter().position(|byte| sort(*byte)).map_or(0, |found| from + found + 1)
}

fn insert(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    bytes.splice(at..at, what.iter().copied());
}
