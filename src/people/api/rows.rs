//! What the functions of people and places return.

use super::super::role::Standing;
use super::super::rules::{Kind, Status};
use super::super::store::places::{Device, Item, Merchant};
use super::super::store::{Guardian, Link, Member};
use crate::ledger::Ledger;
use crate::spi::Argument;
use crate::spi::face::{Composite, composite_result};
use std::ffi::CStr;

/// Something of a ledger, in words.
pub struct Row<T> {
    ledger: String,
    of: T,
}

impl<T> Row<T> {
    pub fn new(ledger: &Ledger, of: T) -> Self {
        Self { ledger: ledger.name.clone(), of }
    }
}

pub type MemberRow = Row<Member>;
composite_result!(MemberRow, "wallet_ledger.member_row");

impl Composite for MemberRow {
    const NAME: &'static CStr = c"member_row";

    fn into_values(self) -> Vec<Argument> {
        let member = &self.of;
        vec![
            (&member.member).into(),
            (&self.ledger).into(),
            (&member.account).into(),
            (&member.currency).into(),
            member.full_name.as_deref().into(),
            member.actor.as_deref().into(),
            member.status.name().into(),
            member.metadata.as_ref().into(),
            member.created_at.into(),
        ]
    }
}

pub type GuardianRow = Row<Guardian>;
composite_result!(GuardianRow, "wallet_ledger.guardian_row");

impl Composite for GuardianRow {
    const NAME: &'static CStr = c"guardian_row";

    fn into_values(self) -> Vec<Argument> {
        let guardian = &self.of;
        vec![
            (&guardian.guardian).into(),
            (&self.ledger).into(),
            guardian.full_name.as_deref().into(),
            guardian.actor.as_deref().into(),
            guardian.status.name().into(),
            guardian.metadata.as_ref().into(),
            guardian.created_at.into(),
        ]
    }
}

/// A link with its two ends.
pub struct Linked {
    pub guardian: String,
    pub member: String,
    pub link: Link,
}

pub type LinkRow = Row<Linked>;
composite_result!(LinkRow, "wallet_ledger.guardian_link_row");

impl Composite for LinkRow {
    const NAME: &'static CStr = c"guardian_link_row";

    fn into_values(self) -> Vec<Argument> {
        let Linked { guardian, member, link } = &self.of;
        vec![
            guardian.into(),
            member.into(),
            (&self.ledger).into(),
            link.rights.view.into(),
            link.rights.top_up.into(),
            link.rights.set_limits.into(),
            link.linked_at.into(),
            (&link.linked_by).into(),
        ]
    }
}

pub type MerchantRow = Row<Merchant>;
composite_result!(MerchantRow, "wallet_ledger.merchant_row");

impl Composite for MerchantRow {
    const NAME: &'static CStr = c"merchant_row";

    fn into_values(self) -> Vec<Argument> {
        let merchant = &self.of;
        vec![
            (&merchant.merchant).into(),
            (&self.ledger).into(),
            (&merchant.account).into(),
            (&merchant.currency).into(),
            merchant.full_name.as_deref().into(),
            merchant.status.name().into(),
            merchant.metadata.as_ref().into(),
            merchant.created_at.into(),
        ]
    }
}

pub type DeviceRow = Row<Device>;
composite_result!(DeviceRow, "wallet_ledger.device_row");

impl Composite for DeviceRow {
    const NAME: &'static CStr = c"device_row";

    fn into_values(self) -> Vec<Argument> {
        let device = &self.of;
        vec![
            (&device.device).into(),
            (&self.ledger).into(),
            (&device.merchant).into(),
            device.full_name.as_deref().into(),
            device.status.name().into(),
            device.gap_policy.name().into(),
            device.conflict_policy.name().into(),
            device.overdraft_limit.into(),
            device.last_sequence.into(),
            device.last_synced_at.into(),
            device.created_at.into(),
        ]
    }
}

/// An item with its merchant.
pub struct Offered {
    pub name: String,
    pub merchant: Merchant,
    pub item: Item,
}

pub type ItemRow = Row<Offered>;
composite_result!(ItemRow, "wallet_ledger.item_row");

impl Composite for ItemRow {
    const NAME: &'static CStr = c"item_row";

    fn into_values(self) -> Vec<Argument> {
        let Offered { name, merchant, item } = &self.of;
        vec![
            (&merchant.merchant).into(),
            name.into(),
            (&self.ledger).into(),
            item.full_name.as_deref().into(),
            item.category.as_deref().into(),
            item.price.into(),
            (&merchant.currency).into(),
            i32::from(item.quantity_decimals).into(),
            item.status.name().into(),
            item.updated_at.into(),
            (&item.updated_by).into(),
        ]
    }
}

/// Who or what was made active or inactive.
pub struct Party {
    pub kind: Kind,
    pub name: String,
    pub status: Status,
}

pub type PartyRow = Row<Party>;
composite_result!(PartyRow, "wallet_ledger.party_row");

impl Composite for PartyRow {
    const NAME: &'static CStr = c"party_row";

    fn into_values(self) -> Vec<Argument> {
        let party = &self.of;
        vec![
            party.kind.name().into(),
            (&party.name).into(),
            (&self.ledger).into(),
            party.status.name().into(),
        ]
    }
}

pub type RoleRow = Row<Standing>;
composite_result!(RoleRow, "wallet_ledger.role_row");

impl Composite for RoleRow {
    const NAME: &'static CStr = c"role_row";

    fn into_values(self) -> Vec<Argument> {
        let standing = &self.of;
        let since = standing.since.as_ref();
        vec![
            (&standing.actor).into(),
            standing.role.name().into(),
            standing.scope.as_deref().into(),
            (&self.ledger).into(),
            standing.is_assigned.into(),
            since.map(|(at, _)| *at).into(),
            since.map(|(_, by)| by.as_str()).into(),
        ]
    }
}
