//! Notifications in any order, any number and at the same time: the same end.

use super::providers::*;
use futures::future::join_all;
use rand::Rng;
use rand::seq::SliceRandom;
use wallet_ledger_tests::bank::with;
use wallet_ledger_tests::*;

const GROSS: u32 = 100_000;

/// A notification about the payment of an order, and whether the caller has confirmed it.
type Notice = (fn(&str) -> Value, bool);

fn sets() -> Vec<Vec<Notice>> {
    let pending: fn(&str) -> Value = |number| status(number, GROSS, "pending");
    let settled: fn(&str) -> Value = |number| settlement(number, GROSS);
    let challenged: fn(&str) -> Value = |number| {
        let fields =
            json!({ "transaction_status": "capture", "fraud_status": "challenge", "status_code": "201" });
        with(&settlement(number, GROSS), fields)
    };
    let denied: fn(&str) -> Value = |number| status(number, GROSS, "deny");
    let first_refund: fn(&str) -> Value = |number| refunds(number, GROSS, &[("a", 30_000)]);
    let both_refunds: fn(&str) -> Value = |number| refunds(number, GROSS, &[("a", 30_000), ("b", 20_000)]);
    let charged: fn(&str) -> Value = |number| chargeback(number, GROSS, 25_000);
    let charged_more: fn(&str) -> Value = |number| chargeback(number, GROSS, 60_000);
    vec![
        vec![
            (pending, true),
            (settled, false),
            (first_refund, false),
            (both_refunds, true),
            (charged, false),
        ],
        vec![(challenged, true), (settled, false), (charged, false), (charged_more, false), (pending, false)],
        vec![(settled, true), (denied, false), (first_refund, false), (pending, false)],
        vec![(pending, false), (challenged, true), (denied, false), (first_refund, true)],
    ]
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(count - 1);
    let insert = |order: &Vec<usize>, place: usize| {
        let mut longer = order.clone();
        longer.insert(place, count - 1);
        longer
    };
    shorter.iter().flat_map(|order| (0..count).map(move |place| insert(order, place))).collect()
}

/// What one payment ended in: the wallet, the payment, the sums of its mutations.
async fn end(client: &Client, number: &str) -> String {
    let sql = format!(
        "SELECT jsonb_build_array(
             (SELECT posted FROM wallet_ledger.accounts WHERE account = 'wallets:{number}'),
             (SELECT to_jsonb(g) - '{{payment_id,number,mutation_id,created_at,updated_at}}'::text[]
              FROM wallet_data.gateway_payments g WHERE g.payment_id = 'pay-{number}'),
             (SELECT jsonb_object_agg(direction, total) FROM (
                  SELECT direction, sum(amount) AS total FROM wallet_ledger.mutations
                  WHERE provider_mutation_id = 'pay-{number}'
                     OR starts_with(provider_mutation_id, 'pay-{number}:') GROUP BY 1) m),
             (SELECT jsonb_build_array(status, paid_amount) FROM wallet_ledger.intents WHERE number = '{number}'))"
    );
    value(client, &sql).await
}

/// All orders of each set, and as many again with random repetitions.
#[tokio::test]
async fn every_order_and_number_of_notifications_ends_alike() {
    let seed = Seed::from_env_or_random("gateway");
    let (_db, client) = shop("orders").await;
    let mut rng = seed.rng(0);
    let mut payments = 0;
    for (set, notices) in sets().into_iter().enumerate() {
        let mut ends: Vec<(String, String)> = Vec::new();
        for order_of in permutations(notices.len()) {
            for repeats in [false, true] {
                let number = format!("s{set}-{payments}");
                payments += 1;
                call(&client, &format!("open_wallet('{number}')")).await;
                order(&client, &number, GROSS, &number).await;
                let mut sequence = order_of.clone();
                if repeats {
                    for _ in 0..3 {
                        let again = rng.random_range(0..notices.len());
                        sequence.insert(rng.random_range(0..=sequence.len()), again);
                    }
                }
                for (place, index) in sequence.iter().enumerate() {
                    let (body, confirmed) = notices[*index];
                    // Half of the repetitions are the same body, the others say it in other words.
                    let body = body(&number);
                    let body = if rng.random() { body } else { with(&body, json!({ "n": place })) };
                    line(&call(&client, &midtrans_call(&body, confirmed)).await);
                }
                ends.push((end(&client, &number).await, format!("set {set}: {sequence:?}")));
            }
        }
        let (first, _) = ends[0].clone();
        for (end, sequence) in ends {
            assert_eq!(end, first, "{sequence}");
        }
        assert_all_sound(&client).await;
    }
    assert_eq!(payments, 2 * (120 + 120 + 24 + 24));
    let gross = "SELECT sum(net) FROM wallet_ledger.gateway_payments";
    assert_eq!(posted(&client, MIDTRANS).await, value(&client, gross).await);
}

/// 20 sessions deliver the notifications of one payment at once, some the same, some in other words.
#[tokio::test]
async fn sessions_at_once_credit_and_reverse_once() {
    let seed = Seed::from_env_or_random("gateway");
    let (db, client) = shop("sessions").await;
    let sessions = join_all((0..20).map(|_| db.app())).await;
    let mut rng = seed.rng(1);
    for (set, notices) in sets().into_iter().enumerate() {
        let number = format!("n{set}");
        call(&client, &format!("open_wallet('{number}')")).await;
        order(&client, &number, GROSS, &number).await;
        let mut calls: Vec<Vec<String>> = Vec::new();
        for _ in &sessions {
            let mut bodies: Vec<(Value, bool)> =
                notices.iter().map(|(body, confirmed)| (body(&number), *confirmed)).collect();
            bodies.shuffle(&mut rng);
            let say = |(body, confirmed): &(Value, bool)| {
                let words: u32 = rng.random_range(0..3);
                midtrans_call(&with(body, json!({ "words": words })), *confirmed)
            };
            calls.push(bodies.iter().map(say).collect());
        }
        join_all(sessions.iter().zip(&calls).map(|(session, calls)| async move {
            for text in calls {
                line(&call(session, text).await);
            }
        }))
        .await;
        // The same notifications one after another, as the books would have it.
        let alone = format!("a{set}");
        call(&client, &format!("open_wallet('{alone}')")).await;
        order(&client, &alone, GROSS, &alone).await;
        for (body, confirmed) in &notices {
            call(&client, &midtrans_call(&body(&alone), *confirmed)).await;
        }
        assert_eq!(end(&client, &number).await, end(&client, &alone).await, "set {set}");
        assert_all_sound(&client).await;
    }
}
