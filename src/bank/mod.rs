//! Money in: bank accounts, intents, mutations, webhooks, statements, and the matching of them all.
//!
//! | room | what it keeps |
//! |---|---|
//! | `account` | which asset account of the books a bank account is |
//! | `intent` | expected payments, known by a unique total, a virtual account number or an order id |
//! | `mutation` | what the bank reported, and whom it belongs to: the engine, and the work by hand |
//! | `webhook` | verified bodies of providers, and what became of each line |
//! | `gateway` | payments whose notifications come in any order and more than once |
//! | `statement` | imported statements: the same engine, the same deduplication |
//! | `proof` | opening + mutations = books = what the bank says, day by day |
//!
//! Lock order, the same in every flow: idempotency key, webhook or statement (by its digest), bank
//! accounts (by id), a gateway's payment, mutations, intents (by id), what live ones hold, codes; then what
//! posting locks.
//! Mutations of one bank account are taken in one call after another, under the lock of its row: two
//! webhooks, a statement and a person at work can never decide about the same movement or the same intent
//! at once.

pub mod account;
pub mod actions;
pub mod gateway;
pub mod intent;
pub mod mutation;
pub mod proof;
pub mod rules;
pub mod statement;
pub mod webhook;
