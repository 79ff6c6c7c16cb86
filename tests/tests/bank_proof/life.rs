//! A year of an account, and a random life of one.

use crate::files::{self, Entry, booked, csv_with_balances, day};
use crate::{assert_proved, line, proof};
use rand::Rng;
use rand::seq::IndexedRandom;
use wallet_ledger_tests::bank::{BCA, assert_bank_sound, bank_books, deliver, intent, match_line, with};
use wallet_ledger_tests::*;

/// A year of a busy account is proved in a moment, by a session that has asked before the account was busy
/// as by a new one: no plan may depend on how large the tables were.
#[tokio::test]
async fn a_year_of_mutations() {
    let (db, client) = bank_books("year").await;
    assert_eq!(proof(&client).await, []);
    let (days, each) = if long() { (350, 200_i64) } else { (50, 100) };
    let mut balance = 0;
    for past in (1..=days).rev() {
        let batch: Vec<Value> = (0..each)
            .map(|n| {
                let amount = if n % 3 == 2 { -500 } else { 1_000 + n };
                balance += amount;
                let minute = n * 7;
                let date = format!("{} {:02}:{:02}:01", day(-past), minute / 60, minute % 60);
                with(&line(&format!("{past}-{n}"), 0, amount, balance), json!({ "date": date }))
            })
            .collect();
        deliver(&client, &batch).await;
    }
    for (session, client) in [("old", &client), ("new", &db.app().await)] {
        for _ in 0..2 {
            let begun = std::time::Instant::now();
            let proved = assert_proved(client, BCA).await;
            let took = begun.elapsed();
            println!("{session} session, {} mutations: {took:?}", i64::from(days) * each);
            assert_eq!(proved.len(), days as usize);
            assert!(proved.iter().all(|row| row["reported_balance"] == row["closing_balance"]));
            assert!(took.as_secs() < 10, "{took:?}");
        }
    }
    println!("{}", explained(&client).await);
}

async fn explained(client: &Client) -> String {
    let sql = format!("EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM wallet_ledger.bank_proof('{BCA}')");
    let plan = lines(client, &sql).await;
    plan.iter().map(|line| format!("{}\n", &line["QUERY PLAN"])).collect()
}

/// A random life: lines arrive with true balances, in parts and again, people work on them, statements come.
/// Nobody posts to the bank's account: every day stays proved.
#[tokio::test]
async fn a_random_life_is_proved_at_every_step() {
    let seed = Seed::from_env_or_random("bank_proof");
    let mut rng = seed.rng(0);
    let (_db, client) = bank_books("life").await;
    let mut stored: Vec<String> = Vec::new();
    let mut entries: Vec<Entry> = Vec::new();
    let intents = [intent(&client, 50_000, "").await, intent(&client, 60_000, "").await];
    let mut past = -30;
    for step in 0..if long() { 600 } else { 120 } {
        let pick = stored.choose(&mut rng).cloned();
        let work = match (rng.random_range(0..10), pick) {
            (0, Some(id)) => Some(format!("assign_mutation('{id}', 'wallets:a', 'r')")),
            (1, Some(id)) => Some(format!("return_mutation('{id}', 'r')")),
            (2 | 3, Some(id)) => Some(format!("unmatch_mutation('{id}', 'r')")),
            (4, Some(id)) => {
                let intent = &intents[rng.random_range(0..2)];
                Some(format!("match_mutation_by_hand('{id}', '{}', 'r')", &intent["id"]))
            }
            (5, Some(id)) => {
                let other = stored.choose(&mut rng).expect("some").clone();
                Some(format!("mark_mutation_duplicate('{id}', '{other}', 'r')"))
            }
            (6, _) if entries.len() > 2 => {
                let from = rng.random_range(0..entries.len());
                let first = entries.iter().position(|entry| entry.day == entries[from].day).expect("itself");
                let before: i64 = entries[..first].iter().map(|entry| entry.amount).sum();
                Some(files::import_call("csv", &csv_with_balances(before, &entries[first..])))
            }
            _ => None,
        };
        match work {
            // What may not be done is refused, and that is no matter here.
            Some(sql) => drop(try_call(&client, &sql).await),
            None => {
                past = (past + rng.random_range(0..2)).min(-1);
                let amount = [100, 100, 700, -50][rng.random_range(0..4)];
                let amount = if rng.random_bool(0.1) { 50_000 } else { amount };
                let reported = with(
                    &line(&format!("m{step}"), past, amount, 0),
                    json!({ "description": format!("TRSF {step}"),
                            "date": format!("{} {:02}:{:02}:00", day(past), step / 60, step % 60) }),
                );
                entries.push(booked(past, &format!("TRSF {step}"), amount));
                let outcome = match_line(&client, &reported).await;
                stored.push(outcome["mutation_id"].to_owned());
            }
        }
        let proved = proof(&client).await;
        for day in &proved {
            assert_eq!(day.pick(["ledger_difference"]), ["0.00"], "step {step}: {proved:#?}");
            assert_eq!(day["closing_balance"], day["ledger_balance"]);
        }
    }
    assert_bank_sound(&client).await;
}
