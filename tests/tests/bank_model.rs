//! Random interleavings of everything that can happen to money in, against an independent model: create,
//! expire, cancel, prove, deliver, redeliver, match, unmatch, assign, return, mark as a duplicate, spend.
//!
//! `every_call_is_as_the_model_says`: one session. Each result or error is compared with the model's; twenty
//! times, and at the end, every intent, every mutation, every balance and every day of the proof is. One
//! mutation credits at most once, one intent is paid at most once, suspense, matched, ignored and all the
//! other mutations are together all of them, `bank_proof` holds, and `verify_ledger()` is empty.
//! `many_sessions`: the same calls from six sessions at once, and then the same of what is stored.
//!
//! The model (`bank_model/`) is plain data and rules written from the documentation; time is moved by changing
//! an intent's times. Short: 4,000 calls; with `WL_LONG=1` 20,000.
#![allow(clippy::inconsistent_digit_grouping)]

#[path = "bank_model/compare.rs"]
mod compare;
#[path = "bank_model/coverage.rs"]
mod coverage;
#[path = "bank_model/intake.rs"]
mod intake;
#[path = "bank_model/life.rs"]
mod life;
#[path = "bank_model/model.rs"]
mod model;
#[path = "bank_model/ops.rs"]
mod ops;
#[path = "bank_model/report.rs"]
mod report;
#[path = "bank_model/sessions.rs"]
mod sessions;
#[path = "bank_model/walk.rs"]
mod walk;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use compare::{assert_as_the_model, assert_stored};
use coverage::Coverage;
use futures::future::join_all;
use model::{Bank, COSTS, DAY, HOUR, Model, State, WALLETS, micros, now};
use ops::{Answer, Op};
use sessions::{Shared, session};
use walk::Walk;
use wallet_ledger_tests::bank::bank_books;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// How often everything is compared.
const ROUNDS: usize = 20;
const SESSIONS: usize = 6;

fn calls_wanted() -> usize {
    if long() { 20_000 } else { 4_000 }
}

/// Three bank accounts, of which one had a balance when it was opened 20 days ago, and empty wallets.
async fn open(test: &str) -> (TestDb, Client, Model) {
    let (db, client) = bank_books(test).await;
    let opened_on = (now() + 7 * HOUR).div_euclid(DAY) - 20;
    let bank = |account, id, number, opening, opened_on| Bank { account, id, number, opening, opened_on };
    let banks = vec![
        bank("banks:model:1", "model-1", "3000000001", 0, None),
        bank("banks:model:2", "model-2", "3000000002", 0, None),
        bank("banks:model:3", "model-3", "3000000003", 25_000_000_00, Some(opened_on)),
    ];
    for bank in &banks {
        let day = bank.opened_on.map(|day| format!(", opened_on => date '1970-01-01' + {day}"));
        let sql = format!(
            "register_bank_account('{}', 'moota', '{}', '{}', opening_balance => {}{})",
            bank.account,
            bank.id,
            bank.number,
            model::text(bank.opening),
            day.unwrap_or_default()
        );
        call(&client, &sql).await;
    }
    for wallet in WALLETS {
        call(&client, &format!("open_wallet('{}')", wallet.trim_start_matches("wallets:"))).await;
    }
    call(&client, &format!("create_account('{COSTS}', 'expense')")).await;
    (db, client, Model::new(banks))
}

/// The server and the model, side by side.
struct Run {
    client: Client,
    root: Client,
    model: Model,
    walk: Walk,
    coverage: Coverage,
    done: usize,
    recent: Vec<String>,
}

impl Run {
    async fn step(&mut self) {
        let op = self.walk.next(&self.model);
        let sql = op.sql(&self.model);
        self.recent.push(sql.clone());
        let (was_for, was_duplicate) = match op {
            Op::Unmatch(place) => {
                let mutation = &self.model.mutations[place];
                (mutation.intent, mutation.state == State::Duplicate)
            }
            _ => (None, false),
        };
        let at = now();
        let answer: Answer = match op {
            Op::Pass(..) => {
                execute(&self.root, &sql).await;
                lines(&self.root, "SELECT 1").await.into_iter().next().map(Ok).expect("a row")
            }
            _ => try_call(&self.client, &sql).await.map_err(|error| sql_error(&error)),
        };
        if let Err(difference) = self.model.follow(&op, &sql, &answer, at) {
            let last = self.recent[self.recent.len().saturating_sub(5)..].join("\n");
            panic!("the last calls:\n{last}\n{op:?}\n{answer:?}\ncall {}: {difference}", self.done);
        }
        self.coverage.count(&op, &answer);
        if was_duplicate && answer.is_ok() {
            self.coverage.add("unmatch_mutation: it was a duplicate".to_owned());
        }
        self.done += 1;
        if let Some(intent) = was_for.filter(|intent| answer.is_ok() && self.model.ends_unknown(*intent)) {
            self.coverage.add("unmatch_mutation: its order has another intent".to_owned());
            let id = &self.model.intents[intent].id;
            let sql = format!("SELECT closed_at, accepts_until FROM wallet_ledger.intents WHERE id = '{id}'");
            let line = lines(&self.client, &sql).await.remove(0);
            self.model.ended_early(intent, micros(&line["closed_at"]), micros(&line["accepts_until"]));
        }
    }

    async fn compare(&self) {
        assert_as_the_model(&self.client, &self.model).await;
        db::verify_clean(&self.client).await;
    }
}

#[tokio::test]
async fn every_call_is_as_the_model_says() {
    let seed = Seed::from_env_or_random("bank_model");
    let (db, client, model) = open("bank_model").await;
    execute(&client, "SET synchronous_commit = off").await;
    let wanted = calls_wanted();
    let walk = Walk::new(seed.rng(0), "m", wanted as u32 / 400);
    let root = db.connect().await;
    let mut run =
        Run { client, root, model, walk, coverage: Coverage::default(), done: 0, recent: Vec::new() };
    let (begun, mut comparing) = (Instant::now(), std::time::Duration::ZERO);
    // Whatever the seed: until everything was seen.
    while run.done < wanted || !run.coverage.missing().is_empty() {
        assert!(run.done < wanted * 3, "never seen: {:?}", run.coverage.missing());
        for _ in 0..wanted / ROUNDS {
            run.step().await;
        }
        let before = Instant::now();
        run.compare().await;
        comparing += before.elapsed();
    }
    run.coverage.print();
    let Run { root, model, done, .. } = run;
    let (intents, mutations) = (model.intents.len(), model.mutations.len());
    println!(
        "{done} calls, {intents} intents, {mutations} mutations in {:?}, {comparing:?} of it comparing",
        begun.elapsed()
    );
    assert_stored(&root, &model).await;
    println!("and all that is stored: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions() {
    let seed = Seed::from_env_or_random("bank_model");
    let (db, _client, model) = open("bank_model_sessions").await;
    let begun = Instant::now();
    let wanted = calls_wanted();
    let shared = Arc::new(Mutex::new(Shared { model, coverage: Coverage::default() }));
    let mut running = Vec::new();
    for number in 0..SESSIONS {
        let client = db.app().await;
        execute(&client, "SET synchronous_commit = off").await;
        let walk = Walk::new(seed.rng(10 + number as u64), &format!("s{number}x"), wanted as u32 / 400);
        let root = db.connect().await;
        running.push(tokio::spawn(session(client, root, shared.clone(), walk, wanted / SESSIONS)));
    }
    for ended in join_all(running).await {
        ended.expect("a session failed");
    }
    let Shared { model, coverage } =
        Arc::into_inner(shared).expect("the sessions have ended").into_inner().expect("none has failed");
    coverage.print();
    assert!(coverage.never_done().is_empty(), "{:?}", coverage.never_done());
    let (intents, mutations) = (model.intents.len(), model.mutations.len());
    println!("{wanted} calls, {intents} intents, {mutations} mutations in {:?}", begun.elapsed());
    let root = db.connect().await;
    let deadlocks = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'", db.name);
    assert_eq!(value(&root, &deadlocks).await, "0");
    assert_stored(&root, &model).await;
}
