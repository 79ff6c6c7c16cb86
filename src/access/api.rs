//! SQL face of the table of permissions.

use super::rules::{Reach, TABLE};
use pgrx::prelude::*;

/// What each role may do: one row per action and role, exactly as the code decides.
///
/// `reach` says where: `organisation` (everywhere), `own_merchant`, `linked_member` (members in a guardian's
/// care, with the `link_right` that is named) or `oneself`. What has no row is not allowed.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::type_complexity)]
fn role_permissions() -> TableIterator<
    'static,
    (
        name!(action, &'static str),
        name!(role, &'static str),
        name!(reach, &'static str),
        name!(link_right, Option<&'static str>),
    ),
> {
    TableIterator::new(TABLE.iter().flat_map(|rule| {
        rule.roles.iter().map(|role| {
            let reach = role.reach();
            let right = rule.right.filter(|_| reach == Reach::LinkedMember);
            (rule.action.name(), role.name(), reach.name(), right.map(|right| right.name()))
        })
    }))
}
