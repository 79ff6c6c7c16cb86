//! Proves that verify_ledger() finds what it promises and nothing else: every finding of its closed list
//! is provoked by tampering with sound books, and the findings are compared word by word with what that
//! tampering must give. Tampering takes a superuser who first removes the guards and constraints, inside
//! a transaction that is rolled back: one database serves all cases.

use std::collections::BTreeSet;

use wallet_ledger_tests::*;

#[path = "../../src/verify/rules.rs"]
#[allow(dead_code)]
mod rules;

/// Names in the cases that stand for ids: `{t1}`, `{hold}`, ….
struct Books {
    db: TestDb,
    names: Vec<(String, String)>,
}

impl Books {
    /// Books with something of everything, and a second ledger.
    async fn sound(test: &str) -> Books {
        let db = TestDb::with_ledger(test).await;
        let client = db.app().await;
        let mut names = vec![("{nobody}".to_owned(), "00000000-0000-7000-8000-000000000000".to_owned())];
        let mut name = |name: &str, id: &str| names.push((format!("{{{name}}}"), id.to_owned()));
        for account in [
            "create_account('bank', 'asset')",
            "create_account('shop', 'liability')",
            "create_account('float', 'liability', minimum_balance => 0, stripes => 2)",
            "create_account('usd:bank', 'asset', currency => 'USD')",
            "create_account('usd:wallet', 'liability', currency => 'USD')",
            "open_wallet('a')",
            "open_wallet('b')",
        ] {
            call(&client, account).await;
        }
        for (transfer, arguments) in [
            ("t1", "'bank', 'wallets:a', 1000, 'topup', idempotency_key => 'k1'"),
            ("t2", "'wallets:a', 'wallets:b', 300, 'payment'"),
            ("t3", "'wallets:a', 'shop', 100, 'payment'"),
            ("t4", "'bank', 'wallets:b', 50, 'topup'"),
            ("t5", "'bank', 'float', 10"),
            ("u1", "'usd:bank', 'usd:wallet', 5"),
        ] {
            name(transfer, &call(&client, &format!("post_transfer({arguments})")).await["id"]);
        }
        let id = |wanted: &str, names: &[(String, String)]| {
            let found = names.iter().find(|(name, _)| *name == format!("{{{wanted}}}"));
            found.map(|(_, id)| id.clone()).expect("a name of this function")
        };
        let (t3, t4) = (id("t3", &names), id("t4", &names));
        let reversal = call(&client, &format!("reverse_transfer('{t3}', 40, idempotency_key => 'kr')")).await;
        names.push(("{r3}".to_owned(), reversal["id"].to_owned()));
        let reversal = call(&client, &format!("reverse_transaction('{t4}', idempotency_key => 'krt')")).await;
        names.push(("{r4}".to_owned(), reversal["id"].to_owned()));
        call(&client, "hold_funds('wallets:a', 100, 'shop')").await;
        let hold = call(&client, "hold_funds('wallets:b', 50, 'shop')").await["id"].to_owned();
        let capture = format!("capture_hold('{hold}', 30, idempotency_key => 'kc')");
        names.push(("{capture}".to_owned(), call(&client, &capture).await["id"].to_owned()));
        names.push(("{hold}".to_owned(), hold));
        let released =
            call(&client, "hold_funds('wallets:b', 5, idempotency_key => 'kh')").await["id"].to_owned();
        call(&client, &format!("release_hold('{released}')")).await;
        names.push(("{released}".to_owned(), released));
        let refused = r#"post_transfers('[{"debit_account": "wallets:a", "credit_account": "shop",
                         "amount": 1000000, "idempotency_key": "kx"}]', on_error => 'report')"#;
        assert_eq!(&call(&client, refused).await["outcome"], "rejected");
        db::execute(
            &client,
            "SELECT wallet_ledger.create_ledger('other');
             SELECT wallet_ledger.create_account('x', 'asset', ledger => 'other');
             SELECT wallet_ledger.create_account('y', 'equity', ledger => 'other');
             SELECT wallet_ledger.post_transfer('x', 'y', 7, ledger => 'other')",
        )
        .await;
        Books { db, names }
    }

    fn fill_in(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }
}

/// What stands in the way of tampering, taken out of it. Rolled back with it.
const REMOVE_GUARDS: &str = "
    DO $$
    DECLARE
        command text;
    BEGIN
        FOR command IN
            SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname)
            FROM pg_constraint WHERE connamespace = 'wallet_data'::regnamespace AND contype IN ('c', 'f') AND conrelid <> 0
            UNION ALL
            SELECT format('ALTER DOMAIN %s DROP CONSTRAINT %I', contypid::regtype, conname)
            FROM pg_constraint WHERE connamespace = 'wallet_data'::regnamespace AND contypid <> 0
            UNION ALL
            SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname)
            FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'wallet_data.%'
        LOOP
            EXECUTE command;
        END LOOP;
    END $$;
    DROP INDEX wallet_data.transfers_debit_version, wallet_data.transfers_credit_version";

/// How it is tampered with, and what must be found: finding, subject, expected, actual.
type Case = (&'static str, &'static [[&'static str; 4]]);

const CASES: &[Case] = &[
    (
        "UPDATE wallet_data.accounts SET posted = posted + 1 WHERE address = 'shop'",
        &[
            ["balance_mismatch", "shop", "90.00", "91.00"],
            ["debits_credits_differ", "IDR", "1010.00", "1011.00"],
        ],
    ),
    (
        "UPDATE wallet_data.accounts SET version = version + 1 WHERE address = 'shop'",
        &[["version_mismatch", "shop", "3", "4"]],
    ),
    (
        "UPDATE wallet_data.accounts SET last_posted_at = '2001-01-01 00:00:00Z' WHERE address = 'shop'",
        &[["last_posted_at_mismatch", "shop", "*", "2001-01-01 00:00:00+00"]],
    ),
    (
        "UPDATE wallet_data.transfers SET debit_version = 11 WHERE transfer_id = '{u1}'",
        &[["version_gap", "{u1}", "1", "11"]],
    ),
    (
        "UPDATE wallet_data.transfers SET credit_version = 3 WHERE transfer_id = '{r4}'",
        &[["version_repeated", "{r4}", "4", "3"]],
    ),
    // One balance in the middle of a history: it is named, the one after it is not.
    (
        "UPDATE wallet_data.transfers SET debit_balance = 701 WHERE transfer_id = '{t2}'",
        &[["balance_chain_broken", "{t2}", "700.00", "701"]],
    ),
    // One amount: both accounts.
    (
        "UPDATE wallet_data.transfers SET amount = amount + 1 WHERE transfer_id = '{t2}'",
        &[
            ["balance_chain_broken", "{t2}", "301.00", "300.00"],
            ["balance_chain_broken", "{t2}", "699.00", "700.00"],
            ["balance_mismatch", "wallets:a", "639.00", "640.00"],
            ["balance_mismatch", "wallets:b", "271.00", "270.00"],
        ],
    ),
    (
        "UPDATE wallet_data.transfers SET created_at = '2001-01-01 00:00:00Z' WHERE transfer_id = '{t3}'",
        &[["posting_time_disorder", "{t3}", "*", "2001-01-01 00:00:00+00"]],
    ),
    (
        "UPDATE wallet_data.accounts SET held = 0 WHERE address = 'wallets:a'",
        &[["held_mismatch", "wallets:a", "100.00", "0"]],
    ),
    (
        "UPDATE wallet_data.holds SET amount = 99 WHERE state_id = 1",
        &[["held_mismatch", "wallets:a", "99", "100.00"]],
    ),
    (
        "UPDATE wallet_data.accounts SET minimum_balance = 600 WHERE address = 'wallets:a'",
        &[["floor_broken", "wallets:a", "600", "540.00"]],
    ),
    (
        "UPDATE wallet_data.accounts SET version = 1 WHERE address = 'float' AND stripe = 0",
        &[["stripe_root_not_empty", "float", "0", "1"], ["version_mismatch", "float", "0", "1"]],
    ),
    (
        "UPDATE wallet_data.accounts SET stripe_count = 3 WHERE address = 'float'",
        &[["stripes_incomplete", "float", "3", "2"]],
    ),
    (
        "UPDATE wallet_data.accounts SET state_id = 2 WHERE address = 'float' AND stripe = 2",
        &[["stripe_differs", "float#2", "2 IDR 2 1", "2 IDR 2 2"]],
    ),
    (
        "UPDATE wallet_data.transfers SET credit_account_id = 999999 WHERE transfer_id = '{u1}'",
        &[
            ["account_missing", "{u1}", "NULL", "999999"],
            ["balance_mismatch", "usd:wallet", "0", "5.00"],
            ["debits_credits_differ", "USD", "5.00", "0"],
            ["debits_credits_differ", "unknown", "0", "5.00"],
            ["last_posted_at_mismatch", "usd:wallet", "-infinity", "*"],
            ["version_mismatch", "usd:wallet", "0", "1"],
        ],
    ),
    (
        "UPDATE wallet_data.transfers SET credit_account_id = a.account_id
         FROM wallet_data.accounts a WHERE a.address = 'x' AND transfer_id = '{u1}'",
        &[
            ["balance_mismatch", "usd:wallet", "0", "5.00"],
            ["debits_credits_differ", "USD", "5.00", "0"],
            ["debits_credits_differ", "unknown", "0", "5.00"],
            ["foreign_account", "{u1}", "NULL", "*"],
            ["last_posted_at_mismatch", "usd:wallet", "-infinity", "*"],
            ["version_mismatch", "usd:wallet", "0", "1"],
        ],
    ),
    (
        "UPDATE wallet_data.accounts SET currency = 'EUR' WHERE address = 'usd:wallet'",
        &[
            ["currency_mismatch", "{u1}", "USD", "EUR"],
            ["debits_credits_differ", "EUR", "0", "5.00"],
            ["debits_credits_differ", "EUR", "0", "5.00"],
            ["debits_credits_differ", "USD", "5.00", "0"],
            ["debits_credits_differ", "USD", "5.00", "0"],
        ],
    ),
    (
        "UPDATE wallet_data.transfers SET credit_account_id = debit_account_id, credit_version = 2, credit_balance = 0
         WHERE transfer_id = '{u1}'",
        &[
            ["balance_mismatch", "usd:bank", "0.00", "5.00"],
            ["balance_mismatch", "usd:wallet", "0", "5.00"],
            ["last_posted_at_mismatch", "usd:wallet", "-infinity", "*"],
            ["same_account", "{u1}", "NULL", "usd:bank"],
            ["version_mismatch", "usd:bank", "2", "1"],
            ["version_mismatch", "usd:wallet", "0", "1"],
        ],
    ),
    (
        "UPDATE wallet_data.transfers SET kind_id = 5000 WHERE transfer_id = '{t2}'",
        &[["kind_unknown", "{t2}", "NULL", "5000"]],
    ),
    (
        "UPDATE wallet_data.transfers SET amount = 5.000 WHERE transfer_id = '{u1}'",
        &[["amount_invalid", "{u1}", "NULL", "5.000"]],
    ),
    (
        "UPDATE wallet_data.transfers SET amount = 'NaN' WHERE transfer_id = '{u1}'",
        &[
            ["amount_invalid", "{u1}", "NULL", "NaN"],
            ["balance_chain_broken", "{u1}", "NaN", "5.00"],
            ["balance_chain_broken", "{u1}", "NaN", "5.00"],
            ["balance_mismatch", "usd:bank", "NaN", "5.00"],
            ["balance_mismatch", "usd:wallet", "NaN", "5.00"],
        ],
    ),
    (
        "UPDATE wallet_data.transfers SET amount = 0 WHERE transfer_id = '{u1}'",
        &[
            ["amount_invalid", "{u1}", "NULL", "0"],
            ["balance_chain_broken", "{u1}", "0", "5.00"],
            ["balance_chain_broken", "{u1}", "0", "5.00"],
            ["balance_mismatch", "usd:bank", "0", "5.00"],
            ["balance_mismatch", "usd:wallet", "0", "5.00"],
        ],
    ),
    (
        "UPDATE wallet_data.transfers SET kind_id = 900 WHERE transfer_id = '{t2}'",
        &[["reversal_without_original", "{t2}", "NULL", "NULL"]],
    ),
    (
        "UPDATE wallet_data.transfers SET reverses_id = '{nobody}' WHERE transfer_id = '{r3}'",
        &[
            ["reversal_total_mismatch", "{nobody}", "40.00", "0"],
            ["reversal_total_mismatch", "{t3}", "0", "40.00"],
            ["reversed_transfer_missing", "{nobody}", "NULL", "NULL"],
        ],
    ),
    (
        "UPDATE wallet_data.transfers SET kind_id = 1 WHERE transfer_id = '{r3}'",
        &[["reversal_misdirected", "{r3}", "shop to wallets:a", "shop to wallets:a"]],
    ),
    (
        "UPDATE wallet_data.transfers SET reverses_id = '{t2}' WHERE transfer_id = '{r3}';
         UPDATE wallet_data.reversal_totals SET transfer_id = '{t2}', original_amount = 300
         WHERE transfer_id = '{t3}'",
        &[["reversal_misdirected", "{r3}", "wallets:b to wallets:a", "shop to wallets:a"]],
    ),
    (
        "UPDATE wallet_data.transfers SET amount = 30 WHERE transfer_id = '{t3}'",
        &[
            ["balance_chain_broken", "{t3}", "30", "100.00"],
            ["balance_chain_broken", "{t3}", "670.00", "600.00"],
            ["balance_mismatch", "shop", "20.00", "90.00"],
            ["balance_mismatch", "wallets:a", "710.00", "640.00"],
            ["reversal_exceeds_original", "{t3}", "30", "40.00"],
            ["reversal_total_mismatch", "{t3}", "30", "100.00"],
        ],
    ),
    (
        "UPDATE wallet_data.reversal_totals SET reversed_amount = 41 WHERE transfer_id = '{t3}'",
        &[["reversal_total_mismatch", "{t3}", "40.00", "41"]],
    ),
    (
        "DELETE FROM wallet_data.reversal_totals WHERE transfer_id = '{t3}'",
        &[["reversal_total_mismatch", "{t3}", "40.00", "0"]],
    ),
    (
        "UPDATE wallet_data.holds SET transfer_id = '{nobody}' WHERE hold_id = '{hold}'",
        &[["hold_transfer_missing", "{hold}", "30.00", "NULL"]],
    ),
    (
        "UPDATE wallet_data.holds SET captured_amount = 31 WHERE hold_id = '{hold}'",
        &[["hold_transfer_differs", "{hold}", "31", "30.00"]],
    ),
    (
        "UPDATE wallet_data.holds SET destination = 'wallets:a' WHERE hold_id = '{hold}'",
        &[["hold_transfer_differs", "{hold}", "wallets:a", "shop"]],
    ),
    (
        "UPDATE wallet_data.holds SET transfer_id = '{t2}', captured_amount = 300 WHERE hold_id = '{hold}'",
        &[
            ["hold_transfer_differs", "{hold}", "shop", "wallets:b"],
            ["hold_transfer_differs", "{hold}", "wallets:b", "NULL"],
        ],
    ),
    (
        "UPDATE wallet_data.holds SET account_id = 999999 WHERE hold_id = '{released}'",
        &[["account_missing", "{released}", "NULL", "999999"]],
    ),
    (
        "UPDATE wallet_data.idempotency_keys SET transfer_ids = ARRAY['{nobody}'::uuid] WHERE key = 'k1'",
        &[["key_transfer_missing", "k1", "{nobody}", "NULL"]],
    ),
    (
        "UPDATE wallet_data.idempotency_keys SET result = jsonb_build_object('transfer_id', '{nobody}')
         WHERE key = 'kc'",
        &[["key_transfer_missing", "kc", "{nobody}", "NULL"]],
    ),
    (
        "UPDATE wallet_data.idempotency_keys SET result = jsonb_build_array('{t1}', '{nobody}') WHERE key = 'krt'",
        &[["key_transfer_missing", "krt", "{nobody}", "NULL"]],
    ),
    (
        "UPDATE wallet_data.idempotency_keys SET result = result || '{\"hold_id\": \"{nobody}\"}' WHERE key = 'kh'",
        &[["key_hold_missing", "kh", "{nobody}", "NULL"]],
    ),
    (
        "UPDATE wallet_data.idempotency_keys SET error = '{}' WHERE key = 'k1'",
        &[["key_outcome_invalid", "k1", "1", "2"]],
    ),
    (
        "UPDATE wallet_data.idempotency_keys SET error = NULL WHERE key = 'kx'",
        &[["key_outcome_invalid", "kx", "1", "0"]],
    ),
];

#[tokio::test]
async fn every_finding_is_found_and_nothing_else() {
    let books = Books::sound("tamper").await;
    let client = books.db.connect().await;
    verify_clean(&client).await;
    for (tamper, expected) in CASES {
        db::execute(&client, "BEGIN").await;
        db::execute(&client, REMOVE_GUARDS).await;
        db::execute(&client, &books.fill_in(tamper)).await;
        let mut found: Vec<[String; 4]> = calls(&client, "verify_ledger('main')")
            .await
            .iter()
            .map(|line| line.pick(["finding", "subject", "expected", "actual"]).map(str::to_owned))
            .collect();
        found.sort();
        let mut wanted: Vec<[String; 4]> =
            expected.iter().map(|row| row.map(|word| books.fill_in(word))).collect();
        wanted.sort();
        let same = found.len() == wanted.len()
            && found
                .iter()
                .zip(&wanted)
                .all(|(found, wanted)| (0..4).all(|i| wanted[i] == "*" || found[i] == wanted[i]));
        assert!(same, "{tamper}\nfound  {found:#?}\nwanted {wanted:#?}");
        db::verify_clean_ledger(&client, "other").await;
        db::execute(&client, "ROLLBACK").await;
    }
    verify_clean(&client).await;
}

#[tokio::test]
async fn the_cases_cover_the_whole_list() {
    let provoked: BTreeSet<&str> =
        CASES.iter().flat_map(|(_, findings)| findings.iter().map(|row| row[0])).collect();
    let listed: BTreeSet<&str> = rules::ALL.iter().map(|definition| definition.finding).collect();
    // `more_findings` has a test of its own; the others are in verify_bank.rs, verify_escrow.rs, bank_releases.rs,
    // subscriptions.rs, limits.rs and purchase_guards.rs.
    let rest: Vec<&str> = listed.symmetric_difference(&provoked).copied().collect();
    let elsewhere = [
        "bank_release_mismatch",
        "device_entry_mismatch",
        "escrow_balance_mismatch",
        "escrow_dispute_mismatch",
        "escrow_posting_missing",
        "escrow_sum_mismatch",
        "gateway_payment_mismatch",
        "intent_payment_differs",
        "intent_total_shared",
        "limits_differ",
        "live_intent_differs",
        "more_findings",
        "mutation_posting_missing",
        "purchase_party_missing",
        "purchase_posting_mismatch",
        "purchase_sum_mismatch",
        "spending_differs",
        "subscription_periods_mismatch",
        "subscription_posting_missing",
        "suspense_mismatch",
    ];
    assert_eq!(rest, elsewhere);
}

#[tokio::test]
async fn what_is_too_much_to_show_is_said() {
    let db = TestDb::with_ledger("more").await;
    let client = db.connect().await;
    let insert = |count: i32| {
        format!(
            "INSERT INTO wallet_data.idempotency_keys (ledger_id, operation_id, created_at, key, request)
             SELECT 1, 1, now(), 'k' || n, '' FROM generate_series(1, {count}) n
             ON CONFLICT DO NOTHING"
        )
    };
    db::execute(&client, &insert(1000)).await;
    let counts = "SELECT finding, count(*), min(meaning) AS meaning FROM wallet_ledger.verify_ledger() GROUP BY 1 ORDER BY 1";
    let found = lines(&client, counts).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].pick(["finding", "count"]), ["key_outcome_invalid", "1000"]);
    assert!(found[0]["meaning"].starts_with("An idempotency key"));
    db::execute(&client, &insert(1001)).await;
    let found = lines(&client, counts).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].pick(["finding", "count"]), ["key_outcome_invalid", "1000"]);
    assert_eq!(found[1].pick(["finding", "count"]), ["more_findings", "1"]);
}

#[tokio::test]
async fn an_auditor_may_run_it_and_it_writes_nothing() {
    let books = Books::sound("auditor").await;
    let client = books.db.connect_as("wallet_auditor").await;
    db::execute(&client, "BEGIN READ ONLY").await;
    assert_eq!(calls(&client, "verify_ledger(ledger => 'main')").await, Vec::new());
    assert_eq!(value(&client, "SELECT pg_current_xact_id_if_assigned()").await, "NULL");
    db::execute(&client, "COMMIT").await;
    assert_error(try_calls(&client, "verify_ledger('none')").await, "ledger_not_found", "PT404");
    assert_error(try_calls(&client, "verify_ledger()").await, "ledger_required", "PT400");
}

/// The generator of the benchmarks makes sound books; the long form prints how long a million take.
#[tokio::test]
async fn generated_books_are_sound() {
    let db = TestDb::with_ledger("fill").await;
    let client = db.connect().await;
    let sizes: &[(u32, u32, u32)] = &[(1, 2, 0), (77, 10, 7), (20_000, 300, 5_000)];
    let long_sizes: &[(u32, u32, u32)] = &[(1_000_000, 50_000, 100_000)];
    for (index, (transfers, accounts, hot)) in
        sizes.iter().chain(long_sizes.iter().filter(|_| long())).enumerate()
    {
        let script = cluster::root().join("benches/fill.sql");
        let mut psql = db.cluster.program("psql");
        psql.args(["-X", "-d", &db.name, "-v", &format!("prefix=f{index}")]);
        for (name, count) in [("transfers", transfers), ("accounts", accounts), ("hot", hot)] {
            psql.args(["-v", &format!("{name}={count}")]);
        }
        run(psql.arg("-f").arg(script)).await;
        let begun = std::time::Instant::now();
        verify_clean(&client).await;
        eprintln!("verify_ledger() after {transfers} more transfers: {:?}", begun.elapsed());
    }
    let total = value(&client, "SELECT count(*) >= 20078 FROM wallet_data.transfers").await;
    assert_eq!(total, "t");
    // They can be posted to.
    call(&client, "post_transfer('f2:wallets:1', 'f2:wallets:2', 5)").await;
    verify_clean(&client).await;
}
