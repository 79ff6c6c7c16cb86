//! Account addresses: `users:42`, `orders:100:escrow`, `banks:bca:1234567890`.

use crate::error::{Code, LedgerError, Result};

/// Longest address, in bytes. DESIGN section 2; the column's CHECK says the same.
pub const BYTES_MAX: usize = 128;

/// The address itself when it is well-formed; `name` is the argument it came from.
pub fn checked<'a>(address: &'a str, name: &str) -> Result<&'a str> {
    let segment = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    if address.len() <= BYTES_MAX && address.split(':').all(segment) {
        return Ok(address);
    }
    let shown: String = address.chars().take(BYTES_MAX).collect();
    Err(LedgerError::new(Code::InvalidAddress, format!("{name} \"{shown}\" is not an account address"))
        .with("argument", name)
        .with("account", shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_design_are_accepted() {
        for address in ["users:42", "orders:100:escrow", "a", "A-Z_0.9:x", &"a".repeat(128)] {
            assert_eq!(checked(address, "account"), Ok(address));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = "a".repeat(129);
        for address in ["", ":", "a:", ":a", "a::b", "a b", "a/b", "é", "💸", "a\n", "a\0", &long] {
            assert_eq!(checked(address, "account").unwrap_err().code, Code::InvalidAddress, "{address:?}");
        }
    }
}
