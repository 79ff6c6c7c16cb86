//! What the tables themselves refuse, whoever asks.

use tokio_postgres::Client;

use crate::db::execute;
use crate::sql_error;

/// Asserts that even a superuser can neither delete from these tables nor empty them nor do any of `attempts`, and
/// that the application has no rights on them at all. An attempt is refused by the constraint of that name, or by a
/// `guard`.
pub async fn assert_tables_refuse(owner: &Client, app: &Client, tables: &[&str], attempts: &[(&str, &str)]) {
    // Guards are ENABLE ALWAYS: what replays a log does not get past them.
    for role in ["origin", "replica"] {
        execute(owner, &format!("SET session_replication_role = {role}")).await;
        let emptied = tables.iter().flat_map(|table| {
            ["DELETE FROM wallet_data.?", "TRUNCATE wallet_data.? CASCADE"]
                .map(|sql| (sql.replace('?', table), "guard"))
        });
        let attempts = attempts.iter().map(|(sql, refusal)| ((*sql).to_owned(), *refusal));
        for (sql, refusal) in attempts.chain(emptied) {
            let error = owner.batch_execute(&sql).await.expect_err(&sql);
            let said = error.as_db_error().expect("the server's");
            match refusal {
                "guard" => assert_eq!(sql_error(&error).token(), "append_only", "{sql}: {said:?}"),
                constraint => assert_eq!(said.constraint(), Some(constraint), "{sql}: {said:?}"),
            }
        }
    }
    for table in tables {
        for sql in ["DELETE FROM", "TRUNCATE"] {
            let error = app.batch_execute(&format!("{sql} wallet_data.{table}")).await.expect_err(table);
            assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{table}");
        }
    }
}
