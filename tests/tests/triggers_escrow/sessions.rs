//! Many rows and many sessions. A statement that opens, ships, releases and refunds many orders does all of it
//! or nothing. Sessions that change different orders of the same people never wait in a circle, whatever order
//! their accounts come in; sessions that pay the same orders open one escrow each.

use std::sync::Arc;

use futures::future::join_all;
use rand::Rng;
use rand::seq::SliceRandom;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::proof::assert_sound;
use wallet_ledger_tests::*;

use super::market::{BOTH, Form, LINES, Market, ORDERS};

/// Orders of all buyers from all merchants, each with a total of its own, under references that come in
/// another order than their people.
fn fill(from: u32, to: u32) -> String {
    format!(
        "INSERT INTO shop.orders (id, order_no, buyer_id, merchant_id, total)
         SELECT g, 'O-' || md5(g::text), 1 + g % 9, 1 + g / 9 % 9, 1000 + g FROM generate_series({from}, {to}) g"
    )
}

/// The escrow's status for each status of an order that it was brought to.
const AGREE: &str =
    "SELECT count(*) FROM shop.orders o LEFT JOIN wallet_ledger.escrows e ON e.reference = o.order_no
    WHERE (coalesce(e.status, 'none') <> CASE o.status WHEN 'paid' THEN 'held' WHEN 'shipped' THEN 'shipped'
              WHEN 'delivered' THEN 'released' WHEN 'cancelled' THEN 'refunded' ELSE 'none' END
       OR e.amount <> o.total)";

#[tokio::test]
async fn one_statement_moves_many_orders_or_none() {
    for form in BOTH {
        let market = Market::open("many", form, ORDERS).await;
        execute(&market.clerk, &fill(1, 400)).await;
        execute(&market.clerk, "UPDATE shop.orders SET status = 'paid' WHERE id <= 300").await;
        execute(&market.clerk, "UPDATE shop.orders SET status = 'shipped' WHERE id <= 100").await;
        // All four at once.
        let mixed = "UPDATE shop.orders SET status = CASE WHEN id <= 50 THEN 'delivered' WHEN id <= 100 THEN 'cancelled'
                         WHEN id <= 200 THEN 'shipped' WHEN id <= 250 THEN 'cancelled' WHEN id <= 300 THEN 'delivered'
                         ELSE 'paid' END";
        // One bad order, somewhere in the middle, is the end of all of it.
        execute(&market.dba, "UPDATE shop.orders SET buyer_id = 'nobody' WHERE id = 333").await;
        let error = market.refused(mixed, "account_not_found", "PT404").await;
        assert_eq!(error.detail["row"], "333");
        execute(&market.dba, "UPDATE shop.orders SET buyer_id = '1' WHERE id = 333").await;
        let escrow = "(SELECT e.id FROM wallet_ledger.escrows e WHERE e.reference = 'O-' || md5('222'))";
        let dispute =
            call(&market.app, &format!("open_dispute({escrow}, 'buyer', 'not what I ordered')")).await;
        assert_eq!(market.refused(mixed, "escrow_disputed", "PT422").await.detail["row"], "222");
        let decide = format!("resolve_dispute('{}', 0, 'it was')", &dispute["id"]);
        call(&market.app, &decide).await;
        execute(&market.dba, "UPDATE shop.orders SET status = 'closed' WHERE id = 222").await;
        execute(&market.clerk, &format!("{mixed} WHERE id <> 222")).await;
        assert_eq!(value(&market.dba, &format!("{AGREE} AND o.id <> 222")).await, "0", "{form:?}");
        let held = "SELECT sum(held_amount) = (SELECT sum(posted) FROM wallet_ledger.accounts WHERE account LIKE 'escrows:%')
                    FROM wallet_ledger.escrows";
        assert_eq!(value(&market.app, held).await, "t");
        assert_sound(&market.app).await;
    }
}

#[tokio::test]
async fn sessions_with_the_same_people_never_wait_in_a_circle() {
    const SESSIONS: u32 = 8;
    const ROUNDS: u32 = 12;
    const ROWS: u32 = 20;
    let seed = Seed::from_env_or_random("triggers_escrow");
    let market = Market::open("circle", Form::Statement, ORDERS).await;
    execute(&market.clerk, &fill(1, SESSIONS * ROUNDS * ROWS)).await;
    execute(
        &market.clerk,
        &format!("UPDATE shop.orders SET status = 'paid' WHERE id > {}", SESSIONS * ROUNDS * ROWS / 2),
    )
    .await;
    let clerk = value(&market.clerk, "SELECT current_user").await;
    let market = Arc::new(market);
    let session = |number: u32| {
        let (market, clerk) = (market.clone(), clerk.clone());
        async move {
            let mut rng = seed.rng(number.into());
            let client = market.db.connect_as(&clerk).await;
            // Orders of its own: only accounts are shared.
            let mut own: Vec<u32> =
                (1..=SESSIONS * ROUNDS * ROWS).filter(|id| id % SESSIONS == number).collect();
            own.shuffle(&mut rng);
            for ids in own.chunks(ROWS as usize) {
                let cases: Vec<String> = ids
                    .iter()
                    .map(|id| {
                        let status = match (id * 2 > SESSIONS * ROUNDS * ROWS, rng.random_range(0..3)) {
                            (false, _) => "paid",
                            (true, 0) => "shipped",
                            (true, 1) => "delivered",
                            (true, _) => "cancelled",
                        };
                        format!("({id}, '{status}')")
                    })
                    .collect();
                let sql = format!(
                    "UPDATE shop.orders o SET status = v.status FROM (VALUES {}) AS v (id, status) WHERE v.id = o.id",
                    cases.join(", ")
                );
                // No circle: nobody is ever told to try again.
                execute(&client, &sql).await;
            }
        }
    };
    join_all((0..SESSIONS).map(session)).await;
    assert_eq!(value(&market.dba, AGREE).await, "0");
    assert_sound(&market.app).await;
}

#[tokio::test]
async fn sessions_that_pay_the_same_orders_open_one_escrow_each() {
    for form in BOTH {
        let market = Market::open("same", form, ORDERS).await;
        // Two rows for every reference: the second is never paid.
        execute(&market.clerk, &fill(1, 40)).await;
        execute(
            &market.clerk,
            "INSERT INTO shop.orders SELECT id + 100, order_no, buyer_id, merchant_id, total FROM shop.orders",
        )
        .await;
        let clerk = value(&market.clerk, "SELECT current_user").await;
        let market = Arc::new(market);
        let session = |number: u32| {
            let (market, clerk) = (market.clone(), clerk.clone());
            async move {
                let client = market.db.connect_as(&clerk).await;
                for id in 1..=40 {
                    let id = if (id + number).is_multiple_of(2) { id } else { id + 100 };
                    let paid = client
                        .batch_execute(&format!("UPDATE shop.orders SET status = 'paid' WHERE id = {id}"))
                        .await;
                    if let Err(error) = paid {
                        let error = sql_error(&error);
                        assert!(["already_exists", "try_again"].contains(&error.token()), "{error:#?}");
                    }
                }
            }
        };
        join_all((0..12).map(session)).await;
        let once =
            "SELECT count(*) || ' ' || count(DISTINCT order_no) FROM shop.orders WHERE status = 'paid'";
        assert_eq!(value(&market.dba, once).await, "40 40", "{form:?}");
        assert_eq!(value(&market.app, "SELECT count(*) FROM wallet_ledger.escrows").await, "40");
        let taken =
            "SELECT 9 * 1000000 - sum(posted) FROM wallet_ledger.accounts WHERE account LIKE 'wallets:%'";
        let total = "SELECT sum(total) FROM shop.orders WHERE status = 'paid'";
        assert_eq!(value(&market.app, taken).await, format!("{}.00", value(&market.dba, total).await));
        assert_sound(&market.app).await;
    }
}

/// The accounts of all fees of a statement are made before any escrow's own, in one order: two statements whose orders
/// come to the same new fees the other way round do not wait for each other in a circle.
#[tokio::test]
async fn first_fees_of_many_orders_are_made_in_one_order() {
    let market = Market::open("first_fees", Form::Statement, LINES).await;
    for fee in ["fee_a", "fee_c"] {
        call(&market.app, &format!("set_rate('{fee}', 0.1)")).await;
    }
    for (id, order, fee) in [(1, "A", "fee_c"), (2, "B", "fee_a"), (3, "C", "fee_a"), (4, "D", "fee_c")] {
        let lines = json!([{"beneficiary": "merchants:1", "amount": 1000, "fee": fee}]);
        let sql = format!(
            "INSERT INTO shop.orders (id, order_no, buyer_id, total, lines) VALUES ({id}, '{order}', '{id}', 1000, '{lines}')"
        );
        execute(&market.clerk, &sql).await;
    }
    let clerk = value(&market.clerk, "SELECT current_user").await;
    let (one, two) = (market.db.connect_as(&clerk).await, market.db.connect_as(&clerk).await);
    let waiting = [backend(&one).await, backend(&two).await];
    // Somebody holds the first statement up between its two orders.
    let slow = market.db.app().await;
    execute(&slow, "BEGIN").await;
    call(&slow, "create_account('escrows:A', 'liability')").await;
    let then = async {
        until_blocked(&market.dba, &waiting[0]).await;
        let release = async {
            until_blocked(&market.dba, &waiting[1]).await;
            execute(&slow, "ROLLBACK").await;
        };
        tokio::join!(execute(&two, "UPDATE shop.orders SET status = 'paid' WHERE id IN (2, 4)"), release);
    };
    tokio::join!(execute(&one, "UPDATE shop.orders SET status = 'paid' WHERE id IN (1, 3)"), then);
    assert_eq!(value(&market.dba, AGREE).await, "0");
    assert_sound(&market.app).await;
}
