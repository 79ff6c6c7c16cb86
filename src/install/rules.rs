//! Who may install.

use crate::error::{Code, LedgerError, Result};

/// What the role that calls install() can do.
pub struct Caller {
    pub name: String,
    /// The value of the setting `role`, to go back to.
    pub role: String,
    pub is_superuser: bool,
    pub can_create_roles: bool,
    pub owns_database: bool,
    pub is_owner_member: bool,
    pub roles_exist: bool,
    pub owner_can_create: bool,
}

/// A superuser may, and a role with CREATEROLE that owns the database; anyone else is told what lacks.
pub fn check_caller(caller: &Caller) -> Result<()> {
    if caller.is_superuser {
        return Ok(());
    }
    let mut lacks = Vec::new();
    if !(caller.can_create_roles || caller.roles_exist && caller.is_owner_member) {
        lacks.push("CREATEROLE, or membership in wallet_owner");
    }
    if !caller.owns_database && !caller.owner_can_create {
        lacks.push("ownership of the database, or CREATE on it for wallet_owner");
    }
    if lacks.is_empty() {
        return Ok(());
    }
    Err(LedgerError::new(
        Code::PrivilegeMissing,
        format!("role {} cannot install: it lacks {}", caller.name, lacks.join(" and ")),
    )
    .with("role", &caller.name)
    .with("lacks", lacks.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_named() {
        let mut caller = Caller {
            name: "app".to_owned(),
            role: "none".to_owned(),
            is_superuser: false,
            can_create_roles: false,
            owns_database: false,
            is_owner_member: false,
            roles_exist: true,
            owner_can_create: false,
        };
        let error = check_caller(&caller).unwrap_err();
        assert!(error.message.contains("CREATEROLE") && error.message.contains("database"));
        caller.can_create_roles = true;
        caller.owns_database = true;
        assert!(check_caller(&caller).is_ok());
        caller.is_superuser = true;
        caller.owns_database = false;
        assert!(check_caller(&caller).is_ok());
    }
}
