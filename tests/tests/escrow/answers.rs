//! A call that is made again with its key is told what it was told the first time, whatever has happened since.

use super::*;

#[tokio::test]
async fn the_same_key_has_the_same_answer_ever_after() {
    let (_db, client) = shop("answers").await;
    let mut asked: Vec<(String, Line)> = Vec::new();
    let open = open_call("k", ORDER, ", idempotency_key => 'open', metadata => '{\"a\": 1}'");
    let opened = call(&client, &open).await;
    let id = opened["id"].to_owned();
    asked.push((open, opened));
    for (number, (function, more)) in [
        ("release_escrow", ", 1000"),
        ("release_escrow", ", 1000, 'again'"),
        ("refund_escrow", ", 2000, 'late'"),
        ("release_escrow", ", 3000, line => 2"),
        ("confirm_receipt", ""),
        ("refund_escrow", ", 5000, line => 1"),
        ("refund_escrow", ", on_shortfall => 'advance'"),
    ]
    .into_iter()
    .enumerate()
    {
        let sql = format!("{function}('{id}'{more}, idempotency_key => 'key-{number}')");
        asked.push((sql.clone(), call(&client, &sql).await));
    }
    assert_eq!(&escrow_now(&client, &id).await["status"], "refunded");
    let before = contents(&client).await;
    for (sql, answer) in &asked {
        assert_eq!(&answer["replayed"], "f", "{sql}");
        let again = call(&client, sql).await;
        assert_eq!(&again["replayed"], "t", "{sql}");
        assert_eq!(again.without(&["replayed"]), answer.without(&["replayed"]), "{sql}");
    }
    assert_eq!(before, contents(&client).await, "a repetition writes nothing");
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn another_request_under_the_same_key_is_a_conflict() {
    let (_db, client) = shop("conflicts").await;
    let id = call(&client, &open_call("c", ORDER, ", idempotency_key => 'open'")).await["id"].to_owned();
    let other = call(&client, &open_call("d", ORDER, "")).await["id"].to_owned();
    act(&client, "release_escrow", &id, ", 1000, 'why', 'rel', 1").await;
    act(&client, "refund_escrow", &id, ", 1000, 'why', 'ref', 1").await;
    act(&client, "confirm_receipt", &other, ", 'why', 'conf'").await;
    let before = contents(&client).await;
    let changed = ORDER.replace("food", "drink");
    let open = |reference: &str, lines: &str, more: &str| {
        open_call(reference, lines, &format!(", idempotency_key => 'open'{more}"))
    };
    for (sql, field) in [
        (open("x", ORDER, ""), "reference"),
        (open("c", &changed, ""), "lines"),
        (open("c", ORDER, ", amount => 100000"), "amount"),
        (open("c", ORDER, ", metadata => '{}'"), "metadata"),
        (open("c", ORDER, ", auto_release_after => '1 day'"), "auto_release_after"),
        (open("c", ORDER, ", intent_id => '00000000-0000-7000-8000-000000000000'"), "intent_id"),
        (open("c", ORDER, "").replace(BUYER, "wallets:a"), "buyer"),
        (format!("release_escrow('{other}', 1000, 'why', 'rel', 1)"), "escrow_id"),
        (format!("release_escrow('{id}', 1001, 'why', 'rel', 1)"), "amount"),
        (format!("release_escrow('{id}', NULL, 'why', 'rel', 1)"), "amount"),
        (format!("release_escrow('{id}', 1000, 'other', 'rel', 1)"), "reason"),
        (format!("release_escrow('{id}', 1000, 'why', 'rel', 2)"), "line"),
        (format!("refund_escrow('{id}', 1000, 'why', 'ref', 1, 'advance')"), "on_shortfall"),
        (format!("refund_escrow('{id}', 1000, 'why', 'ref')"), "line"),
        (format!("confirm_receipt('{other}', NULL, 'conf')"), "reason"),
        (format!("refund_escrow('{id}', 1000, 'why', 'rel', 1)"), "operation"),
        (format!("confirm_receipt('{id}', 'why', 'rel')"), "operation"),
        (format!("release_escrow('{id}', 1000, 'why', 'open', 1)"), "operation"),
    ] {
        let error = assert_error(try_call(&client, &sql).await, "idempotency_conflict", "PT409");
        assert_eq!(error.detail["field"], field, "{sql}");
    }
    // 1000 and 1000.00, and lines in another spelling, are the same request.
    let spelt: Value = serde_json::from_str(ORDER).unwrap();
    assert_eq!(&call(&client, &open("c", &spelt.to_string(), "")).await["replayed"], "t");
    assert_eq!(&act(&client, "release_escrow", &id, ", 1000.00, 'why', 'rel', 1").await["replayed"], "t");
    assert_eq!(before, contents(&client).await);
    assert_escrows_sound(&client).await;
}

/// A refused call leaves its key free.
#[tokio::test]
async fn a_refused_call_can_be_made_again() {
    let (_db, client) = shop("refused_key").await;
    let rich = ORDER.replace("85000", "1085000");
    let open = open_call("r", &rich, ", idempotency_key => 'k'");
    assert_error(try_call(&client, &open).await, "insufficient_funds", "PT402");
    call(&client, &format!("post_transfer('bank', '{BUYER}', 100000)")).await;
    let id = call(&client, &open).await["id"].to_owned();
    let dispute = act(&client, "open_dispute", &id, ", 'u', 'broken'").await;
    let release = ", 5, idempotency_key => 'r'";
    let error = try_act(&client, "release_escrow", &id, release).await;
    assert_error(error, "escrow_disputed", "PT422");
    act(&client, "resolve_dispute", &dispute["id"], ", 100000, 'half'").await;
    let error = try_act(&client, "release_escrow", &id, release).await;
    assert_error(error, "escrow_closed", "PT409");
    assert_escrows_sound(&client).await;
}

/// Twenty at once with one key, and with twenty: one effect, as many as there is money for.
#[tokio::test]
async fn at_once() {
    let (db, client) = shop("at_once").await;
    let mut sessions = Vec::new();
    for _ in 0..20 {
        sessions.push(db.app().await);
    }
    let open = open_call("o", ORDER, ", idempotency_key => 'open'");
    let opened = futures::future::join_all(sessions.iter().map(|session| call(session, &open))).await;
    assert_eq!(opened.iter().filter(|line| &line["replayed"] == "f").count(), 1);
    let id = opened[0]["id"].to_owned();
    assert!(opened.iter().all(|line| line["id"] == *id));
    let release = ", 60000";
    let released = sessions.iter().map(|session| try_act(session, "release_escrow", &id, release));
    let released = futures::future::join_all(released).await;
    assert_eq!(released.iter().filter(|result| result.is_ok()).count(), 1);
    for error in released.into_iter().filter(Result::is_err) {
        assert_error(error, "release_exceeds_escrow", "PT422");
    }
    assert_eq!(&escrow_now(&client, &id).await["released_amount"], "60000.00");
    assert_escrows_sound(&client).await;
}
