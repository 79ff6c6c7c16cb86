//! The lines of a purchase: how they are asked for, and what they cost.

use crate::error::{Code, LedgerError, Result, invalid, missing};
use crate::form;
use crate::json::Field;
use crate::money::{self, Number};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Most lines of one purchase.
pub const LINES_MAX: usize = 200;
/// Longest name that a till gives an item, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Longest name of an item in the catalogue, in bytes: a segment of an address.
const ITEM_BYTES_MAX: usize = 64;
/// Most decimals that a quantity has where the catalogue does not know the item: thousandths.
const QUANTITY_SCALE_MAX: u32 = 3;

/// The keys of a line in `purchase()`.
pub const FIELDS: &[&str] = &["item", "quantity"];
/// The keys of a line that a till brings: the price was its own.
pub const TILL_FIELDS: &[&str] = &["item", "quantity", "unit_price", "name", "category"];

/// A line as it was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted<'a> {
    pub item: Option<&'a str>,
    pub quantity: Option<Number>,
    pub unit_price: Option<Number>,
    pub name: Option<&'a str>,
    pub category: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// Takes over one key. NULL means absent.
    pub fn set(&mut self, key: &'a str, field: Field<'a>, known: &[&str]) -> Result<()> {
        if !known.contains(&key) {
            return Err(LedgerError::new(Code::UnknownField, format!("unknown key \"{key}\""))
                .with("field", key)
                .with("known_fields", known.join(", ")));
        }
        match key {
            "item" => self.item = field.into_text(key)?,
            "quantity" => self.quantity = field.into_number(key)?,
            "unit_price" => self.unit_price = field.into_number(key)?,
            "name" => self.name = field.into_text(key)?,
            _ => self.category = field.into_text(key)?,
        }
        Ok(())
    }

    /// Checks what can be judged without the catalogue; returns the item's name.
    pub fn check(&self) -> Result<&'a str> {
        let item = self.item.ok_or_else(|| missing("item"))?;
        let well_formed = (1..=ITEM_BYTES_MAX).contains(&item.len())
            && item.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if !well_formed {
            return Err(invalid("item", "be 1 to 64 characters of A-Z a-z 0-9 _ . -").with("value", item));
        }
        form::label(self.name, "name", NAME_BYTES_MAX)?;
        self.category.map(|category| form::word(category, "category", "food")).transpose()?;
        self.quantity.map(|quantity| money::positive(quantity, "quantity")).transpose()?;
        self.unit_price.map(|price| money::positive(price, "unit_price")).transpose()?;
        Ok(item)
    }
}

/// How many lines there may be.
pub fn check_count(count: usize) -> Result<()> {
    match count {
        0 => Err(invalid("items", &format!("have 1 to {LINES_MAX} lines"))),
        1..=LINES_MAX => Ok(()),
        _ => Err(LedgerError::new(Code::TooManyItems, format!("{count} lines are more than {LINES_MAX}"))
            .with_count("count", count as i64)
            .with_count("max_count", LINES_MAX as i64)),
    }
}

/// What the catalogue says about an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub is_active: bool,
    pub quantity_scale: u32,
    pub price: Decimal,
    pub name: Option<String>,
    pub category: Option<String>,
}

/// The currency that prices are in.
#[derive(Clone, Copy, Debug)]
pub struct Money<'a> {
    pub currency: &'a str,
    pub scale: u32,
}

/// A line with its price.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub item: String,
    pub name: Option<String>,
    pub category: Option<String>,
    pub quantity_scale: u32,
    pub quantity: Decimal,
    pub unit_price: Decimal,
    pub amount: Decimal,
}

/// Prices a line of `purchase()`: at what the catalogue says now.
pub fn price(wanted: &Wanted, item: Option<&Item>, money: Money) -> Result<Line> {
    let name = wanted.check()?;
    let Some(item) = item else {
        return Err(
            LedgerError::new(Code::ItemNotFound, format!("there is no item {name}")).with("item", name)
        );
    };
    if !item.is_active {
        return Err(inactive("item", name));
    }
    line(wanted, name, Some(item), item.price, money)
}

/// Prices a line that was sold already: at the till's price of the moment, else the catalogue's. An item that the
/// catalogue does not know, or not any more, was sold all the same.
pub fn price_sold(wanted: &Wanted, item: Option<&Item>, money: Money) -> Result<Line> {
    let name = wanted.check()?;
    let unit_price = match (wanted.unit_price, item) {
        (Some(price), _) => {
            let price = money::positive(price, "unit_price")?;
            money::to_scale(price, money.scale, money.currency, "unit_price")?
        }
        (None, Some(item)) => item.price,
        (None, None) => {
            return Err(LedgerError::new(
                Code::ItemNotFound,
                format!("there is no item {name}, and the till says no price"),
            )
            .with("item", name));
        }
    };
    line(wanted, name, item, unit_price, money)
}

fn line(wanted: &Wanted, name: &str, item: Option<&Item>, unit_price: Decimal, money: Money) -> Result<Line> {
    let quantity = wanted.quantity.unwrap_or(Number::Finite(Decimal::ONE));
    let quantity = money::positive(quantity, "quantity")?.normalize();
    let scale = item.map_or(QUANTITY_SCALE_MAX, |item| item.quantity_scale);
    if quantity.scale() > scale {
        let said = format!("quantity {quantity} of {name} has more than {scale} decimals");
        return Err(LedgerError::new(Code::InvalidAmount, said)
            .with("argument", "quantity")
            .with("item", name)
            .with("quantity", quantity)
            .with_count("scale", i64::from(scale))
            .with("reason", "too_many_decimals"));
    }
    let amount = cost(unit_price, quantity, money.scale).ok_or_else(|| money::out_of_range("amount"))?;
    if amount.is_zero() {
        let said = format!("{quantity} of {name} comes to nothing in {}", money.currency);
        return Err(LedgerError::new(Code::InvalidAmount, said)
            .with("argument", "quantity")
            .with("item", name)
            .with("reason", "zero"));
    }
    let known = |own: Option<&str>, of: fn(&Item) -> &Option<String>| {
        own.map(str::to_owned).or_else(|| item.and_then(|item| of(item).clone()))
    };
    Ok(Line {
        item: name.to_owned(),
        name: known(wanted.name, |item| &item.name),
        category: known(wanted.category, |item| &item.category),
        quantity_scale: scale,
        quantity,
        unit_price,
        amount,
    })
}

/// Price times quantity, exact, then rounded to the currency's decimals; half goes to the even neighbour. `None`
/// where it does not fit.
pub fn cost(unit_price: Decimal, quantity: Decimal, scale: u32) -> Option<Decimal> {
    let product = unit_price.mantissa().checked_mul(quantity.mantissa())?;
    let decimals = unit_price.scale() + quantity.scale();
    let units = match decimals.checked_sub(scale) {
        None => product.checked_mul(10_i128.checked_pow(scale - decimals)?)?,
        Some(surplus) => {
            let divisor = 10_i128.checked_pow(surplus)?;
            let (whole, rest) = (product / divisor, product % divisor);
            // Twice the rest against the divisor, written so that it cannot overflow.
            let above = rest > divisor - rest || rest == divisor - rest && whole % 2 == 1;
            whole + i128::from(above)
        }
    };
    Decimal::try_from_i128_with_scale(units, scale).ok()
}

/// The error that somebody or something takes part in nothing at the moment.
pub fn inactive(party: &str, name: &str) -> LedgerError {
    LedgerError::new(Code::PartyInactive, format!("{party} {name} is inactive"))
        .with("party", party)
        .with("name", name)
}

/// What all lines cost together.
pub fn total(lines: &[Line], scale: u32) -> Result<Decimal> {
    lines
        .iter()
        .try_fold(money::zero(scale), |sum, line| money::add(sum, line.amount))
        .ok_or_else(|| money::out_of_range("total"))
}

/// What is paid by one transfer each: a category with its sum, in order of the names, and first the lines
/// without any. The sums are parts of [`total`], so they fit where it does.
pub fn by_category<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<(Option<&'a str>, Decimal)> {
    let mut sums: BTreeMap<Option<&str>, Decimal> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(line.category.as_deref()).or_insert_with(|| money::zero(line.amount.scale()));
        *sum += line.amount;
    }
    sums.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDR: Money = Money { currency: "IDR", scale: 2 };

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn item(price: &str, quantity_scale: u32) -> Item {
        let price = number(price);
        Item { is_active: true, quantity_scale, price, name: None, category: Some("food".to_owned()) }
    }

    fn wanted(quantity: &str) -> Wanted<'static> {
        Wanted { item: Some("rice"), quantity: Some(Number::Finite(number(quantity))), ..Wanted::default() }
    }

    fn priced(quantity: &str, price_of_one: &str, quantity_scale: u32) -> Result<String> {
        price(&wanted(quantity), Some(&item(price_of_one, quantity_scale)), IDR)
            .map(|line| line.amount.to_string())
    }

    #[test]
    fn a_line_costs_price_times_quantity_rounded_half_to_even() {
        for (quantity, price_of_one, scale, amount) in [
            ("2", "15000", 0, "30000.00"),
            ("2.000", "15000.00", 0, "30000.00"),
            ("0.125", "0.2", 3, "0.02"),
            ("0.125", "0.28", 3, "0.04"),
            ("0.375", "0.04", 3, "0.02"),
            ("0.333", "12500", 3, "4162.50"),
            ("1000000000000", "99999999.99", 0, "99999999990000000000.00"),
        ] {
            assert_eq!(
                priced(quantity, price_of_one, scale).as_deref(),
                Ok(amount),
                "{quantity} × {price_of_one}"
            );
        }
        assert_eq!(cost(number("0.5"), Decimal::ONE, 0), Some(number("0")));
        assert_eq!(cost(number("1.5"), Decimal::ONE, 0), Some(number("2")));
        assert_eq!(cost(number("2.5"), Decimal::ONE, 0), Some(number("2")));
        assert_eq!(
            cost(number("3"), Decimal::ONE, 4).map(|cost| cost.to_string()).as_deref(),
            Some("3.0000")
        );
        assert_eq!(cost(Decimal::MAX, Decimal::MAX, 2), None);
    }

    #[test]
    fn quantities_are_what_the_item_is_sold_in() {
        let code = |quantity: &str, scale| priced(quantity, "100", scale).map_err(|error| error.code);
        for quantity in ["0", "-1", "0.5", "1.0001"] {
            assert_eq!(code(quantity, 0), Err(Code::InvalidAmount), "{quantity}");
        }
        assert_eq!(code("0.0005", 3), Err(Code::InvalidAmount));
        assert_eq!(code("79228162514264337593543950335", 0), Err(Code::AmountOutOfRange));
        assert_eq!(priced("0.001", "0.01", 3).unwrap_err().detail()["reason"], "zero");
        let one = Wanted { quantity: None, ..wanted("1") };
        assert_eq!(price(&one, Some(&item("7", 0)), IDR).unwrap().amount, number("7"));
    }

    #[test]
    fn the_catalogue_decides_the_price_except_of_what_was_sold_already() {
        let till = Wanted {
            unit_price: Some(Number::Finite(number("4000"))),
            name: Some("Rice"),
            category: Some("snack"),
            ..wanted("2")
        };
        let sold = price_sold(&till, Some(&item("5000", 0)), IDR).unwrap();
        assert_eq!((sold.amount, sold.category.as_deref()), (number("8000"), Some("snack")));
        assert!(price_sold(&till, None, IDR).is_ok());
        let inactive = Item { is_active: false, ..item("5000", 0) };
        assert!(price_sold(&wanted("1"), Some(&inactive), IDR).is_ok());
        assert_eq!(price(&wanted("1"), Some(&inactive), IDR).unwrap_err().code, Code::PartyInactive);
        assert_eq!(price(&wanted("1"), None, IDR).unwrap_err().code, Code::ItemNotFound);
        assert_eq!(price_sold(&wanted("1"), None, IDR).unwrap_err().code, Code::ItemNotFound);
        let fine = Wanted { unit_price: Some(Number::Finite(number("0.001"))), ..wanted("1") };
        assert_eq!(price_sold(&fine, None, IDR).unwrap_err().code, Code::InvalidAmount);
    }

    #[test]
    fn unknown_keys_and_wrong_forms_are_named() {
        let mut line = Wanted::default();
        assert_eq!(line.set("price", Field::Text("1"), FIELDS).unwrap_err().code, Code::UnknownField);
        assert_eq!(line.set("unit_price", Field::Text("1"), FIELDS).unwrap_err().code, Code::UnknownField);
        assert!(line.set("unit_price", Field::Text("1"), TILL_FIELDS).is_ok());
        assert_eq!(line.set("item", Field::Bool, FIELDS).unwrap_err().code, Code::InvalidArgument);
        assert_eq!(line.check().unwrap_err().code, Code::MissingArgument);
        for item in ["", "nasi goreng", "💸", &"i".repeat(65)] {
            assert!(Wanted { item: Some(item), ..Wanted::default() }.check().is_err(), "{item:?}");
        }
        assert_eq!(check_count(0).unwrap_err().code, Code::InvalidArgument);
        assert_eq!(check_count(201).unwrap_err().code, Code::TooManyItems);
        assert!(check_count(1).is_ok() && check_count(200).is_ok());
    }

    #[test]
    fn categories_are_paid_one_by_one() {
        let line = |category: Option<&str>, amount: i64| Line {
            item: "x".to_owned(),
            name: None,
            category: category.map(str::to_owned),
            quantity_scale: 0,
            quantity: Decimal::ONE,
            unit_price: Decimal::new(amount, 2),
            amount: Decimal::new(amount, 2),
        };
        let lines = [line(Some("food"), 100), line(None, 5), line(Some("drink"), 30), line(Some("food"), 20)];
        let sums: Vec<(Option<&str>, String)> =
            by_category(&lines).into_iter().map(|(name, sum)| (name, sum.to_string())).collect();
        assert_eq!(
            sums,
            [
                (None, "0.05".to_owned()),
                (Some("drink"), "0.30".to_owned()),
                (Some("food"), "1.20".to_owned())
            ]
        );
        assert_eq!(total(&lines, 2).unwrap().to_string(), "1.55");
        let huge = Line {
            amount: Decimal::try_from_i128_with_scale(Decimal::MAX.mantissa(), 2).unwrap(),
            ..line(None, 1)
        };
        assert_eq!(total(&[huge.clone(), huge], 2).unwrap_err().code, Code::AmountOutOfRange);
    }
}
