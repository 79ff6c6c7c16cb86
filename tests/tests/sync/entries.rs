//! Entries that cannot be read, that come from another time, or that the catalogue does not know.

use super::{ago, sync, tea, told};
use wallet_ledger_tests::school::*;
use wallet_ledger_tests::*;

#[tokio::test]
async fn a_malformed_entry_is_rejected_by_itself() {
    let (db, client) = school("malformed").await;
    let at = ago(&client, "5 min").await;
    let item = json!({"item": "es-teh"});
    let line = |change: Value| {
        let mut item = json!({"item": "es-teh", "quantity": 1, "unit_price": "5000"});
        item.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({"member": "m1", "at": at, "items": [item]})
    };
    let many: Vec<Value> = vec![item.clone(); 201];
    let bad: Vec<(Value, &str)> = vec![
        (json!({}), "missing_argument"),
        (json!({"member": "m1", "at": at}), "missing_argument"),
        (json!({"at": at, "items": [item]}), "missing_argument"),
        (json!({"member": "m1", "items": [item]}), "missing_argument"),
        (json!({"member": 7, "at": at, "items": [item]}), "invalid_argument"),
        (json!({"member": "", "at": at, "items": [item]}), "invalid_argument"),
        (json!({"member": "nobody", "at": at, "items": [item]}), "member_not_found"),
        (json!({"member": "m1", "at": "yesterday", "items": [item]}), "invalid_argument"),
        (json!({"member": "m1", "at": "2026-11-21T12:00:00", "items": [item]}), "invalid_argument"),
        (json!({"member": "m1", "at": 7, "items": [item]}), "invalid_argument"),
        // PostgreSQL could store this moment, and never print it again.
        (json!({"member": "m1", "at": "-005000-01-01T00:00:00Z", "items": [item]}), "invalid_argument"),
        (json!({"member": "m1", "at": at, "items": []}), "invalid_argument"),
        (json!({"member": "m1", "at": at, "items": {}}), "invalid_json"),
        (json!({"member": "m1", "at": at, "items": [7]}), "invalid_json"),
        (json!({"member": "m1", "at": at, "items": "es-teh"}), "invalid_argument"),
        (json!({"member": "m1", "at": at, "items": many}), "too_many_items"),
        (json!({"member": "m1", "at": at, "items": [item], "price": 1}), "unknown_field"),
        (json!({"member": "m1", "at": at, "items": [item], "reference": ""}), "invalid_argument"),
        (json!({"member": "m1", "at": at, "items": [item], "authentication": "pin"}), "invalid_argument"),
        (json!({"member": "m1", "at": at, "items": [item], "authentication": {}}), "missing_argument"),
        (
            json!({"member": "m1", "at": at, "items": [item], "authentication": {"method": "face"}}),
            "invalid_argument",
        ),
        (
            json!({"member": "m1", "at": at, "items": [item],
                "authentication": {"method": "pin", "trace": "x".repeat(5000)}}),
            "invalid_argument",
        ),
        (line(json!({"quantity": 0})), "invalid_amount"),
        (line(json!({"quantity": -1})), "invalid_amount"),
        (line(json!({"quantity": "NaN"})), "invalid_amount"),
        (line(json!({"quantity": 0.5})), "invalid_amount"),
        (line(json!({"unit_price": 0})), "invalid_amount"),
        (line(json!({"unit_price": "0.001"})), "invalid_amount"),
        (line(json!({"unit_price": "9".repeat(28)})), "amount_out_of_range"),
        (line(json!({"item": "caviar", "unit_price": null})), "item_not_found"),
        (line(json!({"item": "es teh"})), "invalid_argument"),
        (line(json!({"category": "Drinks!"})), "invalid_argument"),
        (line(json!({"name": " "})), "invalid_argument"),
        (line(json!({"colour": "red"})), "unknown_field"),
    ];
    // Between any two of them stands a good one.
    let mut batch = Vec::new();
    for (index, (entry, _)) in bad.iter().enumerate() {
        let mut entry = entry.clone();
        entry["sequence"] = json!(2 * index + 1);
        batch.extend([entry, tea(2 * index as i64 + 2, "m1", &at)]);
    }
    top_up(&client, "m1", 1_000_000).await;
    let answers = sync(&client, "till-1", &batch).await;
    assert_eq!(answers.len(), 2 * bad.len());
    for ((entry, token), pair) in bad.iter().zip(answers.chunks(2)) {
        assert_eq!(
            pair[0].pick(["status", "error", "keep", "purchase_id"]),
            ["rejected", token, "f", "NULL"],
            "{entry}"
        );
        assert_eq!(&pair[1]["status"], "accepted", "{entry}");
    }
    let count = bad.len().to_string();
    assert_eq!(events(&client, "sync.rejected").await, count);
    // What was sent is kept as it was, twice.
    let kept = lines(
        &client,
        "SELECT entry FROM wallet_ledger.device_entries WHERE status = 'rejected' ORDER BY sequence",
    )
    .await;
    assert_eq!(kept.len(), bad.len());
    for (line, sent) in kept.iter().zip(batch.iter().step_by(2)) {
        assert_eq!(&line.json("entry"), sent);
    }
    // Its number is used up.
    let again = sync(&client, "till-1", &batch[..2]).await;
    assert_eq!(told(&again), [["1", "duplicate", "missing_argument", "f"], ["2", "duplicate", "NULL", "f"]]);
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn without_a_number_it_is_told_and_kept_in_an_event() {
    let (db, client) = school("unnumbered").await;
    let at = ago(&client, "5 min").await;
    let mut batch = vec![json!("es-teh"), json!(null), json!([1]), json!({"member": "m1"})];
    for sequence in [json!(0), json!(-1), json!(1.5), json!("x"), json!(null), json!("99999999999999999999")]
    {
        let mut entry = tea(1, "m1", &at);
        entry["sequence"] = sequence;
        batch.push(entry);
    }
    batch.push(tea(1, "m1", &at));
    let answers = sync(&client, "till-1", &batch).await;
    assert_eq!(answers.len(), 11);
    for answer in &answers[..10] {
        assert_eq!(answer.pick(["sequence", "status", "keep"]), ["NULL", "rejected", "f"]);
    }
    assert_eq!(told(&answers[10..]), [["1", "accepted", "NULL", "f"]]);
    assert_eq!(events(&client, "sync.rejected").await, "10");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn tills_have_clocks_and_sync_within_a_week() {
    let (db, client) = school("clock").await;
    let times = [
        ("-9 min", "accepted", "NULL"),
        ("-11 min", "rejected", "clock_skew"),
        ("6 days 23:59", "accepted", "NULL"),
        ("7 days 00:01", "rejected", "entry_too_old"),
    ];
    let mut batch = Vec::new();
    for (index, (time, ..)) in times.iter().enumerate() {
        batch.push(tea(index as i64 + 1, "m1", &ago(&client, time).await));
    }
    let answers = sync(&client, "till-1", &batch).await;
    for (answer, (time, status, error)) in answers.iter().zip(times) {
        assert_eq!(answer.pick(["status", "error"]), [status, error], "{time}");
        assert_ne!(&answer["purchase_id"], "NULL");
    }
    assert_eq!(events(&client, "purchase.refused").await, "2");
    // Other settings, other bounds.
    call(&client, "set_setting('till_clock_skew', '1 hour')").await;
    call(&client, "set_setting('till_offline_max', '30 days')").await;
    let batch = [
        tea(5, "m1", &ago(&client, "-50 min").await),
        tea(6, "m1", &ago(&client, "29 days").await),
        tea(7, "m1", &ago(&client, "31 days").await),
    ];
    let answers = sync(&client, "till-1", &batch).await;
    assert_eq!(
        told(&answers),
        [
            ["5", "accepted", "NULL", "f"],
            ["6", "accepted", "NULL", "f"],
            ["7", "rejected", "entry_too_old", "f"]
        ]
    );
    // A closed period stays closed.
    let until = ago(&client, "1 hour").await;
    call(&client, &format!("close_period('main', '{until}')")).await;
    let answers = sync(&client, "till-1", &[tea(8, "m1", &ago(&client, "2 hours").await)]).await;
    assert_eq!(told(&answers), [["8", "rejected", "period_closed", "f"]]);
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn the_tills_price_counts_and_a_difference_is_told() {
    let (db, client) = school("till_price").await;
    let at = ago(&client, "5 min").await;
    let batch = [
        json!({"sequence": 1, "member": "m1", "at": at, "reference": "r1", "authentication": {"method": "pin"}, "items": [
            {"item": "es-teh", "quantity": 2, "unit_price": "4500.00"},
            {"item": "kerupuk", "quantity": 1, "unit_price": 1000, "name": "Kerupuk udang", "category": "snack"}]}),
        json!({"sequence": 2, "member": "m1", "at": at, "items": [{"item": "nasi-goreng"}]}),
        json!({"sequence": 3, "member": "m1", "at": at, "items": [{"item": "es-teh", "unit_price": "5000.00"}]}),
    ];
    let answers = sync(&client, "till-1", &batch).await;
    assert!(answers.iter().all(|line| &line["status"] == "accepted"), "{answers:?}");
    assert_eq!(posted(&client, "wallets:m1").await, "70000.00");
    let items = "SELECT i.* FROM wallet_ledger.purchase_items i
                 JOIN wallet_ledger.purchases p ON p.id = i.purchase_id WHERE sequence = 1 ORDER BY line";
    let items = lines(&client, items).await;
    assert_eq!(
        items[0].pick(["item", "category", "quantity", "amount"]),
        ["es-teh", "drink", "2", "9000.00"]
    );
    assert_eq!(items[1].pick(["full_name", "category", "amount"]), ["Kerupuk udang", "snack", "1000.00"]);
    let differs =
        lines(&client, "SELECT payload FROM wallet_ledger.events WHERE topic = 'purchase.price_differs'")
            .await;
    assert_eq!(differs.len(), 1);
    assert_eq!(
        differs[0].json("payload")["items"],
        json!([{"item": "es-teh", "till_price": "4500.00", "catalogue_price": "5000.00"},
            {"item": "kerupuk", "till_price": "1000.00", "catalogue_price": null}])
    );
    let metadata =
        "SELECT metadata -> 'authentication' ->> 'method' FROM wallet_ledger.purchases WHERE sequence = 1";
    assert_eq!(value(&client, metadata).await, "pin");
    assert_purchases_sound(&db).await;
}

/// What cannot be sold is kept for ever, so it has a bound: of what is larger the beginning is kept.
#[tokio::test]
async fn what_is_kept_of_an_entry_has_a_bound() {
    let (db, client) = school("large").await;
    let at = ago(&client, "5 min").await;
    let padding = "\"".repeat(70_000);
    let mut large = tea(1, "m1", &at);
    large["padding"] = json!(padding);
    let answers = sync(&client, "till-1", &[large, json!({ "padding": padding }), tea(2, "m1", &at)]).await;
    let expected = [
        ["NULL", "rejected", "invalid_argument", "f"],
        ["1", "rejected", "invalid_argument", "f"],
        ["2", "accepted", "NULL", "f"],
    ];
    assert_eq!(told(&answers), expected);
    let kept = "SELECT max(length(entry::text)) FROM wallet_ledger.device_entries WHERE entry IS NOT NULL";
    let told = "SELECT max(length(payload::text)) FROM wallet_ledger.events WHERE topic = 'sync.rejected'";
    for sql in [kept, told] {
        let bytes: usize = value(&client, sql).await.parse().unwrap();
        assert!((1_000..6_000).contains(&bytes), "{sql}: {bytes}");
    }
    let kept = lines(&client, "SELECT entry FROM wallet_ledger.device_entries WHERE sequence = 1").await;
    assert!(kept[0].json("entry")["bytes"].as_u64() > Some(70_000), "{kept:?}");
    let whole = format!(r#"sync_purchases('till-1', jsonb_build_array(repeat('x', {})))"#, 16 * 1024 * 1024);
    assert_error(try_call(&client, &whole).await, "invalid_argument", "PT400");
    assert_purchases_sound(&db).await;
}
