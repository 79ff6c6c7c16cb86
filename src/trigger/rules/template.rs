//! Texts with `{column}` placeholders, which a row fills in.

use super::column::Problem;
use crate::address;
use std::fmt;

/// What a template names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Account,
    Ledger,
    /// An escrow.
    Reference,
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
    pub fn parse(source: &str, target: Target) -> Result<Self, Problem> {
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
        if !well_formed || (target != Target::Account && example.contains(':')) {
            return malformed(match target {
                Target::Account => "it is no address",
                Target::Ledger => "it is no ledger's name",
                Target::Reference => "it is no reference",
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

/// The columns that templates name, each once.
pub fn columns_of<'a>(templates: impl Iterator<Item = &'a Template>) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for column in templates.flat_map(Template::columns) {
        if !columns.iter().any(|known| known == column) {
            columns.push(column.to_owned());
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
