//! What the arguments of a `match_on_insert()` trigger say, and what a row reports.

use super::column::{Column, Holds, Problem, find_all, no_number};
use super::template::{Target, Template, columns_of};
use crate::bank::webhook::rules::Provider;
use serde_json::{Map, Value};

/// The arguments, in their order, as `check_trigger()` and the messages call them.
pub const ARGUMENTS: &str = "provider, then the one column that holds what the provider sends, \
     or field=column for each field [, ledger=template]";

/// What a Moota mutation has that a column can stand for: what the parser reads, and what it passes by.
const MOOTA_FIELDS: [&str; 11] = [
    "mutation_id",
    "id",
    "bank_id",
    "account_number",
    "bank_type",
    "date",
    "amount",
    "type",
    "description",
    "note",
    "balance",
];
/// Of each of these a mutation needs one.
const MOOTA_NEEDS: [&[&str]; 5] =
    [&["mutation_id", "id"], &["bank_id", "account_number"], &["date"], &["amount"], &["type"]];

/// A trigger's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub provider: Provider,
    pub source: Source,
    /// `None`: the session's ledger.
    pub ledger: Option<Template>,
    /// The columns that the ledger's template names, each once.
    pub placeholders: Vec<String>,
}

/// Where a row has what the provider reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In one column, as JSON.
    Document(String),
    /// In a column for each field.
    Fields(Vec<(String, String)>),
}

/// Where the columns of a definition stand among the table's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// One for the document, or one for each field.
    pub sources: Vec<usize>,
    pub placeholders: Vec<usize>,
}

impl Definition {
    pub fn parse(arguments: &[String]) -> Result<Self, Problem> {
        let Some((provider, sources)) = arguments.split_first().filter(|(_, sources)| !sources.is_empty())
        else {
            return Err(Problem::new(
                format!("it has {} arguments and needs at least 2", arguments.len()),
                format!("The arguments are: {ARGUMENTS}."),
            ));
        };
        let provider = Provider::from_name(provider).map_err(|error| {
            let known = Provider::ALL.map(Provider::name).join(", ");
            let problem = format!("there is no provider '{provider}'");
            Problem::new(problem, format!("{}: one of {known}.", error.message))
        })?;
        let (mut documents, mut fields, mut ledgers) = (Vec::new(), Vec::new(), Vec::new());
        for source in sources {
            match source.split_once('=') {
                None => documents.push(source.clone()),
                Some(("ledger", template)) => ledgers.push(template),
                Some((field, column)) => fields.push((field.to_owned(), column.to_owned())),
            }
        }
        let ledger = match ledgers.as_slice() {
            [] | [""] => None,
            [template] => Some(Template::parse(template, Target::Ledger)?),
            _ => return Err(twice("ledger")),
        };
        let source = match (documents.as_slice(), fields.as_slice()) {
            ([column], []) if !column.is_empty() => Source::Document(column.clone()),
            ([], [_, ..]) => {
                check_fields(provider, &fields)?;
                Source::Fields(fields)
            }
            _ => {
                return Err(Problem::new(
                    "it must name either one column that holds everything, or a column for each field",
                    format!("The arguments are: {ARGUMENTS}."),
                ));
            }
        };
        let placeholders = columns_of(ledger.iter());
        Ok(Self { provider, source, ledger, placeholders })
    }

    /// Where the columns stand in the table, or everything that does not fit.
    pub fn resolve(&self, columns: &[Column]) -> Result<Places, Vec<Problem>> {
        let mut problems = Vec::new();
        let wanted: Vec<(&str, &str)> = match &self.source {
            Source::Document(column) => vec![(column, "column of the provider's JSON")],
            Source::Fields(fields) => {
                fields.iter().map(|(field, column)| (column.as_str(), field.as_str())).collect()
            }
        };
        let sources = find_all(columns, wanted.iter().copied(), &mut problems);
        let placeholders = self.placeholders.iter().map(|name| (name.as_str(), "placeholder"));
        let placeholders = find_all(columns, placeholders, &mut problems);
        for (name, role) in wanted {
            let Some(column) = columns.iter().find(|column| column.name == name) else { continue };
            match (&self.source, role) {
                (Source::Document(_), _)
                    if !matches!(column.holds, Holds::Json | Holds::Jsonb | Holds::Text) =>
                {
                    problems.push(no_json(column));
                }
                (Source::Fields(_), "amount") if !column.can_be_amount() => problems.push(no_number(column)),
                _ => {}
            }
        }
        if problems.is_empty() { Ok(Places { sources, placeholders }) } else { Err(problems) }
    }

    /// Which of the sources are amounts in columns that hold numbers.
    pub fn numeric_amounts(&self, columns: &[Column], places: &Places) -> Vec<bool> {
        let is_amount = |name: &str| self.amounts().any(|amount| amount == name);
        let is_number = |column: &Column| matches!(column.holds, Holds::Numeric | Holds::Float);
        places
            .sources
            .iter()
            .map(|place| &columns[*place])
            .map(|c| is_number(c) && is_amount(&c.name))
            .collect()
    }

    /// The columns that hold amounts.
    pub fn amounts(&self) -> impl Iterator<Item = &str> {
        let fields = match &self.source {
            Source::Document(_) => &[],
            Source::Fields(fields) => fields.as_slice(),
        };
        fields
            .iter()
            .filter(|(field, _)| field == "amount" || field == "balance")
            .map(|(_, column)| column.as_str())
    }

    /// What the provider would have sent, from the values of the sources. `Err` is the column that must not
    /// be NULL.
    pub fn body(&self, values: Vec<Option<String>>) -> Result<String, &str> {
        match &self.source {
            Source::Document(column) => values.into_iter().next().flatten().ok_or(column),
            Source::Fields(fields) => {
                let object: Map<String, Value> = fields
                    .iter()
                    .zip(values)
                    .filter_map(|((field, _), value)| Some((field.clone(), Value::String(value?))))
                    .collect();
                Ok(Value::Object(object).to_string())
            }
        }
    }
}

/// A value of a numeric column as it is reported. Such a column knows no thousands, but the text `150.500` could be
/// taken for them and would be refused; a fourth decimal says what it is.
pub fn unambiguous(value: String) -> String {
    match value.split_once('.') {
        Some((_, fraction)) if fraction.len() == 3 => value + "0",
        _ => value,
    }
}

/// Fields can be columns where a report is a flat line of a statement.
fn check_fields(provider: Provider, fields: &[(String, String)]) -> Result<(), Problem> {
    if provider != Provider::Moota {
        return Err(Problem::new(
            format!("it names single fields, but {} does not send flat lines", provider.name()),
            "Name the one column that holds the provider's JSON as it came.",
        ));
    }
    let known = MOOTA_FIELDS.join(", ");
    for (place, (field, column)) in fields.iter().enumerate() {
        if !MOOTA_FIELDS.contains(&field.as_str()) {
            let problem = format!("moota's mutations have no field '{field}'");
            return Err(Problem::new(problem, format!("The fields are: {known}.")));
        }
        if column.is_empty() {
            let problem = format!("no column is named for the field '{field}'");
            return Err(Problem::new(problem, "Write field=column, or leave the field out."));
        }
        if fields[..place].iter().any(|(other, _)| other == field) {
            return Err(twice(field));
        }
    }
    for needed in MOOTA_NEEDS {
        if !fields.iter().any(|(field, _)| needed.contains(&field.as_str())) {
            let problem = format!("no column is named for the field {}", needed.join(" or "));
            return Err(Problem::new(problem, format!("The fields are: {known}.")));
        }
    }
    Ok(())
}

fn twice(field: &str) -> Problem {
    Problem::new(format!("'{field}' is named twice"), "Name each field once.")
}

fn no_json(column: &Column) -> Problem {
    Problem {
        column: Some(column.name.clone()),
        ..Problem::new(
            format!("column \"{}\" is of type {}, which is no JSON", column.name, column.type_name),
            "Use a jsonb, json or text column, or name a column for each field.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 9] = [
        "mutation_id=id",
        "bank_id=bank_id",
        "account_number=account_number",
        "bank_type=bank_type",
        "date=date",
        "amount=amount",
        "type=type",
        "description=description",
        "balance=balance",
    ];

    fn parse(provider: &str, sources: &[&str]) -> Result<Definition, Problem> {
        let arguments: Vec<String> =
            std::iter::once(&provider).chain(sources).map(|text| (*text).to_owned()).collect();
        Definition::parse(&arguments)
    }

    fn without(field: &str) -> Vec<&'static str> {
        FIELDS.into_iter().filter(|source| !source.starts_with(field)).collect()
    }

    fn columns() -> Vec<Column> {
        let column =
            |name: &str, holds| Column { name: name.to_owned(), type_name: "some".to_owned(), holds };
        let mut columns: Vec<Column> = ["id", "bank_id", "account_number", "bank_type", "date", "type"]
            .map(|name| column(name, Holds::Text))
            .to_vec();
        columns.extend([
            column("description", Holds::Text),
            column("amount", Holds::Numeric),
            column("balance", Holds::Other),
            column("payload", Holds::Json),
            column("school", Holds::Integer),
        ]);
        columns
    }

    #[test]
    fn one_document_or_single_fields() {
        let document = parse("moota", &["payload"]).unwrap();
        assert_eq!(document.source, Source::Document("payload".to_owned()));
        assert_eq!(document.resolve(&columns()).unwrap().sources, [9]);
        assert_eq!(parse("bri", &["payload"]).unwrap().provider, Provider::SnapBri);
        let fields = parse("moota", &FIELDS).unwrap();
        assert_eq!(fields.resolve(&columns()).unwrap().sources.len(), 9);
        assert_eq!(fields.amounts().collect::<Vec<_>>(), ["amount", "balance"]);
        let ledger = parse("moota", &["payload", "ledger=school-{school}"]).unwrap();
        assert_eq!(ledger.placeholders, ["school"]);
        assert_eq!(ledger.resolve(&columns()).unwrap().placeholders, [10]);
        assert_eq!(parse("moota", &["payload", "ledger="]).unwrap().ledger, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let text = |provider, sources: &[&str]| parse(provider, sources).unwrap_err().text;
        assert!(Definition::parse(&[]).unwrap_err().text.contains("0 arguments"));
        assert!(text("moota", &[]).contains("1 arguments"));
        assert!(text("mootaa", &["payload"]).contains("no provider 'mootaa'"));
        for sources in [&["payload", "other"][..], &["payload", "amount=amount"], &[""], &["ledger=main"]] {
            assert!(text("moota", sources).contains("either one column"), "{sources:?}");
        }
        assert!(text("midtrans", &FIELDS).contains("midtrans does not send flat lines"));
        assert!(text("moota", &[&FIELDS[..], &["ammount=amount"]].concat()).contains("no field 'ammount'"));
        assert!(text("moota", &[&FIELDS[..], &["note="]].concat()).contains("for the field 'note'"));
        assert!(text("moota", &[&FIELDS[..], &["date=date"]].concat()).contains("'date' is named twice"));
        assert!(text("moota", &["payload", "ledger=a", "ledger=b"]).contains("'ledger' is named twice"));
        assert!(text("moota", &["payload", "ledger=a:b"]).contains("no ledger's name"));
        for (field, words) in [
            ("mutation_id", "mutation_id or id"),
            ("date", "field date"),
            ("amount", "field amount"),
            ("type", "field type"),
        ] {
            assert!(text("moota", &without(field)).contains(words), "{field}");
        }
        let neither: Vec<&str> =
            without("bank_id").into_iter().filter(|source| !source.starts_with("account")).collect();
        assert!(text("moota", &neither).contains("bank_id or account_number"));
        assert!(parse("moota", &without("bank_id")).is_ok() && parse("moota", &without("account")).is_ok());
    }

    #[test]
    fn columns_that_do_not_fit_are_all_named() {
        let problems = |sources: &[&str]| {
            let found = parse("moota", sources).unwrap().resolve(&columns()).unwrap_err();
            found.into_iter().map(|problem| problem.text).collect::<Vec<_>>().join("; ")
        };
        assert!(problems(&["amount"]).contains("is no JSON"));
        let found = problems(&["body", "ledger={tenant}"]);
        assert!(found.contains("\"body\" (column of the provider's JSON)") && found.contains("\"tenant\""));
        let wrong = ["id=ID", "bank_id=bank_id", "date=date", "amount=payload", "type=kind"];
        let found = problems(&wrong);
        for words in ["\"ID\" (id)", "\"kind\" (type)", "\"payload\" is of type some, which is no number"] {
            assert!(found.contains(words), "{found}");
        }
    }

    #[test]
    fn a_number_is_no_thousands() {
        for (value, expected) in [("150.500", "150.5000"), ("150.50", "150.50"), ("150", "150")] {
            assert_eq!(unambiguous(value.to_owned()), expected);
        }
    }

    #[test]
    fn a_row_becomes_what_the_provider_would_have_sent() {
        let fields = parse("moota", &without("balance")).unwrap();
        let value = |text: &str| Some(text.to_owned());
        let body = fields.body(vec![
            value("a\"1"),
            value("B"),
            None,
            value("bca"),
            value("2026-11-21 03:25:16+00"),
            value("100123.00"),
            value("CR"),
            value("line 1\nline 2"),
        ]);
        let body: Value = serde_json::from_str(&body.unwrap()).unwrap();
        assert_eq!(body["mutation_id"], "a\"1");
        assert_eq!((&body["amount"], body.get("account_number")), (&Value::from("100123.00"), None));
        let document = parse("moota", &["payload"]).unwrap();
        assert_eq!(document.body(vec![value("[]")]), Ok("[]".to_owned()));
        assert_eq!(document.body(vec![None]), Err("payload"));
    }
}
