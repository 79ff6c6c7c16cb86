//! Lines that cannot be taken in, as errors: for callers that have the line in hand and no webhook to keep
//! it.

use super::intake::LineOutcome;
use crate::error::{Code, LedgerError};
use crate::time;

/// The error for a line that a parser did not understand.
pub fn not_understood(reason: &str, message: &str, id: Option<&str>) -> LedgerError {
    let code = match reason {
        "invalid_amount" => Code::InvalidAmount,
        "not_json" | "unexpected_shape" | "not_an_object" | "empty_body" => Code::InvalidJson,
        _ => Code::InvalidArgument,
    };
    let error = LedgerError::new(code, message).with("reason", reason);
    match id {
        Some(id) => error.with("provider_mutation_id", id),
        None => error,
    }
}

/// The error for a line that was understood and rejected.
pub fn rejected(outcome: &LineOutcome) -> LedgerError {
    let reason = outcome.reasons.first().map_or("rejected", String::as_str);
    let code = match reason {
        "unknown_bank_account" => Code::BankAccountNotFound,
        "conflicting_duplicate" => Code::IdempotencyConflict,
        other => Code::from_token(other).unwrap_or(Code::InvalidArgument),
    };
    let message = outcome.message.clone().unwrap_or_else(|| match code {
        Code::IdempotencyConflict => {
            "the mutation's id was used before for another amount or direction".to_owned()
        }
        _ => format!("the mutation was refused: {reason}"),
    });
    let mut error = LedgerError::new(code, message).with("reason", reason);
    if let Some(id) = &outcome.provider_mutation_id {
        error = error.with("provider_mutation_id", id);
    }
    if let Some(at) = outcome.occurred_at {
        error = error.with("occurred_at", time::to_text(at));
    }
    error
}
