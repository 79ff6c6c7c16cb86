//! The model of post_transfer, preview_transfer and post_transfers.

use std::collections::HashMap;

use wallet_ledger_tests::{Decimal, Value, json};

use crate::books::{
    Books, Cell, Expected, Fault, KINDS, Outcome, Request, Row, Stored, fault, replayed, text,
};

/// One requested transfer.
#[derive(Clone, Debug, Default)]
pub struct Item {
    pub debit: String,
    pub credit: String,
    pub amount: String,
    pub kind: Option<String>,
    pub key: Option<String>,
    pub reference: Option<String>,
    /// A day of January 2024.
    pub effective: Option<i64>,
    pub expected_version: Option<i64>,
    /// Items with the same number belong together.
    pub transaction: Option<u32>,
}

pub fn day(number: i64) -> String {
    format!("2024-01-{number:02}T00:00:00+00:00")
}

pub fn literal(value: Option<impl ToString>) -> String {
    value.map_or("NULL".to_owned(), |value| format!("'{}'", value.to_string()))
}

impl Item {
    fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("transfer")
    }

    pub fn request(&self) -> Request {
        Request::new("post_transfer")
            .field("debit_account", Some(&self.debit))
            .field("credit_account", Some(&self.credit))
            .amount(Some(&self.amount))
            .field("kind", Some(self.kind()))
            .field("reference", self.reference.as_ref())
            .field("effective_at", self.effective)
            .field("expected_version", self.expected_version)
            .field("transaction", self.transaction)
    }

    pub fn arguments(&self) -> String {
        format!(
            "'{}', '{}', '{}', '{}', {}, {}, NULL, NULL, {}, {}",
            self.debit,
            self.credit,
            self.amount,
            self.kind(),
            literal(self.key.as_ref()),
            literal(self.reference.as_ref()),
            literal(self.effective.map(day)),
            literal(self.expected_version),
        )
    }

    pub fn json(&self) -> Value {
        let mut item =
            json!({"debit_account": self.debit, "credit_account": self.credit, "amount": self.amount});
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                item[name] = value;
            }
        };
        set("kind", self.kind.clone().map(Value::from));
        set("idempotency_key", self.key.clone().map(Value::from));
        set("reference", self.reference.clone().map(Value::from));
        set("effective_at", self.effective.map(|number| day(number).into()));
        set("expected_version", self.expected_version.map(Value::from));
        set("transaction", self.transaction.map(|label| format!("t{label}").into()));
        item
    }

    /// What can be judged without the accounts, in the documented order: form, kind, closed period.
    fn check(&self, books: &Books) -> Result<Decimal, Fault> {
        let amount = amount(&self.amount)?;
        for (name, address) in [("debit_account", &self.debit), ("credit_account", &self.credit)] {
            if address.contains(' ') {
                return Err(fault("invalid_address").with("argument", name));
            }
        }
        if self.debit == self.credit {
            return Err(fault("same_account"));
        }
        match self.kind() {
            "reversal" => return Err(fault("reserved_kind")),
            kind if !KINDS.contains(&kind) => return Err(fault("kind_not_found").with("kind", kind)),
            _ => {}
        }
        match (self.effective, books.closed_until) {
            (Some(day), Some(until)) if day < until => Err(fault("period_closed")),
            _ => Ok(amount),
        }
    }
}

/// A finite number above zero that fits.
pub fn amount(written: &str) -> Result<Decimal, Fault> {
    match written {
        "NaN" => return Err(fault("invalid_amount").with("reason", "NaN")),
        "Infinity" => return Err(fault("invalid_amount").with("reason", "infinite")),
        _ => {}
    }
    match Decimal::from_str_exact(written) {
        Err(_) => Err(fault("amount_out_of_range")),
        Ok(value) if value.is_zero() => Err(fault("invalid_amount").with("reason", "zero")),
        Ok(value) if value < Decimal::ZERO => Err(fault("invalid_amount").with("reason", "negative")),
        Ok(value) => Ok(value),
    }
}

impl Books {
    /// post_transfer, or what it would come to.
    pub fn post(&mut self, item: &Item, preview: bool) -> Expected {
        let result = match item.key.as_ref().and_then(|key| self.keys.get(key)) {
            Some((earlier, stored)) => item.request().check_same(earlier).and_then(|()| match stored {
                Stored::Item(Outcome::Rejected { fault, .. }) => Err(fault.clone()),
                Stored::Item(Outcome::Posted(row) | Outcome::Replayed(row)) => {
                    Ok(replayed(row.clone(), true))
                }
                other => unreachable!("{other:?} under the key of an item"),
            }),
            None if preview => {
                let mut trial = Books { accounts: self.accounts.clone(), ..Books::default() };
                item.check(self).and_then(|amount| {
                    let amount =
                        trial.move_money(&item.debit, &item.credit, amount, item.expected_version)?;
                    let reference = item.reference.as_deref();
                    let row = trial.receipt(&item.debit, &item.credit, amount, item.kind(), reference, None);
                    Ok(replayed(dated(row, item), false))
                })
            }
            None => item.check(self).and_then(|amount| self.post_item(item, amount, None)).map(|row| {
                if let Some(key) = &item.key {
                    let stored = Stored::Item(Outcome::Posted(row.clone()));
                    self.keys.insert(key.clone(), (item.request(), stored));
                }
                replayed(row, false)
            }),
        };
        match result {
            Ok(row) => Expected::Rows(vec![row]),
            Err(fault) => Expected::Refused(fault),
        }
    }

    fn post_item(&mut self, item: &Item, amount: Decimal, transaction: Option<usize>) -> Result<Row, Fault> {
        let amount = self.move_money(&item.debit, &item.credit, amount, item.expected_version)?;
        let reference = item.reference.as_deref();
        let row = self.book(&item.debit, &item.credit, amount, item.kind(), reference, transaction);
        Ok(dated(row, item))
    }

    /// post_transfers. A call that is refused leaves nothing behind.
    pub fn post_many(&mut self, items: &[Item], report: bool, key: Option<&String>) -> Expected {
        let request = Request::new("post_transfers")
            .field("transfers", Some(Value::Array(items.iter().map(canonical).collect())))
            .field("on_error", Some(if report { "report" } else { "raise" }));
        if let Some((earlier, stored)) = key.and_then(|key| self.keys.get(key)) {
            return match (request.check_same(earlier), stored) {
                (Err(fault), _) => Expected::Refused(fault),
                (Ok(()), Stored::Call(outcomes)) => {
                    Expected::Rows(outcomes.iter().cloned().map(again).enumerate().map(outcome_row).collect())
                }
                (Ok(()), other) => unreachable!("{other:?} under the key of a call"),
            };
        }
        if let Some(key) = key {
            self.keys.insert(key.clone(), (request.clone(), Stored::Call(Vec::new())));
        }
        let before = (self.accounts.clone(), self.transfers.len(), self.names);
        match self.run_batch(items, report) {
            Err((_, fault)) => {
                self.accounts = before.0;
                self.transfers.truncate(before.1);
                self.names = before.2;
                if let Some(key) = key {
                    self.keys.remove(key);
                }
                Expected::Refused(fault)
            }
            Ok(outcomes) => {
                if let Some(key) = key {
                    self.keys.insert(key.clone(), (request, Stored::Call(outcomes.clone())));
                }
                Expected::Rows(outcomes.into_iter().enumerate().map(outcome_row).collect())
            }
        }
    }

    fn run_batch(&mut self, items: &[Item], report: bool) -> Result<Vec<Outcome>, (usize, Fault)> {
        let mut batch = Batch { report, outcomes: vec![None; items.len()], same_as: vec![None; items.len()] };
        batch.settle_keys(self, items)?;
        let groups = groups(items);
        batch.settle_mixed(&groups)?;
        let mut amounts = vec![Decimal::ZERO; items.len()];
        for (index, item) in items.iter().enumerate() {
            if !batch.is_settled(index) {
                match item.check(self) {
                    Ok(amount) => amounts[index] = amount,
                    Err(fault) => batch.refuse(index, fault)?,
                }
            }
        }
        for group in &groups {
            batch.decide(self, items, &amounts, group)?;
        }
        Ok(batch.finish(self, items))
    }
}

/// An item as it counts in the fingerprint of a call: with the key of its own.
fn canonical(item: &Item) -> Value {
    json!([format!("{:?}", item.request()), item.key])
}

fn dated(mut row: Row, item: &Item) -> Row {
    if let Some(number) = item.effective {
        row.push(("effective_at", text(day(number))));
    }
    row
}

/// Runs of items that share a transaction.
fn groups(items: &[Item]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if item.transaction.is_some() && items[group[0]].transaction == item.transaction => {
                group.push(index);
            }
            _ => groups.push(vec![index]),
        }
    }
    groups
}

struct Batch {
    report: bool,
    outcomes: Vec<Option<Outcome>>,
    same_as: Vec<Option<usize>>,
}

impl Batch {
    fn is_settled(&self, index: usize) -> bool {
        self.outcomes[index].is_some() || self.same_as[index].is_some()
    }

    fn refuse(&mut self, index: usize, mut fault: Fault) -> Result<(), (usize, Fault)> {
        if !self.report {
            fault.facts.retain(|(name, _)| *name != "position");
            return Err((index, fault.with("position", index + 1)));
        }
        self.outcomes[index] = Some(Outcome::Rejected { fault, replayed: false });
        Ok(())
    }

    /// Idempotency is checked first, for every item.
    fn settle_keys(&mut self, books: &Books, items: &[Item]) -> Result<(), (usize, Fault)> {
        let mut first_with: HashMap<&String, usize> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            let Some(key) = &item.key else { continue };
            let earlier = match first_with.get(key) {
                Some(first) => {
                    self.same_as[index] = Some(*first);
                    item.request().check_same(&items[*first].request()).map(|()| None)
                }
                None => {
                    first_with.insert(key, index);
                    match books.keys.get(key) {
                        None => Ok(None),
                        Some((request, stored)) => item.request().check_same(request).map(|()| Some(stored)),
                    }
                }
            };
            match earlier {
                Err(fault) => self.refuse(index, fault)?,
                Ok(Some(Stored::Item(outcome))) => match again(outcome.clone()) {
                    Outcome::Rejected { fault, .. } if !self.report => self.refuse(index, fault)?,
                    outcome => self.outcomes[index] = Some(outcome),
                },
                Ok(Some(other)) => unreachable!("{other:?} under the key of an item"),
                Ok(None) => {}
            }
        }
        Ok(())
    }

    /// A transaction is replayed as a whole or posted as a whole.
    fn settle_mixed(&mut self, groups: &[Vec<usize>]) -> Result<(), (usize, Fault)> {
        for group in groups.iter().filter(|group| group.len() > 1) {
            let settled = group.iter().filter(|index| self.is_settled(**index)).count();
            if settled == 0 || settled == group.len() {
                continue;
            }
            for index in group {
                if self.outcomes[*index].is_none() {
                    let mut conflict = fault("idempotency_conflict");
                    conflict.fields = vec!["transaction"];
                    self.refuse(*index, conflict)?;
                }
            }
        }
        Ok(())
    }

    /// One transaction: all of its items or none.
    fn decide(
        &mut self,
        books: &mut Books,
        items: &[Item],
        amounts: &[Decimal],
        group: &[usize],
    ) -> Result<(), (usize, Fault)> {
        let open: Vec<usize> = group.iter().copied().filter(|index| !self.is_settled(*index)).collect();
        let fresh =
            |outcome: &Option<Outcome>| matches!(outcome, Some(Outcome::Rejected { replayed: false, .. }));
        let refused = group.iter().copied().find(|index| group.len() > 1 && fresh(&self.outcomes[*index]));
        let mut culprit = refused.map(|index| (index, None));
        if open.is_empty() && culprit.is_none() {
            return Ok(());
        }
        let before = (books.accounts.clone(), books.transfers.len(), books.names);
        let transaction = (group.len() > 1).then(|| books.new_name());
        let mut rows: Vec<(usize, Row)> = Vec::new();
        for index in open.iter().copied().take_while(|_| culprit.is_none()).collect::<Vec<_>>() {
            match books.post_item(&items[index], amounts[index], transaction) {
                Ok(row) => rows.push((index, row)),
                Err(fault) => {
                    culprit = Some((index, Some(fault)));
                    break;
                }
            }
        }
        let Some((culprit, own)) = culprit else {
            for (index, row) in rows {
                self.outcomes[index] = Some(Outcome::Posted(row));
            }
            return Ok(());
        };
        books.accounts = before.0;
        books.transfers.truncate(before.1);
        books.names = before.2;
        if let (false, Some(own)) = (self.report, own.clone()) {
            return self.refuse(culprit, own);
        }
        for index in group.iter().copied() {
            if self.outcomes[index].is_some() {
                continue;
            }
            let because = fault("linked_item_failed").with("failed_position", culprit + 1);
            let fault = if index == culprit { own.clone().expect("it was open") } else { because };
            self.refuse(index, fault)?;
        }
        Ok(())
    }

    /// Repeated keys get the outcome of the first; what was decided is remembered under the keys.
    fn finish(mut self, books: &mut Books, items: &[Item]) -> Vec<Outcome> {
        for index in 0..items.len() {
            if let (Some(first), None) = (self.same_as[index], &self.outcomes[index]) {
                self.outcomes[index] = self.outcomes[first].clone().map(again);
            }
        }
        let outcomes: Vec<Outcome> =
            self.outcomes.into_iter().map(|outcome| outcome.expect("settled")).collect();
        for (index, item) in items.iter().enumerate() {
            if let (Some(key), None) = (&item.key, self.same_as[index]) {
                let stored = Stored::Item(outcomes[index].clone());
                books.keys.entry(key.clone()).or_insert((item.request(), stored));
            }
        }
        outcomes
    }
}

/// The outcome of the same request made again.
fn again(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Posted(row) | Outcome::Replayed(row) => Outcome::Replayed(row),
        Outcome::Rejected { fault, .. } => Outcome::Rejected { fault, replayed: true },
    }
}

fn outcome_row((index, outcome): (usize, Outcome)) -> Row {
    let mut row: Row = vec![("position", text(index + 1))];
    match outcome {
        Outcome::Posted(posted) => {
            row.extend([("outcome", text("posted")), ("error", Cell::Null)]);
            row.extend(replayed(posted, false));
        }
        Outcome::Replayed(posted) => {
            row.extend([("outcome", text("replayed")), ("error", Cell::Null)]);
            row.extend(replayed(posted, true));
        }
        Outcome::Rejected { fault, replayed } => {
            row.extend([
                ("outcome", text("rejected")),
                ("error", text(fault.tokens[0])),
                ("id", Cell::Null),
                ("debit_balance", Cell::Null),
                ("replayed", text(replayed)),
            ]);
        }
    }
    row
}
