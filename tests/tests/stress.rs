//! Many sessions at once over few accounts.
//!
//! `soak`: 32 sessions call everything that moves, reserves or returns money, at random, one call a
//! transaction, over 100 accounts: plain and striped, with and without floors and ceilings, of all five
//! types, in two currencies. No call may end in a deadlock or in anything but a refusal of the
//! vocabulary. Meanwhile a watcher takes snapshots; in each one the books must balance and no floor may
//! be broken. `several_calls_a_transaction`: the same calls, several to a transaction and under all
//! isolation levels, where PostgreSQL may have to abort some: then with 503, and nothing is left behind.
//!
//! A long form (`WL_LONG=1`) runs the soak for two minutes; the short one for fifteen seconds.

#[path = "stress/actions.rs"]
mod actions;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actions::{Accounts, Known, Session, Tally};
use futures::future::join_all;
use rand::Rng;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::lines::{call, lines, try_call, value};
use wallet_ledger_tests::proof::assert_sound;
use wallet_ledger_tests::*;

/// 100 accounts, with money in those that have a floor.
async fn open_accounts(client: &Client) -> Accounts {
    let mut idr: Vec<(String, &str)> = Vec::new();
    let mut add = |count: usize, name: &str, arguments: &'static str| {
        idr.extend((0..count).map(|number| (format!("{name}:{number}"), arguments)));
    };
    // The first ten get a third of the traffic: striped ones, a ceiling, assets with a floor among them.
    add(3, "pools", "'liability', minimum_balance => 0, stripes => 4");
    add(1, "cash", "'asset', minimum_balance => 0, stripes => 3");
    add(1, "fees", "'revenue', stripes => 8");
    add(2, "merchants", "'liability', minimum_balance => 0, maximum_balance => 20000");
    add(3, "wallets", "'liability', minimum_balance => 0");
    add(4, "banks", "'asset'");
    add(2, "tills", "'asset', minimum_balance => 0, maximum_balance => 30000");
    add(2, "costs", "'expense'");
    add(2, "capital", "'equity'");
    add(4, "credits", "'liability', minimum_balance => -500");
    add(6, "capped", "'liability', minimum_balance => 0, maximum_balance => 2000");
    add(55, "users", "'liability', minimum_balance => 0");
    let mut jpy: Vec<(String, &str)> = Vec::new();
    jpy.push(("yen:bank".into(), "'asset', 'JPY'"));
    jpy.push(("yen:pool".into(), "'liability', 'JPY', minimum_balance => 0, stripes => 2"));
    jpy.extend((0..13).map(|n| (format!("yen:users:{n}"), "'liability', 'JPY', minimum_balance => 0")));
    assert_eq!(idr.len() + jpy.len(), 100);
    for (currency, accounts) in [("IDR", &idr), ("JPY", &jpy)] {
        call(client, &format!("create_account('equity:{currency}', 'equity', '{currency}')")).await;
        for (account, arguments) in accounts {
            call(client, &format!("create_account('{account}', {arguments})")).await;
            let (debit, credit) = if arguments.starts_with("'asset'") {
                (account.clone(), format!("equity:{currency}"))
            } else {
                (format!("equity:{currency}"), account.clone())
            };
            call(client, &format!("post_transfer('{debit}', '{credit}', 1000)")).await;
        }
    }
    let names = |accounts: Vec<(String, &str)>| accounts.into_iter().map(|(name, _)| name).collect();
    let moody = (40..46).map(|number| format!("users:{number}")).chain(["pools:2".to_owned()]).collect();
    Accounts { by_currency: [names(idr), names(jpy)], moody }
}

/// In every snapshot: the books balance in each currency, no floor is broken, no ceiling either.
async fn watch(client: Client, stop: Arc<AtomicBool>) -> u32 {
    let mut snapshots = 0;
    loop {
        execute(&client, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
        let sums = lines(
            &client,
            "SELECT currency, sum(posted) FILTER (WHERE type IN ('asset', 'expense')) AS debits,
                    sum(posted) FILTER (WHERE type IN ('liability', 'equity', 'revenue')) AS credits,
                    count(*) FILTER (WHERE available < minimum_balance) AS below,
                    count(*) FILTER (WHERE held < 0) AS negative
             FROM wallet_ledger.accounts GROUP BY currency ORDER BY currency",
        )
        .await;
        for sum in &sums {
            assert_eq!(sum["debits"], sum["credits"], "snapshot {snapshots}: {sums:?}");
            assert_eq!((&sum["below"], &sum["negative"]), ("0", "0"), "snapshot {snapshots}: {sums:?}");
        }
        // The log of the same snapshot says the same: every account's last entry has its balance.
        let stale = value(
            &client,
            "SELECT count(*) FROM wallet_data.accounts a
             JOIN LATERAL (
                 SELECT * FROM (
                     (SELECT debit_version AS version, debit_balance AS balance FROM wallet_data.transfers t
                      WHERE t.ledger_id = a.ledger_id AND t.debit_account_id = a.account_id
                      ORDER BY debit_version DESC LIMIT 1)
                     UNION ALL
                     (SELECT credit_version, credit_balance FROM wallet_data.transfers t
                      WHERE t.ledger_id = a.ledger_id AND t.credit_account_id = a.account_id
                      ORDER BY credit_version DESC LIMIT 1)) e
                 ORDER BY version DESC LIMIT 1) last ON true
             WHERE (last.version, last.balance) IS DISTINCT FROM (a.version, a.posted)",
        )
        .await;
        assert_eq!(stale, "0", "snapshot {snapshots}: balances that are not their last entry's");
        execute(&client, "COMMIT").await;
        snapshots += 1;
        if stop.load(Ordering::Relaxed) {
            return snapshots;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn sessions(db: &TestDb, seed: Seed, count: u64) -> Vec<Session> {
    let accounts = Arc::new(open_accounts(&db.app().await).await);
    let known = Arc::new(Mutex::new(Known::default()));
    let clients = join_all((0..count).map(|_| db.app())).await;
    let session = |(number, client)| Session {
        number,
        client,
        rng: seed.rng(number),
        accounts: accounts.clone(),
        known: known.clone(),
        tally: Tally::new(),
        in_transaction: false,
    };
    (0..count).zip(clients).map(session).collect()
}

fn report(tallies: Vec<Tally>, elapsed: Duration) -> Tally {
    let mut all = Tally::new();
    for (outcome, count) in tallies.into_iter().flatten() {
        *all.entry(outcome).or_default() += count;
    }
    let calls: u64 = all.values().sum();
    println!(
        "{calls} calls in {:.1} s, {:.0}/s",
        elapsed.as_secs_f64(),
        calls as f64 / elapsed.as_secs_f64()
    );
    for ((name, outcome), count) in &all {
        println!("{count:>8}  {name}: {outcome}");
    }
    all
}

/// How many deadlocks PostgreSQL itself has counted in this test's database.
async fn deadlocks(db: &TestDb) -> String {
    let sql = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'", db.name);
    value(&db.connect().await, &sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak() {
    let seed = Seed::from_env_or_random("stress");
    let db = TestDb::with_ledger("soak").await;
    let begun = Instant::now();
    let until = begun + Duration::from_secs(if long() { 120 } else { 15 });
    let stop = Arc::new(AtomicBool::new(false));
    let sessions = sessions(&db, seed, 32).await;
    let watcher = tokio::spawn(watch(db.connect().await, stop.clone()));
    let running: Vec<_> = sessions.into_iter().map(|session| tokio::spawn(session.run(until))).collect();
    let tallies =
        join_all(running).await.into_iter().map(|tally| tally.expect("no session panics")).collect();
    stop.store(true, Ordering::Relaxed);
    let snapshots = watcher.await.expect("every snapshot is in order");
    let all = report(tallies, begun.elapsed());
    println!("{snapshots} snapshots");
    for bad in [
        "try_again (deadlock)",
        "try_again (lock_timeout)",
        "try_again (serialization)",
        "books_inconsistent",
    ] {
        let found: Vec<_> = all.keys().filter(|(_, outcome)| outcome.starts_with(bad)).collect();
        assert!(found.is_empty(), "{bad}: {found:?}");
    }
    // Everything that the soak is about did happen.
    for name in [
        "post_transfer",
        "batch, raise",
        "batch, report",
        "hold",
        "capture",
        "release",
        "reverse_transfer",
        "reverse_transaction",
        "expire_holds",
        "freeze",
        "close",
    ] {
        assert!(all.contains_key(&(name, "done".to_owned())), "no {name} succeeded");
    }
    assert_eq!(deadlocks(&db).await, "0", "PostgreSQL itself counted deadlocks");
    assert_sound(&db.connect().await).await;
}

/// Transactions of one to four calls; half of them roll back, by an error or on purpose.
async fn run_transactions(mut session: Session, until: Instant) -> Tally {
    session.in_transaction = true;
    // Only a superuser may set it.
    execute(&session.client, "RESET ROLE; SET deadlock_timeout = '20ms'; SET ROLE wallet_app").await;
    let level = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"][session.number as usize % 3];
    while Instant::now() < until {
        execute(&session.client, &format!("BEGIN ISOLATION LEVEL {level}")).await;
        let mut failed = false;
        for _ in 0..session.rng.random_range(1..=4) {
            if session.act().await != "done" {
                failed = true;
                break;
            }
        }
        let end = if failed || session.rng.random_range(0..4) == 0 { "ROLLBACK" } else { "COMMIT" };
        if let Err(error) = session.client.batch_execute(end).await {
            // A serializable transaction may fail at its very end, where no function of ours runs.
            assert_eq!(sql_error(&error).sqlstate, "40001", "{error:?}");
            *session.tally.entry(("COMMIT", "40001".to_owned())).or_default() += 1;
        }
    }
    session.tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_calls_a_transaction() {
    let seed = Seed::from_env_or_random("stress");
    let db = TestDb::with_ledger("transactions").await;
    let begun = Instant::now();
    let until = begun + Duration::from_secs(if long() { 60 } else { 8 });
    let stop = Arc::new(AtomicBool::new(false));
    let sessions = sessions(&db, seed, 12).await;
    let watcher = tokio::spawn(watch(db.connect().await, stop.clone()));
    let running: Vec<_> =
        sessions.into_iter().map(|one| tokio::spawn(run_transactions(one, until))).collect();
    let tallies =
        join_all(running).await.into_iter().map(|tally| tally.expect("no session panics")).collect();
    stop.store(true, Ordering::Relaxed);
    watcher.await.expect("every snapshot is in order");
    let all = report(tallies, begun.elapsed());
    assert!(!all.keys().any(|(_, outcome)| outcome.starts_with("books_inconsistent")), "{all:?}");
    assert_sound(&db.connect().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captures_between_striped_accounts_do_not_deadlock() {
    // A hold sits on a given stripe, so a capture cannot take just any: it needs that one of the held
    // account and whatever the destination gives, and others do the same in the other direction.
    let db = TestDb::with_ledger("captures").await;
    let client = db.app().await;
    call(&client, "create_account('bank', 'asset')").await;
    for name in ["p", "q"] {
        call(&client, &format!("create_account('{name}', 'liability', minimum_balance => 0, stripes => 2)"))
            .await;
        call(&client, &format!("post_transfer('bank', '{name}', 100000)")).await;
    }
    let until = Instant::now() + Duration::from_secs(if long() { 20 } else { 4 });
    let exchange = |number: usize, client: Client| async move {
        let (from, to) = if number.is_multiple_of(2) { ("p", "q") } else { ("q", "p") };
        let mut outcomes = Tally::new();
        while Instant::now() < until {
            let amount = if number % 4 < 2 { 1 } else { 400 };
            let Ok(hold) = try_call(&client, &format!("hold_funds('{from}', {amount}, '{to}')")).await else {
                continue;
            };
            let outcome = match try_call(&client, &format!("capture_hold('{}')", &hold["id"])).await {
                Ok(_) => "done".to_owned(),
                Err(error) => sql_error(&error).detail.to_string(),
            };
            *outcomes.entry(("capture", outcome)).or_default() += 1;
        }
        outcomes
    };
    let clients = join_all((0..8).map(|_| db.app())).await;
    let begun = Instant::now();
    let tallies = join_all(clients.into_iter().enumerate().map(|(n, client)| exchange(n, client))).await;
    let all = report(tallies, begun.elapsed());
    assert_eq!(all.len(), 1, "every capture succeeds: {all:?}");
    assert_eq!(deadlocks(&db).await, "0");
    assert_sound(&db.connect().await).await;
}
