//! The closed vocabulary of errors.
//!
//! Every refusal that a user can cause is one [`Code`]: a token for programs, an HTTP status that
//! PostgREST passes on (SQLSTATE `PT402` becomes 402), a message that states one fact, the numbers
//! as JSON, and a hint that says what to do. Nothing else in the crate invents an error, and the
//! table in `docs/errors.md` is printed from [`ALL`].

use serde_json::{Map, Value, json};
use std::fmt;

/// What kind of refusal this is. The order is the order of precedence within one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    MissingArgument,
    InvalidArgument,
    InvalidJson,
    UnknownField,
    TooManyItems,
    InvalidAmount,
    AmountOutOfRange,
    InvalidAddress,
    SameAccount,
    LedgerRequired,
    InsufficientFunds,
    AppendOnly,
    ReservedKind,
    NotAllowed,
    AuthenticationInvalid,
    LedgerNotFound,
    CurrencyNotFound,
    KindNotFound,
    AccountNotFound,
    TransferNotFound,
    TransactionNotFound,
    HoldNotFound,
    BankAccountNotFound,
    IntentNotFound,
    MutationNotFound,
    WebhookNotFound,
    RateNotFound,
    EscrowNotFound,
    DisputeNotFound,
    GroupBuyNotFound,
    PlanNotFound,
    SubscriptionNotFound,
    MemberNotFound,
    GuardianNotFound,
    MerchantNotFound,
    DeviceNotFound,
    ItemNotFound,
    PinNotSet,
    FingerprintNotEnrolled,
    PurchaseNotFound,
    IdempotencyConflict,
    VersionConflict,
    AlreadyExists,
    AlreadyResolved,
    IntentNotPending,
    IntentNotPaid,
    EscrowClosed,
    AlreadyShipped,
    GroupBuyClosed,
    AccountNotEmpty,
    RowKeyChanged,
    SequenceConflict,
    CurrencyMismatch,
    AccountClosed,
    AccountFrozen,
    PeriodClosed,
    BalanceLimitExceeded,
    SpendingLimitExceeded,
    DestinationRequired,
    HoldExpired,
    CaptureExceedsHold,
    NotReversible,
    ReversalExceedsOriginal,
    LinkedItemFailed,
    AmountNotAllowed,
    BeforeOpening,
    CodesExhausted,
    IntentExpired,
    MutationNotMatchable,
    InvalidStatement,
    EscrowDisputed,
    LinesMismatch,
    ReleaseExceedsEscrow,
    RefundExceedsPayment,
    GroupBuyNotDue,
    PartyInactive,
    WeakPin,
    ClockSkew,
    EntryTooOld,
    OverdraftExceeded,
    InvalidTrigger,
    TryAgain,
    NotInstalled,
    PrivilegeMissing,
    BooksInconsistent,
}

/// How one [`Code`] appears outside: token, HTTP status, what it means, what to do about it.
pub struct Definition {
    pub code: Code,
    pub token: &'static str,
    pub status: u16,
    pub meaning: &'static str,
    pub hint: &'static str,
}

const fn define(
    code: Code,
    token: &'static str,
    status: u16,
    meaning: &'static str,
    hint: &'static str,
) -> Definition {
    Definition { code, token, status, meaning, hint }
}

/// Every error there is, in order of status and precedence. The position equals the enum's value.
#[rustfmt::skip]
pub static ALL: &[Definition] = &[
    define(Code::MissingArgument, "missing_argument", 400, "A value that is needed is NULL or absent.", "Pass a value for the named argument."),
    define(Code::InvalidArgument, "invalid_argument", 400, "A value has the wrong form.", "Correct the named argument; the detail says what form it must have."),
    define(Code::InvalidJson, "invalid_json", 400, "The JSON has the wrong shape.", "Pass a JSON array of objects, one object per item."),
    define(Code::UnknownField, "unknown_field", 400, "An item has a key that is not known.", "Check the key's spelling; the detail lists the known keys."),
    define(Code::TooManyItems, "too_many_items", 400, "The call has more items than one call may have.", "Split the items over several calls."),
    define(Code::InvalidAmount, "invalid_amount", 400, "The amount is not a positive number that the currency can express.", "Pass an amount above zero, with no more decimals than the currency has."),
    define(Code::AmountOutOfRange, "amount_out_of_range", 400, "The amount or the balance it leads to is too large to be kept exactly.", "Amounts and balances hold at most 28 digits, decimals included."),
    define(Code::InvalidAddress, "invalid_address", 400, "The account address is malformed.", "Use segments of A-Z a-z 0-9 _ . - joined by ':', at most 128 bytes."),
    define(Code::SameAccount, "same_account", 400, "Debit and credit name the same account.", "A transfer moves money between two different accounts."),
    define(Code::LedgerRequired, "ledger_required", 400, "No ledger was named and there is not exactly one.", "Pass ledger => 'name', or SET wallet_ledger.ledger = 'name'."),
    define(Code::InsufficientFunds, "insufficient_funds", 402, "The account would pass below its floor.", "Lower the amount, or bring money in first; the detail has the available balance."),
    define(Code::AppendOnly, "append_only", 403, "Booked rows cannot be changed or deleted.", "Post a correction: reverse_transfer() names what it reverses."),
    define(Code::ReservedKind, "reserved_kind", 403, "The kind is written by the ledger itself.", "Use another kind, or the function that the kind belongs to."),
    define(Code::NotAllowed, "not_allowed", 403, "The acting person has no role that may do this here.", "Ask an administrator for a role; role_permissions() says what each may do."),
    define(Code::AuthenticationInvalid, "authentication_invalid", 403, "The authentication does not serve this purchase.", "Identify the member again; the detail has the reason: unknown, failed, elsewhere, used or expired."),
    define(Code::LedgerNotFound, "ledger_not_found", 404, "No such ledger.", "Create it with create_ledger(), or correct the name."),
    define(Code::CurrencyNotFound, "currency_not_found", 404, "No such currency.", "Create it with create_currency(code, scale)."),
    define(Code::KindNotFound, "kind_not_found", 404, "No such kind in this ledger.", "Use one of the view kinds, or add it with create_kind()."),
    define(Code::AccountNotFound, "account_not_found", 404, "No such account in this ledger.", "Create it with create_account() or open_wallet()."),
    define(Code::TransferNotFound, "transfer_not_found", 404, "No such transfer in this ledger.", "Check the id and the ledger."),
    define(Code::TransactionNotFound, "transaction_not_found", 404, "No such transaction in this ledger.", "Check the id and the ledger."),
    define(Code::HoldNotFound, "hold_not_found", 404, "No such hold in this ledger.", "Check the id and the ledger."),
    define(Code::BankAccountNotFound, "bank_account_not_found", 404, "No such bank account in this ledger.", "Register it with register_bank_account(), or correct the account."),
    define(Code::IntentNotFound, "intent_not_found", 404, "No such intent in this ledger.", "Check the id and the ledger."),
    define(Code::MutationNotFound, "mutation_not_found", 404, "No such mutation in this ledger.", "Check the id and the ledger."),
    define(Code::WebhookNotFound, "webhook_not_found", 404, "No such webhook in this ledger.", "Check the id and the ledger; a refused webhook is not stored."),
    define(Code::RateNotFound, "rate_not_found", 404, "No such rate counts at that time.", "Set it with set_rate(), or correct the name; list_rates() shows all."),
    define(Code::EscrowNotFound, "escrow_not_found", 404, "No such escrow in this ledger.", "Check the id and the ledger."),
    define(Code::DisputeNotFound, "dispute_not_found", 404, "No such dispute in this ledger.", "Check the id and the ledger."),
    define(Code::GroupBuyNotFound, "group_buy_not_found", 404, "No such group buy in this ledger.", "Check the id and the ledger."),
    define(Code::PlanNotFound, "plan_not_found", 404, "No such plan in this ledger.", "Create it with create_plan(), or correct the name."),
    define(Code::SubscriptionNotFound, "subscription_not_found", 404, "No such subscription in this ledger.", "Check the id and the ledger."),
    define(Code::MemberNotFound, "member_not_found", 404, "No such member in this ledger.", "Create it with create_member(), or correct the name."),
    define(Code::GuardianNotFound, "guardian_not_found", 404, "No such guardian in this ledger.", "Create it with create_guardian(), or correct the name."),
    define(Code::MerchantNotFound, "merchant_not_found", 404, "No such merchant in this ledger.", "Create it with create_merchant(), or correct the name."),
    define(Code::DeviceNotFound, "device_not_found", 404, "No such device in this ledger.", "Create it with create_device(), or correct the name."),
    define(Code::ItemNotFound, "item_not_found", 404, "The merchant does not sell such an item.", "Put it into the catalogue with set_item(), or correct the name."),
    define(Code::PinNotSet, "pin_not_set", 404, "The member has no PIN.", "Set one with set_pin(), or identify the member another way."),
    define(Code::FingerprintNotEnrolled, "fingerprint_not_enrolled", 404, "The member has no enrolled fingerprint.", "Enrol one with enrol_fingerprint(), or identify the member another way."),
    define(Code::PurchaseNotFound, "purchase_not_found", 404, "No such purchase in this ledger.", "Check the id and the ledger."),
    define(Code::IdempotencyConflict, "idempotency_conflict", 409, "The idempotency key was used for a different request.", "Send the same request again, or use a new key for a new intention."),
    define(Code::VersionConflict, "version_conflict", 409, "The account has moved on since the expected version.", "Read the account again and decide anew."),
    define(Code::AlreadyExists, "already_exists", 409, "It exists already with other properties.", "Use the existing one, or another name."),
    define(Code::AlreadyResolved, "already_resolved", 409, "It was resolved before: captured, paid, cancelled, released or expired.", "Read it again; it cannot be resolved twice."),
    define(Code::IntentNotPending, "intent_not_pending", 409, "The intent has no proof that waits for verification.", "Only a proof in pending_verification can be rejected."),
    define(Code::IntentNotPaid, "intent_not_paid", 409, "The intent has not been paid.", "Wait for the event intent.paid, then open the escrow."),
    define(Code::EscrowClosed, "escrow_closed", 409, "The escrow holds nothing any more.", "Read it in the view escrows; what was paid out can be refunded with refund_escrow()."),
    define(Code::AlreadyShipped, "already_shipped", 409, "The escrow was marked as shipped before.", "Read it in the view escrows; its clock runs already."),
    define(Code::GroupBuyClosed, "group_buy_closed", 409, "The group buy is decided, or its deadline is over.", "Read it in the view group_buys; open another one."),
    define(Code::AccountNotEmpty, "account_not_empty", 409, "The account still has a balance or an open hold.", "Move the balance out and resolve the holds, then close it."),
    define(Code::RowKeyChanged, "row_key_changed", 409, "What names a row was changed in a status that moves money: its primary key, or its escrow's reference.", "Keep the primary key and the reference: they are what makes a row's money move once."),
    define(Code::SequenceConflict, "sequence_conflict", 409, "The till has sent something else under this number before.", "Nothing was taken; the event sync.rejected has what was sent. Look at both and enter what is missing by hand."),
    define(Code::CurrencyMismatch, "currency_mismatch", 422, "The two accounts have different currencies.", "Convert through an account of each currency; one transfer has one currency."),
    define(Code::AccountClosed, "account_closed", 422, "The account is closed.", "Open it again with reopen_account(), or use another account."),
    define(Code::AccountFrozen, "account_frozen", 422, "The account is frozen.", "Lift the freeze with unfreeze_account() once its reason is gone."),
    define(Code::PeriodClosed, "period_closed", 422, "The effective time lies in a closed period.", "Use an effective time at or after the end of the closed period."),
    define(Code::BalanceLimitExceeded, "balance_limit_exceeded", 422, "The account would pass above its ceiling.", "Lower the amount, or raise the account's maximum balance."),
    define(Code::SpendingLimitExceeded, "spending_limit_exceeded", 422, "A spending limit of the account refuses it.", "The detail has the reason, what is left and when it begins anew; check_spending_limit() tells it beforehand."),
    define(Code::DestinationRequired, "destination_required", 422, "Neither the hold nor the capture names a destination, or they differ.", "Pass destination => … where the hold named none."),
    define(Code::HoldExpired, "hold_expired", 422, "The hold has expired.", "Make a new hold."),
    define(Code::CaptureExceedsHold, "capture_exceeds_hold", 422, "The capture is larger than the hold.", "Capture at most the hold's amount."),
    define(Code::NotReversible, "not_reversible", 422, "This transfer is itself a correction.", "Post the movement that you want as a new transfer."),
    define(Code::ReversalExceedsOriginal, "reversal_exceeds_original", 422, "More would be reversed than was moved.", "Reverse at most what remains; the detail has the amount."),
    define(Code::LinkedItemFailed, "linked_item_failed", 422, "Another item of the same transaction was rejected.", "Correct the item that the detail names."),
    define(Code::AmountNotAllowed, "amount_not_allowed", 422, "The amount is outside the bounds that a setting states.", "Use an amount within the bounds of the detail, or change them with set_setting()."),
    define(Code::BeforeOpening, "before_opening", 422, "The movement is older than the bank account's opening balance.", "Nothing is lost: the opening balance contains it."),
    define(Code::CodesExhausted, "codes_exhausted", 422, "Every unique code for this amount on this bank account is taken.", "Use another amount or bank account, or try again when an intent has closed and its cool-down is over."),
    define(Code::IntentExpired, "intent_expired", 422, "The intent has expired.", "Create a new intent."),
    define(Code::MutationNotMatchable, "mutation_not_matchable", 422, "The mutation is not in a state in which this can be done.", "Read it in the view mutations; unmatch it first if it belongs to somebody already."),
    define(Code::InvalidStatement, "invalid_statement", 422, "The statement cannot be read or does not add up.", "The detail says where; nothing of it was imported."),
    define(Code::EscrowDisputed, "escrow_disputed", 422, "The escrow is disputed.", "Decide the dispute with resolve_dispute(); nothing moves before."),
    define(Code::LinesMismatch, "lines_mismatch", 422, "The lines do not add up to what the buyer pays.", "Correct the lines or the amount; the detail has both sums."),
    define(Code::ReleaseExceedsEscrow, "release_exceeds_escrow", 422, "The release is larger than what is held.", "Release at most what the detail says is left."),
    define(Code::RefundExceedsPayment, "refund_exceeds_payment", 422, "The refund is larger than what is left of the payment.", "Refund at most what the detail says is left."),
    define(Code::GroupBuyNotDue, "group_buy_not_due", 422, "The group buy has neither reached its target nor passed its deadline.", "Settle it after the deadline of the detail."),
    define(Code::PartyInactive, "party_inactive", 422, "A member, merchant, device or item that the call needs is inactive.", "Activate it with set_party_status(), or the item with set_item(), once the reason is gone."),
    define(Code::WeakPin, "weak_pin", 422, "The PIN is one that everybody tries first.", "Choose another: not one digit repeated, not digits in a row."),
    define(Code::ClockSkew, "clock_skew", 422, "The till's clock is ahead of the ledger's by more than is allowed.", "Set the till's clock; the detail has both times."),
    define(Code::EntryTooOld, "entry_too_old", 422, "The purchase was made longer ago than tills may be offline.", "Sync more often, or change the setting till_offline_max."),
    define(Code::OverdraftExceeded, "overdraft_exceeded", 422, "The member would owe more than the till's overdraft limit.", "Have what is owed repaid, or raise the device's overdraft limit."),
    define(Code::InvalidTrigger, "invalid_trigger", 422, "The trigger's definition does not fit its table.", "Run check_trigger('table') and correct what it finds."),
    define(Code::TryAgain, "try_again", 503, "PostgreSQL had to abort this transaction in favour of another.", "Run the whole transaction again; use an idempotency key."),
    define(Code::NotInstalled, "not_installed", 503, "The data schema is missing or of another version.", "Run SELECT wallet_ledger.install()."),
    define(Code::PrivilegeMissing, "privilege_missing", 403, "The role that runs this lacks a privilege.", "Run it as a superuser, or as a role with CREATEROLE that owns the database."),
    define(Code::BooksInconsistent, "books_inconsistent", 500, "A guard found a state that must not exist.", "Nothing was written. Run verify_ledger() and report what it finds."),
];

impl Code {
    /// The definition of this code.
    pub fn definition(self) -> &'static Definition {
        &ALL[self as usize]
    }

    /// The code that a stored token stands for.
    pub fn from_token(token: &str) -> Option<Code> {
        ALL.iter().find(|definition| definition.token == token).map(|definition| definition.code)
    }
}

/// One refusal: what is wrong, in words and in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerError {
    pub code: Code,
    pub message: String,
    details: Map<String, Value>,
}

/// The result of everything that can be refused.
pub type Result<T> = std::result::Result<T, LedgerError>;

impl LedgerError {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: bounded(message.into()), details: Map::new() }
    }

    /// Adds one fact to the JSON detail. Money goes in as a string: JavaScript would round numbers.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.details.insert(name.to_owned(), Value::String(bounded(value.to_string())));
        self
    }

    /// Adds one fact that is a small whole number.
    #[must_use]
    pub fn with_count(mut self, name: &str, value: i64) -> Self {
        self.details.insert(name.to_owned(), json!(value));
        self
    }

    /// Names the item of an array call, counted from 1.
    #[must_use]
    pub fn at_item(mut self, index: usize) -> Self {
        self.message = format!("item {}: {}", index + 1, self.message);
        self.details.insert("position".to_owned(), json!(index + 1));
        self
    }

    /// The same without the item's position: what is remembered under a key is true wherever it comes again.
    #[must_use]
    pub fn without_position(mut self) -> Self {
        if let Some(position) = self.details.remove("position")
            && let Some(rest) = self.message.strip_prefix(&format!("item {position}: "))
        {
            self.message = rest.to_owned();
        }
        self
    }

    pub fn token(&self) -> &'static str {
        self.code.definition().token
    }

    pub fn hint(&self) -> &'static str {
        self.code.definition().hint
    }

    /// The five characters of the SQLSTATE: `PT` and the HTTP status.
    pub fn sqlstate(&self) -> String {
        format!("PT{}", self.code.definition().status)
    }

    /// The JSON of the DETAIL line: the token first, then the facts.
    pub fn detail(&self) -> Value {
        let mut detail = Map::new();
        detail.insert("error".to_owned(), json!(self.token()));
        detail.extend(self.details.clone());
        Value::Object(detail)
    }

    /// What is stored for a rejected item: the detail and the message.
    pub fn to_stored(&self) -> Value {
        json!({ "detail": self.detail(), "message": self.message })
    }

    /// The inverse of [`Self::to_stored`]; an unreadable row is reported as such, never guessed at.
    pub fn from_stored(stored: &Value) -> Self {
        let token = stored["detail"]["error"].as_str().unwrap_or_default();
        let Some(code) = Code::from_token(token) else {
            return Self::new(Code::BooksInconsistent, "a stored rejection has an unknown error token")
                .with("token", token);
        };
        let mut details = stored["detail"].as_object().cloned().unwrap_or_default();
        details.remove("error");
        let message = stored["message"].as_str().unwrap_or_default().to_owned();
        Self { code, message, details }
    }
}

/// What a caller sent is quoted, not sent back by the megabyte.
fn bounded(mut text: String) -> String {
    const BYTES_MAX: usize = 512;
    if text.len() > BYTES_MAX {
        let end = (0..=BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The error for an argument that is NULL where a value is needed.
pub fn missing(argument: &str) -> LedgerError {
    LedgerError::new(Code::MissingArgument, format!("{argument} must not be null")).with("argument", argument)
}

/// The error for an argument of the wrong form; `must` completes the sentence "<argument> must …".
pub fn invalid(argument: &str, must: &str) -> LedgerError {
    LedgerError::new(Code::InvalidArgument, format!("{argument} must {must}")).with("argument", argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_indexed_by_the_enum() {
        for (index, definition) in ALL.iter().enumerate() {
            assert_eq!(definition.code as usize, index, "{} is out of place", definition.token);
            assert_eq!(Code::from_token(definition.token), Some(definition.code));
        }
    }

    #[test]
    fn every_definition_is_complete_and_postgrest_can_carry_it() {
        for definition in ALL {
            assert!(matches!(definition.status, 400 | 402 | 403 | 404 | 409 | 422 | 429 | 500 | 503));
            assert!(definition.meaning.ends_with('.') && definition.hint.ends_with('.'));
            assert_eq!(LedgerError::new(definition.code, "x").sqlstate().len(), 5);
        }
    }

    #[test]
    fn a_stored_rejection_reads_back_the_same() {
        let error = LedgerError::new(Code::InsufficientFunds, "wallets:1 has 5.00 available")
            .with("available", "5.00")
            .with_count("attempt", 2)
            .at_item(6);
        assert_eq!(LedgerError::from_stored(&error.to_stored()), error);
    }

    #[test]
    fn a_position_can_be_taken_off_again() {
        let error = LedgerError::new(Code::InsufficientFunds, "too little").with("available", "5.00");
        assert_eq!(error.clone().at_item(6).without_position(), error);
        assert_eq!(error.clone().without_position(), error);
    }

    #[test]
    fn endless_input_is_cut_between_characters() {
        let error = LedgerError::new(Code::KindNotFound, "é".repeat(1_000)).with("kind", "💸".repeat(1_000));
        assert_eq!(error.message, "é".repeat(256) + "…");
        assert_eq!(error.detail()["kind"], "💸".repeat(128) + "…");
    }

    #[test]
    fn a_damaged_rejection_is_reported_not_guessed() {
        let error = LedgerError::from_stored(&json!({"detail": {"error": "no_such_token"}}));
        assert_eq!(error.code, Code::BooksInconsistent);
    }
}
