//! Proves that a statement goes through the same engine as a webhook: a movement that both report is one, two
//! that look alike are two, whatever comes first and however often; that a file is imported once, whole or
//! not at all; and that whatever is given instead of a file is refused with a clear error.

#[path = "statements/files.rs"]
mod files;
#[path = "statements/interleavings.rs"]
mod interleavings;
#[path = "statements/refusals.rs"]
mod refusals;

use files::{Entry, booked, csv, day, import, import_call, mt940, outcomes};
use futures::future::join_all;
use wallet_ledger_tests::bank::{
    BCA, BCA_NUMBER, BRI, assert_bank_sound, bank_books, credit, deliver, events, intent, intent_now,
    match_line, mutation_now, one, quoted, wib, with, work_list,
};
use wallet_ledger_tests::*;

/// The mutations at [`BCA`] that count, as `direction amount status`, sorted.
async fn counted(client: &Client) -> Vec<String> {
    let sql = format!(
        "SELECT direction || ' ' || amount || ' ' || status AS line FROM wallet_ledger.mutations \
         WHERE bank_account = '{BCA}' AND status <> 'duplicate' ORDER BY 1"
    );
    lines(client, &sql).await.iter().map(|line| line["line"].to_owned()).collect()
}

/// A line of Moota's about an entry of a statement.
fn reported(id: &str, entry: &Entry, time: &str) -> Value {
    let kind = if entry.amount < 0 { "DB" } else { "CR" };
    with(
        &credit(id, &entry.amount.abs().to_string()),
        json!({ "date": format!("{} {time}", entry.day), "type": kind, "description": entry.text }),
    )
}

#[tokio::test]
async fn a_statement_is_imported_and_told() {
    let (_db, client) = bank_books("statement").await;
    let entries =
        [booked(-3, "BUNGA 💸", 5_000), booked(-2, "BIAYA ADM", -1_500), booked(-2, "SETORAN", 70_000)];
    let file = files::csv_with_balances(0, &entries);
    let file = file.replace("Date,", &format!("No. Rekening : {BCA_NUMBER}\nMata Uang : IDR\nDate,"));
    let sql = format!(
        "import_statement(bank_account => '{BCA}', format => 'csv', content => {}, ledger => 'main')",
        quoted(&file)
    );
    let answer = call(&client, &sql).await;
    assert_eq!(
        answer.pick(["line_count", "matched_count", "suspense_count", "review_count", "duplicate_count"]),
        ["3", "0", "2", "0", "0"]
    );
    assert_eq!(answer.pick(["ignored_count", "rejected_count", "replayed"]), ["1", "0", "f"]);
    assert_eq!(answer.pick(["opening_balance", "closing_balance"]), ["0.00", "73500.00"]);
    assert_eq!(answer.pick(["from_day", "until_day"]), [day(-3).as_str(), day(-2).as_str()]);
    let told = answer.json("lines");
    assert_eq!((&told[1]["direction"], &told[1]["outcome"]), (&json!("debit"), &json!("ignored")));
    assert_eq!((&told[2]["line"], &told[2]["amount"]), (&json!(3), &json!("70000")));
    assert_eq!(posted(&client, BCA).await, "73500.00");
    let row = one(&client, "SELECT * FROM wallet_ledger.bank_statements").await;
    assert_eq!(row.pick(["id", "bank_account", "format"]), [&answer["statement_id"], BCA, "csv"]);
    assert_eq!(row.pick(["opening_balance", "closing_balance"]), ["0.00", "73500.00"]);
    assert_eq!(row.pick(["from_day", "until_day"]), answer.pick(["from_day", "until_day"]));
    let event = events(&client, &["statement.imported"]).await;
    assert_eq!(event.len(), 1);
    let payload = event[0].json("payload");
    assert_eq!((&payload["suspense_count"], &payload["closing_balance"]), (&json!(2), &json!("73500.00")));
    assert_eq!(payload["statement_id"], answer["statement_id"]);
    let emoji = one(&client, "SELECT * FROM wallet_ledger.mutations WHERE amount = 5000").await;
    assert_eq!(emoji.pick(["description", "source", "booked_on"]), ["BUNGA 💸", "statement", &day(-3)]);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn the_same_content_gets_the_first_answer() {
    let (db, client) = bank_books("again").await;
    let file = csv(&[booked(-2, "A", 5_000), booked(-1, "B", 6_000)]);
    let first = import(&client, "csv", &file).await;
    let before = contents(&client).await;
    for format in ["csv", "csv", "csv:bca"] {
        let again = import(&client, format, &file).await;
        assert_eq!((again.without(&["replayed"]), &again["replayed"]), (first.without(&["replayed"]), "t"));
    }
    assert_eq!(before, contents(&client).await);
    // Another bank account is another matter.
    let sql = format!("import_statement('{BRI}', 'csv', {})", quoted(&file));
    assert_eq!(&call(&client, &sql).await["suspense_count"], "2");
    // The answer is not rewritten by anybody.
    let superuser = db.connect().await;
    for sql in [
        "UPDATE wallet_data.bank_statements SET closing_balance = 1",
        "UPDATE wallet_data.bank_statements SET answer = NULL",
        "DELETE FROM wallet_data.bank_statements",
        "TRUNCATE wallet_data.bank_statements",
    ] {
        assert_error(try_lines(&superuser, sql).await, "append_only", "PT403");
    }
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn fifty_sessions_at_once_import_it_once() {
    let (db, client) = bank_books("fifty").await;
    let entries: Vec<Entry> = (0..200).map(|n| booked(-1, &format!("P{n}"), 1_000 + n)).collect();
    let file = csv(&entries);
    let sessions = join_all((0..50).map(|_| db.app())).await;
    let answers = join_all(sessions.iter().map(|session| import(session, "csv", &file))).await;
    assert_eq!(answers.iter().filter(|answer| &answer["replayed"] == "f").count(), 1);
    let first = answers[0].without(&["replayed"]);
    assert!(answers.iter().all(|answer| answer.without(&["replayed"]) == first));
    assert_eq!(&answers[0]["suspense_count"], "200");
    assert_eq!(counted(&client).await.len(), 200);
    assert_eq!(events(&client, &["statement.imported"]).await.len(), 1);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_failed_import_leaves_the_way_free() {
    let (db, client) = bank_books("way").await;
    let file = csv(&[booked(-1, "A", 5_000)]);
    let other = db.app().await;
    db::execute(&client, "BEGIN").await;
    import(&client, "csv", &file).await;
    let call = import_call("csv", &file);
    let waiting = tokio::spawn(async move { wallet_ledger_tests::call(&other, &call).await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!waiting.is_finished(), "it waits for the first");
    db::execute(&client, "ROLLBACK").await;
    let second = waiting.await.unwrap();
    assert_eq!(second.pick(["replayed", "suspense_count"]), ["f", "1"]);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn the_webhook_first_then_the_statement() {
    let (_db, client) = bank_books("webhook_first").await;
    let paid = intent(&client, 50_000, ", reference => 'order-7'").await;
    let total: i64 = paid["total"].split('.').next().unwrap().parse().unwrap();
    let entries =
        [booked(0, "TRSF E-BANKING CR BUDI", total), booked(0, "BIAYA", -2_500), booked(0, "KLIRING", 123)];
    let batch: Vec<Value> = entries
        .iter()
        .enumerate()
        .map(|(n, entry)| reported(&format!("m{n}"), entry, &wib(0)[11..]))
        .collect();
    let webhook = deliver(&client, &batch).await;
    assert_eq!(webhook.pick(["matched_count", "suspense_count", "ignored_count"]), ["1", "1", "1"]);
    let before = counted(&client).await;
    let answer = import(&client, "csv", &csv(&entries)).await;
    assert_eq!(answer.pick(["duplicate_count", "line_count"]), ["3", "3"]);
    let told = answer.json("lines");
    assert_eq!(told[0]["reasons"], json!(["matched", "other_source"]));
    assert_eq!(told[0]["intent_id"], paid["id"]);
    assert_eq!(told[1]["reasons"], json!(["ignored", "other_source"]));
    assert_eq!(counted(&client).await, before);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn the_statement_first_then_a_late_webhook() {
    let (_db, client) = bank_books("statement_first").await;
    let paid = intent(&client, 50_000, "").await;
    let total: i64 = paid["total"].split('.').next().unwrap().parse().unwrap();
    let entries = [booked(0, "TRSF BUDI", total), booked(0, "BIAYA", -2_500), booked(0, "KLIRING", 123)];
    let answer = import(&client, "csv", &csv(&entries)).await;
    assert_eq!(answer.pick(["matched_count", "ignored_count", "suspense_count"]), ["1", "1", "1"]);
    let row = intent_now(&client, &paid["id"]).await;
    assert_eq!(row["status"].to_owned(), "paid", "no webhook came");
    let balance = posted(&client, "wallets:u").await;
    // Now it comes, with other words and, as always, another id.
    let mut late: Vec<Value> = entries
        .iter()
        .enumerate()
        .map(|(n, entry)| reported(&format!("m{n}"), entry, &wib(0)[11..]))
        .collect();
    late[0]["description"] = json!("something else altogether");
    let webhook = deliver(&client, &late).await;
    assert_eq!(webhook.pick(["duplicate_count", "line_count"]), ["3", "3"]);
    assert_eq!(match_line(&client, &late[0]).await["outcome"].to_owned(), "duplicate");
    assert_eq!(posted(&client, "wallets:u").await, balance);
    assert_eq!(counted(&client).await.len(), 3);
    // Re-issued under yet another id: the statement has one such line, so a person decides.
    let reissued = with(&late[0], json!({ "mutation_id": "again", "token": "again" }));
    let outcome = match_line(&client, &reissued).await;
    assert_eq!(outcome.pick(["outcome", "reasons"]), ["review", "{reissued}"]);
    assert_eq!(posted(&client, "wallets:u").await, balance);
    let listed = work_list(&client).await;
    let original = &mutation_now(&client, "again").await["original_id"];
    assert!(listed.iter().any(|line| &line["original_id"] == original && original != "NULL"), "{listed:?}");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn two_identical_payments_of_which_the_webhook_had_one() {
    let (_db, client) = bank_books("identical").await;
    let entry = booked(-1, "SPP KELAS 7", 250_000);
    deliver(&client, &[reported("m1", &entry, "09:00:00")]).await;
    let answer = import(&client, "csv", &csv(&[entry.clone(), entry.clone()])).await;
    assert_eq!(outcomes(&answer), ["duplicate", "suspense"]);
    assert_eq!(counted(&client).await.len(), 2);
    // The second one's webhook is late: it is the statement's second line.
    let late = deliver(&client, &[reported("m2", &entry, "09:30:00")]).await;
    assert_eq!(&late["duplicate_count"], "1");
    // A third has no line left.
    let third = deliver(&client, &[reported("m3", &entry, "09:45:00")]).await;
    assert_eq!(&third["review_count"], "1");
    // A later export has three: the third is new as a line, and known as the webhook's.
    let answer = import(&client, "csv", &csv(&[entry.clone(), entry.clone(), entry.clone()])).await;
    assert_eq!(outcomes(&answer), ["duplicate"; 3]);
    assert_eq!(counted(&client).await.len(), 3);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn exports_overlap() {
    let (_db, client) = bank_books("overlap").await;
    let all: Vec<Entry> = (0..12)
        .map(|n| booked(-12 + n, if n % 3 == 0 { "SAMA" } else { "LAIN" }, 10_000 + i64::from(n / 6)))
        .collect();
    // With an opening balance each export has balances of its own; without, none.
    for (from, until, new) in [(0, 6, 6), (3, 9, 3), (0, 12, 3), (11, 12, 0), (5, 6, 0)] {
        let answer = import(&client, "csv", &csv(&all[from..until])).await;
        let (lines, known) = (until - from, until - from - new);
        assert_eq!(
            answer.pick(["line_count", "duplicate_count", "suspense_count"]),
            [lines, known, new].map(|count| count.to_string()).each_ref().map(String::as_str),
            "{from}..{until}"
        );
    }
    assert_eq!(counted(&client).await.len(), 12);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn the_bank_books_it_on_the_next_day() {
    let (_db, client) = bank_books("next_day").await;
    let late = booked(-3, "TRSF KEVIN 50123", 50_123);
    deliver(&client, &[reported("m1", &late, "23:40:00")]).await;
    // The same words, in other letters, on the next day.
    let next = booked(-2, "trsf  Kevin 50123", 50_123);
    assert_eq!(outcomes(&import(&client, "csv", &csv(&[next])).await), ["duplicate"]);
    // Other words are another payment.
    let other = booked(-2, "TRSF RINA", 50_123);
    assert_eq!(outcomes(&import(&client, "csv", &csv(&[other])).await), ["suspense"]);
    // The other way round.
    let first = booked(-5, "TRSF SITI", 77_001);
    import(&client, "csv", &csv(std::slice::from_ref(&first))).await;
    let webhook = deliver(&client, &[reported("m2", &booked(-6, "trsf siti", 77_001), "23:59:59")]).await;
    assert_eq!(&webhook["duplicate_count"], "1");
    assert_eq!(counted(&client).await.len(), 3);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_second_kind_of_statement_is_the_same_movements() {
    let (_db, client) = bank_books("kinds").await;
    let entries = [
        booked(-2, "TRSF A", 50_001),
        booked(-2, "TRSF A", 50_001),
        booked(-2, "BIAYA", -1_500),
        booked(-1, "TRSF B", 60_002),
    ];
    deliver(&client, &[reported("m1", &entries[3], "10:00:00")]).await;
    assert_eq!(&import(&client, "csv", &csv(&entries)).await["duplicate_count"], "1");
    let before = counted(&client).await;
    assert_eq!(before.len(), 4);
    // SWIFT's message has other words and so other ids.
    let message = mt940(0, &entries);
    assert_eq!(outcomes(&import(&client, "mt940", &message).await), ["duplicate"; 4]);
    assert_eq!(counted(&client).await, before);
    // One more of them is new, as a line and as a payment.
    let more = [&entries[..], &[booked(-1, "TRSF C", 60_002)]].concat();
    let answer = import(&client, "mt940", &mt940(0, &more)).await;
    assert_eq!(outcomes(&answer), ["duplicate", "duplicate", "duplicate", "duplicate", "suspense"]);
    let answer = import(&client, "csv", &csv(&more)).await;
    assert_eq!(&answer["duplicate_count"], "5");
    assert_eq!(counted(&client).await.len(), 5);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn an_export_with_other_columns_is_for_a_person() {
    let (_db, client) = bank_books("columns").await;
    let entries = [booked(-2, "TRSF A", 50_001), booked(-1, "TRSF B", 60_002)];
    deliver(&client, &[reported("m1", &entries[1], "10:00:00")]).await;
    import(&client, "csv", &csv(&entries)).await;
    // The same lines with a balance: other ids. Nothing proves that they are the same; nothing is credited.
    let answer = import(&client, "csv", &files::csv_with_balances(0, &entries)).await;
    assert_eq!(outcomes(&answer), ["review", "review"]);
    let told = answer.json("lines");
    assert_eq!(told[0]["reasons"], json!(["reissued"]));
    let listed = work_list(&client).await;
    assert_eq!(listed.iter().filter(|line| &line["original_id"] != "NULL").count(), 2);
    // A person says so, and the books are as they were.
    for line in &listed {
        let (id, original) = (&line["id"], &line["original_id"]);
        if original != "NULL" {
            call(&client, &format!("mark_mutation_duplicate('{id}', '{original}', 'another export')")).await;
        }
    }
    assert_eq!(posted(&client, BCA).await, "110003.00");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn lines_pay_intents_the_oldest_first() {
    let (_db, client) = bank_books("oldest").await;
    let paid = intent(&client, 50_000, "").await;
    let total: i64 = paid["total"].split('.').next().unwrap().parse().unwrap();
    // Printed newest first, as some banks do: the lower of the two was there first.
    let entries = [booked(0, "KEDUA", total), booked(0, "PERTAMA", total), booked(-1, "LAMA", 5)];
    let answer = import(&client, "csv", &csv(&entries)).await;
    assert_eq!(outcomes(&answer), ["review", "matched", "suspense"]);
    let told = answer.json("lines");
    assert_eq!(told[0]["reasons"], json!(["already_paid"]));
    assert_eq!([&told[0]["line"], &told[1]["line"], &told[2]["line"]], [&json!(1), &json!(2), &json!(3)]);
    let paying = one(&client, "SELECT * FROM wallet_ledger.mutations WHERE status = 'matched'").await;
    assert_eq!(&paying["description"], "PERTAMA");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn an_order_without_any_webhook_and_one_that_is_over() {
    let (_db, client) = bank_books("orders").await;
    let create = format!(
        "create_intent('order', 'wallets:u', 75000, '{BCA}', reference => 'o-1', idempotency_key => 'k')"
    );
    let order = call(&client, &create).await;
    let total: i64 = order["total"].split('.').next().unwrap().parse().unwrap();
    // Dated before the order was made: nobody's, though a person may think of it.
    let old = import(&client, "csv", &csv(&[booked(-3, "TRSF", total)])).await;
    assert_ne!(outcomes(&old), ["matched"]);
    let answer = import(&client, "csv", &csv(&[booked(0, "TRSF", total)])).await;
    assert_eq!(outcomes(&answer), ["matched"]);
    assert_eq!(answer.json("lines")[0]["intent_id"], order["id"]);
    assert_eq!(&intent_now(&client, &order["id"]).await["status"], "paid");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_bad_line_is_reported_and_the_others_go_on() {
    let (_db, client) = bank_books("bad_line").await;
    let file = csv(&[booked(-1, "A", 5_000), booked(-1, "B", 6_000)]);
    let file = file.replace("B,6000", "B,sixthousand");
    let answer = import(&client, "csv", &file).await;
    assert_eq!(outcomes(&answer), ["suspense", "rejected"]);
    let told = answer.json("lines");
    assert_eq!(told[1]["reasons"], json!(["invalid_amount"]));
    assert!(told[1]["message"].as_str().unwrap().contains("sixthousand"), "{told}");
    assert_eq!(&answer["rejected_count"], "1");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn lines_older_than_the_opening_balance_are_in_it() {
    let (_db, client) = bank_books("opened").await;
    let register = format!(
        "register_bank_account('banks:x', 'statement', account_number => '77', opening_balance => 1000, \
         opened_on => '{}')",
        day(-2)
    );
    call(&client, &register).await;
    let file = csv(&[booked(-3, "OLD", 5), booked(-2, "NEW", 7)]);
    let answer = call(&client, &format!("import_statement('banks:x', 'csv', {})", quoted(&file))).await;
    assert_eq!(outcomes(&answer), ["rejected", "suspense"]);
    assert_eq!(answer.json("lines")[0]["reasons"], json!(["before_opening"]));
    assert_eq!(posted(&client, "banks:x").await, "1007.00");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_file_of_many_lines() {
    let (db, client) = bank_books("many").await;
    let count = if long() { 99_999 } else { 10_000 };
    let entries: Vec<Entry> = (0..count).map(|n| booked(-1, &format!("P{n}"), 1_000 + n % 5_000)).collect();
    let file = csv(&entries);
    let begun = std::time::Instant::now();
    let answer = import(&client, "csv", &file).await;
    println!("{count} lines, {} bytes: {:?}", file.len(), begun.elapsed());
    assert_eq!(&answer["suspense_count"], &count.to_string());
    // What autovacuum does within a minute.
    db::execute(&db.connect().await, "ANALYZE").await;
    // With one more line it is another file.
    let begun = std::time::Instant::now();
    let again = import(&client, "csv", &format!("{file}{},MORE,7,CR\n", day(-1))).await;
    println!("again: {:?}", begun.elapsed());
    assert_eq!(again.pick(["duplicate_count", "suspense_count"]), [&count.to_string(), "1"]);
    assert_bank_sound(&client).await;
}
