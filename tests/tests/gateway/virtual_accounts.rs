//! Virtual accounts: the vector of the bank's shape, and every answer that the bank can get.

use super::providers::*;
use wallet_ledger_tests::bank::{intent_now, with};
use wallet_ledger_tests::*;

const S4: &str = r#"{"partnerServiceId":"   77777","customerNo":"0000000000123","virtualAccountNo":"   777770000000000123","paymentRequestId":"20260101000001","trxDateTime":"2026-01-01T10:00:00+07:00","additionalInfo":{"idApp":"TEST","passApp":"TEST","paymentAmount":"50123.00","terminalId":"1","bankId":"002"}}"#;
const S4_SIGNATURE: &str =
    "aOt/r+VN10WMUxtZIYNaR+6bzRBdD0qe9Q83tY+78MnqT3hmM2UJ+qrIHpfNWxcWbsTNeeRQ/ovCvi0wd3TIIA==";

#[tokio::test]
async fn the_vector_pays_its_bill_end_to_end() {
    let (_db, client) = shop("snap_s4").await;
    let intent = bill(&client, 50_123, "777770000000000123", "").await;
    assert!(snap_call(NOTIFY_PATH, S4, &json!({})).contains(S4_SIGNATURE), "the published signature");
    let answer = snap(&client, NOTIFY_PATH, S4).await;
    assert_eq!(answer.pick(["http_status", "response_code", "matched_count"]), ["200", "2003400", "1"]);
    let paid = line(&answer);
    assert_eq!((paid["intent_id"].as_str(), &paid["amount"]), (Some(&intent["id"]), &json!("50123.00")));
    let again = snap(&client, NOTIFY_PATH, S4).await;
    assert_eq!(again.pick(["http_status", "response_code", "replayed"]), ["200", "2003400", "t"]);
    // The same request in other words.
    let reworded = with(&serde_json::from_str(S4).unwrap(), json!({ "trxId": "again" })).to_string();
    let again = snap(&client, NOTIFY_PATH, &reworded).await;
    assert_eq!(again.pick(["response_code", "duplicate_count", "replayed"]), ["2003400", "1", "f"]);
    assert_eq!(line(&again)["mutation_id"], paid["mutation_id"]);
    let wrong = snap_call(NOTIFY_PATH, S4, &json!({ "X-TIMESTAMP": "2026-01-01T10:00:06+07:00" }));
    assert_eq!(call(&client, &wrong).await.pick(["http_status", "response_code"]), ["401", "4013400"]);
    assert_eq!(posted(&client, "wallets:u").await, "50123.00");
    assert_eq!(posted(&client, BRIVA).await, "50123.00");
    assert_eq!(&intent_now(&client, &intent["id"]).await["status"], "paid");
    let row = payment(&client, "20260101000001").await;
    assert_eq!(row.pick(["status", "number", "net"]), ["settled", "777770000000000123", "50123.00"]);
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn the_bank_is_told_what_became_of_each_payment() {
    let (_db, client) = shop("snap_codes").await;
    let pay = async |body: &Value, code: &str, reason: Option<&str>| {
        let answer = snap(&client, PAYMENT_PATH, &body.to_string()).await;
        assert_eq!(answer.pick(["response_code", "http_status"]), [code, &code[..3]], "{body}");
        let line = line(&answer);
        let refused = reason.map(|reason| ("rejected", vec![reason]));
        assert_eq!(refused.is_none(), line["mutation_id"].is_string(), "{line}");
        if let Some((outcome, expected)) = refused {
            assert_eq!((line["outcome"].as_str(), reasons(&line)), (Some(outcome), expected));
        }
    };
    pay(&paid("r0", "1000", Some(50_000)), "4042512", Some("bill_not_found")).await;
    bill(&client, 50_000, "1000", "").await;
    pay(&paid("r1", "1000", Some(50_001)), "4042513", Some("wrong_amount")).await;
    let first = paid("r2", " 10 00 ", Some(50_000));
    pay(&first, "2002500", None).await;
    pay(&with(&first, json!({ "trxId": "x" })), "2002500", None).await;
    pay(&paid("r3", "1000", Some(50_000)), "4042514", Some("already_paid")).await;
    // The same request id with other data; without an amount it is the same request.
    pay(&paid("r2", "1000", Some(40_000)), "4042518", Some("conflicting_duplicate")).await;
    pay(&paid("r2", "1001", Some(50_000)), "4042518", Some("conflicting_duplicate")).await;
    pay(&paid("r2", "1000", None), "2002500", None).await;
    // Without an amount it is the bill's.
    bill(&client, 60_000, "1000", "").await;
    pay(&paid("r4", "1000", None), "2002500", None).await;
    assert_eq!(posted(&client, "wallets:u").await, "110000.00");
    let cancelled = bill(&client, 70_000, "2000", "").await;
    call(&client, &format!("cancel_intent('{}')", &cancelled["id"])).await;
    pay(&paid("r5", "2000", Some(70_000)), "4042512", Some("intent_cancelled")).await;
    // Expired by the payment's time; what was paid in the window counts, however late it is reported.
    call(&client, "set_setting('intent_grace', '0 seconds')").await;
    bill(&client, 80_000, "3000", ", expires_in => '1 second'").await;
    let in_time = paid("r6", "3000", Some(80_000));
    until(&client, "SELECT status FROM wallet_ledger.intents WHERE number = '3000'", "expired").await;
    pay(&paid("r7", "3000", Some(80_000)), "4042519", Some("late")).await;
    pay(&in_time, "2002500", None).await;
    pay(&paid("r8", "1000", Some(0)), "4002500", Some("invalid_amount")).await;
    // Refused payments stay at the bank: nothing of them is in the books.
    assert_eq!(posted(&client, BRIVA).await, "190000.00");
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.mutations").await, "3");
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.gateway_payments").await, "3");
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn an_external_id_is_used_once_a_day() {
    let (_db, client) = shop("snap_external").await;
    bill(&client, 50_000, "1000", "").await;
    let external = json!({ "X-EXTERNAL-ID": "e-1" });
    let body = paid("r1", "1000", Some(50_000)).to_string();
    let first = call(&client, &snap_call(PAYMENT_PATH, &body, &external)).await;
    assert_eq!(&first["response_code"], "2002500");
    let other = paid("r2", "1000", Some(50_000)).to_string();
    let reused = call(&client, &snap_call(PAYMENT_PATH, &other, &external)).await;
    assert_eq!(reused.pick(["http_status", "response_code"]), ["409", "4092500"]);
    assert_eq!(posted(&client, BRIVA).await, "50000.00");
    assert_all_sound(&client).await;
}

/// A customer's number for good: the live bill is paid, not the one that has just expired.
#[tokio::test]
async fn the_live_bill_of_a_number_is_paid() {
    let (_db, client) = shop("snap_static").await;
    let old = bill(&client, 50_000, "1000", ", expires_in => '1 second'").await;
    until(&client, "SELECT status FROM wallet_ledger.intents WHERE number = '1000'", "expired").await;
    let new = bill(&client, 50_000, "1000", "").await;
    let answer = snap(&client, PAYMENT_PATH, &paid("r1", "1000", Some(50_000)).to_string()).await;
    assert_eq!(line(&answer)["intent_id"].as_str(), Some(&new["id"]));
    assert_eq!(&intent_now(&client, &old["id"]).await["status"], "expired");
    // The next payment is still in the window of the first.
    let answer = snap(&client, PAYMENT_PATH, &paid("r2", "1000", Some(50_000)).to_string()).await;
    assert_eq!(line(&answer)["intent_id"].as_str(), Some(&old["id"]));
    assert_all_sound(&client).await;
}

/// A statement's line and the notification of one payment are one movement, whichever comes first.
#[tokio::test]
async fn a_statement_and_a_notification_are_one() {
    let (_db, client) = shop("snap_statement").await;
    let today = value(&client, "SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date").await;
    let import = async |lines: &str| {
        let file = format!("Date,Description,Amount,Type\n{lines}");
        call(&client, &format!("import_statement('{BRIVA}', 'csv', {})", bank::quoted(&file))).await
    };
    let first = bill(&client, 50_000, "1000", "").await;
    snap(&client, PAYMENT_PATH, &paid("r1", "1000", Some(50_000)).to_string()).await;
    let line_one = format!("{today},BRIVA 1000,50000,CR\n");
    let answer = import(&line_one).await;
    assert_eq!(&answer["duplicate_count"], "1", "{answer:?}");
    // The line comes first and is nobody's; the notification says whose it is.
    let second = bill(&client, 60_000, "2000", "").await;
    let answer = import(&format!("{line_one}{today},BRIVA 2000,60000,CR\n")).await;
    let waiting = answer.json("lines")[1].clone();
    assert!(["suspense", "review"].contains(&waiting["outcome"].as_str().unwrap()), "{waiting}");
    let answer = snap(&client, PAYMENT_PATH, &paid("r2", "2000", Some(60_000)).to_string()).await;
    assert_eq!(answer.pick(["response_code", "matched_count"]), ["2002500", "1"]);
    let matched = line(&answer);
    assert_eq!((&matched["mutation_id"], reasons(&matched)), (&waiting["mutation_id"], vec!["other_source"]));
    for intent in [&first, &second] {
        assert_eq!(&intent_now(&client, &intent["id"]).await["status"], "paid");
    }
    assert_eq!(posted(&client, "wallets:u").await, "110000.00");
    assert_eq!(posted(&client, BRIVA).await, "110000.00");
    // The notification once more, and the statement once more.
    let again = with(&paid("r2", "2000", Some(60_000)), json!({ "trxId": "again" }));
    let again = snap(&client, PAYMENT_PATH, &again.to_string()).await;
    assert_eq!(again.pick(["response_code", "duplicate_count"]), ["2002500", "1"]);
    import(&format!("{today},BRIVA 2000,60000,CR\n{line_one}")).await;
    assert_eq!(posted(&client, BRIVA).await, "110000.00");
    assert_all_sound(&client).await;
}
