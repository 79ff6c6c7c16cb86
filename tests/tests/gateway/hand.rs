//! Money that is taken back from where it went: from a wallet that has spent it, from suspense, and from
//! where people have put it.

use super::providers::*;
use wallet_ledger_tests::bank::{events, intent_now, one, with};
use wallet_ledger_tests::*;

#[tokio::test]
async fn what_the_user_has_spent_is_the_platforms_to_claim() {
    let (_db, client) = shop("chargeback").await;
    order(&client, "u", 100_000, "o-1").await;
    midtrans(&client, &settlement("o-1", 100_000)).await;
    call(&client, "post_transfer('wallets:u', 'shop', 65000)").await;
    call(&client, "hold_funds('wallets:u', 5000, 'shop')").await;
    // Of 50,000 the wallet has 30,000 that are not held.
    let first = midtrans(&client, &chargeback("o-1", 100_000, 50_000)).await;
    assert_eq!((reasons(&first), &first["amount"]), (vec!["chargeback"], &json!("50000.00")));
    assert_eq!(balances(&client, "wallets:u").await, ["5000.00", "5000.00", "0.00"].map(String::from));
    assert_eq!(posted(&client, SHORTFALL).await, "20000.00");
    assert_eq!(posted(&client, MIDTRANS).await, "50000.00");
    let told = events(&client, &["gateway.reversed", "gateway.shortfall"]).await;
    let payloads: Vec<Value> = told.iter().map(|event| event.json("payload")).collect();
    assert_eq!((&told[0]["topic"], &payloads[0]["covered"]), ("gateway.reversed", &json!("30000.00")));
    assert_eq!((&told[1]["topic"], &payloads[1]["shortfall"]), ("gateway.shortfall", &json!("20000.00")));
    assert_eq!(payloads[1]["shortfall_account"], SHORTFALL);
    // One transaction, and what it takes from the bank's account is the debit.
    let kinds = format!(
        "SELECT string_agg(kind || ' ' || amount, ', ' ORDER BY kind) FROM wallet_ledger.transfers
         WHERE transaction_id = '{}'",
        first["transaction_id"].as_str().unwrap()
    );
    assert_eq!(value(&client, &kinds).await, "chargeback 20000.00, reversal 30000.00");
    assert_all_sound(&client).await;
    // A frozen account covers nothing, though it has money again.
    call(&client, "post_transfer('bank', 'wallets:u', 90000)").await;
    call(&client, "freeze_account('wallets:u')").await;
    midtrans(&client, &chargeback("o-1", 100_000, 60_000)).await;
    assert_eq!(posted(&client, SHORTFALL).await, "30000.00");
    call(&client, "unfreeze_account('wallets:u')").await;
    midtrans(&client, &status("o-1", 100_000, "chargeback")).await;
    assert_eq!(posted(&client, SHORTFALL).await, "30000.00");
    assert_eq!(posted(&client, "wallets:u").await, "55000.00");
    assert_eq!(posted(&client, MIDTRANS).await, "0.00");
    assert_eq!(payment(&client, "pay-o-1").await.pick(["status", "net"]), ["reversed", "0.00"]);
    assert_all_sound(&client).await;
}

/// Whatever the account of the setting is: the bank's truth is in the books.
#[tokio::test]
async fn a_shortfall_account_that_refuses_stops_nothing() {
    let (_db, client) = shop("shortfall_refused").await;
    call(&client, "create_account('platform:reserve', 'liability', minimum_balance => 0)").await;
    let outgoing = format!("{MIDTRANS}:outgoing");
    for (number, account, pays) in [
        ("o-1", "platform:reserve", outgoing.as_str()),
        ("o-2", "banks:later", &outgoing),
        ("o-3", "expense:chargebacks", "expense:chargebacks"),
    ] {
        order(&client, "u", 50_000, number).await;
        midtrans(&client, &settlement(number, 50_000)).await;
        call(&client, "post_transfer('wallets:u', 'shop', 50000)").await;
        call(&client, &format!("set_setting('shortfall_account', '{account}')")).await;
        if account == "banks:later" {
            // A bank account only since: mutations alone move it.
            call(&client, "register_bank_account('banks:later', 'moota')").await;
        }
        midtrans(&client, &status(number, 50_000, "chargeback")).await;
        let told = events(&client, &["gateway.shortfall"]).await;
        assert_eq!(told.last().unwrap().json("payload")["shortfall_account"], pays, "{account}");
        assert_eq!(posted(&client, MIDTRANS).await, "0.00");
    }
    call(&client, "freeze_account('expense:chargebacks')").await;
    assert_eq!(posted(&client, &outgoing).await, "-100000.00");
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn money_that_waits_goes_back_from_suspense() {
    let (_db, client) = shop("from_suspense").await;
    let suspense = format!("{MIDTRANS}:suspense");
    order(&client, "u", 50_000, "o-1").await;
    let wrong = midtrans(&client, &settlement("o-1", 40_000)).await;
    assert_eq!((&wrong["outcome"], reasons(&wrong)), (&json!("review"), vec!["wrong_amount"]));
    let nobodys = midtrans(&client, &settlement("nobodys", 30_000)).await;
    assert_eq!(nobodys["outcome"], "suspense");
    assert_eq!(posted(&client, &suspense).await, "70000.00");
    assert_all_sound(&client).await;
    midtrans(&client, &refunds("o-1", 40_000, &[("a", 15_000)])).await;
    midtrans(&client, &status("nobodys", 30_000, "deny")).await;
    assert_eq!(posted(&client, &suspense).await, "25000.00");
    let gone = mutation_now(&client, nobodys["mutation_id"].as_str().unwrap()).await;
    assert_eq!(gone.pick(["status", "reasons"]), ["returned", "{reversed}"]);
    let less = mutation_now(&client, wrong["mutation_id"].as_str().unwrap()).await;
    assert_eq!(less.pick(["status", "reasons"]), ["review", "{wrong_amount,partly_reversed}"]);
    assert_all_sound(&client).await;
    // Nothing can be done any more with what is gone; what is left goes where a person says.
    for (action, id) in [("unmatch_mutation", &gone["id"]), ("mark_mutation_duplicate", &less["id"])] {
        let original = if action == "unmatch_mutation" { "" } else { &format!("'{}', ", &gone["id"]) };
        let refused = try_call(&client, &format!("{action}('{id}', {original}'by hand')")).await;
        assert_error(refused, "mutation_not_matchable", "PT422");
    }
    let intent = one(&client, "SELECT id FROM wallet_ledger.intents WHERE number = 'o-1'").await;
    let by_hand = format!("match_mutation_by_hand('{}', '{}', 'it is his')", &less["id"], &intent["id"]);
    call(&client, &by_hand).await;
    assert_eq!(posted(&client, "wallets:u").await, "25000.00");
    assert_eq!(posted(&client, &suspense).await, "0.00");
    assert_eq!(&intent_now(&client, &intent["id"]).await["paid_amount"], "25000.00");
    assert_all_sound(&client).await;
    // Another refund comes back through suspense, the way that the money went; then the rest waits again.
    midtrans(&client, &refunds("o-1", 40_000, &[("b", 5_000)])).await;
    assert_eq!(posted(&client, "wallets:u").await, "20000.00");
    assert_all_sound(&client).await;
    call(&client, &format!("unmatch_mutation('{}', 'not his')", &less["id"])).await;
    assert_eq!(posted(&client, &suspense).await, "20000.00");
    assert_eq!(&intent_now(&client, &intent["id"]).await["status"], "open");
    assert_all_sound(&client).await;
    call(&client, &format!("return_mutation('{}', 'back to the payer')", &less["id"])).await;
    assert_eq!(posted(&client, &format!("{MIDTRANS}:outgoing")).await, "20000.00");
    midtrans(&client, &status("o-1", 40_000, "refund")).await;
    for account in [MIDTRANS, &suspense, &format!("{MIDTRANS}:outgoing"), "wallets:u"] {
        assert_eq!(posted(&client, account).await, "0.00", "{account}");
    }
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn a_matched_payment_can_be_unmatched_after_a_refund() {
    let (_db, client) = shop("unmatch_refunded").await;
    let intent = order(&client, "u", 50_000, "o-1").await;
    let credit = midtrans(&client, &settlement("o-1", 50_000)).await;
    let debit = midtrans(&client, &refunds("o-1", 50_000, &[("a", 20_000)])).await;
    let id = credit["mutation_id"].as_str().unwrap();
    // The debit is nobody's to assign, or to call a repetition.
    for action in [
        format!("assign_mutation('{}', 'shop', 'x')", debit["mutation_id"].as_str().unwrap()),
        format!("mark_mutation_duplicate('{}', '{id}', 'x')", debit["mutation_id"].as_str().unwrap()),
    ] {
        assert_error(try_call(&client, &action).await, "mutation_not_matchable", "PT422");
    }
    call(&client, &format!("unmatch_mutation('{id}', 'not his')")).await;
    assert_eq!(posted(&client, "wallets:u").await, "0.00");
    assert_eq!(posted(&client, &format!("{MIDTRANS}:suspense")).await, "30000.00");
    assert_eq!(&intent_now(&client, &intent["id"]).await["status"], "open");
    assert_all_sound(&client).await;
    call(&client, &format!("assign_mutation('{id}', 'wallets:b', 'it is hers')")).await;
    assert_eq!(posted(&client, "wallets:b").await, "30500.00");
    midtrans(&client, &status("o-1", 50_000, "deny")).await;
    assert_eq!(posted(&client, "wallets:b").await, "500.00");
    assert_eq!(posted(&client, MIDTRANS).await, "0.00");
    assert_eq!(&mutation_now(&client, id).await["status"], "assigned");
    assert_all_sound(&client).await;
}

/// One payment that the gateway has reported under two ids; the refund comes for the one that is called a
/// repetition.
#[tokio::test]
async fn a_repetition_is_taken_back_from_its_original() {
    let (_db, client) = shop("repetition").await;
    order(&client, "u", 50_000, "o-1").await;
    let first = midtrans(&client, &settlement("o-1", 50_000)).await;
    let second = json!({ "transaction_id": "pay-again" });
    let second = midtrans(&client, &with(&settlement("o-1", 50_000), second)).await;
    assert_eq!((&second["outcome"], reasons(&second)), (&json!("review"), vec!["already_paid"]));
    let (first, second) = (first["mutation_id"].as_str().unwrap(), second["mutation_id"].as_str().unwrap());
    call(&client, &format!("mark_mutation_duplicate('{second}', '{first}', 'one payment')")).await;
    assert_eq!(posted(&client, MIDTRANS).await, "50000.00");
    assert_all_sound(&client).await;
    let refund = with(&refunds("o-1", 50_000, &[("a", 20_000)]), json!({ "transaction_id": "pay-again" }));
    midtrans(&client, &refund).await;
    assert_eq!(posted(&client, "wallets:u").await, "30000.00");
    assert_eq!(posted(&client, MIDTRANS).await, "30000.00");
    assert_eq!(payment(&client, "pay-again").await.pick(["status", "net"]), ["partly_reversed", "30000.00"]);
    assert_all_sound(&client).await;
    // It was a payment of its own after all: what was taken back meanwhile stays taken back, and is no more.
    call(&client, &format!("unmatch_mutation('{second}', 'they did pay twice')")).await;
    assert_eq!(posted(&client, MIDTRANS).await, "80000.00");
    assert_eq!(&mutation_now(&client, second).await["status"], "review");
    // Until somebody decides, the proof names it as a likely repetition.
    verify_clean(&client).await;
    let refund = with(
        &refunds("o-1", 50_000, &[("a", 20_000), ("b", 30_000)]),
        json!({ "transaction_id": "pay-again" }),
    );
    midtrans(&client, &refund).await;
    assert_eq!(payment(&client, "pay-again").await.pick(["status", "net"]), ["reversed", "0.00"]);
    assert_eq!(posted(&client, MIDTRANS).await, "50000.00");
    // It took what the repetition itself had; what is left of it goes where the first refund came from.
    call(&client, &format!("assign_mutation('{second}', 'wallets:u', 'the refund was of this one')")).await;
    assert_eq!(posted(&client, "wallets:u").await, "50000.00");
    assert_all_sound(&client).await;
}

/// An account whose money is spread over stripes gives back what all of them have together.
#[tokio::test]
async fn a_striped_account_gives_back_from_all_its_stripes() {
    let (db, client) = shop("striped").await;
    call(&client, "create_account('sales', 'liability', minimum_balance => 0, stripes => 4)").await;
    let place = format!("'{MIDTRANS}', method => 'gateway', number => ");
    // Each session has a stripe of its own to begin with.
    for number in 0..4 {
        let session = db.app().await;
        call(&session, &format!("create_intent('order', 'sales', 50000, {place}'o-{number}')")).await;
        call(&session, &midtrans_call(&settlement(&format!("o-{number}"), 50_000), false)).await;
        call(&session, "post_transfer('sales', 'shop', 20000)").await;
    }
    for (number, left) in [(0, "70000.00"), (1, "20000.00"), (2, "0.00")] {
        midtrans(&client, &status(&format!("o-{number}"), 50_000, "deny")).await;
        assert_eq!(posted(&client, "sales").await, left);
        assert_all_sound(&client).await;
    }
    assert_eq!(posted(&client, SHORTFALL).await, "30000.00");
    assert_eq!(posted(&client, MIDTRANS).await, "50000.00");
}
