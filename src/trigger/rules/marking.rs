//! What the arguments of an `update_on_intent()` trigger say, and which rows an intent's change marks.

pub mod key_type;

use super::column::{Column, Problem, shown, unknown_column};
use super::facts::Marked;
use super::key::table_name;
use crate::bank::intent::rules::{Purpose, State};
pub use key_type::KeyType;

/// The table that such a trigger is attached to.
pub const INTENTS: &str = "wallet_data.intents";

/// The arguments, in their order, as `check_trigger()` and the messages call them.
pub const ARGUMENTS: &str = "table, key column, status column, value when paid \
     [, value when the payment is undone [, purpose [, ledger]]]";

/// A trigger's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub schema: String,
    pub table: String,
    pub key: String,
    pub status: String,
    pub paid: String,
    /// `None`: the row is left alone.
    pub undone: Option<String>,
    /// `None`: intents for any purpose.
    pub purpose: Option<Purpose>,
    /// `None`: intents of any ledger.
    pub ledger: Option<String>,
}

impl Definition {
    pub fn parse(arguments: &[String]) -> Result<Self, Problem> {
        let [table, key, status, paid, optional @ ..] = arguments else {
            return Err(wrong_count(arguments.len()));
        };
        if optional.len() > 3 {
            return Err(wrong_count(arguments.len()));
        }
        for (value, name) in [(key, "key column"), (status, "status column"), (paid, "value when paid")] {
            if value.is_empty() {
                let hint = format!("The arguments are: {ARGUMENTS}.");
                return Err(Problem::new(format!("the {name} is empty"), hint));
            }
        }
        let given = |index: usize| optional.get(index).filter(|value| !value.is_empty()).cloned();
        if given(0).as_ref() == Some(paid) {
            return Err(Problem::new(
                format!("'{paid}' stands for paid and for undone"),
                "Name another value for a payment that is undone, or '' to leave the row alone.",
            ));
        }
        let purpose = given(1)
            .map(|name| {
                Purpose::from_name(&name).map_err(|error| {
                    Problem::new(format!("there is no purpose '{name}'"), format!("{}.", error.message))
                })
            })
            .transpose()?;
        let (schema, name) = relation(table)?;
        Ok(Self {
            schema,
            table: name,
            key: key.clone(),
            status: status.clone(),
            paid: paid.clone(),
            undone: given(0),
            purpose,
            ledger: given(2),
        })
    }

    /// The table's name as SQL writes it.
    pub fn target(&self) -> String {
        table_name(&self.schema, &self.table)
    }

    /// The table, if it is there and can be written; or everything that does not fit.
    pub fn resolve<'a>(&self, marked: Option<&'a Marked>) -> Result<Plan<'a>, Vec<Problem>> {
        let name = self.target();
        let Some(marked) = marked else {
            let hint = "Write schema and table as the catalogue has them, such as 'public.orders'.";
            return Err(vec![Problem::new(format!("there is no table {name}"), hint)]);
        };
        let mut problems = Vec::new();
        if !marked.is_table {
            problems.push(Problem::new(format!("{name} is not a table"), "Name the table behind it."));
        }
        if marked.is_the_ledgers {
            problems.push(Problem::new(
                format!("{name} belongs to the ledger's own role"),
                "Give it another owner: the rows are changed with its owner's rights.",
            ));
        }
        let known = || marked.columns.iter().map(String::as_str);
        let key = marked.key.as_ref();
        match key.map(|(column, key_type)| (column, *key_type)) {
            None => problems.push(unknown_column(&self.key, "key column", known())),
            Some((column, None)) => problems.push(not_a_key(column)),
            Some((_, Some(_))) => {}
        }
        match &marked.status {
            None => problems.push(unknown_column(&self.status, "status column", known())),
            Some((column, labels)) => {
                let is_label = |value: &str| labels.iter().any(|label| label == value);
                let values = std::iter::once(&self.paid).chain(&self.undone);
                problems.extend(values.filter_map(|value| shown(value, column, is_label).err()));
            }
        }
        match key {
            Some((_, Some(key_type))) if problems.is_empty() => Ok(Plan { marked, key_type: *key_type }),
            _ => Err(problems),
        }
    }
}

/// A table whose rows can be marked.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    pub marked: &'a Marked,
    pub key_type: KeyType,
}

fn wrong_count(count: usize) -> Problem {
    Problem::new(
        format!("it has {count} arguments instead of 4 to 7"),
        format!("The arguments are: {ARGUMENTS}."),
    )
}

fn not_a_key(column: &Column) -> Problem {
    Problem {
        column: Some(column.name.clone()),
        ..Problem::new(
            format!("the key column \"{}\" is of type {}", column.name, column.type_name),
            "A reference can be an integer, a numeric, a uuid or a text.",
        )
    }
}

/// Schema and table of a name as SQL writes it. Without its schema a table could be another one's
/// namesake, so it must be there.
fn relation(text: &str) -> Result<(String, String), Problem> {
    let malformed = || {
        Problem::new(
            format!("'{text}' is no schema and table"),
            "Write it as SQL does, such as 'public.orders' or 'shop.\"Orders\"'.",
        )
    };
    let (schema, rest) = identifier(text).ok_or_else(malformed)?;
    let (table, rest) = rest.strip_prefix('.').and_then(identifier).ok_or_else(malformed)?;
    if rest.is_empty() { Ok((schema, table)) } else { Err(malformed()) }
}

/// The identifier that a text begins with, and the rest of the text.
fn identifier(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut name = String::new();
        let mut rest = quoted;
        loop {
            let end = rest.find('"')?;
            name.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(after) => {
                    name.push('"');
                    rest = after;
                }
                None => return Some((name, rest)).filter(|(name, _)| !name.is_empty()),
            }
        }
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let starts = text.starts_with(|first: char| is_part(first) && !first.is_ascii_digit() && first != '$');
    starts.then(|| (text[..end].to_ascii_lowercase(), &text[end..]))
}

/// Whether an intent is paid now and was not, or the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Paid,
    Undone,
}

impl Turn {
    /// From the states before and after, as they are stored.
    pub fn of(before: i16, after: i16) -> Option<Self> {
        match (before == State::Paid as i16, after == State::Paid as i16) {
            (false, true) => Some(Turn::Paid),
            (true, false) => Some(Turn::Undone),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::rules::column::Holds;

    fn parse(arguments: &[&str]) -> Result<Definition, Problem> {
        Definition::parse(&arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    const ORDERS: [&str; 4] = ["public.orders", "id", "status", "paid"];

    fn marked() -> Marked {
        let column =
            |name: &str, holds| Column { name: name.to_owned(), type_name: "some".to_owned(), holds };
        Marked {
            is_table: true,
            columns: vec!["id".to_owned(), "status".to_owned()],
            key: Some((column("id", Holds::Integer), Some(KeyType::Int8))),
            status: Some((column("status", Holds::Enum), vec!["new".to_owned(), "paid".to_owned()])),
            ..Marked::default()
        }
    }

    #[test]
    fn four_to_seven_arguments() {
        let orders = parse(&ORDERS).unwrap();
        assert_eq!((orders.schema.as_str(), orders.table.as_str()), ("public", "orders"));
        assert_eq!((orders.undone, orders.purpose, orders.ledger), (None, None, None));
        let full = parse(&[&ORDERS[..], &["new", "order", "main"]].concat()).unwrap();
        assert_eq!((full.undone.as_deref(), full.purpose), (Some("new"), Some(Purpose::Order)));
        assert_eq!(full.ledger.as_deref(), Some("main"));
        let none = parse(&[&ORDERS[..], &["", "", ""]].concat()).unwrap();
        assert_eq!((none.undone, none.purpose, none.ledger), (None, None, None));
        let text = |arguments: &[&str]| parse(arguments).unwrap_err().text;
        assert!(text(&ORDERS[..3]).contains("3 arguments instead of 4 to 7"));
        assert!(text(&[&ORDERS[..], &["a", "order", "main", "x"]].concat()).contains("8 arguments"));
        assert!(text(&["public.orders", "", "status", "paid"]).contains("key column is empty"));
        assert!(text(&[&ORDERS[..], &["paid"]].concat()).contains("for paid and for undone"));
        assert!(text(&[&ORDERS[..], &["", "orders"]].concat()).contains("no purpose 'orders'"));
    }

    #[test]
    fn tables_are_named_as_sql_names_them() {
        let named = |text: &str| relation(text).ok();
        let pair = |schema: &str, table: &str| Some((schema.to_owned(), table.to_owned()));
        assert_eq!(named("Public.Orders"), pair("public", "orders"));
        assert_eq!(named("\"My Shop\".\"Top\"\"Ups\""), pair("My Shop", "Top\"Ups"));
        assert_eq!(named("a.\"b.c\""), pair("a", "b.c"));
        assert_eq!(named("_s1.pesanan_é$"), pair("_s1", "pesanan_é$"));
        for bad in
            ["", "orders", "a.b.c", "a.", ".b", "a.b ", "a b.c", "1a.b", "a.\"b", "\"\".b", "a;b.c", "a.b--"]
        {
            assert!(named(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_does_not_fit_the_table_is_named() {
        let orders = parse(&[&ORDERS[..], &["unpaid"]].concat()).unwrap();
        let problems = |change: fn(&mut Marked)| {
            let mut marked = marked();
            change(&mut marked);
            let found = orders.resolve(Some(&marked)).map(|plan| plan.key_type);
            found.unwrap_err().into_iter().map(|problem| problem.text).collect::<Vec<_>>().join("; ")
        };
        let with_label = |marked: &mut Marked| {
            marked.status.as_mut().unwrap().1.push("unpaid".to_owned());
        };
        let mut right = marked();
        with_label(&mut right);
        assert_eq!(orders.resolve(Some(&right)).unwrap().key_type, KeyType::Int8);
        assert!(orders.resolve(None).unwrap_err()[0].text.contains("no table public.orders"));
        assert!(problems(|_| {}).contains("'unpaid' is not a value of column \"status\""));
        assert!(problems(|marked| marked.is_table = false).contains("is not a table"));
        assert!(problems(|marked| marked.is_the_ledgers = true).contains("ledger's own role"));
        assert!(problems(|marked| marked.key = None).contains("no column \"id\" (key column)"));
        assert!(problems(|marked| marked.status = None).contains("no column \"status\" (status column)"));
        assert!(problems(|marked| marked.key.as_mut().unwrap().1 = None).contains("is of type some"));
    }

    #[test]
    fn only_becoming_paid_and_ceasing_to_be_count() {
        assert_eq!(Turn::of(1, 4), Some(Turn::Paid));
        assert_eq!(Turn::of(5, 4), Some(Turn::Paid));
        assert_eq!(Turn::of(4, 1), Some(Turn::Undone));
        assert_eq!((Turn::of(4, 4), Turn::of(1, 5)), (None, None));
    }
}
