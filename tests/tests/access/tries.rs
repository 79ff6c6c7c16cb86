//! What is tried: every function that asks who the acting person is, for both merchants and both members.

use wallet_ledger_tests::*;

pub struct Try {
    /// What the table calls it.
    pub action: &'static str,
    pub sql: String,
    pub member: Option<&'static str>,
    pub merchant: Option<&'static str>,
}

/// The functions behind each action of the table.
#[rustfmt::skip]
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("create_member", "create_member"), ("create_guardian", "create_guardian"),
    ("link_guardian", "link_guardian"), ("create_merchant", "create_merchant"),
    ("create_device", "create_device"), ("accept_overdraft", "create_device"), ("set_item", "set_item"), ("set_party_status", "set_party_status"),
    ("assign_role", "assign_role"), ("assign_cashier", "assign_role"),
    ("assign_super_administrator", "assign_role"), ("revoke_role", "revoke_role"),
    ("revoke_cashier", "revoke_role"), ("revoke_super_administrator", "revoke_role"),
    ("set_spending_limit", "set_spending_limit"), ("set_default_limit", "set_spending_limit"),
    ("check_spending_limit", "check_spending_limit"), ("view_member", "member_overview"),
    ("purchase", "purchase"), ("date_purchase", "purchase"), ("refund_purchase", "refund_purchase"), ("sync_purchases", "sync_purchases"),
    ("set_pin", "set_pin"), ("enrol_fingerprint", "enrol_fingerprint"),
    ("create_qr_code", "create_qr_code"), ("record_authentication", "record_authentication"),
];

pub async fn exists(client: &Client, function: &str) -> bool {
    let sql = format!(
        "SELECT count(*) > 0 FROM pg_proc
         WHERE pronamespace = 'wallet_ledger'::regnamespace AND proname = '{function}'"
    );
    value(client, &sql).await == "t"
}

/// A try of a function that concerns this member and this merchant.
fn at(action: &'static str, sql: &str, member: Option<&'static str>, merchant: Option<&'static str>) -> Try {
    Try { action, sql: sql.to_owned(), member, merchant }
}

/// What a device might send: opaque to the ledger.
const TEMPLATE: &str = "decode(repeat('ab', 32), 'hex')";

/// The members with their wallets, and the merchants with a till and something to sell.
const MEMBERS: [&str; 2] = ["joni", "ani"];
const MERCHANTS: [(&str, &str, &str); 2] =
    [("canteen", "till-a", "nasi-goreng"), ("coop", "till-b", "es-teh")];

/// Everything that can be tried with the functions that are there. Nothing else is wrong with a try: who may do it
/// succeeds.
pub async fn tries(app: &Client) -> Vec<Try> {
    for member in MEMBERS {
        for (function, made) in [
            ("set_pin", format!("set_pin('{member}', '482913')")),
            ("enrol_fingerprint", format!("enrol_fingerprint('{member}', 'right_thumb', {TEMPLATE})")),
        ] {
            if exists(app, function).await {
                call(app, &made).await;
            }
        }
    }
    let mut all = people();
    for merchant in MERCHANTS {
        all.extend(of_merchant(merchant));
    }
    for member in MEMBERS {
        all.extend(of_member(member));
        for merchant in MERCHANTS {
            all.extend(of_both(app, member, merchant).await);
        }
    }
    let mut there = Vec::new();
    for tried in all {
        let function = tried.sql.split('(').next().unwrap_or_default().to_owned();
        if exists(app, &function).await {
            there.push(tried);
        }
    }
    there
}

/// What concerns the organisation alone.
fn people() -> Vec<Try> {
    let of = |action, sql| at(action, sql, None, None);
    vec![
        at("create_member", "create_member('budi', 'Budi')", Some("budi"), None),
        at("create_member", "create_member('joni')", Some("joni"), None),
        of("create_guardian", "create_guardian('ibu-budi', actor => 'sub-ibu')"),
        at(
            "link_guardian",
            "link_guardian('g-unlinked', 'joni', may_set_limits => true)",
            Some("joni"),
            None,
        ),
        at("create_merchant", "create_merchant('kiosk')", None, Some("kiosk")),
        of("set_party_status", "set_party_status('member', 'joni', false)"),
        of("set_party_status", "set_party_status('guardian', 'g-both', false)"),
        of("set_party_status", "set_party_status('merchant', 'canteen', false)"),
        of("assign_role", "assign_role('actor-new', 'organisation_administrator')"),
        of("assign_role", "assign_role('actor-new', 'guardian', 'g-linked')"),
        of("revoke_role", "revoke_role('actor-new', 'organisation_administrator')"),
        of("revoke_role", "revoke_role('actor-new', 'guardian', 'g-both')"),
        of("assign_super_administrator", "assign_role('actor-new', 'super_administrator')"),
        of("revoke_super_administrator", "revoke_role('actor-new', 'super_administrator')"),
        at("assign_role", "assign_role('actor-new', 'member', 'new')", Some("new"), None),
        at("revoke_role", "revoke_role('actor-new', 'member', 'joni')", Some("joni"), None),
        of("set_default_limit", "set_spending_limit('*', daily => 50000)"),
        of(
            "set_default_limit",
            "set_spending_limit('wallets:joni', daily => 50000, replaces_default => true)",
        ),
        // An account that is no member's is the organisation's.
        of("set_spending_limit", "set_spending_limit('merchants:canteen', daily => 50000)"),
        of("check_spending_limit", "check_spending_limit('bank', 1, 'canteen')"),
        of("set_spending_limit", "set_spending_limit('bank', daily => 50000)"),
        of("check_spending_limit", "check_spending_limit('bank', 1)"),
    ]
}

fn of_merchant((merchant, till, item): (&'static str, &'static str, &'static str)) -> Vec<Try> {
    let of = |action, sql: String| at(action, &sql, None, Some(merchant));
    vec![
        of("create_device", format!("create_device('till-new', '{merchant}')")),
        of("create_device", format!("create_device('{till}', '{merchant}', gap_policy => 'take')")),
        of("create_device", format!("create_device('{till}', '{merchant}', overdraft_limit => 0)")),
        of("create_device", format!("set_party_status('device', '{till}', false)")),
        of("accept_overdraft", format!("create_device('{till}', '{merchant}', conflict_policy => 'accept')")),
        of("accept_overdraft", format!("create_device('{till}', '{merchant}', overdraft_limit => 1)")),
        of("accept_overdraft", format!("create_device('till-new', '{merchant}', overdraft_limit => 1e15)")),
        of("set_item", format!("set_item('{merchant}', '{item}', 9000)")),
        of("set_item", format!("set_item('{merchant}', 'roti', 5000)")),
        of("assign_cashier", format!("assign_role('actor-new', 'cashier', '{merchant}')")),
        of("revoke_cashier", format!("revoke_role('actor-new', 'cashier', '{merchant}')")),
        of("assign_role", format!("assign_role('actor-new', 'tenant_administrator', '{merchant}')")),
        of("revoke_role", format!("revoke_role('actor-new', 'tenant_administrator', '{merchant}')")),
        of(
            "sync_purchases",
            format!(
                r#"sync_purchases('{till}', jsonb_build_array(jsonb_build_object('sequence', 1, 'member', 'joni',
                   'at', now(), 'items', '[{{"item": "{item}", "quantity": 1}}]'::jsonb)))"#
            ),
        ),
    ]
}

fn of_member(member: &'static str) -> Vec<Try> {
    let of = |action, sql: String| at(action, &sql, Some(member), None);
    vec![
        of("view_member", format!("member_overview('{member}')")),
        of("set_spending_limit", format!("set_spending_limit('wallets:{member}', daily => 50000)")),
        of("check_spending_limit", format!("check_spending_limit('wallets:{member}', 1)")),
        of("set_pin", format!("set_pin('{member}', '482913')")),
        of("create_qr_code", format!("create_qr_code('{member}')")),
        of("enrol_fingerprint", format!("enrol_fingerprint('{member}', 'left_thumb', {TEMPLATE})")),
        of("purchase", format!("repay_overdraft('{member}')")),
    ]
}

async fn of_both(
    app: &Client,
    member: &'static str,
    (merchant, till, item): (&'static str, &'static str, &'static str),
) -> Vec<Try> {
    let of = |action, sql: String| at(action, &sql, Some(member), Some(merchant));
    let buy = format!(r#"purchase('{member}', '{merchant}', '[{{"item": "{item}", "quantity": 1}}]')"#);
    let mut tries = vec![
        of("purchase", buy.clone()),
        of("date_purchase", buy.replace("')", "', effective_at => now() - interval '1 minute')")),
        of("check_spending_limit", format!("check_spending_limit('wallets:{member}', 1, '{merchant}')")),
        of(
            "record_authentication",
            format!("record_authentication('fingerprint', '{member}', device => '{till}')"),
        ),
    ];
    if exists(app, "create_qr_code").await {
        let token = call(app, &format!("create_qr_code('{member}')")).await["token"].to_owned();
        let shown = format!("record_authentication('qr', '{member}', '{token}'");
        tries.push(at("record_authentication", &format!("{shown})"), Some(member), None));
        tries.push(of("record_authentication", format!("{shown}, '{till}')")));
    }
    if exists(app, "purchase").await {
        let bought = call(app, &buy).await;
        tries.push(of("refund_purchase", format!("refund_purchase('{}')", &bought["id"])));
    }
    tries
}
