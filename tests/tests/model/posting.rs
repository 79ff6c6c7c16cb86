//! The model of post_transfer, preview_transfer and post_transfers.

use std::collections::HashMap;

use wallet_ledger_tests::{Decimal, Value, json};

use crate::books::{Books, Cell, Expected, Fault, Outcome, Request, Row, Stored, fault, replayed, text};
use crate::item::{Item, day};

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
        if open.is_empty() {
            return Ok(());
        }
        // Where one item is open, the others are too, but for those that were refused for their form.
        let refused = group.iter().copied().find(|index| self.outcomes[*index].is_some());
        let mut culprit = refused.map(|index| (index, None));
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
        for index in open {
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
