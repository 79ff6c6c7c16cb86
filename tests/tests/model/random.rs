//! Random calls: mostly sensible ones, over few accounts, with a share of everything that is wrong.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use wallet_ledger_tests::Value;

use crate::books::{Books, Expected, KINDS, State, Status};
use crate::item::{Item, day, literal};
use crate::others::HoldCall;

/// One call. Holds, transfers and transactions are named by their place in the model; `None` is an id
/// that does not exist.
#[derive(Clone, Debug)]
pub enum Call {
    Post { item: Item, preview: bool },
    Batch { items: Vec<Item>, report: bool, key: Option<String> },
    Hold(HoldCall),
    Capture { hold: Option<usize>, amount: Option<String>, destination: Option<String>, key: Option<String> },
    Release { hold: Option<usize>, key: Option<String> },
    Pass { hold: usize },
    Expire,
    Reverse { transfer: Option<usize>, amount: Option<String>, key: Option<String> },
    ReverseAll { member: Option<usize>, key: Option<String> },
    State { change: &'static str, account: String },
    Close { until: i64 },
}

impl Call {
    /// The model's answer.
    pub fn apply(&self, books: &mut Books) -> Option<Expected> {
        Some(match self {
            Call::Post { item, preview } => books.post(item, *preview),
            Call::Batch { items, report, key } => books.post_many(items, *report, key.as_ref()),
            Call::Hold(call) => books.hold(call),
            Call::Capture { hold, amount, destination, key } => {
                books.capture(*hold, amount.as_deref(), destination.as_ref(), key.as_ref())
            }
            Call::Release { hold, key } => books.release(*hold, key.as_ref()),
            Call::Pass { hold } => {
                books.pass(*hold);
                return None;
            }
            // How many it finds depends on what postings have expired in passing.
            Call::Expire => return None,
            Call::Reverse { transfer, amount, key } => {
                books.reverse(*transfer, amount.as_deref(), key.as_ref())
            }
            Call::ReverseAll { member, key } => books.reverse_all(*member, key.as_ref()),
            Call::State { change, account } => books.change_state(change, account),
            Call::Close { until } => books.close_period(*until),
        })
    }

    /// The same call in SQL. `name` gives the server's id of a name of the model.
    pub fn sql(&self, books: &Books, name: impl Fn(usize) -> String) -> String {
        let nothing = || "00000000-0000-0000-0000-000000000000".to_owned();
        let hold = |index: &Option<usize>| index.map_or_else(nothing, |index| name(books.holds[index].name));
        let call = match self {
            Call::Post { item, preview: false } => format!("post_transfer({})", item.arguments()),
            Call::Post { item, preview: true } => format!("preview_transfer({})", item.arguments()),
            Call::Batch { items, report, key } => {
                let items = Value::Array(items.iter().map(Item::json).collect());
                let mode = if *report { "report" } else { "raise" };
                format!("post_transfers('{items}', {}, '{mode}')", literal(key.as_ref()))
            }
            Call::Hold(call) => format!(
                "hold_funds('{}', '{}', {}, NULL, {}, {}, {})",
                call.account,
                call.amount,
                literal(call.destination.as_ref()),
                literal(call.kind.as_ref()),
                literal(call.key.as_ref()),
                literal(call.reference.as_ref())
            ),
            Call::Capture { hold: index, amount, destination, key } => format!(
                "capture_hold('{}', {}, {}, {})",
                hold(index),
                literal(amount.as_ref()),
                literal(destination.as_ref()),
                literal(key.as_ref())
            ),
            Call::Release { hold: index, key } => {
                format!("release_hold('{}', NULL, {})", hold(index), literal(key.as_ref()))
            }
            Call::Pass { hold: index } => return format!("SELECT model.pass('{}')", hold(&Some(*index))),
            Call::Expire => "expire_holds(10000)".to_owned(),
            Call::Reverse { transfer, amount, key } => format!(
                "reverse_transfer('{}', {}, NULL, {})",
                transfer.map_or_else(nothing, |index| name(books.transfers[index].name)),
                literal(amount.as_ref()),
                literal(key.as_ref())
            ),
            Call::ReverseAll { member, key } => format!(
                "reverse_transaction('{}', NULL, {})",
                member.map_or_else(nothing, |index| name(books.transfers[index].transaction)),
                literal(key.as_ref())
            ),
            Call::State { change, account } => format!("{change}('{account}')"),
            Call::Close { until } => format!("close_period(NULL, '{}')", day(*until)),
        };
        format!("SELECT * FROM wallet_ledger.{call}")
    }

    /// Whether only the server can tell what it comes to: such a call goes alone.
    pub fn is_open(&self, books: &Books) -> bool {
        match self {
            Call::Hold(call) => books.accounts.get(&call.account).is_some_and(|account| !account.plain()),
            _ => false,
        }
    }

    fn key_mut(&mut self) -> Option<&mut Option<String>> {
        match self {
            Call::Post { item, .. } => Some(&mut item.key),
            Call::Batch { key, .. }
            | Call::Capture { key, .. }
            | Call::Release { key, .. }
            | Call::Reverse { key, .. }
            | Call::ReverseAll { key, .. } => Some(key),
            Call::Hold(call) => Some(&mut call.key),
            _ => None,
        }
    }
}

pub struct Source {
    pub rng: ChaCha8Rng,
    accounts: Vec<(String, usize)>,
    keys: u32,
    labels: u32,
    /// Calls with keys, to be made again.
    pub recent: Vec<Call>,
}

const RECENT_MAX: usize = 300;

impl Source {
    pub fn new(rng: ChaCha8Rng, books: &Books) -> Source {
        let accounts =
            books.accounts.iter().map(|(name, account)| (name.clone(), account.currency)).collect();
        Source { rng, accounts, keys: 0, labels: 0, recent: Vec::new() }
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.random_range(0..n) == 0
    }

    /// The next call. `known` says which names of the model the server's ids are known of.
    pub fn next(&mut self, books: &Books, known: usize) -> Call {
        if self.one_in(12) && !self.recent.is_empty() {
            return self.again();
        }
        let mut call = match self.rng.random_range(0..1000) {
            0..480 => Call::Post { item: self.item(books), preview: false },
            480..520 => Call::Post { item: self.item(books), preview: true },
            520..670 => self.batch(books),
            670..760 => Call::Hold(self.hold(books)),
            760..830 => Call::Capture {
                hold: self.some_hold(books, known),
                amount: self.part(),
                destination: if self.one_in(3) { Some(self.account()) } else { None },
                key: None,
            },
            830..865 => Call::Release { hold: self.some_hold(books, known), key: None },
            865..885 => match self.some_hold(books, known) {
                Some(hold) if books.holds[hold].status == Status::Open => Call::Pass { hold },
                _ => Call::Expire,
            },
            885..890 => Call::Expire,
            890..950 => {
                Call::Reverse { transfer: self.some_transfer(books, known), amount: self.part(), key: None }
            }
            950..970 => Call::ReverseAll { member: self.some_transfer(books, known), key: None },
            970..999 => self.state(books),
            _ => Call::Close { until: self.rng.random_range(5..25) },
        };
        let wanted = self.one_in(3);
        let open = call.is_open(books);
        let new_key = format!("key{}", self.keys);
        if let Some(key) = call.key_mut().filter(|_| wanted && !open) {
            *key = Some(new_key);
            self.keys += 1;
        }
        if call.key_mut().is_some_and(|key| key.is_some()) {
            self.remember(call.clone());
        }
        call
    }

    fn remember(&mut self, call: Call) {
        if self.recent.len() < RECENT_MAX {
            self.recent.push(call);
        } else {
            let place = self.rng.random_range(0..RECENT_MAX);
            self.recent[place] = call;
        }
    }

    /// A call made before, the same or with something changed under its key.
    fn again(&mut self) -> Call {
        let mut call = self.recent.choose(&mut self.rng).expect("some").clone();
        if !self.one_in(3) {
            return call;
        }
        match &mut call {
            Call::Post { item, .. } => match self.rng.random_range(0..4) {
                0 => item.amount = "77".to_owned(),
                1 => item.credit = self.account(),
                2 => item.reference = Some("changed".to_owned()),
                _ => item.kind = Some("refund".to_owned()),
            },
            Call::Batch { items, report, .. } => match self.rng.random_range(0..2) {
                0 => *report = !*report,
                _ => items[0].amount = "77".to_owned(),
            },
            Call::Hold(call) => call.amount = "77".to_owned(),
            Call::Capture { amount, .. } | Call::Reverse { amount, .. } => *amount = Some("1.5".to_owned()),
            Call::Release { key, .. } | Call::ReverseAll { key, .. } => {
                let item = Item {
                    debit: self.account(),
                    credit: self.account(),
                    key: key.clone(),
                    amount: "1".into(),
                    ..Item::default()
                };
                return Call::Post { item, preview: false };
            }
            _ => {}
        }
        call
    }

    fn account(&mut self) -> String {
        match self.rng.random_range(0..200) {
            0 => "nobody:1".to_owned(),
            1 => "no body".to_owned(),
            _ => self.accounts.choose(&mut self.rng).expect("some").0.clone(),
        }
    }

    fn amount(&mut self) -> String {
        match self.rng.random_range(0..100) {
            0 => ["0", "-1", "NaN", "Infinity", "0.001", "1.005", "111111111111111111111111111111"]
                .choose(&mut self.rng)
                .expect("some")
                .to_string(),
            1..40 => self.rng.random_range(1..400).to_string(),
            40..50 => format!("{}.50", self.rng.random_range(0..50)),
            _ => format!("{}.{:02}", self.rng.random_range(0..200), self.rng.random_range(1..100)),
        }
    }

    /// Part of a hold or of a transfer, or all of it.
    fn part(&mut self) -> Option<String> {
        if self.one_in(2) { None } else { Some(self.amount()) }
    }

    fn item(&mut self, books: &Books) -> Item {
        let debit = self.account();
        let mut credit = self.account();
        // Most transfers stay in one currency, in whole numbers where it has no decimals.
        let currency = |name: &str| books.accounts.get(name).map(|account| account.currency);
        let mut tries = 0;
        while (currency(&credit) != currency(&debit) || credit == debit) && tries < 20 {
            credit = self.account();
            tries += 1;
        }
        let mut amount = self.amount();
        if currency(&debit) == Some(1) && !self.one_in(20) {
            amount = self.rng.random_range(1..300).to_string();
        }
        let version = books.accounts.get(&debit).map_or(0, |account| account.version);
        Item {
            debit,
            credit,
            amount,
            kind: match self.rng.random_range(0..60) {
                0 => Some("reversal".to_owned()),
                1 => Some("no_such_kind".to_owned()),
                2..30 => KINDS.choose(&mut self.rng).map(|kind| (*kind).to_owned()),
                _ => None,
            },
            reference: if self.one_in(4) {
                Some(format!("ref {}", self.rng.random_range(0..50)))
            } else {
                None
            },
            effective: if self.one_in(25) { Some(self.rng.random_range(1..30)) } else { None },
            expected_version: match self.rng.random_range(0..60) {
                0 => Some(version + 1),
                1..4 => Some(version),
                _ => None,
            },
            ..Item::default()
        }
    }

    fn batch(&mut self, books: &Books) -> Call {
        let count = self.rng.random_range(1..=8);
        let linked = self.one_in(2);
        let mut items: Vec<Item> = Vec::new();
        for index in 0..count {
            let mut item = self.item(books);
            if self.one_in(3) {
                item.key = Some(format!("key{}", self.keys));
                self.keys += 1;
                if self.one_in(2) {
                    self.remember(Call::Post { item: item.clone(), preview: false });
                }
            }
            if self.one_in(15)
                && let Some(Call::Post { item: earlier, .. }) = self.recent.choose(&mut self.rng)
            {
                item = earlier.clone();
            }
            if index > 0 && self.one_in(20) {
                item = items[index - 1].clone();
            }
            item.transaction = None;
            if linked {
                if index == 0 || self.one_in(3) {
                    self.labels += 1;
                }
                item.transaction = if self.one_in(8) { None } else { Some(self.labels) };
                if item.transaction.is_none() {
                    self.labels += 1;
                }
            }
            items.push(item);
        }
        Call::Batch { items, report: self.one_in(2), key: None }
    }

    fn hold(&mut self, books: &Books) -> HoldCall {
        let item = self.item(books);
        let destination = if self.one_in(4) { None } else { Some(item.credit) };
        HoldCall {
            account: item.debit,
            amount: item.amount,
            destination,
            kind: item.kind,
            reference: item.reference,
            key: None,
        }
    }

    /// One of the latest holds whose id is known.
    fn some_hold(&mut self, books: &Books, known: usize) -> Option<usize> {
        let end = books.holds.partition_point(|hold| hold.name < known);
        if end == 0 || self.one_in(100) {
            return None;
        }
        Some(self.rng.random_range(end.saturating_sub(60)..end))
    }

    fn some_transfer(&mut self, books: &Books, known: usize) -> Option<usize> {
        let end = books.transfers.partition_point(|transfer| transfer.name < known);
        if end == 0 || self.one_in(100) {
            return None;
        }
        Some(self.rng.random_range(end.saturating_sub(200)..end))
    }

    /// Freezing and closing, and more often the way back.
    fn state(&mut self, books: &Books) -> Call {
        let shut = books.accounts.iter().find(|(_, account)| account.state != State::Open);
        if let Some((name, account)) = shut
            && !self.one_in(3)
        {
            let change = if account.state == State::Frozen { "unfreeze_account" } else { "reopen_account" };
            return Call::State { change, account: name.clone() };
        }
        let changes = ["freeze_account", "unfreeze_account", "close_account", "reopen_account"];
        let change = changes.choose(&mut self.rng).expect("some");
        Call::State { change, account: self.account() }
    }
}
