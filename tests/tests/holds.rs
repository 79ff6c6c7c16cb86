//! Proves the life of a hold: it takes from the available balance and from nothing else, is resolved once,
//! is captured in full or in part and never above, counts as released from the moment it expires whether
//! or not a job has run, and goes where it was meant to go.

use futures::future::join_all;
use wallet_ledger_tests::*;

/// A hold that expires as soon as the caller has looked at it, and is waited for.
async fn expired(client: &Client, amount: u32) -> String {
    let sql =
        format!("hold_funds('wallets:a', {amount}, 'shop', clock_timestamp() + interval '500 milliseconds')");
    let hold = call(client, &sql).await;
    assert_eq!(&hold["status"], "open");
    assert_eq!(balances(client, "wallets:a").await[1], format!("{amount}.00"));
    until(client, &format!("SELECT now() > '{}'", &hold["expires_at"]), "t").await;
    hold["id"].to_owned()
}

async fn status(client: &Client, id: &str) -> String {
    value(client, &format!("SELECT status FROM wallet_ledger.holds WHERE id = '{id}'")).await
}

#[tokio::test]
async fn a_hold_takes_from_the_available_balance_only() {
    let (_db, client) = books("reserve").await;
    let hold =
        call(&client, "hold_funds('wallets:a', 400, 'shop', kind => 'payout', reference => 'wd-1')").await;
    assert_eq!(
        hold.pick(["account", "destination", "amount", "captured_amount", "status", "kind", "reference"]),
        ["wallets:a", "shop", "400.00", "0.00", "open", "payout", "wd-1"]
    );
    assert_eq!(hold.pick(["held", "available", "expires_at"]), ["400.00", "600.00", "infinity"]);
    assert_eq!(balances(&client, "wallets:a").await, ["1000.00", "400.00", "600.00"].map(String::from));
    let version = "SELECT version FROM wallet_ledger.accounts WHERE account = 'wallets:a'";
    assert_eq!(value(&client, version).await, "1", "no money moved, no version used");
    let refused = try_call(&client, "hold_funds('wallets:a', 600.01)").await;
    assert_eq!(assert_error(refused, "insufficient_funds", "PT402").detail["available"], "600.00");
    call(&client, "hold_funds('wallets:a', 600)").await;
    assert_eq!(balances(&client, "wallets:a").await[2], "0.00");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_partial_capture_releases_the_rest() {
    let (_db, client) = books("partial").await;
    let hold =
        call(&client, "hold_funds('wallets:a', 400, 'shop', kind => 'payment', reference => 'r')").await;
    let id = &hold["id"];
    for above in ["400.01", "1000"] {
        let refused = try_call(&client, &format!("capture_hold('{id}', {above})")).await;
        let error = assert_error(refused, "capture_exceeds_hold", "PT422");
        assert_eq!(error.detail["held"], "400.00");
    }
    let taken = call(&client, &format!("capture_hold('{id}', 150)")).await;
    assert_eq!(
        taken.pick(["debit_account", "credit_account", "amount", "kind", "reference", "debit_balance"]),
        ["wallets:a", "shop", "150.00", "payment", "r", "850.00"]
    );
    assert_eq!(balances(&client, "wallets:a").await, ["850.00", "0.00", "850.00"].map(String::from));
    let row = lines(&client, &format!("SELECT * FROM wallet_ledger.holds WHERE id = '{id}'")).await.remove(0);
    assert_eq!(row.pick(["status", "captured_amount"]), ["captured", "150.00"]);
    assert_eq!(row["transfer_id"], taken["id"]);
    for again in [format!("capture_hold('{id}')"), format!("release_hold('{id}')")] {
        let error = assert_error(try_call(&client, &again).await, "already_resolved", "PT409");
        assert_eq!(error.detail["status"], "captured");
    }
    let topics = "SELECT string_agg(topic, ' ' ORDER BY id) FROM wallet_ledger.events";
    assert_eq!(value(&client, topics).await, "hold.created hold.captured");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_released_hold_gives_back_and_stays_released() {
    let (_db, client) = books("release").await;
    let id = call(&client, "hold_funds('wallets:a', 400, 'shop')").await["id"].to_owned();
    let released = call(&client, &format!("release_hold('{id}', 'out of stock')")).await;
    assert_eq!(released.pick(["status", "held", "available"]), ["released", "0.00", "1000.00"]);
    for again in [format!("capture_hold('{id}')"), format!("release_hold('{id}')")] {
        let error = assert_error(try_call(&client, &again).await, "already_resolved", "PT409");
        assert_eq!(error.detail["status"], "released");
    }
    let reason = "SELECT payload->>'reason' FROM wallet_ledger.events WHERE topic = 'hold.released'";
    assert_eq!(value(&client, reason).await, "out of stock");
    for name in ["capture_hold", "release_hold"] {
        let unknown = try_call(&client, &format!("{name}('00000000-0000-7000-8000-000000000000')")).await;
        assert_error(unknown, "hold_not_found", "PT404");
    }
}

#[tokio::test]
async fn an_expired_hold_counts_as_released_without_any_job() {
    let (_db, client) = books("expired").await;
    let id = expired(&client, 900).await;
    // Everything that reads says so, and nothing has been written yet.
    assert_eq!(value(&client, "SELECT state_id FROM wallet_data.holds").await, "1");
    assert_eq!(balances(&client, "wallets:a").await, ["1000.00", "0.00", "1000.00"].map(String::from));
    assert_eq!(status(&client, &id).await, "expired");
    let account = call(&client, "open_wallet('a')").await;
    assert_eq!(account.pick(["held", "available"]), ["0.00", "1000.00"]);
    let read = call(&client, "balance('wallets:a')").await;
    assert_eq!(read.pick(["posted", "held", "available"]), ["1000.00", "0.00", "1000.00"]);
    // Nothing can be done with it any more.
    assert_error(try_call(&client, &format!("capture_hold('{id}')")).await, "hold_expired", "PT422");
    let error =
        assert_error(try_call(&client, &format!("release_hold('{id}')")).await, "already_resolved", "PT409");
    assert_eq!(error.detail["status"], "expired");
    // The next posting spends it, and writes down on the way that it expired.
    let preview = call(&client, "preview_transfer('wallets:a', 'shop', 1000)").await;
    let spent = call(&client, "post_transfer('wallets:a', 'shop', 1000)").await;
    assert_eq!((&preview["debit_balance"], &spent["debit_balance"]), ("0.00", "0.00"));
    let written = "SELECT state_id || ' ' || (resolved_at >= expires_at) FROM wallet_data.holds";
    assert_eq!(value(&client, written).await, "4 true");
    let events = "SELECT count(*) FROM wallet_ledger.events WHERE topic = 'hold.expired'";
    assert_eq!(value(&client, events).await, "1");
    assert_error(try_call(&client, &format!("capture_hold('{id}')")).await, "hold_expired", "PT422");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_hold_or_a_closing_can_follow_an_expired_hold_as_well() {
    let (_db, client) = books("after_expiry").await;
    expired(&client, 1000).await;
    let hold = call(&client, "hold_funds('wallets:a', 700)").await;
    assert_eq!(hold.pick(["held", "available"]), ["700.00", "300.00"]);
    call(&client, &format!("release_hold('{}')", &hold["id"])).await;
    call(&client, "post_transfer('wallets:a', 'shop', 10)").await;
    call(&client, "post_transfer('shop', 'wallets:a', 10)").await;
    expired(&client, 999).await;
    call(&client, "post_transfer('wallets:a', 'shop', 1000)").await;
    call(&client, "close_account('wallets:a')").await;
    verify_clean(&client).await;
}

#[tokio::test]
async fn expire_holds_is_bounded_idempotent_and_skips_who_is_busy() {
    let (db, client) = books("job").await;
    for owner in 0..6 {
        call(&client, &format!("open_wallet('w{owner}')")).await;
        call(&client, &format!("post_transfer('bank', 'wallets:w{owner}', 100)")).await;
        let soon = "clock_timestamp() + interval '100 milliseconds'";
        call(&client, &format!("hold_funds('wallets:w{owner}', 10, expires_at => {soon})")).await;
    }
    call(&client, "hold_funds('wallets:a', 1)").await;
    call(&client, "hold_funds('wallets:a', 1, expires_at => now() + interval '1 day')").await;
    let due = "SELECT count(*) FROM wallet_ledger.holds WHERE status = 'expired'";
    until(&client, due, "6").await;
    let busy = db.app().await;
    db::execute(&busy, "BEGIN").await;
    call(&busy, "post_transfer('bank', 'wallets:w5', 1)").await;
    let pending = "SELECT count(*) FROM wallet_data.holds WHERE state_id = 1";
    let expire = |count: i32| format!("expire_holds({count})");
    assert_eq!(&call(&client, &expire(2)).await["expire_holds"], "2");
    assert_eq!(value(&client, pending).await, "6");
    assert_eq!(&call(&client, &expire(1000)).await["expire_holds"], "3");
    assert_eq!(&call(&client, &expire(1000)).await["expire_holds"], "0");
    db::execute(&busy, "COMMIT").await;
    assert_eq!(&call(&client, &expire(1000)).await["expire_holds"], "0", "the posting took w5's hold along");
    assert_eq!(value(&client, pending).await, "2", "what is not due stays");
    for wrong in ["0", "-1", "10001"] {
        assert_error(try_call(&client, &format!("expire_holds({wrong})")).await, "invalid_argument", "PT400");
    }
    let events = "SELECT count(*) FROM wallet_ledger.events WHERE topic = 'hold.expired'";
    assert_eq!(value(&client, events).await, "6");
    verify_clean(&client).await;
}

/// Capture, release and expiry race for one hold: exactly one of them has it.
#[tokio::test]
async fn a_hold_is_resolved_once_however_many_try() {
    let (db, client) = books("resolve_once").await;
    let sessions = join_all((0..12).map(|_| db.app())).await;
    for _ in 0..8 {
        let hold = call(&client, "hold_funds('wallets:a', 50, 'shop')").await;
        let id = &hold["id"];
        let tries = sessions.iter().enumerate().map(|(index, client)| async move {
            let name = if index % 2 == 0 { "capture_hold" } else { "release_hold" };
            try_call(client, &format!("{name}('{id}')")).await
        });
        let outcomes = join_all(tries).await;
        let mut won = 0;
        for outcome in outcomes {
            match outcome {
                Ok(_) => won += 1,
                refused => {
                    assert_error(refused, "already_resolved", "PT409");
                }
            }
        }
        assert_eq!(won, 1);
    }
    verify_clean(&client).await;
}

#[tokio::test]
async fn the_destination_is_named_once_and_must_be_payable() {
    let (_db, client) = books("destination").await;
    let fixed = call(&client, "hold_funds('wallets:a', 10, 'shop')").await["id"].to_owned();
    let open = call(&client, "hold_funds('wallets:a', 10)").await["id"].to_owned();
    let elsewhere = try_call(&client, &format!("capture_hold('{fixed}', destination => 'wallets:b')")).await;
    assert_eq!(assert_error(elsewhere, "destination_required", "PT422").detail["destination"], "shop");
    let nowhere = try_call(&client, &format!("capture_hold('{open}')")).await;
    assert_error(nowhere, "destination_required", "PT422");
    for (destination, token, state) in [
        ("wallets:nobody", "account_not_found", "PT404"),
        ("not an address", "invalid_address", "PT400"),
        ("wallets:a", "same_account", "PT400"),
        ("dollars", "currency_mismatch", "PT422"),
    ] {
        if destination == "dollars" {
            call(&client, "create_account('dollars', 'liability', 'USD')").await;
        }
        let hold = try_call(&client, &format!("hold_funds('wallets:a', 10, '{destination}')")).await;
        assert_error(hold, token, state);
        let capture =
            try_call(&client, &format!("capture_hold('{open}', destination => '{destination}')")).await;
        assert_error(capture, token, state);
    }
    call(&client, &format!("capture_hold('{fixed}', destination => 'shop')")).await;
    let taken = call(&client, &format!("capture_hold('{open}', destination => 'wallets:b')")).await;
    assert_eq!(&taken["credit_account"], "wallets:b");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_hold_on_an_asset_moves_its_money_out_on_the_other_side() {
    let (_db, client) = books("asset").await;
    call(&client, "create_account('till', 'asset', minimum_balance => 0)").await;
    call(&client, "post_transfer('till', 'shop', 100)").await;
    let hold = call(&client, "hold_funds('till', 60, 'bank')").await;
    assert_eq!(hold.pick(["held", "available"]), ["60.00", "40.00"]);
    assert_error(
        try_call(&client, "post_transfer('shop', 'till', 40.01)").await,
        "insufficient_funds",
        "PT402",
    );
    let taken = call(&client, &format!("capture_hold('{}', 25)", &hold["id"])).await;
    assert_eq!(taken.pick(["debit_account", "credit_account", "credit_balance"]), ["bank", "till", "75.00"]);
    assert_eq!(balances(&client, "till").await, ["75.00", "0.00", "75.00"].map(String::from));
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_freeze_stops_captures_and_lets_releases_through() {
    let (_db, client) = books("freeze").await;
    let hold = |amount: u32| format!("hold_funds('wallets:a', {amount}, 'shop')");
    let first = call(&client, &hold(10)).await["id"].to_owned();
    let second = call(&client, &hold(20)).await["id"].to_owned();
    call(&client, "freeze_account('wallets:a')").await;
    assert_error(try_call(&client, &format!("capture_hold('{first}')")).await, "account_frozen", "PT422");
    assert_error(try_call(&client, &hold(1)).await, "account_frozen", "PT422");
    call(&client, &format!("release_hold('{second}')")).await;
    call(&client, "unfreeze_account('wallets:a')").await;
    call(&client, "freeze_account('shop')").await;
    assert_error(try_call(&client, &format!("capture_hold('{first}')")).await, "account_frozen", "PT422");
    call(&client, "unfreeze_account('shop')").await;
    call(&client, &format!("capture_hold('{first}')")).await;
    verify_clean(&client).await;
}

#[tokio::test]
async fn an_account_with_an_open_hold_does_not_close() {
    let (_db, client) = books("close").await;
    call(&client, "create_account('overdrawn', 'liability')").await;
    let hold = call(&client, "hold_funds('overdrawn', 5, 'shop')").await["id"].to_owned();
    let error =
        assert_error(try_call(&client, "close_account('overdrawn')").await, "account_not_empty", "PT409");
    assert_eq!((&error.detail["posted"], &error.detail["held"]), (&json!("0.00"), &json!("5.00")));
    call(&client, &format!("release_hold('{hold}')")).await;
    call(&client, "close_account('overdrawn')").await;
}

/// A replay tells what was, however the hold has gone on since.
#[tokio::test]
async fn a_replayed_hold_shows_its_first_result() {
    let (_db, client) = books("hold_replay").await;
    let sql = "hold_funds('wallets:a', 100, 'shop', idempotency_key => 'k')";
    let first = call(&client, sql).await;
    call(&client, &format!("capture_hold('{}', 30)", &first["id"])).await;
    let again = call(&client, sql).await;
    assert_eq!(again.without(&["replayed"]), first.without(&["replayed"]));
    assert_eq!(again.pick(["status", "held", "available", "replayed"]), ["open", "100.00", "900.00", "t"]);
}

#[tokio::test]
async fn a_hold_sits_on_a_stripe_that_has_it() {
    let (_db, client) = books("striped").await;
    call(&client, "create_account('float', 'liability', minimum_balance => 0, stripes => 4)").await;
    call(&client, "post_transfer('bank', 'float', 100)").await;
    let hold = call(&client, "hold_funds('float', 60, 'shop')").await;
    assert_eq!(balances(&client, "float").await, ["100.00", "60.00", "40.00"].map(String::from));
    assert_error(
        try_call(&client, "post_transfer('float', 'shop', 40.01)").await,
        "insufficient_funds",
        "PT402",
    );
    // What no money would mend is said first, whichever stripes have how much.
    call(&client, "create_account('dollars', 'liability', 'USD')").await;
    for (destination, token, sqlstate) in
        [("dollars", "currency_mismatch", "PT422"), ("nobody", "account_not_found", "PT404")]
    {
        let sql = format!("hold_funds('float', 41, '{destination}')");
        assert_error(try_call(&client, &sql).await, token, sqlstate);
    }
    assert_error(try_call(&client, "hold_funds('float', 41, 'shop')").await, "insufficient_funds", "PT402");
    call(&client, &format!("capture_hold('{}', 50)", &hold["id"])).await;
    assert_eq!(balances(&client, "float").await, ["50.00", "0.00", "50.00"].map(String::from));
    let other = call(&client, "hold_funds('float', 50, 'shop')").await;
    call(&client, &format!("release_hold('{}')", &other["id"])).await;
    // Into a striped destination, and between two.
    call(&client, "create_account('pool', 'liability', stripes => 4)").await;
    let hold = call(&client, "hold_funds('float', 20, 'pool')").await;
    call(&client, &format!("capture_hold('{}')", &hold["id"])).await;
    assert_eq!(balances(&client, "pool").await[0], "20.00");
    verify_clean(&client).await;
}

/// Holds that expired on other stripes of the destination are written down together with the balances
/// that they give back, although only one of its stripes takes the money.
#[tokio::test]
async fn a_capture_between_striped_accounts_keeps_expired_holds_in_step() {
    let (db, client) = books("striped_expiry").await;
    for account in ["float", "pool"] {
        let sql = format!("create_account('{account}', 'liability', minimum_balance => 0, stripes => 4)");
        call(&client, &sql).await;
    }
    call(&client, "create_account('vault', 'asset', stripes => 16)").await;
    call(&client, "post_transfer('bank', 'float', 5000)").await;
    let hold = call(&client, "hold_funds('float', 5000, 'pool')").await;
    let sessions = join_all((0..4).map(|_| db.app())).await;
    for session in &sessions {
        db::execute(session, "BEGIN").await;
        call(session, "post_transfer('vault', 'pool', 100)").await;
    }
    for session in &sessions {
        db::execute(session, "COMMIT").await;
    }
    for _ in 0..4 {
        let soon = "clock_timestamp() + interval '500 milliseconds'";
        call(&client, &format!("hold_funds('pool', 100, expires_at => {soon})")).await;
    }
    let due = "SELECT count(*) FROM wallet_ledger.holds WHERE status = 'expired'";
    until(&client, due, "4").await;
    // No stripe of the pool has as much, so all four are locked and looked through.
    call(&client, &format!("capture_hold('{}')", &hold["id"])).await;
    let differ = "SELECT count(*) FROM wallet_data.accounts a WHERE held <> \
                  (SELECT coalesce(sum(amount), 0) FROM wallet_data.holds h \
                   WHERE h.account_id = a.account_id AND h.state_id = 1)";
    assert_eq!(value(&client, differ).await, "0", "held is the sum of the open holds");
    assert_eq!(balances(&client, "pool").await, ["5400.00", "0.00", "5400.00"].map(String::from));
    let hold = call(&client, "hold_funds('pool', 1)").await;
    let within = format!("capture_hold('{}', destination => 'pool')", &hold["id"]);
    assert_error(try_call(&client, &within).await, "same_account", "PT400");
    verify_clean(&client).await;
}
