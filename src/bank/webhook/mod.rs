//! Webhooks: verified over the raw body, stored once, worked through line by line.
//!
//! A webhook that is not genuine is refused and written down, and nothing of it is taken for true. A
//! genuine one is stored before anything else: its digest is the lock that makes fifty deliveries of the
//! same body wait for the first and answer as it did. What cannot be understood stays stored with the
//! reason, and `reprocess_webhook` tries it again, once the bank account is registered, say.
//!
//! Nothing raises that a provider can cause: it would take the record away with it. The answer says what
//! HTTP status to send back.
//!
//! Statements: 4 besides the engine's (secrets, webhook, answer, bad lines).

pub mod api;
pub mod intake;
pub mod refusal;
pub mod rules;
pub mod store;

use crate::error::{Code, LedgerError, Result, invalid};
use crate::event;
use crate::ledger::{self, Ledger};
use crate::spi::Session;
use crate::time;
use intake::{From, LineOutcome};
use rules::snap::{Service, SnapCase, snap_code};
use rules::{BODY_BYTES_MAX, BadBody, Headers, Provider, Verdict};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{BadLine, NewSecret, NewWebhook};
use uuid::Uuid;

/// Bounds of a secret, in bytes: what providers give out has at least eight.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 6..=1024;
/// Longest time that the secret before may go on verifying.
const KEEP_PREVIOUS_MICROS_MAX: i64 = 90 * 24 * 3_600_000_000;

/// What a webhook came to.
pub struct Answer {
    pub webhook_id: Option<Uuid>,
    pub outcome: &'static str,
    pub http_status: i32,
    pub response_code: Option<String>,
    pub reason: Option<String>,
    /// The lines of the answer's JSON.
    pub lines: Value,
    pub counts: Counts,
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
    /// Counts the outcomes of the answer's lines.
    pub fn of(lines: &Value) -> Self {
        let mut counts = Self::default();
        for line in lines.as_array().into_iter().flatten() {
            counts.lines += 1;
            match line["outcome"].as_str().unwrap_or_default() {
                "matched" => counts.matched += 1,
                "suspense" => counts.suspense += 1,
                "review" => counts.review += 1,
                "duplicate" => counts.duplicate += 1,
                "rejected" => counts.rejected += 1,
                _ => counts.ignored += 1,
            }
        }
        counts
    }
}

/// Whether a webhook is its provider's.
pub fn verify(
    session: &Session,
    ledger: &Ledger,
    provider: Provider,
    headers: &Headers,
    body: &str,
) -> Verdict {
    if body.len() > BODY_BYTES_MAX {
        return Verdict::Invalid("body_too_large");
    }
    let secrets = store::live_secrets(session, ledger.id, provider as i16, ledger::now());
    let secrets: Vec<&[u8]> = secrets.iter().map(String::as_bytes).collect();
    rules::verify(provider, &secrets, headers, body)
}

/// One delivery, as the caller passes it on.
pub struct Delivery<'a> {
    pub provider: Provider,
    pub headers: Headers,
    pub body: &'a str,
    /// The caller has asked the gateway's own status API.
    pub confirmed: bool,
}

impl Delivery<'_> {
    fn service(&self) -> Service {
        Service::of_path(self.headers.get(":path").unwrap_or_default())
    }

    /// The response code, and the HTTP status that goes with it: SNAP's, or our own.
    fn status(&self, case: SnapCase, http_status: i32) -> (i32, Option<String>) {
        if self.provider != Provider::SnapBri {
            return (http_status, None);
        }
        let code = snap_code(self.service(), case);
        let status = code.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(http_status);
        (status, Some(code))
    }
}

/// Verifies, stores and works through a webhook; a repeat gets the first answer.
pub fn receive(session: &Session, ledger: &Ledger, delivery: &Delivery) -> Result<Answer> {
    let digest = Sha256::digest(delivery.body.as_bytes());
    match verify(session, ledger, delivery.provider, &delivery.headers, delivery.body) {
        Verdict::Valid => {}
        Verdict::Invalid("body_too_large") => {
            return Ok(refuse(
                session,
                ledger,
                delivery,
                &digest,
                "body_too_large",
                SnapCase::BadRequest,
                413,
            ));
        }
        Verdict::Invalid(reason) => {
            return Ok(refuse(session, ledger, delivery, &digest, reason, SnapCase::Unauthorized, 401));
        }
    }
    let parsed = rules::parse(delivery.provider, &delivery.headers, delivery.body);
    if let Err(BadBody { reason: reason @ "too_many_lines", .. }) = &parsed {
        return Ok(refuse(session, ledger, delivery, &digest, reason, SnapCase::BadRequest, 413));
    }
    let now = ledger::now();
    let id = Uuid::now_v7();
    let external_id = match delivery.provider {
        Provider::SnapBri => {
            delivery.headers.get("x-external-id").filter(|id| !id.is_empty() && id.len() <= 128)
        }
        _ => None,
    };
    let new = NewWebhook {
        id,
        provider_id: delivery.provider as i16,
        confirmed: delivery.confirmed,
        line_count: 0,
        digest: &digest,
        external_id,
        external_on: external_id.map(|_| crate::bank::rules::when::When::at(now).day),
        body: &rules::redacted(delivery.provider, delivery.body),
    };
    if !store::insert(session, ledger.id, &new, now) {
        return repeat(session, ledger, delivery, &digest);
    }
    let answer = match parsed {
        Ok(lines) => {
            let from = From::Provider(delivery.provider);
            let outcomes = intake::process(session, ledger, &from, &lines, delivery.confirmed)?;
            processed(delivery, id, &outcomes)
        }
        Err(bad) => not_understood(delivery, id, &bad),
    };
    finish(session, ledger, id, &answer);
    Ok(answer)
}

/// The same body again, or another body under an external id of the day.
fn repeat(session: &Session, ledger: &Ledger, delivery: &Delivery, digest: &[u8]) -> Result<Answer> {
    match store::by_digest(session, ledger.id, delivery.provider as i16, digest) {
        Some((id, Some(answer))) => from_stored(id, &answer),
        Some((_, None)) => Err(LedgerError::new(Code::TryAgain, "the same webhook is being worked through")
            .with("cause", "webhook")),
        None => {
            let case = SnapCase::ExternalIdReused;
            Ok(refuse(session, ledger, delivery, digest, "external_id_reused", case, 409))
        }
    }
}

/// Writes down a refusal. Nothing else is stored.
fn refuse(
    session: &Session,
    ledger: &Ledger,
    delivery: &Delivery,
    digest: &[u8],
    reason: &str,
    case: SnapCase,
    http_status: i32,
) -> Answer {
    let provider_id = delivery.provider as i16;
    store::refuse(session, ledger.id, provider_id, delivery.body.len(), digest, reason, ledger::now());
    let (http_status, response_code) = delivery.status(case, http_status);
    Answer {
        webhook_id: None,
        outcome: "refused",
        http_status,
        response_code,
        reason: Some(reason.to_owned()),
        lines: json!([]),
        counts: Counts::default(),
        replayed: false,
    }
}

fn processed(delivery: &Delivery, id: Uuid, outcomes: &[LineOutcome]) -> Answer {
    let lines = Value::Array(outcomes.iter().map(LineOutcome::to_json).collect());
    let case = outcomes.first().map_or(SnapCase::Success, |outcome| outcome.case);
    let (http_status, response_code) = delivery.status(case, 200);
    let counts = Counts::of(&lines);
    Answer {
        webhook_id: Some(id),
        outcome: "processed",
        http_status,
        response_code,
        reason: None,
        lines,
        counts,
        replayed: false,
    }
}

/// Genuine, and not what the provider sends: kept as it came, as line 0. Sending it again would not help.
fn not_understood(delivery: &Delivery, id: Uuid, bad: &BadBody) -> Answer {
    let (http_status, response_code) = delivery.status(SnapCase::BadRequest, 200);
    let line = json!({ "line": 0, "outcome": "rejected", "reasons": [bad.reason], "message": bad.message });
    let lines = json!([line]);
    Answer {
        webhook_id: Some(id),
        outcome: "not_understood",
        http_status,
        response_code,
        reason: Some(bad.reason.to_owned()),
        counts: Counts::of(&lines),
        lines,
        replayed: false,
    }
}

/// Stores the answer and the lines that were not understood, and tells of the latter.
fn finish(session: &Session, ledger: &Ledger, id: Uuid, answer: &Answer) {
    store::set_answer(session, ledger.id, id, &to_stored(answer), answer.counts.lines);
    let bad = bad_lines(&answer.lines);
    store::insert_lines(session, ledger.id, id, &bad);
    if !bad.is_empty() {
        let payload = json!({ "webhook_id": id.to_string(), "rejected_count": bad.len() });
        event::write(session, ledger, "webhook.lines_rejected", &id.to_string(), payload);
    }
}

fn bad_lines(lines: &Value) -> Vec<BadLine> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rejected = |line: &&Value| line["outcome"] == "rejected";
    lines
        .as_array()
        .into_iter()
        .flatten()
        .filter(rejected)
        .map(|line| BadLine {
            line: line["line"].as_i64().and_then(|line| i32::try_from(line).ok()).unwrap_or_default(),
            reason: text(&line["reasons"][0]),
            message: text(&line["message"]),
        })
        .collect()
}

fn to_stored(answer: &Answer) -> Value {
    json!({
        "outcome": answer.outcome,
        "http_status": answer.http_status,
        "response_code": answer.response_code,
        "reason": answer.reason,
        "lines": answer.lines,
    })
}

fn from_stored(id: Uuid, stored: &Value) -> Result<Answer> {
    let text = |name: &str| stored[name].as_str().map(str::to_owned);
    let outcome = match stored["outcome"].as_str() {
        Some("processed") => "processed",
        Some("not_understood") => "not_understood",
        _ => {
            return Err(LedgerError::new(
                Code::BooksInconsistent,
                "the stored answer of a webhook is unreadable",
            ));
        }
    };
    let lines = stored["lines"].clone();
    Ok(Answer {
        webhook_id: Some(id),
        outcome,
        http_status: stored["http_status"]
            .as_i64()
            .and_then(|status| i32::try_from(status).ok())
            .unwrap_or(200),
        response_code: text("response_code"),
        reason: text("reason"),
        counts: Counts::of(&lines),
        lines,
        replayed: true,
    })
}

/// Works through a stored webhook again. What was taken in before is a duplicate; what was rejected may
/// be understood by now.
pub fn reprocess(session: &Session, ledger: &Ledger, id: Uuid) -> Result<Answer> {
    let (provider_id, confirmed, body) = store::lock(session, ledger.id, id).ok_or_else(|| {
        LedgerError::new(Code::WebhookNotFound, format!("there is no webhook {id}")).with("webhook_id", id)
    })?;
    let provider = Provider::from_id(provider_id)
        .ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "a webhook's provider is unknown"))?;
    let delivery = Delivery { provider, headers: Headers::default(), body: &body, confirmed };
    let answer = match rules::parse(provider, &delivery.headers, &body) {
        Ok(lines) => {
            let from = From::Provider(provider);
            processed(&delivery, id, &intake::process(session, ledger, &from, &lines, confirmed)?)
        }
        Err(bad) => not_understood(&delivery, id, &bad),
    };
    store::solve_lines(session, ledger.id, id, &bad_lines(&answer.lines), ledger::now());
    Ok(answer)
}

/// Stores a new secret; the one before stays valid for a while, so that no webhook is lost meanwhile.
/// Returns until when that is, if there is one.
pub fn set_secret(
    session: &Session,
    ledger: &Ledger,
    provider: Provider,
    secret: &str,
    keep_previous_micros: i64,
) -> Result<Option<i64>> {
    if !SECRET_BYTES.contains(&secret.len()) || secret.trim() != secret {
        // The value itself must not get into a message, and so into a log.
        return Err(invalid("secret", "have 6 to 1024 bytes, without blanks around it"));
    }
    if !(0..=KEEP_PREVIOUS_MICROS_MAX).contains(&keep_previous_micros) {
        return Err(invalid("keep_previous_for", "be between zero and 90 days"));
    }
    let (provider_id, now) = (provider as i16, ledger::now());
    let stored = store::lock_secrets(session, ledger.id, provider_id);
    let slot = |wanted: i16| stored.iter().find(|(slot, ..)| *slot == wanted);
    let until = now.saturating_add(keep_previous_micros);
    let actor = ledger::settings::actor();
    let put = |slot: i16, secret: &str, valid_until: i64| {
        let new = NewSecret { slot, secret, valid_until, set_by: &actor };
        store::put_secret(session, ledger.id, provider_id, &new, now);
    };
    let previous = match slot(1) {
        // Set again: nothing rotates, but what is to end can end.
        Some((_, current, _)) if current == secret => {
            slot(2).map(|(_, old, valid)| (old.clone(), (*valid).min(until)))
        }
        Some((_, current, _)) => Some((current.clone(), until)),
        None => None,
    };
    put(1, secret, time::INFINITY);
    match &previous {
        Some((old, valid_until)) if *valid_until > now => put(2, old, *valid_until),
        _ => store::drop_previous_secret(session, ledger.id, provider_id),
    }
    let payload = json!({ "provider": provider.name(), "actor": actor });
    event::write(session, ledger, "webhook.secret_set", provider.name(), payload);
    Ok(previous.map(|(_, valid_until)| valid_until).filter(|valid_until| *valid_until > now))
}
