//! 100,000 random calls against the extension and against an independent model of it, compared call
//! by call: every balance, version, id, outcome and error that the model can tell; and at the end
//! every account and the whole of the books.
//!
//! The model (`model/`) is written from the design: plain structs, no line of the extension's source.
//! Where the contract leaves open which of several faults is named, any of them is right. Some round
//! trips are rolled back, and the model with them. The seed is printed; `WL_SEED=… scripts/test.sh
//! --test model` repeats a run.

#[path = "model/books.rs"]
mod books;
#[path = "model/compare.rs"]
mod compare;
#[path = "model/others.rs"]
mod others;
#[path = "model/posting.rs"]
mod posting;
#[path = "model/random.rs"]
mod random;

use std::time::Instant;

use books::{Books, Expected};
use compare::Learnt;
use rand::Rng;
use random::{Call, Source};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::lines::call;
use wallet_ledger_tests::proof::assert_sound;
use wallet_ledger_tests::*;

const CALLS: usize = 100_000;

/// Runs calls one after another, each in a subtransaction, and returns what each came to: the rows with
/// every column as text, or the error.
const HELPERS: &str = "
    CREATE SCHEMA model;
    CREATE FUNCTION model.run(calls text[]) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE
        results jsonb[] := '{}';
        result jsonb;
        next_call text;
        state text;
        message text;
        detail text;
    BEGIN
        FOREACH next_call IN ARRAY calls LOOP
            BEGIN
                EXECUTE 'SELECT coalesce(jsonb_agg((SELECT jsonb_object_agg(key, value)
                             FROM jsonb_each_text(to_jsonb(r)))), ''[]'') FROM (' || next_call || ') r' INTO result;
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
                result := jsonb_build_object('sqlstate', state, 'message', message, 'detail', detail);
            END;
            results := results || result;
        END LOOP;
        RETURN to_jsonb(results);
    END $$;
    -- Lets the time of a hold pass: as its owner cannot, and as waiting for it would take too long.
    CREATE FUNCTION model.pass(hold uuid) RETURNS void LANGUAGE sql AS
    $$ UPDATE wallet_data.holds SET expires_at = '2020-01-01Z' WHERE hold_id = hold AND state_id = 1 $$;";

/// One round trip: calls that the model has answered already.
async fn round(
    client: &Client,
    calls: &[(Call, String, Option<Expected>)],
    learnt: &mut Learnt,
) -> Vec<Value> {
    let sql: Vec<&str> = calls.iter().map(|(_, sql, _)| sql.as_str()).collect();
    let row = client.query_one("SELECT model.run($1)", &[&sql]).await;
    let results: Value = row.unwrap_or_else(|e| panic!("{}", cluster::explain(&e))).get(0);
    let results = results.as_array().expect("an array").clone();
    assert_eq!(results.len(), calls.len());
    for ((call, sql, expected), result) in calls.iter().zip(&results) {
        if let Some(expected) = expected
            && let Err(difference) = learnt.compare(expected, result)
        {
            panic!("{difference}\n{sql}\n{call:?}\nexpected {expected:#?}\ngot {result:#}");
        }
        if expected.is_none() {
            assert!(result.is_array(), "{sql}: {result:#}");
        }
    }
    results
}

async fn compare_accounts(client: &Client, books: &Books, learnt: &mut Learnt) {
    let sql = "SELECT * FROM wallet_ledger.accounts ORDER BY account".to_owned();
    let rows: Vec<books::Row> = books.accounts.keys().map(|name| books.account_row(name)).collect();
    round(client, &[(Call::Expire, sql, Some(Expected::Rows(rows)))], learnt).await;
}

#[tokio::test]
async fn a_hundred_thousand_calls_agree_with_the_model() {
    let seed = Seed::from_env_or_random("model");
    let db = TestDb::with_ledger("model").await;
    let client = db.connect().await;
    execute(&client, "SET synchronous_commit = off").await;
    execute(&client, HELPERS).await;
    call(&client, "create_kind('own_kind')").await;
    let mut books = Books::default();
    for create in random::open(&mut books) {
        call(&client, &create).await;
    }
    let mut source = Source::new(seed.rng(0), &books);
    let mut learnt = Learnt::default();
    let (mut done, mut items, begun) = (0, 0, Instant::now());
    while done < CALLS {
        let size = source.rng.random_range(1..=120);
        let undone = source.rng.random_range(0..40) == 0;
        let before = undone.then(|| (books.clone(), learnt.len(), source.recent.clone()));
        execute(&client, "BEGIN").await;
        let mut calls = Vec::with_capacity(size);
        for _ in 0..size {
            let call = source.next(&books, learnt.len());
            let sql = call.sql(&books, |name| learnt.id(name));
            // What only the server can tell goes alone, so that the model can take it over.
            let alone = call.is_open(&books);
            if alone {
                round(&client, &calls, &mut learnt).await;
                done += calls.len();
                calls.clear();
            }
            items += if let Call::Batch { items, .. } = &call { items.len() } else { 1 };
            let expected = call.apply(&mut books);
            calls.push((call, sql, expected));
            if alone {
                let results = round(&client, &calls, &mut learnt).await;
                if let (Call::Hold(hold), Some(Expected::Perhaps(_)), true) =
                    (&calls[0].0, &calls[0].2, results[0].is_array())
                {
                    books.accept_hold(hold);
                }
                done += 1;
                calls.clear();
            }
        }
        round(&client, &calls, &mut learnt).await;
        done += calls.len();
        execute(&client, if undone { "ROLLBACK" } else { "COMMIT" }).await;
        if let Some((earlier, names, recent)) = before {
            books = earlier;
            source.recent = recent;
            learnt.forget_from(names);
        }
        if done % 5000 < 120 {
            compare_accounts(&client, &books, &mut learnt).await;
        }
    }
    println!("{done} calls with {items} items in {:.0} s", begun.elapsed().as_secs_f64());
    println!("{} transfers, {} holds, {} keys", books.transfers.len(), books.holds.len(), books.keys.len());
    learnt.print();
    compare_accounts(&client, &books, &mut learnt).await;
    assert_sound(&client).await;
}
