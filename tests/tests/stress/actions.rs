//! What a session of the soak does: one random call after another, and what each came to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use wallet_ledger_tests::lines::{Line, try_calls};
use wallet_ledger_tests::{Client, Value, json, sql_error};

/// The accounts of the soak, by currency: 100 in all.
pub struct Accounts {
    pub by_currency: [Vec<String>; 2],
    /// Those that are frozen and closed for a moment now and then.
    pub moody: Vec<String>,
}

/// What the sessions know of each other's work: the latest transfers, transactions and holds.
#[derive(Default)]
pub struct Known {
    transfers: Vec<String>,
    transactions: Vec<String>,
    holds: Vec<String>,
    keys: u64,
}

pub type Tally = BTreeMap<(&'static str, String), u64>;

pub struct Session {
    pub number: u64,
    pub client: Client,
    pub rng: ChaCha8Rng,
    pub accounts: Arc<Accounts>,
    pub known: Arc<Mutex<Known>>,
    pub tally: Tally,
    /// An error ends the transaction: nothing more can be called in it.
    pub in_transaction: bool,
}

const KNOWN_MAX: usize = 400;

impl Session {
    /// One call after another until the time is over.
    pub async fn run(mut self, until: Instant) -> Tally {
        while Instant::now() < until {
            self.act().await;
        }
        self.tally
    }

    /// One random call. Returns what it came to: `done`, or the word of the error with its cause.
    pub async fn act(&mut self) -> String {
        let (name, calls) = match self.rng.random_range(0..100) {
            0..30 => ("post_transfer", vec![self.transfer()]),
            30..40 => ("batch, raise", vec![self.batch("raise")]),
            40..50 => ("batch, report", vec![self.batch("report")]),
            50..64 => ("hold", vec![self.hold()]),
            64..76 => ("capture", vec![self.capture()]),
            76..82 => ("release", vec![self.release()]),
            82..89 => ("reverse_transfer", vec![self.reverse()]),
            89..92 => ("reverse_transaction", vec![self.reverse_all()]),
            92..94 => ("expire_holds", vec!["expire_holds(50)".to_owned()]),
            94..97 => ("freeze", self.moody("freeze_account", "unfreeze_account")),
            97..99 => ("close", self.moody("close_account", "reopen_account")),
            _ => ("close_period", vec!["close_period(NULL, now() - interval '2 days')".to_owned()]),
        };
        let mut outcome = String::new();
        for call in &calls {
            outcome = self.call(name, call).await;
            if self.in_transaction && outcome != "done" {
                break;
            }
        }
        outcome
    }

    async fn call(&mut self, name: &'static str, call: &str) -> String {
        let outcome = match try_calls(&self.client, call).await {
            Ok(rows) => {
                self.remember(name, &rows);
                "done".to_owned()
            }
            Err(error) => {
                let error = sql_error(&error);
                assert!(error.sqlstate.starts_with("PT"), "session {}: {call}: {error:#?}", self.number);
                match error.detail["cause"].as_str() {
                    Some(cause) => format!("{} ({cause})", error.token()),
                    None => error.token().to_owned(),
                }
            }
        };
        *self.tally.entry((name, outcome.clone())).or_default() += 1;
        outcome
    }

    fn remember(&mut self, name: &str, rows: &[Line]) {
        let mut known = self.known.lock().unwrap();
        let mut add = |list: fn(&mut Known) -> &mut Vec<String>, id: Option<&str>| {
            let Some(id) = id else { return };
            let list = list(&mut known);
            if list.len() < KNOWN_MAX {
                list.push(id.to_owned());
            } else {
                list[self.rng.random_range(0..KNOWN_MAX)] = id.to_owned();
            }
        };
        for row in rows {
            match name {
                "hold" => add(|known| &mut known.holds, row.get("id")),
                "post_transfer" | "batch, raise" | "batch, report" | "capture" => {
                    add(|known| &mut known.transfers, row.get("id"));
                    add(|known| &mut known.transactions, row.get("transaction_id"));
                }
                _ => {}
            }
        }
    }

    fn pair(&mut self) -> (String, String, u32) {
        let currency = usize::from(self.rng.random_range(0..10) == 0);
        let from = &self.accounts.by_currency[currency];
        loop {
            // A third of the traffic goes over the first ten accounts.
            let hot = if self.rng.random_range(0..3) == 0 { 10.min(from.len()) } else { from.len() };
            let debit = self.rng.random_range(0..hot);
            let credit = self.rng.random_range(0..from.len());
            if debit != credit {
                let scale = [2, 0][currency];
                return (from[debit].clone(), from[credit].clone(), scale);
            }
        }
    }

    fn amount(&mut self, scale: u32) -> String {
        let whole = self.rng.random_range(1..300);
        if scale == 0 { whole.to_string() } else { format!("{whole}.{:02}", self.rng.random_range(0..100)) }
    }

    /// A key of nobody's, an earlier one (replay or conflict), or none.
    fn key(&mut self) -> Option<String> {
        let mut known = self.known.lock().unwrap();
        match self.rng.random_range(0..10) {
            0..5 => None,
            5..9 => {
                known.keys += 1;
                Some(format!("key {}", known.keys))
            }
            _ => Some(format!("key {}", self.rng.random_range(0..=known.keys))),
        }
    }

    fn key_argument(&mut self) -> String {
        self.key().map_or(String::new(), |key| format!(", idempotency_key => '{key}'"))
    }

    fn transfer(&mut self) -> String {
        let (debit, credit, scale) = self.pair();
        let amount = self.amount(scale);
        let dated = match self.rng.random_range(0..30) {
            0 => ", effective_at => now() - interval '1 day'",
            1 => ", effective_at => now() - interval '3 days'",
            2 => ", expected_version => 7",
            _ => "",
        };
        format!("post_transfer('{debit}', '{credit}', {amount}{dated}{})", self.key_argument())
    }

    fn batch(&mut self, on_error: &str) -> String {
        let count = self.rng.random_range(2..=20);
        let linked = self.rng.random_range(0..3);
        let items: Vec<Value> = (0..count)
            .map(|index| {
                let (debit, credit, scale) = self.pair();
                let mut item =
                    json!({"debit_account": debit, "credit_account": credit, "amount": self.amount(scale)});
                match linked {
                    0 => item["transaction"] = json!(format!("t{}", index / 3)),
                    _ => item["idempotency_key"] = json!(self.key()),
                }
                item
            })
            .collect();
        let items = Value::Array(items).to_string();
        let key = if linked == 2 { String::new() } else { self.key_argument() };
        format!("post_transfers('{items}', on_error => '{on_error}'{key})")
    }

    fn hold(&mut self) -> String {
        let (account, destination, scale) = self.pair();
        let amount = self.amount(scale);
        let expiry = match self.rng.random_range(0..3) {
            0 => {
                format!(", expires_at => clock_timestamp() + interval '{} ms'", self.rng.random_range(5..200))
            }
            _ => String::new(),
        };
        let key = self.key_argument();
        format!("hold_funds('{account}', {amount}, '{destination}'{expiry}{key})")
    }

    fn known(&mut self, list: impl Fn(&Known) -> &Vec<String>) -> String {
        let known = self.known.lock().unwrap();
        let nobody = "00000000-0000-0000-0000-000000000000".to_owned();
        list(&known).choose(&mut self.rng).cloned().unwrap_or(nobody)
    }

    fn capture(&mut self) -> String {
        let id = self.known(|known| &known.holds);
        let part = if self.rng.random_range(0..3) == 0 { ", 1" } else { "" };
        format!("capture_hold('{id}'{part})")
    }

    fn release(&mut self) -> String {
        let id = self.known(|known| &known.holds);
        format!("release_hold('{id}'{})", self.key_argument())
    }

    fn reverse(&mut self) -> String {
        let id = self.known(|known| &known.transfers);
        let part = if self.rng.random_range(0..2) == 0 { ", 1" } else { "" };
        format!("reverse_transfer('{id}'{part}{})", self.key_argument())
    }

    fn reverse_all(&mut self) -> String {
        let id = self.known(|known| &known.transactions);
        format!("reverse_transaction('{id}')")
    }

    fn moody(&mut self, there: &str, back: &str) -> Vec<String> {
        let account = self.accounts.moody.choose(&mut self.rng).expect("some").clone();
        vec![format!("{there}('{account}')"), self.transfer(), format!("{back}('{account}')")]
    }
}
