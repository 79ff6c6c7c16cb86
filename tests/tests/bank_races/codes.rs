//! Unique codes: 999 for each amount and bank account, given out to many sessions at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use rand::Rng;
use tokio::sync::Barrier;
use wallet_ledger_tests::bank::{BCA, BRI, assert_bank_sound, bank_books, credit, deliver};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

use super::sessions::{LEVELS, aborted, at_once, committed, deadlocks, sessions};

fn create(amount: u64) -> String {
    format!("create_intent('topup', 'wallets:u', {amount}, '{BCA}')")
}

fn code(line: &Line) -> i64 {
    line["unique_code"].parse().expect("a code")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_hundred_and_ninety_nine_at_once_have_different_codes() {
    let (db, client) = bank_books("codes").await;
    let clients = sessions(&db, 37).await;
    let barrier = Arc::new(Barrier::new(clients.len()));
    // Nobody has made the account of the codes' rupiah yet: that is part of the race.
    let take = |client: Client| {
        let barrier = barrier.clone();
        tokio::spawn(async move {
            barrier.wait().await;
            let mut taken = Vec::new();
            for _ in 0..27 {
                let line = call(&client, &create(50_000)).await;
                let total: Decimal = line["total"].parse().unwrap();
                assert_eq!(total, Decimal::from(50_000 + code(&line)));
                taken.push(code(&line));
            }
            taken
        })
    };
    let taken: Vec<Vec<i64>> =
        join_all(clients.into_iter().map(take)).await.into_iter().map(|taken| taken.unwrap()).collect();
    let all: BTreeSet<i64> = taken.iter().flatten().copied().collect();
    assert_eq!(all, (1..=999).collect(), "999 calls, 999 codes");
    // Nobody gets a row of neighbours.
    let ascending = taken.iter().flat_map(|taken| taken.windows(2)).filter(|pair| pair[1] == pair[0] + 1);
    assert!(ascending.count() < 20, "{taken:?}");

    let error = assert_error(try_call(&client, &create(50_000)).await, "codes_exhausted", "PT422");
    assert_eq!(error.detail["bank_account"], BCA);
    // The amounts around it, whose totals overlap, and the same amount at another bank account.
    for amount in [50_001, 49_999, 49_500, 50_999, 51_000, 100_000] {
        let free = match try_call(&client, &create(amount)).await {
            Ok(line) => line["total"].parse::<Decimal>().unwrap(),
            Err(error) => panic!("{amount}: {}", cluster::explain(&error)),
        };
        assert!(free <= dec!(50_000) || free > dec!(50_999), "{amount} got {free}");
    }
    call(&client, &create(50_000).replace(BCA, BRI)).await;
    assert_eq!(deadlocks(&db).await, "0");
    assert_bank_sound(&db.connect().await).await;
}

/// Leaves only these codes of 50,000 at the bank account free, as if the others had been given out.
async fn leave(db: &TestDb, codes: std::ops::RangeInclusive<i64>) {
    let sql = format!(
        "INSERT INTO wallet_data.intent_codes (ledger_id, bank_account_id, total, intent_id, free_at)
         SELECT b.ledger_id, b.bank_account_id, 50000 + code, gen_random_uuid(), 'infinity'
         FROM wallet_data.bank_accounts b JOIN wallet_data.accounts a USING (account_id), generate_series(1, 999) code
         WHERE a.address = '{BCA}' AND code NOT BETWEEN {} AND {}",
        codes.start(),
        codes.end()
    );
    execute(&db.connect().await, &sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_codes_go_to_as_many_as_there_are() {
    for level in LEVELS {
        let (db, client) = bank_books("last_codes").await;
        leave(&db, 500..=504).await;
        let clients = sessions(&db, 20).await;
        let calls = vec![create(50_000); 20];
        let results = at_once(&clients, level, &calls).await;
        let codes: BTreeSet<i64> = results.iter().flatten().map(code).collect();
        assert_eq!(codes, (500..=504).collect(), "{level}");
        let refused: Vec<&LedgerError> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        assert_eq!(refused.len(), 15, "{level}");
        assert!(refused.iter().all(|error| error.token() == "codes_exhausted"), "{level}: {refused:?}");
        // One that closes gives its code back, after the cool-down and not before.
        let ids: Vec<&str> = results.iter().flatten().map(|line| &line["id"]).collect();
        call(&client, &format!("cancel_intent('{}')", ids[0])).await;
        assert_error(try_call(&client, &create(50_000)).await, "codes_exhausted", "PT422");
        execute(
            &db.connect().await,
            &format!(
                "UPDATE wallet_data.intent_codes SET free_at = free_at - interval '48 hours'
                 WHERE intent_id = '{}'",
                ids[0]
            ),
        )
        .await;
        let results = at_once(&clients, level, &calls).await;
        assert_eq!(results.iter().flatten().count(), 1, "{level}: one code is free, one session has it");
        assert_eq!(deadlocks(&db).await, "0");
        assert_bank_sound(&db.connect().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_of_paid_intents_come_back_to_as_many_as_there_are() {
    for level in LEVELS {
        let (db, client) = bank_books("paid_codes").await;
        leave(&db, 100..=109).await;
        let mut batch = Vec::new();
        for number in 0..10 {
            let line = call(&client, &create(50_000)).await;
            batch.push(credit(&format!("pays {number}"), &line["total"]));
        }
        assert_eq!(&deliver(&client, &batch).await["matched_count"], "10");
        let clients = sessions(&db, 20).await;
        let calls = vec![create(50_000); 20];
        // Not before the cool-down.
        let results = at_once(&clients, level, &calls).await;
        assert_eq!(results.iter().flatten().count(), 0, "{level}");
        let root = db.connect().await;
        let sql = "UPDATE wallet_data.intents SET closed_at = closed_at - interval '48 hours'
                   WHERE unique_code <> 105";
        execute(&root, sql).await;
        let results = at_once(&clients, level, &calls).await;
        let codes: BTreeSet<i64> = results.iter().flatten().map(code).collect();
        assert_eq!(codes, (100..=109).filter(|code| *code != 105).collect(), "{level}: {results:?}");
        assert_eq!(results.iter().flatten().count(), 9, "{level}");
        assert_eq!(deadlocks(&db).await, "0");
        assert_bank_sound(&root).await;
    }
}

#[tokio::test]
async fn a_total_rests_from_its_payment_also_when_that_comes_late() {
    let (db, client) = bank_books("late_codes").await;
    let root = db.connect().await;
    let late = call(&client, &create(50_000)).await;
    // It expired almost a cool-down ago, and is paid by hand today.
    let id = &late["id"];
    let sql = format!(
        "UPDATE wallet_data.intents SET expires_at = expires_at - interval '71 hours',
                accepts_until = accepts_until - interval '71 hours' WHERE intent_id = '{id}';
         UPDATE wallet_data.intent_codes SET free_at = free_at - interval '71 hours' WHERE intent_id = '{id}'"
    );
    execute(&root, &sql).await;
    let answer = deliver(&client, &[credit("late", "7777777")]).await.json("lines");
    let mutation = answer[0]["mutation_id"].as_str().expect("it is stored");
    call(&client, &format!("match_mutation_by_hand('{mutation}', '{id}', 'late')")).await;
    let sql = format!(
        "SELECT free_at > now() + interval '47 hours' FROM wallet_data.intent_codes WHERE intent_id = '{id}'"
    );
    assert_eq!(value(&root, &sql).await, "t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_rolled_back_gives_its_code_back() {
    let seed = Seed::from_env_or_random("bank_races");
    for level in LEVELS {
        let (db, client) = bank_books("codes_back").await;
        leave(&db, 400..=459).await;
        let before = aborted();
        let take = |(number, client): (u64, Client)| {
            let mut rng = seed.rng(number);
            tokio::spawn(async move {
                let mut kept = BTreeSet::new();
                while kept.len() < 5 {
                    if rng.random_range(0..2) == 0 {
                        execute(&client, &format!("BEGIN ISOLATION LEVEL {level}")).await;
                        let made = try_call(&client, &create(50_000)).await;
                        execute(&client, "ROLLBACK").await;
                        // The others may hold all that are left for a moment.
                        let token = made.err().map(|error| sql_error(&error).token().to_owned());
                        assert!(token.is_none_or(|t| ["codes_exhausted", "try_again"].contains(&t.as_str())));
                    } else if let Ok(line) = committed(&client, level, &create(50_000), None).await {
                        assert!(kept.insert(code(&line)), "{level}: twice");
                    }
                }
                kept
            })
        };
        let clients = sessions(&db, 12).await;
        let kept = join_all((0..).zip(clients).map(take)).await;
        let all: Vec<i64> = kept.into_iter().flat_map(|kept| kept.unwrap()).collect();
        assert_eq!(all.iter().copied().collect::<BTreeSet<_>>(), (400..=459).collect(), "{level}");
        assert_eq!(all.len(), 60, "{level}: no code twice");
        println!("{level}: {} aborted", aborted() - before);
        assert_error(try_call(&client, &create(50_000)).await, "codes_exhausted", "PT422");
        assert_eq!(deadlocks(&db).await, "0");
        assert_bank_sound(&db.connect().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_at_once_is_one_intent() {
    for level in LEVELS {
        let (db, client) = bank_books("codes_key").await;
        let clients = sessions(&db, 12).await;
        let keyed = create(50_000).replace(')', ", idempotency_key => 'k')");
        let results = at_once(&clients, level, &vec![keyed; 12]).await;
        let lines: Vec<Line> = results.into_iter().map(|result| result.unwrap()).collect();
        assert_eq!(lines.iter().filter(|line| &line["replayed"] == "f").count(), 1, "{level}");
        assert!(
            lines.iter().all(|line| line.without(&["replayed"]) == lines[0].without(&["replayed"])),
            "{level}"
        );
        // One order has one live intent.
        let order = |amount: u64| {
            format!("create_intent('order', 'wallets:u', {amount}, '{BCA}', reference => 'order 1')")
        };
        let orders: Vec<String> = (0..12).map(|number| order(20_000 + number * 1000)).collect();
        let results = at_once(&clients, level, &orders).await;
        assert_eq!(results.iter().flatten().count(), 1, "{level}: {results:#?}");
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(error.token(), "already_exists", "{level}: {error:?}");
        }
        assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.intents").await, "2");
        assert_bank_sound(&db.connect().await).await;
    }
}
