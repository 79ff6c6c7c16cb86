//! Proves what notifications of gateways and banks come to: every status, once and repeated, in every order
//! and at the same time; money that is taken back after it was spent; virtual accounts with the answers that
//! the bank expects. After every test the books are sound, and every bank account has its opening balance and
//! its mutations.

#[path = "gateway/hand.rs"]
mod hand;
#[path = "gateway/locks.rs"]
mod locks;
#[path = "gateway/orders.rs"]
mod orders;
#[path = "gateway/providers.rs"]
mod providers;
#[path = "gateway/refusals.rs"]
mod refusals;
#[path = "gateway/virtual_accounts.rs"]
mod virtual_accounts;

use providers::*;
use wallet_ledger_tests::bank::{events, intent_now, one, set_secret, with};
use wallet_ledger_tests::*;

/// The published example of Midtrans, with its own key.
#[tokio::test]
async fn the_published_example_pays_its_order() {
    let (_db, client) = shop("midtrans_d1").await;
    let key = "askvnoibnosifnboseofinbofinfgbiufglnbfg";
    set_secret(&client, "midtrans", key).await;
    order(&client, "u", 100_000, "1111").await;
    let body = settlement("1111", 100_000);
    let signature = signature_key(&body, key);
    assert!(signature.starts_with("edc076b21793ebe3e17926350f5b8ae67d902fe657b3d0aa31b932d5c127e237"));
    let deliver = |signature: &str| {
        let body = with(&body, json!({ "signature_key": signature }));
        format!("receive_webhook('midtrans', '{{}}', {})", bank::quoted(&body.to_string()))
    };
    let wrong = call(&client, &deliver(&signature.replacen('e', "f", 1))).await;
    assert_eq!(wrong.pick(["outcome", "http_status", "reason"]), ["refused", "401", "signature_mismatch"]);
    let answer = call(&client, &deliver(&signature)).await;
    assert_eq!(answer.pick(["http_status", "matched_count", "response_code"]), ["200", "1", "NULL"]);
    assert_eq!(posted(&client, "wallets:u").await, "100000.00");
    assert_all_sound(&client).await;
}

/// Every status on a new payment, and on one that is settled.
#[tokio::test]
async fn every_status_comes_to_what_it_means() {
    let (_db, client) = shop("midtrans_statuses").await;
    let challenge = json!({ "fraud_status": "challenge", "status_code": "201" });
    let accept = json!({ "fraud_status": "accept" });
    let no_more = json!({});
    // Status, fields; outcome and state of a new payment; reason and state of a settled one; what is left of it.
    for (index, (name, fields, new, settled, left)) in [
        ("pending", &no_more, ("ignored", "pending"), ("settled", "settled"), 50_000),
        ("authorize", &no_more, ("ignored", "pending"), ("settled", "settled"), 50_000),
        ("capture", &challenge, ("ignored", "challenged"), ("settled", "settled"), 50_000),
        ("capture", &accept, ("matched", "settled"), ("matched", "settled"), 50_000),
        ("capture", &no_more, ("matched", "settled"), ("matched", "settled"), 50_000),
        ("settlement", &no_more, ("matched", "settled"), ("matched", "settled"), 50_000),
        ("deny", &no_more, ("ignored", "denied"), ("denied", "reversed"), 0),
        ("cancel", &no_more, ("ignored", "cancelled"), ("cancelled", "reversed"), 0),
        ("expire", &no_more, ("ignored", "expired"), ("expired", "reversed"), 0),
        ("failure", &no_more, ("ignored", "failed"), ("failed", "reversed"), 0),
        ("refund", &no_more, ("ignored", "pending"), ("refund", "reversed"), 0),
        ("chargeback", &no_more, ("ignored", "pending"), ("chargeback", "reversed"), 0),
        (
            "partial_refund",
            &json!({ "refund_amount": "20000.00" }),
            ("ignored", "pending"),
            ("refund", "partly_reversed"),
            30_000,
        ),
        (
            "partial_chargeback",
            &json!({ "refund_amount": "1.00" }),
            ("ignored", "pending"),
            ("chargeback", "partly_reversed"),
            49_999,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        call(&client, &format!("open_wallet('n{index}')")).await;
        call(&client, &format!("open_wallet('s{index}')")).await;
        let first = format!("new-{index}");
        order(&client, &format!("n{index}"), 50_000, &first).await;
        let outcome = midtrans(&client, &with(&status(&first, 50_000, name), fields.clone())).await;
        let row = payment(&client, &format!("pay-{first}")).await;
        assert_eq!((outcome["outcome"].as_str(), &row["status"]), (Some(new.0), new.1), "{name} {outcome}");
        let moved = new.0 == "matched";
        assert_eq!(posted(&client, &format!("wallets:n{index}")).await == "50000.00", moved, "{name}");
        assert_eq!(outcome["mutation_id"].is_string(), moved, "{name}");

        let second = format!("settled-{index}");
        order(&client, &format!("s{index}"), 50_000, &second).await;
        midtrans(&client, &settlement(&second, 50_000)).await;
        let again = with(&with(&status(&second, 50_000, name), fields.clone()), json!({ "n": 2 }));
        let outcome = midtrans(&client, &again).await;
        let row = payment(&client, &format!("pay-{second}")).await;
        assert_eq!((reasons(&outcome)[0], &row["status"]), settled, "{name} {outcome}");
        assert_eq!(posted(&client, &format!("wallets:s{index}")).await, format!("{left}.00"), "{name}");
        assert_eq!(row.pick(["credited", "net"]), ["50000.00", &format!("{left}.00")], "{name}");
    }
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn a_settlement_credits_once() {
    let (_db, client) = shop("midtrans_once").await;
    let intent = order(&client, "u", 50_000, "o-1").await;
    let body = settlement("o-1", 50_000);
    let first = midtrans(&client, &body).await;
    assert_eq!((&first["outcome"], &first["direction"]), (&json!("matched"), &json!("credit")));
    assert_eq!((first["intent_id"].as_str(), &first["amount"]), (Some(&intent["id"]), &json!("50000.00")));
    assert_eq!(first["bank_account"], MIDTRANS);
    // The same body is answered as before; another one that says the same is a duplicate with the same ids.
    let replay = call(&client, &midtrans_call(&body, false)).await;
    assert_eq!((&replay["replayed"], line(&replay)), ("t", first.clone()));
    let again = midtrans(&client, &with(&body, json!({ "again": true }))).await;
    assert_eq!((&again["outcome"], reasons(&again)), (&json!("duplicate"), vec!["matched", "settled"]));
    for id in ["mutation_id", "intent_id", "transaction_id"] {
        assert_eq!(again[id], first[id]);
    }
    // What comes late does nothing either.
    let late = midtrans(&client, &status("o-1", 50_000, "pending")).await;
    assert_eq!((&late["outcome"], reasons(&late)), (&json!("ignored"), vec!["settled"]));
    assert!(late["mutation_id"].is_null());
    assert_eq!(posted(&client, "wallets:u").await, "50000.00");
    assert_eq!(posted(&client, MIDTRANS).await, "50000.00");
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn a_settlement_that_is_denied_afterwards_goes_back() {
    let (_db, client) = shop("midtrans_denied").await;
    let intent = order(&client, "u", 50_000, "o-1").await;
    let credit = midtrans(&client, &settlement("o-1", 50_000)).await;
    let denied = midtrans(&client, &status("o-1", 50_000, "deny")).await;
    assert_eq!((&denied["outcome"], &denied["direction"]), (&json!("ignored"), &json!("debit")));
    assert_eq!((reasons(&denied), &denied["amount"]), (vec!["denied"], &json!("50000.00")));
    assert_eq!(posted(&client, "wallets:u").await, "0.00");
    assert_eq!(posted(&client, MIDTRANS).await, "0.00");
    let row = payment(&client, "pay-o-1").await;
    assert_eq!(row.pick(["status", "reversed", "net"]), ["reversed", "50000.00", "0.00"]);
    assert_eq!(Some(&row["mutation_id"]), credit["mutation_id"].as_str());
    // The intent was paid, and the application told so: it stays paid, and the event says what happened.
    assert_eq!(
        intent_now(&client, &intent["id"]).await.pick(["status", "paid_amount"]),
        ["paid", "50000.00"]
    );
    let told = events(&client, &["gateway.reversed", "gateway.shortfall"]).await;
    assert_eq!(told.len(), 1);
    let payload = told[0].json("payload");
    assert_eq!(
        (payload["intent_id"].as_str(), payload["cause"].as_str()),
        (Some(&intent["id"]), Some("denied"))
    );
    assert_eq!((&payload["amount"], &payload["covered"]), (&json!("50000.00"), &json!("50000.00")));
    // The debit names what it takes back, and the posting is a reversal.
    let sql = format!(
        "SELECT m.original_id, m.status, m.direction, m.provider_mutation_id, t.kind, t.reference, t.description
         FROM wallet_ledger.mutations m JOIN wallet_ledger.transfers t ON t.transaction_id = m.transaction_id
         WHERE m.id = {}",
        bank::quoted(denied["mutation_id"].as_str().unwrap())
    );
    let debit = one(&client, &sql).await;
    assert_eq!(Some(&debit["original_id"]), credit["mutation_id"].as_str());
    assert_eq!(
        debit.pick(["status", "direction", "provider_mutation_id"]),
        ["ignored", "debit", "pay-o-1:reversal:1"]
    );
    assert_eq!(debit.pick(["kind", "reference", "description"]), ["reversal", "ref-o-1", "denied"]);
    // Denied is denied, however often; nothing more goes back than came.
    let again = midtrans(&client, &with(&status("o-1", 50_000, "deny"), json!({ "n": 1 }))).await;
    assert_eq!((&again["outcome"], reasons(&again)), (&json!("duplicate"), vec!["matched", "reversed"]));
    let refund = midtrans(&client, &status("o-1", 50_000, "refund")).await;
    assert_eq!(refund["outcome"], "duplicate");
    assert_eq!(posted(&client, MIDTRANS).await, "0.00");
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn refunds_count_once_each_by_their_ids() {
    let (_db, client) = shop("midtrans_refunds").await;
    order(&client, "u", 100_000, "o-1").await;
    midtrans(&client, &settlement("o-1", 100_000)).await;
    for (listed, left) in [
        (&[("a", 10_000)][..], "90000.00"),
        (&[("a", 10_000)], "90000.00"),
        (&[("b", 5_000), ("a", 10_000)], "85000.00"),
        (&[("c", 1)], "84999.00"),
        (&[("a", 10_000), ("b", 5_000), ("c", 1), ("d", 84_999)], "0.00"),
        (&[("e", 100_000)], "0.00"),
    ] {
        midtrans(&client, &with(&refunds("o-1", 100_000, listed), json!({ "at": left }))).await;
        assert_eq!(posted(&client, "wallets:u").await, left, "{listed:?}");
        assert_eq!(posted(&client, MIDTRANS).await, left, "{listed:?}");
    }
    let debits = "SELECT string_agg(provider_mutation_id || ' ' || amount, ', ' ORDER BY id)
                  FROM wallet_ledger.mutations WHERE direction = 'debit'";
    let expected = "pay-o-1:reversal:1 10000.00, pay-o-1:reversal:2 5000.00, pay-o-1:reversal:3 1.00, \
                    pay-o-1:reversal:4 84999.00";
    assert_eq!(value(&client, debits).await, expected);
    assert_eq!(&payment(&client, "pay-o-1").await["status"], "reversed");
    assert_all_sound(&client).await;
}

/// A refund that is notified before its settlement: the settlement credits, and the refund takes its part.
#[tokio::test]
async fn what_came_too_early_counts_when_the_settlement_comes() {
    let (_db, client) = shop("midtrans_early").await;
    let intent = order(&client, "u", 100_000, "o-1").await;
    let early = midtrans(&client, &refunds("o-1", 100_000, &[("a", 30_000)])).await;
    assert_eq!((&early["outcome"], reasons(&early)), (&json!("ignored"), vec!["pending"]));
    midtrans(&client, &chargeback("o-1", 100_000, 20_000)).await;
    let credit = midtrans(&client, &settlement("o-1", 100_000)).await;
    assert_eq!((&credit["outcome"], &credit["amount"]), (&json!("matched"), &json!("100000.00")));
    assert_eq!((reasons(&credit), &credit["direction"]), (vec!["refund", "chargeback"], &json!("credit")));
    assert_eq!(posted(&client, "wallets:u").await, "50000.00");
    let row = payment(&client, "pay-o-1").await;
    assert_eq!(row.pick(["status", "credited", "reversed"]), ["partly_reversed", "100000.00", "50000.00"]);
    assert_eq!(&intent_now(&client, &intent["id"]).await["paid_amount"], "100000.00");
    let told = events(&client, &["intent.paid", "gateway.reversed"]).await;
    let topics: Vec<&str> = told.iter().map(|event| &event["topic"]).collect();
    assert_eq!(topics, ["intent.paid", "gateway.reversed", "gateway.reversed"]);
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn a_challenge_holds_until_it_is_accepted() {
    let (_db, client) = shop("midtrans_challenge").await;
    order(&client, "u", 50_000, "o-1").await;
    let held = json!({ "transaction_status": "capture", "fraud_status": "challenge", "status_code": "201" });
    let held = midtrans(&client, &with(&settlement("o-1", 50_000), held)).await;
    assert_eq!((&held["outcome"], reasons(&held)), (&json!("ignored"), vec!["challenged"]));
    assert_eq!(&payment(&client, "pay-o-1").await["status"], "challenged");
    assert_eq!(posted(&client, MIDTRANS).await, "0");
    let accepted = json!({ "transaction_status": "capture", "fraud_status": "accept" });
    let accepted = midtrans(&client, &with(&settlement("o-1", 50_000), accepted)).await;
    assert_eq!(accepted["outcome"], "matched");
    assert_eq!(posted(&client, "wallets:u").await, "50000.00");
    assert_all_sound(&client).await;
}

/// Confirmed is what the caller has asked about, where money moves; what it was does not depend on the order.
#[tokio::test]
async fn whether_a_status_was_confirmed_is_kept() {
    let (_db, client) = shop("midtrans_confirmed").await;
    order(&client, "u", 50_000, "o-1").await;
    call(&client, &midtrans_call(&status("o-1", 50_000, "pending"), true)).await;
    assert_eq!(&payment(&client, "pay-o-1").await["confirmed"], "f");
    call(&client, &midtrans_call(&settlement("o-1", 50_000), false)).await;
    assert_eq!(&payment(&client, "pay-o-1").await["confirmed"], "f");
    let again = with(&settlement("o-1", 50_000), json!({ "asked": true }));
    assert_eq!(line(&call(&client, &midtrans_call(&again, true)).await)["outcome"], "duplicate");
    assert_eq!(&payment(&client, "pay-o-1").await["confirmed"], "t");
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn xendits_invoices_are_paid_once() {
    let (_db, client) = shop("xendit").await;
    let place = format!("'{XENDIT}', method => 'gateway', number => 'invoice-1'");
    let intent = call(&client, &format!("create_intent('topup', 'wallets:u', 75000, {place})")).await;
    let body = json!({
        "id": "inv-1", "external_id": "invoice-1", "status": "PAID", "amount": 75_000, "paid_amount": 75_000,
        "currency": "IDR", "paid_at": chrono::Utc::now().to_rfc3339(), "payment_method": "BANK_TRANSFER",
    });
    let paid = xendit(&client, &body).await;
    assert_eq!((&paid["outcome"], paid["intent_id"].as_str()), (&json!("matched"), Some(&intent["id"])));
    let settled = xendit(&client, &with(&body, json!({ "status": "SETTLED" }))).await;
    assert_eq!((&settled["outcome"], &settled["mutation_id"]), (&json!("duplicate"), &paid["mutation_id"]));
    assert_eq!(posted(&client, "wallets:u").await, "75000.00");
    assert_eq!(
        payment(&client, "inv-1").await.pick(["status", "number", "net"]),
        ["settled", "invoice-1", "75000.00"]
    );
    // An invoice that nobody has paid.
    let expired = json!({ "id": "inv-2", "external_id": "invoice-2", "status": "EXPIRED" });
    let expired = xendit(&client, &with(&body, expired)).await;
    assert_eq!((&expired["outcome"], reasons(&expired)), (&json!("ignored"), vec!["expired"]));
    assert_all_sound(&client).await;
}
