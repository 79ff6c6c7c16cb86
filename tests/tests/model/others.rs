//! The model of holds and reversals.

use wallet_ledger_tests::Decimal;

use crate::books::{
    Books, Cell, Expected, Fault, Hold, KINDS, Request, Row, Status, Stored, fault, replayed, text,
};
use crate::item::amount;

/// hold_funds, but for its key.
#[derive(Clone, Debug)]
pub struct HoldCall {
    pub account: String,
    pub amount: String,
    pub destination: Option<String>,
    pub kind: Option<String>,
    pub reference: Option<String>,
    pub key: Option<String>,
}

/// All faults of a call, where the contract does not say which is named first.
fn any_of(faults: Vec<Fault>) -> Result<(), Fault> {
    if faults.is_empty() {
        return Ok(());
    }
    let facts = if faults.len() == 1 { faults[0].facts.clone() } else { Vec::new() };
    Err(Fault {
        tokens: faults.iter().flat_map(|fault| fault.tokens.clone()).collect(),
        facts,
        fields: Vec::new(),
    })
}

/// The fault of a result, for [`any_of`].
fn note<T>(faults: &mut Vec<Fault>, result: Result<T, Fault>) -> Option<T> {
    result.map_err(|fault| faults.push(fault)).ok()
}

impl Books {
    /// Runs a call under its key, or answers from the key.
    pub fn once(
        &mut self,
        key: Option<&String>,
        request: Request,
        call: impl FnOnce(&mut Books) -> Result<Vec<Row>, Fault>,
    ) -> Expected {
        if let Some((earlier, stored)) = key.and_then(|key| self.keys.get(key)) {
            return match (request.check_same(earlier), stored) {
                (Err(fault), _) => Expected::Refused(fault),
                (Ok(()), Stored::Rows(rows)) => {
                    Expected::Rows(rows.iter().map(|row| replayed(row.clone(), true)).collect())
                }
                (Ok(()), other) => unreachable!("{other:?}"),
            };
        }
        match call(self) {
            Err(fault) => Expected::Refused(fault),
            Ok(rows) => {
                if let Some(key) = key {
                    self.keys.insert(key.clone(), (request, Stored::Rows(rows.clone())));
                }
                Expected::Rows(rows.into_iter().map(|row| replayed(row, false)).collect())
            }
        }
    }

    pub fn hold(&mut self, call: &HoldCall) -> Expected {
        let request = Request::new("hold_funds")
            .field("account", Some(&call.account))
            .amount(Some(&call.amount))
            .field("destination", call.destination.as_ref())
            .field("kind", Some(call.kind.as_deref().unwrap_or("capture")))
            .field("reference", call.reference.as_ref());
        let striped = self.accounts.get(&call.account).is_some_and(|account| !account.plain());
        if striped {
            return match self.check_hold(call) {
                Err(fault) => Expected::Refused(fault),
                Ok(amount) => {
                    let hold = self.new_hold(call, amount, self.names);
                    Expected::Perhaps(replayed(self.hold_row(&hold, "open"), false))
                }
            };
        }
        self.once(call.key.as_ref(), request, |books| {
            let amount = books.check_hold(call)?;
            Ok(vec![books.reserve(call, amount)])
        })
    }

    /// The server has made the hold that the model could not tell.
    pub fn accept_hold(&mut self, call: &HoldCall) {
        let amount = self.check_hold(call).expect("it was checked before");
        self.reserve(call, amount);
    }

    fn check_hold(&self, call: &HoldCall) -> Result<Decimal, Fault> {
        let mut faults = Vec::new();
        let wanted = note(&mut faults, amount(&call.amount));
        let kind = call.kind.as_deref().unwrap_or("capture");
        if kind != "capture" && !KINDS.contains(&kind) {
            faults.push(fault(if kind == "reversal" { "reserved_kind" } else { "kind_not_found" }));
        }
        if call.destination.as_ref() == Some(&call.account) {
            faults.push(fault("same_account"));
        }
        let mut scaled = None;
        if let Some(account) = note(&mut faults, self.existing(&call.account)) {
            note(&mut faults, self.check_open(&call.account));
            scaled = wanted.and_then(|wanted| note(&mut faults, self.scaled(&call.account, wanted)));
            if let (Some(amount), Some(floor)) = (scaled, account.floor)
                && account.available() - amount < floor
            {
                faults.push(fault("insufficient_funds").with("account", &call.account));
            }
            let other = call.destination.as_ref().and_then(|to| self.accounts.get(to));
            if other.is_some_and(|other| other.currency != account.currency) {
                faults.push(fault("currency_mismatch"));
            }
        }
        if let Some(destination) = &call.destination {
            note(&mut faults, self.existing(destination));
        }
        any_of(faults)?;
        Ok(scaled.expect("nothing is wrong with it"))
    }

    fn new_hold(&self, call: &HoldCall, amount: Decimal, name: usize) -> Hold {
        Hold {
            name,
            account: call.account.clone(),
            amount,
            destination: call.destination.clone(),
            kind: call.kind.clone().unwrap_or("capture".to_owned()),
            reference: call.reference.clone(),
            status: Status::Open,
        }
    }

    fn reserve(&mut self, call: &HoldCall, amount: Decimal) -> Row {
        self.accounts.get_mut(&call.account).expect("it exists").held += amount;
        let name = self.new_name();
        let hold = self.new_hold(call, amount, name);
        let row = self.hold_row(&hold, "open");
        self.holds.push(hold);
        row
    }

    fn hold_row(&self, hold: &Hold, status: &str) -> Row {
        let account = &self.accounts[&hold.account];
        let mut row = vec![
            ("id", Cell::Name(hold.name)),
            ("ledger", text("main")),
            ("account", text(&hold.account)),
            ("destination", hold.destination.as_ref().map_or(Cell::Null, text)),
            ("amount", text(hold.amount)),
            ("kind", text(&hold.kind)),
            ("status", text(status)),
            ("reference", hold.reference.as_ref().map_or(Cell::Null, text)),
            ("transfer_id", Cell::Null),
        ];
        if account.plain() {
            row.push(("held", text(account.held)));
            row.push(("available", text(account.available())));
        }
        row
    }

    /// The hold's time is over: from now on it counts as released, whatever else happens.
    pub fn pass(&mut self, index: usize) {
        let hold = &mut self.holds[index];
        if hold.status == Status::Open {
            hold.status = Status::Expired;
            self.accounts.get_mut(&hold.account).expect("it exists").held -= hold.amount;
        }
    }

    pub fn capture(
        &mut self,
        index: Option<usize>,
        wanted: Option<&str>,
        destination: Option<&String>,
        key: Option<&String>,
    ) -> Expected {
        let request = Request::new("capture_hold")
            .field("hold_id", index)
            .amount(wanted)
            .field("destination", destination);
        self.once(key, request, |books| books.capture_now(index, wanted, destination))
    }

    fn capture_now(
        &mut self,
        index: Option<usize>,
        wanted: Option<&str>,
        destination: Option<&String>,
    ) -> Result<Vec<Row>, Fault> {
        let mut faults = Vec::new();
        let form = wanted.and_then(|wanted| note(&mut faults, amount(wanted)));
        let Some(index) = index else {
            faults.push(fault("hold_not_found"));
            any_of(faults)?;
            unreachable!("there is a fault");
        };
        let hold = self.holds[index].clone();
        match hold.status {
            Status::Open => {}
            Status::Expired => faults.push(fault("hold_expired")),
            Status::Captured | Status::Released => faults.push(fault("already_resolved")),
        }
        let to = match (&hold.destination, destination) {
            (Some(fixed), Some(given)) if fixed != given => None,
            (fixed, given) => fixed.as_ref().or(given),
        };
        match to {
            None => faults.push(fault("destination_required")),
            Some(to) if *to == hold.account => faults.push(fault("same_account")),
            Some(to) => {
                note(&mut faults, self.existing(to));
            }
        }
        let scaled = form.and_then(|form| note(&mut faults, self.scaled(&hold.account, form)));
        let amount = scaled.unwrap_or(hold.amount);
        if amount > hold.amount {
            faults.push(fault("capture_exceeds_hold"));
        }
        any_of(faults)?;
        let to = to.expect("checked").clone();
        // The hold makes room for the movement; if that is refused, it stays.
        self.accounts.get_mut(&hold.account).expect("it exists").held -= hold.amount;
        let (debit, credit) = if self.accounts[&hold.account].debit_normal {
            (&to, &hold.account)
        } else {
            (&hold.account, &to)
        };
        match self.move_money(debit, credit, amount, None) {
            Err(fault) => {
                self.accounts.get_mut(&hold.account).expect("it exists").held += hold.amount;
                Err(fault)
            }
            Ok(amount) => {
                self.holds[index].status = Status::Captured;
                Ok(vec![self.book(debit, credit, amount, &hold.kind, hold.reference.as_deref(), None)])
            }
        }
    }

    pub fn release(&mut self, index: Option<usize>, key: Option<&String>) -> Expected {
        let request = Request::new("release_hold").field("hold_id", index);
        self.once(key, request, |books| {
            let Some(index) = index else { return Err(fault("hold_not_found")) };
            let hold = books.holds[index].clone();
            let status = match hold.status {
                Status::Open => {
                    books.accounts.get_mut(&hold.account).expect("it exists").held -= hold.amount;
                    books.holds[index].status = Status::Released;
                    return Ok(vec![books.hold_row(&hold, "released")]);
                }
                Status::Expired => "expired",
                Status::Captured => "captured",
                Status::Released => "released",
            };
            Err(fault("already_resolved").with("status", status))
        })
    }

    pub fn reverse(&mut self, index: Option<usize>, wanted: Option<&str>, key: Option<&String>) -> Expected {
        let request = Request::new("reverse_transfer").field("transfer_id", index).amount(wanted);
        self.once(key, request, |books| {
            let mut faults = Vec::new();
            let form = wanted.and_then(|wanted| note(&mut faults, amount(wanted)));
            match index {
                None => faults.push(fault("transfer_not_found")),
                Some(index) if books.transfers[index].is_correction => faults.push(fault("not_reversible")),
                Some(index) => {
                    let original = &books.transfers[index];
                    let remaining = original.amount - original.reversed;
                    let scaled = form.and_then(|form| note(&mut faults, books.scaled(&original.debit, form)));
                    if remaining.is_zero() || scaled.is_some_and(|scaled| scaled > remaining) {
                        faults.push(fault("reversal_exceeds_original").with("remaining", remaining));
                    }
                }
            }
            any_of(faults)?;
            books.reverse_now(index.expect("it exists"), form, None).map(|row| vec![row])
        })
    }

    fn reverse_now(
        &mut self,
        index: usize,
        wanted: Option<Decimal>,
        transaction: Option<usize>,
    ) -> Result<Row, Fault> {
        let original = self.transfers[index].clone();
        let amount = wanted.unwrap_or(original.amount - original.reversed);
        let amount = self.move_money(&original.credit, &original.debit, amount, None)?;
        self.transfers[index].reversed += amount;
        let reference = original.reference.as_deref();
        Ok(self.book(&original.credit, &original.debit, amount, "reversal", reference, transaction))
    }

    /// The transfers of the transaction that this one belongs to, the last one first.
    fn transaction_of(&self, member: usize) -> Vec<usize> {
        let same = |index: &usize| self.transfers[*index].transaction == self.transfers[member].transaction;
        let mut all: Vec<usize> = (member..self.transfers.len()).take_while(same).collect();
        all.reverse();
        all.extend((0..member).rev().take_while(same));
        all
    }

    /// What remains of every transfer of a transaction, the last one first, as one new transaction.
    pub fn reverse_all(&mut self, member: Option<usize>, key: Option<&String>) -> Expected {
        let transaction = member.map(|index| self.transfers[index].transaction);
        let request = Request::new("reverse_transaction").field("transaction_id", transaction);
        self.once(key, request, |books| {
            let Some(member) = member else { return Err(fault("transaction_not_found")) };
            let all = books.transaction_of(member);
            if all.iter().any(|index| books.transfers[*index].is_correction) {
                return Err(fault("not_reversible"));
            }
            let rest: Vec<usize> = all
                .into_iter()
                .filter(|i| books.transfers[*i].reversed < books.transfers[*i].amount)
                .collect();
            if rest.is_empty() {
                return Err(fault("reversal_exceeds_original"));
            }
            let before = (books.accounts.clone(), books.transfers.len(), books.names);
            let together = (rest.len() > 1).then(|| books.new_name());
            let mut rows = Vec::new();
            for (done, index) in rest.iter().enumerate() {
                let reversed = books.transfers[*index].reversed;
                match books.reverse_now(*index, None, together) {
                    Ok(row) => rows.push((row, reversed)),
                    Err(fault) => {
                        books.accounts = before.0;
                        books.transfers.truncate(before.1);
                        books.names = before.2;
                        for (index, (_, reversed)) in rest[..done].iter().zip(&rows) {
                            books.transfers[*index].reversed = *reversed;
                        }
                        return Err(fault);
                    }
                }
            }
            Ok(rows.into_iter().map(|(row, _)| row).collect())
        })
    }
}
