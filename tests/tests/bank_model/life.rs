//! What happens to intents and mutations after they are there, by the tables in docs/money-in.md: each call
//! either changes the model and says what the result must show, or names the error.

use super::model::{CODES, Life, MOODY, Model, SHOP, State, write_down};

/// Columns of the result that the model can tell.
pub type Shown = Vec<(&'static str, String)>;
pub type Told = Result<Shown, &'static str>;

impl Model {
    fn shown_intent(&self, place: usize, now: i64) -> Told {
        let intent = &self.intents[place];
        Ok(vec![("id", intent.id.clone()), ("status", intent.life(now).name().to_owned())])
    }

    /// Cancels, or sends a proof: for live intents only.
    pub fn close_or_prove(&mut self, place: usize, to: Life, now: i64) -> Told {
        let intent = &mut self.intents[place];
        match intent.life(now) {
            Life::Expired => return Err("intent_expired"),
            Life::Paid | Life::Cancelled => return Err("already_resolved"),
            _ => intent.written = to,
        }
        intent.closed = (to == Life::Cancelled).then_some(now);
        self.shown_intent(place, now)
    }

    pub fn reject(&mut self, place: usize, now: i64) -> Told {
        let intent = &mut self.intents[place];
        match intent.life(now) {
            Life::Expired => return Err("intent_expired"),
            Life::Paid | Life::Cancelled => return Err("already_resolved"),
            Life::Open | Life::Rejected => return Err("intent_not_pending"),
            Life::Pending => intent.written = Life::Rejected,
        }
        self.shown_intent(place, now)
    }

    pub fn expire(&mut self, now: i64) -> Told {
        let count =
            self.intents.iter_mut().filter_map(|intent| write_down(intent, now).then_some(())).count();
        Ok(vec![("expire_intents", count.to_string())])
    }

    fn shown_mutation(&self, place: usize) -> Told {
        let mutation = &self.mutations[place];
        let null = || "NULL".to_owned();
        Ok(vec![
            ("id", mutation.id.clone()),
            ("status", mutation.state.name().to_owned()),
            ("intent_id", mutation.intent.map_or_else(null, |intent| self.intents[intent].id.clone())),
            ("account", mutation.account.clone().unwrap_or_else(null)),
            ("original_id", mutation.original.map_or_else(null, |other| self.mutations[other].id.clone())),
            ("reasons", format!("{{{}}}", mutation.reasons.join(","))),
        ])
    }

    /// Pays an intent with what waits; `verified`: its proof is confirmed by that.
    pub fn by_hand(&mut self, place: usize, intent: usize, verified: bool, now: i64) -> Told {
        let mutation = &self.mutations[place];
        let (waits, money, bank) = (mutation.state.waits(), mutation.report.amount, mutation.report.bank);
        if !waits {
            return Err("mutation_not_matchable");
        }
        let life = self.intents[intent].life(now);
        if !life.is_payable() {
            return Err("already_resolved");
        }
        if verified && life != Life::Pending {
            return Err("intent_not_pending");
        }
        let parts = self.intents[intent].parts(money);
        if let Some(error) = self.refused(&parts) {
            return Err(error);
        }
        self.apply(&parts);
        self.add(&self.banks[bank].suspense(), -money);
        self.pay(intent, place, now);
        self.mutations[place].state = State::Matched;
        self.mutations[place].intent = Some(intent);
        self.shown_mutation(place)
    }

    /// What an assignment moves: for a debit, what it was for comes out of the account.
    fn assignment(&self, place: usize, account: &str) -> Vec<(String, i64)> {
        let mutation = &self.mutations[place];
        let (money, bank) = (mutation.report.amount, &self.banks[mutation.report.bank]);
        let is_expense = account.contains(":expense:");
        let on_credit = if is_expense { -money } else { money };
        match mutation.report.is_credit {
            true => vec![(account.to_owned(), on_credit), (bank.suspense(), -money)],
            false => vec![(account.to_owned(), -on_credit), (bank.outgoing(), money)],
        }
    }

    pub fn assign(&mut self, place: usize, account: &str) -> Told {
        let state = self.mutations[place].state;
        if !state.waits() && state != State::Ignored {
            return Err("mutation_not_matchable");
        }
        let own_outgoing = self.banks[self.mutations[place].report.bank].outgoing();
        let is_the_banks =
            self.banks.iter().any(|bank| account == bank.account || account == bank.suspense());
        if is_the_banks || account == own_outgoing {
            return Err("invalid_argument");
        }
        if !self.balances.contains_key(account) {
            return Err("account_not_found");
        }
        let changes = self.assignment(place, account);
        if let Some(error) = self.refused(&changes) {
            return Err(error);
        }
        self.apply(&changes);
        self.mutations[place].state = State::Assigned;
        self.mutations[place].account = Some(account.to_owned());
        self.shown_mutation(place)
    }

    pub fn give_back(&mut self, place: usize) -> Told {
        let mutation = &self.mutations[place];
        let (waits, money, bank) = (mutation.state.waits(), mutation.report.amount, mutation.report.bank);
        if !waits {
            return Err("mutation_not_matchable");
        }
        self.add(&self.banks[bank].suspense(), -money);
        self.add(&self.banks[bank].outgoing(), money);
        self.mutations[place].state = State::Returned;
        self.shown_mutation(place)
    }

    pub fn mark_duplicate(&mut self, place: usize, original: usize) -> Told {
        let (mutation, other) = (&self.mutations[place], &self.mutations[original]);
        if !mutation.state.waits() && mutation.state != State::Ignored {
            return Err("mutation_not_matchable");
        }
        let (report, other_report) = (&mutation.report, &other.report);
        let is_another = place != original
            && other.state != State::Duplicate
            && report.bank == other_report.bank
            && report.is_credit == other_report.is_credit
            && report.amount == other_report.amount;
        if !is_another {
            return Err("invalid_argument");
        }
        self.apply(&self.out_of_the_books(place));
        self.mutations[place].state = State::Duplicate;
        self.mutations[place].original = Some(original);
        self.shown_mutation(place)
    }

    /// What it moves that a mutation is none.
    fn out_of_the_books(&self, place: usize) -> Vec<(String, i64)> {
        let report = &self.mutations[place].report;
        let (bank, money) = (&self.banks[report.bank], report.amount);
        match report.is_credit {
            true => vec![(bank.account.to_owned(), -money), (bank.suspense(), -money)],
            false => vec![(bank.account.to_owned(), money), (bank.outgoing(), money)],
        }
    }

    /// Takes back what was done: the money waits again, and an intent that was paid is open again, or
    /// expired where its time is over or its order has another live one. A duplicate is in the books again.
    pub fn unmatch(&mut self, place: usize, now: i64) -> Told {
        let mutation = &self.mutations[place];
        let (money, is_credit) = (mutation.report.amount, mutation.report.is_credit);
        let bank = &self.banks[mutation.report.bank];
        let done = match (mutation.state, mutation.intent, &mutation.account) {
            (State::Matched, Some(intent), _) => {
                let mut parts = self.intents[intent].parts(money);
                parts.push((bank.suspense(), -money));
                parts
            }
            (State::Assigned, _, Some(account)) => self.assignment(place, account),
            (State::Returned, ..) => vec![(bank.outgoing(), money), (bank.suspense(), -money)],
            (State::Duplicate, ..) => self.out_of_the_books(place),
            _ => return Err("mutation_not_matchable"),
        };
        let undone: Vec<(String, i64)> =
            done.into_iter().map(|(account, amount)| (account, -amount)).collect();
        if let Some(error) = self.refused(&undone) {
            return Err(error);
        }
        self.apply(&undone);
        let mutation = &mut self.mutations[place];
        mutation.state = if is_credit { State::Review } else { State::Ignored };
        if is_credit && !mutation.reasons.iter().any(|reason| reason == "unmatched") {
            mutation.reasons.push("unmatched".to_owned());
        }
        mutation.account = None;
        if let Some(intent) = mutation.intent.take() {
            self.reopen(intent, now);
        }
        self.shown_mutation(place)
    }

    fn reopen(&mut self, place: usize, now: i64) {
        let intent = &self.intents[place];
        let order = intent.reference.clone().filter(|_| intent.is_order);
        let is_over = intent.expires <= now;
        if let Some(order) = order.as_ref().filter(|_| !is_over) {
            self.write_down_order(order, now);
        }
        let in_the_way = !is_over && order.is_some_and(|order| self.order_in_the_way(&order));
        let intent = &mut self.intents[place];
        (intent.paid_by, intent.paid, intent.closed) = (None, 0, None);
        intent.written = Life::Open;
        if is_over || in_the_way {
            intent.written = Life::Expired;
            intent.closed = Some(intent.expires.min(now));
        }
        if in_the_way {
            // To the second, as far as the model can tell: the server's clock ends it.
            intent.accepts = now;
        }
    }

    pub fn spend(&mut self, wallet: &str, amount: i64) -> Told {
        let changes = [(wallet.to_owned(), -amount), (SHOP.to_owned(), amount)];
        if let Some(error) = self.refused(&changes) {
            return Err(error);
        }
        self.apply(&changes);
        *self.spent.entry(wallet.to_owned()).or_default() += amount;
        Ok(vec![("credit_account", SHOP.to_owned())])
    }

    pub fn freeze(&mut self, on: bool) -> Told {
        if on {
            self.frozen.insert(MOODY.to_owned());
        } else {
            self.frozen.remove(MOODY);
        }
        Ok(vec![("state", if on { "frozen" } else { "open" }.to_owned())])
    }

    /// Whom the code's rupiah of what is paid from now on belong to is decided when an intent is made.
    pub fn set_beneficiary(&mut self, payer: bool) -> Told {
        self.code_is_payers = payer;
        Ok(vec![("setting", "unique_code_beneficiary".to_owned())])
    }

    /// The money of the ledger's own accounts that mutations moved must be there; a check of the model itself.
    pub fn assert_sums(&self) {
        let credits: i64 =
            self.balances.iter().filter(|(name, _)| !is_debit_normal(name)).map(|(_, b)| b).sum();
        let debits: i64 =
            self.balances.iter().filter(|(name, _)| is_debit_normal(name)).map(|(_, b)| b).sum();
        let opening: i64 = self.banks.iter().map(|bank| bank.opening).sum();
        assert_eq!(debits, credits + opening, "the model does not balance");
        assert!(self.balance(CODES) >= 0);
    }
}

fn is_debit_normal(account: &str) -> bool {
    account.contains(":expense:")
        || (account.starts_with("banks:")
            && !account.ends_with(":suspense")
            && !account.ends_with(":outgoing"))
}
