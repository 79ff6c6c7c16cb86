//! The documentation says what the software does.
//!
//! Every ```sql snippet of the README and of docs/ is run, in order, each file in a database of its
//! own; a snippet marked `sql error` must be refused with an error of the vocabulary. The tables of
//! functions and errors, the comments of the objects, the expected objects of doctor() and the output
//! of the demo are compared with what the extension itself says.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use tokio_postgres::types::ToSql;
use wallet_ledger_tests::*;

/// The README and everything in docs/.
fn pages() -> Vec<PathBuf> {
    let root = cluster::root();
    let mut pages: Vec<PathBuf> = std::fs::read_dir(root.join("docs"))
        .expect("docs/")
        .map(|entry| entry.expect("an entry of docs/").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A fenced block: what stands behind the backticks, the line it begins at, its text.
struct Fence {
    tag: String,
    line: usize,
    text: String,
}

fn fences(page: &str) -> Vec<Fence> {
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    for (index, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(tag)) => {
                open = Some(Fence { tag: tag.trim().to_owned(), line: index + 1, text: String::new() });
            }
            (Some(_), Some(_)) => fences.extend(open.take()),
            (Some(fence), None) => fence.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    fences
}

async fn run_page(path: &Path) -> usize {
    let page = read(path);
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let db = if page.starts_with("<!-- empty database -->") {
        TestDb::empty(&name).await
    } else {
        TestDb::with_ledger(&name).await
    };
    let client = db.connect().await;
    let mut count = 0;
    for fence in fences(&page) {
        let place = format!("{}:{}", path.display(), fence.line);
        match fence.tag.as_str() {
            "sql" if fence.text.starts_with("COPY ") => {
                let copied = client.copy_out(&fence.text).await;
                let copied = copied.unwrap_or_else(|e| panic!("{place}: {}", cluster::explain(&e)));
                let parts: Result<Vec<_>, _> = copied.try_collect().await;
                let parts = parts.unwrap_or_else(|e| panic!("{place}: {}", cluster::explain(&e)));
                assert!(!parts.is_empty(), "{place}: not even a header");
            }
            "sql" => {
                let ran = client.batch_execute(&fence.text).await;
                ran.unwrap_or_else(|e| panic!("{place}: {}\n{}", cluster::explain(&e), fence.text));
            }
            "sql error" => {
                let refused = client.batch_execute(&fence.text).await;
                let error = sql_error(&refused.err().unwrap_or_else(|| panic!("{place}: is not refused")));
                assert!(error.sqlstate.starts_with("PT"), "{place}: {error:#?}");
            }
            "sh" | "json" | "text" | "js" | "ini" | "mermaid" => continue,
            other => panic!("{place}: a fence of an unknown kind, \"{other}\""),
        }
        count += 1;
    }
    count
}

#[tokio::test]
async fn every_snippet_runs() {
    let mut count = 0;
    for page in pages() {
        count += run_page(&page).await;
    }
    assert!(count >= 30, "only {count} snippets were found");
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let text = read(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if !target.is_empty() && !target.contains("://") {
                assert!(page.with_file_name(target).exists(), "{}: {target}", page.display());
            }
        }
    }
}

/// One column of a query, as text.
async fn column(client: &Client, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Vec<String> {
    let rows = client.query(query, parameters).await;
    let rows = rows.unwrap_or_else(|e| panic!("{query}: {}", cluster::explain(&e)));
    rows.iter().map(|row| row.get(0)).collect()
}

/// A row of the README's table for each public function: name, needed arguments, optional ones in
/// brackets with their defaults, result.
const SIGNATURES: &str = "
    SELECT format('| `%s(%s)` | %s |', p.proname, a.list,
                  CASE WHEN p.proargmodes @> ARRAY['t'::\"char\"] THEN 'rows'
                       WHEN p.proretset THEN 'rows of `' || p.prorettype::regtype::text || '`'
                       ELSE '`' || p.prorettype::regtype::text || '`' END)
    FROM pg_proc p
    CROSS JOIN LATERAL (
        SELECT concat(
            string_agg(i.word, ', ' ORDER BY i.n) FILTER (WHERE NOT i.optional),
            CASE WHEN count(*) FILTER (WHERE i.optional) > 0 AND count(*) FILTER (WHERE NOT i.optional) > 0 THEN ' ' END,
            CASE WHEN count(*) FILTER (WHERE i.optional) > 0 THEN '[' END,
            CASE WHEN count(*) FILTER (WHERE i.optional) > 0 AND count(*) FILTER (WHERE NOT i.optional) > 0 THEN ', ' END,
            string_agg(i.word, ', ' ORDER BY i.n) FILTER (WHERE i.optional),
            CASE WHEN count(*) FILTER (WHERE i.optional) > 0 THEN ']' END) AS list
        FROM (
            SELECT n, n > p.pronargs - p.pronargdefaults AS optional,
                   p.proargnames[n] || coalesce(' = ' || nullif(regexp_replace(
                       pg_get_function_arg_default(p.oid, n), '::[a-z ]+$', ''), 'NULL'), '') AS word
            FROM generate_series(1, p.pronargs) n) i) a
    WHERE p.pronamespace = 'wallet_ledger'::regnamespace AND p.proname NOT LIKE '\\_%'
    ORDER BY p.proname";

#[tokio::test]
async fn every_function_is_in_the_readme() {
    let db = TestDb::new("readme").await;
    let client = db.connect().await;
    db::execute(&client, "SET search_path = wallet_ledger, pg_catalog").await;
    let readme = read(&cluster::root().join("README.md"));
    let missing: Vec<String> = column(&client, SIGNATURES, &[])
        .await
        .into_iter()
        .filter(|signature| !readme.contains(signature.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in the README's table:\n{}", missing.join("\n"));
}

#[tokio::test]
async fn everything_public_has_a_comment() {
    let db = TestDb::new("comments").await;
    let bare = column(
        &db.connect().await,
        "SELECT pg_describe_object(o.class, o.oid, 0)
         FROM (
             SELECT 'pg_proc'::regclass AS class, oid FROM pg_proc
             WHERE pronamespace IN ('wallet_ledger'::regnamespace, 'wallet_data'::regnamespace)
             UNION ALL
             SELECT 'pg_class', oid FROM pg_class
             WHERE relnamespace IN ('wallet_ledger'::regnamespace, 'wallet_data'::regnamespace)
               AND relkind IN ('r', 'p', 'v', 'm')
             UNION ALL
             SELECT 'pg_type', t.oid FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
             WHERE t.typnamespace IN ('wallet_ledger'::regnamespace, 'wallet_data'::regnamespace)
               AND (t.typtype IN ('d', 'e') OR t.typtype = 'b' AND t.typelem = 0 OR c.relkind = 'c')
             UNION ALL
             SELECT 'pg_namespace', oid FROM pg_namespace WHERE nspname IN ('wallet_ledger', 'wallet_data')
             UNION ALL
             SELECT 'pg_extension', oid FROM pg_extension WHERE extname = 'wallet_ledger'
         ) o (class, oid)
         WHERE coalesce(obj_description(o.oid, (SELECT relname FROM pg_class WHERE oid = o.class)), '') = ''",
        &[],
    )
    .await;
    assert!(bare.is_empty(), "no COMMENT ON:\n{}", bare.join("\n"));
}

#[tokio::test]
async fn the_table_of_errors_is_current() {
    let db = TestDb::new("errors").await;
    let rows = column(
        &db.connect().await,
        "SELECT format('| `%s` | `%s` | %s | %s |', error, sqlstate, meaning, hint) FROM wallet_ledger.errors()",
        &[],
    )
    .await;
    let page = read(&cluster::root().join("docs/errors.md"));
    let written: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| `") && line.contains("` | `PT")).collect();
    assert_eq!(written, rows, "run `make docs`");
}

#[tokio::test]
async fn the_expected_objects_are_current() {
    let db = TestDb::new("expected").await;
    let differences = column(
        &db.connect().await,
        "SELECT format('%s %s: is «%s», expected «%s»', object_type, name, p.definition, e.definition)
         FROM wallet_ledger._present_objects() p
         FULL JOIN wallet_ledger._expected_objects() e USING (object_type, name)
         WHERE p.definition IS DISTINCT FROM e.definition",
        &[],
    )
    .await;
    assert!(differences.is_empty(), "run `make docs`, and build again:\n{}", differences.join("\n"));
}

/// What differs from run to run: ids, times, and how long it took.
fn masked(output: &str) -> String {
    let mut text = output.to_owned();
    let mut from = 0;
    while let Some(start) = text[from..].find("capture_hold('").map(|at| from + at + "capture_hold('".len()) {
        let end = start + text[start..].find('\'').expect("a closing quote");
        text.replace_range(start..end, "…");
        from = start;
    }
    if let Some(start) = text.find("14 took ").map(|at| at + "14 took ".len()) {
        let end = start + text[start..].find(' ').expect("milliseconds");
        text.replace_range(start..end, "…");
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_demo_prints_what_is_expected() {
    let db = TestDb::empty("demo").await;
    let mut psql = db.cluster.program("psql");
    psql.current_dir(cluster::root())
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-P", "pager=off", "-d", &db.name])
        .args(["-f", "examples/demo.sql"]);
    let output = psql.output().await.expect("psql runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // The one refusal of the story, and nothing else.
    assert_eq!(errors.matches("ERROR:").count(), 1, "{errors}");
    assert!(errors.contains("\"shortfall\":\"24750.00\"") && errors.contains("HINT:"), "{errors}");
    let printed = masked(&String::from_utf8_lossy(&output.stdout));
    let expected = cluster::root().join("examples/demo.expected");
    assert_eq!(printed.trim(), read(&expected).trim(), "run `make docs`, and look at the difference");
    for amount in ["72250.00", "12000.00", "15750.00"] {
        assert!(printed.contains(amount), "{amount}");
    }
}
