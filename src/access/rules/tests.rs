use super::*;

/// Every role as a grant: with scope `a`, and a guardian with each pair of rights.
fn every_grant() -> Vec<Grant> {
    let plain = |role: Role| {
        let scope = if role.reach() == Reach::Organisation { "" } else { "a" };
        Grant { role, scope: scope.to_owned(), may_view: false, may_set_limits: false }
    };
    let mut grants: Vec<Grant> = Role::ALL.into_iter().map(plain).collect();
    for (may_view, may_set_limits) in [(true, false), (false, true), (true, true)] {
        grants.push(Grant { may_view, may_set_limits, ..plain(Guardian) });
    }
    grants
}

fn every_target() -> Vec<Target<'static>> {
    let names = [None, Some("a"), Some("b"), Some("")];
    let pairs =
        names.into_iter().flat_map(|member| names.into_iter().map(move |merchant| (member, merchant)));
    pairs.map(|(member, merchant)| Target { member, merchant }).collect()
}

/// The table once more, as a person would say it: who may, in which sense.
fn as_said(grant: &Grant, action: Action, target: Target) -> bool {
    let at_own_merchant = target.merchant == Some("a");
    let of_own = target.member == Some("a");
    match grant.role {
        SuperAdministrator => true,
        OrganisationAdministrator => !matches!(action, AssignSuperAdministrator | RevokeSuperAdministrator),
        TenantAdministrator => {
            at_own_merchant
                && matches!(
                    action,
                    CreateDevice
                        | SetItem
                        | AssignCashier
                        | RevokeCashier
                        | Purchase
                        | RefundPurchase
                        | SyncPurchases
                        | RecordAuthentication
                        | CheckSpendingLimit
                )
        }
        Cashier => {
            at_own_merchant
                && matches!(action, Purchase | SyncPurchases | RecordAuthentication | CheckSpendingLimit)
        }
        Guardian => {
            of_own
                && (grant.may_view && matches!(action, ViewMember | CheckSpendingLimit)
                    || grant.may_set_limits && matches!(action, SetSpendingLimit | SetPin))
        }
        Member => {
            of_own && matches!(action, ViewMember | CheckSpendingLimit | CreateQrCode | SetPin | Purchase)
        }
    }
}

#[test]
fn the_whole_product_is_decided_as_it_is_said() {
    let (mut count, mut allowed) = (0, 0);
    for grant in every_grant() {
        for rule in TABLE {
            for target in every_target() {
                let is = allows(std::slice::from_ref(&grant), rule.action, target);
                assert_eq!(is, as_said(&grant, rule.action, target), "{grant:?} {} {target:?}", rule.name);
                count += 1;
                allowed += usize::from(is);
            }
        }
    }
    assert_eq!(count, every_grant().len() * TABLE.len() * 16);
    // An organisation's role is bound to no target, so the two of them alone allow this many.
    assert!(allowed > (2 * TABLE.len() - 2) * 16, "{allowed}");
}

#[test]
fn roles_add_up_and_nothing_else_counts() {
    let target = Target { member: Some("a"), merchant: Some("b") };
    let cashier = Grant { role: Cashier, scope: "b".to_owned(), may_view: true, may_set_limits: true };
    let member = Grant { role: Member, scope: "a".to_owned(), ..cashier.clone() };
    for rule in TABLE {
        let each = [&cashier, &member].map(|grant| allows(std::slice::from_ref(grant), rule.action, target));
        assert_eq!(allows(&[cashier.clone(), member.clone()], rule.action, target), each[0] || each[1]);
        assert!(!allows(&[], rule.action, target), "a stranger may {}", rule.name);
        // The merchant's name is not the member's, and the other way round.
        let swapped = Target { member: Some("b"), merchant: Some("a") };
        assert!(!allows(&[cashier.clone(), member.clone()], rule.action, swapped), "{}", rule.name);
    }
}

#[test]
fn the_table_is_indexed_by_the_enum_and_says_everything_once() {
    for (index, rule) in TABLE.iter().enumerate() {
        assert_eq!(rule.action as usize, index, "{} is out of place", rule.name);
        let mut roles: Vec<i16> = rule.roles.iter().map(|role| *role as i16).collect();
        roles.dedup();
        assert_eq!(roles.len(), rule.roles.len(), "{}", rule.name);
        assert!(rule.roles.starts_with(&[SuperAdministrator]), "{}", rule.name);
        assert_eq!(rule.right.is_some(), rule.roles.contains(&Guardian), "{}", rule.name);
    }
    let mut names: Vec<&str> = TABLE.iter().map(|rule| rule.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), TABLE.len());
}

#[test]
fn roles_have_names_and_numbers() {
    for (index, role) in Role::ALL.into_iter().enumerate() {
        assert_eq!(role as usize, index + 1);
        assert_eq!(Role::from_id(role as i16), Some(role));
        assert_eq!(Role::from_name(role.name()), Ok(role));
    }
    assert_eq!((Role::from_id(0), Role::from_id(7)), (None, None));
    assert_eq!(Role::from_name("king").unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn nobody_crowns_or_deposes_themselves() {
    for role in Role::ALL {
        let giving = check_not_oneself("x", "x", role.assigning());
        assert_eq!(giving.is_err(), role == SuperAdministrator, "{}", role.name());
        assert_eq!(check_not_oneself("x", "x", role.revoking()).unwrap_err().code, Code::NotAllowed);
        for action in [role.assigning(), role.revoking()] {
            assert_eq!(check_not_oneself("x", "y", action), Ok(()));
        }
    }
}

#[test]
fn a_refusal_says_nothing_of_the_target() {
    let error = refusal("sub-1", RefundPurchase);
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::NotAllowed, "sub-1 may not refund purchase here")
    );
    let detail = error.detail();
    assert_eq!((&detail["actor"], &detail["action"]), (&"sub-1".into(), &"refund_purchase".into()));
    assert_eq!(detail.as_object().map(serde_json::Map::len), Some(3));
}
