//! Any two or three things that can happen to one payment, at the same moment: deliver, match, cancel, expire,
//! proofs, the work by hand, spending the money. What they came to, and what is left behind, must be what
//! some order of the same calls, one after the other, comes to. Those orders are run first, on a payment
//! of their own; that they are right themselves is what tests/bank_model.rs proves.
//!
//! The short form tries every pair once at every isolation level, with the intent in one of its states;
//! the long form (`WL_LONG=1`) in all of them, several times.

use std::collections::BTreeSet;
use std::time::Instant;

use rand::Rng;
use rand::seq::IndexedRandom;
use wallet_ledger_tests::bank::{assert_bank_sound, bank_books, credit, match_call, webhook_call, wib, with};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

use super::sessions::{LEVELS, aborted, at_once, committed, deadlocks, sessions};

/// What a contestant touches: two that share nothing are no race.
const X: u8 = 1;
const Y: u8 = 2;
const P: u8 = 4;
const W: u8 = 8;
const MONEY: u8 = 16;

type Contestant = (&'static str, u8, fn(&Payment) -> String);

/// In each payment: `x` and `y` are unpaid intents, `p` is one that `m0` has paid; `w` and `w2` are credits of
/// nobody, of the same amount.
const CONTESTANTS: &[Contestant] = &[
    ("deliver x", X | MONEY, |at| webhook_call(&json!([at.line("dx", &at.x)]).to_string())),
    ("deliver x in another body", X | MONEY, |at| webhook_call(&format!("[{}]\n", at.line("dx", &at.x)))),
    ("deliver others", X | Y | P | MONEY, |at| {
        webhook_call(&json!([at.line("dp", &at.p), at.line("dx2", &at.x), at.line("dy", &at.y)]).to_string())
    }),
    ("match x", X | MONEY, |at| match_call(&at.line("dx", &at.x))),
    ("cancel x", X, |at| format!("cancel_intent('{}', 'no')", &at.x["id"])),
    ("proof of x", X, |at| format!("submit_payment_proof('{}', 'photo')", &at.x["id"])),
    ("reject x", X, |at| format!("reject_payment('{}', 'blurred')", &at.x["id"])),
    ("verify x with w", X | W | MONEY, |at| format!("verify_payment('{}', '{}')", &at.x["id"], at.w)),
    ("w for x", X | W | MONEY, |at| format!("match_mutation_by_hand('{}', '{}', 'r')", at.w, &at.x["id"])),
    ("w2 for x", X | W | MONEY, |at| format!("match_mutation_by_hand('{}', '{}', 'r')", at.w2, &at.x["id"])),
    ("w for y", Y | W | MONEY, |at| format!("match_mutation_by_hand('{}', '{}', 'r')", at.w, &at.y["id"])),
    ("assign w", W | MONEY, |at| format!("assign_mutation('{}', '{}', 'r')", at.w, at.wallet())),
    ("return w", W, |at| format!("return_mutation('{}', 'r')", at.w)),
    ("w repeats w2", W, |at| format!("mark_mutation_duplicate('{}', '{}', 'r')", at.w, at.w2)),
    ("w2 repeats w", W, |at| format!("mark_mutation_duplicate('{}', '{}', 'r')", at.w2, at.w)),
    ("unmatch m0", P | MONEY, |at| format!("unmatch_mutation('{}', 'r')", at.m0)),
    ("m0 for x", X | P | MONEY, |at| format!("match_mutation_by_hand('{}', '{}', 'r')", at.m0, &at.x["id"])),
    ("cancel p", P, |at| format!("cancel_intent('{}')", &at.p["id"])),
    ("proof of p", P, |at| format!("submit_payment_proof('{}', 'photo')", &at.p["id"])),
    ("expire", X | Y | P, |_| "expire_intents()".to_owned()),
    ("freeze", MONEY, |at| format!("freeze_account('{}')", at.wallet())),
    ("spend", MONEY, |at| format!("post_transfer('{}', 'shop', 70000)", at.wallet())),
];

/// How far the intent `x` is when the race begins.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Open,
    Pending,
    /// Its time is over, and a transfer dated in the grace still pays it.
    Over,
}

struct Payment {
    number: usize,
    bank: String,
    /// When the bank says it all happened: a clock that ticked between two contestants would make two
    /// bodies of what is meant as one.
    date: String,
    x: Line,
    y: Line,
    p: Line,
    w: String,
    w2: String,
    m0: String,
}

impl Payment {
    fn wallet(&self) -> String {
        format!("wallets:r{}", self.number)
    }

    /// A movement that has an intent's total.
    fn line(&self, name: &str, intent: &Line) -> Value {
        let line = credit(&format!("r{} {name}", self.number), &intent["total"]);
        with(&line, json!({ "bank_id": self.bank, "account_number": null, "date": self.date }))
    }
}

struct Races {
    db: TestDb,
    client: Client,
    root: Client,
    clients: Vec<Client>,
    /// How many payments there were.
    count: usize,
}

impl Races {
    async fn new(name: &str) -> Races {
        let (db, client) = bank_books(name).await;
        let (root, clients) = (db.connect().await, sessions(&db, 3).await);
        Races { db, client, root, clients, count: 0 }
    }

    async fn payment(&mut self, stage: Stage) -> Payment {
        let number = self.count;
        self.count += 1;
        // A bank account has 999 codes for each of the amounts.
        let bank = format!("race-{}", number / 300);
        if number.is_multiple_of(300) {
            call(&self.client, &format!("register_bank_account('banks:{bank}', 'moota', '{bank}')")).await;
        }
        call(&self.client, &format!("open_wallet('r{number}')")).await;
        let mut intents = Vec::new();
        for (name, amount) in [("x", 50_000), ("y", 60_000), ("p", 80_000)] {
            let sql = format!(
                "create_intent('other', 'wallets:r{number}', {amount}, 'banks:{bank}', 'r{number} {name}')"
            );
            intents.push(call(&self.client, &sql).await);
        }
        let [x, y, p] = <[Line; 3]>::try_from(intents).unwrap();
        let none = String::new();
        let mut at =
            Payment { number, bank, date: wib(0), x, y, p, w: none.clone(), w2: none.clone(), m0: none };
        let waiting = |name: &str| with(&at.line(name, &at.x), json!({ "amount": "5555555" }));
        let body = json!([at.line("m0", &at.p), waiting("w"), waiting("w2")]).to_string();
        let answer = call(&self.client, &webhook_call(&body)).await;
        assert_eq!(answer.pick(["matched_count", "suspense_count"]), ["1", "2"], "{answer:?}");
        let lines = answer.json("lines");
        let [m0, w, w2] =
            [0, 1, 2].map(|place: usize| lines[place]["mutation_id"].as_str().unwrap().to_owned());
        at = Payment { w, w2, m0, ..at };
        let id = &at.x["id"];
        match stage {
            Stage::Open => {}
            Stage::Pending => drop(call(&self.client, &format!("submit_payment_proof('{id}', 'p')")).await),
            Stage::Over => {
                let sql = format!(
                    "UPDATE wallet_data.intents SET expires_at = now() - interval '1 second',
                            accepts_until = now() + interval '1 hour' WHERE intent_id = '{id}';
                     UPDATE wallet_data.live_intents SET due_at = now() - interval '1 second'
                     WHERE intent_id = '{id}' AND due_at IS NOT NULL"
                );
                execute(&self.root, &sql).await;
            }
        }
        at
    }

    /// The intents, the mutations and the money of a payment, without what differs from one to the next.
    async fn left(&self, at: &Payment) -> String {
        let intents = format!(
            "SELECT string_agg(concat_ws(' ', split_part(i.reference, ' ', 2), i.status,
                        CASE WHEN i.paid_amount = i.total THEN 'exactly' ELSE i.paid_amount::text END, 'by',
                        split_part(m.provider_mutation_id, ' ', 2)), ', ' ORDER BY i.reference)
             FROM wallet_ledger.intents i LEFT JOIN wallet_ledger.mutations m ON m.id = i.mutation_id
             WHERE i.reference LIKE 'r{} %'",
            at.number
        );
        let mutations = format!(
            "SELECT string_agg(concat_ws(' ', split_part(provider_mutation_id, ' ', 2), status, reasons::text),
                        ', ' ORDER BY provider_mutation_id)
             FROM wallet_ledger.mutations WHERE provider_mutation_id LIKE 'r{} %'",
            at.number
        );
        // Where `m0` pays `x`, the code that it was known by for `p` comes along.
        let money = format!(
            "SELECT concat_ws(' ', a.state, a.posted - coalesce((
                 SELECT p.unique_code FROM wallet_ledger.intents p, wallet_ledger.intents x
                 JOIN wallet_ledger.mutations m ON m.id = x.mutation_id
                 WHERE p.reference = 'r{0} p' AND x.reference = 'r{0} x' AND m.provider_mutation_id = 'r{0} m0'), 0))
             FROM wallet_ledger.accounts a WHERE a.account = '{1}'",
            at.number,
            at.wallet()
        );
        let left = format!(
            "{} | {} | {}",
            value(&self.client, &intents).await,
            value(&self.client, &mutations).await,
            value(&self.client, &money).await
        );
        // The code in it is another every time.
        left.replace(&at.p["total"], "all of m0")
    }

    /// Runs the calls one after the other in this order; what each came to, and what is left.
    async fn in_order(&mut self, race: &[Contestant], stage: Stage, order: &[usize]) -> String {
        let at = self.payment(stage).await;
        let mut outcomes = vec![String::new(); race.len()];
        for place in order {
            let (name, _, sql) = race[*place];
            outcomes[*place] = outcome(name, &committed(&self.client, LEVELS[0], &sql(&at), None).await);
        }
        format!("{} | {}", outcomes.join(", "), self.left(&at).await)
    }

    async fn together(&mut self, race: &[Contestant], stage: Stage, level: &str) -> String {
        let at = self.payment(stage).await;
        let calls: Vec<String> = race.iter().map(|(_, _, sql)| sql(&at)).collect();
        let results = at_once(&self.clients, level, &calls).await;
        let outcomes: Vec<String> =
            race.iter().zip(&results).map(|((name, ..), result)| outcome(name, result)).collect();
        format!("{} | {}", outcomes.join(", "), self.left(&at).await)
    }

    /// Races them, and demands a result that one of their orders has. Returns how many results were seen.
    async fn race(&mut self, race: &[Contestant], stage: Stage, rounds: usize) -> usize {
        let mut allowed = BTreeSet::new();
        for order in orders(race.len()) {
            allowed.insert(self.in_order(race, stage, &order).await);
        }
        let mut seen = BTreeSet::new();
        for level in LEVELS.iter().flat_map(|level| std::iter::repeat_n(level, rounds)) {
            let result = self.together(race, stage, level).await;
            let names: Vec<&str> = race.iter().map(|(name, ..)| *name).collect();
            assert!(
                allowed.contains(&result),
                "{names:?} of {stage:?}, {level}: {result}\nnot of {allowed:#?}"
            );
            seen.insert(result);
        }
        seen.len()
    }

    async fn finish(self, begun: Instant, before: usize) {
        let Races { db, root, count, .. } = self;
        println!(
            "{count} payments in {:.0} s, {} aborted",
            begun.elapsed().as_secs_f64(),
            aborted() - before
        );
        assert_eq!(deadlocks(&db).await, "0");
        assert_bank_sound(&root).await;
    }
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let insert = |order: Vec<usize>| {
        (0..=order.len()).map(move |place| {
            let mut longer = order.clone();
            longer.insert(place, count - 1);
            longer
        })
    };
    orders(count - 1).into_iter().flat_map(insert).collect()
}

/// What a call came to, in a few words.
fn outcome(name: &str, result: &Result<Line, LedgerError>) -> String {
    let line = match result {
        Ok(line) => line,
        Err(error) => return format!("{name}: {}", error.token()),
    };
    let said = match name {
        "deliver x" | "deliver x in another body" | "deliver others" => {
            let lines = line.json("lines");
            let lines = lines.as_array().unwrap().iter();
            lines
                .map(|line| format!("{} {}", line["outcome"], line["reasons"]))
                .collect::<Vec<_>>()
                .join("; ")
        }
        "match x" => format!("{} {}", &line["outcome"], &line["reasons"]),
        // It passes over intents that somebody works on.
        "expire" => "done".to_owned(),
        "freeze" => line["state"].to_owned(),
        "spend" => line["amount"].to_owned(),
        _ => line["status"].to_owned(),
    };
    format!("{name}: {said}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pair_is_as_one_after_the_other() {
    let mut rng = Seed::from_env_or_random("bank_races").rng(2);
    let (begun, before) = (Instant::now(), aborted());
    let mut races = Races::new("pairs").await;
    let (mut pairs, mut both_ways) = (0, 0);
    for (place, first) in CONTESTANTS.iter().enumerate() {
        for second in &CONTESTANTS[place..] {
            if first.1 & second.1 == 0 {
                continue;
            }
            let mut stages = vec![Stage::Open, Stage::Pending, Stage::Over];
            if !long() {
                stages = vec![stages[rng.random_range(0..3)]];
            }
            for stage in stages {
                pairs += 1;
                let rounds = if long() { 5 } else { 1 };
                both_ways += usize::from(races.race(&[*first, *second], stage, rounds).await > 1);
            }
        }
    }
    println!("{pairs} pairs, {both_ways} seen in more than one order");
    races.finish(begun, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_at_once_are_as_one_after_the_other() {
    let mut rng = Seed::from_env_or_random("bank_races").rng(3);
    let (begun, before) = (Instant::now(), aborted());
    let mut races = Races::new("triples").await;
    let mut left = if long() { 400 } else { 25 };
    while left > 0 {
        let race: Vec<Contestant> = CONTESTANTS.choose_multiple(&mut rng, 3).copied().collect();
        if race[0].1 & race[1].1 == 0 || (race[0].1 | race[1].1) & race[2].1 == 0 {
            continue;
        }
        left -= 1;
        let stage = [Stage::Open, Stage::Pending, Stage::Over][rng.random_range(0..3)];
        races.race(&race, stage, 1).await;
    }
    races.finish(begun, before).await;
}
