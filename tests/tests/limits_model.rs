//! Proves gross spending against a model of its own: sixteen sessions, each with a wallet, a hundred thousand random
//! operations in all, payments on any day, batches, holds, captures, refunds and changes of limits. Whatever is
//! asked, the answer of check_spending_limit, the outcome of posting and the model agree, number by number.

#[path = "limits_model/model.rs"]
mod model;

use futures::future::join_all;
use model::{Asked, Limit, Model, Verdict};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use wallet_ledger_tests::*;

const SESSIONS: u64 = 16;
/// Operations of all sessions together: a whole run of CI has not the time for all of them.
const OPERATIONS: u64 = 24_000;
const OPERATIONS_LONG: u64 = 120_000;

const MERCHANTS: [&str; 3] = ["canteen", "kiosk", "shop"];
const CATEGORIES: [Option<&str>; 4] = [Some("food"), Some("drinks"), Some("books"), None];
const METHODS: [Option<&str>; 3] = [Some("pin"), Some("qr"), None];

struct Life {
    client: Client,
    wallet: String,
    random: ChaCha8Rng,
    model: Model,
    /// What can be taken back, and what is left of it.
    paid: Vec<(String, i64)>,
    holds: Vec<(String, i64)>,
    refused: u64,
    allowed: u64,
}

fn one<T: Copy>(random: &mut ChaCha8Rng, of: &[T]) -> T {
    of[random.random_range(0..of.len())]
}

impl Life {
    /// An amount and where it goes; any day of three weeks around now, or now itself.
    fn ask(&mut self) -> Asked {
        let random = &mut self.random;
        let at = match random.random_range(0..3) {
            0 => None,
            _ => Some(
                model::now()
                    + random.random_range(-10..=10_i64) * model::DAY
                    + random.random_range(0..model::DAY),
            ),
        };
        Asked {
            amount: random.random_range(1..60),
            merchant: one(random, &MERCHANTS),
            category: one(random, &CATEGORIES),
            method: one(random, &METHODS),
            at,
        }
    }

    async fn step(&mut self) {
        // The model looks at the clock after the call: day and hour are to be the same then.
        away_from_the_hour().await;
        match self.random.random_range(0..100) {
            0..3 => self.change().await,
            3..45 => self.pay().await,
            45..52 => self.batch().await,
            52..64 => self.hold().await,
            64..72 => self.capture().await,
            72..78 => self.release().await,
            78..90 => self.take_back().await,
            _ => {
                let asked = self.ask();
                self.check(&asked).await;
            }
        }
    }

    async fn change(&mut self) {
        let limit = Limit::random(&mut self.random);
        let sql = format!("set_spending_limit('{}', {})", self.wallet, limit.arguments());
        let set = call(&self.client, &sql).await;
        self.model.set(limit, model::micros(&set["effective_from"]));
    }

    /// Asks first, and compares every number.
    async fn check(&mut self, asked: &Asked) -> Verdict {
        let sql = format!("check_spending_limit('{}', {}{})", self.wallet, asked.amount, asked.arguments());
        let said = call(&self.client, &sql).await;
        let verdict = self.model.judge(asked, 0);
        let told = Verdict::told(&said);
        assert_eq!(told, verdict, "{} {asked:?}\n{:#?}", self.wallet, self.model);
        verdict
    }

    fn compare<T>(&mut self, result: Result<T, tokio_postgres::Error>, verdict: &Verdict) -> Option<T> {
        match result {
            Ok(value) => {
                assert_eq!(verdict.reason, None, "posted what the model refuses");
                self.allowed += 1;
                Some(value)
            }
            Err(error) => {
                let error = sql_error(&error);
                assert_eq!(error.token(), "spending_limit_exceeded", "{error:?}");
                assert_eq!(error.detail["reason"].as_str(), verdict.reason.as_deref(), "{error:?}");
                let remaining = error.detail["remaining"].as_str().map(model::rupiah);
                assert_eq!(remaining, verdict.remaining, "{error:?}");
                self.refused += 1;
                None
            }
        }
    }

    async fn pay(&mut self) {
        let asked = self.ask();
        let verdict = self.check(&asked).await;
        let sql = format!(
            "post_transfer('{}', 'merchants:{}', {}, 'payment', metadata => '{}'{})",
            self.wallet,
            asked.merchant,
            asked.amount,
            asked.metadata(),
            asked.effective_at()
        );
        let result = try_call(&self.client, &sql).await;
        if let Some(paid) = self.compare(result, &verdict) {
            self.model.spend(&paid["id"], &asked, model::micros(&paid["effective_at"]));
            self.paid.push((paid["id"].to_owned(), asked.amount));
        }
    }

    /// Three payments of one transaction, judged as a whole.
    async fn batch(&mut self) {
        let asked: Vec<Asked> = (0..3).map(|_| Asked { at: None, ..self.ask() }).collect();
        let items: Vec<Value> = asked
            .iter()
            .map(|asked| {
                json!({ "debit_account": self.wallet, "credit_account": format!("merchants:{}", asked.merchant),
                        "amount": asked.amount, "kind": "purchase", "transaction": "t",
                        "metadata": serde_json::from_str::<Value>(&asked.metadata()).unwrap() })
            })
            .collect();
        let sql = format!("post_transfers('{}', on_error => 'report')", Value::from(items));
        let outcomes = calls(&self.client, &sql).await;
        let refused = self.model.judge_transaction(&asked);
        for (place, outcome) in outcomes.iter().enumerate() {
            let expected = match refused {
                None => "NULL",
                Some(culprit) if culprit == place => "spending_limit_exceeded",
                Some(_) => "linked_item_failed",
            };
            assert_eq!(&outcome["error"], expected, "{asked:?}\n{:#?}", self.model);
        }
        if refused.is_some() {
            self.refused += 1;
            return;
        }
        for (asked, outcome) in asked.iter().zip(&outcomes) {
            self.model.spend(&outcome["id"], asked, model::micros(&outcome["effective_at"]));
            self.paid.push((outcome["id"].to_owned(), asked.amount));
        }
    }

    async fn hold(&mut self) {
        if self.holds.len() > 3 {
            return self.release().await;
        }
        let asked = Asked { at: None, ..self.ask() };
        let verdict = self.check(&asked).await;
        let sql = format!(
            "hold_funds('{}', {}, 'merchants:{}', kind => 'payment', metadata => '{}')",
            self.wallet,
            asked.amount,
            asked.merchant,
            asked.metadata()
        );
        let result = try_call(&self.client, &sql).await;
        if let Some(hold) = self.compare(result, &verdict) {
            self.model.hold(&hold["id"], &asked);
            self.holds.push((hold["id"].to_owned(), asked.amount));
        }
    }

    fn any(random: &mut ChaCha8Rng, of: &mut Vec<(String, i64)>) -> Option<(String, i64)> {
        if of.is_empty() { None } else { Some(of.swap_remove(random.random_range(0..of.len()))) }
    }

    async fn capture(&mut self) {
        let Some((id, amount)) = Self::any(&mut self.random, &mut self.holds) else { return };
        let part = self.random.random_range(1..=amount);
        let captured = call(&self.client, &format!("capture_hold('{id}', {part})")).await;
        self.model.capture(&id, &captured["id"], part, model::micros(&captured["effective_at"]));
        self.paid.push((captured["id"].to_owned(), part));
    }

    async fn release(&mut self) {
        let Some((id, _)) = Self::any(&mut self.random, &mut self.holds) else { return };
        call(&self.client, &format!("release_hold('{id}')")).await;
        self.model.release(&id);
    }

    async fn take_back(&mut self) {
        let Some((id, left)) = Self::any(&mut self.random, &mut self.paid) else { return };
        let part = self.random.random_range(1..=left);
        call(&self.client, &format!("reverse_transfer('{id}', {part})")).await;
        self.model.take_back(&id, part);
        if part < left {
            self.paid.push((id, left - part));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_model_agrees_with_every_answer() {
    let seed = Seed::from_env_or_random("limits_model");
    let (db, client) = books("limits_model").await;
    for merchant in MERCHANTS {
        call(&client, &format!("create_account('merchants:{merchant}', 'liability', stripes => 4)")).await;
    }
    let operations = if long() { OPERATIONS_LONG } else { OPERATIONS } / SESSIONS;
    let live = async |number: u64| {
        let client = db.app().await;
        db::execute(&client, "SET synchronous_commit = off").await;
        let wallet = format!("wallets:p{number}");
        call(&client, &format!("open_wallet('p{number}')")).await;
        call(&client, &format!("post_transfer('bank', '{wallet}', 100000000, 'topup')")).await;
        let mut life = Life {
            client,
            wallet,
            random: seed.rng(number),
            model: Model::default(),
            paid: Vec::new(),
            holds: Vec::new(),
            refused: 0,
            allowed: 0,
        };
        for _ in 0..operations {
            life.step().await;
        }
        (life.allowed, life.refused)
    };
    for (allowed, refused) in join_all((0..SESSIONS).map(live)).await {
        assert!(
            allowed > operations / 50 && refused > operations / 50,
            "{allowed} allowed, {refused} refused"
        );
    }
    verify_clean(&client).await;
}
