//! One line of an escrow as it was asked for: nothing is decided about it yet.

use crate::address;
use crate::error::{Code, LedgerError, Result, invalid, missing};
use crate::json::Field;
use crate::money::{self, Number};
use crate::rate::rules::check_name;
use rust_decimal::Decimal;

/// The keys that a line may have.
pub const FIELDS: [&str; 4] = ["beneficiary", "amount", "fee", "description"];
/// Most lines of one escrow.
pub const LINES_MAX: usize = 1_000;
const DESCRIPTION_BYTES_MAX: usize = 2_000;
/// What an escrow's account is called: this and the reference.
pub const ACCOUNT_PREFIX: &str = "escrows:";

#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    pub beneficiary: Option<&'a str>,
    pub amount: Option<Number>,
    pub fee: Option<&'a str>,
    pub description: Option<&'a str>,
}

/// A line that has the right form.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked<'a> {
    pub beneficiary: &'a str,
    pub amount: Decimal,
    /// The name of a rate.
    pub fee: Option<&'a str>,
    pub description: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// Takes over one key of a JSON line. NULL means absent.
    pub fn set(&mut self, key: &'a str, field: Field<'a>) -> Result<()> {
        match key {
            "beneficiary" => self.beneficiary = field.into_text(key)?,
            "amount" => self.amount = field.into_number(key)?,
            "fee" => self.fee = field.into_text(key)?,
            "description" => self.description = field.into_text(key)?,
            _ => {
                return Err(LedgerError::new(Code::UnknownField, format!("unknown key \"{key}\""))
                    .with("field", key)
                    .with("known_fields", FIELDS.join(", ")));
            }
        }
        Ok(())
    }

    /// Checks what can be judged without the books.
    pub fn check(&self, buyer: &str) -> Result<Checked<'a>> {
        let beneficiary = self.beneficiary.ok_or_else(|| missing("beneficiary"))?;
        let beneficiary = address::checked(beneficiary, "beneficiary")?;
        let amount = money::positive(self.amount.ok_or_else(|| missing("amount"))?, "amount")?;
        if beneficiary == buyer {
            return Err(LedgerError::new(Code::SameAccount, format!("{buyer} is buyer and beneficiary"))
                .with("account", buyer));
        }
        let fee = self.fee.map(check_name).transpose()?;
        if self.description.is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
            return Err(invalid("description", "have at most 2000 bytes"));
        }
        Ok(Checked { beneficiary, amount, fee, description: self.description })
    }
}

/// How many lines there may be.
pub fn check_count(count: usize) -> Result<()> {
    if count == 0 {
        return Err(invalid("lines", "have at least one line"));
    }
    if count > LINES_MAX {
        return Err(LedgerError::new(Code::TooManyItems, format!("{count} lines are more than {LINES_MAX}"))
            .with_count("count", count as i64)
            .with_count("max_count", LINES_MAX as i64));
    }
    Ok(())
}

/// The address of an escrow's account. Its reference is a segment of it.
pub fn account(reference: &str) -> Result<String> {
    let well_formed = !reference.is_empty()
        && reference.len() <= 120
        && reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if well_formed {
        return Ok(format!("{ACCOUNT_PREFIX}{reference}"));
    }
    Err(invalid("reference", "be 1 to 120 characters of A-Z a-z 0-9 _ . -").with("value", reference))
}

/// What the lines add up to, which is what the buyer pays. All have the currency's scale.
pub fn total(amounts: impl Iterator<Item = Decimal>, paid: Option<Decimal>, scale: u32) -> Result<Decimal> {
    let mut total = money::zero(scale);
    for amount in amounts {
        total = money::add(total, amount).ok_or_else(|| money::out_of_range("lines"))?;
    }
    match paid {
        Some(paid) if paid != total => Err(LedgerError::new(
            Code::LinesMismatch,
            format!("the lines add up to {total}, not to the {paid} that the buyer pays"),
        )
        .with("total", total)
        .with("amount", paid)),
        _ => Ok(total),
    }
}
