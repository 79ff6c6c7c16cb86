//! What the arguments of a `limit_on_insert()` trigger say, and what a row is about to spend.

use super::column::{Column, Holds, Problem, find, find_all, no_number};
use super::template::{Target, Template, columns_of};
use super::words::Words;
use super::{Row, fill, is_null, key, named};
use crate::error::{LedgerError, Result};
use crate::form::word;
use crate::identification::rules::Method;
use crate::limit::rules::merchant_account;
use crate::money::{self, Number};
use crate::{address, time};
use rust_decimal::Decimal;

/// The arguments, as `check_trigger()` and the messages call them.
pub const ARGUMENTS: &str = "account=, amount= [, merchant=, category=, method=, at=, ledger=]";

const NAMES: [&str; 7] = ["account", "amount", "merchant", "category", "method", "at", "ledger"];

/// A trigger's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Who spends.
    pub account: Template,
    /// The column of what is spent.
    pub amount: String,
    /// Who is paid.
    pub merchant: Option<Template>,
    /// The column of what it is spent on.
    pub category: Option<String>,
    /// The column of how the buyer was identified.
    pub method: Option<String>,
    /// The column of when; without one it is now.
    pub at: Option<String>,
    /// `None`: the session's ledger.
    pub ledger: Option<Template>,
    /// The columns that the templates name, each once.
    pub placeholders: Vec<String>,
}

/// Where the columns of a definition stand among the table's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub amount: usize,
    pub category: Option<usize>,
    pub method: Option<usize>,
    pub at: Option<usize>,
    pub placeholders: Vec<usize>,
}

impl Definition {
    pub fn parse(arguments: &[String]) -> std::result::Result<Self, Problem> {
        let words = Words::of(arguments, &NAMES, ARGUMENTS)?;
        let account = Template::parse(words.need("account")?, Target::Account)?;
        let amount = words.need("amount")?.to_owned();
        let merchant = words.get("merchant").map(merchant).transpose()?;
        let ledger = words.get("ledger").map(|text| Template::parse(text, Target::Ledger)).transpose()?;
        let placeholders =
            columns_of([Some(&account), ledger.as_ref(), merchant.as_ref()].into_iter().flatten());
        let [category, method, at] = ["category", "method", "at"].map(|name| words.owned(name));
        Ok(Self { account, amount, merchant, category, method, at, ledger, placeholders })
    }

    /// Where the columns stand in the table, or everything that does not fit.
    pub fn resolve(&self, columns: &[Column]) -> std::result::Result<Places, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut place =
            |name: &str, role: &str, fits: fn(&Column) -> bool, misfit: fn(&Column) -> Problem| {
                match find(columns, name, role) {
                    Ok(place) if fits(&columns[place]) => return Some(place),
                    Ok(place) => problems.push(misfit(&columns[place])),
                    Err(problem) => problems.push(problem),
                }
                None
            };
        let amount = place(&self.amount, "amount column", Column::can_be_amount, no_number);
        let is_word = |column: &Column| matches!(column.holds, Holds::Text | Holds::Padded | Holds::Enum);
        let category =
            self.category.as_ref().and_then(|name| place(name, "category column", is_word, no_word));
        let method = self.method.as_ref().and_then(|name| place(name, "method column", is_word, no_word));
        let is_moment = |column: &Column| column.holds == Holds::Moment;
        let at = self.at.as_ref().and_then(|name| place(name, "time column", is_moment, no_moment));
        let placeholders = self.placeholders.iter().map(|name| (name.as_str(), "placeholder"));
        let placeholders = find_all(columns, placeholders, &mut problems);
        match amount {
            Some(amount) if problems.is_empty() => Ok(Places { amount, category, method, at, placeholders }),
            _ => Err(problems),
        }
    }
}

/// A column that holds an address or a merchant's name, or a template of an address: what has a colon or a brace
/// is no column.
fn merchant(text: &str) -> std::result::Result<Template, Problem> {
    let is_template = text.contains([':', '{', '}']);
    let source = if is_template { text.to_owned() } else { format!("{{{text}}}") };
    Template::parse(&source, Target::Account)
}

fn no_word(column: &Column) -> Problem {
    misfit(column, "which is no word", "Use a text or an enum column.")
}

fn no_moment(column: &Column) -> Problem {
    let hint = "Use a timestamptz column: without an offset a time is another moment in each session.";
    misfit(column, "which is no timestamp with time zone", hint)
}

fn misfit(column: &Column, why: &str, hint: &str) -> Problem {
    let text = format!("column \"{}\" is of type {}, {why}", column.name, column.type_name);
    Problem { column: Some(column.name.clone()), ..Problem::new(text, hint) }
}

/// The columns of a row that the trigger reads.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub key: Vec<String>,
    /// In the order of [`Definition::placeholders`].
    pub values: Vec<Option<String>>,
    /// `Err`: the column is text and holds no number.
    pub amount: Option<Result<Number>>,
    pub category: Option<String>,
    pub method: Option<String>,
    pub at: Option<i64>,
}

/// What a row is about to spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    pub account: String,
    pub amount: Decimal,
    pub merchant: Option<String>,
    pub category: Option<String>,
    pub method: Option<Method>,
    pub at: Option<i64>,
}

/// Reads a row: its ledger, `None` for the session's, and what it is about to spend.
pub fn spending(definition: &Definition, row: Snapshot, table: &str) -> Result<(Option<String>, Spending)> {
    let key = row_name(&row.key);
    let at_row = Row { key: &key, table };
    let of_row = |error: LedgerError| named(error, &key, table);
    let filled = |template: &Template| fill(template, &definition.placeholders, &row.values, at_row);
    let is_known = |column: &str| {
        let place = definition.placeholders.iter().position(|name| name == column);
        place.is_some_and(|place| row.values.get(place).is_some_and(Option::is_some))
    };
    let ledger = definition.ledger.as_ref().map(filled).transpose()?;
    let account = filled(&definition.account)?;
    address::checked(&account, "account").map_err(of_row)?;
    // Nobody is named where a column of the merchant is NULL.
    let merchant = definition.merchant.as_ref().filter(|template| template.columns().all(is_known));
    let merchant = merchant.map(filled).transpose()?.map(|name| merchant_account(&name));
    if let Some(merchant) = &merchant {
        address::checked(merchant, "merchant").map_err(of_row)?;
    }
    let amount = row.amount.ok_or_else(|| is_null(&definition.amount, &key, table))?;
    let amount = amount.and_then(|amount| money::positive(amount, "amount")).map_err(of_row)?;
    // A category that nothing can be named by would slip through the lists that forbid categories.
    let category = row.category.as_deref().map(|text| word(text, "category", "food").map(str::to_owned));
    let category = category.transpose().map_err(of_row)?;
    let method = row.method.as_deref().map(Method::from_name).transpose().map_err(of_row)?;
    let at = row.at.map(|at| time::finite(at, "at")).transpose().map_err(of_row)?;
    Ok((ledger, Spending { account, amount, merchant, category, method, at }))
}

/// How a row is named that is not there yet.
pub fn row_name(key: &[String]) -> String {
    if key.is_empty() { "(new)".to_owned() } else { key::row_key(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn parse(arguments: &[&str]) -> std::result::Result<Definition, Problem> {
        Definition::parse(&arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    fn columns() -> Vec<Column> {
        [
            ("id", Holds::Integer),
            ("member", Holds::Text),
            ("total", Holds::Numeric),
            ("shop", Holds::Text),
            ("kind", Holds::Enum),
            ("made_at", Holds::Moment),
            ("known_by", Holds::Text),
            ("made_on", Holds::Other),
        ]
        .map(|(name, holds)| Column { name: name.to_owned(), type_name: "some".to_owned(), holds })
        .to_vec()
    }

    const ALL: [&str; 7] = [
        "account=wallets:{member}",
        "amount=total",
        "merchant=merchants:{shop}",
        "category=kind",
        "at=made_at",
        "method=known_by",
        "ledger=main",
    ];

    #[test]
    fn arguments_come_in_any_order_and_most_may_be_left_out() {
        let definition = parse(&ALL).unwrap();
        let places = definition.resolve(&columns()).unwrap();
        assert_eq!(
            places,
            Places { amount: 2, category: Some(4), method: Some(6), at: Some(5), placeholders: vec![1, 3] }
        );
        let mut turned = ALL;
        turned.reverse();
        assert_eq!(parse(&turned), Ok(definition));
        let least = parse(&["account={member}", "amount=total"]).unwrap();
        assert!(least.merchant.is_none() && least.ledger.is_none() && least.resolve(&columns()).is_ok());
        // A plain word is a column that holds the whole address.
        let column = parse(&["account={member}", "amount=total", "merchant=shop"]).unwrap();
        assert_eq!(column.merchant.unwrap().to_string(), "{shop}");
        let constant = parse(&["account={member}", "amount=total", "merchant=merchants:1"]).unwrap();
        assert_eq!(constant.merchant.unwrap().constant(), Some("merchants:1"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (arguments, words) in [
            (&[][..], "'account' is missing"),
            (&["account={member}"], "'amount' is missing"),
            (&["account={member}", "amount"], "not of the form name=value"),
            (&["account={member}", "amount="], "'amount' is empty"),
            (&["account={member}", "amount=a", "amount=b"], "'amount' is named twice"),
            (&["account={member}", "amount=a", "acount=b"], "no argument 'acount'"),
            (&["account=wallets:{member", "amount=a"], "malformed"),
            (&["account={member}", "amount=a", "merchant=shops::{shop}"], "malformed"),
            (&["account={member}", "amount=a", "ledger=a:b"], "no ledger's name"),
        ] {
            let problem = parse(arguments).unwrap_err();
            assert!(problem.text.contains(words) && !problem.hint.is_empty(), "{arguments:?}: {problem:?}");
        }
        for (place, argument, words) in [
            (0, "account=wallets:{membr}", "no column \"membr\" (placeholder)"),
            (1, "amount=totl", "no column \"totl\" (amount column)"),
            (1, "amount=kind", "which is no number"),
            (1, "amount=made_at", "which is no number"),
            (2, "merchant=shp", "no column \"shp\" (placeholder)"),
            (3, "category=knd", "no column \"knd\" (category column)"),
            (3, "category=total", "which is no word"),
            (4, "at=made", "no column \"made\" (time column)"),
            (5, "method=total", "which is no word"),
            (4, "at=made_on", "which is no timestamp with time zone"),
        ] {
            let mut arguments = ALL;
            arguments[place] = argument;
            let problems = parse(&arguments).unwrap().resolve(&columns()).unwrap_err();
            assert!(problems.len() == 1 && problems[0].text.contains(words), "{argument}: {problems:?}");
        }
    }

    fn row() -> Snapshot {
        Snapshot {
            key: vec!["7".to_owned()],
            values: vec![Some("ana".to_owned()), Some("canteen".to_owned())],
            amount: Some(Ok(Number::Finite(Decimal::from(5_000)))),
            category: Some("food".to_owned()),
            method: Some("pin".to_owned()),
            at: Some(42),
        }
    }

    #[test]
    fn a_row_says_what_it_is_about_to_spend() {
        let definition = parse(&ALL).unwrap();
        let (ledger, is) = spending(&definition, row(), "public.orders").unwrap();
        assert_eq!(ledger.as_deref(), Some("main"));
        let expected = Spending {
            account: "wallets:ana".to_owned(),
            amount: Decimal::from(5_000),
            merchant: Some("merchants:canteen".to_owned()),
            category: Some("food".to_owned()),
            method: Some(Method::Pin),
            at: Some(42),
        };
        assert_eq!(is, expected);
        let values = vec![Some("ana".to_owned()), None];
        let less = Snapshot { values, category: None, method: None, at: None, ..row() };
        let (_, is) = spending(&definition, less, "public.orders").unwrap();
        assert_eq!((is.merchant, is.category, is.method, is.at), (None, None, None, None));
    }

    #[test]
    fn what_a_row_may_not_say_is_refused_and_names_it() {
        let definition = parse(&ALL).unwrap();
        let values =
            |member: Option<&str>, shop: &str| vec![member.map(str::to_owned), Some(shop.to_owned())];
        let amount = |number| Some(Ok(number));
        for (row, code) in [
            (Snapshot { values: values(None, "x"), ..row() }, Code::MissingArgument),
            (Snapshot { values: values(Some("a:b"), "x"), ..row() }, Code::InvalidAddress),
            (Snapshot { values: values(Some("a b"), "x"), ..row() }, Code::InvalidAddress),
            (Snapshot { values: values(Some("a"), "x:y"), ..row() }, Code::InvalidAddress),
            (Snapshot { values: values(Some("a"), "💸"), ..row() }, Code::InvalidAddress),
            (Snapshot { amount: None, ..row() }, Code::MissingArgument),
            (Snapshot { amount: amount(Number::Nan), ..row() }, Code::InvalidAmount),
            (Snapshot { amount: amount(Number::Finite(Decimal::ZERO)), ..row() }, Code::InvalidAmount),
            (Snapshot { amount: amount(Number::Finite(-Decimal::ONE)), ..row() }, Code::InvalidAmount),
            (Snapshot { category: Some(String::new()), ..row() }, Code::InvalidArgument),
            (Snapshot { category: Some("Food".to_owned()), ..row() }, Code::InvalidArgument),
            (Snapshot { method: Some("face".to_owned()), ..row() }, Code::InvalidArgument),
            (Snapshot { at: Some(time::INFINITY), ..row() }, Code::InvalidArgument),
        ] {
            let error = spending(&definition, row, "public.orders").unwrap_err();
            assert_eq!(error.code, code, "{error:?}");
            assert!(error.message.starts_with("row 7 of public.orders: "), "{}", error.message);
        }
        assert_eq!(row_name(&[]), "(new)");
    }
}
