//! Proves that balance() and statement() tell the truth of the transfers: over random histories with
//! back-dated and future-dated transfers and all kinds of holds, every balance at every interesting
//! moment equals a naive recomputation; a statement read page by page while other sessions post has
//! every line exactly once; its opening and closing balances and counts are those of its window; a page
//! of a long history reads no more than one of a short; and nothing of it writes.

use rand::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wallet_ledger_tests::*;

/// Every account at every moment by both times, beside a plain sum over all its transfers and holds.
/// Returns the rows that differ.
const DIFFERENCES: &str = "
    WITH moments AS (
        SELECT DISTINCT t.at + s.shift AS at
        FROM (SELECT created_at FROM wallet_data.transfers UNION SELECT effective_at FROM wallet_data.transfers
              UNION SELECT created_at FROM wallet_data.holds UNION SELECT resolved_at FROM wallet_data.holds
              UNION SELECT expires_at FROM wallet_data.holds) t (at)
        CROSS JOIN (VALUES (INTERVAL '0'), (INTERVAL '1 microsecond'), (INTERVAL '-1 microsecond')) s (shift)
        WHERE isfinite(t.at))
    SELECT a.account, m.at, y.basis, b.posted, n.posted AS naive_posted, b.held, h.held AS naive_held,
           b.version, n.version AS naive_version
    FROM moments m
    CROSS JOIN wallet_ledger.accounts a
    CROSS JOIN (VALUES ('posted'), ('effective')) y (basis)
    CROSS JOIN LATERAL wallet_ledger.balance(a.account, m.at, y.basis) b
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(e.amount), 0) AS posted, count(*) AS version FROM wallet_ledger.entries e
        WHERE e.account = a.account
          AND CASE y.basis WHEN 'posted' THEN e.created_at ELSE e.effective_at END <= m.at) n
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(h.amount), 0) AS held
        FROM wallet_data.holds h JOIN wallet_data.accounts r USING (ledger_id, account_id)
        WHERE r.address = a.account AND h.created_at <= m.at
          AND least(h.resolved_at, h.expires_at) > m.at) h
    WHERE b.posted <> n.posted OR b.held <> h.held OR b.available <> n.posted - h.held OR b.at <> m.at
       OR b.time_basis <> y.basis
       OR b.version IS DISTINCT FROM CASE y.basis WHEN 'posted' THEN n.version END";

/// A history of some dozens of calls over plain and striped accounts.
async fn random_history(client: &Client, seed: Seed, stream: u64, calls_made: u32) {
    let mut rng = seed.rng(stream);
    let accounts = ["bank", "shop", "wallets:a", "wallets:b", "float"];
    let mut holds: Vec<String> = Vec::new();
    for _ in 0..calls_made {
        let from = rng.random_range(0..accounts.len());
        let to = (from + rng.random_range(1..accounts.len())) % accounts.len();
        let (from, to) = (accounts[from], accounts[to]);
        let amount = format!("{}.{:02}", rng.random_range(0..50), rng.random_range(1..100));
        let call = match rng.random_range(0..10) {
            0..4 => format!("post_transfer('{from}', '{to}', {amount})"),
            4..7 => {
                let seconds = rng.random_range(-300..300);
                format!(
                    "post_transfer('{from}', '{to}', {amount}, \
                     effective_at => clock_timestamp() + INTERVAL '{seconds} seconds')"
                )
            }
            7 | 8 => {
                let expires = match rng.random_range(0..3) {
                    0 => "NULL",
                    1 => "clock_timestamp() + INTERVAL '10 milliseconds'",
                    _ => "clock_timestamp() + INTERVAL '1 hour'",
                };
                format!("hold_funds('{from}', {amount}, '{to}', {expires})")
            }
            _ if holds.is_empty() => continue,
            _ => {
                let hold = holds.swap_remove(rng.random_range(0..holds.len()));
                if rng.random() {
                    format!("capture_hold('{hold}')")
                } else {
                    format!("release_hold('{hold}')")
                }
            }
        };
        // Some are refused, for want of money or because the hold has expired: also a history.
        if let Ok(line) = try_call(client, &call).await
            && call.starts_with("hold_funds")
        {
            holds.push(line["id"].to_owned());
        }
    }
}

#[tokio::test]
async fn every_balance_at_every_moment_equals_a_plain_sum() {
    let seed = Seed::from_env_or_random("reading");
    for stream in 0..if long() { 20 } else { 2 } {
        let (db, client) = books("at").await;
        call(&client, "create_account('float', 'liability', minimum_balance => 0, stripes => 3)").await;
        // Two sessions, so that the striped account's money lies on several stripes.
        let other = db.app().await;
        tokio::join!(
            random_history(&client, seed, 2 * stream, 60),
            random_history(&other, seed, 2 * stream + 1, 60)
        );
        let moments = value(
            &client,
            "SELECT count(DISTINCT created_at) > 50 AND count(*) FILTER (WHERE effective_at < created_at) > 5
                 AND count(*) FILTER (WHERE effective_at > created_at) > 5 FROM wallet_data.transfers",
        )
        .await;
        assert_eq!(moments, "t", "the history is too poor to prove anything");
        assert_eq!(lines(&client, DIFFERENCES).await, Vec::new());
        // Now is the last moment.
        let now = "SELECT a.account FROM wallet_ledger.accounts a
                   CROSS JOIN LATERAL wallet_ledger.balance(a.account) b
                   CROSS JOIN LATERAL wallet_ledger.balance(a.account, at => clock_timestamp()) c
                   CROSS JOIN LATERAL wallet_ledger.balance(a.account, time_basis => 'effective') d
                   CROSS JOIN LATERAL wallet_ledger.balance(a.account, clock_timestamp(), 'effective') e
                   WHERE (a.posted, a.held, a.available, a.version) <> (b.posted, b.held, b.available, b.version)
                      OR (a.posted, a.held, a.available, a.version) <> (c.posted, c.held, c.available, c.version)
                      OR (d.posted, d.held, d.available) <> (e.posted, e.held, e.available)";
        assert_eq!(lines(&client, now).await, Vec::new());
        verify_clean(&client).await;
    }
}

#[tokio::test]
async fn the_two_times_differ_as_documented() {
    let (_db, client) = books("times").await;
    let before = value(&client, "SELECT clock_timestamp()").await;
    call(&client, "post_transfer('wallets:a', 'shop', 100, effective_at => '2020-01-01 00:00:00Z')").await;
    call(&client, "post_transfer('wallets:a', 'shop', 10, effective_at => '2120-01-01 00:00:00Z')").await;
    let ask = async |at: &str, basis: &str| {
        let line = call(&client, &format!("balance('shop', {at}, '{basis}')")).await;
        line.pick(["posted", "version"]).map(str::to_owned)
    };
    let before = format!("'{before}'");
    assert_eq!(ask(&before, "posted").await, ["0.00", "0"]);
    assert_eq!(ask(&before, "effective").await, ["100.00", "NULL"]);
    assert_eq!(ask("'2019-12-31 00:00:00Z'", "effective").await, ["0.00", "NULL"]);
    assert_eq!(ask("NULL", "posted").await, ["110.00", "2"]);
    assert_eq!(ask("NULL", "effective").await, ["100.00", "NULL"]);
    assert_eq!(ask("'2119-12-31 00:00:00Z'", "posted").await, ["110.00", "2"]);
    assert_eq!(ask("'2120-01-01 00:00:00Z'", "effective").await, ["110.00", "NULL"]);
    // A hold that will have expired is gone in a balance of that day.
    call(&client, "hold_funds('wallets:a', 5, expires_at => '2119-01-01 00:00:00Z')").await;
    let held =
        async |at: &str| call(&client, &format!("balance('wallets:a', {at})")).await["held"].to_owned();
    assert_eq!(held("NULL").await, "5.00");
    assert_eq!(held("'2118-12-31 23:59:59Z'").await, "5.00");
    assert_eq!(held("'2119-01-01 00:00:00Z'").await, "0.00");
}

#[tokio::test]
async fn paging_has_every_line_once_while_sessions_post() {
    let (db, client) = books("paging").await;
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let name = db.name.clone();
            tokio::spawn(async move {
                let client = Cluster::get().connect(&name).await;
                for n in 0..if long() { 3000 } else { 200 } {
                    let (from, to) = if n % 3 == 0 { ("shop", "bank") } else { ("bank", "shop") };
                    let post = format!("post_transfer('{from}', '{to}', {}.{writer:02})", n + 1);
                    // Some roll back after they have taken a version.
                    let end = if n % 7 == 0 { "ROLLBACK" } else { "COMMIT" };
                    db::execute(&client, &format!("BEGIN; SELECT wallet_ledger.{post}; {end}")).await;
                }
            })
        })
        .collect();
    let watcher = {
        let done = done.clone();
        tokio::spawn(async move {
            for writer in writers {
                writer.await.expect("a writer");
            }
            done.store(true, Ordering::SeqCst);
        })
    };
    let (mut after, mut balance, mut pages, mut seen) = (0_i64, dec!(0), 0, Vec::new());
    loop {
        let finished = done.load(Ordering::SeqCst);
        let page =
            calls(&client, &format!("statement('shop', after_version => {after}, page_size => 7)")).await;
        for line in &page {
            after += 1;
            assert_eq!(line["version"].parse(), Ok(after), "skipped or repeated");
            assert_eq!(line["balance_before"].parse(), Ok(balance));
            balance += line["amount"].parse::<Decimal>().expect("an amount");
            assert_eq!(line["balance_after"].parse(), Ok(balance));
            seen.push(line["transfer_id"].to_owned());
        }
        pages += i32::from(!page.is_empty());
        if finished && page.is_empty() {
            break;
        }
    }
    watcher.await.expect("the watcher");
    let all = "SELECT transfer_id FROM wallet_ledger.entries WHERE account = 'shop' ORDER BY version";
    let all: Vec<String> =
        lines(&client, all).await.iter().map(|line| line["transfer_id"].to_owned()).collect();
    assert_eq!(seen, all);
    assert!(all.len() > 400 && pages > 50, "{} lines in {pages} pages", all.len());
    verify_clean(&client).await;
}

#[tokio::test]
async fn opening_closing_and_counts_are_those_of_the_window() {
    let seed = Seed::from_env_or_random("reading");
    let (_db, client) = books("window").await;
    call(&client, "create_account('float', 'liability', minimum_balance => 0, stripes => 2)").await;
    call(&client, "create_kind('cafe')").await;
    random_history(&client, seed, 100, 60).await;
    for amount in 1..6 {
        call(&client, &format!("post_transfer('bank', 'shop', {amount}, 'cafe', reference => 'r{amount}')"))
            .await;
    }
    let wrong = "
        WITH bounds AS (SELECT created_at AS at FROM wallet_data.transfers ORDER BY transfer_id)
        SELECT w.account, w.kind, f.at, t.at, s.lines, n.lines
        FROM (SELECT at FROM bounds WHERE random() < 0.15 UNION SELECT NULL) f
        CROSS JOIN (SELECT at + INTERVAL '1 microsecond' AS at FROM bounds WHERE random() < 0.15
                    UNION SELECT at FROM bounds WHERE random() < 0.15 UNION SELECT NULL) t
        CROSS JOIN (SELECT * FROM (VALUES ('shop'), ('bank'), ('wallets:a')) a (account)
                    CROSS JOIN (VALUES (NULL), ('cafe'), ('transfer'), ('capture'), ('reversal')) k (kind)) w
        CROSS JOIN LATERAL (
            SELECT coalesce(jsonb_agg(to_jsonb(s) - 'stripe' - 'ledger' ORDER BY version), '[]') AS lines
            FROM wallet_ledger.statement(w.account, f.at, t.at, page_size => 1000, kind => w.kind) s) s
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(e.amount) FILTER (WHERE e.created_at < f.at), 0) AS opening,
                   coalesce(sum(e.amount) FILTER (WHERE t.at IS NULL OR e.created_at < t.at), 0) AS closing,
                   count(*) FILTER (WHERE (f.at IS NULL OR e.created_at >= f.at)
                                      AND (t.at IS NULL OR e.created_at < t.at)
                                      AND (w.kind IS NULL OR e.kind = w.kind)) AS total
            FROM wallet_ledger.entries e WHERE e.account = w.account) b
        CROSS JOIN LATERAL (
            SELECT coalesce(jsonb_agg(to_jsonb(e) - 'stripe' - 'ledger' || jsonb_build_object(
                       'opening_balance', b.opening, 'closing_balance', b.closing, 'total_count', b.total)
                       ORDER BY e.version), '[]') AS lines
            FROM wallet_ledger.entries e
            WHERE e.account = w.account AND (f.at IS NULL OR e.created_at >= f.at)
              AND (t.at IS NULL OR e.created_at < t.at) AND (w.kind IS NULL OR e.kind = w.kind)) n
        WHERE (f.at IS NULL OR t.at IS NULL OR f.at <= t.at) AND s.lines <> n.lines";
    assert_eq!(lines(&client, wrong).await, Vec::new());
    // An empty page has no line, and pages of one kind go on behind the last version.
    assert_eq!(calls(&client, "statement('shop', '2001-01-01', '2002-01-01')").await, Vec::new());
    let mut after = "NULL".to_owned();
    let mut references = Vec::new();
    loop {
        let page = calls(
            &client,
            &format!("statement('shop', after_version => {after}, page_size => 2, kind => 'cafe')"),
        )
        .await;
        let Some(last) = page.last() else { break };
        after = last["version"].to_owned();
        assert!(page.iter().all(|line| &line["total_count"] == "5" && &line["kind"] == "cafe"));
        references.extend(page.iter().map(|line| line["reference"].to_owned()));
    }
    assert_eq!(references, ["r1", "r2", "r3", "r4", "r5"]);
}

#[tokio::test]
async fn a_striped_account_has_a_statement_per_stripe() {
    let (_db, client) = books("stripes").await;
    call(&client, "create_account('float', 'liability', stripes => 4)").await;
    for amount in 1..=12 {
        call(&client, &format!("post_transfer('bank', 'float', {amount})")).await;
    }
    let error = assert_error(try_calls(&client, "statement('float')").await, "invalid_argument", "PT400");
    assert_eq!(error.detail["argument"], "stripe");
    assert_eq!(error.detail["stripes"], 4);
    for stripe in ["0", "5", "-1", "70000"] {
        let call = format!("statement('float', stripe => {stripe})");
        assert_error(try_calls(&client, &call).await, "invalid_argument", "PT400");
    }
    assert_error(try_calls(&client, "statement('shop', stripe => 1)").await, "invalid_argument", "PT400");
    assert_eq!(calls(&client, "statement('bank', stripe => 0)").await.len(), 14);
    let total =
        "SELECT count(*) || ' ' || sum(amount) || ' ' || sum(amount) - max(b.posted) || ' ' || max(b.version)
                 FROM generate_series(1, 4) n
                 CROSS JOIN LATERAL wallet_ledger.statement('float', stripe => n) s
                 CROSS JOIN wallet_ledger.balance('float') b";
    assert_eq!(value(&client, total).await, "12 78.00 0.00 12");
}

#[tokio::test]
async fn bad_questions_are_refused() {
    let (_db, client) = books("questions").await;
    for (call, token, sqlstate) in [
        ("balance(NULL)", "missing_argument", "PT400"),
        ("balance('shop', time_basis => NULL)", "missing_argument", "PT400"),
        ("balance('shop', time_basis => 'Posted')", "invalid_argument", "PT400"),
        ("balance('shop', time_basis => '')", "invalid_argument", "PT400"),
        ("balance('shop', at => 'infinity')", "invalid_argument", "PT400"),
        ("balance('shop', at => '-infinity', time_basis => 'effective')", "invalid_argument", "PT400"),
        ("balance('')", "invalid_address", "PT400"),
        ("balance('shop:')", "invalid_address", "PT400"),
        ("balance('nobody')", "account_not_found", "PT404"),
        ("balance('nobody', at => now())", "account_not_found", "PT404"),
        ("balance('shop', ledger => 'none')", "ledger_not_found", "PT404"),
        ("statement(NULL)", "missing_argument", "PT400"),
        ("statement('nobody')", "account_not_found", "PT404"),
        ("statement('a b')", "invalid_address", "PT400"),
        ("statement('shop', page_size => NULL)", "missing_argument", "PT400"),
        ("statement('shop', page_size => 0)", "invalid_argument", "PT400"),
        ("statement('shop', page_size => 10001)", "invalid_argument", "PT400"),
        ("statement('shop', after_version => -1)", "invalid_argument", "PT400"),
        ("statement('shop', 'infinity')", "invalid_argument", "PT400"),
        ("statement('shop', '2026-01-02', '2026-01-01')", "invalid_argument", "PT400"),
        ("statement('shop', kind => 'no_such')", "kind_not_found", "PT404"),
        ("statement('shop', ledger => 'none')", "ledger_not_found", "PT404"),
    ] {
        let error = assert_error(try_calls(&client, call).await, token, sqlstate);
        assert!(error.message.len() > 10, "{call}: {error:?}");
    }
    assert_eq!(calls(&client, "statement('shop', after_version => 9223372036854775807)").await, Vec::new());
    // An account without postings.
    let empty = call(&client, "balance('wallets:c', at => now())").await;
    assert_eq!(empty.pick(["posted", "held", "available", "version"]), ["0.00", "0.00", "0.00", "0"]);
    assert_eq!(calls(&client, "statement('wallets:c')").await, Vec::new());
}

/// A call in a read-only transaction that assigns no transaction id is one that a standby can run.
#[tokio::test]
async fn reading_writes_nothing_and_auditors_may() {
    let (db, client) = books("read_only").await;
    let soon = "hold_funds('wallets:a', 1, expires_at => clock_timestamp() + INTERVAL '300 milliseconds')";
    let expires_at = call(&client, soon).await["expires_at"].to_owned();
    until(&client, &format!("SELECT now() > '{expires_at}'"), "t").await;
    let auditor = db.connect_as("wallet_auditor").await;
    db::execute(&auditor, "BEGIN READ ONLY").await;
    for question in [
        "balance('wallets:a')",
        "balance('wallets:a', now())",
        "balance('wallets:a', now() - INTERVAL '1 second', 'effective')",
        "balance('wallets:a', NULL, 'effective')",
        "statement('bank')",
        "statement('bank', '2001-01-01', now() + INTERVAL '1 second', 0, 10, 'topup')",
    ] {
        assert!(!calls(&auditor, question).await.is_empty(), "{question}");
    }
    assert_eq!(value(&auditor, "SELECT pg_current_xact_id_if_assigned()").await, "NULL");
    db::execute(&auditor, "COMMIT").await;
}

/// A hole in a history must not look like its end.
#[tokio::test]
async fn a_damaged_history_is_an_error_and_not_a_shorter_one() {
    let (db, client) = books("hole").await;
    for amount in 1..=9 {
        call(&client, &format!("post_transfer('bank', 'shop', {amount})")).await;
    }
    db::execute(
        &db.connect().await,
        "ALTER TABLE wallet_data.transfers DISABLE TRIGGER transfers_append_only;
         DELETE FROM wallet_data.transfers WHERE amount = 5",
    )
    .await;
    assert_eq!(calls(&client, "statement('shop', page_size => 4)").await.len(), 4);
    assert_error(
        try_calls(&client, "statement('shop', page_size => 5)").await,
        "books_inconsistent",
        "PT500",
    );
    assert_error(try_calls(&client, "statement('shop')").await, "books_inconsistent", "PT500");
    assert_eq!(calls(&client, "statement('shop', after_version => 5)").await.len(), 4);
}

/// Pages of the database that a query touches, as PostgreSQL counts them; the second time, when plans and
/// catalogue entries are there.
async fn pages_touched(client: &Client, query: &str) -> u64 {
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {query}");
    value(client, &explain).await;
    let plan: Value = serde_json::from_str(&value(client, &explain).await).expect("a plan");
    let count = |name: &str| plan[0]["Plan"][name].as_u64().unwrap_or_default();
    count("Shared Hit Blocks") + count("Shared Read Blocks")
}

#[tokio::test]
async fn a_page_costs_the_same_however_long_the_history() {
    let db = TestDb::with_ledger("long_history").await;
    let client = db.connect().await;
    let hot = if long() { 1_000_000 } else { 100_000 };
    let script = cluster::root().join("benches/fill.sql");
    let mut psql = db.cluster.program("psql");
    psql.args(["-X", "-d", &db.name, "-v", "accounts=40", "-v", &format!("hot={hot}")]);
    run(psql.args(["-v", &format!("transfers={}", hot + 2_000)]).arg("-f").arg(script)).await;
    let length = value(&client, "SELECT version FROM wallet_ledger.balance('fill:wallets:1')").await;
    assert_eq!(length, "99");
    let statement = |arguments: &str| format!("SELECT * FROM wallet_ledger.statement({arguments})");
    let short = pages_touched(&client, &statement("'fill:wallets:1', after_version => 10")).await;
    for after in [0, 10, hot / 2, hot - 50] {
        let long = statement(&format!("'fill:hot', after_version => {after}"));
        // Six times, so that PostgreSQL may settle on a generic plan.
        for _ in 0..6 {
            let long = pages_touched(&client, &long).await;
            assert!(2 * long <= 3 * short, "{long} pages after {after} of {hot}, {short} of 99");
        }
    }
    // A moment and a window are found by bisection: a few index probes more.
    let middle = value(&client, "SELECT min(created_at) + (max(created_at) - min(created_at)) / 2 FROM wallet_data.transfers WHERE kind_id = 10").await;
    let balance =
        pages_touched(&client, &format!("SELECT * FROM wallet_ledger.balance('fill:hot', '{middle}')")).await;
    let window = pages_touched(&client, &statement(&format!("'fill:hot', '{middle}', now()"))).await;
    assert!(balance < 400 && window < short + 400, "balance {balance}, window {window}, short {short}");
}
