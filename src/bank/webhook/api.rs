//! SQL face of webhooks, and of a single mutation that a backend has verified on its own.

use super::answer::Answer;
use super::intake::{self, From, LineOutcome};
use super::refusal::{not_understood, rejected};
use super::rules::{Headers, Provider, Verdict};
use super::{Delivery, receive, reprocess, set_secret, verify};
use crate::error::{Code, LedgerError, Result, missing};
use crate::spi::face::{Composite, JsonIn, Timestamp, composite_result, micros};
use crate::spi::{Argument, Session};
use crate::{form, ledger, report};
use pgrx::prelude::*;
use std::ffi::CStr;
use uuid::Uuid;

/// A webhook's answer in words.
struct WebhookAnswer(Answer);

composite_result!(WebhookAnswer, "wallet_ledger.webhook_answer");

impl Composite for WebhookAnswer {
    const NAME: &'static CStr = c"webhook_answer";

    fn into_values(self) -> Vec<Argument> {
        let answer = &self.0;
        let counts = answer.counts;
        vec![
            answer.webhook_id.into(),
            answer.outcome.into(),
            answer.http_status.into(),
            answer.response_code.as_deref().into(),
            answer.reason.as_deref().into(),
            counts.lines.into(),
            counts.matched.into(),
            counts.suspense.into(),
            counts.review.into(),
            counts.duplicate.into(),
            counts.ignored.into(),
            counts.rejected.into(),
            (&answer.lines).into(),
            answer.replayed.into(),
        ]
    }
}

/// Whether a webhook is genuine.
struct WebhookVerification(Verdict);

composite_result!(WebhookVerification, "wallet_ledger.webhook_verification");

impl Composite for WebhookVerification {
    const NAME: &'static CStr = c"webhook_verification";

    fn into_values(self) -> Vec<Argument> {
        match self.0 {
            Verdict::Valid => vec![true.into(), Argument::datum(None)],
            Verdict::Invalid(reason) => vec![false.into(), reason.into()],
        }
    }
}

/// What a reported line came to, in words.
pub struct MutationOutcome(pub LineOutcome);

composite_result!(MutationOutcome, "wallet_ledger.mutation_outcome");

impl Composite for MutationOutcome {
    const NAME: &'static CStr = c"mutation_outcome";

    fn into_values(self) -> Vec<Argument> {
        let line = &self.0;
        vec![
            i32::try_from(line.line).unwrap_or(i32::MAX).into(),
            line.outcome.into(),
            Argument::texts(line.reasons.iter().map(String::as_str)),
            line.message.as_deref().into(),
            line.provider_mutation_id.as_deref().into(),
            line.bank_account.as_deref().into(),
            line.direction.into(),
            line.amount.into(),
            line.occurred_at.into(),
            line.mutation_id.into(),
            line.intent_id.into(),
            line.transaction_id.into(),
        ]
    }
}

/// Stores the key that a provider's webhooks are verified with. Nobody can read it back: only
/// `wallet_owner` may select from its table, and no function returns it.
///
/// * `provider`: moota (the webhook's secret token), midtrans (the server key), xendit (the callback
///   token) or snap (the client secret).
/// * `secret`: 6 to 1024 bytes. Pass it as a parameter of a prepared statement on a connection whose
///   statements are not logged; see docs/webhooks.md.
/// * `keep_previous_for`: how long the key before stays valid too, at most 90 days; zero ends it at once.
///
/// Returns until when the key before is valid; NULL where there is none. Errors: missing_argument,
/// invalid_argument.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn set_webhook_secret(
    provider: Option<&str>,
    secret: Option<&str>,
    keep_previous_for: default!(Option<Interval>, "'7 days'"),
    ledger: default!(Option<&str>, "NULL"),
) -> Option<Timestamp> {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let provider = Provider::from_name(provider.ok_or_else(|| missing("provider"))?)?;
        let secret = secret.ok_or_else(|| missing("secret"))?;
        let keep = keep_previous_for.ok_or_else(|| missing("keep_previous_for"))?;
        let micros = micros(keep);
        let until = set_secret(&session, &ledger, provider, secret, micros)?;
        Ok(until.map(Timestamp))
    })
}

/// Whether a webhook comes from who has the secret, judged over the body exactly as given and in
/// constant time. Stores nothing.
///
/// * `provider`: moota, midtrans, xendit or snap.
/// * `headers`: a JSON object of the request's headers, names in any case. For snap also `:method` (POST
///   by default) and `:path`, the path that the bank has called and signed.
/// * `body`: the raw body, byte for byte.
///
/// Returns valid, and where it is not the reason, a token. Errors: missing_argument, invalid_argument,
/// invalid_json (the headers).
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
fn verify_webhook(
    provider: Option<&str>,
    headers: Option<JsonIn>,
    body: Option<&str>,
    ledger: default!(Option<&str>, "NULL"),
) -> WebhookVerification {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let delivery = delivery(provider, headers.as_ref(), body, false)?;
        let verdict = verify(&session, &ledger, delivery.provider, &delivery.headers, delivery.body);
        Ok(WebhookVerification(verdict))
    })
}

fn delivery<'a>(
    provider: Option<&str>,
    headers: Option<&JsonIn>,
    body: Option<&'a str>,
    confirmed: bool,
) -> Result<Delivery<'a>> {
    Ok(Delivery {
        provider: Provider::from_name(provider.ok_or_else(|| missing("provider"))?)?,
        headers: headers_of(&headers.ok_or_else(|| missing("headers"))?.0.to_text())?,
        body: body.ok_or_else(|| missing("body"))?,
        confirmed,
    })
}

fn headers_of(text: &str) -> Result<Headers> {
    let headers = serde_json::from_str(text).map_err(|_| {
        LedgerError::new(Code::InvalidJson, "headers must be a JSON object of strings")
            .with("argument", "headers")
    })?;
    Headers::parse(&headers)
}

/// Takes a webhook in: verifies it, stores it once, and matches and posts each of its lines.
///
/// * `provider`, `headers`, `body`: as for `verify_webhook`. Up to 1 MiB and 10,000 lines.
/// * `confirmed`: the caller has asked the gateway's own status API. Midtrans does not sign the status, so
///   one that moves money should be confirmed; the ledger records which it was.
///
/// Returns what it came to, with one outcome per line; send `http_status` back, and for snap
/// `response_code`. A webhook that is not genuine is answered with `refused` and 401, and written down; it
/// does not raise, because that would take the record away. The same body again gets the first answer,
/// marked replayed. Errors: missing_argument, invalid_argument, invalid_json (the headers), try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn receive_webhook(
    provider: Option<&str>,
    headers: Option<JsonIn>,
    body: Option<&str>,
    confirmed: default!(Option<bool>, "false"),
    ledger: default!(Option<&str>, "NULL"),
) -> WebhookAnswer {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let delivery = delivery(provider, headers.as_ref(), body, confirmed.unwrap_or(false))?;
        Ok(WebhookAnswer(receive(&session, &ledger, &delivery)?))
    })
}

/// Works through a stored webhook again: what was rejected then may be understood now, because the bank
/// account is registered or frozen no more. What was taken in before is a duplicate.
///
/// * `webhook_id`: from `receive_webhook` or the view `webhook_lines`.
///
/// Returns the new outcomes; the stored answer stays the first. Errors: missing_argument,
/// webhook_not_found.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn reprocess_webhook(
    webhook_id: Option<pgrx::Uuid>,
    ledger: default!(Option<&str>, "NULL"),
) -> WebhookAnswer {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let id = webhook_id.ok_or_else(|| missing("webhook_id"))?;
        Ok(WebhookAnswer(reprocess(&session, &ledger, Uuid::from_bytes(*id.as_bytes()))?))
    })
}

/// Deletes what the view `webhook_refusals` shows of long ago, at most `max_count`, the oldest first. Anybody who
/// knows the address of an endpoint can send it something to refuse: so this may be much.
///
/// * `older_than`: age as an interval, at least one hour.
/// * `max_count`: upper bound of the work of one call, 1 to 1,000,000.
///
/// Returns how many were deleted. Call again until it returns less than `max_count`. Errors: missing_argument,
/// invalid_argument.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn forget_webhook_refusals(
    older_than: default!(Option<Interval>, "'90 days'"),
    max_count: default!(Option<i32>, 10000),
    ledger: default!(Option<&str>, "NULL"),
) -> i64 {
    report::run(|| {
        let session = Session::connect();
        let age = form::age(older_than.map(|age| age.as_micros()))?;
        let max_count = form::max_count(max_count, 1_000_000)?;
        let ledger = ledger::resolve(&session, ledger)?;
        Ok(super::store::forget(&session, ledger.id, ledger::now() - age, max_count))
    })
}

/// Matches one bank mutation and posts it, for a backend that has verified it on its own.
///
/// * `mutation`: one mutation as the provider sends it, a JSON object.
/// * `provider`: moota, midtrans, xendit or snap.
///
/// Returns what it came to: matched (an intent is paid), suspense (nobody's: it waits in the suspense
/// account), review (a person decides; `reasons` say why), duplicate (stored before; `reasons` begins with
/// its status) or ignored (a debit, stored for the proof). Errors: missing_argument, invalid_json,
/// invalid_argument, invalid_amount, bank_account_not_found, idempotency_conflict (the id was used for
/// another amount or direction), try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn match_mutation(
    mutation: Option<JsonIn>,
    provider: default!(Option<&str>, "'moota'"),
    ledger: default!(Option<&str>, "NULL"),
) -> MutationOutcome {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let mutation = mutation.ok_or_else(|| missing("mutation"))?;
        let provider = Provider::from_name(provider.ok_or_else(|| missing("provider"))?)?;
        match_one(&session, &ledger, provider, &mutation.0.to_text()).map(MutationOutcome)
    })
}

/// Matches the one mutation that `body` reports; what is not understood is an error.
pub fn match_one(
    session: &Session,
    ledger: &ledger::Ledger,
    provider: Provider,
    body: &str,
) -> Result<LineOutcome> {
    let lines = super::rules::parse(provider, &Headers::default(), body)
        .map_err(|bad| not_understood(bad.reason, &bad.message, None).with("argument", "mutation"))?;
    let [line] = lines.as_slice() else {
        return Err(LedgerError::new(Code::InvalidJson, "mutation must be one mutation, not several")
            .with("argument", "mutation"));
    };
    if let Err(bad) = line {
        let error = not_understood(bad.reason, &bad.message, bad.id.as_deref());
        return Err(error.with("argument", "mutation"));
    }
    let outcome = intake::process(session, ledger, &From::Provider(provider), &lines, true)?
        .pop()
        .ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "a mutation has no outcome"))?;
    if outcome.is_rejected() { Err(rejected(&outcome)) } else { Ok(outcome) }
}
