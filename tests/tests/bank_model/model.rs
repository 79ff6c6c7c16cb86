//! Money in, as plain data: bank accounts, intents, mutations and balances. Written from the documentation; no
//! line of the extension's source. Amounts are in sen, times in microseconds since 1970.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Report, When};

pub const MINUTE: i64 = 60_000_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
/// How long an intent is open, and for how long after that a transfer may be dated.
pub const OPEN_FOR: i64 = 24 * HOUR;
pub const GRACE: i64 = HOUR;
pub const COOL_DOWN: i64 = 48 * HOUR;

pub const CODES: &str = "platform:revenue:unique_code";
pub const SHOP: &str = "shop";
pub const COSTS: &str = "platform:expense:bank_fees";
pub const WALLETS: [&str; 5] = ["wallets:m0", "wallets:m1", "wallets:m2", "wallets:m3", "wallets:moody"];
/// The one that is frozen now and then.
pub const MOODY: &str = WALLETS[4];

pub fn sen(text: &str) -> i64 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let rest: i64 = format!("{rest:0<2}").parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    let units: i64 = whole.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    units * 100 + if whole.starts_with('-') { -rest } else { rest }
}

pub fn text(sen: i64) -> String {
    let sign = if sen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", sen.abs() / 100, sen.abs() % 100)
}

/// A moment as PostgreSQL prints it.
pub fn micros(text: &str) -> i64 {
    chrono::DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z")
        .unwrap_or_else(|e| panic!("{text}: {e}"))
        .timestamp_micros()
}

pub fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

pub struct Bank {
    pub account: &'static str,
    pub id: &'static str,
    pub number: &'static str,
    pub opening: i64,
    /// Nothing that the bank dates before this day (since 1970, WIB) is taken in.
    pub opened_on: Option<i64>,
}

impl Bank {
    pub fn suspense(&self) -> String {
        format!("{}:suspense", self.account)
    }

    pub fn outgoing(&self) -> String {
        format!("{}:outgoing", self.account)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    Open,
    Pending,
    Rejected,
    Paid,
    Expired,
    Cancelled,
}

impl Life {
    pub const ALL: [Life; 6] =
        [Life::Open, Life::Pending, Life::Rejected, Life::Paid, Life::Expired, Life::Cancelled];

    pub fn name(self) -> &'static str {
        match self {
            Life::Open => "open",
            Life::Pending => "pending_verification",
            Life::Rejected => "rejected",
            Life::Paid => "paid",
            Life::Expired => "expired",
            Life::Cancelled => "cancelled",
        }
    }

    pub fn from_name(name: &str) -> Life {
        Life::ALL.into_iter().find(|life| life.name() == name).unwrap_or_else(|| panic!("{name}"))
    }

    /// May a credit pay it, or a person say that one does?
    pub fn is_payable(self) -> bool {
        !matches!(self, Life::Paid | Life::Cancelled)
    }

    pub fn is_live(self) -> bool {
        matches!(self, Life::Open | Life::Pending | Life::Rejected)
    }
}

#[derive(Clone, Debug)]
pub struct Intent {
    pub id: String,
    pub bank: usize,
    pub wallet: String,
    pub is_order: bool,
    pub reference: Option<String>,
    pub payer: Option<&'static str>,
    pub amount: i64,
    pub total: i64,
    /// The code's rupiah are the platform's.
    pub to_platform: bool,
    pub created: i64,
    pub expires: i64,
    /// The last moment at which a transfer that pays it may be dated.
    pub accepts: i64,
    pub closed: Option<i64>,
    /// As written down: one whose time is over may still say open.
    pub written: Life,
    pub paid_by: Option<usize>,
    pub paid: i64,
    /// Its time was moved by the test already.
    pub passed: bool,
    /// The call that made it, if it had a key.
    pub call: Option<String>,
}

impl Intent {
    pub fn life(&self, now: i64) -> Life {
        match self.written {
            Life::Open | Life::Rejected if self.expires <= now => Life::Expired,
            other => other,
        }
    }

    /// What pays it goes where.
    pub fn parts(&self, money: i64) -> Vec<(String, i64)> {
        if self.to_platform && money == self.total {
            return vec![(self.wallet.clone(), self.amount), (CODES.to_owned(), self.total - self.amount)];
        }
        vec![(self.wallet.clone(), money)]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Matched,
    Suspense,
    Review,
    Ignored,
    Assigned,
    Returned,
    Duplicate,
}

impl State {
    pub const ALL: [State; 7] = [
        State::Matched,
        State::Suspense,
        State::Review,
        State::Ignored,
        State::Assigned,
        State::Returned,
        State::Duplicate,
    ];

    pub fn name(self) -> &'static str {
        match self {
            State::Matched => "matched",
            State::Suspense => "suspense",
            State::Review => "review",
            State::Ignored => "ignored",
            State::Assigned => "assigned",
            State::Returned => "returned",
            State::Duplicate => "duplicate",
        }
    }

    pub fn from_name(name: &str) -> State {
        State::ALL.into_iter().find(|state| state.name() == name).unwrap_or_else(|| panic!("{name}"))
    }

    pub fn waits(self) -> bool {
        matches!(self, State::Suspense | State::Review)
    }
}

#[derive(Clone, Debug)]
pub struct Mutation {
    pub id: String,
    pub report: Report,
    pub when: When,
    pub state: State,
    pub reasons: Vec<String>,
    pub intent: Option<usize>,
    pub account: Option<String>,
    pub original: Option<usize>,
}

/// A body that was delivered, and the first answer to it.
#[derive(Clone)]
pub struct Body {
    pub id: String,
    pub text: String,
    pub reports: Vec<Report>,
    pub lines: serde_json::Value,
}

pub struct Model {
    pub banks: Vec<Bank>,
    pub intents: Vec<Intent>,
    pub mutations: Vec<Mutation>,
    pub bodies: Vec<Body>,
    /// On each account's normal side.
    pub balances: BTreeMap<String, i64>,
    pub frozen: BTreeSet<String>,
    /// What left each wallet for the shop.
    pub spent: BTreeMap<String, i64>,
    pub code_is_payers: bool,
    /// Mutations by bank account and the provider's id, intents by their id.
    pub known: BTreeMap<(usize, String), usize>,
    pub intent_ids: BTreeMap<String, usize>,
}

impl Model {
    pub fn new(banks: Vec<Bank>) -> Model {
        let mut balances: BTreeMap<String, i64> =
            [CODES, SHOP, COSTS].iter().chain(&WALLETS).map(|name| ((*name).to_owned(), 0)).collect();
        for bank in &banks {
            balances.extend([
                (bank.account.to_owned(), bank.opening),
                (bank.suspense(), 0),
                (bank.outgoing(), 0),
            ]);
        }
        Model {
            banks,
            intents: Vec::new(),
            mutations: Vec::new(),
            bodies: Vec::new(),
            balances,
            frozen: BTreeSet::new(),
            spent: BTreeMap::new(),
            code_is_payers: false,
            known: BTreeMap::new(),
            intent_ids: BTreeMap::new(),
        }
    }

    pub fn balance(&self, account: &str) -> i64 {
        self.balances[account]
    }

    pub fn add(&mut self, account: &str, amount: i64) {
        *self.balances.get_mut(account).unwrap_or_else(|| panic!("{account}")) += amount;
    }

    /// Can these amounts be taken from these accounts, or given to them? Frozen comes before the floor.
    pub fn refused(&self, changes: &[(String, i64)]) -> Option<&'static str> {
        if changes.iter().any(|(account, _)| self.frozen.contains(account)) {
            return Some("account_frozen");
        }
        let is_short = |(account, amount): &(String, i64)| {
            account.starts_with("wallets:") && self.balance(account) + amount < 0
        };
        changes.iter().any(is_short).then_some("insufficient_funds")
    }

    pub fn apply(&mut self, changes: &[(String, i64)]) {
        for (account, amount) in changes {
            self.add(account, *amount);
        }
    }

    pub fn add_intent(&mut self, intent: Intent) {
        self.intent_ids.insert(intent.id.clone(), self.intents.len());
        self.intents.push(intent);
    }

    pub fn add_mutation(&mut self, mutation: Mutation) -> usize {
        let key = (mutation.report.bank, mutation.report.id.clone());
        let place = self.mutations.len();
        assert!(self.known.insert(key, place).is_none(), "{:?} is taken in twice", mutation.report);
        self.mutations.push(mutation);
        place
    }

    /// Another live intent for the same order.
    pub fn order_in_the_way(&self, reference: &str) -> bool {
        let is_in_the_way = |intent: &Intent| {
            intent.is_order && intent.reference.as_deref() == Some(reference) && intent.written.is_live()
        };
        self.intents.iter().any(is_in_the_way)
    }

    /// Writes down which intents for this order are over, so that they are in nobody's way.
    pub fn write_down_order(&mut self, reference: &str, now: i64) {
        let same = |intent: &&mut Intent| intent.is_order && intent.reference.as_deref() == Some(reference);
        for intent in self.intents.iter_mut().filter(same) {
            write_down(intent, now);
        }
    }
}

/// Writes down that an intent is over, if it is; returns whether that is new.
pub fn write_down(intent: &mut Intent, now: i64) -> bool {
    let is_new = intent.life(now) == Life::Expired && intent.written != Life::Expired;
    if is_new {
        intent.written = Life::Expired;
        intent.closed = Some(intent.expires);
    }
    is_new
}
