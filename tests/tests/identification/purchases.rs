//! What an authentication is good for: one purchase of its member, soon.

use futures::future::join_all;
use wallet_ledger_tests::school::{assert_purchases_sound, buy, item_of, school, try_buy};
use wallet_ledger_tests::*;

const PIN: &str = "90417263";
const LUNCH: &str = r#"[{"item": "es-teh"}]"#;

/// A school whose pupil `m1` has a PIN.
async fn canteen(test: &str) -> (TestDb, Client) {
    let (db, client) = school(test).await;
    call(&client, &format!("set_pin('m1', '{PIN}')")).await;
    (db, client)
}

/// Identifies `m1` at the till; what a purchase says about it.
async fn identified(client: &Client, pin: &str) -> String {
    let row = call(client, &format!("verify_pin('m1', '{pin}', 'till-1')")).await;
    referring_to(&row["authentication_id"])
}

fn referring_to(id: &str) -> String {
    format!(r#", authentication => '{{"authentication_id": "{id}"}}'"#)
}

#[track_caller]
fn assert_invalid(result: Result<Line, tokio_postgres::Error>, reason: &str) {
    let error = assert_error(result, "authentication_invalid", "PT403");
    assert_eq!(error.detail["reason"], reason, "{error:#?}");
}

#[tokio::test]
async fn twenty_purchases_at_once_share_one_authentication_and_one_has_it() {
    let (db, client) = canteen("twenty").await;
    let more = identified(&client, PIN).await;
    let sessions = join_all((0..20).map(|_| db.app())).await;
    let results = join_all(sessions.iter().map(|session| try_buy(session, "m1", LUNCH, &more))).await;
    let (bought, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((bought.len(), refused.len()), (1, 19));
    for result in refused {
        assert_invalid(result, "used");
    }
    let used = "SELECT count(*) FROM wallet_ledger.authentications WHERE used_at IS NOT NULL";
    assert_eq!(value(&client, used).await, "1");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn what_is_no_authentication_of_the_buyer_buys_nothing() {
    let (db, client) = canteen("invalid").await;
    assert_invalid(try_buy(&client, "m1", LUNCH, &identified(&client, "5511").await).await, "failed");
    assert_invalid(try_buy(&client, "m2", LUNCH, &identified(&client, PIN).await).await, "unknown");
    let nobodys = referring_to("0190a000-0000-7000-8000-000000000001");
    assert_invalid(try_buy(&client, "m1", LUNCH, &nobodys).await, "unknown");
    // The cooperative's till has no business with what the canteen's has seen.
    let more = identified(&client, PIN).await;
    call(&client, "create_merchant('cooperative')").await;
    item_of(&client, "cooperative", "es-teh", "5000", "'drink'", 0).await;
    let elsewhere = format!("purchase('m1', 'cooperative', '{LUNCH}'{more})");
    assert_invalid(try_call(&client, &elsewhere).await, "elsewhere");
    buy(&client, "m1", LUNCH, &more).await;
    // What is refused with an error has used nothing up.
    let more = identified(&client, PIN).await;
    let dear = r#"[{"item": "nasi-goreng", "quantity": 100}]"#;
    assert_error(try_buy(&client, "m1", dear, &more).await, "insufficient_funds", "PT402");
    buy(&client, "m1", LUNCH, &more).await;
    call(&client, "set_setting('authentication_validity', '5 seconds')").await;
    let more = identified(&client, PIN).await;
    tokio::time::sleep(std::time::Duration::from_millis(5_200)).await;
    assert_invalid(try_buy(&client, "m1", LUNCH, &more).await, "expired");
    assert_purchases_sound(&db).await;
}
