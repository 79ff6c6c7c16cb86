//! SQL of mutations.

pub mod arrivals;

use super::rules::{State, TakenBack};
use crate::bank::rules::Direction;
use crate::bank::rules::when::When;
use crate::ledger::rules::REBALANCE;
use crate::money;
use crate::spi::{Argument, Row, Session, Statement};
use const_format::concatcp;
use pgrx::pg_sys::{INT2OID, INT4OID, TEXTARRAYOID, TEXTOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

const COLUMNS: &str = concatcp!(
    "m.mutation_id, m.bank_account_id, m.direction_id, m.state_id, m.source_id, m.amount, m.balance,
     m.occurred_from, m.occurred_until, m.booked_on, m.provider_mutation_id, m.description,
     m.received_transaction_id, m.applied_transaction_id, m.intent_id, m.original_mutation_id, m.reasons,
     m.created_at, a.scale, a.address, x.address,
     -- What a gateway took back are the debits that name the credit; what it left is what its posting still has.
     CASE WHEN m.direction_id = 1 AND EXISTS (
                  SELECT FROM wallet_data.mutations d
                  WHERE d.ledger_id = m.ledger_id AND d.original_mutation_id = m.mutation_id AND d.direction_id = 2)
          THEN (SELECT sum(t.amount - coalesce(r.reversed_amount, 0))
                FROM wallet_data.transfers t
                LEFT JOIN wallet_data.reversal_totals r ON r.ledger_id = t.ledger_id AND r.transfer_id = t.transfer_id
                WHERE t.ledger_id = m.ledger_id AND t.kind_id <> ",
    REBALANCE,
    "             AND (t.transfer_id = m.received_transaction_id OR t.transaction_id = m.received_transaction_id)) END,
     m.direction_id = 2 AND EXISTS (
         SELECT FROM wallet_data.mutations o
         WHERE o.ledger_id = m.ledger_id AND o.mutation_id = m.original_mutation_id AND o.direction_id = 1)"
);
const JOINS: &str =
    "JOIN wallet_data.bank_accounts k ON k.ledger_id = m.ledger_id AND k.bank_account_id = m.bank_account_id
     JOIN wallet_data.accounts a ON a.ledger_id = k.ledger_id AND a.account_id = k.account_id
     LEFT JOIN wallet_data.accounts x ON x.ledger_id = m.ledger_id AND x.account_id = m.assigned_account_id";

static FIND: Statement = Statement::new(
    concatcp!(
        "SELECT ",
        COLUMNS,
        " FROM wallet_data.mutations m ",
        JOINS,
        " WHERE m.ledger_id = $1 AND m.mutation_id = $2"
    ),
    &[INT4OID, UUIDOID],
);

// Whoever changes a mutation holds its bank account's row; the version is what the flow has read under it.
static CHANGE: Statement = Statement::new(
    "UPDATE wallet_data.mutations m
     SET state_id = $3, received_transaction_id = $4, applied_transaction_id = $5, intent_id = $6,
         original_mutation_id = coalesce($7, m.original_mutation_id), reasons = $8,
         assigned_account_id = (SELECT a.account_id FROM wallet_data.accounts a
                                WHERE a.ledger_id = $1 AND a.address = $9 AND a.stripe = 0)
     WHERE m.ledger_id = $1 AND m.mutation_id = $2 AND m.state_id = $10",
    &[INT4OID, UUIDOID, INT2OID, UUIDOID, UUIDOID, UUIDOID, UUIDOID, TEXTARRAYOID, TEXTOID, INT2OID],
);

/// A mutation as it is stored.
#[derive(Clone, Debug)]
pub struct Mutation {
    pub id: Uuid,
    pub bank_account_id: i32,
    pub bank_account: String,
    pub direction: Direction,
    pub state: State,
    pub source_id: i16,
    pub amount: Decimal,
    /// What a gateway has not taken back of it: all of it, as a rule.
    pub left: Decimal,
    pub taken_back: TakenBack,
    pub balance: Option<Decimal>,
    pub when: When,
    pub provider_mutation_id: String,
    pub description: String,
    /// The posting that moved the bank's account; none for a duplicate.
    pub received_transaction_id: Option<Uuid>,
    /// The posting that moved the money on from suspense, by hand.
    pub applied_transaction_id: Option<Uuid>,
    pub intent_id: Option<Uuid>,
    pub original_id: Option<Uuid>,
    pub assigned_account: Option<String>,
    pub reasons: Vec<String>,
    pub created_at: i64,
}

impl Mutation {
    /// The transaction that says where the money is now.
    pub fn transaction_id(&self) -> Option<Uuid> {
        self.applied_transaction_id.or(self.received_transaction_id)
    }
}

pub fn find(session: &Session, ledger_id: i32, id: Uuid) -> Option<Mutation> {
    session.run(&FIND, &[ledger_id.into(), id.into()]).first().map(|row| read(&row))
}

/// Writes a mutation's new state; false where it is not in the state `before` any more.
pub fn change(session: &Session, ledger_id: i32, mutation: &Mutation, before: State) -> bool {
    let arguments = [
        ledger_id.into(),
        mutation.id.into(),
        (mutation.state as i16).into(),
        mutation.received_transaction_id.into(),
        mutation.applied_transaction_id.into(),
        mutation.intent_id.into(),
        mutation.original_id.into(),
        Argument::texts(mutation.reasons.iter().map(String::as_str)),
        mutation.assigned_account.as_deref().into(),
        (before as i16).into(),
    ];
    session.run(&CHANGE, &arguments).count() == 1
}

fn read(row: &Row) -> Mutation {
    let scale = u32::from(row.need::<i16>(18).unsigned_abs());
    let scaled = |value| money::scaled(value, scale);
    let (amount, left) = (scaled(row.need_decimal(5)), row.decimal(21).map(scaled));
    let taken_back = match left {
        Some(_) => TakenBack::ByOthers,
        None if row.need(22) => TakenBack::IsOne,
        None => TakenBack::No,
    };
    Mutation {
        id: row.need_id(0),
        bank_account_id: row.need(1),
        bank_account: row.need(19),
        direction: Direction::from_id(row.need(2)),
        state: State::from_id(row.need(3)),
        source_id: row.need(4),
        amount,
        left: left.unwrap_or(amount),
        taken_back,
        balance: row.decimal(6),
        when: When { from: row.need_time(7), until: row.need_time(8), day: row.need(9) },
        provider_mutation_id: row.need(10),
        description: row.need(11),
        received_transaction_id: row.id(12),
        applied_transaction_id: row.id(13),
        intent_id: row.id(14),
        original_id: row.id(15),
        reasons: row.need(16),
        created_at: row.need_time(17),
        assigned_account: row.get(20),
    }
}
