//! SQL of mutations on their way in: what is known of them already, and writing the new ones.
//!
//! All of it runs under the locks of the bank accounts concerned.

use crate::bank::mutation::rules::State;
use crate::bank::mutation::rules::same::Similar;
use crate::bank::rules::Direction;
use crate::bank::rules::when::When;
use crate::spi::batch::{Batch, Column, Registered};
use crate::spi::{Argument, Rows, Session, Statement};
use pgrx::pg_sys::{DATEOID, INT2OID, INT4OID, NUMERICOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

/// From so many lines on the plans are made anew, for the tables as they are.
const RENEWAL_LINES: usize = 500;

const ARRIVAL_COLUMNS: &[Column] = &[
    (c"line", INT4OID),
    (c"bank_account_id", INT4OID),
    (c"source_id", INT2OID),
    (c"provider_mutation_id", TEXTOID),
    (c"direction_id", INT2OID),
    (c"amount", NUMERICOID),
    (c"booked_on", DATEOID),
    (c"occurred_from", TIMESTAMPTZOID),
    (c"occurred_until", TIMESTAMPTZOID),
    (c"description", TEXTOID),
];

// By the id that the source itself gave: its own mutation, or one that it also saw. Line by line: a join
// whose order PostgreSQL chooses reads the whole table while it has no statistics yet. OFFSET 0 and LIMIT
// keep it from looking into the subqueries, and `+ 0` from the index of amounts: before a first ANALYZE all mutations
// of a bank account look as few to it as those of one id. What the source saw second is looked for only where it has seen
// anything second at these bank accounts: most never do.
static KNOWN: Statement = Statement::new(
    "SELECT n.line, m.mutation_id, m.state_id, m.direction_id, m.amount, m.intent_id,
            coalesce(m.applied_transaction_id, m.received_transaction_id), m.reasons
     FROM wallet_arrivals n
     CROSS JOIN LATERAL (
         SELECT o.* FROM wallet_data.mutations o
         WHERE o.ledger_id = $1 AND o.bank_account_id + 0 = n.bank_account_id AND o.source_id = n.source_id
           AND o.provider_mutation_id = n.provider_mutation_id LIMIT 1) m
     UNION ALL
     SELECT n.line, m.mutation_id, m.state_id, m.direction_id, m.amount, m.intent_id,
            coalesce(m.applied_transaction_id, m.received_transaction_id), m.reasons
     FROM wallet_arrivals n
     CROSS JOIN LATERAL (
         SELECT o.mutation_id FROM wallet_data.mutation_sightings o
         WHERE o.ledger_id = $1 AND o.bank_account_id = n.bank_account_id AND o.source_id = n.source_id
           AND o.provider_mutation_id = n.provider_mutation_id LIMIT 1) s
     CROSS JOIN LATERAL (
         SELECT o.* FROM wallet_data.mutations o
         WHERE o.ledger_id = $1 AND o.mutation_id = s.mutation_id LIMIT 1) m
     WHERE EXISTS (
         SELECT FROM (SELECT DISTINCT a.bank_account_id, a.source_id FROM wallet_arrivals a) b
         CROSS JOIN LATERAL (
             SELECT FROM wallet_data.mutation_sightings e
             WHERE e.ledger_id = $1 AND e.bank_account_id = b.bank_account_id AND e.source_id = b.source_id LIMIT 1) e)",
    &[INT4OID],
);

// Of the same amount and direction, on the same day or the next: the same movement reported by another
// source, or by the same source under another id. The order asks for the index that has it: on a table without
// statistics every index looks as cheap.
static SIMILAR: Statement = Statement::new(
    "SELECT n.line, m.mutation_id, m.source_id, m.booked_on, m.occurred_from, m.occurred_until, m.description,
            EXISTS (SELECT FROM wallet_data.mutation_sightings s
                    WHERE s.ledger_id = $1 AND s.mutation_id = m.mutation_id AND s.source_id = n.source_id)
     FROM wallet_arrivals n
     CROSS JOIN LATERAL (
         SELECT o.* FROM wallet_data.mutations o
         WHERE o.ledger_id = $1 AND o.bank_account_id = n.bank_account_id AND o.amount = n.amount
           AND o.booked_on >= n.booked_on - 1 AND o.booked_on <= n.booked_on + 1
           AND o.direction_id = n.direction_id AND o.state_id <> 7
         ORDER BY o.booked_on OFFSET 0) m
     ORDER BY m.mutation_id",
    &[INT4OID],
);

static RESEMBLES: Statement = Statement::new(
    "SELECT n.line
     FROM wallet_arrivals n
     WHERE EXISTS (SELECT FROM wallet_data.suggest_intents(
                       $1, n.bank_account_id, n.amount, n.occurred_from, n.occurred_until, n.description))",
    &[INT4OID],
);

const NEW_COLUMNS: &[Column] = &[
    (c"mutation_id", UUIDOID),
    (c"bank_account_id", INT4OID),
    (c"source_id", INT2OID),
    (c"provider_mutation_id", TEXTOID),
    (c"direction_id", INT2OID),
    (c"state_id", INT2OID),
    (c"amount", NUMERICOID),
    (c"balance", NUMERICOID),
    (c"booked_on", DATEOID),
    (c"occurred_from", TIMESTAMPTZOID),
    (c"occurred_until", TIMESTAMPTZOID),
    (c"transaction_id", UUIDOID),
    (c"intent_id", UUIDOID),
    (c"original_mutation_id", UUIDOID),
    (c"reasons", TEXTARRAYOID),
    (c"description", TEXTOID),
];

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.mutations
         (ledger_id, mutation_id, bank_account_id, source_id, provider_mutation_id, direction_id, state_id, amount,
          balance, booked_on, occurred_from, occurred_until, created_at, received_transaction_id, intent_id,
          original_mutation_id, reasons, description)
     SELECT $1, mutation_id, bank_account_id, source_id, provider_mutation_id, direction_id, state_id, amount,
            balance, booked_on, occurred_from, occurred_until, $2, transaction_id, intent_id,
            original_mutation_id, reasons, description
     FROM wallet_mutations",
    &[INT4OID, TIMESTAMPTZOID],
);

static SIGHT: Statement = Statement::new(
    "INSERT INTO wallet_data.mutation_sightings
         (ledger_id, bank_account_id, source_id, provider_mutation_id, mutation_id, balance, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
    &[INT4OID, INT4OID, INT2OID, TEXTOID, UUIDOID, NUMERICOID, TIMESTAMPTZOID],
);

/// A reported movement on its way in.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    /// Its place in the call.
    pub line: usize,
    pub bank_account_id: i32,
    pub source_id: i16,
    pub provider_mutation_id: &'a str,
    pub direction: Direction,
    /// In the currency's scale.
    pub amount: Decimal,
    pub balance: Option<Decimal>,
    pub when: When,
    pub description: &'a str,
    /// The number that the payment names, where it is not known by its total.
    pub number: Option<&'a str>,
}

/// What an arrival was stored as before.
pub struct Known {
    pub line: usize,
    pub mutation_id: Uuid,
    pub state: State,
    pub direction: Direction,
    pub amount: Decimal,
    pub intent_id: Option<Uuid>,
    pub transaction_id: Option<Uuid>,
    pub reasons: Vec<String>,
}

/// A mutation about to be written.
pub struct New<'a> {
    pub id: Uuid,
    pub arrival: &'a Arrival<'a>,
    pub state: State,
    pub transaction_id: Uuid,
    pub intent_id: Option<Uuid>,
    pub original_id: Option<Uuid>,
    pub reasons: Vec<&'static str>,
}

fn register(arrivals: &[&Arrival]) -> Registered {
    let mut batch = Batch::new(c"wallet_arrivals", ARRIVAL_COLUMNS);
    for arrival in arrivals {
        batch.push(&[
            i32::try_from(arrival.line).unwrap_or(i32::MAX).into(),
            arrival.bank_account_id.into(),
            arrival.source_id.into(),
            arrival.provider_mutation_id.into(),
            (arrival.direction as i16).into(),
            arrival.amount.into(),
            arrival.when.day.into(),
            arrival.when.from.into(),
            arrival.when.until.into(),
            arrival.description.into(),
        ]);
    }
    batch.register()
}

/// Runs a statement over the arrivals.
fn ask<'a>(
    session: &'a Session,
    statement: &'static Statement,
    ledger_id: i32,
    arrivals: &[&Arrival],
) -> Rows<'a> {
    if arrivals.len() >= RENEWAL_LINES {
        statement.renew();
    }
    let _registered = register(arrivals);
    session.run(statement, &[ledger_id.into()])
}

/// Which arrivals were reported before under the same id, and as which mutation.
pub fn known(session: &Session, ledger_id: i32, arrivals: &[&Arrival]) -> Vec<Known> {
    let rows = ask(session, &KNOWN, ledger_id, arrivals);
    rows.iter()
        .map(|row| Known {
            line: row.need::<i32>(0).unsigned_abs() as usize,
            mutation_id: row.need_id(1),
            state: State::from_id(row.need(2)),
            direction: Direction::from_id(row.need(3)),
            amount: row.need_decimal(4),
            intent_id: row.id(5),
            transaction_id: row.id(6),
            reasons: row.need(7),
        })
        .collect()
}

/// Stored mutations that the arrivals resemble.
pub fn similar(session: &Session, ledger_id: i32, arrivals: &[&Arrival]) -> Vec<Similar> {
    let rows = ask(session, &SIMILAR, ledger_id, arrivals);
    rows.iter()
        .map(|row| Similar {
            line: row.need::<i32>(0).unsigned_abs() as usize,
            mutation_id: row.need_id(1),
            source_id: row.need(2),
            when: When { from: row.need_time(4), until: row.need_time(5), day: row.need(3) },
            description: row.need(6),
            seen_by_source: row.need(7),
        })
        .collect()
}

/// Which arrivals resemble an intent without being its payment.
pub fn resembling(session: &Session, ledger_id: i32, arrivals: &[&Arrival]) -> Vec<usize> {
    let rows = ask(session, &RESEMBLES, ledger_id, arrivals);
    rows.iter().map(|row| row.need::<i32>(0).unsigned_abs() as usize).collect()
}

/// Writes new mutations: one INSERT, however many.
pub fn insert(session: &Session, ledger_id: i32, new: &[New], now: i64) {
    let mut batch = Batch::new(c"wallet_mutations", NEW_COLUMNS);
    for mutation in new {
        let arrival = mutation.arrival;
        batch.push(&[
            mutation.id.into(),
            arrival.bank_account_id.into(),
            arrival.source_id.into(),
            arrival.provider_mutation_id.into(),
            (arrival.direction as i16).into(),
            (mutation.state as i16).into(),
            arrival.amount.into(),
            arrival.balance.into(),
            arrival.when.day.into(),
            arrival.when.from.into(),
            arrival.when.until.into(),
            mutation.transaction_id.into(),
            mutation.intent_id.into(),
            mutation.original_id.into(),
            Argument::texts(mutation.reasons.iter().copied()),
            arrival.description.into(),
        ]);
    }
    let _registered = batch.register();
    session.run(&INSERT, &[ledger_id.into(), now.into()]);
}

/// Writes down that another source has reported a mutation too.
pub fn sight(session: &Session, ledger_id: i32, arrival: &Arrival, mutation_id: Uuid, now: i64) {
    let arguments = [
        ledger_id.into(),
        arrival.bank_account_id.into(),
        arrival.source_id.into(),
        arrival.provider_mutation_id.into(),
        mutation_id.into(),
        arrival.balance.into(),
        now.into(),
    ];
    session.run(&SIGHT, &arguments);
}
