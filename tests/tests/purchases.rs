//! Proves that a purchase moves exactly what its lines cost at the price of the moment, once, or nothing; that a
//! refusal in report form stays and tells the guardian; and that never more is given back than was paid.

use futures::future::join_all;
use wallet_ledger_tests::school::*;
use wallet_ledger_tests::*;

#[path = "purchases/refunds.rs"]
mod refunds;

const LUNCH: &str = r#"[{"item": "nasi-goreng", "quantity": 2}, {"item": "es-teh"}]"#;

#[tokio::test]
async fn a_purchase_moves_what_its_lines_cost() {
    let (db, client) = school("moves").await;
    let bought = buy(&client, "m1", LUNCH, ", device => 'till-1', reference => 'break'").await;
    assert_eq!(
        bought.pick([
            "status", "member", "account", "merchant", "device", "amount", "currency", "refunded", "balance",
            "error", "replayed"
        ]),
        [
            "completed",
            "m1",
            "wallets:m1",
            "canteen",
            "till-1",
            "35000.00",
            "IDR",
            "0.00",
            "65000.00",
            "NULL",
            "f"
        ]
    );
    let items = bought.json("items");
    assert_eq!(items[0]["amount"], "30000.00");
    assert_eq!(
        items[1],
        json!({"line": 2, "item": "es-teh", "name": null, "category": "drink", "quantity": "1",
        "unit_price": "5000.00", "amount": "5000.00"})
    );
    // One transfer for each category, all of them one transaction.
    let transfers = lines(
        &client,
        "SELECT amount, kind, reference, metadata ->> 'category' AS category, metadata ->> 'purchase_id' AS purchase,
                transaction_id FROM wallet_ledger.transfers WHERE kind = 'purchase' ORDER BY id",
    )
    .await;
    let told: Vec<[&str; 4]> =
        transfers.iter().map(|line| line.pick(["amount", "kind", "reference", "category"])).collect();
    assert_eq!(told, [["5000.00", "purchase", "break", "drink"], ["30000.00", "purchase", "break", "food"]]);
    for transfer in &transfers {
        assert_eq!(transfer.pick(["purchase", "transaction_id"]), [&bought["id"], &bought["transaction_id"]]);
    }
    assert_eq!(posted(&client, "merchants:canteen").await, "35000.00");
    let event =
        lines(&client, "SELECT payload FROM wallet_ledger.events WHERE topic = 'purchase.completed'").await;
    let payload = event[0].json("payload");
    assert_eq!((&payload["amount"], &payload["balance"]), (&json!("35000.00"), &json!("65000.00")));
    assert_eq!(payload["purchase_id"], bought["id"]);
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn the_price_is_that_of_the_moment_and_a_wallet_names_its_member() {
    let (db, client) = school("price").await;
    let first = buy(&client, "wallets:m1", r#"[{"item": "rice", "quantity": "0.333"}]"#, "").await;
    // 0.333 × 12500.50 = 4162.6665
    assert_eq!(first.pick(["member", "amount"]), ["m1", "4162.67"]);
    item_of(&client, "canteen", "rice", "10000", "'food'", 3).await;
    let second = buy(&client, "m1", r#"[{"item": "rice", "quantity": 0.333}]"#, "").await;
    assert_eq!(&second["amount"], "3330.00");
    let sql = "SELECT unit_price FROM wallet_ledger.purchase_items ORDER BY purchased_at, line";
    let prices: Vec<String> =
        lines(&client, sql).await.iter().map(|line| line["unit_price"].to_owned()).collect();
    assert_eq!(prices, ["12500.50", "10000.00"]);
    // A line without a category is paid by itself, and says none.
    let pen =
        buy(&client, "m1", r#"[{"item": "pen"}, {"item": "rice"}, {"item": "pen", "quantity": 2}]"#, "")
            .await;
    assert_eq!(&pen["amount"], "19000.00");
    let sql = format!(
        "SELECT amount, metadata -> 'category' AS category FROM wallet_ledger.transfers
         WHERE transaction_id = '{}' ORDER BY id",
        &pen["transaction_id"]
    );
    let paid = lines(&client, &sql).await;
    assert_eq!(paid[0].pick(["amount", "category"]), ["9000.00", "NULL"]);
    assert_eq!(paid[1].pick(["amount", "category"]), ["10000.00", "\"food\""]);
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn bad_input_is_named_and_leaves_nothing() {
    let (db, client) = school("bad").await;
    let huge = format!(r#"[{{"item": "es-teh", "quantity": "{}"}}]"#, "9".repeat(28));
    let many = format!("[{}]", vec![r#"{"item": "es-teh"}"#; 201].join(","));
    let overflow = r#"[{"item": "es-teh", "quantity": "9000000000000000000000"}, {"item": "pen", "quantity": "90000000000000000000000"}, {"item": "pen", "quantity": "90000000000000000000000"}, {"item": "pen", "quantity": "90000000000000000000000"}]"#;
    let cases: &[(&str, &str, &str, &str)] = &[
        ("[]", "invalid_argument", "PT400", ""),
        ("{}", "invalid_json", "PT400", ""),
        ("7", "invalid_json", "PT400", ""),
        (r#"["es-teh"]"#, "invalid_json", "PT400", "1"),
        (&many, "too_many_items", "PT400", ""),
        (r#"[{"item": "es-teh"}, {"quantity": 1}]"#, "missing_argument", "PT400", "2"),
        (r#"[{"item": null}]"#, "missing_argument", "PT400", "1"),
        (r#"[{"item": 7}]"#, "invalid_argument", "PT400", "1"),
        (r#"[{"item": "es teh"}]"#, "invalid_argument", "PT400", "1"),
        (r#"[{"item": ""}]"#, "invalid_argument", "PT400", "1"),
        (r#"[{"item": "es-teh", "price": 1}]"#, "unknown_field", "PT400", "1"),
        (r#"[{"item": "es-teh", "unit_price": 1}]"#, "unknown_field", "PT400", "1"),
        (r#"[{"item": "es-teh", "quantity": 0}]"#, "invalid_amount", "PT400", "1"),
        (r#"[{"item": "es-teh"}, {"item": "pen", "quantity": -1}]"#, "invalid_amount", "PT400", "2"),
        (r#"[{"item": "es-teh", "quantity": "NaN"}]"#, "invalid_amount", "PT400", "1"),
        (r#"[{"item": "es-teh", "quantity": "Infinity"}]"#, "invalid_amount", "PT400", "1"),
        (r#"[{"item": "es-teh", "quantity": 0.5}]"#, "invalid_amount", "PT400", "1"),
        (r#"[{"item": "rice", "quantity": 0.0001}]"#, "invalid_amount", "PT400", "1"),
        (r#"[{"item": "es-teh", "quantity": "two"}]"#, "invalid_amount", "PT400", "1"),
        (r#"[{"item": "es-teh", "quantity": [1]}]"#, "invalid_argument", "PT400", "1"),
        (r#"[{"item": "es-teh", "quantity": 1e40}]"#, "amount_out_of_range", "PT400", "1"),
        (&huge, "amount_out_of_range", "PT400", "1"),
        (overflow, "amount_out_of_range", "PT400", ""),
        (r#"[{"item": "es-teh"}, {"item": "caviar"}]"#, "item_not_found", "PT404", "2"),
    ];
    let before = contents(&db.connect().await).await;
    for mode in ["raise", "report"] {
        for (items, token, sqlstate, position) in cases {
            let more = format!(", idempotency_key => 'k', on_error => '{mode}'");
            let error = assert_error(try_buy(&client, "m1", items, &more).await, token, sqlstate);
            let named = error.detail["position"].as_i64().map_or(String::new(), |place| place.to_string());
            assert_eq!(&named, position, "{items}: {error:#?}");
        }
        for (call, token) in [
            ("purchase('nobody', 'canteen', '[{\"item\": \"pen\"}]'", "member_not_found"),
            ("purchase('wallets:nobody', 'canteen', '[{\"item\": \"pen\"}]'", "member_not_found"),
            ("purchase('bank:x', 'canteen', '[{\"item\": \"pen\"}]'", "member_not_found"),
            ("purchase('m1', 'nowhere', '[{\"item\": \"pen\"}]'", "merchant_not_found"),
            ("purchase('m1', 'canteen', '[{\"item\": \"pen\"}]', device => 'till-9'", "device_not_found"),
            ("purchase(NULL, 'canteen', '[]'", "missing_argument"),
            ("purchase('m1', NULL, '[]'", "missing_argument"),
            ("purchase('m1', 'canteen', NULL", "missing_argument"),
            ("purchase('m1', 'canteen', '[{\"item\": \"pen\"}]', reference => ''", "invalid_argument"),
            ("purchase('m1', 'canteen', '[{\"item\": \"pen\"}]', metadata => '7'", "invalid_argument"),
        ] {
            let result = try_call(&client, &format!("{call}, on_error => '{mode}')")).await;
            let error = sql_error(&result.expect_err(call));
            assert_eq!(error.token(), token, "{call}");
        }
    }
    let unknown = try_buy(&client, "m1", "[{\"item\": \"pen\"}]", ", on_error => 'ignore'").await;
    assert_error(unknown, "invalid_argument", "PT400");
    assert_eq!(before, contents(&db.connect().await).await);
}

#[tokio::test]
async fn a_refusal_is_raised_or_written_down() {
    let (db, client) = school("refusal").await;
    let before = contents(&db.connect().await).await;
    let error = assert_error(try_buy(&client, "m2", LUNCH, "").await, "insufficient_funds", "PT402");
    assert_eq!(error.detail["available"], "0.00");
    assert_eq!(before, contents(&db.connect().await).await);
    let key = ", on_error => 'report', idempotency_key => 'k'";
    let refused = buy(&client, "m2", LUNCH, key).await;
    assert_eq!(
        refused.pick(["status", "amount", "transaction_id", "balance", "error", "replayed"]),
        ["refused", "35000.00", "NULL", "NULL", "insufficient_funds", "f"]
    );
    assert!(refused["message"].contains("wallets:m2"), "{refused:?}");
    // Later, with money, the same key is still the same answer.
    top_up(&client, "m2", 50_000).await;
    let again = buy(&client, "m2", LUNCH, key).await;
    assert_eq!(again.without(&["replayed"]), refused.without(&["replayed"]));
    assert_eq!(&again["replayed"], "t");
    assert_eq!(posted(&client, "wallets:m2").await, "50000.00");
    let event =
        lines(&client, "SELECT payload FROM wallet_ledger.events WHERE topic = 'purchase.refused'").await;
    assert_eq!(event.len(), 1);
    let payload = event[0].json("payload");
    assert_eq!(
        (&payload["error"]["error"], &payload["for"]),
        (&json!("insufficient_funds"), &json!(["guardian"]))
    );
    let kept =
        lines(&client, "SELECT status, error, amount, transaction_id FROM wallet_ledger.purchases").await;
    assert_eq!(
        kept[0].pick(["status", "error", "amount", "transaction_id"]),
        ["refused", "insufficient_funds", "35000.00", "NULL"]
    );
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn the_inactive_take_part_in_nothing() {
    let (db, client) = school("inactive").await;
    call(&client, "create_merchant('shop')").await;
    device(&client, "shop", "till-3", "").await;
    let other = try_buy(&client, "m1", LUNCH, ", device => 'till-3'").await;
    assert_error(other, "device_not_found", "PT404");
    for (party, name) in [("member", "m1"), ("merchant", "canteen"), ("device", "till-1")] {
        set_active(&client, party, name, false).await;
        let result = try_buy(&client, "m1", LUNCH, ", device => 'till-1'").await;
        let error = assert_error(result, "party_inactive", "PT422");
        assert_eq!(error.detail["party"], party);
        let refused = buy(&client, "m1", LUNCH, ", device => 'till-1', on_error => 'report'").await;
        assert_eq!(refused.pick(["status", "error"]), ["refused", "party_inactive"]);
        set_active(&client, party, name, true).await;
    }
    call(&client, "set_item('canteen', 'es-teh', 5000, active => false)").await;
    let error = assert_error(try_buy(&client, "m1", LUNCH, "").await, "party_inactive", "PT422");
    assert_eq!((&error.detail["party"], &error.detail["position"]), (&json!("item"), &json!(2)));
    call(&client, "freeze_account('wallets:m1')").await;
    let frozen = buy(&client, "m1", "[{\"item\": \"pen\"}]", ", on_error => 'report'").await;
    assert_eq!(&frozen["error"], "account_frozen");
    assert_eq!(posted(&client, "merchants:canteen").await, "0");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn fifty_with_one_key_are_one_purchase() {
    let (db, client) = school("one_key").await;
    let sessions = join_all((0..50).map(|_| db.app())).await;
    let results = join_all(
        sessions.iter().map(|session| buy(session, "m1", LUNCH, ", idempotency_key => 'till-1:77'")),
    )
    .await;
    assert_eq!(results.iter().filter(|line| &line["replayed"] == "f").count(), 1);
    for result in &results {
        assert_eq!(result.without(&["replayed"]), results[0].without(&["replayed"]));
    }
    assert_eq!(posted(&client, "wallets:m1").await, "65000.00");
    let other = try_buy(&client, "m1", r#"[{"item": "pen"}]"#, ", idempotency_key => 'till-1:77'").await;
    let error = assert_error(other, "idempotency_conflict", "PT409");
    assert_eq!(error.detail["field"], "items");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn sixteen_tills_never_spend_more_than_there_is() {
    let (db, client) = school("tills").await;
    let sessions = join_all((0..16).map(|_| db.app())).await;
    let results = join_all(sessions.iter().map(|session| async move {
        let mut sold = 0;
        for _ in 0..4 {
            let more = ", on_error => 'report'";
            let line = buy(session, "m1", r#"[{"item": "es-teh"}]"#, more).await;
            sold += usize::from(&line["status"] == "completed");
        }
        sold
    }))
    .await;
    assert_eq!(results.iter().sum::<usize>(), 20);
    assert_eq!(posted(&client, "wallets:m1").await, "0.00");
    assert_eq!(events(&client, "purchase.refused").await, "44");
    assert_eq!(events(&client, "purchase.completed").await, "20");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn an_identification_serves_one_purchase() {
    let (_db, client) = school("identified").await;
    away_from_midnight().await;
    call(&client, "set_pin('m1', '482915')").await;
    call(&client, "set_spending_limit('wallets:m1', name => 'with_pin', daily => 40000, method => 'pin')")
        .await;
    let identified = async || {
        call(&client, "record_authentication('pin', 'm1', '482915')").await["authentication_id"].to_owned()
    };
    let id = identified().await;
    let more = format!(", authentication => '{{\"authentication_id\": \"{id}\"}}'");
    assert_error(try_buy(&client, "m2", LUNCH, &more).await, "authentication_invalid", "PT403");
    let bought = buy(&client, "m1", LUNCH, &more).await;
    assert_error(try_buy(&client, "m1", LUNCH, &more).await, "authentication_invalid", "PT403");
    let sql = format!("SELECT authentication_id FROM wallet_ledger.purchases WHERE id = '{}'", &bought["id"]);
    assert_eq!(value(&client, &sql).await, id);
    // The way of identification carries a limit of its own; the purchase says what is left of it.
    let left = 40_000.0 - bought["amount"].parse::<f64>().unwrap();
    assert_eq!(bought["remaining"].parse::<f64>().unwrap(), left);
    let again = format!(", authentication => '{{\"authentication_id\": \"{}\"}}'", identified().await);
    let refused = try_buy(&client, "m1", LUNCH, &again).await;
    assert_eq!(assert_error(refused, "spending_limit_exceeded", "PT422").detail["limit"], "with_pin");
    assert_eq!(&buy(&client, "m1", LUNCH, "").await["remaining"], "NULL");
}

#[tokio::test]
async fn only_trusted_backends_and_auditors_see_and_nobody_else() {
    let (db, client) = school("rights").await;
    buy(&client, "m1", LUNCH, "").await;
    let auditor = db.connect_as("wallet_auditor").await;
    for view in ["purchases", "purchase_items", "purchase_refunds", "device_entries", "device_gaps"] {
        lines(&auditor, &format!("SELECT * FROM wallet_ledger.{view}")).await;
    }
    assert!(try_buy(&auditor, "m1", LUNCH, "").await.is_err());
}

/// Its time is that of its transfers, which limits have counted: a moment later may be another day.
#[tokio::test]
async fn a_purchase_is_made_when_it_is_posted() {
    let (db, client) = school("moment").await;
    for _ in 0..20 {
        buy(&client, "m1", r#"[{"item": "pen"}]"#, "").await;
    }
    let sql = "SELECT count(*) FROM wallet_ledger.purchases p
               WHERE NOT EXISTS (SELECT FROM wallet_ledger.transfers t WHERE t.transaction_id = p.transaction_id
                                   AND t.effective_at = p.purchased_at)";
    assert_eq!(value(&client, sql).await, "0");
    assert_purchases_sound(&db).await;
}

/// The keys of somebody who has signed in are that person's own: nobody can use up another's, nor a trigger's.
#[tokio::test]
async fn signed_in_people_have_keys_of_their_own() {
    let (db, client) = school("own_keys").await;
    for member in ["m1", "m2"] {
        call(&client, &format!("assign_role('{member}', 'member', '{member}')")).await;
    }
    let person = db.connect().await;
    let lunch = |member: &str, key: &str| {
        purchase_call(member, LUNCH, &format!(", on_error => 'report', idempotency_key => '{key}'"))
    };
    let own = async |member: &str, key: &str| {
        let put_on = format!("BEGIN; SET LOCAL ROLE wallet_user; SET LOCAL wallet_ledger.actor = '{member}'");
        db::execute(&person, &put_on).await;
        let line = call(&person, &lunch(member, key)).await;
        db::execute(&person, "COMMIT").await;
        line
    };
    let key = "trigger:public.topups:topup:1001";
    assert_eq!(own("m2", key).await.pick(["status", "error"]), ["refused", "insufficient_funds"]);
    let first = own("m1", key).await;
    assert_eq!(first.pick(["status", "replayed"]), ["completed", "f"]);
    let again = own("m1", key).await;
    assert_eq!((&again["id"], &again["replayed"]), (&first["id"], "t"));
    let backends = call(&client, &lunch("m1", key)).await;
    assert_eq!(backends.pick(["status", "replayed"]), ["completed", "f"]);
    assert_eq!(own("m1", &"k".repeat(255)).await.pick(["replayed"]), ["f"]);
    assert_eq!(own("m1", &"k".repeat(255)).await.pick(["replayed"]), ["t"]);
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn a_purchase_may_count_at_another_time() {
    let (db, client) = school("dated").await;
    call(
        &client,
        "set_spending_limit('wallets:m1', windows => '[{\"from\": \"07:00\", \"to\": \"15:00\"}]')",
    )
    .await;
    let at = |clock: &str| format!(", on_error => 'report', effective_at => '2030-11-18 {clock}+07'");
    let bought = buy(&client, "m1", LUNCH, &at("12:00")).await;
    assert_eq!(bought.pick(["status", "error"]), ["completed", "NULL"]);
    let late = buy(&client, "m1", LUNCH, &at("15:00")).await;
    assert_eq!(late.pick(["status", "error"]), ["refused", "spending_limit_exceeded"]);
    let sql = "SELECT purchased_at = '2030-11-18 12:00+07' AND created_at < now() + interval '1 minute' AS is_dated,
                   (SELECT bool_and(effective_at = p.purchased_at) FROM wallet_ledger.transfers t
                    WHERE t.transaction_id = p.transaction_id) AS is_posted_so
               FROM wallet_ledger.purchases p WHERE status = 'completed'";
    assert_eq!(lines(&client, sql).await[0].pick(["is_dated", "is_posted_so"]), ["t", "t"]);
    for never in
        ["infinity", "-infinity", "294276-12-31 23:59:59+00", "10000-01-01 00:00+00", "0001-01-01 BC"]
    {
        for form in ["raise", "report"] {
            let at = format!(", on_error => '{form}', effective_at => '{never}'");
            assert_error(try_buy(&client, "m1", LUNCH, &at).await, "invalid_argument", "PT400");
        }
    }
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.purchases").await, "2");
    assert_purchases_sound(&db).await;
}
