//! The work list says which intents an unmatched credit may have been meant for, and why.

use super::*;

/// `score reason reason …` of the suggestions of a mutation, the best first.
async fn suggested(client: &Client, provider_id: &str) -> Vec<(String, String)> {
    let sql = format!(
        "SELECT suggestions FROM wallet_ledger.mutations_to_review WHERE provider_mutation_id = {}",
        quoted(provider_id)
    );
    let row = one(client, &sql).await;
    let said = |one: &Value| {
        let reasons: Vec<&str> =
            one["reasons"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        (one["intent_id"].as_str().unwrap().to_owned(), format!("{} {}", one["score"], reasons.join(" ")))
    };
    row.json("suggestions").as_array().unwrap().iter().map(said).collect()
}

async fn best(client: &Client, line: &Value) -> (String, String) {
    match_line(client, line).await;
    let mut all = suggested(client, line["mutation_id"].as_str().unwrap()).await;
    assert!(!all.is_empty(), "{line}");
    all.remove(0)
}

#[tokio::test]
async fn every_reason_has_its_score() {
    let (db, client) = bank_books("scores").await;
    let superuser = db.connect().await;
    let make = async |amount: u64| {
        intent(
            &client,
            amount,
            &format!(", reference => 'INV-{amount}', payer_name => 'Budi Santoso {amount}'"),
        )
        .await
    };
    let total_less = |line: &Line, less: u32| (money(&line["total"]) - Decimal::from(less)).to_string();

    // 90: the very total, but the account refuses.
    call(&client, "freeze_account('wallets:u', 'checked')").await;
    let exact = make(10_000).await;
    assert_eq!(
        best(&client, &credit("exact", &exact["total"])).await,
        (exact["id"].into(), "90 exact_total".into())
    );
    call(&client, "unfreeze_account('wallets:u')").await;

    // 80: late; 60: cancelled; 50: paid before.
    let late = make(20_000).await;
    let past = format!(
        "UPDATE wallet_data.intents SET created_at = created_at - interval '3 days', \
         expires_at = expires_at - interval '3 days', accepts_until = accepts_until - interval '3 days' WHERE intent_id = '{}'",
        &late["id"]
    );
    db::execute(&superuser, &past).await;
    assert_eq!(best(&client, &credit("late", &late["total"])).await, (late["id"].into(), "80 late".into()));
    let cancelled = make(30_000).await;
    call(&client, &format!("cancel_intent('{}')", &cancelled["id"])).await;
    assert_eq!(
        best(&client, &credit("cancelled", &cancelled["total"])).await,
        (cancelled["id"].into(), "60 cancelled".into())
    );
    let paid = make(40_000).await;
    match_line(&client, &credit("pays", &paid["total"])).await;
    assert_eq!(
        best(&client, &credit("again", &paid["total"])).await,
        (paid["id"].into(), "50 already_paid".into())
    );

    // 60: what banks take for a transfer is missing.
    for (position, fee) in [2500, 2900, 3500, 4000, 5000, 6500, 7500].into_iter().enumerate() {
        let line = make(100_000 + 10_000 * position as u64).await;
        let found = best(&client, &credit(&format!("fee {fee}"), &total_less(&line, fee))).await;
        assert_eq!(found, (line["id"].into(), "60 transfer_fee_deducted".into()), "{fee}");
    }
    // 55: the code is missing; 30: there is nothing but the code.
    let line = make(200_000).await;
    assert_eq!(best(&client, &credit("base", "200000")).await, (line["id"].into(), "55 code_missing".into()));
    match_line(&client, &credit("code", &line["unique_code"])).await;
    let found = suggested(&client, "code").await;
    assert!(found.contains(&(line["id"].into(), "30 amount_missing".into())), "{found:?}");
    // 70: the reference is in the description. A name alone finds nobody; it counts with something else.
    let line = make(210_000).await;
    for (id, words, expected) in [
        ("r1", "TRSF INV-210000 thanks", "70 reference_in_description"),
        ("r2", "TRSF/INV-210000/BUDI SANTOSO 210000", "70 reference_in_description"),
        ("r3", "pay inv-210000 now", "70 reference_in_description"),
        ("r4", "INV-2100001", ""),
        ("r5", "BUDI SANTOSO 210000", ""),
    ] {
        let movement = with(&credit(id, "3.33"), json!({"description": words}));
        let outcome = match_line(&client, &movement).await;
        let found = suggested(&client, id).await;
        if expected.is_empty() {
            assert_eq!((told(&outcome).as_str(), found.len()), ("suspense", 0), "{words}: {found:?}");
        } else {
            assert_eq!(
                (told(&outcome).as_str(), &found[..]),
                ("review resembles_intent", &[(line["id"].into(), expected.into())][..])
            );
        }
    }
    // Nor does a name that an intent made long after has, were it of the same total.
    let line = make(211_000).await;
    let early = json!({"date": wib(-3 * 3600), "description": "BUDI SANTOSO 211000"});
    let outcome = match_line(&client, &with(&credit("early", &line["total"]), early)).await;
    assert_eq!((told(&outcome).as_str(), suggested(&client, "early").await.len()), ("suspense", 0));
    // The code alone finds whom it can still pay, whether or not expire_intents() has run.
    let over = "UPDATE wallet_data.intents SET expires_at = now() - interval '1 second' WHERE intent_id";
    db::execute(&superuser, &format!("{over} = '{}'", &line["id"])).await;
    match_line(&client, &credit("code of one over", &line["unique_code"])).await;
    let found = suggested(&client, "code of one over").await;
    assert!(found.iter().all(|(id, _)| *id != line["id"]), "{found:?}");
    // Together they are more, and never more than 99.
    let line = make(220_000).await;
    for (id, amount, words, expected) in [
        ("s1", "220000".to_owned(), "dari budi santoso 220000", "80 code_missing name_in_description"),
        ("s2", "220000".to_owned(), "INV-220000", "99 reference_in_description code_missing"),
        (
            "s3",
            "220000".to_owned(),
            "INV-220000 BUDI SANTOSO 220000",
            "99 reference_in_description code_missing name_in_description",
        ),
        ("s4", total_less(&line, 6500), "INV-220000", "99 reference_in_description transfer_fee_deducted"),
    ] {
        let found = best(&client, &with(&credit(id, &amount), json!({"description": words}))).await;
        assert_eq!(found, (line["id"].into(), expected.into()), "{id}");
    }
    assert_bank_sound(&client).await;
}

/// What is suggested can be done.
#[tokio::test]
async fn the_best_suggestion_is_the_intent() {
    let (_db, client) = bank_books("suggestion").await;
    let wanted = intent(&client, 50_000, ", payer_name => 'Sari', reference => 'order-77'").await;
    for _ in 0..10 {
        intent(&client, 50_000, "").await;
    }
    match_line(&client, &with(&credit("m", "50000"), json!({"description": "TRSF dari SARI order-77"})))
        .await;
    let row = work_list(&client).await.remove(0);
    let all = row.json("suggestions");
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 5, "the likeliest, not everything");
    assert!(all.windows(2).all(|pair| pair[0]["score"].as_i64() >= pair[1]["score"].as_i64()), "{all:?}");
    assert_eq!(all[0]["intent_id"], wanted["id"]);
    assert_eq!((&all[0]["reference"], &all[0]["payer_name"]), (&json!("order-77"), &json!("Sari")));
    assert_eq!(all[0]["total"], json!(wanted["total"]), "money is a string");
    call(
        &client,
        &format!(
            "match_mutation_by_hand('{}', '{}', 'the name')",
            &row["id"],
            all[0]["intent_id"].as_str().unwrap()
        ),
    )
    .await;
    assert_eq!(&intent_now(&client, &wanted["id"]).await["status"], "paid");
    assert!(work_list(&client).await.is_empty());
    assert_bank_sound(&client).await;
}

/// Other bank accounts and other methods are not suggested, and words that look like patterns are words.
#[tokio::test]
async fn nothing_is_suggested_that_cannot_be_it() {
    let (db, client) = bank_books("unsuggested").await;
    call(&client, &format!("create_intent('topup', 'wallets:u', 50000, '{BRI}', 'INV-1')")).await;
    let va = format!(
        "create_intent('other', 'wallets:u', 50000, '{BCA}', method => 'virtual_account', number => '123')"
    );
    call(&client, &va).await;
    let odd = intent(&client, 60_000, ", payer_name => '%%%%%%'").await;
    // As small as a code, and not this one.
    let small = (odd["unique_code"].parse::<u32>().unwrap() % 998 + 1).to_string();
    // Over long ago, though nothing has written it down.
    let old = intent(&client, 70_000, ", reference => 'INV-2', payer_name => 'Budi Santoso'").await;
    let long_ago = format!(
        "UPDATE wallet_data.intents SET created_at = '2020-01-01', expires_at = '2020-01-02', accepts_until = '2020-01-02' \
         WHERE intent_id = '{}'",
        &old["id"]
    );
    db::execute(&db.connect().await, &long_ago).await;
    for (id, amount, words) in [
        ("o1", &old["unique_code"], "the code"),
        ("o2", &old["total"], "INV-2 BUDI SANTOSO"),
        ("o3", "70000", "BUDI SANTOSO"),
        ("a", "50000", "INV-1"),
        ("b", &small, "x"),
        ("c", "0.5", "INV"),
        ("d", &small, "%%%% .* INV-1 [ ( \\ ' \" 💸"),
        ("e", "99999999999999", "x"),
        ("f", "32768", "x"),
        ("g", "998.5", "x"),
    ] {
        let outcome = match_line(&client, &with(&credit(id, amount), json!({"description": words}))).await;
        let found = suggested(&client, id).await;
        assert!(found.iter().all(|(intent, _)| *intent != odd["id"] || id == "o1"), "{id}: {found:?}");
        assert!(found.iter().all(|(intent, _)| *intent != old["id"]), "{id}: {found:?}");
        assert!(id != "a" || found.len() <= 1, "{found:?}");
        assert!(["suspense", "review resembles_intent"].contains(&told(&outcome).as_str()));
    }
    assert_bank_sound(&client).await;
}
