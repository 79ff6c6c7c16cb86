//! What a row means for money under `post_on_status_change()`.

pub mod definition;

use super::template::Template;
use super::{Row, fill, is_null, key, named};
use crate::error::{Code, LedgerError, Result};
use crate::money::Number;
use definition::Definition;

/// What the row's status says about money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Posting,
    Reversing,
    Other,
}

/// What has to happen because of a row's change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Post,
    Reverse,
    /// The row stays in the posting status and says something else about the money: refused if it was
    /// posted, nothing if it never was.
    Compare,
}

/// What a row came from and what it is now.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// `None`: the row is new.
    pub old: Option<Phase>,
    pub new: Phase,
    pub key_changed: bool,
    /// Amount, accounts or ledger differ between the two.
    pub money_changed: bool,
}

/// The step that a transition asks for; `Err` where the row cannot be told apart from another one.
pub fn step(transition: Transition) -> std::result::Result<Option<Step>, KeyChanged> {
    let Transition { old, new, key_changed, money_changed } = transition;
    if key_changed && matters(old, new) {
        return Err(KeyChanged);
    }
    Ok(match (old, new) {
        (Some(Phase::Posting), Phase::Posting) => money_changed.then_some(Step::Compare),
        (_, Phase::Posting) => Some(Step::Post),
        (Some(Phase::Reversing), Phase::Reversing) => None,
        (_, Phase::Reversing) => Some(Step::Reverse),
        (_, Phase::Other) => None,
    })
}

/// Whether a transition says anything about money: everything else need not be read.
pub fn matters(old: Option<Phase>, new: Phase) -> bool {
    match (old, new) {
        (Some(Phase::Posting), _) | (_, Phase::Posting) => true,
        (old, Phase::Reversing) => old != Some(Phase::Reversing),
        (_, Phase::Other) => false,
    }
}

/// The row's primary key was changed where it decides over money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyChanged;

/// The columns of a row that the trigger reads, as text; the key in the order of the primary key.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub key: Vec<String>,
    /// `Err`: the column is text and holds no number.
    pub amount: Option<Result<Number>>,
    /// In the order of [`Definition::placeholders`].
    pub values: Vec<Option<String>>,
}

impl Snapshot {
    /// Whether both readings of a row ask for the same movement in the same ledger.
    pub fn same_money(&self, other: &Self) -> bool {
        self.amount == other.amount && self.values == other.values
    }
}

/// The transfer that a row asks for.
#[derive(Clone, Debug)]
pub struct Movement {
    pub debit_account: String,
    pub credit_account: String,
    pub amount: Number,
}

/// Reads the transfer out of a row. `table` and the key name the row in errors.
pub fn movement(definition: &Definition, row: &Snapshot, table: &str) -> Result<Movement> {
    let debit_account = filled(&definition.debit, definition, row, table)?;
    let credit_account = filled(&definition.credit, definition, row, table)?;
    let key = key::row_key(&row.key);
    let amount = row.amount.clone().ok_or_else(|| is_null(&definition.amount, &key, table))?;
    let amount = amount.map_err(|error| named(error, &key, table))?;
    Ok(Movement { debit_account, credit_account, amount })
}

/// The ledger that a row names; `None` is the session's.
pub fn ledger(definition: &Definition, row: &Snapshot, table: &str) -> Result<Option<String>> {
    definition.ledger.as_ref().map(|template| filled(template, definition, row, table)).transpose()
}

fn filled(template: &Template, definition: &Definition, row: &Snapshot, table: &str) -> Result<String> {
    let key = key::row_key(&row.key);
    fill(template, &definition.placeholders, &row.values, Row { key: &key, table })
}

/// The error for a row whose key was changed.
pub fn key_changed(old: Option<&str>, new: Option<&str>, table: &str) -> LedgerError {
    let named = |key: Option<&str>| key.unwrap_or("(none)").to_owned();
    LedgerError::new(
        Code::RowKeyChanged,
        format!("row {} of {table} has another primary key after the UPDATE", named(old.or(new))),
    )
    .with("table", table)
    .with("row", named(old.or(new)))
    .with("old_key", named(old))
    .with("new_key", named(new))
}

/// The error for a posted row that names another ledger than before.
pub fn other_ledger(key: &str) -> LedgerError {
    LedgerError::new(
        Code::IdempotencyConflict,
        format!("idempotency key {key} was used before with another ledger"),
    )
    .with("idempotency_key", key)
    .with("field", "ledger")
}

/// An error of the array engine, with the row in place of the item's position.
pub fn for_row<'a>(error: LedgerError, table: &str, row: impl Fn(usize) -> Option<&'a str>) -> LedgerError {
    let detail = error.detail();
    let Some(position) = detail["position"].as_u64() else { return error };
    let Some(row) = usize::try_from(position - 1).ok().and_then(row) else { return error };
    let message = error.message.strip_prefix(&format!("item {position}: ")).unwrap_or(&error.message);
    let mut plain = LedgerError::new(error.code, message);
    for (name, value) in detail.as_object().into_iter().flatten() {
        plain = match value {
            _ if name == "position" || name == "error" => plain,
            serde_json::Value::String(text) => plain.with(name, text),
            other => plain.with_count(name, other.as_i64().unwrap_or_default()),
        };
    }
    named(plain, row, table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;

    fn moved(old: Option<Phase>, new: Phase) -> Option<Step> {
        step(Transition { old, new, key_changed: false, money_changed: false }).unwrap()
    }

    #[test]
    fn only_reaching_a_status_does_something() {
        use Phase::{Other, Posting, Reversing};
        for old in [None, Some(Other), Some(Reversing)] {
            assert_eq!(moved(old, Posting), Some(Step::Post), "{old:?}");
        }
        assert_eq!(moved(Some(Posting), Posting), None);
        for old in [None, Some(Other), Some(Posting)] {
            assert_eq!(moved(old, Reversing), Some(Step::Reverse), "{old:?}");
        }
        assert_eq!(moved(Some(Reversing), Reversing), None);
        for old in [None, Some(Other), Some(Posting), Some(Reversing)] {
            assert_eq!(moved(old, Other), None, "{old:?}");
        }
    }

    #[test]
    fn a_changed_key_is_refused_where_it_decides_over_money() {
        use Phase::{Other, Posting, Reversing};
        let changed =
            |old, new| step(Transition { old: Some(old), new, key_changed: true, money_changed: false });
        for (old, new) in
            [(Posting, Posting), (Posting, Other), (Other, Posting), (Other, Reversing), (Posting, Reversing)]
        {
            assert_eq!(changed(old, new), Err(KeyChanged), "{old:?} {new:?}");
        }
        assert_eq!(changed(Other, Other), Ok(None));
        assert_eq!(changed(Reversing, Other), Ok(None));
    }

    fn row() -> (Definition, Snapshot) {
        let arguments =
            ["status", "paid", "banks:bca:1", "wallets:{owner_id}", "amount", "topup", "", "school-{school}"];
        let definition = Definition::parse(&arguments.map(str::to_owned)).unwrap();
        let row = Snapshot {
            key: vec!["42".to_owned()],
            amount: Some(Ok(Number::Finite(Decimal::from(500_000)))),
            values: vec![Some("7".to_owned()), Some("3".to_owned())],
        };
        (definition, row)
    }

    #[test]
    fn a_row_fills_its_templates() {
        let (definition, row) = row();
        let movement = movement(&definition, &row, "public.topups").unwrap();
        assert_eq!(movement.debit_account, "banks:bca:1");
        assert_eq!(movement.credit_account, "wallets:7");
        assert_eq!(ledger(&definition, &row, "public.topups").unwrap().as_deref(), Some("school-3"));
    }

    #[test]
    fn a_null_names_the_row_and_the_column() {
        let (definition, mut row) = row();
        row.amount = None;
        let error = movement(&definition, &row, "public.topups").unwrap_err();
        assert_eq!(error.code, Code::MissingArgument);
        assert_eq!(error.message, "row 42 of public.topups: column \"amount\" is null");
        row.values[0] = None;
        let error = movement(&definition, &row, "public.topups").unwrap_err();
        assert_eq!(
            (error.detail()["row"].as_str(), error.detail()["column"].as_str()),
            (Some("42"), Some("owner_id"))
        );
    }

    #[test]
    fn a_value_cannot_lead_out_of_its_template() {
        let (definition, mut row) = row();
        row.values[0] = Some("7:escrow".to_owned());
        assert_eq!(movement(&definition, &row, "t").unwrap_err().code, Code::InvalidAddress);
    }

    #[test]
    fn an_engines_error_names_the_row_instead_of_the_position() {
        let error = LedgerError::new(Code::InsufficientFunds, "wallets:1 has 5.00 available")
            .with("available", "5.00")
            .with_count("attempt", 2)
            .at_item(1);
        let error = for_row(error, "public.topups", |index| ["41", "42"].get(index).copied());
        assert_eq!(error.message, "row 42 of public.topups: wallets:1 has 5.00 available");
        let detail = error.detail();
        assert_eq!(detail["row"], "42");
        assert_eq!(detail["available"], "5.00");
        assert_eq!(detail["attempt"], 2);
        assert!(detail.get("position").is_none());
    }
}
