//! What a refund gives back, line by line.

use super::line::cost;
use crate::error::{Code, LedgerError, Result, invalid, missing};
use crate::json::Field;
use crate::money::{self, Number};
use rust_decimal::Decimal;

/// The keys of an item that is given back.
pub const FIELDS: &[&str] = &["line", "quantity"];

/// A line with what has been given back of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sold {
    pub quantity_scale: u32,
    pub quantity: Decimal,
    pub refunded_quantity: Decimal,
    pub unit_price: Decimal,
    pub amount: Decimal,
    pub refunded: Decimal,
}

impl Sold {
    pub fn left(&self) -> Decimal {
        self.amount - self.refunded
    }

    fn quantity_left(&self) -> Decimal {
        self.quantity - self.refunded_quantity
    }
}

/// An item to give back; without a quantity it is all that is left of the line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    pub line: Option<i64>,
    pub quantity: Option<Number>,
}

impl Item {
    /// Takes over one key. NULL means absent.
    pub fn set(&mut self, key: &str, field: Field) -> Result<()> {
        match key {
            "line" => self.line = field.into_integer(key)?,
            "quantity" => self.quantity = field.into_number(key)?,
            _ => {
                return Err(LedgerError::new(Code::UnknownField, format!("unknown key \"{key}\""))
                    .with("field", key)
                    .with("known_fields", FIELDS.join(", ")));
            }
        }
        Ok(())
    }
}

/// How much is to be given back.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    All,
    Items(Vec<Item>),
    Amount(Decimal),
}

/// What one line gives back.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its place among the lines, counted from 0.
    pub place: usize,
    pub quantity: Decimal,
    pub amount: Decimal,
}

/// Divides a refund over the lines. An amount takes what is left of the first line, then of the second, and counts
/// no quantity. A quantity costs what it cost when it was sold, but never more than is left of its line.
pub fn spread(lines: &[Sold], wanted: &Wanted) -> Result<Vec<Part>> {
    let left: Decimal = lines.iter().map(Sold::left).sum();
    if left.is_zero() {
        return Err(exceeds("nothing is left to give back of this purchase".to_owned(), left));
    }
    match wanted {
        Wanted::All => Ok(lines.iter().enumerate().filter_map(|(place, sold)| rest(place, sold)).collect()),
        Wanted::Amount(amount) => by_amount(lines, *amount, left),
        Wanted::Items(items) => by_items(lines, items),
    }
}

/// All that is left of a line, if anything is.
fn rest(place: usize, sold: &Sold) -> Option<Part> {
    let part = Part { place, quantity: sold.quantity_left(), amount: sold.left() };
    (!part.amount.is_zero()).then_some(part)
}

fn by_amount(lines: &[Sold], amount: Decimal, left: Decimal) -> Result<Vec<Part>> {
    if amount > left {
        return Err(exceeds(format!("{amount} is more than the {left} that is left of this purchase"), left)
            .with("amount", amount));
    }
    let (mut parts, mut open) = (Vec::new(), amount);
    for (place, sold) in lines.iter().enumerate() {
        let share = sold.left().min(open);
        if !share.is_zero() {
            parts.push(Part { place, quantity: Decimal::ZERO, amount: share });
            open -= share;
        }
    }
    Ok(parts)
}

fn by_items(lines: &[Sold], items: &[Item]) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let part = by_item(lines, item).map_err(|error| error.at_item(index))?;
        if parts.iter().any(|other| other.place == part.place) {
            return Err(invalid("line", "be named once")
                .with_count("line", part.place as i64 + 1)
                .at_item(index));
        }
        parts.push(part);
    }
    parts.sort_by_key(|part| part.place);
    Ok(parts)
}

fn by_item(lines: &[Sold], item: &Item) -> Result<Part> {
    let number = item.line.ok_or_else(|| missing("line"))?;
    let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let Some((place, sold)) = place.and_then(|place| Some((place, lines.get(place)?))) else {
        return Err(invalid("line", &format!("be between 1 and {}", lines.len())).with_count("value", number));
    };
    let quantity_left = sold.quantity_left();
    let quantity = match item.quantity {
        None => quantity_left,
        Some(quantity) => money::positive(quantity, "quantity")?.normalize(),
    };
    if quantity.scale() > sold.quantity_scale {
        let must = format!("have at most {} decimals", sold.quantity_scale);
        return Err(invalid("quantity", &must).with("value", quantity));
    }
    let whole = quantity == quantity_left;
    let scale = sold.amount.scale();
    let price = if whole { Some(sold.left()) } else { cost(sold.unit_price, quantity, scale) };
    let amount = price.unwrap_or(sold.left()).min(sold.left());
    if quantity > quantity_left || sold.left().is_zero() {
        let said = format!("{quantity_left} of line {number} are left to give back, worth {}", sold.left());
        return Err(exceeds(said, sold.left()).with("quantity_left", quantity_left));
    }
    if amount.is_zero() {
        return Err(invalid("quantity", "come to more than nothing").with("value", quantity));
    }
    Ok(Part { place, quantity, amount })
}

fn exceeds(message: String, left: Decimal) -> LedgerError {
    LedgerError::new(Code::RefundExceedsPayment, message).with("left", left)
}

/// How much of a refund goes to what the member owes: all of it until the debt of this purchase is paid back, but
/// not more than is still owed, should it have been repaid from elsewhere.
pub fn to_overdraft(refund: Decimal, of_purchase: Decimal, owed: Decimal) -> Decimal {
    refund.min(of_purchase).min(owed).max(Decimal::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn sold(quantity: &str, unit_price: &str, amount: &str, back: (&str, &str)) -> Sold {
        Sold {
            quantity_scale: if quantity.contains('.') { 3 } else { 0 },
            quantity: number(quantity),
            refunded_quantity: number(back.0),
            unit_price: number(unit_price),
            amount: number(amount),
            refunded: number(back.1),
        }
    }

    fn item(line: i64, quantity: Option<&str>) -> Item {
        Item { line: Some(line), quantity: quantity.map(|text| Number::Finite(number(text))) }
    }

    /// Line (from 1), quantity and amount of each part.
    fn parts(lines: &[Sold], wanted: Wanted) -> Result<Vec<(usize, String, String)>> {
        let told =
            |part: Part| (part.place + 1, part.quantity.normalize().to_string(), part.amount.to_string());
        Ok(spread(lines, &wanted)?.into_iter().map(told).collect())
    }

    fn told(line: usize, quantity: &str, amount: &str) -> (usize, String, String) {
        (line, quantity.to_owned(), amount.to_owned())
    }

    fn basket() -> [Sold; 3] {
        [
            sold("2", "15000.00", "30000.00", ("1", "15000.00")),
            sold("1", "5000.00", "5000.00", ("0", "0.00")),
            sold("0.333", "10.00", "3.33", ("0", "0.00")),
        ]
    }

    #[test]
    fn all_is_what_is_left_of_every_line() {
        let all = parts(&basket(), Wanted::All).unwrap();
        assert_eq!(all, [told(1, "1", "15000.00"), told(2, "1", "5000.00"), told(3, "0.333", "3.33")]);
        let empty = [sold("1", "1.00", "1.00", ("1", "1.00"))];
        assert_eq!(parts(&empty, Wanted::All).unwrap_err().code, Code::RefundExceedsPayment);
    }

    #[test]
    fn an_amount_is_taken_from_line_after_line() {
        let some = parts(&basket(), Wanted::Amount(number("16000.00"))).unwrap();
        assert_eq!(some, [told(1, "0", "15000.00"), told(2, "0", "1000.00")]);
        assert!(parts(&basket(), Wanted::Amount(number("20003.33"))).is_ok());
        let error = parts(&basket(), Wanted::Amount(number("20003.34"))).unwrap_err();
        assert_eq!(
            (error.code, error.detail()["left"].as_str()),
            (Code::RefundExceedsPayment, Some("20003.33"))
        );
    }

    #[test]
    fn a_quantity_costs_what_it_cost_but_never_more_than_is_left() {
        let of = |items: Vec<Item>| parts(&basket(), Wanted::Items(items));
        assert_eq!(
            of(vec![item(3, Some("0.1")), item(1, None)]).unwrap(),
            [told(1, "1", "15000.00"), told(3, "0.1", "1.00")]
        );
        let reduced = [sold("2", "5000.00", "10000.00", ("0", "8000.00"))];
        let one = Wanted::Items(vec![item(1, Some("1"))]);
        assert_eq!(parts(&reduced, one).unwrap(), [told(1, "1", "2000.00")]);
    }

    #[test]
    fn what_cannot_be_given_back_is_refused_by_position() {
        let code = |items: Vec<Item>| parts(&basket(), Wanted::Items(items)).map_err(|error| error.code);
        for (items, expected) in [
            (vec![item(1, Some("2"))], Code::RefundExceedsPayment),
            (vec![item(0, None)], Code::InvalidArgument),
            (vec![item(-1, None)], Code::InvalidArgument),
            (vec![item(4, None)], Code::InvalidArgument),
            (vec![item(1, Some("0.5"))], Code::InvalidArgument),
            (vec![item(3, Some("0.0001"))], Code::InvalidArgument),
            (vec![item(2, Some("0"))], Code::InvalidAmount),
            (vec![item(2, Some("-1"))], Code::InvalidAmount),
            (vec![item(1, None), item(1, None)], Code::InvalidArgument),
            (vec![Item::default()], Code::MissingArgument),
        ] {
            assert_eq!(code(items.clone()), Err(expected), "{items:?}");
        }
        let error = parts(&basket(), Wanted::Items(vec![item(2, None), item(9, None)])).unwrap_err();
        assert_eq!(error.detail()["position"], 2);
        assert_eq!(Item::default().set("lines", Field::Null).unwrap_err().code, Code::UnknownField);
    }

    #[test]
    fn debts_are_paid_back_first() {
        let part = |refund: &str, of_purchase: &str, owed: &str| {
            to_overdraft(number(refund), number(of_purchase), number(owed)).to_string()
        };
        assert_eq!(part("10", "6", "6"), "6");
        assert_eq!(part("4", "6", "6"), "4");
        assert_eq!(part("10", "6", "2"), "2");
        assert_eq!(part("10", "0", "9"), "0");
    }
}
