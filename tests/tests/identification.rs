//! Proves that members are identified as stated: PINs are guessed at most so often, however many guess at once and
//! until the lock-out is over; a code identifies its member once and in time; what fails is recorded and does not
//! roll back; and no secret can be read by anybody but the owner.

#[path = "identification/pupils.rs"]
mod pupils;
#[path = "identification/purchases.rs"]
mod purchases;
#[path = "identification/secrets.rs"]
mod secrets;

use std::collections::BTreeMap;

use futures::future::join_all;
use pupils::{PIN, TILL, WRONG, pupils};
use wallet_ledger_tests::bank::events;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// A guess at ana's PIN.
async fn guess(client: &Client, pin: &str) -> Line {
    call(client, &format!("verify_pin('ana', '{pin}', '{TILL}')")).await
}

const OUTCOME: [&str; 3] = ["succeeded", "reason", "attempts_left"];

#[tokio::test]
async fn a_pin_is_digits_that_not_everybody_tries_first() {
    let (_db, client) = pupils("form").await;
    let long = "7".repeat(10_000);
    for pin in ["", "7", "904", "9041726354415", "90a1", "pass", "💸💸💸💸", "90 41", "９０４１", &long]
    {
        for function in ["set_pin", "verify_pin"] {
            let refused = try_call(&client, &format!("{function}('ana', '{pin}')")).await;
            let error = assert_error(refused, "invalid_argument", "PT400");
            assert_eq!(error.message, "pin must have 4 to 12 digits and nothing else");
            assert_eq!(error.detail, json!({"error": "invalid_argument", "argument": "pin"}));
        }
    }
    for pin in ["0000", "777777777777", "1234", "4321", "7890", "987654"] {
        let error =
            assert_error(try_call(&client, &format!("set_pin('ana', '{pin}')")).await, "weak_pin", "PT422");
        assert!(!format!("{error:?}").contains(pin));
    }
    for (arguments, token, sqlstate) in [
        ("NULL, '9041'", "missing_argument", "PT400"),
        ("'ana', NULL", "missing_argument", "PT400"),
        ("'nobody', '9041'", "member_not_found", "PT404"),
        ("'gone', '9041'", "member_not_found", "PT404"),
    ] {
        for function in ["set_pin", "verify_pin"] {
            assert_error(try_call(&client, &format!("{function}({arguments})")).await, token, sqlstate);
        }
    }
    assert_error(try_call(&client, "verify_pin('ben', '9041')").await, "pin_not_set", "PT404");
    assert_error(
        try_call(&client, &format!("verify_pin('ana', '{PIN}', 'nowhere')")).await,
        "device_not_found",
        "PT404",
    );
    // Nothing of all this was a guess, and nothing has set a PIN.
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.authentications").await, "0");
    assert_eq!(guess(&client, PIN).await.pick(OUTCOME), ["t", "NULL", "5"]);
}

#[tokio::test]
async fn a_wrong_pin_is_a_row_that_counts_and_a_right_one_forgets() {
    let (_db, client) = pupils("wrong").await;
    assert_eq!(guess(&client, WRONG).await.pick(OUTCOME), ["f", "wrong_pin", "4"]);
    assert_eq!(guess(&client, WRONG).await.pick(OUTCOME), ["f", "wrong_pin", "3"]);
    let right = guess(&client, PIN).await;
    assert_eq!(right.pick(OUTCOME), ["t", "NULL", "5"]);
    assert_eq!(
        right.pick(["ledger", "member", "method", "device", "locked_until"]),
        ["main", "ana", "pin", TILL, "NULL"]
    );
    let life =
        format!("SELECT timestamptz '{}' - timestamptz '{}'", &right["valid_until"], &right["recorded_at"]);
    assert_eq!(value(&client, &life).await, "00:05:00");
    // A failed one refers to nothing.
    assert_eq!(&guess(&client, WRONG).await["valid_until"], "NULL");
    let recorded = lines(&client, "SELECT * FROM wallet_ledger.authentications ORDER BY id").await;
    let seen: Vec<_> =
        recorded.iter().map(|row| row.pick(["member", "method", "succeeded", "reason"])).collect();
    let wrong = ["ana", "pin", "f", "wrong_pin"];
    assert_eq!(seen, [wrong, wrong, ["ana", "pin", "t", "NULL"], wrong]);
    assert_eq!(recorded[2].pick(["id", "used_at", "device"]), [&right["authentication_id"], "NULL", TILL]);
    // By record_authentication it is the same, and the same count.
    let recorded = call(&client, &format!("record_authentication('pin', 'ana', '{WRONG}')")).await;
    assert_eq!(recorded.pick(OUTCOME), ["f", "wrong_pin", "3"]);
}

#[tokio::test]
async fn fifty_at_once_make_five_guesses() {
    let (db, client) = pupils("fifty").await;
    let sessions = join_all((0..50).map(|_| db.app())).await;
    let results = join_all(sessions.iter().map(|session| guess(session, WRONG))).await;
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for row in &results {
        *outcomes.entry(format!("{} {}", &row["reason"], &row["attempts_left"])).or_default() += 1;
    }
    let once = |left: usize| (format!("wrong_pin {left}"), 1);
    let mut expected: BTreeMap<String, usize> = (0..5).map(once).collect();
    expected.insert("pin_locked 0".to_owned(), 45);
    assert_eq!(outcomes, expected);
    // The right one now is not looked at either.
    assert_eq!(guess(&client, PIN).await.pick(OUTCOME), ["f", "pin_locked", "0"]);
    let locked = events(&client, &["pin.locked"]).await;
    assert_eq!(locked.len(), 1, "the guardian is told once");
    let payload = locked[0].json("payload");
    assert_eq!((&payload["member"], &payload["attempts"]), (&json!("ana"), &json!(5)));
    assert_eq!((&payload["for"], &payload["device"]), (&json!(["guardian", "member"]), &json!(TILL)));
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.authentications").await, "51");
    // Another member's PIN is another count.
    call(&client, &format!("set_pin('ben', '{PIN}')")).await;
    assert_eq!(&call(&client, &format!("verify_pin('ben', '{PIN}')")).await["succeeded"], "t");
}

#[tokio::test]
async fn a_lock_out_lasts_as_long_as_is_set_and_then_counts_anew() {
    let (db, client) = pupils("lockout").await;
    let root = db.connect().await;
    for setting in ["'pin_attempts', '2'", "'pin_lockout', '20 minutes'"] {
        call(&client, &format!("set_setting({setting})")).await;
    }
    for (setting, value) in [("pin_attempts", "0"), ("pin_attempts", "11"), ("pin_lockout", "0 seconds")] {
        let refused = try_call(&client, &format!("set_setting('{setting}', '{value}')")).await;
        assert_error(refused, "invalid_argument", "PT400");
    }
    assert_eq!(guess(&client, WRONG).await.pick(OUTCOME), ["f", "wrong_pin", "1"]);
    let last = guess(&client, WRONG).await;
    assert_eq!(last.pick(OUTCOME), ["f", "wrong_pin", "0"]);
    let length = format!(
        "SELECT date_trunc('second', timestamptz '{}' - timestamptz '{}' + interval '0.5 s')",
        &last["locked_until"], &last["recorded_at"]
    );
    assert_eq!(value(&client, &length).await, "00:20:00");
    let refused = guess(&client, PIN).await;
    assert_eq!(refused.pick(["reason", "locked_until"]), ["pin_locked", &last["locked_until"]]);
    // Before its end and at its end.
    let ends =
        |when: &str| format!("UPDATE wallet_data.member_pins SET locked_until = now() + interval '{when}'");
    execute(&root, &ends("1 minute")).await;
    assert_eq!(&guess(&client, PIN).await["reason"], "pin_locked");
    execute(&root, &ends("0 seconds")).await;
    assert_eq!(guess(&client, WRONG).await.pick(OUTCOME), ["f", "wrong_pin", "1"]);
    assert_eq!(guess(&client, PIN).await.pick(OUTCOME), ["t", "NULL", "2"]);
    // A new PIN ends a lock-out at once, and the one before is no PIN any more.
    guess(&client, WRONG).await;
    guess(&client, WRONG).await;
    assert_eq!(&guess(&client, PIN).await["reason"], "pin_locked");
    call(&client, "set_pin('ana', '72618')").await;
    assert_eq!(&guess(&client, "72618").await["succeeded"], "t");
    assert_eq!(&guess(&client, PIN).await["reason"], "wrong_pin");
    assert_eq!(events(&client, &["pin.set"]).await.len(), 2);
    assert_eq!(events(&client, &["pin.locked"]).await.len(), 2);
}

#[tokio::test]
async fn a_code_shown_fifty_times_at_once_identifies_once() {
    let (db, client) = pupils("qr").await;
    let code = call(&client, "create_qr_code('ana')").await;
    assert_eq!((code["token"].len(), &code["member"]), (43, "ana"));
    let sessions = join_all((0..50).map(|_| db.app())).await;
    let show = format!("record_authentication('qr', credential => '{}', device => '{TILL}')", &code["token"]);
    let results = join_all(sessions.iter().map(|session| call(session, &show))).await;
    let (good, rest): (Vec<_>, Vec<_>) = results.iter().partition(|row| &row["succeeded"] == "t");
    assert_eq!((good.len(), rest.len()), (1, 49));
    assert_eq!(good[0].pick(["member", "method", "reason", "device"]), ["ana", "qr", "NULL", TILL]);
    for row in rest {
        assert_eq!(row.pick(["member", "reason", "valid_until"]), ["ana", "code_used", "NULL"]);
    }
    let sql = "SELECT count(*) FROM wallet_ledger.authentications WHERE succeeded";
    assert_eq!(value(&client, sql).await, "1");
}

/// Makes all codes older, past the guard that refuses it to everybody.
async fn turn_back(root: &Client, times: &str) {
    let guard = "TABLE wallet_data.member_qr_codes # TRIGGER member_qr_codes_used_once";
    let (off, on) = (guard.replace('#', "DISABLE"), guard.replace('#', "ENABLE ALWAYS"));
    execute(root, &format!("ALTER {off}; UPDATE wallet_data.member_qr_codes SET {times}; ALTER {on}")).await;
}

#[tokio::test]
async fn a_code_is_its_members_and_does_not_last() {
    let (db, client) = pupils("codes").await;
    let root = db.connect().await;
    let show = async |token: &str, member: &str| {
        call(&client, &format!("record_authentication('qr', {member}, '{token}')")).await
    };
    let code = call(&client, "create_qr_code('ana', '5 seconds')").await;
    let other = show(&code["token"], "'ben'").await;
    assert_eq!(other.pick(["member", "reason"]), ["ben", "code_of_another"]);
    turn_back(&root, "created_at = now() - interval '1 hour', expires_at = now()").await;
    assert_eq!(show(&code["token"], "NULL").await.pick(["member", "reason"]), ["ana", "code_expired"]);
    for token in ["", "x", &"A".repeat(43), &"A".repeat(10_000), "💸"] {
        let row = show(token, "NULL").await;
        assert_eq!(row.pick(["member", "succeeded", "reason"]), ["NULL", "f", "code_unknown"], "{token:?}");
    }
    for life in ["4.999 seconds", "0", "-1 minute", "15 minutes 1 second", "1 month"] {
        let refused = try_call(&client, &format!("create_qr_code('ana', '{life}')")).await;
        assert_error(refused, "invalid_argument", "PT400");
    }
    // A code of a member who has left.
    let code = call(&client, "create_qr_code('ben')").await;
    execute(&root, "UPDATE wallet_data.members SET state_id = 2 WHERE member = 'ben'").await;
    let gone = try_call(&client, &format!("record_authentication('qr', NULL, '{}')", &code["token"])).await;
    assert_error(gone, "member_not_found", "PT404");
    // Of the past only the last day is remembered.
    turn_back(&root, "created_at = '2026-01-01', expires_at = now() - interval '25 hours'").await;
    call(&client, "create_qr_code('ana', '15 minutes')").await;
    let kept = "SELECT string_agg(member, ' ' ORDER BY member) FROM wallet_data.member_qr_codes";
    assert_eq!(value(&root, kept).await, "ana ben");
}

#[tokio::test]
async fn a_finger_is_the_devices_word() {
    let (db, client) = pupils("finger").await;
    let record =
        async |arguments: &str| try_call(&client, &format!("record_authentication({arguments})")).await;
    let by_till = format!("'fingerprint', 'ana', device => '{TILL}'");
    assert_error(record(&by_till).await, "fingerprint_not_enrolled", "PT404");
    for (finger, bytes) in [("right_index", 15), ("right_index", 65_537), ("thumb", 16), ("👍", 16)] {
        let call = format!("enrol_fingerprint('ana', '{finger}', convert_to(repeat('t', {bytes}), 'UTF8'))");
        assert_error(try_call(&client, &call).await, "invalid_argument", "PT400");
    }
    for bytes in [16, 65_536] {
        let enrol =
            format!("enrol_fingerprint('ana', 'right_index', convert_to(repeat('t', {bytes}), 'UTF8'))");
        call(&client, &enrol).await;
    }
    let stored = "SELECT count(*) || ' ' || sum(octet_length(template)) FROM wallet_data.member_fingerprints";
    assert_eq!(value(&db.connect().await, stored).await, "1 65536", "the second has replaced the first");
    assert_eq!(events(&client, &["fingerprint.enrolled"]).await.len(), 2);
    let row = record(&by_till).await.unwrap();
    assert_eq!(row.pick(["succeeded", "method", "member", "device"]), ["t", "fingerprint", "ana", TILL]);
    for (arguments, token, sqlstate) in [
        ("'fingerprint', 'ana'".to_owned(), "missing_argument", "PT400"),
        (format!("'fingerprint', device => '{TILL}'"), "missing_argument", "PT400"),
        (format!("{by_till}, credential => 'x'"), "invalid_argument", "PT400"),
        ("'fingerprint', 'ana', device => 'nowhere'".to_owned(), "device_not_found", "PT404"),
        ("'fingerprint', 'ana', device => 'broken'".to_owned(), "device_not_found", "PT404"),
        ("'face', 'ana'".to_owned(), "invalid_argument", "PT400"),
        ("NULL".to_owned(), "missing_argument", "PT400"),
        ("'qr', 'ana'".to_owned(), "missing_argument", "PT400"),
        ("'pin', credential => '9041'".to_owned(), "missing_argument", "PT400"),
    ] {
        assert_error(record(&arguments).await, token, sqlstate);
    }
}

/// Statements of the superuser that a guard refuses, and those that it lets pass.
#[tokio::test]
async fn what_was_recorded_stays_and_is_used_once() {
    let (db, client) = pupils("guards").await;
    let code = call(&client, "create_qr_code('ana')").await;
    call(&client, &format!("record_authentication('qr', credential => '{}')", &code["token"])).await;
    call(&client, "create_qr_code('ana')").await;
    call(&client, "enrol_fingerprint('ana', 'right_index', convert_to(repeat('t', 16), 'UTF8'))").await;
    guess(&client, WRONG).await;
    let root = db.connect().await;
    let authentications = "wallet_data.authentications";
    execute(&root, &format!("UPDATE {authentications} SET used_at = now() WHERE succeeded")).await;
    for sql in [
        "DELETE FROM wallet_data.member_pins",
        "TRUNCATE wallet_data.member_pins",
        "TRUNCATE wallet_data.member_fingerprints",
        "TRUNCATE wallet_data.member_qr_codes",
        "UPDATE wallet_data.member_qr_codes SET used_at = NULL",
        "UPDATE wallet_data.member_qr_codes SET expires_at = now() + interval '1 year' WHERE used_at IS NULL",
        "UPDATE wallet_data.member_qr_codes SET created_at = created_at - interval '1 s' WHERE used_at IS NULL",
        "UPDATE wallet_data.member_qr_codes SET member = 'ben' WHERE used_at IS NULL",
        "UPDATE wallet_data.member_qr_codes SET ledger_id = ledger_id + 1 WHERE used_at IS NULL",
        "UPDATE wallet_data.member_pins SET member = 'ben'",
        "UPDATE wallet_data.member_pins SET ledger_id = ledger_id + 1",
        "UPDATE wallet_data.member_fingerprints SET member = 'ben'",
        "UPDATE wallet_data.member_fingerprints SET finger = 'left_thumb'",
        "DELETE FROM wallet_data.authentications",
        "TRUNCATE wallet_data.authentications",
        "UPDATE wallet_data.authentications SET used_at = NULL WHERE succeeded",
        "UPDATE wallet_data.authentications SET failure_id = NULL, succeeded = true WHERE failure_id = 1",
        "UPDATE wallet_data.authentications SET member = 'ben' WHERE failure_id = 1",
        "UPDATE wallet_data.authentications SET recorded_at = now() WHERE failure_id = 1",
    ] {
        assert_error(try_lines(&root, sql).await, "append_only", "PT403");
    }
    for (sql, constraint) in [
        (
            "UPDATE wallet_data.authentications SET used_at = now() WHERE failure_id = 1",
            "authentications_failed_serve_nothing",
        ),
        ("UPDATE wallet_data.member_pins SET pin_hash = '9041'", "member_pins_pin_hash_check"),
        ("UPDATE wallet_data.member_pins SET failed_count = -1", "member_pins_failed_count_check"),
    ] {
        let error = root.batch_execute(sql).await.expect_err(sql);
        assert_eq!(error.as_db_error().and_then(|error| error.constraint()), Some(constraint), "{sql}");
    }
}
