//! Proves that nothing that is done often reads a table through before PostgreSQL has statistics of it: after a restore,
//! or after a busy first minute. Without them any two columns look equally good to the planner, and the plan that it
//! picks is kept. Pages are counted, as PostgreSQL counts them, before and after ANALYZE: no timing is involved.

use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// What a call may touch without statistics: this many times what it touches with them, and these.
const FACTOR: u64 = 2;
const FEW_PAGES: u64 = 150;

/// A ledger of the benchmarks: wallets with a history, intents at a bank and at a gateway, escrows, a school.
async fn filled() -> TestDb {
    let db = TestDb::new("no_statistics").await;
    let client = db.connect().await;
    let scripts: [(&str, &[&str]); 5] = [
        ("sql/setup.sql", &[]),
        ("fill.sql", &["transfers=20000", "accounts=2000", "ledger=bench"]),
        ("sql/intake.sql", &["bodies=160", "singles=1000", "spread=10000"]),
        ("sql/escrow.sql", &["escrows=200", "due=200", "first_items=201"]),
        ("sql/school.sql", &["merchants=20"]),
    ];
    for (script, variables) in scripts {
        let mut psql = db.cluster.program("psql");
        psql.args(["-X", "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "-d", &db.name]);
        for variable in variables {
            psql.args(["-v", variable]);
        }
        run(psql.arg("-f").arg(cluster::root().join("benches").join(script))).await;
    }
    // As many again with a number, at a gateway that has seen as many payments.
    execute(
        &client,
        "SET wallet_ledger.ledger = 'bench';
         SELECT wallet_ledger.register_bank_account('banks:gateway', 'xendit', 'gateway');
         INSERT INTO wallet_data.intents
             (ledger_id, method_id, purpose_id, bank_account_id, intent_id, credit_account_id, created_at, expires_at,
              accepts_until, cooldown, amount, total, number)
         SELECT i.ledger_id, 3, 4, b.bank_account_id, gen_random_uuid(), i.credit_account_id, i.created_at, i.expires_at,
                i.accepts_until, i.cooldown, 50000, 50000, 'order-of-the-benchmark-' || md5(i.reference)
         FROM wallet_data.intents i
         JOIN wallet_data.bank_accounts b ON b.ledger_id = i.ledger_id AND b.provider_bank_id = 'gateway'
         LIMIT 20000;
         INSERT INTO wallet_data.live_intents (ledger_id, bank_account_id, intent_id, due_at, number)
         SELECT ledger_id, bank_account_id, intent_id, expires_at, number FROM wallet_data.intents
         WHERE number IS NOT NULL;
         INSERT INTO wallet_data.gateway_payments
             (ledger_id, state_id, bank_account_id, confirmed, payment_id, number, created_at, updated_at, facts)
         SELECT i.ledger_id, 1, i.bank_account_id, false, 'payment-of-the-benchmark-' || md5(i.number), md5(i.number),
                now(), now(), '{}'
         FROM wallet_data.intents i WHERE i.number IS NOT NULL",
    )
    .await;
    execute(
        &client,
        "CREATE TABLE bench.unpaid AS
         SELECT i.n, i.id, g.number
         FROM (SELECT id, row_number() OVER (ORDER BY place DESC) AS n FROM bench.intents ORDER BY n LIMIT 16) i
         JOIN (SELECT number, row_number() OVER () AS n FROM wallet_data.intents WHERE number IS NOT NULL LIMIT 16) g USING (n)",
    )
    .await;
    // What the calls go on from: the n-th of each.
    execute(
        &client,
        "SELECT wallet_ledger.create_plan('premium', 10, account => 'platform:hot');
         SELECT wallet_ledger.subscribe('premium', 'wallets:' || 100 + g) FROM generate_series(1, 500) g;
         CREATE TABLE bench.made AS
         SELECT g AS n, (wallet_ledger.post_transfer('wallets:20', 'wallets:21', g)).id AS transfer,
                (wallet_ledger.hold_funds('wallets:22', g, destination => 'wallets:23')).id AS hold,
                (wallet_ledger.hold_funds('wallets:22', g)).id AS other_hold,
                (wallet_ledger.purchase('pupil70', 'canteen1', '[{\"item\": \"pen\"}]')).id AS purchase
         FROM generate_series(1, 8) g",
    )
    .await;
    // Mutations enough for an index of three levels.
    for n in 1..=70 {
        let outcome = value(&client, &format!("SELECT matched_count FROM {}", webhook(n))).await;
        assert_eq!(outcome, "200", "body {n}");
    }
    execute(
        &client,
        "DO $$ DECLARE name regclass; BEGIN
             FOR name IN SELECT oid FROM pg_class WHERE relnamespace = 'wallet_data'::regnamespace AND relkind = 'r' LOOP
                 EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', name);
             END LOOP;
         END $$",
    )
    .await;
    db
}

fn webhook(n: usize) -> String {
    format!(
        "bench.bodies b, LATERAL wallet_ledger.receive_webhook('moota', b.headers, b.body) WHERE b.n = {n}"
    )
}

/// As a table is that nobody has analyzed.
async fn forget_statistics(client: &Client) {
    execute(
        client,
        "DELETE FROM pg_statistic WHERE starelid IN
             (SELECT oid FROM pg_class WHERE relnamespace = 'wallet_data'::regnamespace);
         UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0
         WHERE relnamespace = 'wallet_data'::regnamespace AND relkind IN ('r', 'i')",
    )
    .await;
}

/// The calls, and the same calls for other rows at another `n`.
fn calls_at(n: usize) -> Vec<(&'static str, String)> {
    let of_200 = |account: &str| {
        format!(
            "(SELECT jsonb_agg(jsonb_build_object('debit_account', 'wallets:' || g, 'credit_account', {account}, \
              'amount', 1)) FROM generate_series(1, 200) g)"
        )
    };
    let escrow =
        |call: &str, n: usize| format!("bench.escrows e, LATERAL wallet_ledger.{call} WHERE e.n = {n}");
    let made = |call: &str| format!("bench.made m, LATERAL wallet_ledger.{call} WHERE m.n = {n}");
    let nobodys = |call: &str| {
        format!(
            "wallet_data.mutations m, LATERAL wallet_ledger.{call} WHERE m.provider_mutation_id = 'nobody-{n}'
             AND m.ledger_id = (SELECT ledger_id FROM wallet_data.ledgers WHERE name = 'bench')"
        )
    };
    let items = "'[{\"item\": \"nasi-goreng\"}]'";
    vec![
        ("post_transfer", format!("wallet_ledger.post_transfer('wallets:1', 'wallets:2', 1{n})")),
        ("post_transfer, key", format!("wallet_ledger.post_transfer('wallets:3', 'wallets:4', 1, idempotency_key => 'k{n}')")),
        ("post_transfers", format!("wallet_ledger.post_transfers({})", of_200("'merchants:' || g"))),
        ("hold_funds", "wallet_ledger.hold_funds('wallets:5', 10)".into()),
        ("balance", "wallet_ledger.balance('wallets:6')".into()),
        ("statement", "wallet_ledger.statement('wallets:7')".into()),
        ("receive_webhook", webhook(70 + n)),
        ("match_mutation", format!("bench.mutations m, LATERAL wallet_ledger.match_mutation(m.body) WHERE m.n = {n}")),
        (
            "match_mutation, nobody's",
            format!("bench.mutations m, LATERAL wallet_ledger.match_mutation(
                         m.body || '{{\"amount\": 7654321, \"mutation_id\": \"nobody-{n}\"}}') WHERE m.n = {n}"),
        ),
        ("mutations_to_review", "wallet_ledger.mutations_to_review".into()),
        ("create_intent", "wallet_ledger.create_intent('topup', 'wallets:8', 150000, 'banks:intake')".into()),
        (
            "create_intent, number",
            format!("wallet_ledger.create_intent('other', 'wallets:8', 150000, 'banks:gateway', method => 'gateway', number => 'new-{n}')"),
        ),
        ("expire_intents", "wallet_ledger.expire_intents(10)".into()),
        (
            "cancel_intent",
            format!("bench.unpaid u, LATERAL wallet_ledger.cancel_intent(u.id) WHERE u.n = {n}"),
        ),
        (
            "match_mutation, number",
            format!("bench.unpaid u, LATERAL wallet_ledger.match_mutation(
                         jsonb_build_object('id', 'invoice-{n}', 'external_id', u.number, 'status', 'PAID', 'amount', 50000,
                             'paid_amount', 50000, 'currency', 'IDR', 'paid_at', now()), 'xendit') WHERE u.n = {n}"),
        ),
        (
            "open_escrow",
            format!("wallet_ledger.open_escrow('new-{n}', 'wallets:9', '[{{\"beneficiary\": \"wallets:seller1\", \"amount\": 10}}]')"),
        ),
        ("release_escrow", escrow("release_escrow(e.id)", n)),
        ("refund_escrow", escrow("refund_escrow(e.id)", 20 + n)),
        ("release_due_escrows", "wallet_ledger.release_due_escrows(10)".into()),
        ("purchase", format!("wallet_ledger.purchase('pupil{n}', 'canteen1', {items})")),
        (
            "sync_purchases",
            format!("wallet_ledger.sync_purchases('till1', (SELECT jsonb_agg(jsonb_build_object('sequence', 10 * {n} - 10 + g,
                         'at', now(), 'member', 'pupil' || 100 + g, 'items', {items}::jsonb)) FROM generate_series(1, 10) g))"),
        ),
        ("reverse_transfer", made("reverse_transfer(m.transfer)")),
        ("capture_hold", made("capture_hold(m.hold)")),
        ("release_hold", made("release_hold(m.other_hold)")),
        ("expire_holds", "wallet_ledger.expire_holds(10)".into()),
        ("refund_purchase", made("refund_purchase(m.purchase)")),
        ("open_wallet", format!("wallet_ledger.open_wallet('new-{n}')")),
        ("freeze_account", format!("wallet_ledger.freeze_account('wallets:30{n}')")),
        ("set_spending_limit", format!("wallet_ledger.set_spending_limit('wallets:pupil30{n}', daily => 5000)")),
        ("preview_transfer", "wallet_ledger.preview_transfer('wallets:1', 'wallets:2', 5)".into()),
        (
            "submit_payment_proof",
            format!("bench.unpaid u, LATERAL wallet_ledger.submit_payment_proof(u.id, 'photo') WHERE u.n = {n} + 8"),
        ),
        (
            "reject_payment",
            format!("bench.unpaid u, LATERAL wallet_ledger.reject_payment(u.id, 'unreadable') WHERE u.n = {n} + 8"),
        ),
        ("assign_mutation", nobodys("assign_mutation(m.mutation_id, 'wallets:9', 'hers')")),
        ("unmatch_mutation", nobodys("unmatch_mutation(m.mutation_id, 'not hers')")),
        ("return_mutation", nobodys("return_mutation(m.mutation_id, 'nobody knows')")),
        ("mark_shipped", escrow("mark_shipped(e.id, 'JNE')", 40 + n)),
        ("open_dispute", escrow("open_dispute(e.id, 'buyer', 'broken')", 40 + n)),
        ("subscribe", format!("wallet_ledger.subscribe('premium', 'wallets:{n}')")),
        ("renew_due_subscriptions", "(SELECT count(*) FROM wallet_ledger.renew_due_subscriptions(10)) r".into()),
        ("check_spending_limit", "wallet_ledger.check_spending_limit('wallets:pupil50', 1000)".into()),
        ("poll_events", "wallet_ledger.poll_events(max_count => 10)".into()),
    ]
}

/// The pages that a call touches in a session that has made it twice before, or what it says instead.
async fn pages(db: &TestDb, calls: [&str; 3]) -> Result<u64, String> {
    let client = db.connect().await;
    execute(&client, "SET wallet_ledger.ledger = 'bench'").await;
    let mut plan = Value::Null;
    for call in calls {
        let explain = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT * FROM {call}");
        plan = client.query_one(&explain, &[]).await.map_err(|error| cluster::explain(&error))?.get(0);
    }
    let count = |name: &str| plan[0]["Plan"][name].as_u64().unwrap_or_default();
    assert!(count("Actual Rows") > 0, "{calls:?}: no row");
    Ok(count("Shared Hit Blocks") + count("Shared Read Blocks"))
}

/// The pages of every call, at `n` and the two after it.
async fn all_pages(db: &TestDb, n: usize) -> Vec<(&'static str, Result<u64, String>)> {
    let [first, second, third] = [n, n + 1, n + 2].map(calls_at);
    let mut all = Vec::new();
    for (((name, a), (_, b)), (_, c)) in first.iter().zip(&second).zip(&third) {
        all.push((*name, pages(db, [a, b, c]).await));
    }
    all
}

#[tokio::test]
async fn no_call_reads_a_table_through_before_its_first_analyze() {
    let db = filled().await;
    let superuser = db.connect().await;
    forget_statistics(&superuser).await;
    let without = all_pages(&db, 1).await;
    execute(&superuser, "ANALYZE").await;
    let with = all_pages(&db, 4).await;
    for ((name, without), (_, with)) in without.iter().zip(&with) {
        println!("{name}: {without:?} pages without statistics, {with:?} with");
    }
    for ((name, without), (_, with)) in without.into_iter().zip(with) {
        let (without, with) = (without.expect(name), with.expect(name));
        assert!(
            without <= FACTOR * with + FEW_PAGES,
            "{name}: {without} pages without statistics, {with} with"
        );
    }
}
