//! The model: a ledger in memory, written from the design and not from the extension's source.
//! What an account is, what a request means, and which refusal comes first.

use std::collections::{BTreeMap, HashMap};

use wallet_ledger_tests::Decimal;

pub const SCALES: [u32; 2] = [2, 0];
pub const CURRENCIES: [&str; 2] = ["IDR", "JPY"];
pub const KINDS: [&str; 4] = ["transfer", "payment", "refund", "own_kind"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Open,
    Frozen,
    Closed,
}

#[derive(Clone, Debug)]
pub struct Account {
    pub currency: usize,
    /// Asset and expense grow with debits, the others with credits.
    pub debit_normal: bool,
    pub floor: Option<Decimal>,
    pub ceiling: Option<Decimal>,
    pub stripes: u32,
    pub state: State,
    pub posted: Decimal,
    pub held: Decimal,
    pub version: i64,
}

impl Account {
    pub fn available(&self) -> Decimal {
        self.posted - self.held
    }

    pub fn plain(&self) -> bool {
        self.stripes == 1
    }

    pub fn decreases(&self, as_debit: bool) -> bool {
        self.debit_normal != as_debit
    }
}

/// A cell of a result: known text, or an id that the server makes up: learnt where it appears first,
/// the same wherever it appears again.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Text(String),
    /// A number, however many decimals it is written with.
    Number(Decimal),
    Null,
    Name(usize),
}

/// The columns of a result row that the model can tell.
pub type Row = Vec<(&'static str, Cell)>;

pub fn text(value: impl ToString) -> Cell {
    Cell::Text(value.to_string())
}

/// A refusal: one of these words (more than one where the contract leaves the order open), and what
/// the detail must say.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub tokens: Vec<&'static str>,
    pub facts: Vec<(&'static str, String)>,
    /// The fields that an idempotency conflict may name.
    pub fields: Vec<&'static str>,
}

pub fn fault(token: &'static str) -> Fault {
    Fault { tokens: vec![token], facts: Vec::new(), fields: Vec::new() }
}

impl Fault {
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Fault {
        self.facts.push((name, value.to_string()));
        self
    }
}

/// The same fault on both sides of a transfer: the contract does not say which account is named.
fn either(debit: Result<(), Fault>, credit: Result<(), Fault>) -> Result<(), Fault> {
    match (debit, credit) {
        (Err(first), Err(_)) => Err(Fault { facts: Vec::new(), ..first }),
        (first, second) => first.and(second),
    }
}

/// What a call must come to.
#[derive(Debug)]
pub enum Expected {
    Rows(Vec<Row>),
    Refused(Fault),
    /// A hold on a striped account: it needs a stripe that has the amount, which the model cannot tell.
    Perhaps(Row),
}

#[derive(Clone, Debug)]
pub struct Transfer {
    pub debit: String,
    pub credit: String,
    pub amount: Decimal,
    pub reversed: Decimal,
    pub is_correction: bool,
    pub reference: Option<String>,
    pub name: usize,
    pub transaction: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Open,
    Expired,
    Captured,
    Released,
}

#[derive(Clone, Debug)]
pub struct Hold {
    pub name: usize,
    pub account: String,
    pub amount: Decimal,
    pub destination: Option<String>,
    pub kind: String,
    pub reference: Option<String>,
    pub status: Status,
}

/// What makes two requests the same: the operation and its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub operation: &'static str,
    pub fields: Vec<(&'static str, Option<String>)>,
}

impl Request {
    pub fn new(operation: &'static str) -> Request {
        Request { operation, fields: Vec::new() }
    }

    pub fn field(mut self, name: &'static str, value: Option<impl ToString>) -> Request {
        self.fields.push((name, value.map(|value| value.to_string())));
        self
    }

    /// 100 and 100.00 are the same amount.
    pub fn amount(self, value: Option<&str>) -> Request {
        let canonical = |text: &str| match Decimal::from_str_exact(text) {
            Ok(number) => number.normalize().to_string(),
            Err(_) => text.to_owned(),
        };
        self.field("amount", value.map(canonical))
    }

    /// The conflict with an earlier request under the same key, if they differ.
    pub fn check_same(&self, earlier: &Request) -> Result<(), Fault> {
        if self == earlier {
            return Ok(());
        }
        let mut conflict = fault("idempotency_conflict");
        if self.operation == earlier.operation {
            let differing = self.fields.iter().zip(&earlier.fields).filter(|(a, b)| a != b);
            conflict.fields = differing.map(|((name, _), _)| *name).collect();
        } else {
            conflict.fields = vec!["operation"];
        }
        Err(conflict)
    }
}

/// What became of an item of a batch, or of a call that a key stands for.
#[derive(Clone, Debug)]
pub enum Outcome {
    Posted(Row),
    Replayed(Row),
    Rejected { fault: Fault, replayed: bool },
}

#[derive(Clone, Debug)]
pub enum Stored {
    Item(Outcome),
    Call(Vec<Outcome>),
    Rows(Vec<Row>),
}

#[derive(Clone, Default)]
pub struct Books {
    pub accounts: BTreeMap<String, Account>,
    pub transfers: Vec<Transfer>,
    pub holds: Vec<Hold>,
    pub keys: HashMap<String, (Request, Stored)>,
    pub closed_until: Option<i64>,
    /// How many ids the server has made up, in the model's counting.
    pub names: usize,
}

impl Books {
    pub fn new_name(&mut self) -> usize {
        self.names += 1;
        self.names - 1
    }

    /// The amount in the currency's decimals.
    pub fn scaled(&self, account: &str, amount: Decimal) -> Result<Decimal, Fault> {
        let scale = SCALES[self.accounts[account].currency];
        let mut scaled = amount.normalize();
        if scaled.scale() > scale {
            return Err(fault("invalid_amount").with("reason", "too_many_decimals"));
        }
        scaled.rescale(scale);
        Ok(scaled)
    }

    pub fn existing(&self, account: &str) -> Result<&Account, Fault> {
        let token = if account.contains(' ') { "invalid_address" } else { "account_not_found" };
        self.accounts.get(account).ok_or_else(|| fault(token).with("account", account))
    }

    pub fn check_open(&self, account: &str) -> Result<(), Fault> {
        match self.accounts[account].state {
            State::Open => Ok(()),
            State::Frozen => Err(fault("account_frozen").with("account", account)),
            State::Closed => Err(fault("account_closed").with("account", account)),
        }
    }

    /// Accounts exist, currency, decimals, closed or frozen, expected version, floor, ceiling: in this
    /// order. Moves the money if nothing is wrong.
    pub fn move_money(
        &mut self,
        debit: &str,
        credit: &str,
        amount: Decimal,
        expected_version: Option<i64>,
    ) -> Result<Decimal, Fault> {
        let (from, to) = (self.existing(debit)?, self.existing(credit)?);
        if from.currency != to.currency {
            return Err(fault("currency_mismatch")
                .with("debit_currency", CURRENCIES[from.currency])
                .with("credit_currency", CURRENCIES[to.currency]));
        }
        let amount = self.scaled(debit, amount)?;
        self.check_open(debit)?;
        self.check_open(credit)?;
        if let Some(expected) = expected_version {
            let account = &self.accounts[debit];
            if !account.plain() {
                return Err(fault("invalid_argument"));
            }
            if account.version != expected {
                return Err(fault("version_conflict").with("version", account.version));
            }
        }
        either(self.check_floor(debit, true, amount), self.check_floor(credit, false, amount))?;
        either(self.check_ceiling(debit, true, amount), self.check_ceiling(credit, false, amount))?;
        for (name, as_debit) in [(debit, true), (credit, false)] {
            let account = self.accounts.get_mut(name).expect("it exists");
            if account.decreases(as_debit) {
                account.posted -= amount;
            } else {
                account.posted += amount;
            }
            account.version += 1;
        }
        Ok(amount)
    }

    fn check_floor(&self, name: &str, as_debit: bool, amount: Decimal) -> Result<(), Fault> {
        let account = &self.accounts[name];
        match account.floor {
            Some(floor) if account.decreases(as_debit) && account.available() - amount < floor => {
                Err(fault("insufficient_funds")
                    .with("account", name)
                    .with("available", account.available())
                    .with("required", amount)
                    .with("shortfall", amount + floor - account.available()))
            }
            _ => Ok(()),
        }
    }

    fn check_ceiling(&self, name: &str, as_debit: bool, amount: Decimal) -> Result<(), Fault> {
        let account = &self.accounts[name];
        match account.ceiling {
            Some(ceiling) if !account.decreases(as_debit) && account.available() + amount > ceiling => {
                Err(fault("balance_limit_exceeded")
                    .with("account", name)
                    .with("available", account.available())
                    .with("maximum_balance", ceiling))
            }
            _ => Ok(()),
        }
    }

    /// Takes the transfer into the log and returns the row that the caller gets.
    pub fn book(
        &mut self,
        debit: &str,
        credit: &str,
        amount: Decimal,
        kind: &str,
        reference: Option<&str>,
        transaction: Option<usize>,
    ) -> Row {
        let name = self.new_name();
        let transaction = transaction.unwrap_or(name);
        self.transfers.push(Transfer {
            debit: debit.to_owned(),
            credit: credit.to_owned(),
            amount,
            reversed: Decimal::ZERO,
            is_correction: kind == "reversal",
            reference: reference.map(str::to_owned),
            name,
            transaction,
        });
        self.receipt(debit, credit, amount, kind, reference, Some((name, transaction)))
    }

    /// A transfer's row as it is now; without ids for a preview.
    pub fn receipt(
        &self,
        debit: &str,
        credit: &str,
        amount: Decimal,
        kind: &str,
        reference: Option<&str>,
        names: Option<(usize, usize)>,
    ) -> Row {
        let mut row = vec![
            ("id", names.map_or(Cell::Null, |(name, _)| Cell::Name(name))),
            ("transaction_id", names.map_or(Cell::Null, |(_, transaction)| Cell::Name(transaction))),
            ("ledger", text("main")),
            ("debit_account", text(debit)),
            ("credit_account", text(credit)),
            ("amount", text(amount)),
            ("currency", text(CURRENCIES[self.accounts[debit].currency])),
            ("kind", text(kind)),
            ("reference", reference.map_or(Cell::Null, text)),
        ];
        // What is left on a stripe, and its version, are the engine's own affair.
        if self.accounts[debit].plain() {
            row.push(("debit_balance", text(self.accounts[debit].posted)));
            row.push(("debit_version", text(self.accounts[debit].version)));
        }
        if self.accounts[credit].plain() {
            row.push(("credit_balance", text(self.accounts[credit].posted)));
            row.push(("credit_version", text(self.accounts[credit].version)));
        }
        row
    }
}

/// A row as the first call returned it or as a later one does.
pub fn replayed(mut row: Row, replayed: bool) -> Row {
    row.push(("replayed", text(replayed)));
    row
}
