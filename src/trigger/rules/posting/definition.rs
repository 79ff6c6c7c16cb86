//! What the arguments of a trigger say, and whether they fit the table.

use crate::trigger::rules::column::{Column, Problem, find_all, no_number};
use crate::trigger::rules::template::{Target, Template, columns_of};

/// The arguments, in their order, as `check_trigger()` and the messages call them.
pub const ARGUMENTS: &str = "status column, posting value, debit template, credit template, amount column, \
     kind [, reversing value [, ledger template]]";

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
        let templates = [Some(&debit), Some(&credit), ledger.as_ref()];
        let placeholders = columns_of(templates.into_iter().flatten());
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
        let named = [(self.status.as_str(), "status column"), (self.amount.as_str(), "amount column")];
        let placeholders = self.placeholders.iter().map(|name| (name.as_str(), "placeholder"));
        let found = find_all(columns, named.into_iter().chain(placeholders), &mut problems);
        let amount = columns.iter().find(|column| column.name == self.amount);
        if let Some(column) = amount.filter(|column| !column.can_be_amount()) {
            problems.push(no_number(column));
        }
        match found.as_slice() {
            [status, amount, placeholders @ ..] if problems.is_empty() => {
                Ok(Places { status: *status, amount: *amount, placeholders: placeholders.to_vec() })
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

/// Where the columns of a definition stand among the table's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub status: usize,
    pub amount: usize,
    pub placeholders: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::rules::column::Holds;

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
}
