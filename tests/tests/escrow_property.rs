//! Proves to the last sen what becomes of random escrows: after every release, refund and decision each line,
//! each account and each answer is what a model says that shares nothing with the extension.

#[path = "escrow_property/model.rs"]
mod model;

use std::collections::BTreeMap;

use model::{Action, Books, Escrow, Line as Part, State, Units, add, of};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use wallet_ledger_tests::escrow::{assert_escrows_sound, shop};
use wallet_ledger_tests::*;

/// The buyer's money at first, in smallest units.
const FUNDS: Units = 10_000_000_000_000;
const BENEFICIARIES: usize = 6;
const RATES: usize = 12;

/// Units as SQL writes them.
fn text(units: Units) -> String {
    format!("{}.{:02}", units / 100, units % 100)
}

fn units(text: &str) -> Units {
    let value: Decimal = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    let scaled = value * dec!(100);
    assert!(scaled.is_integer(), "{text}");
    scaled.normalize().mantissa()
}

/// One session, with accounts and rates that nobody else touches.
struct World {
    client: Client,
    rng: ChaCha8Rng,
    name: String,
    books: Books,
    rates: Vec<Units>,
    opened: usize,
    moves: usize,
    refusals: BTreeMap<String, usize>,
}

impl World {
    async fn new(client: Client, mut rng: ChaCha8Rng, session: usize) -> World {
        let name = format!("s{session}");
        let mut books = Books::new();
        let floor = "'liability', minimum_balance => 0";
        call(&client, &format!("create_account('{name}:buyer', {floor})")).await;
        call(&client, &format!("create_account('{name}:shop', 'liability')")).await;
        call(&client, &format!("post_transfer('bank', '{name}:buyer', {})", text(FUNDS))).await;
        add(&mut books, &format!("{name}:buyer"), FUNDS);
        for number in 0..BENEFICIARIES {
            // One of them is striped: it pays back from all of its stripes.
            let stripes = if number == 0 { ", stripes => 4" } else { "" };
            call(&client, &format!("create_account('{name}:b{number}', {floor}{stripes})")).await;
        }
        let mut rates = vec![0, 1, 500_000, 150_000, 333_333, 999_999, 1_000_000];
        while rates.len() < RATES {
            rates.push(rng.random_range(0..=1_000_000));
        }
        for (number, rate) in rates.iter().enumerate() {
            let rate = Decimal::new(i64::try_from(*rate).unwrap(), 6);
            call(&client, &format!("set_rate('{name}_{number}', {rate}, account => '{name}:fee:{number}')"))
                .await;
        }
        World { client, rng, name, books, rates, opened: 0, moves: 0, refusals: BTreeMap::new() }
    }

    /// Amounts of every size, the smallest among them often.
    fn amount(&mut self) -> Units {
        match self.rng.random_range(0..4) {
            0 => self.rng.random_range(1..=9),
            1 => self.rng.random_range(1..=1_000),
            2 => self.rng.random_range(1..=1_000_000),
            _ => self.rng.random_range(1..=10_000_000_000),
        }
    }

    /// A part of what there is; sometimes all of it, sometimes too much.
    fn part(&mut self, room: Units) -> Option<Units> {
        match self.rng.random_range(0..20) {
            0 => None,
            1 => Some(room + 1),
            2 => Some(room.max(1)),
            3..=7 => Some(self.rng.random_range(1..=room.clamp(1, 7))),
            _ => Some(self.rng.random_range(1..=(room / 3).max(1))),
        }
    }

    async fn open(&mut self) -> (String, Escrow) {
        self.opened += 1;
        let reference = format!("{}-{}", self.name, self.opened);
        let mut lines: Vec<Part> = Vec::new();
        for _ in 0..self.rng.random_range(1..=20) {
            let fee = self.rng.random_bool(0.9).then(|| self.rng.random_range(0..RATES));
            lines.push(Part {
                beneficiary: format!("{}:b{}", self.name, self.rng.random_range(0..BENEFICIARIES)),
                fee_account: fee.map(|number| format!("{}:fee:{number}", self.name)),
                rate: fee.map_or(0, |number| self.rates[number]),
                amount: self.amount(),
                released: 0,
                fee: 0,
                refunded: 0,
                returned: 0,
                returned_fee: 0,
                advanced: 0,
                mixed: false,
            });
        }
        let asked: Vec<Value> = lines
            .iter()
            .map(|line| {
                let fee = line.fee_account.as_ref().map(|account| account.replace(":fee:", "_"));
                json!({"beneficiary": line.beneficiary, "amount": text(line.amount), "fee": fee})
            })
            .collect();
        let total: Units = lines.iter().map(|line| line.amount).sum();
        let buyer = format!("{}:buyer", self.name);
        let sql =
            format!("open_escrow('{reference}', '{buyer}', '{}', amount => {})", json!(asked), text(total));
        let row = call(&self.client, &sql).await;
        let escrow = Escrow { account: format!("escrows:{reference}"), buyer, state: State::Held, lines };
        add(&mut self.books, &escrow.buyer, -total);
        add(&mut self.books, &escrow.account, total);
        self.compare(&row, &escrow).await;
        (row["id"].to_owned(), escrow)
    }

    fn action(&mut self, escrow: &Escrow) -> Action {
        let line = self.rng.random_bool(0.4).then(|| self.rng.random_range(0..escrow.lines.len()));
        let sum = |room: fn(&Part) -> Units| -> Units {
            let chosen =
                escrow.lines.iter().enumerate().filter(|(place, _)| line.is_none_or(|line| line == *place));
            chosen.map(|(_, line)| room(line)).sum()
        };
        let all: Units = escrow.lines.iter().map(Part::held).sum();
        if escrow.state == State::Disputed && self.rng.random_bool(0.6) {
            let refund = self.part(all).unwrap_or(0);
            return Action::Resolve { refund };
        }
        let closed = matches!(escrow.state, State::Released | State::Refunded);
        match self.rng.random_range(0..20) {
            0..=7 if !closed || self.rng.random_bool(0.1) => {
                Action::Release { amount: self.part(sum(Part::held)), line }
            }
            0..=13 => {
                let amount = self.part(sum(Part::held) + sum(Part::returnable));
                Action::Refund { amount, line, advance: self.rng.random_bool(0.5) }
            }
            14 | 15 => Action::Ship,
            16 | 17 => Action::Dispute,
            18 => Action::Resolve { refund: 0 },
            _ => Action::Confirm,
        }
    }

    /// Does it, and compares: the answer or the error, every line, every account.
    async fn act(&mut self, id: &str, escrow: &mut Escrow, action: &Action) {
        let expected = escrow.act(&mut self.books, action);
        let amount = |amount: Option<Units>| amount.map_or("NULL".to_owned(), text);
        let number = |line: Option<usize>| line.map_or("NULL".to_owned(), |line| (line + 1).to_string());
        self.moves += 1;
        let key = format!("{}:{}", self.name, self.moves);
        let sql = match action {
            Action::Ship => format!("mark_shipped('{id}', '{key}')"),
            Action::Confirm => format!("confirm_receipt('{id}', 'r', '{key}')"),
            Action::Release { amount: sum, line } => {
                format!("release_escrow('{id}', {}, NULL, '{key}', {})", amount(*sum), number(*line))
            }
            Action::Refund { amount: sum, line, advance } => {
                let policy = if *advance { "advance" } else { "refuse" };
                format!(
                    "refund_escrow('{id}', {}, 'r', '{key}', {}, '{policy}')",
                    amount(*sum),
                    number(*line)
                )
            }
            Action::Dispute => format!("open_dispute('{id}', 'u', 'r')"),
            Action::Resolve { refund } => {
                // The latest dispute, or none that is open.
                let sql = format!("SELECT id FROM wallet_ledger.disputes WHERE escrow_id = '{id}'");
                let Some(dispute) = lines(&self.client, &sql).await.pop() else { return };
                format!("resolve_dispute('{}', {}, 'r')", &dispute["id"], text(*refund))
            }
        };
        let result = try_call(&self.client, &sql).await;
        let row = match (result, expected) {
            (Ok(row), Ok(())) => row,
            (Err(error), Err(token)) => {
                assert_eq!(sql_error(&error).token(), token, "{sql}: {error:?}");
                *self.refusals.entry(token.to_owned()).or_default() += 1;
                let row = wallet_ledger_tests::escrow::escrow_now(&self.client, id).await;
                return self.compare(&row, escrow).await;
            }
            (result, expected) => panic!("{sql}: {result:?}, and not {expected:?}: {escrow:?}"),
        };
        let row = if matches!(action, Action::Dispute | Action::Resolve { .. }) {
            wallet_ledger_tests::escrow::escrow_now(&self.client, id).await
        } else {
            if self.rng.random_bool(0.1) && !matches!(action, Action::Ship) {
                let again = call(&self.client, &sql).await;
                assert_eq!(&again["replayed"], "t");
                assert_eq!(again.without(&["replayed"]), row.without(&["replayed"]), "{sql}");
            }
            row
        };
        self.compare(&row, escrow).await;
    }

    async fn compare(&self, row: &Line, escrow: &Escrow) {
        escrow.check(&self.books);
        assert_eq!(&row["status"], escrow.state.name());
        let sum = |of: fn(&Part) -> Units| escrow.lines.iter().map(of).sum::<Units>();
        for (column, expected) in [
            ("amount", sum(|line| line.amount)),
            ("held_amount", sum(Part::held)),
            ("released_amount", sum(|line| line.released)),
            ("fee_amount", sum(|line| line.fee)),
            ("refunded_amount", sum(|line| line.refunded)),
            ("returned_amount", sum(|line| line.returned)),
        ] {
            assert_eq!(units(&row[column]), expected, "{column} of {row:?}");
        }
        let sql = format!(
            "SELECT line, released_amount, fee_amount, refunded_amount, returned_amount, returned_fee_amount,
                    advanced_amount FROM wallet_ledger.escrow_lines WHERE escrow_id = '{}' ORDER BY line",
            &row["id"]
        );
        for (shown, line) in lines(&self.client, &sql).await.iter().zip(&escrow.lines) {
            let is = ["released", "fee", "refunded", "returned", "returned_fee", "advanced"]
                .map(|name| units(&shown[format!("{name}_amount").as_str()]));
            let expected =
                [line.released, line.fee, line.refunded, line.returned, line.returned_fee, line.advanced];
            assert_eq!(is, expected, "{shown:?} {line:?}");
        }
        self.compare_accounts(&format!("account = '{}'", escrow.account)).await;
    }

    /// Every account of this session's, and those of its escrows that are asked for.
    async fn compare_accounts(&self, escrows: &str) {
        let sql = format!(
            "SELECT account, posted FROM wallet_ledger.accounts
             WHERE account LIKE '{0}:%' OR account LIKE 'receivables:{0}:%' OR {escrows}",
            self.name
        );
        let shown = lines(&self.client, &sql).await;
        assert!(shown.len() > BENEFICIARIES);
        for row in &shown {
            assert_eq!(units(&row["posted"]), of(&self.books, &row["account"]), "{}", &row["account"]);
        }
        let is: Units = shown.iter().filter(|row| !row["account"].starts_with("escrows:")).count() as Units;
        let known = self.books.keys().filter(|account| !account.starts_with("escrows:"));
        let known = known.filter(|account| of(&self.books, account) != 0).count() as Units;
        assert!(known <= is, "an account of the model is not there");
    }

    /// A beneficiary spends what they have, so that a refund finds nothing.
    async fn spend(&mut self) {
        let account = format!("{}:b{}", self.name, self.rng.random_range(0..BENEFICIARIES));
        let has = of(&self.books, &account);
        if has > 0 {
            let amount = self.rng.random_range(1..=has);
            let shop = format!("{}:shop", self.name);
            call(&self.client, &format!("post_transfer('{account}', '{shop}', {})", text(amount))).await;
            add(&mut self.books, &account, -amount);
            add(&mut self.books, &shop, amount);
        }
    }

    async fn one_life(&mut self) {
        let before = self.books.clone();
        let (id, mut escrow) = self.open().await;
        let spends = self.rng.random_bool(0.5);
        for _ in 0..self.rng.random_range(1..=12) {
            if spends && self.rng.random_bool(0.5) {
                self.spend().await;
            }
            let action = self.action(&escrow);
            self.act(&id, &mut escrow, &action).await;
        }
        if escrow.state == State::Disputed {
            let held: Units = escrow.lines.iter().map(Part::held).sum();
            let refund = self.rng.random_range(0..=held);
            self.act(&id, &mut escrow, &Action::Resolve { refund }).await;
        }
        if self.rng.random_bool(0.6) && escrow.state != State::Refunded {
            let everything = Action::Refund { amount: None, line: None, advance: true };
            self.act(&id, &mut escrow, &everything).await;
            assert_eq!(escrow.state, State::Refunded);
        }
        if escrow.state == State::Refunded {
            let buyer = &escrow.buyer;
            assert_eq!(of(&self.books, buyer), of(&before, buyer), "the buyer has all of it back");
            if !spends && escrow.lines.iter().all(|line| line.advanced == 0) {
                let moved =
                    |books: &Books| books.clone().into_iter().filter(|(_, sum)| *sum != 0).collect::<Books>();
                assert_eq!(moved(&self.books), moved(&before), "every account is back where it was");
            }
        }
    }
}

#[tokio::test]
async fn random_lives_of_escrows() {
    let seed = Seed::from_env_or_random("escrow_property");
    let (db, client) = shop("property").await;
    let sessions = 3;
    let lives = if long() { 3_000 } else { 300 } / sessions;
    let mut worlds = Vec::new();
    for session in 0..sessions {
        worlds.push(World::new(db.app().await, seed.rng(session as u64), session).await);
    }
    let run = worlds.into_iter().map(|mut world| {
        tokio::spawn(async move {
            for _ in 0..lives {
                world.one_life().await;
            }
            world.compare_accounts(&format!("account LIKE 'escrows:{}-%'", world.name)).await;
            (world.moves, world.refusals)
        })
    });
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    let mut moves = 0;
    for done in futures::future::join_all(run).await {
        let (count, refused) = done.expect("a session's model agrees");
        moves += count;
        refused.into_iter().for_each(|(token, count)| *refusals.entry(token).or_default() += count);
    }
    println!("{moves} moves, refused: {refusals:?}");
    // The random walk has been everywhere.
    for token in [
        "already_shipped",
        "already_resolved",
        "escrow_closed",
        "escrow_disputed",
        "insufficient_funds",
        "refund_exceeds_payment",
        "release_exceeds_escrow",
    ] {
        assert!(refusals.contains_key(token), "{token} never came: {refusals:?}");
    }
    assert_escrows_sound(&client).await;
}
