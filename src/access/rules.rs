//! Who may do what: the one table, and the functions that read it.
//!
//! [`TABLE`] says for every action which roles may do it. How far a role reaches is the role's own: an
//! administrator's over the whole organisation, a merchant's people over their merchant, a guardian's over the
//! members in their care, a member's over themselves. Nothing else in the crate decides about access, and
//! `role_permissions()` prints exactly this.

use crate::error::{Code, LedgerError, Result, invalid};
use Action::*;
use Role::*;

/// What somebody wants to do. Each is a public function, or a part of one that takes a right of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    CreateMember,
    CreateGuardian,
    LinkGuardian,
    CreateMerchant,
    CreateDevice,
    /// Letting what a till sold offline pass over limits, or lending for it.
    AcceptOverdraft,
    SetItem,
    /// Making members, guardians and merchants active or inactive; a device is its merchant's: `CreateDevice`.
    SetPartyStatus,
    /// Any role but the two below.
    AssignRole,
    RevokeRole,
    AssignCashier,
    RevokeCashier,
    AssignSuperAdministrator,
    RevokeSuperAdministrator,
    SetSpendingLimit,
    /// A limit beside which the organisation's defaults do not count, or the defaults themselves.
    SetDefaultLimit,
    CheckSpendingLimit,
    ViewMember,
    Purchase,
    /// A purchase that counts at another time than now: it is judged by the limits of then.
    DatePurchase,
    RefundPurchase,
    SyncPurchases,
    SetPin,
    EnrolFingerprint,
    CreateQrCode,
    /// By finger or code. A PIN is checked by trusted backends alone.
    RecordAuthentication,
}

/// What it is to be done to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    pub member: Option<&'a str>,
    pub merchant: Option<&'a str>,
}

/// What somebody is. The numbers are those of the domain `wallet_data.role`, and of a guardian and a member,
/// which are no rows of their own: who they are stands in `guardians` and `members`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    SuperAdministrator = 1,
    OrganisationAdministrator = 2,
    TenantAdministrator = 3,
    Cashier = 4,
    Guardian = 5,
    Member = 6,
}

/// What a guardian may be given for a member. Topping up goes through the application: no action asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    View,
    SetLimits,
}

/// How far a role reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Organisation,
    OwnMerchant,
    LinkedMember,
    Oneself,
}

/// A line of the table.
pub struct Rule {
    pub action: Action,
    pub name: &'static str,
    pub roles: &'static [Role],
    /// What a guardian needs for it beside the link; of no meaning where guardians may not at all.
    pub right: Option<Right>,
}

const fn rule(action: Action, name: &'static str, roles: &'static [Role]) -> Rule {
    Rule { action, name, roles, right: None }
}

const fn with_right(action: Action, name: &'static str, roles: &'static [Role], right: Right) -> Rule {
    Rule { action, name, roles, right: Some(right) }
}

/// Who may do what. The position equals the action's value.
///
/// Decided here: a member buys with the own wallet wherever they like, because the own app does so; a code to
/// be shown at a till is made by who stands there, so not by guardians; what is refunded is the merchant's
/// administrator's to say, not the cashier's; nobody but an administrator says whose finger it is; and what a till
/// sold past limits and balance is money that the organisation lends, so no merchant says that it is taken.
#[rustfmt::skip]
pub static TABLE: &[Rule] = &[
    rule(CreateMember, "create_member", &[SuperAdministrator, OrganisationAdministrator]),
    rule(CreateGuardian, "create_guardian", &[SuperAdministrator, OrganisationAdministrator]),
    rule(LinkGuardian, "link_guardian", &[SuperAdministrator, OrganisationAdministrator]),
    rule(CreateMerchant, "create_merchant", &[SuperAdministrator, OrganisationAdministrator]),
    rule(CreateDevice, "create_device", &[SuperAdministrator, OrganisationAdministrator, TenantAdministrator]),
    rule(AcceptOverdraft, "accept_overdraft", &[SuperAdministrator, OrganisationAdministrator]),
    rule(SetItem, "set_item", &[SuperAdministrator, OrganisationAdministrator, TenantAdministrator]),
    rule(SetPartyStatus, "set_party_status", &[SuperAdministrator, OrganisationAdministrator]),
    rule(AssignRole, "assign_role", &[SuperAdministrator, OrganisationAdministrator]),
    rule(RevokeRole, "revoke_role", &[SuperAdministrator, OrganisationAdministrator]),
    rule(AssignCashier, "assign_cashier", &[SuperAdministrator, OrganisationAdministrator, TenantAdministrator]),
    rule(RevokeCashier, "revoke_cashier", &[SuperAdministrator, OrganisationAdministrator, TenantAdministrator]),
    rule(AssignSuperAdministrator, "assign_super_administrator", &[SuperAdministrator]),
    rule(RevokeSuperAdministrator, "revoke_super_administrator", &[SuperAdministrator]),
    with_right(SetSpendingLimit, "set_spending_limit", &[SuperAdministrator, OrganisationAdministrator, Guardian], Right::SetLimits),
    rule(SetDefaultLimit, "set_default_limit", &[SuperAdministrator, OrganisationAdministrator]),
    with_right(CheckSpendingLimit, "check_spending_limit", &[SuperAdministrator, OrganisationAdministrator, TenantAdministrator, Cashier, Guardian, Member], Right::View),
    with_right(ViewMember, "view_member", &[SuperAdministrator, OrganisationAdministrator, Guardian, Member], Right::View),
    rule(Purchase, "purchase", &[SuperAdministrator, OrganisationAdministrator, TenantAdministrator, Cashier, Member]),
    rule(DatePurchase, "date_purchase", &[SuperAdministrator, OrganisationAdministrator]),
    rule(RefundPurchase, "refund_purchase", &[SuperAdministrator, OrganisationAdministrator, TenantAdministrator]),
    rule(SyncPurchases, "sync_purchases", &[SuperAdministrator, OrganisationAdministrator, TenantAdministrator, Cashier]),
    with_right(SetPin, "set_pin", &[SuperAdministrator, OrganisationAdministrator, Guardian, Member], Right::SetLimits),
    rule(EnrolFingerprint, "enrol_fingerprint", &[SuperAdministrator, OrganisationAdministrator]),
    rule(CreateQrCode, "create_qr_code", &[SuperAdministrator, OrganisationAdministrator, Member]),
    rule(RecordAuthentication, "record_authentication", &[SuperAdministrator, OrganisationAdministrator, TenantAdministrator, Cashier]),
];

impl Action {
    pub fn rule(self) -> &'static Rule {
        &TABLE[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.rule().name
    }
}

impl Role {
    pub const ALL: [Role; 6] =
        [SuperAdministrator, OrganisationAdministrator, TenantAdministrator, Cashier, Guardian, Member];

    pub fn from_id(id: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|role| *role as i16 == id)
    }

    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|role| role.name()).collect();
            invalid("role", &format!("be one of {}", names.join(", "))).with("value", name)
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            SuperAdministrator => "super_administrator",
            OrganisationAdministrator => "organisation_administrator",
            TenantAdministrator => "tenant_administrator",
            Cashier => "cashier",
            Guardian => "guardian",
            Member => "member",
        }
    }

    pub fn reach(self) -> Reach {
        match self {
            SuperAdministrator | OrganisationAdministrator => Reach::Organisation,
            TenantAdministrator | Cashier => Reach::OwnMerchant,
            Guardian => Reach::LinkedMember,
            Member => Reach::Oneself,
        }
    }

    /// The action that giving this role is.
    pub fn assigning(self) -> Action {
        match self {
            SuperAdministrator => AssignSuperAdministrator,
            Cashier => AssignCashier,
            _ => AssignRole,
        }
    }

    /// The action that taking this role away is.
    pub fn revoking(self) -> Action {
        match self {
            SuperAdministrator => RevokeSuperAdministrator,
            Cashier => RevokeCashier,
            _ => RevokeRole,
        }
    }

    /// What giving or taking this role with this scope is done to.
    pub fn target(self, scope: Option<&str>) -> Target<'_> {
        match self.reach() {
            Reach::OwnMerchant => Target { member: None, merchant: scope },
            Reach::Oneself => Target { member: scope, merchant: None },
            Reach::Organisation | Reach::LinkedMember => Target::default(),
        }
    }
}

impl Right {
    pub fn name(self) -> &'static str {
        match self {
            Right::View => "may_view",
            Right::SetLimits => "may_set_limits",
        }
    }
}

impl Reach {
    pub fn name(self) -> &'static str {
        match self {
            Reach::Organisation => "organisation",
            Reach::OwnMerchant => "own_merchant",
            Reach::LinkedMember => "linked_member",
            Reach::Oneself => "oneself",
        }
    }
}

/// A role that the acting person has, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub role: Role,
    /// The merchant, the member in one's care, or the member that one is; nothing for the organisation's roles.
    pub scope: String,
    /// Of a guardian: what the link to the member gives.
    pub may_view: bool,
    pub may_set_limits: bool,
}

impl Grant {
    fn gives(&self, right: Right) -> bool {
        match right {
            Right::View => self.may_view,
            Right::SetLimits => self.may_set_limits,
        }
    }

    fn allows(&self, action: Action, target: Target) -> bool {
        let rule = action.rule();
        rule.roles.contains(&self.role)
            && match self.role.reach() {
                Reach::Organisation => true,
                Reach::OwnMerchant => target.merchant == Some(self.scope.as_str()),
                Reach::LinkedMember => {
                    target.member == Some(self.scope.as_str())
                        && rule.right.is_some_and(|right| self.gives(right))
                }
                Reach::Oneself => target.member == Some(self.scope.as_str()),
            }
    }
}

/// Does any of these roles allow it?
pub fn allows(grants: &[Grant], action: Action, target: Target) -> bool {
    grants.iter().any(|grant| grant.allows(action, target))
}

/// The refusal. It names who and what, and nothing of the target: not even whether there is one.
pub fn refusal(actor: &str, action: Action) -> LedgerError {
    let name = action.name();
    LedgerError::new(Code::NotAllowed, format!("{actor} may not {} here", name.replace('_', " ")))
        .with("actor", actor)
        .with("action", name)
}

/// The refusal of what only a trusted backend may ask, whoever acts.
pub fn backend_only(actor: &str, function: &str) -> LedgerError {
    let said = format!("{function} checks a PIN for trusted backends only, not for {actor}");
    LedgerError::new(Code::NotAllowed, said)
        .with("actor", actor)
        .with("action", function)
        .with("reason", "backend_only")
}

/// Nobody makes themselves a super administrator, and nobody takes a role away from themselves: the last
/// administrator would lock the organisation out, and a stolen session would make itself the owner.
pub fn check_not_oneself(actor: &str, of: &str, action: Action) -> Result<()> {
    let is_bound =
        matches!(action, AssignSuperAdministrator | RevokeSuperAdministrator | RevokeCashier | RevokeRole);
    if is_bound && actor == of { Err(refusal(actor, action)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
