//! The decision: the spendings of a call against the limits of the accounts that pay.

use super::meter::{Asked, Meter};
use super::verdict::{Refusal, Verdict};
use super::{Moment, Spend};
use crate::error::Result;
use std::collections::{BTreeMap, HashMap};

/// The limited accounts of a call.
#[derive(Default)]
pub struct Gauge {
    /// By the row of the book.
    meters: BTreeMap<usize, Meter>,
    moments: HashMap<i64, Moment>,
    kinds: Vec<i16>,
    now: i64,
    /// The rows that the transaction which is being decided has counted something on.
    touched: Vec<usize>,
}

impl Gauge {
    pub fn new(now: i64, moments: HashMap<i64, Moment>, kinds: Vec<i16>) -> Self {
        Self { meters: BTreeMap::new(), moments, kinds, now, touched: Vec::new() }
    }

    /// Now and some other moments, as the calendar shows them.
    pub fn moments_of(&self, others: &[i64]) -> Vec<Moment> {
        std::iter::once(&self.now).chain(others).filter_map(|at| self.moments.get(at)).copied().collect()
    }

    pub fn insert(&mut self, row: usize, meter: Meter) {
        self.meters.insert(row, meter);
    }

    pub fn is_empty(&self) -> bool {
        self.meters.is_empty()
    }

    /// Whether limits count transfers of this kind.
    pub fn counts(&self, kind_id: i16) -> bool {
        self.kinds.contains(&kind_id)
    }

    /// Begins a transaction that [`Self::roll_back`] can take back.
    pub fn begin(&mut self) {
        for row in self.touched.drain(..) {
            self.meters.entry(row).and_modify(Meter::begin);
        }
    }

    pub fn roll_back(&mut self) {
        for row in self.touched.drain(..) {
            self.meters.entry(row).and_modify(Meter::roll_back);
        }
    }

    /// What the limits of an account say; nothing where it has none.
    pub fn judge(&self, row: usize, spend: &Spend, at: i64) -> Verdict {
        self.verdict(row, spend, at, Asked::All)
    }

    fn verdict(&self, row: usize, spend: &Spend, at: i64, asked: Asked) -> Verdict {
        match (self.meters.get(&row), self.moments.get(&at)) {
            (Some(meter), Some(moment)) => meter.judge(spend, moment, asked),
            _ => Verdict::default(),
        }
    }

    /// Refuses a spending that passes a limit.
    pub fn check(
        &self,
        row: usize,
        spend: &Spend,
        at: i64,
        asked: Asked,
    ) -> std::result::Result<(), Box<Refusal>> {
        let verdict = self.verdict(row, spend, at, asked);
        match (verdict.reason, self.meters.get(&row)) {
            (Some(_), Some(meter)) => Err(Box::new(Refusal {
                verdict,
                account: meter.account.clone(),
                amount: spend.amount,
                currency: meter.currency.clone(),
                at,
            })),
            _ => Ok(()),
        }
    }

    /// Counts a spending that happens.
    pub fn count(&mut self, row: usize, spend: &Spend, at: i64) -> Result<()> {
        let (moment, now) = (self.moments.get(&at), self.moments.get(&self.now));
        let (Some(meter), Some(moment), Some(now)) = (self.meters.get_mut(&row), moment, now) else {
            return Ok(());
        };
        self.touched.push(row);
        meter.count(spend, moment, now)
    }

    /// The counters to be stored, by the row of the book.
    pub fn changes(&self) -> impl Iterator<Item = (usize, String)> + '_ {
        let now = self.moments.get(&self.now);
        self.meters
            .iter()
            .filter(|(_, meter)| meter.is_changed)
            .filter_map(move |(row, meter)| Some((*row, meter.to_stored(&self.kinds, now?))))
    }
}
