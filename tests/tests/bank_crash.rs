//! Kills the server with SIGKILL while sessions create intents and deliver webhooks, starts it again, and asks
//! again. Every call can be made again: an intent has a key, a webhook and a movement are known by what
//! they are.
//!
//! After each crash a call that was acknowledged gives, made again, the answer that it gave, marked as
//! replayed; one that was not is there whole or not at all. Made again, all of them are there once: every
//! movement that any webhook named is one mutation, every intent that was to be paid is paid. Two rounds:
//! one in which all of the server's processes die at once, one in which only the postmaster does. Twenty in
//! the long form (`WL_LONG=1`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tokio::process::Command;
use wallet_ledger_tests::bank::{
    BCA, BCA_ID, BRI, BRI_ID, SECRET, assert_bank_sound, credit, match_call, set_secret, webhook_call, with,
};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

// Small enough that checkpoints happen while the rounds run.
const SETTINGS: &str = "shared_buffers = '64MB'; checkpoint_timeout = '30s'; max_wal_size = '64MB'";
const SESSIONS: u64 = 8;

/// A server of this test's own.
fn cluster_name() -> String {
    format!("{}_bank_crash", std::env::var("WL_CLUSTER").unwrap_or("test".to_owned()))
}

/// One call and what is known of it.
struct Work {
    call: String,
    /// The movements that it names.
    movements: Vec<String>,
    answer: Option<Line>,
}

/// Creates an intent and delivers its payment, among others, until the server is gone.
async fn work(client: Client, name: String, mut rng: ChaCha8Rng, killed: Arc<AtomicBool>) -> Vec<Work> {
    let mut done: Vec<Work> = Vec::new();
    for number in 0.. {
        let (bank, bank_id) = if rng.random_range(0..3) == 0 { (BRI, BRI_ID) } else { (BCA, BCA_ID) };
        let at = json!({ "bank_id": bank_id, "account_number": null });
        let amount = rng.random_range(10..5000) * 1000;
        let key = format!("{name}/{number}");
        let create =
            format!("create_intent('topup', 'wallets:u', {amount}, '{bank}', idempotency_key => '{key}')");
        if !attempt(&client, &mut done, create, Vec::new(), &killed).await {
            return done;
        }
        let total =
            done.last().and_then(|work| work.answer.as_ref()).expect("acknowledged")["total"].to_owned();
        let mut batch = vec![with(&credit(&format!("pays {key}"), &total), at.clone())];
        // Of nobody, some of them in the webhooks of other sessions as well.
        for other in 0..rng.random_range(0..20) {
            let id = match rng.random_range(0..2) {
                0 => format!("{bank} shared {}", rng.random_range(0..500)),
                _ => format!("{key} {other}"),
            };
            let line = credit(&id, "7000001");
            batch.push(with(
                &line,
                json!({ "bank_id": bank_id, "account_number": null, "date": "2026-11-01" }),
            ));
        }
        let ids = |batch: &[Value]| {
            batch.iter().map(|line| line["mutation_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let alone = rng.random_range(0..4) == 0;
        let (call, movements) = match alone {
            true => (match_call(&batch[0]), ids(&batch[..1])),
            false => (webhook_call(&Value::from(batch.clone()).to_string()), ids(&batch)),
        };
        if !attempt(&client, &mut done, call, movements, &killed).await {
            return done;
        }
    }
    unreachable!("the server is killed before that")
}

/// Makes a call and writes down what came of it; false when the server is gone.
async fn attempt(
    client: &Client,
    done: &mut Vec<Work>,
    call: String,
    movements: Vec<String>,
    killed: &AtomicBool,
) -> bool {
    let result = try_call(client, &call).await;
    if let Err(error) = &result {
        let kind = error.as_db_error().map(|db| db.code().code().to_owned());
        // 57P01 and 57P02: the children of a dead postmaster say good-bye.
        assert!(
            killed.load(Ordering::SeqCst) && kind.as_ref().is_none_or(|code| code.starts_with("57P")),
            "{call}: {}",
            cluster::explain(error)
        );
    }
    done.push(Work { call, movements, answer: result.ok() });
    done.last().is_some_and(|work| work.answer.is_some())
}

/// SIGKILL to the postmaster, or to all of the server's processes at the same time.
async fn kill(cluster: &Cluster, all: bool) {
    let pid_file = std::fs::read_to_string(cluster.data.join("postmaster.pid")).expect("the server runs");
    let postmaster = pid_file.lines().next().expect("its first line").to_owned();
    let mut victims = vec![postmaster.clone()];
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten().filter(|_| all) {
        // "pid (name) state ppid …"
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(postmaster.as_str()) {
            victims.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    run(Command::new("bash").arg("-c").arg(format!("kill -KILL {}", victims.join(" ")))).await;
}

/// How many mutations there are of each movement.
async fn stored(client: &Client) -> BTreeMap<String, String> {
    let sql = "SELECT provider_mutation_id, count(*) FROM wallet_ledger.mutations GROUP BY 1";
    let rows = lines(client, sql).await;
    rows.iter().map(|row| (row["provider_mutation_id"].to_owned(), row["count"].to_owned())).collect()
}

#[derive(Default, Debug)]
struct Figures {
    acknowledged: usize,
    unacknowledged: usize,
    unacknowledged_but_there: usize,
    movements: usize,
}

/// A webhook and an intent give the first answer, marked as replayed. A movement alone is a duplicate.
fn same_answer(first: &Line, again: &Line, work: &Work) {
    if work.call.starts_with("match_mutation(") {
        assert_eq!(again.pick(["outcome", "reasons"]), ["duplicate", "{matched}"], "{}", work.call);
        let ids = ["mutation_id", "intent_id", "transaction_id"];
        assert_eq!(again.pick(ids), first.pick(ids), "{}", work.call);
    } else {
        assert_eq!(again.without(&["replayed"]), first.without(&["replayed"]), "{}", work.call);
        assert_eq!(&again["replayed"], "t", "{}", work.call);
    }
}

async fn round(
    db: &TestDb,
    seed: Seed,
    round: u64,
    everything: &mut BTreeSet<String>,
    figures: &mut Figures,
) {
    let killed = Arc::new(AtomicBool::new(false));
    let mut rng = seed.rng(round << 8);
    let sessions = join_all((0..SESSIONS).map(|_| db.app())).await;
    let working: Vec<_> = (0..SESSIONS)
        .zip(sessions)
        .map(|(number, client)| {
            let rng = seed.rng((round << 8) + number + 1);
            tokio::spawn(work(client, format!("{round}/{number}"), rng, killed.clone()))
        })
        .collect();
    // Not a wait for anything: the moment of the crash is random.
    tokio::time::sleep(Duration::from_millis(rng.random_range(400..1200))).await;
    killed.store(true, Ordering::SeqCst);
    kill(&db.cluster, round % 2 == 1).await;
    let work: Vec<Work> =
        join_all(working).await.into_iter().flat_map(|done| done.expect("no session panics")).collect();

    Cluster::script(&cluster_name(), SETTINGS, "start").await;
    let client = db.app().await;
    let root = db.connect().await;
    assert_bank_sound(&root).await;
    let there = stored(&client).await;
    for work in work.iter().filter(|work| work.answer.is_some()) {
        assert!(
            work.movements.iter().all(|id| there.get(id).is_some_and(|count| count == "1")),
            "{}",
            work.call
        );
        figures.acknowledged += 1;
    }
    for work in &work {
        let again = call(&client, &work.call).await;
        match &work.answer {
            Some(first) => same_answer(first, &again, work),
            None => {
                figures.unacknowledged += 1;
                let was_there = match work.call.starts_with("match_mutation(") {
                    true => &again["outcome"] == "duplicate",
                    false => &again["replayed"] == "t",
                };
                figures.unacknowledged_but_there += usize::from(was_there);
                same_answer(&again, &call(&client, &work.call).await, work);
            }
        }
        everything.extend(work.movements.iter().cloned());
    }
    let there = stored(&client).await;
    assert!(there.values().all(|count| count == "1"));
    assert_eq!(there.into_keys().collect::<BTreeSet<_>>(), *everything, "every movement is one mutation");
    // Whoever came as far as a payment is paid, once.
    let sql = "SELECT count(*) FROM wallet_ledger.mutations m LEFT JOIN wallet_ledger.intents i ON i.mutation_id = m.id
               WHERE m.provider_mutation_id LIKE 'pays %' AND (i.status IS DISTINCT FROM 'paid' OR i.total <> m.amount)";
    assert_eq!(value(&client, sql).await, "0");
    let sql = "SELECT concat_ws(' ', (SELECT sum(amount) FROM wallet_ledger.intents WHERE status = 'paid'),
                      (SELECT posted FROM wallet_ledger.accounts WHERE account = 'wallets:u'))";
    let sums = value(&client, sql).await;
    assert!(sums.split_once(' ').is_some_and(|(intents, wallet)| intents == wallet), "{sums}");
    assert_bank_sound(&root).await;
    let mut amcheck = db.cluster.program("pg_amcheck");
    run(amcheck.args(["--heapallindexed", "--parent-check", "--database", &db.name])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_came_in_is_there_once_after_a_crash() {
    let seed = Seed::from_env_or_random("bank_crash");
    let rounds = if long() { 20 } else { 2 };
    // What a failed run has left, for looking at, is in the way now.
    Cluster::script(&cluster_name(), SETTINGS, "destroy").await;
    let cluster = Cluster::start(&cluster_name(), SETTINGS).await;
    let db = TestDb::create(&cluster, "bank_crash", "template0").await;
    let client = db.connect().await;
    execute(&client, "CREATE EXTENSION wallet_ledger; CREATE EXTENSION amcheck").await;
    execute(&client, "SELECT wallet_ledger.install(); SELECT wallet_ledger.create_ledger('main')").await;
    call(&client, "open_wallet('u')").await;
    for (account, id) in [(BCA, BCA_ID), (BRI, BRI_ID)] {
        call(&client, &format!("register_bank_account('{account}', 'moota', '{id}')")).await;
    }
    set_secret(&client, "moota", SECRET).await;
    let begun = Instant::now();
    let (mut everything, mut figures) = (BTreeSet::new(), Figures::default());
    for number in 1..=rounds {
        round(&db, seed, number, &mut everything, &mut figures).await;
    }
    figures.movements = everything.len();
    println!("{rounds} rounds in {:.0} s: {figures:?}", begun.elapsed().as_secs_f64());
    assert!(
        figures.acknowledged > 0 && figures.unacknowledged > 0,
        "the crashes came under load: {figures:?}"
    );
    drop(db);
    Cluster::script(&cluster_name(), SETTINGS, "destroy").await;
}
