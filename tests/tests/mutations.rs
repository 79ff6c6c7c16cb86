//! Proves what a bank's mutation comes to: to exactly one intent that it pays, to a person who decides, or to
//! suspense; that the books' balance of the bank account moves with it in every case; and that what people do
//! to it afterwards moves the money, is written down with who and why, and can be taken back.

#[path = "mutations/hand.rs"]
mod hand;
#[path = "mutations/moved.rs"]
mod moved;
#[path = "mutations/order.rs"]
mod order;
#[path = "mutations/refusals.rs"]
mod refusals;
#[path = "mutations/repeats.rs"]
mod repeats;
#[path = "mutations/suggestions.rs"]
mod suggestions;
#[path = "mutations/windows.rs"]
mod windows;

use wallet_ledger_tests::bank::{
    BCA, BCA_ID, BCA_NUMBER, BRI, BRI_ID, BRI_NUMBER, assert_bank_sound, bank_books, credit, debit, deliver,
    events, intent, intent_now, match_line, money, mutation_now, one, quoted, try_match_line, wib, with,
    work_list,
};
use wallet_ledger_tests::*;

const SUSPENSE: &str = "banks:bca:1:suspense";
const OUTGOING: &str = "banks:bca:1:outgoing";

async fn balance(client: &Client, account: &str) -> Decimal {
    money(&posted(client, account).await)
}

/// `outcome reason reason …`
fn told(line: &Line) -> String {
    let reasons = line["reasons"].trim_matches(['{', '}']).replace(',', " ");
    format!("{} {reasons}", &line["outcome"]).trim_end().to_owned()
}

#[tokio::test]
async fn exactly_one_live_intent_is_paid() {
    let (_db, client) = bank_books("match").await;
    let mut in_bank = dec!(0);
    let mut in_wallet = dec!(0);
    let mut codes = dec!(0);
    for (purpose, kind) in
        [("topup", "topup"), ("order", "payment"), ("subscription", "payment"), ("other", "deposit")]
    {
        let sql = format!("create_intent('{purpose}', 'wallets:u', 50000, '{BCA}', 'ref-{purpose}')");
        let line = call(&client, &sql).await;
        // One that has everything else in common is not touched.
        let other = intent(&client, 50_000, "").await;
        let movement = with(&credit(purpose, &line["total"]), json!({"date": wib(-20 * 24 * 3600)}));
        // Dated long before the intent: not its payment.
        let outcome = match_line(&client, &movement).await;
        assert_eq!(told(&outcome), "suspense", "{purpose}");
        let movement = credit(&format!("{purpose}!"), &line["total"]);
        let outcome = match_line(&client, &movement).await;
        assert_eq!(
            outcome.pick([
                "line",
                "outcome",
                "reasons",
                "message",
                "direction",
                "bank_account",
                "provider_mutation_id"
            ]),
            ["1", "matched", "{}", "NULL", "credit", BCA, &format!("{purpose}!")]
        );
        assert_eq!((&outcome["intent_id"], money(&outcome["amount"])), (&line["id"], money(&line["total"])));
        in_bank += money(&line["total"]) * dec!(2);
        in_wallet += dec!(50000);
        codes += money(&line["unique_code"]);
        assert_eq!(balance(&client, BCA).await, in_bank);
        assert_eq!(balance(&client, "wallets:u").await, in_wallet);
        assert_eq!(balance(&client, "platform:revenue:unique_code").await, codes);
        let paid = intent_now(&client, &line["id"]).await;
        assert_eq!(paid.pick(["status", "paid_amount"]), ["paid", &line["total"]]);
        assert_eq!(
            paid.pick(["mutation_id", "transaction_id"]),
            outcome.pick(["mutation_id", "transaction_id"])
        );
        assert_eq!(&intent_now(&client, &other["id"]).await["status"], "open");
        let row = mutation_now(&client, &format!("{purpose}!")).await;
        assert_eq!(
            row.pick(["status", "direction", "source", "intent_id"]),
            ["matched", "credit", "moota", &line["id"]]
        );
        let posted = lines(
            &client,
            &format!(
                "SELECT * FROM wallet_ledger.transfers WHERE transaction_id = '{}' ORDER BY amount DESC",
                &outcome["transaction_id"]
            ),
        )
        .await;
        assert_eq!(posted.len(), 2);
        assert_eq!(
            posted[0].pick(["debit_account", "credit_account", "amount", "kind", "reference"]),
            [BCA, "wallets:u", "50000.00", kind, &format!("ref-{purpose}")]
        );
        assert_eq!(
            posted[1].pick(["debit_account", "credit_account", "kind"]),
            [BCA, "platform:revenue:unique_code", "unique_code"]
        );
    }
    let told = events(&client, &["intent.paid"]).await;
    assert_eq!(told.len(), 4);
    let payload = told[1].json("payload");
    assert_eq!((&payload["reference"], &payload["purpose"]), (&json!("ref-order"), &json!("order")));
    assert_eq!(payload["paid_amount"], payload["total"]);
    assert_bank_sound(&client).await;
}

/// Each row of the table of the rules, with the reason that a person reads and where the money is.
#[tokio::test]
async fn everything_else_waits_for_a_person_or_in_suspense() {
    let (db, client) = bank_books("review").await;
    let mut waiting = dec!(0);
    let mut number = 0;
    let check = async |line: &Value, expected: &str, waiting: &mut Decimal| {
        let outcome = match_line(&client, line).await;
        assert_eq!(told(&outcome), expected, "{line}");
        *waiting += money(&outcome["amount"]);
        assert_eq!(balance(&client, SUSPENSE).await, *waiting, "{expected}");
        let row = one(
            &client,
            &format!(
                "SELECT * FROM wallet_ledger.mutations_to_review WHERE id = '{}'",
                &outcome["mutation_id"]
            ),
        )
        .await;
        assert_eq!(&row["status"], expected.split(' ').next().unwrap());
        let event = events(&client, &["mutation.unmatched"]).await.pop().unwrap().json("payload");
        assert_eq!(event["mutation_id"], outcome["mutation_id"]);
        assert_eq!(event["status"], row["status"]);
        outcome
    };
    let mut id = || {
        number += 1;
        format!("m{number}")
    };
    check(&credit(&id(), "123.45"), "suspense", &mut waiting).await;

    let paid = intent(&client, 50_000, "").await;
    match_line(&client, &credit(&id(), &paid["total"])).await;
    check(&credit(&id(), &paid["total"]), "review already_paid", &mut waiting).await;

    let cancelled = intent(&client, 60_000, "").await;
    call(&client, &format!("cancel_intent('{}')", &cancelled["id"])).await;
    check(&credit(&id(), &cancelled["total"]), "review intent_cancelled", &mut waiting).await;

    // The API never makes two; a row that came into the table in another way is a person's matter.
    let twins = [intent(&client, 70_000, "").await, intent(&client, 70_000, "").await];
    let same = format!(
        "UPDATE wallet_data.intents SET (unique_code, total) = ({}, {}) WHERE intent_id = '{}'",
        &twins[0]["unique_code"], &twins[0]["total"], &twins[1]["id"]
    );
    let superuser = db.connect().await;
    db::execute(&superuser, &same).await;
    check(&credit(&id(), &twins[0]["total"]), "review several_intents", &mut waiting).await;
    db::execute(
        &superuser,
        &format!(
            "UPDATE wallet_data.intents SET state_id = 6, closed_at = now() WHERE intent_id = '{0}'; \
             DELETE FROM wallet_data.live_intents WHERE intent_id = '{0}'",
            &twins[1]["id"]
        ),
    )
    .await;

    let again = credit(&id(), "777.50");
    check(&again, "suspense", &mut waiting).await;
    let reissued =
        check(&with(&again, json!({"mutation_id": "new-id", "token": "x"})), "review reissued", &mut waiting)
            .await;
    let row = mutation_now(&client, "new-id").await;
    assert_eq!(row["original_id"], mutation_now(&client, again["mutation_id"].as_str().unwrap()).await["id"]);
    assert_eq!(row["id"], reissued["mutation_id"]);

    let similar = intent(&client, 80_000, "").await;
    check(&credit(&id(), "80000"), "review resembles_intent", &mut waiting).await;
    assert_eq!(&intent_now(&client, &similar["id"]).await["status"], "open");
    assert_bank_sound(&client).await;
}

/// An account that refuses loses nothing, and pays nothing either: the intent stays as it was.
#[tokio::test]
async fn an_account_that_refuses_leaves_the_money_in_suspense() {
    let (_db, client) = bank_books("posting_refused").await;
    call(&client, "create_account('capped', 'liability', maximum_balance => 60000)").await;
    let mut waiting = dec!(0);
    for (account, before, token, after) in [
        (
            "wallets:b",
            "freeze_account('wallets:b', 'checked')",
            "account_frozen",
            "unfreeze_account('wallets:b')",
        ),
        ("wallets:c", "close_account('wallets:c')", "account_closed", "reopen_account('wallets:c')"),
        (
            "capped",
            "post_transfer('bank', 'capped', 20000)",
            "balance_limit_exceeded",
            "post_transfer('capped', 'bank', 20000)",
        ),
        (
            "wallets:u",
            "freeze_account('platform:revenue:unique_code', 'audit')",
            "account_frozen",
            "unfreeze_account('platform:revenue:unique_code')",
        ),
    ] {
        let created = call(&client, &format!("create_intent('topup', '{account}', 50000, '{BCA}')")).await;
        let had = balance(&client, account).await;
        call(&client, before).await;
        let changed = balance(&client, account).await - had;
        let outcome = match_line(&client, &credit(before, &created["total"])).await;
        assert_eq!(told(&outcome), format!("review posting_refused {token}"));
        assert_eq!(&outcome["intent_id"], "NULL");
        waiting += money(&created["total"]);
        assert_eq!(balance(&client, SUSPENSE).await, waiting);
        assert_eq!(balance(&client, account).await, had + changed);
        assert_eq!(&intent_now(&client, &created["id"]).await["status"], "open");
        let row = work_list(&client).await.pop().unwrap();
        let suggested = &row.json("suggestions")[0];
        assert_eq!(
            (&suggested["intent_id"], &suggested["reasons"]),
            (&json!(created["id"]), &json!(["exact_total"]))
        );
        // Once the reason is gone, a person says so, and the code's rupiah go their way as well.
        let by_hand = format!("match_mutation_by_hand('{}', '{}', 'lifted')", &row["id"], &created["id"]);
        assert_error(try_call(&client, &by_hand).await, token, "PT422");
        call(&client, after).await;
        call(&client, &by_hand).await;
        waiting -= money(&created["total"]);
        let expected = if account == "capped" { dec!(50000) } else { had + dec!(50000) };
        assert_eq!(balance(&client, account).await, expected, "{account}");
        assert_bank_sound(&client).await;
    }
}

/// In one call, an account that refuses one line does not hold up the others.
#[tokio::test]
async fn a_refusal_is_of_its_own_line() {
    let (_db, client) = bank_books("refused_line").await;
    let good = intent(&client, 50_000, "").await;
    let bad = call(&client, &format!("create_intent('topup', 'wallets:b', 60000, '{BCA}')")).await;
    call(&client, "freeze_account('wallets:b', 'checked')").await;
    let batch = [
        credit("1", "11.5"),
        credit("2", &bad["total"]),
        credit("3", &good["total"]),
        debit("4", "22"),
        credit("5", "33.5"),
    ];
    let answer = bank::deliver(&client, &batch).await;
    assert_eq!(
        answer.pick([
            "line_count",
            "matched_count",
            "suspense_count",
            "review_count",
            "ignored_count",
            "rejected_count"
        ]),
        ["5", "1", "2", "1", "1", "0"]
    );
    assert_eq!(balance(&client, "wallets:u").await, dec!(50000));
    assert_eq!(balance(&client, SUSPENSE).await, dec!(45) + money(&bad["total"]));
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_debit_is_stored_and_pays_nothing() {
    let (_db, client) = bank_books("debit").await;
    let line = intent(&client, 50_000, "").await;
    match_line(&client, &credit("in", "100000")).await;
    let outcome = match_line(&client, &debit("out", &line["total"])).await;
    assert_eq!(
        (told(&outcome).as_str(), &outcome["direction"], &outcome["intent_id"]),
        ("ignored", "debit", "NULL")
    );
    assert_eq!(&intent_now(&client, &line["id"]).await["status"], "open");
    assert_eq!(balance(&client, BCA).await, dec!(100000) - money(&line["total"]));
    assert_eq!(balance(&client, OUTGOING).await, -money(&line["total"]), "nobody has said what it was for");
    let moved = one(
        &client,
        &format!(
            "SELECT * FROM wallet_ledger.transfers WHERE transaction_id = '{}'",
            &outcome["transaction_id"]
        ),
    )
    .await;
    assert_eq!(moved.pick(["debit_account", "credit_account", "kind"]), [OUTGOING, BCA, "settlement"]);
    let row = mutation_now(&client, "out").await;
    assert_eq!(row.pick(["status", "direction", "intent_id", "reasons"]), ["ignored", "debit", "NULL", "{}"]);
    assert!(work_list(&client).await.iter().all(|row| &row["provider_mutation_id"] != "out"));
    assert_eq!(events(&client, &["mutation.unmatched", "intent.paid"]).await.len(), 1, "of the credit");
    // A bank account may be overdrawn: the bank says so, not the books.
    match_line(&client, &debit("out 2", "99999999")).await;
    assert_bank_sound(&client).await;
}

/// What is written in another form is the same line; what Moota calls the account decides where it is booked.
#[tokio::test]
async fn forms_and_accounts_of_a_line() {
    let (_db, client) = bank_books("forms").await;
    for (id, amount, stored) in [
        ("a", json!(12111), "12111"),
        ("b", json!("12111"), "12111"),
        ("c", json!("12111.00"), "12111"),
        ("d", json!(12111.5), "12111.5"),
        ("e", json!("12111.50"), "12111.5"),
    ] {
        let line = with(&credit(id, "0"), json!({"amount": amount, "description": id}));
        let outcome = match_line(&client, &line).await;
        assert_eq!(
            (told(&outcome).as_str(), money(&outcome["amount"])),
            ("suspense", money(stored)),
            "{line}"
        );
        assert_eq!(money(&mutation_now(&client, id).await["amount"]), money(stored));
    }
    for (id, fields, bank) in [
        ("1", json!({"bank_id": BRI_ID, "account_number": BRI_NUMBER}), BRI),
        ("2", json!({"bank_id": BRI_ID, "account_number": null}), BRI),
        ("3", json!({"bank_id": null, "account_number": BRI_NUMBER}), BRI),
        ("4", json!({"bank_id": null, "account_number": 2_000_000_002}), BRI),
        ("5", json!({"bank_id": null, "account_number": "2000-000 002"}), BRI),
        ("6", json!({"bank_id": BRI_ID, "account_number": BCA_NUMBER}), BRI),
        ("7", json!({"bank_id": "renamed", "account_number": BCA_NUMBER}), BCA),
        ("8", json!({"bank_id": null, "account_number": null, "bank": {"bank_id": BCA_ID}}), BCA),
        ("9", json!({"id": "nine", "mutation_id": null}), BCA),
        ("10", json!({"type": "credit"}), BCA),
    ] {
        let outcome = match_line(&client, &with(&credit(id, "5"), fields)).await;
        assert_eq!((told(&outcome).as_str(), &outcome["bank_account"]), ("suspense", bank), "{id}");
    }
    for body in ["[#]", "{\"mutations\": [#]}", "#"] {
        let line = with(&credit(body, "6"), json!({"description": body}));
        let sql = format!("match_mutation({})", quoted(&body.replace('#', &line.to_string())));
        assert_eq!(told(&call(&client, &sql).await), "suspense");
    }
    for fields in
        [json!({"bank_id": "x", "account_number": "1"}), json!({"bank_id": null, "account_number": null})]
    {
        let unknown = try_match_line(&client, &with(&credit("u", "5"), fields)).await;
        assert_error(unknown, "bank_account_not_found", "PT404");
    }
    assert_bank_sound(&client).await;
}

/// The bank's own account, or one that goes with it, can refuse as well: then nothing is taken in.
#[tokio::test]
async fn a_bank_account_that_refuses_takes_nothing_in() {
    let (_db, client) = bank_books("bank_refuses").await;
    let line = intent(&client, 50_000, "").await;
    for (account, refuses_credit, refuses_debit) in
        [(BCA, true, true), (SUSPENSE, false, false), (OUTGOING, false, true)]
    {
        call(&client, &format!("freeze_account('{account}', 'checked')")).await;
        let before = contents(&client).await;
        if refuses_credit {
            let refused = try_match_line(&client, &credit(account, &line["total"])).await;
            assert_error(refused, "account_frozen", "PT422");
        }
        if refuses_credit || account == SUSPENSE {
            assert_error(try_match_line(&client, &credit("x", "1")).await, "account_frozen", "PT422");
        }
        if refuses_debit {
            assert_error(try_match_line(&client, &debit("x", "1")).await, "account_frozen", "PT422");
        }
        assert_eq!(before, contents(&client).await);
        let batch = [credit(&format!("c {account}"), "5"), debit(&format!("d {account}"), "5")];
        let answer = bank::deliver(&client, &batch).await;
        let refused = usize::from(refuses_credit || account == SUSPENSE) + usize::from(refuses_debit);
        assert_eq!(&answer["rejected_count"], refused.to_string(), "{answer:?}");
        call(&client, &format!("unfreeze_account('{account}')")).await;
        let open = "SELECT count(*) FROM wallet_ledger.webhook_lines WHERE solved_at IS NULL";
        assert_eq!(value(&client, open).await, refused.to_string());
        let again = call(&client, &format!("reprocess_webhook('{}')", &answer["webhook_id"])).await;
        assert_eq!(&again["rejected_count"], "0", "{again:?}");
        assert_eq!(value(&client, open).await, "0");
        assert_bank_sound(&client).await;
    }
}
