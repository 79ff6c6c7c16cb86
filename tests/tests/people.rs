//! Proves that people and places are made once, that doing it again says what differs, that names, prices and
//! policies of a wrong form are refused, and that nobody passes the guards of their tables.

#[path = "people/enrolment.rs"]
mod enrolment;

use futures::future::join_all;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// A ledger with a pupil, a guardian, a canteen with a till, and something to eat.
async fn school(test: &str) -> (TestDb, Client) {
    let db = TestDb::with_ledger(test).await;
    let client = db.app().await;
    execute(&client, "SET wallet_ledger.actor = 'office'").await;
    for made in [
        "create_member('joni', 'Joni Pratama', 'sub-joni')",
        "create_guardian('ibu-joni', 'Siti Aminah', 'sub-siti')",
        "link_guardian('ibu-joni', 'joni')",
        "create_merchant('canteen', 'Kantin Barokah')",
        "create_device('till-1', 'canteen')",
        "set_item('canteen', 'nasi-goreng', 15000, 'Nasi goreng', 'food')",
    ] {
        call(&client, made).await;
    }
    (db, client)
}

/// The topics of all events, in their order.
async fn topics(client: &Client) -> Vec<String> {
    let sql = "SELECT topic FROM wallet_ledger.events WHERE topic !~ '^account' ORDER BY created_at, id";
    lines(client, sql).await.iter().map(|event| event["topic"].to_owned()).collect()
}

async fn payload(client: &Client, topic: &str) -> Value {
    let sql = format!(
        "SELECT payload FROM wallet_ledger.events WHERE topic = '{topic}' ORDER BY created_at DESC, id DESC LIMIT 1"
    );
    lines(client, &sql).await[0].json("payload")
}

#[tokio::test]
async fn a_school_is_made_and_made_again() {
    let (_db, client) = school("school").await;
    let member = call(&client, "create_member('joni')").await;
    assert_eq!(
        member.pick(["member", "ledger", "account", "currency", "full_name", "actor", "status"]),
        ["joni", "main", "wallets:joni", "IDR", "Joni Pratama", "sub-joni", "active"]
    );
    let wallet = call(&client, "open_wallet('joni')").await;
    assert_eq!(wallet.pick(["type", "minimum_balance", "owner"]), ["liability", "0.00", "joni"]);
    let guardian = call(&client, "create_guardian('ibu-joni')").await;
    assert_eq!(guardian.pick(["full_name", "actor", "status"]), ["Siti Aminah", "sub-siti", "active"]);
    let link = call(&client, "link_guardian('ibu-joni', 'joni')").await;
    assert_eq!(
        link.pick(["may_view", "may_top_up", "may_set_limits", "linked_by"]),
        ["t", "t", "f", "office"]
    );
    let merchant = call(&client, "create_merchant('canteen')").await;
    assert_eq!(merchant.pick(["account", "currency"]), ["merchants:canteen", "IDR"]);
    let sql =
        "SELECT type, minimum_balance, owner FROM wallet_ledger.accounts WHERE account = 'merchants:canteen'";
    assert_eq!(
        lines(&client, sql).await[0].pick(["type", "minimum_balance", "owner"]),
        ["liability", "0.00", "canteen"]
    );
    let device = call(&client, "create_device('till-1', 'canteen')").await;
    assert_eq!(
        device.pick([
            "merchant",
            "status",
            "gap_policy",
            "conflict_policy",
            "overdraft_limit",
            "last_sequence"
        ]),
        ["canteen", "active", "wait", "reject", "0.00", "0"]
    );
    let item = call(&client, "set_item('canteen', 'nasi-goreng', 15000)").await;
    assert_eq!(
        item.pick([
            "full_name",
            "category",
            "price",
            "currency",
            "quantity_decimals",
            "status",
            "updated_by"
        ]),
        ["Nasi goreng", "food", "15000.00", "IDR", "0", "active", "office"]
    );
    assert_told_once(&client).await;
}

/// Everything was there already when it was made again: each was written, and told, once.
async fn assert_told_once(client: &Client) {
    assert_eq!(
        topics(client).await,
        [
            "member.created",
            "guardian.created",
            "guardian.linked",
            "merchant.created",
            "device.created",
            "item.changed"
        ]
    );
    for (view, column) in [
        ("members", "member"),
        ("guardians", "guardian"),
        ("guardian_links", "member"),
        ("merchants", "merchant"),
        ("devices", "device"),
        ("items", "item"),
    ] {
        let rows = lines(client, &format!("SELECT * FROM wallet_ledger.{view}")).await;
        assert_eq!(rows.len(), 1, "{view}");
        assert_eq!(&rows[0]["ledger"], "main", "{view}");
        assert_ne!(&rows[0][column], "NULL", "{view}");
    }
    verify_clean(client).await;
}

#[tokio::test]
async fn a_wallet_that_is_there_is_taken_and_another_one_is_not() {
    let (_db, client) = school("wallets").await;
    call(&client, "open_wallet('ani', metadata => '{\"class\": 3}')").await;
    call(&client, "create_account('bank', 'asset')").await;
    call(&client, "post_transfer('bank', 'wallets:ani', 5000, 'topup')").await;
    assert_eq!(&call(&client, "create_member('ani')").await["account"], "wallets:ani");
    assert_eq!(posted(&client, "wallets:ani").await, "5000.00");
    // A wallet of another currency, and a shop's prices in it.
    call(&client, "create_currency('SGD', 2)").await;
    for made in ["create_member('mei', currency => 'SGD')", "create_merchant('duty-free', currency => 'SGD')"]
    {
        assert_eq!(&call(&client, made).await["currency"], "SGD");
        let again = made.replace(", currency => 'SGD'", "");
        assert_eq!(&call(&client, &again).await["currency"], "SGD", "{again}");
        let other = made.replace("SGD", "IDR");
        let error = assert_error(try_call(&client, &other).await, "already_exists", "PT409");
        assert_eq!(error.detail["field"], "currency");
    }
    assert_eq!(&call(&client, "set_item('duty-free', 'coklat', 7.5)").await["currency"], "SGD");
    call(&client, "create_account('wallets:budi', 'liability')").await;
    let error = assert_error(try_call(&client, "create_member('budi')").await, "already_exists", "PT409");
    assert_eq!(error.detail["field"], "minimum_balance");
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.members").await, "3");
}

#[tokio::test]
async fn what_differs_is_named() {
    let (_db, client) = school("differs").await;
    call(&client, "create_merchant('coop', metadata => '{\"floor\": 1}')").await;
    for (again, field) in [
        ("create_member('joni', 'Joni')", "full_name"),
        ("create_member('joni', actor => 'sub-other')", "actor"),
        ("create_member('joni', metadata => '{}')", "metadata"),
        ("create_member('ani', actor => 'sub-joni')", "actor"),
        ("create_guardian('ibu-joni', 'Siti')", "full_name"),
        ("create_guardian('ibu-joni', actor => 'sub-other')", "actor"),
        ("create_guardian('ibu-ani', actor => 'sub-siti')", "actor"),
        ("create_merchant('coop', 'Koperasi')", "full_name"),
        ("create_merchant('coop', metadata => '{\"floor\": 2}')", "metadata"),
        ("create_device('till-1', 'coop')", "merchant"),
    ] {
        let error = assert_error(try_call(&client, again).await, "already_exists", "PT409");
        assert_eq!(error.detail["field"], field, "{again}");
    }
    // One person may be a member and a guardian: a teacher with a child at the school.
    call(&client, "create_guardian('pak-guru', actor => 'sub-joni')").await;
}

#[tokio::test]
async fn rights_policies_and_prices_change_and_the_change_is_told() {
    let (_db, client) = school("changes").await;
    let link =
        call(&client, "link_guardian('ibu-joni', 'joni', may_top_up => false, may_set_limits => true)").await;
    assert_eq!(link.pick(["may_view", "may_top_up", "may_set_limits"]), ["t", "f", "t"]);
    assert_eq!(payload(&client, "guardian.linked").await["may_set_limits"], true);
    let back = call(&client, "link_guardian('ibu-joni', 'joni', false, false, false)").await;
    assert_eq!(back.pick(["may_view", "may_top_up", "may_set_limits"]), ["f", "f", "f"]);

    let device = call(
        &client,
        "create_device('till-1', 'canteen', conflict_policy => 'accept', overdraft_limit => 20000)",
    )
    .await;
    assert_eq!(
        device.pick(["gap_policy", "conflict_policy", "overdraft_limit"]),
        ["wait", "accept", "20000.00"]
    );
    let changed = payload(&client, "device.changed").await;
    assert_eq!(changed["before"]["conflict_policy"], "reject");
    assert_eq!((&changed["overdraft_limit"], &changed["actor"]), (&json!("20000.00"), &json!("office")));
    // What is not stated stays.
    let device = call(&client, "create_device('till-1', 'canteen', gap_policy => 'take')").await;
    assert_eq!(
        device.pick(["gap_policy", "conflict_policy", "overdraft_limit"]),
        ["take", "accept", "20000.00"]
    );

    let item = call(&client, "set_item('canteen', 'nasi-goreng', 17500.50, quantity_decimals => 3)").await;
    assert_eq!(
        item.pick(["price", "full_name", "category", "quantity_decimals"]),
        ["17500.50", "Nasi goreng", "food", "3"]
    );
    let changed = payload(&client, "item.changed").await;
    assert_eq!((&changed["before"]["price"], &changed["price"]), (&json!("15000.00"), &json!("17500.50")));
    let item = call(&client, "set_item('canteen', 'nasi-goreng', 17500.50, active => false)").await;
    assert_eq!(item.pick(["status", "quantity_decimals"]), ["inactive", "3"]);
    assert_eq!(&call(&client, "set_item('canteen', 'nasi-goreng', 18000)").await["status"], "inactive");
    assert_eq!(lines(&client, "SELECT * FROM wallet_ledger.items").await.len(), 1);
    let count = topics(&client).await;
    let of = |topic: &str| count.iter().filter(|is| *is == topic).count();
    assert_eq!((of("guardian.linked"), of("device.changed"), of("item.changed")), (3, 2, 4));
}

#[tokio::test]
async fn parties_are_put_to_rest_and_back() {
    let (_db, client) = school("status").await;
    for (kind, name) in
        [("member", "joni"), ("guardian", "ibu-joni"), ("merchant", "canteen"), ("device", "till-1")]
    {
        for (active, status, event) in [("false", "inactive", "deactivated"), ("true", "active", "activated")]
        {
            for _ in 0..2 {
                let party =
                    call(&client, &format!("set_party_status('{kind}', '{name}', {active}, 'holidays')"))
                        .await;
                assert_eq!(party.pick(["kind", "name", "status"]), [kind, name, status]);
            }
            let column = format!("SELECT status FROM wallet_ledger.{kind}s WHERE {kind} = '{name}'");
            assert_eq!(value(&client, &column).await, status);
            let event = payload(&client, &format!("{kind}.{event}")).await;
            assert_eq!((&event["reason"], &event["actor"]), (&json!("holidays"), &json!("office")));
        }
    }
    let told = topics(&client).await;
    assert_eq!(told.iter().filter(|topic| topic.contains("activated")).count(), 8, "{told:?}");
}

#[tokio::test]
async fn roles_are_given_and_taken_and_doing_it_twice_is_harmless() {
    let (_db, client) = school("roles_given").await;
    for _ in 0..2 {
        let role = call(&client, "assign_role('sub-kasir', 'cashier', 'canteen')").await;
        assert_eq!(
            role.pick(["actor", "role", "scope", "assigned", "assigned_by"]),
            ["sub-kasir", "cashier", "canteen", "t", "office"]
        );
    }
    call(&client, "assign_role('sub-kasir', 'organisation_administrator')").await;
    call(&client, "create_member('ani')").await;
    call(&client, "assign_role('sub-ani', 'member', 'ani')").await;
    call(&client, "assign_role('sub-ani', 'member', 'ani')").await;
    assert_eq!(&call(&client, "create_member('ani')").await["actor"], "sub-ani");
    let view =
        "SELECT string_agg(actor || ' ' || role || coalesce(' ' || scope, ''), ', ' ORDER BY actor, role)
                FROM wallet_ledger.role_assignments";
    assert_eq!(
        value(&client, view).await,
        "sub-ani member ani, sub-joni member joni, sub-kasir cashier canteen, \
         sub-kasir organisation_administrator, sub-siti guardian ibu-joni"
    );
    // The member has an actor, and the actor is a member: neither is taken away in passing.
    for taken in ["assign_role('sub-other', 'member', 'ani')", "assign_role('sub-ani', 'member', 'joni')"] {
        assert_error(try_call(&client, taken).await, "already_exists", "PT409");
    }
    assert_error(
        try_call(&client, "assign_role('sub-joni', 'member', 'ani')").await,
        "already_exists",
        "PT409",
    );
    for _ in 0..2 {
        let role = call(&client, "revoke_role('sub-kasir', 'cashier', 'canteen')").await;
        assert_eq!(role.pick(["role", "assigned", "assigned_at"]), ["cashier", "f", "NULL"]);
        call(&client, "revoke_role('sub-ani', 'member', 'ani')").await;
    }
    // Of somebody else's role nothing is taken.
    call(&client, "revoke_role('sub-other', 'guardian', 'ibu-joni')").await;
    assert_eq!(&call(&client, "create_guardian('ibu-joni')").await["actor"], "sub-siti");
    assert_eq!(
        value(&client, view).await,
        "sub-joni member joni, sub-kasir organisation_administrator, sub-siti guardian ibu-joni"
    );
    let told = topics(&client).await;
    let of = |topic: &str| told.iter().filter(|is| *is == topic).count();
    assert_eq!((of("role.assigned"), of("role.revoked")), (3, 2));
    let event = payload(&client, "role.revoked").await;
    assert_eq!(
        (&event["of"], &event["role"], &event["actor"]),
        (&json!("sub-ani"), &json!("member"), &json!("office"))
    );
}

#[tokio::test]
async fn sixteen_at_once_make_one_of_each() {
    let db = TestDb::with_ledger("people_at_once").await;
    let sessions = join_all((0..16).map(|_| db.app())).await;
    for sql in [
        "create_merchant('canteen')",
        "create_member('joni', 'Joni', 'sub-joni')",
        "create_guardian('ibu', 'Siti', 'sub-siti')",
        "link_guardian('ibu', 'joni')",
        "create_device('till-1', 'canteen', gap_policy => 'take')",
        "set_item('canteen', 'es-teh', 4000)",
        "assign_role('sub-kasir', 'cashier', 'canteen')",
    ] {
        join_all(sessions.iter().map(|session| call(session, sql))).await;
    }
    let told = topics(&sessions[0]).await;
    assert_eq!(told.len(), 7, "{told:?}");
    // One actor for sixteen members: one of them gets it.
    let race: Vec<String> = (0..16).map(|n| format!("create_member('m{n}', actor => 'sub-one')")).collect();
    let results = join_all(sessions.iter().zip(&race).map(|(session, sql)| try_call(session, sql))).await;
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 15));
    for result in lost {
        assert_error(result, "already_exists", "PT409");
    }
    // Given to members that are there: the same.
    for n in 16..32 {
        call(&sessions[0], &format!("create_member('m{n}')")).await;
    }
    let race: Vec<String> = (16..32).map(|n| format!("assign_role('sub-two', 'member', 'm{n}')")).collect();
    let results = join_all(sessions.iter().zip(&race).map(|(session, sql)| try_call(session, sql))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results.into_iter().filter(Result::is_err) {
        assert_error(result, "already_exists", "PT409");
    }
    verify_clean(&sessions[0]).await;
}

/// What is wrong, and what is said about it.
#[rustfmt::skip]
const WRONG: &[(&str, &str, &str)] = &[
    ("set_item('canteen', 'tea', 1e30)", "amount_out_of_range", "PT400"),
    ("set_item('canteen', 'tea', NULL)", "missing_argument", "PT400"),
    ("set_item('none', 'tea', 1)", "merchant_not_found", "PT404"),
    ("set_item('canteen', 'tea', 1, category => 'Soft drinks')", "invalid_argument", "PT400"),
    ("set_item('canteen', 'tea', 1, category => '')", "invalid_argument", "PT400"),
    ("set_item('canteen', 'tea', 1, quantity_decimals => -1)", "invalid_argument", "PT400"),
    ("set_item('canteen', 'tea', 1, quantity_decimals => 4)", "invalid_argument", "PT400"),
    ("create_device('till-2', 'none')", "merchant_not_found", "PT404"),
    ("create_device('till-2', 'canteen', gap_policy => 'skip')", "invalid_argument", "PT400"),
    ("create_device('till-2', 'canteen', conflict_policy => '')", "invalid_argument", "PT400"),
    ("create_member('x', currency => 'XXX')", "currency_not_found", "PT404"),
    ("create_member('x', metadata => '5')", "invalid_argument", "PT400"),
    ("create_member('x', ledger => 'none')", "ledger_not_found", "PT404"),
    ("create_merchant('x', currency => 'XXX')", "currency_not_found", "PT404"),
    ("link_guardian('none', 'joni')", "guardian_not_found", "PT404"),
    ("link_guardian('ibu-joni', 'none')", "member_not_found", "PT404"),
    ("link_guardian('ibu-joni', 'joni', NULL)", "missing_argument", "PT400"),
    ("set_party_status('item', 'joni', true)", "invalid_argument", "PT400"),
    ("set_party_status(NULL, 'joni', true)", "missing_argument", "PT400"),
    ("set_party_status('member', 'joni', NULL)", "missing_argument", "PT400"),
    ("set_party_status('member', 'joni', true, '')", "invalid_argument", "PT400"),
    ("set_party_status('member', 'none', true)", "member_not_found", "PT404"),
    ("set_party_status('guardian', 'none', true)", "guardian_not_found", "PT404"),
    ("set_party_status('merchant', 'none', true)", "merchant_not_found", "PT404"),
    ("set_party_status('device', 'none', true)", "device_not_found", "PT404"),
    ("assign_role('x', 'king')", "invalid_argument", "PT400"),
    ("assign_role('x', NULL)", "missing_argument", "PT400"),
    ("assign_role(NULL, 'cashier', 'canteen')", "missing_argument", "PT400"),
    ("assign_role('x', 'cashier')", "missing_argument", "PT400"),
    ("assign_role('x', 'super_administrator', 'canteen')", "invalid_argument", "PT400"),
    ("assign_role('x', 'cashier', 'none')", "merchant_not_found", "PT404"),
    ("assign_role('x', 'tenant_administrator', 'none')", "merchant_not_found", "PT404"),
    ("assign_role('x', 'guardian', 'none')", "guardian_not_found", "PT404"),
    ("assign_role('x', 'member', 'none')", "member_not_found", "PT404"),
    ("revoke_role('x', 'organisation_administrator', 'canteen')", "invalid_argument", "PT400"),
];

#[tokio::test]
async fn what_is_wrong_is_said_and_nothing_is_written() {
    let (db, client) = school("people_wrong").await;
    let long = "n".repeat(65);
    let words = "w".repeat(256);
    let before = value(&client, "SELECT count(*) FROM wallet_ledger.events").await;
    let mut cases: Vec<(String, &str, &str)> = Vec::new();
    // Every place for a name, and everything that is none.
    for (call, is_needed) in [
        ("create_member(#)", true),
        ("create_guardian(#)", true),
        ("create_merchant(#)", true),
        ("create_device(#, 'canteen')", true),
        ("create_device('till-2', #)", true),
        ("set_item(#, 'tea', 1)", true),
        ("set_item('canteen', #, 1)", true),
        ("link_guardian(#, 'joni')", true),
        ("link_guardian('ibu-joni', #)", true),
        ("set_party_status('member', #, true)", true),
        ("assign_role('x', 'cashier', #)", true),
        ("revoke_role('x', 'member', #)", true),
    ] {
        for name in ["''", "' '", "'a b'", "'a:b'", "'💸'", "E'joni\\n'", &format!("'{long}'")] {
            cases.push((call.replace('#', name), "invalid_argument", "PT400"));
        }
        if is_needed {
            cases.push((call.replace('#', "NULL"), "missing_argument", "PT400"));
        }
    }
    for label in ["''", "'  '", &format!("'{words}'")] {
        for call in [
            "create_member('x', full_name => #)",
            "create_member('x', actor => #)",
            "create_guardian('x', full_name => #)",
            "create_guardian('x', actor => #)",
            "create_merchant('x', full_name => #)",
            "create_device('x', 'canteen', full_name => #)",
            "set_item('canteen', 'x', 1, full_name => #)",
            "assign_role(#, 'super_administrator')",
            "revoke_role(#, 'super_administrator')",
        ] {
            cases.push((call.replace('#', label), "invalid_argument", "PT400"));
        }
    }
    for price in ["0", "-1", "'NaN'", "'Infinity'", "'-Infinity'", "0.001"] {
        cases.push((format!("set_item('canteen', 'tea', {price})"), "invalid_amount", "PT400"));
    }
    for limit in ["-1", "'NaN'", "'Infinity'", "0.001"] {
        let call = format!("create_device('till-2', 'canteen', overdraft_limit => {limit})");
        cases.push((call, "invalid_amount", "PT400"));
    }
    for (call, token, sqlstate) in WRONG {
        cases.push(((*call).to_owned(), *token, *sqlstate));
    }
    for (call, token, sqlstate) in &cases {
        let error = sql_error(&try_call(&client, call).await.expect_err(call));
        assert_eq!((error.token(), error.sqlstate.as_str()), (*token, *sqlstate), "{call}: {error:?}");
    }
    assert!(cases.len() > 150, "{}", cases.len());
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.events").await, before);
    let members = "SELECT count(*) FROM wallet_data.accounts";
    assert_eq!(value(&db.connect().await, members).await, "2");
}

#[tokio::test]
async fn people_and_places_are_kept() {
    let (db, client) = school("people_kept").await;
    call(&client, "assign_role('sub-kasir', 'cashier', 'canteen')").await;
    let superuser = db.connect().await;
    let owner = db.connect_as("wallet_owner").await;
    let replica = db.connect().await;
    execute(&replica, "SET session_replication_role = replica").await;
    let mut statements = vec![
        "UPDATE wallet_data.members SET member = 'other'".to_owned(),
        "UPDATE wallet_data.members SET account_id = account_id + 1".to_owned(),
        "UPDATE wallet_data.guardians SET guardian = 'other'".to_owned(),
        "UPDATE wallet_data.guardians SET ledger_id = ledger_id + 1".to_owned(),
        "UPDATE wallet_data.guardian_links SET guardian = 'other'".to_owned(),
        "UPDATE wallet_data.guardian_links SET member = 'other'".to_owned(),
        "UPDATE wallet_data.items SET item = 'other'".to_owned(),
        "UPDATE wallet_data.items SET merchant = 'other'".to_owned(),
        "UPDATE wallet_data.merchants SET merchant = 'other'".to_owned(),
        "UPDATE wallet_data.merchants SET account_id = account_id + 1".to_owned(),
        "UPDATE wallet_data.devices SET merchant = 'other'".to_owned(),
        "UPDATE wallet_data.role_assignments SET role_id = 1, scope = ''".to_owned(),
        "TRUNCATE wallet_data.role_assignments".to_owned(),
    ];
    for table in ["members", "guardians", "guardian_links", "merchants", "devices", "items"] {
        statements.push(format!("DELETE FROM wallet_data.{table}"));
        statements.push(format!("TRUNCATE wallet_data.{table} CASCADE"));
    }
    for statement in &statements {
        for session in [&superuser, &owner, &replica] {
            assert_error(try_lines(session, statement).await, "append_only", "PT403");
        }
        let error = sql_error(&try_lines(&client, statement).await.expect_err(statement));
        assert_eq!(error.sqlstate, "42501", "{statement}");
    }
}

/// A till that lends is put to rest by whoever runs it, and woken by the organisation only.
#[tokio::test]
async fn a_till_that_lends_is_not_woken_by_its_merchant() {
    let (db, client) = school("woken").await;
    call(&client, "create_device('till-9', 'canteen', conflict_policy => 'accept', overdraft_limit => 100)")
        .await;
    call(&client, "assign_role('bu-sri', 'tenant_administrator', 'canteen')").await;
    let tenant = db.connect_as("wallet_user").await;
    execute(&tenant, "SET wallet_ledger.actor = 'bu-sri'").await;
    call(&tenant, "set_party_status('device', 'till-9', false)").await;
    let wake = "set_party_status('device', 'till-9', true)";
    assert_error(try_call(&tenant, wake).await, "not_allowed", "PT403");
    // Without lending it is the merchant's own affair.
    call(&tenant, "create_device('till-9', 'canteen', conflict_policy => 'reject')").await;
    assert_eq!(call(&tenant, wake).await.pick(["status"]), ["active"]);
}
