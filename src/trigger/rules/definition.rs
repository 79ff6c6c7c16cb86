//! What the arguments of a trigger say, and whether they fit the table.

use crate::address;
use std::fmt;

/// The arguments, in their order, as `check_trigger()` and the messages call them.
pub const ARGUMENTS: &str = "status column, posting value, debit template, credit template, amount column, \
     kind [, reversing value [, ledger template]]";

/// Something about a trigger that does not work, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub text: String,
    pub hint: String,
    /// The column that it is about.
    pub column: Option<String>,
}

impl Problem {
    pub fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { text: text.into(), hint: hint.into(), column: None }
    }
}

/// A trigger's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub status: String,
    pub posts_at: String,
    pub reverses_at: Option<String>,
    pub debit: Template,
    pub credit: Template,
    pub amount: String,
    pub kind: String,
    /// `None`: the session's ledger.
    pub ledger: Option<Template>,
    /// The columns that the templates name, each once.
    pub placeholders: Vec<String>,
}

impl Definition {
    pub fn parse(arguments: &[String]) -> Result<Self, Problem> {
        let [status, posts_at, debit, credit, amount, kind, optional @ ..] = arguments else {
            return Err(wrong_count(arguments.len()));
        };
        if optional.len() > 2 {
            return Err(wrong_count(arguments.len()));
        }
        for (value, name) in [
            (status, "status column"),
            (posts_at, "posting value"),
            (amount, "amount column"),
            (kind, "kind"),
        ] {
            if value.is_empty() {
                return Err(Problem::new(
                    format!("the {name} is empty"),
                    format!("The arguments are: {ARGUMENTS}."),
                ));
            }
        }
        let given = |index: usize| optional.get(index).filter(|value| !value.is_empty());
        if given(0) == Some(posts_at) {
            return Err(Problem::new(
                format!("'{posts_at}' both posts and reverses"),
                "Name another value that reverses, or '' for none.",
            ));
        }
        let debit = Template::parse(debit, Target::Account)?;
        let credit = Template::parse(credit, Target::Account)?;
        let ledger = given(1).map(|source| Template::parse(source, Target::Ledger)).transpose()?;
        let mut placeholders: Vec<String> = Vec::new();
        for column in
            [Some(&debit), Some(&credit), ledger.as_ref()].into_iter().flatten().flat_map(Template::columns)
        {
            if !placeholders.iter().any(|known| known == column) {
                placeholders.push(column.to_owned());
            }
        }
        Ok(Self {
            status: status.clone(),
            posts_at: posts_at.clone(),
            reverses_at: given(0).cloned(),
            debit,
            credit,
            amount: amount.clone(),
            kind: kind.clone(),
            ledger,
            placeholders,
        })
    }

    /// Where the columns stand in the table, or everything that does not fit.
    pub fn resolve(&self, columns: &[Column]) -> Result<Places, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut find = |name: &str, role: &str| {
            let found = columns.iter().position(|column| column.name == *name);
            if found.is_none() {
                problems.push(unknown_column(name, role, columns));
            }
            found
        };
        let status = find(&self.status, "status column");
        let amount = find(&self.amount, "amount column");
        let placeholders: Vec<Option<usize>> =
            self.placeholders.iter().map(|name| find(name, "placeholder")).collect();
        if let Some(column) = amount.map(|index| &columns[index])
            && column.holds == Holds::Other
        {
            problems.push(Problem {
                column: Some(column.name.clone()),
                ..Problem::new(
                    format!(
                        "the amount column \"{}\" is of type {}, which is no number",
                        column.name, column.type_name
                    ),
                    "Use a numeric or integer column.",
                )
            });
        }
        match (status, amount) {
            (Some(status), Some(amount)) if problems.is_empty() => {
                Ok(Places { status, amount, placeholders: placeholders.into_iter().flatten().collect() })
            }
            _ => Err(problems),
        }
    }
}

fn wrong_count(count: usize) -> Problem {
    Problem::new(
        format!("it has {count} arguments instead of 6 to 8"),
        format!("The arguments are: {ARGUMENTS}."),
    )
}

fn unknown_column(name: &str, role: &str, columns: &[Column]) -> Problem {
    let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    Problem {
        column: Some(name.to_owned()),
        ..Problem::new(
            format!("the table has no column \"{name}\" ({role})"),
            format!("Its columns are: {}.", known.join(", ")),
        )
    }
}

/// What a column can hold, as far as the trigger cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Integer,
    Numeric,
    Float,
    Text,
    /// Text that is filled up with blanks.
    Padded,
    Boolean,
    Enum,
    Other,
}

/// A column of the application's table. A domain counts as its base type.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub type_name: String,
    pub holds: Holds,
}

/// Where the columns of a definition stand among the table's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub status: usize,
    pub amount: usize,
    pub placeholders: Vec<usize>,
}

/// A status value as the column shows it: `true` is shown as `t`, and a label must exist.
pub fn shown(value: &str, column: &Column, is_label: impl Fn(&str) -> bool) -> Result<String, Problem> {
    let refuse = |hint: &str| {
        Err(Problem {
            column: Some(column.name.clone()),
            ..Problem::new(
                format!(
                    "'{value}' is not a value of column \"{}\" of type {}",
                    column.name, column.type_name
                ),
                hint,
            )
        })
    };
    match column.holds {
        Holds::Enum if !is_label(value) => refuse("Use one of the enum's labels; they are case-sensitive."),
        Holds::Boolean => match value.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "on" | "1" => Ok("t".to_owned()),
            "false" | "f" | "no" | "off" | "0" => Ok("f".to_owned()),
            _ => refuse("Use true or false."),
        },
        Holds::Integer => match value.parse::<i64>() {
            Ok(number) => Ok(number.to_string()),
            Err(_) => refuse("Use a whole number."),
        },
        Holds::Padded => Ok(value.trim_end_matches(' ').to_owned()),
        _ => Ok(value.to_owned()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Account,
    Ledger,
}

/// A text with `{column}` placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(String),
}

/// Why a template could not be filled; the name is the column's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfilled {
    Null(String),
    /// The value has a ':' and would reach over its segment.
    Splits(String),
}

impl Template {
    fn parse(source: &str, target: Target) -> Result<Self, Problem> {
        let malformed = |reason: &str| {
            Err(Problem::new(
                format!("the template '{source}' is malformed: {reason}"),
                "A template is a name with columns in braces, such as wallets:{owner_id}.",
            ))
        };
        let mut parts = Vec::new();
        let mut rest = source;
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('{') {
                let Some((column, after)) = inside.split_once('}') else {
                    return malformed("a '{' is not closed");
                };
                if column.is_empty() || column.contains('{') {
                    return malformed("a placeholder names no column");
                }
                parts.push(Part::Column(column.to_owned()));
                rest = after;
            } else {
                let end = rest.find('{').unwrap_or(rest.len());
                parts.push(Part::Text(rest[..end].to_owned()));
                rest = &rest[end..];
            }
        }
        let template = Self { source: source.to_owned(), parts };
        // A stand-in for the values shows whether the words between them make an address.
        let example = template.fill(|_| Some("x")).unwrap_or_default();
        let well_formed = address::checked(&example, "template").is_ok();
        if !well_formed || (target == Target::Ledger && example.contains(':')) {
            return malformed(if target == Target::Ledger {
                "it is no ledger's name"
            } else {
                "it is no address"
            });
        }
        Ok(template)
    }

    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Column(column) => Some(column.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The template's text where it has no placeholder.
    pub fn constant(&self) -> Option<&str> {
        self.columns().next().is_none().then_some(self.source.as_str())
    }

    /// Fills in the values. A placeholder inside a longer template stays inside its segment: only a
    /// template that is nothing but `{column}` takes a whole address from the row.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Result<String, Unfilled> {
        let mut filled = String::with_capacity(self.source.len() + 32);
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Column(column) => {
                    let value = value(column).ok_or_else(|| Unfilled::Null(column.clone()))?;
                    if self.parts.len() > 1 && value.contains(':') {
                        return Err(Unfilled::Splits(column.clone()));
                    }
                    filled.push_str(value);
                }
            }
        }
        Ok(filled)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Definition, Problem> {
        Definition::parse(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    const TOPUP: [&str; 6] = ["status", "paid", "banks:bca:1", "wallets:{owner_id}", "amount", "topup"];

    fn column(name: &str, holds: Holds) -> Column {
        Column { name: name.to_owned(), type_name: "some_type".to_owned(), holds }
    }

    #[test]
    fn six_to_eight_arguments() {
        let topup = parse(&TOPUP).unwrap();
        assert_eq!((topup.reverses_at, topup.ledger), (None, None));
        assert_eq!(topup.placeholders, ["owner_id"]);
        let full = parse(&[&TOPUP[..], &["refunded", "school-{school}"]].concat()).unwrap();
        assert_eq!(full.reverses_at.as_deref(), Some("refunded"));
        assert_eq!(full.placeholders, ["owner_id", "school"]);
        let none = parse(&[&TOPUP[..], &["", ""]].concat()).unwrap();
        assert_eq!((none.reverses_at, none.ledger), (None, None));
        assert!(parse(&TOPUP[..5]).is_err() && parse(&[&TOPUP[..], &["a", "b", "c"]].concat()).is_err());
        assert!(parse(&[&TOPUP[..], &["paid"]].concat()).is_err(), "one value cannot do both");
    }

    #[test]
    fn templates_are_addresses_with_columns() {
        for good in
            ["platform:fees", "wallets:{owner_id}", "{account}", "schools:{school}:wallets:{id}", "u-{a}.{b}"]
        {
            assert!(Template::parse(good, Target::Account).is_ok(), "{good}");
        }
        for bad in
            ["", "wallets:{owner", "wallets:owner}", "wallets:{}", "wallets::{id}", "{id}:", "a b", "{a{b}}"]
        {
            assert!(Template::parse(bad, Target::Account).is_err(), "{bad}");
        }
        assert!(Template::parse("school-{id}", Target::Ledger).is_ok());
        assert!(Template::parse("school:{id}", Target::Ledger).is_err());
        assert_eq!(Template::parse("main", Target::Ledger).unwrap().constant(), Some("main"));
    }

    #[test]
    fn a_placeholder_stays_in_its_segment() {
        let template = Template::parse("wallets:{owner}", Target::Account).unwrap();
        assert_eq!(template.fill(|_| Some("7")), Ok("wallets:7".to_owned()));
        assert_eq!(template.fill(|_| Some("7:fees")), Err(Unfilled::Splits("owner".to_owned())));
        assert_eq!(template.fill(|_| None), Err(Unfilled::Null("owner".to_owned())));
        let whole = Template::parse("{account}", Target::Account).unwrap();
        assert_eq!(whole.fill(|_| Some("orders:7:escrow")), Ok("orders:7:escrow".to_owned()));
    }

    #[test]
    fn every_unknown_column_is_named_with_those_there_are() {
        let columns = [column("status", Holds::Text), column("amount", Holds::Numeric)];
        let problems = parse(&TOPUP).unwrap().resolve(&columns).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].column.as_deref(), Some("owner_id"));
        assert!(problems[0].hint.contains("status, amount"));
        let columns =
            [column("status", Holds::Text), column("amount", Holds::Other), column("owner_id", Holds::Text)];
        assert_eq!(parse(&TOPUP).unwrap().resolve(&columns).unwrap_err().len(), 1);
    }

    #[test]
    fn status_values_are_those_the_column_shows() {
        let no_label = |_: &str| false;
        assert_eq!(shown("true", &column("paid", Holds::Boolean), no_label).unwrap(), "t");
        assert_eq!(shown("02", &column("state", Holds::Integer), no_label).unwrap(), "2");
        assert_eq!(shown("paid", &column("status", Holds::Text), no_label).unwrap(), "paid");
        assert!(shown("Paid", &column("status", Holds::Enum), |label| label == "paid").is_err());
        assert!(shown("paid", &column("paid", Holds::Boolean), no_label).is_err());
    }
}
