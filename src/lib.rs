//! wallet_ledger: a complete wallet ledger inside PostgreSQL.
//!
//! Imports point down only: `error`, `money`, `address`, `time`, `json` and every `rules` (pure: no
//! pgrx, no SQL) ← `spi`, `report` ← every `store` (all SQL) ← every `mod` (the flow: lock, decide,
//! write) ← every `api` (the SQL face) ← this file. Only `posting::store` writes transfers and balances.

mod access;
mod account;
mod address;
mod bank;
mod error;
mod escrow;
mod event;
mod finance;
mod form;
mod hold;
mod idempotency;
mod identification;
mod install;
mod json;
mod ledger;
mod limit;
mod money;
mod overview;
mod people;
mod posting;
mod purchase;
mod rate;
mod reading;
mod report;
mod reversal;
mod setting;
mod spi;
mod subscription;
mod time;
mod trigger;
mod verify;

pgrx::pg_module_magic!();

// What the extension owns in SQL: result types before the functions, then roles, owners, grants and
// comments after everything else.
pgrx::extension_sql_file!("../sql/types.sql", name = "types", bootstrap);
pgrx::extension_sql_file!("../sql/triggers.sql", name = "triggers", requires = ["types", check_trigger]);
pgrx::extension_sql_file!("../sql/expected.sql", name = "expected", requires = ["types"]);
pgrx::extension_sql_file!("../sql/doctor.sql", name = "doctor", requires = ["expected"]);
#[rustfmt::skip]
pgrx::extension_sql_file!("../sql/comments.sql", name = "comments", requires = [
    install, errors, _library_version, _library_data_version,
    create_ledger, create_currency, create_kind, close_period, create_account, open_wallet,
    freeze_account, unfreeze_account, close_account, reopen_account,
    post_transfer, post_transfers, preview_transfer, reverse_transfer, reverse_transaction,
    forget_idempotency_keys, hold_funds, capture_hold, release_hold, expire_holds,
    poll_events, poll_transfers, balance, statement, verify_ledger, set_setting, list_settings,
    register_bank_account, create_intent, cancel_intent, expire_intents, submit_payment_proof, reject_payment,
    match_mutation, match_mutation_by_hand, verify_payment, assign_mutation, unmatch_mutation, return_mutation,
    mark_mutation_duplicate, set_webhook_secret, verify_webhook, receive_webhook, reprocess_webhook,
    forget_webhook_refusals,
    import_statement, bank_proof, set_rate, list_rates, open_escrow, mark_shipped, confirm_receipt, release_escrow,
    refund_escrow, release_due_escrows, open_dispute, add_dispute_note, resolve_dispute,
    open_group_buy, join_group_buy, settle_group_buy, record_bank_release,
    create_plan, subscribe, renew_due_subscriptions, cancel_subscription,
    finance_overview, finance_trend, set_spending_limit, check_spending_limit,
    create_member, create_guardian, link_guardian, create_merchant, create_device, set_item, set_party_status,
    assign_role, revoke_role, role_permissions,
    set_pin, verify_pin, enrol_fingerprint, create_qr_code, record_authentication,
    purchase, refund_purchase, repay_overdraft, sync_purchases,
    member_overview,
]);
pgrx::extension_sql_file!("../sql/callers.sql", name = "callers", requires = ["types"]);
pgrx::extension_sql_file!("../sql/roles.sql", name = "roles", finalize);

/// Called once in each backend, when the library is loaded.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    ledger::settings::register();
    ledger::cache::register();
}
