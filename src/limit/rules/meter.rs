//! One account that pays, against its limits: what counts when, what was spent, and what that leaves.

use super::list::List;
use super::spending::{Spending, Sums, UNKNOWN};
use super::verdict::{Bound, Opening, Reason, Verdict};
use super::{Caps, Limit, Moment, Period, Spend, TOTAL, category, merchant, method, scopes_of};
use crate::error::Result;
use crate::money;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What was spent in one period, by scope.
type ByScope = BTreeMap<String, Decimal>;

/// Where a period stands in [`PERIODS`], and when it begins.
type PeriodKey = (usize, i64);

/// What is asked about a spending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    All,
    /// Only where the money goes: the rest was judged when it was held.
    Merchant,
}

/// An account that pays, with everything that its limits look at.
pub struct Meter {
    pub account: String,
    pub currency: String,
    scale: u32,
    holds: Vec<Spend>,
    /// By the moment from which they count, up to the next one.
    limits: BTreeMap<i64, Vec<Limit>>,
    /// What the limits of all these times count apart; nothing where there is none.
    scopes: Vec<String>,
    spent: HashMap<PeriodKey, ByScope>,
    /// What the transaction that is being decided spends.
    transaction: ByScope,
    undo: Vec<(PeriodKey, String, Decimal)>,
    is_dated: bool,
    /// Up to when the limits of now count.
    until: i64,
    pub is_changed: bool,
}

impl Meter {
    pub fn new(account: &str, currency: &str, scale: u32, holds: Vec<Spend>) -> Self {
        Self {
            account: account.to_owned(),
            currency: currency.to_owned(),
            scale,
            holds,
            limits: BTreeMap::new(),
            scopes: Vec::new(),
            spent: HashMap::new(),
            transaction: ByScope::new(),
            undo: Vec::new(),
            is_dated: false,
            until: i64::MIN,
            is_changed: false,
        }
    }

    /// Says which limits count, by the moment from which they do.
    pub fn set_limits(&mut self, limits: BTreeMap<i64, Vec<Limit>>) {
        let is_limited = limits.values().any(|limits| !limits.is_empty());
        self.scopes = if is_limited { scopes_of(limits.values().flatten()) } else { Vec::new() };
        self.limits = limits;
    }

    /// Says up to when the limits of now count, as they were just read: the stored ones are replaced.
    pub fn set_until(&mut self, until: i64) {
        self.until = until;
        self.is_changed = true;
    }

    /// Takes over the limits of now that are stored beside the counter.
    pub fn take_limits(&mut self, stored: &Spending) {
        self.until = stored.until;
        self.set_limits(BTreeMap::from([(i64::MIN, stored.limits.clone())]));
    }

    fn limits_at(&self, at: i64) -> &[Limit] {
        self.limits.range(..=at).next_back().map_or(&[], |(_, limits)| limits.as_slice())
    }

    /// Takes over what the stored counter knows of the periods of some moments; returns the periods that have to be
    /// counted from the transfers. The limits must be there.
    pub fn take_stored<'a>(
        &mut self,
        stored: Option<&Spending>,
        kinds: &[i16],
        moments: impl IntoIterator<Item = &'a Moment>,
    ) -> Vec<(usize, Period)> {
        self.is_dated |= stored.is_some_and(|stored| stored.is_dated);
        if self.scopes.is_empty() {
            return Vec::new();
        }
        let usable = stored.filter(|stored| {
            stored.kinds == kinds && self.scopes.iter().all(|scope| stored.spent.contains_key(scope))
        });
        let zero = Decimal::new(0, self.scale);
        let (mut missing, mut seen) = (Vec::new(), HashSet::new());
        for moment in moments {
            for (period, bounds) in moment.periods.iter().enumerate() {
                if !seen.insert((period, bounds.start)) {
                    continue;
                }
                let known: Option<ByScope> = match usable {
                    Some(stored) if stored.period(period) == *bounds => {
                        Some(stored.spent.iter().map(|(scope, sums)| (scope.clone(), sums[period])).collect())
                    }
                    // A period that has begun since then, and nothing was dated into it.
                    Some(stored) if stored.ends[period] <= bounds.start && !stored.is_dated => {
                        Some(self.scopes.iter().map(|scope| (scope.clone(), zero)).collect())
                    }
                    _ => None,
                };
                match known {
                    Some(known) => {
                        self.spent.insert((period, bounds.start), known);
                    }
                    None => missing.push((period, *bounds)),
                }
            }
        }
        missing
    }

    /// Takes over what was counted from the transfers of one period.
    pub fn take_counted(&mut self, period: usize, bounds: Period, counted: &[Spend]) -> Result<()> {
        let zero = Decimal::new(0, self.scale);
        let mut sums: ByScope = self.scopes.iter().map(|scope| (scope.clone(), zero)).collect();
        for spend in counted {
            for scope in std::iter::once(TOTAL.to_owned()).chain(spend.scopes()) {
                if let Some(sum) = sums.get_mut(&scope) {
                    *sum = added(*sum, spend.amount)?;
                }
            }
        }
        self.spent.insert((period, bounds.start), sums);
        self.is_changed = true;
        Ok(())
    }

    /// Whether anything is dated after today: known anew whenever the periods of now are counted anew.
    pub fn set_dated(&mut self, is_dated: bool) {
        self.is_dated = is_dated;
    }

    /// What the limits say about a spending, beside what the same transaction has spent already.
    pub fn judge(&self, spend: &Spend, moment: &Moment, asked: Asked) -> Verdict {
        let mut found = Found::default();
        for limit in self.limits_at(moment.at) {
            if limit.method.is_some() && limit.method != spend.method {
                continue;
            }
            if asked == Asked::All {
                found.window(limit, moment);
                let scope = limit.method.as_deref().map(method);
                self.bounds(limit, &limit.caps, scope.as_deref(), moment, &mut found.bounds);
            }
            let merchants =
                (&limit.merchants, &spend.merchant, Reason::Merchant, merchant as fn(&str) -> String);
            let categories =
                (&limit.categories, &spend.category, Reason::Category, category as fn(&str) -> String);
            let lists = [Some(merchants), (asked == Asked::All).then_some(categories)];
            for (list, name, reason, scope) in lists.into_iter().flatten() {
                let Some(list) = list else { continue };
                let name = name.as_deref();
                if !list.allows(name) {
                    found.refuse(limit, reason);
                }
                if let Some((name, caps)) = name.and_then(|name| Some((name, List::caps(list, name)?))) {
                    self.bounds(limit, caps, Some(&scope(name)), moment, &mut found.bounds);
                }
            }
        }
        found.verdict(spend.amount)
    }

    /// The bounds of one limit, or of one name in its lists.
    fn bounds(
        &self,
        limit: &Limit,
        caps: &Caps,
        scope: Option<&str>,
        moment: &Moment,
        bounds: &mut Vec<Bound>,
    ) {
        let key = scope.unwrap_or(TOTAL);
        let zero = Decimal::new(0, self.scale);
        let counts = |held: &&Spend| scope.is_none() || held.scopes().any(|name| name == key);
        let scaled = |mut amount: Decimal| {
            amount.rescale(self.scale);
            amount
        };
        let bound = |reason, cap, spent, held, resets_at| Bound {
            reason,
            limit: limit.name.clone(),
            // Without the letter that keeps merchants, categories and methods apart.
            scope: scope.map(|scope| scope[2..].to_owned()),
            cap: scaled(cap),
            spent: scaled(spent),
            held: scaled(held),
            resets_at,
        };
        if let Some(cap) = caps.per_transaction {
            let spent = self.transaction.get(key).copied().unwrap_or(zero);
            bounds.push(bound(Reason::PerTransaction, cap, spent, zero, None));
        }
        for (period, cap) in caps.periods.iter().enumerate() {
            let Some(cap) = cap else { continue };
            let Period { start, end } = moment.periods[period];
            let spent =
                self.spent.get(&(period, start)).and_then(|sums| sums.get(key)).copied().unwrap_or(zero);
            let held: Decimal = self.holds.iter().filter(counts).map(|held| held.amount).sum();
            bounds.push(bound(Reason::Period(period), *cap, spent, held, Some(end)));
        }
    }

    /// Counts a spending in the periods of its moment, and in those of now where they contain it.
    pub fn count(&mut self, spend: &Spend, moment: &Moment, now: &Moment) -> Result<()> {
        self.is_changed |= !self.limits_at(now.at).is_empty();
        self.is_dated |= now.periods.iter().any(|period| moment.at >= period.end);
        let scopes: Vec<String> = std::iter::once(TOTAL.to_owned()).chain(spend.scopes()).collect();
        let zero = Decimal::new(0, self.scale);
        for scope in &scopes {
            let sum = self.transaction.entry(scope.clone()).or_insert(zero);
            *sum = added(*sum, spend.amount)?;
        }
        for (period, bounds) in moment.periods.iter().enumerate() {
            let key = (period, bounds.start);
            let Some(sums) = self.spent.get_mut(&key) else { continue };
            for scope in &scopes {
                // A scope that no limit asks for is not known from its beginning.
                if let Some(sum) = sums.get_mut(scope) {
                    let after = added(*sum, spend.amount)?;
                    self.undo.push((key, scope.clone(), *sum));
                    *sum = after;
                }
            }
        }
        Ok(())
    }

    pub fn begin(&mut self) {
        self.transaction.clear();
        self.undo.clear();
    }

    pub fn roll_back(&mut self) {
        self.transaction.clear();
        while let Some((key, scope, before)) = self.undo.pop() {
            if let Some(sum) = self.spent.get_mut(&key).and_then(|sums| sums.get_mut(&scope)) {
                *sum = before;
            }
        }
    }

    /// The counter to be stored. Without a limit nothing is counted: a later one counts anew.
    pub fn to_stored(&self, kinds: &[i16], now: &Moment) -> String {
        let limits = self.limits_at(now.at).to_vec();
        let mut spent: BTreeMap<String, Sums> = BTreeMap::new();
        for scope in scopes_of(&limits).into_iter().filter(|_| !limits.is_empty()) {
            let mut sums = [Decimal::ZERO; 3];
            for (period, bounds) in now.periods.iter().enumerate() {
                let known = self.spent.get(&(period, bounds.start)).and_then(|sums| sums.get(&scope));
                let Some(known) = known else { return UNKNOWN.to_owned() };
                sums[period] = *known;
            }
            spent.insert(scope, sums);
        }
        Spending {
            kinds: kinds.to_vec(),
            starts: now.periods.map(|period| period.start),
            ends: now.periods.map(|period| period.end),
            is_dated: self.is_dated,
            spent,
            limits,
            until: self.until,
        }
        .to_text()
    }
}

/// Gross sums only grow, and so can outgrow every balance.
fn added(mut sum: Decimal, amount: Decimal) -> Result<Decimal> {
    // What came to nothing has lost its decimals on the way.
    sum.rescale(amount.scale());
    let after = if sum.scale() == amount.scale() { money::add(sum, amount) } else { None };
    after.ok_or_else(|| money::out_of_range("amount"))
}

/// What the limits of a moment say, one after the other.
#[derive(Default)]
struct Found {
    refused: Vec<(Reason, Option<String>, Option<Bound>)>,
    bounds: Vec<Bound>,
    opening: Option<Opening>,
}

impl Found {
    fn refuse(&mut self, limit: &Limit, reason: Reason) {
        self.refused.push((reason, Some(limit.name.clone()), None));
    }

    fn window(&mut self, limit: &Limit, moment: &Moment) {
        let Some(windows) = &limit.windows else { return };
        if !windows.contains(moment.weekday, moment.clock) {
            // Of several limits the window that opens last is the one to wait for.
            self.opening = self.opening.max(Some(windows.opening(moment.weekday, moment.clock)));
            self.refuse(limit, Reason::Window);
        }
    }

    /// What refuses is told before what does not; among the rest, the least room.
    fn verdict(self, amount: Decimal) -> Verdict {
        let Self { mut refused, bounds, opening } = self;
        let remaining = bounds.iter().map(Bound::room).min();
        let closest = bounds.iter().min_by_key(|bound| bound.room()).cloned();
        refused.extend(
            bounds
                .into_iter()
                .filter(|bound| bound.room() < amount)
                .map(|bound| (bound.reason, None, Some(bound))),
        );
        refused.sort_by_key(|(reason, _, bound)| (*reason, bound.as_ref().map(Bound::room)));
        let is_shut = refused.iter().any(|(reason, ..)| *reason <= Reason::Category);
        match refused.into_iter().next() {
            None => Verdict { remaining, bound: closest, ..Verdict::default() },
            Some((reason, limit, bound)) => Verdict {
                reason: Some(reason),
                limit,
                bound,
                opening: opening.filter(|_| reason == Reason::Window),
                // Where nothing may be spent at all, nothing is left to spend.
                remaining: if is_shut { Some(Decimal::new(0, amount.scale())) } else { remaining },
            },
        }
    }
}
