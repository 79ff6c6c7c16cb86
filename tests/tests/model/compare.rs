//! Compares what the server returned with what the model expects.

use std::collections::{BTreeMap, HashSet};

use wallet_ledger_tests::{Decimal, Value};

use crate::books::{Cell, Expected, Fault, Row};

/// The server's ids of the names that the model gave, and how often what came out.
#[derive(Default)]
pub struct Learnt {
    ids: Vec<Option<String>>,
    seen: HashSet<String>,
    tally: BTreeMap<String, u64>,
}

impl Learnt {
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn id(&self, name: usize) -> String {
        self.ids[name].clone().expect("only names that are known are used")
    }

    /// After a rollback: the names will be given again.
    pub fn forget_from(&mut self, names: usize) {
        self.ids.truncate(names);
    }

    pub fn print(&self) {
        for (what, count) in &self.tally {
            println!("{count:>8}  {what}");
        }
    }

    pub fn compare(&mut self, expected: &Expected, result: &Value) -> Result<(), String> {
        let what = match result["detail"].as_str() {
            Some(detail) => token(detail),
            None => "done".to_owned(),
        };
        *self.tally.entry(what).or_default() += 1;
        match expected {
            Expected::Refused(fault) => refusal(fault, result),
            Expected::Rows(rows) => self.rows(rows, result),
            Expected::Perhaps(row) if result.is_array() => self.rows(std::slice::from_ref(row), result),
            Expected::Perhaps(_) => refusal(&crate::books::fault("insufficient_funds"), result),
        }
    }

    fn rows(&mut self, rows: &[Row], result: &Value) -> Result<(), String> {
        let found = result.as_array().ok_or("refused")?;
        if found.len() != rows.len() {
            return Err(format!("{} rows, not {}", found.len(), rows.len()));
        }
        for (number, (row, found)) in rows.iter().zip(found).enumerate() {
            for (column, cell) in row {
                let is = found.get(*column).ok_or(format!("no column {column}"))?;
                if !self.same(cell, is) {
                    return Err(format!("row {}: {column} is {is}, not {cell:?}", number + 1));
                }
            }
            if let Some(outcome) = found.get("outcome").and_then(Value::as_str) {
                let error = found["error"].as_str().unwrap_or_default();
                *self.tally.entry(format!("item {outcome} {error}")).or_default() += 1;
            }
        }
        Ok(())
    }

    fn same(&mut self, cell: &Cell, is: &Value) -> bool {
        match cell {
            Cell::Null => is.is_null(),
            Cell::Number(number) => {
                is.as_str().is_some_and(|text| Decimal::from_str_exact(text) == Ok(*number))
            }
            Cell::Text(text) => is.as_str() == Some(text),
            Cell::Name(name) => {
                let Some(id) = is.as_str() else { return false };
                if self.ids.len() <= *name {
                    self.ids.resize(name + 1, None);
                }
                match &self.ids[*name] {
                    Some(known) => known == id,
                    // A new name must have a new id.
                    None => {
                        self.ids[*name] = Some(id.to_owned());
                        self.seen.insert(id.to_owned())
                    }
                }
            }
        }
    }
}

fn token(detail: &str) -> String {
    let detail: Value = parsed(detail);
    detail["error"].as_str().unwrap_or("?").to_owned()
}

fn parsed(detail: &str) -> Value {
    detail.parse().unwrap_or(Value::Null)
}

fn refusal(fault: &Fault, result: &Value) -> Result<(), String> {
    let Some(detail) = result["detail"].as_str() else {
        return Err(format!("not refused, or by PostgreSQL itself: {}", result["message"]));
    };
    let detail = parsed(detail);
    let token = detail["error"].as_str().unwrap_or_default();
    if !fault.tokens.contains(&token) {
        return Err(format!("refused with {token}, not {:?}", fault.tokens));
    }
    for (name, value) in &fault.facts {
        let is = match &detail[*name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if is != *value {
            return Err(format!("{name} is {is}, not {value}"));
        }
    }
    let field = detail["field"].as_str().unwrap_or_default();
    if token == "idempotency_conflict" && !fault.fields.contains(&field) {
        return Err(format!("the conflict names {field}, not one of {:?}", fault.fields));
    }
    Ok(())
}
