//! What has really moved at a bank account, told at once by webhooks, by backends one movement at a time, and by
//! people who import statements whose days overlap: in the end there is one mutation for each movement,
//! whoever came first, and nobody's payment counts twice.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDate, Utc};
use futures::future::join_all;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use wallet_ledger_tests::bank::{
    BCA, assert_bank_sound, bank_books, credit, match_call, quoted, webhook_call, with,
};
use wallet_ledger_tests::*;

use super::sessions::{LEVELS, aborted, committed, deadlocks, sessions};

const DAYS: i64 = 6;

/// A movement as it was. What goes out is below zero.
#[derive(Clone, Debug)]
struct Movement {
    id: String,
    /// Days before the day of the test, that day, and the time.
    age: i64,
    day: NaiveDate,
    time: String,
    text: String,
    amount: Decimal,
}

impl Movement {
    fn line(&self) -> Value {
        let kind = if self.amount.is_sign_negative() { "DB" } else { "CR" };
        let date = format!("{} {}", self.day, self.time);
        let line = credit(&self.id, &self.amount.abs().to_string());
        with(&line, json!({ "date": date, "type": kind, "description": self.text }))
    }
}

/// Sixty movements of six days: twelve that pay intents, today; some that look alike, on one day and on two.
async fn movements(client: &Client, rng: &mut ChaCha8Rng) -> Vec<Movement> {
    // The bank's clock.
    let now = Utc::now() + Duration::hours(7);
    let mut all = Vec::new();
    for number in 0..60 {
        let age = if number < 12 { 0 } else { rng.random_range(0..DAYS) };
        let amount = match number {
            0..12 => {
                let create = format!("create_intent('topup', 'wallets:u', 25000, '{BCA}')");
                call(client, &create).await["total"].parse().unwrap()
            }
            12..24 => Decimal::from([7_000_100, 7_000_200, -8_000][number % 3]),
            _ => Decimal::from(7_100_000 + number * 10_000) * Decimal::from([1, -1][number % 2]),
        };
        let text =
            format!("TRSF {}", if number % 5 == 0 { "SETORAN".to_owned() } else { number.to_string() });
        // Any second of the day, but not midnight, which is no time at a bank.
        let time = match number {
            0..12 => format!("{}", now.format("%H:%M:%S")).replace("00:00:00", "00:00:01"),
            _ => format!("{:02}:{:02}:{:02}", 1 + number % 20, number % 60, 1 + number % 50),
        };
        let day = now.date_naive() - Duration::days(age);
        all.push(Movement { id: format!("m{number}"), age, day, time, text, amount });
    }
    all.sort_by_key(|movement| (-movement.age, movement.time.clone()));
    all
}

/// The days from one to another, all of what moved in them, in the form of a table or of SWIFT's message.
fn statement(all: &[Movement], from: i64, to: i64, is_swift: bool) -> String {
    let lines: Vec<&Movement> = all.iter().filter(|movement| (to..=from).contains(&movement.age)).collect();
    let kind = |movement: &Movement, names: [&'static str; 2]| {
        names[usize::from(movement.amount.is_sign_negative())]
    };
    if !is_swift {
        let line =
            |m: &&Movement| format!("{},{},{},{}\n", m.day, m.text, m.amount.abs(), kind(m, ["CR", "DB"]));
        let table = lines.iter().map(line).collect::<String>();
        let content = format!("Date,Description,Amount,Type\n{table}");
        return format!("import_statement('{BCA}', 'csv', {})", quoted(&content));
    }
    let before: Decimal = all.iter().filter(|m| m.age > from).map(|m| m.amount).sum();
    let after: Decimal = before + lines.iter().map(|m| m.amount).sum::<Decimal>();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    let short = |movement: &Movement| movement.day.format("%y%m%d").to_string();
    let number = |amount: Decimal| format!("{:.2}", amount.abs()).replace('.', ",");
    let balance = |tag: &str, movement: &Movement, amount: Decimal| {
        let mark = if amount.is_sign_negative() { 'D' } else { 'C' };
        format!(":{tag}:{mark}{}IDR{}\n", short(movement), number(amount))
    };
    let line = |m: &&Movement| {
        let amount = number(m.amount);
        format!(":61:{}{}{amount}NTRFNONREF\n:86:{}\n", short(m), kind(m, ["C", "D"]), m.text)
    };
    let content = format!(
        ":20:S\n:25:1000000001\n:28C:1/1\n{}{}{}-\n",
        balance("60F", first, before),
        lines.iter().map(line).collect::<String>(),
        balance("62F", last, after)
    );
    format!("import_statement('{BCA}', 'mt940', {})", quoted(&content))
}

/// What one session tells: each movement by a webhook or alone, and statements in between.
fn told(all: &[Movement], number: usize, rng: &mut ChaCha8Rng) -> Vec<String> {
    let mut calls = Vec::new();
    for _ in 0..3 {
        let (one, other) = (rng.random_range(0..DAYS), rng.random_range(0..DAYS));
        calls.push(statement(all, one.max(other), one.min(other), number.is_multiple_of(2)));
    }
    let mut mine: Vec<&Movement> = all.iter().collect();
    mine.shuffle(rng);
    mine.truncate(40);
    for part in mine.chunks(8) {
        let lines: Vec<Value> = part.iter().map(|movement| movement.line()).collect();
        calls.push(webhook_call(&Value::from(lines).to_string()));
    }
    calls.extend(mine.iter().take(5).map(|movement| match_call(&movement.line())));
    calls.shuffle(rng);
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tells_of_a_movement_it_is_one() {
    let seed = Seed::from_env_or_random("bank_races");
    for (round, levels) in [&LEVELS[..1], &LEVELS[1..2], &LEVELS[2..], &LEVELS[..]].into_iter().enumerate() {
        let (db, client) = bank_books("one_truth").await;
        let mut rng = seed.rng(1000 + round as u64);
        let all = movements(&client, &mut rng).await;
        let before = aborted();
        let telling: Vec<_> = sessions(&db, 8)
            .await
            .into_iter()
            .enumerate()
            .map(|(number, client)| {
                let (calls, level) = (told(&all, number, &mut rng), levels[number % levels.len()]);
                tokio::spawn(async move {
                    for sql in calls {
                        let told = committed(&client, level, &sql, None).await;
                        told.unwrap_or_else(|error| panic!("{level}: {sql}: {error:#?}"));
                    }
                })
            })
            .collect();
        for ended in join_all(telling).await {
            ended.expect("no session panics");
        }
        // And once more by everybody, now that all is said.
        let everything: Vec<Value> = all.iter().map(Movement::line).collect();
        for sql in [
            statement(&all, DAYS - 1, 0, false),
            webhook_call(&Value::from(everything).to_string()),
            statement(&all, DAYS - 1, 0, true),
        ] {
            call(&client, &sql).await;
        }
        println!("{levels:?}: {} aborted", aborted() - before);
        let mut expected: BTreeMap<(String, Decimal), usize> = BTreeMap::new();
        for movement in &all {
            *expected.entry((movement.day.to_string(), movement.amount)).or_default() += 1;
        }
        let sql =
            "SELECT booked_on, CASE direction WHEN 'credit' THEN amount ELSE -amount END AS amount, count(*)
                   FROM wallet_ledger.mutations GROUP BY 1, 2";
        let found = lines(&client, sql).await;
        let found: BTreeMap<(String, Decimal), usize> = found
            .iter()
            .map(|row| {
                ((row["booked_on"].to_owned(), row["amount"].parse().unwrap()), row["count"].parse().unwrap())
            })
            .collect();
        assert_eq!(found, expected, "{levels:?}");
        let sql = "SELECT count(*) FROM wallet_ledger.intents WHERE status = 'paid'";
        assert_eq!(value(&client, sql).await, "12");
        assert_eq!(posted(&client, "wallets:u").await, "300000.00");
        // Nothing but the alike ones of one day needs a person's eye, if anything does.
        let sql = "SELECT count(*) FROM wallet_ledger.mutations WHERE 'reissued' = ANY (reasons)
                     AND amount NOT IN (7000100, 7000200, 8000)";
        assert_eq!(value(&client, sql).await, "0");
        assert_eq!(deadlocks(&db).await, "0", "{levels:?}");
        assert_bank_sound(&db.connect().await).await;
    }
}
