//! Where the limit or the balance is no longer enough: rejected, or taken into an overdraft that has a bound.

use super::{ago, sync, sync_call, tea, told};
use futures::future::join_all;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::school::*;
use wallet_ledger_tests::*;

#[tokio::test]
async fn a_strict_till_rejects_and_later_entries_see_it() {
    let (db, client) = school("strict").await;
    let at = ago(&client, "5 min").await;
    top_up(&client, "m2", 12_000).await;
    let mut dear = tea(2, "m2", &at);
    dear["items"][0]["quantity"] = json!(3);
    let answers =
        sync(&client, "till-1", &[tea(1, "m2", &at), dear, tea(3, "m2", &at), tea(4, "m2", &at)]).await;
    assert_eq!(
        told(&answers),
        [
            ["1", "accepted", "NULL", "f"],
            ["2", "rejected", "insufficient_funds", "f"],
            ["3", "accepted", "NULL", "f"],
            ["4", "rejected", "insufficient_funds", "f"]
        ]
    );
    assert_ne!(&answers[1]["purchase_id"], "NULL");
    assert_eq!(events(&client, "purchase.refused").await, "2");
    assert_eq!(posted(&client, "wallets:m2").await, "2000.00");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn a_lenient_till_lends_up_to_its_bound() {
    let (db, client) = school("lenient").await;
    device(&client, "canteen", "till-1", "conflict_policy => 'accept', overdraft_limit => 8000").await;
    let at = ago(&client, "5 min").await;
    top_up(&client, "m2", 7_000).await;
    let batch: Vec<Value> = (1..=4).map(|n| tea(n, "m2", &at)).collect();
    let answers = sync(&client, "till-1", &batch).await;
    assert_eq!(
        told(&answers),
        [
            ["1", "accepted", "NULL", "f"],
            // 2,000 are there, 3,000 are lent.
            ["2", "overdraft", "insufficient_funds", "f"],
            // 8,000 are owed now, and no more is lent.
            ["3", "overdraft", "insufficient_funds", "f"],
            ["4", "rejected", "overdraft_exceeded", "f"]
        ]
    );
    assert_eq!(posted(&client, "wallets:m2").await, "0.00");
    assert_eq!(posted(&client, "overdrafts:m2").await, "8000.00");
    assert_eq!(posted(&client, "merchants:canteen").await, "15000.00");
    let lent = "SELECT overdraft_amount, is_overdraft FROM wallet_ledger.purchases ORDER BY sequence";
    let lent: Vec<[String; 2]> = lines(&client, lent)
        .await
        .iter()
        .map(|line| line.pick(["overdraft_amount", "is_overdraft"]).map(str::to_owned))
        .collect();
    assert_eq!(lent, [["0", "f"], ["3000.00", "t"], ["5000.00", "t"], ["0", "f"]]);
    let event = lines(
        &client,
        "SELECT payload FROM wallet_ledger.events WHERE topic = 'purchase.overdraft' ORDER BY id",
    )
    .await;
    let payload = event[1].json("payload");
    assert_eq!((&payload["overdraft"], &payload["owed"]), (&json!("5000.00"), &json!("8000.00")));
    assert_eq!(payload["error"]["error"], "insufficient_funds");
    // Repaid from the next top-up, as far as it reaches; then with what is needed.
    let nothing = call(&client, "repay_overdraft('m2')").await;
    assert_eq!(nothing.pick(["amount", "owed", "transaction_id"]), ["0.00", "8000.00", "NULL"]);
    top_up(&client, "m2", 6_000).await;
    let some = call(&client, "repay_overdraft('wallets:m2')").await;
    assert_eq!(
        some.pick(["member", "overdraft_account", "amount", "owed", "balance"]),
        ["m2", "overdrafts:m2", "6000.00", "2000.00", "0.00"]
    );
    top_up(&client, "m2", 6_000).await;
    let rest = call(&client, "repay_overdraft('m2')").await;
    assert_eq!(rest.pick(["amount", "owed", "balance"]), ["2000.00", "0.00", "4000.00"]);
    assert_eq!(call(&client, "repay_overdraft('m1')").await.pick(["amount", "owed"]), ["0.00", "0.00"]);
    assert_eq!(events(&client, "overdraft.repaid").await, "2");
    // The debt was the member's, not a purchase's: what was lent stays what it was, and no refund has paid it back.
    let sql = "SELECT string_agg(DISTINCT (overdraft_amount > 0) || ' ' || overdraft_returned_amount, ', ')
               FROM wallet_ledger.purchases WHERE member = 'm2' AND overdraft_amount > 0";
    assert_eq!(value(&client, sql).await, "true 0");
    assert_error(try_call(&client, "repay_overdraft('nobody')").await, "member_not_found", "PT404");
    assert_error(try_call(&client, "repay_overdraft(NULL)").await, "missing_argument", "PT400");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn a_refund_pays_the_debt_of_its_purchase_first() {
    let (db, client) = school("overdraft_refund").await;
    device(&client, "canteen", "till-1", "conflict_policy => 'accept', overdraft_limit => 100000").await;
    let at = ago(&client, "5 min").await;
    let mut entry = tea(1, "m2", &at);
    entry["items"] =
        json!([{"item": "nasi-goreng", "unit_price": 15000}, {"item": "es-teh", "unit_price": 5000}]);
    top_up(&client, "m2", 12_000).await;
    let id = sync(&client, "till-1", &[entry]).await[0]["purchase_id"].to_owned();
    assert_eq!(posted(&client, "overdrafts:m2").await, "8000.00");
    let first = call(&client, &format!("refund_purchase('{id}', amount => 6000)")).await;
    assert_eq!(first.pick(["to_overdraft", "balance"]), ["6000.00", "0.00"]);
    // A part is repaid in the meantime: only what is still owed goes there.
    top_up(&client, "m2", 1_500).await;
    call(&client, "repay_overdraft('m2')").await;
    let rest = call(&client, &format!("refund_purchase('{id}')")).await;
    assert_eq!(rest.pick(["amount", "to_overdraft", "balance"]), ["14000.00", "500.00", "13500.00"]);
    assert_eq!(posted(&client, "overdrafts:m2").await, "0.00");
    assert_eq!(posted(&client, "merchants:canteen").await, "0.00");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn the_bound_is_the_members_whatever_tills_there_are() {
    let (db, client) = school("bound").await;
    for till in ["till-1", "till-2"] {
        device(&client, "canteen", till, "conflict_policy => 'accept', overdraft_limit => 24999").await;
    }
    call(&client, "create_merchant('shop')").await;
    device(&client, "shop", "till-3", "conflict_policy => 'accept', overdraft_limit => 24999").await;
    let at = ago(&client, "5 min").await;
    let batch: Vec<Value> = (1..=4).map(|n| tea(n, "m2", &at)).collect();
    let sessions = join_all((0..3).map(|_| db.app())).await;
    let tills = ["till-1", "till-2", "till-3"];
    let answers =
        join_all(sessions.iter().zip(tills).map(|(session, till)| sync(session, till, &batch))).await;
    let count = |status: &str| answers.iter().flatten().filter(|line| &line["status"] == status).count();
    assert_eq!((count("overdraft"), count("rejected")), (4, 8));
    assert_eq!(posted(&client, "overdrafts:m2").await, "20000.00");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn somebodys_trigger_refuses_one_and_the_others_go_on() {
    let (db, client) = school("trigger").await;
    let owner = db.connect().await;
    execute(
        &owner,
        "CREATE FUNCTION public.no_thirteen() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = 'P0001'; END $$;
         CREATE TRIGGER no_thirteen BEFORE INSERT ON wallet_data.transfers FOR EACH ROW
             WHEN (NEW.amount = 13000) EXECUTE FUNCTION public.no_thirteen();",
    )
    .await;
    let at = ago(&client, "5 min").await;
    let mut unlucky = tea(2, "m1", &at);
    unlucky["items"][0]["unit_price"] = json!(13000);
    let answers = sync(&client, "till-1", &[tea(1, "m1", &at), unlucky.clone(), tea(3, "m1", &at)]).await;
    assert_eq!(
        told(&answers),
        [["1", "accepted", "NULL", "f"], ["2", "rejected", "P0001", "f"], ["3", "accepted", "NULL", "f"]]
    );
    assert_ne!(&answers[1]["purchase_id"], "NULL");
    // Not even the refusal can be written: what was sent is kept.
    execute(
        &owner,
        "CREATE TRIGGER no_thirteen BEFORE INSERT ON wallet_data.purchases FOR EACH ROW
             WHEN (NEW.amount = 13000) EXECUTE FUNCTION public.no_thirteen();",
    )
    .await;
    unlucky["sequence"] = json!(4);
    let answers = sync(&client, "till-1", &[unlucky.clone(), tea(5, "m1", &at)]).await;
    assert_eq!(told(&answers), [["4", "rejected", "P0001", "f"], ["5", "accepted", "NULL", "f"]]);
    assert_eq!(&answers[0]["purchase_id"], "NULL");
    let kept = lines(&client, "SELECT entry FROM wallet_ledger.device_entries WHERE sequence = 4").await;
    assert_eq!(kept[0].json("entry"), unlucky);
    assert_eq!(posted(&client, "wallets:m1").await, "85000.00");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn frozen_wallets_and_inactive_members_are_rejected_by_every_till() {
    let (db, client) = school("frozen").await;
    device(&client, "canteen", "till-2", "conflict_policy => 'accept', overdraft_limit => 100000").await;
    let at = ago(&client, "5 min").await;
    call(&client, "freeze_account('wallets:m1')").await;
    set_active(&client, "member", "m2", false).await;
    for till in ["till-1", "till-2"] {
        let answers = sync(&client, till, &[tea(1, "m1", &at), tea(2, "m2", &at)]).await;
        assert_eq!(
            told(&answers),
            [["1", "rejected", "account_frozen", "f"], ["2", "rejected", "party_inactive", "f"]]
        );
    }
    assert_eq!(events(&client, "purchase.refused").await, "4");
    assert_purchases_sound(&db).await;
}

/// A constraint of somebody's own table is a refusal like any other, and no sign that the books are wrong.
#[tokio::test]
async fn somebodys_constraint_refuses_one_and_the_others_go_on() {
    let (db, client) = school("constraint").await;
    execute(
        &db.connect().await,
        "CREATE TABLE public.loyalty (amount numeric CONSTRAINT one_stamp_each UNIQUE);
         GRANT INSERT ON public.loyalty TO wallet_owner, wallet_app;
         CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO public.loyalty VALUES (NEW.amount); RETURN NEW; END $$;
         CREATE TRIGGER stamp AFTER INSERT ON wallet_data.transfers FOR EACH ROW
             WHEN (NEW.amount = 13000) EXECUTE FUNCTION public.stamp();
         -- A table that is called as one of ours.
         CREATE TABLE public.members (points numeric CHECK (points < 100));
         GRANT INSERT ON public.members TO wallet_owner, wallet_app;
         CREATE FUNCTION public.reward() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO public.members VALUES (NEW.amount); RETURN NEW; END $$;
         CREATE TRIGGER reward AFTER INSERT ON wallet_data.transfers FOR EACH ROW
             WHEN (NEW.amount = 14000) EXECUTE FUNCTION public.reward();",
    )
    .await;
    let at = ago(&client, "5 min").await;
    let sold = |sequence: i64, price: i64| {
        let mut entry = tea(sequence, "m1", &at);
        entry["items"][0]["unit_price"] = json!(price);
        entry
    };
    let batch = [sold(1, 13000), sold(2, 13000), tea(3, "m1", &at), sold(4, 14000), tea(5, "m1", &at)];
    let answers = sync(&client, "till-1", &batch).await;
    assert_eq!(
        told(&answers),
        [
            ["1", "accepted", "NULL", "f"],
            ["2", "rejected", "23505", "f"],
            ["3", "accepted", "NULL", "f"],
            ["4", "rejected", "23514", "f"],
            ["5", "accepted", "NULL", "f"]
        ]
    );
    let again = try_call(&client, "post_transfer('wallets:m1', 'merchants:canteen', 13000, 'payment')").await;
    let error = again.expect_err("there is such a stamp");
    assert_eq!(error.code().map(|code| code.code()), Some("23505"));
    assert_purchases_sound(&db).await;
}

/// The refund of a purchase into an overdraft needs three accounts: locked in two steps, it and a sale would wait for
/// each other.
#[tokio::test]
async fn a_refund_of_an_overdraft_locks_in_the_one_order() {
    let (db, client) = school("overdraft_order").await;
    device(&client, "canteen", "till-1", "conflict_policy => 'accept', overdraft_limit => 100000").await;
    let at = ago(&client, "5 min").await;
    let id = sync(&client, "till-1", &[tea(1, "m2", &at)]).await[0]["purchase_id"].to_owned();
    top_up(&client, "m2", 20_000).await;
    let [selling, refunding] = [db.app().await, db.app().await];
    execute(&selling, "BEGIN").await;
    call(&selling, "post_transfer('bank', 'merchants:canteen', 1, 'adjustment')").await;
    let process = backend(&refunding).await;
    let sale = async {
        until_blocked(&client, &process).await;
        call(&selling, "post_transfer('wallets:m2', 'merchants:canteen', 5000, 'payment')").await;
        execute(&selling, "COMMIT").await;
    };
    let refund = format!("refund_purchase('{id}')");
    let (refunded, ()) = tokio::join!(call(&refunding, &refund), sale);
    assert_eq!(refunded.pick(["amount", "to_overdraft"]), ["5000.00", "5000.00"]);
    assert_purchases_sound(&db).await;
}

/// The first overdraft makes the account of what is owed: who waited for the wallet meanwhile has not locked it, and
/// must not come to it after the wallet, for somebody else may have taken it first.
#[tokio::test]
async fn an_account_made_while_a_till_waited_is_locked_in_the_one_order() {
    let (db, client) = school("overdraft_made").await;
    member(&client, "m3", 100_000).await;
    call(&client, "create_merchant('shop')").await;
    for (merchant, till) in [("canteen", "till-1"), ("canteen", "till-2"), ("shop", "till-3")] {
        device(&client, merchant, till, "conflict_policy => 'accept', overdraft_limit => 100000").await;
    }
    let at = ago(&client, "5 min").await;
    let (first, second, third, slow) = (db.app().await, db.app().await, db.app().await, db.connect().await);
    let waiting = [backend(&second).await, backend(&third).await];
    // till-1 makes the account while till-2 waits for the canteen's; then somebody holds till-2 up at another wallet.
    execute(&first, "BEGIN").await;
    sync(&first, "till-1", &[tea(1, "m2", &at)]).await;
    execute(&slow, "BEGIN; SELECT FROM wallet_data.accounts WHERE address = 'wallets:m3' FOR UPDATE").await;
    let both = [tea(1, "m2", &at), tea(2, "m3", &at)];
    let order = async {
        until_blocked(&client, &waiting[0]).await;
        execute(&first, "COMMIT").await;
        // It has m2's wallet now and waits for m3's; till-3 has the new account and waits for m2's wallet.
        let holder = format!("SELECT pg_blocking_pids({})::text", waiting[0]);
        until(&client, &holder, &format!("{{{}}}", backend(&slow).await)).await;
        let one = [tea(1, "m2", &at)];
        let till = sync(&third, "till-3", &one);
        let release = async {
            until_blocked(&client, &waiting[1]).await;
            execute(&slow, "COMMIT").await;
        };
        tokio::join!(till, release).0
    };
    let (second, third) = tokio::join!(sync(&second, "till-2", &both), order);
    assert_eq!(
        told(&second),
        [["1", "overdraft", "insufficient_funds", "f"], ["2", "accepted", "NULL", "f"]]
    );
    assert_eq!(told(&third), [["1", "overdraft", "insufficient_funds", "f"]]);
    assert_eq!(posted(&client, "overdrafts:m2").await, "15000.00");
    assert_purchases_sound(&db).await;
}

/// Who repays waits for the till that lends at the same moment, and is told what is owed after it.
#[tokio::test]
async fn a_repayment_sees_the_first_overdraft_that_it_waited_for() {
    let (db, client) = school("overdraft_first").await;
    device(&client, "canteen", "till-1", "conflict_policy => 'accept', overdraft_limit => 100000").await;
    let at = ago(&client, "5 min").await;
    let [till, repaying] = [db.app().await, db.app().await];
    let waiting = backend(&repaying).await;
    execute(&till, "BEGIN").await;
    sync(&till, "till-1", &[tea(1, "m2", &at)]).await;
    top_up(&till, "m2", 2_000).await;
    let release = async {
        until_blocked(&client, &waiting).await;
        execute(&till, "COMMIT").await;
    };
    let (repaid, ()) = tokio::join!(call(&repaying, "repay_overdraft('m2')"), release);
    assert_eq!(repaid.pick(["amount", "owed", "balance"]), ["2000.00", "3000.00", "0.00"]);
    assert_eq!(posted(&client, "overdrafts:m2").await, "3000.00");
    assert_purchases_sound(&db).await;
}

/// Once a merchant has been put to rest, none of its tills sells any more: neither one that waited meanwhile, nor one
/// that was in the middle of it, for which the merchant waits.
#[tokio::test]
async fn a_till_that_waited_while_its_merchant_was_put_to_rest_is_refused() {
    let (db, client) = school("rest").await;
    let at = ago(&client, "5 min").await;
    let [till, office] = [db.app().await, db.app().await];
    let slow = db.connect().await;
    let waiting = [backend(&till).await, backend(&office).await];
    let first = sync_call("till-1", &[tea(1, "m1", &at)]);
    execute(&slow, "BEGIN; SELECT FROM wallet_data.devices FOR NO KEY UPDATE").await;
    let rest = async {
        until_blocked(&client, &waiting[0]).await;
        let release = async {
            // It waits for nobody, or for the till that waits.
            let done = "SELECT state_id <> 1 FROM wallet_data.merchants";
            let blocked = format!("SELECT FROM pg_locks WHERE pid = {} AND NOT granted", waiting[1]);
            until(&client, &format!("SELECT ({done}) OR EXISTS ({blocked})"), "t").await;
            execute(&slow, "COMMIT").await;
        };
        tokio::join!(set_active(&office, "merchant", "canteen", false), release);
    };
    let (answer, ()) = tokio::join!(try_calls(&till, &first), rest);
    assert_error(answer, "party_inactive", "PT422");
    set_active(&client, "merchant", "canteen", true).await;
    execute(&till, "BEGIN").await;
    sync(&till, "till-1", &[tea(1, "m1", &at)]).await;
    let release = async {
        until_blocked(&client, &waiting[1]).await;
        execute(&till, "COMMIT").await;
    };
    tokio::join!(set_active(&office, "merchant", "canteen", false), release);
    assert_eq!(posted(&client, "merchants:canteen").await, "5000.00");
    assert_purchases_sound(&db).await;
}

/// How long a till may have been offline is what is set when its entries are decided, also where it waited meanwhile.
#[tokio::test]
async fn a_till_that_waited_is_judged_by_the_settings_of_the_moment() {
    let (db, client) = school("settings").await;
    let at = ago(&client, "5 min").await;
    let (slow, till) = (db.connect().await, db.app().await);
    let waiting = backend(&till).await;
    execute(&slow, "BEGIN; SELECT FROM wallet_data.devices FOR NO KEY UPDATE").await;
    let release = async {
        until_blocked(&client, &waiting).await;
        call(&client, "set_setting('till_offline_max', '1 minute')").await;
        execute(&slow, "COMMIT").await;
    };
    let batch = [tea(1, "m1", &at)];
    let (answers, ()) = tokio::join!(sync(&till, "till-1", &batch), release);
    assert_eq!(told(&answers), [["1", "rejected", "entry_too_old", "f"]]);
    assert_purchases_sound(&db).await;
}

/// Where many sell, a merchant's account is there in stripes before the merchant is; everything works as ever.
#[tokio::test]
async fn a_merchant_in_stripes_sells_lends_and_refunds() {
    let (db, client) = school("hall").await;
    call(
        &client,
        "create_account('merchants:hall', 'liability', minimum_balance => 0, stripes => 4, owner => 'hall')",
    )
    .await;
    for _ in 0..2 {
        assert_eq!(&call(&client, "create_merchant('hall')").await["account"], "merchants:hall");
    }
    // A wallet is one row: its limits and its debt count under one lock.
    call(
        &client,
        "create_account('wallets:m9', 'liability', minimum_balance => 0, stripes => 4, owner => 'm9')",
    )
    .await;
    let error = assert_error(try_call(&client, "create_member('m9')").await, "already_exists", "PT409");
    assert_eq!(error.detail["field"], "stripes");
    let tills: Vec<String> = (1..=6).map(|till| format!("hall-{till}")).collect();
    for till in &tills {
        device(&client, "hall", till, "conflict_policy => 'accept', overdraft_limit => 100000").await;
    }
    let at = ago(&client, "5 min").await;
    let batch: Vec<Value> = (1..=4).map(|n| tea(n, if n % 2 == 0 { "m1" } else { "m2" }, &at)).collect();
    let sessions = join_all(tills.iter().map(|_| db.app())).await;
    let answers =
        join_all(sessions.iter().zip(&tills).map(|(session, till)| sync(session, till, &batch))).await;
    assert_eq!(posted(&client, "merchants:hall").await, "120000.00");
    assert_eq!(posted(&client, "overdrafts:m2").await, "60000.00");
    let refunds = sessions.iter().zip(&answers).map(async |(session, answers)| {
        for answer in answers {
            call(session, &format!("refund_purchase('{}')", &answer["purchase_id"])).await;
        }
    });
    join_all(refunds).await;
    for account in ["merchants:hall", "overdrafts:m2", "wallets:m2"] {
        assert_eq!(posted(&client, account).await, "0.00", "{account}");
    }
    assert_eq!(posted(&client, "wallets:m1").await, "100000.00");
    assert_purchases_sound(&db).await;
}
