//! What an account is, and what it lets through.

use crate::error::{Code, LedgerError, Result, invalid};
use crate::money;
use rust_decimal::Decimal;

/// The five types of double-entry bookkeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Asset = 1,
    Liability = 2,
    Equity = 3,
    Revenue = 4,
    Expense = 5,
}

const TYPES: [(Type, &str); 5] = [
    (Type::Asset, "asset"),
    (Type::Liability, "liability"),
    (Type::Equity, "equity"),
    (Type::Revenue, "revenue"),
    (Type::Expense, "expense"),
];

impl Type {
    pub fn from_id(id: i16) -> Self {
        TYPES[usize::try_from(id - 1).expect("a type id")].0
    }

    pub fn from_name(name: &str) -> Result<Self> {
        TYPES.iter().find(|(_, known)| *known == name).map(|(found, _)| *found).ok_or_else(|| {
            invalid("type", "be asset, liability, equity, revenue or expense").with("value", name)
        })
    }

    pub fn name(self) -> &'static str {
        TYPES[self as usize - 1].1
    }

    /// The side on which the balance grows.
    pub fn normal_side(self) -> Side {
        match self {
            Type::Asset | Type::Expense => Side::Debit,
            Type::Liability | Type::Equity | Type::Revenue => Side::Credit,
        }
    }
}

/// Which side of a transfer an account is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Debit,
    Credit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open = 1,
    Frozen = 2,
    Closed = 3,
}

impl State {
    pub fn from_id(id: i16) -> Self {
        match id {
            1 => State::Open,
            2 => State::Frozen,
            _ => State::Closed,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Frozen => "frozen",
            State::Closed => "closed",
        }
    }
}

/// One balance: an account's row, or one stripe of a striped account. Amounts are on the normal side
/// and have the currency's scale.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: i64,
    pub address: String,
    pub stripe_count: i16,
    pub account_type: Type,
    pub state: State,
    pub currency: String,
    pub scale: u32,
    pub posted: Decimal,
    pub held: Decimal,
    pub minimum: Option<Decimal>,
    pub maximum: Option<Decimal>,
    pub version: i64,
    pub last_posted_at: i64,
    /// The counter of an account that spending limits look at; `limit` knows its form.
    pub spending: Option<String>,
}

impl Account {
    pub fn available(&self) -> Decimal {
        money::subtract(self.posted, self.held).expect("held is at most what was available")
    }

    /// Whether a posting on this side makes the balance smaller.
    pub fn decreases(&self, side: Side) -> bool {
        self.account_type.normal_side() != side
    }

    /// Money that may still leave without passing the floor; `None` without a floor.
    pub fn spendable(&self) -> Option<Decimal> {
        self.minimum.and_then(|minimum| money::subtract(self.available(), minimum))
    }

    /// A closed or frozen account takes part in nothing.
    pub fn check_open(&self) -> Result<()> {
        let code = match self.state {
            State::Open => return Ok(()),
            State::Frozen => Code::AccountFrozen,
            State::Closed => Code::AccountClosed,
        };
        Err(LedgerError::new(code, format!("account {} is {}", self.address, self.state.name()))
            .with("account", &self.address))
    }

    /// The balance after `amount` is posted on `side`, if the bounds allow it.
    pub fn after(&self, side: Side, amount: Decimal) -> Result<Decimal> {
        if self.decreases(side) {
            let balance =
                money::subtract(self.posted, amount).ok_or_else(|| money::out_of_range("balance"))?;
            let left = money::subtract(balance, self.held).ok_or_else(|| money::out_of_range("balance"))?;
            if self.minimum.is_some_and(|minimum| left < minimum) {
                return Err(self.insufficient(amount, self.available()));
            }
            return Ok(balance);
        }
        let balance = money::add(self.posted, amount).ok_or_else(|| money::out_of_range("balance"))?;
        let left = money::subtract(balance, self.held).ok_or_else(|| money::out_of_range("balance"))?;
        if let Some(maximum) = self.maximum.filter(|maximum| left > *maximum) {
            return Err(LedgerError::new(
                Code::BalanceLimitExceeded,
                format!("account {} may have {maximum} at most and would have {left}", self.address),
            )
            .with("account", &self.address)
            .with("available", self.available())
            .with("amount", amount)
            .with("maximum_balance", maximum)
            .with("currency", &self.currency));
        }
        Ok(balance)
    }

    /// The refusal to let `amount` out, with the numbers that a caller shows to its user.
    pub fn insufficient(&self, amount: Decimal, available: Decimal) -> LedgerError {
        let minimum = self.minimum.unwrap_or_default();
        LedgerError::new(
            Code::InsufficientFunds,
            format!("account {} has {available} available and needs {amount}", self.address),
        )
        .with("account", &self.address)
        .with("available", available)
        .with("required", amount)
        .with("minimum_balance", minimum)
        .with("shortfall", amount + minimum - available)
        .with("currency", &self.currency)
    }
}

/// Checks the bounds of a new account against each other.
pub fn check_bounds(minimum: Option<Decimal>, maximum: Option<Decimal>, stripes: i16) -> Result<()> {
    if let (Some(minimum), Some(maximum)) = (minimum, maximum)
        && minimum > maximum
    {
        return Err(invalid("maximum_balance", "not be below minimum_balance"));
    }
    if minimum.is_some_and(|minimum| minimum > Decimal::ZERO) {
        return Err(invalid("minimum_balance", "be zero or negative: a new account starts at zero"));
    }
    if maximum.is_some_and(|maximum| maximum < Decimal::ZERO) {
        return Err(invalid("maximum_balance", "not be negative: a new account starts at zero"));
    }
    if !(1..=256).contains(&stripes) {
        return Err(invalid("stripes", "be between 1 and 256"));
    }
    if stripes > 1 && maximum.is_some() {
        return Err(invalid(
            "maximum_balance",
            "be null for a striped account: a ceiling needs one row to watch",
        ));
    }
    Ok(())
}

/// The refusal of an account that serves a bank account, and that mutations alone move.
pub fn bank_accounts_own(argument: &str, account: &str) -> LedgerError {
    invalid(argument, "not be one of a bank account's own accounts").with("account", account)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn account(account_type: Type, posted: i64, minimum: Option<i64>, maximum: Option<i64>) -> Account {
        Account {
            id: 1,
            address: "a".to_owned(),
            stripe_count: 1,
            account_type,
            state: State::Open,
            currency: "IDR".to_owned(),
            scale: 2,
            posted: Decimal::new(posted, 2),
            held: Decimal::new(0, 2),
            minimum: minimum.map(|value| Decimal::new(value, 2)),
            maximum: maximum.map(|value| Decimal::new(value, 2)),
            version: 0,
            last_posted_at: 0,
            spending: None,
        }
    }

    #[test]
    fn the_normal_side_decides_which_way_money_goes() {
        let wallet = account(Type::Liability, 100, Some(0), None);
        assert_eq!(wallet.after(Side::Debit, Decimal::new(100, 2)).unwrap(), Decimal::new(0, 2));
        assert_eq!(wallet.after(Side::Credit, Decimal::new(5, 2)).unwrap(), Decimal::new(105, 2));
        let bank = account(Type::Asset, 100, Some(0), None);
        assert_eq!(bank.after(Side::Debit, Decimal::new(5, 2)).unwrap(), Decimal::new(105, 2));
        assert_eq!(bank.after(Side::Credit, Decimal::new(101, 2)).unwrap_err().code, Code::InsufficientFunds);
    }

    #[test]
    fn floors_and_ceilings_look_at_the_available_balance() {
        let mut wallet = account(Type::Liability, 100, Some(-50), Some(120));
        wallet.held = Decimal::new(60, 2);
        assert!(wallet.after(Side::Debit, Decimal::new(90, 2)).is_ok());
        let refused = wallet.after(Side::Debit, Decimal::new(91, 2)).unwrap_err();
        assert_eq!(refused.detail()["shortfall"], "0.01");
        assert!(wallet.after(Side::Credit, Decimal::new(80, 2)).is_ok());
        assert_eq!(
            wallet.after(Side::Credit, Decimal::new(81, 2)).unwrap_err().code,
            Code::BalanceLimitExceeded
        );
    }

    #[test]
    fn without_a_floor_a_balance_may_be_negative() {
        let clearing = account(Type::Liability, 0, None, None);
        assert_eq!(clearing.after(Side::Debit, Decimal::new(7, 2)).unwrap(), Decimal::new(-7, 2));
    }

    #[test]
    fn bounds_of_a_new_account_must_admit_zero() {
        let of = |value| Some(Decimal::new(value, 2));
        assert!(check_bounds(of(0), of(10), 1).is_ok());
        assert!(check_bounds(of(1), None, 1).is_err());
        assert!(check_bounds(None, of(-1), 1).is_err());
        assert!(check_bounds(None, None, 0).is_err() && check_bounds(None, None, 257).is_err());
        assert!(check_bounds(None, of(10), 2).is_err());
    }
}
