//! Webhooks and statements in every order and at the same time.

use crate::files::{Entry, booked, csv, day, import_call, mt940};
use crate::reported;
use futures::future::join_all;
use rand::Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;
use wallet_ledger_tests::bank::{BCA, assert_bank_sound, bank_books, webhook_call};
use wallet_ledger_tests::*;

/// Everything that the bank has, reported by webhooks and by exports of two kinds, in parts, more than once,
/// in any order and from several sessions at once: in the end every movement is there exactly once.
#[tokio::test]
async fn whatever_comes_first_every_movement_is_there_once() {
    let seed = Seed::from_env_or_random("statements");
    for round in 0..if long() { 60 } else { 6 } {
        let mut rng = seed.rng(round);
        let (db, client) = bank_books("once").await;
        let days = 4;
        let truth: Vec<Entry> = (0..days)
            .flat_map(|day| {
                let count = rng.random_range(1..12);
                // Few amounts and words, so that many look alike; the words of each day are its own.
                (0..count)
                    .map(|_| (rng.random_range(0..3), rng.random_range(1..4)))
                    .collect::<Vec<_>>()
                    .into_iter()
                    .map(move |(word, amount): (i32, i64)| {
                        let sign = if word == 2 { -1 } else { 1 };
                        booked(day - days, &format!("TRSF {day} {word}"), sign * amount * 10_000)
                    })
            })
            .collect();
        let mut calls: Vec<String> = Vec::new();
        // What the aggregator has: most of it, some of it again.
        let mut minute = 0;
        for chunk in truth.chunks(rng.random_range(1..6)) {
            let batch: Vec<Value> = chunk
                .iter()
                .map(|entry| {
                    minute += 1;
                    reported(
                        &format!("m{minute}"),
                        entry,
                        &format!("{:02}:{:02}:07", minute / 60, minute % 60),
                    )
                })
                .filter(|_| rng.random_bool(0.8))
                .collect();
            for _ in 0..rng.random_range(1..3) {
                calls.push(webhook_call(&Value::from(batch.clone()).to_string()));
            }
        }
        // Exports of whole days, of two kinds; between them they have everything.
        let on = |from: i32, until: i32| -> Vec<Entry> {
            let (from, until) = (day(from - days), day(until - days));
            truth.iter().filter(|entry| entry.day >= from && entry.day <= until).cloned().collect()
        };
        calls.push(import_call("csv", &csv(&truth)));
        for _ in 0..4 {
            let from = rng.random_range(0..days);
            let part = on(from, rng.random_range(from..days));
            let before: i64 = on(0, from - 1).iter().map(|entry| entry.amount).sum();
            calls.push(match rng.random_bool(0.5) {
                true => import_call("csv", &csv(&part)),
                false => import_call("mt940", &mt940(before, &part)),
            });
        }
        calls.shuffle(&mut rng);
        let sessions = join_all((0..4).map(|_| db.app())).await;
        let work = sessions.iter().enumerate().map(|(place, session)| {
            let own: Vec<&String> = calls.iter().skip(place).step_by(4).collect();
            async move {
                for sql in own {
                    call(session, sql).await;
                }
            }
        });
        join_all(work).await;
        let mut expected: BTreeMap<(String, i64), usize> = BTreeMap::new();
        for entry in &truth {
            *expected.entry((entry.day.clone(), entry.amount)).or_default() += 1;
        }
        let mut found: BTreeMap<(String, i64), usize> = BTreeMap::new();
        let sql = "SELECT booked_on, CASE direction WHEN 'credit' THEN amount ELSE -amount END::bigint AS amount, \
                   count(*) AS count FROM wallet_ledger.mutations GROUP BY 1, 2";
        for line in lines(&client, sql).await {
            found.insert(
                (line["booked_on"].to_owned(), line["amount"].parse().unwrap()),
                line["count"].parse().unwrap(),
            );
        }
        assert_eq!(found, expected, "round {round}: {calls:#?}");
        assert_bank_sound(&client).await;
        let unproved = lines(
            &client,
            &format!("SELECT * FROM wallet_ledger.bank_proof('{BCA}') WHERE NOT is_proved OR lines <> '[]'"),
        )
        .await;
        assert!(unproved.is_empty(), "round {round}: {unproved:#?}");
    }
}
