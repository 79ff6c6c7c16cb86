//! Money in, from many sessions at once: codes, deliveries, and every pair of things that can happen to
//! one intent or one mutation. Whatever the order, the result is one that calls made one after the other
//! can have; a mutation credits once; no call ends in a deadlock.

#[path = "bank_races/batches.rs"]
mod batches;
#[path = "bank_races/codes.rs"]
mod codes;
#[path = "bank_races/opened.rs"]
mod opened;
#[path = "bank_races/pairs.rs"]
mod pairs;
#[path = "bank_races/sessions.rs"]
mod sessions;
#[path = "bank_races/snapshots.rs"]
mod snapshots;
#[path = "bank_races/statements.rs"]
mod statements;
