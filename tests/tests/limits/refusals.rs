//! What cannot be meant is refused, and nothing of it is written.

use super::school;
use wallet_ledger_tests::*;

#[tokio::test]
async fn a_limit_that_cannot_be_meant_is_refused() {
    let (_db, client) = school("refusals").await;
    call(&client, "create_account('striped', 'liability', stripes => 4)").await;
    let before = contents(&client).await;
    for (arguments, token, sqlstate) in [
        ("NULL", "missing_argument", "PT400"),
        ("''", "invalid_address", "PT400"),
        ("'💸'", "invalid_address", "PT400"),
        ("'wallets:nobody', daily => 1", "account_not_found", "PT404"),
        ("'striped', daily => 1", "invalid_argument", "PT400"),
        ("'wallets:a', daily => -1", "invalid_argument", "PT400"),
        ("'wallets:a', daily => 'NaN'", "invalid_amount", "PT400"),
        ("'wallets:a', weekly => 'Infinity'", "invalid_amount", "PT400"),
        ("'wallets:a', monthly => 0.001", "invalid_amount", "PT400"),
        ("'wallets:a', per_transaction => 1e40", "amount_out_of_range", "PT400"),
        ("'wallets:a', windows => '[]'", "invalid_argument", "PT400"),
        ("'wallets:a', windows => '{}'", "invalid_argument", "PT400"),
        ("'wallets:a', windows => '\"07:00-15:00\"'", "invalid_argument", "PT400"),
        (
            "'wallets:a', windows => '[{\"days\": [\"funday\"], \"from\": \"07:00\", \"to\": \"15:00\"}]'",
            "invalid_argument",
            "PT400",
        ),
        (
            "'wallets:a', windows => '[{\"from\": \"07:00\", \"to\": \"12:00\"}, {\"from\": \"11:00\", \"to\": \"13:00\"}]'",
            "invalid_argument",
            "PT400",
        ),
        ("'wallets:a', merchants => '[]'", "invalid_argument", "PT400"),
        ("'wallets:a', merchants => '{\"allow\": [\"a b\"]}'", "invalid_address", "PT400"),
        ("'wallets:a', categories => '{\"allow\": [\"💸\"]}'", "invalid_argument", "PT400"),
        (
            "'wallets:a', categories => '{\"limits\": {\"food\": {\"daily\": \"NaN\"}}}'",
            "invalid_amount",
            "PT400",
        ),
        // What PostgreSQL's JSON can say and a limit cannot is not the same as no limit.
        (
            "'wallets:a', merchants => '{\"deny\": [\"game\"], \"limits\": {\"x\": {\"daily\": 1e400}}}'",
            "invalid_argument",
            "PT400",
        ),
        (
            "'wallets:a', categories => (repeat('[', 200) || repeat(']', 200))::jsonb",
            "invalid_argument",
            "PT400",
        ),
        (
            "'wallets:a', windows => (repeat('[', 200) || repeat(']', 200))::jsonb",
            "invalid_argument",
            "PT400",
        ),
        ("'wallets:a', daily => 1, name => NULL", "missing_argument", "PT400"),
        ("'wallets:a', daily => 1, name => ''", "invalid_argument", "PT400"),
        ("'wallets:a', daily => 1, name => 'Ünö'", "invalid_argument", "PT400"),
        ("'wallets:a', daily => 1, method => 'face'", "invalid_argument", "PT400"),
        ("'wallets:a', daily => 1, replaces_default => NULL", "missing_argument", "PT400"),
        ("'*', daily => 1, replaces_default => true", "invalid_argument", "PT400"),
        ("'wallets:a', daily => 1, reason => ' '", "invalid_argument", "PT400"),
        ("'wallets:a', daily => 1, effective_from => '2020-01-01'", "invalid_argument", "PT400"),
        ("'wallets:a', daily => 1, effective_from => 'infinity'", "invalid_argument", "PT400"),
        ("'wallets:a', daily => 1, ledger => 'none'", "ledger_not_found", "PT404"),
    ] {
        let result = try_call(&client, &format!("set_spending_limit({arguments})")).await;
        assert_error(result, token, sqlstate);
    }
    for (arguments, token, sqlstate) in [
        ("NULL, 1", "missing_argument", "PT400"),
        ("'wallets:a', NULL", "missing_argument", "PT400"),
        ("'wallets:a', 0", "invalid_amount", "PT400"),
        ("'wallets:a', -1", "invalid_amount", "PT400"),
        ("'wallets:a', 'NaN'", "invalid_amount", "PT400"),
        ("'wallets:a', 0.001", "invalid_amount", "PT400"),
        ("'wallets:a', 1, ''", "invalid_address", "PT400"),
        ("'wallets:a', 1, at => 'infinity'", "invalid_argument", "PT400"),
        ("'wallets:nobody', 1", "account_not_found", "PT404"),
    ] {
        let result = try_call(&client, &format!("check_spending_limit({arguments})")).await;
        assert_error(result, token, sqlstate);
    }
    assert_error(
        try_call(&client, "set_setting('limited_kinds', 'payment, purchse')").await,
        "kind_not_found",
        "PT404",
    );
    assert_error(
        try_call(&client, "set_setting('limited_kinds', 'reversal')").await,
        "reserved_kind",
        "PT403",
    );
    assert_eq!(contents(&client).await, before);
}

#[tokio::test]
async fn a_limit_of_zero_lets_nothing_out_and_a_null_in_json_is_none() {
    let (_db, client) = school("zero").await;
    super::limit(&client, "daily => 0, windows => 'null', merchants => 'null'").await;
    super::assert_limited(super::pay(&client, "0.01", "").await, "daily");
    let said = super::check(&client, "1").await;
    assert_eq!(said.pick(["allowed", "limit_amount", "remaining"]), ["f", "0.00", "0.00"]);
}

#[tokio::test]
async fn an_account_has_at_most_twenty_limits() {
    let (_db, client) = school("twenty").await;
    for number in 1..=20 {
        super::limit(&client, &format!("name => 'l{number}', daily => {number}")).await;
    }
    let set =
        |account: &str, name: &str| format!("set_spending_limit('{account}', name => '{name}', daily => 7)");
    // A limit that is lifted keeps its name.
    super::limit(&client, "name => 'l1'").await;
    let refused = try_call(&client, &set("wallets:a", "l21")).await;
    let detail = assert_error(refused, "invalid_argument", "PT400").detail;
    assert_eq!((&detail["argument"], &detail["limits"]), (&json!("name"), &json!(20)));
    for (account, name) in [("wallets:a", "l1"), ("wallets:b", "l21"), ("*", "l21")] {
        call(&client, &set(account, name)).await;
    }
}
