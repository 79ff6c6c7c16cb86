//! The gateways and the bank of these tests: bodies, signed as the provider signs them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use wallet_ledger_tests::bank::{one, quoted, set_secret, wib, with};
use wallet_ledger_tests::*;

pub const MIDTRANS: &str = "gateways:midtrans";
pub const XENDIT: &str = "gateways:xendit";
pub const BRIVA: &str = "banks:bri:va";
pub const SHORTFALL: &str = "platform:receivable:chargebacks";
pub const SERVER_KEY: &str = "server-key-of-the-tests";
pub const CALLBACK_TOKEN: &str = "callback-token-of-the-tests";
pub const NOTIFY_PATH: &str = "/snap/v1.0/transfer-va/notify-payment-intrabank";
pub const PAYMENT_PATH: &str = "/snap/v1.0/transfer-va/payment";
/// Secret and token of the vector S4.
const SNAP_SECRET: &str = "testsecret";
const SNAP_TOKEN: &str = "testtoken";
const SNAP_TIMESTAMP: &str = "2026-01-01T10:00:05+07:00";

/// `books` with an account at each provider, its secret, and `wallets:u`, which has nothing.
pub async fn shop(test: &str) -> (TestDb, Client) {
    let (db, client) = books(test).await;
    for (account, provider, secret) in
        [(MIDTRANS, "midtrans", SERVER_KEY), (XENDIT, "xendit", CALLBACK_TOKEN), (BRIVA, "snap", SNAP_SECRET)]
    {
        call(&client, &format!("register_bank_account('{account}', '{provider}')")).await;
        set_secret(&client, provider, secret).await;
    }
    call(&client, "open_wallet('u')").await;
    (db, client)
}

/// A top-up of that wallet by an order at Midtrans.
pub async fn order(client: &Client, wallet: &str, amount: u32, number: &str) -> Line {
    let place =
        format!("'{MIDTRANS}', reference => 'ref-{number}', method => 'gateway', number => '{number}'");
    call(client, &format!("create_intent('topup', 'wallets:{wallet}', {amount}, {place})")).await
}

/// A top-up of `wallets:u` by a virtual account at BRI.
pub async fn bill(client: &Client, amount: u32, number: &str, more: &str) -> Line {
    let place = format!("'{BRIVA}', method => 'virtual_account', number => '{number}'{more}");
    call(client, &format!("create_intent('topup', 'wallets:u', {amount}, {place})")).await
}

/// Midtrans' notification of a settlement; the payment of order `o` has the id `pay-o`.
pub fn settlement(number: &str, amount: u32) -> Value {
    json!({
        "transaction_time": wib(0), "transaction_status": "settlement", "transaction_id": format!("pay-{number}"),
        "status_message": "midtrans payment notification", "status_code": "200", "payment_type": "qris",
        "order_id": number, "gross_amount": format!("{amount}.00"), "currency": "IDR",
    })
}

/// The same with another status.
pub fn status(number: &str, amount: u32, status: &str) -> Value {
    with(&settlement(number, amount), json!({ "transaction_status": status }))
}

/// A partial refund that lists all refunds so far.
pub fn refunds(number: &str, amount: u32, listed: &[(&str, u32)]) -> Value {
    let sum: u32 = listed.iter().map(|(_, amount)| amount).sum();
    let listed: Vec<Value> = listed
        .iter()
        .map(|(key, amount)| json!({ "refund_key": key, "refund_amount": format!("{amount}.00") }))
        .collect();
    let fields = json!({ "refund_amount": format!("{sum}.00"), "refunds": listed });
    with(&status(number, amount, "partial_refund"), fields)
}

/// A partial chargeback, which tells the sum so far.
pub fn chargeback(number: &str, amount: u32, sum: u32) -> Value {
    with(&status(number, amount, "partial_chargeback"), json!({ "refund_amount": format!("{sum}.00") }))
}

/// The signature that Midtrans puts into its bodies.
pub fn signature_key(body: &Value, key: &str) -> String {
    let text = |name: &str| body[name].as_str().expect("a text").to_owned();
    hex(&Sha512::digest(text("order_id") + &text("status_code") + &text("gross_amount") + key))
}

pub fn midtrans_call(body: &Value, confirmed: bool) -> String {
    let body = with(body, json!({ "signature_key": signature_key(body, SERVER_KEY) }));
    format!("receive_webhook('midtrans', '{{}}', {}, {confirmed})", quoted(&body.to_string()))
}

/// Delivers a notification of Midtrans and returns the outcome of its line.
pub async fn midtrans(client: &Client, body: &Value) -> Value {
    line(&call(client, &midtrans_call(body, false)).await)
}

pub async fn xendit(client: &Client, body: &Value) -> Value {
    let headers = json!({ "x-callback-token": CALLBACK_TOKEN });
    let call_text =
        format!("receive_webhook('xendit', {}, {})", quoted(&headers.to_string()), quoted(&body.to_string()));
    line(&call(client, &call_text).await)
}

/// Delivers a body as the bank would to that path, and returns the whole answer.
pub async fn snap(client: &Client, path: &str, body: &str) -> Line {
    call(client, &snap_call(path, body, &json!({}))).await
}

/// The call, with more headers.
pub fn snap_call(path: &str, body: &str, more: &Value) -> String {
    let digest = hex(&Sha256::digest(body));
    let signed = format!("POST:{path}:{SNAP_TOKEN}:{digest}:{SNAP_TIMESTAMP}");
    let mut mac = Hmac::<Sha512>::new_from_slice(SNAP_SECRET.as_bytes()).expect("any length");
    mac.update(signed.as_bytes());
    let signature = BASE64.encode(mac.finalize().into_bytes());
    let headers = json!({
        ":path": path, "X-TIMESTAMP": SNAP_TIMESTAMP, "X-SIGNATURE": signature,
        "Authorization": format!("Bearer {SNAP_TOKEN}"),
    });
    let headers = with(&headers, more.clone());
    format!("receive_webhook('snap', {}, {})", quoted(&headers.to_string()), quoted(body))
}

/// A payment to a virtual account, paid now.
pub fn paid(id: &str, number: &str, amount: Option<u32>) -> Value {
    let info = amount.map(|amount| json!({ "paymentAmount": format!("{amount}.00") }));
    json!({
        "virtualAccountNo": number, "paymentRequestId": id, "trxDateTime": chrono::Utc::now().to_rfc3339(),
        "additionalInfo": info,
    })
}

/// The one line of an answer.
pub fn line(answer: &Line) -> Value {
    assert_eq!(&answer["outcome"], "processed", "{answer:?}");
    let mut lines = answer.json("lines");
    let all = lines.as_array_mut().expect("lines");
    assert_eq!(all.len(), 1, "{answer:?}");
    all.remove(0)
}

/// The payment as the view has it.
pub async fn payment(client: &Client, id: &str) -> Line {
    let sql = format!("SELECT * FROM wallet_ledger.gateway_payments WHERE payment_id = {}", quoted(id));
    one(client, &sql).await
}

/// A mutation as it is now.
pub async fn mutation_now(client: &Client, id: &str) -> Line {
    one(client, &format!("SELECT * FROM wallet_ledger.mutations WHERE id = {}", quoted(id))).await
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asserts that the books are sound, and that each bank account has its opening balance and its mutations,
/// day by day.
pub async fn assert_all_sound(client: &Client) {
    let differing = "
        SELECT a.address, a.posted, b.opening_balance, m.total
        FROM wallet_data.bank_accounts b JOIN wallet_data.accounts a USING (ledger_id, account_id)
        LEFT JOIN (SELECT bank_account_id, sum(CASE direction_id WHEN 1 THEN amount ELSE -amount END) AS total
                   FROM wallet_data.mutations WHERE state_id <> 7 GROUP BY 1) m USING (bank_account_id)
        WHERE a.posted <> b.opening_balance + coalesce(m.total, 0)";
    let found = lines(client, differing).await;
    assert!(found.is_empty(), "opening + mutations is not the balance: {found:#?}");
    for account in lines(client, "SELECT account FROM wallet_ledger.bank_accounts").await {
        for day in calls(client, &format!("bank_proof('{}')", &account["account"])).await {
            assert_eq!(day.pick(["is_proved", "lines"]), ["t", "[]"], "{account:?} {day:?}");
        }
    }
    proof::assert_sound(client).await;
}

pub fn reasons(line: &Value) -> Vec<&str> {
    line["reasons"].as_array().expect("reasons").iter().filter_map(Value::as_str).collect()
}
