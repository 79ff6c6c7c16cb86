//! A random month of a marketplace, in two ledgers and three currencies; then every report against the books.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use wallet_ledger_tests::*;

/// A ledger's books in one currency.
#[derive(Clone, Copy)]
struct Market {
    ledger: &'static str,
    currency: &'static str,
    tag: &'static str,
}

const MARKETS: [Market; 3] = [
    Market { ledger: "main", currency: "IDR", tag: "idr" },
    Market { ledger: "main", currency: "USD", tag: "usd" },
    Market { ledger: "sg", currency: "SGD", tag: "sgd" },
];

/// What may be refused on the way: it is chance whether there is enough.
const REFUSALS: [&str; 6] = [
    "insufficient_funds",
    "escrow_closed",
    "escrow_disputed",
    "release_exceeds_escrow",
    "refund_exceeds_payment",
    "reversal_exceeds_original",
];

/// A view's sums on the left, the books' on the right; both by ledger, currency and what else is compared.
const TIES: &[(&str, &str, &str)] = &[
    (
        "money in escrow",
        "SELECT ledger, currency, '' AS key, sum(held_amount) FROM wallet_ledger.escrow_report GROUP BY 1, 2",
        "SELECT ledger, currency, '', sum(credit_balance - debit_balance) FROM wallet_ledger.trial_balance
         WHERE account LIKE 'escrows:%' GROUP BY 1, 2",
    ),
    (
        "fees",
        "SELECT ledger, currency, fee_account, sum(net_fee_amount) FROM wallet_ledger.fee_report GROUP BY 1, 2, 3",
        "SELECT ledger, currency, account, credit_balance - debit_balance FROM wallet_ledger.trial_balance
         WHERE account LIKE 'platform:revenue:%'",
    ),
    (
        "fees by escrow",
        "SELECT ledger, currency, reference, sum(net_fee_amount) FROM wallet_ledger.fee_report GROUP BY 1, 2, 3",
        "SELECT ledger, currency, reference, sum(CASE side WHEN 'credit' THEN abs(amount) ELSE -abs(amount) END)
         FROM wallet_ledger.entries WHERE account LIKE 'platform:revenue:%' GROUP BY 1, 2, 3",
    ),
    (
        "refunds",
        "SELECT ledger, currency, reference, sum(amount) FROM wallet_ledger.refund_report GROUP BY 1, 2, 3",
        "SELECT ledger, currency, reference, sum(amount) FROM wallet_ledger.transfers
         WHERE kind = 'refund' GROUP BY 1, 2, 3",
    ),
    (
        "where refunds came from",
        "SELECT ledger, currency, p.key, sum(p.amount) FROM wallet_ledger.refund_report r CROSS JOIN LATERAL (VALUES
             ('escrows', r.from_escrow_amount), ('wallets', r.from_sellers_amount), ('platform', r.from_fees_amount),
             ('receivables', r.advanced_amount)) AS p (key, amount) GROUP BY 1, 2, 3",
        "SELECT ledger, currency, split_part(debit_account, ':', 1), sum(amount) FROM wallet_ledger.transfers
         WHERE kind = 'refund' GROUP BY 1, 2, 3",
    ),
    (
        "what sellers owe",
        "SELECT ledger, currency, '', sum(advanced_amount) FROM wallet_ledger.escrow_report GROUP BY 1, 2",
        "SELECT ledger, currency, '', sum(debit_balance - credit_balance) FROM wallet_ledger.trial_balance
         WHERE account LIKE 'receivables:%' GROUP BY 1, 2",
    ),
    (
        "the float",
        "SELECT ledger, currency, '', posted FROM wallet_ledger.platform_float",
        "SELECT ledger, currency, '', sum(credit_balance - debit_balance) FROM wallet_ledger.trial_balance
         WHERE account LIKE 'wallets:%' GROUP BY 1, 2",
    ),
    (
        "the float's parts",
        "SELECT ledger, currency, p.key, p.amount FROM wallet_ledger.platform_float f CROSS JOIN LATERAL (VALUES
             ('held', f.held), ('available', f.available), ('count', f.wallet_count)) AS p (key, amount)",
        "SELECT ledger, currency, p.key, sum(p.amount) FROM wallet_ledger.accounts a CROSS JOIN LATERAL (VALUES
             ('held', a.held), ('available', a.available), ('count', 1)) AS p (key, amount)
         WHERE account LIKE 'wallets:%' GROUP BY 1, 2, 3",
    ),
    (
        "revenue",
        "SELECT ledger, currency, account, sum(net_total) FROM wallet_ledger.platform_revenue GROUP BY 1, 2, 3",
        "SELECT ledger, currency, account, credit_balance - debit_balance FROM wallet_ledger.trial_balance
         WHERE type = 'revenue'",
    ),
    (
        "top-ups",
        "SELECT ledger, currency, '', sum(net_amount) FROM wallet_ledger.daily_topups GROUP BY 1, 2",
        "SELECT ledger, currency, '', debit_balance - credit_balance FROM wallet_ledger.trial_balance
         WHERE account LIKE 'clearing:%'",
    ),
    (
        "the sums of escrows and of what was done to them",
        "SELECT ledger, currency, reference, released_amount + refunded_amount + returned_amount
         FROM wallet_ledger.escrow_report",
        "SELECT e.ledger, e.currency, e.reference, sum(a.released_amount + a.refunded_amount + a.returned_amount)
         FROM wallet_ledger.escrow_actions a JOIN wallet_ledger.escrows e ON e.ledger = a.ledger AND e.id = a.escrow_id
         GROUP BY 1, 2, 3",
    ),
];

/// What the overview says of the period `$from` to `$to`, from the reports.
const OVERVIEW: &str = "
    SELECT c.ledger, c.currency,
           (SELECT count(*) FROM wallet_ledger.escrow_report r WHERE (r.ledger, r.currency) = (c.ledger, c.currency)
              AND opened_at >= $from AND opened_at < $to) AS escrow_count,
           (SELECT coalesce(sum(amount), 0) FROM wallet_ledger.escrow_report r
            WHERE (r.ledger, r.currency) = (c.ledger, c.currency) AND opened_at >= $from AND opened_at < $to) AS gmv,
           (SELECT coalesce(sum(s.released_amount), 0) FROM wallet_ledger.escrow_splits s
            JOIN wallet_ledger.escrow_report r USING (ledger, escrow_id)
            WHERE (r.ledger, r.currency) = (c.ledger, c.currency)
              AND s.created_at >= $from AND s.created_at < $to) AS released_amount,
           (SELECT coalesce(sum(net_fee_amount), 0) FROM wallet_ledger.fee_report r
            WHERE (r.ledger, r.currency) = (c.ledger, c.currency)
              AND created_at >= $from AND created_at < $to) AS fees_collected,
           (SELECT coalesce(sum(amount), 0) FROM wallet_ledger.refund_report r
            WHERE (r.ledger, r.currency) = (c.ledger, c.currency)
              AND created_at >= $from AND created_at < $to) AS refunded_amount,
           (SELECT count(*) FROM wallet_ledger.transfers r WHERE (r.ledger, r.currency) = (c.ledger, c.currency)
              AND kind = 'topup' AND effective_at >= $from AND effective_at < $to) AS topup_count,
           (SELECT coalesce(sum(CASE WHEN debit_account ^@ 'clearing:' THEN amount ELSE -amount END), 0)
            FROM wallet_ledger.transfers r WHERE (r.ledger, r.currency) = (c.ledger, c.currency)
              AND 'clearing:' || lower(c.currency) IN (debit_account, credit_account)
              AND effective_at >= $from AND effective_at < $to) AS topup_amount,
           (SELECT coalesce(sum(CASE WHEN credit_account ^@ 'platform:' THEN amount ELSE -amount END), 0)
            FROM wallet_ledger.transfers r WHERE (r.ledger, r.currency) = (c.ledger, c.currency)
              AND (debit_account ^@ 'platform:' OR credit_account ^@ 'platform:')
              AND effective_at >= $from AND effective_at < $to) AS revenue_amount
    FROM (SELECT DISTINCT ledger, currency FROM wallet_ledger.platform_float) c";

const FLOWS: &str = "escrow_count, gmv, released_amount, fees_collected, refunded_amount, topup_count, topup_amount, \
                     revenue_amount";

async fn set_up(client: &Client, market: Market) {
    let Market { ledger, currency, tag } = market;
    for name in ["clearing", "outgoing"] {
        let sql = format!("create_account('{name}:{tag}', 'asset', '{currency}', ledger => '{ledger}')");
        call(client, &sql).await;
    }
    for owner in ["b1", "b2", "b3", "s1", "s2", "s3"] {
        let sql = format!("open_wallet('{owner}-{tag}', '{currency}', ledger => '{ledger}')");
        call(client, &sql).await;
        let sql = format!(
            "post_transfer('clearing:{tag}', 'wallets:{owner}-{tag}', 5000, 'topup', ledger => '{ledger}')"
        );
        call(client, &sql).await;
    }
}

/// What chance alone does not bring about in every run: a seller who has spent what is refunded, a dispute that is
/// decided, a top-up that is taken back.
async fn certainly(client: &Client, Market { ledger, tag, .. }: Market) {
    let in_ledger = format!("ledger => '{ledger}'");
    let opened = async |name: &str| {
        let lines = json!([
            { "beneficiary": format!("wallets:s1-{tag}"), "amount": 200, "fee": "merchant_commission" },
            { "beneficiary": format!("wallets:s2-{tag}"), "amount": "33.33", "fee": "delivery_share" },
        ]);
        let sql = format!("open_escrow('{name}-{tag}', 'wallets:b1-{tag}', '{lines}', {in_ledger})");
        call(client, &sql).await["id"].to_owned()
    };
    let advanced = opened("advanced").await;
    call(client, &format!("release_escrow('{advanced}', {in_ledger})")).await;
    for seller in ["s1", "s2"] {
        let wallet = format!("wallets:{seller}-{tag}");
        let has =
            value(client, &format!("SELECT posted FROM wallet_ledger.accounts WHERE account = '{wallet}'"))
                .await;
        let sql = format!("post_transfer('{wallet}', 'outgoing:{tag}', {has}, 'withdrawal', {in_ledger})");
        call(client, &sql).await;
    }
    call(client, &format!("refund_escrow('{advanced}', 100, on_shortfall => 'advance', {in_ledger})")).await;
    let disputed = opened("disputed").await;
    let dispute = call(client, &format!("open_dispute('{disputed}', 'buyer', 'broken', {in_ledger})")).await;
    let sql = format!("resolve_dispute('{}', 100, 'decided', {in_ledger})", &dispute["id"]);
    call(client, &sql).await;
    opened("held").await;
    let topup = format!("post_transfer('clearing:{tag}', 'wallets:b2-{tag}', 70.07, 'topup', {in_ledger})");
    let topup = call(client, &topup).await;
    call(client, &format!("reverse_transfer('{}', 7, {in_ledger})", &topup["id"])).await;
}

/// An amount with cents.
fn some(rng: &mut ChaCha8Rng, most: u32) -> String {
    let cents = rng.random_range(1..=most * 100);
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn lines_of(rng: &mut ChaCha8Rng, tag: &str) -> String {
    let count = rng.random_range(1..=4);
    let line = |_| {
        let fee = ["merchant_commission", "delivery_share", ""].choose(rng).unwrap();
        let seller = format!("wallets:s{}-{tag}", rng.random_range(1..=3));
        let mut line = json!({ "beneficiary": seller, "amount": some(rng, 300) });
        if !fee.is_empty() {
            line["fee"] = json!(fee);
        }
        line
    };
    Value::from((0..count).map(line).collect::<Vec<Value>>()).to_string()
}

/// One thing that happens, or is refused for a known reason.
async fn happen(client: &Client, rng: &mut ChaCha8Rng, number: u32) {
    let market = *MARKETS.choose(rng).unwrap();
    let Market { ledger, tag, .. } = market;
    let escrows = format!(
        "SELECT id FROM wallet_ledger.escrows WHERE ledger = '{ledger}' AND reference LIKE '%-{tag}' ORDER BY id"
    );
    let known = lines(client, &escrows).await;
    let id = known
        .choose(rng)
        .map_or("00000000-0000-0000-0000-000000000000".to_owned(), |row| row["id"].to_owned());
    let pick = if known.len() < 3 { 0 } else { rng.random_range(0..100) };
    let buyer = format!("wallets:b{}-{tag}", rng.random_range(1..=3));
    let seller = format!("wallets:s{}-{tag}", rng.random_range(1..=3));
    let amount = some(rng, 200);
    let sql = match pick {
        0..25 => format!(
            "open_escrow('o{number}-{tag}', '{buyer}', '{}', ledger => '{ledger}')",
            lines_of(rng, tag)
        ),
        25..40 => format!("release_escrow('{id}', ledger => '{ledger}')"),
        40..50 => format!("release_escrow('{id}', {amount}, ledger => '{ledger}')"),
        50..60 => format!("refund_escrow('{id}', {amount}, 'late', ledger => '{ledger}')"),
        60..70 => format!("refund_escrow('{id}', on_shortfall => 'advance', ledger => '{ledger}')"),
        70..75 => format!("open_dispute('{id}', 'buyer', 'broken', ledger => '{ledger}')"),
        75..80 => {
            let open = format!(
                "SELECT dispute_id, held_amount FROM wallet_ledger.open_disputes \
                                WHERE ledger = '{ledger}' AND reference LIKE '%-{tag}' ORDER BY dispute_id"
            );
            match lines(client, &open).await.choose(rng) {
                Some(dispute) => {
                    let share = ["0", "round({} / 3, 2)", "{}"]
                        .choose(rng)
                        .unwrap()
                        .replace("{}", &dispute["held_amount"]);
                    format!(
                        "resolve_dispute('{}', {share}, 'decided', ledger => '{ledger}')",
                        &dispute["dispute_id"]
                    )
                }
                None => format!("refund_escrow('{id}', ledger => '{ledger}')"),
            }
        }
        80..88 => {
            format!("post_transfer('clearing:{tag}', '{buyer}', {amount}, 'topup', ledger => '{ledger}')")
        }
        88..92 => {
            let topups = format!(
                "SELECT id FROM wallet_ledger.transfers WHERE ledger = '{ledger}' AND kind = 'topup' \
                                  AND credit_account = '{buyer}' ORDER BY id"
            );
            let topup = lines(client, &topups).await.choose(rng).expect("a top-up")["id"].to_owned();
            format!("reverse_transfer('{topup}', {amount}, ledger => '{ledger}')")
        }
        // Sellers spend what they have, so that a refund finds nothing and the platform advances.
        92..97 => {
            let has =
                format!("SELECT available FROM wallet_ledger.balance('{seller}', ledger => '{ledger}')");
            let all = value(client, &has).await;
            format!("post_transfer('{seller}', 'outgoing:{tag}', {all}, 'withdrawal', ledger => '{ledger}')")
        }
        _ => format!(
            "hold_funds('{buyer}', {amount}, ledger => '{ledger}', expires_at => clock_timestamp() + \
                      interval '{}')",
            ["200 milliseconds", "1 day"].choose(rng).unwrap()
        ),
    };
    if let Err(error) = try_call(client, &sql).await {
        let error = sql_error(&error);
        let is_known = REFUSALS.contains(&error.token()) || sql.contains(", 0.00,");
        assert!(is_known, "{sql}: {error:#?}");
    }
}

/// Gives every transaction a moment of its own in October 2025. The guards refuse it, so they are off meanwhile.
async fn spread(superuser: &Client, rng: &mut ChaCha8Rng) {
    let seed: f64 = rng.random_range(-1.0..1.0);
    let sql = format!(
        "BEGIN; SELECT setseed({seed}); \
         CREATE TEMP TABLE moments AS SELECT id, timestamptz '2025-10-01 00:00+07' + random() * interval '31 days' AS at \
         FROM (SELECT DISTINCT coalesce(transaction_id, transfer_id) AS id FROM wallet_data.transfers ORDER BY 1) t; \
         ALTER TABLE wallet_data.transfers DISABLE TRIGGER transfers_append_only; \
         ALTER TABLE wallet_data.escrow_actions DISABLE TRIGGER escrow_actions_append_only; \
         UPDATE wallet_data.transfers t SET effective_at = m.at FROM moments m \
         WHERE m.id = coalesce(t.transaction_id, t.transfer_id); \
         UPDATE wallet_data.escrow_actions a SET created_at = m.at FROM moments m WHERE m.id = a.transaction_id; \
         UPDATE wallet_data.escrows e SET opened_at = m.at FROM moments m WHERE m.id = e.transaction_id; \
         ALTER TABLE wallet_data.transfers ENABLE ALWAYS TRIGGER transfers_append_only; \
         ALTER TABLE wallet_data.escrow_actions ENABLE ALWAYS TRIGGER escrow_actions_append_only; COMMIT"
    );
    db::execute(superuser, &sql).await;
}

async fn assert_ties(auditor: &Client) {
    for (meaning, report, books) in TIES {
        let side = |sql: &str| format!("(SELECT * FROM ({sql}) AS side (ledger, currency, key, amount))");
        let both = format!(
            "SELECT ledger, currency, key, r.amount AS report, b.amount AS books \
             FROM {} r FULL JOIN {} b USING (ledger, currency, key)",
            side(report),
            side(books)
        );
        let apart = format!("SELECT * FROM ({both}) q WHERE coalesce(report, 0) <> coalesce(books, 0)");
        let found = lines(auditor, &apart).await;
        assert!(found.is_empty(), "{meaning}: {found:#?}");
        let compared = format!("SELECT count(*) FROM ({both}) q WHERE report <> 0");
        assert_ne!(value(auditor, &compared).await, "0", "{meaning}: nothing was compared");
    }
}

/// The overview of a period is what the reports say of it, and its buckets add up to it.
async fn assert_period(auditor: &Client, from: &str, to: &str) {
    for ledger in ["main", "sg"] {
        let open = |at: &str, end: &str| format!("coalesce({at}, '{end}')");
        let expected =
            OVERVIEW.replace("$from", &open(from, "-infinity")).replace("$to", &open(to, "infinity"));
        let expected = format!("SELECT currency, {FLOWS} FROM ({expected}) q WHERE ledger = '{ledger}'");
        let overview =
            format!("SELECT currency, {FLOWS} FROM wallet_ledger.finance_overview({from}, {to}, '{ledger}')");
        let difference = format!(
            "WITH e AS ({expected}), o AS ({overview}) \
             (TABLE e EXCEPT TABLE o) UNION ALL (TABLE o EXCEPT TABLE e)"
        );
        assert_eq!(lines(auditor, &difference).await, [], "{ledger}, {from} to {to}");
        for bucket in ["day", "week", "month"] {
            let sums: Vec<String> = FLOWS.split(", ").map(|flow| format!("sum({flow})")).collect();
            let trend = format!("wallet_ledger.finance_trend({from}, {to}, '{bucket}', '{ledger}')");
            let sums = format!("SELECT currency, {} FROM {trend} GROUP BY 1", sums.join(", "));
            // A trend names the currencies in which something happened, and the ledger's own.
            let difference = format!(
                "WITH o AS ({overview}), s AS ({sums}), moved AS (SELECT * FROM o WHERE escrow_count + topup_count > 0 \
                     OR released_amount + refunded_amount > 0 OR fees_collected <> 0 OR topup_amount <> 0) \
                 (TABLE moved EXCEPT TABLE s) UNION ALL (TABLE s EXCEPT TABLE o)"
            );
            assert_eq!(lines(auditor, &difference).await, [], "{ledger}, {bucket}s, {from} to {to}");
            let gaps = format!(
                "SELECT first_day FROM (SELECT *, lead(first_day) OVER (PARTITION BY currency ORDER BY first_day) AS n \
                 FROM {trend}) t WHERE n <> next_day OR next_day <> (first_day + interval '1 {bucket}')::date \
                   OR first_day <> date_trunc('{bucket}', first_day)::date"
            );
            assert_eq!(lines(auditor, &gaps).await, [], "{ledger}, {bucket}s, {from} to {to}");
        }
    }
}

#[tokio::test]
async fn every_total_ties_to_the_trial_balance() {
    let mut rng = Seed::from_env_or_random("finance").rng(1);
    let db = TestDb::with_ledger("finance_month").await;
    let client = db.app().await;
    call(&client, "create_ledger('sg', 'SGD', 'Asia/Singapore')").await;
    for ledger in ["main", "sg"] {
        call(&client, &format!("set_rate('merchant_commission', 0.15, ledger => '{ledger}')")).await;
        call(&client, &format!("set_rate('delivery_share', 0.123456, ledger => '{ledger}')")).await;
    }
    for market in MARKETS {
        set_up(&client, market).await;
    }
    for market in MARKETS {
        certainly(&client, market).await;
    }
    for number in 0..if long() { 3000 } else { 300 } {
        happen(&client, &mut rng, number).await;
    }
    for ledger in ["main", "sg"] {
        db::verify_clean_ledger(&client, ledger).await;
    }
    let auditor = db.connect_as("wallet_auditor").await;
    assert_ties(&auditor).await;
    assert_period(&auditor, "NULL::timestamptz", "NULL::timestamptz").await;
    spread(&db.connect().await, &mut rng).await;
    assert_ties(&auditor).await;
    assert_period(&auditor, "'2025-10-01 00:00+07'::timestamptz", "'2025-11-01 00:00+07'::timestamptz").await;
    for _ in 0..if long() { 20 } else { 2 } {
        let (a, b) = (rng.random_range(0..31 * 86400), rng.random_range(0..31 * 86400));
        let moment = |s: i64| format!("('2025-10-01 00:00+07'::timestamptz + interval '{s} seconds')");
        assert_period(&auditor, &moment(a.min(b)), &moment(a.max(b))).await;
    }
}
