//! SQL face of people and places.

mod rows;

use super::place::{self, DeviceWords, ItemWords};
use super::rules::{ConflictPolicy, GapPolicy, Kind};
use super::store::{NewPerson, Rights};
use super::{create_guardian as guardian_of, create_member as member_of, link_guardian as link, role};
use crate::access::rules::Role;
use crate::error::missing;
use crate::form::label;
use crate::ledger;
use crate::report;
use crate::spi::Session;
use crate::spi::face::{JsonIn, NumericIn};
use pgrx::prelude::*;
use rows::{
    DeviceRow, GuardianRow, ItemRow, LinkRow, Linked, MemberRow, MerchantRow, Offered, Party, PartyRow,
    RoleRow, Row,
};

/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1000;

/// Creates a member: a pupil or a member of the staff, with a wallet of their own, `wallets:<member>`.
///
/// * `member`: the application's name for the person, 1 to 64 characters of `A-Z a-z 0-9 _ . -`.
/// * `full_name`: in words, 1 to 255 bytes.
/// * `actor`: who signs in as this member: the JWT's `sub`, or the setting `wallet_ledger.actor`; once in a ledger.
/// * `currency`: of the wallet; the ledger's by default.
/// * `metadata`: the application's own JSON.
///
/// Returns the member. The same call again returns the one that is there; what a call leaves out it says nothing
/// about. Writes the event `member.created`. Errors: not_allowed, missing_argument, invalid_argument,
/// currency_not_found, already_exists.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn create_member(
    member: Option<&str>,
    full_name: default!(Option<&str>, "NULL"),
    actor: default!(Option<&str>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> MemberRow {
    report::run(|| {
        let session = Session::connect();
        let member = member.ok_or_else(|| missing("member"))?;
        let metadata = metadata.as_ref().map(|metadata| &metadata.0);
        let new = NewPerson::checked("member", member, full_name, actor, metadata)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let member = member_of(&session, &ledger, &new, currency)?;
        Ok(Row::new(&ledger, member))
    })
}

/// Creates a guardian: somebody who looks after members. For whom, and what they may do, `link_guardian` says.
///
/// * `guardian`, `full_name`, `actor`, `metadata`: as for `create_member`; a guardian has no wallet.
///
/// Returns the guardian. The same call again returns the one that is there. Writes the event `guardian.created`.
/// Errors: not_allowed, missing_argument, invalid_argument, already_exists.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn create_guardian(
    guardian: Option<&str>,
    full_name: default!(Option<&str>, "NULL"),
    actor: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> GuardianRow {
    report::run(|| {
        let session = Session::connect();
        let guardian = guardian.ok_or_else(|| missing("guardian"))?;
        let metadata = metadata.as_ref().map(|metadata| &metadata.0);
        let new = NewPerson::checked("guardian", guardian, full_name, actor, metadata)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let guardian = guardian_of(&session, &ledger, &new)?;
        Ok(Row::new(&ledger, guardian))
    })
}

/// Says what a guardian may do for a member. Again with other rights changes them; all false takes the link back.
///
/// * `guardian`, `member`: names; a member may have many guardians, a guardian many members.
/// * `may_view`: see balance, spending, limits and refusals.
/// * `may_top_up`: for the application, which lets the guardian bring money in; no function here asks for it.
/// * `may_set_limits`: set limits and the PIN.
///
/// Returns the link. Writes the event `guardian.linked` where anything changes. Errors: not_allowed,
/// missing_argument, invalid_argument, guardian_not_found, member_not_found.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn link_guardian(
    guardian: Option<&str>,
    member: Option<&str>,
    may_view: default!(Option<bool>, true),
    may_top_up: default!(Option<bool>, true),
    may_set_limits: default!(Option<bool>, false),
    ledger: default!(Option<&str>, "NULL"),
) -> LinkRow {
    report::run(|| {
        let session = Session::connect();
        let guardian = guardian.ok_or_else(|| missing("guardian"))?;
        let member = member.ok_or_else(|| missing("member"))?;
        let rights = Rights {
            view: may_view.ok_or_else(|| missing("may_view"))?,
            top_up: may_top_up.ok_or_else(|| missing("may_top_up"))?,
            set_limits: may_set_limits.ok_or_else(|| missing("may_set_limits"))?,
        };
        let ledger = ledger::resolve(&session, ledger)?;
        let link = link(&session, &ledger, guardian, member, rights)?;
        let linked = Linked { guardian: guardian.to_owned(), member: member.to_owned(), link };
        Ok(Row::new(&ledger, linked))
    })
}

/// Creates a merchant: a tenant who sells, a canteen for example, with the account `merchants:<merchant>`.
///
/// * `merchant`, `full_name`, `metadata`: as for `create_member`.
/// * `currency`: of the account, and of the prices; the ledger's by default.
///
/// Returns the merchant. The same call again returns the one that is there. Writes the event `merchant.created`.
/// Errors: not_allowed, missing_argument, invalid_argument, currency_not_found, already_exists.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn create_merchant(
    merchant: Option<&str>,
    full_name: default!(Option<&str>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> MerchantRow {
    report::run(|| {
        let session = Session::connect();
        let merchant = merchant.ok_or_else(|| missing("merchant"))?;
        let metadata = metadata.as_ref().map(|metadata| &metadata.0);
        let new = NewPerson::checked("merchant", merchant, full_name, None, metadata)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let merchant = place::create_merchant(&session, &ledger, &new, currency)?;
        Ok(Row::new(&ledger, merchant))
    })
}

/// Creates a device: a till of a merchant. Again with other policies changes them; never another merchant.
///
/// * `device`, `merchant`: names.
/// * `full_name`: in words, 1 to 255 bytes.
/// * `gap_policy`: what happens to purchases made offline behind a missing number: `wait` (they wait at the till;
///   so is a new device) or `take` (they are taken, and the gap is recorded).
/// * `conflict_policy`: what happens to one that the limit or the balance would refuse now: `reject` (so is a new
///   device) or `accept` (into an overdraft).
/// * `overdraft_limit`: the most that one member may owe through it, zero or more, in the merchant's currency;
///   zero for a new device.
///
/// `accept`, and more than before in `overdraft_limit`, are the action `accept_overdraft`: the organisation's to say,
/// not the merchant's. What is NULL stays as it is. Returns the device. Writes the event `device.created` or
/// `device.changed`. Errors: not_allowed, missing_argument, invalid_argument, invalid_amount, merchant_not_found,
/// already_exists.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn create_device(
    device: Option<&str>,
    merchant: Option<&str>,
    full_name: default!(Option<&str>, "NULL"),
    gap_policy: default!(Option<&str>, "NULL"),
    conflict_policy: default!(Option<&str>, "NULL"),
    overdraft_limit: default!(Option<NumericIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> DeviceRow {
    report::run(|| {
        let session = Session::connect();
        let words = DeviceWords {
            device: device.ok_or_else(|| missing("device"))?,
            merchant: merchant.ok_or_else(|| missing("merchant"))?,
            full_name,
            gap_policy: gap_policy.map(GapPolicy::from_name).transpose()?,
            conflict_policy: conflict_policy.map(ConflictPolicy::from_name).transpose()?,
            overdraft_limit: overdraft_limit.map(|number| number.0),
        };
        let ledger = ledger::resolve(&session, ledger)?;
        let device = place::create_device(&session, &ledger, &words)?;
        Ok(Row::new(&ledger, device))
    })
}

/// Puts an item into a merchant's catalogue, or changes it. What was sold keeps the price of its moment.
///
/// * `merchant`, `item`: names.
/// * `price`: of one, above zero, in the merchant's currency.
/// * `full_name`: in words, 1 to 255 bytes.
/// * `category`: lower-case words, for limits: `drinks`, say.
/// * `quantity_decimals`: how many decimals a quantity may have, 0 (a new item: whole ones only) to 3.
/// * `active`: whether it is sold; a new item is.
///
/// Of an item that is there, what is NULL stays as it is. Returns the item. Writes the event `item.changed` where
/// anything changes. Errors: not_allowed, missing_argument, invalid_argument, invalid_amount, merchant_not_found.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn set_item(
    merchant: Option<&str>,
    item: Option<&str>,
    price: Option<NumericIn>,
    full_name: default!(Option<&str>, "NULL"),
    category: default!(Option<&str>, "NULL"),
    quantity_decimals: default!(Option<i32>, "NULL"),
    active: default!(Option<bool>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> ItemRow {
    report::run(|| {
        let session = Session::connect();
        let name = item.ok_or_else(|| missing("item"))?;
        let words = ItemWords {
            merchant: merchant.ok_or_else(|| missing("merchant"))?,
            item: name,
            price: price.map(|price| price.0),
            full_name,
            category,
            quantity_decimals,
            active,
        };
        let ledger = ledger::resolve(&session, ledger)?;
        let (merchant, item) = place::set_item(&session, &ledger, &words)?;
        Ok(Row::new(&ledger, Offered { name: name.to_owned(), merchant, item }))
    })
}

/// Makes a member, a guardian, a merchant or a device active or inactive. What is inactive takes no purchases;
/// an inactive guardian or member may do nothing. Money and history stay.
///
/// * `kind`: `member`, `guardian`, `merchant` or `device`.
/// * `name`: its name.
/// * `active`: whether it takes part.
/// * `reason`: for the record, 1 to 1000 bytes.
///
/// Returns what it is now; doing it twice is harmless. Writes an event such as `device.deactivated` or
/// `member.activated`. Errors: not_allowed, missing_argument, invalid_argument, member_not_found,
/// guardian_not_found, merchant_not_found, device_not_found.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn set_party_status(
    kind: Option<&str>,
    name: Option<&str>,
    active: Option<bool>,
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> PartyRow {
    report::run(|| {
        let session = Session::connect();
        let kind = Kind::from_name(kind.ok_or_else(|| missing("kind"))?)?;
        let name = name.ok_or_else(|| missing("name"))?;
        let active = active.ok_or_else(|| missing("active"))?;
        let reason = label(reason, "reason", REASON_BYTES_MAX)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let status = place::set_status(&session, &ledger, kind, name, active, reason)?;
        Ok(Row::new(&ledger, Party { kind, name: name.to_owned(), status }))
    })
}

/// Gives a role to an actor. What each role may do `role_permissions()` says.
///
/// * `actor`: who: the JWT's `sub`, or the setting `wallet_ledger.actor`, 1 to 255 bytes.
/// * `role`: super_administrator, organisation_administrator, tenant_administrator, cashier, guardian or member.
/// * `scope`: the merchant of a tenant administrator or a cashier; the guardian or member who the actor is; NULL
///   for the organisation's roles.
///
/// Nobody makes themselves a super administrator; a trusted backend may. Returns the role; doing it twice is
/// harmless. Writes the event `role.assigned`. Errors: not_allowed, missing_argument, invalid_argument,
/// merchant_not_found, guardian_not_found, member_not_found, already_exists (the member has another actor, or
/// the actor is another member), try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn assign_role(
    actor: Option<&str>,
    role: Option<&str>,
    scope: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> RoleRow {
    let flow = || {
        let session = Session::connect();
        let role = Role::from_name(role.ok_or_else(|| missing("role"))?)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let standing = role::assign(&session, &ledger, actor, role, scope)?;
        Ok(Row::new(&ledger, standing))
    };
    report::run_over(flow, role::refused)
}

/// Takes a role from an actor.
///
/// * `actor`, `role`, `scope`: as for `assign_role`.
///
/// Nobody takes a role from themselves; a trusted backend may. Returns the role with `assigned` false; where the
/// actor does not have it, nothing happens. Writes the event `role.revoked`. Errors: not_allowed,
/// missing_argument, invalid_argument.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn revoke_role(
    actor: Option<&str>,
    role: Option<&str>,
    scope: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> RoleRow {
    report::run(|| {
        let session = Session::connect();
        let role = Role::from_name(role.ok_or_else(|| missing("role"))?)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let standing = role::revoke(&session, &ledger, actor, role, scope)?;
        Ok(Row::new(&ledger, standing))
    })
}
