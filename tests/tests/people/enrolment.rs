//! Enrolment by many at once: nobody waits in a circle, and one actor stays one member and one guardian.

use futures::future::join_all;
use tokio::join;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// Two clerks, each with a pupil and then a parent in one transaction.
#[tokio::test]
async fn two_clerks_enrol_a_pupil_and_a_parent_each() {
    let db = TestDb::with_ledger("clerks").await;
    let (one, two) = (db.app().await, db.app().await);
    for (first, second) in [
        ("create_member('a#')", "create_guardian('g#', actor => 'parent-#')"),
        ("create_member('b#')", "create_member('c#', actor => 'pupil-c#')"),
        ("create_member('d#')", "assign_role('pupil-d#', 'member', 'd#')"),
        ("create_member('e#', actor => 'pupil-e#')", "create_guardian('h#', actor => 'pupil-e#')"),
        ("create_guardian('i#', actor => 'parent-i#')", "create_member('f#')"),
    ] {
        let of = |call: &str, clerk: &str| call.replace('#', clerk);
        for (session, clerk) in [(&one, "1"), (&two, "2")] {
            execute(session, "BEGIN").await;
            call(session, &of(first, clerk)).await;
        }
        let (calls_one, calls_two) = (of(second, "1"), of(second, "2"));
        let finish = async |session: &Client, sql: &str| {
            let result = try_call(session, sql).await.map_err(|error| sql_error(&error));
            execute(session, if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
            result
        };
        let (left, right) = join!(finish(&one, &calls_one), finish(&two, &calls_two));
        assert!(left.is_ok() && right.is_ok(), "{first}; {second}: {left:?} {right:?}");
    }
    verify_clean(&one).await;
}

/// All forms of enrolling one pupil, let loose at one moment.
#[tokio::test]
async fn one_pupil_is_enrolled_in_many_ways_at_once() {
    let db = TestDb::with_ledger("ways").await;
    let (office, observer) = (db.app().await, db.connect().await);
    let sessions = join_all((0..12).map(|_| db.app())).await;
    for round in 0..15 {
        // The lock that a new member's wallet waits for.
        execute(&office, "BEGIN").await;
        call(&office, &format!("set_spending_limit('*', daily => {})", 1000 + round)).await;
        let forms = [
            format!("create_member('m{round}')"),
            format!("create_member('m{round}', actor => 'sub-{round}')"),
            format!("create_guardian('g{round}', actor => 'sub-{round}')"),
        ];
        let enrol = join_all(sessions.iter().enumerate().map(|(n, session)| {
            let form = &forms[n % forms.len()];
            async move { try_call(session, form).await.map_err(|error| sql_error(&error)) }
        }));
        let release = async {
            until(&observer, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted", "t").await;
            execute(&office, "COMMIT").await;
        };
        let (results, ()) = join!(enrol, release);
        for (n, result) in results.iter().enumerate() {
            // Whoever created the member without an actor came first, or did not.
            let token = result.as_ref().err().map(|error| error.token().to_owned());
            let fits = token.is_none() || n % 3 == 1 && token.as_deref() == Some("already_exists");
            assert!(fits, "round {round}: {}: {result:?}", forms[n % 3]);
        }
    }
    let count =
        "SELECT count(*) || ' ' || (SELECT count(*) FROM wallet_ledger.guardians) FROM wallet_ledger.members";
    assert_eq!(value(&office, count).await, "15 15");
    verify_clean(&office).await;
}

/// Two actors for one member, and one actor for two: the first stays.
#[tokio::test]
async fn nobody_loses_a_role_because_somebody_else_gets_it() {
    let db = TestDb::with_ledger("loses").await;
    let (first, second, observer) = (db.app().await, db.app().await, db.connect().await);
    for member in ["a", "b", "c"] {
        call(&first, &format!("create_member('{member}')")).await;
    }
    let backend = backend(&second).await;
    for (held, waiting, stays) in [
        ("assign_role('x', 'member', 'a')", "assign_role('y', 'member', 'a')", "x a"),
        ("assign_role('z', 'member', 'b')", "assign_role('z', 'member', 'c')", "x a, z b"),
        ("revoke_role('x', 'member', 'a')", "revoke_role('x', 'member', 'a')", "z b"),
    ] {
        execute(&first, "BEGIN").await;
        call(&first, held).await;
        let release = async {
            until_blocked(&observer, &backend).await;
            execute(&first, "COMMIT").await;
        };
        let (result, ()) = join!(try_call(&second, waiting), release);
        if held.starts_with("assign") {
            assert_error(result, "already_exists", "PT409");
        } else {
            assert_eq!(&result.unwrap()["assigned"], "f");
        }
        let view = "SELECT string_agg(actor || ' ' || scope, ', ' ORDER BY actor) FROM wallet_ledger.role_assignments";
        assert_eq!(value(&observer, view).await, stays);
    }
    let told = "SELECT string_agg(topic, ' ' ORDER BY created_at, id) FROM wallet_ledger.events WHERE topic ^@ 'role'";
    assert_eq!(value(&observer, told).await, "role.assigned role.assigned role.revoked");
}

/// Who looks at an old state is told to look again, and not that the books are broken.
#[tokio::test]
async fn an_actor_that_was_given_since_the_transaction_began() {
    let db = TestDb::with_ledger("snapshot").await;
    let (first, second) = (db.app().await, db.app().await);
    for (round, level) in ["REPEATABLE READ", "SERIALIZABLE"].iter().enumerate() {
        for (kind, n) in [("member", 0), ("guardian", 1)] {
            let (a, b, x) = (format!("a{round}{n}"), format!("b{round}{n}"), format!("x{round}{n}"));
            for name in [&a, &b] {
                call(&first, &format!("create_{kind}('{name}')")).await;
            }
            for taking in [
                format!("assign_role('{x}', '{kind}', '{b}')"),
                format!("create_{kind}('c', actor => '{x}')"),
            ] {
                execute(&second, &format!("BEGIN ISOLATION LEVEL {level}")).await;
                value(&second, "SELECT count(*) FROM wallet_ledger.members").await;
                call(&first, &format!("assign_role('{x}', '{kind}', '{a}')")).await;
                assert_error(try_call(&second, &taking).await, "try_again", "PT503");
                execute(&second, "ROLLBACK").await;
                assert_error(try_call(&second, &taking).await, "already_exists", "PT409");
                call(&first, &format!("revoke_role('{x}', '{kind}', '{a}')")).await;
            }
        }
    }
}

/// Without a currency a call says nothing about it, also where another session makes the account at the same moment.
#[tokio::test]
async fn no_currency_says_nothing_of_an_account_that_another_session_makes() {
    let db = TestDb::with_ledger("currency").await;
    let (first, second, observer) = (db.app().await, db.app().await, db.connect().await);
    let backend = backend(&second).await;
    for party in ["member", "merchant"] {
        execute(&first, "BEGIN").await;
        call(&first, &format!("create_{party}('p1', currency => 'USD')")).await;
        let release = async {
            until_blocked(&observer, &backend).await;
            execute(&first, "COMMIT").await;
        };
        let silent = format!("create_{party}('p1')");
        let (created, ()) = join!(call(&second, &silent), release);
        assert_eq!(&created["currency"], "USD", "{party}");
        // What is stated must be so.
        execute(&first, "BEGIN").await;
        call(&first, &format!("create_{party}('p2', currency => 'USD')")).await;
        let release = async {
            until_blocked(&observer, &backend).await;
            execute(&first, "COMMIT").await;
        };
        let stating = format!("create_{party}('p2', currency => 'IDR')");
        let (refused, ()) = join!(try_call(&second, &stating), release);
        let error = assert_error(refused, "already_exists", "PT409");
        assert_eq!(error.detail["field"], "currency", "{party}");
    }
}
