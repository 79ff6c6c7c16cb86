//! Proves that a preview tells what the real call then does: for seeded random requests, most of them
//! wrong in some way, the preview's row or error equals that of the posting that follows, field by
//! field, except for what only a real posting has (ids and the moment). And that it writes nothing, takes
//! no lock and runs in a read-only transaction.

use rand::Rng;
use rand::seq::IndexedRandom;
use wallet_ledger_tests::*;

const ONLY_REAL: [&str; 4] = ["id", "transaction_id", "created_at", "effective_at"];

/// Arguments of one request: usually sound, with a chance of every kind of fault.
fn request(rng: &mut impl Rng) -> String {
    let accounts = ["wallets:a", "wallets:b", "wallets:c", "shop", "bank", "capped", "holding", "fees"];
    let odd = ["frozen", "closed", "dollars", "wallets:nobody", "not an address", ""];
    let account = |rng: &mut dyn rand::RngCore| {
        if rng.random_ratio(1, 12) { odd.choose(rng).unwrap() } else { accounts.choose(rng).unwrap() }
            .to_string()
    };
    let (debit, credit) = (account(rng), account(rng));
    let amount = match rng.random_range(0..20) {
        0 => "0".to_owned(),
        1 => "-1".to_owned(),
        2 => "0.001".to_owned(),
        3 => "'NaN'".to_owned(),
        4 => "1e29".to_owned(),
        5 => "NULL".to_owned(),
        _ => format!("{}.{:02}", rng.random_range(0..700), rng.random_range(0..100)),
    };
    let mut arguments = format!("'{debit}', '{credit}', {amount}");
    let mut maybe = |rng: &mut dyn rand::RngCore, one_in: u32, text: String| {
        if rng.random_ratio(1, one_in) {
            arguments.push_str(&format!(", {text}"));
        }
    };
    let kind = ["payment", "refund", "nonsense", "reversal"].choose(rng).unwrap();
    maybe(rng, 4, format!("kind => '{kind}'"));
    let key = rng.random_range(0..40);
    maybe(rng, 3, format!("idempotency_key => 'key-{key}'"));
    maybe(rng, 4, "reference => 'r'".to_owned());
    maybe(rng, 5, "metadata => '{\"a\": 1}'".to_owned());
    let month = rng.random_range(1..=12);
    maybe(rng, 5, format!("effective_at => '2026-{month:02}-01 00:00+07'"));
    let version = rng.random_range(0..8);
    maybe(rng, 6, format!("expected_version => {version}"));
    maybe(rng, 30, "ledger => 'nowhere'".to_owned());
    arguments
}

#[tokio::test]
async fn a_preview_equals_the_call_that_follows() {
    let seed = Seed::from_env_or_random("preview");
    let mut rng = seed.rng(0);
    let (_db, client) = books("random").await;
    for sql in [
        "create_account('capped', 'liability', maximum_balance => 300)",
        "create_account('holding', 'liability', minimum_balance => 0)",
        "create_account('fees', 'expense', minimum_balance => -500)",
        "create_account('frozen', 'liability')",
        "create_account('closed', 'liability')",
        "create_account('dollars', 'liability', 'USD')",
        "freeze_account('frozen')",
        "close_account('closed')",
        "close_period('main', '2026-06-01 00:00+07')",
        "post_transfer('bank', 'holding', 1000)",
        "hold_funds('holding', 400)",
        "hold_funds('holding', 500, expires_at => clock_timestamp() + interval '300 milliseconds')",
    ] {
        call(&client, sql).await;
    }
    // It is over before the first preview, or it might end between one and its posting.
    until(&client, "SELECT count(*) FROM wallet_ledger.holds WHERE status = 'expired'", "1").await;
    let mut history: Vec<String> = Vec::new();
    let (mut posted, mut replayed, mut refused) = (0, 0, std::collections::BTreeSet::new());
    for round in 0..600 {
        // Sending again what was posted under a key is what replays come from.
        let retry = history.choose(&mut rng).filter(|_| rng.random_ratio(1, 10)).cloned();
        let arguments = retry.unwrap_or_else(|| request(&mut rng));
        let before = if round % 20 == 0 { Some(contents(&client).await) } else { None };
        let preview = try_call(&client, &format!("preview_transfer({arguments})")).await;
        if let Some(before) = before {
            assert_eq!(before, contents(&client).await, "the preview of {arguments} wrote something");
        }
        let real = try_call(&client, &format!("post_transfer({arguments})")).await;
        match (preview, real) {
            (Ok(preview), Ok(real)) => {
                assert_eq!(preview.without(&ONLY_REAL), real.without(&ONLY_REAL), "{arguments}");
                if &real["replayed"] == "t" {
                    assert_eq!(preview, real, "a replay has its ids and times in the preview too");
                    replayed += 1;
                } else {
                    assert_eq!(preview.pick(["id", "transaction_id"]), ["NULL"; 2]);
                    if arguments.contains("effective_at") {
                        assert_eq!(preview["effective_at"], real["effective_at"]);
                    }
                    if arguments.contains("idempotency_key") {
                        history.push(arguments.clone());
                    }
                    posted += 1;
                }
            }
            (Err(preview), Err(real)) => {
                let (preview, real) = (sql_error(&preview), sql_error(&real));
                let facts = |error: &LedgerError| {
                    (error.sqlstate.clone(), error.message.clone(), error.detail.clone(), error.hint.clone())
                };
                assert_eq!(facts(&preview), facts(&real), "{arguments}");
                refused.insert(real.token().to_owned());
            }
            (preview, real) => panic!("{arguments}: preview {preview:?}, call {real:?}"),
        }
    }
    // The test is worth something only if it has met a bit of everything.
    assert!(posted > 50 && replayed > 10 && refused.len() > 10, "{posted} {replayed} {refused:?}");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_preview_runs_read_only_and_waits_for_nobody() {
    let (db, client) = books("read_only").await;
    let other = db.app().await;
    db::execute(&other, "BEGIN").await;
    call(&other, "post_transfer('wallets:a', 'shop', 1, idempotency_key => 'k')").await;
    // The other session holds both rows and the key: a preview that locked would hang here.
    let preview = "BEGIN READ ONLY; SET LOCAL lock_timeout = '1s'; \
                   SELECT * FROM wallet_ledger.preview_transfer('wallets:a', 'shop', 1000, idempotency_key => 'k'); \
                   COMMIT";
    let told = lines(&client, preview).await.remove(0);
    assert_eq!(told.pick(["id", "debit_balance", "replayed"]), ["NULL", "0.00", "f"]);
    let assigned = "BEGIN; SELECT * FROM wallet_ledger.preview_transfer('wallets:a', 'shop', 1); \
                    SELECT pg_current_xact_id_if_assigned() AS xid; COMMIT";
    assert_eq!(&lines(&client, assigned).await[1]["xid"], "NULL", "not even a transaction id");
    db::execute(&other, "COMMIT").await;
    let told = lines(&client, &preview.replace("1000", "1")).await.remove(0);
    assert_eq!(told.pick(["debit_balance", "replayed"]), ["999.00", "t"]);
}

/// The stripes are an inside matter, but what is refused and why must be foretold for them too.
#[tokio::test]
async fn a_preview_foretells_the_refusals_of_striped_accounts() {
    let (_db, client) = books("striped").await;
    call(&client, "create_account('float', 'liability', minimum_balance => 0, stripes => 4)").await;
    call(&client, "post_transfer('bank', 'float', 100)").await;
    for (amount, expected) in
        [("100", None), ("100.01", Some("insufficient_funds")), ("0", Some("invalid_amount"))]
    {
        let preview = try_call(&client, &format!("preview_transfer('float', 'shop', {amount})")).await;
        let token = preview.as_ref().err().map(|error| sql_error(error).token().to_owned());
        assert_eq!(token.as_deref(), expected, "{amount}");
    }
}
