//! Who tries: everybody of a school, with the roles that they have.

use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

pub struct Role {
    pub name: &'static str,
    /// The merchant, the member in care, or the member that one is.
    pub scope: &'static str,
    /// Of a guardian's link.
    pub rights: &'static [&'static str],
}

pub struct Person {
    pub actor: &'static str,
    pub roles: &'static [Role],
}

const fn role(name: &'static str, scope: &'static str) -> Role {
    Role { name, scope, rights: &[] }
}

const fn guardian(scope: &'static str, rights: &'static [&'static str]) -> Role {
    Role { name: "guardian", scope, rights }
}

/// Two merchants, `canteen` and `coop`; two members, `joni` and `ani`. Who is inactive, or whose role was taken
/// back, has none.
pub const CAST: &[Person] = &[
    Person { actor: "actor-super", roles: &[role("super_administrator", "")] },
    Person { actor: "actor-organisation", roles: &[role("organisation_administrator", "")] },
    Person { actor: "actor-tenant-a", roles: &[role("tenant_administrator", "canteen")] },
    Person { actor: "actor-tenant-b", roles: &[role("tenant_administrator", "coop")] },
    Person { actor: "actor-cashier-a", roles: &[role("cashier", "canteen")] },
    Person { actor: "actor-cashier-b", roles: &[role("cashier", "coop")] },
    Person { actor: "actor-viewer", roles: &[guardian("joni", &["may_view"])] },
    Person { actor: "actor-limiter", roles: &[guardian("joni", &["may_set_limits"])] },
    Person { actor: "actor-topper", roles: &[guardian("joni", &["may_top_up"])] },
    Person {
        actor: "actor-both",
        roles: &[
            guardian("joni", &["may_view", "may_top_up", "may_set_limits"]),
            guardian("ani", &["may_view"]),
        ],
    },
    Person { actor: "actor-unlinked", roles: &[] },
    Person { actor: "actor-taken-back", roles: &[] },
    Person { actor: "actor-resting-guardian", roles: &[] },
    Person { actor: "actor-joni", roles: &[role("member", "joni")] },
    Person { actor: "actor-ani", roles: &[role("member", "ani")] },
    Person { actor: "actor-resting-member", roles: &[] },
    Person { actor: "actor-former-cashier", roles: &[] },
    // A teacher with a child at the school, who helps in the cooperative.
    Person { actor: "actor-teacher", roles: &[role("cashier", "coop"), guardian("ani", &["may_view"])] },
    Person { actor: "actor-stranger", roles: &[] },
];

/// A ledger with all of them in it, and a session of a trusted backend.
pub async fn school(test: &str) -> (TestDb, Client) {
    let db = TestDb::with_ledger(test).await;
    let app = db.app().await;
    execute(&app, "SET wallet_ledger.actor = 'office'").await;
    for made in [
        "create_account('bank', 'asset')",
        "create_member('joni', actor => 'actor-joni')",
        "create_member('ani', actor => 'actor-ani')",
        "create_member('resting', actor => 'actor-resting-member')",
        "create_member('new')",
        "post_transfer('bank', 'wallets:joni', 100000, 'topup')",
        "post_transfer('bank', 'wallets:ani', 100000, 'topup')",
        "set_party_status('member', 'resting', false)",
        "create_merchant('canteen')",
        "create_merchant('coop')",
        "create_device('till-a', 'canteen')",
        "create_device('till-b', 'coop')",
        "set_item('canteen', 'nasi-goreng', 15000, category => 'food')",
        "set_item('coop', 'es-teh', 4000, category => 'drinks')",
        "create_guardian('g-viewer', actor => 'actor-viewer')",
        "create_guardian('g-limiter', actor => 'actor-limiter')",
        "create_guardian('g-topper', actor => 'actor-topper')",
        "create_guardian('g-both', actor => 'actor-both')",
        "create_guardian('g-unlinked', actor => 'actor-unlinked')",
        "create_guardian('g-taken-back', actor => 'actor-taken-back')",
        "create_guardian('g-resting', actor => 'actor-resting-guardian')",
        "create_guardian('g-teacher', actor => 'actor-teacher')",
        "create_guardian('g-linked')",
        "link_guardian('g-viewer', 'joni', true, false, false)",
        "link_guardian('g-limiter', 'joni', false, false, true)",
        "link_guardian('g-topper', 'joni', false, true, false)",
        "link_guardian('g-both', 'joni', true, true, true)",
        "link_guardian('g-both', 'ani', true, false, false)",
        "link_guardian('g-taken-back', 'joni', true, true, true)",
        "link_guardian('g-taken-back', 'joni', false, false, false)",
        "link_guardian('g-resting', 'joni', true, true, true)",
        "link_guardian('g-teacher', 'ani', true, false, false)",
        "link_guardian('g-linked', 'joni')",
        "set_party_status('guardian', 'g-resting', false)",
        "assign_role('actor-super', 'super_administrator')",
        "assign_role('actor-organisation', 'organisation_administrator')",
        "assign_role('actor-tenant-a', 'tenant_administrator', 'canteen')",
        "assign_role('actor-tenant-b', 'tenant_administrator', 'coop')",
        "assign_role('actor-cashier-a', 'cashier', 'canteen')",
        "assign_role('actor-cashier-b', 'cashier', 'coop')",
        "assign_role('actor-teacher', 'cashier', 'coop')",
        "assign_role('actor-former-cashier', 'cashier', 'canteen')",
        "revoke_role('actor-former-cashier', 'cashier', 'canteen')",
    ] {
        call(&app, made).await;
    }
    (db, app)
}
