//! An intent is closed where its row was locked. If the row lies elsewhere by then, it is looked up.

use super::*;

#[tokio::test]
async fn an_intent_whose_row_has_moved_since_it_was_locked_is_paid_all_the_same() {
    let (db, client) = bank_books("moved").await;
    let intents = [intent(&client, 50_000, "").await, intent(&client, 60_000, "").await];
    // Somebody's own trigger writes to one of the two rows while their money is posted.
    let sql = format!(
        "CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             UPDATE wallet_data.intents SET description = 'moved' WHERE intent_id = '{}'; RETURN NULL; END $$;
         CREATE TRIGGER touch AFTER INSERT ON wallet_data.transfers FOR EACH STATEMENT EXECUTE FUNCTION public.touch()",
        &intents[0]["id"]
    );
    db::execute(&db.connect().await, &sql).await;
    let lines = [credit("a", &intents[0]["total"]), credit("b", &intents[1]["total"])];
    let answer = deliver(&client, &lines).await;
    assert_eq!(&answer["matched_count"], "2");
    for intent in &intents {
        let now = intent_now(&client, &intent["id"]).await;
        assert_eq!(now.pick(["status", "paid_amount"]), ["paid", &intent["total"]]);
    }
    assert_eq!(
        value(&client, "SELECT count(*) FROM wallet_data.intents WHERE description = 'moved'").await,
        "1"
    );
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_data.live_intents").await, "0");
    assert_bank_sound(&client).await;
}
