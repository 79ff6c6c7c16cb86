//! The same calls from several sessions at once. What they come to is nobody's to tell beforehand: the model
//! only notes what it is told, so that the walks find something to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::{Client, lines, sql_error, try_call};

use super::coverage::Coverage;
use super::model::{Body, Life, Model, Mutation, State, now, sen};
use super::ops::{Answer, Op, body};
use super::report::{Report, When};
use super::walk::Walk;

pub struct Shared {
    pub model: Model,
    pub coverage: Coverage,
}

/// Errors that a race may end in; anything else is a fault.
const REFUSALS: &[&str] = &[
    "account_frozen",
    "account_not_found",
    "already_exists",
    "already_resolved",
    "amount_not_allowed",
    "bank_account_not_found",
    "before_opening",
    "idempotency_conflict",
    "insufficient_funds",
    "intent_expired",
    "intent_not_pending",
    "invalid_amount",
    "invalid_argument",
    "invalid_json",
    "mutation_not_matchable",
];

pub async fn session(client: Client, root: Client, shared: Arc<Mutex<Shared>>, mut walk: Walk, calls: usize) {
    for number in 0..calls {
        if number % 20 == 0 {
            // So that there is something to spend, and something that was spent.
            let sql = "SELECT account, posted FROM wallet_ledger.accounts WHERE account LIKE 'wallets:m%'";
            let wallets = lines(&root, sql).await;
            let mut shared = shared.lock().expect("no session has failed");
            let has = wallets.iter().map(|line| (line["account"].to_owned(), sen(&line["posted"])));
            shared.model.balances.extend(has);
        }
        let (op, sql) = {
            let shared = shared.lock().expect("no session has failed");
            let op = walk.next(&shared.model);
            let sql = op.sql(&shared.model);
            (op, sql)
        };
        if let Op::Pass(place, by) = op {
            execute(&root, &sql).await;
            shared.lock().expect("no session has failed").model.pass(place, by);
            continue;
        }
        let answer: Answer = try_call(&client, &sql).await.map_err(|error| sql_error(&error));
        if let Err(error) = &answer {
            assert!(REFUSALS.contains(&error.token()), "{sql}: {error:#?}");
        }
        let mut shared = shared.lock().expect("no session has failed");
        shared.coverage.count(&op, &answer);
        if answer.is_ok() {
            shared.model.note(&op, &sql, &answer);
        }
    }
}

impl Model {
    /// Keeps what a call has said: enough to walk on, not enough to know better.
    fn note(&mut self, op: &Op, sql: &str, answer: &Answer) {
        let Ok(line) = answer else { return };
        match op {
            Op::Create(new) => {
                let intent = self.learnt(new, sql, line);
                self.add_intent(intent);
            }
            Op::Cancel(place) | Op::Proof(place) | Op::Reject(place) => {
                self.intents[*place].written = Life::from_name(&line["status"]);
            }
            Op::Verify(_, place)
            | Op::ByHand(place, _)
            | Op::Assign(place, _)
            | Op::Return(place)
            | Op::Duplicate(place, _)
            | Op::Unmatch(place) => {
                let intent = line.get("intent_id").map(|id| self.intent_ids[id]);
                let mutation = &mut self.mutations[*place];
                let before = std::mem::replace(&mut mutation.intent, intent);
                mutation.state = State::from_name(&line["status"]);
                mutation.account = line.get("account").map(str::to_owned);
                if let Some(intent) = before {
                    self.intents[intent].written = Life::Open;
                }
                if let Some(intent) = intent {
                    self.intents[intent].written = Life::Paid;
                }
            }
            // Another session was faster with the same body.
            Op::Deliver(_) if &line["replayed"] == "t" => {}
            Op::Deliver(reports) => {
                let text = body(self, reports);
                let told = line.json("lines");
                self.note_lines(reports, told.as_array().expect("lines"));
                let (id, reports) = (line["webhook_id"].to_owned(), reports.clone());
                self.bodies.push(Body { id, text, reports, lines: told });
            }
            Op::Match(report) => {
                let told: BTreeMap<&str, Option<&str>> =
                    ["outcome", "mutation_id", "intent_id"].map(|name| (name, line.get(name))).into();
                self.note_lines(std::slice::from_ref(report), &[serde_json::json!(told)]);
            }
            Op::Redeliver(place) => {
                let first = &self.bodies[*place];
                assert_eq!((&line["replayed"], line.json("lines")), ("t", first.lines.clone()), "{sql}");
            }
            Op::CreateAgain(place) => assert_eq!(line["id"], self.intents[*place].id, "{sql}"),
            Op::Spend(wallet, amount) => *self.spent.entry(wallet.clone()).or_default() += amount,
            Op::Beneficiary(payer) => self.code_is_payers = *payer,
            Op::Expire | Op::Reprocess(_) | Op::Freeze(_) | Op::Pass(..) => {}
        }
    }

    fn note_lines(&mut self, reports: &[Report], told: &[Value]) {
        for (report, told) in reports.iter().zip(told) {
            let Some(id) = told["mutation_id"].as_str() else { continue };
            // Told as a duplicate: whoever was first will note it.
            let outcome = told["outcome"].as_str().unwrap_or_default();
            if outcome == "duplicate" {
                continue;
            }
            let intent = told["intent_id"].as_str().and_then(|id| self.intent_ids.get(id)).copied();
            let place = self.add_mutation(Mutation {
                id: id.to_owned(),
                report: report.clone(),
                when: When::of(&report.date),
                state: State::from_name(outcome),
                reasons: told["reasons"].as_array().into_iter().flatten().map(in_words).collect(),
                intent,
                account: None,
                original: None,
            });
            if let Some(intent) = intent {
                self.pay(intent, place, now());
            }
        }
    }
}

fn in_words(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
