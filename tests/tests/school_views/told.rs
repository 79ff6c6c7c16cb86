//! What people are told, and what not: limits that count, refusals of their day, guardians who are active.

use chrono::{DateTime, Duration, Utc};
use wallet_ledger_tests::*;

use crate::{Purchase, school};

/// A limit that replaces the organisation's and limits nothing itself.
#[tokio::test]
async fn an_exemption_leaves_no_limit() {
    let db = TestDb::with_ledger("exempt").await;
    let client = db.app().await;
    for made in ["create_member('ana')", "create_member('ben')", "set_spending_limit('*', daily => 1000)"] {
        call(&client, made).await;
    }
    let told = async |member: &str| {
        let overview = value(&client, &format!("SELECT wallet_ledger.member_overview('{member}')")).await;
        let limits = serde_json::from_str::<Value>(&overview).unwrap()["limits"].take();
        limits.as_array().expect("an array").len()
    };
    assert_eq!((told("ana").await, told("ben").await), (1, 1));
    call(&client, "set_spending_limit('wallets:ana', name => 'free', replaces_default => true)").await;
    // As it counts in posting.
    for (member, allowed, limits) in [("ana", "t", 0), ("ben", "f", 1)] {
        let asked = call(&client, &format!("check_spending_limit('wallets:{member}', 1001)")).await;
        assert_eq!((&asked["allowed"], told(member).await), (allowed, limits), "{member}");
    }
    call(&client, "set_spending_limit('wallets:ana', name => 'free')").await;
    assert_eq!(told("ana").await, 1);
}

/// A refusal whose till has a clock that is years ahead, and one of today's that a till of tomorrow sent.
#[tokio::test]
async fn the_clock_of_a_till_moves_no_refusal() {
    let (_db, dba) = school("ahead").await;
    let now = away_from_midnight().await;
    let refused = |at: DateTime<Utc>, decided: DateTime<Utc>| Purchase {
        member: "ana",
        merchant: "canteen",
        device: Some("canteen-till"),
        at,
        decided,
        lines: vec![(Some("food"), 60_000)],
        refund: None,
        is_refused: true,
    };
    let in_years = now + Duration::days(4 * 365);
    for _ in 0..50 {
        refused(in_years, now - Duration::days(31)).insert(&dba).await;
    }
    refused(now - Duration::days(60), now).insert(&dba).await;
    refused(in_years, now).insert(&dba).await;
    refused(now - Duration::minutes(1), now - Duration::days(2)).insert(&dba).await;
    let overview = value(&dba, "SELECT wallet_ledger.member_overview('ana')").await;
    let overview: Value = serde_json::from_str(&overview).unwrap();
    assert_eq!((&overview["refused_today"], overview["refusals"].as_array().unwrap().len()), (&json!(2), 3));
    let today = "SELECT refused_today || ' ' || purchases_today FROM wallet_ledger.organisation_overview";
    assert_eq!(value(&dba, today).await, "2 0");
}

/// Who is put to rest sees nobody, has no role, and is no guardian of anybody to a backend that looks.
#[tokio::test]
async fn a_guardian_who_is_put_to_rest_is_in_no_view_as_one() {
    let db = TestDb::with_ledger("resting").await;
    let client = db.app().await;
    for made in [
        "create_member('ana', actor => 'sub-ana')",
        "create_guardian('siti', actor => 'sub-siti')",
        "create_guardian('adi', actor => 'sub-adi')",
        "link_guardian('siti', 'ana')",
        "link_guardian('adi', 'ana')",
    ] {
        call(&client, made).await;
    }
    let seen = async || {
        let sql = "SELECT concat_ws(' | ',
                (SELECT string_agg(guardian, ' ' ORDER BY guardian) FROM wallet_ledger.guardian_overview),
                (SELECT string_agg(actor, ' ' ORDER BY actor) FROM wallet_ledger.role_assignments),
                (SELECT string_agg(guardian || ' ' || guardian_status, ' ' ORDER BY guardian)
                 FROM wallet_ledger.guardian_links))";
        value(&client, sql).await
    };
    assert_eq!(seen().await, "adi siti | sub-adi sub-ana sub-siti | adi active siti active");
    call(&client, "set_party_status('guardian', 'siti', false)").await;
    call(&client, "set_party_status('member', 'ana', false)").await;
    assert_eq!(seen().await, "adi | sub-adi | adi active siti inactive");
    call(&client, "set_party_status('guardian', 'siti', true)").await;
    call(&client, "set_party_status('member', 'ana', true)").await;
    assert_eq!(seen().await, "adi siti | sub-adi sub-ana sub-siti | adi active siti active");
}
