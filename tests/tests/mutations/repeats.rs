//! A movement is stored once, whoever reports it again and in what company.

use wallet_ledger_tests::bank::{actions, deliver};

use super::*;

#[tokio::test]
async fn the_same_id_is_the_same_movement() {
    let (_db, client) = bank_books("duplicate").await;
    let paid = intent(&client, 50_000, "").await;
    for (line, first, again) in [
        (credit("a", &paid["total"]), "matched", "duplicate matched"),
        (credit("b", "11"), "suspense", "duplicate suspense"),
        (credit("c", &paid["total"]), "review already_paid", "duplicate review already_paid"),
        (debit("d", "12"), "ignored", "duplicate ignored"),
    ] {
        let stored = match_line(&client, &line).await;
        assert_eq!(told(&stored), first);
        let before = contents(&client).await;
        // Whatever else about it has changed.
        for repeat in [
            line.clone(),
            with(&line, json!({"description": "other words", "balance": 5})),
            with(&line, json!({"date": "2020-01-01 10:00:00"})),
            with(&line, json!({"bank_id": null})),
        ] {
            let outcome = match_line(&client, &repeat).await;
            assert_eq!(told(&outcome), again);
            let ids = ["mutation_id", "intent_id", "transaction_id"];
            assert_eq!(outcome.pick(ids), stored.pick(ids));
        }
        for other in [json!({"amount": "13"}), json!({"type": if first == "ignored" { "CR" } else { "DB" }})]
        {
            let error = assert_error(
                try_match_line(&client, &with(&line, other)).await,
                "idempotency_conflict",
                "PT409",
            );
            assert_eq!(error.detail["provider_mutation_id"], line["mutation_id"]);
        }
        assert_eq!(before, contents(&client).await);
        // At another bank account the id is another movement's.
        let elsewhere = with(&line, json!({"bank_id": BRI_ID, "account_number": BRI_NUMBER}));
        assert_ne!(match_line(&client, &elsewhere).await["mutation_id"], stored["mutation_id"]);
    }
    // What has become of it meanwhile is what a repeat is told.
    let id = mutation_now(&client, "b").await["id"].to_owned();
    call(&client, &format!("assign_mutation('{id}', 'wallets:u', 'his')")).await;
    assert_eq!(told(&match_line(&client, &credit("b", "11")).await), "duplicate assigned");
    assert_bank_sound(&client).await;
}

/// A line of a webhook's answer: `line outcome reason reason …`
fn in_short(line: &Value) -> String {
    let reasons: Vec<&str> = line["reasons"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    format!("{} {} {}", line["line"], line["outcome"].as_str().unwrap(), reasons.join(" "))
        .trim_end()
        .to_owned()
}

#[tokio::test]
async fn lines_of_one_call_count_once_too() {
    let (_db, client) = bank_books("batch").await;
    let line = intent(&client, 50_000, "").await;
    let total = &line["total"];
    let first = credit("a", total);
    let batch = [
        first.clone(),
        // The same line again; another total under its id; what looks the same under another id.
        first.clone(),
        with(&first, json!({"amount": "1"})),
        with(&first, json!({"mutation_id": "b"})),
        // Another payment of the same total, and one after it.
        with(&credit("c", total), json!({"description": "someone else"})),
        with(&credit("d", "5.5"), json!({"description": "five"})),
        with(&credit("e", "5.5"), json!({"description": "five"})),
        with(&credit("f", "5.5"), json!({"description": "also five"})),
        with(&debit("g", "5.5"), json!({"description": "five"})),
        with(
            &credit("d", "5"),
            json!({"bank_id": BRI_ID, "account_number": BRI_NUMBER, "description": "five"}),
        ),
    ];
    let answer = deliver(&client, &batch).await;
    let outcomes: Vec<String> = answer.json("lines").as_array().unwrap().iter().map(in_short).collect();
    assert_eq!(
        outcomes,
        [
            "1 matched",
            "2 duplicate matched",
            "3 rejected conflicting_duplicate",
            "4 review reissued",
            "5 review already_paid",
            "6 suspense",
            "7 review reissued",
            "8 suspense",
            "9 ignored",
            "10 suspense",
        ]
    );
    // What is stored is what decides about its id, not what else the call says under it.
    let answer =
        deliver(&client, &[with(&first, json!({"amount": "1"})), first.clone(), first.clone()]).await;
    let told: Vec<String> = answer.json("lines").as_array().unwrap().iter().map(in_short).collect();
    assert_eq!(told, ["1 rejected conflicting_duplicate", "2 duplicate matched", "3 duplicate matched"]);
    assert_eq!(mutation_now(&client, "b").await["original_id"], mutation_now(&client, "a").await["id"]);
    assert_eq!(mutation_now(&client, "e").await["original_id"], mutation_now(&client, "d").await["id"]);
    assert_eq!(balance(&client, "wallets:u").await, dec!(50000));
    assert_eq!(balance(&client, BCA).await, money(total) * dec!(3) + dec!(11));
    assert_bank_sound(&client).await;
}

/// The same content under a new id may be two real payments or one that was reported twice. A person says
/// which, and either way the books are the bank's.
#[tokio::test]
async fn a_reissue_is_one_movement_or_two() {
    let (_db, client) = bank_books("reissue").await;
    let first = with(&credit("a", "500"), json!({"description": "QRIS", "date": "2026-03-10"}));
    match_line(&client, &first).await;
    assert_eq!(
        told(&match_line(&client, &with(&first, json!({"mutation_id": "b"}))).await),
        "review reissued"
    );
    assert_eq!(
        told(&match_line(&client, &with(&first, json!({"mutation_id": "c"}))).await),
        "review reissued"
    );
    // Not the same: another day, moment, word, amount or direction.
    for (id, fields) in [
        ("d", json!({"date": "2026-03-11"})),
        ("e", json!({"date": "2026-03-10 10:00:00"})),
        ("f", json!({"description": "QRIS 2"})),
        ("g", json!({"amount": "501"})),
        ("h", json!({"type": "DB"})),
    ] {
        let other = with(&first, json!({"mutation_id": id}));
        let outcome = match_line(&client, &with(&other, fields)).await;
        assert!(["suspense", "ignored"].contains(&told(&outcome).as_str()), "{id}: {outcome:?}");
    }
    let id = async |provider_id: &str| mutation_now(&client, provider_id).await["id"].to_owned();
    let (a, b, c) = (id("a").await, id("b").await, id("c").await);
    let had = balance(&client, BCA).await;
    db::execute(&client, "SET wallet_ledger.actor = 'sari'").await;
    let marked =
        call(&client, &format!("mark_mutation_duplicate('{b}', '{a}', 'Moota changed the id')")).await;
    assert_eq!(marked.pick(["status", "original_id", "transaction_id"]), ["duplicate", &a, "NULL"]);
    assert_eq!(balance(&client, BCA).await, had - dec!(500));
    let action = actions(&client).await.pop().unwrap();
    assert_eq!(
        action.pick(["action", "mutation_id", "actor", "reason"]),
        ["mark_mutation_duplicate", &b, "sari", "Moota changed the id"]
    );
    // The other one was a payment.
    call(&client, &format!("assign_mutation('{c}', 'wallets:u', 'paid twice')")).await;
    // It stays what it is, however often it is reported, and is nobody's original.
    assert_eq!(
        told(&match_line(&client, &with(&first, json!({"mutation_id": "b"}))).await),
        "duplicate duplicate reissued"
    );
    match_line(&client, &with(&first, json!({"mutation_id": "i"}))).await;
    let i = id("i").await;
    assert_ne!(mutation_now(&client, "i").await["original_id"], b);
    let before = contents(&client).await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    let (other_amount, debit, elsewhere) = (id("g").await, id("h").await, {
        let line = with(&first, json!({"mutation_id": "j", "bank_id": BRI_ID, "account_number": BRI_NUMBER}));
        match_line(&client, &line).await["mutation_id"].to_owned()
    });
    assert_ne!(before, contents(&client).await);
    let before = contents(&client).await;
    for original in [&i, &b, &other_amount, &debit, &elsewhere, nobody] {
        let sql = format!("mark_mutation_duplicate('{i}', '{original}', 'r')");
        let error = assert_error(try_call(&client, &sql).await, "invalid_argument", "PT400");
        assert_eq!(error.detail["argument"], "original_id");
    }
    for (mutation, status) in [(&b, "duplicate"), (&c, "assigned")] {
        let sql = format!("mark_mutation_duplicate('{mutation}', '{a}', 'r')");
        let error = assert_error(try_call(&client, &sql).await, "mutation_not_matchable", "PT422");
        assert_eq!(error.detail["status"], status);
    }
    assert_eq!(before, contents(&client).await);
    assert_bank_sound(&client).await;
}

/// A debit can be reported twice as well.
#[tokio::test]
async fn a_debit_can_be_a_duplicate() {
    let (_db, client) = bank_books("debit_twice").await;
    let first = debit("a", "500");
    match_line(&client, &first).await;
    match_line(&client, &with(&first, json!({"mutation_id": "b"}))).await;
    assert_eq!(balance(&client, OUTGOING).await, dec!(-1000));
    let (a, b) = (mutation_now(&client, "a").await, mutation_now(&client, "b").await);
    assert_eq!(b.pick(["status", "original_id"]), ["ignored", &a["id"]], "and the doubt can be read");
    call(&client, &format!("mark_mutation_duplicate('{}', '{}', 'twice')", &b["id"], &a["id"])).await;
    assert_eq!((balance(&client, BCA).await, balance(&client, OUTGOING).await), (dec!(-500), dec!(-500)));
    assert_bank_sound(&client).await;
    call(&client, &format!("unmatch_mutation('{}', 'there were two')", &b["id"])).await;
    assert_eq!((balance(&client, BCA).await, balance(&client, OUTGOING).await), (dec!(-1000), dec!(-1000)));
    assert_eq!(&mutation_now(&client, "b").await["status"], "ignored");
    assert_bank_sound(&client).await;
}

/// Marked by mistake: it comes back into the books, waits for a person, and can pay what it was for.
#[tokio::test]
async fn a_duplicate_that_was_none_comes_back() {
    let (_db, client) = bank_books("comes_back").await;
    let first = credit("a", "75000");
    match_line(&client, &first).await;
    let second = with(&first, json!({"mutation_id": "b"}));
    match_line(&client, &second).await;
    let (a, b) = (mutation_now(&client, "a").await, mutation_now(&client, "b").await);
    let mark = format!("mark_mutation_duplicate('{}', '{}', 'twice')", &b["id"], &a["id"]);
    for _ in 0..2 {
        call(&client, &mark).await;
        assert_eq!(balance(&client, BCA).await, dec!(75000));
        let back = call(&client, &format!("unmatch_mutation('{}', 'no, they paid twice')", &b["id"])).await;
        assert_eq!(back.pick(["status", "reasons"]), ["review", "{reissued,unmatched}"]);
        assert_eq!(balance(&client, BCA).await, dec!(150000));
        assert_bank_sound(&client).await;
    }
    let proof = format!("SELECT bool_and(is_proved) FROM wallet_ledger.bank_proof('{BCA}')");
    assert_eq!(value(&client, &proof).await, "t");
    // The bank tells of it again: it is stored, and nothing moves.
    assert_eq!(&match_line(&client, &second).await["outcome"], "duplicate");
    call(&client, &format!("assign_mutation('{}', 'wallets:u', 'theirs')", &b["id"])).await;
    assert_eq!(balance(&client, "wallets:u").await, dec!(75000));
    assert_bank_sound(&client).await;
}

/// Sessions that bring one duplicate back at once bring it back once.
#[tokio::test]
async fn a_duplicate_comes_back_once() {
    let (db, client) = bank_books("back_once").await;
    let first = credit("a", "75000");
    match_line(&client, &first).await;
    match_line(&client, &with(&first, json!({"mutation_id": "b"}))).await;
    let (a, b) = (mutation_now(&client, "a").await, mutation_now(&client, "b").await);
    let sessions = futures::future::join_all((0..8).map(|_| db.app())).await;
    let back = format!("unmatch_mutation('{}', 'no, they paid twice')", &b["id"]);
    for _ in 0..5 {
        call(&client, &format!("mark_mutation_duplicate('{}', '{}', 'twice')", &b["id"], &a["id"])).await;
        let told = futures::future::join_all(sessions.iter().map(|session| try_call(session, &back))).await;
        assert_eq!(told.iter().filter(|told| told.is_ok()).count(), 1);
        for refused in told.into_iter().filter(Result::is_err) {
            assert_error(refused, "mutation_not_matchable", "PT422");
        }
        assert_eq!(balance(&client, BCA).await, dec!(150000));
        assert_bank_sound(&client).await;
    }
}
