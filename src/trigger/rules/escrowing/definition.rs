//! What the arguments of an `escrow_on_status_change()` trigger say, and whether they fit the table.

use super::Step;
use crate::rate::rules::check_name;
use crate::setting::rules::interval::{self, DAY};
use crate::trigger::rules::column::{Column, Holds, Problem, find_all, no_number, shown};
use crate::trigger::rules::template::{Target, Template, columns_of};
use crate::trigger::rules::words::Words;

/// The arguments, as `check_trigger()` and the messages call them.
pub const ARGUMENTS: &str = "status_column=, opened=, reference=, buyer=, and lines= or beneficiary= with amount= \
     [, shipped=, released=, refunded=, fee=, tracking=, auto_release_after=, ledger=]";

const NAMES: [&str; 14] = [
    "status_column",
    "opened",
    "shipped",
    "released",
    "refunded",
    "reference",
    "buyer",
    "lines",
    "beneficiary",
    "amount",
    "fee",
    "tracking",
    "auto_release_after",
    "ledger",
];

/// Where nothing else is said, as for `open_escrow`.
const AUTO_RELEASE_MICROS: i64 = 7 * DAY;
const AUTO_RELEASE_MAX: i64 = 365 * DAY;

/// A trigger's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub status: String,
    /// In the order of [`Step::ALL`]; only the first is always there.
    values: [Option<String>; 4],
    pub reference: Template,
    pub buyer: Template,
    pub goods: Goods,
    /// The column of what the buyer pays.
    pub amount: Option<String>,
    /// The column of the carrier's number.
    pub tracking: Option<String>,
    pub auto_release_micros: i64,
    /// `None`: the session's ledger.
    pub ledger: Option<Template>,
    /// The columns that the templates name, each once.
    pub placeholders: Vec<String>,
    /// Those of them that say which escrow it is.
    pub identity: Vec<usize>,
}

/// For whom the money is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goods {
    /// A column has the lines, as `open_escrow` takes them.
    Lines(String),
    /// One seller gets all of it, less the fee.
    One { beneficiary: Template, fee: Option<String> },
}

/// Where the columns of a definition stand among the table's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub status: usize,
    pub lines: Option<usize>,
    pub amount: Option<usize>,
    pub tracking: Option<usize>,
    pub placeholders: Vec<usize>,
}

/// The status values of the steps, as the column shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values([Option<String>; 4]);

impl Values {
    pub fn step(&self, status: &[u8]) -> Option<Step> {
        let is = |value: &Option<String>| value.as_ref().is_some_and(|value| value.as_bytes() == status);
        Step::ALL.into_iter().zip(&self.0).find(|(_, value)| is(value)).map(|(step, _)| step)
    }
}

impl Definition {
    pub fn parse(arguments: &[String]) -> Result<Self, Problem> {
        let words = Words::of(arguments, &NAMES, ARGUMENTS)?;
        let status = words.need("status_column")?.to_owned();
        words.need(Step::Open.argument())?;
        let values = Step::ALL.map(|step| words.owned(step.argument()));
        let reference = Template::parse(words.need("reference")?, Target::Reference)?;
        let buyer = Template::parse(words.need("buyer")?, Target::Account)?;
        let goods = goods(&words)?;
        let after = words.get("auto_release_after").map(auto_release).transpose()?;
        let ledger = words.get("ledger").map(|text| Template::parse(text, Target::Ledger)).transpose()?;
        let beneficiary = match &goods {
            Goods::One { beneficiary, .. } => Some(beneficiary),
            Goods::Lines(_) => None,
        };
        let naming = [Some(&reference), ledger.as_ref()];
        let all = naming.into_iter().chain([Some(&buyer), beneficiary]).flatten();
        let placeholders = columns_of(all);
        // Templates that name the escrow come first, and so do their columns.
        let identity = (0..columns_of(naming.into_iter().flatten()).len()).collect();
        Ok(Self {
            status,
            values,
            amount: words.owned("amount"),
            tracking: words.owned("tracking"),
            auto_release_micros: after.unwrap_or(AUTO_RELEASE_MICROS),
            reference,
            buyer,
            goods,
            ledger,
            placeholders,
            identity,
        })
    }

    /// The status value that asks for a step.
    pub fn value(&self, step: Step) -> Option<&str> {
        self.values[step as usize].as_deref()
    }

    /// Where the columns stand in the table, or everything that does not fit.
    pub fn resolve(&self, columns: &[Column]) -> Result<Places, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut place = |name: &str, role: &str| {
            find_all(columns, std::iter::once((name, role)), &mut problems).first().copied()
        };
        let status = place(&self.status, "status column");
        let lines = match &self.goods {
            Goods::Lines(name) => place(name, "lines"),
            Goods::One { .. } => None,
        };
        let amount = self.amount.as_ref().and_then(|name| place(name, "amount column"));
        let tracking = self.tracking.as_ref().and_then(|name| place(name, "tracking"));
        let placeholders = self.placeholders.iter().map(|name| (name.as_str(), "placeholder"));
        let placeholders = find_all(columns, placeholders, &mut problems);
        if let Some(column) = lines.map(|place| &columns[place]).filter(|column| column.holds != Holds::Jsonb)
        {
            problems.push(no_jsonb(column));
        }
        if let Some(column) = amount.map(|place| &columns[place]).filter(|column| !column.can_be_amount()) {
            problems.push(no_number(column));
        }
        match status {
            Some(status) if problems.is_empty() => {
                Ok(Places { status, lines, amount, tracking, placeholders })
            }
            _ => Err(problems),
        }
    }

    /// The values as the status column shows them; each must stand for one step.
    pub fn shown_values(&self, status: &Column, is_label: impl Fn(&str) -> bool) -> Result<Values, Problem> {
        let mut values: [Option<String>; 4] = Default::default();
        for step in Step::ALL {
            let Some(value) = self.value(step) else { continue };
            let value = shown(value, status, &is_label)?;
            let same = |other: &Step| values[*other as usize].as_ref() == Some(&value);
            if let Some(other) = Step::ALL.iter().find(|other| same(other)) {
                return Err(Problem::new(
                    format!("'{value}' stands for {} and for {}", other.argument(), step.argument()),
                    "Name another value for one of them, or leave it out.",
                ));
            }
            values[step as usize] = Some(value);
        }
        Ok(Values(values))
    }
}

fn goods(words: &Words) -> Result<Goods, Problem> {
    let one = || {
        let problem = "it must name either a column of lines, or a beneficiary with an amount";
        Err(Problem::new(problem, format!("The arguments are: {ARGUMENTS}.")))
    };
    match (words.get("lines"), words.get("beneficiary"), words.get("fee")) {
        (Some(column), None, None) => Ok(Goods::Lines(column.to_owned())),
        (Some(_), None, Some(_)) => {
            let hint = "Write \"fee\" into the lines, each its own.";
            Err(Problem::new("'fee' goes with a beneficiary, not with lines", hint))
        }
        (None, Some(beneficiary), fee) if words.get("amount").is_some() => {
            if let Some(error) = fee.and_then(|fee| check_name(fee).err()) {
                return Err(Problem::new("the fee is no rate's name", format!("{}.", error.message)));
            }
            let beneficiary = Template::parse(beneficiary, Target::Account)?;
            Ok(Goods::One { beneficiary, fee: fee.map(str::to_owned) })
        }
        _ => one(),
    }
}

fn auto_release(text: &str) -> Result<i64, Problem> {
    interval::parse(text).filter(|micros| (0..=AUTO_RELEASE_MAX).contains(micros)).ok_or_else(|| {
        Problem::new(
            format!("auto_release_after is '{text}', which is no time between nothing and 365 days"),
            "Write it in days or hours, such as '7 days'.",
        )
    })
}

fn no_jsonb(column: &Column) -> Problem {
    Problem {
        column: Some(column.name.clone()),
        ..Problem::new(
            format!("column \"{}\" (lines) is of type {}, which is not jsonb", column.name, column.type_name),
            "Use a jsonb column, or name one beneficiary and an amount.",
        )
    }
}
