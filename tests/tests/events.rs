//! Proves that a consumer who polls misses nothing and sees nothing twice: a slow transaction's rows hold
//! the cursor back instead of being skipped, pages of any size add up to the whole, and positions go on
//! upwards in a restored copy whose transaction ids are younger. And that NOTIFY is silent unless asked.

use futures::future::join_all;
use rand::Rng;
use wallet_ledger_tests::*;

/// Reads on from a cursor, page by page, until nothing comes.
async fn poll(client: &Client, function: &str, cursor: &mut Option<String>, page: usize) -> Vec<Line> {
    let mut seen = Vec::new();
    loop {
        let after = cursor.as_ref().map_or("NULL".to_owned(), |cursor| format!("'{cursor}'"));
        let rows = calls(client, &format!("{function}({after}, {page})")).await;
        assert!(rows.len() <= page);
        let Some(last) = rows.last() else { return seen };
        *cursor = Some(last["cursor"].to_owned());
        seen.extend(rows);
    }
}

/// Waits until every transaction that has begun so far, in any database of the server, has ended: until
/// then they hold the cursor back, and other tests run beside this one.
async fn settled(client: &Client) {
    let now = value(client, "SELECT pg_current_xact_id()").await;
    let past = format!("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > {now}");
    until(client, &past, "t").await;
}

fn references(rows: &[Line]) -> Vec<&str> {
    rows.iter().map(|row| &row["reference"]).collect()
}

#[tokio::test]
async fn a_slow_transaction_is_never_skipped() {
    let (db, client) = books("slow").await;
    let (slow, fast) = (db.app().await, db.app().await);
    let (mut transfers, mut events) = (None, None);
    settled(&client).await;
    assert_eq!(poll(&client, "poll_transfers", &mut transfers, 100).await.len(), 2);
    poll(&client, "poll_events", &mut events, 100).await;
    db::execute(&slow, "BEGIN").await;
    call(&slow, "post_transfer('wallets:a', 'shop', 1, reference => 'slow-1')").await;
    call(&slow, "hold_funds('wallets:a', 1)").await;
    call(&fast, "post_transfer('wallets:b', 'bank', 1, reference => 'fast')").await;
    call(&fast, "freeze_account('wallets:b')").await;
    // The fast one is committed and visible, and still behind the horizon.
    assert_eq!(poll(&client, "poll_transfers", &mut transfers, 100).await, []);
    assert_eq!(poll(&client, "poll_events", &mut events, 100).await, []);
    call(&slow, "post_transfer('wallets:a', 'shop', 2, reference => 'slow-2')").await;
    db::execute(&slow, "COMMIT").await;
    settled(&client).await;
    let seen = poll(&client, "poll_transfers", &mut transfers, 1).await;
    assert_eq!(references(&seen), ["slow-1", "slow-2", "fast"]);
    let seen = poll(&client, "poll_events", &mut events, 1).await;
    assert_eq!(seen.iter().map(|row| &row["topic"]).collect::<Vec<_>>(), ["hold.created", "account.frozen"]);
    // A slow one that rolls back leaves nothing and holds nobody back.
    db::execute(&slow, "BEGIN").await;
    call(&slow, "post_transfer('wallets:a', 'shop', 1, reference => 'never')").await;
    call(&fast, "post_transfer('bank', 'wallets:c', 1, reference => 'after')").await;
    assert_eq!(poll(&client, "poll_transfers", &mut transfers, 100).await, []);
    db::execute(&slow, "ROLLBACK").await;
    settled(&client).await;
    let seen = poll(&client, "poll_transfers", &mut transfers, 100).await;
    assert_eq!(references(&seen), ["after"]);
}

#[tokio::test]
async fn pages_of_any_size_return_every_row_once() {
    let seed = Seed::from_env_or_random("events");
    let (db, client) = books("pages").await;
    let writers = join_all((0..4).map(|_| db.app())).await;
    let write = writers.iter().enumerate().map(|(index, writer)| async move {
        let mut rng = seed.rng(index as u64);
        for _ in 0..30 {
            match rng.random_range(0..4) {
                0 => drop(call(writer, "post_transfer('bank', 'wallets:a', 1)").await),
                1 => drop(call(writer, "hold_funds('shop', 1)").await),
                2 => {
                    let count = rng.random_range(1..40);
                    let sql = format!(
                        "post_transfers((SELECT jsonb_agg('{{\"debit_account\": \"bank\", \
                         \"credit_account\": \"wallets:b\", \"amount\": 1}}'::jsonb) FROM generate_series(1, {count})))"
                    );
                    calls(writer, &sql).await;
                }
                _ => {
                    db::execute(writer, "BEGIN").await;
                    call(writer, "post_transfer('bank', 'wallets:c', 1)").await;
                    call(writer, "hold_funds('shop', 1)").await;
                    call(writer, "post_transfer('bank', 'wallets:c', 1)").await;
                    db::execute(writer, if rng.random() { "COMMIT" } else { "ROLLBACK" }).await;
                }
            }
        }
    });
    // One consumer follows while they write, others read afterwards in pages of another size.
    let mut followed = [Vec::new(), Vec::new()];
    let mut cursors = [None, None];
    let follow = async {
        let mut rng = seed.rng(99);
        loop {
            for (place, function) in ["poll_transfers", "poll_events"].into_iter().enumerate() {
                let page = rng.random_range(1..60);
                followed[place].extend(poll(&client, function, &mut cursors[place], page).await);
            }
            if value(&client, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42")
                .await
                == "0"
            {
                return;
            }
        }
    };
    let guard = db.app().await;
    db::execute(&guard, "SELECT pg_advisory_lock(42)").await;
    let written = async {
        join_all(write).await;
        db::execute(&guard, "SELECT pg_advisory_unlock(42)").await;
    };
    tokio::join!(written, follow);
    settled(&client).await;
    for (place, (function, table)) in
        [("poll_transfers", "transfers"), ("poll_events", "events")].into_iter().enumerate()
    {
        followed[place].extend(poll(&client, function, &mut cursors[place], 1000).await);
        let order = |rows: &[Line]| rows.iter().map(|row| row["id"].to_owned()).collect::<Vec<_>>();
        for page in [1, 7, 10_000] {
            let again = poll(&client, function, &mut None, page).await;
            assert_eq!(order(&again), order(&followed[place]), "{function} in pages of {page}");
        }
        let mut ids = order(&followed[place]);
        ids.sort_unstable();
        ids.dedup();
        let count = value(&client, &format!("SELECT count(*) FROM wallet_ledger.{table}")).await;
        assert_eq!((ids.len(), followed[place].len()), (count.parse().unwrap(), ids.len()));
    }
    // An account's versions are all there: a consumer can put them in order and fold balances.
    let credits = followed[0].iter().filter(|row| &row["credit_account"] == "wallets:b");
    let mut versions: Vec<usize> = credits.map(|row| row["credit_version"].parse().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=versions.len()).collect::<Vec<_>>());
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_polled_transfer_tells_what_the_view_tells() {
    let (_db, client) = books("same").await;
    let id = call(
        &client,
        "post_transfer('wallets:a', 'shop', 1, 'payment', reference => 'r', description => 'd', \
                            metadata => '{\"a\": 1}', effective_at => '2026-01-01')",
    )
    .await["id"]
        .to_owned();
    call(&client, &format!("reverse_transfer('{id}', 0.5, 'half')")).await;
    settled(&client).await;
    let view = lines(&client, "SELECT * FROM wallet_ledger.transfers ORDER BY id").await;
    let polled = calls(&client, "poll_transfers()").await;
    let polled: Vec<_> = polled.iter().map(|row| row.without(&["cursor"])).collect();
    assert_eq!(polled, view);
    // Each ledger has its own line.
    call(&client, "create_ledger('other')").await;
    assert_eq!(calls(&client, "poll_transfers(ledger => 'other')").await, []);
}

#[tokio::test]
async fn notify_is_sent_only_when_asked_for() {
    let (db, _client) = books("notify").await;
    let script = "LISTEN news; LISTEN wallet_ledger;\n\
                  SELECT state FROM wallet_ledger.freeze_account('wallets:a');\n\
                  SET wallet_ledger.notify_channel = 'news';\n\
                  SELECT 'asked';\n\
                  SELECT state FROM wallet_ledger.unfreeze_account('wallets:a');\n\
                  BEGIN; SELECT wallet_ledger.freeze_account('wallets:b'); ROLLBACK;\n\
                  SELECT amount FROM wallet_ledger.post_transfer('wallets:a', 'shop', 1);\n";
    let file = std::env::temp_dir().join(format!("{}.sql", db.name));
    std::fs::write(&file, script).unwrap();
    let said = run(db.cluster.program("psql").args(["-X", "-At", "-d", &db.name, "-f"]).arg(&file)).await;
    std::fs::remove_file(&file).unwrap();
    let notice = "Asynchronous notification \"news\" with payload \"main\" received";
    assert_eq!(said.matches("Asynchronous").count(), 1, "{said}");
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("no {text} in {said}"));
    assert!(at("asked") < at(notice), "{said}");
}

/// A dump restored into a younger cluster: positions there are far above the new transaction ids.
#[tokio::test]
async fn positions_go_on_upwards_in_a_younger_cluster() {
    let (db, client) = books("younger").await;
    call(&client, "freeze_account('wallets:b')").await;
    let superuser = db.connect().await;
    db::execute(
        &superuser,
        "UPDATE wallet_data.timeline SET system_identifier = 1, position_offset = 500; \
         INSERT INTO wallet_data.events SELECT ledger_id, gen_random_uuid(), 1000000000000, now(), 'old.topic', 'x', '{}' \
         FROM wallet_data.ledgers",
    )
    .await;
    // As a restore has it: nobody is connected yet, so nothing is cached.
    let fresh = db.app().await;
    let (mut events, mut transfers) = (None, None);
    let seen = poll(&fresh, "poll_events", &mut events, 10).await;
    assert_eq!(&seen.last().unwrap()["topic"], "old.topic", "before the first write everything is committed");
    poll(&fresh, "poll_transfers", &mut transfers, 10).await;
    let writers = join_all((0..6).map(|_| db.app())).await;
    join_all(writers.iter().map(|writer| async move {
        call(writer, "hold_funds('shop', 1)").await;
        call(writer, "post_transfer('bank', 'wallets:a', 1)").await;
    }))
    .await;
    settled(&fresh).await;
    let seen = poll(&fresh, "poll_events", &mut events, 4).await;
    assert_eq!(seen.len(), 6, "{seen:?}");
    assert!(seen.iter().all(|row| &row["topic"] == "hold.created"));
    assert_eq!(poll(&fresh, "poll_transfers", &mut transfers, 4).await.len(), 6);
    let above =
        "SELECT bool_and(position > 1000000000000) FROM wallet_data.events WHERE topic = 'hold.created'";
    assert_eq!(value(&superuser, above).await, "t");
    let identifier = "SELECT system_identifier = (SELECT system_identifier FROM pg_control_system()) FROM wallet_data.timeline";
    assert_eq!(value(&superuser, identifier).await, "t");
    // The slow transaction still holds the cursor back, offset and all.
    let slow = db.app().await;
    db::execute(&slow, "BEGIN").await;
    call(&slow, "hold_funds('shop', 1)").await;
    call(&fresh, "hold_funds('bank', 1)").await;
    assert_eq!(poll(&fresh, "poll_events", &mut events, 4).await, []);
    db::execute(&slow, "COMMIT").await;
    settled(&fresh).await;
    assert_eq!(poll(&fresh, "poll_events", &mut events, 4).await.len(), 2);
}

/// What an application puts into a transfer's metadata comes out as it went in, whatever parsers of JSON make of it.
#[tokio::test]
async fn numbers_of_any_size_stop_no_consumer() {
    let (_db, client) = books("digits").await;
    settled(&client).await;
    let mut cursor = None;
    poll(&client, "poll_transfers", &mut cursor, 100).await;
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    for metadata in
        [r#"{"n": 1e400}"#, r#"{"n": 123456789012345678901234567890.5}"#, &format!(r#"{{"n": {deep}}}"#)]
    {
        call(&client, &format!("post_transfer('wallets:a', 'shop', 1, metadata => '{metadata}')")).await;
        settled(&client).await;
        let seen = poll(&client, "poll_transfers", &mut cursor, 100).await;
        let same = format!("SELECT '{}'::jsonb = '{metadata}'::jsonb", &seen[0]["metadata"]);
        assert_eq!((seen.len(), value(&client, &same).await.as_str()), (1, "t"), "{metadata}");
    }
}

/// What people write is in the payload as they wrote it, and the jsonb is the one that PostgreSQL itself would have
/// made: the same bytes.
#[tokio::test]
async fn a_payload_is_what_postgresql_would_have_made() {
    let (_db, client) = books("payloads").await;
    let long = "é😀".repeat(100);
    for reason in ["", "\"quoted\" \\ and / 'too'", "\u{1}\t\r\n\u{7f}", "Budi 😀 \u{2028}", "\\u0041", &long]
    {
        let reason = reason.replace('\'', "''");
        for function in ["freeze_account", "unfreeze_account"] {
            call(&client, &format!("{function}('wallets:a', '{reason}')")).await;
        }
        let sql = format!(
            "SELECT count(*) FILTER (WHERE jsonb_send(payload) = jsonb_send(given) AND payload = given
                                       AND pg_column_size(payload) = pg_column_size(given))
             FROM (SELECT payload, jsonb_build_object('account', 'wallets:a', 'reason', '{reason}'::text) AS given
                   FROM wallet_data.events ORDER BY position DESC LIMIT 2) last"
        );
        assert_eq!(value(&client, &sql).await, "2", "{reason:?}");
    }
    call(&client, "freeze_account('wallets:a')").await;
    let sql = "SELECT payload::text FROM wallet_data.events ORDER BY position DESC LIMIT 1";
    assert_eq!(value(&client, sql).await, r#"{"reason": null, "account": "wallets:a"}"#);
}
