//! Proves the proof: a sound bank account is proved on every day, whatever people did to its mutations, and
//! each thing that can be wrong is named on the day that it came up.

#[path = "statements/files.rs"]
#[allow(dead_code)]
mod files;
#[path = "bank_proof/life.rs"]
mod life;

use files::{booked, csv_with_balances, day, import};
use wallet_ledger_tests::bank::{
    BCA, assert_bank_sound, bank_books, credit, debit, deliver, intent, match_line, mutation_now, with,
};
use wallet_ledger_tests::*;

async fn proof(client: &Client) -> Vec<Line> {
    calls(client, &format!("bank_proof('{BCA}')")).await
}

/// Every day is proved, and nothing is named.
async fn assert_proved(client: &Client, account: &str) -> Vec<Line> {
    let days = calls(client, &format!("bank_proof('{account}')")).await;
    for day in &days {
        assert_eq!(day.pick(["is_proved", "lines", "ledger_difference"]), ["t", "[]", "0.00"], "{days:#?}");
        assert_eq!(day["ledger_balance"], day["closing_balance"]);
    }
    days
}

/// What a day names: the problems, and all of it.
fn problems(day: &Line) -> (Vec<String>, Value) {
    let told = day.json("lines");
    let names = told.as_array().expect("an array").iter();
    (names.map(|line| line["problem"].as_str().unwrap_or("none").to_owned()).collect(), told)
}

/// A line of Moota's so many days from today, with the balance that it tells.
fn line(id: &str, days: i32, amount: i64, balance: i64) -> Value {
    let plain = if amount < 0 { debit(id, &(-amount).to_string()) } else { credit(id, &amount.to_string()) };
    with(&plain, json!({ "date": format!("{} 10:00:00", day(days)), "balance": balance }))
}

#[tokio::test]
async fn a_sound_account_day_by_day() {
    let (db, client) = bank_books("sound").await;
    let register = "register_bank_account('banks:x', 'moota', 'x', '77', opening_balance => 1000)";
    call(&client, register).await;
    let at = |line: Value| with(&line, json!({ "bank_id": "x", "account_number": "77" }));
    deliver(&client, &[at(line("a", -9, 500, 0)), at(line("b", -9, -200, 0)), at(line("c", -7, 5, 0))]).await;
    let days = assert_proved(&client, "banks:x").await;
    assert_eq!(days.len(), 2);
    assert_eq!(
        days[0].pick(["day", "opening_balance", "credit_total", "debit_total", "mutation_count"]),
        [&day(-9), "1000.00", "500.00", "200.00", "2"]
    );
    assert_eq!(days[0].pick(["closing_balance", "ledger_balance"]), ["1300.00", "1300.00"]);
    assert_eq!(days[0].pick(["reported_balance", "reported_difference"]), ["NULL", "NULL"]);
    assert_eq!(days[1].pick(["day", "opening_balance", "closing_balance"]), [&day(-7), "1300.00", "1305.00"]);
    // Windows are days, both included.
    for (arguments, rows) in [
        (format!("\"from\" => '{}'", day(-8)), &days[1..]),
        (format!("\"to\" => '{}'", day(-8)), &days[..1]),
        (format!("'{}', '{}'", day(-9), day(-9)), &days[..1]),
        (format!("'{}', '{}'", day(-9), day(-7)), &days[..]),
        (format!("'{}'", day(-6)), &[]),
        ("'-infinity', 'infinity'".to_owned(), &days[..]),
        ("NULL, NULL, 'main'".to_owned(), &days[..]),
    ] {
        assert_eq!(calls(&client, &format!("bank_proof('banks:x', {arguments})")).await, rows, "{arguments}");
    }
    // A registered account without anything has no day.
    assert_eq!(proof(&client).await, []);
    // An auditor may, in a transaction that a standby could run.
    let auditor = db.connect_as("wallet_auditor").await;
    db::execute(&auditor, "BEGIN READ ONLY").await;
    assert_eq!(calls(&auditor, "bank_proof('banks:x')").await, days);
    assert_eq!(value(&auditor, "SELECT pg_current_xact_id_if_assigned()").await, "NULL");
    db::execute(&auditor, "COMMIT").await;
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn whatever_people_do_the_days_stay_proved() {
    let (_db, client) = bank_books("by_hand").await;
    let paid = intent(&client, 50_000, "").await;
    let total: i64 = paid["total"].split('.').next().unwrap().parse().unwrap();
    deliver(&client, &[line("old", -5, 11, 0), line("lost", -5, 22, 0), line("back", -4, 33, 0)]).await;
    deliver(&client, &[line("twice", -4, 44, 0), line("twice-again", -4, 44, 0), line("fee", -4, -5, 0)])
        .await;
    let matched = match_line(&client, &credit("pays", &total.to_string())).await;
    assert_eq!(&matched["outcome"], "matched");
    let mut ids = std::collections::HashMap::new();
    for name in ["old", "lost", "back", "twice", "twice-again", "fee", "pays"] {
        ids.insert(name, mutation_now(&client, name).await["id"].to_owned());
    }
    let work = |sql: &str| {
        let sql = ids.iter().fold(sql.to_owned(), |sql, (name, id)| sql.replace(&format!("{{{name}}}"), id));
        sql.replace("{intent}", &paid["id"])
    };
    let closings = |days: &[Line]| -> Vec<String> {
        days.iter().map(|day| format!("{} {}", &day["day"], &day["closing_balance"])).collect()
    };
    let mut before = closings(&assert_proved(&client, BCA).await);
    for sql in [
        "assign_mutation('{lost}', 'wallets:a', 'found')",
        "unmatch_mutation('{lost}', 'not theirs')",
        "assign_mutation('{lost}', 'wallets:b', 'theirs')",
        "return_mutation('{back}', 'wrong account')",
        "assign_mutation('{fee}', 'shop', 'monthly fee', 'fee')",
        "unmatch_mutation('{fee}', 'no')",
        "unmatch_mutation('{pays}', 'somebody else')",
        "match_mutation_by_hand('{old}', '{intent}', 'says so')",
        "unmatch_mutation('{old}', 'no')",
        "match_mutation_by_hand('{pays}', '{intent}', 'after all')",
        "unmatch_mutation('{pays}', 'again')",
        "match_mutation_by_hand('{pays}', '{intent}', 'and again')",
        "unmatch_mutation('{pays}', 'at last')",
    ] {
        call(&client, &work(sql)).await;
        let after = closings(&assert_proved(&client, BCA).await);
        assert_eq!(before, after, "{sql}");
    }
    // A duplicate is out of the sums, on its day.
    call(&client, &work("mark_mutation_duplicate('{twice-again}', '{twice}', 'reported twice')")).await;
    let after = closings(&assert_proved(&client, BCA).await);
    assert_ne!(before, after);
    before = after;
    // One that had been matched and unmatched before.
    match_line(&client, &credit("pays-again", &total.to_string())).await;
    let again = mutation_now(&client, "pays-again").await["id"].to_owned();
    if &mutation_now(&client, "pays-again").await["status"] == "matched" {
        call(&client, &format!("unmatch_mutation('{again}', 'x')")).await;
    }
    call(&client, &work(&format!("mark_mutation_duplicate('{again}', '{{pays}}', 'reported twice')"))).await;
    assert_eq!(closings(&assert_proved(&client, BCA).await), before);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_direct_posting_is_named_on_its_day_and_goes_on() {
    let (_db, client) = bank_books("direct").await;
    deliver(&client, &[line("a", -6, 500, 0), line("b", -4, 60, 0), line("c", -1, 7, 0)]).await;
    let sneaked = call(
        &client,
        &format!("post_transfer('shop', '{BCA}', 30, 'adjustment', effective_at => '{} 12:00+07')", day(-4)),
    )
    .await;
    let days = proof(&client).await;
    assert_eq!(days[0].pick(["is_proved", "lines"]), ["t", "[]"]);
    assert_eq!(
        days[1].pick(["is_proved", "ledger_difference", "ledger_balance", "closing_balance"]),
        ["f", "-30.00", "530.00", "560.00"]
    );
    let expected = json!([{ "problem": "unexplained_transfer", "transfer_id": &sneaked["id"],
                            "kind": "adjustment", "amount": "-30.00" }]);
    assert_eq!(days[1].json("lines"), expected);
    let carried =
        json!([{ "problem": "carried_over", "side": "ledger", "day": day(-4), "difference": "-30.00" }]);
    assert_eq!((days[2].json("lines"), &days[2]["is_proved"]), (carried, "f"));
    // Taken back today: today it is right again, and both are named.
    call(&client, &format!("reverse_transfer('{}')", &sneaked["id"])).await;
    let days = proof(&client).await;
    assert_eq!(days.len(), 4);
    assert_eq!(days[3].pick(["day", "is_proved", "ledger_difference"]), [&day(0), "t", "0.00"]);
    assert_eq!(problems(&days[3]).0, ["unexplained_transfer"]);
    assert_eq!(problems(&days[3]).1[0]["kind"], "reversal");
    // A day of its own, with a kind of its own.
    call(&client, "create_kind('odd_kind')").await;
    let odd =
        format!("post_transfer('{BCA}', 'shop', 5, 'odd_kind', effective_at => '{} 00:00+07')", day(-2));
    call(&client, &odd).await;
    let days = proof(&client).await;
    let day = days.iter().find(|row| row["day"] == day(-2)).expect("a day of its own");
    assert_eq!(day.pick(["mutation_count", "ledger_difference"]), ["0", "-25.00"]);
    assert_eq!(problems(day).1[0]["kind"], "odd_kind");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_mutations_posting_that_somebody_reverses() {
    let (_db, client) = bank_books("reversed").await;
    deliver(&client, &[line("a", -3, 500, 0)]).await;
    let mutation = mutation_now(&client, "a").await;
    call(&client, &format!("reverse_transaction('{}')", &mutation["transaction_id"])).await;
    let days = proof(&client).await;
    assert_eq!(days.len(), 1, "it is about the mutation, on its day: {days:?}");
    let expected = json!([{ "problem": "misposted_mutation", "mutation_id": &mutation["id"],
                            "amount": "500.00", "posted": "0.00" }]);
    assert_eq!((days[0].json("lines"), &days[0]["ledger_difference"]), (expected, "-500.00"));
}

#[tokio::test]
async fn what_the_bank_reports() {
    let (_db, client) = bank_books("reported").await;
    // Moota's zeros are no balance.
    deliver(&client, &[line("a", -9, 500, 0), line("b", -9, 60, 0)]).await;
    assert_eq!(&proof(&client).await[0]["reported_balance"], "NULL");
    // Nor is one that follows from nothing; but a chain is.
    deliver(&client, &[line("c", -8, 5, 99_999), line("d", -8, 6, 99_999)]).await;
    deliver(&client, &[line("e", -7, 1_000, 1_571), line("f", -7, -71, 1_500)]).await;
    let days = assert_proved(&client, BCA).await;
    let reported: Vec<&str> = days.iter().map(|day| &day["reported_balance"]).collect();
    assert_eq!(reported, ["NULL", "NULL", "1500.00"]);
    // A movement is missing between these two.
    let second = with(&line("h", -6, 50, 1_850), json!({ "date": format!("{} 11:00:00", day(-6)) }));
    deliver(&client, &[line("g", -6, 100, 1_600), second]).await;
    deliver(&client, &[line("i", -5, 10, 1_860)]).await;
    let days = proof(&client).await;
    assert_eq!(
        days[3].pick(["closing_balance", "reported_balance", "reported_difference", "ledger_difference"]),
        ["1650.00", "1850.00", "200.00", "0.00"]
    );
    let named = json!([{ "problem": "balance_does_not_follow", "mutation_id": &mutation_now(&client, "h").await["id"],
                         "amount": "50.00", "balance": "1850.00", "expected_balance": "1650.00" }]);
    assert_eq!((days[3].json("lines"), &days[3]["is_proved"]), (named, "f"));
    let carried =
        json!([{ "problem": "carried_over", "side": "reported", "day": day(-6), "difference": "200.00" }]);
    assert_eq!(days[4].json("lines"), carried);
    // The statement has it: everything is proved again.
    let entries = [
        booked(-6, "TRSF E-BANKING CR g", 100),
        booked(-6, "HILANG", 200),
        booked(-6, "TRSF E-BANKING CR h", 50),
        booked(-5, "TRSF E-BANKING CR i", 10),
    ];
    let answer = import(&client, "csv", &csv_with_balances(1_500, &entries)).await;
    assert_eq!(answer.pick(["duplicate_count", "suspense_count", "closing_balance"]), ["3", "1", "1860.00"]);
    let days = assert_proved(&client, BCA).await;
    let reported: Vec<&str> = days.iter().map(|day| &day["reported_balance"]).collect();
    assert_eq!(reported, ["NULL", "NULL", "1500.00", "1850.00", "1860.00"]);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_second_report_shows_in_the_statements_balance() {
    let (_db, client) = bank_books("second").await;
    let first = line("a", -4, 500, 0);
    deliver(&client, std::slice::from_ref(&first)).await;
    deliver(&client, &[with(&first, json!({ "mutation_id": "a-again", "token": "a-again" }))]).await;
    let again = mutation_now(&client, "a-again").await;
    assert_eq!(again.pick(["status", "reasons"]), ["review", "{reissued}"]);
    // Nobody has reported a balance: it is proved as far as can be told, and named.
    let days = proof(&client).await;
    assert_eq!(days[0].pick(["is_proved", "closing_balance"]), ["t", "1000.00"]);
    let named = json!([{ "problem": "reissued_mutation", "mutation_id": &again["id"],
                         "original_id": &again["original_id"], "amount": "500.00" }]);
    assert_eq!(days[0].json("lines"), named);
    let entries = [booked(-4, "TRSF E-BANKING CR a", 500), booked(-3, "LAIN", 7)];
    import(&client, "csv", &csv_with_balances(0, &entries)).await;
    let days = proof(&client).await;
    assert_eq!(
        days[0].pick(["is_proved", "reported_balance", "reported_difference"]),
        ["f", "500.00", "-500.00"]
    );
    assert!(problems(&days[0]).0.contains(&"reissued_mutation".to_owned()), "{days:?}");
    assert_eq!(problems(&days[1]).0, ["carried_over"]);
    // So would a debit be, which waits for nobody.
    let fee = line("fee", -2, -30, 0);
    let again_fee = with(&fee, json!({ "mutation_id": "fee-again", "token": "fee-again" }));
    deliver(&client, &[fee, again_fee]).await;
    assert_eq!(problems(&proof(&client).await[2]).0, ["reissued_mutation"]);
    let mark = |one: &Line| {
        format!("mark_mutation_duplicate('{}', '{}', 'reported twice')", &one["id"], &one["original_id"])
    };
    call(&client, &mark(&mutation_now(&client, "fee-again").await)).await;
    // A person decides that it is the same.
    call(&client, &mark(&again)).await;
    let days = assert_proved(&client, BCA).await;
    assert_eq!(&days[1]["reported_balance"], "507.00");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn an_account_with_a_history_is_registered() {
    let (_db, client) = bank_books("history").await;
    call(&client, "create_account('banks:old', 'asset', stripes => 4)").await;
    for amount in [1_000, 200, 30] {
        call(&client, &format!("post_transfer('banks:old', 'shop', {amount})")).await;
    }
    call(&client, "post_transfer('shop', 'banks:old', 4)").await;
    call(&client, "register_bank_account('banks:old', 'moota', 'old', '88')").await;
    assert_eq!(calls(&client, "bank_proof('banks:old')").await, [], "the history is the opening balance");
    let at = |line: Value| with(&line, json!({ "bank_id": "old", "account_number": "88" }));
    deliver(&client, &[at(line("a", -9, 500, 1_726)), at(line("b", -8, -1_700, 26))]).await;
    let days = assert_proved(&client, "banks:old").await;
    assert_eq!(days[0].pick(["opening_balance", "closing_balance"]), ["1226.00", "1726.00"]);
    assert_eq!(days[1].pick(["closing_balance", "reported_balance"]), ["26.00", "26.00"]);
    // Overdrawn from the beginning.
    call(&client, "register_bank_account('banks:loan', 'moota', 'loan', '89', opening_balance => -500)")
        .await;
    let at = |line: Value| with(&line, json!({ "bank_id": "loan", "account_number": "89" }));
    deliver(&client, &[at(line("c", -9, 100, 0))]).await;
    let days = assert_proved(&client, "banks:loan").await;
    assert_eq!(days[0].pick(["opening_balance", "closing_balance"]), ["-500.00", "-400.00"]);
    verify_clean(&client).await;
}

#[tokio::test]
async fn an_opening_that_the_books_do_not_have_is_named() {
    let (db, client) = bank_books("opening").await;
    deliver(&client, &[line("a", -9, 500, 0), line("b", -8, 5, 0)]).await;
    let superuser = db.connect().await;
    db::execute(&superuser, "UPDATE wallet_data.bank_accounts SET opening_balance = 100").await;
    let days = proof(&client).await;
    let named =
        json!([{ "problem": "opening_differs", "opening_balance": "100.00", "ledger_balance": "0.00" }]);
    assert_eq!((days[0].json("lines"), &days[0]["ledger_difference"]), (named, "-100.00"));
    assert_eq!(problems(&days[1]).0, ["carried_over"]);
}

#[tokio::test]
async fn statements_from_before_the_opening_prove_nothing_but_the_opening() {
    let (_db, client) = bank_books("before").await;
    let register = format!(
        "register_bank_account('banks:x', 'statement', opening_balance => 100, opened_on => '{}')",
        day(-5)
    );
    call(&client, &register).await;
    let import = |opening: i64, entries: &[files::Entry]| {
        let content = bank::quoted(&csv_with_balances(opening, entries));
        let sql = format!("import_statement('banks:x', 'csv', {content})");
        let client = &client;
        async move { call(client, &sql).await }
    };
    import(5, &[booked(-9, "A", 1), booked(-8, "B", 2)]).await;
    assert_eq!(calls(&client, "bank_proof('banks:x')").await, []);
    import(8, &[booked(-7, "C", 2), booked(-6, "D", 91)]).await;
    let days = calls(&client, "bank_proof('banks:x')").await;
    assert_eq!(days.len(), 1);
    assert_eq!(
        days[0].pick(["day", "mutation_count", "closing_balance", "reported_difference"]),
        [&day(-6), "0", "100.00", "1.00"]
    );
    import(101, &[booked(-5, "E", 7)]).await;
    let days = calls(&client, "bank_proof('banks:x')").await;
    assert_eq!(problems(&days[1]).0, ["carried_over"], "{days:?}");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_closed_period_moves_the_posting_and_not_the_day() {
    let (_db, client) = bank_books("period").await;
    deliver(&client, &[line("a", -9, 500, 0)]).await;
    call(&client, "close_period('main', now() - interval '2 days')").await;
    deliver(&client, &[line("late", -8, 70, 0)]).await;
    let days = assert_proved(&client, BCA).await;
    assert_eq!(days.iter().map(|row| row["day"].to_owned()).collect::<Vec<_>>(), [day(-9), day(-8)]);
    let dated =
        "SELECT effective_at > now() - interval '1 hour' FROM wallet_ledger.transfers WHERE amount = 70";
    assert_eq!(value(&client, dated).await, "t");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn what_cannot_be_asked() {
    let (_db, client) = bank_books("asked").await;
    for (call, token, sqlstate) in [
        ("bank_proof(NULL)", "missing_argument", "PT400"),
        ("bank_proof('')", "invalid_address", "PT400"),
        ("bank_proof('💸')", "invalid_address", "PT400"),
        ("bank_proof('bank')", "bank_account_not_found", "PT404"),
        ("bank_proof('banks:bca:1:suspense')", "bank_account_not_found", "PT404"),
        ("bank_proof('banks:bca:1', '2026-01-02', '2026-01-01')", "invalid_argument", "PT400"),
        ("bank_proof('banks:bca:1', 'infinity', '-infinity')", "invalid_argument", "PT400"),
        ("bank_proof('banks:bca:1', ledger => 'none')", "ledger_not_found", "PT404"),
    ] {
        let error = assert_error(try_calls(&client, call).await, token, sqlstate);
        assert!(error.message.len() > 10, "{call}: {error:?}");
    }
    assert_eq!(calls(&client, "bank_proof('banks:bca:1', '2026-01-02', '2026-01-02')").await, []);
}
