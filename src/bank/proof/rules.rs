//! The proof of a bank account, day by day: opening balance + mutations = the books' balance = what the bank
//! reports.
//!
//! **The books' side.** A transfer over the bank's account counts on the day of the mutation that it belongs to:
//! its posting, those of the work by hand, and whatever reverses them. Any other transfer counts on the day
//! that it is effective, and is named: somebody has posted to the bank's account directly. What was there
//! before the account was registered, and the opening posting, belong to the opening balance.
//!
//! **The bank's side** is in [`reported`].
//!
//! Everything is kept in the bank account's scale. Days are counted from 2000-01-01.

pub mod reported;

use crate::error::Result;
use crate::money;
use reported::{Chain, Start};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// Most lines that one day names; more are announced by [`Problem::More`].
pub const LINES_MAX: usize = 100;

/// A stored mutation as far as the proof is concerned.
#[derive(Clone, Debug)]
pub struct Mutation {
    pub id: Uuid,
    /// The bank's booking day.
    pub day: i32,
    /// What it does to the balance; a credit is above zero.
    pub effect: Decimal,
    /// It is another one, reported twice: out of the books.
    pub is_duplicate: bool,
    /// The posting that moves the bank's account.
    pub received_id: Option<Uuid>,
    pub created_at: i64,
    /// The account's balance after it, as the bank says.
    pub balance: Option<Decimal>,
    /// An imported statement says so, whose balances were found to follow from its lines: when it was imported.
    pub proven_at: Option<i64>,
    /// Nobody has decided about it yet.
    pub is_undecided: bool,
    /// What it seems to repeat, or gives back.
    pub original_id: Option<Uuid>,
}

/// One side of a transfer: that of the bank's account.
#[derive(Clone, Debug)]
pub struct Posting {
    pub transfer_id: Uuid,
    pub transaction_id: Uuid,
    pub reverses_id: Option<Uuid>,
    /// A debit of the bank's account, an asset, is above zero.
    pub effect: Decimal,
    pub kind_id: i16,
    /// The day on which it is effective.
    pub day: i32,
    pub is_opening: bool,
}

/// The closing balance of an imported statement.
#[derive(Clone, Debug)]
pub struct Closing {
    pub day: i32,
    pub balance: Decimal,
    pub imported_at: i64,
    /// The day of the import.
    pub imported_on: i32,
}

/// All that is known of a bank account. Mutations are in the order of day, time, arrival and id.
pub struct Known {
    pub opening_balance: Decimal,
    pub mutations: Vec<Mutation>,
    pub postings: Vec<Posting>,
    /// Transactions of the work by hand, and the mutation that each is about.
    pub by_hand: Vec<(Uuid, Uuid)>,
    pub closings: Vec<Closing>,
}

/// What explains a difference, or is part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// A transfer over the bank's account that no mutation explains.
    UnexplainedTransfer { transfer_id: Uuid, kind_id: i16, amount: Decimal },
    /// A mutation whose transfers do not sum to what it moved.
    Misposted { mutation_id: Uuid, amount: Decimal, posted: Decimal },
    /// A likely second report of another mutation, about which nobody has decided.
    Reissued { mutation_id: Uuid, original_id: Uuid, amount: Decimal },
    /// The first mutation whose reported balance does not follow from the one before it.
    DoesNotFollow { mutation_id: Uuid, amount: Decimal, balance: Decimal, expected: Decimal },
    /// The books had another balance when the bank account was registered.
    OpeningDiffers { opening_balance: Decimal, ledger_balance: Decimal },
    /// The difference is that of an earlier day.
    CarriedOver { side: Side, day: i32, difference: Decimal },
    /// There are more of these lines than are shown.
    More { count: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Ledger,
    Reported,
}

/// One row of the proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    pub day: i32,
    pub opening: Decimal,
    pub credits: Decimal,
    pub debits: Decimal,
    pub count: usize,
    pub closing: Decimal,
    pub ledger: Decimal,
    pub reported: Option<Decimal>,
    pub ledger_difference: Decimal,
    pub reported_difference: Option<Decimal>,
    pub problems: Vec<Problem>,
}

impl Day {
    /// The three agree, as far as there are three.
    pub fn is_proved(&self) -> bool {
        self.ledger_difference.is_zero()
            && self.reported_difference.is_none_or(|difference| difference.is_zero())
    }
}

/// What happened on one day.
struct Bucket<'a> {
    mutations: Vec<&'a Mutation>,
    ledger: Decimal,
    problems: Vec<Problem>,
}

type Buckets<'a> = BTreeMap<i32, Bucket<'a>>;

/// Since when a side has differed, and by how much.
#[derive(Clone, Copy)]
struct Carried {
    side: Side,
    difference: Decimal,
    since: Option<i32>,
}

/// `2026-11-21`.
pub fn date(day: i32) -> String {
    let epoch = jiff::civil::date(2000, 1, 1);
    let date = epoch.checked_add(jiff::Span::new().days(day.clamp(-3_000_000, 3_000_000)));
    date.map_or_else(|_| day.to_string(), |date| date.to_string())
}

/// Every day on which there is anything, in order. `Err`: a sum has more digits than the ledger keeps.
pub fn prove(known: &Known) -> Result<Vec<Day>> {
    let zero = money::zero(known.opening_balance.scale());
    let mut buckets: Buckets = BTreeMap::new();
    for mutation in known.mutations.iter().filter(|mutation| !mutation.is_duplicate) {
        bucket(&mut buckets, mutation.day, zero).mutations.push(mutation);
    }
    let mut ledger = attribute(known, &mut buckets, zero)?;
    let closings = closings(known, &mut buckets, zero);
    let chain = Chain::new(buckets.values().map(|bucket| bucket.mutations.as_slice()));
    let mut opening = known.opening_balance;
    let mut on_ledger = Carried { side: Side::Ledger, difference: zero, since: None };
    let mut on_reported = Carried { side: Side::Reported, difference: zero, since: None };
    let mut opening_gap = (ledger != opening)
        .then_some(Problem::OpeningDiffers { opening_balance: opening, ledger_balance: ledger });
    let repeats = Repeats::of(&known.mutations);
    let mut is_trusted = false;
    let mut days = Vec::with_capacity(buckets.len());
    for (place, (day, mut bucket)) in buckets.into_iter().enumerate() {
        let (credits, debits) = totals(&bucket.mutations, zero)?;
        let closing = subtract(add(opening, credits)?, debits)?;
        ledger = add(ledger, bucket.ledger)?;
        bucket.problems.extend(opening_gap.take());
        let ledger_difference = subtract(ledger, closing)?;
        on_ledger.turn(day, ledger_difference, &mut bucket.problems);
        let expected = add(opening, on_reported.difference)?;
        let reading = chain.read(place, &bucket.mutations, Start { opening, expected, is_trusted });
        if bucket.mutations.iter().any(|mutation| mutation.balance.is_some()) {
            is_trusted = reading.closing.is_some();
        }
        let reported = closings.get(&day).copied().or(reading.closing);
        let reported_difference = reported.map(|reported| subtract(reported, closing)).transpose()?;
        if let Some(difference) = reported_difference {
            if !difference.is_zero() && difference != on_reported.difference {
                bucket.problems.extend(reading.gap);
            }
            on_reported.turn(day, difference, &mut bucket.problems);
        }
        if reported_difference.is_none_or(|difference| !difference.is_zero()) {
            bucket.problems.extend(bucket.mutations.iter().filter_map(|mutation| repeats.named(mutation)));
        }
        days.push(Day {
            day,
            opening,
            credits,
            debits,
            count: bucket.mutations.len(),
            closing,
            ledger,
            reported,
            ledger_difference,
            reported_difference,
            problems: shown(bucket.problems),
        });
        opening = closing;
    }
    Ok(days)
}

impl Carried {
    /// Takes a day's difference; one that is an earlier day's is said to be so.
    fn turn(&mut self, day: i32, difference: Decimal, problems: &mut Vec<Problem>) {
        if difference != self.difference {
            self.difference = difference;
            self.since = Some(day);
            return;
        }
        if let Some(since) = self.since.filter(|_| !difference.is_zero()) {
            problems.push(Problem::CarriedOver { side: self.side, day: since, difference });
        }
    }
}

fn bucket<'a, 'b>(buckets: &'b mut Buckets<'a>, day: i32, zero: Decimal) -> &'b mut Bucket<'a> {
    buckets.entry(day).or_insert_with(|| Bucket { mutations: Vec::new(), ledger: zero, problems: Vec::new() })
}

/// Puts every posting on its day, and returns what belongs to the opening balance.
fn attribute<'a>(known: &'a Known, buckets: &mut Buckets<'a>, zero: Decimal) -> Result<Decimal> {
    let places: HashMap<Uuid, usize> =
        known.mutations.iter().enumerate().map(|(place, mutation)| (mutation.id, place)).collect();
    // A reversal that is a mutation of its own belongs to that one: what a mutation names comes first.
    let mut owners: HashMap<Uuid, usize> = HashMap::with_capacity(known.mutations.len());
    for (place, mutation) in known.mutations.iter().enumerate() {
        owners.extend(mutation.received_id.map(|id| (id, place)));
    }
    for (transaction_id, mutation_id) in &known.by_hand {
        if let Some(place) = places.get(mutation_id) {
            owners.entry(*transaction_id).or_insert(*place);
        }
    }
    let transactions: HashMap<Uuid, Uuid> =
        known.postings.iter().map(|posting| (posting.transfer_id, posting.transaction_id)).collect();
    let mut posted: Vec<Decimal> = vec![zero; known.mutations.len()];
    let mut opening = zero;
    for posting in &known.postings {
        let reversed = || owners.get(transactions.get(posting.reverses_id.as_ref()?)?);
        let owner = owners.get(&posting.transaction_id).or_else(reversed);
        if owner.is_none() && posting.is_opening {
            opening = add(opening, posting.effect)?;
            continue;
        }
        let day = owner.map_or(posting.day, |place| known.mutations[*place].day);
        let bucket = bucket(buckets, day, zero);
        bucket.ledger = add(bucket.ledger, posting.effect)?;
        match owner {
            Some(place) => posted[*place] = add(posted[*place], posting.effect)?,
            None => bucket.problems.push(Problem::UnexplainedTransfer {
                transfer_id: posting.transfer_id,
                kind_id: posting.kind_id,
                amount: posting.effect,
            }),
        }
    }
    for (mutation, posted) in known.mutations.iter().zip(posted) {
        let amount = if mutation.is_duplicate { zero } else { mutation.effect };
        if posted != amount {
            let problem = Problem::Misposted { mutation_id: mutation.id, amount, posted };
            bucket(buckets, mutation.day, zero).problems.push(problem);
        }
    }
    Ok(opening)
}

/// The closing balances of statements that count, of several for a day the one that was imported last. One
/// that was imported before its day was over does not, once the bank has reported more of that day.
fn closings(known: &Known, buckets: &mut Buckets, zero: Decimal) -> HashMap<i32, Decimal> {
    let mut last: HashMap<i32, &Closing> = HashMap::new();
    for closing in &known.closings {
        let bucket = bucket(buckets, closing.day, zero);
        let is_overtaken = closing.imported_on <= closing.day
            && bucket.mutations.iter().any(|mutation| mutation.created_at > closing.imported_at);
        let is_later = last.get(&closing.day).is_none_or(|other| other.imported_at < closing.imported_at);
        if !is_overtaken && is_later {
            last.insert(closing.day, closing);
        }
    }
    last.into_iter().map(|(day, closing)| (day, closing.balance)).collect()
}

/// Credits and debits of a day, both above zero.
fn totals(mutations: &[&Mutation], zero: Decimal) -> Result<(Decimal, Decimal)> {
    let (mut credits, mut debits) = (zero, zero);
    for mutation in mutations {
        if mutation.effect.is_sign_negative() {
            debits = subtract(debits, mutation.effect)?;
        } else {
            credits = add(credits, mutation.effect)?;
        }
    }
    Ok((credits, debits))
}

/// What the mutations that others name as their original did to the balance.
struct Repeats(HashMap<Uuid, Decimal>);

impl Repeats {
    fn of(mutations: &[Mutation]) -> Self {
        let undecided = mutations.iter().filter(|mutation| mutation.is_undecided);
        let originals: HashSet<Uuid> = undecided.filter_map(|mutation| mutation.original_id).collect();
        let named = mutations.iter().filter(|mutation| originals.contains(&mutation.id));
        Self(named.map(|mutation| (mutation.id, mutation.effect)).collect())
    }

    /// A mutation that nobody has decided about and that does the same as its original. One that does the
    /// opposite gives it back.
    fn named(&self, mutation: &Mutation) -> Option<Problem> {
        let original_id = mutation.original_id.filter(|_| mutation.is_undecided)?;
        let problem = Problem::Reissued { mutation_id: mutation.id, original_id, amount: mutation.effect };
        (self.0.get(&original_id) == Some(&mutation.effect)).then_some(problem)
    }
}

fn shown(mut problems: Vec<Problem>) -> Vec<Problem> {
    if problems.len() > LINES_MAX {
        let count = problems.len() - LINES_MAX;
        problems.truncate(LINES_MAX);
        problems.push(Problem::More { count });
    }
    problems
}

fn add(a: Decimal, b: Decimal) -> Result<Decimal> {
    money::add(a, b).ok_or_else(|| money::out_of_range("balance"))
}

fn subtract(a: Decimal, b: Decimal) -> Result<Decimal> {
    add(a, -b)
}

#[cfg(test)]
mod tests;
