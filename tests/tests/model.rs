//! 100,000 random calls against the extension and against an independent model of it, compared call
//! by call: every balance, version, id, outcome and error that the model can tell; and at the end
//! every account and the whole of the books.
//!
//! The model (`model/`) is written from the design: plain structs, no line of the extension's source.
//! Where the contract leaves open which of several faults is named, any of them is right. Some round
//! trips are rolled back, and the model with them. The seed is printed; `WL_SEED=… scripts/test.sh
//! --test model` repeats a run, but for one thing: which stripe has room for a hold is the server's
//! affair, and the model takes its answer over.

#[path = "model/accounts.rs"]
mod accounts;
#[path = "model/books.rs"]
mod books;
#[path = "model/compare.rs"]
mod compare;
#[path = "model/item.rs"]
mod item;
#[path = "model/others.rs"]
mod others;
#[path = "model/posting.rs"]
mod posting;
#[path = "model/random.rs"]
mod random;
#[path = "model/states.rs"]
mod states;

use std::time::Instant;

use books::{Books, Expected};
use compare::Learnt;
use rand::Rng;
use random::{Call, Source};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::lines::call;
use wallet_ledger_tests::proof::assert_sound;
use wallet_ledger_tests::*;

/// In each of two halves, which run side by side.
const CALLS: usize = 50_000;

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

/// A call, its SQL, and what the model says of it.
type Asked = (Call, String, Option<Expected>);

/// The server and the model, side by side.
struct Run {
    client: Client,
    books: Books,
    source: Source,
    learnt: Learnt,
    done: usize,
    items: usize,
}

impl Run {
    /// One round trip: calls that the model has answered already.
    async fn ask(&mut self, calls: &[Asked]) -> Vec<Value> {
        let sql: Vec<&str> = calls.iter().map(|(_, sql, _)| sql.as_str()).collect();
        let row = self.client.query_one("SELECT model.run($1)", &[&sql]).await;
        let results: Value = row.unwrap_or_else(|e| panic!("{}", cluster::explain(&e))).get(0);
        let results = results.as_array().expect("an array").clone();
        assert_eq!(results.len(), calls.len());
        for ((call, sql, expected), result) in calls.iter().zip(&results) {
            if let Some(expected) = expected
                && let Err(difference) = self.learnt.compare(expected, result)
            {
                panic!("{difference}\n{sql}\n{call:?}\nexpected {expected:#?}\ngot {result:#}");
            }
            assert!(expected.is_some() || result.is_array(), "{sql}: {result:#}");
        }
        self.done += calls.len();
        results
    }

    async fn compare_accounts(&mut self) {
        let sql = "SELECT * FROM wallet_ledger.accounts ORDER BY account".to_owned();
        let rows = self.books.accounts.keys().map(|name| self.books.account_row(name)).collect();
        self.ask(&[(Call::Expire, sql, Some(Expected::Rows(rows)))]).await;
    }

    /// Random calls in one transaction; now and then it is rolled back, and the model with it.
    async fn transaction(&mut self) {
        let size = self.source.rng.random_range(1..=120);
        let undone = self.source.rng.random_range(0..40) == 0;
        let before = undone.then(|| (self.books.clone(), self.learnt.len(), self.source.recent.clone()));
        execute(&self.client, "BEGIN").await;
        let mut calls: Vec<Asked> = Vec::with_capacity(size);
        for _ in 0..size {
            let call = self.source.next(&self.books, self.learnt.len());
            // What only the server can tell goes alone, so that the model can take it over.
            let alone = call.is_open(&self.books);
            if alone {
                self.ask(&std::mem::take(&mut calls)).await;
            }
            let sql = call.sql(&self.books, |name| self.learnt.id(name));
            self.items += if let Call::Batch { items, .. } = &call { items.len() } else { 1 };
            let expected = call.apply(&mut self.books);
            calls.push((call, sql, expected));
            if alone {
                let calls = std::mem::take(&mut calls);
                let results = self.ask(&calls).await;
                if let [(Call::Hold(hold), _, Some(Expected::Perhaps(_)))] = calls.as_slice()
                    && results[0].is_array()
                {
                    self.books.accept_hold(hold);
                }
            }
        }
        self.ask(&calls).await;
        execute(&self.client, if undone { "ROLLBACK" } else { "COMMIT" }).await;
        if let Some((books, names, recent)) = before {
            self.books = books;
            self.source.recent = recent;
            self.learnt.forget_from(names);
        }
    }
}

#[tokio::test]
async fn fifty_thousand_calls_agree_with_the_model() {
    agree("model", 0).await;
}

#[tokio::test]
async fn another_fifty_thousand_agree() {
    agree("model_again", 1).await;
}

async fn agree(database: &str, half: u64) {
    let seed = Seed::from_env_or_random("model");
    let db = TestDb::with_ledger(database).await;
    let client = db.connect().await;
    execute(&client, "SET synchronous_commit = off").await;
    execute(&client, HELPERS).await;
    call(&client, "create_kind('own_kind')").await;
    let mut books = Books::default();
    for create in accounts::open(&mut books) {
        call(&client, &create).await;
    }
    let source = Source::new(seed.rng(half), &books);
    let mut run = Run { client, books, source, learnt: Learnt::default(), done: 0, items: 0 };
    let begun = Instant::now();
    let mut compared = 0;
    while run.done < CALLS {
        run.transaction().await;
        if run.done > compared + 5000 {
            compared = run.done;
            run.compare_accounts().await;
        }
    }
    run.compare_accounts().await;
    println!("{} calls with {} items in {:.0} s", run.done, run.items, begun.elapsed().as_secs_f64());
    let books = &run.books;
    println!("{} transfers, {} holds, {} keys", books.transfers.len(), books.holds.len(), books.keys.len());
    run.learnt.print();
    assert_sound(&run.client).await;
}
