//! A week at school: pupils, four canteens with two tills each, one strict and one that lends. The tills are offline
//! and sync late, twice at once, in pieces and out of order; beside them pupils buy online, with every call made
//! twice, and bring things back. A model that knows only what was sent and what was answered says how every account
//! must stand; while tills sync one after another it also says what each answer must be.
//!
//! The short form has 100 pupils, `WL_LONG=1` the 1,000.

use futures::future::join_all;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use wallet_ledger_tests::school::*;
use wallet_ledger_tests::*;

const CANTEENS: usize = 4;
const DAYS: usize = 5;
/// The most that a pupil may owe, in rupiah.
const OVERDRAFT_LIMIT: i64 = 20_000;
/// The catalogue of every canteen: item, price, category.
const MENU: [(&str, i64, &str); 5] = [
    ("nasi-goreng", 15_000, "'food'"),
    ("mie-ayam", 12_000, "'food'"),
    ("es-teh", 5_000, "'drink'"),
    ("air", 3_000, "'drink'"),
    ("pena", 4_000, "NULL"),
];

/// Something that was sold.
#[derive(Clone, Debug)]
struct Sale {
    pupil: usize,
    canteen: usize,
    amount: i64,
    items: Value,
    /// Minutes before now.
    ago: i64,
}

impl Sale {
    fn random(rng: &mut ChaCha8Rng, pupils: usize, canteen: usize, day: usize) -> Sale {
        let (mut amount, mut items) = (0, Vec::new());
        for _ in 0..rng.random_range(1..=3) {
            let (item, price, _) = MENU[rng.random_range(0..MENU.len())];
            let quantity = rng.random_range(1..=2);
            amount += price * quantity;
            items.push(json!({"item": item, "quantity": quantity}));
        }
        let minutes_a_day = 24 * 60;
        let ago = (DAYS - day) as i64 * minutes_a_day + rng.random_range(0..minutes_a_day);
        Sale { pupil: rng.random_range(0..pupils), canteen, amount, items: items.into(), ago }
    }
}

/// What a sale came to, as the ledger answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Overdraft,
    Rejected,
}

/// Rupiah of every pupil and canteen, told from what was sent and answered.
struct Model {
    /// Less than nothing is owed.
    net: Vec<i64>,
    canteens: [i64; CANTEENS],
}

impl Model {
    /// What a till's sale must come to now, where nothing else happens at the same time.
    fn predict(&self, sale: &Sale, lends: bool) -> Outcome {
        // Here every purchase takes all of the wallet before anything is lent, and nothing is repaid in between
        // except from refunds: what is owed is owed beside an empty wallet.
        let after = self.net[sale.pupil] - sale.amount;
        match after {
            0.. => Outcome::Accepted,
            _ if lends && -after <= OVERDRAFT_LIMIT => Outcome::Overdraft,
            _ => Outcome::Rejected,
        }
    }

    fn apply(&mut self, sale: &Sale, outcome: Outcome) {
        if outcome != Outcome::Rejected {
            self.net[sale.pupil] -= sale.amount;
            self.canteens[sale.canteen] += sale.amount;
        }
    }

    fn give_back(&mut self, sale: &Sale, amount: i64) {
        self.net[sale.pupil] += amount;
        self.canteens[sale.canteen] -= amount;
    }
}

struct Till {
    device: String,
    canteen: usize,
    lends: bool,
    rng: ChaCha8Rng,
    sessions: [Client; 2],
    next: i64,
    /// Sold and not decided yet, as far as the till knows.
    kept: BTreeMap<i64, Sale>,
    /// Everything, with what it came to and how often that was said.
    sold: BTreeMap<i64, (Sale, Vec<Outcome>)>,
}

impl Till {
    fn sell(&mut self, pupils: usize, day: usize, count: usize) {
        for _ in 0..count {
            let sale = Sale::random(&mut self.rng, pupils, self.canteen, day);
            self.kept.insert(self.next, sale.clone());
            self.sold.insert(self.next, (sale, Vec::new()));
            self.next += 1;
        }
    }

    /// Some of what it keeps and some of what it has sent before, in any order.
    fn batch(&mut self, everything: bool) -> Vec<i64> {
        let mut numbers: Vec<i64> = self.kept.keys().copied().collect();
        if !everything {
            let share = self.rng.random_range(0.3..1.0);
            numbers.retain(|_| self.rng.random_bool(share));
        }
        let before: Vec<i64> =
            self.sold.keys().copied().filter(|number| !self.kept.contains_key(number)).collect();
        numbers.extend(before.into_iter().filter(|_| self.rng.random_bool(0.2)));
        numbers.shuffle(&mut self.rng);
        numbers
    }

    fn call(&self, numbers: &[i64], now: &str) -> String {
        let entry = |number: &i64| {
            let (sale, _) = &self.sold[number];
            let at = format!("{now} - {}", sale.ago);
            json!({"sequence": number, "member": format!("p{}", sale.pupil), "at": at, "items": sale.items})
        };
        let batch: Vec<Value> = numbers.iter().map(entry).collect();
        // The server writes the times: minutes before one moment for all.
        let text = Value::from(batch).to_string();
        format!(
            "sync_purchases('{}', (SELECT coalesce(jsonb_agg(jsonb_set(e, '{{at}}', to_jsonb(to_char(
                 (split_part(e ->> 'at', ' - ', 1)::timestamptz - make_interval(mins => split_part(e ->> 'at', ' - ', 2)::int))
                 AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')))), '[]') FROM jsonb_array_elements('{text}') e))",
            self.device
        )
    }

    /// Takes an answer in: what was decided, in its order.
    fn take(&mut self, answers: &[Line]) -> Vec<(Sale, Outcome)> {
        let mut decided = Vec::new();
        let mut last = 0;
        for answer in answers {
            let number: i64 = answer["sequence"].parse().unwrap();
            assert!(number >= last, "{}: {number} after {last}", self.device);
            last = number;
            let outcome = match &answer["status"] {
                "accepted" => Outcome::Accepted,
                "overdraft" => Outcome::Overdraft,
                "rejected" => Outcome::Rejected,
                "duplicate" => {
                    self.kept.remove(&number);
                    continue;
                }
                "waiting" | "gap" => {
                    assert_eq!(&answer["keep"], "t");
                    continue;
                }
                other => panic!("{other}"),
            };
            assert_eq!(&answer["keep"], "f");
            self.kept.remove(&number);
            let (sale, outcomes) = self.sold.get_mut(&number).expect("it was sent");
            outcomes.push(outcome);
            decided.push((sale.clone(), outcome));
        }
        decided
    }

    /// Syncs, twice at once.
    async fn sync_twice(&mut self, everything: bool, now: &str) -> Vec<(Sale, Outcome)> {
        let numbers = self.batch(everything);
        let call = self.call(&numbers, now);
        let [one, two] = &self.sessions;
        let (one, two) = tokio::join!(calls(one, &call), calls(two, &call));
        let mut decided = self.take(&one);
        decided.extend(self.take(&two));
        decided
    }
}

/// Purchases online in one canteen, each call made twice, and some of it brought back.
async fn online(
    session: &Client,
    mut rng: ChaCha8Rng,
    pupils: usize,
    canteen: usize,
    (day, count): (usize, usize),
) -> Vec<(Sale, Outcome, i64)> {
    let mut done = Vec::new();
    for number in 0..count {
        let sale = Sale::random(&mut rng, pupils, canteen, day);
        let call_twice = format!(
            "purchase('p{}', 'c{canteen}', '{}', on_error => 'report', idempotency_key => 'online:{canteen}:{day}:{number}')",
            sale.pupil, sale.items
        );
        let first = call(session, &call_twice).await;
        let second = call(session, &call_twice).await;
        assert_eq!(first.without(&["replayed"]), second.without(&["replayed"]));
        let outcome = if &first["status"] == "completed" { Outcome::Accepted } else { Outcome::Rejected };
        let mut back = 0;
        if outcome == Outcome::Accepted && rng.random_bool(0.2) {
            let amount = rng.random_range(1..=sale.amount);
            let refund = format!("refund_purchase('{}', amount => {amount})", &first["id"]);
            if try_call(session, &refund).await.is_ok() {
                back = amount;
            }
        }
        done.push((sale, outcome, back));
    }
    done
}

/// What the accounts must be, from the model alone.
async fn assert_model(client: &Client, model: &Model) {
    let sql = "SELECT account, posted FROM wallet_ledger.accounts";
    let stands: BTreeMap<String, Decimal> = lines(client, sql)
        .await
        .iter()
        .map(|line| (line["account"].to_owned(), line["posted"].parse().unwrap()))
        .collect();
    let of = |account: String| stands.get(&account).copied().unwrap_or_default();
    for (pupil, net) in model.net.iter().enumerate() {
        let (wallet, owed) = (of(format!("wallets:p{pupil}")), of(format!("overdrafts:p{pupil}")));
        assert_eq!(wallet - owed, Decimal::from(*net), "p{pupil}");
        assert!(wallet >= Decimal::ZERO && owed >= Decimal::ZERO && owed <= Decimal::from(OVERDRAFT_LIMIT));
    }
    for (canteen, sum) in model.canteens.iter().enumerate() {
        assert_eq!(of(format!("merchants:c{canteen}")), Decimal::from(*sum), "c{canteen}");
    }
}

/// The school with its pupils, each with some money.
async fn open(seed: Seed, pupils: usize) -> (TestDb, Client, Model, Vec<Till>) {
    let db = TestDb::with_ledger("school_week").await;
    let client = db.app().await;
    call(&client, "create_account('bank', 'asset')").await;
    let mut rng = seed.rng(0);
    let mut model = Model { net: Vec::new(), canteens: [0; CANTEENS] };
    for pupil in 0..pupils {
        let amount = rng.random_range(0..=120_000);
        member(&client, &format!("p{pupil}"), amount as u64).await;
        model.net.push(amount);
    }
    let mut tills = Vec::new();
    for canteen in 0..CANTEENS {
        call(&client, &format!("create_merchant('c{canteen}')")).await;
        for (item, price, category) in MENU {
            item_of(&client, &format!("c{canteen}"), item, &price.to_string(), category, 0).await;
        }
        for lends in [false, true] {
            let name = format!("c{canteen}-{}", if lends { "lends" } else { "strict" });
            let gap = if rng.random_bool(0.5) { "wait" } else { "take" };
            let policy = if lends { "accept" } else { "reject" };
            let set = format!(
                "gap_policy => '{gap}', conflict_policy => '{policy}', overdraft_limit => {OVERDRAFT_LIMIT}"
            );
            device(&client, &format!("c{canteen}"), &name, &set).await;
            tills.push(Till {
                device: name,
                canteen,
                lends,
                rng: seed.rng(100 + tills.len() as u64),
                sessions: [db.app().await, db.app().await],
                next: 1,
                kept: BTreeMap::new(),
                sold: BTreeMap::new(),
            });
        }
    }
    (db, client, model, tills)
}

#[tokio::test]
async fn every_purchase_of_the_week_is_there_exactly_once() {
    let seed = Seed::from_env_or_random("school_week");
    let pupils = if long() { 1_000 } else { 100 };
    let (db, client, mut model, mut tills) = open(seed, pupils).await;
    let now = value(&client, "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS+00')").await;
    let sessions = join_all((0..CANTEENS).map(|_| db.app())).await;
    for day in 0..DAYS {
        for till in &mut tills {
            till.sell(pupils, day, pupils / 10);
        }
        // All at once: tills sync in pieces and pupils buy online.
        let offline = join_all(tills.iter_mut().map(|till| till.sync_twice(false, &now)));
        let bought = join_all(sessions.iter().enumerate().map(|(canteen, session)| {
            let rng = seed.rng(1_000 + (day * CANTEENS + canteen) as u64);
            online(session, rng, pupils, canteen, (day, pupils / 10))
        }));
        let (offline, bought) = tokio::join!(offline, bought);
        for (sale, outcome) in offline.into_iter().flatten() {
            model.apply(&sale, outcome);
        }
        for (sale, outcome, back) in bought.into_iter().flatten() {
            model.apply(&sale, outcome);
            model.give_back(&sale, back);
        }
        assert_model(&client, &model).await;
        // What is owed beside a wallet with money is repaid, as the model has it.
        for pupil in 0..pupils {
            call(&client, &format!("repay_overdraft('p{pupil}')")).await;
        }
        // In the evening one till after the other: now every answer can be told.
        for till in &mut tills {
            let lends = till.lends;
            for (sale, outcome) in till.sync_twice(day + 1 == DAYS, &now).await {
                assert_eq!(outcome, model.predict(&sale, lends), "{sale:?} of p{}", sale.pupil);
                model.apply(&sale, outcome);
            }
        }
        assert_model(&client, &model).await;
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for till in &tills {
        assert!(till.kept.is_empty(), "{} still keeps {:?}", till.device, till.kept);
        for (number, (_, outcomes)) in &till.sold {
            assert_eq!(outcomes.len(), 1, "{}:{number}: {outcomes:?}", till.device);
            *counts.entry(format!("{:?}", outcomes[0])).or_default() += 1;
        }
    }
    assert_eq!(counts.len(), 3, "each way of deciding has been met: {counts:?}");
    let sold: usize = tills.iter().map(|till| till.sold.len()).sum();
    let kept = value(&client, "SELECT count(*) FROM wallet_ledger.device_entries").await;
    assert_eq!(kept, sold.to_string());
    assert!(lines(&client, "SELECT * FROM wallet_ledger.device_gaps").await.is_empty());
    assert_purchases_sound(&db).await;
}
