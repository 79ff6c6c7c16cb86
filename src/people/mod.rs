//! People and places: members with their wallets, guardians and what each may do for whom, merchants with devices
//! and a catalogue, and the roles of whoever acts.
//!
//! Creating again is harmless: what a call leaves out it says nothing about, and what it states must be so. Names
//! are the application's own and never change. Everything is asked of `access` before anything is told.

pub mod api;
pub mod place;
pub mod role;
pub mod rules;
pub mod store;

use crate::access::{self, rules::Action, rules::Target};
use crate::account::{self, rules::Type};
use crate::error::{Code, LedgerError, Result};
use crate::event;
use crate::form::label;
use crate::ledger::{self, Ledger, settings};
use crate::limit;
use crate::money::Number;
use crate::posting::request::check_labels;
use crate::spi::Session;
use crate::spi::jsonb::Document;
use rules::{Kind, LABEL_BYTES_MAX};
use rust_decimal::Decimal;
use serde_json::json;
use store::{Guardian, Link, Member, NewPerson, Rights};

impl<'a> NewPerson<'a> {
    /// The arguments, once their form is known to be right; `argument` is what the name is called.
    pub fn checked(
        argument: &str,
        name: &'a str,
        full_name: Option<&'a str>,
        actor: Option<&'a str>,
        metadata: Option<&'a Document>,
    ) -> Result<Self> {
        let name = rules::name(name, argument)?;
        let full_name = label(full_name, "full_name", LABEL_BYTES_MAX)?;
        let actor = label(actor, "actor", LABEL_BYTES_MAX)?;
        check_labels(None, None, metadata.map(Document::as_bytes))?;
        Ok(Self { name, full_name, actor, metadata })
    }

    /// The fields that are stated and differ.
    fn different<'b>(
        &self,
        full_name: Option<&str>,
        actor: Option<&str>,
        metadata: Option<&Document>,
    ) -> [(&'b str, bool); 3] {
        [
            ("full_name", self.full_name.is_some() && self.full_name != full_name),
            ("actor", self.actor.is_some() && self.actor != actor),
            ("metadata", self.metadata.is_some() && self.metadata != metadata),
        ]
    }
}

/// Creates a member with a wallet, or returns the one that is there.
pub fn create_member(
    session: &Session,
    ledger: &Ledger,
    new: &NewPerson,
    currency: Option<&str>,
) -> Result<Member> {
    let target = Target { member: Some(new.name), merchant: None };
    access::demand(session, ledger, Action::CreateMember, target)?;
    if let Some(actor) = new.actor {
        ledger::lock_actor(ledger, actor);
    }
    let address = format!("wallets:{}", new.name);
    open_account(session, ledger, Kind::Member, &address, currency, new.name)?;
    if let Some(account_id) = store::insert_member(session, ledger.id, &address, new, ledger::now()) {
        // The organisation's default limits count for every member.
        limit::mark(session, ledger, account_id);
        let member = find_member(session, ledger, new.name)?;
        let payload = json!({
            "member": member.member, "account": member.account, "full_name": member.full_name,
            "member_actor": member.actor, "actor": settings::actor(), "for": ["organisation"],
        });
        event::write(session, ledger, "member.created", new.name, payload);
        return Ok(member);
    }
    let there = store::member(session, ledger.id, new.name)
        .ok_or_else(|| not_inserted(session, ledger, Kind::Member, new))?;
    let different =
        new.different(there.full_name.as_deref(), there.actor.as_deref(), there.metadata.as_ref());
    rules::check_same("member", new.name, &different)?;
    Ok(there)
}

/// Creates a guardian, or returns the one that is there.
pub fn create_guardian(session: &Session, ledger: &Ledger, new: &NewPerson) -> Result<Guardian> {
    access::demand(session, ledger, Action::CreateGuardian, Target::default())?;
    if let Some(actor) = new.actor {
        ledger::lock_actor(ledger, actor);
    }
    if store::insert_guardian(session, ledger.id, new, ledger::now()) {
        let guardian = find_guardian(session, ledger, new.name)?;
        let payload = json!({
            "guardian": guardian.guardian, "full_name": guardian.full_name, "guardian_actor": guardian.actor,
            "actor": settings::actor(), "for": ["organisation"],
        });
        event::write(session, ledger, "guardian.created", new.name, payload);
        return Ok(guardian);
    }
    let there = store::guardian(session, ledger.id, new.name)
        .ok_or_else(|| not_inserted(session, ledger, Kind::Guardian, new))?;
    let different =
        new.different(there.full_name.as_deref(), there.actor.as_deref(), there.metadata.as_ref());
    rules::check_same("guardian", new.name, &different)?;
    Ok(there)
}

/// Why nothing was written although there is none of that name: the actor is somebody else, or another session's
/// row cannot be seen from here.
fn not_inserted(session: &Session, ledger: &Ledger, kind: Kind, new: &NewPerson) -> LedgerError {
    let taken = new.actor.filter(|actor| store::roles::of_actor(session, ledger.id, kind, actor).is_some());
    match taken {
        Some(actor) => rules::actor_taken(kind.name(), actor),
        None => rules::made_elsewhere(kind.name(), new.name),
    }
}

/// The account of a member or a merchant: the platform owes what is on it, and it never goes below zero. A merchant's
/// may be there in stripes; a wallet is one row, for limits and overdrafts count under its lock.
fn open_account(
    session: &Session,
    ledger: &Ledger,
    kind: Kind,
    address: &str,
    currency: Option<&str>,
    owner: &str,
) -> Result<()> {
    // Of an account that is there, no currency says nothing.
    let there = account::store::read(session, ledger.id, address, true);
    let create = |there: Option<&account::store::Stored>| {
        let request = account::Request {
            address,
            account_type: Type::Liability,
            currency: currency.or(there.map(|account| account.currency.as_str())),
            minimum: Some(Number::Finite(Decimal::ZERO)),
            maximum: None,
            stripes: there.filter(|_| kind == Kind::Merchant).map_or(1, |account| account.stripes.into()),
            owner: Some(owner),
            metadata: None,
        };
        account::create(session, ledger, &request).map(drop)
    };
    match create(there.as_ref()) {
        // Another session made it after we had looked: what it says counts now.
        Err(error) if there.is_none() && error.code == Code::AlreadyExists => {
            create(account::store::read(session, ledger.id, address, true).as_ref())
        }
        created => created,
    }
}

/// Says what a guardian may do for a member. Nothing at all takes the link back.
pub fn link_guardian(
    session: &Session,
    ledger: &Ledger,
    guardian: &str,
    member: &str,
    rights: Rights,
) -> Result<Link> {
    let guardian = rules::name(guardian, "guardian")?;
    let member = rules::name(member, "member")?;
    access::demand(session, ledger, Action::LinkGuardian, Target { member: Some(member), merchant: None })?;
    find_guardian(session, ledger, guardian)?;
    find_member(session, ledger, member)?;
    let actor = settings::actor();
    let pair = (guardian, member);
    if store::link(session, ledger.id, pair, rights, (ledger::now(), &actor)) {
        let payload = json!({
            "guardian": guardian, "member": member, "may_view": rights.view, "may_top_up": rights.top_up,
            "may_set_limits": rights.set_limits, "actor": actor, "for": ["guardian", "organisation"],
        });
        event::write(session, ledger, "guardian.linked", guardian, payload);
    }
    store::find_link(session, ledger.id, guardian, member)
        .ok_or_else(|| rules::made_elsewhere("link of guardian", guardian))
}

/// The member, or the error that there is none.
pub fn find_member(session: &Session, ledger: &Ledger, name: &str) -> Result<Member> {
    store::member(session, ledger.id, name).ok_or_else(|| Kind::Member.not_found(name))
}

/// The guardian, or the error that there is none.
pub fn find_guardian(session: &Session, ledger: &Ledger, name: &str) -> Result<Guardian> {
    store::guardian(session, ledger.id, name).ok_or_else(|| Kind::Guardian.not_found(name))
}
