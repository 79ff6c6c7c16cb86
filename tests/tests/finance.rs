//! The finance office's reports tell what the books tell: every total ties to the trial balance on a random
//! month; a day is the ledger's day; what waits is shown with why it waits; who may not read gets nothing.

use wallet_ledger_tests::*;

#[path = "finance/month.rs"]
mod month;

const VIEWS: [&str; 10] = [
    "escrows_ready_for_release",
    "open_disputes",
    "fee_report",
    "refund_report",
    "escrow_report",
    "platform_float",
    "topups",
    "daily_topups",
    "revenue_entries",
    "platform_revenue",
];

/// Books with a rate, and an escrow of `wallets:a` (1,000.00) for `wallets:c`: 100.00 with a fee of 15 %.
async fn order(client: &Client, reference: &str, more: &str) -> String {
    call(client, "set_rate('merchant_commission', 0.15)").await;
    let lines = r#"[{"beneficiary": "wallets:c", "amount": 100, "fee": "merchant_commission"}]"#;
    let opened = call(client, &format!("open_escrow('{reference}', 'wallets:a', '{lines}'{more})")).await;
    opened["id"].to_owned()
}

/// 23:59:59.999999 in Jakarta is today, 00:00 is tomorrow, wherever the reader sits.
#[tokio::test]
async fn a_day_is_the_ledgers_day() {
    let (db, client) = books("finance_days").await;
    let superuser = db.connect().await;
    let moments = ["2025-10-04 23:59:59.999999+07", "2025-10-05 00:00:00+07"];
    for (index, at) in moments.iter().enumerate() {
        let topup = format!("post_transfer('bank', 'wallets:b', 10, 'topup', effective_at => '{at}')");
        call(&client, &topup).await;
        let id = order(&client, &format!("o-{index}"), "").await;
        call(&client, &format!("release_escrow('{id}')")).await;
        call(&client, &format!("refund_escrow('{id}', 40)")).await;
        let dispute = order(&client, &format!("d-{index}"), "").await;
        call(&client, &format!("open_dispute('{dispute}', 'a', 'broken')")).await;
        let move_to = format!(
            "BEGIN; ALTER TABLE wallet_data.transfers DISABLE TRIGGER transfers_append_only; \
             ALTER TABLE wallet_data.escrow_actions DISABLE TRIGGER escrow_actions_append_only; \
             UPDATE wallet_data.transfers SET effective_at = '{at}' WHERE reference IN ('o-{index}', 'd-{index}'); \
             UPDATE wallet_data.escrow_actions SET created_at = '{at}' WHERE created_at > now() - interval '1 day'; \
             UPDATE wallet_data.disputes SET opened_at = '{at}' WHERE opened_at > now() - interval '1 day'; \
             UPDATE wallet_data.escrows SET opened_at = '{at}', \
             closed_at = CASE WHEN closed_at IS NOT NULL THEN timestamptz '{at}' END \
             WHERE opened_at > now() - interval '1 day'; \
             ALTER TABLE wallet_data.transfers ENABLE ALWAYS TRIGGER transfers_append_only; \
             ALTER TABLE wallet_data.escrow_actions ENABLE ALWAYS TRIGGER escrow_actions_append_only; COMMIT"
        );
        db::execute(&superuser, &move_to).await;
    }
    for zone in ["UTC", "America/New_York", "Pacific/Kiritimati"] {
        db::execute(&client, &format!("SET timezone = '{zone}'")).await;
        for (view, day, expected) in [
            ("daily_topups", "day", "topup_count = 1 AND amount = 10"),
            ("platform_revenue", "day", "credit_total = 15 AND debit_total = 6"),
            ("fee_report", "day", "fee_amount = 15 OR returned_fee_amount = 6"),
            ("refund_report", "day", "amount = 40"),
            ("escrow_report", "opened_day", "amount = 100"),
            ("open_disputes", "opened_day", "held_amount = 100"),
        ] {
            let counts = format!(
                "SELECT string_agg({day} || '=' || n, ' ' ORDER BY {day}) FROM (SELECT {day}, count(*) AS n \
                 FROM wallet_ledger.{view} WHERE ({expected}) AND {day} < '2025-11-01' GROUP BY 1) AS days"
            );
            let n = if ["fee_report", "escrow_report"].contains(&view) { 2 } else { 1 };
            let expected = format!("2025-10-04={n} 2025-10-05={n}");
            assert_eq!(value(&client, &counts).await, expected, "{view} in {zone}");
        }
        let trend = "finance_trend('2025-10-04 00:00+07', '2025-10-06 00:00+07')";
        let days = calls(&client, trend).await;
        let picked: Vec<_> =
            days.iter().map(|day| day.pick(["first_day", "next_day", "gmv", "topup_count"])).collect();
        assert_eq!(
            picked,
            [["2025-10-04", "2025-10-05", "200.00", "1"], ["2025-10-05", "2025-10-06", "200.00", "1"]],
            "in {zone}"
        );
        for (from, to, count) in [
            ("2025-10-04 23:59:59.999999+07", "2025-10-05 00:00+07", "2"),
            ("2025-10-05 00:00+07", "2025-10-05 00:00:00.000001+07", "2"),
            ("2025-10-05 00:00:00.000001+07", "2025-10-06 00:00+07", "0"),
            ("2025-10-04 00:00+07", "2025-10-06 00:00+07", "4"),
        ] {
            let overview = call(&client, &format!("finance_overview('{from}', '{to}')")).await;
            assert_eq!(&overview["escrow_count"], count, "{from} {to}");
        }
    }
}

/// What waits for somebody: due and failed releases, disputes, proofs of payment.
#[tokio::test]
async fn what_waits_is_shown_with_the_reason() {
    let (db, client) = bank::bank_books("finance_waits").await;
    let due = order(&client, "due", ", auto_release_after => '0'").await;
    let later = order(&client, "later", "").await;
    let disputed = order(&client, "disputed", ", auto_release_after => '0'").await;
    for id in [&due, &later, &disputed] {
        call(&client, &format!("mark_shipped('{id}')")).await;
    }
    let dispute = call(&client, &format!("open_dispute('{disputed}', 'a', 'broken')")).await;
    call(&client, &format!("add_dispute_note('{}', 'a photo')", &dispute["id"])).await;
    let intent = bank::intent(&client, 50000, "").await;
    call(&client, &format!("submit_payment_proof('{}', 'file-1')", &intent["id"])).await;

    let ready = "SELECT * FROM wallet_ledger.escrows_ready_for_release";
    let row = bank::one(&client, ready).await;
    assert_eq!(
        row.pick(["reference", "status", "held_amount", "error"]),
        ["due", "shipped", "100.00", "NULL"]
    );
    assert_eq!(&row["seller_accounts"], "{wallets:c}");
    assert_eq!(value(&client, &format!("SELECT overdue > '0' FROM ({ready}) r")).await, "t");
    call(&client, "freeze_account('wallets:c')").await;
    assert_eq!(&call(&client, "release_due_escrows()").await["outcome"], "failed");
    let row = bank::one(&client, ready).await;
    assert_eq!(row.pick(["reference", "error"]), ["due", "account_frozen"]);
    let times =
        format!("SELECT failed_at <= now() AND next_attempt_at > now() AND message <> '' FROM ({ready}) r");
    assert_eq!(value(&client, &times).await, "t");

    let row = bank::one(&client, "SELECT * FROM wallet_ledger.open_disputes").await;
    assert_eq!(
        row.pick(["reference", "buyer_account", "held_amount", "note_count", "opened_by"]),
        ["disputed", "wallets:a", "100.00", "1", "a"]
    );
    let now = call(&client, "finance_overview()").await;
    let picked =
        now.pick(["held_amount", "releases_due", "releases_due_amount", "open_disputes", "disputed_amount"]);
    assert_eq!(picked, ["300.00", "1", "100.00", "1", "100.00"]);
    assert_eq!(now.pick(["payments_to_verify", "payments_to_verify_amount"]), ["1", &intent["total"]]);

    // What was decided, released and verified waits no more.
    call(&client, "unfreeze_account('wallets:c')").await;
    call(&client, &format!("resolve_dispute('{}', 40, 'half of it')", &dispute["id"])).await;
    call(&client, &format!("release_escrow('{due}')")).await;
    call(&client, &format!("reject_payment('{}', 'no money came')", &intent["id"])).await;
    let now = call(&client, "finance_overview()").await;
    let picked =
        now.pick(["held_amount", "releases_due", "open_disputes", "payments_to_verify", "refunded_amount"]);
    assert_eq!(picked, ["100.00", "0", "0", "0", "40.00"]);
    let row = bank::one(&client, "SELECT * FROM wallet_ledger.refund_report").await;
    assert_eq!(
        row.pick([
            "reference",
            "action",
            "from_escrow_amount",
            "from_sellers_amount",
            "reason",
            "buyer_account"
        ]),
        ["disputed", "resolve_dispute", "40.00", "0.00", "half of it", "wallets:a"]
    );
    let report =
        bank::one(&client, "SELECT * FROM wallet_ledger.escrow_report WHERE reference = 'disputed'").await;
    assert_eq!(report.pick(["status", "dispute_count", "days_held"]), ["released", "1", "0"]);
    drop(db);
}

/// Applications and auditors read all of it with their own rights; nobody else reads anything.
#[tokio::test]
async fn readers_read_with_their_own_rights() {
    let (db, client) = books("finance_roles").await;
    let superuser = db.connect().await;
    let id = order(&client, "o-1", "").await;
    call(&client, &format!("release_escrow('{id}')")).await;
    let stranger = db.role("stranger", "LOGIN").await;
    let names = VIEWS.map(|view| format!("'{view}'")).join(", ");
    let invokers = format!(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'wallet_ledger'::regnamespace AND relname IN ({names}) \
         AND reloptions @> ARRAY['security_invoker=true']"
    );
    assert_eq!(value(&superuser, &invokers).await, VIEWS.len().to_string());
    let functions = "SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc \
                     WHERE proname IN ('finance_overview', 'finance_trend') AND NOT prosecdef AND provolatile = 's' \
                       AND proconfig = ARRAY['search_path=pg_catalog, pg_temp']";
    assert_eq!(value(&superuser, functions).await, "finance_overview finance_trend");
    for role in ["wallet_app", "wallet_auditor"] {
        let reader = db.connect_as(role).await;
        for view in VIEWS {
            lines(&reader, &format!("SELECT * FROM wallet_ledger.{view}")).await;
        }
        // A read-only transaction, as PostgREST and a standby have it.
        db::execute(&reader, "SET default_transaction_read_only = on").await;
        assert_eq!(&call(&reader, "finance_overview()").await["fees_collected"], "15.00", "{role}");
        assert_eq!(calls(&reader, "finance_trend()").await.len(), 1, "{role}");
    }
    // The functions lend nobody their owner's rights: who may call but not read gets nothing.
    db::execute(
        &superuser,
        &format!(
            "GRANT USAGE ON SCHEMA wallet_ledger TO \"{stranger}\"; \
             GRANT EXECUTE ON FUNCTION wallet_ledger.finance_overview, wallet_ledger.finance_trend TO \"{stranger}\""
        ),
    )
    .await;
    let outside = db.connect_as(&stranger).await;
    for sql in ["finance_overview(ledger => 'main')", "finance_trend(ledger => 'main')"] {
        let refused = sql_error(&try_calls(&outside, sql).await.expect_err(sql));
        assert_eq!(refused.sqlstate, "42501", "{sql}: {refused:?}");
    }
    for view in VIEWS {
        let refused = try_lines(&outside, &format!("SELECT * FROM wallet_ledger.{view}")).await;
        assert_eq!(sql_error(&refused.expect_err(view)).sqlstate, "42501", "{view}");
    }
}

#[tokio::test]
async fn wrong_questions_are_refused_and_empty_ones_answered() {
    let db = TestDb::with_ledger("finance_questions").await;
    let client = db.app().await;
    for sql in [
        "finance_overview('2025-10-02', '2025-10-01')",
        "finance_overview('infinity')",
        "finance_overview(NULL, '-infinity')",
        "finance_trend('2025-10-02', '2025-10-01')",
        "finance_trend(bucket => 'hour')",
        "finance_trend(bucket => 'Day')",
        "finance_trend(bucket => '')",
        "finance_trend('2020-01-01 00:00+07', '2022-09-28 00:00+07')",
        "finance_trend('2000-01-01', '2020-01-01', 'week')",
        "finance_trend('1900-01-01', '2020-01-01', 'month')",
    ] {
        assert_error(try_calls(&client, sql).await, "invalid_argument", "PT400");
    }
    assert_error(try_calls(&client, "finance_trend(bucket => NULL)").await, "missing_argument", "PT400");
    for call in ["finance_overview(ledger => 'other')", "finance_trend(ledger => 'other')"] {
        assert_error(try_calls(&client, call).await, "ledger_not_found", "PT404");
    }
    let empty = call(&client, "finance_overview()").await;
    let picked = empty.pick(["ledger", "currency", "escrow_count", "gmv", "held_amount", "platform_float"]);
    assert_eq!(picked, ["main", "IDR", "0", "0.00", "0.00", "0.00"]);
    for (sql, count) in [
        ("finance_trend()", 1),
        ("finance_trend(NULL, '2025-10-01')", 1),
        ("finance_trend('2025-10-01', '2025-10-01')", 0),
        ("finance_trend('2025-10-01 00:00+07', '2025-10-01 00:00:00.000001+07')", 1),
        ("finance_trend('2020-01-01 00:00+07', '2022-09-27 00:00+07')", 1000),
        ("finance_trend('2025-10-01 00:00+07', '2025-11-01 00:00+07')", 31),
        ("finance_trend('2025-10-05 23:00+07', '2025-10-06 01:00+07', 'week')", 2),
        ("finance_trend('2025-10-06 00:00+07', '2025-10-13 00:00+07', 'week')", 1),
        ("finance_trend('2024-12-31 23:00+07', '2026-01-01 00:00+07', 'month')", 13),
    ] {
        assert_eq!(calls(&client, sql).await.len(), count, "{sql}");
    }
    // A sum may have more digits than any balance: then it is told, not rounded.
    call(&client, "create_account('bank', 'asset')").await;
    call(&client, "open_wallet('a')").await;
    let most = format!("7{}.01", "0".repeat(26));
    call(&client, &format!("post_transfer('bank', 'wallets:a', {most}, 'topup')")).await;
    call(&client, &format!("post_transfer('wallets:a', 'bank', {most}, 'withdrawal')")).await;
    call(&client, "finance_overview()").await;
    call(&client, &format!("post_transfer('bank', 'wallets:a', {most}, 'topup')")).await;
    assert_error(try_calls(&client, "finance_overview()").await, "amount_out_of_range", "PT400");
    assert_error(try_calls(&client, "finance_trend()").await, "amount_out_of_range", "PT400");
}
