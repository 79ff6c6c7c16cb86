//! One row of a table that is a statement: what it moves, when, and why it may be refused.

use super::amount::{self, Cell, Fault, Style};
use super::balance::Step;
use super::columns::{Columns, Money};
use super::day::{self, Period};
use super::entry::{Draft, Entry, Outcome, collapsed};
use super::quoted;
use super::table::Row;
use crate::bank::rules::when::When;
use crate::bank::rules::{BadLine, Direction};
use csv::StringRecord;
use rust_decimal::Decimal;

/// What the cell of the date says.
pub enum DateCell {
    On(When),
    Pending,
    Bad(&'static str),
}

impl DateCell {
    pub fn read(text: &str, period: Option<Period>) -> Self {
        let word = text.trim().trim_start_matches('\'');
        if word.eq_ignore_ascii_case("PEND") || word.eq_ignore_ascii_case("PENDING") {
            return DateCell::Pending;
        }
        day::read(text, period).map_or_else(DateCell::Bad, DateCell::On)
    }
}

/// One row of the table.
pub struct Data<'a> {
    pub row: &'a Row<'a>,
    pub date: DateCell,
}

/// Why a row is a bad line. `effect` is what it does to the balance all the same, where that is known.
struct Problem {
    reason: &'static str,
    message: String,
    effect: Option<Decimal>,
}

fn problem(reason: &'static str, message: String) -> Problem {
    Problem { reason, message, effect: None }
}

impl Data<'_> {
    pub fn cells(&self) -> Option<&StringRecord> {
        self.row.cells.as_ref().ok()
    }

    /// The last cell, if nothing shows where it ends: no line end, no quote.
    fn open_end(&self) -> Option<&str> {
        let open = !self.row.ended && !self.row.raw.ends_with('"');
        self.cells().filter(|_| open)?.iter().next_back().map(str::trim)
    }

    /// The cells of amounts and balances, for what they tell of the file's style. A cell that may have been
    /// cut tells nothing.
    pub fn money<'a>(&'a self, columns: &Columns) -> impl Iterator<Item = &'a str> + use<'a> {
        let end = self.cells().filter(|_| self.open_end().is_some()).map(|cells| cells.len() - 1);
        let money = columns.money_cells().filter(move |index| Some(*index) != end);
        money.filter_map(|index| self.cells()?.get(index))
    }

    pub fn entry(&self, columns: &Columns, style: Option<Style>) -> Entry {
        let pending = matches!(self.date, DateCell::Pending);
        let day = match self.date {
            DateCell::On(when) => Some(when.day),
            DateCell::Pending | DateCell::Bad(_) => None,
        };
        let mut step = Step { line: self.row.line, effect: None, day, balance: None, pending };
        let outcome = self.read(columns, style, &mut step).unwrap_or_else(|problem| {
            step.effect = step.effect.or(problem.effect);
            if pending {
                return Outcome::Pending;
            }
            let message = format!("line {}: {}", self.row.line, problem.message);
            Outcome::Bad(BadLine::new(problem.reason, message))
        });
        Entry { step, outcome }
    }

    fn read(&self, columns: &Columns, style: Option<Style>, step: &mut Step) -> Result<Outcome, Problem> {
        let cells = self.sound(columns, style)?;
        let cell = |index: usize| cells.get(index).unwrap_or_default();
        let text = columns.balance.map(cell).unwrap_or_default();
        let balance = amount::cell(text).and_then(|cell| cell.map(|cell| cell.balance(style)).transpose());
        // Known even where the amount is not: the proof goes on from here.
        step.balance = balance.ok().flatten();
        let (direction, amount) = moved(cells, &columns.money, style)?;
        step.effect = Some(if direction == Direction::Credit { amount } else { -amount });
        balance.map_err(|fault| {
            let reason = if fault == Fault::Ambiguous { fault.reason() } else { "invalid_balance" };
            problem(reason, format!("the balance {} {}", quoted(text), why(fault)))
        })?;
        let when = match self.date {
            DateCell::On(when) => when,
            DateCell::Pending => return Ok(Outcome::Pending),
            DateCell::Bad(why) => {
                return Err(problem(
                    "invalid_date",
                    format!("the date {} {why}", quoted(cell(columns.date))),
                ));
            }
        };
        let mut parts: Vec<String> = Vec::new();
        for part in
            columns.descriptions.iter().map(|index| collapsed(cell(*index).trim().trim_start_matches('\'')))
        {
            if !part.is_empty() && !parts.contains(&part) {
                parts.push(part);
            }
        }
        Ok(Outcome::Booked(Draft {
            direction,
            amount,
            when,
            balance: step.balance,
            reference: columns.reference.map(cell).unwrap_or_default().to_owned(),
            description: parts.join(" "),
        }))
    }

    /// The cells, if the row is whole.
    fn sound(&self, columns: &Columns, style: Option<Style>) -> Result<&StringRecord, Problem> {
        let cells = match &self.row.cells {
            Ok(cells) => cells,
            Err("line_too_long") => {
                return Err(problem(
                    "line_too_long",
                    "it is longer than a line of a statement can be".to_owned(),
                ));
            }
            Err(reason) => return Err(problem(reason, "its quotes are not in pairs".to_owned())),
        };
        if cells.len() < columns.cells_min {
            let message = format!("it has {} fields and needs {}", cells.len(), columns.cells_min);
            return Err(problem("too_few_fields", message));
        }
        if cells.iter().skip(columns.cells_max).any(|cell| !cell.trim().is_empty()) {
            let message =
                format!("it has {} fields, more than the header's {}", cells.len(), columns.cells_max);
            return Err(problem("too_many_fields", message));
        }
        if let Some(text) = self.open_end().filter(|text| columns.may_be_cut(cells.len() - 1, text, style)) {
            let message = format!("it ends the file without a line end, and {} may be cut", quoted(text));
            return Err(problem("truncated_line", message));
        }
        Ok(cells)
    }
}

impl Columns {
    fn money_cells(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, second) = match self.money {
            Money::Signed { amount, .. } => (amount, None),
            Money::Split { debit, credit } => (debit, Some(credit)),
        };
        [Some(first), second, self.balance].into_iter().flatten()
    }

    /// Whether a cell at the very end of a file may be the beginning of another: an amount without both
    /// decimals, one like `1.23` (of `1.234.567`) in a file that does not write so, a year of two digits.
    fn may_be_cut(&self, index: usize, text: &str, style: Option<Style>) -> bool {
        let digits = |text: &str| text.bytes().rev().take_while(u8::is_ascii_digit).count();
        if self.money_cells().any(|money| money == index) {
            let Some((whole, decimals)) = text.rsplit_once(['.', ',']) else {
                return digits(text) > 0;
            };
            let sign = if text[whole.len()..].starts_with('.') { Style::Point } else { Style::Comma };
            let other = whole.contains(['.', ',']) || digits(whole) > 3 || style == Some(sign);
            return digits(decimals) > 0 && !(decimals.len() == 2 && other);
        }
        let whole_date = digits(text) == 4 || text.contains(':') || text.as_bytes().get(4) == Some(&b'-');
        self.date == index && !whole_date
    }
}

fn why(fault: Fault) -> &'static str {
    match fault {
        Fault::Invalid => "is none",
        Fault::Ambiguous => {
            "can be read in two ways, and nothing else in the file tells which sign is the decimal one"
        }
    }
}

/// Which way, and how much: above zero.
fn moved(cells: &StringRecord, money: &Money, style: Option<Style>) -> Result<(Direction, Decimal), Problem> {
    let read = |index: usize| -> Result<Option<(Cell<'_>, Decimal)>, Problem> {
        let text = cells.get(index).unwrap_or_default();
        let read =
            amount::cell(text).and_then(|cell| cell.map(|cell| Ok((cell, cell.amount(style)?))).transpose());
        read.map_err(|fault| problem(fault.reason(), format!("the amount {} {}", quoted(text), why(fault))))
    };
    let zero = |what: &str| Problem {
        reason: "invalid_amount",
        message: format!("{what} above zero"),
        effect: Some(Decimal::ZERO),
    };
    match *money {
        Money::Split { debit, credit } => {
            let above = |index: usize| Ok(read(index)?.filter(|(_, amount)| !amount.is_zero()));
            let (found, direction) = match (above(debit)?, above(credit)?) {
                (Some(found), None) => (found, Direction::Debit),
                (None, Some(found)) => (found, Direction::Credit),
                (None, None) => return Err(zero("neither the debit nor the credit is")),
                (Some(_), Some(_)) => {
                    return Err(problem("invalid_direction", "it has both a debit and a credit".to_owned()));
                }
            };
            agreed([Some(direction), found.0.direction]).map(|direction| (direction, found.1))
        }
        Money::Signed { amount, direction } => {
            let (cell, amount) =
                read(amount)?.ok_or_else(|| problem("invalid_amount", "it has no amount".to_owned()))?;
            let word = direction.and_then(|index| cells.get(index)).unwrap_or_default().trim();
            let named = amount::direction(word);
            if named.is_none() && !word.is_empty() {
                let message = format!("the type {} is neither credit (CR) nor debit (DB)", quoted(word));
                return Err(problem("invalid_direction", message));
            }
            if amount.is_zero() {
                return Err(zero("the amount is not"));
            }
            agreed([named, cell.direction]).map(|direction| (direction, amount))
        }
    }
}

/// The direction, if it is said at all and not said differently.
fn agreed(said: [Option<Direction>; 2]) -> Result<Direction, Problem> {
    match said {
        [Some(one), Some(other)] if one != other => {
            Err(problem("invalid_direction", "it is marked as credit and as debit".to_owned()))
        }
        [Some(direction), _] | [None, Some(direction)] => Ok(direction),
        [None, None] => {
            Err(problem("invalid_direction", "nothing says whether it is a credit or a debit".to_owned()))
        }
    }
}
