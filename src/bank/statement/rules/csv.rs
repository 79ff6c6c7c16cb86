//! Statements that are tables: the generic one and those of the banks.
//!
//! The header is found by its names ([`columns`]), its delimiter (`,`, `;` or tab) by which one makes a header
//! of it. Around the table may stand what [`facts`] knows. Each row is read alone (`row`); the balances are
//! proved over all of them ([`balance`]).
//!
//! A row with too few or too many cells, and a last line without a line end whose last cell may have been cut
//! (an amount without both decimals, a year of two digits), are refused: half an amount is an amount too.

use super::amount;
use super::balance::{self, Proven, Step};
use super::columns::{self, Columns, NoHeader};
use super::entry::{self, Entry};
use super::facts::{self, Facts};
use super::row::{Data, DateCell};
use super::table::{self, Row};
use super::{BadStatement, Balance, Format, LINES_MAX, Statement, account_number, too_many_lines};
use crate::bank::rules::when::When;
use jiff::civil::Date;
use rust_decimal::Decimal;

/// Lines within which the header must be, and cells that it may have.
const HEAD_LINES_MAX: usize = 60;
const HEADER_CELLS_MAX: usize = 200;
const DELIMITERS: [char; 3] = [',', ';', '\t'];

pub fn parse(format: Format, text: &str) -> Result<Statement, BadStatement> {
    let (delimiter, line) = find_header(format, text)?;
    let rows = table::rows(text, delimiter, LINES_MAX + HEAD_LINES_MAX + 1);
    let complete = rows.len() <= LINES_MAX + HEAD_LINES_MAX;
    let header = Header::at(format, delimiter, line, &rows)?;
    let mut facts = Facts::default();
    let (head, body) = rows.split_at(header.index + 1);
    for row in head {
        facts.take(row, header.delimiter);
    }
    let data: Vec<Data<'_>> = body.iter().filter_map(|row| header.data(row, &mut facts)).collect();
    if !complete || data.len() > LINES_MAX {
        return Err(too_many_lines());
    }
    let columns = &header.columns;
    let account_number = one_account(&data, columns.account, facts.account.take())?;
    let currency = one_currency(&data, columns.currency, facts.currency.take())?;
    let money = data.iter().flat_map(|data| data.money(columns));
    let style = amount::style_of(money.chain(facts.amounts()));
    let stated = facts.stated(style)?;
    let entries: Vec<Entry> = data.iter().map(|data| data.entry(columns, style)).collect();
    let steps: Vec<Step> = entries.iter().map(|entry| entry.step).collect();
    let proven = balance::prove(&steps, stated)?;

    let days = facts.period.and_then(|period| Some((day_of(period.from)?, day_of(period.until)?)));
    let (opening, closing) = dated(proven, entry::days(&entries).or(days));
    Ok(Statement {
        lines: entry::lines(entries, account_number.as_ref()),
        opening,
        closing,
        account_number,
        currency,
        from_day: days.map(|(from, _)| from),
        until_day: days.map(|(_, until)| until),
    })
}

/// The delimiter, and the line that is a header when it is cut there. Names have no delimiters in them, so this
/// need not mind quotes.
fn find_header(format: Format, text: &str) -> Result<(char, usize), BadStatement> {
    let mut lacks = vec!["date", "description", "amount, or debit and credit"];
    let mut twice = None;
    for line in table::lines(text).take(HEAD_LINES_MAX) {
        for delimiter in DELIMITERS {
            // Three columns are the fewest that a table can have.
            if line.text.matches(delimiter).nth(1).is_none() {
                continue;
            }
            let names: Vec<String> =
                line.text.split(delimiter).take(HEADER_CELLS_MAX).map(columns::normal).collect();
            match columns::find(format, &names) {
                Ok(_) => return Ok((delimiter, line.number)),
                Err(NoHeader::Lacks(these)) if these.len() < lacks.len() => lacks = these,
                Err(NoHeader::Lacks(_)) => {}
                Err(fault @ NoHeader::Twice(_)) => twice = twice.or(Some((line.number, fault))),
            }
        }
    }
    Err(twice.map_or_else(|| missing(format, &lacks), |(line, fault)| no_header(format, line, fault)))
}

fn no_header(format: Format, line: usize, fault: NoHeader) -> BadStatement {
    match fault {
        NoHeader::Lacks(lacks) => missing(format, &lacks),
        NoHeader::Twice(name) => BadStatement::new(
            "duplicate_column",
            format!("line {line}: the header has the column {name} twice"),
        ),
    }
}

fn missing(format: Format, lacks: &[&str]) -> BadStatement {
    let lacks = lacks.join(", no ");
    let message = format!("the first {HEAD_LINES_MAX} lines have no header of {}: no {lacks}", format.name());
    BadStatement::new("missing_columns", message)
}

/// Where the table begins.
struct Header {
    delimiter: char,
    index: usize,
    names: Vec<String>,
    columns: Columns,
}

impl Header {
    fn at(format: Format, delimiter: char, line: usize, rows: &[Row<'_>]) -> Result<Self, BadStatement> {
        let index = rows.iter().position(|row| row.line == line && row.cells.is_ok());
        let names = |index: usize| rows[index].cells.iter().flatten().map(columns::normal).collect();
        let (index, names): (usize, Vec<String>) =
            index.map(|index| (index, names(index))).ok_or_else(|| missing(format, &["quotes in pairs"]))?;
        let columns = columns::find(format, &names).map_err(|fault| no_header(format, line, fault))?;
        Ok(Self { delimiter, index, names, columns })
    }

    /// The row as one of the table, or `None` if it is a repeated header, empty, or one of the facts.
    fn data<'a>(&self, row: &'a Row<'a>, facts: &mut Facts) -> Option<Data<'a>> {
        let date = match &row.cells {
            Err(_) => DateCell::Bad(""),
            Ok(cells) => DateCell::read(cells.get(self.columns.date).unwrap_or_default(), facts.period),
        };
        if let (DateCell::Bad(_), Ok(cells)) = (&date, &row.cells) {
            let is_header = || cells.iter().map(columns::normal).eq(self.names.iter().cloned());
            if cells.iter().all(|cell| cell.trim().is_empty())
                || is_header()
                || facts.take(row, self.delimiter)
            {
                return None;
            }
        }
        Some(Data { row, date })
    }
}

fn one_account(
    data: &[Data<'_>],
    column: Option<usize>,
    stated: Option<String>,
) -> Result<Option<String>, BadStatement> {
    one(data, column, stated, account_number).map_err(|(one, other)| {
        BadStatement::new("mixed_accounts", format!("the lines are of several accounts, {one} and {other}"))
    })
}

fn one_currency(
    data: &[Data<'_>],
    column: Option<usize>,
    stated: Option<String>,
) -> Result<Option<String>, BadStatement> {
    one(data, column, stated, facts::currency).map_err(|(one, other)| {
        BadStatement::new(
            "mixed_currencies",
            format!("the lines are in several currencies, {one} and {other}"),
        )
    })
}

/// The one value of a column, and of the line above the table; or two that differ.
fn one(
    data: &[Data<'_>],
    column: Option<usize>,
    stated: Option<String>,
    read: fn(&str) -> Option<String>,
) -> Result<Option<String>, (String, String)> {
    let values = data.iter().filter_map(|data| read(data.cells()?.get(column?)?));
    stated.into_iter().chain(values).try_fold(None, |found: Option<String>, value| match found {
        Some(found) if found != value => Err((found, value)),
        _ => Ok(Some(value)),
    })
}

fn dated(proven: Proven, days: Option<(i32, i32)>) -> (Option<Balance>, Option<Balance>) {
    let on = |amount: Option<Decimal>, day: Option<i32>| Some(Balance { day: day?, amount: amount? });
    (on(proven.opening, days.map(|(first, _)| first)), on(proven.closing, days.map(|(_, last)| last)))
}

fn day_of(date: Date) -> Option<i32> {
    When::on(date).map(|when| when.day)
}
