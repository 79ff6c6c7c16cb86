//! Merchants, their devices and their catalogue.

use super::rules::{self, ConflictPolicy, GapPolicy, Kind, LABEL_BYTES_MAX, Status};
use super::store::NewPerson;
use super::store::places::{self, Device, Item, Merchant};
use crate::access::{self, rules::Action, rules::Target};
use crate::error::{Result, missing};
use crate::event;
use crate::form::{label, word};
use crate::ledger::{self, Ledger, settings};
use crate::money::{self, Number};
use crate::spi::Session;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Creates a merchant with an account, or returns the one that is there.
pub fn create_merchant(
    session: &Session,
    ledger: &Ledger,
    new: &NewPerson,
    currency: Option<&str>,
) -> Result<Merchant> {
    access::demand(session, ledger, Action::CreateMerchant, at(new.name))?;
    let address = format!("merchants:{}", new.name);
    super::open_account(session, ledger, Kind::Merchant, &address, currency, new.name)?;
    if places::insert_merchant(session, ledger.id, &address, new, ledger::now()) {
        let merchant = find_merchant(session, ledger, new.name)?;
        let payload = json!({
            "merchant": merchant.merchant, "account": merchant.account, "full_name": merchant.full_name,
            "actor": settings::actor(), "for": ["organisation"],
        });
        event::write(session, ledger, "merchant.created", new.name, payload);
        return Ok(merchant);
    }
    let there = places::merchant(session, ledger.id, new.name)
        .ok_or_else(|| rules::made_elsewhere("merchant", new.name))?;
    let different = new.different(there.full_name.as_deref(), None, there.metadata.as_ref());
    rules::check_same("merchant", new.name, &different)?;
    Ok(there)
}

fn at(merchant: &str) -> Target<'_> {
    Target { member: None, merchant: Some(merchant) }
}

/// The merchant, or the error that there is none.
pub fn find_merchant(session: &Session, ledger: &Ledger, name: &str) -> Result<Merchant> {
    places::merchant(session, ledger.id, name).ok_or_else(|| Kind::Merchant.not_found(name))
}

/// What `create_device` says. What is left out stays as it is.
pub struct DeviceWords<'a> {
    pub device: &'a str,
    pub merchant: &'a str,
    pub full_name: Option<&'a str>,
    pub gap_policy: Option<GapPolicy>,
    pub conflict_policy: Option<ConflictPolicy>,
    pub overdraft_limit: Option<Number>,
}

/// Creates a merchant's device, or changes its policies.
pub fn create_device(session: &Session, ledger: &Ledger, words: &DeviceWords) -> Result<Device> {
    let name = rules::name(words.device, "device")?;
    let merchant = rules::name(words.merchant, "merchant")?;
    let full_name = label(words.full_name, "full_name", LABEL_BYTES_MAX)?;
    access::demand(session, ledger, Action::CreateDevice, at(merchant))?;
    if words.conflict_policy == Some(ConflictPolicy::Accept) {
        access::demand(session, ledger, Action::AcceptOverdraft, at(merchant))?;
    }
    let merchant = find_merchant(session, ledger, merchant)?;
    let overdraft_limit = words
        .overdraft_limit
        .map(|number| rules::overdraft_limit(number, merchant.scale, &merchant.currency))
        .transpose()?;
    let new = Device {
        device: name.to_owned(),
        merchant: merchant.merchant.clone(),
        status: Status::Active,
        full_name: full_name.map(str::to_owned),
        gap_policy: words.gap_policy.unwrap_or(GapPolicy::Wait),
        conflict_policy: words.conflict_policy.unwrap_or(ConflictPolicy::Reject),
        overdraft_limit: overdraft_limit.unwrap_or(money::zero(merchant.scale)),
        last_sequence: 0,
        last_synced_at: None,
        created_at: ledger::now(),
    };
    if places::insert_device(session, ledger.id, &new) {
        demand_overdraft(session, ledger, &new, Decimal::ZERO)?;
        announce(session, ledger, "device.created", &new, Value::Null);
        return Ok(new);
    }
    let there = places::device(session, ledger.id, name, true)
        .ok_or_else(|| rules::made_elsewhere("device", name))?;
    rules::check_same("device", name, &[("merchant", there.merchant != merchant.merchant)])?;
    let changed = Device {
        full_name: new.full_name.or(there.full_name.clone()),
        gap_policy: words.gap_policy.unwrap_or(there.gap_policy),
        conflict_policy: words.conflict_policy.unwrap_or(there.conflict_policy),
        overdraft_limit: overdraft_limit.unwrap_or(there.overdraft_limit),
        ..there.clone()
    };
    if changed != there {
        demand_overdraft(session, ledger, &changed, there.overdraft_limit)?;
        places::change_device(session, ledger.id, &changed);
        announce(session, ledger, "device.changed", &changed, policies(&there));
    }
    Ok(changed)
}

/// Who lets members owe more through a till lends the organisation's money; letting them owe less is anybody's.
fn demand_overdraft(session: &Session, ledger: &Ledger, device: &Device, before: Decimal) -> Result<()> {
    if device.overdraft_limit <= before {
        return Ok(());
    }
    access::demand(session, ledger, Action::AcceptOverdraft, at(&device.merchant))
}

fn policies(device: &Device) -> Value {
    json!({
        "full_name": device.full_name, "gap_policy": device.gap_policy.name(),
        "conflict_policy": device.conflict_policy.name(), "overdraft_limit": device.overdraft_limit.to_string(),
    })
}

fn announce(session: &Session, ledger: &Ledger, topic: &str, device: &Device, before: Value) {
    let payload = json!({
        "device": device.device, "merchant": device.merchant, "before": before, "actor": settings::actor(),
        "for": ["merchant", "organisation"],
    });
    event::write(session, ledger, topic, &device.device, event::with(payload, policies(device)));
}

/// What `set_item` says. Of an item that is there, what is left out stays as it is.
pub struct ItemWords<'a> {
    pub merchant: &'a str,
    pub item: &'a str,
    pub price: Option<Number>,
    pub full_name: Option<&'a str>,
    pub category: Option<&'a str>,
    pub quantity_decimals: Option<i32>,
    pub active: Option<bool>,
}

/// Puts an item into a merchant's catalogue, or changes it. Returns it with the merchant it belongs to.
pub fn set_item(session: &Session, ledger: &Ledger, words: &ItemWords) -> Result<(Merchant, Item)> {
    let merchant = rules::name(words.merchant, "merchant")?;
    let name = rules::name(words.item, "item")?;
    let full_name = label(words.full_name, "full_name", LABEL_BYTES_MAX)?;
    let category = words.category.map(|category| word(category, "category", "soft_drinks")).transpose()?;
    let quantity_decimals = words.quantity_decimals.map(rules::quantity_decimals).transpose()?;
    access::demand(session, ledger, Action::SetItem, at(merchant))?;
    let merchant = find_merchant(session, ledger, merchant)?;
    let price = words.price.ok_or_else(|| missing("price"))?;
    let price = rules::price(price, merchant.scale, &merchant.currency)?;
    let new = Item {
        price,
        full_name: full_name.map(str::to_owned),
        category: category.map(str::to_owned),
        quantity_decimals: quantity_decimals.unwrap_or(0),
        status: Status::of(words.active.unwrap_or(true)),
        updated_at: ledger::now(),
        updated_by: settings::actor(),
    };
    let pair = (merchant.merchant.as_str(), name);
    if places::write_item(session, ledger.id, pair, &new, true) {
        item_changed(session, ledger, pair, &new, Value::Null);
        return Ok((merchant, new));
    }
    let there = places::lock_item(session, ledger.id, pair.0, name, merchant.scale)
        .ok_or_else(|| rules::made_elsewhere("item", name))?;
    let changed = Item {
        full_name: new.full_name.or(there.full_name.clone()),
        category: new.category.or(there.category.clone()),
        quantity_decimals: quantity_decimals.unwrap_or(there.quantity_decimals),
        status: words.active.map_or(there.status, Status::of),
        ..new
    };
    if said(&changed) == said(&there) {
        return Ok((merchant, there));
    }
    places::write_item(session, ledger.id, pair, &changed, false);
    item_changed(session, ledger, pair, &changed, said(&there));
    Ok((merchant, changed))
}

/// What is said about an item, beside who said it and when.
fn said(item: &Item) -> Value {
    json!({
        "price": item.price.to_string(), "full_name": item.full_name, "category": item.category,
        "quantity_decimals": item.quantity_decimals, "status": item.status.name(),
    })
}

fn item_changed(session: &Session, ledger: &Ledger, pair: (&str, &str), item: &Item, before: Value) {
    let payload = json!({
        "merchant": pair.0, "item": pair.1, "before": before, "actor": item.updated_by,
        "for": ["merchant", "organisation"],
    });
    event::write(session, ledger, "item.changed", pair.1, event::with(payload, said(item)));
}

/// Makes a member, a guardian, a merchant or a device active or inactive. A device is its merchant's.
pub fn set_status(
    session: &Session,
    ledger: &Ledger,
    kind: Kind,
    name: &str,
    active: bool,
    reason: Option<&str>,
) -> Result<Status> {
    let name = rules::name(name, "name")?;
    let status = Status::of(active);
    demand_status(session, ledger, kind, name, status)?;
    find(session, ledger, kind, name)?;
    if super::store::roles::set_status(session, ledger.id, kind, name, status) {
        let payload = json!({
            "kind": kind.name(), "name": name, "status": status.name(), "reason": reason,
            "actor": settings::actor(), "for": ["guardian", "merchant", "organisation"],
        });
        event::write(session, ledger, kind.topic(status), name, payload);
    }
    Ok(status)
}

fn demand_status(session: &Session, ledger: &Ledger, kind: Kind, name: &str, status: Status) -> Result<()> {
    if kind != Kind::Device {
        return access::demand(session, ledger, Action::SetPartyStatus, Target::default());
    }
    let device = places::device(session, ledger.id, name, false);
    let merchant = device.as_ref().map(|device| device.merchant.as_str());
    access::demand(session, ledger, Action::CreateDevice, Target { member: None, merchant })?;
    match &device {
        // Put to rest by the organisation, it must not lend again without it.
        Some(device) if status == Status::Active && device.conflict_policy == ConflictPolicy::Accept => {
            access::demand(session, ledger, Action::AcceptOverdraft, at(&device.merchant))
        }
        _ => Ok(()),
    }
}

/// There is one of that name, or the error that there is none.
pub fn find(session: &Session, ledger: &Ledger, kind: Kind, name: &str) -> Result<()> {
    let is_there = match kind {
        Kind::Member => super::store::member(session, ledger.id, name).is_some(),
        Kind::Guardian => super::store::guardian(session, ledger.id, name).is_some(),
        Kind::Merchant => places::merchant(session, ledger.id, name).is_some(),
        Kind::Device => places::device(session, ledger.id, name, false).is_some(),
    };
    if is_there { Ok(()) } else { Err(kind.not_found(name)) }
}
