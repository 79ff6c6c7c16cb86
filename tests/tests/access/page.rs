//! The table of roles in the documentation is the one in the code.

use wallet_ledger_tests::*;

/// The rows of the page's table, made of role_permissions().
const ROWS: &str = "
    SELECT format('| `%s` | %s |', p.action, string_agg(p.cell, ' | ' ORDER BY p.number)) AS row
    FROM (
        SELECT a.action, a.place, r.number,
               CASE t.reach WHEN 'organisation' THEN 'everywhere' WHEN 'own_merchant' THEN 'own merchant'
                            WHEN 'linked_member' THEN '`' || t.link_right || '`' WHEN 'oneself' THEN 'oneself'
                            ELSE '–' END AS cell
        FROM (SELECT action, min(place) AS place
              FROM wallet_ledger.role_permissions() WITH ORDINALITY AS t (action, role, reach, link_right, place)
              GROUP BY action) a
        CROSS JOIN unnest(ARRAY['super_administrator', 'organisation_administrator', 'tenant_administrator',
                                'cashier', 'guardian', 'member']) WITH ORDINALITY AS r (role, number)
        LEFT JOIN wallet_ledger.role_permissions() t ON t.action = a.action AND t.role = r.role) p
    GROUP BY p.action, p.place ORDER BY p.place";

#[tokio::test]
async fn the_pages_table_is_the_codes() {
    let db = TestDb::new("roles_page").await;
    let rows = lines(&db.connect().await, ROWS).await;
    let page = std::fs::read_to_string(cluster::root().join("docs/people.md")).expect("docs/people.md");
    let begin = page.find("| action |").expect("the table");
    let table = page[begin..].lines().skip(2).take_while(|line| line.starts_with('|'));
    let written: Vec<&str> = table.collect();
    let expected: Vec<&str> = rows.iter().map(|row| &row["row"]).collect();
    assert_eq!(written, expected, "docs/people.md should have:\n{}", expected.join("\n"));
}
