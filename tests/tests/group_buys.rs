//! Proves that a group buy is decided once: reached, everybody's escrow goes on or is released; missed,
//! everybody has the money back; and that nobody can join what is decided, whoever is at it at the same moment.

use futures::future::join_all;
use wallet_ledger_tests::books::{backend, until_blocked};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// A ledger with a bank, a seller and so many buyers with Rp100,000 each.
async fn market(test: &str, buyers: usize) -> (TestDb, Client) {
    let db = TestDb::with_ledger(test).await;
    let client = db.app().await;
    call(&client, "create_account('bank', 'asset')").await;
    call(&client, "open_wallet('seller')").await;
    for buyer in 0..buyers {
        call(&client, &format!("open_wallet('b{buyer}')")).await;
        call(&client, &format!("post_transfer('bank', 'wallets:b{buyer}', 100000, 'topup')")).await;
    }
    (db, client)
}

async fn group(client: &Client, more: &str) -> String {
    let call_of = format!("open_group_buy('SAMBATAN', deadline => now() + interval '1 day', {more})");
    call(client, &call_of).await["id"].to_owned()
}

fn join_call(id: &str, buyer: usize, more: &str) -> String {
    let lines = r#"[{"beneficiary": "wallets:seller", "amount": 40000, "fee": "merchant_commission"}]"#;
    format!("join_group_buy('{id}', 'wallets:b{buyer}', '{lines}'{more})")
}

/// Lets the deadline pass.
async fn pass(db: &TestDb, id: &str) {
    let sql = format!(
        "UPDATE wallet_data.group_buys SET deadline = now() - interval '1 s' WHERE group_buy_id = '{id}'"
    );
    execute(&db.connect().await, &sql).await;
}

async fn settle_all(client: &Client, id: &str, max_count: usize) -> usize {
    for calls in 1..100 {
        let settled = call(client, &format!("settle_group_buy('{id}', {max_count})")).await;
        assert_eq!(settled.json("failures"), json!([]));
        if &settled["settled_at"] != "NULL" {
            return calls;
        }
    }
    panic!("never settled");
}

#[tokio::test]
async fn a_missed_one_gives_everybody_the_money_back() {
    let (db, client) = market("missed", 5).await;
    let id = group(&client, "target_participants => 6").await;
    for buyer in 0..5 {
        let joined = call(&client, &join_call(&id, buyer, "")).await;
        let reference = format!("SAMBATAN.{}", buyer + 1);
        assert_eq!(joined.pick(["reference", "status", "held_amount"]), [&reference, "held", "40000.00"]);
    }
    let early = try_call(&client, &format!("settle_group_buy('{id}')")).await;
    let error = assert_error(early, "group_buy_not_due", "PT422");
    assert_eq!(error.detail["participants"], 5);
    pass(&db, &id).await;
    let late = try_call(&client, &join_call(&id, 0, "")).await;
    assert_error(late, "group_buy_closed", "PT409");
    // Two in a call: the work goes on where the last call left it.
    assert_eq!(settle_all(&client, &id, 2).await, 3);
    for buyer in 0..5 {
        assert_eq!(books::posted(&client, &format!("wallets:b{buyer}")).await, "100000.00");
    }
    let again = try_call(&client, &format!("settle_group_buy('{id}')")).await;
    assert_error(again, "group_buy_closed", "PT409");
    let seen = "SELECT status, participants, unsettled FROM wallet_ledger.group_buys";
    assert_eq!(
        lines(&client, seen).await[0].pick(["status", "participants", "unsettled"]),
        ["missed", "0", "0"]
    );
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_reached_one_is_released_or_carried_on() {
    let (_db, client) = market("reached", 3).await;
    let id = group(&client, "target_quantity => 10, on_reached => 'release'").await;
    for (buyer, quantity) in [(0, 4), (1, 5), (2, 1)] {
        call(&client, &join_call(&id, buyer, &format!(", {quantity}"))).await;
    }
    // Reached before the deadline: it need not be waited for.
    assert_eq!(settle_all(&client, &id, 1).await, 3);
    assert_eq!(books::posted(&client, "wallets:seller").await, "102000.00");
    assert_eq!(books::posted(&client, "platform:revenue:merchant_commission").await, "18000.00");

    let (_db, client) = market("carried_on", 2).await;
    let id = group(&client, "target_participants => 2").await;
    let escrow = call(&client, &join_call(&id, 0, "")).await["id"].to_owned();
    call(&client, &join_call(&id, 1, "")).await;
    let settled = call(&client, &format!("settle_group_buy('{id}')")).await;
    assert_eq!(settled.pick(["status", "done_count"]), ["reached", "2"]);
    assert_ne!(&settled["settled_at"], "NULL");
    assert_eq!(&call(&client, &format!("mark_shipped('{escrow}')")).await["status"], "shipped");
    assert_eq!(&call(&client, &format!("confirm_receipt('{escrow}')")).await["status"], "released");
    let topics =
        "SELECT string_agg(topic, ' ' ORDER BY id) FROM wallet_ledger.events WHERE topic LIKE 'group%'";
    assert_eq!(
        value(&client, topics).await,
        "group_buy.opened group_buy.joined group_buy.joined group_buy.reached group_buy.settled"
    );
    verify_clean(&client).await;
}

#[tokio::test]
async fn who_was_refunded_before_does_not_count_and_is_not_refunded_twice() {
    let (db, client) = market("left", 2).await;
    let id = group(&client, "target_participants => 2").await;
    let escrow = call(&client, &join_call(&id, 0, "")).await["id"].to_owned();
    call(&client, &join_call(&id, 1, "")).await;
    call(&client, &format!("refund_escrow('{escrow}', reason => 'changed my mind')")).await;
    let early = try_call(&client, &format!("settle_group_buy('{id}')")).await;
    assert_error(early, "group_buy_not_due", "PT422");
    pass(&db, &id).await;
    settle_all(&client, &id, 100).await;
    for buyer in 0..2 {
        assert_eq!(books::posted(&client, &format!("wallets:b{buyer}")).await, "100000.00");
    }
    verify_clean(&client).await;
}

#[tokio::test]
async fn one_that_is_disputed_stops_no_other_and_is_settled_later() {
    let (db, client) = market("disputed", 3).await;
    let id = group(&client, "target_participants => 4").await;
    let mut escrows = Vec::new();
    for buyer in 0..3 {
        escrows.push(call(&client, &join_call(&id, buyer, "")).await["id"].to_owned());
    }
    let dispute = call(&client, &format!("open_dispute('{}', 'b0', 'wrong colour')", escrows[0])).await;
    pass(&db, &id).await;
    let settled = call(&client, &format!("settle_group_buy('{id}')")).await;
    assert_eq!(settled.pick(["done_count", "settled_at"]), ["2", "NULL"]);
    assert_eq!(settled.json("failures")[0]["error"], "escrow_disputed");
    assert_eq!(settled.json("failures")[0]["escrow_id"], escrows[0].as_str());
    let error = "SELECT error FROM wallet_ledger.group_buy_members WHERE member = 1";
    assert_eq!(value(&client, error).await, "escrow_disputed");
    call(&client, &format!("resolve_dispute('{}', 40000, 'all of it')", &dispute["id"])).await;
    assert_eq!(settle_all(&client, &id, 1).await, 1);
    verify_clean(&client).await;
}

#[tokio::test]
async fn joining_and_settling_wait_for_each_other() {
    let (db, client) = market("race", 3).await;
    let observer = db.connect().await;
    let id = group(&client, "target_participants => 3").await;
    for buyer in 0..2 {
        call(&client, &join_call(&id, buyer, "")).await;
    }
    pass(&db, &id).await;
    let back = format!(
        "UPDATE wallet_data.group_buys SET deadline = now() + interval '1 h' WHERE group_buy_id = '{id}'"
    );
    execute(&observer, &back).await;
    // The third is on the way when somebody settles: the target is reached by the time the lock is granted.
    let (joining, settling) = (db.app().await, db.app().await);
    execute(&joining, "BEGIN").await;
    call(&joining, &join_call(&id, 2, "")).await;
    let pid = backend(&settling).await;
    let call_of = format!("settle_group_buy('{id}')");
    let (settled, ()) = tokio::join!(call(&settling, &call_of), async {
        until_blocked(&observer, &pid).await;
        execute(&joining, "COMMIT").await;
    });
    assert_eq!(&settled["status"], "reached");
    let late = try_call(&joining, &join_call(&id, 2, "")).await;
    assert_error(late, "group_buy_closed", "PT409");

    // The other way round: settled as missed first, the one who waited is told so and has paid nothing.
    let (db, client) = market("race_missed", 2).await;
    let observer = db.connect().await;
    let id = group(&client, "target_participants => 2").await;
    call(&client, &join_call(&id, 0, "")).await;
    let (joining, settling) = (db.app().await, db.app().await);
    execute(&settling, "BEGIN").await;
    pass(&db, &id).await;
    call(&settling, &format!("settle_group_buy('{id}')")).await;
    let pid = backend(&joining).await;
    let join = join_call(&id, 1, "");
    let (joined, ()) = tokio::join!(try_call(&joining, &join), async {
        until_blocked(&observer, &pid).await;
        execute(&settling, "COMMIT").await;
    });
    assert_error(joined, "group_buy_closed", "PT409");
    assert_eq!(books::posted(&client, "wallets:b1").await, "100000.00");
    verify_clean(&client).await;
}

#[tokio::test]
async fn thirty_join_at_once_and_four_settle_at_once() {
    let (db, client) = market("crowd", 30).await;
    let id = group(&client, "target_participants => 31").await;
    let sessions = join_all((0..30).map(|_| db.app())).await;
    let calls: Vec<String> = (0..30).map(|buyer| join_call(&id, buyer, ", idempotency_key => 'k")).collect();
    let calls: Vec<String> =
        calls.iter().enumerate().map(|(key, call)| format!("{}{key}')", &call[..call.len() - 1])).collect();
    join_all(sessions.iter().zip(&calls).map(|(session, join)| call(session, join))).await;
    // The same again is the same answer, and nobody is in twice.
    let again = join_all(sessions.iter().zip(&calls).map(|(session, join)| call(session, join))).await;
    assert!(again.iter().all(|joined| &joined["replayed"] == "t"));
    let members =
        "SELECT string_agg(DISTINCT member::text, '') IS NOT NULL, count(DISTINCT member), max(member)
                   FROM wallet_ledger.group_buy_members";
    assert_eq!(lines(&client, members).await[0].pick(["count", "max"]), ["30", "30"]);
    pass(&db, &id).await;
    let settle = format!("settle_group_buy('{id}', 10)");
    let results = join_all(sessions[..4].iter().map(|session| try_call(session, &settle))).await;
    for result in results {
        if result.is_err() {
            assert_error(result, "group_buy_closed", "PT409");
        }
    }
    let left =
        "SELECT count(*) FROM wallet_ledger.accounts WHERE account LIKE 'wallets:b%' AND posted <> 100000";
    assert_eq!(value(&client, left).await, "0");
    verify_clean(&client).await;
}

#[tokio::test]
async fn what_is_wrong_is_said_and_nothing_moves() {
    let (_db, client) = market("wrong", 1).await;
    let id = group(&client, "target_participants => 1").await;
    let open = |more: &str| format!("open_group_buy('G2', {more})");
    let tomorrow = "deadline => now() + interval '1 day'";
    for (call_of, sqlstate, token) in [
        (open(tomorrow), "PT400", "invalid_argument"),
        (open(&format!("1, 1, {tomorrow}")), "PT400", "invalid_argument"),
        (open(&format!("0, {tomorrow}")), "PT400", "invalid_argument"),
        (open(&format!("target_quantity => -3, {tomorrow}")), "PT400", "invalid_argument"),
        (open("1"), "PT400", "missing_argument"),
        (open("1, deadline => now() - interval '1 s'"), "PT400", "invalid_argument"),
        (open("1, deadline => 'infinity'"), "PT400", "invalid_argument"),
        (open(&format!("1, {tomorrow}, on_reached => 'party'")), "PT400", "invalid_argument"),
        (open(&format!("1, {tomorrow}, auto_release_after => '-1 day'")), "PT400", "invalid_argument"),
        (format!("open_group_buy('a b', 1, {tomorrow})"), "PT400", "invalid_argument"),
        (format!("open_group_buy(NULL, 1, {tomorrow})"), "PT400", "missing_argument"),
        (format!("open_group_buy('SAMBATAN', 1, {tomorrow})"), "PT409", "already_exists"),
        (join_call(&id, 0, ", 0"), "PT400", "invalid_argument"),
        (join_call(&id, 0, ", -1"), "PT400", "invalid_argument"),
        (join_call(&id, 0, ", NULL"), "PT400", "missing_argument"),
        (join_call(&id, 0, ", amount => 39999"), "PT422", "lines_mismatch"),
        (join_call(&id, 99, ""), "PT404", "account_not_found"),
        (join_call("00000000-0000-0000-0000-000000000000", 0, ""), "PT404", "group_buy_not_found"),
        ("join_group_buy(NULL, 'wallets:b0', '[]')".to_owned(), "PT400", "invalid_argument"),
        (format!("join_group_buy('{id}', 'wallets:b0', NULL)"), "PT400", "missing_argument"),
        (format!("settle_group_buy('{id}', 0)"), "PT400", "invalid_argument"),
        (format!("settle_group_buy('{id}', 10001)"), "PT400", "invalid_argument"),
        ("settle_group_buy(NULL)".to_owned(), "PT400", "missing_argument"),
    ] {
        assert_error(try_call(&client, &call_of).await, token, sqlstate);
    }
    assert_eq!(books::posted(&client, "wallets:b0").await, "100000.00");
    call(&client, &join_call(&id, 0, "")).await;
    let twice = try_call(&client, &join_call(&id, 0, "")).await;
    assert_error(twice, "already_exists", "PT409");
    assert_eq!(books::posted(&client, "wallets:b0").await, "60000.00");
    verify_clean(&client).await;
}

/// The rate is that of the moment when a buyer is taken in, also for one who waited for the group meanwhile.
#[tokio::test]
async fn a_buyer_who_waited_is_taken_in_under_the_rate_of_the_moment() {
    let (db, client) = market("rate", 1).await;
    let id = group(&client, "target_participants => 6").await;
    let (slow, joining) = (db.connect().await, db.app().await);
    let waiting = backend(&joining).await;
    execute(&slow, "BEGIN; SELECT FROM wallet_data.group_buys FOR UPDATE").await;
    let release = async {
        until_blocked(&client, &waiting).await;
        call(&client, "set_rate('merchant_commission', 0.5)").await;
        execute(&slow, "COMMIT").await;
    };
    let call_of = join_call(&id, 0, "");
    tokio::join!(call(&joining, &call_of), release);
    let rate = "SELECT rate = 0.5 FROM wallet_data.escrow_lines";
    assert_eq!(value(&client, rate).await, "t");
    verify_clean(&client).await;
}
