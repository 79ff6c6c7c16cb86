//! The random walk: what is called next. It looks at the model so that most calls have something to do, and
//! makes the rest at random; it never asks what a call will come to.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::model::{COSTS, DAY, HOUR, Intent, Life, MINUTE, Model, Mutation, SHOP, State, WALLETS, now};
use super::ops::{NewIntent, Op};
use super::report::{Fault, Report, date};

const AMOUNTS: [i64; 8] =
    [50_000_00, 50_500_00, 75_000_00, 100_000_00, 120_000_00, 250_000_00, 1_000_000_00, 99_900_50];
const PAYERS: [&str; 2] = ["Budi Santoso", "Siti Aminah"];
/// In the grace, behind it, and behind the cool-down.
const PASSES: [i64; 3] = [24 * HOUR + 10 * MINUTE, 26 * HOUR, 80 * HOUR];

pub struct Walk {
    pub rng: ChaCha8Rng,
    /// Of the session: its ids are nobody else's.
    name: String,
    count: u32,
    orders: u32,
    /// What is to be called after this.
    then: Vec<Op>,
}

impl Walk {
    pub fn new(rng: ChaCha8Rng, name: &str, orders: u32) -> Walk {
        Walk { rng, name: name.to_owned(), count: 0, orders, then: Vec::new() }
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.rng.random_ratio(1, count)
    }

    /// A number of this session, used for nothing else.
    fn number(&mut self) -> String {
        self.count += 1;
        format!("{}{}", self.name, self.count)
    }

    /// One that fits, most of the time: else any. Recent ones are likelier.
    fn pick<T>(&mut self, all: &[T], fits: impl Fn(&T) -> bool) -> Option<usize> {
        if all.is_empty() {
            return None;
        }
        let tries = if self.one_in(4) { 1 } else { 60 };
        for _ in 0..tries {
            let back = self.rng.random_range(0..all.len());
            let back = if self.one_in(3) { back } else { back.min(self.rng.random_range(0..200)) };
            let place = all.len() - 1 - back;
            if fits(&all[place]) {
                return Some(place);
            }
        }
        Some(self.rng.random_range(0..all.len()))
    }

    fn intent(&mut self, model: &Model, fits: impl Fn(&Intent) -> bool) -> Option<usize> {
        self.pick(&model.intents, fits)
    }

    /// One in that state, most of the time, and in any other now and then.
    fn intent_in(&mut self, model: &Model, usual: Life) -> Option<usize> {
        let at = now();
        let wanted = if self.one_in(3) { *Life::ALL.choose(&mut self.rng)? } else { usual };
        self.intent(model, |intent| intent.life(at) == wanted)
    }

    fn mutation(&mut self, model: &Model, fits: impl Fn(&Mutation) -> bool) -> Option<usize> {
        self.pick(&model.mutations, |mutation| !mutation.id.is_empty() && fits(mutation))
    }

    pub fn next(&mut self, model: &Model) -> Op {
        if let Some(op) = self.then.pop() {
            return op;
        }
        loop {
            if let Some(op) = self.candidate(model) {
                return op;
            }
        }
    }

    fn candidate(&mut self, model: &Model) -> Option<Op> {
        let at = now();
        Some(match self.rng.random_range(0..100) {
            0..16 => Op::Create(self.new_intent(model)),
            16 => {
                let place = self.intent(model, |intent| intent.call.is_some())?;
                model.intents[place].call.as_ref()?;
                Op::CreateAgain(place)
            }
            17..22 => {
                let any = self.one_in(3);
                let place =
                    self.intent(model, |intent| !intent.passed && (any || intent.life(at).is_live()))?;
                if model.intents[place].passed {
                    return None;
                }
                Op::Pass(place, *PASSES.choose(&mut self.rng)?)
            }
            22..24 => Op::Expire,
            24..27 => Op::Cancel(self.intent_in(model, Life::Open)?),
            27..32 => Op::Proof(self.intent_in(model, Life::Open)?),
            32..34 => Op::Reject(self.intent_in(model, Life::Pending)?),
            34..37 => {
                let intent = self.intent_in(model, Life::Pending)?;
                Op::Verify(intent, self.mutation(model, |mutation| mutation.state.waits())?)
            }
            37..43 => {
                let mutation = self.mutation(model, |mutation| mutation.state.waits())?;
                Op::ByHand(mutation, self.intent(model, |intent| intent.life(at).is_payable())?)
            }
            43..48 => self.assign(model)?,
            48..51 => Op::Return(self.mutation(model, |mutation| mutation.state.waits())?),
            51..54 => self.duplicate(model)?,
            54..61 => Op::Unmatch(self.mutation(model, is_done)?),
            61..64 => self.spend_and_unmatch(model)?,
            64..82 => {
                let count = self.rng.random_range(0..=5);
                Op::Deliver(self.reports(model, count))
            }
            82..89 if self.one_in(6) => Op::Match(self.faulty(model)),
            82..89 => Op::Match(self.reports(model, 1).pop()?),
            89..92 => Op::Redeliver(self.pick(&model.bodies, |_| true)?),
            92 => Op::Reprocess(self.pick(&model.bodies, |_| true)?),
            93..97 => {
                let wallet = (*WALLETS.choose(&mut self.rng)?).to_owned();
                let has = (model.balance(&wallet)).max(1);
                let amount = if self.one_in(6) { has + 1 } else { self.rng.random_range(1..=has) };
                Op::Spend(wallet, amount)
            }
            97 => Op::Freeze(true),
            98 => Op::Freeze(false),
            _ => Op::Beneficiary(self.one_in(2)),
        })
    }

    fn new_intent(&mut self, model: &Model) -> NewIntent {
        let purpose = *["topup", "order", "subscription", "other"].choose(&mut self.rng).expect("not empty");
        let bank = self.rng.random_range(0..model.banks.len());
        let reference = match purpose {
            "order" => Some(format!("order-{:04}", self.rng.random_range(0..self.orders))),
            _ if self.one_in(4) => Some(format!("ref-{}", self.number())),
            _ => None,
        };
        let payer = if self.one_in(4) { PAYERS.choose(&mut self.rng).copied() } else { None };
        let key = if self.one_in(4) { Some(format!("key {}", self.number())) } else { None };
        let mut new = NewIntent {
            purpose,
            wallet: (*WALLETS.choose(&mut self.rng).expect("not empty")).to_owned(),
            amount: *AMOUNTS.choose(&mut self.rng).expect("not empty"),
            bank,
            bank_account: model.banks[bank].account.to_owned(),
            reference,
            payer,
            key,
            fault: None,
        };
        if self.one_in(8) {
            match self.rng.random_range(0..4) {
                0 => (new.wallet, new.fault) = ("wallets:nobody".to_owned(), Some("account_not_found")),
                1 => (new.bank_account, new.fault) = (SHOP.to_owned(), Some("bank_account_not_found")),
                2 => (new.amount, new.fault) = (0, Some("invalid_amount")),
                _ => {
                    (new.purpose, new.reference) = ("topup", None);
                    (new.amount, new.fault) = (9_999_00, Some("amount_not_allowed"));
                }
            }
        }
        new
    }

    fn assign(&mut self, model: &Model) -> Option<Op> {
        let waits = |mutation: &Mutation| mutation.state.waits() || mutation.state == State::Ignored;
        let place = self.mutation(model, waits)?;
        let bank = &model.banks[model.mutations[place].report.bank];
        let other = &model.banks[self.rng.random_range(0..model.banks.len())];
        let account = match self.rng.random_range(0..20) {
            0 => bank.suspense(),
            1 => other.outgoing(),
            2 => other.account.to_owned(),
            3 => "wallets:nobody".to_owned(),
            4..8 => COSTS.to_owned(),
            8..11 => SHOP.to_owned(),
            _ => (*WALLETS.choose(&mut self.rng)?).to_owned(),
        };
        Some(Op::Assign(place, account))
    }

    fn duplicate(&mut self, model: &Model) -> Option<Op> {
        let is_repeat = |one: &Mutation| {
            (one.state.waits() || one.state == State::Ignored)
                && (one.original.is_some() || one.reasons.iter().any(|reason| reason == "reissued"))
        };
        let place = self.mutation(model, is_repeat)?;
        let one = &model.mutations[place];
        let is_like = |other: &Mutation| {
            let (one, other) = (&one.report, &other.report);
            (one.bank, one.is_credit, one.amount) == (other.bank, other.is_credit, other.amount)
        };
        let original = one.original.or_else(|| model.mutations.iter().position(is_like));
        let original = match original.filter(|_| !self.one_in(4)) {
            Some(original) => original,
            None => self.mutation(model, |_| true)?,
        };
        Some(Op::Duplicate(place, original))
    }

    /// Leaves less in a wallet than a mutation has brought it, and then tries to take that back.
    fn spend_and_unmatch(&mut self, model: &Model) -> Option<Op> {
        let wallet_of = |mutation: &Mutation| match mutation.state {
            State::Matched => mutation.intent.map(|intent| model.intents[intent].wallet.clone()),
            State::Assigned if mutation.report.is_credit => mutation.account.clone(),
            _ => None,
        };
        let has = |mutation: &Mutation| {
            wallet_of(mutation)
                .is_some_and(|wallet| wallet.starts_with("wallets:") && model.balance(&wallet) > 0)
        };
        let place = self.mutation(model, has)?;
        let wallet = wallet_of(&model.mutations[place]).filter(|wallet| wallet.starts_with("wallets:"))?;
        let balance = model.balance(&wallet);
        let leaves = self.rng.random_range(0..10_000_00);
        self.then.push(Op::Unmatch(place));
        Some(if balance > leaves { Op::Spend(wallet, balance - leaves) } else { self.then.pop()? })
    }

    /// Lines of a body. Some repeat or resemble one before, some lines of the same body.
    fn reports(&mut self, model: &Model, count: usize) -> Vec<Report> {
        let mut reports: Vec<Report> = Vec::with_capacity(count);
        for _ in 0..count {
            let earlier = match self.pick(&model.mutations, |mutation| !mutation.id.is_empty()) {
                Some(place) if reports.is_empty() || !self.one_in(2) => {
                    Some(model.mutations[place].report.clone())
                }
                _ => reports.choose(&mut self.rng).cloned(),
            };
            let report = match (self.rng.random_range(0..100), earlier) {
                (0..14, Some(earlier)) => self.repeat(earlier),
                (14..20, _) => self.faulty(model),
                (20..30, _) => self.debit(model),
                (30..45, _) => self.of_nobody(model),
                _ => self.for_an_intent(model),
            };
            reports.push(report);
        }
        reports
    }

    fn plain(&mut self, model: &Model, amount: i64) -> Report {
        let id = self.number();
        Report {
            bank: self.rng.random_range(0..model.banks.len()),
            by_number: self.one_in(4),
            is_credit: true,
            amount,
            date: date(now()),
            words: format!("TRSF E-BANKING CR {id}"),
            fault: None,
            id,
        }
    }

    /// The same id again, whatever else has changed; or the same words under another id.
    fn repeat(&mut self, mut earlier: Report) -> Report {
        match self.rng.random_range(0..8) {
            0 => earlier.words.push_str(" AGAIN"),
            1 => earlier.date = date(now() - 2 * DAY),
            2 => earlier.amount += 1_00,
            3 => earlier.is_credit = !earlier.is_credit,
            4 | 5 => earlier.id = self.number(),
            _ => {}
        }
        earlier
    }

    /// What cannot be read, or is older than the bank account's opening balance.
    fn faulty(&mut self, model: &Model) -> Report {
        let mut report = self.plain(model, 50_123_00);
        if self.one_in(8) {
            let opened = |bank: &usize| model.banks[*bank].opened_on.is_some();
            report.bank = (0..model.banks.len()).find(opened).expect("one has an opening day");
            report.date = date(now() - 40 * DAY);
        } else {
            report.fault = Fault::ALL.choose(&mut self.rng).copied();
        }
        report
    }

    fn debit(&mut self, model: &Model) -> Report {
        let amount = *[2_500_00, 6_500_00, 50_000_00, 75_000_00].choose(&mut self.rng).expect("not empty");
        let mut report = self.plain(model, amount);
        report.is_credit = false;
        if self.one_in(3) {
            // Fees say the same every day.
            report.words = "BIAYA ADM".to_owned();
            report.date = date(now() - self.rng.random_range(0..15) * DAY)[..10].to_owned();
        }
        report
    }

    fn of_nobody(&mut self, model: &Model) -> Report {
        let amount = self.rng.random_range(1_000_00..9_000_000_00);
        let mut report = self.plain(model, amount);
        report.date = date(now() - self.rng.random_range(0..15 * DAY));
        report
    }

    /// The total of an intent, or something near it.
    fn for_an_intent(&mut self, model: &Model) -> Report {
        let at = now();
        let Some(place) = self.intent(model, |intent| intent.life(at).is_payable()) else {
            return self.of_nobody(model);
        };
        let intent = &model.intents[place];
        let code = intent.total - intent.amount;
        let amount = match self.rng.random_range(0..40) {
            0 => intent.total - 6_500_00,
            1 => intent.total - 4_000_00,
            2..5 => intent.amount,
            5 => code,
            6 => intent.total + 1,
            7 => intent.total + 1_00,
            _ => intent.total,
        };
        let mut report = self.plain(model, amount);
        report.bank = if self.one_in(30) { report.bank } else { intent.bank };
        let window = intent.accepts - intent.created;
        report.date = match self.rng.random_range(0..20) {
            0 => date(intent.created - 4 * MINUTE),
            1 => date(intent.created - 6 * MINUTE),
            2 => date(intent.created - 2 * HOUR),
            3 => date(intent.accepts),
            4 => date(intent.accepts + 1_000_000),
            5 => date(intent.accepts + 31 * DAY - HOUR),
            6 => date(intent.accepts + 31 * DAY + HOUR),
            7 => date(intent.created)[..10].to_owned(),
            8..10 => date(at),
            _ => date(intent.created + self.rng.random_range(0..=window.max(0))),
        };
        if let Some(reference) = intent.reference.as_ref().filter(|_| self.rng.random_ratio(1, 4)) {
            let reference = if self.one_in(2) { reference.to_uppercase() } else { reference.clone() };
            report.words = format!("{} {reference}", report.words);
            if self.one_in(3) {
                report.amount = 12_345_00;
            }
        }
        if let Some(payer) = intent.payer.filter(|_| self.rng.random_ratio(1, 2)) {
            report.words = format!("{} {}", report.words, payer.to_uppercase());
        }
        report
    }
}

fn is_done(mutation: &Mutation) -> bool {
    matches!(mutation.state, State::Matched | State::Assigned | State::Returned | State::Duplicate)
}
