//! SQL of balances and transfers. Only the files under this one write either: one write path, one
//! place to audit.

mod balances;
mod transfers;

pub use balances::{
    Striped, expire_holds, free_stripe, plain, rows, striped, stripes, update_balances, wait_for_stripe,
};
pub use transfers::{Draft, Receipt, insert_transfers, receipts};
