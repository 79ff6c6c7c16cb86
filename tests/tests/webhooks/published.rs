//! The bodies and signatures that the providers publish, or whose inputs they do.

use super::*;

pub const M1: (&str, &str, &str) = (
    "FcZnoVBN",
    "48fd0e1eecf65f66196aa1e37a68b0139f8cf29bc5788dd63be6a6b5057cf166",
    r#"[{"account_number":"235264741","date":"2021-10-05 10:25:16","description":"buy other food","note":"","amount":100123,"type":"CR","balance":0,"updated_at":"2021-10-05 10:25:16","created_at":"2021-10-05 10:25:16","mutation_id":"aolk4PekJxM","token":"aolk4PekJxM","bank_id":"VLagzqBj42D","taggings":[],"bank":{"corporate_id":null,"username":"cartwright.dena","atas_nama":"Moota","balance":"100123.00","account_number":"235264741","bank_type":"bca","login_retry":0,"date_from":"2021-09-24 00:00:00","date_to":"2021-09-24 00:00:00","meta":null,"interval_refresh":15,"next_queue":"2021-09-24 11:16:57","is_active":true,"in_queue":0,"in_progress":0,"recurred_at":"2021-09-25 11:01:57","created_at":"2021-09-24 11:01:57","token":"VLagzqBj42D","bank_id":"VLagzqBj42D","label":"BCA","last_update":"2021-09-24T03:46:57.000000Z"}}]"#,
);
pub const M3: (&str, &str, &str) = (
    "secret-token",
    "e717ca2bf26ccaffa5633f56e6493dad309f2a0190581ced69de6b295155e616",
    r#"[{"account_number":4966821,"date":"2024-02-07 20:14:33","description":"Test aja","amount":"10000","type":"CR","balance":520000,"updated_at":"2024-02-07 20:14:33","created_at":"2024-02-07 20:14:33","mutation_id":"6192242","token":"secret-token","bank_id":"2219812"}]"#,
);
const D1: (&str, &str) = (
    "askvnoibnosifnboseofinbofinfgbiufglnbfg",
    r#"{"transaction_time":"2026-11-21 10:00:00","transaction_status":"settlement","transaction_id":"t-1","status_code":"200","signature_key":"edc076b21793ebe3e17926350f5b8ae67d902fe657b3d0aa31b932d5c127e2375d308a2bc94f3265ac2d80a1f181a79b997ac178a236fcff35af263fc4d4c231","payment_type":"bank_transfer","order_id":"1111","gross_amount":"100000.00","currency":"IDR"}"#,
);
const S4: (&str, &str, &str) = (
    "testsecret",
    "aOt/r+VN10WMUxtZIYNaR+6bzRBdD0qe9Q83tY+78MnqT3hmM2UJ+qrIHpfNWxcWbsTNeeRQ/ovCvi0wd3TIIA==",
    r#"{"partnerServiceId":"   77777","customerNo":"0000000000123","virtualAccountNo":"   777770000000000123","paymentRequestId":"20260101000001","trxDateTime":"2026-01-01T10:00:00+07:00","additionalInfo":{"idApp":"TEST","passApp":"TEST","paymentAmount":"50123.00","terminalId":"1","bankId":"002"}}"#,
);
const XENDIT: (&str, &str) = ("callback-token-of-the-tests", r#"{"event":"payout.succeeded","data":{}}"#);

#[tokio::test]
async fn moota_published_bodies_go_all_the_way() {
    let (db, client) = books("moota").await;
    set_secret(&client, "moota", M1.0).await;
    call(&client, "open_wallet('u')").await;
    call(&client, "register_bank_account('banks:bca:1', 'moota', 'VLagzqBj42D', '235264741', 'BCA', 0)")
        .await;
    call(&client, "register_bank_account('banks:other:1', 'moota', '2219812', '4966821')").await;
    // The intent of that day whose total it is.
    let line = intent(&client, 100_000, "").await;
    let dated = format!(
        "UPDATE wallet_data.intents SET unique_code = 123, total = 100123, created_at = '2021-10-05 10:00+07', \
         expires_at = '2021-10-05 11:00+07', accepts_until = '2021-10-05 12:00+07' WHERE intent_id = '{}'",
        &line["id"]
    );
    db::execute(&db.connect().await, &dated).await;
    for name in ["Signature", "signature", "SIGNATURE", "sIgNaTuRe"] {
        let headers = json!({ name: M1.1, "X-MOOTA-USER": "u", "User-Agent": "MootaBot/1.5" });
        assert_eq!(&call(&client, &verification("moota", &headers, M1.2)).await["valid"], "t", "{name}");
    }
    let answer = call(&client, &delivery("moota", &json!({ "signature": M1.1 }), M1.2)).await;
    assert_eq!(
        answer.pick(["outcome", "http_status", "matched_count"]),
        ["processed", "200", "1"],
        "{answer:?}"
    );
    assert_eq!(&intent_now(&client, &line["id"]).await["status"], "paid");
    assert_eq!(posted(&client, "wallets:u").await, "100000.00");
    let row = mutation_now(&client, "aolk4PekJxM").await;
    assert_eq!(
        row.pick(["amount", "occurred_at", "booked_on", "description"]),
        ["100123.00", "2021-10-05 03:25:16+00", "2021-10-05", "buy other food"]
    );
    let again = call(&client, &delivery("moota", &json!({ "SIGNATURE": [M1.1, "another"] }), M1.2)).await;
    assert_eq!(&again["replayed"], "t");
    assert_eq!(again.without(&["replayed"]), answer.without(&["replayed"]));

    // The other one, signed with the other key, while both are live.
    set_secret(&client, "moota", M3.0).await;
    let answer = call(&client, &delivery("moota", &json!({ "Signature": M3.1.to_uppercase() }), M3.2)).await;
    assert_eq!(answer.pick(["outcome", "suspense_count"]), ["processed", "1"], "{answer:?}");
    assert_eq!(posted(&client, "banks:other:1").await, "10000.00");
    assert_eq!(
        &call(&client, &verification("moota", &json!({ "Signature": M1.1 }), M1.2)).await["valid"],
        "t"
    );
    assert_bank_sound(&client).await;
}

/// Each published vector, and each of them with one thing changed.
#[tokio::test]
async fn every_published_signature_verifies_and_no_other() {
    let db = TestDb::with_ledger("vectors").await;
    let client = db.app().await;
    let snap = |signature: &str| {
        json!({
            "X-SIGNATURE": signature, "X-TIMESTAMP": "2026-01-01T10:00:05+07:00", "Authorization": "Bearer testtoken",
            ":path": "/snap/v1.0/transfer-va/notify-payment-intrabank", ":method": "POST",
        })
    };
    for (provider, secret, headers, body) in [
        ("moota", M1.0, json!({ "Signature": M1.1 }), M1.2),
        ("moota", M3.0, json!({ "Signature": M3.1 }), M3.2),
        ("midtrans", D1.0, json!({}), D1.1),
        ("snap", S4.0, snap(S4.1), S4.2),
        ("xendit", XENDIT.0, json!({ "x-callback-token": XENDIT.0 }), XENDIT.1),
    ] {
        let valid = async |headers: &Value, body: &str| {
            let row = call(&client, &verification(provider, headers, body)).await;
            assert_eq!(&row["valid"] == "t", &row["reason"] == "NULL");
            &row["valid"] == "t"
        };
        assert!(!valid(&headers, body).await, "{provider}: no key yet, or another one's");
        call(&client, &format!("set_webhook_secret('{provider}', '{secret}', '0 seconds')")).await;
        assert!(valid(&headers, body).await, "{provider}");
        // Any one character of a signature, and its length.
        for (name, text) in headers.as_object().unwrap() {
            let text = text.as_str().unwrap();
            if !["signature", "x-signature", "x-callback-token", "x-timestamp", "authorization", ":path"]
                .contains(&name.to_ascii_lowercase().as_str())
            {
                continue;
            }
            for at in [0, text.len() / 2, text.len() - 3] {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
                let mut other = headers.clone();
                other[name] = json!(String::from_utf8(bytes).unwrap());
                assert!(!valid(&other, body).await, "{provider} {name} {at}");
            }
            let mut shorter = headers.clone();
            shorter[name] = json!(text[..text.len() - 1]);
            assert!(!valid(&shorter, body).await, "{provider} {name} cut");
            shorter.as_object_mut().unwrap().remove(name);
            assert!(!valid(&shorter, body).await, "{provider} without {name}");
        }
        // Any byte of a body that is signed: Midtrans signs three fields, Xendit none.
        let changes: Vec<(String, bool)> = match provider {
            "midtrans" => vec![
                (body.replace("\"1111\"", "\"1112\""), false),
                (body.replace("\"100000.00\"", "\"100000.01\""), false),
                (body.replace("\"200\"", "\"201\""), false),
                (body.replace("edc076", "edc077"), false),
                (body.replace("c231", "c23"), false),
                (body.replace("settlement", "capture"), true),
            ],
            "xendit" => vec![(body.replace("succeeded", "failed"), true)],
            _ => vec![
                (body.replacen('1', "2", 1), false),
                (body[..body.len() - 1].to_owned(), false),
                (format!("{body}\0").replace('\0', "x"), false),
                (body.replacen(":", ": ", 1), provider == "snap"),
            ],
        };
        for (changed, expected) in changes {
            assert_eq!(valid(&headers, &changed).await, expected, "{provider} {changed}");
        }
        call(&client, &format!("set_webhook_secret('{provider}', '{secret}!', '0 seconds')")).await;
        assert!(!valid(&headers, body).await, "{provider}: another key");
    }
    assert_eq!(
        value(&client, "SELECT count(*) FROM wallet_ledger.webhook_refusals").await,
        "0",
        "verifying stores nothing"
    );
}
