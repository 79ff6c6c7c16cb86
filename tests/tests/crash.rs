//! Kills the server with SIGKILL while sessions post, starts it again, and counts.
//!
//! Every call carries an idempotency key and marks its transfers with it. After each crash: a call that
//! was acknowledged is there exactly once and whole; one that was not is there whole or not at all; the
//! same calls made again under their keys bring every one of them to exactly once. The books are sound
//! before and after that, and `pg_amcheck` finds nothing in any table or index.
//!
//! In every other round only the postmaster is killed and its children notice; in the others all of the
//! server's processes die at the same moment. Three rounds; twenty in the long form (`WL_LONG=1`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tokio::process::Command;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::lines::{call, lines, try_lines};
use wallet_ledger_tests::proof::assert_sound;
use wallet_ledger_tests::*;

// Small enough that checkpoints happen while the rounds run.
const SETTINGS: &str = "shared_buffers = '64MB'; checkpoint_timeout = '30s'; max_wal_size = '64MB'";
const SESSIONS: u64 = 8;
const WALLETS: u32 = 20;

/// A server of this test's own, beside the one that this run of the tests has: two runs at once must
/// not kill each other's.
fn cluster_name() -> String {
    format!("{}_crash", std::env::var("WL_CLUSTER").unwrap_or("test".to_owned()))
}

/// One call and what is known of it.
struct Work {
    key: String,
    sql: String,
    transfers: i64,
    acknowledged: bool,
}

impl Work {
    /// A random call that cannot be refused: one transfer, a batch in either mode, a hold and its capture.
    fn new(key: String, rng: &mut ChaCha8Rng) -> Work {
        let wallet = rng.random_range(0..WALLETS);
        let amount = rng.random_range(1..1000);
        let count: i64 = rng.random_range(2..=30);
        let batch = |item_keys: bool| {
            let item = |index: i64| {
                let mut item = json!({"debit_account": "bank", "amount": amount, "reference": key,
                    "credit_account": format!("wallets:{}", (i64::from(wallet) + index) % i64::from(WALLETS))});
                if item_keys {
                    item["idempotency_key"] = json!(format!("{key}/{index}"));
                }
                item
            };
            Value::Array((0..count).map(item).collect()).to_string()
        };
        let (call, transfers) = match rng.random_range(0..10) {
            0..5 => (
                format!(
                    "post_transfer('bank', 'wallets:{wallet}', {amount}, idempotency_key => '{key}', \
                     reference => '{key}')"
                ),
                1,
            ),
            5..7 => (format!("post_transfers('{}', '{key}')", batch(false)), count),
            7..9 => (format!("post_transfers('{}', on_error => 'report')", batch(true)), count),
            _ => (
                format!(
                    "hold_funds('pool', {amount}, 'wallets:{wallet}', idempotency_key => '{key} hold', \
                     reference => '{key}') h, wallet_ledger.capture_hold(h.id, idempotency_key => '{key}')"
                ),
                1,
            ),
        };
        let sql = format!("SELECT count(*) FROM wallet_ledger.{call}");
        Work { key, sql, transfers, acknowledged: false }
    }
}

/// Posts until the server is gone.
async fn post(
    client: Client,
    round: u32,
    session: u64,
    mut rng: ChaCha8Rng,
    killed: Arc<AtomicBool>,
) -> Vec<Work> {
    let mut done: Vec<Work> = Vec::new();
    loop {
        let mut work = Work::new(format!("{round}/{session}/{}", done.len()), &mut rng);
        let result = try_lines(&client, &work.sql).await;
        work.acknowledged = result.is_ok();
        done.push(work);
        if let Err(error) = result {
            let kind = error.as_db_error().map(|db| db.code().code().to_owned());
            // 57P01 and 57P02: the children of a dead postmaster say good-bye.
            assert!(
                killed.load(Ordering::SeqCst) && kind.as_ref().is_none_or(|code| code.starts_with("57P")),
                "{}: {}",
                done.last().expect("just pushed").sql,
                cluster::explain(&error)
            );
            return done;
        }
    }
}

/// SIGKILL to the postmaster, and in every other round to all of its children at the same time.
async fn kill(cluster: &Cluster, all: bool) {
    if !all {
        Cluster::script(&cluster_name(), SETTINGS, "kill").await;
        return;
    }
    let pid_file = std::fs::read_to_string(cluster.data.join("postmaster.pid")).expect("the server runs");
    let postmaster = pid_file.lines().next().expect("its first line").to_owned();
    let mut victims = vec![postmaster.clone()];
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        // "pid (name) state ppid …"
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        if parent == Some(postmaster.as_str()) {
            victims.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    // The shell's own `kill`: a small Debian has no program of that name.
    run(Command::new("bash").arg("-c").arg(format!("kill -KILL {}", victims.join(" ")))).await;
}

/// How many transfers each call of the round has left.
async fn found(client: &Client, round: u32) -> BTreeMap<String, i64> {
    let sql = format!(
        "SELECT reference, count(*) FROM wallet_data.transfers WHERE reference LIKE '{round}/%' GROUP BY 1"
    );
    lines(client, &sql)
        .await
        .iter()
        .map(|row| (row["reference"].to_owned(), row["count"].parse().unwrap()))
        .collect()
}

#[derive(Default, Debug)]
struct Figures {
    acknowledged: usize,
    unacknowledged: usize,
    unacknowledged_but_there: usize,
    transfers: i64,
}

async fn open_books(db: &TestDb) {
    let client = db.connect().await;
    execute(&client, "CREATE EXTENSION wallet_ledger; CREATE EXTENSION amcheck").await;
    execute(&client, "SELECT wallet_ledger.install(); SELECT wallet_ledger.create_ledger('main')").await;
    call(&client, "create_account('bank', 'asset')").await;
    call(&client, "create_account('pool', 'liability', minimum_balance => 0, stripes => 4)").await;
    for number in 0..WALLETS {
        call(&client, &format!("open_wallet('{number}')")).await;
    }
    // Every stripe has enough for every hold.
    for _ in 0..40 {
        call(&client, "post_transfer('bank', 'pool', 1000000)").await;
    }
}

async fn round(db: &TestDb, seed: Seed, round: u32, figures: &mut Figures) {
    let killed = Arc::new(AtomicBool::new(false));
    let mut rng = seed.rng(u64::from(round) << 8);
    let sessions = join_all((0..SESSIONS).map(|_| db.app())).await;
    let posting: Vec<_> = (0..SESSIONS)
        .zip(sessions)
        .map(|(number, client)| {
            let rng = seed.rng((u64::from(round) << 8) + number + 1);
            tokio::spawn(post(client, round, number, rng, killed.clone()))
        })
        .collect();
    // Not a wait for anything: the moment of the crash is random.
    tokio::time::sleep(Duration::from_millis(rng.random_range(100..900))).await;
    killed.store(true, Ordering::SeqCst);
    kill(&db.cluster, round % 2 == 1).await;
    let work: Vec<Work> =
        join_all(posting).await.into_iter().flat_map(|done| done.expect("no session panics")).collect();

    Cluster::script(&cluster_name(), SETTINGS, "start").await;
    let client = db.app().await;
    let root = db.connect().await;
    assert_sound(&root).await;
    let there = found(&client, round).await;
    for work in &work {
        let count = there.get(&work.key).copied().unwrap_or_default();
        if work.acknowledged {
            assert_eq!(count, work.transfers, "acknowledged and not there once: {}", work.sql);
            figures.acknowledged += 1;
        } else {
            assert!(count == 0 || count == work.transfers, "{count} transfers are half of: {}", work.sql);
            figures.unacknowledged += 1;
            figures.unacknowledged_but_there += usize::from(count > 0);
        }
    }
    for work in work.iter().filter(|work| !work.acknowledged) {
        try_lines(&client, &work.sql)
            .await
            .unwrap_or_else(|e| panic!("{}: {}", work.sql, cluster::explain(&e)));
    }
    let there = found(&client, round).await;
    let expected: BTreeMap<String, i64> = work.into_iter().map(|work| (work.key, work.transfers)).collect();
    assert_eq!(there, expected, "after the retries every call is there exactly once");
    figures.transfers += expected.values().sum::<i64>();
    assert_sound(&root).await;
    let mut amcheck = db.cluster.program("pg_amcheck");
    run(amcheck.args(["--heapallindexed", "--parent-check", "--database", &db.name])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let seed = Seed::from_env_or_random("crash");
    let rounds = if long() { 20 } else { 3 };
    // What a failed run has left, for looking at, is in the way now.
    Cluster::script(&cluster_name(), SETTINGS, "destroy").await;
    let cluster = Cluster::start(&cluster_name(), SETTINGS).await;
    let db = TestDb::create(&cluster, "crash", "template0").await;
    open_books(&db).await;
    let begun = Instant::now();
    let mut figures = Figures::default();
    for number in 1..=rounds {
        round(&db, seed, number, &mut figures).await;
    }
    println!("{rounds} rounds in {:.0} s: {figures:?}", begun.elapsed().as_secs_f64());
    assert!(
        figures.acknowledged > 0 && figures.unacknowledged > 0,
        "the crashes came under load: {figures:?}"
    );
    drop(db);
    Cluster::script(&cluster_name(), SETTINGS, "destroy").await;
}
