//! The decision: the spendings of a call against the limits of the accounts that pay.

use super::list::List;
use super::spending::{Spending, Sums, UNKNOWN};
use super::verdict::{Bound, Reason, Refusal, Verdict};
use super::{Caps, Limit, Moment, Period, Spend, TOTAL, category, merchant, method, scopes_of};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};

/// What was spent in one period, by scope.
type ByScope = BTreeMap<String, Decimal>;

/// Where a period stands in [`PERIODS`], and when it begins.
type PeriodKey = (usize, i64);

/// An account that pays, with everything that its limits look at.
pub struct Meter {
    account: String,
    currency: String,
    scale: u32,
    holds: Vec<Spend>,
    /// By moment: the limits that count then.
    limits: HashMap<i64, Vec<Limit>>,
    spent: HashMap<PeriodKey, ByScope>,
    /// What the transaction that is being decided spends.
    transaction: ByScope,
    undo: Vec<(PeriodKey, String, Decimal)>,
    is_dated: bool,
    /// Up to when the limits of now count.
    until: i64,
    is_changed: bool,
}

impl Meter {
    pub fn new(account: &str, currency: &str, scale: u32, holds: Vec<Spend>) -> Self {
        Self {
            account: account.to_owned(),
            currency: currency.to_owned(),
            scale,
            holds,
            limits: HashMap::new(),
            spent: HashMap::new(),
            transaction: ByScope::new(),
            undo: Vec::new(),
            is_dated: false,
            until: i64::MIN,
            is_changed: false,
        }
    }

    pub fn set_limits(&mut self, at: i64, limits: Vec<Limit>) {
        self.limits.insert(at, limits);
    }

    /// Says up to when the limits of now count, as they were just read: the stored ones are replaced.
    pub fn set_until(&mut self, until: i64) {
        self.until = until;
        self.is_changed = true;
    }

    /// Takes over the limits of now that are stored beside the counter.
    pub fn take_limits(&mut self, stored: &Spending, now: i64) {
        self.until = stored.until;
        self.limits.insert(now, stored.limits.clone());
    }

    fn limits_at(&self, at: i64) -> &[Limit] {
        self.limits.get(&at).map_or(&[], Vec::as_slice)
    }

    /// What the limits of all moments count apart.
    fn scopes(&self) -> Vec<String> {
        scopes_of(self.limits.values().flatten())
    }

    /// Takes over what the stored counter knows of a moment's periods; returns the periods that have to be
    /// counted from the transfers. The limits of all moments must be there.
    pub fn take_stored(&mut self, stored: Option<&Spending>, kinds: &[i16], moment: &Moment) -> Vec<usize> {
        self.is_dated |= stored.is_some_and(|stored| stored.is_dated);
        if self.limits.values().all(Vec::is_empty) {
            return Vec::new();
        }
        let scopes = self.scopes();
        let zero = Decimal::new(0, self.scale);
        let mut missing = Vec::new();
        for (period, bounds) in moment.periods.iter().enumerate() {
            let key = (period, bounds.start);
            if self.spent.contains_key(&key) {
                continue;
            }
            let usable = stored.filter(|stored| {
                stored.kinds == kinds && scopes.iter().all(|scope| stored.spent.contains_key(scope))
            });
            let known: Option<ByScope> = match usable {
                Some(stored) if stored.starts[period] == bounds.start => {
                    Some(stored.spent.iter().map(|(scope, sums)| (scope.clone(), sums[period])).collect())
                }
                // A period that has begun since then, and nothing was dated into it.
                Some(stored) if stored.starts[period] < bounds.start && !stored.is_dated => {
                    Some(scopes.iter().map(|scope| (scope.clone(), zero)).collect())
                }
                _ => None,
            };
            match known {
                Some(known) => {
                    self.spent.insert(key, known);
                }
                None => missing.push(period),
            }
        }
        missing
    }

    /// Takes over what was counted from the transfers of one period.
    pub fn take_counted(&mut self, period: usize, bounds: Period, counted: &[Spend]) {
        let zero = Decimal::new(0, self.scale);
        let mut sums: ByScope = self.scopes().into_iter().map(|scope| (scope, zero)).collect();
        for spend in counted {
            for scope in std::iter::once(TOTAL.to_owned()).chain(spend.scopes()) {
                if let Some(sum) = sums.get_mut(&scope) {
                    *sum += spend.amount;
                }
            }
        }
        self.spent.insert((period, bounds.start), sums);
        self.is_changed = true;
    }

    /// Whether anything is dated after today: known anew whenever the periods of now are counted anew.
    pub fn set_dated(&mut self, is_dated: bool) {
        self.is_dated = is_dated;
    }

    /// What the limits say about a spending, beside what the same transaction has spent already.
    pub fn judge(&self, spend: &Spend, moment: &Moment) -> Verdict {
        let mut refused: Vec<(Reason, Option<String>, Option<Bound>)> = Vec::new();
        let mut bounds: Vec<Bound> = Vec::new();
        let mut opening = None;
        for limit in self.limits_at(moment.at) {
            if limit.method.is_some() && limit.method != spend.method {
                continue;
            }
            let refuses = |reason| (reason, Some(limit.name.clone()), None);
            if let Some(windows) =
                limit.windows.as_ref().filter(|windows| !windows.contains(moment.weekday, moment.clock))
            {
                let opens = windows.opening(moment.weekday, moment.clock);
                // Of several limits the window that opens last is the one to wait for.
                opening = opening.max(Some(opens));
                refused.push(refuses(Reason::Window));
            }
            let lists = [
                (
                    &limit.merchants,
                    spend.merchant.as_deref(),
                    Reason::Merchant,
                    merchant as fn(&str) -> String,
                ),
                (&limit.categories, spend.category.as_deref(), Reason::Category, category),
            ];
            let scope = limit.method.as_deref().map(method);
            self.bounds(limit, &limit.caps, scope.as_deref(), moment, &mut bounds);
            for (list, name, reason, scope) in lists {
                let Some(list) = list else { continue };
                if !list.allows(name) {
                    refused.push(refuses(reason));
                }
                if let Some((name, caps)) = name.and_then(|name| Some((name, List::caps(list, name)?))) {
                    self.bounds(limit, caps, Some(&scope(name)), moment, &mut bounds);
                }
            }
        }
        verdict(refused, bounds, opening, spend.amount)
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
    fn count(&mut self, spend: &Spend, moment: &Moment, now: &Moment) {
        self.is_changed |= !self.limits_at(now.at).is_empty();
        self.is_dated |= now.periods.iter().any(|period| moment.at >= period.end);
        let scopes: Vec<String> = std::iter::once(TOTAL.to_owned()).chain(spend.scopes()).collect();
        let zero = Decimal::new(0, self.scale);
        for scope in &scopes {
            *self.transaction.entry(scope.clone()).or_insert(zero) += spend.amount;
        }
        for (period, bounds) in moment.periods.iter().enumerate() {
            let key = (period, bounds.start);
            let Some(sums) = self.spent.get_mut(&key) else { continue };
            for scope in &scopes {
                // A scope that no limit asks for is not known from its beginning.
                if let Some(sum) = sums.get_mut(scope) {
                    self.undo.push((key, scope.clone(), *sum));
                    *sum += spend.amount;
                }
            }
        }
    }

    fn begin(&mut self) {
        self.transaction.clear();
        self.undo.clear();
    }

    fn roll_back(&mut self) {
        self.transaction.clear();
        while let Some((key, scope, before)) = self.undo.pop() {
            if let Some(sum) = self.spent.get_mut(&key).and_then(|sums| sums.get_mut(&scope)) {
                *sum = before;
            }
        }
    }

    /// The counter to be stored. Without a limit nothing is counted: a later one counts anew.
    fn to_stored(&self, kinds: &[i16], now: &Moment) -> String {
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

/// What refuses is told before what does not; among the rest, the least room.
fn verdict(
    mut refused: Vec<(Reason, Option<String>, Option<Bound>)>,
    bounds: Vec<Bound>,
    opening: Option<(i64, i64)>,
    amount: Decimal,
) -> Verdict {
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

/// The limited accounts of a call.
#[derive(Default)]
pub struct Gauge {
    /// By the row of the book.
    meters: BTreeMap<usize, Meter>,
    moments: HashMap<i64, Moment>,
    kinds: Vec<i16>,
    now: i64,
}

impl Gauge {
    /// The first moment is now.
    pub fn new(moments: Vec<Moment>, kinds: Vec<i16>) -> Self {
        let now = moments.first().map_or(0, |moment| moment.at);
        Self {
            meters: BTreeMap::new(),
            moments: moments.into_iter().map(|moment| (moment.at, moment)).collect(),
            kinds,
            now,
        }
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
        self.meters.values_mut().for_each(Meter::begin);
    }

    pub fn roll_back(&mut self) {
        self.meters.values_mut().for_each(Meter::roll_back);
    }

    /// What the limits of an account say; nothing where it has none.
    pub fn judge(&self, row: usize, spend: &Spend, at: i64) -> Verdict {
        match (self.meters.get(&row), self.moments.get(&at)) {
            (Some(meter), Some(moment)) => meter.judge(spend, moment),
            _ => Verdict::default(),
        }
    }

    /// Refuses a spending that passes a limit.
    pub fn check(&self, row: usize, spend: &Spend, at: i64) -> Result<(), Box<Refusal>> {
        let verdict = self.judge(row, spend, at);
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
    pub fn count(&mut self, row: usize, spend: &Spend, at: i64) {
        let (moment, now) = (self.moments.get(&at), self.moments.get(&self.now));
        if let (Some(meter), Some(moment), Some(now)) = (self.meters.get_mut(&row), moment, now) {
            meter.count(spend, moment, now);
        }
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
