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

pub mod answer;
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
use answer::Answer;
use intake::From;
use rules::snap::{Service, SnapCase, snap_code};
use rules::{BODY_BYTES_MAX, BadBody, Headers, Provider, Verdict};
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{NewSecret, NewWebhook, Stored};
use uuid::Uuid;

/// Bounds of a secret, in bytes: what providers give out has at least eight.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 6..=1024;
/// Longest time that the secret before may go on verifying.
const KEEP_PREVIOUS_MICROS_MAX: i64 = 90 * 24 * 3_600_000_000;

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
    let read = rules::read(delivery.provider, &delivery.headers, delivery.body);
    if let Err(BadBody { reason: reason @ "too_many_lines", .. }) = &read.lines {
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
        body: read.redacted,
    };
    if !store::insert(session, ledger.id, new, now) {
        return repeat(session, ledger, delivery, &digest);
    }
    let answer = match read.lines {
        Ok(lines) => {
            let from = From::Provider(delivery.provider);
            let outcomes = intake::process(session, ledger, &from, &lines, delivery.confirmed)?;
            Answer::processed(delivery, id, &outcomes)
        }
        Err(bad) => Answer::not_understood(delivery, id, &bad),
    };
    finish(session, ledger, id, &answer);
    Ok(answer)
}

/// The same body again, or another body under an external id of the day.
fn repeat(session: &Session, ledger: &Ledger, delivery: &Delivery, digest: &[u8]) -> Result<Answer> {
    match store::by_digest(session, ledger.id, delivery.provider as i16, digest) {
        Some(Stored { id, answer: Some((head, lines)) }) => Answer::stored(id, &head, lines),
        Some(Stored { answer: None, .. }) => {
            Err(LedgerError::new(Code::TryAgain, "the same webhook is being worked through")
                .with("cause", "webhook"))
        }
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
    Answer::refused(delivery, reason, case, http_status)
}

/// Stores the answer and the lines that were not understood, and tells of the latter.
fn finish(session: &Session, ledger: &Ledger, id: Uuid, answer: &Answer) {
    store::set_answer(session, ledger.id, id, &answer.head(), &answer.lines, answer.counts.lines);
    let bad = &answer.bad_lines;
    store::insert_lines(session, ledger.id, id, bad);
    if !bad.is_empty() {
        let payload = json!({ "webhook_id": id.to_string(), "rejected_count": bad.len() });
        event::write(session, ledger, "webhook.lines_rejected", &id.to_string(), payload);
    }
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
            let outcomes = intake::process(session, ledger, &from, &lines, confirmed)?;
            Answer::processed(&delivery, id, &outcomes)
        }
        Err(bad) => Answer::not_understood(&delivery, id, &bad),
    };
    store::solve_lines(session, ledger.id, id, &answer.bad_lines, ledger::now());
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
    // One after another, the first secret of a provider too, of which there is no row to lock yet: each finds the
    // secret that the one before has left, and keeps it as the previous one.
    ledger::store::lock(session, ledger.id);
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
