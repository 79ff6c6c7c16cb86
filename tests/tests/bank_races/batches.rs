//! The same lines, delivered by many sessions at once: as one webhook, in webhooks that overlap, and one by
//! one. Every movement is taken in once, and everybody is told the same of it.

use std::collections::BTreeMap;

use futures::future::join_all;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use wallet_ledger_tests::bank::{
    BCA, BRI, BRI_ID, BRI_NUMBER, assert_bank_sound, bank_books, credit, debit, match_call, webhook_call,
    with,
};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

use super::sessions::{LEVELS, aborted, at_once, committed, deadlocks, sessions};

/// Intents at a bank account, and the lines that pay them.
async fn paying_lines(client: &Client, count: usize, bank: &str, wallet: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    for number in 0..count {
        let amount = 20_000 + 1000 * (number % 7);
        let made = call(client, &format!("create_intent('topup', '{wallet}', {amount}, '{bank}')")).await;
        let line = credit(&format!("{bank} pays {number}"), &made["total"]);
        let there = json!({ "bank_id": BRI_ID, "account_number": BRI_NUMBER });
        lines.push(if bank == BRI { with(&line, there) } else { line });
    }
    lines
}

/// 120 that pay, 40 of nobody, 20 debits, 12 that are bad in some way, 8 that repeat another line.
async fn two_hundred(client: &Client) -> Vec<Value> {
    let mut lines = paying_lines(client, 60, BCA, "wallets:u").await;
    lines.extend(paying_lines(client, 60, BRI, "wallets:a").await);
    lines.extend((0..40).map(|number| credit(&format!("nobody {number}"), &(7001 + number).to_string())));
    lines.extend((0..20).map(|number| debit(&format!("out {number}"), &(3 + number).to_string())));
    for number in 0..4 {
        let line = credit(&format!("bad {number}"), "5000");
        lines.push(with(&line, json!({ "amount": "1e3" })));
        lines.push(with(&line, json!({ "mutation_id": null, "id": null })));
        lines.push(with(&line, json!({ "bank_id": "elsewhere", "account_number": "999" })));
    }
    lines.extend((0..8).map(|number| lines[number * 20].clone()).collect::<Vec<_>>());
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_deliveries_of_one_webhook_are_one() {
    let seed = Seed::from_env_or_random("bank_races");
    let (db, client) = bank_books("fifty").await;
    let mut batch = two_hundred(&client).await;
    batch.shuffle(&mut seed.rng(0));
    assert_eq!(batch.len(), 200);
    let body = Value::from(batch).to_string();
    let clients = sessions(&db, 50).await;
    let before = value(&client, "SELECT count(*) FROM wallet_ledger.transfers").await;
    let answers = at_once(&clients, LEVELS[0], &vec![webhook_call(&body); 50]).await;
    let answers: Vec<Line> = answers.into_iter().map(|answer| answer.unwrap()).collect();
    let counts = ["matched", "suspense", "review", "duplicate", "ignored", "rejected", "line"];
    let [matched, suspense, review, duplicate, ignored, rejected, line] =
        counts.map(|name| answers[0][format!("{name}_count").as_str()].parse::<u32>().unwrap());
    assert_eq!((matched, ignored, duplicate, rejected, line), (120, 20, 8, 12, 200));
    // Some of nobody's look like an intent less a bank's fee.
    assert_eq!(suspense + review, 40);
    assert_eq!(answers.iter().filter(|answer| &answer["replayed"] == "f").count(), 1);
    for answer in &answers {
        assert_eq!(answer.without(&["replayed"]), answers[0].without(&["replayed"]));
    }
    let sql = "SELECT concat_ws(' ', count(*), count(*) FILTER (WHERE status = 'matched'),
                                count(*) FILTER (WHERE status IN ('suspense', 'review'))) FROM wallet_ledger.mutations";
    assert_eq!(value(&client, sql).await, "180 120 40");
    let sql = "SELECT count(*) FROM wallet_ledger.intents WHERE status = 'paid'";
    assert_eq!(value(&client, sql).await, "120");
    // Two transfers for each that pays, one for the rest.
    let after = value(&client, "SELECT count(*) FROM wallet_ledger.transfers").await;
    assert_eq!(after.parse::<u32>().unwrap() - before.parse::<u32>().unwrap(), 120 * 2 + 60);
    // What the wallets got, from the intents alone.
    let amounts: u64 = (0..60).map(|number| 20_000 + 1000 * (number % 7)).sum();
    assert_eq!(posted(&client, "wallets:u").await, format!("{amounts}.00"));
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_data.webhooks").await, "1");
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_data.webhook_lines").await, "12");
    let sql = "SELECT count(*) FROM wallet_data.events WHERE topic = 'intent.paid'";
    assert_eq!(value(&client, sql).await, "120");
    assert_eq!(deadlocks(&db).await, "0");
    assert_bank_sound(&db.connect().await).await;
}

#[tokio::test]
async fn a_delivery_that_rolls_back_leaves_the_webhook_to_the_next() {
    for level in LEVELS {
        let (db, client) = bank_books("rolled_back").await;
        let lines = paying_lines(&client, 5, BCA, "wallets:u").await;
        let delivery = webhook_call(&Value::from(lines).to_string());
        let [first, second] = [db.app().await, db.app().await];
        execute(&first, "BEGIN").await;
        assert_eq!(&call(&first, &delivery).await["matched_count"], "5");
        let pid = backend(&second).await;
        let waiting = tokio::spawn({
            let delivery = delivery.clone();
            async move { committed(&second, level, &delivery, None).await }
        });
        until_blocked(&client, &pid).await;
        execute(&first, "ROLLBACK").await;
        let answer = waiting.await.unwrap().expect("the second does it");
        assert_eq!(answer.pick(["matched_count", "replayed"]), ["5", "f"]);
        assert_eq!(&call(&client, &delivery).await["replayed"], "t");
        assert_bank_sound(&db.connect().await).await;
    }
}

/// What a session was told of each movement that it brought.
#[derive(Debug)]
struct Told {
    id: String,
    mutation: String,
    intent: String,
    is_new: bool,
}

fn told(line: &Value) -> Told {
    let text = |name: &str| line[name].as_str().unwrap_or("none").to_owned();
    let outcome = text("outcome");
    assert!(["matched", "suspense", "review", "ignored", "duplicate"].contains(&outcome.as_str()), "{line}");
    Told {
        id: text("provider_mutation_id"),
        mutation: text("mutation_id"),
        intent: text("intent_id"),
        is_new: outcome != "duplicate",
    }
}

/// Random parts of the movements, in random order: five webhooks, and some movements alone.
async fn bring(client: Client, level: &'static str, lines: Vec<Value>, mut rng: ChaCha8Rng) -> Vec<Told> {
    let mut all = Vec::new();
    for _ in 0..5 {
        let mut part = lines.clone();
        part.shuffle(&mut rng);
        part.truncate(rng.random_range(20..=60));
        let answer = committed(&client, level, &webhook_call(&Value::from(part.clone()).to_string()), None)
            .await
            .unwrap_or_else(|error| panic!("{level}: {error:#?}"));
        all.extend(answer.json("lines").as_array().unwrap().iter().map(told));
        for line in part.iter().take(3) {
            let outcome = committed(&client, level, &match_call(line), None)
                .await
                .unwrap_or_else(|error| panic!("{level}: {error:#?}"));
            let names = ["provider_mutation_id", "mutation_id", "intent_id", "outcome"];
            let line: serde_json::Map<String, Value> =
                names.iter().map(|name| ((*name).to_owned(), json!(outcome.get(name)))).collect();
            all.push(told(&Value::Object(line)));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_overlap_take_each_movement_in_once() {
    let seed = Seed::from_env_or_random("bank_races");
    for (round, levels) in [&LEVELS[..1], &LEVELS[1..2], &LEVELS[2..], &LEVELS[..]].into_iter().enumerate() {
        let (db, client) = bank_books("overlap").await;
        // At two bank accounts, which the webhooks name in any order.
        let mut lines = paying_lines(&client, 30, BCA, "wallets:u").await;
        lines.extend(paying_lines(&client, 30, BRI, "wallets:u").await);
        lines.extend((0..20).map(|number| credit(&format!("x{number}"), &(300_001 + number).to_string())));
        lines.extend((0..10).map(|number| debit(&format!("out {number}"), "2500")));
        let before = aborted();
        let clients = sessions(&db, 8).await;
        let bringing: Vec<_> = clients
            .into_iter()
            .enumerate()
            .map(|(number, client)| {
                let rng = seed.rng((round * 100 + number) as u64);
                tokio::spawn(bring(client, levels[number % levels.len()], lines.clone(), rng))
            })
            .collect();
        let all: Vec<Told> = join_all(bringing).await.into_iter().flat_map(|told| told.unwrap()).collect();
        println!("{levels:?}: {} lines, {} aborted", all.len(), aborted() - before);
        let mut movements: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
        for told in &all {
            movements.entry(&told.id).or_default().push(told);
        }
        for (id, told) in &movements {
            assert_eq!(told.iter().filter(|told| told.is_new).count(), 1, "{levels:?}: {id}: {told:?}");
            assert!(told.iter().all(|one| one.mutation == told[0].mutation && one.intent == told[0].intent));
            assert_eq!(told[0].intent == "none", !id.contains("pays"), "{told:?}");
        }
        let count = value(&client, "SELECT count(*) FROM wallet_ledger.mutations").await;
        assert_eq!(count, movements.len().to_string());
        assert_eq!(deadlocks(&db).await, "0", "{levels:?}");
        assert_bank_sound(&db.connect().await).await;
    }
}
