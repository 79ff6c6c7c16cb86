//! The unique code: never shared, given back, not to be guessed, and worth its rupiah to whom the setting says.

use super::*;

#[tokio::test]
async fn a_total_belongs_to_one_intent_at_a_bank_account() {
    let (_db, client) = bank_books("totals").await;
    set(&client, "topup_minimum", "1").await;
    // Amounts so near to each other that their ranges of totals overlap.
    let amounts = [50_000_u64, 50_001, 50_300, 50_998, 50_999, 51_000];
    let mut totals = BTreeSet::new();
    for round in 0..40 {
        for amount in amounts {
            let line = intent(&client, amount, "").await;
            let (code, total) = (money(&line["unique_code"]), money(&line["total"]));
            assert!(code >= dec!(1) && code <= dec!(999) && total == code + Decimal::from(amount));
            assert!(totals.insert(total), "{total} twice, in round {round}");
        }
    }
    // Another bank account has totals of its own, the same ones too.
    let mut shared = 0;
    for _ in 0..150 {
        let sql = format!("create_intent('topup', 'wallets:u', 50000, '{BRI}')");
        shared += usize::from(totals.contains(&money(&call(&client, &sql).await["total"])));
    }
    assert!(shared > 0, "150 of 999 totals, and none of the 40 or more that are taken elsewhere");
    assert_bank_sound(&client).await;
}

/// The first 999 get all of the codes, the next one an error, and the neighbours what is left to them.
#[tokio::test]
async fn codes_run_out_and_come_back() {
    let (db, client) = bank_books("exhausted").await;
    set(&client, "unique_code_cooldown", "8 seconds").await;
    set(&client, "intent_grace", "0 seconds").await;
    let sessions = join_all((0..4).map(|_| db.app())).await;
    for session in &sessions {
        // A thousand commits need not each wait for the disk.
        db::execute(session, "SET synchronous_commit = off").await;
    }
    let taken = join_all(sessions.iter().enumerate().map(|(session, client)| async move {
        let count = if session == 0 { 999 - 3 * 250 } else { 250 };
        let mut codes = Vec::new();
        for _ in 0..count {
            codes.push(intent(client, 20_000, "").await["unique_code"].parse::<u32>().unwrap());
        }
        codes
    }))
    .await;
    let mut codes: Vec<u32> = taken.into_iter().flatten().collect();
    codes.sort_unstable();
    assert_eq!(codes, (1..=999).collect::<Vec<u32>>());
    let create = format!("create_intent('topup', 'wallets:u', 20000, '{BCA}')");
    let before = contents(&client).await;
    let error = assert_error(try_call(&client, &create).await, "codes_exhausted", "PT422");
    assert_eq!((&error.detail["bank_account"], &error.detail["amount"]), (&json!(BCA), &json!("20000.00")));
    assert_eq!(before, contents(&client).await);
    // The neighbour has one total of its own; whoever is 999 away, all of them.
    let neighbour = intent(&client, 20_001, "").await;
    assert_eq!(neighbour.pick(["unique_code", "total"]), ["999", "21000.00"]);
    let second = try_call(&client, &create.replace("20000", "20001")).await;
    assert_error(second, "codes_exhausted", "PT422");
    intent(&client, 20_999, "").await;
    call(&client, &create.replace(BCA, BRI)).await;
    // Those that close, cancelled or paid, give their totals back after the cool-down, and not before.
    let of_code = async |code: &str| {
        let sql = format!(
            "SELECT * FROM wallet_ledger.intents WHERE amount = 20000 AND unique_code = {code} AND bank_account = '{BCA}'"
        );
        one(&client, &sql).await
    };
    call(&client, &format!("cancel_intent('{}')", &of_code("500").await["id"])).await;
    let paid = match_line(&client, &credit("m", "20501")).await;
    assert_eq!(&paid["outcome"], "matched");
    assert_error(try_call(&client, &create).await, "codes_exhausted", "PT422");
    let closed = of_code("501").await["closed_at"].to_owned();
    let over = format!("SELECT clock_timestamp() > '{closed}'::timestamptz + interval '8 seconds'");
    until(&client, &over, "t").await;
    let mut again = Vec::new();
    for _ in 0..2 {
        again.push(call(&client, &create).await["unique_code"].to_owned());
    }
    again.sort();
    assert_eq!(again, ["500", "501"]);
    assert_error(try_call(&client, &create).await, "codes_exhausted", "PT422");
    assert_bank_sound(&client).await;
}

/// How an intent closes does not matter: its total rests for the cool-down, and for the window of a late
/// transfer, and is free for another one then.
#[tokio::test]
async fn a_total_rests_after_its_intent() {
    let (_db, client) = bank_books("cooldown").await;
    set(&client, "intent_grace", "0 seconds").await;
    let free_at = async |client: &Client, id: &str| {
        value(client, &format!("SELECT free_at FROM wallet_data.intent_codes WHERE intent_id = '{id}'")).await
    };
    for (cooldown, seconds) in [("1 hour", 3600), ("0 seconds", 0), ("7 days", 7 * 24 * 3600)] {
        set(&client, "unique_code_cooldown", cooldown).await;
        let after = |moment: &str| format!("SELECT '{moment}'::timestamptz + interval '{seconds} seconds'");
        let open = intent(&client, 30_000, "").await;
        assert_eq!(free_at(&client, &open["id"]).await, value(&client, &after(&open["expires_at"])).await);
        let closed = call(&client, &format!("cancel_intent('{}')", &open["id"])).await;
        assert_eq!(free_at(&client, &open["id"]).await, value(&client, &after(&closed["closed_at"])).await);

        let pending = intent(&client, 30_000, "").await;
        call(&client, &format!("submit_payment_proof('{}', 'proof')", &pending["id"])).await;
        assert_eq!(free_at(&client, &pending["id"]).await, "infinity", "it does not expire");
        call(&client, &format!("reject_payment('{}', 'blurred')", &pending["id"])).await;
        assert_eq!(
            free_at(&client, &pending["id"]).await,
            value(&client, &after(&pending["expires_at"])).await
        );
    }
    // However short the cool-down: not while a late transfer would still pay the one before.
    set(&client, "intent_grace", "2 hours").await;
    set(&client, "unique_code_cooldown", "0 seconds").await;
    let open = intent(&client, 30_000, "").await;
    let window = &intent_now(&client, &open["id"]).await["accepts_until"].to_owned();
    assert_eq!(free_at(&client, &open["id"]).await, *window);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn nobody_can_tell_the_next_code() {
    let (_db, client) = bank_books("unpredictable").await;
    let mut codes = Vec::new();
    for _ in 0..200 {
        codes.push(intent(&client, 40_000, "").await["unique_code"].parse::<i32>().unwrap());
    }
    let steps: BTreeSet<i32> = codes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let rising = codes.windows(2).filter(|pair| pair[1] > pair[0]).count();
    let low = codes.iter().filter(|code| **code <= 500).count();
    // Each of these is off by more than ten standard deviations for codes in any order that a person would
    // call one, and never for random ones.
    assert!(steps.len() > 150, "{codes:?}");
    assert!((60..140).contains(&rising), "{codes:?}");
    assert!((50..150).contains(&low), "{codes:?}");
    let (_other_db, other) = bank_books("unpredictable").await;
    let mut same = 0;
    for code in &codes[..20] {
        same += usize::from(intent(&other, 40_000, "").await["unique_code"].parse::<i32>().unwrap() == *code);
    }
    assert!(same < 5, "another database gives out the same codes");
}

#[tokio::test]
async fn the_codes_rupiah_go_where_the_setting_says() {
    let (_db, client) = bank_books("beneficiary").await;
    let codes = "platform:revenue:unique_code";
    let platform = intent(&client, 50_000, "").await;
    set(&client, "unique_code_beneficiary", "payer").await;
    let payer = intent(&client, 60_000, "").await;
    set(&client, "unique_code_beneficiary", "platform").await;
    set(&client, "unique_code_account", "donations").await;
    let donated = intent(&client, 70_000, "").await;
    set(&client, "unique_code_account", "wallets:u").await;
    let own = intent(&client, 80_000, "").await;
    // What counted when the intent was made, counts when it is paid.
    set(&client, "unique_code_beneficiary", "payer").await;
    let mut wallet = dec!(0);
    for (line, to_wallet, account) in [
        (&platform, dec!(50000), Some(codes)),
        (&payer, money(&payer["total"]), None),
        (&donated, dec!(70000), Some("donations")),
        (&own, money(&own["total"]), None),
    ] {
        let outcome = match_line(&client, &credit(&line["id"], &line["total"])).await;
        assert_eq!(&outcome["outcome"], "matched");
        wallet += to_wallet;
        assert_eq!(money(&posted(&client, "wallets:u").await), wallet);
        if let Some(account) = account {
            assert_eq!(money(&posted(&client, account).await), money(&line["unique_code"]), "{account}");
        }
        let moved = format!(
            "SELECT string_agg(kind, ' ' ORDER BY kind) FROM wallet_ledger.transfers WHERE transaction_id = '{}'",
            &outcome["transaction_id"]
        );
        assert_eq!(
            value(&client, &moved).await,
            if account.is_some() { "topup unique_code" } else { "topup" }
        );
    }
    assert_bank_sound(&client).await;
}

/// All codes are taken, and the one of a paid intent is due: who comes to take it over waits for the session that opens
/// that intent again, and must see that it did.
#[tokio::test]
async fn a_code_of_an_intent_that_is_opened_again_is_not_taken_over() {
    let (db, client) = bank_books("reopened_code").await;
    set(&client, "unique_code_cooldown", "0 seconds").await;
    let first = intent(&client, 70_000, "").await;
    take_other_codes(&db, &first).await;
    match_line(&client, &credit("m", &first["total"])).await;
    let mutation = mutation_now(&client, "m").await["id"].to_owned();
    let [undoing, creating] = [db.app().await, db.app().await];
    let process = backend(&creating).await;
    db::execute(&undoing, "BEGIN").await;
    call(&undoing, &format!("unmatch_mutation('{mutation}', 'wrong')")).await;
    let commit = async {
        until_blocked(&client, &process).await;
        db::execute(&undoing, "COMMIT").await;
    };
    let create = format!("create_intent('topup', 'wallets:u', 70000, '{BCA}')");
    let (created, ()) = tokio::join!(try_call(&creating, &create), commit);
    assert_error(created, "codes_exhausted", "PT422");
    assert_eq!(status(&client, &first["id"]).await, "open");
    // Paid again, it is free for the next one.
    match_line(&client, &with(&credit("m 2", &first["total"]), json!({"date": wib(2)}))).await;
    assert_eq!(status(&client, &first["id"]).await, "paid");
    assert_eq!(intent(&client, 70_000, "").await["total"], first["total"]);
    assert_bank_sound(&client).await;
}
