//! The calls: their SQL, and what the model says of their results.

use serde_json::Value;
use wallet_ledger_tests::bank::{match_call, quoted, webhook_call};
use wallet_ledger_tests::{LedgerError, Line};

use super::life::Told;
use super::model::{
    Body, COOL_DOWN, GRACE, Intent, Life, MOODY, Model, OPEN_FOR, SHOP, micros, now, sen, text,
};
use super::report::Report;

pub type Answer = Result<Line, LedgerError>;

#[derive(Clone, Debug)]
pub struct NewIntent {
    pub purpose: &'static str,
    pub wallet: String,
    pub amount: i64,
    pub bank: usize,
    pub bank_account: String,
    pub reference: Option<String>,
    pub payer: Option<&'static str>,
    pub key: Option<String>,
    /// What it is refused for, if for something that it says itself.
    pub fault: Option<&'static str>,
}

/// A call. Intents, mutations and bodies are places in the model's lists.
#[derive(Clone, Debug)]
pub enum Op {
    Create(NewIntent),
    CreateAgain(usize),
    Expire,
    Cancel(usize),
    Proof(usize),
    Reject(usize),
    Verify(usize, usize),
    ByHand(usize, usize),
    Assign(usize, String),
    Return(usize),
    Duplicate(usize, usize),
    Unmatch(usize),
    Deliver(Vec<Report>),
    Redeliver(usize),
    Reprocess(usize),
    Match(Report),
    Spend(String, i64),
    Freeze(bool),
    Beneficiary(bool),
    /// Not a call: so much time passes for one intent.
    Pass(usize, i64),
}

impl Op {
    pub fn name(&self) -> &'static str {
        match self {
            Op::Create(_) => "create_intent",
            Op::CreateAgain(_) => "create_intent again",
            Op::Expire => "expire_intents",
            Op::Cancel(_) => "cancel_intent",
            Op::Proof(_) => "submit_payment_proof",
            Op::Reject(_) => "reject_payment",
            Op::Verify(..) => "verify_payment",
            Op::ByHand(..) => "match_mutation_by_hand",
            Op::Assign(..) => "assign_mutation",
            Op::Return(_) => "return_mutation",
            Op::Duplicate(..) => "mark_mutation_duplicate",
            Op::Unmatch(_) => "unmatch_mutation",
            Op::Deliver(_) => "receive_webhook",
            Op::Redeliver(_) => "receive_webhook again",
            Op::Reprocess(_) => "reprocess_webhook",
            Op::Match(_) => "match_mutation",
            Op::Spend(..) => "post_transfer",
            Op::Freeze(_) => "freeze_account",
            Op::Beneficiary(_) => "set_setting",
            Op::Pass(..) => "time passes",
        }
    }

    /// The call, or for time the statements of a superuser.
    pub fn sql(&self, model: &Model) -> String {
        let intent = |place: &usize| &model.intents[*place].id;
        let mutation = |place: &usize| &model.mutations[*place].id;
        match self {
            Op::Create(new) => new.sql(),
            Op::CreateAgain(place) => model.intents[*place].call.clone().expect("made with a key"),
            Op::Expire => "expire_intents(10000)".to_owned(),
            Op::Cancel(place) => format!("cancel_intent('{}', 'not wanted')", intent(place)),
            Op::Proof(place) => format!("submit_payment_proof('{}', 'photo')", intent(place)),
            Op::Reject(place) => format!("reject_payment('{}', 'blurred')", intent(place)),
            Op::Verify(place, by) => format!("verify_payment('{}', '{}')", intent(place), mutation(by)),
            Op::ByHand(place, to) => {
                format!("match_mutation_by_hand('{}', '{}', 'r')", mutation(place), intent(to))
            }
            Op::Assign(place, account) => format!("assign_mutation('{}', '{account}', 'r')", mutation(place)),
            Op::Return(place) => format!("return_mutation('{}', 'r')", mutation(place)),
            Op::Duplicate(place, of) => {
                format!("mark_mutation_duplicate('{}', '{}', 'r')", mutation(place), mutation(of))
            }
            Op::Unmatch(place) => format!("unmatch_mutation('{}', 'r')", mutation(place)),
            Op::Deliver(reports) => webhook_call(&body(model, reports)),
            Op::Redeliver(place) => webhook_call(&model.bodies[*place].text),
            Op::Reprocess(place) => format!("reprocess_webhook('{}')", model.bodies[*place].id),
            Op::Match(report) => match_call(&report.json(&model.banks)),
            Op::Spend(wallet, amount) => format!("post_transfer('{wallet}', '{SHOP}', {})", text(*amount)),
            Op::Freeze(on) => format!("{}freeze_account('{MOODY}')", if *on { "" } else { "un" }),
            Op::Beneficiary(payer) => {
                let value = if *payer { "payer" } else { "platform" };
                format!("set_setting('unique_code_beneficiary', '{value}')")
            }
            Op::Pass(place, micros) => {
                let (id, by) = (intent(place), format!("interval '{} seconds'", micros / 1_000_000));
                format!(
                    "UPDATE wallet_data.intents
                     SET created_at = created_at - {by}, expires_at = expires_at - {by},
                         accepts_until = accepts_until - {by}, closed_at = closed_at - {by}
                     WHERE intent_id = '{id}';
                     UPDATE wallet_data.live_intents SET due_at = due_at - {by} WHERE intent_id = '{id}';
                     UPDATE wallet_data.intent_codes SET free_at = free_at - {by} WHERE intent_id = '{id}'"
                )
            }
        }
    }
}

impl NewIntent {
    fn sql(&self) -> String {
        let or_null = |text: Option<&str>| text.map_or("NULL".to_owned(), quoted);
        format!(
            "create_intent('{}', '{}', {}, '{}', reference => {}, payer_name => {}, idempotency_key => {})",
            self.purpose,
            self.wallet,
            text(self.amount),
            self.bank_account,
            or_null(self.reference.as_deref()),
            or_null(self.payer),
            or_null(self.key.as_deref()),
        )
    }

    fn is_order(&self) -> bool {
        self.purpose == "order"
    }
}

pub fn body(model: &Model, reports: &[Report]) -> String {
    Value::from(reports.iter().map(|report| report.json(&model.banks)).collect::<Vec<_>>()).to_string()
}

/// The columns of a result that the model told, or its error.
fn compare(told: Told, answer: &Answer) -> Result<(), String> {
    match (told, answer) {
        (Err(token), Err(error)) if error.token() == token => Ok(()),
        (Err(token), _) => Err(format!("it must be refused with {token}")),
        (Ok(shown), Err(_)) => Err(format!("it must show {shown:?}")),
        (Ok(shown), Ok(line)) => {
            let wrong = shown.iter().find(|(column, must)| line[column] != **must);
            wrong.map_or(Ok(()), |(column, must)| Err(format!("{column} is {}, not {must}", &line[column])))
        }
    }
}

impl Model {
    /// Does to the model what the call does, and compares the answer. `now` is just before the call.
    pub fn follow(&mut self, op: &Op, sql: &str, answer: &Answer, now: i64) -> Result<(), String> {
        let told = match op {
            Op::Create(new) => return self.created(new, sql, answer, now),
            Op::CreateAgain(place) => return self.created_again(*place, answer),
            Op::Deliver(reports) => return self.delivered(reports, answer, now),
            Op::Reprocess(place) => return self.reprocessed(*place, answer, now),
            Op::Redeliver(place) => return self.delivered_again(*place, answer),
            Op::Match(report) => return self.matched(report, answer, now),
            Op::Expire => self.expire(now),
            Op::Cancel(place) => self.close_or_prove(*place, Life::Cancelled, now),
            Op::Proof(place) => self.close_or_prove(*place, Life::Pending, now),
            Op::Reject(place) => self.reject(*place, now),
            Op::Verify(intent, place) => self.by_hand(*place, *intent, true, now),
            Op::ByHand(place, intent) => self.by_hand(*place, *intent, false, now),
            Op::Assign(place, account) => self.assign(*place, account),
            Op::Return(place) => self.give_back(*place),
            Op::Duplicate(place, original) => self.mark_duplicate(*place, *original),
            Op::Unmatch(place) => self.unmatch(*place, now),
            Op::Spend(wallet, amount) => self.spend(wallet, *amount),
            Op::Freeze(on) => self.freeze(*on),
            Op::Beneficiary(payer) => self.set_beneficiary(*payer),
            Op::Pass(place, by) => {
                self.pass(*place, *by);
                return Ok(());
            }
        };
        compare(told, answer)
    }

    pub fn pass(&mut self, place: usize, by: i64) {
        let intent = &mut self.intents[place];
        for time in [&mut intent.created, &mut intent.expires, &mut intent.accepts] {
            *time -= by;
        }
        intent.closed = intent.closed.map(|closed| closed - by);
        intent.passed = true;
    }

    fn created(&mut self, new: &NewIntent, sql: &str, answer: &Answer, now: i64) -> Result<(), String> {
        let order = new.reference.as_deref().filter(|_| new.is_order() && new.fault.is_none());
        let mut is_taken = false;
        if let Some(order) = order {
            let lives = |intent: &Intent| {
                intent.is_order && intent.reference.as_deref() == Some(order) && intent.life(now).is_live()
            };
            is_taken = self.intents.iter().any(lives);
            if !is_taken {
                self.write_down_order(order, now);
            }
        }
        if let Some(token) = new.fault.or(is_taken.then_some("already_exists")) {
            return compare(Err(token), answer);
        }
        let shown =
            vec![("status", "open".to_owned()), ("amount", text(new.amount)), ("replayed", "f".into())];
        compare(Ok(shown), answer)?;
        let Ok(line) = answer else { unreachable!("it was compared") };
        let intent = self.learnt(new, sql, line);
        let code = intent.total - intent.amount;
        let is_a_code = code % 100 == 0 && (1..=999).contains(&(code / 100));
        if !is_a_code || line["unique_code"] != (code / 100).to_string() {
            return Err(format!("{} is no code of 1 to 999 rupiah", text(code)));
        }
        if intent.expires - intent.created != OPEN_FOR || (intent.created - now).abs() > 60_000_000 {
            return Err("it is not open for 24 hours from now".to_owned());
        }
        if let Some(other) = self.holder_of(intent.bank, intent.total, now) {
            return Err(format!("its total is still that of {other:?}"));
        }
        self.add_intent(intent);
        Ok(())
    }

    /// The intent that a result shows.
    pub fn learnt(&self, new: &NewIntent, sql: &str, line: &Line) -> Intent {
        let expires = micros(&line["expires_at"]);
        Intent {
            id: line["id"].to_owned(),
            bank: new.bank,
            wallet: new.wallet.clone(),
            is_order: new.is_order(),
            reference: new.reference.clone(),
            payer: new.payer,
            amount: new.amount,
            total: sen(&line["total"]),
            to_platform: !self.code_is_payers,
            created: micros(&line["created_at"]),
            expires,
            accepts: expires + GRACE,
            closed: None,
            written: Life::Open,
            paid_by: None,
            paid: 0,
            passed: false,
            call: new.key.is_some().then(|| sql.to_owned()),
        }
    }

    /// Who has this total at a bank account: a live intent, or one that has closed within the cool-down.
    fn holder_of(&self, bank: usize, total: i64, now: i64) -> Option<&Intent> {
        self.intents.iter().find(|intent| {
            let closed = intent.closed.unwrap_or(intent.expires);
            let rests = intent.life(now).is_live() || closed + COOL_DOWN > now;
            intent.bank == bank && intent.total == total && rests
        })
    }

    /// The same key: the same intent, as it was made.
    fn created_again(&mut self, place: usize, answer: &Answer) -> Result<(), String> {
        let intent = &self.intents[place];
        let shown = [
            ("id", intent.id.clone()),
            ("status", "open".to_owned()),
            ("total", text(intent.total)),
            ("mutation_id", "NULL".to_owned()),
            ("replayed", "t".to_owned()),
        ];
        compare(Ok(shown.to_vec()), answer)
    }

    fn delivered(&mut self, reports: &[Report], answer: &Answer, now: i64) -> Result<(), String> {
        let text = body(self, reports);
        if let Some(place) = self.bodies.iter().position(|earlier| earlier.text == text) {
            return self.delivered_again(place, answer);
        }
        let line = answer.as_ref().map_err(|error| format!("{error:?}"))?;
        compare(Ok(vec![("replayed", "f".into()), ("http_status", "200".into())]), answer)?;
        self.lines(reports, line, now)?;
        let (id, lines) = (line["webhook_id"].to_owned(), line.json("lines"));
        self.bodies.push(Body { id, text, reports: reports.to_vec(), lines });
        Ok(())
    }

    fn lines(&mut self, reports: &[Report], line: &Line, now: i64) -> Result<(), String> {
        let outcomes = self.take(reports, now);
        let lines = line.json("lines");
        for (place, (outcome, told)) in outcomes.iter().zip(lines.as_array().expect("lines")).enumerate() {
            self.compare_line(outcome, told)
                .map_err(|difference| format!("line {}: {difference}: {:?}", place + 1, reports[place]))?;
        }
        let count = |name: &str| outcomes.iter().filter(|one| one.outcome == name).count();
        let mut shown = vec![("line_count", outcomes.len().to_string())];
        for (column, name) in [
            ("matched_count", "matched"),
            ("suspense_count", "suspense"),
            ("review_count", "review"),
            ("duplicate_count", "duplicate"),
            ("ignored_count", "ignored"),
            ("rejected_count", "rejected"),
        ] {
            shown.push((column, count(name).to_string()));
        }
        compare(Ok(shown), &Ok(line.clone()))
    }

    fn delivered_again(&mut self, place: usize, answer: &Answer) -> Result<(), String> {
        let body = &self.bodies[place];
        compare(Ok(vec![("webhook_id", body.id.clone()), ("replayed", "t".into())]), answer)?;
        let Ok(line) = answer else { unreachable!("it was compared") };
        if line.json("lines") == body.lines { Ok(()) } else { Err("it is not the first answer".to_owned()) }
    }

    fn reprocessed(&mut self, place: usize, answer: &Answer, now: i64) -> Result<(), String> {
        let line = answer.as_ref().map_err(|error| format!("{error:?}"))?;
        let reports = self.bodies[place].reports.clone();
        let before = self.mutations.len();
        self.lines(&reports, line, now)?;
        if self.mutations.len() == before { Ok(()) } else { Err("a line was taken in anew".to_owned()) }
    }

    fn matched(&mut self, report: &Report, answer: &Answer, now: i64) -> Result<(), String> {
        let outcome = self.take(std::slice::from_ref(report), now).remove(0);
        if let Some(token) = outcome.error {
            return compare(Err(token), answer);
        }
        let line = answer.as_ref().map_err(|error| format!("{error:?}"))?;
        let reasons: Vec<&str> =
            line["reasons"].trim_matches(['{', '}']).split(',').filter(|reason| !reason.is_empty()).collect();
        let told = serde_json::json!({
            "outcome": &line["outcome"], "reasons": reasons,
            "mutation_id": line.get("mutation_id"), "intent_id": line.get("intent_id"),
        });
        self.compare_line(&outcome, &told)
    }

    /// Takes the server's word for when an intent was closed by an order in its way: only it knows.
    pub fn ended_early(&mut self, place: usize, closed: i64, accepts: i64) {
        let intent = &mut self.intents[place];
        assert!((closed - intent.accepts).abs() < 60_000_000 && accepts == closed, "{intent:?}");
        (intent.closed, intent.accepts) = (Some(closed), accepts);
    }

    /// Of what was unmatched last: the intent whose end only the server knows.
    pub fn ends_unknown(&self, place: usize) -> bool {
        let intent = &self.intents[place];
        intent.written == Life::Expired && intent.expires > now()
    }
}
