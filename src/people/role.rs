//! Giving and taking roles.
//!
//! The roles of administrators and cashiers are rows. Who is a guardian or a member is who their `actor` says:
//! giving that role sets it, and taking it away unsets it.

use super::rules::{self, Kind, LABEL_BYTES_MAX};
use super::store::roles::{self as store, Assignment};
use crate::access::{self, rules::Action, rules::Reach, rules::Role};
use crate::error::{LedgerError, Result, invalid, missing};
use crate::event;
use crate::form::needed_label;
use crate::ledger::{self, Ledger, settings};
use crate::report::Refusal;
use crate::spi::{Session, identity};
use serde_json::json;

const UNIQUE_VIOLATION: &str = "23505";

/// A role as it stands after a call.
pub struct Standing {
    pub actor: String,
    pub role: Role,
    pub scope: Option<String>,
    pub is_assigned: bool,
    /// When it was given and by whom, where that is written down.
    pub since: Option<(i64, String)>,
}

/// What a call asks for, once its form is known to be right.
struct Wanted<'a> {
    actor: &'a str,
    role: Role,
    scope: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn checked(actor: Option<&'a str>, role: Role, scope: Option<&'a str>) -> Result<Self> {
        let actor = needed_label(actor, "actor", LABEL_BYTES_MAX)?;
        let has_scope = role.reach() != Reach::Organisation;
        let scope = match scope {
            Some(_) if !has_scope => {
                return Err(invalid("scope", &format!("be null for the role {}", role.name())));
            }
            None if has_scope => return Err(missing("scope")),
            scope => scope.map(|scope| rules::name(scope, "scope")).transpose()?,
        };
        Ok(Self { actor, role, scope })
    }

    /// Whose scope it is, where the role has one.
    fn party(&self) -> Option<(Kind, &'a str)> {
        let kind = match self.role.reach() {
            Reach::Organisation => return None,
            Reach::OwnMerchant => Kind::Merchant,
            Reach::LinkedMember => Kind::Guardian,
            Reach::Oneself => Kind::Member,
        };
        self.scope.map(|scope| (kind, scope))
    }

    fn assignment(&self) -> Assignment<'a> {
        Assignment { role: self.role, scope: self.scope.unwrap_or_default(), actor: self.actor }
    }

    /// The person whose actor this role is, where it is no row of its own.
    fn person(&self) -> Option<(Kind, &'a str)> {
        self.party().filter(|(kind, _)| *kind != Kind::Merchant)
    }

    fn standing(&self, is_assigned: bool, since: Option<(i64, String)>) -> Standing {
        let scope = self.scope.map(str::to_owned);
        Standing { actor: self.actor.to_owned(), role: self.role, scope, is_assigned, since }
    }
}

/// Who acts, if that person may do this to somebody's role: nobody to the own one.
fn demand(session: &Session, ledger: &Ledger, wanted: &Wanted, action: Action) -> Result<String> {
    access::demand(session, ledger, action, wanted.role.target(wanted.scope))?;
    let acting = settings::actor();
    if !identity::is_trusted() {
        access::rules::check_not_oneself(&acting, wanted.actor, action)?;
    }
    Ok(acting)
}

/// Gives a role.
pub fn assign(
    session: &Session,
    ledger: &Ledger,
    actor: Option<&str>,
    role: Role,
    scope: Option<&str>,
) -> Result<Standing> {
    let wanted = Wanted::checked(actor, role, scope)?;
    let acting = demand(session, ledger, &wanted, role.assigning())?;
    if let Some((kind, scope)) = wanted.party() {
        super::place::find(session, ledger, kind, scope)?;
    }
    let is_new = match wanted.person() {
        Some((kind, name)) => set_actor(session, ledger, kind, name, wanted.actor)?,
        None => store::assign(session, ledger.id, wanted.assignment(), ledger::now(), &acting),
    };
    if is_new {
        announce(session, ledger, "role.assigned", &wanted, &acting);
    }
    let since = store::assignment(session, ledger.id, wanted.assignment());
    Ok(wanted.standing(true, since))
}

/// Takes a role away. Where the actor does not have it, nothing happens.
pub fn revoke(
    session: &Session,
    ledger: &Ledger,
    actor: Option<&str>,
    role: Role,
    scope: Option<&str>,
) -> Result<Standing> {
    let wanted = Wanted::checked(actor, role, scope)?;
    let acting = demand(session, ledger, &wanted, role.revoking())?;
    let was_there = match wanted.person() {
        Some((kind, name)) => store::unset_actor(session, ledger.id, kind, name, wanted.actor),
        None => store::revoke(session, ledger.id, wanted.assignment()),
    };
    if was_there {
        announce(session, ledger, "role.revoked", &wanted, &acting);
    }
    Ok(wanted.standing(false, None))
}

/// Makes somebody the actor of a member or a guardian who has none; false where they are already.
fn set_actor(session: &Session, ledger: &Ledger, kind: Kind, name: &str, actor: &str) -> Result<bool> {
    ledger::lock_actor(ledger, actor);
    let is_theirs = |there: &Option<String>| there.as_deref() == Some(actor);
    let before = actor_of(session, ledger, kind, name);
    if is_theirs(&before) {
        return Ok(false);
    }
    // Nobody loses a role because somebody else gets it: that is said first, with revoke_role().
    rules::check_same(kind.name(), name, &[("actor", before.is_some())])?;
    if store::of_actor(session, ledger.id, kind, actor).is_some() {
        return Err(rules::actor_taken(kind.name(), actor));
    }
    if store::set_actor(session, ledger.id, kind, name, actor) {
        return Ok(true);
    }
    // Another session has given them another actor while this one waited.
    let meanwhile = actor_of(session, ledger, kind, name);
    rules::check_same(kind.name(), name, &[("actor", meanwhile.is_some())])?;
    Err(rules::made_elsewhere(&format!("the actor of {}", kind.name()), name))
}

/// What a transaction that sees an old state runs into: the actor was given to somebody since it began.
pub fn refused(refusal: &Refusal) -> Option<LedgerError> {
    let is_actor = ["members_actor", "guardians_actor"].iter().any(|name| refusal.message.contains(name));
    (refusal.sqlstate == UNIQUE_VIOLATION && is_actor).then(rules::actor_taken_meanwhile)
}

fn actor_of(session: &Session, ledger: &Ledger, kind: Kind, name: &str) -> Option<String> {
    match kind {
        Kind::Member => super::store::member(session, ledger.id, name)?.actor,
        _ => super::store::guardian(session, ledger.id, name)?.actor,
    }
}

fn announce(session: &Session, ledger: &Ledger, topic: &str, wanted: &Wanted, acting: &str) {
    let payload = json!({
        "of": wanted.actor, "role": wanted.role.name(), "scope": wanted.scope, "actor": acting,
        "for": ["organisation"],
    });
    event::write(session, ledger, topic, wanted.actor, payload);
}
