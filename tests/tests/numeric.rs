//! Proves that the binary bridge between `numeric` and the decimals that the rules compute with is exact and
//! invisible. For every scale of a currency, seeded random amounts (tiny, huge, with trailing zeros, around
//! the borders of base-10000 digits) go in as numeric, as JSON number and as JSON string; what is stored
//! must equal PostgreSQL's own arithmetic and be bit for bit what PostgreSQL's own parser would store.

use rand::Rng;
use wallet_ledger_tests::*;

/// Where base-10000 digits, headers and groups of decimals begin and end.
const BORDERS: [&str; 24] = [
    "9999.9999",
    "10000",
    "10000.0001",
    "0.0001",
    "0.00010000",
    "99999999.99",
    "100000000",
    "99999999",
    "1",
    "9999",
    "1000",
    "0.1",
    "0.01",
    "0.001",
    "0.00000001",
    "0.000000000000000001",
    "123456789.0123",
    "5000.5000",
    "10000000000000000",
    "9999999999999999.99",
    "1.0000",
    "20000000",
    "0.9999",
    "100010001.00010001",
];

/// A positive amount with at most that many decimals, written in one of several ways.
fn amount(rng: &mut impl Rng, scale: u32) -> String {
    loop {
        let text = if rng.random_ratio(1, 3) {
            BORDERS[rng.random_range(0..BORDERS.len())].to_owned()
        } else {
            // Up to 78 bits: a few thousand of these add up to less than the 96 bits of a balance.
            let bits = rng.random_range(1..=78_u32);
            let mantissa = rng.random_range(1..(1_u128 << bits));
            let mut decimal =
                Decimal::try_from_i128_with_scale(mantissa as i128, rng.random_range(0..=scale)).unwrap();
            if rng.random_ratio(1, 4) {
                // Trailing zeros in front of the point.
                decimal = decimal.trunc() * dec!(10000);
            }
            decimal.to_string()
        };
        let value: Decimal = text.parse().unwrap();
        // Written with more zeros than the currency has decimals is still the same amount.
        let zeros = if rng.random_ratio(1, 5) { "0".repeat(rng.random_range(1..4)) } else { String::new() };
        let text = if text.contains('.') { text + &zeros } else { text };
        let mut scaled = value.normalize();
        if scaled.scale() > scale || value.is_zero() {
            continue;
        }
        scaled.rescale(scale);
        if scaled.scale() == scale && scaled.mantissa() < 1 << 80 {
            return text;
        }
    }
}

#[tokio::test]
async fn stored_numbers_are_postgresqls_own() {
    let seed = Seed::from_env_or_random("numeric");
    let db = TestDb::with_ledger("bridge").await;
    let client = db.app().await;
    for scale in 0..=18 {
        let mut rng = seed.rng(scale.into());
        call(&client, &format!("create_currency('S{scale:02}X', {scale})")).await;
        for (account, kind) in [("up", "asset"), ("down", "liability"), ("hold", "liability")] {
            call(&client, &format!("create_account('s{scale}:{account}', '{kind}', 'S{scale:02}X')")).await;
        }
        // `up` grows with every transfer and `down` falls below zero by the same.
        let pair = format!("'debit_account', 's{scale}:up', 'credit_account', 's{scale}:mid'");
        call(&client, &format!("create_account('s{scale}:mid', 'asset', 'S{scale:02}X')")).await;
        let amounts: Vec<String> = (0..150).map(|_| amount(&mut rng, scale)).collect();
        for (index, chunk) in amounts.chunks(50).enumerate() {
            let list = chunk.iter().map(|amount| format!("'{amount}'")).collect::<Vec<_>>().join(", ");
            let as_json = ["to_jsonb(a)", "to_jsonb(a::numeric)", "to_jsonb(a)"][index];
            let sql = format!(
                "post_transfers((SELECT jsonb_agg(jsonb_build_object({pair}, 'amount', {as_json}, 'reference', a) \
                 ORDER BY n) FROM unnest(ARRAY[{list}]) WITH ORDINALITY AS l (a, n)))"
            );
            assert_eq!(calls(&client, &sql).await.len(), chunk.len());
        }
        for amount in &amounts[..20] {
            let post =
                format!("post_transfer('s{scale}:down', 's{scale}:mid', {amount}, reference => '{amount}')");
            let receipt = call(&client, &post).await;
            let own = value(&client, &format!("SELECT round({amount}, {scale})")).await;
            assert_eq!(&receipt["amount"], own);
            let hold = format!("hold_funds('s{scale}:hold', {amount}, reference => '{amount}')");
            assert_eq!(&call(&client, &hold).await["amount"], own);
        }
    }
    check(&db).await;
    verify_clean(&client).await;
}

/// Compares every stored number with what PostgreSQL makes of the same text by itself.
async fn check(db: &TestDb) {
    let client = db.connect().await;
    let transfers = "SELECT count(*) FROM wallet_data.transfers t \
        JOIN wallet_data.accounts a ON a.account_id = t.debit_account_id";
    assert_eq!(value(&client, transfers).await, (19 * 170).to_string());
    let wrong = format!("{transfers} WHERE t.amount::text <> round(t.reference::numeric, a.scale)::text");
    assert_eq!(value(&client, &wrong).await, "0", "an amount differs from what was asked for");

    // The running balances, by PostgreSQL's own sums.
    let running = "SELECT count(*) FROM ( \
            SELECT balance_after, sum(amount) OVER (PARTITION BY account ORDER BY version) AS own \
            FROM wallet_ledger.entries) l WHERE balance_after::text <> own::text";
    assert_eq!(value(&client, running).await, "0", "a running balance differs from the sum");
    let posted = "SELECT count(*) FROM wallet_ledger.accounts a \
        JOIN (SELECT account, sum(amount) AS own FROM wallet_ledger.entries GROUP BY account) e USING (account) \
        WHERE a.posted::text <> e.own::text";
    assert_eq!(value(&client, posted).await, "0");
    let held = "SELECT count(*) FROM wallet_ledger.accounts a \
        JOIN (SELECT account, sum(amount) AS own FROM wallet_ledger.holds GROUP BY account) h USING (account) \
        WHERE a.held::text <> h.own::text OR (a.posted - a.held)::text <> a.available::text";
    assert_eq!(value(&client, held).await, "0");

    // Bit for bit, and as large on disk, as the same text parsed by PostgreSQL.
    for (table, columns) in [
        ("transfers", &["amount", "debit_balance", "credit_balance"][..]),
        ("accounts", &["posted", "held"]),
        ("holds", &["amount", "captured_amount"]),
    ] {
        for column in columns {
            db::execute(
                &client,
                &format!(
                    "DROP TABLE IF EXISTS own; CREATE TEMP TABLE own AS \
                     SELECT t.ctid AS place, t.{column}::text::numeric AS number FROM wallet_data.{table} t"
                ),
            )
            .await;
            let differ = format!(
                "SELECT count(*) FROM wallet_data.{table} t JOIN own ON own.place = t.ctid \
                 WHERE numeric_send(t.{column}) <> numeric_send(own.number) \
                    OR pg_column_size(t.{column}) <> pg_column_size(own.number) \
                    OR hash_numeric(t.{column}) <> hash_numeric(own.number) \
                    OR t.{column} <> own.number"
            );
            assert_eq!(
                value(&client, &differ).await,
                "0",
                "{table}.{column} is not stored as PostgreSQL would"
            );
        }
    }
}

/// The edge of the 96 bits: the last balance that fits is kept exactly, one unit more is refused.
#[tokio::test]
async fn the_largest_balance_is_exact_and_one_more_is_refused() {
    const LARGEST: &str = "792281625142643375935439503.35";
    let (_db, client) = books("largest").await;
    call(&client, "create_account('big', 'asset')").await;
    call(&client, "create_account('small', 'liability')").await;
    let first = call(&client, &format!("post_transfer('big', 'shop', {LARGEST})")).await;
    assert_eq!(&first["debit_balance"], LARGEST);
    for more in ["0.01", LARGEST] {
        let over = try_call(&client, &format!("post_transfer('big', 'wallets:a', {more})")).await;
        assert_error(over, "amount_out_of_range", "PT400");
    }
    call(&client, &format!("post_transfer('small', 'big', {LARGEST})")).await;
    assert_eq!(posted(&client, "small").await, format!("-{LARGEST}"));
    assert_eq!(posted(&client, "big").await, "0.00");
    let under = try_call(&client, "post_transfer('small', 'big', 0.01)").await;
    assert_error(under, "amount_out_of_range", "PT400");
    // Held and posted are each within range; what they leave available must be as well.
    let available = try_call(&client, "hold_funds('small', 0.01)").await;
    assert_error(available, "amount_out_of_range", "PT400");
    verify_clean(&client).await;
}
