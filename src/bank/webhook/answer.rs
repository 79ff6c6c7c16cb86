//! What a webhook came to: told to the caller, stored, and told again.

use super::Delivery;
use super::intake::LineOutcome;
use super::rules::BadBody;
use super::rules::snap::SnapCase;
use super::store::BadLine;
use crate::error::{Code, LedgerError, Result};
use crate::json::Shown;
use crate::spi::jsonb::Document;
use crate::time;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use uuid::Uuid;

/// What a webhook came to.
pub struct Answer {
    pub webhook_id: Option<Uuid>,
    pub outcome: &'static str,
    pub http_status: i32,
    pub response_code: Option<String>,
    pub reason: Option<String>,
    pub lines: Document,
    pub counts: Counts,
    /// The lines that were not understood; not known of an answer that is told again.
    pub bad_lines: Vec<BadLine>,
    pub replayed: bool,
}

/// How many lines came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub lines: i32,
    pub matched: i32,
    pub suspense: i32,
    pub review: i32,
    pub duplicate: i32,
    pub ignored: i32,
    pub rejected: i32,
}

impl Counts {
    pub fn of(outcomes: &[LineOutcome]) -> Self {
        outcomes.iter().fold(Self::default(), |counts, line| counts.and(line.outcome))
    }

    /// Of lines as they are stored.
    pub fn of_stored(lines: &Value) -> Self {
        let outcomes = lines.as_array().into_iter().flatten();
        outcomes
            .fold(Self::default(), |counts, line| counts.and(line["outcome"].as_str().unwrap_or_default()))
    }

    fn and(mut self, outcome: &str) -> Self {
        self.lines += 1;
        match outcome {
            "matched" => self.matched += 1,
            "suspense" => self.suspense += 1,
            "review" => self.review += 1,
            "duplicate" => self.duplicate += 1,
            "rejected" => self.rejected += 1,
            _ => self.ignored += 1,
        }
        self
    }
}

impl Answer {
    pub fn processed(delivery: &Delivery, id: Uuid, outcomes: &[LineOutcome]) -> Self {
        let case = outcomes.first().map_or(SnapCase::Success, |outcome| outcome.case);
        let (http_status, response_code) = delivery.status(case, 200);
        Self {
            webhook_id: Some(id),
            outcome: "processed",
            http_status,
            response_code,
            reason: None,
            lines: told(outcomes),
            counts: Counts::of(outcomes),
            bad_lines: outcomes.iter().filter(|outcome| outcome.is_rejected()).map(bad_line).collect(),
            replayed: false,
        }
    }

    /// Genuine, and not what the provider sends: kept as it came, as line 0. Sending it again would not help.
    pub fn not_understood(delivery: &Delivery, id: Uuid, bad: &BadBody) -> Self {
        let (http_status, response_code) = delivery.status(SnapCase::BadRequest, 200);
        let line =
            json!({ "line": 0, "outcome": "rejected", "reasons": [bad.reason], "message": bad.message });
        Self {
            webhook_id: Some(id),
            outcome: "not_understood",
            http_status,
            response_code,
            reason: Some(bad.reason.to_owned()),
            lines: Document::of_value(&json!([line])),
            counts: Counts { lines: 1, rejected: 1, ..Counts::default() },
            bad_lines: vec![BadLine { line: 0, reason: bad.reason.to_owned(), message: bad.message.clone() }],
            replayed: false,
        }
    }

    /// Not genuine, or not to be read: nothing of it is taken for true.
    pub fn refused(delivery: &Delivery, reason: &str, case: SnapCase, http_status: i32) -> Self {
        let (http_status, response_code) = delivery.status(case, http_status);
        Self {
            webhook_id: None,
            outcome: "refused",
            http_status,
            response_code,
            reason: Some(reason.to_owned()),
            lines: told(&[]),
            counts: Counts::default(),
            bad_lines: Vec::new(),
            replayed: false,
        }
    }

    /// What is stored of it beside the lines.
    pub fn head(&self) -> Value {
        json!({
            "outcome": self.outcome,
            "http_status": self.http_status,
            "response_code": self.response_code,
            "reason": self.reason,
        })
    }

    /// The stored answer, to be told again.
    pub fn stored(id: Uuid, head: &Value, lines: Document) -> Result<Self> {
        let unreadable =
            || LedgerError::new(Code::BooksInconsistent, "the stored answer of a webhook is unreadable");
        let text = |name: &str| head[name].as_str().map(str::to_owned);
        let outcome = match head["outcome"].as_str() {
            Some("processed") => "processed",
            Some("not_understood") => "not_understood",
            _ => return Err(unreadable()),
        };
        let status = head["http_status"].as_i64().and_then(|status| i32::try_from(status).ok());
        let told: Value = serde_json::from_str(&lines.to_text()).map_err(|_| unreadable())?;
        Ok(Self {
            webhook_id: Some(id),
            outcome,
            http_status: status.unwrap_or(200),
            response_code: text("response_code"),
            reason: text("reason"),
            counts: Counts::of_stored(&told),
            lines,
            bad_lines: Vec::new(),
            replayed: true,
        })
    }
}

fn bad_line(outcome: &LineOutcome) -> BadLine {
    BadLine {
        line: i32::try_from(outcome.line).unwrap_or_default(),
        reason: outcome.reasons.first().cloned().unwrap_or_default(),
        message: outcome.message.clone().unwrap_or_default(),
    }
}

/// The outcomes in JSON, one object a line.
pub fn told(outcomes: &[LineOutcome]) -> Document {
    Document::of(outcomes)
}

impl Serialize for LineOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        // In jsonb's order, by length and then by letter: so it has nothing to sort.
        #[derive(Serialize)]
        struct Line<'a> {
            line: usize,
            amount: Option<Shown<Decimal>>,
            message: Option<&'a str>,
            outcome: &'a str,
            reasons: &'a [String],
            direction: Option<&'a str>,
            intent_id: Option<Shown<Uuid>>,
            mutation_id: Option<Shown<Uuid>>,
            occurred_at: Option<String>,
            bank_account: Option<&'a str>,
            transaction_id: Option<Shown<Uuid>>,
            provider_mutation_id: Option<&'a str>,
        }
        let line = Line {
            line: self.line,
            amount: self.amount.map(Shown),
            message: self.message.as_deref(),
            outcome: self.outcome,
            reasons: &self.reasons,
            direction: self.direction,
            intent_id: self.intent_id.map(Shown),
            mutation_id: self.mutation_id.map(Shown),
            occurred_at: self.occurred_at.map(time::to_text),
            bank_account: self.bank_account.as_deref(),
            transaction_id: self.transaction_id.map(Shown),
            provider_mutation_id: self.provider_mutation_id.as_deref(),
        };
        line.serialize(serializer)
    }
}
