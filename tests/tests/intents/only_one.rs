//! One intent for a key, one live one for a number and for an order, and one again after a payment is undone.

use super::*;

#[tokio::test]
async fn a_key_makes_one_intent_and_shows_it_as_it_was() {
    let (_db, client) = bank_books("key").await;
    let create = "create_intent('order', 'wallets:u', 50000, 'banks:bca:1', 'r-1', '2 hours', 'key', payer_name => 'Budi', \
                  description => 'words', metadata => '{\"a\": 1}')";
    let first = call(&client, create).await;
    let before = contents(&client).await;
    let same = [
        create.to_owned(),
        create.replace("50000", "50000.00"),
        create.replace("'2 hours'", "'120 minutes'"),
        create.replace("payer_name", "method => 'transfer', payer_name"),
        create.replace("{\"a\": 1}", "{ \"a\":1 }"),
    ];
    for again in &same {
        let replay = call(&client, again).await;
        assert_eq!(&replay["replayed"], "t");
        assert_eq!(replay.without(&["replayed"]), first.without(&["replayed"]), "{again}");
    }
    for (from, to, field) in [
        ("'order'", "'topup'", "purpose"),
        ("'wallets:u'", "'wallets:a'", "credit_account"),
        ("50000", "50000.01", "amount"),
        ("'banks:bca:1'", "'banks:bri:2'", "bank_account"),
        ("'r-1'", "'r-2'", "reference"),
        ("'r-1'", "NULL", "reference"),
        ("'2 hours'", "'3 hours'", "expires_in"),
        ("payer_name => 'Budi'", "payer_name => 'Andi'", "payer_name"),
        ("payer_name", "method => 'gateway', payer_name", "method"),
        ("payer_name", "number => 'n', payer_name", "number"),
        ("'words'", "'other words'", "description"),
        ("{\"a\": 1}", "{\"a\": 2}", "metadata"),
    ] {
        let error = assert_error(
            try_call(&client, &create.replacen(from, to, 1)).await,
            "idempotency_conflict",
            "PT409",
        );
        let fields = error.detail.to_string();
        assert!(fields.contains(&format!("\"{field}\"")), "{field}: {error:?}");
    }
    let stolen = try_call(&client, "post_transfer('wallets:a', 'shop', 1, idempotency_key => 'key')").await;
    assert_error(stolen, "idempotency_conflict", "PT409");
    assert_eq!(before, contents(&client).await);
    // Whatever has become of it: paid, and undone, and cancelled.
    match_line(&client, &credit("m", &first["total"])).await;
    assert_eq!(call(&client, create).await.without(&["replayed"]), first.without(&["replayed"]));
    let mutation = mutation_now(&client, "m").await["id"].to_owned();
    call(&client, &format!("unmatch_mutation('{mutation}', 'wrong one')")).await;
    call(&client, &format!("cancel_intent('{}', 'not wanted')", &first["id"])).await;
    assert_eq!(call(&client, create).await.without(&["replayed"]), first.without(&["replayed"]));
    // A refusal uses no key.
    let refused = create.replace("'key'", "'key-2'").replace("50000", "0");
    assert_error(try_call(&client, &refused).await, "invalid_amount", "PT400");
    call(&client, &create.replace("'key'", "'key-2'")).await;
    // Every intent without a key is another one.
    assert_ne!(intent(&client, 50_000, "").await["id"], intent(&client, 50_000, "").await["id"]);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_number_is_one_live_intents() {
    let (_db, client) = bank_books("numbers").await;
    call(&client, "register_bank_account('gateway:midtrans', 'midtrans')").await;
    let va = |bank: &str, number: &str, more: &str| {
        format!(
            "create_intent('other', 'wallets:u', 50000, '{bank}', method => 'virtual_account', number => '{number}'{more})"
        )
    };
    let first = call(&client, &va(BRI, "   77777 0000000000123", "")).await;
    assert_eq!(
        first.pick(["method", "number", "unique_code", "total"]),
        ["virtual_account", "777770000000000123", "NULL", "50000.00"]
    );
    for number in ["777770000000000123", "77777 0000000000123"] {
        let error = assert_error(try_call(&client, &va(BRI, number, "")).await, "already_exists", "PT409");
        assert_eq!(error.detail["intent_id"], first["id"]);
        assert_eq!(error.detail["field"], "number");
    }
    call(&client, &va(BCA, "777770000000000123", "")).await;
    let gateway = "create_intent('order', 'wallets:u', 50000, 'gateway:midtrans', 'o-1', method => 'gateway', number => ' order-1 ')";
    assert_eq!(call(&client, gateway).await.pick(["method", "number"]), ["gateway", "order-1"]);
    let other_order = gateway.replace("'o-1'", "'o-2'");
    assert_error(try_call(&client, &other_order).await, "already_exists", "PT409");
    call(&client, &gateway.replace("order-1", "ORDER-1").replace("'o-1'", "'o-2'")).await;
    // Free again once it has closed: cancelled, or over by its time alone.
    call(&client, &format!("cancel_intent('{}')", &first["id"])).await;
    let short = call(&client, &va(BRI, "777770000000000123", ", expires_in => '1 second'")).await;
    until(&client, &format!("SELECT now() >= '{}'", &short["expires_at"]), "t").await;
    assert_eq!(
        value(
            &client,
            &format!("SELECT state_id FROM wallet_data.intents WHERE intent_id = '{}'", &short["id"])
        )
        .await,
        "1"
    );
    let next = call(&client, &va(BRI, "777770000000000123", "")).await;
    assert_eq!(
        (status(&client, &short["id"]).await, status(&client, &next["id"]).await),
        ("expired".into(), "open".into())
    );
    assert_eq!(events(&client, &["intent.expired"]).await.len(), 1, "written down on the way");
    for (sql, token, argument) in [
        (va(BRI, "12a", ""), "invalid_argument", "number"),
        (va(BRI, " ", ""), "invalid_argument", "number"),
        (va(BRI, &"1".repeat(29), ""), "invalid_argument", "number"),
        (va(BRI, "1", "").replace("'1'", "NULL"), "missing_argument", "number"),
        (gateway.replace("' order-1 '", "NULL"), "missing_argument", "number"),
        (gateway.replace("order-1", ""), "invalid_argument", "number"),
        (gateway.replace("order-1", &"o".repeat(129)), "invalid_argument", "number"),
        (va(BRI, "1", "").replace("virtual_account", "transfer"), "invalid_argument", "number"),
        (va(BRI, "1", "").replace("virtual_account", "cash"), "invalid_argument", "method"),
    ] {
        let error = assert_error(try_call(&client, &sql).await, token, "PT400");
        assert_eq!(error.detail["argument"], argument, "{sql}");
    }
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn an_order_has_one_live_intent() {
    let (_db, client) = bank_books("orders").await;
    let order = |reference: &str, more: &str| {
        format!("create_intent('order', 'wallets:u', 50000, '{BCA}', '{reference}'{more})")
    };
    let first = call(&client, &order("o-1", "")).await;
    for bank in [BCA, BRI] {
        let again = order("o-1", "").replace(BCA, bank);
        let error = assert_error(try_call(&client, &again).await, "already_exists", "PT409");
        assert_eq!(
            (&error.detail["field"], &error.detail["intent_id"]),
            (&json!("reference"), &json!(first["id"]))
        );
        assert_eq!(
            error.detail["expires_at"].as_str().map(|at| at.get(..19)),
            Some(first["expires_at"].replace(' ', "T").get(..19))
        );
    }
    for purpose in ["topup", "subscription", "other"] {
        for _ in 0..2 {
            call(&client, &order("o-1", "").replace("'order'", &format!("'{purpose}'"))).await;
        }
    }
    call(&client, &order("O-1", "")).await;
    // A proof keeps it live whatever the time; rejected, it is over with its time.
    let pending = call(&client, &order("o-2", ", '1 second'")).await;
    call(&client, &format!("submit_payment_proof('{}', 'proof')", &pending["id"])).await;
    until(&client, &format!("SELECT now() >= '{}'", &pending["expires_at"]), "t").await;
    assert_error(try_call(&client, &order("o-2", "")).await, "already_exists", "PT409");
    let rejected = call(&client, &format!("reject_payment('{}', 'no')", &pending["id"])).await;
    assert_eq!(&rejected["status"], "expired", "its time was over, and nothing keeps it any more");
    call(&client, &order("o-2", "")).await;
    call(&client, &format!("cancel_intent('{}')", &first["id"])).await;
    let second = call(&client, &order("o-1", "")).await;
    match_line(&client, &credit("m", &second["total"])).await;
    call(&client, &order("o-1", "")).await;
    assert_bank_sound(&client).await;
}

/// What an undone payment would open again may have been replaced meanwhile.
#[tokio::test]
async fn a_payment_that_is_undone_does_not_open_a_second_one() {
    let (db, client) = bank_books("reopened").await;
    set(&client, "unique_code_cooldown", "0 seconds").await;
    let unmatch = async |id: &str| {
        let mutation = mutation_now(&client, id).await["id"].to_owned();
        call(&client, &format!("unmatch_mutation('{mutation}', 'wrong')")).await
    };
    // Nothing is in the way: open again, with its total.
    let alone = intent(&client, 50_000, "").await;
    match_line(&client, &credit("alone", &alone["total"])).await;
    unmatch("alone").await;
    assert_eq!(status(&client, &alone["id"]).await, "open");
    // The order has another one.
    let order = format!("create_intent('order', 'wallets:u', 60000, '{BCA}', 'o-1')");
    let first = call(&client, &order).await;
    match_line(&client, &credit("order", &first["total"])).await;
    let second = call(&client, &order).await;
    let undone = unmatch("order").await;
    assert_eq!(&undone["status"], "review");
    assert_eq!(status(&client, &first["id"]).await, "expired");
    assert_eq!(status(&client, &second["id"]).await, "open");
    // So has the number.
    let number = format!(
        "create_intent('other', 'wallets:u', 1, '{BCA}', method => 'virtual_account', number => '5')"
    );
    let first = call(&client, &number).await;
    match_line(&client, &credit("number", "1.23")).await;
    let mutation = mutation_now(&client, "number").await["id"].to_owned();
    call(&client, &format!("match_mutation_by_hand('{mutation}', '{}', 'by phone')", &first["id"])).await;
    call(&client, &number).await;
    unmatch("number").await;
    assert_eq!(status(&client, &first["id"]).await, "expired");
    // And the total: all but one of the amount's are taken, so that the next intent gets this very one.
    let first = intent(&client, 70_000, "").await;
    take_other_codes(&db, &first).await;
    match_line(&client, &credit("total", &first["total"])).await;
    let second = intent(&client, 70_000, "").await;
    assert_eq!(second["total"], first["total"]);
    unmatch("total").await;
    assert_eq!(status(&client, &first["id"]).await, "expired");
    // The next transfer of the total is the second one's, without a doubt.
    let later = with(&credit("total 2", &second["total"]), json!({"date": wib(2)}));
    let paid = match_line(&client, &later).await;
    assert_eq!((&paid["outcome"], &paid["intent_id"]), ("matched", &second["id"]));
    assert_bank_sound(&client).await;
}

/// An order and a number, each wanted by a new intent while a payment of the old one is undone. Whoever is second
/// waits for the first, and finds what it has left.
#[tokio::test]
async fn undoing_a_payment_and_a_new_intent_for_the_same_do_not_both_win() {
    let (db, client) = bank_books("reopened_race").await;
    let [creating, undoing] = [db.app().await, db.app().await];
    let wanted = [
        ("order", format!("create_intent('order', 'wallets:u', 60000, '{BCA}', 'o-')")),
        (
            "number",
            format!(
                "create_intent('other', 'wallets:u', 1, '{BCA}', method => 'virtual_account', number => '5-')"
            ),
        ),
    ];
    // Who is first, how that ends, whether the second is refused, and what becomes of the first intent.
    let cases = [
        ("create", "COMMIT", false, "expired"),
        ("create", "ROLLBACK", false, "open"),
        ("undo", "COMMIT", true, "open"),
        ("undo", "ROLLBACK", false, "paid"),
    ];
    for (what, create) in wanted {
        for (number, (first, end, is_refused, status_after)) in cases.into_iter().enumerate() {
            let name = format!("{what}: {first}, {end}");
            let create = create.replace('-', &number.to_string());
            let intent = call(&client, &create).await;
            match_line(&client, &credit(&name, "7.77")).await;
            let mutation = mutation_now(&client, &name).await["id"].to_owned();
            call(&client, &format!("match_mutation_by_hand('{mutation}', '{}', 'r')", &intent["id"])).await;
            let undo = format!("unmatch_mutation('{mutation}', 'wrong')");
            let mut race = [(&creating, &create), (&undoing, &undo)];
            if first == "undo" {
                race.reverse();
            }
            let [(winner, before), (waiter, after)] = race;
            let process = backend(waiter).await;
            db::execute(winner, "BEGIN").await;
            call(winner, before).await;
            let end_once_waited_for = async {
                until_blocked(&client, &process).await;
                db::execute(winner, end).await;
            };
            let (answer, ()) = tokio::join!(try_call(waiter, after), end_once_waited_for);
            if is_refused {
                assert_error(answer, "already_exists", "PT409");
            } else {
                answer.unwrap_or_else(|error| panic!("{name}: {:#?}", sql_error(&error)));
            }
            assert_eq!(status(&client, &intent["id"]).await, status_after, "{name}");
        }
    }
    assert_bank_sound(&client).await;
}

/// Opening an intent again writes down another one of the same order whose time is over. Intents come before accounts:
/// the late payment of that other one has its intent, and comes to the same wallet.
#[tokio::test]
async fn an_intent_in_the_way_of_an_undone_one_is_locked_before_the_accounts() {
    let (db, client) = bank_books("reopened_order").await;
    let create = |bank: &str, more: &str| {
        format!("create_intent('order', 'wallets:u', 50000, '{bank}', reference => 'o-1'{more})")
    };
    let first = call(&client, &create(BCA, "")).await;
    match_line(&client, &credit("m", &first["total"])).await;
    let mutation = mutation_now(&client, "m").await["id"].to_owned();
    let other = call(&client, &create(BRI, ", expires_in => '1 second'")).await;
    until(&client, &format!("SELECT now() >= '{}'", &other["expires_at"]), "t").await;
    let [undoing, paying, slow] = [db.app().await, db.app().await, db.connect().await];
    let waiting = [backend(&undoing).await, backend(&paying).await];
    let suspense =
        "SELECT FROM wallet_data.accounts WHERE address = 'banks:bca:1:suspense' FOR NO KEY UPDATE";
    db::execute(&slow, &format!("BEGIN; {suspense}")).await;
    let undo = format!("unmatch_mutation('{mutation}', 'wrong')");
    let at = json!({"bank_id": BRI_ID, "account_number": BRI_NUMBER});
    let late = with(&credit("late", &other["total"]), at);
    let order = async {
        until_blocked(&client, &waiting[0]).await;
        let release = async {
            until_blocked(&client, &waiting[1]).await;
            db::execute(&slow, "COMMIT").await;
        };
        tokio::join!(match_line(&paying, &late), release).0
    };
    let (undone, late) = tokio::join!(call(&undoing, &undo), order);
    assert_eq!((&undone["status"], &late["outcome"]), ("review", "matched"));
    assert_eq!(status(&client, &first["id"]).await, "open");
    assert_eq!(status(&client, &other["id"]).await, "paid");
    assert_bank_sound(&client).await;
}
